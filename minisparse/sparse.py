"""Truly sparse storage: weights, gradients and optimizer slots that hold connections only.

    masks = random_positions(shapes, densities, rng)     where `random_masks` would make boolean arrays
    params = model.init(rng, masks=masks)                values for the connections, and no others

`train`, the optimizers and the methods take these as they take arrays. A layer's gradient stays in the two factors it
is the product of: at its connections it costs as much as they do (`at`), and where a method must see all of it, it
comes in blocks of rows (`row_blocks`), of which the best entries are kept as they pass (masks.top_k).

Inside, activations are (features, batch): a connection then adds one contiguous row to another. Outside they are
(batch, features) as ever, since a transposed array is the same memory.

On a GPU the same lines call cupyx.scipy.sparse. Three things differ there: a product is one call, not pieces on
threads; the gradient at the connections gathers both factors' rows at once, two numbers for each connection and
example; and random positions are drawn on the host, so that a seed means the same on both.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import cached_property
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from .allocate import counts
from .autograd import primitive
from .backend import Array, namespace
from .blocks import on_threads, one_pool_of_threads
from .checks import masks_fit, same_shapes
from .masks import Masks, top_k
from .optim import Optimizer
from .positions import Positions, countable, in_random_order, in_rising_order, no_array
from .streams import draw_key, stream

ROWS = 4096  # that are gathered at a time: they stay in cache
PIECES = 16  # of a large product: an even number of them, for two threads
BLOCK = 1 << 19  # entries of a gradient that are made at a time, unless 16 rows are more
MANY = 16  # one weight in so many is a connection: then matrix products are faster than gathering
PAGE = 4096  # bytes
WORTH_A_THREAD = 1 << 21  # multiply-adds


class Compressed:
    """A weight matrix of which only the connections are stored.

    values (n,): one for each of the positions of `mask`, in their order. All other weights are zero.
    """

    ndim = 2
    __array__ = no_array

    def __init__(self, values: Array, mask: Positions):
        if values.shape != mask.flat.shape:
            raise ValueError(f"values have shape {values.shape}; {mask} accepts {mask.flat.shape}")
        self.values, self.mask = values, mask
        self.shape, self.size, self.dtype = mask.shape, mask.size, values.dtype

    @property
    def home(self) -> Array:
        """The array that says which library this belongs to (backend.namespace)."""
        return self.values

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Compressed({len(self.values):,} of {self.shape}, {self.dtype})"

    def dense(self) -> Array:
        """The matrix itself, (n_in, n_out)."""
        matrix = namespace(self.values).zeros(self.size, self.dtype)
        matrix[self.mask.flat] = self.values
        return matrix.reshape(self.shape)

    def at(self, mask: Positions) -> Array:
        """The values at positions that are all stored."""
        return self.values if mask is self.mask else self.values[self.mask.places_of(mask)]

    def zero_gradient(self) -> "Factors":
        return Factors.zero(self)

    def project(self, mask: Positions) -> "Compressed":
        """The matrix on other positions: what stays keeps its value, and what is new is zero."""
        if mask is self.mask:
            return self
        self.mask.check(mask)
        xp = namespace(self.values)
        places, there = self.mask.find(mask.flat)
        stay = xp.flatnonzero(there)
        values = xp.zeros(len(mask.flat), self.dtype)
        values[stay] = self.values[places[stay]]
        return Compressed(values, mask)

    def filled(self, grown: Positions, values: Array) -> "Compressed":
        """The same with `values` (n,) at the positions that have grown."""
        new = self.values.copy()
        new[self.mask.places_of(grown)] = values
        return Compressed(new, self.mask)

    def moved(self, to: Callable[[Any], Any]) -> "Compressed":
        return Compressed(to(self.values), to(self.mask))

    # What methods ask of the weights of a layer: of those that are stored.

    def __abs__(self) -> "Compressed":
        return Compressed(abs(self.values), self.mask)

    def __neg__(self) -> "Compressed":
        return Compressed(-self.values, self.mask)

    def __lt__(self, number: float) -> Positions:
        return self.mask.chosen(self.values < number)

    def __ge__(self, number: float) -> Positions:
        return self.mask.chosen(self.values >= number)

    def __getitem__(self, mask: Positions) -> Array:
        return self.at(mask)

    def top_k(self, k: int, among: Positions | None = None) -> Positions:
        """masks.top_k among stored positions."""
        among = self.mask if among is None else among
        chosen = top_k(self.at(among), k)
        return among.chosen(chosen)


class Factors:
    """The gradient of a weight matrix, xᵀ g, that is not multiplied out.

    x (batch, n_in): what the layer was given; g (batch, n_out): the gradient of what came out of it.
    """

    ndim = 2

    def __init__(self, x: Array, g: Array, scale: float = 1.0, absolute: bool = False):
        self.x, self.g, self.scale, self.absolute = x, g, scale, absolute
        self.shape, self.dtype = (x.shape[1], g.shape[1]), g.dtype
        self.size = math.prod(self.shape)

    @classmethod
    def zero(cls, weight: Any) -> "Factors":
        """The gradient of a weight matrix that is not used: of a batch of none."""
        xp = namespace(weight)
        return cls(*(xp.zeros((0, n), weight.dtype) for n in weight.shape))

    @property
    def home(self) -> Array:
        """The array that says which library this belongs to (backend.namespace)."""
        return self.g

    def __repr__(self) -> str:
        return f"Factors of {self.shape}, {self.dtype}, of a batch of {len(self.g)}"

    def at(self, mask: Positions) -> Array:
        """The gradient at the positions of `mask`, (n,): a product of two rows for each.

        Where they are many, blocks of the dense gradient are multiplied sooner than these are gathered.
        """
        same_shapes(gradient=self, mask=mask)
        if len(mask.flat) * MANY > self.size:
            return picked(self, mask)
        return self._of(_at(_feature_major(self.x), _feature_major(self.g), mask))

    def row_blocks(self) -> Iterator[tuple[slice, Array]]:
        """(rows, that part of the dense gradient), from the first row to the last."""
        x, g = _feature_major(self.x), _feature_major(self.g)
        for rows in blocks_of_rows(self.shape):
            yield rows, self._of(x[rows] @ g.T)

    def dense(self) -> Array:
        """The gradient itself, (n_in, n_out)."""
        return self._of(self.x.T @ self.g)

    def moved(self, to: Callable[[Any], Any]) -> "Factors":
        return Factors(to(self.x), to(self.g), self.scale, self.absolute)

    def _of(self, product: Array) -> Array:
        if self.scale != 1.0:
            product *= self.scale
        return namespace(product).abs(product, out=product) if self.absolute else product

    def __abs__(self) -> "Factors":
        return Factors(self.x, self.g, self.scale, absolute=True)

    def __rmul__(self, number: float) -> "Factors":
        return NotImplemented if self.absolute else Factors(self.x, self.g, number * self.scale)

    def __truediv__(self, number: float) -> "Factors":
        return self if number == 1 else (1 / number) * self

    def astype(self, dtype: Any) -> "Factors":
        return Factors(self.x.astype(dtype), self.g.astype(dtype), self.scale, self.absolute)

    def __add__(self, other: "Factors") -> "Factors":
        xp = namespace(self.g)
        x, g = ([self.scale * self.x, other.scale * other.x], [self.g, other.g])
        return Factors(xp.concatenate(x), xp.concatenate(g))


def blocks_of_rows(shape: tuple[int, int]) -> Iterator[slice]:
    """The rows of each block in which a matrix of this shape is made."""
    height = max(16, BLOCK // max(1, shape[1]))
    for first in range(0, shape[0], height):
        yield slice(first, min(first + height, shape[0]))


def picked(matrix: Any, mask: Positions) -> Array:
    """The entries (n,) of a matrix that comes in blocks of rows, at the positions of `mask`."""
    n_out, xp = matrix.shape[1], namespace(matrix)
    blocks = matrix.row_blocks()
    return xp.concatenate([block.ravel().take(mask.within(r.start * n_out, r.stop * n_out)) for r, block in blocks])


def _feature_major(x: Array) -> Array:
    """x (batch, features) as (features, batch), each feature a contiguous row; no copy if it came from here."""
    if namespace(x) is not np or x.strides[0] % PAGE or x.flags.f_contiguous:
        return namespace(x).ascontiguousarray(x.T)
    y = np.empty(x.shape[::-1], x.dtype)  # examples a whole page apart push each other out of the cache
    for first in range(0, len(x), 8):
        y[:, first : first + 8] = x[first : first + 8].T
    return y


def _at(x: Array, g: Array, mask: Positions) -> Array:
    """Σ_b x[i, b] g[j, b] for every connection (i, j) of the mask."""
    if namespace(g) is not np:
        return namespace(g).einsum("nb,nb->n", x[mask.rows], g[mask.columns])
    products = _layout(mask).products
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


def _layout(mask: Positions) -> _Layout:
    if not hasattr(mask, "layout"):
        mask.layout = _Layout(mask)  # type: ignore[attr-defined]
    return mask.layout  # type: ignore[attr-defined]


@primitive
def sparse_linear(x: Array, weight: Compressed, bias: Array) -> Any:
    """x @ weight + bias: x (N, n_in), weight compressed, bias (n_out,). The weight's gradient is given as Factors."""
    layout, xt = _layout(weight.mask), _feature_major(x)
    yt = layout.forward.times(weight.values.take(layout.order), xt)
    yt += bias[:, None]
    return yt.T, (
        lambda g: layout.back.times(weight.values, _feature_major(g)).T,
        lambda g: Factors(xt.T, g),
        lambda g: g.sum(axis=0),
    )


def random_positions(
    shapes: Mapping[str, tuple[int, ...]], densities: Mapping[str, float], rng: np.random.Generator
) -> Masks:
    """As masks.random_masks, in memory and time that follow the connections: other positions, the same law.

    ValueError naming a layer with more than 2^31 − 1 inputs, outputs or connections.
    """
    n_active = counts(shapes, densities)
    for name, shape in shapes.items():
        countable(repr(name), shape, n_active[name])
    key, masks = draw_key(rng), {}
    for name, shape in shapes.items():
        size = math.prod(shape)
        masks[name] = Positions(in_rising_order(in_random_order(stream(key, name), size, n_active[name]), size), shape)
    return Masks(masks)


def compressed(params: Mapping[str, Array], masks: Mapping[str, Array]) -> tuple[dict[str, Any], Masks]:
    """Parameters and masks of a network that is stored densely, truly sparse: (params, masks).

    ValueError for masks that do not fit the parameters.
    """
    masks_fit(masks, params)
    at = {name: Positions(namespace(m).flatnonzero(m), m.shape) for name, m in masks.items()}
    own = {name: Compressed(w.ravel()[at[name].flat], at[name]) if name in at else w for name, w in params.items()}
    return own, Masks(at)


def dense(array: Any) -> Array:
    """The whole array of what is stored truly sparse; other arrays as they are."""
    return array.dense() if isinstance(array, Compressed | Positions) else array


def on_values(optimizer: Optimizer) -> Optimizer:
    """`optimizer` for parameters of which some are Compressed: it is given their values, and their gradients there."""

    def init(params: Mapping[str, Any]) -> dict:
        slots = optimizer.init({name: _values(w) for name, w in params.items()})
        return {slot: _stored(own, params) for slot, own in slots.items()}

    def update(params: Mapping[str, Any], grads: Mapping[str, Any], slots: dict, step: int) -> tuple[dict, dict]:
        with one_pool_of_threads():
            gradients = {name: g.at(params[name].mask) if isinstance(g, Factors) else g for name, g in grads.items()}
        values = {name: _values(w) for name, w in params.items()}
        bare = {s: {n: _values(a) for n, a in own.items()} if isinstance(own, Mapping) else own
                for s, own in slots.items()}  # fmt: skip
        moved, bare = optimizer.update(values, gradients, bare, step)
        return _stored(moved, params), {slot: _stored(own, params) for slot, own in bare.items()}

    return Optimizer(init, update)


def _values(array: Any) -> Array:
    return array.values if isinstance(array, Compressed) else array


def _stored(arrays: Any, params: Mapping[str, Any]) -> Any:
    """The dict of arrays, where a parameter is Compressed as its values."""
    if not isinstance(arrays, Mapping):
        return arrays
    return {
        name: Compressed(a, params[name].mask) if isinstance(params[name], Compressed) else a
        for name, a in arrays.items()
    }
