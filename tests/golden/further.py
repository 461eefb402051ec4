"""Golden cases of what else is decided before and around training: densities, rates, and rankings of all layers."""

import math
from fractions import Fraction

import numpy as np

from tests.golden.case import Function, bits, row
from tests.golden.schedules import slow_cosine
from tests.helpers.slow_methods import er_raw, slow_global_magnitude_masks, slow_snip_masks


def slow_from_epsilon(shapes, eps, dense=()):
    return {
        name: 1.0 if name in dense else float(min(1, Fraction(eps) * er_raw(shape))) for name, shape in shapes.items()
    }


def slow_density_of(sparsity, of=1):
    return float(1 - Fraction(str(sparsity)) * Fraction(str(of)))


def left_over(step, t_end, begin):
    return 1 - min(max(Fraction(step - begin, t_end - begin), Fraction(0)), Fraction(1))


def slow_linear(step, alpha, t_end, begin=0):
    return float(Fraction(alpha) * left_over(step, t_end, begin))


def slow_inverse_power(step, alpha, t_end, k, begin=0):
    left = left_over(step, t_end, begin)
    return alpha * float(left) ** k if left else 0.0


def slow_step_rate(step, rate, period, factor):
    return math.prod([rate, *[factor for n in range(1, step + 1) if n % period == 0]])


def slow_multi_step_rate(step, rate, milestones, factor):
    return math.prod([rate, *[factor for milestone in milestones if milestone <= step]])


def slow_of_all(weights, n_keep, masks=None):
    whole = {name: np.ones(w.shape, bool) for name, w in weights.items()}
    return slow_global_magnitude_masks(weights, n_keep, whole if masks is None else masks)


def slow_snip(params, grads, density):
    names = [name for name in params if name.endswith(".weight")]
    mean = {}
    for name in names:
        sums = [sum(map(Fraction, own)) for own in zip(*(batch[name].ravel().tolist() for batch in grads), strict=True)]
        mean[name] = np.array([float(s / len(grads)) for s in sums]).reshape(params[name].shape)
    size = sum(params[name].size for name in names)
    return slow_snip_masks({name: params[name] for name in names}, mean, round(Fraction(str(density)) * size))


EPSILON = Function("from_epsilon", "shapes eps dense", slow_from_epsilon)
DENSITY = Function("density_of", "sparsity of", slow_density_of)
LINEAR = Function("linear", "step alpha t_end begin", slow_linear)
POWER = Function("inverse_power", "step alpha t_end k begin", slow_inverse_power)
STEPS = Function("step_rate", "step rate period factor", slow_step_rate)
MILESTONES = Function("multi_step_rate", "step rate milestones factor", slow_multi_step_rate)
COSINE_RATE = Function("cosine_rate", "step rate t_end", slow_cosine)
OF_ALL = Function("global_magnitude_masks", "weights n_keep masks", slow_of_all)
SNIP = Function("snip", "params grads density", slow_snip)
FUNCTIONS = [EPSILON, DENSITY, LINEAR, POWER, STEPS, MILESTONES, COSINE_RATE, OF_ALL, SNIP]

# from_epsilon
EPSILON.case(
    "two-layers",
    "density is ε (n_in + n_out) / (n_in n_out), whatever total that gives: nothing is scaled",
    {"fc1": (8, 4), "fc2": (16, 16)}, 2,
    pin="1.2 raw, SET eq. 3", expected={"fc1": 0.75, "fc2": 0.25}, source="by hand: 2 x 12/32 and 2 x 32/256",
)  # fmt: skip
EPSILON.case(
    "full",
    "a layer whose density would pass 1 is dense, and the others do not change for it",
    {"fc1": (64, 64), "fc2": (4, 2)}, 4.0,
    pin="1.2 cap", expected={"fc1": 0.125, "fc2": 1.0}, source="by hand: 4 x 128/4096; 4 x 6/8 = 3",
)  # fmt: skip
EPSILON.case(
    "kernel-area-ignored",
    "of a convolution only the channels count",
    {"conv": (3, 3, 8, 8), "conv1d": (5, 8, 16)}, 0.5,
    pin="1.2 raw", expected={"conv": 0.125, "conv1d": 0.09375}, source="by hand: 16/64/2 and 24/128/2",
)  # fmt: skip
EPSILON.case(
    "dense-layers",
    "a layer named in dense keeps all",
    {"fc1": (8, 8), "fc2": (8, 8)}, 1.0, ("fc2",),
    pin="design.md 4", expected={"fc1": 0.25, "fc2": 1.0}, source="by hand: 16/64",
)  # fmt: skip
EPSILON.case(
    "all-named-dense",
    "dense may name every layer: ε then decides nothing",
    {"fc1": (8, 8), "fc2": (8, 4)}, 1.0, ("fc1", "fc2"),
    pin="design.md 4, all dense", expected={"fc1": 1.0, "fc2": 1.0}, source="by hand: all",
)  # fmt: skip

# density_of
DENSITY.case(
    "nine-tenths",
    "1 - .9 in decimals: .1, and not 0.09999999999999998",
    0.9,
    pin="1.2 floor trap", expected=0.1, source="by hand: .1",
)  # fmt: skip
DENSITY.case(
    "a-part-of-the-sparsity",
    "a layer at .9 of the sparsity .98 keeps 1 - .882",
    0.98, 0.9,
    pin="papers.md list B 11", expected=0.118, source="by hand: 1 - .882",
)  # fmt: skip
DENSITY.case(
    "dense",
    "sparsity 0 is density 1",
    0, 0.5,
    pin="design.md 4", expected=1.0, source="by hand: nothing is absent",
)  # fmt: skip
DENSITY.case(
    "none-of-it",
    "a layer at 0 of the sparsity is dense",
    0.75, 0,
    pin="design.md 4, of", expected=1.0, source="by hand: nothing is absent",
)  # fmt: skip

# linear
LINEAR.case(
    "start",
    "at step 0 the fraction is alpha itself",
    0, 0.3, 100,
    pin="C3", expected=0.3, source="by hand: alpha",
)  # fmt: skip
LINEAR.case(
    "a-quarter",
    "a straight line: after a quarter of the time three quarters of alpha",
    25, 0.3, 100,
    pin="C3", expected=0.225, source="by hand: .3 x 3/4",
)  # fmt: skip
LINEAR.case(
    "after-the-end",
    "from t_end on it is 0: the line itself would go below",
    130, 0.3, 100,
    pin="C3", expected=0.0, source="semantics.md 1.4 item 9: negative in SL", profiles={"sparse-learning": None},
)  # fmt: skip
LINEAR.case(
    "from-begin",
    "the line falls from begin on, over the time between begin and t_end",
    40, 0.5, 100, 20,
    pin="C2, C3", expected=0.375, source="by hand: 20 of 80 steps are gone",
)  # fmt: skip
LINEAR.case(
    "before-begin",
    "before begin it is alpha, and not more",
    5, 0.5, 100, 20,
    pin="C2, before", expected=0.5, source="by hand: alpha",
)  # fmt: skip
LINEAR.case(
    "one-step",
    "t_end may be 1: step 0 has alpha",
    0, 0.25, 1,
    pin="C3, t_end 1", expected=0.25, source="by hand: alpha",
)  # fmt: skip

# inverse_power
POWER.case(
    "half-way-of-a-cube",
    "alpha times the cube of the time left",
    50, 0.4, 100, 3,
    pin="C3, 1.1 exponential_k", expected=0.05, source="by hand: .4 / 8",
)  # fmt: skip
POWER.case(
    "a-root",
    "k below 1 falls late: a quarter of the time left is half of alpha",
    75, 0.5, 100, 0.5,
    pin="C3, k < 1", expected=0.25, source="by hand: .5 x sqrt(1/4)",
)  # fmt: skip
POWER.case(
    "a-line",
    "k = 1 is the straight line",
    25, 0.4, 100, 1,
    pin="C3, k = 1", expected=0.3, source="by hand: .4 x 3/4",
)  # fmt: skip
POWER.case(
    "after-the-end",
    "from t_end on it is 0: an even power would rise again",
    150, 0.4, 100, 2,
    pin="C3, end", expected=0.0, source="by hand: clamped",
)  # fmt: skip
POWER.case(
    "end",
    "at t_end it is 0, at k = 0 too, where it was alpha until then",
    100, 0.4, 100, 0,
    pin="C3, k = 0", expected=0.0, source="by hand: t_end is exclusive",
)  # fmt: skip
POWER.case(
    "from-begin",
    "the time left is that between begin and t_end",
    60, 0.4, 100, 2, 20,
    pin="C2, C3", expected=0.1, source="by hand: half of 80 steps is left, .4 / 4",
)  # fmt: skip
POWER.case(
    "before-begin",
    "before begin it is alpha, and not more",
    10, 0.4, 100, 2, 20,
    pin="C2, before", expected=0.4, source="by hand: alpha",
)  # fmt: skip

# learning rates
STEPS.case(
    "first-period",
    "the last step of the first period still has the first rate",
    9, 0.5, 10, 0.25,
    pin="B3", expected=0.5, source="by hand: 10 steps, 0 to 9",
)  # fmt: skip
STEPS.case(
    "at-a-period",
    "the factor acts from step `period` on",
    10, 0.5, 10, 0.25,
    pin="B3, period", expected=0.125, source="by hand: once",
)  # fmt: skip
STEPS.case(
    "two-periods",
    "factors multiply: after two periods the square",
    27, 0.5, 10, 0.5,
    pin="B3, periods", expected=0.125, source="by hand: twice",
)  # fmt: skip
STEPS.case(
    "every-step",
    "a period of 1 falls at every step",
    3, 1, 1, 0.5,
    pin="B3, period 1", expected=0.125, source="by hand: three times",
)  # fmt: skip
MILESTONES.case(
    "before-the-first",
    "before the first milestone the rate is as given",
    29, 0.5, (30, 60), 0.1,
    pin="B3", expected=0.5, source="by hand: none",
)  # fmt: skip
MILESTONES.case(
    "at-a-milestone",
    "the factor acts from the milestone's step on",
    30, 0.5, (30, 60), 0.1,
    pin="B3, milestone", expected=0.05, source="by hand: once",
)  # fmt: skip
MILESTONES.case(
    "after-two",
    "milestones need not be equally far apart, and each acts once",
    200, 0.5, (30, 60, 500), 0.5,
    pin="B3, milestones", expected=0.125, source="by hand: twice",
)  # fmt: skip
MILESTONES.case(
    "none",
    "without milestones the rate stays",
    7, 0.5, (), 0.1,
    pin="B3, none", expected=0.5, source="by hand: never",
)  # fmt: skip
COSINE_RATE.case(
    "start",
    "the first step has the rate itself",
    0, 0.5, 100,
    pin="B3", expected=0.5, source="by hand: cos 0 = 1",
)  # fmt: skip
COSINE_RATE.case(
    "a-third",
    "half a cosine: after a third of the time three quarters of the rate",
    40, 0.5, 120,
    pin="B3, C1", expected=0.375, source="by hand: 1 + cos(60°) = 3/2",
)  # fmt: skip
COSINE_RATE.case(
    "after-the-end",
    "from t_end on it is 0, and does not rise again",
    150, 0.5, 100,
    pin="B3, end", expected=0.0, source="by hand: clamped",
)  # fmt: skip

# global_magnitude_masks
OF_ALL.case(
    "one-ranking",
    "all layers are ranked together: the layer of small weights may lose all of them",
    {"a": row(0.5, -0.25, 0.75), "b": row(-3, 2, 1)}, 3,
    pin="I9", expected={"a": bits("000"), "b": bits("111")}, source="by hand: 3, 2, 1",
)  # fmt: skip
OF_ALL.case(
    "ties-to-the-earlier-layer",
    "equal magnitudes: the earlier layer of the dict first, then the lower index",
    {"z": row(1, -2, 2), "a": row(2, 2)}, 3,
    pin="R3, I5", expected={"z": bits("011"), "a": bits("10")}, source="by hand: four 2s, the first three",
)  # fmt: skip
OF_ALL.case(
    "candidates",
    "what the masks have taken does not return, however large its stored value, and an active zero comes before it",
    {"a": row(9, 0, 3), "b": np.array([[0.0, 8], [1, 0]])}, 4,
    {"a": bits("011"), "b": bits("1010", 2, 2)},
    pin="C6, R2", expected={"a": bits("011"), "b": bits("1010", 2, 2)}, source="by hand: four candidates",
)  # fmt: skip
OF_ALL.case(
    "keep-nothing",
    "n_keep = 0 empties every layer",
    {"a": row(1, 2), "b": row(3)}, 0,
    pin="I6, n_keep 0", expected={"a": bits("00"), "b": bits("0")}, source="by hand: none",
)  # fmt: skip
OF_ALL.case(
    "keep-everything",
    "as many as there are: all stay, zeros too",
    {"a": row(0, 2), "b": row(-3)}, 3,
    pin="I6, all", expected={"a": bits("11"), "b": bits("1")}, source="by hand: all",
)  # fmt: skip

# snip
SNIP.case(
    "weights-alone",
    "weights are ranked by |weight x gradient| over the network, and biases take no part, however large",
    {"fc1.weight": np.array([[1.0, -2], [3, 4]]), "fc1.bias": row(90, 90), "fc2.weight": row(8, -1)},
    ({"fc1.weight": np.array([[1.0, 3], [0, 1]]), "fc1.bias": row(50, 50), "fc2.weight": row(-2, 5)},), 0.5,
    pin="1.5 Pin", expected={"fc1.weight": bits("0100", 2, 2), "fc2.weight": bits("11")},
    source="by hand: 1, 6, 0, 4, 16, 5 of six weights: 16, 6 and 5",
)  # fmt: skip
SNIP.case(
    "mean-of-batches",
    "gradients of several batches are averaged before the product: what cancels does not matter to the loss",
    {"fc.weight": row(1, 1, 1, 1)},
    ({"fc.weight": row(9, 2, 1, 1)}, {"fc.weight": row(-9, 2, 4, 0)}, {"fc.weight": row(0, 3, 3, -6)}), 0.25,
    pin="1.5 Pin, batches", expected={"fc.weight": bits("0010")}, source="by hand: sums 0, 7, 8 and -5",
)  # fmt: skip
SNIP.case(
    "half-to-even",
    "half of five weights, 2.5, is rounded half to even, to 2",
    {"fc.weight": row(1, 2, 3, 4, 5)}, ({"fc.weight": row(1, 1, 1, 1, 1)},), 0.5,
    pin="1.5 kappa", expected={"fc.weight": bits("00011")}, source="by hand: 4 and 5",
)  # fmt: skip
SNIP.case(
    "a-half-but-for-rounding",
    ".07 of 150 weights is 10.5 in decimals, and 10 stay; in binary it is 10.500000000000002",
    {"fc.weight": np.arange(1.0, 151).reshape(15, 10)}, ({"fc.weight": np.ones((15, 10))},), 0.07,
    pin="1.5 kappa, D5", expected={"fc.weight": (np.arange(150) >= 140).reshape(15, 10)},
    source="by hand: the ten largest",
)  # fmt: skip
SNIP.case(
    "everything",
    "density 1 keeps all, those of no effect too",
    {"fc.weight": row(0, 2), "out.weight": row(3, 4)}, ({"fc.weight": row(1, 0), "out.weight": row(1, 1)},), 1,
    pin="1.5, density 1", expected={"fc.weight": bits("11"), "out.weight": bits("11")}, source="by hand: all",
)  # fmt: skip
