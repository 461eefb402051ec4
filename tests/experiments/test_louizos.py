"""L0's studies: what a run reports, the closed forms, and rows and figures upon made-up results."""

import numpy as np
import pytest

from minisparse.data import as_inputs, load
from minisparse.experiments import louizos
from minisparse.experiments.studies import Data, verdict
from minisparse.methods import l0


@pytest.fixture
def digits(monkeypatch):
    train, test = (load("digits", split=split) for split in ("train", "test"))
    small = lambda shape: Data(*((as_inputs(x).reshape(-1, *shape), y) for x, y in (train, test, test)))
    monkeypatch.setattr(louizos, "mnist", lambda data_dir, shape: small(shape))


def result_of(network, lambda_, epochs, **settings):
    *shares, result = louizos.gated(0, network, lambda_, epochs, **settings)
    assert all(0 < share <= 1 for share in shares)
    return result


def made_up(network, seed, name, gates, **errors):
    line = louizos.TABLE_1[network][name]
    result = {"error_last": 2.0, "error_best": 1.9, "averaged_last": 1.7, "averaged_best": 1.6} | errors
    result |= {"architecture": [1] * len(gates), "averaged_architecture": list(gates)}
    result |= {
        "expected_flops_by_epoch": [5e5, 4e5, 3e5],
        "averaged_by_epoch": [3.0, 1.7],
        "error_by_epoch": [4.0, 2.0],
    }
    return {"seed": seed, "config": {"lambda_": line.lambda_, "network": network}, "result": result}


def rows_of(name):
    return {row.key: row for study in louizos.STUDIES if study.name == name for row in study.rows}


@pytest.mark.long
def test_a_run_learns_and_closes_gates_when_that_is_cheap(digits):
    result = result_of("lenet-300-100", 0.1, 12, rate=2e-2)
    assert result["averaged_last"] < 50
    assert len(result["error_by_epoch"]) == len(result["averaged_by_epoch"]) == 12
    assert len(result["expected_flops_by_epoch"]) == 13
    assert result["expected_flops_by_epoch"][0] == pytest.approx(499_340, rel=0.01)
    assert result["expected_flops_by_epoch"][-1] < 0.7 * result["expected_flops_by_epoch"][0]
    assert result["architecture"][0] < 784
    assert result["error_best"] == min(result["error_by_epoch"]) <= result["error_by_epoch"][-1] == result["error_last"]


@pytest.mark.long
def test_a_layer_that_costs_much_loses_more_gates_than_one_that_costs_nothing(digits):
    result = result_of("lenet-300-100", {"fc1": 0.0, "fc2": 30.0, "fc3": 0.0}, 6, rate=5e-2)
    assert result["architecture"][0] > 700
    assert result["architecture"][1] < 30
    assert result["architecture"][2] > 80


@pytest.mark.long
def test_averages_trail_the_parameters(digits):
    result = result_of("lenet-300-100", 30.0, 2, beta=0.999)
    assert result["averaged_by_epoch"] != result["error_by_epoch"]
    alike = result_of("lenet-300-100", 30.0, 2, beta=0.0)
    assert alike["averaged_by_epoch"] == alike["error_by_epoch"] == result["error_by_epoch"]


@pytest.mark.long
def test_convolutions_take_images(digits):
    result = result_of("lenet-5", louizos.TABLE_1["lenet-5"]["lambda-sep"].lambda_, 1)
    assert list(map(len, (result["architecture"], result["weights"]))) == [4, 4]
    assert result["expected_flops_by_epoch"][0] == pytest.approx(3_814_736, rel=0.01)


def test_closed_forms_are_reached_without_a_run():
    rows = rows_of("l0-gates").values()
    assert len(rows) == 4
    assert [verdict(row, row.ours([])) for row in rows] == ["reached"] * 4


def test_the_ends_mass_is_that_of_many_gates():
    u = np.random.default_rng(0).uniform(1e-9, 1 - 1e-9, 200_000)
    z = l0.gate(np.zeros(200_000), u, beta=0.5)
    assert louizos.ends(0.5) == pytest.approx(((z == 0) | (z == 1)).mean(), abs=0.005)
    z = l0.gate(np.full(200_000, l0.log_alpha_of(0.2)), u)
    assert louizos.open_at(0.2) == pytest.approx((z > 0).mean(), abs=0.005)


@pytest.mark.parametrize(("log_alpha", "beta"), [(0.0, 0.5), (0.7, 2 / 3), (-1.0, 1.5)])
def test_the_density_is_that_of_many_samples(log_alpha, beta):
    u = (np.arange(1_000_000) + 0.5) / 1_000_000
    s = 1 / (1 + np.exp(-(np.log(u) - np.log1p(-u) + log_alpha) / beta))
    counts, edges = np.histogram(s, bins=50, range=(0.05, 0.95))
    middles = (edges[1:] + edges[:-1]) / 2
    assert louizos.stretched_density(middles, log_alpha, beta) == pytest.approx(counts / 1e6 / np.diff(edges), rel=0.02)


def test_every_seed_is_run_with_one_penalty_and_with_one_for_every_layer():
    runs = louizos.runs("lenet-5")(2)
    assert [run.name for run in runs] == ["lambda-seed0", "lambda-sep-seed0", "lambda-seed1", "lambda-sep-seed1"]
    assert [run.config["seed"] for run in runs] == [run.seed for run in runs] == [0, 0, 1, 1]
    assert runs[1].config["lambda_"] == {"conv1": 10, "conv2": 0.5, "fc1": 0.1, "fc2": 10}


def test_rows_read_the_runs_of_their_own_penalty():
    runs = [made_up("lenet-300-100", 1, "lambda", (230, 190, 99), averaged_last=1.5)]
    runs += [made_up("lenet-300-100", 0, "lambda", (220, 210, 100), averaged_last=1.3)]
    runs += [made_up("lenet-300-100", 0, "lambda-sep", (300, 90, 30))]
    rows = rows_of("l0-lenet-300-100")
    ours = {key.removeprefix("louizos/lenet-300-100/"): list(row.ours(runs)) for key, row in rows.items()}
    assert ours["lambda/averaged-last"] == [1.3, 1.5]
    assert ours["lambda/error-best"] == [1.9, 1.9]
    assert (ours["lambda/fc1"], ours["lambda/fc2"], ours["lambda/fc3"]) == ([220, 230], [210, 190], [100, 99])
    assert (ours["lambda-sep/fc1"], ours["lambda-sep/fc3"]) == ([300], [30])
    said = {key: verdict(row, row.ours(runs)) for key, row in rows.items()}
    assert said["louizos/lenet-300-100/lambda-sep/fc1"] == "missed"
    assert said["louizos/lenet-300-100/lambda-sep/fc3"] == "reached"


def test_lenet_5_is_judged_by_the_parameters_as_they_are():
    runs = [made_up("lenet-5", 0, "lambda", (20, 25, 45, 462))]
    assert rows_of("l0-lenet-5")["louizos/lenet-5/lambda/fc2"].ours(runs) == [1]


@pytest.mark.long
def test_a_study_that_has_not_begun_has_no_figure_but_the_distribution_has(tmp_path):
    drawn = {study.name: study.figures([], tmp_path, None) for study in louizos.STUDIES}
    assert [path.name for path in drawn["l0-gates"]] == ["hard_concrete.png"]
    assert drawn["l0-lenet-300-100"] == drawn["l0-lenet-5"] == []


@pytest.mark.long
def test_training_is_drawn_with_what_there_is(tmp_path):
    runs = [made_up("lenet-300-100", seed, "lambda", (220, 210, 100)) for seed in (0, 1)]
    (path,) = louizos.figures("lenet-300-100", runs, tmp_path, None)
    assert path.name == "l0_training_lenet_300_100.png"
    svg = path.with_suffix(".svg").read_text()
    runs += [made_up("lenet-300-100", 0, "lambda-sep", (300, 90, 30))]
    assert louizos.figures("lenet-300-100", runs, tmp_path, None) == [path]
    assert path.with_suffix(".svg").read_text() != svg
