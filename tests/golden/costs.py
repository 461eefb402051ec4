"""Golden cases of what a network costs: multiply-adds, the papers' training costs, and bytes."""

from fractions import Fraction
from math import prod

import numpy as np

from tests.golden.case import Function, bits


def slow_forward(costs, masks_or_densities):
    dense = sparse = Fraction(0)
    for name, cost in costs.items():
        kept = masks_or_densities.get(name, 1)
        if isinstance(kept, np.ndarray):
            kept = Fraction(sum(kept.ravel().tolist()), kept.size)
        dense, sparse = dense + Fraction(cost), sparse + Fraction(cost) * Fraction(kept)
    return float(dense), float(sparse)


def slow_training_cost(method, dense, sparse, period=None):
    """Batch by batch: forward, backward to the inputs, backward to the weights."""
    d, s = Fraction(dense), Fraction(sparse)
    batch = {"dense": d + d + d, "snfs": s + s + d}.get(method, s + s + s)
    if method == "rigl":
        batch = sum([batch] * min(period, 10**4), Fraction(0)) * Fraction(period, min(period, 10**4))
        batch = (batch + s + s + d) / (period + 1)
    return float(batch)


def slow_storage(shape, n_active, kind="dense"):
    bits_of = {
        "dense": [32] * prod(shape),
        "bitmask": [32] * n_active + [1] * prod(shape),
        "csr": [32 + 32] * n_active + [32] * (prod(shape[:-1]) + 1),
    }
    return float(Fraction(sum(bits_of[kind]), 8))


FORWARD = Function("forward", "costs masks_or_densities", slow_forward)
TRAINING = Function("training_cost", "method dense sparse period", slow_training_cost)
STORAGE = Function("storage", "shape n_active kind", slow_storage)
FUNCTIONS = [FORWARD, TRAINING, STORAGE]

LENET = {"fc1.weight": 235200, "fc2.weight": 30000, "fc3.weight": 1000}  # 784-300-100-10
LENET_5 = {"conv1.weight": 288000, "conv2.weight": 1600000, "fc1.weight": 400000, "fc2.weight": 5000}


def same(function, profile, *inputs):
    return {profile: function(*inputs)}


FORWARD.case(
    "lenet-300-100-dense",
    "multiply-adds, of which papers print the double: LeNet-300-100 has 266 200, and 532 400 FLOPs",
    LENET, {},
    pin="L1", expected=(266200.0, 266200.0), source="papers.md (B) 2: 532 400 FLOPs",
)  # fmt: skip
FORWARD.case(
    "lenet-300-100-at-98",
    "a layer without a density counts in full: RigL's MNIST network has 4,704 + 3,540 + 1,000 connections",
    LENET, {"fc1.weight": 0.02, "fc2.weight": 0.118},
    pin="L1", expected=(266200.0, 9244.0), source="papers.md (B) 11",
)  # fmt: skip
FORWARD.case(
    "lenet-5-by-han",
    "a kernel's weight costs a multiply-add at each of its positions, so that the densities of Han et al.'s table 3 "
    "weigh more in the convolutions",
    LENET_5, {"conv1.weight": 0.66, "conv2.weight": 0.12, "fc1.weight": 0.08, "fc2.weight": 0.19},
    pin="L1", expected=(2293000.0, 415030.0),
    source="by hand: 190 080 + 192 000 + 32 000 + 950; the sum is half of papers.md (B) 2's 4 586 000 FLOPs",
)  # fmt: skip
FORWARD.case(
    "masks",
    "of a mask its share of connections counts, at every position of a convolution: 3 of 4 of 36, and 2 of 5 of 5",
    {"conv.weight": 36, "fc.weight": 5}, {"conv.weight": bits("1101", 2, 2, 1, 1), "fc.weight": bits("01010", 5, 1)},
    pin="L1, L3", expected=(41.0, 29.0), source="by hand: 27 + 2",
)  # fmt: skip
FORWARD.case(
    "mask-and-density",
    "masks and densities may stand side by side, in any order, and a layer without either is dense",
    {"a.weight": 8, "b.weight": 6, "c.weight": 10}, {"c.weight": 0.25, "a.weight": bits("1000", 4)},
    pin="L1", expected=(24.0, 10.5), source="by hand: 2 + 6 + 2.5",
)  # fmt: skip
FORWARD.case(
    "empty-mask",
    "a layer without connections costs nothing, and counts in the dense total",
    {"a.weight": 8, "b.weight": 6}, {"a.weight": bits("0000", 2, 2)},
    pin="L1", expected=(14.0, 6.0), source="by hand: 0 + 6",
)  # fmt: skip

TRAINING.case(
    "rigl",
    "100 sparse steps of 3 f_S and one update of 2 f_S + f_D share 101 batches",
    "rigl", 100, 10, 100,
    pin="L2", expected=30.89108911, source="semantics.md L2; by hand: (3 000 + 20 + 100) / 101",
    profiles=same(slow_training_cost, "rigl-reproducibility", "rigl", 100, 10, 100),
)  # fmt: skip
TRAINING.case(
    "rigl-every-batch",
    "with ΔT = 1 every other batch is an update: the mean of 3 f_S and 2 f_S + f_D",
    "rigl", 100, 10, 1,
    pin="L2", expected=75.0, source="by hand: (30 + 20 + 100) / 2",
)  # fmt: skip
TRAINING.case(
    "rigl-hardly-ever",
    "as ΔT grows the cost nears 3 f_S",
    "rigl", 1, 0.25, 10**6,
    pin="L2, papers.md (B) 16", source="by hand: (750 000 + 1.5) / 1 000 001", expected=0.75000075,
)  # fmt: skip
TRAINING.case(
    "rigl-resnet-50-uniform",
    "ResNet-50 at 80 %: .2254 of the dense forward pass makes .2279 of dense training, which costs 3 f_D",
    "rigl", 1, 0.2254, 100,
    pin="L2", source="papers.md 7 and (B) 5: 3 × .2279 to four digits; by hand: (67.62 + .4508 + 1) / 101",
    expected=69.0708 / 101,
)  # fmt: skip
TRAINING.case(
    "snfs",
    "SNFS needs the dense gradient of every batch: 2 f_S + f_D",
    "snfs", 100, 10,
    pin="L2", expected=120.0, source="semantics.md L2",
    profiles=same(slow_training_cost, "rigl-reproducibility", "snfs", 100, 10),
)  # fmt: skip
TRAINING.case(
    "snfs-resnet-50-erk",
    "ResNet-50 at 80 %, ERK: .4153 of the dense forward pass makes .6102 of dense training, for its dense gradients",
    "snfs", 1, 0.4153,
    pin="L2", expected=1.8306, source="papers.md 7 and (B) 5: 3 × .6102",
)  # fmt: skip
TRAINING.case(
    "set",
    "SET needs no gradient of absent weights: 3 f_S",
    "set", 100, 10,
    pin="L2", expected=30.0, source="semantics.md L2",
    profiles=same(slow_training_cost, "rigl-reproducibility", "set", 100, 10),
)  # fmt: skip
TRAINING.case(
    "static",
    "a fixed mask: forward, backward to inputs and to weights are all sparse",
    "static", 100, 12.5,
    pin="L2", expected=37.5, source="papers.md 6.7: 3 f_S",
)  # fmt: skip
TRAINING.case(
    "snip",
    "one batch of scores at the start is not counted: 3 f_S",
    "snip", 100, 5,
    pin="L2", expected=15.0, source="papers.md 6.7: 3 f_S",
)  # fmt: skip
TRAINING.case(
    "dense",
    "dense training costs 3 f_D, whatever the sparse network would: LeNet-300-100",
    "dense", 266200, 9244,
    pin="L2", expected=798600.0, source="papers.md 6.7 and (B) 2: 3 × 266 200",
)  # fmt: skip

STORAGE.case(
    "dense",
    "4 bytes an entry, active or not: LeNet-300-100's first layer",
    (784, 300), 4704,
    pin="L1", expected=940800.0, source="by hand: 4 × 235 200",
)  # fmt: skip
STORAGE.case(
    "bitmask",
    "4 bytes for every active weight and one bit for every entry",
    (784, 300), 4704, "bitmask",
    pin="L1", expected=48216.0, source="by hand: 18 816 + 235 200 / 8",
)  # fmt: skip
STORAGE.case(
    "bitmask-part-of-a-byte",
    "the bits of a mask are not rounded to whole bytes",
    (3, 3), 7, "bitmask",
    pin="L1", expected=29.125, source="by hand: 28 + 9 / 8",
)  # fmt: skip
STORAGE.case(
    "bitmask-when-nothing-is-left-out",
    "who asks for a mask gets one counted, of a full layer too",
    (4, 8), 32, "bitmask",
    pin="L1", expected=132.0, source="by hand: 128 + 32 / 8",
)  # fmt: skip
STORAGE.case(
    "csr",
    "4 bytes of value and 4 of column for every active weight, and a pointer more than there are rows",
    (784, 300), 4704, "csr",
    pin="L1", expected=40772.0, source="by hand: 8 × 4 704 + 4 × 785",
)  # fmt: skip
STORAGE.case(
    "csr-of-a-convolution",
    "rows are all axes but the last: 3 × 3 × 2 of them",
    (3, 3, 2, 5), 10, "csr",
    pin="L1", expected=156.0, source="by hand: 80 + 4 × 19",
)  # fmt: skip
STORAGE.case(
    "csr-empty",
    "without connections the row pointers are left",
    (5, 4), 0, "csr",
    pin="L1", expected=24.0, source="by hand: 4 × 6",
)  # fmt: skip
