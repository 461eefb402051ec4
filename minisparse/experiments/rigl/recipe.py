"""The RigL authors' MNIST recipe (Evci et al. 2020, app. B), as their script has it.

784-300-100-10, fc1 at 98 %, fc2 at 88.2 %, fc3 dense; Glorot uniform weights; inputs in [0, 1]; batches of 100 for 200
epochs; Nesterov SGD at 0.2 with momentum 0.9, divided by 3 after 75 and 95 epochs (dense: 60, 70, 80); L2 1e-4; α 0.3
on a cosine, ΔT 100, T_end 50,000.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ... import nn, recipes
from ...backend import Array
from ...masks import Masks, random_masks
from ...optim import Optimizer, sgd
from ...schedule import multi_step_rate
from ...train import Method

PAPER_NAME = "Evci et al. 2020"
MODEL = nn.mlp(784, 300, 100, 10, initial=nn.glorot_uniform)


class Recipe(NamedTuple):
    """The numbers of a run, in batches; the defaults are those of the authors' script."""

    steps: int = 120_000
    rate: float = 0.2
    drops: tuple[int, ...] = (45_000, 57_000)  # from here on, a third of the learning rate
    dense_drops: tuple[int, ...] = (36_000, 42_000, 48_000)  # and of the dense network's
    alpha: float = 0.3
    period: int = 100
    t_end: int = 50_000
    sparsity: float = 0.98
    batch: int = 100

    @property
    def numbers(self) -> dict[str, Any]:
        """As a run's config has them."""
        return {name: list(n) if isinstance(n, tuple) else n for name, n in self._asdict().items()}

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch of MNIST."""
        return 60_000 // self.batch

    def optimizer(self, dense: bool = False) -> Optimizer:
        """The authors' SGD, with the learning rate of a sparse or of a dense network."""
        rate = multi_step_rate(self.rate, self.dense_drops if dense else self.drops, 1 / 3)
        return sgd(rate, momentum=0.9, nesterov=True, weight_decay=1e-4)

    def rigl(self, **options: Any) -> Method:
        """RigL by this schedule; options: of recipes.rigl."""
        return recipes.rigl(self.alpha, self.period, self.t_end, self.steps, **options)

    def lasting(self, share: float) -> "Recipe":
        """With every time but ΔT multiplied by `share`."""
        drops, dense_drops = (tuple(round(share * n) for n in given) for given in (self.drops, self.dense_drops))
        steps, t_end = round(share * self.steps), round(share * self.t_end)
        return self._replace(steps=steps, drops=drops, dense_drops=dense_drops, t_end=t_end)


PAPER = Recipe()


def recipe_of(numbers: Mapping[str, Any]) -> Recipe:
    """The recipe in a run's config."""
    given: dict[str, Any] = {name: tuple(n) if isinstance(n, list) else n for name, n in numbers.items()}
    return Recipe(**given)


def start(densities: Mapping[str, float], rng: np.random.Generator) -> tuple[dict[str, Array], Masks]:
    """(params, masks) of MODEL before training; a layer not in `densities` is dense."""
    params = MODEL.init(rng)
    return params, random_masks({name: params[name].shape for name in densities}, densities, rng)
