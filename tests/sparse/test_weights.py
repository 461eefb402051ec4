"""Truly sparse storage against the same network under masks."""

import math
import os
import subprocess
import sys
from contextlib import contextmanager
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import examples, some
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_methods import slow_remove_dead_units

from minisparse import masks, nn, ops, project, random_masks, recipes, sparse
from minisparse import threads as threads_module
from minisparse.allocate import counts
from minisparse.autograd import value_and_grad
from minisparse.data import batches
from minisparse.masks import Masks
from minisparse.methods import magnitude
from minisparse.models.shrink import architecture
from minisparse.optim import adam, sgd
from minisparse.runs import folder as runs
from minisparse.sparse import FactoredGradient, SparseWeight, products, random_positions, weights
from minisparse.sparse.positions import Positions
from minisparse.train import train

SMALL = st.integers(-3, 3).map(float)


@contextmanager
def small_pieces(threads=2):
    """Sizes as small as tests have are worth pieces and threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "ROWS", 2)
        patch.setattr(weights, "BLOCK", 8)
        patch.setattr(products, "WORTH_A_THREAD", 1)
        patch.setattr(weights, "MANY", 0 if threads > 1 else products.MANY)
        patch.setattr(threads_module, "n_threads", lambda: threads)
        yield


@st.composite
def layers(draw):
    """x (N, n_in), a dense weight and its mask (n_in, n_out), a bias, and a gradient (N, n_out): whole numbers."""
    n, n_in, n_out = draw(st.integers(1, 4)), draw(st.integers(1, 40)), draw(st.integers(1, 9))
    if draw(st.booleans()):
        n_in, n_out = n_out, n_in
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    mask = rng.random((n_in, n_out)) < draw(st.sampled_from([0, 0.02, 0.3, 1]))
    x, weight, bias, g = (rng.integers(-3, 4, s) * 1.0 for s in ((n, n_in), (n_in, n_out), (n_out,), (n, n_out)))
    return x, weight * mask, mask, bias, g


def stored(xp, weight, mask):
    at = Positions(give(xp, np.flatnonzero(mask)), mask.shape)
    return SparseWeight(give(xp, weight[mask]), at)


# A layer


@settings(max_examples=examples(150))
@given(layers(), st.booleans())
def test_a_layer_and_its_gradients_are_those_of_the_dense_matrix(xp, layer, pieces):
    x, weight, mask, bias, g = layer
    own = stored(xp, weight, mask)
    params = give_all(xp, {"x": x, "bias": bias}) | {"w": own}
    loss = lambda p: ops.sum(ops.linear(p["x"], p["w"], p["bias"]) * give(xp, g))
    with small_pieces() if pieces else small_pieces(1):
        y = ops.linear(params["x"], own, params["bias"]).value
        grads = value_and_grad(loss, params)[1]
        at, blocks_of = back(grads["w"].at(own.mask)), list(grads["w"].row_blocks())
    assert (back(y) == x @ weight + bias).all()
    assert (back(grads["x"]) == g @ weight.T).all()
    assert (back(grads["bias"]) == g.sum(axis=0)).all()
    assert (at == (x.T @ g)[mask]).all()
    assert (back(grads["w"].dense()) == x.T @ g).all()
    assert (np.concatenate([back(block) for _, block in blocks_of]) == x.T @ g).all()
    assert [i for rows, _ in blocks_of for i in range(rows.start, rows.stop)] == list(range(x.shape[1]))


@pytest.mark.parametrize("n", [1, 8, 20])
def test_examples_a_page_apart_are_turned_as_others_are(n):
    x = np.random.default_rng(0).standard_normal((n, products.PAGE // 8))
    assert x.strides[0] == products.PAGE
    turned = products.feature_major(x)
    assert turned.flags.c_contiguous
    assert (turned == x.T).all()


@given(layers())
def test_a_weight_that_is_used_twice_has_the_sum_of_both_gradients(xp, layer):
    x, weight, mask, bias, g = layer
    own = stored(xp, weight, mask)
    once = lambda p, x: ops.sum(ops.linear(give(xp, x), p["w"], give(xp, bias)) * give(xp, g))
    grad = value_and_grad(lambda p: once(p, x) + once(p, 2 * x), {"w": own})[1]["w"]
    assert (back(grad.at(own.mask)) == 3 * (x.T @ g)[mask]).all()
    assert (back((2.0 * grad + grad).dense()) == 9 * (x.T @ g)).all()
    assert (back((grad / 4).dense()) == 0.75 * (x.T @ g)).all()
    assert (back(abs(-1.0 * grad).dense()) == abs(3 * (x.T @ g))).all()


def test_a_weight_that_is_not_used_has_gradient_zero(xp):
    own = stored(xp, np.ones((3, 2)), np.eye(3, 2) > 0)
    grads = value_and_grad(lambda p: ops.sum(p["b"]), {"w": own, "b": xp.ones(2)})[1]
    assert back(grads["w"].at(own.mask)).tolist() == [0, 0]
    assert (back(grads["w"].dense()) == np.zeros((3, 2))).all()


@given(layers(), st.integers(0, 99))
def test_on_other_positions_what_stays_keeps_its_value_and_what_is_new_is_zero(xp, layer, seed):
    _, weight, mask, _, _ = layer
    other = np.random.default_rng(seed).random(mask.shape) < 0.5
    got = stored(xp, weight, mask).projected(stored(xp, weight, other).mask)
    assert (back(got.dense()) == weight * other).all()
    values = np.arange(1.0, 1 + other.sum())
    want = np.zeros(mask.shape)
    want[other] = values
    everywhere = stored(xp, np.zeros(mask.shape), np.ones(mask.shape, bool))
    assert (back(everywhere.filled(got.mask, give(xp, values)).dense()) == want).all()


def test_values_that_do_not_fit_their_positions_are_refused(xp):
    with pytest.raises(ValueError, match=r"values have shape \(1,\)"):
        SparseWeight(xp.ones(1), stored(xp, np.ones((2, 2)), np.eye(2) > 0).mask)


# The k highest


@settings(max_examples=examples(150))
@given(layers(), st.data())
def test_the_highest_of_the_factors_are_those_of_the_dense_gradient(xp, layer, data):
    x, _, mask, _, g = layer
    k = data.draw(st.integers(0, int((~mask).sum())))
    with small_pieces():
        got = masks.top_k(abs(FactoredGradient(give(xp, x), give(xp, g))), k, ~stored(xp, mask * 1.0, mask).mask)
    assert (back(got.dense()) == masks.top_k(abs(x.T @ g), k, ~mask)).all()


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("k", [1, 50, 3000, 9000, 13_000])
def test_the_highest_stay_exact_when_blocks_before_are_forgotten(xp, monkeypatch, batch, k):
    monkeypatch.setattr(weights, "BLOCK", 2000)
    rng = np.random.default_rng([batch, k])
    x, g = rng.integers(-2, 3, (batch, 150)) * 1.0, rng.integers(-2, 3, (batch, 130)) * 1.0
    mask = rng.random((150, 130)) < 0.1
    got = masks.top_k(abs(FactoredGradient(give(xp, x), give(xp, g))), k, ~stored(xp, mask * 1.0, mask).mask)
    assert (back(got.dense()) == masks.top_k(abs(x.T @ g), k, ~mask)).all()


@given(layers(), st.data())
def test_the_highest_of_stored_weights_are_those_of_the_dense_ones(xp, layer, data):
    _, weight, mask, _, _ = layer
    k = data.draw(st.integers(0, int(mask.sum())))
    own = stored(xp, weight, mask)
    assert (back(masks.top_k(-abs(own), k, own.mask).dense()) == masks.top_k(-abs(weight), k, mask)).all()
    assert (back((own < 0).dense()) == (weight < 0)).all()
    assert (back((own >= 0).dense()) == (mask & (weight >= 0))).all()


def test_nan_in_a_gradient_and_too_high_a_count_are_refused(xp):
    free = ~stored(xp, np.ones((2, 2)), np.eye(2) > 0).mask
    with pytest.raises(ValueError, match="score is NaN"):
        masks.top_k(FactoredGradient(give(xp, np.array([[np.nan, 1]])), give(xp, np.ones((1, 2)))), 1, free)
    with pytest.raises(ValueError, match=r"k is 3; expected a whole number from 0 to 2"):
        masks.top_k(FactoredGradient(xp.ones((1, 2)), xp.ones((1, 2))), 3, free)


# Training

MODEL = nn.mlp(20, 30, 16, 5)
DENSITIES = {"fc1.weight": 0.3, "fc2.weight": 0.4}
METHODS = {
    "static": recipes.static(),
    "SET": recipes.set(0.3, 10, 10),
    "SET by magnitude": recipes.set(0.3, 10, 10, by_sign=False),
    "RigL": recipes.rigl(0.3, 5, 80),
    "random growth": recipes.rigl(0.3, 5, 80, watch=recipes.noise),
    "random fill": recipes.rigl(0.3, 5, 80, fill=recipes.random_values(0.1)),
    "gradient fill": recipes.rigl(0.3, 5, 80, fill=recipes.along_gradient(0.1)),
    "gradual pruning": recipes.gradual(0.9, 10, 90, 5, initial=0.7),
}
OPTIMIZERS = {
    "momentum": sgd(0.1, 0.9),
    "nesterov and decay": sgd(0.1, 0.9, True, 1e-4),
    "adam": adam(1e-2),
}


def loss(params, batch, rng):
    return ops.softmax_cross_entropy(MODEL(params, batch[0], train=True, rng=rng), batch[1])


def network():
    rng = np.random.default_rng(0)
    at = random_masks({name: MODEL.shapes()[name] for name in DENSITIES}, DENSITIES, rng)
    return project(MODEL.init(rng, np.float64), at), at


def steps(params, at, method, optimizer, start=None, stop=100):
    rng = np.random.default_rng(0)
    x, y = rng.integers(-3, 4, (512, 20)) / 2.0, rng.integers(0, 5, 512)  # a dyadic grid
    data = batches(x, y, 32, 0, start.number if start else 0, stop)
    return train(loss, params, at, data, method, np.random.default_rng(1), optimizer, start)


def gap(a, b):
    a, b = back(sparse.dense(a)), back(sparse.dense(b))
    return abs(a - b).max() / max(abs(a).max(), 1e-300)


@pytest.mark.long
@pytest.mark.parametrize("optimizer", some(OPTIMIZERS, every=2))
@pytest.mark.parametrize("method", METHODS)
def test_a_hundred_steps_are_those_of_the_masked_network(method, optimizer):
    how = METHODS[method], OPTIMIZERS[optimizer]
    rewired = 0
    for masked, own in zip(steps(*network(), *how), steps(*sparse.compressed(*network()), *how), strict=True):
        rewired += own.rewired
        assert own.loss == pytest.approx(masked.loss, rel=1e-12)
        for name in DENSITIES:
            assert isinstance(own.params[name], SparseWeight)
            assert (own.masks[name].dense() == masked.masks[name]).all()
        trees = [(masked.params, own.params), *((s, own.slots[n]) for n, s in masked.slots.items() if n != "updates")]
        assert all(gap(a[name], b[name]) < 1e-12 for a, b in trees for name in a)
    assert rewired >= 9 or method == "static"


def bits(tree):
    """A tree of a State as something to compare, to the last bit."""
    if isinstance(tree, dict | Masks):
        return {name: bits(branch) for name, branch in tree.items()}
    if isinstance(tree, FactoredGradient):
        return tree.scale, bits(tree.x), bits(tree.g)
    if isinstance(tree, Positions):
        return tree.shape, bits(tree.flat)
    if isinstance(tree, SparseWeight):
        return bits(tree.values), bits(tree.mask)
    return (tree.dtype.str, tree.shape, tree.tobytes()) if isinstance(tree, np.ndarray) else tree


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("method", ["SET", "RigL", "gradual pruning"])
def test_a_run_goes_on_from_a_checkpoint_to_the_last_bit(tmp_path, method, optimizer):
    how = METHODS[method], OPTIMIZERS[optimizer]
    own = sparse.compressed(*network())
    whole = list(steps(*own, *how, stop=40))
    runs.save_state(tmp_path / "a.npz", whole[16].state)
    with np.load(tmp_path / "a.npz") as file:
        assert sum(name.endswith("positions") for name in file) == len(DENSITIES)
    start = runs.load_state(tmp_path / "a.npz")
    assert bits(start._asdict()) == bits(whole[16].state._asdict())
    rest = list(steps(*own, *how, start=start, stop=40))
    assert [bits(s.state._asdict()) for s in rest] == [bits(s.state._asdict()) for s in whole[17:]]


def test_snfs_is_refused_since_its_average_is_dense_by_definition():
    with pytest.raises(ValueError, match="a dense array by definition: it cannot be stored truly sparse"):
        next(steps(*sparse.compressed(*network()), recipes.snfs(0.3, 10, 10), sgd(0.1)))


# Pruning


def as_bits(mask):
    return back(sparse.dense(mask)).tolist()


@st.composite
def chains(draw):
    """Weights {name: (n_in, n_out)} of 2 to 4 layers that follow each other, and masks: whole numbers, many equal."""
    widths = [draw(st.integers(1, 6)) for _ in range(draw(st.integers(3, 5)))]
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    share, high = draw(st.sampled_from([0.1, 0.3, 0.6, 1.0])), draw(st.sampled_from([2, 1000]))
    spread = draw(st.integers(1, 2))  # a flattened image of 2 pixels between the first two layers
    shapes = {f"fc{i}.weight": shape for i, shape in enumerate(pairwise(widths))}
    shapes["fc1.weight"] = (spread * widths[1], widths[2])
    at = {name: rng.random(shape) < share for name, shape in shapes.items()}
    return {name: rng.integers(-high, high + 1, shape) / 8 * at[name] for name, shape in shapes.items()}, at


def stored_all(xp, weights, at):
    own = {name: stored(xp, weights[name], mask) for name, mask in at.items()}
    return own, {name: w.mask for name, w in own.items()}


@contextmanager
def nothing_dense():
    """No truly sparse weight, mask or gradient is written out."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in (SparseWeight, Positions, FactoredGradient):
            patch.delattr(kind, "dense")
        yield


@settings(max_examples=examples(200))
@given(chains())
def test_dead_units_go_as_they_do_under_masks(xp, chain):
    weights, at = chain
    _, own = stored_all(xp, weights, at)
    with nothing_dense():
        got = magnitude.remove_dead_units(own, list(own))
        led, leading = magnitude.led_to(own, list(own)), magnitude.leading_on(own, list(own))
        widths = architecture(own)
    for name, want in slow_remove_dead_units(at, list(at)).items():
        assert isinstance(got[name], Positions)
        assert as_bits(got[name]) == want.tolist()
    assert {name: back(units).tolist() for name, units in led.items()} == {
        name: units.tolist() for name, units in magnitude.led_to(at, list(at)).items()
    }
    assert {name: back(units).tolist() for name, units in leading.items()} == {
        name: units.tolist() for name, units in magnitude.leading_on(at, list(at)).items()
    }
    assert widths == architecture(at)


@given(chains(), st.integers(0, 15))
def test_dead_units_go_where_only_some_layers_are_truly_sparse(chain, which):
    _, at = chain
    own = {
        name: Positions(np.flatnonzero(mask), mask.shape) if which >> i & 1 else mask
        for i, (name, mask) in enumerate(at.items())
    }
    got = magnitude.remove_dead_units(own, list(own))
    assert {name: as_bits(mask) for name, mask in got.items()} == {
        name: mask.tolist() for name, mask in slow_remove_dead_units(at, list(at)).items()
    }


@settings(max_examples=examples(200))
@given(chains(), st.sampled_from([0, 0.5, 1, 1.5]), st.integers(0, 99))
def test_below_a_threshold_go_those_that_go_under_masks(xp, chain, quality, seed):
    weights, at = chain
    own, _ = stored_all(xp, weights, at)
    rng = np.random.default_rng(seed)
    for name, w in weights.items():
        fewer = at[name] & (rng.random(w.shape) < 0.7)
        with nothing_dense():
            of_all = magnitude.threshold_mask(own[name], quality)
            of_some = magnitude.threshold_mask(own[name], quality, stored(xp, w, fewer).mask)
        assert as_bits(of_all) == magnitude.threshold_mask(w, quality, at[name]).tolist()
        assert as_bits(of_some) == magnitude.threshold_mask(w, quality, fewer).tolist()


@settings(max_examples=examples(200))
@given(chains(), st.data())
def test_the_largest_of_all_layers_are_those_under_masks(xp, chain, data):
    weights, at = chain
    own, positions = stored_all(xp, weights, at)
    n_keep = data.draw(st.integers(0, sum(int(mask.sum()) for mask in at.values())))
    want = magnitude.global_magnitude_masks(weights, n_keep, at)
    with nothing_dense():
        both = [magnitude.global_magnitude_masks(own, n_keep, given) for given in (positions, None)]
    for got in both:
        assert {name: as_bits(mask) for name, mask in got.items()} == {n: mask.tolist() for n, mask in want.items()}
    first = next(iter(own))
    mixed = {**own, first: give(xp, weights[first])}, {**positions, first: give(xp, at[first])}
    got = magnitude.global_magnitude_masks(mixed[0], n_keep, mixed[1])
    assert {name: as_bits(mask) for name, mask in got.items()} == {n: mask.tolist() for n, mask in want.items()}


def test_only_stored_weights_may_stay(xp):
    own = stored(xp, np.diag([1.0, -2.0]), np.eye(2) > 0)
    assert as_bits(magnitude.magnitude_mask(own, 1)) == [[False, False], [False, True]]
    with pytest.raises(ValueError, match=r"n_keep is 3; expected a whole number from 0 to 2"):
        magnitude.magnitude_mask(own, 3)
    with pytest.raises(ValueError, match=r"n_keep is 5; expected a whole number from 0 to 4"):
        magnitude.global_magnitude_masks({"a": own, "b": own}, 5)
    other = stored(xp, np.ones((2, 2)), np.ones((2, 2), bool)).mask
    with pytest.raises(ValueError, match="has positions that"):
        magnitude.threshold_mask(own, 1.0, other)


def test_a_mask_or_weight_stored_the_other_way_is_refused(xp):
    own, array = stored(xp, np.eye(2), np.eye(2) > 0), give(xp, np.ones((2, 2)))
    for weight, mask in [(own, array > 0), (array, own.mask)]:
        for prune in (
            lambda w, m: magnitude.magnitude_mask(w, 1, m),
            lambda w, m: magnitude.threshold_mask(w, 1.0, m),
            lambda w, m: magnitude.global_magnitude_masks({"a": w}, 1, {"a": m}),
            lambda w, m: project({"a": w}, {"a": m}),
        ):
            with pytest.raises(TypeError, match=r"meets|truly sparse"):
                pytest.fail(str(prune(weight, mask)))
    with pytest.raises(TypeError, match=r"SparseWeight\(2 of \(2, 2\), float64\) is truly sparse; expected an array"):
        np.asarray(own)


def everything_stored(params):
    every = {name: np.ones(params[name].shape, bool) for name in WEIGHTS}
    return sparse.compressed(params, every)[0]


def few_batches(start, stop, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-3, 4, (512, 20)) / 2.0, rng.integers(0, 5, 512)  # a dyadic grid
    return batches(x, y, 32, 0, start, stop)


WEIGHTS = [name for name in MODEL.shapes() if name.endswith(".weight")]
HALF, MOST = (recipes.Stage(dict.fromkeys(WEIGHTS, q)) for q in (0.7, 0.9))


@pytest.mark.parametrize("optimizer", [lambda lr: sgd(lr, 0.9), lambda lr: adam(lr / 10)])
def test_three_steps_over_a_hundred_batches_are_those_of_the_masked_network(optimizer):
    params = MODEL.init(np.random.default_rng(0), np.float64)
    rates = [], []

    def run(params, seen):
        of_round = lambda number: few_batches(0, [40, 30, 30][number], number)
        dropout = {"fc2.weight": 0.5}
        loss_of = lambda rates: seen.append(rates) or loss
        rng = np.random.default_rng(1)
        return recipes.three_step(loss_of, params, of_round, [HALF, MOST], rng, optimizer, 0.05, dropout=dropout)

    sizes = []
    with nothing_dense():
        sparsely = list(run(everything_stored(params), rates[1]))
    for masked, own in zip(run(params, rates[0]), sparsely, strict=True):
        assert (masked.round, masked.phase) == (own.round, own.phase)
        assert {name: as_bits(mask) for name, mask in own.masks.items()} == {
            name: mask.tolist() for name, mask in masked.masks.items()
        }
        assert all(isinstance(own.params[name], SparseWeight) for name in WEIGHTS)
        assert all(gap(masked.params[name], own.params[name]) < 1e-12 for name in params)
        sizes.append(own.masks.active)
    assert rates[0] == rates[1]
    assert len(sizes) == 102
    assert len(set(sizes)) == 3


def test_three_steps_of_a_network_that_is_sparse_already_start_from_the_connections_it_has():
    rates, (params, at) = [], sparse.compressed(*network())
    loss_of = lambda seen: rates.append(seen) or loss
    stage = recipes.Stage(dict.fromkeys(DENSITIES, 0.8))
    run = list(
        recipes.three_step(
            loss_of, params, lambda number: few_batches(0, 10), [stage], np.random.default_rng(1),
            lambda lr: sgd(lr, 0.9), 0.05, dropout={"fc1.weight": 0.5},
        )
    )  # fmt: skip
    before, cut = run[9], run[10]
    assert {name: before.masks[name] for name in at} == dict(at)
    by_hand = {"fc3.weight": np.ones((16, 5), bool)}
    for name in DENSITIES:
        dense, mask = before.params[name].dense(), at[name].dense()
        by_hand[name] = mask & (abs(dense) >= 0.8 * dense[mask].std())
    for name, mask in slow_remove_dead_units(by_hand, WEIGHTS).items():
        assert as_bits(cut.masks[name]) == mask.tolist()
        assert mask.sum() < before.masks[name].sum() or name == "fc3.weight"
    left = cut.masks["fc1.weight"].sum() / at["fc1.weight"].sum()
    assert rates[1]["fc1.weight"] == pytest.approx(0.5 * left**0.5, rel=1e-12)


@pytest.mark.parametrize("globally", [False, True])
def test_lottery_tickets_are_those_of_the_masked_network(globally):
    params = MODEL.init(np.random.default_rng(0), np.float64)

    def run(params):
        given = (lambda start: few_batches(start, 20)), 0.4, 2, np.random.default_rng(1), sgd(0.05, 0.9)
        return recipes.lottery(loss, params, *given, rewind=5, globally=globally)

    with nothing_dense():
        sparsely = list(run(everything_stored(params)))
    for masked, own in zip(run(params), sparsely, strict=True):
        assert {name: as_bits(mask) for name, mask in own.masks.items()} == {
            name: mask.tolist() for name, mask in masked.masks.items()
        }
        assert all(gap(masked.params[name], own.params[name]) < 1e-12 for name in params)
    assert own.masks.density == pytest.approx(0.36, abs=0.01)


# Starting


def test_random_positions_have_exactly_the_counts():
    shapes, densities = {"a": (7, 11), "one": (1, 1), "full": (2, 3), "wide": (3, 500)}, {
        "a": 0.123, "one": 0.5, "full": 1.0, "wide": 0.02}  # fmt: skip
    for seed in range(20):
        at = random_positions(shapes, densities, np.random.default_rng(seed))
        assert at.counts == counts(shapes, densities)
        assert {name: mask.shape for name, mask in at.items()} == shapes


@pytest.mark.long
@pytest.mark.parametrize(("shape", "n", "beyond"), [((1, 5), 2, 34), ((3, 3), 2, 79)])  # chi-square at 1e-4 and 1e-4.5
def test_every_set_of_positions_is_equally_likely(shape, n, beyond):
    size, draws = shape[0] * shape[1], 2000
    times = dict.fromkeys(combinations(range(size), n), 0)
    for seed in range(draws):
        at = random_positions({"a": shape}, {"a": n / size}, np.random.default_rng(seed))
        times[tuple(at["a"].flat.tolist())] += 1
    mean = draws / len(times)
    assert sum((t - mean) ** 2 / mean for t in times.values()) < beyond


def test_initial_weights_are_of_the_connections_and_of_the_dense_scale():
    model = nn.mlp(400, 300, 10)
    at = random_positions({"fc1.weight": (400, 300)}, {"fc1.weight": 0.2}, np.random.default_rng(0))
    params = model.init(np.random.default_rng(0), masks=at)
    values = params["fc1.weight"].values
    assert params["fc1.weight"].mask is at["fc1.weight"]
    assert values.dtype == np.float32
    assert values.std() == pytest.approx(np.sqrt(2 / 400), rel=0.03)  # 24,000 draws: the deviation's error is 0.5 %
    assert params["fc2.weight"].shape == (300, 10)


@pytest.mark.parametrize("shape", [(70_000, 70_000), (2**21, 2**12), (2**12, 2**21)])
def test_a_layer_may_have_more_positions_than_an_int32_counts(shape):
    rng = np.random.default_rng(0)
    masks = random_positions({"weight": shape}, {"weight": 400 / math.prod(shape)}, rng)
    pairs = [divmod(i, shape[1]) for i in masks["weight"].flat.tolist()]
    assert masks["weight"].flat[-1] > 2**32
    own = SparseWeight(rng.integers(-3, 4, 400) * 1.0, masks["weight"])
    x, g = (rng.integers(-3, 4, (2, n)) * 1.0 for n in shape)
    loss = lambda p: ops.sum(ops.linear(p["x"], p["w"], np.zeros(shape[1])) * g)
    y, (_, grads) = ops.linear(x, own, np.zeros(shape[1])).value, value_and_grad(loss, {"x": x, "w": own})
    out, to_x = np.zeros_like(g), np.zeros_like(x)
    for (i, j), w in zip(pairs, own.values, strict=True):
        out[:, j] += x[:, i] * w
        to_x[:, i] += g[:, j] * w
    assert (y == out).all()
    assert (grads["x"] == to_x).all()
    assert grads["w"].at(own.mask).tolist() == [x[:, i] @ g[:, j] for i, j in pairs]


HUGE = """
import sys
import numpy as np
from minisparse import nn, ops, recipes, runs, sparse
from minisparse.data import batches
from minisparse.optim import sgd
from minisparse.train import train
n = 200_000
model, rng = nn.mlp(50, n, n, 3), np.random.default_rng(0)
shapes = {"fc1.weight": (50, n), "fc2.weight": (n, n), "fc3.weight": (n, 3)}
masks = sparse.random_positions(shapes, {"fc1.weight": 0.04, "fc2.weight": 1e-5, "fc3.weight": 0.3}, rng)
params = model.init(rng, masks=masks)
loss = lambda p, b, r: ops.softmax_cross_entropy(model(p, b[0], train=True, rng=r), b[1])
data = batches(rng.standard_normal((32, 50)).astype(np.float32), rng.integers(0, 3, 32), 8, 0, 0, 4)
for step in train(loss, params, masks, data, recipes.set(0.3, 2, 3), rng, sgd(0.1, 0.9)):
    rewired = step.rewired
    print(step.loss, step.rewired)
runs.save_state(sys.argv[1], step.state)
assert sum(m.sum() for m in runs.load_state(sys.argv[1]).masks.values()) == masks.active
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_layer_of_which_the_dense_form_is_160_gb_trains_within_600_mb(tmp_path):
    home = str(Path(sparse.__file__).parents[2])
    env = os.environ | {"PYTHONPATH": home}
    command = [sys.executable, "-c", HUGE, str(tmp_path / "state.npz")]
    child = subprocess.run(command, env=env, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    words = child.stdout.split()
    assert "True" in words
    assert int(words[-1]) < 600 * 1024, words  # KiB


def test_a_gradient_has_the_dtype_of_its_weights():
    masks = {"weight": Positions(np.array([0, 3]), (2, 2))}
    params = nn.Linear(2, 2).init(np.random.default_rng(0), np.float32, masks)
    loss = lambda p: ops.sum(nn.Linear(2, 2)(p, np.array([[0.5, 2.0]])))
    gradient = value_and_grad(loss, params)[1]["weight"]
    assert gradient.dtype == gradient.at(masks["weight"]).dtype == np.float32
    np.testing.assert_array_equal(gradient.dense(), [[0.5, 0.5], [2, 2]])
    with pytest.raises(TypeError):
        2.0 * abs(gradient)
