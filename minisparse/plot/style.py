"""How figures look, and how they are saved."""

import os
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ..files import replacing
from ..looks import LOOKS

METHOD_STYLE: Any = {name: (look.label, look.colour, look.dash) for name, look in LOOKS.items()}  # of lines
POINTS: Any = {name: (look.label, look.colour, look.marker) for name, look in LOOKS.items()}
STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 120,
    "figure.constrained_layout.use": True,
}
PAPER: Any = {"color": "#555555", "linestyle": (0, (4, 3)), "linewidth": 1}  # the line of a published figure


def published(
    axes: Any, figure: float, words: str, colour: str = PAPER["color"], lift: float = 0, va: str = "center"
) -> None:
    """A dashed line across `axes` at a published figure, with `words` beside it, `lift` points higher."""
    axes.axhline(figure, **PAPER | {"color": colour})
    axes.annotate(words, (1, figure), (4, lift), color=colour, fontsize=8, xycoords=("axes fraction", "data"),
                  textcoords="offset points", va=va)  # fmt: skip


def save(figure: Figure, path: str | os.PathLike) -> Path:
    """Write a figure as a PNG to `path`, and as an SVG beside it; return the path of the PNG.

    Equal figures give equal SVGs, byte for byte. ValueError for a name that does not end in .png: what is beside it
    would be another file's name.
    """
    path = Path(path)
    if path.suffix != ".png":
        raise ValueError(f"path is {str(path)!r}; expected a name that ends in .png")
    for target, metadata in ((path, None), (path.with_suffix(".svg"), {"Date": None})):
        with mpl.rc_context(STYLE | {"svg.hashsalt": path.name}), replacing(target) as unfinished:
            figure.savefig(unfinished, metadata=metadata)
    return path
