"""Implementations with two faults at once, each of them one of the wrong ones: the verdict must not hide the second."""

import math
from itertools import combinations

from tests.golden import other_trajectory, wrong_masks, wrong_trajectories
from tests.golden.broken import rewritten
from tests.golden.wrong_masks import first, grown, rigl

DROPS = {
    "the largest weights go": lambda w, mask, g, k: first(abs(w), k, mask),
    "signed drop": lambda w, mask, g, k: first(-w, k, mask),
    "one goes too many": lambda w, mask, g, k: first(-abs(w), min(k + 1, int(mask.sum())), mask),
    "one stays at least": lambda w, mask, g, k: first(-abs(w), min(k, max(int(mask.sum()) - 1, 0)), mask),
    "drop by |w g|": lambda w, mask, g, k: first(-abs(w * g), k, mask),
}
GROWS = {
    "the dropped stay away": lambda kept, mask, g, k: kept | first(abs(g), k, ~mask),
    "signed grow": lambda kept, mask, g, k: grown(kept, g, k),
    "growth over active": lambda kept, mask, g, k: kept | first(abs(g), k),
    "growth of the smallest": lambda kept, mask, g, k: grown(kept, -abs(g), k),
}


def set_(drop, grow):
    """SET by sign, with a drop of each sign and a growth."""

    def set_update(weight, mask, noise, n_negative, n_positive):
        kept = mask & ~drop(weight, mask & (weight < 0), n_negative) & ~drop(-weight, mask & (weight >= 0), n_positive)
        return grow(kept, mask, noise, n_negative + n_positive)

    return set_update


def magnitude(n, score):
    return lambda weight, n_keep, mask=None: first(score(weight), n(n_keep, weight.size), mask)


def counted(rounding, fraction):
    return lambda step, n_active, alpha, t_end: rounding(fraction(step, alpha, t_end) * n_active)


PAIRS = [
    *((f"{drop} + {grow}", "rigl_update", rigl(DROPS[drop], GROWS[grow])) for drop in DROPS for grow in GROWS),
    *(
        (f"{drop} + {grow}", "set_update", set_(does, GROWS[grow]))
        for drop, does in {"the wrong end goes": lambda w, pool, k: first(-w, k, pool),
                           "one goes too many": lambda w, pool, k: first(w, min(k + 1, int(pool.sum())), pool)}.items()
        for grow in ("the dropped stay away", "growth of the smallest")
    ),
    ("one too few + signed", "magnitude_mask", magnitude(lambda k, n: max(k - 1, 0), lambda w: w)),
    ("one too many + signed", "magnitude_mask", magnitude(lambda k, n: min(k + 1, n), lambda w: -w)),
    ("rounded up + a straight line", "rigl_count", counted(math.ceil, wrong_masks.straight)),
    ("rounded + unclamped", "rigl_count", counted(round, wrong_masks.unclamped)),
]  # fmt: skip


def of_runs(n):
    """`n` pairs of faults of a loop that a rewriting can have at once, spread over all of them."""
    pairs = []
    faults = [own for own in wrong_trajectories.WRONG if own.change[0]]
    for a, b in combinations(faults, 2):
        both = [a.change, b.change]
        if not any(x[0] in y[0] or y[0] in x[0] or x[0] in y[1] or y[0] in x[1] for x, y in (both, both[::-1])):
            pairs.append((a, b))
    step = len(pairs) // n
    for a, b in pairs[::step][:n]:
        try:
            yield a, b, rewritten(other_trajectory, "trajectory", a.change, b.change)
        except (AssertionError, SyntaxError):  # one replacement holds the other's text
            continue
