import math
import warnings

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_methods import slow_snip_masks
from strategies import SHAPES, SMALL, distinct

from minisparse import nn, ops
from minisparse.autograd import value_and_grad
from minisparse.methods.snip import sensitivity, snip_masks

many = settings(max_examples=examples(200))
quiet = pytest.mark.filterwarnings("ignore:SNIP keeps nothing")


@st.composite
def networks(draw):
    """Weights and gradients of a few layers, whole numbers full of ties, and a legal count to keep."""
    shapes = draw(st.lists(SHAPES, min_size=1, max_size=4))
    weights, grads = (
        {f"layer{i}": draw(hnp.arrays(float, shape, elements=SMALL)) for i, shape in enumerate(shapes)} for _ in "wg"
    )
    return weights, grads, draw(st.integers(0, sum(map(math.prod, shapes))))


def masks_of(xp, weights, grads, n_keep):
    return {name: back(mask) for name, mask in snip_masks(give_all(xp, weights), give_all(xp, grads), n_keep).items()}


def layers(**values):
    return {name: np.array(value, dtype=float) for name, value in values.items()}


def test_sensitivity_is_weight_times_gradient_over_the_total_of_the_network(xp):
    got = sensitivity(
        give_all(xp, layers(a=[1, -2, 0], b=[[3], [1]])), give_all(xp, layers(a=[2, 1, 9], b=[[-1], [1]]))
    )
    assert {name: back(s).tolist() for name, s in got.items()} == {"a": [0.25, 0.25, 0], "b": [[0.375], [0.125]]}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sensitivity_keeps_the_weights_dtype(xp, dtype):
    one = {"a": give(xp, np.ones(3, dtype))}
    assert sensitivity(one, one)["a"].dtype == dtype


def test_where_the_total_is_zero_so_are_all_sensitivities(xp):
    got = sensitivity(give_all(xp, layers(a=[1, 2], b=[0])), give_all(xp, layers(a=[0, 0], b=[5])))
    assert {name: back(s).tolist() for name, s in got.items()} == {"a": [0, 0], "b": [0]}


@given(networks())
def test_sensitivities_add_up_to_one_and_none_is_negative(network):
    scores = sensitivity(*network[:2])
    total = sum(float(s.sum()) for s in scores.values())
    assert total == pytest.approx(1) or total == 0
    assert all((s >= 0).all() for s in scores.values())


CASES = {
    "one ranking of all layers": ({"a": [1, 1, 1, 1], "b": [1, 1, 1, 1]}, {"a": [1, 2, 3, 4], "b": [10, 20, 30, 40]},
                                  4, {"a": "0000", "b": "1111"}),
    "weight and gradient count alike": ({"a": [4, 3, 2, 1]}, {"a": [1, 2, 3, 5]}, 2, {"a": "0110"}),
    "signs do not count": ({"a": [1, -1, 1, -1]}, {"a": [1, -9, -8, 2]}, 2, {"a": "0110"}),
    "ties are cut exactly": ({"a": [1, 1, 1, 1, 1, 1]}, {"a": [1, 2, 2, 2, 2, 6]}, 3, {"a": "011001"}),
    "ties go to the earlier layer": ({"b": [1, 1], "a": [1, 1]}, {"b": [1, 1], "a": [1, 1]}, 3, {"b": "11", "a": "10"}),
    "all": ({"a": [0, 1], "b": [2]}, {"a": [0, 0], "b": [0]}, 3, {"a": "11", "b": "1"}),
    "none": ({"a": [1, 1], "b": [2]}, {"a": [1, 1], "b": [1]}, 0, {"a": "00", "b": "0"}),
}  # fmt: skip


@quiet
@pytest.mark.parametrize("case", CASES)
def test_snip_masks_by_hand(xp, case):
    weights, grads, n_keep, expected = CASES[case]
    got = masks_of(xp, layers(**weights), layers(**grads), n_keep)
    assert {name: "".join("01"[int(on)] for on in mask) for name, mask in got.items()} == expected
    assert all(mask.dtype == bool for mask in got.values())


@quiet
@given(networks())
@many
def test_snip_masks_equal_their_slow_twin(xp, network):
    got, want = masks_of(xp, *network), slow_snip_masks(*network)
    assert list(got) == list(want)
    assert all((got[name] == want[name]).all() for name in want)


@quiet
@given(networks())
@many
def test_exactly_n_keep_are_kept_and_none_left_is_more_sensitive(network):
    weights, grads, n_keep = network
    masks, scores = snip_masks(*network), sensitivity(weights, grads)
    assert sum(mask.sum() for mask in masks.values()) == n_keep
    kept = np.concatenate([scores[name][mask] for name, mask in masks.items()])
    left = np.concatenate([scores[name][~mask] for name, mask in masks.items()])
    assert left.max(initial=0) <= kept.min(initial=math.inf)


@quiet
@given(networks(), st.sampled_from([-1.0, 2.0, 0.5, -4.0]), st.data())
@many
def test_signs_and_the_scale_of_the_loss_do_not_matter(network, scale, data):
    weights, grads, n_keep = network
    flips = {
        n: data.draw(hnp.arrays(float, w.shape, elements=st.sampled_from([1.0, -1.0]))) for n, w in weights.items()
    }
    want = snip_masks(*network)
    for got in (
        snip_masks(weights, {name: scale * g for name, g in grads.items()}, n_keep),
        snip_masks({name: flips[name] * w for name, w in weights.items()}, grads, n_keep),
    ):
        assert all((got[name] == want[name]).all() for name in want)


@quiet
@given(SHAPES.flatmap(distinct), st.data())
@many
def test_distinct_sensitivities_permute_with_their_positions_and_their_layers(effect, data):
    n_keep = data.draw(st.integers(0, 2 * effect.size))
    order = data.draw(st.permutations(range(effect.size)))
    two = {"a": effect, "b": effect + np.where(effect < 0, -0.5, 0.5)}
    ones = {name: np.ones_like(e) for name, e in two.items()}
    want = snip_masks(two, ones, n_keep)
    shuffled = {name: two[name].ravel()[order] for name in ("b", "a")}
    got = snip_masks(shuffled, {name: np.ones(effect.size) for name in shuffled}, n_keep)
    assert all((got[name] == want[name].ravel()[order]).all() for name in want)


@quiet
@given(networks())
def test_the_arguments_are_left_as_they_were(network):
    before = [{name: a.copy() for name, a in tree.items()} for tree in network[:2]]
    snip_masks(*network)
    sensitivity(*network[:2])
    for tree, old in zip(network[:2], before, strict=True):
        assert all((a == old[name]).all() for name, a in tree.items())


def test_layers_left_empty_are_warned_of_by_name(xp):
    weights, grads = layers(a=[1, 1], b=[5, 5], c=[[1]]), layers(a=[1, 1], b=[1, 1], c=[[1]])
    with pytest.warns(UserWarning, match=r"^SNIP keeps nothing of 'a', 'c'$"):
        masks_of(xp, weights, grads, 2)


def test_a_network_without_empty_layers_is_not_warned_of(xp):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masks_of(xp, layers(a=[1, 1], b=[5, 5], c=[]), layers(a=[9, 1], b=[1, 1], c=[]), 2)
        assert masks_of(xp, {}, {}, 0) == {}


@pytest.mark.parametrize(
    ("weights", "grads", "message"),
    [
        (layers(a=[1]), layers(b=[1]), r"'a' is only in weights, 'b' is only in grads"),
        (layers(a=[1, 2]), layers(a=[1]), r"its gradient has shape \(1,\), weight 'a' has \(2,\)"),
        (layers(a=[1, 2]), layers(a=[1, math.nan]), r"of 'a' is not finite at 1 of 2 entries"),
        (layers(a=[1], b=[math.inf, 2]), layers(a=[1], b=[1, 2]), r"of 'b' is not finite at 1 of 2 entries"),
    ],
)
def test_arrays_that_cannot_be_scored_are_refused(xp, weights, grads, message):
    for function in (sensitivity, lambda *network: snip_masks(*network, 1)):
        with pytest.raises(ValueError, match=message):
            function(give_all(xp, weights), give_all(xp, grads))


@pytest.mark.parametrize(("n_keep", "error"), [(4, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError)])
def test_a_count_that_the_network_cannot_keep_is_refused(xp, n_keep, error):
    with pytest.raises(error, match=rf"n_keep is {n_keep}; expected a whole number from 0 to 3"):
        masks_of(xp, layers(a=[1, 2], b=[3]), layers(a=[1, 2], b=[3]), n_keep)


SMALL_NET = nn.mlp(4, 3, 2)


def small_example():
    rng = np.random.default_rng(5)
    params = SMALL_NET.init(rng, np.float64)
    x, labels = rng.standard_normal((6, 4)), rng.integers(0, 2, 6)
    return params, lambda p: ops.softmax_cross_entropy(SMALL_NET(p, x), labels), x, labels


def test_a_connections_effect_is_the_slope_of_the_loss_as_it_is_switched():
    params, loss, _, _ = small_example()
    _, grads = value_and_grad(loss, params)
    h, slopes = 1e-6, {name: np.zeros(w.shape) for name, w in params.items()}
    for name, w in params.items():
        for i in np.ndindex(w.shape):
            losses = []
            for c in (1 + h, 1 - h):
                switched = w.copy()
                switched[i] *= c
                losses.append(float(loss(params | {name: switched}).value))
            slopes[name][i] = (losses[0] - losses[1]) / (2 * h)
        np.testing.assert_allclose(slopes[name], w * grads[name], rtol=1e-6, atol=1e-9)
    total = sum(abs(s).sum() for s in slopes.values())
    for name, s in sensitivity(params, grads).items():
        np.testing.assert_allclose(s, abs(slopes[name]) / total, rtol=1e-6, atol=1e-9)


def test_scores_and_masks_are_those_of_switches_in_pytorch():
    torch = pytest.importorskip("torch")
    params, loss, x, labels = small_example()
    _, grads = value_and_grad(loss, params)
    switch = {name: torch.ones(w.shape, dtype=torch.float64, requires_grad=True) for name, w in params.items()}
    own = {name: switch[name] * torch.from_numpy(w) for name, w in params.items()}
    hidden = torch.relu(torch.from_numpy(x) @ own["fc1.weight"] + own["fc1.bias"])
    logits = hidden @ own["fc2.weight"] + own["fc2.bias"]
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)).backward()

    effect = {name: abs(c.grad.numpy()) for name, c in switch.items()}
    total = sum(e.sum() for e in effect.values())
    for name, s in sensitivity(params, grads).items():
        np.testing.assert_allclose(s, effect[name] / total, rtol=1e-9, atol=1e-15)
    weights = ["fc1.weight", "fc2.weight"]
    for names in (weights, list(params)):
        flat = np.concatenate([effect[name].ravel() for name in names])
        for keep in (0.5, 0.3, 0.1):
            n_keep = round(keep * flat.size)
            want = np.isin(np.arange(flat.size), np.argsort(-flat, kind="stable")[:n_keep])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                masks = snip_masks({n: params[n] for n in names}, {n: grads[n] for n in names}, n_keep)
            np.testing.assert_array_equal(np.concatenate([masks[name].ravel() for name in names]), want)
