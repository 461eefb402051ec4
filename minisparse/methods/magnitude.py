"""Magnitude pruning: drop the smallest weights, by rank or threshold, and then units without connections.

Han, Pool, Tran, Dally. "Learning both Weights and Connections for Efficient Neural Networks", NIPS 2015.
arXiv:1506.02626. Later work prunes by rank: gradual pruning (Zhu & Gupta 2017) and lottery tickets (Frankle & Carbin
2019). The schedules are in recipes: three_step, gradual, lottery.

    sections 3 and 4                                here
    threshold = quality parameter × std(layer)      threshold_mask
    D_r = D_o √(C_ir / C_io)                        retrain_dropout
    "neurons with zero input connections or zero
    output connections may be safely pruned"        remove_dead_units

One-shot pruning to a tenth of every layer, or of the whole network:

    {name: magnitude_mask(w, round(0.1 * w.size)) for name, w in weights.items()}
    global_magnitude_masks(weights, round(0.1 * sum(w.size for w in weights.values())))
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from ..backend import Array, namespace
from ..checks import masks_fit, real, same_keys, same_shapes, whole
from ..masks import top_k, top_k_of_all
from ..storage import as_numbers, n_active, n_not_finite, stored_alike, survivors

Arrays = Mapping[str, Array]


def magnitude_mask(weight: Array, n_keep: int, mask: Array | None = None) -> Array:
    """Keep the `n_keep` largest |w| of one layer; ties go to the lower flat index.

    weight (any shape); mask (same shape, bool): only its connections are candidates. Returns a mask of that shape.
    ValueError for NaN, shapes that differ or n_keep out of range; TypeError if n_keep is not a whole number.
    """
    whole("n_keep", n_keep, 0, _candidates(weight, mask))
    weight = as_numbers(weight)
    return top_k(abs(weight), n_keep, among=mask)


def global_magnitude_masks(weights: Arrays, n_keep: int, masks: Arrays | None = None) -> dict[str, Array]:
    """Keep the `n_keep` largest |w| of all layers in one ranking; ties go to the earlier layer, then the lower index.

    weights {name: array}; masks {name: bool array}, same keys and shapes: only their connections are candidates.
    Returns {name: mask}; a layer may end up empty. Errors as in `magnitude_mask`.
    """
    if not weights:
        raise ValueError("weights is empty; expected at least one layer")
    if masks is not None:
        same_keys(weights=weights, masks=masks)
        masks_fit(masks, weights)
    candidates = sum(_candidates(w, None if masks is None else masks[name]) for name, w in weights.items())
    whole("n_keep", n_keep, 0, candidates)
    weights = {name: as_numbers(w) for name, w in weights.items()}
    scores = {name: abs(w) for name, w in weights.items()}
    return top_k_of_all(scores, n_keep, masks)


def threshold_mask(weight: Array, quality: float, mask: Array | None = None) -> Array:
    """Keep |w| ≥ quality · std of one layer (Han et al., sec. 4); how many stay follows.

    weight (any shape); mask (same shape, bool): the connections that survived so far. The standard deviation (divided
    by n, in float64) is taken over these alone, and only these can stay; an empty mask stays empty.

    The paper does not say which weights later rounds take the deviation of, or whether a weight at the threshold stays.
    ValueError for a quality that is negative or not finite, a surviving weight that is not finite, or unequal shapes.
    """
    real("quality", quality, "a finite number from 0", lambda quality: 0 <= quality < math.inf)
    _candidates(weight, mask)
    weight = as_numbers(weight)
    surviving = survivors(weight, mask)
    if wrong := n_not_finite(surviving):
        raise ValueError(f"weight is not finite at {wrong} of {surviving.size} connections; thresholds need numbers")
    kept = abs(weight) >= (quality * surviving.std(dtype=float) if surviving.size else 0.0)
    return kept if mask is None else kept & mask


def retrain_dropout(rate: float, n_kept: int, n_original: int) -> float:
    """D_r = D_o √(C_ir / C_io): a layer with fewer connections overfits less (Han et al., sec. 3.2, eq. 2).

    rate D_o in [0, 1); n_kept C_ir of the layer's n_original C_io connections remain.
    """
    real("rate", rate, "a dropout rate in [0, 1)", lambda rate: 0 <= rate < 1)
    n_original = whole("n_original", n_original, 1)
    return rate * math.sqrt(whole("n_kept", n_kept, 0, n_original) / n_original)


def remove_dead_units(masks: Arrays, order: Sequence[str]) -> dict[str, Array]:
    """Remove all connections of units without inputs or without outputs, until none is left (Han et al., sec. 3.5).

    masks {name: bool array (…, inputs, outputs)}: linear weights and convolution kernels, whose windows count as one
    connection. order: their names from input to output. A layer may have r times as many inputs as the previous layer
    has outputs, its flattened channels-last image: input i then belongs to unit i mod outputs. Inputs and outputs of
    the network are not units.

    Biases do not change: a unit without inputs may still output a constant, which models.shrink.compacted folds into
    the next layer. ValueError for names that differ or layers that do not follow each other.
    """
    from_inputs, to_outputs = led_to(masks, order), leading_on(masks, order)
    return {name: mask & from_inputs[name][:, None] & to_outputs[name] for name, mask in masks.items()}


def led_to(masks: Arrays, order: Sequence[str]) -> dict[str, Array]:
    """{name: (inputs,) bool}: inputs with a path from the network's inputs. Arguments as in `remove_dead_units`."""
    reached: dict[str, Array] = {}
    units = None
    for name, link in _links(masks, order).items():
        xp, n_in = namespace(link), len(link)
        reached[name] = xp.ones(n_in, dtype=bool) if units is None else xp.tile(units, n_in // len(units))
        units = (link & reached[name][:, None]).any(axis=0)
    return reached


def leading_on(masks: Arrays, order: Sequence[str]) -> dict[str, Array]:
    """{name: (outputs,) bool}: outputs with a path to the network's outputs."""
    needed: dict[str, Array] = {}
    inputs = None
    for name, link in reversed(_links(masks, order).items()):
        xp, n_out = namespace(link), link.shape[1]
        needed[name] = xp.ones(n_out, dtype=bool) if inputs is None else inputs.reshape(-1, n_out).any(axis=0)
        inputs = (link & needed[name]).any(axis=1)
    return needed


def _links(masks: Arrays, order: Sequence[str]) -> dict[str, Array]:
    """{name: (inputs, outputs) bool} in order: is there a connection anywhere in the window?"""
    same_keys(masks=masks, order=dict.fromkeys(order))
    links: dict[str, Array] = {}
    for name in order:
        mask = masks[name]
        if mask.dtype != bool or mask.ndim < 2:
            raise TypeError(
                f"mask for {name!r} is {mask.dtype} of shape {tuple(mask.shape)}; expected bool (…, inputs, outputs)"
            )
        window = math.prod(mask.shape[:-2])
        links[name] = mask if mask.ndim == 2 else mask.reshape(window, *mask.shape[-2:]).any(axis=0)
    for (a, before), (b, after) in pairwise(links.items()):
        n_out, n_in = before.shape[1], after.shape[0]
        if not n_out or n_in % n_out:
            raise ValueError(f"{b!r} has {n_in} inputs, {a!r} before it {n_out} outputs; expected a whole multiple")
    return links


def _candidates(weight: Array, mask: Array | None) -> int:
    """The number of candidates, after checking that the mask fits."""
    if mask is None:
        return survivors(weight, None).size
    same_shapes(weight=weight, mask=mask)
    if mask.dtype != bool:
        raise TypeError(f"mask has dtype {mask.dtype}; expected bool")
    stored_alike(weight, mask)
    return n_active(mask)
