"""One stream of random numbers per name, so that adding or reordering layers changes nobody else's numbers."""

from collections.abc import Callable
from zlib import crc32

import numpy as np


def draw_key(rng: np.random.Generator) -> int:
    """128 random bits from `rng`: the key that every stream of one purpose shares."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {type(rng).__name__}; accepted is a numpy.random.Generator, as from default_rng(seed)")
    return int.from_bytes(rng.bytes(16), "little")


def stream(key: int, name: str | int) -> np.random.Generator:
    """The generator of one layer name (by CRC-32, the same in every process) or of one number, such as an epoch's."""
    return np.random.default_rng([key, crc32(name.encode()) if isinstance(name, str) else name])


def step_streams(key: int) -> Callable[[int], np.random.Generator]:
    """A function from a step's number to its generator, which is good until the next step's is asked for.

    Philox is a counter: 2^128 numbers are set aside for each step, and going to them is quicker than seeding anew.
    """
    bits = np.random.Philox(key=key)
    start = bits.state

    def at(number: int) -> np.random.Generator:
        bits.state = start
        bits.advance(number << 128)
        return np.random.Generator(bits)

    return at
