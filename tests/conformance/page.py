"""docs/conformance.md, made from docs/conformance.json, with a sentence from differs.json and all of reported.json."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
DATA, PAGE = DOCS / "conformance.json", DOCS / "conformance.md"
REPORTED, DIFFERS = (
    json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8")) for name in ("reported", "differs")
)
HEAD = """# Who implements what the papers say

Public code, run through the [golden vectors](../minisparse/golden/README.md) on {date} with minisparse {minisparse} and
Python {python}. A cell says how many of a function's cases hold; where all do, ✓. A dash: the package has no such
function. A legal choice among equal scores holds; cases with an option that the package lacks do not count.

A difference is a fact and not a fault: papers leave much open, and code made for another purpose is not wrong because
it differs here. What each function asks, and why, is on the page of its [method](methods/index.md). Corrections are
welcome: an adapter is a short file in `tests/conformance/adapters/`.
"""
REPORTED_HEAD = """## Code on GitHub alone

It does not install from the package index, so it is not run again with this page: these are notes on one commit each,
from running it on small inputs or reading it. ✓ agrees where it was looked at; ≠ differs, in the words below the table;
a dash: not offered, or not looked at.
"""
SHORT = {  # names of columns
    "tensorflow-model-optimization": "tfmot",
    "torch.nn.utils.prune": "torch prune",
    "torch.ao.pruning": "torch ao",
    "sparse-evolutionary-artificial-neural-networks": "SET",
    "In-Time-Over-Parameterization": "ITOP",
    "L0_regularization": "L0",
    "lottery-ticket-hypothesis": "LTH",
}


def page(data: Mapping[str, Any]) -> str:
    """The page in Markdown; the same for the same data."""
    packages = data["packages"]
    date = max(own["date"] for own in packages.values())
    functions = [name for name in data["cases"] if any(name in own["functions"] for own in packages.values())]
    matrix = [[f"`{name}`", *(_cell(own["functions"].get(name)) for own in packages.values())] for name in functions]
    parts = [
        HEAD.format(date=date, minisparse=data["minisparse"], python=data["python"]),
        "## In short\n",
        *_table(["function", *(SHORT.get(name, name) for name in packages)], matrix),
        *_table(
            ["package", "version", "with", "what was called", "functions that hold"], map(_summary, packages.items())
        ),
        "Case by case: {download}`conformance.json`. `python -m tests.conformance` makes it, and this page.\n",
        "## What differs\n",
        "In a sentence, and *in the words of the checker, which speak to the author of the code*.\n",
        *(line for item in packages.items() for line in _differences(*item)),
        REPORTED_HEAD,
        *_reported(list(data["cases"])),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _cell(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "–"
    return "✓" if result["passes"] else f"{result['holds']} of {result['cases']}"


def _summary(item: tuple[str, Mapping[str, Any]]) -> list[str]:
    name, own = item
    results = own["functions"].values()
    others = ", ".join(f"{library} {version}" for library, version in own["with"].items())
    return [
        name,
        own["version"],
        others or "–",
        own["called"],
        f"{sum(r['passes'] for r in results)} of {len(results)}",
    ]


def _differences(name: str, own: Mapping[str, Any]) -> Iterable[str]:
    differ = {function: result for function, result in own["functions"].items() if not result["passes"]}
    yield f"### {name} {own['version']}\n"
    for function, result in differ.items():
        score, _, words = result["verdict"].partition(": ")
        yield f"- `{function}`, {score}: {DIFFERS.get(name, {}).get(function, '')} *{words}*"
    if not differ:
        yield "All cases of the functions that it has hold."
    yield ""


def _reported(order: Sequence[str]) -> Iterable[str]:
    signs = [{name: "✓" if note["agrees"] else "≠" for name, note in code["functions"].items()} for code in REPORTED]
    rows = [
        [f"`{name}`", *(own.get(name, "–") for own in signs)] for name in order if any(name in own for own in signs)
    ]
    yield from _table(["function", *map(_name, REPORTED)], rows)
    for code in REPORTED:
        yield f"### {code['repository']}\n"
        yield f"[{code['repository']}](https://github.com/{code['repository']}), {_at(code['commit'], code['date'])}\n"
        for name, note in code["functions"].items():
            differs = "" if note["agrees"] else "differs: "
            yield f"- `{name}`: {differs}{note['does']} ({note['how']}; `{note['where']}`)"
        yield ""


def _name(code: Mapping[str, Any]) -> str:
    name = code["repository"].partition("/")[2]
    return SHORT.get(name, name)


def _at(commit: str, dated: str) -> str:
    if commit == "main":
        return f"as of {dated}:"
    return f"commit {commit}{f' of {dated}' if dated else ''}:"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
