"""Functions of the step number: when masks change, by how much, and the learning rate.

`step` counts the batches seen before this one. Formulas are evaluated in float64 from left to right, as written.
"""

import math
from collections.abc import Callable, Sequence

from .checks import real, whole


def every(period: int, until: float, begin: int | None = None) -> Callable[[int], bool]:
    """True at begin, begin + period, … below `until` (exclusive). `begin` is one period unless given."""
    whole("period", period, 1)
    real("until", until, "a number", lambda until: until == until)
    first = period if begin is None else whole("begin", begin, 0)
    return lambda step: first <= step < until and (step - first) % period == 0


def constant(step: int, alpha: float) -> float:
    """α at every step."""
    return alpha


def linear(step: int, alpha: float, t_end: int, begin: int = 0) -> float:
    """α falling linearly to 0 at `t_end`; α before `begin`."""
    _check_span("t_end", t_end, begin)
    if step >= t_end:
        return 0.0
    return alpha if step <= begin else alpha * (1 - (step - begin) / (t_end - begin))


def cosine(step: int, alpha: float, t_end: int, begin: int = 0) -> float:
    """α/2 (1 + cos(π (step − begin) / (t_end − begin))): RigL's f_decay (Evci et al. 2020, sec. 3).

    α before `begin`, 0 from `t_end` on.
    """
    _check_span("t_end", t_end, begin)
    if step >= t_end:
        return 0.0
    return alpha if step < begin else alpha / 2 * (1 + math.cos(math.pi * (step - begin) / (t_end - begin)))


def inverse_power(step: int, alpha: float, t_end: int, k: float, begin: int = 0) -> float:
    """α (1 − (step − begin) / (t_end − begin))^k (Evci et al. 2020, app. G); α before `begin`, 0 from `t_end` on."""
    _check_span("t_end", t_end, begin)
    if step >= t_end:
        return 0.0
    return alpha if step <= begin else alpha * (1 - (step - begin) / (t_end - begin)) ** k


def cubic(step: int, begin: int, end: int, final: float, initial: float = 0.0) -> float:
    """The sparsity s_t of gradual pruning (Zhu & Gupta 2017, eq. 1): fast at first, flat at the end."""
    _check_span("end", end, begin)
    if step >= end:
        return final
    return initial if step <= begin else final + (initial - final) * (1 - (step - begin) / (end - begin)) ** 3


def step_rate(rate: float, period: int, factor: float) -> Callable[[int], float]:
    """A learning rate multiplied by `factor` after every `period` steps."""
    whole("period", period, 1)
    return lambda step: rate * factor ** (step // period)


def multi_step_rate(rate: float, milestones: Sequence[int], factor: float) -> Callable[[int], float]:
    """A learning rate multiplied by `factor` from each of the `milestones` on."""
    return lambda step: rate * factor ** sum(step >= milestone for milestone in milestones)


def cosine_rate(rate: float, t_end: int) -> Callable[[int], float]:
    """A learning rate falling along half a cosine to 0 at `t_end`."""
    return lambda step: cosine(step, rate, t_end)


def _check_span(name: str, end: int, begin: int) -> None:
    if not end > begin:
        raise ValueError(f"{name} is {end}, begin is {begin}; {name} must come after begin")
