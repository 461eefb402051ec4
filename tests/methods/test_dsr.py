"""DSR against a loop over connections and exact fractions."""

import numpy as np
import pytest
from arrays import back, give_all
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_family import slow_dsr_update
from strategies import SHAPES, SMALL, tied

from minisparse.methods.dsr import dsr_update, next_threshold


@st.composite
def networks(draw):
    """Weights, masks and noise of up to three layers, full of ties, and a threshold that lies on some weights."""
    shapes = {f"layer{i}": shape for i, shape in enumerate(draw(st.lists(SHAPES, min_size=1, max_size=3)))}
    masks = {name: draw(hnp.arrays(bool, shape)) for name, shape in shapes.items()}
    weights = {name: np.where(masks[name], draw(tied(shape)), 0) for name, shape in shapes.items()}
    noise = {name: draw(hnp.arrays(float, shape, elements=SMALL)) for name, shape in shapes.items()}
    return weights, masks, noise, draw(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 4.0]))


@given(networks())
def test_dsr_is_its_slow_twin(xp, case):
    weights, masks, noise, threshold = case
    got = dsr_update(*(give_all(xp, arrays) for arrays in (weights, masks, noise)), threshold)
    expected = slow_dsr_update(*case)
    assert list(got) == list(masks)
    assert all((back(got[name]) == mask).all() for name, mask in expected.items())


@given(networks())
def test_the_total_stays_and_what_is_at_or_above_the_threshold_stays(case):
    weights, masks, _, threshold = case
    new = dsr_update(*case)
    assert sum(m.sum() for m in new.values()) == sum(m.sum() for m in masks.values())
    assert all((new[name] >= (mask & (abs(weights[name]) >= threshold))).all() for name, mask in masks.items())


@given(networks())
def test_a_threshold_of_zero_changes_nothing(case):
    new = dsr_update(*case[:3], 0.0)
    assert all((new[name] == mask).all() for name, mask in case[1].items())


def test_layers_get_connections_in_proportion_to_what_survives():
    """Of eight pruned, six survive in a and two in b: a gets six, b two."""
    weights = {"a": np.array([5.0] * 6 + [1] * 2 + [0] * 8), "b": np.array([5.0] * 2 + [1] * 6 + [0] * 8)}
    masks = {name: w != 0 for name, w in weights.items()}
    noise = {name: np.arange(16.0) for name in weights}
    new = dsr_update(weights, masks, noise, 2.0)
    assert (new["a"].sum(), new["b"].sum()) == (12, 4)
    assert np.flatnonzero(new["b"]).tolist() == [0, 1, 14, 15]


def test_a_full_layer_passes_its_excess_on_and_without_survivors_all_get_the_same():
    weights = {"a": np.array([5.0, 5, 1]), "b": np.array([1.0, 1, 0, 0, 0])}
    masks = {name: w != 0 for name, w in weights.items()}
    noise = {name: np.zeros(w.size) for name, w in weights.items()}
    assert [int(mask.sum()) for mask in dsr_update(weights, masks, noise, 2.0).values()] == [3, 2]
    assert [int(mask.sum()) for mask in dsr_update(weights, masks, noise, 9.0).values()] == [3, 2]
    weights["a"], masks["a"] = np.array([1.0, 0, 0]), np.array([True, False, False])
    assert [int(mask.sum()) for mask in dsr_update(weights, masks, noise, 9.0).values()] == [2, 1]


@pytest.mark.parametrize(
    ("n_pruned", "expected"), [(0, 2.0), (89, 2.0), (90, 1.0), (100, 1.0), (110, 1.0), (111, 0.5), (1000, 0.5)]
)
def test_the_threshold_doubles_below_and_halves_above_its_target(n_pruned, expected):
    assert next_threshold(1.0, n_pruned, 100, 0.1) == expected


@given(st.integers(-1000, 1000), st.integers(0, 50), st.integers(0, 50))
def test_thresholds_are_the_first_times_a_power_of_two(power, n_pruned, n_target):
    new = next_threshold(2.0**power, n_pruned, n_target)
    assert new in (2.0 ** (power - 1), 2.0**power, 2.0 ** (power + 1))
    assert (new > 2.0**power) <= (n_pruned < n_target)
    assert (new < 2.0**power) <= (n_pruned > n_target)


ONE = {"a": np.ones(2)}, {"a": np.ones(2, bool)}, {"a": np.ones(2)}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: dsr_update(*ONE, -1.0), "threshold is -1.0; expected a finite number from 0"),
        (lambda: dsr_update(*ONE, float("inf")), "threshold is inf"),
        (lambda: dsr_update(ONE[0], {"b": ONE[1]["a"]}, ONE[2], 1.0), "'b' is only in masks"),
        (lambda: dsr_update(*ONE[:2], {"b": np.ones(2)}, 1.0), "'b' is only in noise"),
        (lambda: dsr_update(*ONE[:2], {"a": np.ones(3)}, 1.0), r"its noise has shape \(3,\)"),
        (lambda: next_threshold(1.0, -1, 5), "n_pruned is -1"),
        (lambda: next_threshold(1.0, 1, -5), "n_target is -5"),
        (lambda: next_threshold(1.0, 1, 5, 1.0), r"tolerance is 1.0; expected a number in \[0, 1\)"),
        (lambda: next_threshold(float("nan"), 1, 5), "threshold is nan"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
