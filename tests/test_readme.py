"""What the README, the pages of docs/ and CONTRIBUTING show is what there is."""

import inspect
import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest

from minisparse.methods.rigl import rigl_update

ROOT = Path(__file__).parent.parent


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name, language="python"):
    return re.findall(rf"```{language}\n(.*?)```", page(name), re.DOTALL)


README = page("README.md")
RIGL, LOOP = blocks("README.md")
(SPARSE,) = blocks("docs/sparse_storage.md")
*OWN_NETWORK, OWN_RUN = blocks("docs/your_own.md")
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DIFFS = blocks("CONTRIBUTING.md", "diff")


def test_the_readme_is_two_screens_at_most():
    assert len(README.splitlines()) <= 110


def test_every_block_of_python_is_run_here():
    known = {"README.md": 2, "docs/sparse_storage.md": 1, "docs/your_own.md": 4}
    assert {name: len(blocks(name)) for name in PAGES if blocks(name)} == known


def test_rigls_lines_are_the_source():
    source = inspect.getsource(rigl_update)
    lines = RIGL.splitlines()[1:]
    assert len(lines) == 4
    assert all(line in source for line in lines)


@pytest.mark.long
def test_the_loop_runs_as_printed(capsys):
    assert "stop=2000" in LOOP
    exec(LOOP.replace("stop=2000", "stop=120"), {})
    rewired = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in rewired] == ["50", "100"]
    assert all("{'fc1.weight': 4704, 'fc2.weight': 3540, 'fc3.weight': 1000}" in line for line in rewired)


def test_truly_sparse_parameters_are_made_as_printed():
    names: dict = {}
    exec(SPARSE, names)
    assert {name: names["masks"][name].shape for name in names["masks"]} == names["shapes"]
    assert len(names["params"]["fc1.weight"].values) == names["masks"].counts["fc1.weight"] == 5 * (784 + 2000)


def test_ones_own_network_masks_and_method_train_as_printed(capsys):
    names: dict = {}
    train, snip, method = OWN_NETWORK
    assert "stop=2000" in train
    exec(train.replace("stop=2000", "stop=320"), names)
    printed = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert [int(number) for number, _, _ in printed] == [50, 100, 150, 200, 250, 300]
    began = {name: int(mask.sum()) for name, mask in names["masks"].items()}
    assert {counts for _, _, counts in printed} == {str(began)}
    x, y, p = names["x"], names["y"], names["step"].params
    answers = np.tanh(x @ p["left.weight"]) * np.maximum(x @ p["right.weight"], 0) @ p["out.weight"] + p["out.bias"]
    assert ((answers - y) ** 2).mean() < 0.25 * y.var()
    assert not (names["step"].params["left.weight"] * ~names["step"].masks["left.weight"]).any()

    exec(snip, names)
    assert names["chosen"].active == round(0.2 * (8 * 64 + 8 * 64 + 64))
    assert names["drawn"].active == round(0.2 * (8 * 64 + 8 * 64))

    exec(method, names)
    assert [step.number for step in names["steps"] if step.rewired] == [50, 100, 150]
    for step in names["steps"]:
        before = names["steps"][step.number - 1].masks if step.number else names["masks"]
        for name, mask in step.masks.items():
            gone = int((before[name] & ~mask).sum())
            assert gone <= began[name] // 10 if step.rewired else not gone
    assert any((step.masks[name] != names["masks"][name]).any() for step in names["steps"] for name in began)


def test_ones_own_arrays_and_loss_train_as_printed_and_go_on_after_a_stop(tmp_path, monkeypatch):
    assert OWN_RUN.count("stop=2000") == OWN_RUN.count("every=100") == 1
    monkeypatch.chdir(tmp_path)
    for stop in (60, 200):
        exec(OWN_RUN.replace("stop=2000", f"stop={stop}"), {})
        lines = [json.loads(line) for line in (tmp_path / "my-run" / "metrics.jsonl").read_text().splitlines()]
        assert len(lines) == stop
    assert {line["connections"] for line in lines} == {115}
    losses = [line["loss"] for line in lines]
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])


def test_the_commands_that_are_shown_exist():
    from minisparse.cli import app

    shown = set(re.findall(r"(?:^    |[`/])minisparse ([a-z]+)", "\n".join(map(page, PAGES)), re.MULTILINE))
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert known == set(
        "train compare evaluate inspect export compress decompress cost demo reproduce report grade".split()
    )
    assert shown == known | {"golden"}


def test_the_results_that_are_shown_are_those_of_the_report():
    report = page("figures/README.md")
    rows = README[README.index("| some of them |") :].split("\n\n")[0].splitlines()[2:]
    assert len(rows) >= 5
    for row in rows:
        assert f"\n{row}" in report, row


@pytest.mark.parametrize(("row", "run"), [("RigL", "rigl"), ("static mask", "static"), ("dense", "dense")])
def test_the_accuracies_that_are_shown_are_those_of_the_runs(row, run):
    files = sorted(ROOT.glob(f"figures/rigl_mnist_98/{run}-seed*.json"))
    results = [json.loads(path.read_text(encoding="utf-8"))["result"] for path in files]
    assert len(results) == 3
    percent = lambda key: [100 * own[key] for own in results]
    (cells,) = re.findall(rf"^\| {row} \|(.*)\|$", README, re.MULTILINE)
    last, best, share = re.sub(r"[*%]", "", cells).split("|")
    assert last.split() == [f"{mean(percent('accuracy_last')):.2f}", "±", f"{stdev(percent('accuracy_last')):.2f}"]
    assert best.split() == [f"{mean(percent('accuracy_best')):.2f}"]
    shares = [f"{mean(percent(f'central_share_{end}')):.1f}" for end in ("start", "end")]
    assert share.split() == [shares[0], "→", shares[1]]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_what_is_there(name):
    here = (ROOT / name).parent
    prose = re.sub(r"```.*?```", "", page(name), flags=re.DOTALL)
    links = [re.sub(r"\s+", " ", own) for own in re.findall(r"\]\(([^)#]+)[^)]*\)", prose)]
    gone = [own for own in links if ":" not in own and not any((here / (own + end)).exists() for end in ("", ".md"))]
    assert not gone


def hunks(diff):
    """(file, hunk) of a diff; a hunk is runs of lines, [(" " for context or "-" or "+", lines)]."""
    for part in re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]:
        name = re.search(r"^\+\+\+ b/(\S+)", part, re.MULTILINE)[1]
        for hunk in re.split(r"^@@.*\n", part, flags=re.MULTILINE)[1:]:
            lines = [line or " " for line in hunk.splitlines()]
            yield name, [(sign, [own[1:] for own in run]) for sign, run in groupby(lines, lambda line: line[0])]


def placed(hunk, lines):
    """`lines` with a hunk's additions behind their context, wherever it stands now and whatever was added in between.

    Additions that are there already, and lines to remove that somebody has changed, stay as they are. ValueError for
    context that is gone, or that does not begin with a line that stands there once.
    """
    first = next(line for sign, run in hunk if sign != "+" for line in run if line) if lines else ""
    if lines and lines.count(first) != 1:
        raise ValueError(f"{first!r} stands {lines.count(first)} times")
    is_in = lambda run: any(lines[i : i + len(run)] == run for i in range(len(lines)))
    lines, at, due = list(lines), 0, all(is_in(run) for sign, run in hunk if sign == "-")
    due &= not all(is_in(run) for sign, run in hunk if sign == "+")
    for sign, run in hunk:
        if sign == "+" and due:
            lines[at:at] = run
        if sign == "-" and due:
            at = lines.index(run[0], at)
            del lines[at : at + len(run)]
        if sign == " ":
            for line in run:
                at = lines.index(line, at) + 1 if at or line else 0  # empty lines at the beginning say nothing
    return lines


def follow(diff, folder):
    """What a contributor does who follows `diff` in `folder`, a copy of this repository."""
    for name, hunk in hunks(diff):
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        elif all(sign == "+" for sign, _ in hunk):  # a new file, and it is there
            continue
        try:
            lines = placed(hunk, path.read_text(encoding="utf-8").splitlines())
        except ValueError as error:
            raise AssertionError(f"{name} has changed: {error}; correct the diff in CONTRIBUTING.md") from error
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")


per_diff = pytest.mark.parametrize("diff", DIFFS, ids=["op", "method", "vector"])


@pytest.mark.skipif(not shutil.which("git"), reason="Git is not here: the diffs were not applied")
@per_diff
def test_a_diff_in_contributing_is_one_that_git_applies(diff, tmp_path):
    before, after = defaultdict(list), defaultdict(list)
    for name, hunk in hunks(diff):
        before[name] += [line for sign, run in hunk if sign != "+" for line in run]
        after[name] += [line for sign, run in hunk if sign != "-" for line in run]
    for name in (own for own in before if before[own]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("\n".join([*before[name], ""]), encoding="utf-8")
    done = subprocess.run(["git", "apply", "-"], input=diff, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {name: (tmp_path / name).read_text(encoding="utf-8").splitlines() for name in after} == after


@per_diff
def test_a_diff_in_contributing_fits_the_tree_as_it_is_and_once_it_is_followed(diff, tmp_path):
    names = {name for name, _ in hunks(diff)}
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, tmp_path / name)
    read = lambda: {name: (tmp_path / name).read_text(encoding="utf-8") for name in names}
    follow(diff, tmp_path)
    once = read()
    for name in (own for own in names if own.endswith(".py")):
        compile(once[name], name, "exec")
    follow(diff, tmp_path)
    assert read() == once


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["a", "b", "c"], ["a", "b", "new", "c"]),
        (["a", "other", "b", "other", "c"], ["a", "other", "b", "new", "other", "c"]),
        (["a", "b", "new", "other", "c"], ["a", "b", "new", "other", "c"]),
        (["", "b", "", "a", "b", "c"], ["", "b", "", "a", "b", "new", "c"]),
        (["a", "c"], "'b' is not in list"),
        (["a", "a", "b", "c"], "'a' stands 2 times"),
        (["b", "c"], "'a' stands 0 times"),
    ],
)
def test_additions_stand_behind_their_context_and_only_once(lines, wanted):
    hunk = [(" ", ["", "a", "b"]), ("+", ["new"]), (" ", ["c"])]
    if isinstance(wanted, str):
        with pytest.raises(ValueError, match=wanted):
            placed(hunk, lines)
    else:
        assert placed(hunk, lines) == wanted


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [(["a", "old"], ["a", "new"]), (["a", "new"], ["a", "new"]), (["a", "another"], ["a", "another"])],
)
def test_a_line_is_replaced_unless_somebody_has_changed_it(lines, wanted):
    assert placed([(" ", ["a"]), ("-", ["old"]), ("+", ["new"])], lines) == wanted


@pytest.mark.slow
def test_the_tests_pass_once_the_diffs_in_contributing_are_followed(tmp_path):
    here = tmp_path / "minisparse"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "site")
    shutil.copytree(ROOT, here, ignore=unwanted)
    for diff in DIFFS:
        follow(diff, here)
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    for command in (
        [sys.executable, "-m", "tests.golden.build"],
        [*pytest_, "tests/test_ops.py", "-k", "sin"],
        [*pytest_, *"tests/methods tests/recipes tests/runs/test_run.py tests/runs/test_methods.py tests/plot".split()],
        [*pytest_, *"tests/cli/test_cli.py tests/test_imports.py tests/test_docs.py tests/test_readme.py".split()],
        [*pytest_, "tests/golden"],
    ):
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert '"rigl_update/opposite-weights"' in (here / "minisparse/golden/v1/rigl_update.json").read_text("utf-8")
