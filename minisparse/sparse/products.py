"""Products with compressed sparse matrices, in pieces on threads, and a gradient at the connections.

On a GPU the same lines call cupyx.scipy.sparse."""

from copy import copy
from functools import cached_property
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from ..backend import Array, namespace
from ..threads import on_threads
from .positions import Positions

ROWS = 4096  # that are gathered at a time: they stay in cache
PIECES = 16  # of a large product: an even number of them, for two threads
MANY = 16  # one weight in so many is a connection: then matrix products are faster than gathering
PAGE = 4096  # bytes
WORTH_A_THREAD = 1 << 21  # multiply-adds


def feature_major(x: Array) -> Array:
    """x (batch, features) as (features, batch), each feature a contiguous row; no copy if it came from here."""
    if namespace(x) is not np or x.strides[0] % PAGE or x.flags.f_contiguous:
        return namespace(x).ascontiguousarray(x.T)
    y = np.empty(x.shape[::-1], x.dtype)  # examples a whole page apart push each other out of the cache
    for first in range(0, len(x), 8):
        y[:, first : first + 8] = x[first : first + 8].T
    return y


def products_at(x: Array, g: Array, mask: Positions) -> Array:
    """Σ_b x[i, b] g[j, b] for every connection (i, j) of the mask."""
    if namespace(g) is not np:
        return namespace(g).einsum("nb,nb->n", x[mask.rows], g[mask.columns])
    products = layout_of(mask).products
    return products.of(x, g) if products.by_input else products.of(g, x)


class _Matrix:
    """Where the entries of a compressed sparse matrix stand, and products with it, in pieces of rows."""

    def __init__(self, starts: Array, columns: Array, shape: tuple[int, int]):
        self.shape, self.starts, self.columns = shape, starts, columns
        if namespace(columns) is np:
            cuts = [0, *np.searchsorted(starts, np.arange(1, PIECES) * len(columns) // PIECES).tolist(), shape[0]]
            self.whole = self._rows(slice(0, shape[0]))
            self.pieces = [self._rows(slice(a, b)) for a, b in pairwise(cuts) if b > a]

    def _rows(self, rows: slice) -> tuple[slice, slice, Any]:
        """Some rows of the matrix, which entries they hold, and SciPy's matrix of them, with values yet to come."""
        starts = self.starts[rows.start : rows.stop + 1]
        entries = slice(int(starts[0]), int(starts[-1]))
        matrix = import_module("scipy.sparse").csr_matrix((rows.stop - rows.start, self.shape[1]), dtype=np.float32)
        matrix.indptr, matrix.indices = starts - starts[0], self.columns[entries]
        return rows, entries, matrix

    def times(self, values: Array, x: Array) -> Array:
        """matrix @ x, (rows, batch)."""
        xp = namespace(values)
        if xp is not np:
            library = import_module(f"{xp.__name__}x.scipy.sparse")
            return library.csr_matrix((values, self.columns, self.starts), shape=self.shape) @ x

        def product(part: tuple[slice, slice, Any]) -> Array:
            matrix = copy(part[2])  # what SciPy would check is as it was; and another thread may be at it
            matrix.data = values[part[1]]
            return matrix @ x

        if len(values) * x.shape[1] < WORTH_A_THREAD:
            return product(self.whole)
        y = np.empty((self.shape[0], x.shape[1]), values.dtype)

        def work(part: tuple[slice, slice, Any]) -> None:
            y[part[0]] = product(part)

        on_threads(self.pieces, work)
        return y


class _Products:
    """Where the products of two factors' rows stand that a gradient is needed at: Σ_b a[i, b] b[j, b] for pairs (i, j).

    Every i of the one factor has a group of j. Groups of about one size are a slice: the rows of the other factor are
    gathered for all of them, and then it is one product for each group. Short groups repeat their first j.
    """

    def __init__(self, matrix: _Matrix, order: Array | None):
        """order: where the matrix's entries stand among the connections, if not where they are."""
        self.by_input, self.slices, starts, others = order is None, [], matrix.starts, matrix.columns
        sizes = np.diff(starts)
        groups = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
        self.place = np.empty(len(others), np.int64)
        first, end = 0, 0
        while first < len(groups):
            size = sizes[groups[first]]
            group = groups[first : first + max(1, ROWS // size)]
            there = np.arange(size) < sizes[group][:, None]
            entries = starts[group][:, None] + np.arange(size) * there
            begin, end = end, end + entries.size
            self.slices.append((group, others[entries], slice(begin, end)))
            own = entries[there]
            self.place[own if order is None else order[own]] = np.arange(begin, end)[there.ravel()]
            first += len(group)
        self.size = end

    def of(self, a: Array, b: Array) -> Array:
        """The products, (n,): each row of a has a group, the rows of b are gathered."""
        products, batch = np.empty(self.size, a.dtype), a.shape[1]

        def work(pieces: slice) -> None:
            slices = self.slices[pieces]
            gathered = np.empty((max(others.size for _, others, _ in slices), batch), a.dtype)
            for group, others, where in slices:
                rows = gathered[: others.size].reshape(*others.shape, batch)
                np.take(b, others, axis=0, out=rows, mode="clip")
                np.matmul(rows, a[group][:, :, None], out=products[where].reshape(*others.shape, 1))

        n = len(self.slices)
        pieces = min(n, PIECES) if self.size * batch > WORTH_A_THREAD else min(n, 1)
        on_threads([slice(i * n // pieces, (i + 1) * n // pieces) for i in range(pieces)], work)
        return products[self.place]


class _Layout:
    """How the connections of a layer are read: input by input, output by output, and as products of two factors."""

    def __init__(self, mask: Positions):
        xp, (n_in, n_out), n = namespace(mask.flat), mask.shape, len(mask.flat)
        starts = xp.searchsorted(mask.flat, xp.arange(n_in + 1) * n_out).astype(np.int32)
        if xp is np:  # SciPy counts where this would compare: many times as fast
            numbers = np.arange(n, dtype=np.int32)
            numbered = import_module("scipy.sparse").csr_matrix((numbers, mask.columns, starts), shape=mask.shape)
            by_output = numbered.tocsc()
            self.order, ends, rows = by_output.data, by_output.indptr, by_output.indices
        else:
            self.order = xp.argsort(mask.columns, kind="stable")
            ends = xp.searchsorted(mask.columns[self.order], xp.arange(n_out + 1)).astype(np.int32)
            rows = mask.rows[self.order]
        self.back, self.forward = _Matrix(starts, mask.columns, mask.shape), _Matrix(ends, rows, (n_out, n_in))

    @cached_property
    def products(self) -> "_Products":
        n_out, n_in = self.forward.shape
        if n_in > 4 * n_out:  # a random row of so many would come from main memory
            return _Products(self.back, None)
        return _Products(self.forward, self.order)


def layout_of(mask: Positions) -> _Layout:
    if not hasattr(mask, "layout"):
        mask.layout = _Layout(mask)  # type: ignore[attr-defined]
    return mask.layout  # type: ignore[attr-defined]
