"""The commands, in the order that `minisparse --help` shows them, and how a command ends."""

import signal
import sys
from contextlib import suppress
from importlib.metadata import version as version_of
from typing import Annotated, Any, NoReturn

import typer

from . import golden
from .compressing import compress, decompress
from .costs import cost
from .grade import grade
from .papers import demo, report, reproduce
from .results import evaluate, export, inspect
from .tables import errors, hush
from .training import compare, train

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"minisparse {version_of('minisparse')}")
        raise typer.Exit


@app.callback()
def minisparse(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sparse neural-network training you can read."""
    hush(False)


for command in (demo, train, compare, evaluate, inspect, export, compress, decompress, cost, reproduce, report, grade):
    app.command()(command)
app.add_typer(golden.app, name="golden")


def main() -> None:
    """What `minisparse` runs. An error is one sentence and exit status 2, an interruption 130 (SIGTERM 143, SIGHUP
    129); none a traceback, except with `python -X dev`.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a stream that is no file
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, _stop)
    try:
        app()
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        with suppress(OSError):  # the terminal may be gone
            errors.print(f"minisparse: {sentence(error)}", soft_wrap=True, style="red")
        sys.exit(2)


def _stop(number: int, frame: Any) -> NoReturn:
    """End the command as Ctrl-C does: checkpoints are written, temporary files removed, other processes ended."""
    raise SystemExit(128 + number)


def sentence(error: Exception) -> str:
    """What went wrong, for a person."""
    words = str(error)
    if isinstance(error, MemoryError):
        return f"there is not enough memory{': ' * bool(words)}{words}; try a smaller network, batch or data set"
    if isinstance(error, RecursionError):
        return f"the input is nested too deeply: {words}"
    if isinstance(error, OverflowError):
        return f"a number is too large to compute with: {words}"
    if isinstance(error, ValueError | TypeError | OSError | ArithmeticError | RuntimeError | ImportError) and words:
        return words
    return (
        f"{type(error).__name__}: {words}. This is a fault of minisparse: please report it with the command; "
        "python -X dev -m minisparse shows where it is"
    )
