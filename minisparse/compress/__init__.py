"""Deep Compression's file (Han, Mao, Dally 2016): relative positions, shared values, Huffman codes."""

from .file import Entry, Plain, Shared, read, written
from .huffman import codewords, decode, encode, huffman_lengths
from .relative import positions, relative_index
