"""From a Plan to its Task: read the data and describe the network."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..backend import Array, to_device
from ..checks import whole
from ..data import READERS, Dataset, as_inputs, from_file, load
from .methods import METHODS, unused
from .names import allotted, chosen, network
from .plan import Plan, Task
from .times import refuse_idle, settled


def prepare(plan: Plan, data_dir: str | Path | None = None) -> Task:
    """Read the data and describe the network. ValueError naming the option that is impossible."""
    chosen("--method", plan.method, METHODS)
    chosen("--optimizer", plan.optimizer, ("sgd", "adam"))
    chosen("--storage", plan.storage, ("masked", "sparse"))
    entry = METHODS[plan.method]
    for option in ("delta_t", "t_end", "rounds"):
        if option in entry.options and (value := getattr(plan, option)) is not None:
            whole(f"--{option.replace('_', '-')}", value, 1)
    if plan.storage == "sparse" and entry.refusal:
        raise ValueError(f"--storage is 'sparse', --method {plan.method!r}: {entry.refusal}")
    sets = [_read(plan, data_dir, split) for split in ("train", "test")]
    (examples, labels), (test_examples, test_labels) = sets
    image, classes = examples.shape[1:], int(max(labels.max(), test_labels.max())) + 1
    if test_examples.shape[1:] != image:
        raise ValueError(f"--data is {plan.data!r}, with training examples of shape {image} and test examples of shape "
                         f"{test_examples.shape[1:]}; expected the same")  # fmt: skip

    def example(papers: nn.Shape) -> nn.Shape:
        if len(papers) > len(image):
            raise ValueError(f"--model is {plan.model!r}, which takes images; an example of {plan.data} is {image}")
        return image if len(papers) == len(image) else (math.prod(image),)

    model, shape = network(plan.model, example, classes)
    sites = nn.sites(model, shape)
    per_epoch = len(examples) // whole("--batch", plan.batch, 1, len(examples))
    steps = whole("--epochs", plan.epochs, 1) * per_epoch
    chosen_times: dict[str, Any] = {**settled(plan, steps), **dict.fromkeys(unused(plan.method))}
    plan = plan._replace(**chosen_times)
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
        _budget(plan, sites),
        {site.name: site.multiply_adds for site in sites},
        sum(math.prod(site.kernel_shape) for site in sites),
        per_epoch,
        steps,
    )
    trained = entry.model(task, lambda width: network(plan.model, example, classes, width)[0])
    task = task._replace(model=trained)
    refuse_idle(task, entry.idle)
    for make in (entry.method, entry.optimizer, entry.loss):
        make(task)  # each refuses impossible numbers, before anything is written
    return task


def _budget(plan: Plan, sites: Sequence[nn.Site]) -> dict[str, float]:
    """{site name: density} of the layers that the method makes sparse."""
    if plan.sparsity is None:
        return {}
    densities, full = allotted(sites, plan.sparsity, plan.distribution, plan.dense)
    for site in sites:
        if plan.storage == "sparse" and site.kind != "linear" and site.name not in full:
            raise ValueError(f"--storage is 'sparse', and {site.name!r} is a convolution; expected linear layers: "
                             "keep the others dense with --dense conv")  # fmt: skip
    return {name: density for name, density in densities.items() if name not in full}


def _read(plan: Plan, data_dir: str | Path | None, split: str) -> Dataset:
    if plan.label and Path(plan.data).suffix != ".csv":
        raise ValueError(f"--label is {plan.label!r}, and --data {plan.data!r}; expected --label only for a .csv file")
    if plan.data in READERS:
        return load(plan.data, data_dir, split)
    if not Path(plan.data).suffix:
        raise ValueError(f"--data is {plan.data!r}; expected {', '.join(READERS)}, or a .npz or .csv file")
    return from_file(plan.data, split, plan.label)


def _inputs(examples: Array) -> Array:
    """Bytes scaled to 0 to 1; other numbers unchanged."""
    return as_inputs(examples) if examples.dtype == np.uint8 else examples.reshape(len(examples), -1).astype(np.float32)


def _hash(sets: list[Dataset]) -> str:
    seen = hashlib.sha256()
    for array in (array for dataset in sets for array in dataset):
        seen.update(f"{array.dtype.str}{array.shape}".encode())
        seen.update(array.tobytes())
    return seen.hexdigest()
