"""Runs code under test against the vectors.

    checked   a callable, a module, or a folder of answers, which may come from any language
    run       one case with a callable, in this process

An exception of the code under test is a wrong answer, except NotImplementedError; its warnings are ignored, and its
output goes to stderr.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import verdict
from .arrays import Door
from .asking import Unanswered, outcome, written
from .asking import found as found
from .cases import PROFILES, Case, chosen, load
from .guest import Guest, ask
from .values import plain
from .verdict import VERSION, Outcome, Verdict


def run(case: Case, call: Callable, door: "Door | None" = None, **how: Any) -> Outcome:
    """Call `call` with the inputs of `case`, by the contract's parameter names, and judge its answer."""
    door = door or Door()
    return outcome(case, ask(call, case.inputs, case.may_lack, door), float32=door.float32, **how)


def judged(case: Case, got: Any, **how: Any) -> Outcome:
    """`verdict.judged` of NumPy's arrays."""
    return verdict.judged(case, plain(got), **how)


def answered(path: Path, functions: Mapping[str, Sequence[Case]], **how: Any) -> tuple[list[Outcome], list[str]]:
    """The outcomes of an answers.json, and the names of the functions without any answer in it.

    ValueError for a file of another form or version, or an answer to an unknown case.
    """
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(file, dict) or file.get("version") != VERSION or not isinstance(file.get("answers"), dict):
        raise ValueError(f'{path} is not of the form {{"version": {VERSION}, "answers": {{case id: answer}}}}')
    answers = file["answers"]
    known = {case.id for cases in load(superseded=True).values() for case in cases}
    if strange := next((case_id for case_id in answers if case_id not in known), None):
        raise ValueError(f"{path} answers {strange!r}, which is not a case")
    outcomes, missing = [], []
    for name, cases in functions.items():
        if not any(case.id in answers for case in cases):
            missing.append(name)
            continue
        for case in cases:
            outcomes.append(written(case, answers, **how))
    return outcomes, missing


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
    if not any(not case.optional for cases in asked.values() for case in cases):
        raise Unanswered(f"no answers of {profile} for {', '.join(asked)}")
    asked = {name: cases for name, cases in asked.items() if cases}
    how: dict[str, Any] = {"pinned": pinned, "profile": profile, "float32": float32}
    if call is None and Path(what).is_dir():
        return Verdict(*answered(Path(what) / "answers.json", asked, **how), profile, pinned)
    with Guest(call or what, arrays, float32, () if call else asked) as guest:
        names = [what] if call else [name for name in asked if name in guest.offers]
        outcomes = [
            outcome(case, guest.ask(name, case.inputs, case.may_lack), **how) for name in names for case in asked[name]
        ]
    return Verdict(outcomes, [name for name in asked if name not in names], profile, pinned)
