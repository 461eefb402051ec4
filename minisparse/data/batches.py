"""Images as network inputs, and batches."""

import math
from collections.abc import Iterator
from itertools import count

import numpy as np

from ..backend import Array, namespace
from ..checks import whole
from ..streams import stream
from .augment import Scaled
from .files import Dataset


def as_inputs(images: Array, dtype: type = np.float32) -> Array:
    """Images flattened for networks without convolutions: (N, H·W·C), scaled from 0 … 255 to [0, 1]."""
    most = np.dtype(dtype).type(255)  # of that dtype, so that no array of float64 is between
    return namespace(images).divide(images.reshape(len(images), -1), most, dtype=dtype)


def batches(
    inputs: Array | Scaled, labels: Array, size: int, seed: int, start: int = 0, stop: float = math.inf
) -> Iterator[Dataset]:
    """Batches number `start`, start + 1, … below `stop` of an endless shuffled pass over the examples.

    Each epoch's order is drawn from (seed, epoch) alone, so any batch can be made without the earlier ones. The last
    len(inputs) % size examples of an epoch's order are left out of that epoch. Scaled images are cropped and flipped as
    they say.
    """
    if len(inputs) != len(labels):
        raise ValueError(f"inputs has {len(inputs)} examples, labels has {len(labels)}")
    per_epoch = len(inputs) // whole("size", size, 1, len(inputs))
    whole("seed", seed, 0)
    for epoch in count(whole("start", start, 0) // per_epoch):
        order = namespace(labels).asarray(stream(seed, epoch).permutation(len(inputs)))
        for place in range(start - epoch * per_epoch if epoch == start // per_epoch else 0, per_epoch):
            if epoch * per_epoch + place >= stop:
                return
            chosen = order[place * size :][:size]
            yield inputs.batch(chosen, epoch) if isinstance(inputs, Scaled) else inputs[chosen], labels[chosen]
