"""SET: drop the positive and negative weights nearest zero, grow at random.

Mocanu, Mocanu, Stone, Nguyen, Gibescu, Liotta. "Scalable training of artificial neural networks with adaptive sparse
connectivity inspired by network science", Nature Communications 9, 2018. doi:10.1038/s41467-018-04316-3.

    Algorithm 1                                                   here
    each layer: p(W_ij) = ε (n_in + n_out) / (n_in n_out)         allocate.from_epsilon, masks.random_masks
    each epoch: a standard training procedure                     train
      remove a fraction ζ of the smallest positive weights        set_counts, set_update
      remove a fraction ζ of the largest negative weights
      if not in the last epoch: add as many at random             noise, recipes.set
"""

import math

from ..backend import Array
from ..checks import real, same_shapes
from ..masks import top_k
from ..storage import as_numbers


def set_counts(weight: Array, mask: Array, zeta: float) -> tuple[int, int]:
    """(n_negative, n_positive): how many of each sign to move: floor(ζ · n) of the active weights below zero, and of
    the others.

    weight, mask: of one layer, of equal shapes. ValueError for shapes that differ or ζ outside [0, 1].
    Differs from the authors' code, which drops about one more of each sign and loses active weights that are zero.
    """
    same_shapes(weight=weight, mask=mask)
    real("zeta", zeta, "a drop fraction from 0 to 1", lambda zeta: 0 <= zeta <= 1)
    n_negative = int((mask & (weight < 0)).sum())
    return math.floor(zeta * n_negative), math.floor(zeta * (int(mask.sum()) - n_negative))


def set_update(weight: Array, mask: Array, noise: Array, n_negative: int, n_positive: int) -> Array:
    """The next mask of one layer, with as many connections as the last (Algorithm 1).

    weight      (any shape) the weights; only those where `mask` is true are ranked
    mask        (same shape, bool) which connections exist
    noise       (same shape) a random number for every position: connections grow where it is largest
    n_negative  how many weights below zero to drop, nearest zero first
    n_positive  how many of the other weights to drop, nearest zero first

    A dropped connection may regrow at once. Ties go to the lower flat index.
    """
    same_shapes(weight=weight, mask=mask, noise=noise)
    weight = as_numbers(weight)
    negative = mask & (weight < 0)
    drop = top_k(weight, n_negative, among=negative) | top_k(-weight, n_positive, among=mask & ~negative)
    kept = mask & ~drop
    grow = top_k(noise, n_negative + n_positive, among=~kept)
    return kept | grow


def set_update_by_magnitude(weight: Array, mask: Array, noise: Array, n_update: int) -> Array:
    """As `set_update`, but drop the `n_update` smallest weights of either sign.

    Evci et al. (2020, table 1) and most code call this SET. It differs if one sign has larger weights.
    """
    same_shapes(weight=weight, mask=mask, noise=noise)
    weight = as_numbers(weight)
    drop = top_k(-abs(weight), n_update, among=mask)
    kept = mask & ~drop
    grow = top_k(noise, n_update, among=~kept)
    return kept | grow
