"""Replicas: many ranks do what one would, on a thread each and over MPI, and what goes wrong where they do not."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import IN_CI
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import nn, ops, recipes, sparse
from minisparse.autograd import value_and_grad
from minisparse.masks import project, random_masks
from minisparse.optim import adam, sgd
from minisparse.runs.folder import load_state, save_state
from minisparse.runs.replicas import Ranks, mean, over_mpi, replicated, same_on_all, share, simulated
from minisparse.sparse import FactoredGradient, SparseWeight
from minisparse.sparse.positions import Positions
from minisparse.streams import draw_key
from minisparse.train import train

STEPS, EXAMPLES = 12, 8
METHODS = {
    "static": recipes.static(),
    "set": recipes.set(0.5, 3, 4),
    "rigl": recipes.rigl(0.5, 3, 11),
    "rigl-random": recipes.rigl(0.5, 3, 11, watch=recipes.noise),
    "snfs": recipes.snfs(0.5, 3, 4),
    "gradual": recipes.gradual(0.8, 3, 9, 3, initial=0.5),
}
WHERE = [(storage, method) for storage in ("masked", "sparse") for method in METHODS]
WHERE.remove(("sparse", "snfs"))  # which is refused
each_method = pytest.mark.parametrize(("storage", "method"), WHERE)
each_size = pytest.mark.parametrize("size", [2, 4] if IN_CI else [4])
MODEL = nn.Chain({"fc1": nn.Linear(6, 8), "relu": nn.Relu(), "fc2": nn.Linear(8, 4)})
SHAPES = {"fc1.weight": (6, 8), "fc2.weight": (8, 4)}


def classify(params, batch, rng):
    return ops.softmax_cross_entropy(MODEL(params, batch["x"], train=True, rng=rng), batch["labels"])


def network(xp, storage="masked", seed=0):
    """(params, masks, batches) of a small network in float64."""
    rng = np.random.default_rng(seed)
    params, masks = MODEL.init(rng, np.float64), random_masks(SHAPES, dict.fromkeys(SHAPES, 0.5), rng)
    x, labels = rng.standard_normal((STEPS, EXAMPLES, 6)), rng.integers(0, 4, (STEPS, EXAMPLES))
    batches = [{"x": give(xp, a), "labels": give(xp, b)} for a, b in zip(x, labels, strict=True)]
    if storage == "sparse":
        return *sparse.compressed(give_all(xp, params), give_all(xp, masks)), batches
    return give_all(xp, params), give_all(xp, masks), batches


def linear(params, batch, rng):
    """Each layer by itself, and a loss that is linear in what comes out: gradients are products of what is given."""
    n, by_layer = len(batch["fc1"][0]), MODEL.layers.items()
    own = lambda name: {kind: params[f"{name}.{kind}"] for kind in ("weight", "bias")}
    terms = [ops.sum(layer(own(name), batch[name][0]) * batch[name][1]) for name, layer in by_layer if name in batch]
    return (terms[0] + terms[1]) / n


def dyadic(xp, storage, seed=0):
    """(params, masks, batches) for `linear` in small whole numbers and halves: nothing is ever rounded."""
    rng = np.random.default_rng(seed)
    params = {name: rng.integers(-4, 5, shape) / 2 for name, shape in MODEL.shapes().items()}
    masks = random_masks(SHAPES, dict.fromkeys(SHAPES, 0.5), rng)
    some = lambda n: give(xp, rng.integers(-2, 3, (EXAMPLES, n)) / 2)
    shapes = {name.partition(".")[0]: shape for name, shape in SHAPES.items()}
    batches = [{name: (some(n_in), some(n_out)) for name, (n_in, n_out) in shapes.items()} for _ in range(STEPS)]
    params, masks = project(params, masks), dict(masks)
    if storage == "sparse":
        return *sparse.compressed(give_all(xp, params), give_all(xp, masks)), batches
    return give_all(xp, params), give_all(xp, masks), batches


def trained(network, method, ranks=None, loss=classify, start=None, optimizer=sgd(0.25, 0.5), key=0):  # noqa: B008
    """All steps; of one rank of several, if ranks are given."""
    params, masks, batches = network
    method = METHODS[method] if isinstance(method, str) else method
    loss = replicated(loss, ranks) if ranks else loss
    rng = np.random.default_rng(key)
    return list(train(loss, params, masks, batches, method, rng, optimizer, start))


def bits(tree):
    """A tree of arrays, of any library and storage, as something to compare to the last bit."""
    if isinstance(tree, Mapping):
        return {name: bits(branch) for name, branch in tree.items()}
    if isinstance(tree, SparseWeight):
        return bits(tree.values), bits(tree.mask)
    if isinstance(tree, Positions):
        return tree.shape, bits(tree.flat)
    if isinstance(tree, FactoredGradient):
        return tree.scale, bits(tree.x), bits(tree.g)
    return (str(tree.dtype), tree.shape, back(tree).tobytes()) if hasattr(tree, "shape") else tree


def held(step):
    return bits({"params": step.params, "masks": step.masks, "slots": step.slots, "loss": step.loss})


def written_out(arrays):
    dense = lambda array: array.dense() if isinstance(array, FactoredGradient) else sparse.dense(array)
    return {name: back(dense(array)) for name, array in arrays.items()}


def assert_close(a, b):
    for name, array in written_out(a).items():
        np.testing.assert_allclose(array, written_out(b)[name], rtol=1e-12, atol=1e-12, err_msg=name)


def assert_one_network(runs, whole):
    """Every rank holds the same bits after every step, and what one rank has of the joined batch, to rounding."""
    for step, *ranks in zip(whole, *runs, strict=True):
        for other in ranks:
            assert held(other) == held(ranks[0])
        assert ranks[0].loss == pytest.approx(step.loss, rel=1e-12)
        assert bits(ranks[0].masks) == bits(step.masks)
        assert_close(ranks[0].params, step.params)
        assert_close(ranks[0].grads, step.grads)


@each_size
@each_method
def test_many_ranks_are_one_rank_with_the_joined_batch(xp, storage, method, size):
    whole = trained(network(xp, storage), method)
    runs = simulated(size, lambda ranks: trained(network(xp, storage), method, ranks))
    assert_one_network(runs, whole)
    moved = [step.number for step in whole if step.rewired]
    assert moved == [] if method == "static" else len(moved) == 3


@pytest.mark.parametrize("optimizer", [sgd(0.1, 0.9, nesterov=True, weight_decay=0.01), adam(0.01, weight_decay=0.01)],
                         ids=["nesterov", "adam"])  # fmt: skip
@each_method
def test_they_are_so_with_every_optimizer(storage, method, optimizer):
    whole = trained(network(np, storage), method, optimizer=optimizer)
    runs = simulated(2, lambda ranks: trained(network(np, storage), method, ranks, optimizer=optimizer))
    assert_one_network(runs, whole)


@pytest.mark.long
@each_size
@each_method
@settings(max_examples=4 if IN_CI else 2)
@given(seed=st.integers(0, 1000))
def test_where_nothing_is_rounded_they_are_so_to_the_last_bit(xp, storage, method, size, seed):
    whole = trained(dyadic(xp, storage, seed), method, loss=linear, key=seed)
    runs = simulated(size, lambda ranks: trained(dyadic(xp, storage, seed), method, ranks, linear, key=seed))
    for run in runs:
        assert [held(step) for step in run] == [held(step) for step in whole]


@pytest.mark.parametrize("stop", [1, 3, 4, 7] if IN_CI else [3])
@each_method
def test_ranks_go_on_from_their_checkpoints_as_if_they_had_never_stopped(tmp_path, storage, method, stop):
    def begun_and_resumed(ranks):
        params, masks, batches = network(np, storage)
        path = tmp_path / f"{ranks.rank}.npz"
        save_state(path, trained((params, masks, batches[:stop]), method, ranks)[-1].state)
        return trained((params, masks, batches[stop:]), method, ranks, start=load_state(path), key=99)

    whole = simulated(2, lambda ranks: trained(network(np, storage), method, ranks))
    for run, rest in zip(whole, simulated(2, begun_and_resumed), strict=True):
        assert [held(step) for step in rest] == [held(step) for step in run[stop:]]


@pytest.mark.parametrize("bug", [False, True])
def test_replicas_that_grow_connections_of_their_own_drawing_train_different_networks(bug):
    """A bug of RigL's authors (Evci et al. 2020, app. M): their random growth was not the same on all replicas."""
    params, masks, batches = network(np)

    def own_noise(ranks):
        own = np.random.default_rng(ranks.rank)
        return lambda memory, grads, rng: draw_key(own)

    def run(ranks):
        watch = own_noise(ranks) if bug else recipes.noise
        return trained((params, masks, batches), recipes.rigl(0.5, 3, 11, watch=watch), ranks)

    first, second = simulated(2, run)
    same = [bits(a.masks) == bits(b.masks) for a, b in zip(first, second, strict=True)]
    assert same == [True] * 3 + [not bug] * 9  # from the first update, at step 3, on
    # What is averaged then are gradients of two networks: of neither of them is it the gradient.
    before, after = (run[5] for run in (first, second)), first[6].grads
    for step in before:
        own = value_and_grad(lambda p: classify(p, batches[6], None), step.params)[1]
        apart = max(abs(own[name] - after[name]).max() for name in own)
        assert (apart > 1e-3) if bug else (apart < 1e-12)

    def compared(ranks):
        same_on_all(ranks, (first, second)[ranks.rank][3].masks)

    if bug:
        with pytest.raises(ValueError, match=r"'fc1\.weight' is not the same on all ranks: \[1\] differ from rank 0"):
            simulated(2, compared)
    else:
        simulated(2, compared)


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize(("name", "first_update"), [("rigl", 3), ("snfs", 2), ("set", 2)])
def test_replicas_that_grow_by_gradients_of_their_own_share_train_different_networks(name, first_update, bug):
    """Their other bug: what was averaged were the gradients that they trained with, not those of absent weights.

    RigL and SNFS grow by these, and each replica had its own; SET, which grows at random, was spared.
    """
    method = METHODS[name]

    def run(ranks):
        given = {}

        def loss(params, batch, rng):
            given.update(params={name: p.value for name, p in params.items()}, batch=batch)
            return classify(params, batch, rng)

        def watch(memory, grads, rng):
            own = value_and_grad(lambda p: classify(p, given["batch"], None), given["params"])[1]
            return method.observe(memory, {name: own[name] for name in grads} if bug else grads, rng)

        return trained(network(np), method._replace(observe=watch), ranks, loss)

    first, second = simulated(2, run)
    same = [bits(a.masks) == bits(b.masks) for a, b in zip(first, second, strict=True)]
    apart = STEPS - first_update if bug and name != "set" else 0
    assert same == [True] * (STEPS - apart) + [False] * apart


def test_dropout_is_every_rank_s_own_and_random_growth_is_not():
    model = nn.Chain({"drop": nn.Dropout(0.5), **MODEL.layers})
    seen = {0: [], 1: []}

    def run(ranks):
        def loss(params, batch, rng):
            seen[ranks.rank].append(rng.random())
            rng.random(ranks.rank)  # one draws more than the other
            return ops.softmax_cross_entropy(model(params, batch["x"], train=True, rng=rng), batch["labels"])

        return trained(network(np), "rigl-random", ranks, loss)

    first, second = simulated(2, run)
    assert [held(step) for step in first] == [held(step) for step in second]
    assert len({*seen[0], *seen[1]}) == 2 * STEPS


def test_one_rank_is_the_plain_loop():
    (run,) = simulated(1, lambda ranks: trained(network(np), "rigl-random", ranks))
    assert [held(step) for step in run] == [held(step) for step in trained(network(np), "rigl-random")]


def test_a_loss_that_is_infinite_on_one_rank_stops_all(xp):
    params, masks, batches = network(np)
    x = batches[2]["x"].copy()
    x[-1] = np.inf
    batches[2] = batches[2] | {"x": x}

    def run(ranks):
        with pytest.raises(FloatingPointError, match="at step 2"), np.errstate(all="ignore"):
            trained((params, masks, batches), "static", ranks)
        return "stopped"

    assert simulated(2, run) == ["stopped"] * 2


@pytest.mark.parametrize(("odd", "seed", "named"), [(True, 0, "fc2.bias"), (False, 1, "rng")])
def test_ranks_that_begin_otherwise_are_refused_by_what_differs(odd, seed, named):
    def run(ranks):
        params, masks, batches = network(np)
        if odd and ranks.rank == 2:
            params["fc2.bias"] = params["fc2.bias"] + 1
        return trained((params, masks, batches), "static", ranks, key=seed * (ranks.rank == 2))

    with pytest.raises(ValueError, match=rf"'{named}' is not the same on all ranks: \[2\] differ from rank 0"):
        simulated(4, run)


@pytest.mark.parametrize("change", ["value", "place"])
def test_truly_sparse_weights_are_compared_by_values_and_places(change):
    def run(ranks):
        flat = np.array([0, 3]) if change == "place" and ranks.rank else np.array([0, 2])
        values = np.array([1.0, 2.0 + (change == "value") * ranks.rank])
        same_on_all(ranks, {"w": SparseWeight(values, Positions(flat, (2, 2)))})

    with pytest.raises(ValueError, match="'w' is not the same"):
        simulated(2, run)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 100))
def test_shares_are_the_batch_in_the_order_of_ranks(size, each, seed):
    n = size * each
    batch = {"x": np.arange(2 * n).reshape(n, 2), "more": (np.arange(n), [np.arange(n) + seed])}
    shares = [share(Ranks(rank, size, None, None), batch) for rank in range(size)]
    assert (np.concatenate([own["x"] for own in shares]) == batch["x"]).all()
    assert (np.concatenate([own["more"][0] for own in shares]) == np.arange(n)).all()
    assert (np.concatenate([own["more"][1][0] for own in shares]) == np.arange(n) + seed).all()
    assert {len(own["x"]) for own in shares} == {each}


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    with pytest.raises(ValueError, match="a batch has 8 examples; expected a multiple of 3, the number of ranks"):
        simulated(3, lambda ranks: trained(network(np), "static", ranks))


def test_the_mean_of_factors_is_the_mean_of_what_they_stand_for(xp):
    rng = np.random.default_rng(0)
    x, g = rng.integers(-3, 4, (4, 5, 3)) / 2, rng.integers(-3, 4, (4, 5, 2)) / 2
    one = lambda rank: 0.5 * FactoredGradient(give(xp, x[rank]), give(xp, g[rank]))
    for averaged in simulated(4, lambda ranks: mean(ranks, one(ranks.rank))):
        assert (back(averaged.dense()) == sum(0.5 * a.T @ b for a, b in zip(x, g, strict=True)) / 4).all()


def test_an_error_on_one_rank_ends_all_and_is_raised():
    ended = []

    def run(ranks):
        try:
            ranks.total(np.ones(1))
            if ranks.rank == 1:
                raise ZeroDivisionError("rank 1")
            ranks.total(np.ones(1))
        finally:
            ended.append(ranks.rank)

    with pytest.raises(ZeroDivisionError, match="rank 1"):
        simulated(3, run)
    assert sorted(ended) == [0, 1, 2]


def test_a_rank_that_others_wait_for_in_vain_is_named():
    with pytest.raises(RuntimeError, match="rank 1 ended while rank 0 waits for it"):
        simulated(2, lambda ranks: ranks.rank or ranks.total(np.ones(1)))


@pytest.mark.parametrize("size", [0, -1])
def test_no_ranks_are_refused(size):
    with pytest.raises(ValueError, match=rf"size is {size}; expected a whole number from 1"):
        simulated(size, lambda ranks: None)


def test_without_mpi4py_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ValueError, match=r"need mpi4py and an MPI library: pip install 'minisparse\[mpi\]'"):
        over_mpi()


@each_size
def test_over_mpi_it_is_the_same(tmp_path, size):
    mpiexec = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if not (mpiexec and importlib.util.find_spec("mpi4py")):
        pytest.skip("mpi4py or mpiexec is not here")
    here = Path(__file__).parent
    paths = [
        str(here),
        str(here.parent / "helpers"),
        str(here.parents[1]),
        *filter(None, [os.environ.get("PYTHONPATH")]),
    ]
    command = [
        mpiexec,
        "-n",
        str(size),
        sys.executable,
        "-m",
        "mpi4py",
        here.parent / "helpers" / "mpi_training.py",
        tmp_path,
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for storage, method in WHERE:
        want = trained(network(np, storage), method)[-1].state
        ranks = [load_state(tmp_path / f"{storage}-{method}-{rank}.npz") for rank in range(size)]
        for state in ranks:
            assert bits(state._asdict()) == bits(ranks[0]._asdict())
            assert bits(state.masks) == bits(want.masks)
            assert_close(state.params, want.params)
