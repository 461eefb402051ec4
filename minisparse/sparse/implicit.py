"""Initial weights of a dense network without memory: a generator redraws the same numbers at every use.

    params = model.init(rng, masks=everywhere(shapes))          nothing is drawn yet
    masks = recipes.snip(loss, params, [batch], density, rng)   drawn in the forward and backward pass, and to rank
    params = project(params, masks)                             the surviving weights, truly sparse

They equal, bit for bit, the arrays of model.init without masks. Weights and scores are made in blocks of rows: memory
is proportional to the weights kept, time to the dense network, which is drawn up to five times.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from ..backend import Array, namespace
from ..checks import linear_fits, same_shapes
from ..threads import matmul
from .fan_in import by_fan_in
from .positions import Complement, Positions
from .ranking import RowBlocks
from .weights import FactoredGradient, SparseWeight, blocks_of_rows, picked


class ImplicitWeight(RowBlocks):
    """A weight matrix that is drawn block by block at each use, and never stored.

    initial(rng, shape, n): the next n of its weights, in C order. mask: all positions, as from `everywhere`.
    rng is jumped ahead, so later draws are independent of these weights. ValueError for a mask that leaves out weights.
    """

    def __init__(self, initial: Callable[..., Array], rng: np.random.Generator, mask: Complement, dtype: Any):
        if mask.sum() < mask.size:
            raise ValueError(
                f"mask leaves out {mask.size - mask.sum()} weights; expected all positions, as from sparse.everywhere"
            )
        self.initial, self.rng = initial, deepcopy(rng)
        rng.bit_generator.state = rng.bit_generator.jumped().state  # type: ignore[attr-defined]
        self.shape, self.size, self.dtype = mask.shape, mask.size, np.dtype(dtype)
        self.home: Array = np.empty(0, self.dtype)  # an array of the library that this belongs to

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"ImplicitWeight({self.shape}, {self.dtype})"

    def row_blocks(self) -> Iterator[tuple[slice, Array]]:
        """(rows, those rows of the matrix), from first to last."""
        rng, n_out = deepcopy(self.rng), self.shape[1]
        for rows in blocks_of_rows(self.shape):
            values = self.initial(rng, self.shape, (rows.stop - rows.start) * n_out).astype(self.dtype)
            yield rows, namespace(self).asarray(values).reshape(-1, n_out)

    def at(self, mask: Positions) -> Array:
        """The weights at the positions of `mask`, (n,)."""
        same_shapes(weight=self, mask=mask)
        return picked(self, mask)

    def projected(self, mask: Positions, in_place: bool = False) -> SparseWeight:
        """The matrix on these positions only."""
        return SparseWeight(self.at(mask), mask)

    def linear(self, x: Array, bias: Array) -> Any:
        """ops.linear: x @ weight + bias. The weight's gradient is a FactoredGradient."""
        linear_fits(x, self, bias)
        xp = namespace(x)
        y = xp.zeros((len(x), self.shape[1]), xp.result_type(x.dtype, self.dtype))
        for rows, block in self.row_blocks():
            y += matmul(x[:, rows], block)
        y += bias

        def to_inputs(g: Array) -> Array:
            back = xp.empty((len(g), len(self)), xp.result_type(g.dtype, self.dtype))
            for rows, block in self.row_blocks():
                back[:, rows] = matmul(g, block.T)
            return back

        return y, (to_inputs, lambda g: FactoredGradient(x, g), lambda g: g.sum(axis=0))

    def zero_gradient(self) -> FactoredGradient:
        return FactoredGradient.zero(self)

    def moved(self, to: Callable[[Any], Any]) -> "ImplicitWeight":
        other = deepcopy(self)
        other.home = to(self.home)
        return other

    def __mul__(self, gradient: FactoredGradient) -> "InBlocks":
        return InBlocks(lambda w, g: w * g, self, gradient)


class InBlocks(RowBlocks):
    """An elementwise function of matrices in blocks of rows, itself in blocks of rows.

    function: from blocks of `matrices`, all of one shape, to a block of that shape.
    """

    def __init__(self, function: Callable[..., Array], *matrices: Any):
        self.function, self.matrices, first = function, matrices, matrices[0]
        self.shape, self.size, self.dtype, self.home = first.shape, first.size, first.dtype, first.home

    def row_blocks(self) -> Iterator[tuple[slice, Array]]:
        """(rows, those rows of the matrix), from first to last."""
        for pieces in zip(*(matrix.row_blocks() for matrix in self.matrices), strict=True):
            yield pieces[0][0], self.function(*(block for _, block in pieces))

    def __abs__(self) -> "InBlocks":
        return InBlocks(abs, self)

    def __truediv__(self, number: float) -> "InBlocks":
        return InBlocks(lambda block: block / number, self)


def everywhere(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Complement]:
    """{name: all positions of a weight matrix}, for model.init, which then makes ImplicitWeights.

    ValueError for a shape that is not (n_in, n_out).
    """
    return {name: ~Positions(np.empty(0, np.int64), shape) for name, shape in shapes.items()}


def initial(make: Callable[..., Array], rng: np.random.Generator, dtype: Any, mask: Positions | Complement) -> Any:
    """storage.initial: values at Positions, or an ImplicitWeight if the mask is all positions."""
    if isinstance(mask, Complement):
        return ImplicitWeight(make, rng, mask, dtype)
    return by_fan_in(SparseWeight(make(rng, mask.shape, mask.sum()).astype(dtype), mask))
