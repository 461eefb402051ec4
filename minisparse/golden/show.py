"""Draws a case: masks as rows of signs for kept, dropped and grown connections, and the reason.

●  active, and was   ·  absent, and was   −  dropped   +  grown   ±  dropped, and back at once
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.text import Text

from .cases import Case
from .values import decode, kind_of, matches

SIGNS = {"●": "bold", "·": "dim", "−": "bold red", "+": "bold green", "±": "bold yellow"}
LEGEND = "● stays   · absent   − dropped   + grown   ± dropped, and back at once"
NARROW = 8  # columns of a number of an array
WIDTH = 10  # columns of a label, at least

Row = tuple[str, Text]


def drawn(case: Case) -> Iterator[Text]:
    """The lines of a drawing of a case: its reason, inputs, expected answer and differing answers of profiles."""
    given, expected = case.arguments(), decode(case.expected)
    yield Text(case.id + (" (optional)" if case.optional else ""), "bold")
    yield Text(f"  {case.reason}", "italic")
    if case.function == "trajectory":
        yield from _run(case, given["case"], expected)
        return
    before = given.get("mask", given.get("masks"))
    stays = decode(case.stages["kept"]) if "kept" in case.stages else None
    rows = [*_rows(given), *_rows({name: decode(stage) for name, stage in case.stages.items()})]
    rows += _answer("expected", expected, before, stays)
    for answer, profiles in _otherwise(case):
        rows += _answer(profiles, decode(answer), before, None)
    width = max(WIDTH, *(len(label) for label, _ in rows))
    for label, content in rows:
        yield Text(f"  {label:<{width}}  ").append_text(content)
    yield Text(f"  {case.source}; pins {case.pin}", "dim")


def signs(mask: np.ndarray, before: np.ndarray | None = None, stays: np.ndarray | None = None) -> np.ndarray:
    """A sign for each entry of a mask, compared with the mask `before`; `stays` marks connections never dropped."""
    was = mask if before is None else before
    back = np.zeros_like(mask) if stays is None else was & mask & ~stays
    return np.select([back, mask & was, was, mask], ["±", "●", "−", "+"], "·")


def _otherwise(case: Case) -> list[tuple[Any, str]]:
    """The answers other than the reference's, with the profiles that give each."""
    groups: dict[str, list[str]] = {}
    for profile, answers in case.profiles.items():
        for answer in answers:
            if answer != case.expected:
                groups.setdefault(json.dumps(answer), []).append(profile)
    return [(json.loads(answer), ", ".join(profiles)) for answer, profiles in groups.items()]


def _run(case: Case, given: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """A run: method and optimizer, and a line per step with the signs of every mask, or log α of gates."""
    for part in ("method", "optimizer"):
        name, *numbers = given[part].items()
        yield Text(f"  {part:<{WIDTH}}  {name[1]}, " + ", ".join(f"{key} {_short(x)}" for key, x in numbers))
    masks = given["masks"]
    gates = [name for name in given["params"] if name.endswith("log_alpha")]
    wide = {name: max(len(name), mask.size) for name, mask in masks.items()}
    wide |= {name: max(len(name), NARROW * given["params"][name].size) for name in gates}
    yield Text(f"  {'step':<{WIDTH}}  " + "   ".join(f"{name:<{n}}" for name, n in wide.items()), "dim")
    yield _step("before", wide, masks, masks, given["params"])
    for number, step in enumerate(steps):
        yield _step(str(number), wide, step["masks"], masks, step["params"])
        masks = step["masks"]
    for answer, profiles in _otherwise(case):
        yield Text(f"  {profiles:<{WIDTH}}  differs: {matches(decode(answer), steps)}")
    yield Text(f"  {case.source}; pins {case.pin}", "dim")


def _step(label: str, wide: Mapping[str, int], masks: Mapping, before: Mapping, params: Mapping) -> Text:
    line = Text(f"  {label:<{WIDTH}}")
    for i, (name, n) in enumerate(wide.items()):
        line.append("   " if i else "  ")
        if name in masks:
            cells = signs(masks[name], before[name]).ravel().tolist()
            for cell in cells:
                line.append(cell, SIGNS[cell])
            line.append(" " * (n - len(cells)))
        else:
            line.append("".join(f"{a:>{NARROW}.3f}" for a in params[name].ravel()))
    return line


def _short(x: Any) -> str:
    return f"[{', '.join(f'{v:g}' for v in x.tolist())}]" if isinstance(x, np.ndarray) else f"{x}"


def _answer(label: str, answer: Any, before: Any, stays: Any) -> Iterator[Row]:
    """An answer compared with the mask before: a row for an array, a row for each entry of a dict."""
    if isinstance(answer, Mapping):
        was, kept = (tree if isinstance(tree, Mapping) else {} for tree in (before, stays))
        for name, entry in answer.items():
            yield from _answer(f"{label}[{name!r}]", entry, was.get(name), kept.get(name))
    elif isinstance(answer, np.ndarray) and answer.dtype == bool:
        fits = isinstance(before, np.ndarray) and before.shape == answer.shape
        never_dropped = stays if isinstance(stays, np.ndarray) and fits else None
        yield from _cells(label, signs(answer, before if fits else None, never_dropped))
    else:
        yield from _rows({label: answer})


def _rows(values: Mapping[str, Any]) -> Iterator[Row]:
    for label, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _rows({f"{label}[{name!r}]": entry for name, entry in value.items()})
        elif isinstance(value, tuple) and any(isinstance(item, np.ndarray) for item in value):
            yield from _rows({f"{label}[{i}]": item for i, item in enumerate(value)})
        elif isinstance(value, tuple) and any(isinstance(item, Mapping) for item in value):
            for i, item in enumerate(value):
                yield f"{label}[{i}]", Text(", ".join(f"{name} {x}" for name, x in item.items()))
        elif isinstance(value, np.ndarray) and value.ndim:
            yield from _cells(label, signs(value) if value.dtype == bool else value)
        else:
            yield label, Text(f"{value!r}"[:200])


def _cells(label: str, cells: np.ndarray) -> Iterator[Row]:
    """An array as rows of its last axis longer than 1, a column per entry; a large array as its kind only."""
    if cells.size > 256:
        yield label, Text(kind_of(cells) if cells.dtype.kind in "bif" else f"{cells.shape}")
        return
    while cells.ndim > 1 and cells.shape[-1] == 1:
        cells = cells[..., 0]
    rows = cells.reshape(-1, cells.shape[-1]) if cells.size else cells.reshape(1, -1)
    for i, row in enumerate(rows):
        line = Text()
        for cell in row:
            text = cell if isinstance(cell, str) else f"{cell:.4g}"
            line.append(f"{text:>{NARROW}} ", SIGNS.get(text, ""))
        yield label if i == 0 else "", line
