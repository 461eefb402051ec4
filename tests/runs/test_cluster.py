"""Runs on other machines: a scheduler and two workers, of which one is killed in the middle."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Thread

import cluster_runs
import numpy as np
import pytest
from command_line import QUICK, said
from single_study import go

from minisparse.runs.cluster import _alone, packed, spread, unpacked
from minisparse.runs.folder import load_state

TESTS = Path(__file__).parents[1]
PATHS = [str(TESTS / "helpers"), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(PATHS)}
a_cluster = pytest.mark.skipif(not importlib.util.find_spec("distributed"), reason="distributed is not here")


@contextmanager
def process(*arguments, **environment):
    child = subprocess.Popen(
        [sys.executable, "-m", "dask", *map(str, arguments)], env=ENVIRONMENT | environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@contextmanager
def cluster(directory, workers=2, deaths=3):
    """(address of a scheduler, its process, those of its workers); a call may lose so many workers."""
    from distributed import Client

    with ExitStack() as stack:
        file = directory / "scheduler.json"
        own = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(deaths)}
        place = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", file)
        scheduler = stack.enter_context(process("scheduler", *place, **own))
        soon(lambda: (file.exists() and file.stat().st_size) or scheduler.poll() is not None)
        address = json.loads(file.read_text())["address"]
        how = ("worker", address, "--no-nanny", "--nthreads", 1, "--no-dashboard", "--local-directory", directory)
        folders = [directory / f"worker-{number}" for number in range(workers)]
        for own in folders:
            own.mkdir()
        processes = [stack.enter_context(process(*how, TMPDIR=str(own))) for own in folders]
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address, scheduler, processes


def soon(happened, seconds=60):
    limit = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


def begun(log):
    """(seed, process) of every beginning."""
    return [tuple(map(int, line.split())) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.slow
@a_cluster
def test_a_worker_that_is_killed_in_the_middle_costs_nothing_and_results_are_those_of_a_serial_run(tmp_path):
    here, away = tmp_path / "here", tmp_path / "away"
    own = lambda log, seconds: cluster_runs.study(cluster_runs.slow, 6, log=str(tmp_path / log), seconds=seconds)
    serial = {run.name: done["result"] for run, done in go(own("log", 0), 1, 1, here)}
    log = tmp_path / "log-away"
    with cluster(tmp_path) as (address, _, workers):
        found = {}
        with closing(go(own("log-away", 1.0), 1, 1, away, scheduler=address)) as runs:
            for run, done in runs:
                assert json.loads((away / "away" / f"{run.name}.json").read_text()) == done
                found[run.name] = done["result"]
                if len(found) == 2:
                    killed = dict(begun(log))[run.seed]  # what it has made is here, and is not made again
                    at_work = lambda: [seed for seed, pid in begun(log) if pid == killed and f"s{seed}" not in found]  # noqa: B023
                    soon(at_work)
                    (lost,) = at_work()
                    next(worker for worker in workers if worker.pid == killed).send_signal(signal.SIGKILL)
        assert found == serial
        assert sorted(path.name for path in (away / "away").iterdir()) == [f"s{seed}.json" for seed in range(6)]
    where = [pid for seed, pid in begun(log) if seed == lost]
    assert len(where) == 2
    assert where[0] == killed != where[1]
    assert sorted(seed for seed, _ in begun(log)) == sorted([*range(6), lost])
    before = len(begun(log))
    list(go(own("log-away", 1.0), 1, 1, away, scheduler="tcp://127.0.0.1:1"))  # nobody is asked
    assert len(begun(log)) == before


@pytest.mark.slow
@a_cluster
def test_an_interruption_leaves_what_is_finished_and_the_rest_goes_on_where_it_was(tmp_path):
    log = tmp_path / "log"
    own = cluster_runs.study(cluster_runs.slow, 4, log=str(log), seconds=0.5)
    with cluster(tmp_path) as (address, *_):
        with closing(go(own, 1, 1, tmp_path, scheduler=address)) as runs:
            first, _ = next(runs)
        kept = (tmp_path / "away" / f"{first.name}.json").stat().st_mtime_ns
        assert len(list(go(own, 1, 1, tmp_path, scheduler=address))) == 4
        assert (tmp_path / "away" / f"{first.name}.json").stat().st_mtime_ns == kept
        assert [seed for seed, _ in begun(log)].count(first.seed) == 1

        keeping = cluster_runs.study(cluster_runs.going_on, 2, keeps=True)
        so_far = tmp_path / "kept" / "away" / "s1" / "so-far"
        so_far.parent.mkdir(parents=True)
        so_far.write_text("half")
        found = {
            run.name: done["result"]["found"] for run, done in go(keeping, 1, 1, tmp_path / "kept", scheduler=address)
        }
        assert found == {"s0": "nothing", "s1": "half"}
        assert not so_far.parent.exists()


@pytest.mark.slow
@a_cluster
def test_a_run_that_fails_is_raised_and_one_that_kills_its_workers_is_given_up(tmp_path):
    with cluster(tmp_path, deaths=1) as (address, _, workers):
        with pytest.raises(ValueError, match="seed 0 has no luck"):
            list(go(cluster_runs.study(cluster_runs.failing, 1), 1, 1, tmp_path, scheduler=address))
        with pytest.raises(OSError, match="every worker that a call was given to has died"):
            list(go(cluster_runs.study(cluster_runs.deadly, 1), 1, 1, tmp_path, scheduler=address))
        assert [worker.wait(60) for worker in workers] == [-signal.SIGKILL] * 2


@pytest.mark.slow
@a_cluster
def test_a_scheduler_that_goes_is_named_and_what_was_finished_is_kept(tmp_path):
    own = cluster_runs.study(cluster_runs.slow, 4, log=str(tmp_path / "log"), seconds=1.0)
    with (
        cluster(tmp_path) as (address, scheduler, _),
        closing(go(own, 1, 1, tmp_path, scheduler=address)) as runs,
    ):
        first, _ = next(runs)
        scheduler.kill()
        with pytest.raises(OSError, match=f"the scheduler at {address} is gone"):
            list(runs)
    assert (tmp_path / "away" / f"{first.name}.json").exists()


@pytest.mark.slow
@a_cluster
def test_compare_on_a_cluster_is_compare_here_though_a_worker_dies(tmp_path):
    some = (*QUICK, "--epochs", "2", "--rounds", "1", "--method", "static", "--method", "lottery", "--method", "rigl")
    here, away = tmp_path / "here", tmp_path / "away"
    said("compare", *some, "--out", here)
    static = ("--model", "mlp-16", "--sparsity", "0.8", "--method", "static")  # as in QUICK
    said("train", *static, "--epochs", "2", "--out", away / "static")
    before = (away / "static" / "checkpoint.npz").stat().st_mtime_ns
    with cluster(tmp_path) as (address, _, workers):
        at_work = lambda: any((tmp_path / "worker-0").rglob("metrics.jsonl"))
        thread = Thread(target=lambda: (soon(at_work), workers[0].kill()))
        thread.start()
        words = said("compare", *some, "--out", away, "--scheduler", address)
        thread.join()
        assert workers[0].wait(60) == -signal.SIGKILL
    assert "3 runs" in words
    assert (away / "static" / "checkpoint.npz").stat().st_mtime_ns == before
    assert (away / "compare.json").read_bytes() == (here / "compare.json").read_bytes()
    kinds = (".json", ".jsonl", ".npz")
    names = lambda folder: sorted(path.relative_to(folder) for path in folder.rglob("*") if path.suffix in kinds)
    assert names(away) == names(here)
    for path in (path for path in names(here) if path.suffix != ".npz"):
        assert (away / path).read_bytes() == (here / path).read_bytes()
    for path in (path for path in names(here) if path.suffix == ".npz"):
        a, b = (load_state(folder / path) for folder in (away, here))
        assert all(np.array_equal(a.params[name], b.params[name]) for name in b.params)
        assert all(np.array_equal(a.masks[name], b.masks[name]) for name in b.masks)


@a_cluster
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere", "", "quick://127.0.0.1:1"])
@pytest.mark.parametrize("command", ["compare", "reproduce"])
def test_where_no_scheduler_answers_it_is_said_and_nothing_is_run(tmp_path, monkeypatch, command, address):
    monkeypatch.setattr("minisparse.runs.cluster.ANSWER_SECONDS", 0.2)
    how = (*QUICK, "--method", "rigl") if command == "compare" else ("rigl-mnist-98",)
    with pytest.raises(ValueError, match=f"--scheduler is '{address}', where no scheduler answers"):
        said(command, *how, "--out", tmp_path, "--scheduler", address)
    assert not list(tmp_path.rglob("result.json"))


def test_without_distributed_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"--scheduler needs dask\.distributed: pip install 'minisparse\[dask\]'"):
        next(spread("tcp://127.0.0.1:1", print, [()]))


def test_a_worker_with_another_minisparse_is_refused():
    with pytest.raises(ValueError, match=r"minisparse is \S+ on a worker and 0\.0\.0 here; expected equal versions"):
        _alone("0.0.0", print, ())


@pytest.mark.long
def test_a_worker_of_several_threads_has_one_call_in_work_and_one_blas_thread():
    code = """
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from threading import Barrier, Thread
import numpy
from threadpoolctl import threadpool_info, threadpool_limits
from minisparse.runs import cluster

at_work, seen = [], set()

def call():
    at_work.append(None)
    blas = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    seen.update([len(at_work), *blas])
    time.sleep(0.02)
    at_work.pop()

first = Thread(target=threadpool_limits, args=(2,))
first.start()
first.join()
with ThreadPoolExecutor(4) as threads:
    together = Barrier(4)  # each on a thread of its own
    def alone():
        together.wait()
        cluster._alone(version("minisparse"), call, ())
    for done in [threads.submit(alone) for _ in range(4)]:
        done.result()
print(seen)
"""
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True)
    assert done.stdout.decode().strip() == "{1}", done.stderr.decode()


def test_a_folder_arrives_as_it_was_sent_and_replaces_what_was_there(tmp_path):
    one, other = tmp_path / "one", tmp_path / "deep" / "other"
    (one / "inner").mkdir(parents=True)
    (one / "a.json").write_text("{}")
    (one / "inner" / "b.npz").write_bytes(bytes(range(256)))
    (one / ".unfinished").write_text("x")
    other.mkdir(parents=True)
    (other / "old").write_text("y")
    assert packed(tmp_path / "nothing") == {}
    unpacked(packed(one), other)
    assert packed(other) == {"a.json": b"{}", "inner/b.npz": bytes(range(256))}
    assert sorted(path.name for path in other.parent.iterdir()) == ["other"]
