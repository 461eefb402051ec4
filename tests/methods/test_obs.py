"""The inverse by recursion, exact minima of quadratics, and three rankings on one network, as in the papers."""

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import ops
from minisparse.autograd import value_and_grad
from minisparse.methods import obd, obs


@given(st.integers(1, 6), st.integers(1, 12), st.integers(0, 999))
def test_the_recursion_inverts(n, m, seed):
    x = np.random.default_rng(seed).standard_normal((m, n))
    want = np.linalg.inv(0.1 * np.eye(n) + x.T @ x / m)
    np.testing.assert_allclose(obs.inverse_hessian(x, m, 0.1), want, rtol=1e-7, atol=1e-9)


@settings(max_examples=50)
@given(st.integers(2, 6), st.integers(0, 999), st.data())
def test_on_a_quadratic_it_reaches_the_minimum_under_the_constraint(n, seed, data):
    """E = (w − m)ᵀ H (w − m) / 2: after k deletions the others solve H w = H m where the k are zero."""
    rng, k = np.random.default_rng(seed), data.draw(st.integers(1, n - 1))
    a = rng.standard_normal((n + 2, n))
    h, minimum = a.T @ a + 0.1 * np.eye(n), rng.standard_normal(n)
    weight, inverse, gone, rises = minimum, np.linalg.inv(h), [], 0.0
    for _ in range(k):
        rises += obs.saliency(weight, inverse).min()
        weight, inverse, q = obs.delete(weight, inverse)
        gone.append(q)
    left = [i for i in range(n) if i not in gone]
    exact = np.zeros(n)
    exact[left] = np.linalg.solve(h[np.ix_(left, left)], (h @ minimum)[left])
    assert len(set(gone)) == k
    np.testing.assert_allclose(weight, exact, rtol=1e-6, atol=1e-8)
    assert (weight - minimum) @ h @ (weight - minimum) / 2 == pytest.approx(rises)


@given(st.integers(2, 6), st.integers(0, 999))
def test_the_first_to_go_is_the_cheapest_of_all(n, seed):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n + 2, n))
    h, w = a.T @ a + 0.1 * np.eye(n), rng.standard_normal(n)
    costs = []
    for q in range(n):
        left = [i for i in range(n) if i != q]
        v = np.zeros(n)
        v[left] = np.linalg.solve(h[np.ix_(left, left)], (h @ w)[left])
        costs.append((v - w) @ h @ (v - w) / 2)
    np.testing.assert_allclose(obs.saliency(w, np.linalg.inv(h)), costs, rtol=1e-6, atol=1e-9)


def test_by_hand(xp):
    """H = [[2, 1], [1, 2]], so H⁻¹ = [[2, −1], [−1, 2]] / 3; w = (3, 1): weight 1 goes, and 3 becomes 3.5."""
    inverse, weight = np.array([[2.0, -1], [-1, 2]]) / 3, np.array([3.0, 1])
    assert back(obs.saliency(give(xp, weight), give(xp, inverse))).tolist() == pytest.approx([6.75, 0.75])
    left, inverse, q = obs.delete(give(xp, weight), give(xp, inverse))
    assert q == 1
    assert back(left).tolist() == [3.5, 0]
    assert back(inverse).ravel().tolist() == pytest.approx([0.5, 0, 0, 0])
    assert back(obs.saliency(left, inverse)).tolist()[1] == np.inf


SHAPES = {"fc1.weight": (3, 4), "fc1.bias": (4,), "fc2.weight": (4, 1), "fc2.bias": (1,)}


def as_dict(flat):
    ends = np.cumsum([np.prod(shape) for shape in SHAPES.values()])[:-1]
    return {n: part.reshape(s) for (n, s), part in zip(SHAPES.items(), np.split(flat, ends), strict=True)}


def outputs(p, x):
    return ops.matmul(ops.tanh(ops.matmul(x, p["fc1.weight"]) + p["fc1.bias"]), p["fc2.weight"]) + p["fc2.bias"]


def flat(arrays):
    return np.concatenate([arrays[name].ravel() for name in SHAPES])


def error(w, x, y):
    return float(((outputs_of(w, x) - y) ** 2).mean() / 2)


def outputs_of(w, x):
    p = as_dict(w)
    return np.tanh(x @ p["fc1.weight"] + p["fc1.bias"]) @ p["fc2.weight"] + p["fc2.bias"]


def jacobian(w, x):
    one = lambda i: value_and_grad(lambda p: ops.sum(outputs(p, x[i : i + 1])), as_dict(w))[1]
    return np.array([flat(one(i)) for i in range(len(x))])


def trained(seed):
    """A perceptron of 21 weights at a minimum of its squared error, by Levenberg and Marquardt's steps."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((40, 3))
    y = np.tanh(x[:, :1] - x[:, 1:2]) + 0.1 * rng.standard_normal((40, 1))
    w, damping = rng.standard_normal(21) * 0.5, 1.0
    for _ in range(150):
        j, off = jacobian(w, x), (outputs_of(w, x) - y).ravel()
        step = np.linalg.solve(j.T @ j / 40 + damping * np.eye(21), j.T @ off / 40)
        better = error(w - step, x, y) < error(w, x, y)
        w, damping = (w - step, damping / 3) if better else (w, damping * 4)
        damping = max(damping, 1e-4)
    return w, x, y


def test_three_rankings_on_one_network_as_in_the_papers():
    """The errors after the deletion of a weight, without training: Surgeon's is lowest, and magnitude's highest."""
    rises = {"|w|": [], "OBD": [], "OBS": []}
    for seed in range(3):
        w, x, y = trained(seed)
        inverse = obs.inverse_hessian(jacobian(w, x), len(x), 1e-4)
        second = obd.second_derivatives(as_dict(w), x, y, obd.tanh, obd.squared)
        order = {"|w|": np.argsort(abs(w)), "OBD": np.argsort(flat(obd.saliency(as_dict(w), second)))}
        for name, first in order.items():
            rises[name].append([error(np.where(np.isin(np.arange(21), first[:k]), 0, w), x, y) - error(w, x, y)
                                for k in (1, 3, 5)])  # fmt: skip
        row, now = [], w
        for k in range(1, 6):
            now, inverse, _ = obs.delete(now, inverse)
            row += [error(now, x, y) - error(w, x, y)] * (k in (1, 3, 5))
        rises["OBS"].append(row)
    print({name: np.round(own, 4).tolist() for name, own in rises.items()})
    mean = {name: np.mean(own, axis=0) for name, own in rises.items()}
    assert (mean["OBS"] < mean["OBD"]).all()
    assert (mean["OBD"] <= mean["|w|"]).all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="alpha is 0"):
        obs.inverse_hessian(np.ones((2, 2)), 2, 0)
    with pytest.raises(ValueError, match="n_examples is 0"):
        obs.inverse_hessian(np.ones((2, 2)), 0)
    with pytest.raises(ValueError, match="diagonal has shape"):
        obs.saliency(np.ones(3), np.eye(2))
    with pytest.raises(ValueError, match="the number of weights left is 0"):
        obs.delete(np.zeros(2), np.zeros((2, 2)))
