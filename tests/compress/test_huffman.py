"""Huffman codes: optimal, prefix-free, and the inverse of decoding; the slow twin joins trees."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_sharing import slow_huffman_lengths

from minisparse.compress import codewords, decode, encode, huffman_lengths

COUNTS = st.lists(st.integers(0, 6) | st.integers(0, 1000), min_size=1, max_size=20)


@given(COUNTS)
def test_lengths_are_those_of_joined_trees(counts):
    assert huffman_lengths(counts).tolist() == slow_huffman_lengths(counts).tolist()


@given(COUNTS.filter(lambda counts: sum(map(bool, counts)) > 1))
def test_the_mean_length_is_between_the_entropy_and_one_bit_more(counts):
    total = sum(counts)
    entropy = -sum(n / total * math.log2(n / total) for n in counts if n)
    mean = float(np.array(counts) @ huffman_lengths(counts)) / total
    assert entropy - 1e-9 <= mean < entropy + 1


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_no_prefix_code_is_shorter(counts):
    """All lengths that Kraft's inequality allows."""
    ours = int(np.array(counts) @ huffman_lengths(counts))
    longest = len(counts) - 1

    def best(left, room):
        if not left:
            return 0 if room >= 0 else math.inf
        some = (n * left[0] + best(left[1:], room - 2.0**-n) for n in range(1, longest + 1) if room >= 2.0**-n)
        return min(some, default=math.inf)

    assert ours == best(counts, 1.0)


@given(COUNTS)
def test_no_codeword_begins_another(counts):
    lengths = huffman_lengths(counts).tolist()
    words = [f"{c:0{n}b}" for c, n in zip(codewords(lengths).tolist(), lengths, strict=True) if n]
    assert not [a for i, a in enumerate(words) for j, b in enumerate(words) if i != j and b.startswith(a)]


@given(st.lists(st.integers(0, 9), max_size=60))
def test_decoding_undoes_encoding(symbols):
    lengths = huffman_lengths(np.bincount(symbols, minlength=10) if symbols else [0])
    data = encode(np.array(symbols, int), lengths)
    assert decode(data, lengths, len(symbols)).tolist() == symbols
    assert len(data) == math.ceil(sum(int(lengths[s]) for s in symbols) / 8)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_another_stream_is_refused_or_other_symbols(symbols, data):
    """A bit flipped: the codes have no checksum, the file has."""
    lengths = huffman_lengths(np.bincount(symbols, minlength=6))
    right = encode(np.array(symbols), lengths)
    place = data.draw(st.integers(0, 8 * len(right) - 1))
    other = bytearray(right)
    other[place // 8] ^= 1 << place % 8
    try:
        got = decode(bytes(other), lengths, len(symbols)).tolist()
    except ValueError:
        return
    assert got != symbols


def test_by_hand():
    assert huffman_lengths([5, 1, 1, 2]).tolist() == [1, 3, 3, 2]
    assert [f"{c:b}" for c in codewords([1, 3, 3, 2]).tolist()] == ["0", "110", "111", "10"]
    assert encode(np.array([0, 3, 1, 2]), np.array([1, 3, 3, 2])) == bytes([0b01011011, 0b10000000])
    assert huffman_lengths([0, 7, 0]).tolist() == [0, 1, 0], "a single symbol has a bit"
    assert huffman_lengths([0, 0]).tolist() == [0, 0]


def test_equal_counts_keep_the_longest_codeword_short():
    assert huffman_lengths([1, 1, 2, 2]).tolist() == [2, 2, 2, 2], "not 3, 3, 2, 1, which is as good"


def test_fibonacci_s_counts_have_the_longest_codewords():
    counts = [1, 1]
    while len(counts) < 50:
        counts.append(counts[-1] + counts[-2])
    lengths = huffman_lengths(counts)
    assert lengths.max() == 49
    symbols = np.array([0, 49, 1, 25])
    assert decode(encode(symbols, lengths), lengths, 4).tolist() == symbols.tolist()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: huffman_lengths([3, -1]), r"counts\[1\] is -1; expected a whole number from 0"),
        (lambda: codewords([1, 1, 1]), "two codewords would begin alike"),
        (lambda: codewords([1, 2]), "longer than they need to be"),
        (lambda: codewords([2]), "longer than they need to be"),
        (lambda: codewords([1, 64]), "lengths has 1 to 64; expected bits from 1 to 63"),
        (lambda: encode(np.array([0, 1]), np.array([1, 0])), "symbols has 1, which has no codeword"),
        (lambda: decode(b"", [1], 1), "data holds 0 symbols in 0 of 0 bits; expected 1 and no more"),
        (lambda: decode(b"\0\0", [1, 1], 3), "data holds 3 symbols in 3 of 16 bits"),
        (lambda: decode(b"\1", [1, 1], 3), "data holds 3 symbols in 3 of 8 bits"),
        (lambda: decode(b"\0", [0, 0], 1), "data holds 0 symbols"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_counts_are_whole_numbers():
    with pytest.raises(TypeError, match=r"counts\[0\] is 0\.5"):
        huffman_lengths([0.5])
