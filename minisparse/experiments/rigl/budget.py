"""All methods with the same connections (Evci et al. 2020, fig. 2 and its article's ResNet-50 figure), on an MLP.

Every method trains 784-300-100-10 on MNIST with 9,244 of 266,200 weights (fc1 98 %, fc2 88.2 %, fc3 dense), batches of
100, and the RigL authors' MNIST recipe with all times scaled from 200 epochs to 50: Nesterov SGD at 0.2, a third of it
after 75/200 and 95/200 of the run (dense networks: 60, 70, 80), L2 1e-4, ΔT 100, T_end 50,000/120,000. The small dense
network, 784-12-4-10, does not train at 0.2: of 0.2, 0.1, 0.05, 0.02 and 0.01 the rate 0.1 left the lowest error on
5,000 validation images, in 15 epochs of two seeds (50, 7.7, 8.1, 9.4, 10.6 %). Each method is as `minisparse compare`
runs it: SET and SNFS rewire after every epoch as their papers do, gradual pruning begins at T_end / 4, a lottery
ticket has three rounds of the same length before the last. Training costs are those of the run itself, summed over its
batches. Longer training (×2, ×5) has all times multiplied.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ... import plot
from ..studies import Finished, Ours, Run, Running, Study, by_plan, gap, grouped, orderings
from .recipe import PAPER, PAPER_NAME

EPOCHS = 50
SMALL_DENSE_RATE = 0.1
METHODS = ("dense", "small-dense", "static", "snip", "set", "snfs", "rigl", "gradual", "lottery")
ORDER = {  # what RigL is above, and the paper's points of ImageNet accuracy at S = 0.9 (figure 2)
    "static": "72.0 to 65.8",
    "snip": "72.0 to 67.2",
    "small-dense": "72.0 to 68.9",
    "set": "72.0 to 69.6",
}


def run(data_dir: Path | None, **numbers: Any) -> Running:
    """A run by go, in a temporary folder. numbers: a Plan's, except for its data."""
    with TemporaryDirectory() as directory:
        yield from by_plan(
            directory, data_dir, model="lenet-300-100", data="mnist", distribution="rigl-mnist", **numbers
        )


def config(method: str, seed: int, times: int = 1) -> dict[str, Any]:
    """A run's config: the authors' recipe, scaled."""
    recipe = PAPER.lasting(times * EPOCHS / 200)
    drops = recipe.dense_drops if method in ("dense", "small-dense") else recipe.drops
    return {
        "method": method, "seed": seed, "sparsity": recipe.sparsity, "epochs": times * EPOCHS, "batch": recipe.batch,
        "lr": SMALL_DENSE_RATE if method == "small-dense" else recipe.rate,
        "lr_drops": [steps / recipe.per_epoch for steps in drops], "lr_factor": 1 / 3, "nesterov": True,
        "weight_decay": 1e-4, "alpha": recipe.alpha, "delta_t": recipe.period, "t_end": recipe.t_end,
    }  # fmt: skip


def _run(method: str, seed: int, times: int = 1) -> Run:
    name = f"{method}-seed{seed}" if times == 1 else f"{method}-{times}x-seed{seed}"
    return Run(name, seed, run, config(method, seed, times))


def _budget(seeds: int) -> list[Run]:
    of_a_seed = lambda s: [_run("rigl", s), *(_run(m, s) for m in METHODS if m != "rigl"), _run("rigl", s, 2)]
    return [run for seed in range(seeds) for run in of_a_seed(seed)]


def _longer(seeds: int) -> list[Run]:
    return [_run(m, seed, times) for seed in range(seeds) for times in (1, 2, 5) for m in ("rigl", "static")]


def _above(low: dict[str, Any], high: dict[str, Any] | None = None) -> Ours:
    """Row.ours: by how many points of last test accuracy RigL, or `high`, is above `low`."""
    return gap("error_last", low, high or RIGL)


RIGL, TWICE, FIVE_TIMES = ({"method": "rigl", "epochs": times * EPOCHS} for times in (1, 2, 5))
STATIC_FIVE_TIMES = {"method": "static", "epochs": 5 * EPOCHS}
SCALED = f"{EPOCHS} epochs in place of 200, schedules scaled"
FIGURE_2 = "Evci et al. 2020, figure 2: the ordering"
BUDGET_ROWS = (
    *orderings("rigl/equal-budget/", FIGURE_2,
        *((f"above-{method}", f"RigL above {method} at 98 %, test accuracy", _above({"method": method}),
           f"the paper's is of ResNet-50 on ImageNet at 90 %: {paper} %; {SCALED}") for method, paper in ORDER.items()),
        ("set-above-static", "SET above static at 98 %, test accuracy",
         _above({"method": "static"}, {"method": "set"}), f"ResNet-50 at 90 %: 69.6 to 65.8 %; {SCALED}")),
    *orderings("rigl/equal-budget/", "Evci et al. 2020, table 3: the ordering",
        ("above-lottery", "RigL from random masks above a lottery ticket at 98 %, test accuracy",
         _above({"method": "lottery"}),
         f"ResNet-50 at 80 %: 74.55 to 70.82 %; our ticket has three rounds before it, {SCALED}")),
    *orderings("rigl/equal-budget/", FIGURE_2,
        ("twice-as-long", "RigL trained twice as long above RigL at 98 %, test accuracy", _above(RIGL, TWICE), SCALED)),
)  # fmt: skip
EXTENDED_ROWS = (
    *orderings("rigl/extended/", FIGURE_2,
        ("rigl-five-times", "RigL trained five times as long above RigL at 98 %, test accuracy",
         _above(RIGL, FIVE_TIMES), f"ResNet-50 at 90 %: 75.7 to 72.0 %; once is {SCALED}"),
        ("above-static-five-times", "RigL above static at 98 %, both trained five times as long, test accuracy",
         _above(STATIC_FIVE_TIMES, FIVE_TIMES), f"once is {SCALED}")),
    *orderings("rigl/extended/",
        "Evci et al. 2020, figure 2: longer training does not make up for a mask that stays",
        ("rigl-once-above-static-five-times",
         "RigL above a static mask trained five times as long, at 98 %, test accuracy", _above(STATIC_FIVE_TIMES),
         f"the paper has no static mask trained longer: our own question; once is {SCALED}")),
)  # fmt: skip


def _equal_budget(finished: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    points: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for done in finished:
        cost, times = done["result"]["multiply_adds"], done["config"]["epochs"] // EPOCHS
        point = times * cost["training_as_it_was"] / cost["training_dense"], 100 - done["result"]["error_last"]
        points.setdefault((done["config"]["method"], times), []).append(point)
    title = f"MNIST, 98 % sparse; {SCALED}"
    return [plot.rigl_equal_budget(directory / "rigl_equal_budget.png", title, points)] if len(points) > 1 else []


def _extended(finished: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    curves: dict[str, dict[int, list[float]]] = {}
    for (method, epochs), errors in grouped(finished, ("method", "epochs"), "error_last").items():
        curves.setdefault(method, {})[epochs // EPOCHS] = [100 - error for error in errors]
    return [plot.rigl_extended(directory / "rigl_extended.png", EPOCHS, curves)] if finished else []


STUDIES = (
    Study(
        "rigl-equal-budget", PAPER_NAME,
        f"Nine methods with the same 9,244 connections, {SCALED}: test accuracy against what training cost.",
        minutes=20, seeds=3, runs=_budget, rows=BUDGET_ROWS, figures=_equal_budget,
        causes={
            "rigl/equal-budget/above-lottery": "The paper's ordering is of ResNet-50, 80 % sparse. Our ticket has "
            "three rounds of training before it: 1.43 times the cost of the dense network's, RigL's is 0.04 of it."
        },
    ),
    Study(
        "rigl-extended", PAPER_NAME,
        f"RigL and a static mask at 98 %, trained for {EPOCHS} epochs, twice and five times as long.",
        minutes=23, seeds=3, runs=_longer, rows=EXTENDED_ROWS, figures=_extended,
    ),
)  # fmt: skip
