"""Sums and products channel by channel are what plain NumPy makes of whole arrays."""

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st

from minisparse import channels

SHAPES = st.sampled_from([(3, 2), (5, 1), (4, 3, 2, 3), (2, 1, 1, 1), (70, 4, 5, 2)])


@given(shape=SHAPES, seed=st.integers(0, 99))
def test_all_of_them_are_those_of_whole_arrays(xp, shape, seed):
    rng = np.random.default_rng(seed)
    x, g, (a, b, c) = rng.standard_normal(shape), rng.standard_normal(shape), rng.standard_normal((3, shape[-1]))
    axes, close = tuple(range(len(shape) - 1)), {"rtol": 1e-10, "atol": 1e-12}
    X, G, A, B, C = (give(xp, own) for own in (x, g, a, b, c))
    mean, var = channels.moments(X)
    np.testing.assert_allclose(back(mean), x.mean(axis=axes), **close)
    np.testing.assert_allclose(back(var), x.var(axis=axes), **close)
    np.testing.assert_allclose(back(channels.scaled(X, A, B, C)), (x - a) * b + c, **close)
    total, centred = channels.sums(G, X, A)
    np.testing.assert_allclose(back(total), g.sum(axis=axes), **close)
    np.testing.assert_allclose(back(centred), (g * (x - a)).sum(axis=axes), **close)
    np.testing.assert_allclose(back(channels.combined(G, A, X, B, C)), g * a + x * b + c, **close)


@pytest.mark.parametrize(
    ("mean", "deviation"), [(0, 1), (1, 1), (1.9, 1), (2.1, 1), (-300, 1), (1e4, 1), (7, 0), (0, 0)]
)
def test_moments_keep_their_digits_however_far_the_mean_is(mean, deviation):
    """In float32, beside the same numbers in float64."""
    x = (mean + deviation * np.random.default_rng(0).standard_normal((200, 8, 8, 3))).astype(np.float32)
    got, (axes, wide) = channels.moments(x), ((0, 1, 2), x.astype(float))
    np.testing.assert_allclose(got[0], wide.mean(axis=axes), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(got[1], wide.var(axis=axes), rtol=1e-5, atol=1e-12)


def test_moments_of_numbers_whose_squares_overflow():
    x = np.full((4, 8, 8, 3), 2.0**80, np.float32)
    mean, var = channels.moments(x)
    assert (mean == 2.0**80).all()
    assert (var == 0).all()


@pytest.mark.parametrize("shape", [(6, 3), (6, 2, 4, 3)])
def test_nothing_that_was_given_is_written_to(shape):
    x = np.ones(shape)
    x.flags.writeable = False
    row = np.ones(3)
    channels.scaled(x, row, row, row)
    channels.combined(x, row, x, row, row)
    channels.sums(x, x, row)
    channels.moments(x)
