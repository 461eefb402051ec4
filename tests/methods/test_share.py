"""Weight sharing against loops and exact fractions, and what k-means and summed gradients promise."""

from itertools import pairwise

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_sharing import (
    slow_density_centroids,
    slow_kmeans_step,
    slow_linear_centroids,
    slow_random_centroids,
    slow_shared_gradient,
)
from strategies import SMALL

from minisparse.methods.share import (
    density_centroids,
    kmeans,
    kmeans_step,
    linear_centroids,
    random_centroids,
    shared_gradient,
)

VALUES = hnp.arrays(float, st.integers(1, 12), elements=SMALL)
NUMBERS = hnp.arrays(float, st.integers(1, 20), elements=st.floats(-4, 4, width=32))


def within(values, index, centroids):
    """Equation 2."""
    return float(((values - centroids[index]) ** 2).sum())


@given(VALUES, st.integers(1, 8))
def test_linear_centroids_are_even_steps(xp, values, k):
    got = linear_centroids(give(xp, values), k)
    np.testing.assert_allclose(back(got), slow_linear_centroids(values, k), rtol=1e-15, atol=1e-15)


@given(VALUES, st.integers(1, 30))
def test_density_centroids_are_where_the_cdf_reaches_the_middle_of_each_part(xp, values, k):
    assert back(density_centroids(give(xp, values), k)).tolist() == slow_density_centroids(values, k).tolist()


@given(VALUES, st.data())
def test_random_centroids_are_weights_that_were_drawn(xp, values, data):
    k = data.draw(st.integers(1, len(values)))
    noise = data.draw(hnp.arrays(float, len(values), elements=SMALL))
    got = random_centroids(give(xp, values), k, give(xp, noise))
    assert back(got).tolist() == slow_random_centroids(values, k, noise).tolist()


@given(VALUES, hnp.arrays(float, st.integers(1, 6), elements=st.sampled_from([-2.0, -0.5, 0.0, 1.0, 1.5, 3.0])))
def test_a_step_is_its_slow_twin(xp, values, centroids):
    index, means = kmeans_step(give(xp, values), give(xp, centroids))
    expected = slow_kmeans_step(values, centroids)
    assert back(index).tolist() == expected[0].tolist()
    np.testing.assert_allclose(back(means), expected[1], rtol=1e-15)


@given(NUMBERS, hnp.arrays(float, st.integers(1, 6), elements=st.floats(-4, 4, width=32)))
def test_no_step_increases_the_sum_within_clusters(values, centroids):
    sums = []
    for _ in range(4):
        index, means = kmeans_step(values, centroids)
        sums += [within(values, index, centroids), within(values, index, means)]
        centroids = means
    assert all(after <= before + 1e-12 * (1 + before) for before, after in pairwise(sums))


@given(NUMBERS, st.integers(1, 6))
def test_kmeans_ends_where_every_weight_has_its_nearest_centroid_and_that_is_their_mean(values, k):
    index, centroids = kmeans(values, linear_centroids(values, k))
    far = abs(values[:, None] - centroids)
    assert (far[np.arange(len(values)), index] <= far.min(axis=1) + 1e-12).all()
    for i in set(index.tolist()):
        assert centroids[i] == pytest.approx(values[index == i].mean(), abs=1e-12)


def test_figure_3(xp):
    """The paper's 4 × 4 weights, rounded to the nearest shared value, and its gradients: sums by colour."""
    weight = np.array([2.09, -0.98, 1.48, 0.09, 0.05, -0.14, -1.08, 2.12, -0.91, 1.92, 0, -1.03, 1.87, 0, 1.53, 1.49])
    grad = np.array(
        [-0.03, -0.01, 0.03, 0.02, -0.01, 0.01, -0.02, 0.12, -0.01, 0.02, 0.04, 0.01, -0.07, -0.02, 0.01, -0.02]
    )
    index, means = kmeans_step(give(xp, weight), give(xp, np.array([-1.0, 0, 1.5, 2])))
    assert back(index).tolist() == [3, 0, 2, 1, 1, 1, 0, 3, 0, 3, 1, 0, 3, 1, 2, 2]
    np.testing.assert_allclose(back(means), [-1, 0, 1.5, 2])
    np.testing.assert_allclose(back(shared_gradient(give(xp, grad), index, 4)), [-0.03, 0.04, 0.02, 0.04])


@given(st.data(), st.integers(1, 5))
def test_summed_gradients_are_the_loop(xp, data, k):
    grad = data.draw(hnp.arrays(np.float32, st.integers(0, 12), elements=SMALL))
    index = data.draw(hnp.arrays(np.int64, len(grad), elements=st.integers(0, k - 1)))
    got = shared_gradient(give(xp, grad), give(xp, index), k)
    assert back(got).tolist() == slow_shared_gradient(grad, index, k).tolist()
    assert got.dtype == np.float32


def test_it_stops_after_so_many_steps():
    values = np.arange(40.0) ** 2
    start = linear_centroids(values, 6)
    first, second = kmeans(values, start, 1), kmeans(values, start, 2)
    assert all(np.array_equal(a, b) for a, b in zip(first, kmeans_step(values, start), strict=True))
    assert not np.array_equal(first[1], second[1])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linear_centroids(np.zeros(0), 2), r"values have shape \(0,\); expected at least one finite weight"),
        (lambda: density_centroids(np.zeros((2, 2)), 2), r"values have shape \(2, 2\); expected .* on one axis"),
        (lambda: kmeans_step(np.array([1, np.nan]), np.zeros(1)), "expected at least one finite weight"),
        (lambda: linear_centroids(np.ones(3), 0), "k is 0; expected a whole number from 1"),
        (lambda: random_centroids(np.ones(3), 4, np.ones(3)), "k is 4; expected a whole number from 1 to 3"),
        (lambda: random_centroids(np.ones(3), 2, np.ones(2)), r"noise has shape \(2,\), values has \(3,\)"),
        (lambda: kmeans(np.ones(3), np.ones(1), 0), "most is 0; expected a whole number from 1"),
        (lambda: shared_gradient(np.ones(3), np.array([0, 1, 2]), 2), "index has 0 to 2; expected .* below k, 2"),
        (lambda: shared_gradient(np.ones(3), np.array([0, -1, 1]), 2), "index has -1 to 1"),
        (lambda: shared_gradient(np.ones(3), np.zeros(2, int), 2), "index has shape"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
