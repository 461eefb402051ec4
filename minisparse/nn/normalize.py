"""Batch normalisation of x (…, C) per channel (Ioffe & Szegedy 2015)."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ..autograd import Tensor, primitive
from ..backend import Array, namespace
from ..channels import combined, moments, scaled, sums
from ..checks import real
from ..dtypes import wide
from .base import Layer, Shape, Site, Values, _check_params, _whole


@primitive
def batch_norm(x: Array, scale: Array, shift: Array, eps: float) -> Any:
    """(x − mean) / √(var + eps) · scale + shift, with mean and variance (divided by n) over all axes but the last.

    Backward, with x̂ = (x − mean) / √(var + eps) and means over the same axes:
        dx = scale / √(var + eps) · (g − mean(g) − x̂ · mean(g x̂)),   dscale = Σ g x̂,   dshift = Σ g
    Written as plain loops: tests/helpers/slow_conv.py, batch_norm.
    """
    if not (n := math.prod(x.shape[:-1])):
        raise ValueError(f"x has shape {x.shape}; expected at least one example, whose mean and variance are needed")
    mean, var = moments(x)
    sharp = 1 / namespace(x).sqrt(var + eps)

    def pullback(g: Array) -> tuple[Array, Array, Array]:
        to_shift, centred = sums(g, x, mean)
        to_scale = centred * sharp
        slope = -scale * sharp * sharp * to_scale / n  # the coefficient of x in dx, and the constant term
        offset = -scale * sharp * to_shift / n - slope * mean
        return combined(g, scale * sharp, x, slope, offset), to_scale, to_shift

    return scaled(x, mean, scale * sharp, shift), pullback


@primitive
def normalised(x: Array, scale: Array, shift: Array, mean: Any, var: Any, eps: float) -> Any:
    """(x − mean) / √(var + eps) · scale + shift, with the given mean and variance (C,) as constants."""
    axes, root = tuple(range(x.ndim - 1)), namespace(x).sqrt(var.astype(x.dtype) + eps)
    centred, gain = x - mean.astype(x.dtype), scale / root
    return centred * gain + shift, (
        lambda g: g * gain,
        lambda g: (g * centred).sum(axis=axes) / root,
        lambda g: g.sum(axis=axes),
    )


@dataclass(frozen=True)
class BatchNorm(Layer):
    """(x − mean) / √(var + eps) · scale + shift, per channel, the last axis (Ioffe & Szegedy 2015).

    In training, mean and variance (divided by n) are those of the batch; at inference those in `stats`, a dict from
    `recalibrate`. scale starts at 1 and shift at 0; weight decay acts on neither.

    Differs from the paper: no running averages; statistics are measured when needed.
    """

    channels: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        _whole(self, 0, "channels")
        real("eps", self.eps, "a finite number from 0", lambda eps: 0 <= eps < math.inf)

    def shapes(self) -> dict[str, Shape]:
        return {"scale": (self.channels,), "shift": (self.channels,)}

    def __call__(
        self, params: Mapping[str, Values], x: Values, *, train: bool = False, rng: Any = None, stats: Any = None
    ) -> Tensor:
        self.sites(x.shape[1:])
        _check_params(self.shapes(), params)
        if isinstance(stats, _Moments):
            stats.add(x.value if isinstance(x, Tensor) else x)
        if train or isinstance(stats, _Moments):
            return batch_norm(x, params["scale"], params["shift"], self.eps)
        if stats is None:
            raise ValueError(
                f"stats is None; {self} at inference needs stats from nn.recalibrate(model, params, batches)"
            )
        return normalised(x, params["scale"], params["shift"], stats["mean"], stats["var"], self.eps)

    def sites(self, shape: Shape) -> tuple[list[Site], Shape]:
        if not shape or shape[-1] != self.channels:
            raise ValueError(f"{self} got examples of shape {tuple(shape)}; expected (…, {self.channels})")
        return [], shape


class _Moments:
    """Replaces `stats` while `recalibrate` runs: every BatchNorm adds its inputs' moments under its name."""

    def __init__(self, seen: dict[str, tuple[int, Array, Array]], name: str = ""):
        self.seen, self.name = seen, name

    def get(self, layer: str) -> "_Moments":
        return _Moments(self.seen, f"{self.name}{layer}.")

    def add(self, x: Array) -> None:
        """Combine mean and variance with those of earlier batches (Chan et al. 1983)."""
        axes, n = tuple(range(x.ndim - 1)), math.prod(x.shape[:-1])
        mean, var = x.mean(axis=axes, dtype=float), x.var(axis=axes, dtype=float)
        if self.name in self.seen:
            before, mean_before, var_before = self.seen[self.name]
            share, gap = n / (before + n), mean - mean_before
            var = var_before + (var - var_before) * share + gap * gap * share * (1 - share)
            mean, n = mean_before + gap * share, before + n
        self.seen[self.name] = n, mean, var


def recalibrate(model: Layer, params: Mapping[str, Array], batches: Iterable) -> dict[str, Array]:
    """The statistics of every BatchNorm's inputs at these parameters, to pass as `stats` at inference.

    batches: of inputs, or of tuples that begin with inputs. Inside the network every batch is normalised by batch
    statistics, as in training; Dropout is off. Returns {"bn1.mean": (C,), "bn1.var": (C,), …} over all batches, in the
    parameters' dtype, at least float32; empty without BatchNorm. ValueError for no batches, or one without examples.
    """
    seen: dict[str, tuple[int, Array, Array]] = {}
    batches = iter(batches)
    if (first := next(batches, None)) is None:
        raise ValueError("batches is empty; expected at least one batch of inputs")
    for batch in chain((first,), batches):
        inputs = batch[0] if isinstance(batch, tuple | list) else batch
        if not len(inputs):
            raise ValueError(f"a batch has inputs of shape {inputs.shape}; expected at least one example")
        model(params, inputs, stats=_Moments(seen))
    stats: dict[str, Array] = {}
    for name, (_, mean, var) in seen.items():
        dtype = wide(params[f"{name}scale"].dtype)
        stats |= {f"{name}mean": mean.astype(dtype), f"{name}var": var.astype(dtype)}
    return stats
