"""Each method with its schedule."""

import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
from arrays import back, give, give_all
from slow import slow_remove_dead_units, slow_threshold

from minisparse import data, models, nn, ops, recipes
from minisparse.allocate import counts
from minisparse.autograd import value_and_grad
from minisparse.masks import Masks, project
from minisparse.methods import l0
from minisparse.optim import adam, sgd
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
        (0, 0.1, ValueError, "n_examples is 0; accepted are whole numbers from 1"),
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
        ({"final": 1.1}, "final is 1.1; accepted are 0 ≤ initial ≤ final ≤ 1"),
        ({"initial": 0.9}, "initial is 0.9, final is 0.8"),
        ({"initial": -0.1}, "initial is -0.1"),
        ({"end": 5}, "end is 5, begin is 5; end must come after begin"),
        ({"period": 0}, "period is 0; accepted are whole numbers from 1"),
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
    with pytest.raises(ValueError, match=r"stage 2 names \['fc9.weight'\]; the weights are \['fc1.weight'"):
        three_steps([ALL, recipes.Stage({"fc9.weight": 1.0})])
    with pytest.raises(ValueError, match=r"dropout names \['fc1'\]; the weights are"):
        three_steps([ALL], dropout={"fc1": 0.5})
    with pytest.raises(ValueError, match=r"names has \['fc9.bias'\], which are no parameters"):
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
    with pytest.raises(ValueError, match="accepted is one number where all layers are ranked together"):
        recipes.winning_ticket(start, start, {"a": 0.5, "b": 0.2}, globally=True)
    with pytest.raises(ValueError, match="'b' is only in masks"):
        recipes.winning_ticket(start, start, {"a": 0.5})
    with pytest.raises(ValueError, match=r"share of 'a' is 1\.5; accepted are 0 to 1"):
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
    with pytest.raises(ValueError, match="rewind is -1; accepted are whole numbers from 0"):
        tickets(-1)
    with pytest.raises(TypeError, match=r"rounds is 1\.5"):
        tickets(0, rounds=1.5)
