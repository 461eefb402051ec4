"""Layers are descriptions: frozen, without parameters. Parameters are kept outside, in one dict of arrays.

Every layer has
    shapes() -> {name: shape}                                        shapes of its parameters
    init(rng, dtype, masks=None) -> {name: array}                    initial parameters; those in `masks` are stored
                                                                     as their masks are (minisparse.sparse)
    layer(params, x, *, train=False, rng=None, stats=None) -> Tensor forward pass of a batch x (N, …)
    sites(shape) -> ([Site], shape)                                  layers with weights, for an example of `shape`, and
                                                                     the output shape
    cost(shape) -> ({name: multiply-adds per example}, shape)        their cost

A call raises ValueError naming a parameter that is missing or whose shape differs from the description.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend import Array
from ..checks import whole
from ..flops import Site
from ..methods import l0
from ..storage import initial
from ..windows import n_windows

Shape = tuple[int, ...]
Values = Tensor | Array
Initial = Callable[..., Array]  # (rng, shape) -> all weights, or (rng, shape, n) -> the next n of them


def he_normal(rng: np.random.Generator, shape: Shape, n: int | None = None) -> Array:
    """N(0, 2 / fan_in), for ReLU (He et al. 2015). fan_in is the product of all axes but the last."""
    return rng.standard_normal(shape if n is None else n) * math.sqrt(2 / math.prod(shape[:-1]))


def he_normal_depthwise(rng: np.random.Generator, shape: Shape) -> Array:
    """N(0, 2 / (kh kw)) for kernels (kh, kw, channels, multiplier): each output sees one channel."""
    return rng.standard_normal(shape) * math.sqrt(2 / math.prod(shape[:2]))


def glorot_uniform(rng: np.random.Generator, shape: Shape, n: int | None = None) -> Array:
    """U(−r, r) with r = √(6 / (fan_in + fan_out)) (Glorot & Bengio 2010), TensorFlow's default."""
    area = math.prod(shape[:-2])
    bound = math.sqrt(6 / (area * (shape[-2] + shape[-1])))
    return rng.uniform(-bound, bound, shape if n is None else n)


class Layer:
    """A layer without parameters that keeps the shape of its input; subclasses override what differs."""

    initial: Initial
    drop_rate: float

    def shapes(self) -> dict[str, Shape]:
        return {}

    def init(
        self, rng: np.random.Generator, dtype: Any = np.float32, masks: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        makers: dict[str, Callable[[Shape], Array]] = {
            "bias": np.zeros,
            "scale": np.ones,
            "shift": np.zeros,
            "log_alpha": lambda shape: l0.initial_log_alpha(rng, shape, self.drop_rate),
        }
        at = masks or {}
        if np.dtype(dtype).kind != "f":
            raise TypeError(f"dtype is {np.dtype(dtype)}; expected a floating-point type, such as float32")
        return {
            name: makers[name](shape).astype(dtype)
            if name in makers
            else initial(self.initial, rng, shape, dtype, at.get(name))
            for name, shape in self.shapes().items()
        }

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        raise NotImplementedError

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        return [], shape

    def cost(self, shape: Shape) -> tuple[dict[str, int], Shape]:
        sites, shape = self.sites(shape)
        return {site.name: site.multiply_adds for site in sites}, shape


def sites(model: Layer, shape: Shape) -> list[Site]:
    """The layers with weights that an example of `shape`, (n,) or (H, W, C), meets, from input to output."""
    return model.sites(shape)[0]


class _Unfit(ValueError):
    """A parameter that is missing or has the wrong shape. Each enclosing layer raises it again with the full name."""


def _unfit(shapes: Mapping[str, Shape], params: Mapping[str, Values]) -> _Unfit | None:
    for name, shape in shapes.items():
        if name not in params:
            return _Unfit(f"params has no {name!r}; the parameters are {list(params)}")
        if params[name].shape != shape:
            return _Unfit(f"{name!r} has shape {tuple(params[name].shape)}, the model's has {tuple(shape)}")
    return None


def _check_params(shapes: Mapping[str, Shape], params: Mapping[str, Values]) -> None:
    """ValueError for the first of these parameters that is missing or has the wrong shape."""
    if wrong := _unfit(shapes, params):
        raise wrong


def _whole(layer: Layer, low: int, *names: str) -> None:
    """Check that attributes of a layer are whole numbers from `low`."""
    for name in names:
        whole(f"{name} of {type(layer).__name__}", getattr(layer, name), low)


def _image(layer: Any, shape: Shape, channels: int | None = None) -> tuple[int, int, int]:
    """The height, width and channels of an image; ValueError for another number of axes or channels."""
    if len(shape) != 3 or shape[2] != (channels or shape[2]):
        raise ValueError(f"{layer} got examples of shape {tuple(shape)}; expected (H, W, {channels or 'C'})")
    height, width, depth = shape
    return height, width, depth


def _windows(layer: Any, shape: Shape, channels: int | None = None) -> tuple[int, int]:
    """How many windows of the layer fit along the height and the width of an image."""
    height, width, _ = _image(layer, shape, channels)
    stride = layer.size if layer.stride is None else layer.stride
    padding = getattr(layer, "padding", "valid")
    return n_windows(height, layer.size, stride, padding), n_windows(width, layer.size, stride, padding)
