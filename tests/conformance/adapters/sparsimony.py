"""sparsimony: `RigL.update_mask` and `SET.update_mask` of one layer, its distributions and its cosine."""

from unittest import mock

import torch
from sparsimony.distributions.base import ERKDistribution, UniformDistribution
from sparsimony.dst.rigl import RigL
from sparsimony.dst.set import SET
from sparsimony.parametrization.fake_sparsity import FakeSparsity
from sparsimony.schedulers.base import CosineDecayScheduler
from torch.nn.utils import parametrize


def updated(method, weight, mask, n_update, **more):
    """A module with the layer after one update."""
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(weight.clone())
    parametrize.register_parametrization(module, "weight", FakeSparsity(mask.to(weight)))
    n_active, size = int(mask.sum()), mask.numel()
    ratio = (n_update + 0.5) / n_active if n_update else 0.0
    sparsity = 1 - n_active / size
    if int(size * (1 - sparsity)) != n_active:
        sparsity = 1 - (n_active + 0.5) / size
    sparsifier = method(None, None, torch.optim.SGD(module.parameters(), lr=0.1))
    with torch.no_grad():
        sparsifier.update_mask(module, "weight", sparsity, min(ratio, 1.0), **more)
    return module


def mask_of(module):
    return module.parametrizations.weight[0].mask.bool()


def rigl_update(weight, mask, dense_grad, n_update):
    return mask_of(updated(RigL, weight, mask, n_update, dense_grads=dense_grad))


def update(weight, mask, slots, dense_grad, n_update, method="rigl", scores=None):
    if method != "rigl" or slots:
        raise NotImplementedError("RigL, without the optimizer")
    module = updated(RigL, weight, mask, n_update, dense_grads=dense_grad)
    return {"weight": module.weight.detach(), "mask": mask_of(module), "slots": {}}  # the weight as the layer uses it


def set_update_by_magnitude(weight, mask, noise, n_update):
    with mock.patch("torch.rand_like", lambda like, **_: noise.reshape(like.shape)):
        return mask_of(updated(SET, weight, mask, n_update))


def cosine(step, alpha, t_end, begin=0):
    if begin:
        raise NotImplementedError("begins at 0")
    return float(CosineDecayScheduler(alpha, t_end, 1)(step) or 0.0)  # None after the end: no update


def spread(distribution, shapes, density):
    if not shapes:
        raise NotImplementedError("a network without layers is refused")
    groups = []
    for name, shape in shapes.items():
        module = torch.nn.Module()
        module.weight = torch.nn.Parameter(torch.empty(*shape))
        parametrize.register_parametrization(module, "weight", FakeSparsity(torch.ones(*shape)))
        groups.append({"module": module, "tensor_name": "weight", "module_fqn": name})
    distribution(1 - density, groups)
    return {group["module_fqn"]: float(1 - group["sparsity"]) for group in groups}


def erdos_renyi_kernel(shapes, density, dense=()):
    return spread(ERKDistribution(excluded_mod_name_regexs=[f"{name}$" for name in dense]), shapes, density)


def uniform(shapes, density, dense=()):
    return spread(UniformDistribution(excluded_mod_name_regexs=[f"{name}$" for name in dense]), shapes, density)
