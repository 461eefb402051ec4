"""Calls of convolution, pooling and batch norm for the table in test_ops: small images, kernels 1-4, strides 1-3."""

import numpy as np
import slow_conv as slow
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

NUMBERS = st.integers(-16, 16).map(lambda n: n / 8)  # sums of them and of their products are exact in single precision


def image(draw, channels, least):
    h, w = (draw(st.integers(least, least + 3)) for _ in "hw")
    return draw(arrays(float, (draw(st.integers(1, 2)), h, w, channels), elements=NUMBERS))


@st.composite
def convolved(draw):
    kh, kw, c_group, out_group, groups = (draw(st.integers(1, n)) for n in (3, 4, 2, 2, 2))
    x = image(draw, c_group * groups, max(kh, kw))
    kernel = draw(arrays(float, (kh, kw, c_group, out_group * groups), elements=NUMBERS))
    padding = draw(st.sampled_from(["valid", "same", 0, 1, 2]))
    return (x, kernel), {"stride": draw(st.integers(1, 3)), "padding": padding, "groups": groups}


@st.composite
def depthwise(draw):
    kh, kw, channels, multiplier = (draw(st.integers(1, n)) for n in (3, 3, 3, 2))
    x = image(draw, channels, max(kh, kw))
    kernel = draw(arrays(float, (kh, kw, channels, multiplier), elements=NUMBERS))
    return (x, kernel), {"stride": draw(st.integers(1, 3)), "padding": draw(st.sampled_from(["valid", "same", 1]))}


@st.composite
def pooled(draw, distinct=False):
    size = draw(st.integers(1, 3))
    x = image(draw, draw(st.integers(1, 2)), size)
    if distinct:
        x = np.array(draw(st.permutations(range(x.size)))).reshape(x.shape) / 10
    return (x,), {"size": size, "stride": draw(st.sampled_from([None, 1, 2, 3]))}


@st.composite
def max_pooled(draw):
    points, static = draw(pooled(distinct=True))
    padding = draw(st.sampled_from(["valid", "same", *range(static["size"] // 2 + 1)]))
    return points, {**static, "padding": padding}


@st.composite
def normalised(draw):
    shape = draw(array_shapes(min_dims=2, max_dims=4, max_side=3))
    x = draw(arrays(float, shape, elements=NUMBERS))
    scale, shift = (draw(arrays(float, shape[-1], elements=NUMBERS)) for _ in "ab")
    return (x, scale, shift), {"eps": draw(st.sampled_from([0.25, 1.0]))}


@st.composite
def with_stats(draw):
    (x, scale, shift), static = draw(normalised())
    mean, var = (draw(arrays(float, scale.shape, elements=NUMBERS)) for _ in "mv")
    return (x, scale, shift), {**static, "mean": mean, "var": abs(var)}


def drawn(draw, *shape):
    """Multiples of 1/64: few of their sums of products are equal, and all are exact in single precision."""
    return np.random.default_rng(draw(st.integers(0, 2**32))).integers(-64, 65, shape) / 64


@st.composite
def rectified(draw):
    shape = draw(array_shapes(min_dims=4, max_dims=4, max_side=3))
    points = drawn(draw, *shape), drawn(draw, shape[-1]), drawn(draw, shape[-1])
    static = {"eps": draw(st.sampled_from([0.25, 1.0]))}
    assume(abs(slow.batch_norm(*points, **static)).min() > 1e-3)
    return points, static


@st.composite
def rectified_and_convolved(draw):
    points, static = draw(rectified())
    kh, kw = (draw(st.integers(1, min(n, 3))) for n in points[0].shape[1:3])
    kernel = abs(drawn(draw, kh, kw, points[0].shape[3], draw(st.integers(1, 3))))  # single precision cancels nothing
    return (*points, kernel), {**static, "padding": draw(st.sampled_from(["valid", "same", 0, 1, 2]))}


@st.composite
def convolved_and_pooled(draw):
    size, kh, kw, c, c_out, n = (draw(st.integers(1, most)) for most in (3, 3, 3, 2, 3, 2))
    h, w = (size * draw(st.integers(1, 2)) for _ in "hw")
    padding = draw(st.sampled_from([0, 1]))
    assume(min(kh, kw) > 2 * padding)
    x = drawn(draw, n, h + kh - 1 - 2 * padding, w + kw - 1 - 2 * padding, c)
    points, static = (x, drawn(draw, kh, kw, c, c_out), drawn(draw, c_out)), {"size": size, "padding": padding}
    y = slow.conv2d(x, points[1], padding=padding)
    assume(slow.pool(lambda window: len({*window}) == len(window), y, size).all())
    assume((slow.max_pool2d(y, size) + points[2]).all())
    return points, static


CONV_TABLE = {
    "batch_norm_relu": (slow.batch_norm_relu, rectified()),
    "batch_norm_relu_conv2d": (slow.batch_norm_relu_conv2d, rectified_and_convolved()),
    "conv2d_max_pool2d_relu": (slow.conv2d_max_pool2d_relu, convolved_and_pooled()),
    "conv2d": (slow.conv2d, convolved()),
    "depthwise_conv2d": (slow.depthwise_conv2d, depthwise()),
    "max_pool2d": (slow.max_pool2d, max_pooled()),
    "avg_pool2d": (slow.avg_pool2d, pooled()),
    "batch_norm": (slow.batch_norm, normalised()),
    "normalised": (slow.normalised, with_stats()),
}
