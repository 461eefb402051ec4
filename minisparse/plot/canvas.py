"""A figure in the package's style, saved when it is drawn."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from .style import PAPER, STYLE, save

Place = str | os.PathLike
NOTE: Any = {"textcoords": "offset points", "fontsize": 8, "color": PAPER["color"]}  # words beside a point


@contextmanager
def canvas(path: Place, size: tuple[float, float], title: str = "") -> Iterator[Figure]:
    """An empty figure of `size` in inches; saved to `path` as PNG, and as SVG beside it, at the end of the block."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size)
        if title:
            figure.suptitle(title)
        yield figure
        save(figure, path)


@contextmanager
def panels(
    path: Place, size: tuple[float, float], title: str = "", rows: int = 1, columns: int = 1, **layout: Any
) -> Iterator[Any]:
    """The axes of a canvas with `rows` and `columns`: a single one, or an array of them."""
    with canvas(path, size, title) as figure:
        yield figure.subplots(rows, columns, **layout)


def log_ticks(axes: Any, ticks: Mapping[float, str]) -> None:
    """A logarithmic x axis with these ticks, {place: label}, and no others."""
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(list(ticks), list(ticks.values()))


def broken_axes(figure: Figure, heights: Sequence[float], reach: float, columns: int = 1) -> Any:
    """Axes (rows, columns) for points of these heights: one row, and where some are more than `reach` below the
    highest, a lower one for them with marks of the break between.
    """
    top = max(heights)
    near = [height for height in heights if height >= top - reach]
    far = [height for height in heights if height < top - reach]
    ratios = (4, 1)[: 1 + bool(far)]
    axes: Any = figure.subplots(len(ratios), columns, sharex="col", sharey="row", height_ratios=ratios, squeeze=False)
    margin = 0.25 * max(top - min(near), 0.2 * reach)
    axes[0, 0].set_ylim(min(near) - margin, top + margin)
    if far:
        axes[1, 0].set_ylim(min(far) - 0.3 * reach, max(far) + 0.3 * reach)
        mark: Any = {"marker": [(-1, -0.5), (1, 0.5)], "markersize": 9, "color": "k", "clip_on": False}
        for above, below in axes.T:
            above.spines["bottom"].set_visible(False)
            above.tick_params(bottom=False, which="both")
            above.plot([0], [0], transform=above.transAxes, linestyle="none", **mark)
            below.plot([0], [1], transform=below.transAxes, linestyle="none", **mark)
    return axes


def point(column: Sequence[Any], x: float, y: float, spread: float, **look: Any) -> None:
    """A point with a bar in a column of `broken_axes`: in each, so that the legend of the upper has all; with its
    height in words in the lower.
    """
    for row, axes in enumerate(column):
        axes.errorbar(x, y, spread, markeredgecolor="black", markeredgewidth=0.5, linestyle="none", linewidth=1, **look)
        low, high = axes.get_ylim()
        if row and low < y < high:
            axes.annotate(f"{y:.1f} %", (x, y), (8, -3), textcoords="offset points", fontsize=8)
