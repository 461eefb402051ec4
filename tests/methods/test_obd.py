"""Second derivatives against central differences of the gradient, and the ranking by saliency."""

from itertools import pairwise

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import ops
from minisparse.autograd import value_and_grad
from minisparse.methods import obd


def loss_of(activation, error, x, y):
    def loss(p):
        layers = [name.removesuffix(".weight") for name in p if name.endswith(".weight")]
        z = x
        for i, layer in enumerate(layers):
            a = ops.matmul(z, p[f"{layer}.weight"]) + p[f"{layer}.bias"]
            z = {obd.relu: ops.relu, obd.tanh: ops.tanh}[activation](a) if i < len(layers) - 1 else a
        if error is obd.cross_entropy:
            return ops.softmax_cross_entropy(z, y)
        return ops.sum((z - y) * (z - y)) * (0.5 / len(x))

    return loss


def differences(loss, params, name, eps=1e-5):
    """∂²E/∂w² of every entry of one parameter, by central differences of the gradient."""
    found = np.empty(params[name].shape)
    for i in np.ndindex(found.shape):
        at = []
        for sign in (1, -1):
            moved = params[name].copy()
            moved[i] += sign * eps
            at.append(value_and_grad(loss, params | {name: moved})[1][name][i])
        found[i] = (at[0] - at[1]) / (2 * eps)
    return found


def network(widths, seed, error):
    rng = np.random.default_rng(seed)
    params = {}
    for i, shape in enumerate(pairwise(widths), 1):
        params |= {f"fc{i}.weight": rng.standard_normal(shape), f"fc{i}.bias": rng.standard_normal(shape[1])}
    y = rng.integers(0, widths[-1], 7) if error is obd.cross_entropy else rng.standard_normal((7, widths[-1]))
    return params, rng.standard_normal((7, widths[0])), y


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(0, 999), st.sampled_from([obd.relu, obd.tanh]), st.sampled_from([obd.squared, obd.cross_entropy]))
def test_the_last_layer_is_exact_whatever_the_error(seed, activation, error):
    params, x, y = network((3, 4, 3), seed, error)
    found = obd.second_derivatives(params, x, y, activation, error)
    loss = loss_of(activation, error, x, y)
    for name in ("fc2.weight", "fc2.bias"):
        np.testing.assert_allclose(found[name], differences(loss, params, name), rtol=1e-5, atol=1e-7)


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(0, 999))
def test_the_layer_before_is_exact_under_the_squared_error(seed):
    params, x, y = network((3, 4, 2), seed, obd.squared)
    found = obd.second_derivatives(params, x, y, obd.tanh, obd.squared)
    for name in params:
        want = differences(loss_of(obd.tanh, obd.squared, x, y), params, name)
        np.testing.assert_allclose(found[name], want, rtol=1e-5, atol=1e-7)


def test_one_unit_wide_all_layers_are_exact():
    """No units interact: nothing is dropped at any depth."""
    params, x, y = network((1, 1, 1, 1, 1), 3, obd.squared)
    found = obd.second_derivatives(params, x, y, obd.tanh, obd.squared)
    for name in params:
        want = differences(loss_of(obd.tanh, obd.squared, x, y), params, name)
        np.testing.assert_allclose(found[name], want, rtol=1e-5, atol=1e-7)


def test_earlier_layers_are_an_approximation():
    """What interacts is dropped: softmax's off-diagonal terms, for one."""
    params, x, y = network((3, 4, 3), 0, obd.cross_entropy)
    found = obd.second_derivatives(params, x, y, obd.tanh, obd.cross_entropy)
    want = differences(loss_of(obd.tanh, obd.cross_entropy, x, y), params, "fc1.weight")
    assert not np.allclose(found["fc1.weight"], want, rtol=1e-2)
    assert np.corrcoef(found["fc1.weight"].ravel(), want.ravel())[0, 1] > 0.8


def test_by_hand(xp):
    """One weight, x = 3, squared error: E = (3 w − y)² / 2, whose second derivative is 9."""
    params = give_all(xp, {"fc.weight": np.array([[2.0]]), "fc.bias": np.array([0.0])})
    second = obd.second_derivatives(params, give(xp, np.array([[3.0]])), give(xp, np.array([[1.0]])), loss=obd.squared)
    assert back(second["fc.weight"]).tolist() == [[9.0]]
    assert back(second["fc.bias"]).tolist() == [1.0]
    assert back(obd.saliency(params, second)["fc.weight"]).tolist() == [[18.0]]


def test_a_small_weight_of_large_curvature_stays(xp):
    weights, second = {"a": np.array([1.0, 3, 2])}, {"a": np.array([20.0, 1, 2])}
    masks = obd.obd_masks(give_all(xp, weights), give_all(xp, second), 2)
    assert back(masks["a"]).tolist() == [True, True, False]  # 10, 4.5, 4
    assert back(obd.obd_masks(give_all(xp, weights), give_all(xp, second), 0)["a"]).tolist() == [False] * 3


def test_bad_input_is_refused():
    one = {"a": np.ones(2)}
    with pytest.raises(ValueError, match="'b'"):
        obd.saliency(one, {"b": np.ones(2)})
    with pytest.raises(ValueError, match="its second derivative"):
        obd.saliency(one, {"a": np.ones(3)})
    with pytest.raises(ValueError, match="n_keep is 3"):
        obd.obd_masks(one, one, 3)
    with pytest.raises(ValueError, match=r"fc\.bias"):
        obd.second_derivatives({"fc.weight": np.ones((1, 1))}, np.ones((1, 1)), np.ones((1, 1)))
