"""Write the images that come with the package: python -m tests.data.build, from the root of the repository.

Needs scikit-learn for the digits, and MNIST in MINISPARSE_DATA. Neither is needed to use the package.
"""

import hashlib
import lzma

import numpy as np

from minisparse.data import load
from minisparse.data.included import FOLDER, INCLUDED

PACKING = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "pb": 0}]


def digits():
    """scikit-learn's copy of UCI's 1,797 digits, in its order: the first 1,500 are for training."""
    from sklearn.datasets import load_digits

    source = load_digits()
    return placed(source.images), source.target


def placed(images):
    """Digits (N, 8, 8) from 0 to 16 on the canvas of MNIST's, (N, 28, 28) uint8: 20×20 pixels, centred by mass.

    4,173 pixels of the digits lie halfway between two bytes, and go to the one that the rounding errors of this matrix
    product lead to. OpenBLAS has the same on all x86 processors with FMA. Others round some pixels differently, and
    `written` refuses them.
    """
    ends = np.linspace(-0.5 + 0.2, 7.5 - 0.2, 20)  # centres of 20 pixels across the 8 of the original
    spread = np.stack([np.interp(ends, range(8), row) for row in np.eye(8)], axis=1)
    large = spread @ (images * (255 / 16)) @ spread.T
    mass = large.sum(axis=(1, 2))
    canvas = np.zeros((len(large), 28, 28), np.uint8)
    for image, digit, total in zip(canvas, large, mass, strict=True):
        rows, columns = digit.sum(axis=1), digit.sum(axis=0)
        top, left = (round(np.clip(13.5 - along @ np.arange(20) / total, 0, 8)) for along in (rows, columns))
        image[top : top + 20, left : left + 20] = np.rint(digit)
    return canvas


def mnist_small():
    """1,000 training and 200 test images of each class of MNIST, evenly spaced in its order, and in that order."""
    parts = []
    for split, n in (("train", 1000), ("test", 200)):
        images, labels = load("mnist", split=split)
        classes = [np.flatnonzero(labels == digit) for digit in range(10)]
        chosen = np.sort(np.concatenate([members[np.arange(n) * len(members) // n] for members in classes]))
        parts.append((images[chosen, :, :, 0], labels[chosen]))
    return tuple(map(np.concatenate, zip(*parts, strict=True)))


def content(images, labels):
    """What a file holds, unpacked: a byte for each label, then 784 for each image."""
    return labels.astype(np.uint8).tobytes() + images.tobytes()


def written(name, found):
    """Write a file. ValueError, and nothing is written, if its content is not the published one."""
    known, seen = INCLUDED[name].sha256, hashlib.sha256(found).hexdigest()
    if seen != known:
        raise ValueError(f"{name} has SHA-256 {seen}; expected {known}")
    path = FOLDER / f"{name}.xz"
    path.write_bytes(lzma.compress(found, filters=PACKING))
    return path


if __name__ == "__main__":
    for name, make in (("digits", digits), ("mnist-small", mnist_small)):
        path = written(name, content(*make()))
        print(f"{path}: {path.stat().st_size:,} bytes")
