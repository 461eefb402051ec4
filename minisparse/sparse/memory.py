"""The memory of training, masked and truly sparse: bytes, from shapes and counts, of the arrays in this package."""

import math
from collections.abc import Mapping, Sequence

from ..checks import real, whole
from ..flops import INDEX_BYTES, VALUE_BYTES
from ..masks import FEW
from .products import MANY
from .weights import BLOCK

FLAT_BYTES = 8  # int64 flat positions
HELD = ("dense", "static", "snip", "set", "snfs", "rigl", "deep-r", "lottery")  # methods by what they hold


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
    """Bytes of float32 training with this package's arrays, between steps and within them.

    shapes    {name: shape} of all parameters
    n_active  {name: connections} of parameters with a mask; the others, and all for "dense", are stored in full
    method    a name in HELD, of a method that holds the same arrays: "static" for those that keep weights and masks
              alone, snip after its masks are made, "rigl" for those that remember a gradient
    storage   "masked" or "sparse"
    batch     examples per batch, which sets the size of a truly sparse layer's gradient factors
    slots     arrays that the optimizer keeps for each parameter: 1 for sgd, 2 for adam
    alpha     the largest share of a layer's connections that "rigl" moves
    block     gradient entries made at a time: weights.BLOCK

    Between steps
    "weights", "slots"
    "masks"      masked: booleans, and factors to multiply by; of layers of a density up to masks.FEW positions too.
                 Sparse: for every connection its position and column, its place and row in the order of outputs, and,
                 up to a density of 1 / MANY, its place among the products of the gradient and the column or row there;
                 and the starts of rows and columns, here and once more for SciPy. Units without a connection, the first
                 layer, a constant fan-in and Numba's loops take less, groups of unequal length and products in pieces
                 more
    "memory"     of the method. "snfs": the average, dense in either storage (recipes.snfs refuses sparse storage; this
                 is what it would need). "deep-r": a sign for every position, in masked storage. "lottery": the first
                 weights, slots and masks. "rigl" remembers the gradients, counted below

    Within a step
    "gradients"  masked: dense. Sparse: factors, batch × (n_in + n_out) numbers, and the gradient at the connections
    "update"     additional, in a "rigl" update with factored gradients: a block of rows of a gradient, and the score
                 and position of each of the best entries so far

    Activations and temporary arrays of a step are not counted. ValueError for an unknown method, storage or name,
    connections out of range, and a truly sparse layer that is not (n_in, n_out).
    """
    if method not in HELD:
        raise ValueError(f"method is {method!r}; expected {', '.join(HELD)}")
    if storage not in ("masked", "sparse"):
        raise ValueError(f"storage is {storage!r}; expected masked or sparse")
    if unknown := [name for name in n_active if name not in shapes]:
        raise ValueError(f"n_active has {unknown}, which are not parameters; expected names in {list(shapes)}")
    real("alpha", alpha, "a share from 0 to 1", lambda alpha: 0 <= alpha <= 1)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    kept = {name: whole(f"n_active of {name!r}", n, 0, sizes[name]) for name, n in n_active.items()}
    with_mask = {} if method == "dense" else kept
    n_masked = sum(sizes[name] for name in with_mask)
    if storage == "masked":
        stored = sum(sizes.values())
        few = [n for name, n in with_mask.items() if n <= FEW * sizes[name]]
        masks = (1 + VALUE_BYTES) * n_masked + FLAT_BYTES * sum(few)
        gradients, update = stored, 0
    else:
        if odd := [name for name in with_mask if len(shapes[name]) != 2]:
            raise ValueError(f"{odd[0]!r} has shape {tuple(shapes[odd[0]])}; expected (n_in, n_out), truly sparse")
        stored = sum(sizes.values()) - n_masked + sum(with_mask.values())
        sides = {name: sum(shapes[name]) for name in with_mask}
        masks = sum(_layout(shapes[name], n) for name, n in with_mask.items())
        gradients = stored + whole("batch", batch, 1) * sum(sides.values())
        update = max((_rigl_update(shapes[name], n, alpha, block) for name, n in with_mask.items()), default=0)
    weights, of_slots = VALUE_BYTES * stored, VALUE_BYTES * whole("slots", slots, 0) * stored
    memory = {"snfs": VALUE_BYTES * n_masked, "deep-r": n_masked, "lottery": weights + of_slots + masks}
    return {
        "weights": weights,
        "slots": of_slots,
        "masks": masks,
        "memory": memory.get(method, 0),
        "gradients": VALUE_BYTES * gradients,
        "update": update if method == "rigl" else 0,
    }


def _layout(shape: Sequence[int], n_active: int) -> int:
    """Bytes of Positions and of their _Layout, if all units have equally many connections."""
    n_in, n_out = shape
    starts = sum(2 * (n + 1) for n in shape)
    positions = (FLAT_BYTES + 3 * INDEX_BYTES) * n_active + INDEX_BYTES * starts
    if MANY * n_active > n_in * n_out:
        return positions
    groups = n_in if n_in > 4 * n_out else n_out
    return positions + (FLAT_BYTES + INDEX_BYTES) * n_active + FLAT_BYTES * groups


def _rigl_update(shape: Sequence[int], n_active: int, alpha: float, block: int) -> int:
    """Bytes of a block of a layer's gradient and of the best entries, as in ranking.top_k_in_blocks."""
    n_in, n_out = shape
    rows = min(n_in, max(16, whole("block", block, 1) // max(1, n_out)))
    return VALUE_BYTES * rows * n_out + (VALUE_BYTES + FLAT_BYTES) * math.floor(alpha * n_active)
