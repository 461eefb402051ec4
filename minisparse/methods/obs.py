"""Optimal Brain Surgeon: after training, delete one weight at a time and adjust the others, by the inverse Hessian.

Hassibi, Stork. "Second order derivatives for network pruning: Optimal Brain Surgeon", NIPS 1992 (1993), pages 164-171.

    the procedure                                          here
    1. train to a minimum of the squared error             train
    2. H⁻¹ ← H⁻¹ − H⁻¹ X Xᵀ H⁻¹ / (P + Xᵀ H⁻¹ X), from     inverse_hessian, one X for every example and output:
       H⁻¹ = I / α, where H = α I + 1/P Σ X Xᵀ             the gradient of that output
    3. q of smallest L_q = w_q² / (2 [H⁻¹]_qq)             saliency
    4. δw = −w_q / [H⁻¹]_qq · H⁻¹ e_q; go to 2             delete; it returns the inverse without row and column q
    5. stop where L_q is not much smaller than the error   the caller's

Differs from the paper in "go to 2": the inverse without q is exact for the H at hand, where the paper computes a new H
at the new weights. Call inverse_hessian again for that. Memory is the square of the number of weights.
"""

from ..backend import Array, namespace
from ..checks import real, same_shapes, whole
from ..masks import top_k


def inverse_hessian(vectors: Array, n_examples: int, alpha: float = 1e-4) -> Array:
    """(n, n) H⁻¹ of H = α I + 1/P Σ X Xᵀ, by the recursion; no matrix is inverted.

    vectors (m, n): X, the gradient of an output on an example with respect to the n weights; P = n_examples. The paper
    has α from 1e-8 to 1e-4. ValueError for α not above 0 or n_examples below 1.
    """
    real("alpha", alpha, "a number above 0", lambda alpha: alpha > 0)
    whole("n_examples", n_examples, 1)
    inverse = namespace(vectors).eye(vectors.shape[1], dtype=vectors.dtype) / alpha
    for x in vectors:
        row = inverse @ x
        inverse = inverse - row[:, None] * row / (n_examples + x @ row)
    return inverse


def _diagonal(inverse: Array) -> Array:
    return inverse.ravel()[:: len(inverse) + 1]


def saliency(weight: Array, inverse: Array) -> Array:
    """(n,) L_q = w² / (2 [H⁻¹]_qq): the error's rise as a weight goes and the others adjust; infinite if deleted."""
    xp, diagonal = namespace(weight), _diagonal(inverse)
    same_shapes(weight=weight, **{"the inverse's diagonal": diagonal})
    there = diagonal > 0
    return xp.where(there, weight**2 / (2 * xp.where(there, diagonal, 1)), xp.inf)


def delete(weight: Array, inverse: Array) -> tuple[Array, Array, int]:
    """(weights without q, H⁻¹ without q, q), q of smallest saliency, ties to the lower index.

    weight (n,), inverse (n, n). A deleted weight is zero, and so are its row and column of the inverse: it never moves.
    ValueError if none is left.
    """
    whole("the number of weights left", int((_diagonal(inverse) > 0).sum()), 1)
    q = int(namespace(weight).flatnonzero(top_k(-saliency(weight, inverse), 1))[0])
    row = inverse[q] / inverse[q, q]
    weight, inverse = weight - weight[q] * row, inverse - inverse[:, q, None] * row
    weight[q], inverse[q], inverse[:, q] = 0, 0, 0  # exactly
    return weight, inverse, q
