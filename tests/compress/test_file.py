"""The compressed file: what was written comes back, to the last bit, or is refused. Noise: tests/test_fuzz.py."""

import json
import re
from hashlib import sha256

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minisparse.compress.file import CHECKSUM, MAGIC, Shared, measured, read, written

SHAPES = hnp.array_shapes(max_dims=4, min_side=0, max_side=6)


@st.composite
def shared(draw):
    mask = draw(hnp.arrays(bool, draw(SHAPES)))
    k = draw(st.integers(1, 9))
    values = draw(hnp.arrays(draw(st.sampled_from(["f2", "f4", "f8"])), k, elements=st.integers(-9, 9)))
    index = draw(hnp.arrays(np.int64, int(mask.sum()), elements=st.integers(0, k - 1)))
    return Shared(mask, values, index, draw(st.integers(1, 8)))


@settings(max_examples=examples(60))
@given(st.lists(shared() | hnp.arrays("f4", SHAPES), max_size=4))
def test_what_is_written_comes_back(tmp_path_factory, layers):
    path = tmp_path_factory.mktemp("file") / "network"
    names = [f"layer {i}, ünïcode" for i in range(len(layers))]
    back = read(written(path, dict(zip(names, layers, strict=True))))
    assert list(back) == names
    for layer, own in zip(layers, back.values(), strict=True):
        pairs = [(layer, own)] if isinstance(layer, np.ndarray) else list(zip(layer, own, strict=True))
        for a, b in pairs:
            a, b = np.asarray(a), np.asarray(b)
            assert a.dtype == b.dtype
            assert a.shape == b.shape
            assert a.tobytes() == b.tobytes()
        if isinstance(layer, Shared):
            assert own.weight().tobytes() == layer.weight().tobytes()


@given(shared())
def test_the_sizes_are_those_of_the_streams(layer):
    entry = measured(layer)
    assert entry.connections == layer.mask.sum() <= entry.entries
    assert entry.weight_huffman <= entry.weight_bits
    assert entry.index_huffman <= max(1, entry.index_bits)
    assert entry.coded <= entry.fixed
    assert entry.codebook == 8 * layer.values.nbytes


def example():
    mask = np.arange(60).reshape(10, 6) % 7 == 2
    index = np.arange(int(mask.sum())) % 3
    return {"fc.weight": Shared(mask, np.array([-1, 0.5, 2], np.float32), index, 2), "fc.bias": np.ones(6, np.float32)}


def test_positions_run_output_by_output(tmp_path):
    """A full column of one output is steps of 1: the input is the inner axis."""
    mask = np.zeros((20, 3), bool)
    mask[:, 1] = True
    layer = Shared(mask, np.ones(1, np.float32), np.zeros(20, int), 5)
    assert measured(layer).index_huffman == pytest.approx(1.0), "two kinds of steps, 21 and 1, and so a bit each"


def sealed(content):
    return content + sha256(content).digest()


def changed(tmp_path, change):
    """The example with its header changed, and a right checksum."""
    path = written(tmp_path / "network", example())
    body, place = path.read_bytes()[:-CHECKSUM], len(MAGIC) + 4
    length = int.from_bytes(body[len(MAGIC) : place], "little")
    header = json.loads(body[place : place + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(sealed(MAGIC + len(text).to_bytes(4, "little") + text + body[place + length :]))
    return path


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("shape", [10, 7], "more"),
        ("shape", [2, 2], r"a weight is at \d+ of 4"),
        ("shape", [2**20, 2**20], "expected at most"),
        ("shape", [10, -6], "whole number from 0"),
        ("shape", "10", "expected a list"),
        ("dtype", "object", "expected one of float16"),
        ("values", 2, "."),
        ("values", 10**12, "bytes are left; expected"),
        ("index_bits", 0, "index_bits is 0"),
        ("index_bits", 40, "index_bits is 40"),
        ("entries", 3, "and no more"),
        ("streams", [1], "."),
        ("streams", [1, 10**9], "."),
        ("name", "fc.bias", "holds 'fc.bias' twice"),
    ],
)
def test_a_header_of_other_numbers_is_refused(tmp_path, key, value, words):
    path = changed(tmp_path, lambda header: header["layers"][0].update({key: value}))
    if words == "more":  # a column more: a mask of another width, which no checksum can know
        assert read(path)["fc.weight"].mask.shape == (10, 7)
        return
    with pytest.raises(
        ValueError, match=f"{re.escape(str(path))} is no compressed network, or a damaged one: .*{words}"
    ):
        read(path)


def test_what_follows_the_last_layer_is_refused(tmp_path):
    path = written(tmp_path / "network", example())
    path.write_bytes(sealed(path.read_bytes()[:-CHECKSUM] + b"more"))
    with pytest.raises(ValueError, match="4 bytes follow the last layer"):
        read(path)


def test_another_file_another_version_and_a_flipped_bit_are_refused(tmp_path):
    path = written(tmp_path / "network", example())
    right = path.read_bytes()
    for place in range(0, len(right), 7):
        other = bytearray(right)
        other[place] ^= 1
        path.write_bytes(other)
        with pytest.raises(ValueError, match=r"it does not (begin with|end in)"):
            read(path)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="it does not begin with 'minisparse, compressed 1'"):
        read(path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing")


def test_arrays_that_no_file_holds_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'a' has dtype int64; expected one of float16, float32, float64"):
        written(tmp_path / "network", {"a": np.arange(3)})
    with pytest.raises(ValueError, match="index_bits of 'a' is 17"):
        written(tmp_path / "network", {"a": example()["fc.weight"]._replace(index_bits=17)})
    assert not list(tmp_path.iterdir())
