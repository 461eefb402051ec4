"""The studies of Han et al. 2015: the numbers of their runs, and figures, by seed 0 or the lowest there is."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ... import plot
from ..packing import unpacked_mask
from ..studies import NAMES, Finished, Row, Run, Study, each_seed, first_seed
from .outcome import CURVES, points_of, sizes_of, weights_left
from .published import ENERGY, PAPER, TABLES, watts
from .qualities import STAGES
from .rows import BANDS, POWER, SENSITIVITY, table_1, table_2_or_3, trade_off
from .runs import one_shot, pruned, scanned

TRAINING: dict[str, Any] = {"batch": 64, "weight_decay": 5e-4}
MLP: dict[str, Any] = {**TRAINING, "epochs": 30, "retrain_epochs": 20, "rate": 0.03, "drop": 15}
LENET_5: dict[str, Any] = {**TRAINING, "epochs": 15, "retrain_epochs": 6, "rate": 0.03, "drop": 10}
TRADE_OFF: dict[str, Any] = {**MLP, "retrain_epochs": 10}
SCAN = {
    "shares": [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02, 0.0],
    **{name: value for name, value in LENET_5.items() if name != "retrain_epochs"},
}
ONE_SHOT_QUALITIES = [0.05, 0.15, 0.3, 0.5, 0.7, 0.9, 1.2, 1.5, 1.8, 2.2, 2.6, 3.0]
ROUND_QUALITIES = [0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.85, 0.85, 0.85]
L1 = 3e-5

ACTIVATIONS = (
    "How many activations are zero follows from L2, the learning rate and dropout, none of which the paper prints for "
    "its LeNets; ours were chosen for the error alone."
)
QUALITIES = (
    "Our qualities left the table's shares where they were found, on a network of another seed and 55,000 images. They "
    "stay: what the same multiple of a standard deviation leaves differs between seeds."
)


def _rounds(network: str, finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Rounds, layers and weights, and of LeNet-300-100 the bands."""
    run = first_seed(finished, "pruned")
    if run is None:
        return []
    table, result, name, title = TABLES[network], run["result"], network.replace("-", "_"), NAMES[network]
    left = [1.0, *(weights_left(network, weights)["total"] for weights in result["weights_of_rounds"])]
    low, high = result["histogram_edges"]
    edges = np.linspace(low, high, len(result["histogram_before"]) + 1)
    papers = {layer: row[1] / 100 for layer, row in table.layers.items()} | {"total": table.total[1] / 100}
    drawn = [
        plot.han_rounds(
            folder / f"han_rounds_{name}.png", f"{title}, pruned below a threshold and retrained, round by round",
            result["error_by_epoch"], run["config"]["epochs"], run["config"]["retrain_epochs"], left,
            (table.reference, table.pruned),
        ),
        plot.han_layers(
            folder / f"han_layers_{name}.png", f"{title}: what pruning leaves of each layer",
            weights_left(network, result["weights"]), papers,
        ),
        plot.han_weights(
            folder / f"han_weights_{name}.png",
            f"{title}: the weights of fc1 before pruning, and those that are left after retraining",
            edges, result["histogram_before"], result["histogram_after"],
        ),
    ]  # fmt: skip
    if network == "lenet-300-100":
        mask = unpacked_mask(result["mask_fc1"], (784, 300))
        drawn.append(plot.han_bands(folder / "han_bands.png", "The connections of LeNet-300-100's first layer", mask))
    return drawn


def _trade_off(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Accuracy lost against the weights left."""
    runs = {kind: first_seed(finished, kind) for kind, _ in CURVES.values()}
    curves = {
        curve: [(row[0], row[column] - run["result"]["error_reference"]) for row in points_of(run)]
        for curve, (kind, column) in CURVES.items()
        if (run := runs[kind]) is not None
    }
    title = "LeNet-300-100: what is lost when fewer weights are left"
    return [plot.han_trade_off(folder / "han_trade_off.png", title, curves)] if curves else []


def _sensitivity(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Accuracy against the share left of one layer."""
    run = first_seed(finished, "scan")
    if run is None:
        return []
    curves = {
        name.partition(".")[0]: [(s, 100 - wrong) for s, wrong in zip(run["config"]["shares"], errors, strict=True)]
        for name, errors in run["result"]["errors"].items()
    }
    title = "LeNet-5: one layer pruned at a time, without retraining"
    reference = 100 - run["result"]["error_reference"]
    return [plot.han_sensitivity(folder / "han_sensitivity.png", title, curves, reference)]


def _energy(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """What operations cost."""
    title = f"A network of 10⁹ connections, fetched from DRAM 20 times a second: {watts(1e9, 20):.1f} W"
    return [plot.han_energy(folder / "han_energy.png", title, ENERGY)]


def _trade_off_runs(seeds: int) -> list[Run]:
    rounds = [{"qualities": dict.fromkeys(sizes_of("lenet-300-100"), q), "frozen": []} for q in ROUND_QUALITIES]
    kinds: list[tuple[str, Any, dict[str, Any]]] = [
        ("l2", one_shot, {"qualities": ONE_SHOT_QUALITIES}),
        ("l2-iterative", pruned, {"network": "lenet-300-100", "stages": rounds}),
        ("l1", one_shot, {"qualities": ONE_SHOT_QUALITIES, "weight_decay": 0.0, "l1": L1}),
    ]
    return [
        Run(f"{kind}-seed{seed}", seed, function, {"seed": seed, **TRADE_OFF, **config})
        for seed in range(seeds)
        for kind, function, config in kinds
    ]


def _pruned(
    network: str, minutes: float, seeds: int, training: dict[str, Any], more: tuple[Row, ...], about: str
) -> Study:
    """A study of a network pruned in rounds: tables 1, and 2 or 3, and `more` rows."""
    config = {"network": network, "stages": STAGES[network], **training}
    return Study(
        f"han-{network}", PAPER, about, minutes, seeds,
        runs=each_seed(pruned, {"pruned": config}),
        rows=(*table_1(network), *table_2_or_3(network), *more),
        figures=partial(_rounds, network),
        causes={
            f"han/{network}/activations": ACTIVATIONS,
            **dict.fromkeys((f"han/{network}/weights", f"han/{network}/flops"), QUALITIES),
        },
    )  # fmt: skip


STUDIES = (
    _pruned("lenet-300-100", 3, 3, MLP, BANDS,
        "LeNet-300-100, trained, pruned to a twelfth in four rounds and retrained; its bands and its weights."),
    _pruned("lenet-5", 13, 1, LENET_5, (),
        "LeNet-5, its linear layers pruned and retrained while the convolutions are frozen, then the other way round."),
    Study(
        "han-trade-off", PAPER,
        "LeNet-300-100 by one quality for all layers: L1 and L2, without and with retraining, and in rounds.",
        minutes=11, seeds=1, runs=_trade_off_runs, rows=trade_off(), figures=_trade_off,
        causes={
            "han/trade-off/": "The paper's figure is of AlexNet. Here L1 loses less at this share with retraining too; "
            "with a weaker one, 1e-5, L2 was better without retraining and as good with it.",
        },
    ),
    Study(
        "han-sensitivity", PAPER,
        "LeNet-5, each layer alone pruned to a share of its weights, without retraining.",
        minutes=6, seeds=1, runs=each_seed(scanned, {"scan": SCAN}), rows=SENSITIVITY, figures=_sensitivity,
    ),
    Study(
        "han-energy", PAPER,
        "What an operation takes in 45 nm CMOS, and what fetching a network from DRAM would; nothing to run.",
        minutes=0, seeds=1, runs=lambda seeds: [], rows=POWER, figures=_energy,
    ),
)  # fmt: skip
