"""Weights stored output by output against loops over connections, and SRigL upon them against its slow twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_family import slow_srigl_update

from minisparse import ops, recipes, sparse
from minisparse.methods.srigl import fan_ins, largest_inputs, srigl_update
from minisparse.models import lenet_300_100
from minisparse.nn import mlp
from minisparse.optim import adam
from minisparse.sparse import FactoredGradient, FanInWeight, Positions, SparseWeight, by_fan_in
from minisparse.train import train


@st.composite
def layers(draw, most=9):
    """(mask, rng): outputs with as many inputs each, or none."""
    n_in, n_out, rng = draw(st.integers(1, most)), draw(st.integers(1, most)), draw(st.integers(0, 2**32 - 1))
    rng, k = np.random.default_rng(rng), draw(st.integers(1, n_in))
    order = rng.random((n_in, n_out)).argsort(axis=0).argsort(axis=0)
    alive = rng.random(n_out) < draw(st.sampled_from([0.5, 1]))
    alive[rng.integers(n_out)] = True
    return (order < k) & alive, rng


def at(mask):
    return Positions(np.flatnonzero(mask), mask.shape)


def of(mask, rng, dtype=np.float64):
    return by_fan_in(SparseWeight(rng.standard_normal(mask.sum()).astype(dtype), at(mask)))


def slow_linear(x, w, mask, bias, g):
    """Outputs, gradients of inputs and of weights, (n,) in the mask's order, connection by connection."""
    y, dx, dw = np.tile(bias, (len(x), 1)), np.zeros_like(x), []
    for i, j in np.argwhere(mask):
        dw.append(0.0)
        for b in range(len(x)):
            y[b, j] += x[b, i] * w[i, j]
            dx[b, i] += g[b, j] * w[i, j]
            dw[-1] += x[b, i] * g[b, j]
    return y, dx, np.array(dw)


@given(layers())
def test_forward_and_backward_are_the_slow_twins_in_float64(layer):
    mask, rng = layer
    weight, bias = of(mask, rng), rng.standard_normal(mask.shape[1])
    x, g = rng.standard_normal((3, len(mask))), rng.standard_normal((3, mask.shape[1]))
    assert isinstance(weight, FanInWeight)
    y, (to_x, to_w, to_bias) = weight.linear(x, bias)
    slow_y, slow_dx, slow_dw = slow_linear(x, weight.dense(), mask, bias, g)
    back = weight.with_stored(weight.gradient(to_w(g)))
    for ours, theirs in ((y, slow_y), (to_x(g), slow_dx), (back.values, slow_dw), (to_bias(g), g.sum(axis=0))):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("n_in", "n_out", "k"), [(300, 200, 3), (30, 1500, 1), (1000, 100, 2), (50, 60, 20)])
def test_gradients_of_many_groups_of_a_wide_layer_and_of_one_that_is_not_so_sparse(n_in, n_out, k):
    rng = np.random.default_rng(0)
    mask = rng.random((n_in, n_out)).argsort(axis=0).argsort(axis=0) < k
    mask[:, ::7] = False  # ablated
    weight, g = of(mask, rng), FactoredGradient(rng.standard_normal((150, n_in)), rng.standard_normal((150, n_out)))
    for own, factor in ((g, 1), (-2.5 * g, -2.5)):
        got = weight.with_stored(weight.gradient(own)).values
        np.testing.assert_allclose(got, factor * (g.x.T @ g.g)[mask], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(weight.with_stored(weight.gradient(abs(g))).values, abs(g.x.T @ g.g)[mask], rtol=1e-10)


@given(layers())
def test_it_holds_the_values_of_the_mask_whatever_is_asked_of_it(layer):
    mask, rng = layer
    weight = of(mask, rng)
    plain = SparseWeight(weight.values, weight.mask)
    assert (weight.dense()[mask] == plain.values).all()
    assert isinstance(weight.astype(np.float32), FanInWeight)
    assert (weight.astype(np.float32).values == plain.values.astype(np.float32)).all()
    assert (abs(weight).values == abs(plain.values)).all()
    other = at(mask & (rng.random(mask.shape) < 0.7))
    assert (weight.projected(other).dense() == plain.projected(other).dense()).all()
    assert (weight.filled(other, np.ones(len(other.flat))).dense()[other.dense()] == 1).all()
    for slot in (plain, weight, of(mask, np.random.default_rng(0))):  # of any kind, and another mask of these positions
        assert (weight.with_stored(weight.stored_of(slot)).values == slot.values).all()
        assert (plain.with_stored(plain.stored_of(slot)).values == slot.values).all()


def test_only_a_constant_fan_in_is_stored_by_output():
    mask = np.array([[True, True, False], [True, False, False]])
    for columns, kind in (([0, 1], SparseWeight), ([1, 2], FanInWeight), ([0, 2], FanInWeight), ([2], SparseWeight)):
        assert type(of(mask[:, columns], np.random.default_rng(0))) is kind


@given(layers(), st.data())
def test_truly_sparse_srigl_is_its_slow_twin_on_exact_inputs(layer, data):
    mask, rng = layer
    weight = np.where(mask, rng.integers(-3, 4, mask.shape), 0.0)
    x, g = rng.integers(-2, 3, (2, len(mask))) / 1.0, rng.integers(-2, 3, (2, mask.shape[1])) / 1.0
    k = data.draw(st.integers(0, int(mask.sum())))
    budget = data.draw(st.integers(mask.shape[1], mask.size))
    gamma = data.draw(st.sampled_from([0, 0.3, 0.5, 0.95, 1]))
    stored = by_fan_in(SparseWeight(weight[mask], at(mask)))
    got = srigl_update(stored, stored.mask, FactoredGradient(x, g), k, budget, gamma)
    assert (got.dense() == slow_srigl_update(weight, mask, x.T @ g, k, budget, gamma)).all()


@given(layers())
def test_the_largest_inputs_of_every_output_are_those_of_arrays(layer):
    mask, rng = layer
    n_out = mask.shape[1]
    fan_in = rng.integers(0, len(mask) + 2, n_out)
    x, g = rng.integers(-2, 3, (2, len(mask))) / 1.0, rng.integers(-2, 3, (2, n_out)) / 1.0
    gradient, weight = abs(FactoredGradient(x, g)), np.where(mask, rng.integers(0, 3, mask.shape), 0.0)
    stored = SparseWeight(weight[mask], at(mask))
    for many in (fan_in, 1):
        absent = largest_inputs(gradient, many, ~at(mask))
        assert (absent.dense() == largest_inputs(abs(x.T @ g), many, ~mask)).all()
        assert (largest_inputs(stored, many, at(mask)).dense() == largest_inputs(weight, many, mask)).all()
    assert (fan_ins(at(mask)) == mask.sum(axis=0)).all()


def test_gradients_are_ranked_some_outputs_at_a_time(monkeypatch):
    monkeypatch.setattr("minisparse.sparse.weights.BLOCK", 1)
    rng = np.random.default_rng(0)
    x, g, mask = rng.standard_normal((5, 7)), rng.standard_normal((5, 50)), rng.random((7, 50)) < 0.3
    got = largest_inputs(abs(FactoredGradient(x, g)), 2, ~at(mask))
    assert (got.dense() == largest_inputs(abs(x.T @ g), 2, ~mask)).all()


def test_random_masks_of_a_constant_fan_in_differ_by_layer_and_seed_and_find_every_input():
    shapes = {"a.weight": (40, 30), "b.weight": (40, 30)}
    draw = lambda seed: sparse.random_fan_in(shapes, {"a.weight": 3, "b.weight": 3}, np.random.default_rng(seed))
    first, again, other = draw(0), draw(0), draw(1)
    assert all((fan_ins(mask) == 3).all() for masks in (first, other) for mask in masks.values())
    often = sum(draw(seed)["a.weight"].dense().sum(axis=1) for seed in range(40))
    assert often.min() > 90 - 50  # 90 ± 9 by chance
    assert often.max() < 90 + 50
    flat = [masks[name].flat.tolist() for masks in (first, other) for name in masks]
    assert len({*map(tuple, flat)}) == 4
    assert [mask.flat.tolist() for mask in again.values()] == flat[:2]
    with pytest.raises(ValueError, match=r"the fan-in of 'a.weight' is 41; expected a whole number from 0 to 40"):
        sparse.random_fan_in(shapes, {"a.weight": 41, "b.weight": 3}, np.random.default_rng(0))


def test_training_by_output_is_training_by_input_number_by_number():
    rng, model = np.random.default_rng(0), mlp(60, 40, 50, 5)
    shapes = {"fc1.weight": (60, 40), "fc2.weight": (40, 50)}
    masks = sparse.random_fan_in(shapes, {"fc1.weight": 3, "fc2.weight": 2}, rng)
    params = model.init(rng, np.float64, masks=masks)
    plain = {n: SparseWeight(w.values, w.mask) if n in shapes else w for n, w in params.items()}
    data = [(rng.standard_normal((32, 60)), rng.integers(0, 5, 32)) for _ in range(30)]
    loss = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0], train=True), batch[1])
    ends = []
    for start in (params, plain):
        method = recipes.srigl(masks.counts, 0.3, 5, 100)
        *_, end = train(loss, start, masks, data, method, np.random.default_rng(1), adam(1e-2))
        ends.append(end)
    assert isinstance(ends[0].params["fc1.weight"], FanInWeight)
    assert type(ends[1].params["fc1.weight"]) is SparseWeight
    assert len({*ends[0].masks.counts.items(), *masks.counts.items()}) > 2  # neurons are ablated
    for name, end in ends[0].params.items():
        np.testing.assert_allclose(sparse.dense(end), sparse.dense(ends[1].params[name]), rtol=1e-10, atol=1e-12)


def test_a_network_of_a_constant_fan_in_starts_by_output():
    model = lenet_300_100()
    masks = sparse.random_fan_in({"fc1.weight": (784, 300)}, {"fc1.weight": 16}, np.random.default_rng(0))
    weight = model.init(np.random.default_rng(0), masks=masks)["fc1.weight"]
    assert isinstance(weight, FanInWeight)
    assert weight.by_output.nbytes == 4 * 16 * 300
