"""Each method with its schedule."""

import math
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import slow_methods
from arrays import back, give, give_all
from effort import examples, some
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_methods import slow_remove_dead_units, slow_threshold

from minisparse import data, models, nn, ops, recipes
from minisparse.allocate import counts
from minisparse.autograd import value_and_grad
from minisparse.masks import Masks, project, random_masks
from minisparse.methods import l0
from minisparse.methods.snip import snip_masks
from minisparse.optim import adam, sgd
from minisparse.recipes import during
from minisparse.schedule import constant, cosine, inverse_power, linear
from minisparse.streams import in_random_order, stream
from minisparse.train import State, train

LENET = {"fc1.weight": (784, 300), "fc2.weight": (300, 100), "fc3.weight": (100, 10)}
SMALL_LENET = {"fc1.weight": (408, 100), "fc2.weight": (100, 69), "fc3.weight": (69, 10)}


@pytest.mark.parametrize(
    ("shapes", "sparsity", "n_active"),
    [
        (LENET, 0.98, [4_704, 3_540, 1_000]),
        (LENET, 0.99, [2_352, 3_270, 1_000]),
        (LENET, 0.0, [235_200, 30_000, 1_000]),
        (SMALL_LENET, 0.96, [1_632, 938, 690]),
    ],
)
def test_mnist_densities_give_the_papers_counts(shapes, sparsity, n_active):
    densities = recipes.mnist_densities(sparsity)
    assert counts(shapes, densities) == dict(zip(shapes, n_active, strict=True))


def test_mnist_densities_are_exact_decimals():
    assert recipes.mnist_densities(0.9) == {"fc1.weight": 0.1, "fc2.weight": 0.19, "fc3.weight": 1.0}


@pytest.mark.parametrize("sparsity", [1.0, 1.5, -0.1])
def test_mnist_sparsities_outside_0_to_1_are_refused(sparsity):
    with pytest.raises(ValueError, match="sparsity"):
        recipes.mnist_densities(sparsity)


def test_rigl_warns_when_its_schedule_outlasts_the_run():
    with pytest.warns(UserWarning, match="t_end is 101, beyond the run's 100 steps"):
        recipes.rigl(period=10, t_end=101, steps=100)


@pytest.mark.parametrize("steps", [None, 100, 200])
def test_rigl_does_not_warn_otherwise(steps):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipes.rigl(period=10, t_end=100, steps=steps)


def test_rigls_defaults_are_the_papers():
    method = recipes.rigl()
    assert [step for step in range(25_201) if method.when(step)] == list(range(100, 25_000, 100))
    assert method.pauses
    assert method.fill is None


def test_rigl_moves_floor_of_the_annealed_fraction_in_each_layer(xp):
    rng = np.random.default_rng(0)
    shapes = {"a.weight": (10, 10), "b.weight": (4, 5)}
    masks = Masks(
        {"a.weight": give(xp, np.arange(100).reshape(10, 10) < 50), "b.weight": give(xp, np.ones((4, 5)) > 0)}
    )
    weights = {name: give(xp, (1 + rng.random(s)) * back(masks[name])) for name, s in shapes.items()}
    grads = {name: give(xp, np.where(back(masks[name]), 0.0, 1.0)) for name in shapes}
    method = recipes.rigl(alpha=0.3, period=10, t_end=100)
    for step, moved in [(10, 14), (50, 7), (90, 0), (99, 0)]:
        decided = method.decide(weights, masks, method.observe(None, grads, rng), step)
        assert Masks(decided).counts == {"a.weight": 50, "b.weight": 20}
        assert int((back(decided["a.weight"]) & ~back(masks["a.weight"])).sum()) == moved
        assert back(decided["b.weight"]).all()


def test_rigl_watches_the_latest_gradients_only(xp):
    old, new = ({"a": give(xp, np.full(3, value))} for value in (1.0, 2.0))
    observe = recipes.rigl().observe
    assert observe(observe(None, old, None), new, None)["a"].tolist() == [2, 2, 2]


def test_static_never_decides():
    method = recipes.static()
    assert not any(method.when(step) for step in range(1000))


GATED = nn.Chain({"fc1": nn.GatedLinear(6, 4), "relu": nn.Relu(), "fc2": nn.GatedLinear(4, 3, drop_rate=0.2)})


def gated_batch(xp):
    """Parameters of GATED, a batch, and the noise of its gates."""
    rng = np.random.default_rng(0)
    params = {name: rng.standard_normal(shape) for name, shape in GATED.shapes().items()}
    batch = give(xp, rng.standard_normal((5, 6))), give(xp, np.array([0, 1, 2, 2, 1]))
    return give_all(xp, params), batch, {"fc1": give(xp, rng.random((6, 1))), "fc2": give(xp, rng.random((4, 1)))}


@pytest.mark.parametrize("lambda_", [0.0, 0.1, {"fc1": 10.0, "fc2": 0.1}])
def test_the_l0_loss_is_the_data_loss_and_the_penalty_over_n_with_weight_decay_undivided(xp, lambda_):
    params, batch, noise = gated_batch(xp)
    loss = lambda n, decay: float(recipes.l0_loss(GATED, n, lambda_, decay)(params, batch, noise).value)
    on_data = float(ops.softmax_cross_entropy(GATED(params, batch[0], train=True, rng=noise), batch[1]).value)
    by_layer = lambda_ if isinstance(lambda_, dict) else dict.fromkeys(("fc1", "fc2"), lambda_)
    opens = {name: back(l0.prob_open(params[f"{name}.log_alpha"])) for name in by_layer}
    weights = {name: back(params[f"{name}.weight"]) for name in by_layer}
    price = sum(by_layer[name] * opens[name].sum() * weights[name].shape[1] for name in by_layer)
    decay = sum(0.5 * (opens[name] * weights[name] ** 2).sum() for name in by_layer)
    for n in (1, 60_000):
        assert loss(n, 0.0) == pytest.approx(on_data + price / n, rel=1e-12)
        assert loss(n, 0.3) == pytest.approx(on_data + price / n + 0.3 * decay, rel=1e-12)


def test_the_l0_losss_defaults_are_the_papers(xp):
    params, batch, noise = gated_batch(xp)
    default, said = (f(params, batch, noise) for f in (recipes.l0_loss(GATED, 60_000),
                                                       recipes.l0_loss(GATED, 60_000, 0.1, 5e-4)))  # fmt: skip
    assert float(default.value) == float(said.value)


def test_the_l0_loss_takes_another_data_loss(xp):
    params, (x, _), noise = gated_batch(xp)
    squares = lambda y, target: ops.sum(ops.mul(y - target, y - target))
    target = give(xp, np.ones((5, 3)))
    got = recipes.l0_loss(GATED, 1, 0.0, 0.0, squares)(params, (x, target), noise)
    want = ((back(GATED(params, x, train=True, rng=noise).value) - 1) ** 2).sum()
    assert float(got.value) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize(
    ("n_examples", "lambda_", "error", "message"),
    [
        (0, 0.1, ValueError, "n_examples is 0; expected a whole number from 1"),
        (60_000.0, 0.1, TypeError, "n_examples is 60000.0"),
        (10, {"fc1": 0.1}, ValueError, r"lambda_ has the layers \['fc1'\]"),
        (10, -0.1, ValueError, "the penalty of 'fc1' is -0.01"),
    ],
)
def test_an_l0_loss_that_makes_no_sense_is_refused(n_examples, lambda_, error, message):
    params, batch, noise = gated_batch(np)
    with pytest.raises(error, match=message):
        recipes.l0_loss(GATED, n_examples, lambda_)(params, batch, noise)


def test_an_optimizers_weight_decay_leaves_the_gates_alone(xp):
    params, _, _ = gated_batch(xp)
    nothing = {name: 0 * a for name, a in params.items()}
    for optimizer in (sgd(0.1, weight_decay=0.5), adam(0.1, weight_decay=0.5)):
        moved, _ = optimizer.update(params, nothing, optimizer.init(params), 0)
        changed = {name for name in params if back(moved[name]).tobytes() != back(params[name]).tobytes()}
        assert changed == {"fc1.weight", "fc2.weight"}


@pytest.mark.parametrize("limit", [math.log(100), 0.5])
def test_clamped_gates_stay_within_the_limit_and_nothing_else_is_touched(xp, limit):
    params, batch, noise = gated_batch(xp)
    params = {name: 9 * a for name, a in params.items()}
    grads = value_and_grad(lambda p: recipes.l0_loss(GATED, 1)(p, batch, noise), params)[1]
    plain, own = sgd(2.0, momentum=0.9), recipes.clamped(sgd(2.0, momentum=0.9), limit)
    want, slots = plain.update(params, grads, plain.init(params), 0)
    got, own_slots = own.update(params, grads, own.init(params), 0)
    for name, array in want.items():
        edge = limit if name.endswith("log_alpha") else np.inf
        assert back(got[name]).tobytes() == np.clip(back(array), -edge, edge).tobytes()
        assert back(slots["velocity"][name]).tobytes() == back(own_slots["velocity"][name]).tobytes()
    assert max(abs(back(want[name])).max() for name in want if name.endswith("log_alpha")) > limit


def test_clamped_gates_all_close_at_test_and_still_expect_4_71_percent():
    params, batch, _ = gated_batch(np)
    run = train(recipes.l0_loss(GATED, 1, 1e3), params, {}, [batch] * 40, recipes.static(), np.random.default_rng(0),
                recipes.clamped(adam(0.5)))  # fmt: skip
    *_, last = run
    assert l0.architecture(last.params) == "0-0"
    assert l0.l0_at_test(last.params) == 4 + 3  # the biases
    assert l0.expected_l0(last.params) == pytest.approx(0.0471297936 * (6 * 4 + 4 * 3) + 7, rel=1e-8)
    assert l0.densities(last.params) == pytest.approx(dict.fromkeys(("fc1.weight", "fc2.weight"), 0.0471297936))


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan])
def test_limits_that_are_not_positive_are_refused(limit):
    with pytest.raises(ValueError, match=f"limit is {limit}"):
        recipes.clamped(adam(1e-3), limit)


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999])
def test_the_average_of_parameters_is_the_weighted_mean_of_all_so_far(xp, beta):
    path = np.random.default_rng(0).standard_normal((20, 3))
    average = {"w": give(xp, np.full(3, 100.0))}  # what is there before the first step counts for nothing
    for n, own in enumerate(path):
        average = recipes.averaged(average, {"w": give(xp, own)}, n, beta)
        weights = [beta ** (n - i) for i in range(n + 1)]
        np.testing.assert_allclose(back(average["w"]), weights @ path[: n + 1] / sum(weights), rtol=1e-9, atol=1e-9)


def test_the_average_is_over_a_thousand_steps_keeps_float32_and_leaves_its_arguments_alone(xp):
    params = {"w": give(xp, np.ones(2, np.float32))}
    one = recipes.averaged({"w": give(xp, np.zeros(2, np.float32))}, params, 10**6)
    np.testing.assert_allclose(back(one["w"]), 0.001, rtol=1e-6)
    assert one["w"].dtype == np.float32
    assert one["w"] is not params["w"]


@pytest.mark.parametrize(
    ("n", "beta", "error", "message"),
    [(0, 1.0, ValueError, "beta is 1"), (0, -0.1, ValueError, "beta is -0.1"), (0, math.nan, ValueError, "beta is nan"),
     (-1, 0.9, ValueError, "n is -1"), (1.0, 0.9, TypeError, r"n is 1\.0")],
)  # fmt: skip
def test_averages_that_make_no_sense_are_refused(n, beta, error, message):
    with pytest.raises(error, match=message):
        recipes.averaged({"w": np.ones(2)}, {"w": np.ones(2)}, n, beta)


def test_averages_of_other_parameters_are_refused():
    with pytest.raises(ValueError, match="'b' is only in params"):
        recipes.averaged({"w": np.ones(2)}, {"w": np.ones(2), "b": np.ones(2)}, 0)
    for shape in ((), (2,), (1, 2), (4,)):
        with pytest.raises(ValueError, match=r"its average has shape \(.*\), parameter 'w' has \(2, 2\)"):
            recipes.averaged({"w": np.ones(shape)}, {"w": np.ones((2, 2))}, 1)


@pytest.mark.long
def test_the_ordinary_loop_learns_the_digits_and_closes_the_gates_of_pixels_without_ink():
    images, labels = data.load("digits")
    model, rng = models.l0_lenet_300_100(), np.random.default_rng(0)
    inputs = data.as_inputs(images)
    batches = data.batches(inputs, labels, 50, seed=0, stop=500)
    average = params = model.init(rng)
    loss_fn = recipes.l0_loss(model, len(inputs), lambda_=0.1)
    for step in train(loss_fn, params, {}, batches, recipes.static(), rng, recipes.clamped(adam(0.01))):
        average = recipes.averaged(average, step.params, step.number, beta=0.9)
    test_images, test_labels = data.load("digits", split="test")
    for own in (step.params, average):
        plain, weights = nn.ungated(model, own)
        on = l0.open_gates(own)["fc1"][:, 0]
        never = ~inputs.any(axis=0)
        assert never.sum() > 20
        assert not on[never].any()
        assert on[~never].mean() > 0.1
        assert (plain(weights, data.as_inputs(test_images)).value.argmax(axis=1) == test_labels).mean() > 0.85
        assert l0.l0_at_test(own) == 410 + sum(int(mask.sum()) for mask in l0.masks(own).values()) < 0.95 * 266_610


def test_a_run_with_gates_is_resumed_with_the_numbers_it_would_have_drawn():
    params, batch, _ = gated_batch(np)
    go = lambda batches, start=None: list(
        train(recipes.l0_loss(GATED, 10), params, {}, batches, recipes.static(), np.random.default_rng(0),
              recipes.clamped(adam(0.01)), start)
    )  # fmt: skip
    whole = go([batch] * 6)
    rest = go([batch] * 3, start=whole[2].state)
    assert all(rest[-1].params[name].tobytes() == w.tobytes() for name, w in whole[-1].params.items())


# Magnitude pruning: gradual, in three steps, and lottery tickets


NET = nn.mlp(6, 8, 5, 3)
NET_ORDER = ["fc1.weight", "fc2.weight", "fc3.weight"]


def small_problem(n=64, seed=0):
    """Inputs and labels that the sum of the first inputs decides."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    return x, (x[:, :2].sum(axis=1) > 0).astype(int) + (x[:, 2] > 0.5)


def replayed(x, labels, size=8):
    """batches(start): the batches from `start` on, always in the same order."""
    return lambda start, stop=8: data.batches(x, labels, size, seed=3, start=start, stop=stop)


def cross_entropy(params, batch, rng):
    return ops.softmax_cross_entropy(NET(params, batch[0]), batch[1])


def same(a, b):
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


def pruned_by(method, weights, masks, step):
    return Masks(method.decide(weights, masks, None, step))


@pytest.mark.parametrize(("step", "gone"), [(10, 0), (20, 4625), (30, 7000), (40, 7875), (50, 8000), (60, 8000)])
def test_gradual_prunes_by_zhu_and_guptas_cubic(xp, step, gone):
    rng = np.random.default_rng(0)
    weights = {"a": give(xp, rng.normal(size=(100, 100)))}
    masks = Masks({"a": give(xp, np.ones((100, 100), bool))})
    method = recipes.gradual(0.8, begin=10, end=50, period=10)
    assert pruned_by(method, weights, masks, step).counts == {"a": 10_000 - gone}


def test_gradual_starts_at_its_initial_sparsity_and_rounds_half_to_even(xp):
    weights = {"a": give(xp, np.arange(1.0, 7)), "b": give(xp, np.arange(1.0, 3))}
    masks = Masks({name: give(xp, np.ones(w.shape, bool)) for name, w in weights.items()})
    method = recipes.gradual(0.75, begin=4, end=8, period=2, initial=0.25)
    assert pruned_by(method, weights, masks, 4).counts == {"a": 4, "b": 2}  # 1.5 of 6 and 0.5 of 2 go: 2 and 0
    assert pruned_by(method, weights, masks, 8).counts == {"a": 2, "b": 0}  # 4.5 of 6 and 1.5 of 2: 4 and 2


def test_gradual_prunes_on_its_grid_and_at_its_end():
    when = recipes.gradual(0.8, begin=10, end=45, period=10).when
    assert [step for step in range(100) if when(step)] == [10, 20, 30, 40, 45]
    when = recipes.gradual(0.8, begin=0, end=20, period=10).when
    assert [step for step in range(100) if when(step)] == [0, 10, 20]


def test_gradual_keeps_masks_nested_whatever_the_weights_do(xp):
    rng = np.random.default_rng(1)
    shapes = {"a": (4, 5), "b": (3, 2, 2)}
    masks = Masks({name: give(xp, rng.random(s) < 0.7) for name, s in shapes.items()})
    sizes, started = {"a": 20, "b": 12}, masks.counts
    method = recipes.gradual(0.9, begin=0, end=20, period=5)
    for step in (0, 5, 10, 15, 20):
        weights = {name: give(xp, rng.normal(size=s)) for name, s in shapes.items()}  # absent ones have values too
        after = pruned_by(method, weights, masks, step)
        assert not any((back(after[name]) & ~back(masks[name])).any() for name in shapes)
        s = 0.9 - 0.9 * (1 - step / 20) ** 3
        assert after.counts == {name: min(started[name], n - round(s * n)) for name, n in sizes.items()}
        masks = after


def test_a_gradual_run_ends_at_its_final_sparsity_with_nothing_left_where_the_masks_are_false():
    x, labels = small_problem()
    params = NET.init(np.random.default_rng(0), np.float64)
    masks = {name: np.ones(params[name].shape, bool) for name in NET_ORDER}
    method = recipes.gradual(0.8, begin=2, end=9, period=3, steps=12)
    batches, descent = replayed(x, labels)(0, 12), sgd(0.1, momentum=0.9)
    steps = list(train(cross_entropy, params, masks, batches, method, np.random.default_rng(1), descent))
    assert [step.number for step in steps if step.rewired] == [2, 5, 8, 9]
    assert not method.pauses
    assert steps[-1].masks.counts == {"fc1.weight": 10, "fc2.weight": 8, "fc3.weight": 3}
    for before, after in pairwise(steps):
        for name in NET_ORDER:
            assert (before.masks[name] | ~after.masks[name]).all()
            assert not after.params[name][~after.masks[name]].any()
            assert not after.slots["velocity"][name][~after.masks[name]].any()
    assert (steps[2].params["fc1.bias"] != steps[1].params["fc1.bias"]).any()  # the optimizer's step came first


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: recipes.rigl(0.3, 100, 60), "period is 100, and updates end before step 60: masks never change; try"),
        (lambda: recipes.rigl(0.3, 60, 60, 80), "period is 60, and updates end before step 60: .*; try period 6$"),
        (lambda: recipes.rigl(0.3, 80, 80, 80), "period is 80, and updates end before step 80"),
        (lambda: recipes.set(0.3, period=50, until=50), "period is 50, until 50: masks never change; try period 5$"),
        (lambda: recipes.snfs(0.5, period=50, until=9), "period is 50, until 9: masks never change; try period 1$"),
    ],
)
def test_a_schedule_without_an_update_is_warned_of_where_it_is_made(make, sentence):
    with pytest.warns(UserWarning, match=sentence) as warned:
        make()
    assert warned[0].filename == __file__


def test_three_step_warns_of_stages_that_prune_nothing():
    run = recipes.three_step(lambda rates: None, {"a.weight": np.ones((2, 2))}, lambda number: [],
                             [recipes.Stage({})], np.random.default_rng(0), sgd, 0.1)  # fmt: skip
    with pytest.warns(UserWarning, match="no stage has qualities: nothing is ever pruned; try Stage"):
        next(run)


def test_gradual_warns_when_its_end_outlasts_the_run():
    with pytest.warns(UserWarning, match=r"end is 100, and the last of the run's 100 steps is 99: .* sparsity of 0.8"):
        recipes.gradual(0.8, begin=0, end=100, period=10, steps=100)


@pytest.mark.parametrize("steps", [None, 101, 200])
def test_gradual_does_not_warn_otherwise(steps):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipes.gradual(0.8, begin=0, end=100, period=10, steps=steps)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"final": 1.1}, "final is 1.1; expected 0 ≤ initial ≤ final ≤ 1"),
        ({"initial": 0.9}, "initial is 0.9, final is 0.8"),
        ({"initial": -0.1}, "initial is -0.1"),
        ({"end": 5}, "end is 5, begin is 5; end must come after begin"),
        ({"period": 0}, "period is 0; expected a whole number from 1"),
    ],
)
def test_a_gradual_schedule_that_is_none_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        recipes.gradual(**{"final": 0.8, "begin": 5, "end": 50, "period": 10} | arguments)


def three_steps(stages, dropout=None, rates_seen=None, lr_seen=None, **options):
    """What three_step yields for the small problem, from the same weights every time."""
    x, labels = small_problem()
    params = NET.init(np.random.default_rng(0), np.float64)

    def loss_fn(rates):
        if rates_seen is not None:
            rates_seen.append(rates)
        return cross_entropy

    def optimizer(lr):
        if lr_seen is not None:
            lr_seen.append(lr)
        return sgd(lr, momentum=0.9)

    run = recipes.three_step(
        loss_fn, params, lambda number: replayed(x, labels)(0), stages, np.random.default_rng(1), optimizer, 0.05,
        dropout=dropout, **options,
    )  # fmt: skip
    return params, list(run)


ALL = recipes.Stage(dict.fromkeys(NET_ORDER, 0.8))


def test_three_step_trains_prunes_once_and_retrains():
    _, seen = three_steps([ALL, ALL])
    phases = [(now.round, now.phase, now.step is None) for now in seen]
    assert phases == [(0, "train", False)] * 8 + ([(1, "prune", True)] + [(1, "retrain", False)] * 8) + (
        [(2, "prune", True)] + [(2, "retrain", False)] * 8
    )
    assert [now.step.number for now in seen if now.step] == list(range(8)) * 3


def test_three_step_prunes_below_the_threshold_of_what_survived_and_takes_dead_units_with_it():
    _, seen = three_steps([ALL, ALL])
    cuts = [i for i, now in enumerate(seen) if now.phase == "prune"]
    for i in cuts:
        before, after = seen[i - 1], seen[i]
        by_hand = {}
        for name, w in before.params.items():
            if name in NET_ORDER:
                threshold = slow_threshold(w, 0.8, before.masks[name])
                by_hand[name] = before.masks[name] & (abs(w) >= threshold)
        assert same(after.masks, slow_remove_dead_units(by_hand, NET_ORDER))
        assert after.masks.active < before.masks.active


def test_three_step_never_initialises_a_surviving_weight_anew():
    _, seen = three_steps([ALL, ALL])
    for before, after in pairwise(seen):
        if after.phase == "prune":
            assert same(after.params, project(before.params, after.masks))
        if before.phase == "prune":  # one step of retraining at a tenth of the rate, from rest
            g = after.step.grads["fc1.weight"]
            want = np.where(after.masks["fc1.weight"], before.params["fc1.weight"] - 0.005 * g, 0)
            np.testing.assert_allclose(after.params["fc1.weight"], want, rtol=1e-12)


def test_three_step_retrains_at_a_tenth_of_the_learning_rate_unless_told_otherwise():
    seen = []
    three_steps([ALL, ALL], lr_seen=seen)
    assert seen == [0.05, 0.05 / 10, 0.05 / 10]
    seen.clear()
    three_steps([ALL], lr_seen=seen, retrain_lr=0.05 / 100)
    assert seen == [0.05, 0.05 / 100]


def test_three_step_corrects_dropout_by_the_connections_left_of_all_there_were():
    rates = []
    _, seen = three_steps([ALL, ALL], dropout={"fc1.weight": 0.5, "fc2.weight": 0.2}, rates_seen=rates)
    left = [now.masks.counts for now in seen if now.phase == "prune"]
    assert rates[0] == {"fc1.weight": 0.5, "fc2.weight": 0.2}
    for used, n in zip(rates[1:], left, strict=True):
        assert used["fc1.weight"] == pytest.approx(0.5 * math.sqrt(n["fc1.weight"] / 48), rel=1e-12)
        assert used["fc2.weight"] == pytest.approx(0.2 * math.sqrt(n["fc2.weight"] / 40), rel=1e-12)
    assert rates[2]["fc1.weight"] < rates[1]["fc1.weight"] < 0.5


def test_a_stage_prunes_the_layers_it_names_and_holds_still_what_is_frozen():
    first = recipes.Stage({"fc2.weight": 0.7, "fc3.weight": 0.5}, frozen=["fc1.weight", "fc1.bias"])
    second = recipes.Stage({"fc1.weight": 0.7}, frozen=["fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias"])
    _, seen = three_steps([first, second])
    for number, stage in enumerate((first, second), 1):
        pruned, *_, last = [now for now in seen if now.round == number]
        for name in pruned.params:
            assert (pruned.params[name] == last.params[name]).all() == (name in stage.frozen)
    one, two = (now.masks for now in seen if now.phase == "prune")
    assert one["fc1.weight"].all()
    assert two["fc1.weight"].sum() < one["fc1.weight"].sum()


def test_a_trained_network_is_pruned_at_once_where_round_0_has_no_batches():
    params = NET.init(np.random.default_rng(0))
    run = recipes.three_step(
        lambda rates: cross_entropy, params, lambda number: [], [ALL], np.random.default_rng(1), sgd, 0.1
    )
    (only,) = run
    assert only.phase == "prune"
    assert same(only.params, project(params, only.masks))


def test_l1_in_the_loss_function_shrinks_what_it_is_on():
    x, labels = small_problem()

    def ended(strength):
        def loss_fn(rates):
            return lambda p, batch, rng: cross_entropy(p, batch, rng) + strength * ops.sum(ops.abs(p["fc1.weight"]))

        params = NET.init(np.random.default_rng(0), np.float64)
        batches = lambda number: replayed(x, labels)(0, 40)
        *_, last = recipes.three_step(loss_fn, params, batches, [], np.random.default_rng(1), sgd, 0.05)
        return abs(last.params["fc1.weight"]).sum()

    assert ended(0.1) < 0.8 * ended(0.0)


def test_three_step_refuses_layers_it_does_not_know():
    with pytest.raises(ValueError, match=r"stage 2 names \['fc9.weight'\]; expected names in \['fc1.weight'"):
        three_steps([ALL, recipes.Stage({"fc9.weight": 1.0})])
    with pytest.raises(ValueError, match=r"dropout names \['fc1'\]; expected names in"):
        three_steps([ALL], dropout={"fc1": 0.5})
    with pytest.raises(ValueError, match=r"names has \['fc9.bias'\], which are not parameters"):
        three_steps([recipes.Stage(ALL.qualities, frozen=["fc9.bias"])])


def state_of(params, masks, number=0, slots=None):
    return State(number, params, Masks(masks), slots or {}, None, 7)


@pytest.mark.parametrize(("share", "pruned"), [(0, 0), (0.2, 2), (0.25, 2), (0.5, 5), (0.9, 9), (1, 10)])
@pytest.mark.parametrize("globally", [False, True])
def test_a_ticket_has_lost_exactly_its_share(xp, share, pruned, globally):
    w = {"a.weight": give(xp, np.arange(10.0) - 4.5)}
    start = state_of(w, {"a.weight": give(xp, np.ones(10, bool))})
    ticket = recipes.winning_ticket(start, start, share, globally)
    assert ticket.masks.active == 10 - pruned


@pytest.mark.parametrize("globally", [False, True])
def test_shares_are_of_what_remains(globally):
    state = state_of({"a.weight": np.arange(1.0, 11)}, {"a.weight": np.ones(10, bool)})
    left = []
    for _ in range(3):
        state = recipes.winning_ticket(state, state, 0.2, globally)
        left.append(state.masks.active)
        assert not state.params["a.weight"][: 10 - left[-1]].any()
    assert left == [8, 6, 5]


def test_a_ticket_is_the_origin_on_the_masks_of_what_was_trained(xp):
    def arrays(*of_weight, bias):
        return {"a.weight": give(xp, np.array(of_weight, dtype=float)), "a.bias": give(xp, np.array([float(bias)]))}

    full, three = (Masks({"a.weight": give(xp, np.array([1, 1, 1, last]) > 0)}) for last in (1, 0))
    origin = State(3, arrays(1, 2, 3, 4, bias=5), full, {"m": arrays(1, 1, 1, 1, bias=1), "updates": 3}, None, 99)
    trained = state_of(arrays(-9, 1, 8, 0, bias=0), three, number=20)
    ticket = recipes.winning_ticket(origin, trained, 0.34)
    assert back(ticket.masks["a.weight"]).tolist() == [True, False, True, False]
    assert back(ticket.params["a.weight"]).tolist() == [1, 0, 3, 0]
    assert back(ticket.params["a.bias"]).tolist() == [5]
    assert back(ticket.slots["m"]["a.weight"]).tolist() == [1, 0, 1, 0]
    assert back(ticket.slots["m"]["a.bias"]).tolist() == [1]
    assert (ticket.number, ticket.slots["updates"], ticket.key) == (3, 3, 99)


def test_layers_have_their_own_shares_or_one_ranking():
    w = {"a": np.arange(1.0, 11) / 100, "b": np.arange(1.0, 11)}
    start = state_of(w, {name: np.ones(10, bool) for name in w})
    assert recipes.winning_ticket(start, start, 0.5).masks.counts == {"a": 5, "b": 5}
    assert recipes.winning_ticket(start, start, {"a": 0.5, "b": 0.2}).masks.counts == {"a": 5, "b": 8}
    assert recipes.winning_ticket(start, start, 0.5, globally=True).masks.counts == {"a": 0, "b": 10}
    with pytest.raises(ValueError, match="expected a number if all layers are ranked together"):
        recipes.winning_ticket(start, start, {"a": 0.5, "b": 0.2}, globally=True)
    with pytest.raises(ValueError, match="'b' is only in masks"):
        recipes.winning_ticket(start, start, {"a": 0.5})
    with pytest.raises(ValueError, match=r"share of 'a' is 1\.5; expected a number from 0 to 1"):
        recipes.winning_ticket(start, start, 1.5, globally=True)


OPTIMIZERS = {"momentum": lambda lr: sgd(lr, momentum=0.9), "adam": adam}


def tickets(rewind, optimizer=OPTIMIZERS["momentum"], rounds=2, started=None, share=0.2, **options):
    """What the lottery yields for the small problem, with a learning rate that falls and a loss that draws noise."""
    x, labels = small_problem()
    params = NET.init(np.random.default_rng(0), np.float64)

    def noisy(p, batch, rng):
        return cross_entropy(p, (batch[0] + 0.1 * rng.normal(size=batch[0].shape), batch[1]), rng)

    def batches(start):
        if started is not None:
            started.append(start)
        return replayed(x, labels)(start)

    descent = optimizer(lambda step: 0.1 / (1 + step))
    run = recipes.lottery(noisy, params, batches, share, rounds, np.random.default_rng(1), descent, rewind, **options)
    return params, list(run)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("rewind", [0, 3])
def test_every_ticket_is_the_network_of_step_k_on_its_mask(rewind, optimizer):
    started = []
    params, seen = tickets(rewind, optimizer, started=started)
    origin = next(now.params for now in seen if now.step and now.step.number == 2) if rewind else params
    drawn = [now for now in seen if now.phase == "ticket"]
    assert [now.round for now in drawn] == [0, 1, 2]
    for now in drawn[1:]:
        assert same(now.params, project(origin, now.masks))
    assert drawn[1].masks.counts == {"fc1.weight": 38, "fc2.weight": 32, "fc3.weight": 12}
    assert drawn[2].masks.counts == {"fc1.weight": 30, "fc2.weight": 26, "fc3.weight": 10}
    assert started == [0, rewind, rewind]
    numbers = [[now.step.number for now in seen if now.step and now.round == r] for r in range(3)]
    assert numbers == [list(range(8)), list(range(rewind, 8)), list(range(rewind, 8))]


def test_masks_are_nested_and_in_force_in_every_round():
    _, seen = tickets(0)
    for before, after in pairwise(seen):
        for name in NET_ORDER:
            assert (before.masks[name] | ~after.masks[name]).all()
            assert not after.params[name][~after.masks[name]].any()
    assert seen[-1].masks.active == seen[-2].masks.active == 66
    assert all(seen[-1].params[name].any() for name in NET_ORDER)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("rewind", [0, 3])
def test_nothing_of_the_trained_network_but_its_mask_reaches_the_next_round(rewind, optimizer):
    """With nothing pruned a rewound round repeats the first, bit for bit: weights, slots, rate, batches and noise."""
    _, seen = tickets(rewind, optimizer, rounds=1, share=0.0)
    first, second = ([now for now in seen if now.round == r and now.step] for r in (0, 1))
    assert [now.step.loss for now in second] == [now.step.loss for now in first][rewind:]
    assert same(second[-1].params, first[-1].params)


def test_the_lottery_ranks_layers_together_if_asked():
    _, seen = tickets(0, rounds=1, globally=True)
    ticket = next(now for now in seen if now.phase == "ticket" and now.round == 1)
    trained = next(now for now in reversed(seen) if now.round == 0)
    assert ticket.masks.active == 103 - 21
    ranked = sorted(np.concatenate([abs(trained.params[name]).ravel() for name in NET_ORDER]))
    kept = [abs(trained.params[name][ticket.masks[name]]).min(initial=np.inf) for name in NET_ORDER]
    assert min(kept) == ranked[21]


def test_a_caller_may_train_tickets_in_its_own_loop():
    x, labels = small_problem()
    params = NET.init(np.random.default_rng(0), np.float64)
    masks = {name: np.ones(params[name].shape, bool) for name in NET_ORDER}
    rng, descent, batches = np.random.default_rng(1), sgd(0.1, momentum=0.9), replayed(x, labels)
    first = list(train(cross_entropy, params, masks, batches(0), recipes.static(), rng, descent))
    ticket = recipes.winning_ticket(first[2].state, first[-1].state, 0.2)
    again = list(train(cross_entropy, params, masks, batches(3), recipes.static(), rng, descent, start=ticket))
    *_, last = recipes.lottery(cross_entropy, params, batches, 0.2, 1, np.random.default_rng(1), descent, rewind=3)
    assert same(again[-1].params, last.params)


def test_a_lottery_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="rewind is 9, but the first round ended after 8 steps"):
        tickets(9)
    with pytest.raises(ValueError, match="rewind is -1; expected a whole number from 0"):
        tickets(-1)
    with pytest.raises(TypeError, match=r"rounds is 1\.5"):
        tickets(0, rounds=1.5)


def everything(tree):
    """All that a tree of arrays holds, to compare byte for byte."""
    if isinstance(tree, Mapping):
        return {key: everything(branch) for key, branch in tree.items()}
    if isinstance(tree, tuple):
        return tuple(map(everything, tree))
    return (str(tree.dtype), tree.shape, back(tree).tobytes()) if hasattr(tree, "shape") else tree


def steps_of(method, n):
    return [step for step in range(n) if method.when(step)]


def by_hand(params, batch, rng):
    """A loss that is linear in the weights: its gradient is the batch."""
    terms = [ops.sum(params[name] * g) for name, g in batch.items()]
    return sum(terms[1:], terms[0])


def run(xp, weights, masks, grads, method, optimizer, seed=0):
    """The steps of a few layers with their gradients written down; all lists or NumPy arrays."""
    params, masks = ({n: give(xp, np.array(a)) for n, a in tree.items()} for tree in (weights, masks))
    batches = [{name: give(xp, np.array(g, dtype=float)) for name, g in batch.items()} for batch in grads]
    return list(train(by_hand, params, masks, batches, method, np.random.default_rng(seed), optimizer))


MODEL = nn.Chain({"fc1": nn.Linear(4, 5), "relu": nn.Relu(), "drop": nn.Dropout(0.3), "fc2": nn.Linear(5, 3)})
SHAPES = {"fc1.weight": (4, 5), "fc2.weight": (5, 3)}
MOVING = {
    "set": recipes.set(0.5, epoch=3, epochs=4),
    "set by magnitude, filled": recipes.set(0.5, period=3, until=12, by_sign=False, fill=recipes.random_values(0.1)),
    "snfs": recipes.snfs(0.9, epoch=3, epochs=4),
    "snfs in every layer by itself": recipes.snfs(0.9, period=3, until=12, redistribute=False),
    "rigl by noise": recipes.rigl(0.9, 3, 12, watch=recipes.noise, fill=recipes.along_gradient(0.1)),
    "rigl by momentum": recipes.rigl(0.9, 3, 12, watch=recipes.smoothed(0.9), fill=recipes.random_values(0.1)),
}
each_method = pytest.mark.parametrize("method", some(MOVING.values(), every=2), ids=some(MOVING, every=2))
each_optimizer = pytest.mark.parametrize(
    "optimizer",
    [
        sgd(0.1, momentum=0.9, weight_decay=0.1),
        sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
        adam(0.1, weight_decay=0.1),
    ],
    ids=["momentum", "nesterov", "adam"],
)


def classify(params, batch, rng):
    return ops.softmax_cross_entropy(MODEL(params, batch[0], train=True, rng=rng), batch[1])


def network(xp, n_steps=12, seed=0, names=tuple(SHAPES)):
    """params, masks and batches of a small network with dropout."""
    rng = np.random.default_rng(seed)
    params = give_all(xp, MODEL.init(rng, np.float64))
    masks = random_masks({n: SHAPES[n] for n in names}, dict.fromkeys(names, 0.5), rng)
    xs, labels = rng.standard_normal((n_steps, 6, 4)), rng.integers(0, 3, (n_steps, 6))
    return params, give_all(xp, masks), [(give(xp, x), give(xp, y)) for x, y in zip(xs, labels, strict=True)]


@each_method
@each_optimizer
@pytest.mark.parametrize("seed", range(5))
def test_every_method_keeps_its_connections_and_zeros_and_moves_masks_only_when_it_rewires(xp, method, optimizer, seed):
    params, masks, batches = network(xp, seed=seed)
    before, moved = Masks(masks), []
    for step in train(classify, params, masks, batches, method, np.random.default_rng(seed), optimizer):
        assert step.masks.active == before.active
        if method is not MOVING["snfs"]:
            assert step.masks.counts == before.counts
        if everything(step.masks) != everything(before):
            moved.append(step.number)
            assert step.rewired
        before = step.masks
        for name, mask in step.masks.items():
            assert not back(step.params[name])[~back(mask)].any()
            for slot in step.slots.values():
                assert not isinstance(slot, Mapping) or not back(slot[name])[~back(mask)].any()
    assert moved


@each_method
def test_every_method_goes_on_from_any_step_as_if_it_had_never_stopped(xp, method):
    params, masks, batches = network(xp)
    whole = list(train(classify, params, masks, batches, method, np.random.default_rng(0)))
    for cut in whole:
        resumed = train(classify, params, masks, batches[cut.number + 1 :], method, None, start=cut.state)
        assert everything(tuple(resumed)) == everything(tuple(whole[cut.number + 1 :]))


@pytest.mark.parametrize("name", [name for name in MOVING if name != "snfs"])  # whose layers compete
def test_the_order_of_layers_changes_no_random_number(xp, name):
    method = MOVING[name]
    runs = []
    for names in (tuple(SHAPES), tuple(SHAPES)[::-1]):
        params, masks, batches = network(xp, names=names)
        runs.append(list(train(classify, params, masks, batches, method, np.random.default_rng(0))))
    for a, b in zip(*runs, strict=True):
        assert everything((a.params, a.slots)) == everything((b.params, b.slots))
        assert {n: everything(m) for n, m in a.masks.items()} == {n: everything(m) for n, m in b.masks.items()}


HASH_SEED_RUN = """
import hashlib, numpy as np
from minisparse import nn, ops, recipes
from minisparse.train import train

model = nn.mlp(6, 8, 3)
params = model.init(np.random.default_rng(0))
batches = [(np.random.default_rng(i).standard_normal((4, 6)).astype("f4"), np.arange(4) % 3) for i in range(12)]
loss_fn = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0]), batch[1])
masks = recipes.snip(loss_fn, params, batches[:2], 0.5, np.random.default_rng(0))
total = hashlib.sha256()
for method in (
    recipes.set(0.5, epoch=3, epochs=4, fill=recipes.random_values(0.1)),
    recipes.snfs(0.9, epoch=3, epochs=4),
    recipes.rigl(0.5, 3, 12, watch=recipes.noise),
):
    for step in train(loss_fn, params, masks, batches, method, np.random.default_rng(1)):
        for tree in (step.params, step.masks):
            for name, array in tree.items():
                total.update(name.encode() + array.tobytes())
print(total.hexdigest())
"""


@pytest.mark.long
def test_every_method_runs_bit_for_bit_alike_in_processes_with_different_hash_seeds():
    package = str(Path(recipes.__file__).parents[2])
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


def slow_run(weights, masks, grads, rewires, lr, momentum, weight_decay):
    """An optimizer step on every batch, then perhaps a rewiring, one float at a time: [(weights, masks, velocity)].

    rewires: step -> {name: mask} or None, from the weights and masks then; layers are flat lists.
    """
    weights = {n: [w if on else 0.0 for w, on in zip(weights[n], masks[n], strict=True)] for n in weights}
    velocity, path = {n: [0.0] * len(w) for n, w in weights.items()}, []
    for t, batch in enumerate(grads):
        for name, w in weights.items():
            v = velocity[name]
            for i in range(len(w)):
                if masks[name][i]:
                    v[i] = momentum * v[i] + batch[name][i] + weight_decay * w[i]
                    w[i] = w[i] - lr * v[i]
        new = rewires(t, weights, masks)
        for name, mask in (new or {}).items():
            for i in range(len(mask)):
                if not (mask[i] and masks[name][i]):
                    weights[name][i] = velocity[name][i] = 0.0
        masks = new or masks
        path.append(({n: list(w) for n, w in weights.items()}, masks, {n: list(v) for n, v in velocity.items()}))
    return path


def assert_runs_agree(steps, path):
    for step, (weights, masks, velocity) in zip(steps, path, strict=True):
        for name in weights:
            assert back(step.masks[name]).tolist() == list(masks[name])
            np.testing.assert_allclose(back(step.params[name]), weights[name], rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(back(step.slots["velocity"][name]), velocity[name], rtol=1e-12, atol=1e-12)


@st.composite
def hand_runs(draw):
    """Weights, masks and the gradients of up to nine batches for two flat layers, small whole numbers."""
    sizes = {name: draw(st.integers(1, 8)) for name in ("a.weight", "b.weight")}
    floats = lambda n: st.lists(st.integers(-3, 3).map(float), min_size=n, max_size=n)
    bools = lambda n: st.lists(st.booleans(), min_size=n, max_size=n)
    weights = {name: draw(floats(n)) for name, n in sizes.items()}
    masks = {name: draw(bools(n)) for name, n in sizes.items()}
    grads = [{name: draw(floats(n)) for name, n in sizes.items()} for _ in range(draw(st.integers(1, 9)))]
    return weights, masks, grads


def in_order_of_drawing(key, name, mask):
    """What SET ranks by: as many positions as there are connections are drawn, and the earlier is the higher."""
    drawn = list(in_random_order(stream(key, name), mask.size, int(mask.sum())))
    scores = [len(drawn) - drawn.index(i) if i in drawn else 0 for i in range(mask.size)]
    return np.array(scores, float).reshape(mask.shape)


@pytest.mark.long
@settings(max_examples=examples(150))
@given(
    layers=hand_runs(),
    epoch=st.integers(1, 3),
    epochs=st.integers(1, 4),
    zeta=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    by_sign=st.booleans(),
    momentum=st.sampled_from([0.0, 0.5]),
    weight_decay=st.sampled_from([0.0, 0.25]),
)
def test_set_training_is_algorithm_1_one_float_at_a_time(
    xp, layers, epoch, epochs, zeta, by_sign, momentum, weight_decay
):
    keys = []

    def observe(memory, grads, rng):
        keys.append(recipes.noise(memory, grads, rng))
        return keys[-1]

    def rewires(t, weights, masks):
        if (t + 1) % epoch or t + 1 >= epoch * epochs:
            return None
        new = {}
        for name, mask in masks.items():
            w, m = np.array(weights[name]), np.array(mask)
            random = in_order_of_drawing(keys[t], name, m)
            if by_sign:
                new[name] = slow_methods.slow_set_update(w, m, random, *slow_methods.slow_set_counts(w, m, zeta))
            else:
                new[name] = slow_methods.slow_set_update_by_magnitude(w, m, random, math.floor(zeta * m.sum()))
            new[name] = new[name].tolist()
        return new

    method = recipes.set(zeta, epoch, epochs, by_sign=by_sign)._replace(observe=observe)
    steps = run(xp, *layers, method, sgd(0.25, momentum, weight_decay=weight_decay))
    assert_runs_agree(steps, slow_run(*layers, rewires, 0.25, momentum, weight_decay))


@pytest.mark.long
@settings(max_examples=examples(150))
@given(
    layers=hand_runs(),
    epoch=st.integers(1, 3),
    epochs=st.integers(1, 4),
    rate=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    redistribute=st.booleans(),
    momentum=st.sampled_from([0.0, 0.5]),
)
def test_snfs_training_is_algorithm_1_one_float_at_a_time(xp, layers, epoch, epochs, rate, redistribute, momentum):
    _, _, grads = layers

    def rewires(t, weights, masks):
        if (t + 1) % epoch or t + 1 >= epoch * epochs:
            return None
        m = {n: sum(0.5 ** (t - i + 1) * np.array(grads[i][n]) for i in range(t + 1)) for n in masks}
        on = {n: np.array(mask) for n, mask in masks.items()}
        w = {n: np.array(weights[n]) for n in masks}
        share = slow_methods.slow_shares(m, on)
        p = rate / 2 * (1 + math.cos(math.pi * t / (epoch * epochs)))
        n_drop = {}
        for name, mask in on.items():
            sparsity = (mask.size - mask.sum()) / mask.size
            growing = 2 * share[name] > 1
            n_drop[name] = math.floor((min(p, sparsity) if growing and sparsity < 0.2 else p) * mask.sum())
        if redistribute:
            new = slow_methods.slow_snfs_update(w, on, m, n_drop)
        else:
            new = {n: slow_methods.slow_rigl_update(w[n], on[n], m[n], n_drop[n]) for n in on}
        return {n: mask.tolist() for n, mask in new.items()}

    method = recipes.snfs(rate, epoch, epochs, beta=0.5, redistribute=redistribute)
    steps = run(xp, *layers, method, sgd(0.25, momentum))
    assert_runs_agree(steps, slow_run(*layers, rewires, 0.25, momentum, 0.0))


@pytest.mark.parametrize("make", [recipes.set, recipes.snfs])
def test_epoch_methods_rewire_after_every_epoch_but_the_last(make):
    assert steps_of(make(epoch=5, epochs=4), 40) == [4, 9, 14]
    assert steps_of(make(epoch=1, epochs=3), 10) == [0, 1]
    assert steps_of(make(epoch=5, epochs=1), 10) == []
    assert not make(epoch=5, epochs=4).pauses


@pytest.mark.parametrize("make", [recipes.set, recipes.snfs])
def test_epoch_methods_may_count_steps_instead(make):
    assert steps_of(make(period=4, until=16), 40) == [4, 8, 12]


@pytest.mark.parametrize("make", [recipes.set, recipes.snfs])
@pytest.mark.parametrize(
    "given_", [{}, {"epoch": 5}, {"epochs": 5}, {"period": 5}, {"epoch": 5, "epochs": 2, "period": 3, "until": 9}]
)
def test_a_schedule_that_is_incomplete_or_given_twice_is_refused(make, given_):
    with pytest.raises(ValueError, match="expected epoch and epochs, or period and until"):
        make(**given_)


@pytest.mark.parametrize("make", [recipes.set, recipes.snfs])
def test_epochs_that_are_no_whole_numbers_are_refused(make):
    with pytest.raises(TypeError, match=r"epoch is 2\.5"):
        make(epoch=2.5, epochs=4)
    with pytest.raises(ValueError, match="epochs is 0"):
        make(epoch=2, epochs=0)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan])
def test_drop_fractions_outside_zero_to_one_are_refused(xp, fraction):
    for make, name in ((recipes.set, "zeta"), (recipes.snfs, "rate")):
        with pytest.raises(ValueError, match=rf"{name} is {fraction}; expected a drop fraction from 0 to 1"):
            make(fraction, epoch=5, epochs=4)
    params, masks, batches = network(xp, 4)
    for method in (
        recipes.rigl(period=1, t_end=9, fraction=lambda step: fraction),
        recipes.set(epoch=1, epochs=9, fraction=lambda step: fraction),
        recipes.set(epoch=1, epochs=9, fraction=lambda step: fraction, by_sign=False),
        recipes.snfs(epoch=1, epochs=9, fraction=lambda step: fraction),
    ):
        with pytest.raises(ValueError, match=rf"is {fraction}; expected a drop fraction from 0 to 1"):
            list(train(classify, params, masks, batches, method, np.random.default_rng(0)))


def test_the_defaults_of_set_and_snfs_are_the_papers(xp, monkeypatch):
    counted = []
    monkeypatch.setattr(during, "set_counts", lambda w, m, zeta: counted.append(zeta) or (0, 0))
    monkeypatch.setattr(during, "snfs_update", lambda w, masks, m, n_drop: counted.append(n_drop) or masks)
    masks = Masks({"a": give(xp, np.arange(2000) < 1000)})
    values = {"a": give(xp, np.ones(2000))}
    for make in (recipes.set, recipes.snfs):
        method = make(epoch=10, epochs=10)
        assert method.fill is None
        memory = method.observe(None, values, np.random.default_rng(0))
        for step in (9, 49):
            method.decide(values, masks, memory, step)
    assert counted == [0.3, 0.3, {"a": math.floor(1000 * cosine(9, 0.5, 100))}, {"a": 257}]


@pytest.mark.parametrize(
    ("n_active", "momenta", "n_drop"),
    [
        ((90, 50), (3.0, 1.0), {"a": 9, "b": 25}),
        ((90, 50), (1.0, 3.0), {"a": 45, "b": 25}),
        ((90, 50), (1.0, 1.0), {"a": 45, "b": 25}),
        ((80, 50), (3.0, 1.0), {"a": 40, "b": 25}),
        ((100, 50), (3.0, 1.0), {"a": 0, "b": 25}),
    ],
)
def test_a_nearly_dense_layer_that_would_grow_drops_at_most_its_sparsity(xp, monkeypatch, n_active, momenta, n_drop):
    seen = []
    monkeypatch.setattr(during, "snfs_update", lambda w, masks, m, n_drop: seen.append(n_drop) or masks)
    masks = Masks({name: give(xp, np.arange(100) < n) for name, n in zip("ab", n_active, strict=True)})
    momentum = {name: give(xp, np.full(100, m)) for name, m in zip("ab", momenta, strict=True)}
    method = recipes.snfs(epoch=1, epochs=9, fraction=lambda step: 0.5)
    method.decide(give_all(xp, {name: np.ones(100) for name in "ab"}), masks, momentum, 0)
    assert seen == [n_drop]


def test_the_drop_fraction_of_snfs_falls_to_zero_at_the_end_and_stays_there(xp, monkeypatch):
    seen = []
    monkeypatch.setattr(during, "snfs_update", lambda w, masks, m, n_drop: seen.append(n_drop["a"]) or masks)
    masks, values = Masks({"a": give(xp, np.arange(2000) < 1000)}), {"a": give(xp, np.ones(2000))}
    for method in (recipes.snfs(epoch=10, epochs=10), recipes.snfs(period=10, until=100)):
        for step in (0, 25, 50, 75, 99, 100, 150):
            method.decide(values, masks, values, step)
    assert seen == [500, 426, 250, 73, 0, 0, 0] * 2


def test_a_rate_of_zero_changes_no_mask(xp):
    params, masks, batches = network(xp)
    for method in (recipes.set(0, 1, 12), recipes.snfs(0, 1, 12), recipes.set(0, 1, 12, by_sign=False)):
        for step in train(classify, params, masks, batches, method, np.random.default_rng(0)):
            assert everything(step.masks) == everything(Masks(masks))


def test_smoothed_gradients_are_dense_and_never_reset(xp):
    """Weights change from step to step and masks in the middle; the memory is of the gradients alone."""
    method = recipes.snfs(0.9, epoch=3, epochs=4, beta=0.5)
    params, masks, batches = network(xp)
    want = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    for step in train(classify, params, masks, batches, method, np.random.default_rng(0)):
        want = {name: 0.5 * want[name] + 0.5 * back(step.grads[name]) for name in SHAPES}
        for name in SHAPES:
            np.testing.assert_allclose(back(step.state.memory[name]), want[name], rtol=1e-12)


def test_smoothing_keeps_the_gradients_dtype(xp):
    observe = recipes.smoothed(np.float64(0.9))
    grads = {"a": give(xp, np.ones(3, "f4"))}
    assert observe(observe(None, grads, None), grads, None)["a"].dtype == np.float32


@pytest.mark.parametrize("beta", [-0.1, 1.0, math.nan])
def test_a_beta_outside_zero_to_one_is_refused(beta):
    with pytest.raises(ValueError, match=rf"beta is {beta}"):
        recipes.smoothed(beta)


def moved_by(xp, method, step, n=1001):
    """How many of n of 2 n connections `method` moves where only absent weights have gradients."""
    mask = np.arange(2 * n) < n
    masks, rng = Masks({"a": give(xp, mask)}), np.random.default_rng(0)
    weights, grads = give_all(xp, {"a": mask * 1.0}), give_all(xp, {"a": (~mask) * 1.0})
    new = back(method.decide(weights, masks, method.observe(None, grads, rng), step)["a"])
    return int((mask & ~new).sum())


@pytest.mark.parametrize(
    ("fraction", "counted"),
    [
        (None, [256, 150, 43, 0]),
        (partial(constant, alpha=0.3), [300, 300, 300, 300]),
        (partial(linear, alpha=0.3, t_end=100), [225, 150, 75, 0]),
        (partial(inverse_power, alpha=0.3, t_end=100, k=3), [126, 37, 4, 0]),
        (partial(cosine, alpha=0.3, t_end=100), [256, 150, 43, 0]),
    ],
)
def test_rigls_drop_fraction_is_a_cosine_or_what_it_is_told(xp, fraction, counted):
    method = recipes.rigl(period=10, t_end=100, fraction=fraction)
    assert [moved_by(xp, method, step) for step in (25, 50, 75, 100)] == counted


def test_set_may_have_a_drop_fraction_of_the_step(xp):
    seen = [
        moved_by(xp, recipes.set(period=10, until=100, by_sign=by_sign, fraction=lambda step: step / 100), 50)
        for by_sign in (True, False)
    ]
    assert all(250 < n <= 500 for n in seen)  # of the 500 that are dropped a third returns at once


def test_rigl_grows_where_it_watches(xp):
    w, on, n = {"a": [4.0, 3, 0, 0, 0]}, {"a": [True, True, False, False, False]}, np.arange(5.0)
    grads = [{"a": [0.0, 0, 0, 0, 9]}, {"a": [0.0, 0, 1, 2, 0]}]
    grown = {}
    for name, watch in {"latest": recipes.latest, "smoothed": recipes.smoothed(0.9), "noise": recipes.noise}.items():
        method = recipes.rigl(0.9, 1, 1_000_000, watch=watch)
        step = run(xp, w, on, grads, method, sgd(0.1))[-1]
        (grown[name],) = np.flatnonzero(back(step.masks["a"]) & (n > 0)).tolist()
        if name == "noise":
            random = in_order_of_drawing(step.state.memory, "a", np.array(on["a"]))
            assert grown[name] == 1 + np.argmax(random[1:])
    assert (grown["latest"], grown["smoothed"]) == (3, 4)


def test_noise_is_new_at_every_step_and_for_every_layer(xp):
    params, masks, batches = network(xp, 4)
    keys = [
        step.state.memory
        for step in train(classify, params, masks, batches, recipes.set(epoch=1, epochs=9), np.random.default_rng(0))
    ]
    assert len({type(key) for key in keys}) == 1
    assert len(set(keys)) == 4
    assert stream(keys[0], "fc1.weight").random() != stream(keys[0], "fc2.weight").random()


def test_layers_that_are_alike_grow_in_places_of_their_own(xp):
    on, names = np.arange(100) < 10, ("a", "b")
    masks, weights = Masks({name: give(xp, on) for name in names}), give_all(xp, dict.fromkeys(names, on * 1.0))
    method = recipes.set(1.0, epoch=1, epochs=9)
    new = method.decide(weights, masks, method.observe(None, {}, np.random.default_rng(0)), 0)
    assert back(new["a"]).tolist() != back(new["b"]).tolist()


def test_random_values_have_their_standard_deviation_where_weights_were_grown(xp):
    grown = np.arange(40_000).reshape(200, 200) % 2 == 0
    values = back(recipes.random_values(0.1)("a", give(xp, grown), {}, {}, np.random.default_rng(0)))
    assert values.shape == (20_000,)
    assert values.std() == pytest.approx(0.1, rel=0.03)  # five standard errors are 2.5 %
    assert abs(values.mean()) < 0.1 * 5 / math.sqrt(20_000)


@pytest.mark.parametrize(
    ("fill", "start"), [(None, 0.0), (recipes.along_gradient(0.25), 0.5)], ids=["zero", "along the gradient"]
)
def test_grown_weights_start_at_zero_or_a_small_step_down_their_gradient(xp, fill, start):
    masks, w = {"a": [True, True, True, False]}, {"a": [4.0, 3, 1, 0]}
    method = recipes.rigl(0.5, 1, 1_000_000, fill=fill)
    step = run(xp, w, masks, [{"a": [0.0] * 4}, {"a": [0.0, 0, 1, -2]}], method, sgd(0.1, momentum=0.9))[-1]
    assert back(step.params["a"]).tolist() == [4, 3, 0, start]
    assert back(step.slots["velocity"]["a"]).tolist() == [0] * 4


@each_optimizer
def test_what_set_grows_starts_at_zero_after_a_step_that_saw_its_gradient(xp, optimizer):
    masks, w = {"a.weight": [True] * 4 + [False] * 60}, {"a.weight": [-2.0, -1, 1, 2, *[0.0] * 60]}
    step = run(xp, w, masks, [{"a.weight": [0.5] * 64}], recipes.set(0.5, 1, 2), optimizer)[-1]
    grown = back(step.masks["a.weight"]) & ~np.array(masks["a.weight"])
    assert grown.any()
    assert not back(step.params["a.weight"])[grown].any()
    assert (back(step.params["a.weight"])[[0, 3]] != w["a.weight"][0:4:3]).all()
    for slot in step.slots.values():
        assert not isinstance(slot, Mapping) or not back(slot["a.weight"])[grown].any()


def test_the_authors_set_starts_grown_weights_at_random(xp):
    method = recipes.set(0.5, 1, 2, fill=recipes.random_values(0.1))
    n = 4000
    w, masks = {"a": np.where(np.arange(n) < n // 4, 5.0, 0)}, {"a": np.arange(n) < n // 4}
    step = run(xp, w, masks, [{"a": np.ones(n)}], method, sgd(0.1, momentum=0.9))[-1]
    grown = back(step.masks["a"]) & ~masks["a"]
    assert back(step.params["a"])[grown].std() == pytest.approx(0.1, rel=0.2)
    assert not back(step.slots["velocity"]["a"])[grown].any()


def plain_loss(params, batch, rng):
    return ops.softmax_cross_entropy(MODEL(params, batch[0]), batch[1])


@pytest.mark.parametrize(("density", "n_keep"), [(0.5, 18), (0.3, 10), (0.1, 4), (1, 35)])
@pytest.mark.parametrize("include", [None, lambda name: True, lambda name: name == "fc2.weight"])
def test_snip_keeps_the_highest_of_weight_times_mean_gradient(xp, density, n_keep, include):
    params, _, batches = network(xp, 3)
    options = {} if include is None else {"include": include}
    names = list(SHAPES) if include is None else [name for name in params if include(name)]
    grads = [value_and_grad(lambda p, b=b: plain_loss(p, b, None), params)[1] for b in batches]
    mean = {name: (grads[0][name] + grads[1][name] + grads[2][name]) / 3 for name in names}
    size = sum(params[name].size for name in names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = recipes.snip(plain_loss, params, batches, density, np.random.default_rng(0), **options)
        want = snip_masks({name: params[name] for name in names}, mean, round(density * size))
    assert isinstance(got, Masks)
    assert everything(got) == everything(want)
    if include is None:
        assert got.active == n_keep


def test_snip_leaves_the_weights_it_scored_to_be_trained(xp):
    params, _, batches = network(xp, 2)
    before = everything(params)
    masks = recipes.snip(classify, params, batches[:1], 0.5, np.random.default_rng(0))
    step = next(train(classify, params, masks, batches, recipes.static(), np.random.default_rng(0), sgd(0.0)))
    assert everything(params) == before
    for name, mask in masks.items():
        assert (back(step.params[name]) == back(params[name]) * back(mask)).all()


def test_snip_gives_every_batch_random_numbers_of_its_own(xp):
    params, _, batches = network(xp, 3)
    draws = []

    def loss_fn(params, batch, rng):
        draws.append(rng.random())
        return plain_loss(params, batch, rng)

    for seed in (0, 0, 1):
        recipes.snip(loss_fn, params, batches, 0.5, np.random.default_rng(seed))
    assert draws[:3] == draws[3:6]
    assert len(set(draws)) == 6


@pytest.mark.parametrize(
    ("density", "weights", "all_"),
    [(0.1, 26_620, 26_661), (0.05, 13_310, 13_330), (0.02, 5_324, 5_332), (0.01, 2_662, 2_666)],
)
def test_snip_rounds_its_count_half_to_even_and_prunes_biases_that_are_zero_first(density, weights, all_):
    model, rng = models.lenet_300_100(), np.random.default_rng(0)
    params = model.init(rng)
    batch = rng.random((20, 784), dtype="f4"), rng.integers(0, 10, 20)
    loss_fn = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0]), batch[1])
    assert recipes.snip(loss_fn, params, [batch], density, rng).active == weights
    with pytest.warns(UserWarning, match=r"SNIP keeps nothing of 'fc1\.bias', 'fc2\.bias', 'fc3\.bias'"):
        masks = recipes.snip(loss_fn, params, [batch], density, rng, include=lambda name: True)
    assert masks.active == all_
    assert sum(n for name, n in masks.counts.items() if name.endswith("bias")) == 0


def test_a_half_is_a_half_in_spite_of_floating_point(xp):
    """0.07 × 150 is 10.500000000000002."""
    params = {"a.weight": give(xp, np.arange(150.0))}
    loss_fn = lambda p, batch, rng: ops.sum(p["a.weight"])
    assert recipes.snip(loss_fn, params, [None], 0.07, np.random.default_rng(0)).active == 10


def test_snip_warns_of_empty_layers(xp):
    params = give_all(xp, {"a.weight": np.ones(4), "b.weight": np.full(4, 9.0)})
    loss_fn = lambda p, batch, rng: ops.sum(p["a.weight"]) + ops.sum(p["b.weight"])
    with pytest.warns(UserWarning, match=r"nothing of 'a\.weight'"):
        recipes.snip(loss_fn, params, [None], 0.5, np.random.default_rng(0))


def test_snip_refuses_what_it_cannot_score(xp):
    params, _, batches = network(xp, 1)
    rng = np.random.default_rng(0)
    for density in (0, 1.1, math.nan):
        with pytest.raises(ValueError, match=rf"density is {density}"):
            recipes.snip(classify, params, batches, density, rng)
    with pytest.raises(ValueError, match="batches is empty"):
        recipes.snip(classify, params, [], 0.5, rng)
    with pytest.raises(ValueError, match="include is true for no parameter"):
        recipes.snip(classify, params, batches, 0.5, rng, include=lambda name: False)
    with pytest.raises(TypeError, match="rng is int"):
        recipes.snip(classify, params, batches, 0.5, 0)


def parameters(model):
    return sum(map(math.prod, model.shapes().values()))


@pytest.mark.parametrize("target", [26_661, 2_379, 9_999, 266_610, 266_609, 3_000_000])
def test_the_widest_mlp_of_a_budget_is_found(target):
    factor, model = recipes.small_dense(lambda width: models.lenet_300_100(width=width), target, parameters)
    jumps = sorted({i / 300 for i in range(1, 3000)} | {i / 100 for i in range(1, 1000)})
    costs = [parameters(models.lenet_300_100(width=jump + 1e-9)) for jump in jumps]
    best = max(cost for cost in costs if cost <= target)
    assert parameters(model) == best
    assert model.shapes() == models.lenet_300_100(width=factor).shapes()


@pytest.mark.parametrize(
    ("describe", "shape", "width"),
    [
        (models.resnet_50, (224, 224, 3), 0.34),
        (models.mobilenet_v1, (224, 224, 3), 0.47),
        (models.lenet_5, (28, 28, 1), 0.3),
        (models.mobilenet_v1, (224, 224, 3), 1.98),
    ],
)
def test_a_networks_own_multiply_adds_find_it_and_a_little_less_does_not(describe, shape, width):
    build = lambda width: describe(width=width)
    measure = lambda model: sum(model.cost(shape)[0].values())
    target = measure(build(width))
    factor, model = recipes.small_dense(build, target, measure)
    assert model.shapes() == build(width).shapes()
    assert measure(build(factor * 1.00001)) > target
    narrower, model = recipes.small_dense(build, target - 1, measure)
    assert narrower < width
    assert measure(model) < target


@pytest.mark.parametrize("target", [0, -5, 5, 2_378, math.nan])
def test_a_budget_below_the_narrowest_network_is_refused(target):
    with pytest.raises(ValueError, match=rf"target is {target}; no network of this family is so small"):
        recipes.small_dense(lambda width: models.lenet_300_100(width=width), target, parameters)


@pytest.mark.parametrize(("target", "width"), [(math.inf, 1), (10**6, 0)])
def test_a_budget_that_no_width_exceeds_is_refused(target, width):
    build = lambda factor: nn.mlp(4, int(3 * factor**width), 2)
    with pytest.raises(ValueError, match=rf"target is {target}, and every width up to 2.30 costs no more"):
        recipes.small_dense(build, target, parameters)
