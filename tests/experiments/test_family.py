"""The study of RigL's relatives: what is run, and rows and the table upon made-up results."""

import pytest

from minisparse.experiments import family
from minisparse.experiments.studies import verdict
from minisparse.runs.methods import METHODS
from minisparse.runs.plan import Plan

(STUDY,) = family.STUDIES


def made_up(errors):
    """A finished run for each {name: error}, of seed 0."""
    return [
        {"seed": 0, "run": f"{name}-seed0", "config": {"seed": 0, **family._config(name)},
         "result": {"error_last": error, "smallest_layer": 7, "training": 0.02}}
        for name, error in errors.items()
    ]  # fmt: skip


def row(key):
    (found,) = [row for row in STUDY.rows if row.key == f"family/{key}"]
    return found


def test_every_run_is_one_of_train_and_no_two_are_alike():
    configs = [family._config(name) for name in family.RUNS]
    assert all(Plan(**config).method in METHODS for config in configs)
    assert len({tuple(sorted(config.items())) for config in configs}) == len(configs)


def test_orderings_are_of_errors_of_one_seed_and_some_allow_half_a_point():
    runs = made_up({"rigl": 8.0, "srigl": 8.4, "ac-dc": 7.0, "gradual": 7.5, "static-plain": 20.0, "deep-r": 18.0})
    assert row("ac-dc-below-rigl").ours(runs) == [1.0]
    assert row("deep-r-below-static").ours(runs) == [2.0]
    assert row("srigl-with-rigl").ours(runs) == [pytest.approx(-0.4)]
    assert verdict(row("srigl-with-rigl"), [-0.4]) == "reached"
    assert verdict(row("srigl-with-rigl"), [-0.6]) == "missed"
    assert verdict(row("ac-dc-below-rigl"), [-0.1]) == "missed"
    assert not row("granet-below-rigl").ours(runs)


def test_the_table_has_the_lowest_error_first_and_every_sparsity_by_itself():
    lines = STUDY.table(made_up({"rigl": 8.0, "static": 9.0, "snip-further": 3.0}))
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| rigl", "| static", "| snip-further"]
    assert lines[2] == "| rigl | 8.00 % | 0.020 | 98 % |"
    assert STUDY.table([]) == []


def test_a_run_is_what_train_does():
    options = family.COMMON | {"method": "granet", "data": "digits", "epochs": 1}
    *shares, result = family.trained(0, **options)
    assert len(shares) == 15
    assert shares[-1] == 1
    assert sum(result["weights"].values()) < 266_200
    assert result["smallest_layer"] == min(result["weights"].values())
    assert 0 < result["training"] < 1
    assert result["error_by_epoch"] == [result["error_last"]]
