"""Golden cases of what is legal and seldom asked: empty networks, counts of zero, axes of every number, thousands."""

import math

import numpy as np

from tests.golden.allocation import APPORTION, COUNTS, ER, ERK, UNIFORM
from tests.golden.case import Numbers, bits, row
from tests.golden.choosing import TOP_K
from tests.golden.gates import AT_TEST, GATE, OPEN
from tests.golden.moving import RIGL, SET, SET_BY_MAGNITUDE, SET_COUNTS, SHARES, SNFS
from tests.golden.pruning import DEAD, DROPOUT, MAGNITUDE, SENSITIVITY, SNIP
from tests.golden.schedules import COSINE, CUBIC, RIGL_COUNT

FUNCTIONS = []  # all are of functions that have cases already
TWO = {"fc1": (8, 4), "fc2": (4, 2)}


def distinct(seed, n):
    """1 to n in some order."""
    return np.array(Numbers(seed).shuffled(n), dtype=float) + 1


def some(seed, n, n_true):
    return np.array(Numbers(seed).shuffled(n)) < n_true


# rankings of thousands
TOP_K.case(
    "thousands",
    "a ranking of 5,000 distinct scores is as exact as one of eight: 1,700 are marked",
    distinct(7, 5000), 1700,
    pin="R3, thousands", expected=distinct(7, 5000) > 3300, source="by hand: those above 3,300",
)  # fmt: skip
TOP_K.case(
    "thousands-of-ties",
    "4,800 of 5,000 scores are equal, as the gradients of dead units are: those of lower index are marked",
    np.where(some(3, 5000, 200), distinct(7, 5000), 0.0), 2000,
    pin="R3, thousands of ties",
)  # fmt: skip
TOP_K.case(
    "all-but-a-few-of-thousands",
    "all but thirty of 4,500 candidates among 5,200 scores are marked, whatever the others score",
    distinct(5, 5200), 4470, some(9, 5200, 4500),
    pin="R2, thousands",
)  # fmt: skip
TOP_K.case(
    "thousands-in-order",
    "scores that are sorted already are ranked as any others: the last four of 4,100 are marked",
    np.arange(1.0, 4101), 4,
    pin="R3, thousands in order", expected=np.arange(4100) >= 4096, source="by hand: 4,097 to 4,100",
)  # fmt: skip
RIGL.case(
    "thousands",
    "a layer of 4,400 with a gradient in 60 places: beyond them the lowest places not kept are grown",
    distinct(11, 4400) * (1 - 2 * some(2, 4400, 2200)), some(4, 4400, 4200), some(8, 4400, 60) * distinct(6, 4400), 90,
    pin="A13, thousands",
)  # fmt: skip
MAGNITUDE.case(
    "thousands",
    "of 4,400 weights of either sign the 440 largest stay",
    distinct(13, 4400) * (1 - 2 * some(2, 4400, 2200)), 440,
    pin="1.7, thousands", expected=distinct(13, 4400) > 3960, source="by hand: those above 3,960",
)  # fmt: skip

# networks without layers, layers all dense, other numbers of axes
UNIFORM.case(
    "all-named-dense",
    "dense may name every layer, where the density is 1",
    TWO, 1.0, ("fc1", "fc2"),
    pin="design.md 4, all dense", expected={"fc1": 1.0, "fc2": 1.0}, source="by hand: all",
)  # fmt: skip
UNIFORM.case(
    "no-layers",
    "a network without layers has no densities",
    {}, 0.5,
    pin="design.md 4, empty", expected={}, source="by hand: nothing",
)  # fmt: skip
for function in (ER, ERK):
    function.case(
        "all-named-dense",
        "dense may name every layer, where the density is 1",
        TWO, 1.0, ("fc1", "fc2"),
        pin="design.md 4, all dense", expected={"fc1": 1.0, "fc2": 1.0}, source="by hand: all",
    )  # fmt: skip
    function.case(
        "no-layers",
        "a network without layers has no densities",
        {}, 0.5,
        pin="design.md 4, empty", expected={}, source="by hand: nothing",
    )  # fmt: skip
ER.case(
    "three-and-five-axes",
    "of every kernel the last two axes are the inputs and outputs, with one axis of taps before them or three",
    {"conv1d": (3, 4, 8), "conv3d": (2, 3, 2, 4, 8), "fc": (8, 8)}, 0.25,
    pin="1.2 raw, axes", expected={"conv1d": 51 / 196, "conv3d": 51 / 196, "fc": 34 / 196},
    source="by hand: raw 3/8, 3/8, 1/4 of 96, 384, 64 entries: together 196; budget 544 / 4 = 136, eps = 136/196",
)  # fmt: skip
ERK.case(
    "three-axes",
    "a kernel of one axis of taps: (3, 4, 8) has sum 15 and product 96",
    {"conv1d": (3, 4, 8), "fc": (8, 12)}, 0.25,
    pin="1.2 raw, three axes", expected={"conv1d": 15 * 48 / 35 / 96, "fc": 20 * 48 / 35 / 96},
    source="by hand: sums 15 and 20, budget 192 / 4 = 48, eps = 48/35",
)  # fmt: skip
ERK.case(
    "five-axes",
    "a kernel of three axes of taps: (2, 3, 2, 4, 8) has sum 19 and product 384",
    {"conv3d": (2, 3, 2, 4, 8), "fc": (24, 16)}, 0.25,
    pin="1.2 raw, five axes", expected={"conv3d": 19 * 192 / 59 / 384, "fc": 40 * 192 / 59 / 384},
    source="by hand: sums 19 and 40, budget 768 / 4 = 192, eps = 192/59",
)  # fmt: skip
APPORTION.case(
    "all-the-room",
    "a total of all the room fills every layer, one of share 0 too",
    7, {"a": 1, "b": 2, "c": 0}, {"a": 3, "b": 2, "c": 2},
    pin="F3, all the room", expected={"a": 3, "b": 2, "c": 2}, source="by hand: every place",
)  # fmt: skip
APPORTION.case(
    "no-layers",
    "nothing is shared out between no layers",
    0, {}, {},
    pin="F3, empty", expected={}, source="by hand: nothing",
)  # fmt: skip
APPORTION.case(
    "shares-of-every-size",
    "a share may be as large or as small as a float: only proportions count",
    9, {"a": 1.5e308, "b": 7.5e307, "c": 1e-300}, {"a": 9, "b": 9, "c": 9},
    pin="design.md 4, range", expected={"a": 6, "b": 3, "c": 0}, source="by hand: 2 : 1 : 0", optional=True,
)  # fmt: skip
COUNTS.case(
    "no-layers",
    "a network without layers has no connections",
    {}, {},
    pin="design.md 3, empty", expected={}, source="by hand: nothing",
)  # fmt: skip
COUNTS.case(
    "five-axes",
    "density is of all entries of a kernel, whatever its number of axes",
    {"conv3d": (2, 3, 2, 4, 8), "conv1d": (3, 4, 8)}, {"conv3d": 0.5, "conv1d": 0.25},
    pin="1.2, axes", expected={"conv3d": 192, "conv1d": 24}, source="by hand: 384/2, 96/4",
)  # fmt: skip
COUNTS.case(
    "a-half-but-for-rounding",
    ".07 of 150 is 10.5 as it is written, half to even 10; in binary it is 10.500000000000002",
    {"fc": (15, 10)}, {"fc": 0.07},
    pin="design.md 3, D5", expected={"fc": 10}, source="by hand: 10.5 lies between 10 and 11, and 10 is even",
)  # fmt: skip
DEAD.case(
    "three-axes",
    "a kernel of one axis of taps: any of its taps is a connection",
    {"conv": bits("100000", 3, 1, 2), "fc": bits("1111", 2, 2)}, ("conv", "fc"),
    pin="design.md 4, three axes",
    expected={"conv": bits("100000", 3, 1, 2), "fc": bits("1100", 2, 2)},
    source="by hand: filter 1 has no tap, so row 1 of fc goes",
)  # fmt: skip
DEAD.case(
    "five-axes",
    "a kernel of three axes of taps: any of its taps is a connection",
    {"conv": bits("00000001", 2, 1, 2, 1, 2), "fc": bits("1111", 2, 2)}, ("conv", "fc"),
    pin="design.md 4, five axes",
    expected={"conv": bits("00000001", 2, 1, 2, 1, 2), "fc": bits("0011", 2, 2)},
    source="by hand: filter 0 has no tap, so row 0 of fc goes",
)  # fmt: skip
DEAD.case(
    "no-layers",
    "a network without layers has no units",
    {}, (),
    pin="design.md 4, empty", expected={}, source="by hand: nothing",
)  # fmt: skip
SENSITIVITY.case(
    "no-layers",
    "a network without layers has no sensitivities",
    {}, {},
    pin="1.5, empty", expected={}, source="by hand: nothing",
)  # fmt: skip
SNIP.case(
    "keep-nothing",
    "n_keep = 0 empties every layer",
    {"a": row(1, 2), "b": row(3)}, {"a": row(1, 1), "b": row(1)}, 0,
    pin="1.5, n_keep 0", expected={"a": bits("00"), "b": bits("0")}, source="by hand: none",
)  # fmt: skip
SNIP.case(
    "no-layers",
    "of a network without layers nothing is kept",
    {}, {}, 0,
    pin="1.5, empty", expected={}, source="by hand: nothing",
)  # fmt: skip
SHARES.case(
    "no-layers",
    "a network without layers has no shares",
    {}, {},
    pin="1.4, empty", expected={}, source="by hand: nothing",
)  # fmt: skip
SNFS.case(
    "no-layers",
    "in a network without layers nothing moves",
    {}, {}, {}, {},
    pin="1.4, empty", expected={}, source="by hand: nothing",
)  # fmt: skip

# schedules and counts at their ends
COSINE.case(
    "a-quarter-from-begin",
    "begin need not be half of t_end: the time runs from begin to t_end",
    40, 0.4, 100, 20,
    pin="C2, R11, begin", expected=0.2 * (1 + math.sqrt(0.5)), source="by hand: .2 (1 + cos 45°)",
)  # fmt: skip
COSINE.case(
    "begin-zero",
    "begin may be said to be 0",
    25, 0.4, 100, 0,
    pin="C2, begin 0", expected=0.2 * (1 + math.sqrt(0.5)), source="by hand: .2 (1 + cos 45°)",
)  # fmt: skip
COSINE.case(
    "alpha-zero",
    "alpha may be 0: nothing moves at any step",
    10, 0, 100,
    pin="R11, alpha 0", expected=0.0, source="by hand: 0 at every step",
)  # fmt: skip
COSINE.case(
    "one-step",
    "t_end may be 1: step 0 has alpha",
    0, 0.25, 1,
    pin="R11, t_end 1", expected=0.25, source="by hand: alpha",
)  # fmt: skip
CUBIC.case(
    "to-nothing",
    "the final sparsity may be 1",
    20, 0, 40, 1.0,
    pin="C4, final 1", expected=0.875, source="by hand: 1 - 1/8",
)  # fmt: skip
CUBIC.case(
    "one-step",
    "end may be the step after begin: at begin still the initial sparsity",
    3, 3, 4, 0.5, 0.25,
    pin="C4, one step", expected=0.25, source="by hand: the initial sparsity",
)  # fmt: skip
CUBIC.case(
    "from-step-seven",
    "progress is (step - begin) / (end - begin), where begin is no fraction of end",
    17, 7, 27, 0.8,
    pin="C4, begin", expected=0.7, source="by hand: half-way, 7/8 of .8",
)  # fmt: skip
RIGL_COUNT.case(
    "alpha-zero",
    "alpha may be 0: nothing moves",
    10, 500, 0, 100,
    pin="R11, alpha 0", expected=0, source="by hand: 0",
)  # fmt: skip
RIGL_COUNT.case(
    "one-step",
    "t_end may be 1: step 0 moves alpha's part",
    0, 40, 0.5, 1,
    pin="R10, t_end 1", expected=20, source="by hand: half of 40",
)  # fmt: skip
RIGL_COUNT.case(
    "all-of-them-half-way",
    "alpha may be 1: half-way half of the connections move",
    50, 31, 1, 100,
    pin="R11, alpha 1", expected=15, source="by hand: floor(15.5)",
)  # fmt: skip
SET_COUNTS.case(
    "zeta-zero",
    "zeta may be 0: nothing goes",
    row(-1, 2, -3, 4), bits("1111"), 0,
    pin="R13, zeta 0", expected=(0, 0), source="by hand: none",
)  # fmt: skip
DROPOUT.case(
    "no-dropout",
    "a rate of 0 stays 0",
    0, 25, 100,
    pin="I2, rate 0", expected=0.0, source="by hand: 0",
)  # fmt: skip

# what an update must not look at
SET.case(
    "stale-values",
    "values left behind at absent positions are neither dropped nor counted, of either sign",
    row(-3, -2, 2, 3, -0.5, 0.5, -9, 9), bits("11110000"), row(0, 0, 0, 0, 1, 2, 4, 3) / 8, 1, 1,
    pin="A4, R2, G1", expected=bits("10010011"), source="by hand: -2 and 2 go, the noise 4 and 3 is at 6 and 7",
)  # fmt: skip
SET.case(
    "convolution-kernel",
    "a kernel (kh, kw, c_in, c_out) is one layer with one ranking",
    np.array([-1.0, 2, -4, 3, 0, 0, 5, 0]).reshape(2, 1, 2, 2), bits("11110010", 2, 1, 2, 2),
    np.array([0.0, 0, 0, 0, 1, 3, 0, 2]).reshape(2, 1, 2, 2), 1, 1,
    pin="A16, G1", expected=bits("00110111", 2, 1, 2, 2), source="by hand: -1 and 2 go, 3 and 2 come",
)  # fmt: skip
SET_BY_MAGNITUDE.case(
    "stale-values",
    "values left behind at absent positions are not ranked",
    row(-3, 2, 1, 0.5, 9, -0.25), bits("111000"), row(0, 0, 0, 1, 3, 2) / 8, 1,
    pin="A4, R2", expected=bits("110010"), source="by hand: 1 goes, the noise 3 is at 4",
)  # fmt: skip
SET_BY_MAGNITUDE.case(
    "nothing-to-move",
    "n_update = 0 leaves the mask as it is, active zeros included",
    row(0, -1, 2, 0), bits("1110"), row(1, 2, 3, 60) / 64, 0,
    pin="R13", expected=bits("1110"), source="by hand: the mask as it was",
)  # fmt: skip
SNFS.case(
    "shares-of-means",
    "shares are of the mean |momentum|: of two layers of equal sums the one of fewer connections gets more",
    {"a": row(1, 2, 0, 0, 0), "b": row(1, 2, 3, 4, 5, 6, 0, 0)}, {"a": bits("11000"), "b": bits("11111100")},
    {"a": row(6, 6, 3, 4, 5), "b": row(2, 2, 2, 2, 2, 2, 1, 1)}, {"a": 2, "b": 2},
    pin="1.4, F1, mean", expected={"a": bits("11001"), "b": bits("10111100")},
    source="by hand: means 6 and 2, quotas 3 and 1: 6, 6 and 5 of a, and the first 2 of b; by sums two each",
)  # fmt: skip
SNFS.case(
    "stale-values",
    "values left behind at absent positions are not ranked, neither for dropping nor for the shares",
    {"a": row(3, 2, 0.5, 9), "b": row(0.25, 4, 1)}, {"a": bits("1100"), "b": bits("011")},
    {"a": row(1, 1, 3, 9), "b": row(8, 1, 1)}, {"a": 1, "b": 1},
    pin="A4, R2, 1.4", expected={"a": bits("1001"), "b": bits("110")},
    source="by hand: 2 and 1 go; means 1 and 1, one each: 9 of a and 8 of b",
)  # fmt: skip
SNFS.case(
    "three-layers-on-two-axes",
    "an odd total over three layers by largest remainder, in matrices as in rows",
    {"a": np.array([[1.0, 2], [3, 0]]), "b": np.array([[4.0, 1, 2], [0, 0, 3]]), "c": row(1, 0, 2)},
    {"a": bits("1110", 2, 2), "b": bits("111001", 2, 3), "c": bits("101")},
    {"a": np.array([[1.0, 1], [1, 2]]), "b": np.array([[4.0, 4, 4], [3, 2, 4]]), "c": row(2, 1, 2)},
    {"a": 1, "b": 2, "c": 0},
    pin="F2, A16", expected={"a": bits("0110", 2, 2), "b": bits("111001", 2, 3), "c": bits("111")},
    source="by hand: means 1, 4, 2, quotas 3/7, 12/7, 6/7: 0, 2 and 1",
)  # fmt: skip

# gates
GATE.case(
    "whole-numbers",
    "log α in whole numbers gives gates that are none",
    np.array([0, 1, -1]), row(0.5, 0.25, 0.75),
    pin="H3, whole numbers",
)  # fmt: skip
GATE.case(
    "noise-for-every-example",
    "noise may have an axis more, with a gate for every example",
    row(0, math.log(4)), np.array([[0.5, 0.2], [0.2, 0.5], [0.8, 0.8]]),
    pin="H3, examples",
)  # fmt: skip
AT_TEST.case(
    "whole-numbers",
    "log α in whole numbers gives gates that are none",
    np.array([-4, -2, 0, 2, 3]),
    pin="H1, whole numbers", expected=row(0, 0.0430435064, 0.5, 0.9569564936, 1), source="semantics.md 1.6",
)  # fmt: skip
OPEN.case(
    "whole-numbers",
    "log α in whole numbers gives probabilities that are none",
    np.array([-4, 0, 3]),
    pin="H1, whole numbers", expected=row(0.0830657617, 0.8318221840, 0.9900343637), source="semantics.md 1.6",
)  # fmt: skip
