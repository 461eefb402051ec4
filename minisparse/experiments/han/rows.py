"""The paper's figures, and how ours are computed."""

from collections.abc import Callable, Mapping
from functools import partial
from operator import sub
from typing import Any

from ..studies import NAMES, Ours, Row, each, orderings, paired, rows
from .outcome import accuracy_lost, emptier_border, errors_at, flops_left, period, sizes_of, units_active, weights_left
from .published import PAPER, TABLES, watts


def table_1(network: str) -> tuple[Row, ...]:
    """Errors, whole and pruned, and weights left."""
    table, size, name = TABLES[network], sum(sizes_of(network).values()), NAMES[network]
    near = {"lenet-300-100": 0.2, "lenet-5": 0.15}[network]
    training = "the paper prints neither rates nor epochs, nor how often it ran; last epoch"
    left = each(lambda result: sum(result["weights"].values()))
    prefix, source = f"han/{network}/", f"{PAPER}, table 1"
    return rows(prefix, source,
        ("error-reference", f"{name}: error of the whole network", table.reference, "%", near, each("error_reference")),
        ("error-pruned", f"{name}: error after pruning, in the paper to a twelfth", table.pruned, "%", near,
         each("error_last")),
        below=True, note=training,
    ) + rows(prefix, source,
        ("weights", f"{name}: weights left, of {size:,}", float(table.weights), "weights", table.weights / 10, left,
         "by qualities that were chosen for it on other data: 10 %"),
    )  # fmt: skip


def table_2_or_3(network: str) -> tuple[Row, ...]:
    """What is left of each layer, in %."""
    table, number = TABLES[network], {"lenet-300-100": 2, "lenet-5": 3}[network]
    papers = {layer: active / 100 for layer, (active, _, _) in table.layers.items()}
    columns: tuple[tuple[str, Callable[[Mapping[str, Any]], dict[str, float]], float, float, str], ...] = (
        ("activations", lambda result: units_active(network, result["activity"]), 0, 5.0,
         "an outcome of L2, which the paper does not print: 5 points"),
        ("weights", lambda result: weights_left(network, result["weights"]), 0.1, 0.5,
         "by qualities that were chosen for it on other data: 10 % of it, at least the table's own half point"),
        ("FLOPs", lambda result: flops_left(network, result["weights"], papers), 0.1, 1.0,
         "our weights with the paper's activations: 10 % of it, at least the 1 point of its rounding"),
    )  # fmt: skip
    return rows(f"han/{network}/", f"{PAPER}, table {number}", *(
        (f"{what.lower()}-{layer}", f"{NAMES[network]}, {'all layers' if layer == 'total' else layer}: {what} left",
         float(values[column]), "%", max(least, share * values[column]), _percent(figure, layer), note)
        for column, (what, figure, share, least, note) in enumerate(columns)
        for layer, values in {**table.layers, "total": table.total}.items()
    ))  # fmt: skip


def _percent(figure: Callable[[Mapping[str, Any]], dict[str, float]], layer: str) -> Callable:
    return each(lambda result: 100 * figure(result)[layer])


BANDS = rows("han/bands/", f"{PAPER}, figure 4",
    ("period", "LeNet-300-100: after how many inputs the pattern of the first layer's connections repeats",
     28.0, "inputs", 0.5, each(period), "the figure shows 28 bands of width 28"),
    ("emptier-border",
     "LeNet-300-100: connections of a pixel in the middle half of the image rows above those in the outer half",
     None, "connections", 0.0, each(emptier_border)),
)  # fmt: skip


def _lost(curve: str, share: float) -> Ours:
    return lambda finished: list(accuracy_lost(curve, share, finished).values())


def trade_off() -> tuple[Row, ...]:
    """Figure 5: accuracy against the weights left."""
    source = f"{PAPER}, figure 5 and section 5"
    alexnet = "the paper's figure is of AlexNet and top-5 accuracy"
    points = lambda curve, share: partial(accuracy_lost, curve, share)
    lost = [
        ("L2, no retraining", 1 / 2, "half", "a free lunch: half of the connections go without retraining"),
        ("L2, pruned and retrained in rounds", 1 / 9, "a ninth", "no loss at 9× with iterative pruning"),
    ]
    more = [
        ("L2, no retraining", "L2, retrained", 0.1, "retraining wins accuracy back"),
        ("L2, no retraining", "L1, no retraining", 0.1, "without retraining L1 is better"),
        ("L1, retrained", "L2, retrained", 0.1, "with retraining L2 is better"),
        ("L2, retrained", "L2, pruned and retrained in rounds", 0.03, "rounds are better than one pruning"),
    ]
    return rows("han/trade-off/", source, *(
        (curve.lower().replace(", ", "-").replace(" ", "-"),
         f"LeNet-300-100, {curve}: accuracy lost when {words} of the weights is left",
         0.0, "points", 0.2, _lost(curve, share), f"{claim}; {alexnet}")
        for curve, share, words, claim in lost
    ), below=True) + orderings("han/trade-off/", source, *(
        (claim.replace(" ", "-").lower(),
         f"LeNet-300-100, {share:.0%} of the weights left: {claim} ({curve}, minus {other})",
         paired(sub, points(curve, share), points(other, share)), alexnet)
        for curve, other, share, claim in more
    ))  # fmt: skip


def _of_errors(figure: Callable[..., float]) -> Ours:
    """Row.ours: figure(conv1=…, conv2=…, fc1=…, fc2=…) of the errors with a fifth of that layer left."""
    return lambda finished: [figure(**errors_at(0.2, run)) for run in finished]


FIFTH = "LeNet-5, a fifth of one layer's weights left:"
SENSITIVITY = orderings("han/sensitivity/", f"{PAPER}, figure 6",
    ("first-convolution", f"{FIFTH} error with conv1 pruned above that of the next worst",
     _of_errors(lambda conv1, conv2, fc1, fc2: conv1 - max(conv2, fc1, fc2))),
    ("convolutions", f"{FIFTH} mean error with convolutions pruned above linear layers",
     _of_errors(lambda conv1, conv2, fc1, fc2: (conv1 + conv2 - fc1 - fc2) / 2)),
    note="the paper's figure is of AlexNet",
)  # fmt: skip
POWER = rows("han/energy/", f"{PAPER}, section 1",
    ("dram", "10⁹ connections, fetched from DRAM 20 times a second", 12.8, "W", 0.05,
     lambda finished: [watts(1e9, 20)], "computed from the 640 pJ of figure 1; the tolerance is the printed digit"),
)  # fmt: skip
