"""Figures of sparse evolutionary training (Mocanu et al. 2018)."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from .canvas import Place, canvas, panels
from .style import METHOD_STYLE, PAPER, published
from .training import count_pictures


def connections_per_pixel(
    path: Place, title: str, frames: Sequence[tuple[int, Array]], central: Sequence[float], area: float
) -> Path:
    """How many connections every pixel has, over time; below, the share of those in the central 20×20 pixels.

    frames [(epochs, (28, 28) counts)]; central: the share before and after every epoch; area: that of the pixels.
    """
    with canvas(path, (1.6 * len(frames), 4.6), title) as figure:
        halves: Any = figure.subfigures(2, 1, height_ratios=(1, 1.1))
        above, below = halves
        axes = list(above.subplots(1, len(frames), squeeze=False)[0])
        top = max(float(np.percentile(counts, 99.5)) for _, counts in frames)
        captioned = [(f"epoch {epochs}" if epochs else "at the start", counts) for epochs, counts in frames]
        shown = count_pictures(axes, captioned, top)
        above.colorbar(shown, ax=axes, label="connections", shrink=0.9, extend="max")
        axis = below.subplots()
        axis.plot(range(len(central)), 100 * np.array(central), color="#009E73")
        axis.axhline(100 * area, **PAPER)
        axis.annotate("their share of the area", (1, 100 * area), (-2, 3),
                      xycoords=("axes fraction", "data"), textcoords="offset points", ha="right")  # fmt: skip
        axis.set(xlabel="epochs", ylabel="connections in the\ncentral 20×20 pixels (%)")
        axis.grid(alpha=0.25)
    return Path(path)


def error_by_epoch(
    path: Place, title: str, errors: Mapping[str, Sequence[Sequence[float]]], paper: Mapping[str, float]
) -> Path:
    """Test error after every epoch: the mean over seeds and, as a band, the lowest and the highest.

    errors {method: [[error in %, one per epoch], one per seed]}; paper {method: published error in %}, a dashed line
    each.
    """
    with panels(path, (7, 4.2)) as axis:
        axis.set_title(title)
        settled = []
        for method, seeds in errors.items():
            label, colour, dash = METHOD_STYLE[method]
            values = np.array(seeds)
            epochs = np.arange(1, values.shape[1] + 1)
            mean = values.mean(axis=0)
            axis.plot(epochs, mean, color=colour, linestyle=dash, label=f"{label}: {mean[-1]:.2f} % at the end")
            axis.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0)
            settled += [values.min(), float(np.quantile(values, 0.9))]
        low, high = min([*settled, *paper.values()]), max([*settled, *paper.values()])
        lower = -math.inf
        for method, error in sorted(paper.items(), key=lambda item: item[1]):
            label, colour, _ = METHOD_STYLE[method]
            near = error - lower < 0.06 * (high - low)
            lower = error
            published(axis, error, f"paper, {label}: {error:.2f} %", colour, 4 if near else -2)
        axis.set(ylim=(max(0, low - 0.1 * (high - low)), high + 0.25 * (high - low) + 0.1))
        axis.set(xlabel="epochs", ylabel="test error (%)")
        axis.grid(alpha=0.25)
        axis.legend(loc="upper right", frameon=False)
    return Path(path)
