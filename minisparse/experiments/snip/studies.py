"""The studies of Lee et al. 2019: the numbers of their runs, and their figures.

At the paper's rate of 0.1 our whole LeNet-5 stays at chance, as validation images show after an epoch; it has half the
rate (WHOLE). The paper trains for 250,000 iterations; here LeNet-300-100 has 32,400 (60 epochs, the rate falls after
25,000 and 29,000) and LeNet-5 10,800 (20 epochs; after 6,000 and 9,000).
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ... import plot
from ..packing import unpacked_counts
from ..studies import NAMES, Finished, Study, each_seed, first_seed, grouped
from .rows import BATCH, CLASSES, FIGURE_3, LABELS, PAPER, TABLE_1, TABLE_3, connections, table_1
from .runs import of_classes, of_labels, trained

TRAINING: dict[str, Any] = {"batch": 100, "rate": 0.1, "weight_decay": 5e-4}
MLP: dict[str, Any] = {**TRAINING, "iterations": 32_400, "drops": [25_000, 29_000]}
LENET_5: dict[str, Any] = {**TRAINING, "iterations": 10_800, "drops": [6_000, 9_000]}
WHOLE: dict[str, Any] = {**LENET_5, "rate": 0.05}
MEMORY: dict[str, Any] = {  # enough for the whole network to memorise 5,000 random labels
    "examples": 5_000, "batch": 100, "rate": 0.02, "weight_decay": 0.0, "iterations": 3_000, "drops": [2_000, 2_500],
}  # fmt: skip
SPARSITIES = [0.1, 0.5, 0.9, 0.95, 0.98, 0.99]


def _errors(network: str, finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Errors of all sparsities; their curves are of the first seed."""
    runs = sorted(finished, key=lambda run: (run["config"]["sparsity"], run["seed"]))
    ours = grouped(runs, "sparsity", "error_last")
    curves = {sparsity: curves[0] for sparsity, curves in grouped(runs, "sparsity", "error_by_epoch").items()}
    path, title = folder / f"snip_errors_{network.replace('-', '_')}.png", "pruned by SNIP before training"
    return [plot.snip_errors(path, f"{NAMES[network]}, {title}", ours, curves, TABLE_1[network])] if ours else []


def _batch(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Errors against the size of the pruning batch."""
    ours = grouped(finished, "pruning_batch", "error_last")
    title = "LeNet-300-100, 90 % sparse by SNIP on batches of different sizes"
    return [plot.snip_batch(folder / "snip_batch.png", title, ours, FIGURE_3)] if ours else []


def _classes(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """The pixels that survive."""
    if (run := first_seed(finished)) is None:
        return []
    pictures = {
        f"{100 * float(sparsity):.0f} %": [unpacked_counts(text, (28, 28)) for text in texts]
        for sparsity, texts in run["result"]["pixels"].items()
    }
    means = [unpacked_counts(text, (28, 28)) for text in run["result"]["means"]]
    title = "LeNet-300-100: which pixels survive when SNIP is shown one class, by sparsity"
    return [plot.snip_classes(folder / "snip_classes.png", title, means, pictures)]


def _labels(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Learning true and random labels, of the first seed."""
    runs = [(run["config"], run["result"]) for run in sorted(finished, key=lambda run: -run["seed"])]
    curves = {(c["labels"], c["sparsity"]): (r["loss_by_epoch"], r["accuracy_by_epoch"]) for c, r in runs}
    title = "LeNet-5 on true and on random labels, whole and 99 % sparse by SNIP"
    return [plot.snip_random_labels(folder / "snip_random_labels.png", title, curves)] if curves else []


def _name(sparsity: float) -> str:
    return f"{100 * sparsity:.0f}-percent" if sparsity else "dense"


def _table(network: str, training: dict[float, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Configs by name: a network at each sparsity."""
    return {
        _name(sparsity): {"sparsity": sparsity, "network": network, "pruning_batch": 100, **numbers}
        for sparsity, numbers in training.items()
    }


STUDIES = (
    Study(
        "snip-lenet-300-100", PAPER,
        "LeNet-300-100, whole and 95 % and 98 % sparse: table 1; and 90 %, as in its table 3.",
        minutes=6, seeds=3,
        runs=each_seed(trained, _table("lenet-300-100", dict.fromkeys([0.98, 0.95, 0.0, 0.9], MLP))),
        rows=(*table_1("lenet-300-100"), *TABLE_3, *connections("lenet-300-100", 266_200, 0.95, 0.98)),
        figures=partial(_errors, "lenet-300-100"),
        causes={
            "snip/lenet-300-100/error-9": "Not the length: 55,000 iterations with the paper's own drops end at 2.07 % "
            "and 2.73 %. Other numbers for 98 %, one run each: L2 1e-3 gives 2.88 %, 1e-4 3.09, 1e-5 3.51; inputs in "
            "[0, 1] 3.11; and what the authors' code does, weights drawn anew after pruning 2.99, no momentum 3.26, "
            "biases that stay zero 2.88, biases drawn at random before pruning 2.76, ranked beside the weights too "
            "2.89 and 3.04; all of that together, but with momentum, and with L2 on biases and tails cut off, 3.06. "
            "That code reports the best of its checkpoints, which here is nearer by 0.1; the rest is not found."
        },
    ),
    Study(
        "snip-lenet-5", PAPER,
        "LeNet-5, whole and 98 % and 99 % sparse: table 1.",
        minutes=21, seeds=1, runs=each_seed(trained, _table("lenet-5", {0.99: LENET_5, 0.98: LENET_5, 0.0: WHOLE})),
        rows=(*table_1("lenet-5"), *connections("lenet-5", 430_500, 0.98, 0.99)),
        figures=partial(_errors, "lenet-5"),
        causes={"snip/lenet-5/error-": "20 epochs in place of the paper's 463."},
    ),
    Study(
        "snip-batch", PAPER,
        "LeNet-300-100, 90 % sparse by SNIP on 1 to 10,000 examples.",
        minutes=7, seeds=3,
        runs=each_seed(trained, {
            f"batch-{size}": {"pruning_batch": size, "network": "lenet-300-100", "sparsity": 0.9, **MLP}
            for size in FIGURE_3
        }),
        rows=BATCH, figures=_batch,
    ),
    Study(
        "snip-classes", PAPER,
        "LeNet-300-100, pruned on examples of one class: the pixels that survive redraw it. No training.",
        minutes=0.2, seeds=1, runs=each_seed(of_classes, {"classes": {"sparsities": SPARSITIES, "pruning_batch": 100}}),
        rows=CLASSES, figures=_classes,
    ),
    Study(
        "snip-random-labels", PAPER,
        "LeNet-5, whole and 99 % sparse, on true and on random labels: what can it learn by heart?",
        minutes=8, seeds=1,
        runs=each_seed(of_labels, {
            f"{labels}-{_name(sparsity)}": {"labels": labels, "sparsity": sparsity, "pruning_batch": 100, **MEMORY}
            for labels in ("random", "true")
            for sparsity in (0.99, 0.0)
        }),
        rows=LABELS, figures=_labels,
    ),
)  # fmt: skip
