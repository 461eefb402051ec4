"""Reverse-mode differentiation: a tape of numbered lines, and the backward pass along it."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import Signature, signature
from itertools import count
from typing import Any

import numpy as np

from .backend import Array, namespace
from .dtypes import floats, in_floats, wide
from .storage import zero_gradient
from .threads import add, one_pool_of_threads

PRIMITIVES: dict[str, Callable[..., "Tensor"]] = {}
_next_line = count(1)


class Tensor:
    """One line of the tape: a value, its parents, and the pullback to them.

    .value a floating-point array; .shape and .dtype of the value; .line its number; .parents the Tensors it came from.
    First derivatives only. TypeError unless the value is a number or a floating-point array.
    """

    __slots__ = ("line", "op", "parents", "pullback", "requires_grad", "value")
    __array_ufunc__ = None  # `array @ tensor` calls the Tensor's operator, not NumPy's

    __add__: Callable[..., "Tensor"]
    __radd__: Callable[..., "Tensor"]
    __sub__: Callable[..., "Tensor"]
    __rsub__: Callable[..., "Tensor"]
    __mul__: Callable[..., "Tensor"]
    __rmul__: Callable[..., "Tensor"]
    __truediv__: Callable[..., "Tensor"]
    __rtruediv__: Callable[..., "Tensor"]
    __matmul__: Callable[..., "Tensor"]
    __rmatmul__: Callable[..., "Tensor"]
    __neg__: Callable[..., "Tensor"]

    def __init__(
        self,
        value: Array,
        parents: tuple["Tensor", ...] = (),
        pullback: Any = None,
        op: str = "leaf",
        requires_grad: bool = True,
    ):
        if op == "leaf" and not (type(value) is np.ndarray and value.dtype.kind == "f"):  # the usual case needs no more
            if getattr(getattr(value, "dtype", None), "kind", "f") != "f":
                raise TypeError(f"a Tensor of dtype {value.dtype} has no gradient; expected floating-point arrays")
            value = floats(value)
        self.value, self.parents, self.pullback = value, parents, pullback
        self.op, self.requires_grad = op, requires_grad
        self.line = next(_next_line)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    def __repr__(self) -> str:
        came_from = ", ".join(f"%{parent.line}" for parent in self.parents)
        return f"%{self.line} = {self.op}({came_from}) {self.shape}"


def as_tensor(x: Tensor | Array) -> Tensor:
    """A Tensor unchanged, an array as a constant."""
    return x if isinstance(x, Tensor) else constant(x)


def constant(value: Array) -> Tensor:
    """A Tensor without a gradient: it starts no tape. Whole numbers and booleans become floating-point numbers."""
    return Tensor(floats(value), op="constant", requires_grad=False)


def primitive(rule: Callable) -> Callable[..., Tensor]:
    """Lift `rule(*arrays, **static) -> (array, pullback)` to act on Tensors.

    The rule gets arrays in place of Tensors, and everything else as passed; arguments annotated `Array` all in one
    floating-point dtype (dtypes.in_floats). The pullback, from the gradient g of the result to those of the arguments,
    has one of three forms:
        pullback(g) -> (gradient, …)    one function for all leading arguments
        (pullback, …)                   a function for each leading argument: only those with a gradient are called, so
                                        the first layer never computes the gradient of its images
        {place: pullback, …}            the same by argument position, where arguments between them have no gradient
    Gradients of broadcast arguments are summed back to their shape by `backward`. TypeError for a Tensor where the rule
    has no gradient, and for a result that is not a floating-point array.
    """
    form, computed = signature(rule), in_floats(rule)

    @wraps(rule)  # so that help and inspect show the rule
    def apply(*args: Any, **static: Any) -> Tensor:
        if static and any(isinstance(a, Tensor) for a in static.values()):
            args, static = _by_position(form, args, static)
        values, parents, places = [], [], []
        for place, a in enumerate(args):
            if isinstance(a, Tensor):
                if a.requires_grad:
                    parents.append(a)
                    places.append(place)
                a = a.value
            values.append(a)
        value, pullback = computed(*values, **static)
        if getattr(getattr(value, "dtype", None), "kind", None) != "f":
            kind = getattr(value, "dtype", type(value).__name__)
            raise TypeError(f"{rule.__name__} gives {kind}; expected a floating-point array")
        return Tensor(value, tuple(parents), (places, pullback), rule.__name__) if parents else constant(value)

    PRIMITIVES[rule.__name__] = apply
    return apply


def _by_position(form: Signature, args: tuple, named: dict) -> tuple[tuple, dict]:
    """The arguments of a call with Tensors given by name, in their places."""
    bound = form.bind(*args, **named)
    bound.apply_defaults()
    if lost := [name for name, a in bound.kwargs.items() if isinstance(a, Tensor)]:
        raise TypeError(f"{lost[0]} is a Tensor, which the rule takes by name only; a gradient needs a place")
    return bound.args, bound.kwargs


def tape(end: Tensor) -> list[Tensor]:
    """Every line that `end` depends on, itself included, oldest first."""
    seen, stack = {end.line: end}, [end]
    while stack:
        for parent in stack.pop().parents:
            if parent.line not in seen:
                seen[parent.line] = parent
                stack.append(parent)
    return [seen[line] for line in sorted(seen)]


def backward(end: Tensor, keep: Iterable[int] | None = None) -> dict[int, Array]:
    """The gradient of a scalar `end` with respect to every line on its tape: {line: gradient}.

    keep: the lines whose gradients are returned; the others are freed after use.
    ValueError if `end` is not a scalar.
    """
    if end.value.size != 1:
        raise ValueError(f"backward starts from a scalar, but the result has shape {end.shape}; take a mean or a sum")
    wanted = None if keep is None else set(keep)
    grads = {end.line: namespace(end.value).ones(end.shape, end.dtype)}
    for t in reversed(tape(end)):
        if not t.parents:
            continue
        g = grads[t.line] if wanted is None or t.line in wanted else grads.pop(t.line)
        places, pullback = t.pullback
        shares = pullback(g) if callable(pullback) else pullback
        for parent, place in zip(t.parents, places, strict=True):
            try:
                share = shares[place]
            except LookupError:
                raise TypeError(
                    f"{t.op} has no gradient for its argument {place}, a Tensor; expected an array or a number"
                ) from None
            share = unbroadcast(share(g) if shares is pullback else share, parent.value)
            before = grads.get(parent.line)
            grads[parent.line] = share if before is None else add(before, share)
    return grads


def unbroadcast(grad: Array, value: Array) -> Array:
    """`grad` summed over the axes along which `value` was stretched, in the dtype of `value`."""
    if grad.shape != value.shape:
        extra = grad.ndim - value.ndim
        stretched = [extra + i for i, n in enumerate(value.shape) if n == 1 and grad.shape[extra + i] != 1]
        grad = grad.sum(axis=(*range(extra), *stretched), dtype=wide(grad.dtype)).reshape(value.shape)
    return grad if grad.dtype == value.dtype else grad.astype(value.dtype)


def value_and_grad(
    loss_fn: Callable[[dict[str, Tensor]], Tensor], params: Mapping[str, Array]
) -> tuple[Array, dict[str, Array]]:
    """The loss at `params`, and its gradient: a dict with the same keys, shapes and dtypes.

    loss_fn takes {name: Tensor} and returns a scalar Tensor. An unused parameter has gradient zero.
    The returned arrays share no memory with each other or with `params`. TypeError naming a parameter that is not a
    floating-point array.
    """
    leaves = {}
    for name, value in params.items():
        try:
            leaves[name] = Tensor(value)
        except TypeError as error:
            raise TypeError(f"parameter {name!r}: {error}") from None
    with one_pool_of_threads():
        loss = loss_fn(leaves)
        if not isinstance(loss, Tensor):
            raise TypeError(f"loss_fn returned {type(loss).__name__}; expected a scalar Tensor")
        if loss.shape != ():
            raise ValueError(f"the loss has shape {loss.shape}; expected a scalar, such as a mean or a sum")
        by_line = backward(loss, keep=[leaf.line for leaf in leaves.values()])
    grads: dict[str, Array] = {}
    taken = set()
    for name, leaf in leaves.items():
        grad = by_line.get(leaf.line)
        if grad is None:
            grad = zero_gradient(leaf.value)
        elif id(grad) in taken or getattr(grad, "base", None) is not None:
            grad = grad.copy()
        taken.add(id(grad))
        grads[name] = grad
    return loss.value.copy(), grads


def gradcheck(f: Callable[..., Tensor], *arrays: Array, eps: float = 1e-6, seed: int = 0) -> float:
    """The error of f's derivative against a central difference, along a random direction, in float64.

    For derivatives a and b: |a − b| / max(1, |a|, |b|). f takes and returns Tensors of any shape.
    ValueError at a kink: one-sided differences that disagree by more than 1e-3 relative.
    """
    xp = namespace(arrays[0])
    rng = np.random.default_rng(seed)
    points = [a.astype(xp.float64) for a in arrays]
    leaves = [Tensor(point) for point in points]
    out = f(*leaves)
    weights = xp.asarray(rng.standard_normal(out.shape))
    directions = [xp.asarray(rng.standard_normal(point.shape)) for point in points]

    pull = Tensor((out.value * weights).sum(), (out,), ((0,), lambda g: (g * weights,)), "weigh")
    grads = backward(pull)
    by_tape = sum(
        float((grads[leaf.line] * d).sum()) for leaf, d in zip(leaves, directions, strict=True) if leaf.line in grads
    )

    def along(step: float) -> float:
        moved = f(*(Tensor(point + step * d) for point, d in zip(points, directions, strict=True)))
        return float((moved.value * weights).sum())

    here, ahead, behind = float(pull.value), along(eps), along(-eps)
    forward, backwards = (ahead - here) / eps, (here - behind) / eps
    if relative_error(forward, backwards) > 1e-3:
        raise ValueError(f"a kink: the slope is {forward:.6g} ahead and {backwards:.6g} behind; move the point off it")
    return relative_error(by_tape, (ahead - behind) / (2 * eps))


def relative_error(a: float, b: float) -> float:
    return abs(a - b) / max(1.0, abs(a), abs(b))
