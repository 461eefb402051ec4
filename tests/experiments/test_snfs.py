"""Sparse momentum's studies: what is run, what a run reports, and rows and figures upon made-up results."""

import numpy as np
import pytest

from minisparse.data import as_inputs, load
from minisparse.experiments import snfs
from minisparse.experiments.studies import Data, verdict

SIZES = {"fc1.weight": 235_200, "fc2.weight": 30_000, "fc3.weight": 1000}


@pytest.fixture
def digits(monkeypatch):
    train, test = (load("digits", split=split) for split in ("train", "test"))
    small = lambda shape: Data(*((as_inputs(x).reshape(-1, *shape), y) for x, y in (train, test, test)))
    asked = []
    monkeypatch.setattr(snfs, "mnist", lambda data_dir, shape, **settings: asked.append(settings) or small(shape))
    return asked


def result_of(method, density, epochs=3, network="lenet-300-100", **settings):
    *shares, result = snfs.trained(0, network, method, density, epochs, 10_000, **settings)
    assert all(0 < share <= 1 for share in shares)
    return result


def made_up(method, density, error, seed=0, network="lenet-300-100"):
    config = {"network": network, "method": method, "density": density, "seed": seed}
    return {"seed": seed, "config": config, "result": {"error_last": error}}


@pytest.mark.long
@pytest.mark.parametrize("method", snfs.METHODS)
def test_every_method_learns_and_keeps_its_number_of_weights(digits, method):
    density = 1.0 if method == "dense" else 0.1
    result = result_of(method, density, 8)
    assert result["error_last"] < 40
    assert sum(result["weights"].values()) == round(density * 266_200)
    assert len(result["error_by_epoch"]) == 8
    assert digits == [{"validation": 6000, "standardize": True}]


def test_sparse_momentum_starts_alike_everywhere_and_moves_weights_between_layers(digits):
    assert result_of("snfs", 0.1, 1)["weights"] == {name: size // 10 for name, size in SIZES.items()}
    moved = result_of("snfs", 0.1, 3)["weights"]
    assert moved["fc3.weight"] > 200
    assert sum(moved.values()) == 26_620


def test_set_and_a_static_mask_start_as_sets_paper_has_it(digits):
    assert result_of("set", 0.1, 1)["weights"] == result_of("static", 0.1, 1)["weights"]
    assert result_of("static", 0.1, 1)["weights"]["fc3.weight"] == 1000


def test_the_learning_rate_falls_to_a_tenth(digits):
    falling = next(r for r in snfs.trained(0, "lenet-300-100", "static", 0.1, 2, 15) if isinstance(r, dict))
    steady = result_of("static", 0.1, 2)
    assert falling["error_by_epoch"][0] == steady["error_by_epoch"][0]
    assert falling["error_by_epoch"][1] != steady["error_by_epoch"][1]


@pytest.mark.long
def test_convolutions_are_sparse_too(digits):
    assert result_of("snfs", 0.1, 1, "lenet-5")["weights"]["conv1.weight"] == 50


def test_weights_and_biases_begin_between_pytorchs_bounds():
    rng = np.random.default_rng(0)
    params = snfs.with_pytorch_biases(snfs.NETWORKS["lenet-5"][0].init(rng), rng)
    for layer, fan in {"conv1": 25, "conv2": 500, "fc1": 800, "fc2": 500}.items():
        for name in ("weight", "bias"):
            values = params[f"{layer}.{name}"]
            assert 0.6 / fan**0.5 < abs(values).max() <= 1 / fan**0.5
            assert values.dtype == np.float32


def test_runs_are_named_by_method_and_density_and_none_twice():
    assert len(snfs.densities("lenet-300-100")(3)) == 24
    names = [run.name for run in snfs.methods()(2)]
    assert names[:4] == ["dense-100-seed0", "snfs-1-seed0", "set-1-seed0", "static-1-seed0"]
    assert len(set(names)) == len(names) == 38
    for run in snfs.densities("lenet-5")(1):
        assert run.config["epochs"] == 20


def test_the_learning_rate_of_lenet_5_falls_as_late_in_its_shorter_run():
    (epochs, period), (few, soon) = (snfs.LENGTHS[name] for name in ("lenet-300-100", "lenet-5"))
    assert period / epochs == soon / few


def test_rows_read_the_runs_of_their_own_density_and_method():
    runs = [made_up("snfs", 0.02, 1.9, 1), made_up("snfs", 0.02, 2.0, 0), made_up("snfs", 0.01, 3.0)]
    rows = {row.key: row for study in snfs.STUDIES for row in study.rows}
    assert rows["snfs/lenet-300-100/2"].ours(runs) == [2.0, 1.9]
    assert rows["snfs/lenet-300-100/1.5"].ours(runs) == rows["snfs/lenet-5/2"].ours(runs) == []
    assert [verdict(rows[f"snfs/lenet-300-100/{d}"], rows[f"snfs/lenet-300-100/{d}"].ours(runs)) for d in (1, 2)] == [
        "missed",
        "reached",
    ]
    runs = [made_up("set", 0.1, 1.5), made_up("snfs", 0.1, 1.4), made_up("dense", 1.0, 1.3)]
    table = [rows[f"snfs/table/{name}"] for name in ("set-10", "snfs-10", "dense-100")]
    assert [row.ours(runs) for row in table] == [[1.5], [1.4], [1.3]]
    assert [row.paper for row in table] == [1.61, 1.33, 1.31]


@pytest.mark.long
def test_figures_are_drawn_as_soon_as_a_sparse_run_is_there(tmp_path):
    assert snfs.figures("table", [made_up("dense", 1.0, 1.3)], tmp_path, None) == []
    runs = [made_up("dense", 1.0, 1.3), made_up("snfs", 0.01, 2.4)]
    assert [path.name for path in snfs.figures("table", runs, tmp_path, None)] == ["error_against_density_methods.png"]
    runs = [made_up("snfs", density, 2.0, seed) for density in snfs.PAPER["lenet-5"] for seed in (0, 1)]
    assert [path.name for path in snfs.figures("lenet-5", runs, tmp_path, None)] == [
        "error_against_density_lenet_5.png"
    ]
