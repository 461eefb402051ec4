"""Straight-through estimators: what the forward pass sees, and that all weights get its gradient."""

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_methods import slow_top_k
from strategies import SHAPES, SMALL, tied

from minisparse import ops, recipes
from minisparse.autograd import value_and_grad
from minisparse.masks import project
from minisparse.methods.straight_through import seen_mask
from minisparse.optim import sgd
from minisparse.train import train


@given(SHAPES.flatmap(tied), st.data())
def test_what_is_seen_is_the_largest_or_what_noise_ranks(xp, weight, data):
    n_keep = data.draw(st.integers(0, weight.size))
    noise = data.draw(tied(weight.shape))
    assert (back(seen_mask(give(xp, weight), n_keep)) == slow_top_k(abs(weight), n_keep)).all()
    assert (back(seen_mask(give(xp, weight), n_keep, give(xp, noise))) == slow_top_k(noise, n_keep)).all()


X, Y = np.random.default_rng(0).normal(size=(2, 6, 4))


def loss(p, batch, rng):
    return ops.mean((ops.matmul(X, p["a.weight"]) + p["a.bias"] - Y) * (ops.matmul(X, p["a.weight"]) - Y))


def parameters(weight):
    return {"a.weight": weight.astype(float), "a.bias": np.full(4, 0.3)}


@given(hnp.arrays(float, (4, 4), elements=SMALL), st.integers(0, 16), st.booleans())
def test_all_weights_get_the_gradient_of_the_network_that_was_seen(weight, n_keep, random):
    params, sizes = parameters(weight), {"a.weight": n_keep}
    estimated = recipes.straight_through_loss(loss, sizes, random)
    value, grads = value_and_grad(lambda p: estimated(p, None, np.random.default_rng(5)), params)
    noise = {"a.weight": np.random.default_rng(5).random((4, 4))} if random else None
    seen = project(params, recipes.straight_through_masks(params, sizes, noise))
    expected, dense = value_and_grad(lambda p: loss(p, None, None), seen)
    assert value == expected
    assert grads["a.weight"].tolist() == dense["a.weight"].tolist(), "of absent weights too"
    assert grads["a.bias"].tolist() == dense["a.bias"].tolist()


def test_an_absent_weight_grows_until_it_is_seen():
    params, sizes = parameters(np.random.default_rng(3).normal(0, 0.3, (4, 4))), {"a.weight": 4}
    first = recipes.straight_through_masks(params, sizes)["a.weight"]
    losses = []
    for step in train(recipes.straight_through_loss(loss, sizes), params, {}, range(80), recipes.static(),
                      np.random.default_rng(0), sgd(0.1)):  # fmt: skip
        params = step.params
        losses.append(step.loss)
    last = recipes.straight_through_masks(params, sizes)["a.weight"]
    assert (last & ~first).any()
    assert np.count_nonzero(params["a.weight"]) == 16, "all weights are kept"
    assert losses[-1] < losses[0]


def test_a_random_mask_is_another_in_every_batch_and_the_same_for_the_same_seed():
    seen = []

    def watched(p, batch, rng):
        seen[-1].append(np.flatnonzero(p["a.weight"].value).tolist())
        return loss(p, batch, rng)

    for _ in range(2):
        seen.append([])
        estimated = recipes.straight_through_loss(watched, {"a.weight": 5}, random=True)
        list(train(estimated, parameters(np.ones((4, 4))), {}, range(6), recipes.static(), np.random.default_rng(2)))
    assert seen[0] == seen[1]
    assert all(len(places) == 5 for places in seen[0])
    assert len({tuple(places) for places in seen[0]}) > 3


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="n_keep is 5; expected a whole number from 0 to 4"):
        seen_mask(np.ones(4), 5)
    with pytest.raises(ValueError, match=r"noise has shape \(3,\), weight has \(4,\)"):
        seen_mask(np.ones(4), 2, np.ones(3))
    with pytest.raises(ValueError, match="score is NaN at 1 of 4"):
        seen_mask(np.array([1, np.nan, 2, 3]), 2)
    with pytest.raises(ValueError, match=r"n_keep of 'a.weight' is -1"):
        recipes.straight_through_loss(loss, {"a.weight": -1})
