"""What truly sparse storage costs and saves: minisparse, and PyTorch dense, in compressed rows and by SparseLab.

    python -m benchmarks.sparse [the options of benchmarks.steps]

W5 is SET's MLP for CIFAR, "wide" one with 100,000 hidden units, W1 LeNet-300-100; "break-even" looks for the density
from which on sparse storage is the faster. Everybody starts from the same weights, also those who go on to train the
absent ones, and sees the same batches of 128, in float32, and trains by SGD with momentum 0.9. Preparing data is not
timed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import cycle, islice
from typing import Any

import numpy as np

from minisparse import models, nn, ops, recipes, sparse
from minisparse.allocate import from_epsilon
from minisparse.autograd import value_and_grad
from minisparse.masks import Masks, project
from minisparse.optim import sgd
from minisparse.train import Method, Step, train

from .harness import Contender, Workload, main
from .steps import (
    ALPHA,
    BATCH,
    MOMENTUM,
    NEVER,
    OURS,
    PERIOD,
    RATE,
    WITHOUT_NUMBA,
    digits,
    largest_difference,
    photographs,
)  # fmt: skip

ZETA = 0.3
DENSITIES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
SOME_STEPS = 20  # before a topology update: weights and velocities have moved by then

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """An MLP, the densities of its sparse layers, and what it is trained on.

    images        (rng, n) -> n images
    n_batches     that take turns: 13 MB of data
    verified      how many steps `verify` compares
    """

    model: nn.Chain
    densities: Mapping[str, float]
    images: Callable[[np.random.Generator, int], np.ndarray]
    n_batches: int
    verified: int = 5


def hidden(model: nn.Chain) -> dict[str, tuple[int, ...]]:
    """The shapes of all weights but the last layer's, which stays dense."""
    *names, _ = (name for name in model.shapes() if name.endswith(".weight"))
    return {name: model.shapes()[name] for name in names}


LENET, CIFAR_MLP, WIDE_MLP = models.lenet_300_100(), nn.mlp(3072, 4000, 1000, 4000, 10), nn.mlp(784, 100_000, 10)
W1 = Task(LENET, {n: d for n, d in recipes.mnist_densities(0.98).items() if d < 1}, digits, 32, verified=20)
W5 = Task(CIFAR_MLP, from_epsilon(hidden(CIFAR_MLP), 20), photographs, 8)
WIDE = Task(WIDE_MLP, dict.fromkeys(hidden(WIDE_MLP), 10 / 784), digits, 32)


def evenly(task: Task, density: float) -> Task:
    """The same with this density in every sparse layer."""
    return Task(task.model, dict.fromkeys(task.densities, density), task.images, task.n_batches)


def batches(task: Task, size: int = BATCH, dtype: Any = np.float32) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    for _ in range(task.n_batches):
        yield task.images(rng, size).reshape(size, -1).astype(dtype, copy=False), rng.integers(0, 10, size)


def weights(task: Task, dtype: Any = np.float32) -> tuple[Arrays, Masks]:
    """(parameters, masks), truly sparse: no array of a sparse layer's shape is made for those who do not need it."""
    rng = np.random.default_rng(1)
    shapes = {name: task.model.shapes()[name] for name in task.densities}
    masks = sparse.random_positions(shapes, task.densities, rng)
    return task.model.init(rng, dtype, masks=masks), masks


def loop(
    task: Task, storage: str, method: Method | None = None, size: int = BATCH, dtype: Any = np.float32
) -> Iterator[Step]:
    """The public loop on dense, masked or sparse parameters."""
    params, masks = weights(task, dtype)
    if storage != "sparse":
        params = {name: sparse.dense(w) for name, w in params.items()}
        masks = Masks({name: m.dense() for name, m in masks.items()} if storage == "masked" else {})
    return train(
        lambda p, batch, rng: ops.softmax_cross_entropy(task.model(p, batch[0], train=True), batch[1]),
        params,
        masks,
        cycle(list(batches(task, size, dtype))),
        method or recipes.static(),
        np.random.default_rng(2),
        sgd(RATE, MOMENTUM),
    )


def minisparse_step(task: Task, storage: str, moving: bool = False) -> Callable[[], float]:
    steps = loop(task, storage, recipes.rigl(ALPHA, PERIOD, NEVER) if moving else None)
    return lambda: next(steps).loss  # as the peers'


def torch_parts(
    task: Task, network: str, size: int = BATCH, dtype: Any = np.float32, masked: bool = False
) -> tuple[Any, Callable[[], float]]:
    """(PyTorch's model, its training step). network: the name of a function in benchmarks.sparse_peers."""
    import torch

    from . import peers, sparse_peers

    params, _ = weights(task, dtype)
    model = getattr(sparse_peers, network)(params)
    if masked:
        sparse_peers.keep_masked(model, params)
    data = [(torch.from_numpy(x), torch.from_numpy(labels)) for x, labels in batches(task, size, dtype)]
    if network == "csr_network":
        data = [(x.T.contiguous().T, labels) for x, labels in data]
    return model, peers.training(model, data, RATE, MOMENTUM, weight_decay=0)


def torch_step(task: Task, network: str) -> Callable[[], float]:
    return torch_parts(task, network)[1]


def update(task: Task, method: Method, indexed: bool) -> Callable[[], tuple[Any, ...]]:
    """One update of all sparse layers, as the loop makes it after some steps: (masks, parameters, velocities, …).

    The method decides, and weights and velocities are projected to the new masks. indexed: and the orders of
    connections by which the next step multiplies are made, by a gradient of one image.
    """
    last = next(islice(loop(task, "sparse"), SOME_STEPS, None))
    image = next(batches(task, 1))[0]
    grads = {name: last.grads[name] for name in last.masks}
    stored = {name: last.params[name] for name in last.masks}

    def shown(params: Arrays, masks: Masks) -> list[np.ndarray]:
        grads = value_and_grad(lambda p: ops.sum(task.model(p, image)), params)[1]
        return [grads[name].at(mask) for name, mask in masks.items()]

    def once() -> tuple[Any, ...]:
        memory = method.observe(None, grads, np.random.default_rng(3))
        masks = Masks(method.decide(stored, last.masks, memory, PERIOD))
        params, velocities = project(last.params, masks), project(last.slots["velocity"], masks)
        return masks, params, velocities, shown(params, masks) if indexed else None

    return once


def compared(task: Task, size: int = BATCH) -> dict[str, Arrays]:
    """{who: parameters after `task.verified` steps} of those who train the connections alone, and at the start.

    In float64, but for SparseLab. The masked one is PyTorch's dense network, with the gradients of absent weights made
    zero.
    """
    from . import sparse_peers

    whole = lambda params: {name: sparse.dense(array) for name, array in params.items()}
    made = {"start": whole(weights(task, np.float64)[0])}
    last = next(islice(loop(task, "sparse", size=size, dtype=np.float64), task.verified - 1, None))
    made["minisparse sparse"] = whole(last.params)
    who = {"PyTorch masked": ("dense_network", np.float64), "PyTorch CSR": ("csr_network", np.float64)}
    if find_spec("sparselab"):
        who["SparseLab"] = "sparselab_network", np.float32
    for name, (network, dtype) in who.items():
        model, step = torch_parts(task, network, size, dtype, masked=network == "dense_network")
        for _ in range(task.verified):
            step()
        made[name] = sparse_peers.parameters(model)
    return made


def verify(task: Task) -> str:
    """A sentence on how far the others' parameters are from those of PyTorch's masked network after some steps."""
    if not find_spec("torch"):
        return "torch is not installed: there is nothing to compare with."
    made = compared(task)
    masked = made.pop("PyTorch masked")
    apart = {name: largest_difference(masked, own) for name, own in made.items()}
    moved = apart.pop("start")
    differences = ", ".join(f"{difference:.1e} ({name})" for name, difference in apart.items())
    return (
        f"float64 (SparseLab: float32), {task.verified} steps of PyTorch's dense network under masks: parameters moved "
        f"by up to {moved:.1e}; the largest difference is {differences}."
    )


def by_hand_step(task: Task) -> Callable[[], float]:
    from . import sparse_by_hand

    return sparse_by_hand.perceptron(weights(task)[0], batches(task), RATE, MOMENTUM)[0]


def by_hand_contender(task: Task) -> Contender:
    return Contender("NumPy by hand, sparse", partial(by_hand_step, task), ("minisparse", "scipy.sparse"))


def torch_contender(name: str, task: Task, network: str, library: str = "torch") -> Contender:
    return Contender(name, partial(torch_step, task, network), tuple(dict.fromkeys(["torch", library])))


def minisparse_contender(
    name: str, task: Task, storage: str, moving: bool = False, dense: str | None = None, numba: bool = True
) -> Contender:
    setup = partial(minisparse_step, task, storage, moving)
    period, scipy = PERIOD if moving else 1, "scipy.sparse"
    if numba:
        return Contender(name, setup, (*OURS, scipy), period, dense)
    return Contender(f"{name}, without Numba", setup, ("minisparse", scipy), period, dense, variables=WITHOUT_NUMBA)


def update_contenders(name: str, method: Method) -> tuple[Contender, ...]:
    imports = (*OURS, "scipy.sparse")
    return (
        Contender(f"{name} update", partial(update, W5, method, False), imports),
        Contender(f"{name} update and the next step's order", partial(update, W5, method, True), imports),
    )


def break_even(title: str, task: Task) -> Workload:
    at = {f"{density:.0%}": evenly(task, density) for density in DENSITIES}
    return Workload(
        title,
        (
            minisparse_contender("dense", task, "dense"),
            *(minisparse_contender(f"masked {percent}", sparser, "masked") for percent, sparser in at.items()),
            *(minisparse_contender(f"sparse {percent}", sparser, "sparse") for percent, sparser in at.items()),
        ),
        reference="dense",
    )


WORKLOADS = (
    Workload(
        "W5, one step of 3072-4000-1000-4000-10 at ε = 20, batch 128",
        (
            torch_contender("PyTorch dense", W5, "dense_network"),
            torch_contender("PyTorch CSR", W5, "csr_network"),
            torch_contender("SparseLab", W5, "sparselab_network", "sparselab"),
            by_hand_contender(W5),
            minisparse_contender("minisparse dense", W5, "dense", dense="minisparse dense"),
            minisparse_contender("minisparse sparse", W5, "sparse", dense="minisparse dense"),
            minisparse_contender("minisparse sparse", W5, "sparse", dense="minisparse dense", numba=False),
        ),
        reference="PyTorch dense",
        second="PyTorch CSR",
        verify=partial(verify, W5),
    ),
    Workload(
        "W5, one update of all sparse layers",
        (
            *update_contenders("SET", recipes.set(ZETA, period=PERIOD, until=NEVER)),
            *update_contenders("RigL", recipes.rigl(ALPHA, PERIOD, NEVER)),
        ),
    ),
    Workload(
        "wide, one step of 784-100000-10 with ten connections a hidden unit, batch 128",
        (
            torch_contender("PyTorch dense", WIDE, "dense_network"),
            torch_contender("PyTorch CSR", WIDE, "csr_network"),
            minisparse_contender("minisparse sparse", WIDE, "sparse"),
            minisparse_contender("minisparse sparse", WIDE, "sparse", numba=False),
        ),
        reference="PyTorch dense",
        second="PyTorch CSR",
        verify=partial(verify, WIDE),
    ),
    Workload(
        "W1, one step of LeNet-300-100 at 98 %, batch 128",
        (
            torch_contender("PyTorch dense", W1, "dense_network"),
            torch_contender("PyTorch CSR", W1, "csr_network"),
            by_hand_contender(W1),
            minisparse_contender("minisparse dense", W1, "dense", dense="minisparse dense"),
            minisparse_contender("minisparse sparse", W1, "sparse", dense="minisparse dense"),
            minisparse_contender("minisparse sparse", W1, "sparse", dense="minisparse dense", numba=False),
            minisparse_contender("minisparse sparse, fc2 98 % too", evenly(W1, 0.02), "sparse"),
            minisparse_contender("minisparse sparse RigL", W1, "sparse", moving=True, dense="minisparse dense"),
        ),
        reference="PyTorch dense",
        second="PyTorch CSR",
        verify=partial(verify, W1),
    ),
    break_even("break-even of LeNet-300-100, one step, batch 128, densities of fc1 and fc2", W1),
    break_even("break-even of 3072-4000-1000-4000-10, one step, batch 128, densities of fc1 to fc3", W5),
)


if __name__ == "__main__":
    main("benchmarks.sparse", __doc__, WORKLOADS)
