"""The primitives: each is its forward pass and its pullback, side by side.

They take Tensors or arrays, which are constants, and return a Tensor of the same dtype. Whole numbers and booleans take
the dtype of the floating-point arguments; float16 is computed in float32 (dtypes). Where each argument has its own
pullback, none is called for a constant: the first layer never computes the gradient of its images.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from .autograd import Tensor, primitive
from .backend import Array, namespace
from .checks import linear_fits
from .storage import door
from .threads import add as plus
from .threads import matmul as product
from .threads import matmul_plus, positive_part, where_positive


@primitive
def add(a: Array, b: Array) -> Any:
    return plus(a, b), lambda g: (g, g)


@primitive
def sub(a: Array, b: Array) -> Any:
    return a - b, (lambda g: g, lambda g: -g)


@primitive
def mul(a: Array, b: Array) -> Any:
    return a * b, (lambda g: g * b, lambda g: g * a)


@primitive
def div(a: Array, b: Array) -> Any:
    return a / b, (lambda g: g / b, lambda g: -g * a / (b * b))


@primitive
def neg(x: Array) -> Any:
    return -x, lambda g: (-g,)


@primitive
def matmul(a: Array, b: Array) -> Any:
    """a @ b over the last two axes."""
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(f"matmul got shapes {a.shape} and {b.shape}; expected arrays of two axes or more")
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"matmul got shapes {a.shape} and {b.shape}; {a.shape[-1]} columns do not match {b.shape[-2]} rows"
        )
    return a @ b, (lambda g: g @ b.swapaxes(-1, -2), lambda g: a.swapaxes(-1, -2) @ g)


@primitive
@door("weight")
def linear(x: Array, weight: Array, bias: Array) -> Any:
    """x @ weight + bias, as one line of the tape: x (N, n_in), weight (n_in, n_out), bias (n_out,)."""
    linear_fits(x, weight, bias)
    return matmul_plus(x, weight, bias), (
        lambda g: product(g, weight.T, like=x),
        lambda g: product(x.T, g),
        lambda g: g.sum(axis=0),
    )


@primitive
def exp(x: Array) -> Any:
    """e to the power of x."""
    y = namespace(x).exp(x)
    return y, lambda g: (g * y,)


@primitive
def log(x: Array) -> Any:
    """The natural logarithm; the slope is 1 / x."""
    return namespace(x).log(x), lambda g: (g / x,)


@primitive
def sqrt(x: Array) -> Any:
    """The square root; the slope is infinite at 0."""
    y = namespace(x).sqrt(x)
    return y, lambda g: (g / (2 * y),)


@primitive
def abs(x: Array) -> Any:
    """|x|, with slope 0 at 0."""
    return namespace(x).abs(x), lambda g: (g * namespace(x).sign(x),)


@primitive
def relu(x: Array) -> Any:
    """max(x, 0), with slope 0 at 0."""
    return positive_part(x), lambda g: (where_positive(g, x),)


@primitive
def sigmoid(x: Array) -> Any:
    """1 / (1 + exp(−x)); both exponents are at most 0, so no x overflows and small results stay exact."""
    xp = namespace(x)
    y = xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-xp.abs(x)))
    return y, lambda g: (g * y * (1 - y),)


@primitive
def tanh(x: Array) -> Any:
    """The hyperbolic tangent; its slope is 1 − tanh²."""
    y = namespace(x).tanh(x)
    return y, lambda g: (g * (1 - y * y),)


@primitive
def clip(x: Array, low: float, high: float) -> Any:
    """min(high, max(low, x)), with slope 0 where it is clipped: this makes exact zeros."""
    inside = (x > low) & (x < high)
    return namespace(x).clip(x, float(low), float(high)), lambda g: (g * inside,)


@primitive
def reshape(x: Array, shape: tuple[int, ...]) -> Any:
    """The same entries in another shape, in C order."""
    return x.reshape(shape), lambda g: (g.reshape(x.shape),)


@primitive
def transpose(x: Array, axes: tuple[int, ...] | None = None) -> Any:
    """Axes in the order `axes`, or reversed."""
    order = tuple(reversed(range(x.ndim))) if axes is None else tuple(a + x.ndim if a < 0 else a for a in axes)
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"axes are {axes}; expected an order of the {x.ndim} axes of shape {x.shape}")
    back = tuple(order.index(axis) for axis in range(x.ndim))
    return x.transpose(order), lambda g: (g.transpose(back),)


@primitive
def sum(x: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """The sum over `axis`, or of all entries."""
    y = x.sum(axis=axis, keepdims=True)
    pulled = lambda g: (namespace(x).broadcast_to(g.reshape(y.shape), x.shape),)
    return (y if keepdims else y.squeeze(axis)), pulled


def _reduced(x: Array, axis: int | tuple[int, ...] | None) -> Array:
    """x, if a mean over `axis` is of at least one number. ValueError if not."""
    along = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    others = math.prod(n for i, n in enumerate(x.shape) if i not in {a % x.ndim for a in along})
    if others and not x.size:
        raise ValueError(f"x has shape {x.shape}; expected at least one number along axis {axis} to take a mean of")
    return x


@primitive
def mean(x: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """The mean over `axis`, or of all entries. ValueError for a mean of none."""
    y = _reduced(x, axis).mean(axis=axis, keepdims=True)
    pulled = lambda g: (namespace(x).broadcast_to(g.reshape(y.shape) * (y.size / max(x.size, 1)), x.shape),)
    return (y if keepdims else y.squeeze(axis)), pulled


@primitive
def softmax_cross_entropy(logits: Array, labels: Any) -> Any:
    """Mean over the batch of −log softmax(logits)[label], computed relative to the row maximum.

    logits (N, classes); labels (N,), integers from 0 to classes − 1, without a gradient.
    ValueError for other shapes, an empty batch or labels out of range; TypeError for labels that are not integers.
    """
    xp = namespace(logits)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"logits have shape {logits.shape}, labels {labels.shape}; expected (N, classes) and (N,), N > 0"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels have dtype {labels.dtype}; expected integers")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"labels reach from {labels.min()} to {labels.max()}; expected 0 to {logits.shape[1] - 1}")
    examples = xp.arange(len(labels))
    z = xp.ascontiguousarray(logits.T)  # (classes, N): sums over classes run along whole rows
    z = z - z.max(axis=0)
    odds = xp.exp(z)
    total = odds.sum(axis=0)
    loss = (xp.log(total) - z[labels, examples]).sum() / len(labels)

    def pullback(g: Array) -> tuple[Array]:
        d = odds / total
        d[labels, examples] -= 1
        d *= g / len(labels)
        return (d.T,)

    return loss, pullback


for _sign, _op in {"add": add, "sub": sub, "mul": mul, "truediv": div, "matmul": matmul}.items():
    setattr(Tensor, f"__{_sign}__", lambda a, b, op=_op: op(a, b))
    setattr(Tensor, f"__r{_sign}__", lambda b, a, op=_op: op(a, b))
Tensor.__neg__ = lambda x: neg(x)

for _sign in ("eq", "ne", "lt", "le", "gt", "ge"):  # of values, as boolean arrays; hash() stays that of the line
    setattr(Tensor, f"__{_sign}__", lambda a, b, sign=_sign: getattr(operator, sign)(a.value, _value(b)))


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Tensor) else x


def _truth(x: Tensor) -> bool:
    if x.value.size != 1:
        raise ValueError(f"a Tensor of shape {x.shape} is neither true nor false; compare one number, or take a sum")
    return bool(x.value.reshape(()))


def _refuse(instead: str) -> Callable:
    """A method that raises TypeError: what Python or NumPy would make of a Tensor has no gradient."""

    def refuse(x: Tensor, *args: Any, **named: Any) -> Any:
        raise TypeError(f"a Tensor of shape {x.shape} {instead}")

    return refuse


Tensor.__bool__ = _truth  # type: ignore[attr-defined]
Tensor.__len__ = lambda x: len(x.value)  # type: ignore[attr-defined]
for _name in ("array", "float", "int", "complex", "index", "round"):
    setattr(
        Tensor, f"__{_name}__", _refuse("would lose its gradient as a number or an array; expected .value for that")
    )
for _name in ("iter", "getitem", "contains"):
    setattr(Tensor, f"__{_name}__", _refuse("has no entries to pick; expected products and sums, or its .value"))
