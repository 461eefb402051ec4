"""`minisparse reproduce` and `report`, as a person meets them, on a study that adds numbers."""

import os
import signal
import subprocess
import sys
import time

import pytest
from command_line import HEARS_CTRL_C, said
from rich.progress import Progress

from minisparse.cli import papers, tables
from minisparse.experiments import all as every
from minisparse.experiments.studies import Row, Run, Study, each


def add(data_dir, seed):
    yield 0.5
    yield {"error": 1.5 + seed / 10}


def stopped(data_dir, seed):
    yield 0.5
    if seed:
        raise KeyboardInterrupt
    yield {"error": 1.5}


def study(name="adding", function=add):
    row = Row(f"{name}/error", "its error", 1.6, "%", 0.2, "A 2020, table 1", each("error"))
    runs = lambda seeds: [Run(f"s{seed}", seed, function, {"seed": seed}) for seed in range(seeds)]
    return Study(name, "A 2020", "It adds.", 12, 3, runs, (row,), lambda finished, directory, data_dir: [])


@pytest.fixture(autouse=True)
def studies(monkeypatch):
    monkeypatch.setattr(tables.console, "width", 160)
    nothing = study("computed")._replace(runs=lambda seeds: [], rows=())
    monkeypatch.setattr(every, "STUDIES", (study(), study("stopping", stopped), nothing))


def test_the_list_says_how_far_every_study_is(tmp_path):
    said("reproduce", "adding", "--seeds", 2, "--jobs", 1, "--out", tmp_path)
    words = said("reproduce", "--list", "--out", tmp_path)
    assert "adding" in words
    assert "2 of 3" in words
    assert "0 of 3" in words
    assert "12" in words
    assert "computed" not in words.partition("`minisparse report`")[0]


def test_names_are_whole_in_a_narrow_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr(tables.console, "width", 60)
    long = study("a-study-of-a-long-name")._replace(paper="Truly sparse storage, after A 2018 and B et al. 2021")
    monkeypatch.setattr(every, "STUDIES", (study(), long))
    words = said("reproduce", "--list", "--out", tmp_path)
    assert "adding" in words
    assert "a-study-of-a-long-name" in words


def test_reproduce_says_where_results_are_and_what_came_out_and_repeats_nothing(tmp_path):
    words = said("reproduce", "adding", "--jobs", 1, "--out", tmp_path)
    assert str((tmp_path / "adding").resolve()) in words
    assert "1.60 ± 0.10 % (3 seeds)" in words
    assert "reached" in words
    files = sorted((tmp_path / "adding").iterdir())
    assert [path.name for path in files] == ["s0.json", "s1.json", "s2.json"]
    before = [path.stat().st_mtime_ns for path in files]
    said("reproduce", "adding", "--jobs", 1, "--resume", "--out", tmp_path)
    assert [path.stat().st_mtime_ns for path in files] == before


@pytest.mark.parametrize("name", [["learning"], []])
def test_a_study_that_is_not_there_is_refused_with_those_that_are(tmp_path, name):
    with pytest.raises(ValueError, match=r"expected all, adding, stopping$"):
        said("reproduce", *name, "--out", tmp_path)


def test_an_interruption_says_how_to_go_on_and_keeps_what_is_finished(tmp_path):
    words = said("reproduce", "all", "--jobs", 1, "--out", tmp_path, status=130)
    assert f"Stopped. Finished runs are kept; continue with: minisparse reproduce all --out {tmp_path}" in words
    assert sorted(path.name for path in tmp_path.rglob("*.json")) == ["s0.json", "s0.json", "s1.json", "s2.json"]


def test_the_report_is_written_beside_the_results(tmp_path):
    said("reproduce", "adding", "--seeds", 1, "--jobs", 1, "--out", tmp_path)
    assert str((tmp_path / "README.md").resolve()) in said("report", "--out", tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "1.50 % (1 seed)" in text
    assert "not attempted: about 12 min a seed" in text


def test_runs_in_work_have_bars_that_follow_their_files_and_go_with_them(tmp_path, monkeypatch):
    monkeypatch.setattr(papers, "WATCH_SECONDS", 0.005)
    progress = Progress(console=tables.console, disable=True)
    seen = lambda: {task.description: task.completed for task in progress.tasks}

    def soon(wanted):
        limit = time.monotonic() + 10
        while seen() != wanted and time.monotonic() < limit:
            time.sleep(0.005)
        assert seen() == wanted

    with papers._watching(tmp_path, progress):
        (tmp_path / "adding.s0").write_text("0.25")
        (tmp_path / "adding.s1").write_text("")
        soon({"adding.s0": 0.25, "adding.s1": 0})
        (tmp_path / "adding.s0").unlink()
        (tmp_path / "gone").symlink_to("nothing")  # as a file that goes between being seen and being read
        (tmp_path / "adding.s1").write_text("0.75")
        soon({"adding.s1": 0.75})
    assert seen() == {}


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_all_processes_with_130_and_leaves_no_half_file(tmp_path):
    environment = {**os.environ, "MINISPARSE_DATA": str(tmp_path / "none")}
    code = f"""{HEARS_CTRL_C}
from minisparse.experiments import all as every
from minisparse.cli import main
from test_cli_papers_endless import endless
own = every.STUDIES[0]
every.STUDIES = (own._replace(runs=lambda seeds: [run._replace(function=endless) for run in own.runs(seeds)]),)
main()
"""
    (tmp_path / "test_cli_papers_endless.py").write_text(
        "import pathlib, time\n"
        "def endless(data_dir, method, seed, **numbers):\n"
        f"    pathlib.Path({str(tmp_path)!r}, f'began-{{method}}').touch()\n"
        "    while True:\n"
        "        time.sleep(0.01)\n"
        "        yield 0.5\n"
    )
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    child = subprocess.Popen(
        [sys.executable, "-c", code, "reproduce", "rigl-mnist-98", "--jobs", "2", "--out", str(tmp_path / "out")],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    limit = time.monotonic() + 60
    while len(list(tmp_path.glob("began-*"))) < 2 and time.monotonic() < limit and child.poll() is None:
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    words, errors = child.communicate(timeout=60)
    assert child.returncode == 130, words + errors
    assert "Stopped. Finished runs are kept" in words
    assert "Traceback" not in errors
    assert not list((tmp_path / "out").rglob("*"))
