"""GraSP: before training, keep the connections whose removal would reduce the gradient's norm most.

Wang, Zhang, Grosse. "Picking Winning Tickets Before Training by Preserving Gradient Flow", ICLR 2020. arXiv:2002.07376.

    Algorithm 1, equation 8                          here
    H g, the Hessian-gradient product                recipes.grasp, by central differences of the gradient
    S(−θ) = −θ ⊙ H g                                 effect_on_gradient_flow
    τ ← the percentile of S; m ← S(−θ) < τ           grasp_masks: the n_keep lowest scores, in one ranking

A high score says that removal increases gradient flow: those connections go.
"""

from collections.abc import Mapping

from ..backend import Array
from ..checks import same_keys, same_shapes, whole
from ..masks import top_k_of_all
from ..storage import as_numbers


def effect_on_gradient_flow(weights: Mapping[str, Array], products: Mapping[str, Array]) -> dict[str, Array]:
    """{name: −w · (H g)}: the change of gᵀg / 2 as the weight is removed, to first order (eq. 8).

    weights, products: arrays of equal names and shapes; products: H g, the Hessian times the gradient. ValueError for
    names or shapes that differ.
    """
    same_keys(weights=weights, products=products)
    for name, w in weights.items():
        same_shapes(**{f"weight {name!r}": w, "its product": products[name]})
    return {name: -as_numbers(w) * as_numbers(products[name]) for name, w in weights.items()}


def grasp_masks(weights: Mapping[str, Array], products: Mapping[str, Array], n_keep: int) -> dict[str, Array]:
    """Masks of the n_keep connections of lowest −w · (H g), in one ranking of the whole network.

    Ties go to the earlier layer, then to the lower flat index. ValueError for NaN scores, or n_keep out of range.
    Differs from the authors' code: exactly n_keep are kept when scores tie.
    """
    effect = effect_on_gradient_flow(weights, products)
    n_keep = whole("n_keep", n_keep, 0, sum(e.size for e in effect.values()))
    return top_k_of_all({name: -e for name, e in effect.items()}, n_keep)
