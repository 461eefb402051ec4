"""Labels of a user's file as classes. Its errors complete a sentence that begins "FILE has"."""

import re
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from ..backend import Array

MISSING = frozenset("? #n/a <na> NA n/a nan nat null None".split()) | {""}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.IGNORECASE)
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
MOST_NUMBERS = 20  # different numbers, above which labels of which most occur once are taken for measurements
REGRESSION = (
    "the targets of a regression, not classes. The command line trains classifiers only; train a regression in Python, "
    "by minisparse.train with the mean squared error as its loss"
)


def is_missing(text: str) -> bool:
    """Is this how a missing value is written?"""
    return text in MISSING or text.casefold() in MISSING


def labels_of(name: str, y: Array) -> list[Any]:
    """Labels as whole numbers or words; equal ones are of one class.

    y (N,): whole numbers, whole floats, bools, text, or UTF-8 bytes. ValueError for labels that are missing, not
    finite, not whole, or of another type.
    """
    if y.dtype.kind in "biu":
        return y.tolist()
    if y.dtype.kind == "f":
        if not np.isfinite(y).all():
            raise ValueError(f"labels in {name} that are missing or not finite numbers")
        if (odd := y[y != np.trunc(y)]).size:
            raise ValueError(f"labels in {name} such as {odd[0]:g}: {REGRESSION}")
        return list(map(int, y.tolist()))
    if y.dtype.kind not in "US":
        raise ValueError(f"labels in {name} of type {y.dtype}; expected whole numbers or words")
    try:
        return read(name, np.char.decode(y, "utf-8").tolist() if y.dtype.kind == "S" else y.tolist())
    except UnicodeDecodeError as error:
        raise ValueError(f"labels in {name} that are not UTF-8 text: {error}") from error


def read(name: str, texts: Sequence[str], hint: str = "") -> list[Any]:
    """Labels from text: as whole numbers if all are, so that 9 is before 10; else as words, without spaces around them.

    ValueError for a missing label, for numbers that are not whole or not finite, and for a class written in two ways,
    such as "1" and "1.0", or "a" and " a". hint: follows the sentence.
    """
    bare = {text: text.strip() for text in sorted(set(texts))}
    for text, word in bare.items():
        if is_missing(word) or INFINITE.fullmatch(word):
            raise ValueError(f"labels in {name} that are missing or not finite numbers: {text!r}{hint}")
    meanings: dict[str, Any] = dict(bare)
    if all(map(NUMBER.fullmatch, bare.values())):
        numbers = {text: Decimal(word) for text, word in bare.items()}
        if odd := [word for word, number in numbers.items() if number != number.to_integral_value()]:
            raise ValueError(f"labels in {name} such as {odd[0]}: {REGRESSION}{hint}")
        meanings = {text: int(number) for text, number in numbers.items()}
    seen: dict[Any, str] = {}
    for text, meaning in meanings.items():
        if (other := seen.setdefault(meaning, text)) != text:
            raise ValueError(f"labels {other!r} and {text!r} in {name}; expected each class to be written in one way")
    return [meanings[text] for text in texts]


def classes_of(labels: Collection[Any], hint: str = "") -> list[Any]:
    """The different labels in their order. ValueError for fewer than two, and for numbers of which most occur once."""
    found = sorted(set(labels))
    if len(found) < 2:
        raise ValueError(f"labels of {len(found)} class; expected at least two")
    if len(found) > max(MOST_NUMBERS, len(labels) // 2) and not isinstance(found[0], str):
        raise ValueError(f"{len(found):,} different labels in {len(labels):,} examples: {REGRESSION}{hint}")
    return found
