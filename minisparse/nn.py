"""Layers are descriptions: frozen, without parameters. Those live outside, in one dict of arrays.

Every layer has
    init(rng, dtype) -> {name: array}                                its parameters
    layer(params, x, *, train=False, rng=None, stats=None) -> Tensor forward, on a batch x (N, …)
    cost(shape) -> ({name: multiply-adds per example}, shape)        what an example of `shape` costs, and becomes
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from . import conv, ops
from .autograd import Tensor, as_tensor
from .backend import Array, namespace
from .streams import draw_key, stream

Shape = tuple[int, ...]
Values = Tensor | Array
Initial = Callable[[np.random.Generator, Shape], Array]


class Layer(Protocol):
    def init(self, rng: np.random.Generator, dtype: Any = np.float32) -> dict[str, Array]: ...

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor: ...

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]: ...


def he_normal(rng: np.random.Generator, shape: Shape) -> Array:
    """N(0, 2 / fan_in), made for ReLU (He et al. 2015). fan_in is the product of all axes but the last."""
    return rng.standard_normal(shape) * math.sqrt(2 / math.prod(shape[:-1]))


def glorot_uniform(rng: np.random.Generator, shape: Shape) -> Array:
    """U(−r, r) with r = √(6 / (fan_in + fan_out)) (Glorot & Bengio 2010), TensorFlow's default."""
    area = math.prod(shape[:-2])
    bound = math.sqrt(6 / (area * (shape[-2] + shape[-1])))
    return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class Linear:
    """x @ weight + bias; weight (n_in, n_out), bias (n_out,) starting at zero; x (N, n_in)."""

    n_in: int
    n_out: int
    initial: Initial = field(default=he_normal, repr=False)

    def init(self, rng: np.random.Generator, dtype: Any = np.float32) -> dict[str, Array]:
        weight = self.initial(rng, (self.n_in, self.n_out)).astype(dtype)
        return {"weight": weight, "bias": np.zeros(self.n_out, dtype)}

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        self.cost(x.shape[1:])
        return ops.linear(x, params["weight"], params["bias"])

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]:
        if tuple(shape) != (self.n_in,):
            raise ValueError(f"Linear({self.n_in}, {self.n_out}) got examples of shape {tuple(shape)}; "
                             f"accepted is ({self.n_in},), which Flatten() makes of images")  # fmt: skip
        return {"weight": self.n_in * self.n_out}, (self.n_out,)


@dataclass(frozen=True)
class Conv2d:
    """A convolution with bias: weight (size, size, c_in / groups, c_out), bias (c_out,) at zero; x (N, H, W, c_in)."""

    c_in: int
    c_out: int
    size: int
    stride: int = 1
    padding: conv.Padding = "valid"
    groups: int = 1
    bias: bool = True
    initial: Initial = field(default=he_normal, repr=False)

    def init(self, rng: np.random.Generator, dtype: Any = np.float32) -> dict[str, Array]:
        shape = (self.size, self.size, self.c_in // self.groups, self.c_out)
        weight = {"weight": self.initial(rng, shape).astype(dtype)}
        return weight | ({"bias": np.zeros(self.c_out, dtype)} if self.bias else {})

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        self.cost(x.shape[1:])
        y = conv.conv2d(x, params["weight"], self.stride, self.padding, self.groups)
        return ops.add(y, params["bias"]) if self.bias else y

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]:
        height, width, _ = _image(self, shape, self.c_in)
        h, w = (conv.n_windows(n, self.size, self.stride, self.padding) for n in (height, width))
        taps = self.size * self.size * self.c_in // self.groups
        return {"weight": h * w * taps * self.c_out}, (h, w, self.c_out)


class Stateless:
    """What the layers without parameters share: nothing to initialise, nothing to count."""

    def init(self, rng: np.random.Generator, dtype: Any = np.float32) -> dict[str, Array]:
        return {}

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]:
        return {}, shape


@dataclass(frozen=True)
class Relu(Stateless):
    """max(x, 0)."""

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return ops.relu(x)


@dataclass(frozen=True)
class Flatten(Stateless):
    """(N, …) to (N, everything else), in C order."""

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]:
        return {}, (math.prod(shape),)


@dataclass(frozen=True)
class MaxPool2d(Stateless):
    """The largest of every size×size window; steps by its size unless `stride` is given."""

    size: int
    stride: int | None = None

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return conv.max_pool2d(x, self.size, self.stride)

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]:
        height, width, channels = _image(self, shape)
        h, w = (conv.n_windows(n, self.size, self.stride or self.size) for n in (height, width))
        return {}, (h, w, channels)


@dataclass(frozen=True)
class AvgPool2d(Stateless):
    """The mean of every size×size window; steps by its size unless `stride` is given."""

    size: int
    stride: int | None = None

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return conv.avg_pool2d(x, self.size, self.stride)

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]:
        return MaxPool2d(self.size, self.stride).cost(shape)


@dataclass(frozen=True)
class GlobalAvgPool(Stateless):
    """(N, H, W, C) to (N, C): the mean over all pixels."""

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return conv.global_avg_pool(x)

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]:
        return {}, _image(self, shape)[2:]


@dataclass(frozen=True)
class Dropout(Stateless):
    """In training, zero each value with probability `rate` and scale the others by 1 / (1 − rate); else the identity.

    Its randomness arrives as `rng`: a Generator, or an array of uniform numbers in [0, 1) of x's shape.
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate is {self.rate}; accepted are dropout rates in [0, 1)")

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        if not train:
            return as_tensor(x)
        if rng is None:
            raise ValueError("rng is None; Dropout in training needs a Generator or an array of uniform numbers")
        value = x.value if isinstance(x, Tensor) else x
        u = rng.random(value.shape) if isinstance(rng, np.random.Generator) else rng
        if tuple(u.shape) != tuple(value.shape):
            raise ValueError(f"rng has shape {tuple(u.shape)}, x has {tuple(value.shape)}")
        kept = namespace(value).asarray(u) >= self.rate
        return ops.mul(x, kept.astype(value.dtype) / (1 - float(self.rate)))


@dataclass(frozen=True)
class Chain:
    """Layers one after the other, by name: {"fc1": Linear(784, 300), "relu1": Relu(), …}.

    A parameter's name is its layer's and its own, "fc1.weight". Each layer is initialised from a stream of its own
    name; `rng` of a call goes to every layer, or, if it is a dict, to each the entry of its name.
    """

    layers: Mapping[str, Layer]

    def __post_init__(self) -> None:
        if wrong := [name for name in self.layers if not name or "." in name]:
            raise ValueError(
                f"layers are named {wrong}; accepted are names without a dot, which joins a name to its parts"
            )

    def init(self, rng: np.random.Generator, dtype: Any = np.float32) -> dict[str, Array]:
        key = draw_key(rng)
        made = {layer: description.init(stream(key, layer), dtype) for layer, description in self.layers.items()}
        return {f"{layer}.{name}": array for layer, own in made.items() for name, array in own.items()}

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        own, own_stats = _by_layer(params), _by_layer(stats) if stats else {}
        for name, layer in self.layers.items():
            noise = rng.get(name) if isinstance(rng, Mapping) else rng
            x = layer(own.get(name, {}), x, train=train, rng=noise, stats=own_stats.get(name))
        return as_tensor(x)

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]:
        costs: dict[str, int] = {}
        for layer, description in self.layers.items():
            own, shape = description.cost(shape)
            costs |= {f"{layer}.{name}": multiply_adds for name, multiply_adds in own.items()}
        return costs, shape


def _image(layer: Any, shape: Shape, channels: int | None = None) -> tuple[int, int, int]:
    """The height, width and channels of an image; ValueError for what is none, or has other channels."""
    if len(shape) != 3 or shape[2] != (channels or shape[2]):
        raise ValueError(f"{layer} got examples of shape {tuple(shape)}; accepted are (H, W, {channels or 'C'})")
    height, width, own = shape
    return height, width, own


def _by_layer(params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{"fc1.weight": w, …} as {"fc1": {"weight": w}, …}."""
    grouped: dict[str, dict[str, Any]] = {}
    for name, array in params.items():
        layer, _, own = name.partition(".")
        grouped.setdefault(layer, {})[own] = array
    return grouped


def mlp(*widths: int, initial: Initial = he_normal) -> Chain:
    """A fully connected network with ReLUs between its layers: mlp(784, 300, 100, 10) has fc1, relu1, … fc3."""
    if len(widths) < 2:
        raise ValueError(f"widths are {widths}; accepted are an input and an output width, and those between")
    layers: dict[str, Layer] = {}
    for i, (n_in, n_out) in enumerate(pairwise(widths), 1):
        layers[f"fc{i}"] = Linear(n_in, n_out, initial)
        layers[f"relu{i}"] = Relu()
    layers.popitem()
    return Chain(layers)
