"""RigL on CIFAR-10 (Evci et al. 2020, sec. 4.1.2 and fig. 4, right): a wide residual network, all methods.

The paper's recipe, rigl-cifar, is for a GPU: WRN-22-2, batches of 128 for 250 epochs, Nesterov SGD at 0.1 with momentum
0.9, divided by 5 after every 30,000 batches, L2 5e-4, random crops and mirror images, ΔT 100, α 0.3. What two
processors can pay, rigl-cifar-small, is WRN-10-1, with 77,850 parameters in place of 1.1 million, for 10 epochs, with
all times scaled by 10/250 but ΔT. Densities are ERK's over all layers, or uniform with the first layer dense. T_end is
three quarters of a run, as the paper has it. SET and SNFS rewire after every epoch, as their papers do; in ten epochs
that is nine times, where RigL changes its masks 29 times.

The paper shows a figure without numbers; those of rigl-cifar's rows were read from it by its reproduction (Sundar &
Dwaraknath 2021, table 1).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ... import plot
from ...looks import LOOKS
from ..studies import Finished, Ours, Run, Running, Study, by_plan, each, gap, orderings, rows
from .recipe import PAPER_NAME

DROPS = 30_000, 60_000, 90_000  # batches of 128, of which CIFAR-10 has 390
SMALL = {"model": "wrn-10-1", "epochs": 10}
PAPERS = {"model": "wrn-22-2", "epochs": 250}
METHODS = ("rigl", "static", "set", "dense", "snfs", "gradual", "snip", "small-dense")
SPARSITIES = (0.9, 0.8, 0.95)
PAPERS_SPARSITIES = (0.9, 0.8, 0.5)


def run(data_dir: Path | None, folder: Path, device: str = "cpu", **numbers: Any) -> Running:
    """A run in `folder`, which it continues. numbers: a Plan's."""
    yield from by_plan(folder, data_dir, data="cifar10", augment=True, device=device, **numbers)


def config(
    method: str, sparsity: float, seed: int, scale: Mapping[str, Any], distribution: str = "erk"
) -> dict[str, Any]:
    """A run's config: the paper's recipe for the network and number of epochs in `scale`."""
    share = scale["epochs"] / 250
    return {
        "method": method, **scale, "seed": seed, "sparsity": sparsity, "batch": 128, "lr": 0.1,
        "lr_drops": [round(share * n / 390, 4) for n in DROPS], "lr_factor": 0.2, "nesterov": True,
        "weight_decay": 5e-4, "alpha": 0.3, "delta_t": 100, "distribution": distribution,
    }  # fmt: skip


def runs(seeds: int, scale: Mapping[str, Any], sparsities: Sequence[float]) -> list[Run]:
    """Study.runs: of the first seed all, of others only the first sparsity."""
    made = []
    for seed in range(seeds):
        for sparsity in sparsities if seed == 0 else sparsities[:1]:
            for method in METHODS:
                if method != "dense" or sparsity == sparsities[0]:
                    name = method if method == "dense" else f"{method}-{round(100 * sparsity)}"
                    made.append((f"{name}-seed{seed}", config(method, sparsity, seed, scale)))
            if sparsity == sparsities[0]:
                uniform = config("rigl", sparsity, seed, scale, "uniform")
                made.append((f"rigl-uniform-{round(100 * sparsity)}-seed{seed}", uniform))
    return [Run(name, numbers["seed"], run, numbers, keeps=True, device="cpu") for name, numbers in made]


def points(one: Mapping[str, Any], other: Mapping[str, Any]) -> Ours:
    """Row.ours: by how many points of last test accuracy the runs of `one` are above those of `other`."""
    return gap("error_last", other, one)


def of(method: str, sparsity: float = SPARSITIES[0], distribution: str = "erk") -> dict[str, Any]:
    """What the configs of these runs have, of every seed."""
    return {"method": method, "distribution": distribution} | ({} if method == "dense" else {"sparsity": sparsity})


def ordered(prefix: str, sparsities: Sequence[float], note: str) -> tuple:
    """Rows of what the paper's figure orders."""
    first = sparsities[0]
    return orderings(prefix, "Evci et al. 2020, figure 4 (right): the ordering",
        *((f"above-{low}-{100 * sparsity:g}", f"RigL above {LOOKS[low].label} at {sparsity:.0%}, test accuracy",
           points(of("rigl", sparsity), of(low, sparsity)), note)
          for sparsity in sparsities for low in ("static", "set", "snip", "small-dense")),
        *((f"set-above-static-{100 * sparsity:g}", f"SET above static at {sparsity:.0%}, test accuracy",
           points(of("set", sparsity), of("static", sparsity)), note) for sparsity in sparsities),
        (f"erk-above-uniform-{100 * first:g}", f"RigL's ERK above uniform at {first:.0%}, test accuracy",
         points(of("rigl"), of("rigl", first, "uniform")), note),
    )  # fmt: skip


SMALL_NOTE = "WRN-10-1 for 10 epochs, not WRN-22-2 for 250"
READ = "Evci et al. 2020, figure 4, as read by Sundar & Dwaraknath 2021, table 1"
PUBLISHED = {"static": (91.6, 92.9, 94.2), "gradual": (93.3, 93.5, 94.1), "rigl": (93.1, 93.8, 94.3)}
ROWS = (
    *rows("rigl/cifar/", READ,
        *((f"{method}-{100 * sparsity:g}", f"WRN-22-2 on CIFAR-10, {LOOKS[method].label} at {sparsity:.0%}: test error",
           round(100 - accuracy, 1), "%", 0.5, each("error_last", **of(method, sparsity)))
          for method, accuracies in PUBLISHED.items()
          for sparsity, accuracy in zip(PAPERS_SPARSITIES, accuracies, strict=True)),
        ("dense", "WRN-22-2 on CIFAR-10, dense: test error", 5.9, "%", 0.5, each("error_last", **of("dense"))),
        below=True, note="read from a figure; of the reproduction's three seeds a mean differs by up to 0.5 points"),
    *ordered("rigl/cifar/", PAPERS_SPARSITIES, ""),
)  # fmt: skip
SMALL_ROWS = (
    *ordered("rigl/cifar-small/", SPARSITIES, SMALL_NOTE),
    *rows("rigl/cifar-small/", "Evci et al. 2020, figure 4 (right): near the dense network at 80 %",
        ("near-dense-80", "RigL at 80 %: test error above the dense network's", 0.3, "points", 2.0,
         gap("error_last", of("rigl", 0.8), of("dense")),
         f"{SMALL_NOTE}; the tolerance allows for a network with a fourteenth of the weights"), below=True),
)  # fmt: skip


def figure(name: str, finished: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    """Accuracy against sparsity, and against what training cost."""
    curves: dict[str, dict[float, list[tuple[float, float]]]] = {}
    for done in finished:
        config, cost = done["config"], done["result"]["multiply_adds"]
        label = config["method"] if config["distribution"] == "erk" else "rigl-uniform"
        spent = cost["training_as_it_was"] / cost["training_dense"]
        by_sparsity = curves.setdefault(label, {})
        by_sparsity.setdefault(config["sparsity"], []).append((spent, 100 - done["result"]["error_last"]))
    if not curves:
        return []
    model, epochs = finished[0]["config"]["model"].upper(), finished[0]["config"]["epochs"]
    return [plot.rigl_photographs(directory / f"{name}.png", f"{model} on CIFAR-10, {epochs} epochs", curves)]


STUDIES = (
    Study(
        "rigl-cifar", PAPER_NAME,
        "WRN-22-2 on CIFAR-10 by the paper's recipe, eight methods at 50, 80 and 90 %: for a GPU, with --device cuda.",
        minutes=56_000, seeds=3, runs=lambda seeds: runs(seeds, PAPERS, PAPERS_SPARSITIES), rows=ROWS,
        figures=partial(figure, "rigl_cifar"),
    ),
    Study(
        "rigl-cifar-small", PAPER_NAME,
        "The same for two processors: WRN-10-1 for 10 epochs, eight methods at 80, 90 and 95 %.",
        minutes=300, seeds=3, runs=lambda seeds: runs(seeds, SMALL, SPARSITIES), rows=SMALL_ROWS,
        figures=partial(figure, "rigl_cifar_small"),
        causes={
            "rigl/cifar-small/near-dense-80": "Four fifths of WRN-10-1 gone leave 15,500 weights, as many as the "
            "paper's WRN-22-2 has at 98.6 %, beyond the paper's figure; and there is a twenty-fifth of the paper's "
            "epochs. Neither was varied.",
        },
    ),
)  # fmt: skip
