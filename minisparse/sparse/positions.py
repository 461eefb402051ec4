"""A mask as the positions of its connections: its memory follows the connections, not the layer."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any
from weakref import ref

import numpy as np

from ..backend import Array, namespace
from ..checks import same_shapes, whole
from ..storage import Stored
from ..streams import in_random_order, in_rising_order

COUNTED = 2**31 - 1  # what the int32 of SciPy's and CuPy's products counts to; flat positions are int64


def no_array(own: Any, *_: Any, **__: Any) -> Any:
    """The `__array__` of what is stored truly sparse: a library would take it for one object, and be silently wrong."""
    raise TypeError(f"{own!r} is truly sparse, and no array; expected an array, such as its dense()")


class Positions(Stored):
    """A boolean array of `shape` (n_in, n_out), of which only the true entries are written down.

    flat (n,) int64: their flat indices in C order, rising. Nothing in it changes after it is made; `a & b`, `a | b`
    and `~a` make others, as with boolean arrays. `~a` is not written down either: it is what is Complement from a.
    `a & units`, with boolean units (n_in, 1) or (n_out,), leaves the connections of those units.
    ValueError for indices that do not rise, or lie outside the shape; TypeError for others than whole numbers.
    """

    dtype = np.dtype(bool)
    ndim = 2
    __array__ = no_array

    def __init__(self, flat: Array, shape: tuple[int, ...]):
        if len(shape) != 2:
            raise ValueError(f"shape is {tuple(shape)}; expected (n_in, n_out)")
        self.shape, self.size = (shape[0], shape[1]), math.prod(shape)
        namespace(flat)  # refuses what is no array
        if flat.ndim != 1 or flat.dtype.kind not in "iu":
            raise TypeError(f"flat is {flat.dtype} of shape {flat.shape}; expected whole numbers (n,)")
        self.flat = flat.astype(np.int64, copy=False)
        self._origin: tuple[Callable[[], Positions | None], Any] = (lambda: None), None  # see `chosen`
        if len(flat):
            first, last = int(self.flat[0]), int(self.flat[-1])
            if first < 0 or last >= self.size or not bool((self.flat[1:] > self.flat[:-1]).all()):
                raise ValueError(f"flat must rise and stay within 0 to {self.size - 1}")

    @property
    def home(self) -> Array:
        """The array that says which library this belongs to (backend.namespace)."""
        return self.flat

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Positions({len(self.flat):,} of {self.shape})"

    def sum(self) -> int:
        return len(self.flat)

    n_active = sum

    def as_factor(self, dtype: Any) -> "Positions":
        return self

    def frozen(self, name: str) -> "Positions":
        countable(repr(name), self.shape, len(self.flat))
        return self

    def random_order(self, rng: np.random.Generator) -> "Order":
        drawn = in_random_order(rng, self.size, len(self.flat))
        return Order(namespace(self.flat).asarray(drawn), self.shape)

    def any(self, axis: int | None = None) -> Any:
        """Is there a connection; along an axis, which outputs (0) or inputs (1, or -1) have one, as a boolean array."""
        if axis is None:
            return len(self.flat) > 0
        along = whole("axis", axis, -2, 1) % 2
        having = namespace(self.flat).zeros(self.shape[1 - along], dtype=bool)
        having[self.rows if along else self.columns] = True
        return having

    def dense(self) -> Array:
        """The boolean array itself."""
        mask = namespace(self.flat).zeros(self.size, dtype=bool)
        mask[self.flat] = True
        return mask.reshape(self.shape)

    def find(self, flat: Array) -> tuple[Array, Array]:
        """(places, there): where in self.flat the flat indices would be, and whether they are there."""
        xp = namespace(self.flat)
        if not len(self.flat):
            return xp.zeros(len(flat), dtype=np.int64), xp.zeros(len(flat), dtype=bool)
        places = xp.minimum(xp.searchsorted(self.flat, flat), len(self.flat) - 1)
        return places, self.flat[places] == flat

    def has(self, flat: Array) -> Array:
        """Which of the flat indices are here, as a boolean array."""
        return self.find(flat)[1]

    def places_of(self, other: "Positions") -> Array:
        """Where in `flat` each of the other's positions is. ValueError if one is not here, TypeError for an array."""
        self.check(other)
        origin, which = other._origin
        if origin() is self:
            return namespace(which).flatnonzero(which)
        places, there = self.find(other.flat)
        if not bool(there.all()):
            raise ValueError(f"{other} has positions that {self} has not")
        return places

    def chosen(self, which: Array) -> "Positions":
        """Those of them that a boolean array (n,) marks. As long as both are there, it is known which they are."""
        some = Positions(self.flat[which], self.shape)
        some._origin = ref(self), which
        return some

    def _which(self, others: "Positions") -> Array:
        """Which of them are among the others too, as a boolean array (n,)."""
        origin, which = others._origin
        return which if origin() is self else others.has(self.flat)

    def __reduce__(self) -> tuple:
        return Positions, (self.flat, self.shape)

    def within(self, first: int, stop: int) -> Array:
        """The flat indices from `first` to below `stop`, counted from `first`."""
        start, end = namespace(self.flat).searchsorted(self.flat, namespace(self.flat).asarray([first, stop]))
        return self.flat[int(start) : int(end)] - first

    def __invert__(self) -> "Complement":
        return Complement(self)

    def __and__(self, other: "Positions | Complement | Array") -> "Positions":
        if isinstance(other, Positions | Complement):
            same_shapes(positions=self, others=other)
            inside = ~self._which(other.present) if isinstance(other, Complement) else self._which(other)
        else:
            inside = self._of_units(other)
        return self.chosen(inside)

    def _of_units(self, units: Array) -> Array:
        """Which connections come from the inputs, or lead to the outputs, that are marked."""
        n_in, n_out = self.shape
        shape = tuple(units.shape) if units.dtype == bool else ()
        if shape == (n_in, 1):
            return units.ravel()[self.rows]
        if shape == (n_out,):
            return units[self.columns]
        raise TypeError(f"{self} meets an array of {units.dtype} of shape {tuple(units.shape)}; expected beside "
                        f"positions are bool of shape {(n_in, 1)} or {(n_out,)}")  # fmt: skip

    def check(self, other: Any) -> None:
        """TypeError unless `other` is Positions too, ValueError unless it is of the same shape."""
        if not isinstance(other, Positions):
            raise TypeError(f"{self} meets {type(other).__name__}; expected masks that are truly sparse too")
        same_shapes(positions=self, others=other)

    def __or__(self, other: "Positions") -> "Positions":
        self.check(other)
        xp = namespace(self.flat)
        flat = xp.sort(xp.concatenate([self.flat, other.flat]), kind="stable")  # which merges what rises already
        new = xp.ones(len(flat), dtype=bool)
        new[1:] = flat[1:] != flat[:-1]
        return Positions(flat[new], self.shape)

    @cached_property
    def rows(self) -> Array:
        """The input that each connection comes from, (n,) int32."""
        countable("a layer", self.shape, len(self.flat))
        return (self.flat // self.shape[1]).astype(np.int32)

    @cached_property
    def columns(self) -> Array:
        """The output that each connection leads to, (n,) int32."""
        countable("a layer", self.shape, len(self.flat))
        return (self.flat % self.shape[1]).astype(np.int32)

    def moved(self, to: Any) -> "Positions":
        """The same, with every array handed through `to`."""
        flat = to(self.flat)
        return self if flat is self.flat else Positions(flat, self.shape)


def countable(layer: str, shape: tuple[int, ...], n: int) -> None:
    """ValueError naming the layer of this shape if its inputs, outputs or n connections are too many for int32."""
    for number, what in (*zip(shape, ("inputs", "outputs"), strict=False), (n, "connections")):
        if number > COUNTED:
            raise ValueError(f"{layer} has {number:,} {what}; expected at most {COUNTED:,}")


class Complement(Stored):
    """Everything that is not among some Positions: where a connection could grow."""

    dtype = np.dtype(bool)
    __array__ = no_array

    def __init__(self, present: Positions):
        self.present, self.shape, self.size = present, present.shape, present.size

    def __invert__(self) -> Positions:
        return self.present

    def sum(self) -> int:
        return self.size - len(self.present.flat)


class Order(Stored):
    """Positions in a random order: what growth at random ranks by, the first highest. Those not drawn come last.

    drawn (n,) distinct flat indices.
    """

    def __init__(self, drawn: Array, shape: tuple[int, ...]):
        self.drawn, self.shape, self.size = drawn, tuple(shape), math.prod(shape)

    def __abs__(self) -> "Order":
        return self

    def top_k(self, k: int, among: Complement) -> Positions:
        """masks.top_k of these ranks. ValueError if fewer than k of those drawn are free."""
        xp, seen, free = namespace(self.drawn), 0, self.drawn[:0]
        while len(free) < k and seen < len(self.drawn):  # few of the first k are taken where a layer is sparse
            part = in_rising_order(self.drawn[seen : seen + k - len(free)], self.size)
            free = xp.concatenate([free, part[~among.present.has(part)]])
            seen += len(part)
        whole("k", k, 0, len(free))
        return Positions(xp.sort(free, kind="stable"), self.shape)

    def dense(self) -> Array:
        """The same as numbers, (shape): the higher, the earlier."""
        xp = namespace(self.drawn)
        scores = xp.zeros(self.size)
        scores[self.drawn] = xp.arange(len(self.drawn), 0, -1)
        return scores.reshape(self.shape)
