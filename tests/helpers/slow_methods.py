"""Slow, obviously right twins of the package's functions: plain loops, sorted lists, exact fractions."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, product
from math import floor, fsum, prod
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


def slow_set_counts(weight, mask, zeta):
    active = [w for w, on in zip(weight.ravel().tolist(), mask.ravel().tolist(), strict=True) if on]
    n_negative = len([w for w in active if w < 0])
    return floor(zeta * n_negative), floor(zeta * (len(active) - n_negative))


def slow_set_kept(weight, mask, n_negative, n_positive):
    values = weight.ravel().tolist()
    active = np.flatnonzero(mask).tolist()
    negative = sorted([i for i in active if values[i] < 0], key=lambda i: (-values[i], i))
    positive = sorted([i for i in active if i not in negative], key=lambda i: (values[i], i))
    return _marked(negative[n_negative:] + positive[n_positive:], mask.shape)


def slow_set_update(weight, mask, noise, n_negative, n_positive):
    return _grown(slow_set_kept(weight, mask, n_negative, n_positive), noise, n_negative + n_positive)


def slow_set_update_by_magnitude(weight, mask, noise, k):
    return _grown(slow_kept(weight, mask, k), noise, k)


def slow_shares(momentum, masks):
    """Exact fractions, of finite momentum."""
    means = {}
    for name, mask in masks.items():
        active = [abs(Fraction(m)) for m in momentum[name][mask].tolist()]
        means[name] = sum(active) / len(active) if active else Fraction(0)
    total = sum(means.values())
    return {name: mean / total if total else Fraction(1, len(means)) for name, mean in means.items()}


def slow_snfs_update(weights, masks, momentum, n_drop):
    kept = {name: slow_kept(weights[name], mask, n_drop[name]) for name, mask in masks.items()}
    room = {name: int((~k).sum()) for name, k in kept.items()}
    n_grow = slow_apportion(sum(n_drop.values()), slow_shares(momentum, masks), room)
    return {name: _grown(k, abs(momentum[name]), n_grow[name]) for name, k in kept.items()}


def slow_snip_masks(weights, grads, n_keep):
    effects = []
    for layer, name in enumerate(weights):
        for i, (w, g) in enumerate(zip(weights[name].ravel().tolist(), grads[name].ravel().tolist(), strict=True)):
            effects.append((-abs(w * g), layer, i))
    kept = sorted(effects)[:n_keep]
    return {
        name: _marked([i for _, at, i in kept if at == layer], weights[name].shape)
        for layer, name in enumerate(weights)
    }


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


def _grown(kept, score, k):
    values, chosen = score.ravel().tolist(), np.flatnonzero(kept).tolist()
    free = [i for i in range(kept.size) if i not in chosen]
    return _marked(chosen + sorted(free, key=lambda i: (-values[i], i))[:k], kept.shape)


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


def slow_n_of_m_mask(score, n, m):
    mask = np.zeros(score.shape, bool)
    *outer, n_in, n_out = score.shape
    for place in product(*map(range, outer), range(0, n_in, m), range(n_out)):
        *at, first, j = place
        for i in _highest([float(score[(*at, first + i, j)]) for i in range(m)], n):
            mask[(*at, first + i, j)] = True
    return mask


def slow_block_mask(score, n_keep, block):
    *outer, n_in, n_out = score.shape
    corners = list(product(*map(range, outer), range(0, n_in, block[0]), range(0, n_out, block[1])))
    part = lambda at: (*at[:-2], slice(at[-2], at[-2] + block[0]), slice(at[-1], at[-1] + block[1]))
    mask = np.zeros(score.shape, bool)
    for chosen in _highest([fsum(score[part(at)].ravel().tolist()) for at in corners], n_keep):
        mask[part(corners[chosen])] = True
    return mask


def slow_unit_mask(score, n_keep):
    by_unit = score.reshape(-1, score.shape[-1])
    kept = _highest([fsum(column) for column in by_unit.T.tolist()], n_keep)
    return np.array([i % score.shape[-1] in kept for i in range(score.size)], bool).reshape(score.shape)


def slow_effect_on_gradient_flow(weights, products):
    return {name: np.vectorize(lambda a, b: -(a * b), otypes=[float])(w, products[name]) for name, w in weights.items()}


def slow_grasp_masks(weights, products, n_keep):
    effects = []
    for layer, name in enumerate(weights):
        for i, (w, p) in enumerate(zip(weights[name].ravel().tolist(), products[name].ravel().tolist(), strict=True)):
            effects.append((-w * p, layer, i))
    kept = sorted(effects)[:n_keep]
    return {
        name: _marked([i for _, at, i in kept if at == layer], weights[name].shape)
        for layer, name in enumerate(weights)
    }


def slow_flow(weights, grads):
    return {name: np.vectorize(lambda a, b: abs(a) * b, otypes=[float])(w, grads[name]) for name, w in weights.items()}


def slow_n_kept(size, density, step, steps):
    return round(size * Decimal(str(density)) ** (Decimal(step) / Decimal(steps)))


def _highest(scores, k):
    """The places of the k highest of a list, lower places first among equals."""
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
