"""RigL's own choices, one at a time (Evci et al. 2020, sec. 4.3, app. D and F): α and ΔT, distribution, what grows.

One seed, 50 epochs with all times but ΔT scaled from the recipe of `rigl`, at 98 %. The distributions have the same
connections altogether at each sparsity; in a network without convolutions ERK is ER. One run differs from the next
by chance too: over seeds the last epoch's error at 98 % has a standard deviation of about 0.06 points.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import recipes
from ...allocate import density_of, erdos_renyi_kernel, uniform
from ...masks import random_masks
from ..studies import Finished, Row, Run, Study, gap, mnist
from .epochs import Epoch, epochs, outcome
from .picture import MODEL, PAPER, PAPER_NAME, recipe_of

EPOCHS = 50
ALPHAS, PERIODS = (0.1, 0.3, 0.5), (50, 100, 500, 1000)
SPARSITIES = (0.95, 0.98, 0.99)
DISTRIBUTIONS = {"erk": erdos_renyi_kernel, "uniform": uniform}
SIGNALS = {"gradient": recipes.latest, "momentum": recipes.smoothed(0.9), "random": recipes.noise}
FILLS = {"zero": None, "random": recipes.random_values(0.01), "along gradient": recipes.along_gradient(0.01)}
BASE = {"method": "rigl", "distribution": "authors", "signal": "gradient", "grown": "zero"}


def run(
    data_dir: Path | None, seed: int, method: str, distribution: str, signal: str, grown: str, **numbers: Any
) -> Iterator[float | dict[str, Any]]:
    """RigL, or a static mask, with one of each of the choices."""
    recipe, data = recipe_of(numbers), mnist(data_dir)
    rng = np.random.default_rng(seed)
    params, densities = MODEL.init(rng), recipes.mnist_densities(recipe.sparsity)
    shapes = {name: params[name].shape for name in densities}
    if distribution != "authors":
        densities = DISTRIBUTIONS[distribution](shapes, density_of(recipe.sparsity))
    masks = random_masks(shapes, densities, rng)
    moving = recipes.rigl(
        recipe.alpha, recipe.period, recipe.t_end, recipe.steps, watch=SIGNALS[signal], fill=FILLS[grown]
    )
    method_of = moving if method == "rigl" else recipes.static()
    seen: list[Epoch] = []
    for epoch, step in epochs(
        MODEL, params, masks, method_of, recipe.optimizer(), data.train, data.test, recipe.batch, recipe.steps, seed
    ):
        seen.append(epoch)
        last = step
        yield (step.number + 1) / recipe.steps
    yield outcome(seen, last.masks)


def config(seed: int, **choice: Any) -> dict[str, Any]:
    """A run's config: all as the authors have it, but for what is chosen."""
    return {"seed": seed, **BASE, **PAPER.lasting(EPOCHS / 200).numbers, **choice}


def _runs(seeds: int) -> list[Run]:
    choices: dict[str, dict[str, Any]] = {"base": {}, "static": {"method": "static"}}
    choices |= {f"signal-{signal}": {"signal": signal} for signal in SIGNALS if signal != "gradient"}
    choices |= {f"grown-{grown.replace(' ', '-')}": {"grown": grown} for grown in FILLS if grown != "zero"}
    choices |= {
        f"{name}-S{sparsity}": {"distribution": name, "sparsity": sparsity}
        for sparsity in SPARSITIES
        for name in DISTRIBUTIONS
    }
    choices |= {
        f"alpha{alpha}-period{period}": {"alpha": alpha, "period": period}
        for alpha in ALPHAS
        for period in PERIODS
        if (alpha, period) != (PAPER.alpha, PAPER.period)
    }
    return [
        Run(f"{name}-seed{seed}", seed, run, config(seed, **choice))
        for seed in range(seeds)
        for name, choice in choices.items()
    ]


def _lower(choice: dict[str, Any], than: dict[str, Any]) -> Any:
    """Row.ours: by how many points the last epoch's error of one choice is lower than another's."""
    full = lambda own: {name: value for name, value in config(0, **own).items() if name != "seed"}
    return gap("error_last", full(than), full(choice))


def _row(key: str, about: str, source: str, ours: Any, tolerance: float = 0, note: str = "") -> Row:
    scaled = f"one seed, {EPOCHS} epochs in place of 200, T_end scaled"
    source = f"Evci et al. 2020, {source}"
    return Row(f"rigl/sweeps/{key}", about, None, "points", tolerance, source, ours, note=f"{note}{scaled}")


def _figures(finished: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    from ...plot import rigl_sweeps

    def error(**choice: Any) -> float | None:
        wanted = config(0, **choice)
        return next((one["result"]["error_last"] for one in finished if one["config"] == wanted), None)

    if not finished:
        return []
    return [
        rigl_sweeps(
            directory / "rigl_sweeps.png",
            {alpha: [(period, error(alpha=alpha, period=period)) for period in PERIODS] for alpha in ALPHAS},
            {name: [(s, error(distribution=name, sparsity=s)) for s in SPARSITIES] for name in DISTRIBUTIONS},
            {
                "RigL: by gradient, from zero": error(),
                "growth by momentum": error(signal="momentum"),
                "growth at random": error(signal="random"),
                "grown weights from N(0, 0.01²)": error(grown="random"),
                "grown weights from −0.01 gradient": error(grown="along gradient"),
                "static mask": error(method="static"),
            },
        )
    ]


WORSE = "not better: by more than one run's chance of 0.2 points would be; "
STUDIES = (
    Study(
        "rigl-sweeps",
        PAPER_NAME,
        f"RigL's choices, one at a time: α and ΔT, distribution, what grows and from which value; {EPOCHS} epochs.",
        minutes=33,
        seeds=1,
        runs=_runs,
        rows=(
            _row(
                "rare-updates",
                "ΔT 100 better than ΔT 1000 at α 0.3: how much lower the error is",
                "figure 5 right",
                _lower({}, {"period": 1000}),
            ),
            _row(
                "rare-updates-above-static",
                "ΔT 1000 at α 0.3 still better than a static mask: how much lower the error is",
                "figure 5 right",
                _lower({"period": 1000}, {"method": "static"}),
            ),
            *(
                _row(
                    f"erk-{sparsity}",
                    f"ERK better than uniform at {100 * sparsity:g} %: how much lower the error is",
                    "figure 5 left",
                    _lower(
                        {"distribution": "erk", "sparsity": sparsity}, {"distribution": "uniform", "sparsity": sparsity}
                    ),
                )
                for sparsity in SPARSITIES
            ),
            _row(
                "random-growth",
                "growth by gradients better than at random: how much lower the error is",
                "section 3; SET against RigL in figure 2",
                _lower({}, {"signal": "random"}),
            ),
            _row(
                "momentum-growth",
                "growth by momentum 0.9 not better than by the latest gradient: how much lower the latter's error is",
                "appendix D",
                _lower({}, {"signal": "momentum"}),
                -0.2,
                WORSE,
            ),
            *(
                _row(
                    f"grown-{grown.replace(' ', '-')}",
                    f"grown weights from {about} not better than from zero: how much lower the error from zero is",
                    "section 3",
                    _lower({}, {"grown": grown}),
                    -0.2,
                    WORSE,
                )
                for grown, about in (("random", "N(0, 0.01²)"), ("along gradient", "−0.01 of the gradient"))
            ),
        ),
        figures=_figures,
    ),
)
