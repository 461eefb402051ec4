"""Readers of files: IDX, CIFAR-10's binary archive, .npz and .csv."""

import csv
import gzip
import hashlib
import math
import os
import warnings
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from ..backend import Array
from ..files import read_npz
from ..streams import stream

Dataset = tuple[Array, Array]
GZIP = 1032  # bytes that a compressed byte can expand to, at most


def from_file(path: str | os.PathLike, split: str = "train", label: str | None = None) -> Dataset:
    """(x, y) of one split of a user's arrays: x (N, …) as in the file, y (N,) as int64 classes 0, 1, ….

    .npz   arrays x and y, and x_test and y_test if there is a test set; images are (N, H, W) or (N, H, W, C)
    .csv   columns of numbers, with or without a header line; labels are in the column `label`, else in the column
           named "label", else in the first column

    Classes are the sorted labels, which may be words. Without a test set, every fifth example of a fixed shuffle is the
    test set. ValueError naming the file for missing arrays or columns, and values that are not numeric or not finite.
    """
    path = Path(path)
    if path.suffix not in (".npz", ".csv"):
        raise ValueError(f"{path} is neither a .npz nor a .csv file")
    arrays = _npz(path) if path.suffix == ".npz" else _csv(path, label)
    for end in ("", "_test") if "x_test" in arrays else ("",):
        x, y = arrays[f"x{end}"], arrays[f"y{end}"]
        if y.ndim != 1 or x.ndim not in (2, 3, 4) or len(x) != len(y):
            raise ValueError(
                f"{path} has x{end} of shape {x.shape} and y{end} of shape {y.shape}; expected (N, …) and (N,)"
            )
        if x.dtype.kind not in "uifb" or not np.isfinite(x).all() or (y != y).any():
            raise ValueError(f"{path} has values in x{end} or y{end} that are not finite numbers")
    names = np.unique(arrays["y"])
    if len(names) < 2:
        raise ValueError(f"{path} has labels of {len(names)} class; expected at least two")
    if not np.isin(arrays.get("y_test", names), names).all():
        raise ValueError(f"{path} has labels in y_test that are not in y")
    if "x_test" in arrays:
        x, y = (arrays[name if split == "train" else f"{name}_test"] for name in "xy")
    else:
        order = stream(0, "test").permutation(len(arrays["x"]))
        chosen = np.sort(order[::5] if split == "test" else np.delete(order, np.s_[::5]))
        x, y = arrays["x"][chosen], arrays["y"][chosen]
    return x[..., None] if x.ndim == 3 else x, np.searchsorted(names, y).astype(np.int64)


def _npz(path: Path) -> dict[str, Array]:
    try:
        arrays = {name: array for name, array in read_npz(path).items() if name in ("x", "y", "x_test", "y_test")}
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive or array raises many kinds of errors
        raise ValueError(f"{path} is not a .npz file of arrays, or is damaged: {error}") from error
    if not {"x", "y"} <= arrays.keys() or ("x_test" in arrays) != ("y_test" in arrays):
        raise ValueError(f"{path} has {', '.join(arrays) or 'neither x nor y'}; expected x, y and x_test, y_test")
    return arrays


def _csv(path: Path, label: str | None) -> dict[str, Array]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = next(csv.reader(file), [])
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} is not text in columns: {error}") from error
    named = (label or "label") in first or not any(map(_is_number, first))
    if len(first) < 2:
        raise ValueError(f"{path} has {len(first)} columns; expected labels and at least one column of numbers")
    if label and label not in first:
        raise ValueError(f"{path} has no column {label!r}; its first line is {', '.join(first)[:200]}")
    place = first.index(label or "label") if named and (label or "label") in first else 0
    others = [column for column in range(len(first)) if column != place]
    read = partial(np.loadtxt, path, delimiter=",", skiprows=int(named), quotechar='"', comments=None, ndmin=2,
                   encoding="utf-8-sig")  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy only warns of a file without lines
            x, y = read(usecols=others, dtype=np.float32), read(usecols=[place], dtype=str)[:, 0]
    except (ValueError, UserWarning) as error:
        raise ValueError(f"{path} cannot be read as columns of numbers: {error}") from error
    return {"x": x, "y": y.astype(float) if all(map(_is_number, y)) else y}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
