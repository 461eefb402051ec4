"""A figure in the package's style, saved when it is drawn."""

import os
from collections.abc import Iterator, Mapping
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
