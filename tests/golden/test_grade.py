"""A class is graded: right, wrong and broken answers, and students whose code would rather not be graded."""

import csv
import json
import os
from pathlib import Path

import pytest
from effort import IN_CI, some
from typer.testing import CliRunner

from minisparse.cli import app
from minisparse.golden import cases, handed_in, tamper
from minisparse.golden.grade import clean, graded

RIGHT = """
import numpy as np

def top_k(score, k, among=None):
    order = np.argsort(-score.ravel(), kind="stable")
    if among is not None:
        order = order[among.ravel()[order]]
    chosen = np.zeros(score.size, dtype=bool)
    chosen[order[:k]] = True
    return chosen.reshape(score.shape)

def rigl_update(weight, mask, dense_grad, n_update):
    kept = mask & ~top_k(-abs(weight), n_update, mask)
    return kept | top_k(abs(dense_grad), n_update, ~kept)
"""
WRONG = RIGHT.replace("n_update, mask)", "n_update)")
ASKED = {name: sum(not case.optional for case in cases.load()[name]) for name in ("rigl_update", "top_k")}
UPDATES, TOPS = ASKED.values()
ALL_RIGHT = f"{UPDATES + TOPS} of {UPDATES + TOPS}"
PATIENT = 10.0 if IN_CI else 2.0  # seconds in which right code answers, on a busy machine too
needs_posix = pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals are POSIX's")


def top_k(body):
    """A module whose top_k has this body, beside a right rigl_update."""
    return RIGHT.replace("def top_k", "def right_top_k").replace("top_k(-", "right_top_k(-").replace(
        "top_k(abs", "right_top_k(abs"
    ) + f"\nimport os, pathlib, signal, sys, time\n\ndef top_k(score, k, among=None):\n    {body}\n"  # fmt: skip


@pytest.fixture
def hand_in(tmp_path):
    """Write students' files and grade them: {student: grade}. Names without an ending are modules."""

    def grades(functions=(), seconds=20.0, **sources):
        folder = tmp_path / "class"
        folder.mkdir(exist_ok=True)
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(source, encoding="utf-8")
        return {grade.student: grade for grade in graded(handed_in.found(folder), functions, seconds)}

    grades.folder = tmp_path / "class"
    return grades


@pytest.mark.long
def test_right_wrong_and_broken_answers(hand_in):
    grades = hand_in(ada=RIGHT, ben=WRONG, cyd="def top_k(:", dan="x = 1 / 0", eve="x = 1")
    assert (grades["ada"].passes, grades["ada"].right, grades["ada"].asked) == (True, UPDATES + TOPS, UPDATES + TOPS)
    assert grades["ada"].functions == {"rigl_update": (UPDATES, UPDATES), "top_k": (TOPS, TOPS)}
    assert grades["ada"].lines() == [ALL_RIGHT]
    ben = grades["ben"]
    assert not ben.passes
    assert ben.functions["top_k"] == (TOPS, TOPS)
    assert ben.functions["rigl_update"][0] < UPDATES
    assert len(ben.failures) == ben.asked - ben.right
    assert "rigl_update/basic" in {case for case, _, _ in ben.failures}
    assert "SyntaxError" in grades["cyd"].verdict
    assert "it cannot be imported: ZeroDivisionError" in grades["dan"].verdict
    assert grades["eve"].verdict == "no verdict: it has none of the functions"
    assert not any(grades[name].passes for name in ("cyd", "dan", "eve"))


def test_ties_are_legal(hand_in):
    higher_first = RIGHT.replace(
        'order = np.argsort(-score.ravel(), kind="stable")',
        'order = score.size - 1 - np.argsort(-score.ravel()[::-1], kind="stable")',
    )
    grade = hand_in(ada=higher_first)["ada"]
    assert grade.passes
    assert "breaks ties otherwise: legal" in grade.verdict


@pytest.mark.long
def test_asked_functions_that_are_missing_or_stubs_are_named(hand_in):
    stub = RIGHT.partition("def rigl_update")[0] + "def rigl_update(weight, mask, dense_grad, n_update):\n" \
        "    raise NotImplementedError('call your rigl_update here')\n"  # fmt: skip
    grades = hand_in(["top_k", "rigl_update"], ada=RIGHT, ben=RIGHT.partition("def rigl_update")[0], cyd=stub)
    assert [grades[name].missing for name in ("ada", "ben", "cyd")] == [[], ["rigl_update"], ["rigl_update"]]
    assert [grades[name].passes for name in ("ada", "ben", "cyd")] == [True, False, False]
    assert grades["ben"].right == grades["cyd"].asked == TOPS
    assert hand_in(cyd=stub)["cyd"].passes, "a stub that nobody asked for is not counted"
    with pytest.raises(ValueError, match="did you mean top_k"):
        hand_in(["topk"])


MISBEHAVING = [
    ("sys.exit(3)", "ends by sys.exit(3)"),
    ("os._exit(4)", "ends the process (exit status 4)"),
    ("raise KeyboardInterrupt", "ends the process (exit status 1)"),
    ("raise RuntimeError('no')", "it never answers; it raises RuntimeError: no"),
    ("return input()", "raises"),
    ("return f'{2:{10 ** 6}}'", "the answer"),
    ("raise ValueError('y' * 10**6)", "yyy…"),
    ("for _ in range(3): print('x' * 10**6)\n    os.write(1, b'x' * 10**6)\n    return None", "the answer"),
    ("score[...] = 0", "changes its input in place: score"),
    *([("os.kill(os.getpid(), 9)", "ends the process (signal 9)")] if hasattr(os, "killpg") else []),
]


@pytest.mark.long
def test_a_function_that_misbehaves_costs_itself_alone(hand_in, capfd):
    misbehaving = some(MISBEHAVING, every=3)
    bad = {f"bad{i}": top_k(body) for i, (body, _) in enumerate(misbehaving)}
    grades = hand_in(ada=RIGHT, **bad, zoe=RIGHT)
    assert list(grades) == ["ada", *bad, "zoe"]
    assert grades["ada"].passes
    assert grades["zoe"].passes
    for name, (body, said) in zip(bad, misbehaving, strict=True):
        assert grades[name].functions == {"rigl_update": (UPDATES, UPDATES), "top_k": (0, TOPS)}, body
        assert said in grades[name].verdict, body
        assert len(grades[name].verdict) < 3000, body
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
@needs_posix
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("while True: pass", marks=pytest.mark.slow),  # as of the earlier function, below
        pytest.param("time.sleep(1000)", marks=pytest.mark.slow),
        pytest.param("os.kill(os.getpid(), signal.SIGSTOP)", marks=pytest.mark.slow),
        "os.setsid()\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    while True: time.sleep(1)",
    ],
)
def test_a_function_that_never_ends_takes_half_of_the_time_left(hand_in, body):
    started, seconds = os.times().elapsed, 2 * PATIENT
    grade = hand_in(seconds=seconds, bad=top_k(body))["bad"]
    assert os.times().elapsed - started < seconds + 5 + PATIENT
    assert grade.functions == {"rigl_update": (UPDATES, UPDATES), "top_k": (0, TOPS)}
    assert f"top_k: 0 of {TOPS}: it does not answer in time (case top_k/" in grade.verdict


@pytest.mark.long
def test_a_later_function_is_asked_though_an_earlier_one_never_ends(hand_in):
    loops = (
        RIGHT.partition("def rigl_update")[0]
        + "def rigl_update(weight, mask, dense_grad, n_update):\n    while 1: pass\n"
    )
    grade = hand_in(seconds=2 * PATIENT, bad=loops)["bad"]
    assert grade.functions == {"rigl_update": (0, UPDATES), "top_k": (TOPS, TOPS)}


@pytest.mark.long
@needs_posix
@pytest.mark.parametrize(
    ("source", "seconds", "said"),
    some([
        ("while True: pass", 1.0, "it is not imported in time"),
        ("import sys; sys.exit(3)", 20.0, "it ends by sys.exit(3) when it is imported"),
        ("import os; os._exit(3)", 20.0, "it ends the process when it is imported (exit status 3)"),
        ("import os; os.kill(os.getppid(), 9)", 20.0, "it ends the process that judges it"),
        ("import os; os.kill(os.getppid(), 19)", PATIENT, "it does not end in time"),
    ], every=3),
)  # fmt: skip
def test_a_module_that_ends_or_loops_on_import_stops_nobody(hand_in, monkeypatch, source, seconds, said):
    monkeypatch.setattr("minisparse.golden.grade.GRACE", 1.0)
    grades = hand_in(seconds=seconds, bad=source, zoe=RIGHT)
    assert list(grades) == ["bad", "zoe"]
    assert said in grades["bad"].verdict
    (hand_in.folder / "bad.py").unlink()  # zoe's time is no shorter than others', and nobody waits for `bad` again
    assert hand_in(zoe=RIGHT)["zoe"].passes


@pytest.mark.long
def test_replaced_functions_of_libraries_are_named_and_help_nobody(hand_in):
    source = (
        WRONG
        + """
import builtins
import minisparse.golden.verdict, minisparse.schedule
minisparse.golden.verdict.judged = lambda *a, **k: True
np.array_equal = lambda *a: True
minisparse.schedule.step_rate.__code__ = (lambda rate, period, factor: rate).__code__
builtins.abs = abs
builtins.sorted = lambda *a, **k: []
del np.argpartition
"""
    )
    grades = hand_in(bad=source, zoe=RIGHT)
    assert sorted(grades["bad"].tampers) == [
        "replaces builtins.sorted", "replaces minisparse.golden.verdict.judged",
        "replaces minisparse.schedule.step_rate",
        "replaces numpy.argpartition", "replaces numpy.array_equal",
    ]  # fmt: skip
    assert grades["bad"].functions["rigl_update"][0] < UPDATES
    assert grades["zoe"].passes
    late = top_k("np.add = None") + "\n"
    assert hand_in(bad=late)["bad"].tampers == ["replaces numpy.add"]
    right = RIGHT + "\nnp.sort = lambda *a: 0\n"
    assert not hand_in(bad=right)["bad"].passes, "right answers do not make up for it"


@pytest.mark.long
def test_files_of_others_are_put_back(hand_in):
    folder = hand_in.folder
    folder.mkdir()
    (folder / "fay").mkdir()
    (folder / "fay" / "fay.py").write_text(RIGHT)
    (folder / "fay" / "data.txt").write_text("kept")
    bad = (
        RIGHT
        + f"""
import pathlib, shutil
folder = pathlib.Path({str(folder)!r})
(folder / "ada.py").unlink()
(folder / "zoe.py").write_text("def top_k(): pass")
shutil.rmtree(folder / "fay")
for file in pathlib.Path(__file__).parent.iterdir():
    file.unlink()
"""
    )
    grades = hand_in(ada=RIGHT, bad=bad, zoe=RIGHT)
    assert sorted(grades["bad"].tampers) == [
        "changes zoe.py, which is put back", "removes ada.py, which is put back", "removes data.txt, which is put back",
        "removes fay.py, which is put back",
    ]  # fmt: skip
    assert not grades["bad"].passes
    assert all(grades[name].passes for name in ("ada", "fay", "zoe"))
    assert (folder / "ada.py").read_text() == (folder / "zoe.py").read_text() == RIGHT
    assert (folder / "fay" / "data.txt").read_text() == "kept"
    assert (folder / "zoe.py.changed").read_text() == "def top_k(): pass", "nothing that was there is lost"


@pytest.mark.long
def test_what_is_imported_from_this_package_is_no_answer_beside_others_and_is_named_alone(hand_in):
    helper = "from minisparse.masks import top_k\n" + RIGHT.partition("def top_k")[0] + "def rigl_update" \
        + RIGHT.partition("def rigl_update")[2]  # fmt: skip
    grades = hand_in(ada=helper, ben="from minisparse import rigl_update")
    assert list(grades["ada"].functions) == ["rigl_update"]
    assert grades["ben"].right == UPDATES
    assert not grades["ben"].passes
    assert grades["ben"].remarks == ["rigl_update is minisparse's, imported"]


def test_optional_cases_are_not_asked(hand_in):
    no_infinity = RIGHT.replace("def top_k(score, k, among=None):", """def top_k(score, k, among=None):
    if np.isinf(score).any():
        raise ValueError("infinite")""")  # fmt: skip
    assert hand_in(ada=no_infinity)["ada"].lines() == [ALL_RIGHT]


def notebook(path, *sources, **content):
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in sources]
    path.write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells} | content), encoding="utf-8")


@pytest.mark.long
def test_notebooks_and_folders_are_hand_ins(hand_in):
    folder = hand_in.folder
    for name in ("pkg", "own", "nb", "two", "empty", "_cache", ".hidden"):
        (folder / name).mkdir(parents=True)
    notebook(
        folder / "ada.ipynb",
        ["%matplotlib inline\n", "import numpy as np\n", "!ls\n"], "%%html\n<b>", "1 / 0", "def x(:",
        RIGHT.replace("def top_k", "def mine").replace("top_k(-", "mine(-").replace("top_k(abs", "mine(abs"),
        "from minisparse.notebook import check\ndisplay(get_ipython())\ncheck('top_k', mine)",
    )  # fmt: skip
    (folder / "pkg" / "__init__.py").write_text("from .inside import rigl_update")
    (folder / "pkg" / "inside.py").write_text(RIGHT)
    (folder / "own" / "own.py").write_text(
        "import pathlib, helper\nfrom helper import *\npathlib.Path('d.txt').read_text()"
    )
    (folder / "own" / "helper.py").write_text(RIGHT)
    (folder / "own" / "d.txt").write_text("data")
    notebook(folder / "nb" / "any.ipynb", RIGHT)
    for name in "ab":
        (folder / "two" / f"{name}.py").write_text(RIGHT)
    (folder / "notes.txt").write_text("no hand-in")
    notebook(folder / "old.ipynb", RIGHT, nbformat=3)
    (folder / "bad.ipynb").write_text('{"cells": 3')
    (folder / "list.ipynb").write_text("[]")
    notebook(folder / "twice.ipynb", RIGHT)
    grades = hand_in(twice=RIGHT, numpy=RIGHT, json=RIGHT, **{"12 <b>[red]": RIGHT})
    assert set(grades) == {
        "ada", "pkg", "own", "nb", "two", "empty", "old", "bad", "list", "twice", "numpy", "json", "12 <b>[red]",
    }  # fmt: skip
    assert grades["ada"].passes
    assert grades["ada"].right == UPDATES + TOPS
    assert [line.partition(":")[0] for line in grades["ada"].remarks] == [
        "cell 3 raises ZeroDivisionError", "cell 4 raises SyntaxError",
    ]  # fmt: skip
    assert all(grades[name].passes for name in ("pkg", "own", "nb", "numpy", "json", "12 <b>[red]"))
    assert "two holds a.py, b.py; expected two.py, __init__.py or one file alone" in grades["two"].verdict
    assert "empty holds no .py or .ipynb" in grades["empty"].verdict
    assert "old.ipynb is not a notebook that can be read: it has nbformat 3; expected 4" in grades["old"].verdict
    assert "bad.ipynb is not a notebook that can be read" in grades["bad"].verdict
    assert "list.ipynb is not a notebook that can be read" in grades["list"].verdict
    assert "handed in more than once: twice.ipynb, twice.py; expected one" in grades["twice"].verdict


@pytest.mark.long
@pytest.mark.usefixtures("starts")
def test_a_started_interpreter_grades_as_a_fork_does(hand_in):
    assert hand_in(ada=RIGHT)["ada"].passes


def invoke(*arguments):
    return CliRunner().invoke(app, ["grade", *map(str, arguments)])


@pytest.fixture
def students(tmp_path, monkeypatch):
    monkeypatch.setattr("minisparse.cli.tables.console.width", 160, raising=False)
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "ada.py").write_text(RIGHT)
    (folder / "<b>[red]=.py").write_text(WRONG)
    (folder / "=1+1.py").write_text("raise ValueError('<script>[bold]\\x1b[31m')")
    return folder


@pytest.mark.long
def test_the_exercises_of_the_courses_notebooks_are_graded_too(tmp_path):
    (tmp_path / "class").mkdir()
    right = "import math\ndef my_count(step, n_active, alpha, t_end):\n"
    right += "    return math.floor(alpha * max(0, 1 - step / t_end) ** 3 * n_active)\n"
    for name, source in {"ada": right, "ben": right.replace("** 3", "** 2")}.items():
        notebook(tmp_path / "class" / f"{name}.ipynb", source, "from minisparse.notebook import check",
                 "check('cubic_count', my_count)")  # fmt: skip
    done = invoke(tmp_path / "class")
    assert "passes; 6 of 6" in done.stdout
    ben = next(line for line in done.stdout.splitlines() if line.startswith("ben"))
    assert "passes" not in ben
    assert "cubic_count" in invoke(tmp_path / "class", "--function", "cubic_count", "--json").stdout


@pytest.mark.long
def test_the_command_prints_a_table_and_writes_csv_and_a_page(students, tmp_path):
    done = invoke(students, "--out", tmp_path / "grades")
    assert done.exit_code == 0, done.output
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert f"passes; {ALL_RIGHT}" in rows["ada"]
    assert "no verdict: it cannot be imported: ValueError: <script>[bold]�[31m" in rows["=1+1"]
    assert "<b>[red]=" in rows
    with (tmp_path / "grades" / "grades.csv").open(encoding="utf-8", newline="") as file:
        table = {row["student"]: row for row in csv.DictReader(file)}
    assert set(table) == {"ada", "<b>[red]=", "'=1+1"}, "a spreadsheet computes no name"
    assert (table["ada"]["passes"], table["ada"]["right"], table["ada"]["top_k"]) == ("yes", str(UPDATES + TOPS), "1.0")
    assert (table["'=1+1"]["passes"], table["'=1+1"]["top_k"]) == ("no", "")
    page = (tmp_path / "grades" / "grades.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;[red]=" in page
    assert "&lt;script&gt;[bold]" in page
    assert "<script" not in page
    assert "<b>" not in page
    assert "http" not in page, "nothing is fetched"
    assert "rigl_update/basic" in page


@pytest.mark.long
def test_nothing_is_overwritten_without_force(students, tmp_path):
    (tmp_path / "grades.csv").write_text("mine")
    refused = invoke(students, "--out", tmp_path)
    assert "grades.csv exists" in str(refused.exception)
    assert (tmp_path / "grades.csv").read_text() == "mine"
    assert not (tmp_path / "grades.html").exists()
    assert invoke(students, "--out", tmp_path, "--force", "--quiet").stdout == ""
    assert (tmp_path / "grades.csv").read_text().startswith("student,")


@pytest.mark.long
def test_json_is_all_that_is_printed(students, tmp_path):
    done = invoke(students, "--json", "--out", students / "grades", "--function", "top_k")
    told = json.loads(done.stdout)
    ada = next(own for own in told["students"] if own["student"] == "ada")
    assert (ada["passes"], ada["functions"]) == (True, {"top_k": [TOPS, TOPS]})
    again = json.loads(invoke(students, "--json", "--out", students / "grades", "--force").stdout)
    assert len(again["students"]) == 3, "the folder of grades is no student"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nowhere"], "is not a folder"),
        (["."], "has no hand-in"),
        (["CLASS", "--seconds", "0"], "--seconds is 0; expected more than 0"),
        (["CLASS", "--seconds", "nan"], "--seconds is nan; expected more than 0"),
        (["CLASS", "--function", "topk"], "did you mean top_k"),
        (["CLASS", "--arrays", "mxnet"], "--arrays is 'mxnet'"),
    ],
)
def test_a_bad_request_is_one_sentence(students, tmp_path, monkeypatch, options, said):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    done = invoke(*(str(students) if option == "CLASS" else option for option in options))
    assert isinstance(done.exception, ValueError)
    assert said in str(done.exception)


def test_files_that_nobody_changed_are_left_alone(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("1")
    kept = tamper.Kept([path, tmp_path / "absent.py"])
    before = path.stat().st_ino
    os.utime(path, (0, 0))
    assert kept.put_back() == []
    assert path.stat().st_ino == before
    path.unlink()
    assert kept.put_back() == ["removes a.py, which is put back"]
    assert kept.put_back() == []


def test_words_of_students_are_cut_and_cleaned():
    assert clean("a\x1b[0m\nb\udcff") == "a�[0m b�"
    assert len(clean("x" * 10**6)) < 200
    assert len(clean("x " * 10**6)) < 2100


def test_the_hand_ins_are_sorted_by_name(tmp_path):
    for name in ("zoe.py", "ada.ipynb", "_skip.py", ".skip.py"):
        (tmp_path / name).write_text("")
    assert [(own.student, own.paths) for own in handed_in.found(Path(tmp_path))] == [
        ("ada", (tmp_path / "ada.ipynb",)), ("zoe", (tmp_path / "zoe.py",)),
    ]  # fmt: skip
