"""Our own functions go through the door that everyone's go through, on every array library."""

import numpy as np
import pytest
from arrays import back, give

from minisparse.golden import adapt, arrays, cases, check
from minisparse.golden.facts import RULES, by_rank
from minisparse.golden.plain import read

FUNCTIONS = cases.load()
OURS = {name: adapt.reference(name) for name in FUNCTIONS}
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_our_own_answer_is_the_expected_one(case, xp):
    outcome = check.run(case, OURS[case.function], Door(xp))
    assert outcome.wrong is None, f"{case.reason}: your answer {outcome.wrong}"


@pytest.mark.parametrize("case", [case for case in CASES if case.function in RULES], ids=lambda case: case.id)
def test_what_is_expected_is_one_of_the_legal_choices(case):
    assert by_rank(case, read(case.expected)) == []
