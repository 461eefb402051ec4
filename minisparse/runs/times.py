"""When masks change in a run: the defaults of ΔT and T_end, and whether they change at all."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .. import allocate
from ..methods.rigl import rigl_count
from ..schedule import cosine
from .plan import Plan, Task

PERIOD = 100  # ΔT of RigL's paper, in runs with room for UPDATES of them
UPDATES = 10
LAST = 0.75  # T_end as a fraction of the run, as in RigL's ImageNet runs


def settled(plan: Plan, steps: int) -> dict[str, int]:
    """T_end and ΔT: those given, else 75 % of the run, and 100 batches or a tenth of T_end if that is less."""
    t_end = round(LAST * steps) if plan.t_end is None else plan.t_end
    return {"t_end": t_end, "delta_t": _period(min(t_end, steps)) if plan.delta_t is None else plan.delta_t}


def _period(t_end: int) -> int:
    return max(1, min(PERIOD, t_end // UPDATES))


class Idle(NamedTuple):
    """Why masks never change in a run, and options with which they do."""

    because: str
    options: Mapping[str, Any]


def refuse_idle(task: Task, idle: Callable[[Task], Idle | None]) -> None:
    """ValueError for a run whose method has masks that change, and would never change them."""
    if found := idle(task):
        tried = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in found.options.items())
        raise ValueError(f"{found.because}: {task.plan.method} would never change a mask. Try {tried}")


def by_period(task: Task) -> Idle | None:
    """At ΔT, 2 ΔT, … below T_end."""
    plan: Any = task.plan
    if plan.delta_t >= min(plan.t_end, task.steps):
        return Idle(f"{_numbers(task)}, and updates are at ΔT, 2 ΔT, … below T_end", _better(task, reaches=False))
    return None


def by_batches(task: Task) -> Idle | None:
    """RigL: at ΔT, 2 ΔT, … below T_end, by a fraction α."""
    plan: Any = task.plan
    if not 0 <= plan.alpha <= 1:
        return None  # which the method itself refuses
    if never := by_period(task):
        return never
    moved = lambda period: _fraction(task, "alpha", lambda alpha, n: rigl_count(period, n, alpha, plan.t_end))
    if (idle := moved(plan.delta_t)) and not moved(sooner := _period(min(plan.t_end, task.steps))):
        return Idle(f"{_numbers(task)}, and at ΔT the drop fraction is too small to move a connection",
                    {"delta_t": sooner})  # fmt: skip
    return idle


def by_epochs(name: str, falls: bool) -> Callable[[Task], Idle | None]:
    """SET and SNFS: after every epoch but the last. falls: is the fraction, option `name`, on a cosine to 0."""

    def idle(task: Task) -> Idle | None:
        if not 0 <= getattr(task.plan, name) <= 1:
            return None  # which the method itself refuses
        if task.plan.epochs < 2:
            return Idle("--epochs is 1, and updates are after every epoch but the last", {"epochs": 2})
        share = cosine(task.per_epoch - 1, 1.0, task.steps) if falls else 1.0
        return _fraction(task, name, lambda fraction, n: math.floor(share * fraction * n))

    return idle


def to_the_end(task: Task) -> Idle | None:
    """Gradual pruning: every ΔT from T_end / 4, where the sparsity is still 0, and at T_end."""
    plan: Any = task.plan
    if min(plan.t_end // 4 + plan.delta_t, plan.t_end) >= task.steps:
        return Idle(f"{_numbers(task)}, and pruning is at ΔT, 2 ΔT, … after T_end / 4, and at T_end",
                    _better(task, reaches=True))  # fmt: skip
    return None


def _numbers(task: Task) -> str:
    plan = task.plan
    return f"--delta-t is {plan.delta_t} and --t-end {plan.t_end} in a run of {task.steps} batches"


def _better(task: Task, reaches: bool) -> dict[str, int]:
    """Options with which there are updates. reaches: must T_end be in the run."""
    plan: Any = task.plan
    epochs = plan.epochs if task.steps > 3 else math.ceil(4 / task.per_epoch)
    steps = epochs * task.per_epoch
    kept = 2 <= plan.t_end < steps + (not reaches)
    t_end = plan.t_end if kept else round(LAST * steps)
    better = {"epochs": epochs, "t_end": t_end, "delta_t": _period(min(t_end, steps))}
    return {name: value for name, value in better.items() if value != getattr(plan, name)}


def _fraction(task: Task, name: str, moved: Callable[[float, int], int]) -> Idle | None:
    """Does the drop fraction, option `name`, move nothing? moved(fraction, connections of a layer)."""
    shapes = task.shapes
    counts, given = allocate.counts(shapes, task.densities), getattr(task.plan, name)
    if all(counts[layer] in (0, math.prod(shape)) for layer, shape in shapes.items()):
        return Idle(f"--sparsity is {task.plan.sparsity}, and no layer has both connections and room for others",
                    {"sparsity": 0.9 if task.plan.sparsity == 0 else 0.5})  # fmt: skip
    if any(moved(given, n) for n in counts.values()):
        return None
    most = max(counts.values())
    enough = next((fraction for fraction in (Plan._field_defaults[name], 1.0) if moved(fraction, most)), None)
    return Idle(
        f"--{name.replace('_', '-')} is {given:g}, and no layer has more than {most:,} connections",
        {"sparsity": 0.5} if enough is None else {name: enough},
    )
