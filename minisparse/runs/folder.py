"""A run in a directory of its own, which an interruption does not harm.

config.json       all that decides the run
metrics.jsonl     one line of JSON for every step
checkpoint.npz    the State after the last of these steps, written at the end of every epoch and when interrupted
result.json       what came out, once the run is finished
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
from ..sparse import FactoredGradient, Positions, SparseWeight
from ..train import ADVICE, State, not_finite

CONFIG, METRICS, CHECKPOINT, RESULT = "config.json", "metrics.jsonl", "checkpoint.npz", "result.json"
FORMAT = 1  # of a checkpoint
SUM = 64  # bytes at a checkpoint's end: the SHA-256 of all before them, in hexadecimal


def claim(directory: str | PathLike, config: Mapping[str, Any]) -> None:
    """Make `directory` the run's that `config` decides.

    ValueError naming what differs if it is another run's, or the process that is at work there.
    """
    path = Path(directory) / CONFIG
    with alone_in(path.parent):
        if not path.exists():
            write_json(path, config)
        there = read_json(path)
    if not isinstance(there, dict):
        raise ValueError(f"{path} holds {type(there).__name__}; expected a dict of all that decides a run")
    if odd := difference(there, config):
        raise ValueError(f"{directory} holds another run: {odd}; choose another folder")


def difference(there: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """The first thing in which what decided a run, as JSON gave it back, is not `config`; None if there is none."""
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
    """Go on with the run in `directory` from its checkpoint, or begin it; yield a line of metrics for every step.

    steps(start)   the run from `start`, or from its beginning if that is None: (state, line) of each step, as from
                   `train(…, start=start)`; lines are dicts that JSON can hold
    every          steps from one checkpoint to the next; there is one more when the caller stops or is interrupted

    What a run does after an interruption, to the last bit, is what it would have done without. ValueError if the
    metrics of the steps before the checkpoint are not there, or another process is at work there. Where numbers cease
    to be finite, FloatingPointError, and the last checkpoint stays.
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
    run = steps(start)  # which may refuse the checkpoint, before a line is taken away
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
            state = saved  # what led to this may be beyond repair already
            raise FloatingPointError(f"{error}; checkpoint in {directory}: {after}") from error
        finally:
            if state is not saved and state is not None:
                metrics.flush()
                save_state(directory / CHECKPOINT, state)


def _check_finite(state: State) -> None:
    """FloatingPointError for weights or slots that have overflowed since the loss and the gradients were finite."""
    slots = {slot: own for slot, own in state.slots.items() if isinstance(own, Mapping)}
    for what, arrays in {"parameter": state.params, **slots}.items():
        if bad := not_finite(arrays):
            raise FloatingPointError(f"{what} {bad[0]!r} is not finite after step {state.number - 1}; {ADVICE}")


@contextmanager
def _continued(path: Path, number: int) -> Iterator[IO[str]]:
    """The file of metrics with the lines of the first `number` steps, open to write on."""
    *lines, _ = path.read_bytes().split(b"\n") if path.exists() else [b""]  # the last is none, or has not been ended
    if len(lines) < number:
        raise ValueError(f"{path} has {len(lines)} lines, the checkpoint beside it comes after {number} steps")
    with replacing(path) as kept:
        kept.write_bytes(b"".join(line + b"\n" for line in lines[:number]))
    with path.open("a") as file:
        yield file


def metrics(directory: str | PathLike) -> list[dict[str, Any]]:
    """The lines of metrics that a run has written so far. ValueError naming the file and the line that is no JSON."""
    path = Path(directory) / METRICS
    return [_parsed(line, f"line {n} of {path}") for n, line in enumerate(path.read_bytes().splitlines(), 1)]


def read_json(path: Path) -> Any:
    """What a file of JSON holds. ValueError naming the file if it is none."""
    return _parsed(path.read_bytes(), str(path))


def _parsed(text: bytes, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place} is no JSON, or damaged: {error}") from error


def write_json(path: Path, value: Any) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=1) + "\n")


def save_state(path: str | PathLike, state: State) -> None:
    """Write a State as arrays by name, "params/fc1.weight", and an outline that says how they hang together.

    The last 64 bytes of the file are the SHA-256 of all before them. TypeError for a memory that holds anything but
    dicts, arrays, numbers and None.
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
    """The SHA-256, in hexadecimal, of all but the last 64 bytes of a file, which is then left before these."""
    seen, left = sha256(), max(0, file.seek(0, os.SEEK_END) - SUM)
    file.seek(0)
    while part := file.read(min(left, 1 << 20)):
        seen.update(part)
        left -= len(part)
    return seen.hexdigest().encode()


def load_state(path: str | PathLike, device: str = "cpu") -> State:
    """The State that `save_state` wrote: all of it, or none.

    ValueError naming the file if a byte of it has changed, if it is something else, or of another format than ours.
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
    except Exception as error:  # whatever zipfile, NumPy or JSON make of another file
        raise ValueError(f"{path} is no checkpoint, or a damaged one: {error}") from error
    if state is None:
        raise ValueError(f"{path} is a checkpoint of format {outline['format']!r}; this minisparse reads {FORMAT} only")
    return to_device(state, device)


def _state(outline: Any, arrays: Mapping[str, Array]) -> State:
    state = State(**_hung(outline, arrays))
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
    """`tree` with every array replaced by its name in `arrays`, where it is put."""
    if isinstance(tree, Mapping):
        step = f"{path}/" if path else ""
        return {key: _outline(branch, step + quote(key, safe=""), arrays) for key, branch in tree.items()}
    if isinstance(tree, np.ndarray | np.generic):
        there = next((name for name, array in arrays.items() if array is tree), None)
        if there is None:
            arrays[path] = np.asarray(tree)
        return there or path
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


def _hung(outline: Any, arrays: Mapping[str, Array]) -> Any:
    """The tree of an outline, with its arrays in their places."""
    if isinstance(outline, list):
        kind, *parts = outline
        if kind == "positions":
            flat, shape = parts
            return Positions(arrays[flat], tuple(shape))
        held = [_hung(part, arrays) for part in parts]
        return {"compressed": SparseWeight, "factors": FactoredGradient}[kind](*held)
    if isinstance(outline, dict):
        return {key: _hung(branch, arrays) for key, branch in outline.items()}
    return arrays[outline] if isinstance(outline, str) else outline
