"""Primitives that compute what several layers compute in one pass over blocks of images.

Layer by layer, every result is written to memory and read again. Here the way back makes the small steps between two
products a second time, from the inputs. `nn.fused` decides where; held to the layers themselves by
tests/nn/test_fused.py.
"""

from typing import Any

from ..autograd import primitive
from ..backend import Array, namespace
from ..channels import along_line, as_lines, sum_of_rows
from ..conv import correlate, spread
from ..ops import linear
from ..threads import in_blocks, rectify, where_positive
from ..windows import Padding, frame_of, framed, in_frame, kernel_rows, out_shape
from .rectified import Rectified, bytes_each


@primitive
def linear_relu(x: Array, weight: Array, bias: Array) -> Any:
    """relu(x @ weight + bias) for x (N, n_in), the weight dense or truly sparse: sums before the ReLU are not kept."""
    (y, ways_back), last = linear.__wrapped__(x, weight, bias), [None, None]  # type: ignore[attr-defined]
    rectify(y)

    def before_relu(g: Array) -> Array:
        if last[0] is not g:
            last[:] = g, where_positive(g, y)
        return last[1]

    return y, tuple(lambda g, pull=pull: pull(before_relu(g)) for pull in ways_back)


@primitive
def batch_norm_relu(x: Array, scale: Array, shift: Array, eps: float) -> Any:
    """relu(batch_norm(x, scale, shift, eps)) for images x (N, H, W, C)."""
    xp, rectified = namespace(x), Rectified(x, scale, shift, eps)
    y, gain = xp.empty(x.shape, x.dtype), along_line(x, rectified.gain)

    def forward(images: slice) -> None:
        rectified.put(images, y[images])
        if rectified.factored:
            lines = as_lines(x, y[images])
            lines *= gain

    in_blocks(x, bytes_each(x, 3), forward)

    def pulled(g: Array) -> tuple[Array, Array, Array]:
        d = xp.empty(x.shape, g.dtype)

        def pull(images: slice) -> tuple[Array, Array]:
            d[images] = g[images]
            return rectified.again(images)[1](d[images])

        parts = in_blocks(x, bytes_each(x, 3), pull)
        return rectified.way_back(d, parts, xp.ones_like(scale))

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
    rectified = Rectified(x, scale, shift, eps)
    gain, y = rectified.gain[:, None], xp.empty((n, *out_shape(x, (kh, kw), 1, padding), c_out), x.dtype)
    with_gain = kernel * gain

    def forward(images: slice) -> None:
        padded, _ = in_frame(x[images].shape, x, frame)
        rectified.put(images, padded, top, left)
        correlate(padded, with_gain, 1, y[images])

    in_blocks(x, bytes_each(x, 2 * kw), forward)

    def pulled(g: Array) -> tuple[Array, ...]:
        flipped = xp.ascontiguousarray(with_gain[::-1, ::-1].swapaxes(2, 3)).reshape(kh, kw * c_out, c)
        d = xp.empty(x.shape, g.dtype)

        def pull(images: slice) -> tuple[Array, Array, Array]:
            rectify_again, pull_back = rectified.again(images)
            pixels = rectify_again().reshape(-1, h * w, c)
            out, to_kernel = d[images].reshape(pixels.shape), xp.empty((kh, kw * c_out, c), g.dtype)
            for i, seen in enumerate(kernel_rows(framed(g[images], around), (kh, kw), 1)):
                if i:
                    out += seen @ flipped[i]
                else:
                    xp.matmul(seen, flipped[i], out=out)
                to_kernel[i] = (seen.swapaxes(1, 2) @ pixels).sum(axis=0)
            return *pull_back(d[images]), to_kernel

        parts = in_blocks(x, bytes_each(x, 2 * kw), pull)
        to_kernel = sum(part[2] for part in parts).reshape(kh, kw, c_out, c)[::-1, ::-1].swapaxes(2, 3)
        return *rectified.way_back(d, parts, rectified.gain), xp.ascontiguousarray(to_kernel) * gain

    return y, pulled


@primitive
def conv2d_max_pool2d_relu(x: Array, kernel: Array, bias: Array, size: int, padding: Padding = "valid") -> Any:
    """relu(max_pool2d(conv2d(x, kernel, padding=padding, bias=bias), size)), where `size` divides conv2d's outputs.

    The convolution's outputs are made in the order of their places in a pooling window: the largest of a window is then
    the largest of as many arrays. Of the outputs only who was largest is kept, and the pixels under the kernel, since
    collecting them takes as long as multiplying them.
    """
    xp = namespace(x)
    (kh, kw, c, c_out), (n, height, width, _) = kernel.shape, x.shape
    frame, (h, w) = frame_of(x, (kh, kw), 1, padding), out_shape(x, (kh, kw), 1, padding)
    (top, bottom), (left, right) = frame
    y = xp.empty((n, h // size, w // size, c_out), x.dtype)
    first = xp.empty((size * size, *y.shape), bool)  # is this place the first largest of its window, and positive
    pixels: dict[int, Array] = {}  # under the kernel, by the first image of a block

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
        pixels[images.start] = seen(images)
        places = (pixels[images.start] @ kernel.reshape(-1, c_out)).reshape(is_first.shape)
        xp.max(places, axis=0, out=out)
        waiting = xp.ones(out.shape, bool)
        for place in range(size * size):
            is_first[place] = (places[place] == out) & waiting
            waiting &= ~is_first[place]
        out += bias
        is_first &= out > 0
        xp.maximum(out, 0, out=out)

    of_an_image = h * w * (kh * kw * c + c_out) * x.itemsize
    in_blocks(x, of_an_image, forward)

    def to_x(g: Array) -> Array:
        d = (g * first).reshape(size, size, *y.shape).transpose(2, 3, 0, 4, 1, 5).reshape(n, h, w, c_out)
        padded = spread(d, kernel, 1, (height + top + bottom, width + left + right))
        return padded[:, top : top + height, left : left + width]

    def to_kernel(g: Array) -> Array:
        def work(images: slice) -> Array:
            d = (g[images] * first[:, images]).reshape(-1, y[0].size // c_out, c_out)
            return (pixels[images.start].reshape(len(d), -1, kh * kw * c).swapaxes(1, 2) @ d).sum(axis=0)

        return sum(in_blocks(x, of_an_image, work)).reshape(kernel.shape)

    return y, (to_x, to_kernel, lambda g: sum_of_rows(g * (y > 0)))
