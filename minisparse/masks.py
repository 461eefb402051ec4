"""Masks: boolean arrays of the weights that exist, chosen by rank, ties to the lower index."""

import math
from collections.abc import Iterator, Mapping
from itertools import accumulate

import numpy as np

from .allocate import Shapes, counts
from .backend import Array, namespace
from .checks import masks_fit, same_shapes, whole
from .storage import as_factor, door, frozen, n_active, projected
from .streams import draw_key, stream

FEW = 0.1  # density up to which gathering and scattering costs less than passes over whole arrays


@door("score")
def top_k(score: Array, k: int, among: Array | None = None) -> Array:
    """Mark the k entries of highest score; ties go to the lower flat index (C order).

    score real, any shape, ±inf allowed; among boolean, score's shape: only entries where it is true are candidates.
    Returns a boolean array of score's shape. ValueError for NaN anywhere, k < 0 or k > candidates, or shapes that
    differ; TypeError if k is not a whole number or `among` not boolean.
    """
    if among is not None:
        same_shapes(score=score, among=among)
        if among.dtype != bool:
            raise TypeError(f"among has dtype {among.dtype}; expected bool")
    xp = namespace(score)
    if bool((score != score).any()):
        raise ValueError(f"score is NaN at {int((score != score).sum())} of {score.size} entries; ranks need numbers")
    flat, among = score.ravel(), None if among is None else xp.ravel(among)
    n = flat.size if among is None else int(xp.count_nonzero(among))
    k = whole("k", k, 0, n)

    chosen = xp.zeros(score.size, dtype=bool)
    if k:
        places = _contenders(flat, k, n, among)
        candidates = flat if places is None else flat.take(places)
        threshold = _kth_largest(candidates, k)
        above = xp.flatnonzero(candidates > threshold)
        level = xp.flatnonzero(candidates == threshold)[: k - above.size]
        for picked in (above, level):
            chosen[picked if places is None else places.take(picked)] = True
    return chosen.reshape(score.shape)


@door("scores")
def top_k_of_all(scores: Mapping[str, Array], k: int, among: Mapping[str, Array] | None = None) -> dict[str, Array]:
    """`top_k` in one ranking of all layers, {name: mask}; ties go to the earlier layer, then the lower flat index."""
    if not scores:
        whole("k", k, 0, 0)
        return {}
    xp = namespace(next(iter(scores.values())))
    flat = lambda arrays: xp.concatenate([arrays[name].ravel() for name in scores])
    chosen = top_k(flat(scores), k, None if among is None else flat(among))
    *ends, _ = accumulate(score.size for score in scores.values())
    return {name: mask.reshape(scores[name].shape) for name, mask in zip(scores, xp.split(chosen, ends), strict=True)}


def _contenders(flat: Array, k: int, n: int, among: Array | None) -> Array | None:
    """The places, in rising order, of those that may be among the k largest of n candidates; None for all places.

    Those above a value that a sample puts a little below the k-th largest, if there are k; else all candidates.
    """
    xp = namespace(flat)
    if flat.size > 4096:
        some = slice(None, None, flat.size // 2048)
        sample = xp.sort(flat[some] if among is None else flat[some][among[some]])
        rank = k * sample.size / n
        rank = int(rank + 4 * math.sqrt(rank) + 4)
        if rank < sample.size:
            above = flat > sample[-1 - rank]
            if among is not None:
                above &= among
            if int(xp.count_nonzero(above)) >= k:
                return xp.flatnonzero(above)
    return None if among is None else xp.flatnonzero(among)


def _kth_largest(values: Array, k: int) -> Array:
    """The k-th largest of a flat array without NaN.

    Three-way quickselect: gradients of dead units are thousands of equal zeros, on which a two-way partition is
    quadratic. Here the pivot, taken from a sample, equals them, and one pass settles them.
    """
    xp = namespace(values)
    while values.size > 4096:
        sample = xp.sort(values[:: values.size // 1024])
        pivot = sample[-1 - k * (sample.size - 1) // values.size]
        above = values > pivot
        n_above = int(xp.count_nonzero(above))
        if n_above >= k:
            values = values.take(xp.flatnonzero(above))
            continue
        k -= n_above + int(xp.count_nonzero(values == pivot))
        if k <= 0:
            return pivot
        values = values.take(xp.flatnonzero(values < pivot))
    return xp.sort(values)[-k]


def project(arrays: Mapping[str, Array], masks: Mapping[str, Array], in_place: bool = False) -> dict[str, Array]:
    """`arrays` with every entry zero where its mask is false; arrays without a mask are returned unchanged.

    in_place: write into `arrays`. Masks multiply, so an absent entry that is not finite becomes NaN and is noticed.
    ValueError for masks that do not fit the arrays, or have values other than true and false (or 1 and 0).
    """
    masks_fit(masks, arrays)
    if not isinstance(masks, Masks) and any(mask.dtype != bool for mask in masks.values()):
        masks = Masks(masks)  # refuses numbers other than 0 and 1
    factors = masks.factors(arrays) if isinstance(masks, Masks) else masks
    return dict(arrays) | {name: projected(arrays[name], factors[name], in_place) for name in masks}


class Masks(Mapping[str, Array]):
    """Which weights exist, layer by layer: a read-only dict of boolean arrays that prints as a table.

    .active counts the connections, .size the positions; .density is their ratio; .counts is {name: active}.
    ValueError for a mask with values other than true and false (or 1 and 0), and for a truly sparse mask with more
    than 2^31 − 1 inputs, outputs or connections.
    """

    def __init__(self, mapping: Mapping[str, Array]):
        known = isinstance(mapping, Masks)
        self._arrays: dict[str, Array] = {n: m if known else frozen(m, n) for n, m in mapping.items()}
        self._factors: dict[tuple[str, np.dtype], Array] = {}
        self._few: tuple[dict[str, np.ndarray], Masks] | None = None

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def counts(self) -> dict[str, int]:
        return {name: n_active(mask) for name, mask in self.items()}

    @property
    def active(self) -> int:
        return sum(self.counts.values())

    @property
    def size(self) -> int:
        return sum(mask.size for mask in self.values())

    @property
    def density(self) -> float:
        return self.active / self.size if self.size else 1.0

    def factors(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The masks in the arrays' dtypes, to multiply by."""
        for name, mask in self.items():
            if (key := (name, arrays[name].dtype)) not in self._factors:
                self._factors[key] = as_factor(mask, arrays[name].dtype)
        return {name: self._factors[name, arrays[name].dtype] for name in self}

    def few(self) -> tuple[dict[str, np.ndarray], "Masks"]:
        """(places, others): the flat indices of the connections in layers where they are FEW, and the other masks.

        On a GPU and in sparse storage all masks are others.
        """
        if self._few is None:
            plain = {name: mask for name, mask in self.items() if type(mask) is np.ndarray}
            places = {name: np.flatnonzero(m) for name, m in plain.items() if np.count_nonzero(m) <= FEW * m.size}
            others = Masks({})
            others._arrays, others._factors = {n: m for n, m in self.items() if n not in places}, self._factors
            self._few = places, others
        return self._few

    def __deepcopy__(self, memo: dict) -> "Masks":
        return Masks(dict(self))

    def __repr__(self) -> str:
        rows = [("layer", "shape", "active", "of", "density")]
        rows += [(n, str(m.shape), f"{c:,}", f"{m.size:,}", f"{c / max(m.size, 1):.4f}")
                 for (n, m), c in zip(self.items(), self.counts.values(), strict=True)]  # fmt: skip
        rows += [("all", "", f"{self.active:,}", f"{self.size:,}", f"{self.density:.4f}")]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )


def random_masks(shapes: Shapes, densities: Mapping[str, float], rng: np.random.Generator) -> Masks:
    """Masks with exactly counts(shapes, densities) connections, every set of positions equally likely.

    One 128-bit key is drawn from `rng`; each layer has a stream by name, so the order of layers does not matter.
    """
    n_active = counts(shapes, densities)
    key = draw_key(rng)
    masks = {}
    for name, shape in shapes.items():
        mask = np.zeros(math.prod(shape), dtype=bool)
        mask[stream(key, name).choice(mask.size, n_active[name], replace=False, shuffle=False)] = True
        masks[name] = mask.reshape(shape)
    return Masks(masks)
