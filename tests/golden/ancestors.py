"""Golden cases of Optimal Brain Damage and Optimal Brain Surgeon."""

import math

import numpy as np

from tests.golden.case import Function, bits, row
from tests.golden.structured import column, matrix
from tests.helpers.slow_family import (
    slow_inverse_hessian,
    slow_obd_masks,
    slow_obd_saliency,
    slow_obs_delete,
    slow_obs_saliency,
    slow_second_derivatives,
)

SECOND = Function("second_derivatives", "params x y activation error", slow_second_derivatives)
OBD = Function(
    "obd_masks", "weights second n_keep", slow_obd_masks,
    stages=lambda weights, second, n_keep: {"saliency": slow_obd_saliency(weights, second)},
)  # fmt: skip
INVERSE = Function("inverse_hessian", "vectors n_examples alpha", slow_inverse_hessian)
DELETE = Function(
    "obs_delete", "weight inverse", slow_obs_delete,
    stages=lambda weight, inverse: {"saliency": slow_obs_saliency(weight, inverse)},
)  # fmt: skip
FUNCTIONS = [SECOND, OBD, INVERSE, DELETE]


def net(*layers):
    """Parameters of a perceptron from (weight, bias) of each layer."""
    named = [(f"fc{i}", weight, bias) for i, (weight, bias) in enumerate(layers, 1)]
    return {f"{n}.{part}": a for n, w, b in named for part, a in (("weight", w), ("bias", b))}


# second_derivatives
SECOND.case(
    "one-weight",
    "of E = (3 w + b - 1)^2 / 2 the second derivatives are 9 by w and 1 by b, whatever w is",
    net((column(2), row(0))), column(3), column(1),
    pin="OBD sec. 2.1, h = z^2 h", expected=net((column(9), row(1))), source="by hand",
)  # fmt: skip
SECOND.case(
    "mean-over-examples",
    "E is the mean error: second derivatives are averaged over examples, not added up",
    net((column(1), row(0))), column(1, 3), column(0, 0),
    pin="OBD sec. 2: E averaged", expected=net((column(5), row(1))), source="by hand: (1 + 9) / 2",
)  # fmt: skip
SECOND.case(
    "inputs-squared",
    "a weight's second derivative is its input's square times that of its unit, not the input itself",
    net((matrix([1], [1], [1]), row(0))), matrix([2, -3, 0]), column(5),
    pin="OBD eq. of h_kk", expected=net((column(4, 9, 0), row(1))), source="by hand",
)  # fmt: skip
SECOND.case(
    "through-a-relu",
    "of a line through a ReLU that is open, w2^2 x^2 is the second derivative by the first weight",
    net((column(2), row(0)), (column(3), row(0))), column(1), column(4), "relu",
    pin="OBD recursion", expected=net((column(9), row(9)), (column(4), row(1))), source="by hand: E = (3 w1 - 4)^2 / 2",
)  # fmt: skip
SECOND.case(
    "behind-a-closed-relu",
    "behind a ReLU that is closed nothing depends on the first layer, and the second sees inputs of zero",
    net((column(-2), row(0)), (column(3), row(0))), column(1), column(4), "relu",
    pin="OBD: f' = 0", expected=net((column(0), row(0)), (column(0), row(1))), source="by hand",
)  # fmt: skip
SECOND.case(
    "weights-squared-over-outputs",
    "what two outputs send back adds up by squares of weights, (2)^2 + (-3)^2, not by the square of their sum",
    net((column(1), row(0)), (matrix([2, -3]), row(0, 0))), column(1), matrix([0, 0]), "relu",
    pin="OBD recursion: sum of w^2 h",
    expected=net((column(13), row(13)), (matrix([1, 1]), row(1, 1))), source="by hand",
)  # fmt: skip
HALF = math.atanh(0.5)
SECOND.case(
    "the-bend-of-tanh",
    "f'' counts: at tanh = 1/2, f' = 3/4 and f'' = -3/4, (3/4)^2 x 2^2 x 1 - 3/4 x 2 x 1",
    net((column(HALF), row(0)), (column(2), row(0))), column(1), column(0),
    pin="OBD recursion: f'' dE/dz", expected=net((column(0.75), row(0.75)), (column(0.25), row(1))),
    source="by hand: 2.25 - 1.5; Levenberg and Marquardt's approximation leaves out the second term",
)  # fmt: skip
SECOND.case(
    "may-be-negative",
    "far from the targets f'' makes a second derivative negative, where a mean of squared gradients cannot be",
    net((column(HALF), row(0)), (column(2), row(0))), column(1), column(-3),
    pin="OBD: not the Fisher information", expected=net((column(-3.75), row(-3.75)), (column(0.25), row(1))),
    source="by hand: 2.25 - 3/4 x 2 x 4",
)  # fmt: skip
SECOND.case(
    "cross-entropy",
    "of softmax with cross-entropy p (1 - p) is the second derivative by an output: 1/4 of two equal ones",
    net((matrix([0, 0], [0, 0]), row(0, 0))), matrix([1, 2]), np.array([0]), "relu", "cross_entropy",
    pin="OBD at the outputs", expected=net((matrix([0.25, 0.25], [1, 1]), row(0.25, 0.25))), source="by hand",
)  # fmt: skip
L3 = math.log(3)
SECOND.case(
    "cross-entropy-of-unequal-outputs",
    "each example has its own p: (3/4, 1/4) of the first and (1/2, 1/2) of the second, whatever their labels",
    net((matrix([L3, 0]), row(0, 0))), column(1, 0), np.array([0, 1]), "relu", "cross_entropy",
    pin="OBD at the outputs, p (1 - p)", expected=net((matrix([3 / 32, 3 / 32]), row(7 / 32, 7 / 32))),
    source="by hand: 3/16 and 1/4, halved",
)  # fmt: skip
SECOND.case(
    "cross-entropy-sends-back-p-minus-y",
    "f'' counts with dE/dz, which is by p - y here: at p = (3/4, 1/4) and label 0 it is -1/4 x 2 ln 3",
    net((column(HALF), row(0)), (matrix([2 * L3, 0]), row(0, 0))), column(1), np.array([0]), "tanh", "cross_entropy",
    pin="OBD: dE/dz of softmax",
    expected=net(
        (column(27 / 64 * L3**2 + 3 / 8 * L3), row(27 / 64 * L3**2 + 3 / 8 * L3)),
        (matrix([3 / 64, 3 / 64]), row(3 / 16, 3 / 16)),
    ),
    source="by hand: (3/4)^2 (2 ln 3)^2 3/16 + 3/4 x 1/4 x 2 ln 3",
)  # fmt: skip
SECOND.case(
    "biases-shift-units",
    "a unit's bias is part of its sum: it opens this ReLU, and the next layer sees 3",
    net((column(1), row(2)), (column(2), row(5))), column(1), column(0), "relu",
    pin="OBD: sums with biases", expected=net((column(4), row(4)), (column(9), row(1))), source="by hand: 1 + 2 = 3",
)  # fmt: skip
SECOND.case(
    "two-bends",
    "gradients go back through f' as in backpropagation, and meet the f'' of every layer",
    net((column(HALF), row(0)), (column(2 * HALF), row(0)), (column(2), row(0))), column(1), column(0),
    pin="OBD recursion: f'' and f'",
    expected=net(
        (column(27 / 16 * HALF**2 - 9 / 4 * HALF), row(27 / 16 * HALF**2 - 9 / 4 * HALF)),
        (column(3 / 16), row(3 / 4)), (column(1 / 4), row(1)),
    ),
    source="by hand: 9/16 (2 A)^2 3/4 - 3/4 (3/2) (2 A) with A = artanh 1/2",
)  # fmt: skip
SECOND.case(
    "three-layers",
    "the recursion goes on: each layer back multiplies by its weights squared",
    net((column(2), row(0)), (column(3), row(0)), (column(-5), row(0))), column(1), column(-30), "relu",
    pin="OBD recursion, twice", expected=net((column(225), row(225)), (column(100), row(25)), (column(36), row(1))),
    source="by hand: 3^2 5^2, 2^2 5^2, 6^2",
)  # fmt: skip
SECOND.case(
    "mixed-derivatives-left-out",
    "below two layers what units share is left out: this is the recursion's answer, not the exact 0",
    net((column(1), row(0)), (matrix([1, 1]), row(0, 0)), (column(1, -1), row(0))), column(1), column(0), "relu",
    pin="OBD: the diagonal approximation",
    expected=net((column(2), row(2)), (matrix([1, 1]), row(1, 1)), (column(1, 1), row(1))),
    source="by hand: 1 + 1, though the outputs cancel",
)  # fmt: skip

# obd_masks
OBD.case(
    "saliency-not-size",
    "a small weight of large curvature stays: h w^2 / 2 is ranked, not |w|",
    {"fc": row(1, 3, 2)}, {"fc": row(20, 1, 2)}, 2,
    pin="OBD sec. 2: s = h w^2 / 2", expected={"fc": bits("110")}, source="by hand: 10, 4.5, 4",
)  # fmt: skip
OBD.case(
    "weights-squared",
    "the weight counts by its square: 3^2 x 1 comes before 1 x 8",
    {"fc": row(1, 3)}, {"fc": row(8, 1)}, 1,
    pin="OBD: w^2", expected={"fc": bits("01")}, source="by hand: 4 and 4.5",
)  # fmt: skip
OBD.case(
    "one-ranking-of-all-layers",
    "parameters of all layers are ranked together: one of low saliencies is emptied",
    {"a": row(1, 2, 3), "b": row(1, 1)}, {"a": row(0.1, 0.1, 0.1), "b": row(5, 4)}, 2,
    pin="E6, OBD", expected={"a": bits("000"), "b": bits("11")}, source="by hand: 0.05, 0.2, 0.45, 2.5, 2",
)  # fmt: skip
OBD.case(
    "negative-curvature-goes-first",
    "a weight whose removal lowers the error by h < 0 goes before one of saliency zero",
    {"fc": row(4, 1, 0)}, {"fc": row(-1, 1, 3)}, 2,
    pin="A18, OBD", expected={"fc": bits("011")}, source="by hand: -8, 0.5, 0",
)  # fmt: skip
OBD.case(
    "signs-of-weights-do-not-matter",
    "-3 is as salient as 3",
    {"fc": row(-3, 2, -1)}, {"fc": row(1, 1, 1)}, 1,
    pin="OBD: w^2, signs", expected={"fc": bits("100")}, source="by hand: 4.5, 2, 0.5",
)  # fmt: skip
OBD.case(
    "exactly-n-keep",
    "three equal saliencies for one place left: exactly two stay, in the order of index",
    {"fc": row(2, 1, -2, 2)}, {"fc": row(1, 9, 1, 1)}, 2,
    pin="E5, R3", expected={"fc": bits("1100")}, source="by hand: 4.5, then the first 2",
)  # fmt: skip
OBD.case(
    "ties-to-the-earlier-layer",
    "among equal saliencies the earlier layer of the dict comes first",
    {"z": row(1, 2), "a": row(2, 1)}, {"z": row(1, 1), "a": row(1, 1)}, 1,
    pin="R3, design.md 4", expected={"z": bits("01"), "a": bits("00")}, source="by hand: 2 of z",
)  # fmt: skip
OBD.case(
    "all-and-none-of-it-moves",
    "n_keep = all keeps weights of negative saliency too",
    {"a": row(1, 2), "b": row(3)}, {"a": row(-1, 1), "b": row(-2)}, 3,
    pin="I6", expected={"a": bits("11"), "b": bits("1")}, source="by hand",
)  # fmt: skip
OBD.case(
    "nothing-stays",
    "n_keep = 0 keeps nothing: no minimum of one",
    {"a": row(1, 2), "b": row(3)}, {"a": row(1, 1), "b": row(1)}, 0,
    pin="I6", expected={"a": bits("00"), "b": bits("0")}, source="by hand",
)  # fmt: skip
OBD.case(
    "by-name",
    "weights and second derivatives go together by name, in whatever order the dicts list them",
    {"a": row(1, 2), "b": row(3, 1)}, {"b": row(0.1, 1), "a": row(8, 3)}, 2,
    pin="design.md 4", expected={"a": bits("11"), "b": bits("00")}, source="by hand: 4, 6, 0.45, 0.5",
)  # fmt: skip
OBD.case(
    "shapes-are-kept",
    "weights and biases come back in their own shapes",
    {"fc.weight": matrix([1, 2], [3, 4]), "fc.bias": row(5, 6)},
    {"fc.weight": matrix([9, 1], [1, 1]), "fc.bias": row(0, 1)}, 4,
    pin="A16", expected={"fc.weight": bits("1011", 2, 2), "fc.bias": bits("01")},
    source="by hand: 4.5, 2, 4.5, 8, 0, 18",
)  # fmt: skip

# inverse_hessian
INVERSE.case(
    "one-gradient",
    "of H = α I + X X^T with X = (1, 0) and α = 1 the inverse is diag(1/2, 1)",
    matrix([1, 0]), 1, 1.0,
    pin="OBS eq. of the recursion", expected=matrix([0.5, 0], [0, 1]), source="by hand",
)  # fmt: skip
INVERSE.case(
    "outer-product",
    "weights that go together have a negative entry beside the diagonal: H = [[2, 1], [1, 2]]",
    matrix([1, 1]), 1, 1.0,
    pin="OBS: X X^T", expected=matrix([2 / 3, -1 / 3], [-1 / 3, 2 / 3]), source="by hand",
)  # fmt: skip
INVERSE.case(
    "divided-by-examples",
    "H is the mean over P examples: two gradients of (2, 0) make α + (4 + 4) / 2",
    matrix([2, 0], [2, 0]), 2, 1.0,
    pin="OBS: 1 / P", expected=matrix([0.2, 0], [0, 1]), source="by hand: 1 / 5",
)  # fmt: skip
INVERSE.case(
    "several-outputs-of-an-example",
    "a network of two outputs has two gradients for each example, and P is the number of examples still",
    matrix([1, 0], [0, 3]), 1, 1.0,
    pin="OBS: P examples", expected=matrix([0.5, 0], [0, 0.1]), source="by hand: 1 / (1 + 1), 1 / (1 + 9)",
)  # fmt: skip
INVERSE.case(
    "no-gradient",
    "without gradients H is α I, and its inverse I / α",
    np.zeros((0, 2)), 5, 0.25,
    pin="OBS: H_0 = α I", expected=matrix([4, 0], [0, 4]), source="by hand",
)  # fmt: skip
INVERSE.case(
    "a-weight-that-does-nothing",
    "a weight with gradients of zero keeps 1 / α, far larger than all others",
    matrix([3, 0], [1, 0]), 2, 2.0**-10,
    pin="OBS: small α", expected=matrix([1 / (2.0**-10 + 5), 0], [0, 1024]), source="by hand: (9 + 1) / 2 = 5",
)  # fmt: skip
INVERSE.case(
    "alpha-left-out",
    "left out, α is 1e-4, the largest that the paper names",
    matrix([0]), 1,
    pin="OBS: α from 1e-8 to 1e-4", expected=matrix([10_000]), source="by hand",
)  # fmt: skip
INVERSE.case(
    "signs-cancel-nowhere",
    "a gradient and its negative count twice: X X^T has no sign",
    matrix([1, -1], [-1, 1]), 1, 1.0,
    pin="A18, OBS", expected=matrix([0.6, 0.4], [0.4, 0.6]), source="by hand: H = [[3, -2], [-2, 3]], of determinant 5",
)  # fmt: skip
INVERSE.case(
    "three-weights",
    "the recursion over three gradients of three weights gives the inverse that elimination gives",
    matrix([1, 2, 0], [0, 1, -1], [2, 0, 1]), 3, 0.5, pin="OBS: the recursion",
)  # fmt: skip

# obs_delete
DELETE.case(
    "the-others-adjust",
    "of H = [[2, 1], [1, 2]] the second weight goes, and the first moves from 3 to 3.5 to make up for it",
    row(3, 1), matrix([2 / 3, -1 / 3], [-1 / 3, 2 / 3]),
    pin="OBS eq. of δw", expected=(row(3.5, 0), matrix([0.5, 0], [0, 0]), 1), source="by hand: L is 6.75 and 0.75",
)  # fmt: skip
DELETE.case(
    "diagonal-moves-nothing",
    "where weights do not interact the others stay as they are, as in Optimal Brain Damage",
    row(2, 1, 4), matrix([1, 0, 0], [0, 2, 0], [0, 0, 1]),
    pin="OBS: diagonal H is OBD", expected=(row(2, 0, 4), matrix([1, 0, 0], [0, 0, 0], [0, 0, 1]), 1),
    source="by hand: L is 2, 0.25, 8",
)  # fmt: skip
DELETE.case(
    "saliency-not-size",
    "the larger weight goes, since the inverse says that others can take its place",
    row(2, 1), matrix([16, 0], [0, 1]),
    pin="OBS: L = w^2 / 2 [H^-1]_qq", expected=(row(0, 1), matrix([0, 0], [0, 1]), 0), source="by hand: 1/8 and 1/2",
)  # fmt: skip
DELETE.case(
    "deleted-stay-deleted",
    "a weight whose row of the inverse is zero is gone: though it is the smallest, another one goes",
    row(0, 3, 2), matrix([0, 0, 0], [0, 1, 0], [0, 0, 1]),
    pin="OBS step 5", expected=(row(0, 3, 0), matrix([0, 0, 0], [0, 1, 0], [0, 0, 0]), 2), source="by hand: 4.5 and 2",
)  # fmt: skip
DELETE.case(
    "the-last-one",
    "the last weight that is left can go too, and leaves zeros",
    row(0, -5), matrix([0, 0], [0, 4]),
    pin="OBS step 5: to the end", expected=(row(0, 0), matrix([0, 0], [0, 0]), 1), source="by hand",
)  # fmt: skip
DELETE.case(
    "zero-goes-first",
    "a weight of exactly zero costs nothing and moves nothing, though it interacts",
    row(1, 0), matrix([2 / 3, -1 / 3], [-1 / 3, 2 / 3]),
    pin="A3, OBS", expected=(row(1, 0), matrix([0.5, 0], [0, 0]), 1), source="by hand: L is 0.75 and 0",
)  # fmt: skip
DELETE.case(
    "by-its-sign",
    "δw has the sign of the weight that goes: a negative one lowers what a positive one would raise",
    row(3, -1), matrix([2 / 3, -1 / 3], [-1 / 3, 2 / 3]),
    pin="A18, OBS", expected=(row(2.5, 0), matrix([0.5, 0], [0, 0]), 1), source="by hand: 3 - 1/2",
)  # fmt: skip
DELETE.case(
    "ties-to-the-lower-index",
    "of two weights that cost the same the lower index goes",
    row(1, 2, -1), matrix([1, 0, 0], [0, 1, 0], [0, 0, 1]),
    pin="R3", expected=(row(0, 2, -1), matrix([0, 0, 0], [0, 1, 0], [0, 0, 1]), 0), source="by hand: 0.5, 2, 0.5",
)  # fmt: skip
DELETE.case(
    "inverse-of-those-left",
    "the new inverse is that of H without row and column q, not the old one with them cut out",
    row(4, 1, 4), matrix([3, 1, 1], [1, 2, 1], [1, 1, 3]),
    pin="OBS step 5, of H", expected=(row(3.5, 0, 3.5), matrix([2.5, 0, 0.5], [0, 0, 0], [0.5, 0, 2.5]), 1),
    source="by hand: L is 2.67, 0.25, 2.67; 3 - 1/2 and 1 - 1/2",
)  # fmt: skip
