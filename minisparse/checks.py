"""Checks of arguments, with one wording for each error."""

from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as an int. TypeError unless it is a whole number (True is not), ValueError outside low … high."""
    expected = f"expected a whole number from {low}" + ("" if high is None else f" to {high}")
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; {expected}")
    number = int(value)
    if number < low or (high is not None and number > high):
        raise ValueError(f"{name} is {number}; {expected}")
    return number


def real(name: str, value: Any, expected: str, holds: Callable[[Any], bool]) -> None:
    """TypeError unless `value` is a number (True is not), ValueError unless `holds(value)`.

    expected: the condition in words, "a number in (0, 1]".
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; expected {expected}")
    if not holds(value):
        number: Any = value
        percent = 1 < number <= 100 and holds(number / 100)
        raise ValueError(f"{name} is {value}; expected {expected}" + f". Did you mean {number / 100:g}?" * percent)


def did_you_mean(value: str, choices: Iterable[str]) -> str:
    """ ". Did you mean 'rigl'?" for the choice nearest to `value`; "" where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(value.lower().replace("_", "-"), list(choices), n=1)
    return f". Did you mean {near[0]!r}?" if near else ""


def same_keys(**mappings: Mapping) -> None:
    """ValueError naming the keys that are in only one of two mappings."""
    (a, first), (b, second) = mappings.items()
    if first.keys() != second.keys():
        odd = [f"{k!r} is only in {a}" for k in first if k not in second]
        odd += [f"{k!r} is only in {b}" for k in second if k not in first]
        raise ValueError(f"{a} and {b} must have the same keys; {', '.join(odd)}")


def same_shapes(**arrays: Any) -> None:
    """ValueError naming the first two arguments whose shapes differ."""
    (a, first), *others = arrays.items()
    for b, other in others:
        if tuple(other.shape) != tuple(first.shape):
            raise ValueError(f"{b} has shape {tuple(other.shape)}, {a} has {tuple(first.shape)}")


def linear_fits(x: Any, weight: Any, bias: Any) -> None:
    """ValueError unless x is (N, n_in), weight (n_in, n_out) and bias (n_out,)."""
    of_x, of_weight, of_bias = x.shape, weight.shape, bias.shape
    if len(of_x) != 2 or len(of_weight) != 2 or of_x[1] != of_weight[0] or of_bias != of_weight[1:]:
        raise ValueError(f"x has shape {tuple(of_x)}, weight {tuple(of_weight)}, bias {tuple(of_bias)}; "
                         "expected (N, n_in), (n_in, n_out) and (n_out,)")  # fmt: skip


def masks_fit(masks: Mapping, params: Mapping) -> None:
    """ValueError unless every mask has a parameter of the same name and shape."""
    for name, mask in masks.items():
        if name not in params:
            raise ValueError(f"masks has {name!r}, which is no parameter; the parameters are {list(params)}")
        if tuple(mask.shape) != tuple(params[name].shape):
            raise ValueError(f"mask for {name!r} has shape {tuple(mask.shape)}, weight has {tuple(params[name].shape)}")
