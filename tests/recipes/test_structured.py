"""Gradual pruning of groups."""

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import SMALL

from minisparse import ops, recipes
from minisparse.masks import Masks
from minisparse.optim import sgd
from minisparse.train import train

GROUPS = {
    "units": (recipes.in_units, lambda mask: mask),
    "blocks": (recipes.in_blocks_of((2, 3)), lambda mask: mask.reshape(2, 2, 2, 3).swapaxes(1, 2).reshape(4, 6).T),
}


@pytest.mark.parametrize("name", GROUPS)
def test_gradual_pruning_takes_whole_groups_and_brings_none_back(name):
    choose, columns = GROUPS[name]
    weight = np.random.default_rng(0).standard_normal((4, 6))
    method = recipes.gradual(0.7, begin=1, end=9, period=2, choose=choose)
    loss = lambda p, batch, rng: ops.sum(p["w"] * p["w"])
    masks, counts = Masks({"w": np.ones((4, 6), bool)}), []
    for step in train(loss, {"w": weight}, masks, [None] * 12, method, np.random.default_rng(0), sgd(0.01)):
        now = columns(step.masks["w"])
        assert (now == now.any(axis=0)).all()
        counts.append(step.masks.active)
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == {"units": 4, "blocks": 6}[name]


@given(hnp.arrays(float, (6, 2), elements=SMALL), st.integers(0, 12), st.integers(0, 12))
def test_of_every_m_inputs_as_many_stay_as_fit_and_pruning_again_nests(weight, k, other):
    few, many = sorted((k, other))
    choose = recipes.in_groups_of(3)
    first = choose(weight, many, np.ones(weight.shape, bool))
    second = choose(weight, few, first)
    for mask, n in ((first, many), (second, few)):
        assert (mask.reshape(2, 3, 2).sum(axis=1) == n * 3 // 12).all()
    assert not (second & ~first).any()


def test_active_zeros_stay_before_pruned_groups(xp):
    weight, mask = np.array([[0.0, 0, 5]]), np.array([[False, True, True]])
    assert back(recipes.in_units(give(xp, weight), 2, give(xp, mask))).tolist() == [[False, True, True]]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="m is 0"):
        recipes.in_groups_of(0)
    with pytest.raises(ValueError, match=r"block\[1\] is 0"):
        recipes.in_blocks_of((2, 0))
    with pytest.raises(ValueError, match="mask has shape"):
        recipes.in_units(np.ones((2, 3)), 3, np.ones((2, 2), bool))
