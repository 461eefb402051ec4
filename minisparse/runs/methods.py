"""What `--method NAME` means: one Entry per method."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import flops, nn, ops, recipes, sparse
from ..backend import Array, to_device, to_numpy
from ..checks import real
from ..data import batches
from ..looks import LOOKS, Look
from ..masks import random_masks
from ..methods import l0
from ..optim import Optimizer, adam, sgd
from ..schedule import multi_step_rate
from ..sparse import Positions
from ..storage import projected
from ..train import Method
from . import times
from .plan import Arrays, Build, Plan, Task

Formula = Callable[[Task, float, float], float]


def loss_of(model: nn.Layer, loss: Callable = ops.softmax_cross_entropy) -> Callable:
    """What `train` takes: `loss` of the labels and of the network's outputs in training."""
    return lambda params, batch, rng: loss(model(params, batch[0], train=True, rng=rng), batch[1])


def _descent(task: Task) -> Optimizer:
    plan = task.plan
    if plan.optimizer == "adam":
        return adam(rate_of(task), weight_decay=plan.weight_decay)
    return sgd(rate_of(task), plan.momentum, plan.nesterov, plan.weight_decay)


def _by_paper(name: str) -> Formula:
    return lambda task, dense, sparse: flops.training_cost(name, dense, sparse, task.plan.delta_t)


DENSE, STATIC, SNIP, SET, SNFS, RIGL = map(_by_paper, ("dense", "static", "snip", "set", "snfs", "rigl"))


class Entry(NamedTuple):
    """What `--method NAME` does. Fields with a default are as in dense training.

    about      a few words
    look       in figures
    formula    (task, dense, sparse) -> multiply-adds per example and step, as papers count; None where none does
    options    fields of Plan that it uses and that some methods do not
    model      (task, width -> the named network) -> the network to train
    masks      (task, params, rng) -> masks before training
    method     (task) -> how they change during training
    loss       (task) -> loss_fn as `train` takes it
    optimizer  (task) -> Optimizer
    kept       (params, masks) -> masks of the weights present at inference
    before     batches through the dense network before training, with its initial weights
    gradient   when it needs the gradient of absent weights: "never", "updates" or "always"
    idle       (task) -> why it would never change a mask in this run; None if it does
    refusal    why it cannot be stored truly sparse, a sentence; "" where it can
    """

    about: str
    look: Look
    formula: Formula | None
    options: tuple[str, ...] = ()
    model: Callable[[Task, Build], nn.Chain] = lambda task, build: task.model
    masks: Callable[[Task, Arrays, np.random.Generator], Arrays] = lambda task, params, rng: {}
    method: Callable[[Task], Method] = lambda task: recipes.static()
    loss: Callable[[Task], Callable] = lambda task: loss_of(task.model)
    optimizer: Callable[[Task], Optimizer] = _descent
    kept: Callable[[Arrays, Arrays], Arrays] = lambda params, masks: masks
    before: int = 0
    gradient: str = "never"
    idle: Callable[[Task], times.Idle | None] = lambda task: None
    refusal: str = ""


def _at_random(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    shapes = {name: task.model.shapes()[name] for name in task.densities}
    return (sparse.random_positions if task.plan.storage == "sparse" else random_masks)(shapes, task.densities, rng)


def _all(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    shapes = {name: task.model.shapes()[name] for name in task.densities}
    if task.plan.storage == "sparse":
        return {name: Positions(np.arange(math.prod(shape)), shape) for name, shape in shapes.items()}
    return {name: np.ones(shape, bool) for name, shape in shapes.items()}


def _snip(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    """From the first batch of the run, with the connections of the whole budget in one ranking."""
    batch = next(batches(*task.train_set, task.plan.batch, task.plan.seed))
    params = to_device(dict(params), task.plan.device)
    return recipes.snip(loss_of(task.model), params, [batch], _density(task), rng, task.densities.__contains__)


def _grasp(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    """From the first ten examples of each class in the run; logits divided by 200, as in the authors' code."""
    x, y = next(batches(*task.train_set, len(task.train_set[1]), task.plan.seed))
    y_on_cpu = to_numpy(y)
    first = np.sort(np.concatenate([np.flatnonzero(y_on_cpu == label)[:10] for label in np.unique(y_on_cpu)]))
    loss = loss_of(task.model, lambda logits, labels: ops.softmax_cross_entropy(logits / 200.0, labels))
    params, batch = to_device((_in_full(params), (x[first], y[first])), task.plan.device)
    return _stored(task, recipes.grasp(loss, params, [batch], _density(task), rng, task.densities.__contains__))


def _synflow(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    """In a hundred rounds, in float64, with batch norm's statistics 0 and 1: it needs no data."""
    params = to_device({name: p.astype("float64") for name, p in _in_full(params).items()}, task.plan.device)
    norms = {name.removesuffix(".scale"): p for name, p in params.items() if name.endswith(".scale")}
    stats = {f"{n}.{what}": 0 * p + value for n, p in norms.items() for what, value in (("mean", 0), ("var", 1))}
    x = to_device(np.ones((1, *task.shape)), task.plan.device)
    outputs = lambda p, x: task.model(p, x, stats=stats)
    return _stored(task, recipes.synflow(outputs, params, x, _density(task), include=task.densities.__contains__))


def _in_full(params: Arrays) -> dict[str, Array]:
    """Dense arrays, of implicit weights too: these rankings need them before training."""
    every = lambda p: Positions(np.arange(math.prod(p.shape)), p.shape)
    full = {name: projected(p, every(p)) if isinstance(p, sparse.ImplicitWeight) else p for name, p in params.items()}
    return {name: sparse.dense(p) for name, p in full.items()}


def _stored(task: Task, masks: Arrays) -> Arrays:
    """Masks of a ranking of all weights, in the storage of the run."""
    if task.plan.storage != "sparse":
        return masks
    return {name: Positions(np.flatnonzero(to_numpy(mask)), mask.shape) for name, mask in masks.items()}


def _density(task: Task) -> float:
    """Of all weights in the budget together."""
    sizes = {name: math.prod(task.model.shapes()[name]) for name in task.densities}
    return math.fsum(density * sizes[name] for name, density in task.densities.items()) / sum(sizes.values())


def _rigl(task: Task, **watch: Any) -> Method:
    plan: Any = task.plan
    return recipes.rigl(plan.alpha, plan.delta_t, plan.t_end, task.steps, **watch)


def _set(task: Task) -> Method:
    return recipes.set(task.plan.zeta, task.per_epoch, task.plan.epochs)


def _snfs(task: Task) -> Method:
    return recipes.snfs(task.plan.prune_rate, task.per_epoch, task.plan.epochs)


def _gradual(task: Task) -> Method:
    """Every ΔT batches from T_end / 4 to T_end, where every layer has the budget's overall sparsity."""
    plan: Any = task.plan
    return recipes.gradual(1 - _density(task), plan.t_end // 4, plan.t_end, plan.delta_t, steps=task.steps)


def _gradual_cost(task: Task, dense: float, sparse: float) -> float:
    plan: Any = task.plan
    return flops.pruning_cost(dense, sparse, plan.t_end // 4, plan.t_end, task.steps, period=1)


def _narrow(task: Task, build: Build) -> nn.Chain:
    """The widest network of the family with no more parameters than the sparse one."""
    shapes = task.model.shapes()
    absent = sum((1 - density) * math.prod(shapes[name]) for name, density in task.densities.items())
    measure = lambda model: sum(map(math.prod, model.shapes().values()))
    return recipes.small_dense(build, measure(task.model) - absent, measure)[1]


def _gated(task: Task, build: Build) -> nn.Chain:
    """Gates on the inputs of linear layers and the outputs of convolutions, with a drop rate of one half at first."""
    kinds = {site.name.removesuffix(".weight"): site.kind for site in nn.sites(task.model, task.shape)}
    return nn.gated(task.model, {name: 0.5 for name, kind in kinds.items() if kind != "depthwise"})


def _l0_loss(task: Task) -> Callable:
    return recipes.l0_loss(task.model, len(task.train_set[1]), task.plan.penalty, task.plan.weight_decay)


def _l0_optimizer(task: Task) -> Optimizer:
    return recipes.clamped(_descent(task._replace(plan=task.plan._replace(weight_decay=0.0))))


def checked(methods: dict[str, Entry]) -> dict[str, Entry]:
    """`methods`. ValueError naming an entry that contradicts itself or Plan, or looks like another."""
    seen: dict[tuple[str, str], str] = {}
    for name, entry in methods.items():
        other = seen.setdefault((entry.look.colour, entry.look.marker), name)
        if other != name:
            raise ValueError(f"{name} has the colour and marker of {other}; expected a look of its own")
        if entry.gradient != "never" and entry.formula in (STATIC, SNIP, SET):
            raise ValueError(f"{name} needs dense gradients ({entry.gradient}); expected a formula that counts them")
        if unknown := [option for option in entry.options if option not in Plan._fields]:
            raise ValueError(f"{name} has option {unknown[0]!r}; expected fields of Plan")
        if 0 < len(set(BUDGET) & set(entry.options)) < len(BUDGET):
            raise ValueError(f"{name} has some of the options {', '.join(BUDGET)}; expected all or none")
    return methods


NO_MASKS = "it trains no sparse weights"
BUDGET = ("sparsity", "distribution", "dense")
TIMES = ("delta_t", "t_end")
METHODS = checked({
    "dense": Entry("all weights", LOOKS["dense"], DENSE, refusal=NO_MASKS),
    "small-dense": Entry(
        "a narrower network with as many parameters", LOOKS["small-dense"], STATIC, BUDGET,
        model=_narrow, refusal=NO_MASKS,
    ),
    "static": Entry("fixed random masks", LOOKS["static"], STATIC, BUDGET, masks=_at_random),
    "snip": Entry("masks by sensitivity before training", LOOKS["snip"], SNIP, BUDGET, masks=_snip, before=1),
    "grasp": Entry(
        "masks by gradient flow before training", LOOKS["grasp"], SNIP, BUDGET, masks=_grasp, before=3
    ),
    "synflow": Entry("masks by synaptic flow, without data", LOOKS["synflow"], SNIP, BUDGET, masks=_synflow, before=1),
    "set": Entry(
        "random growth after every epoch", LOOKS["set"], SET, (*BUDGET, "zeta"), masks=_at_random, method=_set,
        idle=times.by_epochs("zeta", falls=False),
    ),
    "snfs": Entry(
        "growth by smoothed gradients after every epoch", LOOKS["snfs"], SNFS, (*BUDGET, "prune_rate"),
        masks=_at_random, method=_snfs, gradient="always", idle=times.by_epochs("prune_rate", falls=True),
        refusal=recipes.DENSE_BY_DEFINITION,
    ),
    "rigl-random": Entry(
        "rigl with random growth", LOOKS["rigl-random"], STATIC, (*BUDGET, "alpha", *TIMES),
        masks=_at_random, method=lambda task: _rigl(task, watch=recipes.noise), idle=times.by_batches,
    ),
    "rigl": Entry(
        "growth by gradients every ΔT batches", LOOKS["rigl"], RIGL, (*BUDGET, "alpha", *TIMES),
        masks=_at_random, method=_rigl, gradient="updates", idle=times.by_batches,
    ),
    "gradual": Entry(
        "pruning by magnitude every ΔT batches up to T_end", LOOKS["gradual"], _gradual_cost, (*BUDGET, *TIMES),
        masks=_all, method=_gradual, idle=times.to_the_end,
    ),
    "lottery": Entry(
        "rounds of training and pruning, rewinding after each", LOOKS["lottery"], None, (*BUDGET, "rounds"), masks=_all
    ),
    "l0": Entry(
        "gates that close during training, to a sparsity it finds; its paper: --optimizer adam --lr 0.001",
        LOOKS["l0"], DENSE, ("penalty",), model=_gated, loss=_l0_loss, optimizer=_l0_optimizer,
        kept=lambda params, masks: l0.masks(params), refusal=NO_MASKS,
    ),
})  # fmt: skip


def users(option: str) -> list[str]:
    """The methods that use a field of Plan; none for a field that every method uses."""
    return [name for name, entry in METHODS.items() if option in entry.options]


def unused(method: str) -> list[str]:
    """The fields of Plan that only other methods use."""
    return [option for option in Plan._fields if (names := users(option)) and method not in names]


def rate_of(task: Task) -> Callable[[int], float]:
    """The learning rate at a step. ValueError for options that give none."""
    plan = task.plan
    options = {"--lr": (plan.lr,), "--lr-factor": (plan.lr_factor,), "--lr-drops": plan.lr_drops}
    for option, value in ((option, value) for option, given in options.items() for value in given):
        real(option, value, "a finite number from 0", lambda value: 0 <= value < math.inf)
    return multi_step_rate(plan.lr, [round(epoch * task.per_epoch) for epoch in plan.lr_drops], plan.lr_factor)
