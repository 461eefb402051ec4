"""Golden cases of the hard concrete gates of L0: a sample, the gate at test, and the probability of being open."""

import math

import numpy as np

from tests.golden.case import Function, row
from tests.helpers.slow_ops import each, sigmoid

BETA, GAMMA, ZETA = 2 / 3, -0.1, 1.1
EDGE = math.log(11)  # where the gate at test meets 0 and 1


def clipped(s, gamma, zeta):
    return min(1.0, max(0.0, s * (zeta - gamma) + gamma))


def slow_gate(log_alpha, u, beta=BETA, gamma=GAMMA, zeta=ZETA):
    return each(lambda a, x: clipped(sigmoid((math.log(x) - math.log(1 - x) + a) / beta), gamma, zeta), log_alpha, u)


def slow_gate_at_test(log_alpha, gamma=GAMMA, zeta=ZETA):
    return each(lambda a: clipped(sigmoid(a), gamma, zeta), log_alpha)


def slow_prob_open(log_alpha, beta=BETA, gamma=GAMMA, zeta=ZETA):
    return each(lambda a: sigmoid(a - beta * math.log(-gamma / zeta)), log_alpha)


def of_weight(params, layer, name="weight"):
    """P of the gate of every entry of a layer's weight, or of its bias."""
    prob = slow_prob_open(params[f"{layer}.log_alpha"])
    return np.broadcast_to(prob, params[f"{layer}.{name}"].shape)


def gated_layers(params):
    return [name.removesuffix(".log_alpha") for name in params if name.endswith(".log_alpha")]


def slow_expected_l0(params):
    """Entry by entry: P of its gate, or 1."""
    total = 0.0
    for name, array in params.items():
        layer, _, own = name.rpartition(".")
        log_alpha = params.get(f"{layer}.log_alpha")
        if own == "log_alpha":
            continue
        gated = log_alpha is not None and (own == "weight" or (own == "bias" and array.shape == log_alpha.shape))
        total += math.fsum(of_weight(params, layer, own).ravel().tolist()) if gated else float(array.size)
    return total


def slow_densities(params):
    each_of = {layer: of_weight(params, layer).ravel().tolist() for layer in gated_layers(params)}
    return {f"{layer}.weight": math.fsum(prob) / len(prob) for layer, prob in each_of.items()}


GATE = Function("gate", "log_alpha u beta gamma zeta", slow_gate)
AT_TEST = Function("gate_at_test", "log_alpha gamma zeta", slow_gate_at_test)
OPEN = Function("prob_open", "log_alpha beta gamma zeta", slow_prob_open)
EXPECTED_L0 = Function("expected_l0", "params", slow_expected_l0)
DENSITIES = Function("densities", "params", slow_densities)
FUNCTIONS = [GATE, AT_TEST, OPEN, EXPECTED_L0, DENSITIES]


def as_authors(function, *inputs):
    """The L0 authors' code does the same."""
    return {"l0-official": function(*inputs)}


GATE.case(
    "noise-at-the-quarters",
    "log α = 0: the noise alone, divided by the temperature; u = 1/4 and 3/4 lie as far from 1/2 on either side",
    row(0, 0, 0), row(0.25, 0.5, 0.75),
    pin="H1, H3", expected=row(0.0936685734, 0.5, 0.9063314266),
    source="semantics.md 1.6; by hand: s = 1 / (1 + 3^1.5), z = 1.2 s - 0.1",
    profiles=as_authors(slow_gate, row(0, 0, 0), row(0.25, 0.5, 0.75)),
)  # fmt: skip
GATE.case(
    "temperature-on-the-sum",
    "the temperature divides log α too, not the noise alone: log 4 at u = 1/2 and log α = 0 at u = 4/5 are the same",
    row(math.log(4), 0, math.log(2)), row(0.5, 0.8, 2 / 3),
    pin="H3", expected=row(29 / 30, 29 / 30, 29 / 30),
    source="by hand: the odds are 4, to the power 1 / β = 1.5 they are 8; s = 8/9, z = 1.2 × 8/9 - 0.1",
)  # fmt: skip
GATE.case(
    "clipped-to-exactly-zero-and-one",
    "odds of 9 : 1 either way go beyond the ends of the stretched interval: the gate is exactly 0 and exactly 1",
    row(0, 0), row(0.1, 0.9),
    pin="H2", expected=row(0, 1), source="by hand: s = 1/28 and 27/28, 1.2 s - 0.1 = -0.057 and 1.057",
)  # fmt: skip
GATE.case(
    "just-inside",
    "odds of 4 : 1 stay inside: no gate is rounded to 0 or 1 while it is in the interval",
    row(0, 0), row(0.2, 0.8),
    pin="H3", expected=row(1 / 30, 29 / 30), source="by hand: s = 1/9 and 8/9, 1.2 s - 0.1",
)  # fmt: skip
GATE.case(
    "log-odds-of-log-alpha",
    "log α is a logarithm of odds: log 4 against noise of 1 : 4 is an even chance, and so is -log 4 against 4 : 1",
    row(math.log(4), -math.log(4)), row(0.2, 0.8),
    pin="H3", expected=row(0.5, 0.5), source="by hand: the odds multiply to 1, s = 1/2",
)  # fmt: skip
GATE.case(
    "temperature-one",
    "β = 1 leaves the odds as they are",
    row(math.log(3), 0), row(0.5, 0.25), 1.0,
    pin="H3", expected=row(0.8, 0.2), source="by hand: s = 3/4 and 1/4, 1.2 s - 0.1",
)  # fmt: skip
GATE.case(
    "temperature-below-one",
    "a low temperature sharpens: it divides, and does not multiply",
    row(math.log(3), 0), row(0.5, 0.25), 0.5,
    pin="H3", expected=row(0.98, 0.02), source="by hand: odds 9 : 1 and 1 : 9, s = 0.9 and 0.1, 1.2 s - 0.1",
)  # fmt: skip
GATE.case(
    "another-interval",
    "γ and ζ are the ends: an interval that is not symmetric about 1/2 moves the middle",
    row(0, 0, 0), row(0.5, 0.75, 0.1), 1.0, -0.5, 1.25,
    pin="H3", expected=row(0.375, 0.8125, 0), source="by hand: 1.75 s - 0.5 for s = 0.5, 0.75 and 0.1 (-0.325)",
)  # fmt: skip
GATE.case(
    "gates-of-two-axes",
    "each gate has its own noise, whatever the shape",
    np.array([[1.0, -1], [0.5, 2]]), np.array([[0.25, 0.5], [0.75, 0.125]]),
    pin="H3",
)  # fmt: skip
GATE.case(
    "gates-of-inputs",
    "gates of a linear layer's inputs, a column: their shape is that of log α",
    np.array([[0.5], [-0.5], [1.5]]), np.array([[0.625], [0.375], [0.25]]),
    pin="H11",
)  # fmt: skip
GATE.case(
    "far-out",
    "log α of ±1000 gives a gate of 1 and one of 0, and no NaN",
    row(1e3, -1e3), row(0.25, 0.75),
    pin="H8", expected=row(1, 0), source="by hand: the noise is nothing beside it", optional=True,
)  # fmt: skip
GATE.case(
    "noise-at-the-ends",
    "noise next to 0 and to 1 has log-odds of about ∓37, and the gate is closed or open",
    row(0, 0, 30), row(2.0**-54, 1 - 2.0**-53, 2.0**-30),
    pin="H8", expected=row(0, 1, 1), source="by hand: log-odds -37.4, 36.7 and 30 - 20.8", optional=True,
)  # fmt: skip

TABLE = row(-4, -2, -1, 0, 0.5, 1, 2, 3)
AT_TEST.case(
    "table",
    "no noise and no temperature: sigmoid(log α), stretched and clipped",
    TABLE,
    pin="H1", source="semantics.md 1.6; by hand: 1.2 / (1 + e^-log α) - 0.1",
    expected=row(0, 0.0430435064, 0.2227297056, 0.5, 0.6469511974, 0.7772702944, 0.9569564936, 1),
    profiles=as_authors(slow_gate_at_test, TABLE),
)  # fmt: skip
AT_TEST.case(
    "no-temperature",
    "dividing by the temperature, as in training, would give 29/30 and 1/30",
    row(math.log(4), -math.log(4)),
    pin="H1", expected=row(0.86, 0.14), source="by hand: s = 0.8 and 0.2, 1.2 s - 0.1",
    profiles=as_authors(slow_gate_at_test, row(math.log(4), -math.log(4))),
)  # fmt: skip
AT_TEST.case(
    "not-the-probability",
    "the gate at test is no P(z ≠ 0): it closes while that is still 0.31, and is 1/2 at log α = 0",
    row(-math.log(11) - 0.25, 0),
    pin="H2, H12", expected=row(0, 0.5), source="by hand: 1.2 × 0.066 - 0.1 < 0; 1.2 / 2 - 0.1",
)  # fmt: skip
AT_TEST.case(
    "edges",
    "it is exactly 0 a millionth below -log 11 and exactly 1 a millionth above log 11, and inside a millionth before",
    row(-EDGE - 1e-6, -EDGE + 1e-6, EDGE - 1e-6, EDGE + 1e-6),
    pin="H2", source="by hand: sigmoid(-log 11) = 1/12, 1.2 / 12 = 0.1; the slope there is 1.2 × 11/144",
    expected=row(0, 1.2 * 11 / 144 * 1e-6, 1 - 1.2 * 11 / 144 * 1e-6, 1),
)  # fmt: skip
AT_TEST.case(
    "another-interval",
    "with γ = -1/4 and ζ = 5/4 odds of 3 : 1 give 7/8, and those of 6 : 1 the upper end",
    row(math.log(3), -math.log(3), math.log(6)), -0.25, 1.25,
    pin="H1", expected=row(0.875, 0.125, 1), source="by hand: 1.5 × 3/4 - 1/4; 1.5 × 6/7 - 1/4 = 1.036",
)  # fmt: skip
AT_TEST.case(
    "gates-of-outputs-and-inputs",
    "the shape is that of log α",
    np.array([[0.25], [-1.75], [2.5]]),
    pin="H11",
)  # fmt: skip
AT_TEST.case(
    "far-out",
    "log α of ±1000 gives 1 and 0 and no overflow",
    row(1e3, -1e3),
    pin="H8", expected=row(1, 0), source="by hand: sigmoid is 1 and 0", optional=True,
)  # fmt: skip

OPEN.case(
    "table",
    "P(z ≠ 0) = sigmoid(log α - β log(-γ/ζ)): at log α = 0 that is .83, and not a half",
    TABLE,
    pin="H1", source="semantics.md 1.6",
    expected=row(0.0830657617, 0.4009752644, 0.6453352217, 0.8318221840,
                 0.8907667251, 0.9307712206, 0.9733666553, 0.9900343637),
    profiles=as_authors(slow_prob_open, TABLE),
)  # fmt: skip
OPEN.case(
    "closed-form",
    "the temperature multiplies log(-γ/ζ) = -log 11 and not log α",
    row(0, math.log(3)),
    pin="H1", expected=row(11 ** (2 / 3) / (1 + 11 ** (2 / 3)), 3 * 11 ** (2 / 3) / (1 + 3 * 11 ** (2 / 3))),
    source="by hand: the odds are α × 11^(2/3)",
)  # fmt: skip
OPEN.case(
    "temperature-one",
    "β = 1: the odds at log α = 0 are 11 : 1",
    row(0, -math.log(11)), 1.0,
    pin="H1", expected=row(11 / 12, 0.5), source="by hand: odds 11 and 1",
)  # fmt: skip
OPEN.case(
    "temperature-half",
    "β = 1/2, in an interval where -γ/ζ = 1/9: the odds are 3 : 1",
    row(0, math.log(3)), 0.5, -0.125, 1.125,
    pin="H1", expected=row(0.75, 0.9), source="by hand: 9^(1/2) = 3, and 3 × 3",
)  # fmt: skip
OPEN.case(
    "ratio-of-the-ends",
    "it is the ratio -γ/ζ that counts, upper end below: -1/4 and 5/4 give odds of 5 : 1 at β = 1",
    row(0, -math.log(5)), 1.0, -0.25, 1.25,
    pin="H1", expected=row(5 / 6, 0.5), source="by hand: odds 5 and 1",
)  # fmt: skip
OPEN.case(
    "at-the-start",
    "log α = log((1 - p) / p) for dropout rates p of 0.2, 0.3 and 0.5",
    row(math.log(4), math.log(0.7 / 0.3), 0),
    pin="papers.md 2.1", source="twin; papers.md 2.1 prints 0.951887, 0.920261 and 0.831822",
)  # fmt: skip
OPEN.case(
    "at-the-clamp",
    "with log α held within log 100, as the authors do, P is never below 4.71 %: that is not hidden",
    row(-math.log(100), math.log(100)),
    pin="H12", expected=row(0.0471297936, 0.9979822793), source="semantics.md 1.6",
    profiles=as_authors(slow_prob_open, row(-math.log(100), math.log(100))),
)  # fmt: skip
OPEN.case(
    "not-clipped",
    "a probability below a millionth stays what it is; the authors' code clips it there",
    row(-16, 16),
    pin="1.6, P(z = 0)", profiles={"l0-official": row(1e-6, 1 - 1e-6)},
)  # fmt: skip
OPEN.case(
    "far-out",
    "log α of ±1000 gives 1 and 0 and no overflow",
    row(1e3, -1e3),
    pin="H8", expected=row(1, 0), source="by hand: sigmoid is 1 and 0", optional=True,
    profiles={"l0-official": row(1 - 1e-6, 1e-6)},
)  # fmt: skip

# what is expected of a whole network: odds of 11^(2/3) at log α = 0
ODDS = 11 ** (2 / 3)
P_OF_0 = ODDS / (1 + ODDS)
EVEN = -2 / 3 * math.log(11)  # P is 1/2
ONE = {"fc.weight": np.ones((3, 2)), "fc.bias": np.ones(2)}
EXPECTED_L0.case(
    "gates-of-inputs",
    "a gate of an input counts its whole row with P, and the bias, which has none, counts in full",
    ONE | {"fc.log_alpha": np.array([[EVEN], [EVEN], [0.0]])},
    pin="H11", expected=2 + 2 + 2 * P_OF_0, source="by hand: two rows of 2 with P = 1/2, one with .83, two biases",
)  # fmt: skip
EXPECTED_L0.case(
    "gates-of-outputs",
    "a gate of an output counts its column and its bias",
    ONE | {"fc.log_alpha": np.array([EVEN, 0.0])},
    pin="H6, H11", expected=2 + 4 * P_OF_0, source="by hand: 3 + 1 of each",
)  # fmt: skip
EXPECTED_L0.case(
    "gates-of-outputs-without-bias",
    "a layer without bias has a column less one to count",
    {"conv.weight": np.ones((2, 2, 1, 2)), "conv.log_alpha": np.array([EVEN, 0.0])},
    pin="H11, no bias", expected=2 + 4 * P_OF_0, source="by hand: 4 of each",
)  # fmt: skip
EXPECTED_L0.case(
    "gates-of-weights",
    "each weight with a gate of its own",
    {"fc.weight": np.ones((2, 2)), "fc.bias": np.ones(2), "fc.log_alpha": np.array([[EVEN, EVEN], [EVEN, 0.0]])},
    pin="H11, weights", expected=1.5 + P_OF_0 + 2, source="by hand: three halves, .83 and two biases",
)  # fmt: skip
EXPECTED_L0.case(
    "layers-without-gates",
    "what has no gate counts in full, in a network with gates and in one without",
    ONE | {"out.weight": np.ones((2, 5)), "fc.log_alpha": np.full((3, 1), EVEN)},
    pin="H11, ungated", expected=3.0 + 2 + 10, source="by hand: half of 6, two biases, 10",
)  # fmt: skip
DENSITIES.case(
    "of-inputs-and-outputs",
    "the expected density of a weight is the mean P of its gates, biases left out, and only of gated layers",
    ONE | {"fc.log_alpha": np.array([EVEN, 0.0]), "out.weight": np.ones((4, 1)),
           "out.log_alpha": np.array([[EVEN], [EVEN], [EVEN], [0.0]]), "head.weight": np.ones((1, 1))},
    pin="H11, density",
    expected={"fc.weight": (0.5 + P_OF_0) / 2, "out.weight": (1.5 + P_OF_0) / 4}, source="by hand: means of P",
)  # fmt: skip
DENSITIES.case(
    "at-the-clamp",
    "log α at the authors' lower clamp leaves .0471 of the weights expected, though the test gate is closed",
    {"fc.weight": np.ones((2, 3)), "fc.log_alpha": np.full((2, 1), -math.log(100))},
    pin="H12", expected={"fc.weight": 0.0471297936}, source="semantics.md 1.6",
)  # fmt: skip
DENSITIES.case(
    "no-gates",
    "a network without gates has no expected densities",
    {"fc.weight": np.ones((2, 2))},
    pin="H11, none", expected={}, source="by hand: none",
)  # fmt: skip
