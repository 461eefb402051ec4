"""The golden README keeps its word: its JavaScript checks, and its commands, names and forms are those there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docs import matrix
from minisparse.cli import app
from minisparse.golden import cases, facts
from minisparse.golden.check import checked
from minisparse.golden.divergences import divergence

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


@pytest.mark.long
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


@pytest.mark.long
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


GIVES_BACK = """
import { readFileSync } from "node:fs";
const read = (name) => JSON.parse(readFileSync(`out/${name}.json`, "utf8"));
const { answers } = read("answers");
const number = (x) => ({ inf: Infinity, "-inf": -Infinity, nan: NaN })[x] ?? x;
const decode = (value) =>
  value?.pairs ? new Map(value.pairs.map(([name, own]) => [name, decode(own)]))
  : value?.items ? value.items.map(decode)
  : value?.data ? { ...value, data: value.data.map(number) } : value;
const ids = read("cases").cases.map(({ id }) => id);
const next = () => decode(answers[ids.shift()]);
"""


def changed(value):
    """Another value of the same form, or nothing for an empty one."""
    if not isinstance(value, dict):
        return value + 1 if type(value) in (int, float) else None
    key = next(iter({"pairs", "items", "data"} & value.keys()))
    if not value[key]:
        return None
    first, *others = value[key]
    if key == "data":
        first = 1 - first if value["dtype"] == "bool" else 7
    else:
        first = [first[0], changed(first[1])] if key == "pairs" else changed(first)
    return value | {key: [first, *others]}


@pytest.mark.long
def test_javascript_and_the_package_fail_the_same_answers(tmp_path):
    functions = cases.load()
    cases.export(tmp_path / "out", functions)
    answers = json.loads((tmp_path / "out" / "expected.json").read_text(encoding="utf-8"))["answers"]
    for case_id in list(answers)[::5]:
        answers[case_id] = changed(answers[case_id])
    (tmp_path / "out" / "answers.json").write_text(json.dumps({"version": 1, "answers": answers}))
    done = javascript(tmp_path, GIVES_BACK + "".join(f"export {{ next as {name} }};\n" for name in functions))
    ours = checked(str(tmp_path / "out"), pinned=True)
    wrong = [outcome.case.id + (" (optional)" if outcome.case.optional else "") for outcome in ours.failed]
    assert len(wrong) > len(answers) // 6
    told = [
        line.partition(":")[0] for line in done.stdout.splitlines() if re.match(r"\w+/[\w-]+( \(optional\))?: ", line)
    ]
    assert sorted(told) == sorted(wrong)
    assert done.returncode == 1


def test_commands_of_the_page_are_those_there_are():
    words = set(re.findall(r"minisparse golden (\w+)", README))
    assert words == {"list", "show", "adapt", "check", "export"}
    for word in words:
        assert CliRunner().invoke(app, ["golden", word, "--help"]).exit_code == 0


def test_names_of_the_page_are_those_of_the_package():
    for name in (*cases.PROFILES, *facts.RULES):
        assert f"`{name}`" in README


def test_the_table_of_who_differs_is_the_one_in_the_vectors():
    every = [case for own in cases.load().values() for case in own]
    table = README.partition("<!-- divergences: all -->\n\n")[2].partition("\n\n")[0]
    assert table == matrix.markdown(every), matrix.markdown(every)
    head, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    crossed = {profile for words, *cells in lines for profile, cell in zip(head[1:], cells, strict=True) if cell == "✗"}
    assert crossed == {profile for profile in cases.PROFILES if any(case.differs(profile) for case in every)}
    said = {divergence(case, profile) for case in every for profile in cases.PROFILES if case.differs(profile)} - {None}
    assert said <= {words for words, *_ in lines}
