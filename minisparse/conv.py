"""Convolution on channels-last images: x (N, H, W, C), kernels (kh, kw, C_in, C_out). Pooling is in `pool`.

Loops run over the entries of a window and over blocks of images, never over pixels. A convolution copies the pixels
that each row of its kernel sees into the rows of a matrix, block by block, and multiplies. The backward pass keeps
only x and the kernel.
"""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

from .autograd import primitive
from .backend import Array, namespace
from .channels import add_to_rows, sum_of_rows
from .checks import whole
from .pool import avg_pool2d, global_avg_pool, max_pool2d
from .threads import in_blocks
from .windows import Padding, frame_of, framed, kernel_rows, out_shape, taps

__all__ = ["avg_pool2d", "conv2d", "depthwise_conv2d", "global_avg_pool", "max_pool2d"]

Pullback = Callable[[Array], Array]
WASTED = 1.8  # times the products needed, where adding each output's share to its pixels is faster
NARROW = 16  # entries in a row of a kernel, below which a product with all of its rows is faster


@primitive
def conv2d(
    x: Array, kernel: Array, stride: int = 1, padding: Padding = "valid", groups: int = 1, bias: Array | None = None
) -> Any:
    """Cross-correlation of x (N, H, W, C) with kernel (kh, kw, C/groups, C_out): (N, H', W', C_out).

        y[n, p, q, o] = Σ_ijc x[n, s p + i, s q + j, c] · kernel[i, j, c, o] + bias[o],   s the stride, x padded
        dx[n, s p + i, s q + j, c] = Σ g[n, p, q, o] · kernel[i, j, c, o] over all p, q, i, j, o that read this pixel
        dkernel[i, j, c, o] = Σ_npq x[n, s p + i, s q + j, c] · g[n, p, q, o]
    Written as plain loops: tests/helpers/slow_conv.py, conv2d.

    padding "valid"; "same", for ceil(n / stride) outputs with the extra zero at the end; or the number of zeros on each
    side. With groups, the output channels of a group see only its input channels. bias (C_out,) is added.
    """
    xp = namespace(x)
    _, _, c_group, c_out = _kernel_shape(kernel)
    groups = whole("groups", groups, 1)
    if x.ndim != 4 or x.shape[3] != c_group * groups or c_out % groups:
        raise ValueError(
            f"x has shape {x.shape}, kernel {kernel.shape}, groups {groups}; expected (N, H, W, C) and "
            "(kh, kw, C/groups, C_out) with C and C_out multiples of groups"
        )
    if bias is not None and bias.shape != (c_out,):
        raise ValueError(f"bias has shape {bias.shape}; expected ({c_out},), one number per output channel")
    if groups == 1:
        y, to_x, to_kernel = _convolve(x, kernel, stride, padding)
    else:
        shares = [slice(i * c_out // groups, (i + 1) * c_out // groups) for i in range(groups)]
        parts = [
            _convolve(x[..., i * c_group : (i + 1) * c_group], kernel[..., share], stride, padding)
            for i, share in enumerate(shares)
        ]
        y = xp.concatenate([part for part, _, _ in parts], axis=-1)

        def to_x(g: Array) -> Array:
            return xp.concatenate([pull(g[..., share]) for share, (_, pull, _) in zip(shares, parts, strict=True)], -1)

        def to_kernel(g: Array) -> Array:
            return xp.concatenate([pull(g[..., share]) for share, (_, _, pull) in zip(shares, parts, strict=True)], -1)

    if bias is None:
        return y, (to_x, to_kernel)
    add_to_rows(y, bias)
    return y, {0: to_x, 1: to_kernel, 5: sum_of_rows}


def _convolve(x: Array, kernel: Array, stride: int, padding: Padding) -> tuple[Array, Pullback, Pullback]:
    """conv2d of one group: its result, and the pullbacks to x and to the kernel, which keep only x and the kernel."""
    xp = namespace(x)
    (kh, kw, c, c_out), (n, h, w, _) = kernel.shape, x.shape
    frame = (top, bottom), (left, right) = frame_of(x, (kh, kw), stride, padding)
    h_out, w_out = out_shape(x, (kh, kw), stride, padding)
    y = xp.empty((n, h_out, w_out, c_out), xp.result_type(x, kernel))

    def forward(images: slice) -> None:
        correlate(framed(x[images], frame), kernel, stride, y[images])

    in_blocks(x, h * w_out * kw * c * x.itemsize, forward)

    def to_x(g: Array) -> Array:
        (u, v), phases, around = _phases(kernel, (h, w), (h_out, w_out), (top, left), stride)
        dx = xp.empty((n, u * stride, v * stride, c), g.dtype)
        if phases.size * u * v > WASTED * kernel.size * h_out * w_out:

            def pull(images: slice) -> None:
                padded = spread(g[images], kernel, stride, (h + top + bottom, w + left + right))
                dx[images, :h, :w] = padded[:, top : top + h, left : left + w]

        elif stride == 1:

            def pull(images: slice) -> None:
                correlate(framed(g[images], around), phases, 1, dx[images])

        else:

            def pull(images: slice) -> None:
                y = xp.empty((len(g[images]), u, v, phases.shape[-1]), g.dtype)
                correlate(framed(g[images], around), phases, 1, y)
                y = y.reshape(len(y), u, v, stride, stride, c).swapaxes(2, 3)
                dx[images].reshape(y.shape)[...] = y

        in_blocks(x, h * w * kw * c_out * x.itemsize, pull)
        return dx[:, :h, :w]

    def to_kernel(g: Array) -> Array:
        def pull(images: slice) -> Array:
            pixels = g[images]
            pixels = pixels.reshape(len(pixels), h_out * w_out, c_out)
            rows = kernel_rows(framed(x[images], frame), (kh, kw), stride)
            return xp.stack([(seen.swapaxes(1, 2) @ pixels).sum(axis=0) for seen in rows])

        return sum(in_blocks(x, h * w_out * kw * c * x.itemsize, pull)).reshape(kernel.shape)

    return y, to_x, to_kernel


def _phases(
    kernel: Array, pixels: tuple[int, int], outputs: tuple[int, int], before: tuple[int, int], stride: int
) -> tuple[tuple[int, int], Array, Any]:
    """The gradient of x as a convolution of g with stride 1, whose channels are the pixels of a stride×stride square.

    (squares along an axis, its kernel, the zeros to put around g). With stride 1 it is the kernel, flipped.
    """
    xp, axes = namespace(kernel), range(2)
    # Entry i of a window at output p reads pixel s p + i − before: pixel s u + phase, with p = u + offset.
    phases = [[(i - before[axis]) % stride for i in range(kernel.shape[axis])] for axis in axes]
    offsets = [[(phase + before[axis] - i) // stride for i, phase in enumerate(phases[axis])] for axis in axes]
    squares = [-(-n // stride) for n in pixels]
    around = [(-min(offsets[axis]), squares[axis] + max(offsets[axis]) - outputs[axis]) for axis in axes]
    size = [max(o) - min(o) + 1 for o in offsets]
    whole = xp.zeros((*size, kernel.shape[3], stride, stride, kernel.shape[2]), kernel.dtype)
    for i, j in product(range(kernel.shape[0]), range(kernel.shape[1])):
        at = offsets[0][i] - min(offsets[0]), offsets[1][j] - min(offsets[1])
        whole[at][:, phases[0][i], phases[1][j]] = kernel[i, j].T
    return (squares[0], squares[1]), whole.reshape(*size, kernel.shape[3], -1), around


def correlate(padded: Array, kernel: Array, stride: int, out: Array) -> None:
    """Write the correlation into out: for every row of the kernel, one matrix product per image.

    With few channels, or a stride, the whole kernel is one row, and the block of images one product.
    """
    xp = namespace(padded)
    kh, kw, c, c_out = kernel.shape
    y, term = out.reshape(len(out), out.shape[1] * out.shape[2], c_out), None
    if kw * c <= NARROW or stride > 1:
        (seen,) = kernel_rows(padded, (kh, kw), stride, whole=True)
        size, n_rows = kh * kw * c, math.prod(out.shape[:3])
        xp.matmul(seen.reshape(n_rows, size), kernel.reshape(size, c_out), out=out.reshape(n_rows, c_out))
        return
    for seen, row in zip(kernel_rows(padded, (kh, kw), stride), kernel.reshape(kh, kw * c, c_out), strict=True):
        if term is None:
            xp.matmul(seen, row, out=y)
            term = xp.empty_like(y)
        else:
            y += xp.matmul(seen, row, out=term)


def spread(g: Array, kernel: Array, stride: int, padded: tuple[int, int]) -> Array:
    """The gradient of x (N, *padded, C): each output's gradient times the kernel, added to the pixels of its window."""
    xp = namespace(g)
    (n, h_out, w_out, c_out), (kh, kw, c, _) = g.shape, kernel.shape
    g, rows = g.reshape(n, h_out * w_out, c_out), xp.ascontiguousarray(kernel.reshape(kh, kw * c, c_out).swapaxes(1, 2))
    share = xp.empty((n, h_out, w_out, kw * c), xp.result_type(g, kernel))
    lines = xp.zeros((n, padded[0], w_out, kw * c), g.dtype)
    for i in range(kh):
        xp.matmul(g, rows[i], out=share.reshape(n, h_out * w_out, kw * c))
        lines[:, i : i + stride * (h_out - 1) + 1 : stride] += share
    lines = lines.reshape(n, padded[0], w_out, kw, c)
    dx = xp.zeros((n, *padded, c), g.dtype)
    for j in range(kw):
        dx[:, :, j : j + stride * (w_out - 1) + 1 : stride] += lines[:, :, :, j]
    return dx


@primitive
def depthwise_conv2d(x: Array, kernel: Array, stride: int = 1, padding: Padding = "valid") -> Any:
    """Each channel separately: kernel (kh, kw, C, M) turns each into M channels, side by side: (N, H', W', C M).

        y[n, p, q, c M + m] = Σ_ij x[n, s p + i, s q + j, c] · kernel[i, j, c, m],   s the stride, x padded
    Written as plain loops: tests/helpers/slow_conv.py, depthwise_conv2d.
    """
    xp = namespace(x)
    kh, kw, c, multiplier = _kernel_shape(kernel)
    if x.ndim != 4 or x.shape[3] != c:
        raise ValueError(f"x has shape {x.shape}, kernel {kernel.shape}; expected (N, H, W, C) and (kh, kw, C, M)")
    frame = (top, bottom), (left, right) = frame_of(x, (kh, kw), stride, padding)
    n, h, w, _ = x.shape
    h_out, w_out = out_shape(x, (kh, kw), stride, padding)
    y = xp.zeros((n, h_out, w_out, c, multiplier), xp.result_type(x, kernel))

    def forward(images: slice) -> None:
        out = y[images]
        for i, j, view in taps(framed(x[images], frame), (kh, kw), stride):
            out += view[..., None] * kernel[i, j]

    each = 2 * (y.nbytes + x.nbytes) // max(n, 1)
    in_blocks(x, each, forward)

    def to_x(g: Array) -> Array:
        g = g.reshape(y.shape)
        dx = xp.zeros((n, h + top + bottom, w + left + right, c), g.dtype)

        def pull(images: slice) -> None:
            for i, j, view in taps(dx[images], (kh, kw), stride):
                view += (g[images] * kernel[i, j]).sum(axis=-1)

        in_blocks(x, each, pull)
        return dx[:, top : top + h, left : left + w]

    def to_kernel(g: Array) -> Array:
        g = g.reshape(y.shape)

        def pull(images: slice) -> Array:
            views = taps(framed(x[images], frame), (kh, kw), stride)
            return xp.stack([(g[images] * view[..., None]).sum(axis=(0, 1, 2)) for _, _, view in views])

        return sum(in_blocks(x, each, pull)).reshape(kernel.shape)

    return y.reshape(n, h_out, w_out, c * multiplier), (to_x, to_kernel)


def _kernel_shape(kernel: Array) -> tuple[int, int, int, int]:
    if kernel.ndim != 4:
        raise ValueError(f"kernel has shape {kernel.shape}; expected four axes (kh, kw, channels in, channels out)")
    return kernel.shape
