"""Slow, obviously right twins of the package's functions: plain loops, sorted lists, exact fractions."""

from fractions import Fraction
from math import floor, prod

import numpy as np


def slow_top_k(score, k, among=None):
    candidates = range(score.size) if among is None else np.flatnonzero(among).tolist()
    values = score.ravel().tolist()
    return _marked(sorted(candidates, key=lambda i: (-values[i], i))[:k], score.shape)


def slow_kept(weight, mask, k):
    active = [i for i, on in enumerate(mask.ravel().tolist()) if on]
    values = weight.ravel().tolist()
    return _marked(sorted(active, key=lambda i: (abs(values[i]), i))[k:], mask.shape)


def slow_rigl_update(weight, mask, dense_grad, k):
    kept = np.flatnonzero(slow_kept(weight, mask, k)).tolist()
    values = dense_grad.ravel().tolist()
    free = [i for i in range(mask.size) if i not in kept]
    return _marked(kept + sorted(free, key=lambda i: (-abs(values[i]), i))[:k], mask.shape)


def slow_scaled(shapes, density, dense, raw):
    """min(1, scale × raw): what is spent grows with the scale, in straight pieces that bend where a layer fills up."""
    size = {name: prod(shape) for name, shape in shapes.items() if name not in dense}
    budget = Fraction(density) * sum(size.values())
    slope = {name: Fraction(raw(shapes[name])) for name in size}
    if not size:
        return dict.fromkeys(shapes, Fraction(1))

    def spent(scale):
        return sum(min(Fraction(1), scale * slope[name]) * size[name] for name in size)

    bend = next(scale for scale in sorted({1 / r for r in slope.values()}) if spent(scale) >= budget)
    growing = [name for name in size if slope[name] * bend <= 1]
    filled = sum(size[name] for name in size if name not in growing)
    scale = (budget - filled) / sum(slope[name] * size[name] for name in growing)
    return {name: scale * slope[name] if name in growing else Fraction(1) for name in shapes}


def er_raw(shape):
    n_in, n_out = shape[-2:]
    return Fraction(n_in + n_out, n_in * n_out)


def erk_raw(shape):
    return Fraction(sum(shape), prod(shape))


def slow_counts(shapes, densities):
    """`densities` are fractions."""
    quota = {name: densities[name] * prod(shape) for name, shape in shapes.items()}
    return _largest_remainder(round(sum(quota.values())), quota)


def slow_apportion(total, shares, room):
    counts = {}
    while len(counts) < len(shares):
        share = {name: Fraction(s) for name, s in shares.items() if name not in counts}
        if sum(share.values()) == 0:
            share = dict.fromkeys(share, Fraction(1))
        left = total - sum(counts.values())
        quota = {name: left * s / sum(share.values()) for name, s in share.items()}
        full = [name for name in quota if quota[name] >= room[name]]
        if not full:
            return counts | _largest_remainder(left, quota)
        for name in full:
            counts[name] = room[name]
    return counts


def _largest_remainder(total, quota):
    counts = {name: floor(q) for name, q in quota.items()}
    by_remainder = sorted(quota, key=lambda name: counts[name] - quota[name])  # stable: the earlier key first
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def _marked(indices, shape):
    flat = [False] * prod(shape)
    for i in indices:
        flat[i] = True
    return np.array(flat, dtype=bool).reshape(shape)
