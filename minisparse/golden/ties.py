"""Judges answers by ranks: every legal choice among equal scores holds, since the papers leave ties open.

A rule takes an answer, the inputs and the reference's answer, all plain. It returns what is wrong, as pairs of a kind
and a description; nothing if the answer follows from the same ranks with ties broken in some way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .plain import Array, form, near, place_in

LEVEL = 1e-9  # fractions of connections that differ by less are equal


def top_k(got: Any, given: Mapping, want: Any) -> list:
    """The k candidates of highest score."""
    score, among = given["score"], given.get("among")
    pool = [True] * len(score.data) if among is None else among.data
    return ranked(got.data, score.data, given["k"], pool, score.shape)


def magnitude_mask(got: Any, given: Mapping, want: Any) -> list:
    """The n_keep largest |w|, of those that the mask has, if one is given."""
    score = Array(given["weight"].shape, "float64", [abs(w) for w in given["weight"].data])
    return top_k(got, {"score": score, "k": given["n_keep"], "among": given.get("mask")}, want)


def snip_masks(got: Any, given: Mapping, want: Any) -> list:
    """The n_keep largest |w g| of all layers together."""
    effect = {
        name: [abs(w * g) for w, g in zip(own.data, given["grads"][name].data)]
        for name, own in given["weights"].items()
    }
    return _of_all_layers(got, effect, given["n_keep"], None)


def global_magnitude_masks(got: Any, given: Mapping, want: Any) -> list:
    """The n_keep largest |w| of all layers together, of those that the masks have."""
    size = {name: [abs(w) for w in own.data] for name, own in given["weights"].items()}
    return _of_all_layers(got, size, given["n_keep"], given.get("masks"))


def snip(got: Any, given: Mapping, want: Any) -> list:
    """By the mean gradient of all batches; how many stay is not a choice."""
    effect = {}
    for name in want:
        grads = [sum(own) for own in zip(*(batch[name].data for batch in given["grads"]))]
        effect[name] = [abs(w * g) for w, g in zip(given["params"][name].data, grads)]
    n_keep = sum(sum(map(int, mask.data)) for mask in want.values())
    return _of_all_layers(got, effect, n_keep, None)


def grasp_masks(got: Any, given: Mapping, want: Any) -> list:
    """The lowest −w · (H g) stay: the highest w · (H g)."""
    kept = {n: [w * p for w, p in zip(own.data, given["products"][n].data)] for n, own in given["weights"].items()}
    return _of_all_layers(got, kept, given["n_keep"], None)


def n_of_m_mask(got: Any, given: Mapping, want: Any) -> list:
    """Of every m inputs of an output, the n of highest score."""
    score, m, n_out = given["score"], given["m"], got.shape[-1]
    groups: dict = {}
    for i in range(len(got.data)):
        groups.setdefault((i // n_out // m, i % n_out), []).append(i)
    faults: dict = {}
    for own in groups.values():
        places = [str(place_in(got.shape, i)) for i in own]
        chosen, scores = ([array.data[i] for i in own] for array in (got, score))
        faults.update(ranked(chosen, scores, given["n"], [True] * m, places))
    return list(faults.items())


def block_mask(got: Any, given: Mapping, want: Any) -> list:
    """The n_keep blocks of highest summed score, each whole."""
    rows, columns = given["block"]
    n_in, n_out = given["score"].shape[-2:]
    at = lambda i: (i // n_out // n_in, i // n_out % n_in // rows, i % n_out // columns)
    return _whole_groups(got, given, "block", at)


def unit_mask(got: Any, given: Mapping, want: Any) -> list:
    """The n_keep outputs of highest summed score, each whole."""
    return _whole_groups(got, given, "unit", lambda i: i % got.shape[-1])


def rigl_update(got: Any, given: Mapping, want: Any) -> list:
    """The k smallest |w| go, and the k largest |gradient| of all that are then absent come."""
    return by_magnitude(got.data, given, [abs(g) for g in given["dense_grad"].data])


def set_update_by_magnitude(got: Any, given: Mapping, want: Any) -> list:
    """The k smallest |w| go, and the k of most noise come."""
    return by_magnitude(got.data, given, given["noise"].data)


def set_update(got: Any, given: Mapping, want: Any) -> list:
    """The negative and the positive weights nearest zero go, and as many of most noise come."""
    return by_sign(got.data, given)


def by_magnitude(got: list, given: Mapping, grow: list) -> list:
    """The k smallest |w| go, and the k largest of `grow` come."""
    k, mask = given["n_update"], given["mask"]
    return moved(got, mask.data, [([-abs(w) for w in given["weight"].data], mask.data, k)], grow, k, mask.shape)


def by_sign(got: list, given: Mapping) -> list:
    """The n negative and the p positive weights nearest zero go, and n + p of most noise come."""
    w, mask, n, p = given["weight"].data, given["mask"], given["n_negative"], given["n_positive"]
    below = [on and x < 0 for x, on in zip(w, mask.data)]
    above = [on and not x < 0 for x, on in zip(w, mask.data)]
    groups = [(w, below, n), ([-x for x in w], above, p)]
    return moved(got, mask.data, groups, given["noise"].data, n + p, mask.shape)


def snfs_update(got: Any, given: Mapping, want: Any) -> list:
    """The n_drop smallest |w| of each layer go; as many come, shared among layers by their mean |momentum|."""
    masks, n_drop, momentum = given["masks"], given["n_drop"], given["momentum"]
    n_grow = {name: sum(new.data) - sum(masks[name].data) + n_drop[name] for name, new in got.items()}
    room = {name: len(mask.data) - sum(mask.data) + n_drop[name] for name, mask in masks.items()}
    lost = {
        name: sum(1 for on, still in zip(masks[name].data, new.data) if on and not still) for name, new in got.items()
    }
    faults = []
    if all(lost[name] <= n_drop[name] for name in got):  # else what grew cannot be told from the sizes
        faults = apportioned(n_grow, sum(n_drop.values()), shares(momentum, masks), room)
        faults = [(kind, text.replace("gives", "grows")) for kind, text in faults]
    for name, new in got.items():
        by_size = [-abs(w) for w in given["weights"][name].data]
        grow = [abs(m) for m in momentum[name].data]
        own = moved(new.data, masks[name].data, [(by_size, masks[name].data, n_drop[name])], grow,
                    max(n_grow[name], 0), new.shape)  # fmt: skip
        faults += [(kind, f"[{name!r}] {text}") for kind, text in own]
    return faults


def apportion(got: Any, given: Mapping, want: Any) -> list:
    """The total divided by largest remainder, at most `room` each."""
    return apportioned(got, given["total"], given["shares"], given["room"])


def counts(got: Any, given: Mapping, want: Any) -> list:
    """Density times size, rounded by largest remainder to the total of the reference."""
    quotas = {name: given["densities"][name] * math.prod(shape) for name, shape in given["shapes"].items()}
    total = sum(want.values())
    return _total(got, total) or _remainders(got, quotas, total)


def update(got: Any, given: Mapping, want: Any) -> list:
    """The mask of an update, then weights and slots: of what was never away, whatever came in place of the rest."""
    method, mask, k = given.get("method", "rigl"), given["mask"], given["n_update"]
    score = given["scores" if method in ("set", "snfs") else "dense_grad"].data
    grow, n_grow = score if method == "set" else [abs(g) for g in score], 0 if method == "magnitude" else k
    by_size = [-abs(w) for w in given["weight"].data]
    new = got["mask"].data
    faults = [
        (kind, f"['mask'] {text}")
        for kind, text in moved(new, mask.data, [(by_size, mask.data, k)], grow, n_grow, mask.shape)
    ]
    for part, before, after in [("weight", given["weight"], got["weight"])] + [
        (name, slot, got["slots"][name]) for name, slot in given["slots"].items()
    ]:
        told = set()
        for i, x in enumerate(before.data):
            there, was = bool(new[i]), bool(mask.data[i])
            wanted = x if there and was else 0.0
            what = {
                (1, 1): "a connection that stays or returns",
                (1, 0): "a grown connection",
                (0, 1): "a dropped connection",
                (0, 0): "an absent connection",
            }[there, was]
            if not near(after.data[i], wanted, 1e-9, 1e-12) and what not in told:
                told.add(what)
                text = f"the {part} of {what} is {after.data[i]}, wanted {wanted}"
                faults.append((f"{part} {what}", f"{text} (position {place_in(before.shape, i)})"))
    return faults


def formed(rule: Any) -> Any:
    """`rule` for answers of any form; a wrong one, of types, shapes, keys or a mask's values, is all that is told."""

    def judged(got: Any, given: Mapping, want: Any) -> list:
        wrong = form(got, want)
        return [("form", wrong)] if wrong else rule(got, given, want)

    return judged


def huffman_lengths(got: Any, given: Mapping, want: Any) -> list:
    """Any optimal code: as short in all, and of lengths that a prefix code has."""
    counts, mine, theirs = given["counts"].data, got.data, want.data
    if odd := [i for i, n in enumerate(counts) if (mine[i] > 0) != (n > 0)]:
        return [("never occurs", f"symbol {odd[0]} occurs {counts[odd[0]]} times and has {mine[odd[0]]} bits")]
    total = lambda lengths: sum(n * length for n, length in zip(counts, lengths))
    if sum(2.0 ** -int(length) for length in mine if length) > 1:
        return [("no code", f"no prefix code has the lengths {list(mine)}")]
    if total(mine) != total(theirs):
        return [("not optimal", f"all symbols take {total(mine)} bits, wanted {total(theirs)}")]
    return []


RULES = {
    rule.__name__: formed(rule)
    for rule in (
        top_k, magnitude_mask, snip_masks, grasp_masks, n_of_m_mask, block_mask, unit_mask, global_magnitude_masks,
        snip, rigl_update, set_update, set_update_by_magnitude, snfs_update, apportion, counts, update,
        huffman_lengths,
    )
}  # fmt: skip


def _whole_groups(got: Array, given: Mapping, kind: str, group_of: Any) -> list:
    """n_keep groups of entries of highest summed score, each whole; `group_of` a flat index."""
    groups: dict = {}
    for i in range(len(got.data)):
        groups.setdefault(group_of(i), []).append(i)
    places = [str(place_in(got.shape, own[0])) for own in groups.values()]
    chosen = [{bool(got.data[i]) for i in own} for own in groups.values()]
    if torn := [place for place, own in zip(places, chosen) if len(own) > 1]:
        return [("torn", f"keeps a part of the {kind} at {torn[0]}")]
    score = [math.fsum(given["score"].data[i] for i in own) for own in groups.values()]
    return ranked([True in own for own in chosen], score, given["n_keep"], [True] * len(score), places)


def _of_all_layers(got: Mapping, score: Mapping, k: int, among: Any) -> list:
    """One ranking of the entries of all layers; positions are told by layer."""
    chosen = [x for name in score for x in got[name].data]
    places = [f"[{name!r}] {place_in(got[name].shape, i)}" for name, own in score.items() for i in range(len(own))]
    pool = [x for name in score for x in among[name].data] if among else [True] * len(chosen)
    return ranked(chosen, [x for own in score.values() for x in own], k, pool, places)


def ranked(chosen: list, score: list, k: int, among: list, shape: Any) -> list:
    """What is wrong if `chosen` are to be k candidates of highest score. `shape`, or the names of all positions."""
    place = _places(shape)
    outside = [i for i, on in enumerate(chosen) if on and not among[i]]
    faults = []
    if outside:
        faults.append(("candidate", f"chooses position {place(outside[0])}, which is no candidate"))
    n = sum(map(int, chosen))
    if n != k:
        faults.append((f"count {'more' if n > k else 'fewer'}", f"chooses {n}, {k} were asked"))
    pair = _swapped(chosen, score, among)
    if pair:
        worst, best = pair
        faults.append(("rank", f"chooses position {place(worst)} (score {score[worst]}) before {place(best)} "
                       f"({score[best]}); that is no tie"))  # fmt: skip
    return faults


def moved(got: list, mask: list, dropping: list, grow: list, n_grow: int, shape: Any) -> list:
    """What is wrong if a drop and a growth are to lead from `mask` to `got`.

    dropping: (score, candidates, how many go) for each group. Of weights that tie at the edge of the drop, those still
    active either stayed or returned. Those of highest growth score are taken as returned, since a returned weight must
    beat all absent weights.
    """
    place, size = _places(shape), range(len(mask))
    n_drop = sum(n for _, _, n in dropping)
    lost = sum(1 for i in size if mask[i] and not got[i])
    new = sum(1 for i in size if got[i] and not mask[i])
    asked = sum(map(int, mask)) - n_drop + n_grow
    faults, returned = [], [False] * len(mask)
    if lost > n_drop:
        faults.append(("drops more", f"dropped {lost}, {n_drop} were asked"))
    if new > n_grow:
        faults.append(("grows more", f"grew {new}, {n_grow} were asked"))
    n = sum(map(int, got))
    if not faults and n != asked:
        faults.append(
            (f"count {'more' if n > asked else 'fewer'}", f"ends with {n} connection{'s' * (n != 1)}, wanted {asked}")
        )
    stays = []
    for score, pool, n in dropping:
        ranks = sorted((score[i] for i in size if pool[i]), reverse=True)
        edge = ranks[n - 1] if n else math.inf
        stays += [i for i in size if pool[i] and score[i] < edge and not got[i]]
        surely = [i for i in size if pool[i] and score[i] > edge]
        level = [i for i in size if pool[i] and score[i] == edge and n]
        more = n - len(surely) - sum(1 for i in level if not got[i])
        if more < 0 and not faults:
            faults.append(("drops more", f"drops {-more} too many"))
        back = sorted((i for i in level if got[i]), key=lambda i: -grow[i])[: max(more, 0)]
        for i in [i for i in surely if got[i]] + back:
            returned[i] = True
    if stays:
        faults.append(("drop", f"loses position {place(stays[0])}, which stays"))
    if faults:  # of the absent ones the ranks can still be told
        pair = _swapped([bool(g) and not m for g, m in zip(got, mask)], grow, [not m for m in mask])
    else:
        fresh = [bool(g) and (not m or r) for g, m, r in zip(got, mask, returned)]
        pair = _swapped(fresh, grow, [not g or not m or r for g, m, r in zip(got, mask, returned)])
    if pair:
        worst, best = pair
        scores = f"(growth scores {grow[worst]}, {grow[best]})"
        if mask[worst]:
            faults.append(("stays", f"position {place(worst)} is among those to go and is still there, before "
                           f"{place(best)} {scores}"))  # fmt: skip
        else:
            faults.append(("grow", f"grows position {place(worst)} before {place(best)} {scores}"))
    return faults


def shares(momentum: Mapping, masks: Mapping) -> dict:
    """The mean |momentum| over a layer's active weights, as a fraction of all layers'; equal if all are zero."""
    means = {}
    for name, mask in masks.items():
        own = [abs(m) for m, on in zip(momentum[name].data, mask.data) if on]
        means[name] = math.fsum(own) / len(own) if own else 0.0
    whole = math.fsum(means.values())
    return {name: mean / whole if whole else 1 / len(means) for name, mean in means.items()}


def apportioned(got: Mapping, total: int, share: Mapping, room: Mapping) -> list:
    """What is wrong if `total` is to be divided by largest remainder, at most `room` each."""
    faults = _total(got, total)
    if faults:
        return faults
    open_, left, full = dict(share), total, {}
    while open_:
        largest = max(open_.values())
        parts = {name: s / largest if largest else 1.0 for name, s in open_.items()}  # sums of huge shares overflow
        whole = math.fsum(parts.values())
        quotas = {name: left * part / whole for name, part in parts.items()}
        now_full = [name for name, quota in quotas.items() if quota >= room[name]]
        for name in now_full:
            full[name] = room[name]
            left -= room[name]
            del open_[name]
        if not now_full:
            break
    wanted = {**full, **({name: quotas[name] for name in open_} if open_ else {})}
    return _remainders(got, {name: wanted[name] for name in share}, total)


def _remainders(got: Mapping, quotas: Mapping, total: int) -> list:
    """What is wrong if `got` are to be quotas rounded down, the units left over given by largest remainder."""
    floors = {name: math.floor(quota + LEVEL) for name, quota in quotas.items()}
    over = {name: max(quota - floors[name], 0.0) for name, quota in quotas.items()}
    left = total - sum(floors.values())
    edge = sorted(over.values(), reverse=True)[left - 1] if 0 < left <= len(over) else math.inf
    usual, n = dict(floors), left
    for name in sorted(over, key=lambda name: -round(over[name], 9))[: max(left, 0)]:
        usual[name] += 1
    for name, x in got.items():
        units = x - floors[name]
        sure, never = over[name] > edge + LEVEL, over[name] < edge - LEVEL
        if units not in (0, 1) or (units == 0 and sure) or (units == 1 and never):
            return [("shares", f"gives {dict(got)}, wanted {usual}")]
        n -= units
    return []


def _total(got: Mapping, total: int) -> list:
    n = sum(got.values())
    more = "more" if n > total else "fewer"
    return [(f"count {more}", f"gives {n} in all, {total} were asked")] if n != total else []


def _swapped(chosen: list, score: list, among: list) -> tuple[int, int] | None:
    """(worst chosen, best left) of the candidates, if the one left has the higher score."""
    left = [i for i, on in enumerate(chosen) if among[i] and not on]
    taken = [i for i, on in enumerate(chosen) if among[i] and on]
    if not left or not taken:
        return None
    worst, best = min(taken, key=lambda i: score[i]), max(left, key=lambda i: score[i])
    return (worst, best) if score[best] > score[worst] else None


def _places(shape: Any) -> Any:
    return shape.__getitem__ if isinstance(shape, list) else lambda i: place_in(shape, i)
