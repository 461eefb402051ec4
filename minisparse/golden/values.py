"""Values of vectors in JSON and in Python, and their comparison.

    number, string, bool, null      themselves
    array                           {"shape": [2, 3], "dtype": "float64" | "bool" | "int64", "data": [flat, C order]}
    dict                            {"pairs": [[name, value], ...]}; a JSON object promises no order
    tuple                           {"items": [value, ...]}

Masks are 0 and 1, floats the shortest form that reads back as the same number, and infinities and NaN in an array's
data the strings "inf", "-inf" and "nan".
"""

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

KINDS = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}  # NumPy's kind of a dtype: the dtype in a vector
EXPECTED = {
    "bool": "0 and 1, a mask's data",
    "int64": "whole numbers of 64 bits",
    "float64": "numbers, and inf, -inf and nan as text",
}
CALLED = {"bool": "a mask", "int64": "an array of whole numbers", "float64": "an array of numbers"}


def encode(x: Any) -> Any:
    """`x` in JSON form. TypeError naming the type of a value that no vector can contain."""
    if x is None or isinstance(x, str):
        return x
    if isinstance(x, Mapping):
        return {"pairs": [[name, encode(value)] for name, value in x.items()]}
    if isinstance(x, tuple | list):
        return {"items": [encode(value) for value in x]}
    if isinstance(x, np.ndarray) and x.dtype.kind in KINDS:
        dtype = KINDS[x.dtype.kind]
        data = x.astype(int if dtype == "bool" else dtype).ravel().tolist()
        return {"shape": list(x.shape), "dtype": dtype, "data": [_number(value) for value in data]}
    if isinstance(x, bool | np.bool_):
        return bool(x)
    if isinstance(x, Integral):
        return int(x)
    if isinstance(x, Real):
        return float(x) if math.isfinite(x) else encode(np.array(float(x)))
    raise TypeError(f"{kind_of(x)} fits in no vector; expected a number, text, array, dict or tuple")


def decode(value: Any) -> Any:
    """The Python value of `value` in JSON form; arrays are NumPy's. ValueError for any other form."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        if value.keys() == {"pairs"} and _all_pairs(value["pairs"]):
            return {name: decode(entry) for name, entry in value["pairs"]}
        if value.keys() == {"items"} and isinstance(value["items"], list):
            return tuple(decode(item) for item in value["items"])
        if value.keys() == {"shape", "dtype", "data"} and value["dtype"] in tuple(CALLED):
            return _array(**value)
    raise ValueError(f"{str(value)[:60]} is not a value of a vector; see minisparse/golden/README.md")


def matches(got: Any, want: Any, rtol: float = 1e-9, atol: float = 1e-12) -> str | None:
    """None if `got` equals `want` within the tolerances, else a description of the difference.

    Masks, counts, text and keys compare exactly, floats by |got - want| <= atol + rtol |want|. A mask may have
    any dtype with values 0 and 1, a list may replace a tuple, and the order of a dict does not matter.
    """
    if isinstance(want, Mapping):
        return _mapping(got, want, rtol, atol)
    if isinstance(want, tuple | list):
        return _tuple(got, want, rtol, atol)
    if isinstance(want, np.ndarray) and want.ndim:
        return _arrays(got, want, rtol, atol)
    got, want = _scalar(got), _scalar(want)
    if want is None or isinstance(want, str | bool):
        same_type = type(got) is type(want)
    else:
        expected = Integral if isinstance(want, Integral) else Real
        same_type = isinstance(got, expected) and not isinstance(got, bool)
    if not same_type:
        return f"is {kind_of(got)}, wanted {kind_of(want)}"
    if isinstance(want, float):
        return None if bool(_near(got, want, rtol, atol)) else f"is {got}, wanted {want}"
    return None if got == want else f"is {got!r}, wanted {want!r}"


def kind_of(x: Any) -> str:
    """The type of a value in words: "a mask of shape (8,)", "a dict", "the number 3.5"."""
    x = _scalar(x)
    if isinstance(x, np.ndarray):
        return f"{CALLED.get(KINDS.get(x.dtype.kind, ''), f'an array of {x.dtype}')} of shape {x.shape}"
    if x is None or isinstance(x, bool):
        return str(x)
    if isinstance(x, str):
        return f"the text {x!r}"
    if isinstance(x, Integral):
        return f"the whole number {x}"
    if isinstance(x, Real):
        return f"the number {x}"
    if isinstance(x, Mapping):
        return "a dict"
    if isinstance(x, tuple | list):
        return f"a {type(x).__name__} of {len(x)}"
    return f"a {type(x).__module__}.{type(x).__qualname__}"


def _mapping(got: Any, want: Mapping, rtol: float, atol: float) -> str | None:
    if not isinstance(got, Mapping):
        return f"is {kind_of(got)}, wanted a dict with the keys {', '.join(map(str, want))}"
    odd = [f"lacks the key {key!r}" for key in want if key not in got]
    odd += [f"has the key {key!r} too many" for key in got if key not in want]
    if odd:
        return ", ".join(odd)
    return _first(((f"[{key!r}]", got[key], entry) for key, entry in want.items()), rtol, atol)


def _tuple(got: Any, want: tuple | list, rtol: float, atol: float) -> str | None:
    if not isinstance(got, tuple | list) or len(got) != len(want):
        return f"is {kind_of(got)}, wanted a tuple of {len(want)}"
    return _first(((f"[{i}]", a, b) for i, (a, b) in enumerate(zip(got, want, strict=True))), rtol, atol)


def _first(parts: Iterable[tuple[str, Any, Any]], rtol: float, atol: float) -> str | None:
    """The first difference among (place, got, wanted), prefixed with its place."""
    for place, got, want in parts:
        wrong = matches(got, want, rtol, atol)
        if wrong:
            return place + ("" if wrong.startswith("[") else " ") + wrong
    return None


def _arrays(got: Any, want: np.ndarray, rtol: float, atol: float) -> str | None:
    if not isinstance(got, np.ndarray) or got.dtype.kind not in KINDS:
        return f"is {kind_of(got)}, wanted {kind_of(want)}"
    if got.shape != want.shape:
        return f"has shape {got.shape}, wanted {want.shape}"
    if want.dtype.kind == "f":
        if got.dtype.kind == "b":
            return f"is {kind_of(got)}, wanted {kind_of(want)}"
        wrong = ~_near(got, want, rtol, atol)
    elif want.dtype.kind != "b" and got.dtype.kind not in "iu":
        return f"is {kind_of(got)}, wanted {kind_of(want)}"
    elif want.dtype.kind == "b" and not ((got == 0) | (got == 1)).all():
        return "is no mask: it holds other values than 0 and 1"
    else:
        wrong = got != want
    if not wrong.any():
        return None
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = f"position {first[0] if len(first) == 1 else first}"
    number = (lambda x: int(x)) if want.dtype.kind == "b" else (lambda x: x.item())
    also = f"; {wrong.sum()} of {wrong.size} positions differ" if wrong.sum() > 1 else ""
    return f"is {number(got[first])} at {place}, wanted {number(want[first])}{also}"


def _near(got: Any, want: Any, rtol: float, atol: float) -> Any:
    with np.errstate(invalid="ignore", over="ignore"):
        got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
        near = np.abs(got - want) <= atol + rtol * np.abs(want)
    return np.where(np.isfinite(got) & np.isfinite(want), near, got == want)


def _scalar(x: Any) -> Any:
    """The Python number of an array without axes or a NumPy number; anything else unchanged."""
    return x.item() if isinstance(x, np.generic) or (isinstance(x, np.ndarray) and x.ndim == 0) else x


def _all_pairs(pairs: Any) -> bool:
    """Is this a list of [name, value] pairs with distinct names?"""
    named = isinstance(pairs, list) and all(
        isinstance(p, list) and len(p) == 2 and isinstance(p[0], str) for p in pairs
    )
    return named and len({name for name, _ in pairs}) == len(pairs)


def _array(shape: Any, dtype: str, data: Any) -> np.ndarray:
    if not isinstance(shape, list) or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"shape is {str(shape)[:60]}; expected a list of whole numbers from 0")
    if not isinstance(data, list) or len(data) != math.prod(shape):
        given = f"{len(data)} values" if isinstance(data, list) else str(data)[:60]
        raise ValueError(f"data is {given}; expected a flat list of {math.prod(shape)} for shape {shape}")
    if odd := [x for x in data if not _fits(x, dtype)]:
        raise ValueError(f"data has {str(odd[0])[:60]}; expected {EXPECTED[dtype]}")
    return np.array([float(x) for x in data] if dtype == "float64" else data, dtype=dtype).reshape(shape)


def _fits(x: Any, dtype: str) -> bool:
    """May `x`, in JSON form, be in the data of an array of `dtype`?"""
    if dtype == "float64":
        return x in ("inf", "-inf", "nan") or isinstance(x, float) or (type(x) is int and abs(x) < 2**1023)
    return type(x) is int and (x in (0, 1) if dtype == "bool" else -(2**63) <= x < 2**63)


def _number(x: Any) -> Any:
    return x if math.isfinite(x) else repr(x)
