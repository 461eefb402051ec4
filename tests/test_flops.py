"""Costs and sizes, against the papers' figures and by hand."""

import numpy as np
import pytest
from arrays import give
from hypothesis import given
from hypothesis import strategies as st

from minisparse import flops, nn
from minisparse.allocate import counts
from minisparse.masks import random_masks
from minisparse.recipes import mnist_densities

LENET = nn.mlp(784, 300, 100, 10)
COSTS, _ = LENET.cost((784,))
SHAPES = {"fc1.weight": (784, 300), "fc2.weight": (300, 100), "fc3.weight": (100, 10)}


def test_lenet_300_100_takes_532_400_flops():
    assert flops.forward(COSTS, {}) == (266_200, 266_200)
    assert 2 * flops.forward(COSTS, {})[0] == 532_400


def test_masks_cost_what_they_keep():
    masks = random_masks(SHAPES, mnist_densities(0.98), np.random.default_rng(0))
    assert flops.forward(COSTS, masks) == (266_200, 4_704 + 3_540 + 1_000)


def test_densities_cost_their_share():
    dense, sparse = flops.forward(COSTS, mnist_densities(0.98))
    assert dense == 266_200
    assert sparse == pytest.approx(9_244)


def test_a_kernel_costs_once_for_every_position_it_visits(xp):
    mask = np.zeros((3, 3, 2, 4), bool)
    mask.ravel()[:18] = True
    assert flops.forward({"conv.weight": 7_200}, {"conv.weight": give(xp, mask)}) == (7_200, 1_800)


def test_a_parameter_without_a_mask_counts_in_full(xp):
    half = give(xp, np.array([True, False]))
    assert flops.forward({"a": 100, "b": 10}, {"a": half}) == (110, 60)
    assert flops.forward({"a": 100, "b": 10}, {"b": 0.5}) == (110, 105)


@pytest.mark.parametrize("kind", [float, np.float64, np.float32])
def test_a_density_may_be_any_number(kind):
    assert flops.forward({"a": 100, "b": 10}, {"a": kind(0.25), "b": kind(0)}) == (110, 25)


def test_costs_and_densities_scale_together():
    densities = {"fc1.weight": 0.1, "fc2.weight": 0.5, "fc3.weight": 1.0}
    kept = counts(SHAPES, densities)
    assert flops.forward(COSTS, densities)[1] == pytest.approx(sum(kept.values()))


def test_a_mask_of_an_unknown_layer_is_refused():
    with pytest.raises(ValueError, match=r"fc9\.weight"):
        flops.forward(COSTS, {"fc9.weight": 0.5})


@pytest.mark.parametrize(
    ("method", "cost"),
    [("dense", 300), ("static", 30), ("snip", 30), ("set", 30), ("snfs", 120), ("rigl", 3120 / 101)],
)
def test_training_costs_by_the_papers_formulas(method, cost):
    assert flops.training_cost(method, 100, 10, period=100) == pytest.approx(cost, rel=1e-12)


def test_rigls_factor_to_the_last_printed_digit():
    assert round(flops.training_cost("rigl", 100, 10, 100), 8) == 30.89108911


@given(dense=st.floats(1, 1e6), density=st.floats(0, 1), period=st.integers(1, 10_000))
def test_rigl_lies_between_set_and_snfs_and_nears_set_as_updates_become_rare(dense, density, period):
    sparse = dense * density
    cost = lambda method, period=None: flops.training_cost(method, dense, sparse, period)
    slack = 1e-9 * dense
    assert cost("set") - slack <= cost("rigl", period) <= cost("snfs") + slack
    assert cost("rigl", 2 * period) <= cost("rigl", period) + slack
    assert cost("rigl", 10**12) == pytest.approx(3 * sparse, rel=1e-9, abs=slack)
    assert cost("static") == cost("snip") == cost("set") == pytest.approx(3 * sparse)


def test_all_methods_cost_the_same_at_density_one():
    assert {flops.training_cost(m, 7, 7, 100) for m in ("dense", "static", "snip", "set", "snfs", "rigl")} == {21}


def test_training_cost_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="accepted are dense"):
        flops.training_cost("adam", 100, 10)
    with pytest.raises(ValueError, match="period is None"):
        flops.training_cost("rigl", 100, 10)
    with pytest.raises(ValueError, match="period is 0"):
        flops.training_cost("rigl", 100, 10, 0)
    with pytest.raises(TypeError, match=r"period is 1\.5"):
        flops.training_cost("rigl", 100, 10, 1.5)


@pytest.mark.parametrize(
    ("kind", "size"), [("dense", 4 * 6), ("bitmask", 4 * 2 + 6 / 8), ("csr", 4 * 2 + 4 * 2 + 4 * (2 + 1))]
)
def test_storage_by_hand(kind, size):
    assert flops.storage((2, 3), 2, kind) == size


def test_storage_takes_a_kernels_last_axis_for_columns():
    assert flops.storage((3, 3, 2, 4), 10, "csr") == 8 * 10 + 4 * (18 + 1)
    assert flops.storage((3, 3, 2, 4), 10) == 4 * 72


def test_storage_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="accepted are dense, bitmask, csr"):
        flops.storage((2, 3), 2, "coo")
    with pytest.raises(ValueError, match="n_active is 7"):
        flops.storage((2, 3), 7, "csr")
    with pytest.raises(ValueError, match="n_active is -1"):
        flops.storage((2, 3), -1)
