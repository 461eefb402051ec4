"""Relative positions: the distance from each weight to the one before, in so few bits that some need filler zeros.

Han, Mao, Dally. "Deep Compression", ICLR 2016. arXiv:1510.00149, section 2 and figure 2: 8 bits in convolutions and 5
in linear layers, and zeros in between where a distance is longer.
"""

import numpy as np

from ..backend import Array, to_numpy
from ..checks import whole


def relative_index(places: Array, bits: int) -> tuple[Array, Array]:
    """(steps, real): distances from 1 to 2^bits from each entry to the next, and which entries are weights.

    places (n,): flat positions of the weights, ascending. The first step is counted from the position before the
    first, as in the authors' decoder. A longer distance starts with fillers, steps of 2^bits that are no weights.
    ValueError for positions that do not ascend from 0, or bits outside 1 … 32.
    """
    span = 2 ** whole("bits", bits, 1, 32)
    far = np.diff(to_numpy(places), prepend=-1).astype(np.int64)
    if far.size and int(far.min()) < 1:
        raise ValueError(f"places has {int(far.min())} between two neighbours; expected positions that ascend from 0")
    fillers = (far - 1) // span
    ends = np.cumsum(fillers + 1) - 1
    steps = np.full(len(far) + int(fillers.sum()), span, np.int64)
    steps[ends] = far - fillers * span
    real = np.zeros(len(steps), bool)
    real[ends] = True
    return steps, real


def positions(steps: Array, real: Array) -> Array:
    """The flat positions of the weights, (n,) int64: the inverse of `relative_index`."""
    return (np.cumsum(steps) - 1)[real]
