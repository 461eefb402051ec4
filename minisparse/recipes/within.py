"""Within the objective: the hard concrete gates of L0 (Louizos et al. 2018)."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor
from ..backend import Array, namespace
from ..checks import real, same_keys, whole
from ..methods import l0
from ..nn import Layer
from ..optim import Optimizer


def l0_loss(
    model: Layer,
    n_examples: int,
    lambda_: float | Mapping[str, float] = 0.1,
    weight_decay: float = 5e-4,
    data_loss: Callable[[Tensor, Any], Tensor] = ops.softmax_cross_entropy,
) -> Callable[[dict[str, Tensor], Any, np.random.Generator], Tensor]:
    """L0 (Louizos et al. 2018): the loss of a gated model on a batch (inputs, targets), for `train` with static().

    n_examples N, the training examples: the penalty on the number of parameters is λ / N, divided here and nowhere
    else, so that the paper's λ = 0.1 / N is lambda_=0.1. A {layer: number} gives each layer a λ ("L0-sep").
    weight_decay: of the weights, times the probability of their gate; not divided. Give the optimizer none.
    data_loss(outputs, targets) -> scalar Tensor.

    Differs from the authors' code, which divides the weight decay of LeNet-5 by N, though not that of the MLP. The MLP
    of the paper's table 1 is reached with 5e-4 / N (experiments/louizos.py).
    """
    whole("n_examples", n_examples, 1)
    for price in lambda_.values() if isinstance(lambda_, Mapping) else (lambda_,):
        real("lambda_", price, "finite numbers", lambda price: math.isfinite(price))
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
    real("limit", limit, "numbers above 0", lambda limit: limit > 0)

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
    real("beta", beta, "numbers from 0 and below 1", lambda beta: 0 <= beta < 1)
    same_keys(average=average, params=params)
    share = (1 - float(beta)) / (1 - float(beta) ** (whole("n", n, 0) + 1))
    return {name: average[name] + share * (w - average[name]) for name, w in params.items()}
