"""Runs that are killed with SIGKILL at moments of all kinds, and go on as if they had not been."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from command_line import said
from effort import IN_CI

from minisparse.files import LOCK, UNFINISHED, alone_in
from minisparse.runs.folder import load_state

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

CHILD = Path(__file__).parents[1] / "helpers" / "kill_at.py"
SIZE = ("--model", "mlp-8", "--sparsity", "0.5", "--batch", "5", "--epochs", "3")
RUNS = [
    ("--method", "rigl", "--delta-t", "7"),
    ("--method", "set", "--storage", "sparse", "--optimizer", "adam", "--lr", "0.01"),
    ("--method", "lottery", "--rounds", "1", "--nesterov"),
]


def minisparse(moment, *arguments):
    """Did it come to its end; AssertionError if it ended in another way than that or the kill."""
    done = subprocess.run([sys.executable, CHILD, moment, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0 or (done.returncode == -signal.SIGKILL and moment != "never"), done.stderr
    return done.returncode == 0


def contents(directory):
    """All that a run leaves, byte for byte; but pictures, what a kill while drawing them leaves, and the lock."""
    others = lambda path: path.suffix in (".png", ".svg") or path.name == LOCK
    paths = [path for path in sorted(directory.rglob("*")) if path.is_file() and not others(path)]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((120, 6)).astype(np.float32), rng.integers(0, 3, 120)
    np.savez(tmp_path / "data.npz", x=x[:100], y=y[:100], x_test=x[100:], y_test=y[100:])
    return tmp_path / "data.npz"


def unfinished(out):
    """What a kill came in the middle of, as the folder shows: files that were being written, and lines of metrics."""
    for path in out.rglob("checkpoint.npz"):
        load_state(path)  # it is whole, always
    lines = [path for path in out.rglob("metrics.jsonl") if path.read_bytes()[-1:] not in (b"", b"\n")]
    return {(path.suffix, path.stat().st_mtime_ns) for path in [*out.rglob(f"{UNFINISHED}*"), *lines]}


def killed_runs(kills, seed, data, directory):
    """Kill and resume runs until there have been so many kills; compare each, when it is finished. What was hit.

    No run is killed more often than its share, so that all RUNS have their turn on machines of any speed.
    """
    rng, seen = np.random.default_rng(seed), Counter()
    while seen["kills"] < kills:
        enough = min(kills, seen["kills"] + -(-kills // len(RUNS)))
        options = ("train", "--data", data, *SIZE, *RUNS[seen["runs"] % len(RUNS)])
        whole, out = directory / f"whole-{seen['runs'] % len(RUNS)}", directory / f"killed-{seen['runs']}"
        if not whole.exists():
            said(*options, "--out", whole)
        left = set()
        while True:
            moments = (f"after:{rng.uniform(0, 0.6)}", f"line:{rng.integers(1, 30_000)}")
            moment = "never" if seen["kills"] == enough else moments[int(rng.integers(3)) > 0]
            if minisparse(moment, *options, "--resume", "--out", out):
                break
            before, left = left, unfinished(out)
            seen.update(["kills", moment.partition(":")[0], *(f"in a {kind} file" for kind, _ in left - before)])
            seen["in a write"] += bool(left - before)
        seen["runs"] += 1
        assert contents(out) == contents(whole)
    return seen


@pytest.mark.long
def test_runs_killed_at_some_moments_go_on_to_the_last_byte(data, tmp_path):
    killed_runs(5 if IN_CI else 3, 0, data, tmp_path)


@pytest.mark.slow
def test_runs_killed_at_fifty_moments_writing_included_go_on_to_the_last_byte(data, tmp_path):
    seen = killed_runs(50, 1, data, tmp_path)
    print(dict(seen))
    assert seen["in a write"] >= 10
    assert seen["runs"] >= len(RUNS)


def results(out):
    return {path.name: json.loads(path.read_text())["result"] for path in (out / "small").glob("[!.]*.json")}


@pytest.mark.long
def test_two_that_reproduce_may_share_a_folder_but_not_a_run_that_has_its_own(tmp_path):
    command = [sys.executable, CHILD, "never", "reproduce", "small", "--jobs", "1", "--out"]
    subprocess.run([*command, tmp_path / "alone"], check=True, capture_output=True)
    both = [subprocess.Popen([*command, tmp_path / "shared"], stdout=subprocess.DEVNULL) for _ in range(2)]
    assert {process.wait(timeout=120) for process in both} <= {0, 2}
    assert results(tmp_path / "shared") == results(tmp_path / "alone")

    own = tmp_path / "held" / "small" / "long-seed0"
    with alone_in(own):
        done = subprocess.run([*command, tmp_path / "held"], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{own} is in use by process {os.getpid()} on " in done.stderr
    assert len(results(tmp_path / "held")) == 3
    minisparse("never", *command[3:], tmp_path / "held")
    assert results(tmp_path / "held") == results(tmp_path / "alone")


@pytest.mark.long
@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_reproduce_killed_goes_on_with_the_runs_that_are_not_finished(tmp_path, kills):
    command = ("reproduce", "small", "--jobs", "1", "--out")
    minisparse("never", *command, tmp_path / "whole")
    assert len(results(tmp_path / "whole")) == 4
    rng, left, folders = np.random.default_rng(kills), kills, 0
    while left:
        out = tmp_path / f"killed-{folders}"
        finished = {}
        while True:
            moment = f"line:{rng.integers(1, 12_000)}" if left else "never"
            over = minisparse(moment, *command, out)
            assert all((out / "small" / name).stat().st_mtime_ns == time for name, time in finished.items())
            finished = {path.name: path.stat().st_mtime_ns for path in (out / "small").glob("[!.]*.json")}
            if over:
                break
            left -= 1
        folders += 1
        assert results(out) == results(tmp_path / "whole")
        assert not [path for path in (out / "small").iterdir() if path.is_dir()]
