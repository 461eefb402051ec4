"""What `--method NAME` means: one entry a method."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import flops, nn, ops, recipes, sparse
from ..backend import to_device
from ..checks import real
from ..data import batches
from ..masks import random_masks
from ..methods import l0
from ..optim import Optimizer, adam, sgd
from ..schedule import multi_step_rate
from ..sparse import Positions
from ..train import Method
from .plan import Arrays, Build, Task


def _cross_entropy(task: Task) -> Callable:
    return lambda p, batch, rng: ops.softmax_cross_entropy(task.model(p, batch[0], train=True, rng=rng), batch[1])


def _descent(task: Task) -> Optimizer:
    plan = task.plan
    if plan.optimizer == "adam":
        return adam(rate_of(task), weight_decay=plan.weight_decay)
    return sgd(rate_of(task), plan.momentum, plan.nesterov, plan.weight_decay)


class Entry(NamedTuple):
    """How a method is had by its name. What an entry leaves out is as in dense training.

    about      a few words
    options    the fields of Plan that it uses and not every method does
    model      (task, width -> the named network) -> the network to train
    masks      (task, params, rng) -> masks before training
    method     (task) -> how they change during training
    loss       (task) -> loss_fn as `train` takes it
    optimizer  (task) -> Optimizer
    kept       (params, masks) -> masks of the weights that there are at inference
    before     batches that go through the dense network before training, whose weights it starts from
    gradient   when it needs the gradient of absent weights too: "never", "updates" or "always"
    refusal    why it cannot be stored truly sparse, a sentence; "" where it can
    formula    (task, dense, sparse) -> multiply-adds of an example and step, as papers count; None where none does
    """

    about: str
    options: tuple[str, ...] = ()
    model: Callable[[Task, Build], nn.Chain] = lambda task, build: task.model
    masks: Callable[[Task, Arrays, np.random.Generator], Arrays] = lambda task, params, rng: {}
    method: Callable[[Task], Method] = lambda task: recipes.static()
    loss: Callable[[Task], Callable] = _cross_entropy
    optimizer: Callable[[Task], Optimizer] = _descent
    kept: Callable[[Arrays, Arrays], Arrays] = lambda params, masks: masks
    before: int = 0
    gradient: str = "never"
    refusal: str = ""
    formula: Callable[[Task, float, float], float] | None = lambda task, dense, sparse: 3 * sparse


def _formula(name: str) -> Callable[[Task, float, float], float]:
    return lambda task, dense, sparse: flops.training_cost(name, dense, sparse, task.plan.delta_t)


def _at_random(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    shapes = {name: task.model.shapes()[name] for name in task.densities}
    return (sparse.random_positions if task.plan.storage == "sparse" else random_masks)(shapes, task.densities, rng)


def _all(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    shapes = {name: task.model.shapes()[name] for name in task.densities}
    if task.plan.storage == "sparse":
        return {name: Positions(np.arange(math.prod(shape)), shape) for name, shape in shapes.items()}
    return {name: np.ones(shape, bool) for name, shape in shapes.items()}


def _snip(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    """By the first batch of the run, and with the connections of the whole budget."""
    batch = next(batches(*task.train_set, task.plan.batch, task.plan.seed))
    params = to_device(dict(params), task.plan.device)
    return recipes.snip(_cross_entropy(task), params, [batch], _density(task), rng, task.densities.__contains__)


def _density(task: Task) -> float:
    """Of all weights in the budget."""
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
    """From a quarter of T_end on, every ΔT batches, to the budget's sparsity in every layer at T_end."""
    plan: Any = task.plan
    return recipes.gradual(1 - _density(task), plan.t_end // 4, plan.t_end, plan.delta_t, steps=task.steps)


def _gradual_cost(task: Task, dense: float, sparse: float) -> float:
    plan: Any = task.plan
    return flops.pruning_cost(dense, sparse, plan.t_end // 4, plan.t_end, task.steps, period=1)


def _narrow(task: Task, build: Build) -> nn.Chain:
    """The widest network of the family that has no more parameters than the sparse one."""
    shapes = task.model.shapes()
    absent = sum((1 - density) * math.prod(shapes[name]) for name, density in task.densities.items())
    measure = lambda model: sum(map(math.prod, model.shapes().values()))
    return recipes.small_dense(build, measure(task.model) - absent, measure)[1]


def _gated(task: Task, build: Build) -> nn.Chain:
    """Gates on the inputs of linear layers and the outputs of convolutions, half of them open."""
    kinds = {site.name.removesuffix(".weight"): site.kind for site in nn.sites(task.model, task.shape)}
    return nn.gated(task.model, {name: 0.5 for name, kind in kinds.items() if kind != "depthwise"})


def _l0_loss(task: Task) -> Callable:
    return recipes.l0_loss(task.model, len(task.train_set[1]), task.plan.penalty, task.plan.weight_decay)


def _l0_optimizer(task: Task) -> Optimizer:
    return recipes.clamped(_descent(task._replace(plan=task.plan._replace(weight_decay=0.0))))


NO_MASKS = "it trains no sparse weights"
BUDGET = ("sparsity", "distribution", "dense")
TIMES = ("delta_t", "t_end")
METHODS = {
    "dense": Entry("all weights", refusal=NO_MASKS),
    "small-dense": Entry("a narrower network with as many parameters", BUDGET, model=_narrow, refusal=NO_MASKS),
    "static": Entry("random masks that stay", BUDGET, masks=_at_random),
    "snip": Entry("masks by sensitivity before training", BUDGET, masks=_snip, before=1),
    "set": Entry("random growth after every epoch", (*BUDGET, "zeta"), masks=_at_random, method=_set),
    "snfs": Entry(
        "growth by smoothed gradients after every epoch", (*BUDGET, "prune_rate"),
        masks=_at_random, method=_snfs, gradient="always", formula=_formula("snfs"),
        refusal=recipes.DENSE_BY_DEFINITION,
    ),
    "rigl-random": Entry(
        "rigl with random growth", (*BUDGET, "alpha", *TIMES),
        masks=_at_random, method=lambda task: _rigl(task, watch=recipes.noise),
    ),
    "rigl": Entry(
        "growth by gradients every ΔT batches", (*BUDGET, "alpha", *TIMES),
        masks=_at_random, method=_rigl, gradient="updates", formula=_formula("rigl"),
    ),
    "gradual": Entry(
        "pruning by magnitude every ΔT batches up to T_end", (*BUDGET, *TIMES),
        masks=_all, method=_gradual, formula=_gradual_cost,
    ),
    "lottery": Entry(
        "rounds of training and pruning before it, each rewound", (*BUDGET, "rounds"), masks=_all, formula=None
    ),
    "l0": Entry(
        "gates that close in training, with a sparsity that is an outcome; its paper: --optimizer adam --lr 0.001",
        ("penalty",),
        model=_gated, loss=_l0_loss, optimizer=_l0_optimizer,
        kept=lambda params, masks: l0.masks(params), formula=_formula("dense"), refusal=NO_MASKS,
    ),
}  # fmt: skip
PARTICULAR = {option for entry in METHODS.values() for option in entry.options}


def rate_of(task: Task) -> Callable[[int], float]:
    """The learning rate at a step. ValueError for options that make none."""
    plan = task.plan
    options = {"--lr": (plan.lr,), "--lr-factor": (plan.lr_factor,), "--lr-drops": plan.lr_drops}
    for option, own in ((option, own) for option, given in options.items() for own in given):
        real(option, own, "finite numbers from 0", lambda own: 0 <= own < math.inf)
    return multi_step_rate(plan.lr, [round(epoch * task.per_epoch) for epoch in plan.lr_drops], plan.lr_factor)
