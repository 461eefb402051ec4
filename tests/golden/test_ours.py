"""Our own functions go through the door that everyone's go through, on every array library."""

import numpy as np
import pytest
from arrays import back, give

from minisparse import allocate, flops, masks, schedule
from minisparse.golden import arrays, calls, cases, check, sites, trajectory, vjp
from minisparse.golden.facts import RULES, by_rank
from minisparse.golden.plain import read
from minisparse.methods import l0, magnitude, rigl, set, snfs, snip

HOMES = (allocate, flops, masks, schedule, l0, magnitude, rigl, set, snfs, snip, trajectory, vjp, sites, calls)
FUNCTIONS = cases.load()
OURS = {name: getattr(home, name) for name in FUNCTIONS for home in HOMES if hasattr(home, name)}
CASES = [case for own in FUNCTIONS.values() for case in own]


class Door(check.Door):
    """NumPy's arrays go in as those of another library."""

    def __init__(self, xp):
        super().__init__()
        self.xp = xp

    def _in(self, array):
        return give(self.xp, array)

    def back(self, tree):
        return arrays.on_arrays(back, getattr(self.xp, "ndarray", np.ndarray), tree)


def test_every_function_with_cases_is_ours_too():
    assert not [name for name in FUNCTIONS if name not in OURS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_our_own_answer_is_the_expected_one(case, xp):
    outcome = check.run(case, OURS[case.function], Door(xp))
    assert outcome.wrong is None, f"{case.reason}: your answer {outcome.wrong}"


@pytest.mark.parametrize("case", [case for case in CASES if case.function in RULES], ids=lambda case: case.id)
def test_what_is_expected_is_one_of_the_legal_choices(case):
    assert by_rank(case, read(case.expected)) == []
