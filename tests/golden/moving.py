"""Golden cases of masks that move: RigL, SET and SNFS, one update at a time."""

import numpy as np

from tests.golden.case import Either, Function, bits, row, told
from tests.helpers.slow_methods import (
    slow_kept,
    slow_rigl_update,
    slow_set_counts,
    slow_set_kept,
    slow_set_update,
    slow_set_update_by_magnitude,
    slow_shares,
    slow_snfs_update,
)


def float_shares(momentum, masks):
    return {name: float(share) for name, share in slow_shares(momentum, masks).items()}


def snfs_stages(weights, masks, momentum, n_drop):
    new = slow_snfs_update(weights, masks, momentum, n_drop)
    kept = {name: slow_kept(weights[name], mask, n_drop[name]) for name, mask in masks.items()}
    n_grow = {name: int(new[name].sum()) - int(kept[name].sum()) for name in masks}
    return {"kept": kept, "shares": float_shares(momentum, masks), "n_grow": n_grow}


RIGL = Function(
    "rigl_update", "weight mask dense_grad n_update", slow_rigl_update,
    stages=lambda w, mask, g, k: {"kept": slow_kept(w, mask, k)},
)  # fmt: skip
SET_COUNTS = Function("set_counts", "weight mask zeta", slow_set_counts)
SET = Function(
    "set_update", "weight mask noise n_negative n_positive", slow_set_update,
    stages=lambda w, mask, noise, n_negative, n_positive: {"kept": slow_set_kept(w, mask, n_negative, n_positive)},
)  # fmt: skip
SET_BY_MAGNITUDE = Function(
    "set_update_by_magnitude", "weight mask noise n_update", slow_set_update_by_magnitude,
    stages=lambda w, mask, noise, k: {"kept": slow_kept(w, mask, k)},
)  # fmt: skip
SHARES = Function("shares", "momentum masks", float_shares)
SNFS = Function("snfs_update", "weights masks momentum n_drop", slow_snfs_update, stages=snfs_stages)
FUNCTIONS = [RIGL, SET_COUNTS, SET, SET_BY_MAGNITUDE, SHARES, SNFS]

WEIGHT, MASK = row(4, 3, 2, 1, 0, 0, 0, 0), bits("11110000")
GRAD = row(6, 7, 5, 4, 32, 58, 45, 13) / 64


def alike(mask, *names):
    """The answer of codes that are known to give this one."""
    return dict.fromkeys(names, bits(mask))


def either(masks, *names):
    """The answers of codes of which noise, or an order that they leave open, picks one."""
    return dict.fromkeys(names, Either(bits(mask) for mask in masks.split()))


# rigl_update
RIGL.case(
    "basic",
    "the two smallest active weights go and the two largest gradients come: every public code agrees",
    WEIGHT, MASK, GRAD, 2,
    pin="A1", expected=bits("11000110"), source="by hand: keep 4 and 3, grow 58/64 at 5 and 45/64 at 6",
    profiles=alike("11000110", "rigl-tf1", "rigl-torch", "jaxpruner", "rigl-reproducibility", "sparselab",
                   "granet", "itop"),
)  # fmt: skip
RIGL.case(
    "dropped-connection-returns",
    "a connection dropped in this update has the largest gradient and returns at once: "
    "growth is among everything not kept",
    WEIGHT, MASK, row(6, 7, 5, 576, 32, 58, 45, 13) / 64, 2,
    pin="A2, R4", expected=bits("11010100"), source="by hand: 3 is dropped and grown again, with 5",
    profiles=alike("11010100", "rigl-tf1", "rigl-torch", "jaxpruner", "rigl-reproducibility", "granet", "itop"),
)  # fmt: skip
RIGL.case(
    "active-weights-of-zero",
    "an active weight that is exactly zero is not mistaken for an absent one: it is the one to go, "
    "and no absent position is kept in its place",
    row(0, 0, 0, 5, 0, 0, 0, 0), bits("00110001"), row(1, 2, 3, 4, 5, 7, 8, 6), 1,
    pin="A3, R2", expected=bits("00010011"),
    source="by hand: of the active zeros 2 and 7 the lower goes, 6 has the largest gradient",
    profiles={
        # 5 and any one of the seven zeros are kept, then the largest gradient of the rest comes
        **either("10010010 01010010 00110010 00011010 00010110 00010011", "rigl-tf1", "rigl-torch"),
        "jaxpruner": bits("00110010"), "rigl-reproducibility": None,
        **alike("00010110", "sparselab", "granet", "itop"),  # both zeros go
    },
)  # fmt: skip
RIGL.case(
    "stale-values",
    "values left behind at absent positions are not ranked: an absent 9 is no large weight",
    row(4, 3, 2, 1, 9, 9, 9, 9), MASK, GRAD, 2,
    pin="A4, R2", expected=bits("11000110"), source="by hand: as basic",
)  # fmt: skip
RIGL.case(
    "equal-gradients",
    "equal gradients everywhere: the lowest indices not kept are grown, here the two just dropped",
    WEIGHT, MASK, np.full(8, 0.5), 2,
    pin="A5, R3", expected=bits("11110000"), source="by hand: of 2 to 7 the first two",
    profiles={**alike("11110000", "rigl-tf1", "jaxpruner"), "rigl-torch": None},
)  # fmt: skip
RIGL.case(
    "equal-weights",
    "equal active weights: the lower index is dropped first, as it is grown and kept first",
    row(1, 1, 1, 1, 0, 0, 0, 0), MASK, GRAD, 2,
    pin="A6, R3", expected=bits("00110110"), source="by hand: 0 and 1 go, 5 and 6 come",
    profiles={"jaxpruner": bits("11000110"),
              **either("11000110 10100110 10010110 01100110 01010110 00110110", "rigl-tf1", "rigl-torch"),
              **alike("00001111", "sparselab", "granet", "itop")},
)  # fmt: skip
RIGL.case(
    "nothing-to-move",
    "n_update = 0 is a strict no-op: an active weight of zero stays active, and no gradient grows anything",
    row(4, 0, 2, 0, 0, 0, 0, 0), MASK, GRAD, 0,
    pin="A7, R13", expected=bits("11110000"), source="by hand: the mask as it was",
    profiles={"rigl-tf1": None, **alike("10100110", "sparselab", "granet", "itop")},
)  # fmt: skip
RIGL.case(
    "nothing-to-move-behind-an-absent-place",
    "with n_update = 0 no absent place, not even one of lower index, takes that of an active weight that is zero",
    row(0, 4, 0, 2), bits("0111"), row(1, 2, 3, 4), 0,
    pin="R13, R2", expected=bits("0111"), source="by hand: the mask as it was",
    profiles={**either("1101 0111", "rigl-tf1", "rigl-torch"), "jaxpruner": bits("0111")},
)  # fmt: skip
RIGL.case(
    "everything-moves",
    "all connections may go at once: no minimum stays, and all that is dropped competes for growth",
    WEIGHT, MASK, GRAD, 4,
    pin="A8", expected=bits("00001111"), source="by hand: the four largest gradients are at 4 to 7",
    profiles={"jaxpruner": bits("10001110")},
)  # fmt: skip
RIGL.case(
    "dense-layer",
    "in a layer without free places what is dropped comes back",
    row(4, 3, 2, 1), bits("1111"), row(1, 2, 3, 4) / 64, 3,
    pin="A9", expected=bits("1111"), source="by hand: three places, three connections",
)  # fmt: skip
RIGL.case(
    "the-only-connection",
    "the only connection of a layer moves to the largest gradient",
    row(0, 0, 5, 0), bits("0010"), row(1, 2, 3, 4), 1,
    pin="A10", expected=bits("0001"), source="by hand: 2 goes, 3 comes",
)  # fmt: skip
RIGL.case(
    "empty-layer",
    "a layer without connections stays as it is",
    row(0, 0, 0, 0), bits("0000"), row(1, 2, 3, 4), 0,
    pin="A11", expected=bits("0000"), source="by hand: nothing to drop", optional=True,
)  # fmt: skip
RIGL.case(
    "huge-equal-gradients",
    "kept connections stay kept however large the gradients are: a score lifted by an epsilon drowns in float32",
    row(0, 0, 0, 0, 1, 2, 3, 4), bits("00001111"), row(1e6, 1e6, 1e6, 1, 0, 0, 0, 0), 2,
    pin="A12", expected=bits("11000011"), source="semantics.md A12: keep {6, 7}, grow {0, 1}",
    profiles={"jaxpruner": bits("11100010")},
)  # fmt: skip
RIGL.case(
    "gradients-of-zero",
    "all gradients are zero, as in a dead layer: growth goes to the lowest places not kept and is never spent on a "
    "connection that is there already",
    row(4, 1, 3, 2, 0, 0, 0, 0), MASK, np.zeros(8), 2,
    pin="A13, F5", expected=bits("11110000"), source="by hand: 1 and 3 go, and of 1, 3, 4 to 7 the first two come",
    profiles={"rigl-tf1": bits("11110000"), "rigl-torch": None, "rigl-reproducibility": None},
)  # fmt: skip
RIGL.case(
    "one-gradient-for-two-places",
    "where fewer gradients than places are not zero, the places left are filled too, the lowest first, and not spent "
    "on connections that are kept",
    row(3, 2, 1, 0, 0), bits("11100"), row(0, 0, 0, 0, 7), 2,
    pin="A13, F5", expected=bits("11001"), source="by hand: 0 is kept, 4 comes for its gradient, and 1 is the lowest",
    profiles={**alike("11001", "rigl-tf1", "jaxpruner"), **either("11001 10101 10011", "rigl-torch"),
              **either("10001 11001 10101 10011", "rigl-reproducibility")},
)  # fmt: skip
RIGL.case(
    "rows-first",
    "in two dimensions ties to drop and to grow go to the lower index in C order",
    np.array([[1.0, 0, 1], [1, 2, 0]]), bits("101110", 2, 3), np.array([[0.0, 2, 0], [2, 0, 2]]), 1,
    pin="A16", expected=bits("011110", 2, 3),
    source="by hand: of the 1s at 0, 2, 3 in C order 0 goes; of the gradients 2 at 1, 5 the first comes (3 is kept)",
    profiles=told(bits("010111", 2, 3), "granet", "itop"),
)  # fmt: skip
RIGL.case(
    "columns-that-tie",
    "the tie among three equal weights is broken along rows: along columns (1, 0) would go before (0, 1)",
    np.array([[4.0, 1, 0], [1, 1, 0]]), bits("110110", 2, 3), np.array([[0.0, 0, 3], [0, 0, 1]]), 1,
    pin="A16", expected=bits("101110", 2, 3), source="by hand: the 1s stand at 1, 3, 4 in C order; 2 comes",
)  # fmt: skip
RIGL.case(
    "signs-of-weights",
    "weights are ranked by magnitude: -8 is the largest here, not the smallest",
    row(-8, 3, -2, 1, 0, 0, 0, 0), MASK, GRAD, 2,
    pin="A18", expected=bits("11000110"), source="by hand: as basic, with the magnitudes 8, 3, 2, 1",
)  # fmt: skip
RIGL.case(
    "signs-of-gradients",
    "gradients are ranked by magnitude: the most negative is the first to grow",
    WEIGHT, MASK, row(6, 7, 5, 4, 32, -58, 45, -13) / 64, 1,
    pin="A18", expected=bits("11100100"), source="by hand: the 1 at 3 goes, |-58| comes",
)  # fmt: skip
RIGL.case(
    "gradients-of-kept-connections",
    "the largest gradients are on connections that are kept: they are no candidates, and the next in line grow",
    WEIGHT, MASK, row(64, 64, 5, 4, 32, 58, 45, 13) / 64, 2,
    pin="R4, F5", expected=bits("11000110"), source="by hand: 0 and 1 are kept; 58 and 45 are the largest of the rest",
)  # fmt: skip
RIGL.case(
    "drop-is-not-by-gradient",
    "the smallest weight goes though its gradient, and weight x gradient, is larger than that of others",
    row(4, 3, 2, 1, 0, 0, 0, 0), MASK, row(1, 1, 1, 16, 2, 32, 3, 4) / 64, 1,
    pin="B4, R2", expected=bits("11100100"), source="by hand: 1 at 3 goes, 32/64 at 5 comes",
)  # fmt: skip
RIGL.case(
    "convolution-kernel",
    "a kernel (kh, kw, c_in, c_out) is one layer with one ranking, not one per filter",
    np.array([1.0, 8, 2, 7, 0, 0, 0, 0]).reshape(2, 1, 2, 2), bits("11110000", 2, 1, 2, 2),
    np.array([0.0, 0, 0, 0, 5, 1, 6, 2]).reshape(2, 1, 2, 2), 2,
    pin="A1, 1.1", expected=bits("01011010", 2, 1, 2, 2),
    source="by hand: 1 and 2, both of filter 0, go; 5 and 6, both of filter 0, come",
)  # fmt: skip

# set_counts
SET_COUNTS.case(
    "each-sign-by-itself",
    "the fraction is taken of each sign by itself and rounded down: 1.5 of 5 negatives and 1.5 of 5 positives",
    row(-5, -4, -3, -2, -1, 1, 2, 3, 4, 5), bits("1" * 10), 0.3,
    pin="G1, 1.3 Pin", expected=(1, 1), source="by hand: floor(.3 x 5) twice; of all ten it would be 3",
    profiles={"set-official": (3, 3)},
)  # fmt: skip
SET_COUNTS.case(
    "signs-of-unequal-number",
    "two negatives and six positives: the counts follow the signs",
    row(-2, -1, 1, 2, 3, 4, 5, 6), bits("11111111"), 0.5,
    pin="1.3 Pin", expected=(1, 3), source="by hand: halves of 2 and of 6, in exact binaries",
)  # fmt: skip
SET_COUNTS.case(
    "no-negatives",
    "ten positives and no negatives: 3 go, where an index into the sorted weights takes 4",
    row(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), bits("1" * 10), 0.34,
    pin="G2, 1.3", expected=(0, 3), source="by hand: floor(3.4)",
    profiles={"set-official": (0, 4)}, superseded_by="only-positives",
)  # fmt: skip
SET_COUNTS.case(
    "zeros-count-as-positive",
    "an active weight that is exactly zero, of either sign, is a positive one: it is counted and may be dropped",
    row(-2, -1, 0, -0.0, 0, 3), bits("111111"), 0.5,
    pin="G4, design.md 4", expected=(1, 2), source="by hand: 2 below zero, 4 that are not",
)  # fmt: skip
SET_COUNTS.case(
    "absent-weights-do-not-count",
    "only active weights are counted: neither the zeros nor the old values at absent positions",
    row(-1, 1, -7, 0, 0, 7, 2, -2), bits("11000011"), 0.5,
    pin="G4, R2", expected=(1, 1), source="by hand: -1, -2 and 1, 2",
)  # fmt: skip
SET_COUNTS.case(
    "the-only-connection",
    "a fraction of a single connection is none",
    row(0, -3, 0), bits("010"), 0.75,
    pin="G5", expected=(0, 0), source="by hand: floor(.75)",
    profiles={"set-official": (1, 0)},
)  # fmt: skip
SET_COUNTS.case(
    "everything",
    "zeta 1 takes all of both signs",
    row(-1, 2, -3, 4, 5), bits("11111"), 1.0,
    pin="A8", expected=(2, 3), source="by hand: all",
)  # fmt: skip
SET_COUNTS.case(
    "two-thirds-up",
    "2.8 of 4 and 3.5 of 5 are 2 and 3: floor, not the nearest",
    row(-1, -2, -3, -4, 1, 2, 3, 4, 5), bits("111111111"), 0.7,
    pin="R1, 1.3 Pin", expected=(2, 3), source="by hand: floor(2.8), floor(3.5)",
)  # fmt: skip

SET_COUNTS.case(
    "only-positives",
    "ten positives and no negatives: 3 go, where an index into the sorted weights, one of them taken for a negative, "
    "makes it 5",
    row(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), bits("1" * 10), 0.34,
    pin="G2, 1.3", expected=(0, 3), source="by hand: floor(3.4); semantics.md 5.1: (0, 5) when run",
    profiles={"set-official": (0, 5)},
)  # fmt: skip

# set_update
NOISE_12 = row(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 4, 9, 1, 5, 7) / 64
SET.case(
    "nearest-zero-on-either-side",
    "the largest negatives and the smallest positives go, and as many grow where the noise is largest",
    row(-5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0), bits("1111111111000000"), NOISE_12, 2, 2,
    pin="G1", expected=bits("1110000111101011"),
    source="semantics.md G1: removes -2, -1, 1, 2; by hand: the noise 9, 8, 7, 5 is at 12, 10, 15, 14",
)  # fmt: skip
SET.case(
    "not-by-magnitude",
    "large negatives and small positives: one of each sign goes, though the two smallest are both positive",
    row(-9, -8, 1, 2, 3, 0, 0, 0), bits("11111000"), row(0, 0, 0, 0, 0, 3, 2, 1) / 64, 1, 1,
    pin="G9, 1.3", expected=bits("10011110"), source="by hand: -8 and 1 go; by magnitude 1 and 2 would",
    profiles=alike("11001110", "rigl-tf1", "jaxpruner", "rigl-reproducibility", "sparsimony", "sparselab"),
)  # fmt: skip
SET.case(
    "only-positives",
    "ten positive weights: 1, 2 and 3 go, and no negative is made up",
    row(10, 1, 9, 2, 8, 3, 7, 4, 6, 5, 0, 0, 0), bits("1111111111000"), row(*[0] * 10, 1, 2, 3) / 64, 0, 3,
    pin="G2", expected=bits("1010101111111"), source="semantics.md G2: 1, 2, 3 go",
)  # fmt: skip
SET.case(
    "only-negatives",
    "only negative weights: those nearest zero go, not the most negative",
    row(-4, -1, -3, -2, 0, 0), bits("111100"), row(0, 0, 0, 0, 1, 2) / 64, 2, 0,
    pin="G5, 0.1 finding 7", expected=bits("101011"), source="by hand: -1 and -2 go",
)  # fmt: skip
SET.case(
    "a-weight-of-one",
    "a weight of exactly 1.0 is removed as any other",
    row(1, 2, 3, 4, -1, -2, 0, 0), bits("11111100"), row(0, 0, 0, 0, 0, 0, 2, 1) / 64, 1, 1,
    pin="G3, 1.3", expected=bits("01110111"), source="by hand: 1.0 and -1.0 go",
)  # fmt: skip
SET.case(
    "active-zeros-go-first",
    "an active zero is the smallest positive weight and the first to go; it does not drop out of the count by itself",
    row(0, 2, 0, 1, -1, 0, 0), bits("1111100"), row(0, 0, 0, 0, 0, 1, 2) / 64, 0, 1,
    pin="G4", expected=bits("0111101"), source="by hand: of the zeros 0 and 2 the lower goes, 6 comes; 2 stays",
)  # fmt: skip
SET.case(
    "dropped-connection-returns",
    "a connection just dropped may be drawn again at once",
    row(-3, -1, 1, 3, 0, 0), bits("111100"), row(1, 60, 2, 3, 40, 20) / 64, 1, 1,
    pin="G6, R4, 1.3", expected=bits("110110"), source="by hand: 1 and 2 go, the noise 60 and 40 is at 1 and 4",
)  # fmt: skip
SET.case(
    "noise-of-kept-connections",
    "the largest noise is on kept connections: nothing is drawn twice, and the count is kept",
    row(-3, -1, 1, 3, 0, 0, 0), bits("1111000"), row(63, 1, 2, 62, 3, 5, 4) / 64, 1, 1,
    pin="G6, F5", expected=bits("1001011"), source="by hand: 0 and 3 are kept; of the others 5 and 4 are the largest",
)  # fmt: skip
SET.case(
    "ties",
    "equal weights drop and equal noise grows at the lower index",
    row(2, -2, 2, -2, 2, -2, 0, 0), bits("11111100"), row(1, 2, 2, 2, 2, 2, 2, 2) / 8, 1, 2,
    pin="G5, R3", expected=bits("01111110"),
    source="by hand: 1 and the positives 0 and 2 go, 3, 4, 5 are kept; of the noise 2 at 1, 2, 6, 7 the first three",
)  # fmt: skip
SET.case(
    "nothing-to-move",
    "counts of zero leave the mask as it is, active zeros included",
    row(0, -1, 2, 0), bits("1110"), row(1, 2, 3, 60) / 64, 0, 0,
    pin="R13", expected=bits("1110"), source="by hand: the mask as it was",
)  # fmt: skip
SET.case(
    "noise-below-zero",
    "noise may be normal as well as uniform: it is ranked with its sign, not by magnitude",
    row(5, 4, 0, 0, 0), bits("11000"), row(0, -1, -3, 1, -2), 0, 1,
    pin="G6", expected=bits("10010"), source="by hand: 4 goes; of -1, -3, 1, -2 the largest is 1",
)  # fmt: skip

SET.case(
    "largest-of-either-sign-stay",
    "what stays is the largest of either sign, 4 and 6, -3 and -7, not the most negative alone",
    row(4, -3, 2, -1, 0.5, -0.25, 6, -7, 0, 0, 0, 0), bits("111111110000"),
    row(1, 20, 8, 2, 7, 3, 4, 21, 9, 10, 11, 12) / 64, 2, 2,
    pin="G1, 0.1 finding 7", expected=bits("110000111111"),
    source="by hand: -1/4, -1, 1/2 and 2 go; the four absent places have the largest noise of what is not kept",
    # the two most negative stay; as many grow as were asked for, or as went
    profiles=either("010000011111 011010011111", "sparse-learning"),
)  # fmt: skip

# set_update_by_magnitude
SET_BY_MAGNITUDE.case(
    "smallest-of-any-sign",
    "the smallest magnitudes go, whatever their sign: here both are positive",
    row(-9, -8, 1, 2, 3, 0, 0, 0), bits("11111000"), row(0, 0, 0, 0, 0, 3, 2, 1) / 64, 2,
    pin="G9, 1.3", expected=bits("11001110"), source="by hand: 1 and 2 go; by sign -8 and 1 would",
    profiles=alike("11001110", "rigl-tf1", "jaxpruner", "rigl-reproducibility"),
)  # fmt: skip
SET_BY_MAGNITUDE.case(
    "negatives-are-not-kept-for-their-sign",
    "of 4, -3, 2, -1, 1/2, -1/4, 6, -7 the four largest magnitudes stay, not the most negative",
    row(4, -3, 2, -1, 0.5, -0.25, 6, -7, 0, 0, 0, 0), bits("111111110000"), row(*[0] * 8, 1, 2, 3, 4) / 64, 4,
    pin="0.1 finding 7, 1.3", expected=bits("110000111111"), source="by hand: 4, -3, 6, -7 stay",
    profiles={"sparse-learning": None},
)  # fmt: skip
SET_BY_MAGNITUDE.case(
    "dropped-connection-returns",
    "a connection just dropped may be drawn again at once",
    row(3, -1, 2, 0, 0), bits("11100"), row(1, 50, 2, 3, 4) / 64, 1,
    pin="R4, 1.3", expected=bits("11100"), source="by hand: -1 goes and has the largest noise",
)  # fmt: skip
SET_BY_MAGNITUDE.case(
    "active-weights-of-zero",
    "an active zero goes before any other active weight, and no absent position is kept in its place",
    row(0, 0, 3, 0, 0, 0), bits("001110"), row(5, 9, 0, 1, 0, 7) / 64, 1,
    pin="A3, R2, G4", expected=bits("011010"),
    source="by hand: of the active zeros 3 and 4 the lower goes, the noise 9 is at 1",
)  # fmt: skip
SET_BY_MAGNITUDE.case(
    "everything-moves",
    "all connections may go at once: no minimum stays",
    row(-5, 4, 0, 0), bits("1100"), row(3, 1, 2, 4) / 64, 2,
    pin="A8", expected=bits("1001"), source="by hand: none is kept, the noise 4 and 3 is at 3 and 0",
)  # fmt: skip
SET_BY_MAGNITUDE.case(
    "ties",
    "equal magnitudes drop and equal noise grows at the lower index",
    row(0, 0, 1, -1, 1, -1), bits("001111"), np.full(6, 0.5), 2,
    pin="R3, G5", expected=bits("110011"), source="by hand: 2 and 3 go; of 0, 1, 2, 3 the first two come",
)  # fmt: skip
SET_BY_MAGNITUDE.case(
    "noise-of-kept-connections",
    "the largest noise is on kept connections, of no use there: the count is kept",
    row(4, 3, 2, 1, 0, 0), bits("111100"), row(63, 62, 1, 2, 4, 3) / 64, 2,
    pin="G6, F5", expected=bits("110011"), source="by hand: 0 and 1 are kept; 4 and 3 are the largest of the rest",
)  # fmt: skip

# shares
SHARES.case(
    "one-to-sixteen",
    "each layer's share is its mean momentum over the sum of all means",
    {"a": row(*[1 / 16] * 4, *[0] * 6), "b": row(*[1] * 4, *[0] * 16)},
    {"a": bits("1" * 4 + "0" * 6), "b": bits("1" * 4 + "0" * 16)},
    pin="F1", expected={"a": 1 / 17, "b": 16 / 17}, source="semantics.md F1: .058823529, .941176471",
    profiles={"sparse-learning": {"a": 1 / 17, "b": 16 / 17}},
)  # fmt: skip
SHARES.case(
    "mean-not-sum",
    "a layer with twice the connections of the same momentum has the same share",
    {"a": row(2, 2, 0), "b": row(2, 2, 2, 2)}, {"a": bits("110"), "b": bits("1111")},
    pin="1.4, F1", expected={"a": 0.5, "b": 0.5}, source="by hand: both means are 2; the sums are 4 and 8",
)  # fmt: skip
SHARES.case(
    "magnitudes",
    "momentum of opposite signs does not cancel: the mean is that of magnitudes",
    {"a": row(3, -3), "b": row(1, 1)}, {"a": bits("11"), "b": bits("11")},
    pin="1.4", expected={"a": 0.75, "b": 0.25}, source="by hand: 3 and 1",
)  # fmt: skip
SHARES.case(
    "active-weights-only",
    "the mean is over active weights: momentum at absent positions is neither added up nor counted",
    {"a": row(1, 64, 64, 1), "b": row(3, 0, 0, 0)}, {"a": bits("1001"), "b": bits("1000")},
    pin="1.4 item 1, F1", expected={"a": 0.25, "b": 0.75}, source="by hand: means 1 and 3",
)  # fmt: skip
SHARES.case(
    "empty-layer",
    "a layer without connections has share 0, whatever its momentum",
    {"a": row(5, 5), "b": row(1, 2), "c": row(4, 5)}, {"a": bits("00"), "b": bits("11"), "c": bits("11")},
    pin="A11, design.md 4", expected={"a": 0.0, "b": 0.25, "c": 0.75}, source="by hand: means -, 3/2, 9/2",
    optional=True,
)  # fmt: skip
SHARES.case(
    "no-momentum",
    "where no layer has momentum all have the same share, and nothing is divided by zero",
    {"a": row(0, 0), "b": row(0, 0, 0), "c": row(0), "d": row(0)},
    {"a": bits("11"), "b": bits("100"), "c": bits("1"), "d": bits("1")},
    pin="A13, design.md 4", expected={"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}, source="by hand: a quarter each",
)  # fmt: skip
SHARES.case(
    "one-layer-at-rest",
    "a layer whose momentum is zero has share 0 next to one that moves",
    {"a": np.zeros((2, 2)), "b": np.array([[0.5, 0], [0, -0.25]])},
    {"a": bits("1111", 2, 2), "b": bits("1001", 2, 2)},
    pin="1.4", expected={"a": 0.0, "b": 1.0}, source="by hand: means 0 and 3/8",
)  # fmt: skip

# snfs_update
SNFS.case(
    "exact-total",
    "four are removed and four regrown, by largest remainder: quotas 4/17 and 64/17 give 0 and 4; "
    "rounding every quota up gives 1 and 4",
    {"a": row(4, 3, 2, 1, *[0] * 6), "b": row(4, 3, 2, 1, *[0] * 16)},
    {"a": bits("1111" + "0" * 6), "b": bits("1111" + "0" * 16)},
    {"a": row(4, 4, 4, 4, 6, 5, 0, 0, 0, 0) / 64, "b": row(64, 64, 64, 64, *[0] * 12, 9, 30, 20, 40) / 64},
    {"a": 2, "b": 2},
    pin="F2", expected={"a": bits("1100000000"), "b": bits("11110000000000000101")},
    source="semantics.md F2: removed 2 + 2, regrown 0 + 4 (official 1 + 4); by hand: 2, 3, 19 and 17 of b come",
    profiles={"sparse-learning": {"a": bits("1100100000"), "b": bits("11110000000000000101")}},
)  # fmt: skip
SNFS.case(
    "full-layer-passes-the-rest-on",
    "a layer is given more than it has places for: it becomes dense and the rest goes to the other",
    {"a": row(6, 5, 4, 3, 2, 1, 0, 0), "b": row(5, 4, 3, 2, 1, *[0] * 15)},
    {"a": bits("11111100"), "b": bits("11111" + "0" * 15)},
    {"a": np.full(8, 499 / 64), "b": row(*[1] * 5, *[0] * 14, 2) / 64},
    {"a": 2, "b": 3},
    pin="F3", expected={"a": bits("11111111"), "b": bits("1100000000" + "0000000001")},
    source="semantics.md F3: free 4 and 18, shares .998 and .002, 5 to place: 4 + 1",
)  # fmt: skip
SNFS.case(
    "no-momentum",
    "without momentum all layers grow the same, at the lowest places not kept and never on a connection that is there",
    {"a": row(3, 1, 2, 0, 0), "b": row(1, 3, 2, 0, 0)}, {"a": bits("11100"), "b": bits("11100")},
    {"a": np.zeros(5), "b": np.zeros(5)}, {"a": 1, "b": 1},
    pin="F5, A13", expected={"a": bits("11100"), "b": bits("11100")},
    source="by hand: 1 of a and 0 of b go and are the first free places",
)  # fmt: skip
SNFS.case(
    "nothing-to-move",
    "n_drop = 0 is a strict no-op: active zeros stay, and no momentum grows anything",
    {"a": row(0, 2, 0, 0), "b": row(0, 0, 1, 0)}, {"a": bits("1110"), "b": bits("0110")},
    {"a": row(1, 1, 1, 64), "b": row(64, 1, 1, 1)}, {"a": 0, "b": 0},
    pin="F6, R13", expected={"a": bits("1110"), "b": bits("0110")}, source="by hand: the masks as they were",
    profiles={"sparse-learning": None},
)  # fmt: skip
SNFS.case(
    "shares-before-dropping",
    "shares are taken over the connections there were, those about to go included",
    {"a": row(1, 4, 3, 0, 0, 0), "b": row(4, 3, 1, 0, 0, 0)}, {"a": bits("111000"), "b": bits("111000")},
    {"a": row(40, 1, 1, 3, 2, 4), "b": row(2, 2, 2, 3, 2, 4)}, {"a": 1, "b": 1},
    pin="1.4 item 1, design.md 4", expected={"a": bits("111001"), "b": bits("110000")},
    source="by hand: means 14 and 2, quotas 7/4 and 1/4, so a gets 2; after dropping they would be 1 and 2",
)  # fmt: skip
SNFS.case(
    "redistribution",
    "a layer that loses nothing may grow, and one that loses three may get none back: "
    "what grows follows the momentum, not what was lost",
    {"a": row(4, 3, 0, 0, 0), "b": row(5, 1, 4, 2, 3, 0)}, {"a": bits("11000"), "b": bits("111110")},
    {"a": row(60, 62, 2, 1, 3), "b": row(1, 1, 1, 1, 1, 9)}, {"a": 0, "b": 3},
    pin="1.4 item 8", expected={"a": bits("11111"), "b": bits("101000")},
    source="by hand: means 61 and 1, all 3 to a",
)  # fmt: skip
SNFS.case(
    "magnitude-of-momentum",
    "momentum is ranked by magnitude, weights as well: signs decide nothing",
    {"fc": row(-4, 1, -2, 0, 0, 0)}, {"fc": bits("111000")}, {"fc": row(1, 1, 1, 3, -8, 5)}, {"fc": 2},
    pin="A18, 1.4", expected={"fc": bits("100011")}, source="by hand: 1 and -2 go, -8 and 5 come",
)  # fmt: skip
SNFS.case(
    "ties",
    "equal weights drop and equal momentum grows at the lower index; of an odd total the earlier layer gets one more",
    {"z": row(1, 1, 1, 0, 0), "a": row(2, 2, 2, 0, 0)}, {"z": bits("11100"), "a": bits("11100")},
    {"z": np.full(5, 0.5), "a": np.full(5, 0.5)}, {"z": 1, "a": 2},
    pin="R3, F2", expected={"z": bits("11110"), "a": bits("10100")},
    source="by hand: z loses 0, a loses 0 and 1; quotas 3/2 each: z gets 2, at 0 and 3, a gets 1, at 0",
)  # fmt: skip
SNFS.case(
    "dropped-connection-returns",
    "a connection just dropped has the largest momentum and returns at once",
    {"a": np.array([[3.0, 0], [1, 2]]), "b": row(1, 2, 0)}, {"a": bits("1011", 2, 2), "b": bits("110")},
    {"a": np.array([[1.0, 2], [9, 0]]), "b": row(2, 3, 1)}, {"a": 1, "b": 1},
    pin="R4, 1.4 item 5", expected={"a": bits("1011", 2, 2), "b": bits("110")},
    source="by hand: means 10/3 and 5/2, one each; 9 and 2 stand where the 1s were",
)  # fmt: skip
SNFS.case(
    "empty-layer",
    "a layer without connections has no share and gets none",
    {"a": row(0, 0), "b": row(1, 2, 0)}, {"a": bits("00"), "b": bits("110")},
    {"a": row(9, 9), "b": row(1, 1, 3)}, {"a": 0, "b": 1},
    pin="A11", expected={"a": bits("00"), "b": bits("011")}, source="by hand: all of 1 to b", optional=True,
)  # fmt: skip
