"""RigL on MNIST at 98 % (Evci et al. 2020, app. B and fig. 7): connections that move to the image centre.

What the authors' script does, and we with it: 784-300-100-10, fc1 at 98 %, fc2 at 88.2 %, fc3 dense; Glorot uniform
weights; inputs in [0, 1]; batches of 100 for 200 epochs; Nesterov SGD at 0.2 with momentum 0.9, divided by 3 after 75
and 95 epochs (dense: 60, 70, 80); L2 1e-4; α 0.3 on a cosine, ΔT 100, T_end 50,000.
"""

import json
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import nn, ops, recipes
from ..backend import Array, to_device, to_numpy
from ..data import Dataset, as_inputs, batches, load
from ..files import replacing
from ..flops import forward
from ..masks import Masks, random_masks
from ..optim import sgd
from ..schedule import multi_step_rate
from ..train import train

METHODS = ("rigl", "static", "dense")
BATCH = 100
MODEL = nn.mlp(784, 300, 100, 10, initial=nn.glorot_uniform)


class Recipe(NamedTuple):
    """The numbers of a run, in batches of 100; the defaults are those of the authors' script."""

    steps: int = 120_000
    rate: float = 0.2
    drops: tuple[int, ...] = (45_000, 57_000)  # from here on, a third of the learning rate
    dense_drops: tuple[int, ...] = (36_000, 42_000, 48_000)  # and of the dense network's
    alpha: float = 0.3
    period: int = 100
    t_end: int = 50_000
    sparsity: float = 0.98


PAPER = Recipe()
DEMO = Recipe(4_000, 0.05, (1_500, 1_900), (1_200, 1_400, 1_600), 0.3, 50, 1_650)  # times / 30, ΔT / 2


class Snapshot(NamedTuple):
    """A run after `steps` batches: the last loss, accuracy on the test set, connections of each pixel (28, 28)."""

    steps: int
    loss: float
    accuracy: float
    pixels: Array
    counts: dict[str, int]


def snapshots(
    method: str,
    train_set: Dataset,
    test_set: Dataset,
    seed: int,
    recipe: Recipe = PAPER,
    every: int = 600,
    device: str = "cpu",
) -> Iterator[Snapshot]:
    """Train by one of METHODS; a Snapshot before the first batch, after every `every` of them and at the end."""
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; accepted are {', '.join(METHODS)}")
    inputs, labels, test_inputs, test_labels = to_device(
        (as_inputs(train_set[0]), train_set[1], as_inputs(test_set[0]), test_set[1]), device
    )
    rng = np.random.default_rng(seed)
    params = MODEL.init(rng)

    densities = {} if method == "dense" else recipes.mnist_densities(recipe.sparsity)
    masks = random_masks({name: params[name].shape for name in densities}, densities, rng)
    rate = multi_step_rate(recipe.rate, recipe.dense_drops if method == "dense" else recipe.drops, 1 / 3)
    rigl = recipes.rigl(recipe.alpha, recipe.period, recipe.t_end, recipe.steps)
    run = train(
        lambda p, batch, rng: ops.softmax_cross_entropy(MODEL(p, batch[0]), batch[1]),
        to_device(params, device),
        to_device(masks, device),
        batches(inputs, labels, BATCH, seed, stop=recipe.steps),
        rigl if method == "rigl" else recipes.static(),
        rng,
        sgd(rate, momentum=0.9, nesterov=True, weight_decay=1e-4),
    )

    def snapshot(number: int, loss: float, params: dict[str, Array], masks: Masks) -> Snapshot:
        fc1 = to_numpy(masks["fc1.weight"]) if masks else np.ones((784, 300), bool)
        share = accuracy(params, test_inputs, test_labels)
        return Snapshot(number, loss, share, fc1.sum(axis=1).reshape(28, 28), masks.counts)

    yield snapshot(0, float("nan"), to_device(params, device), masks)
    for step in run:
        if (step.number + 1) % every == 0 or step.number + 1 == recipe.steps:
            yield snapshot(step.number + 1, step.loss, step.params, step.masks)


def accuracy(params: dict[str, Array], inputs: Array, labels: Array) -> float:
    """The share of the examples that the network names rightly."""
    return float((MODEL(params, inputs).value.argmax(axis=1) == labels).mean())


def central_share(pixels: Array) -> float:
    """The share of first-layer connections that sit inside the central 20×20 of 28×28 pixels."""
    return float(pixels[4:24, 4:24].sum() / pixels.sum())


def cost(counts: dict[str, int]) -> tuple[float, int, float]:
    """(sparsity, weights, multiply-adds of one example) of the network; a layer not in `counts` is dense."""
    costs = MODEL.cost((784,))[0]  # of a linear layer's weights, each costs one multiply-add
    _, multiply_adds = forward(costs, {name: n / costs[name] for name, n in counts.items()})
    weights = sum(counts.get(name, size) for name, size in costs.items())
    return 1 - weights / sum(costs.values()), weights, multiply_adds


def picture(
    path: Path,
    name: str,
    images: Array,
    pixels: Sequence[tuple[int, Array]],
    curves: Mapping[str, Sequence],
    recipe: Recipe,
) -> Path:
    """Draw the mean image, RigL's connections per pixel at the start, during and at the end, and accuracy over time.

    pixels [(batches, (28, 28) counts)]; curves {method: [(batches, accuracy)]}.
    """
    from ..plot import connections_find_the_digits

    first, last = pixels[0], pixels[-1]
    during = min(pixels[1:-1], key=lambda frame: abs(frame[0] - recipe.t_end / 5))
    return connections_find_the_digits(
        path,
        f"RigL at {recipe.sparsity:.0%} sparsity on {name}: the share of connections in the central 20×20 pixels "
        f"goes from {central_share(first[1]):.0%} to {central_share(last[1]):.0%}",
        images.mean(axis=0)[..., 0],
        [("at the start", first[1]), (f"after {during[0]:,} batches", during[1]), ("at the end", last[1])],
        curves,
    )


def run_once(method: str, seed: int, directory: Path, data_dir: Path | None = None, recipe: Recipe = PAPER) -> dict:
    """One full run on MNIST, as a JSON file in `directory`; a run that is already there is read, not repeated.

    ValueError if what is there was run by another recipe.
    """
    path = directory / f"{method}-seed{seed}.json"
    numbers = {name: list(n) if isinstance(n, tuple) else n for name, n in recipe._asdict().items()}
    if path.exists():
        finished = json.loads(path.read_text())
        if finished["recipe"] != numbers:
            raise ValueError(f"{path} holds a run by another recipe, {finished['recipe']}; move it away")
        return finished
    began = time.perf_counter()
    seen = list(snapshots(method, load("mnist", data_dir), load("mnist", data_dir, "test"), seed, recipe))
    result = {
        "paper": "Evci et al. 2020, appendix B and figure 7",
        "method": method,
        "seed": seed,
        "recipe": numbers,
        "batch": BATCH,
        "connections": seen[-1].counts,
        "accuracy_last": seen[-1].accuracy,
        "accuracy_best": max(s.accuracy for s in seen),
        "accuracy_by_epoch": [s.accuracy for s in seen],
        "loss_by_epoch": [s.loss for s in seen[1:]],
        "central_share_start": central_share(seen[0].pixels),
        "central_share_end": central_share(seen[-1].pixels),
        "pixels": {str(shot.steps): shot.pixels.ravel().tolist() for shot in _frames(seen)},
        "seconds": round(time.perf_counter() - began, 1),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _frames(seen: Sequence[Snapshot]) -> list[Snapshot]:
    """A few snapshots, closer together at the start, where connections move most."""
    return [seen[round(i)] for i in np.geomspace(1, len(seen), 7) - 1]


def reproduce(seeds: int, jobs: int, directory: Path, data_dir: Path | None = None) -> Iterator[dict]:
    """Every method on MNIST with `seeds` seeds, in `jobs` processes of one BLAS thread each; results as they come."""
    from joblib import Parallel, delayed, parallel_config

    runs = [(method, seed) for seed in range(seeds) for method in METHODS]
    with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
        once = delayed(run_once)
        yield from Parallel(return_as="generator_unordered")(once(*run, directory, data_dir) for run in runs)


def picture_of(results: Sequence[dict], path: Path, images: Array) -> Path:
    """The picture of the first seed's finished runs."""
    first = {r["method"]: r for r in results if r["seed"] == 0}
    pixels = [(int(n), np.array(counts).reshape(28, 28)) for n, counts in first["rigl"]["pixels"].items()]
    curves = {method: list(enumerate(first[method]["accuracy_by_epoch"]))[1:] for method in METHODS}
    curves = {method: [(600 * epoch, accuracy) for epoch, accuracy in curve] for method, curve in curves.items()}
    return picture(path, "MNIST", images, pixels, curves, PAPER)


def summary(results: Sequence[dict]) -> list[dict]:
    """For each method: seeds, mean and standard deviation (ddof 1) of last-epoch accuracy, mean central shares."""
    rows = []
    for method in METHODS:
        own = [r for r in results if r["method"] == method]
        last = [r["accuracy_last"] for r in own]
        rows.append({
            "method": method,
            "seeds": len(own),
            "accuracy": float(np.mean(last)),
            "std": float(np.std(last, ddof=1)) if len(last) > 1 else 0.0,
            "best": float(np.mean([r["accuracy_best"] for r in own])),
            "central_start": float(np.mean([r["central_share_start"] for r in own])),
            "central_end": float(np.mean([r["central_share_end"] for r in own])),
        })  # fmt: skip
    return rows
