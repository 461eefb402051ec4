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
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from .asking import Reply, Unanswered, report, verdict_on
from .divergences import PROFILES
from .guest import Guest
from .plain import Array, mapped, plain, read
from .verdict import PlainCase, Verdict


class Door:
    """Plain values as NumPy's arrays or as lists, and back."""

    open, plain = nullcontext, staticmethod(plain)

    def __init__(self, arrays: str, float32: bool):
        self.float32 = float32
        try:
            self.numpy: Any = __import__("numpy") if arrays != "lists" else None
        except ImportError as error:
            if arrays == "numpy":
                raise ValueError("--arrays numpy needs numpy, which is not installed") from error
            self.numpy = None

    def give(self, value: Any) -> Any:
        made = self._array if self.numpy else nested
        return mapped(lambda x: made(x) if isinstance(x, Array) else x, value)

    def _array(self, value: Array) -> Any:
        dtype = "float32" if self.float32 and value.dtype == "float64" else value.dtype
        return self.numpy.array(value.data, dtype=dtype).reshape(value.shape)


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


class Lists(Guest):
    """Code that may return nested lists where cases have arrays."""

    def ask(self, case: Any) -> Reply:
        reply = super().ask(case)
        return reply._replace(got=shaped(reply.got, read(case.expected)))


def main() -> int:
    """The exit status: 0 only if every supported case that is not optional holds."""
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

    def opened(where: str, names: Sequence[str]) -> Guest:
        door = partial(Door, given.arrays or "", given.float32)
        return (Guest if door().numpy else Lists)(where, door, names)

    how: dict = {"pinned": given.ties == "pinned", "profile": given.profile, "float32": given.float32}
    return verdict_on(given.what, given.call, asked, every, opened, **how)


def cases(folder: Path, float32: bool) -> dict[str, list[PlainCase]]:
    """{function: its cases} of cases.json, expected.json and profiles.json."""
    questions, answers, beside = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("cases", "expected", "profiles")
    )
    functions: dict = {}
    for question in questions["cases"]:
        more = beside["cases"][question["id"]]
        profiles: dict = {}
        for name, answer in more["profiles"]:
            profiles.setdefault(name, []).append(answer)
        known = {"inputs": dict(question["inputs"]), "profiles": profiles, "stages": {}, "source": ""}
        case = PlainCase(expected=answers["answers"][question["id"]], **{**question, **more, **known})
        functions.setdefault(case.function, []).append(case.in_float32() if float32 else case)
    return functions
