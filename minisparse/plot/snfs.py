"""Error against density, as sparse momentum's authors show it (Dettmers & Zettlemoyer 2019)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import NullLocator

from .canvas import Place, panels
from .style import POINTS


def error_against_density(
    path: Place, title: str, errors: Mapping[str, Mapping[float, Sequence[float]]],
    paper: Mapping[str, Mapping[float, tuple[float, float]]], dense: Sequence[float] | None = None,
) -> Path:  # fmt: skip
    """Test error of each method against the share of weights left, with the published errors as hollow markers.

    errors {method: {density: [error in %, one per seed]}}: a line through the means, bars from the lowest to the
    highest; paper {method: {density: (error in %, standard error)}}; dense: the errors of the dense network, a line at
    their mean. Methods are those of POINTS.
    """
    with panels(path, (7, 4.4)) as axis:
        axis.set_title(title)
        for method, by_density in errors.items():
            label, colour, marker = POINTS[method]
            places = sorted(by_density)
            means = np.array([np.mean(by_density[place]) for place in places])
            ends = np.array(
                [(mean - min(by_density[d]), max(by_density[d]) - mean) for d, mean in zip(places, means, strict=True)]
            )
            axis.errorbar(
                [100 * place for place in places], means, ends.T, color=colour, marker=marker, linewidth=1.2,
                capsize=2, label=label,
            )  # fmt: skip
        for method, published in paper.items():
            label, colour, marker = POINTS[method]
            places = sorted(published)
            values, deviations = zip(*(published[place] for place in places), strict=True)
            axis.errorbar(
                [100 * place for place in places], values, deviations, color=colour, marker=marker, markersize=9,
                markerfacecolor="none", linestyle="none", capsize=2, label=f"{label}, paper",
            )  # fmt: skip
        if dense:
            mean = float(np.mean(dense))
            axis.axhline(mean, color="#000000", linestyle=":", label=f"dense: {mean:.2f} %")
        ticks = sorted({100 * place for densities in (*errors.values(), *paper.values()) for place in densities})
        axis.set_xscale("log")
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xticks(_apart(ticks), labels=[f"{tick:.2g}" for tick in _apart(ticks)])
        ours = [error for by_density in errors.values() for seeds in by_density.values() for error in seeds]
        if max(ours) > 20 * min(ours):  # a network that stayed at chance would flatten all others
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_locator(NullLocator())
        axis.set(xlabel="weights left (%)", ylabel="test error (%)")
        axis.grid(alpha=0.25)
        axis.legend(frameon=False)
    return Path(path)


def _apart(ticks: Sequence[float]) -> list[float]:
    """The ticks with room for their number on a logarithmic axis: each 12 % above the last."""
    kept: list[Any] = []
    for tick in ticks:
        if not kept or tick > 1.12 * kept[-1]:
            kept.append(tick)
    return kept
