"""What training takes of memory, masked and truly sparse: bytes, from shapes and counts, as the arrays here are."""

import math
from collections.abc import Mapping, Sequence

from ..checks import real, whole
from ..flops import INDEX_BYTES, TRAINING, VALUE_BYTES
from .products import MANY, PIECES
from .weights import BLOCK

FLAT_BYTES = 8  # int64 positions in a whole layer


def training_memory(
    shapes: Mapping[str, Sequence[int]],
    n_active: Mapping[str, int],
    method: str = "static",
    storage: str = "masked",
    *,
    batch: int = 100,
    slots: int = 1,
    alpha: float = 0.3,
    block: int = BLOCK,
) -> dict[str, int]:
    """Bytes of float32 training, between its steps and within them, as the arrays of this package are.

    shapes    {name: shape} of all parameters
    n_active  {name: connections} of those that have a mask; the others, and all of them for "dense", are stored whole
    method    a name in TRAINING; snip as it is once its masks are there
    storage   "masked" or "sparse"
    batch     examples in one, on which the factors of a truly sparse layer's gradient depend
    slots     arrays that the optimizer keeps of each parameter: 1 of sgd, 2 of adam
    alpha     the largest share of a layer's connections that "rigl" moves
    block     entries of a gradient that are made at a time: weights.BLOCK

    Between steps
    "weights", "slots"
    "masks"      masked: booleans, and the numbers to multiply by. Sparse: of every connection its position and column,
                 its place output by output and the row there, and, up to one in MANY, its place among the products
                 that make its gradient and the column or row there; and where rows and columns begin, for a product
                 whole and in PIECES. Units without a connection take a little less, and groups of connections of
                 unlike length more
    "memory"     the method's own. "snfs": its average, dense in either storage; truly sparse, where recipes.snfs
                 refuses it, this is what it would need. "rigl" remembers the gradients themselves, counted there

    Within a step
    "gradients"  masked: dense. Sparse: factors, batch × (n_in + n_out) numbers, and what they are at the connections
    "update"     what an update of "rigl" makes besides where gradients are factors: a block of rows of one, and the
                 score and position of each of the best entries so far

    Activations are not counted, nor what a step makes and drops again. ValueError for an unknown method, storage or
    name, connections out of range, and a truly sparse layer that is not (n_in, n_out).
    """
    if method not in TRAINING:
        raise ValueError(f"method is {method!r}; expected {', '.join(TRAINING)}")
    if storage not in ("masked", "sparse"):
        raise ValueError(f"storage is {storage!r}; expected masked, sparse")
    if unknown := [name for name in n_active if name not in shapes]:
        raise ValueError(f"n_active has {unknown}, which are no parameters; the parameters are {list(shapes)}")
    real("alpha", alpha, "shares from 0 to 1", lambda alpha: 0 <= alpha <= 1)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    kept = {name: whole(f"n_active of {name!r}", n, 0, sizes[name]) for name, n in n_active.items()}
    with_mask = {} if method == "dense" else kept
    all_of_them = sum(sizes[name] for name in with_mask)
    memory = VALUE_BYTES * all_of_them if method == "snfs" else 0
    if storage == "masked":
        stored = sum(sizes.values())
        masks, gradients, update = (1 + VALUE_BYTES) * all_of_them, stored, 0
    else:
        if odd := [name for name in with_mask if len(shapes[name]) != 2]:
            raise ValueError(f"{odd[0]!r} has shape {tuple(shapes[odd[0]])}; truly sparse are (n_in, n_out) alone")
        stored = sum(sizes.values()) - all_of_them + sum(with_mask.values())
        sides = {name: sum(shapes[name]) for name in with_mask}
        masks = sum(_layout(shapes[name], n) for name, n in with_mask.items())
        gradients = stored + whole("batch", batch, 1) * sum(sides.values())
        update = max((_rigl_update(shapes[name], n, alpha, block) for name, n in with_mask.items()), default=0)
    return {
        "weights": VALUE_BYTES * stored,
        "slots": VALUE_BYTES * whole("slots", slots, 0) * stored,
        "masks": masks,
        "memory": memory,
        "gradients": VALUE_BYTES * gradients,
        "update": update if method == "rigl" else 0,
    }


def _layout(shape: Sequence[int], n_active: int) -> int:
    """Bytes of Positions and of their _Layout, where all units have as many connections as others."""
    n_in, n_out = shape
    beginnings = 2 * (n_in + 1) + n_in + PIECES + 2 * (n_out + 1) + n_out + PIECES
    positions = (FLAT_BYTES + 3 * INDEX_BYTES) * n_active + INDEX_BYTES * beginnings
    if MANY * n_active > n_in * n_out:
        return positions
    groups = n_in if n_in > 4 * n_out else n_out
    return positions + (FLAT_BYTES + INDEX_BYTES) * n_active + FLAT_BYTES * groups


def _rigl_update(shape: Sequence[int], n_active: int, alpha: float, block: int) -> int:
    """Bytes of a block of a layer's gradient and of the best entries, as ranking.top_k_in_blocks takes them."""
    n_in, n_out = shape
    rows = min(n_in, max(16, whole("block", block, 1) // max(1, n_out)))
    return VALUE_BYTES * rows * n_out + (VALUE_BYTES + FLAT_BYTES) * math.floor(alpha * n_active)
