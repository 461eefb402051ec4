"""Of the answers to RigL's relatives exactly those hold that some order of the equal scores leads to, tried out."""

from itertools import permutations, product

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse.golden import relatives
from minisparse.golden.values import plain
from tests.golden import right_ones
from tests.golden.test_ties import EVERY, SIZE, masks, scores, splits, tops

CUT = {"a": slice(0, 2), "b": slice(2, SIZE)}


def faults(function, got, inputs):
    return relatives.RULES[function](plain(got), {k: plain(v) for k, v in inputs.items()}, plain(got))


def by_order(order):
    """A chooser that breaks ties in an order of its own."""

    def top(score, k, among=None):
        rank = np.argsort(order[: score.size], kind="stable")
        pool = [i for i in range(score.size) if among is None or among.ravel()[i]]
        return right_ones.marked(score, sorted(pool, key=lambda i: (-score.ravel()[i], rank[i]))[:k])

    return top


@given(weight=scores, mask=masks, negative=masks, noise=scores)
def test_deep_r_draws_any_of_equal_noise_and_drops_what_crossed_alone(weight, mask, negative, noise):
    kept = mask & ~(negative & (weight > 0) | ~negative & (weight < 0))
    legal = {(kept | grown).tobytes() for grown in tops(noise, int(mask.sum() - kept.sum()), ~kept)}
    inputs = {"weight": weight, "mask": mask, "negative": negative, "noise": noise}
    for got in EVERY:
        assert (faults("deep_r_update", got, inputs) == []) == (got.tobytes() in legal)


@given(weight=scores, mask=masks, noise=scores, threshold=st.integers(0, 3))
def test_dsr_may_give_a_unit_that_ties_to_either_layer(weight, mask, noise, threshold):
    kept = {n: mask[c] & ~(abs(weight[c]) < threshold) for n, c in CUT.items()}
    gone = int(mask.sum()) - sum(int(k.sum()) for k in kept.values())
    share, room = {n: int(k.sum()) for n, k in kept.items()}, {n: int((~k).sum()) for n, k in kept.items()}
    legal = set()
    for n_grow in splits(gone, share, room):
        each = [[kept[n] | grown for grown in tops(noise[c], n_grow[n], ~kept[n])] for n, c in CUT.items()]
        legal |= {np.concatenate(pair).tobytes() for pair in product(*each)}
    split = lambda array: {n: array[c] for n, c in CUT.items()}
    inputs = {"weights": split(weight), "masks": split(mask), "noise": split(noise), "threshold": float(threshold)}
    for got in EVERY:
        assert (faults("dsr_update", split(got), inputs) == []) == (got.tobytes() in legal)


@given(weight=scores, noise=st.none() | scores, n_keep=st.integers(0, SIZE))
def test_a_straight_through_estimator_may_see_any_of_equals(weight, noise, n_keep):
    everywhere = np.ones(SIZE, bool)
    legal = {mask.tobytes() for mask in tops(abs(weight) if noise is None else noise, n_keep, everywhere)}
    inputs = {"weight": weight, "n_keep": n_keep} | ({} if noise is None else {"noise": noise})
    for got in EVERY:
        assert (faults("seen_mask", got, inputs) == []) == (got.tobytes() in legal)


small = st.lists(st.integers(0, 2), min_size=6, max_size=6).map(lambda x: np.array(x, float).reshape(3, 2))


@pytest.mark.long
@settings(max_examples=examples(40), deadline=None)
@given(weight=small, grad=small, mask=st.lists(st.booleans(), min_size=6, max_size=6), data=st.data())
def test_srigl_may_break_ties_in_any_order_at_every_step(weight, grad, mask, data):
    """Whatever orders the choices are made in is legal, and a mask that no order leads to is not."""
    mask = np.array(mask).reshape(3, 2)
    k, budget = data.draw(st.integers(0, int(mask.sum()))), data.draw(st.integers(2, 6))
    inputs = {"weight": weight, "mask": mask, "dense_grad": grad, "n_update": k, "n_budget": budget}
    inputs["gamma"] = data.draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    legal = {
        right_ones.constant_fan_in(by_order(np.array(order)))(**inputs).tobytes() for order in permutations(range(6))
    }
    for i in range(2**6):
        got = np.array([bool(i >> j & 1) for j in range(6)]).reshape(3, 2)
        if got.tobytes() in legal:
            assert faults("srigl_update", got, inputs) == []
    inputs_of_neurons = {tuple(np.frombuffer(m, bool).reshape(3, 2).sum(axis=0).tolist()) for m in legal}
    for got in (np.zeros((3, 2), bool), np.eye(3, 2, dtype=bool), np.ones((3, 2), bool)):
        total = int(got.sum())
        if total not in {sum(n) for n in inputs_of_neurons}:
            assert faults("srigl_update", got, inputs)


@pytest.mark.long
@given(weight=scores, data=st.data())
def test_the_sets_of_top_kast_may_break_ties_but_one_within_the_other(weight, data):
    b = data.draw(st.integers(0, SIZE))
    a = data.draw(st.integers(0, b))
    everywhere = np.ones(SIZE, bool)
    pairs = product(tops(abs(weight), a, everywhere), tops(abs(weight), b, everywhere))
    legal = {(x.tobytes(), y.tobytes()) for x, y in pairs if (x <= y).all()}
    inputs = {"weight": weight, "n_forward": a, "n_backward": b}
    for x, y in product(EVERY, repeat=2):
        assert (faults("forward_and_backward", (x, y), inputs) == []) == ((x.tobytes(), y.tobytes()) in legal)


@given(weight=scores, second=scores, k=st.integers(0, SIZE))
def test_brain_damage_ranks_all_layers_at_once(weight, second, k):
    legal = {m.tobytes() for m in tops(second * weight**2, k, np.ones(SIZE, bool))}
    split = lambda array: {n: array[c] for n, c in CUT.items()}
    for got in EVERY:
        wrong = faults("obd_masks", split(got), {"weights": split(weight), "second": split(second), "n_keep": k})
        assert (wrong == []) == (got.tobytes() in legal)


def test_brain_surgeon_may_delete_any_of_the_cheapest_and_the_rest_follows():
    weight, inverse = np.array([1.0, 2, -1]), np.eye(3) + 0.25
    right = right_ones.brain_surgeon(right_ones.by_stable_argsort)(weight, inverse)
    other = right_ones.brain_surgeon(right_ones.higher_index_first)(weight, inverse)
    assert (right[2], other[2]) == (0, 2)
    inputs = {"weight": weight, "inverse": inverse}
    assert faults("obs_delete", right, inputs) == faults("obs_delete", other, inputs) == []
    assert "deletes 1, of saliency" in faults("obs_delete", (*right[:2], 1), inputs)[0][1]
    assert "of the weights without 0" in faults("obs_delete", (weight, *right[1:]), inputs)[0][1]
    assert "of the inverse without 0" in faults("obs_delete", (right[0], inverse, 0), inputs)[0][1]
    assert faults("obs_delete", (*right[:2], 7), inputs)


@pytest.mark.parametrize(
    ("got", "said"),
    [("1100", "loses position 2, which stays"), ("0111", "chooses 2, 1 were asked"), ("1010", None),
     ("0110", "chooses position 1 (score 1.0) before 0 (2.0); that is no tie")],
)  # fmt: skip
def test_what_is_wrong_is_told(got, said):
    given = {"weight": np.array([-1.0, 0, 3, 0]), "mask": np.array([1, 0, 1, 0], bool),
             "negative": np.zeros(4, bool), "noise": np.array([2.0, 1, 9, 0])}  # fmt: skip
    wrong = faults("deep_r_update", np.array([c == "1" for c in got]), given)
    assert (wrong[0][1] if wrong else None) == said
