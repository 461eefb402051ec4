"""Figures of L0 gates (Louizos et al. 2018)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from .canvas import Place, panels
from .style import published

LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#000000", ":"))
CURVES = (*LINES[:2], ("#009E73", "-."), ("#CC79A7", "-"))  # beside a dense network's dotted line


def hard_concrete(
    path: Place, title: str, density: tuple[Array, Array], masses: Mapping[float, float], log_alpha: Array,
    gates: Mapping[str, Array],
) -> Path:  # fmt: skip
    """What the clip makes of the stretched concrete distribution, and gates as functions of log α (the paper's fig. 2).

    density (places, density of the stretched distribution there); masses {0: P(z = 0), 1: P(z = 1)};
    gates {label: values at log_alpha}.
    """
    with panels(path, (9, 3.8), title, columns=2) as (left, right):
        places, values = density
        inside = (places >= 0) & (places <= 1)
        left.plot(places, values, color="#999999", linewidth=1, label="stretched, before the clip")
        left.fill_between(places[inside], values[inside], color="#56B4E9", alpha=0.6, label="z strictly between")
        top = 1.25 * float(values[inside].max())
        for place, mass in masses.items():
            left.annotate("", (place, top), (place, 0), arrowprops={"arrowstyle": "-|>", "color": "#D55E00", "lw": 2})
            side = "right" if place == 0 else "left"
            left.text(place, 0.5 * top, f" P(z = {place:g}) \n = {mass:.3f} ", ha=side, va="center", color="#D55E00")
        left.set(xlim=(-0.45, 1.45), ylim=(0, 1.3 * top), xlabel="z at log α = 0", ylabel="density")
        left.legend(loc="upper center", frameon=False, fontsize=8)
        for (label, curve), (colour, dash) in zip(gates.items(), LINES, strict=True):
            right.plot(log_alpha, curve, color=colour, linestyle=dash, label=label)
        right.set(xlabel="log α", ylabel="gate, probability")
        right.grid(alpha=0.25)
        right.legend(loc="upper left", frameon=False)
    return Path(path)


def l0_training(
    path: Place, title: str, runs: Mapping[str, Sequence[tuple[Sequence[float], Sequence[float]]]], dense: float,
    paper: Mapping[str, float],
) -> Path:  # fmt: skip
    """Expected FLOPs before and after every epoch, with the dense network's as a line; test error after every epoch.

    runs {label: [(FLOPs, error in %), one pair per seed]}; paper {label: published error in %}, dashed.
    """
    with panels(path, (9, 3.8), title, columns=2) as (left, right):
        lows, highs = [], []
        for (label, seeds), (colour, dash) in zip(runs.items(), CURVES, strict=False):
            for seed, (costs, errors) in enumerate(seeds):
                named = None if seed else label
                style: Any = {"color": colour, "linestyle": dash, "linewidth": 1.2, "label": named}
                left.plot(range(len(costs)), np.array(costs) / 1e3, **style)
                right.plot(range(1, len(errors) + 1), errors, **style)
                lows.append(min(errors))
                highs.append(float(np.quantile(errors, 0.9)))
            if label in paper:
                published(right, paper[label], f"paper: {paper[label]:g} %", colour)
        left.axhline(dense / 1e3, color="#000000", linestyle=":", label="dense network")
        left.set(ylim=(0, 1.08 * dense / 1e3), xlabel="epochs", ylabel="expected FLOPs of one image (thousands)")
        left.legend(loc="lower left", frameon=False)
        lows, highs = [*lows, *paper.values()], [*highs, *paper.values()]
        room = 0.15 * (max(highs) - min(lows)) + 0.05
        right.set(ylim=(max(0, min(lows) - room), max(highs) + 2 * room), xlabel="epochs", ylabel="test error (%)")
        right.legend(loc="upper right", frameon=False)
    return Path(path)
