"""Top-KAST's sets against sorted lists, and the gradients, decay and weights that follow from them."""

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
from minisparse.methods.top_kast import forward_and_backward, strength
from minisparse.optim import adam, sgd
from minisparse.train import train


@st.composite
def sized(draw):
    weight = draw(SHAPES.flatmap(tied))
    n_backward = draw(st.integers(0, weight.size))
    return weight, draw(st.integers(0, n_backward)), n_backward


@given(sized())
def test_the_sets_are_the_largest_and_the_first_is_in_the_second(xp, case):
    weight, n_forward, n_backward = case
    a, b = (back(mask) for mask in forward_and_backward(give(xp, weight), n_forward, n_backward))
    assert (a == slow_top_k(abs(weight), n_forward)).all()
    assert (b == slow_top_k(abs(weight), n_backward)).all()
    assert (a <= b).all()


def test_by_hand(xp):
    a, b = forward_and_backward(give(xp, np.array([1.0, -4, 2, 2, 0, 3, 0, 0])), 2, 4)
    assert back(a).astype(int).tolist() == [0, 1, 0, 0, 0, 1, 0, 0]
    assert back(b).astype(int).tolist() == [0, 1, 1, 1, 0, 1, 0, 0]
    assert back(strength(a, b)).tolist() == [0, 1, 4, 4, 0, 1, 0, 0], "a quarter is in A"


def test_an_empty_forward_set_penalises_nothing():
    assert not strength(np.zeros(3, bool), np.ones(3, bool)).any()
    assert not strength(np.zeros(0, bool), np.zeros(0, bool)).any()


X, Y = np.random.default_rng(0).normal(size=(2, 6, 4))


def loss(p, batch, rng):
    return ops.mean((ops.matmul(X, p["a.weight"]) + p["a.bias"] - Y) * (ops.matmul(X, p["a.weight"]) - Y))


def parameters(weight):
    return {"a.weight": weight.astype(float), "a.bias": np.full(4, 0.3)}


@given(hnp.arrays(float, (4, 4), elements=SMALL), st.integers(1, 16), st.data())
def test_the_gradient_is_that_of_the_forward_network_within_the_backward_set(weight, n_backward, data):
    n_forward = data.draw(st.integers(1, n_backward))
    sizes = {"a.weight": n_forward}, {"a.weight": n_backward}
    explored = recipes.top_kast_loss(loss, *sizes, weight_decay=0)
    params = parameters(weight)
    value, grads = value_and_grad(lambda p: explored(p, None, None), params)
    expected, dense = value_and_grad(lambda p: loss(p, None, None), recipes.top_kast_weights(params, sizes[0]))
    _, b = forward_and_backward(weight, n_forward, n_backward)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert grads["a.weight"] == pytest.approx(dense["a.weight"] * b)
    assert grads["a.bias"] == pytest.approx(dense["a.bias"])


@given(hnp.arrays(float, (4, 4), elements=SMALL))
def test_the_exploration_loss_decays_the_backward_set_more_strongly(weight):
    sizes = {"a.weight": 4}, {"a.weight": 10}
    zero = lambda p, batch, rng: ops.sum(p["a.weight"]) * 0.0
    params = parameters(weight)
    grads = value_and_grad(lambda p: recipes.top_kast_loss(zero, *sizes, 0.5)(p, None, None), params)[1]
    a, b = forward_and_backward(weight, 4, 10)
    assert grads["a.weight"] == pytest.approx(0.5 * weight * (a + 4 * (b & ~a)))
    assert not grads["a.bias"].any()


@pytest.mark.parametrize("optimizer", [sgd(0.05, momentum=0.9), adam(0.01)])
def test_in_training_weights_outside_the_backward_set_stay_and_it_moves(optimizer):
    sizes = {"a.weight": 4}, {"a.weight": 8}
    rng = np.random.default_rng(3)
    last = parameters(rng.normal(0, 0.3, (4, 4)))
    optimizer = recipes.top_kast_optimizer(optimizer, sizes[1])
    wrapped = recipes.top_kast_loss(loss, *sizes, weight_decay=0.2)
    seen = set()
    for step in train(wrapped, last, {}, range(60), recipes.static(), rng, optimizer):
        _, b = forward_and_backward(last["a.weight"], 4, 8)
        assert (step.params["a.weight"][~b] == last["a.weight"][~b]).all()
        assert (step.params["a.weight"][b] != last["a.weight"][b]).all()
        assert not any(arrays["a.weight"][~b].any() for arrays in step.slots.values() if isinstance(arrays, dict))
        assert (step.params["a.bias"] != last["a.bias"]).all()
        seen.add(b.tobytes())
        last = step.params
    assert len(seen) > 1, "the set never changed: the test shows less than it says"
    kept = recipes.top_kast_weights(last, sizes[0])
    assert np.count_nonzero(kept["a.weight"]) == 4
    assert (kept["a.bias"] == last["a.bias"]).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: forward_and_backward(np.ones(4), 3, 2), "n_forward is 3; expected a whole number from 0 to 2"),
        (lambda: forward_and_backward(np.ones(4), 3, 5), "n_backward is 5; expected a whole number from 0 to 4"),
        (lambda: forward_and_backward(np.full(4, np.nan), 1, 2), "score is NaN"),
        (lambda: strength(np.ones(2, bool), np.ones(3, bool)), r"backward has shape \(3,\)"),
        (lambda: recipes.top_kast_loss(loss, {"a": 1}, {"b": 1}), "'a' is only in n_forward"),
        (lambda: recipes.top_kast_loss(loss, {"a": 2}, {"a": 1}), "n_forward of 'a' is 2"),
        (lambda: recipes.top_kast_loss(loss, {"a": 1}, {"a": -1}), "n_backward of 'a' is -1"),
        (lambda: recipes.top_kast_loss(loss, {"a": 1}, {"a": 1}, -1), "weight_decay is -1"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
