"""`minisparse golden`: list, draw and export the vectors, and check any code against them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column

from ..golden import adapt, bundle, cases, check, show
from ..golden.arrays import LIBRARIES
from ..golden.asking import Unanswered, report
from ..runs.names import chosen
from .options import AsJson, Force
from .tables import bare, console, print_json

app = typer.Typer(no_args_is_help=True, help="Golden vectors: is your RigL RigL, and if not, which convention breaks.")

Function = Annotated[list[str] | None, typer.Option("--function", help="A function; repeatable, default all.")]


@app.command("list")
def list_functions(as_json: AsJson = False) -> None:
    """List the functions that have cases, and how many."""
    functions = cases.load()
    if as_json:
        content = {
            name: [{"id": case.id, "reason": case.reason} for case in found] for name, found in functions.items()
        }
        print_json(content)
        return
    table = bare(Column("function", no_wrap=True), Column("cases", justify="right"), Column("profiles that differ"))
    for name, found in functions.items():
        differ = {p for case in found for p in case.profiles if case.differs(p)}
        table.add_row(name, str(len(found)), ", ".join(p for p in cases.PROFILES if p in differ))
    console.print(table)
    console.print(f"{sum(map(len, functions.values()))} cases in {cases.V1}", soft_wrap=True)


@app.command("show")
def show_cases(
    name: Annotated[str, typer.Argument(help="A function, or the id of a case.")],
    as_json: AsJson = False,
) -> None:
    """Draw the cases of a function: weights as a row of signs, with those dropped and grown."""
    wanted = cases.find(name, cases.load())
    if as_json:
        print_json([vars(case) for case in wanted])
        return
    for case in wanted:
        for line in show.drawn(case):
            console.print(line, soft_wrap=True)
        console.print()
    console.print(show.LEGEND, style="dim", highlight=False)


@app.command("adapt")
def adapter(
    function: Annotated[str | None, typer.Argument(metavar="FUNCTION", help="A function, or a case's id.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All functions, in one file.")] = False,
) -> None:
    """Print an adapter to fill in, as Python: signature, what goes in and out, and one case called by hand."""
    if every == (function is not None):
        raise ValueError(f"adapt got {'both' if every else 'neither'}; expected FUNCTION or --all")
    functions = cases.load()
    first = [own[0] for own in functions.values()] if every else [cases.find(function or "", functions)[0]]
    typer.echo(adapt.adapters(first, functions), nl=False)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for cases.json and expected.json.")],
    function: Function = None,
    force: Force = False,
    checker: Annotated[
        str | None, typer.Option(help="python: check_golden.py too, for Python 3.8 or newer without this package.")
    ] = None,
) -> None:
    """Write the questions and the answers as two JSON files, for a program in any language."""
    chosen("--checker", checker or "python", ("python",))
    functions = cases.chosen(function or [], cases.load())
    also = bundle.export(folder, functions, force) if checker else ()
    for path in (*cases.export(folder, functions, force), *also):
        console.print(f"{path}", soft_wrap=True, highlight=False)


@app.command("check")
def check_answers(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="DIR with answers.json, a function, or a module.")],
    call: Annotated[str | None, typer.Argument(metavar="module:callable", help="Your code for a function.")] = None,
    function: Function = None,
    arrays: Annotated[str, typer.Option(help=f"Arrays that the callable takes: {', '.join(LIBRARIES)}.")] = "numpy",
    ties: Annotated[
        str, typer.Option(help="any: every legal choice among equals; pinned: the lower index first.")
    ] = "any",
    profile: Annotated[
        str, typer.Option(help=f"Whose answers to expect where they are known: {', '.join(cases.PROFILES)}.")
    ] = "reference",
    float32: Annotated[
        bool, typer.Option("--float32", help="For code in float32: tolerances of 1e-6 relative and 1e-7 absolute.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check answers, a function or a module. Exit status 0 only if every case that is not optional holds."""
    chosen("--ties", ties, ("any", "pinned"))
    try:
        verdict = check.checked(what, call, function or [], arrays, ties == "pinned", profile, float32)
    except Unanswered as error:
        typer.echo(f"minisparse: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        print_json(verdict.as_json())
    else:
        for line, style in report(verdict):
            console.print(line, style=style or None, soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(0 if verdict.passes else 1)
