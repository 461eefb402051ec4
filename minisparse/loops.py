"""Loops over entries and connections, which Numba compiles where it is installed (extra `fast`).

Without Numba, or for small arrays, those who ask get None and compute the same with NumPy and SciPy: the same bits, but
for the rounding of sums.
"""

import os
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from .backend import Array
from .dtypes import USUAL

MANY = 1 << 15  # numbers or multiply-adds: fewer gain less than importing Numba takes, half a second
ANY_ORDER = {"contract", "nsz", "reassoc"}  # sums of several terms at a time; infinities and not-a-numbers stay


class Loops(NamedTuple):
    """The functions below as machine code. They run without Python's lock, so threads run them side by side."""

    momentum_step: Callable
    adam_step: Callable
    row_sums: Callable
    row_products: Callable
    rectified: Callable
    pulled: Callable
    three_terms: Callable
    rectify: Callable
    where_positive: Callable


def momentum_step(
    w: Array, g: Array, v: Array, rate: float, momentum: float, nesterov: bool, decay: float, new_w: Array, new_v: Array
) -> None:
    """The twin of optim.momentum_step, for arrays (n,)."""
    number = w.dtype.type
    lr, keep, weight_decay = number(rate), number(momentum), number(decay)
    for i in range(w.size):
        slope = g[i] + weight_decay * w[i] if decay else g[i]
        velocity = keep * v[i] + slope
        new_v[i] = velocity
        new_w[i] = w[i] - lr * (slope + keep * velocity if nesterov else velocity)


def adam_step(
    w: Array, g: Array, m: Array, v: Array, rate: float, b1: float, b2: float, c1: float, c2: float, eps: float,
    decay: float, new_w: Array, new_m: Array, new_v: Array,
) -> None:  # fmt: skip
    """The twin of optim.adam_step, for arrays (n,)."""
    number = w.dtype.type
    keep1, rest1, keep2, rest2 = number(b1), number(1 - b1), number(b2), number(1 - b2)
    lr, bias1, bias2, least, weight_decay = number(rate), number(c1), number(c2), number(eps), number(decay)
    for i in range(w.size):
        slope = g[i] + weight_decay * w[i] if decay else g[i]
        mean, square = keep1 * m[i] + rest1 * slope, keep2 * v[i] + rest2 * (slope * slope)
        new_m[i], new_v[i] = mean, square
        new_w[i] = w[i] - lr * (mean / bias1) / (np.sqrt(square / bias2) + least)


def row_sums(starts: Array, columns: Array, values: Array, places: Array, x: Array, plus: Array, y: Array) -> None:
    """y[i] = plus[i] + Σ_k values[places[k]] x[columns[k]] over the entries k of row i, starts[i] to starts[i + 1].

    Four entries at a time, as in row_products: up to a third less time than one by one.
    """
    for i in range(len(y)):
        row, first, end = y[i], starts[i], starts[i + 1]
        last = end - (end - first) % 4
        for b in range(row.size):
            row[b] = plus[i]
        for k in range(first, last, 4):
            v, v1, v2, v3 = values[places[k]], values[places[k + 1]], values[places[k + 2]], values[places[k + 3]]
            of, of1, of2, of3 = x[columns[k]], x[columns[k + 1]], x[columns[k + 2]], x[columns[k + 3]]
            for b in range(row.size):
                row[b] += v * of[b] + v1 * of1[b] + v2 * of2[b] + v3 * of3[b]
        for k in range(last, end):
            v, of = values[places[k]], x[columns[k]]
            for b in range(row.size):
                row[b] += v * of[b]


def row_products(starts: Array, columns: Array, a: Array, b: Array, places: Array, y: Array) -> None:
    """y[places[k]] = Σ_n a[i, n] b[columns[k], n] for the entries k of row i."""
    zero = y.dtype.type(0)
    for i in range(len(a)):
        row, first, end = a[i], starts[i], starts[i + 1]
        last = end - (end - first) % 4
        for k in range(first, last, 4):
            of, of1, of2, of3 = b[columns[k]], b[columns[k + 1]], b[columns[k + 2]], b[columns[k + 3]]
            total, total1, total2, total3 = zero, zero, zero, zero
            for n in range(row.size):
                total += row[n] * of[n]
                total1 += row[n] * of1[n]
                total2 += row[n] * of2[n]
                total3 += row[n] * of3[n]
            y[places[k]], y[places[k + 1]], y[places[k + 2]], y[places[k + 3]] = total, total1, total2, total3
        for k in range(last, end):
            of, total = b[columns[k]], zero
            for n in range(row.size):
                total += row[n] * of[n]
            y[places[k]] = total


def rectified(x: Array, level: Array, slope: Array, shift: Array, y: Array, top: int, left: int) -> None:
    """y = max((x − level) slope + shift, 0), for lines x (N, H, W) that begin at line `top` and place `left` of y."""
    zero = y.dtype.type(0)
    for n in range(x.shape[0]):
        for h in range(x.shape[1]):
            line, out = x[n, h], y[n, top + h, left : left + x.shape[2]]
            for i in range(line.size):
                value = (line[i] - level[i]) * slope[i] + shift[i]
                out[i] = zero if value <= 0 else value  # a not-a-number stays


def pulled(x: Array, level: Array, slope: Array, shift: Array, d: Array, total: Array, by_x: Array) -> None:
    """d, lines (N, W), is multiplied by 0 where (x − level) slope + shift ≤ 0; Σ d and Σ d (x − level) are added, (W,).

    In place, since machine code of two arguments in one memory would go number by number.
    """
    one, zero = d.dtype.type(1), d.dtype.type(0)
    for n in range(len(x)):
        line, out = x[n], d[n]
        for i in range(line.size):
            centred = line[i] - level[i]
            out[i] = out[i] * (one if centred * slope[i] + shift[i] > 0 else zero)
            total[i] += out[i]
            by_x[i] += out[i] * centred


def three_terms(d: Array, a: Array, x: Array, b: Array, c: Array) -> None:
    """d becomes d a + x b + c, for lines d and x (N, W) and rows a, b, c (W,)."""
    for n in range(len(d)):
        out, line = d[n], x[n]
        for i in range(out.size):
            out[i] = out[i] * a[i] + (line[i] * b[i] + c[i])


def rectify(x: Array) -> None:
    """x (n,) becomes max(x, 0)."""
    zero = x.dtype.type(0)
    for i in range(x.size):
        x[i] = zero if x[i] <= 0 else x[i]  # a not-a-number stays


def where_positive(g: Array, x: Array, out: Array) -> None:
    """out = g times 1 where x > 0, else times 0, (n,)."""
    one, zero = g.dtype.type(1), g.dtype.type(0)
    for i in range(g.size):
        out[i] = g[i] * (one if x[i] > 0 else zero)


def compiled(n: int, *arrays: Array, start: bool = True) -> Loops | None:
    """The loops, if Numba is installed, for arrays of NumPy's, of one floating-point dtype and in C order.

    n: how many numbers or multiply-adds they would work on; None for few.
    start: may Numba be imported for this? If not, None unless it has been, and an eighth as many numbers will do.
    The caller checks shapes, since a loop would read past the end of an array.
    """
    if n <= (MANY if start else MANY // 8) or not (start or "numba" in sys.modules) or arrays[0].dtype not in USUAL:
        return None
    dtype = arrays[0].dtype
    for a in arrays:
        if type(a) is not np.ndarray or a.dtype != dtype or not a.flags.carray:
            return None
    return _compiled()


@cache
def _compiled() -> Loops | None:
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return None
    try:
        from numba import njit
    except ImportError:  # not installed, or not made for this NumPy
        return None

    def loops(cache: bool) -> Loops:
        one_by_one = partial(njit, nogil=True, cache=cache, error_model="numpy")
        in_any_order = partial(one_by_one, fastmath=ANY_ORDER)
        return Loops(
            one_by_one(momentum_step), one_by_one(adam_step), in_any_order(row_sums), in_any_order(row_products),
            one_by_one(rectified), one_by_one(pulled), one_by_one(three_terms),
            one_by_one(rectify), one_by_one(where_positive),
        )  # fmt: skip

    try:
        return loops(cache=True)
    except RuntimeError:  # there is no folder in which machine code can be kept
        return loops(cache=False)


def in_one_pass(rule: Callable[..., tuple], arrays: tuple[Array, ...], *numbers: float) -> tuple[Array, ...]:
    """rule(*arrays, *numbers), by the loop of the rule's name if it is compiled.

    For an optimizer's rule, which acts on each entry separately: arrays of one shape are a parameter, its gradient and
    its slots, of which the rule returns all but the gradient anew.
    """
    first = arrays[0]
    if not first.ndim:  # of an array of one number NumPy would make a number
        return tuple(new.reshape(()) for new in in_one_pass(rule, tuple(a.reshape(1) for a in arrays), *numbers))
    loops = compiled(first.size, *arrays, start=first.size > MANY)
    if loops is None:
        return rule(*arrays, *numbers)
    new = [np.empty_like(first) for _ in arrays[1:]]
    getattr(loops, rule.__name__)(*(a.ravel() for a in arrays), *numbers, *(a.ravel() for a in new))
    return tuple(new)
