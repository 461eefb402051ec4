"""The loop: its invariant, the order of a step, and going on as if it had never stopped."""

import copy
import itertools
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import slow_ops as slow
from arrays import back, give, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

import minisparse
from minisparse import nn, ops
from minisparse.masks import Masks, project, random_masks
from minisparse.optim import adam, sgd
from minisparse.recipes import rigl, static
from minisparse.schedule import every
from minisparse.train import Method, train

OPTIMIZERS = {
    "sgd": sgd(0.1, weight_decay=0.1),
    "momentum": sgd(0.1, momentum=0.9, weight_decay=0.1),
    "nesterov": sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": adam(0.1, weight_decay=0.1),
}
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)


def bits(tree):
    """Everything a tree of arrays holds, to compare byte for byte."""
    if isinstance(tree, Mapping):
        return {key: bits(branch) for key, branch in tree.items()}
    if isinstance(tree, tuple):
        return tuple(map(bits, tree))
    return (str(tree.dtype), tree.shape, back(tree).tobytes()) if hasattr(tree, "shape") else tree


def gradients_by_hand(params, batch, rng):
    """A loss that is linear in the weights: its gradient is the batch."""
    terms = [ops.sum(params[name] * g) for name, g in batch.items()]
    return sum(terms[1:], terms[0])


def by_hand(xp, w, mask, grads, method, optimizer, **options):
    """The steps of one layer "fc.weight" with its gradients written down."""
    batches = [{"fc.weight": give(xp, np.array(g, dtype=float))} for g in grads]
    params, masks = (
        {"fc.weight": give(xp, np.array(w, dtype=float))},
        {"fc.weight": give(xp, np.array(mask, dtype=bool))},
    )
    rng = np.random.default_rng(0)
    return list(train(gradients_by_hand, params, masks, batches, method, rng, optimizer, **options))


def weight(step):
    return back(step.params["fc.weight"]).tolist()


def mask(step):
    return back(step.masks["fc.weight"]).astype(int).tolist()


def slot(step, name="velocity"):
    return back(step.slots[name]["fc.weight"]).tolist()


MODEL = nn.Chain({"fc1": nn.Linear(4, 5), "relu": nn.Relu(), "drop": nn.Dropout(0.3), "fc2": nn.Linear(5, 3)})
SHAPES = {"fc1.weight": (4, 5), "fc2.weight": (5, 3)}


def classify(params, batch, rng):
    return ops.softmax_cross_entropy(MODEL(params, batch["x"], train=True, rng=rng), batch["labels"])


def network(xp, n_steps, density=0.5, seed=0, dtype=np.float64):
    """params, masks and batches of a small network with dropout."""
    rng = np.random.default_rng(seed)
    params = give_all(xp, MODEL.init(rng, dtype))
    masks = give_all(xp, random_masks(SHAPES, dict.fromkeys(SHAPES, density), rng))
    xs = rng.standard_normal((n_steps, 6, 4)).astype(dtype)
    labels = rng.integers(0, 3, (n_steps, 6))
    return params, masks, [{"x": give(xp, x), "labels": give(xp, y)} for x, y in zip(xs, labels, strict=True)]


@pytest.mark.filterwarnings("ignore:masks is empty")
@each_optimizer
@settings(max_examples=examples(40))
@given(data=st.data())
def test_weights_and_slots_are_zero_wherever_the_mask_is_false_after_every_step(xp, optimizer, data):
    params, _, batches = network(xp, 7, seed=data.draw(st.integers(0, 1000)))
    gated = data.draw(st.lists(st.sampled_from(list(params)), unique=True))
    bit = lambda shape: st.lists(st.booleans(), min_size=math.prod(shape), max_size=math.prod(shape))
    masks = {n: give(xp, np.array(data.draw(bit(params[n].shape))).reshape(params[n].shape)) for n in gated}
    counts = {name: back(m).sum() for name, m in masks.items()}
    method = data.draw(st.sampled_from([rigl(alpha=0.9, period=2, t_end=6), static()]))
    steps = list(train(classify, params, masks, batches, method, np.random.default_rng(0), optimizer))
    assert len(steps) == 7
    for step in steps:
        assert list(step.masks) == gated
        assert step.masks.counts == counts
        for name, m in step.masks.items():
            absent = ~back(m)
            assert not back(step.params[name])[absent].any()
            for own in step.slots.values():
                assert not isinstance(own, Mapping) or not back(own[name])[absent].any()


@each_optimizer
def test_parameters_without_a_mask_train_freely(xp, optimizer):
    params = {name: give(xp, np.zeros((2, 3))) for name in ("fc1.weight", "fc2.weight", "fc1.bias")}
    masks = {"fc1.weight": give(xp, np.array([[True, False, True], [False, False, True]]))}
    batches = [{name: give(xp, np.ones((2, 3))) for name in params}] * 3
    for step in train(gradients_by_hand, params, masks, batches, static(), np.random.default_rng(0), optimizer):
        assert (back(step.params["fc2.weight"]) < 0).all()
        assert (back(step.params["fc1.bias"]) < 0).all()
        np.testing.assert_array_equal(back(step.params["fc1.weight"]) < 0, back(masks["fc1.weight"]))


@pytest.mark.filterwarnings("ignore:period is ., and updates end before:UserWarning")
@settings(max_examples=examples(150))
@given(
    data=st.data(),
    shape=st.sampled_from([(3, 2), (2, 4), (7,)]),
    momentum=st.sampled_from([0.0, 0.9]),
    nesterov=st.booleans(),
    weight_decay=st.sampled_from([0.0, 0.1]),
    alpha=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    period=st.integers(1, 3),
    t_end=st.integers(2, 9),
)
def test_rigl_training_is_algorithm_1_one_float_at_a_time(
    xp, data, shape, momentum, nesterov, weight_decay, alpha, period, t_end
):
    size = math.prod(shape)
    some = st.lists(st.integers(-3, 3).map(float), min_size=size, max_size=size)
    w, m = data.draw(some), data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    grads = data.draw(st.lists(some, min_size=1, max_size=8))
    in_shape = lambda values: np.array(values).reshape(shape)
    method, optimizer = rigl(alpha, period, t_end), sgd(0.25, momentum, nesterov, weight_decay)
    steps = by_hand(xp, in_shape(w), in_shape(m), map(in_shape, grads), method, optimizer)
    twin = slow.rigl_run(w, m, grads, 0.25, momentum, nesterov, weight_decay, alpha, period, t_end)
    for step, (w_want, m_want, v_want) in zip(steps, twin, strict=True):
        np.testing.assert_array_equal(back(step.masks["fc.weight"]), in_shape(m_want))
        np.testing.assert_allclose(weight(step), in_shape(w_want), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(slot(step), in_shape(v_want), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("period", "t_end"), [(4, 20), (4, 18)])
def test_updates_come_at_dt_2dt_and_end_before_t_end(xp, period, t_end):
    steps = by_hand(xp, range(8), [1] * 4 + [0] * 4, [range(8)] * 24, rigl(0.3, period, t_end), sgd(0.1))
    assert [step.number for step in steps] == list(range(24))
    assert [step.number for step in steps if step.rewired] == [4, 8, 12, 16]


def test_t_end_itself_is_no_update(xp):
    steps = by_hand(xp, range(8), [1] * 4 + [0] * 4, [range(8)] * 24, rigl(0.3, 4, 16), sgd(0.1))
    assert [step.number for step in steps if step.rewired] == [4, 8, 12]


EIGHT = [4.0, 3, 2, 1, 0, 0, 0, 0]
FIRST_FOUR = [1, 1, 1, 1, 0, 0, 0, 0]
SMALL = [0.5, 0.25, 0.5, 0.25, 1, 1, 1, 1]
CALM = [0.1, 0.1, 0.1, 0.1, 0.5, 0.9, 0.7, 0.2]
REGROW = [0.1, 0.1, 0.1, 9, 0.5, 0.9, 0.7, 0.2]
HALF = rigl(alpha=0.6, period=2, t_end=1_000_000)  # two of four


@each_optimizer
def test_an_update_takes_the_place_of_the_optimizer_step(xp, optimizer):
    _, before, update, after = by_hand(xp, EIGHT, FIRST_FOUR, [SMALL, SMALL, CALM, SMALL], HALF, optimizer)
    assert (before.rewired, update.rewired, after.rewired) == (False, True, False)
    assert mask(update) == [1, 1, 0, 0, 0, 1, 1, 0]
    assert weight(update)[:2] == weight(before)[:2]
    for name, own in before.slots.items():
        if isinstance(own, Mapping):
            assert slot(update, name)[:2] == slot(before, name)[:2]
            assert all(slot(before, name)[:2])
            assert slot(update, name)[2:] == [0] * 6
        else:
            assert update.slots[name] == own
    assert weight(after)[:2] != weight(update)[:2]
    assert all(weight(after)[i] != 0 for i in (5, 6))


@each_optimizer
def test_a_connection_dropped_and_regrown_at_once_keeps_value_and_slots(xp, optimizer):
    _, before, update = by_hand(xp, EIGHT, FIRST_FOUR, [SMALL, SMALL, REGROW], HALF, optimizer)
    assert mask(update) == [1, 1, 0, 1, 0, 1, 0, 0]
    assert weight(update)[3] == weight(before)[3] != 0
    for name, own in before.slots.items():
        if isinstance(own, Mapping):
            assert slot(update, name)[3] == slot(before, name)[3] != 0


@each_optimizer
def test_grown_weights_start_at_zero_with_zero_slots_though_their_gradient_was_seen(xp, optimizer):
    _, before, update = by_hand(xp, EIGHT, FIRST_FOUR, [SMALL, SMALL, CALM], HALF, optimizer)
    for i in (5, 6):
        assert (mask(before)[i], mask(update)[i], weight(update)[i]) == (0, 1, 0)
        assert all(slot(update, name)[i] == 0 for name, own in update.slots.items() if isinstance(own, Mapping))
    for i in (2, 3):
        assert (mask(before)[i], mask(update)[i], weight(update)[i]) == (1, 0, 0)


@each_optimizer
def test_an_update_of_nothing_changes_nothing_but_takes_a_batch(xp, optimizer):
    method = rigl(alpha=0.2, period=2, t_end=1_000_000)
    _, before, update, after = by_hand(xp, EIGHT, FIRST_FOUR, [SMALL, SMALL, REGROW, SMALL], method, optimizer)
    assert update.rewired
    assert bits((update.params, update.masks, update.slots)) == bits((before.params, before.masks, before.slots))
    assert bits(after.params) != bits(update.params)


def test_adam_does_not_count_the_batches_that_rewire(xp):
    quick = by_hand(xp, EIGHT, FIRST_FOUR, [SMALL, SMALL, SMALL], static(), adam(0.1))
    method = rigl(alpha=0.2, period=2, t_end=1_000_000)
    paused = by_hand(xp, EIGHT, FIRST_FOUR, [SMALL, SMALL, SMALL, SMALL], method, adam(0.1))
    assert bits(paused[3].params) == bits(quick[2].params)


def test_the_learning_rate_is_asked_at_the_number_of_batches_seen(xp):
    optimizer = sgd(lambda step: 2.0**-step)
    method = rigl(alpha=0.2, period=2, t_end=1_000_000)
    steps = by_hand(xp, [0.0], [1], [[1.0]] * 6, method, optimizer)
    moved = np.diff([0.0, *(weight(step)[0] for step in steps)])
    assert moved.tolist() == [-1, -0.5, 0, -0.125, 0, -(2.0**-5)]


@each_optimizer
def test_gradients_are_dense_and_without_weight_decay(xp, optimizer):
    grads = [SMALL, CALM, REGROW]
    for step, g in zip(by_hand(xp, EIGHT, FIRST_FOUR, grads, HALF, optimizer), grads, strict=True):
        assert back(step.grads["fc.weight"]).tolist() == g


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_weight_decay_does_not_change_what_grows(xp, weight_decay):
    w, g = [9.0, -1, 0, 0], [0.0, -0.40, 0.45, 0]
    method = rigl(alpha=0.6, period=2, t_end=1_000_000)
    steps = by_hand(xp, w, [1, 1, 0, 0], [[0.0] * 4, [0.0] * 4, g], method, sgd(0.01, weight_decay=weight_decay))
    assert mask(steps[-1]) == [1, 0, 1, 0]


def test_masks_change_on_rewired_steps_only_and_keep_their_counts(xp):
    params, masks, batches = network(xp, 12)
    before, changed = bits(Masks(masks)), []
    for step in train(classify, params, masks, batches, rigl(0.9, 3, 40), np.random.default_rng(0)):
        if bits(step.masks) != before:
            changed.append(step.number)
            assert step.rewired
        assert step.masks.counts == Masks(masks).counts
        before = bits(step.masks)
    assert 3 in changed


def test_loss_and_gradients_are_those_before_the_step(xp):
    steps = by_hand(xp, [2.0, 3.0, 5.0], [1, 1, 0], [[1.0, 1, 1], [1.0, 2, 0]], static(), sgd(1.0))
    assert [step.loss for step in steps] == [5.0, 1.0 + 2 * 2.0]
    assert all(type(step.loss) is float for step in steps)


def test_absent_weights_are_zero_in_the_very_first_loss(xp):
    stale = by_hand(xp, [1.0, 9.0], [1, 0], [[1.0, 1.0]], static(), sgd(0.1))
    assert stale[0].loss == 1.0


def test_starting_weights_and_masks_are_left_alone(xp):
    params, masks, batches = network(xp, 6)
    before = bits((params, masks))
    for _ in train(classify, params, masks, batches, rigl(0.9, 2, 6), np.random.default_rng(0)):
        pass
    assert bits((params, masks)) == before


@each_optimizer
def test_nothing_that_was_yielded_is_overwritten(xp, optimizer):
    params, masks, batches = network(xp, 8)
    method = rigl(0.9, 3, 8)._replace(fill=lambda name, grown, weights, grads, rng: grads[name])
    kept, copies = [], []
    for step in train(classify, params, masks, batches, method, np.random.default_rng(0), optimizer):
        kept.append(step)
        copies.append(copy.deepcopy(step))
    assert [bits(step) for step in kept] == [bits(step) for step in copies]


@pytest.mark.parametrize("optimizer", [sgd(0.1, momentum=0.9, weight_decay=0.01), adam(0.01)], ids=["sgd", "adam"])
def test_a_run_goes_on_from_any_step_as_if_it_had_never_stopped(xp, optimizer):
    params, masks, batches = network(xp, 9)
    method = rigl(0.9, 3, 8)
    whole = list(train(classify, params, masks, batches, method, np.random.default_rng(0), optimizer))
    assert [step.number for step in whole if step.rewired] == [3, 6]
    for cut in whole:
        rest = batches[cut.number + 1 :]
        other = np.random.default_rng(99)
        resumed = list(train(classify, params, masks, rest, method, other, optimizer, start=cut.state))
        assert bits(tuple(resumed)) == bits(tuple(whole[cut.number + 1 :]))


def test_a_methods_memory_goes_on_too(xp):
    params, masks, batches = network(xp, 6)
    smooth = lambda memory, grads, rng: {n: 0.5 * g + (0.5 * memory[n] if memory else 0) for n, g in grads.items()}
    method = rigl(0.9, 2, 6)._replace(observe=smooth)
    whole = list(train(classify, params, masks, batches, method, np.random.default_rng(0)))
    for cut in whole:
        resumed = train(classify, params, masks, batches[cut.number + 1 :], method, None, start=cut.state)
        assert bits(tuple(resumed)) == bits(tuple(whole[cut.number + 1 :]))


def test_a_start_with_other_parameters_or_masks_is_refused(xp):
    params, masks, batches = network(xp, 2)
    state = next(train(classify, params, masks, batches, static(), np.random.default_rng(0))).state
    with pytest.raises(ValueError, match=r"fc1\.bias"):
        list(
            train(
                classify,
                {n: w for n, w in params.items() if n != "fc1.bias"},
                masks,
                batches,
                static(),
                None,
                start=state,
            )
        )
    with pytest.raises(ValueError, match=r"fc2\.weight"):
        list(train(classify, params, {"fc1.weight": masks["fc1.weight"]}, batches, static(), None, start=state))


def test_the_same_seed_gives_the_same_run_and_another_seed_another(xp):
    params, masks, batches = network(xp, 5)

    def weights_of(seed):
        steps = train(classify, params, masks, batches, rigl(0.9, 2, 5), np.random.default_rng(seed))
        return [bits((step.loss, step.params, step.masks, step.slots)) for step in steps]

    assert weights_of(0) == weights_of(0)
    assert weights_of(0)[0] != weights_of(1)[0]


def test_every_step_has_random_numbers_of_its_own_that_do_not_depend_on_how_many_were_drawn(xp):
    def draws(sizes):
        seen = []

        def loss_fn(params, size, rng):
            seen.append(rng.random(size)[0])
            return ops.sum(params["a"])

        list(train(loss_fn, {"a": give(xp, np.ones(1))}, {}, sizes, static(), np.random.default_rng(0)))
        return seen

    assert draws([1, 1, 1, 1]) == draws([5, 7, 1, 100])
    assert len(set(draws([1] * 10))) == 10


HASH_SEED_RUN = """
import hashlib, numpy as np
from minisparse import nn, ops
from minisparse.masks import random_masks
from minisparse.optim import sgd
from minisparse.recipes import rigl
from minisparse.train import train

rng = np.random.default_rng(0)
model = nn.Chain({"fc1": nn.Linear(6, 8), "drop": nn.Dropout(0.3), "fc2": nn.Linear(8, 3)})
params = model.init(rng)
shapes = {name: w.shape for name, w in params.items() if name.endswith("weight")}
masks = random_masks(shapes, dict.fromkeys(shapes, 0.5), rng)
batches = [(rng.standard_normal((4, 6)).astype("f4"), rng.integers(0, 3, 4)) for _ in range(12)]
loss_fn = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0], train=True, rng=rng), batch[1])
total = hashlib.sha256()
for step in train(loss_fn, params, masks, batches, rigl(0.5, 3, 11), rng, sgd(0.1, momentum=0.9)):
    for tree in (step.params, step.masks, step.grads, step.slots["velocity"]):
        for name, array in tree.items():
            total.update(name.encode() + array.tobytes())
print(total.hexdigest())
"""


def test_two_processes_with_different_hash_seeds_run_bit_for_bit_alike():
    package = str(Path(minisparse.__file__).parents[1])
    digests = [
        subprocess.run(
            [sys.executable, "-c", HASH_SEED_RUN],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": package},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert digests[0] == digests[1]


def filled(xp, fill, grads=(SMALL, SMALL, REGROW)):
    """(step before the update, the update) of HALF with `fill`: 5 is grown, 3 comes back, 2 goes."""
    steps = by_hand(xp, EIGHT, FIRST_FOUR, grads, HALF._replace(fill=fill), sgd(0.1, momentum=0.9))
    return steps[-2:]


@pytest.mark.parametrize(
    "values",
    [lambda grown: np.full(8, 7.0), lambda grown: np.full(int(grown.sum()), 7.0)],
    ids=["as an array of the layer's shape", "as one value for each"],
)
def test_fill_sets_newly_grown_weights_and_nothing_else(xp, values):
    before, update = filled(xp, lambda name, grown, weights, grads, rng: give(xp, values(grown)))
    plain_before, plain = filled(xp, None)
    assert bits(before) == bits(plain_before)
    want = weight(plain)
    want[5] = 7.0
    assert weight(update) == want
    assert mask(update) == mask(plain) == [1, 1, 0, 1, 0, 1, 0, 0]
    assert bits(update.slots) == bits(plain.slots)
    assert slot(update)[5] == 0


def test_fill_gives_one_value_for_each_grown_weight_in_c_order(xp):
    steps = by_hand(
        xp,
        [[4.0, 3, 0], [0, 2, 1]],
        [[1, 1, 0], [0, 1, 1]],
        [np.zeros((2, 3)), np.zeros((2, 3)), [[0.0, 0, 5], [9, 0, 0]]],
        HALF._replace(fill=lambda name, grown, weights, grads, rng: give(xp, np.array([1.5, 2.5]))),
        sgd(0.1),
    )
    assert mask(steps[-1]) == [[1, 1, 1], [1, 0, 0]]
    assert weight(steps[-1]) == [[4, 3, 1.5], [2.5, 0, 0]]


def test_fill_sees_projected_weights_this_batchs_gradients_and_what_grew(xp):
    seen = []

    def fill(name, grown, weights, grads, rng):
        seen.append(
            (name, back(grown).tolist(), back(weights[name]).tolist(), back(grads[name]).tolist(), rng.random())
        )
        return grads[name] * 0

    _, update = filled(xp, fill)
    ((name, grown, weights, grads, _),) = seen
    assert (name, grads) == ("fc.weight", REGROW)
    assert grown == [False] * 5 + [True] + [False] * 2
    assert weights == weight(update)


def test_fill_leaves_alone_an_active_weight_that_is_zero(xp):
    method = HALF._replace(fill=lambda name, grown, weights, grads, rng: give(xp, np.full(4, 7.0)))
    steps = by_hand(xp, [4.0, 3, 0, 0], [1, 1, 1, 1], [[0.0] * 4, [0.0] * 4, [0.0, 0, 1, 1]], method, sgd(0.1))
    assert weight(steps[-1]) == [4, 3, 0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fill_keeps_the_weights_dtype(xp, dtype):
    params, masks, batches = network(xp, 4, dtype=dtype)
    method = rigl(0.9, 2, 4)._replace(fill=lambda name, grown, weights, grads, rng: give(xp, np.ones(grown.shape)))
    for step in train(classify, params, masks, batches, method, np.random.default_rng(0)):
        assert {w.dtype for w in step.params.values()} == {np.dtype(dtype)}


@each_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mask_of_ones_is_dense_training_bit_for_bit(xp, optimizer, dtype):
    params, _, batches = network(xp, 20, dtype=dtype)
    ones = {name: give(xp, np.ones(shape, bool)) for name, shape in SHAPES.items()}
    masked, dense = (
        list(train(classify, params, masks, batches, static(), np.random.default_rng(0), optimizer))
        for masks in (ones, {})
    )
    for a, b in zip(masked, dense, strict=True):
        assert (a.loss, bits((a.params, a.grads, a.slots))) == (b.loss, bits((b.params, b.grads, b.slots)))
    assert dense[-1].masks.density == masked[-1].masks.density == 1.0


@each_optimizer
def test_a_method_that_does_not_pause_steps_first_then_rewires(xp, optimizer):
    """Both times what is absent is zero, so that what grows has nothing of the dense step before."""
    seen = {}

    def decide(weights, masks, memory, step):
        seen[step] = bits((weights, masks))
        rng = np.random.default_rng(step)
        return {name: give(xp, rng.random(m.shape) < 0.5) for name, m in masks.items()}

    params, masks, batches = network(xp, 6)
    method = Method(observe=lambda memory, grads, rng: None, decide=decide, when=every(2, 6))
    steps = list(train(classify, params, masks, batches, method, np.random.default_rng(0), optimizer))
    assert list(seen) == [step.number for step in steps if step.rewired] == [2, 4]
    for before, step in itertools.pairwise(steps):
        moved, slots = optimizer.update(before.params, step.grads, before.slots, step.number)
        moved = project(moved, before.masks)
        slots = {own: project(slot, before.masks) if isinstance(slot, Mapping) else slot for own, slot in slots.items()}
        if step.rewired:
            gated = {name: moved[name] for name in before.masks}
            assert seen[step.number] == bits((gated, before.masks))
            drawn = np.random.default_rng(step.number)
            for m in step.masks.values():
                np.testing.assert_array_equal(back(m), drawn.random(m.shape) < 0.5)
        for name, w in moved.items():
            keep = back(step.masks[name]) if name in step.masks else True
            np.testing.assert_array_equal(back(step.params[name]), back(w) * keep)
            for own, slot in slots.items():
                if isinstance(slot, Mapping):
                    np.testing.assert_array_equal(back(step.slots[own][name]), back(slot[name]) * keep)


def test_a_method_watches_dense_gradients_of_every_batch_before_it_decides(xp):
    log = []

    def observe(memory, grads, rng):
        assert isinstance(rng, np.random.Generator)
        log.append(("observe", memory, back(grads["fc.weight"]).tolist()))
        return len(log)

    def decide(weights, masks, memory, step):
        log.append(("decide", memory, step))
        return masks

    by_hand(xp, EIGHT, FIRST_FOUR, [SMALL, CALM, REGROW], Method(observe, decide, lambda step: step == 1), sgd(0.1))
    assert log == [("observe", None, SMALL), ("observe", 1, CALM), ("decide", 2, 1), ("observe", 2, REGROW)]


def test_a_method_sees_the_masked_layers_only(xp):
    seen = []

    def observe(memory, grads, rng):
        seen.append(list(grads))

    def decide(weights, masks, memory, step):
        seen.append((list(weights), list(masks)))
        return masks

    params, masks, batches = network(xp, 1)
    list(train(classify, params, masks, batches, Method(observe, decide, lambda step: True), np.random.default_rng(0)))
    assert seen == [list(SHAPES), (list(SHAPES), list(SHAPES))]


def test_gradients_are_yielded_for_every_parameter(xp):
    params, masks, batches = network(xp, 1)
    (step,) = train(classify, params, masks, batches, static(), np.random.default_rng(0))
    assert list(step.grads) == list(params)


@each_optimizer
def test_a_full_batch_moves_as_the_mean_of_its_two_halves(xp, optimizer):
    params, masks, batches = network(xp, 6)
    model = nn.mlp(4, 5, 3)
    loss_of = lambda p, batch: ops.softmax_cross_entropy(model(p, batch["x"]), batch["labels"])
    halves = [[{k: v[part] for k, v in b.items()} for part in (slice(0, 3), slice(3, 6))] for b in batches]
    whole = lambda p, batch, rng: loss_of(p, batch)
    split = lambda p, pair, rng: (loss_of(p, pair[0]) + loss_of(p, pair[1])) / 2
    method = rigl(0.9, 2, 6)
    for a, b in zip(
        train(whole, params, masks, batches, method, np.random.default_rng(0), optimizer),
        train(split, params, masks, halves, method, np.random.default_rng(0), optimizer),
        strict=True,
    ):
        assert a.loss == pytest.approx(b.loss, rel=1e-12)
        assert bits(a.masks) == bits(b.masks)
        for name in params:
            np.testing.assert_allclose(back(a.grads[name]), back(b.grads[name]), rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(back(a.params[name]), back(b.params[name]), rtol=1e-6, atol=1e-9)


def test_the_caller_holds_the_loop(xp):
    params, masks, batches = network(xp, 1)
    run = train(classify, params, masks, itertools.cycle(batches), static(), np.random.default_rng(0))
    assert [step.number for step in itertools.islice(run, 3)] == [0, 1, 2]


def test_the_optimizer_is_plain_sgd_unless_given(xp):
    params, masks = {"a": give(xp, np.array([1.0]))}, {}
    loss_fn = lambda p, batch, rng: ops.sum(p["a"] * 2.0)
    steps = list(train(loss_fn, params, masks, range(2), static(), np.random.default_rng(0)))
    assert [step.params["a"].item() for step in steps] == pytest.approx([0.8, 0.6])


def test_masks_that_do_not_fit_are_refused(xp):
    params, masks, batches = network(xp, 1)
    for wrong, says in [
        ({"fc1.weight": masks["fc2.weight"]}, r"mask for 'fc1\.weight' has shape \(5, 3\), weight has \(4, 5\)"),
        ({"fc9.weight": masks["fc1.weight"]}, r"fc9\.weight"),
        ({"fc1.weight": give(xp, np.full((4, 5), 0.5))}, r"fc1\.weight"),
    ]:
        with pytest.raises(ValueError, match=says):
            list(train(classify, params, wrong, batches, static(), np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("decided", "says"),
    [
        (lambda masks: {"fc1.weight": masks["fc1.weight"]}, r"fc2\.weight"),
        (lambda masks: masks | {"fc1.bias": masks["fc1.weight"]}, r"fc1\.bias"),
        (lambda masks: masks | {"fc1.weight": masks["fc2.weight"]}, r"fc1\.weight"),
    ],
    ids=["one missing", "one too many", "another shape"],
)
def test_a_method_that_decides_on_other_layers_is_refused(xp, decided, says):
    params, masks, batches = network(xp, 2)
    method = Method(lambda *_: None, lambda weights, masks, memory, step: decided(dict(masks)), lambda step: step == 1)
    with pytest.raises(ValueError, match=says):
        list(train(classify, params, masks, batches, method, np.random.default_rng(0)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run_at_its_step(xp, bad):
    loss_fn = lambda p, factor, rng: ops.sum(p["a"] * factor)
    run = train(loss_fn, {"a": give(xp, np.ones(1))}, {}, [1.0, 1.0, bad], static(), np.random.default_rng(0))
    assert [next(run).number, next(run).number] == [0, 1]
    with pytest.raises(FloatingPointError, match="step 2"):
        next(run)


def test_train_refuses_a_seed_in_place_of_a_generator(xp):
    params, masks, batches = network(xp, 1)
    with pytest.raises(TypeError, match="Generator"):
        list(train(classify, params, masks, batches, static(), 0))


def test_a_single_number_may_be_a_parameter(xp):
    params = {"fc.weight": give(xp, np.ones((2, 2))), "scale": give(xp, np.array(2.0))}
    masks = {"fc.weight": give(xp, np.eye(2, dtype=bool))}
    loss_fn = lambda p, batch, rng: ops.sum(p["fc.weight"]) * p["scale"]
    last = list(train(loss_fn, params, masks, range(3), static(), np.random.default_rng(0)))[-1]
    assert float(last.params["scale"]) < 2


def test_a_method_that_would_change_masks_where_there_are_none_is_warned_of_once(xp):
    params, _, batches = network(xp, 7)
    with pytest.warns(
        UserWarning, match=r"masks is empty: the method acts on none of \['fc1.weight'.*\(at step 2\)"
    ) as seen:
        list(train(classify, params, {}, batches, rigl(alpha=0.9, period=2, t_end=6), np.random.default_rng(0)))
    assert len(seen) == 1
    list(train(classify, params, {}, batches, static(), np.random.default_rng(0)))  # dense training


def test_whole_numbers_as_parameters_are_refused_by_name(xp):
    params, masks, batches = network(xp, 1)
    whole = params | {"fc1.bias": give(xp, np.zeros(params["fc1.bias"].shape, int))}
    with pytest.raises(TypeError, match=r"parameter 'fc1.bias' has dtype int64; expected floating-point arrays"):
        list(train(classify, whole, masks, batches, static(), np.random.default_rng(0)))


def test_a_method_remembers_what_a_mask_change_left_and_the_next_step_sees_it(xp):
    calls = []

    def remember(memory, weights, masks):
        calls.append((memory, back(weights["fc.weight"]).tolist(), back(masks["fc.weight"]).astype(int).tolist()))
        return memory + 100

    method = HALF._replace(
        observe=lambda memory, grads, rng: (memory or 0) + 1,
        decide=lambda weights, masks, memory, step: {n: ~mask for n, mask in masks.items()},
        when=lambda step: step == 1,
        fill=lambda name, grown, weights, grads, rng: give(xp, np.full(8, 7.0)),
        remember=remember,
    )
    steps = by_hand(xp, EIGHT, FIRST_FOUR, [SMALL] * 3, method, sgd(0.1))
    assert [step.state.memory for step in steps] == [1, 102, 103]
    assert calls == [(2, weight(steps[1]), mask(steps[1]))]
    assert weight(steps[1]) == [0, 0, 0, 0, 7, 7, 7, 7]
