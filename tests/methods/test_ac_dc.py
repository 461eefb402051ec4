"""AC/DC's phases, listed, and its ranking against a sorted list."""

import numpy as np
import pytest
from arrays import back, give_all
from hypothesis import given
from hypothesis import strategies as st
from slow_family import slow_ac_dc_compressed
from slow_methods import slow_global_magnitude_masks
from strategies import SHAPES, tied

from minisparse.methods.ac_dc import ac_dc_masks, compressed


def test_the_papers_hundred_epochs():
    """As the authors' files for ImageNet say: prune at 10, 20, … 70 and 85, restore at 15, 25, … 75."""
    sparse = [epoch for epoch in range(100) if compressed(epoch, 10, 5, 85)]
    assert sparse == [*(first + e for first in range(10, 80, 10) for e in range(5)), *range(85, 100)]


@given(st.integers(1, 20), st.integers(1, 10), st.integers(0, 50))
def test_phases_alternate_and_the_last_decompression_phase_may_be_longer(warmup, phase, more):
    last = warmup + more
    steps = [compressed(step, warmup, phase, last) for step in range(last + 10)]
    assert steps == [slow_ac_dc_compressed(step, warmup, phase, last) for step in range(last + 10)]
    assert not any(steps[:warmup])
    assert all(steps[last:])
    if more >= 2 * phase:
        assert not any(steps[last - phase : last])


@given(st.lists(SHAPES, min_size=1, max_size=3), st.data())
def test_masks_are_one_ranking(xp, shapes, data):
    weights = {f"layer{i}": data.draw(tied(shape)) for i, shape in enumerate(shapes)}
    k = data.draw(st.integers(0, sum(w.size for w in weights.values())))
    everywhere = {name: np.ones(w.shape, bool) for name, w in weights.items()}
    got = ac_dc_masks(give_all(xp, weights), k)
    expected = slow_global_magnitude_masks(weights, k, everywhere)
    assert all((back(got[name]) == mask).all() for name, mask in expected.items())


def test_by_hand(xp):
    weights = {"a": np.array([4.0, -3, 2]), "b": np.array([-5.0, 2, 0])}
    got = ac_dc_masks(give_all(xp, weights), 4)
    assert back(got["a"]).tolist() == [True, True, True], "of equal weights the earlier layer's stays"
    assert back(got["b"]).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: compressed(0, 0, 5, 10), "warmup is 0"),
        (lambda: compressed(0, 5, 0, 10), "phase is 0"),
        (lambda: compressed(0, 5, 5, 4), "last is 4; expected a whole number from 5"),
        (lambda: ac_dc_masks({"a": np.ones(2)}, 3), "k is 3"),
        (lambda: ac_dc_masks({"a": np.full(2, np.nan)}, 1), "score is NaN"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
