"""Conservation of flow, and its masks."""

import itertools

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import nn, ops, recipes
from minisparse.autograd import value_and_grad
from minisparse.methods.synflow import flow, n_kept


def scores(model, params, shape):
    positive = {name: abs(w) * (not name.endswith("bias")) for name, w in params.items()}
    total, grads = value_and_grad(lambda p: ops.sum(model(p, np.ones((1, *shape)))), positive)
    return float(total), flow({n: positive[n] for n in grads}, grads)


@settings(max_examples=examples(30))
@given(st.lists(st.integers(1, 6), min_size=2, max_size=5), st.integers(0, 99))
def test_flow_is_conserved_at_every_unit_and_every_layer(widths, seed):
    model = nn.mlp(*widths)
    params = model.init(np.random.default_rng(seed), np.float64)
    total, score = scores(model, params, (widths[0],))
    layers = [score[name] for name in params if name.endswith("weight")]
    for layer in layers:
        assert layer.sum() == pytest.approx(total)
    for before, after in itertools.pairwise(layers):
        np.testing.assert_allclose(before.sum(axis=0), after.sum(axis=1))


@pytest.mark.parametrize("density", [0.5, 0.1, 0.02])
def test_masks_have_the_density_and_empty_no_layer(density):
    model = nn.mlp(64, 40, 30, 10)
    params = model.init(np.random.default_rng(0))
    masks = recipes.synflow(model, params, np.zeros((1, 64), np.float32), density)
    assert masks.active == round(density * masks.size)
    assert all(mask.any() for mask in masks.values())


def test_in_rounds_it_keeps_layers_that_one_round_empties():
    """The paper's point: a single ranking at a high sparsity empties the widest layer, rounds do not."""
    model = nn.mlp(100, 100, 3, 100, 10)
    params = model.init(np.random.default_rng(0), np.float64)
    one, many = (recipes.synflow(model, params, np.zeros((1, 100)), 0.002, rounds) for rounds in (1, 100))
    assert min(many.counts.values()) > 0
    assert min(one.counts.values()) == 0


def test_a_convolution_with_batch_norm_is_ranked_too():
    model = nn.Chain({"conv": nn.Conv2d(1, 4, 3, bias=False), "bn": nn.BatchNorm(4), "relu": nn.Relu(),
                      "pool": nn.GlobalAvgPool(), "fc": nn.Linear(4, 2)})  # fmt: skip
    params = model.init(np.random.default_rng(0), np.float64)
    stats = {"bn.mean": np.zeros(4), "bn.var": np.ones(4)}
    masks = recipes.synflow(lambda p, x: model(p, x, stats=stats), params, np.zeros((1, 8, 8, 1)), 0.5)
    assert list(masks) == ["conv.weight", "fc.weight"]
    assert masks.active == 22


def test_by_hand():
    got = flow({"a": np.array([-2.0, 3])}, {"a": np.array([5.0, 0])})
    assert got["a"].tolist() == [10, 0]
    assert [n_kept(1000, 0.01, k, 4) for k in (1, 2, 3, 4)] == [316, 100, 32, 10]


def test_bad_input_is_refused():
    model = nn.mlp(4, 2)
    params, x = model.init(np.random.default_rng(0)), np.zeros((1, 4), np.float32)
    with pytest.raises(ValueError, match="density is 0"):
        recipes.synflow(model, params, x, 0)
    with pytest.raises(ValueError, match="rounds is 0"):
        recipes.synflow(model, params, x, 0.5, rounds=0)
    with pytest.raises(ValueError, match="the flow is inf in round 1; give params as float64"):
        recipes.synflow(model, {n: p + np.float32(3e38) for n, p in params.items()}, x, 0.5)
    with pytest.raises(ValueError, match="step is 3"):
        n_kept(10, 0.5, 3, 2)
