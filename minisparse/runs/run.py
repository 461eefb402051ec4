"""Running a Task: from its start or last checkpoint to its result."""

import math
import platform
from collections.abc import Generator, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from .. import flops, nn, ops, recipes, sparse
from ..backend import Array, to_device, to_numpy
from ..data import batches
from ..masks import Masks, project
from ..records import (
    COUNT,
    FLAG,
    FRACTION,
    LOSS,
    NUMBER,
    NUMBER_OR_NULL,
    POSITIVE,
    TEXT,
    WHOLE,
    check,
    read_json,
    write_json,
)
from ..sparse import everywhere
from ..streams import draw_key
from ..train import State, train
from .folder import CHECKPOINT, CONFIG, RESULT, claim, difference, load_state, metrics, recorded
from .methods import METHODS, rate_of, unused
from .plan import Arrays, Plan, Task
from .prepare import prepare

LINE = {"step": COUNT, "loss": NUMBER, "rewired": FLAG, "multiply_adds": COUNT, "accuracy?": FRACTION}
COSTS = {
    "inference": COUNT, "inference_dense": POSITIVE, "training_by_formula": NUMBER_OR_NULL,
    "training_as_it_was": NUMBER, "training_dense": POSITIVE,
}  # fmt: skip
OUTCOME = {
    "test_accuracy": FRACTION, "test_loss": LOSS, "weights": POSITIVE, "active": COUNT, "layers": {str: COUNT},
    "multiply_adds": COSTS,
}  # fmt: skip
DATA = {"name": TEXT, "train": COUNT, "test": COUNT, "sha256": TEXT}
KINDS: dict[Any, Any] = {  # of the fields of Plan, by type, in JSON
    str: TEXT, str | None: TEXT, bool: FLAG, float: NUMBER, int: WHOLE, int | None: WHOLE,
    tuple[str, ...]: [TEXT], tuple[float, ...]: [NUMBER],
}  # fmt: skip
CALIBRATION = 20  # batches for batch norm's statistics at inference
CHUNK = 500  # examples evaluated at a time,
CHUNK_NUMBERS = 1 << 25  # or fewer, where a layer's outputs would be more numbers than this


def go(task: Task, directory: str | Path) -> Generator[dict[str, Any], None, None]:
    """Run `task` in `directory`, from where it stopped or from its start: yields its lines of metrics.

    A line has the step (batches before this one), loss, learning rate, whether masks were rewired, active weights
    after it, and multiply-adds per example; after the last batch of an epoch also the test accuracy. A finished run
    yields none. A lottery ticket's rounds before the last have folders inside, and "round" in their lines.
    ValueError naming what differs if `directory` holds another run.
    """
    directory, device = Path(directory), task.plan.device
    claim(directory, task.config)
    if (directory / RESULT).exists():
        return
    ticket = origin = _origin(task)
    for number in range(task.plan.rounds or 0):
        run = partial(_steps, task, _round(directory, number), ticket, {"round": number})
        yield from recorded(_round(directory, number), run, task.per_epoch, device)
        trained = _state(task, _round(directory, number) / CHECKPOINT)
        shares = {name: 1 - density ** (1 / task.plan.rounds) for name, density in task.densities.items()}
        ticket = recipes.winning_ticket(origin, trained, shares)
    yield from recorded(directory, partial(_steps, task, directory, ticket, {}), task.per_epoch, device)
    write_json(directory / RESULT, _result(task, directory))


def folders(task: Task, directory: str | Path) -> list[Path]:
    """Where the lines of metrics of a run are: a folder for every round of a lottery ticket, the last at the end."""
    return [*(_round(Path(directory), number) for number in range(task.plan.rounds or 0)), Path(directory)]


def _round(directory: Path, number: int) -> Path:
    return directory / f"round-{number}"


def finish(plan: Plan, directory: str | Path, data_dir: str | Path | None = None) -> dict[str, Any]:
    """Finish a run, on one BLAS thread, and return its result."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        for _ in go(prepare(plan, data_dir), directory):
            pass
    return outcome(directory)


def outcome(directory: str | Path) -> dict[str, Any]:
    """The result of the finished run in `directory`. ValueError naming file and key if it is damaged."""
    return read_json(Path(directory) / RESULT, OUTCOME)


def lines_of(directory: str | Path) -> list[dict[str, Any]]:
    """The lines of metrics of the run in `directory`. ValueError naming file, line and key if one is damaged."""
    return metrics(directory, LINE)


def _origin(task: Task) -> State:
    """The first state of the run: a function of its seed."""
    entry, rng = METHODS[task.plan.method], np.random.default_rng(task.plan.seed)
    optimizer, in_full = entry.optimizer(task), None
    if task.plan.storage == "sparse":
        optimizer = sparse.on_values(optimizer)
        in_full = everywhere(task.shapes)
    if in_full and not entry.before:
        masks = Masks(entry.masks(task, {}, rng))
        params = task.model.init(rng, masks=masks)
    else:
        params = task.model.init(rng, masks=in_full)
        masks = Masks(to_numpy(dict(entry.masks(task, params, rng))))
        params = project(params, masks)
    return to_device(State(0, params, masks, optimizer.init(params), None, draw_key(rng)), task.plan.device)


def _steps(
    task: Task, directory: Path, origin: State, also: Mapping[str, Any], start: State | None
) -> Iterator[tuple[State, dict[str, Any]]]:
    """States and lines of metrics of a round, from `start` if given; every line contains `also`.

    ValueError, before the first, if `start`, the checkpoint in `directory`, is of another run.
    """
    if start and (odd := difference(_form(start), _form(origin))):
        raise ValueError(f"{directory / CHECKPOINT} is of another run: {odd}")
    return _from(task, start or origin, also)


def _from(task: Task, start: State, also: Mapping[str, Any]) -> Iterator[tuple[State, dict[str, Any]]]:
    plan, entry, rate = task.plan, METHODS[task.plan.method], rate_of(task)
    run = train(
        entry.loss(task),
        start.params,
        start.masks,
        batches(*task.train_set, plan.batch, plan.seed, start.number, task.steps),
        entry.method(task),
        np.random.default_rng(plan.seed),
        entry.optimizer(task),
        start,
    )
    dense, sparse = flops.forward(task.costs, start.masks)
    always = entry.step_cost and entry.step_cost(task)
    present = sum(_counts(task, start.params, start.masks).values())
    for step in run:
        if step.rewired or entry.recount:
            present = sum(_counts(task, step.params, step.masks).values())
        needs_dense_grad = entry.gradient == "always" or (entry.gradient == "updates" and step.rewired)
        line = {
            **also,
            "step": step.number,
            "loss": step.loss,
            "rate": rate(step.number),
            "rewired": step.rewired,
            "active": present,
            "multiply_adds": round(always or 2 * sparse + (dense if needs_dense_grad else sparse)),
        }
        if step.rewired:
            _, sparse = flops.forward(task.costs, step.masks)
        if (step.number + 1) % task.per_epoch == 0:
            line["accuracy"] = evaluate(task, step.params)["accuracy"]
        yield step.state, line


def _form(state: State) -> dict[str, Any]:
    """What all states of a run share, ready for JSON."""
    masks = {f"mask of {name}": [type(mask).__name__, *mask.shape] for name, mask in state.masks.items()}
    return _shapes(state) | masks | {"slots": list(state.slots), "key": state.key}


def _shapes(state: State) -> dict[str, list[int]]:
    return {name: list(array.shape) for name, array in state.params.items()}


def _counts(task: Task, params: Arrays, masks: Arrays) -> dict[str, int]:
    """{site name: weights present}, dense layers included."""
    shapes = task.model.shapes()
    sizes = {name: math.prod(shapes[name]) for name in task.costs}
    return sizes | Masks(METHODS[task.plan.method].kept(task, params, masks)).counts


def evaluate(task: Task, params: Mapping[str, Array]) -> dict[str, float]:
    """{"accuracy", "loss"} on the test set."""
    stats, (inputs, labels) = statistics(task, params), task.test_set
    params = METHODS[task.plan.method].inference(task, params)
    right, loss = 0, 0.0
    widest = max(site.outputs for site in nn.sites(task.model, task.shape))
    chunk = max(1, min(CHUNK, CHUNK_NUMBERS // widest))
    for begin in range(0, len(labels), chunk):
        x, y = inputs[begin : begin + chunk], labels[begin : begin + chunk]
        logits = task.model(params, x, stats=stats).value
        right += int((logits.argmax(axis=1) == y).sum())
        loss += float(ops.softmax_cross_entropy(logits, y).value) * len(y)
    return {"accuracy": right / len(labels), "loss": loss / len(labels)}


def statistics(task: Task, params: Mapping[str, Array]) -> dict[str, Array]:
    """Batch norm's statistics of the first batches of the run, at these parameters."""
    if not any(name.endswith(".scale") for name in params):
        return {}
    seen = batches(*task.train_set, task.plan.batch, task.plan.seed, stop=CALIBRATION)
    return nn.recalibrate(task.model, METHODS[task.plan.method].inference(task, params), seen)


def _result(task: Task, directory: Path) -> dict[str, Any]:
    """The outcome of a finished run, and what it cost."""
    state, entry = _state(task, directory / CHECKPOINT), METHODS[task.plan.method]
    counts, dense = _counts(task, state.params, state.masks), sum(task.whole.values())
    _, inference = flops.forward(task.costs, entry.kept(task, state.params, state.masks))
    _, trained = flops.forward(task.costs, state.masks)
    lines = (line for folder in folders(task, directory) for line in lines_of(folder))
    did = 3 * dense * entry.before + sum(line["multiply_adds"] for line in lines)
    return {
        **{f"test_{name}": value for name, value in evaluate(task, state.params).items()},
        "weights": task.weights,
        "active": sum(counts.values()),
        "layers": counts,
        "multiply_adds": {
            "inference": round(inference),
            "inference_dense": dense,
            "training_by_formula": entry.formula(task, dense, trained),
            "training_as_it_was": did / task.steps,
            "training_dense": 3 * dense,
        },
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }


def plan_of(directory: str | Path) -> Plan:
    """The plan of the run in `directory`. ValueError if there is none."""
    path = Path(directory) / CONFIG
    if not path.exists():
        raise ValueError(f"{directory} holds no run: there is no {CONFIG}")
    config = read_json(path, {"method": TEXT, "data": DATA})
    free = {*unused(config["method"]), *(name for name, default in Plan._field_defaults.items() if default is None)}
    kinds = {name: KINDS[hint] for name, hint in get_type_hints(Plan).items() if name != "data"}
    check(config, {name + "?" * (name in free): kind for name, kind in kinds.items()}, str(path))
    asked: dict[str, Any] = {name: config[name] for name in Plan._fields if name in config}
    asked |= {name: tuple(value) for name, value in asked.items() if isinstance(value, list)}
    return Plan(**asked | {"data": config["data"]["name"]})


def task_of(directory: str | Path, plan: Plan, data_dir: str | Path | None = None) -> Task:
    """The task of `plan`, which is that of the run in `directory`; a ValueError names its file."""
    try:
        return prepare(plan, data_dir)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{Path(directory) / CONFIG}: {error}") from error


def reopen(directory: str | Path, data_dir: str | Path | None = None) -> tuple[Task, State]:
    """The task and last state of the run in `directory`. ValueError if there is none, or its data has changed."""
    path, task = Path(directory) / CHECKPOINT, task_of(directory, plan_of(directory), data_dir)
    known = read_json(Path(directory) / CONFIG, {"data": DATA})["data"]["sha256"]
    if task.data["sha256"] != known:
        raise ValueError(f"{task.plan.data} is not the data of {directory}: its hash is not {known[:16]}…")
    if not path.exists():
        raise ValueError(f"{directory} holds a run without a checkpoint yet")
    return task, _state(task, path)


def _state(task: Task, path: Path) -> State:
    """The state in a checkpoint. ValueError if it is not of the task's network."""
    state = load_state(path, task.plan.device)
    if odd := difference(_shapes(state), task.model.shapes()):
        raise ValueError(f"{path} is of another run: {odd}")
    return state
