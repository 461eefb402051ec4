"""Runs on other machines: the workers of an existing dask.distributed cluster.

    dask scheduler                                             on a machine of the cluster
    dask worker tcp://ONE:8786 --nworkers 8 --nthreads 1       on every machine, with minisparse and the data
    minisparse reproduce all --scheduler tcp://ONE:8786

Only calls and their results travel. A call whose worker dies is repeated on another worker.
"""

import shutil
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from ..files import sweep, unfinished_name

ANSWER_SECONDS = 10  # to wait for a scheduler


def spread(scheduler: str, function: Callable[..., Any], calls: Iterable[tuple]) -> Generator[Any, None, None]:
    """Results of function(*call) for all calls, as they finish, each computed on one core of a free worker.

    function    a module's, so that workers can import it
    scheduler   an address such as "tcp://127.0.0.1:8786"; workers may come and go, and are waited for

    An error in a call ends the generator and is raised here. After that, or once it is closed, calls already running
    are left to finish. ValueError without distributed or if no scheduler answers; OSError if a call's workers die
    repeatedly, or the scheduler disappears.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
        from distributed.comm import CommClosedError, get_address_host_port
    except ImportError as error:
        raise ValueError("--scheduler needs dask.distributed: pip install 'minisparse[dask]'") from error
    try:
        get_address_host_port(scheduler, strict=True)  # a client of an invalid address takes long to close
        client = Client(scheduler, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"--scheduler is {scheduler!r}, where no scheduler answers: {error}") from error
    with client:
        here = version("minisparse")
        futures = (client.submit(_alone, here, function, call, pure=False) for call in calls)
        done = as_completed(futures, loop=client.loop)
        try:
            for future in done:
                result = future.result()
                future.release()  # else it would be computed again when its worker dies
                yield result
        except KilledWorker as error:
            raise OSError(f"every worker that a call was given to has died: {error}") from error
        except (CancelledError, CommClosedError) as error:
            raise OSError(f"the scheduler at {scheduler} is gone: {error}") from error


def _alone(here: str, function: Callable[..., Any], call: tuple) -> Any:
    """function(*call) on this worker, on one BLAS thread, the only call running in the process."""
    from threadpoolctl import threadpool_limits

    if (there := version("minisparse")) != here:
        raise ValueError(f"minisparse is {there} on a worker and {here} here; expected equal versions")
    with _one_at_a_time:
        threadpool_limits(1)  # for good: only one of a worker's threads may set BLAS's threads and reset them
        return function(*call)


_one_at_a_time = Lock()


def packed(directory: Path) -> dict[str, bytes]:
    """All files of a folder, to be sent; none if it does not exist."""
    files = (path for path in sorted(directory.rglob("[!.]*")) if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def unpacked(files: dict[str, bytes], directory: Path) -> None:
    """Replace the contents of `directory` by these files; an interruption leaves all of them or none."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    sweep(directory.parent)
    with TemporaryDirectory(dir=directory.parent, prefix=unfinished_name()) as beside:
        new = Path(beside) / "new"
        new.mkdir()
        for name, content in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(content)
        shutil.rmtree(directory, ignore_errors=True)
        new.rename(directory)
