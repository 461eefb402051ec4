"""`minisparse grade`: a class's answers, judged by the golden vectors."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from ..exercises import CASES
from ..golden import gradebook, handed_in
from ..golden.arrays import LIBRARIES, Door
from ..golden.cases import chosen, load
from ..golden.grade import Grade, graded
from .golden import Function
from .options import AsJson, Force, Quiet
from .tables import bare, console, errors, hush, print_json


def grade(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="NAME.py, NAME.ipynb or a folder NAME/ per student.")
    ],
    function: Function = None,
    seconds: Annotated[float, typer.Option(help="Time limit per student.")] = 60.0,
    arrays: Annotated[str, typer.Option(help=f"Arrays that the code takes: {', '.join(LIBRARIES)}.")] = "numpy",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for grades.csv and grades.html.")] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Grade a class: each student's functions, by the golden vectors. Exit status 0 when grading worked.

    Without --function, each student is asked what their code defines by a golden name, and a notebook's exercises. Ties
    are legal.

    A student whose code crashes, never ends or tampers is named and stops nobody. Code runs with your rights.
    """
    hush(quiet, as_json)
    every = {**load(), **CASES}
    chosen(function or [], every)
    Door(arrays)
    hand_ins = handed_in.found(folder, out)
    if out:
        gradebook.paths(out, force)
    grades = []
    for own in graded(hand_ins, function or [], seconds, arrays, every):
        grades.append(own)
        if not (quiet or as_json) and errors.is_terminal:
            errors.print(f"{len(grades)} of {len(hand_ins)}: {own.student}", style="dim")
    if as_json:
        print_json({"version": 1, "students": [asdict(own) for own in grades]})
    else:
        console.print(_table(grades))
    for path in gradebook.write(out, grades, force) if out else ():
        console.print(f"{path}", soft_wrap=True, highlight=False)


def _table(grades: list[Grade]) -> Table:
    cases = Column("cases", justify="right", no_wrap=True)
    table = bare(Column("student", overflow="fold"), cases, Column("verdict", overflow="fold"))
    for own in grades:
        style = "" if own.passes else "bold red" if own.tampers or not own.asked else "bold"
        said = Text("\n".join(["passes; " * own.passes + own.lines()[0], *own.lines()[1:]]))
        table.add_row(Text(own.student, style=style), f"{own.right} of {own.asked}", said)
    return table
