"""Ways to get a function wrong, each with the case that must notice: the faults of public code and a mutation list.

To add one, append a Wrong: `case` is the name of the case whose reason names the fault, `line` where the fault is told
of. Written with NumPy's sorts and nothing of the package, except `other_masks`, which is right.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tests.golden import other_masks as right


class Wrong(NamedTuple):
    """Itself a function of the contract's parameters, by name."""

    breaks: str
    function: str
    does: Callable
    line: str
    case: str

    def __call__(self, **inputs):
        return self.does(*inputs.values())  # cases list them in the contract's order


def first(score, k, among=None):
    """The k highest among the places of `among`, equals by index, as a mask."""
    order = np.argsort(-score.ravel(), kind="stable")
    if among is not None:
        order = order[among.ravel()[order]]
    chosen = np.zeros(score.size, dtype=bool)
    chosen[order[:k]] = True
    return chosen.reshape(score.shape)


def last(score, k, among=None):
    """As `first`, with equals by the higher index."""
    flip = None if among is None else among.ravel()[::-1]
    return first(score.ravel()[::-1], k, flip)[::-1].reshape(score.shape)


def in_columns(score, k, among=None):
    """As `first`, with equals by the index down the columns."""
    return first(score.T, k, None if among is None else among.T).T


def beyond(score, k, among=None, ties=True):
    """A threshold at the k-th highest: ties all chosen, or all left."""
    inside = score.ravel() if among is None else score[among]
    if k == 0:
        return np.zeros(score.shape, dtype=bool)
    cut = np.sort(inside)[-k] if ties else np.append(np.sort(inside)[::-1], -np.inf)[k]
    chosen = score >= cut if ties else score > cut
    return chosen if among is None else chosen & among


def grown(kept, score, k, choose=first):
    return kept | choose(score, k, ~kept)


# RigL


def rigl(drop=lambda w, mask, g, k: first(-abs(w), k, mask), grow=lambda kept, mask, g, k: grown(kept, abs(g), k)):
    def update(weight, mask, dense_grad, n_update):
        kept = mask & ~drop(weight, mask, dense_grad, n_update)
        return grow(kept, mask, dense_grad, n_update)

    return update


def rigl_keeping_among_all(weight, mask, dense_grad, n_update):
    """What rigl-tf1 and rigl-torch do, without noise: rank |mask w| of all positions for what to keep."""
    kept = first(abs(weight * mask), int(mask.sum()) - n_update)
    return grown(kept, abs(dense_grad), n_update)


def rigl_keeping_stale(weight, mask, dense_grad, n_update):
    kept = first(abs(weight), int(mask.sum()) - n_update)
    return grown(kept, abs(dense_grad), n_update)


def rigl_lifted(weight, mask, dense_grad, n_update):
    """What jaxpruner does: one stays at least, and kept scores are lifted above all others by 1e-5, in float32."""
    kept = first(abs(weight), max(int(mask.sum()) - n_update, min(1, int(mask.sum()))), mask)
    score = abs(dense_grad).astype("float32")
    return first(np.where(kept, score.max() + np.float32(1e-5), score), int(mask.sum()))


def rigl_of_one_filter_each(weight, mask, dense_grad, n_update):
    """A ranking for every output."""
    flat = [a.reshape(-1, a.shape[-1]) for a in (weight, mask, dense_grad)]
    if weight.ndim == 1:
        return right.rigl_update(weight, mask, dense_grad, n_update)
    parts = np.array_split(np.arange(n_update), flat[0].shape[1])
    columns = [right.rigl_update(*(a[:, i] for a in flat), min(len(parts[i]), int(flat[1][:, i].sum())))
               for i in range(flat[0].shape[1])]  # fmt: skip
    return np.stack(columns, axis=1).reshape(mask.shape)


RIGL = [
    Wrong("keep pool all entries", "rigl_update", rigl_keeping_among_all, "4.4; 0.1 finding 1",
          "active-weights-of-zero"),
    Wrong("absent values are ranked", "rigl_update", rigl_keeping_stale, "4.4 grown value stale; A4", "stale-values"),
    Wrong("grow pool excludes just-dropped", "rigl_update",
          rigl(grow=lambda kept, mask, g, k: kept | first(abs(g), k, ~mask)), "4.4; A2", "dropped-connection-returns"),
    Wrong("growth over active", "rigl_update", rigl(grow=lambda kept, mask, g, k: kept | first(abs(g), k)), "4.4",
          "gradients-of-kept-connections"),
    Wrong("growth over active where gradients are zero", "rigl_update",
          rigl(grow=lambda kept, mask, g, k: kept | first(abs(g) * ~kept, k)), "4.4; 1.1 RR, 1.4 SL item 5",
          "gradients-of-zero"),
    Wrong("the largest weights go", "rigl_update", rigl(drop=lambda w, mask, g, k: first(abs(w), k, mask)), "A1",
          "basic"),
    Wrong("signed drop", "rigl_update", rigl(drop=lambda w, mask, g, k: first(-w, k, mask)), "A18", "signs-of-weights"),
    Wrong("signed grow", "rigl_update", rigl(grow=lambda kept, mask, g, k: grown(kept, g, k)), "A18",
          "signs-of-gradients"),
    Wrong("drops the higher index of equals", "rigl_update", rigl(drop=lambda w, mask, g, k: last(-abs(w), k, mask)),
          "1.1 JP; A6", "equal-weights"),
    Wrong("grows the higher index of equals", "rigl_update",
          rigl(grow=lambda kept, mask, g, k: grown(kept, abs(g), k, last)), "A5", "equal-gradients"),
    Wrong("index in Fortran order", "rigl_update", rigl(drop=lambda w, mask, g, k: in_columns(-abs(w), k, mask)),
          "A16", "columns-that-tie"),
    Wrong("kept scores lifted by an epsilon", "rigl_update", rigl_lifted, "1.1 JP; A12", "huge-equal-gradients"),
    Wrong("active zeros lost", "rigl_update", rigl(drop=lambda w, mask, g, k: first(-abs(w), k, mask) | (w == 0)),
          "1.4 SL item 3; A7", "nothing-to-move"),
    Wrong("at least one moves", "rigl_update", rigl(drop=lambda w, mask, g, k: first(-abs(w), max(k, 1), mask),
          grow=lambda kept, mask, g, k: grown(kept, abs(g), max(k, 1))), "R13; A7", "nothing-to-move"),
    Wrong("at least one stays", "rigl_update",
          rigl(drop=lambda w, mask, g, k: first(-abs(w), min(k, max(int(mask.sum()) - 1, 0)), mask)),
          "1.1 JP min 1; A8", "everything-moves"),
    Wrong("drop by |w g|", "rigl_update", rigl(drop=lambda w, mask, g, k: first(-abs(w * g), k, mask)), "B4",
          "drop-is-not-by-gradient"),
    Wrong("a ranking per output", "rigl_update", rigl_of_one_filter_each, "1.1", "convolution-kernel"),
    Wrong("drop by a threshold", "rigl_update", rigl(drop=lambda w, mask, g, k: beyond(-abs(w), k, mask)), "1.7; A6",
          "equal-weights"),
]  # fmt: skip


# the count of RigL, and the schedules


def count(rounding=math.floor, fraction=right.cosine):
    return lambda step, n_active, alpha, t_end: rounding(fraction(step, alpha, t_end) * n_active)


def unclamped(step, alpha, t_end, begin=0):
    return alpha / 2 * (1 + math.cos(math.pi * (step - begin) / (t_end - begin)))


def unshifted(step, alpha, t_end, begin=0):
    """What rigl-tf1 does: over end - begin, of the absolute step."""
    return right.cosine(step, alpha, t_end - begin)


def half_even_of_kept(step, n_active, alpha, t_end):
    """What jaxpruner does: rounds what stays, and keeps one."""
    return n_active - max(round(n_active * (1 - right.cosine(step, alpha, t_end))), 1) if n_active else 0


def straight(step, alpha, t_end, begin=0):
    return alpha * (1 - min(max(step - begin, 0) / (t_end - begin), 1))


def cube(shift=0, initial=None, power=3, clamp=True):
    def sparsity(step, begin, end, final, initial_=0.0):
        start = initial_ if initial is None else initial
        progress = (step + shift - begin) / (end - begin)
        return final + (start - final) * (1 - (min(max(progress, 0), 1) if clamp else progress)) ** power

    return lambda step, begin, end, final, initial=0.0: sparsity(step, begin, end, final, initial)


SCHEDULES = [
    Wrong("floor -> ceil", "rigl_count", count(math.ceil), "4.4; 1.1 RR", "a-little-above-two"),
    Wrong("floor -> round", "rigl_count", count(round), "4.4", "floor-of-a-half-above-one"),
    Wrong("half-even of what is kept", "rigl_count", half_even_of_kept, "1.1 JP", "floor-of-a-half"),
    Wrong("at least one", "rigl_count", count(lambda x: max(math.floor(x), 1)), "A15", "less-than-one"),
    Wrong("unclamped cosine", "rigl_count", count(fraction=unclamped), "4.4; R11", "after-t-end"),
    Wrong("a straight line", "rigl_count", count(fraction=straight), "R11", "three-quarters"),
    Wrong("alpha forgotten half", "rigl_count", count(fraction=lambda *a: right.cosine(*a) * 2), "R11", "half-way"),
    Wrong("a whole number missed", "rigl_count", count(lambda x: math.ceil(x) - 1 if x else 0), "A15",
          "an-exact-integer"),
    Wrong("over at three quarters", "cosine", lambda step, alpha, t_end, begin=0: right.cosine(
          step, alpha, t_end, begin) * (step - begin < 0.75 * (t_end - begin)), "C1", "three-quarters"),
    Wrong("over at three quarters", "cubic", lambda step, begin, end, final, initial=0.0: final
          if step >= begin + 0.75 * (end - begin) else right.cubic(step, begin, end, final, initial), "C4",
          "three-quarters"),
    Wrong("a step ahead", "cosine", lambda step, alpha, t_end, begin=0: right.cosine(step + 1, alpha, t_end, begin),
          "R10", "start"),
    Wrong("a step behind", "cubic", cube(shift=-1), "C4", "end"),
    Wrong("unclamped cosine", "cosine", unclamped, "4.4; R11", "after-the-end"),
    Wrong("followed back before begin", "cosine", lambda step, alpha, t_end, begin=0: 0.0 if step >= t_end else
          unclamped(step, alpha, t_end, begin), "R11", "before-begin"),
    Wrong("unshifted anneal", "cosine", unshifted, "4.4; 0.1 finding 5", "begin"),
    Wrong("begin ignored", "cosine", lambda step, alpha, t_end, begin=0: right.cosine(step, alpha, t_end), "C2",
          "half-way-from-begin"),
    Wrong("eta_min .005", "cosine", lambda step, alpha, t_end, begin=0: max(
          right.cosine(step, alpha, t_end, begin), 0.005), "4.4; 1.4 SL item 9", "end"),
    Wrong("a straight line", "cosine", straight, "C1", "a-quarter"),
    Wrong("constant", "cosine", lambda step, alpha, t_end, begin=0: alpha if step < t_end else 0.0, "C1", "half-way"),
    Wrong("polynomial at step+1", "cubic", cube(shift=1), "4.4; 1.7 JP", "step-counts-from-zero"),
    Wrong("initial sparsity ignored", "cubic", cube(initial=0.0), "1.7 JP", "from-an-initial-sparsity"),
    Wrong("unclamped", "cubic", cube(clamp=False), "4.4; C3", "after-the-end"),
    Wrong("square for cube", "cubic", cube(power=2), "C4", "a-quarter"),
    Wrong("a straight line", "cubic", cube(power=1), "C4", "three-quarters"),
]  # fmt: skip


# densities and counts


def scaled(raw, cap=True, in_budget=False, once=False):
    """The scale, solved with one fault."""

    def densities(shapes, density, dense=()):
        size = {name: math.prod(shape) for name, shape in shapes.items()}
        free = [name for name in shapes if name not in dense]
        budget = density * sum(size[name] for name in (shapes if in_budget else free))
        if in_budget:
            budget -= sum(size[name] for name in dense)
        full = []
        while True:
            open_ = [name for name in free if name not in full]
            scale = (budget - sum(size[name] for name in full)) / sum(raw(shapes[name]) * size[name] for name in open_)
            over = [name for name in open_ if scale * raw(shapes[name]) > 1 + 1e-12]
            if not cap or not over or (once and full):
                top = 1.0 if cap or once else math.inf
                return {n: min(top, scale * raw(shapes[n])) if n in open_ else 1.0 for n in shapes}
            highest = max(raw(shapes[name]) for name in over)
            full += [name for name in over if raw(shapes[name]) == highest]

    return densities


def er(shape):
    return (shape[-1] + shape[-2]) / (shape[-1] * shape[-2])


def erk(shape):
    return sum(shape) / math.prod(shape)


def saturated(raw):
    """The scale of the first solution, cut at 1: the total is missed."""
    uncapped = scaled(raw, cap=False)
    return lambda *a, **k: {name: min(1.0, density) for name, density in uncapped(*a, **k).items()}


def er_of_first_axes(shape):
    return (shape[0] + shape[1]) / (shape[0] * shape[1])


def uniform_compensating(shapes, density, dense=()):
    size = {name: math.prod(shape) for name, shape in shapes.items()}
    kept = sum(size[name] for name in dense)
    free = sum(size.values()) - kept
    share = (density * sum(size.values()) - kept) / free
    return {name: 1.0 if name in dense else share for name in shapes}


def each(rounding):
    return lambda shapes, densities: {name: int(rounding(densities[name] * math.prod(shapes[name]))) for name in shapes}


def counts_by_floored_zeros(shapes, densities, exact=True):
    """What rigl-tf1 and rigl-torch do: as many zeros as fit. Without `exact` 1 - density is what binary makes of it."""
    zeros = {name: (1 - densities[name]) * math.prod(shape) for name, shape in shapes.items()}
    return {n: math.prod(s) - math.floor(round(zeros[n], 9) if exact else zeros[n]) for n, s in shapes.items()}


def counts_of(total, tie=max, digits=9):
    """Largest remainder, with another rounding of the total, another tie or remainders to other digits."""

    def counts(shapes, densities):
        quotas = {name: round(densities[name] * math.prod(shape), digits) for name, shape in shapes.items()}
        given = {name: math.floor(quota) for name, quota in quotas.items()}
        left = total(sum(quotas.values())) - sum(given.values())
        for name in sorted(quotas, key=tie(quotas))[:left]:
            given[name] += 1
        return given

    return counts


def by_remainder(quotas):
    return lambda name: (-(quotas[name] % 1), list(quotas).index(name))


def by_remainder_then_last(quotas):
    return lambda name: (-(quotas[name] % 1), -list(quotas).index(name))


def by_size(quotas):
    return lambda name: -quotas[name]


DENSITIES = [
    Wrong("dense layers paid for by the others", "uniform", uniform_compensating, "1.2 CS",
          "dense-layers-stand-outside"),
    Wrong("dense ignored", "uniform", lambda shapes, density, dense=(): dict.fromkeys(shapes, density), "1.2 CS",
          "dense-layers-stand-outside"),
    Wrong("rounded to whole connections", "uniform", lambda shapes, density, dense=(): {n: 1.0 if n in dense else
          max(round(density * math.prod(s)), 1) / math.prod(s) for n, s in shapes.items()}, "1.2",
          "density-is-not-made-a-count-here"),
    Wrong("as many for every layer", "uniform", lambda shapes, density, dense=(): {
          n: 1.0 if n in dense or density == 1 else min(1.0, density * sum(map(math.prod, shapes.values()))
          / len(shapes) / math.prod(s)) for n, s in shapes.items()}, "1.2", "every-layer"),
    Wrong("never quite dense", "uniform", lambda shapes, density, dense=(): {
          n: 1.0 if n in dense else min(density, 1 - 1e-6) for n in shapes}, "design.md 4", "everything"),
    Wrong("as many for every layer", "erdos_renyi", scaled(lambda shape: 1 / math.prod(shape)), "1.2 raw",
          "two-layers"),
    Wrong("a kernel of 1 x 1 for linear layers", "erdos_renyi_kernel",
          scaled(lambda shape: (sum(shape) + 2 * (len(shape) == 2)) / math.prod(shape)), "1.2 raw",
          "linear-layers-as-er"),
    Wrong("without cap", "erdos_renyi", scaled(er, cap=False), "4.4", "one-layer-full"),
    Wrong("cut at 1 without solving again", "erdos_renyi", saturated(er), "1.2 SL", "one-layer-full"),
    Wrong("capped once", "erdos_renyi", scaled(er, once=True), "D4", "full-in-two-rounds"),
    Wrong("shape[:2]", "erdos_renyi", scaled(er_of_first_axes), "4.4; 1.2 RR", "kernel-area-ignored"),
    Wrong("ERK for ER", "erdos_renyi", scaled(erk), "1.2 raw", "kernel-area-ignored"),
    Wrong("dense layers in the budget", "erdos_renyi", scaled(er, in_budget=True), "1.2 CS",
          "dense-layers-stand-outside"),
    Wrong("without cap", "erdos_renyi_kernel", scaled(erk, cap=False), "4.4", "lenet-300-100-at-50"),
    Wrong("cut at 1 without solving again", "erdos_renyi_kernel", saturated(erk), "1.2 SL", "lenet-300-100-at-50"),
    Wrong("ER for ERK", "erdos_renyi_kernel", scaled(er), "1.2 raw", "kernel-counted"),
    Wrong("dense layers in the budget", "erdos_renyi_kernel", scaled(erk, in_budget=True), "1.2 CS",
          "dense-layers-stand-outside"),
    Wrong("axes of length 1 dropped", "erdos_renyi_kernel",
          scaled(lambda shape: sum(n for n in shape if n > 1) / math.prod(shape)), "1.2 raw", "one-channel-in"),
    Wrong("zeros floored before solving", "erdos_renyi_kernel", lambda shapes, density, dense=(): scaled(erk)(
          shapes, counts_total(shapes, density, dense), dense), "1.2 RG", "lenet-5-at-95"),
    Wrong("zeros floored", "counts", counts_by_floored_zeros, "1.2 RG, TO; D2", "two-layers"),
    Wrong("each layer rounded", "counts", each(round), "1.2 JP", "the-total-is-rounded-not-each-layer"),
    Wrong("each layer truncated", "counts", each(math.floor), "1.2 floor trap", "floor-trap"),
    Wrong("each layer rounded up", "counts", each(math.ceil), "1.2", "counts-may-fall-as-density-rises"),
    Wrong("half up", "counts", counts_of(lambda x: math.floor(x + 0.5), by_remainder), "design.md 3",
          "half-a-connection-to-even"),
    Wrong("total truncated", "counts", counts_of(math.floor, by_remainder), "design.md 3",
          "half-a-connection-up-to-even"),
    Wrong("total rounded up", "counts", counts_of(lambda x: math.ceil(round(x, 9)), by_remainder), "design.md 3",
          "half-a-connection-to-even"),
    Wrong("total rounded up in binary", "counts", lambda shapes, densities: counts_of(lambda x: math.ceil(sum(
          densities[n] * math.prod(s) * (1 + 1e-15) for n, s in shapes.items())), by_remainder)(shapes, densities),
          "design.md 3", "lenet-300-100-at-90"),
    Wrong("ties to the later key", "counts", counts_of(round, by_remainder_then_last), "D4", "ties-to-the-earlier-key"),
    Wrong("parts told apart in binary", "counts", counts_of(round, by_remainder, digits=17), "D4",
          "a-tie-but-for-rounding"),
    Wrong("left over to the largest layer", "counts", counts_of(round, by_size), "D2",
          "the-total-is-rounded-not-each-layer"),
    Wrong("at least one connection", "counts", lambda shapes, densities: {
          n: max(k, 1) for n, k in right.counts(shapes, densities).items()}, "1.2 JP min 1", "all-and-nothing"),
    Wrong("zeros truncated in binary", "counts", lambda shapes, densities: counts_by_floored_zeros(
          shapes, densities, exact=False), "1.1 TO; D5",
          "nine-tenths-of-ten"),
]  # fmt: skip


def counts_total(shapes, density, dense):
    """The density that is left when every layer's zeros are floored."""
    free = [math.prod(shape) for name, shape in shapes.items() if name not in dense]
    return sum(n - math.floor(round((1 - density) * n, 9)) for n in free) / sum(free)


# sharing out


def ceil_shares(total, shares, room):
    """What sparse-learning does: every quota rounded up, cut at the room."""
    all_shares = sum(shares.values()) or 1
    return {name: min(math.ceil(total * share / all_shares), room[name]) for name, share in shares.items()}


def shared(overflow="equally", remainder=by_remainder):
    def apportion(total, shares, room):
        whole = sum(shares.values()) or 1
        quotas = {name: total * share / whole for name, share in shares.items()}
        given = {name: math.floor(quota + 1e-12) for name, quota in quotas.items()}
        for name in sorted(quotas, key=remainder(quotas))[: total - sum(given.values())]:
            given[name] += 1
        if overflow == "ignored":
            return given
        over = {name: min(n, room[name]) for name, n in given.items()}
        if overflow == "lost":
            return over
        names = list(shares) if overflow == "over all" else [n for n in shares if over[n] < room[n]]
        for i in range(total - sum(over.values())):
            if names:
                over[names[i % len(names)]] += 1
        return over

    return apportion


def by_name(quotas):
    return lambda name: (-(quotas[name] % 1), name)


def by_share(quotas):
    return lambda name: -quotas[name]


def proportional_without_equal_zeros(total, shares, room):
    """What a full layer leaves goes nowhere when all other shares are zero."""
    given = right.apportion(min(total, sum(room.values())), shares, room)
    return {n: k if shares[n] or not any(shares.values()) else 0 for n, k in given.items()}


SHARING = [
    Wrong("SNFS ceil shares", "apportion", ceil_shares, "4.4; 1.4 SL item 4", "largest-remainder"),
    Wrong("cap without re-spread", "apportion", shared("lost"), "4.4", "a-full-layer-passes-the-rest-on"),
    Wrong("room ignored", "apportion", shared("ignored"), "1.4; F3", "a-full-layer-passes-the-rest-on"),
    Wrong("overflow divided equally", "apportion", shared("equally"), "1.4 SL item 4",
          "the-rest-is-shared-in-proportion"),
    Wrong("overflow over full layers too", "apportion", shared("over all"), "1.4 SL item 4",
          "the-rest-is-shared-in-proportion"),
    Wrong("ties to the first in the alphabet", "apportion", shared(remainder=by_name), "D4", "ties-to-the-earlier-key"),
    Wrong("left over to the largest share", "apportion", shared(remainder=by_share), "F2", "largest-remainder"),
    Wrong("shares taken as fractions of one", "apportion", lambda total, shares, room: {
          n: min(math.floor(total * share), room[n]) for n, share in shares.items()}, "design.md 4",
          "shares-need-not-add-up-to-one"),
    Wrong("shares squared", "apportion", lambda total, shares, room: right.apportion(
          total, {n: share**2 for n, share in shares.items()}, room), "F2", "whole-quotas"),
    Wrong("no shares, no units", "apportion", lambda total, shares, room: right.apportion(total, shares, room)
          if any(shares.values()) else dict.fromkeys(shares, 0), "design.md 4", "all-shares-zero"),
    Wrong("zero shares never get any", "apportion", proportional_without_equal_zeros, "design.md 4",
          "only-zero-shares-left"),
    Wrong("at least one each", "apportion", lambda total, shares, room: {
          n: max(k, min(1, room[n])) for n, k in right.apportion(total, shares, room).items()}, "R13",
          "nothing-to-share"),
]  # fmt: skip


# choosing, magnitudes, thresholds


def lottery_cutoff(weight, n_keep, mask=None):
    """What the lottery code does: cut at index n_pruned of the sorted weights, and drop <=: one too many."""
    inside = np.sort(abs(weight).ravel() if mask is None else abs(weight)[mask])
    kept = abs(weight) > inside[min(inside.size - n_keep, inside.size - 1)]
    return kept if mask is None else kept & mask


def by_magnitude(choose):
    return lambda weight, n_keep, mask=None: choose(abs(weight), n_keep, mask)


def threshold(std=np.std, stays=np.greater_equal, pool="survivors"):
    def kept(weight, quality, mask=None):
        mask = np.ones(weight.shape, dtype=bool) if mask is None else mask
        pools = {"survivors": weight[mask], "all": weight.ravel(), "all masked": (weight * mask).ravel()}
        return stays(abs(weight), quality * std(pools[pool])) & mask

    return kept


CHOOSING = [
    Wrong("kernels ranked filter by filter", "top_k", lambda score, k, among=None: first(score, k, among)
          if score.ndim < 4 else first(score.transpose(3, 2, 0, 1), k).transpose(2, 3, 1, 0), "A16", "four-axes"),
    Wrong("the smallest", "top_k", lambda score, k, among=None: first(-score, k, among), "R3", "largest"),
    Wrong("threshold keeps all ties", "top_k", lambda score, k, among=None: beyond(score, k, among), "4.4 >= ties",
          "ties-at-the-boundary"),
    Wrong("threshold leaves all ties", "top_k", lambda score, k, among=None: beyond(score, k, among, ties=False),
          "1.5 SF", "all-equal"),
    Wrong("ties to the higher index", "top_k", last, "R3", "all-equal"),
    Wrong("Fortran order", "top_k", in_columns, "A16", "c-order"),
    Wrong("magnitude of the score", "top_k", lambda score, k, among=None: first(abs(score), k, among), "A18", "signed"),
    Wrong("score times mask", "top_k", lambda score, k, among=None: first(
          score if among is None else score * among, k), "R2", "among-negative"),
    Wrong("among ignored", "top_k", lambda score, k, among=None: first(score, k), "R2", "among-all"),
    Wrong("zeros told apart by sign", "top_k", lambda score, k, among=None: first(
          score - 1e-30 * np.signbit(score), k, among), "R3", "zeros-of-either-sign-tie"),
    Wrong("at least one", "top_k", lambda score, k, among=None: first(score, max(k, 1), among), "R13", "none"),
    Wrong("zeros are never chosen", "top_k", lambda score, k, among=None: first(score, k, among) & (score != 0),
          "0.1 finding 1", "every-one"),
    Wrong("index p*n and <=", "magnitude_mask", lottery_cutoff, "4.4 lottery index p*n; 0.1 finding 10",
          "keep-everything"),
    Wrong(">= keeps all ties", "magnitude_mask", by_magnitude(lambda s, k, among: beyond(s, k, among)), "4.4; 1.7 TM",
          "four-equal-weights"),
    Wrong("> prunes all ties", "magnitude_mask", by_magnitude(lambda s, k, among: beyond(s, k, among, ties=False)),
          "1.5 SF; 1.7", "all-zero"),
    Wrong("ties to the higher index", "magnitude_mask", by_magnitude(last), "I5", "all-equal"),
    Wrong("signed weights", "magnitude_mask", lambda w, n_keep, mask=None: first(w, n_keep, mask), "A18",
          "absolute-values"),
    Wrong("threshold on raw weights", "magnitude_mask", lambda w, n_keep, mask=None: first(abs(w), n_keep),
          "1.7 TF contrib", "pruned-weights-stay-pruned"),
    Wrong("keep pool all entries", "magnitude_mask", lambda w, n_keep, mask=None: first(
          abs(w) if mask is None else abs(w * mask), n_keep), "4.4; R2", "active-zeros-before-pruned-ones"),
    Wrong("at least one", "magnitude_mask", lambda w, n_keep, mask=None: first(abs(w), max(n_keep, 1), mask),
          "1.7 JP, TM", "keep-nothing"),
    Wrong("Fortran order", "magnitude_mask", by_magnitude(in_columns), "A16", "rows-first"),
    Wrong("threshold <=", "threshold_mask", threshold(stays=np.greater), "4.4; 1.7 Pin", "at-the-threshold"),
    Wrong("deviation by n - 1", "threshold_mask", threshold(lambda w: np.std(w, ddof=1)), "I1", "two-of-five"),
    Wrong("deviation of all weights, zeros too", "threshold_mask", threshold(pool="all masked"), "I3", "second-round"),
    Wrong("deviation of stale values too", "threshold_mask", threshold(pool="all"), "I3", "stale-values"),
    Wrong("root mean square", "threshold_mask", threshold(lambda w: np.sqrt((w * w).mean())), "1.7", "around-the-mean"),
    Wrong("deviation of the magnitudes", "threshold_mask", threshold(lambda w: abs(w).std()), "1.7",
          "of-signed-weights"),
    Wrong("zeros always pruned", "threshold_mask", lambda w, q, mask=None: threshold()(w, q, mask) & (w != 0),
          "1.4 SL item 3", "quality-zero"),
    Wrong("ratio without root", "retrain_dropout", lambda rate, n, of: rate * n / of, "I2", "a-quarter"),
    Wrong("a line for the root", "retrain_dropout", lambda rate, n, of: rate * min(1, 2 * n / of), "I2",
          "thirty-six-of-a-hundred"),
    Wrong("one connection fewer", "retrain_dropout", lambda rate, n, of: rate * math.sqrt(max(n - 1, 0) / of), "I2",
          "nothing-pruned"),
    Wrong("ratio upside down", "retrain_dropout", lambda rate, n, of: rate * math.sqrt(of / max(n, 1)), "I2",
          "thirty-six-of-a-hundred"),
    Wrong("the keep rate scaled", "retrain_dropout", lambda rate, n, of: 1 - (1 - rate) * math.sqrt(n / of), "I2",
          "everything-pruned"),
]  # fmt: skip


# dead units


def dead(
    passes=None, window=np.any, owner=lambda i, n_in, n_out: i % n_out, forth=True, back=True, ends=False, order_=None
):
    """Look at the units between each two layers, `passes` times or until nothing changes."""

    def remove(masks, order):
        order = order_(masks, order) if order_ else order
        links = {name: window(mask.reshape(-1, *mask.shape[-2:]), axis=0) for name, mask in masks.items()}
        done = 0
        while passes is None or done < passes:
            done, old = done + 1, {name: link.copy() for name, link in links.items()}
            for a, b in pairwise(order):
                n_in, n_out = len(links[b]), links[a].shape[1]
                owners = np.array([owner(i, n_in, n_out) for i in range(n_in)])
                fed = old[a].any(axis=0)
                leads = np.array([old[b][owners == unit].any() for unit in range(n_out)])
                links[b] &= (fed if forth else np.ones_like(fed))[owners][:, None]
                links[a] &= leads if back else np.ones_like(leads)
            if ends:
                links[order[0]] &= links[order[0]].any(axis=1).all() & links[order[0]].any(axis=1)[:, None]
            if all((links[name] == old[name]).all() for name in links):
                break
        return {name: mask & links[name] for name, mask in masks.items()}

    return remove


DEAD = [
    Wrong("looked at once", "remove_dead_units", dead(passes=1), "design.md 4", "dead-units-kill-on"),
    Wrong("units without inputs left", "remove_dead_units", dead(forth=False), "1.7 Han", "no-inputs"),
    Wrong("units without outputs left", "remove_dead_units", dead(back=False), "1.7 Han", "no-outputs"),
    Wrong("flattened channels first", "remove_dead_units", dead(owner=lambda i, n_in, n_out: i * n_out // n_in),
          "design.md 4", "flattened-channels-last"),
    Wrong("every tap of a window asked for", "remove_dead_units", dead(window=np.all), "design.md 4",
          "one-tap-keeps-a-filter"),
    Wrong("order of the dict", "remove_dead_units", dead(order_=lambda masks, order: tuple(masks)), "design.md 4",
          "the-order-given"),
    Wrong("a single layer emptied", "remove_dead_units", lambda masks, order: dead()(masks, order) if order[1:] else {
          n: np.zeros_like(mask) for n, mask in masks.items()}, "design.md 4", "one-layer"),
    Wrong("network inputs taken for units", "remove_dead_units", dead(ends=True), "design.md 4",
          "inputs-and-outputs-are-no-units"),
]  # fmt: skip


# SNIP


def snip(effect=lambda w, g: abs(w * g), choose=first, norm=None, names=list):
    def masks(weights, grads, n_keep):
        order = names(weights)
        effects = {name: effect(weights[name], grads[name]) for name in order}
        if norm:
            effects = {name: e / (norm(e) or 1) for name, e in effects.items()}
        flat = choose(np.concatenate([e.ravel() for e in effects.values()]), n_keep)
        cuts = np.cumsum([e.size for e in effects.values()])[:-1]
        parts = dict(zip(order, np.split(flat, cuts), strict=True))
        return {name: parts[name].reshape(w.shape) for name, w in weights.items()}

    return masks


def snip_per_layer(weights, grads, n_keep):
    """What rigl-tf1 does: a share of every layer."""
    share = right.counts({n: w.shape for n, w in weights.items()},
                         dict.fromkeys(weights, n_keep / sum(w.size for w in weights.values())))  # fmt: skip
    return {name: first(abs(w * grads[name]), share[name]) for name, w in weights.items()}


def score(effect=lambda w, g: abs(w * g), total=lambda effects: sum(float(e.sum()) for e in effects)):
    def scores(weights, grads):
        effects = {name: effect(weights[name], grads[name]) for name in weights}
        whole = total(effects.values()) or 1.0
        return {name: abs(e) / whole for name, e in effects.items()}

    return scores


def undivided_zero(weights, grads):
    with np.errstate(invalid="ignore"):
        total = np.float64(sum(float(abs(w * grads[name]).sum()) for name, w in weights.items()))
        return {name: abs(w * grads[name]) / total for name, w in weights.items()}


SNIP = [
    Wrong("SNIP |g|", "snip_masks", snip(lambda w, g: abs(g)), "4.4; papers.md 6.8", "weight-times-gradient"),
    Wrong("without effect never stays", "snip_masks", lambda weights, grads, n_keep: {
          n: m & (weights[n] * grads[n] != 0) for n, m in right.snip_masks(weights, grads, n_keep).items()}, "1.5",
          "everything-stays"),
    Wrong("as many go as should stay", "snip_masks", lambda weights, grads, n_keep: right.snip_masks(
          weights, grads, sum(w.size for w in weights.values()) - n_keep), "Part 3: naming", "a-net-of-4-3-2-at-90"),
    Wrong("SNIP |w|", "snip_masks", snip(lambda w, g: abs(w)), "1.5", "weight-times-gradient"),
    Wrong("SNIP per layer", "snip_masks", snip_per_layer, "4.4; 1.5 RG", "one-ranking-of-all-layers"),
    Wrong("SNIP per-tensor norm", "snip_masks", snip(norm=np.linalg.norm), "4.4; 1.5 JP", "one-ranking-of-all-layers"),
    Wrong("SNIP with L2", "snip_masks", snip(lambda w, g: abs(w * (g + w))), "4.4; 1.5 RG", "weight-times-gradient"),
    Wrong("signed effects", "snip_masks", snip(lambda w, g: w * g), "A18", "signs-do-not-matter"),
    Wrong("threshold leaves all ties", "snip_masks", snip(choose=lambda s, k: beyond(s, k, ties=False)), "1.5 SF; E5",
          "exactly-n-keep"),
    Wrong("threshold keeps all ties", "snip_masks", snip(choose=beyond), "1.5 SB; 4.4", "exactly-n-keep"),
    Wrong("layers in the order of the alphabet", "snip_masks", snip(names=sorted), "design.md 4",
          "ties-to-the-earlier-layer"),
    Wrong("biases never pruned", "snip_masks", snip(lambda w, g: abs(g) if w.size == 2 else abs(w * g)), "E4",
          "biases-of-zero-go-first"),
    Wrong("total of each layer", "sensitivity", lambda weights, grads: {n: score()({n: w}, {n: grads[n]})[n]
          for n, w in weights.items()}, "E2", "share-of-the-whole-network"),
    Wrong("|g|", "sensitivity", score(lambda w, g: abs(g)), "4.4", "weight-times-gradient"),
    Wrong("signed total", "sensitivity", score(lambda w, g: w * g), "1.5", "cancelling-effects"),
    Wrong("largest for total", "sensitivity", score(total=lambda effects: max(float(e.max()) for e in effects)), "1.5",
          "scale-of-the-loss"),
    Wrong("norm per tensor", "sensitivity", lambda weights, grads: {n: abs(w * grads[n]) / (np.linalg.norm(
          w * grads[n]) or 1.0) for n, w in weights.items()}, "4.4; 1.5 JP", "scale-of-the-loss"),
    Wrong("divided by zero", "sensitivity", undivided_zero, "design.md 4", "no-effect-anywhere"),
    Wrong("second order", "sensitivity", score(lambda w, g: abs(w * w * g)), "1.5", "difference-quotient"),
]  # fmt: skip


# SET


def set_count(rounding=math.floor, negative=lambda w, mask: mask & (w < 0), positive=lambda w, mask: mask & ~(w < 0)):
    return lambda w, mask, zeta: tuple(int(rounding(zeta * int(s(w, mask).sum()))) for s in (negative, positive))


def set_halves(weight, mask, zeta):
    n = math.floor(zeta * int(mask.sum()))
    return n // 2, n - n // 2


def by_sign(drop=None, grow=lambda kept, mask, noise, n: grown(kept, noise, n), below=lambda w: w < 0):
    def update(weight, mask, noise, n_negative, n_positive):
        negative = mask & below(weight)
        positive = mask & ~below(weight)
        if drop:
            gone = drop(weight, mask, negative, positive, n_negative, n_positive)
        else:
            gone = first(weight, n_negative, negative) | first(-weight, n_positive, positive)
        return grow(mask & ~gone, mask, noise, n_negative + n_positive)

    return update


def set_keras(weight, mask, noise, n_negative, n_positive):
    """What the Keras SET does: kept entries are set to 1 and tested against 1, so that a 1.0 is never removed."""
    gone = first(weight, n_negative, mask & (weight < 0)) | first(-weight, n_positive, mask & ~(weight < 0))
    kept = mask & (~gone | (weight == 1.0))
    return grown(kept, noise, n_negative + n_positive - int((gone & (weight == 1.0)).sum()))


def set_broken(weight, mask, noise, n_update):
    """What sparse-learning's SET keeps: half as many, the most negative."""
    n_keep = int(mask.sum()) - n_update
    return grown(first(-weight, math.ceil(n_keep / 2), mask), noise, n_update)


def smallest(weight, mask, n):
    return first(-abs(weight), n, mask)


def magnitudes(drop=smallest, grow=lambda kept, mask, noise, n: grown(kept, noise, n)):
    return lambda weight, mask, noise, n_update: grow(mask & ~drop(weight, mask, n_update), mask, noise, n_update)


SET = [
    Wrong("SET +1 per sign", "set_counts", lambda *a: tuple(min(n + 1, all_) for n, all_ in zip(
          right.set_counts(*a), right.set_counts(*a[:2], 1), strict=True)), "4.4; 1.3", "each-sign-by-itself"),
    Wrong("of the whole, halved", "set_counts", set_halves, "1.3", "each-sign-by-itself"),
    Wrong("ceil", "set_counts", set_count(math.ceil), "4.4; 1.3 RR", "two-thirds-up"),
    Wrong("round", "set_counts", set_count(round), "4.4; 1.3 JP", "two-thirds-up"),
    Wrong("zeros not counted", "set_counts", set_count(positive=lambda w, mask: mask & (w > 0)), "1.3",
          "zeros-count-as-positive"),
    Wrong("zeros counted below", "set_counts", set_count(negative=lambda w, mask: mask & (w <= 0),
          positive=lambda w, mask: mask & (w > 0)), "G4", "zeros-count-as-positive"),
    Wrong("of the dense array", "set_counts", lambda w, mask, zeta: set_count()(w, np.ones_like(mask), zeta),
          "1.3 SETk", "absent-weights-do-not-count"),
    Wrong("signs swapped", "set_counts", lambda *a: right.set_counts(*a)[::-1], "1.3", "signs-of-unequal-number"),
    Wrong("an index into the sorted weights", "set_counts", lambda w, mask, zeta: tuple(
          min(n, int(zeta * n) + 1) if n else 0 for n in (int((mask & (w < 0)).sum()), int((mask & (w >= 0)).sum()))),
          "1.3 SETs", "only-positives"),
    Wrong("SET by |w|", "set_update", by_sign(lambda w, mask, neg, pos, a, b: first(-abs(w), a + b, mask)), "4.4; G9",
          "not-by-magnitude"),
    Wrong("the most negative go", "set_update", by_sign(lambda w, mask, neg, pos, a, b: first(-w, a, neg)
          | first(-w, b, pos)), "1.3", "only-negatives"),
    Wrong("the largest go", "set_update", by_sign(lambda w, mask, neg, pos, a, b: first(w, a, neg) | first(w, b, pos)),
          "1.3", "nearest-zero-on-either-side"),
    Wrong("a weight of 1.0 stays", "set_update", set_keras, "1.3 SETk", "a-weight-of-one"),
    Wrong("active zeros drop out", "set_update", by_sign(lambda w, mask, neg, pos, a, b: first(w, a, neg)
          | first(-w, b, pos) | (mask & (w == 0))), "1.3; G4", "active-zeros-go-first"),
    Wrong("zeros are no positives", "set_update", by_sign(lambda w, mask, neg, pos, a, b: first(w, a, neg)
          | first(-w, b, pos & (w > 0))), "G4", "active-zeros-go-first"),
    Wrong("grow pool excludes just-dropped", "set_update",
          by_sign(grow=lambda kept, mask, noise, n: kept | first(noise, n, ~mask)), "4.4; G6",
          "dropped-connection-returns"),
    Wrong("growth over active", "set_update", by_sign(grow=lambda kept, mask, noise, n: kept | first(noise, n)),
          "4.4; G6", "noise-of-kept-connections"),
    Wrong("Bernoulli growth", "set_update", by_sign(grow=lambda kept, mask, noise, n: kept
          | (~kept & (noise > 1 - n / max(int((~kept).sum()), 1)))), "4.4; 1.3 SL, RR", "nearest-zero-on-either-side"),
    Wrong("magnitude of the noise", "set_update", by_sign(grow=lambda kept, mask, noise, n: grown(kept, abs(noise), n)),
          "G6", "noise-below-zero"),
    Wrong("ties to the higher index", "set_update", by_sign(lambda w, mask, neg, pos, a, b: last(w, a, neg)
          | last(-w, b, pos)), "R3", "ties"),
    Wrong("at least one grows", "set_update", by_sign(grow=lambda kept, mask, noise, n: grown(kept, noise, max(n, 1))),
          "R13", "nothing-to-move"),
    Wrong("only the most negative survive", "set_update_by_magnitude", set_broken, "0.1 finding 7",
          "negatives-are-not-kept-for-their-sign"),
    Wrong("by sign", "set_update_by_magnitude", lambda w, mask, noise, n: right.set_update(
          w, mask, noise, min(n // 2, int((mask & (w < 0)).sum())), n - min(n // 2, int((mask & (w < 0)).sum()))), "G9",
          "smallest-of-any-sign"),
    Wrong("grow pool excludes just-dropped", "set_update_by_magnitude",
          magnitudes(grow=lambda kept, mask, noise, n: kept | first(noise, n, ~mask)), "4.4",
          "dropped-connection-returns"),
    Wrong("growth over active", "set_update_by_magnitude",
          magnitudes(grow=lambda kept, mask, noise, n: kept | first(noise, n)), "4.4", "noise-of-kept-connections"),
    Wrong("keep pool all entries", "set_update_by_magnitude", lambda w, mask, noise, n: grown(
          first(abs(w * mask), int(mask.sum()) - n), noise, n), "4.4; 1.3 RG", "active-weights-of-zero"),
    Wrong("drops the higher index of equals", "set_update_by_magnitude",
          magnitudes(lambda w, mask, n: last(-abs(w), n, mask)), "1.1 JP", "ties"),
]  # fmt: skip


# SNFS


def share(of=lambda m, mask: abs(m)[mask].mean() if mask.any() else 0.0, zero=None):
    def shares(momentum, masks):
        parts = {name: float(of(momentum[name], mask)) for name, mask in masks.items()}
        total = sum(parts.values())
        if not total:
            size = sum(mask.size for mask in masks.values())
            return {name: zero(mask, size) if zero else 1 / len(parts) for name, mask in masks.items()}
        return {name: part / total for name, part in parts.items()}

    return shares


def free(mask, kept):
    return int((~kept).sum())


def largest(kept, mask, momentum, n):
    return grown(kept, abs(momentum), n)


def snfs(split=right.apportion, shares_=right.shares, before=True, room_=free, drop=smallest, grow=largest):
    def update(weights, masks, momentum, n_drop):
        kept = {name: mask & ~drop(weights[name], mask, n_drop[name]) for name, mask in masks.items()}
        room = {name: room_(masks[name], k) for name, k in kept.items()}
        n_grow = split(sum(n_drop.values()), shares_(momentum, masks if before else kept), room)
        return {name: grow(k, masks[name], momentum[name], n_grow[name]) for name, k in kept.items()}

    return update


def snfs_without_redistribution(weights, masks, momentum, n_drop):
    """What rigl-tf1 calls momentum: every layer regrows what it lost."""
    return {n: right.rigl_update(w, masks[n], momentum[n], n_drop[n]) for n, w in weights.items()}


SNFS = [
    Wrong("layers of share 0 left out", "shares", lambda momentum, masks: {
          n: s for n, s in right.shares(momentum, masks).items() if s}, "1.4", "one-layer-at-rest"),
    Wrong("sum for mean", "shares", share(lambda m, mask: abs(m)[mask].sum()), "F1", "mean-not-sum"),
    Wrong("signed mean", "shares", share(lambda m, mask: abs(m[mask].mean()) if mask.any() else 0.0), "1.4",
          "magnitudes"),
    Wrong("over all positions", "shares", share(lambda m, mask: abs(m).mean()), "1.4 item 1", "active-weights-only"),
    Wrong("active sum over the layer's size", "shares", share(lambda m, mask: abs(m)[mask].sum() / m.size), "F1",
          "one-to-sixteen"),
    Wrong("by size where there is no momentum", "shares", share(zero=lambda mask, size: mask.size / size),
          "1.4 item 8", "no-momentum"),
    Wrong("nothing where there is no momentum", "shares", share(zero=lambda mask, size: 0.0), "design.md 4",
          "no-momentum"),
    Wrong("squares for magnitudes", "shares", share(lambda m, mask: (m[mask] ** 2).mean() if mask.any() else 0.0),
          "1.4", "magnitudes"),
    Wrong("SNFS ceil shares", "snfs_update", snfs(ceil_shares), "4.4; F2", "exact-total"),
    Wrong("cap without re-spread", "snfs_update", snfs(shared("lost")), "4.4; F3", "full-layer-passes-the-rest-on"),
    Wrong("capped at the old free places", "snfs_update", snfs(room_=lambda mask, kept: int((~mask).sum())),
          "1.4 item 4", "full-layer-passes-the-rest-on"),
    Wrong("growth over active", "snfs_update", snfs(grow=lambda kept, mask, m, n: kept | first(abs(m) * ~kept, n)),
          "4.4; 1.4 SL item 5", "no-momentum"),
    Wrong("active zeros lost", "snfs_update", snfs(drop=lambda w, mask, n: first(-abs(w), n, mask) | (w == 0)),
          "1.4 SL item 3", "nothing-to-move"),
    Wrong("shares after dropping", "snfs_update", snfs(before=False), "1.4 item 1", "shares-before-dropping"),
    Wrong("no redistribution", "snfs_update", snfs_without_redistribution, "1.4 RG", "redistribution"),
    Wrong("shares by size", "snfs_update", snfs(shares_=lambda momentum, masks: {
          n: m.size / sum(o.size for o in masks.values()) for n, m in masks.items()}), "1.4 item 8", "redistribution"),
    Wrong("signed grow", "snfs_update", snfs(grow=lambda kept, mask, m, n: grown(kept, m, n)), "A18",
          "magnitude-of-momentum"),
    Wrong("signed drop", "snfs_update", snfs(drop=lambda w, mask, n: first(-w, n, mask)), "A18",
          "magnitude-of-momentum"),
    Wrong("ties to the higher index", "snfs_update", snfs(drop=lambda w, mask, n: last(-abs(w), n, mask)), "R3",
          "ties"),
    Wrong("odd units to the last layer", "snfs_update", snfs(lambda total, shares, room: dict(reversed(
          right.apportion(total, dict(reversed(shares.items())), room).items()))), "F2", "ties"),
    Wrong("grow pool excludes just-dropped", "snfs_update",
          snfs(grow=lambda kept, mask, m, n: kept | first(abs(m), n, ~mask)), "4.4", "dropped-connection-returns"),
]  # fmt: skip

SET.append(Wrong("keeps only the most negative", "set_update", lambda *a: by_sign(set_of_the_most_negative)(*a),
                 "0.1 finding 7", "largest-of-either-sign-stay"))  # fmt: skip

# one update with all it touches


def updating(change=lambda new, **given: None, move=None):
    """`update` of the other hand, with what `change` does to its answer in place, or another mask by `move`."""

    def update(weight, mask, slots, dense_grad, n_update, method="rigl", scores=None):
        given = {"weight": weight, "mask": mask, "slots": slots, "dense_grad": dense_grad, "n_update": n_update}
        new = right.update(*given.values(), method, scores)
        if move:
            new["mask"] = move(method=method, scores=scores, **given)
            there = mask & new["mask"]
            new |= {"weight": weight * there, "slots": {name: slot * there for name, slot in slots.items()}}
        change(new, method=method, **given)
        return new

    return update


def in_slots(change):
    """`change(new slot, old slot, grown, dropped, all that is given)` gives every slot's values."""

    def slots(new, **given):
        grown, gone = new["mask"] & ~given["mask"], given["mask"] & ~new["mask"]
        for name, slot in given["slots"].items():
            new["slots"][name] = change(new["slots"][name], slot, grown, gone, given)

    return slots


def in_weight(change):
    def weight(new, **given):
        grown, gone = new["mask"] & ~given["mask"], given["mask"] & ~new["mask"]
        new["weight"] = change(new["weight"], given["weight"], grown, gone, given)

    return weight


def returned(given):
    """What goes by the drop, of the answer's connections those that came back."""
    return first(-abs(given["weight"]), given["n_update"], given["mask"])


def in_order_of_storage(new, old, grown, gone, given):
    """What sparselab does: the slots of a row stay in the order in which they are stored."""
    mask = (given["mask"] & ~gone) | grown
    if mask.sum() != given["mask"].sum():
        return new
    moved = np.zeros(mask.shape)
    moved[mask] = old[given["mask"]]
    return moved


def second_slot_as_it_was(new, **given):
    for name in list(given["slots"])[1:]:
        new["slots"][name] = given["slots"][name].copy()


def by_another_rank(methods, rank):
    def move(weight, mask, slots, dense_grad, n_update, method, scores):
        if method not in methods:
            return right.update(weight, mask, slots, dense_grad, n_update, method, scores)["mask"]
        kept = mask & ~first(-abs(weight), n_update, mask)
        return grown(kept, rank(dense_grad, scores, slots), n_update)

    return move


def active_zeros_lost(weight, mask, slots, dense_grad, n_update, method, scores):
    return right.update(weight, mask, slots, dense_grad, n_update, method, scores)["mask"] & ~(mask & (weight == 0))


def another_drop(choose):
    def move(weight, mask, slots, dense_grad, n_update, method, scores):
        kept = mask & ~choose(-abs(weight), n_update, mask)
        rank = scores if method == "set" else abs(dense_grad if scores is None else scores)
        return kept if method == "magnitude" else grown(kept, rank, n_update)

    return move


UPDATES = [
    Wrong("a stale value comes to life", "update", updating(in_weight(lambda new, old, grown, gone, given:
          new + old * grown)), "5.2 SY; A4", "stale-value"),
    Wrong("stale momentum comes to life", "update", updating(in_slots(lambda new, old, grown, gone, given:
          new + old * grown)), "R6", "stale-momentum"),
    Wrong("momentum in the order of storage", "update", updating(in_slots(in_order_of_storage)), "5.2 SP",
          "momentum-follows-its-connection"),
    Wrong("momentum of dropped kept", "update", updating(in_slots(lambda new, old, grown, gone, given:
          new + old * gone)), "4.4; R7", "basic"),
    Wrong("values of dropped kept", "update", updating(in_weight(lambda new, old, grown, gone, given:
          new + old * gone)), "R7", "basic"),
    Wrong("grown along the gradient", "update", updating(in_weight(lambda new, old, grown, gone, given:
          new - 0.1 * given["dense_grad"] * grown)), "1.1 grad_scale", "basic"),
    Wrong("momentum of grown starts at the gradient", "update", updating(in_slots(lambda new, old, grown, gone, given:
          new + given["dense_grad"] * grown)), "1.1 initial_acc_scale", "basic"),
    Wrong("all momentum lost", "update", updating(in_slots(lambda new, old, grown, gone, given: 0 * new)),
          "1.3 SETk", "nothing-to-move"),
    Wrong("what returns starts at zero", "update", updating(in_weight(lambda new, old, grown, gone, given:
          new * ~returned(given))), "R5 RR", "dropped-connection-returns"),
    Wrong("what returns forgets its momentum", "update", updating(in_slots(lambda new, old, grown, gone, given:
          new * ~returned(given))), "R5", "everything-moves"),
    Wrong("Adam's second moment as it was", "update", updating(second_slot_as_it_was), "4.4; A17", "adam"),
    Wrong("Adam's moments as they were", "update", updating(in_slots(lambda new, old, grown, gone, given:
          old.copy() if len(given["slots"]) > 1 else new)), "1.1 TO", "adam"),
    Wrong("active zeros lost", "update", updating(move=active_zeros_lost), "1.4 SL item 3", "nothing-to-move"),
    Wrong("the higher index goes", "update", updating(move=another_drop(last)), "A6", "equal-weights"),
    Wrong("places in columns", "update", updating(in_slots(lambda new, old, grown, gone, given:
          new.T.reshape(new.shape))), "A16", "two-axes"),
    Wrong("at least one stays", "update", updating(move=lambda n_update, mask, **given: right.update(
          mask=mask, n_update=min(n_update, max(int(mask.sum()) - 1, 0)), **given)["mask"]), "A8", "everything-moves"),
    Wrong("SET by gradient", "update", updating(move=by_another_rank("set", lambda g, s, slots: abs(g))), "1.3", "set"),
    Wrong("SET by the size of the noise", "update", updating(move=by_another_rank("set", lambda g, s, slots: abs(s))),
          "G6", "set"),
    Wrong("SNFS by this batch's gradient", "update", updating(move=by_another_rank(
          "snfs", lambda g, s, slots: abs(g))), "1.4", "snfs"),
    Wrong("SNFS with the sign", "update", updating(move=by_another_rank("snfs", lambda g, s, slots: s)), "A18", "snfs"),
    Wrong("SNFS by the optimizer's momentum", "update", updating(move=by_another_rank(
          "snfs", lambda g, s, slots: abs(slots["velocity"]))), "1.4", "snfs"),
    Wrong("pruned and regrown", "update", updating(move=by_another_rank("magnitude", lambda g, s, slots: abs(g))),
          "1.7", "magnitude"),
]  # fmt: skip

WRONG = [*RIGL, *SCHEDULES, *DENSITIES, *SHARING, *CHOOSING, *DEAD, *SNIP, *SET, *SNFS, *UPDATES]


def set_by_index(weight, mask, zeta):
    """What the SciPy SET counts: thresholds at indices of the sorted weights, from the ones nearest zero on."""
    values = np.sort(weight[mask])
    first_zero, last_zero = int(abs(values).argmin()), values.size - int(abs(values)[::-1].argmin())
    low = values[int((1 - zeta) * first_zero)]
    high = values[int(min(values.size - 1, last_zero + zeta * (values.size - last_zero)))]
    gone = values[(values >= low) & (values <= high)]
    return int((gone < 0).sum()), int((gone >= 0).sum())


def set_of_the_most_negative(w, mask, negative, positive, n, p):
    """What sparse-learning drops: all but the ⌈k/2⌉ most negative."""
    return mask & ~first(-w, math.ceil((n + p) / 2), mask & (w < 0)) & (n + p > 0)


def strictly_above(weight, mask, dense_grad, n_update):
    """What GraNet and ITOP do: all that tie at the threshold go, zeros always, and as many grow as went, over all."""
    size = np.sort(abs(weight * mask).ravel())
    edge = size[size.size - int(mask.sum()) + n_update - 1] if n_update or not mask.all() else 0.0
    kept = abs(weight * mask) > edge
    return kept | first(abs(dense_grad) * ~kept, int(mask.sum() - kept.sum()))


def all_that_tie(weight, mask, dense_grad, n_update):
    """What sparselab does: one goes at least, and all that tie at the threshold; as many grow in the row that lost."""
    if not mask.any():
        return mask
    edge = np.sort(abs(weight)[mask])[max(n_update, 1) - 1]
    rows = [a.reshape(-1, a.shape[-1]) for a in (mask, mask & (abs(weight) > edge), abs(dense_grad))]
    new = [grown(kept, grad, int(before.sum() - kept.sum())) for before, kept, grad in zip(*rows, strict=True)]
    return np.array(new).reshape(mask.shape)


TRUNCATED_ZEROS = partial(counts_by_floored_zeros, exact=False)
SET_OF_MOST_CODE = by_sign(lambda w, mask, negative, positive, a, b: smallest(w, mask, a + b))

# What semantics.md tells of public codes, as far as it decides: (function, profile): what does the same.
TOLD = {
    ("rigl_update", "rigl-tf1"): rigl_keeping_among_all,
    ("rigl_update", "rigl-torch"): rigl_keeping_among_all,
    ("rigl_update", "jaxpruner"): rigl_lifted,
    ("rigl_update", "rigl-reproducibility"): rigl(grow=lambda kept, mask, g, k: kept | first(abs(g) * ~kept, k)),
    ("rigl_count", "jaxpruner"): half_even_of_kept,
    ("rigl_count", "rigl-reproducibility"): count(math.ceil),
    ("rigl_count", "rigl-tf1"): count(int, lambda *a: np.float32(right.cosine(*a))),
    ("cosine", "rigl-tf1"): unshifted,
    ("cosine", "sparse-learning"): lambda step, alpha, t_end, begin=0: (
        0.005 + unclamped(step, alpha - 0.005, t_end, begin)
    ),
    ("cubic", "jaxpruner"): cube(shift=1, initial=0.0),
    ("counts", "rigl-tf1"): TRUNCATED_ZEROS,
    ("counts", "rigl-torch"): TRUNCATED_ZEROS,
    ("counts", "jaxpruner"): lambda shapes, densities: {
        n: max(k, 1) for n, k in each(round)(shapes, densities).items()
    },
    ("apportion", "sparse-learning"): ceil_shares,
    ("snfs_update", "sparse-learning"): snfs(ceil_shares),
    ("magnitude_mask", "torch-prune"): by_magnitude(last),
    ("sensitivity", "jaxpruner"): lambda weights, grads: {
        n: abs(w * grads[n]) / (np.linalg.norm(w * grads[n]) or 1.0) for n, w in weights.items()
    },
    ("set_counts", "set-official"): set_by_index,
    ("magnitude_mask", "tfmot"): lambda w, n_keep, mask=None: beyond(abs(w), max(n_keep, 1), mask),
    ("magnitude_mask", "jaxpruner"): lambda w, n_keep, mask=None: first(abs(w), max(n_keep, 1), mask),
    ("snip_masks", "jaxpruner"): snip(norm=np.linalg.norm),
    ("snip_masks", "rigl-tf1"): snip_per_layer,
    ("snip_masks", "snip-official"): snip(),
    ("set_update", "rigl-tf1"): SET_OF_MOST_CODE,
    ("set_update", "jaxpruner"): SET_OF_MOST_CODE,
    ("set_update", "rigl-reproducibility"): SET_OF_MOST_CODE,
    ("update", "rigl-tf1"): updating(in_slots(lambda new, old, grown, gone, given: new + old * gone)),
    ("update", "rigl-torch"): updating(
        in_slots(lambda new, old, grown, gone, given: old.copy() if len(given["slots"]) > 1 else new)
    ),
    ("update", "jaxpruner"): updating(
        lambda new, **given: [
            change(new, **given)
            for change in (
                in_slots(lambda new, old, grown, gone, given: new + old * gone),
                in_weight(lambda new, old, grown, gone, given: new + old * grown),
            )
        ]
    ),
    ("update", "rigl-reproducibility"): updating(
        in_weight(lambda new, old, grown, gone, given: new * ~returned(given))
    ),
    ("update", "sparselab"): updating(in_slots(in_order_of_storage)),
    ("update", "sparsimony"): updating(in_weight(lambda new, old, grown, gone, given: new + old * grown)),
    ("set_update", "sparsimony"): SET_OF_MOST_CODE,
    ("set_update", "sparselab"): SET_OF_MOST_CODE,
    ("set_update", "sparse-learning"): by_sign(set_of_the_most_negative),
    ("rigl_update", "granet"): strictly_above,
    ("rigl_update", "itop"): strictly_above,
    ("rigl_update", "sparselab"): all_that_tie,
    ("rigl_count", "sparsimony"): count(math.ceil),
    ("rigl_count", "granet"): count(math.ceil),
    ("cosine", "granet"): lambda step, alpha, t_end, begin=0: 0.005 + right.cosine(step, alpha - 0.005, t_end, begin),
    ("cubic", "sparsimony"): lambda step, begin, end, final, initial=0.0: (
        final - final * (1 - (step - begin) / end) ** 3
    ),
}
