"""`minisparse train` and `minisparse compare`."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import Any

import typer

from ..files import alone_in, writable
from ..records import read_json, write_json
from ..runs.cluster import packed, spread, unpacked
from ..runs.folder import CONFIG, OWN, RESULT, claim
from ..runs.methods import GROUPS, METHODS, methods_of, unused
from ..runs.names import has_width
from ..runs.parallel import in_processes
from ..runs.plan import Plan, Task
from ..runs.prepare import prepare
from ..runs.run import finish, go, lines_of, outcome, plan_of, task_of
from .options import (
    AsJson,
    DataDir,
    Jobs,
    Methods,
    Out,
    Quiet,
    Resume,
    Scheduler,
    dashed,
    given,
    refuse_unused,
    takes_plan,
)
from .tables import console, hush, plain_table, print_json, show

COMPARISON = "compare.json"


@takes_plan
def train(
    plan: Plan,
    context: typer.Context,
    data_dir: DataDir = None,
    out: Out = None,
    resume: Resume = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a network by one method, in a folder from which an interrupted run continues."""
    hush(quiet, as_json)
    if resume and out is None:
        raise ValueError("--resume is given without --out, the folder of the run to continue")
    options = given(context)
    if again := bool(out and resume and (out / CONFIG).exists()):
        plan = _same(plan, options, Path(out or ""))
    refuse_unused(options, plan, [plan.method])
    out = out or Path("runs") / _name(plan)
    writable(out)
    task = task_of(out, plan, data_dir) if again else prepare(plan, data_dir)
    begun = (out / CONFIG).exists()
    _refuse_others(out, CONFIG, [*OWN, *pictures_of("loss_and_accuracy")])
    claim(out, task.config)
    finished = (out / RESULT).exists()
    if begun and not resume and not finished:
        raise ValueError(f"{out} holds this run, not finished: continue it with --resume, or choose another --out")

    known = ", which holds this run, finished" if finished else ""
    console.print(f"{_name(plan)}: {task.steps:,} batches, in {out.resolve()}{known}", soft_wrap=True)
    try:
        if not finished:
            _follow(task, out)
    except (KeyboardInterrupt, SystemExit) as stop:
        console.print(f"Stopped. Continue with: minisparse train --resume --out {quote(str(out))}", soft_wrap=True)
        raise typer.Exit(status_of(stop)) from None
    result = outcome(out)
    _report({plan.method: result}, task)
    picture = _picture(task, out).resolve()
    console.print(f"The picture is {picture}", soft_wrap=True)
    if as_json:
        print_json({"run": str(out.resolve()), "config": task.config, "result": result, "picture": str(picture)})


def status_of(stop: BaseException) -> int:
    """The exit status of a command that Ctrl-C or a signal ended."""
    return stop.code if isinstance(stop, SystemExit) and isinstance(stop.code, int) else 130


def pictures_of(name: str) -> list[str]:
    """The files that a figure is saved as."""
    return [f"{name}.png", f"{name}.svg"]


def _refuse_others(out: Path, mark: str, names: list[str]) -> None:
    """ValueError if `out` holds a file of these names without `mark`, and so someone else's."""
    if not (out / mark).exists() and (others := [name for name in names if (out / name).exists()]):
        raise ValueError(f"{out} holds {others[0]} and no {mark}: it would be replaced; choose another --out")


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
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

    from .bars import progress as shown

    rounds = task.plan.rounds or 0
    words = "loss {task.fields[loss]:.4f}, test accuracy {task.fields[accuracy]}"
    columns = (BarColumn(), MofNCompleteColumn(), words, TimeRemainingColumn())
    with shown(*columns) as progress, closing(go(task, out)) as lines:
        bar = progress.add_task("", total=(rounds + 1) * task.steps, loss=float("nan"), accuracy="…")
        for line in lines:
            seen: dict[str, Any] = {"accuracy": f"{line['accuracy']:.2%}"} if "accuracy" in line else {}
            done = line.get("round", rounds) * task.steps + line["step"] + 1
            progress.update(bar, completed=done, loss=line["loss"], **seen)


def _picture(task: Task, out: Path) -> Path:
    from ..plot import loss_and_accuracy

    lines = lines_of(out)
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
    context: typer.Context,
    method: Methods = None,
    data_dir: DataDir = None,
    out: Out = None,
    jobs: Jobs = 1,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a network by every method, with the same sparsity, batches and seed: a table, JSON and a picture.

    Every run has a folder in --out. Finished runs are not repeated, so an interrupted comparison continues.
    """
    hush(quiet, as_json)
    possible = [name for name, entry in METHODS.items() if plan.storage != "sparse" or not entry.refusal]
    possible = [name for name in possible if name != "small-dense" or has_width(plan.model)]
    names = methods_of(method or GROUPS, possible)
    refuse_unused((name for name in given(context) if name != "method"), plan, names)
    asked = {name: plan._replace(method=name) for name in names}
    out = out or Path("runs") / f"compare-{Path(plan.data).stem}-{plan.model}-S{plan.sparsity}-seed{plan.seed}"
    writable(out)
    tasks = {name: prepare(plan, data_dir) for name, plan in asked.items()}
    first = next(iter(tasks.values()))
    _refuse_others(out, COMPARISON, pictures_of("accuracy_against_cost"))
    for name in tasks:
        _refuse_others(out / name, CONFIG, list(OWN))
    if (out / COMPARISON).exists():
        read_json(out / COMPARISON, {"data": {}, "runs": {}})  # else it is someone else's
    console.print(f"{len(tasks)} runs of {first.steps:,} batches, in {out.resolve()}", soft_wrap=True)

    from rich.progress import BarColumn, MofNCompleteColumn

    from .bars import progress as shown

    try:
        with alone_in(out):
            for name, task in tasks.items():
                claim(out / name, task.config)
            results = {name: outcome(out / name) for name in tasks if (out / name / RESULT).exists()}
            missing = {name: asked[name] for name in tasks if name not in results}
            with (
                shown("runs", BarColumn(), MofNCompleteColumn()) as progress,
                closing(_finished(missing, out, data_dir, jobs, scheduler)) as runs,
            ):
                bar = progress.add_task("", total=len(tasks), completed=len(results))
                for name, result in runs:
                    results[name] = result
                    progress.update(bar, advance=1)
    except (KeyboardInterrupt, SystemExit) as stop:
        console.print("Stopped. Finished runs are kept; continue with the same command", soft_wrap=True)
        raise typer.Exit(status_of(stop)) from None
    results = {name: results[name] for name in tasks}
    _report(results, first)
    runs_json = {name: tasks[name].config | {"result": result} for name, result in results.items()}
    report = {"data": first.data, "runs": runs_json}
    write_json(out / COMPARISON, report)
    picture = _costs_picture(plan, out, first, results).resolve()
    console.print(f"The picture is {picture}", soft_wrap=True)
    if as_json:
        print_json({"folder": str(out.resolve()), **report, "picture": str(picture)})


def _costs_picture(plan: Plan, out: Path, first: Task, results: dict[str, dict[str, Any]]) -> Path:
    from ..plot import accuracy_against_cost

    points = [
        (METHODS[name].look, r["test_accuracy"], _share(r, "training_as_it_was"), _share(r, "inference"))
        for name, r in results.items()
    ]
    groups = [METHODS[name].group for name in results]
    network = f"{plan.model} on {Path(plan.data).stem}, sparsity {plan.sparsity:g}"
    title = f"{network}, {first.steps:,} batches of {plan.batch}"
    return accuracy_against_cost(out / "accuracy_against_cost.png", title, points, len(first.test_set[1]), groups)


def _finished(
    missing: dict[str, Plan], out: Path, data_dir: Path | None, jobs: int, scheduler: str | None
) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """(name, result) of every run as it finishes: here, `jobs` at a time, or on the workers of a cluster."""
    if scheduler is not None and missing:
        calls = ((name, plan, packed(out / name), data_dir) for name, plan in missing.items())
        with closing(spread(scheduler, _elsewhere, calls)) as runs:
            for name, files in runs:
                unpacked(files, out / name)
                yield name, outcome(out / name)
        return
    with closing(in_processes(jobs, _named, [(*item, out / item[0], data_dir) for item in missing.items()])) as runs:
        yield from runs


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
    of_group = {group: [name for name in results if METHODS[name].group == group] for group in GROUPS}
    titled = sum(map(bool, of_group.values())) > 1
    for group, name in ((group, name) for group, names in of_group.items() for name in names):
        result = results[name]
        if titled and name == of_group[group][0]:
            table.add_section()
            table.add_row(group)
        shares = (_share(result, kind) for kind in ("inference", "training_as_it_was", "training_by_formula"))
        table.add_row(
            f"  {name}" if titled else name,
            f"{result['test_accuracy']:.2%}",
            f"{1 - result['active'] / result['weights']:.2%}",
            f"{result['active']:,}",
            *("" if share is None else f"{share:.4f}" for share in shares),
        )
    show(table)
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
