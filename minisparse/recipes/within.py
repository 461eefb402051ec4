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

    n_examples N, the training examples: the penalty on the number of parameters is λ / N, divided only here: the
    paper's λ = 0.1 / N is lambda_=0.1. A {layer: number} gives each layer a λ ("L0-sep").
    weight_decay: of the weights, times the probability of their gate; not divided by N. The optimizer gets none.
    data_loss(outputs, targets) -> scalar Tensor.

    Differs from the authors' code, which divides the weight decay of LeNet-5 by N, though not that of the MLP. The MLP
    of the paper's table 1 needs 5e-4 / N (experiments/louizos.py).
    """
    whole("n_examples", n_examples, 1)
    for price in lambda_.values() if isinstance(lambda_, Mapping) else (lambda_,):
        real("lambda_", price, "a finite number", lambda price: math.isfinite(price))
    per_example: float | dict[str, float]
    if isinstance(lambda_, Mapping):
        per_example = {layer: price / n_examples for layer, price in lambda_.items()}
    else:
        per_example = lambda_ / n_examples

    def loss_fn(params: dict[str, Tensor], batch: Any, rng: np.random.Generator) -> Tensor:
        inputs, targets = batch
        outputs = model(params, inputs, train=True, rng=rng)
        return data_loss(outputs, targets) + l0.penalty(params, per_example, weight_decay)

    return loss_fn


def clamped(optimizer: Optimizer, limit: float = math.log(100)) -> Optimizer:
    """`optimizer`, with every log α clipped to ±limit after each step, as the L0 authors' code does at log 100.

    Gates then never drift too far to reopen. P(z ≠ 0) never falls below 4.71 %, so expected L0 has that floor, even if
    all test gates are closed. ValueError for a limit that is not positive.
    """
    real("limit", limit, "a number above 0", lambda limit: limit > 0)

    def update(params: Mapping[str, Array], grads: Mapping[str, Array], slots: dict, step: int) -> tuple[dict, dict]:
        moved, slots = optimizer.update(params, grads, slots, step)
        return {n: namespace(w).clip(w, -limit, limit) if l0.is_gate(n) else w for n, w in moved.items()}, slots

    return Optimizer(optimizer.init, update)


def averaged(
    average: Mapping[str, Array], params: Mapping[str, Array], n: int, beta: float = 0.999
) -> dict[str, Array]:
    """The average of the parameters of n + 1 steps, for evaluation: those of k steps ago have weight βᵏ.

        average = params
        for step in train(…):
            average = averaged(average, step.params, step.number)

    n: how many steps `average` contains. The first average is the parameters themselves; every average is
    Σ β^(n−i) θ_i / Σ β^(n−i), bias-corrected as Adam's moments. ValueError for β outside [0, 1) or keys that differ.

    Differs from the L0 authors' code, which starts at the initial parameters and still divides by 1 − β^(n+1); their
    LeNet-5 script does not average at all, since it does not pass its --beta_ema on.
    """
    real("beta", beta, "a number in [0, 1)", lambda beta: 0 <= beta < 1)
    same_keys(average=average, params=params)
    share = (1 - float(beta)) / (1 - float(beta) ** (whole("n", n, 0) + 1))
    return {name: average[name] + share * (w - average[name]) for name, w in params.items()}
