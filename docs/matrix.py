"""Conventions by implementations: who does otherwise, by the vectors' recorded answers and the runs of packages.

A row for each convention that public code breaks, in the checker's words; a column for each implementation.
"""

import html
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from minisparse.golden.cases import PROFILES, Case
from minisparse.golden.divergences import DIVERGENCES, divergence, rows

RUNS = Path(__file__).parent / "conformance.json"
OTHERWISE = "no words for it, another answer"
SIGNS = {"✗": "missed", "✓": "reached", "·": "absent"}
LEGEND = """✗ differs, with a link to a case that tells, or what the checker said of the package; (✗) known to differ,
no answer written down; ≠ another answer there, of another kind; ✓ its answers agree; · not known."""
Told = dict[str, dict[str, list[str]]]  # {the checker's words: {a profile that they are for: the cases that tell}}


@cache
def packages() -> dict:
    """{package: its version, and what its functions answered}, as `python -m tests.conformance` wrote them."""
    return json.loads(RUNS.read_text(encoding="utf-8"))["packages"]


def table(cases: Sequence[Case], every: Sequence[Case], link: Callable[[str], str], page: str) -> str:
    """The conventions of `cases` in HTML. What no case of `every` tells is there too, where one pins it: it is known of
    code whose answers are not written down.

    link: from the id of a case to where it is, "" where it is nowhere; page: where conformance.md is.
    """
    told = conventions(cases, every)
    functions = {case.function for case in cases}
    ran = {name: package for name, package in packages().items() if functions & set(package["functions"])}
    if OTHERWISE not in told and any(_unnamed(package["functions"], functions) for package in ran.values()):
        told[OTHERWISE] = {}
    if not told:
        return "No public code is known to differ here."
    profiles = _columns(cases, told)
    heads = "".join(f'<th scope="col"><span>{name}</span></th>' for name in (*profiles, *ran))
    group = f'<th scope="colgroup" colspan="{len(profiles)}">recorded answers</th>'
    group += f'<th scope="colgroup" colspan="{len(ran)}"><a href="{page}">packages, run</a></th>' if ran else ""
    lines = [f'<tr><td></td>{group}</tr>\n<tr><th scope="col">says the checker</th>{heads}</tr></thead><tbody>']
    for words, who in told.items():
        telling = [case for case in cases if case.id in {id for ids in who.values() for id in ids}]
        cells = [_profile_cell(profile, who, telling, link) for profile in profiles]
        cells += [_package_cell(words, package["functions"], functions, telling) for package in ran.values()]
        data = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f'<tr><th scope="row">{html.escape(words)}</th>{data}</tr>')
    body = "\n".join(lines)
    return (
        f'```{{raw}} html\n<div class="wide" tabindex="0"><table class="matrix"><thead>{body}\n</tbody></table></div>\n'
        f"```\n\n{LEGEND}"
    )


def markdown(cases: Sequence[Case]) -> str:
    """The same for a page without HTML: recorded answers alone."""
    told = conventions(cases, cases)
    profiles = _columns(cases, told)
    lines = [f"| says the checker | {' | '.join(profiles)} |", "|---" * (len(profiles) + 1) + "|"]
    for words, who in told.items():
        telling = [case for case in cases if case.id in {id for ids in who.values() for id in ids}]
        lines.append(f"| {words} | {' | '.join(_sign(profile, who, telling) for profile in profiles)} |")
    return "\n".join(lines)


def conventions(cases: Sequence[Case], every: Sequence[Case]) -> Told:
    """What the checker can say of `cases`, each with whom it is said of; last, what there are no words for."""
    told, everywhere = _told(cases), _told(every)
    for _, words, profiles in (row for case in cases for row in rows(case)):
        if words not in everywhere:
            told[words] = {profile: [] for profile in profiles.split()}
    if OTHERWISE in told:
        told[OTHERWISE] = told.pop(OTHERWISE)
    return told


def _columns(cases: Sequence[Case], told: Told) -> list[str]:
    """The profiles with an answer to one of `cases`, or of which something is told."""
    known = {profile for case in cases for profile in PROFILES if case.answers(profile)}
    return [p for p in PROFILES if p != "reference" and (p in known or any(p in who for who in told.values()))]


def _profile_cell(profile: str, who: dict[str, list[str]], telling: Sequence[Case], link: Callable[[str], str]) -> str:
    sign = _sign(profile, who, telling)
    if sign in SIGNS:
        sign = f'<span class="{SIGNS[sign]}">{sign}</span>'
    ids = who.get(profile, [])
    where = link(ids[0]) if ids else ""
    return f'<a href="{where}" title="{", ".join(ids)}">{sign}</a>' if where else sign


def _sign(profile: str, who: dict[str, list[str]], telling: Sequence[Case]) -> str:
    """A cross for code that differs so; a tick where its answers to the cases that tell are known and agree."""
    if profile in who:
        return "✗" if who[profile] else "(✗)"
    if any(case.differs(profile) for case in telling):
        return "≠"
    return "✓" if any(case.answers(profile) for case in telling) else "·"


def _package_cell(words: str, runs: dict, functions: set[str], telling: Sequence[Case]) -> str:
    """A package's: a cross where the checker says these words of one of `functions`."""
    named = [run for f, run in runs.items() if f in functions and words in run["verdict"]]
    if words == OTHERWISE:
        named = _unnamed(runs, functions)
    if named:
        return f'<span class="missed" title="{html.escape(named[0]["verdict"])}">✗</span>'
    there = [(case, runs[case.function]) for case in telling if case.function in runs]
    if any(case.id in run["wrong"] for case, run in there):
        return "≠"
    agrees = there and not any(run["not_supported"] for _, run in there)
    return '<span class="reached">✓</span>' if agrees else '<span class="absent">·</span>'


def _unnamed(runs: dict, functions: set[str]) -> list[dict]:
    """The runs of `functions` that fail in no way that there are words for."""
    failed = [run for f, run in runs.items() if f in functions and not run["passes"]]
    return [run for run in failed if not any(words in run["verdict"] for _, words, _ in DIVERGENCES)]


def _told(cases: Sequence[Case]) -> Told:
    told: Told = {}
    for case in cases:
        for profile in (own for own in PROFILES if case.differs(own)):
            ids = told.setdefault(divergence(case, profile) or OTHERWISE, {}).setdefault(profile, [])
            ids.extend({case.id} - set(ids))
    return told
