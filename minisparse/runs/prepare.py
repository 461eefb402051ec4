"""From a Plan to its Task: the data is read and the network described."""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..backend import Array, to_device
from ..checks import whole
from ..data import READERS, Dataset, as_inputs, from_file, load
from .methods import METHODS, PARTICULAR
from .names import allotted, network
from .plan import Plan, Task


def prepare(plan: Plan, data_dir: str | Path | None = None) -> Task:
    """Read the data and describe the network. ValueError naming the option that cannot be as it is."""
    if plan.method not in METHODS:
        raise ValueError(f"--method is {plan.method!r}; expected {', '.join(METHODS)}")
    if plan.optimizer not in ("sgd", "adam"):
        raise ValueError(f"--optimizer is {plan.optimizer!r}; expected sgd, adam")
    entry = METHODS[plan.method]
    if plan.storage not in ("masked", "sparse"):
        raise ValueError(f"--storage is {plan.storage!r}; expected masked, sparse")
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
            raise ValueError(f"--storage is 'sparse', and {other[0]!r} is a convolution; expected linear layers: "
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
        raise ValueError(f"--label is {plan.label!r}, and --data {plan.data!r}; expected --label with a .csv file")
    if plan.data in READERS:
        return load(plan.data, data_dir, split)
    if not Path(plan.data).suffix:
        raise ValueError(f"--data is {plan.data!r}; expected {', '.join(READERS)}, and .npz and .csv files")
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
