"""What `--method NAME` means: one Entry per method."""

import math
from collections.abc import Callable, Container, Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .. import flops, nn, recipes, sparse
from ..allocate import erdos_renyi_kernel
from ..checks import did_you_mean, real
from ..looks import LOOKS, Look
from ..methods import l0
from ..methods.ac_dc import compressed
from ..methods.srigl import largest_inputs
from ..optim import Optimizer, adam, is_weight, sgd
from ..schedule import cubic, multi_step_rate
from ..streams import draw_key, stream
from ..train import Method
from . import times
from .plan import Arrays, Build, Plan, Task
from .starts import active, all_of, at_random, by_grasp, by_snip, by_synflow, density, everything, loss_of
from .within import (
    shares,
    straight_cost,
    straight_kept,
    straight_loss,
    straight_weights,
    top_kast_cost,
    top_kast_kept,
    top_kast_loss,
    top_kast_weights,
    twice,
)

Formula = Callable[[Task, float, float], float]


def _descent(task: Task, decays: Callable[[str], bool] = is_weight) -> Optimizer:
    plan = task.plan
    if plan.optimizer == "adam":
        return adam(rate_of(task), weight_decay=plan.weight_decay, decays=decays)
    return sgd(rate_of(task), plan.momentum, plan.nesterov, plan.weight_decay, decays)


def _by_paper(name: str) -> Formula:
    return lambda task, dense, sparse: flops.training_cost(name, dense, sparse, task.plan.delta_t)


DENSE, STATIC, SNIP, SET, SNFS, RIGL = map(_by_paper, ("dense", "static", "snip", "set", "snfs", "rigl"))


class Entry(NamedTuple):
    """What `--method NAME` does. Fields with a default are as in dense training.

    about      a few words
    look       in figures
    formula    (task, dense, sparse) -> multiply-adds per example and step, as papers count
    options    fields of Plan that it uses and that some methods do not
    model      (task, width -> the named network) -> the network to train
    masks      (task, params, rng) -> masks before training
    method     (task) -> how they change during training
    loss       (task) -> loss_fn as `train` takes it
    optimizer  (task) -> Optimizer
    kept       (task, params, masks) -> masks of the weights present at inference
    recount    does their number change in batches that change no mask
    inference  (task, params) -> the parameters at inference
    before     batches through the dense network before training, with its initial weights
    gradient   when it needs the gradient of absent weights: "never", "updates" or "always"
    idle       (task) -> why it would never change a mask in this run; None if it does
    step_cost  (task) -> multiply-adds per example of every training step, where masks do not tell them
    refusal    why it cannot be stored truly sparse, a sentence; "" where it can
    budget     (task) -> {name: connections} of the sparse network
    most       (task) -> {name: connections} where it has most of them, at first
    arrays     arguments of sparse.training_memory with which it counts what this method holds
    group      where tables and --methods have it, a key of GROUPS
    """

    about: str
    look: Look
    formula: Formula
    options: tuple[str, ...] = ()
    model: Callable[[Task, Build], nn.Chain] = lambda task, build: task.model
    masks: Callable[[Task, Arrays, np.random.Generator], Arrays] = lambda task, params, rng: {}
    method: Callable[[Task], Method] = lambda task: recipes.static()
    loss: Callable[[Task], Callable] = lambda task: loss_of(task.model)
    optimizer: Callable[[Task], Optimizer] = _descent
    kept: Callable[[Task, Arrays, Arrays], Arrays] = lambda task, params, masks: masks
    recount: bool = False
    inference: Callable[[Task, Arrays], Arrays] = lambda task, params: params
    before: int = 0
    gradient: str = "never"
    idle: Callable[[Task], times.Idle | None] = lambda task: None
    step_cost: Callable[[Task], float] | None = None
    refusal: str = ""
    group: str = "during"
    budget: Callable[[Task], dict[str, int]] = active
    most: Callable[[Task], dict[str, int]] = active
    arrays: Mapping[str, Any] = {}


def _rigl(task: Task, **watch: Any) -> Method:
    plan: Any = task.plan
    return recipes.rigl(plan.alpha, plan.delta_t, plan.t_end, task.steps, **watch)


def _gradual(task: Task) -> Method:
    """Every ΔT batches from T_end / 4 to T_end, where every layer has the budget's overall sparsity."""
    plan: Any = task.plan
    return recipes.gradual(1 - density(task), plan.t_end // 4, plan.t_end, plan.delta_t, steps=task.steps)


def _gradual_cost(task: Task, dense: float, sparse: float) -> float:
    plan: Any = task.plan
    return flops.pruning_cost(dense, sparse, plan.t_end // 4, plan.t_end, task.steps, period=1)


def _dsr(task: Task) -> Method:
    """Moving a tenth of the connections each time: the authors' 1 % of all weights, at their sparsity of 0.9."""
    plan: Any = task.plan
    return recipes.dsr(max(1, round(0.1 * sum(active(task).values()))), plan.delta_t, plan.t_end)


def _halved(task: Task) -> dict[str, float]:
    """The densities of GraNet's first masks: ERK at a sparsity of 0.5, or the budget's if that is lower."""
    return erdos_renyi_kernel(task.shapes, max(0.5, density(task)))


def _first_half(task: Task) -> dict[str, int]:
    return active(task._replace(densities=_halved(task)))


def _half(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    return at_random(task._replace(densities=_halved(task)), params, rng)


def _granet(task: Task) -> Method:
    plan: Any = task.plan
    final = 1 - density(task)
    return recipes.granet(final, plan.t_end, plan.delta_t, min(0.5, final), steps=task.steps)


def _granet_cost(task: Task, dense: float, sparse: float) -> float:
    """Three times what the last update left, as for gradual pruning, and the dense gradient of each update."""
    plan: Any = task.plan
    end, period, first = plan.t_end, plan.delta_t, task.forward(shares(task, _first_half(task)))
    updates = [*range(period, end, period), end]
    pruned = {step: cubic(step, 0, end, final=1.0) for step in updates}
    left = lambda step: first - (first - sparse) * pruned[step] if step in pruned else first
    spans = pairwise([-1, *(step for step in updates if step < task.steps), task.steps - 1])
    total = sum(3 * left(begin) * (stop - begin) for begin, stop in spans)
    gradients = sum(dense - left(before) for before, step in pairwise([-1, *updates]) if step < task.steps)
    return (total + gradients) / task.steps


def _fan_ins(task: Task) -> dict[str, int]:
    """The inputs of every neuron: those of the budget, rounded half to even, and at least one."""
    shapes = task.shapes
    return {name: max(1, round(n / shapes[name][-1])) for name, n in active(task).items()}


def _constant_fan_in(task: Task, params: Arrays, rng: np.random.Generator) -> Arrays:
    if task.plan.storage == "sparse":
        return sparse.random_fan_in(task.shapes, _fan_ins(task), rng)
    key = draw_key(rng)
    noise = {name: stream(key, name).random(shape) for name, shape in task.shapes.items()}
    return {name: largest_inputs(noise[name], k, noise[name] >= 0) for name, k in _fan_ins(task).items()}


def _of_fan_ins(task: Task) -> dict[str, int]:
    shapes = task.shapes
    return {name: k * shapes[name][-1] for name, k in _fan_ins(task).items()}


def _srigl(task: Task) -> Method:
    """The neurons of the last layer are classes: none is ablated."""
    plan: Any = task.plan
    budget = _of_fan_ins(task)
    last = [name for name in budget if name == list(task.costs)[-1]]
    return recipes.srigl(budget, plan.alpha, plan.delta_t, plan.t_end, never=last)


def _phases(task: Task) -> tuple[int, int, int]:
    """The paper's shares of a run: a tenth dense, then phases of a twentieth; compressed from T_end on."""
    plan: Any = task.plan
    warmup = max(1, task.steps // 10)
    return warmup, max(1, task.steps // 20), max(warmup, plan.t_end)


def _ac_dc_cost(task: Task, dense: float, sparse: float) -> float:
    n_sparse = sum(compressed(step, *_phases(task)) for step in range(task.steps))
    return 3 * (n_sparse * sparse + (task.steps - n_sparse) * dense) / task.steps


def _lottery_cost(task: Task, dense: float, sparse: float) -> float:
    """All trainings together, each with the weights that pruning left of every layer."""
    rounds: Any = task.plan.rounds
    left, total = all_of(task), 3 * dense
    for _ in range(rounds):
        left = {name: n - round((1 - task.densities[name] ** (1 / rounds)) * n) for name, n in left.items()}
        total += 3 * task.forward(shares(task, left))
    return total


def _top_kast_optimizer(task: Task) -> Optimizer:
    decays = lambda name: is_weight(name) and name not in task.densities
    if not any(map(decays, task.model.shapes())):
        task = task._replace(plan=task.plan._replace(weight_decay=0.0))
    descent = _descent(task, decays)
    return recipes.top_kast_optimizer(descent, twice(task))


def _narrow(task: Task, build: Build) -> nn.Chain:
    """The widest network of the family with no more parameters than the sparse one."""
    shapes = task.shapes
    absent = sum((1 - density) * math.prod(shapes[name]) for name, density in task.densities.items())
    measure = lambda model: sum(map(math.prod, model.shapes().values()))
    return recipes.small_dense(build, measure(task.model) - absent, measure)[1]


def _gated(task: Task, build: Build) -> nn.Chain:
    """Gates on the inputs of linear layers and the outputs of convolutions, with a drop rate of one half at first."""
    kinds = {site.name.removesuffix(".weight"): site.kind for site in nn.sites(task.model, task.shape)}
    return nn.gated(task.model, {name: 0.5 for name, kind in kinds.items() if kind != "depthwise"})


def _l0_loss(task: Task) -> Callable:
    return recipes.l0_loss(task.model, len(task.train_set[1]), task.plan.penalty, task.plan.weight_decay)


def checked(methods: dict[str, Entry]) -> dict[str, Entry]:
    """`methods`. ValueError naming an entry that contradicts itself or Plan, or looks like another."""
    seen: dict[tuple[str, str], str] = {}
    for name, entry in methods.items():
        other = seen.setdefault((entry.look.colour, entry.look.marker), name)
        if other != name:
            raise ValueError(f"{name} has the colour and marker of {other}; expected a look of its own")
        if entry.gradient != "never" and entry.formula in (STATIC, SNIP, SET):
            raise ValueError(f"{name} needs dense gradients ({entry.gradient}); expected a formula that counts them")
        if entry.group not in GROUPS:
            raise ValueError(f"{name} is in the group {entry.group!r}; expected {', '.join(GROUPS)}")
        if unknown := [option for option in entry.options if option not in Plan._fields]:
            raise ValueError(f"{name} has option {unknown[0]!r}; expected fields of Plan")
        if 0 < len(set(BUDGET) & set(entry.options)) < len(BUDGET):
            raise ValueError(f"{name} has some of the options {', '.join(BUDGET)}; expected all or none")
    return methods


GROUPS = {
    "baselines": "what to compare with",
    "before": "masks from before training",
    "during": "masks that move during training",
    "pruning": "from all weights to few",
    "within": "masks that follow from the weights, or are trained with them, in every batch",
}
NO_MASKS = "it trains no sparse weights"
NO_ARRAYS = {"method": "dense"}
ALL_KEPT = "all weights are kept and trained, absent ones too"
DRAWS_FOR_ALL = "it draws a random number for every absent weight"
BUDGET = ("sparsity", "distribution", "dense")
TIMES = ("delta_t", "t_end")
METHODS = checked({
    "dense": Entry("all weights", LOOKS["dense"], DENSE, refusal=NO_MASKS, group="baselines", arrays=NO_ARRAYS),
    "small-dense": Entry(
        "a narrower network with as many parameters", LOOKS["small-dense"], STATIC, BUDGET,
        model=_narrow, refusal=NO_MASKS, group="baselines", arrays=NO_ARRAYS,
    ),
    "static": Entry("fixed random masks", LOOKS["static"], STATIC, BUDGET, masks=at_random, group="baselines"),
    "snip": Entry(
        "masks by sensitivity before training", LOOKS["snip"], SNIP, BUDGET, masks=by_snip, before=1, group="before"
    ),
    "grasp": Entry(
        "masks by gradient flow before training", LOOKS["grasp"], SNIP, BUDGET, masks=by_grasp, before=3, group="before"
    ),
    "synflow": Entry(
        "masks by synaptic flow, without data", LOOKS["synflow"], SNIP, BUDGET, masks=by_synflow, before=1,
        group="before",
    ),
    "deep-r": Entry(
        "random growth where weights would change sign; its paper: --momentum 0", LOOKS["deep-r"], STATIC,
        BUDGET, masks=at_random, method=lambda task: recipes.deep_r(),
        loss=lambda task: recipes.deep_r_loss(loss_of(task.model), include=task.densities.__contains__),
        refusal=DRAWS_FOR_ALL, arrays={"method": "deep-r"},
    ),
    "set": Entry(
        "random growth after every epoch", LOOKS["set"], SET, (*BUDGET, "zeta"), masks=at_random,
        method=lambda task: recipes.set(task.plan.zeta, task.per_epoch, task.plan.epochs),
        idle=times.by_epochs("zeta", falls=False),
    ),
    "snfs": Entry(
        "growth by smoothed gradients after every epoch", LOOKS["snfs"], SNFS, (*BUDGET, "prune_rate"),
        masks=at_random, gradient="always",
        method=lambda task: recipes.snfs(task.plan.prune_rate, task.per_epoch, task.plan.epochs),
        idle=times.by_epochs("prune_rate", falls=True), refusal=recipes.DENSE_BY_DEFINITION,
        arrays={"method": "snfs"},
    ),
    "dsr": Entry(
        "random growth of what falls below one threshold", LOOKS["dsr"], STATIC, (*BUDGET, *TIMES),
        masks=at_random, method=_dsr, idle=times.by_period, refusal=DRAWS_FOR_ALL,
    ),
    "rigl-random": Entry(
        "rigl with random growth", LOOKS["rigl-random"], STATIC, (*BUDGET, "alpha", *TIMES),
        masks=at_random, method=lambda task: _rigl(task, watch=recipes.noise), idle=times.by_batches,
    ),
    "rigl": Entry(
        "growth by gradients every ΔT batches", LOOKS["rigl"], RIGL, (*BUDGET, "alpha", *TIMES),
        masks=at_random, method=_rigl, gradient="updates", idle=times.by_batches, arrays={"method": "rigl"},
    ),
    "granet": Entry(
        "pruning from a sparsity of 0.5 with regrowth by gradients, every ΔT batches up to T_end",
        LOOKS["granet"], _granet_cost, (*BUDGET, *TIMES), masks=_half, method=_granet, gradient="updates",
        idle=times.to_the_end, most=_first_half, arrays={"method": "rigl", "alpha": 0.5},
    ),
    "srigl": Entry(
        "rigl with a constant fan-in, without neurons that matter little", LOOKS["srigl"], RIGL,
        (*BUDGET, "alpha", *TIMES), masks=_constant_fan_in, method=_srigl, gradient="updates",
        idle=times.by_batches, budget=_of_fan_ins, most=_of_fan_ins, arrays={"method": "rigl"},
    ),
    "ac-dc": Entry(
        "pruning and restoring all weights in turn, compressed from T_end on", LOOKS["ac-dc"], _ac_dc_cost,
        (*BUDGET, "t_end"), masks=everything,
        method=lambda task: recipes.ac_dc(density(task), *_phases(task)),
        optimizer=lambda task: recipes.restarted(_descent(task), *_phases(task)),
        refusal="its decompression phases train all weights", group="pruning", most=all_of,
    ),
    "gradual": Entry(
        "pruning by magnitude every ΔT batches up to T_end", LOOKS["gradual"], _gradual_cost,
        (*BUDGET, *TIMES), masks=everything, method=_gradual, idle=times.to_the_end, group="pruning", most=all_of,
    ),
    "lottery": Entry(
        "rounds of training and pruning, rewinding after each", LOOKS["lottery"], _lottery_cost,
        (*BUDGET, "rounds"), masks=everything, group="pruning", most=all_of, arrays={"method": "lottery"},
    ),
    "top-kast": Entry(
        "the largest weights forward, twice as many backward", LOOKS["top-kast"], top_kast_cost, BUDGET,
        masks=everything,
        loss=top_kast_loss, optimizer=_top_kast_optimizer, kept=top_kast_kept, inference=top_kast_weights,
        step_cost=lambda task: top_kast_cost(task, 0, 0), refusal=ALL_KEPT, group="within", most=all_of,
    ),
    "ste": Entry(
        "the largest weights forward, gradients straight through to all", LOOKS["ste"], straight_cost,
        BUDGET, masks=everything, loss=straight_loss, kept=straight_kept, inference=straight_weights,
        gradient="always", step_cost=lambda task: straight_cost(task, 0, 0), refusal=ALL_KEPT, group="within",
        most=all_of,
    ),
    "ste-random": Entry(
        "other weights forward in every batch, at random, gradients straight through to all",
        LOOKS["ste-random"], straight_cost, BUDGET, masks=everything, loss=straight_loss, kept=straight_kept,
        inference=straight_weights, gradient="always", step_cost=lambda task: straight_cost(task, 0, 0),
        refusal=ALL_KEPT, group="within", most=all_of,
    ),
    "l0": Entry(
        "gates that close during training, to a sparsity it finds; its paper: --optimizer adam --lr 0.001",
        LOOKS["l0"], DENSE, ("penalty",), model=_gated, loss=_l0_loss,
        optimizer=lambda task: recipes.clamped(_descent(task._replace(plan=task.plan._replace(weight_decay=0.0)))),
        kept=lambda task, params, masks: l0.masks(params), recount=True, refusal=NO_MASKS, group="within",
        arrays=NO_ARRAYS,
    ),
})  # fmt: skip


def methods_of(chosen: Iterable[str], possible: Container[str] = METHODS) -> list[str]:
    """The methods that `--methods` names, in the order of METHODS: names and groups, with commas between them.

    A group stands for those of its methods that are `possible`. ValueError for another name.
    """
    found: set[str] = set()
    for word in (word.strip() for text in chosen for word in text.split(",")):
        if word not in METHODS and word not in GROUPS:
            near = did_you_mean(word, [*METHODS, *GROUPS])
            raise ValueError(f"--method is {word!r}; expected {', '.join(METHODS)}, or a group: "
                             f"{', '.join(GROUPS)}{near}")  # fmt: skip
        found |= {word} if word in METHODS else {n for n, e in METHODS.items() if e.group == word and n in possible}
    return [name for name in METHODS if name in found]


def users(option: str) -> list[str]:
    """The methods that use a field of Plan; none for a field that every method uses."""
    return [name for name, entry in METHODS.items() if option in entry.options]


def unused(method: str) -> list[str]:
    """The fields of Plan that only other methods use."""
    return [option for option in Plan._fields if (names := users(option)) and method not in names]


def rate_of(task: Task) -> Callable[[int], float]:
    """The learning rate at a step. ValueError for options that give none."""
    plan = task.plan
    options = {"--lr": (plan.lr,), "--lr-factor": (plan.lr_factor,), "--lr-drops": plan.lr_drops}
    for option, value in ((option, value) for option, given in options.items() for value in given):
        real(option, value, "a finite number from 0", lambda value: 0 <= value < math.inf)
    return multi_step_rate(plan.lr, [round(epoch * task.per_epoch) for epoch in plan.lr_drops], plan.lr_factor)
