"""In rounds: train, prune, retrain (Han et al. 2015), and lottery tickets (Frankle & Carbin 2019)."""

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..backend import Array
from ..checks import real, same_keys, whole
from ..masks import Masks, project
from ..methods.magnitude import (
    global_magnitude_masks,
    magnitude_mask,
    remove_dead_units,
    retrain_dropout,
    threshold_mask,
)
from ..optim import Optimizer, frozen, is_weight
from ..storage import adapted, everything
from ..streams import draw_key
from ..train import State, Step, train
from .before import static


class Stage(NamedTuple):
    """One round of Han's pruning.

    qualities  {weight name: quality}: the layers to prune, and their thresholds in standard deviations
    frozen     names of parameters that retraining does not change: the convolutions while linear layers are pruned, and
               vice versa
    """

    qualities: Mapping[str, float]
    frozen: Collection[str] = ()


class Progress(NamedTuple):
    """The progress of `three_step` or `lottery`.

    round    0 for the training of the whole network, then 1, 2, …
    phase    "train", "prune", "retrain", or "ticket"
    params   current, as are `masks`
    step     from `train`; None right after pruning
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
    """Train, prune below the threshold, retrain, and repeat (Han et al. 2015, sec. 3).

    loss_fn(rates) -> the loss for `train`, with dropout at `rates`, lower in retraining. L2 is the optimizer's weight
                decay; for L1, add strength * ops.sum(ops.abs(params[name])) to the loss
    batches(round) -> the batches of a round; round 0 trains, and may be empty if `params` are trained already
    stages      the rounds of pruning and retraining
    optimizer(lr) -> an Optimizer, new in every round: at `lr` to train, at `retrain_lr` to retrain, by default a tenth
                of `lr`, as for the paper's LeNets (AlexNet: a hundredth)
    dropout     {weight name: D_o}: the dropout rate that depends on a layer's connections
    order       the weights from input to output; by default the names that end in ".weight", in dict order

    Surviving weights are never reinitialised. Truly sparse weights are pruned alike, from their stored connections,
    which are then the original connections of `dropout` too. Yields Progress at every step, and once per pruning.
    Differs from the paper, where dead units fade in retraining: here they lose their connections at pruning, in frozen
    layers too.
    """
    order = [name for name in params if is_weight(name)] if order is None else list(order)
    rates = dict(dropout or {})
    for given, names in [("dropout", rates), *((f"stage {n}", s.qualities) for n, s in enumerate(stages, 1))]:
        if unknown := [name for name in names if name not in order]:
            raise ValueError(f"{given} names {unknown}; expected names in {order}")
    if stages and not any(stage.qualities for stage in stages):
        warnings.warn("no stage has qualities: nothing is ever pruned; try Stage({name: 1.0})", stacklevel=2)
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
    """Masks of all stored weights."""
    return Masks({name: everything(params[name]) for name in names})


def winning_ticket(origin: State, trained: State, share: float | Mapping[str, float], globally: bool = False) -> State:
    """Prune the smallest of the trained weights and rewind the others to `origin` (Frankle & Carbin 2019, sec. 2).

    origin, trained: the `state` of Steps of one run, or of a run that started from an earlier ticket. Of n connections
    round(share · n), half to even, are pruned: in every layer (a dict gives each layer's share), or `globally`, in one
    ranking. The ticket is `origin` on the remaining masks: its weights and optimizer slots, and the step from which the
    schedule, the batches and the random numbers continue.

    Differs from the authors' code, which prunes one weight more.
    """
    masks = trained.masks
    if globally and isinstance(share, Mapping):
        raise ValueError(f"share is {share}; expected a number if all layers are ranked together")
    shares = share if isinstance(share, Mapping) else dict.fromkeys(masks, share)
    same_keys(share=shares, masks=masks)
    for name, part in shares.items():
        real(f"share of {name!r}", part, "a number from 0 to 1", lambda part: 0 <= part <= 1)
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

    Round 0 trains the whole network; each of `rounds` more starts from a `winning_ticket` of the previous round.

    loss_fn, optimizer   as for `train`
    batches(start) -> the batches number `start`, start + 1, …: the same in every round
    share, globally      as for `winning_ticket`; names that end in ".weight" are pruned
    rewind               the step to which tickets are rewound: 0 is initialisation

    Yields Progress at every step, and once before each round, with its ticket. To train tickets differently, call
    `winning_ticket` between runs of `train(…, start=ticket)`. ValueError if round 0 ends before step `rewind`.
    """
    whole("rounds", rounds, 0)
    whole("rewind", rewind, 0)
    masks = _everything(params, [name for name in params if is_weight(name)])
    origin = trained = State(0, dict(params), masks, adapted(optimizer, params).init(params), None, draw_key(rng))
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
