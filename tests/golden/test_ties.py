"""Exactly those answers hold that some order of the equal scores leads to: all of them, tried out."""

from itertools import combinations, permutations, product
from math import prod

import numpy as np
import pytest
from effort import some
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minisparse.golden import ties
from minisparse.golden.cases import load
from minisparse.golden.facts import RULES, by_rank
from minisparse.golden.values import plain

SIZE = 5
scores = st.lists(st.integers(-2, 2), min_size=SIZE, max_size=SIZE).map(lambda x: np.array(x, dtype=float))
masks = st.lists(st.booleans(), min_size=SIZE, max_size=SIZE).map(np.array)
EVERY = [np.array([bool(i >> j & 1) for j in range(SIZE)]) for i in range(2**SIZE)]


def faults(function, got, inputs, want):
    """What the rule of a function says of an answer, from NumPy's arrays."""
    given = {name: value for name, value in inputs.items() if value is not None}
    return ties.RULES[function](plain(got), plain(given), plain(want))


def tops(score, k, among):
    """Every set of k candidates that some order of equal scores puts first."""
    places = np.flatnonzero(among)
    for chosen in combinations(places, k):
        rest = [score[i] for i in places if i not in chosen]
        if not rest or not chosen or min(score[i] for i in chosen) >= max(rest):
            marked = np.zeros(len(score), bool)
            marked[list(chosen)] = True
            yield marked


def moves(mask, groups, grow, n_grow):
    """Every mask that some legal drop of each group and some legal growth lead to, as bytes."""
    kept = [mask]
    for score, pool, n in groups:
        kept = [k & ~drop for k in kept for drop in tops(score, n, pool)]
    return {(k | grown).tobytes() for k in kept for grown in tops(grow, n_grow, ~k)}


def judge(function, inputs, legal, want=None):
    for got in EVERY:
        verdict = faults(function, got, inputs, np.zeros(SIZE, bool) if want is None else want)
        assert (verdict == []) == (got.tobytes() in legal), f"{got.astype(int)}: {verdict}"


@given(score=scores, among=st.none() | masks, data=st.data())
def test_top_k_accepts_every_k_of_the_highest_and_nothing_else(score, among, data):
    pool = np.ones(SIZE, bool) if among is None else among
    k = data.draw(st.integers(0, int(pool.sum())))
    judge("top_k", {"score": score, "k": k, "among": among}, {m.tobytes() for m in tops(score, k, pool)})
    legal = {m.tobytes() for m in tops(abs(score), k, pool)}
    judge("magnitude_mask", {"weight": score, "n_keep": k} | ({} if among is None else {"mask": among}), legal)


@given(weight=scores, mask=masks, grow=scores, data=st.data())
def test_an_update_may_drop_and_grow_any_of_those_that_tie(weight, mask, grow, data):
    k = data.draw(st.integers(0, int(mask.sum())))
    inputs = {"weight": weight, "mask": mask, "n_update": k}
    by_gradient = moves(mask, [(-abs(weight), mask, k)], abs(grow), k)
    judge("rigl_update", inputs | {"dense_grad": grow}, by_gradient)
    by_noise = moves(mask, [(-abs(weight), mask, k)], grow, k)
    judge("set_update_by_magnitude", inputs | {"noise": grow}, by_noise)


@given(weight=scores, mask=masks, noise=scores, data=st.data())
def test_set_drops_any_of_those_that_tie_on_either_side(weight, mask, noise, data):
    negative, positive = mask & (weight < 0), mask & ~(weight < 0)
    n, p = (data.draw(st.integers(0, int(side.sum()))) for side in (negative, positive))
    legal = moves(mask, [(weight, negative, n), (-weight, positive, p)], noise, n + p)
    inputs = {"weight": weight, "mask": mask, "noise": noise, "n_negative": n, "n_positive": p}
    judge("set_update", inputs, legal)


@given(weight=scores, grad=scores, k=st.integers(0, SIZE))
def test_snip_ranks_all_layers_at_once(weight, grad, k):
    legal = {m.tobytes() for m in tops(abs(weight * grad), k, np.ones(SIZE, bool))}
    cut = {"a": slice(0, 2), "b": slice(2, SIZE)}
    inputs = {"weights": {n: weight[c] for n, c in cut.items()}, "grads": {n: grad[c] for n, c in cut.items()}}
    for got in EVERY:
        split = {name: got[c] for name, c in cut.items()}
        verdict = faults("snip_masks", split, inputs | {"n_keep": k}, split)
        assert (verdict == []) == (got.tobytes() in legal)


@given(weight=scores, other=scores, among=masks, data=st.data())
def test_magnitudes_and_snip_rank_all_layers_at_once_too(weight, other, among, data):
    k, cut = data.draw(st.integers(0, int(among.sum()))), {"a": slice(0, 2), "b": slice(2, SIZE)}
    split = lambda array: {name: array[c] for name, c in cut.items()}
    legal = {m.tobytes() for m in tops(abs(weight), k, among)}
    for got in EVERY:
        inputs = {"weights": split(weight), "n_keep": k, "masks": split(among)}
        verdict = faults("global_magnitude_masks", split(got), inputs, split(got))
        assert (verdict == []) == (got.tobytes() in legal)
    params = {f"{name}.weight": w for name, w in split(weight).items()}
    grads = tuple({f"{name}.weight": g for name, g in split(own).items()} for own in (other, other[::-1]))
    legal = {m.tobytes() for m in tops(abs(weight * (other + other[::-1])), k, np.ones(SIZE, bool))}
    want = {f"{name}.weight": m for name, m in split(np.arange(SIZE) < k).items()}
    for got in EVERY:
        masks = {f"{name}.weight": m for name, m in split(got).items()}
        verdict = faults("snip", masks, {"params": params, "grads": grads}, want)
        assert (verdict == []) == (got.tobytes() in legal)


@given(weight=scores, product=scores, k=st.integers(0, SIZE))
def test_grasp_ranks_with_the_sign_and_keeps_the_lowest(weight, product, k):
    legal = {m.tobytes() for m in tops(weight * product, k, np.ones(SIZE, bool))}
    cut = {"a": slice(0, 2), "b": slice(2, SIZE)}
    inputs = {"weights": {n: weight[c] for n, c in cut.items()}, "products": {n: product[c] for n, c in cut.items()}}
    for got in EVERY:
        split = {name: got[c] for name, c in cut.items()}
        verdict = faults("grasp_masks", split, inputs | {"n_keep": k}, split)
        assert (verdict == []) == (got.tobytes() in legal)


def every_mask(shape):
    return (np.array([bool(i >> j & 1) for j in range(prod(shape))]).reshape(shape) for i in range(2 ** prod(shape)))


@pytest.mark.long
@given(score=hnp.arrays(float, (4, 2), elements=st.integers(-2, 2)), n=st.integers(0, 2))
def test_of_equals_in_a_group_any_may_stay_but_n_of_them(score, n):
    legal = [np.array(list(tops(score[rows, j], n, np.ones(2, bool))))
             for rows in (slice(0, 2), slice(2, 4)) for j in range(2)]  # fmt: skip
    for got in every_mask((4, 2)):
        parts = [got[rows, j] for rows in (slice(0, 2), slice(2, 4)) for j in range(2)]
        right = all((own == part).all(axis=1).any() for own, part in zip(legal, parts, strict=True))
        assert (faults("n_of_m_mask", got, {"score": score, "n": n, "m": 2}, got) == []) == right


@given(score=hnp.arrays(float, (2, 4), elements=st.integers(-2, 2)), k=st.integers(0, 4))
def test_of_equal_blocks_and_units_any_may_stay_but_whole(score, k):
    groups = {"block_mask": ((2, 2), (1, 2)), "unit_mask": ((1, 4), (2, 1))}
    for function, (grid, size) in groups.items():
        sums = score.reshape(grid[0], size[0], grid[1], size[1]).sum(axis=(1, 3)).ravel()
        tiled = lambda kept, grid=grid, size=size: np.kron(kept.reshape(grid), np.ones(size)) > 0
        legal = {tiled(kept).tobytes() for kept in tops(sums, k, np.ones(sums.size, bool))}
        more = {"block": size} if function == "block_mask" else {}
        for got in every_mask((2, 4)):
            verdict = faults(function, got, {"score": score, "n_keep": k} | more, got)
            assert (verdict == []) == (got.tobytes() in legal)


SIDE = 3
small = st.lists(st.integers(-2, 2), min_size=SIDE, max_size=SIDE).map(lambda x: np.array(x, dtype=float))
small_masks = st.lists(st.booleans(), min_size=SIDE, max_size=SIDE).map(np.array)


def splits(total, share, room):
    """Every division of `total` by largest remainder: floors, and the rest to the largest fractions in any order."""
    names = list(share)
    for order in permutations(names):
        n = dict.fromkeys(names, 0)
        free, left = list(order), total
        while True:
            whole = sum(share[i] for i in free)
            quota = {i: left * share[i] / whole if whole else left / len(free) for i in free}
            full = [i for i in free if quota[i] >= room[i]]
            if not full:
                break
            for i in full:
                n[i], left = room[i], left - room[i]
                free.remove(i)
            if not free:
                break
        if free:
            floors = {i: int(np.floor(quota[i] + 1e-12)) for i in free}
            rank = sorted(free, key=lambda i: -round(quota[i] - floors[i], 9))
            for i in rank[: left - sum(floors.values())]:
                floors[i] += 1
            n |= floors
        yield n


@given(weights=st.tuples(small, small), own=st.tuples(small_masks, small_masks), momentum=st.tuples(small, small),
       data=st.data())  # fmt: skip
def test_snfs_may_also_give_a_unit_that_ties_to_either_layer(weights, own, momentum, data):
    names = ("a", "b")
    n_drop = {name: data.draw(st.integers(0, int(m.sum()))) for name, m in zip(names, own, strict=True)}
    inputs = {
        "weights": dict(zip(names, weights, strict=True)),
        "masks": dict(zip(names, own, strict=True)),
        "momentum": dict(zip(names, momentum, strict=True)),
        "n_drop": n_drop,
    }
    means = {n: float(abs(inputs["momentum"][n][m]).mean()) if m.any() else 0.0 for n, m in inputs["masks"].items()}
    total = sum(means.values())
    share = {n: mean / total if total else 0.5 for n, mean in means.items()}
    room = {n: SIDE - int(m.sum()) + n_drop[n] for n, m in inputs["masks"].items()}
    legal = set()
    for n_grow in splits(sum(n_drop.values()), share, room):
        each = [
            moves(inputs["masks"][n], [(-abs(inputs["weights"][n]), inputs["masks"][n], n_drop[n])],
                  abs(inputs["momentum"][n]), n_grow[n])
            for n in names
        ]  # fmt: skip
        legal |= {a + b for a in each[0] for b in each[1]}
    for i in range(4**SIDE):
        flat = np.array([bool(i >> j & 1) for j in range(2 * SIDE)])
        got = {"a": flat[:SIDE], "b": flat[SIDE:]}
        verdict = faults("snfs_update", got, inputs, inputs["masks"])
        assert (verdict == []) == (flat.tobytes() in legal), f"{flat.astype(int)}: {verdict}"


@given(share=st.tuples(*[st.integers(0, 4)] * 3), room=st.tuples(*[st.integers(0, 4)] * 3), data=st.data())
def test_units_left_over_may_go_to_any_layer_of_equal_remainder(share, room, data):
    names = ("a", "b", "c")
    share, room = dict(zip(names, share, strict=True)), dict(zip(names, room, strict=True))
    total = data.draw(st.integers(0, sum(room.values())))
    legal = list(splits(total, share, room))
    for n in product(range(6), repeat=3):
        got = dict(zip(names, n, strict=True))
        verdict = faults("apportion", got, {"total": total, "shares": share, "room": room}, room)
        assert (verdict == []) == (got in legal), f"{got}: {verdict}"


@given(sizes=st.tuples(*[st.integers(1, 6)] * 3), eighths=st.tuples(*[st.integers(0, 8)] * 3))
def test_counts_are_of_the_largest_remainder_and_of_equal_ones_any(sizes, eighths):
    names = ("a", "b", "c")
    quotas = {name: n * e / 8 for name, n, e in zip(names, sizes, eighths, strict=True)}
    total = round(sum(quotas.values()))
    over = {name: q % 1 for name, q in quotas.items()}
    left = total - sum(int(q) for q in quotas.values())
    inputs = {
        "shapes": {name: (n,) for name, n in zip(names, sizes, strict=True)},
        "densities": {name: e / 8 for name, e in zip(names, eighths, strict=True)},
    }
    want = dict.fromkeys(names, 0) | {"a": total}
    for n in product(range(7), repeat=3):
        got = dict(zip(names, n, strict=True))
        up = [name for name in names if got[name] == int(quotas[name]) + 1]
        floors = all(got[name] in (int(quotas[name]), int(quotas[name]) + 1) for name in names)
        best = sorted(over.values(), reverse=True)[:left]
        legal = floors and sorted((over[name] for name in up), reverse=True) == best
        verdict = faults("counts", got, inputs, want)
        assert (verdict == []) == legal, f"{got}: {verdict}"


@pytest.mark.parametrize(
    ("got", "wrong"),
    [
        (np.ones(3, bool), ["has shape (3,), wanted (5,)"]),
        (np.full(5, 0.5), ["is no mask: it holds other values than 0 and 1"]),
        (None, ["is None, wanted a mask of shape (5,)"]),
        (np.array([0, 0, 0, 1, 0]), ["chooses 1, 2 were asked"]),
        (np.array([1, 1, 0, 0, 0]), ["chooses position 0 (score 1.0) before 3 (2.0); that is no tie"]),
        (np.array([0, 1, 1, 0, 0]), ["chooses position 2, which is no candidate"]),
        (
            np.array([1, 0, 1, 0, 1]),
            [
                "chooses position 2, which is no candidate",
                "chooses 3, 2 were asked",
                "chooses position 0 (score 1.0) before 1 (2.0); that is no tie",
            ],
        ),
    ],
)
def test_all_that_is_no_tie_is_named(got, wrong):
    given = {"score": np.array([1.0, 2, 9, 2, 2]), "k": 2, "among": np.array([1, 1, 0, 1, 1], bool)}
    assert [text for _, text in faults("top_k", got, given, np.array([0, 1, 0, 1, 0], bool))] == wrong


MOVE = {
    "weight": np.array([4.0, 3, 2, 1, 0, 0, 0, 0]),
    "mask": np.array([1, 1, 1, 1, 0, 0, 0, 0], bool),
    "dense_grad": np.array([0, 0, 0, 0, 4.0, 3, 2, 1]),
    "n_update": 2,
}


@pytest.mark.parametrize(
    ("got", "wrong"),
    [
        ("11001100", []),
        ("10001100", ["dropped 3, 2 were asked", "loses position 1, which stays"]),
        ("10001110", ["dropped 3, 2 were asked", "grew 3, 2 were asked", "loses position 1, which stays"]),
        ("11001000", ["ends with 3 connections, wanted 4"]),
        ("01101100", ["loses position 0, which stays"]),
        ("11000110", ["grows position 6 before 4 (growth scores 2.0, 4.0)"]),
        ("01100011", ["loses position 0, which stays", "grows position 7 before 4 (growth scores 1.0, 4.0)"]),
        ("11101000", ["position 2 is among those to go and is still there, before 5 (growth scores 0.0, 3.0)"]),
    ],
)
def test_an_update_is_told_its_counts_its_drop_and_its_growth(got, wrong):
    mask = np.array([c == "1" for c in got])
    assert [text for _, text in faults("rigl_update", mask, MOVE, MOVE["mask"])] == wrong


@given(weight=scores, mask=masks, grow=scores, method=st.sampled_from(["rigl", "set", "snfs", "magnitude"]),
       data=st.data())  # fmt: skip
def test_a_whole_update_may_break_ties_too_and_all_it_touches_follows_its_mask(weight, mask, grow, method, data):
    k = data.draw(st.integers(0, int(mask.sum())))
    inputs = {"weight": weight, "mask": mask, "slots": {"velocity": np.arange(1.0, SIZE + 1)}, "n_update": k}
    inputs |= {"dense_grad": grow} if method == "rigl" else {"dense_grad": -grow[::-1], "method": method}
    inputs |= {"scores": grow} if method in ("set", "snfs") else {}
    rank = grow if method == "set" else abs(grow)
    legal = moves(mask, [(-abs(weight), mask, k)], rank, 0 if method == "magnitude" else k)

    def whole(new, there):
        return {"weight": weight * there, "mask": new, "slots": {"velocity": inputs["slots"]["velocity"] * there}}

    for new in EVERY:
        wrong = faults("update", whole(new, mask & new), inputs, whole(mask, mask))
        assert (wrong == []) == (new.tobytes() in legal), f"{new.astype(int)}: {wrong}"
    new = np.frombuffer(sorted(legal)[0], dtype=bool)
    if (new & ~mask).any():
        stale = {"velocity": inputs["slots"]["velocity"] * new}
        wrong = faults("update", whole(new, mask & new) | {"slots": stale}, inputs, whole(mask, mask))
        assert [kind for kind, _ in wrong] == ["velocity a grown connection"]
        assert wrong[0][1].startswith("the velocity of a grown connection is ")


def test_what_is_no_whole_update_is_told_so():
    inputs = {"weight": np.ones(2), "mask": np.ones(2, bool), "slots": {}, "dense_grad": np.ones(2), "n_update": 0}
    want = {"weight": np.ones(2), "mask": np.ones(2, bool), "slots": {}}
    assert faults("update", None, inputs, want) == [
        ("form", "is None, wanted a dict with the keys weight, mask, slots")
    ]
    assert faults("update", want | {"mask": np.ones(3)}, inputs, want) == [
        ("form", "['mask'] has shape (3,), wanted (2,)")
    ]


@pytest.mark.parametrize("function", some(RULES))
def test_of_an_answer_of_another_form_the_form_is_told(function):
    case = load()[function][0]
    for odd in (None, "x", [1.5]):
        assert [kind for kind, _ in by_rank(case, odd)] == ["form"]


def test_any_optimal_code_holds_and_no_other():
    judged = lambda got: faults(
        "huffman_lengths", np.array(got), {"counts": np.array([1, 1, 2, 2, 0])}, np.array([2, 2, 2, 2, 0])
    )
    assert judged([2, 2, 2, 2, 0]) == judged([3, 3, 2, 1, 0]) == judged([3, 3, 1, 2, 0]) == []
    assert judged([2, 2, 2, 2, 1])
    assert judged([0, 2, 2, 2, 0])
    assert judged([1, 3, 2, 3, 0]), "longer in all"
    assert judged([2, 2, 1, 1, 0]), "shorter than any prefix code"
