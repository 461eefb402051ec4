"""Adapters to fill in: they run as printed, have the contract's signature, and call a case with its own inputs."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from minisparse.cli import app
from minisparse.golden import adapt, cases
from minisparse.golden.values import decode, matches

FUNCTIONS = cases.load()


def run_as_main(source, **functions):
    """The names that a printed adapter defines, run with `functions` in place of its stubs."""
    head, main, calls = source.partition('\n\nif __name__ == "__main__":\n')
    names = {"__name__": "__main__"}
    exec(head, names)
    exec("if True:\n" + calls if main else "", names | functions)
    return names


@pytest.mark.filterwarnings("ignore:SNIP keeps nothing")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_adapter_has_the_contracts_signature_and_calls_a_case_that_ours_answers(function, capsys):
    first = FUNCTIONS[function][0]
    compared = []
    source = adapt.adapters([first], FUNCTIONS)
    names = run_as_main(
        source,
        **{function: adapt.reference(function)},
        compare=lambda name, expected, call: compared.append((name, expected, call())),
    )
    known = inspect.signature(adapt.reference(function)).parameters.values()
    asked = inspect.signature(names[function]).parameters.values()
    assert [(own.name, own.default) for own in asked] == [(own.name, own.default) for own in known]
    with pytest.raises(NotImplementedError, match=f"call your {function} here"):
        names[function](**first.arguments())
    ((name, expected, got),) = compared
    assert name == first.id
    assert matches(expected, decode(first.expected)) is None
    assert matches(got, expected, first.rtol, first.atol) is None
    assert first.reason in source


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_value_of_the_vectors_is_written_as_python(function):
    for case in FUNCTIONS[function]:
        for value in [*case.inputs.values(), case.expected]:
            got, want = eval(adapt.literal(value), {"np": np}), decode(value)
            assert matches(got, want, 0, 0) is None, case.id
            assert type(got) is type(want), case.id


@pytest.mark.long
def test_all_functions_are_one_file_that_runs_and_can_be_checked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(app, ["golden", "adapt", "--all"])
    assert printed.exit_code == 0
    (tmp_path / "adapter.py").write_text(printed.stdout, encoding="utf-8")
    done = subprocess.run([sys.executable, "adapter.py"], capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stdout.count("got nothing yet: call your ") == len(FUNCTIONS)
    assert max(map(len, printed.stdout.partition("def compare")[0].splitlines())) <= 120


@pytest.mark.long
def test_a_function_or_a_case_is_printed_and_anything_else_refused():
    invoke = lambda *given: CliRunner().invoke(app, ["golden", "adapt", *given])
    assert "rigl_update/basic" in invoke("rigl_update").stdout
    one = invoke("rigl_update/dropped-connection-returns").stdout
    assert "rigl_update/basic" not in one
    assert "rigl_update/dropped-connection-returns" in one
    for given in ([], ["rigl_update", "--all"], ["rigl_updat"]):
        assert isinstance(invoke(*given).exception, ValueError)
    with pytest.raises(ValueError, match="'rigl_updat' is not a function of the golden vectors"):
        adapt.reference("rigl_updat")


def array(dtype, *shape):
    return {"shape": list(shape), "dtype": dtype, "data": [0] * int(np.prod(shape))}


def named(**values):
    return {"pairs": [[name, value] for name, value in values.items()]}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([array("bool", 3), array("bool", 2, 2)], "bool array (1 or 2 axes)"),
        ([array("int64", 3)], "int64 array (1 axis)"),
        ([array("float64"), array("float64", 1, 1, 1), None], "float64 array (0 or 3 axes) or None"),
        ([1, 2.5], "float"),
        ([1, "same"], "int or text"),
        ([True], "bool"),
        ([named(a=1, b=2.0), named(c=3)], "dict of float"),
        ([named()], "dict of nothing"),
        ([named(a=array("bool", 2)), named(a=1.5)], "dict of bool array (1 axis) or float"),
        ([named(name="sgd", lr=1), named(name="adam", eps=1)], "dict {'name': text, …}"),
        ([named(name="sgd", lr=1), named(name="adam", lr=2)], "dict {'name': text, 'lr': int}"),
        ([named(m=named(a=array("bool", 2)), p=named(a=array("float64", 2)))],
         "dict {'m': dict of bool array (1 axis), 'p': dict of float64 array (1 axis)}"),
        ([{"items": [1, 2]}, {"items": []}], "tuple of int"),
        ([{"items": []}], "tuple of nothing"),
        ([{"items": [1.5, array("float64", 2)]}], "tuple (float, float64 array (1 axis))"),
    ],
)  # fmt: skip
def test_what_values_are_in_words(values, words):
    assert adapt.kinds(values) == words


def test_what_a_parameter_is_for_comes_from_the_reference():
    printed = adapt.stub("rigl_update", FUNCTIONS["rigl_update"])
    assert "n_update    int; k, how many connections to move" in printed
    assert "masks     dict of bool array (1 or 2 axes); which connections exist" in adapt.stub(
        "snfs_update", FUNCTIONS["snfs_update"]
    )
