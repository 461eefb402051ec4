"""Weights, gradients and momentum of any dtype: the masks are those of the same numbers in float64."""

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minisparse.methods import magnitude, rigl, set, snfs, snip
from minisparse.sparse import compressed

DTYPES = [np.int8, np.uint8, np.int16, np.int64, np.float16, np.float32, bool]
N = 12


@st.composite
def layer(draw):
    """weight, mask, gradient, noise in one dtype, with its ends among them."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind in "iu":
        ends = [np.iinfo(dtype).min, np.iinfo(dtype).max] if dtype.itemsize < 8 else [-(2**50), 2**50]
        numbers = st.integers(-3 if dtype.kind == "i" else 0, 3) | st.sampled_from(ends)
    else:
        numbers = st.booleans() if dtype.kind == "b" else st.sampled_from([0.0, -1e-4, 3e-4, 1.0, -2.0, 300.0, -6e4])
    weight, grad = (draw(arrays(dtype, N, elements=numbers)) for _ in "wg")
    mask = draw(arrays(bool, N))
    return weight, mask, grad, draw(st.permutations(range(N)))


UPDATES = {
    "magnitude_mask": lambda w, m, g, noise, k: magnitude.magnitude_mask(w, k, m),
    "magnitude_mask of all": lambda w, m, g, noise, k: magnitude.magnitude_mask(w, k),
    "global_magnitude_masks": lambda w, m, g, noise, k: magnitude.global_magnitude_masks({"w": w}, k, {"w": m})["w"],
    "threshold_mask": lambda w, m, g, noise, k: magnitude.threshold_mask(w, k / N, m),
    "rigl_update": lambda w, m, g, noise, k: rigl.rigl_update(w, m, g, k),
    "set_update": lambda w, m, g, noise, k: set.set_update(w, m, noise, *set.set_counts(w, m, k / N)),
    "set_update_by_magnitude": lambda w, m, g, noise, k: set.set_update_by_magnitude(w, m, noise, k),
    "snfs_update": lambda w, m, g, noise, k: snfs.snfs_update({"w": w}, {"w": m}, {"w": g}, {"w": k})["w"],
    "snip_masks": lambda w, m, g, noise, k: snip.snip_masks({"w": w}, {"w": g}, max(k, 1))["w"],
}


@pytest.mark.parametrize("name", UPDATES)
@given(case=layer(), share=st.floats(0, 1))
def test_masks_do_not_depend_on_the_dtype(xp, name, case, share):
    weight, mask, grad, noise = case
    k = int(share * min(mask.sum(), N - mask.sum()))
    got, want = (
        back(UPDATES[name](*(give(xp, a) for a in (weight.astype(d), mask, grad.astype(d), np.array(noise, float))), k))
        for d in (weight.dtype, float)
    )
    np.testing.assert_array_equal(got, want)


@given(case=layer())
def test_shares_and_sensitivities_do_not_depend_on_the_dtype(xp, case):
    weight, mask, grad, _ = case
    for d in (weight.dtype,):
        got = snfs.shares(
            {"a": give(xp, grad.astype(d)), "b": give(xp, weight.astype(d))}, dict.fromkeys("ab", give(xp, mask))
        )
        want = snfs.shares(
            {"a": give(xp, grad.astype(float)), "b": give(xp, weight.astype(float))},
            dict.fromkeys("ab", give(xp, mask)),
        )
        assert got == pytest.approx(want, rel=1e-6)
        one, two = (
            back(snip.sensitivity({"w": give(xp, weight.astype(t))}, {"w": give(xp, grad.astype(t))})["w"])
            for t in (d, float)
        )
        np.testing.assert_allclose(one, two, rtol=1e-5)


def test_the_largest_weight_of_int8_is_not_the_first_to_go():
    weight = np.array([-128, 5, 1], np.int8)
    assert magnitude.magnitude_mask(weight, 1).tolist() == [True, False, False]
    stored, masks = compressed({"w": weight.reshape(1, 3)}, {"w": np.ones((1, 3), bool)})
    assert magnitude.magnitude_mask(stored["w"], 1, masks["w"]).dense().tolist() == [[True, False, False]]


@pytest.mark.parametrize("name", UPDATES)
def test_complex_weights_are_refused(name):
    mask = np.arange(N) < 6
    with pytest.raises(TypeError, match="got an array of dtype complex128; expected real numbers"):
        UPDATES[name](np.ones(N) + 1j, mask, np.ones(N) + 1j, np.arange(N, dtype=float), 2)
