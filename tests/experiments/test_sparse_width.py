"""Time and memory against width: what a measurement says, a run that goes on, rows, table and figure."""

import math
import sys

import numpy as np
import pytest

from minisparse import sparse
from minisparse.data import as_inputs, load
from minisparse.experiments import apart
from minisparse.experiments import sparse_width as widths
from minisparse.experiments.sparse_width import Numbers
from minisparse.experiments.studies import Data, verdict

STUDY = widths.STUDIES[0]
ROWS = {row.key.removeprefix("sparse/width/"): row for row in STUDY.rows}
FEW = {"warm_up": 1, "steps": 3, "updates": 1}
SMALL = {"seed": 0, "epochs": 3, **Numbers("sparse", 60, batch=50, rate=0.1)._asdict()}


def of(storage, width, **more):
    return {"seed": 0, **FEW, **Numbers(storage, width, batch=8)._asdict(), **more}


def last(steps):
    *shares, result = steps
    assert shares == sorted(shares)
    assert all(0 < share <= 1 for share in shares)
    return result


@pytest.fixture
def digits(monkeypatch):
    train, test = ((as_inputs(x).reshape(-1, 784), y) for x, y in (load("digits", split=s) for s in ("train", "test")))
    data = Data(train, (train[0][:0], train[1][:0]), test)
    monkeypatch.setattr(widths, "mnist", lambda data_dir: data)
    return data


# A measurement


@pytest.mark.long
def test_a_measurement_in_a_process_of_its_own_counts_connections_and_adds_up_an_epoch():
    result = last(widths.scaling(None, threads=1, **of("sparse", 100)))
    assert result["weights"] == {"fc1.weight": 1000, "fc2.weight": 1000}
    assert result["step_seconds"] > 0
    assert result["update_seconds"] >= 0
    assert result["epoch_seconds"] == pytest.approx(7500 * result["step_seconds"] + result["update_seconds"])
    assert 10e6 < result["imports_bytes"] <= result["peak_bytes"] < 1e9


def test_a_dense_network_has_all_weights_and_no_update():
    result = last(widths.timed(**of("dense", 20)))
    assert result["weights"] == {"fc1.weight": 784 * 20, "fc2.weight": 200}
    assert result["update_seconds"] is None
    assert result["epoch_seconds"] == pytest.approx(7500 * result["step_seconds"])


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_is_of_the_other_process_and_follows_storage():
    ballast = np.ones(60_000_000)  # 480 MB here, which must not be seen there
    few = {"warm_up": 1, "steps": 1}
    own, dense = (last(widths.scaling(None, threads=1, **of(s, 20_000, **few))) for s in ("sparse", "dense"))
    assert own["peak_bytes"] < ballast.nbytes
    assert dense["peak_bytes"] - dense["imports_bytes"] > widths.needed_bytes(20_000, 8)
    assert own["peak_bytes"] - own["imports_bytes"] < 0.4 * widths.needed_bytes(20_000, 8)


def test_a_dense_network_that_would_not_fit_is_not_run(monkeypatch):
    monkeypatch.setattr(widths, "apart", None)
    config = of("dense", 1_000_000)
    assert last(widths.scaling(None, threads=1, **config)) == {"needed_bytes": widths.needed_bytes(1_000_000, 8)}
    assert widths.needed_bytes(1_000_000, 64) > 5 * 4 * 794e6 > widths.LIMIT > widths.needed_bytes(100_000, 64)


def test_every_update_is_timed_and_no_other_step_moves_connections(monkeypatch):
    seen, whole = [], widths.train

    def watched(*arguments):
        for step in whole(*arguments):
            seen.append(step.rewired)
            yield step

    monkeypatch.setattr(widths, "train", watched)
    last(widths.timed(**of("sparse", 30, updates=2)))
    assert seen == [False] * 4 + [True, False] * 2


@pytest.mark.long
def test_a_process_that_fails_says_its_last_words():
    with pytest.raises(RuntimeError, match=r"timed ended with exit status 1; its last words: ValueError: density of"):
        list(apart.apart(widths.timed, 1, **of("sparse", 30, per_neuron=-1)))


@pytest.mark.long
def test_a_process_whose_caller_stops_ends(monkeypatch):
    started, popen = [], apart.subprocess.Popen
    monkeypatch.setattr(apart.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    steps = apart.apart(widths.timed, 1, **of("sparse", 30, steps=10**7))
    assert 0 < next(steps) < 1e-5
    assert started[0].poll() is None
    steps.close()
    assert started[0].poll() is not None


def test_all_weights_start_alike_in_both_storages():
    for storage in ("sparse", "dense"):
        rng = np.random.default_rng(0)
        params, _ = widths.start_of(widths.network(500), Numbers(storage, 500), rng)
        first = params["fc1.weight"]
        assert isinstance(first, sparse.SparseWeight) == (storage == "sparse")
        for values in (first.values if storage == "sparse" else first, params["fc2.weight"]):
            assert np.std(values) == pytest.approx(math.sqrt(2 / 500), rel=0.05)


# The training run


def test_a_run_learns_and_says_what_every_epoch_took(digits, tmp_path):
    result = last(widths.trained(str(tmp_path), None, **SMALL))
    assert result["loss_by_epoch"][-1] < result["loss_by_epoch"][0] < math.log(10)
    assert result["first_losses"][-1] < result["first_losses"][0]
    assert len(result["seconds_by_epoch"]) == len(result["error_by_epoch"]) == 3
    assert result["error_last"] < 70
    assert result["weights"] == {"fc1.weight": 600, "fc2.weight": 600}


def test_an_interrupted_run_goes_on_and_is_the_same_run(digits, tmp_path):
    whole = last(widths.trained(str(tmp_path / "a"), None, **SMALL))
    steps = widths.trained(str(tmp_path / "b"), None, **SMALL)
    for _ in range(37):  # 30 steps an epoch
        next(steps)
    steps.close()
    again = widths.trained(str(tmp_path / "b"), None, **SMALL)
    first = next(again)
    assert first == pytest.approx(38 / 90)
    parted = last(again)
    for name in ("error_by_epoch", "loss_by_epoch", "weights"):
        assert parted[name] == whole[name]
    with pytest.raises(ValueError, match=r"rate is 0\.1 there and 0\.2 here"):
        list(widths.trained(str(tmp_path / "b"), None, **SMALL | {"rate": 0.2}))


def test_the_peak_is_the_highest_of_all_processes_and_an_epochs_seconds_are_its_steps():
    lines = [{"loss": float(n), "seconds": 2.0**n, "peak_bytes": b} for n, b in enumerate((5, 9, 4, 6))]
    for line in lines[1::2]:
        line |= {"error": 3.0, "weights": {}}
    result = widths.outcome(lines, 2)
    assert result["peak_bytes"] == 9
    assert result["seconds_by_epoch"] == [3.0, 12.0]
    assert result["loss_by_epoch"] == [0.5, 2.5]


# The study


def test_the_training_run_has_more_than_a_million_hidden_neurons_and_keeps_a_folder():
    *table, one = STUDY.runs(1)
    assert one.keeps
    assert one.config["width"] > 1_000_000
    assert one.config["batch"] >= 32
    assert {run.config["batch"] for run in table} == {one.config["batch"]}
    assert sorted({run.config["width"] for run in table}) == [10**3, 10**4, 10**5, 10**6]


def made_up():
    """Time and memory exactly in proportion to width, the dense network's ten times as much."""
    runs = []
    for run in STUDY.runs(1):
        width, times = run.config["width"], 10 if run.config["storage"] == "dense" else 1
        if "epochs" in run.config:
            result = {"error_by_epoch": [4.0, 3.5, 3.25], "error_last": 3.25, "seconds_by_epoch": [600.0, 660.0, 720.0],
                      "peak_bytes": 3_100_000_000, "weights": {"fc1.weight": 10 * width}}  # fmt: skip
        elif times == 10 and width > 100_000:
            result = {"needed_bytes": 16_000_000_000}
        else:
            result = {"step_seconds": 1e-6 * width * times, "update_seconds": 0.5 if times == 1 else None,
                      "epoch_seconds": 0.1 * width, "imports_bytes": 50_000_000,
                      "peak_bytes": 50_000_000 + 2_000 * width * times,
                      "weights": {"fc1.weight": 10 * width}}  # fmt: skip
        runs.append({"run": run.name, "seed": 0, "config": run.config, "result": result})
    return runs


def test_every_row_reads_the_runs():
    ours = {key: row.ours(made_up()) for key, row in ROWS.items()}
    assert ours["memory"] == [pytest.approx(0.9)]
    assert ours["accuracy"] == [pytest.approx(96.75)]
    assert ours["time-exponent"] == ours["memory-exponent"] == [pytest.approx(1)]
    assert ours["time-of-dense"] == [pytest.approx(10)]
    assert ours["memory-of-dense"] == [pytest.approx(2050 / 250)]
    assert {verdict(row, ours[key]) for key, row in ROWS.items()} == {"reached"}
    assert verdict(ROWS["time-exponent"], [1.3]) == verdict(ROWS["memory"], [-0.1]) == "missed"


def test_the_table_has_a_line_for_every_width_and_says_what_does_not_fit():
    text = widths.table(made_up())
    lines = [line for line in text if line.startswith("| 1")]
    assert len(lines) == 8
    assert "| 100,000 | sparse | 1,000,000 | 100.0 | 0.50 | 10,000 | 0.25 GB |" in lines
    assert "| 1,000,000 | dense | 794,000,000 | | | | would need at least 16.00 GB |" in lines
    assert text[-1].endswith(
        "accuracy 96.00, 96.50, 96.75 % after each epoch, 10.0, 11.0, 12.0 minutes an epoch, peak memory 3.10 GB."
    )
    assert widths.table([]) == []


@pytest.mark.long
def test_the_figure_is_drawn_of_all_and_of_some_runs(tmp_path):
    (path,) = STUDY.figures(made_up(), tmp_path, None)
    assert path.stat().st_size > 10_000
    assert "dense, would need" in path.with_suffix(".svg").read_text()
    assert STUDY.figures(made_up()[:3], tmp_path, None) == [path]
    assert STUDY.figures(made_up()[:2], tmp_path, None) == []
