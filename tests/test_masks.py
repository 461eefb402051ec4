import copy
import os
import subprocess
import sys
from itertools import combinations
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from slow_methods import slow_top_k
from strategies import SHAPES, choices, tied

from minisparse import masks as masks_module
from minisparse.allocate import counts
from minisparse.masks import Masks, project, random_masks, top_k, top_k_of_all

many = settings(max_examples=examples(200))


def bits(text):
    return np.array([c == "1" for c in text])


def signs(mask):
    return "".join("01"[on] for on in back(mask).ravel().tolist())


# top_k


@given(choices())
@many
def test_top_k_equals_its_slow_twin(xp, choice):
    score, k, among = choice
    got = top_k(give(xp, score), k, None if among is None else give(xp, among))
    assert got.dtype == bool
    assert got.shape == score.shape
    assert (back(got) == slow_top_k(score, k, among)).all()


@many
@given(layers=st.lists(choices(), min_size=1, max_size=3), masked=st.booleans(), data=st.data())
def test_one_ranking_of_all_layers_is_the_slow_twins_of_their_concatenation(xp, layers, masked, data):
    scores = {f"fc{i}": score for i, (score, *_) in enumerate(layers)}
    among = {name: np.random.default_rng(i).random(s.shape) < 0.6 for i, (name, s) in enumerate(scores.items())}
    flat = np.concatenate([s.ravel() for s in scores.values()])
    pool = np.concatenate([m.ravel() for m in among.values()]) if masked else np.ones(flat.shape, bool)
    k = data.draw(st.integers(0, int(pool.sum())))
    chosen = top_k_of_all(give_all(xp, scores), k, give_all(xp, among) if masked else None)
    assert list(chosen) == list(scores)
    assert all(chosen[name].shape == s.shape for name, s in scores.items())
    assert np.concatenate([back(c).ravel() for c in chosen.values()]).tolist() == slow_top_k(flat, k, pool).tolist()


def test_a_ranking_of_no_layers_has_nothing_to_choose():
    assert top_k_of_all({}, 0) == {}
    with pytest.raises(ValueError, match="k is 1"):
        top_k_of_all({}, 1)


@given(SHAPES.flatmap(lambda shape: hnp.arrays(st.sampled_from(["i1", "u1", "i8", "f4"]), shape)), st.data())
@many
def test_top_k_ranks_every_dtype(xp, score, data):
    score = np.nan_to_num(score)
    k = data.draw(st.integers(0, score.size))
    assert (back(top_k(give(xp, score), k)) == slow_top_k(score, k)).all()


LONG = {
    "three values": lambda rng, n: rng.integers(-1, 2, n).astype(float),
    "mostly zeros": lambda rng, n: np.where(rng.random(n) < 0.1, rng.integers(-9, 9, n), 0).astype(float),
    "all equal": lambda rng, n: np.full(n, 2.5),
    "distinct": lambda rng, n: rng.permutation(n).astype(float),
    "rising in runs": lambda rng, n: np.arange(n) // 7 * 1.0,
    "falling": lambda rng, n: -np.arange(n, dtype=float),
    "with infinities": lambda rng, n: rng.choice([-inf, -1.0, 0.0, -0.0, 1.0, inf], n),
    "float32": lambda rng, n: -abs(rng.standard_normal(n, dtype=np.float32)),
    "int8": lambda rng, n: rng.integers(-128, 128, n, dtype=np.int8),
    "regular": lambda rng, n: np.where(np.arange(n) % (n // 1024) == 0, -1.0, rng.permutation(n)),
}


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("size", [4097, 5000, 12_345, 50_000])
def test_top_k_equals_its_slow_twin_on_long_arrays(xp, kind, size):
    rng = np.random.default_rng([size, len(kind)])
    score = LONG[kind](rng, size)
    among = rng.random(size) < 0.9
    few = rng.random(size) < 0.02
    tries = [(int(rng.integers(1, n)), m) for n, m in ((size, None), (among.sum(), among), (few.sum(), few))]
    tries += [(k, m) for k in (1, 30) for m in (None, among, few)]
    for k, candidates in tries:
        got = top_k(give(xp, score), k, None if candidates is None else give(xp, candidates))
        assert (back(got) == slow_top_k(score, k, candidates)).all(), k


@pytest.mark.parametrize("k", [0, 1, 4999, 5000])
def test_top_k_of_a_long_array_marks_none_one_all_but_one_or_all(xp, k):
    score = np.random.default_rng(k).integers(0, 2, 5000).astype(float)
    assert (back(top_k(give(xp, score), k)) == slow_top_k(score, k)).all()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_of_three_candidates_among_thousands_none_of_which_a_sample_meets(xp, k):
    score, among = np.random.default_rng(k).standard_normal(5000), np.zeros(5000, bool)
    among[[1, 2001, 4999]] = True
    assert (back(top_k(give(xp, score), k, give(xp, among))) == slow_top_k(score, k, among)).all()


def test_top_k_chooses_the_lower_index_among_equals(xp):
    assert signs(top_k(give(xp, np.array([1.0, 2, 1, 2, 1, 2])), 4)) == "110101"


def test_top_k_counts_positive_and_negative_zero_as_equal(xp):
    assert signs(top_k(give(xp, np.array([-0.0, 0.0, -0.0])), 2)) == "110"


def test_top_k_chooses_any_candidate_before_any_other_entry(xp):
    score, among = np.array([inf, -inf, 9, -inf]), bits("0101")
    assert signs(top_k(give(xp, score), 2, give(xp, among))) == "0101"


def test_top_k_counts_indices_in_c_order_whatever_the_layout(xp):
    score = np.array([[1.0, 0, 1], [0, 1, 1]])
    assert signs(top_k(give(xp, score).T, 3)) == signs(slow_top_k(score.T, 3)) == "100110"
    among = give(xp, np.ones((2, 3), bool)).T
    assert signs(top_k(give(xp, score).T, 3, among)) == "100110"


@given(choices())
@many
def test_top_k_leaves_its_arguments_as_they_were(choice):
    score, k, among = choice
    before = score.copy(), copy.copy(among)
    marked = top_k(score, k, among)
    assert (score == before[0]).all()
    assert among is None or (among == before[1]).all()
    assert not np.shares_memory(marked, among if among is not None else score)


@pytest.mark.parametrize("among", [None, "1100"])
def test_nan_anywhere_is_refused_with_how_many_there_are(xp, among):
    score, among = give(xp, np.array([1, 2, nan, nan])), None if among is None else give(xp, bits(among))
    with pytest.raises(ValueError, match="score is NaN at 2 of 4 entries; ranks need numbers"):
        top_k(score, 1, among)


@pytest.mark.parametrize("k", [True, np.True_, 2.0, np.float32(2), "2", None])
def test_a_count_that_is_no_whole_number_is_refused(xp, k):
    with pytest.raises(TypeError, match=r"k is .+; expected a whole number from 0 to 4"):
        top_k(xp.ones(4), k)


@pytest.mark.parametrize(("k", "among", "most"), [(-1, None, 4), (5, None, 4), (3, "0110", 2), (1, "0000", 0)])
def test_a_count_beyond_the_candidates_is_refused(xp, k, among, most):
    among = None if among is None else give(xp, bits(among))
    with pytest.raises(ValueError, match=rf"k is {k}; expected a whole number from 0 to {most}"):
        top_k(xp.ones(4), k, among)


def test_numpy_whole_numbers_are_counts(xp):
    assert signs(top_k(xp.ones(4), np.int64(2))) == "1100"


def test_candidates_of_another_shape_are_refused(xp):
    with pytest.raises(ValueError, match=r"among has shape \(3, 2\), score has \(2, 3\)"):
        top_k(xp.ones((2, 3)), 1, xp.ones((3, 2), dtype=bool))


@pytest.mark.parametrize("dtype", ["int64", "float32", "uint8"])
def test_candidates_that_are_not_boolean_are_refused(xp, dtype):
    with pytest.raises(TypeError, match=rf"among has dtype {dtype}; expected bool"):
        top_k(xp.ones(4), 1, xp.ones(4, dtype=dtype))


def test_a_list_of_scores_is_refused():
    with pytest.raises(TypeError, match=r"builtins\.list; expected a NumPy or CuPy array"):
        top_k([1.0, 2.0], 1)


# project


@given(SHAPES.flatmap(lambda shape: st.tuples(hnp.arrays(np.float32, shape, elements=st.integers(-3, 3)),
                                              hnp.arrays(bool, shape))))  # fmt: skip
def test_project_is_zero_where_the_mask_is_false_and_nothing_else(xp, weight_and_mask):
    weight, mask = weight_and_mask
    params = give_all(xp, {"w": weight, "bias": np.arange(3.0)})
    for masks in ({"w": give(xp, mask)}, Masks({"w": give(xp, mask)})):
        got = project(params, masks)
        assert list(got) == ["w", "bias"]
        assert got["w"].dtype == np.float32
        assert (back(got["w"]) == np.where(mask, weight, 0)).all()
        assert got["bias"] is params["bias"]
        assert (back(project(got, masks)["w"]) == back(got["w"])).all()
    assert (back(params["w"]) == weight).all()


def test_project_takes_whole_numbers_and_other_dtypes(xp):
    masks = Masks({"w": give(xp, bits("101"))})
    for dtype in ("float64", "float32", "int64"):
        got = project({"w": give(xp, np.array([1, 2, 3], dtype=dtype))}, masks)["w"]
        assert got.dtype == dtype
        assert back(got).tolist() == [1, 0, 3]


def test_project_refuses_a_mask_without_a_parameter(xp):
    with pytest.raises(ValueError, match=r"masks has 'v', which is no parameter; the parameters are \['w'\]"):
        project({"w": xp.ones(2)}, {"v": xp.ones(2, dtype=bool)})


def test_project_refuses_a_mask_that_would_broadcast(xp):
    with pytest.raises(ValueError, match=r"mask for 'w' has shape \(3,\), weight has \(2, 3\)"):
        project({"w": xp.ones((2, 3))}, Masks({"w": xp.ones(3, dtype=bool)}))


# Masks


def test_masks_know_their_numbers(xp):
    masks = Masks(give_all(xp, {"a": bits("110"), "b": bits("10000").reshape(5, 1)}))
    assert (masks.active, masks.size, masks.density) == (3, 8, 0.375)
    assert masks.counts == {"a": 2, "b": 1}
    assert all(type(n) is int for n in (masks.active, masks.size, *masks.counts.values()))
    assert (list(masks), len(masks), "b" in masks) == (["a", "b"], 2, True)


def test_masks_print_as_a_table(xp):
    text = repr(Masks(give_all(xp, {"fc1.weight": np.ones((50, 40), bool), "fc2.weight": bits("10").reshape(2, 1)})))
    rows = [line.split() for line in text.splitlines()]
    assert rows == [
        ["layer", "shape", "active", "of", "density"],
        ["fc1.weight", "(50,", "40)", "2,000", "2,000", "1.0000"],
        ["fc2.weight", "(2,", "1)", "1", "2", "0.5000"],
        ["all", "2,001", "2,002", "0.9995"],
    ]
    assert len({len(line) for line in text.splitlines()}) == 1


def test_masks_without_layers_are_masks(xp):
    assert (Masks({}).active, Masks({}).size, dict(Masks({}))) == (0, 0, {})


def test_masks_cannot_be_assigned_to(xp):
    masks = Masks({"a": give(xp, bits("10"))})
    with pytest.raises(TypeError, match="does not support item assignment"):
        masks["a"] = give(xp, bits("11"))
    with pytest.raises(TypeError, match="does not support item deletion"):
        del masks["a"]


def test_mask_arrays_cannot_be_written_to():
    masks = Masks({"a": bits("10")})
    with pytest.raises(ValueError, match="read-only"):
        masks["a"][0] = False


def test_masks_are_not_changed_through_the_arrays_they_were_made_of():
    source = {"a": bits("10")}
    masks = Masks(source)
    source["a"][:] = True
    source["b"] = bits("1")
    assert (signs(masks["a"]), list(masks)) == ("10", ["a"])
    assert source["a"].flags.writeable


def test_masks_of_masks_are_equal(xp):
    masks = Masks({"a": give(xp, bits("10"))})
    assert signs(Masks(masks)["a"]) == "10"


@pytest.mark.parametrize("dtype", ["int64", "float32", "uint8"])
def test_masks_of_ones_and_zeros_become_boolean(xp, dtype):
    mask = Masks({"a": give(xp, np.array([1, 0, 1], dtype=dtype))})["a"]
    assert mask.dtype == bool
    assert signs(mask) == "101"


@pytest.mark.parametrize("values", [[0, 2], [0.5, 1], [-1, 0], [nan, 1]])
def test_a_mask_of_other_values_is_refused_by_its_name(xp, values):
    with pytest.raises(ValueError, match="mask for 'fc1' holds values other than true and false"):
        Masks({"ok": give(xp, bits("10")), "fc1": give(xp, np.array(values))})


def test_a_list_is_no_mask():
    with pytest.raises(TypeError, match=r"builtins\.list; expected a NumPy or CuPy array"):
        Masks({"a": [True, False]})


def test_a_deep_copy_of_masks_is_equal_and_its_own(xp):
    masks = Masks({"a": give(xp, bits("10"))})
    project({"a": xp.ones(2)}, masks)
    twin = copy.deepcopy(masks)
    assert type(twin) is Masks
    assert (repr(twin), signs(twin["a"])) == (repr(masks), "10")
    assert twin["a"] is not masks["a"]


def test_a_deep_copy_of_masks_is_read_only_too():
    twin = copy.deepcopy(Masks({"a": bits("10")}))
    with pytest.raises(ValueError, match="read-only"):
        twin["a"][0] = False


# random_masks


def test_random_masks_have_exactly_the_counts():
    shapes = {"conv": (3, 3, 2, 4), "fc": (7, 11), "one": (1, 1), "full": (2, 3)}
    densities = {"conv": 0.3, "fc": 0.123, "one": 0.5, "full": 1.0}
    for seed in range(20):
        masks = random_masks(shapes, densities, np.random.default_rng(seed))
        assert masks.counts == counts(shapes, densities)
        assert {name: mask.shape for name, mask in masks.items()} == shapes
        assert all(mask.dtype == bool for mask in masks.values())


def test_every_position_is_equally_likely():
    n, active, seeds = 40, 12, 2000
    hits = sum(random_masks({"a": (5, 8)}, {"a": active / n}, np.random.default_rng(s))["a"] * 1 for s in range(seeds))
    p = active / n
    chi_square = (n - 1) / n * ((hits - seeds * p) ** 2).sum() / (seeds * p * (1 - p))
    assert hits.sum() == seeds * active
    assert 13 < chi_square < 81  # 39 degrees of freedom: 1e-4 on either side


def test_every_set_of_positions_is_equally_likely():
    times = dict.fromkeys(combinations(range(5), 2), 0)
    for seed in range(2000):
        mask = random_masks({"a": (5,)}, {"a": 0.4}, np.random.default_rng(seed))["a"]
        times[tuple(np.flatnonzero(mask).tolist())] += 1
    assert sum((n - 200) ** 2 / 200 for n in times.values()) < 34  # 9 degrees of freedom: 1e-4


SHAPES_OF_NET = {"fc1.weight": (30, 20), "fc2.weight": (20, 10), "fc3.weight": (30, 20)}
DENSITIES_OF_NET = {"fc1.weight": 0.1, "fc2.weight": 0.3, "fc3.weight": 0.1}


def net_masks(names=tuple(SHAPES_OF_NET), seed=7):
    shapes, densities = ({name: of[name] for name in names} for of in (SHAPES_OF_NET, DENSITIES_OF_NET))
    return {name: signs(m) for name, m in random_masks(shapes, densities, np.random.default_rng(seed)).items()}


def test_the_order_of_layers_and_the_presence_of_others_do_not_change_a_mask():
    masks = net_masks()
    assert net_masks(("fc3.weight", "fc2.weight", "fc1.weight")) == masks
    assert net_masks(("fc2.weight",)) == {"fc2.weight": masks["fc2.weight"]}


def test_another_name_another_seed_and_another_draw_are_other_masks():
    masks, rng = net_masks(), np.random.default_rng(7)
    assert masks["fc1.weight"] != masks["fc3.weight"]
    assert net_masks(seed=8)["fc1.weight"] != masks["fc1.weight"]
    first, second = (random_masks({"a": (30, 20)}, {"a": 0.1}, rng)["a"] for _ in range(2))
    assert signs(first) != signs(second)


def test_random_masks_take_128_bits_from_the_generator_however_many_layers_there_are():
    rng, twin = np.random.default_rng(7), np.random.default_rng(7)
    random_masks(SHAPES_OF_NET, DENSITIES_OF_NET, rng)
    twin.bytes(16)
    assert rng.bytes(8) == twin.bytes(8)


def test_two_processes_with_different_hash_seeds_draw_the_same_masks():
    code = f"""
import numpy as np
from minisparse.masks import random_masks
masks = random_masks({SHAPES_OF_NET}, {DENSITIES_OF_NET}, np.random.default_rng(7))
print(*("".join("01"[on] for on in mask.ravel().tolist()) for mask in masks.values()))
"""
    home = str(Path(masks_module.__file__).parents[1])
    for hash_seed in "12":
        env = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": home}
        child = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert child.stdout.split() == list(net_masks().values())


def test_random_masks_refuse_keys_that_differ_and_what_is_no_generator():
    with pytest.raises(ValueError, match="'b' is only in densities"):
        random_masks({"a": (2, 2)}, {"a": 0.5, "b": 0.5}, np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"rng is int; expected a numpy\.random\.Generator"):
        random_masks({"a": (2, 2)}, {"a": 0.5}, 0)


@given(SHAPES.flatmap(tied))
def test_masks_from_top_k_are_masks(score):
    k = score.size // 2
    assert Masks({"a": top_k(score, k)}).active == k


@pytest.mark.parametrize("dtype", [int, np.uint8, np.float32, float])
def test_masks_of_ones_and_zeros_project_as_booleans_do(xp, dtype):
    weight = give(xp, np.array([1.5, 2.5, 3.5], np.float32))
    mask = np.array([1, 0, 1])
    got = project({"w": weight}, {"w": give(xp, mask.astype(dtype))})["w"]
    assert got.dtype == np.float32
    assert back(got).tolist() == [1.5, 0, 3.5]
    with pytest.raises(ValueError, match="mask for 'w' holds values other than true and false"):
        project({"w": weight}, {"w": give(xp, (2 * mask).astype(dtype))})


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, bool, np.float16])
def test_weights_of_any_dtype_are_projected_in_it(xp, dtype):
    weight, mask = give(xp, np.array([100, 2, 1]).astype(dtype)), give(xp, np.array([True, False, True]))
    for masks in ({"w": mask}, Masks({"w": mask})):
        got = project({"w": weight}, masks)["w"]
        assert got.dtype == dtype
        assert back(got).tolist() == [back(weight)[0], 0, 1]
