"""lottery-ticket-pruner: the strategy "smallest_weights" of one layer. Its own loop finds no layers of Keras 3."""

import numpy as np
from lottery_ticket_pruner.lottery_ticket_pruner import _prune_func_smallest_weights


def magnitude_mask(weight, n_keep, mask=None):
    np.random.seed(0)  # noqa: NPY002 - it draws among equals from this one
    before = np.ones(weight.shape) if mask is None else mask.astype(float)
    n_prune = int(before.sum()) - n_keep
    return _prune_func_smallest_weights(None, None, weight, before, (n_prune + 0.5) / weight.size)
