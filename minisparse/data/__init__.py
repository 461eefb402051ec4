"""Data sets as uint8 images and integer labels, checked when they are read; and batches that can be replayed.

The digits come with scikit-learn and need nothing. MNIST is read from a directory, or downloaded once. Hashes are of
the decompressed files, since the same data is compressed differently from one mirror to the next; only those that were
computed from the files themselves are pinned.
"""

from .batches import as_inputs, batches
from .files import Dataset, from_file, read_idx
from .load import READERS, load
