"""Runs code under test against the vectors.

    checked   a callable, a module, or a folder of answers, which may come from any language
    run       one case with a callable, in this process

An exception of the code under test is a wrong answer, except NotImplementedError; its warnings are ignored, and its
output goes to stderr.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from . import asking, verdict
from .arrays import Door
from .asking import Unanswered as Unanswered
from .asking import ask, outcome, verdict_on
from .asking import found as found
from .cases import PROFILES, Case, chosen, load
from .guest import Guest
from .values import plain
from .verdict import Outcome, Verdict


def run(case: Case, call: Callable, door: "Door | None" = None, **how: Any) -> Outcome:
    """Call `call` with the inputs of `case`, by the contract's parameter names, and judge its answer."""
    door = door or Door()
    return outcome(case, ask(call, case.inputs, case.may_lack, door), float32=door.float32, **how)


def judged(case: Case, got: Any, **how: Any) -> Outcome:
    """`verdict.judged` of NumPy's arrays."""
    return verdict.judged(case, plain(got), **how)


def answered(path: Path, functions: Mapping[str, Sequence[Case]], **how: Any) -> tuple[list[Outcome], list[str]]:
    """`asking.answered`, with all cases known."""
    return asking.answered(path, functions, _every_id(), **how)


def _every_id() -> set[str]:
    return {case.id for cases in load(superseded=True).values() for case in cases}


def decided(cases: Iterable[Case], profile: str) -> list[Case]:
    """The cases for which `profile` has an answer. ValueError for an unknown profile."""
    if profile not in PROFILES:
        raise ValueError(f"--profile is {profile!r}; expected {', '.join(PROFILES)}")
    return [case for case in cases if case.answers(profile)]


def checked(
    what: str,
    call: str | None = None,
    only: Sequence[str] = (),
    arrays: str = "numpy",
    pinned: bool = False,
    profile: str = "reference",
    float32: bool = False,
) -> Verdict:
    """The verdict on `call` "module:callable" as the function `what`, on a folder's answers.json, or on a module.

    only: the functions to check in a folder or module, by default all; those without answers are named in `missing`.
    The code runs in a process of its own. The other arguments are those of `verdict.judged` and `Door`. ValueError for
    what cannot be found; `Unanswered` for a profile without answers, or code that ends on import.
    """
    asked = {
        name: [case.in_float32() if float32 else case for case in decided(cases, profile)]
        for name, cases in chosen([what] if call else only, load()).items()
    }
    opened = lambda where, names: Guest(where, partial(Door, arrays, float32), names)
    return verdict_on(what, call, asked, _every_id(), opened, pinned=pinned, profile=profile, float32=float32)
