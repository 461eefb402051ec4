"""What a page asks for in a comment of its own, as Markdown, read from the vectors, the checker and the package.

<!-- pins: rigl_count trajectory:rigl -->          every case of functions, or of the runs under one method
<!-- divergences: rigl_count trajectory:rigl -->   who does otherwise, in the checker's words: a row for each convention
<!-- stages: rigl_update/basic -->                 a case, drawn
<!-- api: masks methods.rigl -->                   the docstrings of modules
<!-- notebooks: 09_rigl -->                        where the course builds it

and what results.py and front.py answer.
"""

import html
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from docs import front, results
from minisparse.golden.cases import PROFILES, Case, find, load
from minisparse.golden.divergences import divergence, rows
from minisparse.golden.show import SIGNS, drawn

ASKED = re.compile(r"<!-- (pins|divergences|stages|api|notebooks|conformance): ([\w:. /-]+) -->")
ALONE = re.compile(r"<!-- (papers|verdict|repository|conformance) -->")
NUMBER = re.compile(r"\{(ours|paper|accuracy) ([\w./-]+)\}")
COURSE = Path(__file__).parents[1] / "notebooks"
PACKAGE = Path(__file__).parents[1] / "minisparse"
OTHERWISE = "no words for it, another answer"
LEGEND = """✗ differs, with a link to a case that tells; (✗) known to differ, no answer written down; ✓ its answers
agree; · none is written down."""
CLASSES = dict(zip(SIGNS, "stays absent dropped grown back".split(), strict=True))


def filled(page: str) -> str:
    """The Markdown of a page, with its comments answered. ValueError for a function or a method that has no cases."""
    answers = {"pins": sections, "divergences": divergences, "stages": stages, "api": modules, "notebooks": lessons,
               "conformance": front.of_functions}  # fmt: skip
    alone = {"papers": results.papers, "verdict": front.verdict, "repository": front.button,
             "conformance": front.summary}  # fmt: skip
    page = ASKED.sub(lambda m: answers[m[1]](m[2].split()), page)
    page = ALONE.sub(lambda m: alone[m[1]](), page)
    page = re.sub(r"<!-- paper: (.+?) -->", lambda m: results.paper(m[1]), page)
    return NUMBER.sub(lambda m: results.number(m[1], m[2]), page)


def stages(ids: list[str]) -> str:
    """Cases, drawn in the open, each with its reason."""
    drawings = (
        f'<figure class="stages"><pre tabindex="0">{picture(case)}</pre>'
        f"<figcaption>{html.escape(case.reason)}</figcaption></figure>"
        for id in ids
        for case in find(id, _vectors())
    )
    return f"```{{raw}} html\n{chr(10).join(drawings)}\n```"


def modules(names: list[str]) -> str:
    """A section for each module, for autodoc to fill; of a package, which is a menu, the docstring alone."""
    return "\n\n".join(map(_module, names))


def _module(name: str) -> str:
    option = "   :no-members:\n" if (PACKAGE / name.replace(".", "/")).is_dir() else ""
    return f"## minisparse.{name}\n\n```{{eval-rst}}\n.. automodule:: minisparse.{name}\n{option}```"


def lessons(names: list[str]) -> str:
    """Links to notebooks by their titles, of those that are there."""
    links = [f"[](/notebooks/{name}.ipynb)" for name in names if (COURSE / f"{name}.ipynb").is_file()]
    return f"The course builds it step by step: {', '.join(links)}." if links else ""


def asked(name: str) -> list[Case]:
    """The cases of a function, or of "trajectory:rigl", the runs under one method."""
    function, _, method = name.partition(":")
    cases = _vectors().get(function, [])
    if method:
        cases = [case for case in cases if case.arguments()["case"]["method"]["name"] == method]
    if not cases:
        raise ValueError(f"no golden case is of {name!r}")
    return cases


@cache
def _vectors() -> dict[str, list[Case]]:
    return load()


def sections(names: list[str]) -> str:
    """A section for each name, with a fold for each case that shows its reason and opens on its picture."""
    return "\n\n".join(_section(name, asked(name)) for name in names)


def _section(name: str, cases: list[Case]) -> str:
    function, _, method = name.partition(":")
    if method:
        head = f"### Whole runs: {method.replace('_', ' ')}\n\n`trajectory(case)`, {_number(cases)}."
    else:
        head = f"### {function}\n\n`{function}({', '.join(cases[0].inputs)})`, {_number(cases)}."
    return "\n\n".join([head, f"```{{raw}} html\n{''.join(map(_fold, cases))}```"])


def _number(cases: list[Case]) -> str:
    return f"{len(cases)} case{'s' if len(cases) > 1 else ''}"


def _fold(case: Case) -> str:
    who = [profile for profile in PROFILES if case.differs(profile)]
    optional = ' <span class="who">optional</span>' if case.optional else ""
    differ = f' <span class="who differ">{", ".join(who)} differ{"s" if len(who) == 1 else ""}</span>' if who else ""
    said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in _said(case, who))
    return (
        f'<details class="vector"><summary>{html.escape(case.reason)}{optional}{differ}</summary>'
        f'<pre tabindex="0" id="{_anchor(case.id)}">{picture(case)}</pre>{said}</details>\n'
    )


def _anchor(id: str) -> str:
    """Where a link to a case leads: inside of its fold, which opens for it."""
    return id.replace("/", "-")


def picture(case: Case) -> str:
    """`minisparse golden show`, in HTML: the id, what goes in, what comes out and who answers otherwise."""
    name, _, *rest = drawn(case)
    return "\n".join(_coloured(line) for line in [name, *rest])


def _coloured(line) -> str:
    """A line of rich text, its signs in classes of their own."""
    marked = {i: line.plain[i] for span in line.spans for i in range(span.start, span.end)}
    cells = (
        f'<span class="{CLASSES[sign]}">{sign}</span>' if sign in CLASSES and i in marked else html.escape(sign)
        for i, sign in enumerate(line.plain.rstrip())
    )
    return "".join(cells)


def _said(case: Case, who: list[str]) -> Iterator[str]:
    """What the checker says to code that answers as one of `who`."""
    told: dict[str, list[str]] = {}
    for profile in who:
        if words := divergence(case, profile):
            told.setdefault(words, []).append(profile)
    for words, profiles in told.items():
        yield f"Of code that answers as {' and '.join(profiles)}: “{words}”."


def divergences(names: list[str]) -> str:
    """A row for each convention that public code breaks, in the checker's words; a column for each implementation.

    A cross leads to the first case that tells. What no case of any function tells is there too, where one pins it: it
    is known of code whose answers are not written down.
    """
    cases = [case for name in names for case in asked(name)]
    told = _told(cases)
    everywhere = _told([case for own in _vectors().values() for case in own])
    for _, words, profiles in (row for case in cases for row in rows(case)):
        if words not in everywhere:
            told[words] = {profile: [] for profile in profiles.split()}
    if OTHERWISE in told:
        told[OTHERWISE] = told.pop(OTHERWISE)
    if not told:
        return "No public code is known to differ here."
    known = {profile for case in cases for profile in PROFILES if case.answers(profile)}
    columns = [p for p in PROFILES if p != "reference" and (p in known or any(p in who for who in told.values()))]
    head = "".join(f'<th scope="col"><span>{name}</span></th>' for name in columns)
    body = "\n".join(_convention(words, who, columns, cases) for words, who in told.items())
    table = f'<table class="matrix"><thead><tr><th scope="col">says the checker</th>{head}</tr></thead><tbody>\n{body}'
    return f'```{{raw}} html\n<div class="wide" tabindex="0">{table}\n</tbody></table></div>\n```\n\n{LEGEND}'


def _convention(words: str, who: dict[str, list[str]], columns: list[str], cases: list[Case]) -> str:
    telling = {id for ids in who.values() for id in ids}
    asked_there = [case for case in cases if case.id in telling]
    cells = "".join(f"<td>{_sign(profile, who, asked_there)}</td>" for profile in columns)
    return f'<tr><th scope="row">{html.escape(words)}</th>{cells}</tr>'


def _sign(profile: str, who: dict[str, list[str]], cases: list[Case]) -> str:
    """A cross for code that differs, with a link to the case that tells; a tick where its answers agree."""
    if profile in who:
        ids = who[profile]
        cross = '<span class="missed">✗</span>'
        return f'<a href="#{_anchor(ids[0])}" title="{", ".join(ids)}">{cross}</a>' if ids else "(✗)"
    agrees = any(case.answers(profile) and not case.differs(profile) for case in cases)
    return '<span class="reached">✓</span>' if agrees else '<span class="absent">·</span>'


def _told(cases: list[Case]) -> dict[str, dict[str, list[str]]]:
    """{the checker's words: {a profile that they are for: the ids of the cases that tell}}."""
    told: dict[str, dict[str, list[str]]] = {}
    for case in cases:
        for profile in (own for own in PROFILES if case.differs(own)):
            ids = told.setdefault(divergence(case, profile) or OTHERWISE, {}).setdefault(profile, [])
            ids.extend({case.id} - set(ids))
    return told
