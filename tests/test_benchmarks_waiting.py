"""What users wait for: every command's seconds, and words where one fails."""

import sys

import pytest

from benchmarks import waiting
from minisparse.runs import methods


def test_cpu_seconds_are_those_of_the_command():
    work = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    measured = waiting.seconds((sys.executable, "-c", work))
    assert measured["wall"] >= 0.3
    assert 0.3 <= measured["cpu"] < 5


def test_a_command_that_fails_leaves_its_last_words():
    with pytest.raises(RuntimeError, match="it ended with 1; its last words: no luck"):
        waiting.seconds((sys.executable, "-c", "raise SystemExit('no luck')"))


def test_every_method_is_trained():
    assert {f"train {method}" for method in methods.METHODS} < waiting.COMMANDS.keys()
