"""Data sets: MNIST from files, a user's files, refusals that name the file, batches that can be replayed."""

import gzip
import hashlib
import io
import os
import sys
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st

from minisparse import data
from minisparse.data import download

needs_mnist = pytest.mark.skipif("MINISPARSE_DATA" not in os.environ, reason="MINISPARSE_DATA is not set")
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def write(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(gzip.compress(content))
    return folder / name


@pytest.fixture
def pin(monkeypatch):
    """pin(name, content): from here on this is the known content of that file."""
    return lambda name, content: monkeypatch.setitem(download.SHA256, name, hashlib.sha256(content).hexdigest())


def write_fashion(pin, directory, n_images=7, n_labels=7, top_label=9):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n_images, 28, 28))
    labels = np.full(n_labels, top_label)
    for file, content in ((TRAIN_IMAGES, idx(images)), (TRAIN_LABELS, idx(labels))):
        write(directory / "fashion_mnist", file, content)
        pin(f"fashion_mnist/{file.removesuffix('.gz')}", content)
    return images, labels


@needs_mnist
def test_mnist_has_60000_and_10000_images_and_the_known_first_labels():
    images, labels = data.load("mnist")
    assert images.shape == (60_000, 28, 28, 1)
    assert labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert round(images.mean() / 255, 4) == 0.1307
    test_images, test_labels = data.load("mnist", split="test")
    assert test_images.shape == (10_000, 28, 28, 1)
    assert test_labels[:4].tolist() == [7, 2, 1, 0]


@needs_mnist
@pytest.mark.parametrize("name", [TRAIN_IMAGES, TRAIN_LABELS])
def test_a_truncated_mnist_file_is_named(tmp_path, name):
    source = Path(os.environ["MINISPARSE_DATA"]) / "mnist"
    (tmp_path / "mnist").mkdir()
    for file in (TRAIN_IMAGES, TRAIN_LABELS):
        content = (source / file).read_bytes()
        (tmp_path / "mnist" / file).write_bytes(content[: len(content) // 2] if file == name else content)
    with pytest.raises(ValueError, match=f"{name} is not a gzip file, or is truncated"):
        data.load("mnist", tmp_path)


def test_another_file_in_mnists_place_is_refused_by_its_hash(tmp_path):
    write(tmp_path / "mnist", TRAIN_IMAGES, idx(np.zeros((5, 28, 28))))
    write(tmp_path / "mnist", TRAIN_LABELS, idx(np.zeros(5)))
    with pytest.raises(
        ValueError, match=r"train-images-idx3-ubyte.gz is not the expected file: its content has SHA-256"
    ):
        data.load("mnist", tmp_path)


def test_labels_in_the_images_place_are_refused_by_their_header(tmp_path):
    write(tmp_path / "mnist", TRAIN_IMAGES, idx(np.zeros(5)))
    with pytest.raises(ValueError, match="begins with 00000801; an IDX file of 3 byte axes begins with 00000803"):
        data.load("mnist", tmp_path)


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x", lambda c: c[:9]])
def test_an_idx_file_of_another_length_than_its_header_says_is_refused(tmp_path, change):
    path = write(tmp_path, "x.gz", change(idx(np.zeros((5, 28, 28)))))
    with pytest.raises(ValueError, match=r"x.gz has (more than )?\d+ bytes after decompression; its header says"):
        data.read_idx(path, axes=3)


@pytest.mark.parametrize(
    ("header", "content", "says"),
    [
        ((5, 28, 28), np.zeros(1 << 26, np.uint8), "has more than 3936 bytes .* says 3936"),
        ((3, 10_000, 10_000), np.random.default_rng(0).bytes(1 << 20), "has 1048592 bytes .* says 300000016"),
        ((2**32 - 1, 2**32 - 1, 2**32 - 1), b"\0" * 99, r"has at most \d+ bytes .* says 79228162458924105385300197391"),
    ],
    ids=["a bomb", "a header that says more than there is", "a header that says more than there can be"],
)
def test_an_idx_file_takes_memory_for_what_its_header_says_and_for_what_is_there(tmp_path, header, content, says):
    inside = bytes([0, 0, 8, 3]) + np.array(header, ">u4").tobytes() + bytes(content)
    path = write(tmp_path, "x.gz", inside)
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"x.gz {says}"):
        data.read_idx(path, axes=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 22


def test_an_idx_file_of_zeros_which_gzip_packs_as_tightly_as_it_can_is_read(tmp_path):
    path = write(tmp_path, "x.gz", idx(np.zeros((20_000, 28, 28))))
    assert path.stat().st_size * 1024 < 20_000 * 28 * 28
    assert not data.read_idx(path, axes=3).any()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_rightly_or_refused_by_name(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.gz"
    for inside in (content, bytes([0, 0, 8, 1]) + content, idx(np.frombuffer(content, np.uint8))):
        path.write_bytes(gzip.compress(inside))
        n = int.from_bytes(inside[4:8], "big")
        if inside[:4] == bytes([0, 0, 8, 1]) and len(inside) == 8 + n:
            assert data.read_idx(path, axes=1).tobytes() == inside[8:]
        else:
            with pytest.raises(ValueError, match=r"fuzz\.gz"):
                data.read_idx(path, axes=1)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"fuzz\.gz"):
        data.read_idx(path, axes=1)


def test_fashion_mnist_is_read_from_a_folder(tmp_path, pin):
    images, labels = write_fashion(pin, tmp_path)
    got_images, got_labels = data.load("fashion_mnist", tmp_path)
    assert (got_images[..., 0] == images).all()
    assert (got_labels == labels).all()


def test_the_folder_may_come_from_the_environment(tmp_path, monkeypatch, pin):
    write_fashion(pin, tmp_path)
    monkeypatch.setenv("MINISPARSE_DATA", str(tmp_path))
    assert len(data.load("fashion_mnist")[0]) == 7


def test_images_of_another_size_are_refused(tmp_path, pin):
    for file, content in ((TRAIN_IMAGES, idx(np.zeros((2, 20, 20)))), (TRAIN_LABELS, idx(np.zeros(2)))):
        write(tmp_path / "fashion_mnist", file, content)
        pin(f"fashion_mnist/{file.removesuffix('.gz')}", content)
    with pytest.raises(ValueError, match=r"train-images.* has images of \(20, 20\) pixels; expected \(28, 28\)"):
        data.load("fashion_mnist", tmp_path)


def test_images_and_labels_must_be_as_many_and_labels_in_range(tmp_path, pin):
    write_fashion(pin, tmp_path, n_labels=6)
    with pytest.raises(ValueError, match="has 6 labels for 7 images"):
        data.load("fashion_mnist", tmp_path)
    write_fashion(pin, tmp_path, top_label=10)
    with pytest.raises(ValueError, match="has a label 10; expected 0 to 9"):
        data.load("fashion_mnist", tmp_path)


def cifar_archive(pin, directory, records=10_000, label=3, files=("test_batch.bin",)):
    (directory / "cifar10").mkdir(exist_ok=True)
    record = bytes([label]) + bytes([1]) * 1024 + bytes([2]) * 1024 + bytes([3]) * 1024
    with tarfile.open(directory / "cifar10" / "cifar-10-binary.tar.gz", "w:gz", compresslevel=1) as archive:
        for name in files:
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = records * 3073
            archive.addfile(member, io.BytesIO(record * records))
            pin(f"cifar10/{name}", record * records)


def test_cifar10_comes_from_the_binary_archive_channels_last(tmp_path, pin):
    cifar_archive(pin, tmp_path)
    images, labels = data.load("cifar10", tmp_path, "test")
    assert images.shape == (10_000, 32, 32, 3)
    assert (images == [1, 2, 3]).all()
    assert (labels == 3).all()


@pytest.mark.long
def test_a_damaged_cifar10_archive_is_refused(tmp_path, pin):
    cifar_archive(pin, tmp_path, records=9)
    with pytest.raises(ValueError, match=r"test_batch.bin in .* has 27657 bytes"):
        data.load("cifar10", tmp_path, "test")
    with pytest.raises(ValueError, match="is not the CIFAR-10 binary archive, or is damaged"):
        data.load("cifar10", tmp_path, "train")
    cifar_archive(pin, tmp_path, records=20_001)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"test_batch.bin in .* has 61463073 bytes; expected 30730000"):
        data.load("cifar10", tmp_path, "test")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()
    cifar_archive(pin, tmp_path, label=200)
    with pytest.raises(ValueError, match="has a label 200"):
        data.load("cifar10", tmp_path, "test")
    path = tmp_path / "cifar10" / "cifar-10-binary.tar.gz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="or is damaged"):
        data.load("cifar10", tmp_path, "test")


def test_unknown_names_are_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"'imagenet'; expected digits, .*, cifar10, mnist-small"):
        data.load("imagenet")
    with pytest.raises(ValueError, match="split is 'valid'; expected 'train' or 'test'"):
        data.load("digits", split="valid")
    with pytest.raises(
        FileNotFoundError, match=r"train-images-idx3-ubyte.gz does not exist; --data-dir or MINISPARSE_DATA"
    ):
        data.load("mnist", tmp_path)


def serve_mirrors(monkeypatch, cache, answers):
    """Let pooch's cache be `cache` and every mirror answer as `answers` says: bytes, or an error to raise."""
    import pooch

    asked = []

    def download(self, url, output_file, pup, check_only=False):
        asked.append(url)
        answer = answers[len(asked) - 1]
        if isinstance(answer, Exception):
            raise answer
        Path(output_file).write_bytes(answer)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", download)
    monkeypatch.setattr(pooch, "os_cache", lambda name: cache)
    monkeypatch.delenv("MINISPARSE_DATA", raising=False)
    return asked


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_another_file_than_the_authors_is_refused(tmp_path, name, pin):
    write_fashion(pin, tmp_path) if name == "fashion_mnist" else cifar_archive(pin, tmp_path)
    split = "train" if name == "fashion_mnist" else "test"
    assert len(data.load(name, tmp_path, split)[0])
    for known in [known for known in download.SHA256 if known.startswith(name)]:
        pin(known, b"something else")
    with pytest.raises(ValueError, match="is not the expected file: its content has SHA-256"):
        data.load(name, tmp_path, split)


@pytest.mark.long
@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_data_sets_are_downloaded_from_their_mirrors_once(tmp_path, monkeypatch, pin, name):
    made = tmp_path / "made"
    made.mkdir()
    if name == "fashion_mnist":
        write_fashion(pin, made)
        files, split = (TRAIN_IMAGES, TRAIN_LABELS), "train"
    else:
        cifar_archive(pin, made)
        files, split = ("cifar-10-binary.tar.gz",), "test"
    contents = [(made / name / file).read_bytes() for file in files]
    asked = serve_mirrors(monkeypatch, tmp_path / "cache", contents)
    for _ in range(2):
        assert (data.load(name, split=split)[0] == data.load(name, made, split)[0]).all()
    assert [url.rpartition("/")[2] for url in asked] == list(files)


def test_a_dead_network_gives_one_sentence_naming_the_option_and_the_included_data(tmp_path, monkeypatch):
    asked = serve_mirrors(monkeypatch, tmp_path, [OSError("unreachable")] * 9)
    with pytest.raises(ConnectionError, match="--data digits, or part of MNIST with --data mnist-small"):
        data.load("mnist")
    assert len({url.split("/")[2] for url in asked}) == len(download.MIRRORS["mnist"]) >= 2


def test_without_pooch_as_in_a_browser_mnist_is_refused_with_what_to_do_instead(monkeypatch):
    monkeypatch.delenv("MINISPARSE_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ConnectionError, match=r"^mnist could not be downloaded: .*pooch.*--data mnist-small$"):
        data.load("mnist")


def test_a_mirror_that_sends_something_else_is_passed_over_and_forgotten(tmp_path, monkeypatch):
    images, labels = idx(np.ones((3, 28, 28))), idx(np.ones(3))
    for name, content in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        monkeypatch.setitem(download.SHA256, f"mnist/{name}", hashlib.sha256(content).hexdigest())
    good = [gzip.compress(images), gzip.compress(labels)]
    asked = serve_mirrors(monkeypatch, tmp_path, [b"<html>moved</html>", good[0], good[1]])
    got = data.load("mnist")
    assert got[0].shape == (3, 28, 28, 1)
    assert len(asked) == 3
    assert data.load("mnist")[0].shape == (3, 28, 28, 1)
    assert len(asked) == 3, "the second time it comes from the cache"


def test_inputs_are_rows_between_0_and_1():
    images = np.array([[[0], [255]], [[51], [102]]], np.uint8)[..., None]
    got = data.as_inputs(images)
    assert got.dtype == np.float32
    assert np.allclose(got, [[0, 1], [0.2, 0.4]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_inputs_are_the_nearest_numbers_to_pixels_over_255(xp, dtype):
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 8, 16, 1)
    inputs = data.as_inputs(give(xp, pixels), dtype)
    assert inputs.dtype == dtype
    assert (back(inputs) == (pixels.reshape(2, 128) / 255).astype(dtype)).all()


@given(st.integers(1, 40), st.data())
def test_an_epoch_is_a_shuffle_and_any_batch_can_be_had_alone(n, draw):
    size = draw.draw(st.integers(1, n))
    seed = draw.draw(st.integers(0, 5))
    x = np.arange(n)[:, None]
    per_epoch = n // size
    run = list(data.batches(x, np.arange(n), size, seed, stop=3 * per_epoch))
    for epoch in range(3):
        seen = np.concatenate([y for _, y in run[epoch * per_epoch : (epoch + 1) * per_epoch]])
        assert len(set(seen.tolist())) == len(seen) == per_epoch * size
    assert all((inputs[:, 0] == labels).all() for inputs, labels in run)
    start = draw.draw(st.integers(0, 3 * per_epoch))
    later = list(data.batches(x, np.arange(n), size, seed, start, 3 * per_epoch))
    assert len(later) == 3 * per_epoch - start
    assert all((a[1] == b[1]).all() for a, b in zip(later, run[start:], strict=True))


def test_every_epoch_and_every_seed_has_its_own_order():
    x, y = np.arange(100), np.arange(100)
    first, second = (labels for _, labels in data.batches(x, y, 100, seed=0, stop=2))
    ((_, other),) = data.batches(x, y, 100, seed=1, stop=1)
    assert not (first == second).all()
    assert not (first == other).all()


def test_batches_refuse_what_does_not_fit():
    x, y = np.arange(10), np.arange(10)
    with pytest.raises(ValueError, match="inputs has 10 examples, labels has 9"):
        next(data.batches(x, y[:9], 2, 0))
    for size in (0, 11):
        with pytest.raises(ValueError, match=f"size is {size}; expected a whole number from 1 to 10"):
            next(data.batches(x, y, size, 0))
    with pytest.raises(ValueError, match="start is -1"):
        next(data.batches(x, y, 2, 0, start=-1))
