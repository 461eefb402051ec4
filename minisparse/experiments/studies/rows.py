"""Rows by the table, and what ours is: a figure of each run, or a difference between runs."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import getitem, sub
from typing import Any

from .study import Finished, Ours, Row

Figure = str | tuple | Callable[[Mapping[str, Any]], float]  # of a run's result: its name, the way there, or a function
BySeed = Callable[[Sequence[Finished]], dict[int, float]]


def rows(prefix: str, source: str, *table: tuple, **shared: Any) -> tuple[Row, ...]:
    """Rows of a published table: (key, about, paper, unit, tolerance, ours) each, with an optional note.

    prefix: of all keys; shared: other fields that all have.
    """
    return tuple(
        Row(prefix + key, about, paper, unit, tolerance, source, ours, **shared | ({"note": note[0]} if note else {}))
        for key, about, paper, unit, tolerance, ours, *note in table
    )


def orderings(
    prefix: str, source: str, *table: tuple, unit: str = "points", tolerance: float = 0, **shared: Any
) -> tuple[Row, ...]:
    """Rows of what a paper only orders or pictures: (key, about, ours) each, with an optional note."""
    return rows(prefix, source, *((key, about, None, unit, tolerance, *rest) for key, about, *rest in table), **shared)


def each(figure: Figure, **config: Any) -> Ours:
    """Row.ours: a figure of each run whose config has these numbers, by seed."""
    return lambda finished: list(by_seed(figure, **config)(finished).values())


def computed(figure: Callable[..., float], *of: Any) -> Ours:
    """Row.ours of a figure that needs no run: figure(*of), computed when it is read."""
    return lambda finished: [float(figure(*of))]


def gap(figure: Figure, one: Mapping[str, Any], other: Mapping[str, Any]) -> Ours:
    """Row.ours: how much higher a figure is in the runs with the numbers of `one` than in those with `other`'s."""
    return paired(sub, by_seed(figure, **one), by_seed(figure, **other))


def paired(combined: Callable[[float, float], float], one: BySeed, other: BySeed) -> Ours:
    """Row.ours: combined(figure of `one`, figure of `other`), by seed, where a seed has both."""

    def ours(finished: Sequence[Finished]) -> list[float]:
        first, second = one(finished), other(finished)
        return [combined(first[seed], second[seed]) for seed in first if seed in second]

    return ours


def by_seed(figure: Figure, **config: Any) -> BySeed:
    """{seed: figure} of the runs whose config has these numbers. ValueError where a seed has two of them."""
    way = (figure,) if isinstance(figure, str) else figure
    take = way if callable(way) else lambda result: reduce(getitem, way, result)

    def figures(finished: Sequence[Finished]) -> dict[int, float]:
        chosen = [run for run in finished if all(run["config"].get(name) == value for name, value in config.items())]
        of_seed = {run["seed"]: _figure(take, run) for run in sorted(chosen, key=lambda run: run["seed"])}
        if len(of_seed) < len(chosen):
            raise ValueError(f"config is {config}, which several runs of one seed have")
        return of_seed

    return figures


def _figure(take: Callable[[Mapping[str, Any]], float], run: Finished) -> float:
    """A figure of a run. ValueError naming the run if its result does not have it."""
    try:
        return float(take(run["result"]))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{getattr(run['result'], 'place', run['run'])} is damaged: {error}") from error
