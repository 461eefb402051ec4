"""What notebooks show is the source, and what they check is held to every case."""

import inspect

import numpy as np
import pytest
from effort import some

from minisparse import exercises, notebook, ops, top_k
from minisparse.golden.cases import load
from minisparse.methods import l0, rigl
from minisparse.methods.magnitude import threshold_mask
from minisparse.methods.rigl import rigl_count, rigl_update
from minisparse.notebook import affordable, check, followed, show


def flat(result):
    """What a result says, however its lines are broken."""
    return " ".join(repr(result).split())


def test_a_function_is_shown_as_it_stands_in_its_file():
    text = show(rigl_update)
    assert repr(text) == inspect.getsource(rigl_update).rstrip()
    assert text._repr_markdown_().splitlines()[0] == "```python"
    assert text._repr_markdown_().splitlines()[-1] == "```"


def test_an_operation_is_shown_as_its_rule_forward_and_back():
    assert repr(show(ops.mul)) == "@primitive\n" + "\n".join(
        ["def mul(a: Array, b: Array) -> Any:", "    return a * b, (lambda g: g * b, lambda g: g * a)"]
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
    assert flat(result).endswith(f"not counted, and fails: {failed.case.id}: {failed.case.reason}")


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
    assert flat(result).startswith(
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


def test_no_line_of_a_verdict_is_wider_than_a_cell_and_no_word_is_lost():
    result = check("rigl_update", lambda weight, mask, dense_grad, n_update: mask)
    assert max(map(len, repr(result).splitlines())) <= 88
    assert flat(result) == " ".join(result._text().split())
    assert "\n  the first that fails: rigl_update/" in repr(result)


def per_row(weight, quality, mask=None):
    mask = np.ones(weight.shape, bool) if mask is None else mask
    rows = zip(weight, mask, strict=True)
    return np.array([m & (abs(w) >= quality * (w[m].std() if m.any() else 0)) for w, m in rows])


def slope(log_alpha, u, beta=2 / 3, gamma=-0.1, zeta=1.1, clipped=True):
    s = 1 / (1 + np.exp(-(np.log(u / (1 - u)) + log_alpha) / beta))
    inside = (s * (zeta - gamma) + gamma > 0) & (s * (zeta - gamma) + gamma < 1)
    return (zeta - gamma) * s * (1 - s) / beta * (inside if clipped else 1)


def full(log_alpha, beta=2 / 3, gamma=-0.1, zeta=1.1):
    odds = (1 - gamma) / (zeta - 1)
    return 1 / (1 + odds**beta * np.exp(-log_alpha))


def inverse(z, gamma=-0.1, zeta=1.1):
    return np.log(z - gamma) - np.log(zeta - z)


def cube(step, n_active, alpha, t_end):
    return int(alpha * max(0, 1 - step / t_end) ** 3 * n_active)


def by_effect(weight, mask, dense_grad, n_update, effect=lambda w, g: abs(w * g)):
    kept = mask & ~top_k(-effect(weight, dense_grad), n_update, among=mask)
    return kept | top_k(abs(dense_grad), n_update, among=~kept)


def dead(mask, dead_inputs=None, over=(0, 1)):
    pairs = mask.any(axis=over)
    return ~(pairs if dead_inputs is None else pairs & ~dead_inputs[:, None]).any(axis=0)


SOLVED = {
    "threshold_mask_per_row": per_row,
    "gate_slope": slope,
    "prob_full": full,
    "log_alpha_at_test": inverse,
    "cubic_count": cube,
    "rigl_update_by_effect": by_effect,
    "dead_outputs": dead,
}


@pytest.mark.parametrize("name", some(exercises.CASES, every=3))
def test_the_cases_of_an_exercise_are_those_of_its_function(name):
    assert check(name, SOLVED[name])
    assert repr(check(name, SOLVED[name])) == f"{name}: right, in all {len(exercises.CASES[name])} cases."
    assert not {case.id for case in exercises.CASES[name]} & {c.id for own in load().values() for c in own}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("threshold_mask_per_row", threshold_mask),
        ("gate_slope", lambda **given: slope(**given, clipped=False)),
        ("prob_full", lambda log_alpha, **given: l0.prob_open(log_alpha, **given)),
        ("log_alpha_at_test", lambda z, gamma=-0.1, zeta=1.1: l0.gate_at_test(z, gamma, zeta)),
        ("cubic_count", rigl_count),
        ("rigl_update_by_effect", rigl_update),
        ("rigl_update_by_effect", lambda **given: by_effect(**given, effect=lambda w, g: w * g)),
        ("dead_outputs", lambda mask, **given: dead(mask)),
        ("dead_outputs", lambda mask, **given: dead(mask.transpose(0, 1, 3, 2))),
    ],
)
def test_what_the_notebook_shows_does_not_solve_its_exercise(name, shown):
    result = check(name, shown)
    assert not result
    assert f"the first that fails: {name}/" in repr(result)
    assert "golden show" not in repr(result)
