"""Naive twins of convolution and pooling: nested loops over every output and every entry of its window."""

import math

import numpy as np


def sides(n, k, stride, padding):
    if padding == "same":
        total = max((math.ceil(n / stride) - 1) * stride + k - n, 0)
        return total // 2, total - total // 2
    return (0, 0) if padding == "valid" else (padding, padding)


def padded(x, kh, kw, stride, padding):
    return np.pad(x, [(0, 0), sides(x.shape[1], kh, stride, padding), sides(x.shape[2], kw, stride, padding), (0, 0)])


def conv2d(x, kernel, stride=1, padding="valid", groups=1):
    kh, kw, c_group, c_out = kernel.shape
    x = padded(x, kh, kw, stride, padding)
    y = np.zeros((len(x), (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1, c_out))
    for n, h, w, o in np.ndindex(y.shape):
        first = o // (c_out // groups) * c_group
        for i in range(kh):
            for j in range(kw):
                for c in range(c_group):
                    y[n, h, w, o] += x[n, h * stride + i, w * stride + j, first + c] * kernel[i, j, c, o]
    return y


def depthwise_conv2d(x, kernel, stride=1, padding="valid"):
    kh, kw, channels, multiplier = kernel.shape
    x = padded(x, kh, kw, stride, padding)
    y = np.zeros((len(x), (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1, channels * multiplier))
    for n, h, w, o in np.ndindex(y.shape):
        c, m = divmod(o, multiplier)
        for i in range(kh):
            for j in range(kw):
                y[n, h, w, o] += x[n, h * stride + i, w * stride + j, c] * kernel[i, j, c, m]
    return y


def pool(reduce, x, size, stride=None):
    stride = stride or size
    y = np.zeros((len(x), (x.shape[1] - size) // stride + 1, (x.shape[2] - size) // stride + 1, x.shape[3]))
    for n, h, w, c in np.ndindex(y.shape):
        window = [float(x[n, h * stride + i, w * stride + j, c]) for i in range(size) for j in range(size)]
        y[n, h, w, c] = reduce(window)
    return y


def max_pool2d(x, size, stride=None):
    return pool(max, x, size, stride)


def avg_pool2d(x, size, stride=None):
    return pool(lambda window: math.fsum(window) / len(window), x, size, stride)
