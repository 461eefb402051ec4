"""A mask as the positions of its connections, with memory proportional to them, not to the layer."""

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

COUNTED = 2**31 - 1  # the largest int32, used in SciPy's and CuPy's products; flat positions are int64


def no_array(stored: Any, *_: Any, **__: Any) -> Any:
    """The `__array__` of sparse storage: an error, since NumPy would wrap it as an object and be silently wrong."""
    raise TypeError(f"{stored!r} is truly sparse; expected an array, such as its dense()")


class Positions(Stored):
    """A boolean array of `shape` (n_in, n_out), of which only the true entries are stored.

    flat (n,) int64: their flat indices in C order, increasing. Immutable: `a & b`, `a | b` and `~a` make new masks, as
    for boolean arrays; `~a` is a Complement. `a & units`, with boolean units (n_in, 1) or (n_out,), keeps the
    connections of those units.
    ValueError for indices that do not increase or lie outside the shape; TypeError unless they are integers.
    """

    dtype = np.dtype(bool)
    ndim = 2
    __array__ = no_array

    def __init__(self, flat: Array, shape: tuple[int, ...]):
        if len(shape) != 2:
            raise ValueError(f"shape is {tuple(shape)}; expected (n_in, n_out)")
        self.shape, self.size = (shape[0], shape[1]), math.prod(shape)
        namespace(flat)  # refuses anything but an array
        if flat.ndim != 1 or flat.dtype.kind not in "iu":
            raise TypeError(f"flat is {flat.dtype} of shape {flat.shape}; expected integers of shape (n,)")
        self.flat = self.home = flat.astype(np.int64, copy=False)
        self._origin: tuple[Callable[[], Positions | None], Any] = (lambda: None), None  # see `chosen`
        if len(flat):
            first, last = int(self.flat[0]), int(self.flat[-1])
            if first < 0 or last >= self.size or not bool((self.flat[1:] > self.flat[:-1]).all()):
                raise ValueError(f"flat must rise and stay within 0 to {self.size - 1}")

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
        """Is there a connection; with an axis, which outputs (0) or inputs (1 or -1) have one, a boolean array."""
        if axis is None:
            return len(self.flat) > 0
        along = whole("axis", axis, -2, 1) % 2
        having = namespace(self.flat).zeros(self.shape[1 - along], dtype=bool)
        having[self.rows if along else self.columns] = True
        return having

    def fan_ins(self) -> Array:
        """methods.srigl.fan_ins: the number of connections of every output, (n_out,)."""
        return namespace(self.flat).bincount(self.columns, minlength=self.shape[1])

    def dense(self) -> Array:
        """The boolean array."""
        mask = namespace(self.flat).zeros(self.size, dtype=bool)
        mask[self.flat] = True
        return mask.reshape(self.shape)

    def find(self, flat: Array) -> tuple[Array, Array]:
        """(places, found): where in self.flat the flat indices would be, and whether they are present."""
        xp = namespace(self.flat)
        if not len(self.flat):
            return xp.zeros(len(flat), dtype=np.int64), xp.zeros(len(flat), dtype=bool)
        places = xp.minimum(xp.searchsorted(self.flat, flat), len(self.flat) - 1)
        return places, self.flat[places] == flat

    def has(self, flat: Array) -> Array:
        """Which of the flat indices are present, as a boolean array."""
        return self.find(flat)[1]

    def places_of(self, other: "Positions") -> Array:
        """The place in `flat` of each position of `other`. ValueError if any is missing, TypeError for an array."""
        self.check(other)
        origin, which = other._origin
        if origin() is self:
            return namespace(which).flatnonzero(which)
        places, found = self.find(other.flat)
        if not bool(found.all()):
            raise ValueError(f"{other} has positions that {self} does not have")
        return places

    def chosen(self, which: Array) -> "Positions":
        """The positions that a boolean array (n,) marks. While both live, the selection is remembered."""
        subset = Positions(self.flat[which], self.shape)
        subset._origin = ref(self), which
        return subset

    def _which(self, others: "Positions") -> Array:
        """Which of these positions are also in `others`, as a boolean array (n,)."""
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
        """Which connections start at the marked inputs, or end at the marked outputs."""
        n_in, n_out = self.shape
        shape = tuple(units.shape) if units.dtype == bool else ()
        if shape == (n_in, 1):
            return units.ravel()[self.rows]
        if shape == (n_out,):
            return units[self.columns]
        raise TypeError(f"{self} meets an array of {units.dtype} of shape {tuple(units.shape)}; expected bool "
                        f"of shape {(n_in, 1)} or {(n_out,)}")  # fmt: skip

    def check(self, other: Any) -> None:
        """TypeError unless `other` is Positions, ValueError unless it has the same shape."""
        if not isinstance(other, Positions):
            raise TypeError(f"{self} meets {type(other).__name__}; expected a truly sparse mask")
        same_shapes(positions=self, others=other)

    def __or__(self, other: "Positions") -> "Positions":
        self.check(other)
        xp = namespace(self.flat)
        flat = xp.sort(xp.concatenate([self.flat, other.flat]), kind="stable")  # merges the sorted halves
        new = xp.ones(len(flat), dtype=bool)
        new[1:] = flat[1:] != flat[:-1]
        return Positions(flat[new], self.shape)

    @cached_property
    def rows(self) -> Array:
        """The input of each connection, (n,) int32."""
        countable("a layer", self.shape, len(self.flat))
        return (self.flat // self.shape[1]).astype(np.int32)

    @cached_property
    def columns(self) -> Array:
        """The output of each connection, (n,) int32."""
        countable("a layer", self.shape, len(self.flat))
        return (self.flat % self.shape[1]).astype(np.int32)

    def moved(self, to: Any) -> "Positions":
        """A copy with `to` applied to every array."""
        flat = to(self.flat)
        return self if flat is self.flat else Positions(flat, self.shape)


def countable(layer: str, shape: tuple[int, ...], n: int) -> None:
    """ValueError naming the layer if its inputs, outputs or n connections are too many for int32."""
    for number, what in (*zip(shape, ("inputs", "outputs"), strict=False), (n, "connections")):
        if number > COUNTED:
            raise ValueError(f"{layer} has {number:,} {what}; expected at most {COUNTED:,}")


class Complement(Stored):
    """All positions except some Positions: where connections can grow."""

    dtype = np.dtype(bool)
    __array__ = no_array

    def __init__(self, present: Positions):
        self.present, self.shape, self.size = present, present.shape, present.size

    def __invert__(self) -> Positions:
        return self.present

    def sum(self) -> int:
        return self.size - len(self.present.flat)


class Order(Stored):
    """Scores of random growth: positions in random order, the first highest, those not drawn last.

    drawn (n,) distinct flat indices.
    """

    def __init__(self, drawn: Array, shape: tuple[int, ...]):
        self.drawn, self.shape, self.size = drawn, tuple(shape), math.prod(shape)

    def __abs__(self) -> "Order":
        return self

    def top_k(self, k: int, among: Complement) -> Positions:
        """masks.top_k of these ranks. ValueError if fewer than k of those drawn are free."""
        xp, seen, free = namespace(self.drawn), 0, self.drawn[:0]
        while len(free) < k and seen < len(self.drawn):  # in a sparse layer, few of the first k are occupied
            part = in_rising_order(self.drawn[seen : seen + k - len(free)], self.size)
            free = xp.concatenate([free, part[~among.present.has(part)]])
            seen += len(part)
        whole("k", k, 0, len(free))
        return Positions(xp.sort(free, kind="stable"), self.shape)
