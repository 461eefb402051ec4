"""The training loop, the same for every method. It yields a `Step` per batch, to inspect or keep."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .active import updated
from .autograd import Tensor, value_and_grad
from .backend import Array, keep_freed_memory
from .checks import masks_fit, same_keys
from .masks import Masks, project
from .optim import Optimizer, sgd
from .storage import adapted, are_finite, filled, n_not_finite
from .streams import draw_key, step_streams, stream

Arrays = Mapping[str, Array]
Loss = Callable[[dict[str, Tensor], Any, np.random.Generator], Tensor]
MAKERS = {"method": "recipes.rigl()", "optimizer": "sgd(0.1)"}
ADVICE = "try a smaller learning rate, inputs of a smaller scale, or a loss without log(0) or division by zero"


class Method(NamedTuple):
    """How masks change during training: `observe` every step, `decide` on some.

    observe(memory, grads, rng) -> memory           every step; memory is None before the first, grads are dense
    decide(weights, masks, memory, step) -> masks   the next masks; dicts with the masks' keys
    when(step) -> bool                              does this step change masks
    pauses                                          does a mask change replace the step's optimizer step
    fill(name, grown, weights, grads, rng)          values for the grown weights: an array of the layer's shape, or one
                                                    value each, with an rng per layer; they start at zero without it
    remember(memory, weights, masks) -> memory      after a mask change, with the weights and masks that it left
    """

    observe: Callable[[Any, dict[str, Array], np.random.Generator], Any]
    decide: Callable[[dict[str, Array], Masks, Any, int], Mapping[str, Array]]
    when: Callable[[int], bool]
    pauses: bool = False
    fill: Callable[[str, Array, Arrays, Arrays, np.random.Generator], Array] | None = None
    remember: Callable[[Any, dict[str, Array], Masks], Any] | None = None


class State(NamedTuple):
    """Everything a run needs to continue as if it had not stopped."""

    number: int
    params: dict[str, Array]
    masks: Masks
    slots: dict
    memory: Any
    key: int


class Step(NamedTuple):
    """The result of one batch.

    number    batches before this one
    loss      on this batch, before the step
    params    after the step, as are `masks` and `slots`; weights and slots are zero where their mask is false
    grads     of this batch at the weights before the step, dense (absent weights included), without weight decay
    rewired   did this step change masks
    state     continues the run after this step: `train(start=…)`
    """

    number: int
    loss: float
    params: dict[str, Array]
    grads: dict[str, Array]
    masks: Masks
    slots: dict
    rewired: bool
    state: State


def train(
    loss_fn: Loss,
    params: Arrays,
    masks: Mapping[str, Array],
    batches: Iterable,
    method: Method,
    rng: np.random.Generator,
    optimizer: Optimizer = sgd(0.1),  # noqa: B008
    start: State | None = None,
) -> Iterator[Step]:
    """Yield one `Step` per batch.

    loss_fn(params, batch, rng) -> scalar Tensor; batch is whatever `batches` yields; its rng is a Generator for
    this step, made from a key that is drawn from `rng` once: a run resumed at any step draws the same numbers.
    masks {name: bool array}: a subset of the parameters; the others stay dense.
    Truly sparse parameters and masks (minisparse.sparse) are trained alike.
    start: the `state` of an earlier Step; parameters, masks, slots, memory and key then come from it, and `batches`
    from where it stopped.

    Nothing yielded is written to afterwards. The process keeps memory it frees (backend.keep_freed_memory).

    ValueError for masks that do not fit the parameters, TypeError for arguments of another type. FloatingPointError
    naming step and parameter if the loss or a gradient is not finite, before that step is yielded. Warns of a
    method that changes masks where there are none.
    """
    for name, given, kind in (("method", method, Method), ("optimizer", optimizer, Optimizer)):
        if not isinstance(given, kind):
            raise TypeError(f"{name} is {given!r}; expected {kind.__name__}, such as {MAKERS[name]}")
    if start is not None and not isinstance(start, State):
        raise TypeError(f"start is {type(start).__name__}; expected the state of a Step")
    keep_freed_memory()
    if start is None:
        masks_fit(masks, params)
        masks = Masks(masks)
        params = project(params, masks)
        optimizer = adapted(optimizer, params)
        start = State(0, params, masks, optimizer.init(params), None, draw_key(rng))
    else:
        same_keys(params=params, start=start.params)
        same_keys(masks=masks, start=start.masks)
        optimizer = adapted(optimizer, start.params)
        params, slots = _restore(start.params, start.slots, start.masks)
        start = start._replace(params=params, slots=slots)
    return _steps(loss_fn, batches, method, optimizer, *start)


def _steps(
    loss_fn: Callable,
    batches: Iterable,
    method: Method,
    optimizer: Optimizer,
    first: int,
    params: dict[str, Array],
    masks: Masks,
    slots: dict,
    memory: Any,
    key: int,
) -> Iterator[Step]:
    stream_of = step_streams(key)
    acts_on_nothing = not masks
    for number, batch in enumerate(batches, first):
        rng = stream_of(number)
        loss, grads = value_and_grad(lambda p: loss_fn(p, batch, rng), params)  # noqa: B023
        if not (math.isfinite(loss) and are_finite(grads.values())):
            raise _diverged(number, loss, params, grads)
        memory = method.observe(memory, {name: grads[name] for name in masks}, rng)
        rewired, before = method.when(number), masks
        if rewired and acts_on_nothing:
            warnings.warn(f"masks is empty: the method acts on none of {list(params)} (at step {number}); expected a "
                          "mask for each weight that it prunes or rewires", stacklevel=2)  # fmt: skip
            acts_on_nothing = False

        if not (rewired and method.pauses):
            params, slots = updated(optimizer, params, grads, slots, masks, number)
        if rewired:
            masks = Masks(method.decide({name: params[name] for name in masks}, masks, memory, number))
            same_keys(masks=before, decided=masks)
            params, slots = _restore(params, slots, masks)
        if rewired and method.fill:
            params = _filled(method.fill, params, before, masks, grads, rng)
        if rewired and method.remember:
            memory = method.remember(memory, {name: params[name] for name in masks}, masks)

        state = State(number + 1, params, masks, slots, memory, key)
        yield Step(number, float(loss), params, grads, masks, slots, rewired, state)


def _diverged(number: int, loss: Array, params: Arrays, grads: Arrays) -> FloatingPointError:
    """The error for a loss or gradient that is not finite, naming the parameter where it first occurs."""
    if not math.isfinite(loss):
        bad = not_finite(params)
        there = f"{bad[0]!r} is not finite" if bad else "all parameters are finite"
        return FloatingPointError(f"the loss is {float(loss)} at step {number}, where {there}; {ADVICE}")
    name = not_finite(grads)[-1]
    return FloatingPointError(
        f"the gradient of {name!r} is not finite at step {number}, where the loss is {float(loss):.6g}; {ADVICE}"
    )


def not_finite(arrays: Mapping[str, Any]) -> list[str]:
    """The names of arrays that contain NaN or infinity."""
    return [name for name, array in arrays.items() if n_not_finite(array)]


def _restore(params: dict[str, Array], slots: dict, masks: Masks) -> tuple[dict[str, Array], dict]:
    """The invariant: weights and every slot are zero where the mask is."""
    slots = {name: project(slot, masks) if isinstance(slot, Mapping) else slot for name, slot in slots.items()}
    return project(params, masks), slots


def _filled(
    fill: Callable, params: dict[str, Array], before: Masks, masks: Masks, grads: Arrays, rng: np.random.Generator
) -> dict[str, Array]:
    """`params` with the values of `fill` at newly active positions."""
    weights, key = {name: params[name] for name in masks}, draw_key(rng)
    new = {}
    for name, mask in masks.items():
        grown = mask & ~before[name]
        new[name] = filled(params[name], grown, fill(name, grown, weights, grads, stream(key, name)))
    return params | new
