"""The studies of Han et al. 2015, and the numbers of their runs."""

from functools import partial
from typing import Any

from ..studies import Row, Run, Study, each_seed
from . import figures
from .outcome import sizes_of
from .published import PAPER
from .qualities import STAGES
from .rows import BANDS, POWER, SENSITIVITY, table_1, table_2_or_3, trade_off
from .runs import one_shot, pruned, scanned

TRAINING: dict[str, Any] = {"batch": 64, "weight_decay": 5e-4}
MLP: dict[str, Any] = {**TRAINING, "epochs": 30, "retrain_epochs": 20, "rate": 0.03, "drop": 15}
LENET_5: dict[str, Any] = {**TRAINING, "epochs": 15, "retrain_epochs": 6, "rate": 0.03, "drop": 10}
TRADE_OFF: dict[str, Any] = {**MLP, "retrain_epochs": 10}
SCAN = {
    "shares": [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02, 0.0],
    **{name: value for name, value in LENET_5.items() if name != "retrain_epochs"},
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


def _trade_off_runs(seeds: int) -> list[Run]:
    rounds = [{"qualities": dict.fromkeys(sizes_of("lenet-300-100"), q), "frozen": []} for q in ROUND_QUALITIES]
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


def _pruned(
    network: str, minutes: float, seeds: int, training: dict[str, Any], more: tuple[Row, ...], about: str
) -> Study:
    """A study of a network pruned in rounds: tables 1, and 2 or 3, and `more` rows."""
    config = {"network": network, "stages": STAGES[network], **training}
    return Study(
        f"han-{network}", PAPER, about, minutes, seeds,
        runs=each_seed(pruned, {"pruned": config}),
        rows=(*table_1(network), *table_2_or_3(network), *more),
        figures=partial(figures.pruned, network),
        causes={
            f"han/{network}/activations": ACTIVATIONS,
            **dict.fromkeys((f"han/{network}/weights", f"han/{network}/flops"), QUALITIES),
        },
    )  # fmt: skip


STUDIES = (
    _pruned("lenet-300-100", 3, 3, MLP, BANDS,
        "LeNet-300-100, trained, pruned to a twelfth in four rounds and retrained; its bands and its weights."),
    _pruned("lenet-5", 13, 1, LENET_5, (),
        "LeNet-5, its linear layers pruned and retrained while the convolutions are frozen, then the other way round."),
    Study(
        "han-trade-off", PAPER,
        "LeNet-300-100 by one quality for all layers: L1 and L2, without and with retraining, and in rounds.",
        minutes=11, seeds=1, runs=_trade_off_runs, rows=trade_off(), figures=figures.trade_off,
        causes={
            "han/trade-off/": "The paper's figure is of AlexNet. Here L1 loses less at this share with retraining too; "
            "with a weaker one, 1e-5, L2 was better without retraining and as good with it.",
        },
    ),
    Study(
        "han-sensitivity", PAPER,
        "LeNet-5, each layer alone pruned to a share of its weights, without retraining.",
        minutes=6, seeds=1, runs=each_seed(scanned, {"scan": SCAN}), rows=SENSITIVITY, figures=figures.sensitivity,
    ),
    Study(
        "han-energy", PAPER,
        "What an operation takes in 45 nm CMOS, and what fetching a network from DRAM would; nothing to run.",
        minutes=0, seeds=1, runs=lambda seeds: [], rows=POWER, figures=figures.energy,
    ),
)  # fmt: skip
