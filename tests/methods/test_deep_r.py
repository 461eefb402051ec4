"""Deep R against the paper's loop on θ = s w."""

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_family import slow_deep_r_update
from strategies import SHAPES, SMALL, tied

from minisparse.methods.deep_r import crossed, deep_r_update


@st.composite
def signed_layers(draw):
    """A weight that is zero where its mask is false, the mask, where signs are negative, and noise."""
    shape = draw(SHAPES)
    mask, negative = draw(hnp.arrays(bool, shape)), draw(hnp.arrays(bool, shape))
    return np.where(mask, draw(tied(shape)), 0.0), mask, negative, draw(hnp.arrays(float, shape, elements=SMALL))


@given(signed_layers())
def test_deep_r_is_its_slow_twin(xp, layer):
    got = back(deep_r_update(*(give(xp, array) for array in layer)))
    assert got.dtype == bool
    assert (got == slow_deep_r_update(*layer)).all()


@given(signed_layers())
def test_the_number_of_connections_is_constant_and_only_crossed_ones_go(layer):
    weight, mask, negative, _ = layer
    new, gone = deep_r_update(*layer), crossed(weight, mask, negative)
    assert new.sum() == mask.sum()
    assert ((mask & ~new) <= gone).all()
    assert (new >= (mask & ~gone)).all()


@given(signed_layers())
def test_weights_that_have_their_sign_or_are_zero_have_not_crossed(layer):
    weight, mask, negative, noise = layer
    signed = np.where(negative, -abs(weight), abs(weight))
    assert not crossed(signed, mask, negative).any()
    assert (deep_r_update(signed, mask, negative, noise) == mask).all()
    assert (crossed(-signed, mask, negative) == (mask & (weight != 0))).all()


def test_by_hand(xp):
    weight = np.array([0.5, -0.5, 0.1, -0.1, 0.0, 0, 0, 0])
    mask = np.array([True] * 5 + [False] * 3)
    negative = np.array([False, True, True, False, True, False, True, False])
    noise = np.array([0.0, 0, 0, 0, 0, 1, 3, 2])
    arrays = [give(xp, array) for array in (weight, mask, negative, noise)]
    assert back(crossed(*arrays[:3])).tolist() == [False, False, True, True, False, False, False, False]
    assert back(deep_r_update(*arrays)).tolist() == [True, True, False, False, True, False, True, True]


def test_one_that_went_dormant_may_be_drawn_again():
    weight, mask, none = np.array([-1.0, 3, 0, 0]), np.array([True, True, False, False]), np.zeros(4, bool)
    assert (deep_r_update(weight, mask, none, np.array([2.0, 9, 1, 0])) == mask).all()
    assert deep_r_update(weight, mask, none, np.array([1.0, 9, 2, 0])).tolist() == [False, True, True, False]
    full = np.ones(4, bool)
    assert (deep_r_update(weight, full, none, np.zeros(4)) == full).all()


def test_bad_input_is_refused():
    mask = np.array([True, False])
    with pytest.raises(ValueError, match=r"negative has shape \(3,\), weight has \(2,\)"):
        crossed(np.ones(2), mask, np.zeros(3, bool))
    with pytest.raises(ValueError, match=r"noise has shape \(3,\), weight has \(2,\)"):
        deep_r_update(np.ones(2), mask, mask, np.zeros(3))
    with pytest.raises(ValueError, match="score is NaN"):
        deep_r_update(np.ones(2), mask, mask, np.full(2, np.nan))
