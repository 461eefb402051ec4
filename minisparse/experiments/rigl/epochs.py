"""A training of RigL's MNIST network, as the studies beyond its picture record it."""

from collections.abc import Generator, Mapping
from typing import Any

import numpy as np

from ... import nn
from ...backend import Array
from ...data import Dataset, batches
from ...train import Method, Step, train
from ..studies import by_epoch, errors_of, loss_of, measured
from .recipe import Recipe


def trained(
    model: nn.Layer, params: Mapping[str, Array], masks: Mapping[str, Array], method: Method, recipe: Recipe,
    train_set: Dataset, test_set: Dataset, seed: int, begin: int = 0, part: int = 0, parts: int = 1,
) -> Generator[float, Any, tuple[dict[str, Any], Step]]:  # fmt: skip
    """Train by a recipe from batch number `begin` on; returns the run's report and the last Step.

    The learning rate and the method count from the first of these batches. Yields the fraction done, as `measured`.
    """
    given = batches(*train_set, recipe.batch, seed, begin, begin + recipe.steps)
    rng, optimizer = np.random.default_rng([seed, begin]), recipe.optimizer()
    run = train(loss_of(model), params, masks, given, method, rng, optimizer)
    moments = by_epoch(run, len(train_set[1]) // recipe.batch, recipe.steps)
    errors, losses, last = yield from measured(moments, model, test_set, part, parts)
    report = {**errors_of(errors), "loss_by_epoch": [round(loss, 6) for loss in losses], "weights": last.masks.counts}
    return report, last
