"""The command line of check_golden.py, which `golden export --checker python` writes beside the vectors.

    python check_golden.py rigl_update my_pkg.rigl:update    a callable
    python check_golden.py my_pkg.rigl                       every function of a module that has a contract name
    python check_golden.py DIR                               reads DIR/answers.json

It needs the standard library of Python 3.8 or newer, and cases.json, expected.json and profiles.json beside it. Code
gets NumPy's arrays, or nested lists with --arrays lists, or where NumPy is not installed; then it may return lists.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from .asking import Reply, Unanswered, ask, found, imported, offered, outcome, report, written
from .divergences import PROFILES
from .plain import Array, Odd, kind_of, read
from .verdict import VERSION, Outcome, Verdict

SERVE = "--serve"  # how the checker starts the process in which code is called
KINDS = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}  # NumPy's kind of a dtype: the dtype in a vector


class Case:
    """A case of cases.json with its answers."""

    def __init__(self, question: Mapping[str, Any], expected: Any, beside: Mapping[str, Any], float32: bool):
        self.id, self.function, self.reason = question["id"], question["function"], question["reason"]
        self.inputs, self.optional = dict(question["inputs"]), question["optional"]
        self.rtol, self.atol = question["rtol"], question["atol"]
        if float32:
            self.rtol, self.atol = max(self.rtol, 1e-6), max(self.atol, 1e-7)
        self.expected, self.pin, self.may_lack = expected, beside["pin"], beside["may_lack"]
        self.profiles: dict = {}
        for name, answer in beside["profiles"]:
            self.profiles.setdefault(name, []).append(answer)

    def answers(self, profile: str = "reference") -> Sequence[Any]:
        return [self.expected] if profile == "reference" else self.profiles.get(profile, [])


class Door:
    """Plain values as NumPy's arrays or as lists, and back."""

    def __init__(self, arrays: str, float32: bool):
        self.float32 = float32
        try:
            self.numpy: Any = __import__("numpy") if arrays != "lists" else None
        except ImportError as error:
            if arrays == "numpy":
                raise ValueError("--arrays numpy needs numpy, which is not installed") from error
            self.numpy = None

    @contextmanager
    def open(self) -> Iterator[None]:
        yield

    def give(self, value: Any) -> Any:
        if isinstance(value, Array):
            return self._array(value) if self.numpy else nested(value)
        if isinstance(value, dict):
            return {name: self.give(entry) for name, entry in value.items()}
        return tuple(self.give(item) for item in value) if isinstance(value, tuple) else value

    def _array(self, value: Array) -> Any:
        dtype = "float32" if self.float32 and value.dtype == "float64" else value.dtype
        return self.numpy.array(value.data, dtype=dtype).reshape(value.shape)

    def plain(self, x: Any) -> Any:
        np = self.numpy
        if np and isinstance(x, (np.ndarray, np.generic)):
            if x.dtype.kind not in KINDS:
                return Array(x.shape, str(x.dtype), [])
            narrow = x.dtype.kind == "f" and x.dtype.itemsize < 8
            return Array(x.shape, str(x.dtype) if narrow else KINDS[x.dtype.kind], x.ravel().tolist())
        if isinstance(x, Mapping):
            return {name: self.plain(entry) for name, entry in x.items()}
        if isinstance(x, (tuple, list)):
            return type(x)([self.plain(item) for item in x]) if type(x) in (tuple, list) else tuple(map(self.plain, x))
        return x if x is None or isinstance(x, (str, bool, int, float)) else Odd(kind_of(x))


def nested(array: Array) -> Any:
    """An array as nested lists, a mask's entries as True and False."""
    data: Any = [x == 1 for x in array.data] if array.dtype == "bool" else list(array.data)
    for n in reversed(array.shape[1:]):
        data = [data[i * n : (i + 1) * n] for i in range(len(data) // n if n else 0)]
    return data if array.shape else data[0]


def shaped(got: Any, want: Any) -> Any:
    """`got` with nested lists as arrays, where `want` has arrays."""
    if isinstance(want, Array):
        return _flat(got, want) if isinstance(got, (list, tuple)) else got
    if isinstance(want, dict) and isinstance(got, dict):
        return {name: shaped(entry, want.get(name)) for name, entry in got.items()}
    if isinstance(want, tuple) and isinstance(got, (list, tuple)) and len(got) == len(want):
        return tuple(shaped(a, b) for a, b in zip(got, want))
    return got


def _flat(got: Any, want: Array) -> Any:
    """Nested lists as an array; as they are if they are not even, or hold something else than numbers."""
    shape: list = []
    level = [got]
    while level and all(isinstance(x, (list, tuple)) for x in level):
        if len({len(x) for x in level}) > 1:
            return got
        shape.append(len(level[0]))
        level = [x for row in level for x in row]
    if not all(isinstance(x, (bool, int, float)) for x in level):
        return got
    kinds = {type(x) for x in level}
    empty = want.dtype if not kinds else "float64"
    dtype = "bool" if kinds == {bool} else "int64" if kinds and float not in kinds else empty
    return Array(tuple(shape), dtype, [int(x) if isinstance(x, bool) else x for x in level])


class Guest:
    """A module and the functions `names` it may offer, or without names a "module:callable", in a child process."""

    def __init__(self, where: str, arrays: str, float32: bool, names: Sequence[str]):
        self._command = [sys.executable, str(Path(sys.argv[0]).resolve()), SERVE]
        self._module = where.partition(":")[0]
        self._how = {"where": where, "arrays": arrays, "float32": float32, "names": list(names), "path": sys.path}
        self._start()

    def ask(self, case: Case) -> Reply:
        """The reply to a case; "ends" if the process did."""
        if self._process.poll() is not None:
            self._start()
        try:
            self._send({"function": case.function, "inputs": case.inputs, "may_lack": list(case.may_lack)})
            kind, text, got = self._receive()
        except (EOFError, OSError):
            return Reply("ends", f"ends the process ({self._how_it_ended()})")
        got = unpacked(got)
        return Reply(kind, text, shaped(got, read(case.expected)) if self.lists else got)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _start(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, universal_newlines=True)
        try:
            self._send(self._how)
            refused, text, self.offers, self.lists = self._receive()
        except (EOFError, OSError):
            refused, text = (
                "Unanswered",
                f"{self._module} ends the process when it is imported ({self._how_it_ended()})",
            )
        if refused:
            self.close()
            raise (Unanswered if refused == "Unanswered" else ValueError)(text)

    def _send(self, message: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _receive(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise EOFError
        return json.loads(line)

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit status {code}"


def serve() -> None:
    """The child's loop: import, say what is offered, answer calls until the input ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # prints go to stderr

    def send(*message: Any) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    how = json.loads(sys.stdin.readline())
    sys.path[:] = how["path"]
    try:
        with redirect_stdout(sys.stderr):
            door = Door(how["arrays"], how["float32"])
            call = None if how["names"] else found(how["where"])
            calls = {} if call else offered(imported(how["where"]), how["names"])
    except ValueError as error:
        send(type(error).__name__, str(error), [], False)
        return
    send("", "", list(calls), door.numpy is None)
    for line in sys.stdin:
        asked = json.loads(line)
        reply = ask(call or calls[asked["function"]], asked["inputs"], asked["may_lack"], door)
        send(reply.kind, reply.text, packed(reply.got))


def packed(x: Any) -> Any:
    """A plain value as JSON that keeps lists from tuples, and what fits in no vector."""
    if isinstance(x, Array):
        return {"array": [x.shape, x.dtype, x.data]}
    if isinstance(x, dict):
        return {"dict": [[name, packed(entry)] for name, entry in x.items()]}
    if isinstance(x, (list, tuple)):
        return {type(x).__name__: [packed(item) for item in x]}
    return {"odd": x.words} if isinstance(x, Odd) else x


def unpacked(x: Any) -> Any:
    if not isinstance(x, dict):
        return x
    ((kind, own),) = x.items()
    if kind == "array":
        return Array(*own)
    if kind == "dict":
        return {name: unpacked(entry) for name, entry in own}
    return Odd(own) if kind == "odd" else {"list": list, "tuple": tuple}[kind](map(unpacked, own))


def main() -> int:
    """The exit status: 0 only if every supported case that is not optional holds."""
    if sys.argv[1:] == [SERVE]:
        serve()
        return 0
    text = __doc__ or ""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", metavar="WHAT", help="DIR with answers.json, a function, or a module")
    parser.add_argument("call", nargs="?", metavar="module:callable", help="your code for a function")
    parser.add_argument("--function", action="append", default=[], help="of a module or DIR; repeatable, default all")
    parser.add_argument("--arrays", choices=("numpy", "lists"), help="what the code takes")
    parser.add_argument("--ties", choices=("any", "pinned"), default="any", help="pinned: the lower flat index first")
    parser.add_argument("--profile", choices=PROFILES, default="reference", help="whose answers to expect")
    parser.add_argument("--float32", action="store_true", help="tolerances of 1e-6 relative and 1e-7 absolute")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    given = parser.parse_args()
    try:
        verdict = checked(given, Path(sys.argv[0]).resolve().parent)
    except (ValueError, OSError) as error:
        print(f"check_golden: {error}", file=sys.stderr)
        return 1 if isinstance(error, Unanswered) else 2
    if given.json:
        print(json.dumps(verdict.as_json(), indent=1))
    else:
        print("\n".join(line for line, _ in report(verdict)))
    return 0 if verdict.passes else 1


def checked(given: Any, folder: Path) -> Verdict:
    """The verdict on what the command line names, by the vectors in `folder`."""
    asked = cases(folder, given.float32)
    for name in [given.what] if given.call else given.function:
        if name not in asked:
            raise ValueError(f"{name!r} is not a function of the golden vectors; the functions are {', '.join(asked)}")
    names = [given.what] if given.call else given.function or list(asked)
    every = {case.id for own in asked.values() for case in own}
    asked = {name: [case for case in asked[name] if case.answers(given.profile)] for name in names}
    if not any(not case.optional for own in asked.values() for case in own):
        raise Unanswered(f"no answers of {given.profile} for {', '.join(asked)}")
    asked = {name: own for name, own in asked.items() if own}
    how: dict = {"pinned": given.ties == "pinned", "profile": given.profile, "float32": given.float32}
    path = Path(given.what) / "answers.json"
    outcomes: list[Outcome] = []
    if not given.call and path.parent.is_dir():
        answers = answers_of(path, every)
        names = [name for name, own in asked.items() if any(case.id in answers for case in own)]
        outcomes = [written(case, answers, **how) for name in names for case in asked[name]]
    else:
        guest = Guest(given.call or given.what, given.arrays or "", given.float32, () if given.call else list(asked))
        names = [given.what] if given.call else [name for name in asked if name in guest.offers]
        outcomes = [outcome(case, guest.ask(case), **how) for name in names for case in asked[name]]
        guest.close()
    return Verdict(outcomes, [name for name in asked if name not in names], given.profile, how["pinned"])


def cases(folder: Path, float32: bool) -> dict[str, list[Case]]:
    """{function: its cases} of cases.json, expected.json and profiles.json."""
    questions, answers, beside = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("cases", "expected", "profiles")
    )
    functions: dict = {}
    for question in questions["cases"]:
        case = Case(question, answers["answers"][question["id"]], beside["cases"][question["id"]], float32)
        functions.setdefault(case.function, []).append(case)
    return functions


def answers_of(path: Path, known: set[str]) -> Mapping[str, Any]:
    """The answers of an answers.json. ValueError for another form or version, or an answer to an unknown case."""
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(file, dict) or file.get("version") != VERSION or not isinstance(file.get("answers"), dict):
        raise ValueError(f'{path} is not of the form {{"version": {VERSION}, "answers": {{case id: answer}}}}')
    strange = [case_id for case_id in file["answers"] if case_id not in known]
    if strange:
        raise ValueError(f"{path} answers {strange[0]!r}, which is not a case")
    return file["answers"]
