"""A masked network as a smaller dense network that computes the same, without units that do not matter.

A unit is an output of a linear layer or a channel of a convolution. It is removed

- if it has no path to the network's outputs;
- if it has no path from the inputs: its output is then a constant, which is folded into the next layer's biases. With
  zero padding, the constant has another effect at the border than inside, so a nonzero constant keeps its channel
  before a convolution with padding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..backend import Array, namespace
from ..checks import masks_fit, same_keys
from ..masks import Masks, project
from ..methods.magnitude import leading_on, led_to, remove_dead_units
from ..nn import AvgPool2d, BatchNorm, Chain, Conv2d, Dropout, Flatten, GlobalAvgPool, Layer, Linear, MaxPool2d, Relu

Arrays = Mapping[str, Array]
KINDS = (Linear, Conv2d, BatchNorm, Relu, MaxPool2d, AvgPool2d, GlobalAvgPool, Flatten, Dropout)


class Compact(NamedTuple):
    """A network without the units that do not matter.

    model    with layers of the same names, but narrower
    params   of `model`
    masks    of its weights: the original connections between the remaining units
    inputs   its inputs, as indices of the original's last axis (of flattened examples if it begins with Flatten); all,
             unless drop_inputs
    """

    model: Chain
    params: dict[str, Array]
    masks: Masks
    inputs: Array


def compacted(model: Chain, params: Arrays, masks: Arrays, drop_inputs: bool = False) -> Compact:
    """The smaller network that computes what `model` does at project(params, masks), to rounding.

    model        a Chain of Linear, Conv2d (of one group), pooling, Flatten, Relu, Dropout and BatchNorm. Dropout acts
                 as at inference. A constant input of a BatchNorm becomes the channel's shift, since the channel's mean
                 is that constant. Measure statistics again with nn.recalibrate
    masks        {weight name: bool array}: masks disconnect units; a closed gate is an empty row or column; weights
                 without a mask are dense
    drop_inputs  also remove the network's inputs without a connection; call the result with x[..., inputs]

    A convolution without bias gets a bias if a constant is folded into it. ValueError for arrays that do not fit the
    model, a layer of another kind, and a network whose output does not depend on its inputs; TypeError for truly sparse
    weights and masks, whose cost is already proportional to their connections.
    """
    weighted = _check(model, params, masks)
    first, last = weighted[0], weighted[-1]
    masks, xp = Masks(masks), namespace(params[first])
    every = {name: masks[name] if name in masks else xp.ones(params[name].shape, dtype=bool) for name in weighted}
    params = project(params, masks)

    stays, biases = _fold_constants(model, params, every)
    leads_on = leading_on(every, weighted)
    keep = {name: stays[name] & leads_on[name] for name in weighted}
    keep[last] = leads_on[last]
    if cut := [name for name in weighted if not keep[name].any()]:
        raise ValueError(f"no path leads from the inputs through {cut} to the outputs, which are constant")
    if len(weighted) > 1 and not bool((every[last] & led_to(every, weighted)[last][:, None]).any()):
        raise ValueError("no path leads from the inputs to the outputs: they see constants only, folded into biases")

    window = tuple(range(params[first].ndim - 2))
    used = (every[first] & keep[first]).any(axis=(*window, -1)) if drop_inputs else xp.ones(1, dtype=bool)
    return _sliced(model, params | biases, masks, used, keep)


def _fold_constants(model: Chain, params: Arrays, masks: Arrays) -> tuple[dict[str, Array], dict[str, Array]]:
    """({weight name: (outputs,) bool: may not be folded}, {bias name: its new value}).

    From input to output, `varies` says for every unit whether it depends on the inputs, and `constant` is its value if
    not (else zero). Both begin with a single entry for all inputs.
    """
    stays: dict[str, Array] = {}
    biases: dict[str, Array] = {}
    xp, dtype = namespace(next(iter(params.values()))), next(iter(params.values())).dtype
    varies, constant, before = xp.ones(1, dtype=bool), xp.zeros(1, dtype=dtype), ""
    for name, layer in model.layers.items():
        weight, bias = f"{name}.weight", f"{name}.bias"
        if isinstance(layer, Relu):
            constant = xp.maximum(constant, 0)
        elif isinstance(layer, BatchNorm):
            varies = _spread(varies, layer.channels, name)
            constant = xp.where(varies, 0, params[f"{name}.shift"])
        elif isinstance(layer, Linear | Conv2d):
            n_in, n_out = params[weight].shape[-2:]
            varies, constant = _spread(varies, n_in, name), _spread(constant, n_in, name)
            if _pads(layer) and before:
                varies, constant = varies | (constant != 0), xp.zeros_like(constant)
                stays[before] = varies
            biases[bias] = constant @ params[weight].reshape(-1, n_in, n_out).sum(axis=0) + params.get(bias, 0)
            varies = (masks[weight] & varies[:, None]).reshape(-1, n_in, n_out).any(axis=(0, 1))
            constant = xp.where(varies, 0, biases[bias])
            stays[weight], before = varies, weight
    return stays, biases


def _sliced(model: Chain, params: Arrays, masks: Masks, used: Array, keep: Arrays) -> Compact:
    """All arrays and layers of the model, reduced to the inputs `used` and the units in `keep`."""
    layers: dict[str, Layer] = {}
    arrays: dict[str, Array] = {}
    cut: dict[str, Array] = {}
    inputs, units = None, used
    for name, layer in model.layers.items():
        weight, bias = f"{name}.weight", f"{name}.bias"
        if isinstance(layer, BatchNorm):
            here = _places(_spread(units, layer.channels, name))
            layer = replace(layer, channels=len(here))
            arrays |= {part: params[part].take(here) for part in (f"{name}.scale", f"{name}.shift")}
        elif isinstance(layer, Linear | Conv2d):
            rows, columns = _places(_spread(units, params[weight].shape[-2], name)), _places(keep[weight])
            arrays[weight] = params[weight].take(rows, axis=-2).take(columns, axis=-1)
            if weight in masks:
                cut[weight] = masks[weight].take(rows, axis=-2).take(columns, axis=-1)
            shift = params[bias].take(columns)
            if isinstance(layer, Linear):
                layer = replace(layer, n_in=len(rows), n_out=len(columns))
            else:
                layer = replace(layer, c_in=len(rows), c_out=len(columns), bias=layer.bias or bool(shift.any()))
            if "bias" in layer.shapes():
                arrays[bias] = shift
            inputs, units = rows if inputs is None else inputs, keep[weight]
        layers[name] = layer
    return Compact(Chain(layers), arrays, Masks(cut), inputs)


def _check(model: Chain, params: Arrays, masks: Arrays) -> list[str]:
    """The model's weights from input to output, after checking the arguments of `compacted`."""
    if not isinstance(model, Chain):
        raise TypeError(f"model is {model!r}; expected a Chain")
    for name, layer in model.layers.items():
        if not isinstance(layer, KINDS) or getattr(layer, "groups", 1) != 1:
            raise ValueError(f"layer {name!r} is {layer}; expected {', '.join(kind.__name__ for kind in KINDS)}, "
                             "convolutions with one group")  # fmt: skip
    shapes = model.shapes()
    same_keys(params=params, model=shapes)
    if stored := [name for name, a in (*params.items(), *masks.items()) if hasattr(a, "dense")]:
        raise TypeError(f"{stored[0]!r} is truly sparse; expected an array, such as from sparse.dense")
    for name, shape in shapes.items():
        if tuple(params[name].shape) != tuple(shape):
            raise ValueError(f"{name!r} has shape {tuple(params[name].shape)}, the model's has {tuple(shape)}")
    masks_fit(masks, params)
    weights = [name for name in shapes if name.endswith(".weight")]
    if extra := [name for name in masks if name not in weights]:
        raise ValueError(f"masks has {extra}; expected masks of the weights {weights}")
    if not weights:
        raise ValueError("the model has no weights; expected a linear layer or a convolution")
    return weights


def _spread(units: Array, n: int, name: str) -> Array:
    """A value per unit, repeated for the `n` inputs of layer `name`: a flattened image has several inputs per unit."""
    if n % len(units):
        raise ValueError(f"{name!r} has {n} inputs, the layer before it {len(units)} outputs; expected a multiple")
    return namespace(units).tile(units, n // len(units))


def _pads(layer: Linear | Conv2d) -> bool:
    """Can a window of this layer reach beyond the image?"""
    none = ("valid", 0, "same") if isinstance(layer, Conv2d) and layer.size == 1 else ("valid", 0)
    return isinstance(layer, Conv2d) and layer.padding not in none


def _places(marked: Array) -> Array:
    return namespace(marked).flatnonzero(marked)


def architecture(masks: Arrays, order: Sequence[str] | None = None) -> str:
    """ "408-100-69": the used inputs of every linear layer and the used filters of every convolution.

    masks, order (dict order unless given): as in `remove_dead_units`, which is applied first. The full LeNet-300-100
    is "784-300-100" and LeNet-5 "20-50-800-500", as papers write them.
    """
    order = list(masks if order is None else order)
    alive = remove_dead_units(masks, order)
    widths = []
    for name in order:
        used = alive[name]
        within = tuple(range(used.ndim - 1)) if used.ndim > 2 else 1
        widths.append(int(used.any(axis=within).sum()))
    return "-".join(map(str, widths))
