"""Ways to get RigL's relatives and ancestors wrong, each with the case that must notice."""

import math

import numpy as np

from tests.golden import other_family as right
from tests.golden import other_masks
from tests.golden.wrong_masks import Wrong, beyond, first, in_columns, last, strictly_above


def silent(function, when):
    """Gives no answer to what is legal and out of the ordinary."""
    own = getattr(right, function)
    return lambda *inputs: None if when(*inputs) else own(*inputs)


def unless(function, when, fault):
    """Right where `when` holds: a fault that somebody mended for those inputs."""
    own = getattr(right, function)
    return lambda *inputs: own(*inputs) if when(*inputs) else fault(*inputs)


def gamma_of(inputs):
    return inputs[5] if len(inputs) > 5 else 0.3


def has_ties(weights):
    flat = np.concatenate([abs(w).ravel() for w in weights.values()])
    return len(np.unique(flat)) < flat.size


# Deep R


def theta(weight, negative):
    return np.where(negative, -weight, weight)


def deep_r(kept=lambda w, m, n: m & (theta(w, n) >= 0), grow=first, rank=lambda x: x, pool=lambda m, k: ~k, more=None):
    """Keeps `kept`; as many as went come among `pool`, by `grow`."""

    def update(weight, mask, negative, noise):
        stays = kept(weight, mask, negative)
        n = int(mask.sum()) - int((stays & mask).sum()) if more is None else more(weight, mask, negative)
        among = pool(mask, stays)
        return stays | grow(rank(noise), min(n, int(among.sum())), among)

    return update


def smallest_go(weight, mask, negative):
    n = int((mask & (theta(weight, negative) < 0)).sum())
    return mask & ~first(-abs(weight), n, mask)


# DSR


def dsr(kept=lambda w, m, h: m & ~(abs(w) < h), shares=lambda m, k: k, grow=first, split=other_masks.apportion,
        pool=lambda m, k: ~k, total=None):  # fmt: skip
    """shares(connections of every layer, survivors of every layer) -> what growth is proportional to."""

    def update(weights, masks, noise, threshold):
        stays = {name: kept(weights[name], mask, threshold) for name, mask in masks.items()}
        before = {name: int(mask.sum()) for name, mask in masks.items()}
        after = {name: int((stays[name] & masks[name]).sum()) for name in masks}
        free = {name: pool(mask, stays[name]) for name, mask in masks.items()}
        n = sum(before.values()) - sum(after.values()) if total is None else total(masks)
        parts = split(n, shares(before, after), {name: int(own.sum()) for name, own in free.items()})
        return {
            name: stays[name] | grow(noise[name], min(parts[name], int(free[name].sum())), free[name]) for name in masks
        }

    return update


def rounded(rounding):
    def split(total, shares, room):
        whole = sum(shares.values())
        return {name: min(room[name], rounding(total * s / whole)) if whole else 0 for name, s in shares.items()}

    return split


def by_size(masks):
    return lambda before, after: {name: masks[name].size for name in masks}


def dsr_by_size(weights, masks, noise, threshold):
    return dsr(shares=by_size(masks))(weights, masks, noise, threshold)


def threshold_of(
    few=lambda n, t, d: n < round((1 - d) * t, 9), many=lambda n, t, d: n > round((1 + d) * t, 9), up=2.0, down=0.5
):
    def new(threshold, n_pruned, n_target, tolerance=0.1):
        if few(n_pruned, n_target, tolerance):
            return threshold * up
        return threshold * down if many(n_pruned, n_target, tolerance) else threshold

    return new


# rankings of whole networks


def flat_ranking(choose=first, effect=abs, order=list, least=0, among=True):
    """global_magnitude_masks with faults: weights, masks, n_keep."""

    def masks_of(weights, masks, n_keep):
        names = order(weights)
        scores = np.concatenate([effect(weights[name]).ravel() for name in names])
        pool = np.concatenate([masks[name].ravel() for name in names]) if among else None
        chosen = choose(scores, max(n_keep, least), pool)
        parts = np.split(chosen, np.cumsum([weights[name].size for name in names])[:-1])
        by_name = dict(zip(names, parts, strict=True))
        return {name: by_name[name].reshape(w.shape) for name, w in weights.items()}

    return masks_of


def strictly_above_of_all(weights, masks, n_keep):
    """What GraNet does: the n_keep-th of all goes too, and all that tie with it; without an n_keep-th it raises."""
    size = {name: abs(w * masks[name]) for name, w in weights.items()}
    edge = sorted(np.concatenate([own.ravel() for own in size.values()]), reverse=True)[:n_keep][-1]
    return {name: own > edge for name, own in size.items()}


def without_masks(own):
    return lambda weights, n_keep: own(weights, {n: np.ones(w.shape, bool) for n, w in weights.items()}, n_keep)


def per_layer(weights, masks, n_keep):
    """Every layer by its share of what there is."""
    n = {name: int(mask.sum()) for name, mask in masks.items()}
    parts = other_masks.apportion(n_keep, n, n)
    return {name: first(abs(w), parts[name], masks[name]) for name, w in weights.items()}


def one_each(own):
    """As `own`, but a layer that would be empty keeps its largest."""

    def masks_of(weights, *rest):
        made = own(weights, *rest)
        return {name: m if m.any() or not rest[-1] else first(abs(weights[name]), 1) for name, m in made.items()}

    return masks_of


def reversed_ties(weights, masks, n_keep):
    return flat_ranking(order=lambda w: list(w)[::-1])(weights, masks, n_keep)


def alphabetical(weights, masks, n_keep):
    return flat_ranking(order=sorted)(weights, masks, n_keep)


def flattened(own):
    return lambda *inputs: {name: m.ravel() if m.ndim > 2 else m for name, m in own(*inputs).items()}


# regeneration


def moved(drop=lambda w, m: (-abs(w), m), choose=first, rank=abs, pool=lambda m, k: ~k, least=0):
    def update(weight, mask, dense_grad, n_update):
        n = max(n_update, least)
        gone = choose(*(drop(weight, mask)[0], n, drop(weight, mask)[1]))
        kept = mask & ~gone
        free = pool(mask, kept)
        return kept | choose(rank(dense_grad), min(n, int(free.sum())), free)

    return update


def stale_ranked(weight, mask, dense_grad, n_update):
    """What is stored decides what stays, in the mask or not."""
    kept = first(abs(weight), int(mask.sum()) - n_update)
    return kept | first(abs(dense_grad), n_update, ~kept)


# SRigL


def srigl(fewer=lambda count, gamma, k: count < round(gamma * k, 9), drop=None, rank=abs, effect=abs, keep=first,
budget=None,
          salient=None, needed=True, returns=True, grow=first, regrow=True):  # fmt: skip
    """srigl_update with faults; every part may be another."""

    def update(weight, mask, dense_grad, n_update, n_budget, gamma=0.3):
        n_out = weight.shape[-1]
        flat = lambda a: a.reshape(-1, n_out)
        w, m, g = flat(effect(weight)), flat(mask), flat(rank(dense_grad))
        n_in = len(w)
        kept = m & ~(first(-w, n_update, m) if drop is None else drop(w, m, n_update))
        counted = (kept | first(g, n_update, ~kept)) if salient is None else salient(w, m, g, kept, n_update)
        count = counted.sum(axis=0)
        enough = ~fewer(count, gamma, n_budget // n_out) if gamma else np.ones(n_out, bool)
        if not returns:
            enough &= m.any(axis=0)
        alive = enough | (first(count.astype(float), -(-n_budget // n_in)) if needed else False)
        if not alive.any():
            return mask & False
        total = n_budget if budget is None else budget(n_budget, n_out, alive)
        fan_in = total if budget else total // int(alive.sum())
        new = np.zeros(w.shape, bool)
        for j in np.flatnonzero(alive):
            own = keep(w[:, j], min(fan_in, int(kept[:, j].sum())), kept[:, j])
            free = ~own if regrow else ~own & ~m[:, j]
            new[:, j] = own | grow(g[:, j], min(fan_in - int(own.sum()), int(free.sum())), free)
        return new.reshape(weight.shape)

    return update


def drop_by_neuron(w, m, n_update):
    """The same share of every neuron."""
    parts = np.zeros(m.shape, bool)
    for j in range(m.shape[1]):
        parts[:, j] = first(-w[:, j], round(n_update * m[:, j].sum() / max(m.sum(), 1)), m[:, j])
    return parts


def authors_salient(w, m, g, kept, n_update):
    return first(w, int(m.sum()) - n_update) | first(g, n_update)


def taps_as_neurons(weight, mask, dense_grad, *numbers):
    """Of a kernel every tap is a layer's matrix of its own."""
    if weight.ndim < 4:
        return right.srigl_update(weight, mask, dense_grad, *numbers)
    turned = lambda a: np.moveaxis(a, 0, -1)
    return np.moveaxis(right.srigl_update(turned(weight), turned(mask), turned(dense_grad), *numbers), -1, 0)


def default_gamma(value):
    def update(weight, mask, dense_grad, n_update, n_budget, gamma=value):
        return right.srigl_update(weight, mask, dense_grad, n_update, n_budget, gamma)

    return update


# AC/DC's phases


def phases(
    turn=lambda at, phase: at // phase % 2 == 0,
    fits=lambda begin, phase, last: begin + 2 * phase <= last,
    begin=0,
    end=0,
):
    def compressed(step, warmup, phase, last):
        if step >= last + end:
            return True
        at = step - warmup - begin
        start = step - at % (2 * phase)
        return at >= 0 and turn(at, phase) and fits(start, phase, last)

    return compressed


# Top-KAST


def sets(choose=first, effect=abs, least=0, alike=False):
    def made(weight, n_forward, n_backward):
        size = effect(weight)
        n = n_backward if alike else max(n_forward, least)
        return choose(size, n), choose(size, max(n_backward, least))

    return made


def strengths(inside=1.0, between=lambda a, b: 1 / a.mean() if a.any() else 0.0, outside=0.0):
    return lambda forward, backward: np.where(forward, inside, np.where(backward, between(forward, backward), outside))


# second derivatives


def seconds(
    straight=False,
    mean=True,
    square=True,
    bend=True,
    h_back=lambda w, h: h @ (w * w).T,
    curve=lambda p: p * (1 - p),
    f1=None,
    deep=True,
):
    def found_by(params, x, y, activation="tanh", error="squared"):
        names = [name[:-7] for name in params if name.endswith(".weight")]
        z, sums = [x], []
        for name in names:
            sums.append(z[-1] @ params[name + ".weight"] + params[name + ".bias"])
            z.append(np.tanh(sums[-1]) if activation == "tanh" else np.maximum(sums[-1], 0))
        if error == "squared":
            g, h = sums[-1] - y, np.ones(sums[-1].shape)
        else:
            p = np.exp(sums[-1]) / np.exp(sums[-1]).sum(axis=1, keepdims=True)
            g, h = p - np.eye(p.shape[1])[y], curve(p)
        n, found = len(x) if mean else 1, {}
        for i in reversed(range(len(names))):
            own = z[i] ** 2 if square else abs(z[i])
            found[names[i] + ".weight"], found[names[i] + ".bias"] = own.T @ h / n, h.sum(axis=0) / n
            w = params[names[i] + ".weight"]
            if i:
                slope, curved = (1 - z[i] ** 2, -2 * z[i] * (1 - z[i] ** 2)) if activation == "tanh" else (
                    (sums[i - 1] > 0) * 1.0, 0.0)  # fmt: skip
                slope = slope if f1 is None else f1(slope)
                back = g @ w.T
                g, h = back if straight else slope * back, slope**2 * h_back(w, h) + (curved * back if bend else 0)
                h = h if deep or i == len(names) - 1 else 0 * h + 1
        return found

    return found_by


def fisher(params, x, y, activation="tanh", error="squared"):
    """Squares of gradients where f'' is negative: never below zero."""
    return {name: abs(h) for name, h in right.second_derivatives(params, x, y, activation, error).items()}


def exact(params, x, y, activation="tanh", error="squared"):
    """The diagonal of the Gauss-Newton matrix with what units share."""
    if len(params) < 6:
        return right.second_derivatives(params, x, y, activation, error)
    names = [name[:-7] for name in params if name.endswith(".weight")]
    found = right.second_derivatives(params, x, y, activation, error)
    through = 1.0
    for name in reversed(names[1:]):
        through = params[name + ".weight"] @ np.atleast_2d(through)
    found[names[0] + ".weight"] = (x**2).T @ np.ones((len(x), 1)) * (through**2).sum() / len(x)
    return found


# Surgeon


def surgeon(cost=lambda w, d: w * w / d, move=True, sign=1, choose=min, cut=False, there=lambda d: d > 0, most=None):
    def delete(weight, inverse):
        d = np.diag(inverse)
        costs = [cost(w, v) if there(v) else math.inf for w, v in zip(weight, d, strict=True)]
        q = costs.index(choose(costs))
        if most:
            q = most(costs, q)
        row = inverse[q] / (d[q] or 1)
        new = weight - sign * weight[q] * row if move else weight.copy()
        left = inverse.copy() if cut else inverse - np.outer(inverse[:, q], row)
        new[q], left[q], left[:, q] = 0, 0, 0
        return new, left, q

    return delete


def inverted(divide=lambda h, p: h / p, alpha=lambda a: a, outer=lambda x: x.T @ x, default=1e-4):
    def inverse(vectors, n_examples, alpha_=None, **named):
        a = named.get("alpha", default if alpha_ is None else alpha_)
        return np.linalg.inv(alpha(a) * np.eye(vectors.shape[1]) + divide(outer(vectors), n_examples))

    return inverse


# Straight-through estimators


def seen(by_size=lambda w, n: first(abs(w), n), by_noise=lambda w, n, noise: first(noise, n)):
    return lambda weight, n_keep, noise=None: (
        by_size(weight, n_keep) if noise is None else by_noise(weight, n_keep, noise)
    )


def of_each_output(score, k):
    """As many of every output."""
    flat = score.reshape(-1, score.shape[-1])
    return np.stack([first(own, k // flat.shape[-1]) for own in flat.T], axis=1).reshape(score.shape)


def by_noise_then_size(weight, n_keep, noise, smaller=True):
    """Among equal noise the smaller weights, or the larger."""
    order = np.lexsort((abs(weight).ravel() * (1 if smaller else -1), -noise.ravel()))
    return np.isin(np.arange(weight.size), order[:n_keep]).reshape(weight.shape)


granet, ac_dc = flat_ranking, lambda **faults: without_masks(flat_ranking(**faults))
AT_LEAST_ONE = seen(lambda w, n: first(abs(w), max(n, 1)), lambda w, n, noise: first(noise, max(n, 1)))
TOLD: dict = {
    ("seen_mask", "jaxpruner"): AT_LEAST_ONE,
    ("granet_prune", "granet"): strictly_above_of_all,
    ("regenerate", "granet"): strictly_above,
}
WRONG = [
    # Deep R
    Wrong("the smallest go", "deep_r_update", deep_r(smallest_go), "sec. 2", "sign-not-size"),
    Wrong("the wrong sign stays", "deep_r_update", deep_r(lambda w, m, n: m & (theta(w, n) <= 0)), "alg. 1",
          "crossed-go-and-others-are-drawn"),
    Wrong("signs are forgotten: negative ones go", "deep_r_update", deep_r(lambda w, m, n: m & (w >= 0)), "alg. 1",
          "nothing-has-crossed"),
    Wrong("zero is dormant", "deep_r_update", deep_r(lambda w, m, n: m & (theta(w, n) > 0)), "code: θ > 0",
          "zero-is-active"),
    Wrong("of zeros those of sign minus go", "deep_r_update", deep_r(
          lambda w, m, n: m & ~((theta(w, n) < 0) | n & (w == 0))), "θ < 0", "zero-is-active"),
    Wrong("those that crossed are not drawn", "deep_r_update", deep_r(pool=lambda m, k: ~m), "alg. 1",
          "drawn-again-at-once"),
    Wrong("drawn among all positions", "deep_r_update", deep_r(pool=lambda m, k: k | True), "alg. 1: dormant",
          "noise-of-active-ones-does-not-count"),
    Wrong("absent values cross too", "deep_r_update", deep_r(more=lambda w, m, n: int((theta(w, n) < 0).sum())), "A4",
          "absent-weights-do-not-cross"),
    Wrong("noise by magnitude", "deep_r_update", deep_r(rank=abs), "A18", "noise-with-its-sign"),
    Wrong("crossed ones stay lost where nothing is free", "deep_r_update", deep_r(pool=lambda m,
          k: ~m if (~m).any() else m & False), "while fewer than K", "no-other-place"),
    Wrong("full layers are left empty", "deep_r_update", lambda w, m, n, noise: (m & (theta(w, n) >= 0)) if m.all() else
          right.deep_r_update(w, m, n, noise), "K connections", "no-other-place"),
    Wrong("the higher of equals", "deep_r_update", deep_r(grow=last), "R3", "ties-to-the-lower-index"),
    Wrong("one is drawn at least", "deep_r_update", deep_r(more=lambda w, m, n: max(1, int((m & (theta(w,
          n) < 0)).sum()))), "K connections", "nothing-has-crossed"),
    Wrong("small ones go although they have not crossed", "deep_r_update", deep_r(
          lambda w, m, n: m & (theta(w, n) >= 0) & ((abs(w) > 0.01) | (w == 0))), "sec. 2", "sign-not-size"),
    Wrong("kernels come back flat", "deep_r_update", lambda w, *rest: right.deep_r_update(w, *rest).ravel(), "A16",
          "kernel"),
    Wrong("one of two comes", "deep_r_update", deep_r(more=lambda w, m, n: min(int((m & (theta(w, n) < 0)).sum()),
          1 if w.ndim == 1 and not m.all() else 9)), "K connections", "crossed-go-and-others-are-drawn"),
    Wrong("one comes where none went, if there are zeros", "deep_r_update", deep_r(more=lambda w, m,
          n: max(int((m & (theta(w, n) < 0)).sum()), int(w[m].all()))), "K connections", "nothing-has-crossed"),
    Wrong("those that crossed are not drawn if others are free", "deep_r_update", deep_r(pool=lambda m,
          k: ~m if (~m).any() else ~k), "alg. 1", "drawn-again-at-once"),
    # DSR
    Wrong("at the threshold too", "dsr_update", dsr(lambda w, m, h: m & (abs(w) > h)), "|w| < H",
          "below-the-threshold"),
    Wrong("at the threshold too, but not zeros", "dsr_update", dsr(lambda w, m,
          h: m & ((abs(w) > h) | (w == 0) & (h == 0))), "|w| < H", "below-the-threshold"),
    Wrong("as many as each layer lost", "dsr_update", dsr(shares=lambda m, k: {n: m[n] - k[n] for n in m}), "grow_back",
          "in-proportion-to-survivors"),
    Wrong("as many as each layer lost, or more where it is full", "dsr_update", dsr(
          shares=lambda m, k: {n: m[n] - k[n] for n in m} if sum(m.values()) == 8 and m["a" if "a" in m else "fc"] == 4
          else k), "grow_back", "not-to-where-it-was-lost"),
    Wrong("by what there was", "dsr_update", dsr(shares=lambda m, k: m), "grow_back",
          "a-layer-that-lost-all-gets-none"),
    Wrong("by sizes of layers", "dsr_update", dsr_by_size, "grow_back", "not-by-size-of-the-layer"),
    Wrong("what does not fit is lost", "dsr_update", dsr(split=rounded(round)), "total", "a-full-layer-passes-on"),
    Wrong("rounded down", "dsr_update", dsr(split=lambda n, s, room: (lambda parts: parts | {next(iter(parts)):
          parts[next(iter(parts))]})(rounded(math.floor)(n, s, room)) if sum(s.values()) == 3 and n == 5 else
          other_masks.apportion(n, s, room)), "D4", "largest-remainder"),
    Wrong("to the nearest", "dsr_update", dsr(split=lambda n, s, room: rounded(math.ceil)(n, s, room) if n == 5 else
          other_masks.apportion(n, s, room)), "D4", "largest-remainder"),
    Wrong("one connection for each layer", "dsr_update", dsr(shares=lambda m, k: {n: max(1, v) for n, v in k.items()}),
          "R = 0", "a-layer-that-lost-all-gets-none"),
    Wrong("what was pruned is not drawn", "dsr_update", dsr(pool=lambda m, k: ~m & ~k if (~m).sum() >= m.sum() - k.sum()
          else ~k), "R4", "drawn-again-at-once"),
    Wrong("drawn among all positions", "dsr_update", dsr(pool=lambda m, k: k | True), "grow_back",
          "noise-of-survivors-does-not-count"),
    Wrong("zeros always go", "dsr_update", dsr(lambda w, m, h: m & ~(abs(w) < h) & (w != 0)), "|w| < H",
          "threshold-of-zero"),
    Wrong("signed weights", "dsr_update", dsr(lambda w, m, h: m & (w >= h)), "A18", "by-magnitude"),
    Wrong("large negative ones go", "dsr_update", dsr(lambda w, m, h: m & ~((abs(w) < h) | (w <= -2))), "A18",
          "by-magnitude"),
    Wrong("absent zeros are pruned too", "dsr_update", lambda w, m, noise, h: dsr(total=lambda masks: sum(int((m[n] &
          (abs(w[n]) < h)).sum()) + int((~m[n] & (w[n] > h)).sum()) for n in m))(w, m, noise, h), "A4",
          "absent-weights-are-not-pruned"),
    Wrong("values left behind survive", "dsr_update", dsr(lambda w, m, h: ~(abs(w) < h) if h else m), "A4",
          "absent-weights-are-not-pruned"),
    Wrong("nothing comes where nothing survives", "dsr_update", silent("dsr_update", lambda w, m, noise, h: not any(
          (m[n] & (abs(w[n]) >= h)).any() for n in w)), "A13", "nothing-survives-anywhere"),
    Wrong("the higher of equals", "dsr_update", dsr(grow=last), "R3", "ties-and-shapes"),
    Wrong("kernels come back flat", "dsr_update", flattened(right.dsr_update), "A16", "ties-and-shapes"),
    Wrong("as many as each layer lost, where layers are of one size", "dsr_update", lambda w, m, noise, h: dsr(
          shares=lambda b, k: {n: b[n] - k[n] for n in b} if len({v.size for v in w.values()}) == 2 and min(
          v.size for v in w.values()) == 6 and sum(b.values()) == 8 and b["a"] == 5 else k)(w, m, noise, h),
          "grow_back", "in-proportion-to-survivors"),
    Wrong("by sizes of layers, where they differ much", "dsr_update", lambda w, m, noise, h: (dsr_by_size if max(
          v.size for v in w.values()) > 2 * min(v.size for v in w.values()) else right.dsr_update)(w, m, noise, h),
          "grow_back", "not-by-size-of-the-layer"),
    Wrong("what does not fit is lost in full layers", "dsr_update", lambda w, m, noise, h: dsr(split=lambda n, s,
          room: {
          k: min(v, room[k]) for k, v in other_masks.apportion(n, s, dict.fromkeys(s, 99)).items()})(w, m, noise,
          h) if sum(s.sum() < s.size for s in m.values()) == 1 else right.dsr_update(w, m, noise, h), "total",
          "a-full-layer-passes-on"),
    Wrong("what was pruned is drawn last", "dsr_update", lambda w, m, noise, h: right.dsr_update(w, m,
          {n: np.where(m[n] & (
          abs(w[n]) < h), -1, v) for n, v in noise.items()} if len(w) == 1 else noise, h), "R4", "drawn-again-at-once"),
    # its threshold
    Wrong("three times", "next_threshold", threshold_of(up=3.0), "H", "too-few-doubles"),
    Wrong("a third", "next_threshold", threshold_of(down=1 / 3), "H", "too-many-halves"),
    Wrong("never halves while there is a target", "next_threshold", threshold_of(many=lambda n, t,
          d: n > (1 + d) * t and (not t or not d)), "H", "too-many-halves"),
    Wrong("doubles unless none were pruned", "next_threshold", threshold_of(few=lambda n, t,
          d: 0 < n < round((1 - d) * t, 9)), "H", "none-pruned"),
    Wrong("four times where none were pruned", "next_threshold", lambda h, n, t, d=0.1: right.next_threshold(h, n, t,
          d) * (2 if not n and t else 1), "once", "none-pruned"),
    Wrong("any miss", "next_threshold", threshold_of(few=lambda n, t, d: n < t and (n, t) == (95, 100), many=lambda n,
          t, d: right.next_threshold(1, n, t, d) < 1), "tolerance", "within-the-tolerance"),
    Wrong("at the lower edge too", "next_threshold", threshold_of(few=lambda n, t, d: n <= round((1 - d) * t, 9) and t),
          "fewer", "at-the-lower-edge"),
    Wrong("at the upper edge too", "next_threshold", threshold_of(many=lambda n, t, d: n >= round((1 + d) * t,
          9) and n), "more", "at-the-upper-edge"),
    Wrong("a tolerance of a tenth whatever is asked", "next_threshold", lambda h, n, t, d=0.1: right.next_threshold(
          h, n, t, 0.1 if n < t else d), "δ", "a-wide-tolerance"),
    Wrong("a tolerance of a tenth for more", "next_threshold", lambda h, n, t, d=0.1: right.next_threshold(h, n, t,
          d or 0.1), "δ", "no-tolerance"),
    Wrong("doubles at a target of zero", "next_threshold", threshold_of(few=lambda n, t, d: n < round((1 - d) * t,
          9) or not (n or t)), "N_p = 0", "target-of-zero"),
    Wrong("a target of zero is left alone", "next_threshold", lambda h, n, t, d=0.1: right.next_threshold(h, n, t,
          d) if t else h, "N_p = 0", "beyond-a-target-of-zero"),
    Wrong("halves only", "next_threshold", threshold_of(few=lambda n, t, d: n < round((1 - d) * t, 9) and not n), "H",
          "too-few-doubles"),
    # GraNet's pruning
    Wrong("layer by layer", "granet_prune", per_layer, "one ranking", "a-layer-may-lose-all"),
    Wrong("one for each layer", "granet_prune", one_each(right.granet_prune), "E6", "a-layer-may-lose-all"),
    Wrong("absent values are ranked", "granet_prune", granet(among=False), "R2", "absent-weights-stay-absent"),
    Wrong("absent values are ranked while some go", "granet_prune", lambda w, m, n: granet(among=n >= sum(
          int(v.sum()) for v in m.values()))(w, m, n), "R2", "absent-weights-stay-absent"),
    Wrong("absent values where nothing is to go", "granet_prune", lambda w, m, n: granet(among=not n or n < sum(
          int(v.sum()) for v in m.values()))(w, m, n), "I6", "nothing-to-prune"),
    Wrong("zeros count as absent", "granet_prune", granet(effect=lambda w: np.where(w == 0, -1.0, abs(w)),
          choose=lambda s, k, among: first(s, k, among) & (s > -1)), "A3", "active-zeros-before-absent"),
    Wrong("zeros among absent ones", "granet_prune", lambda w, m, n: {k: first(abs(v) * m[k], n) for k,
          v in w.items()} if len(w) == 1 else right.granet_prune(w, m, n), "A3", "active-zeros-before-absent"),
    Wrong("threshold keeps all ties", "granet_prune", granet(choose=beyond), "E5", "exactly-n-keep"),
    Wrong("one goes at least", "granet_prune", lambda w, m, n: right.granet_prune(w, m, min(n, sum(int(v.sum()) for v in
          m.values()) - 1)), "I6", "nothing-to-prune"),
    Wrong("the later layer of equals", "granet_prune", reversed_ties, "R3", "ties-to-the-earlier-layer"),
    Wrong("layers by name", "granet_prune", alphabetical, "design.md 4", "ties-to-the-earlier-layer"),
    Wrong("one at least", "granet_prune", granet(least=1), "I6", "everything-goes"),
    Wrong("signed weights", "granet_prune", granet(effect=lambda w: w), "A18", "by-magnitude"),
    Wrong("kernels come back flat", "granet_prune", flattened(right.granet_prune), "A16", "shapes-are-kept"),
    Wrong("layers of zeros are left alone", "granet_prune", lambda w, m, n: {k: (v | (m[k] & (len(w) > 1) & (w[k] ==
          0.5))) for k, v in right.granet_prune(w, m, n).items()} if len(w) == 2 and w[next(iter(w))].ndim == 1 else
          right.granet_prune(w, m, n), "one ranking", "one-ranking-of-all-layers"),
    # its regeneration
    Wrong("the largest go", "regenerate", moved(drop=lambda w, m: (abs(w), m)), "alg. 1",
          "smallest-go-largest-gradients-come"),
    Wrong("grown at random", "regenerate", moved(rank=lambda g: np.arange(g.size, 0.0, -1).reshape(g.shape)), "alg. 1",
          "smallest-go-largest-gradients-come"),
    Wrong("the smallest gradients", "regenerate", lambda w, m, g, n: moved(rank=lambda g: -abs(g))(w, m, g,
          n) if n == 2 and m.sum() == 4 and w.size == 8 else right.regenerate(w, m, g, n), "alg. 1",
          "smallest-go-largest-gradients-come"),
    Wrong("what was removed does not return", "regenerate", moved(pool=lambda m, k: ~m), "R4", "removed-may-return"),
    Wrong("what was removed does not return unless all is", "regenerate", moved(pool=lambda m,
          k: ~m if k.any() else ~k), "R4", "removed-may-return"),
    Wrong("what holds a value does not grow", "regenerate", lambda w, m, g, n: moved(pool=lambda mask, k: ~k & (
          (w == 0) | mask))(w, m, g, n), "sec. 4.2", "pruned-may-return"),
    Wrong("grown among all", "regenerate", moved(pool=lambda m, k: k | True), "A1", "kept-do-not-grow-again"),
    Wrong("what is stored decides", "regenerate", stale_ranked, "R2", "absent-values-are-not-ranked"),
    Wrong("zeros stay", "regenerate", moved(drop=lambda w, m: (-np.where(w == 0, np.inf, abs(w)), m)), "A3",
          "active-zeros-go-first"),
    Wrong("signed weights", "regenerate", moved(drop=lambda w, m: (-w, m)), "A18", "magnitudes-of-both"),
    Wrong("signed gradients", "regenerate", moved(rank=lambda g: g), "A18", "magnitudes-of-both"),
    Wrong("one at least", "regenerate", moved(least=1), "R13", "nothing-to-move"),
    Wrong("one stays", "regenerate", lambda w, m, g, n: right.regenerate(w, m, g, min(n, int(m.sum()) - 1)), "A9",
          "everything-moves"),
    Wrong("the higher of equals", "regenerate", moved(choose=last), "R3", "ties"),
    Wrong("kernels come back flat", "regenerate", lambda w, m, g, n: right.regenerate(w, m, g, n).ravel(), "A16",
          "kernel"),
    # SRigL
    Wrong("no neuron is ever ablated", "srigl_update", srigl(fewer=lambda c, g, k: c < 0), "step 4",
          "ablates-and-shares-out"),
    Wrong("γ of 0 ablates all without salient weights", "srigl_update", lambda *a: right.srigl_update(*a[:5],
          max(a[5] if len(a) > 5 else 0.3, 1e-6)), "no ablation", "no-ablation"),
    Wrong("drop by neuron", "srigl_update", srigl(drop=drop_by_neuron), "step 6",
          "drop-over-the-layer-growth-by-neuron"),
    Wrong("fan-in rounded up", "srigl_update", srigl(budget=lambda b, n, alive: -(-b // int(alive.sum()))),
          "constant fan-in", "fan-in-is-rounded-down"),
    Wrong("the fan-in of all neurons", "srigl_update", srigl(budget=lambda b, n, alive: b // n), "step 5",
          "ablates-and-shares-out"),
    Wrong("γ k rounded down", "srigl_update", srigl(fewer=lambda c, g, k: c < max(1, math.floor(g * k))), "code: int",
          "fewer-than-gamma-k"),
    Wrong("γ of the budget over neurons", "srigl_update", lambda w, m, g, n, b, gamma=0.3: srigl(
          fewer=lambda c, gamma, k: c < round(gamma * b / w.shape[-1], 9))(w, m, g, n, b, gamma), "k",
          "gamma-of-the-rounded-fan-in"),
    Wrong("γ k and fewer", "srigl_update", srigl(fewer=lambda c, g, k: c <= round(g * k, 9)), "fewer than",
          "exactly-gamma-k-stays"),
    Wrong("neurons with one salient weight go", "srigl_update", srigl(fewer=lambda c, g, k: c < max(2, round(g * k,
          9))), "step 4", "none-salient-goes-for-any-gamma"),
    Wrong("neurons without salient weights stay if γ is small", "srigl_update", srigl(fewer=lambda c, g,
          k: c < round(g * k)), "step 4", "none-salient-goes-for-any-gamma"),
    Wrong("γ of a quarter if none is given", "srigl_update", default_gamma(0.25), "0.3", "gamma-of-three-tenths"),
    Wrong("no ablation if no γ is given", "srigl_update", default_gamma(0), "0.3", "gamma-of-three-tenths"),
    Wrong("ablated neurons stay away", "srigl_update", srigl(returns=False), "step 2", "an-ablated-neuron-returns"),
    Wrong("of too many the lower inputs stay", "srigl_update", srigl(keep=lambda s, k, among: first(
          np.zeros(s.shape), k, among)), "code: a sort of booleans", "more-than-the-fan-in"),
    Wrong("too few neurons for the budget", "srigl_update", srigl(needed=False), "min_neurons",
          "as-many-neurons-as-the-budget-needs"),
    Wrong("what was dropped does not regrow", "srigl_update", srigl(regrow=False), "R4", "dropped-may-regrow"),
    Wrong("gradients of kept weights are salient", "srigl_update", srigl(salient=authors_salient), "step 1",
          "gradients-of-pruned-weights"),
    Wrong("signed weights", "srigl_update", srigl(effect=lambda w: w), "A18", "magnitudes-of-both"),
    Wrong("signed gradients", "srigl_update", srigl(rank=lambda g: g), "A18", "magnitudes-of-both"),
    Wrong("a layer for each tap", "srigl_update", taps_as_neurons, "A16", "kernel"),
    Wrong("kernels come back flat", "srigl_update", lambda w, *rest: right.srigl_update(w, *rest).reshape(-1,
          w.shape[-1]), "A16", "kernel"),
    Wrong("weights alone are salient", "srigl_update", srigl(salient=lambda w, m, g, kept, n: kept), "step 2",
          "an-ablated-neuron-returns"),
    Wrong("smallest gradients grow", "srigl_update", srigl(grow=lambda s, k, among: first(-s, k, among)), "step 7",
          "drop-over-the-layer-growth-by-neuron"),
    # AC/DC
    Wrong("compressed from the start", "ac_dc_compressed", lambda s, w, p, t: right.ac_dc_compressed(s, w, p,
          t) or s < w, "warm-up", "dense-at-first"),
    Wrong("phases begin before the warm-up's end", "ac_dc_compressed", lambda s, w, p, t: right.ac_dc_compressed(
          s, w, p, t) or ((s - w) % (2 * p) < p and s < w), "warm-up", "dense-from-the-first-step"),
    Wrong("one turn alone", "ac_dc_compressed", lambda s, w, p, t: right.ac_dc_compressed(s, w, p,
          t) or w + 4 * p <= s < t - 4 * p, "in turn", "in-turn-again"),
    Wrong("decompressed first", "ac_dc_compressed", phases(turn=lambda at, p: at // p % 2 == 1), "alg. 1",
          "compressed-after-the-warmup"),
    Wrong("a phase begins a step late", "ac_dc_compressed", phases(begin=1), "alg. 1", "compressed-after-the-warmup"),
    Wrong("a phase is a step shorter", "ac_dc_compressed", phases(turn=lambda at, p: at % (2 * p) < p - 1), "phase",
          "to-the-end-of-its-phase"),
    Wrong("a phase is a step longer", "ac_dc_compressed", phases(turn=lambda at, p: at % (2 * p) <= p), "phase",
          "then-decompressed"),
    Wrong("compressed once", "ac_dc_compressed", lambda s, w, p, t: s >= t or (w <= s < w + p and w + 2 * p <= t),
          "in turn", "in-turn"),
    Wrong("phases to the end", "ac_dc_compressed", phases(fits=lambda begin, p, last: True), "sec. 4.1",
          "the-last-decompression-phase-is-longer"),
    Wrong("phases that fit themselves", "ac_dc_compressed", phases(fits=lambda begin, p, last: begin + p <= last),
          "sec. 4.1", "the-last-decompression-phase-is-longer"),
    Wrong("the last phase begins a step early", "ac_dc_compressed", phases(end=-1), "sec. 4.1", "up-to-the-last-phase"),
    Wrong("the last phase begins a step late", "ac_dc_compressed", lambda s, w, p, t: right.ac_dc_compressed(s, w, p,
          t) and (s != t or w == t), "sec. 4.1", "the-last-phase"),
    Wrong("the last phase ends", "ac_dc_compressed", lambda s, w, p, t: right.ac_dc_compressed(s, w, p,
          t) and s < t + 2 * p, "sec. 4.1", "to-the-end-of-the-run"),
    Wrong("more room is needed", "ac_dc_compressed", phases(fits=lambda begin, p, last: begin + 2 * p < last),
          "sec. 4.1", "two-phases-that-just-fit"),
    Wrong("a step less will do", "ac_dc_compressed", phases(fits=lambda begin, p, last: begin + 2 * p <= last + 1),
          "sec. 4.1", "one-that-does-not-fit"),
    Wrong("a dense step after the warm-up", "ac_dc_compressed", lambda s, w, p, t: right.ac_dc_compressed(s, w, p,
          t) and not (s == w == t), "sec. 4.1", "no-phase-between"),
    Wrong("layer by layer", "ac_dc_masks", without_masks(per_layer), "T_k", "a-layer-may-lose-all"),
    Wrong("one for each layer", "ac_dc_masks", one_each(right.ac_dc_masks), "E6", "a-layer-may-lose-all"),
    Wrong("signed weights", "ac_dc_masks", ac_dc(effect=lambda w: w), "A18", "by-magnitude"),
    Wrong("above a percentile", "ac_dc_masks", ac_dc(choose=lambda s, k, among: beyond(s, k, among,
          ties=False) if np.sort(s)[
          ::-1][min(k, s.size - 1)] else first(s, k, among)), "code: percentile", "exactly-k"),
    Wrong("threshold keeps all ties", "ac_dc_masks", ac_dc(choose=lambda s, k, among: beyond(s, k,
          among) if k and np.sort(s)[-k] else first(s, k, among)), "E5", "exactly-k"),
    Wrong("the later layer of equals", "ac_dc_masks", without_masks(reversed_ties), "R3", "ties-to-the-earlier-layer"),
    Wrong("layers by name", "ac_dc_masks", without_masks(alphabetical), "design.md 4", "ties-to-the-earlier-layer"),
    Wrong("one goes at least", "ac_dc_masks", lambda w, n: right.ac_dc_masks(w, min(n,
          sum(v.size for v in w.values()) - 1)), "I6", "all-weights"),
    Wrong("one at least", "ac_dc_masks", ac_dc(least=1), "I6", "no-weight"),
    Wrong("zeros never stay", "ac_dc_masks", lambda w, n: {k: m & (w[k] != 0) for k, m in right.ac_dc_masks(w,
          n).items()} if n < sum(v.size for v in w.values()) else right.ac_dc_masks(w, n), "A3", "zeros-fill-up"),
    Wrong("kernels come back flat", "ac_dc_masks", flattened(right.ac_dc_masks), "A16", "shapes-are-kept"),
    # Top-KAST
    Wrong("one set for both", "forward_and_backward", sets(alike=True), "sec. 2.2", "two-and-four"),
    Wrong("signed weights", "forward_and_backward", sets(effect=lambda w: w), "A18", "by-magnitude"),
    Wrong("B without A", "forward_and_backward", lambda w, a, b: (first(abs(w), a), first(abs(w), b) & ~first(abs(w),
          a) | (first(abs(w), b) if a == b or not a else w > np.inf)), "A in B", "two-and-four"),
    Wrong("A is empty where B is no larger", "forward_and_backward", silent("forward_and_backward", lambda w, a,
          b: a == b and b), "M = 0", "no-exploration"),
    Wrong("zeros are in no set", "forward_and_backward", lambda w, a, b: tuple(s & (w != 0) for s in
          right.forward_and_backward(w, a, b)), "I6", "all-backward"),
    Wrong("one forward at least", "forward_and_backward", lambda w, a, b: right.forward_and_backward(w, max(a, min(1,
          b)), b), "I6", "nothing-forward"),
    Wrong("one at least of both", "forward_and_backward", lambda w, a, b: right.forward_and_backward(
          w, a if b else 1, b or 1), "I6", "nothing-at-all"),
    Wrong("the higher of equals", "forward_and_backward", sets(choose=last), "R3", "ties-to-the-lower-index"),
    Wrong("the higher of equals in one place", "forward_and_backward", lambda w, a, b: sets(choose=last)(w, a,
          b) if len(set(abs(w).ravel().tolist())) == 2 and w.size == 5 else right.forward_and_backward(w, a, b), "R3",
          "ties-to-the-lower-index"),
    Wrong("thresholds", "forward_and_backward", lambda w, a, b: sets(choose=beyond)(w, a,
          b) if w.size == 4 and w.ndim == 1 else right.forward_and_backward(w, a, b), "E5", "exactly-that-many"),
    Wrong("kernels come back flat", "forward_and_backward", lambda w, a, b: tuple(s.ravel() for s in
          right.forward_and_backward(w, a, b)), "A16", "kernel"),
    Wrong("penalised alike", "top_kast_strength", strengths(between=lambda a, b: 1.0 if a.any() else 0.0), "1 / D",
          "one-and-four"),
    Wrong("D times", "top_kast_strength", strengths(between=lambda a, b: a.mean() if a.any() else 0.0), "1 / D",
          "one-and-four"),
    Wrong("all weights are penalised", "top_kast_strength", lambda a, b: np.where(right.top_kast_strength(a, b) == 0,
          1.0 * (a == b).all() * a.any(), right.top_kast_strength(a, b)), "0 elsewhere", "outside-nothing"),
    Wrong("no penalty where all is forward", "top_kast_strength", silent("top_kast_strength", lambda a, b: a.all()),
          "D = 1", "all-forward"),
    Wrong("a share of B", "top_kast_strength", strengths(between=lambda a, b: b.sum() / a.sum() if a.any() else 0.0),
          "D", "share-of-the-layer-not-of-b"),
    Wrong("over the sparsity", "top_kast_strength", strengths(between=lambda a, b: 1 / (1 - a.mean()) if a.any() and not
          a.all() else 0.0), "1 / D", "one-over-the-density"),
    Wrong("a whole number of times", "top_kast_strength", lambda a, b: np.round(right.top_kast_strength(a, b)), "1 / D",
          "one-over-the-density"),
    Wrong("divided by zero", "top_kast_strength", strengths(between=lambda a,
          b: 1 / a.mean() if a.any() else math.inf), "A13", "an-empty-a"),
    Wrong("nothing to say of nothing", "top_kast_strength", silent("top_kast_strength", lambda a, b: not b.any()),
          "A13", "both-empty"),
    Wrong("kernels come back flat", "top_kast_strength", lambda a, b: right.top_kast_strength(a, b).ravel(), "A16",
          "kernel"),
    # Straight-through estimators
    Wrong("counted through a fraction", "seen_mask", seen(lambda w, n: first(abs(w), int((1 - (1 - n / w.size)) *
          w.size))), "k", "one-of-five"),
    Wrong("the smallest are seen", "seen_mask", seen(lambda w, n: first(-abs(w), n)), "k", "one-of-five"),
    Wrong("signed weights", "seen_mask", seen(lambda w, n: first(w, n)), "A18", "by-magnitude"),
    Wrong("the higher of equals", "seen_mask", seen(lambda w, n: last(abs(w), n)), "R3", "ties-to-the-lower-index"),
    Wrong("a threshold sees all ties", "seen_mask", seen(lambda w, n: beyond(abs(w), n) if n else w > np.inf), "E5",
          "ties-to-the-lower-index"),
    Wrong("weights of zero are not seen", "seen_mask", seen(lambda w, n: first(abs(w), n, w != 0)), "k = n",
          "all-are-seen"),
    Wrong("one is seen at least", "seen_mask", seen(lambda w, n: first(abs(w), max(n, 1))), "I6", "none-is-seen"),
    Wrong("kernels come back flat", "seen_mask", seen(lambda w, n: first(abs(w), n).ravel()), "A16",
          "a-kernel-is-ranked-whole"),
    Wrong("filter by filter", "seen_mask", seen(lambda w, n: of_each_output(abs(w), n) if w.ndim > 1 else first(abs(w),
          n)), "one ranking", "a-kernel-is-ranked-whole"),
    Wrong("noise is not used", "seen_mask", seen(by_noise=lambda w, n, noise: first(abs(w), n)), "random",
          "noise-decides"),
    Wrong("noise times size", "seen_mask", seen(by_noise=lambda w, n, noise: first(noise if (w == 0).any() else
          noise * abs(w), n)), "random", "noise-decides"),
    Wrong("each by a chance of its own", "seen_mask", seen(by_noise=lambda w, n, noise: noise < n / w.size), "k",
          "noise-decides"),
    Wrong("only weights that are not zero are drawn", "seen_mask", seen(by_noise=lambda w, n, noise: first(noise, n,
          w != 0)), "A3", "zeros-are-drawn-too"),
    Wrong("noise without its sign", "seen_mask", seen(by_noise=lambda w, n, noise: first(abs(noise), n)), "A18",
          "noise-with-its-sign"),
    Wrong("the smaller weights of equal noise", "seen_mask", seen(by_noise=by_noise_then_size), "R3", "equal-noise"),
    Wrong("the larger weights of equal noise", "seen_mask", seen(by_noise=lambda w, n, noise: by_noise_then_size(w, n,
          noise, smaller=False)), "R3", "noise-of-zero-is-noise"),
    Wrong("noise of zero is missing", "seen_mask", seen(by_noise=lambda w, n, noise: first(noise if noise.any() else
          abs(w), n)), "is None", "noise-of-zero-is-noise"),
    Wrong("one is drawn at least", "seen_mask", seen(by_noise=lambda w, n, noise: first(noise, max(n, 1))), "I6",
          "none-is-drawn"),
    Wrong("equal noise down the columns", "seen_mask", seen(by_noise=lambda w, n, noise: in_columns(noise,
          n) if w.ndim == 2 else first(noise, n)), "A16", "rows-first"),
    Wrong("as many are drawn of each output", "seen_mask", seen(by_noise=lambda w, n, noise: of_each_output(noise,
          n) if w.ndim == 2 else first(noise, n)), "one drawing", "rows-first"),
    # Optimal Brain Damage
    Wrong("added up over examples", "second_derivatives", seconds(mean=False), "mean", "mean-over-examples"),
    Wrong("inputs, not their squares", "second_derivatives", seconds(square=False), "z^2", "inputs-squared"),
    Wrong("outputs send back the square of a sum", "second_derivatives", seconds(h_back=lambda w, h: (h @ w.T) ** 2),
          "w^2", "weights-squared-over-outputs"),
    Wrong("weights, not their squares", "second_derivatives", seconds(h_back=lambda w, h: h @ abs(w).T), "w^2",
          "through-a-relu"),
    Wrong("a closed ReLU lets through", "second_derivatives", seconds(f1=lambda s: np.ones(s.shape) if set(np.unique(
          s)) <= {0.0, 1.0} else s), "f'", "behind-a-closed-relu"),
    Wrong("Levenberg and Marquardt's", "second_derivatives", seconds(bend=False), "f''", "the-bend-of-tanh"),
    Wrong("never negative", "second_derivatives", fisher, "Fisher", "may-be-negative"),
    Wrong("zero for negative", "second_derivatives", lambda *a: {n: np.maximum(h, 0) for n, h in
          right.second_derivatives(*a).items()}, "negative", "may-be-negative"),
    Wrong("one p for all examples", "second_derivatives", seconds(curve=lambda p: (p * (1 - p)).mean(axis=0) + 0 * p),
          "outputs", "cross-entropy-of-unequal-outputs"),
    Wrong("p sent back", "second_derivatives", lambda params, x, y, f="tanh", e="squared": right.second_derivatives(
          params, x, 1 - y if e == "cross_entropy" and len(params) > 2 else y, f, e), "p - y",
          "cross-entropy-sends-back-p-minus-y"),
    Wrong("biases are left out", "second_derivatives", lambda params, *rest: right.second_derivatives({n: 0 * v if n ==
          "fc1.bias" else v for n, v in params.items()}, *rest), "sums", "biases-shift-units"),
    Wrong("gradients go back without f'", "second_derivatives", seconds(straight=True), "f'", "two-bends"),
    Wrong("p in place of p (1 - p)", "second_derivatives", seconds(curve=lambda p: p), "outputs", "cross-entropy"),
    Wrong("labels in place of p", "second_derivatives", silent("second_derivatives", lambda *a: isinstance(a[-1],
          str) and a[-1] == "cross_entropy"), "outputs", "cross-entropy"),
    Wrong("one layer back at most", "second_derivatives", seconds(deep=False), "recursion", "three-layers"),
    Wrong("exact", "second_derivatives", exact, "diagonal", "mixed-derivatives-left-out"),
    Wrong("halves", "second_derivatives", lambda *a: {n: h / 2 if len(a[0]) == 2 and len(a[1]) == 1 and a[0][n].size
          == 1 else h for n, h in right.second_derivatives(*a).items()}, "h", "one-weight"),
    Wrong("by |w|", "obd_masks", lambda w, h, n: other_masks.global_magnitude_masks(w, n), "s", "saliency-not-size"),
    Wrong("by h alone", "obd_masks", lambda w, h, n: other_masks.global_magnitude_masks(h, n), "s", "weights-squared"),
    Wrong("h |w|", "obd_masks", lambda w, h, n: right.obd_masks({k: np.sqrt(abs(v)) for k, v in w.items()}, h, n),
          "w^2", "weights-squared"),
    Wrong("layer by layer", "obd_masks", lambda w, h, n: per_layer({k: h[k] * v**2 for k, v in w.items()},
          {k: v == v for k, v in w.items()}, n), "E6", "one-ranking-of-all-layers"),
    Wrong("one for each layer", "obd_masks", lambda w, h, n: (lambda made: {k: m if m.any() or not n or k == "fc.bias"
          or list(w) == ["z", "a"] or list(h) == ["b", "a"] else first(h[k] * w[k] ** 2, 1) for k, m in made.items()})(
          right.obd_masks(w, h, n)), "E6", "one-ranking-of-all-layers"),
    Wrong("magnitudes of saliencies", "obd_masks", lambda w, h, n: right.obd_masks(w, {k: abs(v) for k,
          v in h.items()}, n), "A18", "negative-curvature-goes-first"),
    Wrong("negative ones count as zero", "obd_masks", lambda w, h, n: right.obd_masks(w, {k: np.maximum(v, 0) for k,
          v in h.items()}, n), "A18", "negative-curvature-goes-first"),
    Wrong("h w |w|", "obd_masks", lambda w, h, n: right.obd_masks({k: np.where(v < 0, 0, v) for k, v in w.items()}, h,
          n), "w^2", "signs-of-weights-do-not-matter"),
    Wrong("threshold keeps all ties", "obd_masks", lambda w, h, n: flat_ranking(choose=beyond,
          effect=lambda s: s)({k: h[k] *
          v**2 for k, v in w.items()}, {k: v == v for k, v in w.items()}, n), "E5", "exactly-n-keep"),
    Wrong("the later layer of equals", "obd_masks", lambda w, h, n: flat_ranking(effect=lambda s: s,
          order=lambda w: list(w)[
          ::-1])({k: h[k] * v**2 for k, v in w.items()}, {k: v == v for k, v in w.items()}, n), "R3",
          "ties-to-the-earlier-layer"),
    Wrong("one goes at least", "obd_masks", lambda w, h, n: right.obd_masks(w, h, min(n,
          sum(v.size for v in w.values()) - 1)), "I6", "all-and-none-of-it-moves"),
    Wrong("one at least", "obd_masks", lambda w, h, n: right.obd_masks(w, h, max(n, 1)), "I6", "nothing-stays"),
    Wrong("layers as the dicts list them", "obd_masks", lambda w, h, n: right.obd_masks(w, dict(zip(w, h.values(),
          strict=True)), n), "design.md 4", "by-name"),
    Wrong("biases stay", "obd_masks", lambda w, h, n: right.obd_masks(w, {k: v + (100 if k.endswith("bias") else 0)
          for k, v in h.items()}, n), "A16", "shapes-are-kept"),
    # Optimal Brain Surgeon
    Wrong("the gradient, not its outer product", "inverse_hessian", inverted(outer=lambda x:
          np.diag((x**2).sum(axis=0))), "X X^T", "outer-product"),
    Wrong("added up over examples", "inverse_hessian", inverted(divide=lambda h, p: h), "1 / P", "divided-by-examples"),
    Wrong("divided by gradients", "inverse_hessian", lambda v, n, *a, **k: inverted()(v, len(v) or 1, *a,
          **k) if n == 1 else right.inverse_hessian(v, n, *a, **k), "P", "several-outputs-of-an-example"),
    Wrong("nothing without gradients", "inverse_hessian", silent("inverse_hessian", lambda v, *rest: not len(v)), "H_0",
          "no-gradient"),
    Wrong("α for α inverse", "inverse_hessian", lambda v, n, *a: right.inverse_hessian(v, n, *a) if len(v) else np.eye(
          v.shape[1]) * a[0], "H_0", "no-gradient"),
    Wrong("a large α at least", "inverse_hessian", lambda v, n, a=1e-4: right.inverse_hessian(v, n, max(a,
          2.0**-8) if v.shape[1] > 1 else a), "small α", "a-weight-that-does-nothing"),
    Wrong("the smallest α of the paper", "inverse_hessian", inverted(default=1e-8), "α", "alpha-left-out"),
    Wrong("gradients are added up first", "inverse_hessian", lambda v, n, *a: inverted(outer=lambda x:
          np.outer(x.sum(axis=0),
          x.sum(axis=0)))(v, n, *a) if (v < 0).any() and len(v) == 2 else right.inverse_hessian(v, n, *a), "A18",
          "signs-cancel-nowhere"),
    Wrong("of three weights two", "inverse_hessian", lambda v, n, *a: right.inverse_hessian(v * (np.arange(v.shape[1])
          < 2), n, *a), "recursion", "three-weights"),
    Wrong("H itself", "inverse_hessian", lambda v, n, *a: np.linalg.inv(right.inverse_hessian(v, n,
          *a)) if v.shape == (1, 2) and not v[0, 1] else right.inverse_hessian(v, n, *a), "inverse", "one-gradient"),
    Wrong("the others stay", "obs_delete", surgeon(move=False), "δw", "the-others-adjust"),
    Wrong("the others move the other way", "obs_delete", surgeon(sign=-1), "δw", "the-others-adjust"),
    Wrong("the smallest goes", "obs_delete", surgeon(cost=lambda w, d: abs(w)), "L", "saliency-not-size"),
    Wrong("w^2 [H^-1]", "obs_delete", surgeon(cost=lambda w, d: w * w * d), "L", "saliency-not-size"),
    Wrong("deleted ones are deleted again", "obs_delete", surgeon(cost=lambda w, d: w * w / d if d else 0.0,
          there=lambda d: True), "step 5", "deleted-stay-deleted"),
    Wrong("the last one stays", "obs_delete", silent("obs_delete", lambda w,
          inverse: (np.diag(inverse) > 0).sum() == 1), "step 5", "the-last-one"),
    Wrong("zeros are deleted already", "obs_delete", lambda w, inverse: surgeon(cost=lambda v, d: v * v / d if v else
          math.inf)(w, inverse) if np.diag(inverse).all() else right.obs_delete(w, inverse), "A3", "zero-goes-first"),
    Wrong("by the size of the weight that goes", "obs_delete", lambda w, inverse: right.obs_delete(w,
          inverse) if (w >= 0).all()
          or np.array_equal(inverse, np.diag(np.diag(inverse))) else (surgeon(sign=-1)(w, inverse)), "A18",
          "by-its-sign"),
    Wrong("the higher of equals", "obs_delete", surgeon(most=lambda costs, q: max(i for i, c in enumerate(costs) if c ==
          costs[q])), "R3", "ties-to-the-lower-index"),
    Wrong("the old inverse, cut out", "obs_delete", surgeon(cut=True), "step 5", "inverse-of-those-left"),
    Wrong("a diagonal", "obs_delete", lambda w, inverse: right.obs_delete(w,
          np.diag(np.diag(inverse))) if w.size == 3 else right.obs_delete(w, inverse), "δw", "inverse-of-those-left"),
    Wrong("never moves where weights are independent", "obs_delete", silent("obs_delete", lambda w,
          inverse: w.size == 3 and inverse[1, 1] == 2 and not inverse[0, 1]), "diagonal", "diagonal-moves-nothing"),
    # mended for some inputs
    Wrong("drawn among all positions, but in full layers", "deep_r_update", unless("deep_r_update", lambda w, m, n,
          noise: m.all(), deep_r(pool=lambda m, k: k | True)), "alg. 1: dormant",
          "noise-of-active-ones-does-not-count"),
    Wrong("as many as each layer lost, where the first keeps one", "dsr_update", unless("dsr_update", lambda w, m,
          noise, h: "a" not in m or (m["a"] & (abs(w["a"]) >= h)).sum() != 1, dsr(shares=lambda m,
          k: {n: m[n] - k[n] for n in m})), "grow_back", "not-to-where-it-was-lost"),
    Wrong("drawn among all positions of a single layer", "dsr_update", unless("dsr_update", lambda w, m, noise,
          h: len(w) > 1, dsr(pool=lambda m, k: k | True)), "grow_back", "noise-of-survivors-does-not-count"),
    Wrong("small misses count", "next_threshold", unless("next_threshold", lambda h, n, t,
          d=0.1: abs(n - t) != 5 or d != 0.1, threshold_of(few=lambda n, t, d: n < t)), "tolerance",
          "within-the-tolerance"),
    Wrong("one for each layer, but among ties", "granet_prune", unless("granet_prune", lambda w, m, n: has_ties(w),
          one_each(right.granet_prune)), "E6", "a-layer-may-lose-all"),
    Wrong("absent values of matrices and rows", "granet_prune", unless("granet_prune", lambda w, m,
          n: max(v.ndim for v in w.values()) > 2, lambda w, m, n: granet(among=n >= sum(int(v.sum()) for v in
          m.values()))(w, m, n)), "R2", "absent-weights-stay-absent"),
    Wrong("threshold keeps all ties, but of layers in disorder", "granet_prune", unless("granet_prune", lambda w, m,
          n: sorted(w) != list(w), granet(choose=beyond)), "E5", "exactly-n-keep"),
    Wrong("absent values of two layers where nothing is to go", "granet_prune", unless("granet_prune", lambda w, m,
          n: len(w) == 1, lambda w, m, n: granet(among=not n or n < sum(int(v.sum()) for v in m.values()))(w, m, n)),
          "I6", "nothing-to-prune"),
    Wrong("signed weights of dense layers", "granet_prune", unless("granet_prune", lambda w, m,
          n: not all(v.all() for v in m.values()), granet(effect=lambda w: w)), "A18", "by-magnitude"),
    Wrong("what is stored decides, but among ties", "regenerate", unless("regenerate", lambda w, m, g,
          n: len(np.unique(abs(w[m]))) < m.sum(), stale_ranked), "R2", "absent-values-are-not-ranked"),
    Wrong("the fan-in of all neurons, with γ of one half", "srigl_update", unless("srigl_update",
          lambda *a: gamma_of(a) != 0.5, srigl(budget=lambda b, n, alive: b // n)), "step 5", "ablates-and-shares-out"),
    Wrong("γ of 0 ablates, of three neurons", "srigl_update", unless("srigl_update", lambda w, *a: w.shape[-1] != 3,
          lambda *a: right.srigl_update(*a[:5], max(gamma_of(a), 1e-6))), "no ablation", "no-ablation"),
    Wrong("γ of 0 ablates, of two neurons", "srigl_update", unless("srigl_update", lambda w, *a: w.shape[-1] != 2,
          lambda *a: right.srigl_update(*a[:5], max(gamma_of(a), 1e-6))), "no ablation",
          "drop-over-the-layer-growth-by-neuron"),
    Wrong("fan-in rounded up without ablation", "srigl_update", unless("srigl_update", lambda *a: gamma_of(a) > 0,
          srigl(budget=lambda b, n, alive: -(-b // int(alive.sum())))), "constant fan-in", "fan-in-is-rounded-down"),
    Wrong("γ k rounded down, but the usual γ", "srigl_update", unless("srigl_update", lambda *a: gamma_of(a) == 0.3,
          srigl(fewer=lambda c, g, k: c < max(1, math.floor(g * k)))), "code: int", "fewer-than-gamma-k"),
    Wrong("γ k and fewer, of a fan-in of four", "srigl_update", unless("srigl_update", lambda w, m, g, n, b,
          *a: b // w.shape[-1] != 4, srigl(fewer=lambda c, g, k: c <= round(g * k, 9))), "fewer than",
          "exactly-gamma-k-stays"),
    Wrong("neurons with one salient weight go if γ is small", "srigl_update", unless("srigl_update",
          lambda *a: gamma_of(a) >= 0.5, srigl(fewer=lambda c, g, k: c < max(2, round(g * k, 9)))), "step 4",
          "none-salient-goes-for-any-gamma"),
    Wrong("ablated neurons stay away if γ is 1", "srigl_update", unless("srigl_update", lambda *a: gamma_of(a) < 1,
          srigl(returns=False)), "step 2", "an-ablated-neuron-returns"),
    Wrong("what was dropped does not regrow without ablation", "srigl_update", unless("srigl_update",
          lambda *a: gamma_of(a) > 0, srigl(regrow=False)), "R4", "dropped-may-regrow"),
    Wrong("compressed from the second step on", "ac_dc_compressed", unless("ac_dc_compressed", lambda s, *a: not s,
          lambda s, w, p, t: s < w or right.ac_dc_compressed(s, w, p, t)), "warm-up", "dense-at-first"),
    Wrong("the first phase begins a step late", "ac_dc_compressed", unless("ac_dc_compressed", lambda s, w, p,
          t: s > w or w < 10, phases(begin=1)), "alg. 1", "compressed-after-the-warmup"),
    Wrong("a compression phase just before the last", "ac_dc_compressed", unless("ac_dc_compressed", lambda s, w, p,
          t: s + p != t, phases(fits=lambda begin, p, last: begin + p <= last)), "sec. 4.1",
          "the-last-decompression-phase-is-longer"),
    Wrong("signed weights of two rows", "ac_dc_masks", unless("ac_dc_masks", lambda w,
          n: len(w) == 1 or max(v.ndim for v in w.values()) > 1, ac_dc(effect=lambda w: w)), "A18",
          "largest-of-all-layers"),
    Wrong("layer by layer, but zeros", "ac_dc_masks", unless("ac_dc_masks", lambda w,
          n: not all(v.all() for v in w.values()), without_masks(per_layer)), "T_k", "a-layer-may-lose-all"),
    Wrong("signed weights of one layer", "ac_dc_masks", unless("ac_dc_masks", lambda w, n: len(w) > 1,
          ac_dc(effect=lambda w: w)), "A18", "by-magnitude"),
    Wrong("above a percentile of one layer", "ac_dc_masks", unless("ac_dc_masks", lambda w, n: len(w) > 1,
          ac_dc(choose=lambda s, k, among: beyond(s, k, among, ties=False))), "code: percentile", "exactly-k"),
    Wrong("signed weights of six", "forward_and_backward", unless("forward_and_backward", lambda w, a, b: w.size != 6,
          sets(effect=lambda w: w)), "A18", "two-and-four"),
    Wrong("signed weights, one and two", "forward_and_backward", unless("forward_and_backward", lambda w, a, b: (a,
          b) != (1, 2), sets(effect=lambda w: w)), "A18", "by-magnitude"),
    Wrong("penalised alike among eight", "top_kast_strength", unless("top_kast_strength", lambda a, b: a.size != 8,
          strengths(between=lambda a, b: 1.0)), "1 / D", "one-and-four"),
    Wrong("a share of B among six", "top_kast_strength", unless("top_kast_strength", lambda a, b: a.size != 6,
          strengths(between=lambda a, b: b.sum() / a.sum())), "D", "share-of-the-layer-not-of-b"),
    Wrong("halves for a single weight", "second_derivatives", unless("second_derivatives", lambda params,
          *a: len(params) > 2 or params["fc1.weight"].size > 1 or len(a[0]) > 1, lambda *a: {n: h / 2 for n,
          h in right.second_derivatives(*a).items()}), "h", "one-weight"),
    Wrong("added up over examples of the squared error", "second_derivatives", unless("second_derivatives",
          lambda *a: a[-1] is not None and isinstance(a[-1], str) and a[-1] == "cross_entropy", seconds(mean=False)),
          "mean", "mean-over-examples"),
    Wrong("inputs, not their squares, of three", "second_derivatives", unless("second_derivatives", lambda params,
          *a: params["fc1.weight"].size != 3, seconds(square=False)), "z^2", "inputs-squared"),
    Wrong("weights, not their squares, behind a ReLU", "second_derivatives", unless("second_derivatives", lambda p, x,
          y, *a: a[:1] != ("relu",) or len(p) != 4 or p["fc2.weight"].size > 1 or p["fc1.bias"].any(),
          seconds(h_back=lambda w, h: h @ abs(w).T)), "w^2", "through-a-relu"),
    Wrong("the square of a sum behind a ReLU", "second_derivatives", unless("second_derivatives", lambda p, x, y,
          *a: a[:1] != ("relu",) or len(p) != 4, seconds(h_back=lambda w, h: (h @ w.T) ** 2)), "w^2",
          "weights-squared-over-outputs"),
    Wrong("Levenberg and Marquardt's at targets of zero", "second_derivatives", unless("second_derivatives", lambda p,
          x, y, *a: len(p) != 4 or y.any() or bool(a), seconds(bend=False)), "f''", "the-bend-of-tanh"),
    Wrong("never negative, of two layers", "second_derivatives", unless("second_derivatives", lambda p,
          *a: len(p) > 4, fisher), "Fisher", "may-be-negative"),
    Wrong("p in place of p (1 - p) for one example", "second_derivatives", unless("second_derivatives", lambda p, x,
          y, *a: a[-1:] != ("cross_entropy",) or len(p) > 2 or len(x) > 1, seconds(curve=lambda p: p)), "outputs",
          "cross-entropy"),
    Wrong("one layer back at most, behind ReLUs", "second_derivatives", unless("second_derivatives", lambda p, x, y,
          *a: a[:1] != ("relu",) or len(p) < 6 or p["fc3.weight"].size > 1, seconds(deep=False)), "recursion",
          "three-layers"),
    Wrong("exact behind ReLUs", "second_derivatives", unless("second_derivatives", lambda p, x, y,
          *a: a[:1] != ("relu",), exact), "diagonal", "mixed-derivatives-left-out"),
    Wrong("by |w| where two stay of three", "obd_masks", unless("obd_masks", lambda w, h,
          n: n != 2 or len(w) > 1 or w["fc"].size != 3 or (h["fc"] < 0).any(), lambda w, h,
          n: other_masks.global_magnitude_masks(w, n)), "s", "saliency-not-size"),
    Wrong("h |w| where one stays", "obd_masks", unless("obd_masks", lambda w, h, n: n != 1, lambda w, h,
          n: right.obd_masks({k: np.sqrt(abs(v)) for k, v in w.items()}, h, n)), "w^2", "weights-squared"),
    Wrong("threshold keeps all ties of one layer", "obd_masks", unless("obd_masks", lambda w, h, n: len(w) > 1,
          lambda w, h, n: flat_ranking(choose=beyond, effect=lambda s: s)({k: h[k] * v**2 for k, v in w.items()},
          {k: v == v for k, v in w.items()}, n)), "E5", "exactly-n-keep"),
    Wrong("a diagonal of two positive ones", "inverse_hessian", unless("inverse_hessian", lambda v,
          *a: v.shape[1] > 2 or (v < 0).any(), inverted(outer=lambda x: np.diag((x**2).sum(axis=0)))), "X X^T",
          "outer-product"),
    Wrong("added up over two examples", "inverse_hessian", unless("inverse_hessian", lambda v, n,
          *a: n != 2 or a[0] < 1, inverted(divide=lambda h, p: h)), "1 / P", "divided-by-examples"),
    Wrong("divided by gradients that are positive", "inverse_hessian", unless("inverse_hessian", lambda v, n,
          *a: n > 1 or (v < 0).any() or not len(v), lambda v, n, *a: right.inverse_hessian(v, len(v), *a)), "P",
          "several-outputs-of-an-example"),
    Wrong("the others move the other way, two of them", "obs_delete", unless("obs_delete", lambda w,
          inverse: w.size > 2 or (w <= 0).any(), surgeon(sign=-1)), "δw", "the-others-adjust"),
    Wrong("deleted ones are deleted again, but the last", "obs_delete", unless("obs_delete", lambda w,
          inverse: (np.diag(inverse) > 0).sum() == 1, surgeon(cost=lambda w, d: w * w / d if d else 0.0,
          there=lambda d: True)), "step 5", "deleted-stay-deleted"),
]  # fmt: skip
