"""A run of a study that is one of `minisparse train`."""

from pathlib import Path
from typing import Any

from ...runs.plan import Plan
from ...runs.prepare import prepare
from ...runs.run import folders, go, lines_of, outcome
from .study import Running


def by_plan(directory: str | Path, data_dir: Path | None, **numbers: Any) -> Running:
    """Train by the Plan of these numbers in `directory`, from where it stopped; errors are in %.

    "error_by_epoch" of a lottery ticket has its rounds before the last, "error_last" and "error_best" have not.
    """
    numbers = {name: tuple(n) if isinstance(n, list) else n for name, n in numbers.items()}
    task = prepare(Plan(**numbers), data_dir)
    rounds = task.plan.rounds or 0
    for line in go(task, directory):
        if "accuracy" in line:
            yield (line.get("round", rounds) * task.steps + line["step"] + 1) / (rounds + 1) / task.steps
    result, lines = outcome(directory), [line for folder in folders(task, directory) for line in lines_of(folder)]
    errors = [round(100 * (1 - line["accuracy"]), 6) for line in lines if "accuracy" in line]
    last = errors[-task.plan.epochs :]
    yield {
        "error_last": last[-1],
        "error_best": min(last),
        "error_by_epoch": errors,
        "weights": result["layers"],
        "multiply_adds": result["multiply_adds"],
        "examples": task.steps * task.plan.batch,
    }
