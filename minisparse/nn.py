"""Layers are descriptions: frozen, without parameters. Those live outside, in one dict of arrays.

Every layer has
    shapes() -> {name: shape}                                        its parameters, without making them
    init(rng, dtype, masks=None) -> {name: array}                    its parameters; those with Positions in `masks`
                                                                     truly sparse (minisparse.sparse), and those with
                                                                     `everywhere` not stored (minisparse.drawn)
    layer(params, x, *, train=False, rng=None, stats=None) -> Tensor forward, on a batch x (N, …)
    sites(shape) -> ([Site], shape)                                  where an example of `shape` meets weights, and what
                                                                     it becomes
    cost(shape) -> ({name: multiply-adds per example}, shape)        what that costs

A call refuses a parameter that is missing, or has another shape than the description says, by its name (ValueError).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np

from . import conv, drawn, norm, ops, sparse
from .autograd import Tensor, as_tensor
from .backend import Array, namespace
from .checks import real, whole
from .methods import l0
from .positions import Absent, Positions
from .streams import draw_key, stream

Shape = tuple[int, ...]
Values = Tensor | Array
Initial = Callable[..., Array]  # (rng, shape) -> all weights, or (rng, shape, n) -> n of them, the next each time


def he_normal(rng: np.random.Generator, shape: Shape, n: int | None = None) -> Array:
    """N(0, 2 / fan_in), made for ReLU (He et al. 2015). fan_in is the product of all axes but the last."""
    return rng.standard_normal(shape if n is None else n) * math.sqrt(2 / math.prod(shape[:-1]))


def he_normal_depthwise(rng: np.random.Generator, shape: Shape) -> Array:
    """N(0, 2 / (kh kw)) for kernels (kh, kw, channels, multiplier), whose outputs each see one channel."""
    return rng.standard_normal(shape) * math.sqrt(2 / math.prod(shape[:2]))


def glorot_uniform(rng: np.random.Generator, shape: Shape, n: int | None = None) -> Array:
    """U(−r, r) with r = √(6 / (fan_in + fan_out)) (Glorot & Bengio 2010), TensorFlow's default."""
    area = math.prod(shape[:-2])
    bound = math.sqrt(6 / (area * (shape[-2] + shape[-1])))
    return rng.uniform(-bound, bound, shape if n is None else n)


class Site(NamedTuple):
    """One place where images meet weights: what a counting convention needs to know about it.

    name           of the weight, "conv1.weight"
    kind           "linear", "conv" or "depthwise"
    kernel_shape   of the weight, in our layout
    outputs        how many numbers come out for one example, each a sum of `fan_in` products
    in_shape       of one example, without padding
    stride, padding   of a convolution; 1 and "valid" for a linear layer
    """

    name: str
    kind: str
    kernel_shape: Shape
    outputs: int
    in_shape: Shape
    stride: int = 1
    padding: conv.Padding = "valid"

    @property
    def fan_in(self) -> int:
        return math.prod(self.kernel_shape[:2] if self.kind == "depthwise" else self.kernel_shape[:-1])

    @property
    def multiply_adds(self) -> int:
        return self.outputs * self.fan_in


class Layer:
    """A description without parameters that leaves the shape as it is; a layer overrides what it does differently."""

    initial: Initial
    drop_rate: float

    def shapes(self) -> dict[str, Shape]:
        return {}

    def init(
        self, rng: np.random.Generator, dtype: Any = np.float32, masks: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        own: dict[str, Callable[[Shape], Array]] = {
            "bias": np.zeros,
            "scale": np.ones,
            "shift": np.zeros,
            "log_alpha": lambda shape: l0.initial_log_alpha(rng, shape, self.drop_rate),
        }
        made: dict[str, Array] = {}
        for name, shape in self.shapes().items():
            at = (masks or {}).get(name)
            if isinstance(at, Positions):
                made[name] = sparse.Compressed(self.initial(rng, shape, at.sum()).astype(dtype), at)
            elif isinstance(at, Absent):
                made[name] = drawn.Drawn(self.initial, rng, at, dtype)
            else:
                made[name] = (own[name](shape) if name in own else self.initial(rng, shape)).astype(dtype)
        return made

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        raise NotImplementedError

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        return [], shape

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]:
        sites, shape = self.sites(shape)
        return {site.name: site.multiply_adds for site in sites}, shape


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
        _fit(Linear.shapes(self), params)
        weight = params["weight"]
        kind = type(weight.value if isinstance(weight, Tensor) else weight)
        others = {sparse.Compressed: sparse.sparse_linear, drawn.Drawn: drawn.drawn_linear}
        return others.get(kind, ops.linear)(x, weight, params["bias"])

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        if tuple(shape) != (self.n_in,):
            raise ValueError(f"{type(self).__name__}({self.n_in}, {self.n_out}) got examples of shape {tuple(shape)}; "
                             f"accepted is ({self.n_in},), which Flatten() makes of images")  # fmt: skip
        return [Site("weight", "linear", (self.n_in, self.n_out), self.n_out, (self.n_in,))], (self.n_out,)


@dataclass(frozen=True)
class Conv2d(Layer):
    """A convolution: weight (size, size, c_in / groups, c_out), bias (c_out,) at zero unless bias=False;
    x (N, H, W, c_in)."""

    c_in: int
    c_out: int
    size: int
    stride: int = 1
    padding: conv.Padding = "valid"
    groups: int = 1
    bias: bool = True
    initial: Initial = field(default=he_normal, repr=False)

    def __post_init__(self) -> None:
        _whole(self, 0, "c_in", "c_out")
        _whole(self, 1, "size", "stride", "groups")
        if self.c_in % self.groups or self.c_out % self.groups:
            raise ValueError(f"groups is {self.groups}, c_in {self.c_in}, c_out {self.c_out}; "
                             "accepted are groups that divide both")  # fmt: skip

    def shapes(self) -> dict[str, Shape]:
        weight: dict[str, Shape] = {"weight": (self.size, self.size, self.c_in // self.groups, self.c_out)}
        return weight | ({"bias": (self.c_out,)} if self.bias else {})

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        self.sites(x.shape[1:])
        _fit(Conv2d.shapes(self), params)
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
    """Every channel convolved by itself: weight (size, size, channels, 1), bias (channels,) at zero unless bias=False;
    x (N, H, W, channels)."""

    channels: int
    size: int
    stride: int = 1
    padding: conv.Padding = "valid"
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
        _fit(self.shapes(), params)
        y = conv.depthwise_conv2d(x, params["weight"], self.stride, self.padding)
        return ops.add(y, params["bias"]) if self.bias else y

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        h, w = _windows(self, shape, self.channels)
        kernel = self.shapes()["weight"]
        site = Site("weight", "depthwise", kernel, h * w * self.channels, tuple(shape), self.stride, self.padding)
        return [site], (h, w, self.channels)


@dataclass(frozen=True)
class GatedLinear(Linear):
    """A Linear layer with a hard concrete gate on each input unit, or on each weight (Louizos et al. 2018).

    log_alpha (n_in, 1), or (n_in, n_out) with per_weight, starts near log((1 − p) / p) for the drop rate p in (0, 1).
    In training one sample of the gates serves the whole batch; it is drawn from `rng`: a Generator, or an array of
    uniform numbers inside (0, 1) of log_alpha's shape. At inference the gates are without noise.
    """

    drop_rate: float = 0.5
    per_weight: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        l0.log_alpha_of(self.drop_rate)

    def shapes(self) -> dict[str, Shape]:
        return super().shapes() | {"log_alpha": (self.n_in, self.n_out if self.per_weight else 1)}

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return super().__call__(_switched(self, params, train, rng), x)


@dataclass(frozen=True)
class GatedConv2d(Conv2d):
    """A Conv2d with a hard concrete gate on each output map, its bias included (Louizos et al. 2018).

    log_alpha (c_out,); drop_rate and `rng` as in GatedLinear.
    """

    drop_rate: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        l0.log_alpha_of(self.drop_rate)

    def shapes(self) -> dict[str, Shape]:
        return super().shapes() | {"log_alpha": (self.c_out,)}

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return super().__call__(_switched(self, params, train, rng), x)


def _switched(layer: Layer, params: Mapping[str, Values], train: bool, rng: Any) -> dict[str, Values]:
    """The layer's weight and bias behind its gates: a sample of them in training, else the gates at test."""
    _fit(layer.shapes(), params)
    log_alpha = params["log_alpha"]
    if not train:
        return l0.switched(params, {"": l0.gate_at_test(log_alpha)})
    if rng is None:
        raise ValueError(f"rng is None; {layer} in training needs a Generator or an array of uniform numbers")
    u = l0.uniforms(rng, log_alpha.shape) if isinstance(rng, np.random.Generator) else rng
    if tuple(u.shape) != tuple(log_alpha.shape):
        raise ValueError(f"rng has shape {tuple(u.shape)}, log_alpha has {tuple(log_alpha.shape)}")
    return l0.switched(params, {"": l0.gate(log_alpha, u)})


@dataclass(frozen=True)
class BatchNorm(Layer):
    """(x − mean) / √(var + eps) · scale + shift, per channel, the last axis (Ioffe & Szegedy 2015).

    In training mean and variance (divided by n) are the batch's own; at inference those in `stats`, a dict that
    `recalibrate` makes. scale starts at 1 and shift at 0: names that weight decay leaves alone.

    Differs from the paper: no running averages; statistics are measured when they are needed.
    """

    channels: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        _whole(self, 0, "channels")
        real("eps", self.eps, "finite numbers from 0", lambda eps: 0 <= eps < math.inf)

    def shapes(self) -> dict[str, Shape]:
        return {"scale": (self.channels,), "shift": (self.channels,)}

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        self.sites(x.shape[1:])
        _fit(self.shapes(), params)
        if isinstance(stats, _Moments):
            stats.add(x.value if isinstance(x, Tensor) else x)
        if train or isinstance(stats, _Moments):
            return norm.batch_norm(x, params["scale"], params["shift"], self.eps)
        if stats is None:
            raise ValueError(
                f"stats is None; {self} at inference needs those of nn.recalibrate(model, params, batches)"
            )
        centred = ops.sub(x, stats["mean"])
        return ops.add(ops.mul(centred, params["scale"] / ops.sqrt(stats["var"] + self.eps)), params["shift"])

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        if not shape or shape[-1] != self.channels:
            raise ValueError(f"{self} got examples of shape {tuple(shape)}; accepted are (…, {self.channels})")
        return [], shape


class _Moments:
    """Takes the place of `stats` while `recalibrate` runs: every BatchNorm adds what it sees under its own name."""

    def __init__(self, seen: dict[str, tuple[int, Array, Array]], name: str = ""):
        self.seen, self.name = seen, name

    def get(self, layer: str) -> "_Moments":
        return _Moments(self.seen, f"{self.name}{layer}.")

    def add(self, x: Array) -> None:
        """Pool mean and variance with those of the batches before (Chan et al. 1983)."""
        axes, n = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
        mean, var = x.mean(axis=axes, dtype=float), x.var(axis=axes, dtype=float)
        if self.name in self.seen:
            before, mean_before, var_before = self.seen[self.name]
            share, gap = n / (before + n), mean - mean_before
            var = var_before + (var - var_before) * share + gap * gap * share * (1 - share)
            mean, n = mean_before + gap * share, before + n
        self.seen[self.name] = n, mean, var


def recalibrate(model: Layer, params: Mapping[str, Array], batches: Iterable) -> dict[str, Array]:
    """The statistics that the model's BatchNorms see at these parameters: what they need at inference, as `stats`.

    batches: of inputs, or of tuples that begin with inputs. Within the network every batch is normalised by its own
    statistics, as in training; Dropout is off. {"bn1.mean": (C,), "bn1.var": (C,), …} over all that was seen, in the
    parameters' dtype; empty for a model without BatchNorm. ValueError without batches, or for one without examples.
    """
    seen: dict[str, tuple[int, Array, Array]] = {}
    batches = iter(batches)
    if (first := next(batches, None)) is None:
        raise ValueError("batches is empty; accepted are one batch of inputs or more")
    for batch in chain((first,), batches):
        inputs = batch[0] if isinstance(batch, tuple | list) else batch
        if not len(inputs):
            raise ValueError(f"a batch has inputs of shape {inputs.shape}; accepted are one example or more")
        model(params, inputs, stats=_Moments(seen))
    stats: dict[str, Array] = {}
    for name, (_, mean, var) in seen.items():
        dtype = params[f"{name}scale"].dtype
        stats |= {f"{name}mean": mean.astype(dtype), f"{name}var": var.astype(dtype)}
    return stats


@dataclass(frozen=True)
class Relu(Layer):
    """max(x, 0)."""

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return ops.relu(x)


@dataclass(frozen=True)
class Flatten(Layer):
    """(N, …) to (N, everything else), in C order."""

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        return [], (math.prod(shape),)


@dataclass(frozen=True)
class MaxPool2d(Layer):
    """The largest of every size×size window; steps by its size unless `stride` is given."""

    size: int
    stride: int | None = None
    padding: conv.Padding = "valid"

    def __post_init__(self) -> None:
        _whole(self, 1, "size", *(["stride"] if self.stride is not None else []))
        conv.see_more_than_padding(self.size, self.padding)

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        return conv.max_pool2d(x, self.size, self.stride, self.padding)

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        return [], (*_windows(self, shape), shape[2])


@dataclass(frozen=True)
class AvgPool2d(Layer):
    """The mean of every size×size window; steps by its size unless `stride` is given."""

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

    Its randomness arrives as `rng`: a Generator, or an array of uniform numbers in [0, 1) of x's shape.
    """

    rate: float

    def __post_init__(self) -> None:
        real("rate", self.rate, "dropout rates in [0, 1)", lambda rate: 0 <= rate < 1)

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
class Chain(Layer):
    """Layers one after the other, by name: {"fc1": Linear(784, 300), "relu1": Relu(), …}.

    A parameter's name is its layer's and its own, "fc1.weight". Each layer is initialised from a stream of its own
    name; `rng` of a call goes to every layer, or, if it is a dict, to each the entry of its name.
    """

    layers: Mapping[str, Layer]

    def __post_init__(self) -> None:
        if not isinstance(self.layers, Mapping):
            raise TypeError(f"layers is {type(self.layers).__name__}; accepted is a dict of layers by name")
        if odd := [name for name, layer in self.layers.items() if not isinstance(layer, Layer)]:
            raise TypeError(f"layer {odd[0]!r} is {self.layers[odd[0]]!r}; accepted is a layer, such as Linear(3, 2)")
        if wrong := [name for name in self.layers if not name or "." in name]:
            raise ValueError(
                f"layers are named {wrong}; accepted are names without a dot, which joins a name to its parts"
            )

    def shapes(self) -> dict[str, Shape]:
        return {
            f"{layer}.{name}": shape
            for layer, description in self.layers.items()
            for name, shape in description.shapes().items()
        }

    def init(
        self, rng: np.random.Generator, dtype: Any = np.float32, masks: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        key, own = draw_key(rng), _by_layer(masks)
        made = {name: layer.init(stream(key, name), dtype, own.get(name)) for name, layer in self.layers.items()}
        return {f"{layer}.{name}": array for layer, own in made.items() for name, array in own.items()}

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        own, own_stats = _by_layer(params), _by_layer(stats)
        try:
            for name, layer in self.layers.items():
                x = layer(own.get(name, {}), x, train=train, rng=_noise(rng, name), stats=own_stats.get(name))
        except _Unfit as error:
            raise _unfit(self.shapes(), params) or error from None  # by its whole name
        return as_tensor(x)

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        found: list[Site] = []
        for layer, description in self.layers.items():
            own, shape = description.sites(shape)
            found += [site._replace(name=f"{layer}.{site.name}") for site in own]
        return found, shape


@dataclass(frozen=True)
class Residual(Layer):
    """body(x) + shortcut(x), the shortcut x itself unless one is given (He et al. 2016).

    Parameters are named as in `body`, "conv1.weight", and those of the shortcut "shortcut.weight".
    """

    body: Chain
    shortcut: Layer | None = None

    def __post_init__(self) -> None:
        if "shortcut" in self.body.layers:
            raise ValueError("body has a layer named 'shortcut', which is the name of the way around it")

    def shapes(self) -> dict[str, Shape]:
        return self._parts().shapes()

    def init(
        self, rng: np.random.Generator, dtype: Any = np.float32, masks: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        return self._parts().init(rng, dtype, masks)

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        try:
            y = self.body(params, x, train=train, rng=rng, stats=stats)
            if self.shortcut:
                own, seen = _by_layer(params).get("shortcut", {}), _by_layer(stats).get("shortcut")
                x = self.shortcut(own, x, train=train, rng=_noise(rng, "shortcut"), stats=seen)
        except _Unfit as error:
            raise _unfit(self.shapes(), params) or error from None
        if y.shape != x.shape:
            raise ValueError(f"the body of a Residual gives {y.shape}, its shortcut {x.shape}; they must be equal")
        return ops.add(y, x)

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        around = Chain({"shortcut": self.shortcut} if self.shortcut else {})
        (own, out), (own_around, out_around) = self.body.sites(shape), around.sites(shape)
        if tuple(out) != tuple(out_around):
            raise ValueError(f"the body of a Residual gives {tuple(out)}, its shortcut {tuple(out_around)}; "
                             "they must be equal")  # fmt: skip
        return own + own_around, out

    def _parts(self) -> Chain:
        return Chain({**self.body.layers, **({"shortcut": self.shortcut} if self.shortcut else {})})


def sites(model: Layer, shape: Shape) -> list[Site]:
    """Every place in the model where an example of `shape`, (n,) or (H, W, C), meets weights, from input to output."""
    return model.sites(shape)[0]


class _Unfit(ValueError):
    """A parameter that is missing or has another shape. Each layer around says so anew, by the name it has there."""


def _unfit(shapes: Mapping[str, Shape], params: Mapping[str, Values]) -> _Unfit | None:
    for name, shape in shapes.items():
        if name not in params:
            return _Unfit(f"params has no {name!r}; the parameters are {list(params)}")
        if params[name].shape != shape:
            return _Unfit(f"{name!r} has shape {tuple(params[name].shape)}, the model's has {tuple(shape)}")
    return None


def _fit(shapes: Mapping[str, Shape], params: Mapping[str, Values]) -> None:
    """ValueError for the first parameter of these that is missing or has another shape."""
    if wrong := _unfit(shapes, params):
        raise wrong


def _whole(layer: Layer, low: int, *names: str) -> None:
    """The errors of a layer's own numbers."""
    for name in names:
        whole(f"{name} of {type(layer).__name__}", getattr(layer, name), low)


def _image(layer: Any, shape: Shape, channels: int | None = None) -> tuple[int, int, int]:
    """The height, width and channels of an image; ValueError for what is none, or has other channels."""
    if len(shape) != 3 or shape[2] != (channels or shape[2]):
        raise ValueError(f"{layer} got examples of shape {tuple(shape)}; accepted are (H, W, {channels or 'C'})")
    height, width, own = shape
    return height, width, own


def _windows(layer: Any, shape: Shape, channels: int | None = None) -> tuple[int, int]:
    """How many windows of the layer fit along the height and the width of an image."""
    height, width, _ = _image(layer, shape, channels)
    stride = layer.size if layer.stride is None else layer.stride
    padding = getattr(layer, "padding", "valid")
    return conv.n_windows(height, layer.size, stride, padding), conv.n_windows(width, layer.size, stride, padding)


def _noise(rng: Any, layer: str) -> Any:
    return rng.get(layer) if isinstance(rng, Mapping) else rng


def _by_layer(params: Any) -> Any:
    """{"fc1.weight": w, …} as {"fc1": {"weight": w}, …}."""
    if not isinstance(params, Mapping):
        return {} if params is None else params
    grouped: dict[str, dict[str, Any]] = {}
    for name, array in params.items():
        layer, _, own = name.partition(".")
        grouped.setdefault(layer, {})[own] = array
    return grouped


def gated(model: Chain, drop_rates: Mapping[str, float]) -> Chain:
    """`model` with gates where `drop_rates` names a layer: on the inputs of a Linear, on the output maps of a Conv2d.

    drop_rates {"fc1": 0.2, …}: the rate at which each layer's gates start; a layer inside another is "block.conv1".
    The weights start as they would without gates. ValueError for a name that is no such layer of the model.
    """
    rates = dict(drop_rates)

    def gate(name: str, layer: Layer) -> Layer:
        kind = {Linear: GatedLinear, Conv2d: GatedConv2d}.get(type(layer))
        return kind(**vars(layer), drop_rate=rates.pop(name)) if kind and name in rates else layer

    model = _with_layers(model, gate)
    if rates:
        raise ValueError(f"drop_rates names {list(rates)}, which are no Linear or Conv2d of the model")
    return model


def ungated(model: Chain, params: Mapping[str, Array]) -> tuple[Chain, dict[str, Array]]:
    """The network without gates, and its parameters, that computes what a gated one does at inference."""

    def plain(name: str, layer: Layer) -> Layer:
        kind = next((kind for kind in (Linear, Conv2d) if isinstance(layer, kind)), None)
        return kind(**{own.name: getattr(layer, own.name) for own in fields(kind)}) if kind else layer

    return _with_layers(model, plain), l0.folded(params)


def _with_layers(model: Any, change: Callable[[str, Layer], Layer], prefix: str = "") -> Any:
    """`model` with change(name, layer) in the place of every layer that has parameters by that name."""
    if isinstance(model, Chain):
        return Chain({n: _with_layers(layer, change, f"{prefix}{n}.") for n, layer in model.layers.items()})
    if isinstance(model, Residual):
        around = model.shortcut and _with_layers(model.shortcut, change, f"{prefix}shortcut.")
        return Residual(_with_layers(model.body, change, prefix), around)
    return change(prefix.removesuffix("."), model)


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
