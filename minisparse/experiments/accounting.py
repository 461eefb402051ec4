"""The analytic tables: costs that papers print, from shapes and densities alone, without training.

`tests/test_papers_costs.py` holds more of them, layer by layer, and says of those that cannot be right why.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from .. import flops, models, nn
from ..allocate import density_of, erdos_renyi_kernel, uniform
from ..methods import l0
from .studies import Finished, Row, Study

RIGL = "Evci et al. 2020"
README = "RigL's README"
FIRST = ("conv1.weight",)
Densities = Mapping[str, float]

HAN: Any = {  # network: shape, per layer % of weights kept and % of activations that are not zero; totals as printed
    "LeNet-300-100": (models.lenet_300_100, (784,), (8, 9, 26), (38, 65, 100), 22_000, 12, 8, "table 2"),
    "LeNet-5": (models.lenet_5, (28, 28, 1), (66, 12, 8, 19), (82, 72, 55, 100), 36_000, 12, 16, "table 3"),
    "AlexNet": (
        models.alexnet, (227, 227, 3), (84, 38, 35, 37, 37, 9, 9, 25), (88, 52, 37, 40, 34, 36, 40, 100),
        6_700_000, 9, 30, "table 4",
    ),
    "VGG-16": (
        models.vgg_16, (224, 224, 3), (58, 22, 34, 36, 53, 24, 42, 32, 27, 34, 35, 29, 36, 4, 4, 23),
        (53, 89, 80, 81, 68, 70, 64, 51, 45, 34, 32, 29, 19, 38, 42, 100), 10_300_000, 13, 21, "table 5",
    ),
}  # fmt: skip
RESNET = (  # quantity, sparsity, distribution, times the usual length, printed, source
    ("inference", 0.8, "uniform", 1, 0.23, f"{RIGL}, figure 2"),
    ("inference", 0.9, "uniform", 1, 0.10, f"{RIGL}, figure 2"),
    ("inference", 0.95, "uniform", 1, 0.08, f"{RIGL}, table 4"),
    ("inference", 0.965, "uniform", 1, 0.07, f"{RIGL}, table 4"),
    ("inference", 0.8, "ERK", 1, 0.42, f"{RIGL}, figure 2"),
    ("inference", 0.9, "ERK", 1, 0.24, f"{RIGL}, figure 2"),
    ("inference", 0.95, "ERK", 1, 0.12, f"{RIGL}, table 4"),
    ("inference", 0.965, "ERK", 1, 0.11, f"{RIGL}, table 4"),
    ("rigl", 0.8, "uniform", 1, 0.23, f"{RIGL}, figure 2"),
    ("rigl", 0.9, "uniform", 1, 0.10, f"{RIGL}, figure 2"),
    ("rigl", 0.8, "ERK", 1, 0.42, f"{RIGL}, figure 2"),
    ("rigl", 0.9, "ERK", 1, 0.25, f"{RIGL}, figure 2"),
    ("rigl", 0.8, "uniform", 5, 1.14, f"{RIGL}, figure 2"),
    ("rigl", 0.9, "uniform", 5, 0.52, f"{RIGL}, figure 2"),
    ("rigl", 0.9, "uniform", 5, 0.66, README),
    ("rigl", 0.8, "ERK", 5, 2.09, f"{RIGL}, figure 2"),
    ("rigl", 0.9, "ERK", 5, 1.23, f"{RIGL}, figure 2"),
    ("snfs", 0.8, "ERK", 1, 0.61, f"{RIGL}, figure 2"),
    ("snfs", 0.9, "ERK", 1, 0.50, f"{RIGL}, figure 2"),
    ("pruning", 0.8, "uniform", 1, 0.56, f"{RIGL}, figure 2"),
    ("pruning", 0.9, "uniform", 1, 0.51, f"{RIGL}, figure 2"),
    ("pruning", 0.8, "uniform", 1.5, 0.84, f"{RIGL}, figure 2"),
    ("pruning", 0.9, "uniform", 1.5, 0.76, f"{RIGL}, figure 2"),
)
SIZES = (  # megabytes of ResNet-50
    (0.0, "dense", 102.122),
    (0.8, "uniform", 23.685),
    (0.9, "uniform", 13.532),
    (0.95, "uniform", 8.433),
    (0.965, "uniform", 6.904),
    (0.8, "ERK", 23.683),
    (0.9, "ERK", 13.499),
    (0.95, "ERK", 8.399),
    (0.965, "ERK", 6.904),
    (0.99, "ERK", 4.354),
)
MOBILENET = (  # sparsity, distribution, which layers stay dense, MFLOPs, MB
    (0.75, "ERK", "depthwise", 599.144, 4.888),
    (0.85, "ERK", "depthwise", 439.152, 3.224),
    (0.9, "ERK", "depthwise", 334.134, 2.392),
    (0.95, "ERK", "depthwise", 205.281, 1.560),
    (0.75, "uniform", "first and depthwise", 330.769, 4.894),
    (0.85, "uniform", "first and depthwise", 222.666, 3.229),
    (0.9, "uniform", "first and depthwise", 168.614, 2.396),
    (0.95, "uniform", "first and depthwise", 114.563, 1.563),
    (0.75, "ERK", "first", 588.355, 4.757),
    (0.85, "ERK", "first", 422.419, 3.075),
    (0.9, "ERK", "first", 312.956, 2.235),
    (0.95, "ERK", "first", 180.359, 1.393),
)
NARROW = ((0.47, 266.539, 4.789), (0.353, 154.770, 3.076), (0.285, 103.825, 2.236), (0.204, 56.617, 1.396))
TABLE_2 = (  # method, final architecture, weights (all unless given: they follow from the bytes), bytes, KFLOPs
    ("SBP", (245, 160, 55), None, 195_100, 97.1),
    ("L0", (266, 88, 33), None, 107_092, 53.3),
    ("VIB", (97, 71, 33), None, 38_696, 19.1),
    ("RigL", (408, 100, 69), 6_309, 31_914, 12.6),
    ("RigL+", (375, 62, 51), 3_080, 16_113, 6.2),
)
LOUIZOS: Any = {  # network: shape, drop rates, what the authors' code counts before training: FLOPs, parameters
    "LeNet-300-100": (
        models.l0_lenet_300_100, (784,), {"fc1": 0.2, "fc2": 0.5, "fc3": 0.5}, 499_340.6, 250_080.3,
    ),
    "LeNet-5": (
        models.l0_lenet_5, (28, 28, 1), dict.fromkeys(("conv1", "conv2", "fc1", "fc2"), 0.5), 3_814_736.5, 358_667.7,
    ),
}  # fmt: skip
AS_PRINTED = "half of the last printed digit"


def computed(figure: Callable[..., float], *of: Any) -> Callable[[Sequence[Finished]], list[float]]:
    """Row.ours of a figure that needs no run: figure(*of), when it is asked for."""
    return lambda finished: [float(figure(*of))]


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
    """In shares of the dense network's: one pass of inference, or training by the papers' formulas at ΔT 100."""
    sparse = total(resnet(), resnet_densities(sparsity, distribution)) / total(resnet())
    if quantity == "inference":
        return sparse
    if quantity == "pruning":  # from step 10,000 to 25,000 of 32,000
        return times * flops.pruning_cost(1, sparse, 10_000, 25_000, 32_000) / 3
    return times * flops.training_cost(quantity, 1, sparse, 100) / 3


def mobilenet_densities(sparsity: float, distribution: str, full: str) -> Densities:
    """As the authors' notebook: the last layer is a 1×1 convolution to ERK, and zeros are rounded up in each layer."""
    shapes = {site.name: site.kernel_shape for site in mobilenet()} | {"fc.weight": (1, 1, 1024, 1000)}
    depthwise = [site.name for site in mobilenet() if site.kind == "depthwise"]
    dense = {"first": list(FIRST), "depthwise": depthwise, "first and depthwise": [*FIRST, *depthwise]}[full]
    if distribution == "uniform":
        return uniform(shapes, density_of(sparsity), dense)
    free = [math.prod(shape) for name, shape in shapes.items() if name not in dense]
    zeros = sum(math.ceil(sparsity * size) for size in free)
    return erdos_renyi_kernel(shapes, 1 - zeros / sum(free), dense)


def mlp_cost(widths: Sequence[int], n_kept: int | None = None) -> tuple[float, float]:
    """(bytes, KFLOPs) of a network with 10 outputs and a dense last layer, of which `n_kept` weights are left."""
    sites = nn.sites(nn.mlp(*widths, 10), tuple(widths[:1]))
    sizes = [math.prod(site.kernel_shape) for site in sites]
    density = 1.0 if n_kept is None else (n_kept - sizes[-1]) / sum(sizes[:-1])
    densities = {site.name: density for site in sites[:-1]}
    return sum(flops.size(sites, densities, "rigl").values()), total(sites, densities, "clean") / 1e3


@cache
def expected(network: str) -> tuple[float, float]:
    """(FLOPs, parameters) that a network of gates is expected to have where they all begin at their drop rates."""
    build, shape, rates, *_ = LOUIZOS[network]
    params = build().init(np.random.default_rng(0))
    rows = {layer: np.full(a.shape, l0.log_alpha_of(rates[layer])) for layer, a in l0.gates(params).items()}
    params |= {f"{layer}.log_alpha": a for layer, a in rows.items()}
    return total(nn.sites(build(), shape), l0.densities(params), "clean"), l0.expected_l0(params)


def _han() -> Iterator[Row]:
    for network, (build, shape, kept, active, n_kept, times, left, table) in HAN.items():
        sites = nn.sites(build(), shape)
        sizes = [math.prod(site.kernel_shape) for site in sites]
        weights = sum(size * share / 100 for size, share in zip(sizes, kept, strict=True))
        shares = {s.name: k * a / 1e4 for s, k, a in zip(sites, kept, (100, *active[:-1]), strict=True)}
        share = 100 * total(sites, shares, "clean") / total(sites, None, "clean")
        key, source = f"han/analytic/{network.lower()}", f"Han et al. 2015, {table}"
        from_table = "from the percentages of the paper's own table"
        yield Row(
            f"{key}/weights", f"{network}, weights left", n_kept, "", 0.05 * n_kept, "Han et al. 2015, table 1",
            computed(float, weights), note=f"{from_table}, which are whole numbers: 5 %",
        )  # fmt: skip
        yield Row(
            f"{key}/times", f"{network}, times fewer weights", times, "×", 0.5, "Han et al. 2015, table 1",
            computed(float, sum(sizes) / weights), note=f"{from_table}; half of the last printed digit",
        )  # fmt: skip
        yield Row(
            f"{key}/flops", f"{network}, FLOPs left", left, "%", 1, source, computed(float, share),
            note="weights left × activations of the layer before that are not zero; one point",
        )  # fmt: skip


NOTES = {
    ("inference", 0.9, "uniform", 0.10): "the paper counts the first layer sparse here, against its own text: 0.1012",
    ("rigl", 0.9, "uniform", 0.10): "the paper counts the first layer sparse here, against its own text: 0.1042",
    ("rigl", 0.9, "uniform", 0.52): "the paper counts the first layer sparse here, against its own text: 0.5210",
    ("inference", 0.965, "ERK", 0.11): "the paper keeps the first layer dense here, against its own text: 0.1125",
}
SIZE_NOTES = {
    (0.8, "uniform"): "23.685 is what ER without kernel sizes gives: probably a copied line",
    (0.965, "ERK"): "6.904 has the first layer dense, as the uniform row",
    (0.99, "ERK"): "4.354 has the first layer dense",
}


def _resnet() -> Iterator[Row]:
    names = {"inference": "inference", "rigl": "RigL, training", "snfs": "SNFS, training", "pruning": "gradual pruning"}
    yield Row(
        "rigl/resnet-50/flops", "ResNet-50, dense inference", 8.2, "GFLOPs", 0.05, f"{RIGL}, figure 2",
        computed(lambda: total(resnet()) / 1e9), note="the authors' counting; half of the last printed digit",
    )  # fmt: skip
    for quantity, sparsity, distribution, times, printed, source in RESNET:
        longer = f", {times:g} times as long" if times != 1 else ""
        yield Row(
            f"rigl/resnet-50/{quantity}-S{sparsity}-{distribution}-{times:g}x-{printed}",
            f"ResNet-50, {names[quantity]}{longer}, {distribution} at {100 * sparsity:g} %",
            printed, "× dense", 0.005, source,
            computed(resnet_cost, quantity, sparsity, distribution, times),
            note=NOTES.get((quantity, sparsity, distribution, printed), AS_PRINTED),
        )  # fmt: skip
    for sparsity, distribution, printed in SIZES:
        yield Row(
            f"rigl/resnet-50/size-S{sparsity}-{distribution}",
            f"ResNet-50, size, {distribution}{f' at {100 * sparsity:g} %' if sparsity else ''}",
            printed, "MB", 0.001, README,
            computed(lambda *own: megabytes(resnet(), resnet_densities(*own)), sparsity, distribution),
            note=SIZE_NOTES.get((sparsity, distribution), "the last printed digit, of zeros rounded up or down"),
        )  # fmt: skip


def _mobilenet() -> Iterator[Row]:
    source = "RigL's notebook on MobileNet, its saved outputs"
    yield Row(
        "rigl/mobilenet/flops", "MobileNet-v1, dense inference", 1141.544, "MFLOPs", 0.0005, source,
        computed(lambda: total(mobilenet()) / 1e6), note=AS_PRINTED,
    )  # fmt: skip
    yield Row(
        "rigl/mobilenet/size", "MobileNet-v1, dense size", 16.864, "MB", 0.001, source,
        computed(lambda: megabytes(mobilenet())), note="the last printed digit",
    )  # fmt: skip
    for sparsity, distribution, full, mflops, mb in MOBILENET:
        own = (sparsity, distribution, full)
        about, key = f"{distribution} at {100 * sparsity:g} %, {full} dense", f"{distribution}-S{sparsity}-{full}"
        yield Row(
            f"rigl/mobilenet/{key}/flops", f"MobileNet-v1, inference, {about}", mflops, "MFLOPs", 0.0005, source,
            computed(lambda *own: total(mobilenet(), mobilenet_densities(*own)) / 1e6, *own),
            note=AS_PRINTED,
        )  # fmt: skip
        yield Row(
            f"rigl/mobilenet/{key}/size", f"MobileNet-v1, size, {about}", mb, "MB", 0.001, source,
            computed(lambda *own: megabytes(mobilenet(), mobilenet_densities(*own)), *own),
            note="the last printed digit",
        )  # fmt: skip
    for width, mflops, mb in NARROW:
        yield Row(
            f"rigl/mobilenet/width-{width}/flops", f"MobileNet-v1, inference, width {width}", mflops, "MFLOPs", 0.0005,
            source, computed(lambda width: total(mobilenet(width)) / 1e6, width), note=AS_PRINTED,
        )  # fmt: skip
        yield Row(
            f"rigl/mobilenet/width-{width}/size", f"MobileNet-v1, size, width {width}", mb, "MB", 0.001, source,
            computed(lambda width: megabytes(mobilenet(width)), width), note="the last printed digit",
        )  # fmt: skip


def _table_2() -> Iterator[Row]:
    source = f"{RIGL}, table 2"
    for method, widths, n_kept, size, kflops in TABLE_2:
        own, architecture = (widths, n_kept), "-".join(map(str, widths))
        given = f"; with {n_kept:,} weights, which the printed bytes imply" if n_kept else ""
        yield Row(
            f"rigl/table-2/analytic/{method}/bytes", f"{method}'s {architecture}, size", size, "bytes", 0.6, source,
            computed(lambda *own: mlp_cost(*own)[0], *own), note=f"values, biases, a bit mask where sparse{given}",
        )  # fmt: skip
        yield Row(
            f"rigl/table-2/analytic/{method}/kflops", f"{method}'s {architecture}, inference", kflops, "KFLOPs", 0.05,
            source, computed(lambda *own: mlp_cost(*own)[1], *own), note=AS_PRINTED,
        )  # fmt: skip


def _louizos() -> Iterator[Row]:
    for network, (_, _, _, n_flops, n_params) in LOUIZOS.items():
        for place, (what, printed, unit) in enumerate((("FLOPs", n_flops, "FLOPs"), ("L0 norm", n_params, ""))):
            yield Row(
                f"louizos/analytic/{network.lower()}/{what.lower().replace(' ', '-')}",
                f"{network} with gates, expected {what} before training",
                printed, unit, 0.1, "the L0 authors' code, count_expected_flops_and_l0, evaluated by its formula",
                computed(lambda network, place: expected(network)[place], network, place), note="the last digit",
            )  # fmt: skip


STUDIES = tuple(
    Study(name, paper, about, 0, 1, lambda seeds: [], tuple(rows()), lambda finished, directory, data_dir: [])
    for name, paper, about, rows in (
        ("han-analytic", "Han et al. 2015", "Totals of its tables 2-5.", _han),
        ("louizos-analytic", "Louizos et al. 2018", "What networks of gates cost before training.", _louizos),
        ("rigl-analytic-table-2", RIGL, "Sizes and inference of its table 2.", _table_2),
        ("rigl-analytic-resnet-50", RIGL, "ResNet-50: inference, training, sizes.", _resnet),
        ("rigl-analytic-mobilenet", RIGL, "MobileNet-v1: inference and sizes.", _mobilenet),
    )
)
