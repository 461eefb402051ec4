"""JSON files are checked when they are read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisparse.records import COUNT, FRACTION, NUMBER, NUMBER_OR_NULL, POSITIVE, TEXT, WHOLE, read_json, write_json

FORM = {"name": TEXT, "part": {"n": COUNT, "share?": FRACTION}, "counts": {str: COUNT}, "list": [NUMBER]}
VALUE = {"name": "a", "part": {"n": 3}, "counts": {"x": 1, "y": 0}, "list": [1, 2.5], "more": None}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": None}, "name is null; expected a text"),
        ({"part": {}}, r"part\.n is missing"),
        ({"part": []}, r"part is \[\], a list; expected a dict"),
        ({"part": {"n": True}}, r"part\.n is True; expected a whole number from 0"),
        ({"part": {"n": -1}}, r"part\.n is -1; expected"),
        ({"part": {"n": 2**63}}, r"part\.n is 9223372036854775808; expected"),
        ({"part": {"n": 1, "share": 1.5}}, r"part\.share is 1\.5; expected a number from 0 to 1"),
        ({"counts": {"x": "1"}}, r"counts\.x is '1'; expected a whole number from 0"),
        ({"list": {}}, r"list is \{\}, a dict; expected a list"),
        ({"list": [1, float("nan")]}, r"list\[1\] is nan; expected a finite number"),
        ({"list": [1e301]}, r"list\[0\] is 1e\+301"),
    ],
)
def test_a_value_of_another_form_is_refused_by_file_and_key(tmp_path, change, sentence):
    write_json(tmp_path / "a.json", VALUE | change)
    with pytest.raises(ValueError, match=rf"a\.json is damaged, or another kind of file: {sentence}"):
        read_json(tmp_path / "a.json", FORM)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 5000, "\xff"])
def test_what_is_no_json_is_refused_by_file(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"a\.json is no JSON, or damaged"):
        read_json(tmp_path / "a.json", {})


def test_a_value_of_the_form_is_read_as_it_is(tmp_path):
    write_json(tmp_path / "a.json", VALUE)
    assert read_json(tmp_path / "a.json", FORM) == VALUE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(value=json_values, kind=st.sampled_from([COUNT, FRACTION, NUMBER, NUMBER_OR_NULL, POSITIVE, TEXT, WHOLE]))
def test_every_kind_answers_for_every_value(value, kind):
    assert kind.holds(value) in (True, False)
    if kind.holds(value) and kind is not TEXT and value is not None:
        assert abs(float(value)) <= 1e300
    json.dumps(value)
