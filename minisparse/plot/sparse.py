"""The figure of truly sparse storage."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .canvas import NOTE, Place, panels
from .style import PAPER


def sparse_width(
    path: Place, points: Mapping[str, Sequence[tuple[int, float, float]]], needed: Sequence[tuple[int, float]],
    imports: float, limit: float, trained: tuple[int, float] | None = None,
) -> Path:  # fmt: skip
    """Seconds of a training step and peak memory against hidden neurons, truly sparse and dense.

    points {"sparse", "dense": [(hidden neurons, seconds, GB)]}, in rising order; needed [(hidden neurons, GB)] of dense
    networks that do not fit within `limit` GB; imports: GB of a process that has no network; trained: (hidden neurons,
    GB) of a whole training run.
    """
    looks: Any = {"sparse": ("truly sparse", "#D55E00", "-", "o"), "dense": ("dense", "#000000", ":", "s")}
    with panels(path, (8, 4), columns=2) as (time, memory):
        for name, curve in points.items():
            label, colour, dash, marker = looks[name]
            for axes, place in ((time, 1), (memory, 2)):
                xs, ys = [point[0] for point in curve], [point[place] for point in curve]
                axes.plot(xs, ys, dash, color=colour, marker=marker, label=label)
        widest, seconds, _ = points["sparse"][-1]
        guide = [widest / 100, widest]
        time.plot(guide, [seconds / 100 / 2.5, seconds / 2.5], **PAPER)
        time.annotate("∝ connections", (guide[0] * 10, seconds / 10 / 2.5), (6, -12), **NOTE)
        if needed:
            first = needed[0][0]
            style: Any = {"color": "#000000", "markerfacecolor": "none", "label": "dense, would need"}
            memory.plot(*zip(*needed, strict=True), "s", **style)
            for axes in (time, memory):
                axes.axvspan(first / 10**0.5, widest * 2, color="#000000", alpha=0.06, linewidth=0)
            corner: Any = {"xycoords": "axes fraction", "ha": "right", "va": "bottom", "fontsize": 8}
            time.annotate("dense does\nnot fit", (0.98, 0.03), **corner)
        if trained:
            memory.plot(*trained, "*", color="#0072B2", markersize=11, label="trained on MNIST, images included")
        for height, words, left in ((limit, f"{limit:g} GB", 0.01), (imports, "imports alone", 0.6)):
            memory.axhline(height, **PAPER)
            memory.annotate(words, (left, height), (0, 3), xycoords=("axes fraction", "data"), **NOTE)
        for axes, label in ((time, "a training step (s)"), (memory, "peak memory of the process (GB)")):
            axes.set(xscale="log", yscale="log", xlabel="hidden neurons", ylabel=label)
            axes.set_xlim(points["sparse"][0][0] / 2, widest * 2)
            axes.grid(alpha=0.25)
        time.figure.legend(*memory.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return Path(path)
