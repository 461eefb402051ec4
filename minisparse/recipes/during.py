"""During training: masks change. RigL, SET, SNFS and gradual pruning, each with its schedule."""

import math
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..backend import Array
from ..checks import real, whole
from ..masks import Masks
from ..methods.magnitude import magnitude_mask
from ..methods.rigl import rigl_count, rigl_update
from ..methods.set import set_counts, set_update, set_update_by_magnitude
from ..methods.snfs import shares, snfs_update
from ..schedule import cosine, cubic, every
from ..train import Method
from .structured import Choice
from .watch import Arrays, Fill, Fraction, Observe, forget, latest, noise, ranked_by, smoothed


def rigl(
    alpha: float = 0.3,
    period: int = 100,
    t_end: int = 25_000,
    steps: int | None = None,
    *,
    fraction: Fraction | None = None,
    watch: Observe = latest,
    fill: Fill | None = None,
) -> Method:
    """RigL (Evci et al. 2020): at ΔT, 2ΔT, … below T_end an update replaces the optimizer step.

    alpha α, the initial drop fraction; period ΔT, in batches; t_end T_end, exclusive; steps: the run's length in
    batches, if known, to warn if the run ends before T_end.

    Variants compared in the paper:
    fraction  step -> drop fraction, instead of α on a cosine: partial(linear, alpha=0.3, t_end=25_000), constant,
              inverse_power (app. G)
    watch     growth scores: `latest` gradients, `noise`, `smoothed(0.9)` gradients (app. D)
    fill      initial values of grown weights, if not zero: random_values(0.01), along_gradient(0.01) (sec. 3)
    """
    _check_fraction("alpha", alpha)
    real("t_end", t_end, "a number above 0", lambda t_end: t_end > 0)
    if steps is not None and t_end > steps:
        warnings.warn(
            f"t_end is {t_end}, beyond the run's {steps} steps: masks will still change at its end", stacklevel=2
        )
    if period >= (last := t_end if steps is None else min(t_end, steps)):
        warnings.warn(f"period is {period}, and updates end before step {last}: masks never change; try period "
                      f"{max(1, int(last) // 10)}", stacklevel=2)  # fmt: skip

    def count(step: int, n_active: int) -> int:
        return rigl_count(step, n_active, alpha, t_end) if fraction is None else _part(fraction(step), n_active)

    def decide(weights: dict[str, Array], masks: Masks, memory: Any, step: int) -> Mapping[str, Array]:
        k = {name: count(step, n_active) for name, n_active in masks.counts.items()}
        grads = ranked_by(memory, masks)
        return {name: rigl_update(weights[name], mask, grads[name], k[name]) for name, mask in masks.items()}

    return Method(observe=watch, decide=decide, when=every(period, t_end), pauses=True, fill=fill)


def set(  # in this file the word is the method's
    zeta: float = 0.3,
    epoch: int | None = None,
    epochs: int | None = None,
    *,
    period: int | None = None,
    until: int | None = None,
    fraction: Fraction | None = None,
    by_sign: bool = True,
    fill: Fill | None = None,
) -> Method:
    """SET (Mocanu et al. 2018): rewires at random after the optimizer step, every epoch but the last.

    zeta      ζ, the fraction of positive and of negative weights dropped
    epoch     batches per epoch, with `epochs`, the number of epochs; or
    period    with `until`: rewire at period, 2 period, … batches below `until`
    fraction  step -> drop fraction, instead of ζ
    by_sign   False: drop the smallest magnitudes of either sign, as in Evci et al.'s comparison
    fill      initial values of grown weights, if not zero: random_values(0.1) in the authors' SciPy code

    Starting masks: random_masks(shapes, from_epsilon(shapes, 20), rng) with the paper's ε, or, for a density,
    random_masks(shapes, erdos_renyi(shapes, 0.1), rng). The output layer is rewired too if it has a mask.
    """
    _check_fraction("zeta", zeta)
    when, _ = _rewirings(epoch, epochs, period, until)

    def update(weight: Array, mask: Array, random: Array, part: float) -> Array:
        if by_sign:
            return set_update(weight, mask, random, *set_counts(weight, mask, part))
        return set_update_by_magnitude(weight, mask, random, _part(part, int(mask.sum())))

    def decide(weights: dict[str, Array], masks: Masks, key: int, step: int) -> Mapping[str, Array]:
        part, random = zeta if fraction is None else fraction(step), ranked_by(key, masks)
        return {name: update(weights[name], mask, random[name], part) for name, mask in masks.items()}

    return Method(observe=noise, decide=decide, when=when, fill=fill)


def snfs(
    rate: float = 0.5,
    epoch: int | None = None,
    epochs: int | None = None,
    beta: float = 0.9,
    redistribute: bool = True,
    *,
    period: int | None = None,
    until: int | None = None,
    fraction: Fraction | None = None,
    fill: Fill | None = None,
) -> Method:
    """SNFS, sparse momentum (Dettmers & Zettlemoyer 2019): rewires after the optimizer step, every epoch but the last.

    rate          the initial drop fraction p; it falls on a cosine to 0 at the run's end
    epoch         batches per epoch, with `epochs`, the number of epochs; or
    period        with `until`: rewire at period, 2 period, … batches below `until`, where p is 0
    beta          of the smoothed gradients, which are dense and kept by the method, independent of the optimizer
    redistribute  False: every layer regrows as many connections as it lost
    fraction      step -> drop fraction, instead of p on a cosine
    fill          initial values of grown weights, if not zero

    A layer less than 20 % sparse, with more than an equal share of the momentum, drops min(p, its sparsity).
    Starting masks: random_masks(shapes, uniform(shapes, density), rng). Differs from the authors' code, where the
    drop fraction ends at 0.005, not 0.
    """
    _check_fraction("rate", rate)
    when, length = _rewirings(epoch, epochs, period, until)
    fall = partial(cosine, alpha=rate, t_end=length) if fraction is None else fraction

    def lowered(p: float, n_active: int, size: int, grows: bool) -> float:
        sparsity = (size - n_active) / max(size, 1)
        return min(p, sparsity) if grows and sparsity < 0.2 else p

    def decide(weights: Arrays, masks: Masks, momentum: dict[str, Array], step: int) -> Mapping[str, Array]:
        p, share = fall(step), shares(momentum, masks)
        n_drop = {
            name: _part(lowered(p, n_active, masks[name].size, grows=share[name] > 1 / len(masks)), n_active)
            for name, n_active in masks.counts.items()
        }
        if redistribute:
            return snfs_update(weights, masks, momentum, n_drop)
        alone = [[{name: tree[name]} for tree in (weights, masks, momentum, n_drop)] for name in masks]
        return {name: mask for layer in alone for name, mask in snfs_update(*layer).items()}

    return Method(observe=smoothed(beta), decide=decide, when=when, fill=fill)


def _part(fraction: float, n_active: int) -> int:
    """A drop fraction of a layer's connections, rounded down."""
    _check_fraction("fraction", fraction)
    return math.floor(fraction * n_active)


def _check_fraction(name: str, fraction: float) -> None:
    real(name, fraction, "a drop fraction from 0 to 1", lambda fraction: 0 <= fraction <= 1)


def _rewirings(
    epoch: int | None, epochs: int | None, period: int | None, until: int | None
) -> tuple[Callable[[int], bool], int]:
    """When to rewire, and the length of the schedule, in batches."""
    if epoch is not None and epochs is not None and period is None and until is None:
        length = whole("epoch", epoch, 1) * whole("epochs", epochs, 1)
        return every(epoch, until=length - 1, begin=epoch - 1), length
    if period is not None and until is not None and epoch is None and epochs is None:
        if period >= until:
            warnings.warn(f"period is {period}, until {until}: masks never change; try period {max(1, until // 10)}",
                          stacklevel=3)  # fmt: skip
        return every(period, until), until
    given = {"epoch": epoch, "epochs": epochs, "period": period, "until": until}
    raise ValueError(f"got {given}; expected epoch and epochs, or period and until")


def gradual(
    final: float,
    begin: int,
    end: int,
    period: int,
    initial: float = 0.0,
    steps: int | None = None,
    *,
    choose: Choice = magnitude_mask,
) -> Method:
    """Gradual pruning (Zhu & Gupta 2017): drop the smallest weights of every layer to sparsity s_t (eq. 1).

    Sparsity rises from `initial` at step `begin` to `final` at `end`; steps begin, begin + period, … and `end` prune,
    after the optimizer step. A layer keeps size − round(s_t · size) connections, half to even; none
    returns. steps: the run's length in batches, if known, to warn if it stops before `end`.
    choose: (weight, at most how many to keep, mask) -> mask. In place of single weights, in_units, in_blocks_of((4, 4))
    and in_groups_of(4) keep whole groups.
    """
    for name, sparsity in (("initial", initial), ("final", final)):
        real(name, sparsity, "a number", lambda sparsity: True)
    if not 0 <= initial <= final <= 1:
        raise ValueError(f"initial is {initial}, final is {final}; expected 0 ≤ initial ≤ final ≤ 1")
    cubic(begin, begin, end, final, initial)  # raises if end is not after begin
    if steps is not None and end >= steps:
        warnings.warn(
            f"end is {end}, and the last of the run's {steps} steps is {steps - 1}: "
            f"the run ends before it reaches a sparsity of {final}; try begin {steps // 4} and end {3 * steps // 4}",
            stacklevel=2,
        )
    due = every(period, end, begin)

    def decide(weights: dict[str, Array], masks: Masks, memory: None, step: int) -> Mapping[str, Array]:
        sparsity = cubic(step, begin, end, final, initial)
        keep = {name: min(n, masks[name].size - round(sparsity * masks[name].size)) for name, n in masks.counts.items()}
        return {name: choose(weights[name], keep[name], mask) for name, mask in masks.items()}

    return Method(observe=forget, decide=decide, when=lambda step: due(step) or step == end)
