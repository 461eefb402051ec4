"""How far truly sparse storage reaches: time and memory against width, and a million hidden neurons on MNIST.

784-n-10 with ReLU. "sparse": 10 connections from the pixels to a hidden neuron on average, stored truly sparse, and a
dense output layer, as in the SET authors' code for CIFAR-10: 20 n weights in all. "dense": all 794 n. Batches of 64.
Everything is measured in a process of its own, on two threads: with `--jobs 1`, and on an idle machine.

Steps are timed on random images, as their pixels do not matter to time; memory is the peak of the process, with its
imports. An epoch is 60,000 images and one SET update, ζ 0.3; an update includes the extra time of the step after it, in
which new connections are put in order. A dense network that needs more than LIMIT bytes is not run.

The training run is SET's with ζ 0.3, SGD and momentum 0.9, of 2²⁰ = 1,048,576 hidden neurons for 3 epochs; testing is
not part of an epoch's seconds. Both layers start from N(0, 2 / n), by which one learning rate serves every width (the
maximal update parametrization of Yang & Hu 2021, shared out between the two layers). It was chosen of 0.01, 0.03, 0.1,
0.3 and 1 at 2,000 hidden neurons, in batches of 64: 9.9, 7.8, 4.2, 3.9 and 16.8 % of 5,000 validation images wrong.

Liu et al. 2021 ("Sparse evolutionary deep learning with over one million artificial neurons on commodity hardware")
trained other networks on other data: their time is in a note, without a ratio.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import truediv
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .. import nn, recipes, sparse
from ..backend import Array
from ..data import batches
from ..loops import MANY, compiled
from ..masks import Masks
from ..optim import sgd
from ..runs.folder import claim, metrics, recorded
from ..train import Arrays, State, train
from .apart import apart, peak_bytes
from .studies import Finished, Ours, Run, Running, Study, error, errors_of, loss_of, mnist, weights_of
from .studies.rows import by_seed, each, orderings, paired, rows

PIXELS, CLASSES, IMAGES = 784, 10, 60_000
WIDTHS = (1_000, 10_000, 100_000, 1_000_000)
HIDDEN = 1 << 20  # of the training run
EPOCHS = 3
RATE = 0.3  # of the training run; the timed steps take the same time at any rate
LIMIT = 4_000_000_000
CHECKPOINT_STEPS = 100


class Numbers(NamedTuple):
    """The numbers of a network and its training.

    storage     "sparse" or "dense"
    width       hidden neurons
    per_neuron  mean connections from the pixels to each of them, where storage is sparse
    """

    storage: str
    width: int
    per_neuron: int = 10
    batch: int = 64
    rate: float = 0.03
    momentum: float = 0.9
    zeta: float = 0.3


def network(width: int) -> nn.Chain:
    """784-width-10 with all weights from N(0, 2 / width)."""

    def initial(rng: np.random.Generator, shape: nn.Shape, n: int | None = None) -> Array:
        return rng.standard_normal(shape if n is None else n) * (2 / width) ** 0.5

    return nn.mlp(PIXELS, width, CLASSES, initial=initial)


def start_of(model: nn.Chain, numbers: Numbers, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    """(params, masks) before training: the first layer has random connections, or, where storage is dense, all."""
    masks = Masks({})
    if numbers.storage == "sparse":
        shapes = {"fc1.weight": model.shapes()["fc1.weight"]}
        masks = sparse.random_positions(shapes, {"fc1.weight": numbers.per_neuron / PIXELS}, rng)
    return model.init(rng, masks=masks), masks


def timed(seed: int, warm_up: int, steps: int, updates: int, **config: Any) -> Running:
    """Steps to warm up, steps that count, and SET updates, each with the step after it; then their time and memory."""
    compiled(MANY + 1, np.ones(1, np.float32))  # imports Numba, where it is installed
    imports, numbers, rng = peak_bytes(), Numbers(**config), np.random.default_rng(seed)
    model, is_sparse = network(numbers.width), numbers.storage == "sparse"
    images = rng.random((numbers.batch, PIXELS), dtype=np.float32), rng.integers(CLASSES, size=numbers.batch)
    calm = warm_up + steps
    total = calm + 2 * updates * is_sparse
    moving = recipes.set(numbers.zeta, period=1, until=total)
    method = moving._replace(when=lambda step: step >= calm and (step - calm) % 2 == 0)
    seconds, began = [], perf_counter()
    for step in train(
        loss_of(model), *start_of(model, numbers, rng), repeat(images, total),
        method if is_sparse else recipes.static(), rng, sgd(numbers.rate, numbers.momentum),
    ):  # fmt: skip
        seconds.append(perf_counter() - began)
        yield (step.number + 1) / total
        began = perf_counter()
    usual = median(seconds[warm_up:calm])
    pairs = zip(seconds[calm::2], seconds[calm + 1 :: 2], strict=True)
    update = median(max(0.0, step + after - 2 * usual) for step, after in pairs) if is_sparse else None
    yield {
        "step_seconds": usual,
        "update_seconds": update,
        "epoch_seconds": IMAGES // numbers.batch * usual + (update or 0),
        "peak_bytes": peak_bytes(),
        "imports_bytes": imports,
        "weights": weights_of(step.params, step.masks),
    }


def trained(folder: str, data_dir: str | None, seed: int, epochs: int, **config: Any) -> Running:
    """Train on MNIST, in a folder from which an interrupted run continues."""
    claim(folder, {"seed": seed, "epochs": epochs, **config})
    numbers, rng = Numbers(**config), np.random.default_rng(seed)
    model, data = network(numbers.width), mnist(Path(data_dir) if data_dir else None)
    epoch = len(data.train[1]) // numbers.batch
    total = epochs * epoch
    method = recipes.set(numbers.zeta, epoch, epochs)

    def steps(start: State | None) -> Iterator[tuple[State, dict[str, Any]]]:
        left = batches(*data.train, numbers.batch, seed, start.number if start else 0, total)
        given = (start.params, start.masks) if start else start_of(model, numbers, rng)
        run = train(loss_of(model), *given, left, method, rng, sgd(numbers.rate, numbers.momentum), start)
        del given, start  # the first connections would stay in memory when they have moved
        began = perf_counter()
        for step in run:
            line: dict[str, Any] = {"loss": step.loss, "seconds": perf_counter() - began}
            if (step.number + 1) % epoch == 0:
                line["error"] = error(model, step.params, data.test, numbers.batch)
                line["weights"] = weights_of(step.params, step.masks)
            yield step.state, line | {"step": step.number, "peak_bytes": peak_bytes()}
            began = perf_counter()

    for line in recorded(folder, steps, CHECKPOINT_STEPS):
        yield (line["step"] + 1) / total
    yield outcome(metrics(folder), epoch)


def outcome(lines: Sequence[Mapping[str, Any]], epoch: int) -> dict[str, Any]:
    """A run's result from its lines of metrics. The peak is the highest of all its processes."""
    ends = lines[epoch - 1 :: epoch]
    sums = lambda name: [sum(line[name] for line in lines[i : i + epoch]) for i in range(0, len(lines), epoch)]
    return {
        **errors_of([line["error"] for line in ends]),
        "loss_by_epoch": [total / epoch for total in sums("loss")],
        "first_losses": [line["loss"] for line in lines[:50]],
        "seconds_by_epoch": sums("seconds"),
        "peak_bytes": max(line["peak_bytes"] for line in lines),
        "weights": ends[-1]["weights"],
    }


# The study


def needed_bytes(width: int, batch: int) -> int:
    """A lower bound of the memory that training of the dense network needs, in float32.

    Weights, velocity, gradient and the two after the step; the hidden layer and its gradient before and after ReLU.
    """
    return 4 * (5 * (PIXELS + CLASSES) * width + 4 * batch * width)


def scaling(data_dir: Path | None, seed: int, threads: int, **config: Any) -> Running:
    """`timed` in a process of its own, or, of a dense network that is too large, the memory it would need."""
    if config["storage"] == "dense" and (needed := needed_bytes(config["width"], config["batch"])) > LIMIT:
        yield {"needed_bytes": needed}
        return
    yield from apart(timed, threads, seed=seed, **config)


def training(data_dir: Path | None, folder: Path, threads: int, **config: Any) -> Running:
    """`trained` in a process of its own."""
    yield from apart(trained, threads, folder=str(folder), data_dir=data_dir and str(data_dir), **config)


def runs(seeds: int) -> list[Run]:
    """The table from narrow to wide, and then the training run."""
    made = []
    for seed in range(seeds):
        timing = {"seed": seed, "threads": 2, "warm_up": 3, "steps": 20, "updates": 3}
        for width in WIDTHS:
            for storage in ("sparse", "dense"):
                config = timing | Numbers(storage, width)._asdict()
                made.append(Run(f"{storage}-{width}-seed{seed}", seed, scaling, config))
        config = {"seed": seed, "threads": 2, "epochs": EPOCHS, **Numbers("sparse", HIDDEN, rate=RATE)._asdict()}
        made.append(Run(f"trained-{HIDDEN}-seed{seed}", seed, training, config, keeps=True))
    return made


def exponent(figure: Callable[[Mapping[str, Any]], float]) -> Ours:
    """Row.ours: the power of the width with which a sparse network's figure grows from 100,000 neurons to 1,000,000."""
    power = lambda low, high: float(np.log(high / low) / np.log(WIDTHS[-1] / WIDTHS[-2]))
    return paired(power, *(by_seed(figure, storage="sparse", width=width) for width in WIDTHS[-2:]))


def dense_over_sparse(figure: str) -> Ours:
    """Row.ours: a figure of the dense network divided by the sparse network's, at 100,000 neurons."""
    return paired(truediv, *(by_seed(figure, storage=storage, width=100_000) for storage in ("dense", "sparse")))


def table(finished: Sequence[Finished]) -> list[str]:
    """Time and memory of every width, and the training run, of the first seed."""
    first = [(run["config"], run["result"]) for run in finished if run["seed"] == 0]
    lines = []
    for config, result in sorted(first, key=lambda run: (run[0]["width"], run[0]["storage"] != "sparse")):
        name = f"| {config['width']:,} | {config['storage']} |"
        if "needed_bytes" in result:
            needed = f"would need at least {_gb(result['needed_bytes'])}"
            lines.append(f"{name} {(PIXELS + CLASSES) * config['width']:,} | | | | {needed} |")
        elif "step_seconds" in result:
            update = result["update_seconds"]
            lines.append(
                f"{name} {sum(result['weights'].values()):,} | {1000 * result['step_seconds']:,.1f} | "
                f"{'' if update is None else f'{update:,.2f}'} | {result['epoch_seconds']:,.0f} | "
                f"{_gb(result['peak_bytes'])} |"
            )
    if lines:
        about = "Batches of 64, two threads; an epoch is 60,000 images and, where connections move, an update."
        head = "| hidden neurons | storage | weights | step (ms) | SET update (s) | epoch (s) | peak memory |"
        lines = [about, "", head, "|---|---|---|---|---|---|---|", *lines]
    for config, result in first:
        if "error_by_epoch" in result:
            right = ", ".join(f"{100 - wrong:.2f}" for wrong in result["error_by_epoch"])
            minutes = ", ".join(f"{seconds / 60:.1f}" for seconds in result["seconds_by_epoch"])
            lines += [
                *[""] * bool(lines),
                f"Trained on MNIST with {config['width']:,} hidden neurons and "
                f"{sum(result['weights'].values()):,} weights: test accuracy {right} % after each epoch, "
                f"{minutes} minutes an epoch, peak memory {_gb(result['peak_bytes'])}.",
            ]
    return lines


def _gb(number: int) -> str:
    return f"{number / 1e9:,.2f} GB"


def figures(finished: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    """Time and memory against width, of the first seed, once there are two widths of the sparse network."""
    from .. import plot

    points: dict[str, list[tuple[int, float, float]]] = {"sparse": [], "dense": []}
    needed, trained_one, imports = [], None, 0.0
    first = ((run["config"], run["result"]) for run in finished if run["seed"] == 0)
    for config, result in sorted(first, key=lambda run: run[0]["width"]):
        width = config["width"]
        if "needed_bytes" in result:
            needed.append((width, result["needed_bytes"] / 1e9))
        elif "step_seconds" in result:
            points[config["storage"]].append((width, result["step_seconds"], result["peak_bytes"] / 1e9))
            imports = result["imports_bytes"] / 1e9
        else:
            trained_one = width, result["peak_bytes"] / 1e9
    path, enough = directory / "sparse_width.png", len(points["sparse"]) > 1
    return [plot.sparse_width(path, points, needed, imports, LIMIT / 1e9, trained_one)] if enough else []


UNPUBLISHED = "no paper has this figure"
AUTHORS = (
    "Liu et al.'s code takes 112 minutes an epoch at 1,803,317 neurons, on another data set, batch and machine "
    "(their README)"
)
EXPONENT = "exponent of {} against width, truly sparse, 100,000 to 1,000,000 hidden neurons"
TRAINED = f"{HIDDEN:,} hidden neurons on MNIST"
ROWS = (
    *orderings("sparse/width/", UNPUBLISHED,
        ("memory", f"{TRAINED}: GB by which peak memory is below 4",
         each(lambda result: (LIMIT - result["peak_bytes"]) / 1e9, epochs=EPOCHS), AUTHORS),
        unit="GB"),
    *orderings("sparse/width/", UNPUBLISHED,
        ("accuracy", f"{TRAINED}: test accuracy after {EPOCHS} epochs",
         each(lambda result: 100 - result["error_last"], epochs=EPOCHS),
         "2,000 neurons had 96.1 % of validation images right"),
        unit="%", tolerance=95),
    *rows("sparse/width/", UNPUBLISHED,
        ("time-exponent", EXPONENT.format("a step's time"), 1, "", 0.2,
         exponent(lambda result: result["step_seconds"]),
         "1 is in proportion to the connections; caches make it more"),
        ("memory-exponent", EXPONENT.format("memory above the imports'"), 1, "", 0.1,
         exponent(lambda result: result["peak_bytes"] - result["imports_bytes"]),
         "1 is in proportion to the connections"),
        below=True),
    *orderings("sparse/width/", UNPUBLISHED,
        ("time-of-dense", "784-100000-10: a dense step's time over the sparse network's",
         dense_over_sparse("step_seconds")),
        ("memory-of-dense", "784-100000-10: the dense network's peak memory over the sparse one's",
         dense_over_sparse("peak_bytes")),
        unit="", tolerance=1, note="an ordering"),
)  # fmt: skip
STUDIES = (
    Study(
        "sparse-width",
        "Truly sparse storage, after Mocanu et al. 2018 and Liu et al. 2021",
        f"784-n-10 from 1,000 to 1,000,000 hidden neurons, truly sparse and dense, and {HIDDEN:,} trained on MNIST. "
        "With `--jobs 1`: times are of two threads.",
        minutes=90, seeds=1, runs=runs, rows=ROWS, figures=figures, table=table,
    ),
)  # fmt: skip
