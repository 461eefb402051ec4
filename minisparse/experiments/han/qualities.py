"""Qualities: thresholds in standard deviations of a layer's weights, and those that the studies prune by.

STAGES are the qualities that leave SHARES, the shares of the paper's tables 2 and 3, in four rounds on the network that
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
from ..studies import error, loss_of, mnist
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

    Trains on 55,000 images and measures errors on the other 5,000. STAGES are its result.
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
        qualities = {name: round(quality(params[name], share, masks[name]), 3) for name, share in shares.items()}
        smaller = {name: threshold_mask(params[name], q, masks[name]) for name, q in qualities.items()}
        masks = Masks(remove_dead_units({**masks, **smaller}, order))
        stages += [{"qualities": qualities, "frozen": still}] if number else []
        start, stop = (epochs + (number - 1) * again, epochs + number * again) if number else (0, epochs)
        rate = training["rate"] / (10 if number else 1)
        for step in train(
            loss_of(model),
            project(params, masks),
            masks,
            batches(inputs, labels, batch, seed, start * per_epoch, stop * per_epoch),
            recipes.static(),
            rng,
            frozen(descent(rate, training["drop"] * per_epoch, training["weight_decay"]), still),
        ):
            params = step.params
        errors.append(error(model, params, held_out))
    return stages, errors
