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
array = np.array


def _cases(function: str, *rows: tuple[str, str, dict[str, Any], Any]) -> list[Case]:
    """(name, reason, inputs, expected) of each case. A parameter that a case leaves out has a default."""
    every = {name for _, _, inputs, _ in rows for name in inputs}
    always = {name for name in every if all(name in inputs for _, _, inputs, _ in rows)}
    return [
        Case(
            id=f"{function}/{name}",
            function=function,
            reason=reason,
            inputs={key: encode(value) for key, value in inputs.items()},
            stages={},
            expected=encode(expected),
            profiles={},
            source="by hand",
            pin="",
            may_lack=sorted(every - always),
        )
        for name, reason, inputs, expected in rows
    ]


_BY_EFFECT = {"weight": array([4.0, -3, 2, -1, 0, 0, 0, 0]), "mask": array([T, T, T, T, F, F, F, F])}

CASES: Mapping[str, Sequence[Case]] = {
    "threshold_mask_per_row": _cases(
        "threshold_mask_per_row",
        (
            "a-row-by-itself",
            "every row has its threshold: the second is ten times the first and keeps the same columns",
            {"weight": array([[0.1, -0.2, 0.3, -0.4, 0.5], [1.0, -2, 3, -4, 5]]), "quality": 1.1},
            array([[F, F, F, T, T], [F, F, F, T, T]]),
        ),
        (
            "divided-by-n",
            "the standard deviation is divided by n: 2.5 x 1 keeps the 3; divided by n - 1 the row would be empty",
            {"weight": array([[1.0, 3.0]]), "quality": 2.5},
            array([[F, T]]),
        ),
        (
            "on-the-threshold",
            "a weight on its row's threshold stays",
            {"weight": array([[2.0, -2.0], [6.0, -6.0]]), "quality": 1.0},
            array([[T, T], [T, T]]),
        ),
        (
            "of-the-survivors",
            "the deviation is that of a row's survivors, and only they may stay: 100 is gone and counts no more",
            {
                "weight": array([[4.0, -4, 100], [1.0, -1, 1]]),
                "quality": 1.0,
                "mask": array([[T, T, F], [T, T, F]]),
            },
            array([[T, T, F], [T, T, F]]),
        ),
        (
            "an-empty-row",
            "a row without survivors stays empty, and its neighbour is not affected",
            {"weight": array([[1.0, -1], [5.0, 6]]), "quality": 0.5, "mask": array([[T, T], [F, F]])},
            array([[T, T], [F, F]]),
        ),
        (
            "quality-zero",
            "with quality 0 all that survived stays, weights of zero too",
            {"weight": array([[0.0, 1], [0.0, 0]]), "quality": 0.0, "mask": array([[T, T], [T, F]])},
            array([[T, T], [T, F]]),
        ),
    ),
    "gate_slope": _cases(
        "gate_slope",
        (
            "in-the-middle",
            "at log α = 0 and u = 1/2 the sigmoid is 1/2: (ζ - γ) · 1/4 · 1/β = 0.45",
            {"log_alpha": array([0.0]), "u": array([0.5])},
            array([0.45]),
        ),
        (
            "the-noise-counts",
            "u = 1/4 and 3/4 lie as far from the middle: equal slopes, smaller than there",
            {"log_alpha": array([0.0, 0.0]), "u": array([0.25, 0.75])},
            array([SLOPE, SLOPE]),
        ),
        (
            "clipped",
            "where the gate is clipped to 0 or 1 it does not move with log α: slope 0",
            {"log_alpha": array([0.0, 0.0, -4.0, 4.0]), "u": array([0.001, 0.999, 0.5, 0.5])},
            array([0.0, 0.0, 0.0, 0.0]),
        ),
        (
            "log-alpha-is-added",
            "log α = log 3 with u = 1/4 cancels: the slope of the middle",
            {"log_alpha": array([[LOG_3], [-LOG_3]]), "u": array([[0.25], [0.75]])},
            array([[0.45], [0.45]]),
        ),
        (
            "another-interval",
            "β = 1/2 doubles the slope of the sigmoid, and the interval from -1/2 to 3/2 doubles it again: 1",
            {"log_alpha": array([0.0]), "u": array([0.5]), "beta": 0.5, "gamma": -0.5, "zeta": 1.5},
            array([1.0]),
        ),
    ),
    "prob_full": _cases(
        "prob_full",
        (
            "at-zero",
            "at log α = 0 the gate is exactly 1 with probability 0.168, as often as it is exactly 0",
            {"log_alpha": array([0.0])},
            array([FULL]),
        ),
        (
            "log-alpha-is-not-scaled",
            "log α = 2/3 log 11 balances the stretch: one half; the temperature scales only the stretch",
            {"log_alpha": array([2 / 3 * LOG_11])},
            array([0.5]),
        ),
        (
            "the-upper-end",
            "P(z = 1) depends on how far ζ lies above 1: with γ = -1/2 and ζ = 5/4 the odds of s are 6 to 1",
            {"log_alpha": array([0.0]), "beta": 1.0, "gamma": -0.5, "zeta": 1.25},
            array([1 / 7]),
        ),
        (
            "temperature",
            "β = 1/2 takes the root of the odds: 9 to 1 become 3 to 1",
            {"log_alpha": array([[0.0], [LOG_3]]), "beta": 0.5, "gamma": -0.125, "zeta": 1.125},
            array([[0.25], [0.5]]),
        ),
    ),
    "log_alpha_at_test": _cases(
        "log_alpha_at_test",
        (
            "half-open",
            "the gate is half open at log α = 0",
            {"z": array([0.5])},
            array([0.0]),
        ),
        (
            "both-ends",
            "0 and 1 are reached at -log 11 and log 11, and not at infinity",
            {"z": array([0.0, 1.0])},
            array([-LOG_11, LOG_11]),
        ),
        (
            "between",
            "a gate of 1/4: the sigmoid is 0.35 / 1.2, its odds 7 to 17",
            {"z": array([[0.25, 0.75]])},
            array([[-0.8873031950009027, 0.8873031950009027]]),
        ),
        (
            "another-interval",
            "from -1/2 to 3/2 the ends are reached at -log 3 and log 3",
            {"z": array([0.0, 1.0]), "gamma": -0.5, "zeta": 1.5},
            array([-LOG_3, LOG_3]),
        ),
    ),
    "cubic_count": _cases(
        "cubic_count",
        (
            "at-the-start",
            "at step 0 the fraction is α",
            {"step": 0, "n_active": 1000, "alpha": 0.5, "t_end": 100},
            500,
        ),
        (
            "half-way",
            "half-way an eighth of α is left, 62.5 of 1000, where a cosine has a half and a line too",
            {"step": 50, "n_active": 1000, "alpha": 0.5, "t_end": 100},
            62,
        ),
        (
            "a-quarter",
            "(3/4)³ is 27/64",
            {"step": 25, "n_active": 1024, "alpha": 0.5, "t_end": 100},
            216,
        ),
        (
            "floor",
            "half of 5 connections is 2: floor",
            {"step": 0, "n_active": 5, "alpha": 0.5, "t_end": 8},
            2,
        ),
        (
            "at-the-end",
            "nothing moves at T_end",
            {"step": 100, "n_active": 1000, "alpha": 0.5, "t_end": 100},
            0,
        ),
        (
            "beyond-the-end",
            "nothing moves after T_end, where the cube of a negative number is negative",
            {"step": 150, "n_active": 1000, "alpha": 0.5, "t_end": 100},
            0,
        ),
    ),
    "rigl_update_by_effect": _cases(
        "rigl_update_by_effect",
        (
            "basic",
            "the effects |w g| are 2, 6, 8, 3: the 2 and the 3 go, where the smallest weights are 2 and -1",
            {**_BY_EFFECT, "dense_grad": array([0.5, 2, -4, 3, 5, -9, 7, 2]), "n_update": 2},
            array([F, T, T, F, F, T, T, F]),
        ),
        (
            "the-sign-does-not-count",
            "effects are ranked by magnitude: -5, 2, 3 means that 2 goes",
            {
                "weight": array([1.0, 2, 3, 0]),
                "mask": array([T, T, T, F]),
                "dense_grad": array([-5.0, 1, 1, 2]),
                "n_update": 1,
            },
            array([T, F, T, T]),
        ),
        (
            "back-at-once",
            "a tiny weight goes for its small effect and returns at once for its large gradient",
            {
                "weight": array([3.0, -2, 0.0078125, 0]),
                "mask": array([T, T, T, F]),
                "dense_grad": array([2.0, 3, 9, 1]),
                "n_update": 1,
            },
            array([T, T, T, F]),
        ),
        (
            "a-large-weight-without-gradient",
            "the largest weight goes, for its gradient is zero",
            {
                "weight": array([9.0, 0.125, 0.25, 0]),
                "mask": array([T, T, T, F]),
                "dense_grad": array([0.0, 5, 5, 1]),
                "n_update": 1,
            },
            array([F, T, T, T]),
        ),
        (
            "absent-weights-do-not-compete",
            "an active weight of zero goes; absent ones have effect zero too and cannot go",
            {
                "weight": array([0.0, 0, 3, 0]),
                "mask": array([F, T, T, F]),
                "dense_grad": array([1.0, 2, 3, 4]),
                "n_update": 1,
            },
            array([F, F, T, T]),
        ),
        (
            "ties-in-two-dimensions",
            "among equals the lower index in C order goes and comes",
            {
                "weight": array([[1.0, 1], [0, 0]]),
                "mask": array([[T, T], [F, F]]),
                "dense_grad": array([[1.0, 1], [2, 2]]),
                "n_update": 1,
            },
            array([[F, T], [T, F]]),
        ),
        (
            "nothing-to-move",
            "with n_update 0 the mask stays as it is",
            {**_BY_EFFECT, "dense_grad": array([0.5, 2, -4, 3, 5, -9, 7, 2]), "n_update": 0},
            array([T, T, T, T, F, F, F, F]),
        ),
    ),
    "dead_outputs": _cases(
        "dead_outputs",
        (
            "no-connection",
            "the second output channel has no connection",
            {"mask": array([[[[T, F, F], [T, F, T]]]])},
            array([F, T, F]),
        ),
        (
            "one-of-nine-places",
            "one connection anywhere in the kernel is enough",
            {"mask": (np.arange(9) == 7).reshape(3, 3, 1, 1)},
            array([F]),
        ),
        (
            "only-dead-inputs",
            "the first output is connected to the dead input alone, the second to both",
            {"mask": array([[[[T, T], [F, T]]]]), "dead_inputs": array([T, F])},
            array([T, F]),
        ),
        (
            "a-dead-input-without-connections",
            "a dead input that nothing is connected to changes nothing",
            {"mask": array([[[[F, F], [T, F]]]]), "dead_inputs": array([T, F])},
            array([F, T]),
        ),
        (
            "all-inputs-dead",
            "where all inputs are dead, every output is",
            {"mask": np.ones((2, 2, 2, 3), bool), "dead_inputs": array([T, T])},
            array([T, T, T]),
        ),
        (
            "wider-than-long",
            "the last axis is the outputs', the one before the inputs'",
            {"mask": (np.arange(12) < 4).reshape(1, 2, 3, 2), "dead_inputs": array([T, F, F])},
            array([F, F]),
        ),
    ),
}
