"""The networks: how many parameters they have, what they cost, and that they learn."""

import math

import numpy as np
import pytest
from arrays import give, give_all

from minisparse import data, models, ops, recipes
from minisparse.autograd import value_and_grad
from minisparse.optim import sgd
from minisparse.train import train


def sizes(model):
    return {name: array.size for name, array in model.init(np.random.default_rng(0)).items()}


@pytest.mark.parametrize(
    ("model", "shape", "weights", "parameters", "multiply_adds"),
    [
        (models.lenet_300_100(), (784,), 266_200, 266_610, {"fc1": 235_200, "fc2": 30_000, "fc3": 1_000}),
        (
            models.lenet_5(),
            (28, 28, 1),
            430_500,
            431_080,
            {"conv1": 288_000, "conv2": 1_600_000, "fc1": 400_000, "fc2": 5_000},
        ),
    ],
    ids=["lenet_300_100", "lenet_5"],
)
def test_counts_and_costs_are_the_published_ones(model, shape, weights, parameters, multiply_adds):
    own = sizes(model)
    assert sum(own.values()) == parameters
    assert sum(size for name, size in own.items() if name.endswith(".weight")) == weights
    costs, out = model.cost(shape)
    assert costs == {f"{layer}.weight": cost for layer, cost in multiply_adds.items()}
    assert out == (10,)


def test_every_multiplication_of_lenet_5_is_counted():
    costs, _ = models.lenet_5().cost((28, 28, 1))
    assert 2 * sum(costs.values()) == 4_586_000


def test_lenet_5_takes_other_images_and_classes(xp):
    model = models.lenet_5((32, 20, 3), classes=7)
    params = give_all(xp, model.init(np.random.default_rng(0), np.float64))
    x = give(xp, np.random.default_rng(1).random((2, 32, 20, 3)))
    labels = give(xp, np.array([0, 6]))
    loss, grads = value_and_grad(lambda p: ops.softmax_cross_entropy(model(p, x, train=True), labels), params)
    assert math.isfinite(float(loss))
    assert all(grads[name].shape == w.shape and bool((grads[name] != 0).any()) for name, w in params.items())


def test_lenet_5_learns_the_digits():
    images, labels = data.load("digits")
    model, rng = models.lenet_5(), np.random.default_rng(0)
    inputs = (images / 255).astype(np.float32)
    loss_fn = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0]), batch[1])
    batches = data.batches(inputs, labels, 50, seed=0, stop=60)
    *_, last = train(loss_fn, model.init(rng), {}, batches, recipes.static(), rng, sgd(0.05, momentum=0.9))
    test_images, test_labels = data.load("digits", split="test")
    scores = model(last.params, (test_images / 255).astype(np.float32)).value
    assert (scores.argmax(axis=1) == test_labels).mean() > 0.85
