"""The optimizers that are timed side by side compute the same."""

import pytest

from benchmarks import optimizers


@pytest.mark.parametrize("rule", optimizers.RULES)
def test_optimizers_of_all_contenders_are_ours(rule):
    differ = optimizers.apart(rule)
    assert "NumPy by hand" in differ
    assert max(differ.values()) < 1e-12
