"""Photographs as inputs: scaled per channel when a batch is made, after random crops and flips.

Images stay bytes in memory, a quarter of their size as float32.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ..backend import Array, namespace
from ..checks import whole
from ..streams import stream

Augment = Callable[[Array, Array, int], Array]  # (images, their places in the data set, epoch) -> images


def crops_and_flips(n: int, seed: int, pad: int = 4) -> Augment:
    """Crop and flip images at random, as He et al. 2016 do for CIFAR: `pad` black pixels on every side, a crop of the
    original size, and a mirror image of every other one.

    Returns augment(images, examples, epoch) for a data set of n images: images (B, H, W, C), whose places in the data
    set are `examples` (B,). The crop of an example is a function of (seed, epoch, example) alone.
    """
    whole("n", n, 1), whole("seed", seed, 0), whole("pad", pad, 0)

    @lru_cache(maxsize=2)
    def drawn(epoch: int) -> np.ndarray:
        """Line, column, and 1 for a mirror image, of every example: (n, 3)."""
        return stream(seed, f"crops of epoch {epoch}").integers(0, [2 * pad + 1, 2 * pad + 1, 2], size=(n, 3))

    def augment(images: Array, examples: Array, epoch: int) -> Array:
        xp, (_, h, w, _) = namespace(images), images.shape
        top, left, mirrored = xp.asarray(drawn(epoch)).take(examples, axis=0).T[..., None]
        columns = xp.arange(w)
        columns = left + xp.where(mirrored == 1, columns[::-1], columns)
        framed = xp.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        lines = (top + xp.arange(h))[:, :, None]
        return framed[xp.arange(len(images))[:, None, None], lines, columns[:, None, :]]

    return augment


class Scaled:
    """Images (N, H, W, C) of bytes that become float32 where they are read: (x / 255 − mean) / std, per channel.

    mean, std (C,), of x / 255. Indexing reads a batch; `augmented(augment)` crops and flips first. It is not an array:
    .images are the bytes; .shape, .ndim, .dtype and len() are those of the float32 array. example: the shape in which
    an image is read, if not (H, W, C).
    """

    def __init__(
        self, images: Array, mean: Any, std: Any, augment: Augment | None = None, example: tuple[int, ...] | None = None
    ):
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError(f"images have shape {images.shape} and dtype {images.dtype}; expected (N, H, W, C), uint8")
        xp = namespace(images)
        self.images, self.mean, self.std, self.augment = images, np.asarray(mean), np.asarray(std), augment
        if self.mean.shape != images.shape[3:] or self.std.shape != images.shape[3:] or not (self.std > 0).all():
            raise ValueError(f"mean is {mean}, std is {std}; expected {images.shape[3]} numbers each, std above 0")
        values = (np.arange(256)[:, None] / 255 - self.mean) / self.std
        self._table = xp.asarray(np.ascontiguousarray(values.T).astype(np.float32).ravel())  # 256 values per channel
        self._places = xp.arange(images.shape[3]) * 256
        self.shape = (len(images), *(images.shape[1:] if example is None else example))
        self.ndim, self.dtype = len(self.shape), np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, examples: Any) -> Array:
        return self._read(self.images[examples])

    def batch(self, examples: Array, epoch: int) -> Array:
        """The examples at these places, as they are seen in this epoch."""
        images = self.images[examples]
        return self._read(self.augment(images, examples, epoch) if self.augment else images)

    def augmented(self, augment: Augment) -> "Scaled":
        return Scaled(self.images, self.mean, self.std, augment, self.shape[1:])

    def reshape(self, n: int, *example: int) -> "Scaled":
        """The same with every image in another shape, such as (H W C,); n is -1 or the number of images."""
        return Scaled(self.images, self.mean, self.std, self.augment, example)

    def moved(self, to: Callable[[Any], Any]) -> "Scaled":
        return Scaled(to(self.images), self.mean, self.std, self.augment, self.shape[1:])

    def _read(self, images: Array) -> Array:
        return self._table.take(images + self._places).reshape(-1, *self.shape[1:])


def by_channel(images: Array, *others: Array) -> tuple[Scaled, ...]:
    """`images` and `others` scaled by the mean and standard deviation of each channel of `images`, the training set.

    uint8 (N, H, W, C). Both are computed from counts of whole numbers, so they are the same on every machine.
    ValueError for a channel in which all pixels are equal.
    """
    xp = namespace(images)
    counts = [xp.bincount(images[..., channel].ravel(), minlength=256) for channel in range(images.shape[3])]
    values, mean, std = range(256), [], []
    for count in counts:
        n, total = int(count.sum()), sum(v * int(k) for v, k in zip(values, count, strict=True))
        squares = sum(v * v * int(k) for v, k in zip(values, count, strict=True))
        mean.append(total / n / 255)
        std.append((n * squares - total * total) ** 0.5 / n / 255)
    if not all(std):
        raise ValueError(f"images have channels of a single value: std is {std}; expected images that differ")
    return tuple(Scaled(each, mean, std) for each in (images, *others))
