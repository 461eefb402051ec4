"""Where k-means of weight sharing begins: the first centroids, by three initialisations.

Han, Mao, Dally. "Deep Compression: Compressing Deep Neural Networks with Pruning, Trained Quantization and Huffman
Coding", ICLR 2016. arXiv:1510.00149, sec. 3.2, figure 3. What follows is in `share`.

    linear                     evenly between [min, max] of the weights              linear_centroids
    density-based              evenly on the y-axis of the CDF                       density_centroids
    Forgy (random)             k observations at random                              random_centroids

Values are the weights that pruning left, (n,); centroids are (k,), ascending, in float64. ValueError for values that
are not (n,), empty or not finite, or k below 1.
"""

from ..backend import Array, namespace
from ..checks import same_shapes, whole
from ..masks import top_k


def linear_centroids(values: Array, k: int) -> Array:
    """k centroids evenly spaced from the smallest to the largest weight; one centroid is the smallest."""
    check_values(values, k)
    return namespace(values).linspace(float(values.min()), float(values.max()), k)


def density_centroids(values: Array, k: int) -> Array:
    """The quantiles 1/2k, 3/2k, … of the weights: the smallest weight where the CDF reaches each of them.

    The paper spaces the CDF's axis evenly, and does not say whether its ends count; here the centroids stand for k
    parts of equal weight.
    """
    check_values(values, k)
    xp = namespace(values)
    ranks = ((2 * xp.arange(k) + 1) * len(values) - 1) // (2 * k)
    return xp.sort(values)[ranks].astype(float)


def random_centroids(values: Array, k: int, noise: Array) -> Array:
    """The k weights with the largest noise, (n,), a random number for each. ValueError for k above n, too."""
    check_values(values, k)
    same_shapes(values=values, noise=noise)
    xp = namespace(values)
    return xp.sort(values[xp.flatnonzero(top_k(noise, whole("k", k, 1, len(values))))]).astype(float)


def check_values(values: Array, k: int) -> None:
    """ValueError for weights or a number of centroids that k-means cannot take."""
    whole("k", k, 1)
    if values.ndim != 1 or not values.size or not bool(namespace(values).isfinite(values).all()):
        raise ValueError(f"values have shape {tuple(values.shape)}; expected at least one finite weight on one axis")
