"""Each method with its schedule, as its paper ran it: the one file where the two meet."""

import math
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from . import ops
from .allocate import density_of
from .autograd import Tensor, value_and_grad
from .backend import Array, namespace
from .checks import real, same_keys, whole
from .masks import Masks, n_active, project
from .methods import l0
from .methods.magnitude import (
    global_magnitude_masks,
    magnitude_mask,
    remove_dead_units,
    retrain_dropout,
    threshold_mask,
)
from .methods.rigl import rigl_count, rigl_update
from .methods.set import set_counts, set_update, set_update_by_magnitude
from .methods.snfs import shares, snfs_update
from .methods.snip import snip_masks
from .nn import Layer
from .optim import Optimizer, frozen, is_weight
from .positions import Order, Positions, in_random_order
from .schedule import cosine, cubic, every
from .sparse import Compressed, Factors, on_values
from .streams import draw_key, step_streams, stream
from .train import Method, State, Step, train

Arrays = Mapping[str, Array]
Observe = Callable[[Any, dict[str, Array], np.random.Generator], Any]
Fill = Callable[[str, Array, Arrays, Arrays, np.random.Generator], Array]
Fraction = Callable[[int], float]
DENSE_BY_DEFINITION = (
    "SNFS needs a running average of the gradients of absent weights, a dense array by definition: "
    "it cannot be stored truly sparse"
)


def forget(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> None:
    """Remember nothing."""


def latest(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Remember this batch's gradients."""
    return grads


def noise(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> int:
    """Remember a key, from which every layer's random numbers are drawn when they are asked for."""
    return draw_key(rng)


def smoothed(beta: float) -> Observe:
    """Remember gradients smoothed over batches, M ← β M + (1 − β) g from zero: dense, and never reset."""
    real("beta", beta, "numbers from 0 below 1", lambda beta: 0 <= beta < 1)
    beta = float(beta)  # NumPy's numbers would make float32 float64

    def observe(memory: Any, grads: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
        if any(isinstance(g, Factors) for g in grads.values()):
            raise ValueError(DENSE_BY_DEFINITION)
        new = {name: (1 - beta) * g for name, g in grads.items()}
        return {name: beta * memory[name] + m for name, m in new.items()} if memory else new

    return observe


def random_values(sigma: float) -> Fill:
    """Let grown weights start at N(0, σ²)."""
    return lambda name, grown, weights, grads, rng: namespace(grown).asarray(rng.normal(0, sigma, int(grown.sum())))


def along_gradient(rate: float) -> Fill:
    """Let grown weights start at −rate · g, a small step down this batch's gradient."""
    return lambda name, grown, weights, grads, rng: -float(rate) * grads[name]


def static() -> Method:
    """Masks that never move: the baseline. With no masks at all it is dense training."""
    return Method(observe=forget, decide=lambda weights, masks, memory, step: masks, when=lambda step: False)


def rigl(
    alpha: float = 0.3,
    period: int = 100,
    t_end: int = 25_000,
    steps: int | None = None,
    *,
    fraction: Fraction | None = None,
    watch: Observe = latest,
    fill: Fill | None = None,
) -> Method:
    """RigL (Evci et al. 2020): at ΔT, 2ΔT, … below T_end an update takes the place of the optimizer step.

    alpha α, the drop fraction at first; period ΔT, in batches; t_end T_end, exclusive; steps: the run's length in
    batches, if known, so that a T_end it never reaches is warned of.

    What the paper compares with this:
    fraction  step -> drop fraction, in place of α on a cosine: partial(linear, alpha=0.3, t_end=25_000), constant,
              inverse_power (app. G)
    watch     what growth ranks by: `latest` gradients, `noise`, `smoothed(0.9)` gradients (app. D)
    fill      what grown weights start at, if not at zero: random_values(0.01), along_gradient(0.01) (sec. 3)
    """
    _check_fraction("alpha", alpha)
    real("t_end", t_end, "numbers above 0", lambda t_end: t_end > 0)
    if steps is not None and t_end > steps:
        warnings.warn(
            f"t_end is {t_end}, beyond the run's {steps} steps: masks will still be moving at its end", stacklevel=2
        )

    def count(step: int, n_active: int) -> int:
        return rigl_count(step, n_active, alpha, t_end) if fraction is None else _part(fraction(step), n_active)

    def decide(weights: dict[str, Array], masks: Masks, memory: Any, step: int) -> Mapping[str, Array]:
        k = {name: count(step, n_active) for name, n_active in masks.counts.items()}
        grads = _seen(memory, masks)
        return {name: rigl_update(weights[name], mask, grads[name], k[name]) for name, mask in masks.items()}

    return Method(observe=watch, decide=decide, when=every(period, t_end), pauses=True, fill=fill)


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

    `params` are left as they are: train these very weights, with `static()`. Those that are drawn and not stored
    (minisparse.drawn) are scored and ranked in blocks of rows, and get Positions. A batch norm is in the mode in which
    loss_fn runs it: train=True takes the statistics of the batch.
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
        raise ValueError("batches is empty; accepted is a list of one batch or more")
    n_keep = round(round(density * sum(params[name].size for name in names), 9))  # 0.07 × 150 is a half
    return Masks(snip_masks({n: params[n] for n in names}, {n: g / n_batches for n, g in total.items()}, n_keep))


def set(  # in this file the word is the method's
    zeta: float = 0.3,
    epoch: int | None = None,
    epochs: int | None = None,
    *,
    period: int | None = None,
    until: int | None = None,
    fraction: Fraction | None = None,
    by_sign: bool = True,
    fill: Fill | None = None,
) -> Method:
    """SET (Mocanu et al. 2018): after every epoch but the last, the optimizer steps, then connections move at random.

    zeta      ζ, the part of the positive and of the negative weights that goes
    epoch     batches in an epoch, and epochs, how many there are; or
    period    and until: rewire at period, 2 period, … batches below `until`
    fraction  step -> drop fraction, in place of ζ
    by_sign   False: the smallest go, whatever their sign, as in Evci et al.'s comparison
    fill      what grown weights start at, if not at zero: random_values(0.1) in the authors' SciPy code

    Starting masks: random_masks(shapes, from_epsilon(shapes, 20), rng) with the paper's ε, or, for a density,
    random_masks(shapes, erdos_renyi(shapes, 0.1), rng). The output layer moves too if it has a mask.
    """
    _check_fraction("zeta", zeta)
    when, _ = _rewirings(epoch, epochs, period, until)

    def update(weight: Array, mask: Array, random: Array, part: float) -> Array:
        if by_sign:
            return set_update(weight, mask, random, *set_counts(weight, mask, part))
        return set_update_by_magnitude(weight, mask, random, _part(part, int(mask.sum())))

    def decide(weights: dict[str, Array], masks: Masks, key: int, step: int) -> Mapping[str, Array]:
        part, random = zeta if fraction is None else fraction(step), _seen(key, masks)
        return {name: update(weights[name], mask, random[name], part) for name, mask in masks.items()}

    return Method(observe=noise, decide=decide, when=when, fill=fill)


def snfs(
    rate: float = 0.5,
    epoch: int | None = None,
    epochs: int | None = None,
    beta: float = 0.9,
    redistribute: bool = True,
    *,
    period: int | None = None,
    until: int | None = None,
    fraction: Fraction | None = None,
    fill: Fill | None = None,
) -> Method:
    """SNFS, sparse momentum (Dettmers & Zettlemoyer 2019): after every epoch but the last, step, then rewire.

    rate          the drop fraction p at first; it falls on a cosine to 0 at the run's end
    epoch         batches in an epoch, and epochs, how many there are; or
    period        and until: rewire at period, 2 period, … batches below `until`, where p is 0
    beta          of the smoothed gradients, which are the method's own and dense, whatever the optimizer
    redistribute  False: every layer regrows what it lost
    fraction      step -> drop fraction, in place of p on a cosine
    fill          what grown weights start at, if not at zero

    A layer less than 20 % sparse, with more than an equal share of the momentum, drops min(p, its sparsity).
    Starting masks: random_masks(shapes, uniform(shapes, density), rng). Differs from the authors' code, where the
    drop fraction ends at 0.005 and not at 0.
    """
    _check_fraction("rate", rate)
    when, length = _rewirings(epoch, epochs, period, until)
    fall = partial(cosine, alpha=rate, t_end=length) if fraction is None else fraction

    def lowered(p: float, n_active: int, size: int, grows: bool) -> float:
        sparsity = (size - n_active) / max(size, 1)
        return min(p, sparsity) if grows and sparsity < 0.2 else p

    def decide(weights: Arrays, masks: Masks, momentum: dict[str, Array], step: int) -> Mapping[str, Array]:
        p, share = fall(step), shares(momentum, masks)
        n_drop = {
            name: _part(lowered(p, n_active, masks[name].size, grows=share[name] > 1 / len(masks)), n_active)
            for name, n_active in masks.counts.items()
        }
        if redistribute:
            return snfs_update(weights, masks, momentum, n_drop)
        alone = [[{name: tree[name]} for tree in (weights, masks, momentum, n_drop)] for name in masks]
        return {name: mask for layer in alone for name, mask in snfs_update(*layer).items()}

    return Method(observe=smoothed(beta), decide=decide, when=when, fill=fill)


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


def _seen(memory: Any, masks: Masks) -> Arrays:
    """What growth ranks by: gradients as remembered, or where that is a key, positions in a random order.

    As many are drawn as a layer has connections, which always leaves enough that are free.
    """
    if not isinstance(memory, int):
        return memory
    orders: dict[str, Any] = {}
    for name, mask in masks.items():
        drawn = in_random_order(stream(memory, name), mask.size, n_active(mask))
        order = Order(namespace(mask).asarray(drawn), mask.shape)
        orders[name] = order if isinstance(mask, Positions) else order.dense()
    return orders


def _part(fraction: float, n_active: int) -> int:
    """The whole part of a drop fraction of a layer's connections."""
    _check_fraction("fraction", fraction)
    return math.floor(fraction * n_active)


def _check_fraction(name: str, fraction: float) -> None:
    real(name, fraction, "drop fractions from 0 to 1", lambda fraction: 0 <= fraction <= 1)


def _rewirings(
    epoch: int | None, epochs: int | None, period: int | None, until: int | None
) -> tuple[Callable[[int], bool], int]:
    """When to rewire, and the length of the schedule, in batches."""
    if epoch is not None and epochs is not None and period is None and until is None:
        length = whole("epoch", epoch, 1) * whole("epochs", epochs, 1)
        return every(epoch, until=length - 1, begin=epoch - 1), length
    if period is not None and until is not None and epoch is None and epochs is None:
        return every(period, until), until
    given = {"epoch": epoch, "epochs": epochs, "period": period, "until": until}
    raise ValueError(f"got {given}; accepted are epoch and epochs, or period and until")


def l0_loss(
    model: Layer,
    n_examples: int,
    lambda_: float | Mapping[str, float] = 0.1,
    weight_decay: float = 5e-4,
    data_loss: Callable[[Tensor, Any], Tensor] = ops.softmax_cross_entropy,
) -> Callable[[dict[str, Tensor], Any, np.random.Generator], Tensor]:
    """L0 (Louizos et al. 2018): the loss of a gated model on a batch (inputs, targets), for `train` with static().

    n_examples N, the training examples: the penalty on the number of parameters is λ / N, divided here and nowhere
    else, so that the paper's λ = 0.1 / N is lambda_=0.1. A {layer: number} gives each layer its own ("L0-sep").
    weight_decay: of the weights, times the probability of their gate; not divided. Give the optimizer none.
    data_loss(outputs, targets) -> scalar Tensor.

    Differs from the authors' code, which divides the weight decay of LeNet-5 by N, though not that of the MLP. The MLP
    of the paper's table 1 comes out with 5e-4 / N (experiments/louizos.py).
    """
    whole("n_examples", n_examples, 1)
    for price in lambda_.values() if isinstance(lambda_, Mapping) else (lambda_,):
        real("lambda_", price, "finite numbers", lambda price: math.isfinite(price))
    per_example: float | dict[str, float]
    if isinstance(lambda_, Mapping):
        per_example = {layer: own / n_examples for layer, own in lambda_.items()}
    else:
        per_example = lambda_ / n_examples

    def loss_fn(params: dict[str, Tensor], batch: Any, rng: np.random.Generator) -> Tensor:
        inputs, targets = batch
        outputs = model(params, inputs, train=True, rng=rng)
        return data_loss(outputs, targets) + l0.penalty(params, per_example, weight_decay)

    return loss_fn


def clamped(optimizer: Optimizer, limit: float = math.log(100)) -> Optimizer:
    """`optimizer`, with every log α put back into ±limit after each step, as the L0 authors' code does at log 100.

    A gate then never goes too far to come back; nor does P(z ≠ 0) go below 4.71 %, so that expected L0 has that
    floor, even where all test gates are closed. ValueError for a limit that is not positive.
    """
    real("limit", limit, "numbers above 0", lambda limit: limit > 0)

    def update(params: Mapping[str, Array], grads: Mapping[str, Array], slots: dict, step: int) -> tuple[dict, dict]:
        moved, slots = optimizer.update(params, grads, slots, step)
        return {n: namespace(w).clip(w, -limit, limit) if l0.is_gate(n) else w for n, w in moved.items()}, slots

    return Optimizer(optimizer.init, update)


def averaged(
    average: Mapping[str, Array], params: Mapping[str, Array], n: int, beta: float = 0.999
) -> dict[str, Array]:
    """The average of the parameters of n + 1 steps, to evaluate by: those of k steps ago weigh βᵏ.

        average = params
        for step in train(…):
            average = averaged(average, step.params, step.number)

    n: how many were averaged before. The first average is the parameters themselves; all of them are Σ β^(n−i) θ_i
    over Σ β^(n−i), bias-corrected as Adam's moments are. ValueError for β outside [0, 1) or keys that differ.

    Differs from the L0 authors' code, which starts at the initial parameters and yet divides by 1 − β^(n+1); their
    LeNet-5 script does not average at all, for it forgets to hand its --beta_ema on.
    """
    real("beta", beta, "numbers from 0 and below 1", lambda beta: 0 <= beta < 1)
    same_keys(average=average, params=params)
    share = (1 - float(beta)) / (1 - float(beta) ** (whole("n", n, 0) + 1))
    return {name: average[name] + share * (w - average[name]) for name, w in params.items()}


def gradual(final: float, begin: int, end: int, period: int, initial: float = 0.0, steps: int | None = None) -> Method:
    """Gradual pruning (Zhu & Gupta 2017): the smallest weights of every layer go until s_t of it is gone (eq. 1).

    Sparsity rises from `initial` at step `begin` to `final` at `end`; the steps begin, begin + period, … and `end`
    itself prune, after the optimizer's step. A layer keeps size − round(s_t · size) connections, half to even; none
    ever comes back. steps: the run's length in batches, if known, so that an end it never reaches is warned of.
    """
    for name, sparsity in (("initial", initial), ("final", final)):
        real(name, sparsity, "numbers", lambda sparsity: True)
    if not 0 <= initial <= final <= 1:
        raise ValueError(f"initial is {initial}, final is {final}; accepted are 0 ≤ initial ≤ final ≤ 1")
    cubic(begin, begin, end, final, initial)  # refuses an end before the beginning
    if steps is not None and end >= steps:
        warnings.warn(
            f"end is {end}, and the last of the run's {steps} steps is {steps - 1}: "
            f"it will end before the sparsity of {final} is reached",
            stacklevel=2,
        )
    due = every(period, end, begin)

    def decide(weights: dict[str, Array], masks: Masks, memory: None, step: int) -> Mapping[str, Array]:
        sparsity = cubic(step, begin, end, final, initial)
        keep = {name: min(n, masks[name].size - round(sparsity * masks[name].size)) for name, n in masks.counts.items()}
        return {name: magnitude_mask(weights[name], keep[name], mask) for name, mask in masks.items()}

    return Method(observe=forget, decide=decide, when=lambda step: due(step) or step == end)


class Stage(NamedTuple):
    """One round of Han's pruning.

    qualities  {weight name: quality}: the layers to prune, and below which share of their standard deviation
    frozen     names of parameters that retraining leaves as they are: those of the convolutions while linear layers
               are pruned, and the other way round
    """

    qualities: Mapping[str, float]
    frozen: Collection[str] = ()


class Progress(NamedTuple):
    """Where `three_step` or `lottery` is.

    round    0 for the training of the whole network, then 1, 2, …
    phase    "train", "prune", "retrain", or "ticket"
    params   as they are now, and so are `masks`
    step     what `train` yielded; None where connections have just been pruned
    """

    round: int
    phase: str
    params: Mapping[str, Array]
    masks: Masks
    step: Step | None


def three_step(
    loss_fn: Callable[[dict[str, float]], Callable],
    params: Mapping[str, Array],
    batches: Callable[[int], Iterable],
    stages: Sequence[Stage],
    rng: np.random.Generator,
    optimizer: Callable[[float], Optimizer],
    lr: float,
    retrain_lr: float | None = None,
    dropout: Mapping[str, float] | None = None,
    order: Sequence[str] | None = None,
) -> Iterator[Progress]:
    """Train, prune what is below the threshold, retrain what is left, and again (Han et al. 2015, sec. 3).

    loss_fn(rates) -> what `train` takes, with dropout at `rates`: retraining has less of it. L2 is the optimizer's
                weight decay; for L1, add strength * ops.sum(ops.abs(params[name])) to the loss
    batches(round) -> the batches of a round; round 0 trains, and may have none where `params` are trained already
    stages      the rounds of pruning and retraining
    optimizer(lr) -> an Optimizer, new in every round: at `lr` to train, at `retrain_lr` to retrain, which is a tenth
                unless given, as for the paper's LeNets (AlexNet: a hundredth)
    dropout     {weight name: D_o}: the dropout that goes with a layer's connections
    order       the weights from input to output; unless given, the names that end in ".weight" as they come

    Surviving weights are never initialised anew. Truly sparse ones are pruned alike, from the connections they have;
    these are then the original ones of `dropout` too. Yields Progress at every step, and once after every pruning.
    Differs from the paper, where dead units fade away in retraining: they lose their connections when they are pruned,
    those in frozen layers too.
    """
    order = [name for name in params if is_weight(name)] if order is None else list(order)
    rates = dict(dropout or {})
    for given, names in [("dropout", rates), *((f"stage {n}", s.qualities) for n, s in enumerate(stages, 1))]:
        if unknown := [name for name in names if name not in order]:
            raise ValueError(f"{given} names {unknown}; the weights are {order}")
    masks = _everything(params, order)
    original = masks.counts

    for step in train(loss_fn(rates), params, masks, batches(0), static(), rng, optimizer(lr)):
        params = step.params
        yield Progress(0, "train", params, masks, step)

    for number, stage in enumerate(stages, 1):
        kept = {name: threshold_mask(params[name], q, masks[name]) for name, q in stage.qualities.items()}
        masks = Masks(remove_dead_units({**masks, **kept}, order))
        params = project(params, masks)
        yield Progress(number, "prune", params, masks, None)

        fewer = {name: retrain_dropout(rate, masks.counts[name], original[name]) for name, rate in rates.items()}
        descent = frozen(optimizer(lr / 10 if retrain_lr is None else retrain_lr), stage.frozen)
        for step in train(loss_fn(fewer), params, masks, batches(number), static(), rng, descent):
            params = step.params
            yield Progress(number, "retrain", params, masks, step)


def _everything(params: Mapping[str, Array], names: Iterable[str]) -> Masks:
    """Masks of all the connections there are: every weight, and of truly sparse ones those that are stored."""
    weights = {name: params[name] for name in names}
    return Masks({
        name: w.mask if isinstance(w, Compressed) else namespace(w).ones(w.shape, dtype=bool)
        for name, w in weights.items()
    })  # fmt: skip


def winning_ticket(origin: State, trained: State, share: float | Mapping[str, float], globally: bool = False) -> State:
    """Prune the smallest of the trained weights and rewind the others to `origin` (Frankle & Carbin 2019, sec. 2).

    origin, trained: `state` of Steps of one run, or of a run that started from an earlier ticket. Of n connections
    round(share · n), half to even, are pruned: in every layer, by its own share if it has one, or `globally`, by one
    ranking. The ticket is `origin` on the masks that are left: its weights and optimizer slots, and the step from which
    the schedule, the batches and the random numbers go on.

    Differs from the authors' code, which prunes one more.
    """
    masks = trained.masks
    if globally and isinstance(share, Mapping):
        raise ValueError(f"share is {share}; accepted is one number where all layers are ranked together")
    shares = share if isinstance(share, Mapping) else dict.fromkeys(masks, share)
    same_keys(share=shares, masks=masks)
    for name, own in shares.items():
        real(f"share of {name!r}", own, "0 to 1", lambda own: 0 <= own <= 1)
    weights = {name: trained.params[name] for name in masks}
    if isinstance(share, Mapping) or not globally:
        keep = {name: n - round(shares[name] * n) for name, n in masks.counts.items()}
        masks = Masks({name: magnitude_mask(weights[name], keep[name], mask) for name, mask in masks.items()})
    else:
        masks = Masks(global_magnitude_masks(weights, masks.active - round(share * masks.active), masks))
    slots = {name: project(slot, masks) if isinstance(slot, Mapping) else slot for name, slot in origin.slots.items()}
    return origin._replace(params=project(origin.params, masks), masks=masks, slots=slots)


def lottery(
    loss_fn: Callable,
    params: Mapping[str, Array],
    batches: Callable[[int], Iterable],
    share: float | Mapping[str, float],
    rounds: int,
    rng: np.random.Generator,
    optimizer: Optimizer,
    rewind: int = 0,
    globally: bool = False,
) -> Iterator[Progress]:
    """Lottery tickets by iterative magnitude pruning (Frankle & Carbin 2019, sec. 2; rewinding: Frankle et al. 2020).

    Round 0 trains the whole network; each of `rounds` more starts from a `winning_ticket` of the one before.

    loss_fn, optimizer   as `train` takes them
    batches(start) -> the batches number `start`, start + 1, …: the same in every round
    share, globally      as `winning_ticket` takes them; names that end in ".weight" are pruned
    rewind               the step that tickets go back to: 0 is initialisation

    Yields Progress at every step, and once before each round, with its ticket. To train tickets in another way, call
    `winning_ticket` between runs of `train(…, start=ticket)`. ValueError if round 0 ends before step `rewind`.
    """
    whole("rounds", rounds, 0)
    whole("rewind", rewind, 0)
    masks = _everything(params, [name for name in params if is_weight(name)])
    origin = trained = State(0, dict(params), masks, on_values(optimizer).init(params), None, draw_key(rng))
    for number in range(rounds + 1):
        ticket = winning_ticket(origin, trained, share, globally) if number else origin
        yield Progress(number, "ticket", ticket.params, ticket.masks, None)
        trained = ticket
        for step in train(loss_fn, params, masks, batches(ticket.number), static(), rng, optimizer, ticket):
            trained = step.state
            if number == 0 and trained.number == rewind:
                origin = trained
            yield Progress(number, "train", step.params, step.masks, step)
        if origin.number != rewind:
            raise ValueError(f"rewind is {rewind}, but the first round ended after {trained.number} steps")
