"""The loop over epochs: where epochs end, what is measured there, and the fraction done."""

from itertools import pairwise

import numpy as np
import pytest

from minisparse import nn, recipes
from minisparse.data import batches
from minisparse.experiments.studies import by_epoch, error, loss_of, measured
from minisparse.train import Step, train

MODEL = nn.mlp(4, 3)
RNG = np.random.default_rng(0)
EXAMPLES = RNG.standard_normal((12, 4), np.float32), RNG.integers(0, 3, 12)


def steps(losses):
    return [Step(n, loss, {}, {}, {}, {}, False, None) for n, loss in enumerate(losses)]


def test_an_epoch_ends_after_its_batches_and_with_the_last_of_all():
    moments = list(by_epoch(steps([1.0, 3.0, 5.0, 7.0, 8.0]), 2, 5))
    assert [now.step.number for now in moments] == list(range(5))
    assert [now.done for now in moments] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert [now.epoch for now in moments] == [0, 1, 0, 2, 3]
    assert [now.loss for now in moments if now.epoch] == [2.0, 6.0, 8.0]


@pytest.mark.parametrize(("part", "parts"), [(0, 1), (1, 4)])
def test_a_training_is_measured_after_every_epoch(part, parts):
    params = MODEL.init(np.random.default_rng(1))
    make = lambda: train(
        loss_of(MODEL), params, {}, batches(*EXAMPLES, 3, 0, stop=8), recipes.static(), np.random.default_rng(2)
    )
    shares, run = [], measured(by_epoch(make(), 4, 8), MODEL, EXAMPLES, part, parts)
    while True:
        try:
            shares.append(next(run))
        except StopIteration as end:
            errors, losses, last = end.value
            break
    every = list(make())
    assert errors == [error(MODEL, step.params, EXAMPLES) for step in every[3::4]]
    assert losses == [float(np.mean([step.loss for step in every[n : n + 4]])) for n in (0, 4)]
    assert (last.params["fc1.weight"] == every[-1].params["fc1.weight"]).all()
    assert shares == [(part + (n + 1) / 8) / parts for n in range(8)]
    assert all(a < b for a, b in pairwise(shares))


def test_the_loss_is_that_of_training_mode():
    dropped = nn.Chain({**MODEL.layers, "dropout": nn.Dropout(0.5)})
    params = MODEL.init(np.random.default_rng(1))
    same = [loss_of(dropped)(params, EXAMPLES, np.random.default_rng(seed)).value for seed in (0, 0, 1)]
    assert same[0] == same[1] != same[2]
