"""Code under test, in a process of its own: it may exit, crash or hang up without taking the checker with it.

ask      one call, in this process
Guest    a module or callable in a child process that answers calls
"""

import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, redirect_stdout, suppress
from typing import Any

from . import asking, tamper
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

    Its prints go to stderr. At `deadline`, a time of time.monotonic that may be changed, it is killed; None: never.
    ValueError if it cannot be imported, lacks the callable, or needs a library that is not installed.
    """

    def __init__(
        self,
        where: str,
        arrays: str = "numpy",
        float32: bool = False,
        names: Iterable[str] = (),
        deadline: float | None = None,
    ):
        self._how = (where, arrays, float32, tuple(names), list(sys.path))
        self.deadline = deadline
        self._start()

    def ask(self, function: str, inputs: Mapping[str, Any], may_lack: Iterable[str]) -> Reply:
        """The reply of the function, or of the callable; "ends" if the process did."""
        try:
            if not self._process.is_alive():
                self._start()
            self._pipe.send((function, dict(inputs), tuple(may_lack)))
            reply: Reply = self._received()
        except TimeoutError:
            return Reply("ends", "does not answer in time")
        except ValueError as refusal:  # it cannot be imported again
            return Reply("ends", str(refusal))
        except (EOFError, OSError):
            return Reply("ends", f"ends the process ({self._how_it_ended()})")
        return reply

    def remarks(self) -> tuple[list[str], list[str], list[str]]:
        """(names in `tamper.LIBRARIES` that the code replaced, functions that are this package's, its REMARKS).

        Empty if the process has ended.
        """
        try:
            self._pipe.send(None)
            remarks: tuple[list[str], list[str], list[str]] = self._received()
        except (EOFError, OSError):
            return [], [], []
        return remarks

    def close(self) -> None:
        if self._process.is_alive():
            self._process.kill()  # SIGTERM can be ignored
        self._process.join()
        self._pipe.close()

    def __enter__(self) -> "Guest":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self) -> None:
        self._process, self._pipe = started(_serve, *self._how)
        module = self._how[0].partition(":")[0]
        try:
            self.offers, refusal = self._received()
        except TimeoutError:
            refusal = Unanswered(f"{module} is not imported in time")
        except (EOFError, OSError):
            refusal = Unanswered(f"{module} ends the process when it is imported ({self._how_it_ended()})")
        if refusal:
            self.close()
            raise refusal

    def _received(self) -> Any:
        """What the child sends next. TimeoutError at the deadline: the child is killed."""
        if self.deadline is not None and not self._pipe.poll(max(self.deadline - time.monotonic(), 0)):
            self._process.kill()
            self._process.join()
            raise TimeoutError
        return self._pipe.recv()

    def _how_it_ended(self) -> str:
        self._process.join()
        code = self._process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit status {code}"


def started(serve: Callable, *how: Any) -> tuple[Any, Any]:
    """A child process that runs serve(pipe, the other end or None, *how), and our end of the pipe."""
    forks = hasattr(os, "fork") and sys.platform != "darwin" and not any(name in sys.modules for name in SPAWNED)
    context: Any = multiprocessing.get_context("fork" if forks else "spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, pipe if forks else None, *how))
    sys.stdout.flush(), sys.stderr.flush()  # or a fork writes what waits here a second time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fork beside threads: this one calls nothing of theirs
        process.start()
    theirs.close()
    return process, pipe


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
            before = tamper.namespaces()
            call = None if names else found(where)
            module = None if call else imported(where)
            calls = {} if call else offered(module, names)
    except ValueError as error:
        pipe.send(((), type(error)(str(error))))
        return
    pipe.send((tuple(calls), None))
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        if request is None:
            ours = [
                name for name, own in calls.items() if str(getattr(own, "__module__", "")).startswith("minisparse.")
            ]
            pipe.send((tamper.replaced(before), ours, list(getattr(module, "REMARKS", ()))))
            continue
        function, inputs, may_lack = request
        pipe.send(ask(call or calls[function], inputs, may_lack, door))
