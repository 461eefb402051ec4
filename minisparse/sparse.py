"""Truly sparse storage: weights, gradients and optimizer slots that hold connections only.

    masks = random_positions(shapes, densities, rng)     where `random_masks` would make boolean arrays
    params = model.init(rng, masks=masks)                values for the connections, and no others

`train`, the optimizers and the methods take these as they take arrays. A layer's gradient stays in the two factors it
is the product of: at its connections it costs as much as they do (`at`), and where a method must see all of it, it
comes in blocks of rows (`row_blocks`), of which the best entries are kept as they pass (`top_k`).

Inside, activations are (features, batch): a connection then adds one contiguous row to another. Outside they are
(batch, features) as ever, since a transposed array is the same memory.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from .allocate import counts
from .autograd import primitive
from .backend import Array, namespace
from .blocks import on_threads
from .checks import same_shapes, whole
from .masks import Masks, top_k
from .optim import Optimizer
from .positions import Absent, Positions, in_random_order
from .streams import draw_key, stream

CHUNK = 4096  # connections whose two rows are multiplied at a time: they stay in cache
BLOCK = 1 << 19  # entries of a gradient that are made at a time, unless 16 rows are more
WORTH_A_THREAD = 1 << 19  # multiply-adds


class Compressed:
    """A weight matrix of which only the connections are stored.

    values (n,): one for each of the positions of `mask`, in their order. All other weights are zero.
    """

    ndim = 2

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
        xp = namespace(self.values)
        return Factors(xp.zeros((0, self.shape[0]), self.dtype), xp.zeros((0, self.shape[1]), self.dtype))

    def project(self, mask: Positions) -> "Compressed":
        """The matrix on other positions: what stays keeps its value, and what is new is zero."""
        same_shapes(weight=self, mask=mask)
        if mask is self.mask:
            return self
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
        return self._where(self.values < number)

    def __ge__(self, number: float) -> Positions:
        return self._where(self.values >= number)

    def __getitem__(self, mask: Positions) -> Array:
        return self.at(mask)

    def top_k(self, k: int, among: Positions | None = None) -> Positions:
        """masks.top_k among stored positions."""
        among = self.mask if among is None else among
        chosen = top_k(self.at(among), k)
        return Positions(among.flat[chosen], self.shape)

    def _where(self, chosen: Array) -> Positions:
        return Positions(self.mask.flat[chosen], self.shape)


class Factors:
    """The gradient of a weight matrix, xᵀ g, that is not multiplied out.

    x (batch, n_in): what the layer was given; g (batch, n_out): the gradient of what came out of it.
    """

    ndim = 2

    def __init__(self, x: Array, g: Array, scale: float = 1.0, absolute: bool = False):
        self.x, self.g, self.scale, self.absolute = x, g, scale, absolute
        self.shape, self.dtype = (x.shape[1], g.shape[1]), g.dtype
        self.size = math.prod(self.shape)

    @property
    def home(self) -> Array:
        """The array that says which library this belongs to (backend.namespace)."""
        return self.g

    def __repr__(self) -> str:
        return f"Factors of {self.shape}, {self.dtype}, of a batch of {len(self.g)}"

    def at(self, mask: Positions) -> Array:
        """The gradient at the positions of `mask`, (n,): a product of two rows for each."""
        same_shapes(gradient=self, mask=mask)
        return self._of(_at(_feature_major(self.x), _feature_major(self.g), mask))

    def row_blocks(self) -> Iterator[tuple[slice, Array]]:
        """(rows, that part of the dense gradient), from the first row to the last."""
        x, g = _feature_major(self.x), _feature_major(self.g)
        height = max(16, BLOCK // max(1, self.shape[1]))
        for first in range(0, self.shape[0], height):
            rows = slice(first, min(first + height, self.shape[0]))
            yield rows, self._of(x[rows] @ g.T)

    def dense(self) -> Array:
        """The gradient itself, (n_in, n_out)."""
        return self._of(self.x.T @ self.g)

    def _of(self, product: Array) -> Array:
        if self.scale != 1.0:
            product *= self.scale
        return namespace(product).abs(product, out=product) if self.absolute else product

    def __abs__(self) -> "Factors":
        return Factors(self.x, self.g, self.scale, absolute=True)

    def __rmul__(self, number: float) -> "Factors":
        return NotImplemented if self.absolute else Factors(self.x, self.g, number * self.scale)

    def astype(self, dtype: Any) -> "Factors":
        return Factors(self.x.astype(dtype), self.g.astype(dtype), self.scale, self.absolute)

    def __add__(self, other: "Factors") -> "Factors":
        xp = namespace(self.g)
        x, g = ([self.scale * self.x, other.scale * other.x], [self.g, other.g])
        return Factors(xp.concatenate(x), xp.concatenate(g))

    def top_k(self, k: int, among: Absent) -> Positions:
        """masks.top_k over the blocks: exact, ties to the lower flat index.

        What has been seen and is no longer among the k highest is forgotten; a later block needs to beat the lowest of
        them, since at equal scores the lower index stays.
        """
        xp, taken = namespace(self.g), among.present.flat
        whole("k", k, 0, among.sum())
        best, places = xp.zeros(0, self.dtype), xp.zeros(0, dtype=np.int64)
        if not k:
            return Positions(places, self.shape)
        lowest = None  # of the k highest so far, once there are k
        bounds = xp.searchsorted(taken, xp.arange(self.shape[0] + 1) * self.shape[1])
        waiting: list[tuple[Array, Array]] = []
        n_waiting = 0
        for rows, block in self.row_blocks():
            scores, first = block.ravel(), rows.start * self.shape[1]
            if bool((scores != scores).any()):
                raise ValueError("score is NaN; ranks need numbers")
            scores[taken[int(bounds[rows.start]) : int(bounds[rows.stop])] - first] = -math.inf
            above = xp.flatnonzero(scores > (-math.inf if lowest is None else lowest))
            waiting.append((scores[above], above + first))
            n_waiting += len(above)
            if n_waiting > max(k, 4096):
                best, places = _highest(best, places, waiting, k)
                lowest = best.min() if len(best) == k else None
                waiting, n_waiting = [], 0
        _, places = _highest(best, places, waiting, k)
        return Positions(places, self.shape)


def _highest(best: Array, places: Array, more: list[tuple[Array, Array]], k: int) -> tuple[Array, Array]:
    """The k highest scores of all, with their places, which still rise."""
    xp = namespace(best)
    best = xp.concatenate([best, *(scores for scores, _ in more)])
    places = xp.concatenate([places, *(indices for _, indices in more)])
    if len(best) <= k:
        return best, places
    chosen = xp.flatnonzero(top_k(best, k))
    return best[chosen], places[chosen]


def _feature_major(x: Array) -> Array:
    """x (batch, features) as (features, batch), each feature a contiguous row; no copy if it came from here."""
    return namespace(x).ascontiguousarray(x.T)


def _at(x: Array, g: Array, mask: Positions) -> Array:
    """Σ_b x[i, b] g[j, b] for every connection (i, j) of the mask."""
    xp = namespace(g)
    rows, columns = mask.rows, mask.columns
    if xp is not np:
        return xp.einsum("nb,nb->n", x[rows], g[columns])
    by_output = mask.by_output if len(g) > len(x) else None  # the larger factor is then read from end to end
    products = np.empty(len(rows), g.dtype)

    def work(chunk: slice) -> None:
        a, b = np.empty((2, min(CHUNK, chunk.stop - chunk.start), x.shape[1]), g.dtype)
        for start in range(chunk.start, chunk.stop, CHUNK):
            part = slice(start, min(start + CHUNK, chunk.stop))
            if by_output is not None:
                part = by_output[part]
            i, j = rows[part], columns[part]
            n = len(i)
            np.take(x, i, axis=0, out=a[:n], mode="clip")
            np.take(g, j, axis=0, out=b[:n], mode="clip")
            products[part] = np.vecdot(a[:n], b[:n])

    pieces = 2 * max(1, len(rows) // (32 * CHUNK)) if len(rows) * x.shape[1] > WORTH_A_THREAD else 1
    on_threads([slice(i * len(rows) // pieces, (i + 1) * len(rows) // pieces) for i in range(pieces)], work)
    return products


class _Matrix:
    """Where the entries of a compressed sparse matrix stand, and products with it, in pieces of rows."""

    def __init__(self, rows: Array, columns: Array, shape: tuple[int, int]):
        xp = namespace(rows)
        self.shape, self.columns = shape, columns
        self.starts = xp.searchsorted(rows, xp.arange(shape[0] + 1, dtype=rows.dtype)).astype(np.int32)

    def times(self, values: Array, x: Array) -> Array:
        """matrix @ x, (rows, batch)."""
        xp = namespace(values)
        library = import_module("scipy.sparse" if xp is np else f"{xp.__name__}x.scipy.sparse")
        n_rows, n_columns = self.shape
        if xp is not np or len(values) * x.shape[1] < WORTH_A_THREAD:
            return library.csr_matrix((values, self.columns, self.starts), shape=self.shape) @ x
        y = np.empty((n_rows, x.shape[1]), values.dtype)

        def work(rows: slice) -> None:
            first, last = self.starts[rows.start], self.starts[rows.stop]
            starts = self.starts[rows.start : rows.stop + 1] - first
            part = (values[first:last], self.columns[first:last], starts)
            y[rows] = library.csr_matrix(part, shape=(rows.stop - rows.start, n_columns)) @ x

        halves = [0, int(np.searchsorted(self.starts, len(values) // 2)), n_rows]
        on_threads([slice(a, b) for a, b in pairwise(halves) if b > a], work)
        return y


@primitive
def sparse_linear(x: Array, weight: Compressed, bias: Array) -> Any:
    """x @ weight + bias: x (N, n_in), weight compressed, bias (n_out,). The weight's gradient is given as Factors."""
    forward, back = _matrices(weight.mask)
    yt = forward.times(weight.values[weight.mask.by_output], _feature_major(x))
    yt += bias[:, None]
    return yt.T, (
        lambda g: back.times(weight.values, _feature_major(g)).T,
        lambda g: Factors(x, g),
        lambda g: g.sum(axis=0),
    )


def _matrices(mask: Positions) -> tuple[_Matrix, _Matrix]:
    """The transposed weight matrix, by which a layer runs forward, and the matrix itself, by which it runs back."""
    if not hasattr(mask, "matrices"):
        n_in, n_out = mask.shape
        order = mask.by_output
        forward = _Matrix(mask.columns[order], mask.rows[order], (n_out, n_in))
        mask.matrices = forward, _Matrix(mask.rows, mask.columns, mask.shape)  # type: ignore[attr-defined]
    return mask.matrices  # type: ignore[attr-defined]


def random_positions(
    shapes: Mapping[str, tuple[int, ...]], densities: Mapping[str, float], rng: np.random.Generator
) -> Masks:
    """As masks.random_masks, in memory and time that follow the connections: other positions, the same law."""
    n_active, key = counts(shapes, densities), draw_key(rng)
    return Masks({
        name: Positions(np.sort(in_random_order(stream(key, name), math.prod(shape), n_active[name])), tuple(shape))
        for name, shape in shapes.items()
    })  # fmt: skip


def compressed(params: Mapping[str, Array], masks: Mapping[str, Array]) -> tuple[dict[str, Any], Masks]:
    """Parameters and masks of a network that is stored densely, truly sparse: (params, masks)."""
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
