"""Top-KAST: a sparse forward pass through the largest weights, a gradient for somewhat more of them, always.

Jayakumar, Pascanu, Rae, Osindero, Elsen. "Top-KAST: Top-K Always Sparse Training", NeurIPS 2020. arXiv:2106.03517.

    sections 2.1 to 2.3, for each layer                           here
    A = TopK(|θ|, D), α = θ in A, 0 elsewhere                     forward_and_backward, recipes.top_kast_loss
    B = TopK(|θ|, D + M); Δθ = −η ∇_α L in B, 0 elsewhere         recipes.top_kast_loss, recipes.top_kast_optimizer
    Loss_R = Σ_A |θ| + Σ_(B∖A) |θ| / D, with squares for |θ|      strength

All of θ is kept. A weight outside B stays as it is, until those in B∖A, which are penalised most, have become smaller.
The network is that of A, in training and after it.
"""

from ..backend import Array
from ..checks import same_shapes, whole
from ..masks import top_k


def forward_and_backward(weight: Array, n_forward: int, n_backward: int) -> tuple[Array, Array]:
    """(A, B) of one layer: masks of the n_forward and of the n_backward largest |w|; A is a subset of B.

    Ties go to the lower flat index. ValueError for NaN, or unless n_forward ≤ n_backward ≤ the layer's size.
    """
    n_backward = whole("n_backward", n_backward, 0, weight.size)
    n_forward = whole("n_forward", n_forward, 0, n_backward)
    magnitude = abs(weight)
    backward = top_k(magnitude, n_backward)
    return top_k(magnitude, n_forward, among=backward), backward


def strength(forward: Array, backward: Array) -> Array:
    """How strongly the exploration loss penalises each weight: 1 in A, 1 / D in B∖A, 0 elsewhere (float64).

    forward, backward: A and B, bool, of equal shapes; D is A's share of the layer. An empty A penalises nothing.
    """
    same_shapes(forward=forward, backward=backward)
    density = int(forward.sum()) / max(forward.size, 1)
    return forward * 1.0 + (backward & ~forward) / density if density else forward * 1.0
