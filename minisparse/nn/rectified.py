"""Batch norm and ReLU in one step, for the passes in which they stand before something else."""

import math
from collections.abc import Callable

from ..backend import Array, namespace
from ..channels import along_line, as_lines, by_channel, moments, total_of
from ..loops import compiled
from ..threads import in_blocks

Pull = Callable[[Array], tuple[Array, Array]]
FAR = 16  # scales: beside a larger shift the pixels would lose more than a digit
TINY = 1e-15  # a gradient times a smaller gain could leave the range of float32


class Rectified:
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
        rows = (self.mean - self.level, one, one * 0) if self.factored else (self.mean, slope, shift)
        self.lines = [along_line(x, row) for row in rows]
        fit = {line.size for line in self.lines} == {math.prod(x.shape[-2:])}
        self.loops = compiled(x.size, x, *self.lines) if fit else None

    def put(self, images: slice, y: Array, top: int = 0, left: int = 0) -> None:
        """The rectified images, divided by gain, written into y from its line `top` and column `left` on."""
        n, h, w, c = self.x[images].shape
        if self.loops:
            lines, into = self.x[images].reshape(n, h, w * c), y.reshape(*y.shape[:2], y.shape[2] * c)
            return self.loops.rectified(lines, *self.lines, into, top, left * c)
        out = y[:, top : top + h, left : left + w]
        namespace(y).maximum(self.before_relu(images)[1].reshape(out.shape), 0, out=out)

    def before_relu(self, images: slice) -> tuple[Array, Array]:
        """x − mean + level, and what the ReLU sees, divided by gain, as lines: one array where they are equal."""
        centred = as_lines(self.x, self.x[images]) - self.lines[0]
        if self.factored:
            return centred, centred
        normal = centred * self.lines[1]
        normal += self.lines[2]
        return centred, normal

    def again(self, images: slice) -> tuple[Callable[[], Array], Pull]:
        """(a function that makes the rectified images again, divided by gain; a function for their way back).

        pull(d), with d the gradient of the rectified images, multiplies it by 0 where the ReLU is off, and returns Σ d
        and Σ d (x − mean + level).
        """
        xp, x = namespace(self.x), self.x
        if self.loops:
            loops = self.loops

            def made() -> Array:
                self.put(images, y := xp.empty(x[images].shape, x.dtype))
                return y

            def in_one_loop(d: Array) -> tuple[Array, Array]:
                total, by_x = (xp.zeros(len(self.lines[0]), d.dtype) for _ in "dx")
                loops.pulled(as_lines(x, x[images]), *self.lines, as_lines(x, d), total, by_x)
                return by_channel(x, total), by_channel(x, by_x)

            return made, in_one_loop

        centred, normal = self.before_relu(images)
        on = normal > 0

        def pull(d: Array) -> tuple[Array, Array]:
            lines = as_lines(x, d)
            lines *= on
            return total_of(x, lines), total_of(x, lines, centred)

        return lambda: xp.multiply(normal, on, out=normal).reshape(x[images].shape), pull

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
            out, lines = as_lines(self.x, d[images]), as_lines(self.x, self.x[images])
            if self.loops:
                return self.loops.three_terms(out, rest, lines, slope, offset)
            by_x = lines * slope
            by_x += offset
            if not done:
                out *= rest
            out += by_x

        in_blocks(self.x, bytes_each(self.x, 2), work)
        return d, to_scale, to_shift


def bytes_each(x: Array, times: int) -> int:
    return times * x.nbytes // len(x)
