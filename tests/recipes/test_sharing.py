"""Sharing the weights of a network, and training what they share."""

import numpy as np
import pytest
from arrays import give_all
from hypothesis import given
from hypothesis import strategies as st

from minisparse import nn, ops, recipes
from minisparse.autograd import value_and_grad
from minisparse.optim import sgd
from minisparse.train import train

MODEL = nn.mlp(6, 5, 3)
PARAMS = MODEL.init(np.random.default_rng(0), np.float64)
MASKS = {"fc1.weight": np.random.default_rng(1).random((6, 5)) < 0.5}
BITS = {"fc1.weight": 2, "fc2.weight": 2}
X, Y = np.random.default_rng(2).normal(size=(12, 6)), np.arange(12) % 3


def loss(p, batch, rng):
    return ops.softmax_cross_entropy(MODEL(p, X), Y)


@pytest.mark.parametrize("centroids", ["linear", "density", "random"])
def test_a_layer_has_few_values_and_only_where_its_mask_is(xp, centroids):
    params, masks = give_all(xp, PARAMS), give_all(xp, MASKS)
    values, codes = recipes.share(params, masks, BITS, np.random.default_rng(0), centroids)
    weights = {name: np.asarray(w.get() if hasattr(w, "get") else w)
               for name, w in recipes.shared_weights(values, codes).items()}  # fmt: skip
    assert [len(values[name]) for name in BITS] == [3, 3], "four codes, one of them the zero of fillers"
    assert ((weights["fc1.weight"] != 0) <= MASKS["fc1.weight"]).all()
    assert len(set(weights["fc1.weight"][MASKS["fc1.weight"]])) <= 3
    assert (weights["fc1.bias"] == PARAMS["fc1.bias"]).all()
    assert weights.keys() == PARAMS.keys()


@given(st.integers(0, 99))
def test_a_shared_value_s_gradient_is_the_finite_difference(seed):
    """Equation 3: move one shared value, and so all its weights."""
    rng = np.random.default_rng(seed)
    values, codes = recipes.share(PARAMS, MASKS, BITS, rng)
    of_values = lambda v: float(
        recipes.shared_loss(loss, codes)({n: ops.mul(a, 1.0) for n, a in v.items()}, None, None).value
    )
    _, grads = value_and_grad(lambda p: recipes.shared_loss(loss, codes)(p, None, None), values)
    name = list(BITS)[seed % 2]
    place = int(rng.integers(len(values[name])))
    moved = [values | {name: values[name] + sign * 1e-6 * (np.arange(len(values[name])) == place)} for sign in (1, -1)]
    assert grads[name][place] == pytest.approx((of_values(moved[0]) - of_values(moved[1])) / 2e-6, rel=1e-5, abs=1e-8)


def test_a_step_moves_a_shared_value_by_the_sum_of_its_weights_gradients():
    values, codes = recipes.share(PARAMS, MASKS, BITS, np.random.default_rng(0))
    weights = recipes.shared_weights(values, codes)
    _, grads = value_and_grad(lambda p: loss(p, None, None), weights)
    (step,) = train(recipes.shared_loss(loss, codes), values, {}, range(1), recipes.static(),
                    np.random.default_rng(0), sgd(0.1))  # fmt: skip
    for name in BITS:
        own = grads[name][codes[name].mask]
        for i, value in enumerate(values[name]):
            assert step.params[name][i] == pytest.approx(value - 0.1 * own[codes[name].index == i].sum())


def test_training_shared_values_lowers_the_loss_and_keeps_the_codes():
    values, codes = recipes.share(PARAMS, MASKS, BITS, np.random.default_rng(0))
    losses = []
    for step in train(recipes.shared_loss(loss, codes), values, {}, range(60), recipes.static(),
                      np.random.default_rng(0), sgd(0.05)):  # fmt: skip
        losses.append(step.loss)
        values = step.params
    assert losses[-1] < losses[0] - 0.1
    assert len(np.unique(recipes.shared_weights(values, codes)["fc2.weight"])) <= 3


def test_no_more_values_than_connections_and_none_for_an_empty_layer():
    masks = {"fc1.weight": np.zeros((6, 5), bool), "fc2.weight": np.arange(15).reshape(5, 3) < 2}
    values, codes = recipes.share(PARAMS, masks, {"fc1.weight": 5, "fc2.weight": 5}, np.random.default_rng(0))
    assert [len(values[name]) for name in ("fc1.weight", "fc2.weight")] == [0, 2]
    weights = recipes.shared_weights(values, codes)
    assert not weights["fc1.weight"].any()
    assert (weights["fc2.weight"] == PARAMS["fc2.weight"] * masks["fc2.weight"]).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"centroids": "lineer"}, "centroids is 'lineer'; expected linear, density, random. Did you mean 'linear'?"),
        ({"bits": {"fc9.weight": 2}}, "bits has 'fc9.weight', which is no parameter"),
        ({"bits": {"fc1.weight": 0}}, "bits of 'fc1.weight' is 0; expected a whole number from 1 to 16"),
        ({"masks": {"fc1.weight": np.ones((5, 6), bool)}}, "mask for 'fc1.weight' has shape"),
        ({"params": PARAMS | {"fc1.weight": PARAMS["fc1.weight"] * np.nan}}, "expected at least one finite weight"),
    ],
)
def test_bad_input_is_refused(changes, words):
    given = {"params": PARAMS, "masks": MASKS, "bits": BITS, "rng": np.random.default_rng(0)} | changes
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        recipes.share(**given)
