"""SRigL against the paper's steps as loops over neurons."""

import math

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_family import slow_srigl_update
from slow_methods import slow_kept
from strategies import SMALL

from minisparse.methods.rigl import rigl_update
from minisparse.methods.srigl import largest_inputs, srigl_update


@st.composite
def structured_layers(draw):
    """A layer whose neurons have the same fan-in or none, full of ties, a count to move, a budget and γ."""
    *window, n_in, n_out = shape = draw(
        st.tuples(st.integers(1, 6), st.integers(1, 5)) | st.tuples(*[st.integers(1, 2)] * 2, *[st.integers(1, 3)] * 2)
    )
    fan = math.prod(window) * n_in
    fan_in, alive = draw(st.integers(1, fan)), draw(hnp.arrays(bool, n_out))
    order = draw(hnp.arrays(float, (fan, n_out), elements=SMALL))
    mask = (((-order).argsort(axis=0, kind="stable").argsort(axis=0) < fan_in) & alive).reshape(shape)
    weight = np.where(mask, draw(hnp.arrays(float, shape, elements=SMALL)), 0)
    grad = draw(hnp.arrays(float, shape, elements=SMALL))
    k = draw(st.integers(0, int(mask.sum())))
    return weight, mask, grad, k, draw(st.integers(n_out, weight.size)), draw(st.sampled_from([0, 0.3, 0.5, 0.95, 1]))


@given(structured_layers())
def test_srigl_is_its_slow_twin(xp, layer):
    got = back(srigl_update(*(give(xp, array) for array in layer[:3]), *layer[3:]))
    assert got.dtype == bool
    assert (got == slow_srigl_update(*layer)).all()


@given(structured_layers())
def test_every_surviving_neuron_has_the_same_fan_in_within_the_budget(layer):
    weight, budget, gamma = layer[0], layer[4], layer[5]
    inputs = srigl_update(*layer).reshape(-1, weight.shape[-1]).sum(axis=0)
    alive = inputs[inputs > 0]
    assert len({*alive.tolist()}) == 1
    assert budget - len(alive) < inputs.sum() <= budget
    if gamma == 0:
        assert len(alive) == weight.shape[-1]


@given(structured_layers())
def test_within_a_neuron_larger_weights_stay_and_larger_gradients_grow(layer):
    weight, mask, grad, k, _, _ = layer
    new, keep = srigl_update(*layer), slow_kept(weight, mask, k)
    n_out = weight.shape[-1]
    for j in range(n_out):
        column = lambda array, j=j: array.reshape(-1, n_out)[:, j]
        if column(new).any():
            grown = column(new & ~keep)
            assert (
                abs(column(grad)[grown]).min(initial=math.inf)
                >= abs(column(grad)[~column(new) & ~column(keep)]).max(initial=0)
                or not grown.any()
            )


def test_one_neuron_without_ablation_is_rigl():
    rng = np.random.default_rng(0)
    weight, mask, grad = rng.integers(-3, 4, (9, 1)) * 1.0, np.arange(9)[:, None] < 5, rng.integers(-3, 4, (9, 1)) * 1.0
    assert (srigl_update(weight, mask, grad, 3, 5, 0) == rigl_update(weight, mask, grad, 3)).all()


def test_by_hand(xp):
    """Four inputs, three neurons of fan-in 2. The third has no salient weight: it goes, and the others get a third."""
    weight = np.array([[4.0, 3, 0.1], [3, 4, 0.2], [0, 0, 0], [0, 0, 0]])
    grad = np.array([[0.0, 0, 0], [0, 0, 0], [2, 1, 0], [3, 5, 0]])
    arrays = [give(xp, array) for array in (weight, weight != 0, grad)]
    assert back(srigl_update(*arrays, 2, 6, 0.5)).astype(int).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0]]
    assert back(srigl_update(*arrays, 2, 6, 0)).astype(int).tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]


def test_an_ablated_neuron_comes_back_with_a_large_gradient_and_the_others_give_way():
    weight = np.array([[3.0, 0], [2, 0], [1, 0], [4, 0]])
    grad = np.array([[0.0, 9], [0, 8], [0, 0], [0, 0]])
    new = srigl_update(weight, weight != 0, grad, 2, 4, 1.0)
    assert new.astype(int).tolist() == [[1, 1], [0, 1], [0, 0], [1, 0]]


def test_as_many_neurons_as_the_budget_needs_survive_without_salient_weights():
    new = srigl_update(np.zeros((2, 4)), np.zeros((2, 4), bool), np.zeros((2, 4)), 0, 5, 1.0)
    assert new.any(axis=0).tolist() == [True, True, True, False]
    assert new.sum() == 3


@given(hnp.arrays(float, (4, 3), elements=SMALL), hnp.arrays(bool, (4, 3)), st.integers(0, 5))
def test_largest_inputs_are_a_ranking_of_every_neuron(xp, score, among, k):
    got = back(largest_inputs(give(xp, abs(score)), k, give(xp, among)))
    for j in range(3):
        order = sorted(np.flatnonzero(among[:, j]).tolist(), key=lambda i, j=j: (-abs(score[i, j]), i))
        assert np.flatnonzero(got[:, j]).tolist() == sorted(order[:k])


HALF = np.ones((2, 2)), np.eye(2, dtype=bool), np.ones((2, 2))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: srigl_update(*HALF, 1, 1), "n_budget is 1; expected a whole number from 2 to 4"),
        (lambda: srigl_update(*HALF, 1, 5), "n_budget is 5"),
        (lambda: srigl_update(*HALF, 3, 2), "k is 3"),
        (lambda: srigl_update(*HALF, 1, 2, 30), "gamma is 30; expected a number from 0 to 1"),
        (lambda: srigl_update(*HALF[:2], np.ones((2, 3)), 1, 2), r"dense_grad has shape \(2, 3\)"),
        (lambda: srigl_update(*HALF[:2], np.full((2, 2), np.nan), 1, 2), "score is NaN"),
        (lambda: largest_inputs(np.ones(2), 1, np.ones(3, bool)), r"among has shape \(3,\)"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
