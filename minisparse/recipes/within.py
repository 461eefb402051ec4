"""Within the objective: the gates of L0 (Louizos et al. 2018), Top-KAST's two sets, straight-through estimators."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor
from ..backend import Array, namespace
from ..checks import real, same_keys, same_shapes, whole
from ..masks import top_k
from ..methods import l0
from ..methods.straight_through import seen_mask
from ..methods.top_kast import forward_and_backward, strength
from ..nn import Layer
from ..optim import Optimizer
from ..train import Arrays, Loss


def l0_loss(
    model: Layer,
    n_examples: int,
    lambda_: float | Mapping[str, float] = 0.1,
    weight_decay: float = 5e-4,
    data_loss: Callable[[Tensor, Any], Tensor] = ops.softmax_cross_entropy,
) -> Loss:
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

    def update(params: Arrays, grads: Arrays, slots: dict, step: int) -> tuple[dict, dict]:
        moved, slots = optimizer.update(params, grads, slots, step)
        return {n: namespace(w).clip(w, -limit, limit) if l0.is_gate(n) else w for n, w in moved.items()}, slots

    return Optimizer(optimizer.init, update)


def averaged(average: Arrays, params: Arrays, n: int, beta: float = 0.999) -> dict[str, Array]:
    """The average of the parameters of n + 1 steps, for evaluation: those of k steps ago have weight βᵏ.

        average = params
        for step in train(…):
            average = averaged(average, step.params, step.number)

    n: how many steps `average` contains. The first average is the parameters themselves; every average is
    Σ β^(n−i) θ_i / Σ β^(n−i), bias-corrected as Adam's moments. ValueError for β outside [0, 1), and for keys or shapes
    that differ.

    Differs from the L0 authors' code, which starts at the initial parameters and still divides by 1 − β^(n+1); their
    LeNet-5 script does not average at all, since it does not pass its --beta_ema on.
    """
    real("beta", beta, "a number in [0, 1)", lambda beta: 0 <= beta < 1)
    same_keys(average=average, params=params)
    for name, w in params.items():
        same_shapes(**{f"parameter {name!r}": w, "its average": average[name]})
    share = (1 - float(beta)) / (1 - float(beta) ** (whole("n", n, 0) + 1))
    return {name: average[name] + share * (w - average[name]) for name, w in params.items()}


def top_kast_loss(
    loss_fn: Loss, n_forward: Mapping[str, int], n_backward: Mapping[str, int], weight_decay: float = 1e-4
) -> Loss:
    """Top-KAST (Jayakumar et al. 2020): loss_fn of the weights in A, with gradients for those in B, and the penalty.

    n_forward, n_backward {name: connections}: the sizes of A and B. weight_decay: of weights in A; that of weights in
    B∖A is divided by the layer's forward density, others have none. Train all weights, with static(), without masks, by
    `top_kast_optimizer(optimizer, n_backward)`; the network is that of `top_kast_weights`.
    Differs from the paper, which chooses A and B anew after every 100 batches, as an approximation: here in each.
    """
    same_keys(n_forward=n_forward, n_backward=n_backward)
    for name, n in n_forward.items():
        whole(f"n_forward of {name!r}", n, 0, whole(f"n_backward of {name!r}", n_backward[name], 0))
    real("weight_decay", weight_decay, "a finite number from 0", lambda decay: 0 <= decay < math.inf)

    def explored(params: dict[str, Tensor], batch: Any, rng: np.random.Generator) -> Tensor:
        seen, penalty = dict(params), None
        for name, n in n_forward.items():
            w = params[name]
            a, b = forward_and_backward(w.value, n, n_backward[name])
            in_a, in_b, cost = (mask.astype(w.dtype) for mask in (a, b, strength(a, b)))
            seen[name] = w * in_b + w.value * (in_a - in_b)  # α, with the gradient of θ in B
            decay = ops.sum(w * w * cost)
            penalty = decay if penalty is None else penalty + decay
        loss = loss_fn(seen, batch, rng)
        return loss if penalty is None else loss + penalty * (float(weight_decay) / 2)

    return explored


def top_kast_optimizer(optimizer: Optimizer, n_backward: Mapping[str, int]) -> Optimizer:
    """`optimizer`, moving only the weights in B; those outside keep their values, and have no slots.

    The optimizer itself must have no weight decay on these layers: it is part of `top_kast_loss`.
    """

    def update(params: Arrays, grads: Arrays, slots: dict, step: int) -> tuple[dict, dict]:
        moved, slots = optimizer.update(params, grads, slots, step)
        inside = {name: top_k(abs(params[name]), n) for name, n in n_backward.items()}
        where = lambda name, a, b: namespace(a).where(inside[name], a, b) if name in inside else a
        held = {
            slot: {name: where(name, a, 0) for name, a in arrays.items()} if isinstance(arrays, Mapping) else arrays
            for slot, arrays in slots.items()
        }
        return {name: where(name, w, params[name]) for name, w in moved.items()}, held

    return Optimizer(optimizer.init, update)


def top_kast_weights(params: Arrays, n_forward: Mapping[str, int]) -> dict[str, Array]:
    """`params` with the weights of the layers in `n_forward` zero outside A: the network to use and to evaluate."""
    return dict(params) | {name: params[name] * top_k(abs(params[name]), n) for name, n in n_forward.items()}


def straight_through_loss(
    loss_fn: Callable[[dict[str, Tensor], Any, np.random.Generator], Tensor],
    n_keep: Mapping[str, int],
    random: bool = False,
) -> Callable[[dict[str, Tensor], Any, np.random.Generator], Tensor]:
    """Straight-through estimators: loss_fn of the largest weights, whose gradients all weights get.

    n_keep {name: connections}; random: those of each batch are drawn from its rng. Train all weights, with static(),
    without masks, by any optimizer; the network is that of project(params, straight_through_masks(params, n_keep)).
    Differs from jaxpruner, whose sparsity may grow by a schedule: here it is that of n_keep throughout.
    """
    for name, n in n_keep.items():
        whole(f"n_keep of {name!r}", n, 0)

    def estimated(params: dict[str, Tensor], batch: Any, rng: np.random.Generator) -> Tensor:
        values = {name: params[name].value for name in n_keep}
        noise = {name: namespace(w).asarray(rng.random(w.shape)) for name, w in values.items()} if random else None
        seen = dict(params)
        for name, mask in straight_through_masks(values, n_keep, noise).items():
            seen[name] = params[name] + values[name] * (mask.astype(values[name].dtype) - 1)  # m θ, with gradient 1
        return loss_fn(seen, batch, rng)

    return estimated


def straight_through_masks(
    params: Mapping[str, Array], n_keep: Mapping[str, int], noise: Mapping[str, Array] | None = None
) -> dict[str, Array]:
    """{name: the mask of the forward pass}, by magnitude, or where `noise` {name: array} is largest."""
    return {name: seen_mask(params[name], n, None if noise is None else noise[name]) for name, n in n_keep.items()}
