"""What pruning left, from the results of runs: weights, FLOPs, activations; accuracy lost; bands."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import nn
from ...backend import Array
from ...flops import count
from ...optim import is_weight
from ..packing import unpacked_mask
from ..studies import Finished, kind_of
from .training import NETWORKS

CURVES = {  # figure 5: (run, column of its points)
    "L2, no retraining": ("l2", 1),
    "L1, no retraining": ("l1", 1),
    "L1, retrained": ("l1", 2),
    "L2, retrained": ("l2", 2),
    "L2, pruned and retrained in rounds": ("l2-iterative", 2),
}


def sizes_of(network: str) -> dict[str, int]:
    """{weight name: number of weights}."""
    return {name: int(np.prod(shape)) for name, shape in NETWORKS[network][0].shapes().items() if is_weight(name)}


def weights_left(network: str, weights: Mapping[str, int]) -> dict[str, float]:
    """{layer: fraction of its weights that is left}, and of "total"."""
    sizes = sizes_of(network)
    left = {name.partition(".")[0]: weights[name] / size for name, size in sizes.items()}
    return left | {"total": sum(weights.values()) / sum(sizes.values())}


def flops_left(network: str, weights: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """{layer: fraction of its FLOPs}, and of "total": weights left times inputs that are not zero (table 2).

    weights {weight name: number left}; before {layer: activity in [0, 1]}, of which the last one feeds none.
    """
    model, shape = NETWORKS[network]
    sites, sizes = nn.sites(model, shape), sizes_of(network)
    active = [1.0, *before.values()]
    density = {
        site.name: weights[site.name] / sizes[site.name] * share for site, share in zip(sites, active, strict=False)
    }
    left, whole = sum(count(sites, density).values()), sum(count(sites, {}).values())
    return {name.partition(".")[0]: float(share) for name, share in density.items()} | {"total": left / whole}


def units_active(network: str, active: Mapping[str, float]) -> dict[str, float]:
    """`active`, {layer: fraction of outputs not zero}, and that of all units as "total" (convolutions pooled)."""
    units = {"lenet-300-100": (300, 100, 10), "lenet-5": (12 * 12 * 20, 4 * 4 * 50, 500, 10)}[network]
    total = sum(n * share for n, share in zip(units, active.values(), strict=True)) / sum(units)
    return dict(active) | {"total": total}


def points_of(run: Finished) -> Array:
    """(n, 3): fraction of the weights left, error after pruning and after retraining, from few weights to many."""
    result = run["result"]
    if "points" in result:
        points = result["points"]
    else:
        size = sum(sizes_of("lenet-300-100").values())
        left = [sum(weights.values()) / size for weights in result["weights_of_rounds"]]
        points = list(zip(left, result["error_after_pruning"], result["error_of_rounds"][1:], strict=True))
    return np.array(sorted(points))


def accuracy_lost(curve: str, share: float, finished: Sequence[Finished]) -> dict[int, float]:
    """{seed: points of accuracy lost} where `share` of the weights is left, between the two nearest measurements."""
    kind, column = CURVES[curve]
    lost = {}
    for run in sorted(finished, key=lambda run: run["seed"]):
        if kind_of(run) == kind:
            lefts, errors = points_of(run)[:, 0], points_of(run)[:, column]
            wrong = float(np.interp(np.log(share), np.log(lefts), errors))
            lost[run["seed"]] = wrong - run["result"]["error_reference"]
    return lost


def errors_at(share: float, run: Finished) -> dict[str, float]:
    """{layer: error in %} where `share` of that layer's weights is left."""
    place = run["config"]["shares"].index(share)
    return {name.partition(".")[0]: errors[place] for name, errors in run["result"]["errors"].items()}


def period(result: Mapping[str, Any]) -> float:
    """The number of inputs of fc1 after which the pattern of its connections repeats: the lag, from 14 to 42, of the
    highest autocorrelation of the number of connections of each input.
    """
    of_input = unpacked_mask(result["mask_fc1"], (784, 300)).sum(axis=1) * 1.0
    of_input -= of_input.mean()
    alike = [float(of_input[:-lag] @ of_input[lag:]) for lag in range(14, 43)]
    return 14.0 + int(np.argmax(alike))


def emptier_border(result: Mapping[str, Any]) -> float:
    """By how many connections a pixel of the middle 14 image rows exceeds one of the 7 rows above and 7 below."""
    of_pixel = unpacked_mask(result["mask_fc1"], (28, 28, 300)).sum(axis=2)
    return float(of_pixel[7:21].mean() - np.concatenate([of_pixel[:7], of_pixel[21:]]).mean())
