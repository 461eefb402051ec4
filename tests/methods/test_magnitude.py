from fractions import Fraction
from math import inf, nan, sqrt

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import examples
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_methods import (
    slow_global_magnitude_masks,
    slow_magnitude_mask,
    slow_remove_dead_units,
    slow_threshold,
)
from strategies import distinct, layers, mask_chains, tied

from minisparse.methods.magnitude import (
    global_magnitude_masks,
    leading_on,
    led_to,
    magnitude_mask,
    remove_dead_units,
    retrain_dropout,
    threshold_mask,
)

many = settings(max_examples=examples(200))
HAN = [0.1, -0.2, 0.3, -0.4, 0.5]


def bits(text):
    return np.array([c == "1" for c in text])


def by_rank(xp, weight, n_keep, mask=None):
    return back(magnitude_mask(give(xp, weight), n_keep, None if mask is None else give(xp, mask)))


def by_threshold(xp, weight, quality, mask=None):
    return back(threshold_mask(give(xp, weight), quality, None if mask is None else give(xp, mask)))


@st.composite
def stacks(draw):
    """A few layers' weights and masks, and how many of their connections to keep."""
    pairs = draw(st.lists(layers(), min_size=1, max_size=4))
    weights, masks = ({f"layer{i}": pair[j] for i, pair in enumerate(pairs)} for j in (0, 1))
    return weights, draw(st.integers(0, sum(int(mask.sum()) for mask in masks.values()))), masks


@pytest.mark.parametrize(
    ("weight", "n_keep", "mask", "expected"),
    [
        ([1.0, 2, 2, 2, 2, 0], 3, None, "011100"),
        ([2.0, 2, 2, 2, 2, 2], 3, None, "111000"),
        ([1.0, -2, 2, -2, 2, 0], 3, "101111", "001110"),
        ([-5.0, 4, -3, 2, -1, 0], 2, None, "110000"),
        ([9.0, 9, 0, 0, 1, 0], 3, "001111", "001110"),
        ([-inf, 4, inf, 2, -1, 0], 2, None, "101000"),
        ([1.0, 2, 3, 4, 5, 6], 0, None, "000000"),
        ([1.0, 2, 3, 4, 5, 6], 6, None, "111111"),
        ([1.0, 2, 3, 4, 5, 6], 0, "000000", "000000"),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_magnitude_mask_by_hand(xp, weight, n_keep, mask, expected, dtype):
    got = by_rank(xp, np.array(weight, dtype=dtype), n_keep, None if mask is None else bits(mask))
    assert got.dtype == bool
    assert got.tolist() == bits(expected).tolist()


@given(layers())
@many
def test_magnitude_mask_equals_its_slow_twin(xp, layer):
    weight, mask, _, n_keep = layer
    got = by_rank(xp, weight, n_keep, mask)
    assert got.shape == weight.shape
    assert (got == slow_magnitude_mask(weight, n_keep, mask)).all()
    assert (by_rank(xp, weight, n_keep) == slow_magnitude_mask(weight, n_keep)).all()


@given(layers())
@many
def test_exactly_n_of_the_old_connections_stay_and_none_that_went_was_larger(layer):
    weight, mask, _, n_keep = layer
    new = magnitude_mask(weight, n_keep, mask)
    assert new.sum() == n_keep
    assert not (new & ~mask).any()
    assert abs(weight[mask & ~new]).max(initial=0) <= abs(weight[new]).min(initial=inf)


@given(layers())
@many
def test_pruning_again_to_the_same_count_changes_nothing(layer):
    weight, mask, _, n_keep = layer
    once = magnitude_mask(weight, n_keep, mask)
    assert (magnitude_mask(weight, n_keep, once) == once).all()
    pruned = np.where(once, weight, 0.0)
    assert (magnitude_mask(pruned, n_keep, once) == once).all()


@given(layers())
@many
def test_pruning_in_two_rounds_or_in_one_is_the_same_while_weights_stay(layer):
    weight, mask, _, n_keep = layer
    halfway = magnitude_mask(weight, (n_keep + int(mask.sum())) // 2, mask)
    assert (magnitude_mask(weight, n_keep, halfway) == magnitude_mask(weight, n_keep, mask)).all()


@given(layers(distinct_scores=True), st.randoms())
@many
def test_distinct_weights_permute_with_their_positions(layer, random):
    weight, mask, _, n_keep = layer
    order = list(range(mask.size))
    random.shuffle(order)
    shuffled = magnitude_mask(weight.ravel()[order], n_keep, mask.ravel()[order])
    assert (shuffled == magnitude_mask(weight, n_keep, mask).ravel()[order]).all()


@given(layers(), st.sampled_from([-1.0, 2.0, -0.5, 3.0]), st.data())
@many
def test_signs_and_scale_and_stored_values_do_not_matter(layer, factor, data):
    weight, mask, _, n_keep = layer
    flips = data.draw(hnp.arrays(float, mask.shape, elements=st.sampled_from([1.0, -1.0])))
    stale = data.draw(hnp.arrays(float, mask.shape, elements=st.integers(-9, 9)))
    expected = magnitude_mask(weight, n_keep, mask)
    assert (magnitude_mask(factor * flips * np.where(mask, weight, stale), n_keep, mask) == expected).all()


@given(layers())
@many
def test_the_arguments_are_left_as_they_were_and_the_results_are_new(layer):
    weight, mask, _, n_keep = layer
    before = weight.copy(), mask.copy()
    finite = np.where(np.isinf(weight), 9.0, weight)
    results = [magnitude_mask(weight, n_keep, mask), threshold_mask(finite, 0.5, mask),
               remove_dead_units({"only": mask.reshape(1, -1)}, ["only"])["only"]]  # fmt: skip
    assert (weight == before[0]).all()
    assert (mask == before[1]).all()
    assert not any(np.shares_memory(new, mask) for new in results)


@given(stacks())
@many
def test_one_ranking_over_all_layers_equals_its_slow_twin(xp, stack):
    weights, n_keep, masks = stack
    got = global_magnitude_masks(give_all(xp, weights), n_keep, give_all(xp, masks))
    want = slow_global_magnitude_masks(weights, n_keep, masks)
    assert list(got) == list(weights)
    for name in weights:
        assert got[name].shape == weights[name].shape
        assert (back(got[name]) == want[name]).all()


@given(stacks())
def test_without_masks_every_connection_may_stay(stack):
    weights, n_keep, _ = stack
    full = {name: np.ones(w.shape, bool) for name, w in weights.items()}
    got, want = global_magnitude_masks(weights, n_keep), global_magnitude_masks(weights, n_keep, full)
    assert all((got[name] == want[name]).all() for name in weights)


def test_one_ranking_and_one_per_layer_differ_on_layers_of_another_scale(xp):
    weights = {"a": give(xp, np.array([0.4, -0.3, 0.2, 0.1])), "b": give(xp, np.array([[4.0, -3], [2, 1]]))}
    together = global_magnitude_masks(weights, 4)
    assert [back(m).astype(int).tolist() for m in together.values()] == [[0, 0, 0, 0], [[1, 1], [1, 1]]]
    apart = {name: magnitude_mask(w, 2) for name, w in weights.items()}
    assert [back(m).astype(int).tolist() for m in apart.values()] == [[1, 1, 0, 0], [[1, 1], [0, 0]]]


def test_among_equals_the_earlier_layer_stays(xp):
    weights = {"b": give(xp, np.array([1.0, -1])), "a": give(xp, np.array([1.0, 1]))}
    got = global_magnitude_masks(weights, 3)
    assert [back(m).astype(int).tolist() for m in got.values()] == [[1, 1], [1, 0]]


def test_hans_threshold_divides_by_n(xp):
    # t = 1.1 √0.1064 = 0.358809141; dividing by n - 1 it would be 0.401160816 and -0.4 would go
    assert by_threshold(xp, np.array(HAN), 1.1).tolist() == [False, False, False, True, True]
    assert by_threshold(xp, np.array(HAN), 0.400 / sqrt(0.1064)).tolist() == [False, False, False, True, True]
    assert by_threshold(xp, np.array(HAN), 0.401 / sqrt(0.1064)).tolist() == [False, False, False, False, True]


def test_the_second_rounds_threshold_is_of_the_survivors_alone(xp):
    # the deviation of -0.4 and 0.5 is 0.45 and 1.1 times it 0.495; with three zeros among them it would be 0.324
    assert by_threshold(xp, np.array(HAN), 1.1, bits("00011")).tolist() == [False, False, False, False, True]
    assert by_threshold(xp, np.array([0, 0, 0, -0.4, 0.5]), 1.1, bits("00011")).tolist() == [False] * 4 + [True]


def test_a_weight_at_the_threshold_stays(xp):
    assert by_threshold(xp, np.array([1.0, -1, 1, -1]), 1.0).all()
    assert by_threshold(xp, np.array([3.0, 1, 3, 1]), 1.0).all()
    assert by_threshold(xp, np.array([3.0, 1, 3, 1]), 3.0).tolist() == [True, False, True, False]
    assert by_threshold(xp, np.array([0.0, 1, 0, 1]), 0.0).all()


def test_weights_that_are_all_equal_deviate_by_nothing_and_stay(xp):
    assert by_threshold(xp, np.full(8, 0.5), 100.0, bits("11110000")).tolist() == bits("11110000").tolist()


def test_the_deviation_is_taken_in_double_precision(xp):
    weight = np.array([1e-30, -1e-30, 1e-30, -1e-30], "f4")  # whose squares are zero in single precision
    assert not by_threshold(xp, weight, 2.0).any()
    assert by_threshold(xp, weight, 0.5).all()


@given(layers(), st.sampled_from([0.0, 0.3, 0.7, 1.1, 2.3]))
@many
def test_threshold_mask_equals_its_slow_twin(xp, layer, quality):
    weight, mask = np.where(np.isinf(layer[0]), 9.0, layer[0]), layer[1]
    threshold = slow_threshold(weight, quality, mask)
    assume(not np.isclose(abs(weight[mask]), threshold, rtol=1e-9, atol=0).any())
    got = by_threshold(xp, weight, quality, mask)
    assert got.dtype == bool
    assert (got == (mask & (abs(weight) >= threshold))).all()
    full = np.ones_like(mask)
    assert (by_threshold(xp, weight, quality) == by_threshold(xp, weight, quality, full)).all()


def test_an_empty_layer_stays_empty(xp):
    assert not by_threshold(xp, np.ones((2, 3)), 0.0, np.zeros((2, 3), bool)).any()
    assert by_threshold(xp, np.ones((0, 3)), 1.0).shape == (0, 3)


@pytest.mark.parametrize("quality", [-0.1, nan, inf])
def test_a_quality_that_is_no_finite_number_from_0_is_refused(xp, quality):
    with pytest.raises(ValueError, match=rf"quality is {quality}; expected a finite number from 0"):
        by_threshold(xp, np.array(HAN), quality)


def test_surviving_weights_that_are_not_finite_are_refused(xp):
    weight = np.array([1.0, nan, inf, 2, nan])
    with pytest.raises(ValueError, match="weight is not finite at 2 of 4 connections"):
        by_threshold(xp, weight, 1.0, bits("11110"))
    assert by_threshold(xp, weight, 1.0, bits("10010")).tolist() == bits("10010").tolist()


def test_nan_is_refused_in_a_ranking(xp):
    with pytest.raises(ValueError, match="NaN at 1 of 2 entries"):
        by_rank(xp, np.array([1.0, nan]), 1)


@pytest.mark.parametrize(("n_keep", "error"), [(3, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError)])
def test_a_count_that_the_layer_does_not_have_is_refused(xp, n_keep, error):
    message = rf"n_keep is {n_keep}; expected a whole number from 0 to 2"
    with pytest.raises(error, match=message):
        by_rank(xp, np.ones(4), n_keep, bits("1100"))
    with pytest.raises(error, match=message):
        global_magnitude_masks({"a": give(xp, np.ones(2))}, n_keep)


def test_masks_that_do_not_fit_are_refused(xp):
    with pytest.raises(ValueError, match=r"mask has shape \(3,\), weight has \(4,\)"):
        by_rank(xp, np.ones(4), 1, bits("110"))
    with pytest.raises(ValueError, match=r"mask has shape \(3,\), weight has \(4,\)"):
        by_threshold(xp, np.ones(4), 1, bits("110"))
    for function in (by_rank, by_threshold):
        with pytest.raises(TypeError, match="mask has dtype int64; expected bool"):
            function(xp, np.ones(4), 1, np.array([1, 1, 0, 0]))
    one = {"a": give(xp, np.ones(2))}
    with pytest.raises(ValueError, match="'b' is only in masks"):
        global_magnitude_masks(one, 1, {"a": give(xp, bits("11")), "b": give(xp, bits("11"))})
    with pytest.raises(ValueError, match="mask for 'a' has shape"):
        global_magnitude_masks(one, 1, {"a": give(xp, bits("111"))})
    with pytest.raises(ValueError, match="weights is empty"):
        global_magnitude_masks({}, 0)


@pytest.mark.parametrize(
    ("rate", "n_kept", "n_original", "expected"),
    [(0.5, 25, 100, 0.25), (0.5, 100, 100, 0.5), (0.5, 0, 100, 0.0), (0.0, 50, 100, 0.0), (0.5, 9, 16, 0.375)],
)
def test_dropout_falls_with_the_root_of_the_connections_that_are_left(rate, n_kept, n_original, expected):
    assert retrain_dropout(rate, n_kept, n_original) == expected


@given(st.floats(0, 0.99), st.integers(1, 10**7), st.data())
def test_the_dropout_rule_is_the_papers_equation(rate, n_original, data):
    n_kept = data.draw(st.integers(0, n_original))
    got = retrain_dropout(rate, n_kept, n_original)
    assert 0 <= got <= rate
    assert got**2 == pytest.approx(rate**2 * float(Fraction(n_kept, n_original)), rel=1e-12)
    assert got == pytest.approx(rate * sqrt(n_kept) / sqrt(n_original), rel=1e-12)


@pytest.mark.parametrize(
    ("rate", "n_kept", "n_original", "message"),
    [
        (1.0, 1, 2, "rate is 1.0; expected a dropout rate in"),
        (-0.1, 1, 2, "rate is -0.1"),
        (nan, 1, 2, "rate is nan"),
        (0.5, 3, 2, "n_kept is 3; expected a whole number from 0 to 2"),
        (0.5, -1, 2, "n_kept is -1"),
        (0.5, 0, 0, "n_original is 0; expected a whole number from 1"),
    ],
)
def test_dropout_outside_its_range_is_refused(rate, n_kept, n_original, message):
    with pytest.raises(ValueError, match=message):
        retrain_dropout(rate, n_kept, n_original)


def mask(rows):
    return np.array([[c == "1" for c in row] for row in rows.split()])


CHAINS = {
    "a unit without inputs loses its outputs": ("10 10", "11 11", "10 10", "11 00"),
    "a unit without outputs loses its inputs": ("11 11", "10 00", "10 10", "10 00"),
    "a network's inputs and outputs are no units": ("11 00", "10 10", "11 00", "10 10"),
    "nothing to do": ("10 01", "01 10", "10 01", "01 10"),
    "nothing left": ("10 10", "00 11", "00 00", "00 00"),
}


@pytest.mark.parametrize("case", CHAINS)
def test_dead_units_by_hand(xp, case):
    first, second, want_first, want_second = map(mask, CHAINS[case])
    alive = remove_dead_units({"fc1": give(xp, first), "fc2": give(xp, second)}, ["fc1", "fc2"])
    assert back(alive["fc1"]).tolist() == want_first.tolist()
    assert back(alive["fc2"]).tolist() == want_second.tolist()


def test_a_dead_unit_takes_others_with_it_in_either_direction(xp):
    forward = "1000", "1000 0100 0000 0000", "1000 0011 0000 0000", "1 1 1 1"
    backward = "1111", "1000 0100 0000 0000", "1000 0100 0000 0000", "1 0 0 0"
    for rows in (forward, backward):
        masks = dict(zip("abcd", map(mask, rows), strict=True))
        alive = remove_dead_units(give_all(xp, masks), list(masks))
        assert {name: int(back(m).sum()) for name, m in alive.items()} == {"a": 1, "b": 1, "c": 1, "d": 1}


def test_a_flattened_image_has_its_channels_last(xp):
    kernel = np.zeros((1, 1, 1, 3), bool)
    kernel[..., 0] = kernel[..., 2] = True  # channel 1 has no input
    after = np.ones((6, 2), bool)  # two pixels of three channels
    after[[0, 3]] = False  # channel 0 has no output, at either pixel
    alive = remove_dead_units({"conv": give(xp, kernel), "fc": give(xp, after)}, ["conv", "fc"])
    assert back(alive["conv"])[0, 0, 0].tolist() == [False, False, True]
    assert back(alive["fc"]).any(axis=1).tolist() == [False, False, True, False, False, True]


def test_one_position_of_a_kernels_window_is_a_connection(xp):
    kernel = np.zeros((2, 2, 1, 2), bool)
    kernel[1, 0, 0, 1] = True
    alive = remove_dead_units({"conv": give(xp, kernel), "fc": give(xp, np.ones((8, 1), bool))}, ["conv", "fc"])
    assert (back(alive["conv"]) == kernel).all()
    assert back(alive["fc"])[:, 0].tolist() == [False, True] * 4


@given(mask_chains())
@many
def test_remove_dead_units_equals_its_slow_twin(xp, masks):
    alive, want = remove_dead_units(give_all(xp, masks), list(masks)), slow_remove_dead_units(masks, list(masks))
    assert list(alive) == list(masks)
    for name, old in masks.items():
        new = back(alive[name])
        assert new.dtype == bool
        assert (new == want[name]).all()
        assert not (new & ~old).any()


@given(mask_chains())
@many
def test_once_is_enough(masks):
    alive = remove_dead_units(masks, list(masks))
    again = remove_dead_units(alive, list(masks))
    assert all((again[name] == alive[name]).all() for name in masks)


@given(mask_chains())
def test_the_order_is_that_of_the_argument_not_of_the_dict(masks):
    backwards = dict(reversed(masks.items()))
    got, want = remove_dead_units(backwards, list(masks)), remove_dead_units(masks, list(masks))
    assert all((got[name] == want[name]).all() for name in masks)


def test_a_network_of_one_layer_has_no_units(xp):
    alive = remove_dead_units({"fc": give(xp, mask("100 000"))}, ["fc"])
    assert back(alive["fc"]).tolist() == mask("100 000").tolist()
    assert back(led_to({"fc": give(xp, mask("100 000"))}, ["fc"])["fc"]).all()
    assert back(leading_on({"fc": give(xp, mask("100 000"))}, ["fc"])["fc"]).all()


@pytest.mark.parametrize(
    ("masks", "order", "error", "message"),
    [
        ({"a": (2, 3), "b": (3, 1)}, ["a"], ValueError, "'b' is only in masks"),
        ({"a": (2, 3)}, ["a", "c"], ValueError, "'c' is only in order"),
        ({"a": (2, 3), "b": (4, 1)}, ["a", "b"], ValueError, "'b' has 4 inputs, 'a' before it 3 outputs"),
        (
            {"a": (3,)},
            ["a"],
            TypeError,
            r"mask for 'a' is bool of shape \(3,\); expected bool \(…, inputs",
        ),
    ],
)
def test_layers_that_do_not_follow_each_other_are_refused(xp, masks, order, error, message):
    masks = {name: give(xp, np.ones(shape, bool)) for name, shape in masks.items()}
    with pytest.raises(error, match=message):
        remove_dead_units(masks, order)


def test_masks_that_are_not_boolean_are_refused(xp):
    with pytest.raises(TypeError, match="mask for 'a' is int64"):
        remove_dead_units({"a": give(xp, np.ones((2, 2), int))}, ["a"])


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(tied((n,)), distinct((n,)))))
def test_hans_pruning_at_quality_zero_and_one_shot_at_full_size_keep_everything(pair):
    some, all_different = pair
    assert magnitude_mask(some, some.size).all()
    assert threshold_mask(all_different, 0.0).all()
