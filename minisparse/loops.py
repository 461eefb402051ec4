"""Loops over entries and connections, which Numba compiles where it is installed (extra `fast`).

Without Numba, or for small arrays, those who ask get None and compute the same with NumPy and SciPy. `times_plus` gives
the same bits either way, the sums of the other two differ in rounding.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from .backend import Array, namespace

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
MANY_ENTRIES = 1 << 15  # fewer gain less than importing Numba takes, half a second
MANY_PRODUCTS = 1 << 17
ANY_ORDER = {"contract", "nsz", "reassoc"}  # sums of several terms at a time; infinities and not-a-numbers stay


class Loops(NamedTuple):
    """The functions below as machine code. They run without Python's lock, so threads run them side by side."""

    scaled_sum: Callable
    row_sums: Callable
    row_products: Callable


def scaled_sum(a: float, x: Array, y: Array, out: Array) -> None:
    """out = a x + y, (n,)."""
    for i in range(x.size):
        out[i] = a * x[i] + y[i]


def row_sums(starts: Array, columns: Array, values: Array, places: Array, x: Array, plus: Array, y: Array) -> None:
    """y[i] = plus[i] + Σ_k values[places[k]] x[columns[k]] over the entries k of row i, starts[i] to starts[i + 1]."""
    for i in range(len(y)):
        row = y[i]
        for b in range(row.size):
            row[b] = plus[i]
        for k in range(starts[i], starts[i + 1]):
            value, of = values[places[k]], x[columns[k]]
            for b in range(row.size):
                row[b] += value * of[b]


def row_products(starts: Array, columns: Array, a: Array, b: Array, places: Array, y: Array) -> None:
    """y[places[k]] = Σ_n a[i, n] b[columns[k], n] for the entries k of row i."""
    for i in range(len(a)):
        row = a[i]
        for k in range(starts[i], starts[i + 1]):
            other, total = b[columns[k]], y.dtype.type(0)
            for n in range(row.size):
                total += row[n] * other[n]
            y[places[k]] = total


def compiled(*arrays: Array) -> Loops | None:
    """The loops, if Numba is installed and the arrays are NumPy's, of one floating-point dtype and in C order."""
    usual = all(type(a) is np.ndarray and a.dtype == arrays[0].dtype and a.flags.carray for a in arrays)
    return _compiled() if usual and arrays[0].dtype in DTYPES else None


@cache
def _compiled() -> Loops | None:
    try:
        from numba import config, njit
    except ImportError:  # not installed, or not made for this NumPy
        return None
    if getattr(config, "DISABLE_JIT", False):
        return None

    def loops(cache: bool) -> Loops:
        one_by_one = partial(njit, nogil=True, cache=cache)
        in_any_order = partial(one_by_one, fastmath=ANY_ORDER)
        return Loops(one_by_one(scaled_sum), in_any_order(row_sums), in_any_order(row_products))

    try:
        return loops(cache=True)
    except RuntimeError:  # there is no folder in which machine code can be kept
        return loops(cache=False)


def times_plus(a: float, x: Array, y: Array) -> Array:
    """a x + y, a new array, for arrays of one shape and dtype and a Python number."""
    loops = compiled(x, y) if getattr(x, "size", 0) > MANY_ENTRIES else None
    if loops is None:
        out = a * x
        return namespace(out).add(out, y, out=out if out.ndim else None)
    out = np.empty_like(x)
    loops.scaled_sum(x.dtype.type(a), x.ravel(), y.ravel(), out.ravel())
    return out
