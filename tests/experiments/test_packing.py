"""Arrays come back from text as they went in."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from minisparse.experiments.packing import packed, unpacked_counts, unpacked_mask

SHAPES = array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9)


@given(arrays(bool, SHAPES))
def test_a_mask_comes_back(mask):
    assert np.array_equal(unpacked_mask(json.loads(json.dumps(packed(mask))), mask.shape), mask)


@given(arrays(np.int64, SHAPES, elements=st.integers(0, 65_535)))
def test_counts_come_back(counts):
    assert np.array_equal(unpacked_counts(packed(counts), counts.shape), counts)


@pytest.mark.parametrize("value", [-1, 65_536, 0.5])
def test_numbers_that_two_bytes_do_not_hold_are_refused(value):
    with pytest.raises(ValueError, match="expected 0 to 65,535"):
        packed(np.array([1, value]))


def test_a_mask_of_the_first_layer_takes_a_bit_for_every_connection():
    assert len(packed(np.ones((784, 300), bool))) == 784 * 300 / 8 * 4 / 3
