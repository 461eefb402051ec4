"""Weights that are drawn and never stored, and SNIP on them, against the arrays of the dense network."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import masks, nn, ops, project, recipes, sparse
from minisparse.autograd import value_and_grad
from minisparse.data import batches
from minisparse.methods.snip import sensitivity, snip_masks
from minisparse.optim import sgd
from minisparse.sparse import FactoredGradient, SparseWeight, weights
from minisparse.sparse.implicit import ImplicitWeight, InBlocks, everywhere
from minisparse.sparse.positions import Positions
from minisparse.sparse.ranking import in_parts
from minisparse.train import train

quiet = pytest.mark.filterwarnings("ignore:SNIP keeps nothing")
INITIALS = {"normal": nn.he_normal, "uniform": nn.glorot_uniform}


@contextmanager
def small_blocks():
    """Sixteen rows at a time, the fewest there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "BLOCK", 8)
        yield


def whole_numbers(rng, shape, n=None):
    """Weights that are full of ties, and with which sums are exact in any order."""
    return rng.integers(-2, 3, shape if n is None else n) * 1.0


def drawn(xp, shape, initial=whole_numbers, seed=0, dtype=np.float64):
    weight = ImplicitWeight(initial, np.random.default_rng(seed), everywhere({"w": shape})["w"], dtype)
    return weight.moved(lambda array: give(xp, array))


def at(xp, mask):
    return Positions(give(xp, np.flatnonzero(mask)), mask.shape)


def all_of(matrix):
    return np.concatenate([back(part) for part in in_parts(matrix)])


SHAPES = st.tuples(st.integers(1, 70), st.integers(1, 9))


# The matrix


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("initial", INITIALS)
def test_drawn_weights_are_bit_for_bit_those_of_the_dense_network_each_time(initial, dtype):
    model = nn.mlp(50, 70, 40, 3, initial=INITIALS[initial])
    names = ["fc1.weight", "fc2.weight"]
    want = model.init(np.random.default_rng(3), dtype)
    with small_blocks():
        got = model.init(np.random.default_rng(3), dtype, everywhere({name: model.shapes()[name] for name in names}))
        for name in names * 2:
            assert isinstance(got[name], ImplicitWeight)
            assert len(list(got[name].row_blocks())) > 1
            assert all_of(got[name]).tobytes() == want[name].tobytes()
    for name in set(want) - set(names):
        assert got[name].tobytes() == want[name].tobytes()


def test_what_is_made_of_the_same_generator_afterwards_is_other_weights():
    rng, layer = np.random.default_rng(0), nn.Linear(20, 10)
    every = everywhere({"weight": (20, 10)})
    first, second = (all_of(layer.init(rng, masks=every)["weight"]) for _ in "ab")
    third = layer.init(rng)["weight"]
    assert not np.isin(first, second).any()
    assert not np.isin(first, third).any()


@given(SHAPES, st.integers(0, 99))
def test_a_layer_and_its_gradients_are_those_of_the_dense_matrix(xp, shape, seed):
    rng = np.random.default_rng(seed)
    x, bias, g = (rng.integers(-3, 4, s) * 1.0 for s in ((4, shape[0]), shape[1], (4, shape[1])))
    weight = whole_numbers(np.random.default_rng(seed), shape)
    params = give_all(xp, {"x": x, "bias": bias}) | {"w": drawn(xp, shape, seed=seed)}
    with small_blocks():
        y = ops.linear(params["x"], params["w"], params["bias"]).value
        loss = lambda p: ops.sum(ops.linear(p["x"], p["w"], p["bias"]) * give(xp, g))
        grads = value_and_grad(loss, params)[1]
    assert (back(y) == x @ weight + bias).all()
    assert (back(grads["x"]) == g @ weight.T).all()
    assert (back(grads["bias"]) == g.sum(axis=0)).all()
    assert (back(grads["w"].dense()) == x.T @ g).all()


@given(SHAPES, st.integers(0, 99), st.sampled_from([0, 0.1, 1]))
def test_on_positions_it_has_the_weights_that_are_there(xp, shape, seed, density):
    mask = np.random.default_rng(seed).random(shape) < density
    with small_blocks():
        own = project({"w": drawn(xp, shape, seed=seed)}, {"w": at(xp, mask)})["w"]
    assert isinstance(own, SparseWeight)
    assert (back(own.values) == whole_numbers(np.random.default_rng(seed), shape)[mask]).all()


def test_a_weight_that_is_not_used_has_gradient_zero(xp):
    grads = value_and_grad(lambda p: ops.sum(p["b"]), {"w": drawn(xp, (3, 2)), "b": xp.ones(2)})[1]
    assert (back(grads["w"].dense()) == np.zeros((3, 2))).all()


def test_masks_that_leave_out_something_and_weights_of_another_form_are_refused():
    part = ~Positions(np.array([1, 4]), (2, 3))
    with pytest.raises(ValueError, match="mask leaves out 2 weights; expected all positions"):
        nn.Linear(2, 3).init(np.random.default_rng(0), masks={"weight": part})
    with pytest.raises(ValueError, match=r"shape is \(3, 3, 1, 8\); expected \(n_in, n_out\)"):
        everywhere({"conv1.weight": (3, 3, 1, 8)})
    with pytest.raises(ValueError, match=r"mask has shape \(3, 2\), weight has \(2, 3\)"):
        drawn(np, (2, 3)).at(Positions(np.array([1]), (3, 2)))


# The ranking


@st.composite
def networks(draw):
    """{name: (shape, seed, x, g)} of layers full of ties, of which some may be arrays, and a count."""
    layers = {}
    for i in range(draw(st.integers(1, 3))):
        shape, seed = draw(SHAPES), draw(st.integers(0, 99))
        rng = np.random.default_rng([seed, 1])
        x, g = rng.integers(-1, 2, (2, shape[0])) * 1.0, rng.integers(-1, 2, (2, shape[1])) * 1.0
        layers[f"layer{i}"] = shape, seed, x, g, draw(st.integers(0, 3)) > 0
    return layers, draw(st.integers(0, sum(shape[0] * shape[1] for shape, *_ in layers.values())))


def both(xp, layers):
    """(weights, gradients) as dense arrays, and drawn where the layer says so."""
    dense = ({}, {})
    own = ({}, {})
    for name, (shape, seed, x, g, is_drawn) in layers.items():
        dense[0][name], dense[1][name] = whole_numbers(np.random.default_rng(seed), shape), x.T @ g
        own[0][name] = drawn(xp, shape, seed=seed) if is_drawn else give(xp, dense[0][name])
        own[1][name] = FactoredGradient(give(xp, x), give(xp, g)) if is_drawn else give(xp, dense[1][name])
    return dense, own


@quiet
@settings(max_examples=examples(200))
@given(networks())
def test_snip_masks_are_those_of_the_dense_network(xp, network):
    layers, n_keep = network
    dense, own = both(xp, layers)
    with small_blocks():
        got = snip_masks(*own, n_keep)
    want = snip_masks(*dense, n_keep)
    assert list(got) == list(want)
    for name, (*_, is_drawn) in layers.items():
        assert isinstance(got[name], Positions) == is_drawn
        assert (back(sparse.dense(got[name])) == want[name]).all()


@given(networks())
def test_sensitivities_are_those_of_the_dense_network(xp, network):
    dense, own = both(xp, network[0])
    with small_blocks():
        got = {name: all_of(score) for name, score in sensitivity(*own).items()}
    for name, want in sensitivity(*dense).items():
        assert (got[name] == want).all()


@quiet
@pytest.mark.parametrize("n_keep", [1, 50, 5000, 9000, 30_000])
def test_the_ranking_stays_exact_when_layers_before_are_forgotten(xp, monkeypatch, n_keep):
    monkeypatch.setattr(weights, "BLOCK", 2000)
    layers = {}
    for i, shape in enumerate([(150, 130), (40, 90), (160, 50)]):
        rng = np.random.default_rng(i)
        layers[str(i)] = (
            shape,
            i,
            rng.integers(-2, 3, (3, shape[0])) * 1.0,
            rng.integers(-2, 3, (3, shape[1])) * 1.0,
            i != 1,
        )
    dense, own = both(xp, layers)
    got, want = snip_masks(*own, n_keep), snip_masks(*dense, n_keep)
    assert all((back(sparse.dense(mask)) == want[name]).all() for name, mask in got.items())


@given(networks(), st.data())
def test_where_few_may_be_chosen_the_highest_of_these_are(xp, network, data):
    (dense, own), free = both(xp, network[0]), {}
    for i, (name, w) in enumerate(dense[0].items()):
        free[name] = np.random.default_rng(i).random(w.shape) < data.draw(st.sampled_from([0, 0.2, 1]))
    k = data.draw(st.integers(0, sum(int(f.sum()) for f in free.values())))
    given_ = {n: ~at(xp, ~f) if isinstance(own[0][n], ImplicitWeight) else give(xp, f) for n, f in free.items()}
    with small_blocks():
        got = masks.top_k_of_all({n: abs(w * own[1][n]) for n, w in own[0].items()}, k, given_)
    want = masks.top_k_of_all({n: abs(w * dense[1][n]) for n, w in dense[0].items()}, k, free)
    for name, mask in got.items():
        assert (back(sparse.dense(mask)) == want[name]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused_by_the_name_of_their_layer(xp, bad):
    x = np.ones((1, 40))
    x[0, 30] = bad  # not in the first block
    weights = {"w": drawn(xp, (40, 2), nn.glorot_uniform)}
    with small_blocks(), pytest.raises(ValueError, match=r"of 'w' is not finite at 2 of 80 entries"):
        snip_masks(weights, {"w": FactoredGradient(give(xp, x), xp.ones((1, 2)))}, 3)


def test_a_rank_among_scores_in_blocks_needs_numbers_and_as_many_entries(xp):
    score = abs(drawn(xp, (3, 2)) * FactoredGradient(give(xp, np.array([[1, np.nan, 1]])), xp.ones((1, 2))))
    assert isinstance(score, InBlocks)
    with pytest.raises(ValueError, match="score of 'w' is NaN"):
        masks.top_k_of_all({"w": score}, 1)
    with pytest.raises(ValueError, match="k is 7; expected a whole number from 0 to 6"):
        masks.top_k_of_all({"w": score}, 7)


# Training

MODEL = nn.mlp(20, 30, 16, 5)
BUDGET = ["fc1.weight", "fc2.weight", "fc3.weight"]


def loss(params, batch, rng):
    return ops.softmax_cross_entropy(MODEL(params, batch[0], train=True, rng=rng), batch[1])


@pytest.mark.parametrize("n_batches", [1, 3])
def test_a_hundred_steps_on_snips_masks_are_those_of_the_masked_network(n_batches):
    rng = np.random.default_rng(0)
    x, y = rng.integers(-3, 4, (512, 20)) / 2.0, rng.integers(0, 5, 512)
    first = list(batches(x, y, 32, 0, 0, n_batches))
    runs = []
    with small_blocks():
        for masks_at_start in (None, everywhere({name: MODEL.shapes()[name] for name in BUDGET})):
            params = MODEL.init(np.random.default_rng(0), np.float64, masks_at_start)
            found = recipes.snip(loss, params, first, 0.3, np.random.default_rng(1))
            data = batches(x, y, 32, 0, 0, 100)
            rng = np.random.default_rng(2)
            runs.append(list(train(loss, params, found, data, recipes.static(), rng, sgd(0.1, 0.9))))
    for masked, own in zip(*runs, strict=True):
        assert own.loss == pytest.approx(masked.loss, rel=1e-12)
        for name in BUDGET:
            assert isinstance(own.params[name], SparseWeight)
            assert (own.masks[name].dense() == masked.masks[name]).all()
            scale = abs(masked.params[name]).max()
            assert abs(own.params[name].dense() - masked.params[name]).max() < 1e-12 * scale


HUGE = """
import sys
import numpy as np
from minisparse import nn, ops, project, recipes
from minisparse.sparse.implicit import everywhere
n = int(sys.argv[1])
model, rng = nn.mlp(20, n, n, 3, initial=nn.glorot_uniform), np.random.default_rng(0)
shapes = {"fc1.weight": (20, n), "fc2.weight": (n, n)}
params = model.init(rng, masks=everywhere(shapes))
loss = lambda p, b, r: ops.softmax_cross_entropy(model(p, b[0], train=True, rng=r), b[1])
batch = rng.standard_normal((8, 20)).astype(np.float32), rng.integers(0, 3, 8)
masks = recipes.snip(loss, params, [batch], 1e-3, rng, shapes.__contains__)
params = project(params, masks)
print(masks.active, sum(len(params[name].values) for name in shapes))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_layer_of_which_the_dense_form_is_400_mb_is_scored_within_150_mb():
    n = 10_000
    env = os.environ | {"PYTHONPATH": str(Path(sparse.__file__).parents[2])}
    child = subprocess.run([sys.executable, "-c", HUGE, str(n)], env=env, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    active, stored, peak = map(int, child.stdout.split())
    assert active == stored == round(1e-3 * (20 * n + n * n))
    assert peak < 150 * 1024  # KiB
