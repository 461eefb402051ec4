"""Everything that is read from outside, fed with noise: it is read as it was written, or refused with ValueError.

Each parser gets random bytes, and a good file with bytes flipped, cut out, put in or repeated. `check` says what may
come back: where there is a checksum, the very same content; where there is none, what a caller can rely on.
"""

import gzip
import importlib.util
import io
import json
import os
import subprocess
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import data
from minisparse.compress.file import CHECKSUM, Shared, read, written
from minisparse.experiments.apart import peak_bytes
from minisparse.files import write_arrays
from minisparse.golden import asking, cases, check, values
from minisparse.masks import Masks
from minisparse.runs import folder as runs
from minisparse.train import State

fixed = settings(max_examples=examples(300), derandomize=True, deadline=10_000, database=None)


def noise(good):
    """Random bytes, and `good` with one to four changes."""
    places = st.integers(0, len(good))
    change = st.one_of(
        st.tuples(st.just("flip"), places, st.integers(1, 255)),
        st.tuples(st.just("cut"), places, st.integers(1, 64)),
        st.tuples(st.just("put in"), places, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("repeat"), places, st.integers(1, 64)),
        st.tuples(st.just("end"), places, st.none()),
    )
    return st.binary(max_size=200) | st.lists(change, min_size=1, max_size=4).map(
        lambda changes: mutated(good, changes)
    )


def mutated(content, changes):
    for kind, place, how in changes:
        head, tail = content[:place], content[place:]
        if kind == "flip" and tail:
            content = head + bytes([tail[0] ^ how]) + tail[1:]
        elif kind == "cut":
            content = head + tail[how:]
        elif kind == "put in":
            content = head + how + tail
        elif kind == "repeat":
            content = head + tail[:how] + tail
        elif kind == "end":
            content = head
    return content


def same(a, b):
    """Are two trees of dicts, arrays, numbers and None the same to the last bit."""
    if isinstance(a, dict | Masks):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and a == b


# IDX: gzip has a checksum, what is in it has none.

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
IDX = bytes([0, 0, 8, 3]) + np.array(IMAGES.shape, ">u4").tobytes() + IMAGES.tobytes()


def check_idx(path):
    assert same(data.read_idx(path, axes=3), IMAGES)


def check_idx_inside(path):
    path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    images = data.read_idx(path, axes=3)
    assert images.ndim == 3
    assert images.dtype == np.uint8


# A checkpoint: it ends in its checksum.

STATE = State(
    7,
    {"fc1.weight": np.arange(1500, dtype=np.float32).reshape(50, 30), "fc1.bias": np.zeros(3)},
    Masks({"fc1.weight": np.arange(1500).reshape(50, 30) % 3 == 0}),
    {"velocity": {"fc1.weight": np.ones((50, 30), np.float32)}, "updates": 3},
    {"a": np.arange(3)},
    2**127,
)


def checkpoint(tmp_path):
    runs.save_state(tmp_path / "checkpoint.npz", STATE)
    return (tmp_path / "checkpoint.npz").read_bytes()


def check_checkpoint(path):
    assert same(runs.load_state(path)._asdict(), STATE._asdict())


def check_outline(path):
    """The outline of a checkpoint, whose checksum is right."""
    arrays = {"outline": np.array(path.read_bytes().decode("latin-1")), "params/w": np.ones((2, 2))}
    write_arrays(path, arrays, comment=bytes(runs.SUM))
    content = path.read_bytes()[: -runs.SUM]
    path.write_bytes(content + sha256(content).hexdigest().encode())
    state = runs.load_state(path)
    assert isinstance(state.number, int)
    assert isinstance(state.key, int)
    assert all(state.params[name].shape == mask.shape for name, mask in state.masks.items())


OUTLINE = json.dumps(
    {
        "format": 1,
        "state": {"number": 3, "params": {"w": "params/w"}, "masks": {}, "slots": {}, "memory": None, "key": 5},
    }
).encode()


# Arrays of one's own: .npz has a checksum, .csv has none.


def npz():
    file = io.BytesIO()
    np.savez(file, x=np.arange(600.0).reshape(300, 2), y=np.arange(300) % 3)
    return file.getvalue()


NPZ = npz()
CSV = b"label,a,b\n0,1.5,2\n1,3,4e1\n1,-5,6\n0,7,8\n1,9,10\n"


def check_npz(path):
    x, y = data.from_file(path)
    want = data.from_file(io_file(path.with_name("good.npz"), NPZ))
    assert same(x, want[0])
    assert same(y, want[1])


def check_csv(path):
    x, y = data.from_file(path)
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    assert y.dtype == np.int64
    assert len(x) == len(y)
    assert y.min(initial=0) >= 0


def io_file(path, content):
    path.write_bytes(content)
    return path


# Golden answers: no checksum; what is read is judged.

CASES = {name: own for name, own in cases.load().items() if name in ("top_k", "cosine", "apportion")}
ANSWERS = json.dumps(
    {"version": 1, "answers": {case.id: case.expected for own in CASES.values() for case in own}}
).encode()


def check_answers(path):
    outcomes, missing = check.answered(path, CASES)
    assert all(outcome.wrong is None or isinstance(outcome.wrong, str) for outcome in outcomes)
    assert set(missing) <= CASES.keys()
    check.Verdict(outcomes, missing).sentence()


# A compressed network: it ends in its checksum.

COMPRESSED = {
    "fc1.weight": Shared(np.arange(600).reshape(30, 20) % 11 == 3, np.array([-1, 0.5, 2], np.float32),
                         np.arange(55) % 3, 3),
    "fc1.bias": np.linspace(0, 1, 20, dtype=np.float32),
}  # fmt: skip


def compressed_network(tmp_path):
    return written(tmp_path / "network", COMPRESSED).read_bytes()


def check_compressed(path):
    for name, layer in read(path).items():
        pairs = zip(layer, COMPRESSED[name], strict=True) if isinstance(layer, Shared) else [(layer, COMPRESSED[name])]
        assert all(same(np.asarray(a), np.asarray(b)) for a, b in pairs)


def check_compressed_inside(path):
    """With a right checksum: what is read has the shapes that it tells, or it is refused."""
    content = path.read_bytes()
    path.write_bytes(content + sha256(content).digest())
    for layer in read(path).values():
        assert not isinstance(layer, Shared) or layer.weight().shape == layer.mask.shape


PARSERS = {
    "compressed": SimpleNamespace(name="network", good=compressed_network, check=check_compressed),
    "compressed inside": SimpleNamespace(
        name="network", good=lambda folder: compressed_network(folder)[:-CHECKSUM], check=check_compressed_inside
    ),
    "idx": SimpleNamespace(name="a.gz", good=gzip.compress(IDX, mtime=0), check=check_idx),
    "idx inside": SimpleNamespace(name="a.gz", good=IDX, check=check_idx_inside),
    "checkpoint": SimpleNamespace(name="checkpoint.npz", good=checkpoint, check=check_checkpoint),
    "outline": SimpleNamespace(name="checkpoint.npz", good=OUTLINE, check=check_outline),
    "npz": SimpleNamespace(name="a.npz", good=NPZ, check=check_npz),
    "csv": SimpleNamespace(name="a.csv", good=CSV, check=check_csv),
    "answers": SimpleNamespace(name="answers.json", good=ANSWERS, check=check_answers),
}


def good_file(parser, folder):
    return parser.good(folder) if callable(parser.good) else parser.good


def read_or_refused(parser, folder, content):
    """True if the content was read, and then as `check` wants it; False if it was refused with ValueError."""
    try:
        parser.check(io_file(folder / parser.name, content))
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", PARSERS)
def test_a_good_file_is_read(tmp_path, name):
    assert read_or_refused(PARSERS[name], tmp_path, good_file(PARSERS[name], tmp_path))


@pytest.mark.parametrize("name", PARSERS)
def test_noise_is_read_as_it_was_written_or_refused(tmp_path_factory, monkeypatch, name):
    monkeypatch.setattr(check, "load", cache(check.load))  # the vectors are not what is fed with noise
    parser, folder = PARSERS[name], tmp_path_factory.mktemp("fuzz")

    @fixed
    @given(noise(good_file(parser, folder)))
    def feed(content):
        read_or_refused(parser, folder, content)

    feed()


@pytest.mark.parametrize("name", ["idx", "checkpoint", "npz", "compressed"])
def test_every_single_byte_counts_where_there_is_a_checksum(tmp_path, name):
    """Each byte of the file flipped in turn, or every so many: what is read all the same is what was written."""
    parser = PARSERS[name]
    good = good_file(parser, tmp_path)
    refused = 0
    for place in range(0, len(good), max(1, len(good) // 400)):
        refused += not read_or_refused(parser, tmp_path, mutated(good, [("flip", place, 255)]))
    assert refused > 100 if len(good) > 400 else refused > len(good) // 3


KEYS = st.sampled_from(["shape", "dtype", "data", "pairs", "items", "x"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
vectors = json_values | st.fixed_dictionaries({
    "shape": st.lists(st.integers(-2, 4), max_size=3) | json_values,
    "dtype": st.sampled_from(["bool", "int64", "float64", "float32"]) | json_values,
    "data": st.lists(st.integers() | st.floats() | st.sampled_from(["inf", "nan", "1"]), max_size=8) | json_values,
})  # fmt: skip


@fixed
@given(vectors)
def test_any_json_is_a_value_of_a_vector_or_refused(value):
    try:
        got = values.decode(value)
    except ValueError:
        return
    if isinstance(got, np.ndarray):
        assert list(got.shape) == value["shape"]
        assert got.dtype == value["dtype"]
        assert [str(float(x)) for x in got.ravel()] == [str(float(x)) for x in value["data"]]
    assert values.matches(got, got) is None or "nan" in str(value).lower()


@fixed
@given(vectors, st.sampled_from([case for own in CASES.values() for case in own]))
def test_any_json_may_be_an_answer_and_is_judged(value, case):
    wrong = asking.written(case, {case.id: value}).wrong
    assert wrong is None or isinstance(wrong, str)


RUNS = dict.fromkeys(PARSERS, 20_000) | {"answers": 2_000}  # a judgement takes a tenth of a second
SCRIPT = Path(__file__).resolve().parent / "helpers" / "fuzz_atheris.py"
MEGABYTES = 2048  # that the fuzzer and a parser may take


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed: pip install atheris")
@pytest.mark.parametrize("name", PARSERS)
def test_a_fuzzer_that_sees_the_branches_finds_nothing_else(tmp_path, name):
    limit = MEGABYTES + (peak_bytes() >> 20)  # a process counts its peak from that of its parent
    done = subprocess.run(
        [sys.executable, SCRIPT, name, tmp_path, f"-atheris_runs={RUNS[name]}", "-seed=1", f"-rss_limit_mb={limit}"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"Done {RUNS[name]} in " in done.stderr, done.stderr[-4000:]
