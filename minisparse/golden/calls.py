"""This package's functions in the form in which cases call them: arrays and numbers in, arrays and numbers out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import ops, recipes, schedule
from ..autograd import Tensor
from ..backend import Array
from ..masks import project
from ..methods import ac_dc, obd, obs, top_kast
from ..methods.magnitude import magnitude_mask
from ..methods.rigl import rigl_update
from ..methods.set import set_update_by_magnitude


def update(
    weight: Array,
    mask: Array,
    slots: Mapping[str, Array],
    dense_grad: Array,
    n_update: int,
    method: str = "rigl",
    scores: Array | None = None,
) -> dict[str, Any]:
    """One rewiring of one layer with everything it touches: {"weight", "mask", "slots"} after it.

    weight, mask   (any shape) before it; what is stored at absent positions does not count
    slots          {name: array} of the optimizer: {"velocity"} for SGD, {"m", "v"} for Adam, or none
    dense_grad     d loss / d weight at every position; "rigl" grows where it is largest
    n_update       how many connections go, and come again
    method         "rigl"; "set", without signs; "snfs", within one layer; or "magnitude", which grows nothing
    scores         what growth ranks instead: the noise of "set", the magnitudes of the smoothed gradients of "snfs"

    A connection that stays, or goes and returns at once, keeps its value and slots; one that is new starts at zero in
    both; the rest of all arrays is zero. KeyError for an unknown method.
    """
    next_mask = {
        "rigl": lambda: rigl_update(weight, mask, dense_grad, n_update),
        "set": lambda: set_update_by_magnitude(weight, mask, scores, n_update),
        "snfs": lambda: rigl_update(weight, mask, scores, n_update),
        "magnitude": lambda: magnitude_mask(weight, int(mask.sum()) - n_update, mask),
    }
    new = next_mask[method]()
    layer = {"weight": weight, **slots}
    layer = project(layer, dict.fromkeys(layer, mask & new))
    return {"weight": layer.pop("weight"), "mask": new, "slots": layer}


def snip(params: Mapping[str, Array], grads: Sequence[Mapping[str, Array]], density: float) -> dict[str, Array]:
    """`recipes.snip` on recorded gradients, one dict for each batch: the masks of the parameters named ".weight"."""

    def loss(inputs: Mapping[str, Tensor], batch: Mapping[str, Array], rng: Any) -> Tensor:
        first, *others = (ops.sum(inputs[name] * g) for name, g in batch.items())
        return sum(others, start=first)

    return dict(recipes.snip(loss, params, grads, density, np.random.default_rng(0)))


def step_rate(step: int, rate: float, period: int, factor: float) -> float:
    """`schedule.step_rate` at a step."""
    return schedule.step_rate(rate, period, factor)(step)


def multi_step_rate(step: int, rate: float, milestones: Sequence[int], factor: float) -> float:
    """`schedule.multi_step_rate` at a step."""
    return schedule.multi_step_rate(rate, milestones, factor)(step)


def cosine_rate(step: int, rate: float, t_end: int) -> float:
    """`schedule.cosine_rate` at a step."""
    return schedule.cosine_rate(rate, t_end)(step)


def ac_dc_compressed(step: int, warmup: int, phase: int, last: int) -> bool:
    """`methods.ac_dc.compressed`: is a step in a compression phase."""
    return ac_dc.compressed(step, warmup, phase, last)


def top_kast_strength(forward: Array, backward: Array) -> Array:
    """`methods.top_kast.strength`: how strongly the exploration loss penalises each weight."""
    return top_kast.strength(forward, backward)


def second_derivatives(
    params: Mapping[str, Array], x: Array, y: Array, activation: str = "tanh", error: str = "squared"
) -> dict[str, Array]:
    """`methods.obd.second_derivatives` by the names of what joins layers and of the error.

    activation  "tanh" or "relu"
    error       "squared", Σ (a − y)² / 2, or "cross_entropy", of softmax, with labels y
    """
    return dict(obd.second_derivatives(params, x, y, getattr(obd, activation), getattr(obd, error)))


def obs_delete(weight: Array, inverse: Array) -> tuple[Array, Array, int]:
    """`methods.obs.delete`: the weights and the inverse without the weight of smallest saliency, and which it was."""
    return obs.delete(weight, inverse)
