"""The figures of finished runs."""

from collections.abc import Sequence
from pathlib import Path

from ..packing import unpacked_counts
from ..studies import NAMES, Finished, first_seed, grouped
from .rows import FIGURE_3, TABLE_1


def errors(network: str, finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Errors of all sparsities; their curves are of the first seed."""
    from ... import plot

    runs = sorted(finished, key=lambda run: (run["config"]["sparsity"], run["seed"]))
    ours = grouped(runs, "sparsity", "error_last")
    curves = {sparsity: curves[0] for sparsity, curves in grouped(runs, "sparsity", "error_by_epoch").items()}
    path, title = folder / f"snip_errors_{network.replace('-', '_')}.png", "pruned by SNIP before training"
    return [plot.snip_errors(path, f"{NAMES[network]}, {title}", ours, curves, TABLE_1[network])] if ours else []


def batch(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Errors against the size of the pruning batch."""
    from ... import plot

    ours = grouped(finished, "pruning_batch", "error_last")
    title = "LeNet-300-100, 90 % sparse by SNIP on so many examples"
    return [plot.snip_batch(folder / "snip_batch.png", title, ours, FIGURE_3)] if ours else []


def classes(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """The pixels that survive."""
    from ... import plot

    if (run := first_seed(finished)) is None:
        return []
    pictures = {
        f"{100 * float(sparsity):.0f} %": [unpacked_counts(text, (28, 28)) for text in texts]
        for sparsity, texts in run["result"]["pixels"].items()
    }
    means = [unpacked_counts(text, (28, 28)) for text in run["result"]["means"]]
    title = "LeNet-300-100: which pixels survive when SNIP is shown one class, by sparsity"
    return [plot.snip_classes(folder / "snip_classes.png", title, means, pictures)]


def labels(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """Learning true and random labels, of the first seed."""
    from ... import plot

    curves = {
        (run["config"]["labels"], run["config"]["sparsity"]): (
            run["result"]["loss_by_epoch"],
            run["result"]["accuracy_by_epoch"],
        )
        for run in sorted(finished, key=lambda run: -run["seed"])
    }
    title = "LeNet-5 on true and on random labels, whole and 99 % sparse by SNIP"
    return [plot.snip_random_labels(folder / "snip_random_labels.png", title, curves)] if curves else []
