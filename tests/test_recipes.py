"""Each method with its schedule."""

import math
import warnings

import numpy as np
import pytest
from arrays import back, give, give_all

from minisparse import data, models, nn, ops, recipes
from minisparse.allocate import counts
from minisparse.autograd import value_and_grad
from minisparse.masks import Masks
from minisparse.methods import l0
from minisparse.optim import adam, sgd
from minisparse.train import train

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
