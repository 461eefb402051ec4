"""Figures of Lee et al. 2019 (SNIP): errors, the pruning batch, the pixels that survive, random labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from .canvas import NOTE, Place, log_ticks, panels
from .style import PAPER

SPARSITY: Any = {  # by how much of the network is gone: Okabe & Ito's colours, dashes, markers
    0.0: ("#000000", ":", "o"),
    0.9: ("#56B4E9", "-.", "s"),
    0.95: ("#009E73", "--", "^"),
    0.98: ("#E69F00", "-", "D"),
    0.99: ("#D55E00", (0, (5, 1)), "v"),
}
LABELS: Any = {  # (labels, sparsity): as figure 4 has them
    ("true", 0.0): ("true labels, whole", "#000000", "-"),
    ("true", 0.99): ("true labels, 99 % sparse", "#0072B2", "--"),
    ("random", 0.0): ("random labels, whole", "#E69F00", "-"),
    ("random", 0.99): ("random labels, 99 % sparse", "#D55E00", "--"),
}


def snip_errors(
    path: Place, title: str, ours: Mapping[float, Sequence[float]], curves: Mapping[float, Sequence[float]],
    published: Mapping[float, float],
) -> Path:  # fmt: skip
    """The error over one training for each sparsity, and at its end for every seed, with the paper's as dashes.

    ours {sparsity: errors in %, one per seed}; curves {sparsity: error in % after every epoch}; published
    {sparsity: %}.
    """
    with panels(path, (9, 4), title, columns=2, sharey=True, width_ratios=(1.6, 1)) as (left, right):
        for place, (sparsity, errors) in enumerate(ours.items()):
            colour, dash, marker = SPARSITY[sparsity]
            name = f"{100 * sparsity:.0f} % sparse" if sparsity else "whole"
            curve = curves[sparsity]
            left.plot(np.arange(1, len(curve) + 1), curve, color=colour, linestyle=dash, label=name)
            right.plot([place] * len(errors), errors, color=colour, marker=marker, linestyle="none", alpha=0.8)
            if sparsity in published:
                right.plot([place - 0.35, place + 0.35], [published[sparsity]] * 2, **PAPER)
                words, end = f"paper {published[sparsity]:.1f}", (place + 0.35, published[sparsity])
                right.annotate(words, end, (0, 3), ha="right", **NOTE)
        ends = [*published.values(), *(error for errors in ours.values() for error in errors)]
        left.set(ylim=(min(ends) - 0.3, 1.5 * max(ends)), xlabel="epochs", ylabel="test error (%)")
        left.xaxis.get_major_locator().set_params(integer=True)
        right.legend(*left.get_legend_handles_labels(), loc="upper left", frameon=False)
        right.set_xticks(range(len(ours)), [f"{100 * sparsity:.0f} %" if sparsity else "whole" for sparsity in ours])
        right.set(xlim=(-0.6, len(ours) - 0.4), xlabel="sparsity; one mark a seed, last epoch")
    return Path(path)


def snip_batch(path: Place, title: str, ours: Mapping[int, Sequence[float]], published: Mapping[int, float]) -> Path:
    """Figure 3: error against the number of examples that connections are scored on.

    ours {examples: errors in %, one per seed}; published {examples: error in %}.
    """
    sizes = sorted(ours)
    means = [np.mean(ours[size]) for size in sizes]
    with panels(path, (7, 4), title) as axis:
        axis.plot(list(published), list(published.values()), marker="s", markersize=5, label="paper", **PAPER)
        axis.plot(sizes, means, color="#0072B2", marker="o", label="ours, mean")
        for size in sizes:
            axis.plot([size] * len(ours[size]), ours[size], ".", color="#56B4E9", zorder=1)
        log_ticks(axis, {size: f"{size:,}" for size in published})
        axis.set(xlabel="examples in the pruning batch", ylabel="test error (%)")
        axis.legend(frameon=False)
    return Path(path)


def snip_classes(path: Place, title: str, means: Sequence[Array], pixels: Mapping[str, Sequence[Array]]) -> Path:
    """Figure 2: a column a class, its mean image above, and below it the connections that each pixel keeps.

    means: (28, 28) images; pixels {sparsity: (28, 28) counts of each class}, each row of pictures on its own scale.
    """
    with panels(path, (8.4, 1.0 * (1 + len(pixels)) + 0.6), title, rows=1 + len(pixels), columns=len(means)) as axes:
        for row, (name, images) in enumerate({"mean image": means, **pixels}.items()):
            top = max(float(np.percentile(image, 99.5)) for image in images)
            for axis, image in zip(axes[row], images, strict=True):
                axis.imshow(image, cmap="cividis" if row else "gray", vmin=0, vmax=max(top, 1))
                axis.set(xticks=[], yticks=[])
            axes[row][0].set_ylabel(name, rotation=0, ha="right", va="center")
    return Path(path)


def snip_random_labels(
    path: Place, title: str, curves: Mapping[tuple[str, float], tuple[Sequence[float], Sequence[float]]]
) -> Path:
    """Figure 4: loss and accuracy on the training images, {(labels, sparsity): (losses, accuracies in %) by epoch}."""
    with panels(path, (9, 4), title, columns=2) as axes:
        for key in [key for key in LABELS if key in curves]:
            name, colour, dash = LABELS[key]
            for axis, values in zip(axes, curves[key], strict=True):
                axis.plot(np.arange(1, len(values) + 1), values, color=colour, linestyle=dash, label=name)
        axes[0].set(ylim=(0, None), xlabel="epochs", ylabel="training loss")
        axes[1].set(ylim=(0, 101), xlabel="epochs", ylabel="accuracy on training images (%)")
        axes[1].legend(loc="center right", frameon=False)
    return Path(path)
