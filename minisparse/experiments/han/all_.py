"""Learning both weights and connections (Han et al. 2015) on MNIST: train, prune below a threshold, retrain.

What the paper says of its LeNets, and we do: thresholds are a quality times the standard deviation of a layer's
weights; retraining is at a tenth of the learning rate; convolutions are frozen while linear layers are pruned, and the
other way round; several rounds prune further than one.

What it does not say, and where ours comes from:
- momentum 0.9, L2 5e-4 and batches of 64 are those of Caffe's LeNet [unverified]; no dropout
- the learning rate (of 0.1, 0.03 and 0.01) and the strength of L1 (of 1e-5, 3e-5 and 1e-4) of LeNet-300-100 had the
  lowest error on 5,000 validation images after training on the other 55,000; LeNet-5 takes over the learning rate
- the qualities, STAGES, are those that leave there, in so many rounds, the shares of the paper's tables 2 and 3:
  `calibrated` finds them. They stay as they are for every seed, and how many connections they leave is an outcome.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ... import models, nn, ops, recipes
from ...backend import Array
from ...data import Dataset, batches
from ...flops import count
from ...masks import Masks, project
from ...methods.magnitude import magnitude_mask, remove_dead_units, threshold_mask
from ...optim import Optimizer, frozen, is_weight, sgd
from ...schedule import step_rate
from ...train import train
from ..packing import packed, unpacked_mask
from ..studies import Finished, Row, Run, Study, each, error, mnist

PAPER = "Han et al. 2015"
NETWORKS: dict[str, tuple[nn.Chain, nn.Shape]] = {
    "lenet-300-100": (models.lenet_300_100(), (784,)),
    "lenet-5": (models.lenet_5(), (28, 28, 1)),
}
CONVOLUTIONS = ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"]
LINEAR = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


class Published(NamedTuple):
    """A network in table 1, and tables 2 and 3: (activations not zero, weights left, FLOPs left) in %, by layer."""

    reference: float  # error, %
    pruned: float
    weights: int  # left
    layers: dict[str, tuple[float, float, float]]
    total: tuple[float, float, float]


TABLES = {
    "lenet-300-100": Published(
        1.64, 1.59, 22_000, {"fc1": (38, 8, 8), "fc2": (65, 9, 4), "fc3": (100, 26, 17)}, (46, 8, 8)
    ),
    "lenet-5": Published(
        0.80,
        0.77,
        36_000,
        {"conv1": (82, 66, 66), "conv2": (72, 12, 10), "fc1": (55, 8, 6), "fc2": (100, 19, 10)},
        (77, 8, 16),
    ),
}


# Training, pruning, retraining ----------------------------------------------------------------------------------------


def three_steps(
    model: nn.Chain,
    params: Mapping[str, Array],
    examples: Dataset,
    rng: np.random.Generator,
    seed: int,
    *,
    stages: Sequence[Mapping[str, Any]],
    epochs: int,
    retrain_epochs: int,
    batch: int,
    rate: float,
    drop: int,
    weight_decay: float = 0.0,
    l1: float = 0.0,
) -> Iterator[tuple[float, recipes.Progress | None]]:
    """(share of the work that is done, Progress) at every batch; Progress only after pruning and after an epoch.

    epochs trains, and after each of `stages` {"qualities", "frozen"} come retrain_epochs at a tenth of the rate; no
    epochs leave `params` as they are. drop: epochs of a round after which the rate is a tenth. l1, weight_decay: the
    strength of L1 and of L2 on the weights.
    """
    inputs, labels = examples
    per_epoch = len(labels) // batch
    ends = [0, *accumulate([epochs, *[retrain_epochs] * len(stages)])]

    seen, last = 0, 0
    for progress in recipes.three_step(
        lambda rates: loss_of(model, l1),
        params,
        lambda number: batches(inputs, labels, batch, seed, ends[number] * per_epoch, ends[number + 1] * per_epoch),
        [recipes.Stage(**stage) for stage in stages],
        rng,
        lambda lr: descent(lr, drop * per_epoch, weight_decay),
        rate,
    ):
        seen += progress.step is not None
        done = seen / max(1, ends[-1] * per_epoch)
        yield done, progress if progress.step is None or seen // per_epoch > last else None
        last = seen // per_epoch


def loss_of(model: nn.Layer, l1: float = 0.0) -> Callable:
    """Cross-entropy, and l1 times the sum of all |weights|; as `train` takes it."""

    def loss(params: dict, batch: Dataset, rng: np.random.Generator) -> Any:
        loss = ops.softmax_cross_entropy(model(params, batch[0]), batch[1])
        for name in filter(is_weight, params if l1 else ()):
            loss = loss + l1 * ops.sum(ops.abs(params[name]))
        return loss

    return loss


def descent(rate: float, period: int, weight_decay: float) -> Optimizer:
    """SGD with momentum 0.9, at a tenth of the rate after so many batches."""
    return sgd(step_rate(rate, period, 0.1), momentum=0.9, weight_decay=weight_decay)


def quality(weight: Array, share: float, mask: Array | None = None) -> float:
    """Times the standard deviation of the surviving weights, the threshold that leaves `share` of all connections.

    weight (any shape); mask (same shape, bool): the survivors so far.
    """
    survivors = weight if mask is None else weight[mask]
    below = max(0.0, 1 - share * weight.size / survivors.size)
    return float(np.quantile(abs(survivors), below) / survivors.std(dtype=float))


def calibrated(
    network: str, training: Mapping[str, Any], data_dir: Path | None = None, seed: int = 1000
) -> tuple[list[dict[str, Any]], list[float]]:
    """(stages, errors in %): qualities that leave SHARES, round by round; the error of the whole, then of each round.

    Trains on 55,000 images and takes errors on the other 5,000. STAGES are what it gives.
    """
    model, shape = NETWORKS[network]
    (inputs, labels), held_out, _ = mnist(data_dir, validation=5_000, shape=shape)
    batch, epochs, again = (training[name] for name in ("batch", "epochs", "retrain_epochs"))
    per_epoch = len(labels) // batch
    rng = np.random.default_rng(seed)
    params: Mapping[str, Array] = model.init(rng)
    order = [name for name in params if is_weight(name)]
    masks = Masks({name: np.ones(params[name].shape, bool) for name in order})
    stages: list[dict[str, Any]] = []
    errors: list[float] = []
    for number, (shares, still) in enumerate([({}, []), *SHARES[network]]):
        qualities = {name: round(quality(params[name], own, masks[name]), 3) for name, own in shares.items()}
        smaller = {name: threshold_mask(params[name], own, masks[name]) for name, own in qualities.items()}
        masks = Masks(remove_dead_units({**masks, **smaller}, order))
        stages += [{"qualities": qualities, "frozen": still}] if number else []
        start, stop = (epochs + (number - 1) * again, epochs + number * again) if number else (0, epochs)
        for step in train(
            loss_of(model),
            project(params, masks),
            masks,
            batches(inputs, labels, batch, seed, start * per_epoch, stop * per_epoch),
            recipes.static(),
            rng,
            frozen(
                descent(
                    training["rate"] / (10 if number else 1), training["drop"] * per_epoch, training["weight_decay"]
                ),
                still,
            ),
        ):
            params = step.params
        errors.append(error(model, params, held_out))
    return stages, errors


def activity(model: nn.Chain, params: Mapping[str, Array], inputs: Array) -> dict[str, float]:
    """{layer: share of its outputs, after ReLU and pooling, that are not zero}; the last layer's is 1 (table 2)."""
    weighted = [name.partition(".")[0] for name in params if is_weight(name)]
    shares: dict[str, float] = {}
    x, before = inputs, ""
    for name, layer in model.layers.items():
        if before and name in weighted:
            shares[before] = float(np.count_nonzero(x)) / x.size
        before = name if name in weighted else before
        x = nn.Chain({name: layer})(params, x).value
    return {**shares, weighted[-1]: 1.0}


# The runs -------------------------------------------------------------------------------------------------------------


def pruned(
    data_dir: Path | None, *, network: str, seed: int, stages: Sequence[Mapping[str, Any]], **training: Any
) -> Iterator[float | dict[str, Any]]:
    """Train, then prune and retrain in rounds; errors in %, after every epoch, every pruning and every round."""
    model, shape = NETWORKS[network]
    train_set, _, test_set = mnist(data_dir, shape=shape)
    rng = np.random.default_rng(seed)
    params: Mapping[str, Array] = model.init(rng)
    by_epoch: list[list[float]] = [[] for _ in range(1 + len(stages))]
    after_pruning: list[float] = []
    counts: list[dict[str, int]] = []
    masks, dense = None, params
    for done, now in three_steps(model, params, train_set, rng, seed, stages=stages, **training):
        if now is None:
            yield done
            continue
        params, masks = now.params, now.masks
        dense = params if now.round == 0 else dense
        wrong = error(model, params, test_set)
        if now.phase == "prune":
            after_pruning.append(wrong)
            counts.append(masks.counts)
        else:
            by_epoch[now.round].append(wrong)
    assert masks is not None
    edges = np.linspace(-1, 1, 102) * float(np.quantile(abs(params["fc1.weight"]), 0.9995))
    yield {
        "error_reference": by_epoch[0][-1],
        "error_last": by_epoch[-1][-1],
        "error_best": min(by_epoch[-1]),
        "error_by_epoch": [wrong for one in by_epoch for wrong in one],
        "error_of_rounds": [one[-1] for one in by_epoch],
        "error_after_pruning": after_pruning,
        "weights": masks.counts,
        "weights_of_rounds": counts,
        "activity": activity(model, params, test_set[0][:2_000]),
        "mask_fc1": packed(masks["fc1.weight"]),
        "histogram_edges": [float(edges[0]), float(edges[-1])],
        "histogram_before": _histogram(dense["fc1.weight"], edges),
        "histogram_after": _histogram(params["fc1.weight"][masks["fc1.weight"]], edges),
    }


def _histogram(weights: Array, edges: Array) -> list[int]:
    return np.histogram(weights, edges)[0].tolist()


def one_shot(
    data_dir: Path | None, *, seed: int, qualities: Sequence[float], **training: Any
) -> Iterator[float | dict[str, Any]]:
    """One training, then for each quality, the same for all layers, one pruning of it, evaluated before and after
    retraining.

    points: [[share of the weights left, error after pruning, error after retraining], …], errors in %.
    """
    model, _ = NETWORKS["lenet-300-100"]
    data, rng = mnist(data_dir), np.random.default_rng(seed)
    params: Mapping[str, Array] = model.init(rng)
    steps = training["epochs"] + len(qualities) * training["retrain_epochs"]
    for done, now in three_steps(model, params, data.train, rng, seed, stages=[], **training):
        params = now.params if now else params
        yield done * training["epochs"] / steps
    points = []
    for n, own in enumerate(qualities):
        stages = [{"qualities": dict.fromkeys(filter(is_weight, params), own)}]
        again, straight, end = {**training, "epochs": 0}, 100.0, None
        for done, now in three_steps(model, params, data.train, rng, seed, stages=stages, **again):
            if now and now.phase == "prune":
                straight = error(model, now.params, data.test)
            end = now or end
            yield (training["epochs"] + (n + done) * training["retrain_epochs"]) / steps
        assert end is not None
        points.append([end.masks.density, straight, error(model, end.params, data.test)])
    yield {"error_reference": error(model, params, data.test), "points": points}


def scanned(
    data_dir: Path | None, *, seed: int, shares: Sequence[float], **training: Any
) -> Iterator[float | dict[str, Any]]:
    """One training of LeNet-5, then each layer alone pruned to each share of its weights, without retraining.

    errors: {layer: [error in % for each of the shares]}.
    """
    model, shape = NETWORKS["lenet-5"]
    train_set, _, test_set = mnist(data_dir, shape=shape)
    rng = np.random.default_rng(seed)
    params: Mapping[str, Array] = model.init(rng)
    for done, now in three_steps(model, params, train_set, rng, seed, stages=[], retrain_epochs=0, **training):
        params = now.params if now else params
        yield done
    errors: dict[str, list[float]] = {}
    for name in filter(is_weight, params):
        errors[name] = []
        for share in shares:
            mask = magnitude_mask(params[name], round(share * params[name].size))
            errors[name].append(error(model, project(params, {name: mask}), test_set))
            yield 1.0
    yield {"error_reference": error(model, params, test_set), "errors": errors}


# What the paper printed, and ours -------------------------------------------------------------------------------------


def flops_left(network: str, weights: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """{layer: share of its FLOPs}, and of "total": weights that are left times inputs that are not zero (table 2).

    weights {weight name: how many are left}; before {layer: activity in [0, 1]}, of which the last one feeds none.
    """
    model, shape = NETWORKS[network]
    sites = nn.sites(model, shape)
    sizes = model.shapes()
    active = [1.0, *before.values()]
    density = {
        site.name: weights[site.name] / np.prod(sizes[site.name]) * share
        for site, share in zip(sites, active, strict=False)
    }
    left, all_of_them = sum(count(sites, density).values()), sum(count(sites, {}).values())
    return {name.partition(".")[0]: float(own) for name, own in density.items()} | {"total": left / all_of_them}


def weights_left(network: str, weights: Mapping[str, int]) -> dict[str, float]:
    """{layer: share of its weights that is left}, and of "total"."""
    sizes = {name: float(np.prod(shape)) for name, shape in NETWORKS[network][0].shapes().items() if is_weight(name)}
    own = {name.partition(".")[0]: weights[name] / size for name, size in sizes.items()}
    return own | {"total": sum(weights.values()) / sum(sizes.values())}


def units_active(network: str, active: Mapping[str, float]) -> dict[str, float]:
    """`active`, {layer: share of its outputs that are not zero}, and of all units as "total" (convolutions pooled)."""
    units = {"lenet-300-100": (300, 100, 10), "lenet-5": (12 * 12 * 20, 4 * 4 * 50, 500, 10)}[network]
    total = sum(n * share for n, share in zip(units, active.values(), strict=True)) / sum(units)
    return dict(active) | {"total": total}


def _table(network: str) -> list[Row]:
    """The rows of table 2 or 3."""
    table, name = TABLES[network], {"lenet-300-100": "LeNet-300-100", "lenet-5": "LeNet-5"}[network]
    number = {"lenet-300-100": 2, "lenet-5": 3}[network]
    papers = {layer: row[0] / 100 for layer, row in table.layers.items()}
    of_result: dict[str, tuple[Callable[[Mapping[str, Any]], dict[str, float]], float, str]] = {
        "activations": (
            lambda result: units_active(network, result["activity"]),
            5.0,
            "an outcome of L2, which the paper does not print: 5 points",
        ),
        "weights": (
            lambda result: weights_left(network, result["weights"]),
            0.1,
            "by qualities that were chosen for it on other data: 10 % of it, at least the table's own half point",
        ),
        "FLOPs": (
            lambda result: flops_left(network, result["weights"], papers),
            0.1,
            "our weights with the paper's activations: 10 % of it, at least the 1 point of its rounding",
        ),
    }
    rows = []
    for column, (what, (figure, tolerance, note)) in enumerate(of_result.items()):
        for layer, values in {**table.layers, "total": table.total}.items():
            paper = float(values[column])
            least = {"activations": 5.0, "weights": 0.5, "FLOPs": 1.0}[what]
            rows.append(
                Row(
                    f"han/{network}/{what.lower()}-{layer}",
                    f"{name}, {'all layers' if layer == 'total' else layer}: {what} left",
                    paper,
                    "%",
                    max(least, tolerance * paper) if tolerance < 1 else tolerance,
                    f"{PAPER}, table {number}",
                    each(partial(_percent, figure, layer)),
                    note=note,
                )
            )
    return rows


def _percent(figure: Callable[[Mapping[str, Any]], dict[str, float]], layer: str, result: Mapping[str, Any]) -> float:
    return 100 * figure(result)[layer]


def _three_steps(network: str) -> list[Row]:
    """The rows of table 1."""
    table, name = TABLES[network], {"lenet-300-100": "LeNet-300-100", "lenet-5": "LeNet-5"}[network]
    size = sum(int(np.prod(shape)) for weight, shape in NETWORKS[network][0].shapes().items() if is_weight(weight))
    near = {"lenet-300-100": 0.2, "lenet-5": 0.15}[network]
    training = "the paper prints neither rates nor epochs, nor how often it ran; last epoch"
    source = f"{PAPER}, table 1"
    return [
        Row(
            f"han/{network}/error-reference",
            f"{name}: error of the whole network",
            table.reference,
            "%",
            near,
            source,
            each("error_reference"),
            below=True,
            note=training,
        ),
        Row(
            f"han/{network}/error-pruned",
            f"{name}: error after pruning, in the paper to a twelfth",
            table.pruned,
            "%",
            near,
            source,
            each("error_last"),
            below=True,
            note=training,
        ),
        Row(
            f"han/{network}/weights",
            f"{name}: weights left, of {size:,}",
            float(table.weights),
            "weights",
            table.weights / 10,
            source,
            each(lambda result: sum(result["weights"].values())),
            note="by qualities that were chosen for it on other data: 10 %",
        ),
    ]


def _period(result: Mapping[str, Any]) -> float:
    """After how many inputs of fc1 the pattern of its connections repeats: the lag, from 14 to 42, of the highest
    autocorrelation of the number of connections of each input."""
    of_input = unpacked_mask(result["mask_fc1"], (784, 300)).sum(axis=1) * 1.0
    of_input -= of_input.mean()
    alike = [float(of_input[:-lag] @ of_input[lag:]) for lag in range(14, 43)]
    return 14.0 + int(np.argmax(alike))


def _emptier_border(result: Mapping[str, Any]) -> float:
    """How many connections more a pixel of the middle 14 image rows has than one of the 7 above and the 7 below."""
    of_pixel = unpacked_mask(result["mask_fc1"], (28, 28, 300)).sum(axis=2)
    return float(of_pixel[7:21].mean() - np.concatenate([of_pixel[:7], of_pixel[21:]]).mean())


BANDS = [
    Row(
        "han/bands/period",
        "LeNet-300-100: after how many inputs the pattern of the first layer's connections repeats",
        28.0,
        "inputs",
        0.5,
        f"{PAPER}, figure 4",
        each(_period),
        note="the figure shows 28 bands of width 28",
    ),
    Row(
        "han/bands/emptier-border",
        "LeNet-300-100: connections of a pixel in the middle half of the image rows above those in the outer half",
        None,
        "connections",
        0.0,
        f"{PAPER}, figure 4",
        each(_emptier_border),
    ),
]


def _points(one: Finished) -> Array:
    """(n, 3): share of the weights that is left, error after pruning and after retraining, from few weights to many."""
    result = one["result"]
    if "points" in result:
        points = result["points"]
    else:
        size = sum(
            int(np.prod(shape)) for name, shape in NETWORKS["lenet-300-100"][0].shapes().items() if is_weight(name)
        )
        left = [sum(weights.values()) / size for weights in result["weights_of_rounds"]]
        points = list(zip(left, result["error_after_pruning"], result["error_of_rounds"][1:], strict=True))
    return np.array(sorted(points))


CURVES = {  # figure 5: (run, column of its points)
    "L2, no retraining": ("l2", 1),
    "L1, no retraining": ("l1", 1),
    "L1, retrained": ("l1", 2),
    "L2, retrained": ("l2", 2),
    "L2, pruned and retrained in rounds": ("l2-iterative", 2),
}


def _kind(one: Finished) -> str:
    return str(one["run"]).rpartition("-seed")[0]


def _loss_of_accuracy(curve: str, share: float, finished: Sequence[Finished]) -> dict[int, float]:
    """{seed: points of accuracy lost} where `share` of the weights is left, between the two nearest measurements."""
    run, column = CURVES[curve]
    return {
        one["seed"]: float(np.interp(np.log(share), np.log(_points(one)[:, 0]), _points(one)[:, column]))
        - one["result"]["error_reference"]
        for one in sorted(finished, key=lambda one: one["seed"])
        if _kind(one) == run
    }


def _lost(curve: str, share: float) -> Callable[[Sequence[Finished]], list[float]]:
    return lambda finished: list(_loss_of_accuracy(curve, share, finished).values())


def _loses_more(curve: str, other: str, share: float) -> Callable[[Sequence[Finished]], list[float]]:
    def ours(finished: Sequence[Finished]) -> list[float]:
        more, less = (_loss_of_accuracy(name, share, finished) for name in (curve, other))
        return [more[seed] - less[seed] for seed in more if seed in less]

    return ours


def _trade_off() -> tuple[Row, ...]:
    source = f"{PAPER}, figure 5 and section 5"
    alexnet = "the paper's figure is of AlexNet and top-5 accuracy"
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
    return (
        *(
            Row(
                f"han/trade-off/{curve.lower().replace(', ', '-').replace(' ', '-')}",
                f"LeNet-300-100, {curve}: accuracy lost when {words} of the weights is left",
                0.0,
                "points",
                0.2,
                source,
                _lost(curve, share),
                below=True,
                note=f"{claim}; {alexnet}",
            )
            for curve, share, words, claim in lost
        ),
        *(
            Row(
                f"han/trade-off/{claim.replace(' ', '-').lower()}",
                f"LeNet-300-100, {share:.0%} of the weights left: {claim} ({curve}, minus {other})",
                None,
                "points",
                0.0,
                source,
                _loses_more(curve, other, share),
                note=alexnet,
            )
            for curve, other, share, claim in more
        ),
    )


def _at(share: float, one: Finished) -> dict[str, float]:
    """{layer: error in %} where `share` of that layer's weights is left."""
    place = one["config"]["shares"].index(share)
    return {name.partition(".")[0]: errors[place] for name, errors in one["result"]["errors"].items()}


def _first_is_worst(finished: Sequence[Finished]) -> list[float]:
    errors = [_at(0.2, one) for one in finished]
    return [own["conv1"] - max(own["conv2"], own["fc1"], own["fc2"]) for own in errors]


def _convolutions_are_worse(finished: Sequence[Finished]) -> list[float]:
    errors = [_at(0.2, one) for one in finished]
    return [(own["conv1"] + own["conv2"] - own["fc1"] - own["fc2"]) / 2 for own in errors]


ENERGY = {  # figure 1: 45 nm CMOS, picojoules of an operation on 32 bits
    "int ADD": 0.1,
    "float ADD": 0.9,
    "register file": 1.0,
    "int MULT": 3.1,
    "float MULT": 3.7,
    "SRAM cache": 5.0,
    "DRAM memory": 640.0,
}


def watts(connections: float, hertz: float, picojoules: float = ENERGY["DRAM memory"]) -> float:
    """What it takes to fetch every connection of a network so many times a second."""
    return connections * hertz * picojoules * 1e-12


# Figures --------------------------------------------------------------------------------------------------------------


def _first(finished: Sequence[Finished], kind: str = "") -> Finished | None:
    """The finished run of the lowest seed."""
    return min((one for one in finished if _kind(one) == kind), key=lambda one: one["seed"], default=None)


def _pruned_figures(network: str, finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    from ... import plot

    one = _first(finished, "pruned")
    if one is None:
        return []
    table, result, name = TABLES[network], one["result"], network.replace("-", "_")
    title = {"lenet-300-100": "LeNet-300-100", "lenet-5": "LeNet-5"}[network]
    left = [1.0, *(weights_left(network, weights)["total"] for weights in result["weights_of_rounds"])]
    low, high = result["histogram_edges"]
    edges = np.linspace(low, high, len(result["histogram_before"]) + 1)
    papers = {layer: row[1] / 100 for layer, row in table.layers.items()} | {"total": table.total[1] / 100}
    made = [
        plot.han_rounds(
            folder / f"han_rounds_{name}.png",
            f"{title}, pruned below a threshold and retrained, round by round",
            result["error_by_epoch"],
            one["config"]["epochs"],
            one["config"]["retrain_epochs"],
            left,
            (table.reference, table.pruned),
        ),
        plot.han_layers(
            folder / f"han_layers_{name}.png",
            f"{title}: what pruning leaves of each layer",
            weights_left(network, result["weights"]),
            papers,
        ),
        plot.han_weights(
            folder / f"han_weights_{name}.png",
            f"{title}: the weights of fc1 before pruning, and those that are left after retraining",
            edges,
            result["histogram_before"],
            result["histogram_after"],
        ),
    ]
    if network == "lenet-300-100":
        mask = unpacked_mask(result["mask_fc1"], (784, 300))
        made.append(plot.han_bands(folder / "han_bands.png", "The connections of LeNet-300-100's first layer", mask))
    return made


def _trade_off_figure(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    from ... import plot

    ones = {kind: _first(finished, kind) for kind, _ in CURVES.values()}
    curves = {
        curve: [(row[0], row[column] - one["result"]["error_reference"]) for row in _points(one)]
        for curve, (kind, column) in CURVES.items()
        if (one := ones[kind]) is not None
    }
    title = "LeNet-300-100: what is lost when fewer weights are left"
    return [plot.han_trade_off(folder / "han_trade_off.png", title, curves)] if curves else []


def _sensitivity_figure(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    from ... import plot

    one = _first(finished, "scan")
    if one is None:
        return []
    curves = {
        name.partition(".")[0]: [(s, 100 - wrong) for s, wrong in zip(one["config"]["shares"], errors, strict=True)]
        for name, errors in one["result"]["errors"].items()
    }
    title = "LeNet-5: one layer pruned at a time, without retraining"
    reference = 100 - one["result"]["error_reference"]
    return [plot.han_sensitivity(folder / "han_sensitivity.png", title, curves, reference)]


def _energy_figure(finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    from ... import plot

    title = f"A network of 10⁹ connections, fetched from DRAM 20 times a second: {watts(1e9, 20):.1f} W"
    return [plot.han_energy(folder / "han_energy.png", title, ENERGY)]


# The studies ----------------------------------------------------------------------------------------------------------

TRAINING: dict[str, Any] = {"batch": 64, "weight_decay": 5e-4}
MLP: dict[str, Any] = {**TRAINING, "epochs": 30, "retrain_epochs": 20, "rate": 0.03, "drop": 15}
LENET_5: dict[str, Any] = {**TRAINING, "epochs": 15, "retrain_epochs": 6, "rate": 0.03, "drop": 10}
TRADE_OFF: dict[str, Any] = {**MLP, "retrain_epochs": 10}
SHARES: dict[str, Any] = {  # (layers' shares, what is frozen) in each round, down to tables 2 and 3
    "lenet-300-100": [
        ({"fc1.weight": 0.5, "fc2.weight": 0.5, "fc3.weight": 0.7}, []),
        ({"fc1.weight": 0.27, "fc2.weight": 0.28, "fc3.weight": 0.5}, []),
        ({"fc1.weight": 0.147, "fc2.weight": 0.16, "fc3.weight": 0.36}, []),
        ({"fc1.weight": 0.08, "fc2.weight": 0.09, "fc3.weight": 0.26}, []),
    ],
    "lenet-5": [
        ({"fc1.weight": 0.25, "fc2.weight": 0.45}, CONVOLUTIONS),
        ({"conv1.weight": 0.8, "conv2.weight": 0.35}, LINEAR),
        ({"fc1.weight": 0.08, "fc2.weight": 0.19}, CONVOLUTIONS),
        ({"conv1.weight": 0.66, "conv2.weight": 0.12}, LINEAR),
    ],
}
STAGES: dict[str, Any] = {
    "lenet-300-100": [
        {"qualities": {"fc1.weight": 0.356, "fc2.weight": 0.467, "fc3.weight": 0.276}, "frozen": []},
        {"qualities": {"fc1.weight": 0.515, "fc2.weight": 0.653, "fc3.weight": 0.478}, "frozen": []},
        {"qualities": {"fc1.weight": 0.666, "fc2.weight": 0.763, "fc3.weight": 0.588}, "frozen": []},
        {"qualities": {"fc1.weight": 0.759, "fc2.weight": 0.835, "fc3.weight": 0.662}, "frozen": []},
    ],
    "lenet-5": [
        {"qualities": {"fc1.weight": 1.031, "fc2.weight": 0.623}, "frozen": CONVOLUTIONS},
        {"qualities": {"conv1.weight": 0.253, "conv2.weight": 0.667}, "frozen": LINEAR},
        {"qualities": {"fc1.weight": 0.916, "fc2.weight": 0.871}, "frozen": CONVOLUTIONS},
        {"qualities": {"conv1.weight": 0.409, "conv2.weight": 0.859}, "frozen": LINEAR},
    ],
}
ONE_SHOT_QUALITIES = [0.05, 0.15, 0.3, 0.5, 0.7, 0.9, 1.2, 1.5, 1.8, 2.2, 2.6, 3.0]
ROUND_QUALITIES = [0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.85, 0.85, 0.85]
L1 = 3e-5

ACTIVATIONS = (
    "How many activations are zero follows from L2, the learning rate and dropout, none of which the paper prints for "
    "its LeNets; ours were chosen for the error alone."
)
QUALITIES = (
    "Our qualities left the table's shares where they were found, on a network of another seed and 55,000 images. They "
    "stay: what the same multiple of a standard deviation leaves differs between seeds."
)


def _pruned_runs(network: str, training: Mapping[str, Any]) -> Callable[[int], list[Run]]:
    def runs(seeds: int) -> list[Run]:
        config = {"network": network, "stages": STAGES[network], **training}
        return [Run(f"pruned-seed{seed}", seed, pruned, {"seed": seed, **config}) for seed in range(seeds)]

    return runs


def _trade_off_runs(seeds: int) -> list[Run]:
    weights = [name for name in NETWORKS["lenet-300-100"][0].shapes() if is_weight(name)]
    rounds = [{"qualities": dict.fromkeys(weights, own), "frozen": []} for own in ROUND_QUALITIES]
    kinds: list[tuple[str, Any, dict[str, Any]]] = [
        ("l2", one_shot, {"qualities": ONE_SHOT_QUALITIES}),
        ("l2-iterative", pruned, {"network": "lenet-300-100", "stages": rounds}),
        ("l1", one_shot, {"qualities": ONE_SHOT_QUALITIES, "weight_decay": 0.0, "l1": L1}),
    ]
    return [
        Run(f"{kind}-seed{seed}", seed, function, {"seed": seed, **TRADE_OFF, **config})
        for seed in range(seeds)
        for kind, function, config in kinds
    ]


def _scan_runs(seeds: int) -> list[Run]:
    training = {name: value for name, value in LENET_5.items() if name != "retrain_epochs"}
    config = {"shares": [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02, 0.0], **training}
    return [Run(f"scan-seed{seed}", seed, scanned, {"seed": seed, **config}) for seed in range(seeds)]


STUDIES = (
    Study(
        "han-lenet-300-100",
        PAPER,
        "LeNet-300-100, trained, pruned to a twelfth in four rounds and retrained; its bands and its weights.",
        minutes=3,
        seeds=3,
        runs=_pruned_runs("lenet-300-100", MLP),
        rows=(*_three_steps("lenet-300-100"), *_table("lenet-300-100"), *BANDS),
        figures=partial(_pruned_figures, "lenet-300-100"),
        causes={
            "han/lenet-300-100/activations": ACTIVATIONS,
            **dict.fromkeys(("han/lenet-300-100/weights", "han/lenet-300-100/flops"), QUALITIES),
        },
    ),
    Study(
        "han-lenet-5",
        PAPER,
        "LeNet-5, its linear layers pruned and retrained while the convolutions are frozen, then the other way round.",
        minutes=13,
        seeds=1,
        runs=_pruned_runs("lenet-5", LENET_5),
        rows=(*_three_steps("lenet-5"), *_table("lenet-5")),
        figures=partial(_pruned_figures, "lenet-5"),
        causes={
            "han/lenet-5/activations": ACTIVATIONS,
            **dict.fromkeys(("han/lenet-5/weights", "han/lenet-5/flops"), QUALITIES),
        },
    ),
    Study(
        "han-trade-off",
        PAPER,
        "LeNet-300-100 by one quality for all layers: L1 and L2, without and with retraining, and in rounds.",
        minutes=11,
        seeds=1,
        runs=_trade_off_runs,
        rows=_trade_off(),
        figures=_trade_off_figure,
        causes={
            "han/trade-off/": "The paper's figure is of AlexNet. Here L1 loses less at this share with retraining too; "
            "with a weaker one, 1e-5, L2 was better without retraining and as good with it.",
        },
    ),
    Study(
        "han-sensitivity",
        PAPER,
        "LeNet-5, each layer alone pruned to a share of its weights, without retraining.",
        minutes=6,
        seeds=1,
        runs=_scan_runs,
        rows=(
            Row(
                "han/sensitivity/first-convolution",
                "LeNet-5, a fifth of one layer's weights left: error with conv1 pruned above that of the next worst",
                None,
                "points",
                0.0,
                f"{PAPER}, figure 6",
                _first_is_worst,
                note="the paper's figure is of AlexNet",
            ),
            Row(
                "han/sensitivity/convolutions",
                "LeNet-5, a fifth of one layer's weights left: mean error with convolutions pruned above linear layers",
                None,
                "points",
                0.0,
                f"{PAPER}, figure 6",
                _convolutions_are_worse,
                note="the paper's figure is of AlexNet",
            ),
        ),
        figures=_sensitivity_figure,
    ),
    Study(
        "han-energy",
        PAPER,
        "What an operation takes in 45 nm CMOS, and what fetching a network from DRAM would; nothing to run.",
        minutes=0,
        seeds=1,
        runs=lambda seeds: [],
        rows=(
            Row(
                "han/energy/dram",
                "10⁹ connections, fetched from DRAM 20 times a second",
                12.8,
                "W",
                0.05,
                f"{PAPER}, section 1",
                lambda finished: [watts(1e9, 20)],
                note="computed from the 640 pJ of figure 1; the tolerance is the printed digit",
            ),
        ),
        figures=_energy_figure,
    ),
)
