"""Each method with its schedule, as its paper ran it: the one file where the two meet."""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import ops
from .allocate import density_of
from .autograd import Tensor
from .backend import Array, namespace
from .checks import same_keys, whole
from .masks import Masks
from .methods import l0
from .methods.rigl import rigl_count, rigl_update
from .nn import Layer
from .optim import Optimizer
from .schedule import every
from .train import Method


def forget(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> None:
    """Remember nothing."""


def latest(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Remember this batch's gradients."""
    return grads


def static() -> Method:
    """Masks that never move: the baseline. With no masks at all it is dense training."""
    return Method(observe=forget, decide=lambda weights, masks, memory, step: masks, when=lambda step: False)


def rigl(alpha: float = 0.3, period: int = 100, t_end: int = 25_000, steps: int | None = None) -> Method:
    """RigL (Evci et al. 2020): at ΔT, 2ΔT, … below T_end an update takes the place of the optimizer step.

    alpha α, the drop fraction at first; period ΔT, in batches; t_end T_end, exclusive; steps: the run's length in
    batches, if known, so that a T_end it never reaches is warned of.
    """
    if steps is not None and t_end > steps:
        warnings.warn(
            f"t_end is {t_end}, beyond the run's {steps} steps: masks will still be moving at its end", stacklevel=2
        )

    def decide(weights: dict[str, Array], masks: Masks, grads: dict[str, Array], step: int) -> Mapping[str, Array]:
        k = {name: rigl_count(step, n_active, alpha, t_end) for name, n_active in masks.counts.items()}
        return {name: rigl_update(weights[name], mask, grads[name], k[name]) for name, mask in masks.items()}

    return Method(observe=latest, decide=decide, when=every(period, t_end), pauses=True)


def mnist_densities(sparsity: float) -> dict[str, float]:
    """The densities of RigL's MNIST network (its authors' script): fc1 as asked, fc2 at 0.9 of its sparsity, fc3 dense.

    sparsity in [0, 1): 0.98 gives 4,704 + 3,540 + 1,000 connections of LeNet-300-100.
    """
    return {"fc1.weight": density_of(sparsity), "fc2.weight": density_of(sparsity, of=0.9), "fc3.weight": 1.0}


def l0_loss(
    model: Layer,
    n_examples: int,
    lambda_: float | Mapping[str, float] = 0.1,
    weight_decay: float = 5e-4,
    data_loss: Callable[[Tensor, Any], Tensor] = ops.softmax_cross_entropy,
) -> Callable[[dict[str, Tensor], Any, np.random.Generator], Tensor]:
    """L0 (Louizos et al. 2018): the loss of a gated model on a batch (inputs, targets), for `train` with static().

    n_examples N, the training examples: the penalty on the number of parameters is λ / N, divided here and nowhere
    else, so that the paper's λ = 0.1 / N is lambda_=0.1. A {layer: number} gives each layer its own ("L0-sep").
    weight_decay: of the weights, times the probability of their gate; not divided. Give the optimizer none.
    data_loss(outputs, targets) -> scalar Tensor.

    Differs from the authors' code, which divides the weight decay of LeNet-5 by N, though not that of the MLP.
    """
    whole("n_examples", n_examples, 1)
    per_example: float | dict[str, float]
    if isinstance(lambda_, Mapping):
        per_example = {layer: own / n_examples for layer, own in lambda_.items()}
    else:
        per_example = lambda_ / n_examples

    def loss_fn(params: dict[str, Tensor], batch: Any, rng: np.random.Generator) -> Tensor:
        inputs, targets = batch
        outputs = model(params, inputs, train=True, rng=rng)
        return data_loss(outputs, targets) + l0.penalty(params, per_example, weight_decay)

    return loss_fn


def clamped(optimizer: Optimizer, limit: float = math.log(100)) -> Optimizer:
    """`optimizer`, with every log α put back into ±limit after each step, as the L0 authors' code does at log 100.

    A gate then never goes too far to come back; nor does P(z ≠ 0) go below 4.71 %, so that expected L0 has that
    floor, even where all test gates are closed. ValueError for a limit that is not positive.
    """
    if not limit > 0:
        raise ValueError(f"limit is {limit}; accepted are numbers above 0")

    def update(params: Mapping[str, Array], grads: Mapping[str, Array], slots: dict, step: int) -> tuple[dict, dict]:
        moved, slots = optimizer.update(params, grads, slots, step)
        return {n: namespace(w).clip(w, -limit, limit) if l0.is_gate(n) else w for n, w in moved.items()}, slots

    return Optimizer(optimizer.init, update)


def averaged(
    average: Mapping[str, Array], params: Mapping[str, Array], n: int, beta: float = 0.999
) -> dict[str, Array]:
    """The average of the parameters of n + 1 steps, to evaluate by: those of k steps ago weigh βᵏ.

        average = params
        for step in train(…):
            average = averaged(average, step.params, step.number)

    n: how many were averaged before. The first average is the parameters themselves; all of them are Σ β^(n−i) θ_i
    over Σ β^(n−i), bias-corrected as Adam's moments are. ValueError for β outside [0, 1) or keys that differ.

    Differs from the L0 authors' code, which starts at the initial parameters and yet divides by 1 − β^(n+1); their
    LeNet-5 script does not average at all, for it forgets to hand its --beta_ema on.
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta is {beta}; accepted are numbers from 0 and below 1")
    same_keys(average=average, params=params)
    share = (1 - float(beta)) / (1 - float(beta) ** (whole("n", n, 0) + 1))
    return {name: average[name] + share * (w - average[name]) for name, w in params.items()}
