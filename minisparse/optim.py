"""One optimizer step on a dict of arrays. Optimizers return new arrays and never write into their arguments.

    slots = optimizer.init(params)
    params, slots = optimizer.update(params, grads, slots, step)

`slots` is {slot name: {parameter name: array}}. Entries whose parameter, gradient and slots are zero stay zero.
Parameters in float16 are updated in float32, as are their slots, and rounded. TypeError for whole numbers.
"""

import warnings
from collections.abc import Callable, Collection, Mapping
from numbers import Real
from typing import Any, NamedTuple

from .backend import Array, namespace
from .checks import real, same_keys, same_shapes
from .dtypes import USUAL, wide
from .loops import in_one_pass
from .storage import as_numbers

Arrays = Mapping[str, Array]
Rate = float | Callable[[int], float]


class Optimizer(NamedTuple):
    """How parameters move: init(params) -> slots; update(params, grads, slots, step) -> (params, slots).

    elementwise: no entry of an array depends on another, so that `train` may pass only those that exist.
    """

    init: Callable[[Arrays], dict]
    update: Callable[[Arrays, Arrays, dict, int], tuple[dict[str, Array], dict]]
    elementwise: bool = False


def is_weight(name: str) -> bool:
    """The default of what weight decay acts on, and SNIP and tickets prune: "fc1.weight", not "fc1.bias" or "W1"."""
    return name.endswith(".weight")


def sgd(
    lr: Rate,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    decays: Callable[[str], bool] = is_weight,
) -> Optimizer:
    """v ← m v + (g + λ w); w ← w − lr v, or, with Nesterov, w − lr (g + λ w + m v). v starts at 0, no dampening.

    lr: a number or a function of the step; λ = weight_decay acts on names where `decays(name)`.
    """
    _check(lr=lr, momentum=momentum, weight_decay=weight_decay)
    momentum, weight_decay = float(momentum), float(weight_decay)  # NumPy scalars would turn float32 into float64
    nesterov = bool(nesterov)

    def init(params: Arrays) -> dict:
        _decay_acts(weight_decay, decays, params)
        return {"velocity": _zeros(params)}

    def update(params: Arrays, grads: Arrays, slots: dict, step: int) -> tuple[dict[str, Array], dict]:
        same_keys(params=params, grads=grads)
        rate = _at(lr, step)
        moved, velocity = {}, {}
        for name, w in params.items():
            decay = weight_decay if weight_decay and decays(name) else 0.0
            arrays = _numbers(name, w, grads[name], slots["velocity"][name])
            new, velocity[name] = in_one_pass(momentum_step, arrays, rate, momentum, nesterov, decay)
            moved[name] = new.astype(w.dtype, copy=False)
        return moved, {"velocity": velocity}

    return Optimizer(init, update, elementwise=True)


def momentum_step(
    w: Array, g: Array, v: Array, rate: float, momentum: float, nesterov: bool, decay: float
) -> tuple[Array, Array]:
    """(w, v) after a step of SGD."""
    g = g + decay * w if decay else g
    v = momentum * v + g
    return -rate * (g + momentum * v if nesterov else v) + w, v  # NumPy adds into a product's memory


def adam(
    lr: Rate,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decays: Callable[[str], bool] = is_weight,
) -> Optimizer:
    """Kingma & Ba 2015, Algorithm 1: both moments bias-corrected, ε outside the root; λ w is added to the gradient.

    It counts its updates, since some batches change masks instead.
    """
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise TypeError(f"betas is {betas!r}; expected two numbers in [0, 1)")
    _check(lr=lr, beta1=betas[0], beta2=betas[1], eps=eps, weight_decay=weight_decay)
    b1, b2, eps, weight_decay = float(betas[0]), float(betas[1]), float(eps), float(weight_decay)

    def init(params: Arrays) -> dict:
        _decay_acts(weight_decay, decays, params)
        zeros = _zeros(params)
        return {"m": zeros, "v": dict(zeros), "updates": 0}

    def update(params: Arrays, grads: Arrays, slots: dict, step: int) -> tuple[dict[str, Array], dict]:
        same_keys(params=params, grads=grads)
        rate, t = _at(lr, step), slots["updates"] + 1
        moved, m, v = {}, {}, {}
        for name, w in params.items():
            decay = weight_decay if weight_decay and decays(name) else 0.0
            arrays = _numbers(name, w, grads[name], slots["m"][name], slots["v"][name])
            new, m[name], v[name] = in_one_pass(adam_step, arrays, rate, b1, b2, 1 - b1**t, 1 - b2**t, eps, decay)
            moved[name] = new.astype(w.dtype, copy=False)
        return moved, {"m": m, "v": v, "updates": t}

    return Optimizer(init, update, elementwise=True)


def adam_step(
    w: Array, g: Array, m: Array, v: Array, rate: float, b1: float, b2: float, c1: float, c2: float, eps: float,
    decay: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """(w, m, v) after an update of Adam, where c1 = 1 − β1^t and c2 = 1 − β2^t correct the moments' start at zero."""
    g = g + decay * w if decay else g
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * (g * g)
    return w - rate * (m / c1) / (namespace(v).sqrt(v / c2) + eps), m, v


def frozen(optimizer: Optimizer, names: Collection[str]) -> Optimizer:
    """`optimizer` for all parameters except `names`, which keep their values and slots.

    ValueError from `init` for an unknown name.
    """
    if isinstance(names, str):
        raise TypeError(f"names is the string {names!r}; expected a collection of names, such as [{names!r}]")
    names = frozenset(names)

    def init(params: Arrays) -> dict:
        if unknown := sorted(names - params.keys()):
            raise ValueError(f"names has {unknown}, which are not parameters; expected names in {list(params)}")
        return optimizer.init(params)

    def free(arrays: Any) -> Any:
        return {name: a for name, a in arrays.items() if name not in names} if isinstance(arrays, Mapping) else arrays

    def merged(before: Any, after: Any) -> Any:
        return {name: after.get(name, a) for name, a in before.items()} if isinstance(before, Mapping) else after

    def update(params: Arrays, grads: Arrays, slots: dict, step: int) -> tuple[dict[str, Array], dict]:
        same_keys(params=params, grads=grads)
        free_slots = {slot: free(a) for slot, a in slots.items()}
        moved, moved_slots = optimizer.update(free(params), free(grads), free_slots, step)
        return merged(params, moved), {slot: merged(a, moved_slots[slot]) for slot, a in slots.items()}

    return Optimizer(init, update, optimizer.elementwise)


def _zeros(params: Arrays) -> dict[str, Array]:
    _floating(params)
    return {name: namespace(w).zeros_like(w, dtype=wide(w.dtype)) for name, w in params.items()}


def _numbers(name: str, *arrays: Array) -> tuple[Array, ...]:
    """A parameter, its gradient and slots as numbers to compute with, in float32 or float64.

    ValueError naming the parameter if their shapes differ.
    """
    (w, g, *_), usual = arrays, True
    for a in arrays:
        if a.shape != w.shape:
            same_shapes(**{f"parameter {name!r}": w, "its gradient": g, "its slot": a})
        usual = usual and a.dtype in USUAL
    if usual:
        return arrays
    _floating({name: w})
    return tuple(as_numbers(a) for a in arrays)


def _floating(params: Arrays) -> None:
    for name, w in params.items():
        if w.dtype.kind != "f":
            raise TypeError(f"parameter {name!r} has dtype {w.dtype}; expected floating-point arrays")


def _decay_acts(weight_decay: float, decays: Callable[[str], bool], params: Arrays) -> None:
    """Warn of a weight decay that acts on nothing, unless all are biases, gates or batch norms' parameters."""
    others = [name for name in params if name.rpartition(".")[2] not in ("bias", "scale", "shift", "log_alpha")]
    if weight_decay and others and not any(decays(name) for name in params):
        what = "names that end in '.weight'" if decays is is_weight else "the names that `decays` chooses"
        warnings.warn(f"weight_decay is {weight_decay}, but acts on none of {list(params)}: it acts on {what}; "
                      "choose others with decays=…", stacklevel=3)  # fmt: skip


def _at(lr: Rate, step: int) -> float:
    rate = lr(step) if callable(lr) else lr
    if not isinstance(rate, Real) or isinstance(rate, bool):
        raise TypeError(f"lr is {rate!r} at step {step}; expected a finite number from 0")
    if not 0 <= rate < float("inf"):
        raise ValueError(f"lr is {float(rate)} at step {step}; expected a finite number from 0")
    return float(rate)


def _check(lr: Rate, **numbers: Any) -> None:
    if not callable(lr):
        _at(lr, 0)
    for name, value in numbers.items():
        if name in ("momentum", "beta1", "beta2"):
            real(name, value, "a number in [0, 1)", lambda value: 0 <= value < 1)
        else:
            real(name, value, "a finite number from 0", lambda value: 0 <= value < float("inf"))
