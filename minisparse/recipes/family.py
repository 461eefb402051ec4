"""Relatives of SET and RigL during training, each with its schedule: Deep R, DSR, GraNet, SRigL and AC/DC."""

import math
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor
from ..backend import Array, namespace
from ..checks import real, same_keys, whole
from ..masks import Masks
from ..methods.ac_dc import ac_dc_masks, compressed
from ..methods.deep_r import crossed, deep_r_update
from ..methods.dsr import dsr_update, next_threshold
from ..methods.granet import granet_prune, regenerate
from ..methods.rigl import rigl_count
from ..methods.srigl import srigl_update
from ..optim import Optimizer, is_weight
from ..schedule import cosine, cubic, every
from ..streams import draw_key, stream
from ..train import Loss, Method
from .watch import Arrays, forget, latest


def granet(
    final: float,
    end: int,
    period: int,
    initial: float = 0.5,
    rate: float = 0.5,
    begin: int = 0,
    steps: int | None = None,
) -> Method:
    """GraNet (Liu et al. 2021): after the optimizer step, prunes the network and regenerates a part of each layer.

    final s_f, the sparsity of all masked layers together, reached at `end`; initial s_i, that of the starting masks:
    0.5 in the paper's sparse-to-sparse training, by ERK, 0 in its dense-to-sparse. Steps begin + ΔT, begin + 2 ΔT, …
    and `end` prune to size − round(s_t · size) connections, half to even, on the cubic schedule.
    rate r: the fraction of its connections that a layer regenerates, rounded down; it falls on a cosine to 0 at `end`.
    steps: the run's length in batches, if known, to warn if it stops before `end`.
    Differs from the authors' code, which regenerates until the run's end, with a rate that falls to 0.005.
    """
    for name, sparsity in (("initial", initial), ("final", final), ("rate", rate)):
        real(name, sparsity, "a number from 0 to 1", lambda sparsity: 0 <= sparsity <= 1)
    if initial > final:
        raise ValueError(f"initial is {initial}, final is {final}; expected initial ≤ final")
    cubic(begin, begin, end, final, initial)  # raises if end is not after begin
    if steps is not None and end >= steps:
        warnings.warn(
            f"end is {end}: the run of {steps} steps ends before it reaches a sparsity of {final}", stacklevel=2
        )
    due = every(period, end, whole("begin", begin, 0) + period)

    def decide(weights: dict[str, Array], masks: Masks, grads: Arrays, step: int) -> Mapping[str, Array]:
        sparsity, part = cubic(step, begin, end, final, initial), cosine(step, rate, end, begin)
        pruned = Masks(granet_prune(weights, masks, min(masks.active, masks.size - round(sparsity * masks.size))))
        k = {name: math.floor(part * n_active) for name, n_active in pruned.counts.items()}
        return {name: regenerate(weights[name], mask, grads[name], k[name]) for name, mask in pruned.items()}

    return Method(observe=latest, decide=decide, when=lambda step: due(step) or step == end)


def dsr(n_target: int, period: int, until: int, threshold: float = 1e-3, tolerance: float = 0.1) -> Method:
    """DSR (Mostafa & Wang 2019): after the optimizer step, moves all weights below an adaptive threshold.

    n_target N_p, how many connections to move each time: the threshold H, at first `threshold`, doubles when fewer than
    (1 − δ) N_p moved, and halves when more than (1 + δ) N_p did; δ is `tolerance`.
    period    batches between changes, doubled after each quarter of `until`, in batches, where they end. The authors'
              CIFAR runs: 100, for 160 of 200 epochs
    Starting masks: random_masks(shapes, uniform(shapes, density), rng), as there.
    """
    whole("n_target", n_target, 1)
    whole("until", until, whole("period", period, 1))
    next_threshold(threshold, 0, n_target, tolerance)  # raises for impossible numbers
    real("threshold", threshold, "a number above 0", lambda threshold: threshold > 0)

    def observe(memory: Any, grads: Arrays, rng: np.random.Generator) -> dict[str, Any]:
        return {"key": draw_key(rng), "threshold": memory["threshold"] if memory else float(threshold)}

    def decide(weights: dict[str, Array], masks: Masks, memory: Any, step: int) -> Mapping[str, Array]:
        return dsr_update(weights, masks, _noise(memory["key"], masks), memory["threshold"])

    def remember(memory: Any, weights: dict[str, Array], masks: Masks) -> dict[str, Any]:
        """What moved is what now lies below the threshold: zeros that grew, and weights that came back at once."""
        limit = memory["threshold"]
        moved = sum(int((mask & (abs(weights[name]) < limit)).sum()) for name, mask in masks.items())
        return memory | {"threshold": next_threshold(limit, moved, n_target, tolerance)}

    return Method(
        observe=observe,
        decide=decide,
        when=lambda step: 0 < step < until and step % (period * 2 ** (4 * step // until)) == 0,
        remember=remember,
    )


def _noise(key: int, masks: Masks) -> Arrays:
    """A random number for every position: more than `ranked_by` draws, since more may grow than a layer lost."""
    return {name: namespace(mask).asarray(stream(key, name).random(mask.shape)) for name, mask in masks.items()}


def deep_r() -> Method:
    """Deep R (Bellec et al. 2018): after every optimizer step, weights that changed sign go, and others come at random.

    Train with `deep_r_loss(loss_fn)` and sgd without momentum, as the paper. Signs never change: those of weights
    after the first batch, and random ones where there is none.
    Differs from the paper, where one that just went dormant is as likely to be drawn as others, and starts at zero: it
    comes last here, since in `train` what returns at once keeps its weight.
    """

    def observe(memory: Any, grads: Arrays, rng: np.random.Generator) -> dict[str, Any]:
        return {"key": draw_key(rng), "negative": memory["negative"] if memory else None}

    def decide(weights: dict[str, Array], masks: Masks, memory: Any, step: int) -> Mapping[str, Array]:
        if (negative := memory["negative"]) is None:
            return masks
        new = {}
        for name, random in _noise(memory["key"], masks).items():
            gone = crossed(weights[name], masks[name], negative[name])
            last = namespace(random).where(gone, -1.0, random)
            new[name] = deep_r_update(weights[name], masks[name], negative[name], last)
        return new

    def remember(memory: Any, weights: dict[str, Array], masks: Masks) -> dict[str, Any]:
        if memory["negative"] is not None:
            return memory
        negative, signs = {}, _noise(memory["key"], masks)
        for name, mask in masks.items():
            negative[name] = mask & (weights[name] < 0) | ~mask & (signs[name] < 0.5)
        return memory | {"negative": negative}

    return Method(observe=observe, decide=decide, when=lambda step: True, remember=remember)


def deep_r_loss(
    loss_fn: Loss, alpha: float = 1e-5, noise: float = 1e-5, include: Callable[[str], bool] = is_weight
) -> Loss:
    """loss_fn + Σ (α |w| + ν w), with ν from N(0, noise²) for every batch, over parameters where `include(name)`.

    By sgd with rate η a weight w = s θ then moves by −η (∂E/∂w + α s + ν): the paper's step, where noise is √(2 T / η).
    Defaults are those of the authors' script for MNIST.
    """
    for name, number in (("alpha", alpha), ("noise", noise)):
        real(name, number, "a finite number from 0", lambda number: 0 <= number < math.inf)

    def restless(params: dict[str, Tensor], batch: Any, rng: np.random.Generator) -> Tensor:
        loss = loss_fn(params, batch, rng)
        for w in (w for name, w in params.items() if include(name)):
            xp, dtype = namespace(w.value), w.value.dtype
            push = xp.asarray(rng.normal(0, noise, w.value.shape), dtype=dtype)
            loss = loss + ops.sum(ops.abs(w)) * float(alpha) + ops.sum(w * push)
        return loss

    return restless


def srigl(
    budget: Mapping[str, int],
    alpha: float = 0.3,
    period: int = 100,
    t_end: int = 25_000,
    gamma: float = 0.3,
    never: Collection[str] = (),
) -> Method:
    """SRigL (Lasby et al. 2024): as `rigl`, an update replaces the optimizer step, with constant fan-in.

    budget    {layer: connections}, those of the starting masks, such as Masks.counts: what a layer may have later too
    gamma     γ_sal: neurons with fewer salient weights than γ_sal · k are ablated; the paper's 0.3 is for convolutional
              networks, 0.95 for transformers
    never     layers whose neurons are never ablated: the last, in the authors' code

    Starting masks: methods.srigl.largest_inputs of random numbers, for every layer.
    """
    rigl_count(0, 0, alpha, t_end)  # raises for impossible numbers
    real("gamma", gamma, "a number from 0 to 1", lambda gamma: 0 <= gamma <= 1)
    if unknown := sorted(set(never) - budget.keys()):
        raise ValueError(f"never names {unknown}; expected layers in {list(budget)}")

    def decide(weights: dict[str, Array], masks: Masks, grads: Arrays, step: int) -> Mapping[str, Array]:
        same_keys(masks=masks, budget=budget)
        k = {name: rigl_count(step, n_active, alpha, t_end) for name, n_active in masks.counts.items()}
        return {
            name: srigl_update(weights[name], mask, grads[name], k[name], budget[name], 0 if name in never else gamma)
            for name, mask in masks.items()
        }

    return Method(observe=latest, decide=decide, when=every(period, t_end), pauses=True)


def ac_dc(density: float, warmup: int, phase: int, last: int) -> Method:
    """AC/DC (Peste et al. 2021): after the last batch of a phase, prunes the whole network, or restores all weights.

    density   of all masked layers together in compression phases, whose connections are rounded half to even
    warmup    batches of dense training; then phases of `phase` batches, the first compressed, in turn; from batch
              `last` on, all is compressed. On ImageNet, by the authors: 10, 5 and 85 of 100 epochs
    Start with masks that are all true, and train with `restarted(optimizer, …)`.
    """
    real("density", density, "a number in (0, 1]", lambda density: 0 < density <= 1)
    sparse = lambda step: compressed(step, warmup, phase, last)
    sparse(0)  # raises for impossible numbers

    def decide(weights: dict[str, Array], masks: Masks, memory: None, step: int) -> Mapping[str, Array]:
        if sparse(step + 1):
            return ac_dc_masks(weights, round(round(density * masks.size, 9)))
        return {name: namespace(mask).ones(mask.shape, dtype=bool) for name, mask in masks.items()}

    return Method(observe=forget, decide=decide, when=lambda step: sparse(step) != sparse(step + 1))


def restarted(optimizer: Optimizer, warmup: int, phase: int, last: int) -> Optimizer:
    """`optimizer` with new slots in the first batch of every decompression phase; the numbers are those of `ac_dc`."""

    def update(params: Arrays, grads: Arrays, slots: dict, step: int) -> tuple[dict[str, Array], dict]:
        begins = compressed(step - 1, warmup, phase, last) and not compressed(step, warmup, phase, last)
        return optimizer.update(params, grads, optimizer.init(params) if begins else slots, step)

    compressed(0, warmup, phase, last)  # raises for impossible numbers
    return Optimizer(optimizer.init, update)
