"""What one training step costs: PyTorch, minisparse, and minisparse with masks that move.

    python -m benchmarks.steps [--workload W1 ...] [--only NAME ...] [--rounds N] [--seconds S] [--json PATH] [--verify]

W1 is LeNet-300-100, W2 LeNet-5-Caffe, W3 WRN-10-1. Everybody starts from the same weights and sees the same batches of
128, in float32, and trains by SGD with momentum 0.9. Preparing data is not timed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import cycle
from typing import Any

import numpy as np

from minisparse import models, nn, ops, recipes
from minisparse.allocate import density_of, erdos_renyi_kernel
from minisparse.backend import to_device, to_numpy
from minisparse.masks import random_masks
from minisparse.methods.rigl import rigl_count, rigl_update
from minisparse.optim import is_weight, sgd
from minisparse.train import train

from . import by_hand
from .harness import Contender, Workload, main

BATCH = 128
RATE, MOMENTUM = 0.01, 0.9
ALPHA, PERIOD, NEVER = 0.3, 100, 10**9  # T_end is never reached: every period has its update

OURS = ("minisparse", *(["numba"] if find_spec("numba") else []))  # what our steps import, some at their first use
WITHOUT_NUMBA = {"NUMBA_DISABLE_JIT": "1"}

Arrays = dict[str, np.ndarray]


def digits(rng: np.random.Generator, n: int) -> np.ndarray:
    """Images like MNIST's in what costs time: four pixels in five are zero, and a frame of two pixels always is.

    The frame's weights never get a gradient, so that RigL meets the thousands of equal scores that it meets in MNIST.
    """
    images = np.zeros((n, 28, 28, 1), np.float32)
    inside = rng.random((n, 24, 24, 1), np.float32)
    images[:, 2:26, 2:26] = inside * (rng.random(inside.shape, np.float32) < 0.25)
    return images


def photographs(rng: np.random.Generator, n: int) -> np.ndarray:
    """Images like CIFAR's, normalised."""
    return rng.standard_normal((n, 32, 32, 3), np.float32)


def erk(model: nn.Chain, sparsity: float) -> dict[str, float]:
    weights = {name: shape for name, shape in model.shapes().items() if is_weight(name)}
    return erdos_renyi_kernel(weights, density_of(sparsity))


@dataclass(frozen=True)
class Task:
    """A network and what it is trained on.

    model         ours
    peer          PyTorch's: the name of a function in benchmarks.peers, which is imported only where PyTorch is
    images        (rng, n) -> n images
    shape         of one of them as the model takes it
    n_batches     that take turns: 13 MB of data for every network
    densities     sparsity -> {name: density}
    verified      how many steps `verify` compares
    by_hand       the same step in hand-written NumPy: the name of a function in benchmarks.by_hand
    """

    model: nn.Chain
    peer: str
    images: Callable[[np.random.Generator, int], np.ndarray]
    shape: tuple[int, ...]
    n_batches: int
    densities: Callable[[float], dict[str, float]]
    verified: int
    by_hand: str | None = None
    weight_decay: float = 0.0


LENET_300_100, LENET_5, WRN_10_1 = models.lenet_300_100(), models.lenet_5(), models.wide_resnet(10, 1)
W1 = Task(LENET_300_100, "lenet_300_100", digits, (784,), 32, recipes.mnist_densities, verified=20,
          by_hand="lenet_300_100")  # fmt: skip
W2 = Task(LENET_5, "lenet_5", digits, (28, 28, 1), 32, partial(erk, LENET_5), verified=5,
          by_hand="lenet_5")  # fmt: skip
W3 = Task(WRN_10_1, "wide_resnet_10_1", photographs, (32, 32, 3), 8, partial(erk, WRN_10_1), verified=3,
          by_hand="wide_resnet_10_1", weight_decay=5e-4)  # fmt: skip


def batches(task: Task, size: int = BATCH, dtype: Any = np.float32) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    for _ in range(task.n_batches):
        images = task.images(rng, size).reshape(size, *task.shape)
        yield images.astype(dtype, copy=False), rng.integers(0, 10, size)


def weights(task: Task, dtype: Any = np.float32) -> Arrays:
    return task.model.init(np.random.default_rng(1), dtype)


def torch_parts(
    task: Task,
    channels_last: bool = False,
    compiled: bool = False,
    device: str = "cpu",
    size: int = BATCH,
    dtype: Any = np.float32,
) -> tuple[Any, Callable[[], float]]:
    """(PyTorch's model, its training step)."""
    import torch

    from . import peers

    layout = torch.channels_last if channels_last else torch.contiguous_format
    model, params = getattr(peers, task.peer)(), weights(task, dtype)
    model.to(device, getattr(torch, np.dtype(dtype).name), memory_format=layout)
    peers.load(model, peers.as_torch(task.model, params, task.shape))
    data = [peers.as_batch(*batch, device, layout) for batch in batches(task, size, dtype)]
    return model, peers.training(model, data, RATE, MOMENTUM, task.weight_decay, compiled)


def torch_step(*args: Any, **options: Any) -> Callable[[], float]:
    return torch_parts(*args, **options)[1]


def by_hand_step(task: Task) -> Callable[[], float]:
    """One step in NumPy without minisparse."""
    return getattr(by_hand, task.by_hand or "")(weights(task), batches(task), RATE, MOMENTUM, task.weight_decay)[0]


def minisparse_step(
    task: Task,
    sparsity: float = 0,
    moving: bool = False,
    device: str = "cpu",
    size: int = BATCH,
    dtype: Any = np.float32,
) -> Callable[[], Any]:
    """One turn of the public loop, with all that a `Step` holds."""
    params, rng = weights(task, dtype), np.random.default_rng(2)
    densities = task.densities(sparsity) if sparsity else {}
    masks = random_masks({name: params[name].shape for name in densities}, densities, rng)
    run = train(
        lambda p, batch, rng: ops.softmax_cross_entropy(task.model(p, batch[0], train=True), batch[1]),
        to_device(params, device),
        to_device(masks, device),
        cycle([to_device(batch, device) for batch in batches(task, size, dtype)]),
        recipes.rigl(ALPHA, PERIOD, NEVER) if moving else recipes.static(),
        rng,
        sgd(RATE, MOMENTUM, weight_decay=task.weight_decay),
    )
    return partial(next, run)


def fc1_update(sparsity: float) -> Callable[[], np.ndarray]:
    """One update of W1's fc1 by RigL, at weights and gradients of a network that has trained for a period."""
    step = minisparse_step(W1, sparsity)
    for _ in range(PERIOD):
        last = step()
    weight, mask, grad = (arrays["fc1.weight"] for arrays in (last.params, last.masks, last.grads))
    return partial(rigl_update, weight, mask, grad, rigl_count(PERIOD, int(mask.sum()), ALPHA, NEVER))


def compared(task: Task, size: int = BATCH, device: str = "cpu") -> tuple[Arrays, Arrays, Arrays]:
    """Parameters at the start, ours after `task.verified` steps, and PyTorch's: in its layouts, and all in float64."""
    from . import peers

    model, torch_next = torch_parts(task, device=device, size=size, dtype=np.float64)
    peers.pad_at_the_end(model)
    minisparse_next = minisparse_step(task, device=device, size=size, dtype=np.float64)
    for _ in range(task.verified):
        torch_next()
        last = minisparse_next()
    theirs = {name: parameter.detach().cpu().numpy() for name, parameter in model.named_parameters()}
    start, ours = (
        peers.as_torch(task.model, params, task.shape) for params in (weights(task, np.float64), to_numpy(last.params))
    )
    return start, ours, theirs


def verify(task: Task, device: str = "cpu") -> str:
    """A sentence on how far PyTorch's parameters and ours are apart after some steps from the same weights."""
    if not find_spec("torch"):
        return "torch is not installed: there is nothing to compare with."
    start, ours, theirs = compared(task, device=device)
    apart, moved = (largest_difference(ours, others) for others in (theirs, start))
    return (
        f"Dense, float64, {task.verified} steps from the same weights: parameters moved by up to {moved:.1e}; "
        f"the largest difference between ours and PyTorch's is {apart:.1e}."
    )


def largest_difference(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> float:
    return max(float(abs(a[name] - b[name]).max()) for name in a)


def torch_contender(name: str, task: Task, on_demand: bool = False, **options: Any) -> Contender:
    return Contender(name, partial(torch_step, task, **options), ("torch",), on_demand=on_demand)


def minisparse_contender(
    name: str, task: Task, sparsity: float = 0, moving: bool = False, device: str = "cpu", numba: bool = True
) -> Contender:
    setup = partial(minisparse_step, task, sparsity, moving, device)
    period, dense = PERIOD if moving else 1, "minisparse dense"
    if numba:
        return Contender(name, setup, OURS, period, dense)
    return Contender(f"{name}, without Numba", setup, ("minisparse",), period, dense, variables=WITHOUT_NUMBA)


def sparse_contenders(task: Task) -> tuple[Contender, ...]:
    return (
        minisparse_contender("minisparse RigL 98 %", task, 0.98, moving=True),
        minisparse_contender("minisparse RigL 90 %", task, 0.9, moving=True),
        minisparse_contender("minisparse masked static 98 %", task, 0.98),
    )


WORKLOADS = (
    Workload(
        "W1, one step of LeNet-300-100, batch 128",
        (
            torch_contender("PyTorch eager", W1),
            torch_contender("PyTorch compile", W1, compiled=True, on_demand=True),
            Contender("NumPy by hand", partial(by_hand_step, W1), ("minisparse",)),
            minisparse_contender("minisparse dense", W1),
            minisparse_contender("minisparse dense", W1, numba=False),
            *sparse_contenders(W1),
        ),
        reference="PyTorch eager",
        verify=partial(verify, W1),
        second="NumPy by hand",
    ),
    Workload(
        "W1, one rigl_update of fc1, 784 × 300",
        (
            Contender("rigl_update 98 %", partial(fc1_update, 0.98), ("minisparse",)),
            Contender("rigl_update 90 %", partial(fc1_update, 0.9), ("minisparse",)),
        ),
    ),
    Workload(
        "W2, one step of LeNet-5-Caffe, batch 128",
        (
            torch_contender("PyTorch eager", W2),
            torch_contender("PyTorch channels_last", W2, channels_last=True),
            torch_contender("PyTorch compile", W2, compiled=True, on_demand=True),
            Contender("NumPy by hand", partial(by_hand_step, W2), ("minisparse",)),
            minisparse_contender("minisparse dense", W2),
            minisparse_contender("minisparse dense", W2, numba=False),
            *sparse_contenders(W2),
        ),
        reference="PyTorch eager",
        verify=partial(verify, W2),
        second="NumPy by hand",
    ),
    Workload(
        "W3, one step of WRN-10-1 on 32 × 32 × 3, batch 128",
        (
            torch_contender("PyTorch eager", W3),
            torch_contender("PyTorch channels_last", W3, channels_last=True),
            torch_contender("PyTorch compile", W3, compiled=True, on_demand=True),
            Contender("NumPy by hand", partial(by_hand_step, W3), ("minisparse",)),
            minisparse_contender("minisparse dense", W3),
            minisparse_contender("minisparse dense", W3, numba=False),
        ),
        reference="PyTorch eager",
        verify=partial(verify, W3),
        second="NumPy by hand",
    ),
)


if __name__ == "__main__":
    main("benchmarks.steps", __doc__, WORKLOADS)
