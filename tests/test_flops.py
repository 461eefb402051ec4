"""Costs and sizes, against the papers' figures and by hand."""

import math

import numpy as np
import pytest
import slow_conv as slow
from arrays import give
from hypothesis import given
from hypothesis import strategies as st

from minisparse import flops, nn
from minisparse.allocate import counts
from minisparse.masks import random_masks
from minisparse.recipes import mnist_densities
from minisparse.schedule import cubic

LENET = nn.mlp(784, 300, 100, 10)
COSTS, _ = LENET.cost((784,))
SITES = nn.sites(LENET, (784,))
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
    with pytest.raises(ValueError, match="expected dense"):
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
    with pytest.raises(ValueError, match="expected dense, bitmask, csr"):
        flops.storage((2, 3), 2, "coo")
    with pytest.raises(ValueError, match="n_active is 7"):
        flops.storage((2, 3), 7, "csr")
    with pytest.raises(ValueError, match="n_active is -1"):
        flops.storage((2, 3), -1)


@pytest.mark.parametrize("period", [1, 10, 1000])
def test_pruning_costs_as_if_every_step_were_costed_by_its_own_density(period):
    dense, final, begin, end, steps = 400, 0.9, 300, 3_000, 4_000
    fixed = 40  # of a layer that is never pruned
    seen = [cubic(step, begin, end, final) for step in range(0, steps + 1, period)]
    one_by_one = [3 * (fixed + (dense - fixed) * (1 - sparsity)) for sparsity in seen]
    sparse = fixed + (dense - fixed) * (1 - final)
    ours = flops.pruning_cost(dense, sparse, begin, end, steps, period)
    assert ours == pytest.approx(sum(one_by_one) / len(one_by_one), rel=1e-12)
    assert 3 * sparse < ours < 3 * dense


def test_pruning_cost_refuses_what_it_cannot_average():
    with pytest.raises(ValueError, match="end is 10, begin is 10"):
        flops.pruning_cost(100, 10, 10, 10, 20, 1)
    with pytest.raises(ValueError, match="steps is 0"):
        flops.pruning_cost(100, 10, 0, 10, 0)
    with pytest.raises(TypeError, match=r"period is 0\.5"):
        flops.pruning_cost(100, 10, 0, 10, 20, 0.5)


class Weight:
    """A weight that counts how often a number is multiplied by it."""

    __array_ufunc__ = None  # NumPy's numbers leave the product to __rmul__

    def __init__(self):
        self.products = 0

    def __rmul__(self, x):
        self.products += 1
        return 0.0


def weights(shape):
    kernel = np.empty(shape, object)
    kernel.ravel()[:] = [Weight() for _ in range(kernel.size)]
    return kernel


def slow_linear(x, weight):
    for i, o in np.ndindex(weight.shape):
        x[0, i] * weight[i, o]


@st.composite
def layers(draw):
    """A small layer, an example's shape, and the naive loops that run it: (x, weight) -> y."""
    size, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    padding = draw(st.sampled_from(["valid", "same", 0, 1, 2]))
    h, w, c, c_out, groups = (draw(st.integers(low, high)) for low, high in [(3, 6), (3, 6), (1, 2), (1, 2), (1, 2)])
    conv = nn.Conv2d(c * groups, c_out * groups, size, stride, padding, groups)
    return draw(
        st.sampled_from(
            [
                (nn.Linear(h, w), (h,), slow_linear),
                (conv, (h, w, c * groups), lambda x, kernel: slow.conv2d(x, kernel, stride, padding, groups)),
                (
                    nn.DepthwiseConv2d(c, size, stride, padding),
                    (h, w, c),
                    lambda x, kernel: slow.depthwise_conv2d(x, kernel, stride, padding),
                ),
            ]
        )
    )


@given(layers(), st.floats(0, 1), st.integers(0, 99))
def test_every_multiplication_of_naive_loops_is_counted_and_none_besides(described, share, seed):
    # A padding zero is multiplied in the loops and counted as a multiplication, as it is on dense hardware.
    layer, shape, loops = described
    model = nn.Chain({"layer": layer})
    kernel = weights(layer.shapes()["weight"])
    loops(np.zeros((1, *shape)), kernel)
    products = np.array([weight.products for weight in kernel.flat]).reshape(kernel.shape)
    mask = np.random.default_rng(seed).random(kernel.shape) < share

    sites, costs = nn.sites(model, shape), model.cost(shape)[0]
    assert costs == {"layer.weight": products.sum()}
    assert [site.multiply_adds for site in sites] == [products.sum()]
    assert flops.forward(costs, {"layer.weight": mask}) == pytest.approx((products.sum(), products[mask].sum()))
    kept = flops.count(sites, {"layer.weight": mask.mean()})
    assert kept == pytest.approx({"layer.weight": 2 * products[mask].sum()})


def test_clean_flops_are_twice_the_multiply_adds():
    densities = {"fc1.weight": 0.5, "fc3.weight": 0.0}
    assert flops.count(SITES, densities) == {"fc1.weight": 235_200, "fc2.weight": 60_000, "fc3.weight": 0}
    assert sum(flops.count(SITES, densities).values()) == 2 * flops.forward(COSTS, densities)[1]


def site(layer, *shape):
    return nn.sites(nn.Chain({"layer": layer}), shape)


@pytest.mark.parametrize(
    ("layer", "shape", "density", "count"),
    [
        # each of 4 outputs: 5 products, 4 additions, a bias and a ReLU
        (nn.Linear(5, 4), (5,), 1, 4 * (5 + 4 + 1 + 1)),
        (nn.Linear(5, 4), (5,), 0.4, 4 * (2 + 1 + 1 + 1)),
        (nn.Conv2d(2, 4, 3, padding="same"), (6, 5, 2), 1, 6 * 5 * 4 * (18 + 17 + 2)),
        (nn.Conv2d(2, 4, 3, padding="same"), (6, 5, 2), 0.5, 6 * 5 * 4 * (9 + 8 + 2)),
        # "valid" leaves 4 × 3 positions, and is counted as "same"
        (nn.Conv2d(2, 4, 3), (6, 5, 2), 1, 6 * 5 * 4 * (18 + 17 + 2)),
        # 6 × 5 are padded to 8 × 7, and these are counted as "same"
        (nn.Conv2d(2, 4, 3, padding=1), (6, 5, 2), 1, 8 * 7 * 4 * (18 + 17 + 2)),
        (nn.Conv2d(2, 4, 3, stride=2, padding=1), (6, 5, 2), 1, 4 * 4 * 4 * (18 + 17 + 2)),
        # an even kernel is padded by half of it on both sides, and has one position more
        (nn.Conv2d(1, 1, 2, padding="same"), (6, 5, 1), 1, 7 * 6 * (4 + 3 + 2)),
        (nn.Conv2d(4, 6, 3, padding="same", groups=2), (5, 5, 4), 1, 25 * 6 * (18 + 17 + 2)),
        # depthwise: one output of all 3 channels, so that their additions, biases and ReLUs are one for each position
        (nn.DepthwiseConv2d(3, 3, padding="same"), (6, 5, 3), 1, 6 * 5 * (27 + 26 + 2)),
    ],
)
def test_the_rigl_authors_counting_by_hand(layer, shape, density, count):
    sites = site(layer, *shape)
    assert flops.count(sites, {"layer.weight": density}, "rigl") == pytest.approx({"layer.weight": count})


@pytest.mark.parametrize(
    ("layer", "shape", "density", "count"),
    [
        # 5 inputs and 4 outputs read as 4 inputs and 5 outputs: 4 products, 3 additions, a bias and a ReLU
        (nn.Linear(5, 4), (5,), 1, 5 * (4 + 3 + 1 + 1)),
        (nn.Linear(5, 4), (5,), 0.5, 5 * (2 + 1 + 1 + 1)),
        # 2 channels to 4 read as 4 to 2: 36 products, 35 additions and a ReLU, no bias, in 3 × 3 true positions
        (nn.Conv2d(2, 4, 3, stride=2, padding="same", bias=False), (6, 5, 2), 1, 9 * 2 * (36 + 35 + 1)),
        (nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False), (6, 5, 2), 1, 9 * 2 * (36 + 35 + 1)),
        (nn.DepthwiseConv2d(3, 3, padding="same", bias=False), (6, 5, 3), 1, 6 * 5 * 3 * (9 + 8 + 1)),
    ],
)
def test_the_reproducibility_reports_counting_by_hand(layer, shape, density, count):
    sites = site(layer, *shape)
    ours = flops.count(sites, {"layer.weight": density}, "rigl-reproducibility")
    assert ours == pytest.approx({"layer.weight": count})


@pytest.mark.parametrize(
    ("convention", "dense", "half"),  # bytes of weights (5, 4): the values, a mask of 20 bits, biases
    [
        ("clean", 20 * 4, 10 * 4 + 2.5),
        ("rigl", 20 * 4 + 4 * 4, 10 * 4 + 2.5 + 4 * 4),
        ("rigl-reproducibility", 20 * 4 + 5 * 4, 10 * 4 + 2.5 + 5 * 4),
    ],
)
def test_sizes_by_hand(convention, dense, half):
    sites = site(nn.Linear(5, 4), 5)
    assert flops.size(sites, {}, convention) == {"layer.weight": dense}
    assert flops.size(sites, {"layer.weight": 1}, convention) == {"layer.weight": dense}
    assert flops.size(sites, {"layer.weight": 0.5}, convention) == {"layer.weight": half}


def test_sizes_of_convolutions_by_hand():
    assert flops.size(site(nn.DepthwiseConv2d(3, 3), 6, 5, 3), {}, "rigl") == {"layer.weight": 4 * (27 + 1)}
    conv = site(nn.Conv2d(2, 4, 3), 6, 5, 2)
    assert flops.size(conv, {}, "rigl") == {"layer.weight": 4 * (72 + 4)}
    assert flops.size(conv, {}, "rigl-reproducibility") == {"layer.weight": 4 * 72}


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_clean_size_is_what_is_stored(n_in, n_out, data):
    kept = data.draw(st.integers(0, n_in * n_out))
    kind = "dense" if kept == n_in * n_out else "bitmask"
    ours = flops.size(site(nn.Linear(n_in, n_out), n_in), {"layer.weight": kept / (n_in * n_out)})
    assert ours["layer.weight"] == pytest.approx(flops.storage((n_in, n_out), kept, kind))


@pytest.mark.parametrize("function", [flops.count, flops.size])
@pytest.mark.parametrize("convention", ["clean", "rigl", "rigl-reproducibility"])
def test_counts_and_sizes_refuse_what_they_do_not_know(function, convention):
    with pytest.raises(
        ValueError, match=r"densities has \['fc9'\], which are not sites; expected names in \['fc1\.weight"
    ):
        function(SITES, {"fc9": 0.5}, convention)
    for wrong in (1.5, -0.1, math.nan):
        with pytest.raises(ValueError, match=rf"density of 'fc1\.weight' is {wrong}; expected a number from 0 to 1"):
            function(SITES, {"fc1.weight": wrong}, convention)
    with pytest.raises(ValueError, match="convention is 'keras'; expected clean, rigl, rigl-reproducibility"):
        function(SITES, {}, "keras")


def test_counts_keep_the_order_of_the_network():
    assert list(flops.count(iter(SITES), {"fc3.weight": 0.5})) == ["fc1.weight", "fc2.weight", "fc3.weight"]


# Memory of training, against arrays that are there
