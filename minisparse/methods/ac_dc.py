"""AC/DC: compressed and decompressed phases in turn: the largest weights of the network alone, then all again.

Peste, Iofinova, Vladu, Alistarh. "AC/DC: Alternating Compressed/DeCompressed Training of Deep Neural Networks",
NeurIPS 2021. arXiv:2106.12379.

    Algorithm 1                                            here
    train the dense weights for Δ_w epochs                 compressed is false
    at the start of a compression phase: θ ← T_k(θ)        ac_dc_masks, then masks.project
    at the start of a decompression phase: all masks ← 1   recipes.ac_dc; "we reset SGD momentum": recipes.restarted
    train the weights whose mask is 1                      train

What was pruned returns at zero. The last decompression phase and the last compression phase are longer.
"""

from collections.abc import Mapping

from ..backend import Array
from ..checks import whole
from ..masks import top_k_of_all


def compressed(step: int, warmup: int, phase: int, last: int) -> bool:
    """Is `step` in a compression phase: of `phase` steps each, every second from `warmup` on, and all from `last` on?

    No compression phase begins unless as long a decompression phase fits in after it, before `last`. Section 4.1, in
    epochs: warmup 10, phase 5, last 85 of 100, so that epochs 75 to 84 are the last decompression phase.
    ValueError unless 1 ≤ phase and 1 ≤ warmup ≤ last.
    """
    phase, warmup = whole("phase", phase, 1), whole("warmup", warmup, 1)
    turn = (step - warmup) // (2 * phase)  # which pair of phases
    begin = warmup + 2 * phase * turn
    return step >= whole("last", last, warmup) or (turn >= 0 and step < begin + phase and begin + 2 * phase <= last)


def ac_dc_masks(weights: Mapping[str, Array], n_keep: int) -> dict[str, Array]:
    """T_k: masks of the `n_keep` largest |w| in one ranking of all layers; a layer may end up empty.

    Ties go to the earlier layer, then to the lower flat index. ValueError for NaN or n_keep out of range.
    Differs from the authors' code, which keeps what exceeds a percentile of |w|: fewer where weights tie.
    """
    return top_k_of_all({name: abs(w) for name, w in weights.items()}, n_keep)
