"""Every study keeps to what the report and the runs of others rely on."""

import json
import pickle
from itertools import chain
from pathlib import Path

import pytest

from minisparse.experiments.all import STUDIES
from minisparse.experiments.studies import cause, finished, verdict

FIGURES = Path(__file__).parents[2] / "figures"
ROWS = [row for study in STUDIES for row in study.rows]


def test_no_two_rows_and_no_two_studies_have_one_name():
    assert len({row.key for row in ROWS}) == len(ROWS)
    folders = {study.name.replace("-", "_") for study in STUDIES}
    assert len(folders) == len(STUDIES)


def test_every_row_says_what_it_is_where_it_is_from_and_how_near_is_near():
    for row in ROWS:
        assert row.about, row.key
        assert row.source, row.key
        assert row.tolerance >= 0 or row.paper is None, row.key


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_runs_of_a_study_have_names_of_their_own_and_numbers_that_json_keeps(study):
    runs = study.runs(3)
    assert len({run.name for run in runs}) == len(runs)
    for run in runs:
        assert json.loads(json.dumps(run.config)) == run.config
        assert run.config["seed"] == run.seed
        assert pickle.loads(pickle.dumps(run)) == run
    assert {run.name for run in study.runs(1)} <= {run.name for run in runs}
    assert (study.minutes > 0) == bool(runs)


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_every_figure_that_was_run_and_missed_says_why(study):
    for begin in study.causes:
        assert any(row.key.startswith(begin) for row in study.rows), begin
    done = finished(study, FIGURES)
    missed = [row for row in study.rows if verdict(row, row.ours(done)) == "missed"]
    assert not [row.key for row in missed if not (cause(study, row) or (row.note and not study.runs(1)))]


@pytest.mark.parametrize("study", [study for study in STUDIES if study.runs(1)], ids=lambda study: study.name)
def test_a_study_that_is_not_attempted_has_no_figures_of_any_kind(study, tmp_path):
    assert study.figures([], tmp_path, None) == []
    assert not list(chain.from_iterable(row.ours([]) for row in study.rows))
    assert list(tmp_path.iterdir()) == []
