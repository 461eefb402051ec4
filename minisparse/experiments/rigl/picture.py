"""RigL on MNIST at 98 % (Evci et al. 2020, app. B and fig. 7): connections that move to the image centre."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ... import plot, recipes
from ...backend import Array, to_device, to_numpy
from ...data import Dataset, as_inputs, batches, load
from ...flops import forward
from ...masks import Masks
from ...train import train
from ..studies import Finished, Run, Running, Study, by_epoch, correct, each_seed, finished, grouped, loss_of
from ..studies.rows import each, gap, orderings, rows
from .recipe import MODEL, PAPER, PAPER_NAME, Recipe, recipe_of, start

FRAMES = 72  # of the animation, about
METHOD_NAMES = {"rigl": "RigL", "static": "static mask", "dense": "dense"}
METHODS = tuple(METHOD_NAMES)
# A run of seconds, in which moving early counts most. Chosen on MNIST's training images.
DEMO = Recipe(1_500, 0.02, (1_050, 1_275), (450, 525, 600), 0.5, 50, 900)


class Snapshot(NamedTuple):
    """A run after `steps` batches: the last loss, which test images it classifies correctly (N,), connections of each
    pixel (28, 28), and of each layer.
    """

    steps: int
    loss: float
    right: Array
    pixels: Array
    counts: dict[str, int]

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


def snapshots(
    method: str, train_set: Dataset, test_set: Dataset, seed: int, recipe: Recipe = PAPER, every: int = 600,
    device: str = "cpu",
) -> Iterator[Snapshot]:  # fmt: skip
    """Train by one of METHODS; a Snapshot before the first batch, after every `every` of them and at the end."""
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; expected {', '.join(METHODS)}")
    inputs, labels, *test = to_device(
        (as_inputs(train_set[0]), train_set[1], as_inputs(test_set[0]), test_set[1]), device
    )
    rng = np.random.default_rng(seed)
    params, masks = start({} if method == "dense" else recipes.mnist_densities(recipe.sparsity), rng)

    def snapshot(number: int, loss: float, params: dict[str, Array], masks: Masks) -> Snapshot:
        fc1 = to_numpy(masks["fc1.weight"]) if masks else np.ones((784, 300), bool)
        right = to_numpy(correct(MODEL, params, *test))
        return Snapshot(number, loss, right, fc1.sum(axis=1).reshape(28, 28), masks.counts)

    params, moved = to_device(params, device), to_device(masks, device)
    yield snapshot(0, float("nan"), params, masks)
    rule, optimizer = recipe.rigl() if method == "rigl" else recipes.static(), recipe.optimizer(method == "dense")
    given = batches(inputs, labels, recipe.batch, seed, stop=recipe.steps)
    run = train(loss_of(MODEL), params, moved, given, rule, rng, optimizer)
    for now in by_epoch(run, every, recipe.steps):
        if now.epoch:
            yield snapshot(now.step.number + 1, now.step.loss, now.step.params, now.step.masks)


def above(one: Snapshot, other: Snapshot) -> tuple[float, float]:
    """(difference of two accuracies on the same images, its standard error).

    The error is that of the mean of paired differences: images that both classify alike have no part in it.
    """
    difference = one.right.astype(float) - other.right
    return float(difference.mean()), float(difference.std(ddof=1) / len(difference) ** 0.5)


def central_share(pixels: Array) -> float:
    """The fraction of first-layer connections inside the central 20×20 of 28×28 pixels."""
    return float(pixels[4:24, 4:24].sum() / pixels.sum())


def cost(counts: dict[str, int]) -> tuple[float, int, float]:
    """(sparsity, weights, multiply-adds of one example) of the network; a layer not in `counts` is dense."""
    costs = MODEL.cost((784,))[0]  # of a linear layer's weights, each costs one multiply-add
    _, multiply_adds = forward(costs, {name: n / costs[name] for name, n in counts.items()})
    weights = sum(counts.get(name, size) for name, size in costs.items())
    return 1 - weights / sum(costs.values()), weights, multiply_adds


def picture(
    path: Path, name: str, images: Array, pixels: Sequence[tuple[int, Array]], curves: Mapping[str, Sequence],
    recipe: Recipe,
) -> Path:  # fmt: skip
    """Draw the mean image, RigL's connections per pixel at the start, during and at the end, and accuracy over time.

    pixels [(batches, (28, 28) counts)]; curves {method: [(batches, accuracy)]}.
    """
    first, last = pixels[0], pixels[-1]
    during = min(pixels[1:-1], key=lambda frame: abs(frame[0] - recipe.t_end / 5))
    return plot.connections_find_the_digits(
        path,
        f"RigL at {recipe.sparsity:.0%} sparsity on {name}: the share of connections in the central 20×20 pixels "
        f"goes from {central_share(first[1]):.0%} to {central_share(last[1]):.0%}",
        images.mean(axis=0)[..., 0],
        [("at the start", first[1]), (f"after {during[0]:,} batches", during[1]), ("at the end", last[1])],
        curves,
    )


def run(data_dir: Path | None, method: str, seed: int, **numbers: Any) -> Running:
    """A full run on MNIST, with a snapshot after every epoch."""
    recipe = recipe_of(numbers)
    seen = yield from _seen(data_dir, method, seed, recipe, recipe.per_epoch, recipe.steps)
    yield {
        "connections": seen[-1].counts,
        "accuracy_last": seen[-1].accuracy,
        "accuracy_best": max(s.accuracy for s in seen),
        "accuracy_by_epoch": [s.accuracy for s in seen],
        "loss_by_epoch": [s.loss for s in seen[1:]],
        "central_share_start": central_share(seen[0].pixels),
        "central_share_end": central_share(seen[-1].pixels),
        "pixels": {str(shot.steps): shot.pixels.ravel().tolist() for shot in _frames(seen, 7)},
    }


def film(data_dir: Path | None, seed: int, stop: int, **numbers: Any) -> Running:
    """RigL's first `stop` batches, after which its masks no longer change, with the pixels' connections on the way."""
    recipe = recipe_of(numbers)
    chosen = _frames((yield from _seen(data_dir, "rigl", seed, recipe, recipe.period, stop)), FRAMES)
    yield {
        "steps": [shot.steps for shot in chosen],
        "accuracy": [shot.accuracy for shot in chosen],
        "central_share": [central_share(shot.pixels) for shot in chosen],
        "pixels": [" ".join(map(str, shot.pixels.ravel().tolist())) for shot in chosen],
    }


def _seen(
    data_dir: Path | None, method: str, seed: int, recipe: Recipe, every: int, stop: int
) -> Generator[float, Any, list[Snapshot]]:
    """The snapshots on MNIST up to batch number `stop`; yields the fraction done."""
    seen = []
    for shot in snapshots(method, load("mnist", data_dir), load("mnist", data_dir, "test"), seed, recipe, every):
        seen.append(shot)
        yield shot.steps / stop
        if shot.steps == stop:
            break
    return seen


def _frames(seen: Sequence[Snapshot], n: int) -> list[Snapshot]:
    """`n` snapshots or a few less, closer together at the start, where connections move most."""
    return [seen[i] for i in sorted({round(i) - 1 for i in np.geomspace(1, len(seen), n)})]


def _picture(runs: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    """The picture of the first seed's runs."""
    first = {done["config"]["method"]: done["result"] for done in runs if done["seed"] == 0}
    path = directory / "connections_find_the_digits.png"
    if set(METHODS) - set(first):
        return []
    try:
        images = load("mnist", data_dir)[0]
    except OSError:  # no MNIST here: keep the picture there is
        return [path] if path.exists() else []
    pixels = [(int(n), np.array(counts).reshape(28, 28)) for n, counts in first["rigl"]["pixels"].items()]
    by_epoch = {method: first[method]["accuracy_by_epoch"][1:] for method in METHODS}
    curves = {m: [(PAPER.per_epoch * n, a) for n, a in enumerate(curve, 1)] for m, curve in by_epoch.items()}
    return [picture(path, "MNIST", images, pixels, curves, PAPER)]


def _animation(runs: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    """The film, with what the longer runs of rigl-mnist-98 say of the static mask and of the end, where they are."""
    frames = [
        (steps, np.array(pixels.split(), int).reshape(28, 28), share, accuracy)
        for done in runs
        for steps, pixels, share, accuracy in zip(
            *(done["result"][name] for name in ("steps", "pixels", "central_share", "accuracy")), strict=True
        )
    ]
    longer = finished(STUDIES[0], directory)
    of_method = grouped(longer, "method", "accuracy_last")
    means = {method: float(np.mean(of_method[method])) for method in METHODS if method in of_method}
    curve: list = next((d["result"]["accuracy_by_epoch"] for d in longer if d["run"] == "static-seed0"), [])
    static = [(PAPER.per_epoch * epoch, accuracy) for epoch, accuracy in enumerate(curve)]
    ending = ", ".join(f"{METHOD_NAMES[method]} {100 * mean:.2f} %" for method, mean in means.items())
    ending = f"test accuracy after all {PAPER.steps:,} batches: {ending}" if means else ""
    path = directory / "rigl_animation.gif"
    return [plot.rigl_animation(path, "98 % sparse", frames, static, ending)] if frames else []


MNIST_98 = "rigl/mnist-98/"
ROWS = (
    *rows(MNIST_98, "Evci et al. 2020, the authors' blog: about 6",
        ("connections-per-pixel", "RigL at 98 %: first-layer connections of a pixel, at the start",
         6.0, "connections", 0.05, each(lambda result: sum(result["pixels"]["0"]) / 784, method="rigl"),
         "4,704 connections exactly; the tolerance is the printed digit")),
    *orderings(MNIST_98, "Evci et al. 2020, figure 7",
        ("to-the-centre",
         "RigL at 98 %: growth of the share of first-layer connections in the central 20×20 of 28×28 pixels",
         each(lambda result: 100 * (result["central_share_end"] - result["central_share_start"]), method="rigl"),
         "the paper shows a picture: connections migrate from the border to the centre")),
    *orderings(MNIST_98, "Evci et al. 2020, section 4: the ordering",
        ("above-static", "RigL above a static mask at 98 %, test accuracy after the last epoch",
         gap(lambda result: 100 * result["accuracy_last"], {"method": "rigl"}, {"method": "static"}))),
)  # fmt: skip
STUDIES = (
    Study(
        "rigl-mnist-98", PAPER_NAME,
        "784-300-100-10 at 98 % sparsity by RigL, with a static mask and dense: connections find the digits.",
        minutes=16, seeds=3, runs=each_seed(run, {method: {"method": method, **PAPER.numbers} for method in METHODS}),
        rows=ROWS, figures=_picture,
    ),
    Study(
        "rigl-animation", PAPER_NAME,
        "The same network over the first 50,000 batches, after which its connections rest, as an animation.",
        minutes=4, seeds=1,
        runs=lambda seeds: [Run("rigl-seed0", 0, film, {"seed": 0, "stop": PAPER.t_end, **PAPER.numbers})], rows=(),
        figures=_animation,
    ),
)  # fmt: skip
