"""The images that come with the package: the published ones, of known classes, and as their script makes them."""

import hashlib
import lzma
from fractions import Fraction

import numpy as np
import pytest

from minisparse import data
from minisparse.data import included
from minisparse.data.included import FOLDER, INCLUDED
from tests.data import build

SPLITS = ("train", "test")


def whole(name):
    """(images (N, 28, 28), labels) of both splits together."""
    images, labels = zip(*(data.load(name, split=split) for split in SPLITS), strict=True)
    return np.concatenate(images)[..., 0], np.concatenate(labels)


@pytest.mark.parametrize(("name", "train", "test"), [("digits", 1_500, 297), ("mnist-small", 10_000, 2_000)])
def test_they_are_28_by_28_bytes_of_ten_classes(name, train, test):
    for split, n in zip(SPLITS, (train, test), strict=True):
        images, labels = data.load(name, split=split)
        assert (images.shape, images.dtype) == ((n, 28, 28, 1), np.uint8)
        assert (labels.shape, labels.dtype) == ((n,), np.int64)
        assert set(labels) == set(range(10))
        assert images.max() > 240
        images[0] = 0  # they are the caller's to write to


def test_they_are_the_published_bytes():
    known = {
        "digits": "956297bbfd91363d4ae6627c1ae6e88341145fa813bd0f69938c1692619c6be6",
        "mnist-small": "7e2583bad05657771ee599df6ea6251ad9a858db3f2a52099270c58ad49fe7d5",
    }
    for name, expected in known.items():
        assert hashlib.sha256(build.content(*whole(name))).hexdigest() == expected == INCLUDED[name].sha256
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_500_000


def test_no_processor_library_or_folder_has_a_say(tmp_path, monkeypatch):
    monkeypatch.setenv("MINISPARSE_DATA", str(tmp_path / "nowhere"))
    before = whole("digits")[0]
    monkeypatch.setattr(np, "matmul", None)
    monkeypatch.setattr(np, "interp", None)
    assert (whole("digits")[0] == before).all()


@pytest.mark.parametrize("change", [lambda c: c[:-9], lambda c: b"x" + c, lambda c: lzma.compress(b"another")])
def test_a_damaged_file_is_refused_by_name(tmp_path, monkeypatch, change):
    (tmp_path / "digits.xz").write_bytes(change((FOLDER / "digits.xz").read_bytes()))
    monkeypatch.setattr(included, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"digits\.xz is damaged: .*; install minisparse again"):
        data.load("digits")


@pytest.mark.long
def test_the_script_writes_nothing_but_the_published_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    images, labels = whole("digits")
    path = build.written("digits", build.content(images, labels))
    assert lzma.decompress(path.read_bytes()) == build.content(images, labels)
    path.unlink()
    images[0, 0, 0] += 1
    with pytest.raises(ValueError, match="digits has SHA-256"):
        build.written("digits", build.content(images, labels))
    assert not list(tmp_path.iterdir())


def test_mnist_small_has_each_class_as_often():
    for split, n in (("train", 1_000), ("test", 200)):
        assert np.bincount(data.load("mnist-small", split=split)[1]).tolist() == [n] * 10


@pytest.mark.parametrize("split", SPLITS)
def test_mnist_small_is_of_mnist_in_its_order(split):
    try:
        images, labels = data.load("mnist", split=split)
    except (ConnectionError, FileNotFoundError):
        pytest.skip("MNIST is not here")
    place = {image.tobytes(): n for n, image in enumerate(images)}
    small, small_labels = data.load("mnist-small", split=split)
    places = [place[image.tobytes()] for image in small]
    assert (labels[places] == small_labels).all()
    assert places == sorted(places)
    assert len(set(places)) == len(small)
    assert min(places) < 50
    assert max(places) > len(images) - 100, "from all of it, not from its beginning"


def test_digits_fill_20_by_20_pixels_centred_by_mass():
    images = whole("digits")[0].astype(float)
    for along in (images.sum(axis=2), images.sum(axis=1)):
        assert np.abs(along @ np.arange(28) / along.sum(axis=1) - 13.5).max() <= 0.51
        assert ((along > 0).sum(axis=1) <= 20).all()


def test_a_placed_digit_keeps_its_shape():
    small = np.zeros((1, 8, 8))
    small[0, 2:6, 3] = 16
    large = build.placed(small)[0]
    assert large.max() > 200
    assert np.isclose(large.sum() / 255, small.sum() / 16 * (20 / 8) ** 2, rtol=0.12)
    assert (np.flatnonzero(large.any(axis=1)) >= 4).all()


def test_digits_are_scikit_learns_interpolated_exactly_but_for_halves():
    source = pytest.importorskip("sklearn.datasets").load_digits()
    images, labels = whole("digits")
    assert (labels == source.target).all()
    spread = np.zeros((20, 8), int)  # tenths
    for row, end in zip(spread, range(-3, 74, 4), strict=True):
        end = min(max(end, 0), 70)
        row[end // 10] += 10 - end % 10
        if end % 10:
            row[end // 10 + 1] += end % 10
    exact = spread @ source.images.astype(int) @ spread.T * 255  # sixteen hundredths
    halves = 0
    for image, digit in zip(images, exact, strict=True):
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        inked = np.flatnonzero((digit > 800).any(axis=1)), np.flatnonzero((digit > 800).any(axis=0))
        top, left = rows[0] - inked[0][0], columns[0] - inked[1][0]
        off = 2 * np.abs(1600 * image[top : top + 20, left : left + 20].astype(int) - digit)
        assert (off <= 1600).all()
        halves += (off == 1600).sum()
    assert halves == 4_173
    assert Fraction(halves, images.size) < Fraction(1, 300)
