"""Files that an interruption leaves whole, folders that one process has alone, arrays read as they were written."""

import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np

UNFINISHED = ".unfinished-"  # how the names of files begin that are being written
LOCK, HOLDER = ".lock", ".holder"  # what a process locks that works in a folder, and where it says who it is


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """The folder for this block alone, until it ends or its process does, in whichever way: then the lock goes with it.

    ValueError naming the folder and the process that is at work there.
    """
    from filelock import FileLock, Timeout

    directory.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(directory / LOCK, timeout=0, thread_local=False), directory / HOLDER
    try:
        lock.acquire()
    except Timeout as error:
        try:
            who = holder.read_text()
        except FileNotFoundError:  # it is just coming or going
            who = "another process"
        raise ValueError(f"{directory} is in use by {who}; wait until it ends, or choose another folder") from error
    try:
        holder.write_text(f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        with suppress(OSError):  # on Windows, while another process reads it
            holder.unlink()
        lock.release()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes `path`'s place when the block ends, and goes if it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED, suffix=path.suffix)
    os.close(handle)
    unfinished = Path(name)
    try:
        yield unfinished
        unfinished.chmod(0o644)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def sweep(directory: Path) -> None:
    """Remove what processes that were killed in `replacing` left in a folder where none is at work."""
    for left in directory.glob(f"{UNFINISHED}*"):
        left.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], comment: bytes = b"") -> None:
    """A .npz file that np.load reads without pickle: the same bytes for the same arrays, whatever the time.

    ValueError for arrays of Python objects, which only pickle could hold.
    """
    with ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
        archive.comment = comment


def read_npz(path: str | PathLike) -> dict[str, np.ndarray]:
    """The arrays of a .npz file, none of them pickled. Whatever NumPy and zipfile raise for a file that is damaged.

    Checksums are compared first: NumPy does not come to one where a damaged header says that the array is shorter.
    """
    with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if damaged := archive.zip.testzip():
            raise ValueError(f"{damaged} in it has another checksum than it was written with")
        arrays = dict(archive)
    if odd := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise ValueError(f"{odd[0]} in it is no array")
    return arrays
