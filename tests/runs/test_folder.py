"""A run in a folder: what an interruption leaves, and what goes on from it."""

import json
import os
from contextlib import closing

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import nn, ops, random_masks, recipes, sgd
from minisparse.data import batches
from minisparse.files import LOCK
from minisparse.masks import Masks
from minisparse.optim import adam
from minisparse.runs import folder as runs
from minisparse.sparse import FactoredGradient, SparseWeight
from minisparse.sparse.positions import Positions
from minisparse.train import State, train

MODEL = nn.mlp(12, 9, 3)
STEPS = 23


def steps(start, optimizer=sgd(0.1, momentum=0.9), stop=STEPS):  # noqa: B008
    """A run of RigL with updates at steps 4, 8, 12 and 16, as `recorded` takes it."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 12)).astype(np.float32), rng.integers(0, 3, 40)
    params = MODEL.init(rng)
    masks = random_masks({"fc1.weight": (12, 9), "fc2.weight": (9, 3)}, {"fc1.weight": 0.3, "fc2.weight": 0.5}, rng)
    data = batches(x, y, 7, 0, start.number if start else 0, stop)
    loss = lambda p, batch, rng: ops.softmax_cross_entropy(MODEL(p, batch[0]), batch[1])
    for step in train(loss, params, masks, data, recipes.rigl(0.5, 4, 20), rng, optimizer, start):
        yield step.state, {"step": step.number, "loss": step.loss, "rewired": step.rewired}


def exhaust(lines):
    for _ in lines:
        pass


def contents(directory):
    """The files of a run: metrics byte for byte, arrays by name and bytes."""
    with np.load(directory / "checkpoint.npz", allow_pickle=False) as file:
        arrays = {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in file.items()}
    return (directory / "metrics.jsonl").read_bytes(), arrays


def equal(a, b):
    """Are two trees of dicts, arrays, numbers and None the same to the last bit."""
    if isinstance(a, dict | Masks):
        return type(a) is type(b) and a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and a == b


arrays = st.builds(
    lambda shape, dtype, seed: np.asarray(9 * np.random.default_rng(seed).standard_normal(shape)).astype(dtype),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.sampled_from([np.float32, np.float64, np.int64, bool]),
    st.integers(0, 9),
)
trees = st.recursive(
    arrays | st.none() | st.integers(-(2**130), 2**130) | st.floats(allow_nan=False) | st.booleans(),
    lambda inner: st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=examples(60))
@given(slots=st.dictionaries(st.text("a/.%' \0", max_size=3), trees, max_size=3), memory=trees)
def test_a_state_comes_back_as_it_was_whatever_its_names(tmp_path_factory, slots, memory):
    path = tmp_path_factory.mktemp("run") / "checkpoint.npz"
    state = State(
        7, {"fc1.weight": np.ones((2, 3))}, Masks({"fc1.weight": np.eye(2, 3) > 0}), slots, memory, 2**128 - 1
    )
    runs.save_state(path, state)
    back = runs.load_state(path)
    assert all(equal(a, b) for a, b in zip(back, state, strict=True))


def test_a_memory_that_no_checkpoint_can_hold_is_refused_by_its_place(tmp_path):
    state = State(0, {}, Masks({}), {}, {"momentum": object()}, 0)
    with pytest.raises(TypeError, match="memory/momentum is object; a checkpoint holds dicts, arrays"):
        runs.save_state(tmp_path / "checkpoint.npz", state)
    assert not list(tmp_path.iterdir())


def small(directory):
    """A checkpoint with all that one can hold: dense, masked and truly sparse arrays, slots, a memory."""
    mask = Positions(np.array([1, 3, 4]), (3, 2))
    weight = SparseWeight(np.arange(3.0), mask)
    factors = FactoredGradient(np.ones((2, 3)), np.ones((2, 2)), 0.5, absolute=True)
    state = State(
        7,
        {"a": np.eye(2), "b": np.arange(2.0), "c": weight},
        Masks({"a": np.eye(2) > 0, "c": mask}),
        {"velocity": {"a": np.zeros((2, 2)), "b": np.full(2, np.pi), "c": weight}, "updates": 3},
        {"c": factors, "n": None},
        2**127 + 1,
    )
    path = directory / "checkpoint.npz"
    runs.save_state(path, state)
    return path, state


def test_what_is_stored_truly_sparse_comes_back_as_it_was(tmp_path):
    path, state = small(tmp_path)
    back = runs.load_state(path)
    assert back.masks["c"].flat.tolist() == [1, 3, 4]
    assert (back.params["c"].values.tolist(), back.params["c"].shape) == ([0.0, 1.0, 2.0], (3, 2))
    assert (back.memory["c"].dense() == state.memory["c"].dense()).all()
    assert (back.memory["c"].scale, back.memory["c"].absolute) == (0.5, True)
    assert back.slots["velocity"]["c"].mask is not None


def test_the_same_state_is_the_same_bytes(tmp_path, monkeypatch):
    first = small(tmp_path)[0].read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert small(tmp_path)[0].read_bytes() == first


@pytest.mark.long
def test_a_checkpoint_with_any_one_byte_changed_or_cut_off_anywhere_is_refused_by_name(tmp_path):
    path, _ = small(tmp_path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    assert len(whole) < 10_000  # every byte of it, and so every field of the archive and of each array in it
    refused = lambda: pytest.raises(ValueError, match=r"checkpoint\.npz is no checkpoint, or a damaged one")
    with path.open("r+b", buffering=0) as file:
        for place, flip in enumerate(rng.integers(1, 256, len(whole))):
            os.pwrite(file.fileno(), bytes([whole[place] ^ int(flip)]), place)
            with refused():
                runs.load_state(path)
            os.pwrite(file.fileno(), whole[place : place + 1], place)
        assert runs.load_state(path).number == 7
        for more in (b"\0", whole[-64:], whole):
            os.pwrite(file.fileno(), more, len(whole))
            with refused():
                runs.load_state(path)
        for end in reversed(range(len(whole))):
            file.truncate(end)
            with refused():
                runs.load_state(path)


def test_a_damaged_checkpoint_stops_the_run_before_anything_of_it_is_used_or_written(tmp_path):
    with closing(runs.recorded(tmp_path, steps, every=6)) as lines:
        for _ in range(9):
            next(lines)
    path = tmp_path / "checkpoint.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    begun = []
    with pytest.raises(ValueError, match="no checkpoint, or a damaged one"):
        next(runs.recorded(tmp_path, begun.append, every=6))
    assert begun == []
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def foreign(path, kind):
    if kind == "text":
        path.write_text("no checkpoint at all, but a text that is longer than a checksum, which it does not end in")
    elif kind == "nothing":
        path.write_bytes(b"")
    elif kind == "an array":
        with path.open("wb") as file:
            np.save(file, np.arange(9))
    elif kind == "arrays":
        np.savez(path, x=np.arange(9), outline=np.array("{}"))
    elif kind == "code":
        np.savez(path, outline=np.array([print]))


@pytest.mark.parametrize("kind", ["text", "nothing", "an array", "arrays", "code"])
def test_another_file_is_refused_by_name(tmp_path, kind):
    path = tmp_path / "checkpoint.npz"
    foreign(path, kind)
    with pytest.raises(ValueError, match=r"checkpoint\.npz is no checkpoint"):
        runs.load_state(path)
    with pytest.raises(FileNotFoundError):
        runs.load_state(tmp_path / "nowhere.npz")


STATE = {"number": 0, "params": {"w": "w"}, "masks": {"w": "on"}, "slots": {}, "memory": None, "key": 1}
ARRAYS = {"w": np.zeros((2, 2)), "on": np.ones((2, 2), bool), "a": np.array([3, 1])}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        *(({"masks": {"w": mask}}, "") for mask in (["positions", "a"], ["positions"], [], ["wavelet", "a"])),
        ({"masks": {"w": ["positions", "a", [2, 2]]}}, "flat must rise"),
        ({"masks": {"w": "nowhere"}}, "nowhere"),
        ({"masks": {"w": "a"}}, r"mask for 'w' has shape \(2,\), weight has \(2, 2\)"),
        ({"masks": {"w": "w"}}, "bool"),
        ({"masks": {"v": "on"}}, "masks has 'v', which is no parameter"),
        ({"masks": "on"}, ""),
        ({"number": -1}, "number is -1"),
        ({"number": 1.5}, "number is 1.5"),
        ({"key": 2**128}, "key is"),
        ({"key": None}, "key is None"),
        ({"colour": 1}, "colour"),
    ],
    ids=str,
)
def test_a_checkpoint_that_hangs_together_otherwise_is_refused_by_name(tmp_path, change, sentence):
    path = tmp_path / "checkpoint.npz"
    runs._write(path, {"format": runs.FORMAT, "state": STATE}, ARRAYS)
    assert runs.load_state(path).params["w"].shape == (2, 2)
    runs._write(path, {"format": runs.FORMAT, "state": STATE | change}, ARRAYS)
    with pytest.raises(ValueError, match=rf"checkpoint\.npz is no checkpoint.*{sentence}"):
        runs.load_state(path)


@pytest.mark.parametrize("form", [2, 10, "2", None])
def test_a_checkpoint_of_a_newer_format_is_refused_whatever_it_holds(tmp_path, form):
    path = tmp_path / "checkpoint.npz"
    runs._write(path, {"format": form, "state": {"and": "more"}}, {})
    with pytest.raises(ValueError, match=rf"checkpoint\.npz is a checkpoint of format {form!r}; this .* reads 1 only"):
        runs.load_state(path)


@pytest.mark.parametrize("optimizer", [sgd(0.1, momentum=0.9, nesterov=True), adam(0.01)], ids=["sgd", "adam"])
@pytest.mark.parametrize("stops", [[1], [3], [4], [5], [7, 8, 9], [20], [22], [23]], ids=str)
def test_an_interrupted_run_goes_on_to_the_last_bit(tmp_path, stops, optimizer):
    whole = tmp_path / "whole"
    exhaust(runs.recorded(whole, lambda start: steps(start, optimizer), every=6))
    parts, before = tmp_path / "parts", 0
    for stop in stops:
        with closing(runs.recorded(parts, lambda start: steps(start, optimizer), every=6)) as lines:
            for _ in range(stop - before):
                line = next(lines)
        assert line["step"] + 1 == before + (stop - before) == runs.load_state(parts / "checkpoint.npz").number
        before = stop
    exhaust(runs.recorded(parts, lambda start: steps(start, optimizer), every=6))
    assert contents(parts) == contents(whole)
    assert [line["step"] for line in runs.metrics(parts)] == list(range(STEPS))
    assert [line["step"] for line in runs.metrics(parts) if line["rewired"]] == [4, 8, 12, 16]


def broken(start, at):
    """The run, with an interruption inside step `at`."""
    for state, line in steps(start):
        if line["step"] == at:
            raise KeyboardInterrupt
        yield state, line


@pytest.mark.parametrize("at", [0, 4, 11, 12])
def test_an_interruption_inside_a_step_keeps_the_steps_before_it(tmp_path, at):
    exhaust(runs.recorded(tmp_path / "whole", steps, every=6))
    with pytest.raises(KeyboardInterrupt):
        exhaust(runs.recorded(tmp_path / "parts", lambda start: broken(start, at), every=6))
    assert len(runs.metrics(tmp_path / "parts")) == at
    exhaust(runs.recorded(tmp_path / "parts", steps, every=6))
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint_and_no_line_is_there_twice(tmp_path):
    exhaust(runs.recorded(tmp_path / "whole", steps, every=6))
    parts = tmp_path / "parts"
    exhaust(runs.recorded(parts, lambda start: steps(start, stop=12), every=6))
    with (parts / "metrics.jsonl").open("a") as file:  # what a killed process had written since, to half a line
        file.write('{"step": 12, "loss": 1.0}\n{"step": 13, "lo')
    (parts / ".unfinished-a1.npz").write_bytes(b"PK half a checkpoint")
    exhaust(runs.recorded(parts, steps, every=6))
    assert contents(parts) == contents(tmp_path / "whole")
    assert {path.name for path in parts.iterdir()} - {LOCK} == {"checkpoint.npz", "metrics.jsonl"}


def test_checkpoints_are_written_every_so_many_steps(tmp_path):
    with closing(runs.recorded(tmp_path, steps, every=6)) as lines:
        for line in lines:
            there = (tmp_path / "checkpoint.npz").exists()
            assert there == (line["step"] >= 5)
            if there:
                number = runs.load_state(tmp_path / "checkpoint.npz").number
                assert number == (line["step"] + 1) // 6 * 6
                assert (tmp_path / "metrics.jsonl").read_text().count("\n") >= number  # a kill now loses none of them


def test_a_finished_run_has_no_steps_left(tmp_path):
    exhaust(runs.recorded(tmp_path, steps, every=6))
    before = contents(tmp_path)
    assert list(runs.recorded(tmp_path, steps, every=6)) == []
    assert contents(tmp_path) == before


@pytest.mark.long
def test_a_run_has_its_folder_alone_while_it_is_stepped_and_no_longer(tmp_path):
    taken = rf"{tmp_path} is in use by process {os.getpid()} on .*; wait until it ends, or choose another folder"
    with closing(runs.recorded(tmp_path, steps, every=6)) as lines:
        next(lines)
        for use in (lambda: exhaust(runs.recorded(tmp_path, steps, every=6)), lambda: runs.claim(tmp_path, {})):
            with pytest.raises(ValueError, match=taken):
                use()
        exhaust(lines)
        exhaust(runs.recorded(tmp_path, steps, every=6))
    with pytest.raises(ZeroDivisionError):
        exhaust(runs.recorded(tmp_path, lambda start: 1 / 0, every=6))
    runs.claim(tmp_path, {})


def test_metrics_that_are_missing_are_noticed(tmp_path):
    exhaust(runs.recorded(tmp_path, steps, every=6))
    (tmp_path / "metrics.jsonl").write_text("{}\n" * 22)
    with pytest.raises(ValueError, match=r"metrics\.jsonl has 22 lines, the checkpoint beside it comes after 23 steps"):
        next(runs.recorded(tmp_path, steps, every=6))
    (tmp_path / "metrics.jsonl").write_text("{}\n" * 22 + "{")
    with pytest.raises(ValueError, match=r"metrics\.jsonl has 22 lines"):  # a line is one when it has ended
        next(runs.recorded(tmp_path, steps, every=6))


def test_json_that_is_damaged_is_refused_by_name_and_line(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 0}\n{"st\xff": 1}\n')
    with pytest.raises(ValueError, match=r"line 2 of .*metrics\.jsonl is no JSON, or damaged"):
        runs.metrics(tmp_path)
    (tmp_path / "config.json").write_text('{"lr": 0.1')
    with pytest.raises(ValueError, match=r"config\.json is no JSON, or damaged"):
        runs.claim(tmp_path, {"lr": 0.1})


def test_a_folder_belongs_to_one_config(tmp_path):
    runs.claim(tmp_path / "a", {"lr": 0.1, "dense": ("fc1",), "data": {"name": "digits"}})
    runs.claim(tmp_path / "a", {"data": {"name": "digits"}, "dense": ["fc1"], "lr": 0.1})
    assert json.loads((tmp_path / "a" / "config.json").read_text())["lr"] == 0.1
    for other, sentence in [
        ({"lr": 0.2, "dense": ["fc1"], "data": {"name": "digits"}}, "lr is 0.1 there and 0.2 here"),
        ({"lr": 0.1, "data": {"name": "digits"}}, r"dense is \['fc1'\] there and not there here"),
        ({"lr": 0.1, "dense": ["fc1"], "data": {"name": "digits"}, "zeta": 1}, "zeta is not there there and 1 here"),
    ]:
        with pytest.raises(ValueError, match=f"a holds another run: {sentence}; choose another folder"):
            runs.claim(tmp_path / "a", other)
