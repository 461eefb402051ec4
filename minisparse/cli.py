"""The command line: `minisparse demo`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console()


@app.callback()
def minisparse() -> None:
    """Sparse neural-network training you can read."""


@app.command()
def demo(
    data: Annotated[str, typer.Option(help="digits (embedded, nothing to download) or mnist.")] = "digits",
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder that holds mnist/*-ubyte.gz [default: $MINISPARSE_DATA, else a download]."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the picture.")] = Path("minisparse-demo"),
    seed: Annotated[int, typer.Option(min=0, help="The same seed is the same run.")] = 0,
) -> None:
    """Train a 98 % sparse network with RigL, beside a static mask and a dense one; picture where connections went."""
    from threadpoolctl import threadpool_limits

    from .data import load
    from .experiments.rigl import DEMO, METHODS, Snapshot, central_share, cost, picture, snapshots

    if data not in ("digits", "mnist"):
        raise ValueError(f"--data is {data!r}; accepted are digits, mnist")
    train_set, test_set = load(data, data_dir, "train"), load(data, data_dir, "test")
    console.print(f"{data}: {len(train_set[1]):,} training and {len(test_set[1]):,} test images")

    runs: dict[str, list[Snapshot]] = {}
    columns = (TextColumn("{task.description:7}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Matrices this small gain little from a second BLAS thread, and lose much to it on a busy machine.
    with Progress(*columns, console=console) as progress, threadpool_limits(1):
        for method in METHODS:
            task = progress.add_task(method, total=DEMO.steps)
            runs[method] = []
            for snapshot in snapshots(method, train_set, test_set, seed, DEMO, every=DEMO.steps // 60):
                runs[method].append(snapshot)
                progress.update(task, completed=snapshot.steps)

    figures = ("sparsity", "weights", "multiply-adds", "test accuracy")
    table = Table("method", *(Column(figure, justify="right") for figure in figures))
    for method, seen in runs.items():
        sparsity, weights, multiply_adds = cost(seen[-1].counts)
        cells = (f"{sparsity:.1%}", f"{weights:,}", f"{multiply_adds:,.0f}", f"{seen[-1].accuracy:.1%}")
        table.add_row(method, *cells)
    console.print(table)

    first, last = runs["rigl"][0].pixels, runs["rigl"][-1].pixels
    path = picture(out / "connections_find_the_digits.png", data, train_set[0], runs, DEMO)
    console.print(
        f"The first layer has {first.mean():.1f} connections a pixel; {central_share(first):.0%} of them were in the "
        f"central 20×20 pixels at the start, {central_share(last):.0%} are there now.",
        soft_wrap=True,
    )
    console.print(f"The picture is {path.resolve()}", soft_wrap=True)


def main() -> None:
    """What `minisparse` runs. A refusal is one sentence and exit status 2, an interruption 130; neither a traceback."""
    try:
        app()
    except (ValueError, TypeError, OSError) as error:
        Console(stderr=True).print(f"[bold red]minisparse:[/] {error}", soft_wrap=True, highlight=False)
        sys.exit(2)
