"""RigL on MNIST's network: the recipe, what a run reports, and what the committed runs say."""

import json
from pathlib import Path

import numpy as np
import pytest

from minisparse import data
from minisparse.experiments import studies
from minisparse.experiments.rigl import picture as rigl

FIGURES = Path(__file__).parents[2] / "figures"
SHORT = rigl.Recipe(60, 0.05, (25,), (20,), 0.3, 10, 45)


def digits():
    return data.load("digits"), data.load("digits", split="test")


def run(method, seed=0):
    return list(rigl.snapshots(method, *digits(), seed, SHORT, every=20))


def test_the_papers_recipe_is_the_authors_script():
    epoch = 60_000 // rigl.PAPER.batch
    assert rigl.PAPER.steps == 200 * epoch
    assert rigl.PAPER.drops == (75 * epoch, 95 * epoch)
    assert rigl.PAPER.dense_drops == (60 * epoch, 70 * epoch, 80 * epoch)
    assert (rigl.PAPER.rate, rigl.PAPER.alpha, rigl.PAPER.period, rigl.PAPER.t_end) == (0.2, 0.3, 100, 50_000)


@pytest.mark.parametrize("method", rigl.METHODS)
def test_a_run_reports_its_start_and_every_so_many_batches(method):
    seen = run(method)
    assert [s.steps for s in seen] == [0, 20, 40, 60]
    assert seen[-1].accuracy > 2 * seen[0].accuracy
    assert all(s.pixels.shape == (28, 28) for s in seen)


def test_rigl_starts_with_six_connections_a_pixel_and_moves_them():
    seen = run("rigl")
    assert seen[0].pixels.mean() == 6.0
    assert seen[0].counts == seen[-1].counts == {"fc1.weight": 4704, "fc2.weight": 3540, "fc3.weight": 1000}
    assert (seen[0].pixels != seen[-1].pixels).any()
    assert rigl.central_share(seen[-1].pixels) > rigl.central_share(seen[0].pixels) + 0.03


@pytest.mark.long
def test_a_static_mask_stays_and_a_dense_network_has_all():
    static = run("static")
    assert (static[0].pixels == static[-1].pixels).all()
    dense = run("dense")
    assert (dense[-1].pixels == 300).all()
    assert dense[-1].counts == {}


@pytest.mark.long
def test_all_methods_of_a_seed_start_from_the_same_network():
    starts = [run(method)[0].accuracy for method in ("rigl", "static")]
    assert starts[0] == starts[1]
    assert (run("rigl", 0)[0].pixels != run("rigl", 1)[0].pixels).any()


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method is 'adam'; expected rigl, static, dense"):
        run("adam")


def test_costs_are_those_of_papers_98_percent_network():
    assert rigl.cost({"fc1.weight": 4704, "fc2.weight": 3540}) == (1 - 9244 / 266_200, 9244, 9244.0)
    assert rigl.cost({}) == (0.0, 266_200, 266_200)


def test_the_central_share_of_even_connections_is_the_share_of_pixels():
    assert rigl.central_share(np.ones((28, 28))) == 400 / 784
    assert rigl.central_share(np.pad(np.ones((20, 20)), 4)) == 1


def of_digits(monkeypatch):
    monkeypatch.setattr(rigl, "load", lambda name, directory, split="train": data.load("digits", split=split))


def test_a_recipe_is_the_same_after_json_and_its_times_scale():
    assert rigl.recipe_of(json.loads(json.dumps(rigl.PAPER.numbers))) == rigl.PAPER
    quarter = rigl.PAPER.lasting(0.25)
    assert (quarter.steps, quarter.t_end, quarter.drops) == (30_000, 12_500, (11_250, 14_250))
    assert (quarter.rate, quarter.alpha, quarter.period, quarter.batch) == (0.2, 0.3, 100, 100)


def test_a_run_says_how_far_it_is_and_ends_with_what_came_out(monkeypatch):
    of_digits(monkeypatch)
    monkeypatch.setattr(rigl.Recipe, "per_epoch", 20)
    *shares, result = rigl.run(None, "rigl", 0, **SHORT.numbers)
    assert shares == [0, 20 / 60, 40 / 60, 1]
    assert result["accuracy_by_epoch"][-1] == result["accuracy_last"] <= result["accuracy_best"]
    assert len(result["accuracy_by_epoch"]) == len(result["loss_by_epoch"]) + 1 == 4
    assert {int(steps) for steps in result["pixels"]} == {0, 20, 40, 60}
    assert all(sum(counts) == 4704 for counts in result["pixels"].values())
    assert json.loads(json.dumps(result)) == result


def test_the_film_is_the_beginning_of_the_same_run_by_rigl(monkeypatch):
    of_digits(monkeypatch)
    *shares, film = rigl.film(None, 0, 40, **SHORT.numbers)
    assert shares[-1] == 1
    assert film["steps"] == [0, 10, 20, 30, 40]
    pixels = [np.array(frame.split(), int).reshape(28, 28) for frame in film["pixels"]]
    for frame, shot in zip(pixels[::2], run("rigl")[:3], strict=True):
        assert (frame == shot.pixels).all()


def test_the_committed_runs_are_the_studys_and_sum_up_to_its_rows():
    study = rigl.STUDIES[0]
    runs = studies.finished(study, FIGURES)
    assert {one["run"] for one in runs} == {one.name for one in study.runs(3)}
    of = lambda method: [one["result"]["accuracy_last"] for one in runs if one["config"]["method"] == method]
    above = next(row for row in study.rows if row.key.endswith("above-static")).ours(runs)
    assert above == pytest.approx([100 * (a - b) for a, b in zip(of("rigl"), of("static"), strict=True)])
    assert next(row for row in study.rows if "pixel" in row.key).ours(runs) == [6.0] * 3
    assert {studies.verdict(row, row.ours(runs)) for row in study.rows} == {"reached"}


def test_the_picture_stays_where_mnist_is_not_at_hand(tmp_path, monkeypatch):
    def missing(*arguments):
        raise FileNotFoundError

    monkeypatch.setattr(rigl, "load", missing)
    study = rigl.STUDIES[0]
    runs = studies.finished(study, FIGURES)
    assert study.figures(runs, tmp_path, None) == []
    (tmp_path / "connections_find_the_digits.png").touch()
    assert study.figures(runs, tmp_path, None) == [tmp_path / "connections_find_the_digits.png"]
    assert study.figures(runs[:1], tmp_path, None) == []


def test_the_paired_difference_counts_images_that_only_one_network_knows():
    one, other = (
        rigl.Snapshot(1, 0.1, np.array(right, bool), np.ones((28, 28)), {})
        for right in ([1, 1, 1, 1, 0, 0, 1, 1], [1, 1, 0, 0, 0, 1, 1, 1])
    )
    difference, error = rigl.above(one, other)
    assert difference == one.accuracy - other.accuracy == 1 / 8
    assert error == pytest.approx(np.std([0, 0, 1, 1, 0, -1, 0, 0], ddof=1) / 8**0.5)
    assert rigl.above(one, one) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_in_the_demo_rigl_is_above_the_static_mask_by_more_than_three_standard_errors(seed):
    sets = data.load("mnist-small"), data.load("mnist-small", split="test")
    ends = [list(rigl.snapshots(method, *sets, seed, rigl.DEMO, rigl.DEMO.steps))[-1] for method in rigl.METHODS]
    difference, error = rigl.above(*ends[:2])
    assert difference > 3 * error
    assert ends[2].accuracy > ends[0].accuracy
    assert rigl.cost(ends[0].counts)[1] == 9_244
