"""Convolution and pooling on channels-last images: x (N, H, W, C), kernels (kh, kw, C_in, C_out).

Each is a sum, or a maximum, over the few taps of its window, and a tap is a strided view of the whole batch: loops run
over the window, never over pixels.
"""

import math
from collections.abc import Iterator
from typing import Any

from .autograd import Tensor, primitive
from .backend import Array, namespace
from .checks import whole
from .ops import mean

Padding = str | int


@primitive
def conv2d(x: Array, kernel: Array, stride: int = 1, padding: Padding = "valid", groups: int = 1) -> Any:
    """Cross-correlation of x (N, H, W, C) with kernel (kh, kw, C/groups, C_out): (N, H', W', C_out).

    padding "valid"; "same", for ceil(n / stride) outputs with the odd pad at the end; or a number of zeros on every
    side. With groups, output channels see only their own share of the input channels, in order.
    """
    xp = namespace(x)
    kh, kw, c_group, c_out = _kernel_shape(kernel)
    groups = whole("groups", groups, 1)
    if x.ndim != 4 or x.shape[3] != c_group * groups or c_out % groups:
        raise ValueError(
            f"x has shape {x.shape}, kernel {kernel.shape}, groups {groups}; accepted are (N, H, W, C) and "
            "(kh, kw, C/groups, C_out) with C and C_out multiples of groups"
        )
    padded, inside = _pad(x, (kh, kw), stride, padding)
    n, h_out, w_out = x.shape[0], *_out_shape(padded, (kh, kw), stride)

    # (groups, rows = N H' W', what a window holds) @ (groups, what a window holds, C_out / groups)
    columns = xp.empty((groups, n, h_out, w_out, kh, kw, c_group), x.dtype)
    for i, j, view in _taps(padded, (kh, kw), stride):
        columns[..., i, j, :] = xp.moveaxis(view.reshape(n, h_out, w_out, groups, c_group), 3, 0)
    columns = columns.reshape(groups, n * h_out * w_out, kh * kw * c_group)
    weight = kernel.reshape(kh * kw * c_group, groups, c_out // groups).swapaxes(0, 1)
    y = xp.moveaxis(columns @ weight, 0, 1).reshape(n, h_out, w_out, c_out)

    def rows_of(g: Array) -> Array:
        return g.reshape(n * h_out * w_out, groups, c_out // groups).swapaxes(0, 1)

    def to_x(g: Array) -> Array:
        d = (rows_of(g) @ weight.swapaxes(1, 2)).reshape(groups, n, h_out, w_out, kh, kw, c_group)
        dx = xp.zeros(padded.shape, g.dtype)
        for i, j, view in _taps(dx, (kh, kw), stride):
            view += xp.moveaxis(d[..., i, j, :], 0, 3).reshape(view.shape)
        return dx[inside]

    def to_kernel(g: Array) -> Array:
        return (columns.swapaxes(1, 2) @ rows_of(g)).swapaxes(0, 1).reshape(kernel.shape)

    return y, (to_x, to_kernel)


@primitive
def depthwise_conv2d(x: Array, kernel: Array, stride: int = 1, padding: Padding = "valid") -> Any:
    """Every channel by itself: kernel (kh, kw, C, M) makes M channels of each, side by side: (N, H', W', C M)."""
    xp = namespace(x)
    kh, kw, c, multiplier = _kernel_shape(kernel)
    if x.ndim != 4 or x.shape[3] != c:
        raise ValueError(f"x has shape {x.shape}, kernel {kernel.shape}; accepted are (N, H, W, C) and (kh, kw, C, M)")
    padded, inside = _pad(x, (kh, kw), stride, padding)
    shape = (x.shape[0], *_out_shape(padded, (kh, kw), stride), c, multiplier)
    y = xp.zeros(shape, xp.result_type(x, kernel))
    for i, j, view in _taps(padded, (kh, kw), stride):
        y += view[..., None] * kernel[i, j]

    def to_x(g: Array) -> Array:
        g, dx = g.reshape(shape), xp.zeros(padded.shape, g.dtype)
        for i, j, view in _taps(dx, (kh, kw), stride):
            view += (g * kernel[i, j]).sum(axis=-1)
        return dx[inside]

    def to_kernel(g: Array) -> Array:
        g, dk = g.reshape(shape), xp.empty(kernel.shape, g.dtype)
        for i, j, view in _taps(padded, (kh, kw), stride):
            dk[i, j] = (g * view[..., None]).sum(axis=(0, 1, 2))
        return dk

    return y.reshape(*shape[:3], c * multiplier), (to_x, to_kernel)


@primitive
def max_pool2d(x: Array, size: int, stride: int | None = None, padding: Padding = "valid") -> Any:
    """The largest of every size×size window, which steps by `stride` (its size unless given).

    Among equals the gradient goes to the window's first entry, row by row. Padding, as in conv2d, is never the largest.
    """
    xp = namespace(x)
    window, stride = (size, size), size if stride is None else stride
    _pool_fits(x, size, stride)
    padded, inside = _pad(x, window, stride, padding, -math.inf)
    y = xp.full((x.shape[0], *_out_shape(padded, window, stride), x.shape[3]), -math.inf, x.dtype)
    for _, _, view in _taps(padded, window, stride):
        y = xp.maximum(y, view)

    def pulled(g: Array) -> tuple[Array]:
        dx, waiting = xp.zeros(padded.shape, g.dtype), xp.ones(y.shape, bool)
        for (_, _, view), (_, _, d) in zip(_taps(padded, window, stride), _taps(dx, window, stride), strict=True):
            chosen = waiting & (view == y)
            d += g * chosen
            waiting &= ~chosen
        return (dx[inside],)

    return y, pulled


@primitive
def avg_pool2d(x: Array, size: int, stride: int | None = None) -> Any:
    """The mean of every size×size window, which steps by `stride` (its size unless given)."""
    xp = namespace(x)
    window, stride = (size, size), size if stride is None else stride
    _pool_fits(x, size, stride)
    y = xp.zeros((x.shape[0], *_out_shape(x, window, stride), x.shape[3]), x.dtype)
    for _, _, view in _taps(x, window, stride):
        y += view
    y /= size * size

    def pulled(g: Array) -> tuple[Array]:
        dx, share = xp.zeros(x.shape, g.dtype), g / (size * size)
        for _, _, view in _taps(dx, window, stride):
            view += share
        return (dx,)

    return y, pulled


@primitive
def batch_norm(x: Array, scale: Array, shift: Array, eps: float) -> Any:
    """(x − mean) / √(var + eps) · scale + shift, with mean and variance (divided by n) over all axes but the last."""
    xp = namespace(x)
    axes, n = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    centred = x - x.mean(axis=axes)
    sharp = 1 / xp.sqrt((centred * centred).mean(axis=axes) + eps)
    normal = centred * sharp

    def pulled(g: Array) -> tuple[Array, Array, Array]:
        to_shift, to_scale = g.sum(axis=axes), (g * normal).sum(axis=axes)
        return scale * sharp * (g - (to_shift + normal * to_scale) / n), to_scale, to_shift

    return normal * scale + shift, pulled


def global_avg_pool(x: Tensor | Array) -> Tensor:
    """The mean over all pixels: (N, H, W, C) to (N, C)."""
    if len(x.shape) != 4:
        raise ValueError(f"x has shape {tuple(x.shape)}; accepted is (N, H, W, C)")
    return mean(x, axis=(1, 2))


def _taps(x: Array, window: tuple[int, int], stride: int) -> Iterator[tuple[int, int, Array]]:
    """(i, j, a view of what entry i, j of the window sees in every place), in row order."""
    h_out, w_out = _out_shape(x, window, stride)
    for i in range(window[0]):
        for j in range(window[1]):
            yield i, j, x[:, i : i + stride * (h_out - 1) + 1 : stride, j : j + stride * (w_out - 1) + 1 : stride, :]


def _out_shape(padded: Array, window: tuple[int, int], stride: int) -> tuple[int, int]:
    return n_windows(padded.shape[1], window[0], stride), n_windows(padded.shape[2], window[1], stride)


def _pool_fits(x: Array, size: int, stride: int) -> None:
    whole("size", size, 1)
    whole("stride", stride, 1)
    if x.ndim != 4 or size > min(x.shape[1:3]):
        raise ValueError(
            f"x has shape {x.shape}, size is {size}; accepted are (N, H, W, C) at least as large as a window"
        )


def _kernel_shape(kernel: Array) -> tuple[int, int, int, int]:
    if kernel.ndim != 4:
        raise ValueError(f"kernel has shape {kernel.shape}; accepted are four axes (kh, kw, channels in, channels out)")
    return kernel.shape


def pad_sides(n: int, window: int, stride: int, padding: Padding) -> tuple[int, int]:
    """How many zeros go before and after n entries. ValueError for another padding, or where no window fits."""
    whole("stride", stride, 1)
    if padding == "same":
        total = max((-(-n // stride) - 1) * stride + window - n, 0)
        before, after = total // 2, total - total // 2
    elif padding == "valid":
        before = after = 0
    elif isinstance(padding, str):
        raise ValueError(f"padding is {padding!r}; accepted are 'valid', 'same' and whole numbers from 0")
    else:
        before = after = whole("padding", padding, 0)
    if before + n + after < window:
        raise ValueError(f"a window of {window} does not fit into {n} pixels with padding {padding!r}")
    return before, after


def n_windows(n: int, window: int, stride: int, padding: Padding = "valid") -> int:
    """How many windows fit along n entries."""
    return (n + sum(pad_sides(n, window, stride, padding)) - window) // stride + 1


def _pad(
    x: Array, window: tuple[int, int], stride: int, padding: Padding, value: float = 0
) -> tuple[Array, tuple[slice, ...]]:
    """x with `value` around it, and the index that finds it in there."""
    n, h, w, c = x.shape
    (top, bottom), (left, right) = (pad_sides(m, k, stride, padding) for m, k in zip((h, w), window, strict=True))
    inside = (slice(None), slice(top, top + h), slice(left, left + w), slice(None))
    if not any((top, bottom, left, right)):
        return x, inside
    padded = namespace(x).full((n, h + top + bottom, w + left + right, c), value, x.dtype)
    padded[inside] = x
    return padded, inside
