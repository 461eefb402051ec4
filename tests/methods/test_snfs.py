from math import inf, nan

import numpy as np
import pytest
from arrays import back, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_methods import slow_kept, slow_shares, slow_snfs_update
from strategies import SHAPES_OR_EMPTY, SMALL, distinct

from minisparse.masks import project
from minisparse.methods.snfs import shares, snfs_update

many = settings(max_examples=examples(200))


@st.composite
def networks(draw):
    """Weights, masks and momentum of a few layers, whole numbers full of ties, and what each layer is to lose."""
    weights, masks, momentum, n_drop = {}, {}, {}, {}
    for i in range(draw(st.integers(1, 4))):
        name, shape = f"layer{i}", draw(SHAPES_OR_EMPTY)
        masks[name] = draw(hnp.arrays(bool, shape))
        weights[name] = np.where(masks[name], draw(hnp.arrays(float, shape, elements=SMALL)), 0.0)
        momentum[name] = draw(hnp.arrays(float, shape, elements=SMALL))
        n_drop[name] = draw(st.integers(0, int(masks[name].sum())))
    return weights, masks, momentum, n_drop


def bits(text):
    return np.array([c == "1" for c in text], dtype=bool)


def arrays(**values):
    return {name: np.array(value, dtype=float) for name, value in values.items()}


def updated(xp, weights, masks, momentum, n_drop):
    got = snfs_update(give_all(xp, weights), give_all(xp, masks), give_all(xp, momentum), n_drop)
    return {name: back(mask) for name, mask in got.items()}


def two_layers():
    """Ten and twenty positions, four connections each, the mean |momentum| of b sixteen times that of a."""
    masks = {"a": bits("1111" + "0" * 6), "b": bits("1111" + "0" * 16)}
    weights = {name: np.where(mask, np.arange(mask.size) + 1.0, 0) for name, mask in masks.items()}
    momentum = {
        "a": np.where(masks["a"], 0.5, np.arange(10) / 10),
        "b": np.where(masks["b"], -8.0, np.arange(20) / 10),
    }
    return weights, masks, momentum


def test_shares_are_mean_momenta_of_active_weights_over_their_sum(xp):
    _, masks, momentum = two_layers()
    got = shares(give_all(xp, momentum), give_all(xp, masks))
    assert got == pytest.approx({"a": 0.058823529, "b": 0.941176471}, abs=1e-9)
    assert all(type(share) is float for share in got.values())


def test_all_that_is_dropped_is_regrown_where_the_shares_are(xp):
    """1 + 4 in the authors' code, which rounds both shares up."""
    weights, masks, momentum = two_layers()
    new = updated(xp, weights, masks, momentum, {"a": 2, "b": 2})
    assert new["a"].tolist() == bits("0011" + "0" * 6).tolist()
    assert np.flatnonzero(new["b"]).tolist() == [0, 1, 2, 3, 18, 19]  # what was dropped has the largest momentum


def test_what_a_full_layer_cannot_take_goes_to_the_others(xp):
    masks = {"a": np.arange(8) < 5, "b": np.arange(20) < 3}
    weights = {name: np.where(mask, 1.0, 0) for name, mask in masks.items()}
    momentum = {"a": np.full(8, 0.998), "b": np.full(20, 0.002)}
    assert shares(momentum, masks) == pytest.approx({"a": 0.998, "b": 0.002})
    new = updated(xp, weights, masks, momentum, {"a": 1, "b": 1})
    assert {name: int(mask.sum()) for name, mask in new.items()} == {"a": 6, "b": 2}
    new = updated(xp, weights, masks, momentum, {"a": 1, "b": 3})
    assert {name: int(mask.sum()) for name, mask in new.items()} == {"a": 8, "b": 0}
    masks["b"] = np.arange(20) < 6
    weights["b"] = np.where(masks["b"], 1.0, 0)
    new = updated(xp, weights, masks, momentum, {"a": 1, "b": 4})
    assert {name: int(mask.sum()) for name, mask in new.items()} == {"a": 8, "b": 3}


A, B = "a", "b"
CASES = {
    "the smallest go and the largest momentum comes": (
        {A: [4, 3, 2, 1, 0, 0]}, {A: "111100"}, {A: [1, 1, 1, 0, 2, -3]}, {A: 1}, {A: "111001"}),
    "a dropped connection returns at once": (
        {A: [4, 3, 2, 1, 0, 0]}, {A: "111100"}, {A: [1, 1, 1, 9, 2, -3]}, {A: 2}, {A: "110101"}),
    "growth never lands on an active weight": (
        {A: [4, 3, 1, 0]}, {A: "1110"}, {A: [9, 9, 0, 0]}, {A: 1}, {A: "1110"}),
    "active zeros are the ones to go": (
        {A: [0, 0, 5, 0]}, {A: "0110"}, {A: [0, 0, 1, 2]}, {A: 1}, {A: "0011"}),
    "all goes to the layer with momentum": (
        {A: [1, 2, 0], B: [1, 2, 0, 0]}, {A: "110", B: "1100"}, {A: [0, 0, 9], B: [1, 1, 0, 3]}, {A: 1, B: 0},
        {A: "010", B: "1101"}),
    "no momentum anywhere: equal shares, the odd one to the earlier": (
        {A: [1, 2, 0], B: [1, 2, 0]}, {A: "110", B: "110"}, {A: [0, 0, 5], B: [0, 0, 0]}, {A: 0, B: 1},
        {A: "111", B: "010"}),
    "an empty layer gets nothing": (
        {A: [0, 0], B: [1, 2, 0]}, {A: "00", B: "110"}, {A: [9, 9], B: [1, 1, 5]}, {A: 0, B: 1}, {A: "00", B: "011"}),
    "dense layers stay": ({A: [1, 2], B: [3]}, {A: "11", B: "1"}, {A: [1, 2], B: [3]}, {A: 1, B: 1}, {A: "11", B: "1"}),
    "nothing to move": ({A: [1, 2, 0]}, {A: "110"}, {A: [1, 1, 9]}, {A: 0}, {A: "110"}),
    "everything moves": ({A: [1, 2, 0, 0]}, {A: "1100"}, {A: [1, 1, 9, 9]}, {A: 2}, {A: "0011"}),
    "equal weights go and equal momenta come at the lowest": (
        {A: [1, 1, 1, 0, 0]}, {A: "11100"}, {A: [0, 1, 1, 1, 1]}, {A: 1}, {A: "01110"}),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_snfs_update_by_hand(xp, case, dtype):
    weights, masks, momentum, n_drop, expected = CASES[case]
    of_dtype = lambda tree: {name: np.array(values, dtype) for name, values in tree.items()}
    new = updated(xp, of_dtype(weights), {n: bits(m) for n, m in masks.items()}, of_dtype(momentum), n_drop)
    assert {name: "".join("01"[int(on)] for on in mask) for name, mask in new.items()} == expected
    assert all(mask.dtype == bool for mask in new.values())


@given(networks())
@many
def test_shares_equal_their_slow_twin(xp, network):
    _, masks, momentum, _ = network
    got = shares(give_all(xp, momentum), give_all(xp, masks))
    want = slow_shares(momentum, masks)
    assert list(got) == list(want)
    assert got == pytest.approx({name: float(share) for name, share in want.items()}, abs=1e-12)
    assert sum(want.values()) == 1


@given(networks())
@many
def test_snfs_update_equals_its_slow_twin(xp, network):
    got, want = updated(xp, *network), slow_snfs_update(*network)
    assert list(got) == list(want)
    assert all((got[name] == want[name]).all() for name in want)


@given(networks())
@many
def test_the_total_number_of_connections_stays(network):
    new = snfs_update(*network)
    assert sum(mask.sum() for mask in new.values()) == sum(mask.sum() for mask in network[1].values())


@given(networks())
@many
def test_the_smallest_go_and_the_largest_momenta_come_in_every_layer(network):
    weights, masks, momentum, n_drop = network
    for name, new in snfs_update(*network).items():
        mask, kept = masks[name], slow_kept(weights[name], masks[name], n_drop[name])
        assert (new >= kept).all()
        assert kept.sum() == mask.sum() - n_drop[name]
        assert abs(weights[name][mask & ~new]).max(initial=0) <= abs(weights[name][kept]).min(initial=inf)
        assert abs(momentum[name][~new]).max(initial=0) <= abs(momentum[name][new & ~kept]).min(initial=inf)


@given(networks())
def test_dropping_nothing_changes_nothing(network):
    weights, masks, momentum, n_drop = network
    new = snfs_update(weights, masks, momentum, dict.fromkeys(n_drop, 0))
    assert all((new[name] == mask).all() for name, mask in masks.items())


def test_over_fifty_updates_the_total_stays_and_no_layer_is_overdrawn():
    rng = np.random.default_rng(0)
    shapes = {"a": (10, 4), "b": (7,), "c": (3, 3, 2, 2)}
    masks = {name: rng.random(shape) < 0.6 for name, shape in shapes.items()}
    total = sum(mask.sum() for mask in masks.values())
    for _ in range(50):
        weights = {name: rng.standard_normal(mask.shape) * mask for name, mask in masks.items()}
        momentum = {name: rng.standard_normal(shape) * rng.exponential() ** 3 for name, shape in shapes.items()}
        masks = snfs_update(weights, masks, momentum, {name: int(mask.sum()) // 2 for name, mask in masks.items()})
        assert sum(mask.sum() for mask in masks.values()) == total


@given(networks())
@many
def test_after_projection_grown_and_dropped_weights_are_zero_and_kept_ones_as_they_were(network):
    weights, masks, *_ = network
    new = snfs_update(*network)
    for name, after in project(weights, new).items():
        assert not after[~new[name]].any()
        assert not after[new[name] & ~masks[name]].any()
        both = new[name] & masks[name]
        assert (after[both] == weights[name][both]).all()


@given(networks())
def test_the_arguments_are_left_as_they_were_and_the_results_are_new(network):
    before = [{name: a.copy() for name, a in tree.items()} for tree in network[:3]]
    n_drop = dict(network[3])
    new = snfs_update(*network)
    shares(network[2], network[1])
    for tree, old in zip(network[:3], before, strict=True):
        assert all((a == old[name]).all() for name, a in tree.items())
    assert network[3] == n_drop
    assert not any(np.shares_memory(mask, network[1][name]) for name, mask in new.items())


@given(distinct((7,)), distinct((7,)), hnp.arrays(bool, 7), st.permutations(range(7)), st.data())
@many
def test_distinct_scores_permute_with_their_positions(weight, momentum, mask, order, data):
    k = data.draw(st.integers(0, int(mask.sum())))
    other = {"w": np.array([1.0, 0]), "m": np.array([True, False]), "v": np.array([2.0, 1])}
    new = snfs_update({"a": weight, "b": other["w"]}, {"a": mask, "b": other["m"]},
                      {"a": momentum, "b": other["v"]}, {"a": k, "b": 1})  # fmt: skip
    shuffled = snfs_update({"a": weight[order], "b": other["w"]}, {"a": mask[order], "b": other["m"]},
                           {"a": momentum[order], "b": other["v"]}, {"a": k, "b": 1})  # fmt: skip
    assert (shuffled["a"] == new["a"][order]).all()
    assert (shuffled["b"] == new["b"]).all()


@given(networks(), st.sampled_from([-1.0, 2.0, -0.5]), st.sampled_from([-1.0, 2.0, -0.5]))
@many
def test_signs_and_scale_do_not_matter(network, of_weight, of_momentum):
    weights, masks, momentum, n_drop = network
    got = snfs_update(
        {n: of_weight * w for n, w in weights.items()}, masks, {n: of_momentum * m for n, m in momentum.items()}, n_drop
    )
    want = snfs_update(*network)
    assert all((got[name] == want[name]).all() for name in want)


@given(networks())
def test_one_layer_alone_regrows_what_it_lost(network):
    for name in network[0]:
        alone = snfs_update(*({name: tree[name]} for tree in network))
        assert alone[name].sum() == network[1][name].sum()


def test_shares_of_float32_are_taken_in_float64(xp):
    momentum = {"a": np.full(10, 0.1, "f4"), "b": np.full(10_000, 0.1, "f4")}  # a float32 mean of b is not that of a
    masks = {name: np.ones(m.shape, bool) for name, m in momentum.items()}
    assert shares(give_all(xp, momentum), give_all(xp, masks)) == pytest.approx({"a": 0.5, "b": 0.5}, abs=1e-14)


@pytest.mark.parametrize("momentum", [[nan, 1, 0], [inf, 1, 0]])
def test_momentum_that_is_not_finite_has_no_share(xp, momentum):
    with pytest.raises(ValueError, match="momentum of 'a' is not finite at every active weight"):
        shares(give_all(xp, arrays(a=momentum)), give_all(xp, {"a": bits("110")}))


@pytest.mark.parametrize(
    ("weights", "momentum"), [([nan, 1, 2], [1, 1, 1]), ([1, 1, nan], [1, 1, 1]), ([1, 1, 1], [1, 1, nan])]
)
def test_nan_is_refused_wherever_it_is(xp, weights, momentum):
    with pytest.raises(ValueError, match="NaN at 1 of 3 entries"):
        updated(xp, arrays(a=weights), {"a": bits("110")}, arrays(a=momentum), {"a": 1})


@pytest.mark.parametrize(("n", "error"), [(3, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError)])
def test_a_count_that_a_layer_cannot_lose_is_refused_by_its_name(xp, n, error):
    with pytest.raises(error, match=rf"n_drop of 'b' is {n}; expected a whole number from 0 to 2"):
        updated(xp, arrays(a=[1], b=[1, 1, 0]), {"a": bits("1"), "b": bits("110")}, arrays(a=[1], b=[1, 1, 1]),
                {"a": 1, "b": n})  # fmt: skip


def test_names_that_differ_are_refused(xp):
    network = [arrays(a=[1, 0]), {"a": bits("10")}, arrays(a=[1, 1]), {"a": 1}]
    for i, name in [(1, "masks"), (2, "momentum"), (3, "n_drop")]:
        others = [*network[:i], {"b": network[i]["a"]}, *network[i + 1 :]]
        with pytest.raises(ValueError, match=rf"'b' is only in {name}"):
            snfs_update(*others)
    with pytest.raises(ValueError, match="'b' is only in masks"):
        shares(arrays(a=[1]), {"b": bits("1")})


def test_shapes_that_differ_are_refused_by_their_layers_name(xp):
    ones, mask, n = arrays(a=[1, 1]), {"a": bits("10")}, {"a": 1}
    with pytest.raises(ValueError, match=r"its mask has shape \(1,\), weight 'a' has \(2,\)"):
        updated(xp, ones, {"a": bits("1")}, ones, n)
    with pytest.raises(ValueError, match=r"its momentum has shape \(1,\), weight 'a' has \(2,\)"):
        updated(xp, ones, mask, arrays(a=[1]), n)
    with pytest.raises(ValueError, match=r"its mask has shape \(1,\), momentum of 'a' has \(2,\)"):
        shares(give_all(xp, ones), give_all(xp, {"a": bits("1")}))


def test_a_mask_that_is_not_boolean_is_refused(xp):
    mask = {"a": np.array([1, 0])}
    with pytest.raises(TypeError, match="has dtype int64; expected bool"):
        updated(xp, arrays(a=[1, 0]), mask, arrays(a=[1, 1]), {"a": 1})
    with pytest.raises(TypeError, match="mask of 'a' has dtype int64; expected bool"):
        shares(give_all(xp, arrays(a=[1, 0])), give_all(xp, mask))
