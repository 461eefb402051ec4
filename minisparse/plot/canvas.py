"""A figure in the package's style, saved when it is drawn."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from .style import PAPER, STYLE, save

Place = str | os.PathLike
BREAK: Any = {"marker": [(-1, -0.5), (1, 0.5)], "markersize": 9, "color": "k", "clip_on": False, "linestyle": "none"}
NOTE: Any = {"textcoords": "offset points", "fontsize": 8, "color": PAPER["color"]}  # words beside a point


@contextmanager
def canvas(path: Place, size: tuple[float, float], title: str = "") -> Iterator[Figure]:
    """An empty figure of `size` in inches; saved to `path` as PNG, and as SVG beside it, at the end of the block."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size)
        if title:
            figure.suptitle(title)
        yield figure
        for axes in figure.axes:
            separate_thousands(axes)
            mark_beyond(axes)
        save(figure, path)


def separate_thousands(axes: Any) -> None:
    """Ticks from 1,000 on with separators, where an axis is linear and its ticks have no other form."""
    for axis in (axes.xaxis, axes.yaxis):
        if type(axis.get_major_formatter()) is ScalarFormatter and max(map(abs, axis.get_view_interval())) >= 1000:
            axis.set_major_formatter("{x:,.0f}")


def mark_beyond(axes: Any) -> None:
    """A mark of a break at an end of the y axis beyond which a curve goes on, with how far it goes."""
    curves = [np.asarray(line.get_ydata(), float) for line in axes.lines if line.get_transform() == axes.transData]
    values = np.concatenate([[], *curves])
    low, high = sorted(axes.get_ylim())
    for end, beyond in ((0, values[values < low]), (1, values[values > high])):
        if len(beyond):
            at = end if axes.get_ylim()[0] == low else 1 - end
            axes.plot([0], [at], transform=axes.transAxes, **BREAK)
            far = float(beyond.max() if end else beyond.min())
            words = f"{far:,.0f}" if abs(far) >= 100 else f"{far:.3g}"
            words = "∞" if np.isinf(far) else words.replace("-", "−")
            axes.annotate(f"to {words}", (0, at), (-7, 8 if at else -8), xycoords="axes fraction", ha="right",
                          va="bottom" if at else "top", **NOTE)  # fmt: skip


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
        for above, below in axes.T:
            above.spines["bottom"].set_visible(False)
            above.tick_params(bottom=False, which="both")
            above.plot([0], [0], transform=above.transAxes, **BREAK)
            below.plot([0], [1], transform=below.transAxes, **BREAK)
    return axes


def deviation(values: Sequence[float]) -> float:
    """The standard deviation over seeds; 0 of one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def point(column: Sequence[Any], x: float, y: float, spread: float, **look: Any) -> None:
    """A point with a bar in the axes of a column of `broken_axes` that reach it, and its label in all, for the legend;
    with its height in words in the lower.
    """
    for row, axes in enumerate(column):
        low, high = axes.get_ylim()
        there = ([x], [y], [spread]) if low < y < high else ([], [], [])
        axes.errorbar(*there, markeredgecolor="black", markeredgewidth=0.5, linestyle="none", linewidth=1, **look)
        if row and low < y < high:
            axes.annotate(f"{y:.1f} %", (x, y), (8, -3), textcoords="offset points", fontsize=8)


def part_words(axes: Any) -> None:
    """Move the words beside the points of `axes` apart, upwards, and to the left of points at the right end."""
    axes.figure.draw_without_rendering()  # lays the axes out
    points, end = 72 / axes.figure.dpi, axes.bbox.x1
    set_down: list[tuple[float, float]] = []
    for words in sorted(axes.texts, key=lambda words: words.xy[1]):
        x, y = axes.transData.transform(words.xy)
        inward = end - x < 40 / points
        lift = max((above + 10 / points - y for at, above in set_down if abs(at - x) < 45 / points), default=0)
        set_down.append((x, y + max(0, lift)))
        words.set(position=(-8 if inward else 8, max(0, lift) * points - 3), ha="right" if inward else "left")
