"""Golden cases of what depends on the step: how much of a mask moves, and how sparse it is by now."""

from fractions import Fraction
from math import cos, floor, pi

from tests.golden.case import Function, told


def slow_cosine(step, alpha, t_end, begin=0):
    """alpha cos²(pi x / 2): half a cosine by another identity."""
    x = min(max((step - begin) / (t_end - begin), 0.0), 1.0)
    return 0.0 if x == 1 else alpha * cos(pi * x / 2) ** 2


def slow_cubic(step, begin, end, final, initial=0.0):
    """What is still to be pruned is initial - final, times the cube of the time left: in exact fractions."""
    left = 1 - min(max(Fraction(step - begin, end - begin), Fraction(0)), Fraction(1))
    return float(Fraction(final) + (Fraction(initial) - Fraction(final)) * left**3)


def cosine_of_sparse_learning(step, alpha, t_end):
    """Down to .005 at t_end, and up again after it."""
    return 0.005 + (alpha - 0.005) / 2 * (1 + cos(pi * step / t_end))


def cubic_of_sparsimony(step, begin, end, final):
    """The time since begin over the end's step, not over the time between them."""
    return final - final * (1 - (step - begin) / end) ** 3


def slow_rigl_count(step, n_active, alpha, t_end):
    return floor(slow_cosine(step, alpha, t_end) * n_active)


COSINE = Function("cosine", "step alpha t_end begin", slow_cosine)
CUBIC = Function("cubic", "step begin end final initial", slow_cubic)
RIGL_COUNT = Function(
    "rigl_count", "step n_active alpha t_end", slow_rigl_count,
    stages=lambda step, n_active, alpha, t_end: {"fraction": slow_cosine(step, alpha, t_end)},
)  # fmt: skip
FUNCTIONS = [COSINE, CUBIC, RIGL_COUNT]

# cosine
COSINE.case(
    "start",
    "at step 0 the fraction is alpha itself",
    0, 0.3, 100,
    pin="C1, R11", expected=0.3, source="semantics.md C1: .3; by hand: 1 + cos 0 = 2, half of 2 alpha",
)  # fmt: skip
COSINE.case(
    "a-quarter",
    "a cosine, not a straight line: after a quarter of the time .256 of .3, where a line has .225",
    25, 0.3, 100,
    pin="C1", expected=0.256066017, source="semantics.md C1: .256066017",
    profiles=told(cosine_of_sparse_learning(25, 0.3, 100), "sparse-learning", "granet"),
)  # fmt: skip
COSINE.case(
    "half-way",
    "half of alpha at half of the time",
    50, 0.3, 100,
    pin="C1", expected=0.15, source="semantics.md C1: .15; by hand: cos(pi/2) = 0",
    profiles=told(0.1525, "sparse-learning", "granet"),
)  # fmt: skip
COSINE.case(
    "three-quarters",
    "a cosine that is not over before t_end: after three quarters .044 of .3 is left, where a line has .075",
    75, 0.3, 100,
    pin="C1", expected=0.043933983, source="semantics.md C1: .043933983",
    profiles=told(cosine_of_sparse_learning(75, 0.3, 100), "sparse-learning", "granet"),
)  # fmt: skip
COSINE.case(
    "end",
    "at t_end the fraction is 0 exactly: no floor of .005 is left",
    100, 0.3, 100,
    pin="C1, R11", expected=0.0, source="semantics.md C1: 0", profiles=told(0.005, "sparse-learning", "granet"),
)  # fmt: skip
COSINE.case(
    "after-the-end",
    "beyond t_end it stays 0: the cosine itself would rise again",
    120, 0.3, 100,
    pin="C1, R11", expected=0.0, source="semantics.md C1: 0",
    profiles={"sparse-learning": cosine_of_sparse_learning(120, 0.3, 100)},
)  # fmt: skip
COSINE.case(
    "begin",
    "the anneal starts at begin, with alpha: it is shifted, not cut off",
    50, 0.3, 100, 50,
    pin="C2, R11", expected=0.3, source="semantics.md C2: .3", profiles={"rigl-tf1": 0.0},
)  # fmt: skip
COSINE.case(
    "half-way-from-begin",
    "half-way between begin and t_end it is alpha / 2",
    75, 0.3, 100, 50,
    pin="C2, R11", expected=0.15, source="semantics.md C2: .15", profiles={"rigl-tf1": 0.0},
)  # fmt: skip
COSINE.case(
    "before-begin",
    "before begin the fraction is alpha: the cosine is not followed backwards",
    20, 0.3, 100, 50,
    pin="R11, design.md 4", expected=0.3, source="by hand: alpha before begin",
    profiles={"rigl-tf1": 0.15 * (1 + cos(0.4 * pi))},
)  # fmt: skip

# cubic
CUBIC.case(
    "start",
    "at begin nothing is pruned yet",
    10, 10, 50, 0.8,
    pin="C4", expected=0.0, source="semantics.md C4: 0",
)  # fmt: skip
CUBIC.case(
    "a-quarter",
    "the first of four updates already brings more than half: 1 - (3/4)^3 of the way",
    20, 10, 50, 0.8,
    pin="C4", expected=0.4625, source="semantics.md C4: .4625",
    profiles={"sparsimony": cubic_of_sparsimony(20, 10, 50, 0.8)},
)  # fmt: skip
CUBIC.case(
    "three-quarters",
    "the third of four updates leaves 1/64 of the way",
    40, 10, 50, 0.8,
    pin="C4", expected=0.7875, source="semantics.md C4: .7875",
    profiles={"sparsimony": cubic_of_sparsimony(40, 10, 50, 0.8)},
)  # fmt: skip
CUBIC.case(
    "end",
    "at the end the target itself, not a float beside it",
    50, 10, 50, 0.8,
    pin="C4, C5", expected=0.8, source="semantics.md C4: .8", profiles={"sparsimony": 0.7936},
)  # fmt: skip
CUBIC.case(
    "after-the-end",
    "beyond the end it stays at the target: the cube changes its sign there",
    70, 10, 50, 0.75,
    pin="C3, C5", expected=0.75, source="by hand: the target",
)  # fmt: skip
CUBIC.case(
    "before-begin",
    "before begin it stays at the initial sparsity",
    0, 10, 50, 0.75, 0.25,
    pin="design.md 4", expected=0.25, source="by hand: the initial sparsity",
)  # fmt: skip
CUBIC.case(
    "from-an-initial-sparsity",
    "half-way from 1/4 to 3/4 of sparsity: 1/8 of the half is still to come",
    30, 10, 50, 0.75, 0.25,
    pin="1.7 Zhu-Gupta", expected=0.6875, source="by hand: 3/4 - 1/2 x 1/8 = 11/16",
)  # fmt: skip
CUBIC.case(
    "step-counts-from-zero",
    "the first step is step 0: progress (step + 1) / end would prune 2 % before any batch is seen",
    0, 0, 100, 0.8,
    pin="1.7 Zhu-Gupta", expected=0.0, source="semantics.md 1.7: 0, where jaxpruner has .0237607",
    profiles={"jaxpruner": slow_cubic(1, 0, 100, 0.8)},
)  # fmt: skip
CUBIC.case(
    "a-tenth",
    "after a tenth of the time 1 - .9^3 of the target: progress is step / end, not (step + 1) / end",
    10, 0, 100, 0.8,
    pin="1.7 Zhu-Gupta", expected=0.2168, source="semantics.md 1.7: .2168, where jaxpruner has .2360249",
    profiles={"jaxpruner": slow_cubic(11, 0, 100, 0.8)},
)  # fmt: skip

# rigl_count
RIGL_COUNT.case(
    "floor-of-a-half",
    "half of 5 connections is 2: floor, not the nearest, not the next",
    0, 5, 0.5, 100,
    pin="R1, A15", expected=2, source="semantics.md A15: 2",
    profiles={"jaxpruner": 3, "rigl-reproducibility": 3, "sparsimony": 3, "granet": 3},
)  # fmt: skip
RIGL_COUNT.case(
    "floor-of-a-half-above-one",
    "half of 3 connections is 1: half-even rounding would give 2",
    0, 3, 0.5, 100,
    pin="R1, A15", expected=1, source="semantics.md A15: 1",
    profiles={"jaxpruner": 1, "rigl-reproducibility": 2, "sparsimony": 2, "granet": 2},
)  # fmt: skip
RIGL_COUNT.case(
    "a-little-above-two",
    ".3 of 7 connections, 2.1, is 2: the next above would be 3",
    0, 7, 0.3, 100,
    pin="R1, A15", expected=2, source="semantics.md A15: 2",
    profiles={"jaxpruner": 2, "rigl-reproducibility": 3, "sparsimony": 3, "granet": 3},
)  # fmt: skip
RIGL_COUNT.case(
    "less-than-one",
    ".4 of 2 connections is none: a layer may be too small to move at all",
    0, 2, 0.4, 100,
    pin="R1, R13, A15", expected=0, source="semantics.md A15: 0",
    profiles={"jaxpruner": 1, "rigl-reproducibility": 1, "sparsimony": 1, "granet": 1},
)  # fmt: skip
RIGL_COUNT.case(
    "the-only-connection",
    ".9 of the only connection is none: 1 when rounded",
    0, 1, 0.9, 100,
    pin="R1, A10, A15", expected=0, source="semantics.md A15: 0",
    profiles={"jaxpruner": 0, "rigl-reproducibility": 1, "sparsimony": 1, "granet": 1},
)  # fmt: skip
RIGL_COUNT.case(
    "every-connection",
    "alpha 1 at the start moves all: no connection is held back",
    0, 4, 1.0, 100,
    pin="R1, A8", expected=4, source="by hand: all 4",
    profiles={"jaxpruner": 3, "rigl-reproducibility": 4, "sparsimony": 4, "granet": 4},
)  # fmt: skip
RIGL_COUNT.case(
    "an-exact-integer",
    "a product that is a whole number, in exact binaries, stays what it is: half of 100 is 50, not 49",
    0, 100, 0.5, 100,
    pin="R1, A15", expected=50, source="semantics.md A15: the dedicated integer case",
)  # fmt: skip
RIGL_COUNT.case(
    "twenty-nine-hundredths",
    ".29 x 100 is 28.999999999999996 in float64 and 29 in float32: a table of how codes round, which decides nothing",
    0, 100, 0.29, 100,
    pin="R1, A15", source="semantics.md A15: 28, RigL's code 29", expected=28,
    profiles={"rigl-tf1": 29, "rigl-torch": 28}, optional=True,
)  # fmt: skip
RIGL_COUNT.case(
    "first-update-of-fc1",
    "the first update of RigL's MNIST run, at step 100, moves 1411 of 4704 connections: .3 of them, rounded down",
    100, 4704, 0.3, 50000,
    pin="R10, R11", expected=1411, source="papers.md list B 11: first k 1411 of 4704",
)  # fmt: skip
RIGL_COUNT.case(
    "half-way",
    "half-way the fraction is alpha / 2: .15 of 4704 is 705.6, and 705 move",
    25000, 4704, 0.3, 50000,
    pin="R11", expected=705, source="papers.md list B 11: half-way .15; by hand: floor(705.6)",
    profiles={"jaxpruner": 706, "rigl-reproducibility": 706, "sparsimony": 706, "granet": 706},
)  # fmt: skip
RIGL_COUNT.case(
    "three-quarters",
    "the fraction falls as a cosine: .0439 of 1000, where a straight line has .075",
    75, 1000, 0.3, 100,
    pin="R11, C1", expected=43, source="semantics.md C1: .043933983; by hand: floor(43.93)",
    profiles={"jaxpruner": 44, "rigl-reproducibility": 44, "sparsimony": 44, "granet": 44},
)  # fmt: skip
RIGL_COUNT.case(
    "at-t-end",
    "nothing moves at t_end, which is exclusive",
    100, 1000, 0.3, 100,
    pin="R10, R11", expected=0, source="by hand: the fraction is 0", profiles={"rigl-tf1": 0},
)  # fmt: skip
RIGL_COUNT.case(
    "after-t-end",
    "nothing moves beyond t_end either: the cosine would rise again to 28 of 1000",
    120, 1000, 0.3, 100,
    pin="R11", expected=0, source="by hand: clamped to 0",
)  # fmt: skip
RIGL_COUNT.case(
    "no-connections",
    "a layer without connections moves none, and no minimum of one applies",
    0, 0, 0.3, 100,
    pin="A11", expected=0, source="by hand: .3 of 0", optional=True,
)  # fmt: skip
