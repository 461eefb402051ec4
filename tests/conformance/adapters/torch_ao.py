"""torch.ao.pruning: `WeightNormSparsifier` with blocks of one weight, and the schedule `CubicSL`."""

import torch
from torch.ao.pruning import CubicSL, WeightNormSparsifier


def magnitude_mask(weight, n_keep, mask=None):
    matrix = weight.reshape(1, -1) if weight.ndim == 1 else weight
    model = torch.nn.Sequential(torch.nn.Linear(matrix.shape[1], matrix.shape[0], bias=False).to(weight.dtype))
    model[0].weight.data = matrix.clone()
    sparsifier = WeightNormSparsifier(1 - n_keep / weight.numel(), (1, 1), norm=1)
    sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
    held = model[0].parametrizations.weight[0]
    if mask is not None:
        held.mask.copy_(mask.reshape(matrix.shape))
    sparsifier.step()
    return held.mask.reshape(weight.shape).bool()


def cubic(step, begin, end, final, initial=0.0):
    return float(CubicSL.sparsity_compute_fn(initial, final, step, begin, 1, end - begin))
