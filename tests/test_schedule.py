from itertools import pairwise
from math import cos, inf, nan, pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisparse.schedule import (
    constant,
    cosine,
    cosine_rate,
    cubic,
    every,
    inverse_power,
    linear,
    multi_step_rate,
    step_rate,
)


def steps_of(when, n=200):
    return [step for step in range(n) if when(step)]


@pytest.mark.parametrize(
    ("step", "fraction"),
    [(0, 0.3), (25, 0.256066017), (50, 0.15), (75, 0.043933983), (99, 0.3 * 0.000246720), (100, 0), (120, 0)],
)
def test_cosine_falls_from_alpha_to_zero_and_stays_there(step, fraction):
    assert cosine(step, 0.3, 100) == pytest.approx(fraction, abs=1e-9)


@pytest.mark.parametrize(("step", "fraction"), [(0, 0.3), (49, 0.3), (50, 0.3), (75, 0.15), (100, 0), (101, 0)])
def test_cosine_starts_to_fall_at_begin(step, fraction):
    assert cosine(step, 0.3, 100, begin=50) == pytest.approx(fraction, abs=1e-15)


@given(st.integers(0, 99), st.floats(0, 1), st.integers(100, 1000), st.integers(0, 50))
def test_cosine_is_the_formula_evaluated_as_written(step, alpha, t_end, begin):
    formula = alpha / 2 * (1 + cos(pi * (step - begin) / (t_end - begin)))
    assert cosine(step, alpha, t_end, begin) == (formula if step >= begin else alpha)


@pytest.mark.parametrize(("step", "fraction"), [(0, 0.3), (25, 0.225), (50, 0.15), (99, 0.003), (100, 0), (150, 0)])
def test_linear_falls_to_zero_and_stays_there(step, fraction):
    assert linear(step, 0.3, 100) == pytest.approx(fraction, abs=1e-15)


@pytest.mark.parametrize(("step", "fraction"), [(10, 0.4), (20, 0.4), (40, 0.2), (60, 0), (70, 0)])
def test_linear_starts_to_fall_at_begin(step, fraction):
    assert linear(step, 0.4, 60, begin=20) == pytest.approx(fraction, abs=1e-15)


@pytest.mark.parametrize(
    ("step", "fraction"), [(0, 0.3), (25, 0.1265625), (50, 0.0375), (75, 0.0046875), (99, 3e-7), (100, 0), (120, 0)]
)
def test_inverse_power_falls_to_zero_and_stays_there(step, fraction):
    assert inverse_power(step, 0.3, 100, k=3) == pytest.approx(fraction, abs=1e-15)


@pytest.mark.parametrize(("step", "fraction"), [(0, 0.4), (20, 0.4), (40, 0.1), (60, 0), (70, 0)])
def test_inverse_power_starts_to_fall_at_begin(step, fraction):
    assert inverse_power(step, 0.4, 60, 2, begin=20) == pytest.approx(fraction, abs=1e-15)


@given(st.integers(0, 150), st.floats(0, 1), st.integers(0, 50))
def test_inverse_power_of_one_is_linear(step, alpha, begin):
    assert inverse_power(step, alpha, 100, 1, begin) == linear(step, alpha, 100, begin)


def test_constant_stays():
    assert [constant(step, 0.3) for step in (0, 10**9)] == [0.3, 0.3]


@pytest.mark.parametrize(
    ("step", "sparsity"), [(0, 0), (10, 0), (20, 0.4625), (30, 0.7), (40, 0.7875), (50, 0.8), (999, 0.8)]
)
def test_cubic_is_the_sparsity_of_zhu_and_gupta(step, sparsity):
    assert cubic(step, 10, 50, 0.8) == pytest.approx(sparsity, abs=1e-12)


@pytest.mark.parametrize(("final", "initial"), [(0.8, 0.1), (0.7, 0.3), (0.95, 0.2)])
def test_cubic_is_exact_at_both_ends_without_the_formula(final, initial):
    assert [cubic(step, 10, 45, final, initial) for step in (0, 10, 45, 46)] == [initial, initial, final, final]


@given(st.integers(0, 40), st.integers(1, 40), st.floats(0, 1), st.floats(0, 1))
def test_every_decay_falls_and_cubic_rises_step_by_step(begin, length, low, high):
    low, high = sorted((low, high))
    end, steps = begin + length, range(begin + length + 3)
    for fractions in (
        [cosine(step, high, end, begin) for step in steps],
        [linear(step, high, end, begin) for step in steps],
        [inverse_power(step, high, end, 3, begin) for step in steps],
        [-cubic(step, begin, end, high, low) for step in steps],
    ):
        assert all(a >= b - 1e-15 for a, b in pairwise(fractions))
        assert -high <= min(fractions) <= max(fractions) <= high


@pytest.mark.parametrize(
    ("schedule", "end"),
    [
        (lambda end, begin: cosine(0, 0.3, end, begin), "t_end"),
        (lambda end, begin: linear(0, 0.3, end, begin), "t_end"),
        (lambda end, begin: inverse_power(0, 0.3, end, 3, begin), "t_end"),
        (lambda end, begin: cubic(0, begin, end, 0.8), "end"),
    ],
)
@pytest.mark.parametrize(("last", "begin"), [(5, 10), (10, 10), (nan, 10)])
def test_an_end_that_does_not_come_after_begin_is_refused(schedule, end, last, begin):
    with pytest.raises(ValueError, match=rf"^{end} is {last}, begin is 10; {end} must come after begin"):
        schedule(last, begin)


@pytest.mark.parametrize(
    ("when", "steps"),
    [
        (every(4, 20), [4, 8, 12, 16]),
        (every(4, 18), [4, 8, 12, 16]),
        (every(4, 17), [4, 8, 12, 16]),
        (every(4, 16), [4, 8, 12]),
        (every(4, 4), []),
        (every(1, 4), [1, 2, 3]),
        (every(4, 13, begin=0), [0, 4, 8, 12]),
        (every(10, 90, begin=50), [50, 60, 70, 80]),
        (every(10, 20, begin=50), []),
        (every(4, 20, begin=2), [2, 6, 10, 14, 18]),
    ],
)
def test_updates_come_at_one_period_and_then_a_period_apart_and_never_at_the_end(when, steps):
    assert steps_of(when) == steps


def test_epoch_methods_rewire_after_the_last_batch_of_every_epoch_but_the_last():
    batches, epochs = 5, 4
    assert steps_of(every(batches, until=epochs * batches - 1, begin=batches - 1)) == [4, 9, 14]


def test_gradual_pruning_has_its_last_update_at_the_end():
    when = every(10, 45, begin=10)
    assert [step for step in range(60) if when(step) or step == 45] == [10, 20, 30, 40, 45]


def test_rigl_on_mnist_has_499_updates():
    assert len(steps_of(every(100, 50_000), 60_000)) == 499


def test_every_without_an_end_goes_on():
    assert every(100, inf)(10**9)


@pytest.mark.parametrize(("period", "error"), [(0, ValueError), (-3, ValueError), (2.5, TypeError), (True, TypeError)])
def test_a_period_that_is_no_whole_number_from_one_is_refused(period, error):
    with pytest.raises(error, match=rf"period is {period}; expected a whole number from 1"):
        every(period, 100)


def test_learning_rates_fall_at_their_steps():
    assert [step_rate(0.5, 10, 0.5)(step) for step in (0, 9, 10, 19, 20)] == [0.5, 0.5, 0.25, 0.25, 0.125]
    assert [multi_step_rate(0.5, (7, 9), 0.5)(step) for step in (0, 6, 7, 8, 9, 99)] == [
        0.5,
        0.5,
        0.25,
        0.25,
        0.125,
        0.125,
    ]
    assert [cosine_rate(0.5, 10)(step) for step in (0, 5, 10, 11)] == pytest.approx([0.5, 0.25, 0, 0], abs=1e-15)


def test_a_learning_rate_with_period_zero_is_refused():
    with pytest.raises(ValueError, match="period is 0; expected a whole number from 1"):
        step_rate(0.1, 0, 0.5)
