"""Deep R: a connection whose weight would change sign goes dormant, and another is drawn at random.

Bellec, Kappel, Maass, Legenstein. "Deep Rewiring: Training very sparse deep networks", ICLR 2018. arXiv:1711.05136.

    Algorithm 1, w_k = s_k θ_k, every batch                          here
    for all active connections k:
      θ_k ← θ_k − η ∂E/∂θ_k − η α + √(2 η T) ν_k                     train, with recipes.deep_r_loss
      if θ_k < 0: set k dormant                                      crossed
    while fewer than K connections are active:
      activate a dormant one, all equally likely, with θ_k ← 0       deep_r_update

The sign s_k of a connection never changes: of the first connections it is that of their weight, of the others random.
α pulls weights towards zero, where they are replaced; the temperature T makes them wander.
"""

from ..backend import Array
from ..checks import same_shapes
from ..masks import top_k


def crossed(weight: Array, mask: Array, negative: Array) -> Array:
    """Which connections have θ < 0: a positive weight of sign −1, or a negative one of sign 1. Zero has not crossed.

    weight (any shape); mask (same shape, bool); negative (same shape, bool): where s_k is −1.
    """
    same_shapes(weight=weight, mask=mask, negative=negative)
    return mask & (negative & (weight > 0) | ~negative & (weight < 0))


def deep_r_update(weight: Array, mask: Array, negative: Array, noise: Array) -> Array:
    """The next mask of one layer, with as many connections as the last (Algorithm 1).

    weight, mask, negative  as in `crossed`
    noise                   (same shape) a random number for every position: connections grow where it is largest

    A connection that just went dormant may be drawn again at once. Ties go to the lower flat index.
    Differs from the authors' code, where θ = 0 is dormant, and activated connections start at 1e-12.
    """
    same_shapes(weight=weight, mask=mask, noise=noise)
    gone = crossed(weight, mask, negative)
    kept = mask & ~gone
    return kept | top_k(noise, int(gone.sum()), among=~kept)
