"""The papers' networks. `shape` is one image's (H, W, C); defaults are the published sizes."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from .. import nn
from ..checks import real, whole
from ..nn import (
    BatchNorm,
    Chain,
    Conv2d,
    DepthwiseConv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Initial,
    Layer,
    Linear,
    MaxPool2d,
    Relu,
    Residual,
    Shape,
    he_normal,
)


def _times(n: int, width: float) -> int:
    """n units times a factor, rounded down."""
    real("width", width, "a positive finite number", lambda width: 0 < width < math.inf)
    return int(n * width)


def lenet_300_100(inputs: int = 784, classes: int = 10, initial: Initial = he_normal, width: float = 1) -> Chain:
    """LeNet-300-100 (LeCun et al. 1998): 266,610 parameters on MNIST. width: a factor on 300 and 100, rounded down."""
    return nn.mlp(inputs, _times(300, width), _times(100, width), classes, initial=initial)


def lenet_5(shape: Shape = (28, 28, 1), classes: int = 10, initial: Initial = he_normal, width: float = 1) -> Chain:
    """LeNet-5-Caffe, 20 and 50 filters of 5×5: 431,080 parameters on MNIST.

    width: a factor on the filters and on the 500 hidden units, rounded down.
    Differs from Caffe's version, which has no ReLU after the convolutions.
    """
    n1, n2, hidden = _times(20, width), _times(50, width), _times(500, width)
    filters: dict[str, Layer] = {
        "conv1": Conv2d(shape[2], n1, 5, initial=initial),
        "pool1": MaxPool2d(2),
        "relu1": Relu(),
        "conv2": Conv2d(n1, n2, 5, initial=initial),
        "pool2": MaxPool2d(2),
        "relu2": Relu(),
    }
    return _classified(filters, shape, (hidden, classes), initial)


def l0_lenet_300_100(inputs: int = 784, classes: int = 10) -> Chain:
    """LeNet-300-100 with a gate on every input unit of every layer, and the drop rates of the L0 authors' code.

    Their kaiming_normal with "fan_out", on weights stored as (n_in, n_out), equals he_normal here.
    """
    return nn.gated(lenet_300_100(inputs, classes), {"fc1": 0.2, "fc2": 0.5, "fc3": 0.5})


def l0_lenet_5(shape: Shape = (28, 28, 1), classes: int = 10) -> Chain:
    """LeNet-5-Caffe with gates on output maps and on input units, and the drop rate of the L0 authors' code."""
    return nn.gated(lenet_5(shape, classes), dict.fromkeys(("conv1", "conv2", "fc1", "fc2"), 0.5))


def alexnet(shape: Shape = (227, 227, 3), classes: int = 1000) -> Chain:
    """AlexNet in Caffe's version (Krizhevsky et al. 2012), with two groups in conv2, 4 and 5: 60,954,656 weights.

    Differs from the paper: no local response normalisation.
    """
    features: dict[str, Layer] = {
        "conv1": Conv2d(shape[2], 96, 11, stride=4),
        "relu1": Relu(),
        "pool1": MaxPool2d(3, stride=2),
        "conv2": Conv2d(96, 256, 5, padding="same", groups=2),
        "relu2": Relu(),
        "pool2": MaxPool2d(3, stride=2),
        "conv3": Conv2d(256, 384, 3, padding="same"),
        "relu3": Relu(),
        "conv4": Conv2d(384, 384, 3, padding="same", groups=2),
        "relu4": Relu(),
        "conv5": Conv2d(384, 256, 3, padding="same", groups=2),
        "relu5": Relu(),
        "pool5": MaxPool2d(3, stride=2),
    }
    return _classified(features, shape, (4096, 4096, classes), dropout=0.5)


VGG_D: tuple[Sequence[int], ...] = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def vgg_16(shape: Shape = (224, 224, 3), classes: int = 1000, width: float = 1) -> Chain:
    """VGG-16, configuration D of Simonyan & Zisserman 2015: 138,344,128 weights."""
    return _vgg(shape, (4096, 4096), classes, width, last_size=3, batch_norm=False)


def vgg_c(shape: Shape = (32, 32, 3), classes: int = 10, width: float = 1) -> Chain:
    """SNIP's VGG-C for CIFAR (Lee et al. 2019): batch norm, 512 hidden units, 1×1 last in blocks of three; 10.5M."""
    return _vgg(shape, (512, 512), classes, width, last_size=1, batch_norm=True)


def vgg_d(shape: Shape = (32, 32, 3), classes: int = 10, width: float = 1) -> Chain:
    """SNIP's VGG-D for CIFAR (Lee et al. 2019): VGG-16 with batch norm and 512 hidden units; 15.2M weights."""
    return _vgg(shape, (512, 512), classes, width, last_size=3, batch_norm=True)


def vgg_like(shape: Shape = (32, 32, 3), classes: int = 10, width: float = 1) -> Chain:
    """SNIP's VGG-like for CIFAR (Lee et al. 2019): VGG-D with one hidden layer of 512 units; 15.0M weights."""
    return _vgg(shape, (512,), classes, width, last_size=3, batch_norm=True)


def _vgg(shape: Shape, hidden: Sequence[int], classes: int, width: float, last_size: int, batch_norm: bool) -> Chain:
    """width: a factor on all filters and hidden units, rounded down."""
    layers: dict[str, Layer] = {}
    c_in = shape[2]
    for block, filters in enumerate(VGG_D, 1):
        for i, c_out in enumerate((_times(n, width) for n in filters), 1):
            size = last_size if i == 3 else 3
            layers[f"conv{block}_{i}"] = Conv2d(c_in, c_out, size, padding="same", bias=not batch_norm)
            if batch_norm:
                layers[f"bn{block}_{i}"] = BatchNorm(c_out)
            layers[f"relu{block}_{i}"] = Relu()
            c_in = c_out
        layers[f"pool{block}"] = MaxPool2d(2)
    return _classified(layers, shape, (*(_times(n, width) for n in hidden), classes), dropout=0.5)


def wide_resnet(
    depth: int = 22, width: int = 2, shape: Shape = (32, 32, 3), classes: int = 10, dropout: float = 0.0,
    factor: float = 1,
) -> Chain:  # fmt: skip
    """WRN-d-k, pre-activation (Zagoruyko & Komodakis 2016): depth 6 n + 4, three groups of n blocks, k the width.

    factor: on all channels except the image's, rounded down, for networks narrower than k = 1.
    If a block changes the shape, its first batch norm and ReLU precede body and shortcut, else only the body.
    """
    if depth < 10 or (depth - 4) % 6:
        raise ValueError(f"depth is {depth}; expected 10, 16, 22, 28, …: 6 n + 4")
    whole("width", width, 1)
    c_in, *groups = (_times(n, factor) for n in (16, 16 * width, 32 * width, 64 * width))
    layers: dict[str, Layer] = {"conv1": Conv2d(shape[2], c_in, 3, padding="same", bias=False)}
    for group, c_out in enumerate(groups, 1):
        for i in range(1, (depth - 4) // 6 + 1):
            stride = 2 if group > 1 and i == 1 else 1
            first: dict[str, Layer] = {"bn1": BatchNorm(c_in), "relu1": Relu()}
            body: dict[str, Layer] = {
                "conv1": Conv2d(c_in, c_out, 3, stride, "same", bias=False),
                "bn2": BatchNorm(c_out),
                "relu2": Relu(),
                **({"dropout": Dropout(dropout)} if dropout else {}),
                "conv2": Conv2d(c_out, c_out, 3, padding="same", bias=False),
            }
            if c_in == c_out:
                layers[f"group{group}_{i}"] = Residual(Chain({**first, **body}))
            else:
                around = Conv2d(c_in, c_out, 1, stride, bias=False)
                layers[f"group{group}_{i}"] = Chain({**first, "block": Residual(Chain(body), around)})
            c_in = c_out
    layers |= {"bn": BatchNorm(c_in), "relu": Relu(), "pool": GlobalAvgPool(), "fc": Linear(c_in, classes)}
    return Chain(layers)


def resnet_50(shape: Shape = (224, 224, 3), classes: int = 1000, width: float = 1) -> Chain:
    """ResNet-50 v1.5: 25,502,912 weights. Differs from He et al. 2016: a block's stride is in its 3×3, not its 1×1.

    width: a factor on all channels except the image's, rounded down.
    """
    stem = whole("width × 64", _times(64, width), 1)
    layers: dict[str, Layer] = {
        **_normed("conv1", Conv2d(shape[2], stem, 7, 2, 3, bias=False)),
        "conv1_relu": Relu(),
        "pool1": MaxPool2d(3, 2, "same"),
    }
    c_in = stem
    for stage, (blocks, filters) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), 2):
        middle, c_out = _times(filters, width), _times(4 * filters, width)
        for i in range(blocks):
            stride = 2 if stage > 2 and i == 0 else 1
            body = {
                **_normed("branch2a", Conv2d(c_in, middle, 1, bias=False)),
                "relu2a": Relu(),
                **_normed("branch2b", Conv2d(middle, middle, 3, stride, "same", bias=False)),
                "relu2b": Relu(),
                **_normed("branch2c", Conv2d(middle, c_out, 1, bias=False)),
            }
            around = Chain(_normed("branch1", Conv2d(c_in, c_out, 1, stride, bias=False))) if i == 0 else None
            name = f"res{stage}{'abcdef'[i]}"
            layers |= {name: Residual(Chain(body), around), f"{name}_relu": Relu()}
            c_in = c_out
    return Chain({**layers, "pool": GlobalAvgPool(), "fc": Linear(c_in, classes)})


def mobilenet_v1(shape: Shape = (224, 224, 3), classes: int = 1000, width: float = 1) -> Chain:
    """MobileNet-v1 (Howard et al. 2017): alternating 3×3 depthwise and 1×1 pointwise; ReLU as in the paper, not ReLU6.

    width: the paper's α, a factor on all channels except the image's, rounded down.
    """
    c_in = whole("width × 32", _times(32, width), 1)
    layers: dict[str, Layer] = {
        **_normed("conv1", Conv2d(shape[2], c_in, 3, 2, padding=1, bias=False)),
        "conv1_relu": Relu(),
    }
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for i, (filters, stride) in enumerate(plan, 1):
        c_out = _times(filters, width)
        padding: Any = "same" if stride == 1 else 1
        layers |= {
            **_normed(f"depthwise{i}", DepthwiseConv2d(c_in, 3, stride, padding, bias=False)),
            f"depthwise{i}_relu": Relu(),
            **_normed(f"pointwise{i}", Conv2d(c_in, c_out, 1, bias=False)),
            f"pointwise{i}_relu": Relu(),
        }
        c_in = c_out
    return Chain({**layers, "pool": GlobalAvgPool(), "fc": Linear(c_in, classes)})


def _normed(name: str, layer: Conv2d | DepthwiseConv2d) -> dict[str, Layer]:
    """A convolution and the batch norm of its outputs."""
    channels = layer.c_out if isinstance(layer, Conv2d) else layer.channels
    return {name: layer, f"{name}_bn": BatchNorm(channels)}


def _classified(
    features: dict[str, Layer],
    shape: Shape,
    widths: Sequence[int],
    initial: Initial = he_normal,
    dropout: float = 0.0,
) -> Chain:
    """`features` of an image of `shape`, flattened, followed by linear layers of `widths`."""
    (n_in,) = Chain({**features, "flatten": Flatten()}).cost(shape)[1]
    layers: dict[str, Layer] = {"flatten": Flatten()}
    for i, (fan_in, fan_out) in enumerate(pairwise((n_in, *widths)), 1):
        layers[f"fc{i}"] = Linear(fan_in, fan_out, initial)
        layers[f"fc{i}_relu"] = Relu()
        if dropout:
            layers[f"fc{i}_dropout"] = Dropout(dropout)
    while not isinstance(layers[last := list(layers)[-1]], Linear):
        del layers[last]
    return Chain({**features, **layers})
