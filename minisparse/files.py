"""Writing files so that an interruption leaves the old one whole; reading arrays if every byte is as it was written."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np

UNFINISHED = ".unfinished-"  # how the names of files begin that are being written


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
