"""What training by each method costs, from shapes alone: a Task without data, and what its Entry says of it."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from .. import nn
from ..recipes import DENSE_BY_DEFINITION
from ..sparse import training_memory
from .methods import METHODS, unused
from .plan import Build, Plan, Task
from .times import LAST
from .within import shares


def on_paper(plan: Plan, build: Build, shape: nn.Shape, densities: Mapping[str, float], steps: int) -> Task:
    """The Task of a run of `steps` batches, without data; T_end is that of a run in which nobody chose one.

    build(None) is the network of `plan`, build(width) a narrower one. ValueError where the method has none.
    """
    settled: dict[str, Any] = {"t_end": round(LAST * steps), **dict.fromkeys(unused(plan.method))}
    plan = plan._replace(**settled)
    model = build(None)
    sites = nn.sites(model, shape)
    costs = {site.name: site.multiply_adds for site in sites}
    weights = sum(math.prod(site.kernel_shape) for site in sites)
    nothing: Any = ()
    named = Task(plan, {}, model, shape, shape, nothing, nothing, dict(densities), costs, weights, steps, steps)
    return named._replace(model=METHODS[plan.method].model(named, build))


def training(task: Task, dense: float) -> float:
    """Multiply-adds of an example in training, by the formula of the task's method.

    dense: the forward pass of the network that the plan names, by the task's convention.
    """
    entry = METHODS[task.plan.method]
    smaller = {} if entry.arrays.get("method") == "dense" else shares(task, entry.budget(task))
    return entry.formula(task, dense, task.forward(smaller))


def memory(task: Task, batch: int) -> dict[str, dict[str, Any]]:
    """{"masked": bytes, "sparse": bytes} by `training_memory`, where the method has most connections.

    "sparse" has, under "refused", why no such run is possible; then without bytes, but for SNFS, what it would need.
    """
    entry, shapes = METHODS[task.plan.method], task.model.shapes()
    if entry.arrays.get("method") == "dense":
        return {"masked": training_memory(shapes, {}, "dense", batch=batch)}
    count = partial(training_memory, shapes, entry.most(task), **entry.arrays, batch=batch)
    other = [site.name.removesuffix(".weight") for site in nn.sites(task.model, task.shape)
             if site.name in task.densities and site.kind != "linear"]  # fmt: skip
    of_layers = f"{other[0]} is a convolution: keep all such layers dense with --dense conv" if other else ""
    refusal = entry.refusal or of_layers
    known = not other and entry.refusal in ("", DENSE_BY_DEFINITION)
    in_bytes = count(storage="sparse") if known else {}
    return {"masked": count(), "sparse": in_bytes | ({"refused": refusal} if refusal else {})}
