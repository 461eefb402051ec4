"""Figures of training runs, as `demo`, `train` and `compare` draw them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ..backend import Array
from ..looks import LOOKS, Look
from .canvas import Place, broken_axes, canvas, log_ticks, panels, part_words, point


def connections_find_the_digits(
    path: Place, title: str, mean_image: Array, pixels: Sequence[tuple[str, Array]],
    curves: Mapping[str, Sequence[tuple[int, float]]],
) -> Path:  # fmt: skip
    """The mean image; connections per input pixel at the start, during and at the end; accuracy over training.

    mean_image (28, 28); pixels [(caption, (28, 28) counts)]; curves {method: [(batches, accuracy in [0, 1])]}.
    """
    with canvas(path, (2.3 * (1 + len(pixels)), 5.6), title) as figure:
        halves: Any = figure.subfigures(2, 1, height_ratios=(1, 1.15))
        above, below = halves
        mean, *axes = above.subplots(1, 1 + len(pixels))
        mean.imshow(mean_image, cmap="gray")
        mean.set(title="mean image", xticks=[], yticks=[])
        top = max(int(np.percentile(counts, 99.5)) for _, counts in pixels)
        shown = count_pictures(axes, pixels, top)
        above.colorbar(shown, ax=axes, label="connections per pixel", shrink=0.85, extend="max")

        axis = below.subplots()
        for method, curve in curves.items():
            look = LOOKS[method]
            steps, accuracies = zip(*curve, strict=True)
            last = f"{look.label}: {100 * accuracies[-1]:.1f} % at the end"
            axis.plot(steps, 100 * np.array(accuracies), color=look.colour, linestyle=look.dash, label=last)
        worst = min(curve[-1][1] for curve in curves.values())
        axis.set_ylim(100 * max(0.0, 1 - 4 * (1 - worst)) - 1, 100)
        axis.set(xlabel="batches of 100 images", ylabel="test accuracy (%)")
        axis.legend(loc="lower right", frameon=False)
    return Path(path)


def count_pictures(axes: Sequence[Any], pictures: Sequence[tuple[str, Array]], top: float) -> Any:
    """Draw [(caption, (28, 28) counts)] with the central 20×20 pixels outlined; return the last image."""
    for axis, (caption, counts) in zip(axes, pictures, strict=True):
        shown = axis.imshow(counts, cmap="cividis", vmin=0, vmax=top)
        axis.add_patch(Rectangle((3.5, 3.5), 20, 20, fill=False, color="white", linestyle=":"))
        axis.set(title=caption, xticks=[], yticks=[])
    return shown


def loss_and_accuracy(
    path: Place, title: str, losses: Sequence[float], accuracies: Sequence[tuple[int, float]], updates: Sequence[int]
) -> Path:
    """The loss of every batch on a logarithmic scale, with ticks where masks were updated; the test accuracy below it.

    accuracies [(batches, accuracy in [0, 1])]; updates: batches before each.
    """
    with panels(path, (7, 5), title, rows=2, sharex=True) as (above, below):
        window = max(1, len(losses) // 100)
        smooth = np.convolve(losses, np.ones(window) / window, "valid")
        above.plot(losses, color="#BBBBBB", linewidth=0.6, label="one batch", rasterized=True)
        if window > 1:
            above.plot(np.arange(len(smooth)) + window / 2, smooth, color="#0072B2", label=f"mean of {window}")
        if len(updates):
            above.plot(
                updates, np.full(len(updates), 0.02), "|", color="#D55E00", markersize=6, label="masks updated",
                transform=above.get_xaxis_transform(),
            )  # fmt: skip
        above.set(yscale="log", ylabel="training loss")
        above.legend(loc="upper right", frameon=False)
        below.plot(*zip(*[(n, 100 * share) for n, share in accuracies], strict=True), ".-", color="#0072B2")
        below.set(xlabel="batches", ylabel="test accuracy (%)")
    return Path(path)


def accuracy_against_cost(
    path: Place, title: str, points: Sequence[tuple[Look, float, float, float]], n_test: int,
    groups: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Test accuracy against the costs of training and of inference, as shares of the dense network's.

    points [(look of a method, accuracy in [0, 1], training, inference)]; bars are one standard error for n_test
    examples. Methods far below the others have panels of their own.
    groups: the group of each point; several are headings of the legend, so the points of a group come together.
    """
    headings = list(dict.fromkeys(groups)) if len({*groups}) > 1 else []
    accuracies = np.array([100 * accuracy for _, accuracy, _, _ in points])
    reach = max(3.0, 3 * (accuracies.max() - float(np.median(accuracies))))
    with canvas(path, (9, max(4.2, 0.22 * (len(points) + len(headings)))), title) as figure:
        panes = broken_axes(figure, accuracies.tolist(), reach, columns=2)
        for at, kind in enumerate(("training", "inference")):
            column = panes[:, at]
            for (look, *_), accuracy, costs in zip(points, accuracies, (costs for _, _, *costs in points), strict=True):
                error = (accuracy * (100 - accuracy) / n_test) ** 0.5
                point(column, costs[at], accuracy, error, label=look.label, color=look.colour, marker=look.marker,
                      markersize=8)  # fmt: skip
            for axes in column:
                axes.grid(alpha=0.25)
            column[-1].set(xscale="log", xlabel=f"multiply-adds of {kind}, dense = 1")
            low, high = column[-1].get_xlim()
            ticks = [digit * 10.0**power for power in range(-6, 3) for digit in (1, 2, 5)]
            log_ticks(column[-1], {tick: f"{tick:g}" for tick in ticks if low <= tick <= high})
        panes[0, 0].set_ylabel("test accuracy (%)")
        entries = panes[0, 0].get_legend_handles_labels()[0]
        for heading in reversed(headings):
            entries.insert(groups.index(heading), Line2D([], [], linestyle="none", label=heading))
        legend = figure.legend(handles=entries, loc="outside right center", frameon=False, labelspacing=0.3)
        for entry, words in zip(entries, legend.get_texts(), strict=True):
            words.set_fontweight("bold" if isinstance(entry, Line2D) else "normal")
        for axes in panes[1:].flat:
            part_words(axes)
    return Path(path)
