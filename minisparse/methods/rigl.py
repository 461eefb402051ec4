"""RigL: drop the smallest weights, grow where the gradient is largest.

Evci, Gale, Menick, Castro, Elsen. "Rigging the Lottery: Making All Tickets Winners", ICML 2020. arXiv:1911.11134.

    Algorithm 1                                     here
    if t mod ΔT = 0 and t < T_end                   recipes.rigl, schedule.every
      k ← f_decay(t; α, T_end) (1 − s) N            rigl_count
      I_drop ← ArgTopK(−|θ|, k)                     drop
      I_grow ← ArgTopK(|∇L|, k) outside θ \\ I_drop  grow
      θ ← θ without I_drop, with I_grow at zero     kept | grow, then masks.project
    else θ ← θ − α ∇L                               train.Method.pauses
"""

import math

from ..backend import Array
from ..checks import real, same_shapes, whole
from ..masks import top_k
from ..schedule import cosine
from ..storage import as_numbers


def rigl_count(step: int, n_active: int, alpha: float, t_end: int) -> int:
    """k, how many of a layer's `n_active` connections to move at `step`: floor(f_decay(step; α, T_end) · n_active).

    Differs from the authors' code: no float32 rounding, and 0 from T_end on.
    """
    real("alpha", alpha, "a drop fraction from 0 to 1", lambda alpha: 0 <= alpha <= 1)
    return math.floor(cosine(step, alpha, t_end) * whole("n_active", n_active, 0))


def rigl_update(weight: Array, mask: Array, dense_grad: Array, n_update: int) -> Array:
    """The next mask of one layer, with as many connections as the last (Algorithm 1).

    weight      (any shape) the weights; only those where `mask` is true are ranked
    mask        (same shape, bool) which connections exist
    dense_grad  (same shape) d loss / d weight at every position, active or not
    n_update    k, how many connections to move

    A dropped connection may regrow at once. Ties go to the lower flat index.
    Differs from the authors' code: an active weight that is zero is never mistaken for an absent one.
    """
    same_shapes(weight=weight, mask=mask, dense_grad=dense_grad)
    weight, dense_grad = as_numbers(weight), as_numbers(dense_grad)
    drop = top_k(-abs(weight), n_update, among=mask)
    kept = mask & ~drop
    grow = top_k(abs(dense_grad), n_update, among=~kept)
    return kept | grow
