"""Golden cases of the one way to choose: exactly k by rank, ties to the lower flat index."""

import numpy as np

from tests.golden.case import Function, bits, row
from tests.helpers.slow_methods import slow_top_k

TOP_K = Function("top_k", "score k among", slow_top_k)
FUNCTIONS = [TOP_K]

TOP_K.case(
    "largest",
    "the three largest of eight distinct scores are marked, and nothing else",
    row(3, 8, 1, 6, 2, 7, 5, 4), 3,
    pin="R3", expected=bits("01010100"), source="by hand: 8, 7 and 6 stand at 1, 5 and 3",
)  # fmt: skip
TOP_K.case(
    "ties-at-the-boundary",
    "four scores tie for two places left: the two of lower index get them, so that exactly three are marked",
    row(1, 2, 2, 6, 2, 2), 3,
    pin="R3, E5", expected=bits("011100"),
    source="by hand: 6 at 3 is above; of the 2s at 1, 2, 4, 5 the first two",
)  # fmt: skip
TOP_K.case(
    "all-equal",
    "equal scores everywhere: the first k are marked",
    row(0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5), 4,
    pin="R3", expected=bits("11110000"), source="by hand: ties to the lower index",
)  # fmt: skip
TOP_K.case(
    "none",
    "k = 0 marks nothing, whatever the scores",
    row(5, -1, 0), 0,
    pin="R13", expected=bits("000"), source="by hand: nothing is asked for",
)  # fmt: skip
TOP_K.case(
    "every-one",
    "k = size marks everything, scores below zero and zeros too",
    row(-3, 0, 2, -1), 4,
    pin="R3", expected=bits("1111"), source="by hand: as many as there are",
)  # fmt: skip
TOP_K.case(
    "signed",
    "scores are ranked with their sign: -9 is the smallest, not the largest",
    row(-9, 1, -2, 0), 2,
    pin="A18", expected=bits("0101"), source="by hand: 1 > 0 > -2 > -9",
)  # fmt: skip
TOP_K.case(
    "zeros-of-either-sign-tie",
    "-0.0 equals 0.0: the tie goes to the lower index, not to the positive zero",
    row(-1, -0.0, 0.0, 0.0, -0.0), 2,
    pin="R3", expected=bits("01100"), source="by hand: four zeros at 1 to 4, the first two",
)  # fmt: skip
TOP_K.case(
    "among-negative",
    "candidates are all below zero: they are still marked before any entry that is no candidate "
    "(a score multiplied by the mask would let zeros win)",
    row(9, -4, -1, -3, 8, -2), 2, bits("011101"),
    pin="R2", expected=bits("001001"), source="by hand: of -4, -1, -3, -2 the largest are -1 and -2",
)  # fmt: skip
TOP_K.case(
    "among-ties",
    "ties among candidates go to the lower index of the array; equal scores that are no candidates do not count",
    row(1, 1, 1, 1, 1, 1), 2, bits("010110"),
    pin="R3", expected=bits("010100"), source="by hand: candidates 1, 3, 4",
)  # fmt: skip
TOP_K.case(
    "among-all",
    "k = number of candidates marks exactly the candidates",
    row(0, 7, 0, -7), 2, bits("1001"),
    pin="R2", expected=bits("1001"), source="by hand: as many as there are",
)  # fmt: skip
TOP_K.case(
    "c-order",
    "in two dimensions the lower flat index is that of C order, rows first",
    np.array([[1.0, 2, 2], [2, 0, 2]]), 2,
    pin="A16", expected=bits("011000", 2, 3),
    source="by hand: the 2s stand at 1, 2, 3, 5 in C order; column by column 3 would come first",
)  # fmt: skip
TOP_K.case(
    "four-axes",
    "a convolution kernel (kh, kw, c_in, c_out) is ranked as one list in C order",
    np.array([1.0, 4, 4, 0, 4, 2, 4, 3]).reshape(2, 1, 2, 2), 3,
    pin="A16", expected=bits("01101000", 2, 1, 2, 2), source="by hand: the 4s stand at 1, 2, 4, 6",
)  # fmt: skip
TOP_K.case(
    "minus-infinity",
    "a candidate of score -inf is still marked before any entry that is no candidate",
    row(1, 0, -np.inf, 2), 2, bits("1010"),
    pin="A14", expected=bits("1010"), source="by hand: there are only two candidates", optional=True,
)  # fmt: skip
TOP_K.case(
    "one-bit-apart",
    "scores are ranked in the precision they come in: 1 + 2^-40 is above 1, which float32 does not see",
    row(1, 1, 1 + 2.0**-40, 1), 2,
    pin="J6", expected=bits("1010"), source="by hand: the largest at 2, then the first of the 1s", optional=True,
)  # fmt: skip
TOP_K.case(
    "no-candidates",
    "an empty choice among no candidates marks nothing",
    row(3, 2, 1), 0, bits("000"),
    pin="A11", expected=bits("000"), source="by hand: nobody stands", optional=True,
)  # fmt: skip
