"""The doors of storage: plain arrays are answered here, what is stored otherwise answers for itself."""

import math

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from minisparse import storage
from minisparse.masks import top_k, top_k_of_all
from minisparse.sparse import FactoredGradient, Positions, SparseWeight

NUMBERS = st.integers(-4, 4).map(float)
FINITE = arrays(float, array_shapes(max_side=4), elements=NUMBERS)


class Asked(storage.Stored):
    """Notes what it is asked."""

    def question(self, *args, **named):
        return "itself", args, named

    @staticmethod
    def of_all(arrays, *args):
        return "all", list(arrays), args


@storage.door("array")
def question(before, array, after=None):
    return "plain"


@storage.door("arrays")
def of_all(arrays, k):
    return "plain"


def test_a_plain_array_is_answered_by_the_function():
    assert question(1, np.ones(2)) == question(before=1, array=np.ones(2), after=3) == "plain"
    assert of_all({"a": np.ones(2)}, 1) == "plain"


def test_what_is_stored_otherwise_answers_for_itself_by_position_and_by_name():
    assert question(1, Asked(), 2) == ("itself", (1, 2), {})
    assert question(1, array=Asked(), after=2) == ("itself", (1,), {"after": 2})
    assert of_all({"a": np.ones(2), "b": Asked()}, 3) == ("all", ["a", "b"], (3,))


def test_a_question_that_has_no_answer_is_refused_by_name():
    with pytest.raises(TypeError, match=r"Positions.* is not a plain array, and has no zero_gradient; expected"):
        storage.zero_gradient(Positions(np.array([1]), (2, 3)))


def test_top_k_is_asked_by_name_too():
    weight = SparseWeight(np.array([1.0, 3.0]), Positions(np.array([1, 4]), (2, 3)))
    assert top_k(score=weight, k=1).flat.tolist() == [4]


@given(a=FINITE, data=st.data())
def test_the_plain_answers_are_those_of_a_loop(xp, a, data):
    mask = data.draw(arrays(bool, a.shape))
    n = int(mask.sum())
    assert storage.n_active(give(xp, mask)) == n
    assert back(storage.zero_gradient(give(xp, a))).tolist() == np.zeros(a.shape).tolist()
    assert back(storage.survivors(give(xp, a), give(xp, mask))).tolist() == [
        v for v, m in zip(a.flat, mask.flat, strict=True) if m
    ]
    assert back(storage.everything(give(xp, a))).all()
    assert storage.total(give(xp, a)) == math.fsum(a.flat)
    assert float(storage.square(give(xp, a))) == sum(v * v for v in a.flat)
    values = data.draw(arrays(float, n, elements=NUMBERS))
    for given_values in (values, np.where(mask, 7.0, 1.0)):
        want, taken = a.copy(), iter(given_values if given_values.shape != a.shape else given_values[mask])
        for i in np.ndindex(*a.shape):
            want[i] = next(taken) if mask[i] else a[i]
        if given_values.shape != a.shape or given_values is not values:
            assert back(storage.filled(give(xp, a), give(xp, mask), give(xp, given_values))).tolist() == want.tolist()


@given(a=FINITE, bad=st.sampled_from([math.nan, math.inf, -math.inf]), data=st.data())
def test_one_entry_that_is_not_finite_is_found_and_large_ones_are_not_accused(xp, a, bad, data):
    big = np.full(3, 1e30, np.float32)
    assert storage.are_finite([give(xp, a), give(xp, big)])
    index = data.draw(st.sampled_from(list(np.ndindex(*a.shape))))
    a[index] = bad
    assert storage.n_not_finite(give(xp, a)) == 1
    assert not storage.are_finite([give(xp, big), give(xp, a)])


@pytest.mark.parametrize("bad", [False, True])
def test_factors_are_finite_where_their_product_is(xp, bad):
    x, g = np.full((2, 3), 1e30, np.float32), np.full((2, 4), 1e5, np.float32)
    g[1, 2] = math.nan if bad else 1.0
    assert storage.are_finite([FactoredGradient(give(xp, x), give(xp, g))]) is not bad


@given(mask=arrays(bool, array_shapes(max_side=6)), seed=st.integers(0, 99))
def test_a_random_order_ranks_as_many_positions_as_there_are_connections(xp, mask, seed):
    scores = back(storage.random_order(give(xp, mask), np.random.default_rng(seed)))
    assert scores.shape == mask.shape
    assert sorted(scores[scores > 0]) == list(range(1, int(mask.sum()) + 1))


def test_truly_sparse_weights_rank_among_plain_ones():
    weight = SparseWeight(np.array([5.0, 1.0]), Positions(np.array([0, 5]), (2, 3)))
    chosen = top_k_of_all({"a": np.array([[4.0, 0.5]]), "b": weight}, 2)
    assert chosen["a"].tolist() == [[True, False]]
    assert chosen["b"].flat.tolist() == [0]
