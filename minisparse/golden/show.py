"""A case drawn for the eye: weights as a row of signs, what was dropped and what has grown, and why.

●  active, and was   ·  absent, and was   −  dropped   +  grown   ±  dropped, and back at once
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from rich.text import Text

from .cases import Case
from .values import decode, kind_of

SIGNS = {"●": "bold", "·": "dim", "−": "bold red", "+": "bold green", "±": "bold yellow"}
LEGEND = "● stays   · absent   − dropped   + grown   ± dropped, and back at once"
NARROW = 8  # columns at most that a number of an array is given


def drawn(case: Case) -> Iterator[Text]:
    """The lines of a picture of a case: its reason, its inputs, its answer and who answers otherwise."""
    given, expected = case.arguments(), decode(case.expected)
    yield Text(case.id + (" (optional)" if case.optional else ""), "bold")
    yield Text(f"  {case.reason}", "italic")
    yield from _rows(given)
    before = given.get("mask", given.get("masks"))
    stays = decode(case.stages["kept"]) if "kept" in case.stages else None
    yield from _rows({name: decode(stage) for name, stage in case.stages.items()})
    yield from _answer("expected", expected, before, stays)
    for profile, answer in case.profiles.items():
        if answer is not None and answer != case.expected:
            yield from _answer(profile, decode(answer), before, None)
    yield Text(f"  {case.source}; pins {case.pin}", "dim")


def signs(mask: np.ndarray, before: np.ndarray | None = None, stays: np.ndarray | None = None) -> np.ndarray:
    """One sign for each entry of a mask, as changed from the mask `before`; `stays` is what was never dropped."""
    was = mask if before is None else before
    back = np.zeros_like(mask) if stays is None else was & mask & ~stays
    return np.select([back, mask & was, was, mask], ["±", "●", "−", "+"], "·")


def _answer(label: str, answer: Any, before: Any, stays: Any) -> Iterator[Text]:
    """An answer beside the mask it came from: one row for an array, one for each entry of a dict."""
    if isinstance(answer, Mapping):
        was, kept = (tree if isinstance(tree, Mapping) else {} for tree in (before, stays))
        for name, own in answer.items():
            yield from _answer(f"{label}[{name!r}]", own, was.get(name), kept.get(name))
    elif isinstance(answer, np.ndarray) and answer.dtype == bool:
        fits = isinstance(before, np.ndarray) and before.shape == answer.shape
        own = stays if isinstance(stays, np.ndarray) and fits else None
        yield from _cells(label, signs(answer, before if fits else None, own))
    else:
        yield from _rows({label: answer})


def _rows(values: Mapping[str, Any]) -> Iterator[Text]:
    for label, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _rows({f"{label}[{name!r}]": own for name, own in value.items()})
        elif isinstance(value, np.ndarray) and value.ndim:
            yield from _cells(label, signs(value) if value.dtype == bool else value)
        else:
            yield Text(f"  {label:<{_width(label)}}  {value!r}"[:200])


def _cells(label: str, cells: np.ndarray) -> Iterator[Text]:
    """An array in rows of its last axis, a column for each entry; a large one by its kind alone."""
    if cells.size > 256:
        yield Text(f"  {label:<{_width(label)}}  {kind_of(cells) if cells.dtype.kind in 'bif' else cells.shape}")
        return
    rows = cells.reshape(-1, cells.shape[-1]) if cells.size else cells.reshape(1, -1)
    for i, row in enumerate(rows):
        line = Text(f"  {label if i == 0 else '':<{_width(label)}}  ")
        for cell in row:
            text = cell if isinstance(cell, str) else f"{cell:.4g}"
            line.append(f"{text:>{NARROW}} ", SIGNS.get(text, ""))
        yield line


def _width(label: str) -> int:
    return max(10, len(label))
