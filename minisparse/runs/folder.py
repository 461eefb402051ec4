"""A run in a folder, which survives interruption.

config.json       everything that determines the run
metrics.jsonl     a line of JSON for every step
checkpoint.npz    the State after the last of these steps, written at the end of every epoch and when interrupted
result.json       the outcome, once the run is finished
"""

import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.parse import quote

import numpy as np

from ..backend import Array, to_device, to_numpy
from ..checks import masks_fit, whole
from ..files import alone_in, replacing, sweep, write_arrays
from ..masks import Masks
from ..records import parsed, read_json, write_json
from ..sparse import FactoredGradient, Positions, SparseWeight, by_fan_in
from ..train import ADVICE, State, not_finite

OWN = CONFIG, METRICS, CHECKPOINT, RESULT = "config.json", "metrics.jsonl", "checkpoint.npz", "result.json"
FORMAT = 1  # of a checkpoint
SUM = 64  # bytes at the end of a checkpoint: the SHA-256 of the bytes before them, in hexadecimal


def claim(directory: str | PathLike, config: Mapping[str, Any]) -> None:
    """Claim `directory` for the run described by `config`.

    ValueError naming what differs if it holds another run, or naming the process that is using it.
    """
    path = Path(directory) / CONFIG
    with alone_in(path.parent):
        if not path.exists():
            write_json(path, config)
        there = read_json(path, {})
    if odd := difference(there, config):
        raise ValueError(f"{directory} holds another run: {odd}; choose another folder")


def difference(there: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """The first difference between `there`, read from JSON, and `config`; None if they are equal."""
    config = json.loads(json.dumps(config))
    for name in [*there, *config]:
        a, b = there.get(name, "not there"), config.get(name, "not there")
        if a != b:
            return f"{name} is {a} there and {b} here"
    return None


def recorded(
    directory: str | PathLike,
    steps: Callable[[State | None], Iterator[tuple[State, dict[str, Any]]]],
    every: int,
    device: str = "cpu",
) -> Generator[dict[str, Any], None, None]:
    """Resume the run in `directory` from its checkpoint, or begin it; yield a line of metrics for every step.

    steps(start)   the run from `start`, or from its beginning if that is None: (state, line) of each step, as from
                   `train(…, start=start)`; lines are dicts that JSON can hold
    every          steps between checkpoints; another is written when the caller stops or is interrupted

    An interrupted run continues bit for bit as if it had not been interrupted. ValueError if metrics of steps before
    the checkpoint are missing, or another process is using the folder. FloatingPointError where numbers cease to be
    finite; the last checkpoint stays.
    """
    whole("every", every, 1)
    with alone_in(Path(directory)):
        yield from _recorded(Path(directory), steps, every, device)


def _recorded(
    directory: Path, steps: Callable[[State | None], Iterator[tuple[State, dict[str, Any]]]], every: int, device: str
) -> Generator[dict[str, Any], None, None]:
    sweep(directory)
    start = load_state(directory / CHECKPOINT, device) if (directory / CHECKPOINT).exists() else None
    saved = state = start
    run = steps(start)  # may refuse the checkpoint, before any line is removed
    with _continued(directory / METRICS, start.number if start else 0) as metrics:
        try:
            for now, line in run:
                metrics.write(json.dumps(line) + "\n")
                state = now
                if state.number % every == 0:
                    _check_finite(state)
                    metrics.flush()  # never fewer lines than the checkpoint has steps
                    save_state(directory / CHECKPOINT, state)
                    saved = state
                yield line
        except FloatingPointError as error:
            after = f"after {saved.number} steps" if saved else "none yet"
            state = saved  # the states since may be damaged already
            raise FloatingPointError(f"{error}; checkpoint in {directory}: {after}") from error
        finally:
            if state is not saved and state is not None:
                metrics.flush()
                save_state(directory / CHECKPOINT, state)


def _check_finite(state: State) -> None:
    """FloatingPointError for weights or slots that overflowed in a step whose loss and gradients were finite."""
    slots = {slot: arrays for slot, arrays in state.slots.items() if isinstance(arrays, Mapping)}
    for what, arrays in {"parameter": state.params, **slots}.items():
        if bad := not_finite(arrays):
            raise FloatingPointError(f"{what} {bad[0]!r} is not finite after step {state.number - 1}; {ADVICE}")


@contextmanager
def _continued(path: Path, number: int) -> Iterator[IO[str]]:
    """The file of metrics, cut to the lines of the first `number` steps, open for appending."""
    *lines, _ = path.read_bytes().split(b"\n") if path.exists() else [b""]  # the last is empty or unfinished
    if len(lines) < number:
        raise ValueError(f"{path} has {len(lines)} lines, the checkpoint beside it comes after {number} steps")
    with replacing(path) as kept:
        kept.write_bytes(b"".join(line + b"\n" for line in lines[:number]))
    with path.open("a") as file:
        yield file


def metrics(directory: str | PathLike, form: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The lines of metrics that a run has written so far.

    ValueError naming file and line where one is not JSON, or not of the form (as `records.read_json` takes it).
    """
    path = Path(directory) / METRICS
    lines = path.read_bytes().splitlines()
    return [parsed(line, form or {}, f"line {n} of {path}") for n, line in enumerate(lines, 1)]


def refuse_own(path: Path) -> None:
    """ValueError if `path` is, or would become, a file of a run's own, through whatever link."""
    place = path.resolve()
    inside = any((folder / CONFIG).exists() for folder in (place.parent, place.parent.parent))  # a round's is in a run
    known = [place.parent / name for name in OWN]
    if (place.exists() and any(own.exists() and own.samefile(place) for own in known)) or (inside and place in known):
        raise ValueError(f"{path} is a run's own file, which nothing replaces; choose another name")


def save_state(path: str | PathLike, state: State) -> None:
    """Write a State as arrays by name, "params/fc1.weight", and an outline of how they fit together.

    The last 64 bytes of the file are the SHA-256 of the bytes before them. TypeError for a memory that holds anything
    but dicts, arrays, numbers and None.
    """
    arrays: dict[str, Array] = {}
    outline = _outline(to_numpy(state)._asdict(), "", arrays)
    with replacing(Path(path)) as unfinished:
        _write(unfinished, {"format": FORMAT, "state": outline}, arrays)


def _write(path: Path, outline: Any, arrays: Mapping[str, Array]) -> None:
    write_arrays(path, {"outline": np.array(json.dumps(outline)), **arrays}, comment=bytes(SUM))
    with path.open("r+b") as file:
        digest = _digest(file)
        file.seek(-SUM, os.SEEK_END)
        file.write(digest)


def _digest(file: BinaryIO) -> bytes:
    """The SHA-256, in hexadecimal, of all but the last 64 bytes of a file; the file is then positioned at these."""
    seen, left = sha256(), max(0, file.seek(0, os.SEEK_END) - SUM)
    file.seek(0)
    while part := file.read(min(left, 1 << 20)):
        seen.update(part)
        left -= len(part)
    return seen.hexdigest().encode()


def load_state(path: str | PathLike, device: str = "cpu") -> State:
    """The State that `save_state` wrote.

    ValueError naming the file if a byte of it has changed, or if it is another kind of file or of another format.
    """
    try:
        with Path(path).open("rb") as file:
            if _digest(file) != file.read():
                raise ValueError("it does not end in the SHA-256 of what it holds")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
        outline = json.loads(str(arrays["outline"]))
        known = outline["format"] == FORMAT
        state = _state(outline["state"], arrays) if known else None
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever zipfile, NumPy or JSON raise for another file
        raise ValueError(f"{path} is no checkpoint, or a damaged one: {error}") from error
    if state is None:
        raise ValueError(f"{path} is a checkpoint of format {outline['format']!r}; this minisparse reads {FORMAT} only")
    return to_device(state, device)


def _state(outline: Any, arrays: Mapping[str, Array]) -> State:
    state = State(**_tree(outline, arrays))
    for name in ("params", "masks", "slots"):
        if not isinstance(getattr(state, name), dict):
            raise TypeError(f"{name} is {type(getattr(state, name)).__name__}; expected a dict")
    whole("number", state.number, 0)
    whole("key", state.key, 0, 2**128 - 1)
    masks_fit(state.masks, state.params)
    for name, mask in state.masks.items():
        if mask.dtype != bool:
            raise ValueError(f"mask for {name!r} is {mask.dtype}; expected bool")
    return state._replace(masks=Masks(state.masks))


def _outline(tree: Any, path: str, arrays: dict[str, Array]) -> Any:
    """`tree` with every array moved to `arrays` and replaced by its name there."""
    if isinstance(tree, Mapping):
        step = f"{path}/" if path else ""
        return {key: _outline(branch, step + quote(key, safe=""), arrays) for key, branch in tree.items()}
    if isinstance(tree, np.ndarray | np.generic):
        seen = next((name for name, array in arrays.items() if array is tree), None)
        if seen is None:
            arrays[path] = np.asarray(tree)
        return seen or path
    if isinstance(tree, Positions):
        return ["positions", _outline(tree.flat, path + "/positions", arrays), list(tree.shape)]
    if isinstance(tree, SparseWeight):
        return ["compressed", _outline(tree.values, path, arrays), _outline(tree.mask, path, arrays)]
    if isinstance(tree, FactoredGradient):
        both = [_outline(a, f"{path}/{name}", arrays) for name, a in (("x", tree.x), ("g", tree.g))]
        return ["factors", *both, tree.scale, tree.absolute]
    if tree is None or type(tree) in (int, float, bool):
        return tree
    raise TypeError(f"{path} is {type(tree).__name__}; a checkpoint holds dicts, arrays, numbers and None")


def _tree(outline: Any, arrays: Mapping[str, Array]) -> Any:
    """The tree that `_outline` made an outline of."""
    if isinstance(outline, list):
        kind, *parts = outline
        if kind == "positions":
            flat, shape = parts
            return Positions(arrays[flat], tuple(shape))
        held = [_tree(part, arrays) for part in parts]
        return by_fan_in(SparseWeight(*held)) if kind == "compressed" else {"factors": FactoredGradient}[kind](*held)
    if isinstance(outline, dict):
        return {key: _tree(branch, arrays) for key, branch in outline.items()}
    return arrays[outline] if isinstance(outline, str) else outline
