"""Each method with its schedule, as its paper ran it."""

from .before import grasp, mnist_densities, small_dense, snip, static, synflow
from .during import gradual, rigl, set, snfs
from .family import ac_dc, deep_r, deep_r_loss, dsr, granet, restarted, srigl
from .rounds import Progress, Stage, lottery, three_step, winning_ticket
from .sharing import CENTROIDS, Code, share, shared_loss, shared_weights
from .structured import in_blocks_of, in_groups_of, in_units
from .watch import DENSE_BY_DEFINITION, along_gradient, forget, latest, noise, random_values, ranked_by, smoothed
from .within import (
    averaged,
    clamped,
    l0_loss,
    straight_through_loss,
    straight_through_masks,
    top_kast_loss,
    top_kast_optimizer,
    top_kast_weights,
)
