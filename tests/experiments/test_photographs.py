"""The studies on CIFAR-10, on a few made-up photographs: what runs record, that they continue, what rows make of it."""

import json

import numpy as np
import pytest
from effort import some

from minisparse.experiments import louizos_cifar
from minisparse.experiments.rigl import photographs
from minisparse.experiments.studies import running, verdict
from minisparse.runs import prepare

STUDIES = {study.name: study for study in (*photographs.STUDIES, *louizos_cifar.STUDIES)}


def photos(name, directory, split="train"):
    n = {"train": 20, "test": 10}[split]
    drawn = np.random.default_rng(n)
    labels = np.arange(n) % 10
    images = drawn.integers(0, 40, (n, 16, 16, 3)) + 20 * labels[:, None, None, None]
    return images.astype(np.uint8), labels


@pytest.fixture(autouse=True)
def few_photos(monkeypatch):
    monkeypatch.setattr(prepare, "load", photos)
    monkeypatch.setattr(louizos_cifar, "load", photos)
    monkeypatch.setattr(louizos_cifar, "BATCH", 10)


def short(method, sparsity=0.9, **more):
    config = photographs.config(method, sparsity, 0, {"model": "wrn-10-1", "epochs": 2}, **more)
    return config | {"batch": 10, "delta_t": 1, "lr": 0.01}


def stopped_once(function, folder, **config):
    """The result of a run that is interrupted after its first epoch and continued."""
    first = function(data_dir=None, folder=folder, **config)
    next(first)
    first.close()
    *_, result = function(data_dir=None, folder=folder, **config)
    return result


@pytest.mark.long
@pytest.mark.parametrize("method", some(photographs.METHODS, every=3))
def test_every_method_of_the_figure_trains_a_wide_residual_network(tmp_path, method):
    *shares, result = photographs.run(None, tmp_path, **short(method))
    assert shares == [0.5, 1.0]
    assert len(result["error_by_epoch"]) == 2
    assert json.loads(json.dumps(result)) == result
    whole = 77_360  # of 3·3·3·16, three blocks, two shortcuts and 64·10
    weights = sum(result["weights"].values())
    assert weights == whole if method == "dense" else weights < 0.13 * whole


@pytest.mark.long
def test_uniform_keeps_the_first_layer_dense_and_erk_does_not(tmp_path):
    first = {}
    for distribution in ("erk", "uniform"):
        config = short("static", distribution=distribution) | {"epochs": 1}
        *_, result = photographs.run(None, tmp_path / distribution, **config)
        first[distribution] = result["weights"]["conv1.weight"]
    assert first["uniform"] == 3 * 3 * 3 * 16
    assert first["erk"] <= first["uniform"]


@pytest.mark.long
@pytest.mark.parametrize("method", ["rigl", "set"])
def test_a_run_with_crops_continues_bit_for_bit(tmp_path, method):
    *_, whole = photographs.run(None, tmp_path / "whole", **short(method))
    assert stopped_once(photographs.run, tmp_path / "parts", **short(method)) == whole
    with np.load(tmp_path / "whole/checkpoint.npz") as a, np.load(tmp_path / "parts/checkpoint.npz") as b:
        assert all(np.array_equal(a[name], b[name]) for name in a.files)


def test_the_papers_recipe_and_its_scale():
    by_paper = photographs.config("rigl", 0.9, 0, photographs.PAPERS)
    assert by_paper["lr_drops"] == pytest.approx([30_000 / 390, 60_000 / 390, 90_000 / 390], abs=1e-4)
    small = photographs.config("rigl", 0.9, 0, photographs.SMALL)
    assert [250 * drop for drop in small["lr_drops"]] == pytest.approx([10 * n for n in by_paper["lr_drops"]], abs=0.02)
    names = [run.name for run in STUDIES["rigl-cifar-small"].runs(2)]
    assert len(names) == len(set(names))
    assert names.count("dense-seed0") == 1
    assert sum("seed1" in name for name in names) == len(photographs.METHODS) + 1  # 90 % only, and uniform


def made_up(run, error):
    cost = {"training_as_it_was": 2.0, "training_dense": 10.0}
    return {"run": run.name, "seed": run.seed, "config": run.config,
            "result": {"error_last": error, "multiply_adds": cost}}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", ["rigl-cifar", "rigl-cifar-small"])
def test_rows_are_orderings_of_the_last_errors(tmp_path, name):
    study = STUDIES[name]
    assert not any(row.ours([]) for row in study.rows)
    errors = {"rigl": 10.0, "set": 11.0, "static": 12.0, "dense": 9.0}
    runs = [made_up(run, errors.get(run.config["method"], 13.0) + (run.config["distribution"] == "uniform"))
            for run in study.runs(1)]  # fmt: skip
    said = {row.key.split("/")[-1]: (row.ours(runs), verdict(row, row.ours(runs))) for row in study.rows}
    assert said["above-static-90"] == ([2.0], "reached")
    assert said["set-above-static-80"] == ([1.0], "reached")
    assert said["erk-above-uniform-90"] == ([1.0], "reached")
    if name == "rigl-cifar-small":
        assert said["near-dense-80"] == ([1.0], "reached")
    else:
        assert said["rigl-50"] == ([10.0], "missed")
    (path,) = study.figures(runs, tmp_path, None)
    assert path.exists()
    assert study.figures([], tmp_path, None) == []


@pytest.mark.parametrize("kind", ["l0", "dropout", "original"])
def test_gates_are_on_the_first_convolution_of_every_block(kind):
    model = louizos_cifar.network(kind, 10, 1)
    names = [name for name in model.shapes() if name.endswith("log_alpha")]
    blocks = ["group1_1", "group2_1.block", "group3_1.block"]
    assert names == ([f"{block}.conv1.log_alpha" for block in blocks] if kind == "l0" else [])


@pytest.mark.long
@pytest.mark.parametrize("kind", ["l0", "original"])
def test_a_gated_run_continues_bit_for_bit_and_counts_flops(tmp_path, kind):
    config = {"seed": 0, "kind": kind, "depth": 10, "width": 1, "epochs": 2, "lambda_": 50.0 if kind == "l0" else None}
    *_, whole = louizos_cifar.trained(None, tmp_path / "whole", **config)
    assert stopped_once(louizos_cifar.trained, tmp_path / "parts", **config) == whole
    first, *_, last = whole["flops_by_epoch"]
    assert (last < first < whole["flops_dense"]) if kind == "l0" else (last == first == whole["flops_dense"])


def test_the_average_is_that_of_the_parameters_after_each_step():
    descent = louizos_cifar.averaging(louizos_cifar.sgd(0.5))
    params = {"w": np.array([4.0])}
    slots, seen = descent.init(params), []
    for step in range(3):
        params, slots = descent.update(params, {"w": np.array([1.0])}, slots, step)
        seen.append(params["w"])
    weights = [louizos_cifar.BETA**age for age in (2, 1, 0)]
    expected = sum(w * x for w, x in zip(weights, seen, strict=True)) / sum(weights)
    assert slots["average"]["w"] == pytest.approx(expected)


@pytest.mark.long
@pytest.mark.parametrize("name", ["l0-cifar", "l0-cifar-small"])
def test_rows_and_figure_of_l0(tmp_path, name):
    study = STUDIES[name]
    result = {
        "error_last": 4.0,
        "error_by_epoch": [9.0, 4.0],
        "flops_by_epoch": [95.0, 90.0, 60.0],
        "flops_dense": 100.0,
    }
    runs = [{"run": run.name, "seed": 0, "config": run.config,
             "result": result | ({} if run.config["kind"] == "l0" else {"error_last": 4.5})}
            for run in study.runs(1)]  # fmt: skip
    said = {row.key.split("/")[-1]: row.ours(runs) for row in study.rows}
    assert (said["below-dropout"], said["below-original"], said["fewer-flops"]) == ([0.5], [0.5], [100 * (1 - 60 / 95)])
    (path,) = study.figures(runs, tmp_path, None)
    assert path.exists()


def test_a_device_is_passed_to_runs_that_can_use_it_only():
    from minisparse.cli import papers

    study = STUDIES["l0-cifar"]
    run = study.runs(1)[0]
    assert papers._on("cuda", study, run).device == "cuda"
    with pytest.raises(ValueError, match="--device is 'cuda'; expected 'cpu': l0-cifar runs there only"):
        papers._on("cuda", study, run._replace(device=None))


def test_a_runs_device_reaches_its_function(tmp_path):
    seen = {}

    def function(data_dir, device, seed):
        seen["device"] = device
        yield {"done": 1}

    run = running.Run("one-seed0", 0, function, {"seed": 0}, device="cpu")
    list(running.go([(STUDIES["l0-cifar"], run)], 1, tmp_path))
    assert seen == {"device": "cpu"}
