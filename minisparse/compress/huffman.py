"""Huffman codes: frequent symbols have short codewords, and no codeword begins another.

Han, Mao, Dally. "Deep Compression", ICLR 2016. arXiv:1510.00149, section 4, after Huffman 1952. A code is told by the
lengths of its codewords alone: `codewords` numbers them in one agreed order (canonical codes).
"""

import heapq
from collections.abc import Sequence

import numpy as np

from ..backend import Array, to_numpy
from ..checks import whole

LONGEST = 63  # bits of a codeword: symbols of such a length are rarer than one in 10^13


def huffman_lengths(counts: Sequence[int] | Array) -> Array:
    """(k,) int64: the length of each symbol's codeword in an optimal code; 0 for a symbol that never occurs.

    counts (k,): how often each occurs. A single symbol has a codeword of one bit. Of two equal counts the one that is
    older is joined first, symbols before joined ones, in order: of all optimal codes, this has the shortest longest
    codeword. TypeError for counts that are not whole numbers, ValueError for negative ones.
    """
    queue = [(whole(f"counts[{i}]", n, 0), i, [i]) for i, n in enumerate(np.asarray(to_numpy(counts)).tolist()) if n]
    lengths = np.zeros(len(counts), np.int64)
    if len(queue) == 1:
        lengths[queue[0][1]] = 1
    heapq.heapify(queue)
    for age in range(len(lengths), len(lengths) + len(queue) - 1):
        (a, _, some), (b, _, others) = heapq.heappop(queue), heapq.heappop(queue)
        lengths[some + others] += 1
        heapq.heappush(queue, (a + b, age, some + others))
    return lengths


def codewords(lengths: Sequence[int] | Array) -> Array:
    """(k,) int64: the codewords as numbers, ascending by length and then by symbol; 0 where the length is 0.

    ValueError for lengths of which no prefix code exists, or that leave codewords unused, except a single one of one
    bit.
    """
    lengths = np.asarray(lengths, np.int64)
    used = sorted((length, symbol) for symbol, length in enumerate(lengths.tolist()) if length)
    if used and not 0 < used[0][0] <= used[-1][0] <= LONGEST:
        raise ValueError(f"lengths has {used[0][0]} to {used[-1][0]}; expected bits from 1 to {LONGEST}")
    codes, code, before = np.zeros(len(lengths), np.int64), -1, 0
    for length, symbol in used:
        code = (code + 1) << (length - before)
        codes[symbol], before = code, length
        if code >> length:
            raise ValueError("lengths are too short: two codewords would begin alike")
    if used and code + 1 != 1 << before and [length for length, _ in used] != [1]:
        raise ValueError("lengths are longer than they need to be: some bits would mean no symbol")
    return codes


def encode(symbols: Array, lengths: Array) -> bytes:
    """The codewords of `symbols` (n,), one after the other, filled up to whole bytes with zeros.

    ValueError for a symbol without a codeword.
    """
    codes, n = codewords(lengths)[symbols], np.asarray(lengths, np.intp)[symbols]
    if (n == 0).any():
        raise ValueError(f"symbols has {int(np.asarray(symbols)[n == 0][0])}, which has no codeword")
    owner = np.repeat(np.arange(len(n)), n)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(n) - n, n)
    return np.packbits((codes[owner] >> (n[owner] - 1 - place) & 1).astype(np.uint8)).tobytes()


def decode(data: bytes, lengths: Array, n: int) -> Array:
    """The n symbols that `encode` wrote, (n,) int64.

    ValueError unless `data` ends with the last of them and with zeros up to a whole byte.
    """
    codes = codewords(lengths).tolist()
    table = {(length, codes[symbol]): symbol for symbol, length in enumerate(np.asarray(lengths).tolist()) if length}
    found: list[int] = []
    code = length = used = 0
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).tolist()
    for bit in bits:
        if len(found) == n:
            break
        code, length, used = 2 * code + bit, length + 1, used + 1
        if (symbol := table.get((length, code))) is not None:
            found.append(symbol)
            code = length = 0
    if len(found) < n or len(bits) - used > 7 or any(bits[used:]):
        raise ValueError(f"data holds {len(found)} symbols in {used} of {len(bits)} bits; expected {n} and no more")
    return np.array(found, np.int64)
