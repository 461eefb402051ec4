"""Calls in several processes, which end when this one ends, however it ends."""

import os
import sys
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import BrokenExecutor
from threading import Thread
from typing import Any

LOOK_SECONDS = 0.2  # between two looks whether the parent still runs


def in_processes(jobs: int, function: Callable[..., Any], calls: Iterable[tuple]) -> Generator[Any, None, None]:
    """Results of function(*call) for all calls, as they finish, `jobs` at a time; with one job, in this process.

    function: a module's, so that processes can import it. With several jobs each process has one BLAS thread. OSError
    if a process dies.
    """
    from joblib import Parallel, delayed, parallel_config

    calls = list(calls)
    jobs = max(1, min(jobs, len(calls)))
    limit = {"inner_max_num_threads": 1} if jobs > 1 else {}
    once = delayed(_ending_with)
    try:
        with parallel_config("loky", n_jobs=jobs, **limit):
            yield from Parallel(return_as="generator_unordered", pre_dispatch=jobs)(
                once(os.getpid(), function, call) for call in calls
            )
    except BrokenExecutor as error:
        raise OSError(f"a process that worked on a run has died, perhaps for want of memory: {error}") from error


def _ending_with(parent: int, function: Callable[..., Any], call: tuple) -> Any:
    end_with(parent)
    return function(*call)


def end_with(parent: int) -> None:
    """From now on this process ends, at once, when its parent process has ended, even if that was killed."""
    if parent != os.getpid() and parent not in _watched:
        _watched.add(parent)
        Thread(target=_watch, args=(parent,), daemon=True).start()


_watched: set[int] = set()


def _watch(parent: int) -> None:
    if sys.platform == "win32":  # where a child keeps the number of a parent that is gone
        from multiprocessing import parent_process

        if (process := parent_process()) is None:
            return
        process.join()
    else:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
    os._exit(1)
