"""Data sets as uint8 images and integer labels, checked when they are read; and batches that can be replayed.

The digits come with scikit-learn and need nothing. MNIST is read from a directory, or downloaded once. Hashes are of
the decompressed files, since the same data is compressed differently from one mirror to the next; only those that were
computed from the files themselves are pinned.
"""

import csv
import gzip
import hashlib
import math
import os
import tarfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from .backend import Array, namespace
from .checks import whole
from .files import read_npz
from .streams import stream

Dataset = tuple[Array, Array]

SHA256 = {
    "mnist/train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "mnist/train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "mnist/t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "mnist/t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://systemds.apache.org/assets/datasets/mnist/",
)
GZIP = 1032  # bytes that one compressed byte can stand for, at most
DOWNLOAD_SECONDS = 15  # until a mirror that does not answer is given up


def load(name: str, directory: str | os.PathLike | None = None, split: str = "train") -> Dataset:
    """(images, labels) of one split: uint8 (N, H, W, C) and int64 (N,).

    name       "digits", "mnist", "fashion_mnist" or "cifar10"
    directory  where {directory}/{name}/ holds the files; else the environment variable MINISPARSE_DATA. MNIST is
               downloaded and cached where neither is given; the digits need no files.
    split      "train" or "test"

    ValueError for an unknown name or split, and for a file that is truncated, damaged or another one (it is named);
    FileNotFoundError for a missing file; ConnectionError if MNIST cannot be downloaded.
    """
    if name not in READERS:
        raise ValueError(f"data set is {name!r}; accepted are {', '.join(READERS)}")
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}; accepted are 'train' and 'test'")
    directory = directory or os.environ.get("MINISPARSE_DATA")
    return READERS[name](Path(directory) / name if directory else None, split)


def from_file(path: str | os.PathLike, split: str = "train", label: str | None = None) -> Dataset:
    """(x, y) of one split of your own arrays: x (N, …) as it is in the file, y (N,) as int64 classes 0, 1, ….

    .npz   arrays x and y, and x_test and y_test if there is a test set; images are (N, H, W) or (N, H, W, C)
    .csv   numbers in columns, with a line of names above them or without; labels are in the column `label`, in one
           named "label", or else in the first

    Classes are the labels, which may be words, in their order. Without a test set every fifth example of a fixed
    shuffle is one. ValueError naming the file for what is missing, not numeric or not finite.
    """
    path = Path(path)
    if path.suffix not in (".npz", ".csv"):
        raise ValueError(f"{path} is neither a .npz nor a .csv file")
    arrays = _npz(path) if path.suffix == ".npz" else _csv(path, label)
    for end in ("", "_test") if "x_test" in arrays else ("",):
        x, y = arrays[f"x{end}"], arrays[f"y{end}"]
        if y.ndim != 1 or x.ndim not in (2, 3, 4) or len(x) != len(y):
            raise ValueError(
                f"{path} has x{end} of shape {x.shape} and y{end} of shape {y.shape}; accepted are (N, …) and (N,)"
            )
        if x.dtype.kind not in "uifb" or not np.isfinite(x).all() or (y != y).any():
            raise ValueError(f"{path} has values in x{end} or y{end} that are no finite numbers")
    names = np.unique(arrays["y"])
    if len(names) < 2:
        raise ValueError(f"{path} has labels of {len(names)} class; accepted are two or more")
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
    except Exception as error:  # an archive and an array can be broken in a dozen ways
        raise ValueError(f"{path} is no .npz file of arrays, or a damaged one: {error}") from error
    if not {"x", "y"} <= arrays.keys() or ("x_test" in arrays) != ("y_test" in arrays):
        raise ValueError(f"{path} has {', '.join(arrays) or 'neither x nor y'}; accepted are x, y and x_test, y_test")
    return arrays


def _csv(path: Path, label: str | None) -> dict[str, Array]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = next(csv.reader(file), [])
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} is no text in columns: {error}") from error
    named = (label or "label") in first or not any(map(_is_number, first))
    if len(first) < 2:
        raise ValueError(f"{path} has {len(first)} columns; accepted are labels and one column of numbers or more")
    if label and label not in first:
        raise ValueError(f"{path} has no column {label!r}; its first line is {', '.join(first)[:200]}")
    place = first.index(label or "label") if named and (label or "label") in first else 0
    others = [column for column in range(len(first)) if column != place]
    read = partial(np.loadtxt, path, delimiter=",", skiprows=int(named), quotechar='"', comments=None, ndmin=2,
                   encoding="utf-8-sig")  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy only warns of a file without any line
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


def as_inputs(images: Array, dtype: type = np.float32) -> Array:
    """Images as a network without convolutions takes them: (N, H·W·C), scaled from 0 … 255 to [0, 1]."""
    return (images.reshape(len(images), -1) / 255).astype(dtype)


def batches(
    inputs: Array, labels: Array, size: int, seed: int, start: int = 0, stop: float = math.inf
) -> Iterator[Dataset]:
    """The batches number `start`, start + 1, … below `stop` of an endless shuffled run over the examples.

    Every epoch has its own order, drawn from (seed, epoch) alone: any batch can be had without those before it. The
    len(inputs) % size examples at the end of an epoch's order are left out of that epoch.
    """
    if len(inputs) != len(labels):
        raise ValueError(f"inputs has {len(inputs)} examples, labels has {len(labels)}")
    per_epoch = len(inputs) // whole("size", size, 1, len(inputs))
    whole("seed", seed, 0)
    for epoch in count(whole("start", start, 0) // per_epoch):
        order = namespace(inputs).asarray(stream(seed, epoch).permutation(len(inputs)))
        for place in range(start - epoch * per_epoch if epoch == start // per_epoch else 0, per_epoch):
            if epoch * per_epoch + place >= stop:
                return
            chosen = order[place * size :][:size]
            yield inputs[chosen], labels[chosen]


def _digits(directory: Path | None, split: str) -> Dataset:
    """scikit-learn's 1,797 digits of 8×8 pixels, put on a 28×28 canvas as MNIST's were: 20×20, centred by mass."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = digits.images * (255 / 16)
    ends = np.linspace(-0.5 + 0.2, 7.5 - 0.2, 20)  # centres of 20 pixels across the 8 of the original
    spread = np.stack([np.interp(ends, range(8), row) for row in np.eye(8)], axis=1)
    large = spread @ small @ spread.T
    mass = large.sum(axis=(1, 2))
    canvas = np.zeros((len(large), 28, 28, 1), np.uint8)
    for image, digit, total in zip(canvas, large, mass, strict=True):
        rows, columns = digit.sum(axis=1), digit.sum(axis=0)
        top, left = (round(np.clip(13.5 - along @ np.arange(20) / total, 0, 8)) for along in (rows, columns))
        image[top : top + 20, left : left + 20, 0] = np.rint(digit)
    first, last = (0, 1500) if split == "train" else (1500, 1797)
    return canvas[first:last], digits.target[first:last].astype(np.int64)


def _mnist(directory: Path | None, split: str) -> Dataset:
    return _idx_pair(_download_mnist if directory is None else _in_folder(directory), "mnist", split)


def _fashion_mnist(directory: Path | None, split: str) -> Dataset:
    return _idx_pair(_in_folder(_needed(directory, "fashion_mnist")), "fashion_mnist", split)


def _cifar10(directory: Path | None, split: str) -> Dataset:
    """From the binary archive, never the pickled one: one label byte and 3×32×32 colour planes a record."""
    path = _in_folder(_needed(directory, "cifar10"))("cifar-10-binary.tar.gz")
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] if split == "train" else ["test_batch.bin"]
    try:
        with tarfile.open(path) as archive:
            members = [archive.getmember(f"cifar-10-batches-bin/{name}") for name in names]
            for name, member in zip(names, members, strict=True):
                if member.size != 10_000 * 3073:
                    raise ValueError(f"{name} in {path} has {member.size} bytes; accepted are {10_000 * 3073}")
            parts = [archive.extractfile(member).read() for member in members]  # type: ignore[union-attr]
    except (tarfile.TarError, EOFError, OSError, zlib.error, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is not the CIFAR-10 binary archive, or is damaged: {error}") from error
    records = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 3073)
    if records[:, 0].max() > 9:
        raise ValueError(f"{path} has a label {records[:, 0].max()}; accepted are 0 to 9")
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), records[:, 0].astype(np.int64)


READERS: dict[str, Callable[[Path | None, str], Dataset]] = {
    "digits": _digits,
    "mnist": _mnist,
    "fashion_mnist": _fashion_mnist,
    "cifar10": _cifar10,
}


def _idx_pair(find: Callable[[str], Path], name: str, split: str) -> Dataset:
    prefix = "train" if split == "train" else "t10k"
    images = read_idx(
        find(f"{prefix}-images-idx3-ubyte.gz"), axes=3, known=SHA256.get(f"{name}/{prefix}-images-idx3-ubyte")
    )
    path = find(f"{prefix}-labels-idx1-ubyte.gz")
    labels = read_idx(path, axes=1, known=SHA256.get(f"{name}/{prefix}-labels-idx1-ubyte"))
    if len(images) != len(labels):
        raise ValueError(f"{path} has {len(labels)} labels for {len(images)} images")
    if not len(labels):
        raise ValueError(f"{path} has 0 labels; accepted are one or more")
    if labels.max() > 9:
        raise ValueError(f"{path} has a label {labels.max()}; accepted are 0 to 9")
    return images[..., None], labels.astype(np.int64)


def read_idx(path: Path, axes: int, known: str | None = None) -> Array:
    """The uint8 array of a gzipped IDX file with so many axes; `known` is the SHA-256 of its decompressed bytes.

    ValueError naming the file if it is no gzip file, truncated, of another kind or size, or has another hash. No more
    of it is decompressed than its header says.
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
        raise ValueError(f"{path} is no gzip file, or a truncated or damaged one: {error}") from error
    if len(content) != expected:
        there = len(content) if len(content) < expected else f"more than {expected}"
        raise ValueError(f"{path} has {there} bytes after decompression; its header says {expected}")
    if known and (found := hashlib.sha256(content).hexdigest()) != known:
        raise ValueError(
            f"{path} is another file than expected: SHA-256 {found[:16]}… of its content, not {known[:16]}…"
        )
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _up_to(file: gzip.GzipFile, n: int) -> bytes:
    """The next n bytes of a file, or all that are left, in memory that follows what is there."""
    parts = []
    while n and (part := file.read(min(n, 1 << 20))):
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


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


def _download_mnist(file: str) -> Path:
    """The file from the cache, or from the first mirror that has it with the right content."""
    import pooch

    known = SHA256[f"mnist/{file.removesuffix('.gz')}"]
    pooch.get_logger().setLevel("ERROR")
    for mirror in MNIST_MIRRORS:
        try:
            fetch = pooch.HTTPDownloader(timeout=DOWNLOAD_SECONDS)
            path = Path(
                pooch.retrieve(mirror + file, None, file, pooch.os_cache("minisparse") / "mnist", downloader=fetch)
            )
            read_idx(path, axes=3 if "images" in file else 1, known=known)
            return path
        except ValueError:
            path.unlink()  # what a mirror sent instead must not stay in the cache
        except (OSError, RuntimeError):  # requests' errors are OSErrors
            continue
    raise ConnectionError(
        f"MNIST could not be downloaded from any of {len(MNIST_MIRRORS)} mirrors; name a folder that holds "
        "mnist/*-ubyte.gz with --data-dir, or use the embedded digits with --data digits"
    )
