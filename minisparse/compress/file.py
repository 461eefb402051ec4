"""The compressed file: written whole, read back bit for bit, and refused if a bit of it has changed.

    magic       25 bytes, which name the format and its version
    length      4 bytes, little-endian: of the header
    header      JSON: {"layers": [...]}, of each layer its name, shape and the sizes of its parts
    parts       of each layer in order; of a shared one the shared values, the lengths of the codewords of the weights'
                and of the steps' symbols, a byte each, and the two streams; of a plain one its bytes
    checksum    32 bytes: the SHA-256 of all before

A shared layer's entries are its weights and fillers in order of their positions, outputs first: all inputs of output
0, then of output 1, as the weights of Caffe's layers lie. Symbol 0 of the weights is the zero of fillers, as in the
authors' decoder, and symbol i + 1 is shared value i; symbol i of the steps is a step of i + 1. Numbers are
little-endian.
"""

import json
import math
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array
from ..checks import whole
from ..files import replacing
from ..records import COUNT, TEXT, Kind, parsed
from .huffman import decode, encode, huffman_lengths
from .relative import positions, relative_index

MAGIC = b"minisparse, compressed 1\n"
CHECKSUM = 32  # bytes
DTYPES = ("float16", "float32", "float64")
DTYPE = Kind(f"one of {', '.join(DTYPES)}", lambda value: value in DTYPES)
MOST_WEIGHTS = 2**28  # of a layer: a header that says more is damage


class Shared(NamedTuple):
    """A layer of shared values.

    mask        (the weight's shape, bool): which connections exist
    values      (k,) the shared values, in the weight's dtype
    index       (n,) int: which of the values each connection has, in C order
    index_bits  of a step between connections
    """

    mask: Array
    values: Array
    index: Array
    index_bits: int

    def weight(self) -> Array:
        """The weight, zero where no connection is."""
        weight = np.zeros(self.mask.shape, self.values.dtype)
        weight[self.mask] = self.values[self.index]
        return weight


class Entry(NamedTuple):
    """What storing a layer takes, in bits, before (P+Q) and after Huffman coding (P+Q+H).

    weights, connections, entries   of the whole layer, those left, and with the fillers
    weight_bits, index_bits         of an entry: a fixed number; weight_huffman, index_huffman: on average
    codebook, dense_bits            of all shared values, and of a weight of the dense layer
    """

    weights: int
    connections: int
    entries: int
    weight_bits: int
    index_bits: int
    weight_huffman: float
    index_huffman: float
    codebook: int
    dense_bits: int

    @property
    def fixed(self) -> float:
        """Bits after pruning and quantization."""
        return self.entries * (self.weight_bits + self.index_bits) + self.codebook

    @property
    def coded(self) -> float:
        """Bits after Huffman coding, without the lengths of the codewords, as papers count."""
        return self.entries * (self.weight_huffman + self.index_huffman) + self.codebook


Plain = Array


def _symbols(layer: Shared) -> tuple[Array, Array]:
    """(weights' symbols, steps' symbols) of all entries."""
    turned = np.moveaxis(layer.mask, -1, 0)
    own = np.zeros(layer.mask.shape, np.int64)
    own[layer.mask] = layer.index
    steps, real = relative_index(np.flatnonzero(turned), layer.index_bits)
    values = np.zeros(len(steps), np.int64)
    values[real] = 1 + np.moveaxis(own, -1, 0)[turned]
    return values, steps - 1


def _counts(symbols: Array, n: int) -> Array:
    """How often each of n symbols occurs."""
    return np.bincount(symbols.astype(np.intp), minlength=n)  # 32 bits in a browser


def measured(layer: Shared) -> Entry:
    """What storing the layer takes."""
    values, steps = _symbols(layer)
    k = len(layer.values)
    counts = [_counts(s, n) for s, n in ((values, k + 1), (steps, 2**layer.index_bits))]
    weight, step = (float(n @ huffman_lengths(n)) / max(1, len(values)) for n in counts)
    bits, dense = max(1, math.ceil(math.log2(k + 1))), 8 * layer.values.itemsize
    return Entry(layer.mask.size, len(layer.index), len(values), bits, layer.index_bits, weight, step, dense * k, dense)


def written(path: Path, layers: Mapping[str, Shared | Plain]) -> Path:
    """Write the layers to `path`, in place of what is there, and return it. ValueError for arrays of other dtypes."""
    head: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name, layer in layers.items():
        about, own = _parts(name, layer)
        head.append({"name": name} | about)
        parts += own
    header = json.dumps({"layers": head}, separators=(",", ":")).encode()
    content = b"".join([MAGIC, len(header).to_bytes(4, "little"), header, *parts])
    with replacing(path) as unfinished:
        unfinished.write_bytes(content + sha256(content).digest())
    return path


def _parts(name: str, layer: Shared | Plain) -> tuple[dict[str, Any], list[bytes]]:
    values = layer.values if isinstance(layer, Shared) else np.asarray(layer)
    if values.dtype.name not in DTYPES:
        raise ValueError(f"{name!r} has dtype {values.dtype}; expected one of {', '.join(DTYPES)}")
    dtype, raw = values.dtype.name, values.astype(values.dtype.newbyteorder("<")).tobytes()
    if not isinstance(layer, Shared):
        return {"shape": list(values.shape), "dtype": dtype}, [raw]
    whole(f"index_bits of {name!r}", layer.index_bits, 1, 16)
    symbols = _symbols(layer)
    sizes = len(values) + 1, 2**layer.index_bits
    lengths = [huffman_lengths(_counts(s, n)) for s, n in zip(symbols, sizes, strict=True)]
    streams = [encode(*pair) for pair in zip(symbols, lengths, strict=True)]
    about = {
        "shape": list(layer.mask.shape), "dtype": dtype, "values": len(values), "index_bits": layer.index_bits,
        "entries": len(symbols[0]), "streams": [len(stream) for stream in streams],
    }  # fmt: skip
    return about, [raw, *(n.astype(np.uint8).tobytes() for n in lengths), *streams]


def read(path: Path) -> dict[str, Shared | Plain]:
    """The layers of a file that `written` wrote.

    ValueError naming the file and what is wrong with it, if it is another file, of another version, or a bit has
    changed.
    """
    content = Path(path).read_bytes()
    try:
        return _read(content)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(f"{path} is no compressed network, or a damaged one: {error}") from error


FORM = {"layers": [{"name": TEXT, "shape": [COUNT], "dtype": DTYPE}]}
SHARED = {"values": COUNT, "index_bits": COUNT, "entries": COUNT, "streams": [COUNT]}


def _read(content: bytes) -> dict[str, Shared | Plain]:
    if not content.startswith(MAGIC):
        raise ValueError(f"it does not begin with {MAGIC.decode().strip()!r}")
    body, digest = content[:-CHECKSUM], content[-CHECKSUM:]
    if sha256(body).digest() != digest:
        raise ValueError("it does not end in the SHA-256 of what it holds")
    place = len(MAGIC) + 4
    length = int.from_bytes(body[len(MAGIC) : place], "little")
    header = parsed(body[place : place + length], FORM, "its header")
    rest = _Bytes(body, place + length)
    layers: dict[str, Shared | Plain] = {}
    for about in header["layers"]:
        if about["name"] in layers:
            raise ValueError(f"it holds {about['name']!r} twice")
        if math.prod(about["shape"]) > MOST_WEIGHTS:
            raise ValueError(f"{about['name']!r} has shape {about['shape']}; expected at most {MOST_WEIGHTS:,} weights")
        layers[about["name"]] = _layer(about, rest)
    if rest.left:
        raise ValueError(f"{rest.left} bytes follow the last layer")
    return layers


class _Bytes:
    """Bytes, taken from the front."""

    def __init__(self, content: bytes, place: int):
        self.content, self.place = content, place

    @property
    def left(self) -> int:
        return len(self.content) - self.place

    def take(self, n: int) -> bytes:
        if n > self.left:
            raise ValueError(f"{self.left} bytes are left; expected {n}")
        self.place += n
        return self.content[self.place - n : self.place]

    def numbers(self, n: int, dtype: str) -> Array:
        kind = np.dtype(dtype)
        return np.frombuffer(self.take(n * kind.itemsize), kind.newbyteorder("<")).astype(kind)


def _layer(about: Mapping[str, Any], rest: _Bytes) -> Shared | Plain:
    shape = tuple(about["shape"])
    if "values" not in about:
        return rest.numbers(math.prod(shape), about["dtype"]).reshape(shape)
    about = parsed(json.dumps(about), SHARED, f"its layer {about['name']!r}")
    bits, n = whole("index_bits", about["index_bits"], 1, 16), about["entries"]
    values = rest.numbers(about["values"], about["dtype"])
    lengths = [rest.numbers(k, "uint8").astype(np.int64) for k in (len(values) + 1, 2**bits)]
    symbols, steps = (decode(rest.take(size), own, n) for size, own in zip(about["streams"], lengths, strict=True))
    places = positions(steps + 1, symbols > 0)
    turned = np.zeros(math.prod(shape), bool)
    if len(places) and places[-1] >= len(turned):
        raise ValueError(f"a weight is at {places[-1]} of {len(turned)}")
    turned[places] = True
    index = np.zeros(len(turned), np.int64)
    index[places] = symbols[symbols > 0] - 1
    around = (*shape[-1:], *shape[:-1])
    mask = np.moveaxis(turned.reshape(around), 0, -1)
    return Shared(np.ascontiguousarray(mask), values, np.moveaxis(index.reshape(around), 0, -1)[mask], bits)
