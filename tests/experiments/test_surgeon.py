"""The MONK's problems by their definitions, gradients by differences, and rows upon made-up results."""

import numpy as np
import pytest

from minisparse.experiments import surgeon
from minisparse.experiments.studies import verdict

(STUDY,) = surgeon.STUDIES


@pytest.mark.parametrize(("problem", "positive"), [(1, 216), (2, 142), (3, 228)])
def test_the_problems_have_as_many_positive_examples_as_published(problem, positive):
    x, y = surgeon.examples(problem)
    assert x.shape == (432, 17)
    assert (x.sum(axis=1) == 6).all()
    assert (y == 1).sum() == positive


def test_gradients_of_outputs_are_those_of_differences():
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=39), surgeon.examples(1)[0][::50]
    _, gradients = surgeon.outputs_and_gradients(weight, 2, x)
    for i in range(39):
        ahead, behind = (surgeon.outputs_and_gradients(weight + s * 1e-6 * np.eye(39)[i], 2, x)[0] for s in (1, -1))
        np.testing.assert_allclose(gradients[:, i], (ahead - behind) / 2e-6, atol=1e-6)


def test_training_lowers_the_error_and_leaves_deleted_weights_alone():
    rng = np.random.default_rng(1)
    x, y = (part[::3] for part in surgeon.examples(1))
    there = np.arange(58) != 5
    weight = rng.normal(0, 0.3, 58) * there
    once, first = surgeon.descended(weight, there, 3, x, y, 1)
    more, last = surgeon.descended(weight, there, 3, x, y, 60)
    assert last < first
    assert once[5] == more[5] == 0


@pytest.mark.parametrize("ranking", surgeon.RANKINGS)
def test_one_more_weight_goes_at_a_time_and_by_surgeon_alone_the_others_move(ranking):
    rng = np.random.default_rng(2)
    x, y = (part[::3] for part in surgeon.examples(3))
    there = np.ones(39, bool)
    weight, _ = surgeon.descended(rng.normal(0, 0.3, 39), there, 2, x, y, 40)
    for left in (38, 37, 36):
        new = surgeon.next_gone(weight, there, 2, x, y, ranking)
        moved = (new != weight) & (new != 0)
        weight, there = new, there & (new != 0)
        assert there.sum() == left
        assert moved.any() == (ranking == "surgeon")


def test_by_magnitude_the_smallest_goes():
    x, y = surgeon.examples(1)
    weight = np.arange(1.0, 59) * (-1) ** np.arange(58)
    there = np.ones(58, bool)
    assert np.flatnonzero(surgeon.next_gone(weight, there, 3, x, y, "magnitude") == 0).tolist() == [0]


@pytest.mark.long
def test_a_run_says_what_is_left_and_how_it_went():
    *shares, result = surgeon.pruned(5, 3, "surgeon", 0)
    assert shares == sorted(shares)
    assert 0 < result["weights"] < 39
    assert [left for left, *_ in result["path"]] == list(range(39, 0, -1))
    assert result["accuracy"] > 80


def finished(weights):
    return [
        {
            "seed": 0,
            "config": {"seed": 0, **surgeon._config(problem, ranking)},
            "result": {"weights": n, "accuracy": 99.0},
        }
        for (problem, ranking), n in weights.items()
    ]


def test_rows_compare_with_the_papers_counts_and_between_rankings():
    runs = finished({(1, "surgeon"): 16, (1, "damage"): 30, (1, "magnitude"): 12})
    by_key = {row.key: row for row in STUDY.rows}
    assert verdict(by_key["surgeon/monk-1-weights"], by_key["surgeon/monk-1-weights"].ours(runs)) == "reached"
    assert by_key["surgeon/monk-1-fewer-than-damage"].ours(runs) == [14]
    assert by_key["surgeon/monk-1-fewer-than-magnitude"].ours(runs) == [-4]
    assert not by_key["surgeon/monk-2-weights"].ours(runs)
    assert surgeon.table(runs)[2:] == ["| MONK 1, nothing trained again | 12.0 | 30.0 | 16.0 |"]
