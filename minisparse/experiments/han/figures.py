"""The figures of finished runs, by seed 0 or the lowest there is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..packing import unpacked_mask
from ..studies import NAMES, Finished, first_seed
from .outcome import CURVES, points_of, weights_left
from .published import ENERGY, TABLES, watts


def pruned(network: str, finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Rounds, layers and weights, and of LeNet-300-100 the bands."""
    from ... import plot

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


def trade_off(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Accuracy lost against the weights left."""
    from ... import plot

    runs = {kind: first_seed(finished, kind) for kind, _ in CURVES.values()}
    curves = {
        curve: [(row[0], row[column] - run["result"]["error_reference"]) for row in points_of(run)]
        for curve, (kind, column) in CURVES.items()
        if (run := runs[kind]) is not None
    }
    title = "LeNet-300-100: what is lost when fewer weights are left"
    return [plot.han_trade_off(folder / "han_trade_off.png", title, curves)] if curves else []


def sensitivity(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Accuracy against the share left of one layer."""
    from ... import plot

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


def energy(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """What operations cost."""
    from ... import plot

    title = f"A network of 10⁹ connections, fetched from DRAM 20 times a second: {watts(1e9, 20):.1f} W"
    return [plot.han_energy(folder / "han_energy.png", title, ENERGY)]
