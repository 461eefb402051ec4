"""fasterai: `Sparsifier` by weight in one layer, by the criterion `large_final`, and the schedule `agp`."""

import torch
from fasterai.core.criteria import large_final
from fasterai.core.schedule import Schedule, sched_agp
from fasterai.sparse.sparsifier import Sparsifier


def magnitude_mask(weight, n_keep, mask=None):
    matrix = lambda x: x.reshape(1, -1) if x.ndim == 1 else x
    layer = torch.nn.Linear(matrix(weight).shape[1], len(matrix(weight)), bias=False).to(weight.dtype)
    layer.weight.data = matrix(weight).clone()
    if mask is not None:
        layer.register_buffer("_mask", matrix(mask).to(weight))
    sparsifier = Sparsifier(torch.nn.Sequential(layer), "weight", "local", large_final, layer_type=torch.nn.Linear)
    sparsifier.sparsify_layer(layer, min(1 - (n_keep - 0.5) / weight.numel(), 1.0))
    return layer._mask.reshape(weight.shape).bool()


def cubic(step, begin, end, final, initial=0.0):
    whole = 2 * end
    schedule = Schedule(sched_agp, begin / whole, end / whole, initial, final)
    return float(schedule.progress(step / whole))
