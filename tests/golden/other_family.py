"""The functions of `family` and `ancestors` again, in other ways: heaps, exact fractions and matrices."""

import heapq
import math
from fractions import Fraction

import numpy as np

from tests.golden import other_masks
from tests.golden.other_masks import _mask, _places, _take


def deep_r_update(weight, mask, negative, noise):
    theta = np.where(negative, -weight, weight)
    stays = {place for place in _places(mask) if theta.flat[place] >= 0}
    n = len(_places(mask)) - len(stays)
    return _mask(stays | _take(noise.ravel().tolist(), set(range(mask.size)) - stays, n), mask)


def dsr_update(weights, masks, noise, threshold):
    stays, lost = {}, 0
    for name, mask in masks.items():
        stays[name] = {place for place in _places(mask) if not -threshold < weights[name].flat[place] < threshold}
        lost += len(_places(mask)) - len(stays[name])
    n_grow = other_masks.apportion(
        lost,
        {name: len(own) for name, own in stays.items()},
        {name: mask.size - len(stays[name]) for name, mask in masks.items()},
    )
    free = {name: set(range(mask.size)) - stays[name] for name, mask in masks.items()}
    return {
        name: _mask(stays[name] | _take(noise[name].ravel().tolist(), free[name], n_grow[name]), mask)
        for name, mask in masks.items()
    }


def next_threshold(threshold, n_pruned, n_target, tolerance=0.1):
    off = Fraction(n_pruned - n_target)
    allowed = Fraction(str(tolerance)) * n_target
    return threshold * 2.0 ** (0 if abs(off) <= allowed else 1 if off < 0 else -1)


def granet_prune(weights, masks, n_keep):
    """Takes away the smallest, the last of equals, until n_keep are left."""
    heap = [(abs(float(weights[name].flat[place])), -layer, -place, name)
            for layer, (name, mask) in enumerate(masks.items()) for place in sorted(_places(mask))]  # fmt: skip
    heapq.heapify(heap)
    while len(heap) > n_keep:
        heapq.heappop(heap)
    return {name: _mask({-place for _, _, place, own in heap if own == name}, mask) for name, mask in masks.items()}


def regenerate(weight, mask, dense_grad, n_update):
    stays = _places(mask) - _take([-abs(w) for w in weight.ravel().tolist()], _places(mask), n_update)
    free = set(range(mask.size)) - stays
    return _mask(stays | _take([abs(g) for g in dense_grad.ravel().tolist()], free, n_update), mask)


def srigl_update(weight, mask, dense_grad, n_update, n_budget, gamma=0.3):
    size, grad = abs(weight).ravel().tolist(), abs(dense_grad).ravel().tolist()
    n_out, n_all = weight.shape[-1], set(range(weight.size))
    stays = _places(mask) - _take([-s for s in size], _places(mask), n_update)
    salient = stays | _take(grad, n_all - stays, n_update)
    count = [sum(place % n_out == j for place in salient) for j in range(n_out)]
    enough = [j for j in range(n_out) if Fraction(count[j]) >= Fraction(str(gamma)) * (n_budget // n_out)]
    needed = _take(count, set(range(n_out)), math.ceil(Fraction(n_budget * n_out, weight.size)))
    alive = needed | set(enough)
    new = set()
    for j in alive:
        inputs = {place for place in n_all if place % n_out == j}
        own = _take(size, inputs & stays, min(n_budget // len(alive), len(inputs & stays)))
        new |= own | _take(grad, inputs - own, n_budget // len(alive) - len(own))
    return _mask(new, weight)


def ac_dc_compressed(step, warmup, phase, last):
    if not warmup <= step < last:
        return step >= last
    n_pairs = (last - warmup) // (2 * phase)
    return step < warmup + 2 * phase * n_pairs and (step - warmup) % (2 * phase) < phase


def ac_dc_masks(weights, n_keep):
    return other_masks.global_magnitude_masks(weights, n_keep)


def forward_and_backward(weight, n_forward, n_backward):
    order = sorted(range(weight.size), key=lambda place: (-abs(weight.flat[place]), place))
    return _mask(order[:n_forward], weight), _mask(order[:n_backward], weight)


def top_kast_strength(forward, backward):
    density = np.count_nonzero(forward) / forward.size
    return np.where(forward, 1.0, np.where(backward, 1.0 / density if density else 0.0, 0.0))


def seen_mask(weight, n_keep, noise=None):
    rank = (abs(weight) if noise is None else noise).ravel().tolist()
    return _mask(heapq.nsmallest(n_keep, range(weight.size), key=lambda place: (-rank[place], place)), weight)


def second_derivatives(params, x, y, activation="tanh", error="squared"):
    """By matrices: of a layer's sums the diagonal of the Hessian is sent back through W ∘ W."""
    names = [name[:-7] for name in params if name.endswith(".weight")]
    tanh = activation == "tanh"
    inputs, sums = [x], []
    for name in names:
        sums.append(inputs[-1] @ params[name + ".weight"] + params[name + ".bias"])
        inputs.append(np.tanh(sums[-1]) if tanh else np.maximum(sums[-1], 0))
    if error == "squared":
        g, h = sums[-1] - y, np.ones_like(sums[-1])
    else:
        p = np.exp(sums[-1]) / np.exp(sums[-1]).sum(axis=1)[:, None]
        g, h = p - np.eye(p.shape[1])[y], p - p**2
    found = {}
    for depth in range(len(names) - 1, -1, -1):
        found[names[depth] + ".weight"] = np.einsum("ni,nj->ij", inputs[depth] ** 2, h) / len(x)
        found[names[depth] + ".bias"] = h.sum(axis=0) / len(x)
        w = params[names[depth] + ".weight"]
        if depth:
            z = inputs[depth]
            slope, bend = (1 - z**2, -2 * z * (1 - z**2)) if tanh else ((sums[depth - 1] > 0) * 1.0, 0.0)
            back = np.einsum("ij,nj->ni", w, g)
            g, h = slope * back, slope**2 * np.einsum("ij,nj->ni", w**2, h) + bend * back
    return found


def obd_masks(weights, second, n_keep):
    """Takes away the least salient, the last of equals, until n_keep are left."""
    left = {}
    for name, w in weights.items():
        left |= {(name, place): h * v**2 for place, (v, h) in enumerate(zip(w.flat, second[name].flat, strict=True))}
    while len(left) > n_keep:
        del left[min(reversed(left), key=left.get)]
    return {name: _mask([place for own, place in left if own == name], w) for name, w in weights.items()}


def inverse_hessian(vectors, n_examples, alpha=1e-4):
    """By eigenvalues."""
    values, turned = np.linalg.eigh(vectors.T @ vectors / n_examples)
    return (turned / (np.maximum(values, 0) + alpha)) @ turned.T


def obs_delete(weight, inverse):
    """By the constraint: the inverse is projected onto weights without q."""
    costs = [math.inf if d <= 0 else w**2 / d for w, d in zip(weight, np.diag(inverse), strict=True)]
    q = costs.index(min(costs))
    e = np.eye(len(weight))[q]
    projected = np.eye(len(weight)) - np.outer(inverse @ e, e) / inverse[q, q]
    new = projected @ inverse
    new[q] = new[:, q] = 0
    moved = projected @ weight
    moved[q] = 0
    return moved, new, q
