"""Writing files so that an interruption leaves the old one whole; reading arrays if every byte is as it was written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes `path`'s place when the block ends, and goes if it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    unfinished = Path(name)
    try:
        yield unfinished
        unfinished.chmod(0o644)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


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
