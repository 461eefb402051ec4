"""Out of a static solution (Evci et al. 2020, sec. 4.4 and fig. 6): the same weights, trained on in three ways.

A network at 98 % with a static mask is trained by the recipe of `rigl`, scaled to 50 epochs. From its last weights it
goes on for as long: as it was, at the last learning rate; with the mask still static and the whole learning rate
schedule anew; and by RigL with that same schedule. The paper gives a picture of training losses, of ResNet-50.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import recipes
from ...masks import random_masks
from ..studies import Finished, Row, Run, Study, each, mnist
from .epochs import Epoch, epochs, outcome
from .picture import MODEL, PAPER, PAPER_NAME, recipe_of

EPOCHS = 50
BRANCHES = ("continued", "restarted", "rigl")


def run(data_dir: Path | None, seed: int, **numbers: Any) -> Iterator[float | dict[str, Any]]:
    """The static solution, then the three ways on from it."""
    recipe, data = recipe_of(numbers), mnist(data_dir)
    rng = np.random.default_rng(seed)
    params, densities = MODEL.init(rng), recipes.mnist_densities(recipe.sparsity)
    masks = random_masks({name: params[name].shape for name in densities}, densities, rng)
    last_rate = recipe._replace(rate=recipe.rate / 3 ** len(recipe.drops), drops=())
    static = recipes.static()
    ways = {
        "solution": (static, recipe, 0),
        "continued": (static, last_rate, recipe.steps),
        "restarted": (static, recipe, recipe.steps),
        "rigl": (recipes.rigl(recipe.alpha, recipe.period, recipe.t_end, recipe.steps), recipe, recipe.steps),
    }
    result: dict[str, Any] = {}
    for number, (name, (method, own, begin)) in enumerate(ways.items()):
        seen: list[Epoch] = []
        for epoch, step in epochs(
            MODEL, params, masks, method, own.optimizer(), data.train, data.test, own.batch, own.steps, seed, begin
        ):
            seen.append(epoch)
            last = step
            yield (number + (step.number + 1) / own.steps) / len(ways)
        result[name] = outcome(seen, last.masks)
        if name == "solution":
            params, masks = last.params, last.masks
    yield result


def _runs(seeds: int) -> list[Run]:
    numbers = PAPER.lasting(EPOCHS / 200).numbers
    return [Run(f"seed{seed}", seed, run, {"seed": seed, **numbers}) for seed in range(seeds)]


def _lower(than: str) -> Any:
    """Row.ours: by how much RigL's training loss of the last epoch is lower than another's."""
    return each(lambda result: result[than]["loss_by_epoch"][-1] - result["rigl"]["loss_by_epoch"][-1])


def _figures(finished: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    from ...plot import rigl_escape

    if not finished:
        return []
    losses = {
        name: np.mean([one["result"][name]["loss_by_epoch"] for one in finished], axis=0)
        for name in ("solution", *BRANCHES)
    }
    return [rigl_escape(directory / "rigl_escape.png", len(finished), losses)]


NOTE = f"mean loss of the last epoch's batches; {EPOCHS} epochs and as many again, schedules scaled from 200"
STUDIES = (
    Study(
        "rigl-escape",
        PAPER_NAME,
        f"RigL and static training from the weights of a static solution, {EPOCHS} epochs each: training loss.",
        minutes=6,
        seeds=3,
        runs=_runs,
        rows=tuple(
            Row(
                f"rigl/escape/below-{key}",
                f"RigL from a static solution: training loss below {about}",
                None,
                "",
                0,
                "Evci et al. 2020, figure 6 right: the ordering",
                _lower(key),
                note=NOTE,
            )
            for key, about in (
                ("solution", "the static solution's"),
                ("restarted", "a restart with the static mask"),
                ("continued", "static training that goes on"),
            )
        ),
        figures=_figures,
    ),
)
