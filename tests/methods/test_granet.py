"""GraNet's two steps against loops over sorted lists."""

import numpy as np
import pytest
from arrays import back, give, give_all
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_methods import slow_global_magnitude_masks, slow_rigl_update
from strategies import SHAPES, SMALL, layers, tied

from minisparse.methods.granet import granet_prune, regenerate


@st.composite
def pruned_networks(draw):
    """Weights and masks of up to three layers, full of ties, and how many connections to keep."""
    shapes = {f"layer{i}": shape for i, shape in enumerate(draw(st.lists(SHAPES, min_size=1, max_size=3)))}
    weights = {name: draw(tied(shape)) for name, shape in shapes.items()}
    masks = {name: draw(hnp.arrays(bool, shape)) for name, shape in shapes.items()}
    return weights, masks, draw(st.integers(0, sum(int(mask.sum()) for mask in masks.values())))


@given(pruned_networks())
def test_pruning_is_one_ranking_of_all_layers(xp, case):
    weights, masks, n_keep = case
    got = granet_prune(give_all(xp, weights), give_all(xp, masks), n_keep)
    expected = slow_global_magnitude_masks(weights, n_keep, masks)
    assert all((back(got[name]) == mask).all() for name, mask in expected.items())
    assert sum(int(mask.sum()) for mask in got.values()) == n_keep
    assert all((back(got[name]) <= mask).all() for name, mask in masks.items())


@given(layers())
def test_regeneration_is_its_slow_twin_and_keeps_the_number_of_connections(xp, layer):
    weight, mask, grad, k = layer
    got = back(regenerate(give(xp, weight), give(xp, mask), give(xp, grad), k))
    assert (got == slow_rigl_update(weight, mask, grad, k)).all()
    assert got.sum() == mask.sum()


def test_by_hand(xp):
    weights = {"a": np.array([4.0, -3, 2, 1]), "b": np.array([0.5, -5, 0, 3])}
    masks = {"a": np.array([True] * 4), "b": np.array([True, True, False, True])}
    pruned = granet_prune(give_all(xp, weights), give_all(xp, masks), 5)
    assert back(pruned["a"]).tolist() == [True, True, True, False]
    assert back(pruned["b"]).tolist() == [False, True, False, True]
    again = regenerate(give(xp, weights["a"]), pruned["a"], give(xp, np.array([9.0, 9, 1, -2])), 1)
    assert back(again).tolist() == [True, True, False, True], "what was pruned may come back by its gradient"
    back_at_once = regenerate(give(xp, weights["a"]), pruned["a"], give(xp, np.array([9.0, 9, 3, -2])), 1)
    assert back(back_at_once).tolist() == [True, True, True, False]


def test_ties_of_pruning_go_to_the_earlier_layer_and_a_layer_may_end_up_empty():
    ones = {"a": np.ones(2), "b": np.ones(2)}
    kept = granet_prune(ones, {name: np.ones(2, bool) for name in ones}, 2)
    assert (kept["a"].sum(), kept["b"].sum()) == (2, 0)


@pytest.mark.parametrize(
    ("weights", "masks", "n_keep", "sentence"),
    [
        ({"a": np.ones(2)}, {"b": np.ones(2, bool)}, 1, "'b' is only in masks"),
        ({"a": np.ones(2)}, {"a": np.ones(3, bool)}, 1, r"its mask has shape \(3,\), weight 'a' has \(2,\)"),
        ({"a": np.ones(2)}, {"a": np.array([True, False])}, 2, "k is 2; expected a whole number from 0 to 1"),
        ({"a": np.full(2, np.nan)}, {"a": np.ones(2, bool)}, 1, "score is NaN at 2 of 2 entries"),
    ],
)
def test_bad_input_is_refused(weights, masks, n_keep, sentence):
    with pytest.raises(ValueError, match=sentence):
        granet_prune(weights, masks, n_keep)


def test_bad_regeneration_is_refused():
    mask = np.array([True, False])
    with pytest.raises(ValueError, match=r"dense_grad has shape \(3,\)"):
        regenerate(np.ones(2), mask, np.ones(3), 1)
    with pytest.raises(ValueError, match="k is 2"):
        regenerate(np.ones(2), mask, np.ones(2), 2)
    with pytest.raises(TypeError, match=r"k is 0\.5"):
        regenerate(np.ones(2), mask, np.ones(2), 0.5)


@given(hnp.arrays(float, 6, elements=SMALL))
def test_arguments_are_not_written_to(weight):
    mask, before = np.array([True] * 4 + [False] * 2), weight.copy()
    weight.flags.writeable = mask.flags.writeable = False
    regenerate(weight, granet_prune({"a": weight}, {"a": mask}, 2)["a"], weight, 1)
    assert (weight == before).all()
