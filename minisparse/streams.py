"""A random stream per name: adding or reordering layers changes no other layer's numbers."""

from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np

from .backend import Array, namespace
from .checks import whole


def draw_key(rng: np.random.Generator) -> int:
    """128 random bits from `rng`: the key shared by all streams of one purpose."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {type(rng).__name__}; expected a numpy.random.Generator, as from default_rng(seed)")
    return int.from_bytes(rng.bytes(16), "little")


def stream(key: int, name: str | int) -> np.random.Generator:
    """The generator of a layer name (by CRC-32, the same in every process) or of a number, such as an epoch."""
    return np.random.default_rng([key, crc32(name.encode()) if isinstance(name, str) else name])


def step_streams(key: int) -> Callable[[int], np.random.Generator]:
    """A function from a step's number to its generator, which is valid until the next call.

    Philox is counter-based: each step has 2^128 numbers, and setting its counter is faster than seeding a generator.
    """
    bits = np.random.Philox(key=key)
    start: Any = bits.state
    rng = np.random.Generator(bits)

    def at(number: int) -> np.random.Generator:
        start["state"]["counter"][2] = number  # in units of 2^128
        bits.state = start
        return rng

    return at


def in_random_order(rng: np.random.Generator, size: int, n: int) -> Array:
    """The first n of a random permutation of the numbers below `size`, (n,) int64, in memory proportional to n."""
    if whole("n", n, 0, size) > size // 4:
        return rng.permutation(size)[:n].astype(np.int64, copy=False)  # 32 bits in a browser
    drawn = seen = np.empty(0, np.int64)
    while len(drawn) < n:
        more = rng.integers(size, size=n - len(drawn))
        order = _order(more, size)
        places = np.minimum(np.searchsorted(seen, more), max(len(seen) - 1, 0))
        first = seen[places] != more if len(seen) else np.ones(len(more), bool)
        first[order[1:][more[order[1:]] == more[order[:-1]]]] = False
        drawn = np.concatenate([drawn, more[first]])
        if len(drawn) < n:
            seen = in_rising_order(drawn, size)
    return drawn


def in_rising_order(flat: Array, size: int) -> Array:
    """Numbers below `size`, sorted."""
    return flat[_order(flat, size)]


def _order(flat: Array, size: int) -> Array:
    """A stable argsort of numbers below `size`, 16 bits at a time: NumPy uses a radix sort for these."""
    xp = namespace(flat)
    if xp is not np:
        return flat.argsort(kind="stable")
    order = np.arange(len(flat))
    for bits in range(0, size.bit_length(), 16):
        digits = (flat[order] >> bits).astype(np.uint16)
        order = order[digits.argsort(kind="stable")]
    return order
