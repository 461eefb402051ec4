"""Weight sharing: the weights of a layer become k shared values, which are trained by the sums of their gradients.

Han, Mao, Dally. "Deep Compression: Compressing Deep Neural Networks with Pruning, Trained Quantization and Huffman
Coding", ICLR 2016. arXiv:1510.00149. It continues their pruning (magnitude); what to store is compress's business.

    section 3, for each layer                                  here
    3.1 arg min Σ_k Σ_{w in c_k} |w − c_k|² (eq. 2)            kmeans: kmeans_step until no weight changes its cluster
    3.2 density-based, linear, Forgy (random) initialization   centroids
    3.3 ∂L/∂C_k = Σ_ij ∂L/∂W_ij 1(I_ij = k) (eq. 3)            shared_gradient, recipes.shared_loss

Values, (n,), and centroids, (k,), are those of `centroids`, as are their errors.
"""

from ..backend import Array, namespace
from ..checks import same_shapes, whole
from .centroids import check_values, density_centroids, linear_centroids, random_centroids

__all__ = ["density_centroids", "kmeans", "kmeans_step", "linear_centroids", "random_centroids", "shared_gradient"]


def kmeans_step(values: Array, centroids: Array) -> tuple[Array, Array]:
    """(index, centroids): the nearest centroid of every weight, and the means of the weights that have each.

    Ties go to the smaller centroid, of equal ones to the lower index. A centroid without weights stays where it is.
    Errors as in `linear_centroids`.
    """
    check_values(values, len(centroids))
    xp, k = namespace(values), len(centroids)
    order = centroids.argsort(kind="stable")
    ascending = centroids[order]
    nearest = xp.searchsorted((ascending[:-1] + ascending[1:]) / 2, values)
    index = order[xp.searchsorted(ascending, ascending[nearest])]  # the first of equal centroids
    n, total = xp.bincount(index, minlength=k), xp.bincount(index, weights=values, minlength=k)
    return index, xp.where(n > 0, total / xp.maximum(n, 1), centroids)


def kmeans(values: Array, centroids: Array, most: int = 300) -> tuple[Array, Array]:
    """`kmeans_step` until no weight changes its cluster, `most` times at most; (index, centroids)."""
    whole("most", most, 1)
    index, centroids = kmeans_step(values, centroids)
    for _ in range(most - 1):
        before, (index, means) = index, kmeans_step(values, centroids)
        if bool((index == before).all()):
            break
        centroids = means
    return index, centroids


def shared_gradient(grad: Array, index: Array, k: int) -> Array:
    """(k,): for each shared value, the sum of the gradients of the weights that have it (eq. 3), in grad's dtype.

    grad (n,); index (n,): which of the k values each weight has. ValueError for shapes that differ or an index outside.
    """
    same_shapes(grad=grad, index=index)
    whole("k", k, 1)
    if index.size and not 0 <= int(index.min()) <= int(index.max()) < k:
        raise ValueError(f"index has {int(index.min())} to {int(index.max())}; expected whole numbers below k, {k}")
    return namespace(grad).bincount(index.astype("intp"), weights=grad, minlength=k).astype(grad.dtype)
