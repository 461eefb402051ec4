"""Ways to get masks of groups, GraSP and SynFlow wrong, each with the case that must notice."""

import math

import numpy as np

from tests.golden import other_masks as right
from tests.golden.wrong_further import silent
from tests.golden.wrong_masks import Wrong, beyond, first, last


def groups(choose=first, effect=lambda s: s):
    """n of m by a chooser of its own."""

    def mask(score, n, m):
        tiled = np.moveaxis(effect(score).reshape(-1, m, score.shape[-1]), 1, 2)
        chosen = np.array([[choose(own, n) for own in row] for row in tiled], bool).reshape(tiled.shape)
        return np.moveaxis(chosen, 2, 1).reshape(score.shape)

    return mask


def along_outputs(score, n, m):
    """Groups of m outputs of an input, where m divides them."""
    if score.shape[-1] % m:
        return right.n_of_m_mask(score, n, m)
    return right.n_of_m_mask(score.swapaxes(-1, -2), n, m).swapaxes(-1, -2)


def of_taps(score, n, m):
    """A kernel's inputs in the order (c_in, kh, kw)."""
    if score.ndim < 4:
        return right.n_of_m_mask(score, n, m)
    turned = np.moveaxis(score, 2, 0)
    return np.moveaxis(right.n_of_m_mask(turned.reshape(-1, score.shape[-1]), n, m).reshape(turned.shape), 0, 2)


def strided(score, n, m):
    n_groups = score.shape[-2] // m
    order = np.arange(score.shape[-2]).reshape(m, n_groups).T.ravel()
    mask = np.zeros(score.shape, bool)
    mask[..., order, :] = right.n_of_m_mask(score[..., order, :], n, m)
    return mask


def one_choice(score, n, m):
    together = score.sum(axis=-1, keepdims=True)
    return np.broadcast_to(right.n_of_m_mask(together, n, m), score.shape).copy()


def tiles(choose=first, of=lambda tiled: tiled.sum(axis=(-3, -1))):
    def mask(score, n_keep, block):
        *outer, n_in, n_out = score.shape
        tiled = score.reshape(*outer, n_in // block[0], block[0], n_out // block[1], block[1])
        kept = choose(of(tiled), n_keep)
        return np.broadcast_to(kept[..., :, None, :, None], tiled.shape).reshape(score.shape).copy()

    return mask


def swapped_block(score, n_keep, block):
    turned = block[::-1]
    if score.shape[-2] % turned[0] or score.shape[-1] % turned[1]:
        return right.block_mask(score, n_keep, block)
    return right.block_mask(score, n_keep, turned)


def per_tap(score, n_keep, block):
    if score.ndim < 3:
        return right.block_mask(score, n_keep, block)
    flat = score.reshape(-1, *score.shape[-2:])
    return np.array([right.block_mask(tap, n_keep // len(flat), block) for tap in flat]).reshape(score.shape)


def down_columns(kept, k):
    return first(kept.T, k).T if kept.ndim == 2 else first(kept, k)


def by_unit(choose=first, of=lambda flat: flat.sum(axis=0), effect=lambda s: s):
    def mask(score, n_keep):
        kept = choose(of(effect(score).reshape(-1, score.shape[-1])), n_keep)
        return np.broadcast_to(kept, score.shape).copy()

    return mask


def rows_for_units(score, n_keep):
    if score.ndim != 2 or score.shape[0] < n_keep:
        return right.unit_mask(score, n_keep)
    return right.unit_mask(score.T, n_keep).T


def last_axes_alone(score, n_keep):
    """Of a kernel the first tap."""
    return by_unit(of=lambda flat: flat[: score.shape[-2] if score.ndim > 2 else None].sum(axis=0))(score, n_keep)


def scored(effect=lambda w, p: -w * p, norm=None):
    def scores(weights, products):
        made = {name: effect(w, products[name]) for name, w in weights.items()}
        return {name: e / (norm(e) or 1) for name, e in made.items()} if norm else made

    return scores


def in_order_of_dicts(own):
    """Pairs the layers as the dicts list them."""
    return lambda a, b: own(a, dict(zip(a, b.values(), strict=True)))


def flat(own):
    return lambda a, b: {n: s.ravel() if s.ndim > 2 else s for n, s in own(a, b).items()}


def grasp(effect=lambda w, p: w * p, choose=first, names=list):
    """Keeps the highest `effect`."""

    def masks(weights, products, n_keep):
        order = names(weights)
        effects = {name: effect(weights[name], products[name]) for name in order}
        chosen = choose(np.concatenate([e.ravel() for e in effects.values()]), n_keep)
        parts = dict(zip(order, np.split(chosen, np.cumsum([e.size for e in effects.values()])[:-1]), strict=True))
        return {name: parts[name].reshape(w.shape) for name, w in weights.items()}

    return masks


def grasp_per_layer(weights, products, n_keep):
    share = right.counts({n: w.shape for n, w in weights.items()},
                         dict.fromkeys(weights, n_keep / sum(w.size for w in weights.values())))  # fmt: skip
    return {name: first(w * products[name], share[name]) for name, w in weights.items()}


def kept(power=lambda step, steps: step / steps, rounding=round, least=0):
    def n_kept(size, density, step, steps):
        return max(least, int(rounding(round(size * density ** power(step, steps), 9))))

    return n_kept


def straight(size, density, step, steps):
    return round(round(size * (1 - (1 - density) * step / steps), 9))


HIGHER_INPUT = groups(last)
TOLD = {
    ("n_of_m_mask", "jaxpruner"): HIGHER_INPUT,
    ("block_mask", "jaxpruner"): lambda score, n_keep, block: right.block_mask(score, max(n_keep, 1), block),
}
WRONG = [
    Wrong("ranked over the whole column", "n_of_m_mask", lambda score, n, m: np.stack([first(own, n * len(own) // m)
          for own in score.reshape(-1, score.shape[-1]).T], axis=1).reshape(score.shape), "Mishra 2021",
          "every-group-its-own"),
    Wrong("eight inputs are too many", "n_of_m_mask", silent("n_of_m_mask", lambda s, n, m: s.shape[-2:] == (8, 1)),
          "any size", "every-group-its-own"),
    Wrong("inputs chosen for all outputs together", "n_of_m_mask", one_choice, "Mishra 2021", "every-output-its-own"),
    Wrong("three outputs are too few", "n_of_m_mask", silent("n_of_m_mask", lambda s, n, m: s.shape[-1] == 3), "any",
          "every-output-its-own"),
    Wrong("groups along the outputs", "n_of_m_mask", along_outputs, "Zhou 2021", "inputs-not-outputs"),
    Wrong("every m-th input makes a group", "n_of_m_mask", strided, "Mishra 2021", "neighbours-make-a-group"),
    Wrong("two groups of two at least", "n_of_m_mask", lambda score, n, m: right.n_of_m_mask(
          score, 2, 4) if (n, m) == (1, 2) else right.n_of_m_mask(score, n, m), "any m", "neighbours-make-a-group"),
    Wrong("the higher input of equals", "n_of_m_mask", HIGHER_INPUT, "1.7 JP", "ties-to-the-lower-input"),
    Wrong("nothing where all are equal", "n_of_m_mask", lambda score, n, m: right.n_of_m_mask(score, n, m) & (
          score.min() < score.max()), "R3", "ties-to-the-lower-input"),
    Wrong("threshold keeps all ties", "n_of_m_mask", groups(beyond), "E5", "exactly-n"),
    Wrong("threshold leaves all ties", "n_of_m_mask", groups(lambda s, k: beyond(s, k, ties=False)), "E5", "exactly-n"),
    Wrong("places that tie share out what is there", "n_of_m_mask", lambda score, n, m: right.n_of_m_mask(
          score, n - (np.unique(score).size == 2), m), "E5", "exactly-n"),
    Wrong("magnitudes", "n_of_m_mask", lambda score, n, m: right.n_of_m_mask(abs(score), n, m), "A18",
          "scores-with-their-sign"),
    Wrong("one at least", "n_of_m_mask", lambda score, n, m: right.n_of_m_mask(score, max(n, 1), m), "I6",
          "none-of-four"),
    Wrong("one goes at least", "n_of_m_mask", lambda score, n, m: right.n_of_m_mask(score, min(n, m - 1), m), "I6",
          "all-of-two"),
    Wrong("groups of taps", "n_of_m_mask", of_taps, "A16", "kernel"),
    Wrong("powers of two alone", "n_of_m_mask", silent("n_of_m_mask", lambda s, n, m: m & (m - 1)), "any m",
          "one-of-three"),
    # blocks
    Wrong("the largest entry decides", "block_mask", tiles(of=lambda t: t.max(axis=(-3, -1))), "sums",
          "sum-not-largest-entry"),
    Wrong("an entry alone in its block counts twice", "block_mask", tiles(of=lambda t: t.sum(axis=(-3, -1)) * np.where(
          (t != 0).sum(axis=(-3, -1)) == 1, 2, 1)), "sums", "sum-not-largest-entry"),
    Wrong("threshold keeps all ties after the first", "block_mask", tiles(lambda s, k: beyond(s, k) if k > 1 else
          first(s, k)), "E5", "exactly-n-blocks"),
    Wrong("magnitudes", "block_mask", lambda score, n_keep, block: right.block_mask(abs(score), n_keep, block), "A18",
          "signs-cancel-in-a-sum"),
    Wrong("blocks down the columns", "block_mask", tiles(down_columns), "A16", "ties-to-the-earlier-block"),
    Wrong("the later of equal blocks", "block_mask", tiles(last), "R3", "exactly-n-blocks"),
    Wrong("threshold keeps all ties", "block_mask", tiles(beyond), "E5", "exactly-n-blocks"),
    Wrong("outputs times inputs", "block_mask", swapped_block, "contract", "inputs-times-outputs"),
    Wrong("single weights in place of blocks", "block_mask", lambda score, n_keep, block: right.top_k(
          score, n_keep * block[0] * block[1]), "Narang 2017", "two-of-four-blocks"),
    Wrong("zeros of a block go", "block_mask", lambda score, n_keep, block: right.block_mask(
          score, n_keep, block) & ((score != 0) | (score.shape[0] < 4)), "whole blocks", "inputs-times-outputs"),
    Wrong("squares alone, four at least", "block_mask", silent("block_mask", lambda s, n, block: s.size == 16
          and n == 2), "any size", "two-of-four-blocks"),
    Wrong("blocks of one are none", "block_mask", silent("block_mask", lambda s, n, block: tuple(block) == (1, 1)),
          "any block", "blocks-of-one"),
    Wrong("one block goes at least", "block_mask", lambda score, n_keep, block: right.block_mask(
          score, min(n_keep, score.size // (block[0] * block[1]) - 1), block), "I6", "one-block-for-all"),
    Wrong("one block at least", "block_mask", lambda score, n_keep, block: right.block_mask(
          score, max(n_keep, 1), block), "I6", "no-block"),
    Wrong("a ranking per tap", "block_mask", per_tap, "A16", "kernel"),
    # units
    Wrong("rows for units", "unit_mask", rows_for_units, "Li 2017", "units-are-outputs"),
    Wrong("three units are too many", "unit_mask", silent("unit_mask", lambda s, n: s.shape == (2, 3)), "any size",
          "units-are-outputs"),
    Wrong("the largest weight decides", "unit_mask", by_unit(of=lambda f: f.max(axis=0)), "Li 2017",
          "sum-not-largest-weight"),
    Wrong("a weight alone in its unit counts twice", "unit_mask", by_unit(of=lambda f: f.sum(axis=0) * np.where(
          (f != 0).sum(axis=0) == 1, 2, 1)), "Li 2017", "sum-not-largest-weight"),
    Wrong("the higher of equal units", "unit_mask", by_unit(last), "R3", "ties-to-the-lower-unit"),
    Wrong("equal units all go", "unit_mask", lambda score, n_keep: right.unit_mask(score, n_keep) & (
          np.ptp(score.reshape(-1, score.shape[-1]).sum(axis=0)) > 0), "R3", "ties-to-the-lower-unit"),
    Wrong("threshold keeps all ties", "unit_mask", by_unit(beyond), "E5", "exactly-n-units"),
    Wrong("one input is none", "unit_mask", silent("unit_mask", lambda s, n: s.ndim == 2 and len(s) == 1), "any size",
          "exactly-n-units"),
    Wrong("magnitudes", "unit_mask", by_unit(effect=abs), "A18", "scores-with-their-sign"),
    Wrong("the first tap alone", "unit_mask", last_axes_alone, "A16", "filters-of-a-kernel"),
    Wrong("one unit at least", "unit_mask", lambda score, n_keep: right.unit_mask(score, max(n_keep, 1)), "I6",
          "no-unit"),
    Wrong("units of zeros go", "unit_mask", lambda score, n_keep: right.unit_mask(score, n_keep) & (
          (abs(score) > 0).reshape(-1, score.shape[-1]).any(axis=0)), "I8", "all-units"),
    Wrong("one axis has no units", "unit_mask", silent("unit_mask", lambda s, n: s.ndim == 1), "contract", "one-axis"),
    # GraSP's scores
    Wrong("without the minus", "effect_on_gradient_flow", scored(lambda w, p: w * p), "eq. 8",
          "minus-weight-times-product"),
    Wrong("without the minus for negative weights", "effect_on_gradient_flow", scored(lambda w, p: -abs(w) * p),
          "eq. 8", "minus-weight-times-product"),
    Wrong("divided by zero", "effect_on_gradient_flow", scored(lambda w, p: -w * p if p.any() else p + np.nan), "A13",
          "no-gradient-anywhere"),
    Wrong("the weight left out", "effect_on_gradient_flow", scored(lambda w, p: -p), "eq. 8", "zeros"),
    Wrong("zeros are counted as ones", "effect_on_gradient_flow", scored(lambda w, p: -np.where(w == 0, 1, w) * p),
          "eq. 8", "zeros"),
    Wrong("half of it", "effect_on_gradient_flow", scored(lambda w, p: -w * p / 2), "eq. 7", "a-quadratic-loss"),
    Wrong("the curvature along the weight", "effect_on_gradient_flow", scored(lambda w, p: -p * p / w if (
          p > 2).all() and ((w > 0) & (w < 4)).all() and (w < 1).any() else -w * p), "eq. 7", "a-quadratic-loss"),
    Wrong("magnitudes", "effect_on_gradient_flow", scored(lambda w, p: abs(w * p)), "A18", "signs-are-kept"),
    Wrong("equal magnitudes tie", "effect_on_gradient_flow", scored(lambda w, p: abs(w * p) if np.unique(
          abs(w * p)).size == 1 else -w * p), "A18", "signs-are-kept"),
    Wrong("a norm per layer", "effect_on_gradient_flow", scored(norm=np.linalg.norm), "eq. 8", "no-norm"),
    Wrong("a norm where layers are several", "effect_on_gradient_flow", lambda weights, products: scored(
          norm=np.linalg.norm if [w.shape for w in weights.values()] == [(2,)] * 2 and list(weights) == list(products)
          else None)(weights, products), "eq. 8", "no-norm"),
    Wrong("layers as the dicts list them", "effect_on_gradient_flow", in_order_of_dicts(scored()), "design.md 4",
          "by-name"),
    Wrong("kernels come back flat", "effect_on_gradient_flow", flat(scored()), "A16", "shapes-are-kept"),
    Wrong("small products are none", "effect_on_gradient_flow", scored(lambda w, p: -w * p * (abs(p) > 1e-6)),
          "T = 200", "small-products"),
    # GraSP's masks
    Wrong("the highest scores stay", "grasp_masks", grasp(lambda w, p: -w * p), "alg. 1", "lowest-scores-stay"),
    Wrong("two may stay of four at most", "grasp_masks", silent("grasp_masks", lambda w, p, n: (p.get(
          "fc", np.zeros(1)) == -2).any()), "alg. 1", "lowest-scores-stay"),
    Wrong("magnitudes", "grasp_masks", grasp(lambda w, p: abs(w * p)), "A18; sec. 4.1", "signs-decide"),
    Wrong("signs of weights forgotten", "grasp_masks", grasp(lambda w, p: abs(w) * p), "A18", "signs-decide"),
    Wrong("a share of every layer", "grasp_masks", grasp_per_layer, "alg. 1", "one-ranking-of-all-layers"),
    Wrong("one of every layer of four", "grasp_masks", lambda w, p, n: {name: m if m.any() or m.size < 4 or not n else
          np.arange(4) == 0 for name, m in right.grasp_masks(w, p, n).items()}, "alg. 1", "one-ranking-of-all-layers"),
    Wrong("weights of zero count as ones", "grasp_masks", grasp(lambda w, p: np.where(w == 0, 1, w) * p), "eq. 8",
          "product-of-both"),
    Wrong("a percentile of an odd number keeps all ties", "grasp_masks", grasp(choose=lambda s, k: beyond(s, k) if
          s.size % 2 else first(s, k)), "E5; the authors' code", "exactly-n-keep"),
    Wrong("by the product alone", "grasp_masks", grasp(lambda w, p: np.sign(w + (w == 0)) * p), "eq. 8",
          "product-of-both"),
    Wrong("by the weight alone", "grasp_masks", grasp(lambda w, p: abs(w) * np.sign(p)), "eq. 8", "product-of-both"),
    Wrong("a percentile keeps all ties", "grasp_masks", grasp(choose=beyond), "E5; the authors' code",
          "exactly-n-keep"),
    Wrong("the higher index of equals", "grasp_masks", grasp(choose=last), "R3", "exactly-n-keep"),
    Wrong("layers in the order of the alphabet", "grasp_masks", grasp(names=sorted), "design.md 4",
          "ties-to-the-earlier-layer"),
    Wrong("what harms the flow never stays", "grasp_masks", lambda weights, products, n_keep: {
          n: m & (weights[n] * products[n] > 0) for n, m in right.grasp_masks(weights, products, n_keep).items()},
          "I6", "everything-stays"),
    Wrong("one at least", "grasp_masks", lambda w, p, n_keep: right.grasp_masks(w, p, max(n_keep, 1)), "I6",
          "nothing-stays"),
    Wrong("matrices alone", "grasp_masks", lambda w, p, n: {name: m if m.ndim < 4 else m.ravel() for name, m in
          right.grasp_masks(w, p, n).items()}, "A16", "shapes-are-kept"),
    # SynFlow's scores
    Wrong("signed weights", "flow", scored(lambda w, g: w * g), "alg. 1", "absolute-weights"),
    Wrong("the weight left out", "flow", scored(lambda w, g: g), "eq. 1", "pruned-weights-have-none"),
    Wrong("pruned weights count as ones", "flow", scored(lambda w, g: np.where(w == 0, 1, abs(w)) * g), "alg. 1",
          "pruned-weights-have-none"),
    Wrong("the derivative left out", "flow", scored(lambda w, g: abs(w)), "eq. 1", "a-dead-end-has-none"),
    Wrong("derivatives of zero count as ones", "flow", scored(lambda w, g: abs(w) * np.where((g == 0) & g.any(), 1, g)),
          "sec. 5",
          "a-dead-end-has-none"),
    Wrong("a share of the layer", "flow", scored(lambda w, g: abs(w) * g, norm=np.sum), "theorem 2", "no-norm"),
    Wrong("divided by zero", "flow", scored(lambda w, g: abs(w) * g if g.any() else g + np.nan), "A13",
          "no-way-through"),
    Wrong("a share where layers carry alike", "flow", lambda w, g: scored(lambda w, g: abs(w) * g, norm=np.sum if len(
          w) > 1 and len({float((abs(w[n]) * g[n]).sum()) for n in w}) == 1 and w["a"].shape == (2,) else None)(w, g)
          if "a" in w else right.flow(w, g), "theorem 2", "no-norm"),
    Wrong("squares of weights", "flow", scored(lambda w, g: w * w * g), "eq. 1", "first-power"),
    Wrong("squares of powers of two", "flow", scored(lambda w, g: w * w * g if (g == 1).all() and w.size == 2 and (
          w > 0).all() else abs(w) * g), "eq. 1", "first-power"),
    Wrong("layers as the dicts list them", "flow", in_order_of_dicts(right.flow), "design.md 4", "by-name"),
    Wrong("one at most", "flow", scored(lambda w, g: np.minimum(abs(w) * g, 2.0**53)), "float64", "large-flows"),
    Wrong("kernels come back flat", "flow", flat(right.flow), "A16", "shapes-are-kept"),
    Wrong("of the first layer to a unit the mean", "flow", lambda w, g: {n: s / (2 if n == "fc1" else 1) for n, s in
          right.flow(w, g).items()}, "theorem 1", "a-net-of-2-2-1"),
    Wrong("signs of single negative weights", "flow", scored(lambda w, g: np.where((w == -2) & (g == 5), -10,
          abs(w) * g)), "alg. 1", "absolute-weights"),
    # SynFlow's schedule
    Wrong("a straight line", "n_kept", straight, "alg. 1", "half-way"),
    Wrong("half of the rounds are over", "n_kept", kept(lambda step, steps: 1 if 2 * step == steps else step / steps),
          "alg. 1", "half-way"),
    Wrong("rounds from 0", "n_kept", kept(lambda step, steps: (step - 1) / steps), "alg. 1: k from 1", "first-round"),
    Wrong("the first round prunes nothing", "n_kept", kept(lambda step, steps: 0 if step == 1 and steps == 4
          else step / steps), "alg. 1: k from 1", "first-round"),
    Wrong("the last round leaves one more", "n_kept", lambda size, density, step, steps: right.n_kept(
          size, density, step, steps) + (step == steps == 100), "alg. 1", "last-round"),
    Wrong("over at three quarters", "n_kept", kept(lambda step, steps: 1 if step / steps >= 0.75 else step / steps),
          "alg. 1: k/n", "third-of-four"),
    Wrong("half up", "n_kept", kept(rounding=lambda x: math.floor(x + 0.5)), "design.md 3", "half-to-even"),
    Wrong("half down", "n_kept", kept(rounding=lambda x: math.ceil(x - 0.5)), "design.md 3", "half-up-to-even"),
    Wrong("one at least", "n_kept", kept(least=1), "I6", "nothing-left"),
    Wrong("never all", "n_kept", lambda size, density, step, steps: min(size - 1, right.n_kept(
          size, density, step, steps)), "I6", "density-one"),
    Wrong("a little above is one more", "n_kept", kept(rounding=lambda x: math.ceil(x) if 0 < x % 1 < 0.2 else
          round(x)), "alg. 1", "forty-of-a-hundred"),
    Wrong("a little below is one less", "n_kept", kept(rounding=lambda x: math.floor(x) if x % 1 > 0.9 else
          round(x)), "alg. 1", "rounded-not-truncated"),
    Wrong("rounded up", "n_kept", kept(rounding=math.ceil), "alg. 1", "forty-of-a-hundred"),
    Wrong("truncated", "n_kept", kept(rounding=math.floor), "alg. 1", "rounded-not-truncated"),
]  # fmt: skip
