"""Finding and calling code under test, and reading its answers: the standard library alone, Python 3.8 or newer."""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from .plain import alike, kind_of, leaves, read
from .verdict import ONCE, VERSION, Outcome, Verdict, failed, judged


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
        raise ValueError(f"{module} is a file name; expected a module name, {module[:-3]}")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(module)
    except SystemExit as error:
        raise Unanswered(f"{module} ends by sys.exit({error.code!r}) when it is imported") from error
    except Exception as error:
        raise ValueError(f"{module} cannot be imported: {type(error).__name__}: {error}") from error


def offered(module: Any, names: Iterable[str]) -> dict:
    """{name: function} of the functions `names` that a module has."""
    return {name: getattr(module, name) for name in names if callable(getattr(module, name, None))}


def ask(call: Callable, inputs: Mapping[str, Any], may_lack: Iterable[str], door: Any) -> Reply:
    """Call `call` with the inputs, in JSON form, by the contract's parameter names.

    may_lack: parameters with a default in the contract, which other code may not have.
    door: `give` turns a plain value into what the code takes, `plain` turns it back, `open` is the context of the call.
    """
    misfit = _misfit(call, list(inputs), set(may_lack))
    if misfit:
        return misfit
    given = {name: door.give(read(value)) for name, value in inputs.items()}
    before = door.plain(given)
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr), door.open():
            warnings.simplefilter("ignore")
            got = door.plain(call(**given))
    except NotImplementedError as error:
        return Reply("unsupported", str(error) or "not implemented")
    except SystemExit as error:
        return Reply("ends", f"ends by sys.exit({error.code!r})")
    except Exception as error:
        return Reply("raises", f"raises {type(error).__name__}: {error}")
    after = door.plain(given)
    changed = [name for name in before if not alike(before[name], after[name])]
    if changed:
        return Reply(
            "changes", f"changes its input{'s' * (len(changed) > 1)} in place: {_where(changed, before, after)}", got
        )
    return Reply("answer", "", got)


def outcome(case: Any, reply: Reply, **how: Any) -> Outcome:
    """The judgement of a reply; `how` is that of `verdict.judged`."""
    if reply.kind == "unsupported":
        return Outcome(case, unsupported=reply.text)
    if reply.kind in ("call", "raises", "ends"):
        return failed(case, reply.kind, reply.text)
    found = judged(case, reply.got, **how)
    if reply.kind == "answer":
        return found
    faults = [("changes", reply.text), *found.faults]
    return Outcome(case, "; ".join(text for _, text in faults), reply.got, faults)


def written(case: Any, answers: Mapping[str, Any], **how: Any) -> Outcome:
    """The judgement of the answer to `case` in the answers of an answers.json."""
    if case.id not in answers:
        return failed(case, "absent", "has no answer")
    answer = answers[case.id]
    if isinstance(answer, dict) and answer.keys() == {"error"}:
        name, _, why = str(answer["error"]).partition(":")
        if name == "NotImplementedError":
            return Outcome(case, unsupported=why.strip() or "not implemented")
        return failed(case, "raises", f"raises {answer['error']}")
    try:
        got = read(answer)
    except (ValueError, TypeError, RecursionError) as error:
        return failed(case, "form", str(error))
    return judged(case, got, **how)


def answered(path: Path, asked: Mapping[str, Iterable[Any]], known: Iterable[str], **how: Any) -> tuple[list, list]:
    """The outcomes of an answers.json, and the names of the functions without any answer in it.

    ValueError for a file of another form or version, or an answer to a case that is not in `known`.
    """
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(file, dict) or file.get("version") != VERSION or not isinstance(file.get("answers"), dict):
        raise ValueError(f'{path} is not of the form {{"version": {VERSION}, "answers": {{case id: answer}}}}')
    answers, known = file["answers"], set(known)
    strange = next((case_id for case_id in answers if case_id not in known), None)
    if strange is not None:
        raise ValueError(f"{path} answers {strange!r}, which is not a case")
    missing = [name for name, cases in asked.items() if not any(case.id in answers for case in cases)]
    return [written(case, answers, **how) for name in asked if name not in missing for case in asked[name]], missing


def verdict_on(
    what: str, call: str | None, asked: Mapping[str, list], known: Iterable[str], guest: Callable, **how: Any
) -> Verdict:
    """The verdict on a folder of answers, a callable or a module. `how` is that of `verdict.judged`.

    asked {function: cases} to ask, known: the ids of all cases; guest(where, names) opens the code under test.
    """
    if not any(not case.optional for cases in asked.values() for case in cases):
        raise Unanswered(f"no answers of {how['profile']} for {', '.join(asked)}")
    asked = {name: cases for name, cases in asked.items() if cases}
    if call is None and Path(what).is_dir():
        outcomes, missing = answered(Path(what) / "answers.json", asked, known, **how)
    else:
        with guest(call or what, () if call else list(asked)) as code:
            missing = [name for name in asked if not call and name not in code.offers]
            cases = [case for name in asked if name not in missing for case in asked[name]]
            outcomes = [outcome(case, code.ask(case), **how) for case in cases]
    return Verdict(outcomes, missing, how["profile"], how["pinned"])


def report(verdict: Verdict) -> list[tuple[str, str]]:
    """The lines that `golden check` prints, each with its style."""
    lines = []
    for same in _groups(verdict):
        first = same[0]
        lines.append((first.case.id + (" (optional)" if first.case.optional else ""), "bold red"))
        others = ", ".join(o.case.id.partition("/")[2] for o in same[1:])
        lines.append((f"  and {len(same) - 1} more: {others}" if others else f"  {first.case.reason}", ""))
        lines.append((f"  your answer {first.wrong}", ""))
    lines += [(f"{name}: missing", "bold red") for name in verdict.missing]
    return [*lines, (verdict.sentence(), "bold")]


def _groups(verdict: Verdict) -> list[list[Outcome]]:
    """The failures, with those together that are wrong in the same words: a parameter's name is said once."""
    groups: dict = {}
    for o in verdict.failed:
        once = o.faults and o.faults[0][0] in ONCE
        groups.setdefault((o.case.function, o.wrong) if once else (o.case.id, ""), []).append(o)
    return list(groups.values())


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
