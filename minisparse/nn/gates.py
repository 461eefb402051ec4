"""Layers with hard concrete gates (Louizos et al. 2018), on input units, weights or output maps."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend import Array
from ..methods import l0
from .base import Layer, Shape, Values, _check_params
from .containers import Chain, _with_layers
from .layers import Conv2d, Linear


@dataclass(frozen=True)
class GatedLinear(Linear):
    """A Linear layer with a hard concrete gate on each input unit, or on each weight (Louizos et al. 2018).

    log_alpha (n_in, 1), or (n_in, n_out) with per_weight, starts near log((1 − p) / p) for the drop rate p in (0, 1).
    In training one sample of the gates serves the whole batch, drawn from `rng`: a Generator, or an array of uniform
    numbers inside (0, 1) of log_alpha's shape. At inference the gates have no noise.
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
    """The layer's weight and bias times its gates: a sample in training, else the test gates."""
    _check_params(layer.shapes(), params)
    log_alpha = params["log_alpha"]
    if not train:
        return l0.switched(params, {"": l0.gate_at_test(log_alpha)})
    if rng is None:
        raise ValueError(f"rng is None; {layer} in training needs a Generator or an array of uniform numbers")
    u = l0.uniforms(rng, log_alpha.shape) if isinstance(rng, np.random.Generator) else rng
    if tuple(u.shape) != tuple(log_alpha.shape):
        raise ValueError(f"rng has shape {tuple(u.shape)}, log_alpha has {tuple(log_alpha.shape)}")
    return l0.switched(params, {"": l0.gate(log_alpha, u)})


def gated(model: Chain, drop_rates: Mapping[str, float]) -> Chain:
    """`model` with gates on the layers in `drop_rates`: on the inputs of a Linear, on the output maps of a Conv2d.

    drop_rates {"fc1": 0.2, …}: the initial drop rate of each layer's gates; nested layers are named "block.conv1".
    Weights are initialised as without gates. ValueError for a name that is not a Linear or Conv2d of the model.
    """
    rates = dict(drop_rates)

    def gate(name: str, layer: Layer) -> Layer:
        kind = {Linear: GatedLinear, Conv2d: GatedConv2d}.get(type(layer))
        return kind(**vars(layer), drop_rate=rates.pop(name)) if kind and name in rates else layer

    model = _with_layers(model, gate)
    if rates:
        raise ValueError(f"drop_rates names {list(rates)}, which are not Linear or Conv2d layers of the model")
    return model


def ungated(model: Chain, params: Mapping[str, Array]) -> tuple[Chain, dict[str, Array]]:
    """(model, params) of a network without gates that computes what the gated network does at inference."""

    def plain(name: str, layer: Layer) -> Layer:
        kind = next((kind for kind in (Linear, Conv2d) if isinstance(layer, kind)), None)
        return kind(**{field.name: getattr(layer, field.name) for field in fields(kind)}) if kind else layer

    return _with_layers(model, plain), l0.folded(params)
