"""RigL's studies beyond its picture, on the digits: what runs record, what rows make of it, which figures come."""

import json

import numpy as np
import pytest

from minisparse import data, nn, ops, recipes
from minisparse.experiments import studies
from minisparse.experiments.rigl import MODEL, Recipe, budget, epochs, escape, sweeps, table
from minisparse.experiments.studies import measures
from minisparse.masks import Masks
from minisparse.methods.magnitude import remove_dead_units
from minisparse.models.shrink import Compact
from minisparse.optim import Optimizer
from minisparse.runs import prepare

SHORT = Recipe(45, 0.05, (25,), (20,), 0.3, 5, 30)  # three epochs of the digits
MODULES = (table, budget, escape, sweeps)
STUDIES = {study.name: study for module in MODULES for study in module.STUDIES}


@pytest.fixture(autouse=True)
def digits(monkeypatch):
    read = lambda name, directory, split="train": data.load("digits", split=split)
    for module in (measures, prepare):
        monkeypatch.setattr(module, "load", read)


def result_of(run):
    *shares, result = run
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert json.loads(json.dumps(result)) == result
    return result


def finished(study, make):
    return [
        {"study": study.name, "run": r.name, "seed": r.seed, "config": r.config, "result": make(r)}
        for r in study.runs(study.seeds)
    ]


def rows(study, runs):
    return {row.key.partition("/")[2]: row.ours(runs) for row in study.rows}


def test_table_2_starts_rigl_plus_from_what_survives():
    result = result_of(table.run(None, 0, 0.96, **SHORT._replace(sparsity=0.99).numbers))
    first, second = result["rigl"], result["rigl_plus"]
    assert first["weights"] == {"fc1.weight": 2352, "fc2.weight": 3270, "fc3.weight": 1000}
    widths = [int(n) for n in first["architecture"].split("-")]
    assert all(0 < n <= m for n, m in zip(widths, (784, 300, 100), strict=True))
    assert widths[0] < 784
    # 4 % of what is left of fc1 and 13.6 % of fc2, the last layer dense
    sizes = widths[0] * widths[1], widths[1] * widths[2], widths[2] * 10
    wanted = [round(share * size) for share, size in zip((0.04, 0.136, 1), sizes, strict=True)]
    expected = [min(n, own) for n, own in zip(wanted, first["surviving"].values(), strict=True)]
    assert list(second["weights"].values()) == pytest.approx(expected, abs=1)
    assert all(int(n) <= m for n, m in zip(second["architecture"].split("-"), widths, strict=True))
    for stage in (first, second):
        kept = stage["surviving"].values()
        units = [int(n) for n in stage["architecture"].split("-")]
        full = [n * m for n, m in zip(units, [*units[1:], 10], strict=True)]
        assert stage["kflops"] == 2 * sum(kept) / 1e3
        assert stage["sparsity"] == pytest.approx(1 - sum(kept) / sum(full))
        masks = sum(size / 8 for n, size in zip(kept, full, strict=True) if n < size)
        assert stage["bytes"] == pytest.approx(4 * (sum(kept) + sum(units[1:]) + 10) + masks)
        assert len(stage["error_by_epoch"]) == len(stage["loss_by_epoch"]) == 3
        assert stage["error_best"] == min(stage["error_by_epoch"])
        assert stage["error_last"] == stage["error_by_epoch"][-1]
        assert stage["loss_by_epoch"][-1] < stage["loss_by_epoch"][0]


def test_rigl_plus_goes_on_with_the_heaviest_connections_of_a_layer():
    mask = np.array([[1, 1, 0, 1], [0, 1, 1, 1]], bool)
    weight = np.array([[3.0, -5, 0, 0.5], [0, 1, -2, 0]]) * mask
    small = Compact(nn.mlp(2, 4), {"fc1.weight": weight}, Masks({"fc1.weight": mask}), np.arange(2))
    (kept,) = table.heaviest(small, {"fc1.weight": 0.375}).values()
    assert kept.tolist() == [[True, True, False, False], [False, False, True, False]]
    (kept,) = table.heaviest(small, {"fc1.weight": 1.0}).values()
    assert kept.tolist() == mask.tolist()


def test_rigl_plus_starts_with_rigls_last_weights(monkeypatch):
    stages, whole = [], table.trained

    def watched(model, params, *arguments, **part):
        report, last = yield from whole(model, params, *arguments, **part)
        stages.append((params, last))
        return report, last

    monkeypatch.setattr(table, "trained", watched)
    result_of(table.run(None, 0, 0.96, **SHORT._replace(sparsity=0.99).numbers))
    (_, end), (begin, _) = stages
    alive = remove_dead_units(end.masks, list(end.masks))["fc3.weight"].any(axis=1)
    assert (begin["fc3.weight"] == (end.params["fc3.weight"] * end.masks["fc3.weight"])[alive]).all()


@pytest.mark.long
def test_rigl_plus_reads_the_pixels_that_survive(monkeypatch):
    stages, whole = [], table.trained

    def watched(*arguments, **part):
        train_set, test_set = arguments[5:7]
        report, last = yield from whole(*arguments, **part)
        stages.append((train_set[0], test_set[0], last.masks))
        return report, last

    monkeypatch.setattr(table, "trained", watched)
    result_of(table.run(None, 0, 0.96, **SHORT._replace(sparsity=0.99).numbers))
    (_, _, masks), (train_inputs, test_inputs, _) = stages
    alive = remove_dead_units(masks, list(masks))["fc1.weight"].any(axis=1)
    whole_set = studies.mnist()
    assert (train_inputs == whole_set.train[0][:, alive]).all()
    assert (test_inputs == whole_set.test[0][:, alive]).all()


def test_an_epochs_loss_is_the_mean_of_its_batches_and_the_schedule_counts_from_the_runs_start(monkeypatch):
    params, sets = MODEL.init(np.random.default_rng(0)), studies.mnist()
    seen_rates = []

    still = Optimizer(
        init=lambda params: {},
        update=lambda params, grads, slots, step: seen_rates.append(step) or (params, slots),
    )
    monkeypatch.setattr(Recipe, "optimizer", lambda recipe: still)
    run = epochs.trained(MODEL, params, {}, recipes.static(), Recipe(30), sets.train, sets.test, 0, begin=7)
    report, last = returned(run)
    assert seen_rates == list(range(30))
    for loss, begin in zip(report["loss_by_epoch"], (7, 22), strict=True):
        losses = [
            float(ops.softmax_cross_entropy(MODEL(params, x), y).value)
            for x, y in data.batches(*sets.train, 100, 0, begin, begin + 15)
        ]
        assert loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert last.number == 29
    assert report["error_by_epoch"] == pytest.approx([100 * (1 - studies.accuracy(MODEL, params, *sets.test))] * 2)


def returned(generator):
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


@pytest.mark.long
def test_the_ways_out_of_a_static_solution_start_from_its_weights(monkeypatch):
    starts = []
    whole = escape.trained

    def watched(model, params, masks, method, recipe, train_set, test_set, seed, begin, *part):
        starts.append((params, masks, recipe, begin))
        return whole(model, params, masks, method, recipe, train_set, test_set, seed, begin, *part)

    monkeypatch.setattr(escape, "trained", watched)
    result = result_of(escape.run(None, 0, **SHORT.numbers))
    assert list(result) == ["solution", "continued", "restarted", "rigl"]
    (_, first, _, _), *others = starts
    for params, masks, _, begin in others:
        assert params is others[0][0]
        assert all((masks[name] == first[name]).all() for name in first)
        assert begin == SHORT.steps
    assert result["continued"]["loss_by_epoch"][0] < result["solution"]["loss_by_epoch"][0]
    assert [way["weights"] for way in result.values()] == [result["solution"]["weights"]] * 4


@pytest.mark.parametrize("method", ["static", "lottery", "dense"])
def test_a_run_of_the_equal_budget_records_what_it_really_cost(method):
    config = budget.config(method, 0) | {"epochs": 2, "t_end": 20, "lr": 0.05}
    result = result_of(budget.run(None, **config))
    cost, rounds = result["multiply_adds"], 4 if method == "lottery" else 1
    assert sum(result["weights"].values()) == (266_200 if method == "dense" else 9_244)
    assert len(result["error_by_epoch"]) == 2 * rounds
    assert result["error_last"] == result["error_by_epoch"][-1]
    assert result["error_best"] == min(result["error_by_epoch"][-2:])
    kept = {"dense": 3, "static": 3 * 9_244 / 266_200}
    if method in kept:
        assert cost["training_as_it_was"] == pytest.approx(266_200 * kept[method])
    else:
        assert cost["training_as_it_was"] > 3 * 266_200


@pytest.mark.long
def test_choices_of_the_sweeps_are_made():
    run = lambda **choice: result_of(sweeps.run(None, **sweeps.config(0) | SHORT.numbers | choice))
    base, erk = run(), run(distribution="erk")
    assert sum(base["weights"].values()) == 9_244
    assert sum(erk["weights"].values()) == round(0.02 * 266_200)
    assert erk["weights"]["fc3.weight"] < 1000
    losses = [base["loss_by_epoch"]]
    for choice in ({"signal": "momentum"}, {"signal": "random"}, {"grown": "random"}, {"grown": "along gradient"},
                   {"method": "static"}):  # fmt: skip
        losses.append(run(**choice)["loss_by_epoch"])
    assert len({tuple(own) for own in losses}) == 6


def test_sweeps_have_a_run_for_every_row_and_compare_those_that_they_name():
    study = STUDIES["rigl-sweeps"]
    errors = {"base": 1.0, "alpha0.3-period1000": 1.5, "static": 2.0, "signal-random": 1.25, "signal-momentum": 0.9,
              "grown-random": 1.1, "grown-along-gradient": 1.0}  # fmt: skip
    runs = finished(study, lambda run: {"error_last": errors.get(run.name.partition("-seed")[0], 3.0)})
    ours = rows(study, runs)
    assert ours["sweeps/rare-updates"] == [0.5] * 3
    assert ours["sweeps/rare-updates-above-static"] == [0.5] * 3
    assert ours["sweeps/random-growth"] == [0.25] * 3
    assert ours["sweeps/momentum-growth"] == [pytest.approx(-0.1)] * 3
    assert ours["sweeps/grown-random"] == [pytest.approx(0.1)] * 3
    assert [ours[f"sweeps/erk-{s}"] for s in sweeps.SPARSITIES] == [[0.0] * 3] * 3
    assert [run.name for run in study.runs(1)][:2] == ["base-seed0", "static-seed0"]
    assert len(study.runs(1)) == 1 + 1 + 2 + 2 + 6 + 11


def test_rows_of_the_budget_are_points_of_accuracy_above():
    study = STUDIES["rigl-equal-budget"]
    error = {"rigl": 2.0, "static": 3.0, "set": 2.5, "lottery": 1.5}
    make = lambda run: {"error_last": error.get(run.config["method"], 4.0) - (run.config["epochs"] > 50)}
    ours = rows(study, finished(study, make))
    assert ours["equal-budget/above-static"] == [1.0] * 3
    assert ours["equal-budget/set-above-static"] == [0.5] * 3
    assert ours["equal-budget/above-lottery"] == [-0.5] * 3
    assert ours["equal-budget/twice-as-long"] == [1.0] * 3


def test_longer_training_has_all_its_times_longer():
    once, five = (budget.config("rigl", 0, times) for times in (1, 5))
    assert (once["epochs"], five["epochs"]) == (50, 250)
    assert five["t_end"] == 5 * once["t_end"] == 62_500
    assert five["lr_drops"] == [5 * epoch for epoch in once["lr_drops"]] == [93.75, 118.75]
    assert five["delta_t"] == once["delta_t"] == 100
    assert budget.config("dense", 0)["lr_drops"] == [15.0, 17.5, 20.0]
    assert {run.config["epochs"] for run in STUDIES["rigl-extended"].runs(1)} == {50, 100, 250}


def made_up(run):
    stage = {"error_best": 1.5, "error_last": 1.6, "kflops": 12.0, "architecture": "400-100-70", "sparsity": 0.87,
             "bytes": 31_000.0, "loss_by_epoch": [0.5, 0.1 + run.seed / 10]}  # fmt: skip
    stages = dict.fromkeys(("rigl", "rigl_plus", "solution", "continued", "restarted"), stage)
    return stages | {"error_last": 2.0, "multiply_adds": {"training_as_it_was": 0.04, "training_dense": 1}}


@pytest.mark.long
@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_every_row_reads_a_run_and_every_figure_is_drawn_of_some_and_of_all(study, tmp_path):
    runs = finished(study, made_up)
    assert all(len(row.ours(runs)) == study.seeds for row in study.rows)
    (path,) = study.figures(runs, tmp_path, None)
    assert path.stat().st_size > 10_000
    assert path.with_suffix(".svg").exists()
    assert set(study.figures(runs[:2], tmp_path, None)) <= {path}
