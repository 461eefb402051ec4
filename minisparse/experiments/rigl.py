"""RigL on MNIST at 98 % (Evci et al. 2020, app. B and fig. 7): connections that move to the image centre.

What the authors' script does, and we with it: 784-300-100-10, fc1 at 98 %, fc2 at 88.2 %, fc3 dense; Glorot uniform
weights; inputs in [0, 1]; batches of 100 for 200 epochs; Nesterov SGD at 0.2 with momentum 0.9, divided by 3 after 75
and 95 epochs (dense: 60, 70, 80); L2 1e-4; α 0.3 on a cosine, ΔT 100, T_end 50,000. A shorter run divides every one of
these times by the same number.
"""

import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import nn, ops, recipes
from ..backend import Array
from ..data import Dataset, as_inputs, batches, load
from ..masks import random_masks
from ..optim import sgd
from ..schedule import multi_step_rate
from ..train import train

METHODS = ("rigl", "static", "dense")
PAPER_STEPS, BATCH = 120_000, 100
MODEL = nn.Chain({"flatten": nn.Flatten(), **nn.mlp(784, 300, 100, 10, initial=nn.glorot_uniform).layers})


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
    steps: int = PAPER_STEPS,
    sparsity: float = 0.98,
    every: int = 600,
) -> Iterator[Snapshot]:
    """Train by one of METHODS; a Snapshot before the first batch and after every `every` of them."""
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; accepted are {', '.join(METHODS)}")
    scaled = lambda number: max(1, round(number * steps / PAPER_STEPS))
    images, labels = as_inputs(train_set[0]), train_set[1]
    rng = np.random.default_rng(seed)
    params = MODEL.init(rng)

    densities = {} if method == "dense" else recipes.mnist_densities(sparsity)
    masks = random_masks({name: params[name].shape for name in densities}, densities, rng)
    epochs = (60, 70, 80) if method == "dense" else (75, 95)
    rate = multi_step_rate(0.2, [scaled(600 * epoch) for epoch in epochs], 1 / 3)
    moves = recipes.rigl(0.3, period=scaled(100), t_end=scaled(50_000), steps=steps)
    run = train(
        lambda p, batch, rng: ops.softmax_cross_entropy(MODEL(p, batch[0]), batch[1]),
        params,
        masks,
        batches(images, labels, BATCH, seed, stop=steps),
        moves if method == "rigl" else recipes.static(),
        rng,
        sgd(rate, momentum=0.9, nesterov=True, weight_decay=1e-4),
    )

    def snapshot(number: int, loss: float, params: dict[str, Array], masks: Any) -> Snapshot:
        fc1 = masks.get("fc1.weight", np.ones((784, 300), bool))
        return Snapshot(number, loss, accuracy(params, test_set), fc1.sum(axis=1).reshape(28, 28), dict(masks.counts))

    yield snapshot(0, float("nan"), params, masks)
    for step in run:
        if (step.number + 1) % every == 0 or step.number + 1 == steps:
            yield snapshot(step.number + 1, step.loss, step.params, step.masks)


def accuracy(params: dict[str, Array], dataset: Dataset) -> float:
    """The share of `dataset` that the network names rightly, dropout off."""
    scores = MODEL(params, as_inputs(dataset[0])).value
    return float((scores.argmax(axis=1) == dataset[1]).mean())


def central_share(pixels: Array) -> float:
    """The share of first-layer connections that sit inside the central 20×20 of 28×28 pixels."""
    return float(pixels[4:24, 4:24].sum() / pixels.sum())


def run_once(method: str, seed: int, directory: Path, data_dir: str | None = None, steps: int = PAPER_STEPS) -> dict:
    """One full run on MNIST, as a JSON file in `directory`; a run that is already there is read, not repeated."""
    path = directory / f"{method}-seed{seed}.json"
    if path.exists():
        return json.loads(path.read_text())
    began = time.perf_counter()
    seen = list(snapshots(method, load("mnist", data_dir), load("mnist", data_dir, "test"), seed, steps))
    result = {
        "paper": "Evci et al. 2020, appendix B and figure 7",
        "method": method,
        "seed": seed,
        "steps": steps,
        "batch": BATCH,
        "connections": seen[-1].counts,
        "accuracy_last": seen[-1].accuracy,
        "accuracy_best": max(s.accuracy for s in seen),
        "accuracy_by_epoch": [s.accuracy for s in seen],
        "loss_by_epoch": [s.loss for s in seen[1:]],
        "central_share_start": central_share(seen[0].pixels),
        "central_share_end": central_share(seen[-1].pixels),
        "pixels_start": seen[0].pixels.ravel().tolist(),
        "pixels_end": seen[-1].pixels.ravel().tolist(),
        "seconds": round(time.perf_counter() - began, 1),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(result, indent=1) + "\n")
    unfinished.replace(path)
    return result
