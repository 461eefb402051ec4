"""Figures: one function each, named as its file. A function draws what it is given and computes nothing.

It writes a PNG to `path`, an SVG beside it, and returns the path.
"""

from .deep_compression import compressed_sizes, shared_initializations
from .han import han_bands, han_energy, han_layers, han_rounds, han_sensitivity, han_trade_off, han_weights
from .louizos import hard_concrete, l0_training
from .rigl import (
    rigl_animation,
    rigl_equal_budget,
    rigl_escape,
    rigl_extended,
    rigl_photographs,
    rigl_sweeps,
    rigl_table_2,
)
from .set import connections_per_pixel, error_by_epoch
from .snfs import error_against_density
from .snip import snip_batch, snip_classes, snip_errors, snip_random_labels
from .sparse import sparse_width
from .style import METHOD_STYLE, PAPER, POINTS, STYLE, save
from .training import accuracy_against_cost, connections_find_the_digits, loss_and_accuracy
