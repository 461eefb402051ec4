"""Our own functions go through the door that everyone's go through, on every array library."""

import numpy as np
import pytest
from arrays import back, give

from minisparse.golden import adapt, arrays, cases, check
from minisparse.golden.facts import RULES, by_rank
from minisparse.golden.plain import read

FUNCTIONS = cases.load()
OURS = {name: adapt.reference(name) for name in FUNCTIONS}


class Door(check.Door):
    """NumPy's arrays go in as those of another library."""

    def __init__(self, xp):
        super().__init__()
        self.xp = xp

    def _in(self, array):
        return give(self.xp, array)

    def back(self, tree):
        return arrays.on_arrays(back, getattr(self.xp, "ndarray", np.ndarray), tree)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_our_own_answers_are_the_expected_ones(function, xp):
    outcomes = [(case, check.run(case, OURS[function], Door(xp))) for case in FUNCTIONS[function]]
    assert [f"{case.id}: your answer {own.wrong}" for case, own in outcomes if own.wrong is not None] == []


@pytest.mark.parametrize("function", RULES)
def test_what_is_expected_is_one_of_the_legal_choices(function):
    assert {case.id: odd for case in FUNCTIONS[function] if (odd := by_rank(case, read(case.expected)))} == {}
