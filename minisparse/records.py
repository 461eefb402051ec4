"""JSON files, checked when they are read: a damaged one is refused, naming the file and the key.

A form says what is expected of a value:

    a Kind               COUNT, NUMBER, TEXT, …
    {"key": form, …}     a dict with these keys, and any others; "key?" may be missing
    {str: form}          a dict with any keys
    [form]               a list

Numbers are finite and below 2^63 or 1e300 in any file.
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .files import replacing

MOST_INT, MOST_FLOAT = 2**63, 1e300


class Kind(NamedTuple):
    """A value, in words, and whether a value is of this kind."""

    words: str
    holds: Callable[[Any], bool]


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _finite(value: Any) -> bool:
    return abs(value) < MOST_INT if isinstance(value, int) else math.isfinite(value) and abs(value) < MOST_FLOAT


ANYTHING = Kind("anything", lambda value: True)
TEXT = Kind("a text", lambda value: isinstance(value, str))
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
NUMBER = Kind("a finite number", lambda value: _number(value) and _finite(value))
LOSS = Kind("a number", _number)  # of test examples it may overflow
POSITIVE = Kind("a positive finite number", lambda value: NUMBER.holds(value) and value > 0)
NUMBER_OR_NULL = Kind("a finite number or null", lambda value: value is None or NUMBER.holds(value))
FRACTION = Kind("a number from 0 to 1", lambda value: _number(value) and 0 <= value <= 1)
WHOLE = Kind("a whole number", lambda value: type(value) is int and _finite(value))
COUNT = Kind("a whole number from 0", lambda value: WHOLE.holds(value) and value >= 0)


def read_json(path: Path, form: Any = ANYTHING) -> Any:
    """The contents of a JSON file. ValueError naming the file, and the key that is not as `form` says."""
    return parsed(path.read_bytes(), form, str(path))


def parsed(text: bytes | str, form: Any, place: str) -> Any:
    """The value of a JSON text that stands at `place`. ValueError as from `read_json`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place} is no JSON, or damaged: {error}") from error
    check(value, form, place)
    return value


def check(value: Any, form: Any, place: str) -> None:
    """ValueError, naming `place` and the key, unless `value`, as read from JSON, has this form."""
    if fault := _fault(value, form, ""):
        raise ValueError(f"{place} is damaged, or another kind of file: {fault}")


def write_json(path: Path, value: Any) -> None:
    """Write a value as a JSON file, in place of the one at `path`."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _fault(value: Any, form: Any, key: str) -> str:
    """What is wrong with `value`, which stands under `key`; "" if nothing is."""
    if isinstance(form, Kind):
        return "" if form.holds(value) else f"{key or 'it'} is {_shown(value)}; expected {form.words}"
    if isinstance(form, list):
        if not isinstance(value, list):
            return f"{key or 'it'} is {_shown(value)}, a {type(value).__name__}; expected a list"
        faults = (_fault(entry, form[0], f"{key}[{i}]") for i, entry in enumerate(value))
        return next(filter(None, faults), "")
    if not isinstance(value, dict):
        return f"{key or 'it'} is {_shown(value)}, a {type(value).__name__}; expected a dict"
    return next(filter(None, (_of_entry(value, name, entry, key) for name, entry in _entries(value, form))), "")


def _entries(value: Mapping[str, Any], form: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    return [(name, form[str]) for name in value] if str in form else list(form.items())


def _of_entry(value: Mapping[str, Any], name: str, form: Any, key: str) -> str:
    bare = name if name in value else name.removesuffix("?")
    if bare not in value:
        return "" if name.endswith("?") else f"{key}{'.' * bool(key)}{name} is missing"
    return _fault(value[bare], form, f"{key}{'.' * bool(key)}{bare}")


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
