"""Code of any origin run against the vectors.

    checked   a callable, a module or the answers of a folder, which may come from any language
    run       one case asked of a callable

The code under test is a guest: what it raises is a wrong answer; what it warns of or prints is its own affair."""

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
    """The callable at "package.module:name". ValueError saying what could not be found."""
    module, colon, name = where.partition(":")
    if not (module and colon and name):
        raise ValueError(f"{where!r} names no callable; expected module:callable, such as my_pkg.rigl:update")
    call: Any = imported(module)
    for part in name.split("."):
        if not hasattr(call, part):
            raise ValueError(f"{module} has no {name}")
        call = getattr(call, part)
    if not callable(call):
        raise ValueError(f"{where} is {kind_of(call)} and cannot be called")
    return call


def imported(module: str) -> Any:
    """The module of that name, from the current folder too. ValueError with what its import raised."""
    if module.endswith(".py"):
        raise ValueError(f"{module} is the name of a file; expected its module's, {module.removesuffix('.py')}")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(module)
    except Exception as error:
        raise ValueError(f"{module} cannot be imported: {type(error).__name__}: {error}") from error


def run(case: Case, call: Callable, door: "Door | None" = None, **how: Any) -> Outcome:
    """Ask `call` the question of `case`, with the contract's parameter names, and judge its answer as `judged` does."""
    door = door or Door()
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr), door.open():
            warnings.simplefilter("ignore")
            got = door.back(call(**door.give(case.arguments())))
    except (Exception, SystemExit) as error:
        return Outcome(case, f"raises {type(error).__name__}: {error}")
    return judged(case, got, **how)


def answered(path: Path, functions: Mapping[str, Sequence[Case]], **how: Any) -> tuple[list[Outcome], list[str]]:
    """The outcomes of an answers.json, and the names of the functions that it answers nothing of.

    ValueError for a file of another form or version, or an answer to a case that is not there.
    """
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(file, dict) or file.get("version") != VERSION or not isinstance(file.get("answers"), dict):
        raise ValueError(f'{path} is not of the form {{"version": {VERSION}, "answers": {{case id: answer}}}}')
    answers = file["answers"]
    known = {case.id for cases in load().values() for case in cases}
    if strange := next((own for own in answers if own not in known), None):
        raise ValueError(f"{path} answers {strange!r}, which is no case")
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
    """The cases on which `profile` has an answer. ValueError for a profile that is none, or none of them."""
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

    only: the functions of a folder or module that are asked for, all unless given; those that it has nothing of are
    named in `missing`. The other arguments are those of `judged` and `Door`. ValueError for what cannot be found.
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
    outcomes = [run(case, own, door, **how) for name, own in calls.items() for case in asked[name]]
    return Verdict(outcomes, [name for name in asked if name not in calls], profile)


def offered(module: Any, names: Iterable[str]) -> dict[str, Callable]:
    """Those of the functions that a module has."""
    return {name: getattr(module, name) for name in names if callable(getattr(module, name, None))}
