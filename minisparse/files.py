"""Atomic file writes, folders locked by one process, and .npz files with checksums."""

import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np

UNFINISHED = ".unfinished-"  # prefix of files that are being written
LOCK, HOLDER = ".lock", ".holder"  # the lock file of a folder, and the file that names the process holding it


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Lock the folder for this block. The lock ends with the block, or with the process, however it ends.

    ValueError naming the folder and the process that holds the lock.
    """
    from filelock import FileLock, Timeout

    directory.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(directory / LOCK, timeout=0, thread_local=False), directory / HOLDER
    try:
        lock.acquire()
    except Timeout as error:
        try:
            who = holder.read_text()
        except FileNotFoundError:  # it is just starting or ending
            who = "another process"
        raise ValueError(f"{directory} is in use by {who}; wait until it ends, or choose another folder") from error
    try:
        holder.write_text(f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        with suppress(OSError):  # on Windows, if another process is reading it
            holder.unlink()
        lock.release()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to: it replaces `path` when the block ends, and is removed if the block fails."""
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
    """Remove the temporary files of processes killed in `replacing`. Call it only where no process is writing."""
    for left in directory.glob(f"{UNFINISHED}*"):
        left.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], comment: bytes = b"") -> None:
    """A .npz file that np.load reads without pickle. The same arrays give the same bytes at any time.

    ValueError for arrays of Python objects, which need pickle.
    """
    with ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
        archive.comment = comment


def read_npz(path: str | PathLike) -> dict[str, np.ndarray]:
    """The arrays of a .npz file, without pickle. A damaged file raises ValueError or any error of NumPy and zipfile.

    Checksums are compared first: NumPy skips the check if a damaged header gives a shorter array.
    """
    with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if damaged := archive.zip.testzip():
            raise ValueError(f"{damaged} in it does not match its checksum")
        arrays = dict(archive)
    if odd := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise ValueError(f"{odd[0]} in it is not an array")
    return arrays
