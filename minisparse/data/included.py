"""Images that come with the package, the same bytes everywhere: images/NOTICE.md has their sources.

They are written once, by tests/data/build.py, and never computed on the user's machine: the same image scaled by
another BLAS would differ in a pixel, and with it every mask from the first update on.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .files import Dataset

FOLDER = Path(__file__).parent / "images"


class Included(NamedTuple):
    """The numbers of training and test images, and the SHA-256 of the file's content: labels, then pixels, as bytes."""

    train: int
    test: int
    sha256: str


INCLUDED = {
    "digits": Included(1_500, 297, "956297bbfd91363d4ae6627c1ae6e88341145fa813bd0f69938c1692619c6be6"),
    "mnist-small": Included(10_000, 2_000, "7e2583bad05657771ee599df6ea6251ad9a858db3f2a52099270c58ad49fe7d5"),
}


def included(name: str, split: str) -> Dataset:
    """(images, labels) of one split of an included data set: uint8 (N, 28, 28, 1) and int64 (N,).

    ValueError naming the file if it is damaged.
    """
    import lzma

    about, path = INCLUDED[name], FOLDER / f"{name}.xz"
    try:
        content = lzma.decompress(path.read_bytes())
    except lzma.LZMAError as error:
        raise ValueError(f"{path} is damaged: {error}; install minisparse again") from error
    if hashlib.sha256(content).hexdigest() != about.sha256:
        raise ValueError(f"{path} is damaged: its content has another SHA-256; install minisparse again")
    n = about.train + about.test
    labels, images = np.frombuffer(content, np.uint8, n), np.frombuffer(content, np.uint8, offset=n)
    chosen = slice(about.train) if split == "train" else slice(about.train, n)
    return images.reshape(n, 28, 28, 1)[chosen].copy(), labels[chosen].astype(np.int64)
