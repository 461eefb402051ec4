"""A stream of random numbers per name, so that adding or reordering layers changes no other layer's numbers."""

from collections.abc import Callable
from zlib import crc32

import numpy as np

from .backend import Array, namespace
from .checks import whole


def draw_key(rng: np.random.Generator) -> int:
    """128 random bits from `rng`: the key that every stream of one purpose shares."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {type(rng).__name__}; expected a numpy.random.Generator, as from default_rng(seed)")
    return int.from_bytes(rng.bytes(16), "little")


def stream(key: int, name: str | int) -> np.random.Generator:
    """The generator of one layer name (by CRC-32, the same in every process) or of one number, such as an epoch's."""
    return np.random.default_rng([key, crc32(name.encode()) if isinstance(name, str) else name])


def step_streams(key: int) -> Callable[[int], np.random.Generator]:
    """A function from a step's number to its generator, which is valid until the next call.

    Philox is a counter: 2^128 numbers are set aside for each step, and going to them is faster
    than seeding a new generator.
    """
    bits = np.random.Philox(key=key)
    start = bits.state

    def at(number: int) -> np.random.Generator:
        bits.state = start
        bits.advance(number << 128)
        return np.random.Generator(bits)

    return at


def in_random_order(rng: np.random.Generator, size: int, n: int) -> Array:
    """The first n of the numbers below `size` in a random order, (n,) int64, in memory that follows n."""
    if whole("n", n, 0, size) > size // 4:
        return rng.permutation(size)[:n]
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
    """What sorts numbers below `size`, equals as they stand: by 16 bits at a time, which NumPy counts, not compares."""
    xp = namespace(flat)
    if xp is not np:
        return flat.argsort(kind="stable")
    order = np.arange(len(flat))
    for bits in range(0, size.bit_length(), 16):
        digits = (flat[order] >> bits).astype(np.uint16)
        order = order[digits.argsort(kind="stable")]
    return order
