"""What a reproduction is: published figures beside ours, and runs that are never repeated once they are finished.

A finished run is a file, {figures}/{study, with _ for -}/{run}.json:
    {"study", "run", "seed", "config": {…}, "result": {…}, "seconds", "versions"}
"""

import platform
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from .. import nn
from ..backend import Array
from ..data import Dataset, as_inputs, load
from ..masks import Masks
from ..optim import is_weight
from ..runs.cluster import packed, spread, unpacked
from ..runs.folder import difference, read_json, write_json
from ..streams import stream

CHUNK = 1000  # examples that are evaluated at a time, unless told otherwise
PROGRESS_SECONDS = 0.5  # between two notes of how far a run is

Finished = Mapping[str, Any]


class Row(NamedTuple):
    """One published figure, and what ours is.

    key        unique in all of the report: "han/lenet-300-100/error-pruned"
    about      what it is, in words
    paper      as published; None where the paper gives only an ordering or a picture
    unit       "%", "weights", "KFLOPs", "", …
    tolerance  how far from the paper's counts as reached, said before running
    source     where it stands; ends in "[unverified]" if nothing confirmed it
    ours       (finished runs) -> one figure a seed; none is not attempted. Where `paper` is None, by how much the
               paper's ordering holds: reached where the mean is above `tolerance`
    below      is ours reached too where it is lower than the paper's by more than the tolerance, as errors are
    note       what differs from the paper in our runs, and why the tolerance is what it is
    """

    key: str
    about: str
    paper: float | None
    unit: str
    tolerance: float
    source: str
    ours: Callable[[Sequence[Finished]], Sequence[float]]
    below: bool = False
    note: str = ""


class Run(NamedTuple):
    """One run, the least that is kept or repeated.

    name      of its file, without .json; unique in the study
    function  of a module, so that another process finds it: function(data_dir=…, **config) yields how far it is, in
              [0, 1], now and then, and at last one dict of what came out, as JSON has it
    config    all numbers that decide the run, the seed too, as JSON has them: a file with others is refused
    keeps     is it long enough to go on where it was interrupted: function is then also given folder=…, its own until
              it is finished
    """

    name: str
    seed: int
    function: Callable[..., Iterator[float | dict[str, Any]]]
    config: dict[str, Any]
    keeps: bool = False


class Study(NamedTuple):
    """What `minisparse reproduce NAME` does.

    minutes  of one core, for one seed of all its runs; measured where there are runs, else an estimate
    seeds    how many unless told otherwise
    runs     (seeds) -> the runs, what tells most first
    figures  (finished runs, folder, data_dir) -> the files written; none where the runs do not suffice
    table    (finished runs) -> lines of Markdown that stand beneath the rows
    causes   {how keys of rows begin: why such a row is missed, as far as was found, and what was tried}
    """

    name: str
    paper: str
    about: str
    minutes: float
    seeds: int
    runs: Callable[[int], list[Run]]
    rows: tuple[Row, ...]
    figures: Callable[[Sequence[Finished], Path, Path | None], list[Path]]
    table: Callable[[Sequence[Finished]], list[str]] = lambda finished: []
    causes: Mapping[str, str] = MappingProxyType({})


def verdict(row: Row, figures: Sequence[float]) -> str:
    """ "reached", "missed" or "not attempted": by the mean of the seeds' figures."""
    if not len(figures):
        return "not attempted"
    mean = float(np.mean(figures))
    if row.paper is None:
        return "reached" if mean > row.tolerance else "missed"
    near = abs(mean - row.paper) <= row.tolerance + 1e-9 * max(1, abs(row.paper))
    return "reached" if near or (row.below and mean < row.paper) else "missed"


def cause(study: Study, row: Row) -> str:
    """Why a row is missed, by the longest of the study's `causes` that its key begins with; "" if it is not known."""
    begins = [begin for begin in study.causes if row.key.startswith(begin)]
    return study.causes[max(begins, key=len)] if begins else ""


def each(figure: str | Callable[[Finished], float], **config: Any) -> Callable[[Sequence[Finished]], list[float]]:
    """Row.ours: a figure of the result, by its name or by a function of it, of each run whose config has these numbers.

    In the order of seeds.
    """
    take = (lambda result: result[figure]) if isinstance(figure, str) else figure

    def ours(finished: Sequence[Finished]) -> list[float]:
        return list(_by_seed(take, finished, config).values())

    return ours


def gap(
    figure: str | Callable[[Finished], float], one: Mapping[str, Any], other: Mapping[str, Any]
) -> Callable[[Sequence[Finished]], list[float]]:
    """Row.ours: how much higher a figure is in the runs that have the numbers of `one` than in those of `other`.

    In the order of the seeds that have both.
    """
    take = (lambda result: result[figure]) if isinstance(figure, str) else figure

    def ours(finished: Sequence[Finished]) -> list[float]:
        high, low = (_by_seed(take, finished, config) for config in (one, other))
        return [high[seed] - low[seed] for seed in high if seed in low]

    return ours


def _by_seed(
    take: Callable[[Finished], float], finished: Sequence[Finished], config: Mapping[str, Any]
) -> dict[int, float]:
    """{seed: figure} of the runs whose config has these numbers. ValueError where a seed has two of them."""
    chosen = [one for one in finished if all(one["config"].get(name) == value for name, value in config.items())]
    figures = {one["seed"]: float(take(one["result"])) for one in sorted(chosen, key=lambda one: one["seed"])}
    if len(figures) < len(chosen):
        raise ValueError(f"config is {dict(config)}, which several runs of one seed have")
    return figures


def folder(study: Study, directory: Path) -> Path:
    """Where the runs of a study are, in the folder of figures."""
    return directory / study.name.replace("-", "_")


def finished(study: Study, directory: Path) -> list[Finished]:
    """The finished runs of a study in the folder of figures, by name.

    ValueError naming the file and the difference if one was run by other numbers than the study's are now.
    """
    there = [read_json(path) for path in sorted(folder(study, directory).glob("[!.]*.json"))]
    known = {run.name: run for run in study.runs(1 + max((one["seed"] for one in there), default=0))}
    for one in there:
        if one["run"] in known:
            _check(folder(study, directory) / f"{one['run']}.json", one, known[one["run"]])
    return [one for one in there if one["run"] in known]


def go(
    work: Sequence[tuple[Study, Run]],
    jobs: int,
    directory: Path,
    data_dir: Path | None = None,
    watched: Path | None = None,
    scheduler: str | None = None,
) -> Generator[tuple[Study, Run, Finished], None, None]:
    """Run what is not finished of `work`, `jobs` at a time; with more than one, in processes of one BLAS thread each.

    scheduler: the address of a cluster of dask.distributed (machines.spread) whose workers run them instead, find
    the data at `data_dir` or in $MINISPARSE_DATA, and send back what is written here.

    An interruption leaves what is finished. watched: a folder where every run in work keeps a file, {study}.{run}, that
    says how far it is. ValueError, before anything is run, if a file was run by other numbers.
    """
    from joblib import Parallel, delayed, parallel_config

    missing = []
    for study, run in work:
        path = folder(study, directory) / f"{run.name}.json"
        if path.exists():
            _check(path, read_json(path), run)
            _tidy(path, run)  # where the run was killed after its last line
        else:
            missing.append((study, run, path))
    for study, run in work:
        if (path := folder(study, directory) / f"{run.name}.json").exists():
            yield study, run, read_json(path)
    places = {(study.name, run.name): (study, run) for study, run, _ in missing}
    if scheduler is not None and missing:
        calls = ((study.name, run, data_dir, packed(_folder_of(path))) for study, run, path in missing)
        with closing(spread(scheduler, _elsewhere, calls)) as results:
            for done in results:
                study, run = places[done["study"], done["run"]]
                yield study, run, _kept(folder(study, directory) / f"{run.name}.json", run, done)
        return
    limit = {"inner_max_num_threads": 1} if jobs > 1 else {}
    with parallel_config("loky", n_jobs=jobs, **limit):
        once = delayed(_once)
        calls = (once(study.name, run, path, data_dir, watched) for study, run, path in missing)
        for result in Parallel(return_as="generator_unordered", pre_dispatch=jobs)(calls):
            yield *places[result["study"], result["run"]], result


def _once(study: str, run: Run, path: Path, data_dir: Path | None, watched: Path | None) -> Finished:
    """One run, written to `path` when it is finished."""
    note = watched / f"{study}.{run.name}" if watched else None
    if note:
        note.write_text("0")
    done = _kept(path, run, _done(study, run, _folder_of(path), data_dir, note))
    if note:
        note.unlink()
    return done


def _elsewhere(study: str, run: Run, data_dir: Path | None, begun: dict[str, bytes]) -> Finished:
    """One run on a worker, which has no folder of figures: it goes on from those of its files that were sent."""
    with TemporaryDirectory() as own:
        unpacked(begun, Path(own) / run.name)
        return _done(study, run, Path(own) / run.name, data_dir, None)


def _done(study: str, run: Run, own: Path, data_dir: Path | None, note: Path | None) -> Finished:
    """What came out of one run; `own` is its folder until then, if it keeps one, and `note` says how far it is."""
    began = noted = time.perf_counter()
    result: Any = None
    for result in run.function(data_dir=data_dir, **run.config, **({"folder": own} if run.keeps else {})):
        if note and not isinstance(result, dict) and time.perf_counter() > noted + PROGRESS_SECONDS:
            noted = time.perf_counter()
            note.write_text(f"{result:.4f}")
    if not isinstance(result, dict):
        raise TypeError(f"{run.name} of {study} ended with {result!r}; expected a dict of what came out")
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
    """A finished run, written to its file, in place of the folder that it had until then."""
    write_json(path, done)
    _tidy(path, run)
    return read_json(path)


def _folder_of(path: Path) -> Path:
    """Where a run that keeps a folder has it, beside the file that it ends in."""
    return path.with_suffix("")


def _tidy(path: Path, run: Run) -> None:
    """Take away the folder of a run that is finished."""
    if run.keeps:
        shutil.rmtree(_folder_of(path), ignore_errors=True)


def _check(path: Path, there: Finished, run: Run) -> None:
    """ValueError if the run in the file `path` was by other numbers."""
    if odd := difference(there["config"], run.config):
        raise ValueError(f"{path} holds a run by other numbers: {odd}; move it away")


class Data(NamedTuple):
    """(inputs float32, labels (N,)) of each part."""

    train: Dataset
    validation: Dataset
    test: Dataset


def mnist(
    data_dir: Path | None = None, validation: int = 0, standardize: bool = False, shape: nn.Shape = (784,)
) -> Data:
    """MNIST with its pixels from 0 to 1, or with mean 0 and variance 1 over all pixels of all training images.

    shape: of an image: (784,), or (28, 28, 1) for convolutions.
    validation: so many of the 60,000 training examples, the same every time, make up that part instead.
    """
    (images, labels), (test_images, test_labels) = (load("mnist", data_dir, split) for split in ("train", "test"))
    inputs, test_inputs = (as_inputs(x).reshape(-1, *shape) for x in (images, test_images))
    if standardize:
        mean, std = inputs.mean(dtype=np.float64), inputs.std(dtype=np.float64)
        inputs, test_inputs = (((x - mean) / std).astype(np.float32) for x in (inputs, test_inputs))
    order = stream(0, "validation").permutation(len(labels))
    held, left = np.sort(order[:validation]), np.sort(order[validation:])
    return Data((inputs[left], labels[left]), (inputs[held], labels[held]), (test_inputs, test_labels))


def accuracy(model: nn.Layer, params: Mapping[str, Array], inputs: Array, labels: Array, chunk: int = CHUNK) -> float:
    """The share of the examples that the network names rightly, at inference, `chunk` at a time."""
    right = 0
    for place in range(0, len(labels), chunk):
        scores: Any = model(params, inputs[place : place + chunk])
        right += int((scores.value.argmax(axis=1) == labels[place : place + chunk]).sum())
    return right / len(labels)


def error(model: nn.Layer, params: Mapping[str, Array], examples: Dataset, chunk: int = CHUNK) -> float:
    """The share of the examples that the network names wrongly, in %; `chunk` at a time."""
    return round(100 * (1 - accuracy(model, params, *examples, chunk)), 6)


def errors_of(errors: Sequence[float]) -> dict[str, Any]:
    """What every run reports of its errors, one an epoch."""
    return {"error_last": errors[-1], "error_best": min(errors), "error_by_epoch": list(errors)}


def weights_of(params: Mapping[str, Array], masks: Masks) -> dict[str, int]:
    """How many weights every layer has; without a mask, all."""
    return {name: masks.counts.get(name, w.size) for name, w in params.items() if is_weight(name)}
