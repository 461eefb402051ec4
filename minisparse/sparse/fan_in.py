"""Weights of a layer whose outputs all have as many inputs, or none, as SRigL leaves it: stored output by output.

In that order the forward pass reads the weights as they lie, and the gradient at the connections comes out of one
product of equal groups after the other, in no other order. Only the gradient of the inputs needs the order of
SparseWeight.
"""

from typing import Any

import numpy as np

from ..backend import Array, namespace
from ..checks import same_shapes
from ..loops import compiled
from ..threads import on_threads
from .positions import Positions
from .products import MANY, WORTH_A_THREAD, feature_major, layout_of, n_pieces, rows_at_a_time
from .weights import FactoredGradient, SparseWeight


class FanInWeight(SparseWeight):
    """A SparseWeight whose outputs have the same number k of connections, or none.

    by_output (n,): the weights of the first output that has any, by input, then those of the next.
    """

    def __init__(self, by_output: Array, mask: Positions):
        self.by_output, self.mask, self.home = by_output, mask, by_output
        self.shape, self.size, self.dtype = mask.shape, mask.size, by_output.dtype

    @property
    def values(self) -> Array:
        """The weights in the order of the mask, made when asked for."""
        values = np.empty_like(self.by_output)
        values[layout_of(self.mask).order] = self.by_output
        return values

    def in_order_of_outputs(self) -> tuple[Array, None]:
        return self.by_output, None

    def stored_of(self, other: SparseWeight) -> Array:
        if isinstance(other, FanInWeight) and other.mask is self.mask:
            return other.by_output
        return super().stored_of(other).take(layout_of(self.mask).order)

    def with_stored(self, stored: Array) -> "FanInWeight":
        return FanInWeight(stored, self.mask)

    def gradient(self, of: FactoredGradient) -> Array:
        same_shapes(gradient=of, weight=self)
        layout = layout_of(self.mask)
        if len(self.by_output) * MANY > self.size or layout.by_input:  # as FactoredGradient.at chooses
            return of.at(self.mask).take(layout.order)
        return of.scaled(products_by_output(feature_major(of.x), feature_major(of.g), self.mask))

    def projected(self, mask: Positions, in_place: bool = False) -> SparseWeight:
        return self if mask is self.mask else by_fan_in(super().projected(mask))

    def filled(self, grown: Positions, values: Any) -> SparseWeight:
        return by_fan_in(super().filled(grown, values))

    def astype(self, dtype: Any) -> "FanInWeight":
        return FanInWeight(self.by_output.astype(dtype), self.mask)

    def moved(self, to: Any) -> SparseWeight:
        return by_fan_in(super().moved(to))


def by_fan_in(weight: SparseWeight) -> SparseWeight:
    """The weight as a FanInWeight if its outputs have equally many connections, or none, and it is on the CPU."""
    if namespace(weight.values) is not np or not len(weight.values):
        return weight
    layout = layout_of(weight.mask)
    sizes = np.diff(layout.forward.starts)
    if not np.isin(sizes, (0, sizes.max())).all():
        return weight
    return FanInWeight(weight.values.take(layout.order), weight.mask)


def products_by_output(x: Array, g: Array, mask: Positions) -> Array:
    """Σ_b x[i, b] g[j, b] for every connection (i, j) of a mask with a constant fan-in, output by output, (n,)."""
    forward = layout_of(mask).forward
    if loops := compiled(len(mask.flat) * x.shape[1], g, x):
        return forward.products(loops, g, x, None)
    sizes = np.diff(forward.starts)
    k, outputs = int(sizes.max()), np.flatnonzero(sizes)
    inputs = forward.columns.reshape(len(outputs), k)
    if len(outputs) < len(g):
        g = g[outputs]
    products, some, batch = np.empty(inputs.shape, g.dtype), max(1, rows_at_a_time(inputs.size) // k), g.shape[1]

    def work(piece: slice) -> None:
        gathered = np.empty((some * k, batch), x.dtype)
        for first in range(piece.start, piece.stop, some):
            of = slice(first, min(first + some, piece.stop))
            rows = gathered[: (of.stop - first) * k].reshape(-1, k, batch)
            np.take(x, inputs[of], axis=0, out=rows, mode="clip")
            np.matmul(rows, g[of][:, :, None], out=products[of][:, :, None])

    n, pieces = len(inputs), n_pieces(inputs.size) if inputs.size * batch > WORTH_A_THREAD else 1
    on_threads([slice(i * n // pieces, (i + 1) * n // pieces) for i in range(pieces)], work)
    return products.ravel()
