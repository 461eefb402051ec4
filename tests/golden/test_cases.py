"""Cases are read, found and written out again; every form is the one that the schema describes."""

import json
from pathlib import Path

import numpy as np
import pytest
from effort import some

from minisparse.golden import cases
from minisparse.golden.values import decode

SCHEMA = json.loads((Path(cases.__file__).parent / "schema.json").read_text())
ONES = [1, 2, 2, 2]


def valid(content, form=None):
    import jsonschema  # here, since it takes seconds to import

    schema = SCHEMA if form is None else {"$ref": f"#/$defs/{form}", "$defs": SCHEMA["$defs"]}
    jsonschema.Draft202012Validator(schema).validate(content)


def test_the_schema_is_one_of_json_schema_2020_12():
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_vector_is_of_the_form_that_the_schema_describes(vectors):
    for folder in (vectors, Path(cases.__file__).parent / "v1"):
        for path in some(sorted(folder.glob("*.json"))):
            content = json.loads(path.read_text())
            valid(content)
            assert path.stem == content["function"]
            for case in content["cases"]:
                assert case["id"].startswith(f"{path.stem}/")
                names = [name for name, _ in case["inputs"]]
                assert names == [name for name in content["parameters"] if name in names]


def test_the_profiles_of_the_schema_are_those_of_the_package():
    enum = SCHEMA["$defs"]["case"]["properties"]["profiles"]["items"]["prefixItems"][0]["enum"]
    assert enum == cases.PROFILES[1:]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["version"], 2),
        (["function"], "RigL"),
        (["cases"], []),
        (["cases", 0, "id"], "no function"),
        (["cases", 0, "reason"], "why not"),
        (["cases", 0, "extra"], 1),
        (["cases", 0, "expected"], {"shape": [1], "dtype": "float32", "data": [1]}),
        (["cases", 0, "expected"], {"shape": [1], "dtype": "bool", "data": [2]}),
        (["cases", 0, "expected"], {"shape": [1], "dtype": "int64", "data": [0.5]}),
        (["cases", 0, "expected"], {"shape": [1], "dtype": "float64", "data": ["much"]}),
        (["cases", 0, "expected"], {"a": 1}),
        (["cases", 0, "inputs"], {"score": 1}),
        (["cases", 0, "profiles"], [["somebody", 1]]),
        (["cases", 0, "rtol"], -1),
    ],
)
def test_the_schema_refuses_another_form(vectors, place, value):
    import jsonschema

    content = json.loads((vectors / "top_k.json").read_text())
    *path, last = place
    spot = content
    for step in path:
        spot = spot[step]
    spot[last] = value
    with pytest.raises(jsonschema.ValidationError):
        valid(content)


def test_cases_come_by_function_in_the_order_of_their_file(vectors):
    functions = cases.load()
    assert list(functions) == ["cosine", "rigl_update", "top_k"]
    assert [case.id for case in functions["top_k"]] == ["top_k/ties", "top_k/matrix"]
    first = functions["rigl_update"][1]
    assert list(first.inputs) == ["weight", "mask", "dense_grad", "n_update"]
    assert first.answers("reference") == [first.expected] == first.answers()
    assert [decode(own).tolist() for own in first.answers("rigl-tf1")] == [
        [True, False, False, True, *[False] * 3, True]
    ]
    assert not [*first.answers("jaxpruner"), *first.answers("tfmot")]
    assert first.differs("rigl-tf1")
    assert not functions["rigl_update"][0].differs("rigl-tf1")
    assert (first.optional, functions["rigl_update"][3].optional) == (False, True)


def test_arguments_are_arrays_that_nobody_has_seen_yet(vectors):
    case = cases.load()["top_k"][0]
    case.arguments()["score"][:] = np.nan
    assert case.arguments()["score"].tolist() == ONES


def test_in_float32_tolerances_are_wide_but_never_narrower_than_before(vectors):
    case = cases.load()["cosine"][0]
    assert (case.in_float32().rtol, case.in_float32().atol) == (1e-6, 1e-7)
    wide = cases.Case(**vars(case) | {"rtol": 1e-3, "atol": 1e-2})
    assert (wide.in_float32().rtol, wide.in_float32().atol) == (1e-3, 1e-2)


def test_a_function_and_a_case_are_found_by_name_and_what_is_near_is_offered(vectors):
    functions = cases.load()
    assert len(cases.find("rigl_update", functions)) == 4
    assert [case.id for case in cases.find("top_k/matrix", functions)] == ["top_k/matrix"]
    with pytest.raises(ValueError, match=r"'rigl_updat' is not a function or case.*did you mean rigl_update"):
        cases.find("rigl_updat", functions)
    with pytest.raises(ValueError, match="the functions are cosine, rigl_update, top_k"):
        cases.find("zzz", functions)
    assert list(cases.chosen(["top_k"], functions)) == ["top_k"]
    assert list(cases.chosen([], functions)) == list(functions)
    with pytest.raises(ValueError, match="'top_k/ties' is a case; expected functions"):
        cases.chosen(["top_k/ties"], functions)


def test_a_file_of_another_version_or_an_id_twice_is_refused(vectors):
    content = json.loads((vectors / "top_k.json").read_text())
    (vectors / "zzz.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"zzz\.json has the case 'top_k/ties' twice"):
        cases.load()
    (vectors / "zzz.json").write_text(json.dumps(content | {"version": 2}))
    with pytest.raises(ValueError, match="has version 2; expected 1"):
        cases.load()


def test_questions_are_written_without_their_answers(vectors, tmp_path):
    questions, answers = cases.export(tmp_path / "out", cases.load())
    asked, told = json.loads(questions.read_text()), json.loads(answers.read_text())
    valid(asked, "questions")
    valid(told, "answers")
    assert {case["id"] for case in asked["cases"]} == set(told["answers"])
    assert "expected" not in questions.read_text()
    assert "by hand" not in questions.read_text()
    assert told["answers"]["top_k/ties"] == {"shape": [4], "dtype": "bool", "data": [0, 1, 1, 0]}
    assert told["stages"]["rigl_update/returns"][0][0] == "kept"
