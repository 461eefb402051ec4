"""Before training: the first masks (SNIP), and the baselines: static masks and a smaller dense network."""

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
from ..streams import draw_key, step_streams
from ..train import Method
from .watch import Arrays, forget


def static() -> Method:
    """Masks that never move: the baseline. With no masks at all it is dense training."""
    return Method(observe=forget, decide=lambda weights, masks, memory, step: masks, when=lambda step: False)


def mnist_densities(sparsity: float) -> dict[str, float]:
    """The densities of RigL's MNIST network (its authors' script): fc1 as asked, fc2 at 0.9 of its sparsity, fc3 dense.

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

    loss_fn(params, batch, rng) -> scalar Tensor, as `train` takes it, without a regulariser. batches: a list of them;
    the paper takes one, of 100 examples of MNIST or 128 of CIFAR; of several, the gradients are averaged. density in
    (0, 1] of the parameters for which `include(name)` is true: weights, and not biases, unless told otherwise. The
    number kept is rounded, half to even.

    `params` are left as they are: train these weights, with `static()`. A batch norm is in the mode in which loss_fn
    runs it: train=True takes the statistics of the batch.
    ValueError for no batches, nothing included or another density; a layer that is left empty is warned of.
    Differs from the authors' code, which counts and prunes biases too and trains other weights than it scored.
    """
    names = [name for name in params if include(name)]
    if not names:
        raise ValueError(f"include is true for no parameter; the parameters are {list(params)}")
    real("density", density, "numbers in (0, 1]", lambda density: 0 < density <= 1)
    stream_of, n_batches = step_streams(draw_key(rng)), 0
    total: dict[str, Array] = {}
    for n_batches, batch in enumerate(batches, 1):
        grads = value_and_grad(lambda p: loss_fn(p, batch, stream_of(n_batches - 1)), params)[1]  # noqa: B023
        total = {name: grads[name] + total[name] if total else grads[name] for name in names}
    if not n_batches:
        raise ValueError("batches is empty; expected a list of one batch or more")
    n_keep = round(round(density * sum(params[name].size for name in names), 9))  # 0.07 × 150 is a half
    return Masks(snip_masks({n: params[n] for n in names}, {n: g / n_batches for n, g in total.items()}, n_keep))


def small_dense(build: Callable[[float], Any], target: float, measure: Callable[[Any], float]) -> tuple[float, Any]:
    """(width factor, model): the widest dense network of a family that costs no more than `target`.

    build    width factor -> model, such as lambda width: models.resnet_50(width=width); nothing is allocated
    measure  model -> its cost, which grows with the width: parameters, sum(map(math.prod, model.shapes().values())),
             or multiply-adds, sum(model.cost(shape)[0].values())

    This is the baseline of Evci et al. 2020 that spends a sparse network's budget on a narrower one.
    ValueError where even the narrowest, before a layer has no units left, costs more, or where no width does.
    """
    none_so_small = ValueError(f"target is {target}; no network of this family is so small")
    has_units = lambda model: all(0 not in shape for shape in model.shapes().values())

    def fits(factor: float) -> bool:
        model = build(factor)
        enough = measure(model) <= target
        if not enough and not has_units(model):
            raise none_so_small
        return enough

    low, high = 1.0, 2.0
    while fits(high):
        low, high = high, 2 * high
        if high > 2**30:
            raise ValueError(f"target is {target}, and no width costs more")
    while not fits(low):
        low, high = low / 2, low
    while high - low > 2**-20 * low:
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    model = build(low)
    if not has_units(model):
        raise none_so_small
    return low, model
