"""Golden cases of one update of one layer with all it touches: values, mask and the optimizer's slots.

A mask alone does not say whether what is grown starts at zero, or whose momentum it has.
"""

import numpy as np

from tests.golden.case import Function, bits, row, told
from tests.golden.moving import GRAD, MASK, WEIGHT
from tests.helpers.slow_methods import (
    slow_kept,
    slow_magnitude_mask,
    slow_rigl_update,
    slow_set_update_by_magnitude,
)


def slow_update(weight, mask, slots, dense_grad, n_update, method="rigl", scores=None):
    if method == "magnitude":
        new = slow_magnitude_mask(weight, int(mask.sum()) - n_update, mask)
    elif method == "set":
        new = slow_set_update_by_magnitude(weight, mask, scores, n_update)
    else:
        new = slow_rigl_update(weight, mask, dense_grad if scores is None else scores, n_update)

    def carried(stored):
        there = zip(stored.ravel().tolist(), mask.ravel().tolist(), new.ravel().tolist(), strict=True)
        return np.array([x if before and after else 0.0 for x, before, after in there]).reshape(mask.shape)

    return {"weight": carried(weight), "mask": new, "slots": {name: carried(slot) for name, slot in slots.items()}}


UPDATE = Function(
    "update", "weight mask slots dense_grad n_update method scores", slow_update,
    stages=lambda w, mask, slots, g, k, *how: {"kept": slow_kept(w, mask, k)},
)  # fmt: skip
FUNCTIONS = [UPDATE]


def after(weight, mask, **slots):
    mask = bits(mask).reshape(np.shape(weight))
    return {"weight": np.array(weight, dtype=float), "mask": mask,
            "slots": {name: np.array(slot, dtype=float) for name, slot in slots.items()}}  # fmt: skip


VELOCITY = row(1, 2, 3, 4, 0, 0, 0, 0)

# RigL
UPDATE.case(
    "basic",
    "what goes leaves no value and no momentum, what comes starts at zero in both, and what stays keeps both",
    WEIGHT, MASK, {"velocity": VELOCITY}, GRAD, 2,
    pin="A1, R6, R7", expected=after([4, 3, 0, 0, 0, 0, 0, 0], "11000110", velocity=[1, 2, 0, 0, 0, 0, 0, 0]),
    source="by hand: 2 and 3 go, 5 and 6 come",
    profiles={**told(after([4, 3, 0, 0, 0, 0, 0, 0], "11000110", velocity=VELOCITY), "rigl-tf1", "jaxpruner"),
              **told(after([4, 3, 0, 0, 0, 0, 0, 0], "11000110", velocity=[1, 2, 0, 0, 0, 0, 0, 0]), "rigl-torch",
                     "rigl-reproducibility"),
              "sparselab": after([4, 3, 0, 0, 0, 0, 0, 0], "11000110", velocity=[1, 2, 0, 0, 0, 3, 4, 0])},
)  # fmt: skip
UPDATE.case(
    "stale-value",
    "a value left behind at an absent position does not come to life when the position is grown: it starts at zero",
    row(4, 3, 2, 1, 7, 9, 0.5, 8), MASK, {}, GRAD, 2,
    pin="A4, R6", expected=after([4, 3, 0, 0, 0, 0, 0, 0], "11000110"),
    source="by hand: 5 and 6 are grown, where 9 and 1/2 are stored",
    profiles=told(after([4, 3, 0, 0, 0, 9, 0.5, 0], "11000110"), "sparsimony", "jaxpruner"),
)  # fmt: skip
UPDATE.case(
    "stale-momentum",
    "momentum of dense gradients at an absent position does not pass to the connection that is grown there",
    WEIGHT, MASK, {"velocity": row(1, 2, 3, 4, 50, 60, 70, 80)}, GRAD, 1,
    pin="R6, A4", expected=after([4, 3, 2, 0, 0, 0, 0, 0], "11100100", velocity=[1, 2, 3, 0, 0, 0, 0, 0]),
    source="by hand: 3 goes, 5 comes, where the velocity 60 is stored",
)  # fmt: skip
UPDATE.case(
    "momentum-follows-its-connection",
    "momentum belongs to a connection, not to its number among the connections of a row: column 3 keeps its 4, and "
    "column 5 starts at 0",
    row(0, 1, 0, 6, 0, 0), bits("010100"), {"velocity": row(0, 2, 0, 4, 0, 0)}, row(1, 2, 3, 4, 5, 6) / 8, 1,
    pin="R5, R6", expected=after([0, 0, 0, 6, 0, 0], "000101", velocity=[0, 0, 0, 4, 0, 0]),
    source="by hand: column 1 goes, column 5 comes",
    profiles={"sparselab": after([0, 0, 0, 6, 0, 0], "000101", velocity=[0, 0, 0, 2, 0, 4])},
)  # fmt: skip
UPDATE.case(
    "dropped-connection-returns",
    "a connection that is dropped and grown in one update has never been away: it keeps its value and its momentum",
    WEIGHT, MASK, {"velocity": VELOCITY}, row(6, 7, 5, 576, 32, 58, 45, 13) / 64, 2,
    pin="A2, R5", expected=after([4, 3, 0, 1, 0, 0, 0, 0], "11010100", velocity=[1, 2, 0, 4, 0, 0, 0, 0]),
    source="by hand: 2 and 3 go, 3 returns, 5 comes",
    profiles={"rigl-reproducibility": after([4, 3, 0, 0, 0, 0, 0, 0], "11010100", velocity=[1, 2, 0, 4, 0, 0, 0, 0]),
              "rigl-torch": after([4, 3, 0, 1, 0, 0, 0, 0], "11010100", velocity=[1, 2, 0, 4, 0, 0, 0, 0]),
              **told(after([4, 3, 0, 1, 0, 0, 0, 0], "11010100", velocity=VELOCITY), "rigl-tf1", "jaxpruner")},
)  # fmt: skip
UPDATE.case(
    "nothing-to-move",
    "n_update = 0 is a strict no-op: an active weight that is zero stays active and keeps its momentum",
    row(4, 0, 2, 0, 0, 0, 0, 0), MASK, {"velocity": VELOCITY}, GRAD, 0,
    pin="A7, R13", expected=after([4, 0, 2, 0, 0, 0, 0, 0], "11110000", velocity=VELOCITY),
    source="by hand: all as it was", profiles={"rigl-tf1": None},
)  # fmt: skip
UPDATE.case(
    "adam",
    "both of Adam's moments are zero where connections go and come, whatever was stored there, and stay elsewhere",
    WEIGHT, MASK, {"m": row(1, 2, 3, 4, 5, 6, 7, 8), "v": row(8, 7, 6, 5, 4, 3, 2, 1)}, GRAD, 2,
    pin="A17, R6, R7",
    expected=after([4, 3, 0, 0, 0, 0, 0, 0], "11000110", m=[1, 2, 0, 0, 0, 0, 0, 0], v=[8, 7, 0, 0, 0, 0, 0, 0]),
    source="by hand: 2 and 3 go, 5 and 6 come",
    profiles={"rigl-torch": after([4, 3, 0, 0, 0, 0, 0, 0], "11000110", m=[1, 2, 3, 4, 5, 6, 7, 8],
                                  v=[8, 7, 6, 5, 4, 3, 2, 1])},
)  # fmt: skip
UPDATE.case(
    "everything-moves",
    "all connections go: what returns keeps its value and momentum, and no minimum stays besides",
    row(4, 3, 2, 1, 0, 0), bits("111100"), {"velocity": row(1, 2, 3, 4, 0, 0)}, row(1, 9, 8, 2, 3, 4), 4,
    pin="A8, R5", expected=after([0, 3, 2, 0, 0, 0], "011011", velocity=[0, 2, 3, 0, 0, 0]),
    source="by hand: of 1, 9, 8, 2, 3, 4 the four largest are at 1, 2, 5 and 4",
)  # fmt: skip
UPDATE.case(
    "equal-weights",
    "of equal weights the lower index goes, with its own momentum, and of equal gradients the lower index comes",
    row(2, 2, 2, 0, 0, 0), bits("111000"), {"velocity": row(1, 2, 3, 0, 0, 0)}, row(0, 0, 0, 1, 1, 1), 1,
    pin="A6, R3", expected=after([0, 2, 2, 0, 0, 0], "011100", velocity=[0, 2, 3, 0, 0, 0]),
    source="by hand: 0 goes, 3 comes",
)  # fmt: skip
UPDATE.case(
    "two-axes",
    "values and momentum stay at their places in two dimensions too",
    np.array([[4.0, 0, 1], [0, 3, 0]]), bits("101010", 2, 3), {"velocity": np.array([[1.0, 0, 2], [0, 3, 0]])},
    np.array([[1.0, 2, 3], [9, 5, 6]]), 1,
    pin="A16", expected=after([[4, 0, 0], [0, 3, 0]], "100110", velocity=[[1, 0, 0], [0, 3, 0]]),
    source="by hand: (0, 2) goes, (1, 0) comes",
)  # fmt: skip
UPDATE.case(
    "empty-layer",
    "a layer without connections stays without, and nothing that is stored in it counts",
    row(5, 0, -1), bits("000"), {"velocity": row(1, 2, 3)}, row(1, 2, 3), 0,
    pin="A11", expected=after([0, 0, 0], "000", velocity=[0, 0, 0]), source="by hand: nothing is there", optional=True,
)  # fmt: skip

# SET, SNFS and pruning
UPDATE.case(
    "set",
    "SET grows where the noise is largest, with its sign, and not by gradient; what is new starts at zero",
    row(-4, 3, -2, 1, 0, 9, 0, 0), MASK, {"velocity": row(1, 2, 3, 4, 0, 6, 0, 0)}, GRAD, 2, "set",
    row(7, 6, -9, -8, 1, -1, -3, 2) / 8,
    pin="G6, G7, R6", expected=after([-4, 3, 0, 0, 0, 0, 0, 0], "11001001", velocity=[1, 2, 0, 0, 0, 0, 0, 0]),
    source="by hand: -2 and 1 go; of -9, -8, 1, -1, -3, 2 the largest are 1 and 2, at 4 and 7",
)  # fmt: skip
UPDATE.case(
    "snfs",
    "SNFS grows where its smoothed gradient is largest in magnitude: neither this batch's gradient nor the velocity of "
    "the optimizer is ranked",
    row(5, -1, 2, 4, 0, 0, 0), bits("1111000"), {"velocity": row(1, 2, 3, 4, 9, 0, 0)}, row(0, 0, 0, 0, 1, 9, 2), 1,
    "snfs", row(9, 1, 2, 3, 2, 3, -4),
    pin="1.4, A18, R6", expected=after([5, 0, 2, 4, 0, 0, 0], "1011001", velocity=[1, 0, 3, 4, 0, 0, 0]),
    source="by hand: -1 goes, -4 at 6 is the largest of 1, 2, 3 and -4",
)  # fmt: skip
UPDATE.case(
    "magnitude",
    "pruning grows nothing: the smallest of either sign go with their momentum, however large the gradients are",
    row(-5, 1, 4, -2, 9), bits("11110"), {"m": row(1, 2, 3, 4, 5), "v": row(5, 4, 3, 2, 1)}, row(1, 9, 1, 9, 9), 2,
    "magnitude",
    pin="1.7, R7", expected=after([-5, 0, 4, 0, 0], "10100", m=[1, 0, 3, 0, 0], v=[5, 0, 3, 0, 0]),
    source="by hand: of 5, 1, 4 and 2 the 1 and the 2 go",
)  # fmt: skip
