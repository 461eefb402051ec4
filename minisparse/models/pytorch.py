"""Weights from and to PyTorch: converts names, axes and the order of pixels.

                     ours                               PyTorch's
    linear           weight (n_in, n_out)               weight (n_out, n_in)
    convolution      weight (kh, kw, c_in/groups, c_out)  weight (c_out, c_in/groups, kh, kw)
    depthwise        weight (kh, kw, c, 1)              weight (c, 1, kh, kw)
    batch norm       scale, shift; mean, var in stats   weight, bias; running_mean, running_var
    flattened image  pixel by pixel, (H, W, C)          channel by channel, (C, H, W)

Layers keep their names: "block.conv1.weight" belongs to the module `block.conv1`. A strided convolution with
`padding=1` in PyTorch pads both sides; ours with "same" may not, and then sees other pixels with the same weights.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array
from ..checks import same_keys
from ..files import read_npz, replacing, write_arrays
from ..nn import BatchNorm, Chain, Conv2d, DepthwiseConv2d, Flatten, Layer, Linear, Residual, Shape

Arrays = Mapping[str, Array]


class Place(NamedTuple):
    """An array's name here and in PyTorch, and the conversions to PyTorch and back."""

    ours: str
    theirs: str
    out: Callable[[Array], Array]
    back: Callable[[Array], Array]


def to_torch(model: Layer, params: Arrays, shape: Shape, stats: Arrays | None = None) -> dict[str, Array]:
    """The state dict of a PyTorch module with the same layers, as NumPy arrays.

    params   {name: array} of the model: all parameters or some, or masks
    shape    of one example, (n,) or (H, W, C); an image is flattened before a linear layer
    stats    as from nn.recalibrate, to include batch norms' running statistics

    ValueError for a name that the model does not have.
    """
    places = {place.ours: place for place in _places(model, shape)}
    arrays = dict(params) | dict(stats or {})
    if unknown := [name for name in arrays if name not in places]:
        raise ValueError(f"params has {unknown}, which are not in the model; expected names in {list(places)}")
    made = {places[name].theirs: places[name].out(array) for name, array in arrays.items()}
    counted = [name.removesuffix("mean") for name in made if name.endswith(".running_mean")]
    return made | {f"{name.removesuffix('running_')}num_batches_tracked": np.array(0) for name in counted}


def from_torch(model: Layer, state: Mapping[str, Any], shape: Shape) -> tuple[dict[str, Array], dict[str, Array]]:
    """(parameters, statistics of batch norms) of the model from the state dict of a PyTorch module with its layers.

    state: {name: tensor or array}, whose dtype the parameters get; shape as in `to_torch`. The statistics are empty if
    `state` has none. ValueError naming arrays that are only in one of the two, or have the wrong shape.
    """
    arrays = {name: _array(a) for name, a in state.items() if not name.endswith(".num_batches_tracked")}
    shapes = model.shapes()
    params: dict[str, Array] = {}
    stats: dict[str, Array] = {}
    places = [p for p in _places(model, shape) if p.ours in shapes or p.theirs in arrays]
    same_keys(model={place.theirs: None for place in places}, state=arrays)
    for place in places:
        array = place.back(arrays[place.theirs])
        wanted = shapes.get(place.ours, shapes.get(f"{place.ours.rpartition('.')[0]}.scale"))
        if array.shape != wanted:
            raise ValueError(f"{place.theirs!r} is {place.ours!r} of shape {array.shape}; expected {wanted}")
        (params if place.ours in shapes else stats)[place.ours] = array
    return params, stats


def save(path: str | PathLike, arrays: Arrays) -> Path:
    """Write named arrays as a .npz, .safetensors or .pt file, by the suffix of `path`.

    ValueError for another suffix, or if the library for it is not installed; TypeError for anything but arrays of
    numbers.
    """
    path = Path(path)
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise TypeError(f"{name!r} is {getattr(array, 'dtype', type(array).__name__)}; expected NumPy arrays "
                            "of numbers")  # fmt: skip
    arrays = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    with replacing(path) as unfinished:
        if path.suffix == ".npz":
            write_arrays(unfinished, arrays)
        elif path.suffix == ".safetensors":
            _library("safetensors.numpy").save_file(arrays, unfinished)
        elif path.suffix == ".pt":
            torch = _library("torch")
            torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, unfinished)
        else:
            raise ValueError(f"{path} ends in {path.suffix!r}; expected .npz, .safetensors or .pt")
    return path


def load(path: str | PathLike) -> dict[str, Array]:
    """The named arrays of a .npz, .safetensors or .pt file; loading never runs code.

    Errors as in `save`, and ValueError for a file that is damaged or contains anything else.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return _or_damaged(path, read_npz)
    if path.suffix == ".safetensors":
        return _or_damaged(path, _library("safetensors.numpy").load_file)
    if path.suffix in (".pt", ".pth"):
        torch = _library("torch")
        state = _or_damaged(path, lambda path: torch.load(path, map_location="cpu", weights_only=True))
        if odd := [name for name, tensor in state.items() if not hasattr(tensor, "detach")]:
            raise ValueError(f"{path} has {odd[0]!r}, which is not a tensor")
        return {name: _array(tensor) for name, tensor in state.items()}
    raise ValueError(f"{path} ends in {path.suffix!r}; expected .npz, .safetensors, .pt or .pth")


def _or_damaged(path: Path, read: Callable[[Path], Any]) -> Any:
    """read(path), with any error of the library as a ValueError naming the file."""
    try:
        arrays = read(path)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} contains something other than tensors, or is damaged: {error}") from error
    if not isinstance(arrays, Mapping):
        raise ValueError(f"{path} contains {type(arrays).__name__}; expected arrays by name")
    return arrays


def _library(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ValueError(f"{package} is not installed, which this kind of file needs: pip install {package}") from error


def _array(tensor: Any) -> Array:
    return tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else np.asarray(tensor)


def _places(model: Layer, shape: Shape) -> Iterator[Place]:
    """Every parameter and batch norm statistic of the model."""
    for name, layer, pixels in _leaves(model, tuple(shape), ""):
        if isinstance(layer, Linear):
            yield Place(f"{name}weight", f"{name}weight", *_linear(pixels))
            yield Place(f"{name}bias", f"{name}bias", _same, _same)
        elif isinstance(layer, Conv2d | DepthwiseConv2d):
            out, back = ((3, 2, 0, 1), (2, 3, 1, 0)) if isinstance(layer, Conv2d) else ((2, 3, 0, 1), (2, 3, 0, 1))
            yield Place(f"{name}weight", f"{name}weight", _turned(out), _turned(back))
            if layer.bias:
                yield Place(f"{name}bias", f"{name}bias", _same, _same)
        elif isinstance(layer, BatchNorm):
            names = {"scale": "weight", "shift": "bias", "mean": "running_mean", "var": "running_var"}
            for ours, theirs in names.items():
                yield Place(f"{name}{ours}", f"{name}{theirs}", *_flattened(pixels))
        elif shapes := layer.shapes():
            raise ValueError(f"{name.removesuffix('.')} is {layer}; PyTorch has no counterpart of its {list(shapes)}")


def _leaves(layer: Layer, shape: Shape, name: str, pixels: Shape | None = None) -> Iterator[tuple[str, Layer, Any]]:
    """(prefix, layer, pixels) from input to output; pixels: (H, W, C) of the image flattened before the layer."""
    if isinstance(layer, Residual):
        yield from _leaves(layer.body, shape, name, pixels)
        if layer.shortcut:
            yield from _leaves(layer.shortcut, shape, f"{name}shortcut.", pixels)
        return
    if not isinstance(layer, Chain):
        yield name, layer, pixels
        return
    for label, part in layer.layers.items():
        if len(shape) == 3 and isinstance(part, Flatten | Linear):
            pixels, shape = shape, (math.prod(shape),)
        yield from _leaves(part, shape, f"{name}{label}.", pixels)
        shape = part.sites(shape)[1]
        pixels = None if isinstance(part, Linear) or len(shape) == 3 else pixels


def _same(array: Array) -> Array:
    return array


def _turned(axes: tuple[int, ...]) -> Callable[[Array], Array]:
    return lambda array: array.transpose(axes)


def _flattened(pixels: Shape | None) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Axis 0 from (H, W, C) to (C, H, W) order and back, if an image was flattened into it."""
    if pixels is None:
        return _same, _same
    h, w, c = pixels
    return (
        lambda a: a.reshape(h, w, c, -1).transpose(2, 0, 1, 3).reshape(a.shape),
        lambda a: a.reshape(c, h, w, -1).transpose(1, 2, 0, 3).reshape(a.shape),
    )


def _linear(pixels: Shape | None) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    out, back = _flattened(pixels)
    return lambda a: out(a).T, lambda a: back(a.T)
