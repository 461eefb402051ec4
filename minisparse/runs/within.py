"""Masks that follow from the weights in every batch, from a Task's budget: Top-KAST, straight-through estimators."""

from collections.abc import Callable, Mapping

from .. import recipes
from ..backend import namespace
from ..masks import project, top_k
from ..streams import stream
from .plan import Arrays, Task
from .starts import active, all_of, loss_of


def twice(task: Task) -> dict[str, int]:
    """Top-KAST's backward counts: twice the forward ones, as sparsities of 90 % and 80 % in the paper."""
    sizes = all_of(task)
    return {name: min(2 * n, sizes[name]) for name, n in active(task).items()}


def top_kast_loss(task: Task) -> Callable:
    return recipes.top_kast_loss(loss_of(task.model), active(task), twice(task), task.plan.weight_decay)


def top_kast_kept(task: Task, params: Arrays, masks: Arrays) -> Arrays:
    return {name: top_k(abs(params[name]), n) for name, n in active(task).items()}


def top_kast_weights(task: Task, params: Arrays) -> Arrays:
    return recipes.top_kast_weights(params, active(task))


def top_kast_cost(task: Task, dense: float, sparse: float) -> float:
    """Outputs and gradients of inputs by the forward set, gradients of weights for the backward set."""
    forward, backward = (task.forward(shares(task, n(task))) for n in (active, twice))
    return 2 * forward + backward


def shares(task: Task, n: Mapping[str, int]) -> dict[str, float]:
    """Counts of connections as densities."""
    sizes = all_of(task)
    return {name: count / sizes[name] for name, count in n.items()}


def straight_loss(task: Task) -> Callable:
    return recipes.straight_through_loss(loss_of(task.model), active(task), random=task.plan.method == "ste-random")


def straight_kept(task: Task, params: Arrays, masks: Arrays) -> Arrays:
    """The largest weights; for "ste-random", a draw by the run's seed, as good as any of its batches'."""
    noise = None
    if task.plan.method == "ste-random":
        shapes = task.model.shapes()
        drawn = {name: stream(task.plan.seed, name).random(shapes[name]) for name in task.densities}
        noise = {name: namespace(params[name]).asarray(numbers) for name, numbers in drawn.items()}
    return recipes.straight_through_masks(params, active(task), noise)


def straight_weights(task: Task, params: Arrays) -> Arrays:
    return project(params, straight_kept(task, params, {}))


def straight_cost(task: Task, dense: float, sparse: float) -> float:
    """Outputs and gradients of inputs by the weights seen, gradients of weights for all."""
    return 2 * task.forward(shares(task, active(task))) + task.forward({})
