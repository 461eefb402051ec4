"""Studies: rows and their verdicts; runs that are done once, whatever comes between."""

import json
import time

import numpy as np
import pytest
from single_study import go

from minisparse import data, nn
from minisparse.experiments import studies
from minisparse.experiments.studies import Row, Run, Study, each, gap, measures, running, verdict


def row(paper, tolerance=0.1, below=False):
    return Row("a/b", "what it is", paper, "%", tolerance, "A 2020, table 1", lambda finished: [], below)


@pytest.mark.parametrize(
    ("own", "figures", "said"),
    [
        (row(1.5), [], "not attempted"),
        (row(1.5), [1.4, 1.6], "reached"),
        (row(1.5), [1.6], "reached"),  # 1.6 - 1.5 is a little above 0.1
        (row(1.5), [1.61], "missed"),
        (row(1.5), [1.3], "missed"),
        (row(1.5, below=True), [1.3], "reached"),
        (row(1.5, below=True), [1.7], "missed"),
        (row(None, 0), [-1, 2], "reached"),
        (row(None, 0), [0.0], "missed"),
        (row(None, 0.6), [1, 0], "missed"),
        (row(None, -0.2), [-0.1], "reached"),
    ],
)
def test_a_verdict_is_by_the_mean_and_the_tolerance(own, figures, said):
    assert verdict(own, figures) == said


def done(seed, error, **config):
    return {"seed": seed, "config": {"seed": seed, **config}, "result": {"error": error}}


RUNS = [
    done(1, 3.0, method="rigl"),
    done(0, 2.0, method="rigl"),
    done(1, 7.0, method="set"),
    done(2, 9.0, method="set"),
]


def test_a_figure_of_each_run_comes_in_the_order_of_seeds():
    assert each("error", method="rigl")(RUNS) == [2.0, 3.0]
    assert each(lambda result: 2 * result["error"], method="set", seed=2)(RUNS) == [18.0]
    assert each("error", method="snip")(RUNS) == []
    with pytest.raises(ValueError, match=r"config is \{\}, which several runs of one seed have"):
        each("error")(RUNS)


def test_a_gap_is_between_runs_of_one_seed():
    assert gap("error", {"method": "set"}, {"method": "rigl"})(RUNS) == [4.0]
    assert gap("error", {"method": "rigl"}, {"method": "snip"})(RUNS) == []


def squares(data_dir, seed, n, log):
    with open(log, "a") as file:
        file.write(f"{seed}\n")
    for i in range(n):
        yield i / n
    yield {"sum": seed + sum(i * i for i in range(n))}


def failing(data_dir, seed, n, log):
    yield from squares(data_dir, seed, n, log)
    if seed == 1:
        raise FloatingPointError("seed 1 diverged")


def endless(data_dir, **config):
    yield 0.5


def slow(data_dir, seed, n, log):
    yield 0.25
    time.sleep(0.1)
    yield 0.5
    time.sleep(0.1)
    yield {"sum": 0}


def study(log, function=squares, n=3):
    make = lambda seed: Run(f"s-seed{seed}", seed, function, {"seed": seed, "n": n, "log": str(log)})
    runs = lambda seeds: [make(seed) for seed in range(seeds)]
    return Study("a-study", "A 2020", "adds", 1, 2, runs, (), lambda finished, directory, data_dir: [])


@pytest.mark.long
@pytest.mark.parametrize("jobs", [1, 2])
def test_runs_are_written_down_and_not_repeated(tmp_path, jobs):
    log, figures = tmp_path / "log", tmp_path / "figures"
    first = {run.seed: result for run, result in go(study(log), 2, jobs, figures)}
    assert {seed: one["result"]["sum"] for seed, one in first.items()} == {0: 5, 1: 6}
    assert sorted(path.name for path in (figures / "a_study").iterdir()) == ["s-seed0.json", "s-seed1.json"]
    there = json.loads((figures / "a_study" / "s-seed1.json").read_text())
    assert there == first[1]
    assert (there["study"], there["run"], there["seed"]) == ("a-study", "s-seed1", 1)
    assert there["config"] == {"seed": 1, "n": 3, "log": str(log)}
    assert there["seconds"] >= 0
    assert {"python", "numpy", "minisparse"} == there["versions"].keys()

    again = {run.seed: result for run, result in go(study(log), 3, jobs, figures)}
    assert sorted(again) == [0, 1, 2]
    assert sorted(log.read_text().split()) == ["0", "1", "2"]
    assert [one["seed"] for one in studies.finished(study(log), figures)] == [0, 1, 2]


def test_a_run_by_other_numbers_is_refused_before_any_is_run(tmp_path):
    log = tmp_path / "log"
    list(go(study(log), 1, 1, tmp_path))
    there = r"a_study.s-seed0.json holds a run by other numbers: n is 3 there and 4 here; move it away"
    with pytest.raises(ValueError, match=there):
        list(go(study(log, n=4), 2, 1, tmp_path))
    with pytest.raises(ValueError, match=there):
        studies.finished(study(log, n=4), tmp_path)
    assert log.read_text() == "0\n"


def test_a_run_that_fails_leaves_those_before_it(tmp_path):
    with pytest.raises(FloatingPointError, match="seed 1 diverged"):
        list(go(study(tmp_path / "log", failing), 2, 1, tmp_path))
    assert [path.name for path in (tmp_path / "a_study").iterdir()] == ["s-seed0.json"]


def test_a_run_that_ends_without_what_came_out_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"s-seed0 of a-study ended with 0\.5; expected a dict"):
        list(go(study(tmp_path / "log", endless), 1, 1, tmp_path))
    assert not (tmp_path / "a_study").exists()


def test_whoever_stops_listening_stops_the_runs_and_keeps_what_is_there(tmp_path):
    runs = go(study(tmp_path / "log"), 3, 1, tmp_path)
    next(runs)
    runs.close()
    assert (tmp_path / "a_study" / "s-seed0.json").exists()
    assert not (tmp_path / "a_study" / "s-seed2.json").exists()


def test_a_run_in_work_says_how_far_it_is_and_is_gone_when_it_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "PROGRESS_SECONDS", 0)
    watched, own = tmp_path / "watched", study(tmp_path / "log", slow)
    watched.mkdir()
    noted = []
    monkeypatch.setattr(running.time, "sleep", lambda seconds: noted.append((watched / "a-study.s-seed0").read_text()))
    list(go(own, 1, 1, tmp_path, watched=watched))
    assert noted == ["0.2500", "0.5000"]
    assert list(watched.iterdir()) == []


def test_files_that_are_no_runs_of_the_study_are_left_out(tmp_path):
    own = study(tmp_path / "log")
    list(go(own, 1, 1, tmp_path))
    place = tmp_path / "a_study"
    (place / ".tmp.json").write_text("half a fi")
    other = json.loads((place / "s-seed0.json").read_text()) | {"run": "another"}
    (place / "another.json").write_text(json.dumps(other))
    assert [one["run"] for one in studies.finished(own, tmp_path)] == ["s-seed0"]


@pytest.fixture
def digits(monkeypatch):
    seen = {split: data.load("digits", split=split) for split in ("train", "test")}
    monkeypatch.setattr(measures, "load", lambda name, directory, split: seen[split])
    return seen


def test_the_parts_of_mnist_are_disjoint_the_same_every_time_and_nothing_is_lost(digits):
    whole, parts, again = studies.mnist(), studies.mnist(validation=200), studies.mnist(validation=200)
    assert [len(part[1]) for part in whole] == [1500, 0, 297]
    images = studies.mnist(shape=(28, 28, 1))
    assert all((images[i][0].reshape(-1, 784) == whole[i][0]).all() for i in (0, 2))
    assert images.test[0].shape == (297, 28, 28, 1)
    assert [len(part[1]) for part in parts] == [1300, 200, 297]
    rows = lambda *sets: sorted(map(tuple, np.concatenate([inputs for inputs, _ in sets]).tolist()))
    assert rows(parts.train, parts.validation) == rows(whole.train)
    for one, other in zip(parts, again, strict=True):
        assert (one[0] == other[0]).all()
        assert (one[1] == other[1]).all()
    assert whole.train[0].max() == 1
    assert whole.train[0].dtype == np.float32
    assert (parts.validation[0] != whole.train[0][:200]).any()
    assert (parts.validation[0] != whole.train[0][-200:]).any()


def test_standardised_inputs_have_the_training_images_mean_and_variance(digits):
    train, _, test = studies.mnist(standardize=True)
    assert float(train[0].mean(dtype=float)) == pytest.approx(0, abs=1e-5)
    assert float(train[0].std(dtype=float)) == pytest.approx(1, abs=1e-5)
    plain = studies.mnist()
    slope, shift = np.polyfit(plain.test[0].ravel(), test[0].ravel(), 1)
    assert slope == pytest.approx(1 / plain.train[0].std(dtype=float), rel=1e-4)
    assert shift == pytest.approx(-plain.train[0].mean(dtype=float) * slope, rel=1e-4)
    assert test[0].dtype == np.float32


@pytest.mark.parametrize("chunk", [7, 100, 1000])
def test_accuracy_is_the_share_of_right_answers_whatever_the_chunk(chunk):
    model, rng = nn.mlp(5, 3), np.random.default_rng(0)
    params, inputs, labels = model.init(rng), rng.normal(size=(100, 5)).astype(np.float32), rng.integers(0, 3, 100)
    scores = inputs @ params["fc1.weight"] + params["fc1.bias"]
    right = sum(int(np.argmax(own) == label) for own, label in zip(scores, labels, strict=True))
    assert 0 < right < 100
    assert studies.accuracy(model, params, inputs, labels, chunk) == right / 100


def counting(data_dir, folder, seed, fails):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "steps").open("a") as file:
        file.write("x")
    if len((folder / "steps").read_text()) <= fails:
        raise FloatingPointError("not yet")
    yield {"attempts": len((folder / "steps").read_text())}


def test_a_run_that_keeps_a_folder_goes_on_in_it_until_it_is_finished(tmp_path):
    runs = lambda seeds: [Run("long", 0, counting, {"seed": 0, "fails": 1}, keeps=True)]
    study = Study("s-t", "A 2020", "It counts.", 1, 1, runs, (), lambda finished, directory, data_dir: [])
    with pytest.raises(FloatingPointError):
        list(go(study, 1, 1, tmp_path))
    assert (tmp_path / "s_t" / "long" / "steps").exists()
    ((_, result),) = go(study, 1, 1, tmp_path)
    assert result["result"] == {"attempts": 2}
    assert [path.name for path in (tmp_path / "s_t").iterdir()] == ["long.json"]
    (tmp_path / "s_t" / "long").mkdir()  # as a kill leaves it that comes before the folder is taken away
    ((_, again),) = go(study, 1, 1, tmp_path)
    assert again == result
    assert [path.name for path in (tmp_path / "s_t").iterdir()] == ["long.json"]
