"""Values of vectors in plain Python, and their comparison: the standard library alone, Python 3.8 or newer.

    number, string, True, False, None      themselves
    array                                  Array(shape, dtype, data), data a flat list in C order
    dict, tuple                            dict, tuple

The modules that judge (this one, ties, relatives, replay, facts, divergences, verdict) import nothing else, so that
they run where this package does not.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any

EXPECTED = {
    "bool": "0 and 1, a mask's data",
    "int64": "whole numbers of 64 bits",
    "float64": "numbers, and inf, -inf and nan as text",
}
CALLED = {"bool": "a mask", "int64": "an array of whole numbers", "float64": "an array of numbers"}
KINDS = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}  # NumPy's kind of a dtype: the dtype in a vector
NARROW = ("float32", "float16")  # floats of less than the 64 bits that the inputs have


class Array:
    """An array as a flat list in C order; `dtype` is "bool", "int64" or "float64", of an answer "float32" too."""

    __slots__ = ("data", "dtype", "shape")

    def __init__(self, shape: tuple, dtype: str, data: list):
        self.shape, self.dtype, self.data = tuple(shape), dtype, data

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Array) and (self.shape, self.dtype) == (other.shape, other.dtype) and alike(self, other)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Array({self.shape}, {self.dtype!r}, {self.data})"


class Odd:
    """A value of a type that no vector holds, as the words that name it."""

    __slots__ = ("words",)

    def __init__(self, words: str):
        self.words = words


def read(value: Any) -> Any:
    """The plain value of `value` in JSON form. ValueError for any other form."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dict):
        if value.keys() == {"pairs"} and _all_pairs(value["pairs"]):
            return {name: read(entry) for name, entry in value["pairs"]}
        if value.keys() == {"items"} and isinstance(value["items"], list):
            return tuple(read(item) for item in value["items"])
        if value.keys() == {"shape", "dtype", "data"} and value["dtype"] in tuple(CALLED):
            return _array(value["shape"], value["dtype"], value["data"])
    raise ValueError(f"{str(value)[:60]} is not a value of a vector; see minisparse/golden/README.md")


def mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with change(value) in place of everything in it that is no dict, tuple or list."""
    if isinstance(tree, Mapping):
        return {name: mapped(change, branch) for name, branch in tree.items()}
    if isinstance(tree, (tuple, list)):
        return (list if isinstance(tree, list) else tuple)(mapped(change, branch) for branch in tree)
    return change(tree)


def plain(tree: Any) -> Any:
    """The plain value of one of Python or NumPy, which need not be installed."""
    return mapped(_plain, tree)


def _plain(x: Any) -> Any:
    np = sys.modules.get("numpy")
    if np and isinstance(x, (np.ndarray, np.generic)):
        if x.dtype.kind not in KINDS:
            return Array(x.shape, str(x.dtype), [])
        dtype = str(x.dtype) if x.dtype.kind == "f" and x.dtype.itemsize < 8 else KINDS[x.dtype.kind]
        return Array(x.shape, dtype, x.ravel().tolist())
    if x is None or isinstance(x, (str, bool, int, float)):
        return x
    if isinstance(x, Integral):
        return int(x)
    return float(x) if isinstance(x, Real) else Odd(kind_of(x))


def difference(got: Any, want: Any, rtol: float = 1e-9, atol: float = 1e-12) -> tuple[str, str] | None:
    """None if `got` equals `want` within the tolerances, else ("form" or "value", a description).

    Masks, counts, text and keys compare exactly, floats by |got - want| <= atol + rtol |want|. A mask may have
    any dtype with values 0 and 1, a list may replace a tuple, and the order of a dict does not matter. The form is
    wrong where type, shape, keys or length are.
    """
    return next(_differences(got, want, rtol, atol), None)


def form(got: Any, want: Any) -> str | None:
    """What is wrong with types, shapes, keys and lengths, whatever the values."""
    return next((text for kind, text in _differences(got, want, 0, 0) if kind == "form"), None)


def kind_of(x: Any) -> str:
    """The type of a value in words: "a mask of shape (8,)", "a dict", "the number 3.5"."""
    x = scalar(x)
    if isinstance(x, Odd):
        return x.words
    if isinstance(x, Array):
        dtype = "float64" if x.dtype in NARROW else x.dtype
        return f"{CALLED.get(dtype, f'an array of {x.dtype}')} of shape {x.shape}"
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
    if isinstance(x, (tuple, list)):
        return f"a {type(x).__name__} of {len(x)}"
    return f"a {type(x).__module__}.{type(x).__qualname__}"


def scalar(x: Any) -> Any:
    """The number of an array without axes; anything else unchanged."""
    return x.data[0] if isinstance(x, Array) and not x.shape and x.data else x


def leaves(tree: Any, place: str = "") -> list[tuple[str, Any]]:
    """(place, value) of everything in a tree that is no dict or tuple: ("['fc1']", Array), …"""
    if isinstance(tree, Mapping):
        return [leaf for name, branch in tree.items() for leaf in leaves(branch, f"{place}[{name!r}]")]
    if isinstance(tree, (tuple, list)):
        return [leaf for i, branch in enumerate(tree) for leaf in leaves(branch, f"{place}[{i}]")]
    return [(place, tree)]


def alike(a: Any, b: Any) -> bool:
    """Are two plain values the same to the last bit? NaN is like NaN, and 0.0 is not -0.0."""
    if isinstance(a, Array) and isinstance(b, Array):
        same_bits = _bits(a) == _bits(b)  # much faster than number by number
        return (a.shape, a.dtype) == (b.shape, b.dtype) and (same_bits or all(map(_same, a.data, b.data)))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return list(a) == list(b) and all(alike(a[name], b[name]) for name in a)
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(alike, a, b))
    return type(a) is type(b) and (isinstance(a, Odd) or _same(a, b))


def narrow(got: Any, want: Any) -> str | None:
    """The dtype of the first floats in `got` that have fewer bits than those of `want`, if there are any."""
    if isinstance(want, Mapping) and isinstance(got, Mapping):
        parts = [(got[name], entry) for name, entry in want.items() if name in got]
    elif isinstance(want, (tuple, list)) and isinstance(got, (tuple, list)):
        parts = list(map(lambda a, b: (a, b), got, want))
    else:
        floats = isinstance(want, float) or (isinstance(want, Array) and want.dtype == "float64")
        return got.dtype if floats and isinstance(got, Array) and got.dtype in NARROW else None
    return next((dtype for dtype in (narrow(a, b) for a, b in parts) if dtype), None)


def in_single(tree: Any) -> Any:
    """`tree` with the numbers of its float arrays as they are in single precision."""
    is_float = lambda x: isinstance(x, Array) and x.dtype == "float64"
    return mapped(lambda x: Array(x.shape, x.dtype, list(map(_single, x.data))) if is_float(x) else x, tree)


def place_in(shape: tuple, flat: int) -> Any:
    """The index of the flat position: a number for one axis, else a tuple."""
    index: list[int] = []
    for n in reversed(shape):
        index.insert(0, flat % n)
        flat //= n
    return index[0] if len(index) == 1 else tuple(index)


def near(got: Any, want: Any, rtol: float, atol: float) -> bool:
    if math.isfinite(got) and math.isfinite(want):
        return abs(got - want) <= atol + rtol * abs(want)
    return bool(got == want)


def _single(x: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def _bits(a: Array) -> Any:
    return array("d", a.data).tobytes() if a.dtype == "float64" else a.data


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
    return bool(a == b)


def _differences(got: Any, want: Any, rtol: float, atol: float) -> Iterator[tuple[str, str]]:
    """Every `difference`, in order, each prefixed with its place."""
    if isinstance(want, Mapping):
        wrong, keys = _other_keys(got, want), list(want)
    elif isinstance(want, (tuple, list)):
        alike = isinstance(got, (tuple, list)) and len(got) == len(want)
        wrong, keys = "" if alike else f"is {kind_of(got)}, wanted a tuple of {len(want)}", list(range(len(want)))
    else:
        compare = _arrays if isinstance(want, Array) and want.shape else _scalars
        found = compare(got, want, rtol, atol)
        yield from [found] if found else []
        return
    if wrong:
        yield "form", wrong
        return
    for key in keys:
        for kind, text in _differences(got[key], want[key], rtol, atol):
            yield kind, f"[{key!r}]{'' if text.startswith('[') else ' '}{text}"


def _other_keys(got: Any, want: Mapping) -> str:
    if not isinstance(got, Mapping):
        like = f"a dict with the keys {', '.join(map(str, want))}" if want else "an empty dict"
        return f"is {kind_of(got)}, wanted {like}"
    odd = [f"lacks the key {key!r}" for key in want if key not in got]
    return ", ".join(odd + [f"has the key {key!r} too many" for key in got if key not in want])


def _scalars(got: Any, want: Any, rtol: float, atol: float) -> tuple[str, str] | None:
    got, want = scalar(got), scalar(want)
    if want is None or isinstance(want, (str, bool)):
        same_type = type(got) is type(want)
    else:
        expected = Integral if isinstance(want, Integral) else Real
        same_type = isinstance(got, expected) and not isinstance(got, bool)
    if not same_type:
        return "form", f"is {kind_of(got)}, wanted {kind_of(want)}"
    if isinstance(want, float):
        return None if near(got, want, rtol, atol) else ("value", f"is {got}, wanted {want}")
    return None if got == want else ("value", f"is {got!r}, wanted {want!r}")


def _arrays(got: Any, want: Array, rtol: float, atol: float) -> tuple[str, str] | None:
    known = (*CALLED, *NARROW)
    if not isinstance(got, Array) or got.dtype not in known:
        return "form", f"is {kind_of(got)}, wanted {kind_of(want)}"
    if got.shape != want.shape:
        return "form", f"has shape {got.shape}, wanted {want.shape}"
    if (want.dtype == "float64" and got.dtype == "bool") or (want.dtype == "int64" and got.dtype != "int64"):
        return "form", f"is {kind_of(got)}, wanted {kind_of(want)}"
    if got.data == want.data:
        return None
    if want.dtype == "bool" and any(x not in (0, 1) for x in got.data):
        return "form", "is no mask: it holds other values than 0 and 1"
    if want.dtype == "float64":
        wrong = [i for i, x in enumerate(want.data) if not near(got.data[i], x, rtol, atol)]
    else:
        wrong = [i for i, x in enumerate(want.data) if got.data[i] != x]
    if not wrong:
        return None
    a, b = got.data[wrong[0]], want.data[wrong[0]]
    a, b = (int(a), int(b)) if want.dtype == "bool" else (a, b)
    also = f"; {len(wrong)} of {len(want.data)} positions differ" if len(wrong) > 1 else ""
    return "value", f"is {a} at position {place_in(want.shape, wrong[0])}, wanted {b}{also}"


def _all_pairs(pairs: Any) -> bool:
    """Is this a list of [name, value] pairs with distinct names?"""
    named = isinstance(pairs, list) and all(
        isinstance(p, list) and len(p) == 2 and isinstance(p[0], str) for p in pairs
    )
    return named and len({name for name, _ in pairs}) == len(pairs)


def _array(shape: Any, dtype: str, data: Any) -> Array:
    if not isinstance(shape, list) or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"shape is {str(shape)[:60]}; expected a list of whole numbers from 0")
    if not isinstance(data, list) or len(data) != math.prod(shape):
        given = f"{len(data)} values" if isinstance(data, list) else str(data)[:60]
        raise ValueError(f"data is {given}; expected a flat list of {math.prod(shape)} for shape {shape}")
    kinds = set(map(type, data))
    usual = kinds <= {float} if dtype == "float64" else dtype == "bool" and kinds <= {int} and set(data) <= {0, 1}
    odd = [] if usual else [x for x in data if not _fits(x, dtype)]
    if odd:
        raise ValueError(f"data has {str(odd[0])[:60]}; expected {EXPECTED[dtype]}")
    return Array(tuple(shape), dtype, list(map({"float64": float, "bool": bool, "int64": int}[dtype], data)))


def _fits(x: Any, dtype: str) -> bool:
    """May `x`, in JSON form, be in the data of an array of `dtype`?"""
    if dtype == "float64":
        return x in ("inf", "-inf", "nan") or isinstance(x, float) or (type(x) is int and abs(x) < 2**1023)
    return type(x) is int and (x in (0, 1) if dtype == "bool" else -(2**63) <= x < 2**63)
