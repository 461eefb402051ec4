"""SNIP: before training, keep the connections whose removal would change the loss most.

Lee, Ajanthan, Torr. "SNIP: Single-shot Network Pruning based on Connection Sensitivity", ICLR 2019. arXiv:1810.02340.

    Algorithm 1                                     here
    w ← VarianceScalingInitialization               layer.init
    g_j ← ∂L(c ⊙ w)/∂c_j at c = 1, = w_j ∂L/∂w_j    recipes.snip, one batch
    s_j ← |g_j| / Σ_k |g_k|                         sensitivity
    s̃ ← SortDescending(s); c_j ← 1[s_j − s̃_κ ≥ 0]   snip_masks, with exactly κ = n_keep
    train w under c ⊙ w                             train, recipes.static
"""

import math
import warnings
from collections.abc import Mapping

from ..backend import Array
from ..checks import same_keys, same_shapes, whole
from ..masks import top_k_of_all
from ..storage import as_numbers, n_not_finite, total


def sensitivity(weights: Mapping[str, Array], grads: Mapping[str, Array]) -> dict[str, Array]:
    """{name: |w · ∂L/∂w| / total}, the total over all layers, so all entries add up to 1 (sec. 4).

    weights, grads: arrays of equal names and shapes. A total of zero gives zeros.
    ValueError for names or shapes that differ, or a product that is not finite.
    """
    effect = _effect(weights, grads)
    whole_effect = math.fsum(total(e) for e in effect.values())
    return {name: e / whole_effect if whole_effect else e for name, e in effect.items()}


def snip_masks(weights: Mapping[str, Array], grads: Mapping[str, Array], n_keep: int) -> dict[str, Array]:
    """Masks of the `n_keep` connections of highest sensitivity, in one ranking of the whole network.

    Ties go to the earlier layer, then to the lower flat index. Warns of a layer of which nothing is kept.
    ValueError as in `sensitivity`, or for n_keep out of range; TypeError if n_keep is not a whole number.
    Differs from the authors' code: exactly n_keep are kept when sensitivities tie, and biases take part only if given.
    """
    effect = _effect(weights, grads)
    n_keep = whole("n_keep", n_keep, 0, sum(e.size for e in effect.values()))
    masks = top_k_of_all(effect, n_keep)  # dividing by the total changes no rank
    if empty := [name for name, mask in masks.items() if mask.size and not bool(mask.any())]:
        warnings.warn(f"SNIP keeps nothing of {', '.join(map(repr, empty))}", stacklevel=2)
    return masks


def _effect(weights: Mapping[str, Array], grads: Mapping[str, Array]) -> dict[str, Array]:
    """|∂L/∂c| of every connection: how fast the loss changes as it is removed."""
    same_keys(weights=weights, grads=grads)
    weights, grads = ({name: as_numbers(a) for name, a in arrays.items()} for arrays in (weights, grads))
    effect = {}
    for name, w in weights.items():
        same_shapes(**{f"weight {name!r}": w, "its gradient": grads[name]})
        effect[name] = abs(w * grads[name])
        if n_bad := n_not_finite(effect[name]):
            raise ValueError(f"weight × gradient of {name!r} is not finite at {n_bad} of {w.size} entries")
    return effect
