"""Masks before training, from a Task's budget: at random, of everything, or by the papers that choose them once."""

import math
from collections.abc import Callable

import numpy as np

from .. import ops, recipes, sparse
from ..allocate import counts
from ..backend import Array, namespace, to_device, to_numpy
from ..data import batches
from ..masks import random_masks
from ..nn import Layer
from ..sparse import Positions
from ..storage import projected
from .plan import Arrays, Task


def loss_of(model: Layer, loss: Callable = ops.softmax_cross_entropy) -> Callable:
    """What `train` takes: `loss` of the labels and of the network's outputs in training."""
    return lambda params, batch, rng: loss(model(params, batch[0], train=True, rng=rng), batch[1])


def at_random(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    choose = sparse.random_positions if task.plan.storage == "sparse" else random_masks
    return choose(task.shapes, task.densities, rng)


def everything(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    shapes = task.shapes
    if task.plan.storage == "sparse":
        return {name: Positions(np.arange(math.prod(shape)), shape) for name, shape in shapes.items()}
    return {name: np.ones(shape, bool) for name, shape in shapes.items()}


def all_of(task: Task) -> dict[str, int]:
    """The weights of every layer in the budget, as `everything` keeps them."""
    return {name: math.prod(shape) for name, shape in task.shapes.items()}


def by_snip(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    """From the first batch of the run, with the connections of the whole budget in one ranking."""
    batch = next(batches(*task.train_set, task.plan.batch, task.plan.seed))
    params = to_device(dict(params), task.plan.device)
    return recipes.snip(loss_of(task.model), params, [batch], density(task), rng, task.densities.__contains__)


def by_grasp(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    """From the first ten examples of each class in the run; logits divided by 200, as in the authors' code."""
    x, y = next(batches(*task.train_set, len(task.train_set[1]), task.plan.seed))
    y_on_cpu = to_numpy(y)
    first = np.sort(np.concatenate([np.flatnonzero(y_on_cpu == label)[:10] for label in np.unique(y_on_cpu)]))
    loss = loss_of(task.model, lambda logits, labels: ops.softmax_cross_entropy(logits / 200.0, labels))
    first = namespace(y).asarray(first)
    params, batch = to_device((_in_full(params), (x[first], y[first])), task.plan.device)
    return _stored(task, recipes.grasp(loss, params, [batch], density(task), rng, task.densities.__contains__))


def by_synflow(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    """In a hundred rounds, in float64, with batch norm's statistics 0 and 1: it needs no data."""
    params = to_device({name: p.astype("float64") for name, p in _in_full(params).items()}, task.plan.device)
    norms = {name.removesuffix(".scale"): p for name, p in params.items() if name.endswith(".scale")}
    stats = {f"{n}.{what}": 0 * p + value for n, p in norms.items() for what, value in (("mean", 0), ("var", 1))}
    x = to_device(np.ones((1, *task.shape)), task.plan.device)
    outputs = lambda p, x: task.model(p, x, stats=stats)
    return _stored(task, recipes.synflow(outputs, params, x, density(task), include=task.densities.__contains__))


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


def density(task: Task) -> float:
    """Of all weights in the budget together; 1 if there are none."""
    sizes = all_of(task)
    kept = math.fsum(density * sizes[name] for name, density in task.densities.items())
    return kept / sum(sizes.values()) if sizes else 1.0


def active(task: Task) -> dict[str, int]:
    """The connections of every layer in the budget."""
    return counts(task.shapes, task.densities)
