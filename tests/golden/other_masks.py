"""Every function once more, by another hand: plain Python on lists, one choice at a time, nothing of the package.

Where the twins sort, these take the best off a heap; where the package works on arrays, these walk.
"""

import heapq
import math
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import numpy as np


def _take(score, places, n):
    """The places of the n highest scores, the first of equals, off a heap."""
    heap = [(-score[place], place) for place in places]
    heapq.heapify(heap)
    return {heapq.heappop(heap)[1] for _ in range(n)}


def _places(mask):
    return {place for place, on in enumerate(mask.ravel().tolist()) if on}


def _mask(places, like):
    flat = np.zeros(like.size, dtype=bool)
    for place in places:
        flat[place] = True
    return flat.reshape(like.shape)


def _magnitudes(array):
    return [math.fabs(value) for value in array.ravel().tolist()]


def top_k(score, k, among=None):
    places = range(score.size) if among is None else _places(among)
    return _mask(_take(score.ravel().tolist(), places, k), score)


def apportion(total, shares, room):
    given = dict.fromkeys(shares, 0)
    open_ = list(shares)
    left = total
    while open_:
        weight = {name: Fraction(shares[name]) for name in open_}
        if not any(weight.values()):
            weight = dict.fromkeys(open_, 1)
        whole = sum(weight.values())
        full = [name for name in open_ if left * weight[name] >= room[name] * whole]
        if not full:
            return given | _remainders({name: left * weight[name] / whole for name in open_}, left)
        for name in full:
            given[name] = room[name]
            left -= room[name]
            open_.remove(name)
    return given


def _remainders(quotas, total):
    """Hamilton's method, one seat at a time."""
    seats = {name: int(quota + 1e-12) for name, quota in quotas.items()}
    served = []
    while sum(seats.values()) < total:
        best = None
        for name, quota in quotas.items():
            if name in served:
                continue
            if best is None or quota % 1 > quotas[best] % 1 + 1e-9:
                best = name
        seats[best] += 1
        served.append(best)
    return seats


def counts(shapes, densities):
    quotas = {name: densities[name] * np.prod(shapes[name]).item() for name in shapes}
    whole = round(sum(quotas.values()), 9)
    return _remainders({name: round(quota, 9) for name, quota in quotas.items()}, round(whole))


def uniform(shapes, density, dense=()):
    answer = dict.fromkeys(shapes, density)
    answer.update(dict.fromkeys(dense, 1.0))
    return answer


def erdos_renyi(shapes, density, dense=()):
    return _by_bisection(shapes, density, dense, lambda shape: 1 / shape[-1] + 1 / shape[-2])


def erdos_renyi_kernel(shapes, density, dense=()):
    return _by_bisection(shapes, density, dense, lambda shape: sum(shape) / np.prod(shape).item())


def _by_bisection(shapes, density, dense, raw):
    """The scale is where what is spent meets the budget; it is halved in on, with no thought of who is full."""
    free = {name: raw(shape) for name, shape in shapes.items() if name not in dense}
    size = {name: np.prod(shapes[name]).item() for name in free}
    budget = density * sum(size.values())
    low, high = 0.0, 1 / min(free.values(), default=1)
    for _ in range(200):
        middle = (low + high) / 2
        if sum(min(1.0, middle * free[name]) * size[name] for name in free) < budget:
            low = middle
        else:
            high = middle
    return {name: min(1.0, high * free[name]) if name in free else 1.0 for name in shapes}


def cosine(step, alpha, t_end, begin=0):
    if step < begin:
        return alpha
    if step >= t_end:
        return 0.0
    angle = math.pi * (step - begin) / (t_end - begin)
    return alpha / 2 + alpha / 2 * math.cos(angle)


def cubic(step, begin, end, final, initial=0.0):
    if step <= begin:
        return initial
    if step >= end:
        return final
    left = (end - step) / (end - begin)
    return final - (final - initial) * left * left * left


def from_epsilon(shapes, eps, dense=()):
    return {name: 1.0 if name in dense else min(1.0, eps / shape[-1] + eps / shape[-2])
            for name, shape in shapes.items()}  # fmt: skip


def density_of(sparsity, of=1):
    return round(1 - sparsity * of, 12)


def linear(step, alpha, t_end, begin=0):
    return alpha * min(max((t_end - step) / (t_end - begin), 0), 1)


def inverse_power(step, alpha, t_end, k, begin=0):
    left = min(max((t_end - step) / (t_end - begin), 0), 1)
    return 0.0 if step >= t_end else alpha * math.exp(k * math.log(left))


def step_rate(step, rate, period, factor):
    while step >= period:
        step, rate = step - period, rate * factor
    return rate


def multi_step_rate(step, rate, milestones, factor):
    for milestone in milestones:
        rate *= factor if step >= milestone else 1
    return rate


def cosine_rate(step, rate, t_end):
    return cosine(step, rate, t_end)


def magnitude_mask(weight, n_keep, mask=None):
    candidates = range(weight.size) if mask is None else _places(mask)
    return _mask(_take(_magnitudes(weight), candidates, n_keep), weight)


def threshold_mask(weight, quality, mask=None):
    places = set(range(weight.size)) if mask is None else _places(mask)
    values = weight.ravel().tolist()
    if not places:
        return _mask((), weight)
    mean = sum(values[place] for place in places) / len(places)
    variance = sum((values[place] - mean) ** 2 for place in places) / len(places)
    return _mask([place for place in places if not abs(values[place]) < quality * math.sqrt(variance)], weight)


def retrain_dropout(rate, n_kept, n_original):
    return rate * (n_kept / n_original) ** 0.5


def remove_dead_units(masks, order):
    """Walk from every input along the connections, and back from every output; what both walks pass stays."""
    edges = []
    n_out = None
    for depth, name in enumerate(order):
        for place in zip(*np.nonzero(masks[name]), strict=True):
            start = int(place[-2]) if n_out is None else int(place[-2]) % n_out
            edges.append(((depth, start), (depth + 1, int(place[-1])), name, place))
        n_out = masks[name].shape[-1]
    forth = {unit for unit, _, _, _ in edges if unit[0] == 0}
    back = {unit for _, unit, _, _ in edges if unit[0] == len(order)}
    for _ in order:
        forth |= {end for start, end, _, _ in edges if start in forth}
        back |= {start for start, end, _, _ in edges if end in back}
    left = {name: np.zeros(mask.shape, dtype=bool) for name, mask in masks.items()}
    for start, end, name, place in edges:
        if start in forth and end in back:
            left[name][place] = True
    return left


def sensitivity(weights, grads):
    total = 0.0
    for name in weights:
        for w, g in zip(weights[name].ravel().tolist(), grads[name].ravel().tolist(), strict=True):
            total += abs(w * g)
    return {
        name: np.vectorize(lambda w, g: abs(w * g) / (total or 1.0))(weights[name], grads[name]) for name in weights
    }


def snip_masks(weights, grads, n_keep):
    left = {
        (name, place): abs(float(w) * float(g))
        for name in weights
        for place, (w, g) in enumerate(zip(weights[name].flat, grads[name].flat, strict=True))
    }
    masks = {name: np.zeros(w.shape, dtype=bool) for name, w in weights.items()}
    for _ in range(n_keep):
        name, place = max(left, key=left.get)  # the first of equals, in the order of the dict
        masks[name].flat[place] = True
        del left[name, place]
    return masks


def effect_on_gradient_flow(weights, products):
    return {name: np.multiply(w, products[name]) * -1.0 for name, w in weights.items()}


def grasp_masks(weights, products, n_keep):
    """Remove the highest score, the last of equals, until n_keep are left."""
    left = {}
    for name, score in effect_on_gradient_flow(weights, products).items():
        left |= {(name, place): value for place, value in enumerate(score.ravel().tolist())}
    while len(left) > n_keep:
        del left[max(reversed(left), key=left.get)]
    return {name: _mask([place for own, place in left if own == name], w) for name, w in weights.items()}


def n_of_m_mask(score, n, m):
    flat = score.reshape(-1, m, score.shape[-1])
    ahead = np.zeros(flat.shape, int)
    for i in range(m):
        for j in range(m):
            ahead[:, i] += (flat[:, j] > flat[:, i]) | ((flat[:, j] == flat[:, i]) & (j < i))
    return (ahead < n).reshape(score.shape)


def block_mask(score, n_keep, block):
    sums = np.add.reduceat(np.add.reduceat(score, range(0, score.shape[-2], block[0]), axis=-2),
                           range(0, score.shape[-1], block[1]), axis=-1)  # fmt: skip
    return np.kron(_mask(_take(sums.ravel().tolist(), range(sums.size), n_keep), sums), np.ones(block)) > 0


def unit_mask(score, n_keep):
    sums = [float(score[..., unit].sum()) for unit in range(score.shape[-1])]
    kept = _take(sums, range(len(sums)), n_keep)
    mask = np.zeros(score.shape, bool)
    for unit in kept:
        mask[..., unit] = True
    return mask


def flow(weights, grads):
    return {name: np.sqrt(np.square(w)) * grads[name] for name, w in weights.items()}


def n_kept(size, density, step, steps):
    return round(round(size * math.exp(math.log(density) * step / steps), 9))


def global_magnitude_masks(weights, n_keep, masks=None):
    places = [(name, place) for name, w in weights.items() for place in range(w.size)
              if masks is None or masks[name].flat[place]]  # fmt: skip
    sizes = [abs(float(weights[name].flat[place])) for name, place in places]
    chosen = [places[i] for i in _take(sizes, range(len(places)), n_keep)]
    return {name: _mask([place for layer, place in chosen if layer == name], w) for name, w in weights.items()}


def snip(params, grads, density):
    weights = {name: w for name, w in params.items() if name.endswith(".weight")}
    mean = {name: sum(batch[name] for batch in grads) / len(grads) for name in weights}
    left = Decimal(str(density)) * sum(w.size for w in weights.values())
    return snip_masks(weights, mean, int(left.quantize(Decimal(1), ROUND_HALF_EVEN)))


def set_counts(weight, mask, zeta):
    negative = positive = 0
    for place in _places(mask):
        if weight.flat[place] < 0:
            negative += 1
        else:
            positive += 1
    return int(zeta * negative), int(zeta * positive)


def set_update(weight, mask, noise, n_negative, n_positive):
    values, active = weight.ravel().tolist(), _places(mask)
    below = {place for place in active if values[place] < 0}
    gone = _take(values, below, n_negative) | _take([-v for v in values], active - below, n_positive)
    return _regrown(mask, active - gone, noise.ravel().tolist(), n_negative + n_positive)


def set_update_by_magnitude(weight, mask, noise, n_update):
    return _regrown(mask, _surviving(weight, mask, n_update), noise.ravel().tolist(), n_update)


def rigl_update(weight, mask, dense_grad, n_update):
    return _regrown(mask, _surviving(weight, mask, n_update), _magnitudes(dense_grad), n_update)


def update(weight, mask, slots, dense_grad, n_update, method="rigl", scores=None):
    """Connections one by one: who stays, who comes, and what each brings along."""
    kept = _surviving(weight, mask, n_update)
    rank = scores.ravel().tolist() if method == "set" else _magnitudes(dense_grad if scores is None else scores)
    new = kept if method == "magnitude" else kept | _take(rank, set(range(mask.size)) - kept, n_update)
    layer = {name: np.zeros(mask.shape) for name in ("weight", *slots)}
    for place in new & _places(mask):
        for name, stored in (("weight", weight), *slots.items()):
            layer[name].flat[place] = stored.flat[place]
    return {"weight": layer.pop("weight"), "mask": _mask(new, mask), "slots": layer}


def rigl_count(step, n_active, alpha, t_end):
    return int(cosine(step, alpha, t_end) * n_active)


def _surviving(weight, mask, n):
    active = _places(mask)
    return active - _take([-m for m in _magnitudes(weight)], active, n)


def _regrown(mask, kept, score, n):
    return _mask(kept | _take(score, set(range(mask.size)) - kept, n), mask)


def shares(momentum, masks):
    means = {}
    for name, mask in masks.items():
        there = [abs(momentum[name].flat[place]) for place in _places(mask)]
        means[name] = float(sum(there) / len(there)) if there else 0.0
    if not any(means.values()):
        means = dict.fromkeys(means, 1.0)
    return {name: mean / sum(means.values()) for name, mean in means.items()}


def snfs_update(weights, masks, momentum, n_drop):
    kept = {name: _surviving(weights[name], masks[name], n_drop[name]) for name in masks}
    room = {name: masks[name].size - len(kept[name]) for name in masks}
    n_grow = apportion(sum(n_drop.values()), shares(momentum, masks), room)
    return {name: _regrown(masks[name], kept[name], _magnitudes(momentum[name]), n_grow[name]) for name in masks}
