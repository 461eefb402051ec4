"""Numbers in floating point: whole numbers and booleans become floats, and float16 is computed in float32.

A rule is an operation's function of arrays. Its parameters annotated `Array` hold numbers; others, such as labels, are
passed to it unchanged.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from typing import Any, get_args

import numpy as np

from .backend import Array, namespace

USUAL = {np.dtype(np.float32), np.dtype(np.float64)}  # those that need no conversion


def wide(dtype: Any) -> np.dtype:
    """The dtype for sums of numbers of `dtype`: at least float32. In float16, sums overflow above 65,504."""
    return np.result_type(dtype, np.float32)


def floats(x: Any, dtype: Any = None) -> Array:
    """Floating-point arrays unchanged; whole numbers and booleans in `dtype`, by default float32 where it holds them.

    Python numbers and lists become float64. TypeError for anything else.
    """
    if type(x) is np.ndarray and x.dtype.kind == "f":  # the usual case, called many times a step
        return x
    if isinstance(x, int | float | list | tuple):
        return np.asarray(x, dtype=np.float64)
    namespace(x)  # refuses anything but an array
    _real("got", x.dtype)
    return x if x.dtype.kind == "f" else x.astype(wide(x.dtype) if dtype is None else dtype)


def in_floats(rule: Callable) -> Callable:
    """`rule`, an operation (*arrays, **others) -> (array, pullback), for numbers of any dtype.

    All its arrays get one dtype: that of the floating-point ones, or `floats` without any. float16 is converted to
    float32 and the results back: no intermediate sum overflows. TypeError naming the rule for other dtypes.
    """
    parameters = signature(rule).parameters.values()
    numbers = {p.name: place for place, p in enumerate(parameters) if Array in (p.annotation, *get_args(p.annotation))}

    places = frozenset(numbers.values())

    @wraps(rule)
    def computed(*args: Any, **named: Any) -> tuple[Array, Any]:
        dtypes = {args[place].dtype for place in places if place < len(args) and hasattr(args[place], "dtype")}
        if named:
            dtypes |= {a.dtype for name, a in named.items() if name in numbers and hasattr(a, "dtype")}
        if not dtypes or (len(dtypes) == 1 and dtypes <= USUAL):
            return rule(*args, **named)
        for dtype in dtypes:
            _real(f"{rule.__name__} got", dtype)
        floating = [dtype for dtype in dtypes if dtype.kind == "f"]
        out = np.result_type(*(floating or (np.float32, *dtypes)))
        within = wide(out)
        cast = lambda a: a.astype(within) if getattr(a, "dtype", within) != within and hasattr(a, "astype") else a
        value, pullback = rule(
            *(cast(a) if place in places else a for place, a in enumerate(args)),
            **{name: cast(a) if name in numbers else a for name, a in named.items()},
        )
        return (value, pullback) if out == within else (value.astype(out), _taking(within, pullback))

    return computed if numbers else rule


def _taking(dtype: np.dtype, pullback: Any) -> Any:
    """The pullbacks, each of a gradient that is converted to `dtype` first."""
    if callable(pullback):
        return lambda g: pullback(g.astype(dtype))
    if isinstance(pullback, Mapping):
        return {place: _taking(dtype, pull) for place, pull in pullback.items()}
    return tuple(_taking(dtype, pull) for pull in pullback)


def _real(who: str, dtype: np.dtype) -> None:
    if dtype.kind not in "biuf":
        raise TypeError(f"{who} an array of dtype {dtype}; expected real numbers")
