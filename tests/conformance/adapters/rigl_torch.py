"""rigl-torch: one layer under a `RigLScheduler`. It asks torchvision for ResNet's blocks: a stand-in."""

import sys
from types import SimpleNamespace

import torch

resnet = SimpleNamespace(Bottleneck=type("Bottleneck", (), {}), BasicBlock=type("BasicBlock", (), {}))
sys.modules.setdefault("torchvision", SimpleNamespace(models=SimpleNamespace(resnet=resnet)))

from rigl_torch.RigL import RigLScheduler  # noqa: E402


def held(*weights):
    """A model of modules that hold these weights."""
    model = torch.nn.Sequential(*(torch.nn.Module() for _ in weights))
    for module, weight in zip(model, weights, strict=True):
        module.weight = torch.nn.Parameter(weight.clone())
    return model


def scheduled(weight, mask, dense_grad, alpha, t_end=100):
    model = held(weight)
    scheduler = RigLScheduler(
        model, torch.optim.SGD(model.parameters(), lr=0.1), 0.5, t_end, ignore_linear_layers=False, alpha=alpha
    )
    scheduler.backward_masks[0] = mask.clone()
    scheduler.backward_hook_objects[0].dense_grad = dense_grad.clone()
    model[0].weight.data = weight.clone()
    model[0].weight.grad = dense_grad.clone()
    scheduler.apply_mask_to_weights()
    return scheduler


def rigl_update(weight, mask, dense_grad, n_update):
    n_active = int(mask.sum())
    alpha = min((n_update + 0.5) / n_active, 1.0) if n_update else 0.0  # the cosine at step 0 is alpha
    scheduler = scheduled(weight, mask, dense_grad, alpha)
    scheduler._rigl_step()
    return scheduler.backward_masks[0]


def update(weight, mask, slots, dense_grad, n_update, method="rigl", scores=None):
    if method != "rigl" or slots.keys() - {"velocity"}:
        raise NotImplementedError("RigL with SGD")
    n_active = int(mask.sum())
    alpha = min((n_update + 0.5) / n_active, 1.0) if n_update else 0.0
    scheduler = scheduled(weight, mask, dense_grad, alpha)
    state = scheduler.optimizer.state[scheduler.W[0]]
    if slots:
        state["momentum_buffer"] = slots["velocity"].clone()
        scheduler.reset_momentum()  # as after every step of its optimizer
    scheduler._rigl_step()
    after = {"velocity": state["momentum_buffer"]} if slots else {}
    return {"weight": scheduler.W[0].data, "mask": scheduler.backward_masks[0], "slots": after}


def rigl_count(step, n_active, alpha, t_end):
    """How many of `n_active` weights are gone after call number `step`, if the absent ones are better."""
    weight = torch.cat([torch.arange(1.0, n_active + 1), torch.zeros(n_active + 1)]).double()
    mask = weight > 0
    scheduler = scheduled(weight, mask, (~mask).double(), alpha, t_end)
    scheduler.step, scheduler.delta_T = step - 1, 1
    scheduler()
    return int((mask & ~scheduler.backward_masks[0]).sum())


def cosine(step, alpha, t_end, begin=0):
    if begin or step > t_end:
        raise NotImplementedError("begins at 0; after T_end it is not called")
    scheduler = scheduled(torch.ones(2), torch.tensor([True, False]), torch.ones(2), alpha, t_end)
    scheduler.step = step
    return float(scheduler.cosine_annealing())


def counts(shapes, densities):
    scheduler = scheduled(torch.ones(2), torch.tensor([True, False]), torch.ones(2), 0.3)
    scheduler.W = [torch.ones(shape) for shape in shapes.values()]
    scheduler.N = [w.numel() for w in scheduler.W]
    scheduler.S = [1 - densities[name] for name in shapes]
    scheduler.random_sparsify()
    masks = zip(shapes, scheduler.backward_masks, scheduler.N, strict=True)
    return {name: n if mask is None else int(mask.sum()) for name, mask, n in masks}
