"""The loop over epochs of every study."""

from collections.abc import Generator, Iterable, Iterator
from math import nan
from typing import Any, NamedTuple

import numpy as np

from ... import nn
from ...data import Dataset
from ...train import Step
from .measures import error


class Moment(NamedTuple):
    """Training after a batch.

    step   as `train` yields it
    done   the fraction of all batches
    epoch  the number of the epoch that this batch ends, from 1; else 0
    loss   the mean over the batches of that epoch
    """

    step: Step
    done: float
    epoch: int = 0
    loss: float = nan


def by_epoch(steps: Iterable[Step], per_epoch: int, total: int) -> Iterator[Moment]:
    """A Moment for every step; epochs have `per_epoch` batches, and the last of all `total` batches ends one too."""
    losses: list[float] = []
    epoch = 0
    for number, step in enumerate(steps, 1):
        losses.append(step.loss)
        if len(losses) == per_epoch or number == total:
            epoch += 1
            yield Moment(step, number / total, epoch, float(np.mean(losses)))
            losses = []
        else:
            yield Moment(step, number / total)


class Measured(NamedTuple):
    """Test error in % and mean loss of every epoch, and the last Step."""

    errors: list[float]
    losses: list[float]
    last: Step


def measured(
    moments: Iterable[Moment], model: nn.Layer, test_set: Dataset, part: int = 0, parts: int = 1
) -> Generator[float, Any, Measured]:
    """Train to the end and return what was Measured; yields the fraction done, of `parts` such trainings before which
    `part` were.
    """
    errors, losses = [], []
    for now in moments:
        if now.epoch:
            errors.append(error(model, now.step.params, test_set))
            losses.append(now.loss)
        yield (part + now.done) / parts
    return Measured(errors, losses, now.step)
