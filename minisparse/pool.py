"""Pooling on channels-last images x (N, H, W, C): the largest or the mean of every window."""

import math
from functools import reduce
from typing import Any

from .autograd import Tensor, primitive
from .backend import Array, namespace
from .checks import whole
from .ops import mean
from .threads import in_blocks
from .windows import Padding, frame_of, framed, out_shape, taps


@primitive
def max_pool2d(x: Array, size: int, stride: int | None = None, padding: Padding = "valid") -> Any:
    """The largest of every size×size window; the stride is its size unless given.

    Written as plain loops: tests/helpers/slow_conv.py, max_pool2d.
    Among equals the gradient goes to the window's first entry in row order. Padding is as in conv2d, and never largest.
    """
    xp = namespace(x)
    stride = size if stride is None else stride
    _pool_fits(x, size, stride, padding)
    window = size, size
    frame = frame_of(x, window, stride, padding)
    (top, bottom), (left, right) = frame
    n, h, w, c = x.shape
    y = xp.empty((n, *out_shape(x, window, stride, padding), c), x.dtype)

    def forward(images: slice) -> None:
        across = _largest(framed(x[images], frame, -math.inf), size, stride, axis=2)
        y[images] = _largest(across, size, stride, axis=1)

    in_blocks(x, h * w * c * x.itemsize, forward)

    def pulled(g: Array) -> tuple[Array]:
        dx = xp.zeros((n, h + top + bottom, w + left + right, c), g.dtype)

        def pull(images: slice) -> None:
            entries = taps(framed(x[images], frame, -math.inf), window, stride)
            waiting = xp.ones(y[images].shape, bool)  # windows whose largest entry is still to come
            for (_, _, view), (_, _, to_view) in zip(entries, taps(dx[images], window, stride), strict=True):
                first = (view == y[images]) & waiting
                waiting &= ~first
                if stride < size:
                    to_view += g[images] * first
                else:  # windows share no pixel: the same, without the addition
                    xp.multiply(g[images], first, out=to_view)

        in_blocks(x, h * w * c * x.itemsize, pull)
        return (dx[:, top : top + h, left : left + w],)

    return y, pulled


def _largest(x: Array, size: int, stride: int, axis: int) -> Array:
    """The largest of every `size` neighbours along an axis."""
    return reduce(namespace(x).maximum, _neighbours(x, size, stride, axis))


def _neighbours(x: Array, size: int, stride: int, axis: int) -> list[Array]:
    """The first, second, … entry of every window of `size` along an axis, as views."""
    n = (x.shape[axis] - size) // stride + 1
    before = (slice(None),) * axis
    return [x[(*before, slice(i, i + stride * (n - 1) + 1, stride))] for i in range(size)]


@primitive
def avg_pool2d(x: Array, size: int, stride: int | None = None) -> Any:
    """The mean of every size×size window; the stride is its size unless given."""
    xp = namespace(x)
    window, stride = (size, size), size if stride is None else stride
    _pool_fits(x, size, stride)
    y = xp.zeros((x.shape[0], *out_shape(x, window, stride), x.shape[3]), x.dtype)
    for _, _, view in taps(x, window, stride):
        y += view
    y /= size * size

    def pulled(g: Array) -> tuple[Array]:
        dx, share = xp.zeros(x.shape, g.dtype), g / (size * size)
        for _, _, view in taps(dx, window, stride):
            view += share
        return (dx,)

    return y, pulled


def global_avg_pool(x: Tensor | Array) -> Tensor:
    """The mean over all pixels: (N, H, W, C) to (N, C)."""
    if len(x.shape) != 4:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (N, H, W, C)")
    return mean(x, axis=(1, 2))


def _pool_fits(x: Array, size: int, stride: int, padding: Padding = "valid") -> None:
    whole("size", size, 1)
    whole("stride", stride, 1)
    see_more_than_padding(size, padding)
    if x.ndim != 4 or (padding == "valid" and size > min(x.shape[1:3])):
        raise ValueError(f"x has shape {x.shape}, size is {size}; expected (N, H, W, C) at least as large as a window")


def see_more_than_padding(size: int, padding: Padding) -> None:
    """ValueError if a pooling window could see only padding, which has no largest entry."""
    if not isinstance(padding, str) and padding >= size:
        raise ValueError(
            f"padding is {padding}, size is {size}; expected padding below size, so that every window sees a pixel"
        )
