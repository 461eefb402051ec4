"""The benchmarks of sparse storage: everybody starts from the same weights and computes the same."""

from importlib.util import find_spec
from itertools import islice

import numpy as np
import pytest

from minisparse import nn, recipes
from minisparse.methods.rigl import rigl_count

bench = pytest.importorskip("benchmarks.sparse", reason="a source distribution has no benchmarks")
harness = pytest.importorskip("benchmarks.harness", reason="a source distribution has no benchmarks")

SMALL = bench.Task(
    nn.mlp(40, 30, 25, 10),
    {"fc1.weight": 0.1, "fc2.weight": 0.2},
    lambda rng, n: rng.standard_normal((n, 40), np.float32),
    n_batches=3,
)


def rows_of(title):
    return next(workload for workload in bench.WORKLOADS if workload.title.startswith(title))


@pytest.mark.long
def test_the_networks_have_the_connections_that_their_papers_count():
    """SET, eq. 3: ε (n_in + n_out); RigL's MNIST network; ten for each of 100,000 units."""
    counts = {name: {layer: len(w.mask.flat) for layer, w in bench.weights(task)[0].items() if hasattr(w, "mask")}
              for name, task in {"W5": bench.W5, "W1": bench.W1, "wide": bench.WIDE}.items()}  # fmt: skip
    assert counts["W5"] == {"fc1.weight": 20 * 7072, "fc2.weight": 20 * 5000, "fc3.weight": 20 * 5000}
    assert counts["W1"] == {"fc1.weight": 4704, "fc2.weight": 3540}
    assert counts["wide"] == {"fc1.weight": 1_000_000}


@pytest.mark.parametrize("storage", ["dense", "masked"])
def test_other_storages_start_from_the_same_weights(storage):
    """A first step from the same weights has the same loss."""
    losses = [next(bench.loop(SMALL, how, dtype=np.float64)).loss for how in ("sparse", storage)]
    np.testing.assert_allclose(*losses, rtol=1e-12)


def test_masked_and_sparse_steps_go_the_same_way_and_dense_ones_another():
    last = {
        how: next(islice(bench.loop(SMALL, how, dtype=np.float64), 9, None)) for how in ("sparse", "masked", "dense")
    }
    np.testing.assert_allclose(last["sparse"].loss, last["masked"].loss, rtol=1e-12)
    assert abs(last["dense"].loss - last["masked"].loss) > 1e-6


@pytest.mark.long
@pytest.mark.parametrize("workload", ["W1", "break-even of LeNet"])
def test_every_contender_of_the_small_network_takes_a_step(workload):
    for contender in rows_of(workload).contenders:
        if all(find_spec(needed.partition(".")[0]) for needed in contender.imports):
            step = contender.setup()
            done = step()
            assert np.isfinite(getattr(done, "loss", done))


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    "method", [recipes.set(0.3, period=1, until=10), recipes.rigl(0.3, 100, 10**9)], ids=["SET", "RigL"]
)
def test_an_update_moves_the_connections_and_what_belongs_to_them(method, indexed):
    """As many as before; those that stay keep their weights and velocities, those that are new start at zero."""
    before = next(islice(bench.loop(SMALL, "sparse"), bench.SOME_STEPS, None))
    masks, params, velocities, shown = bench.update(SMALL, method, indexed)()
    assert (shown is not None) is indexed
    for name, old in before.masks.items():
        new, kept = masks[name], (masks[name] & old).dense()
        assert new.sum() == old.sum()
        assert 0 < (new & ~old).sum() <= rigl_count(100, old.sum(), 0.3, 10**9)
        for after, array in ((params[name], before.params[name]), (velocities[name], before.slots["velocity"][name])):
            assert after.mask is new
            np.testing.assert_array_equal(after.dense(), np.where(kept, array.dense(), 0))


def test_ratios_to_a_second_reference_are_of_the_same_round():
    rows = tuple(harness.Contender(name, lambda: None, ()) for name in ("a", "b", "c"))
    workload = harness.Workload("three", rows, reference="a", second="b")
    times = {"a": [10, 20, 40], "b": [5, 4, 1], "c": [10, 12, 2]}
    blocks = {n: [{"median": ms, "mean": ms, "added_mb": 1} for ms in own] for n, own in times.items()}
    summary = harness.summary(workload, {"about": {n: {} for n in times}, "blocks": blocks})
    assert [row["x_second"][1] for row in summary] == [5, 1, 2]
    assert [row["x_reference"][1] for row in summary] == [1, 0.2, 0.6]


def test_the_second_reference_comes_along_with_a_selection_and_has_a_column(capsys):
    rows = tuple(harness.Contender(name, lambda: None, ()) for name in ("first", "other", "mine", "left out"))
    workload = harness.Workload("t", rows, reference="first", second="other")
    assert harness.chosen(workload, ["mine"])[0] == ["first", "other", "mine"]
    assert harness.chosen(workload, ["nobody"])[0] == []
    row = {"contender": "mine", "ms": [1, 1, 1], "x_reference": [1, 2, 3], "x_second": [4, 5.25, 6], "x_dense": None}
    harness.print_table(workload, [{**row, "added_mb": 1.0, "x_memory": None}])
    printed = capsys.readouterr().out
    assert "× other" in printed
    assert "own dense" not in printed  # nobody here has one
    assert "5.25" in printed


# Beside PyTorch


@pytest.fixture
def peers():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return pytest.importorskip("benchmarks.sparse_peers", reason="a source distribution has no benchmarks")


def networks():
    return [
        "dense_network",
        "csr_network",
        pytest.param("sparselab_network", marks=pytest.mark.filterwarnings("ignore:.*not writable")),
    ]


@pytest.mark.parametrize("network", networks())
def test_networks_in_pytorch_start_from_our_weights(peers, network):
    if network == "sparselab_network":
        pytest.importorskip("sparselab")
    model, _ = bench.torch_parts(SMALL, network)
    theirs, ours = peers.parameters(model), bench.weights(SMALL)[0]
    assert theirs.keys() == ours.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(theirs[name], array.dense() if hasattr(array, "dense") else array, err_msg=name)


def test_compressed_rows_train_connections_alone(peers):
    model, _ = bench.torch_parts(SMALL, "csr_network")
    sizes = sorted(p.numel() for p in model.parameters())
    assert sizes == sorted([120, 30, 150, 25, 250, 10])


@pytest.mark.parametrize("task", [SMALL, bench.W1], ids=["small", "W1"])
def test_a_few_steps_from_the_same_weights_lead_to_the_same_weights(peers, task):
    made = bench.compared(task, size=6)
    start, masked = made.pop("start"), made.pop("PyTorch masked")
    lost = made.pop("SparseLab", None)
    assert made.keys() == {"minisparse sparse", "PyTorch CSR"}
    for name in start:
        assert abs(masked[name] - start[name]).max() > 1e-5
        for who, own in made.items():
            assert own[name].dtype == np.float64
            np.testing.assert_allclose(own[name], masked[name], rtol=0, atol=1e-10, err_msg=f"{who} {name}")
        if lost is not None:
            np.testing.assert_allclose(lost[name], masked[name], rtol=0, atol=1e-5, err_msg=f"SparseLab {name}")


def test_what_the_masked_network_does_not_store_stays_zero(peers):
    made = bench.compared(SMALL, size=6)
    for name, weight in bench.weights(SMALL)[0].items():
        if hasattr(weight, "mask"):
            assert not made["PyTorch masked"][name][~weight.mask.dense()].any()


def test_verify_says_how_far_apart_they_are(peers):
    said = bench.verify(SMALL)
    assert "PyTorch CSR" in said
    assert "minisparse sparse" in said
