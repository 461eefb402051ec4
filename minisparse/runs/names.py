"""What names on the command line mean: networks, distributions of the budget, layers to keep dense."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from .. import models, nn, recipes
from ..allocate import density_of, erdos_renyi, erdos_renyi_kernel, uniform
from ..checks import did_you_mean

NETWORKS: dict[str, tuple[Callable[..., nn.Chain], nn.Shape]] = {
    "lenet-300-100": (lambda shape, **given: models.lenet_300_100(*shape, **given), (784,)),
    "lenet-5": (models.lenet_5, (28, 28, 1)),
    "alexnet": (models.alexnet, (227, 227, 3)),
    "vgg-16": (models.vgg_16, (224, 224, 3)),
    "vgg-c": (models.vgg_c, (32, 32, 3)),
    "vgg-d": (models.vgg_d, (32, 32, 3)),
    "vgg-like": (models.vgg_like, (32, 32, 3)),
    "resnet-50": (models.resnet_50, (224, 224, 3)),
    "mobilenet-v1": (models.mobilenet_v1, (224, 224, 3)),
}
WITH_WIDTH = (*(name for name in NETWORKS if name != "alexnet"), "wrn-D-K", "mlp-A-B-…")  # its filters are in groups
ALLOCATIONS = {"uniform": uniform, "uniform-all": uniform, "er": erdos_renyi, "erk": erdos_renyi_kernel}
DISTRIBUTIONS = (*ALLOCATIONS, "rigl-mnist")


def chosen(option: str, value: str, choices: Iterable[str]) -> None:
    """ValueError, naming the option, unless `value` is one of `choices`."""
    if value not in (choices := list(choices)):
        raise ValueError(f"{option} is {value!r}; expected {', '.join(choices)}{did_you_mean(value, choices)}")


def network(
    name: str, shape: Callable[[nn.Shape], nn.Shape], classes: int | None = None, width: float | None = None
) -> tuple[nn.Chain, nn.Shape]:
    """The network that --model names, and the shape of its examples.

    shape: from the shape of the paper's examples to ours; classes and width default to the paper's.
    """
    plain, key = _plain(name), _key(name)
    if wide := re.fullmatch(r"wrn-?(\d+)-([1-9]\d*)", plain):
        build: Callable[..., nn.Chain] = partial(_wide, int(wide[1]), int(wide[2]))
        papers: nn.Shape = (32, 32, 3)
    elif hidden := re.fullmatch(r"mlp((-[1-9]\d*)+)", plain):
        build, papers = partial(_perceptron, *map(int, hidden[1].split("-")[1:])), (784,)
    elif key:
        build, papers = NETWORKS[key]
    else:
        raise ValueError(
            f"--model is {name!r}; expected {', '.join(NETWORKS)}, wrn-D-K such as wrn-22-2, "
            f"or mlp-A-B-… with hidden widths, such as mlp-64-32{did_you_mean(name, NETWORKS)}"
        )
    if width is not None and not (has_width(name) and 0 < width < math.inf):
        raise ValueError(f"--width is {width} for {name}; expected a positive number for {', '.join(WITH_WIDTH)}")
    example = shape(papers)
    given = {"classes": classes, "width": width}
    return build(shape=example, **{key: value for key, value in given.items() if value is not None}), example


def _wide(depth: int, k: int, shape: nn.Shape, classes: int = 10, width: float = 1) -> nn.Chain:
    return models.wide_resnet(depth, k, shape, classes, factor=width)


def _perceptron(*widths: int, shape: nn.Shape, classes: int = 10, width: float = 1) -> nn.Chain:
    return nn.mlp(*shape, *(int(width * n) for n in widths), classes)


def has_width(name: str) -> bool:
    """Does the network that --model names take a factor on its widths?"""
    return _key(name) in WITH_WIDTH or _plain(name).startswith(("mlp-", "wrn"))


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def _key(name: str) -> str | None:
    """The key in NETWORKS that `name` means; dashes may be left out."""
    return next((key for key in NETWORKS if key.replace("-", "") == _plain(name).replace("-", "")), None)


def allotted(
    sites: Sequence[nn.Site], sparsity: float, distribution: str, dense: Sequence[str] = ()
) -> tuple[dict[str, float], set[str]]:
    """({site name: density}, the sites kept dense, outside the budget).

    dense: names of layers or kinds, as --dense takes them. ValueError for an unknown distribution or name, and for
    "rigl-mnist" on a network other than LeNet-300-100.
    """
    chosen("--distribution", distribution, DISTRIBUTIONS)
    full = _named(sites, dense)
    if distribution == "rigl-mnist":
        theirs = recipes.mnist_densities(sparsity)
        if (names := [site.name for site in sites]) != list(theirs):
            raise ValueError(
                f"--distribution is 'rigl-mnist', which is for layers {list(theirs)}; the layers are {names}"
            )
        full |= {name for name, density in theirs.items() if density == 1}
        return theirs | dict.fromkeys(full, 1.0), full
    if distribution == "uniform":
        full.add(sites[0].name)
    shapes = {site.name: site.kernel_shape for site in sites}
    return ALLOCATIONS[distribution](shapes, density_of(sparsity), full), full


def _named(sites: Sequence[nn.Site], names: Sequence[str]) -> set[str]:
    """The sites that --dense names, by layer or by kind."""
    found = {
        name: {s.name for s in sites if name in (s.kind, s.name, s.name.removesuffix(".weight"))} for name in names
    }
    if unknown := [name for name, matching in found.items() if not matching]:
        layers = ", ".join(site.name.removesuffix(".weight") for site in sites)
        near = did_you_mean(unknown[0], ["conv", "depthwise", "linear", *layers.split(", ")])
        raise ValueError(
            f"--dense is {unknown[0]!r}; expected conv, depthwise or linear where there are any, {layers}{near}"
        )
    return set().union(*found.values())
