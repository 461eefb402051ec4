"""What a network costs, from shapes and counts: multiply-adds of one example, and bytes.

Papers print FLOPs = 2 × multiply-adds. Costs are {parameter name: multiply-adds per example, forward, dense}, as
`layer.cost(shape)` gives them; biases, activations and the loss are not counted.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .backend import Array
from .checks import whole

VALUE_BYTES = INDEX_BYTES = 4  # float32 weights, int32 indices

TRAINING = {  # forward is 1; backward is 2, once for the inputs and once for the weights (Evci et al. 2020, app. H)
    "dense": lambda dense, sparse, period: 3 * dense,
    "static": lambda dense, sparse, period: 3 * sparse,
    "snip": lambda dense, sparse, period: 3 * sparse,
    "set": lambda dense, sparse, period: 3 * sparse,
    "snfs": lambda dense, sparse, period: 2 * sparse + dense,
    "rigl": lambda dense, sparse, period: (3 * sparse * period + 2 * sparse + dense) / (period + 1),
}


def forward(costs: Mapping[str, float], masks_or_densities: Mapping[str, Array | float]) -> tuple[float, float]:
    """(dense, sparse) multiply-adds of one example's forward pass.

    masks_or_densities: {name: boolean mask or density}; a parameter without one counts in full.
    ValueError for a name that has no cost.
    """
    if unknown := [name for name in masks_or_densities if name not in costs]:
        raise ValueError(f"masks has {unknown}, which have no cost; the costs are of {list(costs)}")
    sparse: float = 0
    for name, cost in costs.items():
        kept: Any = masks_or_densities.get(name, 1)
        sparse += cost * int(kept.sum()) / kept.size if getattr(kept, "ndim", 0) else cost * float(kept)
    return sum(costs.values()), sparse


def training_cost(method: str, dense: float, sparse: float, period: int | None = None) -> float:
    """Multiply-adds per example and step of training, by the formulas of Evci et al. 2020, app. H.

    dense, sparse: as from `forward`; period: ΔT, needed by "rigl". A RigL update takes the place of an optimizer
    step, so ΔT steps and one update share ΔT + 1 batches. ValueError for an unknown method or a missing period.
    """
    if method not in TRAINING:
        raise ValueError(f"method is {method!r}; accepted are {', '.join(TRAINING)}")
    if method == "rigl":
        if period is None:
            raise ValueError("period is None; 'rigl' needs ΔT, the steps between two mask updates")
        whole("period", period, 1)
    return TRAINING[method](dense, sparse, period)


def storage(shape: Sequence[int], n_active: int, kind: str = "dense") -> float:
    """Bytes of one weight array in float32: all entries, or the active ones and where they are.

    kind "dense"; "bitmask" (one bit an entry, not rounded to whole bytes); "csr" (an int32 column each and one row
    pointer more than rows; axes but the last are rows). ValueError for another kind or n_active out of range.
    """
    size = math.prod(shape)
    whole("n_active", n_active, 0, size)
    kinds = {
        "dense": VALUE_BYTES * size,
        "bitmask": VALUE_BYTES * n_active + size / 8,
        "csr": (VALUE_BYTES + INDEX_BYTES) * n_active + INDEX_BYTES * (math.prod(shape[:-1]) + 1),
    }
    if kind not in kinds:
        raise ValueError(f"kind is {kind!r}; accepted are {', '.join(kinds)}")
    return kinds[kind]
