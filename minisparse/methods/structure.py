"""Structured masks: `top_k`, of groups of weights in place of single weights.

    n_of_m_mask   n of every m consecutive inputs of an output: what sparse tensor cores run (Mishra et al. 2021,
                  arXiv:2104.08378; trained from scratch by Zhou et al., ICLR 2021, arXiv:2102.04010)
    block_mask    whole blocks of inputs × outputs (Gray et al. 2017; Narang et al. 2017, arXiv:1711.02782)
    unit_mask     whole units or channels: every weight of an output (Li et al., ICLR 2017, arXiv:1608.08710)

Layouts as everywhere: linear weights (n_in, n_out), kernels (kh, kw, c_in, c_out). A score is any array of the weight's
shape, such as |w| for magnitude pruning or |g| for growth. A group's score is the sum of its entries' scores.
"""

from ..backend import Array, namespace
from ..checks import whole
from ..masks import top_k


def n_of_m_mask(score: Array, n: int, m: int) -> Array:
    """Of every m consecutive inputs of each output, the n of highest score; ties go to the lower input.

    score (…, n_in, n_out), real; groups are along axis -2. Returns a boolean array of its shape.
    ValueError for NaN, n outside 0 to m, or m that does not divide n_in; TypeError if n or m is not a whole number.
    """
    m, n, (*outer, n_in, n_out) = whole("m", m, 1), whole("n", n, 0, m), _shape(score, "inputs, outputs")
    if n_in % m:
        raise ValueError(f"m is {m}, score has shape {score.shape}; expected m to divide the {n_in} inputs (axis -2)")
    groups = score.swapaxes(-1, -2).reshape(*outer, n_out, n_in // m, m)
    rank = (-groups).argsort(axis=-1, kind="stable").argsort(axis=-1, kind="stable")
    return (rank < n).reshape(*outer, n_out, n_in).swapaxes(-1, -2)


def block_mask(score: Array, n_keep: int, block: tuple[int, int]) -> Array:
    """The n_keep blocks of highest summed score; ties go to the earlier block, in C order.

    score (…, n_in, n_out), real; block (inputs, outputs), which divide its last two axes. Returns a boolean array of
    score's shape. ValueError for NaN, a block that does not fit, or n_keep beyond the number of blocks.
    """
    xp, (*outer, n_in, n_out) = namespace(score), _shape(score, "inputs, outputs")
    rows, columns = (whole(f"block[{i}]", length, 1) for i, length in enumerate(block))
    if n_in % rows or n_out % columns:
        raise ValueError(f"block is {tuple(block)}, score has shape {score.shape}; expected divisors of its last axes")
    kept = top_k(score.reshape(*outer, n_in // rows, rows, n_out // columns, columns).sum(axis=(-3, -1)), n_keep)
    return xp.repeat(xp.repeat(kept, rows, axis=-2), columns, axis=-1)


def unit_mask(score: Array, n_keep: int) -> Array:
    """The n_keep outputs (axis -1) of highest summed score, whole; ties go to the lower index.

    score (…, n_out), real. Returns a boolean array of its shape. ValueError for NaN or n_keep beyond n_out.
    """
    kept = top_k(score.sum(axis=tuple(range(len(_shape(score, "outputs")) - 1))), n_keep)
    return namespace(score).broadcast_to(kept, score.shape).copy()


def _shape(score: Array, axes: str) -> tuple[int, ...]:
    if score.ndim < len(axes.split()):
        raise ValueError(f"score has shape {score.shape}; expected (…, {axes})")
    if n_bad := int((score != score).sum()):
        raise ValueError(f"score is NaN at {n_bad} of {score.size} entries; ranks need numbers")
    return score.shape
