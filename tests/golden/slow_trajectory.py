"""A naive twin of the training loop and of every recipe: one plain Python float at a time, after the papers."""

import math
from fractions import Fraction

import numpy as np

from tests.helpers import slow_methods as slow
from tests.helpers.slow_ops import sigmoid


def slow_trajectory(case):
    name, numbers = case["method"]["name"], {key: x for key, x in case["method"].items() if key != "name"}
    return ROUNDS[name](case, **numbers) if name in ROUNDS else slow_run(case)


def slow_run(case):
    shapes = {name: w.shape for name, w in case["params"].items()}
    masks = {name: mask.ravel().tolist() for name, mask in case["masks"].items()}
    params = projected({name: w.ravel().tolist() for name, w in case["params"].items()}, masks)
    slots = started(case["optimizer"], params)
    name, own = case["method"]["name"], {key: x for key, x in case["method"].items() if key != "name"}
    due, decide, pauses = METHODS[name]
    momentum, path = None, []
    for t, grads in enumerate(case["grads"]):
        grads = pulled({name: g.ravel().tolist() for name, g in grads.items()}, params, case)
        noise = {name: u.ravel().tolist() for name, u in case["noise"][t].items()} if case["noise"] else None
        if name == "l0":
            grads = through_gates(params, grads, noise, shapes, **own)
        if name == "snfs":
            momentum = smoothed(momentum, grads, own["beta"])
        if not (pauses and due(t, own)):
            stepped(t, params, grads, slots, **case["optimizer"])
        params, slots = projected(params, masks), projected_slots(slots, masks)
        if name == "l0":
            params = {of: clamped(w) if of.endswith("log_alpha") else w for of, w in params.items()}
        if due(t, own):
            seen = noise if name == "set" else momentum if name == "snfs" else grads
            weights, scores = ({of: np.array(tree[of]) for of in masks} for tree in (params, seen))
            numbers = {key: x for key, x in own.items() if key not in ("fraction", "fill")}
            if "fraction" in own:
                numbers["part"] = part_of(t, **own["fraction"])
            new = decide(t, weights, {of: np.array(mask) for of, mask in masks.items()}, scores, **numbers)
            before, masks = masks, {of: mask.tolist() for of, mask in new.items()}
        params, slots = projected(params, masks), projected_slots(slots, masks)
        if due(t, own) and "fill" in own:
            params |= {
                of: [-own["fill"]["rate"] * g if on and not was else w
                     for w, g, on, was in zip(params[of], grads[of], mask, before[of], strict=True)]
                for of, mask in masks.items()
            }  # fmt: skip
        path.append(
            {
                "params": shaped(params, shapes, float),
                "masks": shaped(masks, shapes, bool),
                "slots": {name: shaped(s, shapes, float) if isinstance(s, dict) else s for name, s in slots.items()},
            }
        )
    return path


def pulled(grads, params, case):
    """With w - target on top, of the loss's second part."""
    new = dict(grads)
    for name, target in case.get("targets", {}).items():
        new[name] = [g + w - t for g, w, t in zip(grads[name], params[name], target.ravel().tolist(), strict=True)]
    return new


def part_of(t, name, alpha, t_end=None, begin=0, k=1):
    if name == "constant":
        return alpha
    gone = min(max((t - begin) / (t_end - begin), 0.0), 1.0)
    return cosine(alpha, gone, 1) if name == "cosine" else alpha * (1 - gone) ** k


# rounds of training on masks that stay


def slow_three_step(case, steps, qualities, retrain_lr=None, dropout=None):
    path, grads = [], list(case["grads"])
    now = {"params": dict(case["params"]), "masks": dict(case["masks"])}
    for number, n in enumerate(steps):
        lr = case["optimizer"]["lr"]
        if number:
            lr = lr / 10 if retrain_lr is None else retrain_lr
        if number:
            kept = {}
            for name, mask in now["masks"].items():
                threshold = slow.slow_threshold(now["params"][name], qualities[number - 1][name], mask)
                stays = [on and abs(w) >= threshold for w, on in zip(now["params"][name].flat, mask.flat, strict=True)]
                kept[name] = np.array(stays).reshape(mask.shape)
            now["masks"] = slow.slow_remove_dead_units(kept, tuple(kept))
        optimizer = case["optimizer"] | {"lr": lr}
        own, grads = grads[:n], grads[n:]
        for name, rate in (dropout or {}).items():
            left = now["masks"][name].sum() / case["masks"][name].sum()
            own = [g | {name: (1 - rate * math.sqrt(left)) * g[name]} for g in own]
        path += slow_run(case | now | {"grads": own, "optimizer": optimizer, "method": {"name": "static"}})
        now = dict(path[-1])
    return path


def slow_lottery(case, steps, rounds, share, rewind, globally=False):
    """Every round anew: the steps up to `rewind` as the first round took them, then the rest on fewer weights."""
    path, grads = [], list(case["grads"])
    first = grads[:rewind]
    masks = dict(case["masks"])
    for number in range(rounds + 1):
        own = grads[:steps] if not number else grads[: steps - rewind]
        grads = grads[len(own) :]
        if number and globally:
            n = sum(int(mask.sum()) for mask in masks.values())
            weights = {name: path[-1]["params"][name] for name in masks}
            masks = slow.slow_global_magnitude_masks(weights, n - round(share * n), masks)
        elif number:
            for name, mask in masks.items():
                n = int(mask.sum())
                part = share[name] if isinstance(share, dict) else share
                masks[name] = slow.slow_magnitude_mask(path[-1]["params"][name], n - round(part * n), mask)
        path += slow_rounds(case, own if not number else first + own, masks if number else {}, rewind)
    return path


def slow_rounds(case, grads, masks, rewind):
    """Whole up to step `rewind`, then with `masks`; the steps before it are shown where there are no masks."""
    params = {name: w.ravel().tolist() for name, w in case["params"].items()}
    shapes = {name: w.shape for name, w in case["params"].items()}
    slots, path = started(case["optimizer"], params), []
    flat = {name: mask.ravel().tolist() for name, mask in (masks or case["masks"]).items()}
    for t, own in enumerate(grads):
        if t == rewind:
            params, slots = projected(params, flat), projected_slots(slots, flat)
        seen = pulled({name: g.ravel().tolist() for name, g in own.items()}, params, case)
        stepped(t, params, seen, slots, **case["optimizer"])
        if t >= rewind:
            params, slots = projected(params, flat), projected_slots(slots, flat)
        if t >= rewind or not masks:
            path.append(
                {
                    "params": shaped(params, shapes, float),
                    "masks": shaped(flat, shapes, bool),
                    "slots": {of: shaped(s, shapes, float) if isinstance(s, dict) else s for of, s in slots.items()},
                }
            )
    return path


ROUNDS = {"three_step": slow_three_step, "lottery": slow_lottery}


# the optimizers


def started(optimizer, params):
    zeros = lambda: {name: [0.0] * len(w) for name, w in params.items()}
    return {"velocity": zeros()} if optimizer["name"] == "sgd" else {"m": zeros(), "v": zeros(), "updates": 0}


def stepped(t, params, grads, slots, name, lr, weight_decay=0.0, **others):
    """Every weight on its own; `params` and `slots` are written to."""
    rate = lr if isinstance(lr, float) else float(lr[t])
    if name == "adam":
        slots["updates"] += 1
    for of, w in params.items():
        w = params[of] = list(w)
        for i in range(len(w)):
            g = grads[of][i] + (weight_decay * w[i] if of.endswith(".weight") else 0.0)
            if name == "adam":
                w[i] -= rate * adam(slots["m"][of], slots["v"][of], i, g, slots["updates"], **others)
            else:
                w[i] -= rate * sgd(slots["velocity"][of], i, g, **others)


def sgd(v, i, g, momentum=0.0, nesterov=False):
    v[i] = momentum * v[i] + g
    return g + momentum * v[i] if nesterov else v[i]


def adam(m, v, i, g, t, betas, eps):
    m[i] = betas[0] * m[i] + (1 - betas[0]) * g
    v[i] = betas[1] * v[i] + (1 - betas[1]) * g**2
    return m[i] / (1 - betas[0] ** t) / (math.sqrt(v[i] / (1 - betas[1] ** t)) + eps)


# the methods: is it time, and the next masks


def never(t, own):
    return False


def rigl(t, weights, masks, grads, period, t_end, alpha=None, part=None):
    part = cosine(alpha, t, t_end) if part is None else part
    k = {name: math.floor(part * sum(mask.tolist())) for name, mask in masks.items()}
    return {name: slow.slow_rigl_update(weights[name], mask, grads[name], k[name]) for name, mask in masks.items()}


def set_(t, weights, masks, noise, zeta=None, by_sign=True, part=None, **when):
    new, zeta = {}, zeta if part is None else part
    for name, mask in masks.items():
        w, u = weights[name], noise[name]
        if by_sign:
            new[name] = slow.slow_set_update(w, mask, u, *slow.slow_set_counts(w, mask, zeta))
        else:
            new[name] = slow.slow_set_update_by_magnitude(w, mask, u, math.floor(zeta * sum(mask.tolist())))
    return new


def snfs(t, weights, masks, momentum, beta, rate=None, redistribute=True, part=None, **when):
    share = slow.slow_shares(momentum, masks)
    end = when["until"] if "until" in when else when["epoch"] * when["epochs"]
    p = cosine(rate, t, end) if part is None else part
    n_drop = {}
    for name, mask in masks.items():
        free = Fraction(mask.size - sum(mask.tolist()), mask.size)
        near_dense = free < Fraction(1, 5) and share[name] > Fraction(1, len(masks))
        n_drop[name] = math.floor((min(p, float(free)) if near_dense else p) * sum(mask.tolist()))
    if redistribute:
        return slow.slow_snfs_update(weights, masks, momentum, n_drop)
    return {
        name: slow.slow_rigl_update(weights[name], mask, momentum[name], n_drop[name]) for name, mask in masks.items()
    }


def on_the_grid_or_the_end(t, own):
    return t == own["end"] or (own["begin"] <= t < own["end"] and (t - own["begin"]) % own["period"] == 0)


def gradual(t, weights, masks, grads, begin, end, period, initial, final):
    gone = final if t == end else final + (initial - final) * (1 - (t - begin) / (end - begin)) ** 3
    keep = {name: min(sum(m.tolist()), m.size - round(gone * m.size)) for name, m in masks.items()}
    return {name: slow.slow_magnitude_mask(weights[name], keep[name], mask) for name, mask in masks.items()}


def multiples(t, own):
    return t >= own["period"] and t % own["period"] == 0 and t < own["until" if "until" in own else "t_end"]


def epochs_but_the_last(t, own):
    if "until" in own:
        return multiples(t, own)
    return (t + 1) % own["epoch"] == 0 and t + 1 < own["epoch"] * own["epochs"]


METHODS = {  # when, what, and does it take the place of the optimizer's step
    "static": (never, None, False),
    "l0": (never, None, False),
    "rigl": (multiples, rigl, True),
    "set": (epochs_but_the_last, set_, False),
    "snfs": (epochs_but_the_last, snfs, False),
    "gradual": (on_the_grid_or_the_end, gradual, False),
}


def cosine(alpha, t, t_end):
    return alpha / 2 * (1 + math.cos(math.pi * t / t_end))


def smoothed(momentum, grads, beta):
    before = momentum or {name: [0.0] * len(g) for name, g in grads.items()}
    return {
        name: [beta * m + (1 - beta) * x for m, x in zip(before[name], g, strict=True)] for name, g in grads.items()
    }


# L0: β = 2/3, γ = -0.1, ζ = 1.1


def through_gates(params, grads, noise, shapes, n_examples, lambda_, weight_decay):
    """d loss / d parameter, where `grads` are d data loss / d (parameter × gate), penalty included."""
    new = {name: list(g) for name, g in grads.items()}
    for name, w in params.items():
        layer, _, own = name.rpartition(".")
        if own == "weight" and f"{layer}.log_alpha" not in params:
            new[name] = [g + weight_decay * x for g, x in zip(grads[name], w, strict=True)]
        if own != "log_alpha":
            continue
        weight, bias = f"{layer}.weight", f"{layer}.bias"
        groups = [(weight, where(shapes[name], shapes[weight]))]
        if shapes.get(bias) == shapes[name]:
            groups.append((bias, list(range(len(w)))))
        cost = (lambda_[layer] if isinstance(lambda_, dict) else lambda_) / n_examples
        new[name] = [0.0] * len(w)
        for j, log_alpha in enumerate(w):
            s = sigmoid((math.log(noise[name][j]) - math.log(1 - noise[name][j]) + log_alpha) / (2 / 3))
            inside = 0 < s * 1.2 - 0.1 < 1
            z, slope = min(1.0, max(0.0, s * 1.2 - 0.1)), s * (1 - s) * 1.2 / (2 / 3) if inside else 0.0
            opens = sigmoid(log_alpha - 2 / 3 * math.log(0.1 / 1.1))
            for of, gate_of in groups:
                decay = weight_decay if of == weight else 0.0
                for k in (k for k, gate in enumerate(gate_of) if gate == j):
                    g, x = grads[of][k], params[of][k]
                    new[of][k] = g * z + opens * decay * x
                    new[name][j] += g * x * slope + opens * (1 - opens) * (cost + decay * x**2 / 2)
    return new


def where(gates, weight):
    """For every entry of the weight, flat, the gate that it has."""
    return np.broadcast_to(np.arange(math.prod(gates)).reshape(gates), weight).ravel().tolist()


def clamped(log_alpha):
    return [min(math.log(100), max(-math.log(100), a)) for a in log_alpha]


# between lists and arrays


def projected(values, masks):
    return {
        name: [x if on else 0.0 for x, on in zip(w, masks[name], strict=True)] if name in masks else list(w)
        for name, w in values.items()
    }


def projected_slots(slots, masks):
    return {name: projected(s, masks) if isinstance(s, dict) else s for name, s in slots.items()}


def shaped(values, shapes, kind):
    return {name: np.array(w, dtype=kind).reshape(shapes[name]) for name, w in values.items()}
