"""DSR: drop weights below one adaptive threshold, regrow them at random where more weights survived.

Mostafa, Wang. "Parameter efficient training of deep convolutional neural networks by dynamic sparse
reparameterization", ICML 2019. arXiv:1902.05967.

    Algorithm 1, every so many batches                     here
    (W_l, K_l) ← prune_by_threshold(W_l, H), each layer    dsr_update
    if Σ K_l < (1 − δ) N_p: H ← 2 H                        next_threshold
    else if Σ K_l > (1 + δ) N_p: H ← H / 2                 next_threshold
    (W_l) ← grow_back(W_l, Σ K_l · R_l / Σ R_l)            dsr_update, allocate.apportion

K_l weights of layer l are pruned, R_l survive, N_p are to be pruned in all: no layer has a density of its own.
"""

import math
from collections.abc import Mapping

from ..allocate import apportion
from ..backend import Array
from ..checks import real, same_keys, same_shapes, whole
from ..masks import top_k


def dsr_update(
    weights: Mapping[str, Array], masks: Mapping[str, Array], noise: Mapping[str, Array], threshold: float
) -> dict[str, Array]:
    """The next masks of all layers, with as many connections in total as the last (Algorithm 1).

    weights    {name: array}; masks {name: bool array} which connections exist: those with |w| < threshold go
    noise      {name: array} a random number for every position: connections grow where it is largest
    threshold  H

    What is pruned is regrown, divided between layers in proportion to R_l with largest remainder; the excess of a full
    layer goes to the others. A dropped connection may regrow at once. Ties go to the lower flat index.
    Differs from the authors' code, whose rounding of each layer lets the total vary by a few connections.
    """
    same_keys(weights=weights, masks=masks)
    same_keys(weights=weights, noise=noise)
    _check(threshold)
    kept = {}
    for name, mask in masks.items():
        same_shapes(**{f"weight {name!r}": weights[name], "its mask": mask, "its noise": noise[name]})
        kept[name] = mask & ~(abs(weights[name]) < threshold)
    survive = {name: int(k.sum()) for name, k in kept.items()}
    n_pruned = sum(int(mask.sum()) for mask in masks.values()) - sum(survive.values())
    n_grow = apportion(n_pruned, survive, {name: k.size - survive[name] for name, k in kept.items()})
    return {name: k | top_k(noise[name], n_grow[name], among=~k) for name, k in kept.items()}


def next_threshold(threshold: float, n_pruned: int, n_target: int, tolerance: float = 0.1) -> float:
    """H for the next time: twice as high if fewer than (1 − δ) N_p were pruned, half if more than (1 + δ) N_p."""
    _check(threshold)
    real("tolerance", tolerance, "a number in [0, 1)", lambda tolerance: 0 <= tolerance < 1)
    n_pruned, n_target = whole("n_pruned", n_pruned, 0), whole("n_target", n_target, 0)
    few, many = n_pruned < (1 - tolerance) * n_target, n_pruned > (1 + tolerance) * n_target
    return threshold * 2 if few else threshold / 2 if many else threshold


def _check(threshold: float) -> None:
    real("threshold", threshold, "a finite number from 0", lambda threshold: 0 <= threshold < math.inf)
