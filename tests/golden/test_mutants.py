"""The vectors alone, without the tests of the package, notice nearly every change of what they ask for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden import mutants

HERE = Path(__file__).parent


def changed(source):
    tree = ast.parse(source)
    before = ast.unparse(tree)
    found = {now for _, _, now in mutants.mutants(tree)}
    assert ast.unparse(tree) == before, "the tree is as it was"
    return found


def test_operators_constants_arguments_and_branches_are_changed_one_at_a_time():
    assert changed("def f(x, y):\n    return x + 1") >= {"x - 1", "x", "1", "2", "0"}
    assert changed("def f(x, y):\n    return g(x, y, among=x)") >= {"g(y, x, among=x)", "g(x, y)"}
    assert changed("def f(x):\n    x = abs(x)\n    return x if x < 2 else 3") >= {"pass", "x", "3", "x <= 2", "x > 2"}


def test_messages_and_checks_of_arguments_are_left_alone():
    source = """
def f(x, y):
    if x < 0:
        raise ValueError(f"x is {x + 1}")
    for name in y:
        real("y", y, "above 0", lambda y: y > 0)
    n = whole("x", x, 1)
"""
    assert changed(source) == set()


def test_no_label_of_equal_mutants_stands_twice_and_all_are_of_modules_asked():
    labels = [
        line
        for line in (HERE / "equal_mutants.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert len(labels) == len(set(labels))
    assert {label.partition(" ")[0] for label in labels} <= set(mutants.MODULES)


@pytest.mark.slow
def test_of_a_hundred_mutants_that_make_a_difference_the_vectors_notice_ninety_seven():
    command = [sys.executable, "-m", "tests.golden.mutants"]
    done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=900, check=True)
    *_, last = done.stdout.splitlines()
    share = float(last.partition("make no difference: ")[2].partition("%")[0])
    assert share >= 97, done.stdout
