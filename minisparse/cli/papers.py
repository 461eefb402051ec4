"""`minisparse demo`, `reproduce` and `report`: the papers' experiments and their results."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from ..checks import did_you_mean
from ..files import writable
from ..runs.names import chosen
from ..runs.plan import RUN
from .options import Force, Jobs, Scheduler
from .tables import console, plain_table
from .training import status_of

if TYPE_CHECKING:  # commands without experiments start without importing them
    from rich.progress import Progress, TaskID

    from ..experiments.studies import Finished, Run, Study


DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with mnist/*-ubyte.gz. Default: $MINISPARSE_DATA, or a download."),
]
Out = Annotated[Path, typer.Option(help="Folder for results and figures.")]
WATCH_SECONDS = 0.5


def demo(
    data: Annotated[str, typer.Option(help="mnist-small or digits (both included), or mnist.")] = "mnist-small",
    data_dir: DataDir = None,
    out: Annotated[Path, typer.Option(help="Folder for the picture.")] = Path("minisparse-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Runs with the same seed are identical.")] = 0,
) -> None:
    """Train a 98 % sparse network with RigL, beside a static mask and a dense network; draw where connections moved."""
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from threadpoolctl import threadpool_limits

    from ..data import load
    from ..experiments.rigl.picture import DEMO, METHODS, Snapshot, above, central_share, cost, picture, snapshots
    from .bars import progress as shown

    chosen("--data", data, ("digits", "mnist", "mnist-small"))
    writable(out)
    train_set, test_set = load(data, data_dir, "train"), load(data, data_dir, "test")
    console.print(f"{data}: {len(train_set[1]):,} training and {len(test_set[1]):,} test images")

    runs: dict[str, list[Snapshot]] = {}
    columns = ("{task.description:7}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # A second BLAS thread gains little on matrices this small, and costs much on a busy machine.
    with shown(*columns) as progress, threadpool_limits(1):
        for method in METHODS:
            task = progress.add_task(method, total=DEMO.steps)
            runs[method] = []
            for snapshot in snapshots(method, train_set, test_set, seed, DEMO, every=DEMO.period):
                runs[method].append(snapshot)
                progress.update(task, completed=snapshot.steps)

    figures = ("sparsity", "weights", "multiply-adds", "test accuracy")
    table = Table("method", *(Column(figure, justify="right") for figure in figures))
    for method, seen in runs.items():
        sparsity, weights, multiply_adds = cost(seen[-1].counts)
        first = 1 - seen[-1].pixels.sum() / (784 * 300)
        absent = f"{100 * first:.3g} % in the first layer, {100 * sparsity:.1f} % overall" if sparsity else "none"
        table.add_row(method, absent, f"{weights:,}", f"{multiply_adds:,.0f}", f"{seen[-1].accuracy:.1%}")
    console.print(table)
    difference, error = above(runs["rigl"][-1], runs["static"][-1])
    console.print(
        f"RigL is {100 * abs(difference):.1f} points {'above' if difference >= 0 else 'below'} the static mask on the "
        f"same {len(test_set[1]):,} test images; a standard error of this paired difference is {100 * error:.2f}.",
        soft_wrap=True,
    )

    first, last = runs["rigl"][0].pixels, runs["rigl"][-1].pixels
    frames = [(shot.steps, shot.pixels) for shot in runs["rigl"]]
    curves = {method: [(shot.steps, shot.accuracy) for shot in seen[1:]] for method, seen in runs.items()}
    name = "digits" if data == "digits" else "MNIST"
    path = picture(out / "connections_find_the_digits.png", name, train_set[0], frames, curves, DEMO)
    console.print(
        f"The first layer has {first.mean():.1f} connections per pixel; {central_share(first):.0%} of them were in the "
        f"central 20×20 pixels at the start, {central_share(last):.0%} are now.",
        soft_wrap=True,
    )
    console.print(f"The picture is {path.resolve()}", soft_wrap=True)


def reproduce(
    name: Annotated[str | None, typer.Argument(help="A study's name, or all; see --list.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show the studies and their progress.")] = False,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Runs of each kind. Default: each study's number.", rich_help_panel=RUN),
    ] = None,
    jobs: Jobs = 2,
    scheduler: Scheduler = None,
    data_dir: DataDir = None,
    out: Out = Path("figures"),
    device: Annotated[str, typer.Option(help="cpu or cuda, for studies that can use it.", rich_help_panel=RUN)] = "cpu",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue what is in --out; this is always so: nothing is run twice.",
            rich_help_panel=RUN,
        ),
    ] = True,
    force: Force = False,
) -> None:
    """Run a paper's experiments in full. Finished runs are not repeated, so an interrupted study continues."""
    from rich.progress import BarColumn, TaskProgressColumn, TimeElapsedColumn

    from ..experiments.all import STUDIES
    from ..experiments.report import claim
    from ..experiments.studies import finished, folder, go
    from .bars import progress as shown

    if listed:
        _list(STUDIES, out)
        return
    if name != "all" and name not in (known := [study.name for study in STUDIES if study.runs(1)]):
        near = did_you_mean(name or "", known)
        raise ValueError(f"NAME is {name!r}; expected all, {', '.join(known)}{near}")
    studies = [study for study in STUDIES if name == "all" or study.name == name]
    chosen("--device", device, ("cpu", "cuda"))
    work = [(study, _on(device, study, run)) for study in studies for run in study.runs(seeds or study.seeds)]
    claim(STUDIES, out, force)
    place = folder(studies[0], out) if len(studies) == 1 else out
    console.print(f"Results go to {place.resolve()}; finished runs there are not repeated", soft_wrap=True)
    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    try:
        with (
            TemporaryDirectory() as watched,
            shown(*columns) as progress,
            closing(go(work, jobs, out, data_dir, Path(watched), scheduler)) as runs,
            _watching(Path(watched), progress),
        ):
            total = progress.add_task(f"{len(work)} runs", total=len(work))
            for _ in runs:
                progress.advance(total)
    except (KeyboardInterrupt, SystemExit) as stop:
        again = (
            f"minisparse reproduce {name} --out {quote(str(out))}"
            + (f" --scheduler {scheduler}" if scheduler else "")
            + (f" --device {device}" if device != "cpu" else "")
        )
        console.print(f"Stopped. Finished runs are kept; continue with: {again}", soft_wrap=True)
        raise typer.Exit(status_of(stop)) from None
    for study in studies:
        _outcome(study, finished(study, out), out, data_dir)


def _on(device: str, study: "Study", run: "Run") -> "Run":
    if run.device:
        return run._replace(device=device)
    if device != "cpu":
        raise ValueError(f"--device is {device!r}; expected 'cpu': {study.name} runs there only")
    return run


@contextmanager
def _watching(folder: Path, progress: "Progress") -> Iterator[None]:
    """A bar for every running run, from the files in which they write their progress."""
    stop = Event()
    bars: dict[str, TaskID] = {}

    def look() -> None:
        while not stop.wait(WATCH_SECONDS):
            now = {}
            for path in folder.iterdir():
                with suppress(FileNotFoundError):  # a run that has just finished removes its file
                    now[path.name] = path.read_text()
            for name in bars.keys() - now.keys():
                progress.remove_task(bars.pop(name))
            for name, share in now.items():
                bars[name] = bars[name] if name in bars else progress.add_task(name, total=1)
                progress.update(bars[name], completed=float(share or 0))

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for bar in bars.values():
            progress.remove_task(bar)


def _list(studies: Sequence["Study"], out: Path) -> None:
    from ..experiments.studies import finished

    table = plain_table("paper", "study", "minutes\nper seed", "finished\nruns")
    for study in studies:
        if total := len(study.runs(study.seeds)):
            table.add_row(study.paper, study.name, f"{study.minutes:g}", f"{len(finished(study, out))} of {total}")
    console.print(table)
    console.print("`minisparse report` writes down the results, and computes the analytic tables.")


def _outcome(study: "Study", runs: Sequence["Finished"], out: Path, data_dir: Path | None) -> None:
    """A study's rows and figures."""
    from ..experiments.report import figures
    from ..experiments.studies import naming

    with naming(study, runs, out):
        cells = [figures(row, study, runs) for row in study.rows]
        lines = study.table(runs)
        paths = study.figures(runs, out, data_dir)
    if study.rows:
        table = Table(Column(study.name), *(Column(title, justify="right") for title in ("paper", "ours", "verdict")))
        for row, (published, ours, _, said) in zip(study.rows, cells, strict=True):
            table.add_row(row.about, published, ours, said.strip("*"))
        console.print(table)
    for line in lines:
        console.print(line, soft_wrap=True)
    for path in paths:
        console.print(f"The picture is {path.resolve()}", soft_wrap=True)


def report(data_dir: DataDir = None, out: Out = Path("figures"), force: Force = False) -> None:
    """Write README.md beside the results, with every published figure, ours and a verdict; draw all figures."""
    from ..experiments.all import STUDIES
    from ..experiments.report import written

    console.print(f"The report is {written(STUDIES, out, data_dir, force).resolve()}", soft_wrap=True)
