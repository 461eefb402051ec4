"""The runs: pruned in rounds, pruned once at many qualities, and layer by layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import nn
from ...backend import Array
from ...masks import project
from ...methods.magnitude import magnitude_mask
from ...optim import is_weight
from ..packing import packed
from ..studies import Running, begun, error, mnist
from .training import NETWORKS, three_steps


def pruned(
    data_dir: Path | None, *, network: str, seed: int, stages: Sequence[Mapping[str, Any]], **training: Any
) -> Running:
    """Train, then prune and retrain in rounds; errors in %, after every epoch, every pruning and every round."""
    model, shape, rng, params = begun(NETWORKS[network], seed)
    train_set, _, test_set = mnist(data_dir, shape=shape)
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
        "error_by_epoch": [wrong for errors in by_epoch for wrong in errors],
        "error_of_rounds": [errors[-1] for errors in by_epoch],
        "error_after_pruning": after_pruning,
        "weights": masks.counts,
        "weights_of_rounds": counts,
        "activity": activity(model, params, test_set[0][:2_000]),
        "mask_fc1": packed(masks["fc1.weight"]),
        "histogram_edges": [float(edges[0]), float(edges[-1])],
        "histogram_before": _histogram(dense["fc1.weight"], edges),
        "histogram_after": _histogram(params["fc1.weight"][masks["fc1.weight"]], edges),
    }


def activity(model: nn.Chain, params: Mapping[str, Array], inputs: Array) -> dict[str, float]:
    """{layer: fraction of its outputs, after ReLU and pooling, that are not zero}; the last layer's is 1 (table 2)."""
    weighted = [name.partition(".")[0] for name in params if is_weight(name)]
    shares: dict[str, float] = {}
    x, before = inputs, ""
    for name, layer in model.layers.items():
        if before and name in weighted:
            shares[before] = float(np.count_nonzero(x)) / x.size
        before = name if name in weighted else before
        x = nn.Chain({name: layer})(params, x).value
    return {**shares, weighted[-1]: 1.0}


def _histogram(weights: Array, edges: Array) -> list[int]:
    return np.histogram(weights, edges)[0].tolist()


def one_shot(data_dir: Path | None, *, seed: int, qualities: Sequence[float], **training: Any) -> Running:
    """One training, then for each quality, the same for all layers, one pruning of it, evaluated before and after
    retraining.

    points: [[fraction of the weights left, error after pruning, error after retraining], …], errors in %.
    """
    model, _, rng, params = begun(NETWORKS["lenet-300-100"], seed)
    data = mnist(data_dir)
    steps = training["epochs"] + len(qualities) * training["retrain_epochs"]
    for done, now in three_steps(model, params, data.train, rng, seed, stages=[], **training):
        params = now.params if now else params
        yield done * training["epochs"] / steps
    points = []
    for n, quality in enumerate(qualities):
        stages = [{"qualities": dict.fromkeys(filter(is_weight, params), quality)}]
        again, straight, end = {**training, "epochs": 0}, 100.0, None
        for done, now in three_steps(model, params, data.train, rng, seed, stages=stages, **again):
            if now and now.phase == "prune":
                straight = error(model, now.params, data.test)
            end = now or end
            yield (training["epochs"] + (n + done) * training["retrain_epochs"]) / steps
        assert end is not None
        points.append([end.masks.density, straight, error(model, end.params, data.test)])
    yield {"error_reference": error(model, params, data.test), "points": points}


def scanned(data_dir: Path | None, *, seed: int, shares: Sequence[float], **training: Any) -> Running:
    """One training of LeNet-5, then each layer alone pruned to each share of its weights, without retraining.

    errors: {layer: [error in % for each of the shares]}.
    """
    model, shape, rng, params = begun(NETWORKS["lenet-5"], seed)
    train_set, _, test_set = mnist(data_dir, shape=shape)
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
