"""Golden cases of how much each layer gets: densities from shapes, and whole counts that add up."""

from fractions import Fraction

from tests.golden.case import Function, told
from tests.helpers.slow_methods import er_raw, erk_raw, slow_apportion, slow_counts, slow_scaled

MLP = {"fc1": (784, 300), "fc2": (300, 100), "fc3": (100, 10)}
LENET_5 = {"conv1": (5, 5, 1, 6), "conv2": (5, 5, 6, 16), "fc1": (400, 120), "fc2": (120, 84), "fc3": (84, 10)}
TWO = {"fc1": (8, 4), "fc2": (4, 2)}


def slow_uniform(shapes, density, dense=()):
    return {name: 1.0 if name in dense else float(density) for name in shapes}


def slow_densities(raw):
    """`density` as its decimal reads: the scale is a fraction, and a float only in the answer."""

    def densities(shapes, density, dense=()):
        exact = slow_scaled(shapes, Fraction(str(density)), dense, raw)
        return {name: float(exact[name]) for name in shapes}

    return densities


def ordered_apportion(total, shares, room):
    answer = slow_apportion(total, shares, room)
    return {name: answer[name] for name in shares}


def decimal_counts(shapes, densities):
    return slow_counts(shapes, {name: Fraction(str(density)) for name, density in densities.items()})


UNIFORM = Function("uniform", "shapes density dense", slow_uniform)
ER = Function("erdos_renyi", "shapes density dense", slow_densities(er_raw))
ERK = Function("erdos_renyi_kernel", "shapes density dense", slow_densities(erk_raw))
APPORTION = Function("apportion", "total shares room", ordered_apportion)
COUNTS = Function("counts", "shapes densities", decimal_counts)
FUNCTIONS = [UNIFORM, ER, ERK, APPORTION, COUNTS]

# uniform
UNIFORM.case(
    "every-layer",
    "every layer has the same density, whatever its size and kind",
    {"conv": (3, 3, 1, 8), "fc": (32, 10)}, 0.25,
    pin="1.2 Pin", expected={"conv": 0.25, "fc": 0.25}, source="by hand: 1/4 each",
)  # fmt: skip
UNIFORM.case(
    "dense-layers-stand-outside",
    "a layer named in dense keeps all, and the others do not pay for it "
    "(condensed-sparsity lowers them so that the total of all layers fits)",
    TWO, 0.5, ("fc2",),
    pin="1.2 Pin, design.md 4", expected={"fc1": 0.5, "fc2": 1.0},
    source="by hand: fc1 has 1/2 of its 32; lowered for the 8 of fc2 it would have 3/8",
)  # fmt: skip
UNIFORM.case(
    "everything",
    "density 1 is a dense network",
    TWO, 1.0,
    pin="design.md 4", expected={"fc1": 1.0, "fc2": 1.0}, source="by hand: all",
)  # fmt: skip
UNIFORM.case(
    "density-is-not-made-a-count-here",
    "density 1/8 of a layer of three stays 1/8, not 0 or 1/3: counts are made elsewhere",
    {"tiny": (3, 1), "wide": (16, 16)}, 0.125,
    pin="design.md 3", expected={"tiny": 0.125, "wide": 0.125}, source="by hand: 1/8 each",
)  # fmt: skip

# erdos_renyi
ER.case(
    "two-layers",
    "densities go as (n_in + n_out) / (n_in n_out), scaled so that the total is exact",
    TWO, 0.5,
    pin="D2", expected={"fc1": 5 / 12, "fc2": 5 / 6},
    source="by hand: raw 12/32 and 6/8; eps (12 + 6) = 20, eps = 10/9; 10/9 x 3/8 = 5/12, 10/9 x 3/4 = 5/6",
)  # fmt: skip
ER.case(
    "one-layer-full",
    "a layer whose density would pass 1 becomes dense and the scale is solved again, so that the total is kept",
    TWO, 0.75,
    pin="D3", expected={"fc1": 22 / 32, "fc2": 1.0},
    source="by hand: eps = 30/18 gives fc2 5/4; full it takes 8 of 30, and 22 of fc1's 32 are left",
)  # fmt: skip
ER.case(
    "kernel-area-ignored",
    "only the last two axes count: n_in and n_out of a (kh, kw, n_in, n_out) kernel, not kh and kw",
    {"conv": (2, 2, 4, 4), "fc": (8, 8)}, 0.25,
    pin="1.2 raw", expected={"conv": 1 / 3, "fc": 1 / 6},
    source="by hand: raw 1/2 and 1/4, eps (64 x 1/2 + 64 x 1/4) = 32, eps = 2/3; with kh and kw as n_in and n_out "
    "conv would be capped",
)  # fmt: skip
ER.case(
    "lenet-300-100",
    "a small layer fills up, here the last of RigL's MNIST network at sparsity .9, and the others share what is left",
    MLP, 0.1,
    pin="1.2 verified numbers",
    expected={"fc1": 1 - 0.920432229, "fc2": 1 - 0.769811321, "fc3": 1.0},
    source="semantics.md 1.2, RigL's own code: sparsities .920432229, .769811321, 0",
)  # fmt: skip
ER.case(
    "lenet-5",
    "both convolutions fill up before the linear layers share the rest",
    LENET_5, 0.1,
    pin="1.2 verified numbers",
    expected={"conv1": 1.0, "conv2": 1.0, "fc1": 1 - 0.952362469, "fc2": 1 - 0.911006811, "fc3": 1 - 0.507920014},
    source="semantics.md 1.2, RigL's own code: sparsities 0, 0, .952362469, .911006811, .507920014",
)  # fmt: skip
ER.case(
    "dense-layers-stand-outside",
    "a dense layer is neither in the sum that sets the scale nor in the budget",
    {"first": (16, 8), "fc1": (8, 4), "fc2": (4, 2)}, 0.5, ("first",),
    pin="1.2 solve, design.md 4", expected={"first": 1.0, "fc1": 5 / 12, "fc2": 5 / 6},
    source="by hand: fc1 and fc2 as in two-layers, as if first were not there",
)  # fmt: skip
ER.case(
    "full-in-two-rounds",
    "capping one layer raises the scale so far that another one passes 1 and is capped in its turn",
    {"a": (8, 33), "b": (8, 4), "c": (2, 2)}, 0.5,
    pin="D4", expected={"a": 114 / 264, "b": 1.0, "c": 1.0},
    source="by hand: eps = 150/57 takes c to 2.6 but b only to .99; then 146/53 takes b to 1.03; a has 150 - 36",
)  # fmt: skip

# erdos_renyi_kernel
ERK.case(
    "kernel-counted",
    "every axis of a kernel counts: sum(shape) / prod(shape)",
    {"conv": (2, 2, 4, 4), "fc": (8, 8)}, 0.25,
    pin="1.2 raw", expected={"conv": 3 / 14, "fc": 2 / 7},
    source="by hand: sums 12 and 16 over 64 each, eps 28 = 32, eps = 8/7; 96/7/64 = 3/14, 128/7/64 = 2/7",
)  # fmt: skip
ERK.case(
    "linear-layers-as-er",
    "for linear layers the kernel form is the plain one",
    TWO, 0.5,
    pin="D2", expected={"fc1": 5 / 12, "fc2": 5 / 6}, source="by hand: as erdos_renyi/two-layers",
)  # fmt: skip
ERK.case(
    "lenet-5-at-90",
    "the first kernel and the last layer, the smallest ones, get the most, and no layer is full",
    LENET_5, 0.1,
    pin="1.2 verified numbers",
    expected={"conv1": 1 - 0.196470588, "conv2": 1 - 0.905467128, "fc1": 1 - 0.923192042, "fc2": 1 - 0.856512605,
              "fc3": 1 - 0.20659911},
    source="semantics.md 1.2, RigL's code: sparsities .196470588, .905467128, .923192042, .856512605, .20659911",
)  # fmt: skip
ERK.case(
    "lenet-5-at-95",
    "the scale is solved for density x size exactly; RigL's code floors the zeros of every layer before it solves, "
    "for 3074 connections where .05 x 61470 is 3073.5",
    LENET_5, 0.05,
    pin="1.2 verified numbers",
    expected={"conv1": 1 - 0.598235294, "conv2": 1 - 0.952733564, "fc1": 1 - 0.961596021, "fc2": 1 - 0.928256303,
              "fc3": 1 - 0.603299555},
    source="semantics.md 1.2: sparsities .598235294, .952733564, .961596021, .928256303, .603299555",
    profiles=told({name: density * 3074 / 3073.5 for name, density in ERK.twin(LENET_5, 0.05).items()},
                  "rigl-tf1", "jaxpruner"),
)  # fmt: skip
ERK.case(
    "lenet-300-100-at-98",
    "at sparsity .98 no layer of the MLP is full, and the smallest has the highest density",
    MLP, 0.02,
    pin="1.2 verified numbers",
    expected={"fc1": 1 - 0.984606347, "fc2": 1 - 0.955466332, "fc3": 1 - 0.63259724},
    source="semantics.md 1.2, RigL's own code: sparsities .984606347, .955466332, .63259724",
)  # fmt: skip
ERK.case(
    "lenet-300-100-at-50",
    "two layers fill up in turn and the first takes what is left; without the cap the total would be missed",
    MLP, 0.5,
    pin="1.2 verified numbers, cap", expected={"fc1": 1 - 0.565901361, "fc2": 1.0, "fc3": 1.0},
    source="semantics.md 1.2, RigL's own code: sparsities .565901361, 0, 0",
)  # fmt: skip
ERK.case(
    "dense-layers-stand-outside",
    "the first convolution kept dense does not lower the others",
    {"conv1": (3, 3, 1, 8), "conv": (2, 2, 4, 4), "fc": (8, 8)}, 0.25, ("conv1",),
    pin="1.2 solve", expected={"conv1": 1.0, "conv": 3 / 14, "fc": 2 / 7},
    source="by hand: conv and fc as in kernel-counted",
)  # fmt: skip
ERK.case(
    "equal-layers-fill-up-together",
    "every layer at the highest density becomes dense at once, here two of one shape",
    {"a": (2, 2), "b": (16, 16), "c": (2, 2)}, 0.25,
    pin="D4", expected={"a": 1.0, "b": 58 / 256, "c": 1.0},
    source="by hand: budget 264 / 4 = 66; eps = 66/40 = 1.65 takes a and c to 1.65; full they take 8, b the other 58",
)  # fmt: skip
ERK.case(
    "one-channel-in",
    "an axis of length 1 is an axis: the depthwise kernel (3, 3, 8, 1) has sum 15 and product 72",
    {"depthwise": (3, 3, 8, 1), "pointwise": (1, 1, 8, 16)}, 0.2,
    pin="1.2 raw", expected={"depthwise": 40 / 41 * 15 / 72, "pointwise": 40 / 41 * 26 / 128},
    source="by hand: budget 200 / 5 = 40, sums 15 and 26, eps = 40/41",
    profiles=told({"depthwise": 15 / 72, "pointwise": 26 / 128}, "rigl-tf1", "jaxpruner"),
)  # fmt: skip

# apportion
APPORTION.case(
    "whole-quotas",
    "quotas that are whole are given as they are",
    8, {"a": 0.5, "b": 0.25, "c": 0.25}, {"a": 9, "b": 9, "c": 9},
    pin="F2", expected={"a": 4, "b": 2, "c": 2}, source="by hand: 8/2, 8/4, 8/4",
)  # fmt: skip
APPORTION.case(
    "largest-remainder",
    "the unit left over goes to the largest fractional part, not to the first or the largest share",
    5, {"a": 7, "b": 6, "c": 3}, {"a": 9, "b": 9, "c": 9},
    pin="F2", expected={"a": 2, "b": 2, "c": 1}, profiles={"sparse-learning": {"a": 3, "b": 2, "c": 1}},
    source="by hand: quotas 35/16, 30/16, 15/16: floors 2, 1, 0, parts 3/16, 14/16, 15/16: c and b get one",
)  # fmt: skip
APPORTION.case(
    "ties-to-the-earlier-key",
    "equal fractional parts: the earlier key of the dict gets the unit, not the first in the alphabet",
    10, {"z": 1, "m": 1, "a": 1}, {"z": 9, "m": 9, "a": 9},
    pin="R3, D4", expected={"z": 4, "m": 3, "a": 3}, source="by hand: 10/3 each, one unit over, z comes first",
    profiles={"sparse-learning": {"z": 4, "m": 4, "a": 4}},
)  # fmt: skip
APPORTION.case(
    "shares-need-not-add-up-to-one",
    "only the proportions of shares count",
    6, {"a": 16, "b": 8}, {"a": 9, "b": 9},
    pin="design.md 4", expected={"a": 4, "b": 2}, source="by hand: 2/3 and 1/3 of 6",
)  # fmt: skip
APPORTION.case(
    "a-full-layer-passes-the-rest-on",
    "what a full layer cannot take goes to the others, so that the total is kept",
    5, {"first": 0.998, "second": 0.002}, {"first": 4, "second": 18},
    pin="F3", expected={"first": 4, "second": 1}, source="by hand: 4.99 of 4 places; one is left over",
)  # fmt: skip
APPORTION.case(
    "the-rest-is-shared-in-proportion",
    "what is left over is divided by the shares of the layers not yet full, not equally",
    10, {"a": 8, "b": 2, "c": 1}, {"a": 1, "b": 20, "c": 20},
    pin="F3, 1.4 item 4", expected={"a": 1, "b": 6, "c": 3},
    source="by hand: a is full with 1; 9 by 2 : 1 is 6 and 3; the 6 too many halved would give 5 and 4 or so",
)  # fmt: skip
APPORTION.case(
    "full-in-three-rounds",
    "filling one layer takes the next one to its room, and that the next",
    12, {"a": 8, "b": 4, "c": 2, "d": 2}, {"a": 2, "b": 4, "c": 2, "d": 9},
    pin="F3", expected={"a": 2, "b": 4, "c": 2, "d": 4},
    source="by hand: a is full with 2; 10 by 4 : 2 : 2 is 5, 2.5, 2.5: b with 4 and c with 2; d has the other 4",
)  # fmt: skip
APPORTION.case(
    "units-left-over-respect-room",
    "the quota reaches the room exactly: that layer is full, and no unit is put on top of it",
    6, {"a": 2, "b": 1, "c": 1}, {"a": 3, "b": 9, "c": 9},
    pin="F3", expected={"a": 3, "b": 2, "c": 1},
    source="by hand: a 3 of 3; 3 by 1 : 1 is 1.5 each, and b comes first",
)  # fmt: skip
APPORTION.case(
    "no-share-no-units",
    "a layer of share 0 gets nothing while others have room",
    3, {"a": 0, "b": 1, "c": 0}, {"a": 5, "b": 5, "c": 5},
    pin="1.4", expected={"a": 0, "b": 3, "c": 0}, source="by hand: all of 3 to b",
)  # fmt: skip
APPORTION.case(
    "all-shares-zero",
    "shares that are all zero count as equal",
    4, {"a": 0, "b": 0, "c": 0}, {"a": 5, "b": 5, "c": 5},
    pin="design.md 4", expected={"a": 2, "b": 1, "c": 1}, source="by hand: 4/3 each, one over, a comes first",
)  # fmt: skip
APPORTION.case(
    "only-zero-shares-left",
    "the only layer with a share is full: the others, of share 0, take the rest as equals",
    6, {"a": 1, "b": 0, "c": 0}, {"a": 2, "b": 9, "c": 9},
    pin="design.md 4", expected={"a": 2, "b": 2, "c": 2}, source="by hand: 2 to a, 4 over two layers",
)  # fmt: skip
APPORTION.case(
    "nothing-to-share",
    "a total of 0 gives every layer 0, not one each",
    0, {"a": 0.25, "b": 0.75}, {"a": 4, "b": 4},
    pin="R13, F6", expected={"a": 0, "b": 0}, source="by hand: nothing",
)  # fmt: skip
APPORTION.case(
    "no-room",
    "a layer without room takes no part, whatever its share",
    3, {"dense": 6, "b": 1, "c": 1}, {"dense": 0, "b": 4, "c": 4},
    pin="A9, F3", expected={"dense": 0, "b": 2, "c": 1}, source="by hand: 3 by 1 : 1, b comes first",
)  # fmt: skip

# counts
COUNTS.case(
    "two-layers",
    "the total is kept: 40/3 and 20/3 add up to 20, where floors give 19 and floors of zeros 21",
    TWO, {"fc1": 5 / 12, "fc2": 5 / 6},
    pin="D2", expected={"fc1": 13, "fc2": 7}, source="by hand: 13 1/3 and 6 2/3; the unit goes to 2/3",
    profiles={**told({"fc1": 14, "fc2": 7}, "rigl-tf1", "rigl-torch"), "jaxpruner": {"fc1": 13, "fc2": 7}},
)  # fmt: skip
COUNTS.case(
    "the-total-is-rounded-not-each-layer",
    "three layers of 10/14 of their size: 4 2/7, 4 2/7, 1 3/7 make 10; the unit goes to the last",
    {"a": (3, 2), "b": (6, 1), "c": (2, 1)}, {"a": 10 / 14, "b": 10 / 14, "c": 10 / 14},
    pin="D4", expected={"a": 4, "b": 4, "c": 2}, source="by hand: floors 4, 4, 1, the largest part 3/7",
    profiles={**told({"a": 5, "b": 5, "c": 2}, "rigl-tf1", "rigl-torch"),
              "jaxpruner": {"a": 4, "b": 4, "c": 1}},
)  # fmt: skip
COUNTS.case(
    "counts-may-fall-as-density-rises",
    "at 11/14 the last layer has one fewer than at 10/14: totals are exact, single counts are not monotone",
    {"a": (3, 2), "b": (6, 1), "c": (2, 1)}, {"a": 11 / 14, "b": 11 / 14, "c": 11 / 14},
    pin="D4", expected={"a": 5, "b": 5, "c": 1}, source="by hand: 4 5/7, 4 5/7, 1 4/7: floors 9, two units to 5/7",
    profiles=told({"a": 5, "b": 5, "c": 2}, "rigl-tf1", "rigl-torch", "jaxpruner"),
)  # fmt: skip
COUNTS.case(
    "nine-tenths-of-ten",
    "density .9 of 10 is 9 connections; (1 - .9) x 10 truncated is 0 zeros, and the layer stays dense",
    {"fc": (5, 2)}, {"fc": 0.9},
    pin="D5", expected={"fc": 9}, source="by hand: 9",
    profiles={"rigl-torch": {"fc": 10}, "rigl-tf1": {"fc": 10}},
)  # fmt: skip
COUNTS.case(
    "floor-trap",
    "density .1 of 10, written as 1 - .9 = 0.09999999999999998, is 1 connection, not 0",
    {"fc": (5, 2)}, {"fc": 1 - 0.9},
    pin="1.2 floor trap", expected={"fc": 1}, source="by hand: 1, as 0.9999999999999998 is within 1e-12 of it",
)  # fmt: skip
COUNTS.case(
    "half-a-connection-to-even",
    "a total of 2.5 is rounded half to even, to 2",
    {"fc": (5, 1)}, {"fc": 0.5},
    pin="design.md 3", expected={"fc": 2}, source="by hand: 2.5 lies between 2 and 3, and 2 is even",
    profiles=told({"fc": 3}, "rigl-tf1", "rigl-torch"),
)  # fmt: skip
COUNTS.case(
    "half-a-connection-up-to-even",
    "a total of 3.5 is rounded to 4; truncated it would be 3",
    {"a": (3, 1), "b": (4, 1)}, {"a": 0.5, "b": 0.5},
    pin="design.md 3", expected={"a": 2, "b": 2}, source="by hand: 1.5 + 2 = 3.5, to 4; the unit goes to a",
)  # fmt: skip
COUNTS.case(
    "ties-to-the-earlier-key",
    "equal fractional parts: the earlier layer of the dict gets the unit",
    {"z": (5, 1), "a": (5, 1)}, {"z": 0.5, "a": 0.5},
    pin="D4, R3", expected={"z": 3, "a": 2}, source="by hand: 2.5 each, 5 in all, z comes first",
    profiles={**told({"z": 3, "a": 3}, "rigl-tf1", "rigl-torch"), "jaxpruner": {"z": 2, "a": 2}},
)  # fmt: skip
COUNTS.case(
    "a-tie-but-for-rounding",
    "parts that only rounding tells apart are equal: 3 × 0.1 is 0.30000000000000004 in binary, and a comes first",
    {"a": (1, 1), "b": (3, 1)}, {"a": 0.3, "b": 0.1},
    pin="D4, design.md 3", expected={"a": 1, "b": 0}, source="by hand: 0.3 each, 0.6 in all, to 1; a comes first",
    profiles=told({"a": 1, "b": 1}, "rigl-tf1", "rigl-torch", "jaxpruner"),
)  # fmt: skip
COUNTS.case(
    "all-and-nothing",
    "a layer of density 1 keeps all and one of density 0 nothing: no minimum of one connection",
    {"full": (4, 2), "none": (4, 2), "half": (4, 2)}, {"full": 1.0, "none": 0.0, "half": 0.5},
    pin="1.2 Pin", expected={"full": 8, "none": 0, "half": 4}, source="by hand: 8, 0, 4",
    profiles={"jaxpruner": {"full": 8, "none": 1, "half": 4}},
)  # fmt: skip
COUNTS.case(
    "lenet-300-100-at-90",
    "26620 of 266200 connections exactly, each layer to a tenth",
    MLP, {"fc1": 0.1, "fc2": 0.1, "fc3": 0.1},
    pin="1.2 Pin", expected={"fc1": 23520, "fc2": 3000, "fc3": 100},
    source="papers.md list B 13: 26620 of 266200 at 90 %",
)  # fmt: skip
