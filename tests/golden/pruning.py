"""Golden cases of what is pruned before or after training: magnitudes, thresholds, dead units, SNIP."""

from decimal import Decimal
from fractions import Fraction

import numpy as np

from tests.golden.case import Either, Function, bits, row
from tests.helpers.slow_methods import slow_magnitude_mask, slow_remove_dead_units, slow_snip_masks, slow_threshold


def slow_threshold_mask(weight, quality, mask=None):
    mask = np.ones(weight.shape, dtype=bool) if mask is None else mask
    threshold = slow_threshold(weight, quality, mask)
    stays = [on and abs(w) >= threshold for w, on in zip(weight.ravel().tolist(), mask.ravel().tolist(), strict=True)]
    return np.array(stays, dtype=bool).reshape(weight.shape)


def threshold_alone(weight, quality, mask=None):
    return {"threshold": slow_threshold(weight, quality, np.ones(weight.shape, dtype=bool) if mask is None else mask)}


def slow_retrain_dropout(rate, n_kept, n_original):
    return float(Decimal(rate) * (Decimal(n_kept) / Decimal(n_original)).sqrt())


def slow_effects(weights, grads):
    return {name: abs(w * grads[name]) for name, w in weights.items()}


def slow_sensitivity(weights, grads):
    effect = {
        name: [
            abs(Fraction(a) * Fraction(b))
            for a, b in zip(w.ravel().tolist(), grads[name].ravel().tolist(), strict=True)
        ]
        for name, w in weights.items()
    }
    total = sum(sum(own) for own in effect.values()) or 1
    return {name: row(*(float(e / total) for e in own)).reshape(weights[name].shape) for name, own in effect.items()}


MAGNITUDE = Function("magnitude_mask", "weight n_keep mask", slow_magnitude_mask)
THRESHOLD = Function("threshold_mask", "weight quality mask", slow_threshold_mask, stages=threshold_alone)
DROPOUT = Function("retrain_dropout", "rate n_kept n_original", slow_retrain_dropout)
DEAD = Function("remove_dead_units", "masks order", slow_remove_dead_units)
SENSITIVITY = Function(
    "sensitivity", "weights grads", slow_sensitivity, stages=lambda w, g: {"effect": slow_effects(w, g)}
)
SNIP = Function(
    "snip_masks", "weights grads n_keep", slow_snip_masks, stages=lambda w, g, n_keep: {"effect": slow_effects(w, g)}
)
FUNCTIONS = [MAGNITUDE, THRESHOLD, DROPOUT, DEAD, SENSITIVITY, SNIP]

# magnitude_mask
MAGNITUDE.case(
    "absolute-values",
    "the largest magnitudes stay, of either sign",
    row(0.5, -4, 3, -1, 0, 2), 3,
    pin="1.7, A18", expected=bits("011001"), source="by hand: 4, 3, 2",
)  # fmt: skip
MAGNITUDE.case(
    "four-equal-weights",
    "exactly n_keep stay when weights tie: a threshold keeps all four 2s or none of them",
    row(1, 2, 2, 2, 2, 0), 3,
    pin="I5", expected=bits("011100"), source="semantics.md I5: keep 3 of [1, 2, 2, 2, 2, 0]",
    profiles={"jaxpruner": bits("011100"), "tfmot": bits("011110"),
              "torch-prune": Either(bits(mask) for mask in ("011100", "011010", "010110", "001110"))},
)  # fmt: skip
MAGNITUDE.case(
    "all-equal",
    "equal magnitudes everywhere, signs mixed: the first three stay",
    row(-1, 1, 1, -1, 1, 1), 3,
    pin="I5", expected=bits("111000"), source="semantics.md I5: all-equal keeps the first 3",
    profiles={"tfmot": bits("111111"), "torch-prune": None},
)  # fmt: skip
MAGNITUDE.case(
    "all-zero",
    "a tensor of zeros is pruned as any other",
    row(0, 0, 0, 0), 2,
    pin="I5, 1.7", expected=bits("1100"), source="by hand: ties to the lower index",
    profiles={"tfmot": bits("1111"), "torch-prune": None},
)  # fmt: skip
MAGNITUDE.case(
    "keep-everything",
    "pruning nothing removes nothing: a cutoff at index 0 with <= would take the smallest",
    row(3, 1, 2), 3,
    pin="I6", expected=bits("111"), source="by hand: rate 0 removes 0, where the lottery code removes 1",
)  # fmt: skip
MAGNITUDE.case(
    "keep-nothing",
    "n_keep = 0 empties the layer: no minimum of one weight",
    row(3, 1, 2), 0,
    pin="I6", expected=bits("000"), source="by hand: rate 1 removes all",
    profiles={"jaxpruner": bits("100"), "tfmot": bits("100")},
)  # fmt: skip
MAGNITUDE.case(
    "pruned-weights-stay-pruned",
    "a weight that the mask has taken does not return, however large its stored value",
    row(9, 1, 2, 8, 3, 4), 2, bits("011011"),
    pin="1.7, C6", expected=bits("000011"), source="by hand: 3 and 4 of the survivors 1, 2, 3, 4",
)  # fmt: skip
MAGNITUDE.case(
    "active-zeros-before-pruned-ones",
    "an active zero stays before any position that is pruned already, though both hold 0",
    row(0, 0, 5, 0, 0), 2, bits("00110"),
    pin="R2, I8", expected=bits("00110"), source="by hand: the two survivors are 2 and 3",
)  # fmt: skip
MAGNITUDE.case(
    "rows-first",
    "ties in two dimensions go to the lower index in C order",
    np.array([[1.0, 2, 2], [-2, 0, 2]]), 2,
    pin="A16, I5", expected=bits("011000", 2, 3), source="by hand: of the 2s at 1, 2, 3, 5 the first two",
    profiles={"tfmot": bits("011101", 2, 3)},
)  # fmt: skip

# threshold_mask
THRESHOLD.case(
    "two-of-five",
    "the threshold is quality x standard deviation divided by n: .3588 keeps two, divided by n - 1 it keeps one",
    row(0.1, -0.2, 0.3, -0.4, 0.5), 1.1,
    pin="I1", expected=bits("00011"), source="semantics.md I1: t = .358809141 keeps 2",
)  # fmt: skip
THRESHOLD.case(
    "at-the-threshold",
    "a weight exactly at the threshold stays: |w| < t is pruned",
    row(1, -1, 1, -1), 1.0,
    pin="1.7 Pin", expected=bits("1111"), source="by hand: mean 0, deviation 1, and every |w| is 1",
)  # fmt: skip
THRESHOLD.case(
    "second-round",
    "in the second round the deviation is that of the survivors: over all weights, zeros too, it would be too small",
    row(2, 0, -1, 0, 0, 1, 0, 0, -2, 0, 0, 0), 1.0, bits("101001001000"),
    pin="I3", expected=bits("100000001000"),
    source="by hand: of 2, -1, 1, -2 it is sqrt(10/4) = 1.58 and keeps the 2s; of twelve sqrt(10/12) = .91",
)  # fmt: skip
THRESHOLD.case(
    "stale-values",
    "what the mask has taken counts neither for the deviation nor among those that stay",
    row(64, 1, -1, 2, -2, -64), 1.0, bits("011110"),
    pin="I3", expected=bits("000110"), source="by hand: sqrt(10/4) = 1.58; with the 64s it would be 37",
)  # fmt: skip
THRESHOLD.case(
    "around-the-mean",
    "a standard deviation is taken around the mean: these weights have .71, their root mean square is 4.06",
    row(3, 4, 5, 4), 5.0,
    pin="1.7 Pin", expected=bits("0111"), source="by hand: mean 4, deviation sqrt(2/4); 5 x .707 = 3.54",
)  # fmt: skip
THRESHOLD.case(
    "of-signed-weights",
    "the deviation is that of the weights, not of their magnitudes, which hardly differ here",
    row(3, -3, 3, -4), 1.0,
    pin="1.7 Pin", expected=bits("0001"), source="by hand: mean -1/4, deviation sqrt(43/4 - 1/16) = 3.27",
)  # fmt: skip
THRESHOLD.case(
    "quality-zero",
    "quality 0 is threshold 0 and keeps every survivor, an active zero too",
    row(0, 2, 7, -1), 0.0, bits("1101"),
    pin="1.7 Pin", expected=bits("1101"), source="by hand: |w| >= 0 holds for all three",
)  # fmt: skip
THRESHOLD.case(
    "equal-weights",
    "weights without deviation have threshold 0: all stay, at any quality",
    row(2, 2, 2, 2), 3.0,
    pin="1.7 Pin", expected=bits("1111"), source="by hand: the deviation is 0",
)  # fmt: skip
THRESHOLD.case(
    "no-survivors",
    "an empty layer stays empty",
    row(1, 2, 3), 1.0, bits("000"),
    pin="design.md 4", expected=bits("000"), source="by hand: there is nobody to keep", optional=True,
)  # fmt: skip

# retrain_dropout
DROPOUT.case(
    "a-quarter",
    "with a quarter of its connections a layer is retrained at half of its rate: the root of the ratio, not the ratio",
    0.5, 25, 100,
    pin="I2", expected=0.25, source="by hand: .5 sqrt(1/4)",
)  # fmt: skip
DROPOUT.case(
    "nothing-pruned",
    "a layer that lost nothing keeps its rate",
    0.5, 64, 64,
    pin="I2", expected=0.5, source="by hand: sqrt(1) = 1",
)  # fmt: skip
DROPOUT.case(
    "everything-pruned",
    "a layer without connections has nothing to drop",
    0.5, 0, 64,
    pin="I2", expected=0.0, source="by hand: sqrt(0) = 0",
)  # fmt: skip
DROPOUT.case(
    "thirty-six-of-a-hundred",
    "the rate falls with pruning, it does not rise: .5 becomes .3, not .83",
    0.5, 36, 100,
    pin="I2", expected=0.3, source="by hand: .5 x .6",
)  # fmt: skip

# remove_dead_units
FULL = bits("111111", 2, 3)
DEAD.case(
    "no-inputs",
    "a unit that nothing reaches loses its connections on to the next layer",
    {"fc1": bits("101001", 2, 3), "fc2": bits("111111", 3, 2)}, ("fc1", "fc2"),
    pin="1.7 Han, design.md 4",
    expected={"fc1": bits("101001", 2, 3), "fc2": bits("110011", 3, 2)},
    source="by hand: column 1 of fc1 is empty, so row 1 of fc2 goes",
)  # fmt: skip
DEAD.case(
    "no-outputs",
    "a unit that leads nowhere loses the connections into it",
    {"fc1": FULL, "fc2": bits("110100", 3, 2)}, ("fc1", "fc2"),
    pin="1.7 Han, design.md 4",
    expected={"fc1": bits("110110", 2, 3), "fc2": bits("110100", 3, 2)},
    source="by hand: row 2 of fc2 is empty, so column 2 of fc1 goes",
)  # fmt: skip
DEAD.case(
    "dead-units-kill-on",
    "a unit that dies takes the next one with it, if that had no other input: repeated until nothing changes",
    {"fc1": bits("10", 1, 2), "fc2": bits("1001", 2, 2), "fc3": bits("11", 2, 1)}, ("fc1", "fc2", "fc3"),
    pin="design.md 4",
    expected={"fc1": bits("10", 1, 2), "fc2": bits("1000", 2, 2), "fc3": bits("10", 2, 1)},
    source="by hand: unit 1 of fc1 has no input, so fc2 loses (1, 1), so unit 1 of fc2 has none, so fc3 loses row 1",
)  # fmt: skip
DEAD.case(
    "dead-units-kill-back",
    "and backwards: a unit whose only way on leads to a dead end dies as well",
    {"fc1": bits("11", 1, 2), "fc2": bits("1001", 2, 2), "fc3": bits("10", 2, 1)}, ("fc1", "fc2", "fc3"),
    pin="design.md 4",
    expected={"fc1": bits("10", 1, 2), "fc2": bits("1000", 2, 2), "fc3": bits("10", 2, 1)},
    source="by hand: row 1 of fc3 is empty, so fc2 loses column 1, so row 1 of fc2 is empty, so fc1 loses column 1",
)  # fmt: skip
DEAD.case(
    "inputs-and-outputs-are-no-units",
    "an input that nobody reads and an output that nobody feeds take nothing with them",
    {"fc1": bits("000111", 2, 3), "fc2": bits("101010", 3, 2)}, ("fc1", "fc2"),
    pin="design.md 4",
    expected={"fc1": bits("000111", 2, 3), "fc2": bits("101010", 3, 2)},
    source="by hand: all three units have an input and an output",
)  # fmt: skip
DEAD.case(
    "flattened-channels-last",
    "after a convolution of two channels, input i of the linear layer belongs to channel i mod 2",
    {"conv": bits("10", 1, 1, 1, 2), "fc": bits("111111", 6, 1)}, ("conv", "fc"),
    pin="design.md 4",
    expected={"conv": bits("10", 1, 1, 1, 2), "fc": bits("101010", 6, 1)},
    source="by hand: channel 1 is dead and owns inputs 1, 3, 5; channels first it would own 3, 4, 5",
)  # fmt: skip
DEAD.case(
    "one-pixel-keeps-a-channel",
    "a channel with a way on from any of its pixels lives, and one without from all of them dies",
    {"conv": bits("1111", 2, 1, 1, 2), "fc": bits("000100", 6, 1)}, ("conv", "fc"),
    pin="design.md 4",
    expected={"conv": bits("0101", 2, 1, 1, 2), "fc": bits("000100", 6, 1)},
    source="by hand: input 3 is channel 1; channel 0 owns 0, 2, 4, all empty",
)  # fmt: skip
DEAD.case(
    "one-tap-keeps-a-filter",
    "a window with a single active tap is a connection",
    {"conv1": bits("0010", 2, 1, 1, 2), "conv2": bits("0110", 2, 1, 2, 1)}, ("conv1", "conv2"),
    pin="design.md 4",
    expected={"conv1": bits("0010", 2, 1, 1, 2), "conv2": bits("0010", 2, 1, 2, 1)},
    source="by hand: filter 0 of conv1 has the tap (1, 0), filter 1 none, so conv2 loses its taps on channel 1",
)  # fmt: skip
DEAD.case(
    "the-order-given",
    "layers follow each other as `order` says, not as the dict lists them",
    {"out": bits("1011", 2, 2), "in": bits("0101", 2, 2)}, ("in", "out"),
    pin="design.md 4",
    expected={"out": bits("0011", 2, 2), "in": bits("0101", 2, 2)},
    source="by hand: unit 0 of in has no input, so row 0 of out goes",
)  # fmt: skip
DEAD.case(
    "broken-in-the-middle",
    "two layers that do not meet leave nothing of the network",
    {"fc1": bits("10", 1, 2), "fc2": bits("01", 2, 1)}, ("fc1", "fc2"),
    pin="design.md 4",
    expected={"fc1": bits("00", 1, 2), "fc2": bits("00", 2, 1)},
    source="by hand: unit 0 leads nowhere, unit 1 comes from nowhere",
)  # fmt: skip
DEAD.case(
    "one-layer",
    "a network of one layer has no units",
    {"fc": bits("1000", 2, 2)}, ("fc",),
    pin="design.md 4", expected={"fc": bits("1000", 2, 2)}, source="by hand: only inputs and outputs",
)  # fmt: skip

# sensitivity
SENSITIVITY.case(
    "share-of-the-whole-network",
    "|w g| over the sum of all layers: all entries add up to 1, not those of each layer",
    {"a": row(1, -2), "b": row(3)}, {"a": row(4, 1), "b": row(-2)},
    pin="1.5, E2", expected={"a": row(1 / 3, 1 / 6), "b": row(0.5)}, source="by hand: 4, 2, 6 of 12",
)  # fmt: skip
SENSITIVITY.case(
    "weight-times-gradient",
    "a weight of zero has sensitivity zero under the largest gradient, and so has a weight without gradient",
    {"fc": row(0, 4, 1)}, {"fc": row(64, 0, 1)},
    pin="1.5", expected={"fc": row(0, 0, 1)}, source="by hand: products 0, 0, 1",
)  # fmt: skip
SENSITIVITY.case(
    "cancelling-effects",
    "magnitudes are summed, so that effects of opposite sign do not cancel in the total",
    {"fc": np.ones((2, 2))}, {"fc": np.array([[3.0, -2], [-3, 2]])},
    pin="1.5", expected={"fc": np.array([[0.3, 0.2], [0.3, 0.2]])},
    source="by hand: effects 3, -2, -3, 2: magnitudes add up to 10, signed ones to 0",
)  # fmt: skip
SENSITIVITY.case(
    "scale-of-the-loss",
    "a loss 1/64 as large changes nothing, nor does a layer's own scale decide: no norm per tensor",
    {"a": row(8, 8), "b": row(0.25, 0.5)}, {"a": row(1 / 64, 1 / 64), "b": row(1 / 64, 1 / 64)},
    pin="E2, E6", expected={"a": row(32 / 67, 32 / 67), "b": row(1 / 67, 2 / 67)},
    source="by hand: 8, 8, 1/4, 1/2 of 16 3/4, that is 32, 32, 1, 2 of 67",
    profiles={"jaxpruner": {"a": row(1, 1) / 2**0.5, "b": row(1, 2) / 5**0.5}},
)  # fmt: skip
SENSITIVITY.case(
    "no-effect-anywhere",
    "a total of zero gives zeros, not a division by it",
    {"a": row(1, 2), "b": row(0)}, {"a": row(0, 0), "b": row(5)},
    pin="design.md 4", expected={"a": row(0, 0), "b": row(0)}, source="by hand: zeros",
)  # fmt: skip
SENSITIVITY.case(
    "difference-quotient",
    "the score is the slope of the loss in c at 1: of L = (c1 w1 x1 + c2 w2 x2 - y)^2 / 2 it is |r w x| over the sum",
    {"fc": row(2, -1)}, {"fc": row(3, 9)},
    pin="E9", expected={"fc": row(0.4, 0.6)},
    source="by hand: x = (1, 3), y = -4, r = 2 - 3 + 4 = 3, g = r x = (3, 9); slopes 6 and -9",
)  # fmt: skip

# a network of 4 inputs, 3 rectified hidden units and 2 outputs, its input and target: all in quarters
NET = {
    "fc1": np.array([[4.0, -2, 3], [1, -3, 2], [-2, 5, 1], [3, -1, 2]]) / 4,
    "fc2": np.array([[2.0, -3], [1, 4], [-1, 2]]) / 4,
}
NET_INPUT, NET_TARGET = row(1, 2, -1, 0.5), row(0.25, -1)


def net_gradients(inputs, target):
    """dL/dw of L = |y - target|^2 / 2, layer by layer; hidden unit 1 is off."""
    hidden = np.maximum(inputs @ NET["fc1"], 0)
    off = hidden @ NET["fc2"] - target
    back = (NET["fc2"] @ off) * (hidden > 0)
    return {"fc1": np.outer(inputs, back), "fc2": np.outer(hidden, off)}


NET_GRADS = net_gradients(NET_INPUT, NET_TARGET)
SENSITIVITY.case(
    "a-net-of-4-3-2",
    "the scores of a small network on one example: the weights of a unit that is off have none",
    NET, NET_GRADS,
    pin="E1",
)  # fmt: skip

# snip_masks
SNIP.case(
    "one-ranking-of-all-layers",
    "the highest of the whole network stay: a layer of small effects may lose everything, another nothing",
    {"a": row(1, 1, 1, 1), "b": row(1, 1, 1, 1)}, {"a": row(1, 2, 3, 4), "b": row(50, 60, 70, 80)}, 4,
    pin="E6, E8", expected={"a": bits("0000"), "b": bits("1111")},
    source="semantics.md E6: a 0, b 4",
    profiles={name: {"a": bits("0011"), "b": bits("0011")} for name in ("jaxpruner", "rigl-tf1")},
)  # fmt: skip
SNIP.case(
    "weight-times-gradient",
    "neither the largest gradients (indices 0 and 4) nor the largest weights (2 and 3) stay, but the largest products",
    {"fc": row(1, 3, 8, 8, 0, 4)}, {"fc": row(8, 4, 1, 0.5, 64, 4)}, 2,
    pin="1.5, papers.md 6.8", expected={"fc": bits("010001")},
    source="by hand: products 8, 12, 8, 4, 0, 16: 16 and 12",
)  # fmt: skip
SNIP.case(
    "signs-do-not-matter",
    "a connection whose removal would lower the loss counts as much as one whose removal would raise it",
    {"fc": row(-3, 2, 1, 2)}, {"fc": row(3, 1, -4, 3)}, 2,
    pin="1.5, A18", expected={"fc": bits("1001")}, source="by hand: products -9, 2, -4, 6",
)  # fmt: skip
SNIP.case(
    "exactly-n-keep",
    "five equal scores of which two may stay: exactly three stay, where a threshold keeps one or all six",
    {"fc": row(1, 2, 2, 2, 2, 6)}, {"fc": row(2, 1, 1, 1, 1, 1)}, 3,
    pin="E5", expected={"fc": bits("110001")}, source="by hand: 6, then the first two of the 2s at 0, 1, 2, 3, 4",
)  # fmt: skip
SNIP.case(
    "ties-to-the-earlier-layer",
    "among equal scores the earlier layer of the dict wins, before any lower index",
    {"z": row(1, 2, 2), "a": row(2, 2, 1)}, {"z": row(1, 1, 1), "a": row(1, 1, 1)}, 3,
    pin="1.5 Pin, design.md 4", expected={"z": bits("011"), "a": bits("100")},
    source="by hand: four 2s, in order z1, z2, a0, a1: the first three",
    profiles={"snip-official": {"z": bits("011"), "a": bits("100")}},
)  # fmt: skip
SNIP.case(
    "biases-of-zero-go-first",
    "where biases are given they take part, and at zero they are the first to go, whatever their gradient",
    {"fc.weight": row(1, -1, 0.5, 2), "fc.bias": row(0, 0)}, {"fc.weight": row(1, 1, 1, 1), "fc.bias": row(9, -9)}, 3,
    pin="E4, 1.5", expected={"fc.weight": bits("1101"), "fc.bias": bits("00")},
    source="by hand: effects 1, 1, 1/2, 2, 0, 0",
    profiles={"snip-official": {"fc.weight": bits("1101"), "fc.bias": bits("00")}},
)  # fmt: skip
SNIP.case(
    "shapes-are-kept",
    "kernels and matrices come back in their own shapes, ranked as one list",
    {"conv": np.array([1.0, 6, 2, 5]).reshape(2, 1, 1, 2), "fc": np.array([[4.0, 3], [7, 0.5]])},
    {"conv": np.ones((2, 1, 1, 2)), "fc": np.ones((2, 2))}, 4,
    pin="1.5, A16", expected={"conv": bits("0101", 2, 1, 1, 2), "fc": bits("1010", 2, 2)},
    source="by hand: 7, 6, 5, 4",
    profiles={"snip-official": {"conv": bits("0101", 2, 1, 1, 2), "fc": bits("1010", 2, 2)}},
)  # fmt: skip
SNIP.case(
    "everything-stays",
    "n_keep = all keeps connections of no effect too",
    {"a": row(0, 1), "b": row(2)}, {"a": row(1, 0), "b": row(1)}, 3,
    pin="1.5", expected={"a": bits("11"), "b": bits("1")}, source="by hand: all three",
)  # fmt: skip
SNIP.case(
    "no-effect-anywhere",
    "all scores zero: the first connections stay, and nothing is divided by zero",
    {"a": row(1, 2), "b": row(3, 4)}, {"a": row(0, 0), "b": row(0, 0)}, 3,
    pin="E5, A13", expected={"a": bits("11"), "b": bits("10")}, source="by hand: ties to the earlier layer",
)  # fmt: skip
for sparsity, n_keep in ((0.5, 9), (0.7, 5), (0.9, 2)):
    SNIP.case(
        f"a-net-of-4-3-2-at-{sparsity:.0%}".replace("%", ""),
        f"the {n_keep} highest of 18 connections of a small network, in one ranking of both layers",
        NET, NET_GRADS, n_keep,
        pin="E1", source=f"twin; n_keep = round(18 x {1 - sparsity:.1f}) by hand",
    )  # fmt: skip
