"""`minisparse train` and `minisparse compare`."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..files import alone_in
from ..runs import run as plans
from ..runs.cluster import packed, spread, unpacked
from ..runs.folder import CONFIG, RESULT, claim, metrics, read_json, write_json
from ..runs.names import has_width
from ..runs.methods import METHODS, PARTICULAR
from ..runs.plan import Plan, Task
from . import options as option
from .tables import console, plain_table

DEFAULT = Plan()


def train(
    context: typer.Context,
    method: option.Method = DEFAULT.method,
    model: option.Model = DEFAULT.model,
    data: option.Data = DEFAULT.data,
    data_dir: option.DataDir = None,
    label: option.Label = DEFAULT.label,
    standardize: option.Standardize = DEFAULT.standardize,
    sparsity: option.Sparsity = DEFAULT.sparsity,
    distribution: option.Distribution = DEFAULT.distribution,
    dense: option.Dense = None,
    epochs: option.Epochs = DEFAULT.epochs,
    batch: option.Batch = DEFAULT.batch,
    optimizer: option.Optimizer = DEFAULT.optimizer,
    lr: option.Rate = DEFAULT.lr,
    lr_drops: option.Drops = "",
    lr_factor: option.Factor = DEFAULT.lr_factor,
    momentum: option.Momentum = DEFAULT.momentum,
    nesterov: option.Nesterov = DEFAULT.nesterov,
    weight_decay: option.Decay = DEFAULT.weight_decay,
    alpha: option.Alpha = DEFAULT.alpha,
    delta_t: option.DeltaT = DEFAULT.delta_t,
    t_end: option.TEnd = DEFAULT.t_end,
    zeta: option.Zeta = DEFAULT.zeta,
    prune_rate: option.PruneRate = DEFAULT.prune_rate,
    rounds: option.Rounds = DEFAULT.rounds,
    penalty: option.Penalty = DEFAULT.penalty,
    seed: option.Seed = DEFAULT.seed,
    storage: option.Storage = DEFAULT.storage,
    device: option.Device = DEFAULT.device,
    out: option.Out = None,
    resume: option.Resume = False,
) -> None:
    """Train one network by one method, in a folder of its own from which an interrupted run goes on."""
    plan = _plan(context)
    if resume and out is None:
        raise ValueError("--resume is given without --out, the folder of the run to go on with")
    if out and resume and (out / CONFIG).exists():
        plan = _same(context, plan, out)
    _check(context, plan)
    task = plans.prepare(plan, data_dir)
    out = out or Path("runs") / _name(plan)
    begun = (out / CONFIG).exists()
    claim(out, task.config)
    if begun and not resume and not (out / RESULT).exists():
        raise ValueError(f"{out} holds this run, which is not finished: go on with --resume, or choose another --out")

    finished = " and the run there is finished" if (out / RESULT).exists() else ""
    console.print(f"{_name(plan)}: {task.steps:,} batches; its folder is {out.resolve()}{finished}", soft_wrap=True)
    try:
        if not finished:
            _follow(task, out)
    except KeyboardInterrupt:
        console.print(f"Stopped. Go on with: minisparse train --resume --out {out}", soft_wrap=True)
        raise typer.Exit(130) from None
    _report({plan.method: read_json(out / RESULT)}, task)
    console.print(f"The picture is {_picture(task, out).resolve()}", soft_wrap=True)


def _follow(task: Task, out: Path) -> None:
    """The run, with a line on the screen that says where it is."""
    rounds = task.plan.rounds or 0
    words = TextColumn("loss {task.fields[loss]:.4f}, test accuracy {task.fields[accuracy]}")
    with (
        Progress(BarColumn(), MofNCompleteColumn(), words, TimeRemainingColumn(), console=console) as progress,
        closing(plans.go(task, out)) as lines,
    ):
        bar = progress.add_task("", total=(rounds + 1) * task.steps, loss=float("nan"), accuracy="…")
        for line in lines:
            seen: dict[str, Any] = {"accuracy": f"{line['accuracy']:.2%}"} if "accuracy" in line else {}
            done = line.get("round", rounds) * task.steps + line["step"] + 1
            progress.update(bar, completed=done, loss=line["loss"], **seen)


def compare(
    context: typer.Context,
    methods: option.Methods = None,
    model: option.Model = DEFAULT.model,
    data: option.Data = DEFAULT.data,
    data_dir: option.DataDir = None,
    label: option.Label = DEFAULT.label,
    standardize: option.Standardize = DEFAULT.standardize,
    sparsity: option.Sparsity = DEFAULT.sparsity,
    distribution: option.Distribution = DEFAULT.distribution,
    dense: option.Dense = None,
    epochs: option.Epochs = DEFAULT.epochs,
    batch: option.Batch = DEFAULT.batch,
    optimizer: option.Optimizer = DEFAULT.optimizer,
    lr: option.Rate = DEFAULT.lr,
    lr_drops: option.Drops = "",
    lr_factor: option.Factor = DEFAULT.lr_factor,
    momentum: option.Momentum = DEFAULT.momentum,
    nesterov: option.Nesterov = DEFAULT.nesterov,
    weight_decay: option.Decay = DEFAULT.weight_decay,
    alpha: option.Alpha = DEFAULT.alpha,
    delta_t: option.DeltaT = DEFAULT.delta_t,
    t_end: option.TEnd = DEFAULT.t_end,
    zeta: option.Zeta = DEFAULT.zeta,
    prune_rate: option.PruneRate = DEFAULT.prune_rate,
    rounds: option.Rounds = DEFAULT.rounds,
    penalty: option.Penalty = DEFAULT.penalty,
    seed: option.Seed = DEFAULT.seed,
    storage: option.Storage = DEFAULT.storage,
    device: option.Device = DEFAULT.device,
    out: option.Out = None,
    jobs: option.Jobs = 1,
    scheduler: option.Scheduler = None,
) -> None:
    """Train one network by all methods, with the same sparsity, batches and seed: a table, JSON and a picture.

    Every run has a folder in --out. Those that are finished are not repeated, so an interrupted comparison goes on.
    """
    from ..plot import accuracy_against_cost

    possible = [name for name, entry in METHODS.items() if storage != "sparse" or not entry.refusal]
    names = methods or [name for name in possible if name != "small-dense" or has_width(model)]
    asked = {name: _plan(context)._replace(method=name) for name in names}
    tasks = {name: plans.prepare(plan, data_dir) for name, plan in asked.items()}
    first = next(iter(tasks.values()))
    out = out or Path("runs") / f"compare-{Path(data).stem}-{model}-S{sparsity}-seed{seed}"
    console.print(f"{len(tasks)} runs of {first.steps:,} batches; their folder is {out.resolve()}", soft_wrap=True)

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
    n_test = len(first.test_set[1])
    write_json(out / "compare.json", {"data": first.data, "runs": {name: tasks[name].config | {"result": result}
               for name, result in results.items()}})  # fmt: skip
    points = [
        (name, r["test_accuracy"], *(r["multiply_adds"][kind] / r["multiply_adds"][f"{kind.partition('_')[0]}_dense"]
                                     for kind in ("training_as_it_was", "inference")))
        for name, r in results.items()
    ]  # fmt: skip
    title = f"{model} on {Path(data).stem}, sparsity {sparsity:g}, {first.steps:,} batches of {batch}"
    path = accuracy_against_cost(out / "accuracy_against_cost.png", title, points, n_test)
    console.print(f"The picture is {path.resolve()}", soft_wrap=True)


def _finished(
    missing: dict[str, Plan], out: Path, data_dir: Path | None, jobs: int, scheduler: str | None
) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """(name, result) of every run, as they are finished: here, `jobs` at a time, or by a cluster's workers."""
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
    return name, plans.finish(plan, directory, data_dir)


def _elsewhere(name: str, plan: Plan, begun: dict[str, bytes], data_dir: Path | None) -> tuple[str, dict[str, bytes]]:
    """A run on a worker, which goes on from the files that were sent; the files it then has."""
    with TemporaryDirectory() as folder:
        unpacked(begun, Path(folder) / name)
        plans.finish(plan, Path(folder) / name, data_dir)
        return name, packed(Path(folder) / name)


def _plan(context: typer.Context) -> Plan:
    """The plan that the command's options make; `method` is Plan's own where the command has several."""
    asked = {name: value for name, value in context.params.items() if name in Plan._fields}
    asked["dense"] = tuple(asked["dense"] or ())
    try:
        asked["lr_drops"] = tuple(float(epoch) for epoch in asked["lr_drops"].split(",") if epoch)
    except ValueError as error:
        raise ValueError(f"--lr-drops is {asked['lr_drops']!r}; expected epochs such as 25,40") from error
    return Plan(**asked)


def _given(context: typer.Context) -> list[str]:
    """The fields of the plan whose options were given."""
    sources = {name: context.get_parameter_source(name) for name in Plan._fields}
    return [name for name, source in sources.items() if source and source.name != "DEFAULT"]


def _same(context: typer.Context, plan: Plan, out: Path) -> Plan:
    """The plan of the run in `out`. ValueError for an option that was given and is another there."""
    there = plans.plan_of(out)
    for name in _given(context):
        if (asked := getattr(plan, name)) != (known := getattr(there, name)):
            raise ValueError(f"--{name.replace('_', '-')} is {asked}, and {known} in the run to go on with, {out}")
    return there


def _check(context: typer.Context, plan: Plan) -> None:
    """ValueError for an option that was given and that the method has no use for."""
    for name in _given(context):
        entry = METHODS.get(plan.method)
        if entry and name in PARTICULAR and name not in entry.options:
            raise ValueError(f"--{name.replace('_', '-')} is given for {plan.method}; it is for {option.users(name)}")


def _name(plan: Plan) -> str:
    sparsity = f"-S{plan.sparsity}" if "sparsity" in METHODS[plan.method].options else ""
    return f"{Path(plan.data).stem}-{plan.model}-{plan.method}{sparsity}-seed{plan.seed}"


def _report(results: dict[str, dict[str, Any]], task: Task) -> None:
    """A table of what came out and what it cost, in shares of the dense network's cost."""
    titles = ("test\naccuracy", "sparsity", "weights", "inference", "training,\nas it was", "training,\nby formula")
    table = plain_table("method", *titles)
    for name, r in results.items():
        cost = r["multiply_adds"]
        table.add_row(
            name,
            f"{r['test_accuracy']:.2%}",
            f"{1 - r['active'] / r['weights']:.2%}",
            f"{r['active']:,}",
            f"{cost['inference'] / cost['inference_dense']:.4f}",
            f"{cost['training_as_it_was'] / cost['training_dense']:.4f}",
            f"{cost['training_by_formula'] / cost['training_dense']:.4f}" if cost["training_by_formula"] else "",
        )
    console.print(table)
    any_cost = next(iter(results.values()))["multiply_adds"]
    best, n_test = max(r["test_accuracy"] for r in results.values()), len(task.test_set[1])
    error = (best * (1 - best) / n_test) ** 0.5
    console.print(
        f"\nCosts are shares of the dense network's multiply-adds of an example: {any_cost['inference_dense']:,} at "
        f"inference, {any_cost['training_dense']:,} in training. With {n_test:,} test examples one standard error of "
        f"an accuracy is about {error:.1%}.",
    )


def _picture(task: Task, out: Path) -> Path:
    from ..plot import loss_and_accuracy

    lines = metrics(out)
    title = f"{task.plan.method}: {task.plan.model} on {Path(task.plan.data).stem}"
    return loss_and_accuracy(
        out / "loss_and_accuracy.png",
        title,
        [line["loss"] for line in lines],
        [(line["step"] + 1, line["accuracy"]) for line in lines if "accuracy" in line],
        [line["step"] for line in lines if line["rewired"]],
    )
