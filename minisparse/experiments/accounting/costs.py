"""Costs of networks from shapes and densities."""

import math
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from ... import flops, models, nn
from ...allocate import density_of, erdos_renyi_kernel, uniform
from ...methods import l0
from .published import LOUIZOS

FIRST = ("conv1.weight",)
Densities = Mapping[str, float]


@cache
def resnet(width: float = 1.0) -> tuple[nn.Site, ...]:
    return tuple(nn.sites(models.resnet_50(width=width), (224, 224, 3)))


@cache
def mobilenet(width: float = 1.0) -> tuple[nn.Site, ...]:
    return tuple(nn.sites(models.mobilenet_v1(width=width), (224, 224, 3)))


def total(sites: Sequence[nn.Site], densities: Densities | None = None, convention: str = "rigl") -> float:
    """FLOPs of one example forward."""
    return sum(flops.count(sites, densities or {}, convention).values())


def megabytes(sites: Sequence[nn.Site], densities: Densities | None = None) -> float:
    return sum(flops.size(sites, densities or {}, "rigl").values()) / 1e6


def resnet_densities(sparsity: float, distribution: str) -> Densities:
    """By RigL's text: uniform keeps the first layer dense, ERK has all layers in its budget."""
    shapes = {site.name: site.kernel_shape for site in resnet()}
    if distribution == "dense":
        return {}
    if distribution == "uniform":
        return uniform(shapes, density_of(sparsity), FIRST)
    return erdos_renyi_kernel(shapes, density_of(sparsity))


def resnet_cost(quantity: str, sparsity: float, distribution: str, times: float) -> float:
    """As a fraction of the dense network's cost: inference, or training by the papers' formulas at ΔT 100."""
    sparse = total(resnet(), resnet_densities(sparsity, distribution)) / total(resnet())
    if quantity == "inference":
        return sparse
    if quantity == "pruning":  # from step 10,000 to 25,000 of 32,000
        return times * flops.pruning_cost(1, sparse, 10_000, 25_000, 32_000) / 3
    return times * flops.training_cost(quantity, 1, sparse, 100) / 3


def mobilenet_densities(sparsity: float, distribution: str, full: str) -> Densities:
    """As in the authors' notebook: to ERK the last layer is a 1×1 convolution; zeros are rounded up in each layer."""
    shapes = {site.name: site.kernel_shape for site in mobilenet()} | {"fc.weight": (1, 1, 1024, 1000)}
    depthwise = [site.name for site in mobilenet() if site.kind == "depthwise"]
    dense = {"first": list(FIRST), "depthwise": depthwise, "first and depthwise": [*FIRST, *depthwise]}[full]
    if distribution == "uniform":
        return uniform(shapes, density_of(sparsity), dense)
    free = [math.prod(shape) for name, shape in shapes.items() if name not in dense]
    zeros = sum(math.ceil(sparsity * size) for size in free)
    return erdos_renyi_kernel(shapes, 1 - zeros / sum(free), dense)


def mlp_cost(widths: Sequence[int], n_kept: int | None = None) -> tuple[float, float]:
    """(bytes, KFLOPs) of a network with 10 outputs and a dense last layer, with `n_kept` weights left in all."""
    sites = nn.sites(nn.mlp(*widths, 10), tuple(widths[:1]))
    sizes = [math.prod(site.kernel_shape) for site in sites]
    density = 1.0 if n_kept is None else (n_kept - sizes[-1]) / sum(sizes[:-1])
    densities = {site.name: density for site in sites[:-1]}
    return sum(flops.size(sites, densities, "rigl").values()), total(sites, densities, "clean") / 1e3


@cache
def expected(network: str) -> tuple[float, float]:
    """(FLOPs, parameters) expected of a network whose gates all start at their drop rates."""
    build, shape, rates, *_ = LOUIZOS[network]
    params = build().init(np.random.default_rng(0))
    rows = {layer: np.full(a.shape, l0.log_alpha_of(rates[layer])) for layer, a in l0.gates(params).items()}
    params |= {f"{layer}.log_alpha": a for layer, a in rows.items()}
    return total(nn.sites(build(), shape), l0.densities(params), "clean"), l0.expected_l0(params)
