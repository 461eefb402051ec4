from fractions import Fraction
from itertools import pairwise
from math import fsum, inf, nan, prod

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_methods import er_raw, erk_raw, slow_apportion, slow_counts, slow_scaled
from strategies import budgets, densities, networks

from minisparse.allocate import apportion, counts, density_of, erdos_renyi, erdos_renyi_kernel, from_epsilon, uniform

many = settings(max_examples=examples(200))
ALLOCATIONS = [uniform, erdos_renyi, erdos_renyi_kernel]
HAND = {"a": (8, 4), "b": (4, 2)}
LENET_300_100 = {"fc1": (784, 300), "fc2": (300, 100), "fc3": (100, 10)}
LENET_5 = {"conv1": (5, 5, 1, 6), "conv2": (5, 5, 6, 16), "fc1": (400, 120), "fc2": (120, 84), "fc3": (84, 10)}
LENET_5_CAFFE = {"conv1": (5, 5, 1, 20), "conv2": (5, 5, 20, 50), "fc1": (800, 500), "fc2": (500, 10)}


def resnet_50():
    shapes, c = {"conv1": (7, 7, 3, 64)}, 64
    for stage, (width, blocks) in enumerate([(64, "abc"), (128, "abcd"), (256, "abcdef"), (512, "abc")], start=2):
        for block in blocks:
            name = f"res{stage}{block}_"
            if block == "a":
                shapes[name + "1"] = (1, 1, c, 4 * width)
            shapes[name + "2a"] = (1, 1, c, width)
            shapes[name + "2b"] = (3, 3, width, width)
            shapes[name + "2c"] = (1, 1, width, 4 * width)
            c = 4 * width
    return shapes | {"fc": (2048, 1000)}


def within(densities, names, shapes):
    return fsum(densities[name] * prod(shapes[name]) for name in names)


@pytest.mark.parametrize("allocation", [erdos_renyi, erdos_renyi_kernel])
@pytest.mark.parametrize(
    ("sparsity", "sparsities"),
    [
        (0.9, (0.920432229, 0.769811321, 0)),
        (0.98, (0.984606347, 0.955466332, 0.63259724)),
        (0.5, (0.565901361, 0, 0)),
    ],
)
def test_lenet_300_100_has_the_sparsities_of_rigls_code(allocation, sparsity, sparsities):
    got = allocation(LENET_300_100, density_of(sparsity))
    assert [1 - d for d in got.values()] == pytest.approx(sparsities, abs=1e-9)


@pytest.mark.parametrize(
    ("allocation", "sparsity", "sparsities"),
    [
        (erdos_renyi_kernel, 0.9, (0.196470588, 0.905467128, 0.923192042, 0.856512605, 0.20659911)),
        (erdos_renyi_kernel, 0.95, (0.598235294, 0.952733564, 0.961596021, 0.928256303, 0.603299555)),
        (erdos_renyi, 0.9, (0, 0, 0.952362469, 0.911006811, 0.507920014)),
    ],
)
def test_lenet_5_has_the_sparsities_of_rigls_code(allocation, sparsity, sparsities):
    got = allocation(LENET_5, density_of(sparsity))
    assert [1 - d for d in got.values()] == pytest.approx(sparsities, abs=1e-9)


@pytest.mark.parametrize(
    ("allocation", "sparsity", "expected"),
    [
        (erdos_renyi_kernel, 0.9, (1, 0.08707, 0.08843, 1)),
        (erdos_renyi_kernel, 0.95, (0.72612, 0.03748, 0.03806, 1)),
        (erdos_renyi_kernel, 0.98, (0.27789, 0.01434, 0.01457, 0.45717)),
        (erdos_renyi, 0.95, (1, 0.41341, 0.01919, 0.60240)),
    ],
)
def test_lenet_5_caffe_fills_its_small_layers_first(allocation, sparsity, expected):
    got = allocation(LENET_5_CAFFE, density_of(sparsity))
    assert list(got.values()) == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize(
    ("sparsity", "scale", "full", "expected"),
    [
        (
            0.8,
            99.5617,
            {"res2a_1", "res2a_2a", "res2b_2a", "res2c_2a", "res2a_2c", "res2b_2c", "res2c_2c", "res3a_2a"},
            (0.8572, 0.3619, 0.5849, 0.0874, 0.1459, 0.0435, 0.1482),
        ),
        (0.9, 48.7866, {"res2a_2a"}, (0.4200, 0.1773, 0.2866, 0.0428, 0.0715, 0.0213, 0.0726)),
        (0.95, 24.3721, set(), None),
        (0.99, 4.8748, set(), None),
    ],
)
def test_resnet_50_fills_its_layers_in_rounds(sparsity, scale, full, expected):
    shapes = resnet_50()
    got = erdos_renyi_kernel(shapes, density_of(sparsity))
    assert sum(map(prod, shapes.values())) == 25_502_912
    assert {name for name, d in got.items() if d == 1} == full
    assert got["fc"] * 2048 * 1000 / 3048 == pytest.approx(scale, rel=2e-4)  # theirs, with zeros rounded down first
    if expected:
        names = ("conv1", "res2a_2b", "res3a_1", "res4b_2b", "res5a_1", "res5c_2b", "fc")
        assert [got[name] for name in names] == pytest.approx(expected, abs=6e-5)


def test_two_layers_by_hand():
    assert erdos_renyi(HAND, 0.5) == pytest.approx({"a": 5 / 12, "b": 5 / 6})
    assert counts(HAND, erdos_renyi(HAND, 0.5)) == {"a": 13, "b": 7}


def test_two_layers_by_hand_with_one_full():
    assert erdos_renyi(HAND, 0.75) == pytest.approx({"a": 22 / 32, "b": 1})
    assert counts(HAND, erdos_renyi(HAND, 0.75)) == {"a": 22, "b": 8}


@given(networks(), st.sampled_from([(erdos_renyi, er_raw), (erdos_renyi_kernel, erk_raw)]))
@many
def test_densities_equal_those_of_the_slow_twin(network, allocation_and_raw):
    (shapes, density, dense), (allocation, raw) = network, allocation_and_raw
    got, want = allocation(shapes, float(density), dense), slow_scaled(shapes, density, dense, raw)
    assert got == pytest.approx({name: float(d) for name, d in want.items()}, rel=1e-12)


@given(networks(), st.sampled_from(ALLOCATIONS))
@many
def test_the_budget_is_spent_on_the_layers_that_are_not_dense(network, allocation):
    shapes, density, dense = network
    got = allocation(shapes, float(density), dense)
    free = [name for name in shapes if name not in dense]
    assert list(got) == list(shapes)
    assert all(0 < d <= 1 for d in got.values())
    assert all(got[name] == 1 for name in dense)
    assert within(got, free, shapes) == pytest.approx(float(density) * sum(prod(shapes[name]) for name in free))


@given(networks(), st.sampled_from(ALLOCATIONS))
@many
def test_the_total_of_the_counts_is_exact(network, allocation):
    shapes, density, dense = network
    got = counts(shapes, allocation(shapes, float(density), dense))
    exact = sum((1 if name in dense else density) * prod(shape) for name, shape in shapes.items())
    assert sum(got.values()) == round(exact)
    assert all(0 <= got[name] <= prod(shape) for name, shape in shapes.items())


@given(networks(), densities(low=Fraction(1, 64)), st.sampled_from(ALLOCATIONS))
@many
def test_a_larger_density_makes_no_layer_sparser(network, other, allocation):
    shapes, density, dense = network
    low, high = sorted((float(density), float(other)))
    less, more = allocation(shapes, low, dense), allocation(shapes, high, dense)
    assert all(less[name] <= more[name] + 1e-12 for name in shapes)


@given(networks(), st.randoms(), st.sampled_from(ALLOCATIONS))
@many
def test_the_order_of_layers_does_not_change_densities(network, random, allocation):
    shapes, density, dense = network
    names = list(shapes)
    random.shuffle(names)
    shuffled = allocation({name: shapes[name] for name in names}, float(density), dense)
    assert shuffled == pytest.approx(allocation(shapes, float(density), dense), rel=1e-12)


def test_erdos_renyi_ignores_the_kernel_and_its_kernel_form_does_not():
    shapes = {"conv": (3, 3, 8, 16), "fc": (8, 16)}
    er, erk = erdos_renyi(shapes, 0.1), erdos_renyi_kernel(shapes, 0.1)
    assert er["conv"] == er["fc"]
    assert erk["conv"] / erk["fc"] == pytest.approx((30 / 1152) / (24 / 128))


def test_dense_layers_stand_outside_the_budget():
    assert uniform(LENET_300_100, 0.1, dense=["fc1"]) == {"fc1": 1, "fc2": 0.1, "fc3": 0.1}
    got = erdos_renyi(LENET_300_100, 0.1, dense=("fc1",))
    assert got["fc1"] == 1
    assert within(got, ["fc2", "fc3"], LENET_300_100) == pytest.approx(3100)


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_every_layer_dense_at_density_one_is_legal(allocation):
    assert allocation(HAND, 1, dense=["a", "b"]) == {"a": 1, "b": 1}
    assert allocation(HAND, 1.0) == {"a": 1, "b": 1}


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("density", [0, -0.1, 1.01, nan, inf])
def test_a_density_outside_zero_to_one_is_refused(allocation, density):
    with pytest.raises(ValueError, match=rf"density is {density}; expected a number in \(0, 1\]"):
        allocation(HAND, density)


@pytest.mark.parametrize("allocation", [*ALLOCATIONS, from_epsilon])
def test_an_unknown_dense_layer_is_refused_with_the_layers_there_are(allocation):
    with pytest.raises(ValueError, match=r"dense names unknown layers \['c', 'd'\]; the layers are \['a', 'b'\]"):
        allocation(HAND, 0.5, dense=["d", "a", "c"])


@pytest.mark.parametrize("allocation", [*ALLOCATIONS, from_epsilon])
def test_dense_as_a_string_is_refused_with_the_list_that_was_meant(allocation):
    with pytest.raises(TypeError, match=r"dense is the string 'a'; expected a collection .* \['a'\]"):
        allocation(HAND, 0.5, dense="a")


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_no_layer_left_to_be_sparse_is_refused(allocation):
    with pytest.raises(ValueError, match=r"dense names every layer; expected at least one to have density 0\.5"):
        allocation(HAND, 0.5, dense=["a", "b"])


@pytest.mark.parametrize("allocation", [erdos_renyi, from_epsilon])
def test_a_bias_has_no_input_and_output_axis_and_is_refused(allocation):
    with pytest.raises(
        ValueError, match=r"shape \(10,\) has fewer than two axes; expected an input and an output axis"
    ):
        allocation({"bias": (10,)}, 0.5)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((784, 1000, 1000, 10), (35_680, 40_000, 10_000)),
        ((3072, 4000, 1000, 4000, 10), (141_440, 100_000, 100_000, 40_000)),
    ],
)
def test_sets_epsilon_20_gives_the_connections_of_its_networks(sizes, expected):
    shapes = {f"fc{i}": pair for i, pair in enumerate(pairwise(sizes))}
    assert list(counts(shapes, from_epsilon(shapes, 20)).values()) == list(expected)


def test_sets_epsilon_leaves_dense_layers_dense():
    assert from_epsilon(HAND, 1, dense=["a"]) == pytest.approx({"a": 1, "b": 6 / 8})


@pytest.mark.parametrize("eps", [0, -1, nan, inf])
def test_an_epsilon_that_is_not_positive_and_finite_is_refused(eps):
    with pytest.raises(ValueError, match=rf"eps is {eps}; expected a positive finite number"):
        from_epsilon(HAND, eps)


@given(networks(), st.data())
@many
def test_counts_equal_those_of_the_slow_twin(network, data):
    shapes = network[0]
    exact = {name: data.draw(densities()) for name in shapes}
    assert counts(shapes, {name: float(d) for name, d in exact.items()}) == slow_counts(shapes, exact)


@pytest.mark.parametrize(
    ("sparsities", "expected"),
    [((0.98, 0.882, 0), (4704, 3540, 1000)), ((0.99, 0.891, 0), (2352, 3270, 1000))],
)
def test_rigls_mnist_networks_have_their_papers_counts(sparsities, expected):
    densities = {name: density_of(s) for name, s in zip(LENET_300_100, sparsities, strict=True)}
    assert tuple(counts(LENET_300_100, densities).values()) == expected


def test_rigl_plus_has_its_papers_counts():
    shapes = {"fc1": (408, 100), "fc2": (100, 69), "fc3": (69, 10)}
    densities = {"fc1": density_of(0.96), "fc2": density_of(0.96, of=0.9), "fc3": 1.0}
    assert counts(shapes, densities) == {"fc1": 1632, "fc2": 938, "fc3": 690}


@pytest.mark.parametrize(("n", "density", "expected"), [(10, 0.9, 9), (10, 1 - 0.9, 1), (100, 0.29, 29), (10, 0, 0)])
def test_counts_do_not_fall_into_the_floor_trap(n, density, expected):
    assert counts({"a": (n,)}, {"a": density}) == {"a": expected}


@pytest.mark.parametrize(("density", "expected"), [(10 / 14, (4, 4, 2)), (11 / 14, (5, 5, 1))])
def test_a_larger_density_can_take_a_unit_from_a_layer(density, expected):
    shapes = {"a": (6,), "b": (2, 3), "c": (2,)}
    assert tuple(counts(shapes, dict.fromkeys(shapes, density)).values()) == expected


@pytest.mark.parametrize(
    ("n", "expected"), [(1, (0,)), (2, (1, 0)), (3, (1, 1, 0)), (4, (1, 1, 0, 0)), (5, (1, 1, 0, 0, 0))]
)
def test_a_half_total_goes_to_the_even_number_and_units_to_the_earlier_layers(n, expected):
    shapes = {f"layer{i}": (1, 1) for i in range(n)}
    assert tuple(counts(shapes, dict.fromkeys(shapes, 0.5)).values()) == expected


def test_remainders_that_differ_by_rounding_only_are_a_tie():
    shapes = {"a": (1,), "b": (1,)}
    assert counts(shapes, {"a": 0.5, "b": 0.5 + 1e-12}) == {"a": 1, "b": 0}
    assert counts(shapes, {"a": 0.5, "b": 0.5 + 1e-6}) == {"a": 0, "b": 1}


def test_counts_ask_for_the_same_layers():
    with pytest.raises(ValueError, match="shapes and densities must have the same keys; 'b' is only in shapes"):
        counts(HAND, {"a": 0.5})


@pytest.mark.parametrize("density", [-0.1, 1.1, nan])
def test_counts_refuse_a_density_outside_zero_to_one_by_the_name_of_its_layer(density):
    with pytest.raises(ValueError, match=rf"density of 'b' is {density}; expected a number from 0 to 1"):
        counts(HAND, {"a": 0.5, "b": density})


@given(budgets(st.integers(0, 6)))
@many
def test_apportion_equals_its_slow_twin(budget):
    assert apportion(*budget) == slow_apportion(*budget)


@given(budgets(st.floats(0, 1e6)))
@many
def test_apportion_is_exact_and_fits_for_any_shares(budget):
    total, shares, room = budget
    got = apportion(total, shares, room)
    assert list(got) == list(shares)
    assert sum(got.values()) == total
    assert all(0 <= got[name] <= room[name] for name in room)


@pytest.mark.parametrize(
    ("total", "shares", "room", "expected"),
    [
        (4, (0.058823529, 0.941176471), (9, 9), (0, 4)),
        (5, (0.002, 0.998), (18, 4), (1, 4)),
        (5, (1, 1, 1), (9, 9, 9), (2, 2, 1)),
        (4, (1, 0, 0), (2, 9, 9), (2, 1, 1)),
        (3, (0, 0), (9, 9), (2, 1)),
        (0, (1, 2), (3, 0), (0, 0)),
        (6, (5, 1), (3, 3), (3, 3)),
        (6, (1, 2, 3), (6, 1, 6), (1, 1, 4)),
    ],
)
def test_apportion_by_hand(total, shares, room, expected):
    names = "abc"[: len(shares)]
    got = apportion(total, dict(zip(names, shares, strict=True)), dict(zip(names, room, strict=True)))
    assert tuple(got.values()) == expected


@pytest.mark.parametrize(("total", "big"), [(10, 1e308), (10**6, 1e305)])
def test_apportion_takes_finite_shares_however_large(total, big):
    got = apportion(total, {"a": big, "b": 1.0, "c": big}, dict.fromkeys("abc", total))
    assert got == {"a": total // 2, "b": 0, "c": total // 2}


@pytest.mark.parametrize(("total", "error"), [(-1, ValueError), (8, ValueError), (3.0, TypeError), (True, TypeError)])
def test_apportion_refuses_a_total_that_does_not_fit(total, error):
    with pytest.raises(error, match=rf"total is {total}; expected a whole number from 0 to 7"):
        apportion(total, {"a": 1, "b": 1}, {"a": 3, "b": 4})


@pytest.mark.parametrize("share", [-0.5, nan, inf, -inf])
def test_apportion_refuses_a_share_by_the_name_of_its_layer(share):
    with pytest.raises(ValueError, match=rf"share of 'b' is {share}; expected a finite number from 0"):
        apportion(2, {"a": 1, "b": share}, {"a": 3, "b": 4})


@pytest.mark.parametrize(("places", "error"), [(-1, ValueError), (4.0, TypeError)])
def test_apportion_refuses_a_room_by_the_name_of_its_layer(places, error):
    with pytest.raises(error, match=rf"room of 'b' is {places}; expected a whole number from 0"):
        apportion(2, {"a": 1, "b": 1}, {"a": 3, "b": places})


def test_apportion_asks_for_the_same_layers():
    with pytest.raises(ValueError, match=r"shares and room .* same keys; 'a' is only in shares, 'c' is only in room"):
        apportion(2, {"a": 1, "b": 1}, {"b": 3, "c": 3})


@pytest.mark.parametrize(
    ("sparsity", "of", "density"), [(0.9, 1, 0.1), (0.98, 0.9, 0.118), (0, 1, 1.0), ("0.7", 1, 0.3)]
)
def test_a_sparsity_becomes_a_density_in_exact_decimals(sparsity, of, density):
    assert density_of(sparsity, of) == density


@pytest.mark.parametrize("sparsity", [1, 1.5, -0.1, float("nan"), float("inf")])
def test_a_sparsity_that_leaves_no_density_is_refused(sparsity):
    with pytest.raises(ValueError, match=rf"sparsity is {sparsity}; expected a fraction in \[0, 1\)"):
        density_of(sparsity)
