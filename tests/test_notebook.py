"""What notebooks show is the source, and what they check is held to every case."""

import inspect

import numpy as np
import pytest

from minisparse import notebook, ops, top_k
from minisparse.golden.cases import load
from minisparse.methods import rigl
from minisparse.methods.rigl import rigl_update
from minisparse.notebook import affordable, check, followed, show


def test_a_function_is_shown_as_it_stands_in_its_file():
    text = show(rigl_update)
    assert repr(text) == inspect.getsource(rigl_update).rstrip()
    assert text._repr_markdown_().splitlines()[0] == "```python"
    assert text._repr_markdown_().splitlines()[-1] == "```"


def test_an_operation_is_shown_as_its_rule_forward_and_back():
    assert repr(show(ops.mul)) == "@primitive\n" + "\n".join(
        ["def mul(a: Array, b: Array) -> Any:", "    return a * b, lambda g: (g * b, g * a)"]
    )


def test_of_a_module_only_its_first_lines_are_shown():
    text = repr(show(rigl))
    assert text.startswith('"""RigL: drop the smallest weights')
    assert "I_grow" in text
    assert "def " not in text


def test_what_has_no_source_is_refused():
    with pytest.raises(TypeError, match="3 has no source"):
        show(3)


def test_the_library_itself_passes():
    result = check("rigl_update", rigl_update)
    assert result
    assert repr(result) == f"rigl_update: right, in all {len(result.verdict.counted)} cases."


def test_a_failed_case_that_does_not_count_is_told_to_those_who_are_right():
    def mine(score, k, among=None):
        return top_k(score if among is None else np.where(among, score, -np.inf), k)

    result = check("top_k", mine)
    assert result
    [failed] = result.verdict.failed
    assert failed.case.optional
    assert repr(result).endswith(f"not counted, and fails: {failed.case.id}: {failed.case.reason}")


def test_an_exercise_that_is_not_written_fails_and_says_so():
    def mine(**arguments):
        raise NotImplementedError

    result = check("rigl_update", mine)
    assert not result
    assert repr(result).startswith("rigl_update: not written yet.")


def test_an_exercise_that_is_half_written_says_how_much_holds():
    def mine(weight, mask, dense_grad, n_update):
        if n_update:
            raise NotImplementedError
        return mask

    result = check("rigl_update", mine)
    held = sum(case.arguments()["n_update"] == 0 for case in load()["rigl_update"] if not case.optional)
    n = len(result.verdict.counted)
    assert repr(result).startswith(
        f"rigl_update: {held} of {n} hold, the rest is not written yet. {n - held} cases are"
    )


def test_a_wrong_answer_is_told_with_the_reason_of_the_case():
    def mine(weight, mask, dense_grad, n_update):
        return rigl_update(weight, mask, dense_grad.clip(0), n_update)

    result = check("rigl_update", mine)
    assert not result
    failed = result.verdict.failed[0].case
    assert failed.id in repr(result)
    assert "minisparse golden show" in repr(result)


def test_unknown_names_and_what_cannot_be_called_are_refused():
    with pytest.raises(ValueError, match="rigl_updat"):
        check("rigl_updat", rigl_update)
    with pytest.raises(TypeError, match="mine is int"):
        check("rigl_update", 3)


def test_training_is_as_long_as_asked_and_counted_by_nobody_outside_a_browser(capsys):
    assert [affordable(n) for n in (1, 7, 1500)] == [1, 7, 1500]
    assert list(followed(range(5), 5)) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().out == ""


@pytest.fixture
def browser(monkeypatch):
    monkeypatch.setattr(notebook, "BROWSER", True)
    notebook.share.cache_clear()
    yield monkeypatch
    notebook.share.cache_clear()


@pytest.mark.parametrize(
    ("seconds", "part", "steps"),
    [(0.001, 1, 1500), (0.005, 1, 1500), (0.0051, 2, 750), (0.02, 4, 375), (0.021, 8, 188), (9.0, 8, 188)],
)
def test_in_a_browser_training_is_shortened_by_the_time_of_a_product_and_says_so_once(
    browser, capsys, seconds, part, steps
):
    browser.setattr(notebook, "_seconds_of", lambda work: seconds)
    assert affordable(1500) == steps
    assert affordable(1) == 1
    said = capsys.readouterr().out
    assert said.count(f"shortened to 1/{part},") == (part > 1) == len(said.splitlines())


def test_in_a_browser_steps_are_counted_on_a_line_that_goes(browser, capsys):
    clock = iter(range(100))
    browser.setattr(notebook.time, "perf_counter", lambda: next(clock))
    assert list(followed("abc", 1234)) == ["a", "b", "c"]
    said = capsys.readouterr().out
    assert "\r1 of 1,234" in said
    assert "\r3 of 1,234" in said
    assert said.endswith("\r" + " " * len("\r3 of 1,234") + "\r")
