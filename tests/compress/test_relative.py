"""Relative positions: a walk from weight to weight, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_sharing import slow_relative_index

from minisparse.compress import positions, relative_index

PLACES = st.sets(st.integers(0, 400), max_size=20).map(lambda places: np.array(sorted(places), np.int64))


@given(PLACES, st.integers(1, 9))
def test_it_is_the_walk_and_comes_back(places, bits):
    steps, real = relative_index(places, bits)
    twin = slow_relative_index(places, bits)
    assert steps.tolist() == twin[0].tolist()
    assert real.tolist() == twin[1].tolist()
    assert positions(steps, real).tolist() == places.tolist()
    assert not steps.size or 1 <= steps.min() <= steps.max() <= 2**bits


def test_figure_2():
    """Weights at 1, 4 and 15 of the figure, counted from 1: steps 1, 3, 8 (a filler), 3."""
    steps, real = relative_index(np.array([0, 3, 14]), 3)
    assert steps.tolist() == [1, 3, 8, 3]
    assert real.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("places", "bits", "words"),
    [
        ([3, 3], 5, "places has 0 between two neighbours; expected positions that ascend from 0"),
        ([4, 1], 5, "places has -3 between"),
        ([-1, 2], 5, "places has 0 between"),
        ([1], 0, "bits is 0; expected a whole number from 1 to 32"),
    ],
)
def test_bad_input_is_refused(places, bits, words):
    with pytest.raises(ValueError, match=words):
        relative_index(np.array(places), bits)
