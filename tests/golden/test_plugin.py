"""pytest --minisparse-golden: one item for each case, and nothing at all without the option."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_minisparse

RIGHT = "from minisparse import rigl_update, top_k\n"
WRONG = "def rigl_update(weight, mask, dense_grad, n_update):\n    return mask\n"


@pytest.fixture
def run_pytest(vectors, tmp_path):
    """Run pytest in a project of its own, with the hand-written vectors in the place of v1."""
    (tmp_path / "conftest.py").write_text(
        f"import os, pathlib\nif os.environ.get('VECTORS'):\n    from minisparse.golden import cases\n"
        f"    cases.V1 = pathlib.Path({str(vectors)!r})\n"
    )
    (tmp_path / "test_own.py").write_text(
        "import sys\ndef test_own():\n    assert 'minisparse' not in sys.modules or pytest_option\npytest_option = "
        "any('golden' in a for a in sys.argv)\n"
    )

    def run(*arguments, vectors=True):
        own = {"PYTHONPATH": str(Path(pytest_minisparse.__file__).parent)}
        own |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "VECTORS": "1" if vectors else ""}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "pytest_minisparse", "-p", "no:cacheprovider", *arguments],
            cwd=tmp_path,
            env=os.environ | own,
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.long
def test_every_case_is_an_item_and_a_missing_function_a_skipped_one(run_pytest, tmp_path):
    (tmp_path / "mine.py").write_text(RIGHT)
    done = run_pytest("--minisparse-golden", "mine", "-v", "-rs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "golden::mine:rigl_update/active-zero PASSED" in done.stdout
    assert "mine has no cosine" in done.stdout
    assert "7 passed, 1 skipped" in done.stdout


@pytest.mark.long
def test_a_failed_case_says_its_reason(run_pytest, tmp_path):
    (tmp_path / "mine.py").write_text(WRONG)
    done = run_pytest("--minisparse-golden", "mine")
    assert done.returncode == 1
    assert "rigl_update/basic: the two smallest active weights go, the two largest gradients come" in done.stdout
    assert "your answer position 2 is among those to go and is still there" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.long
def test_an_optional_case_that_fails_is_expected_to(run_pytest, tmp_path):
    (tmp_path / "mine.py").write_text("def rigl_update(weight, mask, dense_grad, n_update):\n    return mask[:1]\n")
    assert "1 xfailed" in run_pytest("--minisparse-golden", "mine").stdout


@pytest.mark.long
def test_items_are_chosen_by_name_as_others_are(run_pytest, tmp_path):
    (tmp_path / "mine.py").write_text(RIGHT)
    assert "2 passed, 6 deselected" in run_pytest("--minisparse-golden", "mine", "-k", "top_k").stdout


@pytest.mark.long
def test_ties_and_libraries_are_options_and_a_wrong_one_ends_the_run(run_pytest, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\ndef top_k(score, k):\n    marked = np.zeros(score.size, bool)\n"
        "    marked[np.argsort(score, axis=None)[::-1][:k]] = True\n    return marked.reshape(score.shape)\n"
    )
    assert run_pytest("--minisparse-golden", "mine", "--minisparse-ties", "pinned").returncode == 1
    assert run_pytest("--minisparse-golden", "mine").returncode == 0
    done = run_pytest("--minisparse-golden", "mine", "--minisparse-arrays", "mxnet")
    assert (done.returncode, "--arrays is 'mxnet'" in done.stdout + done.stderr) == (4, True)
    done = run_pytest("--minisparse-golden", "absent")
    assert (done.returncode, "absent cannot be imported" in done.stdout + done.stderr) == (4, True)


@pytest.mark.long
def test_code_that_ends_the_process_fails_its_case_and_what_is_not_supported_is_skipped(run_pytest, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os, minisparse\ndef rigl_update(weight, mask, dense_grad, n_update):\n"
        "    if n_update == 1: os._exit(0)\n    if not n_update: raise NotImplementedError('empty layers')\n"
        "    return minisparse.rigl_update(weight, mask, dense_grad, n_update)\n"
    )
    done = run_pytest("--minisparse-golden", "mine", "-rs", "-k", "rigl_update")
    assert done.returncode == 1
    assert "your answer ends the process (exit status 0)" in done.stdout
    assert "not supported: empty layers" in done.stdout
    assert "1 failed, 2 passed, 1 skipped" in done.stdout


def test_without_the_option_nothing_is_imported_and_nothing_changes(run_pytest):
    done = run_pytest("-v", vectors=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "golden::" not in done.stdout


def test_the_plugin_itself_imports_nothing_but_pytest():
    source = Path(pytest_minisparse.__file__).read_text()
    top = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert top == ["from pathlib import Path", "import pytest"]
