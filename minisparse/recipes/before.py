"""Before training: SNIP's masks, and the baselines: static masks and a smaller dense network."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..allocate import density_of
from ..autograd import value_and_grad
from ..backend import Array
from ..checks import real
from ..masks import Masks
from ..methods.snip import snip_masks
from ..optim import is_weight
from ..storage import as_numbers
from ..streams import draw_key, step_streams
from ..train import Method
from .watch import Arrays, forget


def static() -> Method:
    """Masks that never change: the baseline. Without masks it is dense training."""
    return Method(observe=forget, decide=lambda weights, masks, memory, step: masks, when=lambda step: False)


def mnist_densities(sparsity: float) -> dict[str, float]:
    """The densities of RigL's MNIST network (authors' script): fc1 at `sparsity`, fc2 at 0.9 of it, fc3 dense.

    sparsity in [0, 1): 0.98 gives 4,704 + 3,540 + 1,000 connections of LeNet-300-100.
    """
    return {"fc1.weight": density_of(sparsity), "fc2.weight": density_of(sparsity, of=0.9), "fc3.weight": 1.0}


def snip(
    loss_fn: Callable,
    params: Arrays,
    batches: Iterable,
    density: float,
    rng: np.random.Generator,
    include: Callable[[str], bool] = is_weight,
) -> Masks:
    """SNIP (Lee et al. 2019): masks of the connections that matter most to the loss, before any training.

    loss_fn(params, batch, rng) -> scalar Tensor, as `train` takes it, without a regulariser. batches: a list; the paper
    takes one batch, of 100 examples of MNIST or 128 of CIFAR; gradients of several are averaged. density in (0, 1] of
    the parameters for which `include(name)` is true, by default weights and not biases. The number kept is rounded half
    to even.

    `params` are not changed: train these weights with `static()`. Batch norm runs in the mode that loss_fn sets:
    train=True uses the statistics of the batch.
    ValueError for no batches, no included parameter or a density out of range; warns of a layer left empty.
    Differs from the authors' code, which counts and prunes biases too and trains other weights than it scored.
    """
    names = [name for name in params if include(name)]
    if not names:
        raise ValueError(f"include is true for no parameter; expected at least one of {list(params)}")
    real("density", density, "a number in (0, 1]", lambda density: 0 < density <= 1)
    stream_of, n_batches = step_streams(draw_key(rng)), 0
    total: dict[str, Array] = {}
    for n_batches, batch in enumerate(batches, 1):
        grads = value_and_grad(lambda p: loss_fn(p, batch, stream_of(n_batches - 1)), params)[1]  # noqa: B023
        grads = {name: as_numbers(grads[name]) for name in names}
        total = {name: grads[name] + total[name] if total else grads[name] for name in names}
    if not n_batches:
        raise ValueError("batches is empty; expected a list of at least one batch")
    n_keep = round(round(density * sum(params[name].size for name in names), 9))  # 0.07 × 150 is a half
    return Masks(snip_masks({n: params[n] for n in names}, {n: g / n_batches for n, g in total.items()}, n_keep))


def small_dense(build: Callable[[float], Any], target: float, measure: Callable[[Any], float]) -> tuple[float, Any]:
    """(width factor, model): the widest dense network of a family with cost at most `target`.

    build    width factor -> model, such as lambda width: models.resnet_50(width=width); nothing is allocated
    measure  model -> its cost, increasing with the width: parameters, sum(map(math.prod, model.shapes().values())),
             or multiply-adds, sum(model.cost(shape)[0].values())

    This is the small-dense baseline of Evci et al. 2020: a narrower network at a sparse network's cost.
    ValueError if the narrowest network with units in every layer costs more, or if no width does.
    """
    too_small = ValueError(f"target is {target}; no network of this family is so small")
    has_units = lambda model: all(0 not in shape for shape in model.shapes().values())

    def fits(factor: float) -> bool:
        model = build(factor)
        enough = measure(model) <= target
        if not enough and not has_units(model):
            raise too_small
        return enough

    low, high = 1.0, 2.0
    while fits(high):
        low, high = high, 2 * high
        if high > 2**30:
            raise ValueError(f"target is {target}, and every width up to 2^30 costs no more")
    while not fits(low):
        low, high = low / 2, low
    while high - low > 2**-20 * low:
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    model = build(low)
    if not has_units(model):
        raise too_small
    return low, model
