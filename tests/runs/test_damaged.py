"""A damaged JSON file, of whatever valid content, is one sentence that names it, in every command that reads it."""

import json
import os
import shutil
from functools import cache
from pathlib import Path

import pytest
from command_line import QUICK, said
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse.cli.tables import console
from minisparse.experiments import all as every
from minisparse.experiments.report import written
from minisparse.golden import cases, check

COMMANDS = {
    "evaluate": ("evaluate", "{}"),
    "inspect": ("inspect", "{}", "--json"),
    "export": ("export", "{}", "--force"),
    "train": ("train", "--resume", "--out", "{}", "--json"),
    "compare": ("compare", *QUICK, "--method", "rigl", "--out", "{}/..", "--json"),
}
READ = [
    *(("config.json", command) for command in COMMANDS),
    *(("result.json", command) for command in ("train", "compare")),
    ("metrics.jsonl", "train"),
    ("../compare.json", "compare"),
]
FIGURES = Path(__file__).parents[2] / "figures"
values = st.sampled_from(
    [
        None,
        [],
        {},
        "",
        "x",
        True,
        -1,
        0,
        0.5,
        10**30,
        1e300,
        float("nan"),
        float("inf"),
        [None],
        {"a": {}},
        [[1]],
        ["x"],
    ]
)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    out = tmp_path_factory.mktemp("compared")
    said("compare", *QUICK, "--method", "rigl", "--out", out)
    return out


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setattr(console, "width", 200)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("loss_and_accuracy", "accuracy_against_cost"):  # drawing takes long
        monkeypatch.setattr(f"minisparse.plot.{name}", lambda path, *rest: path)


def places(value, path=()):
    """The paths of all values in a tree, the tree itself among them."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from places(entry, (*path, key))


@st.composite
def damage(draw, value):
    """The tree with a value in it replaced or removed, and the place."""
    value = json.loads(json.dumps(value))
    path = draw(st.sampled_from(list(places(value))))
    if not path:
        return draw(values), path
    branch = value
    for key in path[:-1]:
        branch = branch[key]
    if draw(st.booleans()) and isinstance(branch, dict):
        del branch[path[-1]]
    else:
        branch[path[-1]] = draw(values)
    return value, path


def refusal(call):
    """The error of a call that a command makes a sentence of; None without one."""
    try:
        call()
    except (ValueError, TypeError, OSError) as error:
        return error
    return None


@pytest.mark.long
@pytest.mark.parametrize(("file", "command"), READ)
def test_a_damaged_file_of_a_run_is_one_sentence_or_does_not_matter(compared, tmp_path_factory, file, command):
    home = tmp_path_factory.mktemp("damaged")
    lines = (compared / "rigl" / file).read_text().splitlines()
    whole = json.loads(lines[7]) if file.endswith("jsonl") else json.loads("\n".join(lines))

    @settings(max_examples=examples(15), deadline=None, database=None)
    @given(hurt=damage(whole))
    def try_one(hurt):
        value, place = hurt
        shutil.copytree(compared, home / "a", dirs_exist_ok=True)
        run = home / "a" / "rigl"
        text = json.dumps(value)
        (run / file).write_text("\n".join([*lines[:7], text, *lines[8:], ""]) if file.endswith("jsonl") else text)
        error = refusal(lambda: said(*(part.format(run) for part in COMMANDS[command])))
        if error is None:
            assert place, value
        elif isinstance(error, OSError):
            assert place == ("data", "name"), error
        else:
            assert Path(file).name in str(error) or str(run) in str(error), (place, error)

    try_one()


@pytest.mark.parametrize(
    ("file", "command", "value", "sentence"),
    [
        ("result.json", "train", {}, r"result\.json is damaged, or another kind of file: test_accuracy is missing"),
        ("result.json", "train", None, r"result\.json is damaged, or another kind of file: it is null"),
        ("result.json", "compare", [], r"result\.json is damaged, or another kind of file: it is \[\]"),
        ("config.json", "evaluate", {}, r"config\.json is damaged, or another kind of file: method is missing"),
        ("config.json", "evaluate", {"batch": 1e300}, r"config\.json is damaged.*: batch is 1e\+300; expected a whole"),
        ("config.json", "inspect", {"sparsity": 98}, r"config\.json: sparsity is 98; .* Did you mean 0\.98\?"),
        ("config.json", "export", {"lr": None}, r"config\.json is damaged.*: lr is null; expected a finite number"),
        ("../compare.json", "compare", None, r"compare\.json is damaged, or another kind of file: it is null"),
    ],
)
def test_the_sentence_names_file_key_value_and_what_was_expected(compared, tmp_path, file, command, value, sentence):
    run = tmp_path / "a" / "rigl"
    shutil.copytree(compared, tmp_path / "a")
    if value and isinstance(value, dict):
        value = json.loads((run / file).read_text()) | value
    (run / file).write_text(json.dumps(value))
    with pytest.raises(ValueError, match=sentence):
        said(*(part.format(run) for part in COMMANDS[command]))


STUDY = next(study for study in every.STUDIES if study.name == "rigl-mnist-98")


@pytest.fixture
def report(tmp_path, monkeypatch):
    """A folder of figures with one study, and the file of a run in it."""
    monkeypatch.setattr("minisparse.experiments.rigl.picture.picture", lambda path, *rest: path)
    shutil.copytree(FIGURES / "rigl_mnist_98", tmp_path / "figures" / "rigl_mnist_98")
    return tmp_path / "figures", tmp_path / "figures" / "rigl_mnist_98" / "rigl-seed0.json"


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ([], {}, r"is damaged, or another kind of file: study is missing"),
        ([], None, r"is damaged, or another kind of file: it is null"),
        (["seed"], 10**12, r"is damaged: seed is 10+; expected .* below 10000"),
        (["seed"], 1, r" holds the run 'rigl-seed0' of seed 1; expected"),
        (["config"], {}, r" holds a run by other numbers: seed is not there there and 0 here"),
        (["result"], {}, r": result\.\w+ is missing"),
        (["result", "accuracy_last"], "x", r": result is damaged"),
        (
            ["result", "accuracy_last"],
            float("nan"),
            r"is damaged, or .*: result\.accuracy_last is nan",
        ),
        pytest.param(
            ["result", "accuracy_by_epoch"],
            3,
            r"is damaged",
            marks=pytest.mark.skipif(
                "MINISPARSE_DATA" not in os.environ, reason="only the figure reads it, with MNIST"
            ),
        ),
    ],
)
def test_a_damaged_run_of_a_study_is_named_by_the_report(report, place, value, sentence):
    figures, path = report
    done = branch = json.loads(path.read_text())
    for key in place[:-1]:
        branch = branch[key]
    if place:
        branch[place[-1]] = value
    path.write_text(json.dumps(done if place else value))
    with pytest.raises(ValueError, match=rf"rigl-seed0\.json ?{sentence}"):
        written([STUDY], figures)
    assert not (figures / "README.md").exists()


@pytest.mark.long
def test_any_damage_to_a_run_of_a_study_is_one_sentence(report):
    figures, path = report
    whole = json.loads(path.read_text())
    whole["result"]["pixels"] = dict(list(whole["result"]["pixels"].items())[:2])

    @settings(max_examples=examples(20), deadline=None, database=None)
    @given(hurt=damage(whole))
    def try_one(hurt):
        path.write_text(json.dumps(hurt[0]))
        error = refusal(lambda: written([STUDY], figures))
        assert error is None or "rigl_mnist_98" in str(error)

    try_one()


@pytest.mark.long
def test_any_damage_to_answers_is_an_outcome_or_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "load", cache(check.load))  # the vectors are whole
    asked = {"rigl_count": cases.load()["rigl_count"][:3]}
    _, expected = cases.export(tmp_path, asked)
    whole = json.loads(expected.read_text())

    @settings(max_examples=examples(20), deadline=None, database=None)
    @given(hurt=damage(whole))
    def try_one(hurt):
        (tmp_path / "answers.json").write_text(json.dumps(hurt[0]))
        error = refusal(lambda: check.checked(str(tmp_path), only=["rigl_count"]))
        assert error is None or "answers.json" in str(error)

    try_one()
