"""Work in a process of its own, for its memory and its threads."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ..runs.parallel import end_with

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def apart(work: Callable[..., Iterator[Any]], threads: int, **numbers: Any) -> Iterator[Any]:
    """What work(**numbers) yields in a fresh process with `threads` threads.

    work: a module's, by name; numbers: as JSON has them. RuntimeError with the last words of a process that fails. When
    the caller stops, the process notices at its next line, and ends as if interrupted; where the caller's process ends,
    it ends at once.
    """
    code = (
        f"from {work.__module__} import {work.__name__} as work; from {__name__} import said; said(work, {os.getpid()})"
    )
    command, env = [sys.executable, "-c", code, json.dumps(numbers)], os.environ | dict.fromkeys(THREADS, str(threads))
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env) as process,
    ):
        yield from map(json.loads, process.stdout or ())
        if process.wait():
            errors.seek(0)
            last = [*filter(None, map(str.strip, errors)), "none"][-2:][0]
            raise RuntimeError(f"{work.__name__} ended with exit status {process.returncode}; its last words: {last}")


def said(work: Callable[..., Iterator[Any]], parent: int) -> None:
    """The other process of `apart`: a line of JSON for everything that `work` yields."""
    end_with(parent)
    for line in work(**json.loads(sys.argv[1])):
        print(json.dumps(line), flush=True)


def peak_bytes() -> int:
    """The peak resident memory of this process.

    Without /proc it is ru_maxrss, which starts at that of the parent process.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
