"""Each method with its schedule, as its paper ran it: the one file where the two meet."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from .allocate import density_of
from .backend import Array
from .masks import Masks
from .methods.rigl import rigl_count, rigl_update
from .schedule import every
from .train import Method


def forget(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> None:
    """Remember nothing."""


def latest(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Remember this batch's gradients."""
    return grads


def static() -> Method:
    """Masks that never move: the baseline. With no masks at all it is dense training."""
    return Method(observe=forget, decide=lambda weights, masks, memory, step: masks, when=lambda step: False)


def rigl(alpha: float = 0.3, period: int = 100, t_end: int = 25_000, steps: int | None = None) -> Method:
    """RigL (Evci et al. 2020): at ΔT, 2ΔT, … below T_end an update takes the place of the optimizer step.

    alpha α, the drop fraction at first; period ΔT, in batches; t_end T_end, exclusive; steps: the run's length in
    batches, if known, so that a T_end it never reaches is warned of.
    """
    if steps is not None and t_end > steps:
        warnings.warn(
            f"t_end is {t_end}, beyond the run's {steps} steps: masks will still be moving at its end", stacklevel=2
        )

    def decide(weights: dict[str, Array], masks: Masks, grads: dict[str, Array], step: int) -> Mapping[str, Array]:
        k = {name: rigl_count(step, n_active, alpha, t_end) for name, n_active in masks.counts.items()}
        return {name: rigl_update(weights[name], mask, grads[name], k[name]) for name, mask in masks.items()}

    return Method(observe=latest, decide=decide, when=every(period, t_end), pauses=True)


def mnist_densities(sparsity: float) -> dict[str, float]:
    """The densities of RigL's MNIST network (its authors' script): fc1 as asked, fc2 at 0.9 of its sparsity, fc3 dense.

    sparsity in [0, 1): 0.98 gives 4,704 + 3,540 + 1,000 connections of LeNet-300-100.
    """
    return {"fc1.weight": density_of(sparsity), "fc2.weight": density_of(sparsity, of=0.9), "fc3.weight": 1.0}
