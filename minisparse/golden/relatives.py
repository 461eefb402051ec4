"""Judges RigL's relatives and ancestors by ranks, as `ties` does: every legal choice among equal scores holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from .plain import Array, near
from .ties import apportioned, formed, global_magnitude_masks, grasp_masks, magnitude_mask, ranked, rigl_update, top_k

CLOSE = 1e-9  # saliencies that differ by less, relatively, are equal


def deep_r_update(got: Any, given: Mapping, want: Any) -> list:
    weight, mask, negative = given["weight"].data, given["mask"].data, given["negative"].data
    kept = [bool(on and not (w > 0 if n else w < 0)) for w, on, n in zip(weight, mask, negative)]
    return _grown(got, kept, given["noise"].data, sum(map(int, mask)) - sum(kept))


def dsr_update(got: Any, given: Mapping, want: Any) -> list:
    masks, limit = given["masks"], given["threshold"]
    kept = {
        name: [bool(on and not abs(w) < limit) for w, on in zip(given["weights"][name].data, mask.data)]
        for name, mask in masks.items()
    }
    n_grow = {name: sum(map(int, new.data)) - sum(kept[name]) for name, new in got.items()}
    survive = {name: sum(k) for name, k in kept.items()}
    gone = sum(sum(map(int, mask.data)) for mask in masks.values()) - sum(survive.values())
    room = {name: len(k) - survive[name] for name, k in kept.items()}
    faults = [(kind, text.replace("gives", "grows")) for kind, text in apportioned(n_grow, gone, survive, room)]
    for name, new in got.items():
        own = _grown(new, kept[name], given["noise"][name].data, n_grow[name])
        faults += [(kind, f"[{name!r}] {text}") for kind, text in own]
    return faults


def srigl_update(got: Any, given: Mapping, want: Any) -> list:
    """Tries all ways to break ties, in the drop, in what is salient and in which neurons the budget needs."""
    n_out = given["weight"].shape[-1]
    size, grad = ([abs(v) for v in given[name].data] for name in ("weight", "dense_grad"))
    budget, k = given["n_budget"], given["n_update"]
    least = round(given.get("gamma", 0.3) * (budget // n_out), 9)
    n_min = -(-budget * n_out // len(size))
    active = [i for i, on in enumerate(given["mask"].data) if on]
    for drop in tops([-s for s in size], active, k):
        keep = {*active} - {*drop}
        for grown in tops(grad, [i for i in range(len(size)) if i not in keep], k):
            count = [0] * n_out
            for i in {*keep, *grown}:
                count[i % n_out] += 1
            for needed in tops(count, list(range(n_out)), n_min):
                alive = {j for j in range(n_out) if count[j] >= least or j in needed}
                if all(
                    _neuron(got.data, j, j in alive, keep, size, grad, budget // len(alive), n_out)
                    for j in range(n_out)
                ):
                    return []
    lost = [sum(map(int, got.data[j::n_out])) for j in range(n_out)]
    right = [sum(map(int, want.data[j::n_out])) for j in range(n_out)]
    if lost != right:
        return [("fan-in", f"leaves the neurons {lost} inputs, wanted {right}")]
    return [("inputs", "gives the neurons other inputs, and no order of ties leads to them")]


def _neuron(got: list, j: int, alive: bool, keep: set, size: list, grad: list, fan_in: int, n_out: int) -> bool:
    """May neuron j have these inputs: of those kept the largest, and the largest gradients up to the fan-in?"""
    inputs = range(j, len(got), n_out)
    chosen = {i for i in inputs if got[i]}
    if not alive:
        return not chosen
    own = [i for i in inputs if i in keep]
    n = min(fan_in, len(own))
    return any(
        {*stay, *grown} == chosen
        for stay in tops(size, own, n)
        if {*stay} <= chosen
        for grown in tops(grad, [i for i in inputs if i not in stay], fan_in - n)
    )


def forward_and_backward(got: Any, given: Mapping, want: Any) -> list:
    size, everywhere = [abs(w) for w in given["weight"].data], [True] * len(given["weight"].data)
    faults = []
    for name, mask, n in zip("AB", got, (given["n_forward"], given["n_backward"])):
        own = ranked(mask.data, size, n, everywhere, mask.shape)
        faults += [(kind, f"{name} {text}") for kind, text in own]
    if not faults and any(a and not b for a, b in zip(got[0].data, got[1].data)):
        faults.append(("subset", "A has a weight that B has not"))
    return faults


def seen_mask(got: Any, given: Mapping, want: Any) -> list:
    if given.get("noise") is None:
        return magnitude_mask(got, {"weight": given["weight"], "n_keep": given["n_keep"]}, want)
    return top_k(got, {"score": given["noise"], "k": given["n_keep"]}, want)


def obd_masks(got: Any, given: Mapping, want: Any) -> list:
    half = {n: Array(w.shape, w.dtype, [-v * v / 2 for v in w.data]) for n, w in given["weights"].items()}
    minus = {n: Array(h.shape, h.dtype, [-v for v in h.data]) for n, h in given["second"].items()}
    return grasp_masks(got, {"weights": half, "products": minus, "n_keep": given["n_keep"]}, want)


def obs_delete(got: Any, given: Mapping, want: Any) -> list:
    """Any of the weights of smallest saliency may go; the rest follows from which."""
    weight, inverse, n, q = given["weight"].data, given["inverse"].data, len(given["weight"].data), got[2]
    diagonal = inverse[:: n + 1]
    cost = [w * w / (2 * d) if d > 0 else math.inf for w, d in zip(weight, diagonal)]
    if not 0 <= q < n or cost[q] > min(cost) * (1 + CLOSE):
        best = cost.index(min(cost))
        return [
            ("deletes another", f"deletes {q}, of saliency {cost[q] if 0 <= q < n else None}; {best} has {min(cost)}")
        ]
    row = [inverse[q * n + j] / diagonal[q] for j in range(n)]
    moved = [0.0 if i == q else w - weight[q] * row[i] for i, w in enumerate(weight)]
    left = [
        0.0 if q in (i, j) else inverse[i * n + j] - inverse[i * n + q] * row[j] for i in range(n) for j in range(n)
    ]
    for part, mine, right in (("weights", got[0].data, moved), ("inverse", got[1].data, left)):
        if not all(near(a, b, 1e-9, 1e-12) for a, b in zip(mine, right)):
            return [(part, f"of the {part} without {q}, {mine}, wanted {right}")]
    return []


def tops(score: Any, among: list, k: int) -> Iterator[tuple]:
    """Every choice of the k highest candidates that some order of equal scores leads to."""
    order = sorted(among, key=lambda i: -score[i])
    edge = score[order[k - 1]] if k else math.inf
    sure, level = [i for i in order if score[i] > edge], [i for i in order if score[i] == edge]
    return ((*sure, *some) for some in combinations(level, k - len(sure)))


def _grown(got: Array, kept: list, score: list, n: int) -> list:
    """What is wrong if `got` is to be what is kept, and n more of highest score."""
    lost = [i for i, on in enumerate(kept) if on and not got.data[i]]
    if lost:
        return [("keeps fewer", f"loses position {lost[0]}, which stays")]
    fresh = [bool(on) and not k for on, k in zip(got.data, kept)]
    return ranked(fresh, score, n, [not k for k in kept], got.shape)


_RULES = {
    "deep_r_update": deep_r_update,
    "dsr_update": dsr_update,
    "granet_prune": global_magnitude_masks,
    "regenerate": rigl_update,
    "srigl_update": srigl_update,
    "ac_dc_masks": global_magnitude_masks,
    "forward_and_backward": forward_and_backward,
    "seen_mask": seen_mask,
    "obd_masks": obd_masks,
    "obs_delete": obs_delete,
}
RULES = {name: formed(rule) for name, rule in _RULES.items()}
