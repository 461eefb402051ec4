"""Data sets by name, checked when read."""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .download import SHA256, download
from .files import SPLITS, Dataset, read_idx
from .included import included


def load(name: str, directory: str | os.PathLike | None = None, split: str = "train") -> Dataset:
    """(images, labels) of one split: uint8 (N, H, W, C) and int64 (N,).

    name       "mnist", "fashion_mnist", "cifar10"; or, from the package (data/images/NOTICE.md), "digits" (1,500
               training and 297 test images of UCI's, made like MNIST's) or "mnist-small" (10,000 and 2,000 of MNIST,
               each class as often)
    directory  {directory}/{name}/ holds the files; by default the environment variable MINISPARSE_DATA. Without both,
               files are downloaded and cached. What comes with the package needs none.
    split      "train" or "test"

    ValueError for an unknown name or split, and naming a file that is truncated, damaged or not the expected one;
    FileNotFoundError for a missing file; ConnectionError if a file cannot be downloaded.
    """
    if name not in READERS:
        raise ValueError(f"data set is {name!r}; expected {', '.join(READERS)}")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; expected 'train' or 'test'")
    directory = directory or os.environ.get("MINISPARSE_DATA")
    return READERS[name](Path(directory) / name if directory else None, split)


def _idx(name: str, directory: Path | None, split: str) -> Dataset:
    """MNIST's files, or others that look like them."""
    prefix = "train" if split == "train" else "t10k"

    def found(kind: str, axes: int) -> tuple[Path, np.ndarray]:
        file = f"{prefix}-{kind}-idx{axes}-ubyte"
        read = lambda path: read_idx(path, axes, known=SHA256[f"{name}/{file}"])
        path = _path(name, directory, f"{file}.gz", read)
        return path, read(path)

    (pictures, images), (path, labels) = found("images", 3), found("labels", 1)
    if len(images) != len(labels):
        raise ValueError(f"{path} has {len(labels)} labels for {len(images)} images")
    if not len(labels):
        raise ValueError(f"{path} has 0 labels; expected at least one")
    if labels.max() > 9:
        raise ValueError(f"{path} has a label {labels.max()}; expected 0 to 9")
    if images.shape[1:] != (28, 28):
        raise ValueError(f"{pictures} has images of {images.shape[1:]} pixels; expected (28, 28)")
    return images[..., None], labels.astype(np.int64)


def _cifar10(directory: Path | None, split: str) -> Dataset:
    return _archive(_path("cifar10", directory, "cifar-10-binary.tar.gz", lambda path: _archive(path, split)), split)


def _archive(path: Path, split: str) -> Dataset:
    """CIFAR-10's binary archive, never the pickled one; a record is one label byte and 3×32×32 colour planes."""
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] if split == "train" else ["test_batch.bin"]
    try:
        with tarfile.open(path) as archive:
            members = [archive.getmember(f"cifar-10-batches-bin/{name}") for name in names]
            for name, member in zip(names, members, strict=True):
                if member.size != 10_000 * 3073:
                    raise ValueError(f"{name} in {path} has {member.size} bytes; expected {10_000 * 3073}")
            parts = [archive.extractfile(member).read() for member in members]  # type: ignore[union-attr]
    except (tarfile.TarError, EOFError, OSError, zlib.error, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is not the CIFAR-10 binary archive, or is damaged: {error}") from error
    for name, part in zip(names, parts, strict=True):
        known = SHA256[f"cifar10/{name}"]
        if (seen := hashlib.sha256(part).hexdigest()) != known:
            raise ValueError(f"{name} in {path} is not the expected file: its content has SHA-256 {seen[:16]}…; "
                             f"expected {known[:16]}…")  # fmt: skip
    records = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 3073)
    if records[:, 0].max() > 9:
        raise ValueError(f"{path} has a label {records[:, 0].max()}; expected 0 to 9")
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), records[:, 0].astype(np.int64)


READERS: dict[str, Callable[[Path | None, str], Dataset]] = {
    "digits": lambda directory, split: included("digits", split),
    "mnist": partial(_idx, "mnist"),
    "fashion_mnist": partial(_idx, "fashion_mnist"),
    "cifar10": _cifar10,
    "mnist-small": lambda directory, split: included("mnist-small", split),
}


def _path(name: str, directory: Path | None, file: str, check: Callable[[Path], Any]) -> Path:
    """Where the file is: in the folder, or downloaded and checked."""
    if directory is None:
        return download(name, file, check)
    if not (directory / file).is_file():
        raise FileNotFoundError(f"{directory / file} does not exist; --data-dir or MINISPARSE_DATA names the "
                                f"folder that holds {directory.name}/{file}")  # fmt: skip
    return directory / file
