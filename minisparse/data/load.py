"""Data sets by name, checked when read."""

import os
import tarfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from .download import SHA256, download_mnist
from .files import SPLITS, Dataset, read_idx
from .included import included


def load(name: str, directory: str | os.PathLike | None = None, split: str = "train") -> Dataset:
    """(images, labels) of one split: uint8 (N, H, W, C) and int64 (N,).

    name       "mnist", "fashion_mnist", "cifar10"; or, from the package (data/images/NOTICE.md), "digits" (1,500
               training and 297 test images of UCI's, made like MNIST's) or "mnist-small" (10,000 and 2,000 of MNIST,
               each class as often)
    directory  {directory}/{name}/ holds the files; by default the environment variable MINISPARSE_DATA. Without both,
               MNIST is downloaded and cached. What comes with the package needs none.
    split      "train" or "test"

    ValueError for an unknown name or split, and naming a file that is truncated, damaged or not the expected one;
    FileNotFoundError for a missing file; ConnectionError if MNIST cannot be downloaded.
    """
    if name not in READERS:
        raise ValueError(f"data set is {name!r}; expected {', '.join(READERS)}")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; expected 'train' or 'test'")
    directory = directory or os.environ.get("MINISPARSE_DATA")
    return READERS[name](Path(directory) / name if directory else None, split)


def _included(name: str, directory: Path | None, split: str) -> Dataset:
    return included(name, split)


def _mnist(directory: Path | None, split: str) -> Dataset:
    return _idx_pair(download_mnist if directory is None else _in_folder(directory), "mnist", split)


def _fashion_mnist(directory: Path | None, split: str) -> Dataset:
    return _idx_pair(_in_folder(_needed(directory, "fashion_mnist")), "fashion_mnist", split)


def _cifar10(directory: Path | None, split: str) -> Dataset:
    """From the binary archive, never the pickled one; a record is one label byte and 3×32×32 colour planes."""
    path = _in_folder(_needed(directory, "cifar10"))("cifar-10-binary.tar.gz")
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
    records = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 3073)
    if records[:, 0].max() > 9:
        raise ValueError(f"{path} has a label {records[:, 0].max()}; expected 0 to 9")
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), records[:, 0].astype(np.int64)


READERS: dict[str, Callable[[Path | None, str], Dataset]] = {
    "digits": partial(_included, "digits"),
    "mnist": _mnist,
    "fashion_mnist": _fashion_mnist,
    "cifar10": _cifar10,
    "mnist-small": partial(_included, "mnist-small"),
}


def _idx_pair(find: Callable[[str], Path], name: str, split: str) -> Dataset:
    prefix = "train" if split == "train" else "t10k"
    pictures = find(f"{prefix}-images-idx3-ubyte.gz")
    images = read_idx(pictures, axes=3, known=SHA256.get(f"{name}/{prefix}-images-idx3-ubyte"))
    path = find(f"{prefix}-labels-idx1-ubyte.gz")
    labels = read_idx(path, axes=1, known=SHA256.get(f"{name}/{prefix}-labels-idx1-ubyte"))
    if len(images) != len(labels):
        raise ValueError(f"{path} has {len(labels)} labels for {len(images)} images")
    if not len(labels):
        raise ValueError(f"{path} has 0 labels; expected at least one")
    if labels.max() > 9:
        raise ValueError(f"{path} has a label {labels.max()}; expected 0 to 9")
    if images.shape[1:] != (28, 28):
        raise ValueError(f"{pictures} has images of {images.shape[1:]} pixels; expected (28, 28)")
    return images[..., None], labels.astype(np.int64)


def _in_folder(directory: Path) -> Callable[[str], Path]:
    def find(file: str) -> Path:
        if not (directory / file).is_file():
            raise FileNotFoundError(f"{directory / file} does not exist; --data-dir or MINISPARSE_DATA names the "
                                    f"folder that holds {directory.name}/{file}")  # fmt: skip
        return directory / file

    return find


def _needed(directory: Path | None, name: str) -> Path:
    if directory is None:
        raise ValueError(
            f"{name} is read from files: name the folder that holds {name}/ with --data-dir or MINISPARSE_DATA"
        )
    return directory
