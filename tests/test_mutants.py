"""The tests notice: every way of method_mutants.py to get a method wrong turns its test red."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from method_mutants import MUTANTS

HOME = Path(__file__).parents[1]
IDS = [f"{mutant.file}: {mutant.breaks}" for mutant in MUTANTS]


@pytest.fixture
def copy(tmp_path):
    """A copy of the package and its tests, to break."""
    for folder in ("minisparse", "tests"):
        shutil.copytree(HOME / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HOME / "pyproject.toml", tmp_path)
    return tmp_path


def outcome(copy, nodes):
    """pytest's exit status and its words: 0 all passed, 1 some failed, others that they did not run."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", "--tb=short"]
    env = os.environ | {"PYTHONPATH": str(copy), "CI": "1"}
    done = subprocess.run(
        command + [f"tests/{node}" for node in nodes], cwd=copy, env=env, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("mutant", MUTANTS, ids=IDS)
def test_the_text_that_a_mutant_replaces_stands_in_the_package_once(mutant):
    found = (HOME / "minisparse" / mutant.file).read_text().count(mutant.text)
    assert found == 1, f"{mutant.file} holds {found} times {mutant.text!r}"


@pytest.mark.slow
def test_every_test_named_here_passes_on_the_package_as_it_is(copy):
    status, said = outcome(copy, sorted({mutant.test for mutant in MUTANTS}))
    assert status == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=IDS)
def test_a_mutant_turns_its_test_red(copy, mutant):
    path = copy / "minisparse" / mutant.file
    source = path.read_text()
    path.write_text(source.replace(mutant.text, mutant.replacement))
    status, said = outcome(copy, [mutant.test])
    assert status == 1, said
    assert "NameError" not in said, said
