"""A mask as positions does what the boolean array does."""

import math
from itertools import permutations

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minisparse import masks
from minisparse.masks import Masks
from minisparse.sparse import random_positions
from minisparse.sparse.positions import Order, Positions, in_random_order, in_rising_order

SHAPES = st.tuples(st.integers(0, 5), st.integers(0, 5))
MASKS = SHAPES.flatmap(lambda shape: hnp.arrays(bool, shape))
PAIRS = SHAPES.flatmap(lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape)))


def positions(xp, mask):
    return Positions(give(xp, np.flatnonzero(mask)), mask.shape)


def same(got, mask):
    return got.shape == mask.shape and back(got.flat).tolist() == np.flatnonzero(mask).tolist()


@given(PAIRS)
def test_and_or_and_what_is_absent_are_those_of_boolean_arrays(xp, pair):
    a, b = pair
    p, q = positions(xp, a), positions(xp, b)
    assert same(p & q, a & b)
    assert same(p | q, a | b)
    assert same(p & ~q, a & ~b)
    assert (~p).sum() == (~a).sum()
    assert (~p).shape == a.shape
    assert same(~~p, a)


@given(MASKS)
def test_positions_count_and_write_out_as_the_array_does(xp, mask):
    p = positions(xp, mask)
    assert (p.sum(), p.any(), len(p), p.size) == (mask.sum(), mask.any(), len(mask), mask.size)
    assert (back(p.dense()) == mask).all()
    assert (back(p.has(give(xp, np.arange(mask.size)))) == mask.ravel()).all()


@given(MASKS, st.integers(0, 9))
def test_units_with_a_connection_and_the_connections_of_units_are_those_of_the_array(xp, mask, seed):
    p, (n_in, n_out) = positions(xp, mask), mask.shape
    for axis in (0, 1, -1, -2):
        assert back(p.any(axis=axis)).tolist() == mask.any(axis=axis).tolist()
    rng = np.random.default_rng(seed)
    inputs, outputs = rng.random(n_in) < 0.5, rng.random(n_out) < 0.5
    assert same(p & give(xp, inputs)[:, None], mask & inputs[:, None])
    assert same(p & give(xp, outputs), mask & outputs)
    assert same(p & give(xp, inputs)[:, None] & give(xp, outputs), mask & inputs[:, None] & outputs)


def test_positions_are_never_taken_for_an_array(xp):
    mask = np.eye(2, 3) > 0
    p, array = positions(xp, mask), give(xp, mask)
    others = {
        "an array": lambda: p & array,
        "numbers": lambda: p & give(xp, np.ones(3)),
        "inputs that are no column": lambda: p & give(xp, np.ones(2, bool)),
        "an array first": lambda: array & p,
        "an array and what is absent": lambda: array & ~p,
        "or": lambda: p | array,
        "what is absent": lambda: p | ~p,
        "places": lambda: p.places_of(array),
        "ranks": lambda: masks.top_k(give(xp, np.ones((2, 3))), 1, among=p),
        "an axis": lambda: p.any(axis=(0, 1)),
    }
    for what, do in others.items():
        with pytest.raises(TypeError, match=r"meets|truly sparse|axis is"):
            pytest.fail(f"{what} is {do()}")
    for do in (lambda q: p & q, lambda q: p | q, lambda q: p & ~q, p.places_of):
        with pytest.raises(ValueError, match=r"others has shape \(3, 2\), positions has \(2, 3\)"):
            do(positions(xp, mask.T))


@given(MASKS)
def test_rows_and_columns_are_those_of_nonzero(xp, mask):
    p = positions(xp, mask)
    rows, columns = np.nonzero(mask)
    assert (back(p.rows) == rows).all()
    assert (back(p.columns) == columns).all()


@given(PAIRS)
def test_places_of_others_are_where_they_stand_and_those_that_are_not_here_are_refused(xp, pair):
    p, part = positions(xp, pair[0]), positions(xp, pair[0] & pair[1])
    assert (back(p.flat[p.places_of(part)]) == back(part.flat)).all()
    if (pair[1] & ~pair[0]).any():
        with pytest.raises(ValueError, match="has positions that"):
            p.places_of(positions(xp, pair[1]))


@given(MASKS, st.integers(0, 9), st.data())
def test_the_first_of_an_order_are_the_highest_of_its_ranks(xp, mask, seed, data):
    drawn = np.random.default_rng(seed).permutation(mask.size)[: data.draw(st.integers(0, mask.size))]
    order, present = Order(give(xp, drawn), mask.shape), positions(xp, mask)
    k = data.draw(st.integers(0, int((~mask).ravel()[drawn].sum())))
    ranks = np.zeros(mask.size)
    ranks[drawn] = np.arange(len(drawn), 0, -1)
    want = masks.top_k(ranks.reshape(mask.shape), k, ~mask)
    assert same(masks.top_k(abs(order), k, ~present), want)
    with pytest.raises(ValueError, match=f"k is {mask.size + 1}"):
        order.top_k(mask.size + 1, ~present)


@given(st.integers(0, 40), st.integers(0, 9), st.data())
def test_a_random_order_is_of_distinct_numbers_below_its_size(size, seed, data):
    n = data.draw(st.integers(0, size))
    drawn = in_random_order(np.random.default_rng(seed), size, n)
    assert drawn.dtype == np.int64
    assert len(set(drawn.tolist())) == len(drawn) == n
    assert all(0 <= i < size for i in drawn)


@given(st.integers(20, 90), st.integers(0, 99), st.data())
def test_a_random_order_is_of_the_numbers_drawn_without_those_that_come_again(size, seed, data):
    n = data.draw(st.integers(0, size // 4))
    rng, seen = np.random.default_rng(seed), []
    while len(seen) < n:
        for number in rng.integers(size, size=n - len(seen)).tolist():
            seen += [] if number in seen else [number]
    assert in_random_order(np.random.default_rng(seed), size, n).tolist() == seen


@given(st.sampled_from([1, 7, 1 << 16, 70_000, 1 << 32, 1 << 40]), st.integers(0, 99), st.integers(0, 30))
def test_numbers_are_sorted_sixteen_bits_at_a_time(xp, size, seed, n):
    numbers = np.random.default_rng(seed).integers(size, size=n)
    assert back(in_rising_order(give(xp, numbers), size)).tolist() == sorted(numbers.tolist())


@pytest.mark.parametrize(("size", "n", "beyond"), [(4, 2, 40), (8, 2, 107)])  # chi-square at 1e-5: 11, 55 degrees
def test_every_beginning_of_a_random_order_is_equally_likely(size, n, beyond):
    times, draws = dict.fromkeys(permutations(range(size), n), 0), 3000
    for seed in range(draws):
        times[tuple(in_random_order(np.random.default_rng(seed), size, n).tolist())] += 1
    mean = draws / math.perm(size, n)
    assert sum((t - mean) ** 2 / mean for t in times.values()) < beyond


@pytest.mark.parametrize("flat", [[1, 0], [1, 1], [-1, 0], [0, 6]])
def test_indices_that_do_not_rise_or_lie_outside_are_refused(xp, flat):
    with pytest.raises(ValueError, match="flat must rise and stay within 0 to 5"):
        Positions(give(xp, np.array(flat)), (2, 3))


def test_positions_of_other_ranks_and_numbers_are_refused(xp):
    with pytest.raises(ValueError, match=r"shape is \(6,\)"):
        Positions(give(xp, np.array([0])), (6,))
    for flat in (np.array([0.0]), np.array([True]), np.array([[0]])):
        with pytest.raises(TypeError, match="flat is"):
            Positions(give(xp, flat), (2, 3))


MANY = 2**31  # one more than an int32 holds


@pytest.mark.parametrize(
    ("shape", "sentence"), [((MANY, 3), "2,147,483,648 inputs"), ((3, MANY), "2,147,483,648 outputs")]
)
def test_sides_that_an_int32_cannot_count_are_refused_by_the_layer_s_name(xp, shape, sentence):
    at = Positions(give(xp, np.array([0, 3 * MANY - 1])), shape)
    for name, use in (
        ("'fc1'", lambda: Masks({"fc1": at})),
        ("a layer", lambda: at.rows),
        ("a layer", lambda: at.columns),
    ):
        with pytest.raises(ValueError, match=f"{name} has {sentence}; expected at most 2,147,483,647"):
            use()


def test_so_are_connections_before_one_is_drawn(monkeypatch):
    with pytest.raises(ValueError, match=r"'fc2' has 2,405,181,686 connections; expected at most 2,147,483,647"):
        random_positions({"fc1": (6, 5), "fc2": (2**16, 2**16)}, {"fc1": 0.5, "fc2": 0.56}, np.random.default_rng(0))
    monkeypatch.setattr("minisparse.sparse.positions.COUNTED", 6)
    assert random_positions({"fc1": (6, 5)}, {"fc1": 0.2}, np.random.default_rng(0)).active == 6
    with pytest.raises(ValueError, match="'fc1' has 7 connections"):
        Masks({"fc1": Positions(np.arange(7), (6, 5))})
    with pytest.raises(ValueError, match="a layer has 7 connections"):
        Positions(np.arange(7), (6, 5)).columns  # noqa: B018
