"""A recorded training run judged a step at a time, each from the state in which the code under test left the last.

So ties may be broken in any way, and what is wrong in one step is not wrong again in all that follow. The run is that
of `minisparse.golden.trajectory` in plain numbers: the optimizer's step, the gates of L0, and when which masks move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from . import ties
from .plain import Array, form, near, place_in

LOG_100 = math.log(100)


def trajectory(got: Any, given: Mapping, want: Any, rtol: float = 1e-9, atol: float = 1e-12) -> list:
    """What is wrong with a path, as pairs of a kind and a description, the first of each kind."""
    case = given["case"]
    wrong = form(got, want)
    if wrong:
        return [("form", wrong)]
    found: dict = {}
    numbers, opened = _rounds(case)
    memory: dict = {}
    before, number = _started(case), -1
    for i in range(len(case["grads"])):
        number = numbers.get(i, number + 1)
        noise = case["noise"][i] if case["noise"] else None
        after, faults = got[i], []
        if i and i in numbers:
            before, faults = opened(case, got, i)
        grads = _gradients(case, i, before)
        memory = _smoothed(memory, grads, case["method"])
        due, pauses = _due(number, case["method"])
        if not pauses or not due:
            before = _stepped(case, number, i, before, after, grads, noise)
        masks = {name: mask.data for name, mask in before["masks"].items()}
        if due:
            faults += _masks(case["method"], number, before, after, grads, noise, memory)
        else:
            faults += _still(masks, after["masks"])
        faults += _values(before, after, due, _filled(case["method"], grads) if due else {}, rtol, atol)
        for kind, text in faults:
            found.setdefault(kind, (kind, f"step {i}: {text}"))
        before = after
    return list(found.values())


def _started(case: Mapping) -> dict:
    zeros = lambda: {name: Array(w.shape, "float64", [0.0] * len(w.data)) for name, w in case["params"].items()}
    is_adam = case["optimizer"]["name"] == "adam"
    slots = {"m": zeros(), "v": zeros(), "updates": 0} if is_adam else {"velocity": zeros()}
    return _projected({"params": case["params"], "masks": case["masks"], "slots": slots}, case["masks"])


def _projected(state: Mapping, masks: Mapping) -> dict:
    slots = {key: _on(slot, masks) if isinstance(slot, Mapping) else slot for key, slot in state["slots"].items()}
    return {"params": _on(state["params"], masks), "masks": masks, "slots": slots}


def _on(tree: Mapping, masks: Mapping) -> dict:
    """The arrays of a dict, zero where a mask is false."""
    kept = {}
    for name, a in tree.items():
        on = masks[name].data if name in masks else [True] * len(a.data)
        kept[name] = Array(a.shape, "float64", [x if is_on else 0.0 for x, is_on in zip(a.data, on)])
    return kept


def _gradients(case: Mapping, i: int, state: Mapping) -> dict:
    """Those recorded, less dropout's part, and those of Σ ½ (w − target)²."""
    grads = {name: g.data for name, g in case["grads"][i].items()}
    for name, rate in (case["method"].get("dropout") or {}).items():
        left, first = (sum(map(int, masks[name].data)) for masks in (state["masks"], case["masks"]))
        grads[name] = [g * (1 - rate * math.sqrt(left / first)) for g in grads[name]]
    for name, target in (case.get("targets") or {}).items():
        grads[name] = [g + (w - x) for g, w, x in zip(grads[name], state["params"][name].data, target.data)]
    return grads


def _filled(method: Mapping, grads: Mapping) -> dict:
    """What grown weights start at, if not at zero."""
    rate = (method.get("fill") or {}).get("rate")
    return {} if rate is None else {name: [-rate * g for g in own] for name, own in grads.items()}


# the optimizers


def _stepped(case: Mapping, number: int, i: int, before: Mapping, after: Mapping, grads: Mapping, noise: Any) -> dict:
    """The state after the optimizer's step. Weights follow the slots that `after` has, so that a fault counts once."""
    optimizer, method = case["optimizer"], case["method"]
    if method["name"] == "l0":
        grads = _through_gates(before["params"], grads, noise, **{k: x for k, x in method.items() if k != "name"})
    lr = optimizer["lr"]
    if method["name"] == "three_step" and i != number:
        lr = lr / 10 if method.get("retrain_lr") is None else method["retrain_lr"]
    rate = lr.data[number] if isinstance(lr, Array) else lr
    slots: dict = {key: {} if isinstance(slot, Mapping) else slot + 1 for key, slot in before["slots"].items()}
    params = {}
    for name, w in before["params"].items():
        decay = optimizer.get("weight_decay", 0.0) if name.endswith(".weight") else 0.0
        g = [x + decay * p for x, p in zip(grads[name], w.data)]
        own = {key: slot[name].data for key, slot in before["slots"].items() if isinstance(slot, Mapping)}
        if optimizer["name"] == "adam":
            b1, b2 = optimizer["betas"]
            new = {"m": [b1 * m + (1 - b1) * x for m, x in zip(own["m"], g)],
                   "v": [b2 * v + (1 - b2) * x * x for v, x in zip(own["v"], g)]}  # fmt: skip
        else:
            new = {"velocity": [optimizer.get("momentum", 0.0) * v + x for v, x in zip(own["velocity"], g)]}
        held = {key: _held(x, after["slots"][key][name].data) for key, x in new.items()}
        if optimizer["name"] == "adam":
            n = slots["updates"]
            pairs = zip(held["m"], held["v"])
            change = [m / (1 - b1**n) / (math.sqrt(max(v, 0.0) / (1 - b2**n)) + optimizer["eps"]) for m, v in pairs]
        elif optimizer.get("nesterov"):
            change = [x + optimizer["momentum"] * v for x, v in zip(g, held["velocity"])]
        else:
            change = held["velocity"]
        moved = [p - rate * x for p, x in zip(w.data, change)]
        if name.endswith("log_alpha"):
            moved = [min(LOG_100, max(-LOG_100, x)) for x in moved]
        params[name] = Array(w.shape, "float64", moved)
        for key, x in new.items():
            slots[key][name] = Array(w.shape, "float64", x)
    return _projected({"params": params, "masks": before["masks"], "slots": slots}, before["masks"])


def _held(want: list, got: list) -> list:
    """The slots that the code under test has, where it has any."""
    return [b if b and math.isfinite(b) else a for a, b in zip(want, got)]


def _through_gates(
    params: Mapping, grads: Mapping, noise: Mapping, n_examples: Any, lambda_: Any, weight_decay: float
) -> dict:
    """The gradient of loss and penalty by each parameter; `grads` are those by parameter times gate. β = 2/3."""
    new = {name: list(g) for name, g in grads.items()}
    for name, w in params.items():
        layer, _, kind = name.rpartition(".")
        if kind == "weight" and f"{layer}.log_alpha" not in params:
            new[name] = [g + weight_decay * x for g, x in zip(grads[name], w.data)]
    for name, log_alpha in params.items():
        layer, _, kind = name.rpartition(".")
        if kind != "log_alpha":
            continue
        new[name] = [0.0] * len(log_alpha.data)
        cost = (lambda_[layer] if isinstance(lambda_, Mapping) else lambda_) / n_examples
        bias = params.get(f"{layer}.bias")
        switched = [f"{layer}.weight"] + ([f"{layer}.bias"] if bias and bias.shape == log_alpha.shape else [])
        gates = [_gate(a, u) for a, u in zip(log_alpha.data, noise[name].data)]
        for of in switched:
            decay = weight_decay if of.endswith(".weight") else 0.0
            for k, x in enumerate(params[of].data):
                j = _gate_of(k, params[of].shape, log_alpha.shape)
                z, slope, p = gates[j]
                g = grads[of][k]
                new[of][k] = g * z + p * decay * x
                new[name][j] += g * x * slope + p * (1 - p) * (cost + decay * x * x / 2)
    return new


def _gate(log_alpha: float, u: float) -> tuple[float, float, float]:
    """(gate, its derivative by log α, the probability that it is open)."""
    s = _sigmoid((math.log(u) - math.log(1 - u) + log_alpha) * 1.5)
    stretched = 1.2 * s - 0.1
    slope = 1.2 * 1.5 * s * (1 - s) if 0 < stretched < 1 else 0.0
    return min(1.0, max(0.0, stretched)), slope, _sigmoid(log_alpha + 2 / 3 * math.log(11))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _gate_of(flat: int, shape: tuple, gates: tuple) -> int:
    """The flat position of the gate that switches the entry `flat`: shapes broadcast from the last axis on."""
    j, step = 0, 1
    for n, own in zip(reversed(shape), reversed(gates)):
        j += (flat % n if own > 1 else 0) * step
        step *= own
        flat //= n
    return j


# when masks move, and where to


def _due(t: int, method: Mapping) -> tuple[bool, bool]:
    """(is an update due at step t, does it take the place of the optimizer's step)."""
    name = method["name"]
    if name in ("static", "l0", "three_step", "lottery"):
        return False, False
    if name == "gradual":
        on_grid = method["begin"] <= t < method["end"] and (t - method["begin"]) % method["period"] == 0
        return t == method["end"] or on_grid, False
    if "epoch" in method:
        return (t + 1) % method["epoch"] == 0 and t + 1 < method["epoch"] * method["epochs"], False
    last = method["t_end"] if name == "rigl" else method["until"]
    return 0 < t < last and t % method["period"] == 0, name == "rigl"


def _masks(
    method: Mapping, t: int, state: Mapping, after: Mapping, grads: Mapping, noise: Any, memory: Mapping
) -> list:
    """What is wrong with the masks of an update."""
    name, faults = method["name"], []
    weights, masks = state["params"], state["masks"]
    if name == "snfs":
        end = method["epoch"] * method["epochs"] if "epoch" in method else method["until"]
        rate = _fraction(method, t, lambda: _cosine(method["rate"], t, end))
        momentum = {key: Array(mask.shape, "float64", memory[key]) for key, mask in masks.items()}
        share = ties.shares(momentum, masks)
        n_drop = {key: _n_drop(rate, share[key], mask, len(masks)) for key, mask in masks.items()}
        if method.get("redistribute", True):
            given = {"weights": weights, "masks": masks, "momentum": momentum, "n_drop": n_drop}
            return _due_faults(ties.snfs_update(after["masks"], given, masks), masks, after["masks"])
        scores = {key: ([abs(m) for m in memory[key]], n_drop[key]) for key in masks}
    for key, mask in masks.items():
        new, n = after["masks"][key].data, sum(map(int, mask.data))
        given = {"weight": weights[key], "mask": mask}
        if name == "rigl":
            k = math.floor(_fraction(method, t, lambda: _cosine(method["alpha"], t, method["t_end"])) * n)
            own = ties.by_magnitude(new, {**given, "n_update": k}, [abs(g) for g in grads[key]])
        elif name == "snfs":
            own = ties.by_magnitude(new, {**given, "n_update": scores[key][1]}, scores[key][0])
        elif name == "gradual":
            size = len(new)
            keep = min(n, size - round(_cubic(t, method) * size))
            own = ties.ranked(new, [abs(w) for w in weights[key].data], keep, mask.data, mask.shape)
        elif method.get("by_sign", True):
            below = sum(1 for w, on in zip(weights[key].data, mask.data) if on and w < 0)
            zeta = _fraction(method, t, lambda: method["zeta"])
            n_negative, n_positive = math.floor(zeta * below), math.floor(zeta * (n - below))
            own = ties.by_sign(new, {**given, "noise": noise[key], "n_negative": n_negative, "n_positive": n_positive})
        else:
            k = math.floor(_fraction(method, t, lambda: method["zeta"]) * n)
            own = ties.by_magnitude(new, {**given, "n_update": k}, noise[key].data)
        faults += [(kind, f"[{key!r}] {text}") for kind, text in own]
    return _due_faults(faults, masks, after["masks"])


def _due_faults(faults: list, masks: Mapping, after: Mapping) -> list:
    if faults and not _still(masks, after):
        return [("masks stay", "an update is due and no mask changes")]
    return [(f"mask {kind}", text) for kind, text in faults]


def _still(masks: Mapping, after: Mapping) -> list:
    for name in masks:
        old = masks[name].data if isinstance(masks[name], Array) else masks[name]
        changed = [i for i, on in enumerate(old) if bool(on) != bool(after[name].data[i])]
        if changed:
            where = place_in(after[name].shape, changed[0])
            return [("masks move", f"the mask of {name!r} changes (position {where}), where no update is due")]
    return []


def _n_drop(rate: float, share: float, mask: Array, n_layers: int) -> int:
    n, size = sum(map(int, mask.data)), len(mask.data)
    near_dense = 5 * (size - n) < size and share > 1 / n_layers
    return math.floor((min(rate, (size - n) / size) if near_dense else rate) * n)


def _fraction(method: Mapping, t: int, own: Any) -> float:
    """The drop fraction of step t: that of the option `fraction`, or the recipe's own."""
    given = method.get("fraction")
    if not given:
        return float(own())
    alpha, name, begin = given["alpha"], given["name"], given.get("begin", 0)
    if name == "constant":
        return float(alpha)
    part = min(max((t - begin) / (given["t_end"] - begin), 0.0), 1.0)
    if name == "cosine":
        return alpha / 2 * (1 + math.cos(math.pi * part)) if part < 1 else 0.0
    return float(alpha * (1 - part) ** given.get("k", 1))


def _cosine(alpha: float, t: int, end: int) -> float:
    return alpha / 2 * (1 + math.cos(math.pi * t / end)) if t < end else 0.0


def _cubic(t: int, method: Mapping) -> float:
    begin, end, last = method["begin"], method["end"], method["final"]
    left = 1 - (t - begin) / (end - begin) if t < end else 0.0
    return float(last + (method["initial"] - last) * left**3)


def _smoothed(memory: Mapping, grads: Mapping, method: Mapping) -> dict:
    beta = method.get("beta", 0.0) if method["name"] == "snfs" else 0.0
    zeros: dict = {name: [0.0] * len(g) for name, g in grads.items()}
    return {n: [beta * m + (1 - beta) * x for m, x in zip((memory or zeros)[n], g)] for n, g in grads.items()}


# several runs in one case


def _rounds(case: Mapping) -> tuple[dict, Any]:
    """({index: step number at which a round begins there}, the state at the beginning of a later round)."""
    method, n = case["method"], len(case["grads"])
    if method["name"] == "three_step":
        starts, at = {}, 0
        for steps in method["steps"]:
            starts[at] = 0
            at += int(steps)
        return starts, _pruned
    if method["name"] == "lottery":
        later = max(method["steps"] - method["rewind"], 1)
        return {0: 0, **dict.fromkeys(range(method["steps"], n, later), method["rewind"])}, _rewound
    return {0: 0}, None


def _pruned(case: Mapping, path: Any, i: int) -> tuple[dict, list]:
    """Weights below the threshold, then dead units go; a new optimizer."""
    starts = sorted(_rounds(case)[0])
    quality, last = case["method"]["qualities"][starts.index(i) - 1], path[i - 1]
    masks = {}
    for name, mask in last["masks"].items():
        own = [w for w, on in zip(last["params"][name].data, mask.data) if on]
        mean = math.fsum(own) / len(own) if own else 0.0
        cut = quality[name] * math.sqrt(math.fsum((w - mean) ** 2 for w in own) / len(own)) if own else 0.0
        stays = [bool(on) and abs(w) >= cut for w, on in zip(last["params"][name].data, mask.data)]
        masks[name] = Array(mask.shape, "bool", stays)
    masks = _alive(masks)
    faults = _still(masks, path[i]["masks"])
    state = _projected({**_started(case), "params": last["params"]}, path[i]["masks"])
    return state, [("mask threshold", faults[0][1].partition(" changes")[0] + " is not what threshold and dead units "
                    f"leave ({faults[0][1].partition('(')[2].partition(')')[0]})")] if faults else []  # fmt: skip


def _rewound(case: Mapping, path: Any, i: int) -> tuple[dict, list]:
    """The smallest of the trained weights go; the rest is as it was at step `rewind` of the first round."""
    rewind, share, last, faults = case["method"]["rewind"], case["method"]["share"], path[i - 1], []
    new = path[i]["masks"]
    if case["method"].get("globally"):
        n = sum(sum(map(int, mask.data)) for mask in last["masks"].values())
        given = {"weights": {name: last["params"][name] for name in new}, "masks": last["masks"]}
        own = ties.global_magnitude_masks(new, {**given, "n_keep": n - round(share * n)}, new)
        faults = [(f"mask {kind}", text) for kind, text in own]
    else:
        for name, mask in last["masks"].items():
            n = sum(map(int, mask.data))
            keep = n - round((share[name] if isinstance(share, Mapping) else share) * n)
            size = [abs(w) for w in last["params"][name].data]
            own = ties.ranked(new[name].data, size, keep, mask.data, mask.shape)
            faults += [(f"mask {kind}", f"[{name!r}] {text}") for kind, text in own]
    return _projected(path[rewind - 1] if rewind else _started(case), path[i]["masks"]), faults


def _alive(masks: Mapping) -> dict:
    """Masks without the connections of inner units that have no active input or no active output."""
    names, masks = list(masks), dict(masks)
    changed = True
    while changed:
        changed = False
        for below, above in zip(names, names[1:]):  # noqa: RUF007, no pairwise in Python 3.8
            a, b = masks[below], masks[above]
            n_units, n_in, n_out = a.shape[-1], b.shape[-2], b.shape[-1]
            fed = {i % n_units for i, on in enumerate(a.data) if on}
            read = {i // n_out % n_in % n_units for i, on in enumerate(b.data) if on}
            live = fed & read
            new_a = [bool(on) and i % n_units in live for i, on in enumerate(a.data)]
            new_b = [bool(on) and i // n_out % n_in % n_units in live for i, on in enumerate(b.data)]
            changed = changed or new_a != list(map(bool, a.data)) or new_b != list(map(bool, b.data))
            masks[below], masks[above] = Array(a.shape, "bool", new_a), Array(b.shape, "bool", new_b)
    return masks


# the numbers


def _values(before: Mapping, after: Mapping, due: bool, fill: Mapping, rtol: float, atol: float) -> list:
    """What is wrong with weights and slots after a step; `before` is the state before masks moved."""
    want = _projected(before, after["masks"])
    for name, mask in after["masks"].items():
        w, was = want["params"][name], before["masks"][name].data
        if name in fill:
            w.data = [f if on and not old else x for x, f, on, old in zip(w.data, fill[name], mask.data, was)]
    parts = [("weight", want["params"], after["params"])]
    parts += [(key, slot, after["slots"][key]) for key, slot in want["slots"].items() if isinstance(slot, Mapping)]
    found: dict = {}
    for part, wanted, got in parts:
        for name, a in wanted.items():
            for i, x in enumerate(a.data):
                if not near(got[name].data[i], x, rtol, atol):
                    now = name not in after["masks"] or after["masks"][name].data[i]
                    was = name not in before["masks"] or before["masks"][name].data[i]
                    what = {(1, 1): "", (1, 0): "grown", (0, 1): "dropped", (0, 0): "absent"}[bool(now), bool(was)]
                    kind = f"{part} {what}{' at an update' if due and not what else ''}"
                    of = f"a{'n' if what == 'absent' else ''} {what} connection" if what else f"{name!r}"
                    place = f"{name!r} " if what else ""
                    where = f"{place}position {place_in(a.shape, i)}"
                    text = f"the {part} of {of} is {got[name].data[i]}, wanted {x} ({where})"
                    found.setdefault(kind, (kind, text))
    for key, slot in want["slots"].items():
        if not isinstance(slot, Mapping) and after["slots"][key] != slot:
            found[key] = (key, f"{key} is {after['slots'][key]}, wanted {slot}")
    return list(found.values())
