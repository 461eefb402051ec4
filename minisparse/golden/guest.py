"""Code under test, in a process of its own: it may exit, crash or hang up without taking the checker with it.

ask      one call, in this process
Guest    a module or callable in a child process that answers calls
"""

import inspect
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from .arrays import Door
from .plain import alike, leaves, read
from .values import as_numpy, kind_of, plain

SPAWNED = ("torch", "jax", "tensorflow")  # their threads do not survive a fork


class Unanswered(ValueError):
    """Nothing can be asked: the code ends the process on import, or a profile has no answers."""


class Reply(NamedTuple):
    """What a call gave: `got` a plain value if `kind` is "answer"; else `text` says what went wrong.

    kind: "answer", "raises", "ends", "call" (parameters do not fit), "unsupported", or "changes" (its inputs).
    """

    kind: str
    text: str = ""
    got: Any = None


def found(where: str) -> Callable:
    """The callable at "package.module:name". ValueError saying which part was not found."""
    module, colon, name = where.partition(":")
    if not (module and colon and name):
        raise ValueError(f"{where!r} does not name a callable; expected module:callable, such as my_pkg.rigl:update")
    call: Any = imported(module)
    for part in name.split("."):
        if not hasattr(call, part):
            raise ValueError(f"{module} has no {name}")
        call = getattr(call, part)
    if not callable(call):
        raise ValueError(f"{where} is {kind_of(call)}; expected a callable")
    return call


def imported(module: str) -> Any:
    """The module of that name, searched in the current folder too. ValueError with the error of the import."""
    if module.endswith(".py"):
        raise ValueError(f"{module} is a file name; expected a module name, {module.removesuffix('.py')}")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(module)
    except SystemExit as error:
        raise Unanswered(f"{module} ends by sys.exit({error.code!r}) when it is imported") from error
    except Exception as error:
        raise ValueError(f"{module} cannot be imported: {type(error).__name__}: {error}") from error


def offered(module: Any, names: Iterable[str]) -> dict[str, Callable]:
    """{name: function} of the functions `names` that a module has."""
    return {name: getattr(module, name) for name in names if callable(getattr(module, name, None))}


def ask(call: Callable, inputs: Mapping[str, Any], may_lack: Iterable[str], door: Door) -> Reply:
    """Call `call` with the inputs, in JSON form, by the contract's parameter names.

    may_lack: parameters with a default in the contract, which other code may not have.
    """
    if misfit := _misfit(call, list(inputs), set(may_lack)):
        return misfit
    given = door.give({name: as_numpy(read(value)) for name, value in inputs.items()})
    before = plain(door.back(given))
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr), door.open():
            warnings.simplefilter("ignore")
            got = plain(door.back(call(**given)))
    except NotImplementedError as error:
        return Reply("unsupported", str(error) or "not implemented")
    except SystemExit as error:
        return Reply("ends", f"ends by sys.exit({error.code!r})")
    except Exception as error:
        return Reply("raises", f"raises {type(error).__name__}: {error}")
    after = plain(door.back(given))
    if changed := [name for name in before if not alike(before[name], after[name])]:
        return Reply(
            "changes", f"changes its input{'s' * (len(changed) > 1)} in place: {_where(changed, before, after)}", got
        )
    return Reply("answer", "", got)


def _where(changed: list[str], before: Mapping, after: Mapping) -> str:
    """The names of changed inputs, each with the first place within it."""
    said = []
    for name in changed:
        old, new = dict(leaves(before[name])), dict(leaves(after[name]))
        places = [at for at in {**old, **new} if at not in old or at not in new or not alike(old[at], new[at])]
        said.append(name + next(iter(places), ""))
    return ", ".join(said)


def _misfit(call: Callable, names: list[str], may_lack: set[str]) -> Reply | None:
    """Why `call` cannot be given the parameters `names`, by its signature; None if it can, or has no signature."""
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return None
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    takes = [p.name for p in parameters if p.kind in by_name]
    anything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    one_place = (*by_name, inspect.Parameter.POSITIONAL_ONLY)
    needs = [p.name for p in parameters if p.kind in one_place and p.default is p.empty]
    lacks = [] if anything else [name for name in names if name not in takes]
    needs = [name for name in needs if name not in names]
    if not lacks and not needs:
        return None
    if not needs and set(lacks) <= may_lack:
        return Reply("unsupported", f"it has no parameter {', '.join(lacks)}")
    odd = f"has no parameter {', '.join(lacks)}" if lacks else f"needs {', '.join(needs)} too"
    return Reply("call", f"it {odd}; it takes {', '.join(map(str, parameters)) or 'nothing'}, "
                 f"and the contract names {', '.join(names)}")  # fmt: skip


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
