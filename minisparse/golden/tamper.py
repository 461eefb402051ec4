"""Signs of tampering: functions that code replaced in libraries, and files that it changed.

watch    libraries before the code ran, and what is otherwise afterwards
Kept     files that are looked at again, and put back
"""

import builtins
import sys
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

from ..files import replacing

LIBRARIES = ("numpy", "minisparse")


def watch() -> Callable[[], list[str]]:
    """A function that names what of `namespaces` has been replaced since."""
    return partial(replaced, namespaces())


def namespaces() -> dict[str, dict[str, Any]]:
    """{name: contents} of the loaded modules of `LIBRARIES`, of this package's classes, and of the builtins."""
    spaces = {"builtins": dict(vars(builtins))}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in LIBRARIES or module is None:
            continue
        spaces[name] = dict(vars(module))
        for own in spaces[name].values():
            if isinstance(own, type) and own.__module__ == name and name.startswith("minisparse"):
                spaces[f"{name}.{own.__name__}"] = dict(vars(own))
    codes = {
        f"{name}.{key}": {"__code__": own.__code__, "__defaults__": own.__defaults__}
        for name, space in spaces.items()
        for key, own in space.items()
        if isinstance(own, FunctionType) and _defined(own.__module__, name, spaces)
    }
    return spaces | codes


def _defined(home: str | None, name: str, spaces: Container[str]) -> bool:
    """Is a function of module `home` defined in `name`, a module or class, and not only imported there?"""
    return home not in spaces or f"{name}.".startswith(f"{home}.")


def replaced(before: dict[str, dict[str, Any]]) -> list[str]:
    """The functions and classes in `before` that have another value or other code now, or are gone: "numpy.argsort"."""
    now = namespaces()
    names = []
    for name, space in before.items():
        code = "__code__" in space
        for key, own in space.items():
            if code or callable(own):
                there = now.get(name, {}).get(key, own if code and name not in now else None)
                if there is not own:
                    names.append(name if code else f"{name}.{key}")
    return list(dict.fromkeys(names))


class Kept:
    """Files as they are now. `put_back` restores those that were changed since, and names them."""

    def __init__(self, paths: Iterable[Path]):
        self._kept: dict[Path, tuple[Any, bytes]] = {}
        for path in paths:
            with suppress(OSError):  # whoever needs the file says that it cannot be read
                self._kept[path] = _seen(path), path.read_bytes()

    def put_back(self) -> list[str]:
        """What happened to the files since, in words. They are as before; a changed one is beside it, as *.changed."""
        told = []
        for path, (seen, content) in list(self._kept.items()):
            if _seen(path) == seen:
                continue
            try:
                if not path.is_file() or path.read_bytes() != content:
                    told.append(f"{'changes' if path.is_file() else 'removes'} {path.name}, which is put back")
                    self._restore(path, content)
                self._kept[path] = _seen(path), content
            except OSError as error:
                told.append(f"changes {path.name}, which cannot be put back: {error}")
        return told

    def _restore(self, path: Path, content: bytes) -> None:
        beside = path.with_name(f"{path.name}.changed")
        if path.is_file() and not beside.exists():
            path.rename(beside)
        with replacing(path) as unfinished:
            unfinished.write_bytes(content)


def _seen(path: Path) -> tuple[int, ...] | None:
    """What changes with a file's content, without reading it; None if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
