"""The commands, in the order that `minisparse --help` shows them."""

import sys

import typer
from rich.console import Console

from . import golden
from .costs import cost
from .papers import demo, report, reproduce
from .results import evaluate, export, inspect
from .training import compare, train

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def minisparse() -> None:
    """Sparse neural-network training you can read."""


for command in (demo, train, compare, evaluate, inspect, export, cost, reproduce, report):
    app.command()(command)
app.add_typer(golden.app, name="golden")


def main() -> None:
    """What `minisparse` runs. An error is one sentence and exit status 2, an interruption 130; neither a traceback."""
    try:
        app()
    except (ValueError, TypeError, OSError, FloatingPointError) as error:
        Console(stderr=True).print(f"[bold red]minisparse:[/] {error}", soft_wrap=True, highlight=False)
        sys.exit(2)
