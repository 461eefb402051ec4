"""The backends that every numeric test runs on, and read-only arrays to run it with."""

import gc
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the workers of pytest-xdist share the cores already

import numpy as np
import pytest
import strict
from effort import IN_CI, examples
from hypothesis import HealthCheck, settings

from minisparse import loops

USUAL = "not slow and not gpu"  # the marks in pyproject.toml
settings.register_profile(
    "here", max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if IN_CI else "here")


def _cupy():
    try:
        import cupy

        cupy.zeros(1).sum()
        return cupy
    except Exception:
        return None


def pytest_configure(config):
    """`pytest` leaves what takes seconds to .ci/run; `pytest PATH` has it, and so has any -m of one's own."""
    own = config.getoption("markexpr") != USUAL or config.args_source is not config.ArgsSource.TESTPATHS
    if not (IN_CI or own):
        config.option.markexpr += " and not long"


@pytest.fixture(params=["Python", "Numba", "without"])
def how(request, monkeypatch):
    """Who computes: the loops, however small the arrays, as Python runs them or as Numba compiles them; or NumPy."""
    made = {
        "Python": loops.Loops(*(getattr(loops, name) for name in loops.Loops._fields)),
        "Numba": loops._compiled(),
        "without": None,
    }[request.param]
    if request.param == "Numba" and made is None:
        pytest.skip("Numba is not installed")
    monkeypatch.setattr(loops, "_compiled", lambda: made)
    monkeypatch.setattr(loops, "MANY", -1)
    return request.param


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """The thousands of tests stay to the end: Python's collector, which takes seconds for them, leaves them alone."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_xdist_make_scheduler(config, log):
    """A file goes to one worker as a whole; of a few tests that take long each goes to whoever is free, at last."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            alone = any(name in nodeid for name in ("test_interrupted.py", "test_notebooks.py"))
            return nodeid if alone else super()._split_scope(nodeid)

    return Scheduling(config, log)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("numpy", id="numpy"),
        pytest.param("strict", id="strict"),
        pytest.param("cupy", id="cupy", marks=pytest.mark.gpu),
    ],
)
def xp(request):
    """An array library: NumPy, the strict double of CuPy, and, with `pytest -m gpu`, CuPy itself."""
    if request.param == "cupy":
        cupy = _cupy()
        return cupy or pytest.skip("CuPy with a device is not here")
    return {"numpy": np, "strict": strict}[request.param]


@pytest.fixture(autouse=True)
def a_console_that_speaks():
    """Commands run in this process one after another: --quiet and --json are for one of them."""
    yield
    if tables := sys.modules.get("minisparse.cli.tables"):
        tables.hush(quiet=False)
