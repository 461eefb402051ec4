"""Whoever writes what a public implementation does is told its name."""

import numpy as np
import pytest
from effort import some

from minisparse.golden import cases, check, divergences
from minisparse.golden.values import decode, matches
from tests.golden import wrong_masks
from tests.golden.test_unit_cases import in_order

FUNCTIONS = cases.load()
TOLD = {key: in_order(call) for key, call in wrong_masks.TOLD.items()}
DIFFER = [
    (name, profile)
    for name, own in FUNCTIONS.items()
    for profile in cases.PROFILES[1:]
    if any(case.differs(profile) for case in own if not case.optional)
    and (name, profile) not in {("magnitude_mask", "torch-prune"), ("n_of_m_mask", "jaxpruner")}  # only of ties
]


def verdict(call, name):
    return check.Verdict([check.run(case, call) for case in FUNCTIONS[name]])


def test_a_drop_that_ranks_inactive_weights_too_is_told_so():
    said = verdict(TOLD["rigl_update", "rigl-tf1"], "rigl_update").sentence()
    assert ": your drop ranks inactive weights too, as rigl-tf1 does, and rigl-torch too; a count of zero" in said
    assert "(cases rigl_update/active-weights-of-zero, rigl_update/nothing-to-move-behind" in said
    assert "explains both failures" in said


@pytest.mark.long
@pytest.mark.parametrize(("name", "profile"), some(DIFFER))
def test_an_implementation_written_to_a_profile_is_told_its_name(name, profile):
    result = verdict(TOLD.get((name, profile)) or answering(name, profile), name)
    assert not result.passes
    said = result.sentence().partition(" (case")[0]
    assert f"as {profile} does" in said or profile in said.partition(" does, and ")[2], said
    assert "you answer as" not in said or "does: “" in said, "the divergence has no words"


def answering(name, profile):
    """Gives every case the first answer of the profile, the reference's where it does not decide."""

    def call(**inputs):
        (case,) = [own for own in FUNCTIONS[name] if matches(own.arguments(), inputs) is None]
        return decode((case.answers(profile) or case.answers())[0])

    return call


def test_of_cases_that_are_not_counted_it_is_told_too():
    said = verdict(TOLD["rigl_count", "rigl-tf1"], "rigl_count").sentence()
    assert said == "15 of 15; rigl_count/twenty-nine-hundredths is optional and fails, as rigl-tf1 does"


def test_every_divergence_is_of_a_row_that_some_case_pins_and_of_known_profiles():
    pins = [case.pin for own in FUNCTIONS.values() for case in own]
    for row, _, profiles in divergences.DIVERGENCES:
        assert row in {*FUNCTIONS, "update"} or any(row in pin for pin in pins), row
        assert set(profiles.split()) <= set(cases.PROFILES[1:])


def test_who_only_drops_the_higher_of_equals_is_right_and_differs_from_what_is_pinned():
    higher = wrong_masks.rigl(drop=lambda w, mask, g, k: wrong_masks.last(-abs(w), k, mask))
    call = in_order(higher)
    result = verdict(call, "rigl_update")
    asked = [outcome.case for outcome in result.counted]
    n, n_ties = len(asked), sum(not np.array_equal(call(**own.arguments()), decode(own.answers()[0])) for own in asked)
    assert n_ties >= 4
    assert result.sentence() == f"{n} of {n}; in {n_ties} cases yours breaks ties otherwise: legal"
