"""Code under test, in a process of its own: it may exit, crash or hang up without taking the checker with it.

The standard library alone, Python 3.8 or newer.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout, suppress
from typing import Any

from .asking import Reply, Unanswered, ask, found, imported, offered

SPAWNED = ("torch", "jax", "tensorflow")  # their threads do not survive a fork


class Guest:
    """A module and the functions `names` it may offer, or without names a "module:callable", in a child process.

    door() makes the door of `asking.ask`. watch(), called before the import, gives what `remarks` calls after it.
    Prints of the code go to stderr. At `deadline`, a time of time.monotonic that may be changed, it is killed; None:
    never.
    ValueError if it cannot be imported, lacks the callable, or needs a library that is not installed.
    """

    def __init__(
        self, where: str, door: Callable[[], Any], names: Iterable[str] = (), deadline: float | None = None,
        watch: Callable[[], Callable[[], list]] | None = None,
    ):  # fmt: skip
        self._how = (where, door, tuple(names), watch, list(sys.path))
        self.deadline = deadline
        self._start()

    def ask(self, case: Any) -> Reply:
        """The reply of the case's function, or of the callable; "ends" if the process did."""
        try:
            if not self._process.is_alive():
                self._start()
            self._pipe.send((case.function, dict(case.inputs), tuple(case.may_lack)))
            reply: Reply = self._received()
        except TimeoutError:
            return Reply("ends", "does not answer in time")
        except ValueError as refusal:  # it cannot be imported again
            return Reply("ends", str(refusal))
        except (EOFError, OSError):
            return Reply("ends", f"ends the process ({self._how_it_ended()})")
        return reply

    def remarks(self) -> tuple[list[str], list[str], list[str]]:
        """(what `watch` noticed, functions that are this package's, the code's REMARKS); empty once it has ended."""
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

    def __enter__(self) -> Guest:
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


def _serve(
    pipe: Any, other_end: Any, where: str, door: Callable[[], Any], names: tuple, watch: Any, path: list
) -> None:
    """The child's loop: import, say what is offered, answer calls until the pipe closes."""
    if other_end:
        other_end.close()
    sys.path[:] = path
    sys.stdout.flush()
    with suppress(OSError):
        os.dup2(2, 1)  # prints of extension modules
    try:
        with redirect_stdout(sys.stderr):
            through, noticed = door(), watch() if watch else list
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
            ours = [name for name, f in calls.items() if str(getattr(f, "__module__", "")).startswith("minisparse.")]
            pipe.send((noticed(), ours, list(getattr(module, "REMARKS", ()))))
            continue
        function, inputs, may_lack = request
        pipe.send(ask(call or calls[function], inputs, may_lack, through))
