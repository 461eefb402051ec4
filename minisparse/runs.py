"""A run in a directory of its own, which an interruption does not harm.

config.json       all that decides the run
metrics.jsonl     one line of JSON for every step
checkpoint.npz    the State after the last of these steps, written at the end of every epoch and when interrupted
result.json       what came out, once the run is finished
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import numpy as np

from .backend import Array, to_device, to_numpy
from .checks import masks_fit, whole
from .files import read_npz, replacing
from .masks import Masks
from .positions import Positions
from .sparse import Compressed, Factors
from .train import ADVICE, State, not_finite

CONFIG, METRICS, CHECKPOINT, RESULT = "config.json", "metrics.jsonl", "checkpoint.npz", "result.json"
FORMAT = 1  # of checkpoints; one without a number has it too


def claim(directory: str | PathLike, config: Mapping[str, Any]) -> None:
    """Make `directory` the run's that `config` decides. ValueError naming what differs if it is another run's."""
    path = Path(directory) / CONFIG
    if not path.exists():
        write_json(path, config)
    there = read_json(path)
    if not isinstance(there, dict):
        raise ValueError(f"{path} holds {type(there).__name__}; accepted is a dict of all that decides a run")
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
    metrics of the steps before the checkpoint are not there. Where numbers cease to be finite, FloatingPointError, and
    the last checkpoint stays.
    """
    directory = Path(directory)
    whole("every", every, 1)
    start = load_state(directory / CHECKPOINT, device) if (directory / CHECKPOINT).exists() else None
    saved = state = start
    with _continued(directory / METRICS, start.number if start else 0) as metrics:
        try:
            for now, line in steps(start):
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
    lines = path.read_text().splitlines(keepends=True)[:number] if path.exists() else []
    if len(lines) < number:
        raise ValueError(f"{path} has {len(lines)} lines, the checkpoint beside it comes after {number} steps")
    with replacing(path) as kept:
        kept.write_text("".join(lines))
    with path.open("a") as file:
        yield file


def metrics(directory: str | PathLike) -> list[dict[str, Any]]:
    """The lines of metrics that a run has written so far."""
    path = Path(directory) / METRICS
    return [_json(line, f"line {number} of {path}") for number, line in enumerate(path.read_text().splitlines(), 1)]


def read_json(path: Path) -> Any:
    """What a file holds. ValueError naming it if it is no JSON."""
    try:
        text = path.read_text()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    return _json(text, path)


def _json(text: str, where: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is no JSON: {error}") from error


def write_json(path: Path, value: Any) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=1) + "\n")


def save_state(path: str | PathLike, state: State) -> None:
    """Write a State as arrays by name, "params/fc1.weight", and an outline that says how they hang together.

    TypeError for a memory that holds anything but dicts, arrays, numbers and None.
    """
    arrays: dict[str, Array] = {}
    outline = {"format": FORMAT} | _outline(to_numpy(state)._asdict(), "", arrays)
    with replacing(Path(path)) as unfinished:
        np.savez(unfinished, allow_pickle=False, outline=np.array(json.dumps(outline)), **arrays)


def load_state(path: str | PathLike, device: str = "cpu") -> State:
    """The State that `save_state` wrote. ValueError naming the file if it is damaged, of another format, or something
    else; nothing of it is then used."""
    try:
        arrays = read_npz(path)
        outline = json.loads(str(arrays["outline"]))
        if (found := outline.pop("format", FORMAT)) != FORMAT:
            raise ValueError(f"its format is {found!r}; accepted is {FORMAT}, which this version of minisparse writes")
        state = _checked(State(**_hung(outline, arrays)))
    except FileNotFoundError:
        raise
    except Exception as error:  # an archive, an array and JSON can be broken in a dozen ways
        raise ValueError(f"{path} is no checkpoint, or a damaged one: {error}") from error
    return to_device(state, device)


def _checked(state: State) -> State:
    """The State with its masks as Masks, if a run can go on from it; else ValueError or TypeError."""
    whole("number", state.number, 0)
    whole("key", state.key, 0, 2**128 - 1)
    for name in ("params", "masks", "slots"):
        if not isinstance(getattr(state, name), dict):
            raise TypeError(f"{name} is {type(getattr(state, name)).__name__}; accepted is a dict")
    masks_fit(state.masks, state.params)
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
    if isinstance(tree, Compressed):
        return ["compressed", _outline(tree.values, path, arrays), _outline(tree.mask, path, arrays)]
    if isinstance(tree, Factors):
        both = [_outline(a, f"{path}/{name}", arrays) for name, a in (("x", tree.x), ("g", tree.g))]
        return ["factors", *both, tree.scale]
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
        return {"compressed": Compressed, "factors": Factors}[kind](*held)
    if isinstance(outline, dict):
        return {key: _hung(branch, arrays) for key, branch in outline.items()}
    return arrays[outline] if isinstance(outline, str) else outline
