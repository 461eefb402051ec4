"""Arrays as text in JSON results, where a list would take a line per number."""

from base64 import b64decode, b64encode
from collections.abc import Sequence

import numpy as np

from ..backend import Array


def packed(array: Array) -> str:
    """A boolean array as bits, or whole numbers from 0 to 65,535 as two bytes, in C order and base64.

    ValueError for other numbers.
    """
    if array.dtype == bool:
        return b64encode(np.packbits(array).tobytes()).decode()
    whole = array.astype("<u2")
    if (whole != array).any():
        raise ValueError(f"array has values from {array.min()} to {array.max()}; expected 0 to 65,535")
    return b64encode(whole.tobytes()).decode()


def unpacked_mask(text: str, shape: Sequence[int]) -> Array:
    """The boolean array of this shape that was packed as `text`."""
    bits = np.frombuffer(b64decode(text), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(shape))).astype(bool).reshape(shape)


def unpacked_counts(text: str, shape: Sequence[int]) -> Array:
    """The whole numbers of this shape that were packed as `text`."""
    return np.frombuffer(b64decode(text), "<u2").astype(np.int64).reshape(shape)
