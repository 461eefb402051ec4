"""One line in runs/plan.py is an option of `train` and of `compare`."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import minisparse
from minisparse.cli import app
from minisparse.cli.options import FIELDS, Methods, takes_plan
from minisparse.runs.methods import METHODS, users
from minisparse.runs.plan import Plan

WARMUP = '    warmup: Annotated[int, Option("Batches of warm-up, of {users}!", LEARNING, 2)] = 5\n'


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """A copy of the package with one more line, in Plan: `minisparse` of it, as (arguments) -> what it prints."""
    home = tmp_path_factory.mktemp("edited")
    shutil.copytree(Path(minisparse.__file__).parent, home / "minisparse")
    path = home / "minisparse" / "runs" / "plan.py"
    text = path.read_text(encoding="utf-8")
    end = text.index("\n\n\nclass Task")
    path.write_text(f"{text[:end]}\n{WARMUP}{text[end + 1 :]}", encoding="utf-8")

    def minisparse_of_it(*arguments, status=0):
        code = "from minisparse.cli import main; main()"
        environment = os.environ | {"PYTHONPATH": str(home), "COLUMNS": "200", "TERMINAL_WIDTH": "200"}
        command = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return re.sub(r"[│\s]+", " ", done.stdout + done.stderr)

    return minisparse_of_it


@pytest.mark.long
@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_new_field_of_plan_is_in_the_help_of_both_commands(edited, command):
    assert "--warmup <int range> [x>=2] Batches of warm-up, of ! [default: 5]" in edited(command, "--help")
    assert "Invalid value for '--warmup'" in edited(command, "--warmup", "1", status=2)


@pytest.mark.long
def test_a_new_field_of_plan_is_part_of_what_determines_a_run(edited, tmp_path):
    run = ("--method", "static", "--model", "mlp-3", "--epochs", "1")
    for name, given, warmup in (("a", (), 5), ("b", ("--warmup", "9"), 9)):
        edited("train", *run, *given, "--out", tmp_path / name)
        assert json.loads((tmp_path / name / "config.json").read_text())["warmup"] == warmup
    assert "warmup is 5 there and 7 here" in edited("train", *run, "--warmup", 7, "--out", tmp_path / "a", status=2)


@pytest.mark.parametrize("command", ["train", "compare"])
def test_every_field_of_plan_is_an_option_with_its_help(command):
    words = CliRunner(env={"COLUMNS": "400", "TERMINAL_WIDTH": "400"}).invoke(app, [command, "--help"]).output
    words = re.sub(r"[│\s]+", " ", words)
    for name, (_, option) in FIELDS.items():
        assert f"--{name.replace('_', '-')} " in words
        assert option.panel in words
        if name != "method":
            assert option.help.format(users=", ".join(users(name))) in words
    assert all(f"{name} ({entry.about})" in words for name, entry in METHODS.items())


def planned(*arguments, command=lambda plan: seen.append(plan)):
    seen.clear()
    one = typer.Typer()
    one.command()(takes_plan(command))
    done = CliRunner().invoke(one, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return seen[0]


seen: list[Plan] = []


def test_without_options_the_plan_has_its_defaults():
    assert planned() == Plan()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--dense", "fc1", "--dense", "conv"], {"dense": ("fc1", "conv")}),
        (["--lr-drops", "2.5,40"], {"lr_drops": (2.5, 40.0)}),
        (["--nesterov"], {"nesterov": True}),
        (["--t-end", "9"], {"t_end": 9}),
        (["--label", "kind"], {"label": "kind"}),
    ],
)
def test_every_kind_of_option_arrives_as_its_field(arguments, field):
    assert planned(*arguments) == Plan(**field)


def test_a_parameter_named_as_a_field_takes_its_place():
    def command(plan: Plan, method: Methods = None) -> None:
        seen.append((plan, method))

    assert planned("--method", "set", "--method", "rigl", command=command) == (Plan(), ["set", "rigl"])
