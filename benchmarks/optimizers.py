"""What one step of an optimizer costs on the parameters of LeNet-300-100: PyTorch, minisparse, NumPy by hand.

    python -m benchmarks.optimizers [--workload Adam] [the other options of benchmarks.steps] [--verify]

Gradients are the same at every step. PyTorch's change parameters in place, as does NumPy by hand, on one flat buffer;
ours return new arrays. All start from the same numbers, in float32.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from minisparse import optim
from minisparse.backend import keep_freed_memory

from .by_hand import Arrays, Momentum
from .harness import Contender, Workload, main
from .steps import OURS, W1, WITHOUT_NUMBA, largest_difference, weights

LR, VERIFIED = 1e-3, 20

RULES: dict[str, tuple[str, Mapping[str, Any]]] = {  # title: our name, and the options that both have
    "SGD with momentum": ("sgd", {"momentum": 0.9}),
    "SGD with Nesterov's momentum and weight decay": ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}),
    "Adam": ("adam", {}),
}


def start(dtype: Any = np.float32) -> tuple[Arrays, Arrays]:
    """(parameters, gradients)."""
    params, rng = weights(W1, dtype), np.random.default_rng(0)
    return params, {name: rng.standard_normal(w.shape).astype(dtype) for name, w in params.items()}


def ours(rule: str, dtype: Any = np.float32) -> Callable[[], Arrays]:
    keep_freed_memory()
    kind, options = RULES[rule]
    optimizer = getattr(optim, kind)(LR, **options, decays=lambda name: True)  # PyTorch's acts on biases too
    params, grads = start(dtype)
    slots = optimizer.init(params)

    def step() -> Arrays:
        nonlocal params, slots
        params, slots = optimizer.update(params, grads, slots, 0)
        return params

    return step


def in_torch(rule: str, dtype: Any = np.float32, fused: bool = False) -> Callable[[], Arrays]:
    import torch

    kind, options = RULES[rule]
    params, grads = start(dtype)
    held = {name: torch.nn.Parameter(torch.from_numpy(w)) for name, w in params.items()}
    for name, parameter in held.items():
        parameter.grad = torch.from_numpy(grads[name])
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[kind](held.values(), LR, **options, fused=fused)

    def step() -> Arrays:
        optimizer.step()
        return params  # which share their memory with PyTorch's

    return step


def by_hand(rule: str, dtype: Any = np.float32) -> Callable[[], Arrays]:
    kind, options = RULES[rule]
    (params, grads), decay = start(dtype), options.get("weight_decay", 0.0)
    flat = Momentum(params, LR, options.get("momentum", 0.0), decay)
    for name, gradient in grads.items():
        flat.grads[name][...] = gradient
    (w, g, v, change), m, slope, t = flat.flat, np.zeros(flat.flat.shape[1], dtype), np.empty_like(flat.flat[1]), 0

    def heavy_ball() -> Arrays:
        flat.step()
        return flat.params

    def nesterov() -> Arrays:
        np.multiply(w, decay, out=slope)
        np.add(slope, g, out=slope)
        np.multiply(v, flat.momentum, out=v)
        np.add(v, slope, out=v)
        np.multiply(v, flat.momentum, out=change)
        np.add(change, slope, out=change)
        np.multiply(change, LR, out=change)
        np.subtract(w, change, out=w)
        return flat.params

    def adam() -> Arrays:
        nonlocal t
        t += 1
        for slot, beta, new in ((m, 0.9, g), (v, 0.999, np.multiply(g, g, out=slope))):
            np.multiply(slot, beta, out=slot)
            np.add(slot, np.multiply(new, 1 - beta, out=change), out=slot)
        np.sqrt(np.divide(v, 1 - 0.999**t, out=slope), out=slope)
        np.add(slope, 1e-8, out=slope)
        np.divide(np.multiply(m, LR / (1 - 0.9**t), out=change), slope, out=change)
        np.subtract(w, change, out=w)
        return flat.params

    return adam if kind == "adam" else nesterov if options.get("nesterov") else heavy_ball


def apart(rule: str) -> dict[str, float]:
    """How far others' parameters are from ours after some steps in float64, relative to how far ours moved."""
    others = {"NumPy by hand": by_hand, **({"PyTorch": in_torch} if find_spec("torch") else {})}
    made = {name: make(rule, np.float64) for name, make in {"minisparse": ours, **others}.items()}
    for _ in range(VERIFIED):
        after = {name: step() for name, step in made.items()}
    moved = largest_difference(after["minisparse"], start(np.float64)[0])
    return {name: largest_difference(after["minisparse"], after[name]) / moved for name in others}


def verify(rule: str) -> str:
    differ = " and ".join(f"{name}'s by {d:.1e}" for name, d in apart(rule).items())
    return f"After {VERIFIED} steps in float64, relative to how far they moved, parameters differ from ours: {differ}."


WORKLOADS = tuple(
    Workload(
        f"{rule}, 266,610 parameters",
        (
            Contender("PyTorch", partial(in_torch, rule), ("torch",)),
            Contender("PyTorch fused", partial(in_torch, rule, fused=True), ("torch",)),
            Contender("NumPy by hand", partial(by_hand, rule), ("minisparse",)),
            Contender("minisparse", partial(ours, rule), OURS),
            Contender("minisparse, without Numba", partial(ours, rule), ("minisparse",), variables=WITHOUT_NUMBA),
        ),
        reference="PyTorch",
        verify=partial(verify, rule),
        second="NumPy by hand",
    )
    for rule in RULES
)


if __name__ == "__main__":
    main("benchmarks.optimizers", __doc__, WORKLOADS)
