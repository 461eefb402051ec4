"""The table of methods: what an entry must say, and what is refused when it is read."""

import pytest

from minisparse import recipes
from minisparse.golden.trajectory import RECIPES
from minisparse.looks import LOOKS, Look
from minisparse.runs.methods import GROUPS, METHODS, RIGL, STATIC, Entry, checked, methods_of, unused, users
from minisparse.runs.plan import Plan

NEW = Look("new", "#123456", "p")


@pytest.mark.parametrize("field", ["about", "look", "formula"])
def test_an_entry_without_a_required_field_is_refused(field):
    given = {"about": "a new method", "look": NEW, "formula": STATIC}
    assert Entry(**given).gradient == "never"
    del given[field]
    with pytest.raises(TypeError, match=f"missing 1 required positional argument: '{field}'"):
        Entry(**given)


@pytest.mark.parametrize("field", ["label", "colour", "marker"])
def test_a_look_without_a_required_field_is_refused(field):
    given = {"label": "new", "colour": "#123456", "marker": "p"}
    del given[field]
    with pytest.raises(TypeError, match=f"missing 1 required positional argument: '{field}'"):
        Look(**given)


def test_two_methods_that_look_alike_are_refused():
    alike = METHODS["rigl"].look._replace(label="new")
    assert checked(METHODS | {"new": Entry("a new method", NEW, STATIC)})
    with pytest.raises(ValueError, match="new has the colour and marker of rigl"):
        checked(METHODS | {"new": Entry("a new method", alike, STATIC)})


@pytest.mark.parametrize("gradient", ["updates", "always"])
def test_a_method_with_dense_gradients_is_not_costed_as_one_without(gradient):
    assert checked({"new": Entry("a new method", NEW, RIGL, gradient=gradient)})
    for name in ("static", "snip", "set"):
        with pytest.raises(ValueError, match=f"new needs dense gradients \\({gradient}\\)"):
            checked({"new": Entry("a new method", NEW, METHODS[name].formula, gradient=gradient)})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [(("warmup",), "new has option 'warmup'; expected fields of Plan"), (("dense",), "new has some of the options")],
)
def test_options_that_plan_does_not_have_or_that_belong_together_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        checked({"new": Entry("a new method", NEW, STATIC, options)})


def without_recipe(methods):
    """The methods whose masks move, but by no recipe that a trajectory of the golden vectors names."""
    still = Entry._field_defaults["method"]
    moving = [name for name, entry in methods.items() if entry.method is not still]
    return [name for name in moving if name.replace("-", "_").removesuffix("_random") not in RECIPES]


def test_the_golden_vectors_can_replay_every_method_whose_masks_move():
    assert RECIPES["rigl"] is recipes.rigl
    assert without_recipe(METHODS | {"new-one": Entry("a new method", NEW, STATIC, method=recipes.rigl)}) == ["new-one"]
    assert (names := without_recipe(METHODS)) == [], (
        f"{names}: each needs a function of its name in minisparse.recipes, annotated to return a Method, for the "
        "trajectories of the golden vectors to replay it"
    )


def test_every_option_of_a_method_is_a_field_of_plan_and_is_used_by_it_alone_or_shared():
    for name, entry in METHODS.items():
        assert set(entry.options) <= set(Plan._fields)
        assert all(name in users(option) for option in entry.options)
        assert not set(unused(name)) & set(entry.options)
    assert users("lr") == []
    assert "lr" not in unused("dense")
    assert "alpha" in unused("dense")


def test_labels_are_as_distinct_as_looks():
    assert len({look.label for look in LOOKS.values()}) == len(LOOKS)
    assert len({(look.colour, look.marker) for look in LOOKS.values()}) == len(LOOKS)
    assert {entry.look for entry in METHODS.values()} >= set(LOOKS.values())


def test_every_method_is_in_a_group_and_every_group_has_methods():
    assert {entry.group for entry in METHODS.values()} == set(GROUPS)
    assert not set(GROUPS) & set(METHODS)
    with pytest.raises(ValueError, match="new is in the group 'befor'; expected baselines, before"):
        checked({"new": Entry("a new method", NEW, STATIC, group="befor")})


def test_groups_and_names_are_mixed_and_come_in_the_table_s_order():
    assert methods_of(["before"]) == ["snip", "grasp", "synflow"]
    assert methods_of(["rigl, before", "static", "snip"]) == ["static", "snip", "grasp", "synflow", "rigl"]
    assert methods_of(GROUPS) == [*METHODS]
    assert methods_of(["baselines"], possible=["static", "dense"]) == ["dense", "static"]
    assert methods_of(["small-dense"], possible=["static"]) == ["small-dense"], "a name is taken as it is"
    with pytest.raises(
        ValueError, match=r"--method is 'befor'; expected dense, .*group: baselines.*Did you mean 'before'\?"
    ):
        methods_of(["rigl,befor"])
