"""Straight-through estimators: the forward pass sees k weights of a layer, and all get the gradients of what it saw.

Bengio, Léonard, Courville. "Estimating or Propagating Gradients Through Stochastic Neurons for Conditional
Computation", 2013. arXiv:1308.3432, sec. 4: the derivative of a threshold is taken to be 1. For sparse weights as in
jaxpruner (Lee et al. 2023, arXiv:2304.14082), its "ste_magnitude" and "ste_random".

    in every batch, for each layer                            here
    m = TopK(|θ|, k), or k at random                          seen_mask
    α = m θ; L(α)                                             recipes.straight_through_loss
    Δθ = −η ∂L/∂α, in place of −η m ∂L/∂α                     recipes.straight_through_loss

A weight that is not seen keeps learning from the gradient at zero, until it is large enough to be seen, or is drawn. So
all weights and slots are kept, and every step computes the dense gradient.
"""

from ..backend import Array
from ..checks import same_shapes, whole
from ..masks import top_k


def seen_mask(weight: Array, n_keep: int, noise: Array | None = None) -> Array:
    """The mask of the forward pass: the n_keep largest |w|, or where the noise of this batch is largest.

    weight  (any shape) all weights of a layer, seen or not
    n_keep  how many are seen
    noise   (same shape) random numbers, drawn for this batch

    Ties go to the lower flat index. ValueError for NaN, shapes that differ or n_keep out of range.
    Differs from jaxpruner, where one weight is seen at least.
    """
    whole("n_keep", n_keep, 0, weight.size)
    if noise is None:
        return top_k(abs(weight), n_keep)
    same_shapes(weight=weight, noise=noise)
    return top_k(noise, n_keep)
