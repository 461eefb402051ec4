"""What a vector writes is what is read again, and a difference is named as what it is."""

import ast
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minisparse import golden
from minisparse.golden.plain import alike, plain
from minisparse.golden.values import decode, encode, matches

shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0)
arrays = st.sampled_from(["float64", "bool", "int64"]).flatmap(
    lambda dtype: hnp.arrays(dtype, shapes, elements=hnp.from_dtype(np.dtype(dtype), allow_nan=False))
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    arrays,
)
values = st.recursive(
    leaves,
    lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=6,
)


def through_json(value):
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


@given(value=values)
def test_what_is_written_is_read_again(value):
    again = through_json(value)
    assert type(again) is type(value)
    assert matches(again, value, 0, 0) is None


@given(value=hnp.arrays("float64", (3,), elements=st.floats(allow_nan=False)))
def test_floats_come_back_bit_for_bit_and_infinities_too(value):
    assert np.array_equal(through_json(value).view("int64"), value.view("int64"))


def test_a_mask_is_zeros_and_ones_and_a_dict_keeps_its_order():
    assert encode(np.array([[True, False]])) == {"shape": [1, 2], "dtype": "bool", "data": [1, 0]}
    assert encode({"b": 1, "a": (2.5, "x")}) == {"pairs": [["b", 1], ["a", {"items": [2.5, "x"]}]]}
    assert encode(np.float32(0.5)) == 0.5
    assert encode(np.array([np.nan, -np.inf]))["data"] == ["nan", "-inf"]
    assert matches(through_json(np.inf), np.inf) is None


MASK = np.array([True, False, True, False])
NUMBERS = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("got", "want", "wrong"),
    [
        (MASK.astype(float), MASK, None),
        (MASK.astype("int8"), MASK, None),
        (np.array([True, True, True, False]), MASK, "is 1 at position 1, wanted 0"),
        (~MASK, MASK, "is 0 at position 0, wanted 1; 4 of 4 positions differ"),
        (np.array([0.5, 0, 1, 0]), MASK, "is no mask: it holds other values than 0 and 1"),
        (MASK[:3], MASK, "has shape (3,), wanted (4,)"),
        ([True, False], MASK, "is a list of 2, wanted a mask of shape (4,)"),
        (None, MASK, "is None, wanted a mask of shape (4,)"),
        (NUMBERS + 1e-13, NUMBERS, None),
        (NUMBERS.astype(int), NUMBERS, None),
        (NUMBERS + np.array([[0, 0], [0.5, 0]]), NUMBERS, "is 3.5 at position (1, 0), wanted 3.0"),
        (NUMBERS * np.nan, NUMBERS, "is nan at position (0, 0), wanted 1.0; 4 of 4 positions differ"),
        (NUMBERS > 2, NUMBERS, "is a mask of shape (2, 2), wanted an array of numbers of shape (2, 2)"),
        (NUMBERS, NUMBERS.astype(int), "is an array of numbers of shape (2, 2), wanted an array of whole numbers "
         "of shape (2, 2)"),
        (np.array(["a", "b", "c", "d"]), MASK, "is an array of <U1 of shape (4,), wanted a mask of shape (4,)"),
        (3, 3.0, None),
        (np.int64(3), 3, None),
        (np.array(3), 3, None),
        (3.0, 3, "is the number 3.0, wanted the whole number 3"),
        (True, 1, "is True, wanted the whole number 1"),
        (4, 3, "is 4, wanted 3"),
        (0.1 + 0.2, 0.3, None),
        (0.31, 0.3, "is 0.31, wanted 0.3"),
        ("csr", "csr", None),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": 1}, {"a": 1, "b": 2}, "lacks the key 'b'"),
        ({"a": 1, "c": 1}, {"a": 1, "b": 2}, "lacks the key 'b', has the key 'c' too many"),
        ({"a": ~MASK}, {"a": MASK}, "['a'] is 0 at position 0, wanted 1; 4 of 4 positions differ"),
        (MASK, {"a": MASK}, "is a mask of shape (4,), wanted a dict with the keys a"),
        ([1, 2], (1, 2), None),
        ((1, 3), (1, 2), "[1] is 3, wanted 2"),
        ((1,), (1, 2), "is a tuple of 1, wanted a tuple of 2"),
        ((1, {"a": 2}), (1, {"a": 3}), "[1]['a'] is 2, wanted 3"),
        (object(), 3, "is a builtins.object, wanted the whole number 3"),
    ],
)  # fmt: skip
def test_a_difference_is_named(got, want, wrong):
    assert matches(got, want) == wrong


@pytest.mark.parametrize(("off", "wrong"), [(0.99, False), (1.01, True)])
def test_tolerances_are_atol_plus_rtol_times_the_answer(off, wrong):
    allowed = 1e-3 + 1e-2 * 5.0
    assert (matches(5.0 + off * allowed, 5.0, 1e-2, 1e-3) is not None) is wrong
    assert (matches(np.array([5.0 - off * allowed]), np.array([5.0]), 1e-2, 1e-3) is not None) is wrong


def test_infinities_match_themselves_only():
    assert matches(np.array([np.inf, -np.inf]), np.array([np.inf, -np.inf])) is None
    assert matches(1e308, np.inf, 1, 1) == "is 1e+308, wanted inf"
    assert matches(np.inf, 1e308, 1, 1) == "is inf, wanted 1e+308"


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ([1.0, 2.0], [1.0, 2.0], True),
        ([1.0, np.nan], [1.0, -np.nan], True),
        ([np.inf], [-np.inf], False),
        ([0.0], [-0.0], False),
        ([1.0, 2.0], [2.0, 1.0], False),
        ([0.0], [0], False),
        ([[1.0]], [1.0], False),
        ([True, False], [True, False], True),
        ([True, False], [1, 0], False),
    ],
    ids=str,
)
def test_arrays_are_alike_to_the_last_bit_and_any_not_a_number_is_like_another(a, b, same):
    assert alike(plain(np.array(a)), plain(np.array(b))) is same


@pytest.mark.parametrize(
    "value",
    [
        {"shape": [2], "dtype": "float32", "data": [1, 2]},
        {"shape": [2], "dtype": "bool", "data": [1, 2]},
        {"shape": [3], "dtype": "float64", "data": [1, 2]},
        {"data": [1]},
        [1, 2],
    ],
)
def test_what_is_no_value_is_refused(value):
    with pytest.raises(ValueError, match=r"not a value of a vector|0 and 1|a flat list of 3"):
        decode(value)


def test_what_no_vector_can_hold_is_refused():
    with pytest.raises(TypeError, match=r"a builtins\.object fits in no vector"):
        encode(object())
    with pytest.raises(TypeError, match="an array of complex128"):
        encode(np.zeros(2, complex))


JUDGES = ("plain", "ties", "relatives", "replay", "facts", "divergences", "verdict")


@pytest.mark.parametrize("name", JUDGES)
def test_what_judges_is_plain_python_of_an_old_version(name):
    """These modules become one file for environments with Python 3.8 and no NumPy."""
    source = (Path(golden.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            own = [node.module] if node.module else [alias.name for alias in node.names]
            assert (
                set(own) <= set(JUDGES) if node.level else node.module in {*sys.stdlib_module_names, "collections.abc"}
            )
        elif isinstance(node, ast.Attribute):
            assert node.attr not in ("removeprefix", "removesuffix", "pairwise"), "not in Python 3.8"
        elif isinstance(node, ast.keyword):
            assert node.arg != "strict", "zip has it from Python 3.10 on"
