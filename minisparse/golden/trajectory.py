"""A recorded training run: the training loop on the gradients and noise of a case.

    case["params"]     {name: array}; weight decay acts on names that end in ".weight"
    case["masks"]      {name: bool array}, of some of the parameters; the others stay dense
    case["grads"]      one {name: array} for each step: d loss / d parameter, dense, without weight decay
    case["noise"]      one {name: array} for each step, or None: SET's growth scores, or u of L0's gates
    case["optimizer"]  {"name": "sgd" or "adam", "lr": a number or one for each step, …}
    case["targets"]    {name: array}, of a second part of the loss, Σ ½ (w − target)²; left out where there is none
    case["method"]     {"name": …}: "static", "rigl", "set", "snfs", "gradual", "l0", "three_step" or "lottery", and the
                       numbers of its recipe

In a run of L0 the gradients are those of θ = θ̃ ⊙ z, for all parameters except log α: the case tests the backward pass
through the gates, and the penalty.

Three-step pruning and lottery tickets are several runs in one case: gradients are in the order of steps, `steps` is the
number per round, and pruning comes before a round's first step.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from .. import ops, optim, recipes, schedule
from ..autograd import Tensor
from ..backend import Array
from ..methods import l0
from ..optim import Optimizer
from ..recipes import Progress
from ..train import Method, Step, train


def _returns(function: Any) -> Any:
    return getattr(function, "__annotations__", {}).get("return")


RECIPES: dict[str, Callable[..., Method]] = {  # every recipe of masks that move while weights are trained
    name: recipe for name, recipe in vars(recipes).items() if _returns(recipe) is Method
}
OPTIONS = ("fraction", "fill")
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"sgd": optim.sgd, "adam": optim.adam}


def trajectory(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """{"params", "masks", "slots"} after every step of `train` on the case; nothing is random."""
    numbers = dict(case["method"])
    name, targets = numbers.pop("name"), case.get("targets", {})
    if name in ROUNDS:
        batches = zip(case["grads"], case["grads"], strict=True)
        progress = ROUNDS[name](partial(_given, targets), case["params"], batches, case["optimizer"], **numbers)
        return [_shown(now.step) for now in progress if now.step]
    descent, loss_fn, method = _optimizer(**case["optimizer"]), _given(targets, {}), recipes.static()
    if name == "l0":
        loss_fn, descent = _gated(**numbers), recipes.clamped(descent)
    else:
        method = RECIPES[name](**numbers | {key: _called(**numbers[key]) for key in OPTIONS if key in numbers})
        if case["noise"]:
            noise = iter(case["noise"])
            method = method._replace(observe=lambda memory, grads, rng: next(noise))
    batches = zip(case["grads"], case["noise"] or case["grads"], strict=True)
    steps = train(loss_fn, case["params"], case["masks"], batches, method, np.random.default_rng(0), descent)
    return [_shown(step) for step in steps]


def _shown(step: Step) -> dict[str, Any]:
    return {"params": step.params, "masks": dict(step.masks), "slots": step.slots}


def _called(name: str, **numbers: float) -> Callable:
    """A fraction of the step, or the values of grown weights."""
    return (
        recipes.along_gradient(**numbers) if name == "along_gradient" else partial(getattr(schedule, name), **numbers)
    )


def _three_step(
    loss_fn: Callable, params: Any, batches: Iterable, optimizer: Mapping[str, Any], steps: Any, qualities: Any,
    **how: Any,
) -> Iterable[Progress]:  # fmt: skip
    """Rounds of steps[0], steps[1], … batches; `qualities` of every layer before each round except the first."""
    descent = lambda lr: _optimizer(**{**optimizer, "lr": lr})
    stages, rng = [recipes.Stage(quality) for quality in qualities], np.random.default_rng(0)
    given = lambda number: islice(batches, steps[number])
    return recipes.three_step(loss_fn, params, given, stages, rng, descent, optimizer["lr"], **how)


def _lottery(
    loss_fn: Callable, params: Any, batches: Iterable, optimizer: Mapping[str, Any], steps: int, **how: Any
) -> Iterable[Progress]:
    """Rounds of `steps` batches; rounds after the first skip the batches before `rewind`."""
    given, rng = lambda start: islice(batches, steps - start), np.random.default_rng(0)
    return recipes.lottery(loss_fn({}), params, given, rng=rng, optimizer=_optimizer(**optimizer), **how)


ROUNDS: dict[str, Callable[..., Iterable[Progress]]] = {"three_step": _three_step, "lottery": _lottery}


def _optimizer(name: str, lr: Any, **numbers: Any) -> Optimizer:
    return OPTIMIZERS[name](lr=lr if isinstance(lr, int | float) else lambda step: float(lr[step]), **numbers)


def _given(targets: Mapping[str, Array], rates: Mapping[str, float]) -> Callable[..., Tensor]:
    """The loss Σ g · w, whose gradient is g, plus Σ ½ (w − target)²; under dropout at D the gradient is (1 − D) g."""

    def loss(params: Mapping[str, Tensor], batch: Any, rng: Any) -> Tensor:
        total = _along(params, {name: g * (1 - rates.get(name, 0.0)) for name, g in batch[0].items()})
        off = [params[name] - target for name, target in targets.items()]
        return sum((0.5 * ops.sum(d * d) for d in off), start=total)

    return loss


def _gated(n_examples: int, lambda_: Any, weight_decay: float) -> Callable[..., Tensor]:
    """The L0 loss of θ = θ̃ ⊙ z, with the gates z at the batch's u."""

    def model(params: Mapping[str, Tensor], noise: Mapping[str, Array], **how: Any) -> dict[str, Tensor]:
        z = {layer: l0.gate(log_alpha, noise[f"{layer}.log_alpha"]) for layer, log_alpha in l0.gates(params).items()}
        return l0.switched(params, z)

    given: Any = model  # not a Layer, but called like one
    loss = recipes.l0_loss(given, n_examples, lambda_, weight_decay, data_loss=_along)
    return lambda params, batch, rng: loss(params, (batch[1], batch[0]), rng)


def _along(outputs: Any, grads: Mapping[str, Array]) -> Tensor:
    first, *others = (ops.sum(outputs[name] * g) for name, g in grads.items())
    return sum(others, start=first)
