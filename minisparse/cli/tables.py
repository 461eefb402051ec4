"""The console that every command writes to, its tables of numbers, and JSON.

No text is markup there: names, paths and errors are printed as they are.
"""

import json
import math
import sys
from typing import Any

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table

console = Console(markup=False, emoji=False)
errors = Console(markup=False, emoji=False, highlight=False, stderr=True)
NAMES = 14  # letters that a name keeps in a narrow window


def hush(quiet: bool, as_json: bool = False) -> None:
    """Print nothing more to the console, for --quiet and --json."""
    console.quiet = quiet or as_json


def print_json(value: Any) -> None:
    """Print a value as JSON; numbers that are not finite, which JSON does not have, as null."""
    in_ascii = not (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    typer.echo(json.dumps(_finite(value), indent=1, ensure_ascii=in_ascii, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plain_table(first: str, *others: str, gap: int = 2) -> Table:
    """A table of numbers without a frame; where it is too wide, names in its first column are cut."""
    columns = (Column(title, justify="right", no_wrap=True) for title in others)
    return bare(Column(first, overflow="ellipsis"), *columns, padding=(0, gap - 1, 0, 0))


def show(table: Table) -> None:
    """Print a plain table; in a window too narrow for its numbers and a few letters of its names, without its last
    columns, which it names.
    """
    names, *_ = table.columns
    longest = max(cell_len(line) for cell in (names.header, *names.cells) for line in str(cell).split("\n"))
    cut, window = max(0, longest - NAMES), console.options.update(max_width=999)
    left_out: list[str] = []
    while len(table.columns) > 2 and console.measure(table, options=window).maximum - cut > console.width:
        left_out.insert(0, str(table.columns.pop().header).replace("\n", " "))
    console.print(table)
    if left_out:
        console.print(f"No room here for: {'; '.join(left_out)}. --json has all")


def bare(*columns: Column, **how: Any) -> Table:
    """A table without a frame."""
    return Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, **how)


def short(number: float) -> str:
    """Three digits: 2,359,296 is 2.36M."""
    for letter, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:#.3g}".rstrip(".") + letter
    return f"{number:.0f}"
