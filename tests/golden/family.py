"""Golden cases of RigL's relatives: Deep R, DSR, GraNet, SRigL, AC/DC, Top-KAST, straight-through estimators."""

import numpy as np

from tests.golden.case import Function, bits, row, told
from tests.golden.structured import matrix
from tests.helpers.slow_family import (
    slow_ac_dc_compressed,
    slow_ac_dc_masks,
    slow_deep_r_kept,
    slow_deep_r_update,
    slow_dsr_update,
    slow_forward_and_backward,
    slow_granet_prune,
    slow_next_threshold,
    slow_seen_mask,
    slow_srigl_salient,
    slow_srigl_update,
    slow_top_kast_strength,
)
from tests.helpers.slow_methods import slow_kept, slow_rigl_update

DEEP_R = Function(
    "deep_r_update", "weight mask negative noise", slow_deep_r_update,
    stages=lambda w, m, s, noise: {"kept": np.isin(np.arange(m.size), slow_deep_r_kept(w, m, s)).reshape(m.shape)},
)  # fmt: skip
DSR = Function("dsr_update", "weights masks noise threshold", slow_dsr_update)
THRESHOLD = Function("next_threshold", "threshold n_pruned n_target tolerance", slow_next_threshold)
GRANET = Function("granet_prune", "weights masks n_keep", slow_granet_prune)
REGENERATE = Function(
    "regenerate", "weight mask dense_grad n_update", slow_rigl_update,
    stages=lambda w, m, g, k: {"kept": slow_kept(w, m, k)},
)  # fmt: skip
SRIGL = Function(
    "srigl_update", "weight mask dense_grad n_update n_budget gamma", slow_srigl_update,
    stages=lambda w, m, g, k, *more: {"salient": slow_srigl_salient(w, m, g, k)},
)  # fmt: skip
PHASES = Function("ac_dc_compressed", "step warmup phase last", slow_ac_dc_compressed)
AC_DC = Function("ac_dc_masks", "weights n_keep", slow_ac_dc_masks)
SETS = Function("forward_and_backward", "weight n_forward n_backward", slow_forward_and_backward)
STRENGTH = Function("top_kast_strength", "forward backward", slow_top_kast_strength)
SEEN = Function("seen_mask", "weight n_keep noise", slow_seen_mask)
FUNCTIONS = [DEEP_R, DSR, THRESHOLD, GRANET, REGENERATE, SRIGL, PHASES, AC_DC, SETS, STRENGTH, SEEN]

# deep_r_update
DEEP_R.case(
    "crossed-go-and-others-are-drawn",
    "0.125 where the sign is minus and -0.125 where it is plus have crossed zero: they go, and two are drawn at random",
    row(0.5, -0.5, 0.125, -0.125, 0, 0, 0, 0), bits("11110000"), bits("01100000"),
    row(0, 0, 0, 0, 0.25, 0.75, 0.5, 0.875),
    pin="Deep R alg. 1", expected=bits("11000101"), source="by hand: noise 0.875 and 0.75 are largest",
)  # fmt: skip
DEEP_R.case(
    "nothing-has-crossed",
    "where every weight has its sign nothing goes, and nothing comes, whatever the noise",
    row(1, -1, 2, 0, 0), bits("11100"), bits("01011"), row(0, 0, 0, 9, 8),
    pin="Deep R alg. 1, K connections", expected=bits("11100"), source="by hand",
)  # fmt: skip
DEEP_R.case(
    "zero-is-active",
    "a connection goes if θ < 0: one that is exactly zero, as all are when they come, stays, of either sign",
    row(0, 0, 3, 0, 0), bits("11100"), bits("10000"), row(0, 0, 0, 2, 1),
    pin="Deep R alg. 1: θ < 0", expected=bits("11100"),
    source="by hand; the authors' code has θ > 0 for active, and starts at 1e-12",
)  # fmt: skip
DEEP_R.case(
    "sign-not-size",
    "a large weight of the wrong sign goes, the tiniest of the right sign stays: size does not matter",
    row(-64, 0.001, 0, 0), bits("1100"), bits("0000"), row(0, 0, 1, 2),
    pin="Deep R sec. 2", expected=bits("0101"), source="by hand",
)  # fmt: skip
DEEP_R.case(
    "drawn-again-at-once",
    "all dormant connections are drawn alike, and one that went dormant in this step is dormant",
    row(-1, 2, 0, 0), bits("1100"), bits("0000"), row(5, 0, 3, 4),
    pin="Deep R alg. 1, R4", expected=bits("1100"), source="by hand: 5 is the largest of 5, 3, 4",
)  # fmt: skip
DEEP_R.case(
    "noise-of-active-ones-does-not-count",
    "a position that is active already is not drawn, however large its noise is",
    row(1, -2, 0, 0), bits("1100"), bits("0000"), row(9, 0, 1, 2),
    pin="Deep R alg. 1: dormant ones", expected=bits("1001"), source="by hand: 2 is the largest of 0, 1, 2",
)  # fmt: skip
DEEP_R.case(
    "absent-weights-do-not-cross",
    "a value left behind at a dormant position has crossed nothing: one connection goes, and one comes",
    row(-1, 2, -3, -4, 0), bits("11000"), bits("00000"), row(0, 0, 1, 2, 3),
    pin="A4, Deep R", expected=bits("01001"), source="by hand",
)  # fmt: skip
DEEP_R.case(
    "noise-with-its-sign",
    "the largest noise is drawn, not the noise of largest magnitude",
    row(-1, 0, 0), bits("100"), bits("000"), row(-3, -2, -0.25),
    pin="A18, Deep R", expected=bits("001"), source="by hand: -0.25",
)  # fmt: skip
DEEP_R.case(
    "no-other-place",
    "in a full layer those that crossed are drawn again, so that K connections are left",
    row(-1, 2, -3), bits("111"), bits("000"), row(1, 2, 3),
    pin="Deep R: while fewer than K", expected=bits("111"), source="by hand",
)  # fmt: skip
DEEP_R.case(
    "ties-to-the-lower-index",
    "among equal noise the lower flat index is drawn",
    row(0, 0, 2, -1, 0), bits("00110"), bits("00000"), row(1, 1, 0, 0, 1),
    pin="R3", expected=bits("10100"), source="by hand",
)  # fmt: skip
DEEP_R.case(
    "kernel",
    "in a kernel as in a matrix positions are counted in C order, and its shape is kept",
    np.array([2.0, -1, 0, 3, 0, 1, 0, -4]).reshape(2, 1, 2, 2), bits("11010101", 2, 1, 2, 2),
    bits("00000101", 2, 1, 2, 2), np.array([0.0, 1, 6, 0, 5, 2, 7, 0]).reshape(2, 1, 2, 2),
    pin="A16", expected=bits("10110011", 2, 1, 2, 2),
    source="by hand: -1 and 1 have crossed; noise 7, 6 of 1, 6, 5, 2, 7",
)  # fmt: skip

# dsr_update
DSR.case(
    "below-the-threshold",
    "weights smaller than the threshold go, one at the threshold stays, and as many come at random",
    {"fc": row(4, 0.5, -0.25, 0.125, 0, 0, 0)}, {"fc": bits("1111000")}, {"fc": row(0, 0, 0, 0, 1, 3, 2)}, 0.5,
    pin="DSR alg. 1, prune_by_threshold", expected={"fc": bits("1100011")}, source="by hand: 0.25 and 0.125 go",
)  # fmt: skip
DSR.case(
    "in-proportion-to-survivors",
    "what is pruned grows where weights survive: of four, three in the layer with three survivors",
    {"a": row(1, 2, 3, 0.1, 0.1, 0, 0, 0), "b": row(1, 0.1, 0.1, 0, 0, 0)},
    {"a": bits("11111000"), "b": bits("111000")}, {"a": row(0, 0, 0, 1, 2, 3, 4, 5), "b": row(0, 1, 2, 3, 4, 5)}, 0.5,
    pin="DSR alg. 1, grow_back", expected={"a": bits("11100111"), "b": bits("100001")},
    source="by hand: survivors 3 and 1, so 3 and 1 of the 4",
)  # fmt: skip
DSR.case(
    "not-to-where-it-was-lost",
    "a layer that lost three and kept one grows one, not the three that it lost",
    {"a": row(2, 0.1, 0.1, 0.1, 0, 0), "b": row(1, 2, 3, 0.1, 0, 0, 0, 0)},
    {"a": bits("111100"), "b": bits("11110000")}, {"a": row(0, 1, 2, 3, 4, 5), "b": row(0, 0, 0, 1, 2, 3, 4, 5)}, 0.5,
    pin="DSR alg. 1: across layers", expected={"a": bits("100001"), "b": bits("11100111")}, source="by hand",
)  # fmt: skip
DSR.case(
    "not-by-size-of-the-layer",
    "survivors decide, not how many positions a layer has",
    {"a": row(1, 1, 0.1, 0), "b": row(1, 0.1, 0.1, 0, 0, 0, 0, 0, 0, 0)},
    {"a": bits("1110"), "b": bits("1110000000")}, {"a": row(0, 0, 2, 1), "b": row(0, 0, 0, 1, 2, 3, 4, 5, 6, 7)}, 0.5,
    pin="DSR alg. 1: survivors", expected={"a": bits("1111"), "b": bits("1000000001")},
    source="by hand: survivors 2 and 1, so 2 and 1 of the 3",
)  # fmt: skip
DSR.case(
    "a-full-layer-passes-on",
    "what no longer fits in a layer goes to the others: the total is constant",
    {"a": row(1, 2, 3, 0.1), "b": row(1, 0.1, 0.1, 0.1, 0, 0)}, {"a": bits("1111"), "b": bits("111100")},
    {"a": row(0, 0, 0, 1), "b": row(0, 3, 2, 1, 5, 4)}, 0.5,
    pin="DSR alg. 1, apportion", expected={"a": bits("1111"), "b": bits("110011")},
    source="by hand: survivors 3 and 1 call for 3 and 1 of the 4, but a has one place: b takes three",
)  # fmt: skip
DSR.case(
    "largest-remainder",
    "parts are rounded by largest remainder, so that exactly as many come as went",
    {"a": row(1, 2, 0.1, 0.1, 0, 0), "b": row(1, 0.1, 0.1, 0.1, 0, 0, 0)}, {"a": bits("111100"), "b": bits("1111000")},
    {"a": row(0, 0, 1, 2, 3, 4), "b": row(0, 1, 2, 3, 4, 5, 6)}, 0.5,
    pin="D4, DSR", expected={"a": bits("110111"), "b": bits("1000011")},
    source="by hand: 5 in the ratio 2 to 1 are 3.33 and 1.67: 3 and 2",
)  # fmt: skip
DSR.case(
    "a-layer-that-lost-all-gets-none",
    "a layer of which nothing survives stays empty: no density of its own brings it back",
    {"a": row(0.1, 0.2, 0), "b": row(1, -2, 0, 0)}, {"a": bits("110"), "b": bits("1100")},
    {"a": row(9, 9, 9), "b": row(0, 0, 1, 2)}, 0.5,
    pin="DSR alg. 1: R = 0", expected={"a": bits("000"), "b": bits("1111")}, source="by hand: survivors 0 and 2",
)  # fmt: skip
DSR.case(
    "drawn-again-at-once",
    "a position that was just pruned is as free as others, and may be drawn",
    {"fc": row(3, 0.1, 0, 0)}, {"fc": bits("1100")}, {"fc": row(0, 9, 2, 3)}, 1.0,
    pin="R4, DSR", expected={"fc": bits("1100")}, source="by hand",
)  # fmt: skip
DSR.case(
    "noise-of-survivors-does-not-count",
    "a position that survives is not drawn, however large its noise is",
    {"fc": row(3, 0.1, 0, 0)}, {"fc": bits("1100")}, {"fc": row(9, 0, 1, 2)}, 1.0,
    pin="DSR alg. 1: zero positions", expected={"fc": bits("1001")}, source="by hand: 2 is the largest of 0, 1, 2",
)  # fmt: skip
DSR.case(
    "threshold-of-zero",
    "below zero there is nothing: active weights of exactly zero stay",
    {"fc": row(0, 1, 0, 0)}, {"fc": bits("1100")}, {"fc": row(0, 0, 9, 9)}, 0.0,
    pin="DSR: |w| < H", expected={"fc": bits("1100")}, source="by hand",
)  # fmt: skip
DSR.case(
    "by-magnitude",
    "a weight of -2 is above a threshold of 1: magnitudes are compared",
    {"fc": row(-2, 0.5, 3, 0, 0)}, {"fc": bits("11100")}, {"fc": row(0, 0, 0, 1, 2)}, 1.0,
    pin="A18, DSR", expected={"fc": bits("10101")}, source="by hand",
)  # fmt: skip
DSR.case(
    "absent-weights-are-not-pruned",
    "positions without a connection are not counted as pruned, nor do values left there survive",
    {"fc": row(2, 0.1, 0.1, 7, 0)}, {"fc": bits("11000")}, {"fc": row(0, 1, 2, 0, 3)}, 1.0,
    pin="A4, DSR", expected={"fc": bits("10001")}, source="by hand: one goes, one comes",
)  # fmt: skip
DSR.case(
    "nothing-survives-anywhere",
    "where no weight is above the threshold there are no shares to follow, and layers grow alike",
    {"a": row(0.1, 0.2, 0), "b": row(0.1, 0.1, 0, 0)}, {"a": bits("110"), "b": bits("1100")},
    {"a": row(1, 2, 3), "b": row(1, 2, 3, 4)}, 1.0,
    pin="A13, DSR", expected={"a": bits("011"), "b": bits("0011")}, source="by hand: two and two of the four",
)  # fmt: skip
DSR.case(
    "ties-and-shapes",
    "among equal noise the lower index in C order is drawn, and arrays keep their shapes",
    {"conv": np.array([2.0, 0.1, 0, 0]).reshape(1, 1, 2, 2), "fc": matrix([3, 0], [0.1, 0])},
    {"conv": bits("1100", 1, 1, 2, 2), "fc": bits("1010", 2, 2)},
    {"conv": np.array([0.0, 0, 1, 1]).reshape(1, 1, 2, 2), "fc": matrix([0, 1], [0, 1])}, 1.0,
    pin="R3, A16", expected={"conv": bits("1010", 1, 1, 2, 2), "fc": bits("1100", 2, 2)}, source="by hand",
)  # fmt: skip

# next_threshold
for name, reason, inputs, answer in [
    ("too-few-doubles", "fewer than nine tenths of the target were pruned: the threshold doubles", (0.5, 80, 100,
          0.1), 1.0),
    ("too-many-halves", "more than eleven tenths of the target were pruned: the threshold halves", (0.5, 120, 100,
          0.1), 0.25),
    ("within-the-tolerance", "within a tenth of the target the threshold stays, below it and above it", (3.0, 95, 100,
          0.1), 3.0),
    ("at-the-lower-edge", "exactly (1 - δ) of the target is not fewer: the threshold stays", (1.0, 90, 100, 0.1), 1.0),
    ("at-the-upper-edge", "exactly (1 + δ) of the target is not more: the threshold stays", (1.0, 15, 10, 0.5), 1.0),
    ("none-pruned", "where nothing was pruned the threshold doubles, once and no further", (0.001, 0, 1000, 0.1),
          0.002),
    ("a-wide-tolerance", "with a tolerance of one half 60 of 100 are enough", (2.0, 60, 100, 0.5), 2.0),
    ("no-tolerance", "with a tolerance of zero one too many halves the threshold already", (1.0, 101, 100, 0.0), 0.5),
    ("target-of-zero", "a target of zero is met by pruning nothing", (4.0, 0, 0, 0.1), 4.0),
    ("beyond-a-target-of-zero", "any pruning is beyond a target of zero: the threshold halves", (4.0, 3, 0, 0.1), 2.0),
]:  # fmt: skip
    THRESHOLD.case(name, reason, *inputs, pin="DSR alg. 1, H", expected=answer, source="by hand")

# granet_prune: the authors rank values masked before, and keep what is above the n_keep-th; of none they take the last
GRANET.case(
    "one-ranking-of-all-layers",
    "the smallest weights of the whole network go, wherever they are",
    {"a": row(4, -3, 2, 1), "b": row(0.5, -5, 0, 3)}, {"a": bits("1111"), "b": bits("1101")}, 5,
    pin="GraNet alg. 1", expected={"a": bits("1110"), "b": bits("0101")}, source="by hand: 5, 4, 3, 3, 2",
    profiles={"granet": {"a": bits("1100"), "b": bits("0101")}},
)  # fmt: skip
GRANET.case(
    "a-layer-may-lose-all",
    "a layer of small weights is emptied: no minimum of one for each layer",
    {"a": row(1, 2), "b": row(3, 4, 5)}, {"a": bits("11"), "b": bits("111")}, 3,
    pin="E6, GraNet", expected={"a": bits("00"), "b": bits("111")}, source="by hand",
    profiles={"granet": {"a": bits("00"), "b": bits("011")}},
)  # fmt: skip
GRANET.case(
    "absent-weights-stay-absent",
    "pruning only removes: a value left at an absent position is not ranked",
    {"a": row(9, 1, 2, 3)}, {"a": bits("0111")}, 2,
    pin="R2, GraNet", expected={"a": bits("0011")}, source="by hand: 3 and 2",
    profiles={"granet": {"a": bits("0001")}},
)  # fmt: skip
GRANET.case(
    "active-zeros-before-absent",
    "connections that just grew are exactly zero, and are kept before positions without one",
    {"a": row(0, 0, 0, 5)}, {"a": bits("0101")}, 2,
    pin="A3, GraNet", expected={"a": bits("0101")}, source="by hand: both connections",
    profiles={"granet": {"a": bits("0001")}},
)  # fmt: skip
GRANET.case(
    "exactly-n-keep",
    "three equal weights for one place left: two stay, where a threshold keeps all four, or one",
    {"a": row(2, 7), "b": row(-2, 2)}, {"a": bits("11"), "b": bits("11")}, 2,
    pin="E5", expected={"a": bits("11"), "b": bits("00")}, source="by hand: 7, then the first 2",
    profiles={"granet": {"a": bits("01"), "b": bits("00")}},
)  # fmt: skip
GRANET.case(
    "ties-to-the-earlier-layer",
    "among equal weights the earlier layer of the dict comes first, before any lower index",
    {"z": row(1, 2, 2), "a": row(2, 1)}, {"z": bits("111"), "a": bits("11")}, 2,
    pin="R3, design.md 4", expected={"z": bits("011"), "a": bits("00")}, source="by hand",
    profiles={"granet": {"z": bits("000"), "a": bits("00")}},
)  # fmt: skip
GRANET.case(
    "nothing-to-prune",
    "where as many are to stay as there are nothing changes, though absent weights are larger",
    {"a": row(1, 8), "b": row(2, 9)}, {"a": bits("10"), "b": bits("10")}, 2,
    pin="I6, GraNet", expected={"a": bits("10"), "b": bits("10")}, source="by hand",
    profiles={"granet": {"a": bits("00"), "b": bits("10")}},
)  # fmt: skip
GRANET.case(
    "everything-goes",
    "n_keep = 0 prunes everything: no minimum of one",
    {"a": row(1, 2), "b": row(3)}, {"a": bits("11"), "b": bits("1")}, 0,
    pin="I6", expected={"a": bits("00"), "b": bits("0")}, source="by hand",
    profiles={"granet": None},
)  # fmt: skip
GRANET.case(
    "by-magnitude",
    "-4 is larger than 3: magnitudes are ranked",
    {"a": row(-4, 1), "b": row(3, -2)}, {"a": bits("11"), "b": bits("11")}, 2,
    pin="A18", expected={"a": bits("10"), "b": bits("10")}, source="by hand",
    profiles={"granet": {"a": bits("10"), "b": bits("00")}},
)  # fmt: skip
GRANET.case(
    "shapes-are-kept",
    "kernels and matrices come back in their own shapes",
    {"conv": np.array([1.0, 6, 2, 5]).reshape(2, 1, 1, 2), "fc": matrix([4, 3], [7, 0.5])},
    {"conv": bits("1111", 2, 1, 1, 2), "fc": bits("1101", 2, 2)}, 4,
    pin="A16", expected={"conv": bits("0101", 2, 1, 1, 2), "fc": bits("1100", 2, 2)}, source="by hand: 6, 5, 4, 3",
    profiles={"granet": {"conv": bits("0101", 2, 1, 1, 2), "fc": bits("1000", 2, 2)}},
)  # fmt: skip

# regenerate
REGENERATE.case(
    "smallest-go-largest-gradients-come",
    "after pruning the two smallest weights go, and the two largest gradients come",
    row(4, 3, 2, 1, 0, 0, 0, 0), bits("11110000"), row(0, 0, 0, 0, 1, 4, 2, 3), 2,
    pin="GraNet alg. 1", expected=bits("11000101"), source="by hand",
    profiles={"granet": bits("11000101")},
)  # fmt: skip
REGENERATE.case(
    "removed-may-return",
    "a connection removed in this step has the largest gradient, and returns at once",
    row(4, 3, 2, 1, 0, 0), bits("111100"), row(0, 0, 0, 9, 1, 2), 2,
    pin="R4, GraNet", expected=bits("110101"), source="by hand: gradients 9 and 2 of 0, 9, 1, 2",
    profiles={"granet": bits("110101")},
)  # fmt: skip
REGENERATE.case(
    "pruned-may-return",
    "a weight that pruning just left behind, nonzero and outside the mask, may come back by its gradient",
    row(4, 3, 2, 1, 0), bits("11100"), row(0, 0, 1, 5, 2), 1,
    pin="GraNet sec. 4.2", expected=bits("11010"), source="by hand: 2 goes, the pruned 1 has gradient 5",
    profiles={"granet": bits("11010")},
)  # fmt: skip
REGENERATE.case(
    "kept-do-not-grow-again",
    "gradients of connections that stay do not take part, however large they are",
    row(5, 4, 1, 0, 0), bits("11100"), row(9, 8, 1, 2, 3), 1,
    pin="A1, GraNet", expected=bits("11001"), source="by hand: 3 of 1, 2, 3",
    profiles={"granet": bits("11001")},
)  # fmt: skip
REGENERATE.case(
    "absent-values-are-not-ranked",
    "a value left behind at an absent position is not among those that stay",
    row(2, 1, 9, 0), bits("1100"), row(0, 1, 0, 2), 1,
    pin="R2", expected=bits("1001"), source="by hand: 1 goes, gradient 2 comes",
    profiles={"granet": bits("1001")},
)  # fmt: skip
REGENERATE.case(
    "active-zeros-go-first",
    "a connection that grew and never moved is exactly zero: it is the smallest, and goes",
    row(0, 3, -2, 0, 0), bits("11100"), row(0, 0, 0, 2, 1), 1,
    pin="A3", expected=bits("01110"), source="by hand",
    profiles={"granet": bits("01110")},
)  # fmt: skip
REGENERATE.case(
    "magnitudes-of-both",
    "of weights and of gradients the magnitudes are ranked: -4 stays, -7 comes",
    row(-4, 3, 0, 0, 0), bits("11000"), row(0, 0, 5, -7, 6), 1,
    pin="A18", expected=bits("10010"), source="by hand",
    profiles={"granet": bits("10010")},
)  # fmt: skip
REGENERATE.case(
    "nothing-to-move",
    "a rate that has fallen to zero changes nothing: no minimum of one",
    row(1, 2, 0), bits("110"), row(0, 0, 9), 0,
    pin="R13", expected=bits("110"), source="by hand",
    profiles={"granet": bits("110")},
)  # fmt: skip
REGENERATE.case(
    "everything-moves",
    "all connections go, and the largest gradients of the whole layer come",
    row(3, 2, 1, 0), bits("1110"), row(1, 4, 3, 2), 3,
    pin="A9, GraNet", expected=bits("0111"), source="by hand: 4, 3, 2",
    profiles={"granet": bits("0111")},
)  # fmt: skip
REGENERATE.case(
    "ties",
    "among equal weights the lower index goes, among equal gradients the lower index comes",
    row(1, 1, 2, 0, 0), bits("11100"), row(0, 0, 0, 3, 3), 1,
    pin="R3", expected=bits("01110"), source="by hand",
    profiles={"granet": bits("00111")},
)  # fmt: skip
REGENERATE.case(
    "kernel",
    "a kernel is ranked in C order, and keeps its shape",
    np.array([1.0, 0, 4, 3, 0, 2]).reshape(1, 2, 1, 3), bits("101101", 1, 2, 1, 3),
    np.array([0.0, 5, 0, 0, 6, 1]).reshape(1, 2, 1, 3), 2,
    pin="A16", expected=bits("011110", 1, 2, 1, 3), source="by hand: 1 and 2 go, 6 and 5 come",
    profiles={"granet": bits("011110", 1, 2, 1, 3)},
)  # fmt: skip

# srigl_update
SRIGL.case(
    "ablates-and-shares-out",
    "the third neuron's weights are the smallest and its gradients nothing: it goes, and the others get its inputs",
    matrix([4, 3, 0.125], [3, 4, 0.25], [0, 0, 0], [0, 0, 0]), bits("111111000000", 4, 3),
    matrix([0, 0, 0], [0, 0, 0], [2, 1, 0], [3, 5, 0]), 2, 6, 0.5,
    pin="SRigL sec. 3, steps 3 to 7", expected=bits("110110000110", 4, 3),
    source="by hand: salient are 3, 3 and 0 weights, of fan-in 2 at least 1; 6 inputs for two neurons are 3 each",
)  # fmt: skip
SRIGL.case(
    "no-ablation",
    "with γ = 0 no neuron is ablated, though none of its weights is salient",
    matrix([4, 3, 0.125], [3, 4, 0.25], [0, 0, 0], [0, 0, 0]), bits("111111000000", 4, 3),
    matrix([0, 0, 0], [0, 0, 0], [2, 1, 0.5], [3, 5, 0.25]), 2, 6, 0,
    pin="SRigL without ablation", expected=bits("110110001001", 4, 3),
    source="by hand: 0.125 and 0.25 go, and the third neuron grows its own two largest gradients",
)  # fmt: skip
SRIGL.case(
    "drop-over-the-layer-growth-by-neuron",
    "the smallest weights of the layer go, here all of one neuron; each neuron then grows back to the fan-in",
    matrix([5, 1], [6, 2], [0, 0], [0, 0]), bits("11110000", 4, 2), matrix([0, 0], [0, 0], [9, 3], [8, 4]), 2, 4, 0,
    pin="SRigL step 6: within the layer", expected=bits("10100101", 4, 2),
    source="by hand: 1 and 2 go; the first neuron is full, so 9 and 8 cannot come; the second grows 4 and 3",
)  # fmt: skip
SRIGL.case(
    "fan-in-is-rounded-down",
    "a budget of 7 for three neurons is a fan-in of 2: six connections, not seven",
    matrix([3, 2, 4], [0, 1, 0], [2, 0, 1]), bits("111010101", 3, 3), matrix([0, 0, 0], [1, 0, 2], [0, 3, 0]), 0, 7, 0,
    pin="SRigL: constant fan-in", expected=bits("111010101", 3, 3), source="by hand: floor(7 / 3)",
)  # fmt: skip
SRIGL.case(
    "gamma-of-the-rounded-fan-in",
    "γ_sal is of k, the fan-in rounded down: with γ = 1 and k = floor(7 / 3) two salient weights are enough",
    matrix([3, 2, 4], [1, 1, 2], [0, 0, 0], [0, 0, 0]), bits("111111000000", 4, 3), matrix(*[[0, 0, 0]] * 4), 0, 7, 1.0,
    pin="SRigL step 4: k", expected=bits("111111000000", 4, 3), source="by hand: 2 of 2, not of 2.33",
)  # fmt: skip
SRIGL.case(
    "fewer-than-gamma-k",
    "two salient weights are fewer than γ k = 0.7 x 3 = 2.1: the neuron is ablated",
    matrix([5, 1], [6, 7], [4, 8], [0, 0], [0, 0], [0, 0]), bits("111111000000", 6, 2),
    matrix([0, 0], [0, 0], [0, 0], [3, 1], [2, 0.5], [1, 0]), 1, 6, 0.7,
    pin="SRigL step 4", expected=bits("101010101010", 6, 2),
    source="by hand: salient are 4 and 2; the other neuron gets all six; the authors' code rounds 2.1 down",
)  # fmt: skip
SRIGL.case(
    "exactly-gamma-k-stays",
    "a neuron with exactly γ k = 2 salient weights does not have fewer, and stays",
    matrix([5, 1], [6, 2], [4, 7], [9, 8], *[[0, 0]] * 4), bits("11111111" + "0" * 8, 8, 2),
    matrix(*[[0, 0]] * 4, [3, 0.5], [2, 0.25], [0, 0], [0, 0]), 2, 8, 0.5,
    pin="SRigL step 4: fewer than", expected=bits("1010111101010000", 8, 2),
    source="by hand: 1 and 2 go; salient are 6 and 2; the second neuron grows its two largest gradients",
)  # fmt: skip
SRIGL.case(
    "none-salient-goes-for-any-gamma",
    "any γ above 0 ablates neurons without a salient weight, and a small one no others",
    matrix([4, 3.5, 0.125], [3, 0.25, 0.0625], *[[0, 0, 0]] * 4), bits("111111" + "0" * 12, 6, 3),
    matrix([0, 0, 0], [0, 0, 0], [9, 1, 0], [8, 2, 0], [7, 0, 0], [0, 0, 0]), 3, 6, 0.1,
    pin="SRigL step 4, small γ", expected=bits("110100110010000000", 6, 3),
    source="by hand: three weights go; salient are 5, 1 and 0, and γ k = 0.2; three inputs for each of two",
)  # fmt: skip
SRIGL.case(
    "gamma-of-three-tenths",
    "left out, γ is the paper's 0.3: one salient weight of a fan-in of 4 is fewer than 1.2",
    matrix([5, 9], [6, 1], [7, 2], [8, 3], *[[0, 0]] * 4), bits("11111111" + "0" * 8, 8, 2),
    matrix(*[[0, 0]] * 4, [3, 0], [2, 0], [1, 0], [0.5, 0]), 3, 8,
    pin="SRigL sec. 4: γ 0.3", expected=bits("10" * 8, 8, 2), source="by hand: salient are 7 and 1",
)  # fmt: skip
SRIGL.case(
    "an-ablated-neuron-returns",
    "a neuron without inputs comes back by its gradients: its two are among the largest",
    matrix([3, 0], [2, 0], [1, 0], [4, 0]), bits("10101010", 4, 2), matrix([0, 9], [0, 8], [0, 0], [0, 0]), 2, 4, 1.0,
    pin="SRigL step 2: of all neurons", expected=bits("11010010", 4, 2),
    source="by hand: salient are 2 and 2 of a fan-in of 2; 4 inputs for two neurons are 2 each",
)  # fmt: skip
SRIGL.case(
    "more-than-the-fan-in",
    "where a neuron kept three weights and the fan-in falls to two, its largest two stay",
    matrix([3, 0], [2, 0], [1, 0], [4, 0]), bits("10101010", 4, 2), matrix([0, 9], [0, 8], [7, 0], [0, 0]), 1, 4, 0.5,
    pin="SRigL: fan-in k'", expected=bits("11010010", 4, 2),
    source="by hand: 1 goes, 4 and 3 stay; in the authors' code a sort of booleans decides",
)  # fmt: skip
SRIGL.case(
    "as-many-neurons-as-the-budget-needs",
    "five inputs need three neurons of two: one without salient weights survives with the two that have some",
    matrix([4, 3, 2, 1], [0, 0, 0, 0]), bits("11110000", 2, 4), matrix([0, 8, 0.5, 0.5], [9, 7, 0.25, 0.25]), 3, 5, 1.0,
    pin="SRigL code: min_neurons", expected=bits("11100000", 2, 4),
    source="by hand: salient are 2, 2, 0 and 0; floor(5 / 3) is 1",
)  # fmt: skip
SRIGL.case(
    "dropped-may-regrow",
    "the weight that goes has the largest gradient of its neuron, and returns at once",
    matrix([3, 4], [1, 2], [0, 0]), bits("111100", 3, 2), matrix([0, 0], [9, 0], [1, 5]), 1, 4, 0,
    pin="R4, SRigL", expected=bits("111100", 3, 2), source="by hand",
)  # fmt: skip
SRIGL.case(
    "gradients-of-pruned-weights",
    "salient are the largest gradients of weights that do not stay anyhow: those of kept weights take no place",
    matrix([5, 1], [4, 0.5], [0, 0], [0, 0]), bits("11110000", 4, 2), matrix([9, 0], [8, 0], [0, 3], [0, 2]), 2, 4, 0.5,
    pin="SRigL step 1", expected=bits("10100101", 4, 2),
    source="by hand: salient are 2 and 2; in the authors' code 9 and 8 count, and the second neuron goes",
)  # fmt: skip
SRIGL.case(
    "magnitudes-of-both",
    "of weights and of gradients the magnitudes are ranked: -5 stays, -7 comes",
    matrix([-5], [1], [0], [0]), bits("1100", 4, 1), matrix([0], [0], [6], [-7]), 1, 2, 0,
    pin="A18, SRigL", expected=bits("1001", 4, 1), source="by hand",
)  # fmt: skip
SRIGL.case(
    "kernel",
    "the inputs of a filter are its taps and channels together, (kh, kw, c_in)",
    np.array([4.0, 0, 3, 1, 0, 5, 0, 0]).reshape(2, 1, 2, 2), bits("10110100", 2, 1, 2, 2),
    np.array([0.0, 2, 0, 0, 0, 0, 9, 3]).reshape(2, 1, 2, 2), 1, 4, 0,
    pin="A16, SRigL", expected=bits("10100101", 2, 1, 2, 2), source="by hand: 1 goes; of 2, 0, 3 the filter grows 3",
)  # fmt: skip

# ac_dc_compressed
for name, reason, inputs, answer in [
    ("dense-at-first", "the first epochs are dense, whatever follows", (9, 10, 5, 85), False),
    ("dense-from-the-first-step", "no phase lies before the warm-up's end: the first step of all is dense",
     (0, 10, 5, 85), False),
    ("compressed-after-the-warmup", "the phase after the warm-up is compressed", (10, 10, 5, 85), True),
    ("to-the-end-of-its-phase", "a compression phase lasts its five epochs", (14, 10, 5, 85), True),
    ("then-decompressed", "after a compression phase comes a decompression phase", (15, 10, 5, 85), False),
    ("in-turn", "phases take turns: epochs 30 to 34 are compressed again", (32, 10, 5, 85), True),
    ("in-turn-again", "each turn is as long as the first: epochs 35 to 39 are dense again", (36, 10, 5, 85), False),
    ("the-last-decompression-phase-is-longer",
     "at 80 no compression phase begins: five dense epochs would not fit in after it, before 85",
     (80, 10, 5, 85), False),
    ("up-to-the-last-phase", "the epoch before the last phase is dense", (84, 10, 5, 85), False),
    ("the-last-phase", "from epoch 85 on all is compressed, fifteen epochs long", (85, 10, 5, 85), True),
    ("to-the-end-of-the-run", "the last phase does not end: no turn comes after it", (97, 10, 5, 85), True),
    ("two-phases-that-just-fit", "a compression phase begins if as long a decompression phase fits in before the last",
     (5, 5, 3, 11), True),
    ("one-that-does-not-fit", "a step less, and none begins", (5, 5, 3, 10), False),
    ("no-phase-between", "the last phase may begin where the warm-up ends", (4, 4, 7, 4), True),
]:  # fmt: skip
    PHASES.case(name, reason, *inputs, pin="AC/DC sec. 4.1", expected=answer, source="by hand")

# ac_dc_masks
AC_DC.case(
    "largest-of-all-layers",
    "the largest weights of the whole network stay, in one ranking",
    {"a": row(4, -3, 2), "b": row(-5, 2.5, 0)}, 4,
    pin="AC/DC alg. 1, T_k", expected={"a": bits("110"), "b": bits("110")}, source="by hand: 5, 4, 3, 2.5",
)  # fmt: skip
AC_DC.case(
    "a-layer-may-lose-all",
    "a layer of small weights is emptied: layers are not ranked alone",
    {"a": row(1, 2, 3), "b": row(4, 5)}, 2,
    pin="E6, AC/DC", expected={"a": bits("000"), "b": bits("11")}, source="by hand",
)  # fmt: skip
AC_DC.case(
    "by-magnitude",
    "-4 is larger than 3: magnitudes are ranked",
    {"fc": row(3, -4, 1, -2)}, 2,
    pin="A18", expected={"fc": bits("1100")}, source="by hand",
)  # fmt: skip
AC_DC.case(
    "exactly-k",
    "four equal weights for two places left: three stay, where a percentile keeps one",
    {"fc": row(2, 2, 7, -2, 2)}, 3,
    pin="E5", expected={"fc": bits("11100")}, source="by hand: 7, then the first two",
)  # fmt: skip
AC_DC.case(
    "ties-to-the-earlier-layer",
    "among equal weights the earlier layer of the dict comes first",
    {"z": row(1, 2), "a": row(2, 3)}, 2,
    pin="R3, design.md 4", expected={"z": bits("01"), "a": bits("01")}, source="by hand: 3, then 2 of z",
)  # fmt: skip
AC_DC.case(
    "all-weights",
    "k = all keeps weights of zero too",
    {"a": row(0, 1), "b": row(0)}, 3,
    pin="I6", expected={"a": bits("11"), "b": bits("1")}, source="by hand",
)  # fmt: skip
AC_DC.case(
    "no-weight",
    "k = 0 keeps nothing: no minimum of one",
    {"a": row(3, 1), "b": row(2)}, 0,
    pin="I6", expected={"a": bits("00"), "b": bits("0")}, source="by hand",
)  # fmt: skip
AC_DC.case(
    "zeros-fill-up",
    "where more are to stay than are nonzero, zeros stay too, the lower index first",
    {"a": row(0, 5, 0), "b": row(0, 0)}, 2,
    pin="A3, AC/DC", expected={"a": bits("110"), "b": bits("00")}, source="by hand",
)  # fmt: skip
AC_DC.case(
    "shapes-are-kept",
    "kernels and matrices come back in their own shapes, ranked as one list",
    {"conv": np.array([1.0, -6, 2, 5]).reshape(2, 1, 1, 2), "fc": matrix([4, 3], [-7, 0.5])}, 4,
    pin="A16", expected={"conv": bits("0101", 2, 1, 1, 2), "fc": bits("1010", 2, 2)}, source="by hand: 7, 6, 5, 4",
)  # fmt: skip

# forward_and_backward
for name, reason, inputs, answer, pin in [
    ("two-and-four", "A has the two largest weights, B the four largest", (row(1, -4, 2, 2.5, 0, 3), 2, 4),
     ("010001", "011101"), "Top-KAST sec. 2.1, 2.2"),
    ("by-magnitude", "-9 is the largest: magnitudes are ranked in both sets", (row(1, -9, 8, -0.5), 1, 2),
     ("0100", "0110"), "A18"),
    ("no-exploration", "with M = 0 both sets are the same", (row(3, 1, 2), 2, 2), ("101", "101"), "Top-KAST: M = 0"),
    ("all-backward", "B may be all weights, those of zero too", (row(0, 1, 0), 1, 3), ("010", "111"), "I6"),
    ("nothing-forward", "A may be empty, and B is not", (row(5, 6), 0, 1), ("00", "01"), "I6, Top-KAST"),
    ("nothing-at-all", "both may be empty: no minimum of one", (row(5, 6), 0, 0), ("00", "00"), "I6, both"),
    ("ties-to-the-lower-index", "among equal weights the lower index comes first, in A as in B",
     (row(2, 1, 2, 2, 1), 2, 4), ("10100", "11110"), "R3"),
    ("exactly-that-many", "four equal weights: one in A and three in B, where thresholds take all or none",
     (row(3, 3, -3, 3), 1, 3), ("1000", "1110"), "E5"),
]:  # fmt: skip
    SETS.case(name, reason, *inputs, pin=pin, expected=tuple(bits(b) for b in answer), source="by hand")
SETS.case(
    "kernel",
    "a kernel is one layer, ranked whole, and keeps its shape",
    np.array([1.0, 6, -2, 5]).reshape(2, 1, 1, 2), 1, 3,
    pin="A16", expected=(bits("0100", 2, 1, 1, 2), bits("0111", 2, 1, 1, 2)), source="by hand: 6, 5, 2",
)  # fmt: skip

# top_kast_strength
for name, reason, sets, answer, pin in [
    ("one-and-four", "a quarter is in A: those in B alone are penalised four times as strongly",
     ("01000001", "01101001"), row(0, 1, 4, 0, 4, 0, 0, 1), "Top-KAST sec. 2.3: 1 / D"),
    ("outside-nothing", "what is in neither set is not penalised at all", ("1000", "1000"), row(1, 0, 0, 0),
     "Top-KAST sec. 2.3: 0"),
    ("all-forward", "where all is in A every weight is penalised alike", ("111", "111"), row(1, 1, 1),
     "Top-KAST: D = 1"),
    ("share-of-the-layer-not-of-b", "D is A's share of the layer, two of six, not of B", ("110000", "111100"),
     row(1, 1, 3, 3, 0, 0), "Top-KAST: D"),
    ("one-over-the-density", "1 / D, and not 1 / (1 - D): three of four in A", ("1110", "1111"), row(1, 1, 1, 4 / 3),
     "Top-KAST: 1 / D"),
    ("an-empty-a", "where A is empty there is no density to divide by, and nothing is penalised", ("000", "011"),
     row(0, 0, 0), "A13"),
    ("both-empty", "two empty sets penalise nothing", ("00", "00"), row(0, 0), "A13, both"),
]:  # fmt: skip
    STRENGTH.case(name, reason, *map(bits, sets), pin=pin, expected=answer, source="by hand")
STRENGTH.case(
    "kernel",
    "of a kernel D is the share of all its entries, and its shape is kept",
    bits("1000", 2, 1, 1, 2), bits("1010", 2, 1, 1, 2),
    pin="A16", expected=row(1, 0, 4, 0).reshape(2, 1, 1, 2), source="by hand: one of four",
)  # fmt: skip

# seen_mask: jaxpruner ranks |w| or fresh uniform noise, keeps max(1, n_keep), equals by the lower index
for name, reason, inputs, answer, pin in [
    ("one-of-five", "exactly as many as asked are seen: 1 - (1 - 1/5), truncated after a product with 5, is none",
     (row(0.5, 2, 3, 0, 1), 1), "00100", "Lee 2023: ste_magnitude"),
    ("by-magnitude", "-4 is larger than 3: the forward pass sees the largest magnitudes", (row(3, -4, 1, -2), 2),
     "1100", "A18, STE"),
    ("ties-to-the-lower-index", "three equal weights for two places: the lower indices are seen",
     (row(1, 2, 2, 2, 1), 2), "01100", "R3, E5"),
    ("all-are-seen", "at a sparsity of 0 everything is seen, weights of exactly zero too", (row(0, 2, 0), 3),
     "111", "STE: k = n"),
    ("noise-decides", "where noise is given the size of a weight does not matter: the two smallest are drawn",
     (row(9, 8, 1, 2), 2, row(0.125, 0.25, 0.75, 0.5)), "0011", "Lee 2023: ste_random"),
    ("zeros-are-drawn-too", "all positions are drawn alike, those whose weight is exactly zero too",
     (row(0, 5, 0, 7), 2, row(0.75, 0.125, 0.5, 0.25)), "1010", "A3, STE"),
    ("noise-with-its-sign", "the largest noise is drawn, not the noise of largest magnitude",
     (row(1, 1, 1, 1), 2, row(-3, 1, -2, 0.5)), "0101", "A18, STE: noise"),
    ("equal-noise", "among equal noise the lower index is drawn, whatever the weights are",
     (row(4, 2, 3, 1), 2, row(0.5, 0.25, 0.5, 0.5)), "1010", "R3, STE: noise"),
    ("noise-of-zero-is-noise", "noise that happens to be zero everywhere is not missing: magnitudes stay out of it",
     (row(1, 2, 3), 1, row(0, 0, 0)), "100", "STE: noise is given"),
]:  # fmt: skip
    SEEN.case(name, reason, *inputs, pin=pin, expected=bits(answer), source="by hand",
              profiles=told(bits(answer), "jaxpruner"))  # fmt: skip
SEEN.case(
    "none-is-seen",
    "n_keep = 0 sees nothing: no minimum of one weight",
    row(1, 2), 0,
    pin="I6", expected=bits("00"), source="by hand", profiles=told(bits("01"), "jaxpruner"),
)  # fmt: skip
SEEN.case(
    "none-is-drawn",
    "n_keep = 0 draws nothing, whatever the noise",
    row(1, 2), 0, row(0.5, 0.25),
    pin="I6, STE: noise", expected=bits("00"), source="by hand", profiles=told(bits("10"), "jaxpruner"),
)  # fmt: skip
SEEN.case(
    "a-kernel-is-ranked-whole",
    "a kernel is one layer, of which both weights may be of one filter, and keeps its shape",
    np.array([1.0, 6, 2, 5]).reshape(2, 1, 1, 2), 2,
    pin="A16", expected=bits("0101", 2, 1, 1, 2), source="by hand: 6 and 5",
    profiles=told(bits("0101", 2, 1, 1, 2), "jaxpruner"),
)  # fmt: skip
SEEN.case(
    "rows-first",
    "noise that ties goes to the lower index in C order, and all outputs share one drawing",
    np.ones((3, 2)), 2, matrix([0.25, 0.5], [0.5, 0.125], [0, 0.75]),
    pin="A16, STE: noise", expected=bits("010001", 3, 2), source="by hand: 0.75, then the 0.5 of the first row",
    profiles=told(bits("010001", 3, 2), "jaxpruner"),
)  # fmt: skip
