"""Photographs: crops and flips against loops, and scaling against the formula."""

import numpy as np
import pytest
from arrays import back, give
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import data
from minisparse.data import Scaled, by_channel, crops_and_flips


def photographs(n, size=6, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, channels)).astype(np.uint8)


def slow_crop(image, top, left, mirrored, pad):
    h, w, c = image.shape
    framed = np.zeros((h + 2 * pad, w + 2 * pad, c), image.dtype)
    framed[pad : pad + h, pad : pad + w] = image
    cropped = framed[top : top + h, left : left + w]
    return cropped[:, ::-1] if mirrored else cropped


@settings(max_examples=examples(40))
@given(st.integers(0, 3), st.integers(0, 5), st.integers(0, 4))
def test_every_image_is_a_crop_of_the_framed_image_or_its_mirror_image(pad, seed, epoch):
    images = photographs(8)
    got = crops_and_flips(8, seed, pad)(images, np.arange(8), epoch)
    for image, crop in zip(images, got, strict=True):
        every = [slow_crop(image, i, j, m, pad) for i in range(2 * pad + 1) for j in range(2 * pad + 1) for m in (0, 1)]
        assert any(np.array_equal(crop, one) for one in every)


@given(st.lists(st.integers(0, 19), min_size=1, max_size=20), st.integers(0, 3))
def test_a_crop_depends_on_seed_epoch_and_example_and_not_on_the_batch(places, epoch):
    images, places = photographs(20), np.array(places)
    augment = crops_and_flips(20, seed=1)
    together = augment(images, np.arange(20), epoch)
    assert np.array_equal(augment(images[places], places, epoch), together[places])
    assert np.array_equal(crops_and_flips(20, seed=1)(images, np.arange(20), epoch), together)


def test_every_crop_occurs_as_often_and_half_are_mirrored():
    n = 20_000
    images = np.zeros((n, 3, 3, 1), np.uint8)
    images[:, 1, 1] = 1
    images[:, 1, 2] = 2
    got = crops_and_flips(n, 0, pad=1)(images, np.arange(n), 0)[..., 0]
    where = np.argwhere(got == 1)
    seen, counts = np.unique(where[:, 1:], axis=0, return_counts=True)
    assert len(seen) == 9
    assert abs(counts - n / 9).max() < 250
    to_the_right = sum(got[i, r, c + 1] == 2 for i, r, c in where if 0 < c < 2)
    assert abs(to_the_right / sum(0 < c < 2 for _, _, c in where) - 0.5) < 0.03


def test_another_epoch_or_seed_crops_otherwise():
    images, places = photographs(50), np.arange(50)
    a, b = (crops_and_flips(50, seed) for seed in (0, 1))
    assert not np.array_equal(a(images, places, 0), a(images, places, 1))
    assert not np.array_equal(a(images, places, 0), b(images, places, 0))


def test_scaled_is_the_formula_to_the_bit(xp):
    images, mean, std = photographs(9), [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
    scaled = Scaled(give(xp, images), mean, std)
    expected = ((images / 255 - mean) / std).astype(np.float32)
    assert scaled.shape == expected.shape
    assert (scaled.ndim, scaled.dtype, len(scaled)) == (4, np.float32, 9)
    assert np.array_equal(back(scaled[2:5]), expected[2:5])
    chosen = xp.asarray([7, 0])
    assert np.array_equal(back(scaled[chosen]), expected[[7, 0]])


@settings(max_examples=examples(25))
@given(st.integers(2, 9), st.integers(1, 3), st.integers(0, 9))
def test_by_channel_gives_mean_0_and_variance_1_on_the_training_set(n, channels, seed):
    train, test = photographs(n, 5, channels, seed), photographs(3, 5, channels, seed + 1)
    scaled, other = by_channel(train, test)
    values = scaled[:].astype(float)
    assert abs(values.mean(axis=(0, 1, 2))).max() < 1e-6
    assert abs(values.std(axis=(0, 1, 2)) - 1).max() < 1e-6
    assert np.allclose(scaled.mean, (train / 255).mean(axis=(0, 1, 2)))
    assert np.array_equal(other.mean, scaled.mean)
    assert np.array_equal(other.std, scaled.std)


def test_batches_crop_anew_in_every_epoch_and_can_start_anywhere():
    images, labels = photographs(12), np.arange(12)
    (scaled,) = by_channel(images)
    inputs = scaled.augmented(crops_and_flips(12, seed=3))
    run = list(data.batches(inputs, labels, 4, seed=3, stop=9))
    later = list(data.batches(inputs, labels, 4, seed=3, start=5, stop=9))
    for (x, y), (x_again, y_again) in zip(run[5:], later, strict=True):
        assert np.array_equal(x, x_again)
        assert np.array_equal(y, y_again)
    for epoch in range(3):
        for x, y in run[3 * epoch : 3 * epoch + 3]:
            crops = crops_and_flips(12, seed=3)(images[y], y, epoch)
            assert np.array_equal(x, Scaled(crops, scaled.mean, scaled.std)[:])
    plain = next(data.batches(scaled, labels, 4, seed=3))
    assert np.array_equal(plain[0], scaled[plain[1]])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: crops_and_flips(0, 0), "n is 0"),
        (lambda: crops_and_flips(3, -1), "seed is -1"),
        (lambda: crops_and_flips(3, 0, pad=-1), "pad is -1"),
        (lambda: Scaled(np.zeros((2, 3, 3, 1)), [0.5], [1.0]), "dtype float64"),
        (lambda: Scaled(photographs(2), [0.5], [1.0]), "expected 3 numbers each"),
        (lambda: Scaled(photographs(2), [0.5] * 3, [1.0, 1.0, 0.0]), "std above 0"),
        (lambda: by_channel(np.ones((2, 3, 3, 1), np.uint8)), "channels of a single value"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
