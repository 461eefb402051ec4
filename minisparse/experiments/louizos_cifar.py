"""L0 on CIFAR-10 (Louizos et al. 2018, sec. 4.2, table 2): a wide residual network with gates, beside dropout.

Gates are on the output maps of the first convolution of every block, with drop rates of 0.3 at first; dropout is at the
same place, and the original has neither. As the authors' code has it: Nesterov SGD at 0.1 with momentum 0.9, divided by
5 after 60, 120 and 160 of 200 epochs, batches of 128, L2 5e-4, random crops and mirror images, evaluation by parameters
averaged with β = 0.99. The paper's WRN-28-10, l0-cifar, is for a GPU; l0-cifar-small is WRN-10-1 for 10 epochs, with
all times scaled. There λ is larger than the paper's, since a gate of a narrow network stands for fewer weights, and has
fewer steps in which to close.

Differs from the authors' code: the L2 of a gated weight is multiplied by the probability of its gate, as the paper's
equation has it, and not divided by 0.7.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import flops, models, nn, plot, recipes
from ..backend import Array, to_device
from ..data import batches, by_channel, crops_and_flips, load
from ..masks import Masks
from ..methods import l0
from ..optim import Optimizer, sgd
from ..runs.folder import claim, metrics, recorded
from ..runs.run import CALIBRATION
from ..schedule import multi_step_rate
from ..streams import draw_key
from ..train import State, train
from .louizos import PAPER
from .studies import Finished, Row, Run, Running, Study, each_seed, error, errors_of, kind_of, loss_of
from .studies.rows import each, gap, orderings, rows

SHAPE = (32, 32, 3)
BATCH, RATE, DECAY, DROP_RATE, BETA = 128, 0.1, 5e-4, 0.3, 0.99


def network(kind: str, depth: int, width: int) -> nn.Chain:
    """WRN-depth-width, the "original", with "dropout", or with gates, "l0"."""
    model = models.wide_resnet(depth, width, dropout=DROP_RATE if kind == "dropout" else 0.0)
    first = [
        site.name.removesuffix(".weight") for site in nn.sites(model, SHAPE) if site.name.endswith(".conv1.weight")
    ]
    return nn.gated(model, dict.fromkeys(first, DROP_RATE)) if kind == "l0" else model


def optimizer(kind: str, epochs: int, per_epoch: int) -> Optimizer:
    """The authors' SGD, which keeps the average of the parameters too; L2 is in the loss where there are gates."""
    drops = [round(share * epochs * per_epoch) for share in (0.3, 0.6, 0.8)]
    rate = multi_step_rate(RATE, drops, 0.2)
    descent = sgd(rate, momentum=0.9, nesterov=True, weight_decay=0.0 if kind == "l0" else DECAY)
    return averaging(recipes.clamped(descent))


def averaging(descent: Optimizer) -> Optimizer:
    """`descent`, with the average of the parameters after each step as a slot more."""

    def update(params: Mapping[str, Array], grads: Mapping[str, Array], slots: dict, step: int) -> tuple[dict, dict]:
        inner = {name: slot for name, slot in slots.items() if name != "average"}
        moved, inner = descent.update(params, grads, inner, step)
        return moved, inner | {"average": recipes.averaged(slots["average"], moved, step, BETA)}

    return Optimizer(lambda params: descent.init(params) | {"average": dict(params)}, update)


def trained(
    data_dir: Path | None, folder: Path, seed: int, kind: str, depth: int, width: int, epochs: int,
    lambda_: float | None = None, device: str = "cpu",
) -> Running:  # fmt: skip
    """Train the network of a kind in a folder from which an interrupted run continues.

    Errors are in %, by averaged parameters. lambda_: λ times N, where there are gates.
    """
    claim(folder, {"seed": seed, "kind": kind, "depth": depth, "width": width, "epochs": epochs, "lambda_": lambda_})
    (images, labels), (test_images, test_labels) = (load("cifar10", data_dir, split) for split in ("train", "test"))
    inputs, test_inputs = by_channel(images, test_images)
    inputs = inputs.augmented(crops_and_flips(len(labels), seed))
    (inputs, labels), test_set = to_device(((inputs, labels), (test_inputs, test_labels)), device)
    model, rng = network(kind, depth, width), np.random.default_rng(seed)
    per_epoch = len(labels) // BATCH
    loss = loss_of(model) if kind != "l0" else recipes.l0_loss(model, len(labels), lambda_ or 0.0, DECAY)
    descent, total = optimizer(kind, epochs, per_epoch), epochs * per_epoch
    sites = nn.sites(model, SHAPE)

    def expected_flops(params: Mapping[str, Array]) -> float:
        return sum(flops.count(sites, l0.densities(params) if kind == "l0" else {}).values())

    def test_error(params: Mapping[str, Array]) -> float:
        seen = batches(inputs, labels, BATCH, seed, stop=CALIBRATION)
        stats = nn.recalibrate(model, params, seen)
        return error(partial(model, stats=stats), params, test_set)

    def steps(start: State | None) -> Iterator[tuple[State, dict[str, Any]]]:
        if start is None:
            params = to_device(model.init(rng), device)
            start = State(0, params, Masks({}), descent.init(params), None, draw_key(rng))
        left = batches(inputs, labels, BATCH, seed, start.number, total)
        for step in train(loss, start.params, {}, left, recipes.static(), rng, descent, start):
            line: dict[str, Any] = {"step": step.number, "loss": step.loss}
            if (step.number + 1) % per_epoch == 0:
                average = step.slots["average"]
                line["error"] = test_error(average)
                line["flops"] = expected_flops(average)
                line["gates"] = [int(on.sum()) for on in l0.open_gates(average).values()] if kind == "l0" else []
            yield step.state, line

    for line in recorded(folder, steps, per_epoch, device):
        yield (line["step"] + 1) / total
    ends = metrics(folder)[per_epoch - 1 :: per_epoch]
    yield {
        **errors_of([line["error"] for line in ends]),
        "flops_by_epoch": [expected_flops(model.init(np.random.default_rng(seed))), *(line["flops"] for line in ends)],
        "gates": ends[-1]["gates"],
        "flops_dense": sum(flops.count(sites, {}).values()),
    }


def runs(depth: int, width: int, epochs: int, lambdas: Sequence[float], seeds: int) -> list[Run]:
    """Study.runs: of every seed the gated network of each λ, dropout, and the original."""
    gated: dict[str, dict[str, Any]] = {f"l0-{x:g}": {"kind": "l0", "lambda_": x} for x in lambdas}
    kinds = gated | {kind: {"kind": kind} for kind in ("dropout", "original")}
    numbers = {"depth": depth, "width": width, "epochs": epochs}
    made = each_seed(trained, {name: numbers | config for name, config in kinds.items()})(seeds)
    return [run._replace(keeps=True, device="cpu") for run in made]


def orders(prefix: str, lambda_: float, note: str) -> tuple[Row, ...]:
    """What the paper finds of a network with gates."""
    gates = {"kind": "l0", "lambda_": lambda_}
    saved = lambda result: 100 * (1 - result["flops_by_epoch"][-1] / result["flops_by_epoch"][0])
    return (
        *orderings(prefix, TABLE_2,
            ("below-original", "WRN on CIFAR-10: L0's error below the original network's",
             gap("error_last", {"kind": "original"}, gates), f"table 2 has 0.17 points{note}"),
            ("below-dropout", "WRN on CIFAR-10: L0's error below dropout's",
             gap("error_last", {"kind": "dropout"}, gates), f"table 2 has 0.06 points{note}")),
        *orderings(prefix, f"{PAPER}, figure 4: expected FLOPs fall during training",
            ("fewer-flops", "WRN on CIFAR-10: expected FLOPs at the end below those at the start",
             each(saved, **gates), f"the paper shows a curve{note}"), unit="%"),
    )  # fmt: skip


def _label(name: str) -> str:
    """Of a run's name without its seed, in words."""
    kind, _, lambda_ = name.partition("-")
    return {"original": "original", "dropout": f"dropout {DROP_RATE:g}"}.get(kind, f"L0, λ = {lambda_} / N")


def _config(name: str) -> dict[str, Any]:
    kind, _, lambda_ = name.partition("-")
    return {"kind": kind} | ({"lambda_": float(lambda_)} if lambda_ else {})


TABLE_2 = f"{PAPER}, table 2 [unverified]"
LAMBDAS, SMALL_LAMBDAS = (0.001, 0.002), (0.3, 1.0)
PUBLISHED = {"original": 4.00, "dropout": 3.89, "l0-0.001": 3.83, "l0-0.002": 3.93}
ROWS = (
    *rows("louizos/cifar/", TABLE_2,
        *((f"{name}-error", f"WRN-28-10 on CIFAR-10, {_label(name)}: error", error, "%", 0.15,
           each("error_last", **_config(name))) for name, error in PUBLISHED.items()),
        below=True, note="the paper gives no deviation"),
    *orders("louizos/cifar/", 0.001, ""),
)  # fmt: skip
SMALL_ROWS = orders("louizos/cifar-small/", SMALL_LAMBDAS[0], "; WRN-10-1 for 10 epochs, λ = 0.3 / N")


def figure(name: str, finished: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    """Expected FLOPs and errors by epoch."""
    seen: dict[str, list[Any]] = {}
    for done in finished:
        result = done["result"]
        seen.setdefault(_label(kind_of(done)), []).append((result["flops_by_epoch"], result["error_by_epoch"]))
    if not seen:
        return []
    config = finished[0]["config"]
    title = f"WRN-{config['depth']}-{config['width']} on CIFAR-10 with L0 gates, {config['epochs']} epochs"
    published = {_label(kind): error for kind, error in PUBLISHED.items()} if config["epochs"] == 200 else {}
    return [plot.l0_training(directory / f"{name}.png", title, seen, result["flops_dense"], published)]


STUDIES = (
    Study("l0-cifar", PAPER, "WRN-28-10 on CIFAR-10 with L0 gates, with dropout and without: for a GPU.", 260_000, 1,
          partial(runs, 28, 10, 200, LAMBDAS), ROWS, partial(figure, "l0_cifar")),
    Study("l0-cifar-small", PAPER, "The same for two processors: WRN-10-1 for 10 epochs.", 100, 1,
          partial(runs, 10, 1, 10, SMALL_LAMBDAS), SMALL_ROWS, partial(figure, "l0_cifar_small"),
          causes={
              "louizos/cifar-small/": "λ = 0.3 / N is too small for ten epochs: all 112 gates are open at the end, and "
              "somewhat more surely than at the start; with λ = 1 / N they are too, somewhat less surely. What is left "
              "of them is the noise of a drop rate of 0.3, which a network of 78,000 weights pays for with error.",
          }),
)  # fmt: skip
