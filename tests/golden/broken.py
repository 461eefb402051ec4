"""A correct implementation with one thing wrong in it."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Wrong(NamedTuple):
    """What is wrong, in which function, the line of semantics.md or the published bug, and the case that says so.

    change: the text replaced and what replaces it, if that is how the fault was made.
    """

    name: str
    function: str
    call: Callable
    line: str
    case: str
    change: tuple[str, str] = ("", "")


def broken(module: Any, function: str, text: str, replacement: str, anywhere: bool = False) -> Callable:
    """`function` of `module` with `text`, which stands once in it, or `anywhere` in the module, replaced."""
    source = Path(module.__file__).read_text(encoding="utf-8")
    part = source if anywhere else inspect.getsource(getattr(module, function))
    assert part.count(text) == 1, f"{function} of {module.__name__} holds {part.count(text)} times {text!r}"
    return _compiled(module, function, source.replace(part, part.replace(text, replacement)))


def rewritten(module: Any, function: str, *changes: tuple[str, str]) -> Callable:
    """`function` of `module` after several changes, of each of which the text stands once in the module."""
    source = Path(module.__file__).read_text(encoding="utf-8")
    for text, replacement in changes:
        assert source.count(text) == 1, f"{module.__name__} holds {source.count(text)} times {text!r}"
        source = source.replace(text, replacement)
    return _compiled(module, function, source)


def _compiled(module: Any, function: str, source: str) -> Callable:
    scope: dict[str, Any] = {"__name__": f"{module.__name__}.broken"}
    exec(compile(source, module.__file__, "exec"), scope)
    return scope[function]
