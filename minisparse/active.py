"""An optimizer's step on masked weights: where few of them exist, they are gathered, moved and put back.

The numbers are those of the plain way, `optimizer.update` and then `project`; only the time differs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .backend import Array
from .masks import Masks, project
from .optim import Optimizer

Arrays = Mapping[str, Array]


def updated(
    optimizer: Optimizer, params: Arrays, grads: Arrays, slots: dict, masks: Masks, step: int
) -> tuple[dict[str, Array], dict]:
    """optimizer.update(params, grads, slots, step), then zeros where a mask is false, in parameters and slots."""
    if not masks:
        return optimizer.update(params, grads, slots, step)
    places, others = masks.few() if optimizer.elementwise else ({}, masks)
    inside = lambda arrays: _gathered(arrays, places)
    params_after, slots_after = optimizer.update(
        inside(params), inside(grads), {name: inside(slot) for name, slot in slots.items()}, step
    )

    def restored(after: Any, before: Any) -> Any:
        if not isinstance(after, Mapping):  # a slot that counts
            return after
        full = {name: _scattered(after[name], where, before[name].shape) for name, where in places.items()}
        return project({**after, **full}, others, in_place=True)

    return restored(params_after, params), {name: restored(slot, slots[name]) for name, slot in slots_after.items()}


def _gathered(arrays: Any, places: Mapping[str, np.ndarray]) -> Any:
    """The entries at `places`, on one axis, of the arrays that have some."""
    if not (places and isinstance(arrays, Mapping)):
        return arrays
    return {**arrays, **{name: arrays[name].take(where) for name, where in places.items()}}


def _scattered(entries: np.ndarray, where: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    array = np.zeros(shape, entries.dtype)
    array.reshape(-1)[where] = entries
    return array
