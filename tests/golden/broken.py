"""A correct implementation with one thing wrong in it."""

import inspect
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


def broken(module: Any, function: str, text: str, replacement: str, anywhere: bool = False) -> Callable:
    """`function` of `module` with `text`, which stands once in it, or `anywhere` in the module, replaced."""
    source = Path(module.__file__).read_text(encoding="utf-8")
    part = source if anywhere else inspect.getsource(getattr(module, function))
    assert part.count(text) == 1, f"{function} of {module.__name__} holds {part.count(text)} times {text!r}"
    scope: dict[str, Any] = {"__name__": f"{module.__name__}.broken"}
    exec(compile(source.replace(part, part.replace(text, replacement)), module.__file__, "exec"), scope)
    return scope[function]
