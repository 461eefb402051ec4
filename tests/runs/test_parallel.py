"""Processes that work on runs end with the command that started them, however that ends, and leave its locks free."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from minisparse.experiments import apart
from minisparse.files import UNFINISHED, alone_in
from minisparse.runs.folder import load_state
from minisparse.runs.parallel import in_processes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

COMMAND = [sys.executable, "-c", "from minisparse.cli import main; main()"]
LONG = ("--model", "mlp-4", "--sparsity", "0.5", "--epochs", "100000", "--batch", "20")


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=rng.standard_normal((100, 6)).astype(np.float32), y=np.arange(100) % 3)
    return str(tmp_path / "data.npz")


@contextmanager
def running(*arguments):
    """A process of minisparse, which does not outlive the test, and heeds SIGHUP even if pytest ignores it (nohup)."""
    command = [*COMMAND, *map(str, arguments)]
    told = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)} if hasattr(signal, "SIGHUP") else {}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **told)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(holds, seconds=90):
    """Wait until holds(), and fail where that takes too long."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def square(number):
    if number == 3:
        os._exit(9)
    return number**2, os.getpid()


@pytest.mark.long
def test_calls_are_made_in_other_processes_and_with_one_job_here():
    assert sorted(in_processes(1, square, [(n,) for n in (2, 1)])) == [(1, os.getpid()), (4, os.getpid())]
    squares, processes = zip(*in_processes(2, square, [(n,) for n in (1, 2)]), strict=True)
    assert sorted(squares) == [1, 4]
    assert os.getpid() not in processes
    assert list(in_processes(9, square, [])) == []


def test_a_process_that_dies_is_one_sentence():
    with pytest.raises(OSError, match="a process that worked on a run has died"):
        list(in_processes(2, square, [(3,), (1,)]))


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "status"), [("KILL", -9), ("TERM", 143), pytest.param("HUP", 129, marks=pytest.mark.slow)]
)
def test_a_comparison_that_is_killed_leaves_no_process_and_no_lock(tmp_path, data, number, status):
    both, out = ("--method", "static", "--method", "rigl", "--jobs", "2"), tmp_path / "out"
    checkpoints = [out / name / "checkpoint.npz" for name in ("static", "rigl")]
    with running("compare", *LONG, *both, "--data", data, "--out", out) as process:
        until(lambda: all(path.exists() for path in checkpoints))
        process.send_signal(getattr(signal, f"SIG{number}"))
        words, _ = process.communicate(timeout=60)
    assert process.returncode == status, words
    assert "Traceback" not in words
    assert ("continue with the same command" in words) == (number != "KILL")
    for path in checkpoints:  # what runs again finds its folder free, at once
        with alone_in(out), alone_in(path.parent):
            size = (path.parent / "metrics.jsonl").stat().st_size
            time.sleep(0.3)
            assert (path.parent / "metrics.jsonl").stat().st_size == size


def count(limit):
    for number in range(limit):
        yield number
        time.sleep(0.01)


@pytest.mark.long
def test_a_process_of_its_own_ends_with_the_one_that_wanted_it(tmp_path):
    code = (
        "import os, sys; from minisparse.experiments.apart import apart; from test_parallel import note\n"
        f"words = apart(note, 1, path={str(tmp_path / 'ticks')!r}); next(words); os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == -signal.SIGKILL
    ticks = tmp_path / "ticks"
    last = -1

    def rests():
        nonlocal last
        before, last = last, ticks.stat().st_size
        time.sleep(0.5)
        return before == last

    until(rests, 20)


def note(path):
    """Yield once, and then work on without a word."""
    with open(path, "a", buffering=1) as file:
        yield 0
        for number in range(100_000):
            file.write(f"{number}\n")
            time.sleep(0.02)


@pytest.mark.long
def test_a_run_that_is_terminated_keeps_its_last_step_and_goes_on(tmp_path, data):
    out = tmp_path / "out"
    with running("train", *LONG, "--method", "static", "--data", data, "--out", out) as process:
        until(lambda: (out / "checkpoint.npz").exists())
        process.terminate()
        words, _ = process.communicate(timeout=60)
    assert process.returncode == 143, words
    assert "minisparse train --resume --out" in words
    assert not list(out.glob(f"{UNFINISHED}*"))
    with alone_in(out):
        assert load_state(out / "checkpoint.npz").number == len((out / "metrics.jsonl").read_bytes().splitlines()) > 0


@pytest.mark.long
def test_apart_tells_the_other_process_whom_to_end_with():
    assert list(apart.apart(count, 1, limit=3)) == [0, 1, 2]
