"""Slow, obviously right twins of the package's functions: plain loops, sorted lists, exact fractions."""

from fractions import Fraction
from itertools import pairwise
from math import floor, prod
from statistics import pstdev

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


def slow_magnitude_mask(weight, n_keep, mask=None):
    return slow_top_k(np.abs(weight), n_keep, mask)


def slow_global_magnitude_masks(weights, n_keep, masks):
    places = [(name, i) for name in weights for i in np.flatnonzero(masks[name]).tolist()]
    kept = sorted(places, key=lambda place: -abs(weights[place[0]].ravel()[place[1]]))[:n_keep]  # stable
    return {name: _marked([i for layer, i in kept if layer == name], w.shape) for name, w in weights.items()}


def slow_threshold(weight, quality, mask):
    survivors = [float(w) for w, on in zip(weight.ravel(), mask.ravel(), strict=True) if on]
    return quality * pstdev(survivors) if survivors else 0.0


def slow_remove_dead_units(masks, order):
    """Look at every unit in turn, as often as there was one to take out."""
    masks = {name: mask.copy() for name, mask in masks.items()}
    changed = True
    while changed:
        changed = False
        for before, after in pairwise(order):
            n_out = masks[before].shape[-1]
            for unit in range(n_out):
                incoming = masks[before][..., unit]
                outgoing = masks[after][..., unit::n_out, :]
                if incoming.any() != outgoing.any():
                    incoming[...] = outgoing[...] = False
                    changed = True
    return masks


def _marked(indices, shape):
    flat = [False] * prod(shape)
    for i in indices:
        flat[i] = True
    return np.array(flat, dtype=bool).reshape(shape)
