"""Products with compressed sparse matrices, in pieces on threads, and a gradient at the connections.

Numba's loops make them where it is installed (minisparse.loops), else SciPy and NumPy. On a GPU the same code calls
cupyx.scipy.sparse.
"""

from collections.abc import Callable
from copy import copy
from functools import cached_property
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from ..backend import Array, namespace
from ..loops import Loops, compiled
from ..threads import in_blocks, n_threads, on_threads
from .positions import Positions

ROWS = 1024  # gathered at a time: with a batch of 128, half a core's cache of a megabyte
LONGER = 4  # times as many on several threads, which wait for each other between calls
PIECES = 16  # of a large product, at most
EACH = 1 << 15  # connections of a piece, about
MANY = 16  # above a density of 1 / MANY, matrix products are faster than gathering; of twice that, than Numba's loops
PAGE = 4096  # bytes
WORTH_A_THREAD = 1 << 21  # multiply-adds


def feature_major(x: Array) -> Array:
    """x (batch, features) as (features, batch), each feature a contiguous row; no copy if x is such a transpose."""
    if namespace(x) is not np or x.strides[0] % PAGE or x.flags.f_contiguous:
        return namespace(x).ascontiguousarray(x.T)
    y = np.empty(x.shape[::-1], x.dtype)  # examples a page apart evict each other from the cache
    for first in range(0, len(x), 8):
        y[:, first : first + 8] = x[first : first + 8].T
    return y


def products_at(x: Array, g: Array, mask: Positions) -> Array:
    """Σ_b x[i, b] g[j, b] for every connection (i, j) of the mask."""
    if namespace(g) is not np:
        return namespace(g).einsum("nb,nb->n", x[mask.rows], g[mask.columns])
    layout = layout_of(mask)
    if loops := compiled(len(mask.flat) * x.shape[1], x, g):
        if layout.by_input:
            return layout.back.products(loops, x, g, None)
        return layout.forward.products(loops, g, x, layout.order)
    return layout.products.of(x, g) if layout.by_input else layout.products.of(g, x)


def rows_at_a_time(n: int) -> int:
    """How many rows to gather for products at n connections."""
    return ROWS if n < EACH or n_threads() == 1 else LONGER * ROWS


def n_pieces(n: int) -> int:
    """In how many pieces n connections are worked on; an even number, for two threads."""
    return min(PIECES, max(2, n // EACH // 2 * 2))


class _Matrix:
    """The structure of a compressed sparse matrix, and products with it in pieces of rows."""

    def __init__(self, starts: Array, columns: Array, shape: tuple[int, int]):
        self.shape, self.starts, self.columns = shape, starts, columns

    @cached_property
    def pieces(self) -> list[slice]:
        """Slices of rows that have about as many entries each."""
        n = n_pieces(len(self.columns))
        cuts = [0, *np.searchsorted(self.starts, np.arange(1, n) * len(self.columns) // n).tolist(), self.shape[0]]
        return [slice(a, b) for a, b in pairwise(cuts) if b > a]

    @cached_property
    def whole(self) -> tuple[slice, slice, Any]:
        return self._rows(slice(0, self.shape[0]))

    @cached_property
    def parts(self) -> list[tuple[slice, slice, Any]]:
        return [self._rows(rows) for rows in self.pieces]

    def _rows(self, rows: slice) -> tuple[slice, slice, Any]:
        """A slice of rows, the slice of their entries, and SciPy's matrix of them without values."""
        starts = self._of(rows)
        entries = slice(int(starts[0]), int(starts[-1]))
        matrix = import_module("scipy.sparse").csr_matrix((rows.stop - rows.start, self.shape[1]), dtype=np.float32)
        matrix.indptr, matrix.indices = starts - starts[0], self.columns[entries]
        return rows, entries, matrix

    def times(self, values: Array, places: Array | None, x: Array, plus: Array | None = None) -> Array:
        """matrix @ x, (rows, batch), plus one number for each row, (rows,).

        The matrix's entries are values[places], or, without places, the values.
        """
        xp = namespace(values)
        if xp is np:
            added = np.zeros(self.shape[0], x.dtype) if plus is None else plus
            if loops := compiled(len(values) * x.shape[1], x, values, added):
                return self._sums(loops, values, places, x, added)
        values = values if places is None else values.take(places)
        if xp is not np:
            library = import_module(f"{xp.__name__}x.scipy.sparse")
            y = library.csr_matrix((values, self.columns, self.starts), shape=self.shape) @ x
            return y if plus is None else y + plus[:, None]

        def product(part: tuple[slice, slice, Any], out: Array | None = None) -> Array:
            matrix = copy(part[2])  # skips SciPy's checks; another thread may be using the original
            matrix.data = values[part[1]]
            y = matrix @ x
            out = y if out is None else out
            return np.positive(y, out=out) if plus is None else np.add(y, plus[part[0], None], out=out)

        if len(values) * x.shape[1] < WORTH_A_THREAD:
            return product(self.whole)
        y = np.empty((self.shape[0], x.shape[1]), values.dtype)
        on_threads(self.parts, lambda part: product(part, y[part[0]]))
        return y

    def _sums(self, loops: Loops, values: Array, places: Array | None, x: Array, plus: Array) -> Array:
        """`times` by a compiled loop."""
        n, (height, width), batch = len(self.columns), self.shape, x.shape[1]
        self._fit(values=(values, (n,)), x=(x, (width, batch)), plus=(plus, (height,)))
        at, y = _each(n) if places is None else places, np.empty((height, batch), x.dtype)
        self._on_pieces(
            lambda rows: loops.row_sums(self._of(rows), self.columns, values, at, x, plus[rows], y[rows]), batch
        )
        return y

    def products(self, loops: Loops, a: Array, b: Array, places: Array | None) -> Array:
        """Σ_n a[i, n] b[j, n] for every entry (i, j), (n,), put at its place: by a compiled loop."""
        n, (height, width), batch = len(self.columns), self.shape, b.shape[1]
        self._fit(a=(a, (height, batch)), b=(b, (width, batch)))
        at, y = _each(n) if places is None else places, np.empty(n, a.dtype)
        self._on_pieces(lambda rows: loops.row_products(self._of(rows), self.columns, a[rows], b, at, y), batch)
        return y

    def _of(self, rows: slice) -> Array:
        """Where the entries of these rows start, and where the last ends."""
        return self.starts[rows.start : rows.stop + 1]

    def _on_pieces(self, work: Callable[[slice], None], batch: int) -> None:
        many = len(self.columns) * batch >= WORTH_A_THREAD
        on_threads(self.pieces if many else [slice(0, self.shape[0])], work)

    def _fit(self, **arrays: tuple[Array, tuple[int, ...]]) -> None:
        """ValueError for an array of another shape: compiled loops would read past its end."""
        for name, (array, shape) in arrays.items():
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}; expected {shape} for a matrix of {self.shape} with "
                                 f"{len(self.columns)} entries")  # fmt: skip


def _each(n: int) -> Array:
    return np.arange(n, dtype=np.int32)


class _Products:
    """The row products of two factors that make a gradient: Σ_b a[i, b] b[j, b] for pairs (i, j).

    Every i of one factor has a group of j. Groups of similar size form a slice: the rows of the other factor are
    gathered for all of them, followed by one product per group. Short groups repeat their first j.
    """

    def __init__(self, matrix: _Matrix, order: Array | None):
        """order: the places of the matrix's entries among the connections, or None if equal."""
        self.slices, starts, others = [], matrix.starts, matrix.columns
        sizes = np.diff(starts)
        groups = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
        self.place = np.empty(len(others), np.int64)
        first, end, most = 0, 0, rows_at_a_time(len(others))
        while first < len(groups):
            size = sizes[groups[first]]
            group = groups[first : first + max(1, most // size)]
            valid = np.arange(size) < sizes[group][:, None]
            entries = starts[group][:, None] + np.arange(size) * valid
            begin, end = end, end + entries.size
            self.slices.append((group, others[entries], slice(begin, end)))
            used = entries[valid]
            self.place[used if order is None else order[used]] = np.arange(begin, end)[valid.ravel()]
            first += len(group)
        self.size = end

    def of(self, a: Array, b: Array) -> Array:
        """The products, (n,): each row of a has a group of rows of b, which are gathered."""
        products, batch = np.empty(self.size, a.dtype), a.shape[1]

        def work(pieces: slice) -> None:
            slices = self.slices[pieces]
            gathered = np.empty((max(others.size for _, others, _ in slices), batch), a.dtype)
            for group, others, where in slices:
                rows = gathered[: others.size].reshape(*others.shape, batch)
                np.take(b, others, axis=0, out=rows, mode="clip")
                np.matmul(rows, a[group][:, :, None], out=products[where].reshape(*others.shape, 1))

        n = len(self.slices)
        pieces = min(n, n_pieces(self.size)) if self.size * batch > WORTH_A_THREAD else min(n, 1)
        on_threads([slice(i * n // pieces, (i + 1) * n // pieces) for i in range(pieces)], work)
        found, bytes_each = np.empty(len(self.place), a.dtype), a.itemsize + self.place.itemsize
        put = lambda part: np.take(products, self.place[part], out=found[part], mode="clip")
        in_blocks(found, bytes_each, put, most=len(found))
        return found


class _Layout:
    """The connections of a layer in the order of inputs, in the order of outputs, and as products of two factors."""

    def __init__(self, mask: Positions):
        xp, (n_in, n_out), n = namespace(mask.flat), mask.shape, len(mask.flat)
        starts = xp.searchsorted(mask.flat, xp.arange(n_in + 1) * n_out).astype(np.int32)
        if xp is np:  # SciPy uses a counting sort: many times faster
            numbers = np.arange(n, dtype=np.int32)
            numbered = import_module("scipy.sparse").csr_matrix((numbers, mask.columns, starts), shape=mask.shape)
            by_output = numbered.tocsc()
            self.order, ends, rows = by_output.data, by_output.indptr, by_output.indices
        else:
            self.order = xp.argsort(mask.columns, kind="stable")
            ends = xp.searchsorted(mask.columns[self.order], xp.arange(n_out + 1)).astype(np.int32)
            rows = mask.rows[self.order]
        self.back, self.forward = _Matrix(starts, mask.columns, mask.shape), _Matrix(ends, rows, (n_out, n_in))
        self.by_input = n_in > 4 * n_out  # gathering rows of the larger factor would miss the cache

    @cached_property
    def products(self) -> "_Products":
        return _Products(self.back, None) if self.by_input else _Products(self.forward, self.order)


def layout_of(mask: Positions) -> _Layout:
    if not hasattr(mask, "layout"):
        mask.layout = _Layout(mask)  # type: ignore[attr-defined]
    return mask.layout  # type: ignore[attr-defined]
