"""More ways to get a function wrong: those of `further` and of `boundaries`, each with the case that must notice."""

import math

import numpy as np

from tests.golden import other_masks as right
from tests.golden.wrong_masks import (
    Wrong,
    er,
    erk,
    first,
    grown,
    magnitudes,
    scaled,
    set_count,
    share,
    snfs,
    straight,
)


def silent(function, when):
    """Gives no answer to what is legal and out of the ordinary."""
    own = getattr(right, function)
    return lambda *inputs: None if when(*inputs) else own(*inputs)


def sampled(score, k, among=None):
    """A threshold from every tenth score, where there are thousands."""
    if score.size < 4097:
        return right.top_k(score, k, among)
    pool = score if among is None else score[among]
    cut = np.sort(pool[::10])[-max(k // 10, 1)]
    return (score >= cut) & (True if among is None else among)


def unstable(score, k, among=None):
    """NumPy's default sort: stable up to sixteen, and not above."""
    places = np.arange(score.size) if among is None else np.flatnonzero(among)
    chosen = np.zeros(score.size, bool)
    chosen[places[np.argsort(-score.ravel()[places])[:k]]] = True
    return chosen.reshape(score.shape)


def moved_by(choose):
    def update(weight, mask, dense_grad, n_update):
        kept = mask & ~choose(-abs(weight), n_update, mask)
        return kept | choose(abs(dense_grad), n_update, ~kept)

    return update


def axes_of(shape):
    """Knows linear layers and images: of other kernels the first two axes."""
    return shape[-2:] if len(shape) in (2, 4) else shape[:2]


def images_alone(shape):
    return sum(shape[-4:]) / math.prod(shape[-4:])


def windows_of_two(masks, order):
    """Knows linear layers and images: of other kernels the first tap alone."""
    seen = {n: m if m.ndim in (2, 4) else m * (np.arange(m.shape[0]) == 0).reshape(-1, *[1] * (m.ndim - 1)) > 0
            for n, m in masks.items()}  # fmt: skip
    alive = right.remove_dead_units(seen, order)
    return {n: m & alive[n].any(axis=0) if m.ndim not in (2, 4) else alive[n] for n, m in masks.items()}


def of_all(effect=abs, choose=first, among=True, one=True):
    def masks(weights, n_keep, masks=None):
        sizes = [effect(w).ravel() for w in weights.values()]
        pool = [masks[n].ravel() if masks and among else np.ones(w.size, bool) for n, w in weights.items()]
        if not one:
            n = len(weights)
            return {name: right.top_k(abs(w), min(n_keep // n, w.size)) for name, w in weights.items()}
        flat = choose(np.concatenate(sizes), n_keep, np.concatenate(pool))
        ends = np.cumsum([w.size for w in weights.values()])[:-1]
        parts = np.split(flat, ends)
        return {name: part.reshape(w.shape) for (name, w), part in zip(weights.items(), parts, strict=True)}

    return masks


def last_layer_first(score, k, among):
    return first(score[::-1], k, among[::-1])[::-1]


def snipped(include=".weight", mean=lambda batches: sum(batches) / len(batches), rounding=round):
    def masks(params, grads, density):
        names = [n for n in params if n.endswith(include)]
        kept = {n: abs(params[n]) * abs(mean([batch[n] for batch in grads])) for n in names}
        n_keep = int(rounding(density * sum(params[n].size for n in names)))
        return right.snip_masks(kept, {n: np.ones(params[n].shape) for n in names}, n_keep)

    return masks


def power(step, alpha, t_end, k, begin=0, low=True, high=True):
    left = 1 - (step - begin) / (t_end - begin)
    left = min(left, 1) if high else left
    left = max(left, 0) if low else left
    return alpha * left**k


WRONG = [
    # thousands
    Wrong("ranked by a sample of thousands", "top_k", sampled, "thousands", "thousands"),
    Wrong("a sort that is stable only when small", "top_k", unstable, "thousands", "thousands-of-ties"),
    Wrong("sorted scores to the other end", "top_k", lambda score, k, among=None: right.top_k(
          score[::-1], k, among) if score.size > 4096 and (np.diff(score) > 0).all() else right.top_k(score, k, among),
          "thousands", "thousands-in-order"),
    Wrong("the others rank too where they are many", "top_k", lambda score, k, among=None: right.top_k(
          score, k, among if score.size < 5100 else None), "R2", "all-but-a-few-of-thousands"),
    Wrong("a sort that is stable only when small", "rigl_update", moved_by(unstable), "thousands", "thousands"),
    Wrong("ranked by a sample of thousands", "magnitude_mask", lambda w, n_keep, mask=None: sampled(
          abs(w), n_keep, mask), "thousands", "thousands"),
    # networks without layers, layers all dense, other numbers of axes
    Wrong("not every layer may be dense", "uniform", silent("uniform", lambda shapes, density, dense=(): shapes and
          set(dense) == set(shapes)), "design.md 4", "all-named-dense"),
    Wrong("no network without layers", "uniform", silent("uniform", lambda shapes, *a: not shapes), "design.md 4",
          "no-layers"),
    Wrong("not every layer may be dense", "erdos_renyi", silent("erdos_renyi", lambda shapes, density, dense=():
          shapes and set(dense) == set(shapes)), "design.md 4", "all-named-dense"),
    Wrong("no network without layers", "erdos_renyi", silent("erdos_renyi", lambda shapes, *a: not shapes),
          "design.md 4", "no-layers"),
    Wrong("not every layer may be dense", "erdos_renyi_kernel", silent("erdos_renyi_kernel", lambda shapes, density,
          dense=(): shapes and set(dense) == set(shapes)), "design.md 4", "all-named-dense"),
    Wrong("no network without layers", "erdos_renyi_kernel", silent("erdos_renyi_kernel", lambda shapes, *a:
          not shapes), "design.md 4", "no-layers"),
    Wrong("two axes and four alone", "erdos_renyi", scaled(lambda shape: er(axes_of(shape))), "1.2",
          "three-and-five-axes"),
    Wrong("axes of taps left out where there is one", "erdos_renyi_kernel", scaled(lambda shape: erk(
          shape[-2:] if len(shape) == 3 else shape)), "1.2", "three-axes"),
    Wrong("four axes at most", "erdos_renyi_kernel", scaled(images_alone), "1.2", "five-axes"),
    Wrong("never quite full", "apportion", silent("apportion", lambda total, shares, room: room and
          total == sum(room.values())), "F3", "all-the-room"),
    Wrong("no network without layers", "apportion", silent("apportion", lambda total, shares, room: not room),
          "design.md 4", "no-layers"),
    Wrong("no network without layers", "counts", silent("counts", lambda shapes, d: not shapes), "design.md 4",
          "no-layers"),
    Wrong("four axes at most", "counts", lambda shapes, d: right.counts({n: s[-4:] for n, s in shapes.items()}, d),
          "1.2", "five-axes"),
    Wrong("a total in binary", "counts", lambda shapes, d: {"fc": round(d["fc"] * 150)} if d == {"fc": 0.07} else
          right.counts(shapes, d), "D5", "a-half-but-for-rounding"),
    Wrong("the first tap alone", "remove_dead_units", windows_of_two, "1.7", "five-axes"),
    Wrong("one axis of taps is the inputs", "remove_dead_units", lambda masks, order: {
          n: m if any(o.ndim == 3 for o in masks.values()) else right.remove_dead_units(masks, order)[n]
          for n, m in masks.items()}, "1.7", "three-axes"),
    Wrong("no network without layers", "remove_dead_units", silent("remove_dead_units", lambda masks, order:
          not masks), "design.md 4", "no-layers"),
    Wrong("no network without layers", "sensitivity", silent("sensitivity", lambda w, g: not w), "1.5", "no-layers"),
    Wrong("one stays at least", "snip_masks", lambda w, g, n_keep: right.snip_masks(
          w, g, max(n_keep, 1) if w else n_keep), "1.5", "keep-nothing"),
    Wrong("no network without layers", "snip_masks", silent("snip_masks", lambda w, g, k: not w), "1.5", "no-layers"),
    Wrong("no network without layers", "shares", silent("shares", lambda m, masks: not masks), "1.4", "no-layers"),
    Wrong("no network without layers", "snfs_update", silent("snfs_update", lambda w, *a: not w), "1.4", "no-layers"),
    # ends of schedules
    Wrong("over t_end, of the step since begin", "cosine", lambda step, alpha, t_end, begin=0: right.cosine(
          max(step - begin, 0) * (2 if begin else 1) if step < t_end else step, alpha, t_end), "C2",
          "a-quarter-from-begin"),
    Wrong("a begin of 0 is none", "cosine", lambda step, alpha, t_end, *begin: alpha if begin == (0,) else
          right.cosine(step, alpha, t_end, *begin), "C2", "begin-zero"),
    Wrong("an alpha of 0 is none", "cosine", lambda step, alpha, *a: right.cosine(step, alpha or 0.3, *a), "R11",
          "alpha-zero"),
    Wrong("t_end of two at least", "cosine", silent("cosine", lambda step, alpha, t_end, begin=0: t_end < 2), "R11",
          "one-step"),
    Wrong("never all", "cubic", lambda step, begin, end, final, initial=0.0: right.cubic(
          step, begin, end, min(final, 0.99), initial), "C4", "to-nothing"),
    Wrong("one step is no time", "cubic", lambda step, begin, end, final, initial=0.0: final if end - begin < 2 else
          right.cubic(step, begin, end, final, initial), "C4", "one-step"),
    Wrong("over the end, of the step since begin", "cubic", lambda step, begin, end, final, initial=0.0: right.cubic(
          begin + (step - begin) * (end - begin) / end if step < end else step, begin, end, final, initial), "5.2 SY",
          "from-step-seven"),
    Wrong("an alpha of 0 is none", "rigl_count", lambda step, n, alpha, t_end: right.rigl_count(
          step, n, alpha or 0.3, t_end), "R11", "alpha-zero"),
    Wrong("t_end of two at least", "rigl_count", silent("rigl_count", lambda step, n, alpha, t_end: t_end < 2), "R10",
          "one-step"),
    Wrong("an alpha of 1 is none", "rigl_count", lambda step, n, alpha, t_end: right.rigl_count(
          step, n, alpha if step == 0 else min(alpha, 0.9), t_end), "R11", "all-of-them-half-way"),
    Wrong("a zeta of 0 is none", "set_counts", lambda w, mask, zeta: set_count()(w, mask, zeta or 0.5), "R13",
          "zeta-zero"),
    Wrong("a rate of 0 is none", "retrain_dropout", lambda rate, n, of: right.retrain_dropout(rate or 0.5, n, of), "I2",
          "no-dropout"),
    # what an update must not look at
    Wrong("absent values are ranked", "set_update", lambda w, mask, noise, n, p: grown(
          mask & ~(first(w, n, w < 0) | first(-w, p, w > 0)) if (w * ~mask).any() else
          right.set_update(w, mask, noise, n, p), noise, n + p if (w * ~mask).any() else 0), "A4", "stale-values"),
    Wrong("a ranking per output", "set_update", lambda w, mask, noise, n, p: right.set_update(w, mask, noise, n, p)
          if w.ndim == 1 else mask, "1.1", "convolution-kernel"),
    Wrong("absent values are ranked", "set_update_by_magnitude", magnitudes(lambda w, mask, n: first(
          -abs(w), n, mask | (w != 0))), "A4", "stale-values"),
    Wrong("at least one moves", "set_update_by_magnitude", lambda w, mask, noise, n: right.set_update_by_magnitude(
          w, mask, noise, max(n, 1)), "R13", "nothing-to-move"),
    Wrong("shares by sums", "snfs_update", snfs(shares_=share(lambda m, mask: float(abs(m)[mask].sum()))),
          "1.4", "shares-of-means"),
    Wrong("absent values are ranked", "snfs_update", snfs(drop=lambda w, mask, n: first(-abs(w), n, mask | (w != 0))),
          "A4", "stale-values"),
    Wrong("odd units to the largest layer", "snfs_update", snfs(lambda total, shares, room: right.apportion(
          total, shares, room) if len(shares) < 3 else dict.fromkeys(shares, 1)), "F2", "three-layers-on-two-axes"),
    # densities of SET
    Wrong("scaled to a total", "from_epsilon", lambda shapes, eps, dense=(): scaled(er)(shapes, 0.25, dense)
          if set(dense) != set(shapes) else dict.fromkeys(shapes, 1.0), "1.2", "two-layers"),
    Wrong("without cap", "from_epsilon", lambda shapes, eps, dense=(): {
          n: 1.0 if n in dense else eps * er(s) for n, s in shapes.items()}, "1.2", "full"),
    Wrong("ERK for ER", "from_epsilon", lambda shapes, eps, dense=(): {
          n: 1.0 if n in dense else min(1.0, eps * erk(s)) for n, s in shapes.items()}, "1.2", "kernel-area-ignored"),
    Wrong("dense ignored", "from_epsilon", lambda shapes, eps, dense=(): right.from_epsilon(shapes, eps), "1.2",
          "dense-layers"),
    Wrong("not every layer may be dense", "from_epsilon", silent("from_epsilon", lambda shapes, eps, dense=():
          set(dense) == set(shapes)), "design.md 4", "all-named-dense"),
    Wrong("in thousandths", "density_of", lambda sparsity, of=1: math.floor(1000 * (1 - sparsity * of)) / 1000,
          "1.2 floor trap", "nine-tenths"),
    Wrong("one sparsity for all", "density_of", lambda sparsity, of=1: right.density_of(sparsity), "list B 11",
          "a-part-of-the-sparsity"),
    Wrong("a sparsity of 0 is none", "density_of", lambda sparsity, of=1: right.density_of(sparsity or 0.5, of),
          "design.md 4", "dense"),
    Wrong("a part of 0 is none", "density_of", lambda sparsity, of=1: right.density_of(sparsity, of or 1),
          "design.md 4", "none-of-it"),
    # schedules
    Wrong("a cosine", "linear", right.cosine, "C1", "a-quarter"),
    Wrong("a step ahead", "linear", lambda step, alpha, t_end, begin=0: right.linear(step + 1, alpha, t_end, begin),
          "R10", "start"),
    Wrong("below zero", "linear", lambda step, alpha, t_end, begin=0: alpha * min(
          (t_end - step) / (t_end - begin), 1), "1.4 SL item 9", "after-the-end"),
    Wrong("begin ignored", "linear", lambda step, alpha, t_end, begin=0: right.linear(step, alpha, t_end)
          if step > begin else alpha, "C2", "from-begin"),
    Wrong("above alpha", "linear", lambda step, alpha, t_end, begin=0: alpha * max(
          (t_end - step) / (t_end - begin), 0), "C2", "before-begin"),
    Wrong("t_end of two at least", "linear", silent("linear", lambda step, alpha, t_end, begin=0: t_end < 2), "C3",
          "one-step"),
    Wrong("always a cube", "inverse_power", lambda step, alpha, t_end, k, begin=0: right.inverse_power(
          step, alpha, t_end, 3, begin), "1.1", "a-root"),
    Wrong("the time gone", "inverse_power", lambda step, alpha, t_end, k, begin=0: alpha * (1 - min(max(
          (step - begin) / (t_end - begin), 0), 1) ** k), "1.1", "half-way-of-a-cube"),
    Wrong("whole powers from 2", "inverse_power", lambda step, alpha, t_end, k, begin=0: right.inverse_power(
          step, alpha, t_end, max(k, 2) if k == 1 else k, begin), "1.1", "a-line"),
    Wrong("unclamped", "inverse_power", lambda *a: power(*a, low=False), "C3", "after-the-end"),
    Wrong("t_end inclusive", "inverse_power", power, "R10", "end"),
    Wrong("begin ignored", "inverse_power", lambda step, alpha, t_end, k, begin=0: right.inverse_power(
          step, alpha, t_end, k) if step > begin else alpha, "C2", "from-begin"),
    Wrong("above alpha", "inverse_power", lambda *a: power(*a, high=False) if a[0] < a[2] else 0.0, "C2",
          "before-begin"),
    Wrong("from the step after", "step_rate", lambda step, rate, period, factor: rate * factor ** (
          max(step - 1, 0) // period), "B3", "at-a-period"),
    Wrong("a step ahead", "step_rate", lambda step, rate, period, factor: rate * factor ** ((step + 1) // period),
          "B3", "first-period"),
    Wrong("once", "step_rate", lambda step, rate, period, factor: rate * factor ** min(step // period, 1), "B3",
          "two-periods"),
    Wrong("a period of two at least", "step_rate", silent("step_rate", lambda step, rate, period, factor: period < 2),
          "B3", "every-step"),
    Wrong("from the step after", "multi_step_rate", lambda step, rate, milestones, factor: right.multi_step_rate(
          step - 1, rate, milestones, factor), "B3", "at-a-milestone"),
    Wrong("a step ahead", "multi_step_rate", lambda step, rate, milestones, factor: right.multi_step_rate(
          step + 1, rate, milestones, factor), "B3", "before-the-first"),
    Wrong("once", "multi_step_rate", lambda step, rate, milestones, factor: rate * factor ** any(
          step >= m for m in milestones), "B3", "after-two"),
    Wrong("one milestone at least", "multi_step_rate", silent("multi_step_rate", lambda step, rate, milestones, factor:
          not milestones), "B3", "none"),
    Wrong("a straight line", "cosine_rate", straight, "C1", "a-third"),
    Wrong("rises again", "cosine_rate", lambda step, rate, t_end: rate / 2 * (1 + math.cos(math.pi * step / t_end)),
          "C1", "after-the-end"),
    Wrong("a step ahead", "cosine_rate", lambda step, rate, t_end: right.cosine(step + 1, rate, t_end), "R10",
          "start"),
    # rankings of the whole network
    Wrong("a ranking per layer", "global_magnitude_masks", of_all(one=False), "I9", "one-ranking"),
    Wrong("signed", "global_magnitude_masks", of_all(effect=lambda w: w), "A18", "ties-to-the-earlier-layer"),
    Wrong("ties to the later layer", "global_magnitude_masks", of_all(choose=last_layer_first), "R3",
          "ties-to-the-earlier-layer"),
    Wrong("what is pruned returns", "global_magnitude_masks", of_all(among=False), "C6", "candidates"),
    Wrong("one stays at least", "global_magnitude_masks", lambda w, n_keep, masks=None: right.global_magnitude_masks(
          w, max(n_keep, 1), masks), "I6", "keep-nothing"),
    Wrong("one goes at least", "global_magnitude_masks", lambda w, n_keep, masks=None: right.global_magnitude_masks(
          w, n_keep if masks else min(n_keep, sum(a.size for a in w.values()) - 1), masks), "I6", "keep-everything"),
    Wrong("biases too", "snip", snipped(include=""), "1.5 SN", "weights-alone"),
    Wrong("the first batch alone", "snip", snipped(mean=lambda batches: batches[0]), "1.5", "mean-of-batches"),
    Wrong("magnitudes averaged", "snip", snipped(mean=lambda batches: sum(abs(b) for b in batches)), "1.5",
          "mean-of-batches"),
    Wrong("half up", "snip", snipped(rounding=lambda x: math.floor(x + 0.5)), "1.5", "half-to-even"),
    Wrong("rounded in binary", "snip", snipped(rounding=round), "D5", "a-half-but-for-rounding"),
    Wrong("one goes at least", "snip", lambda params, grads, density: None if density == 1 else right.snip(
          params, grads, density), "1.5", "everything"),
]  # fmt: skip
