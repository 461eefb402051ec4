"""SNIP (Lee et al. 2019) on MNIST: one mini-batch before training says which connections to keep.

As in the paper: 54,000 of the training images (a tenth is held out for validation), batches of 100, SGD with momentum
0.9, L2 5e-4, learning rate 0.1 and a tenth of it after every 25,000 iterations; connections are scored on one batch of
100, and the weights that were scored are trained. As in the authors' code, inputs have mean 0 and variance 1 and
weights start at N(0, 1 / fan_in), here not cut off at two deviations.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import nn, recipes
from ...allocate import density_of
from ...backend import Array
from ...data import Dataset, batches
from ...masks import Masks
from ...optim import sgd
from ...schedule import multi_step_rate
from ...streams import stream
from ...train import Step, train
from ..packing import packed
from ..studies import Running, accuracy, begun, by_epoch, errors_of, lenets, loss_of, measured, mnist

HELD_OUT = 6_000  # of the training images, as in the paper


def variance_scaling(rng: np.random.Generator, shape: nn.Shape) -> Array:
    """N(0, 1 / fan_in), the default of TensorFlow's variance_scaling_initializer but for its cut-off tails."""
    return rng.standard_normal(shape) / math.sqrt(math.prod(shape[:-1]))


NETWORKS = lenets(initial=variance_scaling)


def kept(
    model: nn.Layer, params: Mapping[str, Array], examples: Dataset, sparsity: float, size: int, seed: int
) -> Masks:
    """SNIP's masks on one batch of `size` examples, drawn by `seed`; none, which is dense, at sparsity 0."""
    if not sparsity:
        return Masks({})
    rng = np.random.default_rng(seed)
    batch = next(batches(*examples, size, seed))
    return recipes.snip(loss_of(model), params, [batch], density_of(sparsity), rng)


def steps(
    model: nn.Layer, params: Mapping[str, Array], masks: Masks, examples: Dataset, seed: int, *,
    iterations: int, drops: Sequence[int], batch: int, rate: float, weight_decay: float,
) -> Iterator[Step]:  # fmt: skip
    """Ordinary training of what SNIP kept; the rate is a tenth from each of `drops` on."""
    descent = sgd(multi_step_rate(rate, drops, 0.1), momentum=0.9, weight_decay=weight_decay)
    given = batches(*examples, batch, seed, stop=iterations)
    return train(loss_of(model), params, masks, given, recipes.static(), np.random.default_rng(seed), descent)


def trained(
    data_dir: Path | None, *, network: str, sparsity: float, pruning_batch: int, seed: int, **training: Any
) -> Running:
    """Prune on one batch and train; errors on the test set in %, after every epoch."""
    model, shape, _, params = begun(NETWORKS[network], seed)
    train_set, _, test_set = mnist(data_dir, validation=HELD_OUT, standardize=True, shape=shape)
    masks = kept(model, params, train_set, sparsity, pruning_batch, seed)
    run = steps(model, params, masks, train_set, seed, **training)
    moments = by_epoch(run, len(train_set[1]) // training["batch"], training["iterations"])
    seen = yield from measured(moments, model, test_set)
    yield {**errors_of(seen.errors), "weights": masks.counts}


def of_classes(data_dir: Path | None, *, sparsities: Sequence[float], pruning_batch: int, seed: int) -> Running:
    """Figure 2: SNIP on batches of one class each; connections of every pixel that are kept, class by class.

    pixels: {sparsity: [packed (28, 28) counts of each class]}; means: packed (28, 28) mean images, 0 to 255.
    """
    model, _, _, params = begun(NETWORKS["lenet-300-100"], seed)
    inputs, labels = mnist(data_dir, validation=HELD_OUT, standardize=True).train
    pixels: dict[str, list[str]] = {str(sparsity): [] for sparsity in sparsities}
    means = []
    for label in range(10):
        of_class = inputs[labels == label], labels[labels == label]
        mean = of_class[0].mean(axis=0)
        means.append(packed(np.rint(255 * (mean - mean.min()) / np.ptp(mean)).reshape(28, 28)))
        for sparsity in sparsities:
            masks = kept(model, params, of_class, sparsity, pruning_batch, seed)
            pixels[str(sparsity)].append(packed(masks["fc1.weight"].sum(axis=1).reshape(28, 28)))
        yield (label + 1) / 10
    yield {"pixels": pixels, "means": means}


def of_labels(
    data_dir: Path | None, *, labels: str, examples: int, sparsity: float, pruning_batch: int, seed: int,
    **training: Any,
) -> Running:  # fmt: skip
    """Figure 4: LeNet-5 on the labels as they are or at "random"; loss and accuracy on the training images, by epoch.

    examples: the number of training images. Random labels are the true ones in a random order.
    """
    model, shape, _, params = begun(NETWORKS["lenet-5"], seed)
    inputs, names = (part[:examples] for part in mnist(data_dir, HELD_OUT, standardize=True, shape=shape).train)
    if labels == "random":
        names = stream(seed, "labels").permutation(names)
    masks = kept(model, params, (inputs, names), sparsity, pruning_batch, seed)
    losses, accuracies = [], []
    run = steps(model, params, masks, (inputs, names), seed, **training)
    for now in by_epoch(run, len(names) // training["batch"], training["iterations"]):
        if now.epoch:
            losses.append(now.loss)
            accuracies.append(100 * accuracy(model, now.step.params, inputs, names))
        yield now.done
    yield {"loss_by_epoch": losses, "accuracy_by_epoch": accuracies, "weights": masks.counts}
