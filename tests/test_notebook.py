"""What notebooks show is the source, and what they check is held to every case."""

import inspect

import numpy as np
import pytest

from minisparse import ops, top_k
from minisparse.golden.cases import load
from minisparse.methods import rigl
from minisparse.methods.rigl import rigl_update
from minisparse.notebook import check, show


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
