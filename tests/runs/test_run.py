"""Runs by name: every method, resumed to the last bit, and what each cost."""

import json
import shutil
import sys
from contextlib import closing

import numpy as np
import pytest
import strict
from arrays import back
from effort import IN_CI, WITH_ALL, some
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minisparse import flops, nn, sparse
from minisparse.autograd import value_and_grad
from minisparse.backend import namespace
from minisparse.data import batches
from minisparse.ops import softmax_cross_entropy
from minisparse.runs import names
from minisparse.runs.folder import load_state, metrics
from minisparse.runs.methods import METHODS
from minisparse.runs.plan import Plan
from minisparse.runs.prepare import prepare
from minisparse.runs.run import _counts, _from, _origin, evaluate, finish, go, plan_of, reopen

SIDE, BATCH, PER_EPOCH, EPOCHS = 6, 10, 5, 4
STEPS = PER_EPOCH * EPOCHS
SIZES = {"fc1.weight": 36 * 12, "fc2.weight": 12 * 3}


def tiny(shape, classes=10):
    """A convolution, batch norm and dropout: what has statistics, and noise of its own."""
    features = {
        "conv1": nn.Conv2d(1, 4, 3, bias=False),
        "bn1": nn.BatchNorm(4),
        "relu1": nn.Relu(),
        "flatten": nn.Flatten(),
        "dropout": nn.Dropout(0.2),
        "fc1": nn.Linear(4 * (SIDE - 2) ** 2, classes),
    }
    return nn.Chain(features)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Fifty examples in three classes, which the mean of a few pixels tells apart."""
    monkeypatch.setitem(names.NETWORKS, "tiny", (tiny, (SIDE, SIDE, 1)))
    rng = np.random.default_rng(0)
    x, y = rng.random((70, SIDE, SIDE)).astype(np.float32), rng.integers(0, 3, 70)
    for image, label in zip(x, y, strict=True):
        image[2 * label : 2 * label + 2] += 1
    np.savez(tmp_path / "bars.npz", x=x[:50], y=y[:50], x_test=x[50:], y_test=y[50:])
    return tmp_path / "bars.npz"


def plan_for(file, method, **options):
    given = {"model": "mlp-12", "sparsity": 0.5, "batch": BATCH, "epochs": EPOCHS, "delta_t": 4, "rounds": 2}
    return Plan(method, data=str(file), **given | options)


def run(plan, directory):
    for _ in go(prepare(plan), directory):
        pass
    return json.loads((directory / "result.json").read_text())


def contents(directory):
    """Every file of a run; arrays by their bytes, since archives hold the time too."""
    made = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                made |= {f"{name}:{key}": (a.dtype.str, a.tobytes()) for key, a in arrays.items()}
        elif path.is_file():
            made[name] = path.read_bytes()
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """plan -> the folder of its run that nothing interrupted."""
    folders = {}

    def of(plan):
        if plan not in folders:
            folders[plan] = tmp_path_factory.mktemp("whole")
            run(plan, folders[plan])
        return folders[plan]

    return of


def interrupted(plan, directory, stops):
    """The run, begun as often as there are stops, each time for so many steps; a stop in (number, killed).

    A kill leaves the folder as it is at that moment; else the run is closed, and writes a checkpoint first.
    """
    task = prepare(plan)
    for turn, (stop, killed) in enumerate(stops):
        with closing(go(task, directory)) as lines:
            for _ in zip(range(stop), lines, strict=False):
                pass
            if killed:
                directory = shutil.copytree(directory, directory.with_name(f"killed-{turn}"))
    run(plan, directory)
    return directory


DESCENTS = {
    "plain": {"momentum": 0.0},
    "momentum": {"lr_drops": (1.5,), "lr_factor": 0.5},
    "nesterov": {"nesterov": True, "weight_decay": 1e-3},
    "adam": {"optimizer": "adam", "lr": 0.01},
}
UPDATES = [4, 5, 8, 10, 12, 15]  # before which steps masks change, of one method or another
STOPS = st.lists(
    st.tuples(st.sampled_from([*UPDATES, *(n + 1 for n in UPDATES)]) | st.integers(1, STEPS + 3), st.booleans()),
    min_size=1,
    max_size=3,
)
EACH = (8, 3) if WITH_ALL else (4, 2) if IN_CI else (3, 1)  # examples of a method: on perceptrons, on convolutions
STORED = [(method, "masked") for method in METHODS] + [(m, "sparse") for m, e in METHODS.items() if not e.refusal]


@pytest.mark.long
@pytest.mark.parametrize(("method", "storage"), some(STORED, every=2))
@settings(max_examples=EACH[0], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(descent=st.sampled_from(list(DESCENTS)), dense=st.sampled_from([(), ("fc2",)]), stops=STOPS)
def test_every_method_goes_on_to_the_last_bit_wherever_it_is_stopped_or_killed(
    file, whole, tmp_path_factory, method, storage, descent, dense, stops
):
    """Weights, masks, slots, memory, generator, batches, schedule and lines: all are in these files or follow."""
    plan = plan_for(file, method, storage=storage, dense=dense, **DESCENTS[descent])
    parts = interrupted(plan, tmp_path_factory.mktemp("run") / "parts", stops)
    assert contents(parts) == contents(whole(plan))
    assert len(metrics(parts)) == STEPS


@pytest.mark.parametrize(
    "method", some([m for m in METHODS if m != "small-dense"], every=2)
)  # this one has one width only
@settings(max_examples=EACH[1], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(descent=st.sampled_from(list(DESCENTS)), stops=STOPS)
def test_networks_with_convolutions_batch_norm_and_dropout_go_on_too(
    file, whole, tmp_path_factory, method, descent, stops
):
    plan = plan_for(file, method, model="tiny", **DESCENTS[descent])
    parts = interrupted(plan, tmp_path_factory.mktemp("run") / "parts", stops)
    assert contents(parts) == contents(whole(plan))
    learned = 0.6 if method != "ste-random" else 0  # no single draw of its weights is what it trained
    assert json.loads((parts / "result.json").read_text())["test_accuracy"] >= learned


@pytest.mark.parametrize(
    ("method", "storage", "model"),
    some([(*each, "mlp-12") for each in STORED], 3)
    + [
        pytest.param(
            method, "masked", "tiny", marks=() if method in ("static", "rigl", "l0", "lottery") else pytest.mark.slow
        )
        for method in METHODS
        if method != "small-dense"
    ],
)
def test_on_another_device_every_method_trains_as_here_and_goes_on(
    file, whole, tmp_path, monkeypatch, method, storage, model
):
    """With the strict double for CuPy: nothing may go through NumPy unasked, checkpoints least of all."""
    plan = plan_for(file, method, storage=storage, model=model)
    here = whole(plan)
    monkeypatch.setitem(sys.modules, "cupy", strict)
    there = interrupted(plan._replace(device="cuda"), tmp_path / "there", [(7, False), (6, True)])
    (_, a), (_, b) = reopen(here), reopen(there)
    assert all(namespace(w) is strict for w in b.params.values())
    assert a.masks.counts == b.masks.counts
    for name, mask in a.masks.items():
        assert (sparse.dense(mask) == back(sparse.dense(b.masks[name]))).all()
    for name, w in a.params.items():
        np.testing.assert_allclose(sparse.dense(w), back(sparse.dense(b.params[name])), rtol=1e-4, atol=1e-5)
    lines = zip(metrics(here), metrics(there), strict=True)
    assert all(one["rewired"] == other["rewired"] and one["active"] == other["active"] for one, other in lines)


def test_adam_trains_what_it_is_asked_to_and_counts_its_updates_across_an_interruption(file, tmp_path):
    plan = plan_for(file, "rigl", optimizer="adam", lr=0.01)
    run(plan, tmp_path / "whole")
    with closing(go(prepare(plan), tmp_path / "parts")) as lines:
        for _ in range(9):
            next(lines)
    run(plan, tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    _, state = reopen(tmp_path / "parts")
    updates = sum(not line["rewired"] for line in metrics(tmp_path / "parts"))
    assert state.slots["updates"] == updates < STEPS


def test_a_finished_run_is_not_repeated(file, tmp_path):
    run(plan_for(file, "rigl"), tmp_path / "a")
    before = contents(tmp_path / "a")
    assert list(go(prepare(plan_for(file, "rigl")), tmp_path / "a")) == []
    assert contents(tmp_path / "a") == before
    assert finish(plan_for(file, "rigl"), tmp_path / "a") == json.loads(before["result.json"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sparsity": 0.6}, "sparsity is 0.5 there and 0.6 here"),
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"method": "static"}, "method is rigl there and static here"),
        ({"t_end": 9}, "t_end is 15 there and 9 here"),
        ({"dense": ("fc2",)}, r"dense is \[\] there and \['fc2'\] here"),
    ],
)
def test_a_folder_of_another_run_is_refused_naming_the_difference(file, tmp_path, change, sentence):
    run(plan_for(file, "rigl"), tmp_path / "a")
    with pytest.raises(ValueError, match=sentence):
        next(go(prepare(plan_for(file, "rigl")._replace(**change)), tmp_path / "a"))


def test_the_data_are_part_of_what_decides_a_run(file, tmp_path):
    run(plan_for(file, "rigl"), tmp_path / "a")
    known = json.loads((tmp_path / "a" / "config.json").read_text())["data"]
    assert (known["name"], known["train"], known["test"]) == (str(file), 50, 20)
    with np.load(file) as arrays:
        changed = dict(arrays)
    changed["x_test"][3, 2, 2, ...] += 1e-3
    np.savez(file, **changed)
    with pytest.raises(ValueError, match=r"data is .* there and .* here"):
        next(go(prepare(plan_for(file, "rigl")), tmp_path / "a"))
    with pytest.raises(ValueError, match=r"bars\.npz is not the data of .*a: its hash is not"):
        reopen(tmp_path / "a")


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"seed": 1}, "key is .* there and .* here"),
        ({"model": "mlp-11"}, r"fc1.weight is \[36, 11\] there and \[36, 12\] here"),
        ({"optimizer": "adam"}, r"slots is \['m', 'v', 'updates'\] there and \['velocity'\] here"),
        ({"storage": "sparse"}, r"mask of fc1.weight is \['Positions', 36, 12\] there and \['ndarray', 36, 12\] here"),
        ({"dense": ("fc2",)}, r"mask of fc2.weight is not there there and \['ndarray', 12, 3\] here"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_naming_the_difference_and_left_alone(file, tmp_path, other, sentence):
    run(plan_for(file, "static", **other), tmp_path / "other")
    with closing(go(prepare(plan_for(file, "static")), tmp_path / "a")) as lines:
        for _ in range(6):
            next(lines)
    checkpoint = shutil.copy(tmp_path / "other" / "checkpoint.npz", tmp_path / "a")
    before = contents(tmp_path / "a")
    with pytest.raises(ValueError, match=rf"{checkpoint} is of another run: {sentence}"):
        next(go(prepare(plan_for(file, "static")), tmp_path / "a"))
    assert contents(tmp_path / "a") == before
    if "model" in other:
        with pytest.raises(ValueError, match=rf"{checkpoint} is of another run: {sentence}"):
            reopen(tmp_path / "a")


def test_a_config_that_is_none_is_refused_by_name(tmp_path):
    for text in ("[]", "{}", '{"data": 3}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ValueError, match=r"config\.json is damaged, or another kind of file: "):
            plan_of(tmp_path)


def test_options_that_a_method_has_no_use_for_decide_nothing(file):
    config = lambda method, **options: prepare(plan_for(file, method, **options)).config
    assert config("static", alpha=0.2) == config("static", alpha=0.1, delta_t=7, zeta=0.9)
    assert config("dense", sparsity=0.7) == config("dense", sparsity=0.9)
    assert config("rigl", alpha=0.2) != config("rigl", alpha=0.1)
    assert config("rigl")["t_end"] == 15
    assert "zeta" not in config("rigl")


@pytest.mark.parametrize("method", METHODS)
def test_every_option_that_a_method_names_changes_its_config(file, method):
    other = {"sparsity": 0.7, "distribution": "uniform-all", "dense": ("fc2",), "alpha": 0.1, "delta_t": 3, "t_end": 11,
             "zeta": 0.2, "prune_rate": 0.4, "rounds": 1, "penalty": 1.0}  # fmt: skip
    for option in METHODS[method].options:
        changed = prepare(plan_for(file, method, **{option: other[option]})).config
        assert changed != prepare(plan_for(file, method)).config, option


@pytest.mark.parametrize(
    "method", [m for m in METHODS if m not in ("dense", "small-dense", "l0", "lottery", "gradual", "srigl")]
)
def test_every_method_has_the_same_number_of_weights_at_the_end(file, tmp_path, method):
    assert run(plan_for(file, method, sparsity=0.8), tmp_path / "a")["active"] == round(0.2 * sum(SIZES.values()))


@pytest.mark.parametrize("method", METHODS)
def test_every_line_counts_the_weights_that_are_there(file, method):
    """Though weights are counted only where their number may have changed."""
    own = {"penalty": 300.0} if method == "l0" else {"sparsity": 0.8}
    task = prepare(plan_for(file, method, delta_t=3, **own))
    counts = []
    for state, line in _from(task, _origin(task), {}):
        counts.append(line["active"])
        assert line["active"] == sum(_counts(task, state.params, state.masks).values())
    assert (len(set(counts)) > 1) == (method in ("l0", "gradual", "granet", "ac-dc"))


@pytest.mark.parametrize("method", ["lottery", "gradual"])
def test_pruning_rounds_layer_by_layer(file, tmp_path, method):
    active = run(plan_for(file, method, sparsity=0.8), tmp_path / "a")["active"]
    assert abs(active - 0.2 * sum(SIZES.values())) <= 2


@pytest.mark.parametrize(
    ("method", "relative"),
    [
        ("ac-dc", 1e-9),
        ("lottery", 1e-9),
        ("top-kast", 1e-9),
        ("ste", 1e-9),
        ("ste-random", 1e-9),
        ("granet", 0.02),
        ("dsr", 0.05),
    ],
)
def test_formulas_are_near_what_runs_cost(file, tmp_path, method, relative):
    """AC/DC's and Top-KAST's are exact; GraNet's and DSR's do not know how layers share connections before the end."""
    cost = run(plan_for(file, method, sparsity=0.8, delta_t=2), tmp_path / "a")["multiply_adds"]
    assert cost["training_by_formula"] == pytest.approx(cost["training_as_it_was"], rel=relative)


def test_top_kasts_accuracy_is_that_of_its_forward_weights(file, tmp_path):
    plan = plan_for(file, "top-kast", sparsity=0.8)
    accuracy = run(plan, tmp_path / "a")["test_accuracy"]
    task, state = reopen(tmp_path / "a")
    kept = METHODS["top-kast"].kept(task, state.params, state.masks)
    sparse_only = state.params | {name: state.params[name] * mask for name, mask in kept.items()}
    logits = task.model(sparse_only, task.test_set[0]).value
    assert accuracy == pytest.approx((logits.argmax(axis=1) == task.test_set[1]).mean())
    assert sum(np.count_nonzero(state.params[name]) for name in SIZES) > sum(int(m.sum()) for m in kept.values())


def test_srigl_gives_every_surviving_neuron_as_many_inputs_and_rounds_layer_by_layer(file, tmp_path):
    run(plan_for(file, "srigl", sparsity=0.8), tmp_path / "a")
    _, state = reopen(tmp_path / "a")
    for name, mask in state.masks.items():
        inputs = mask.sum(axis=0)
        assert len({*inputs.tolist()} - {0}) == 1
        assert inputs.all() or name == "fc1.weight", "a class is never ablated"
    assert abs(state.masks.active - 0.2 * sum(SIZES.values())) <= 12 + 3


def test_layers_that_are_kept_dense_stand_outside_and_never_lose_a_weight(file, tmp_path):
    for method in ("rigl", "snfs", "gradual", "lottery", "snip", "set"):
        result = run(plan_for(file, method, dense=("fc2",)), tmp_path / method)
        assert result["layers"] == {"fc1.weight": 216, "fc2.weight": 36}
        assert list(load_state(tmp_path / method / "checkpoint.npz").masks) == ["fc1.weight"]


def test_a_small_dense_network_has_no_more_parameters_than_the_sparse_one(file, tmp_path):
    task = prepare(plan_for(file, "small-dense", sparsity=0.8))
    count = lambda width: 36 * width + width + 3 * width + 3
    allowed = round(0.2 * sum(SIZES.values())) + 12 + 3
    width = task.model.shapes()["fc1.bias"][0]
    assert count(width) <= allowed < count(width + 1)
    result = run(plan_for(file, "small-dense", sparsity=0.8), tmp_path / "a")
    assert (result["weights"], result["active"]) == (sum(SIZES.values()), 39 * width)
    assert result["multiply_adds"]["inference"] == 39 * width


def test_two_methods_with_one_seed_start_alike(file, tmp_path):
    for method in ("static", "rigl", "set", "snfs"):
        run(plan_for(file, method), tmp_path / method)
    first = {method: metrics(tmp_path / method)[0] for method in ("static", "rigl", "set", "snfs")}
    assert len({line["loss"] for line in first.values()}) == 1
    run(plan_for(file, "static", seed=1), tmp_path / "other")
    assert metrics(tmp_path / "other")[0]["loss"] != first["static"]["loss"]


def test_lines_of_metrics_say_what_happened(file, tmp_path):
    run(plan_for(file, "rigl", lr=0.2, lr_drops=(1, 2.4), lr_factor=0.5), tmp_path / "a")
    lines = metrics(tmp_path / "a")
    assert [line["step"] for line in lines] == list(range(STEPS))
    assert [line["step"] for line in lines if line["rewired"]] == [4, 8, 12]
    assert [line["rate"] for line in lines] == [0.2] * 5 + [0.1] * 7 + [0.05] * 8
    assert [line["step"] for line in lines if "accuracy" in line] == [4, 9, 14, 19]
    assert {line["active"] for line in lines} == {sum(SIZES.values()) // 2}
    assert all(np.isfinite(line["loss"]) for line in lines)


def cost_by_step(directory, gradient):
    """Multiply-adds of each step, where every weight costs one: forward, and twice backward; absent ones as asked."""
    lines = metrics(directory)
    active = [lines[0]["active"], *(line["active"] for line in lines)]  # a rewiring changes those of the next step
    in_full = [gradient == "always" or (gradient == "updates" and line["rewired"]) for line in lines]
    return [2 * n + (sum(SIZES.values()) if dense else n) for n, dense in zip(active, in_full, strict=False)]


@pytest.mark.parametrize("method", METHODS)
def test_what_a_run_cost_is_the_sum_over_its_batches(file, tmp_path, method):
    result = run(plan_for(file, method), tmp_path / "a")
    cost, entry = result["multiply_adds"], METHODS[method]
    d, half = sum(SIZES.values()), sum(SIZES.values()) // 2
    steps = [n for path in tmp_path.rglob("metrics.jsonl") for n in cost_by_step(path.parent, entry.gradient)]
    by_hand = {
        "dense": 3 * d,
        "static": 3 * half,
        "snip": 3 * half + 3 * d / STEPS,
        "set": 3 * half,
        "snfs": 2 * half + d,
        "rigl": (17 * 3 * half + 3 * (2 * half + d)) / STEPS,  # updates at 4, 8 and 12
        "l0": 3 * d,  # closed gates are computed with
        "ste": 2 * half + d,
        "ste-random": 2 * half + d,
        "top-kast": 2 * half + (2 * (half - 36) + 36),  # fc2 is dense at this sparsity: it cannot have twice as many
    }
    expected = by_hand.get(method, (sum(steps) + 3 * d * entry.before) / STEPS)
    assert cost["training_as_it_was"] == pytest.approx(expected, rel=1e-12)
    assert (cost["training_dense"], cost["inference_dense"]) == (3 * d, d)
    assert cost["inference"] == result["active"]


def test_papers_formulas_stand_beside_what_was(file, tmp_path):
    d, half = sum(SIZES.values()), sum(SIZES.values()) // 2
    by_formula = lambda method: run(plan_for(file, method), tmp_path / method)["multiply_adds"]["training_by_formula"]
    assert by_formula("dense") == 3 * d
    assert by_formula("set") == by_formula("snip") == by_formula("static") == 3 * half
    assert by_formula("snfs") == 2 * half + d
    assert by_formula("rigl") == (3 * half * 4 + 2 * half + d) / 5
    assert by_formula("gradual") == pytest.approx(flops.pruning_cost(d, half, 3, 15, 20, 1), rel=0.01)
    assert by_formula("lottery") == pytest.approx(3 * d * (1 + 0.5**0.5 + 0.5), rel=0.01)


def test_convolutions_cost_is_counted_at_every_position(file, tmp_path):
    result = run(plan_for(file, "static", model="tiny", sparsity=0.5, distribution="uniform-all"), tmp_path / "a")
    positions = {"conv1.weight": 16, "fc1.weight": 1}
    assert result["multiply_adds"]["inference"] == sum(n * result["layers"][name] for name, n in positions.items())


def test_snip_masks_are_those_of_the_first_batch_by_hand(file, tmp_path):
    plan = plan_for(file, "snip")
    task = prepare(plan)
    run(plan, tmp_path / "a")
    masks = load_state(tmp_path / "a" / "checkpoint.npz").masks
    params = task.model.init(np.random.default_rng(0))
    x, y = next(batches(*task.train_set, BATCH, 0))
    grads = value_and_grad(lambda p: softmax_cross_entropy(task.model(p, x), y), params)[1]
    score = np.concatenate([abs(params[name] * grads[name]).ravel() for name in SIZES])
    kept = np.concatenate([masks[name].ravel() for name in SIZES])
    assert kept.sum() == 234
    assert score[kept].min() >= score[~kept].max()


@pytest.mark.parametrize("dense", [(), ("fc2",)])
def test_snip_truly_sparse_has_the_masks_and_the_weights_of_the_masked_run(file, tmp_path, dense):
    task = prepare(plan_for(file, "snip", storage="sparse", dense=dense))
    masked, own = (_origin(t) for t in (prepare(plan_for(file, "snip", dense=dense)), task))
    assert list(own.masks) == list(masked.masks) == list(task.densities)
    for name, mask in masked.masks.items():
        assert isinstance(own.params[name], sparse.SparseWeight)
        assert (own.masks[name].dense() == mask).all()
    assert all((sparse.dense(own.params[name]) == w).all() for name, w in masked.params.items())
    assert own.key == masked.key

    run(task.plan, tmp_path / "whole")
    with closing(go(task, tmp_path / "parts")) as lines:
        for _ in range(7):
            next(lines)
    run(task.plan, tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_rigls_mnist_densities_have_a_name(file):
    task = prepare(Plan("rigl", data="digits", distribution="rigl-mnist", sparsity=0.98))
    assert task.densities == {"fc1.weight": 0.02, "fc2.weight": 0.118}
    with pytest.raises(ValueError, match="--distribution is 'rigl-mnist', which is for layers"):
        prepare(plan_for(file, "rigl", distribution="rigl-mnist"))


def test_inputs_are_as_they_are_unless_they_are_bytes_or_to_be_standardized(file, tmp_path):
    as_is = prepare(plan_for(file, "dense"))
    with np.load(file) as arrays:
        np.testing.assert_array_equal(as_is.train_set[0], arrays["x"].reshape(50, 36))
        pixels = {"x": (100 * arrays["x"]).astype(np.uint8), "y": arrays["y"]}
    np.savez(tmp_path / "bytes.npz", **pixels)
    assert prepare(plan_for(tmp_path / "bytes.npz", "dense")).train_set[0].max() < 1
    task = prepare(plan_for(file, "dense", standardize=True))
    np.testing.assert_allclose(task.train_set[0].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(task.train_set[0].std(axis=0), 1, atol=1e-5)
    change = (as_is.train_set[0] - task.train_set[0] * as_is.train_set[0].std(axis=0))[0]
    np.testing.assert_allclose(as_is.test_set[0], task.test_set[0] * as_is.train_set[0].std(axis=0) + change, atol=1e-5)


def test_evaluation_is_the_same_in_chunks(file, tmp_path, monkeypatch):
    task = prepare(plan_for(file, "dense", model="tiny"))
    params = task.model.init(np.random.default_rng(0))
    whole = evaluate(task, params)
    monkeypatch.setattr("minisparse.runs.run.CHUNK", 7)
    assert evaluate(task, params)["accuracy"] == whole["accuracy"]
    assert evaluate(task, params)["loss"] == pytest.approx(whole["loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"method": "slim"}, "--method is 'slim'; expected dense, small-dense, static"),
        ({"data": "imagenet"}, "--data is 'imagenet'; expected digits, mnist, .*, mnist-small, or a .npz or .csv file"),
        ({"batch": 51}, "--batch is 51; expected a whole number from 1 to 50"),
        ({"model": "resnet-51"}, "--model is 'resnet-51'"),
        ({"sparsity": 1.0}, "sparsity is 1.0"),
        ({"lr": -1.0}, "lr is -1.0"),
        ({"optimizer": "lion"}, "--optimizer is 'lion'; expected sgd, adam"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"method": "small-dense", "model": "tiny"}, "--width is .* for tiny"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_option(file, tmp_path, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        next(go(prepare(plan_for(file, "rigl")._replace(**change)), tmp_path / "a"))


def test_images_are_asked_for_where_there_are_none(tmp_path):
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).random((20, 4)), y=np.arange(20) % 2)
    with pytest.raises(ValueError, match=r"--model is 'lenet-5', which takes images; an example of .* is \(4,\)"):
        prepare(plan_for(tmp_path / "rows.npz", "dense", model="lenet-5", batch=4))


def test_folders_without_a_run_or_a_checkpoint_are_refused(file, tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        reopen(tmp_path)
    with closing(go(prepare(plan_for(file, "lottery")), tmp_path / "a")) as lines:
        next(lines)
    with pytest.raises(ValueError, match="holds a run without a checkpoint yet"):
        reopen(tmp_path / "a")
