"""A .csv file as numbers and labels."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..backend import Array
from .labels import is_missing

LABEL = "label"  # the column of labels, unless another is named


def read_csv(path: Path, label: str | None = None) -> tuple[Array, list[str], str]:
    """(numbers (N, columns) float32, labels as they are written, the name of their column).

    Labels are in the column `label`, else in the one named "label", else in the first. ValueError naming the line for a
    column too many or too few and for what is no number; and where the first line could be names or an example.
    """
    numbers: list[Array] = []
    labels: list[str] = []
    line = 1
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            first = [cell.strip() for cell in next(lines, [])]
            place, named = _label_column(path, first, label)
            for cells in filter(None, lines):
                line = lines.line_num
                if len(cells) != len(first):
                    raise _Unreadable(f"line {line} has {len(cells)} columns, and the first {len(first)}")
                labels.append(cells.pop(place))
                numbers.append(_numbers(cells, line, place, first if named else [], label))
        if not named and not _are_names(first, labels):
            labels.insert(0, first[0])
            numbers.insert(0, _numbers(first[1:], 1, 0, [], label))
        if not labels:
            raise _Unreadable("it has no examples")
    except _Unreadable as error:
        raise ValueError(f"{path} cannot be read as columns of numbers: {error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not text in columns: {error}, after line {line}") from error
    return np.stack(numbers), labels, f"column {first[place]!r}" if named else "the first column"


class _Unreadable(Exception):
    """A sentence on what is wrong with a line."""


def _label_column(path: Path, first: Sequence[str], label: str | None) -> tuple[int, bool]:
    """(the place of the labels, is the first line certainly one of names)."""
    if len(first) < 2:
        mark = next((mark for mark in ";\t|" if any(mark in cell for cell in first)), None)
        commas = f"; columns are separated by commas, not {mark!r}" if mark else ""
        raise ValueError(f"{path} has {len(first)} columns; expected labels and at least one column of numbers{commas}")
    if label is not None and label not in first:
        raise ValueError(f"{path} has no column {label!r}; its first line is {', '.join(first)[:200]}")
    wanted = LABEL if label is None else label
    named = wanted in first or not any(map(is_number, first))
    if first.count(wanted) > 1:
        raise ValueError(f"{path} has {first.count(wanted)} columns {wanted!r}; expected one")
    if named and (odd := [n for n, name in enumerate(first, 1) if is_missing(name) or name.startswith("Unnamed:")]):
        raise ValueError(
            f"{path} has no name for column {odd[0]} of {len(first)}; if it is the index of a pandas table, write the "
            "table with to_csv(index=False)"
        )
    return (first.index(wanted) if wanted in first else 0), named


def _are_names(first: Sequence[str], labels: Sequence[str]) -> bool:
    """Does a first line with some numbers name the columns, or is it an example? _Unreadable if it may be either."""
    if odd := [cell for cell in first[1:] if not is_number(cell)]:
        raise _Unreadable(
            f"line 1 has {odd[0]!r}, where numbers are expected; if it names the columns, name that of the labels with "
            "--label"
        )
    seen = {text.strip() for text in labels}
    word = not is_number(first[0])
    if word and seen and all(map(is_number, seen)) and not is_missing(first[0]):
        return True
    if list(first) == [str(n) for n in range(len(first))] or (word and first[0] not in seen):
        raise _Unreadable(
            f"line 1 is {', '.join(first)[:200]}, an example or the names of columns; begin the file with a line of "
            f"names such as {LABEL}, a, b, or name the column of the labels with --label"
        )
    return False


def _numbers(cells: Sequence[str], line: int, place: int, names: Sequence[str], label: str | None) -> Array:
    """(columns,) float32 from the cells of a line beside its label."""
    try:
        with np.errstate(over="ignore"):
            row = np.fromiter(map(float, cells), np.float64, len(cells)).astype(np.float32)
        if np.isfinite(row).all() and "_" not in "".join(cells):  # float("1_0") is 10
            return row
    except ValueError:
        pass
    number, cell = next((n, cell) for n, cell in enumerate(cells) if not _fits(cell))
    number += number >= place
    column = repr(names[number]) if names else str(number + 1)
    if is_missing(cell.strip()) or is_number(cell):
        raise _Unreadable(
            f"line {line} has values that are missing, not finite numbers or too large for float32: {cell!r} in column "
            f"{column}"
        )
    hint = ""
    if label is None and LABEL not in names:
        hint = (f"; if that column has the labels, name it with --label {names[number]}" if names else
                "; labels are in the first column, or in one that --label names, of a first line of names")  # fmt: skip
    raise _Unreadable(f"line {line} has {cell!r} in column {column}; expected a number{hint}")


def _fits(text: str) -> bool:
    return is_number(text) and abs(float(text)) <= float(np.finfo(np.float32).max)


def is_number(text: str) -> bool:
    """Is the text a number, infinities and "nan" included?"""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
