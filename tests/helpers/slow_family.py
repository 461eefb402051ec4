"""Slow, obviously right twins of RigL's relatives and ancestors: loops over connections, neurons and examples."""

import math
from fractions import Fraction

import numpy as np

from tests.helpers.slow_methods import slow_apportion, slow_kept, slow_rigl_update, slow_top_k


def _marked(chosen, shape):
    return np.array([i in chosen for i in range(math.prod(shape))], dtype=bool).reshape(shape)


def _drawn(kept, noise, n):
    """`kept` and n more positions, where noise is largest."""
    free = sorted(set(range(noise.size)) - set(kept), key=lambda i: (-noise.flat[i], i))
    return _marked({*kept, *free[:n]}, noise.shape)


def slow_deep_r_kept(weight, mask, negative):
    theta = [-w if n else w for w, n in zip(weight.ravel().tolist(), negative.ravel().tolist(), strict=True)]
    return [k for k in np.flatnonzero(mask).tolist() if not theta[k] < 0]


def slow_deep_r_update(weight, mask, negative, noise):
    kept = slow_deep_r_kept(weight, mask, negative)
    return _drawn(kept, noise, int(mask.sum()) - len(kept))


def slow_dsr_update(weights, masks, noise, threshold):
    kept = {
        name: [i for i in np.flatnonzero(mask).tolist() if abs(weights[name].flat[i]) >= threshold]
        for name, mask in masks.items()
    }
    gone = sum(int(mask.sum()) - len(kept[name]) for name, mask in masks.items())
    room = {name: mask.size - len(kept[name]) for name, mask in masks.items()}
    grow = slow_apportion(gone, {name: len(k) for name, k in kept.items()}, room)
    return {name: _drawn(kept[name], noise[name], grow[name]) for name in masks}


def slow_next_threshold(threshold, n_pruned, n_target, tolerance=0.1):
    part = Fraction(str(tolerance))
    if n_pruned < (1 - part) * n_target:
        return 2 * threshold
    return threshold / 2 if n_pruned > (1 + part) * n_target else threshold


def slow_granet_prune(weights, masks, n_keep):
    places = [(name, i) for name in weights for i in np.flatnonzero(masks[name]).tolist()]
    kept = sorted(places, key=lambda place: -abs(weights[place[0]].flat[place[1]]))[:n_keep]  # stable
    return {name: _marked({i for layer, i in kept if layer == name}, w.shape) for name, w in weights.items()}


def slow_srigl_salient(weight, mask, dense_grad, n_update):
    """How many salient weights every neuron has."""
    return slow_rigl_update(weight, mask, dense_grad, n_update).reshape(-1, weight.shape[-1]).sum(axis=0)


def slow_srigl_update(weight, mask, dense_grad, n_update, n_budget, gamma=0.3):
    n_out = weight.shape[-1]
    n_in = weight.size // n_out
    flat = lambda array: array.reshape(n_in, n_out)
    keep = flat(slow_kept(weight, mask, n_update))
    count = slow_srigl_salient(weight, mask, dense_grad, n_update).tolist()
    least = Fraction(str(gamma)) * (n_budget // n_out)
    by_count = sorted(range(n_out), key=lambda j: (-count[j], j))
    alive = {j for j in range(n_out) if count[j] >= least} | {*by_count[: math.ceil(n_budget / n_in)]}
    fan_in = n_budget // len(alive)
    new = np.zeros((n_in, n_out), bool)
    for j in alive:
        order = sorted(np.flatnonzero(keep[:, j]).tolist(), key=lambda i, j=j: (-abs(flat(weight)[i, j]), i))
        chosen = order[:fan_in]
        free = sorted(set(range(n_in)) - set(chosen), key=lambda i, j=j: (-abs(flat(dense_grad)[i, j]), i))
        new[chosen + free[: fan_in - len(chosen)], j] = True
    return new.reshape(weight.shape)


def slow_ac_dc_compressed(step, warmup, phase, last):
    """The phases one after the other, as (first step, is it compressed)."""
    phases, begin = [(0, False)], warmup
    while begin + 2 * phase <= last:
        phases += [(begin, True), (begin + phase, False)]
        begin += 2 * phase
    phases.append((last, True))
    return [is_compressed for first, is_compressed in phases if first <= step][-1]


def slow_ac_dc_masks(weights, n_keep):
    return slow_granet_prune(weights, {name: np.ones(w.shape, bool) for name, w in weights.items()}, n_keep)


def slow_forward_and_backward(weight, n_forward, n_backward):
    return slow_top_k(abs(weight), n_forward), slow_top_k(abs(weight), n_backward)


def slow_top_kast_strength(forward, backward):
    n = int(forward.sum())
    share = [
        1.0 if a else forward.size / n if b and n else 0.0 for a, b in zip(forward.flat, backward.flat, strict=True)
    ]
    return np.array(share).reshape(forward.shape)


def slow_seen_mask(weight, n_keep, noise=None):
    return slow_top_k(abs(weight) if noise is None else noise, n_keep)


def slow_second_derivatives(params, x, y, activation="tanh", error="squared"):
    """Example by example and unit by unit, in LeCun's own order: all sums are written out."""
    layers = [name.removesuffix(".weight") for name in params if name.endswith(".weight")]
    found = {name: np.zeros(w.shape) for name, w in params.items()}
    for example, target in zip(x.tolist(), y.tolist(), strict=True):
        z, sums = [example], []
        for layer in layers:
            w, b = params[f"{layer}.weight"], params[f"{layer}.bias"]
            a = [math.fsum(z[-1][i] * w[i, j] for i in range(len(z[-1]))) + b[j] for j in range(w.shape[1])]
            sums.append(a)
            z.append([slow_activation(v, activation)[0] for v in a])
        g, h = _at_outputs(sums[-1], target, error)
        for depth in reversed(range(len(layers))):
            layer, w = layers[depth], params[f"{layers[depth]}.weight"]
            for j in range(w.shape[1]):
                found[f"{layer}.bias"][j] += h[j] / len(x)
                for i in range(w.shape[0]):
                    found[f"{layer}.weight"][i, j] += z[depth][i] ** 2 * h[j] / len(x)
            if depth:
                slope, bend = zip(*(slow_activation(v, activation)[1:] for v in sums[depth - 1]), strict=True)
                at = range(w.shape[0])
                back = [math.fsum(w[i, j] * g[j] for j in range(len(g))) for i in at]
                h = [
                    slope[i] ** 2 * math.fsum(w[i, j] ** 2 * h[j] for j in range(len(h))) + bend[i] * back[i]
                    for i in at
                ]
                g = [slope[i] * back[i] for i in at]
    return found


def slow_activation(a, name):
    """f, f', f''."""
    if name == "relu":
        return (a, 1.0, 0.0) if a > 0 else (0.0, 0.0, 0.0)
    t = math.tanh(a)
    return t, 1 - t**2, -2 * t * (1 - t**2)


def _at_outputs(a, target, error):
    if error == "squared":
        return [v - t for v, t in zip(a, target, strict=True)], [1.0] * len(a)
    whole = math.fsum(math.exp(v - max(a)) for v in a)
    p = [math.exp(v - max(a)) / whole for v in a]
    return [v - (j == target) for j, v in enumerate(p)], [v * (1 - v) for v in p]


def slow_obd_saliency(weights, second):
    saliency = {}
    for name, w in weights.items():
        pairs = zip(w.ravel().tolist(), second[name].ravel().tolist(), strict=True)
        saliency[name] = np.array([float(Fraction(h) * Fraction(v) ** 2 / 2) for v, h in pairs]).reshape(w.shape)
    return saliency


def slow_obd_masks(weights, second, n_keep):
    saliency = slow_obd_saliency(weights, second)
    places = [(name, i) for name in weights for i in range(weights[name].size)]
    kept = sorted(places, key=lambda place: -saliency[place[0]].flat[place[1]])[:n_keep]  # stable
    return {name: _marked({i for layer, i in kept if layer == name}, w.shape) for name, w in weights.items()}


def slow_inverse_hessian(vectors, n_examples, alpha=1e-4):
    n = vectors.shape[1]
    h = [[alpha * (i == j) + math.fsum(x[i] * x[j] for x in vectors) / n_examples for j in range(n)] for i in range(n)]
    return np.linalg.inv(np.array(h))


def slow_obs_saliency(weight, inverse):
    return np.array([w * w / (2 * d) if d > 0 else math.inf for w, d in zip(weight, np.diag(inverse), strict=True)])


def slow_obs_delete(weight, inverse):
    """The minimum of the quadratic where q and what is deleted are zero, by H itself, of those that are left."""
    there = np.flatnonzero(np.diag(inverse) > 0)
    q = min(there.tolist(), key=lambda i: (slow_obs_saliency(weight, inverse)[i], i))
    left = [i for i in there if i != q]
    h = np.linalg.inv(inverse[np.ix_(there, there)])
    at = [there.tolist().index(i) for i in left]
    new, small = np.zeros(weight.size), np.zeros(inverse.shape)
    if left:
        new[left] = np.linalg.solve(h[np.ix_(at, at)], (h @ weight[there])[at])
        small[np.ix_(left, left)] = np.linalg.inv(h[np.ix_(at, at)])
    return new, small, q
