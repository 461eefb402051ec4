"""Values of vectors in JSON and in Python, and their comparison.

    number, string, bool, null      themselves
    array                           {"shape": [2, 3], "dtype": "float64" | "bool" | "int64", "data": [flat, C order]}
    dict                            {"pairs": [[name, value], ...]}; a JSON object promises no order
    tuple                           {"items": [value, ...]}

Masks are 0 and 1, floats the shortest form that reads back as the same number, and infinities and NaN in an array's
data the strings "inf", "-inf" and "nan".
"""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from .plain import KINDS, Array, difference, mapped, read
from .plain import kind_of as in_words
from .plain import plain as plain


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
    return as_numpy(read(value))


def as_numpy(value: Any) -> Any:
    """A plain value with its arrays as NumPy's."""
    made = lambda x: np.array(x.data, dtype=x.dtype).reshape(x.shape)
    return mapped(lambda x: made(x) if isinstance(x, Array) else x, value)


def matches(got: Any, want: Any, rtol: float = 1e-9, atol: float = 1e-12) -> str | None:
    """None if `got` equals `want` by the rules of `plain.difference`, else a description of the difference."""
    wrong = difference(plain(got), plain(want), rtol, atol)
    return wrong and wrong[1]


def kind_of(x: Any) -> str:
    """The type of a value in words: "a mask of shape (8,)", "a dict", "the number 3.5"."""
    return in_words(plain(x))


def _number(x: Any) -> Any:
    return x if math.isfinite(x) else repr(x)
