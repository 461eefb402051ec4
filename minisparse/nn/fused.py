"""Runs of layers in one pass over the images: what a chain of layers computes, while a block is in the cache.

    batch_norm_relu            BatchNorm, Relu
    batch_norm_relu_conv2d     BatchNorm, Relu, Conv2d
    conv2d_max_pool2d_relu     Conv2d, MaxPool2d, Relu, for images of few channels

Layer by layer, every result is written to memory and read again. Here the way back makes the small steps between two
products a second time, from the inputs. Held to the layers themselves by tests/nn/test_fused.py. `first_run` decides:
plain NumPy arrays of one dtype, float32 or float64, in training; anything else goes layer by layer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor, primitive
from ..backend import Array, namespace
from ..channels import along_line, as_lines, moments, sum_of_rows, total_of
from ..conv import NARROW, correlate, spread
from ..threads import in_blocks
from ..windows import Padding, frame_of, framed, kernel_rows, out_shape
from .base import Values, _unfit, _windows
from .layers import Conv2d, MaxPool2d, Relu
from .normalize import BatchNorm

Named = Sequence[tuple[str, Any]]  # layers
Params = Mapping[str, Mapping[str, Values]]  # by layer, as {"conv1": {"weight": w}}
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def first_run(layers: Named, params: Params, x: Values, train: bool) -> tuple[int, Tensor | None]:
    """(how many of the first layers are one pass here, their result): (0, None) if none are."""
    kinds, (name, first) = tuple(type(layer) for _, layer in layers[:3]), layers[0]
    if kinds[:2] == (BatchNorm, Relu) and train and _plain(x, layers[:1], params):
        of_conv, eps = layers[2:3], first.eps
        arrays = params[name]["scale"], params[name]["shift"]
        if kinds[2:] == (Conv2d,) and _slides(of_conv[0][1], x) and _plain(x, of_conv, params):
            name, conv = of_conv[0]
            return 3, batch_norm_relu_conv2d(x, *arrays, params[name]["weight"], eps, conv.padding)
        return 2, batch_norm_relu(x, *arrays, eps)
    if kinds == (Conv2d, MaxPool2d, Relu) and _plain(x, layers[:1], params):
        pool = layers[1][1]
        if _pools(first, pool, x):
            weight = params[name]["weight"]
            bias = params[name]["bias"] if first.bias else np.zeros(first.c_out, x.dtype)
            return 3, conv2d_max_pool2d_relu(x, weight, bias, pool.size, first.padding)
    return 0, None


def _plain(x: Values, layers: Named, params: Params) -> bool:
    """Are x, images, and the parameters of these layers NumPy arrays of one dtype that fit the layers?"""
    arrays = [x]
    for name, layer in layers:
        if _unfit(layer.shapes(), params.get(name, {})):
            return False
        arrays += params[name].values()
    values = [a.value if isinstance(a, Tensor) else a for a in arrays]
    first = values[0].dtype
    usual = first in DTYPES and all(type(v) is np.ndarray and v.dtype == first for v in values)
    return usual and len(x.shape) == 4 and 0 not in x.shape and x.shape[3] == _channels(layers[0][1])


def _channels(layer: Any) -> int:
    return layer.c_in if isinstance(layer, Conv2d) else layer.channels


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


class _Rectified:
    """max(batch_norm(x), 0), made for a block of images whenever it is needed, and the way back to x."""

    def __init__(self, x: Array, scale: Array, shift: Array, eps: float):
        self.x, self.scale, self.shift = x, scale, shift
        self.mean, var = moments(x)
        self.sharp = 1 / namespace(x).sqrt(var + eps)
        self.lines = [along_line(x, row) for row in (self.mean, scale * self.sharp, shift)]

    def before_relu(self, images: slice) -> tuple[Array, Array]:
        """x − mean and the normalised images, as lines."""
        mean, gain, shift = self.lines
        centred = as_lines(self.x, self.x[images]) - mean
        normal = centred * gain
        normal += shift
        return centred, normal

    def sums(self, d: Array, centred: Array, on: Array) -> tuple[Array, Array]:
        """d becomes zero where the ReLU is off; Σ d and Σ d (x − mean). All are lines, and `centred` is spent."""
        d *= on
        centred *= d
        return total_of(self.x, d), total_of(self.x, centred)

    def way_back(self, d: Array, parts: list) -> tuple[Array, Array, Array]:
        """The gradients of x, which is written into d, of scale and of shift: batch_norm's, from the sums of blocks."""
        n = self.x.size // len(self.mean)
        to_shift, to_scale = sum(part[0] for part in parts), sum(part[1] for part in parts) * self.sharp
        slope = -self.scale * self.sharp * self.sharp * to_scale / n
        offset = -self.scale * self.sharp * to_shift / n - slope * self.mean
        gain, slope, offset = (along_line(self.x, row) for row in (self.scale * self.sharp, slope, offset))

        def work(images: slice) -> None:
            out, by_x = as_lines(self.x, d[images]), as_lines(self.x, self.x[images]) * slope
            by_x += offset
            out *= gain
            out += by_x

        in_blocks(self.x, _bytes_each(self.x, 2), work)
        return d, to_scale, to_shift


@primitive
def batch_norm_relu(x: Array, scale: Array, shift: Array, eps: float) -> Any:
    """relu(batch_norm(x, scale, shift, eps)) for images x (N, H, W, C)."""
    rectified, y = _Rectified(x, scale, shift, eps), namespace(x).empty(x.shape, x.dtype)

    def forward(images: slice) -> None:
        namespace(x).maximum(rectified.before_relu(images)[1], 0, out=as_lines(x, y[images]))

    in_blocks(x, _bytes_each(x, 3), forward)

    def pulled(g: Array) -> tuple[Array, Array, Array]:
        d = namespace(x).empty(x.shape, g.dtype)

        def pull(images: slice) -> tuple[Array, Array]:
            d[images] = g[images]
            centred = as_lines(x, x[images]) - rectified.lines[0]
            return rectified.sums(as_lines(x, d[images]), centred, as_lines(x, y[images]) > 0)

        return rectified.way_back(d, in_blocks(x, _bytes_each(x, 3), pull))

    return y, pulled


@primitive
def batch_norm_relu_conv2d(
    x: Array, scale: Array, shift: Array, kernel: Array, eps: float, padding: Padding = "valid"
) -> Any:
    """conv2d(relu(batch_norm(x, scale, shift, eps)), kernel, padding=padding) for images x (N, H, W, C).

    Both products of the way back use one copy of what the flipped kernel sees of g: with the kernel it makes the
    gradient of the pixels, and with the pixels that of the kernel.
    """
    xp = namespace(x)
    (kh, kw, c, c_out), (n, h, w, _) = kernel.shape, x.shape
    frame = (top, bottom), (left, right) = frame_of(x, (kh, kw), 1, padding)
    around = (kh - 1 - top, kh - 1 - bottom), (kw - 1 - left, kw - 1 - right)
    rectified = _Rectified(x, scale, shift, eps)
    y = xp.empty((n, *out_shape(x, (kh, kw), 1, padding), c_out), x.dtype)

    def forward(images: slice) -> None:
        normal = rectified.before_relu(images)[1].reshape(x[images].shape)
        correlate(framed(xp.maximum(normal, 0, out=normal), frame), kernel, 1, y[images])

    in_blocks(x, _bytes_each(x, 2 * kw), forward)

    def pulled(g: Array) -> tuple[Array, ...]:
        flipped = xp.ascontiguousarray(kernel[::-1, ::-1].swapaxes(2, 3)).reshape(kh, kw * c_out, c)
        d = xp.empty(x.shape, g.dtype)

        def pull(images: slice) -> tuple[Array, Array, Array]:
            centred, pixels = rectified.before_relu(images)
            on = pixels > 0
            pixels *= on
            pixels = pixels.reshape(len(x[images]), h * w, c)
            out, to_kernel = d[images].reshape(pixels.shape), xp.empty((kh, kw * c_out, c), g.dtype)
            for i, seen in enumerate(kernel_rows(framed(g[images], around), (kh, kw), 1)):
                if i:
                    out += seen @ flipped[i]
                else:
                    xp.matmul(seen, flipped[i], out=out)
                to_kernel[i] = (seen.swapaxes(1, 2) @ pixels).sum(axis=0)
            return *rectified.sums(as_lines(x, d[images]), centred, on), to_kernel

        parts = in_blocks(x, _bytes_each(x, 2 * kw), pull)
        to_kernel = sum(part[2] for part in parts).reshape(kh, kw, c_out, c)[::-1, ::-1].swapaxes(2, 3)
        return *rectified.way_back(d, parts), xp.ascontiguousarray(to_kernel)

    return y, pulled


@primitive
def conv2d_max_pool2d_relu(x: Array, kernel: Array, bias: Array, size: int, padding: Padding = "valid") -> Any:
    """relu(max_pool2d(conv2d(x, kernel, padding=padding, bias=bias), size)), where `size` divides conv2d's outputs.

    The convolution's outputs are made in the order of their places in a pooling window: the largest of a window is then
    the largest of as many arrays. Of the outputs only who was largest is kept.
    """
    xp = namespace(x)
    (kh, kw, c, c_out), (n, height, width, _) = kernel.shape, x.shape
    frame, (h, w) = frame_of(x, (kh, kw), 1, padding), out_shape(x, (kh, kw), 1, padding)
    (top, bottom), (left, right) = frame
    y = xp.empty((n, h // size, w // size, c_out), x.dtype)
    first = xp.empty((size * size, *y.shape), bool)  # is this place the first largest of its window, and positive

    def seen(images: slice) -> Array:
        """The pixels under the kernel, (places N H' W', kh kw C)."""
        views = xp.lib.stride_tricks.sliding_window_view(framed(x[images], frame), (kh, kw), axis=(1, 2))
        rows = xp.empty((size, size, len(views), h // size, w // size, kh, kw, c), x.dtype)
        for i in range(size):
            for j in range(size):
                rows[i, j] = views[:, i::size, j::size].transpose(0, 1, 2, 4, 5, 3)
        return rows.reshape(-1, kh * kw * c)

    def forward(images: slice) -> None:
        out, is_first = y[images], first[:, images]
        places = (seen(images) @ kernel.reshape(-1, c_out)).reshape(is_first.shape)
        xp.max(places, axis=0, out=out)
        waiting = xp.ones(out.shape, bool)
        for place in range(size * size):
            is_first[place] = (places[place] == out) & waiting
            waiting &= ~is_first[place]
        out += bias
        is_first &= out > 0
        xp.maximum(out, 0, out=out)

    bytes_each = h * w * (kh * kw * c + c_out) * x.itemsize
    in_blocks(x, bytes_each, forward)

    def to_x(g: Array) -> Array:
        d = (g * first).reshape(size, size, *y.shape).transpose(2, 3, 0, 4, 1, 5).reshape(n, h, w, c_out)
        padded = spread(d, kernel, 1, (height + top + bottom, width + left + right))
        return padded[:, top : top + height, left : left + width]

    def to_kernel(g: Array) -> Array:
        work = lambda images: seen(images).T @ (g[images] * first[:, images]).reshape(-1, c_out)
        return sum(in_blocks(x, bytes_each, work)).reshape(kernel.shape)

    return y, (to_x, to_kernel, lambda g: sum_of_rows(g * (y > 0)))


def _bytes_each(x: Array, times: int) -> int:
    return times * x.nbytes // len(x)
