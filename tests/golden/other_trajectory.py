"""Another correct `trajectory`: plain NumPy from end to end, nothing of the package, sorted as a spreadsheet would.

wrong_trajectories breaks it, a line at a time.
"""

import itertools
import math

import numpy as np


def smallest(scores, k, among):
    order = np.lexsort((np.arange(scores.size), scores.ravel(), ~among.ravel()))
    chosen = np.zeros(scores.size, bool)
    chosen[order[:k]] = True
    return chosen.reshape(scores.shape)


def fraction(alpha, t, end):
    return alpha / 2 * (1 + math.cos(math.pi * t / end))


def move(weight, mask, growth, k):
    kept = mask & ~smallest(abs(weight), k, mask)
    return kept | smallest(-growth, k, ~kept)


def spread(total, share, room):
    """`total` by largest remainder; what has no room goes to the others."""
    given = {}
    while True:
        open_ = {name: s for name, s in share.items() if name not in given}
        left, weight = total - sum(given.values()), sum(open_.values())
        quota = {name: left * s / weight for name, s in open_.items()}
        full = [name for name in quota if quota[name] >= room[name]]
        if not full:
            break
        given.update({name: room[name] for name in full})
    whole = {name: int(q) for name, q in quota.items()}
    for name in sorted(quota, key=lambda name: whole[name] - quota[name])[: left - sum(whole.values())]:
        whole[name] += 1
    return given | whole


def is_time(t, method, name):
    if name in ("static", "l0"):
        return False
    if name == "gradual":
        begin, end = method["begin"], method["end"]
        return t == end or (begin <= t < end and (t - begin) % method["period"] == 0)
    if "epoch" in method:
        return t % method["epoch"] == method["epoch"] - 1 and t < method["epoch"] * method["epochs"] - 1
    last = method["t_end"] if name == "rigl" else method["until"]
    return 0 < t < last and t % method["period"] == 0


def own_fraction(t, name, alpha, t_end=1, begin=0, k=1):
    x = min(max((t - begin) / (t_end - begin), 0), 1)
    return {"constant": alpha, "cosine": fraction(alpha, x, 1)}.get(name, alpha * (1 - x) ** k)


def next_masks(t, name, method, params, masks, grads, noise, memory):
    new = {}
    if "fraction" in method:  # the cosine of step 0 is its alpha
        part = own_fraction(t, **method["fraction"])
        method, t = {**method, "alpha": part, "zeta": part, "rate": part}, 0
    if name == "rigl":
        for key, mask in masks.items():
            k = int(fraction(method["alpha"], t, method["t_end"]) * mask.sum())
            new[key] = move(params[key], mask, abs(grads[key]), k)
    if name == "set" and method.get("by_sign", True):
        for key, mask in masks.items():
            w = params[key]
            below, above = mask & (w < 0), mask & (w >= 0)
            n_below, n_above = int(method["zeta"] * below.sum()), int(method["zeta"] * above.sum())
            kept = mask & ~smallest(-w, n_below, below) & ~smallest(w, n_above, above)
            new[key] = kept | smallest(-noise[key], n_below + n_above, ~kept)
    elif name == "set":
        for key, mask in masks.items():
            new[key] = move(params[key], mask, noise[key], int(method["zeta"] * mask.sum()))
    if name == "snfs":
        end = method["epoch"] * method["epochs"] if "epoch" in method else method["until"]
        mean = {key: abs(memory[key][mask]).mean() for key, mask in masks.items()}
        share = {key: m / sum(mean.values()) for key, m in mean.items()}
        kept, room, gone = {}, {}, {}
        for key, mask in masks.items():
            rate, sparsity = fraction(method["rate"], t, end), (~mask).mean()
            if sparsity < 0.2 and share[key] > 1 / len(masks):
                rate = min(rate, sparsity)
            gone[key] = int(rate * mask.sum())
            kept[key] = mask & ~smallest(abs(params[key]), gone[key], mask)
            room[key] = int((~kept[key]).sum())
        grow = spread(sum(gone.values()), share, room) if method.get("redistribute", True) else gone
        new = {key: kept[key] | smallest(-abs(memory[key]), grow[key], ~kept[key]) for key in masks}
    if name == "gradual":
        first, last, begin, end = method["initial"], method["final"], method["begin"], method["end"]
        s = last if t == end else last + (first - last) * (1 - (t - begin) / (end - begin)) ** 3
        for key, mask in masks.items():
            keep = min(int(mask.sum()), mask.size - round(s * mask.size))
            new[key] = smallest(-abs(params[key]), keep, mask)
    return new


def gates_back(params, grads, noise, n_examples, lambda_, weight_decay):
    grads = {key: g.copy() for key, g in grads.items()}
    for key in [key for key in params if key.endswith("weight")]:
        layer = key.removesuffix(".weight")
        log_alpha = params.get(f"{layer}.log_alpha")
        if log_alpha is None:
            grads[key] += weight_decay * params[key]
            continue
        u = noise[f"{layer}.log_alpha"]
        s = 1 / (1 + np.exp(-(np.log(u / (1 - u)) + log_alpha) * 1.5))
        stretched = 1.2 * s - 0.1
        z = np.clip(stretched, 0, 1)
        slope = np.where((stretched > 0) & (stretched < 1), 1.8 * s * (1 - s), 0)
        p = 1 / (1 + np.exp(-log_alpha) * 11 ** (-2 / 3))
        cost = (lambda_[layer] if isinstance(lambda_, dict) else lambda_) / n_examples
        switched = [key] + [b for b in {f"{layer}.bias"} & params.keys() if params[b].shape == log_alpha.shape]
        to_gate = 0
        for own in switched:
            decay = weight_decay if own == key else 0
            each = grads[own] * params[own] * slope + p * (1 - p) * (cost + decay / 2 * params[own] ** 2)
            stretched_axes = [i - log_alpha.ndim for i in range(log_alpha.ndim) if log_alpha.shape[i] == 1]
            each = each.sum(axis=tuple(range(each.ndim - log_alpha.ndim))).sum(
                axis=tuple(stretched_axes), keepdims=True
            )
            to_gate = to_gate + each
            grads[own] = grads[own] * z + p * decay * params[own]
        grads[f"{layer}.log_alpha"] = to_gate
    return grads


def alive(masks):
    """Without the connections of units that nothing reaches or that lead nowhere, of one layer after the other."""
    names = list(masks)
    for _ in range(sum(mask.size for mask in masks.values())):
        for below, above in itertools.pairwise(names):
            lives = masks[below].any(0) & masks[above].any(1)
            masks = masks | {below: masks[below] & lives, above: masks[above] & lives[:, None]}
    return masks


def three_step(case, steps, qualities, retrain_lr=None, dropout=None):
    path, params, masks = [], case["params"], case["masks"]
    retrain_lr = 0.1 * case["optimizer"]["lr"] if retrain_lr is None else retrain_lr
    for number, n in enumerate(steps):
        optimizer = case["optimizer"] if number == 0 else {**case["optimizer"], "lr": retrain_lr}
        if number:
            quality = qualities[number - 1]
            cut = {key: quality[key] * params[key][mask].std() for key, mask in masks.items()}
            masks = alive({key: mask & (abs(params[key]) >= cut[key]) for key, mask in masks.items()})
        grads = case["grads"][len(path) : len(path) + n]
        for key, rate in (dropout or {}).items():
            rate *= masks[key].mean() ** 0.5
            grads = [{**g, key: g[key] - rate * g[key]} for g in grads]
        own = {"params": params, "masks": masks, "grads": grads, "optimizer": optimizer}
        path += run({**case, **own, "method": {"name": "static"}})
        params = path[-1]["params"]
    return path


def lottery(case, steps, rounds, share, rewind, globally=False):
    case = {**case, "method": {"name": "static"}}
    path = run({**case, "grads": case["grads"][:steps]})
    origin = path[rewind - 1] if rewind else None
    each = share if isinstance(share, dict) else dict.fromkeys(case["masks"], share)
    for _ in range(rounds):
        masks, last = {}, path[-1]["masks"]
        sizes = sorted(float(x) for key, mask in last.items() for x in abs(path[-1]["params"][key][mask]))
        cut = sizes[round(share * len(sizes))] if globally else None
        for key, mask in last.items():
            share = each[key]
            gone = round(share * int(mask.sum()))
            gone = int((abs(path[-1]["params"][key][mask]) < cut).sum()) if globally else gone
            masks[key] = mask & ~smallest(abs(path[-1]["params"][key]), gone, mask)
        grads = case["grads"][len(path) : len(path) + steps - rewind]
        path += run({**case, "grads": grads, "masks": masks}, origin, rewind)
    return path


def trajectory(case):
    numbers = {key: x for key, x in case["method"].items() if key != "name"}
    rounds = {"three_step": three_step, "lottery": lottery}.get(case["method"]["name"])
    return rounds(case, **numbers) if rounds else run(case)


def run(case, start=None, number=0):
    """start: the entry of a path to go on from, at step `number`, with the masks of the case."""
    optimizer, method = case["optimizer"], {key: x for key, x in case["method"].items() if key != "name"}
    name, masks = case["method"]["name"], dict(case["masks"])
    params = {key: w * masks.get(key, 1) for key, w in case["params"].items()}
    is_adam, decay = optimizer["name"] == "adam", optimizer["weight_decay"]
    first, second = ({key: np.zeros_like(w) for key, w in params.items()} for _ in "mv")
    updates, memory, path = 0, dict.fromkeys(params, 0.0), []
    if start:
        slots = start["slots"]
        first, second, updates = slots.get("m") or slots["velocity"], slots.get("v") or second, slots.get("updates", 0)
        params, first, second = (
            {key: w * masks.get(key, 1) for key, w in tree.items()} for tree in (start["params"], first, second)
        )
    for t, grads in enumerate(case["grads"], number):
        noise = case["noise"][t] if case["noise"] else None
        grads = {**grads, **{key: grads[key] + params[key] - goal for key, goal in case.get("targets", {}).items()}}
        if name == "l0":
            grads = gates_back(params, grads, noise, **method)
        if name == "snfs":
            beta = method["beta"]
            memory = {key: beta * memory[key] + (1 - beta) * g for key, g in grads.items()}
        time = is_time(t, method, name)
        rate = optimizer["lr"] if isinstance(optimizer["lr"], float) else optimizer["lr"][t]
        if not (time and name == "rigl"):
            updates += 1
            for key, w in params.items():
                g = grads[key] + decay * w if key.endswith("weight") else grads[key]
                if is_adam:
                    b1, b2 = optimizer["betas"]
                    first[key] = b1 * first[key] + (1 - b1) * g
                    second[key] = b2 * second[key] + (1 - b2) * g * g
                    root = np.sqrt(second[key] / (1 - b2**updates))
                    change = first[key] / (1 - b1**updates) / (root + optimizer["eps"])
                else:
                    first[key] = optimizer["momentum"] * first[key] + g
                    change = g + optimizer["momentum"] * first[key] if optimizer["nesterov"] else first[key]
                params[key] = w - rate * change
                if key.endswith("log_alpha"):
                    params[key] = np.clip(params[key], -math.log(100), math.log(100))
            for key, mask in masks.items():
                params[key], first[key], second[key] = params[key] * mask, first[key] * mask, second[key] * mask
        if time:
            masks = next_masks(t, name, method, params, masks, grads, noise, memory)
            for key, mask in masks.items():
                params[key], first[key], second[key] = params[key] * mask, first[key] * mask, second[key] * mask
        if time and "fill" in method:
            for key, mask in masks.items():
                new = mask & ~(path[-1]["masks"] if path else case["masks"])[key]
                params[key] = np.where(new, -method["fill"]["rate"] * grads[key], params[key])
        slots = {"m": dict(first), "v": dict(second), "updates": updates} if is_adam else {"velocity": dict(first)}
        path.append({"params": dict(params), "masks": dict(masks), "slots": slots})
    return path
