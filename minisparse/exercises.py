"""Cases for the course's exercises whose answers no library function gives: variants of what its notebooks show.

CASES  {function: its cases}, in the form of the golden vectors, so that `notebook.check` judges both alike

Answers were worked out by hand; the solutions of the course compute them independently.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .golden.cases import Case
from .golden.values import encode

LOG_11, LOG_3 = 2.3978952727983707, 1.0986122886681098
SLOPE = 0.24361846465150036  # 1.8 s (1 - s), where s = 1 / (1 + 3^1.5)
FULL = 0.1681778160083096  # 1 / (1 + 11^(2/3))
T, F = True, False


def _cases(function: str, parameters: str, rows: Sequence[tuple[str, str, tuple, Any]]) -> list[Case]:
    """Cases from rows (name, reason, arguments, expected); lists are arrays, and what some leave out has a default."""
    arguments = [dict(zip(parameters.split(), values, strict=False)) for _, _, values, _ in rows]
    optional = {name for given in arguments for name in given if any(name not in other for other in arguments)}
    return [
        Case(
            f"{function}/{name}", function, reason, {key: _encoded(value) for key, value in given.items()}, {},
            _encoded(expected), {}, source="by hand", pin="", may_lack=sorted(optional),
        )
        for (name, reason, _, expected), given in zip(rows, arguments, strict=True)
    ]  # fmt: skip


def _encoded(value: Any) -> Any:
    return encode(np.array(value) if isinstance(value, list) else value)


_EIGHT = [4.0, -3, 2, -1, 0, 0, 0, 0], [T, T, T, T, F, F, F, F], [0.5, 2, -4, 3, 5, -9, 7, 2]
_ROWS: dict[str, tuple[str, tuple]] = {  # {function: (its parameters, rows of its cases)}
    "threshold_mask_per_row": ("weight quality mask", (
        ("a-row-by-itself", "every row has its threshold: the second is ten times the first and keeps the same columns",
         ([[0.1, -0.2, 0.3, -0.4, 0.5], [1.0, -2, 3, -4, 5]], 1.1), [[F, F, F, T, T], [F, F, F, T, T]]),
        ("divided-by-n",
         "the standard deviation is divided by n: 2.5 x 1 keeps the 3; divided by n - 1 the row would be empty",
         ([[1.0, 3.0]], 2.5), [[F, T]]),
        ("on-the-threshold", "a weight on its row's threshold stays",
         ([[2.0, -2.0], [6.0, -6.0]], 1.0), [[T, T], [T, T]]),
        ("of-the-survivors",
         "the deviation is that of a row's survivors, and only they may stay: 100 is gone and counts no more",
         ([[4.0, -4, 100], [1.0, -1, 1]], 1.0, [[T, T, F], [T, T, F]]), [[T, T, F], [T, T, F]]),
        ("an-empty-row", "a row without survivors stays empty, and its neighbour is not affected",
         ([[1.0, -1], [5.0, 6]], 0.5, [[T, T], [F, F]]), [[T, T], [F, F]]),
        ("quality-zero", "with quality 0 all that survived stays, weights of zero too",
         ([[0.0, 1], [0.0, 0]], 0.0, [[T, T], [T, F]]), [[T, T], [T, F]]),
    )),
    "gate_slope": ("log_alpha u beta gamma zeta", (
        ("in-the-middle", "at log α = 0 and u = 1/2 the sigmoid is 1/2: (ζ - γ) · 1/4 · 1/β = 0.45",
         ([0.0], [0.5]), [0.45]),
        ("the-noise-counts", "u = 1/4 and 3/4 lie as far from the middle: equal slopes, smaller than there",
         ([0.0, 0.0], [0.25, 0.75]), [SLOPE, SLOPE]),
        ("clipped", "where the gate is clipped to 0 or 1 it does not move with log α: slope 0",
         ([0.0, 0.0, -4.0, 4.0], [0.001, 0.999, 0.5, 0.5]), [0.0, 0.0, 0.0, 0.0]),
        ("log-alpha-is-added", "log α = log 3 with u = 1/4 cancels: the slope of the middle",
         ([[LOG_3], [-LOG_3]], [[0.25], [0.75]]), [[0.45], [0.45]]),
        ("another-interval",
         "β = 1/2 doubles the slope of the sigmoid, and the interval from -1/2 to 3/2 doubles it again: 1",
         ([0.0], [0.5], 0.5, -0.5, 1.5), [1.0]),
    )),
    "prob_full": ("log_alpha beta gamma zeta", (
        ("at-zero", "at log α = 0 the gate is exactly 1 with probability 0.168, as often as it is exactly 0",
         ([0.0],), [FULL]),
        ("log-alpha-is-not-scaled",
         "log α = 2/3 log 11 balances the stretch: one half; the temperature scales only the stretch",
         ([2 / 3 * LOG_11],), [0.5]),
        ("the-upper-end",
         "P(z = 1) depends on how far ζ lies above 1: with γ = -1/2 and ζ = 5/4 the odds of s are 6 to 1",
         ([0.0], 1.0, -0.5, 1.25), [1 / 7]),
        ("temperature", "β = 1/2 takes the root of the odds: 9 to 1 become 3 to 1",
         ([[0.0], [LOG_3]], 0.5, -0.125, 1.125), [[0.25], [0.5]]),
    )),
    "log_alpha_at_test": ("z gamma zeta", (
        ("half-open", "the gate is half open at log α = 0",
         ([0.5],), [0.0]),
        ("both-ends", "0 and 1 are reached at -log 11 and log 11, and not at infinity",
         ([0.0, 1.0],), [-LOG_11, LOG_11]),
        ("between", "a gate of 1/4: the sigmoid is 0.35 / 1.2, its odds 7 to 17",
         ([[0.25, 0.75]],), [[-0.8873031950009027, 0.8873031950009027]]),
        ("another-interval", "from -1/2 to 3/2 the ends are reached at -log 3 and log 3",
         ([0.0, 1.0], -0.5, 1.5), [-LOG_3, LOG_3]),
    )),
    "cubic_count": ("step n_active alpha t_end", (
        ("at-the-start", "at step 0 the fraction is α",
         (0, 1000, 0.5, 100), 500),
        ("half-way", "half-way an eighth of α is left, 62.5 of 1000, where a cosine has a half and a line too",
         (50, 1000, 0.5, 100), 62),
        ("a-quarter", "(3/4)³ is 27/64",
         (25, 1024, 0.5, 100), 216),
        ("floor", "half of 5 connections is 2: floor",
         (0, 5, 0.5, 8), 2),
        ("at-the-end", "nothing moves at T_end",
         (100, 1000, 0.5, 100), 0),
        ("beyond-the-end", "nothing moves after T_end, where the cube of a negative number is negative",
         (150, 1000, 0.5, 100), 0),
    )),
    "rigl_update_by_effect": ("weight mask dense_grad n_update", (
        ("basic", "the effects |w g| are 2, 6, 8, 3: the 2 and the 3 go, where the smallest weights are 2 and -1",
         (*_EIGHT, 2), [F, T, T, F, F, T, T, F]),
        ("the-sign-does-not-count", "effects are ranked by magnitude: -5, 2, 3 means that 2 goes",
         ([1.0, 2, 3, 0], [T, T, T, F], [-5.0, 1, 1, 2], 1), [T, F, T, T]),
        ("back-at-once", "a tiny weight goes for its small effect and returns at once for its large gradient",
         ([3.0, -2, 0.0078125, 0], [T, T, T, F], [2.0, 3, 9, 1], 1), [T, T, T, F]),
        ("a-large-weight-without-gradient", "the largest weight goes, for its gradient is zero",
         ([9.0, 0.125, 0.25, 0], [T, T, T, F], [0.0, 5, 5, 1], 1), [F, T, T, T]),
        ("absent-weights-do-not-compete",
         "an active weight of zero goes; absent ones have effect zero too and cannot go",
         ([0.0, 0, 3, 0], [F, T, T, F], [1.0, 2, 3, 4], 1), [F, F, T, T]),
        ("ties-in-two-dimensions", "among equals the lower index in C order goes and comes",
         ([[1.0, 1], [0, 0]], [[T, T], [F, F]], [[1.0, 1], [2, 2]], 1), [[F, T], [T, F]]),
        ("nothing-to-move", "with n_update 0 the mask stays as it is",
         (*_EIGHT, 0), [T, T, T, T, F, F, F, F]),
    )),
    "dead_outputs": ("mask dead_inputs", (
        ("no-connection", "the second output channel has no connection",
         ([[[[T, F, F], [T, F, T]]]],), [F, T, F]),
        ("one-of-nine-places", "one connection anywhere in the kernel is enough",
         ((np.arange(9) == 7).reshape(3, 3, 1, 1),), [F]),
        ("only-dead-inputs", "the first output is connected to the dead input alone, the second to both",
         ([[[[T, T], [F, T]]]], [T, F]), [T, F]),
        ("a-dead-input-without-connections", "a dead input that nothing is connected to changes nothing",
         ([[[[F, F], [T, F]]]], [T, F]), [F, T]),
        ("all-inputs-dead", "where all inputs are dead, every output is",
         (np.ones((2, 2, 2, 3), bool), [T, T]), [T, T, T]),
        ("wider-than-long", "the last axis is the outputs', the one before the inputs'",
         ((np.arange(12) < 4).reshape(1, 2, 3, 2), [T, F, F]), [F, F]),
    )),
}  # fmt: skip
CASES: Mapping[str, Sequence[Case]] = {function: _cases(function, *table) for function, table in _ROWS.items()}
