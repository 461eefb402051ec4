import os
import platform
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
import strict
from arrays import back, give

from minisparse import backend
from minisparse.backend import cache_bytes, namespace, to_device, to_numpy
from minisparse.masks import Masks
from minisparse.sparse import FactoredGradient, SparseWeight
from minisparse.sparse.positions import Positions


class Pair(NamedTuple):
    first: object
    second: object


def test_an_array_says_which_library_it_is_of(xp):
    assert namespace(xp.zeros((2, 3))) is xp
    assert namespace(xp.zeros(3).sum() if xp is not np else np.zeros(())) is xp


@pytest.mark.parametrize("number", [1, 2.5, True, np.float32(1), np.int8(1), np.True_])
def test_numbers_belong_to_numpy(number):
    assert namespace(number) is np


@pytest.mark.parametrize("value", [[1.0], (1.0,), "1", None, {"a": 1}, range(3)])
def test_what_is_not_an_array_is_refused_by_the_name_of_its_type(value):
    with pytest.raises(TypeError, match=rf"builtins\.{type(value).__name__}; expected a NumPy or CuPy array"):
        namespace(value)


def test_to_numpy_reaches_every_array_of_a_tree_and_keeps_its_form(xp):
    a = xp.arange(3)
    tree = {"d": {"w": a}, "l": [a, (a, None)], "p": Pair(a, 0.5), "m": Masks({"w": a < 1}), "s": "text", "n": 7}
    got = to_numpy(tree)
    assert list(got) == list(tree)
    assert type(got["l"]) is list
    assert type(got["l"][1]) is tuple
    assert type(got["p"]) is Pair
    assert type(got["m"]) is Masks
    assert (got["p"].second, got["s"], got["n"], got["l"][1][1]) == (0.5, "text", 7, None)
    for leaf in (got["d"]["w"], got["l"][0], got["l"][1][0], got["p"].first):
        assert type(leaf) is np.ndarray
        assert leaf.tolist() == [0, 1, 2]
    assert type(got["m"]["w"]) is np.ndarray
    assert got["m"]["w"].tolist() == [True, False, False]


def test_to_numpy_brings_home_an_array_without_axes(xp):
    got = to_numpy({"loss": xp.asarray(3.0)})["loss"]
    assert isinstance(got, np.ndarray | np.generic)
    assert got == 3


def test_to_numpy_leaves_arrays_that_are_there_already():
    a = np.arange(3)
    assert to_numpy([a])[0] is a


def test_the_cpu_device_is_numpy(xp):
    assert type(to_device({"a": xp.ones(2)}, "cpu")["a"]) is np.ndarray


def test_the_cuda_device_is_cupy_and_back_again_is_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", strict)
    tree = {"w": np.arange(6.0).reshape(2, 3), "m": Masks({"w": np.eye(2, 3, dtype=bool)}), "step": 4}
    there = to_device(tree, "cuda")
    assert namespace(there["w"]) is strict
    assert namespace(there["m"]["w"]) is strict
    home = to_numpy(there)
    assert home["w"].tolist() == tree["w"].tolist()
    assert home["m"]["w"].tolist() == tree["m"]["w"].tolist()
    assert home["step"] == 4


def test_what_is_truly_sparse_is_on_the_device_as_it_was_here(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", strict)
    mask, rng = Positions(np.array([0, 2, 5]), (2, 3)), np.random.default_rng(0)
    factors = FactoredGradient(rng.standard_normal((4, 2)), rng.standard_normal((4, 3)), -0.5)
    for own in (mask, SparseWeight(np.arange(3.0), mask), factors, abs(factors)):
        there = to_device({"own": own}, "cuda")["own"]
        assert namespace(there) is namespace(there.dense()) is strict
        assert there.dense().get().tolist() == to_numpy(there).dense().tolist() == own.dense().tolist()


def test_another_device_is_refused_with_the_two_there_are():
    with pytest.raises(ValueError, match="device is 'tpu'; expected 'cpu' or 'cuda'"):
        to_device({}, "tpu")


def test_cuda_without_cupy_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ValueError, match=r"'cuda' needs CuPy: pip install 'minisparse\[gpu\]'"):
        to_device({"a": np.ones(2)}, "cuda")


def test_give_and_back_are_inverse(xp):
    assert back(give(xp, np.arange(3))).tolist() == [0, 1, 2]


@pytest.mark.skipif(sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_freed_memory_is_kept_and_not_faulted_in_again():
    code = """
import resource, numpy as np
from minisparse.backend import keep_freed_memory
keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    np.ones(2_000_000)
before = faults()
for _ in range(20):
    np.ones(2_000_000)
print(faults() - before)
"""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    child = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert int(child.stdout) < 200, "16 MB are 4,000 pages, twenty times over"


@pytest.mark.parametrize(("said", "size"), [("2048K\n", 2 << 20), ("512K", 1 << 19), ("", 0), ("2M", 0), (None, 0)])
def test_the_cache_is_as_large_as_the_system_says_or_unknown(monkeypatch, tmp_path, said, size):
    monkeypatch.setattr(backend, "CACHE", tmp_path / "size")
    if said is not None:
        backend.CACHE.write_text(said)
    assert cache_bytes() == size
