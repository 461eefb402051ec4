"""A run in a folder: what an interruption leaves, and what goes on from it."""

import json
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import nn, ops, random_masks, recipes, runs, sgd
from minisparse.data import batches
from minisparse.masks import Masks
from minisparse.optim import adam
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


@settings(max_examples=60)
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


@pytest.mark.parametrize("mask", [["positions", "a"], ["positions"], [], ["wavelet", "a"], ["positions", "a", [2, 2]]])
def test_a_checkpoint_with_masks_of_another_kind_is_refused_by_name(tmp_path, mask):
    path = tmp_path / "checkpoint.npz"
    runs.save_state(path, State(0, {}, Masks({}), {}, None, 1))
    with np.load(path) as archive:
        outline = json.loads(str(archive["outline"]))
    np.savez(path, outline=np.array(json.dumps(outline | {"masks": {"w": mask}})), a=np.array([3, 1]))
    with pytest.raises(ValueError, match=r"checkpoint\.npz is no checkpoint"):
        runs.load_state(path)


def test_a_damaged_checkpoint_or_one_with_code_in_it_is_refused_by_name(tmp_path):
    exhaust(runs.recorded(tmp_path, steps, every=5))
    path = tmp_path / "checkpoint.npz"
    whole = path.read_bytes()
    np.savez(path, outline=np.array([print]))
    with pytest.raises(ValueError, match=r"checkpoint\.npz is no checkpoint"):
        runs.load_state(path)
    for damaged in (whole[: len(whole) // 2], b"", b"nothing"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"checkpoint\.npz is no checkpoint"):
            runs.load_state(path)
    with pytest.raises(FileNotFoundError):
        runs.load_state(tmp_path / "nowhere.npz")


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
    exhaust(runs.recorded(parts, steps, every=6))
    assert contents(parts) == contents(tmp_path / "whole")


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


def test_metrics_that_are_missing_are_noticed(tmp_path):
    exhaust(runs.recorded(tmp_path, steps, every=6))
    (tmp_path / "metrics.jsonl").write_text("{}\n" * 22)
    with pytest.raises(ValueError, match=r"metrics\.jsonl has 22 lines, the checkpoint beside it comes after 23 steps"):
        next(runs.recorded(tmp_path, steps, every=6))


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
