"""`minisparse train` and `minisparse compare`."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..files import alone_in
from ..runs.cluster import packed, spread, unpacked
from ..runs.folder import CONFIG, RESULT, claim, metrics, read_json, write_json
from ..runs.methods import METHODS, unused, users
from ..runs.names import has_width
from ..runs.plan import Plan, Task
from ..runs.prepare import prepare
from ..runs.run import finish, go, plan_of
from .options import DataDir, Jobs, Methods, Out, Resume, Scheduler, dashed, takes_plan
from .tables import console, plain_table


@takes_plan
def train(
    plan: Plan, context: typer.Context, data_dir: DataDir = None, out: Out = None, resume: Resume = False
) -> None:
    """Train a network by one method, in a folder from which an interrupted run continues."""
    if resume and out is None:
        raise ValueError("--resume is given without --out, the folder of the run to continue")
    sources = {name: context.get_parameter_source(name) for name in Plan._fields}
    given = [name for name, source in sources.items() if source and source.name != "DEFAULT"]
    if out and resume and (out / CONFIG).exists():
        plan = _same(plan, given, out)
    if plan.method in METHODS and (odd := [name for name in given if name in unused(plan.method)]):
        raise ValueError(f"{dashed(odd[0])} is given for {plan.method}; it is for {', '.join(users(odd[0]))}")
    task = prepare(plan, data_dir)
    out = out or Path("runs") / _name(plan)
    begun = (out / CONFIG).exists()
    claim(out, task.config)
    finished = (out / RESULT).exists()
    if begun and not resume and not finished:
        raise ValueError(f"{out} holds this run, not finished: continue it with --resume, or choose another --out")

    known = ", which holds this run, finished" if finished else ""
    console.print(f"{_name(plan)}: {task.steps:,} batches, in {out.resolve()}{known}", soft_wrap=True)
    try:
        if not finished:
            _follow(task, out)
    except KeyboardInterrupt:
        console.print(f"Stopped. Continue with: minisparse train --resume --out {out}", soft_wrap=True)
        raise typer.Exit(130) from None
    _report({plan.method: read_json(out / RESULT)}, task)
    console.print(f"The picture is {_picture(task, out).resolve()}", soft_wrap=True)


def _same(plan: Plan, given: list[str], out: Path) -> Plan:
    """The plan of the run in `out`. ValueError for a given option with another value there."""
    there = plan_of(out)
    for name in given:
        if (asked := getattr(plan, name)) != (known := getattr(there, name)):
            raise ValueError(f"{dashed(name)} is {asked}, and {known} in {out}, the run to continue")
    return there


def _name(plan: Plan) -> str:
    sparsity = "" if "sparsity" in unused(plan.method) else f"-S{plan.sparsity}"
    return f"{Path(plan.data).stem}-{plan.model}-{plan.method}{sparsity}-seed{plan.seed}"


def _follow(task: Task, out: Path) -> None:
    """Run the task, with its progress on the screen."""
    rounds = task.plan.rounds or 0
    words = TextColumn("loss {task.fields[loss]:.4f}, test accuracy {task.fields[accuracy]}")
    with (
        Progress(BarColumn(), MofNCompleteColumn(), words, TimeRemainingColumn(), console=console) as progress,
        closing(go(task, out)) as lines,
    ):
        bar = progress.add_task("", total=(rounds + 1) * task.steps, loss=float("nan"), accuracy="…")
        for line in lines:
            seen: dict[str, Any] = {"accuracy": f"{line['accuracy']:.2%}"} if "accuracy" in line else {}
            done = line.get("round", rounds) * task.steps + line["step"] + 1
            progress.update(bar, completed=done, loss=line["loss"], **seen)


def _picture(task: Task, out: Path) -> Path:
    from ..plot import loss_and_accuracy

    lines = metrics(out)
    return loss_and_accuracy(
        out / "loss_and_accuracy.png",
        f"{task.plan.method}: {task.plan.model} on {Path(task.plan.data).stem}",
        [line["loss"] for line in lines],
        [(line["step"] + 1, line["accuracy"]) for line in lines if "accuracy" in line],
        [line["step"] for line in lines if line["rewired"]],
    )


@takes_plan
def compare(
    plan: Plan,
    method: Methods = None,
    data_dir: DataDir = None,
    out: Out = None,
    jobs: Jobs = 1,
    scheduler: Scheduler = None,
) -> None:
    """Train a network by every method, with the same sparsity, batches and seed: a table, JSON and a picture.

    Every run has a folder in --out. Finished runs are not repeated, so an interrupted comparison continues.
    """
    from ..plot import accuracy_against_cost

    possible = [name for name, entry in METHODS.items() if plan.storage != "sparse" or not entry.refusal]
    names = method or [name for name in possible if name != "small-dense" or has_width(plan.model)]
    asked = {name: plan._replace(method=name) for name in names}
    tasks = {name: prepare(plan, data_dir) for name, plan in asked.items()}
    first = next(iter(tasks.values()))
    out = out or Path("runs") / f"compare-{Path(plan.data).stem}-{plan.model}-S{plan.sparsity}-seed{plan.seed}"
    console.print(f"{len(tasks)} runs of {first.steps:,} batches, in {out.resolve()}", soft_wrap=True)

    with alone_in(out):
        for name, task in tasks.items():
            claim(out / name, task.config)
        results = {name: read_json(out / name / RESULT) for name in tasks if (out / name / RESULT).exists()}
        missing = {name: asked[name] for name in tasks if name not in results}
        with (
            Progress(TextColumn("runs"), BarColumn(), MofNCompleteColumn(), console=console) as progress,
            closing(_finished(missing, out, data_dir, jobs, scheduler)) as runs,
        ):
            bar = progress.add_task("", total=len(tasks), completed=len(results))
            for name, result in runs:
                results[name] = result
                progress.update(bar, advance=1)
    results = {name: results[name] for name in tasks}
    _report(results, first)
    runs_json = {name: tasks[name].config | {"result": result} for name, result in results.items()}
    write_json(out / "compare.json", {"data": first.data, "runs": runs_json})
    points = [
        (METHODS[name].look, r["test_accuracy"], _share(r, "training_as_it_was"), _share(r, "inference"))
        for name, r in results.items()
    ]
    network = f"{plan.model} on {Path(plan.data).stem}, sparsity {plan.sparsity:g}"
    title = f"{network}, {first.steps:,} batches of {plan.batch}"
    path = accuracy_against_cost(out / "accuracy_against_cost.png", title, points, len(first.test_set[1]))
    console.print(f"The picture is {path.resolve()}", soft_wrap=True)


def _finished(
    missing: dict[str, Plan], out: Path, data_dir: Path | None, jobs: int, scheduler: str | None
) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """(name, result) of every run as it finishes: here, `jobs` at a time, or on the workers of a cluster."""
    from joblib import Parallel, delayed

    if scheduler is not None and missing:
        calls = ((name, plan, packed(out / name), data_dir) for name, plan in missing.items())
        with closing(spread(scheduler, _elsewhere, calls)) as runs:
            for name, files in runs:
                unpacked(files, out / name)
                yield name, read_json(out / name / RESULT)
        return
    once = delayed(_named)
    calls = (once(name, plan, out / name, data_dir) for name, plan in missing.items())
    yield from Parallel(jobs, return_as="generator_unordered")(calls)


def _named(name: str, plan: Plan, directory: Path, data_dir: Path | None) -> tuple[str, dict[str, Any]]:
    return name, finish(plan, directory, data_dir)


def _elsewhere(name: str, plan: Plan, begun: dict[str, bytes], data_dir: Path | None) -> tuple[str, dict[str, bytes]]:
    """Finish a run on a worker, starting from the files that were sent; return its files."""
    with TemporaryDirectory() as folder:
        unpacked(begun, Path(folder) / name)
        finish(plan, Path(folder) / name, data_dir)
        return name, packed(Path(folder) / name)


def _report(results: dict[str, dict[str, Any]], task: Task) -> None:
    """A table of outcomes and costs, as shares of the dense network's costs."""
    titles = ("test\naccuracy", "sparsity", "weights", "inference", "training,\nas it was", "training,\nby formula")
    table = plain_table("method", *titles)
    for name, result in results.items():
        shares = (_share(result, kind) for kind in ("inference", "training_as_it_was", "training_by_formula"))
        table.add_row(
            name,
            f"{result['test_accuracy']:.2%}",
            f"{1 - result['active'] / result['weights']:.2%}",
            f"{result['active']:,}",
            *("" if share is None else f"{share:.4f}" for share in shares),
        )
    console.print(table)
    any_cost = next(iter(results.values()))["multiply_adds"]
    best, n_test = max(result["test_accuracy"] for result in results.values()), len(task.test_set[1])
    error = (best * (1 - best) / n_test) ** 0.5
    console.print(
        f"\nCosts are shares of the dense network's multiply-adds per example: {any_cost['inference_dense']:,} at "
        f"inference, {any_cost['training_dense']:,} in training. With {n_test:,} test examples one standard error of "
        f"an accuracy is about {error:.1%}.",
    )


def _share(result: dict[str, Any], kind: str) -> Any:
    """A cost of a run, dense = 1; None for a formula that does not exist."""
    costs = result["multiply_adds"]
    return costs[kind] and costs[kind] / costs[f"{kind.partition('_')[0]}_dense"]
