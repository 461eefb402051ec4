"""check_golden.py says what `golden check` says, in Python 3.8 and without NumPy too."""

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from effort import some
from typer.testing import CliRunner

from minisparse.cli import app
from minisparse.golden import bundle, cases, portable
from minisparse.golden.divergences import PROFILES

FOLDER_OF_PYTHONS = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
OLD = next((own for own in map(str, sorted(FOLDER_OF_PYTHONS.glob("3.8.*/bin/python")))), shutil.which("python3.8"))
GUESTS = {
    "right": """
import numpy as np
def first(score, k):
    chosen = np.zeros(score.size, bool)
    chosen[np.argsort(-score, axis=None, kind="stable")[:k]] = True
    return chosen.reshape(score.shape)
def rigl_update(weight, mask, dense_grad, n_update):
    kept = mask & ~first(np.where(mask, -abs(weight), -np.inf), n_update)
    return kept | first(np.where(kept, -np.inf, abs(dense_grad)), n_update)
def cosine(step, alpha, t_end):
    return 0.0 if step >= t_end else alpha / 2 * (1 + np.cos(np.pi * step / t_end))
""",
    "right, the higher index first": """
import numpy as np
def last(score, k):
    chosen = np.zeros(score.size, bool)
    chosen[score.size - 1 - np.argsort(-score.ravel()[::-1], kind="stable")[:k]] = True
    return chosen.reshape(score.shape)
def rigl_update(weight, mask, dense_grad, n_update):
    kept = mask & ~last(np.where(mask, -abs(weight), -np.inf), n_update)
    return kept | last(np.where(kept, -np.inf, abs(dense_grad)), n_update)
""",
    "ranks absent weights": """
import numpy as np
def rigl_update(weight, mask, dense_grad, n_update):
    order = np.argsort(-abs(weight * mask), axis=None, kind="stable")[: int(mask.sum()) - n_update]
    kept = np.isin(np.arange(mask.size), order)
    score = np.where(kept, -np.inf, abs(dense_grad).ravel())
    kept[np.argsort(-score, kind="stable")[:n_update]] = True
    return kept.reshape(mask.shape)
""",
    "a mask of floats, loud, with an option": """
print("hello")
def top_k(score, k):
    print("hello")
    return (score >= sorted(score.ravel().tolist(), reverse=True)[k - 1]).astype(float) if k else score < -1e300
""",
    "changes its inputs": """
def rigl_update(weight, mask, dense_grad, n_update):
    mask[...] = False
    return mask
""",
    "exits": """
import sys
def rigl_update(weight, mask, dense_grad, n_update):
    sys.exit(0)
def rigl_count(step, n_active, alpha, t_end):
    raise NotImplementedError
""",
    "ends the process": """
import os
def rigl_update(weight, mask, dense_grad, n_update):
    os._exit(0) if n_update == 2 else None
    return mask
""",
    "raises": "def cubic(step, begin, end, final, initial=0):\n    return 1 / 0\n",
    "other names": "def rigl_update(w, m, g, k):\n    return m\n",
    "other types": """
def rigl_count(step, n_active, alpha, t_end):
    return "3"
def counts(shapes, densities):
    return {**dict.fromkeys(shapes, 1), "more": 2}
def set_counts(weight, mask, zeta):
    return [1, 2, 3]
def prob_open(log_alpha, beta=2 / 3, gamma=-0.1, zeta=1.1):
    return object()
""",
    "in single precision": """
import numpy as np
def gate_at_test(log_alpha, gamma=-0.1, zeta=1.1):
    return np.clip((zeta - gamma) / (1 + np.exp(-log_alpha)) + gamma, 0, 1).astype("float32")
""",
    "ends on import": "import os\nos._exit(3)\n",
    "cannot be imported": "import nothing_of_this_name\n",
    "has nothing": "",
}
LISTS = """
def ranked(score, among, k):
    return sorted(among, key=lambda i: (-score[i], i))[:k]
def flat(x):
    return [v for row in x for v in flat(row)] if isinstance(x, (list, tuple)) else [x]
def like(x, values):
    return [like(row, values) for row in x] if isinstance(x, (list, tuple)) else next(values)
def rigl_update(weight, mask, dense_grad, n_update):
    w, g = ([abs(v) for v in flat(x)] for x in (weight, dense_grad))
    active = [i for i, on in enumerate(flat(mask)) if on]
    kept = set(active) - set(ranked([-v for v in w], active, n_update))
    new = kept | set(ranked(g, [i for i in range(len(w)) if i not in kept], n_update))
    return like(mask, iter([i in new for i in range(len(w))]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Exported vectors with the checker, and every guest as a module."""
    out = tmp_path_factory.mktemp("exported")
    done = CliRunner().invoke(app, ["golden", "export", str(out), "--checker", "python"])
    assert done.exit_code == 0, done.output
    named = {path.name for path in out.iterdir()}
    assert named == {"cases.json", "expected.json", "profiles.json", "check_golden.py"}
    for number, source in enumerate([*GUESTS.values(), LISTS]):
        (out / f"guest_{number}.py").write_text(source)
    return out


def run(command, folder, **more):
    environment = os.environ | {"PYTHONPATH": "", "NO_COLOR": "1"} | more
    return subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
    )


@pytest.fixture
def package(folder, monkeypatch):
    """`minisparse golden check` with arguments: (exit status, what it prints, its error)."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)

    def check(*arguments):
        done = CliRunner().invoke(app, ["golden", "check", *map(str, arguments)])
        return done.exit_code, done.stdout, str(done.exception)

    return check


def single(folder, *arguments, python=sys.executable):
    """check_golden.py with arguments, as a program."""
    return run([python, "check_golden.py", *arguments], folder)


@pytest.fixture(scope="module")
def called(folder):
    """check_golden.py with arguments, in this process: (exit status, what it prints, its errors)."""
    spec = importlib.util.spec_from_file_location("check_golden", folder / "check_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*arguments):
        out, err = StringIO(), StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(module.checker.guest, "SPAWNED", ())
            patch.setattr(sys, "argv", [str(folder / "check_golden.py"), *map(str, arguments)])
            patch.syspath_prepend(folder)
            patch.chdir(folder)
            status = module.checker.portable.main()
        return status, out.getvalue(), err.getvalue()

    yield call
    for name in [name for name in sys.modules if name.partition(".")[0] == "golden_checker"]:
        del sys.modules[name]


def test_the_file_is_python_3_8():
    source = bundle.checker()
    parts = [own.value for own in ast.walk(ast.parse(source)) if isinstance(own, ast.Constant)]
    embedded = [text for text in parts if isinstance(text, str) and "from __future__ import annotations" in text]
    assert len(embedded) == len(bundle.MODULES)
    known = {*sys.stdlib_module_names} - {"tomllib"}
    for text in [source, *embedded]:
        tree = ast.parse(text, feature_version=(3, 8))
        for node in ast.walk(tree):
            names = [own.name for own in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert {name.partition(".")[0] for name in names} <= known


@pytest.mark.long
@pytest.mark.parametrize("float32", [False, True])
def test_its_cases_are_those_of_the_package(folder, float32):
    theirs = portable.cases(folder, float32)
    ours = cases.load()
    assert list(theirs) == list(ours)
    for name, own in ours.items():
        for a, b in zip(theirs[name], own, strict=True):
            b = b.in_float32() if float32 else b
            for field in ("id", "function", "reason", "inputs", "expected", "pin", "optional", "rtol", "atol"):
                assert getattr(a, field) == getattr(b, field)
            assert list(a.inputs) == list(b.inputs)
            assert list(a.may_lack) == list(b.may_lack)
            for profile in PROFILES:
                assert a.answers(profile) == b.answers(profile)


OPTIONS = [[], ["--ties", "pinned"], ["--profile", "rigl-torch"], ["--float32"]]


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "options"),
    some([(number, []) for number in range(len(GUESTS))] + [(n, how) for n in (1, 2, 10) for how in OPTIONS[1:]]),
    ids=str,
)
def test_it_says_what_the_package_says(package, called, number, options):
    arguments = [f"guest_{number}", *options]
    status, printed, error = package(*arguments)
    returned, out, err = called(*arguments)
    assert out == printed
    assert (returned == 0) == (status == 0)
    if not printed:
        assert status != 0
        assert err.strip().splitlines()[-1].startswith("check_golden: ")
        if error not in ("1", "SystemExit(1)"):
            assert err.strip().endswith(error)


@pytest.mark.long
@pytest.mark.parametrize("name", ["right", "ends the process", "cannot be imported"])
def test_as_a_program_it_says_the_same(folder, called, name):
    guest = f"guest_{list(GUESTS).index(name)}"
    done, (status, printed, error) = single(folder, guest), called(guest)
    assert (done.returncode, done.stdout) == (status, printed)
    assert error in done.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    "what",
    some([["rigl_update", "guest_0:rigl_update"], ["guest_0", "--function", "cosine"], ["top_k", "guest_3:top_k"],
          ["rigl_updat", "guest_0:rigl_update"], ["rigl_update", "guest_0:nothing"], ["rigl_update", "guest_0"]], 2),
    ids=" ".join,
)  # fmt: skip
def test_it_takes_functions_as_the_package_does(package, called, what):
    status, printed, error = package(*what)
    returned, out, err = called(*what)
    assert (returned == 0, out) == (status == 0, printed)
    if not printed:
        assert err.startswith(f"check_golden: {error[:30]}")
    else:
        verdict = json.loads(package(*what, "--json")[1])
        assert json.loads(called(*what, "--json")[1]) == verdict


@pytest.mark.long
def test_it_reads_answers_of_a_folder(folder, package, tmp_path):
    answers = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["answers"]
    answers["top_k/largest"] = {"error": "ValueError: no"}
    answers["cosine/start"] = {"shape": [1], "dtype": "bool", "data": [1]}
    del answers["cosine/end"]
    (tmp_path / "answers.json").write_text(json.dumps({"version": 1, "answers": answers}))
    status, printed, _ = package(tmp_path)
    done = single(folder, tmp_path)
    assert (done.returncode, done.stdout) == (status, printed)
    assert "top_k/largest" in printed
    (tmp_path / "answers.json").write_text('{"version": 1, "answers": {"nothing": 1}}')
    assert "answers 'nothing', which is not a case" in single(folder, tmp_path).stderr


@pytest.mark.long
@pytest.mark.parametrize("python", [sys.executable, OLD], ids=["this Python", "Python 3.8"])
def test_nested_lists_will_do(folder, package, python):
    if python is None:
        pytest.skip("Python 3.8 is not here")
    guest = f"guest_{len(GUESTS)}"
    done = single(folder, "rigl_update", f"{guest}:rigl_update", "--arrays", "lists", python=python)
    assert (done.returncode, done.stdout) == package("rigl_update", "guest_0:rigl_update")[:2], done.stderr


@pytest.mark.long
def test_without_numpy_lists_are_what_code_gets(folder):
    if OLD is None or run([OLD, "-c", "import numpy"], folder).returncode == 0:
        pytest.skip("no Python without NumPy is here")
    guest = f"guest_{len(GUESTS)}:rigl_update"
    assert single(folder, "rigl_update", guest, python=OLD).returncode == 0
    asked = single(folder, "rigl_update", guest, "--arrays", "numpy", python=OLD)
    assert (asked.returncode, asked.stderr) == (2, "check_golden: --arrays numpy needs numpy, which is not installed\n")
