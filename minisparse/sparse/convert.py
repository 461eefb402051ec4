"""Truly sparse networks: random ones, and conversion from and to dense."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..allocate import counts
from ..backend import Array, namespace
from ..checks import masks_fit
from ..masks import Masks
from ..streams import draw_key, in_random_order, in_rising_order, stream
from .positions import Positions, countable
from .weights import SparseWeight


def random_positions(
    shapes: Mapping[str, tuple[int, ...]], densities: Mapping[str, float], rng: np.random.Generator
) -> Masks:
    """masks.random_masks in memory and time proportional to the connections: same distribution, other positions.

    ValueError naming a layer with more than 2^31 − 1 inputs, outputs or connections.
    """
    n_active = counts(shapes, densities)
    for name, shape in shapes.items():
        countable(repr(name), shape, n_active[name])
    key, masks = draw_key(rng), {}
    for name, shape in shapes.items():
        size = math.prod(shape)
        masks[name] = Positions(in_rising_order(in_random_order(stream(key, name), size, n_active[name]), size), shape)
    return Masks(masks)


def compressed(params: Mapping[str, Array], masks: Mapping[str, Array]) -> tuple[dict[str, Any], Masks]:
    """(params, masks) of a dense network in truly sparse storage.

    ValueError for masks that do not fit the parameters.
    """
    masks_fit(masks, params)
    at = {name: Positions(namespace(m).flatnonzero(m), m.shape) for name, m in masks.items()}
    stored = {name: SparseWeight(w.ravel()[at[name].flat], at[name]) if name in at else w for name, w in params.items()}
    return stored, Masks(at)


def dense(array: Any) -> Array:
    """The dense array of a truly sparse one; other arrays unchanged."""
    return array.dense() if isinstance(array, SparseWeight | Positions) else array
