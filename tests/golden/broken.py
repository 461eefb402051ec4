"""A correct implementation with one thing wrong in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Wrong(NamedTuple):
    """What is wrong, in which function, the line of semantics.md or the published bug, and the case that says so."""

    name: str
    function: str
    call: Callable
    line: str
    case: str


def broken(module: Any, function: str, text: str, replacement: str) -> Callable:
    """`function` of `module` with `text`, which stands there once, replaced."""
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert source.count(text) == 1, f"{module.__name__} holds {source.count(text)} times {text!r}"
    scope: dict[str, Any] = {"__name__": f"{module.__name__}.broken"}
    exec(compile(source.replace(text, replacement), module.__file__, "exec"), scope)
    return scope[function]
