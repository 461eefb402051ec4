"""What has been published is not written over: the builder adds cases and refuses anything else."""

import json

import pytest

from tests.golden import build
from tests.golden.case import Either, Function


def doubling(*numbers, reason="the answer is twice the number"):
    function = Function("double", "x", lambda x: 2.0 * x)
    for x in numbers:
        function.case(f"of-{x}", f"{reason}: {x}", x, pin="R1")
    return function


def test_a_new_case_is_added_and_the_old_ones_keep_their_bytes(tmp_path):
    build.write(tmp_path, [doubling(1, 3)])
    before = (tmp_path / "double.json").read_text()
    nearly = before.replace('"expected": 2.0', '"expected": 2.0000000001')
    (tmp_path / "double.json").write_text(nearly)
    build.write(tmp_path, [doubling(1, 2, 3)])
    after = (tmp_path / "double.json").read_text()
    assert [case["id"] for case in json.loads(after)["cases"]] == ["double/of-1", "double/of-2", "double/of-3"]
    assert '"expected": 2.0000000001' in after, "equal within the tolerance: what is published stays"


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (doubling(3), "double/of-1"),
        (doubling(1, reason="another reason"), "double/of-1/reason"),
        (Function("double", "x y", lambda x, y=0: x), "parameters, double/of-1"),
    ],
)
def test_a_published_case_that_would_change_or_go_is_refused_and_nothing_is_written(tmp_path, now, said):
    build.write(tmp_path, [doubling(1)])
    other = Function("other", "x", abs)
    other.case("one", "the magnitude of a number", -1, pin="A18")
    with pytest.raises(ValueError, match=f"published, and now different: {said}"):
        build.write(tmp_path, [other, now])
    assert [path.name for path in tmp_path.iterdir()] == ["double.json"]
    assert json.loads((tmp_path / "double.json").read_text())["cases"][0]["expected"] == 2.0


def test_a_profile_with_several_answers_stands_once_for_each():
    function = Function("double", "x", lambda x: 2.0 * x)
    function.case("a", "noise decides", 1, pin="R1", profiles={"rigl-tf1": Either([2.0, 3.0]), "tfmot": None})
    assert function.cases[0].encoded()["profiles"] == [["rigl-tf1", 2.0], ["rigl-tf1", 3.0], ["tfmot", None]]


def test_a_published_case_may_gain_answers_of_more_implementations_and_the_case_that_takes_its_place(tmp_path):
    def of(profiles, **superseded):
        function = Function("double", "x", lambda x: 2.0 * x)
        function.case("a", "twice the number, of which one code makes the half", 1, pin="R1", profiles=profiles)
        if superseded:
            function.cases[0] = function.cases[0]._replace(**superseded)
        return function

    build.write(tmp_path, [of({"tfmot": 0.5})])
    build.write(tmp_path, [of({"tfmot": 0.5, "granet": 3.0}, superseded_by="double/b")])
    (case,) = json.loads((tmp_path / "double.json").read_text())["cases"]
    assert case["profiles"] == [["tfmot", 0.5], ["granet", 3.0]]
    assert case["superseded_by"] == "double/b"
    for now in (
        of({"tfmot": 0.25, "granet": 3.0}, superseded_by="double/b"),
        of({"tfmot": 0.5, "granet": 3.0}, superseded_by="double/c"),
        of({"tfmot": 0.5}, superseded_by="double/b"),
        of({"tfmot": 0.5, "granet": 3.0}),
        of({"tfmot": 0.5, "granet": 3.0, "tfmot ": 1.0, "granet ": 2.0}, superseded_by="double/d"),
    ):
        with pytest.raises(ValueError, match="published, and now different: double/a/"):
            build.write(tmp_path, [now])
