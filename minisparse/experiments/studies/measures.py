"""MNIST as studies use it, and what they measure of a network."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ... import models, nn
from ...autograd import Tensor
from ...backend import Array, namespace
from ...data import Dataset, as_inputs, load
from ...masks import Masks
from ...optim import is_weight
from ...streams import stream

NAMES = {"lenet-300-100": "LeNet-300-100", "lenet-5": "LeNet-5"}
CHUNK = 1000  # examples evaluated at a time


class Data(NamedTuple):
    """(inputs float32, labels (N,)) of each part."""

    train: Dataset
    validation: Dataset
    test: Dataset


def lenets(**options: Any) -> dict[str, tuple[nn.Chain, nn.Shape]]:
    """{name: (network, shape of its images)} of both LeNets; options: of the networks."""
    mlp, convolutions = models.lenet_300_100(**options), models.lenet_5(**options)
    return {"lenet-300-100": (mlp, (784,)), "lenet-5": (convolutions, (28, 28, 1))}


def mnist(
    data_dir: Path | None = None, validation: int = 0, standardize: bool = False, shape: nn.Shape = (784,),
    name: str = "mnist",
) -> Data:  # fmt: skip
    """MNIST with pixels from 0 to 1, or with mean 0 and variance 1 over all pixels of all training images.

    name: "mnist", or "fashion_mnist".
    shape: of an image: (784,), or (28, 28, 1) for convolutions.
    validation: the number of the 60,000 training examples, always the same, that make up that part instead.
    """
    (images, labels), (test_images, test_labels) = (load(name, data_dir, split) for split in ("train", "test"))
    inputs, test_inputs = (as_inputs(x).reshape(-1, *shape) for x in (images, test_images))
    if standardize:
        mean, std = inputs.mean(dtype=np.float64), inputs.std(dtype=np.float64)
        inputs, test_inputs = (((x - mean) / std).astype(np.float32) for x in (inputs, test_inputs))
    order = stream(0, "validation").permutation(len(labels))
    held, left = np.sort(order[:validation]), np.sort(order[validation:])
    return Data((inputs[left], labels[left]), (inputs[held], labels[held]), (test_inputs, test_labels))


def begun(
    network: tuple[nn.Chain, nn.Shape], seed: int
) -> tuple[nn.Chain, nn.Shape, np.random.Generator, Mapping[str, Array]]:
    """(model, the shape of its images, rng, params before training) of a run."""
    rng = np.random.default_rng(seed)
    return *network, rng, network[0].init(rng)


def accuracy(
    model: Callable[..., Tensor], params: Mapping[str, Array], inputs: Array, labels: Array, chunk: int = CHUNK
) -> float:
    """The fraction of the examples that the network classifies correctly, at inference, `chunk` at a time."""
    return int(correct(model, params, inputs, labels, chunk).sum()) / len(labels)


def correct(
    model: Callable[..., Tensor], params: Mapping[str, Array], inputs: Any, labels: Array, chunk: int = CHUNK
) -> Array:
    """Which examples the network classifies correctly, (N,) bool, at inference, `chunk` at a time."""
    right = []
    for place in range(0, len(labels), chunk):
        scores = model(params, inputs[place : place + chunk])
        right.append(scores.value.argmax(axis=1) == labels[place : place + chunk])
    return namespace(labels).concatenate(right)


def error(model: Callable[..., Tensor], params: Mapping[str, Array], examples: Dataset, chunk: int = CHUNK) -> float:
    """The percentage of the examples that the network misclassifies, `chunk` at a time."""
    return round(100 * (1 - accuracy(model, params, *examples, chunk)), 6)


def errors_of(errors: Sequence[float]) -> dict[str, Any]:
    """The part of every run's report on its errors, one per epoch."""
    return {"error_last": errors[-1], "error_best": min(errors), "error_by_epoch": list(errors)}


def weights_of(params: Mapping[str, Array], masks: Masks) -> dict[str, int]:
    """The number of weights in every layer; without a mask, all."""
    return {name: masks.counts.get(name, w.size) for name, w in params.items() if is_weight(name)}
