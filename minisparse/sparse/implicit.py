"""The weights of a dense network at its start, which need no memory: a generator makes the same ones whenever asked.

    params = model.init(rng, masks=everywhere(shapes))          nothing is drawn yet
    masks = recipes.snip(loss, params, [batch], density, rng)   drawn on the way there and back, and to be ranked
    params = project(params, masks)                             the survivors, truly sparse

Bit for bit they are the arrays that model.init makes without masks. They come in blocks of rows, and so do scores:
memory follows what is kept, time the dense network, which is drawn up to five times.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from ..backend import Array, namespace
from ..checks import same_shapes
from ..threads import matmul
from .positions import Complement, Positions
from .ranking import RowBlocks
from .weights import FactoredGradient, SparseWeight, blocks_of_rows, picked


class ImplicitWeight(RowBlocks):
    """A weight matrix that is drawn, block after block, each time it is used, and never stored.

    initial(rng, shape, n): the next n of its weights, in C order. mask: that of every weight, as from `everywhere`.
    rng is left where its bits have nothing to do with these weights. ValueError for a mask that leaves out something.
    """

    def __init__(self, initial: Callable[..., Array], rng: np.random.Generator, mask: Complement, dtype: Any):
        if mask.sum() < mask.size:
            raise ValueError(
                f"mask leaves out {mask.size - mask.sum()} weights; a matrix that is drawn has all of them"
            )
        self.initial, self.rng = initial, deepcopy(rng)
        rng.bit_generator.state = rng.bit_generator.jumped().state  # type: ignore[attr-defined]
        self.shape, self.size, self.dtype = mask.shape, mask.size, np.dtype(dtype)
        self.home: Array = np.empty(0, self.dtype)  # the array that says which library this belongs to

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"ImplicitWeight({self.shape}, {self.dtype})"

    def row_blocks(self) -> Iterator[tuple[slice, Array]]:
        """(rows, that part of the matrix), from the first row to the last."""
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
        """ops.linear: x @ weight + bias. The weight's gradient is given as FactoredGradient."""
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
    """What is computed entry by entry from matrices that come in blocks of rows: it comes so too.

    function: of the blocks of `matrices`, all of one shape, to a block of the same shape.
    """

    def __init__(self, function: Callable[..., Array], *matrices: Any):
        self.function, self.matrices, first = function, matrices, matrices[0]
        self.shape, self.size, self.dtype, self.home = first.shape, first.size, first.dtype, first.home

    def row_blocks(self) -> Iterator[tuple[slice, Array]]:
        """(rows, that part of the matrix), from the first row to the last."""
        for pieces in zip(*(matrix.row_blocks() for matrix in self.matrices), strict=True):
            yield pieces[0][0], self.function(*(block for _, block in pieces))

    def __abs__(self) -> "InBlocks":
        return InBlocks(abs, self)

    def __truediv__(self, number: float) -> "InBlocks":
        return InBlocks(lambda block: block / number, self)


def everywhere(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Complement]:
    """{name: every position of a weight matrix}, for model.init, which then draws and does not store.

    ValueError for a shape that is not (n_in, n_out).
    """
    return {name: ~Positions(np.empty(0, np.int64), shape) for name, shape in shapes.items()}


def initial(make: Callable[..., Array], rng: np.random.Generator, dtype: Any, mask: Positions | Complement) -> Any:
    """storage.initial: values for the connections of Positions; where nothing is left out, weights that are drawn."""
    if isinstance(mask, Complement):
        return ImplicitWeight(make, rng, mask, dtype)
    return SparseWeight(make(rng, mask.shape, mask.sum()).astype(dtype), mask)
