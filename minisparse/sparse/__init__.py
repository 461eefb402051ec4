"""Truly sparse storage: weights, gradients and optimizer slots of the connections only.

    masks = random_positions(shapes, densities, rng)     instead of `random_masks`, which makes boolean arrays
    params = model.init(rng, masks=masks)                values for the connections only

`train`, the optimizers and the methods take these like arrays. A layer's gradient is stored as its two factors. At the
connections, its cost is proportional to their number (`at`); a method that needs all of it gets blocks of rows
(`row_blocks`) and keeps the best entries (`ranking`).

Inside, activations are (features, batch): a connection adds one contiguous row to another. Outside they are
(batch, features), the transpose of the same memory.

A layer whose outputs all have as many inputs, or none, is stored output by output (`fan_in`): a permutation less.

On a GPU the same code calls cupyx.scipy.sparse. Three things differ there: a product is one call, not pieces on
threads; the gradient at the connections gathers the rows of both factors at once, two numbers for each connection and
example; and random positions are drawn on the host, so that a seed gives the same positions on both.
"""

from .convert import compressed, dense, random_fan_in, random_positions
from .fan_in import FanInWeight, by_fan_in
from .implicit import ImplicitWeight, everywhere, initial
from .memory import training_memory
from .positions import Complement, Positions
from .weights import FactoredGradient, SparseWeight, on_values
