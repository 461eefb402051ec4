"""The inverse by recursion, exact minima of quadratics, and three rankings on one network, as in the papers."""

import numpy as np
import pytest
from arrays import back, give
from effort import examples
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


@settings(max_examples=examples(50))
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


SHAPES = {"fc1.weight": (3, 2), "fc1.bias": (2,), "fc2.weight": (2, 1), "fc2.bias": (1,)}
N = 11


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
    """A perceptron of 11 weights that has learnt another's outputs, with noise, by Levenberg and Marquardt's steps."""
    rng = np.random.default_rng(seed)
    teacher, x = rng.standard_normal(N), rng.standard_normal((60, 3))
    y = outputs_of(teacher, x) + 0.1 * rng.standard_normal((60, 1))
    w, damping = teacher + 0.1 * rng.standard_normal(N), 1.0
    for _ in range(40):
        j, off = jacobian(w, x), (outputs_of(w, x) - y).ravel()
        step = np.linalg.solve(j.T @ j / 60 + damping * np.eye(N), j.T @ off / 60)
        better = error(w - step, x, y) < error(w, x, y)
        w, damping = (w - step, damping / 3) if better else (w, damping * 4)
    return w, x, y


@pytest.mark.long
def test_three_rankings_on_one_network_as_in_the_papers():
    """The error after one deletion and after two, without training: Surgeon's is lowest, then Damage's, then |w|'s.

    By the median of twelve networks: where H says too little of what is far, the second can cost Surgeon more.
    """
    rises = {"|w|": [], "OBD": [], "OBS": []}
    for seed in range(12):
        w, x, y = trained(seed)
        rise = lambda v, w=w, x=x, y=y: error(v, x, y) - error(w, x, y)
        second = obd.second_derivatives(as_dict(w), x, y, obd.tanh, obd.squared)
        order = {"|w|": np.argsort(abs(w)), "OBD": np.argsort(flat(obd.saliency(as_dict(w), second)))}
        for name, first in order.items():
            rises[name].append([rise(np.where(np.isin(np.arange(N), first[:k]), 0, w)) for k in (1, 2)])
        inverse = obs.inverse_hessian(jacobian(w, x), len(x), 1e-4)
        once, inverse, _ = obs.delete(w, inverse)
        twice, _, _ = obs.delete(once, inverse)
        rises["OBS"].append([rise(once), rise(twice)])
    middle = {name: np.median(own, axis=0) for name, own in rises.items()}
    assert (middle["OBS"] < middle["OBD"]).all(), middle
    assert (middle["OBD"] < middle["|w|"]).all(), middle


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="alpha is 0"):
        obs.inverse_hessian(np.ones((2, 2)), 2, 0)
    with pytest.raises(ValueError, match="n_examples is 0"):
        obs.inverse_hessian(np.ones((2, 2)), 0)
    with pytest.raises(ValueError, match="diagonal has shape"):
        obs.saliency(np.ones(3), np.eye(2))
    with pytest.raises(ValueError, match="the number of weights left is 0"):
        obs.delete(np.zeros(2), np.zeros((2, 2)))
