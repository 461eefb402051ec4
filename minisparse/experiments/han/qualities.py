"""Qualities: thresholds in standard deviations of a layer's weights, and those that the studies prune by.

QUALITIES are those that leave SHARES, the shares of the paper's tables 2 and 3, in four rounds on the network that
they were calibrated on. They stay the same for every seed; the number of connections they leave is a result.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ... import recipes
from ...backend import Array
from ...data import batches
from ...masks import Masks, project
from ...methods.magnitude import remove_dead_units, threshold_mask
from ...optim import frozen, is_weight
from ...train import train
from ..studies import begun, error, loss_of, mnist
from .training import CONVOLUTIONS, LINEAR, NETWORKS, descent

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
QUALITIES: dict[str, list[tuple[float, ...]]] = {  # of the layers in SHARES, round by round
    "lenet-300-100": [(0.356, 0.467, 0.276), (0.515, 0.653, 0.478), (0.666, 0.763, 0.588), (0.759, 0.835, 0.662)],
    "lenet-5": [(1.031, 0.623), (0.253, 0.667), (0.916, 0.871), (0.409, 0.859)],
}
STAGES: dict[str, Any] = {
    network: [
        {"qualities": dict(zip(shares, QUALITIES[network][number], strict=True)), "frozen": still}
        for number, (shares, still) in enumerate(rounds)
    ]
    for network, rounds in SHARES.items()
}


def quality(weight: Array, share: float, mask: Array | None = None) -> float:
    """The quality at which `threshold_mask` leaves `share` of all connections.

    weight (any shape); mask (same shape, bool): the survivors so far.
    """
    survivors = weight if mask is None else weight[mask]
    below = max(0.0, 1 - share * weight.size / survivors.size)
    return float(np.quantile(abs(survivors), below) / survivors.std(dtype=float))


def calibrated(
    network: str, training: Mapping[str, Any], data_dir: Path | None = None, seed: int = 1000
) -> tuple[list[dict[str, Any]], list[float]]:
    """(stages, errors in %): qualities that leave SHARES, round by round; the error of the whole, then of each round.

    Trains on 55,000 images and measures errors on the other 5,000. QUALITIES are its result.
    """
    model, shape, rng, params = begun(NETWORKS[network], seed)
    (inputs, labels), held_out, _ = mnist(data_dir, validation=5_000, shape=shape)
    batch, epochs, again = (training[name] for name in ("batch", "epochs", "retrain_epochs"))
    per_epoch = len(labels) // batch
    order = [name for name in params if is_weight(name)]
    masks = Masks({name: np.ones(params[name].shape, bool) for name in order})
    stages: list[dict[str, Any]] = []
    errors: list[float] = []
    for number, (shares, still) in enumerate([({}, []), *SHARES[network]]):
        qualities = {name: round(quality(params[name], share, masks[name]), 3) for name, share in shares.items()}
        smaller = {name: threshold_mask(params[name], q, masks[name]) for name, q in qualities.items()}
        masks = Masks(remove_dead_units({**masks, **smaller}, order))
        stages += [{"qualities": qualities, "frozen": still}] if number else []
        start, stop = (epochs + (number - 1) * again, epochs + number * again) if number else (0, epochs)
        rate = training["rate"] / (10 if number else 1)
        optimizer = frozen(descent(rate, training["drop"] * per_epoch, training["weight_decay"]), still)
        given = batches(inputs, labels, batch, seed, start * per_epoch, stop * per_epoch)
        params = project(params, masks)
        for step in train(loss_of(model), params, masks, given, recipes.static(), rng, optimizer):
            params = step.params
        errors.append(error(model, params, held_out))
    return stages, errors
