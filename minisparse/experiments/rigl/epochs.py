"""A run of RigL's MNIST network, epoch by epoch: what the studies of RigL beyond its picture have in common."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import nn, ops
from ...backend import Array
from ...data import Dataset, batches
from ...masks import Masks
from ...optim import Optimizer
from ...train import Method, Step, train
from ..studies import error, errors_of


class Epoch(NamedTuple):
    """A run after so many epochs: mean loss of the last one's batches, and error on the test set in percent."""

    number: int
    loss: float
    error: float


def epochs(
    model: nn.Layer,
    params: Mapping[str, Array],
    masks: Mapping[str, Array],
    method: Method,
    optimizer: Optimizer,
    train_set: Dataset,
    test_set: Dataset,
    size: int,
    steps: int,
    seed: int,
    begin: int = 0,
) -> Iterator[tuple[Epoch, Step]]:
    """Train in `steps` batches of `size`, from batch number `begin` on; what came of each epoch, and its last Step.

    The learning rate and the method count from the first of these batches.
    """
    per_epoch, losses = len(train_set[1]) // size, list[float]()
    run = train(
        lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0], train=True, rng=rng), batch[1]),
        params,
        masks,
        batches(*train_set, size, seed, begin, begin + steps),
        method,
        np.random.default_rng([seed, begin]),
        optimizer,
    )
    for step in run:
        losses.append(step.loss)
        if len(losses) == per_epoch:
            wrong = error(model, step.params, test_set)
            yield Epoch((step.number + 1) // per_epoch, float(np.mean(losses)), wrong), step
            losses = []


def outcome(seen: Sequence[Epoch], masks: Masks) -> dict[str, Any]:
    """What every run reports."""
    return {
        **errors_of([epoch.error for epoch in seen]),
        "loss_by_epoch": [round(epoch.loss, 6) for epoch in seen],
        "weights": masks.counts,
    }
