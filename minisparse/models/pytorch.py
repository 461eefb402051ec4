"""Weights from and to PyTorch: converts names, axes and the order of pixels.

                     ours                               PyTorch's
    linear           weight (n_in, n_out)               weight (n_out, n_in)
    convolution      weight (kh, kw, c_in/groups, c_out)  weight (c_out, c_in/groups, kh, kw)
    depthwise        weight (kh, kw, c, 1)              weight (c, 1, kh, kw)
    batch norm       scale, shift; mean, var in stats   weight, bias; running_mean, running_var
    flattened image  pixel by pixel, (H, W, C)          channel by channel, (C, H, W)

The order of a flattened image is followed through nested chains, residual blocks and batch norms to the linear layers
that read it; the outputs of a linear layer that are added to it take its order. A network in which features of two
orders are added, or which ends in a flattened image, is refused.

Layers keep their names: "block.conv1.weight" belongs to the module `block.conv1`. A strided convolution with
`padding=1` in PyTorch pads both sides; ours with "same" may not, and then sees other pixels with the same weights.
"""

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, namespace
from ..checks import same_keys
from ..files import read_npz, replacing, write_arrays
from ..nn import (
    AvgPool2d,
    BatchNorm,
    Chain,
    Conv2d,
    DepthwiseConv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool2d,
    Relu,
    Residual,
    Shape,
)

Arrays = Mapping[str, Array]
IN_ANY_ORDER = (BatchNorm, Relu, Dropout, MaxPool2d, AvgPool2d, GlobalAvgPool, Conv2d, DepthwiseConv2d)


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

    The arrays are contiguous copies. ValueError for a name that the model does not have, a layer without counterpart,
    and a network whose parts need a flattened image in two orders; TypeError for truly sparse arrays.
    """
    places = {place.ours: place for place in _places(model, shape)}
    arrays = dict(params) | dict(stats or {})
    if stored := [name for name, array in arrays.items() if hasattr(array, "dense")]:
        raise TypeError(f"{stored[0]!r} is truly sparse; expected an array, such as from sparse.dense")
    if unknown := [name for name in arrays if name not in places]:
        raise ValueError(f"params has {unknown}, which are not in the model; expected names in {list(places)}")
    made = {places[name].theirs: _copy(places[name].out(array)) for name, array in arrays.items()}
    counted = [name.removesuffix("mean") for name in made if name.endswith(".running_mean")]
    return made | {f"{name.removesuffix('running_')}num_batches_tracked": np.array(0) for name in counted}


def from_torch(model: Layer, state: Mapping[str, Any], shape: Shape) -> tuple[dict[str, Array], dict[str, Array]]:
    """(parameters, statistics of batch norms) of the model from the state dict of a PyTorch module with its layers.

    state: {name: tensor or array}, whose dtype the parameters get (bfloat16: float32); shape as in `to_torch`. The
    statistics are empty if `state` has none. The arrays are contiguous copies. ValueError naming arrays that are only
    in one of the two, or have the wrong shape or a dtype without counterpart; and as in `to_torch`.
    """
    arrays = {name: _array(name, a) for name, a in state.items() if not name.endswith(".num_batches_tracked")}
    shapes = model.shapes()
    params: dict[str, Array] = {}
    stats: dict[str, Array] = {}
    places = [p for p in _places(model, shape) if p.ours in shapes or p.theirs in arrays]
    if without := [name for name in shapes if name not in {place.ours for place in places}]:
        raise ValueError(f"the model has {without}, which PyTorch has no counterpart of; expected one without gates")
    same_keys(model={place.theirs: None for place in places}, state=arrays)
    for place in places:
        array = _copy(place.back(arrays[place.theirs]))
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
    """The named arrays of a .npz, .safetensors or .pt file; loading never runs code. bfloat16 becomes float32, exactly.

    Errors as in `save`, and ValueError for a file that is damaged or contains anything else, naming file and array.
    """
    path = Path(path)
    if path.suffix == ".npz":
        state = _or_damaged(path, read_npz)
    elif path.suffix == ".safetensors":
        library = _library("safetensors")
        state = dict(_or_damaged(path, lambda path: dict(library.deserialize(path.read_bytes()))))
    elif path.suffix in (".pt", ".pth"):
        torch = _library("torch")
        state = _or_damaged(path, lambda path: torch.load(path, map_location="cpu", weights_only=True))
    else:
        raise ValueError(f"{path} ends in {path.suffix!r}; expected .npz, .safetensors, .pt or .pth")
    try:
        return {name: _array(name, array) for name, array in state.items()}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


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


SAFETENSORS = {f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IUF" for size in (1, 2, 4, 8)}
SAFETENSORS |= {"BOOL": "?", "BF16": "<u2"}
del SAFETENSORS["F8"]


def _array(name: str, given: Any) -> Array:
    """A NumPy array of numbers from an array, a tensor or an entry of safetensors. ValueError naming anything else."""
    kind: Any = type(given).__name__
    if hasattr(given, "detach"):
        kind = given.dtype
        try:
            tensor = given.detach().cpu().resolve_conj().resolve_neg()
            array = (tensor.float() if str(kind) == "torch.bfloat16" else tensor).numpy()
        except (TypeError, RuntimeError) as error:  # NotImplementedError too, of tensors without data
            where = f"{given.layout} on {given.device}"
            raise ValueError(f"{name!r} is a tensor of {kind}, {where}, which NumPy does not have") from error
    elif isinstance(given, Mapping) and given.keys() >= {"dtype", "shape", "data"}:
        kind = given["dtype"]
        if kind not in SAFETENSORS:
            raise ValueError(f"{name!r} has dtype {kind}; expected one of {list(SAFETENSORS)}")
        array = np.frombuffer(given["data"], SAFETENSORS[kind]).reshape(given["shape"])
        if kind == "BF16":  # the upper half of a float32
            array = (array.astype(np.uint32) << 16).view(np.float32)
    else:
        array = np.asarray(given) if isinstance(given, np.ndarray | np.generic) else np.empty(0, dtype=object)
        kind = array.dtype if array.dtype != object else kind
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name!r} is {kind}; expected an array of real numbers")
    return array


def _copy(array: Array) -> Array:
    return namespace(array).array(array, order="C")


class Order:
    """The order of a layer's features in PyTorch.

    pixels (pixels, channels) of a flattened image, which is (C, H, W) there; None where the order is ours. The outputs
    of a linear layer may have any order: it is not `decided` before something is added to them.
    """

    def __init__(self, pixels: tuple[int, int] | None = None, decided: bool = True):
        self.pixels, self.decided = pixels, decided
        self.like: Order | None = None

    def root(self) -> "Order":
        order = self
        while order.like:
            order = order.like
        return order

    def joins(self, other: "Order") -> bool:
        """Can both be the same order? From here on they are."""
        a, b = self.root(), other.root()
        if a is not b and not a.decided:
            a.like = b
        elif a is not b and not b.decided:
            b.like = a
        return self.root().pixels == other.root().pixels


OURS = Order()


def _places(model: Layer, shape: Shape) -> list[Place]:
    """Every parameter and batch norm statistic of the model."""
    layers: list[tuple[str, Layer, Order, Order]] = []
    end, order = _follow(model, tuple(shape), OURS, "", layers)
    if not order.joins(OURS):
        raise ValueError(f"the network ends in the {end[0]} features of a flattened image, which have another order in "
                         "PyTorch; expected a linear layer after them, or no Flatten")  # fmt: skip
    return [place for parts in layers for place in _of_layer(*parts)]


def _follow(layer: Layer, shape: Shape, order: Order, name: str, layers: list) -> tuple[Shape, Order]:
    """The shape and order of a layer's outputs, from those of its inputs.

    `layers` gets the (prefix, layer, order of its inputs, order of its outputs) of every innermost layer.
    """
    label = name.removesuffix(".")
    if isinstance(layer, Chain):
        for part, inner in layer.layers.items():
            shape, order = _follow(inner, shape, order, f"{name}{part}.", layers)
        return shape, order
    if isinstance(layer, Residual):
        out, body = _follow(layer.body, shape, order, name, layers)
        if layer.shortcut:
            shape, order = _follow(layer.shortcut, shape, order, f"{name}shortcut.", layers)
        if out != shape or not body.joins(order):
            raise ValueError(f"{label!r} adds features of shapes {out} and {shape}, which in PyTorch have different "
                             "orders; expected one shape, and flattened images of one shape")  # fmt: skip
        return out, order
    if len(shape) == 3 and isinstance(layer, Flatten | Linear):
        h, w, c = shape
        shape, order = (h * w * c,), Order((h * w, c) if h * w > 1 and c > 1 else None)
    out, after = tuple(layer.sites(shape)[1]), order
    if isinstance(layer, Linear):
        after = Order(decided=False)
    elif not isinstance(layer, (Flatten, *IN_ANY_ORDER)) and (len(out) != len(shape) or not order.joins(OURS)):
        raise ValueError(f"{label!r} is {layer}; how PyTorch orders what it does is not known")
    layers.append((name, layer, order, after))
    return out, after


def _of_layer(name: str, layer: Layer, before: Order, after: Order) -> list[Place]:
    """The parameters of one layer. ValueError for those without a counterpart."""
    out, back = _reordered(after)
    if isinstance(layer, BatchNorm):
        names = {"scale": "weight", "shift": "bias", "mean": "running_mean", "var": "running_var"}
        return [Place(f"{name}{ours}", f"{name}{theirs}", out, back) for ours, theirs in names.items()]
    if isinstance(layer, Linear):
        rows_out, rows_back = _reordered(before)
        turned = lambda a: out(rows_out(a).T), lambda a: rows_back(back(a).T)
    elif isinstance(layer, Conv2d):
        turned = lambda a: a.transpose(3, 2, 0, 1), lambda a: a.transpose(2, 3, 1, 0)
    elif isinstance(layer, DepthwiseConv2d):
        turned = lambda a: a.transpose(2, 3, 0, 1), lambda a: a.transpose(2, 3, 0, 1)
    elif shapes := layer.shapes():
        raise ValueError(f"{name.removesuffix('.')!r} is {layer}; PyTorch has no counterpart of its {list(shapes)}")
    else:
        return []
    bias = [Place(f"{name}bias", f"{name}bias", out, back)] if "bias" in layer.shapes() else []
    return [Place(f"{name}weight", f"{name}weight", *turned), *bias]


def _reordered(order: Order) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Axis 0 from (H, W, C) to (C, H, W) order and back, if it is a flattened image."""
    if (image := order.root().pixels) is None:
        return lambda a: a, lambda a: a
    pixels, channels = image
    return (
        lambda a: a.reshape(pixels, channels, -1).swapaxes(0, 1).reshape(a.shape),
        lambda a: a.reshape(channels, pixels, -1).swapaxes(0, 1).reshape(a.shape),
    )
