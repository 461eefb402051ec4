"""Primitives that compute what several layers compute in one pass over blocks of images.

Layer by layer, every result is written to memory and read again. Here the way back makes the small steps between two
products a second time, from the inputs. `nn.fused` decides where; held to the layers themselves by
tests/nn/test_fused.py.
"""

from typing import Any

from ..autograd import primitive
from ..backend import Array, namespace
from ..channels import along_line, as_lines, moments, sum_of_rows, total_of
from ..conv import correlate, spread
from ..ops import linear
from ..threads import in_blocks, rectify, where_positive
from ..windows import Padding, frame_of, framed, in_frame, kernel_rows, out_shape

FAR = 16  # scales: beside a larger shift the pixels would lose more than a digit
TINY = 1e-15  # a gradient times a smaller gain could leave the range of float32


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


class _Rectified:
    """max(batch_norm(x), 0), made for a block of images whenever it is needed, and the way back to x.

    With gain = scale / √(var + eps) > 0 this is gain · max(x − threshold, 0), threshold = mean − shift / gain: one pass
    over the images instead of three, with the gain left to what follows. Where a scale is small beside its shift, or
    hardly positive, gain is 1 and the images are normalised as the layer does it.
    """

    def __init__(self, x: Array, scale: Array, shift: Array, eps: float):
        self.x, self.scale, (self.mean, var) = x, scale, moments(x)
        root = namespace(x).sqrt(var + eps)
        self.sharp = 1 / root
        slope, one = scale * self.sharp, namespace(x).ones_like(scale)
        self.factored = bool((abs(shift) <= FAR * scale).all() and (slope > TINY).all())
        self.gain = slope if self.factored else one
        self.level = shift / scale * root if self.factored else one * 0  # that of the ReLU's zero, below the mean
        rows = (self.mean - self.level,) if self.factored else (self.mean, slope, shift)
        self.lines = [along_line(x, row) for row in rows]

    def before_relu(self, images: slice) -> tuple[Array, Array]:
        """x − mean + level, and what the ReLU sees, divided by gain, as lines: one array where they are equal."""
        centred = as_lines(self.x, self.x[images]) - self.lines[0]
        if self.factored:
            return centred, centred
        normal = centred * self.lines[1]
        normal += self.lines[2]
        return centred, normal

    def sums(self, d: Array, centred: Array) -> tuple[Array, Array]:
        """Σ d and Σ d (x − mean + level), for lines d that are zero where the ReLU is off."""
        return total_of(self.x, d), total_of(self.x, d, centred)

    def way_back(self, d: Array, parts: list, gain: Array) -> tuple[Array, Array, Array]:
        """The gradients of x, which is written into d, of scale and of shift: batch_norm's, from the sums of blocks.

        gain: a factor that d, and with it the sums, already have.
        """
        n = self.x.size // len(self.mean)
        to_shift = sum(part[0] for part in parts) / gain
        to_scale = (sum(part[1] for part in parts) / gain - self.level * to_shift) * self.sharp
        slope = -self.scale * self.sharp * self.sharp * to_scale / n
        offset = -self.scale * self.sharp * to_shift / n - slope * self.mean
        rest = self.scale * self.sharp / gain
        done = bool((rest == 1).all())
        rest, slope, offset = (along_line(self.x, row) for row in (rest, slope, offset))

        def work(images: slice) -> None:
            out, by_x = as_lines(self.x, d[images]), as_lines(self.x, self.x[images]) * slope
            by_x += offset
            if not done:
                out *= rest
            out += by_x

        in_blocks(self.x, _bytes_each(self.x, 2), work)
        return d, to_scale, to_shift


@primitive
def batch_norm_relu(x: Array, scale: Array, shift: Array, eps: float) -> Any:
    """relu(batch_norm(x, scale, shift, eps)) for images x (N, H, W, C)."""
    xp, rectified = namespace(x), _Rectified(x, scale, shift, eps)
    y, gain = xp.empty(x.shape, x.dtype), along_line(x, rectified.gain)

    def forward(images: slice) -> None:
        out = as_lines(x, y[images])
        xp.maximum(rectified.before_relu(images)[1], 0, out=out)
        if rectified.factored:
            out *= gain

    in_blocks(x, _bytes_each(x, 3), forward)

    def pulled(g: Array) -> tuple[Array, Array, Array]:
        d = xp.empty(x.shape, g.dtype)

        def pull(images: slice) -> tuple[Array, Array]:
            centred, normal = rectified.before_relu(images)
            out = as_lines(x, d[images])
            xp.multiply(as_lines(x, g[images]), normal > 0, out=out)
            return rectified.sums(out, centred)

        parts = in_blocks(x, _bytes_each(x, 3), pull)
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
    rectified = _Rectified(x, scale, shift, eps)
    gain, y = rectified.gain[:, None], xp.empty((n, *out_shape(x, (kh, kw), 1, padding), c_out), x.dtype)
    with_gain = kernel * gain

    def forward(images: slice) -> None:
        padded, inside = in_frame(x[images].shape, x, frame)
        xp.maximum(rectified.before_relu(images)[1].reshape(inside.shape), 0, out=inside)
        correlate(padded, with_gain, 1, y[images])

    in_blocks(x, _bytes_each(x, 2 * kw), forward)

    def pulled(g: Array) -> tuple[Array, ...]:
        flipped = xp.ascontiguousarray(with_gain[::-1, ::-1].swapaxes(2, 3)).reshape(kh, kw * c_out, c)
        d = xp.empty(x.shape, g.dtype)

        def pull(images: slice) -> tuple[Array, Array, Array]:
            centred, normal = rectified.before_relu(images)
            on = normal > 0
            normal *= on
            pixels = normal.reshape(len(x[images]), h * w, c)
            out, to_kernel = d[images].reshape(pixels.shape), xp.empty((kh, kw * c_out, c), g.dtype)
            for i, seen in enumerate(kernel_rows(framed(g[images], around), (kh, kw), 1)):
                if i:
                    out += seen @ flipped[i]
                else:
                    xp.matmul(seen, flipped[i], out=out)
                to_kernel[i] = (seen.swapaxes(1, 2) @ pixels).sum(axis=0)
            lines = as_lines(x, d[images])
            lines *= on
            return *rectified.sums(lines, centred), to_kernel

        parts = in_blocks(x, _bytes_each(x, 2 * kw), pull)
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

    bytes_each = h * w * (kh * kw * c + c_out) * x.itemsize
    in_blocks(x, bytes_each, forward)

    def to_x(g: Array) -> Array:
        d = (g * first).reshape(size, size, *y.shape).transpose(2, 3, 0, 4, 1, 5).reshape(n, h, w, c_out)
        padded = spread(d, kernel, 1, (height + top + bottom, width + left + right))
        return padded[:, top : top + height, left : left + width]

    def to_kernel(g: Array) -> Array:
        def work(images: slice) -> Array:
            d = (g[images] * first[:, images]).reshape(-1, y[0].size // c_out, c_out)
            return (pixels[images.start].reshape(len(d), -1, kh * kw * c).swapaxes(1, 2) @ d).sum(axis=0)

        return sum(in_blocks(x, bytes_each, work)).reshape(kernel.shape)

    return y, (to_x, to_kernel, lambda g: sum_of_rows(g * (y > 0)))


def _bytes_each(x: Array, times: int) -> int:
    return times * x.nbytes // len(x)
