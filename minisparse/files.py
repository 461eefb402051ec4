"""Files: written whole or not at all, never over a user's; folders locked by one process; .npz files with checksums."""

import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from secrets import token_hex
from zipfile import ZipFile, ZipInfo
from zlib import crc32

import numpy as np

UNFINISHED = ".unfinished-"  # prefix of what is being written; {host}-{process}- follows
LOCK, HOLDER = ".lock", ".holder"  # the lock file of a folder, and the file that names the process holding it
LOCK_SECONDS = 1.0  # to wait for a lock: the processes of a command that was killed need a moment to end
OTHERS_SECONDS = 86_400  # after which what a process on another host is writing counts as left behind


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Lock the folder for this block. The lock ends with the block, or with the process, however it ends.

    ValueError naming the folder and the process that holds the lock. In a browser there is one process, and no lock.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if sys.platform == "emscripten":
        yield
        return
    from filelock import FileLock, Timeout

    lock, holder = FileLock(directory / LOCK, timeout=LOCK_SECONDS, thread_local=False), directory / HOLDER
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
    """A temporary path to write to: it replaces `path` when the block ends, and is removed if the block fails.

    The file has the permissions that the umask leaves. An OSError that names no file gets the name of `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    unfinished = path.parent / f"{unfinished_name()}{token_hex(4)}{path.suffix}"
    try:
        unfinished.open("xb").close()
        mode = unfinished.stat().st_mode
        yield unfinished
        unfinished.chmod(mode)  # for a library that gave it others
        unfinished.replace(path)
    except OSError as error:
        if error.filename is None and error.errno:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def unfinished_name() -> str:
    """The start of the names of this process's temporary files and folders."""
    return f"{UNFINISHED}{_host()}-{os.getpid()}-"


def sweep(directory: Path) -> None:
    """Remove the temporary files and folders in `directory` whose process has ended."""
    for left in directory.glob(f"{UNFINISHED}*"):
        host, _, rest = left.name.removeprefix(UNFINISHED).partition("-")
        process = rest.partition("-")[0]
        with suppress(OSError):  # another process has just removed it
            if not process.isdecimal():
                ended = True
            elif host != _host() or sys.platform == "win32":  # os.kill would end the process there
                ended = time.time() > left.stat().st_mtime + OTHERS_SECONDS
            else:
                ended = not _running(int(process))
            if ended:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _host() -> str:
    return f"{crc32(platform.node().encode()):08x}"


def _running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def writable(directory: Path) -> None:
    """OSError naming `directory` unless it is a folder that can be written to, or can be made one."""
    place = next(place for place in (directory, *directory.absolute().parents) if os.path.lexists(place))
    if not place.is_dir():
        raise NotADirectoryError(f"{directory} cannot be written: {place} is no folder; choose another folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(f"{directory} cannot be written: no permission to write in {place}")


def may_write(path: Path, force: bool = False) -> None:
    """ValueError if `path` exists, unless `force`; OSError if it cannot be written."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected the name of a file")
    if os.path.lexists(path) and not force:
        raise ValueError(f"{path} exists; choose another name, or replace it with --force")
    writable(path.parent)


def write_texts(texts: Mapping[Path, str], force: bool = False) -> None:
    """Write files in UTF-8, line ends as given; none of them, by a ValueError, if one exists, unless `force`."""
    for path in texts:
        may_write(path, force)
    for path, text in texts.items():
        with replacing(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8", newline="")


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
