"""Truly sparse networks: random ones, and conversion from and to dense."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..allocate import counts
from ..backend import Array, namespace
from ..checks import masks_fit, whole
from ..masks import Masks
from ..streams import draw_key, in_random_order, in_rising_order, stream
from .fan_in import by_fan_in
from .positions import Positions, countable
from .weights import SparseWeight, blocks_of_rows


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


def random_fan_in(shapes: Mapping[str, tuple[int, ...]], fan_ins: Mapping[str, int], rng: np.random.Generator) -> Masks:
    """Masks in which every output has fan_ins[name] inputs at random, as SRigL starts: made some outputs at a time."""
    key, masks = draw_key(rng), {}
    for name, (n_in, n_out) in shapes.items():
        draws, k = stream(key, name), whole(f"the fan-in of {name!r}", fan_ins[name], 0, n_in)
        countable(repr(name), (n_in, n_out), k * n_out)
        inputs = [
            draws.random((of.stop - of.start, n_in)).argsort(axis=1)[:, :k] for of in blocks_of_rows((n_out, n_in))
        ]
        flat = np.concatenate(inputs) * n_out + np.arange(n_out)[:, None]
        masks[name] = Positions(np.sort(flat, axis=None), (n_in, n_out))
    return Masks(masks)


def compressed(params: Mapping[str, Array], masks: Mapping[str, Array]) -> tuple[dict[str, Any], Masks]:
    """(params, masks) of a dense network in truly sparse storage.

    ValueError for masks that do not fit the parameters.
    """
    masks_fit(masks, params)
    at = {name: Positions(namespace(m).flatnonzero(m), m.shape) for name, m in masks.items()}
    stored = {
        name: by_fan_in(SparseWeight(w.ravel()[at[name].flat], at[name])) if name in at else w
        for name, w in params.items()
    }
    return stored, Masks(at)


def dense(array: Any) -> Array:
    """The dense array of a truly sparse one; other arrays unchanged."""
    return array.dense() if isinstance(array, SparseWeight | Positions) else array
