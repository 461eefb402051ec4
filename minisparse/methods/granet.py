"""GraNet: prune the smallest weights of the whole network to a falling density, and each time regrow some by gradient.

Liu, Chen, Chen, Atashgahi, Yin, Kou, Shen, Pechenizkiy, Wang, Mocanu. "Sparse Training via Boosting Pruning Plasticity
with Neuroregeneration", NeurIPS 2021. arXiv:2106.10404.

    Algorithm 1, sections 4.1 and 4.2                      here
    every ΔT steps from t_0 to t_f, after SGD              recipes.granet
      s_t = s_f + (s_i − s_f) (1 − (t − t_0) / nΔT)³        schedule.cubic
      prune to TopK(|W|, (1 − s_t) N), all layers ranked   granet_prune
      W' = without TopK(−|W|, r (1 − s_t) N)               regenerate, layer by layer
      regrow TopK(|g|) outside W'                          regenerate

A sparsity s_i of 0 is dense-to-sparse, of 0.5 sparse-to-sparse training.
"""

from collections.abc import Mapping

from ..backend import Array
from ..checks import same_keys, same_shapes
from ..masks import top_k, top_k_of_all


def granet_prune(weights: Mapping[str, Array], masks: Mapping[str, Array], n_keep: int) -> dict[str, Array]:
    """Keep the `n_keep` largest |w| of all layers' connections, in one ranking; a layer may end up empty.

    weights {name: array}; masks {name: bool array}, of equal names and shapes. Ties go to the earlier layer, then to
    the lower flat index. ValueError for NaN, names or shapes that differ, or n_keep beyond the connections.
    Differs from the authors' code, which keeps what exceeds the n_keep-th magnitude: n_keep − 1, and fewer with ties.
    """
    same_keys(weights=weights, masks=masks)
    for name, mask in masks.items():
        same_shapes(**{f"weight {name!r}": weights[name], "its mask": mask})
    return top_k_of_all({name: abs(w) for name, w in weights.items()}, n_keep, masks)


def regenerate(weight: Array, mask: Array, dense_grad: Array, n_update: int) -> Array:
    """One layer's mask with `n_update` of its connections regenerated: the smallest |w| go, the largest |g| come.

    weight      (any shape) the weights; only those where `mask` is true are ranked
    mask        (same shape, bool) which connections exist, after pruning
    dense_grad  (same shape) d loss / d weight at every position, active or not

    A connection that was just removed or pruned may come back at once. Ties go to the lower flat index.
    Differs from the authors' code, which rounds n_update up and removes all weights at the threshold.
    """
    same_shapes(weight=weight, mask=mask, dense_grad=dense_grad)
    remove = top_k(-abs(weight), n_update, among=mask)
    kept = mask & ~remove
    regrow = top_k(abs(dense_grad), n_update, among=~kept)
    return kept | regrow
