"""Which layers of a chain are computed in one pass (nn.passes).

    linear_relu                Linear, Relu
    batch_norm_relu            BatchNorm, Relu
    batch_norm_relu_conv2d     BatchNorm, Relu, Conv2d
    conv2d_max_pool2d_relu     Conv2d, MaxPool2d, Relu, for images of few channels

In training, for plain NumPy arrays of one dtype, float32 or float64; anything else goes layer by layer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..conv import NARROW
from ..dtypes import USUAL
from .base import Values, _unfit, _windows
from .layers import Conv2d, Linear, MaxPool2d, Relu
from .normalize import BatchNorm
from .passes import batch_norm_relu, batch_norm_relu_conv2d, conv2d_max_pool2d_relu, linear_relu

Named = Sequence[tuple[str, Any]]  # layers
Params = Mapping[str, Mapping[str, Values]]  # by layer, as {"conv1": {"weight": w}}


def first_run(layers: Named, params: Params, x: Values, train: bool) -> tuple[int, Tensor | None]:
    """(how many of the first layers are one pass here, their result): (0, None) if none are."""
    kinds, (name, first) = [type(layer) for _, layer in layers[:3]], layers[0]
    if kinds[:2] == [Linear, Relu] and train and _plain(x, layers[:1], params):
        return 2, linear_relu(x, params[name]["weight"], params[name]["bias"])
    if kinds[:2] == [BatchNorm, Relu] and train and _plain(x, layers[:1], params):
        of_conv, eps = layers[2:3], first.eps
        arrays = params[name]["scale"], params[name]["shift"]
        if kinds[2:] == [Conv2d] and _slides(of_conv[0][1], x) and _plain(x, of_conv, params):
            name, conv = of_conv[0]
            return 3, batch_norm_relu_conv2d(x, *arrays, params[name]["weight"], eps, conv.padding)
        return 2, batch_norm_relu(x, *arrays, eps)
    if kinds == [Conv2d, MaxPool2d, Relu] and _plain(x, layers[:1], params):
        pool = layers[1][1]
        if _pools(first, pool, x):
            weight = params[name]["weight"]
            bias = params[name]["bias"] if first.bias else np.zeros(first.c_out, x.dtype)
            return 3, conv2d_max_pool2d_relu(x, weight, bias, pool.size, first.padding)
    return 0, None


def _plain(x: Values, layers: Named, params: Params) -> bool:
    """Are x, examples, and the parameters of these layers NumPy arrays of one dtype that fit the layers?

    A linear layer's weight may be truly sparse, of such arrays.
    """
    arrays = [x]
    for name, layer in layers:
        if _unfit(layer.shapes(), params.get(name, {})):
            return False
        arrays += params[name].values()
    dtype = x.dtype
    for a in arrays:
        value = a.value if isinstance(a, Tensor) else a
        if value.dtype != dtype or not (type(value) is np.ndarray or type(getattr(value, "home", None)) is np.ndarray):
            return False
    return dtype in USUAL and 0 not in x.shape and _takes(layers[0][1], x.shape)


def _takes(layer: Any, shape: tuple[int, ...]) -> bool:
    if isinstance(layer, Linear):
        return shape[1:] == (layer.n_in,)
    return len(shape) == 4 and shape[3] == (layer.c_in if isinstance(layer, Conv2d) else layer.channels)


def _slides(conv: Any, x: Values) -> bool:
    """Does the convolution see every pixel as often, with hardly a pixel more than outputs?"""
    if conv.stride > 1 or conv.groups > 1 or conv.bias or conv.c_in != x.shape[3] or not conv.c_out:
        return False
    h, w = _windows(conv, x.shape[1:])
    return 2 * x.shape[1] * x.shape[2] <= 3 * h * w


def _pools(conv: Any, pool: Any, x: Values) -> bool:
    """Are there few channels, and windows side by side that cover all outputs?"""
    if conv.stride > 1 or conv.groups > 1 or conv.size * conv.c_in > NARROW or not conv.c_out:
        return False
    if pool.stride not in (None, pool.size) or pool.padding not in ("valid", 0):
        return False
    h, w = _windows(conv, x.shape[1:])
    return h % pool.size == 0 and w % pool.size == 0
