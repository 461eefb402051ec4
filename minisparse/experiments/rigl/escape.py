"""Out of a static solution (Evci et al. 2020, sec. 4.4 and fig. 6): three ways to continue from the same weights.

A network at 98 % with a static mask is trained by the recipe, scaled to 50 epochs. From its last weights it continues
for as long: unchanged, at the last learning rate; with the mask still static and the whole learning rate schedule
again; and by RigL with that same schedule. The paper gives a picture of training losses, of ResNet-50.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import plot, recipes
from ..studies import Finished, Ours, Running, Study, each, each_seed, mnist, orderings
from .epochs import trained
from .recipe import MODEL, PAPER, PAPER_NAME, recipe_of, start

EPOCHS = 50
BRANCHES = ("continued", "restarted", "rigl")


def run(data_dir: Path | None, seed: int, **numbers: Any) -> Running:
    """The static solution, then the three ways to continue from it."""
    recipe, data = recipe_of(numbers), mnist(data_dir)
    params, masks = start(recipes.mnist_densities(recipe.sparsity), np.random.default_rng(seed))
    last_rate = recipe._replace(rate=recipe.rate / 3 ** len(recipe.drops), drops=())
    static = recipes.static()
    ways = {
        "solution": (static, recipe, 0),
        "continued": (static, last_rate, recipe.steps),
        "restarted": (static, recipe, recipe.steps),
        "rigl": (recipe.rigl(), recipe, recipe.steps),
    }
    result: dict[str, Any] = {}
    for number, (name, (method, by, begin)) in enumerate(ways.items()):
        result[name], last = yield from trained(
            MODEL, params, masks, method, by, data.train, data.test, seed, begin, number, len(ways)
        )
        if name == "solution":
            params, masks = last.params, last.masks
    yield result


def _lower(than: str) -> Ours:
    """Row.ours: by how much RigL's training loss of the last epoch is lower than another's."""
    return each(lambda result: result[than]["loss_by_epoch"][-1] - result["rigl"]["loss_by_epoch"][-1])


def _figures(finished: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    if not finished:
        return []
    losses = {
        name: np.mean([done["result"][name]["loss_by_epoch"] for done in finished], axis=0)
        for name in ("solution", *BRANCHES)
    }
    return [plot.rigl_escape(directory / "rigl_escape.png", len(finished), losses)]


STATIC = "RigL from a static solution"
ABOUT = {
    "solution": "the static solution's",
    "restarted": "a restart with the static mask",
    "continued": "static training that goes on",
}
STUDIES = (
    Study(
        "rigl-escape", PAPER_NAME,
        f"RigL and static training from the weights of a static solution, {EPOCHS} epochs each: training loss.",
        minutes=6, seeds=3, runs=each_seed(run, {"": PAPER.lasting(EPOCHS / 200).numbers}),
        rows=orderings(
            "rigl/escape/below-",
            "Evci et al. 2020, figure 6 right: the ordering",
            *((key, f"{STATIC}: training loss below {about}", _lower(key)) for key, about in ABOUT.items()),
            unit="",
            note=f"mean loss of the last epoch's batches; {EPOCHS} epochs and as many again, schedules scaled from 200",
        ),
        figures=_figures,
    ),
)  # fmt: skip
