"""Top-k of scores that come in blocks of rows, keeping only the best entries so far."""

import math
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Any

from ..backend import Array, namespace
from ..checks import same_shapes, whole
from ..masks import top_k
from ..storage import Stored, n_not_finite, total
from .positions import Positions


class RowBlocks(Stored):
    """A matrix in blocks of rows: `row_blocks()` yields (rows, those rows of it), from first to last."""

    ndim = 2
    shape: tuple[int, int]
    size: int
    dtype: Any

    def row_blocks(self) -> Iterator[tuple[slice, Array]]:
        raise NotImplementedError

    def top_k(self, k: int, among: Any = None) -> Positions:
        if among is not None:
            same_shapes(score=self, among=among)
        return top_k_in_blocks({"": self}, k, None if among is None else {"": among})[""]

    @staticmethod
    def top_k_of_all(scores: Mapping[str, Any], k: int, among: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return top_k_in_blocks(scores, k, among)

    def total(self) -> float:
        return math.fsum(total(block) for _, block in self.row_blocks())

    def n_not_finite(self) -> int:
        return sum(n_not_finite(block) for _, block in self.row_blocks())


def in_parts(x: Array) -> Iterator[Array]:
    """`x` itself, or the blocks of rows of a RowBlocks."""
    return (block for _, block in x.row_blocks()) if isinstance(x, RowBlocks) else iter((x,))


def top_k_in_blocks(scores: Mapping[str, Any], k: int, among: Mapping[str, Any] | None) -> dict[str, Any]:
    """`top_k_of_all` for layers in blocks of rows, which give Positions, and arrays, which give boolean arrays.

    Only the k highest entries so far are kept. A later entry must beat the lowest of them: at equal scores the earlier
    entry stays. A score of −inf is not chosen.
    """
    xp, ends = namespace(next(iter(scores.values()))), [*accumulate(score.size for score in scores.values())]
    k = whole("k", k, 0, ends[-1] if among is None else sum(int(mask.sum()) for mask in among.values()))
    highest = (xp.zeros(0, dtype="float32"), xp.zeros(0, dtype="int64"))  # scores and places so far
    waiting, n_waiting, first, lowest = [highest], 0, 0, -math.inf
    for part in _in_order(scores, among) if k else ():
        above = xp.flatnonzero(part > lowest)
        waiting.append((part[above], above + first))
        n_waiting, first = n_waiting + len(above), first + part.size
        if n_waiting > max(k, 4096):
            highest = _highest(waiting, k)
            waiting, n_waiting, lowest = [highest], 0, highest[0].min()
    places = _highest(waiting, k)[1]
    cuts = xp.searchsorted(places, xp.asarray([0, *ends])).tolist()
    chosen = {}
    for (name, score), start, (a, b) in zip(scores.items(), [0, *ends], pairwise(cuts), strict=False):
        in_blocks = isinstance(score, RowBlocks)
        mask = Positions(places[a:b] - start, score.shape if in_blocks else (1, score.size))
        chosen[name] = mask if in_blocks else mask.dense().reshape(score.shape)
    return chosen


def _in_order(scores: Mapping[str, Any], among: Mapping[str, Any] | None) -> Iterator[Array]:
    """The scores of all layers, flat, part by part, with −inf outside `among`. ValueError for NaN."""
    for name, score in scores.items():
        first = 0
        for part in in_parts(score):
            if bool((part != part).any()):
                raise ValueError(f"score{f' of {name!r}' if name else ''} is NaN; ranks need numbers")
            flat = part.ravel()
            if among is not None and isinstance(score, RowBlocks):
                flat[(~among[name]).within(first, first + flat.size)] = -math.inf  # in place: the block is not shared
            elif among is not None:
                flat = namespace(flat).where(among[name].ravel(), flat, -math.inf)
            yield flat
            first += flat.size


def _highest(parts: list[tuple[Array, Array]], k: int) -> tuple[Array, Array]:
    """The k highest scores of all parts, or all if fewer, with their places in increasing order."""
    xp = namespace(parts[0][0])
    scores, places = (xp.concatenate(arrays) for arrays in zip(*parts, strict=True))
    if len(scores) <= k:
        return scores, places
    chosen = xp.flatnonzero(top_k(scores, k))
    return scores[chosen], places[chosen]
