"""Work handed to other machines: to the workers of a cluster of dask.distributed that is there already.

    dask scheduler                                             on one machine
    dask worker tcp://ONE:8786 --nworkers 8 --nthreads 1       on each, with minisparse and the data
    minisparse reproduce all --scheduler tcp://ONE:8786

Nothing is shared between them but the calls and their results. What is lost with its worker begins anew on another.
"""

import shutil
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

ANSWER_SECONDS = 10  # that a scheduler may take to answer


def spread(scheduler: str, function: Callable[..., Any], calls: Iterable[tuple]) -> Generator[Any, None, None]:
    """function(*call) of every call, each on one core of whichever worker is free; what comes of them, as it comes.

    function    of a module, so that the workers find it
    scheduler   its address, such as "tcp://127.0.0.1:8786"; workers may come and go, and are waited for

    An error in one call ends all and is raised here; so does closing this, and calls in work are then left to end by
    themselves. ValueError if no scheduler answers or distributed is not here; OSError if a call's workers die time
    after time, or the scheduler goes.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
        from distributed.comm import CommClosedError, get_address_host_port
    except ImportError as error:
        raise ValueError("--scheduler needs dask.distributed: pip install 'minisparse[dask]'") from error
    try:
        get_address_host_port(scheduler, strict=True)  # a client of what is no address takes long to end
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
                future.release()  # else it would be made again when its worker dies
                yield result
        except KilledWorker as error:
            raise OSError(f"every worker that a call was given to has died: {error}") from error
        except (CancelledError, CommClosedError) as error:
            raise OSError(f"the scheduler at {scheduler} is gone: {error}") from error


def _alone(here: str, function: Callable[..., Any], call: tuple) -> Any:
    """function(*call) on this worker, on one BLAS thread, with nothing else beside it in the process."""
    from threadpoolctl import threadpool_limits

    if (there := version("minisparse")) != here:
        raise ValueError(f"minisparse is {there} on a worker and {here} here; expected equal versions")
    with _one_at_a_time:
        threadpool_limits(1)  # for good: of a worker's threads only one may set, and reset, those of BLAS
        return function(*call)


_one_at_a_time = Lock()


def packed(directory: Path) -> dict[str, bytes]:
    """All files in a folder, to be sent; none if it is not there."""
    files = (path for path in sorted(directory.rglob("[!.]*")) if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def unpacked(files: dict[str, bytes], directory: Path) -> None:
    """Make `directory` hold these files and no others: all of them, or, after an interruption, none."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=directory.parent, prefix=".") as beside:
        new = Path(beside) / "new"
        new.mkdir()
        for name, content in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(content)
        shutil.rmtree(directory, ignore_errors=True)
        new.rename(directory)
