"""Naive twins of the engine, the optimizers and the RigL loop: one plain Python float at a time, after the papers."""

import math

import numpy as np


def each(f, *arrays):
    """f of the entries that broadcasting brings together."""
    arrays = [np.asarray(a) for a in arrays]
    out = np.empty(np.broadcast_shapes(*(a.shape for a in arrays)))
    for index in np.ndindex(out.shape):
        out[index] = f(*(entry(a, index) for a in arrays))
    return out


def entry(a, index):
    own = index[len(index) - a.ndim :]
    return float(a[tuple(0 if n == 1 else i for i, n in zip(own, a.shape, strict=True))])


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def clip(x, low, high):
    return each(lambda v: low if v < low else high if v > high else v, x)


def matmul(a, b):
    rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.empty((*lead, rows, columns))
    for index in np.ndindex(out.shape):
        *front, i, j = index
        out[index] = math.fsum(entry(a, (*front, i, k)) * entry(b, (*front, k, j)) for k in range(inner))
    return out


def reshape(x, shape):
    out = np.empty(shape)
    for to, of in zip(np.ndindex(out.shape), np.ndindex(x.shape), strict=True):
        out[to] = float(x[of])
    return out


def transpose(x, axes=None):
    order = [x.ndim - 1 - i for i in range(x.ndim)] if axes is None else [a if a >= 0 else a + x.ndim for a in axes]
    out = np.empty([x.shape[axis] for axis in order])
    for index in np.ndindex(x.shape):
        out[tuple(index[axis] for axis in order)] = float(x[index])
    return out


def total(x, axis=None, keepdims=False):
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    gone = {a if a >= 0 else a + x.ndim for a in axes}
    terms = {}
    for index in np.ndindex(x.shape):
        terms.setdefault(tuple(0 if a in gone else i for a, i in enumerate(index)), []).append(float(x[index]))
    out = np.empty([1 if a in gone else n for a, n in enumerate(x.shape)])
    for index, values in terms.items():
        out[index] = math.fsum(values)
    return out if keepdims else reshape(out, [n for a, n in enumerate(x.shape) if a not in gone])


def mean(x, axis=None, keepdims=False):
    sums = total(x, axis, keepdims)
    return each(lambda v: v * sums.size / x.size, sums)


def softmax(row):
    highest = max(row)
    odds = [math.exp(v - highest) for v in row]
    return [o / math.fsum(odds) for o in odds]


def softmax_cross_entropy(logits, labels):
    rows = [[float(v) for v in row] for row in logits]
    return -math.fsum(math.log(softmax(row)[int(y)]) for row, y in zip(rows, labels, strict=True)) / len(rows)


def linear(x, weight, bias):
    return each(lambda a, b: a + b, matmul(x, weight), bias)


def dropout(x, noise, rate):
    return each(lambda v, u: v / (1 - rate) if u >= rate else 0.0, x, noise)


def sgd_steps(w, grads, rates, momentum=0.0, nesterov=False, weight_decay=0.0):
    """One weight's way: [(w, v) after each gradient]."""
    v, path = 0.0, []
    for g, lr in zip(grads, rates, strict=True):
        decayed = g + weight_decay * w
        v = momentum * v + decayed
        w = w - lr * (decayed + momentum * v if nesterov else v)
        path.append((w, v))
    return path


def adam_steps(w, grads, rates, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    """One weight's way: [(w, m, v) after each gradient]."""
    m = v = 0.0
    path = []
    for t, (g, lr) in enumerate(zip(grads, rates, strict=True), 1):
        decayed = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * decayed
        v = betas[1] * v + (1 - betas[1]) * decayed**2
        corrected_m, corrected_v = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        w = w - lr * corrected_m / (math.sqrt(corrected_v) + eps)
        path.append((w, m, v))
    return path


def rigl_run(w, mask, grads, lr, momentum, nesterov, weight_decay, alpha, period, t_end):
    """Algorithm 1 on one flat layer with SGD: [(w, mask, v) after each batch], as lists. grads: one list a batch."""
    places = range(len(w))
    w = [w[i] if mask[i] else 0.0 for i in places]
    mask, v, path = list(mask), [0.0] * len(w), []
    for t, g in enumerate(grads):
        if t >= period and t % period == 0 and t < t_end:
            active = [i for i in places if mask[i]]
            k = math.floor(alpha / 2 * (1 + math.cos(math.pi * t / t_end)) * len(active))
            dropped = sorted(active, key=lambda i: (abs(w[i]), i))[:k]
            kept = set(active) - set(dropped)
            grown = sorted(set(places) - kept, key=lambda i: (-abs(g[i]), i))[:k]
            mask = [i in kept or i in grown for i in places]
        else:
            for i in places:
                decayed = g[i] + weight_decay * w[i]
                v[i] = momentum * v[i] + decayed
                w[i] = w[i] - lr * (decayed + momentum * v[i] if nesterov else v[i])
        w = [w[i] if mask[i] else 0.0 for i in places]
        v = [v[i] if mask[i] else 0.0 for i in places]
        path.append((list(w), list(mask), list(v)))
    return path
