"""Naive twins of convolution, pooling and batch norm: loops over every output and every entry that it sees."""

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


def pool(reduce, x, size, stride=None, padding="valid"):
    """Entries outside the image are in no window's list."""
    stride = stride or size
    (top, bottom), (left, right) = (sides(n, size, stride, padding) for n in x.shape[1:3])
    h_out = (top + x.shape[1] + bottom - size) // stride + 1
    w_out = (left + x.shape[2] + right - size) // stride + 1
    y = np.zeros((len(x), h_out, w_out, x.shape[3]))
    for n, h, w, c in np.ndindex(y.shape):
        rows = [r for r in range(h * stride - top, h * stride - top + size) if 0 <= r < x.shape[1]]
        columns = [r for r in range(w * stride - left, w * stride - left + size) if 0 <= r < x.shape[2]]
        y[n, h, w, c] = reduce([float(x[n, i, j, c]) for i in rows for j in columns])
    return y


def max_pool2d(x, size, stride=None, padding="valid"):
    return pool(max, x, size, stride, padding)


def avg_pool2d(x, size, stride=None):
    return pool(lambda window: math.fsum(window) / len(window), x, size, stride)


def batch_norm(x, scale, shift, eps):
    y = np.zeros(x.shape)
    for c in range(x.shape[-1]):
        values = [float(v) for v in x[..., c].ravel()]
        mean = math.fsum(values) / len(values)
        var = math.fsum((v - mean) ** 2 for v in values) / len(values)
        normal = [(v - mean) / math.sqrt(var + eps) for v in values]
        y[..., c] = np.reshape([n * float(scale[c]) + float(shift[c]) for n in normal], x.shape[:-1])
    return y


def normalised(x, scale, shift, mean, var, eps):
    y = np.zeros_like(x)
    for *place, c in np.ndindex(x.shape):
        y[*place, c] = (x[*place, c] - mean[c]) / math.sqrt(var[c] + eps) * scale[c] + shift[c]
    return y


def batch_norm_relu(x, scale, shift, eps):
    return np.maximum(batch_norm(x, scale, shift, eps), 0)


def batch_norm_relu_conv2d(x, scale, shift, kernel, eps, padding):
    return conv2d(batch_norm_relu(x, scale, shift, eps), kernel, padding=padding)


def conv2d_max_pool2d_relu(x, kernel, bias, size, padding):
    return np.maximum(max_pool2d(conv2d(x, kernel, padding=padding) + bias, size), 0)
