"""RigL on MNIST's network: the recipe, what a run reports, and that finished runs are kept."""

import json

import numpy as np
import pytest

from minisparse import data
from minisparse.experiments import rigl

SHORT = rigl.Recipe(60, 0.05, (25,), (20,), 0.3, 10, 45)


def digits():
    return data.load("digits"), data.load("digits", split="test")


def run(method, seed=0):
    return list(rigl.snapshots(method, *digits(), seed, SHORT, every=20))


def test_the_papers_recipe_is_the_authors_script():
    epoch = 60_000 // rigl.BATCH
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


def test_a_static_mask_stays_and_a_dense_network_has_all():
    static = run("static")
    assert (static[0].pixels == static[-1].pixels).all()
    dense = run("dense")
    assert (dense[-1].pixels == 300).all()
    assert dense[-1].counts == {}


def test_all_methods_of_a_seed_start_from_the_same_network():
    starts = [run(method)[0].accuracy for method in ("rigl", "static")]
    assert starts[0] == starts[1]
    assert (run("rigl", 0)[0].pixels != run("rigl", 1)[0].pixels).any()


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method is 'adam'; accepted are rigl, static, dense"):
        run("adam")


def test_costs_are_those_of_papers_98_percent_network():
    assert rigl.cost({"fc1.weight": 4704, "fc2.weight": 3540}) == (1 - 9244 / 266_200, 9244, 9244.0)
    assert rigl.cost({}) == (0.0, 266_200, 266_200)


def test_the_central_share_of_even_connections_is_the_share_of_pixels():
    assert rigl.central_share(np.ones((28, 28))) == 400 / 784
    assert rigl.central_share(np.pad(np.ones((20, 20)), 4)) == 1


def test_a_finished_run_is_read_and_not_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(rigl, "load", lambda name, directory, split="train": data.load("digits", split=split))
    first = rigl.run_once("rigl", 0, tmp_path, recipe=SHORT)
    assert json.loads((tmp_path / "rigl-seed0.json").read_text()) == first
    assert first["accuracy_by_epoch"][-1] == first["accuracy_last"] <= first["accuracy_best"]
    assert {steps: sum(counts) for steps, counts in first["pixels"].items()} == {"0": 4704, "60": 4704}
    monkeypatch.setattr(rigl, "snapshots", None)
    assert rigl.run_once("rigl", 0, tmp_path, recipe=SHORT) == first
    assert [path.name for path in tmp_path.iterdir()] == ["rigl-seed0.json"]
    with pytest.raises(ValueError, match=r"rigl-seed0.json holds a run by another recipe"):
        rigl.run_once("rigl", 0, tmp_path)


def result(method, seed, last):
    return {"method": method, "seed": seed, "accuracy_last": last, "accuracy_best": last + 0.01,
            "central_share_start": 0.5, "central_share_end": 0.9}  # fmt: skip


def test_the_summary_is_mean_and_sample_deviation_over_seeds():
    rows = rigl.summary([result(m, seed, 0.9 + seed / 10) for m in rigl.METHODS for seed in (0, 1)])
    assert [row["method"] for row in rows] == list(rigl.METHODS)
    assert rows[0]["seeds"] == 2
    assert rows[0]["accuracy"] == pytest.approx(0.95)
    assert rows[0]["std"] == pytest.approx(0.1 / 2**0.5)
    assert rows[0]["best"] == pytest.approx(0.96)
