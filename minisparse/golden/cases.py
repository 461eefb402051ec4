"""The vectors of v1: one JSON file per function, read into cases and found by name."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..files import write_texts
from .divergences import PROFILES as PROFILES
from .values import decode
from .verdict import VERSION, PlainCase

V1 = Path(__file__).parent / "v1"


@dataclass(frozen=True)
class Case(PlainCase):
    """A case whose inputs NumPy's functions take."""

    def arguments(self) -> dict[str, Any]:
        """The inputs by the contract's parameter names, in new arrays."""
        return {name: decode(value) for name, value in self.inputs.items()}


def load(folder: Path | None = None, superseded: bool = False) -> dict[str, list[Case]]:
    """{function: its cases} of a folder, by default v1; functions sorted by name, cases in file order.

    superseded: with the cases that another has taken the place of, since something in them was wrong. They stay in the
    files, and nobody is asked them.
    ValueError for a file of another version, or a duplicate id.
    """
    functions: dict[str, list[Case]] = {}
    seen: set[str] = set()
    for path in sorted((folder or V1).glob("*.json")):
        file = json.loads(path.read_text(encoding="utf-8"))
        if file.get("version") != VERSION:
            raise ValueError(f"{path} has version {file.get('version')!r}; expected {VERSION}")
        cases = [_case(file["function"], case) for case in file["cases"]]
        lean = set.intersection(*(set(case.inputs) for case in cases)) if cases else set()
        cases = [replace(case, may_lack=[name for name in case.inputs if name not in lean]) for case in cases]
        for case in cases:
            if case.id in seen:
                raise ValueError(f"{path} has the case {case.id!r} twice")
            seen.add(case.id)
        functions.setdefault(file["function"], []).extend(c for c in cases if superseded or not c.superseded_by)
    return functions


def find(name: str, functions: Mapping[str, Sequence[Case]]) -> list[Case]:
    """The cases of the function `name`, or the case with that id. ValueError with the nearest names for neither."""
    if name in functions:
        return list(functions[name])
    every = {case.id: case for cases in functions.values() for case in cases}
    if name in every:
        return [every[name]]
    near = get_close_matches(name, [*functions, *every], n=3)
    instead = f"; did you mean {', '.join(near)}" if near else f"; the functions are {', '.join(functions) or 'none'}"
    raise ValueError(f"{name!r} is not a function or case of the golden vectors{instead}")


def chosen(names: Iterable[str], functions: Mapping[str, Sequence[Case]]) -> dict[str, list[Case]]:
    """The cases of the functions `names`, or of all if empty. ValueError for an unknown function."""
    for name in names:
        if name not in functions:
            find(name, functions)
            raise ValueError(f"{name!r} is a case; expected functions: {', '.join(functions)}")
    return {name: list(functions[name]) for name in (names or functions)}


def export(folder: Path, functions: Mapping[str, Sequence[Case]], force: bool = False) -> tuple[Path, Path]:
    """Write `folder`/cases.json, without answers, and expected.json, the answers; return both paths.

    expected.json has the form of answers.json, plus the intermediate stages. ValueError if one of the files exists,
    unless `force`.
    """
    paths = folder / "cases.json", folder / "expected.json"
    cases = [case for group in functions.values() for case in group]
    questions = [
        {
            "id": case.id,
            "function": case.function,
            "reason": case.reason,
            "inputs": [[name, value] for name, value in case.inputs.items()],
            "optional": case.optional,
            "rtol": case.rtol,
            "atol": case.atol,
        }
        for case in cases
    ]
    answers = {
        "version": VERSION,
        "answers": {case.id: case.expected for case in cases},
        "stages": {case.id: [[name, value] for name, value in case.stages.items()] for case in cases if case.stages},
    }
    texts = (
        json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        for content in ({"version": VERSION, "cases": questions}, answers)
    )
    write_texts(dict(zip(paths, texts, strict=True)), force)
    return paths


def _case(function: str, case: dict[str, Any]) -> Case:
    profiles: dict[str, list[Any]] = {}
    for name, answer in case.get("profiles", []):
        profiles.setdefault(name, []).extend([] if answer is None else [answer])
    pairs = {key: dict(case.get(key, [])) for key in ("inputs", "stages")}
    return Case(function=function, **case | pairs | {"profiles": profiles})
