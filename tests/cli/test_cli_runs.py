"""`minisparse train`, `compare`, `evaluate`, `inspect` and `export` as a person meets them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import strict
from command_line import HEARS_CTRL_C, QUICK, said
from effort import some
from slow_methods import slow_remove_dead_units
from typer.testing import CliRunner

from minisparse import nn
from minisparse.cli import app, results
from minisparse.cli.tables import console
from minisparse.files import LOCK, alone_in
from minisparse.looks import Look
from minisparse.models import pytorch as exchange
from minisparse.runs.folder import load_state, metrics
from minisparse.runs.methods import BUDGET, GROUPS, METHODS, STATIC, Entry
from minisparse.runs.prepare import prepare
from minisparse.runs.run import evaluate, plan_of, reopen
from minisparse.sparse import Positions, SparseWeight


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setattr(console, "width", 200)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "rigl"
    said("train", *QUICK, "--out", out)
    return out


@pytest.mark.long
def test_train_leaves_a_run_with_its_figure(finished):
    assert {path.name for path in finished.iterdir()} - {LOCK} == {
        "config.json", "metrics.jsonl", "checkpoint.npz", "result.json", "loss_and_accuracy.png",
        "loss_and_accuracy.svg",
    }  # fmt: skip
    config = json.loads((finished / "config.json").read_text())
    assert (config["method"], config["data"]["name"], config["data"]["train"]) == ("rigl", "digits", 1500)
    assert [line["step"] for line in metrics(finished) if line["rewired"]] == [10, 20, 30]


@pytest.mark.long
def test_train_prints_what_came_out_and_the_error_of_it(tmp_path):
    words = said("train", *QUICK, "--out", tmp_path / "a")
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    for word in ("45 batches", f"{result['test_accuracy']:.2%}", "80.00%", "297 test examples", "standard error"):
        assert word in words
    assert str((tmp_path / "a" / "loss_and_accuracy.png").resolve()) in words


@pytest.mark.long
def test_a_finished_run_is_said_to_be_finished(finished):
    before = (finished / "metrics.jsonl").read_bytes()
    assert "which holds this run, finished" in said("train", *QUICK, "--out", finished)
    assert (finished / "metrics.jsonl").read_bytes() == before


@pytest.mark.long
def test_a_stopped_run_says_how_to_go_on_and_goes_on_to_the_last_bit(tmp_path, finished, monkeypatch):
    seen = []

    def once(task, params):
        seen.append(params)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return evaluate(task, params)

    monkeypatch.setattr("minisparse.runs.run.evaluate", once)
    out = tmp_path / "b"
    words = said("train", *QUICK, "--out", out, status=130)
    assert f"minisparse train --resume --out {out}" in words
    assert len(metrics(out)) == load_state(out / "checkpoint.npz").number == 29
    with pytest.raises(ValueError, match="not finished: continue it with --resume"):
        said("train", *QUICK, "--out", out)
    with pytest.raises(ValueError, match=r"--sparsity is 0\.7, and 0\.8 in .*b, the run to continue"):
        said("train", "--resume", "--out", out, "--sparsity", "0.7")
    said("train", "--resume", "--out", out, "--sparsity", "0.8")  # its other options are known there
    assert (out / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()
    with np.load(out / "checkpoint.npz") as ours, np.load(finished / "checkpoint.npz") as others:
        assert all(ours[name].tobytes() == others[name].tobytes() for name in others)


@pytest.mark.long
def test_a_truly_sparse_run_goes_on_to_the_last_bit_and_every_command_reads_it(tmp_path, monkeypatch):
    sparse = (*QUICK, "--storage", "sparse", "--method", "rigl")
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    said("train", *sparse, "--out", whole)
    seen = []

    def once(task, params):
        seen.append(params)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return evaluate(task, params)

    with monkeypatch.context() as patch:
        patch.setattr("minisparse.runs.run.evaluate", once)
        said("train", *sparse, "--out", out, status=130)
    said("train", "--resume", "--out", out)
    assert (out / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    with np.load(out / "checkpoint.npz") as ours, np.load(whole / "checkpoint.npz") as others:
        assert all(ours[name].tobytes() == others[name].tobytes() for name in others)

    result, masks = json.loads((out / "result.json").read_text()), load_state(out / "checkpoint.npz").masks
    assert f"{result['test_accuracy']:.2%}" in said("evaluate", out)
    assert f"{masks.active:,}" in said("inspect", out)
    said("export", out, "--to", "npz", "--out", tmp_path / "a")
    (exported,) = tmp_path.glob("a*")
    with np.load(exported) as file:
        for name, mask in masks.items():
            assert (file[f"{name}.mask"] == mask.dense()).all()
            assert not file[name][~mask.dense()].any()


@pytest.mark.long
@pytest.mark.parametrize("storage", ["masked", "sparse"])
def test_a_run_on_another_device_is_read_by_every_command(tmp_path, monkeypatch, storage):
    here, there = (tmp_path / name for name in ("here", "there"))
    said("train", *QUICK, "--storage", storage, "--out", here)
    monkeypatch.setitem(sys.modules, "cupy", strict)
    said("train", *QUICK, "--storage", storage, "--device", "cuda", "--out", there)
    accuracies = [json.loads(said("evaluate", out, "--json"))["accuracy"] for out in (here, there)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=1 / 297)
    assert said("inspect", here, "--json") == said("inspect", there, "--json")
    for out in (here, there):
        said("export", out)
    arrays = [exchange.load(out / "weights.npz") for out in (here, there)]
    assert all(np.abs(arrays[0][name] * 1.0 - arrays[1][name]).max() < 1e-5 for name in arrays[0])


@pytest.mark.long
def test_inspect_counts_the_dead_units_of_a_truly_sparse_run(tmp_path, monkeypatch):
    run = ("--model", "mlp-40-30", "--epochs", "1", "--method", "static", "--storage", "sparse", "--sparsity", "0.97")
    said("train", *run, "--out", tmp_path / "a")
    masks = {name: mask.dense() for name, mask in load_state(tmp_path / "a" / "checkpoint.npz").masks.items()}
    for kind in (Positions, SparseWeight):
        monkeypatch.delattr(kind, "dense")
    layers = json.loads(said("inspect", tmp_path / "a", "--json"))["layers"]
    alive = slow_remove_dead_units(masks, list(masks))
    dead = [int((~mask.any(axis=0)).sum()) for mask in alive.values()]
    assert [layer["dead_units"] for layer in layers] == [*dead[:-1], 0]
    assert min(dead[:-1]) > 0
    for layer, mask in zip(layers, masks.values(), strict=True):
        assert layer["active"] == mask.sum()
        assert layer["density"] == pytest.approx(mask.mean())
        assert layer["inputs_unread"] == (~mask.any(axis=1)).sum()
        assert layer["outputs_unfed"] == (~mask.any(axis=0)).sum()
    assert f"{dead[0]:,}" in said("inspect", tmp_path / "a").split()


@pytest.mark.long
def test_snfs_is_refused_truly_sparse_with_the_reason(tmp_path):
    command = ("train", "--sparsity", "0.8", "--storage", "sparse", "--method", "snfs", "--out", str(tmp_path / "a"))
    code = "from minisparse.cli import main; main()"
    child = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert child.returncode == 2
    assert "a dense array by definition: it cannot be stored truly sparse" in " ".join(child.stderr.split())


@pytest.mark.long
def test_ctrl_c_leaves_a_run_that_goes_on(tmp_path):
    code = f"{HEARS_CTRL_C}from minisparse.cli import main; main()"
    out = tmp_path / "a"
    command = [sys.executable, "-c", code, "train", "--model", "mlp-16", "--epochs", "5000", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ})
    deadline = time.monotonic() + 60
    while not (out / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    words, _ = process.communicate(timeout=60)
    assert process.returncode == 130, words
    assert "--resume" in words
    assert "Traceback" not in words
    assert load_state(out / "checkpoint.npz").number == len(metrics(out)) > 0


def refused(*arguments):
    """The sentence with which a process of its own ends with status 2."""
    command = [sys.executable, "-c", "from minisparse.cli import main; main()", *map(str, arguments)]
    child = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "300"})
    assert child.returncode == 2, child.stderr
    assert "Traceback" not in child.stderr
    return child.stderr


@pytest.mark.long
@pytest.mark.parametrize(("command", "held"), some([("train", "."), ("compare", "."), ("compare", "rigl")], every=2))
def test_a_folder_in_which_another_process_is_at_work_is_refused_with_both(tmp_path, command, held):
    method = ("--method", "rigl", *QUICK, "--out", tmp_path)
    with alone_in(tmp_path / held):
        words = refused(command, *method)
    assert f"{tmp_path / held} is in use by process {os.getpid()} on " in words
    assert not list(tmp_path.rglob("*.json"))
    said(command, *method)


@pytest.mark.long
def test_a_second_process_cannot_go_on_with_a_run_until_the_first_has_died(tmp_path):
    out = tmp_path / "a"
    code = "from minisparse.cli import main; main()"
    command = ["train", "--model", "mlp-16", "--epochs", "5000", "--out", str(out)]
    process = subprocess.Popen([sys.executable, "-c", code, *command], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (out / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    for options in (command, [*command, "--resume"]):
        assert f"{out} is in use by process {process.pid} on " in refused(*options)
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL
    assert "not finished: continue it with --resume" in refused(*command)
    with alone_in(out):
        assert load_state(out / "checkpoint.npz").number > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--method", "static", "--alpha", "0.2"], "--alpha is given for static; it is for rigl-random, rigl, srigl"),
        (["--method", "dense", "--sparsity", "0.8"], "--sparsity is given for dense; it is for small-dense, static"),
        (["--method", "slim"], "--method is 'slim'; expected dense"),
        (["--lr-drops", "ten"], "--lr-drops is 'ten'; expected numbers such as 25,40"),
        (["--resume"], "--resume is given without --out"),
        (["--data", "nowhere.npz"], "nowhere.npz"),
    ],
)
def test_refusals_name_the_option(arguments, sentence):
    with pytest.raises((ValueError, OSError), match=sentence):
        said("train", *arguments)


@pytest.mark.long
def test_a_loss_that_is_no_number_is_one_sentence(tmp_path):
    code = "from minisparse.cli import main; main()"
    command = [sys.executable, "-c", code, "train", "--model", "mlp-16", "--lr", "1e6", "--out", str(tmp_path / "a")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "try a smaller learning rate" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["train", "compare"])
def test_help_has_groups_symbols_defaults_and_every_method(command):
    words = CliRunner(env={"COLUMNS": "300", "TERMINAL_WIDTH": "300"}).invoke(app, [command, "--help"]).output
    words = re.sub(r"[│\s]+", " ", words)
    for word in ("What to train", "Sparsity", "Learning", "For some methods", "The run"):
        assert word in words
    for word in ("S, fraction", "η", "λ", "α", "ΔT", "T_end", "ζ", "λ₀", "[default: 0.9]", "[default: erk]", "digits"):
        assert word in words
    assert all(f"{method} (" in words for method in METHODS)


ALL = ("compare", *QUICK, "--epochs", "2", "--rounds", "1")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The folder of all methods compared, and what was printed."""
    out = tmp_path_factory.mktemp("compared") / "all"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "width", 200)
        return out, said(*ALL, "--out", out)


@pytest.mark.long
def test_compare_has_a_row_a_point_and_a_folder_for_every_method(compared):
    out, words = compared
    report = json.loads((out / "compare.json").read_text())
    assert list(report["runs"]) == list(METHODS)
    for method, found in report["runs"].items():
        assert found["method"] == method
        assert (found["seed"], found["epochs"]) == (0, 2)
        assert found["result"] == json.loads((out / method / "result.json").read_text())
        assert f"{found['result']['test_accuracy']:.2%}" in words
    picture = (out / "accuracy_against_cost.svg").read_text()
    for label in (*(entry.look.label for entry in METHODS.values()), *GROUPS):
        assert f"<!-- {label} -->" in picture


@pytest.fixture
def new(monkeypatch):
    """A method that is in the table of methods and nowhere else; sparse masks that it makes itself."""
    masks = lambda task, params, rng: {name: rng.random(task.model.shapes()[name]) < 0.5 for name in task.densities}
    entry = Entry("half of all weights", Look("the new one", "#FF00FF", "p"), STATIC, BUDGET, masks=masks)
    monkeypatch.setitem(METHODS, "half", entry)
    return entry


@pytest.mark.long
def test_a_new_method_trains_by_its_name_and_entry_alone(tmp_path, new):
    words = said("train", *QUICK[:4], "--method", "half", "--out", tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert f"half {result['test_accuracy']:.2%}" in re.sub(r" +", " ", words)
    assert result["active"] == pytest.approx(result["weights"] / 2, rel=0.05)
    assert (tmp_path / "loss_and_accuracy.png").exists()
    with pytest.raises(ValueError, match="--alpha is given for half; it is for rigl-random, rigl"):
        said("train", "--method", "half", "--alpha", "0.1")


@pytest.mark.long
def test_a_new_method_is_compared_with_all_others_in_the_picture_too(tmp_path, compared, new):
    out = shutil.copytree(compared[0], tmp_path / "all")  # of the others every run is finished
    said(*ALL, "--out", out)
    assert list(json.loads((out / "compare.json").read_text())["runs"]) == [*METHODS]
    picture = (out / "accuracy_against_cost.svg").read_text()
    for entry in METHODS.values():
        assert f"<!-- {entry.look.label} -->" in picture
    assert new.look.colour.lower() in picture


@pytest.mark.long
def test_an_interrupted_comparison_repeats_no_run_that_is_finished(tmp_path):
    some = ("--method", "static", "--method", "rigl")
    with pytest.raises(ValueError, match="--delta-t is given for static; it is for dsr, rigl-random, rigl"):
        said("compare", *QUICK, *some[:2], "--out", tmp_path)
    said("compare", *QUICK[:4], *QUICK[6:], *some[:2], "--out", tmp_path)
    before = (tmp_path / "static" / "checkpoint.npz").stat().st_mtime_ns
    said("compare", *QUICK, *some, "--jobs", "2", "--out", tmp_path)
    assert (tmp_path / "static" / "checkpoint.npz").stat().st_mtime_ns == before
    assert list(json.loads((tmp_path / "compare.json").read_text())["runs"]) == ["static", "rigl"]


def test_compare_leaves_out_the_small_network_where_there_is_none(tmp_path, monkeypatch):
    asked = []
    for model in ("alexnet", "lenet-300-100", "lenet-5", "mlp-3"):
        asked.clear()
        monkeypatch.setattr("minisparse.cli.training.prepare", lambda plan, data_dir: asked.append(plan.method))
        with pytest.raises(AttributeError):
            said("compare", "--model", model, "--out", tmp_path)
        assert ("small-dense" in asked) == (model != "alexnet")


@pytest.mark.long
def test_evaluate_agrees_with_the_run(finished):
    result = json.loads((finished / "result.json").read_text())
    seen = json.loads(said("evaluate", finished, "--json"))
    assert (seen["accuracy"], seen["loss"]) == (result["test_accuracy"], result["test_loss"])
    assert f"accuracy {seen['accuracy']:.2%} ±" in said("evaluate", finished)


def test_inspect_counts_what_the_masks_hold(finished):
    masks = load_state(finished / "checkpoint.npz").masks
    fc1, fc2 = json.loads(said("inspect", finished, "--json"))["layers"]
    assert (fc1["active"], fc2["active"]) == tuple(masks.counts.values())
    assert fc1["density"] == masks.counts["fc1.weight"] / (784 * 16)
    assert fc1["inputs_unread"] == sum(not row.any() for row in masks["fc1.weight"])
    assert fc2["outputs_unfed"] == sum(not column.any() for column in masks["fc2.weight"].T)
    pairs = zip(masks["fc1.weight"].T, masks["fc2.weight"], strict=True)
    assert fc1["dead_units"] == sum(not (into.any() and out.any()) for into, out in pairs)
    assert "784×16" in said("inspect", finished)


@pytest.mark.long
def test_inspect_finds_dead_units_behind_dead_units(tmp_path):
    out = tmp_path / "deep"
    said("train", "--model", "mlp-30-20-10", "--sparsity", "0.995", "--epochs", "1", "--method", "static", "--out", out,
         "--distribution", "uniform-all")  # fmt: skip
    masks = load_state(out / "checkpoint.npz").masks
    layers = json.loads(said("inspect", out, "--json"))["layers"]
    reached, units = np.ones(784, bool), []
    for mask in masks.values():
        reached = (mask & reached[:, None]).any(axis=0)
        units.append(reached)
    needed = np.ones(10, bool)
    for layer, mask, fed in zip(layers[:0:-1], list(masks.values())[:0:-1], units[-2::-1], strict=True):
        needed = (mask & needed).any(axis=1)
        before = layers[layers.index(layer) - 1]
        assert before["dead_units"] == (~(fed & needed)).sum() > 0


def test_inspect_of_branches_and_depthwise_layers_counts_each_layer_alone(tmp_path):
    model = nn.Chain({"depthwise": nn.DepthwiseConv2d(4, 3), "conv1": nn.Conv2d(4, 2, 1)})
    first, second = nn.sites(model, (5, 5, 4))
    mask = np.ones((3, 3, 4, 1), bool)
    mask[:, :, 2] = False
    link = results._link(first, mask)
    assert link.shape == (4, 4)
    assert (~link.any(axis=1)).tolist() == (~link.any(axis=0)).tolist() == [False, False, True, False]
    assert results._dead(model, {first.name: mask, second.name: np.ones((1, 1, 4, 2), bool)}) is None


def test_export_gives_weights_and_masks_as_they_are(finished):
    said("export", finished)
    state, arrays = load_state(finished / "checkpoint.npz"), exchange.load(finished / "weights.npz")
    assert set(arrays) == set(state.params) | {f"{name}.mask" for name in state.masks}
    for name, mask in state.masks.items():
        np.testing.assert_array_equal(arrays[f"{name}.mask"], mask)
        np.testing.assert_array_equal(arrays[name], state.params[name])
    (finished / "weights.npz").unlink()


@pytest.mark.long
@pytest.mark.parametrize(
    ("to", "ending", "library"), [("safetensors", "safetensors", "safetensors"), ("torch", "pt", "torch")]
)
@pytest.mark.parametrize("method", some(["rigl", "l0"], every=2))
def test_export_to_pytorch_comes_back_and_computes_the_same(tmp_path, method, to, ending, library):
    pytest.importorskip(library)
    options = QUICK[:4] if method == "l0" else QUICK
    said("train", "--method", method, *options, "--out", tmp_path)
    said("export", tmp_path, "--to", to, "--out", tmp_path / "for-you")
    task, state = reopen(tmp_path)
    plain = prepare(plan_of(tmp_path)._replace(method="dense"))
    params, stats = exchange.from_torch(plain.model, exchange.load(tmp_path / f"for-you.{ending}"), (28, 28, 1))
    assert stats == {}
    assert evaluate(plain, params)["loss"] == pytest.approx(evaluate(task, state.params)["loss"], rel=1e-5)


def test_export_to_something_else_is_refused(finished):
    with pytest.raises(ValueError, match="--to is 'onnx'; expected npz, safetensors, torch"):
        said("export", finished, "--to", "onnx")


@pytest.mark.long
def test_your_own_csv_trains(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["species,a,b,c"]
    for _ in range(90):
        kind = rng.integers(3)
        rows.append(
            ",".join([("setosa", "iris", "rose")[kind], *map(str, rng.standard_normal(3) + 4 * np.eye(3)[kind])])
        )
    (tmp_path / "mine.csv").write_text("\n".join(rows))
    said("train", "--data", tmp_path / "mine.csv", "--label", "species", "--model", "mlp-20", "--sparsity", "0.5",
         "--batch", "12", "--epochs", "30", "--standardize", "--out", tmp_path / "run")  # fmt: skip
    assert json.loads((tmp_path / "run" / "result.json").read_text())["test_accuracy"] > 0.9
