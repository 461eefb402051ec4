"""Layers made of layers: a chain, and a residual block."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor, as_tensor
from ..backend import Array
from ..dtypes import floats
from ..streams import draw_key, stream
from .base import Initial, Layer, Shape, Site, Values, _Unfit, _unfit, he_normal
from .fused import first_run
from .layers import Linear, Relu


@dataclass(frozen=True)
class Chain(Layer):
    """Layers one after the other, by name: {"fc1": Linear(784, 300), "relu1": Relu(), …}.

    Parameters are named by layer and parameter, "fc1.weight". Each layer is initialised from a random stream of its
    name. In a call, `rng` is passed to every layer; if it is a dict, each layer gets the entry of its name.
    fused: may some runs of layers be computed in one pass (nn.fused)? The results are the same, but for rounding.
    """

    layers: Mapping[str, Layer]
    fused: bool = field(default=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.layers, Mapping):
            raise TypeError(f"layers is {type(self.layers).__name__}; expected a dict of layers by name")
        if odd := [name for name, layer in self.layers.items() if not isinstance(layer, Layer)]:
            raise TypeError(f"layer {odd[0]!r} is {self.layers[odd[0]]!r}; expected a layer, such as Linear(3, 2)")
        if wrong := [name for name in self.layers if not name or "." in name]:
            raise ValueError(f"layers are named {wrong}; expected names without a dot, which ends a layer's name")

    def shapes(self) -> dict[str, Shape]:
        return {
            f"{layer}.{name}": shape
            for layer, description in self.layers.items()
            for name, shape in description.shapes().items()
        }

    def init(
        self, rng: np.random.Generator, dtype: Any = np.float32, masks: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        key, by_layer = draw_key(rng), _by_layer(masks)
        made = {name: layer.init(stream(key, name), dtype, by_layer.get(name)) for name, layer in self.layers.items()}
        return {f"{layer}.{name}": array for layer, arrays in made.items() for name, array in arrays.items()}

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        arrays, moments, x = _by_layer(params), _by_layer(stats), _inputs(params, x)
        try:
            todo = list(self.layers.items())
            while todo:
                n_done, y = first_run(todo, arrays, x, train) if self.fused else (0, None)
                if not n_done:
                    n_done, (name, layer) = 1, todo[0]
                    y = layer(arrays.get(name, {}), x, train=train, rng=_noise(rng, name), stats=moments.get(name))
                x, todo = y, todo[n_done:]
        except _Unfit as error:
            raise _unfit(self.shapes(), params) or error from None  # with its full name
        return as_tensor(x)

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        found: list[Site] = []
        for layer, description in self.layers.items():
            inner, shape = description.sites(shape)
            found += [site._replace(name=f"{layer}.{site.name}") for site in inner]
        return found, shape


@dataclass(frozen=True)
class Residual(Layer):
    """body(x) + shortcut(x); without a shortcut, body(x) + x (He et al. 2016).

    Parameters are named as in `body`, "conv1.weight", and those of the shortcut "shortcut.weight".
    """

    body: Chain
    shortcut: Layer | None = None

    def __post_init__(self) -> None:
        if "shortcut" in self.body.layers:
            raise ValueError("body has a layer named 'shortcut', which is the name of the shortcut around it")

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
                arrays, moments = _by_layer(params).get("shortcut", {}), _by_layer(stats).get("shortcut")
                x = self.shortcut(arrays, x, train=train, rng=_noise(rng, "shortcut"), stats=moments)
        except _Unfit as error:
            raise _unfit(self.shapes(), params) or error from None
        if y.shape != x.shape:
            raise ValueError(f"the body of a Residual gives {y.shape}, its shortcut {x.shape}; they must be equal")
        return ops.add(y, x)

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        around = Chain({"shortcut": self.shortcut} if self.shortcut else {})
        (body, out), (shortcut, out_around) = self.body.sites(shape), around.sites(shape)
        if tuple(out) != tuple(out_around):
            raise ValueError(f"the body of a Residual gives {tuple(out)}, its shortcut {tuple(out_around)}; "
                             "they must be equal")  # fmt: skip
        return body + shortcut, out

    def _parts(self) -> Chain:
        return Chain({**self.body.layers, **({"shortcut": self.shortcut} if self.shortcut else {})})


def _inputs(params: Mapping[str, Values], x: Values) -> Values:
    """x, with whole numbers and booleans in the dtype of the parameters."""
    if isinstance(x, Tensor) or x.dtype.kind == "f":
        return x
    return floats(x, np.result_type(*{array.dtype for array in params.values()}) if params else None)


def _noise(rng: Any, layer: str) -> Any:
    return rng.get(layer) if isinstance(rng, Mapping) else rng


def _by_layer(params: Any) -> Any:
    """{"fc1.weight": w, …} as {"fc1": {"weight": w}, …}."""
    if not isinstance(params, Mapping):
        return {} if params is None else params
    grouped: dict[str, dict[str, Any]] = {}
    for name, array in params.items():
        layer, _, rest = name.partition(".")
        grouped.setdefault(layer, {})[rest] = array
    return grouped


def _with_layers(model: Any, change: Callable[[str, Layer], Layer], prefix: str = "") -> Any:
    """`model` with every innermost layer replaced by change(name, layer)."""
    if isinstance(model, Chain):
        return Chain({n: _with_layers(layer, change, f"{prefix}{n}.") for n, layer in model.layers.items()},
                     model.fused)  # fmt: skip
    if isinstance(model, Residual):
        around = model.shortcut and _with_layers(model.shortcut, change, f"{prefix}shortcut.")
        return Residual(_with_layers(model.body, change, prefix), around)
    return change(prefix.removesuffix("."), model)


def unfused(model: Any) -> Any:
    """`model` with every chain in it computed layer by layer."""
    if isinstance(model, Chain):
        return Chain({name: unfused(layer) for name, layer in model.layers.items()}, fused=False)
    if isinstance(model, Residual):
        return Residual(unfused(model.body), model.shortcut and unfused(model.shortcut))
    return model


def mlp(*widths: int, initial: Initial = he_normal) -> Chain:
    """A fully connected network with ReLUs between its layers: mlp(784, 300, 100, 10) has fc1, relu1, … fc3."""
    if len(widths) < 2:
        raise ValueError(f"widths are {widths}; expected at least an input and an output width")
    layers: dict[str, Layer] = {}
    for i, (n_in, n_out) in enumerate(pairwise(widths), 1):
        layers[f"fc{i}"] = Linear(n_in, n_out, initial)
        layers[f"relu{i}"] = Relu()
    layers.popitem()
    return Chain(layers)
