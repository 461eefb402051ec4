"""Runs code under test against the vectors.

    checked   a callable, a module, or a folder of answers, which may come from any language
    run       one case with a callable

An exception of the code under test is a wrong answer; its warnings are ignored, and its output goes to stderr.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

from .arrays import Door
from .cases import PROFILES, VERSION, Case, chosen, load
from .values import decode, kind_of
from .verdict import Outcome, Verdict, judged


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
    except Exception as error:
        raise ValueError(f"{module} cannot be imported: {type(error).__name__}: {error}") from error


def run(case: Case, call: Callable, door: "Door | None" = None, **how: Any) -> Outcome:
    """Call `call` with the inputs of `case`, by the contract's parameter names, and return `judged` of its answer."""
    door = door or Door()
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr), door.open():
            warnings.simplefilter("ignore")
            got = door.back(call(**door.give(case.arguments())))
    except (Exception, SystemExit) as error:
        return Outcome(case, f"raises {type(error).__name__}: {error}")
    return judged(case, got, **how)


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
            outcomes.append(_read(case, answers, **how))
    return outcomes, missing


def _read(case: Case, answers: Mapping[str, Any], **how: Any) -> Outcome:
    if case.id not in answers:
        return Outcome(case, "has no answer")
    answer = answers[case.id]
    if isinstance(answer, dict) and answer.keys() == {"error"}:
        return Outcome(case, f"raises {answer['error']}")
    try:
        got = decode(answer)
    except (ValueError, TypeError, RecursionError) as error:
        return Outcome(case, str(error))
    return judged(case, got, **how)


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
    any_ties: bool = False,
    profile: str = "reference",
    float32: bool = False,
) -> Verdict:
    """The verdict on `call` "module:callable" as the function `what`, on a folder's answers.json, or on a module.

    only: the functions to check in a folder or module, by default all; those without answers are named in `missing`.
    The other arguments are those of `judged` and `Door`. ValueError for what cannot be found.
    """
    asked = {
        name: [case.in_float32() if float32 else case for case in decided(cases, profile)]
        for name, cases in chosen([what] if call else only, load()).items()
    }
    if not any(asked.values()):
        raise ValueError(f"{profile} decides no case of {', '.join(asked)}")
    asked = {name: cases for name, cases in asked.items() if cases}
    how = {"any_ties": any_ties, "profile": profile}
    if call is None and Path(what).is_dir():
        return Verdict(*answered(Path(what) / "answers.json", asked, **how), profile)
    door = Door(arrays, float32)
    calls = {what: found(call)} if call else offered(imported(what), asked)
    outcomes = [run(case, function, door, **how) for name, function in calls.items() for case in asked[name]]
    return Verdict(outcomes, [name for name in asked if name not in calls], profile)


def offered(module: Any, names: Iterable[str]) -> dict[str, Callable]:
    """{name: function} of the functions `names` that a module has."""
    return {name: getattr(module, name) for name in names if callable(getattr(module, name, None))}
