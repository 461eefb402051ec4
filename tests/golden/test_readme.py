"""The golden README keeps its word: its JavaScript checks, and its commands, names and forms are those there are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from minisparse.cli import app
from minisparse.golden import cases, ties

README = (Path(cases.__file__).parent / "README.md").read_text()
RIGHT = """
export function rigl_update({ weight, mask, dense_grad, n_update }) {
  const first = (score, among, k) =>
    new Set([...score.keys()].filter((i) => among[i]).sort((a, b) => score[b] - score[a] || a - b).slice(0, k));
  const drop = first(weight.data.map((w) => -Math.abs(w)), mask.data, n_update);
  const kept = mask.data.map((on, i) => (on && !drop.has(i) ? 1 : 0));
  const grow = first(dense_grad.data.map(Math.abs), kept.map((on) => 1 - on), n_update);
  return { shape: mask.shape, dtype: "bool", data: kept.map((on, i) => (on || grow.has(i) ? 1 : 0)) };
}
"""


def javascript(tmp_path, source):
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not here: the checker in JavaScript was not run")
    (tmp_path / "check.mjs").write_text(re.search(r"```javascript\n(.*?)```", README, re.S)[1])
    (tmp_path / "mine.mjs").write_text(source)
    return subprocess.run(
        [node, "check.mjs", "out", "mine.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )


def test_the_checker_in_javascript_has_forty_lines_at_most():
    assert len(re.search(r"```javascript\n(.*?)```", README, re.S)[1].splitlines()) <= 40


@pytest.mark.parametrize("own", [True, False], ids=["by hand", "v1"])
def test_javascript_by_the_contract_holds_all_cases(request, tmp_path, own):
    if own:
        request.getfixturevalue("vectors")
    functions = cases.load()
    if "rigl_update" not in functions:
        pytest.skip("v1 has no rigl_update yet")
    cases.export(tmp_path / "out", functions)
    done = javascript(tmp_path, RIGHT)
    *missing, last = done.stdout.splitlines()
    assert (done.returncode, last) == (0, "all hold"), done.stdout + done.stderr
    assert missing == [f"{name}: missing, not checked" for name in functions if name != "rigl_update"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("(on && !drop.has(i) ? 1 : 0)", "(on ? 1 : 0)", "rigl_update/basic: the two smallest"),
        ("kept.map((on) => 1 - on)", "mask.data.map((on) => 1 - on)", "rigl_update/returns: a dropped connection"),
        ("-Math.abs(w)", "Math.abs(w)", "rigl_update/basic: the two smallest"),
        ("shape: mask.shape", "shape: [1]", "has shape 1, wanted 8"),
        ("const kept", "throw new Error('not yet'); const kept", "raises not yet"),
    ],
)
def test_javascript_that_errs_is_told_the_reason(vectors, tmp_path, before, after, said):
    cases.export(tmp_path / "out", cases.load())
    assert before in RIGHT
    done = javascript(tmp_path, RIGHT.replace(before, after))
    assert done.returncode == 1
    assert said in done.stdout


def test_javascript_compares_dicts_tuples_and_numbers(vectors, tmp_path):
    (vectors / "shapes.json").write_text(
        '{"version": 1, "function": "shapes", "parameters": ["x"], "cases": [{"id": "shapes/a", "reason": "all forms '
        'at once", "inputs": [["x", {"pairs": [["a", {"items": [1, {"shape": [1], "dtype": "float64", "data": '
        '["inf"]}]}]]}]], "stages": [], "expected": {"pairs": [["a", {"items": [1, {"shape": [1], "dtype": "float64", '
        '"data": ["inf"]}]}]]}, "profiles": [], "source": "by hand", "pin": "x", "optional": false, "rtol": 0, '
        '"atol": 0.5}]}'
    )
    cases.export(tmp_path / "out", cases.load())
    same = "new Map([['a', [1.5, {shape: [1], data: [Infinity]}]]])"
    for answer, holds in (
        ("x", True),
        (same, True),
        (same.replace("1.5", "1.6"), False),
        (same.replace("'a'", "'b'"), False),
        (same.replace("Infinity", "1"), False),
        (same.replace("[1.5, ", "[1.5, 2, "), False),
        ("{}", False),
    ):
        done = javascript(tmp_path, f"export const shapes = ({{ x }}) => ({answer});")
        assert (done.returncode == 0) is holds, answer


def test_commands_of_the_page_are_those_there_are():
    words = set(re.findall(r"minisparse golden (\w+)", README))
    assert words == {"list", "show", "adapt", "check", "export"}
    for word in words:
        assert CliRunner().invoke(app, ["golden", word, "--help"]).exit_code == 0


def test_names_of_the_page_are_those_of_the_package():
    for name in (*cases.PROFILES, *ties.RULES):
        assert f"`{name}`" in README


def test_the_list_of_who_differs_is_the_one_in_the_vectors():
    every = [case for own in cases.load().values() for case in own]
    lines = []
    for profile in cases.PROFILES:
        differ = [f"`{case.id}`" for case in every if case.differs(profile)]
        if differ:
            lines.append(f"- **{profile}**: {', '.join(differ)}")
    listed = README.partition("<!-- divergences -->\n\n")[2].partition("\n\n")[0]
    assert listed == "\n".join(lines), "\n".join(lines)
