"""What `minisparse train` is asked for, as a Plan; the Task that it names; and the run that comes of it."""

import hashlib
import math
import platform
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import flops, nn, ops, recipes, sparse
from .backend import Array, to_device, to_numpy
from .checks import real, whole
from .data import READERS, Dataset, as_inputs, batches, from_file, load
from .drawn import everywhere
from .masks import Masks, project, random_masks
from .methods import l0
from .names import allotted, network
from .optim import Optimizer, adam, sgd
from .positions import Positions
from .runs import CHECKPOINT, CONFIG, RESULT, claim, difference, load_state, metrics, read_json, recorded, write_json
from .schedule import multi_step_rate
from .streams import draw_key
from .train import Method, State, train

CALIBRATION = 20  # batches that batch norm's statistics at inference are of
CHUNK = 500  # examples that are evaluated at a time,
CHUNK_NUMBERS = 1 << 25  # or fewer, where a layer would make more numbers than this of them


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
    optimizer: str = "sgd"
    lr: float = 0.1
    lr_drops: tuple[float, ...] = ()
    lr_factor: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    alpha: float = 0.3
    delta_t: int = 100
    t_end: int | None = None
    zeta: float = 0.3
    prune_rate: float = 0.5
    rounds: int = 3
    penalty: float = 0.1
    seed: int = 0
    storage: str = "masked"
    device: str = "cpu"


class Task(NamedTuple):
    """What a Plan names, in memory.

    plan        with None for the options that its method has no use for
    data        {"name", "train", "test", "sha256"}: which data, how many examples, and the hash of all of it
    shape       of one example as the model takes it; image: as it is in the data
    train_set, test_set   float32 inputs and integer labels, on the plan's device
    densities   {name: density} of the weights in the budget
    whole       {name: multiply-adds of an example} of the network that was named, of which small-dense is a part
    weights     how many it has
    per_epoch, steps      batches
    """

    plan: Plan
    data: dict[str, Any]
    model: nn.Chain
    shape: nn.Shape
    image: nn.Shape
    train_set: Dataset
    test_set: Dataset
    densities: dict[str, float]
    whole: dict[str, int]
    weights: int
    per_epoch: int
    steps: int

    @property
    def config(self) -> dict[str, Any]:
        """All that decides the run, as JSON has it."""
        asked = {name: value for name, value in self.plan._asdict().items() if value is not None}
        return {"minisparse": version("minisparse"), **asked, "data": self.data}

    @property
    def costs(self) -> dict[str, int]:
        """Multiply-adds of one example forward, {site name: dense}."""
        return {site.name: site.multiply_adds for site in nn.sites(self.model, self.shape)}


Arrays = Mapping[str, Array]
Build = Callable[[float | None], nn.Chain]


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


def prepare(plan: Plan, data_dir: str | Path | None = None) -> Task:
    """Read the data and describe the network. ValueError naming the option that cannot be as it is."""
    if plan.method not in METHODS:
        raise ValueError(f"--method is {plan.method!r}; accepted are {', '.join(METHODS)}")
    if plan.optimizer not in ("sgd", "adam"):
        raise ValueError(f"--optimizer is {plan.optimizer!r}; accepted are sgd, adam")
    entry = METHODS[plan.method]
    if plan.storage not in ("masked", "sparse"):
        raise ValueError(f"--storage is {plan.storage!r}; accepted are masked, sparse")
    if plan.storage == "sparse" and entry.refusal:
        raise ValueError(f"--storage is 'sparse', --method {plan.method!r}: {entry.refusal}")
    sets = [_read(plan, data_dir, split) for split in ("train", "test")]
    (examples, labels), (test_examples, test_labels) = sets
    image, classes = examples.shape[1:], int(max(labels.max(), test_labels.max())) + 1

    def example(own: nn.Shape) -> nn.Shape:
        if len(own) > len(image):
            raise ValueError(f"--model is {plan.model!r}, which takes images; an example of {plan.data} is {image}")
        return image if len(own) == len(image) else (math.prod(image),)

    model, shape = network(plan.model, example, classes)
    sites = nn.sites(model, shape)
    per_epoch = len(examples) // whole("--batch", plan.batch, 1, len(examples))
    steps = whole("--epochs", plan.epochs, 1) * per_epoch
    settled: dict[str, Any] = {"t_end": plan.t_end or round(0.75 * steps)}
    plan = plan._replace(**settled | dict.fromkeys(PARTICULAR - set(entry.options)))
    densities: dict[str, float] = {}
    if plan.sparsity is not None:
        densities, full = allotted(sites, plan.sparsity, plan.distribution, plan.dense)
        densities = {name: density for name, density in densities.items() if name not in full}
        kinds = {site.name: site.kind for site in sites}
        if plan.storage == "sparse" and (other := [name for name in densities if kinds[name] != "linear"]):
            raise ValueError(f"--storage is 'sparse', and {other[0]!r} is a convolution; accepted are linear layers: "
                             "keep the others dense with --dense conv")  # fmt: skip

    inputs, test_inputs = _inputs(examples), _inputs(test_examples)
    if plan.standardize:
        mean, std = inputs.mean(axis=0), inputs.std(axis=0)
        std[std == 0] = 1
        inputs, test_inputs = (inputs - mean) / std, (test_inputs - mean) / std
    task = Task(
        plan,
        {"name": plan.data, "train": len(labels), "test": len(test_labels), "sha256": _hash(sets)},
        model,
        shape,
        image,
        to_device((inputs.reshape(-1, *shape), labels), plan.device),
        to_device((test_inputs.reshape(-1, *shape), test_labels), plan.device),
        densities,
        {site.name: site.multiply_adds for site in sites},
        sum(math.prod(site.kernel_shape) for site in sites),
        per_epoch,
        steps,
    )
    trained = entry.model(task, lambda width: network(plan.model, example, classes, width)[0])
    task = task._replace(model=trained)
    for make in (entry.method, entry.optimizer, entry.loss):
        make(task)  # each refuses numbers that it cannot be had with, before anything is written
    return task


def _read(plan: Plan, data_dir: str | Path | None, split: str) -> Dataset:
    if plan.label and Path(plan.data).suffix != ".csv":
        raise ValueError(f"--label is {plan.label!r}, and --data {plan.data!r}; accepted is --label with a .csv file")
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
    There are none if the run is finished. Rounds before the last, of lottery tickets, have folders inside and number
    their lines. ValueError naming the difference if `directory` holds another run.
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


def _round(directory: Path, number: int) -> Path:
    return directory / f"round-{number}"


def finish(plan: Plan, directory: str | Path, data_dir: str | Path | None = None) -> dict[str, Any]:
    """Go on with a run until it is finished, on one BLAS thread, and read its result."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        for _ in go(prepare(plan, data_dir), directory):
            pass
    return read_json(Path(directory) / RESULT)


def rate_of(task: Task) -> Callable[[int], float]:
    """The learning rate at a step. ValueError for options that make none."""
    plan = task.plan
    options = {"--lr": (plan.lr,), "--lr-factor": (plan.lr_factor,), "--lr-drops": plan.lr_drops}
    for option, own in ((option, own) for option, given in options.items() for own in given):
        real(option, own, "finite numbers from 0", lambda own: 0 <= own < math.inf)
    return multi_step_rate(plan.lr, [round(epoch * task.per_epoch) for epoch in plan.lr_drops], plan.lr_factor)


def _origin(task: Task) -> State:
    """Where the run starts: everything here follows from its seed."""
    entry, rng = METHODS[task.plan.method], np.random.default_rng(task.plan.seed)
    optimizer, in_full = entry.optimizer(task), None
    if task.plan.storage == "sparse":
        optimizer = sparse.on_values(optimizer)
        in_full = everywhere({name: task.model.shapes()[name] for name in task.densities})
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
    """Every state and line of metrics of a round, from `start` if that is given; `also` is in every line.

    ValueError, before the first, if `start`, the checkpoint in `directory`, is not of this run.
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
    for step in run:
        looks = entry.gradient == "always" or (entry.gradient == "updates" and step.rewired)
        line = {
            **also,
            "step": step.number,
            "loss": step.loss,
            "rate": rate(step.number),
            "rewired": step.rewired,
            "active": sum(_counts(task, step.params, step.masks).values()),
            "multiply_adds": round(2 * sparse + (dense if looks else sparse)),
        }
        if step.rewired:
            _, sparse = flops.forward(task.costs, step.masks)
        if (step.number + 1) % task.per_epoch == 0:
            line["accuracy"] = evaluate(task, step.params)["accuracy"]
        yield step.state, line


def _form(state: State) -> dict[str, Any]:
    """What all states of one run have in common, as JSON has it."""
    masks = {f"mask of {name}": [type(mask).__name__, *mask.shape] for name, mask in state.masks.items()}
    return _shapes(state) | masks | {"slots": list(state.slots), "key": state.key}


def _shapes(state: State) -> dict[str, list[int]]:
    return {name: list(array.shape) for name, array in state.params.items()}


def _counts(task: Task, params: Arrays, masks: Arrays) -> dict[str, int]:
    """{site name: weights that there are}, dense layers included."""
    sizes = {name: math.prod(task.model.shapes()[name]) for name in task.costs}
    return sizes | Masks(METHODS[task.plan.method].kept(params, masks)).counts


def evaluate(task: Task, params: Mapping[str, Array]) -> dict[str, float]:
    """{"accuracy", "loss"} on the test set."""
    stats, (inputs, labels) = statistics(task, params), task.test_set
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
    """What the network's batch norms see in the first batches of the run, at these parameters."""
    if not any(name.endswith(".scale") for name in params):
        return {}
    seen = batches(*task.train_set, task.plan.batch, task.plan.seed, stop=CALIBRATION)
    return nn.recalibrate(task.model, params, seen)


def _result(task: Task, directory: Path) -> dict[str, Any]:
    """What came out of a finished run, and what it cost."""
    state, entry = _state(task, directory / CHECKPOINT), METHODS[task.plan.method]
    counts, dense = _counts(task, state.params, state.masks), sum(task.whole.values())
    _, inference = flops.forward(task.costs, entry.kept(state.params, state.masks))
    _, trained = flops.forward(task.costs, state.masks)
    folders = [directory, *(_round(directory, number) for number in range(task.plan.rounds or 0))]
    did = 3 * dense * entry.before + sum(line["multiply_adds"] for folder in folders for line in metrics(folder))
    return {
        **{f"test_{name}": value for name, value in evaluate(task, state.params).items()},
        "weights": task.weights,
        "active": sum(counts.values()),
        "layers": counts,
        "multiply_adds": {
            "inference": round(inference),
            "inference_dense": dense,
            "training_by_formula": entry.formula and entry.formula(task, dense, trained),
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
    config = read_json(path)
    try:
        config["data"] = config["data"]["name"]
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path} is not what decides a run: it names no data") from error
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
    return task, _state(task, path)


def _state(task: Task, path: Path) -> State:
    """The state in a checkpoint. ValueError if it is not of the task's network."""
    state = load_state(path, task.plan.device)
    if odd := difference(_shapes(state), task.model.shapes()):
        raise ValueError(f"{path} is of another run: {odd}")
    return state
