"""Before training: masks by SNIP, GraSP and SynFlow, and the baselines: static masks and a smaller dense network."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import ops
from ..allocate import density_of
from ..autograd import value_and_grad
from ..backend import Array, namespace
from ..checks import real, whole
from ..masks import Masks, project, top_k_of_all
from ..methods.grasp import grasp_masks
from ..methods.snip import snip_masks
from ..methods.synflow import flow, n_kept
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
    names, n_keep = _ranked(params, include, density)
    grads = _mean_gradient(loss_fn, params, batches, draw_key(rng))
    return Masks(snip_masks({n: params[n] for n in names}, {n: grads[n] for n in names}, n_keep))


def grasp(
    loss_fn: Callable,
    params: Arrays,
    batches: Iterable,
    density: float,
    rng: np.random.Generator,
    include: Callable[[str], bool] = is_weight,
    eps: float = 1e-2,
) -> Masks:
    """GraSP (Wang et al. 2020): masks that preserve the flow of gradients, before any training.

    loss_fn, params, batches, density, rng, include as in `snip`; the paper takes ten examples of every class, the
    authors' code divides the logits by 200. The tape has first derivatives only, so H g is the central difference
    (∇L(w + h g) − ∇L(w − h g)) / 2h, with h = eps · ‖w‖ / ‖g‖ over the included parameters.
    ValueError also where the gradient is zero. Differs from the authors' code, which differentiates the tape.
    """
    names, n_keep = _ranked(params, include, density)
    real("eps", eps, "a number above 0", lambda eps: eps > 0)
    batches, key = list(batches), draw_key(rng)
    gradient = lambda at: _mean_gradient(loss_fn, at, batches, key)
    g = gradient(params)
    norm = lambda arrays: float(sum((arrays[name].astype("float64") ** 2).sum() for name in names)) ** 0.5
    if not norm(g):
        raise ValueError("the gradient is zero at every included parameter: nothing can be ranked")
    h = eps * (norm(params) or 1.0) / norm(g)
    ahead, behind = (gradient(dict(params) | {n: params[n] + sign * h * g[n] for n in names}) for sign in (1, -1))
    products = {name: (ahead[name] - behind[name]) / (2 * h) for name in names}
    return Masks(grasp_masks({name: params[name] for name in names}, products, n_keep))


def synflow(
    outputs: Callable[[Any, Array], Any],
    params: Arrays,
    x: Array,
    density: float,
    rounds: int = 100,
    include: Callable[[str], bool] = is_weight,
) -> Masks:
    """SynFlow (Tanaka et al. 2020): masks that conserve synaptic flow, from the initial weights alone.

    outputs(params, x) -> Tensor: the network, such as lambda p, x: model(p, x). x (1, …): its shape and dtype only, the
    network sees ones. density in (0, 1] of the parameters for which `include(name)` is true. The paper prunes in 100
    rounds, each to density^(k/100).

    All parameters are replaced by their absolute values, and biases (names that end in "bias" or "shift") by zero, as
    the paper's network has none. Batch norm must not use a batch's statistics: pass `stats` of means 0, variances 1.
    ValueError for a density or rounds out of range, or a flow that overflows: use float64 parameters for deep networks.
    """
    names, n_keep = _ranked(params, include, density)
    size = sum(params[name].size for name in names)
    positive = {n: abs(w) * (0 if n.endswith(("bias", "shift")) else 1) for n, w in params.items()}
    ones, masks = namespace(x).ones_like(x), {n: namespace(params[n]).ones(params[n].shape, dtype=bool) for n in names}
    for k in range(1, whole("rounds", rounds, 1) + 1):
        left = project(positive, masks)
        with np.errstate(over="ignore", invalid="ignore"):
            total, grads = value_and_grad(lambda p: ops.sum(outputs(p, ones)), left)
        if not np.isfinite(float(total)):
            raise ValueError(f"the flow is {float(total)} in round {k}; give params as float64")
        scores = flow({n: left[n] for n in names}, {n: grads[n] for n in names})
        masks = top_k_of_all(scores, n_kept(size, density, k, rounds) if k < rounds else n_keep, among=masks)
    return Masks(masks)


def _ranked(params: Arrays, include: Callable[[str], bool], density: float) -> tuple[list[str], int]:
    """The parameters to rank, and how many of their entries to keep, half to even."""
    names = [name for name in params if include(name)]
    if not names:
        raise ValueError(f"include is true for no parameter; expected at least one of {list(params)}")
    real("density", density, "a number in (0, 1]", lambda density: 0 < density <= 1)
    return names, round(round(density * sum(params[name].size for name in names), 9))  # 0.07 × 150 is a half


def _mean_gradient(loss_fn: Callable, params: Arrays, batches: Iterable, key: int) -> dict[str, Array]:
    """The gradient of the loss, averaged over batches; the randomness of each is drawn from the key."""
    stream_of, n_batches = step_streams(key), 0
    total: dict[str, Array] = {}
    for n_batches, batch in enumerate(batches, 1):
        grads = value_and_grad(lambda p: loss_fn(p, batch, stream_of(n_batches - 1)), params)[1]  # noqa: B023
        grads = {name: as_numbers(g) for name, g in grads.items()}
        total = {name: g + total[name] if total else g for name, g in grads.items()}
    if not n_batches:
        raise ValueError("batches is empty; expected a list of at least one batch")
    return {name: g / n_batches for name, g in total.items()}


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
