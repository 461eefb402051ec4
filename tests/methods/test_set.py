from math import floor, inf, nan

import numpy as np
import pytest
from arrays import back, give
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_methods import slow_kept, slow_set_counts, slow_set_kept, slow_set_update, slow_set_update_by_magnitude
from strategies import layers

from minisparse.masks import project
from minisparse.methods.set import set_counts, set_update, set_update_by_magnitude

many = settings(max_examples=examples(200))


def bits(text):
    return np.array([c == "1" for c in text])


def update(xp, weight, mask, noise, *n):
    function = set_update if len(n) == 2 else set_update_by_magnitude
    return back(function(give(xp, weight), give(xp, mask), give(xp, noise), *n))


@st.composite
def signed_layers(draw, distinct_scores=False):
    """As `layers`, with a legal count for either sign in place of one for both."""
    weight, mask, noise, _ = draw(layers(distinct_scores))
    n_negative = int((mask & (weight < 0)).sum())
    n_positive = int(mask.sum()) - n_negative
    return weight, mask, noise, draw(st.integers(0, n_negative)), draw(st.integers(0, n_positive))


TEN = [-5.0, -4, -3, -2, -1, 1, 2, 3, 4, 5]
ON, LAST = [0.0] * 10, [*range(10), 20, 20, 30, 10]


@pytest.mark.parametrize(
    ("weight", "mask", "zeta", "gone"),
    [
        (TEN, "1111111111", 0.4, [-2, -1, 1, 2]),
        (list(range(1, 11)), "1111111111", 0.3, [1, 2, 3]),
        ([-w for w in range(1, 11)], "1111111111", 0.3, [-3, -2, -1]),
        ([0.5, 1.0, 1.0, 2.0, -1.0, -3.0], "111111", 0.5, [-1, 0.5, 1.0]),
        ([0.0, 3, 0, -2, 0, -1], "101111", 0.5, [-1, 0]),
        ([3.0], "1", 0.9, []),
        ([2.0, 2, 2, 2], "1111", 0.5, [2, 2]),
        (TEN, "1111111111", 0.3, [-1, 1]),
        (TEN, "1111111111", 1.0, TEN),
        (TEN, "1111111111", 0.0, []),
    ],
)
def test_of_either_sign_zeta_go_and_they_are_the_nearest_zero(xp, weight, mask, zeta, gone):
    """Ten places more are free, and the noise is largest there, so that nothing returns."""
    weight, mask = np.array(weight + ON), np.concatenate([bits(mask), bits("0" * 10)])
    noise = np.arange(weight.size, dtype=float)
    n = set_counts(give(xp, weight), give(xp, mask), zeta)
    new = update(xp, weight, mask, noise, *n)
    assert sorted(weight[mask & ~new].tolist()) == gone
    assert new.sum() == mask.sum()


def test_removal_by_sign_differs_from_removal_by_magnitude_where_one_sign_is_larger(xp):
    weight, mask = np.array([-0.1, -0.2, 5, 6, 0, 0]), bits("111100")
    noise = np.array([0.0, 0, 0, 0, 2, 1])
    assert update(xp, weight, mask, noise, 1, 1).tolist() == bits("010111").tolist()
    assert update(xp, weight, mask, noise, 2).tolist() == bits("001111").tolist()


CASES = {
    "the largest noise grows": ([-2.0, -1, 1, 2, 0, 0, 0], "1111000", [9, 0, 0, 9, 0.1, 0.5, 0.3], (1, 1), "1001011"),
    "a dropped connection returns at once": ([-2.0, -1, 1, 2, 0, 0], "111100", [0, 8, 0, 0, 0, 1], (1, 1), "110101"),
    "noise is not an absolute value": ([1.0, 0, 0], "100", [-1, -9, -0.5], (0, 1), "001"),
    "active zeros go with the positive": ([0.0, 0, -1, 0, 0], "01100", [0, 0, 0, 1, 2], (0, 1), "00101"),
    "equal weights go at the lowest": ([-1.0, -1, 1, 1, 0, 0], "111100", [0, 0, 0, 0, 1, 1], (1, 1), "010111"),
    "equal noise grows at the lowest": ([-1.0, -2, 1, 2, 0, 0], "111100", [0.5] * 6, (1, 1), "111100"),
    "stored values of absent weights do not count": ([9.0, -0.1, 1, -2], "0011", [1, 0, 0, 0], (1, 0), "1010"),
    "nothing to move": ([-2.0, 1, 0], "110", [1, 2, 3], (0, 0), "110"),
    "everything moves": ([-2.0, 1, 0, 0], "1100", [0, 0, 1, 1], (1, 1), "0011"),
    "a dense layer stays": ([-2.0, 1, 3], "111", [1, 2, 3], (1, 2), "111"),
    "an empty layer stays empty": ([0.0, 0], "00", [1, 2], (0, 0), "00"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_set_update_by_hand(xp, case, dtype):
    weight, mask, noise, n, expected = CASES[case]
    got = update(xp, np.array(weight, dtype), bits(mask), np.array(noise, dtype), *n)
    assert got.dtype == bool
    assert got.tolist() == bits(expected).tolist()


@given(signed_layers())
@many
def test_set_update_equals_its_slow_twin(xp, layer):
    got = update(xp, *layer)
    assert got.dtype == bool
    assert got.shape == layer[1].shape
    assert (got == slow_set_update(*layer)).all()


@given(layers())
@many
def test_set_update_by_magnitude_equals_its_slow_twin(xp, layer):
    assert (update(xp, *layer) == slow_set_update_by_magnitude(*layer)).all()


@given(signed_layers())
@many
def test_the_number_of_connections_stays_and_as_many_go_as_were_asked_for(layer):
    weight, mask, _, n_negative, n_positive = layer
    new = set_update(*layer)
    assert new.sum() == mask.sum()
    assert (new >= slow_set_kept(weight, mask, n_negative, n_positive)).all()
    assert (mask & ~new).sum() == (new & ~mask).sum() <= n_negative + n_positive


@given(signed_layers())
@many
def test_no_gone_connection_was_further_from_zero_than_one_of_its_sign_that_stayed(layer):
    weight, mask, _, *n = layer
    gone, kept = mask & ~set_update(*layer), slow_set_kept(weight, mask, *n)
    for of_sign in (weight < 0, weight >= 0):
        assert abs(weight[gone & of_sign]).max(initial=0) <= abs(weight[kept & of_sign]).min(initial=inf)


@given(signed_layers())
@many
def test_no_grown_position_has_less_noise_than_a_candidate_that_was_left(layer):
    weight, mask, noise, *n = layer
    new, kept = set_update(*layer), slow_set_kept(weight, mask, *n)
    assert (new & ~kept).sum() == sum(n)
    assert noise[~new].max(initial=-inf) <= noise[new & ~kept].min(initial=inf)


@given(layers())
@many
def test_by_magnitude_the_number_stays_and_the_smallest_go(layer):
    weight, mask, _, k = layer
    new, kept = set_update_by_magnitude(*layer), slow_kept(weight, mask, k)
    assert new.sum() == mask.sum()
    assert (new >= kept).all()
    assert abs(weight[mask & ~new]).max(initial=0) <= abs(weight[kept]).min(initial=inf)


@given(signed_layers())
@many
def test_after_projection_grown_and_dropped_weights_are_zero_and_kept_ones_as_they_were(layer):
    weight, mask = np.where(np.isinf(layer[0]), 9.0, layer[0]), layer[1]
    new = set_update(*layer)
    after = project({"w": weight}, {"w": new})["w"]
    assert not after[~new].any()
    assert not after[new & ~mask].any()
    assert (after[new & mask] == weight[new & mask]).all()


@given(signed_layers())
@many
def test_the_arguments_are_left_as_they_were_and_the_result_is_new(layer):
    before = [a.copy() for a in layer[:3]]
    results = set_update(*layer), set_update_by_magnitude(*layer[:3], sum(layer[3:]))
    assert all((a == b).all() for a, b in zip(layer[:3], before, strict=True))
    assert not any(np.shares_memory(new, layer[1]) for new in results)


@given(layers())
def test_moving_nothing_changes_nothing(xp, layer):
    weight, mask, noise, _ = layer
    assert (update(xp, weight, mask, noise, 0, 0) == mask).all()
    assert (update(xp, weight, mask, noise, 0) == mask).all()


@given(signed_layers(distinct_scores=True), st.randoms())
@many
def test_distinct_scores_permute_with_their_positions(layer, random):
    weight, mask, noise, *n = layer
    order = list(range(mask.size))
    random.shuffle(order)
    shuffled = [a.ravel()[order] for a in (weight, mask, noise)]
    assert (set_update(*shuffled, *n) == set_update(*layer).ravel()[order]).all()
    k = sum(n)
    by_magnitude = set_update_by_magnitude(weight, mask, noise, k).ravel()[order]
    assert (set_update_by_magnitude(*shuffled, k) == by_magnitude).all()


@given(signed_layers())
@many
def test_ties_follow_c_order_whatever_the_layout(layer):
    weight, mask, noise, *n = layer
    in_fortran_order = set_update(*map(np.asfortranarray, (weight, mask, noise)), *n)
    assert (in_fortran_order == set_update(*layer)).all()


@given(signed_layers(), st.data())
@many
def test_stored_values_of_absent_weights_do_not_matter(layer, data):
    weight, mask, noise, *n = layer
    stale = np.where(mask, weight, data.draw(hnp.arrays(float, mask.shape, elements=st.integers(-9, 9))))
    assert (set_update(stale, mask, noise, *n) == set_update(*layer)).all()
    assert set_counts(stale, mask, 0.5) == set_counts(weight, mask, 0.5)


def test_every_free_position_is_equally_likely_to_grow():
    rng, weight = np.random.default_rng(0), np.array([-4.0, -1, 1, 4, 0, 0, 0, 0])
    grown = sum(set_update(weight, weight != 0, rng.random(8), 1, 1) for _ in range(6000))
    assert grown[[0, 3]].tolist() == [6000, 6000]
    expected = 6000 * 2 / 6
    chi_square = ((grown[[1, 2, 4, 5, 6, 7]] - expected) ** 2 / expected).sum()
    assert chi_square < 20.5  # 5 degrees of freedom, p = 0.001


@pytest.mark.parametrize(
    ("zeta", "counts"), [(0.0, (0, 0)), (0.3, (0, 1)), (0.34, (1, 2)), (0.5, (1, 3)), (0.99, (2, 5)), (1.0, (3, 6))]
)
def test_counts_are_the_floor_of_each_tail_and_a_zero_is_positive(xp, zeta, counts):
    weight = np.array([-1.0, -2, -3, 0, -0.0, 1, 2, 3, 4, -9, 9])
    got = set_counts(give(xp, weight), give(xp, bits("11111111100")), zeta)
    assert got == counts
    assert all(type(n) is int for n in got)


@given(layers(), st.floats(0, 1))
@many
def test_counts_equal_their_slow_twin(layer, zeta):
    weight, mask, *_ = layer
    assert set_counts(weight, mask, zeta) == slow_set_counts(weight, mask, zeta)
    assert sum(set_counts(weight, mask, zeta)) <= floor(zeta * mask.sum() + 1e-9)


@pytest.mark.parametrize("zeta", [-0.1, 1.1, nan])
def test_a_zeta_outside_zero_to_one_is_refused(xp, zeta):
    with pytest.raises(ValueError, match=rf"zeta is {zeta}; expected a drop fraction from 0 to 1"):
        set_counts(give(xp, np.ones(2)), give(xp, bits("11")), zeta)


@pytest.mark.parametrize(("weight", "noise"), [([nan, 2, 3, 4], [1, 1, 1, 1]), ([1, 2, 3, 4], [1, 1, 1, nan])])
def test_nan_is_refused_wherever_it_is(xp, weight, noise):
    weight, noise = np.array(weight, dtype=float), np.array(noise, dtype=float)
    for n in [(0, 1), (1,)]:
        with pytest.raises(ValueError, match="NaN at 1 of 4 entries"):
            update(xp, weight, bits("0110"), noise, *n)


@pytest.mark.parametrize("n", [(2, 0), (0, 3), (-1, 0), (4,)])
def test_more_than_there_are_of_a_sign_are_refused(xp, n):
    with pytest.raises(ValueError, match=r"expected a whole number from 0 to"):
        update(xp, np.array([-1.0, 1, 2, 0]), bits("1110"), np.ones(4), *n)


@pytest.mark.parametrize("n", [(1.0, 0), (0, True), (1.0,)])
def test_counts_that_are_no_whole_numbers_are_refused(xp, n):
    with pytest.raises(TypeError, match=r"expected a whole number from 0 to"):
        update(xp, np.array([-1.0, 1, 2, 0]), bits("1110"), np.ones(4), *n)


@pytest.mark.parametrize("n", [(0, 1), (1,)])
def test_shapes_that_differ_are_refused(xp, n):
    with pytest.raises(ValueError, match=r"mask has shape \(3, 2\), weight has \(2, 3\)"):
        update(xp, np.ones((2, 3)), np.ones((3, 2), bool), np.ones((2, 3)), *n)
    with pytest.raises(ValueError, match=r"noise has shape \(6,\), weight has \(2, 3\)"):
        update(xp, np.ones((2, 3)), np.ones((2, 3), bool), np.ones(6), *n)
    with pytest.raises(ValueError, match=r"mask has shape \(1,\), weight has \(2,\)"):
        set_counts(give(xp, np.ones(2)), give(xp, bits("1")), 0.5)


@pytest.mark.parametrize("n", [(0, 1), (1,)])
def test_a_mask_that_is_not_boolean_is_refused(xp, n):
    with pytest.raises(TypeError, match="has dtype int64; expected bool"):
        update(xp, np.ones(4), np.array([1, 1, 0, 0]), np.ones(4), *n)
