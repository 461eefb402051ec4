"""Code under test, in a process of its own: it may exit, crash or hang up without taking the checker with it.

ask      one call, in this process
Guest    a module or callable in a child process that answers calls
"""

import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, redirect_stdout, suppress
from typing import Any

from . import asking
from .arrays import Door
from .asking import Reply, Unanswered, found, imported, offered
from .values import as_numpy, plain

SPAWNED = ("torch", "jax", "tensorflow")  # their threads do not survive a fork


class Through:
    """Plain values through a door of arrays, and back."""

    def __init__(self, door: Door):
        self.door = door

    def give(self, value: Any) -> Any:
        return self.door.give(as_numpy(value))

    def plain(self, tree: Any) -> Any:
        return plain(self.door.back(tree))

    def open(self) -> AbstractContextManager:
        return self.door.open()


def ask(call: Callable, inputs: Mapping[str, Any], may_lack: Iterable[str], door: Door) -> Reply:
    """`asking.ask` with the arrays of `door`."""
    return asking.ask(call, inputs, may_lack, Through(door))


class Guest:
    """A module and the functions `names` it may offer, or without names a "module:callable", in a child process.

    Its prints go to stderr.
    ValueError if it cannot be imported, lacks the callable, or needs a library that is not installed.
    """

    def __init__(self, where: str, arrays: str = "numpy", float32: bool = False, names: Iterable[str] = ()):
        self._how = (where, arrays, float32, tuple(names), list(sys.path))
        self._start()

    def ask(self, function: str, inputs: Mapping[str, Any], may_lack: Iterable[str]) -> Reply:
        """The reply of the function, or of the callable; "ends" if the process did."""
        if not self._process.is_alive():
            self._start()
        try:
            self._pipe.send((function, dict(inputs), tuple(may_lack)))
            reply: Reply = self._pipe.recv()
        except (EOFError, OSError):
            return Reply("ends", f"ends the process ({self._how_it_ended()})")
        return reply

    def close(self) -> None:
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()
        self._pipe.close()

    def __enter__(self) -> "Guest":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self) -> None:
        forks = hasattr(os, "fork") and sys.platform != "darwin" and not any(name in sys.modules for name in SPAWNED)
        context: Any = multiprocessing.get_context("fork" if forks else "spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._pipe if forks else None, *self._how))
        sys.stdout.flush(), sys.stderr.flush()  # or a fork writes what waits here a second time
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a fork beside threads: this one calls nothing of theirs
            self._process.start()
        theirs.close()
        try:
            self.offers, refusal = self._pipe.recv()
        except (EOFError, OSError):
            module = self._how[0].partition(":")[0]
            refusal = Unanswered(f"{module} ends the process when it is imported ({self._how_it_ended()})")
        if refusal:
            self.close()
            raise refusal

    def _how_it_ended(self) -> str:
        self._process.join()
        code = self._process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit status {code}"


def _serve(pipe: Any, other_end: Any, where: str, arrays: str, float32: bool, names: tuple, path: list) -> None:
    """The child's loop: import, say what is offered, answer calls until the pipe closes."""
    if other_end:
        other_end.close()
    sys.path[:] = path
    sys.stdout.flush()
    with suppress(OSError):
        os.dup2(2, 1)  # prints of extension modules
    try:
        with redirect_stdout(sys.stderr):
            door = Door(arrays, float32)
            call = None if names else found(where)
            calls = {} if call else offered(imported(where), names)
    except ValueError as error:
        pipe.send(((), type(error)(str(error))))
        return
    pipe.send((tuple(calls), None))
    while True:
        try:
            function, inputs, may_lack = pipe.recv()
        except EOFError:
            return
        pipe.send(ask(call or calls[function], inputs, may_lack, door))
