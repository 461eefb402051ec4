"""Rows by the table, and what ours is: a figure of each run, or a difference between runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .study import Finished, Row

Figure = str | Callable[[Mapping[str, Any]], float]  # of a run's result: its name there, or a function of the result


def rows(prefix: str, source: str, *table: tuple, **shared: Any) -> tuple[Row, ...]:
    """Rows of a published table: (key, about, paper, unit, tolerance, ours) each, with an optional note.

    prefix: of all keys; shared: other fields that all have.
    """
    return tuple(
        Row(
            prefix + key,
            about,
            paper,
            unit,
            tolerance,
            source,
            ours,
            **{**shared, **({"note": note[0]} if note else {})},
        )
        for key, about, paper, unit, tolerance, ours, *note in table
    )


def orderings(
    prefix: str, source: str, *table: tuple, unit: str = "points", tolerance: float = 0, **shared: Any
) -> tuple[Row, ...]:
    """Rows of what a paper only orders or pictures: (key, about, ours) each, with an optional note."""
    return rows(prefix, source, *((key, about, None, unit, tolerance, *rest) for key, about, *rest in table), **shared)


def each(figure: Figure, **config: Any) -> Callable[[Sequence[Finished]], list[float]]:
    """Row.ours: a figure of each run whose config has these numbers, by seed."""
    return lambda finished: list(_by_seed(figure, finished, config).values())


def computed(figure: Callable[..., float], *of: Any) -> Callable[[Sequence[Finished]], list[float]]:
    """Row.ours of a figure that needs no run: figure(*of), computed when it is read."""
    return lambda finished: [float(figure(*of))]


def gap(
    figure: Figure, one: Mapping[str, Any], other: Mapping[str, Any]
) -> Callable[[Sequence[Finished]], list[float]]:
    """Row.ours: how much higher a figure is in the runs with the numbers of `one` than in those with `other`'s.

    By seed, where a seed has both.
    """

    def ours(finished: Sequence[Finished]) -> list[float]:
        high, low = (_by_seed(figure, finished, config) for config in (one, other))
        return [high[seed] - low[seed] for seed in high if seed in low]

    return ours


def _by_seed(figure: Figure, finished: Sequence[Finished], config: Mapping[str, Any]) -> dict[int, float]:
    """{seed: figure} of the runs whose config has these numbers. ValueError where a seed has two of them."""
    take = (lambda result: result[figure]) if isinstance(figure, str) else figure
    chosen = [run for run in finished if all(run["config"].get(name) == value for name, value in config.items())]
    figures = {run["seed"]: _figure(take, run) for run in sorted(chosen, key=lambda run: run["seed"])}
    if len(figures) < len(chosen):
        raise ValueError(f"config is {dict(config)}, which several runs of one seed have")
    return figures


def _figure(take: Callable[[Mapping[str, Any]], float], run: Finished) -> float:
    """A figure of a run. ValueError naming the run if its result does not have it."""
    try:
        return float(take(run["result"]))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{getattr(run['result'], 'place', run['run'])} is damaged: {error}") from error
