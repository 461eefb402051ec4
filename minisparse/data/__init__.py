"""Data sets as uint8 images and integer labels, checked when read; and batches that can be replayed.

The digits and a small MNIST come with the package. All of MNIST is read from a directory, or downloaded once. Hashes
are of the decompressed files, since mirrors compress the same data differently; only hashes computed from the files
themselves are pinned.
"""

from .batches import as_inputs, batches
from .files import Dataset, from_file, read_idx
from .load import READERS, load
