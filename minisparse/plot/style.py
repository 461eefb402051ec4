"""How all figures look, and how they are written."""

import os
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ..files import replacing

# Okabe & Ito's colours, told apart by colour-blind readers; every line also has its own dash.
METHOD_STYLE: Any = {
    "rigl": ("RigL", "#D55E00", "-"),
    "static": ("static mask", "#0072B2", "--"),
    "dense": ("dense", "#000000", ":"),
}
POINTS: Any = {  # the same colours and a grey; every method also has its own marker
    "dense": ("dense", "#000000", "o"),
    "small-dense": ("small dense", "#999999", "s"),
    "static": ("static mask", "#0072B2", "v"),
    "snip": ("SNIP", "#E69F00", "D"),
    "set": ("SET", "#009E73", "^"),
    "snfs": ("SNFS", "#CC79A7", "P"),
    "rigl-random": ("RigL, random growth", "#D55E00", "X"),
    "rigl": ("RigL", "#D55E00", "*"),
    "gradual": ("gradual pruning", "#56B4E9", "<"),
    "lottery": ("lottery ticket", "#F0E442", ">"),
    "l0": ("L0 gates", "#999999", "h"),
}
STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 120,
    "figure.constrained_layout.use": True,
}
PAPER: Any = {"color": "#555555", "linestyle": (0, (4, 3)), "linewidth": 1}  # the line of a published value


def published(axes: Any, figure: float, words: str, colour: str, lift: float = 0) -> None:
    """A dashed line across `axes` at a published figure, and beside it its `words`, `lift` points higher."""
    axes.axhline(figure, **PAPER | {"color": colour})
    axes.annotate(words, (1, figure), (4, lift), color=colour, fontsize=8, xycoords=("axes fraction", "data"),
                  textcoords="offset points", va="center")  # fmt: skip


def save(figure: Figure, path: str | os.PathLike) -> Path:
    """Write a figure as a PNG to `path`, and as an SVG beside it; the path of the PNG.

    The same figure is the same SVG, to the last byte.
    """
    path = Path(path)
    for target, metadata in ((path, None), (path.with_suffix(".svg"), {"Date": None})):
        with mpl.rc_context(STYLE | {"svg.hashsalt": path.name}), replacing(target) as unfinished:
            figure.savefig(unfinished, metadata=metadata)
    return path
