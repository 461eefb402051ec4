"""What methods remember of gradients, and the initial values of grown weights."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..backend import Array, namespace
from ..checks import real
from ..masks import Masks
from ..storage import as_numbers, in_full, random_order
from ..streams import draw_key, stream

Arrays = Mapping[str, Array]
Observe = Callable[[Any, dict[str, Array], np.random.Generator], Any]
Fill = Callable[[str, Array, Arrays, Arrays, np.random.Generator], Array]
Fraction = Callable[[int], float]
DENSE_BY_DEFINITION = (
    "SNFS needs a running average of the gradients of absent weights, a dense array by definition: "
    "it cannot be stored truly sparse"
)


def forget(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> None:
    """Remember nothing."""


def latest(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Remember this batch's gradients."""
    return grads


def noise(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> int:
    """Remember a key, from which every layer's random numbers are drawn when needed."""
    return draw_key(rng)


def smoothed(beta: float) -> Observe:
    """Remember gradients smoothed over batches, M ← β M + (1 − β) g from zero: dense, and never reset."""
    real("beta", beta, "a number in [0, 1)", lambda beta: 0 <= beta < 1)
    beta = float(beta)  # NumPy scalars would turn float32 into float64

    def observe(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
        new = {name: (1 - beta) * as_numbers(in_full(g, DENSE_BY_DEFINITION)) for name, g in grads.items()}
        return {name: beta * memory[name] + m for name, m in new.items()} if memory else new

    return observe


def random_values(sigma: float) -> Fill:
    """Grown weights start at N(0, σ²)."""
    return lambda name, grown, weights, grads, rng: namespace(grown).asarray(rng.normal(0, sigma, int(grown.sum())))


def along_gradient(rate: float) -> Fill:
    """Grown weights start at −rate · g, a small step along this batch's negative gradient."""
    return lambda name, grown, weights, grads, rng: -float(rate) * grads[name]


def ranked_by(memory: Any, masks: Masks) -> Arrays:
    """Growth scores: the remembered gradients, or random ranks drawn from a key."""
    if not isinstance(memory, int):
        return memory
    return {name: random_order(mask, stream(memory, name)) for name, mask in masks.items()}
