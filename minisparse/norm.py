"""Batch normalisation of x (…, C), channel by channel (Ioffe & Szegedy 2015)."""

from typing import Any

from .autograd import primitive
from .backend import Array, namespace
from .blocks import in_blocks


@primitive
def batch_norm(x: Array, scale: Array, shift: Array, eps: float) -> Any:
    """(x − mean) / √(var + eps) · scale + shift, with mean and variance (divided by n) over all axes but the last."""
    xp = namespace(x)
    n, c = x.size // x.shape[-1], x.shape[-1]
    per_line = x.shape[-2] if x.ndim > 2 else 1  # arithmetic runs along whole lines of an image: long rows are fast

    def lines(a: Array) -> Array:
        return a.reshape(-1, per_line * c)

    def along(row: Array) -> Array:
        return xp.tile(row.astype(x.dtype), per_line)

    def total(a: Array) -> Array:
        return (xp.ones(len(a), a.dtype) @ a).reshape(per_line, c).sum(axis=0)

    def moments(block: slice) -> tuple[int, Array, Array]:
        """How many, their mean and their sum of squares around it."""
        a = lines(x[block])
        size = a.size // c
        mean = total(a) / size
        a = a - along(mean)
        a *= a
        return size, mean, total(a)

    each = 2 * x.nbytes // max(len(x), 1)
    parts = in_blocks(x, each, moments)
    mean = sum(size * own for size, own, _ in parts) / n
    var = sum(squares + size * (own - mean) ** 2 for size, own, squares in parts) / n
    sharp = 1 / xp.sqrt(var + eps)

    y = xp.empty(x.shape, x.dtype)
    mean_line, gain_line, shift_line = along(mean), along(scale * sharp), along(shift)

    def forward(block: slice) -> None:
        out = lines(y[block])
        xp.subtract(lines(x[block]), mean_line, out=out)
        out *= gain_line
        out += shift_line

    in_blocks(x, each, forward)

    def pulled(g: Array) -> tuple[Array, Array, Array]:
        def sums(block: slice) -> tuple[Array, Array]:
            own = lines(g[block])
            centred = lines(x[block]) - mean_line
            centred *= own
            return total(own), total(centred)

        both = in_blocks(x, each, sums)
        to_shift, to_scale = sum(own for own, _ in both), sum(own for _, own in both) * sharp
        # dx = gain (g − to_shift / n − normal to_scale / n), where normal is (x − mean) sharp, gathered by x and by 1
        slope = -scale * sharp * sharp * to_scale / n
        slope_line, offset_line = along(slope), along(-scale * sharp * to_shift / n - slope * mean)
        dx = xp.empty(x.shape, g.dtype)

        def pull(block: slice) -> None:
            out, by_x = lines(dx[block]), lines(x[block]) * slope_line
            xp.multiply(lines(g[block]), gain_line, out=out)
            out += by_x
            out += offset_line

        in_blocks(x, each, pull)
        return dx, to_scale, to_shift

    return y, pulled
