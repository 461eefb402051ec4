"""When masks change: ΔT and T_end in short runs, and refusals of runs in which they never would, with a way out."""

import re

import numpy as np
import pytest

from minisparse.runs.methods import METHODS
from minisparse.runs.plan import Plan
from minisparse.runs.prepare import prepare
from minisparse.runs.run import go
from minisparse.runs.times import settled

MOVING = ("set", "snfs", "rigl-random", "rigl", "gradual")


@pytest.fixture
def file(tmp_path):
    """600 rows, of which 480 are for training."""
    x = np.random.default_rng(0).random((600, 6)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=(x[:, 0] > 0.5).astype(int))
    return tmp_path / "a.npz"


def plan_of(file, method, **options):
    return Plan(method, data=str(file), **{"model": "mlp-12", "sparsity": 0.5} | options)


def suggested(error):
    """The options that a refusal says to try."""
    found = re.findall(r"--([a-z-]+) ([\d.]+)", str(error).partition("Try ")[2])
    assert found, error
    return {name.replace("-", "_"): float(value) if "." in value else int(value) for name, value in found}


def rewired(plan, folder):
    return sum(line["rewired"] for line in go(prepare(plan), folder))


def test_papers_times_hold_in_runs_with_room_for_them_and_scale_in_shorter_ones():
    assert settled(Plan(), 30_000) == {"t_end": 22_500, "delta_t": 100}
    assert settled(Plan(), 1_334) == {"t_end": 1_000, "delta_t": 100}
    assert settled(Plan(), 750) == {"t_end": 562, "delta_t": 56}
    assert settled(Plan(), 80) == {"t_end": 60, "delta_t": 6}
    assert settled(Plan(), 4) == {"t_end": 3, "delta_t": 1}
    assert settled(Plan(delta_t=7, t_end=9), 80) == {"t_end": 9, "delta_t": 7}
    assert settled(Plan(t_end=25_000), 750) == {"t_end": 25_000, "delta_t": 75}


def test_a_run_of_480_rows_moves_connections_with_the_defaults(file, tmp_path):
    for method in ("rigl", "rigl-random", "gradual"):
        assert rewired(plan_of(file, method, epochs=20), tmp_path / method) >= 8


@pytest.mark.filterwarnings("ignore:t_end is 900")
@pytest.mark.parametrize(
    ("method", "options", "numbers"),
    [
        ("rigl", {"epochs": 20, "delta_t": 100}, "--delta-t is 100 and --t-end 60 in a run of 80 batches"),
        ("rigl", {"epochs": 20, "delta_t": 60}, "--delta-t is 60 and --t-end 60 in a run of 80 batches"),
        ("rigl-random", {"epochs": 20, "t_end": 4, "delta_t": 5}, "--delta-t is 5 and --t-end 4 in a run"),
        ("rigl", {"epochs": 20, "t_end": 1}, "--delta-t is 1 and --t-end 1 in a run"),
        ("rigl", {"epochs": 20, "t_end": 900, "delta_t": 80}, "--delta-t is 80 and --t-end 900 in a run"),
        ("rigl", {"epochs": 1, "batch": 480}, "--delta-t is 1 and --t-end 1 in a run of 1 batches"),
        ("rigl", {"epochs": 1, "batch": 480, "delta_t": 9, "t_end": 1}, "--delta-t is 9"),
        ("gradual", {"epochs": 20, "t_end": 400}, "--delta-t is 8 and --t-end 400 in a run of 80 batches"),
        ("gradual", {"epochs": 20, "t_end": 200, "delta_t": 40}, "--delta-t is 40 and --t-end 200"),
        ("gradual", {"epochs": 1, "batch": 480}, "--delta-t is 1 and --t-end 1 in a run of 1 batches"),
        ("rigl", {"epochs": 20, "delta_t": 59}, "--delta-t is 59 and --t-end 60 in a run of 80 batches, and at ΔT the"),
        ("set", {"epochs": 1}, "--epochs is 1, and updates are after every epoch but the last"),
        ("snfs", {"epochs": 1}, "--epochs is 1, and updates are after every epoch but the last"),
        ("rigl", {"epochs": 20, "alpha": 0.0}, "--alpha is 0, and no layer has more than"),
        ("set", {"epochs": 20, "zeta": 0.0}, "--zeta is 0, and no layer"),
        ("snfs", {"epochs": 20, "prune_rate": 0.0}, "--prune-rate is 0, and no layer"),
        ("rigl", {"epochs": 20, "alpha": 0.001}, "--alpha is 0.001, and no layer"),
        ("rigl", {"epochs": 20, "sparsity": 0.0}, "--sparsity is 0.0, and no layer has both connections and room"),
    ],
)
def test_a_method_that_would_never_change_a_mask_is_refused_with_numbers_and_options_that_work(
    file, tmp_path, method, options, numbers
):
    with pytest.raises(ValueError, match=f"{method} would never change a mask. Try --") as refused:
        prepare(plan_of(file, method, **options))
    assert numbers in str(refused.value)
    assert rewired(plan_of(file, method, **options | suggested(refused.value)), tmp_path / "run")


@pytest.mark.filterwarnings("ignore:t_end is 900")
@pytest.mark.parametrize("method", MOVING)
def test_at_the_edge_of_the_refusal_masks_do_change(file, tmp_path, method):
    late = {"t_end": 900, "delta_t": 79, "alpha": 1.0}
    edge = {"rigl": late, "rigl-random": late, "gradual": {"t_end": 79, "delta_t": 70}}
    options = edge.get(method, {"epochs": 2})
    assert rewired(plan_of(file, method, **{"epochs": 20} | options), tmp_path / "run")


def test_every_method_whose_masks_change_is_asked_about_its_times():
    task = prepare(Plan("rigl", model="mlp-12", epochs=2))
    changing = {name for name, entry in METHODS.items() if name in MOVING or entry.method(task).when(10**9)}
    assert changing == {*MOVING, "deep-r"}  # Deep R acts after every batch: it has no times
    assert all(METHODS[name].idle is not METHODS["dense"].idle for name in changing - {"deep-r"})


@pytest.mark.parametrize(("method", "option"), [("rigl", "alpha"), ("set", "zeta"), ("snfs", "prune_rate")])
@pytest.mark.parametrize("value", [float("nan"), -1.0, 2.0])
def test_a_fraction_that_is_none_is_refused_as_such(file, method, option, value):
    with pytest.raises(ValueError, match="expected a drop fraction from 0 to 1"):
        prepare(plan_of(file, method, epochs=20, **{option: value}))
    with pytest.raises(ValueError, match="--lr-drops is nan; expected a finite number from 0"):
        prepare(plan_of(file, method, epochs=20, lr_drops=(float("nan"),)))


@pytest.mark.parametrize("option", ["delta_t", "t_end"])
def test_times_below_one_are_refused(file, option):
    with pytest.raises(ValueError, match=rf"--{option.replace('_', '-')} is 0; expected a whole number from 1"):
        prepare(plan_of(file, "rigl", epochs=20, **{option: 0}))
    with pytest.raises(ValueError, match="--rounds is 0; expected a whole number from 1"):
        prepare(plan_of(file, "lottery", epochs=20, rounds=0))


def test_a_test_set_of_another_shape_is_refused_whatever_read_it(file, monkeypatch):
    from minisparse.runs import prepare as module

    monkeypatch.setattr(module, "_read", lambda plan, folder, split: (
        np.zeros((8, 4) if split == "train" else (8, 5), np.float32), np.arange(8) % 2))  # fmt: skip
    with pytest.raises(ValueError, match=r"shape \(4,\) and test examples of shape \(5,\)"):
        prepare(plan_of(file, "dense", epochs=4))
