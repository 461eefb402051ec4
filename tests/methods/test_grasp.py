"""GraSP's scores against an exact Hessian."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisparse import nn, ops, recipes
from minisparse.autograd import value_and_grad
from minisparse.methods.grasp import effect_on_gradient_flow, grasp_masks


def hessian(loss_fn, params, eps=1e-5):
    """Of all parameters as one vector, by central differences of the gradient along each axis."""
    names = list(params)
    flat = np.concatenate([params[n].ravel() for n in names])
    ends = np.cumsum([params[n].size for n in names])[:-1]

    def gradient(vector):
        arrays = {n: part.reshape(params[n].shape) for n, part in zip(names, np.split(vector, ends), strict=True)}
        return np.concatenate([g.ravel() for g in value_and_grad(loss_fn, arrays)[1].values()])

    rows = [(gradient(flat + eps * e) - gradient(flat - eps * e)) / (2 * eps) for e in np.eye(flat.size)]
    return flat, gradient(flat), np.array(rows)


@pytest.mark.parametrize("seed", range(3))
def test_the_recipe_ranks_as_the_exact_product_does(seed):
    rng = np.random.default_rng(seed)
    model = nn.Chain({"fc1": nn.Linear(4, 3), "fc2": nn.Linear(3, 2)})
    params = {n: rng.standard_normal(shape) for n, shape in model.shapes().items()}
    batch = rng.standard_normal((8, 4)), rng.integers(0, 2, 8)
    weights = {n: p for n, p in params.items() if n.endswith("weight")}
    loss = lambda w: ops.softmax_cross_entropy(model(params | w, batch[0]), batch[1])
    flat, gradient, h = hessian(loss, weights)
    scores = -flat * (h @ gradient)
    kept = np.isin(np.arange(flat.size), np.argsort(scores, kind="stable")[:9])
    masks = recipes.grasp(
        lambda p, b, rng: ops.softmax_cross_entropy(model(p, b[0]), b[1]), params, [batch], 0.5, rng, eps=1e-4
    )
    assert np.array_equal(np.concatenate([masks[n].ravel() for n in weights]), kept)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8), st.data())
def test_masks_keep_the_lowest_scores(weights, data):
    products = data.draw(st.lists(st.integers(-3, 3), min_size=len(weights), max_size=len(weights)))
    k = data.draw(st.integers(0, len(weights)))
    mask = grasp_masks({"a": np.array(weights, float)}, {"a": np.array(products, float)}, k)["a"]
    scores = [-w * p for w, p in zip(weights, products, strict=True)]
    assert np.flatnonzero(mask).tolist() == sorted(sorted(range(len(scores)), key=lambda i: (scores[i], i))[:k])


def test_removing_a_weight_changes_the_gradients_norm_by_the_score_to_first_order():
    a = np.array([[2.0, 0.5], [0.5, 1.0]])
    loss = lambda p: ops.sum(ops.mul(p["w"], ops.matmul(p["w"], a))) * 0.5
    w, small = np.array([[0.3, -0.2]]), 1e-5
    g = value_and_grad(loss, {"w": w})[1]["w"]
    score = effect_on_gradient_flow({"w": w}, {"w": g @ a})["w"]
    for i in range(2):
        step = np.zeros_like(w)
        step[0, i] = -small * w[0, i]
        changed = value_and_grad(loss, {"w": w + step})[1]["w"]
        assert ((changed**2).sum() - (g**2).sum()) / 2 / small == pytest.approx(score[0, i], rel=1e-3)


def test_bad_input_is_refused():
    model = nn.mlp(3, 2)
    params, rng = model.init(np.random.default_rng(0), np.float64), np.random.default_rng(0)
    loss = lambda p, b, rng: ops.softmax_cross_entropy(model(p, b[0]), b[1])
    with pytest.raises(ValueError, match="batches is empty"):
        recipes.grasp(loss, params, [], 0.5, rng)
    with pytest.raises(ValueError, match="the gradient is zero at every included parameter"):
        recipes.grasp(loss, params, [(np.zeros((2, 3)), np.array([0, 1]))], 0.5, rng)
    with pytest.raises(ValueError, match="eps is 0"):
        recipes.grasp(loss, params, [(np.ones((2, 3)), np.array([0, 1]))], 0.5, rng, eps=0)
    with pytest.raises(ValueError, match="'b'"):
        grasp_masks({"a": np.ones(2)}, {"b": np.ones(2)}, 1)
