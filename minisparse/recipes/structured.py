"""Magnitude pruning of whole groups: functions of (weight, n_keep, mask), as `magnitude_mask`, for `gradual`.

Each keeps the groups of highest summed |w|, at most n_keep weights, and none that is pruned already.
"""

from collections.abc import Callable

from ..backend import Array, namespace
from ..checks import same_shapes, whole
from ..methods.structure import block_mask, n_of_m_mask, unit_mask
from ..storage import as_numbers

Choice = Callable[[Array, int, Array], Array]


def in_groups_of(m: int) -> Choice:
    """Of every m consecutive inputs of an output as many as fit: n = floor(n_keep · m / size). ValueError for m < 1."""
    m = whole("m", m, 1)
    return lambda weight, n_keep, mask: mask & n_of_m_mask(_size(weight, mask), n_keep * m // max(weight.size, 1), m)


def in_blocks_of(block: tuple[int, int]) -> Choice:
    """Whole blocks of (inputs, outputs). ValueError for lengths below 1."""
    n_in, n_out = (whole(f"block[{i}]", length, 1) for i, length in enumerate(block))
    return lambda weight, n_keep, mask: mask & block_mask(_size(weight, mask), n_keep // (n_in * n_out), (n_in, n_out))


def in_units(weight: Array, n_keep: int, mask: Array) -> Array:
    """Whole units or channels: all weights of an output."""
    return mask & unit_mask(_size(weight, mask), n_keep * weight.shape[-1] // max(weight.size, 1))


def _size(weight: Array, mask: Array) -> Array:
    """|w|, below zero where pruned: a pruned group comes after one of zeros."""
    same_shapes(weight=weight, mask=mask)
    return namespace(weight).where(mask, abs(as_numbers(weight)), -1)
