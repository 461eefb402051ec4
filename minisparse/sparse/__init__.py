"""Truly sparse storage: weights, gradients and optimizer slots that hold connections only.

    masks = random_positions(shapes, densities, rng)     where `random_masks` would make boolean arrays
    params = model.init(rng, masks=masks)                values for the connections, and no others

`train`, the optimizers and the methods take these as they take arrays. A layer's gradient stays in the two factors it
is the product of: at its connections it costs as much as they do (`at`), and where a method must see all of it, it
comes in blocks of rows (`row_blocks`), of which the best entries are kept as they pass (`ranking`).

Inside, activations are (features, batch): a connection then adds one contiguous row to another. Outside they are
(batch, features) as ever, since a transposed array is the same memory.

On a GPU the same lines call cupyx.scipy.sparse. Three things differ there: a product is one call, not pieces on
threads; the gradient at the connections gathers both factors' rows at once, two numbers for each connection and
example; and random positions are drawn on the host, so that a seed means the same on both.
"""

from .convert import compressed, dense, random_positions
from .implicit import ImplicitWeight, everywhere, initial
from .memory import training_memory
from .positions import Complement, Positions
from .weights import FactoredGradient, SparseWeight, on_values
