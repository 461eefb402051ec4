"""Figures of Deep Compression (Han, Mao, Dally 2016): sizes stage by stage, and initializations of shared values.

Each writes a PNG to `path`, an SVG beside it, and returns the path.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .canvas import Place, panels
from .style import published

STAGES = {"dense": "dense", "pruned": "pruned (P)", "shared": "shared (P+Q)", "coded": "coded (P+Q+H)"}
INITIALIZATIONS: Any = {  # figure 8's, in Okabe & Ito's colours
    "linear": ("#D55E00", "-", "o"),
    "density": ("#0072B2", "--", "s"),
    "random": ("#009E73", ":", "^"),
}


def compressed_sizes(path: Place, title: str, layers: Mapping[str, Mapping[str, float]], paper: float) -> Path:
    """The size of a network's weights, with their positions, dense and after each stage, on a logarithmic scale.

    layers {layer: {stage, as in STAGES: kilobytes}}; paper: kilobytes at the end, as published.
    """
    totals = {stage: sum(sizes[stage] for sizes in layers.values()) for stage in STAGES}
    with panels(path, (7.5, 4), title) as axis:
        bars = axis.bar(list(STAGES.values()), list(totals.values()), width=0.6, color="#0072B2")
        times = {stage: f"\n{totals['dense'] / size:.3g} × smaller" for stage, size in totals.items()} | {"dense": ""}
        axis.bar_label(bars, [f"{size:,.1f} KB{times[stage]}" for stage, size in totals.items()], padding=3, fontsize=9)
        axis.set(yscale="log", ylim=(min(totals.values()) / 3, 4 * totals["dense"]), ylabel="kilobytes")
        axis.yaxis.set_major_formatter("{x:,g}")
        published(axis, paper, f"paper: {paper:g} KB")
    return Path(path)


def shared_initializations(
    path: Place, title: str, points: Mapping[str, Sequence[tuple[int, float, float]]], reference: float
) -> Path:
    """Figure 8: error against bits per weight, by the initialization of shared values, before and after retraining.

    points {initialization: [(bits, error after clustering, error after retraining)]}, errors in %; reference: the
    pruned network's.
    """
    with panels(path, (9, 4.2), title, columns=2, sharex=True) as axes:
        for place, (axis, words) in enumerate(zip(axes, ("k-means alone", "retrained"), strict=True), 1):
            for name, curve in points.items():
                colour, dash, marker = INITIALIZATIONS[name]
                axis.plot([row[0] for row in curve], [row[place] for row in curve], color=colour, linestyle=dash,
                          marker=marker, label=name)  # fmt: skip
            axis.set(title=words, xlabel="bits per weight", yscale="log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("{x:g}")
            published(axis, reference, f"pruned: {reference:.2f} %", va="top")
        axes[0].set_ylabel("test error (%)")
        axes[0].legend(frameon=False)
    return Path(path)
