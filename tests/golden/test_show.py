"""A drawn case shows at a glance what was dropped and what has grown."""

import numpy as np
import pytest

from minisparse.golden import cases, show


def lines(case):
    return [line.plain.rstrip() for line in show.drawn(case)]


def test_signs_say_what_became_of_each_weight():
    before, after, stays = (np.array([c == "1" for c in text]) for text in ("111000", "110100", "100000"))
    assert "".join(show.signs(after, before, stays)) == "●±−+··"
    assert "".join(show.signs(after, before)) == "●●−+··"
    assert "".join(show.signs(after)) == "●●·●··"


def test_eight_weights_are_a_row_of_signs_below_their_numbers(vectors):
    drawn = lines(cases.load()["rigl_update"][2])
    assert drawn[0] == "rigl_update/returns"
    assert drawn[1].strip() == "a dropped connection with the largest gradient returns at once"
    rows = {line.split()[0]: line.split()[1:] for line in drawn[2:-1]}
    assert rows["weight"] == "4 3 2 1 0 0 0 0".split()
    assert rows["mask"] == list("●●●●····")
    assert rows["kept"] == list("●●······")
    assert rows["expected"] == list("●●−±·+··")
    assert drawn[-1].strip() == "by hand; pins R4"


def test_the_answer_of_a_profile_stands_below_where_it_differs(vectors):
    basic, zero = cases.load()["rigl_update"][:2]
    assert not [line for line in lines(basic) if "rigl-tf1" in line]
    (row,) = [line.split() for line in lines(zero) if "rigl-tf1" in line]
    assert row[1:] == list("+·−●···●")
    assert not [line for line in lines(zero) if "jaxpruner" in line]


def test_dropped_and_grown_have_colours_of_their_own(vectors):
    (line,) = [line for line in show.drawn(cases.load()["rigl_update"][0]) if line.plain.startswith("  expected")]
    styles = {line.plain[span.end - 2]: str(span.style) for span in line.spans}
    assert (styles["−"], styles["+"]) == ("bold red", "bold green")
    assert set(show.SIGNS) == set(show.LEGEND) & set(show.SIGNS)


def test_matrices_are_drawn_row_by_row_and_numbers_as_they_are(vectors):
    functions = cases.load()
    drawn = [line.split() for line in lines(functions["top_k"][1])]
    assert ["expected", "●", "·"] in drawn
    assert ["·", "·"] in drawn
    assert ["alpha", "0.3"] in [line.split() for line in lines(functions["cosine"][0])]


def test_a_dict_of_layers_is_drawn_layer_by_layer(vectors):
    case = cases.load()["rigl_update"][0]
    given = dict(case.inputs)
    mask = {"pairs": [["a", given.pop("mask")]]}
    layered = cases.Case(
        **vars(case) | {"inputs": {"masks": mask}, "stages": {}, "expected": {"pairs": [["a", case.expected]]}}
    )
    assert ["expected['a']", *"●●−−·++·"] in [line.split() for line in lines(layered)]


def test_a_large_array_is_named_and_not_drawn(vectors):
    case = cases.load()["top_k"][0]
    large = {"shape": [300], "dtype": "float64", "data": [0.5] * 300}
    drawn = lines(cases.Case(**vars(case) | {"inputs": {"score": large}}))
    assert "  score       an array of numbers of shape (300,)" in drawn


def test_rows_of_signs_stand_below_each_other_whatever_their_names(vectors):
    case = cases.load()["rigl_update"][0]
    given = {"m": case.inputs["mask"], "a_name_that_is_long": case.inputs["mask"]}
    drawn = lines(cases.Case(**vars(case) | {"inputs": given, "stages": {}}))
    assert len({line.index("●") for line in drawn if "●" in line}) == 1


def test_tuples_of_arrays_and_of_dicts_are_drawn_part_by_part(vectors):
    case = cases.load()["rigl_update"][0]
    mask, site = case.inputs["mask"], {"pairs": [["name", "fc"], ["outputs", 3]]}
    drawn = lines(cases.Case(**vars(case) | {"expected": {"items": [mask, 2]}, "inputs": {"sites": {"items": [site]}}}))
    assert [line.split() for line in drawn if "expected[" in line] == [
        ["expected[0]", *"●●●●····"],
        ["expected[1]", "2"],
    ]
    assert "  sites[0]     name fc, outputs 3" in drawn


@pytest.mark.long
def test_a_run_is_a_line_for_each_step_with_the_signs_of_every_mask():
    functions = cases.load()
    runs = {case.id: lines(case) for case in functions["trajectory"]}
    rows = {line.split()[0]: line.split()[1:] for line in runs["trajectory/rigl-cadence"][5:-2]}
    assert list(rows) == ["before", *map(str, range(14)), "rigl-tf1", "rigl-torch"]
    moved = [step for step, signs in rows.items() if any(set(own) & set("−+") for own in signs) and step.isdigit()]
    assert moved == ["4", "8"]
    assert any("method      rigl, alpha 0.5, period 4, t_end 12" in line for line in runs["trajectory/rigl-cadence"])
    assert max(len(line) for own in runs.values() for line in own[2:-1]) < 200, "no nested lists"
    assert [line for line in runs["trajectory/l0"] if "log_alpha" in line]


def test_a_profile_that_answers_as_another_stands_beside_it(vectors):
    drawn = lines(cases.load()["rigl_update"][1])
    assert not [line for line in drawn if line.startswith("  rigl-torch")]
    case = cases.load()["rigl_update"][1]
    answers = {**case.profiles, "rigl-torch": [*case.profiles["rigl-tf1"], case.expected]}
    drawn = lines(cases.Case(**vars(case) | {"profiles": answers}))
    assert len([line for line in drawn if line.startswith("  rigl-tf1, rigl-torch")]) == 1
