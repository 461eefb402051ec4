"""A study: published figures beside ours, the runs that ours come from, and verdicts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ...records import NUMBER, Kind

FIGURES = Kind("finite numbers, texts, and lists and objects of them", lambda value: _finite(value))
Finished = Mapping[str, Any]  # a finished run, as its file has it (running.py)
Ours = Callable[[Sequence[Finished]], Sequence[float]]
Running = Iterator[float | dict[str, Any]]  # now and then the fraction done, in [0, 1]; at last a dict of results


def _finite(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(map(_finite, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, str | bool) or NUMBER.holds(value)


class Result(dict):
    """The result in a file; a key that it lacks is a ValueError naming `place`, the file."""

    place = ""

    @classmethod
    def of(cls, value: Any, place: str) -> Any:
        """`value`, as read from JSON, with a Result for every dict in it."""
        if isinstance(value, list):
            return [cls.of(entry, f"{place}[{i}]") for i, entry in enumerate(value)]
        if not isinstance(value, dict):
            return value
        made = cls({key: cls.of(entry, f"{place}.{key}") for key, entry in value.items()})
        made.place = place
        return made

    def __missing__(self, key: Any) -> Any:
        raise ValueError(f"{self.place}.{key} is missing")


class Row(NamedTuple):
    """A published figure, and how ours is computed.

    key        unique in the report: "han/lenet-300-100/error-pruned"
    about      what it is, in words
    paper      as published; None where the paper gives only an ordering or a picture
    unit       "%", "weights", "KFLOPs", "", …
    tolerance  which distance from the paper's figure counts as reached, fixed before running
    source     where it is published; ends in "[unverified]" if nothing confirmed it
    ours       (finished runs) -> one figure per seed; none is not attempted. Where `paper` is None, by how much the
               paper's ordering holds: reached where the mean is above `tolerance`
    below      whether a figure lower than the paper's by more than the tolerance is reached too, as errors are
    note       how our runs differ from the paper's, and why the tolerance is what it is
    """

    key: str
    about: str
    paper: float | None
    unit: str
    tolerance: float
    source: str
    ours: Ours
    below: bool = False
    note: str = ""


class Run(NamedTuple):
    """The smallest unit that is kept or repeated.

    name      of its file, without .json; unique in the study
    function  at the top level of a module, so that other processes find it: function(data_dir=…, **config), a Running
              whose results are as JSON has them
    config    all numbers that decide the run, the seed too, as JSON has them: a file with others is refused
    keeps     whether the run is long enough to continue after an interruption: function is then also given folder=…,
              its folder until it is finished
    device    "cpu" or "cuda", passed to a function that takes device=…; None for one that runs on the CPU only
    """

    name: str
    seed: int
    function: Callable[..., Running]
    config: dict[str, Any]
    keeps: bool = False
    device: str | None = None


class Study(NamedTuple):
    """What `minisparse reproduce NAME` does.

    minutes  of one core, for one seed of all its runs; measured where there are runs, else an estimate
    seeds    the default number
    runs     (seeds) -> the runs, the most telling first
    figures  (finished runs, folder, data_dir) -> the files written; none where the runs do not suffice
    table    (finished runs) -> lines of Markdown below the rows
    causes   {start of a row's key: why such a row is missed, as far as known, and what was tried}
    """

    name: str
    paper: str
    about: str
    minutes: float
    seeds: int
    runs: Callable[[int], list[Run]]
    rows: tuple[Row, ...]
    figures: Callable[[Sequence[Finished], Path, Path | None], list[Path]]
    table: Callable[[Sequence[Finished]], list[str]] = lambda finished: []
    causes: Mapping[str, str] = MappingProxyType({})


def each_seed(function: Callable[..., Running], choices: Mapping[str, Mapping[str, Any]]) -> Callable[[int], list[Run]]:
    """Study.runs: of every seed a run of `function` for each of `choices`, {name: config without the seed}."""
    return lambda seeds: [
        Run(f"{name}-seed{seed}".lstrip("-"), seed, function, {"seed": seed, **config})
        for seed in range(seeds)
        for name, config in choices.items()
    ]


def verdict(row: Row, figures: Sequence[float]) -> str:
    """ "reached", "missed" or "not attempted": by the mean of the seeds' figures."""
    if not len(figures):
        return "not attempted"
    mean = float(np.mean(figures))
    if row.paper is None:
        return "reached" if mean > row.tolerance else "missed"
    near = abs(mean - row.paper) <= row.tolerance + 1e-9 * max(1, abs(row.paper))
    return "reached" if near or (row.below and mean < row.paper) else "missed"


def cause(study: Study, row: Row) -> str:
    """Why a row is missed, by the longest of the study's `causes` that its key starts with; "" if not known."""
    starts = [start for start in study.causes if row.key.startswith(start)]
    return study.causes[max(starts, key=len)] if starts else ""


def grouped(finished: Sequence[Finished], by: str | Sequence[str], figure: str) -> dict[Any, list[Any]]:
    """{the config's number `by`, or a tuple of several: the figure of each such run}."""
    groups: dict[Any, list[Any]] = {}
    for run in finished:
        key = run["config"][by] if isinstance(by, str) else tuple(run["config"][name] for name in by)
        groups.setdefault(key, []).append(run["result"][figure])
    return groups


def first_seed(finished: Sequence[Finished], kind: str = "") -> Finished | None:
    """The finished run of the lowest seed, of those named `kind`-seed… where a kind is given; None if there is none."""
    of_kind = (run for run in finished if not kind or kind_of(run) == kind)
    return min(of_kind, key=lambda run: run["seed"], default=None)


def kind_of(run: Finished) -> str:
    """A finished run's name without its seed."""
    return str(run["run"]).rpartition("-seed")[0]
