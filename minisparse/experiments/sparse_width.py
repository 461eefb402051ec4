"""How far truly sparse storage reaches: time and memory against width, and a million hidden neurons on MNIST.

784-n-10 with ReLU. "sparse": 10 connections from the pixels to a hidden neuron on average, stored truly sparse, and a
dense output layer, as in the SET authors' code for CIFAR-10: 20 n weights in all. "dense": all 794 n. Batches of 64.
Everything is measured in a process of its own, on two threads: with `--jobs 1`, and on an idle machine.

Steps are timed on random images, as their pixels do not matter to time; memory is the peak of the process, with what it
imports. An epoch is 60,000 images and one SET update, ζ 0.3; an update includes what the step after it takes longer, in
which new connections are put in order. A dense network that needs more than LIMIT bytes is not run.

The training run is SET's with ζ 0.3, SGD and momentum 0.9, of 2²⁰ = 1,048,576 hidden neurons for 3 epochs; testing is
not part of an epoch's seconds. Both layers start from N(0, 2 / n), by which one learning rate serves every width (the
maximal update parametrization of Yang & Hu 2021, shared out between the two layers). It was chosen of 0.01, 0.03, 0.1,
0.3 and 1 at 2,000 hidden neurons, in batches of 64: 9.9, 7.8, 4.2, 3.9 and 16.8 % of 5,000 validation images wrong.

Liu et al. 2021 ("Sparse evolutionary deep learning with over one million artificial neurons on commodity hardware")
trained other networks on other data: their time stands in a note, and no ratio is drawn.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .. import nn, ops, recipes, sparse
from ..backend import Array
from ..data import batches
from ..masks import Masks
from ..optim import sgd
from ..runs.folder import claim, metrics, recorded
from ..train import State, train
from .studies import Finished, Row, Run, Study, each, error, errors_of, mnist, weights_of

PIXELS, CLASSES, IMAGES = 784, 10, 60_000
WIDTHS = (1_000, 10_000, 100_000, 1_000_000)
HIDDEN = 1 << 20  # of the training run
EPOCHS = 3
RATE = 0.3  # of the training run; which one the steps that are timed take does not matter to their time
LIMIT = 4_000_000_000
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
CHECKPOINT_STEPS = 100


class Numbers(NamedTuple):
    """What decides a network and its training.

    storage     "sparse" or "dense"
    width       hidden neurons
    per_neuron  connections from the pixels to one of them, on average, where storage is sparse
    """

    storage: str
    width: int
    per_neuron: int = 10
    batch: int = 64
    rate: float = 0.03
    momentum: float = 0.9
    zeta: float = 0.3


# In a process of its own


def apart(work: Callable[..., Iterator[Any]], threads: int, **numbers: Any) -> Iterator[Any]:
    """What work(**numbers) yields in a fresh process with so many threads: its memory is nobody else's.

    numbers: as JSON has them. RuntimeError with its last words if it does not come to its end. When the caller stops,
    it notices at its next line, and ends as if it were interrupted.
    """
    code = f"from {__name__} import {work.__name__}, said; said({work.__name__})"
    command, env = [sys.executable, "-c", code, json.dumps(numbers)], os.environ | dict.fromkeys(THREADS, str(threads))
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env) as process,
    ):
        yield from map(json.loads, process.stdout or ())
        if process.wait():
            errors.seek(0)
            last = [*filter(None, map(str.strip, errors)), "none"][-2:][0]
            raise RuntimeError(f"{work.__name__} ended with exit status {process.returncode}; its last words: {last}")


def said(work: Callable[..., Iterator[Any]]) -> None:
    """The other process of `apart`: a line of JSON for everything that `work` yields."""
    for something in work(**json.loads(sys.argv[1])):
        print(json.dumps(something), flush=True)


def peak_bytes() -> int:
    """The most memory of this process that was ever resident.

    Where there is no /proc it is ru_maxrss, which starts at that of the process that started this one.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def network(width: int) -> nn.Chain:
    """784-width-10 with all weights from N(0, 2 / width)."""

    def initial(rng: np.random.Generator, shape: nn.Shape, n: int | None = None) -> Array:
        return rng.standard_normal(shape if n is None else n) * (2 / width) ** 0.5

    return nn.mlp(PIXELS, width, CLASSES, initial=initial)


def start_of(
    model: nn.Chain, numbers: Numbers, rng: np.random.Generator
) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    """(params, masks) before training: the first layer has connections at random, or, where storage is dense, all."""
    masks = Masks({})
    if numbers.storage == "sparse":
        shapes = {"fc1.weight": model.shapes()["fc1.weight"]}
        masks = sparse.random_positions(shapes, {"fc1.weight": numbers.per_neuron / PIXELS}, rng)
    return model.init(rng, masks=masks), masks


def loss_of(model: nn.Chain) -> Callable:
    """The loss that `train` takes."""
    return lambda params, batch, rng: ops.softmax_cross_entropy(model(params, batch[0]), batch[1])


def timed(seed: int, warm_up: int, steps: int, updates: int, **config: Any) -> Iterator[float | dict[str, Any]]:
    """Steps to warm up, steps that count, and SET updates, each with the step after it; then what they took."""
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
    update = median(max(0.0, one + next_one - 2 * usual) for one, next_one in pairs) if is_sparse else None
    yield {
        "step_seconds": usual,
        "update_seconds": update,
        "epoch_seconds": IMAGES // numbers.batch * usual + (update or 0),
        "peak_bytes": peak_bytes(),
        "imports_bytes": imports,
        "weights": weights_of(step.params, step.masks),
    }


def trained(
    folder: str, data_dir: str | None, seed: int, epochs: int, **config: Any
) -> Iterator[float | dict[str, Any]]:
    """Train on MNIST, in a folder from which an interrupted run goes on; how far it is, and what came out."""
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
    """What came out of a run by its lines of metrics. The peak is the highest of all processes it took."""
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
    """A lower bound of what training of the dense network holds at once, in float32.

    Weights, velocity, gradient and the two after the step; the hidden layer and its gradient before and after ReLU.
    """
    return 4 * (5 * (PIXELS + CLASSES) * width + 4 * batch * width)


def scaling(data_dir: Path | None, seed: int, threads: int, **config: Any) -> Iterator[float | dict[str, Any]]:
    """`timed` in a process of its own, or, of a dense network that is too large, how much memory it would need."""
    if config["storage"] == "dense" and (needed := needed_bytes(config["width"], config["batch"])) > LIMIT:
        yield {"needed_bytes": needed}
        return
    yield from apart(timed, threads, seed=seed, **config)


def training(data_dir: Path | None, folder: Path, threads: int, **config: Any) -> Iterator[float | dict[str, Any]]:
    """`trained` in a process of its own."""
    yield from apart(trained, threads, folder=str(folder), data_dir=data_dir and str(data_dir), **config)


def runs(seeds: int) -> list[Run]:
    """The table from narrow to wide, and then the training run."""
    made = []
    for seed in range(seeds):
        own = {"seed": seed, "threads": 2}
        for width in WIDTHS:
            for storage in ("sparse", "dense"):
                config = own | {"warm_up": 3, "steps": 20, "updates": 3} | Numbers(storage, width)._asdict()
                made.append(Run(f"{storage}-{width}-seed{seed}", seed, scaling, config))
        config = own | {"epochs": EPOCHS} | Numbers("sparse", HIDDEN, rate=RATE)._asdict()
        made.append(Run(f"trained-{HIDDEN}-seed{seed}", seed, training, config, keeps=True))
    return made


def exponent(figure: Callable[[Mapping[str, Any]], float]) -> Callable[[Sequence[Finished]], list[float]]:
    """Row.ours: by which power of the width a figure of the sparse network grows from 100,000 neurons to 1,000,000."""

    def ours(finished: Sequence[Finished]) -> list[float]:
        low, high = (each(figure, storage="sparse", width=width)(finished) for width in WIDTHS[-2:])
        return [float(np.log(b / a) / np.log(WIDTHS[-1] / WIDTHS[-2])) for a, b in zip(low, high, strict=False)]

    return ours


def dense_over_sparse(figure: str) -> Callable[[Sequence[Finished]], list[float]]:
    """Row.ours: how many times a figure of the sparse network the dense network's is, at 100,000 neurons."""

    def ours(finished: Sequence[Finished]) -> list[float]:
        dense, own = (each(figure, storage=storage, width=100_000)(finished) for storage in ("dense", "sparse"))
        return [a / b for a, b in zip(dense, own, strict=False)]

    return ours


def table(finished: Sequence[Finished]) -> list[str]:
    """Time and memory of every width, and the training run, of the first seed."""
    first = [one for one in finished if one["seed"] == 0]
    lines = []
    for one in sorted(first, key=lambda one: (one["config"]["width"], one["config"]["storage"] != "sparse")):
        config, result = one["config"], one["result"]
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
    for one in first:
        if "error_by_epoch" in one["result"]:
            result = one["result"]
            right = ", ".join(f"{100 - wrong:.2f}" for wrong in result["error_by_epoch"])
            minutes = ", ".join(f"{seconds / 60:.1f}" for seconds in result["seconds_by_epoch"])
            lines += [
                *[""] * bool(lines),
                f"Trained on MNIST with {one['config']['width']:,} hidden neurons and "
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
    needed: list[tuple[int, float]] = []
    trained_one, imports = None, 0.0
    for one in sorted(finished, key=lambda one: one["config"]["width"]):
        width, result = one["config"]["width"], one["result"]
        if one["seed"]:
            continue
        if "needed_bytes" in result:
            needed.append((width, result["needed_bytes"] / 1e9))
        elif "step_seconds" in result:
            points[one["config"]["storage"]].append((width, result["step_seconds"], result["peak_bytes"] / 1e9))
            imports = result["imports_bytes"] / 1e9
        else:
            trained_one = width, result["peak_bytes"] / 1e9
    if len(points["sparse"]) < 2:
        return []
    path = directory / "sparse_width.png"
    return [plot.sparse_width(path, points, needed, imports, LIMIT / 1e9, trained_one)]


OWN = "no paper has this figure"
AUTHORS = (
    "Liu et al.'s code takes 112 minutes an epoch at 1,803,317 neurons, on another data set, batch and machine "
    "(their README)"
)
EXPONENT = "exponent of {} against width, truly sparse, 100,000 to 1,000,000 hidden neurons"
ROWS = (
    Row("sparse/width/memory", f"{HIDDEN:,} hidden neurons on MNIST: GB by which peak memory is below 4", None, "GB", 0,
        OWN, each(lambda result: (LIMIT - result["peak_bytes"]) / 1e9, epochs=EPOCHS), note=AUTHORS),
    Row("sparse/width/accuracy", f"{HIDDEN:,} hidden neurons on MNIST: test accuracy after {EPOCHS} epochs", None, "%",
        95, OWN, each(lambda result: 100 - result["error_last"], epochs=EPOCHS),
        note="2,000 neurons had 96.1 % of validation images right"),
    Row("sparse/width/time-exponent", EXPONENT.format("a step's time"), 1, "", 0.2, OWN,
        exponent(lambda result: result["step_seconds"]), below=True,
        note="1 is in proportion to the connections; caches make it more"),
    Row("sparse/width/memory-exponent", EXPONENT.format("memory above the imports'"), 1, "", 0.1, OWN,
        exponent(lambda result: result["peak_bytes"] - result["imports_bytes"]), below=True,
        note="1 is in proportion to the connections"),
    Row("sparse/width/time-of-dense", "784-100000-10: a dense step's time over the sparse network's", None, "", 1, OWN,
        dense_over_sparse("step_seconds"), note="an ordering"),
    Row("sparse/width/memory-of-dense", "784-100000-10: the dense network's peak memory over the sparse one's", None,
        "", 1, OWN, dense_over_sparse("peak_bytes"), note="an ordering"),
)  # fmt: skip
STUDIES = (
    Study(
        "sparse-width",
        "Truly sparse storage, after Mocanu et al. 2018 and Liu et al. 2021",
        f"784-n-10 from 1,000 to 1,000,000 hidden neurons, truly sparse and dense, and {HIDDEN:,} trained on MNIST. "
        "With `--jobs 1`: times are of two threads.",
        minutes=90,
        seeds=1,
        runs=runs,
        rows=ROWS,
        figures=figures,
        table=table,
    ),
)
