"""SNFS, sparse momentum: drop the smallest weights, grow the largest momenta, more in layers with more momentum.

Dettmers, Zettlemoyer. "Sparse Networks from Scratch: Faster Training without Losing Performance", 2019.
arXiv:1907.04840.

    Algorithm 1, after every epoch but the last     here
    M ← β M + (1 − β) ∇L, dense, every batch        recipes.smoothed
    c_l ← mean |M| of layer l's weights, / Σ        shares
    drop the fraction p of smallest |W|, each layer snfs_update
    grow c_l · (all dropped) at the largest |M|     snfs_update, allocate.apportion
    p ← decay(p)                                    recipes.snfs, schedule.cosine
"""

import math
from collections.abc import Mapping

from ..allocate import apportion
from ..backend import Array
from ..checks import same_keys, same_shapes, whole
from ..masks import top_k
from ..storage import as_numbers


def shares(momentum: Mapping[str, Array], masks: Mapping[str, Array]) -> dict[str, float]:
    """How much of the growth each layer gets: the mean |momentum| of its active weights, over the sum of all layers'.

    momentum {name: array}, masks {name: bool array} before dropping. A layer without connections gets 0; if all
    means are zero, all layers get the same.
    ValueError for names or shapes that differ, or momentum that is not finite at an active weight; TypeError for a mask
    that is not boolean.
    """
    same_keys(momentum=momentum, masks=masks)
    momentum, means = {name: as_numbers(m) for name, m in momentum.items()}, {}
    for name, mask in masks.items():
        same_shapes(**{f"momentum of {name!r}": momentum[name], "its mask": mask})
        if mask.dtype != bool:
            raise TypeError(f"mask of {name!r} has dtype {mask.dtype}; expected bool")
        active = abs(momentum[name])[mask]
        means[name] = float(active.mean(dtype="float64")) if active.size else 0.0
        if not math.isfinite(means[name]):
            raise ValueError(f"momentum of {name!r} is not finite at every active weight")
    total = math.fsum(means.values())
    return {name: mean / total if total else 1 / len(means) for name, mean in means.items()}


def snfs_update(
    weights: Mapping[str, Array], masks: Mapping[str, Array], momentum: Mapping[str, Array], n_drop: Mapping[str, int]
) -> dict[str, Array]:
    """The next masks of all layers, with as many connections in total as the last (Algorithm 1).

    weights   {name: array}; only those where the mask is true are ranked
    masks     {name: bool array} which connections exist
    momentum  {name: array} smoothed gradients at every position, active or not
    n_drop    {name: how many connections the layer loses}

    All dropped connections are regrown, divided between layers by `shares` with largest remainder; the excess of a
    full layer goes to the others. A dropped connection may regrow at once. Ties go to the lower flat index.
    Differs from the authors' code, which rounds every layer up and corrects the total in later epochs.
    """
    for others in ({"masks": masks}, {"momentum": momentum}, {"n_drop": n_drop}):
        same_keys(weights=weights, **others)
    weights, momentum = ({name: as_numbers(a) for name, a in arrays.items()} for arrays in (weights, momentum))
    kept = {}
    for name, mask in masks.items():
        same_shapes(**{f"weight {name!r}": weights[name], "its mask": mask, "its momentum": momentum[name]})
        n = whole(f"n_drop of {name!r}", n_drop[name], 0, int(mask.sum()))
        kept[name] = mask & ~top_k(-abs(weights[name]), n, among=mask)
    room = {name: int((~k).sum()) for name, k in kept.items()}
    n_grow = apportion(sum(n_drop.values()), shares(momentum, masks), room)
    return {name: k | top_k(abs(momentum[name]), n_grow[name], among=~k) for name, k in kept.items()}
