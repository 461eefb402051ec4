"""Figures of Han et al. 2015: rounds of pruning, layers, bands, trade-offs, sensitivity, weights, energy."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from .canvas import Place, log_ticks, panels
from .style import PAPER, published

CURVES: Any = {  # figure 5's, in Okabe & Ito's colours
    "L2, no retraining": ("#CC79A7", ":", "v"),
    "L1, no retraining": ("#56B4E9", ":", "^"),
    "L1, retrained": ("#E69F00", "--", "s"),
    "L2, retrained": ("#009E73", "--", "o"),
    "L2, pruned and retrained in rounds": ("#D55E00", "-", "*"),
}
LAYERS: Any = {
    "conv1": ("#D55E00", "-", "o"),
    "conv2": ("#E69F00", "--", "s"),
    "fc1": ("#0072B2", "-.", "^"),
    "fc2": ("#009E73", ":", "v"),
}


def han_rounds(
    path: Place, title: str, errors: Sequence[float], epochs: int, retrain_epochs: int, left: Sequence[float],
    papers: tuple[float, float],
) -> Path:  # fmt: skip
    """The error after every epoch, with the rounds marked; the published errors, whole and pruned, as dashed lines.

    errors in %, of the `epochs` of training and then of the `retrain_epochs` of each round; left: the share of the
    weights in each round, 1 in the first.
    """
    with panels(path, (7.5, 4.2), title) as axis:
        axis.plot(np.arange(1, len(errors) + 1), errors, color="#0072B2", label="ours")
        top = papers[0] + 4 * max(0.15, float(np.median(errors)) - min(errors))
        bottom = min(*papers, *errors) - 0.1
        begins = [0, *(epochs + retrain_epochs * number for number in range(len(left) - 1))]
        for begin, share in zip(begins, left, strict=True):
            axis.axvline(begin + 0.5, color="#BBBBBB", linewidth=0.8)
            axis.text(begin + 0.5, top, f"  {100 * share:.3g} % left", va="bottom", fontsize=8, color="#555555")
        for value, words, side in zip(papers, ("whole", "pruned"), ("bottom", "top"), strict=True):
            published(axis, value, f"paper, {words}:\n{value:.2f} %", va=side)
        axis.set(ylim=(bottom, top), xlim=(0.5, len(errors) + 0.5), xlabel="epochs", ylabel="test error (%)")
    return Path(path)


def han_layers(path: Place, title: str, ours: Mapping[str, float], papers: Mapping[str, float]) -> Path:
    """The share of each layer's weights that is left, ours and the paper's side by side: {layer: share in [0, 1]}."""
    with panels(path, (6.5, 3.8), title) as axis:
        places = np.arange(len(ours))
        for shift, (label, shares, colour) in enumerate((("ours", ours, "#0072B2"), ("paper", papers, "#999999"))):
            heights = [100 * shares[layer] for layer in ours]
            bars = axis.bar(places + 0.38 * (shift - 0.5), heights, 0.36, color=colour, label=label)
            axis.bar_label(bars, fmt="%.3g", fontsize=8)
        axis.set_xticks(places, list(ours))
        axis.set_ylabel("weights left (%)")
        axis.legend(frameon=False)
    return Path(path)


def han_bands(path: Place, title: str, mask: Array) -> Path:
    """Figure 4: every connection of a first layer as a dot, and below it how many each input has.

    mask (784, units), bool.
    """
    with panels(path, (9, 5), title, rows=2, columns=1, sharex=True, height_ratios=(1.6, 1)) as axes:
        above, below = axes
        above.imshow(mask.T, cmap="Greys", aspect="auto", interpolation="none")
        above.set_ylabel(f"unit, of {mask.shape[1]}")
        below.plot(mask.sum(axis=1), color="#0072B2", linewidth=0.8)
        below.set(ylabel="connections", xlabel="input: pixels of the image, row after row")
        for axis in axes:
            for edge in range(28, len(mask), 28):
                axis.axvline(edge - 0.5, color="#D55E00", linewidth=0.4, alpha=0.6)
        below.set_xticks(range(0, len(mask), 56))
        below.set_xlim(-0.5, len(mask) - 0.5)
    return Path(path)


def by_share(axis: Any, curves: Mapping[str, Sequence[tuple[float, float]]], looks: Any, size: float) -> None:
    """Curves {name, as in looks: [(share in [0, 1], height)]} against the share in %, with markers of this size."""
    for name, curve in curves.items():
        colour, dash, marker = looks[name]
        style = {"color": colour, "linestyle": dash, "marker": marker, "markersize": size, "label": name}
        axis.plot(*zip(*((100 * share, height) for share, height in curve), strict=True), **style)


def han_trade_off(path: Place, title: str, curves: Mapping[str, Sequence[tuple[float, float]]]) -> Path:
    """Figure 5: accuracy lost against the share of the weights that is left.

    curves {name, as in CURVES: [(share in (0, 1], points lost)]}. The axis has a break where they go on below it.
    """
    with panels(path, (8, 4.6), title) as axis:
        by_share(axis, {name: [(share, -lost) for share, lost in curve] for name, curve in curves.items()}, CURVES, 6)
        axis.axhline(0, **PAPER)
        log_ticks(axis, {share: str(share) for share in (1, 2, 5, 10, 20, 50, 100)})
        axis.set_ylim(-4.5, 0.6)
        axis.set(xlabel="weights left (%)", ylabel="test accuracy, above the whole network's (points)")
        axis.legend(loc="lower right", frameon=False)
    return Path(path)


def han_sensitivity(
    path: Place, title: str, curves: Mapping[str, Sequence[tuple[float, float]]], reference: float
) -> Path:
    """Figure 6: accuracy against the share of one layer's weights that is left, the others being whole.

    curves {layer, as in LAYERS: [(share, accuracy in %)]}; reference: the whole network's accuracy, in %.
    """
    with panels(path, (7.5, 4.2), title) as axis:
        by_share(axis, curves, LAYERS, 5)
        published(axis, reference, f"whole: {reference:.2f} %", va="top")
        axis.set(xlim=(102, 0), xlabel="weights of the layer left (%)", ylabel="test accuracy (%)")
        axis.legend(loc="lower left", frameon=False)
    return Path(path)


def han_weights(path: Place, title: str, edges: Array, before: Sequence[int], after: Sequence[int]) -> Path:
    """The distribution of a layer's weights before pruning and of the survivors after retraining, each on its scale.

    edges (n + 1,) of the n bins; before, after: weights in each.
    """
    with panels(path, (9, 3.8), title, columns=2, sharex=True) as axes:
        for axis, counts, words, colour in zip(
            axes, (before, after), ("before pruning", "after retraining"), ("#999999", "#0072B2"), strict=True
        ):
            axis.stairs(counts, edges, fill=True, color=colour)
            axis.set(title=f"{words}: {sum(counts):,} weights", xlabel="weight")
        axes[0].set_ylabel("weights in a bin")
    return Path(path)


def han_energy(path: Place, title: str, picojoules: Mapping[str, float]) -> Path:
    """Figure 1: what operations on 32 bits cost in 45 nm CMOS, {operation: pJ}, as bars with the relative cost."""
    with panels(path, (7.5, 3.4), title) as axis:
        names, costs = list(picojoules), list(picojoules.values())
        bars = axis.barh(names, costs, color="#0072B2")
        labels = [f"{cost:g} pJ, {round(cost / costs[0]):,} ×" for cost in costs]
        axis.bar_label(bars, labels, padding=4, fontsize=9)
        axis.set(xscale="log", xlim=(0.05, 10_000))
        axis.invert_yaxis()
        axis.set_xlabel("energy of one operation (pJ)")
    return Path(path)
