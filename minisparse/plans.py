"""What `minisparse train` is asked for, as a Plan; the Task that it names; and the run that comes of it."""

import hashlib
import math
import platform
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import __version__, flops, nn, ops, recipes
from .backend import Array, to_device
from .checks import whole
from .data import READERS, Dataset, as_inputs, batches, from_file, load
from .masks import Masks, random_masks
from .names import allotted, network
from .optim import sgd
from .runs import CHECKPOINT, CONFIG, RESULT, claim, load_state, metrics, read_json, recorded, write_json
from .schedule import multi_step_rate
from .train import Method, State, train

CALIBRATION = 20  # batches that batch norm's statistics at inference are of
CHUNK = 500  # examples that are evaluated at a time


class Plan(NamedTuple):
    """The options of a run as the command line has them, without "--" and with "_" for "-".

    data: a name that data.load knows, or a file that data.from_file reads. t_end: three quarters of the steps unless
    given. lr_drops: epochs after each of which the learning rate is multiplied by lr_factor.
    """

    method: str = "rigl"
    model: str = "lenet-300-100"
    data: str = "digits"
    label: str | None = None
    standardize: bool = False
    sparsity: float = 0.9
    distribution: str = "erk"
    dense: tuple[str, ...] = ()
    epochs: int = 50
    batch: int = 100
    lr: float = 0.1
    lr_drops: tuple[float, ...] = ()
    lr_factor: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    alpha: float = 0.3
    delta_t: int = 100
    t_end: int | None = None
    seed: int = 0
    device: str = "cpu"


class Task(NamedTuple):
    """What a Plan names, in memory.

    plan        with None for the options that its method has no use for
    data        {"name", "train", "test", "sha256"}: which data, how many examples, and the hash of all of it
    shape       of one example as the model takes it; image: as it is in the data
    train_set, test_set   float32 inputs and integer labels, on the plan's device
    densities   {name: density} of the weights in the budget
    per_epoch, steps      batches
    """

    plan: Plan
    data: dict[str, Any]
    model: nn.Layer
    shape: nn.Shape
    image: nn.Shape
    train_set: Dataset
    test_set: Dataset
    densities: dict[str, float]
    per_epoch: int
    steps: int

    @property
    def config(self) -> dict[str, Any]:
        """All that decides the run, as JSON has it."""
        asked = {name: value for name, value in self.plan._asdict().items() if value is not None}
        return {"minisparse": __version__, **asked, "data": self.data}

    @property
    def costs(self) -> dict[str, int]:
        """Multiply-adds of one example forward, {site name: dense}."""
        return {site.name: site.multiply_adds for site in nn.sites(self.model, self.shape)}


class Entry(NamedTuple):
    """How a method is had by its name.

    about      a few words
    masks      (task, params, rng) -> masks before training
    method     (task) -> how they change during training
    options    the fields of Plan that it uses and not every method does
    formula    its name in flops.training_cost
    gradient   when it needs the gradient of absent weights too: "never", "updates" or "always"
    """

    about: str
    masks: Callable[[Task, Mapping[str, Array], np.random.Generator], Mapping[str, Array]]
    method: Callable[[Task], Method]
    options: tuple[str, ...] = ()
    formula: str = "static"
    gradient: str = "never"


def _at_random(task: Task, params: Mapping[str, Array], rng: np.random.Generator) -> Masks:
    return random_masks({name: params[name].shape for name in task.densities}, task.densities, rng)


def _rigl(task: Task) -> Method:
    assert task.plan.t_end is not None
    return recipes.rigl(task.plan.alpha, task.plan.delta_t, task.plan.t_end, task.steps)


BUDGET = ("sparsity", "distribution", "dense")
MOVES = (*BUDGET, "alpha", "delta_t", "t_end")
METHODS = {
    "dense": Entry("no masks", lambda task, params, rng: {}, lambda task: recipes.static(), formula="dense"),
    "static": Entry("random masks that never move", _at_random, lambda task: recipes.static(), BUDGET),
    "rigl": Entry("grow where the gradient is largest", _at_random, _rigl, MOVES, "rigl", "updates"),
}
PARTICULAR = {option for entry in METHODS.values() for option in entry.options}


def prepare(plan: Plan, data_dir: str | Path | None = None) -> Task:
    """Read the data and describe the network. ValueError naming the option that cannot be as it is."""
    if plan.method not in METHODS:
        raise ValueError(f"--method is {plan.method!r}; accepted are {', '.join(METHODS)}")
    unused = PARTICULAR - set(METHODS[plan.method].options)
    sets = [_read(plan, data_dir, split) for split in ("train", "test")]
    (examples, labels), (test_examples, test_labels) = sets
    image = examples.shape[1:]
    classes = int(labels.max()) + 1

    def example(own: nn.Shape) -> nn.Shape:
        if len(own) > len(image):
            raise ValueError(f"--model is {plan.model!r}, which takes images; an example of {plan.data} is {image}")
        return image if len(own) == len(image) else (math.prod(image),)

    model, shape = network(plan.model, example, classes)
    per_epoch = len(examples) // whole("--batch", plan.batch, 1, len(examples))
    steps = whole("--epochs", plan.epochs, 1) * per_epoch
    settled: dict[str, Any] = {"t_end": plan.t_end or round(0.75 * steps)} | dict.fromkeys(unused)
    plan = plan._replace(**settled)
    densities: dict[str, float] = {}
    if plan.sparsity is not None:
        densities, full = allotted(nn.sites(model, shape), plan.sparsity, plan.distribution, plan.dense)
        densities = {name: density for name, density in densities.items() if name not in full}

    inputs, test_inputs = _inputs(examples), _inputs(test_examples)
    if plan.standardize:
        mean, std = inputs.mean(axis=0), inputs.std(axis=0)
        std[std == 0] = 1
        inputs, test_inputs = (inputs - mean) / std, (test_inputs - mean) / std
    arrays = ((inputs.reshape(-1, *shape), labels), (test_inputs.reshape(-1, *shape), test_labels))
    train_set, test_set = to_device(arrays, plan.device)
    data = {"name": plan.data, "train": len(labels), "test": len(test_labels), "sha256": _hash(sets)}
    return Task(plan, data, model, shape, image, train_set, test_set, densities, per_epoch, steps)


def _read(plan: Plan, data_dir: str | Path | None, split: str) -> Dataset:
    if plan.data in READERS:
        return load(plan.data, data_dir, split)
    if not Path(plan.data).suffix:
        raise ValueError(f"--data is {plan.data!r}; accepted are {', '.join(READERS)}, and .npz and .csv files")
    return from_file(plan.data, split, plan.label)


def _inputs(examples: Array) -> Array:
    """Bytes as numbers from 0 to 1; other numbers as they are."""
    return as_inputs(examples) if examples.dtype == np.uint8 else examples.reshape(len(examples), -1).astype(np.float32)


def _hash(sets: list[Dataset]) -> str:
    seen = hashlib.sha256()
    for array in (array for dataset in sets for array in dataset):
        seen.update(f"{array.dtype.str}{array.shape}".encode())
        seen.update(array.tobytes())
    return seen.hexdigest()


def go(task: Task, directory: str | Path) -> Generator[dict[str, Any], None, None]:
    """The run of `task` in `directory`, from where it stopped or from its start: its lines of metrics, as they come.

    A line has the step (batches before this one), loss, learning rate, whether masks were rewired, active weights
    after it, and the multiply-adds that an example cost; after the last batch of an epoch also the test accuracy.
    There are none if the run is finished. ValueError naming the difference if `directory` holds another run.
    """
    directory = Path(directory)
    claim(directory, task.config)
    if (directory / RESULT).exists():
        return
    yield from recorded(directory, lambda start: _steps(task, start), task.per_epoch, task.plan.device)
    write_json(directory / RESULT, _result(task, directory))


def finish(plan: Plan, directory: str | Path, data_dir: str | Path | None = None) -> dict[str, Any]:
    """Go on with a run until it is finished, on one BLAS thread, and read its result."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        for _ in go(prepare(plan, data_dir), directory):
            pass
    return result(directory)


def _steps(task: Task, start: State | None) -> Iterator[tuple[State, dict[str, Any]]]:
    plan, entry, rng = task.plan, METHODS[task.plan.method], np.random.default_rng(task.plan.seed)
    if start:
        params, masks = start.params, start.masks
    else:
        params = task.model.init(rng)
        masks = Masks(entry.masks(task, params, rng))
    rate = multi_step_rate(plan.lr, [round(epoch * task.per_epoch) for epoch in plan.lr_drops], plan.lr_factor)
    run = train(
        lambda p, batch, rng: ops.softmax_cross_entropy(task.model(p, batch[0], train=True, rng=rng), batch[1]),
        to_device(params, plan.device),
        to_device(masks, plan.device),
        batches(*task.train_set, plan.batch, plan.seed, start.number if start else 0, task.steps),
        entry.method(task),
        rng,
        sgd(rate, plan.momentum, plan.nesterov, plan.weight_decay),
        start,
    )
    sizes = {name: math.prod(task.model.shapes()[name]) for name in task.costs}
    dense, sparse = flops.forward(task.costs, masks)
    for step in run:
        looks = entry.gradient == "always" or (entry.gradient == "updates" and step.rewired)
        line = {
            "step": step.number,
            "loss": step.loss,
            "rate": rate(step.number),
            "rewired": step.rewired,
            "active": sum((sizes | step.masks.counts).values()),
            "multiply_adds": round(2 * sparse + (dense if looks else sparse)),
        }
        if step.rewired:
            _, sparse = flops.forward(task.costs, step.masks)
        if (step.number + 1) % task.per_epoch == 0:
            line["accuracy"] = evaluate(task, step.params)["accuracy"]
        yield step.state, line


def evaluate(task: Task, params: Mapping[str, Array]) -> dict[str, float]:
    """{"accuracy", "loss"} on the test set."""
    stats, (inputs, labels) = statistics(task, params), task.test_set
    right, loss = 0, 0.0
    for begin in range(0, len(labels), CHUNK):
        x, y = inputs[begin : begin + CHUNK], labels[begin : begin + CHUNK]
        logits = task.model(params, x, stats=stats).value
        right += int((logits.argmax(axis=1) == y).sum())
        loss += float(ops.softmax_cross_entropy(logits, y).value) * len(y)
    return {"accuracy": right / len(labels), "loss": loss / len(labels)}


def statistics(task: Task, params: Mapping[str, Array]) -> dict[str, Array]:
    """What the network's batch norms see in the first batches of the run, at these parameters."""
    if not any(name.endswith(".scale") for name in params):
        return {}
    seen = batches(*task.train_set, task.plan.batch, task.plan.seed, stop=CALIBRATION)
    return nn.recalibrate(task.model, params, seen)


def _result(task: Task, directory: Path) -> dict[str, Any]:
    """What came out of a finished run, and what it cost."""
    state = load_state(directory / CHECKPOINT, task.plan.device)
    dense, sparse = flops.forward(task.costs, state.masks)
    sizes = {name: math.prod(task.model.shapes()[name]) for name in task.costs}
    did = sum(line["multiply_adds"] for line in metrics(directory)) / task.steps
    formula = METHODS[task.plan.method].formula
    return {
        **{f"test_{name}": value for name, value in evaluate(task, state.params).items()},
        "weights": sum(sizes.values()),
        "active": sum((sizes | state.masks.counts).values()),
        "layers": sizes | state.masks.counts,
        "multiply_adds": {
            "inference": round(sparse),
            "inference_dense": round(dense),
            "training_dense": 3 * round(dense),
            "training_by_formula": flops.training_cost(formula, dense, sparse, task.plan.delta_t),
            "training_as_it_was": did,
        },
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }


def result(directory: str | Path) -> dict[str, Any]:
    """The result of a finished run."""
    return read_json(Path(directory) / RESULT)


def plan_of(directory: str | Path) -> Plan:
    """The plan of the run in `directory`. ValueError if there is none."""
    if not (Path(directory) / CONFIG).exists():
        raise ValueError(f"{directory} holds no run: there is no {CONFIG}")
    config = read_json(Path(directory) / CONFIG)
    config["data"] = config["data"]["name"]
    asked: dict[str, Any] = {name: config[name] for name in Plan._fields if name in config}
    asked |= {name: tuple(value) for name, value in asked.items() if isinstance(value, list)}
    return Plan(**asked)


def reopen(directory: str | Path, data_dir: str | Path | None = None) -> tuple[Task, State]:
    """The task of the run in `directory`, and its last state. ValueError if there is none, or its data has changed."""
    path, task = Path(directory) / CHECKPOINT, prepare(plan_of(directory), data_dir)
    known = read_json(Path(directory) / CONFIG)["data"]["sha256"]
    if task.data["sha256"] != known:
        raise ValueError(f"{task.plan.data} is other data than that of {directory}: its hash is not {known[:16]}…")
    if not path.exists():
        raise ValueError(f"{directory} holds a run that has not come to its first checkpoint")
    return task, load_state(path, task.plan.device)
