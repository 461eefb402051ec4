"""Linear layers, convolutions, pooling, ReLU, flattening and dropout."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import conv, ops
from ..autograd import Tensor, as_tensor
from ..backend import namespace
from ..checks import real
from ..flops import Site
from ..pool import see_more_than_padding
from ..windows import Padding
from .base import Initial, Layer, Shape, Values, _check_params, _image, _whole, _windows, he_normal, he_normal_depthwise


@dataclass(frozen=True)
class Linear(Layer):
    """x @ weight + bias; weight (n_in, n_out), bias (n_out,) starting at zero; x (N, n_in)."""

    n_in: int
    n_out: int
    initial: Initial = field(default=he_normal, repr=False)

    def __post_init__(self) -> None:
        _whole(self, 0, "n_in", "n_out")

    def shapes(self) -> dict[str, Shape]:
        return {"weight": (self.n_in, self.n_out), "bias": (self.n_out,)}

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        self.sites(x.shape[1:])
        _check_params(Linear.shapes(self), params)
        return ops.linear(x, params["weight"], params["bias"])

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        if tuple(shape) != (self.n_in,):
            raise ValueError(f"{type(self).__name__}({self.n_in}, {self.n_out}) got examples of shape {tuple(shape)}; "
                             f"expected ({self.n_in},); Flatten() gives it for images")  # fmt: skip
        return [Site("weight", "linear", (self.n_in, self.n_out), self.n_out, (self.n_in,))], (self.n_out,)


@dataclass(frozen=True)
class Conv2d(Layer):
    """A convolution: weight (size, size, c_in / groups, c_out), bias (c_out,) at zero unless bias=False;
    x (N, H, W, c_in)."""

    c_in: int
    c_out: int
    size: int
    stride: int = 1
    padding: Padding = "valid"
    groups: int = 1
    bias: bool = True
    initial: Initial = field(default=he_normal, repr=False)

    def __post_init__(self) -> None:
        _whole(self, 0, "c_in", "c_out")
        _whole(self, 1, "size", "stride", "groups")
        if self.c_in % self.groups or self.c_out % self.groups:
            raise ValueError(f"groups is {self.groups}, c_in {self.c_in}, c_out {self.c_out}; "
                             "expected groups that divide both")  # fmt: skip

    def shapes(self) -> dict[str, Shape]:
        weight: dict[str, Shape] = {"weight": (self.size, self.size, self.c_in // self.groups, self.c_out)}
        return weight | ({"bias": (self.c_out,)} if self.bias else {})

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        self.sites(x.shape[1:])
        _check_params(Conv2d.shapes(self), params)
        bias = params["bias"] if self.bias else None
        return conv.conv2d(x, params["weight"], self.stride, self.padding, self.groups, bias)

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        h, w = _windows(self, shape, self.c_in)
        site = Site(
            "weight", "conv", self.shapes()["weight"], h * w * self.c_out, tuple(shape), self.stride, self.padding
        )
        return [site], (h, w, self.c_out)


@dataclass(frozen=True)
class DepthwiseConv2d(Layer):
    """Each channel convolved separately: weight (size, size, channels, 1), bias (channels,) at zero unless bias=False;
    x (N, H, W, channels)."""

    channels: int
    size: int
    stride: int = 1
    padding: Padding = "valid"
    bias: bool = True
    initial: Initial = field(default=he_normal_depthwise, repr=False)

    def __post_init__(self) -> None:
        _whole(self, 0, "channels")
        _whole(self, 1, "size", "stride")

    def shapes(self) -> dict[str, Shape]:
        weight: dict[str, Shape] = {"weight": (self.size, self.size, self.channels, 1)}
        return weight | ({"bias": (self.channels,)} if self.bias else {})

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        self.sites(x.shape[1:])
        _check_params(self.shapes(), params)
        y = conv.depthwise_conv2d(x, params["weight"], self.stride, self.padding)
        return ops.add(y, params["bias"]) if self.bias else y

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        h, w = _windows(self, shape, self.channels)
        kernel = self.shapes()["weight"]
        site = Site("weight", "depthwise", kernel, h * w * self.channels, tuple(shape), self.stride, self.padding)
        return [site], (h, w, self.channels)


@dataclass(frozen=True)
class Relu(Layer):
    """max(x, 0)."""

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return ops.relu(x)


@dataclass(frozen=True)
class Flatten(Layer):
    """(N, …) to (N, all other axes), in C order."""

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        return [], (math.prod(shape),)


@dataclass(frozen=True)
class MaxPool2d(Layer):
    """The largest of every size×size window; the stride is its size unless given."""

    size: int
    stride: int | None = None
    padding: Padding = "valid"

    def __post_init__(self) -> None:
        _whole(self, 1, "size", *(["stride"] if self.stride is not None else []))
        see_more_than_padding(self.size, self.padding)

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return conv.max_pool2d(x, self.size, self.stride, self.padding)

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        return [], (*_windows(self, shape), shape[2])


@dataclass(frozen=True)
class AvgPool2d(Layer):
    """The mean of every size×size window; the stride is its size unless given."""

    size: int
    stride: int | None = None

    def __post_init__(self) -> None:
        _whole(self, 1, "size", *(["stride"] if self.stride is not None else []))

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return conv.avg_pool2d(x, self.size, self.stride)

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        return [], (*_windows(self, shape), shape[2])


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """(N, H, W, C) to (N, C): the mean over all pixels."""

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return conv.global_avg_pool(x)

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        return [], _image(self, shape)[2:]


@dataclass(frozen=True)
class Dropout(Layer):
    """In training, zero each value with probability `rate` and scale the others by 1 / (1 − rate); else the identity.

    rng: a Generator, or an array of uniform numbers in [0, 1) of x's shape.
    """

    rate: float

    def __post_init__(self) -> None:
        real("rate", self.rate, "a dropout rate in [0, 1)", lambda rate: 0 <= rate < 1)

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        x = as_tensor(x)
        if not train:
            return x
        if rng is None:
            raise ValueError("rng is None; Dropout in training needs a Generator or an array of uniform numbers")
        u = rng.random(x.shape) if isinstance(rng, np.random.Generator) else rng
        if tuple(u.shape) != tuple(x.shape):
            raise ValueError(f"rng has shape {tuple(u.shape)}, x has {tuple(x.shape)}")
        kept = namespace(x.value).asarray(u) >= self.rate
        return ops.mul(x, kept.astype(x.dtype) / (1 - float(self.rate)))
