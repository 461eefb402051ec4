"""Weight sharing with its retraining (Han, Mao, Dally 2016, sec. 3)."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..autograd import Tensor, primitive
from ..backend import Array, namespace
from ..checks import did_you_mean, masks_fit, whole
from ..methods.share import density_centroids, kmeans, linear_centroids, random_centroids, shared_gradient
from ..streams import draw_key, stream
from .watch import Arrays

CENTROIDS: dict[str, Callable[[Array, int, Callable[[], Array]], Array]] = {
    "linear": lambda values, k, noise: linear_centroids(values, k),
    "density": lambda values, k, noise: density_centroids(values, k),
    "random": lambda values, k, noise: random_centroids(values, k, noise()),
}


class Code(NamedTuple):
    """Which shared value a layer's weights have.

    mask   (the weight's shape, bool): the connections; all other weights are zero
    index  (n,) int64: of each connection in C order, a place in the layer's shared values
    """

    mask: Array
    index: Array


@primitive
def lookup(values: Array, mask: Any, index: Any) -> Any:
    """The weight of shared `values` (k,), zero where `mask` is false (sec. 3.3); the gradient is eq. 3."""
    xp = namespace(values)
    places = xp.flatnonzero(mask)
    weight = xp.zeros(mask.size, values.dtype)
    weight[places] = values[index]
    return weight.reshape(mask.shape), (lambda g: shared_gradient(g.ravel()[places], index, len(values)),)


def share(
    params: Arrays,
    masks: Mapping[str, Array],
    bits: Mapping[str, int],
    rng: np.random.Generator,
    centroids: str = "linear",
) -> tuple[dict[str, Array], dict[str, Code]]:
    """(params, codes): every layer in `bits` shares 2^bits − 1 values, or as many as it has connections.

    masks {name: bool array}: the connections; a layer without a mask has all. centroids: "linear", as the paper finds
    best, "density" or "random"; k-means then moves them. In the params returned a shared layer has its values (k,), in
    its dtype, in place of its weight; `codes` says which weight has which. A layer without connections has no values.

    One of the 2^bits codes is the zero of fillers (compress.relative), as in the authors' decoder; the paper's text
    counts 2^bits shared values.
    ValueError for names or shapes that do not fit, weights that are not finite, or an unknown initialization.
    """
    if centroids not in CENTROIDS:
        near = did_you_mean(centroids, CENTROIDS)
        raise ValueError(f"centroids is {centroids!r}; expected {', '.join(CENTROIDS)}{near}")
    masks_fit(masks, params)
    if unknown := [name for name in bits if name not in params]:
        raise ValueError(f"bits has {unknown[0]!r}, which is no parameter; the parameters are {list(params)}")
    key, shared, codes = draw_key(rng), dict(params), {}
    for name, n_bits in bits.items():
        weight = params[name]
        xp = namespace(weight)
        mask = masks[name] if name in masks else xp.ones(weight.shape, dtype=bool)
        values = weight.ravel()[xp.flatnonzero(mask)]
        most = 2 ** whole(f"bits of {name!r}", n_bits, 1, 16) - 1
        index = xp.zeros(0, dtype=int)
        if len(values):
            noise = lambda: xp.asarray(stream(key, name).random(len(values)))  # noqa: B023
            index, means = kmeans(values, CENTROIDS[centroids](values, min(most, len(values)), noise))
            shared[name] = means.astype(weight.dtype)
        else:
            shared[name] = values
        codes[name] = Code(mask, index)
    return shared, codes


def shared_loss(
    loss_fn: Callable[[dict[str, Tensor], Any, np.random.Generator], Tensor], codes: Mapping[str, Code]
) -> Callable[[dict[str, Tensor], Any, np.random.Generator], Tensor]:
    """loss_fn of the weights that shared values stand for, for `train` without masks: it trains the values (eq. 3).

    A value's gradient is a sum over many weights, so the learning rate is lower than theirs.
    """

    def looked_up(params: dict[str, Tensor], batch: Any, rng: np.random.Generator) -> Tensor:
        weights = {name: lookup(params[name], code.mask, code.index) for name, code in codes.items()}
        return loss_fn(params | weights, batch, rng)

    return looked_up


def shared_weights(params: Arrays, codes: Mapping[str, Code]) -> dict[str, Array]:
    """`params` with the weights that the shared values stand for: the network to use and to evaluate."""
    return dict(params) | {name: lookup(params[name], *code).value for name, code in codes.items()}
