"""What the README, the pages of docs/ and CONTRIBUTING show is what there is."""

import inspect
import json
import re
import shutil
import subprocess
import sys
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
    assert {"train", "compare", "evaluate", "inspect", "export", "cost", "demo", "reproduce", "report"} == known
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


def applied(diff, folder):
    """`diff` applied in `folder`, which holds this repository's tests and package, or the files that it changes."""
    done = subprocess.run(["git", "apply", "-"], input=diff, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("git"), reason="Git is not here: the diffs were not applied")
@pytest.mark.parametrize("diff", DIFFS, ids=["op", "method", "vector"])
def test_a_diff_in_contributing_applies(diff, tmp_path):
    for name in re.findall(r"^--- a/(\S+)", diff, re.MULTILINE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    applied(diff, tmp_path)
    for name in re.findall(r"^\+\+\+ b/(\S+)", diff, re.MULTILINE):
        compile((tmp_path / name).read_text(encoding="utf-8"), name, "exec")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("git"), reason="Git is not here: the diffs were not applied")
def test_the_diffs_in_contributing_pass_the_tests_that_they_name(tmp_path):
    for name in ("minisparse", "tests", "pyproject.toml", "pytest_minisparse.py"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for diff in DIFFS:
        applied(diff, tmp_path)
    pytest_, sin = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"], ["-k", "sin"]
    for command in (
        [*pytest_, "tests/test_ops.py", *sin],
        [*pytest_, "tests/methods/test_mest.py", "tests/test_imports.py"],
        [sys.executable, "-m", "tests.golden.build"],
        [*pytest_, "tests/golden/test_unit_cases.py", "tests/golden/test_ours.py", "-k", "rigl_update"],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert '"rigl_update/opposite-weights"' in (tmp_path / "minisparse/golden/v1/rigl_update.json").read_text("utf-8")
