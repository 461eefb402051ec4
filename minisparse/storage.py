"""What the core asks of an array, however it is stored.

The functions here are for plain arrays, of NumPy or CuPy. A `Stored` array (minisparse.sparse) answers by its method of
the same name: the core never asks what kind of array it has.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from importlib import import_module
from inspect import signature
from typing import Any, TypeVar, cast

import numpy as np

from .backend import Array, namespace
from .streams import in_random_order

Function = TypeVar("Function", bound=Callable)


class Stored:
    """An array in another storage; `home` is a plain array of the library that it belongs to."""

    home: Array

    def answer(self, question: str) -> Callable:
        """Its method of that name. TypeError where it has none."""
        if not hasattr(self, question):
            raise TypeError(f"{self!r} is not a plain array, and has no {question}; expected an array")
        return getattr(self, question)


def door(of: str) -> Callable[[Function], Function]:
    """Decorate a function: where its argument `of` is Stored, call that argument's method of the same name instead.

    The method gets the other arguments. In a dict of arrays, the first that is Stored answers for all of them, by a
    static method that gets the whole dict.
    """

    def made(function: Function) -> Function:
        place, name = list(signature(function).parameters).index(of), function.__name__

        @wraps(function)
        def asked(*args: Any, **named: Any) -> Any:
            array = args[place] if place < len(args) else named.get(of)
            if type(array) is np.ndarray:  # the usual case, asked many times a step
                return function(*args, **named)
            if isinstance(array, Stored):
                others = {key: value for key, value in named.items() if key != of}
                return array.answer(name)(*args[:place], *args[place + 1 :], **others)
            if isinstance(array, Mapping):
                for stored in array.values():
                    if isinstance(stored, Stored):
                        return stored.answer(name)(*args, **named)
            return function(*args, **named)

        return cast(Function, asked)

    return made


@door("value")
def zero_gradient(value: Array) -> Array:
    """The gradient of a parameter that the loss does not use."""
    return namespace(value).zeros_like(value)


@door("mask")
def n_active(mask: Array) -> int:
    """How many connections there are."""
    return int(namespace(mask).count_nonzero(mask))


@door("mask")
def as_factor(mask: Array, dtype: np.dtype) -> Array:
    """The mask as numbers: multiplying by them is twice as fast as by booleans."""
    return _read_only(mask.astype(dtype))


@door("mask")
def frozen(mask: Array, name: str) -> Array:
    """A copy that nobody can write to. ValueError for one that is no mask, with its layer's name."""
    xp = namespace(mask)
    if mask.dtype != bool and not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError(f"mask for {name!r} holds other values than true and false")
    return _read_only(xp.array(mask, dtype=bool))


def _read_only(array: Array) -> Array:
    if hasattr(getattr(array, "flags", None), "writeable"):  # NumPy's; CuPy has no such flag
        array.flags.writeable = False
    return array


@door("array")
def projected(array: Array, mask: Array, in_place: bool = False) -> Array:
    """`array` times `mask`, booleans or `as_factor` of them: zero where there is no connection."""
    return namespace(array).multiply(array, mask, out=array if in_place and array.ndim else None)


@door("weight")
def filled(weight: Array, grown: Array, values: Array) -> Array:
    """A copy of `weight` with `values` where `grown` is true: an array of its shape, or one number for each of them."""
    xp, new = namespace(weight), weight.copy()
    values = xp.asarray(values, dtype=weight.dtype)
    new.ravel()[xp.flatnonzero(grown)] = values[grown] if values.shape == grown.shape else values
    return new


@door("params")
def adapted(optimizer: Any, params: Mapping[str, Array]) -> Any:
    """The optimizer for parameters that are stored in this way."""
    return optimizer


@door("weight")
def everything(weight: Array) -> Array:
    """The mask of all the connections there are."""
    return namespace(weight).ones(weight.shape, dtype=bool)


@door("weight")
def survivors(weight: Array, mask: Array | None) -> Array:
    """The weights that may stay, (n,)."""
    return weight.ravel() if mask is None else weight[mask]


@door("mask")
def random_order(mask: Array, rng: np.random.Generator) -> Array:
    """Scores that put positions in a random order: as many as there are connections, the others share the last place.

    That always leaves enough that are free.
    """
    drawn = in_random_order(rng, mask.size, n_active(mask))
    scores = np.zeros(mask.size)
    scores[drawn] = np.arange(len(drawn), 0, -1)
    return namespace(mask).asarray(scores.reshape(mask.shape))


def initial(
    make: Callable[..., Array], rng: np.random.Generator, shape: tuple[int, ...], dtype: Any, mask: Array | None
) -> Array:
    """The first weights of a layer, make(rng, shape), stored as `mask` is."""
    if isinstance(mask, Stored):
        return import_module(".sparse", __package__).initial(make, rng, dtype, mask)
    return make(rng, shape).astype(dtype)


@door("gradient")
def in_full(gradient: Array, why: str) -> Array:
    """A gradient of which every entry is stored. ValueError, saying why, for another."""
    return gradient


@door("array")
def total(array: Array) -> float:
    """The sum of all entries, in float64."""
    return float(array.sum(dtype="float64"))


@door("array")
def n_not_finite(array: Array) -> int:
    """How many entries are NaN or infinite."""
    return int((~namespace(array).isfinite(array)).sum())


@door("array")
def square(array: Array) -> Array:
    """A number that is finite only if every entry is: the squared norm, or a bound on it.

    One product with itself reads an array once, faster than `isfinite` and without an array of answers.
    """
    flat = array.ravel(order="A")
    return flat.dot(flat)


def are_finite(arrays: Iterable[Array]) -> bool:
    """Is every entry of all arrays finite? Entries beyond 1e19 in float32 overflow the square: these are looked at."""
    arrays = list(arrays)
    with np.errstate(over="ignore", invalid="ignore"):
        bound = sum(square(array) for array in arrays)
    return math.isfinite(bound) or not any(n_not_finite(array) for array in arrays)


def stored_alike(weight: Array, mask: Array) -> None:
    """TypeError where one of them is Stored and the other is not."""
    if isinstance(weight, Stored) != isinstance(mask, Stored):
        kinds = f"weight is {type(weight).__name__}, mask is {type(mask).__name__}"
        raise TypeError(f"{kinds}; expected two arrays, or both truly sparse")
