"""`minisparse demo` and `minisparse reproduce`: experiments as papers ran them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from .tables import console


def demo(
    data: Annotated[str, typer.Option(help="digits (embedded, nothing to download) or mnist.")] = "digits",
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with mnist/*-ubyte.gz; $MINISPARSE_DATA, else a download, unless given."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the picture.")] = Path("minisparse-demo"),
    seed: Annotated[int, typer.Option(min=0, help="The same seed is the same run.")] = 0,
) -> None:
    """Train a 98 % sparse network with RigL, beside a static mask and a dense one; picture where connections went."""
    from threadpoolctl import threadpool_limits

    from ..data import load
    from ..experiments.rigl import DEMO, METHODS, Snapshot, central_share, cost, picture, snapshots

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

    figures = ("sparsity, first layer", "all", "weights", "multiply-adds", "test accuracy")
    table = Table("method", *(Column(figure, justify="right") for figure in figures))
    for method, seen in runs.items():
        sparsity, weights, multiply_adds = cost(seen[-1].counts)
        first = 1 - seen[-1].pixels.sum() / (784 * 300)
        cells = (f"{first:.1%}", f"{sparsity:.1%}", f"{weights:,}", f"{multiply_adds:,.0f}", f"{seen[-1].accuracy:.1%}")
        table.add_row(method, *cells)
    console.print(table)
    best, n_test = max(seen[-1].accuracy for seen in runs.values()), len(test_set[1])
    error = (best * (1 - best) / n_test) ** 0.5
    console.print(f"With {n_test:,} test images, one standard error of an accuracy is about {error:.1%}.")

    first, last = runs["rigl"][0].pixels, runs["rigl"][-1].pixels
    frames = [(shot.steps, shot.pixels) for shot in runs["rigl"]]
    curves = {method: [(shot.steps, shot.accuracy) for shot in seen[1:]] for method, seen in runs.items()}
    path = picture(out / "connections_find_the_digits.png", data, train_set[0], frames, curves, DEMO)
    console.print(
        f"The first layer has {first.mean():.1f} connections a pixel; {central_share(first):.0%} of them were in the "
        f"central 20×20 pixels at the start, {central_share(last):.0%} are there now.",
        soft_wrap=True,
    )
    console.print(f"The picture is {path.resolve()}", soft_wrap=True)


def reproduce(
    name: Annotated[str, typer.Argument(help="rigl-mnist-98: 98 % sparse MNIST network, RigL, static and dense.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time, each on one core.")] = 2,
    data_dir: Annotated[Path | None, typer.Option(help="Folder with mnist/*-ubyte.gz.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for results and figures.")] = Path("figures"),
) -> None:
    """Run a paper's experiment in full. Finished runs are kept and not repeated, so an interrupted one goes on."""
    from ..data import load
    from ..experiments import rigl

    if name != "rigl-mnist-98":
        raise ValueError(f"NAME is {name!r}; accepted is rigl-mnist-98")
    images = load("mnist", data_dir)[0]
    folder = out / "rigl_mnist_98"
    console.print(f"Results go to {folder.resolve()}; runs that are finished there are not repeated", soft_wrap=True)
    results = []
    with Progress(TextColumn("runs"), BarColumn(), MofNCompleteColumn(), console=console) as progress:
        task = progress.add_task(name, total=seeds * len(rigl.METHODS))
        for result in rigl.reproduce(seeds, jobs, folder, data_dir):
            results.append(result)
            progress.update(task, advance=1)

    table = Table("method", *(Column(c, justify="right") for c in ("seeds", "last epoch", "best", "central 20×20")))
    for row in rigl.summary(results):
        accuracy = f"{row['accuracy']:.2%} ± {row['std']:.2%}"
        central = f"{row['central_start']:.1%} → {row['central_end']:.1%}"
        table.add_row(row["method"], str(row["seeds"]), accuracy, f"{row['best']:.2%}", central)
    console.print(table)
    path = rigl.picture_of(results, out / "connections_find_the_digits.png", images)
    console.print(f"Results are in {folder.resolve()}, the picture is {path.resolve()}", soft_wrap=True)
