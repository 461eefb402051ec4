"""Figures of the RigL studies (Evci et al. 2020)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..backend import Array
from ..files import replacing
from ..looks import LOOKS
from .canvas import BREAK, NOTE, Place, broken_axes, canvas, deviation, log_ticks, panels, part_words, point
from .style import METHOD_STYLE, PAPER, POINTS, STYLE

FRAMES_PER_SECOND = 8


def rigl_animation(
    path: Place, title: str, frames: Sequence[tuple[int, Array, float, float]],
    static: Sequence[tuple[int, float]] = (), ending: str = "", last: int = 24,
) -> Path:  # fmt: skip
    """Connections of every input pixel as RigL moves them, beside a static mask's, with share and test accuracy.

    frames [(batches, (28, 28) counts, central share, accuracy)] of RigL; static [(batches, accuracy)] of the mask that
    RigL starts from. The last frame says `ending`, and stays for `last` more. Writes a GIF.
    """
    from matplotlib.animation import PillowWriter

    with mpl.rc_context(STYLE | {"figure.dpi": 100, "font.size": 9}), replacing(Path(path)) as unfinished:
        figure = Figure(figsize=(8, 3.4))
        grid = figure.add_gridspec(2, 3, width_ratios=(1, 1, 1.15))
        images = []
        for column, name in enumerate((f"RigL, {title}", "static mask")):
            axes = figure.add_subplot(grid[:, column])
            images.append(axes.imshow(frames[0][1], cmap="magma", vmin=0, vmax=30))
            axes.add_patch(Rectangle((3.5, 3.5), 20, 20, fill=False, edgecolor="white", linestyle=":"))
            axes.set(xticks=[], yticks=[], title=name)
        figure.colorbar(images[0], ax=figure.axes, label="connections of a pixel", shrink=0.9, extend="max",
                        location="bottom", aspect=40)  # fmt: skip
        above, below = (figure.add_subplot(grid[row, 2]) for row in (0, 1))
        batches = [max(n, frames[1][0] / 2) for n, *_ in frames]  # the first is before all batches
        curves = [
            (above, batches, [100 * share for _, _, share, _ in frames], METHOD_STYLE["rigl"]),
            (above, batches, [100 * frames[0][2]] * len(frames), METHOD_STYLE["static"]),
            (below, batches, [100 * accuracy for *_, accuracy in frames], METHOD_STYLE["rigl"]),
        ]
        if within := [(n, 100 * accuracy) for n, accuracy in static if 0 < n <= batches[-1]]:
            curves.append((below, *map(list, zip(*within, strict=True)), METHOD_STYLE["static"]))
        lines = [axes.plot([], [], look[2], color=look[1], label=look[0])[0] for axes, *_, look in curves]
        for axes, name, low in ((above, "in the central 20×20 (%)", 45), (below, "test accuracy (%)", 84)):
            axes.set(xscale="log", xlim=(batches[0], batches[-1]), ylim=(low, 100))
            axes.set_title(name, loc="left", fontsize=9)
        below.plot([0], [0], transform=below.transAxes, **BREAK)  # before the first batch it is at chance
        above.legend(loc="lower right", frameon=False)
        above.tick_params(labelbottom=False)
        writer = PillowWriter(fps=FRAMES_PER_SECOND)
        with writer.saving(figure, str(unfinished), dpi=100):
            for n, (steps, pixels, *_) in enumerate(frames, 1):
                images[0].set_data(pixels)
                for line, (_, xs, ys, _) in zip(lines, curves, strict=True):
                    seen = sum(x <= batches[n - 1] for x in xs)
                    line.set_data(xs[:seen], ys[:seen])
                is_last = n == len(frames)
                below.set_xlabel(f"after {steps:,} batches")
                figure.suptitle(ending if is_last else " ", fontsize=10)
                for _ in range(1 + last * is_last):
                    writer.grab_frame()
    return Path(path)


def rigl_table_2(
    path: Place, published: Mapping[str, tuple[float, float]],
    ours: Mapping[tuple[str, int], Sequence[tuple[float, float]]],
) -> Path:  # fmt: skip
    """Test error against the size of inference, RigL's table 2: published methods hollow, our seeds filled.

    published {method: (KFLOPs, error in %)}; ours {(method, T_end): [(KFLOPs, error of the best epoch in %)]}.
    """
    colours, markers = {"RigL": "#D55E00", "RigL+": "#0072B2"}, "o^"
    with panels(path, (6.4, 4)) as axes:
        for method, (kflops, error) in published.items():
            colour = colours.get(method, "#000000")
            axes.plot(kflops, error, "s", color=colour, markerfacecolor="none", markersize=9)
            axes.annotate(method, (kflops, error), (8, -3), textcoords="offset points")
        ends = sorted({t_end for _, t_end in ours})
        for (method, t_end), seeds in ours.items():
            label = f"{method}, ours, $T_{{end}}$ {t_end:,}"
            axes.plot(*zip(*seeds, strict=True), markers[ends.index(t_end)], color=colours[method], label=label)
        axes.plot([], [], "s", color="#000000", markerfacecolor="none", label="published")
        log_ticks(axes, {kflops: str(kflops) for kflops in (5, 10, 20, 50, 100, 200)})
        axes.set(xlabel="inference (KFLOPs)", ylabel="test error, best epoch (%)")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
    return Path(path)


def rigl_equal_budget(path: Place, title: str, points: Mapping[tuple[str, int], Sequence[tuple[float, float]]]) -> Path:
    """Test accuracy against what training cost, for all methods with the same connections at 98 % sparsity.

    points {(method, times the usual length): [(training, dense = 1; accuracy in %), one per seed]}.
    """
    means = {key: np.mean(seeds, axis=0) for key, seeds in points.items()}
    with canvas(path, (7.2, 4.6)) as figure:
        column = broken_axes(figure, [accuracy for _, accuracy in means.values()], reach=3)[:, 0]
        for (method, times), seeds in points.items():
            (cost, accuracy), (label, colour, marker) = means[method, times], POINTS[method]
            spread = deviation([accuracy for _, accuracy in seeds])
            point(column, cost, accuracy, spread, color=colour, marker=marker, markersize=9 if times == 1 else 13,
                  label=label if times == 1 else f"{label}, {times}× as long")  # fmt: skip
        for axes in column:
            axes.grid(alpha=0.25)
        column[0].set(title=title, ylabel="test accuracy, last epoch (%)")
        column[-1].set(xscale="log", xlabel="multiply-adds of training, dense = 1")
        column[-1].xaxis.set_major_formatter("{x:g}")
        figure.legend(*column[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
        for axes in column[1:]:
            part_words(axes)
    return Path(path)


def rigl_extended(path: Place, epochs: int, curves: Mapping[str, Mapping[int, Sequence[float]]]) -> Path:
    """Test accuracy of RigL and of a static mask, trained once, twice and five times as long.

    curves {method: {times: [accuracy in %, one per seed]}}; bars are standard deviations over seeds.
    """
    with panels(path, (5.6, 3.8)) as axes:
        for method, by_times in curves.items():
            label, colour, dash = METHOD_STYLE[method]
            times = sorted(by_times)
            means = [float(np.mean(by_times[n])) for n in times]
            spread = [deviation(by_times[n]) for n in times]
            axes.errorbar(times, means, spread, color=colour, linestyle=dash, marker="o", capsize=3, label=label)
        log_ticks(axes, {n: f"{n}×" for n in sorted({n for by_times in curves.values() for n in by_times})})
        axes.set(xlabel=f"length of training, 1× = {epochs} epochs", ylabel="test accuracy, last epoch (%)")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
    return Path(path)


def rigl_escape(path: Place, seeds: int, losses: Mapping[str, Sequence[float]]) -> Path:
    """Training loss on the way to a static solution, and on three ways on from its weights.

    losses {"solution", "continued", "restarted", "rigl": mean loss of each epoch}.
    """
    looks = {
        "solution": ("static mask", "#000000", "-"),
        "continued": ("static, goes on", "#999999", ":"),
        "restarted": ("static, restarted", "#0072B2", "--"),
        "rigl": ("RigL from the static solution", "#D55E00", "-"),
    }
    with panels(path, (6.4, 4)) as axes:
        first = len(losses["solution"])
        for name, (label, colour, dash) in looks.items():
            begin = 0 if name == "solution" else first
            epochs = np.arange(begin + 1, begin + len(losses[name]) + 1)
            axes.plot(epochs, losses[name], dash, color=colour, label=label)
        axes.axhline(losses["solution"][-1], **PAPER)
        axes.annotate("loss of the static solution", (1, losses["solution"][-1]), (0, -11), **NOTE)
        of_seeds = f" and {seeds} seeds" if seeds > 1 else ""
        axes.set(yscale="log", xlabel="epochs", ylabel=f"training loss, mean of an epoch{of_seeds}")
        axes.legend(frameon=False)
    return Path(path)


def rigl_sweeps(
    path: Place, periods: Mapping[float, Sequence[tuple[int, Sequence[float]]]],
    distributions: Mapping[str, Sequence[tuple[float, Sequence[float]]]], others: Mapping[str, Sequence[float]],
) -> Path:  # fmt: skip
    """Test error by α and ΔT, by the distribution at three sparsities, and by what grows and from which value.

    periods {α: [(ΔT, errors in %, one per seed)]}; distributions {name: [(sparsity, errors)]}; others {choice: errors};
    an empty list is not run. Bars are standard deviations over seeds.
    """
    looks: Any = (("#0072B2", "--", "v"), ("#D55E00", "-", "o"), ("#009E73", ":", "^"))
    with canvas(path, (8, 6.4)) as figure:
        halves: Any = figure.subfigures(2, 1, height_ratios=(1, 1.1))
        by_period, by_sparsity = halves[0].subplots(1, 2)
        below = halves[1].subplots()
        for axes, curves, label in (
            (by_period, periods, "α = {}"),
            (by_sparsity, {{"erk": "ERK"}.get(n, n): curve for n, curve in distributions.items()}, "{}"),
        ):
            for (name, curve), (colour, dash, marker) in zip(curves.items(), looks, strict=False):
                points = np.array([(x, np.mean(errors), deviation(errors)) for x, errors in curve if errors])
                look: Any = {"linestyle": dash, "marker": marker, "capsize": 3, "label": label.format(name)}
                axes.errorbar(*points.reshape(-1, 3).T, color=colour, **look)
            axes.set_ylabel("test error, last epoch (%)")
            axes.grid(alpha=0.25)
            axes.legend(frameon=False)
        log_ticks(by_period, {period: f"{period:,}" for period, _ in next(iter(periods.values()))})
        by_period.set_xlabel("ΔT (batches between updates)")
        sparsities = [sparsity for sparsity, _ in next(iter(distributions.values()))]
        by_sparsity.set_xticks(sparsities, [f"{100 * sparsity:g} %" for sparsity in sparsities])
        by_sparsity.set_xlabel("sparsity")
        run = {name: errors for name, errors in others.items() if errors}
        for place, errors in enumerate(run.values()):
            below.errorbar(np.mean(errors), place, xerr=deviation(errors), fmt="o", color="#D55E00", capsize=3)
        below.set_yticks(range(len(run)), list(run))
        below.invert_yaxis()
        below.set_xlabel("test error, last epoch (%)")
        below.grid(alpha=0.25)
    return Path(path)


def rigl_photographs(
    path: Place, title: str, curves: Mapping[str, Mapping[float, Sequence[tuple[float, float]]]]
) -> Path:
    """Test accuracy against sparsity, and against what training cost.

    curves {method: {sparsity: [(training, dense = 1; accuracy in %), one per seed]}}; bars are standard deviations over
    seeds; the dense network is a line.
    """
    shown = sorted({sparsity for method, points in curves.items() if method != "dense" for sparsity in points})
    with panels(path, (9.5, 4), title, columns=2, sharey=True) as axes:
        for method, by_sparsity in curves.items():
            label, colour, marker, dash = (
                LOOKS["rigl"]._replace(label="RigL, uniform", marker="1") if method == "rigl-uniform" else LOOKS[method]
            )
            sparsities = sorted(by_sparsity)
            costs, means = np.array([np.mean(by_sparsity[s], axis=0) for s in sparsities]).T
            spread = [deviation([accuracy for _, accuracy in by_sparsity[s]]) for s in sparsities]
            look = {"color": colour, "marker": marker, "linestyle": dash, "markersize": 7, "capsize": 3, "label": label}
            if method == "dense":
                axes[0].axhline(means[0], color=colour, linestyle=dash)
            else:
                axes[0].errorbar([shown.index(s) for s in sparsities], means, spread, **look)
            axes[1].errorbar(costs, means, spread, **look)
        axes[0].set(xlabel="sparsity", ylabel="test accuracy, last epoch (%)")
        axes[0].set_xticks(range(len(shown)), [f"{sparsity:.0%}" for sparsity in shown])
        log_ticks(axes[1], {cost: f"{cost:g}" for cost in (0.05, 0.1, 0.2, 0.5, 1, 2)})
        spent = [cost for by_sparsity in curves.values() for runs in by_sparsity.values() for cost, _ in runs]
        axes[1].set(xlabel="multiply-adds of training, dense = 1", xlim=(0.8 * min(spent), 1.25 * max(spent)))
        for axis in axes:
            axis.grid(alpha=0.25)
        axes[1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return Path(path)
