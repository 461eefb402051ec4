"""Right implementations in other styles and with other ties: none may be accused of anything.

A chooser marks the k highest scores among candidates, and breaks ties in a way of its own. Every function that chooses
is written twice, by what goes and by what stays, and takes any chooser.
"""

import heapq
import math
from fractions import Fraction
from importlib.util import find_spec

import numpy as np

from tests.golden import other_family, other_masks, other_numbers, other_trajectory
from tests.golden.broken import rewritten


def marked(score, chosen):
    mask = np.zeros(score.size, dtype=bool)
    mask[np.asarray(list(chosen), dtype=int)] = True
    return mask.reshape(score.shape)


def pool(score, among):
    return np.arange(score.size) if among is None else np.flatnonzero(among)


def by_stable_argsort(score, k, among=None):
    places = pool(score, among)
    return marked(score, places[np.argsort(-score.ravel()[places], kind="stable")[:k]])


def higher_index_first(score, k, among=None):
    places = pool(score, among)[::-1]
    return marked(score, places[np.argsort(-score.ravel()[places], kind="stable")[:k]])


def by_quicksort(score, k, among=None):
    places = pool(score, among)
    return marked(score, places[np.argsort(score.ravel()[places])][len(places) - k :])


def by_partition(score, k, among=None):
    """argpartition among finite stand-ins, which leaves the order of ties to chance."""
    places = pool(score, among)
    if not 0 < k < len(places):
        return marked(score, places[:k])
    return marked(score, places[np.argpartition(-score.ravel()[places], k - 1)[:k]])


def by_lexsort_with_noise(score, k, among=None):
    places, rng = pool(score, among), np.random.default_rng(7)
    return marked(score, places[np.lexsort((rng.random(len(places)), -score.ravel()[places]))[:k]])


def by_noise_within_levels(score, k, among=None):
    """Ranks first, then noise below one half of a rank: never enough to swap two scores."""
    places, rng = pool(score, among), np.random.default_rng(3)
    level = np.unique(score.ravel()[places], return_inverse=True)[1] + rng.uniform(0, 0.5, len(places))
    return marked(score, places[np.argsort(-level)[:k]])


def by_sorted_tuples(score, k, among=None):
    order = sorted((-x, -i) for i, x in enumerate(score.ravel().tolist()) if among is None or among.ravel()[i])
    return marked(score, [-i for _, i in order[:k]])


def by_heap(score, k, among=None):
    flat = score.ravel()
    return marked(score, heapq.nlargest(k, pool(score, among).tolist(), key=lambda i: (flat[i], i % 3, i)))


def by_repeated_maximum(score, k, among=None):
    values, left, chosen = score.ravel().tolist(), pool(score, among).tolist(), []
    for _ in range(k):
        best = max(reversed(left), key=values.__getitem__)
        left.remove(best)
        chosen.append(best)
    return marked(score, chosen)


def by_threshold_then_fill(score, k, among=None):
    """All above the k-th score, then the last of those at it."""
    places = pool(score, among)
    if not k:
        return marked(score, [])
    values = score.ravel()[places]
    cut = np.sort(values)[-k]
    above, level = places[values > cut], places[values == cut]
    return marked(score, [*above, *level[len(level) - (k - len(above)) :]])


def in_fortran_order(score, k, among=None):
    return by_stable_argsort(score.T, k, None if among is None else among.T).T


def by_torch_topk(score, k, among=None):
    """As PyTorch code does it: what is no candidate is filled with minus infinity."""
    import torch

    filled = torch.from_numpy(score.copy())
    if among is not None:
        filled = filled.masked_fill(~torch.from_numpy(among.copy()), -torch.inf)
        # a candidate at minus infinity must come before a stranger
        filled = torch.where(torch.from_numpy(among.copy()), filled.clamp(min=torch.finfo(filled.dtype).min), filled)
    chosen = torch.topk(filled.flatten(), k, sorted=False).indices
    return marked(score, chosen.numpy())


CHOOSERS = (
    by_stable_argsort, higher_index_first, by_quicksort, by_partition, by_lexsort_with_noise, by_noise_within_levels,
    by_sorted_tuples, by_heap, by_repeated_maximum, by_threshold_then_fill, in_fortran_order,
    *([by_torch_topk] if find_spec("torch") else []),
)  # fmt: skip


# by what goes


def rigl_dropping(top):
    def rigl_update(weight, mask, dense_grad, n_update):
        kept = mask & ~top(-abs(weight), n_update, mask)
        return kept | top(abs(dense_grad), n_update, ~kept)

    return rigl_update


def rigl_keeping(top):
    """By what stays; and growth as one ranking of everything, the kept lifted above the rest by infinity."""

    def rigl_update(weight, mask, dense_grad, n_update):
        n = int(mask.sum())
        kept = top(np.where(mask, abs(weight), -1.0), n - n_update, mask)
        score = np.where(kept, np.inf, abs(dense_grad))
        return top(score, n)

    return rigl_update


def set_by_magnitude(top):
    def set_update_by_magnitude(weight, mask, noise, n_update):
        kept = top(weight**2, int(mask.sum()) - n_update, mask)
        return kept | top(noise, n_update, np.logical_not(kept))

    return set_update_by_magnitude


def set_by_sign(top):
    def set_update(weight, mask, noise, n_negative, n_positive):
        negative, positive = mask & (weight < 0), mask & (weight >= 0)
        kept = top(-weight, int(negative.sum()) - n_negative, negative)
        kept = kept | top(weight, int(positive.sum()) - n_positive, positive)
        return kept | top(noise, n_negative + n_positive, ~kept)

    return set_update


def snfs(top):
    def snfs_update(weights, masks, momentum, n_drop):
        kept = {name: mask & ~top(-abs(weights[name]), n_drop[name], mask) for name, mask in masks.items()}
        room = {name: int((~mask).sum()) for name, mask in kept.items()}
        back = apportion_from_the_last(sum(n_drop.values()), other_masks.shares(momentum, masks), room)
        return {name: mask | top(abs(momentum[name]), back[name], ~mask) for name, mask in kept.items()}

    return snfs_update


def snip(top):
    def snip_masks(weights, grads, n_keep):
        flat = np.concatenate([np.zeros(0), *(abs(w * grads[name]).ravel() for name, w in weights.items())])
        chosen, at, masks = top(flat, n_keep), 0, {}
        for name, w in weights.items():
            masks[name] = chosen[at : at + w.size].reshape(w.shape)
            at += w.size
        return masks

    return snip_masks


def grasp(top):
    return lambda weights, products, n_keep: snip_signed(top, {n: w * products[n] for n, w in weights.items()}, n_keep)


def snip_signed(top, score, n_keep):
    flat = np.concatenate([np.zeros(0), *(s.ravel() for s in score.values())])
    parts = np.split(top(flat, n_keep), np.cumsum([s.size for s in score.values()])[:-1])
    return {name: part.reshape(s.shape) for (name, s), part in zip(score.items(), parts, strict=True)}


def n_of_m(top):
    def n_of_m_mask(score, n, m):
        mask = np.zeros(score.shape, bool)
        for *outer, first, j in np.ndindex(*score.shape[:-2], score.shape[-2] // m, score.shape[-1]):
            at = (*outer, slice(first * m, first * m + m), j)
            mask[at] = top(score[at], n)
        return mask

    return n_of_m_mask


def blocks(top):
    def block_mask(score, n_keep, block):
        *outer, n_in, n_out = score.shape
        tiled = score.reshape(*outer, n_in // block[0], block[0], n_out // block[1], block[1])
        kept = top(tiled.sum(axis=(-3, -1)), n_keep)
        return np.broadcast_to(kept[..., :, None, :, None], tiled.shape).reshape(score.shape)

    return block_mask


def units(top):
    return lambda score, n_keep: blocks(top)(score.reshape(-1, score.shape[-1]), n_keep, (
        score.size // score.shape[-1], 1)).reshape(score.shape)  # fmt: skip


def deep_r(top):
    def deep_r_update(weight, mask, negative, noise):
        kept = mask & ((1 - 2 * negative) * weight >= 0)
        return kept | top(noise, int(mask.sum() - kept.sum()), ~kept)

    return deep_r_update


def dsr(top):
    def dsr_update(weights, masks, noise, threshold):
        kept = {name: mask & (abs(weights[name]) >= threshold) for name, mask in masks.items()}
        n = sum(int(mask.sum()) for mask in masks.values()) - sum(int(k.sum()) for k in kept.values())
        shares, room = ({name: int(count(k)) for name, k in kept.items()} for count in (np.sum, lambda k: (~k).sum()))
        back = apportion_from_the_last(n, shares, room)
        return {name: k | top(noise[name], back[name], ~k) for name, k in kept.items()}

    return dsr_update


def granet(top):
    return lambda weights, masks, n_keep: magnitude_of_all(top)(weights, n_keep, masks)


def constant_fan_in(top):
    def srigl_update(weight, mask, dense_grad, n_update, n_budget, gamma=0.3):
        flat = lambda a: a.reshape(-1, a.shape[-1])
        size, grad, n_out = flat(abs(weight)), flat(abs(dense_grad)), weight.shape[-1]
        keep = flat(mask) & ~top(-size, n_update, flat(mask))
        count = (keep | top(grad, n_update, ~keep)).sum(axis=0)
        alive = (count >= round(gamma * (n_budget // n_out), 9)) | top(count * 1.0, math.ceil(n_budget / len(size)))
        new = np.zeros(size.shape, bool)
        for j in np.flatnonzero(alive):
            fan_in = n_budget // int(alive.sum())
            own = top(size[:, j], min(fan_in, int(keep[:, j].sum())), keep[:, j])
            new[:, j] = own | top(grad[:, j], fan_in - int(own.sum()), ~own)
        return new.reshape(weight.shape)

    return srigl_update


def two_sets(top):
    def forward_and_backward(weight, n_forward, n_backward):
        backward = top(abs(weight), n_backward)
        return top(abs(weight), n_forward, backward), backward

    return forward_and_backward


def straight_through(top):
    return lambda weight, n_keep, noise=None: top(abs(weight) if noise is None else noise, n_keep)


def brain_damage(top):
    return lambda weights, second, n_keep: snip_signed(top, {n: second[n] * w**2 for n, w in weights.items()}, n_keep)


def brain_surgeon(top):
    def obs_delete(weight, inverse):
        there = np.diag(inverse) > 0
        cost = weight**2 / np.where(there, 2 * np.diag(inverse), 1)
        (q,) = np.flatnonzero(top(-cost, 1, there)).tolist()
        row = inverse[q] / inverse[q, q]
        left, moved = inverse - np.outer(inverse[:, q], row), weight - weight[q] * row
        moved[q] = left[q] = left[:, q] = 0
        return moved, left, q

    return obs_delete


def snip_of_batches(top):
    def recipe(params, grads, density):
        names = [name for name in params if name.endswith(".weight")]
        mean = {name: sum(batch[name] for batch in grads) / len(grads) for name in names}
        weights = {name: params[name] for name in names}
        return snip(top)(weights, mean, round(round(density * sum(w.size for w in weights.values()), 9)))

    return recipe


def magnitude_of_all(top):
    def global_magnitude_masks(weights, n_keep, masks=None):
        ones = {name: np.ones_like(w) for name, w in weights.items()}
        inside = {name: np.where(masks[name], abs(w), -1.0) if masks else abs(w) for name, w in weights.items()}
        flat = np.concatenate([np.zeros(0), *(w.ravel() for w in inside.values())])
        chosen, at, new = top(flat, n_keep), 0, {}
        for name, w in ones.items():
            new[name] = chosen[at : at + w.size].reshape(w.shape)
            at += w.size
        return new

    return global_magnitude_masks


def magnitude(top):
    return lambda weight, n_keep, mask=None: top(abs(weight), n_keep, mask)


def one_update(top):
    def update(weight, mask, slots, dense_grad, n_update, method="rigl", scores=None):
        kept = mask & ~top(-abs(weight), n_update, mask)
        score = {"rigl": abs(dense_grad), "set": scores, "snfs": scores, "magnitude": dense_grad}[method]
        score = abs(score) if method == "snfs" else score
        new = kept | top(score, 0 if method == "magnitude" else n_update, ~kept)
        still = np.where(mask & new, 1.0, 0.0)
        return {"weight": np.where(still > 0, weight, 0.0), "mask": new,
                "slots": {name: np.where(still > 0, slot, 0.0) for name, slot in slots.items()}}  # fmt: skip

    return update


def a_run(top):
    """`other_trajectory` with `top` in the place of its sort."""
    call = rewritten(
        other_trajectory, "trajectory",
        ("    order = np.lexsort((np.arange(scores.size), scores.ravel(), ~among.ravel()))\n",
         "    return TOP(-scores, k, among)\n    order = []\n"),
    )  # fmt: skip
    call.__globals__["TOP"] = top
    return call


CHOOSING = {
    "top_k": [lambda top: lambda score, k, among=None: top(score, k, among)],
    "magnitude_mask": [magnitude],
    "snip_masks": [snip],
    "snip": [snip_of_batches],
    "grasp_masks": [grasp],
    "n_of_m_mask": [n_of_m],
    "block_mask": [blocks],
    "unit_mask": [units],
    "global_magnitude_masks": [magnitude_of_all],
    "rigl_update": [rigl_dropping, rigl_keeping],
    "set_update": [set_by_sign],
    "set_update_by_magnitude": [set_by_magnitude],
    "snfs_update": [snfs],
    "update": [one_update],
    "deep_r_update": [deep_r],
    "dsr_update": [dsr],
    "granet_prune": [granet],
    "regenerate": [rigl_dropping, rigl_keeping],
    "srigl_update": [constant_fan_in],
    "ac_dc_masks": [magnitude_of_all],
    "forward_and_backward": [two_sets],
    "seen_mask": [straight_through],
    "obd_masks": [brain_damage],
    "obs_delete": [brain_surgeon],
    "trajectory": [a_run],
}


# what does not choose, otherwise


def apportion_from_the_last(total, shares, room):
    """Largest remainder in fractions, a layer at a time, equal parts to the later layer."""
    free, given = {name: Fraction(s).limit_denominator(10**12) for name, s in shares.items()}, {}
    left = total
    while free:
        whole = sum(free.values())
        quota = {name: left * s / whole if whole else Fraction(left, len(free)) for name, s in free.items()}
        full = [name for name in quota if quota[name] >= room[name]]
        if not full:
            break
        for name in full:
            given[name], left = room[name], left - room[name]
            del free[name]
    parts = {name: math.floor(quota[name] + Fraction(1, 10**9)) for name in free}
    over = sorted(free, key=lambda name: (round(float(quota[name] - parts[name]), 9), list(free).index(name)))
    for name in over[::-1][: left - sum(parts.values())]:
        parts[name] += 1
    return {name: (given | parts)[name] for name in shares}


def counts_from_the_last(shapes, densities):
    quota = {name: densities[name] * math.prod(shape) for name, shape in shapes.items()}
    total = round(round(math.fsum(quota.values()), 9))
    floors = {name: math.floor(q + 1e-9) for name, q in quota.items()}
    over = sorted(quota, key=lambda name: (round(quota[name] - floors[name], 9), list(quota).index(name)), reverse=True)
    return {name: floors[name] + (name in over[: total - sum(floors.values())]) for name in shapes}


def cosine_by_half_angle(step, alpha, t_end, begin=0):
    part = min(max((step - begin) / (t_end - begin), 0.0), 1.0)
    return 0.0 if part == 1.0 else alpha * math.cos(math.pi * part / 2) ** 2


def cubic_by_what_is_left(step, begin, end, final, initial=0.0):
    left = np.clip((end - step) / (end - begin), 0, 1)
    return float(final - (final - initial) * left * left * left)


def gate_of_logits(log_alpha, u, beta=2 / 3, gamma=-0.1, zeta=1.1):
    logit = (np.log(u) - np.log1p(-u) + log_alpha) / beta
    s = np.exp(-np.logaddexp(0, -logit))
    return np.minimum(1, np.maximum(0, s * (zeta - gamma) + gamma))


def prob_by_tanh(log_alpha, beta=2 / 3, gamma=-0.1, zeta=1.1):
    return np.exp(-np.logaddexp(0, -(log_alpha - beta * np.log(-gamma / zeta))))


def scores_divided_last(weights, grads):
    effect = {name: np.abs(w) * np.abs(grads[name]) for name, w in weights.items()}
    whole = sum(float(e.sum()) for e in effect.values())
    return {name: e / whole if whole else e for name, e in effect.items()}


def signs_counted(weight, mask, zeta):
    active = weight[mask.astype(bool)]
    below = int(np.count_nonzero(active < 0))
    return [int(zeta * below), int(zeta * (active.size - below))]  # a list is as good as a tuple


def threshold_with_a_moment(weight, quality, mask=None):
    on = np.ones(weight.shape, bool) if mask is None else mask
    if not on.any():
        return on
    mean = weight[on].mean()
    return on & (np.abs(weight) >= quality * math.sqrt(((weight[on] - mean) ** 2).mean()))


def mask_in_floats(weight, mask, dense_grad, n_update):
    return rigl_dropping(by_heap)(weight, mask, dense_grad, n_update).astype("float32")


def dict_in_another_order(weights, grads, n_keep):
    return dict(reversed(snip(by_heap)(weights, grads, n_keep).items()))


OTHERS = [
    ("apportion", apportion_from_the_last), ("counts", counts_from_the_last), ("cosine", cosine_by_half_angle),
    ("cubic", cubic_by_what_is_left), ("gate", gate_of_logits), ("prob_open", prob_by_tanh),
    ("sensitivity", scores_divided_last), ("set_counts", signs_counted), ("threshold_mask", threshold_with_a_moment),
    ("rigl_update", mask_in_floats), ("snip_masks", dict_in_another_order),
    ("shares", other_masks.shares), ("remove_dead_units", other_masks.remove_dead_units),
    ("uniform", other_masks.uniform), ("erdos_renyi", other_masks.erdos_renyi),
    ("erdos_renyi_kernel", other_masks.erdos_renyi_kernel), ("rigl_count", other_masks.rigl_count),
    ("retrain_dropout", other_masks.retrain_dropout), ("gate_at_test", other_numbers.gate_at_test),
    ("forward", other_numbers.forward), ("training_cost", other_numbers.training_cost),
    ("storage", other_numbers.storage), ("flops_count", other_numbers.flops_count),
    ("flops_size", other_numbers.flops_size), ("conv2d_vjp", other_numbers.conv2d_vjp),
    ("softmax_cross_entropy_vjp", other_numbers.softmax_cross_entropy_vjp), ("trajectory", other_trajectory.trajectory),
    *((name, getattr(other_family, name)) for name in ("next_threshold", "ac_dc_compressed", "top_kast_strength",
      "second_derivatives", "inverse_hessian")),
]  # fmt: skip

RIGHT = [
    (function, f"{style.__name__} {top.__name__}", style(top))
    for function, styles in CHOOSING.items() for style in styles for top in CHOOSERS
] + [(function, call.__name__, call) for function, call in OTHERS]  # fmt: skip
