"""Truly sparse weights, and the gradients of their layers, stored as two factors."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..backend import Array, namespace
from ..checks import linear_fits, same_shapes
from ..loops import compiled
from ..masks import top_k, top_k_of_all
from ..optim import Optimizer
from ..storage import Stored, as_numbers, n_active, n_not_finite, square, survivors
from ..threads import one_pool_of_threads, sum_over_batch
from .positions import Complement, Positions, no_array
from .products import MANY, feature_major, layout_of, products_at
from .ranking import RowBlocks

BLOCK = 1 << 19  # gradient entries made at a time, unless 16 rows are more


class SparseWeight(Stored):
    """A weight matrix of which only the connections are stored.

    values (n,): the weights at the positions of `mask`, in order. All other weights are zero.
    """

    ndim = 2
    __array__ = no_array

    def __init__(self, values: Array, mask: Positions):
        if values.shape != mask.flat.shape:
            raise ValueError(f"values have shape {values.shape}; expected {mask.flat.shape} for {mask}")
        self.values, self.mask, self.home = values, mask, values
        self.shape, self.size, self.dtype = mask.shape, mask.size, values.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"SparseWeight({len(self.values):,} of {self.shape}, {self.dtype})"

    def dense(self) -> Array:
        """The dense matrix, (n_in, n_out)."""
        matrix = namespace(self.values).zeros(self.size, self.dtype)
        matrix[self.mask.flat] = self.values
        return matrix.reshape(self.shape)

    def at(self, mask: Positions) -> Array:
        """The values at the positions of `mask`, all of which must be stored."""
        return self.values if mask is self.mask else self.values[self.mask.places_of(mask)]

    def zero_gradient(self) -> "FactoredGradient":
        return FactoredGradient.zero(self)

    # What an optimizer moves: the stored numbers, in the order of the storage.

    def stored_of(self, other: "SparseWeight") -> Array:
        """The numbers of `other`, such as an optimizer slot, in the order of this matrix's."""
        return other.values

    def with_stored(self, stored: Array) -> "SparseWeight":
        return SparseWeight(stored, self.mask)

    def gradient(self, of: "FactoredGradient") -> Array:
        """The gradient of the stored numbers."""
        return of.at(self.mask)

    def projected(self, mask: Positions, in_place: bool = False) -> "SparseWeight":
        """The matrix on other positions: shared positions keep their value, new ones are zero."""
        if mask is self.mask:
            return self
        self.mask.check(mask)
        xp = namespace(self.values)
        places, found = self.mask.find(mask.flat)
        stay = xp.flatnonzero(found)
        values = xp.zeros(len(mask.flat), self.dtype)
        values[stay] = self.values[places[stay]]
        return SparseWeight(values, mask)

    def filled(self, grown: Positions, values: Any) -> "SparseWeight":
        """A copy with `values` (n,), or a gradient's values, at the grown positions."""
        values = values.at(grown) if isinstance(values, FactoredGradient) else values
        values = namespace(self).asarray(values, dtype=self.dtype)
        new = self.values.copy()
        new[self.mask.places_of(grown)] = values
        return SparseWeight(new, self.mask)

    def astype(self, dtype: Any) -> "SparseWeight":
        return SparseWeight(self.values.astype(dtype), self.mask)

    def as_numbers(self) -> "SparseWeight":
        """storage.as_numbers"""
        values = as_numbers(self.values)
        return self if values is self.values else SparseWeight(values, self.mask)

    def moved(self, to: Callable[[Any], Any]) -> "SparseWeight":
        return SparseWeight(to(self.values), to(self.mask))

    # What methods compute from a layer's weights, here from the stored ones.

    def __abs__(self) -> "SparseWeight":
        return SparseWeight(abs(self.values), self.mask)

    def __neg__(self) -> "SparseWeight":
        return SparseWeight(-self.values, self.mask)

    def __lt__(self, number: float) -> Positions:
        return self.mask.chosen(self.values < number)

    def __ge__(self, number: float) -> Positions:
        return self.mask.chosen(self.values >= number)

    def __getitem__(self, mask: Positions) -> Array:
        return self.at(mask)

    def top_k(self, k: int, among: Positions | None = None) -> Positions:
        """masks.top_k among stored positions."""
        if among is not None:
            same_shapes(score=self, among=among)
        among = self.mask if among is None else among
        chosen = top_k(self.at(among), k)
        return among.chosen(chosen)

    @staticmethod
    def top_k_of_all(scores: Mapping[str, Any], k: int, among: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """masks.top_k_of_all over stored weights: from each layer, as many as it has among the k highest."""
        flat = {name: survivors(score, among and among[name]) for name, score in scores.items()}
        chosen = top_k_of_all(flat, k)
        return {name: top_k(score, n_active(chosen[name]), among and among[name]) for name, score in scores.items()}

    def largest_inputs(self, fan_in: int | Array, among: Positions) -> Positions:
        """methods.srigl.largest_inputs among stored positions."""
        xp, columns = namespace(self.values), among.columns
        order = xp.argsort(-self.at(among), kind="stable")
        order = order[xp.argsort(columns[order], kind="stable")]  # by output, largest first
        ends = xp.cumsum(among.fan_ins())
        rank = xp.arange(len(order)) - (ends - among.fan_ins())[columns[order]]
        chosen = xp.zeros(len(order), dtype=bool)
        chosen[order] = rank < (xp.zeros(self.shape[1], dtype=np.int64) + fan_in)[columns[order]]
        return among.chosen(chosen)

    def survivors(self, mask: Positions | None) -> Array:
        return self.values if mask is None else self.at(mask)

    def everything(self) -> Positions:
        return self.mask

    def n_not_finite(self) -> int:
        return n_not_finite(self.values)

    @staticmethod
    def adapted(optimizer: Optimizer, params: Mapping[str, Any]) -> Optimizer:
        return on_values(optimizer)

    def in_order_of_outputs(self) -> tuple[Array, Array | None]:
        """(numbers, places): the stored weights by output, then by input, are numbers[places], or all numbers."""
        return self.values, layout_of(self.mask).order

    def linear(self, x: Array, bias: Array) -> Any:
        """ops.linear: x @ weight + bias. The weight's gradient is a FactoredGradient."""
        linear_fits(x, self, bias)
        layout, xt = layout_of(self.mask), feature_major(x)
        yt = layout.forward.times(*self.in_order_of_outputs(), xt, bias)
        return yt.T, (
            lambda g: layout.back.times(self.values, None, feature_major(g)).T,
            lambda g: FactoredGradient(xt.T, g),
            sum_over_batch,
        )


class FactoredGradient(RowBlocks):
    """The gradient of a weight matrix, xᵀ g, stored as its factors.

    x (batch, n_in): the layer's inputs; g (batch, n_out): the gradient of its outputs.
    """

    def __init__(self, x: Array, g: Array, scale: float = 1.0, absolute: bool = False):
        self.x, self.g, self.home, self.scale, self.absolute = x, g, g, scale, absolute
        self.shape, self.dtype = (x.shape[1], g.shape[1]), g.dtype
        self.size = math.prod(self.shape)

    @classmethod
    def zero(cls, weight: Any) -> "FactoredGradient":
        """The gradient of an unused weight matrix: factors of an empty batch."""
        xp = namespace(weight)
        return cls(*(xp.zeros((0, n), weight.dtype) for n in weight.shape))

    def __repr__(self) -> str:
        return f"FactoredGradient of {self.shape}, {self.dtype}, of a batch of {len(self.g)}"

    def at(self, mask: Positions) -> Array:
        """The gradient at the positions of `mask`, (n,): a product of two rows each.

        If there are many positions, multiplying blocks of the dense gradient is faster than gathering rows.
        """
        same_shapes(gradient=self, mask=mask)
        n = len(mask.flat)
        if n * (MANY // 2) > self.size:
            return picked(self, mask)
        x, g = feature_major(self.x), feature_major(self.g)
        if n * MANY > self.size and not compiled(n * len(self.g), x, g):
            return picked(self, mask)
        return self.scaled(products_at(x, g, mask))

    def row_blocks(self) -> Iterator[tuple[slice, Array]]:
        """(rows, those rows of the dense gradient), from first to last."""
        x, g = feature_major(self.x), feature_major(self.g)
        for rows in blocks_of_rows(self.shape):
            yield rows, self.scaled(x[rows] @ g.T)

    def largest_inputs(self, fan_in: int | Array, among: Complement) -> Positions:
        """methods.srigl.largest_inputs of the gradient, some outputs at a time."""
        xp, (n_in, n_out), found = namespace(self.g), self.shape, []
        fan_in = xp.zeros(n_out, dtype=np.int64) + fan_in
        order = xp.argsort(among.present.columns, kind="stable")
        rows, columns = among.present.rows[order], among.present.columns[order]
        for of in blocks_of_rows((n_out, n_in)):
            score = self.scaled(self.x.T @ self.g[:, of])
            first, end = xp.searchsorted(columns, xp.asarray([of.start, of.stop])).tolist()
            score[rows[first:end], columns[first:end] - of.start] = -math.inf
            wanted = xp.minimum(fan_in[of], n_in)
            least = xp.sort(score, axis=0)[xp.maximum(n_in - wanted, 0) % n_in, xp.arange(len(wanted))]
            least = xp.where(wanted > 0, least, math.inf)
            above, level = score > least, (score == least) & (score > -math.inf)
            level &= xp.cumsum(level, axis=0) <= wanted - above.sum(axis=0)
            i, j = xp.nonzero((above | level) & (wanted > 0))
            found.append(i * n_out + j + of.start)
        return Positions(xp.sort(xp.concatenate(found)), self.shape)

    def dense(self) -> Array:
        """The dense gradient, (n_in, n_out)."""
        return self.scaled(self.x.T @ self.g)

    def moved(self, to: Callable[[Any], Any]) -> "FactoredGradient":
        return FactoredGradient(to(self.x), to(self.g), self.scale, self.absolute)

    def square(self) -> Array:
        """storage.square: no entry of xᵀ g is above |x| |g|."""
        return self.scale**2 * square(self.x) * square(self.g)

    def in_full(self, why: str) -> Array:
        raise ValueError(why)

    def scaled(self, product: Array) -> Array:
        """A part of xᵀ g, in place, with the gradient's factor and as its absolute value where that is meant."""
        if self.scale != 1.0:
            product *= self.scale
        return namespace(product).abs(product, out=product) if self.absolute else product

    def __abs__(self) -> "FactoredGradient":
        return FactoredGradient(self.x, self.g, self.scale, absolute=True)

    def __rmul__(self, number: float) -> "FactoredGradient":
        return NotImplemented if self.absolute else FactoredGradient(self.x, self.g, number * self.scale)

    def __truediv__(self, number: float) -> "FactoredGradient":
        return self if number == 1 else (1 / number) * self

    def astype(self, dtype: Any) -> "FactoredGradient":
        return FactoredGradient(self.x.astype(dtype), self.g.astype(dtype), self.scale, self.absolute)

    def __add__(self, other: "FactoredGradient") -> "FactoredGradient":
        xp = namespace(self.g)
        x, g = ([self.scale * self.x, other.scale * other.x], [self.g, other.g])
        return FactoredGradient(xp.concatenate(x), xp.concatenate(g))


def blocks_of_rows(shape: tuple[int, int]) -> Iterator[slice]:
    """The rows of each block of a matrix of this shape."""
    height = max(16, BLOCK // max(1, shape[1]))
    for first in range(0, shape[0], height):
        yield slice(first, min(first + height, shape[0]))


def picked(matrix: Any, mask: Positions) -> Array:
    """The entries (n,) of a matrix in blocks of rows, at the positions of `mask`."""
    n_out, xp = matrix.shape[1], namespace(matrix)
    blocks = matrix.row_blocks()
    return xp.concatenate([block.ravel().take(mask.within(r.start * n_out, r.stop * n_out)) for r, block in blocks])


def on_values(optimizer: Optimizer) -> Optimizer:
    """`optimizer` for parameters of which some are SparseWeight: it gets their values, and the gradients at them."""

    def init(params: Mapping[str, Any]) -> dict:
        slots = optimizer.init(_bare(params, params))
        return {slot: _stored(arrays, params) for slot, arrays in slots.items()}

    def update(params: Mapping[str, Any], grads: Mapping[str, Any], slots: dict, step: int) -> tuple[dict, dict]:
        with one_pool_of_threads():
            gradients = {
                name: params[name].gradient(g) if isinstance(g, FactoredGradient) else g for name, g in grads.items()
            }
        values = _bare(params, params)
        bare = {s: _bare(slot, params) if isinstance(slot, Mapping) else slot for s, slot in slots.items()}
        moved, bare = optimizer.update(values, gradients, bare, step)
        return _stored(moved, params), {slot: _stored(arrays, params) for slot, arrays in bare.items()}

    return Optimizer(init, update)


def _bare(arrays: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Array]:
    """`arrays` of which the sparse ones are the numbers that an optimizer moves, in the order of the parameter's."""
    return {name: params[name].stored_of(a) if isinstance(a, SparseWeight) else a for name, a in arrays.items()}


def _stored(arrays: Any, params: Mapping[str, Any]) -> Any:
    """`arrays` with the values of sparse parameters as SparseWeight."""
    if not isinstance(arrays, Mapping):
        return arrays
    return {
        name: params[name].with_stored(a) if isinstance(params[name], SparseWeight) else a for name, a in arrays.items()
    }
