"""Structured masks against loops that choose group by group."""

import re

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_methods import slow_block_mask, slow_n_of_m_mask
from strategies import SMALL

from minisparse.masks import top_k
from minisparse.methods.structure import block_mask, n_of_m_mask, unit_mask


@st.composite
def grouped(draw):
    """A score full of ties whose last two axes are multiples of (m, p), and (m, p)."""
    m, p = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    outer = draw(st.sampled_from([(), (2,), (2, 1)]))
    shape = (*outer, m * draw(st.integers(0, 3)), p * draw(st.integers(0, 3)))
    return draw(hnp.arrays(float, shape, elements=SMALL)), m, p


@given(grouped(), st.data())
def test_n_of_m_is_the_loop_over_groups(case, data):
    score, m, _ = case
    n = data.draw(st.integers(0, m))
    mask = n_of_m_mask(score, n, m)
    assert np.array_equal(mask, slow_n_of_m_mask(score, n, m))
    assert mask.sum() == score.size * n // m


@given(grouped(), st.data())
def test_blocks_are_the_loop_over_blocks(case, data):
    score, m, p = case
    n_keep = data.draw(st.integers(0, score.size // (m * p)))
    mask = block_mask(score, n_keep, (m, p))
    assert np.array_equal(mask, slow_block_mask(score, n_keep, (m, p)))
    assert mask.sum() == n_keep * m * p


@given(grouped(), st.data())
def test_units_are_blocks_as_long_as_their_inputs(case, data):
    score = case[0].reshape(-1, case[0].shape[-1]) if case[0].size else np.zeros((2, 3))
    n_keep = data.draw(st.integers(0, score.shape[1]))
    assert np.array_equal(unit_mask(score, n_keep), slow_block_mask(score, n_keep, (len(score), 1)))


@given(hnp.arrays(float, hnp.array_shapes(min_dims=2, max_dims=3, max_side=5), elements=SMALL), st.data())
def test_blocks_of_one_weight_are_top_k(score, data):
    k = data.draw(st.integers(0, score.size))
    assert np.array_equal(block_mask(score, k, (1, 1)), top_k(score, k))


def test_two_of_four_by_hand(xp):
    score = np.array([[1.0, 4], [2, 4], [3, 4], [0, 4], [0, -1], [0, -2], [5, -3], [0, -4]])
    mask = back(n_of_m_mask(give(xp, score), 2, 4))
    assert mask.T.astype(int).tolist() == [[0, 1, 1, 0, 1, 0, 1, 0], [1, 1, 0, 0, 1, 1, 0, 0]]


def test_blocks_and_units_by_hand(xp):
    score = np.array([[1.0, 1, 9, 0], [1, 1, 0, 0], [0, 0, 2, 2], [0, 4, 2, 2]])
    assert back(block_mask(give(xp, score), 2, (2, 2))).astype(int).tolist() == [[0, 0, 1, 1]] * 2 + [[0, 0, 1, 1]] * 2
    assert back(unit_mask(give(xp, score), 2)).astype(int).tolist() == [[0, 1, 1, 0]] * 4


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: n_of_m_mask(np.ones((6, 2)), 2, 4), "m is 4, score has shape (6, 2)"),
        (lambda: n_of_m_mask(np.ones((8, 2)), 5, 4), "n is 5"),
        (lambda: n_of_m_mask(np.ones(8), 2, 4), "score has shape (8,)"),
        (lambda: n_of_m_mask(np.full((4, 1), np.nan), 2, 4), "score is NaN at 4 of 4 entries"),
        (lambda: block_mask(np.ones((4, 4)), 1, (3, 2)), "block is (3, 2), score has shape (4, 4)"),
        (lambda: block_mask(np.ones((4, 4)), 5, (2, 2)), "k is 5"),
        (lambda: block_mask(np.full((2, 2), np.nan), 1, (2, 2)), "score is NaN at 4 of 4 entries"),
        (lambda: unit_mask(np.float64(1.0).reshape(()), 0), "score has shape ()"),
        (lambda: unit_mask(np.ones((4, 3)), 4), "k is 4"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        call()
