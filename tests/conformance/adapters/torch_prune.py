"""torch.nn.utils.prune: `l1_unstructured` for one layer, `global_unstructured` with scores for a network."""

import torch
from torch.nn.utils import prune


def held(weight):
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(weight.clone())
    return module


def magnitude_mask(weight, n_keep, mask=None):
    before = torch.ones_like(weight) if mask is None else mask.to(weight)
    module = held(weight)
    prune.custom_from_mask(module, "weight", before)
    prune.l1_unstructured(module, "weight", int(before.sum()) - n_keep)
    return module.weight_mask.bool()


def snip_masks(weights, grads, n_keep):
    if not weights:
        raise NotImplementedError("a network without layers is refused")
    modules = {name: held(weight) for name, weight in weights.items()}
    prune.global_unstructured(
        [(module, "weight") for module in modules.values()],
        prune.L1Unstructured,
        importance_scores={(modules[name], "weight"): (w * grads[name]).abs() for name, w in weights.items()},
        amount=sum(w.numel() for w in weights.values()) - n_keep,
    )
    return {name: module.weight_mask.bool() for name, module in modules.items()}
