"""fastsparse: `DynamicSparseTrainingCallback.rewire_module` under its presets, and its distributions."""

from collections import defaultdict
from types import SimpleNamespace
from unittest import mock

import torch
from fastsparse import core


def rewired(weight, mask, grad, n_update, presets):
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(torch.where(mask, weight, 0.0))
    module.weight.grad = grad.clone()
    n_active = int(mask.sum())
    module.register_buffer("weight_mask", mask.clone())
    module.register_buffer("weight_sparsity", 1 - torch.tensor((n_active + 0.25) / mask.numel(), dtype=torch.float64))
    callback = core.DynamicSparseTrainingCallback(**presets)
    callback.learn = SimpleNamespace(opt=SimpleNamespace(state=defaultdict(dict)))
    callback.drop_grow_pct = (n_update + 0.5) / max(n_active, 1) if n_update else 0.0
    callback.rewire_module(module)
    return module.weight_mask


def rigl_update(weight, mask, dense_grad, n_update):
    return rewired(weight, mask, dense_grad, n_update, core.RigL_presets)


def set_update_by_magnitude(weight, mask, noise, n_update):
    with mock.patch("torch.rand_like", lambda like, **_: noise.reshape(like.shape)):
        return rewired(weight, mask, torch.zeros_like(weight), n_update, core.SET_presets)


def top_k(score, k, among=None):
    if among is not None:
        raise NotImplementedError("ranks all entries")
    return core.top_k_mask(score, k)


def spread(shapes, density, dense, sparsities):
    if dense:
        raise NotImplementedError("no layer is kept dense by name")
    if not shapes:
        raise NotImplementedError("a network without layers is refused")
    params = [torch.empty(*shape[-1:], *shape[-2:-1], *shape[:-2]) for shape in shapes.values()]  # PyTorch's order
    return {name: float(1 - s) for name, s in zip(shapes, sparsities(params, 1 - density), strict=True)}


def uniform(shapes, density, dense=()):
    return spread(shapes, density, dense, core.uniform_sparsity)


def erdos_renyi(shapes, density, dense=()):
    return spread(shapes, density, dense, lambda params, s: core.erdos_renyi_sparsity(params, s, include_kernel=False))


def erdos_renyi_kernel(shapes, density, dense=()):
    return spread(shapes, density, dense, core.erdos_renyi_sparsity)
