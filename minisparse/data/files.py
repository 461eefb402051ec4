"""Readers of files: IDX, CIFAR-10's binary archive, .npz and .csv."""

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from ..files import read_npz
from ..streams import stream
from .columns import LABEL, read_csv
from .labels import classes_of, labels_of, read

SPLITS = ("train", "test")
NAMES = ("x", "y", "x_test", "y_test")
FACTOR = 10  # between the sizes of training and test values, above which they are taken for differently scaled
Dataset = tuple[Array, Array]
GZIP = 1032  # bytes that a compressed byte can expand to, at most


def from_file(path: str | os.PathLike, split: str = "train", label: str | None = None) -> Dataset:
    """(x, y) of one split of a user's arrays: x (N, …) as in the file, y (N,) as int64 classes 0, 1, ….

    .npz   arrays x and y, and x_test and y_test if there is a test set; images are (N, H, W) or (N, H, W, C)
    .csv   columns of numbers separated by commas, with or without a header line; labels are in the column `label`, else
           in the column named "label", else in the first column

    Classes are the sorted labels: whole numbers, or words. Without a test set, every fifth example of a fixed shuffle
    is the test set.

    ValueError naming the file for missing arrays or columns; for values that are missing, not numeric or not finite;
    for a test set that is empty, or of another shape, dtype or scale than the training set; for labels that are
    fractions, as the targets of a regression are, or written in two ways.
    """
    path = Path(path)
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; expected 'train' or 'test'")
    if path.suffix not in (".npz", ".csv"):
        raise ValueError(f"{path} is neither a .npz nor a .csv file")
    arrays = _npz(path) if path.suffix == ".npz" else read_csv(path, label)
    try:
        sets = _from_arrays(arrays) if isinstance(arrays, dict) else _from_columns(*arrays, label)
    except ValueError as error:
        raise ValueError(f"{path} has {error}") from error
    if len(sets) == 2:
        return sets[SPLITS.index(split)]
    ((x, y),) = sets
    order = stream(0, "test").permutation(len(x))
    chosen = np.sort(order[::5] if split == "test" else np.delete(order, np.s_[::5]))
    return x[chosen], y[chosen]


def _npz(path: Path) -> dict[str, Array]:
    try:
        arrays = read_npz(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive or array raises many kinds of errors
        raise ValueError(f"{path} is not a .npz file of arrays, or is damaged: {error}") from error
    found = [name for name in NAMES if name in arrays]
    if found not in (list(NAMES[:2]), list(NAMES)):
        others = f", but {', '.join(arrays)[:200]}" if arrays and not found else ""
        raise ValueError(
            f"{path} has {', '.join(found) or 'neither x nor y'}{others}; expected x, y and x_test, y_test"
        )
    return {name: arrays[name] for name in found}


def _from_arrays(arrays: Mapping[str, Array]) -> list[Dataset]:
    """[the training set], and the test set if there is one."""
    ends = ("", "_test") if "x_test" in arrays else ("",)
    for end in ends:
        _check_shapes(end, arrays[f"x{end}"], arrays[f"y{end}"])
        _check_numbers(f"x{end}", arrays[f"x{end}"])
    labels = {end: labels_of(f"y{end}", arrays[f"y{end}"]) for end in ends}
    names = classes_of(labels[""])
    if new := set(labels[ends[-1]]) - set(names):
        raise ValueError(f"labels in y_test that are not in y, such as {new.pop()!r}")
    _check_alike(arrays["x"], arrays[f"x{ends[-1]}"])
    whole = [(arrays[f"x{end}"], _numbered(labels[end], names)) for end in ends]
    return [(x[..., None] if x.ndim == 3 else x, y) for x, y in whole]


def _from_columns(x: Array, texts: Sequence[str], column: str, label: str | None) -> list[Dataset]:
    _check_numbers("its columns", x)
    sure = label is not None or column == f"column {LABEL!r}"
    hint = "" if sure else "; if the labels are in another column, name it with --label"
    labels = read(column, texts, hint)
    return [(x, _numbered(labels, classes_of(labels, hint)))]


def _numbered(labels: Sequence[Any], names: Sequence[Any]) -> Array:
    number = {name: n for n, name in enumerate(names)}
    return np.array([number[label] for label in labels], np.int64)


def _check_shapes(end: str, x: Array, y: Array) -> None:
    if y.ndim == 2 and y.shape[1] > 1 and len(x) == len(y):
        raise ValueError(f"y{end} of shape {y.shape}; expected (N,): if a row has a 1 in the place of its class, write "
                         f"y{end}.argmax(axis=1)")  # fmt: skip
    if y.ndim != 1 or x.ndim not in (2, 3, 4) or len(x) != len(y):
        raise ValueError(f"x{end} of shape {x.shape} and y{end} of shape {y.shape}; expected (N, …) and (N,)")
    if not x.size:
        raise ValueError(f"nothing in x{end}, of shape {x.shape}; expected at least one example")
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[2] == x.shape[3] > 4:
        raise ValueError(f"x{end} of shape {x.shape}, with the channels first; expected (N, H, W, C), as by "
                         f"x{end}.transpose(0, 2, 3, 1)")  # fmt: skip


def _check_numbers(name: str, x: Array) -> None:
    """ValueError for what float32, in which networks compute, cannot hold."""
    if x.dtype.kind not in "uifb":
        raise ValueError(f"values of type {x.dtype} in {name}, not finite numbers")
    if x.dtype.kind == "f" and not (np.abs(x) <= np.finfo(np.float32).max).all():
        raise ValueError(f"values in {name} that are missing, not finite numbers, or too large for float32")


def _check_alike(x: Array, x_test: Array) -> None:
    """ValueError unless both sets have examples of one shape and dtype, and columns of about the same size."""
    for what, train, test in (("shape", x.shape[1:], x_test.shape[1:]), ("dtype", x.dtype, x_test.dtype)):
        if train != test:
            raise ValueError(f"examples of {what} {train} in x and {test} in x_test; expected the same")
    sizes, test_sizes = (np.abs(part, dtype=np.float32).reshape(len(part), -1).mean(axis=0) for part in (x, x_test))
    both = (sizes > 0) & (test_sizes > 0)
    ratio = float(np.median(test_sizes[both] / sizes[both])) if both.any() else 1.0
    if not 1 / FACTOR <= ratio <= FACTOR:
        raise ValueError(
            f"values in x_test that are {ratio:.3g} times as large as in x; expected both to be scaled alike"
        )


def read_idx(path: Path, axes: int, known: str | None = None) -> Array:
    """The uint8 array of a gzipped IDX file with `axes` axes; `known` is the SHA-256 of its decompressed bytes.

    ValueError naming the file if it is not gzip, truncated, of the wrong type or size, or has the wrong hash. No more
    is decompressed than the header says.
    """
    magic = bytes([0, 0, 8, axes])
    try:
        with gzip.open(path) as file:
            header = file.read(4 + 4 * axes)
            if header[:4] != magic:
                raise ValueError(f"{path} begins with {header[:4].hex()}; an IDX file of {axes} byte axes begins with "
                                 f"{magic.hex()}")  # fmt: skip
            shape = tuple(int(n) for n in np.frombuffer(header[4:].ljust(4 * axes, b"\0"), ">u4"))
            expected, most = 4 + 4 * axes + math.prod(shape), GZIP * path.stat().st_size
            if expected > most:
                raise ValueError(f"{path} has at most {most} bytes after decompression; its header says {expected}")
            content = header + _up_to(file, expected + 1 - len(header))
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path} is not a gzip file, or is truncated or damaged: {error}") from error
    if len(content) != expected:
        size = len(content) if len(content) < expected else f"more than {expected}"
        raise ValueError(f"{path} has {size} bytes after decompression; its header says {expected}")
    if known and (found := hashlib.sha256(content).hexdigest()) != known:
        raise ValueError(
            f"{path} is not the expected file: its content has SHA-256 {found[:16]}…; expected {known[:16]}…"
        )
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _up_to(file: gzip.GzipFile, n: int) -> bytes:
    """The next n bytes of a file, or all that remain, in memory proportional to the bytes read."""
    parts = []
    while n and (part := file.read(min(n, 1 << 20))):
        parts.append(part)
        n -= len(part)
    return b"".join(parts)
