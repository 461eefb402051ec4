from math import cos, floor, inf, nan, pi

import numpy as np
import pytest
from arrays import back, give
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_methods import slow_kept, slow_rigl_update
from strategies import layers

from minisparse.masks import Masks, project
from minisparse.methods.rigl import rigl_count, rigl_update

many = settings(max_examples=examples(200))
BASIC = [4.0, 3, 2, 1, 0, 0, 0, 0], "11110000", [0.1, 0.1, 0.1, 0.1, 0.5, 0.9, 0.7, 0.2], 2


def bits(text):
    return np.array([c == "1" for c in text])


def update(xp, weight, mask, grad, k):
    return back(rigl_update(give(xp, weight), give(xp, mask), give(xp, grad), k))


CASES = {
    "the smallest go and the largest gradients come": (*BASIC, "11000110"),
    "a dropped connection returns at once": (*BASIC[:2], [0.1, 0.1, 0.1, 9, 0.5, 0.9, 0.7, 0.2], 2, "11010100"),
    "active zeros are the ones to go": (
        [0.0, 0, 0, 5, 0, 0, 0, 0],
        "00110001",
        [1.0, 2, 3, 4, 5, 6, 7, 8],
        1,
        "00010011",
    ),
    "absent weights with a value are absent": ([4.0, 3, 2, 1, 9, 9, 9, 9], *BASIC[1:], "11000110"),
    "equal gradients grow at the lowest": (*BASIC[:2], [0.5] * 8, 2, "11110000"),
    "equal weights drop at the lowest": ([1.0, 1, 1, 1, 0, 0, 0, 0], *BASIC[1:], "00110110"),
    "nothing to move": (*BASIC[:3], 0, "11110000"),
    "everything moves": (*BASIC[:3], 4, "00001111"),
    "a dense layer stays": ([4.0, 3, 2, 1], "1111", [0.1, 0.2, 0.3, 0.4], 3, "1111"),
    "the only connection moves": ([0.0, 0, 5, 0], "0010", [1.0, 2, 3, 4], 1, "0001"),
    "the only connection stays": ([0.0, 0, 5, 0], "0010", [1.0, 2, 3, 4], 0, "0010"),
    "an empty layer stays empty": ([0.0, 0, 0, 0], "0000", [1.0, 2, 3, 4], 0, "0000"),
    "huge equal gradients": ([0.0, 0, 0, 0, 1, 2, 3, 4], "00001111", [1e6, 1e6, 1e6, 1, 0, 0, 0, 0], 2, "11000011"),
    "no gradients": (*BASIC[:2], [0.0] * 8, 2, "11110000"),
    "infinite gradients of either sign": (*BASIC[:2], [0.1, 0.1, 0.1, 0.1, inf, 9, 9, -inf], 2, "11001001"),
    "an infinite weight": ([4.0, -inf, 2, 1, 0, 0, 0, 0], "11110000", BASIC[2], 3, "01001110"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_rigl_update_by_hand(xp, case, dtype):
    weight, mask, grad, k, expected = CASES[case]
    got = update(xp, np.array(weight, dtype=dtype), bits(mask), np.array(grad, dtype=dtype), k)
    assert got.dtype == bool
    assert got.tolist() == bits(expected).tolist()


@pytest.mark.parametrize(
    ("grad", "weights", "slots"),
    [
        (BASIC[2], [4, 3, 0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]),
        ([0.1, 0.1, 0.1, 9, 0.5, 0.9, 0.7, 0.2], [4, 3, 0, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0]),
    ],
)
def test_projection_leaves_grown_values_zero_and_regrown_ones_as_they_were(xp, grad, weights, slots):
    weight, old, momentum = np.array(BASIC[0]), bits(BASIC[1]), bits(BASIC[1]) * 1.0
    new = Masks({"w": give(xp, update(xp, weight, old, np.array(grad), 2))})
    assert back(project({"w": give(xp, weight)}, new)["w"]).tolist() == weights
    assert back(project({"w": give(xp, momentum)}, new)["w"]).tolist() == slots


@given(layers())
@many
def test_rigl_update_equals_its_slow_twin(xp, layer):
    got = update(xp, *layer)
    assert got.dtype == bool
    assert got.shape == layer[1].shape
    assert (got == slow_rigl_update(*layer)).all()


def test_rigl_update_equals_its_slow_twin_on_a_long_layer(xp):
    rng = np.random.default_rng(3)
    mask = rng.random((90, 100)) < 0.3
    weight = rng.integers(-3, 4, mask.shape) * mask * 0.5
    grad = rng.integers(-3, 4, mask.shape) * (rng.random((90, 1)) < 0.5) * 0.5
    for k in (1, 500, 2000):
        assert (update(xp, weight, mask, grad, k) == slow_rigl_update(weight, mask, grad, k)).all()


@given(layers())
@many
def test_the_number_of_connections_stays(layer):
    assert rigl_update(*layer).sum() == layer[1].sum()


@given(layers())
@many
def test_at_most_k_connections_go_and_as_many_come_and_all_the_others_are_kept(layer):
    weight, mask, grad, k = layer
    new = rigl_update(weight, mask, grad, k)
    gone, come = mask & ~new, new & ~mask
    assert gone.sum() == come.sum() <= k
    assert (new >= slow_kept(weight, mask, k)).all()


@given(layers())
@many
def test_no_gone_connection_was_larger_than_one_that_stayed(layer):
    weight, mask, grad, k = layer
    gone = mask & ~rigl_update(weight, mask, grad, k)
    kept = slow_kept(weight, mask, k)
    assert abs(weight[gone]).max(initial=0) <= abs(weight[kept]).min(initial=inf)


@given(layers())
@many
def test_no_grown_connection_has_a_smaller_gradient_than_a_candidate_that_was_left(layer):
    weight, mask, grad, k = layer
    new = rigl_update(weight, mask, grad, k)
    grown = new & ~slow_kept(weight, mask, k)
    assert grown.sum() == k
    assert abs(grad[~new]).max(initial=0) <= abs(grad[grown]).min(initial=inf)


@given(layers())
@many
def test_after_projection_grown_and_dropped_weights_are_zero_and_kept_ones_as_they_were(layer):
    weight, mask, grad, k = layer
    weight = np.where(np.isinf(weight), 9.0, weight)
    new = rigl_update(weight, mask, grad, k)
    after = project({"w": weight}, {"w": new})["w"]
    assert not after[~new].any()
    assert not after[new & ~mask].any()
    assert (after[new & mask] == weight[new & mask]).all()


@given(layers())
@many
def test_the_arguments_are_left_as_they_were_and_the_result_is_new(layer):
    before = [a.copy() for a in layer[:3]]
    new = rigl_update(*layer)
    assert all((a == b).all() for a, b in zip(layer[:3], before, strict=True))
    assert not np.shares_memory(new, layer[1])


@given(layers())
def test_moving_nothing_changes_nothing(xp, layer):
    weight, mask, grad, _ = layer
    assert (update(xp, weight, mask, grad, 0) == mask).all()


@given(layers(distinct_scores=True), st.randoms())
@many
def test_distinct_scores_permute_with_their_positions(layer, random):
    weight, mask, grad, k = layer
    order = list(range(mask.size))
    random.shuffle(order)
    shuffled = rigl_update(weight.ravel()[order], mask.ravel()[order], grad.ravel()[order], k)
    assert (shuffled == rigl_update(weight, mask, grad, k).ravel()[order]).all()


@given(layers(distinct_scores=True))
@many
def test_distinct_scores_transpose_with_their_layer(xp, layer):
    weight, mask, grad, k = layer
    transposed = rigl_update(give(xp, weight).T, give(xp, mask).T, give(xp, grad).T, k)
    assert (back(transposed) == update(xp, weight, mask, grad, k).T).all()


@given(layers())
@many
def test_ties_follow_c_order_whatever_the_layout(layer):
    weight, mask, grad, k = layer
    in_fortran_order = rigl_update(*map(np.asfortranarray, (weight, mask, grad)), k)
    assert (in_fortran_order == rigl_update(weight, mask, grad, k)).all()


@given(layers(), st.sampled_from([-1.0, 2.0, -0.5, 3.0]), st.sampled_from([-1.0, 2.0, -0.5, 3.0]), st.data())
@many
def test_signs_and_scale_do_not_matter(layer, of_weight, of_grad, data):
    weight, mask, grad, k = layer
    flips = data.draw(hnp.arrays(float, mask.shape, elements=st.sampled_from([1.0, -1.0])))
    expected = rigl_update(weight, mask, grad, k)
    assert (rigl_update(of_weight * weight, mask, of_grad * grad, k) == expected).all()
    assert (rigl_update(flips * weight, mask, -flips * grad, k) == expected).all()


@given(layers(), st.data())
@many
def test_stored_values_of_absent_weights_do_not_matter(layer, data):
    weight, mask, grad, k = layer
    stale = data.draw(hnp.arrays(float, mask.shape, elements=st.integers(-9, 9)))
    assert (rigl_update(np.where(mask, weight, stale), mask, grad, k) == rigl_update(*layer)).all()


@given(layers())
@many
def test_float32_and_float64_give_the_same_mask(layer):
    weight, mask, grad, k = layer
    assert (rigl_update(weight.astype("f4"), mask, grad.astype("f4"), k) == rigl_update(*layer)).all()


@pytest.mark.parametrize(("weight", "grad"), [([nan, 2, 3, 4], [1, 1, 1, 1]), ([1, 2, 3, 4], [1, 1, 1, nan])])
def test_nan_is_refused_wherever_it_is(xp, weight, grad):
    weight, mask, grad = np.array(weight, dtype=float), bits("1100"), np.array(grad, dtype=float)
    with pytest.raises(ValueError, match="NaN at 1 of 4 entries"):
        update(xp, weight, mask, grad, 1)
    with pytest.raises(ValueError, match="NaN at 1 of 4 entries"):
        update(xp, weight, ~mask, grad, 1)


@pytest.mark.parametrize(("k", "error"), [(3, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError)])
def test_a_count_that_the_layer_cannot_move_is_refused(xp, k, error):
    with pytest.raises(error, match=rf"is {k}; expected a whole number from 0 to 2"):
        update(xp, np.ones(4), bits("1100"), np.ones(4), k)


@pytest.mark.parametrize(
    ("mask", "grad", "message"),
    [
        ((3, 2), (2, 3), r"mask has shape \(3, 2\), weight has \(2, 3\)"),
        ((2, 3), (6,), r"dense_grad has shape \(6,\), weight has \(2, 3\)"),
        ((2, 3), (1, 3), r"dense_grad has shape \(1, 3\), weight has \(2, 3\)"),
    ],
)
def test_shapes_that_differ_are_refused(xp, mask, grad, message):
    with pytest.raises(ValueError, match=message):
        update(xp, np.ones((2, 3)), np.ones(mask, bool), np.ones(grad), 1)


def test_a_mask_that_is_not_boolean_is_refused(xp):
    with pytest.raises(TypeError, match="has dtype int64; expected bool"):
        update(xp, np.ones(4), np.array([1, 1, 0, 0]), np.ones(4), 1)


@pytest.mark.parametrize(
    ("n_active", "alpha", "k"),
    [(3, 0.5, 1), (5, 0.5, 2), (7, 0.3, 2), (10, 0.3, 3), (2, 0.4, 0), (1, 0.9, 0), (100, 0.29, 28), (100, 0.5, 50)],
)
def test_the_count_is_the_floor_in_float64(n_active, alpha, k):
    assert rigl_count(0, n_active, alpha, 100) == k


@pytest.mark.parametrize(
    ("step", "k"), [(100, 1411), (25_000, 705), (49_900, 0), (49_999, 0), (50_000, 0), (50_001, 0), (10**9, 0)]
)
def test_the_first_layer_of_rigls_mnist_network_moves_1411_connections_first_and_none_at_the_end(step, k):
    assert rigl_count(step, 4704, 0.3, 50_000) == k


@given(st.integers(0, 999), st.integers(0, 10**6), st.floats(0, 1))
@many
def test_the_count_is_the_formula_evaluated_as_written(step, n_active, alpha):
    k = rigl_count(step, n_active, alpha, 1000)
    assert type(k) is int
    assert 0 <= k <= n_active
    assert k == floor(alpha / 2 * (1 + cos(pi * step / 1000)) * n_active)


@given(st.integers(0, 2000), st.integers(0, 10**6), st.floats(0, 1))
def test_the_count_never_rises_and_is_zero_from_t_end_on(step, n_active, alpha):
    assert rigl_count(step + 1, n_active, alpha, 1000) <= rigl_count(step, n_active, alpha, 1000)
    assert rigl_count(1000 + step, n_active, alpha, 1000) == 0


@pytest.mark.parametrize("alpha", [-0.1, 1.1, nan])
def test_an_alpha_outside_zero_to_one_is_refused(alpha):
    with pytest.raises(ValueError, match=rf"alpha is {alpha}; expected a drop fraction from 0 to 1"):
        rigl_count(0, 100, alpha, 100)


@pytest.mark.parametrize(("n_active", "error"), [(-1, ValueError), (2.0, TypeError), (True, TypeError)])
def test_a_number_of_connections_that_is_no_whole_number_is_refused(n_active, error):
    with pytest.raises(error, match=rf"n_active is {n_active}; expected a whole number from 0"):
        rigl_count(0, n_active, 0.3, 100)


@pytest.mark.parametrize("t_end", [0, -5])
def test_a_t_end_that_is_not_after_the_start_is_refused(t_end):
    with pytest.raises(ValueError, match=rf"t_end is {t_end}, begin is 0; t_end must come after begin"):
        rigl_count(0, 100, 0.3, t_end)
