"""Accepts every legal choice among equal scores, for code that breaks ties in another way.

A rule takes an answer, the inputs and the reference's answer. It returns None if the answer follows from the same ranks
with ties broken differently, else a description of the error.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..allocate import apportion
from ..methods.snfs import shares
from .values import matches

Rule = Callable[[Any, Mapping[str, Any], Any], str | None]
Group = tuple[np.ndarray, np.ndarray, int]  # scores, candidates, how many to drop


def _masks(got: Any, want: Any) -> tuple[Any, str | None]:
    """(`got` as boolean arrays, None), or (None, why it is not masks like `want`)."""
    if isinstance(want, Mapping):
        if not isinstance(got, Mapping) or got.keys() != want.keys():
            return None, matches(got, want)
        pairs = {name: _masks(got[name], mask) for name, mask in want.items()}
        wrong = next((f"[{name!r}] {wrong}" for name, (_, wrong) in pairs.items() if wrong), None)
        return {name: mask for name, (mask, _) in pairs.items()}, wrong
    if not isinstance(got, np.ndarray) or got.shape != want.shape or not np.isin(got, (0, 1)).all():
        return None, matches(got, want)
    return got.astype(bool), None


def _ranked(chosen: np.ndarray, score: np.ndarray, k: int, among: np.ndarray) -> str | None:
    """None if `chosen` are k candidates of highest score."""
    if (chosen & ~among).any():
        return f"chooses position {_first(chosen & ~among)}, which is no candidate"
    if chosen.sum() != k:
        return f"chooses {chosen.sum()}, wanted {k}"
    left = among & ~chosen
    if chosen.any() and left.any() and score[left].max() > score[chosen].min():
        best, worst = _first(left & (score == score[left].max())), _first(chosen & (score == score[chosen].min()))
        return f"chooses position {worst} (score {score[worst]}) before {best} ({score[best]}); that is no tie"
    return None


def _moved(got: np.ndarray, mask: np.ndarray, dropping: Sequence[Group], grow: np.ndarray, n_grow: int) -> str | None:
    """None if some legal drop and some legal growth lead from `mask` to `got`.

    Of weights that tie at the edge of the drop, those still active either stayed or returned. Those of highest growth
    score are taken as returned, since a returned weight must beat all absent weights.
    """
    returned = np.zeros_like(mask)
    for score, pool, n in dropping:
        if not n:
            if (pool & ~got).any():
                return f"loses position {_first(pool & ~got)}, which stays"
            continue
        edge = np.sort(score[pool])[-n]
        if (lost := pool & (score < edge) & ~got).any():
            return f"loses position {_first(lost)}, which stays, tie or not"
        surely, level = pool & (score > edge), pool & (score == edge)
        more = n - int(surely.sum()) - int((level & ~got).sum())
        if more < 0:
            return f"drops {-more} too many"
        back = np.flatnonzero((level & got).ravel())
        back = back[np.argsort(-grow.ravel()[back], kind="stable")][:more]
        returned |= surely & got
        returned.ravel()[back] = True
    return _ranked((got & ~mask) | returned, grow, n_grow, ~got | ~mask | returned)


def _top_k(got: Any, given: Mapping[str, Any], want: Any) -> str | None:
    got, wrong = _masks(got, want)
    among = given.get("among")
    return wrong or _ranked(got, given["score"], given["k"], np.ones_like(got) if among is None else among)


def _magnitude_mask(got: Any, given: Mapping[str, Any], want: Any) -> str | None:
    scores = {"score": abs(given["weight"]), "k": given["n_keep"], "among": given.get("mask")}
    return _top_k(got, scores, want)


def _snip_masks(got: Any, given: Mapping[str, Any], want: Any) -> str | None:
    got, wrong = _masks(got, want)
    if wrong:
        return wrong
    effect = {name: abs(w * given["grads"][name]) for name, w in given["weights"].items()}
    return _ranked(_flat(got, effect), _flat(effect, effect), given["n_keep"], _flat(got, effect) | True)


def _global_magnitude_masks(got: Any, given: Mapping[str, Any], want: Any) -> str | None:
    got, wrong = _masks(got, want)
    if wrong:
        return wrong
    size = {name: abs(w) for name, w in given["weights"].items()}
    among = _flat(given["masks"], size) if given.get("masks") else _flat(got, size) | True
    return _ranked(_flat(got, size), _flat(size, size), given["n_keep"], among)


def _snip(got: Any, given: Mapping[str, Any], want: Any) -> str | None:
    got, wrong = _masks(got, want)
    if wrong:
        return wrong
    effect = {name: abs(given["params"][name] * sum(batch[name] for batch in given["grads"])) for name in want}
    n_keep = sum(int(mask.sum()) for mask in want.values())
    return _ranked(_flat(got, effect), _flat(effect, effect), n_keep, _flat(got, effect) | True)


def _flat(arrays: Mapping[str, np.ndarray], order: Mapping[str, Any]) -> np.ndarray:
    """The entries of all layers in one row."""
    return np.concatenate([arrays[name].ravel() for name in order] or [np.zeros(0, dtype=bool)])


def _by_magnitude(growing: str) -> Rule:
    def rule(got: Any, given: Mapping[str, Any], want: Any) -> str | None:
        got, wrong = _masks(got, want)
        k, grow = given["n_update"], given[growing]
        grow = abs(grow) if growing == "dense_grad" else grow
        return wrong or _moved(got, given["mask"], [(-abs(given["weight"]), given["mask"], k)], grow, k)

    return rule


def _set_update(got: Any, given: Mapping[str, Any], want: Any) -> str | None:
    got, wrong = _masks(got, want)
    w, mask = given["weight"], given["mask"]
    n, p = given["n_negative"], given["n_positive"]
    groups = [(w, mask & (w < 0), n), (-w, mask & ~(w < 0), p)]
    return wrong or _moved(got, mask, groups, given["noise"], n + p)


def _snfs_update(got: Any, given: Mapping[str, Any], want: Any) -> str | None:
    got, wrong = _masks(got, want)
    if wrong:
        return wrong
    masks, n_drop = given["masks"], given["n_drop"]
    n_grow = {name: int(mask.sum() - masks[name].sum()) + n_drop[name] for name, mask in got.items()}
    if wrong := _shared(n_grow, given):
        return wrong
    for name, mask in got.items():
        dropping = [(-abs(given["weights"][name]), masks[name], n_drop[name])]
        if wrong := _moved(mask, masks[name], dropping, abs(given["momentum"][name]), n_grow[name]):
            return f"[{name!r}] {wrong}"
    return None


def _shared(n_grow: Mapping[str, int], given: Mapping[str, Any]) -> str | None:
    """None if the growth is divided between layers by largest remainder, for any order of ties."""
    masks, n_drop = given["masks"], given["n_drop"]
    share = shares(given["momentum"], masks)
    room = {name: int(mask.size - mask.sum()) + n_drop[name] for name, mask in masks.items()}
    usual = apportion(sum(n_drop.values()), share, room)
    order = sorted(usual, key=lambda name: usual[name] - n_grow[name])  # layers that got more first
    asked = apportion(sum(n_drop.values()), {n: share[n] for n in order}, {n: room[n] for n in order})
    if all(asked[name] == n_grow[name] for name in asked):
        return None
    return f"grows {dict(n_grow)} by layer, wanted {usual}"


def _update(got: Any, given: Mapping[str, Any], want: Any) -> str | None:
    if not isinstance(got, Mapping) or got.keys() != want.keys():
        return matches(got, want)
    method, mask, k = given.get("method", "rigl"), given["mask"], given["n_update"]
    score = given["scores"] if method in ("set", "snfs") else given["dense_grad"]
    new, wrong = _masks(got["mask"], want["mask"])
    wrong = wrong or _moved(
        new, mask, [(-abs(given["weight"]), mask, k)], score if method == "set" else abs(score),
        0 if method == "magnitude" else k,
    )  # fmt: skip
    if wrong:
        return f"['mask'] {wrong}"
    there = mask & new  # these were never away, in whatever order ties were broken
    carried = {name: slot * there for name, slot in given["slots"].items()}
    return matches(got, {"weight": given["weight"] * there, "mask": new, "slots": carried})


def _first(where: np.ndarray) -> Any:
    """The first true position: a number for one axis, else a tuple."""
    place = tuple(int(i) for i in np.argwhere(where)[0])
    return place[0] if len(place) == 1 else place


RULES: dict[str, Rule] = {
    "top_k": _top_k,
    "magnitude_mask": _magnitude_mask,
    "snip_masks": _snip_masks,
    "snip": _snip,
    "global_magnitude_masks": _global_magnitude_masks,
    "rigl_update": _by_magnitude("dense_grad"),
    "set_update": _set_update,
    "set_update_by_magnitude": _by_magnitude("noise"),
    "snfs_update": _snfs_update,
    "update": _update,
}
