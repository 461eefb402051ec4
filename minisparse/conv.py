"""Convolution and pooling on channels-last images: x (N, H, W, C), kernels (kh, kw, C_in, C_out).

Each is a sum, or a maximum, over the few entries of its window: loops run over the window, and over blocks of images,
never over pixels. A convolution copies what each row of its kernel sees into the rows of a matrix, block by block, and
multiplies; nothing is kept for the way back but x and the kernel.
"""

import math
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

from .autograd import Tensor, primitive
from .backend import Array, namespace
from .channels import add_to_rows, sum_of_rows
from .checks import whole
from .ops import mean
from .threads import in_blocks

Padding = str | int
Pullback = Callable[[Array], Array]


@primitive
def conv2d(
    x: Array, kernel: Array, stride: int = 1, padding: Padding = "valid", groups: int = 1, bias: Array | None = None
) -> Any:
    """Cross-correlation of x (N, H, W, C) with kernel (kh, kw, C/groups, C_out): (N, H', W', C_out).

    padding "valid"; "same", for ceil(n / stride) outputs with the odd pad at the end; or a number of zeros on every
    side. With groups, output channels see only their own share of the input channels, in order. bias (C_out,) is added.
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
        raise ValueError(f"bias has shape {bias.shape}; expected ({c_out},), one for every output channel")
    if groups == 1:
        y, to_x, to_kernel = _convolve(x, kernel, stride, padding)
    else:
        shares = [slice(i * c_out // groups, (i + 1) * c_out // groups) for i in range(groups)]
        own = [
            _convolve(x[..., i * c_group : (i + 1) * c_group], kernel[..., share], stride, padding)
            for i, share in enumerate(shares)
        ]
        y = xp.concatenate([part for part, _, _ in own], axis=-1)

        def to_x(g: Array) -> Array:
            return xp.concatenate([pull(g[..., share]) for share, (_, pull, _) in zip(shares, own, strict=True)], -1)

        def to_kernel(g: Array) -> Array:
            return xp.concatenate([pull(g[..., share]) for share, (_, _, pull) in zip(shares, own, strict=True)], -1)

    if bias is None:
        return y, (to_x, to_kernel)
    add_to_rows(y, bias)
    return y, {0: to_x, 1: to_kernel, 5: sum_of_rows}


def _convolve(x: Array, kernel: Array, stride: int, padding: Padding) -> tuple[Array, Pullback, Pullback]:
    """conv2d of one group: its result, and the ways back to x and to the kernel. Nothing but x and kernel is kept."""
    xp = namespace(x)
    (kh, kw, c, c_out), (n, h, w, _) = kernel.shape, x.shape
    frame = (top, bottom), (left, right) = _frame(x, (kh, kw), stride, padding)
    h_out, w_out = _out_shape(x, (kh, kw), stride, padding)
    y = xp.empty((n, h_out, w_out, c_out), xp.result_type(x, kernel))

    def forward(images: slice) -> None:
        _correlate(_framed(x[images], frame), kernel, stride, y[images])

    in_blocks(x, h * w_out * kw * c * x.itemsize, forward)

    def to_x(g: Array) -> Array:
        dx = xp.empty(x.shape, g.dtype)
        # With stride 1, a convolution of g with the kernel turned around; but not where g is much the smaller image.
        if stride == 1 and h * w <= 1.5 * h_out * w_out:
            turned = xp.ascontiguousarray(kernel[::-1, ::-1].swapaxes(2, 3))
            around = (kh - 1 - top, kh - 1 - bottom), (kw - 1 - left, kw - 1 - right)

            def pull(images: slice) -> None:
                _correlate(_framed(g[images], around), turned, 1, dx[images])

        else:

            def pull(images: slice) -> None:
                spread = _spread(g[images], kernel, stride, (h + top + bottom, w + left + right))
                dx[images] = spread[:, top : top + h, left : left + w]

        in_blocks(x, h * w * kw * c_out * x.itemsize, pull)
        return dx

    def to_kernel(g: Array) -> Array:
        def pull(images: slice) -> Array:
            own = g[images].reshape(-1, h_out * w_out, c_out)
            rows = _kernel_rows(_framed(x[images], frame), (kh, kw), stride)
            return xp.stack([(seen.swapaxes(1, 2) @ own).sum(axis=0) for seen in rows])

        return sum(in_blocks(x, h * w_out * kw * c * x.itemsize, pull)).reshape(kernel.shape)

    return y, to_x, to_kernel


def _kernel_rows(padded: Array, window: tuple[int, int], stride: int) -> Iterator[Array]:
    """For every row of the window, what its kw entries see in all places: (N, H' W', kw C).

    With stride 1 these are views of one array: what a row sees in one line, the row above sees one line further down.
    """
    xp = namespace(padded)
    (n, _, _, c), (kh, kw), (h_out, w_out) = padded.shape, window, _out_shape(padded, window, stride)
    lines = xp.lib.stride_tricks.sliding_window_view(padded, kw, axis=2)[:, :, ::stride].swapaxes(3, 4)
    if stride == 1:
        lines = xp.ascontiguousarray(lines).reshape(n, -1, kw * c)
        for i in range(kh):
            yield lines[:, i * w_out : (i + h_out) * w_out]
    else:
        for i in range(kh):
            seen = lines[:, i : i + stride * (h_out - 1) + 1 : stride]
            yield xp.ascontiguousarray(seen).reshape(n, h_out * w_out, kw * c)


def _correlate(padded: Array, kernel: Array, stride: int, out: Array) -> None:
    """Write into out, for every row of the kernel, what it sees times its weights: one product a row and image."""
    xp = namespace(padded)
    kh, kw, c, c_out = kernel.shape
    y, term = out.reshape(len(out), -1, c_out), None
    for seen, row in zip(_kernel_rows(padded, (kh, kw), stride), kernel.reshape(kh, kw * c, c_out), strict=True):
        if term is None:
            xp.matmul(seen, row, out=y)
            term = xp.empty_like(y)
        else:
            y += xp.matmul(seen, row, out=term)


def _spread(g: Array, kernel: Array, stride: int, padded: tuple[int, int]) -> Array:
    """The way back: every output's gradient times the kernel, added to all that its window saw. (N, *padded, C)."""
    xp = namespace(g)
    (n, h_out, w_out, c_out), (kh, kw, c, _) = g.shape, kernel.shape
    shares = (g.reshape(-1, c_out) @ kernel.reshape(-1, c_out).T).reshape(n, h_out, w_out, kh, kw * c)
    lines = xp.zeros((n, padded[0], w_out, kw * c), g.dtype)
    for i in range(kh):
        lines[:, i : i + stride * (h_out - 1) + 1 : stride] += shares[:, :, :, i]
    lines = lines.reshape(n, padded[0], w_out, kw, c)
    dx = xp.zeros((n, *padded, c), g.dtype)
    for j in range(kw):
        dx[:, :, j : j + stride * (w_out - 1) + 1 : stride] += lines[:, :, :, j]
    return dx


@primitive
def depthwise_conv2d(x: Array, kernel: Array, stride: int = 1, padding: Padding = "valid") -> Any:
    """Every channel by itself: kernel (kh, kw, C, M) makes M channels of each, side by side: (N, H', W', C M)."""
    xp = namespace(x)
    kh, kw, c, multiplier = _kernel_shape(kernel)
    if x.ndim != 4 or x.shape[3] != c:
        raise ValueError(f"x has shape {x.shape}, kernel {kernel.shape}; expected (N, H, W, C) and (kh, kw, C, M)")
    frame = (top, bottom), (left, right) = _frame(x, (kh, kw), stride, padding)
    n, h, w, _ = x.shape
    h_out, w_out = _out_shape(x, (kh, kw), stride, padding)
    y = xp.zeros((n, h_out, w_out, c, multiplier), xp.result_type(x, kernel))

    def forward(images: slice) -> None:
        own = y[images]
        for i, j, view in _taps(_framed(x[images], frame), (kh, kw), stride):
            own += view[..., None] * kernel[i, j]

    each = 2 * (y.nbytes + x.nbytes) // max(n, 1)
    in_blocks(x, each, forward)

    def to_x(g: Array) -> Array:
        g = g.reshape(y.shape)
        dx = xp.zeros((n, h + top + bottom, w + left + right, c), g.dtype)

        def pull(images: slice) -> None:
            for i, j, view in _taps(dx[images], (kh, kw), stride):
                view += (g[images] * kernel[i, j]).sum(axis=-1)

        in_blocks(x, each, pull)
        return dx[:, top : top + h, left : left + w]

    def to_kernel(g: Array) -> Array:
        g = g.reshape(y.shape)

        def pull(images: slice) -> Array:
            taps = _taps(_framed(x[images], frame), (kh, kw), stride)
            return xp.stack([(g[images] * view[..., None]).sum(axis=(0, 1, 2)) for _, _, view in taps])

        return sum(in_blocks(x, each, pull)).reshape(kernel.shape)

    return y.reshape(n, h_out, w_out, c * multiplier), (to_x, to_kernel)


@primitive
def max_pool2d(x: Array, size: int, stride: int | None = None, padding: Padding = "valid") -> Any:
    """The largest of every size×size window, which steps by `stride` (its size unless given).

    Among equals the gradient goes to the window's first entry, row by row. Padding, as in conv2d, is never the largest.
    """
    xp = namespace(x)
    stride = size if stride is None else stride
    _pool_fits(x, size, stride, padding)
    frame = _frame(x, (size, size), stride, padding)
    (top, bottom), (left, right) = frame
    n, h, w, c = x.shape
    y = xp.empty((n, *_out_shape(x, (size, size), stride, padding), c), x.dtype)

    def forward(images: slice) -> None:
        across = _largest(_framed(x[images], frame, -math.inf), size, stride, axis=2)
        y[images] = _largest(across, size, stride, axis=1)

    in_blocks(x, h * w * c * x.itemsize, forward)

    def pulled(g: Array) -> tuple[Array]:
        dx = xp.empty((n, h + top + bottom, w + left + right, c), g.dtype)

        def pull(images: slice) -> None:
            padded = _framed(x[images], frame, -math.inf)
            across = _largest(padded, size, stride, axis=2)
            to_across = _to_first_largest(g[images], across, y[images], size, stride, axis=1, out=xp.empty_like(across))
            _to_first_largest(to_across, padded, across, size, stride, axis=2, out=dx[images])

        in_blocks(x, h * w * c * x.itemsize, pull)
        return (dx[:, top : top + h, left : left + w],)

    return y, pulled


def _largest(x: Array, size: int, stride: int, axis: int) -> Array:
    """The largest of every `size` neighbours along an axis."""
    return reduce(namespace(x).maximum, _neighbours(x, size, stride, axis))


def _to_first_largest(g: Array, x: Array, y: Array, size: int, stride: int, axis: int, out: Array) -> Array:
    """Where y = _largest(x), the gradient of x: each entry of g goes to the first neighbour that is as large as y.

    First along lines, then down the columns of what won there, this is the window's first entry, row by row.
    """
    out[...] = 0
    *others, last = zip(_neighbours(x, size, stride, axis), _neighbours(out, size, stride, axis), strict=True)
    for view, to_view in others:
        taken = g * (view == y)
        to_view += taken
        g = g - taken
    to_last = last[1]
    to_last += g
    return out


def _neighbours(x: Array, size: int, stride: int, axis: int) -> list[Array]:
    """The first, second, … entry of every window of `size` along an axis, as views."""
    n = (x.shape[axis] - size) // stride + 1
    before = (slice(None),) * axis
    return [x[(*before, slice(i, i + stride * (n - 1) + 1, stride))] for i in range(size)]


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


def global_avg_pool(x: Tensor | Array) -> Tensor:
    """The mean over all pixels: (N, H, W, C) to (N, C)."""
    if len(x.shape) != 4:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (N, H, W, C)")
    return mean(x, axis=(1, 2))


def _taps(x: Array, window: tuple[int, int], stride: int) -> Iterator[tuple[int, int, Array]]:
    """(i, j, a view of what entry i, j of the window sees in every place), in row order."""
    h_out, w_out = _out_shape(x, window, stride)
    for i in range(window[0]):
        for j in range(window[1]):
            yield i, j, x[:, i : i + stride * (h_out - 1) + 1 : stride, j : j + stride * (w_out - 1) + 1 : stride, :]


def _out_shape(x: Array, window: tuple[int, int], stride: int, padding: Padding = "valid") -> tuple[int, int]:
    return n_windows(x.shape[1], window[0], stride, padding), n_windows(x.shape[2], window[1], stride, padding)


def _pool_fits(x: Array, size: int, stride: int, padding: Padding = "valid") -> None:
    whole("size", size, 1)
    whole("stride", stride, 1)
    see_more_than_padding(size, padding)
    if x.ndim != 4 or (padding == "valid" and size > min(x.shape[1:3])):
        raise ValueError(
            f"x has shape {x.shape}, size is {size}; expected (N, H, W, C) at least as large as a window"
        )


def see_more_than_padding(size: int, padding: Padding) -> None:
    """ValueError where a window of pooling could see nothing but padding, which has no largest entry."""
    if not isinstance(padding, str) and padding >= size:
        raise ValueError(f"padding is {padding}, size is {size}; accepted for pooling is padding below the size")


def _kernel_shape(kernel: Array) -> tuple[int, int, int, int]:
    if kernel.ndim != 4:
        raise ValueError(f"kernel has shape {kernel.shape}; expected four axes (kh, kw, channels in, channels out)")
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
        raise ValueError(f"padding is {padding!r}; expected 'valid', 'same' and whole numbers from 0")
    else:
        before = after = whole("padding", padding, 0)
    if before + n + after < window:
        raise ValueError(f"a window of {window} does not fit into {n} pixels with padding {padding!r}")
    return before, after


def n_windows(n: int, window: int, stride: int, padding: Padding = "valid") -> int:
    """How many windows fit along n entries."""
    return (n + sum(pad_sides(n, window, stride, padding)) - window) // stride + 1


def _frame(x: Array, window: tuple[int, int], stride: int, padding: Padding) -> tuple[tuple[int, int], tuple[int, int]]:
    """((above, below), (left, right)): how many lines and columns of padding go around the images."""
    above_below, left_right = (pad_sides(n, k, stride, padding) for n, k in zip(x.shape[1:3], window, strict=True))
    return above_below, left_right


def _framed(x: Array, frame: tuple[tuple[int, int], tuple[int, int]], value: float = 0) -> Array:
    """x with a frame of `value` around its images; a negative width cuts off instead."""
    (top, bottom), (left, right) = frame
    n, h, w, c = x.shape
    if min(top, bottom, left, right) < 0:
        x = x[:, max(-top, 0) : h - max(-bottom, 0), max(-left, 0) : w - max(-right, 0)]
        return _framed(x, ((max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))), value)
    if not any((top, bottom, left, right)):
        return x
    padded = namespace(x).full((n, h + top + bottom, w + left + right, c), value, x.dtype)
    padded[:, top : top + h, left : left + w] = x
    return padded
