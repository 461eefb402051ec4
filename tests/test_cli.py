"""The command line as a person meets it."""

import os
import subprocess
import sys

import pytest

from minisparse import cli
from minisparse.experiments import rigl


def minisparse(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", "from minisparse.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "MINISPARSE_DATA"} | {"COLUMNS": "200"} | environment,
    )


def test_the_demo_prints_a_table_and_says_where_its_picture_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rigl, "DEMO", rigl.Recipe(120, 0.05, (60,), (60,), 0.3, 10, 100))
    monkeypatch.setattr(cli.console, "width", 200)
    cli.demo(data="digits", data_dir=None, out=tmp_path / "demo", seed=1)
    said = capsys.readouterr().out
    for word in (
        "method",
        "sparsity",
        "weights",
        "multiply-adds",
        "test accuracy",
        "98.0%",
        "96.5%",
        "9,244",
        "266,200",
    ):
        assert word in said
    assert "6.0 connections a pixel" in said
    assert f"The picture is {(tmp_path / 'demo' / 'connections_find_the_digits.png').resolve()}" in said
    assert (tmp_path / "demo" / "connections_find_the_digits.png").stat().st_size > 20_000


def test_help_lists_the_commands():
    done = minisparse("--help")
    assert done.returncode == 0
    assert "demo" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["demo", "--data", "imagenet"], "--data is 'imagenet'; accepted are digits, mnist"),
        (["demo", "--data", "mnist", "--data-dir", "nowhere"], "train-images-idx3-ubyte.gz does not exist; --data-dir"),
        (["demo", "--seed", "x"], "Invalid value for '--seed'"),
        (["demo", "--seed", "-1"], "Invalid value for '--seed'"),
        (["train-faster"], "No such command"),
    ],
)
def test_a_refusal_is_one_sentence_and_exit_status_2(arguments, sentence):
    done = minisparse(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dead_network_names_the_option_and_the_digits(tmp_path):
    dead = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "XDG_CACHE_HOME": str(tmp_path)}
    done = minisparse("demo", "--data", "mnist", **dead)
    assert done.returncode == 2
    assert "--data-dir" in done.stderr
    assert "--data digits" in done.stderr
    assert "Traceback" not in done.stderr
