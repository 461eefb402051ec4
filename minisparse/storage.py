"""The operations of the core that depend on how an array is stored.

The functions here are for plain NumPy or CuPy arrays. For a `Stored` array (minisparse.sparse) they call its method of
the same name, so the core never tests for a kind of array.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from importlib import import_module
from inspect import signature
from typing import Any, TypeVar, cast

import numpy as np

from .backend import Array, namespace
from .streams import in_random_order

Function = TypeVar("Function", bound=Callable)


class Stored:
    """An array in sparse storage; `home` is a plain array of the same library."""

    home: Array

    def as_numbers(self) -> Any:
        return self

    def answer(self, question: str) -> Callable:
        """The method of that name. TypeError if it has none."""
        if not hasattr(self, question):
            raise TypeError(f"{self!r} is not a plain array, and has no {question}; expected an array")
        return getattr(self, question)


def door(of: str) -> Callable[[Function], Function]:
    """Decorate a function: if its argument `of` is Stored, call that argument's method of the same name instead.

    The method gets the other arguments. For a dict of arrays, it is the static method of the first Stored array, and
    gets the whole dict.
    """

    def made(function: Function) -> Function:
        place, name = list(signature(function).parameters).index(of), function.__name__

        @wraps(function)
        def asked(*args: Any, **named: Any) -> Any:
            array = args[place] if place < len(args) else named.get(of)
            if type(array) is np.ndarray:  # the usual case, called many times a step
                return function(*args, **named)
            if isinstance(array, Stored):
                others = {key: value for key, value in named.items() if key != of}
                return array.answer(name)(*args[:place], *args[place + 1 :], **others)
            if isinstance(array, Mapping):
                for stored in array.values():
                    if isinstance(stored, Stored):
                        return stored.answer(name)(*args, **named)
            return function(*args, **named)

        return cast(Function, asked)

    return made


@door("array")
def as_numbers(array: Array) -> Array:
    """The array in numbers to compare and square: float16 as float32, whole numbers as float64 (int8 has no |−128|).

    TypeError for anything but real numbers.
    """
    if array.dtype.kind == "f":
        return array if array.dtype.itemsize > 2 else array.astype("float32")
    if array.dtype.kind not in "biu":
        raise TypeError(f"got an array of dtype {array.dtype}; expected real numbers")
    return array.astype("float64")


@door("value")
def zero_gradient(value: Array) -> Array:
    """The gradient of a parameter that the loss does not use: zeros."""
    return namespace(value).zeros_like(value)


@door("mask")
def n_active(mask: Array) -> int:
    """The number of connections."""
    return int(namespace(mask).count_nonzero(mask))


@door("mask")
def as_factor(mask: Array, dtype: np.dtype) -> Array:
    """The mask as numbers: multiplying by them is twice as fast as by booleans."""
    return _read_only(mask.astype(dtype))


@door("mask")
def frozen(mask: Array, name: str) -> Array:
    """A read-only copy. ValueError naming the layer if it is not a mask."""
    xp = namespace(mask)
    if mask.dtype != bool and not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError(f"mask for {name!r} holds values other than true and false")
    return _read_only(xp.array(mask, dtype=bool))


def _read_only(array: Array) -> Array:
    if hasattr(getattr(array, "flags", None), "writeable"):  # NumPy's; CuPy has no such flag
        array.flags.writeable = False
    return array


@door("array")
def projected(array: Array, mask: Array, in_place: bool = False) -> Array:
    """`array` times `mask` (boolean, or as from `as_factor`): zero where there is no connection."""
    return namespace(array).multiply(array, mask, out=array if in_place and array.ndim else None)


@door("weight")
def filled(weight: Array, grown: Array, values: Array) -> Array:
    """A copy of `weight` with `values` where `grown` is true: an array of its shape, or one number per position."""
    xp, new = namespace(weight), weight.copy()
    values = xp.asarray(values, dtype=weight.dtype)
    new.ravel()[xp.flatnonzero(grown)] = values[grown] if values.shape == grown.shape else values
    return new


@door("params")
def adapted(optimizer: Any, params: Mapping[str, Array]) -> Any:
    """The optimizer, adapted to the storage of the parameters."""
    return optimizer


@door("weight")
def everything(weight: Array) -> Array:
    """The mask of all stored weights."""
    return namespace(weight).ones(weight.shape, dtype=bool)


@door("weight")
def survivors(weight: Array, mask: Array | None) -> Array:
    """The weights inside the mask, (n,)."""
    return weight.ravel() if mask is None else weight[mask]


@door("mask")
def random_order(mask: Array, rng: np.random.Generator) -> Array:
    """Scores that rank as many positions as there are connections in random order; all others are last, with score 0.

    That always leaves enough free positions to grow.
    """
    drawn = in_random_order(rng, mask.size, n_active(mask))
    scores = np.zeros(mask.size)
    scores[drawn] = np.arange(len(drawn), 0, -1)
    return namespace(mask).asarray(scores.reshape(mask.shape))


def initial(
    make: Callable[..., Array], rng: np.random.Generator, shape: tuple[int, ...], dtype: Any, mask: Array | None
) -> Array:
    """The initial weights of a layer, make(rng, shape), in the storage of `mask`."""
    if isinstance(mask, Stored):
        return import_module(".sparse", __package__).initial(make, rng, dtype, mask)
    return make(rng, shape).astype(dtype)


@door("gradient")
def in_full(gradient: Array, why: str) -> Array:
    """The gradient, if every entry is stored; else ValueError with the reason `why`."""
    return gradient


@door("array")
def total(array: Array) -> float:
    """The sum of all entries, in float64."""
    return float(array.sum(dtype="float64"))


@door("array")
def n_not_finite(array: Array) -> int:
    """How many entries are NaN or infinite."""
    return int((~namespace(array).isfinite(array)).sum())


@door("array")
def square(array: Array) -> Array:
    """The squared norm, or a bound on it: finite only if every entry is.

    The dot product reads the array once, faster than `isfinite` and without an intermediate array.
    """
    flat = array.ravel(order="A")
    return flat.dot(flat)


def are_finite(arrays: Iterable[Array]) -> bool:
    """Is every entry of all arrays finite? Entries are checked only if squares overflow (beyond 1e19 in float32)."""
    arrays, bound = list(arrays), 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for array in arrays:
            bound += square(array)
    return math.isfinite(bound) or not any(n_not_finite(array) for array in arrays)


def stored_alike(weight: Array, mask: Array) -> None:
    """TypeError if only one of them is Stored."""
    if isinstance(weight, Stored) != isinstance(mask, Stored):
        kinds = f"weight is {type(weight).__name__}, mask is {type(mask).__name__}"
        raise TypeError(f"{kinds}; expected two arrays, or both truly sparse")
