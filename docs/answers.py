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

from docs import front, matrix, results
from minisparse.golden.cases import PROFILES, Case, find, load
from minisparse.golden.divergences import divergence
from minisparse.golden.show import SIGNS, drawn

ASKED = re.compile(r"<!-- (pins|divergences|stages|api|notebooks|conformance): ([\w:. /-]+) -->")
ALONE = re.compile(r"<!-- (papers|verdict|repository|conformance) -->")
NUMBER = re.compile(r"\{(ours|short|paper|accuracy|share|count|holds|misses) ([\w./-]+)\}")
COURSE = Path(__file__).parents[1] / "notebooks"
PACKAGE = Path(__file__).parents[1] / "minisparse"
METHODS = Path(__file__).parent / "methods"
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
    return NUMBER.sub(lambda m: results.number(m[1], m[2]), results.attempted(page))


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
    if name == "golden.plain":  # its Array is not the one that others take
        option = "   :no-index:\n"
    title = f"minisparse.{name}".replace(".", ".\u200b")  # where a line of a phone may end
    return f"## {title}\n\n```{{eval-rst}}\n.. automodule:: minisparse.{name}\n{option}```"


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
    """The conventions of these functions by implementations; of "all", with links to the methods' pages."""
    every = [case for own in _vectors().values() for case in own]
    if names == ["all"]:
        link = lambda id: f"../../docs/{_where()[id]}#{_anchor(id)}" if id in _where() else ""
        return matrix.table(every, every, link, "../../docs/conformance.html")
    cases = [case for name in names for case in asked(name)]
    return matrix.table(cases, every, lambda id: f"#{_anchor(id)}", "../conformance.html")


@cache
def _where() -> dict[str, str]:
    """{the id of a case: the page that shows it}."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(METHODS.glob("*.md"))}
    pins = [(path, names) for path, text in pages.items() for word, names in ASKED.findall(text) if word == "pins"]
    return {
        case.id: f"methods/{path.stem}.html" for path, names in pins for name in names.split() for case in asked(name)
    }
