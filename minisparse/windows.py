"""Sliding windows on channels-last images x (N, H, W, C): their positions, padding and pixels."""

from collections.abc import Iterator

from .backend import Array, namespace
from .checks import whole

Padding = str | int


def kernel_rows(padded: Array, window: tuple[int, int], stride: int, whole: bool = False) -> Iterator[Array]:
    """For every row of the window, the pixels under its kw entries at all positions: (N, H' W', kw C).

    With stride 1 these are views of one array: the row above sees the same pixels one line further down.
    whole: one array for the whole window, (N, H' W', kh kw C).
    """
    xp = namespace(padded)
    (n, _, _, c), (kh, kw), (h_out, w_out) = padded.shape, window, out_shape(padded, window, stride)
    if whole:
        seen = xp.lib.stride_tricks.sliding_window_view(padded, window, axis=(1, 2))[:, ::stride, ::stride]
        yield xp.ascontiguousarray(seen.transpose(0, 1, 2, 4, 5, 3)).reshape(n, h_out * w_out, kh * kw * c)
        return
    lines = xp.lib.stride_tricks.sliding_window_view(padded, kw, axis=2)[:, :, ::stride].swapaxes(3, 4)
    if stride == 1:
        lines = xp.ascontiguousarray(lines).reshape(n, padded.shape[1] * w_out, kw * c)
        for i in range(kh):
            yield lines[:, i * w_out : (i + h_out) * w_out]
    else:
        for i in range(kh):
            seen = lines[:, i : i + stride * (h_out - 1) + 1 : stride]
            yield xp.ascontiguousarray(seen).reshape(n, h_out * w_out, kw * c)


def taps(x: Array, window: tuple[int, int], stride: int) -> Iterator[tuple[int, int, Array]]:
    """(i, j, a view of the pixels under entry i, j of the window at all positions), in row order."""
    h_out, w_out = out_shape(x, window, stride)
    for i in range(window[0]):
        for j in range(window[1]):
            yield i, j, x[:, i : i + stride * (h_out - 1) + 1 : stride, j : j + stride * (w_out - 1) + 1 : stride, :]


def out_shape(x: Array, window: tuple[int, int], stride: int, padding: Padding = "valid") -> tuple[int, int]:
    return n_windows(x.shape[1], window[0], stride, padding), n_windows(x.shape[2], window[1], stride, padding)


def pad_sides(n: int, window: int, stride: int, padding: Padding) -> tuple[int, int]:
    """How many zeros to add before and after n entries. ValueError for an unknown padding, or if no window fits."""
    whole("stride", stride, 1)
    if padding == "same":
        total = max((-(-n // stride) - 1) * stride + window - n, 0)
        before, after = total // 2, total - total // 2
    elif padding == "valid":
        before = after = 0
    elif isinstance(padding, str):
        raise ValueError(f"padding is {padding!r}; expected 'valid', 'same' or a whole number from 0")
    else:
        before = after = whole("padding", padding, 0)
    if before + n + after < window:
        raise ValueError(f"a window of {window} does not fit into {n} pixels with padding {padding!r}")
    return before, after


def n_windows(n: int, window: int, stride: int, padding: Padding = "valid") -> int:
    """How many windows fit along n entries."""
    return (n + sum(pad_sides(n, window, stride, padding)) - window) // stride + 1


def frame_of(
    x: Array, window: tuple[int, int], stride: int, padding: Padding
) -> tuple[tuple[int, int], tuple[int, int]]:
    """((above, below), (left, right)): the lines and columns of padding around the images."""
    above_below, left_right = (pad_sides(n, k, stride, padding) for n, k in zip(x.shape[1:3], window, strict=True))
    return above_below, left_right


def framed(x: Array, frame: tuple[tuple[int, int], tuple[int, int]], value: float = 0) -> Array:
    """x with a frame of `value` around its images; a negative width cuts off instead."""
    (top, bottom), (left, right) = frame
    _, h, w, _ = x.shape
    if min(top, bottom, left, right) < 0:
        x = x[:, max(-top, 0) : h - max(-bottom, 0), max(-left, 0) : w - max(-right, 0)]
        return framed(x, ((max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))), value)
    if not any((top, bottom, left, right)):
        return x
    padded, inside = in_frame(x.shape, x, frame, value)
    inside[...] = x
    return padded


def in_frame(
    shape: tuple[int, ...], like: Array, frame: tuple[tuple[int, int], tuple[int, int]], value: float = 0
) -> tuple[Array, Array]:
    """(images with a frame of `value` around them, a view of the pixels inside, which are not set), of like's dtype."""
    (top, bottom), (left, right) = frame
    n, h, w, c = shape
    padded = namespace(like).empty((n, h + top + bottom, w + left + right, c), like.dtype)
    padded[:, :top] = padded[:, top + h :] = padded[:, :, :left] = padded[:, :, left + w :] = value
    return padded, padded[:, top : top + h, left : left + w]
