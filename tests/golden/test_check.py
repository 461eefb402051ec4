"""The checker names what is wrong in code that it knows nothing of, and survives it."""

import json
import sys
import warnings

import numpy as np
import pytest

from minisparse.golden import cases, check
from minisparse.masks import top_k
from minisparse.methods.rigl import rigl_update
from minisparse.schedule import cosine


def tf1(weight, mask, dense_grad, n_update):
    """The published rule of RigL's TensorFlow code, without its noise: what is kept is ranked among all weights."""
    kept = top_k(abs(weight * mask), int(mask.sum()) - n_update)
    return kept | top_k(abs(dense_grad), n_update, among=~kept)


def excluding(weight, mask, dense_grad, n_update):
    kept = mask & ~top_k(-abs(weight), n_update, among=mask)
    return kept | top_k(abs(dense_grad), n_update, among=~mask)


def higher(score, k, among=None):
    """Ties to the higher index: legal, and not what is pinned."""
    flipped = None if among is None else among.ravel()[::-1]
    return top_k(score.ravel()[::-1], k, flipped)[::-1].reshape(score.shape)


@pytest.fixture
def guest(tmp_path, monkeypatch):
    """Write a module and return its name, importable from the current folder."""

    def write(source, name="guest_code"):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return write


def outcomes(call, function="rigl_update", **how):
    return [check.run(case, call, **how) for case in cases.load()[function]]


def verdict(call, function="rigl_update", **how):
    return check.Verdict(outcomes(call, function, **how))


def test_a_right_implementation_passes(vectors):
    assert verdict(rigl_update).passes
    assert verdict(rigl_update).sentence() == "3 of 3"
    assert verdict(cosine, "cosine").passes


def test_the_verdict_names_the_implementation_that_errs_alike_and_the_case(vectors):
    result = verdict(tf1)
    assert not result.passes
    assert result.sentence() == (
        "2 of 3: your drop ranks inactive weights too, as rigl-tf1 does (case rigl_update/active-zero: an active "
        "weight is exactly zero: it ranks among the active ones, of which the lower zero goes)"
    )
    name, explained = result.nearest()
    assert (name, [outcome.case.id for outcome in explained]) == ("rigl-tf1", ["rigl_update/active-zero"])
    told = result.as_json()
    assert told["nearest"] == {"profile": "rigl-tf1", "cases": ["rigl_update/active-zero"]}
    assert [case["passes"] for case in told["cases"]] == [True, False, True, True]


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("rigl-torch", "your drop ranks inactive weights too, as rigl-torch does"),
        ("jaxpruner", "among equal weights you drop the higher index, as jaxpruner does"),
        ("tfmot", "you answer as tfmot does"),
    ],
)
def test_what_a_profile_does_is_its_own_reason_and_not_anothers(vectors, profile, said):
    content = json.loads((vectors / "rigl_update.json").read_text())
    content["cases"][1]["profiles"] = [[profile, content["cases"][1]["profiles"][0][1]]]
    (vectors / "rigl_update.json").write_text(json.dumps(content))
    assert verdict(tf1).sentence().startswith(f"2 of 3: {said} (case rigl_update/active-zero")


def test_the_case_that_is_named_is_there_to_show_what_is_said():
    """Who keeps the largest drops the higher of equal weights: the case of equal weights says so, not that of zeros."""

    def keeping(weight, mask, dense_grad, n_update):
        kept = top_k(abs(weight), int(mask.sum()) - n_update, among=mask)
        return kept | top_k(abs(dense_grad), n_update, among=~kept)

    said = verdict(keeping).sentence()
    assert ": among equal weights you drop the higher index, as jaxpruner does" in said
    assert "(case rigl_update/equal-weights:" in said


def test_what_never_answers_is_told_why_and_how_it_is_called(vectors):
    said = verdict(lambda w, m, g, k: m).sentence()
    assert said.startswith("0 of 3: it never answers; it raises TypeError: ")
    assert said.endswith("(called by name with weight, mask, dense_grad, n_update; --arrays converts)")
    first = cases.load()["rigl_update"][0]

    def once(**arguments):
        if arguments["n_update"] == first.arguments()["n_update"]:
            return first.arguments()["mask"]
        raise ValueError("other")

    assert "never" not in verdict(once).sentence()


def test_a_files_name_is_told_from_its_modules(tmp_path):
    with pytest.raises(ValueError, match=r"my_rigl.py is a file name; expected a module name, my_rigl$"):
        check.found("my_rigl.py:update")


def test_where_nobody_errs_alike_the_verdict_is_the_reason_of_the_first_case(vectors):
    result = verdict(excluding)
    assert result.nearest() is None
    assert result.sentence() == (
        "2 of 3: a dropped connection with the largest gradient returns at once (case rigl_update/returns)"
    )


def test_where_no_answer_is_written_down_the_row_says_who_differs(vectors):
    content = json.loads((vectors / "rigl_update.json").read_text())
    content["cases"][1] |= {"profiles": [], "pin": "A1, R2"}
    (vectors / "rigl_update.json").write_text(json.dumps(content))
    assert verdict(tf1).sentence().endswith("(case rigl_update/active-zero; known to differ: R2 rigl-tf1, rigl-torch)")


def test_between_profiles_that_explain_as_much_the_one_that_differs_elsewhere_is_further(vectors):
    content = json.loads((vectors / "rigl_update.json").read_text())
    wrong, other = content["cases"][1]["profiles"][0][1], content["cases"][2]["inputs"][1][1]
    content["cases"][1]["profiles"] = [["rigl-tf1", wrong], ["rigl-torch", wrong]]
    content["cases"][2]["profiles"] = [["rigl-tf1", other]]
    (vectors / "rigl_update.json").write_text(json.dumps(content))
    assert verdict(tf1).nearest()[0] == "rigl-torch"


def test_stages_tell_the_half_that_is_wrong(vectors):
    assert outcomes(excluding)[2].wrong.endswith("; all that stays is there, which points to your grow")
    largest = outcomes(lambda weight, **rest: rigl_update(1 / (abs(weight) + 1), **rest))
    assert largest[0].wrong.endswith("; your drop is wrong, a weight that stays is gone")


def test_stages_are_silent_where_a_profile_says_it_better(vectors):
    assert outcomes(tf1)[1].wrong == "is 1 at position 0, wanted 0; 2 of 8 positions differ"


def test_stages_tell_it_for_dicts_too_and_say_nothing_of_another_form(vectors):
    case = cases.load()["rigl_update"][2]
    kept = {"pairs": [["a", case.stages["kept"]]]}
    layered = cases.Case(**vars(case) | {"stages": {"kept": kept}, "expected": {"pairs": [["a", case.expected]]}})
    right = case.arguments()["mask"]
    assert check.judged(layered, {"a": right}).wrong.endswith("which points to your grow")
    assert check.judged(layered, {"a": ~right}).wrong.endswith("your drop is wrong, a weight that stays is gone")
    for form in (right, {"b": right}, {"a": right[:3]}, None):
        assert "your" not in check.judged(layered, form).wrong


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        (lambda score, k: 1 / 0, "raises ZeroDivisionError: division by zero"),
        (lambda score, k: sys.exit("bye"), "raises SystemExit: bye"),
        (lambda scores, k: scores, "raises TypeError: "),
        (lambda score, k: None, "is None, wanted a mask of shape (4,)"),
        (lambda score, k: score, "is no mask: it holds other values than 0 and 1"),
        (lambda score, k: np.ones(5, bool), "has shape (5,), wanted (4,)"),
        (lambda score, k: {"mask": score}, "is a dict, wanted a mask of shape (4,)"),
    ],
)
def test_an_exception_or_a_wrong_form_is_a_failed_case_with_its_message(vectors, call, wrong):
    first, second = outcomes(call, "top_k")
    assert first.wrong.startswith(wrong)
    assert second.wrong


def test_warnings_and_prints_of_the_guest_are_its_own_affair(vectors, capsys):
    def loud(score, k, among=None):
        warnings.warn("slow", stacklevel=1)
        print("hello")
        return top_k(score, k, among)

    assert verdict(loud, "top_k").passes
    assert capsys.readouterr().out == ""


def test_a_guest_that_writes_into_its_inputs_spoils_no_other_case(vectors):
    def writing(weight, mask, dense_grad, n_update):
        new = rigl_update(weight, mask, dense_grad, n_update)
        weight[:], mask[:], dense_grad[:] = 0, False, 0
        return new

    assert verdict(writing).passes
    assert verdict(rigl_update).passes


def test_ties_may_go_another_way_where_that_is_asked_for(vectors):
    assert verdict(higher, "top_k").sentence().startswith("0 of 2")
    assert verdict(higher, "top_k", any_ties=True).passes
    wrong = outcomes(lambda score, k: higher(-score, k), "top_k", any_ties=True)[0].wrong
    assert wrong == "chooses position 0 (score 1.0) before 1 (2.0); that is no tie"


def test_an_optional_case_is_reported_and_not_counted(vectors):
    def no_empty(weight, mask, dense_grad, n_update):
        return rigl_update(weight, mask, dense_grad, n_update) if mask.any() else 1 / 0

    result = verdict(no_empty)
    assert result.passes
    assert [outcome.case.id for outcome in result.failed] == ["rigl_update/empty"]
    assert result.sentence() == "3 of 3; rigl_update/empty is optional and fails"
    assert not check.Verdict(outcomes(rigl_update)[3:]).passes, "nothing that counts was asked"


def test_a_profile_is_held_to_its_own_answers_where_it_decides(vectors, guest):
    name = guest("from minisparse.masks import top_k\n" + _source(tf1))
    result = check.checked("rigl_update", f"{name}:tf1", profile="rigl-tf1")
    assert result.passes
    assert result.sentence() == "2 of 2"
    own = check.checked("rigl_update", "minisparse.methods.rigl:rigl_update", profile="rigl-tf1")
    assert not own.passes
    assert own.sentence().startswith("1 of 2: an active weight is exactly zero")
    with pytest.raises(ValueError, match="tfmot decides no case of rigl_update"):
        check.checked("rigl_update", f"{name}:tf1", profile="tfmot")
    with pytest.raises(ValueError, match="--profile is 'mine'; expected reference, rigl-tf1"):
        check.checked("rigl_update", f"{name}:tf1", profile="mine")


def test_a_module_is_checked_for_what_it_has_and_what_it_lacks_is_named(vectors, guest):
    name = guest("from minisparse.methods.rigl import rigl_update\ntop_k = 3\n")
    result = check.checked(name)
    assert result.missing == ["cosine", "top_k"]
    assert not result.passes
    assert len(result.outcomes) == 4
    assert check.checked(name, only=["rigl_update"]).passes


@pytest.mark.parametrize(
    ("where", "refusal"),
    [
        ("guest_code", "'guest_code' does not name a callable; expected module:callable"),
        ("guest_code:nothing", "guest_code has no nothing"),
        ("guest_code:number", "guest_code:number is the whole number 3; expected a callable"),
        ("guest_broken:f", "guest_broken cannot be imported: ZeroDivisionError: division by zero"),
        ("guest_absent:f", "guest_absent cannot be imported: ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_found_is_named(vectors, guest, where, refusal):
    guest("number = 3")
    guest("1 / 0", "guest_broken")
    with pytest.raises(ValueError, match=refusal):
        check.checked("top_k", where)


def test_a_callable_within_a_class_is_found(vectors, guest):
    name = guest("import minisparse\nclass Trainer:\n    update = staticmethod(minisparse.rigl_update)\n")
    assert check.checked("rigl_update", f"{name}:Trainer.update").passes


def test_answers_of_another_language_are_read_from_a_folder(vectors, tmp_path):
    folder = tmp_path / "out"
    _, expected = cases.export(folder, cases.load())
    told = json.loads(expected.read_text())
    (folder / "answers.json").write_text(json.dumps(told))
    assert check.checked(str(folder)).passes

    answers = told["answers"]
    answers["top_k/ties"] = {"error": "index out of range"}
    answers["top_k/matrix"] = {"shape": [2, 2], "data": [1, 0, 0, 0]}
    del answers["rigl_update/basic"]
    del answers["cosine/start"], answers["cosine/end"]
    (folder / "answers.json").write_text(json.dumps(told))
    result = check.checked(str(folder))
    assert {outcome.case.id: outcome.wrong for outcome in result.failed} == {
        "top_k/ties": "raises index out of range",
        "top_k/matrix": "{'shape': [2, 2], 'data': [1, 0, 0, 0]} is not a value of a vector; see "
        "minisparse/golden/README.md",
        "rigl_update/basic": "has no answer",
    }
    assert result.missing == ["cosine"]
    assert not result.passes


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ({"answers": {}}, "is not of the form"),
        ({"version": 2, "answers": {}}, "is not of the form"),
        ({"version": 1, "answers": []}, "is not of the form"),
        ([], "is not of the form"),
        ({"version": 1, "answers": {"top_k/nothing": 1}}, "'top_k/nothing', which is not a case"),
    ],
)
def test_answers_of_another_form_are_refused(vectors, tmp_path, content, refusal):
    (tmp_path / "answers.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=refusal):
        check.checked(str(tmp_path))


def test_in_float32_floats_go_in_and_come_out_with_half_their_digits(vectors, guest):
    name = guest(
        "import numpy as np, minisparse.schedule as s\n"
        "def cosine(step, alpha, t_end): return np.float32(s.cosine(step, alpha, t_end))\n"
        "def top_k(score, k):\n    assert score.dtype == 'float32'\n    return minisparse.top_k(score, k)\n"
        "import minisparse\n"
    )
    assert not check.checked("cosine", f"{name}:cosine").passes
    assert check.checked("cosine", f"{name}:cosine", float32=True).passes
    assert check.checked("top_k", f"{name}:top_k", float32=True).passes
    assert not check.checked("top_k", f"{name}:top_k").passes


def test_pytorch_tensors_go_through_the_door(vectors):
    torch = pytest.importorskip("torch")

    def update(weight, mask, dense_grad, n_update):
        assert all(isinstance(x, torch.Tensor) for x in (weight, mask, dense_grad))
        weight.requires_grad_()
        drop = torch.zeros_like(mask)
        drop[torch.argsort(torch.where(mask, abs(weight), torch.inf), stable=True)[:n_update]] = True
        kept = mask & ~drop
        grown = torch.argsort(torch.where(kept, -1.0, abs(dense_grad)), descending=True, stable=True)[:n_update]
        return kept.index_fill(0, grown, True)

    assert verdict(update, door=check.Door("torch")).passes
    outcome = check.run(cases.load()["top_k"][0], lambda score, k: torch.ones(4))
    assert outcome.wrong == "is a torch.Tensor, wanted a mask of shape (4,) (--arrays torch converts)"


def test_dicts_and_tuples_of_tensors_go_through_the_door(vectors):
    torch = pytest.importorskip("torch")
    door = check.Door("torch", float32=True)
    given = door.give({"layers": {"a": np.ones(2)}, "order": ("a", "b"), "k": 2})
    assert given["layers"]["a"].dtype is torch.float32
    assert given["order"] == ("a", "b")
    back = door.back(({"a": torch.ones(2, requires_grad=True)}, torch.tensor(3), 0.5))
    assert isinstance(back[0]["a"], np.ndarray)
    assert back[1] == 3


def test_jax_arrays_go_through_the_door_in_float64(vectors):
    jnp = pytest.importorskip("jax.numpy")

    def marked(score, k, among=None):
        assert isinstance(score, jnp.ndarray)
        assert score.dtype == "float64"
        first = jnp.argsort(-score.ravel(), stable=True)[:k]
        return jnp.zeros(score.size, bool).at[first].set(True).reshape(score.shape)

    assert verdict(marked, "top_k", door=check.Door("jax")).passes


def test_a_library_that_is_unknown_or_absent_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="--arrays is 'mxnet'; expected numpy, torch, jax"):
        check.Door("mxnet")
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ValueError, match="--arrays jax needs jax, which is not installed"):
        check.Door("jax")


def _source(function):
    import inspect

    return inspect.getsource(function)
