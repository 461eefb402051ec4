"""Grades as files: a table for a spreadsheet, and a page with every student's verdict.

write    both, in a folder
table    CSV
page     HTML, complete in itself
"""

import csv
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..files import may_write, write_texts
from .grade import Grade

NAMES = ("grades.csv", "grades.html")
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
:root { color-scheme: light dark }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #8886 }
td, p, li, h2 { overflow-wrap: anywhere }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
section { border-top: 1px solid #8886; margin-top: 2rem }
.odd { font-weight: 600 }
"""


def paths(folder: Path, force: bool = False) -> list[Path]:
    """Where grades go in `folder`. ValueError if there are some already, unless `force`."""
    for name in NAMES:
        may_write(folder / name, force)
    return [folder / name for name in NAMES]


def write(folder: Path, grades: Sequence[Grade], force: bool = False) -> list[Path]:
    """Write grades.csv and grades.html; return their paths. ValueError if one exists, unless `force`."""
    written = paths(folder, force)
    write_texts(dict(zip(written, (table(grades), page(grades)), strict=True)), force)
    return written


def table(grades: Sequence[Grade]) -> str:
    """CSV: a row per student, and a column per function with the fraction of its cases that hold, empty without any."""
    functions = sorted({name for grade in grades for name in [*grade.functions, *grade.missing]})
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["student", "passes", "right", "asked", *functions, "missing", "tampers", "verdict"])
    for grade in grades:
        shares = [grade.functions.get(name) for name in functions]
        row = [
            grade.student, "yes" if grade.passes else "no", grade.right, grade.asked,
            *("" if share is None else round(share[0] / max(share[1], 1), 3) for share in shares),
            ", ".join(grade.missing), ", ".join(grade.tampers),
            " / ".join([*grade.verdict.splitlines(), *grade.remarks]),
        ]  # fmt: skip
        rows.writerow([_no_formula(entry) if isinstance(entry, str) else entry for entry in row])
    return text.getvalue()


def _no_formula(text: str) -> str:
    """Text that a spreadsheet does not compute."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def page(grades: Sequence[Grade]) -> str:
    """HTML: the class in a table, and below it a section per student with the verdict and every failing case."""
    rows = "".join(
        f'<tr><td><a href="#s{i}">{escape(grade.student)}</a></td><td class="number">{grade.right} of {grade.asked}'
        f"</td><td>{'passes' if grade.passes else _first(grade)}</td></tr>\n"
        for i, grade in enumerate(grades)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Grades</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Grades</h1>\n"
        "<p>Cases of minisparse’s golden vectors that hold, of those asked. Every legal choice among ties holds.</p>\n"
        f"<table>\n<tr><th>student</th><th>cases</th><th>verdict</th></tr>\n{rows}</table>\n"
        f"{''.join(_section(i, grade) for i, grade in enumerate(grades))}</body>\n</html>\n"
    )


def _first(grade: Grade) -> str:
    odd = f'<span class="odd">tampers: {escape(grade.tampers[0])}</span><br>' if grade.tampers else ""
    score, _, functions = grade.verdict.partition("\n")  # the column before has the score
    return odd + escape(functions or score).replace("\n", "<br>")


def _section(number: int, grade: Grade) -> str:
    said = "".join(f"<p>{escape(line)}</p>\n" for line in grade.lines())
    wrong = "".join(
        f"<li><code>{escape(case)}</code>: {escape(reason)}. Your answer {escape(wrong)}</li>\n"
        for case, reason, wrong in grade.failures
    )
    cases = f"<details><summary>Failing cases: {len(grade.failures)}</summary>\n<ul>\n{wrong}</ul></details>\n"
    head = f'<section id="s{number}">\n<h2>{escape(grade.student)}</h2>\n'
    return f"{head}{said}{cases if grade.failures else ''}</section>\n"
