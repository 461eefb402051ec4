"""Runs that are never repeated once they are finished, here or on a cluster.

A finished run is a file, {figures}/{study, with _ for -}/{run}.json:
    {"study", "run", "seed", "config": {…}, "result": {…}, "seconds", "versions"}
"""

import platform
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ...records import COUNT, TEXT, read_json, write_json
from ...runs.cluster import packed, spread, unpacked
from ...runs.folder import difference
from ...runs.parallel import in_processes
from .study import FIGURES, Finished, Result, Run, Study, kind_of

PROGRESS_SECONDS = 0.5  # between two notes of a run's progress
SEEDS = 10_000  # a higher seed in a file is damage
FILE = {"study": TEXT, "run": TEXT, "seed": COUNT, "config": {}, "result": {str: FIGURES}}


def folder(study: Study, directory: Path) -> Path:
    """Where the runs of a study are, in the folder of figures."""
    return directory / study.name.replace("-", "_")


def finished(study: Study, directory: Path) -> list[Finished]:
    """The finished runs of a study in the folder of figures, by name.

    ValueError naming the file and the difference if a run's numbers are not those of the study.
    """
    there = [_read(path) for path in sorted(folder(study, directory).glob("[!.]*.json"))]
    known = {run.name: run for run in study.runs(1 + max((done["seed"] for done in there), default=0))}
    there = [done for done in there if done["run"] in known]
    for done in there:
        _check(_file(study, known[done["run"]], directory), done, known[done["run"]])
    return there


@contextmanager
def naming(study: Study, runs: Sequence[Finished], directory: Path) -> Iterator[None]:
    """Turn the error of a table or figure of `runs`, whatever it is, into a ValueError that names the damaged run."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        if str(folder(study, directory)) in str(error):
            raise
        shapes: dict[str, list[tuple[str, str]]] = {}
        for done in runs:
            shapes.setdefault(kind_of(done), []).append((_outline(done["result"]), done["run"]))
        odd = (
            name
            for of_kind in shapes.values()
            for shape, name in of_kind
            if 2 * sum(shape == other for other, _ in of_kind) < len(of_kind)
        )
        named = next((folder(study, directory) / f"{name}.json" for name in odd), None)
        place = named or f"a run in {folder(study, directory)}"
        raise ValueError(f"{place} is damaged, or of another version: {error}; move it away and repeat it") from error


def _outline(value: Any) -> str:
    """The keys and the types of a value, without its numbers."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_outline(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(sorted({_outline(entry) for entry in value}))}]"
    return "number" if type(value) in (int, float) else type(value).__name__


def _read(path: Path) -> Finished:
    """A finished run; a key that its result lacks is a ValueError naming the file."""
    done = read_json(path, FILE)
    if done["seed"] >= SEEDS:
        raise ValueError(f"{path} is damaged: seed is {done['seed']}; expected a whole number below {SEEDS}")
    return done | {"result": Result.of(done["result"], f"{path}: result")}


def go(
    work: Sequence[tuple[Study, Run]], jobs: int, directory: Path, data_dir: Path | None = None,
    watched: Path | None = None, scheduler: str | None = None,
) -> Generator[tuple[Study, Run, Finished], None, None]:  # fmt: skip
    """Run what is not finished of `work`, `jobs` at a time; with more than one, in processes of one BLAS thread each.

    scheduler: the address of a dask.distributed cluster (runs.cluster) whose workers do the runs instead; they find
    the data at `data_dir` or in $MINISPARSE_DATA, and send back what is written here.
    watched: a folder where every active run keeps a file, {study}.{run}, with the fraction done.

    Finished runs survive interruption. ValueError, before anything is run, if a file has other numbers than its run.
    """
    missing = []
    for study, run in work:
        path = _file(study, run, directory)
        if path.exists():
            _check(path, _read(path), run)
            _tidy(path, run)  # where the run was killed after its last line
        else:
            missing.append((study, run, path))
    for study, run in work:
        if (path := _file(study, run, directory)).exists():
            yield study, run, _read(path)
    places = {(study.name, run.name): (study, run) for study, run, _ in missing}
    if scheduler is not None and missing:
        calls = ((study.name, run, data_dir, packed(path.with_suffix(""))) for study, run, path in missing)
        with closing(spread(scheduler, _elsewhere, calls)) as results:
            for done in results:
                study, run = places[done["study"], done["run"]]
                yield study, run, _kept(_file(study, run, directory), run, done)
        return
    work_left = ((study.name, run, path, data_dir, watched) for study, run, path in missing)
    with closing(in_processes(jobs, _once, work_left)) as results:
        for result in results:
            yield *places[result["study"], result["run"]], result


def _file(study: Study, run: Run, directory: Path) -> Path:
    return folder(study, directory) / f"{run.name}.json"


def _once(study: str, run: Run, path: Path, data_dir: Path | None, watched: Path | None) -> Finished:
    """One run, written to `path` when it is finished."""
    note = watched / f"{study}.{run.name}" if watched else None
    if note:
        note.write_text("0")
    done = _kept(path, run, _done(study, run, path.with_suffix(""), data_dir, note))
    if note:
        note.unlink()
    return done


def _elsewhere(study: str, run: Run, data_dir: Path | None, begun: dict[str, bytes]) -> Finished:
    """One run on a worker, which has no folder of figures: it continues from the files in `begun`."""
    with TemporaryDirectory() as directory:
        unpacked(begun, Path(directory) / run.name)
        return _done(study, run, Path(directory) / run.name, data_dir, None)


def _done(study: str, run: Run, directory: Path, data_dir: Path | None, note: Path | None) -> Finished:
    """A run and its result; `directory` is for a run that keeps one, `note` a file for the fraction done."""
    began = noted = time.perf_counter()
    result: Any = None
    also = ({"folder": directory} if run.keeps else {}) | ({"device": run.device} if run.device else {})
    for result in run.function(data_dir=data_dir, **run.config, **also):
        if note and not isinstance(result, dict) and time.perf_counter() > noted + PROGRESS_SECONDS:
            noted = time.perf_counter()
            note.write_text(f"{result:.4f}")
    if not isinstance(result, dict):
        raise TypeError(f"{run.name} of {study} ended with {result!r}; expected a dict of results")
    return {
        "study": study,
        "run": run.name,
        "seed": run.seed,
        "config": run.config,
        "result": result,
        "seconds": round(time.perf_counter() - began, 1),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "minisparse": version("minisparse")},
    }


def _kept(path: Path, run: Run, done: Finished) -> Finished:
    """A finished run, written to its file, which replaces its folder."""
    write_json(path, done)
    _tidy(path, run)
    return _read(path)


def _tidy(path: Path, run: Run) -> None:
    """Remove the folder of a finished run, which is beside its file."""
    if run.keeps:
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)


def _check(path: Path, there: Finished, run: Run) -> None:
    """ValueError if the run in the file `path` has other numbers."""
    if there["run"] != run.name or there["seed"] != run.seed:
        raise ValueError(f"{path} holds the run {there['run']!r} of seed {there['seed']}; expected {run.name!r} of "
                         f"seed {run.seed}; move it away")  # fmt: skip
    if odd := difference(there["config"], run.config):
        raise ValueError(f"{path} holds a run by other numbers: {odd}; move it away")
