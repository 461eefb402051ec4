"""The checker names what is wrong in code that it knows nothing of, and survives it."""

import json
import sys
import warnings

import numpy as np
import pytest

from minisparse.golden import cases, check
from minisparse.golden.trajectory import trajectory
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
    """Ties to the higher index: legal, though not what is pinned."""
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
        "weight is exactly zero: it ranks among the active ones, of which the lower zero goes); explains the only "
        "failure"
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


def test_a_convention_is_not_named_if_a_case_that_decides_it_passes(vectors):
    """Two cases show what rigl-tf1 does; one of them is answered right, so the fault of the other is another."""
    content = json.loads((vectors / "rigl_update.json").read_text())
    content["cases"][0]["profiles"] = [["rigl-tf1", content["cases"][1]["expected"]]]
    (vectors / "rigl_update.json").write_text(json.dumps(content))
    said = verdict(tf1).sentence()
    assert "tf1" not in said
    assert said == (
        "2 of 3: no known implementation errs like this; dropped 2, 1 were asked (case rigl_update/active-zero); "
        "loses position 7, which stays (case rigl_update/active-zero)"
    ) or said.startswith("2 of 3: no known implementation errs like this; ")


def test_how_much_is_explained_is_said_and_what_is_left_is_told_in_facts(vectors):
    def two_faults(weight, mask, dense_grad, n_update):
        return excluding(weight, mask, dense_grad, n_update) if dense_grad.max() == 9 else tf1(
            weight, mask, dense_grad, n_update)  # fmt: skip

    said = verdict(two_faults).sentence()
    assert said.startswith("1 of 3: your drop ranks inactive weights too, as rigl-tf1 does (case ")
    assert said.endswith(
        "); explains 1 of 2 failures; the other: grows position 6 before 3 (growth scores 0.75, 9.0) "
        "(case rigl_update/returns)"
    ), said


def test_a_profile_that_explains_the_smaller_part_is_no_more_than_a_likeness(vectors):
    def mostly(weight, mask, dense_grad, n_update):
        return tf1(weight, mask, dense_grad, n_update) if weight[0] == 0 else mask

    content = json.loads((vectors / "rigl_update.json").read_text())
    content["cases"][0]["profiles"] = []
    (vectors / "rigl_update.json").write_text(json.dumps(content))
    said = verdict(mostly).sentence()
    assert said.startswith("0 of 3: in 1 of 3 failures you answer as rigl-tf1 does: “your drop ranks inact"), said
    assert "; explains 1 of 3 failures; the other 2: " in said


def test_what_never_answers_is_told_why_and_how_it_is_called(vectors):
    said = verdict(lambda w, m, g, k: m).sentence()
    assert said == (
        "0 of 3: it cannot be called: it has no parameter weight, mask, dense_grad, n_update; it takes w, m, g, k, and "
        "the contract names weight, mask, dense_grad, n_update"
    )
    said = verdict(lambda **all: 1 / 0).sentence()
    assert said.startswith("0 of 3: it never answers; it raises ZeroDivisionError: ")
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


def test_where_nobody_errs_alike_the_verdict_says_so_and_what_is_wrong(vectors):
    result = verdict(excluding)
    assert result.nearest() is None
    assert result.sentence() == (
        "2 of 3: no known implementation errs like this; grows position 6 before 3 (growth scores 0.75, 9.0) "
        "(case rigl_update/returns)"
    )


def test_profiles_that_answer_alike_are_named_together_and_one_that_differs_elsewhere_is_not(vectors):
    content = json.loads((vectors / "rigl_update.json").read_text())
    wrong, other = content["cases"][1]["profiles"][0][1], content["cases"][2]["inputs"][1][1]
    content["cases"][1]["profiles"] = [["rigl-tf1", wrong], ["rigl-torch", wrong]]
    content["cases"][2]["profiles"] = [["rigl-tf1", other]]
    (vectors / "rigl_update.json").write_text(json.dumps(content))
    assert verdict(tf1).nearest()[0] == "rigl-torch"
    content["cases"][2]["profiles"] = []
    (vectors / "rigl_update.json").write_text(json.dumps(content))
    assert "inactive weights too, as rigl-tf1 does, and rigl-torch too (case" in verdict(tf1).sentence()
    content["cases"][1]["profiles"] = [["rigl-tf1", wrong], ["sparsimony", wrong]]
    (vectors / "rigl_update.json").write_text(json.dumps(content))
    said = verdict(tf1).sentence()
    assert (
        ": in the only failure you answer as rigl-tf1 does: “your drop ranks inactive weights too”, or as spar" in said
    )


def test_counts_are_told(vectors):
    def generous(weight, mask, dense_grad, n_update):
        return rigl_update(weight, mask, dense_grad, n_update + 1) if n_update == 2 else rigl_update(
            weight, mask, dense_grad, n_update)  # fmt: skip

    assert "dropped 3, 2 were asked" in verdict(generous).sentence()
    assert verdict(lambda score, k: top_k(score, k - 1), "top_k").sentence() == (
        "0 of 2: no known implementation errs like this; chooses 1, 2 were asked (case top_k/ties, and 1 more)"
    )


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        (lambda score, k: 1 / 0, "raises ZeroDivisionError: division by zero"),
        (lambda score, k: sys.exit("bye"), "ends by sys.exit('bye')"),
        (lambda scores, k: scores, "it has no parameter score; it takes scores, k, and the contract names score, k"),
        (lambda score, k: None, "is None, wanted a mask of shape (4,)"),
        (lambda score, k: score, "is no mask: it holds values of score, and not 0 and 1"),
        (lambda score, k: score + 1, "is no mask: it holds other values than 0 and 1"),
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


def test_a_guest_that_changes_its_inputs_is_named_and_spoils_no_other_case(vectors):
    def writing(weight, mask, dense_grad, n_update):
        new = rigl_update(weight, mask, dense_grad, n_update)
        weight[~new] = 7
        return new

    result = verdict(writing)
    assert not result.passes
    assert result.sentence() == (
        "0 of 3: it changes its input in place: weight (case rigl_update/basic; the same in all 3 cases); "
        "its answers are right"
    )
    assert verdict(rigl_update).passes


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda case: case["params"]["fc1.weight"].fill(0), "case['params']['fc1.weight']"),
        (lambda case: case["params"].pop("fc1.weight"), "case['params']"),
        (lambda case: case["masks"].update(new=1), "case['masks']['new']"),
        (lambda case: case["grads"][3]["fc1.weight"].__setitem__((0, 0), 9), "case['grads'][3]['fc1.weight']"),
        (lambda case: case["method"].update(name="other"), "case['method']['name']"),
    ],
)
def test_a_change_deep_within_the_inputs_is_found(change, named):
    (case,) = cases.find("trajectory/static-momentum", cases.load())

    def guest(case):
        new = trajectory(case)
        change(case)
        return new

    assert check.run(case, guest).wrong.startswith(f"changes its input in place: {named[:24]}")
    assert check.run(case, trajectory).wrong is None


def test_ties_may_go_another_way_unless_the_lower_index_is_asked_for(vectors):
    assert verdict(higher, "top_k").passes
    assert verdict(higher, "top_k").sentence() == "2 of 2; in 2 cases yours breaks ties otherwise: legal"
    pinned = verdict(higher, "top_k", pinned=True).sentence()
    assert pinned.startswith("0 of 2: no known implementation errs like this; is 0 at position 1, wanted 1; ")
    assert "it breaks ties otherwise" in pinned
    wrong = outcomes(lambda score, k: higher(-score, k), "top_k")[0].wrong
    assert wrong == "chooses position 0 (score 1.0) before 1 (2.0); that is no tie"


def test_what_is_not_supported_is_counted_apart(vectors):
    def partly(weight, mask, dense_grad, n_update):
        if n_update == 1:
            raise NotImplementedError("one at a time")
        return rigl_update(weight, mask, dense_grad, n_update)

    result = verdict(partly)
    assert result.passes
    assert result.sentence() == "2 of 2; 1 not supported"
    assert [case["not_supported"] for case in result.as_json()["cases"]] == [None, "one at a time", None, None]

    def never(**inputs):
        raise NotImplementedError

    assert not verdict(never).passes
    assert verdict(never).sentence() == "0 of 0; 4 not supported"


@pytest.mark.long
def test_a_parameter_with_a_default_may_be_missing():
    from minisparse.allocate import erdos_renyi_kernel
    from minisparse.schedule import cubic

    def without(name, call, *names):
        scope = {}
        exec(f"def guest({', '.join(names)}): return call({', '.join(names)})", {"call": call}, scope)
        return verdict(scope["guest"], name)

    for result in (
        without("cosine", cosine, "step", "alpha", "t_end"),
        without("cubic", cubic, "step", "begin", "end", "final"),
        without("erdos_renyi_kernel", erdos_renyi_kernel, "shapes", "density"),
        without("top_k", top_k, "score", "k"),
    ):
        n = len(result.asked)
        assert result.passes
        assert 0 < n < len(result.counted)
        assert result.sentence().startswith(f"{n} of {n}; {len(result.unsupported)} not supported")
    wrong = without("cosine", lambda step, alpha, begin: 0.0, "step", "alpha", "begin")
    assert not wrong.passes
    assert ": it cannot be called: it has no parameter t_end; " in wrong.sentence()
    assert check.Verdict([check.run(c, lambda **all: cosine(**all)) for c in cases.load()["cosine"]]).passes


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda mask: (mask, mask), "the answer is a tuple of 2, wanted a mask of shape (8,)"),
        (lambda mask: None, "the answer is None, wanted a mask of shape (8,)"),
        (lambda mask: mask[:-1], "the answer has shape (7,), wanted (8,)"),
        (lambda mask: mask * np.arange(2.0, 2 + mask.size), "the answer is no mask: it holds other values than 0 and"),
    ],
)
def test_a_wrong_form_everywhere_is_said_once_and_no_convention_is_named(vectors, answer, said):
    result = verdict(lambda **all: answer(rigl_update(**all)))
    assert f"of 3: {said}" in result.sentence()
    assert "the same in " in result.sentence()
    assert "known" not in result.sentence()


def test_weights_in_the_place_of_a_mask_are_told_as_such():
    result = verdict(lambda weight, **rest: weight * rigl_update(weight, **rest))
    assert ": the answer is no mask: it holds values of weight, and not 0 and 1 (case rigl_update/" in result.sentence()


def test_an_answer_in_float32_is_named(vectors):
    single = verdict(lambda step, alpha, t_end: np.float32(cosine(step, alpha, t_end)), "cosine")
    assert not single.passes
    assert outcomes(lambda **all: np.float32(cosine(**all)), "cosine")[1].wrong == (
        "is in float32, wanted float64 (--float32 is for such code)"
    )
    rounded = verdict(lambda **all: float(np.float32(cosine(**all))), "cosine")
    assert "right to the precision of float32 alone" in rounded.sentence()
    door = check.Door(float32=True)
    assert check.Verdict(
        [check.run(c.in_float32(), lambda **all: np.float32(cosine(**all)), door) for c in cases.load()["cosine"]]
    ).passes
    gate = cases.load()["top_k"][0]
    assert check.run(gate, lambda **all: top_k(**all).astype("float32")).wrong is None, "a mask may have any dtype"


@pytest.mark.parametrize(
    ("end", "named"),
    [
        ("sys.exit(0)", "it ends by sys.exit(0)"),
        ("os._exit(0)", "it ends the process (exit status 0)"),
        ("os._exit(3)", "it ends the process (exit status 3)"),
        ("os.kill(os.getpid(), 9)", "it ends the process (signal 9)"),
    ],
)
def test_code_that_ends_the_process_is_named_and_asked_on(vectors, guest, end, named):
    name = guest(
        "import os, sys, minisparse\ndef update(weight, mask, dense_grad, n_update):\n"
        f"    if n_update == 1: {end}\n    return minisparse.rigl_update(weight, mask, dense_grad, n_update)\n"
        f"def never(**all): {end}\n"
    )
    result = check.checked("rigl_update", f"{name}:update")
    assert not result.passes
    assert result.sentence() == f"2 of 3: {named} (case rigl_update/active-zero)"
    assert check.checked("rigl_update", f"{name}:never").sentence().startswith(f"0 of 3: {named} (case rigl_update/b")


@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_a_module_that_ends_the_process_on_import_is_refused(vectors, guest, end):
    name = guest(f"import os, sys\n{end}\n")
    with pytest.raises(check.Unanswered, match=rf"^{name} ends (by sys.exit|the process).*when it is imported"):
        check.checked("rigl_update", f"{name}:update")


def test_several_functions_have_a_line_each(vectors, guest):
    name = guest(
        "from minisparse import rigl_update\ndef top_k(score, k, among=None): return None\n"
        "def cosine(step, alpha, t_end, begin=0): return 0.0\n"
    )
    result = check.checked(name)
    lines = result.sentence().splitlines()
    assert lines[0] == "4 of 7"
    assert [line.partition(":")[0] for line in lines[1:]] == ["cosine", "top_k"]
    assert "the answer is None, wanted a mask" in lines[2]


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
    assert own.sentence().startswith("1 of 2: is 0 at position 0, wanted 1; ")
    with pytest.raises(check.Unanswered, match=r"^no answers of tfmot for rigl_update$"):
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
