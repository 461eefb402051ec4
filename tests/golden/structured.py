"""Golden cases of masks of groups (n of m inputs, blocks, units), and of GraSP and SynFlow."""

import numpy as np

from tests.golden.case import Function, bits, row, told
from tests.helpers.slow_methods import (
    slow_block_mask,
    slow_effect_on_gradient_flow,
    slow_flow,
    slow_grasp_masks,
    slow_n_kept,
    slow_n_of_m_mask,
    slow_unit_mask,
)

N_OF_M = Function("n_of_m_mask", "score n m", slow_n_of_m_mask)
BLOCKS = Function("block_mask", "score n_keep block", slow_block_mask)
UNITS = Function("unit_mask", "score n_keep", slow_unit_mask)
EFFECT = Function("effect_on_gradient_flow", "weights products", slow_effect_on_gradient_flow)
GRASP = Function(
    "grasp_masks", "weights products n_keep", slow_grasp_masks,
    stages=lambda w, p, n_keep: {"effect": slow_effect_on_gradient_flow(w, p)},
)  # fmt: skip
FLOW = Function("flow", "weights grads", slow_flow)
N_KEPT = Function("n_kept", "size density step steps", slow_n_kept)
FUNCTIONS = [N_OF_M, BLOCKS, UNITS, EFFECT, GRASP, FLOW, N_KEPT]


def column(*values):
    return np.array(values, dtype=float).reshape(-1, 1)


def matrix(*rows):
    return np.array(rows, dtype=float)


# n_of_m_mask
N_OF_M.case(
    "every-group-its-own",
    "two of every four inputs stay, whatever stands in other groups: not the four highest of the column",
    column(1, 4, 2, 3, 9, 8, 7, 10), 2, 4,
    pin="Mishra 2021", expected=bits("01011001", 8, 1), source="by hand: 4 and 3, 9 and 10",
    profiles=told(bits("01011001", 8, 1), "jaxpruner"),
)  # fmt: skip
N_OF_M.case(
    "every-output-its-own",
    "each output chooses its inputs, so that columns differ: no input is chosen for all outputs together",
    matrix([9, 1, 0], [1, 2, 3], [2, 8, 4], [0, 3, 9]), 2, 4,
    pin="Mishra 2021", expected=bits("100000111011", 4, 3),
    source="by hand: inputs 0 and 2, 2 and 3, 2 and 3",
    profiles=told(bits("100000111011", 4, 3), "jaxpruner"),
)  # fmt: skip
N_OF_M.case(
    "inputs-not-outputs",
    "groups run along the inputs of an output, axis -2, not along the outputs of an input",
    matrix([9, 8, 7, 6], [5, 1, 2, 3], [1, 4, 8, 2], [2, 6, 3, 9]), 2, 4,
    pin="Zhou 2021 sec. 3", expected=bits("1111100000100101", 4, 4),
    source="by hand: input 0 for every output, and 1, 3, 2, 3",
    profiles=told(bits("1111100000100101", 4, 4), "jaxpruner"),
)  # fmt: skip
N_OF_M.case(
    "neighbours-make-a-group",
    "a group is m consecutive inputs, not every other one",
    column(9, 8, 1, 2), 1, 2,
    pin="Mishra 2021", expected=bits("1001", 4, 1), source="by hand: 9 of (9, 8) and 2 of (1, 2)",
    profiles=told(bits("1001", 4, 1), "jaxpruner"),
)  # fmt: skip
N_OF_M.case(
    "ties-to-the-lower-input",
    "equal scores everywhere: the first n of the group stay",
    column(3, 3, 3, 3), 2, 4,
    pin="R3", expected=bits("1100", 4, 1), source="by hand", profiles=told(bits("0011", 4, 1), "jaxpruner"),
)  # fmt: skip
N_OF_M.case(
    "exactly-n",
    "three equal scores for one place left: one of them stays, where a threshold keeps all three or none",
    column(2, 5, 2, 2), 2, 4,
    pin="E5", expected=bits("1100", 4, 1), source="by hand: 5, then the first 2",
    profiles=told(bits("0101", 4, 1), "jaxpruner"),
)  # fmt: skip
N_OF_M.case(
    "scores-with-their-sign",
    "a score is ranked as it is given: -9 is the smallest of its group, not the largest",
    column(-9, 1, -2, 0.5), 2, 4,
    pin="A18", expected=bits("0101", 4, 1), source="by hand: 1 and 1/2",
    profiles=told(bits("0101", 4, 1), "jaxpruner"),
)  # fmt: skip
N_OF_M.case(
    "none-of-four",
    "n = 0 empties every group: no minimum of one",
    column(4, 3, 2, 1), 0, 4,
    pin="I6", expected=bits("0000", 4, 1), source="by hand: nothing is asked for",
    profiles=told(bits("0000", 4, 1), "jaxpruner"),
)  # fmt: skip
N_OF_M.case(
    "all-of-two",
    "n = m keeps everything, zeros too",
    column(0, -1, 0, 2), 2, 2,
    pin="I6", expected=bits("1111", 4, 1), source="by hand: as many as there are",
    profiles=told(bits("1111", 4, 1), "jaxpruner"),
)  # fmt: skip
N_OF_M.case(
    "kernel",
    "in a kernel (kh, kw, c_in, c_out) a group is of consecutive channels at one tap, not of taps",
    np.array([4.0, 3, 1, 2, 1, 8, 2, 7]).reshape(2, 1, 4, 1), 2, 4,
    pin="A16", expected=bits("11000101", 2, 1, 4, 1), source="by hand: 4 and 3 at the first tap, 8 and 7 at the second",
    profiles=told(bits("11000101", 2, 1, 4, 1), "jaxpruner"),
)  # fmt: skip
N_OF_M.case(
    "one-of-three",
    "m need not be a power of two",
    column(1, 3, 2, 6, 5, 4), 1, 3,
    pin="Zhou 2021 sec. 3", expected=bits("010100", 6, 1), source="by hand: 3 and 6",
    profiles=told(bits("010100", 6, 1), "jaxpruner"),
)  # fmt: skip

# block_mask: jaxpruner adds up blocks of two axes and keeps one at least; of kernels it pools taps
BLOCKS.case(
    "two-of-four-blocks",
    "the two blocks of highest sum stay whole, their smallest entries too",
    matrix([1, 1, 9, 0], [1, 1, 0, 0], [0, 1, 2, 2], [0, 3, 2, 2]), 2, (2, 2),
    pin="Narang 2017", expected=bits("0011001100110011", 4, 4), source="by hand: sums 4, 9, 4, 8",
    profiles=told(bits("0011001100110011", 4, 4), "jaxpruner"),
)  # fmt: skip
BLOCKS.case(
    "sum-not-largest-entry",
    "four entries of 2 are worth more than one of 7",
    matrix([7, 0, 2, 2], [0, 0, 2, 2]), 1, (2, 2),
    pin="design: sums", expected=bits("00110011", 2, 4), source="by hand: 7 and 8",
    profiles=told(bits("00110011", 2, 4), "jaxpruner"),
)  # fmt: skip
BLOCKS.case(
    "signs-cancel-in-a-sum",
    "a score is summed as it is given: 5 and -5 make 0",
    matrix([5, -5, 1, 0]), 1, (1, 2),
    pin="A18", expected=bits("0011", 1, 4), source="by hand: 0 and 1",
    profiles=told(bits("0011", 1, 4), "jaxpruner"),
)  # fmt: skip
BLOCKS.case(
    "ties-to-the-earlier-block",
    "among equal sums blocks are counted row of blocks by row of blocks, not down the columns",
    matrix([1, 0, 3, 1], [0, 0, 0, 0], [2, 2, 0, 0], [0, 0, 0, 0]), 1, (2, 2),
    pin="A16", expected=bits("0011001100000000", 4, 4), source="by hand: sums 1, 4, 4, 0",
    profiles=told(bits("0011001100000000", 4, 4), "jaxpruner"),
)  # fmt: skip
BLOCKS.case(
    "exactly-n-blocks",
    "three equal blocks for one place left: exactly two blocks stay",
    matrix([1, 1, 4, 4, 1, 1, 0.5, 1.5]), 2, (1, 2),
    pin="E5", expected=bits("11110000", 1, 8), source="by hand: 8, then the first of the three 2s",
    profiles=told(bits("11110000", 1, 8), "jaxpruner"),
)  # fmt: skip
BLOCKS.case(
    "inputs-times-outputs",
    "a block is (inputs, outputs): (2, 1) is a pair of inputs of one output",
    matrix([1, 3], [1, 2], [6, 0], [0, 0]), 1, (2, 1),
    pin="contract", expected=bits("00001010", 4, 2), source="by hand: sums 2, 5, 6, 0: output 0 of inputs 2 and 3",
    profiles=told(bits("00001010", 4, 2), "jaxpruner"),
)  # fmt: skip
BLOCKS.case(
    "blocks-of-one",
    "blocks of one weight are the ranking of single weights",
    matrix([1, -0.25, 3], [0.5, 4, 0]), 3, (1, 1),
    pin="R3", expected=bits("101010", 2, 3), source="by hand: 1, 3, 4",
    profiles=told(bits("101010", 2, 3), "jaxpruner"),
)  # fmt: skip
BLOCKS.case(
    "one-block-for-all",
    "a block as large as the matrix stays, whatever it sums to",
    matrix([-1, -2], [-3, 0]), 1, (2, 2),
    pin="I6", expected=bits("1111", 2, 2), source="by hand: as many as there are",
    profiles=told(bits("1111", 2, 2), "jaxpruner"),
)  # fmt: skip
BLOCKS.case(
    "no-block",
    "n_keep = 0 keeps nothing: no minimum of one block",
    matrix([1, 2], [3, 4]), 0, (1, 2),
    pin="I6", expected=bits("0000", 2, 2), source="by hand: nothing is asked for",
    profiles=told(bits("0011", 2, 2), "jaxpruner"),
)  # fmt: skip
BLOCKS.case(
    "kernel",
    "blocks of a kernel are of channels at one tap, and all taps are ranked together",
    np.array([1.0, 1, 0, 0, 3, 3, 2, 2]).reshape(2, 1, 2, 2), 2, (1, 2),
    pin="A16", expected=bits("00001111", 2, 1, 2, 2), source="by hand: sums 2, 0, 6, 4: both at the second tap",
)  # fmt: skip

# unit_mask
UNITS.case(
    "units-are-outputs",
    "a unit is a column, all weights of one output, not the row of an input",
    matrix([1, 2, 3], [9, 1, 4]), 1,
    pin="Li 2017", expected=bits("100100", 2, 3), source="by hand: sums 10, 3, 7",
)  # fmt: skip
UNITS.case(
    "sum-not-largest-weight",
    "three weights of 2 are worth more than one of 5",
    matrix([5, 2], [0, 2], [0, 2]), 1,
    pin="Li 2017 sec. 3.1", expected=bits("010101", 3, 2), source="by hand: 5 and 6",
)  # fmt: skip
UNITS.case(
    "ties-to-the-lower-unit",
    "equal sums everywhere: the first units stay",
    matrix([1, 2, 0.5, 2.5], [2, 1, 2.5, 0.5]), 2,
    pin="R3", expected=bits("11001100", 2, 4), source="by hand: four 3s",
)  # fmt: skip
UNITS.case(
    "exactly-n-units",
    "three equal units for one place left: exactly two units stay",
    matrix([1, 4, 1, 1]), 2,
    pin="E5", expected=bits("1100", 1, 4), source="by hand: 4, then the first of the 1s",
)  # fmt: skip
UNITS.case(
    "scores-with-their-sign",
    "a score is summed as it is given: a unit of 3 and -3 comes after one of 1 and 0",
    matrix([3, 1], [-3, 0]), 1,
    pin="A18", expected=bits("0101", 2, 2), source="by hand: 0 and 1",
)  # fmt: skip
UNITS.case(
    "filters-of-a-kernel",
    "a filter of a kernel has all taps and all channels in: the sum runs over three axes",
    np.array([7.0, 1, 0, 4, 2, 4, 0, 4]).reshape(2, 1, 2, 2), 1,
    pin="A16, Li 2017", expected=bits("01010101", 2, 1, 2, 2), source="by hand: 9 and 13",
)  # fmt: skip
UNITS.case(
    "no-unit",
    "n_keep = 0 keeps nothing: no minimum of one unit",
    matrix([1, 2], [3, 4]), 0,
    pin="I6", expected=bits("0000", 2, 2), source="by hand: nothing is asked for",
)  # fmt: skip
UNITS.case(
    "all-units",
    "n_keep = all keeps units whose weights are all zero too",
    matrix([0, 2], [0, 1]), 2,
    pin="I6, I8", expected=bits("1111", 2, 2), source="by hand: as many as there are",
)  # fmt: skip
UNITS.case(
    "one-axis",
    "in an array of one axis, a bias, every entry is a unit",
    row(1, -2, 4, 3), 2,
    pin="contract", expected=bits("0011"), source="by hand: 4 and 3",
)  # fmt: skip

# effect_on_gradient_flow
EFFECT.case(
    "minus-weight-times-product",
    "the score is -w (H g): a positive one says that removal increases gradient flow",
    {"fc": row(2, -1, 4)}, {"fc": row(3, 5, -0.5)},
    pin="GraSP eq. 8", expected={"fc": row(-6, 5, 2)}, source="by hand",
)  # fmt: skip
EFFECT.case(
    "a-quadratic-loss",
    "of L = (4 w0^2 + w1^2) / 2, g = (4 w0, w1) and H g = (16 w0, w1): the score is the slope of g.g / 2 as w shrinks",
    {"fc": row(0.5, 3)}, {"fc": row(8, 3)},
    pin="GraSP eq. 7", expected={"fc": row(-4, -9)}, source="by hand: of g.g / 2 = (16 w0^2 + w1^2) / 2",
)  # fmt: skip
EFFECT.case(
    "zeros",
    "a weight of zero has no effect whatever its product, nor has a product of zero",
    {"fc": row(0, 7, 1)}, {"fc": row(64, 0, 1)},
    pin="GraSP eq. 8", expected={"fc": row(0, 0, -1)}, source="by hand",
)  # fmt: skip
EFFECT.case(
    "no-norm",
    "scores are not divided by their sum, as SNIP's are, and not by a layer's norm",
    {"a": row(8, 4), "b": row(2, 2)}, {"a": row(2, 1), "b": row(-1, -3)},
    pin="GraSP eq. 8", expected={"a": row(-16, -4), "b": row(2, 6)}, source="by hand",
)  # fmt: skip
EFFECT.case(
    "signs-are-kept",
    "the sign of a score decides: magnitudes would make a helpful and a harmful connection equal",
    {"fc": row(1, 1)}, {"fc": row(2, -2)},
    pin="A18", expected={"fc": row(-2, 2)}, source="by hand",
)  # fmt: skip
EFFECT.case(
    "by-name",
    "weights and products go together by name, in whatever order the dicts list them",
    {"a": row(1, 2), "b": row(3, 4)}, {"b": row(1, -1), "a": row(5, 6)},
    pin="design.md 4", expected={"a": row(-5, -12), "b": row(-3, 4)}, source="by hand",
)  # fmt: skip
EFFECT.case(
    "shapes-are-kept",
    "a kernel and a matrix have scores of their own shapes",
    {"conv": np.arange(1.0, 5).reshape(2, 1, 1, 2), "fc": matrix([1, 2], [3, 4])},
    {"conv": np.ones((2, 1, 1, 2)), "fc": matrix([1, 0], [0, -1])},
    pin="A16", expected={"conv": -np.arange(1.0, 5).reshape(2, 1, 1, 2), "fc": matrix([-1, 0], [0, 4])},
    source="by hand",
)  # fmt: skip
EFFECT.case(
    "small-products",
    "logits divided by 200 make products of a millionth, and they are scores like others",
    {"fc": row(0.5, 0.25)}, {"fc": row(2.0**-30, 2.0**-28)},
    pin="GraSP code: T = 200", expected={"fc": row(-(2.0**-31), -(2.0**-30))}, source="by hand",
)  # fmt: skip
EFFECT.case(
    "no-gradient-anywhere",
    "products of zero everywhere make scores of zero, and nothing is divided by them",
    {"fc": row(1, 2, 3)}, {"fc": row(0, 0, 0)},
    pin="A13", expected={"fc": row(0, 0, 0)}, source="by hand",
)  # fmt: skip

# grasp_masks
ONES = {"a": np.ones(4), "b": np.ones(4)}
GRASP.case(
    "lowest-scores-stay",
    "connections of the highest -w (H g) go, since their removal increases gradient flow",
    {"fc": row(1, 2, 3, 4)}, {"fc": row(-1, 3, 0.5, -2)}, 2,
    pin="GraSP alg. 1", expected={"fc": bits("0110")}, source="by hand: scores 1, -6, -1.5, 8",
)  # fmt: skip
GRASP.case(
    "signs-decide",
    "a large positive score goes and a large negative one stays: a ranking by magnitude keeps both",
    {"fc": row(2, -2, 1, -1)}, {"fc": row(8, 8, 1, -0.5)}, 2,
    pin="A18, GraSP sec. 4.1", expected={"fc": bits("1010")}, source="by hand: -16, 16, -1, -0.5",
)  # fmt: skip
GRASP.case(
    "one-ranking-of-all-layers",
    "all layers are ranked together: a layer may lose everything",
    ONES, {"a": row(1, 2, 3, 4), "b": row(10, 20, 30, 40)}, 4,
    pin="GraSP alg. 1", expected={"a": bits("0000"), "b": bits("1111")}, source="by hand: -10 to -40",
)  # fmt: skip
GRASP.case(
    "product-of-both",
    "neither the largest product (64, of a weight of 0) nor the largest weight decides alone",
    {"fc": row(0, 8, 3, 1)}, {"fc": row(64, 0.5, 2, 5)}, 2,
    pin="GraSP eq. 8", expected={"fc": bits("0011")}, source="by hand: 0, -4, -6, -5",
)  # fmt: skip
GRASP.case(
    "exactly-n-keep",
    "four equal scores for two places left: exactly three connections stay, where a percentile keeps all five",
    {"fc": row(1, 1, 1, 1, 1)}, {"fc": row(2, 2, 3, 2, 2)}, 3,
    pin="E5", expected={"fc": bits("11100")}, source="by hand: -3, then the first two of the -2s",
)  # fmt: skip
GRASP.case(
    "ties-to-the-earlier-layer",
    "among equal scores the earlier layer of the dict stays, before any lower index",
    {"z": row(2, 1), "a": row(1, 2)}, {"z": row(1, 1), "a": row(1, 1)}, 3,
    pin="R3, design.md 4", expected={"z": bits("11"), "a": bits("01")},
    source="by hand: the -2s, then -1 at z1, not at a0",
)  # fmt: skip
GRASP.case(
    "everything-stays",
    "n_keep = all keeps connections that harm gradient flow too",
    {"a": row(1, 1), "b": row(-1)}, {"a": row(-5, 1), "b": row(2)}, 3,
    pin="I6", expected={"a": bits("11"), "b": bits("1")}, source="by hand: all three",
)  # fmt: skip
GRASP.case(
    "nothing-stays",
    "n_keep = 0 keeps nothing: no minimum of one",
    {"a": row(1, 1), "b": row(1)}, {"a": row(5, 1), "b": row(2)}, 0,
    pin="I6", expected={"a": bits("00"), "b": bits("0")}, source="by hand",
)  # fmt: skip
GRASP.case(
    "shapes-are-kept",
    "kernels and matrices come back in their own shapes, ranked as one list",
    {"conv": np.array([1.0, 6, 2, 5]).reshape(2, 1, 1, 2), "fc": matrix([4, 3], [7, 0.5])},
    {"conv": np.ones((2, 1, 1, 2)), "fc": np.ones((2, 2))}, 4,
    pin="A16", expected={"conv": bits("0101", 2, 1, 1, 2), "fc": bits("1010", 2, 2)}, source="by hand: -7, -6, -5, -4",
)  # fmt: skip

# flow
FLOW.case(
    "absolute-weights",
    "the score is |w| times the derivative with respect to |w|: a negative weight carries flow as a positive one does",
    {"fc": row(-2, 3)}, {"fc": row(5, 1)},
    pin="SynFlow eq. 1, alg. 1", expected={"fc": row(10, 3)}, source="by hand",
)  # fmt: skip
FLOW.case(
    "a-net-of-2-2-1",
    "of R = 1^T |W1| |W2| 1 the scores of both layers add up to R, and those into a unit to those out of it",
    {"fc1": matrix([1, -2], [3, 1]), "fc2": column(2, -0.5)},
    {"fc1": matrix([2, 0.5], [2, 0.5]), "fc2": column(4, 3)},
    pin="SynFlow theorem 1", expected={"fc1": matrix([2, 1], [6, 0.5]), "fc2": column(8, 1.5)},
    source="by hand: R = 4 x 2 + 3 x 0.5 = 9.5; into unit 0 go 8, and 8 go out",
)  # fmt: skip
FLOW.case(
    "pruned-weights-have-none",
    "a weight of zero carries no flow, whatever could pass through it",
    {"fc": row(0, 1)}, {"fc": row(64, 1)},
    pin="SynFlow alg. 1", expected={"fc": row(0, 1)}, source="by hand",
)  # fmt: skip
FLOW.case(
    "a-dead-end-has-none",
    "a weight into a unit without way out has derivative zero and so no flow, however large it is",
    {"fc": row(64, 2)}, {"fc": row(0, 2)},
    pin="SynFlow sec. 5", expected={"fc": row(0, 4)}, source="by hand",
)  # fmt: skip
FLOW.case(
    "no-norm",
    "scores are not divided by their sum: a layer's scores add up to R",
    {"a": row(1, 3), "b": row(4)}, {"a": row(2, 2), "b": row(2)},
    pin="SynFlow theorem 2", expected={"a": row(2, 6), "b": row(8)}, source="by hand: R = 8 in both layers",
)  # fmt: skip
FLOW.case(
    "first-power",
    "the score is linear in the weight: not w^2, as in SynFlow's L2 relatives",
    {"fc": row(4, 0.5)}, {"fc": row(1, 1)},
    pin="SynFlow eq. 1", expected={"fc": row(4, 0.5)}, source="by hand",
)  # fmt: skip
FLOW.case(
    "by-name",
    "weights and derivatives go together by name, in whatever order the dicts list them",
    {"a": row(1, -2), "b": row(3, 4)}, {"b": row(1, 2), "a": row(5, 6)},
    pin="design.md 4", expected={"a": row(5, 12), "b": row(3, 8)}, source="by hand",
)  # fmt: skip
FLOW.case(
    "large-flows",
    "deep networks have flows beyond the integers that a float holds exactly, and they are scores like others",
    {"fc": row(-(2.0**40), 2.0**-40)}, {"fc": row(2.0**60, 2.0**60)},
    pin="SynFlow app. on float64", expected={"fc": row(2.0**100, 2.0**20)}, source="by hand",
)  # fmt: skip
FLOW.case(
    "shapes-are-kept",
    "a kernel and a matrix have scores of their own shapes",
    {"conv": -np.arange(1.0, 5).reshape(2, 1, 1, 2), "fc": matrix([1, -2], [3, 4])},
    {"conv": np.ones((2, 1, 1, 2)), "fc": matrix([1, 2], [3, 1])},
    pin="A16", expected={"conv": np.arange(1.0, 5).reshape(2, 1, 1, 2), "fc": matrix([1, 4], [9, 4])}, source="by hand",
)  # fmt: skip
FLOW.case(
    "no-way-through",
    "a network without a path has no flow anywhere, and nothing is divided by R = 0",
    {"fc": row(3, 2)}, {"fc": row(0, 0)},
    pin="A13", expected={"fc": row(0, 0)}, source="by hand",
)  # fmt: skip

# n_kept
N_KEPT.case(
    "half-way",
    "after half of the rounds the square root of the density is left: the schedule is exponential, not a straight line",
    1000, 0.01, 2, 4,
    pin="SynFlow alg. 1", expected=100, source="by hand: 0.01^(1/2) = 0.1",
)  # fmt: skip
N_KEPT.case(
    "last-round",
    "after the last round the density is that asked for",
    266_200, 0.02, 100, 100,
    pin="SynFlow alg. 1", expected=5324, source="by hand: 2 %",
)  # fmt: skip
N_KEPT.case(
    "first-round",
    "the first round prunes already: it is numbered 1",
    1000, 0.0625, 1, 4,
    pin="SynFlow alg. 1: k from 1", expected=500, source="by hand: (1/16)^(1/4) = 1/2",
)  # fmt: skip
N_KEPT.case(
    "third-of-four",
    "a third root is taken where the step asks for it: (1/16)^(3/4) = 1/8",
    800, 0.0625, 3, 4,
    pin="SynFlow alg. 1: k/n", expected=100, source="by hand",
)  # fmt: skip
N_KEPT.case(
    "half-to-even",
    "two and a half connections are two",
    5, 0.5, 1, 1,
    pin="design.md 3", expected=2, source="by hand: 2.5",
)  # fmt: skip
N_KEPT.case(
    "half-up-to-even",
    "three and a half connections are four",
    7, 0.5, 1, 1,
    pin="design.md 3, to even", expected=4, source="by hand: 3.5",
)  # fmt: skip
N_KEPT.case(
    "nothing-left",
    "a density that leaves less than half a connection leaves none: no minimum of one",
    10, 0.04, 3, 3,
    pin="I6", expected=0, source="by hand: 0.4",
)  # fmt: skip
N_KEPT.case(
    "density-one",
    "a density of 1 prunes nothing in any round",
    37, 1.0, 5, 9,
    pin="I6, SynFlow", expected=37, source="by hand",
)  # fmt: skip
N_KEPT.case(
    "forty-of-a-hundred",
    "a count is rounded to the nearest: 0.1^0.4 of 1000 are 398.1",
    1000, 0.1, 40, 100,
    pin="SynFlow alg. 1, rounding", expected=398, source="by a table of logarithms: 10^-0.4 = 0.39811",
)  # fmt: skip
N_KEPT.case(
    "rounded-not-truncated",
    "a count is rounded to the nearest: 0.1^0.2 of 1000 are 630.96",
    1000, 0.1, 1, 5,
    pin="SynFlow alg. 1, rounding up", expected=631, source="by a table of logarithms: 10^-0.2 = 0.63096",
)  # fmt: skip
