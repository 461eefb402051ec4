"""What Lee et al. 2019 printed, and how ours is computed."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...allocate import density_of
from ..packing import unpacked_counts
from ..studies import NAMES, Row, each, gap, orderings, rows

PAPER = "Lee et al. 2019"
TABLE_1 = {  # network: {sparsity: error in %}, 0 is the whole network
    "lenet-300-100": {0.0: 1.7, 0.95: 1.6, 0.98: 2.4},
    "lenet-5": {0.0: 0.9, 0.98: 0.8, 0.99: 1.1},
}
FIGURE_3 = {1: 1.94, 10: 1.72, 100: 1.64, 1_000: 1.56, 10_000: 1.40}  # pruning batch: error in %, 90 % sparse
SHORT = "fewer iterations than the paper's 250,000; mean of 20 seeds there; last epoch"


def table_1(network: str) -> tuple[Row, ...]:
    """Errors, whole and sparse."""
    tolerance = {"lenet-300-100": 0.2, "lenet-5": 0.15}[network]
    return rows(f"snip/{network}/", f"{PAPER}, table 1", *(
        (f"error-{100 * sparsity:.0f}" if sparsity else "error-dense",
         f"{NAMES[network]}, {f'{100 * sparsity:.0f} % sparse by SNIP' if sparsity else 'whole'}: error",
         paper, "%", tolerance, each("error_last", sparsity=sparsity),
         SHORT if sparsity or network == "lenet-300-100" else f"at half the paper's rate; {SHORT}")
        for sparsity, paper in TABLE_1[network].items()
    ), below=True)  # fmt: skip


def connections(network: str, size: int, *sparsities: float) -> tuple[Row, ...]:
    """The weights kept, of `size`."""
    return rows(f"snip/{network}/", f"{PAPER}, section 4: κ of {size:,} weights", *(
        (f"weights-{100 * sparsity:.0f}", f"{NAMES[network]}, {100 * sparsity:.0f} % sparse by SNIP: weights kept",
         float(round(size * density_of(sparsity))), "weights", 0.5,
         each(lambda result: sum(result["weights"].values()), sparsity=sparsity))
        for sparsity in sparsities
    ), note="to the weight; weights alone, where the authors' code counts biases too")  # fmt: skip


TABLE_3 = rows("snip/lenet-300-100/", f"{PAPER}, table 3",
    ("error-90", "LeNet-300-100, 90 % sparse: error", 1.91, "%", 0.2, each("error_last", sparsity=0.9),
     "there by Adam at 1e-3 without L2 from Glorot's initial weights, 1.91 ± 0.10; " + SHORT),
    below=True,
)  # fmt: skip
BATCH = rows("snip/batch/", f"{PAPER}, figure 3", *(
    (f"error-{size}", f"LeNet-300-100, 90 % sparse by SNIP on {size:,} example{'s' * (size > 1)}: error",
     paper, "%", 0.2, each("error_last", pruning_batch=size))
    for size, paper in FIGURE_3.items()
), below=True, note=SHORT) + orderings("snip/batch/", f"{PAPER}, figure 3",
    ("more-is-better", "LeNet-300-100, 90 % sparse: error with SNIP on 1 example above that on 10,000",
     gap("error_last", {"pruning_batch": 1}, {"pruning_batch": 10_000}), "0.54 points in the paper"),
)  # fmt: skip


def redrawn(sparsity: float, result: Mapping[str, Any]) -> float:
    """The number of classes whose surviving pixels correlate most with the mean image of the same class."""
    pixels = [unpacked_counts(text, (784,)) for text in result["pixels"][str(sparsity)]]
    means = [unpacked_counts(text, (784,)) for text in result["means"]]
    alike = np.corrcoef([*pixels, *means])[:10, 10:]
    return float((alike.argmax(axis=1) == np.arange(10)).sum())


CLASSES = orderings("snip/classes/", f"{PAPER}, figure 2",
    ("redrawn", "LeNet-300-100, 90 % sparse by one class: classes whose surviving pixels are most like that class",
     each(lambda result: redrawn(0.9, result)),
     "the paper shows pictures; by correlation, nine of ten or more count as redrawn"),
    unit="classes", tolerance=8.5,
)  # fmt: skip


LEARNT, SPARSE = ("accuracy_by_epoch", -1), {"sparsity": 0.99}
LABELS = orderings("snip/random-labels/", f"{PAPER}, figure 4",
    ("true-above-random",
     "LeNet-5, 99 % sparse: accuracy on training images with true labels above that with random ones",
     gap(LEARNT, {"labels": "true", **SPARSE}, {"labels": "random", **SPARSE})),
    ("dense-above-sparse",
     "LeNet-5, random labels: accuracy on training images of the whole network above the 99 % sparse one's",
     gap(LEARNT, {"labels": "random", "sparsity": 0.0}, {"labels": "random", **SPARSE})),
    tolerance=50.0, note="the paper shows curves; 5,000 images, without L2, so that the whole network can learn them",
)  # fmt: skip
