"""What one training step of LeNet-300-100 costs: PyTorch, minisparse, and minisparse with masks that move.

    python -m benchmarks.steps [--rounds N] [--seconds S] [--only NAME ...] [--json PATH] [--verify]

Everybody starts from the same weights and sees the same batches: 784-300-100-10, batches of 128, float32, SGD with
momentum 0.9. Preparing data is not timed.
"""

from collections.abc import Callable
from functools import partial
from itertools import cycle, pairwise
from typing import Any

import numpy as np

from .harness import Contender, Workload, main

WIDTHS = (784, 300, 100, 10)
BATCH, N_BATCHES = 128, 32
RATE, MOMENTUM = 0.01, 0.9
ALPHA, PERIOD, NEVER = 0.3, 100, 10**9  # T_end is never reached: every period has its update

MINISPARSE = ("minisparse.nn", "minisparse.ops", "minisparse.optim", "minisparse.recipes", "minisparse.train")


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    """Images like MNIST's in what costs time: four pixels in five are zero, and a frame of two pixels always is.

    The frame's weights never get a gradient, so that RigL meets the thousands of equal scores that it meets in MNIST.
    """
    rng = np.random.default_rng(0)
    made = []
    for _ in range(N_BATCHES):
        images = np.zeros((BATCH, 28, 28), np.float32)
        inside = rng.random((BATCH, 24, 24), np.float32)
        images[:, 2:26, 2:26] = inside * (rng.random(inside.shape, np.float32) < 0.25)
        made.append((images.reshape(BATCH, 784), rng.integers(0, 10, BATCH)))
    return made


def weights() -> dict[str, np.ndarray]:
    """He's normal weights (n_in, n_out), and biases of zero."""
    rng = np.random.default_rng(1)
    made = {}
    for i, (n_in, n_out) in enumerate(pairwise(WIDTHS), 1):
        made[f"fc{i}.weight"] = rng.standard_normal((n_in, n_out), np.float32) * np.float32((2 / n_in) ** 0.5)
        made[f"fc{i}.bias"] = np.zeros(n_out, np.float32)
    return made


def torch_parts(compiled: bool = False, device: str = "cpu") -> tuple[Any, Callable[[], float]]:
    """(the model, its training step), written as PyTorch's own tutorials write it."""
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    layers = [layer for sizes in pairwise(WIDTHS) for layer in (nn.Linear(*sizes), nn.ReLU())]
    model = nn.Sequential(*layers[:-1]).to(device)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), weights().values(), strict=True):
            parameter.copy_(torch.from_numpy(value.T))
    forward = torch.compile(model) if compiled else model
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    data = cycle([tuple(torch.from_numpy(array).to(device) for array in batch) for batch in batches()])

    def step() -> float:
        images, labels = next(data)
        optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return model, step


def torch_step(compiled: bool = False, device: str = "cpu") -> Callable[[], float]:
    return torch_parts(compiled, device)[1]


def minisparse_step(sparsity: float = 0, moving: bool = False, device: str = "cpu") -> Callable[[], Any]:
    """One turn of the public loop, with all that a `Step` holds."""
    from minisparse import nn, ops, recipes
    from minisparse.backend import to_device
    from minisparse.masks import random_masks
    from minisparse.optim import sgd
    from minisparse.train import train

    model, params, rng = nn.mlp(*WIDTHS), weights(), np.random.default_rng(2)
    densities = recipes.mnist_densities(sparsity) if sparsity else {}
    masks = random_masks({name: params[name].shape for name in densities}, densities, rng)
    run = train(
        lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0]), batch[1]),
        to_device(params, device),
        to_device(masks, device),
        cycle(to_device(batches(), device)),
        recipes.rigl(ALPHA, PERIOD, NEVER) if moving else recipes.static(),
        rng,
        sgd(RATE, MOMENTUM),
    )
    return partial(next, run)


def fc1_update(sparsity: float) -> Callable[[], np.ndarray]:
    """One update of fc1's mask by RigL, at weights and gradients of a network that has trained for a period."""
    from minisparse.methods.rigl import rigl_count, rigl_update

    step = minisparse_step(sparsity)
    for _ in range(PERIOD):
        last = step()
    weight, mask, grad = (arrays["fc1.weight"] for arrays in (last.params, last.masks, last.grads))
    return partial(rigl_update, weight, mask, grad, rigl_count(PERIOD, int(mask.sum()), ALPHA, NEVER))


def minisparse_contender(name: str, sparsity: float = 0, moving: bool = False, device: str = "cpu") -> Contender:
    setup = partial(minisparse_step, sparsity, moving, device)
    return Contender(name, setup, MINISPARSE, period=PERIOD if moving else 1, dense="minisparse dense")


WORKLOADS = (
    Workload(
        "W1, one step of LeNet-300-100, batch 128",
        (
            Contender("PyTorch eager", torch_step, ("torch",)),
            Contender("PyTorch compile", partial(torch_step, compiled=True), ("torch",), on_demand=True),
            minisparse_contender("minisparse dense"),
            minisparse_contender("minisparse RigL 98 %", 0.98, moving=True),
            minisparse_contender("minisparse RigL 90 %", 0.9, moving=True),
            minisparse_contender("minisparse masked static 98 %", 0.98),
        ),
        reference="PyTorch eager",
    ),
    Workload(
        "One rigl_update of fc1, 784 × 300",
        (
            Contender("rigl_update 98 %", partial(fc1_update, 0.98), MINISPARSE),
            Contender("rigl_update 90 %", partial(fc1_update, 0.9), MINISPARSE),
        ),
    ),
)


def verify(steps: int = 20, device: str = "cpu") -> str:
    """A sentence on how far PyTorch's parameters and ours are apart after `steps` steps from the same weights."""
    from minisparse.backend import to_numpy

    try:
        model, torch_next = torch_parts(device=device)
    except ImportError:
        return "torch is not installed: there is nothing to compare with."
    minisparse_next = minisparse_step(device=device)
    for _ in range(steps):
        torch_next()
        ours = to_numpy(minisparse_next().params)
    theirs = {name: p.detach().cpu().numpy().T for name, p in zip(ours, model.parameters(), strict=True)}
    apart = max(float(abs(ours[name] - theirs[name]).max()) for name in ours)
    moved = max(float(abs(ours[name] - start).max()) for name, start in weights().items())
    return (
        f"Dense, {steps} steps from the same weights: parameters moved by up to {moved:.1e}; "
        f"the largest difference between ours and PyTorch's is {apart:.1e}."
    )


if __name__ == "__main__":
    main("benchmarks.steps", __doc__, WORKLOADS, verify)
