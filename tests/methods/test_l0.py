import math
from math import exp, log

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import examples
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minisparse import flops, models, nn, ops
from minisparse.autograd import Tensor, gradcheck, value_and_grad
from minisparse.methods import l0

many = settings(max_examples=examples(200))
EDGE = log(11)  # where the test gate meets 0 and 1

LOG_ALPHA = [-4.0, -2, -1, 0, 0.5, 1, 2, 3]
OPEN = [0.0830657617, 0.4009752644, 0.6453352217, 0.8318221840, 0.8907667251, 0.9307712206, 0.9733666553, 0.9900343637]
AT_TEST = [0, 0.0430435064, 0.2227297056, 0.5, 0.6469511974, 0.7772702944, 0.9569564936, 1]

log_alphas = st.floats(-6, 6)
inside = st.floats(1e-6, 1 - 1e-6)
shapes_of_distribution = st.tuples(st.floats(0.1, 2), st.floats(-0.5, -0.01), st.floats(1.01, 1.5))  # β, γ, ζ


def close(got, want, atol=1e-9):
    np.testing.assert_allclose(back(got), want, rtol=0, atol=atol)


def slow_sigmoid(x):
    return 1 / (1 + exp(-x)) if x > 0 else exp(x) / (1 + exp(x))


def slow_gate(log_alpha, u, beta=2 / 3, gamma=-0.1, zeta=1.1):
    s = slow_sigmoid((log(u) - log(1 - u) + log_alpha) / beta)
    return min(1, max(0, s * (zeta - gamma) + gamma))


def slow_open(log_alpha):
    return slow_sigmoid(log_alpha - 2 / 3 * log(0.1 / 1.1))


def conv_layer(c_in=3, c_out=4, log_alpha=None, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "conv.weight": rng.standard_normal((2, 2, c_in, c_out)),
        "conv.bias": rng.standard_normal(c_out),
        "conv.log_alpha": rng.standard_normal(c_out) if log_alpha is None else np.array(log_alpha, dtype=float),
    }


def linear_layer(n_in=5, n_out=3, gates=(5, 1), seed=1):
    rng = np.random.default_rng(seed)
    return {
        "fc.weight": rng.standard_normal((n_in, n_out)),
        "fc.bias": rng.standard_normal(n_out),
        "fc.log_alpha": rng.standard_normal(gates),
    }


def at_start(model):
    """Parameters whose gates start exactly at their drop rate, without noise."""
    params = model.init(np.random.default_rng(0), np.float64)
    for name in filter(l0.is_gate, params):
        params[name][:] = l0.log_alpha_of(model.layers[name.partition(".")[0]].drop_rate)
    return params


# the distribution


def test_the_table_of_closed_forms(xp):
    close(l0.prob_open(give(xp, np.array(LOG_ALPHA))), OPEN)
    close(l0.gate_at_test(give(xp, np.array(LOG_ALPHA))), AT_TEST)


def test_samples_at_three_values_of_the_noise(xp):
    z = l0.gate(give(xp, np.zeros(3)), give(xp, np.array([0.25, 0.5, 0.75])))
    close(z, [0.0936685734, 0.5, 0.9063314266])


def test_the_test_gate_is_exactly_0_and_1_beyond_log_11_and_inside_before(xp):
    at = lambda a: l0.gate_at_test(give(xp, np.array([a]))).tolist()[0]
    assert at(-(EDGE + 1e-6)) == 0
    assert at(EDGE + 1e-6) == 1
    assert 0 < at(-(EDGE - 1e-6)) < 1e-6
    assert 1 - 1e-6 < at(EDGE - 1e-6) < 1


@many
@given(log_alpha=log_alphas, u=inside, of=shapes_of_distribution)
def test_a_sample_is_the_formula_in_plain_numbers(log_alpha, u, of):
    assert l0.gate(np.array(log_alpha), np.array(u), *of) == pytest.approx(slow_gate(log_alpha, u, *of), abs=1e-9)


@many
@given(log_alpha=log_alphas, of=shapes_of_distribution)
def test_a_gate_is_open_for_as_much_of_the_noise_as_prob_open_says(log_alpha, of):
    closed = 1 - float(l0.prob_open(np.array(log_alpha), *of))
    assume(1e-6 < closed < 1 - 1e-6)
    below, above = (l0.gate(np.array(log_alpha), np.array(closed * (1 + sign * 1e-7)), *of) for sign in (-1, 1))
    assert below == 0
    assert above > 0


@many
@given(log_alpha=log_alphas, of=shapes_of_distribution)
def test_the_test_gate_is_the_sample_without_noise_at_temperature_1(log_alpha, of):
    _, gamma, zeta = of
    want = l0.gate(np.array(log_alpha), np.array(0.5), 1.0, gamma, zeta)
    assert l0.gate_at_test(np.array(log_alpha), gamma, zeta) == pytest.approx(want, abs=1e-12)


@many
@given(log_alpha=log_alphas, u=inside)
def test_gates_are_symmetric_and_rise_with_log_alpha_and_with_the_noise(log_alpha, u):
    z = lambda a, u: float(l0.gate(np.array(a), np.array(u)))
    assert z(-log_alpha, 1 - u) == pytest.approx(1 - z(log_alpha, u), abs=1e-9)
    assert 0 <= z(log_alpha, u) <= min(z(log_alpha + 0.1, u), z(log_alpha, u + (1 - u) / 10)) <= 1


@pytest.mark.parametrize(
    ("drop_rate", "opens", "fully"), [(0.2, 0.951887, 0.447123), (0.3, 0.920261, 0.320538), (0.5, 0.831822, 0.168178)]
)
def test_a_hundred_thousand_samples_are_open_and_fully_open_as_often_as_the_closed_forms_say(drop_rate, opens, fully):
    n = 100_000
    u = l0.uniforms(np.random.default_rng(0), (n,))
    z = l0.gate(np.array(l0.log_alpha_of(drop_rate)), u)
    assert float(l0.prob_open(np.array(l0.log_alpha_of(drop_rate)))) == pytest.approx(opens, abs=5e-7)
    for share, p in (((z != 0).mean(), opens), ((z == 1).mean(), fully)):
        assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / n)


def test_samples_have_the_mean_of_the_integral(xp):
    n = 100_000
    for log_alpha in (-2.0, 0.0, 1.5):
        z = back(l0.gate(give(xp, np.array(log_alpha)), give(xp, l0.uniforms(np.random.default_rng(1), (n,)))))
        grid = [slow_gate(log_alpha, (i + 0.5) / 20_000) for i in range(20_000)]
        assert abs(z.mean() - sum(grid) / len(grid)) < 5 * np.std(grid) / math.sqrt(n) + 1e-4


@pytest.mark.parametrize("log_alpha", [1e3, -1e3, math.inf, -math.inf])
def test_extremes_give_no_nan_and_the_last_gate(xp, log_alpha):
    a, end = give(xp, np.array([log_alpha])), float(log_alpha > 0)
    u = give(xp, np.array([1 - 2.0**-53, 2.0**-54, 0.5])[:, None])
    assert l0.gate(a, u).tolist() == [[end]] * 3
    assert l0.gate_at_test(a).tolist() == [end]
    assert l0.prob_open(a).tolist() == [end]


def test_extremes_have_finite_gradients(xp):
    params = {"a": give(xp, np.array([-1e3, 1e3, -50, 50]))}
    u = give(xp, np.full(4, 0.5))
    for f in (lambda a: l0.gate(a, u), l0.gate_at_test, l0.prob_open):
        grad = back(value_and_grad(lambda p: ops.sum(f(p["a"])), params)[1]["a"])  # noqa: B023
        assert np.isfinite(grad).all()


@many
@given(
    log_alpha=hnp.arrays(float, 4, elements=st.floats(-3, 3)), u=hnp.arrays(float, 4, elements=st.floats(0.01, 0.99))
)
def test_the_reparameterised_gate_has_the_gradient_of_its_central_difference(log_alpha, u):
    s = [slow_sigmoid((log(v) - log(1 - v) + a) * 1.5) * 1.2 - 0.1 for a, v in zip(log_alpha, u, strict=True)]
    assume(all(min(abs(z), abs(z - 1)) > 1e-3 for z in s))
    assert gradcheck(lambda a: l0.gate(a, u), log_alpha) < 1e-7


def test_the_gradient_is_zero_where_a_gate_is_clipped_and_only_there(xp):
    log_alpha, u = np.array([-2.0, 0, 2, 0, 0]), np.array([0.05, 0.5, 0.95, 0.01, 0.99])
    params = {"a": give(xp, log_alpha)}
    z = back(l0.gate(params["a"], give(xp, u)))
    grad = back(value_and_grad(lambda p: ops.sum(l0.gate(p["a"], give(xp, u))), params)[1]["a"])
    assert z[[0, 2, 3, 4]].tolist() == [0, 1, 0, 1]
    assert z[1] == pytest.approx(0.5, abs=1e-12)
    assert (grad != 0).tolist() == [False, True, False, False, False]
    assert grad[1] == pytest.approx(1.2 * 1.5 / 4, abs=1e-12)  # (ζ − γ) s (1 − s) / β


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tensors_give_tensors_and_arrays_arrays_of_their_own_dtype(xp, dtype):
    a, u = give(xp, np.array([0.5, -1], dtype)), give(xp, np.array([0.3, 0.6]))
    for f in (lambda a: l0.gate(a, u), l0.gate_at_test, l0.prob_open):
        plain, taped = f(a), f(Tensor(a))
        assert type(plain) is type(a)
        assert isinstance(taped, Tensor)
        assert plain.dtype == taped.dtype == dtype
        assert plain.tolist() == taped.value.tolist()


def test_whole_numbers_are_numbers_too(xp):
    whole = give(xp, np.array([-4, -2, -1, 0, 1, 2, 3]))
    table = [row for row in zip(LOG_ALPHA, OPEN, AT_TEST, strict=True) if row[0] != 0.5]
    close(l0.prob_open(whole), [row[1] for row in table])
    close(l0.gate_at_test(whole), [row[2] for row in table])
    close(l0.gate(whole, give(xp, np.full(7, 0.25))), [slow_gate(a, 0.25) for a, _, _ in table])


def test_noise_may_have_more_axes_than_the_gates(xp):
    u = np.random.default_rng(0).random((50, 3))
    z = back(l0.gate(give(xp, np.array([-1.0, 0, 1])), give(xp, u)))
    assert z.shape == (50, 3)
    close(z, [[slow_gate(a, v) for a, v in zip((-1, 0, 1), row, strict=True)] for row in u.tolist()])


@pytest.mark.parametrize("u", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_noise_outside_the_open_interval_is_refused(xp, u):
    with pytest.raises(ValueError, match=r"u has values that are not inside \(0, 1\)"):
        l0.gate(give(xp, np.zeros(2)), give(xp, np.array([0.5, u])))


@pytest.mark.parametrize(
    ("of", "message"),
    [({"beta": 0.0}, "beta is 0"), ({"beta": math.nan}, "beta is nan"), ({"beta": math.inf}, "beta is inf"),
     ({"gamma": 0.0}, "gamma is 0"), ({"zeta": 1.0}, r"zeta 1\.0"), ({"gamma": 0.1}, r"gamma is 0\.1"),
     ({"zeta": math.inf}, "zeta inf")],
)  # fmt: skip
def test_distributions_that_never_reach_0_and_1_are_refused(of, message):
    a = np.zeros(2)
    calls = [lambda: l0.gate(a, a + 0.5, **of), lambda: l0.prob_open(a, **of)]
    for call in calls if "beta" in of else [*calls, lambda: l0.gate_at_test(a, **of)]:
        with pytest.raises(ValueError, match=message):
            call()


def test_uniforms_are_the_generators_own_and_never_0():
    class Zeros(np.random.Generator):
        def random(self, shape):
            return np.zeros(shape)

    own = np.random.default_rng(3).random((4, 5))
    assert (l0.uniforms(np.random.default_rng(3), (4, 5)) == own).all()
    zeros = l0.uniforms(Zeros(np.random.PCG64()), (2,))
    assert l0.gate(np.zeros(2), zeros).tolist() == [0, 0]


# where gates start, and what they switch


@pytest.mark.parametrize("drop_rate", [0.2, 0.5, 0.9])
def test_gates_start_at_the_log_odds_of_their_drop_rate_with_a_deviation_of_a_hundredth(drop_rate):
    a = l0.initial_log_alpha(np.random.default_rng(0), (100, 100), drop_rate)
    assert a.shape == (100, 100)
    assert a.mean() == pytest.approx(log((1 - drop_rate) / drop_rate), abs=5 * 0.01 / 100)
    assert a.std() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("drop_rate", [0.0, 1.0, -0.5, 2, math.nan])
def test_drop_rates_outside_the_open_interval_are_refused(drop_rate):
    with pytest.raises(ValueError, match=rf"drop_rate is {drop_rate}; expected a rate inside \(0, 1\)"):
        l0.initial_log_alpha(np.random.default_rng(0), (3,), drop_rate)


@pytest.mark.parametrize(
    ("params", "size", "names"),
    [
        (conv_layer(3, 4), 2 * 2 * 3 + 1, ["conv.weight", "conv.bias"]),
        (linear_layer(5, 3, (5, 1)), 3, ["fc.weight"]),
        (linear_layer(5, 3, (5, 3)), 1, ["fc.weight"]),
        (linear_layer(5, 3, (3,)), 6, ["fc.weight", "fc.bias"]),
        (linear_layer(3, 3, (3, 1)), 3, ["fc.weight"]),
        (linear_layer(3, 3, (3,)), 4, ["fc.weight", "fc.bias"]),
        (linear_layer(5, 3, (1,)), 15, ["fc.weight"]),
        ({name.removeprefix("fc."): a for name, a in linear_layer(5, 3).items()}, 3, ["weight"]),
        ({n: a for n, a in conv_layer(3, 4).items() if n != "conv.bias"}, 12, ["conv.weight"]),
    ],
)
def test_a_gate_switches_what_it_is_broadcast_to_and_gates_of_outputs_their_bias(params, size, names):
    ((layer, log_alpha),) = l0.gates(params).items()
    assert l0.switches(params, layer) == names
    assert l0.group_size(params, layer) == size
    assert size * log_alpha.size == sum(params[name].size for name in names)


@pytest.mark.parametrize("model", [models.l0_lenet_300_100(), models.l0_lenet_5()], ids=["mlp", "lenet_5"])
def test_group_sizes_add_up_to_the_parameters_that_gates_switch_and_with_the_rest_to_all(model):
    params = model.init(np.random.default_rng(0))
    in_groups = sum(l0.group_size(params, layer) * a.size for layer, a in l0.gates(params).items())
    free_biases = sum(b.size for name, b in params.items() if name.startswith("fc") and name.endswith("bias"))
    plain = sum(a.size for name, a in params.items() if not name.endswith("log_alpha"))
    assert in_groups + free_biases == plain == {3: 266_610, 4: 431_080}[len(l0.gates(params))]


@pytest.mark.parametrize("shape", [(3, 1), (5,), (5, 2), (1, 5, 3)])
def test_gates_that_do_not_broadcast_to_the_weight_are_refused(shape):
    params = linear_layer(5, 3, shape)
    with pytest.raises(ValueError, match=r"'fc.log_alpha' has shape \(.*\), which does not broadcast to \(5, 3\)"):
        l0.penalty(params, 1.0)


# the penalty


def slow_penalty(params, lambda_, weight_decay):
    """One parameter at a time."""
    total = 0.0
    for name, array in params.items():
        layer, _, own = name.rpartition(".")
        if own == "log_alpha":
            continue
        log_alpha = params.get(f"{layer}.log_alpha")
        gated = log_alpha is not None and (own == "weight" or log_alpha.shape == array.shape)
        for place in np.ndindex(array.shape):
            p = slow_open(float(np.broadcast_to(log_alpha, array.shape)[place])) if gated else 1
            decay = 0.5 * weight_decay * float(array[place]) ** 2 if own == "weight" else 0
            total += p * (decay + (lambda_[layer] if gated else 0))
    return total


NETWORK = {**conv_layer(), **linear_layer(), "plain.weight": np.full((2, 2), 1.5), "plain.bias": np.ones(2)}


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("lambda_", [{"conv": 0.0, "fc": 0.0}, {"conv": 0.7, "fc": 0.7}, {"conv": 0.1, "fc": 2.0}])
def test_the_penalty_is_the_sum_over_parameters_one_at_a_time(xp, lambda_, weight_decay):
    got = l0.penalty(give_all(xp, NETWORK), lambda_, weight_decay)
    assert got.shape == ()
    assert float(got.value) == pytest.approx(slow_penalty(NETWORK, lambda_, weight_decay), rel=1e-12)
    if len(set(lambda_.values())) == 1:
        same = l0.penalty(give_all(xp, NETWORK), lambda_["fc"], weight_decay)
        assert float(same.value) == pytest.approx(float(got.value), rel=1e-12)


def test_a_bias_that_a_gate_switches_costs_as_much_as_a_weight(xp):
    """A 1×1 convolution of one channel: the authors' code adds λ for the weight and takes it away for the bias."""
    params = {"weight": np.zeros((1, 1, 1, 2)), "bias": np.zeros(2), "log_alpha": np.array([0.0, 2.0])}
    assert float(l0.penalty(give_all(xp, params), 1.0).value) == pytest.approx(3.61037768, abs=1e-8)


def test_the_gradient_of_the_penalty_is_k_lambda_p_1_minus_p(xp):
    params = {"weight": np.ones((8, 2)), "bias": np.ones(2), "log_alpha": np.array(LOG_ALPHA)[:, None]}
    grads = value_and_grad(lambda p: l0.penalty(p, 0.3), give_all(xp, params))[1]
    close(grads["log_alpha"][:, 0], [2 * 0.3 * p * (1 - p) for p in OPEN])
    assert not back(grads["weight"]).any()
    assert not back(grads["bias"]).any()


def test_l2_inside_the_penalty_is_weighted_by_the_probability_that_the_weight_is_there(xp):
    params = {"weight": np.full((8, 2), 3.0), "bias": np.full(2, 7.0), "log_alpha": np.array(LOG_ALPHA)[:, None]}
    total, grads = value_and_grad(lambda p: l0.penalty(p, 0.0, 0.1), give_all(xp, params))
    assert float(total) == pytest.approx(sum(2 * 0.5 * 0.1 * 9 * p for p in OPEN), rel=1e-9)
    close(grads["weight"], [[0.1 * 3 * p] * 2 for p in OPEN])
    close(grads["log_alpha"][:, 0], [0.1 * 9 * p * (1 - p) for p in OPEN])
    assert not back(grads["bias"]).any()


def test_the_penalty_has_the_gradient_of_its_central_difference(xp):
    names = list(NETWORK)
    f = lambda *arrays: l0.penalty(dict(zip(names, arrays, strict=True)), {"conv": 0.2, "fc": 1.5}, 0.1)
    assert gradcheck(f, *give_all(xp, NETWORK).values()) < 1e-7


def test_the_penalty_keeps_float32(xp):
    params = {name: a.astype("f4") for name, a in NETWORK.items()}
    loss, grads = value_and_grad(lambda p: l0.penalty(p, np.float64(0.5), np.float64(0.1)), give_all(xp, params))
    assert loss.dtype == np.float32
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("lambda_", "weight_decay", "message"),
    [
        ({"conv": 1.0}, 0.0, r"lambda_ has the layers \['conv'\]; expected the gated layers, \['conv', 'fc'\]"),
        (-1.0, 0.0, "the penalty of 'conv' is -1"),
        (math.nan, 0.0, "the penalty of 'conv' is nan"),
        ({"conv": 1.0, "fc": math.inf}, 0.0, "the penalty of 'fc' is inf"),
        (1.0, -0.5, "the penalty of 'weight_decay' is -0.5"),
    ],
)
def test_penalties_that_are_no_prices_are_refused(lambda_, weight_decay, message):
    with pytest.raises(ValueError, match=message):
        l0.penalty(NETWORK, lambda_, weight_decay)


def test_a_network_without_gates_is_refused():
    with pytest.raises(ValueError, match=r"params has no log_alpha, so no gates; the parameters are \['fc1"):
        l0.penalty(nn.mlp(3, 2).init(np.random.default_rng(0)), 1.0)


# what is expected to be left, and what is


@pytest.mark.parametrize(
    ("model", "shape", "expected_flops", "dense_flops", "expected", "dense"),
    [
        (models.l0_lenet_300_100(), (784,), 499_340.6, 532_400, 250_080.3, 266_610),
        (models.l0_lenet_5(), (28, 28, 1), 3_814_736.5, 4_586_000, 358_667.7, 431_080),
    ],
    ids=["mlp", "lenet_5"],
)
def test_expected_flops_and_l0_at_the_start_are_those_of_the_authors_count(
    model, shape, expected_flops, dense_flops, expected, dense
):
    params, sites = at_start(model), nn.sites(model, shape)
    assert sum(flops.count(sites, {}).values()) == dense_flops
    assert sum(flops.count(sites, l0.densities(params)).values()) == pytest.approx(expected_flops, rel=1e-6)
    assert l0.expected_l0(params) == pytest.approx(expected, rel=1e-6)
    assert l0.l0_at_test(params) == dense


def test_counts_masks_and_open_gates_on_layers_with_each_kind_of_gate(xp):
    params = {
        **conv_layer(3, 4, log_alpha=[-3, -2, -9, 9]),
        **linear_layer(5, 3),
        "fc.log_alpha": np.array([[-3.0], [-2], [0], [-3], [0]]),
        "out.weight": np.ones((3, 2)),
        "out.bias": np.ones(2),
        "out.log_alpha": np.array([[-3.0, 0], [0, 0], [0, -3]]),
    }
    own = give_all(xp, params)
    assert {layer: back(on).ravel().tolist() for layer, on in l0.open_gates(own).items()} == {
        "conv": [False, True, False, True],
        "fc": [False, True, True, False, True],
        "out": [False, True, True, True, True, False],
    }
    assert l0.architecture(own) == "2-3-4"
    masks = {name: back(mask) for name, mask in l0.masks(own).items()}
    assert {name: (mask.shape, mask.dtype) for name, mask in masks.items()} == {
        name: (params[name].shape, np.dtype(bool)) for name in ("conv.weight", "fc.weight", "out.weight")
    }
    assert (masks["conv.weight"] == np.array([False, True, False, True])).all()
    assert (masks["fc.weight"] == np.array([False, True, True, False, True])[:, None]).all()
    assert masks["out.weight"].tolist() == [[False, True], [True, True], [True, False]]
    # 2 maps of 12 weights and a bias; 3 inputs of 3 weights, and 3 biases; 4 weights, and 2 biases
    assert l0.l0_at_test(own) == 2 * 13 + 3 * 3 + 3 + 4 + 2
    p = {layer: [slow_open(a) for a in params[f"{layer}.log_alpha"].ravel()] for layer in ("conv", "fc", "out")}
    assert l0.expected_l0(own) == pytest.approx(13 * sum(p["conv"]) + 3 * sum(p["fc"]) + 3 + sum(p["out"]) + 2)
    assert l0.densities(own) == pytest.approx({f"{layer}.weight": np.mean(own) for layer, own in p.items()})


def test_folded_weights_carry_the_test_gates_and_biases_only_those_of_outputs(xp):
    z = dict(zip(LOG_ALPHA, AT_TEST, strict=True))
    params = {
        **conv_layer(3, 4, log_alpha=[-4, -1, 2, 3]),
        **linear_layer(2, 3),
        "fc.log_alpha": np.array([[-2.0], [3.0]]),
        "plain.weight": np.ones((2, 2)),
    }
    plain = l0.folded(give_all(xp, params))
    assert list(plain) == ["conv.weight", "conv.bias", "fc.weight", "fc.bias", "plain.weight"]
    close(plain["conv.weight"], params["conv.weight"] * [z[-4], z[-1], z[2], z[3]])
    close(plain["conv.bias"], params["conv.bias"] * [z[-4], z[-1], z[2], z[3]])
    close(plain["fc.weight"], params["fc.weight"] * [[z[-2]], [z[3]]])
    close(plain["fc.bias"], params["fc.bias"])
    masks = l0.masks(give_all(xp, params))
    assert all(((back(plain[name]) != 0) == back(mask)).all() for name, mask in masks.items())


def test_what_is_given_is_not_written_to(xp):
    own = give_all(xp, NETWORK)
    before = {name: back(a).copy() for name, a in own.items()}
    mask = l0.masks(own)["conv.weight"]
    mask[:] = False
    folded = l0.folded(own)
    folded["fc.weight"][:] = 0
    l0.penalty(own, 1.0, 1.0)
    assert all((back(own[name]) == a).all() for name, a in before.items())


# against another hand


def test_loss_and_every_gradient_agree_with_torchs():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    model = nn.Chain(
        {
            "conv": nn.GatedConv2d(2, 3, 3, padding=1, drop_rate=0.4),
            "relu": nn.Relu(),
            "flat": nn.Flatten(),
            "fc": nn.GatedLinear(48, 5, drop_rate=0.3),
            "out": nn.GatedLinear(5, 4, per_weight=True),
        }
    )
    rng = np.random.default_rng(0)
    params = {name: 1.5 * rng.standard_normal(shape) / shape[0] ** 0.5 for name, shape in model.shapes().items()}
    x, labels = rng.standard_normal((6, 4, 4, 2)), np.array([0, 1, 2, 3, 1, 0])
    u = {layer: l0.uniforms(rng, a.shape) for layer, a in l0.gates(params).items()}
    lambda_, decay = {"conv": 0.01, "fc": 0.03, "out": 0.02}, 0.05
    loss_fn = lambda p: (
        ops.softmax_cross_entropy(model(p, x, train=True, rng=u), labels) + l0.penalty(p, lambda_, decay)
    )
    loss, grads = value_and_grad(loss_fn, params)

    own = {name: torch.tensor(a, requires_grad=True) for name, a in params.items()}
    z, cost = {}, 0
    for layer, noise in u.items():
        a, v = own[f"{layer}.log_alpha"], torch.from_numpy(noise)
        z[layer] = torch.nn.functional.hardtanh(torch.sigmoid((torch.logit(v) + a) / (2 / 3)) * 1.2 - 0.1, 0, 1)
        p = 1 - torch.sigmoid(2 / 3 * math.log(0.1 / 1.1) - a)
        w = own[f"{layer}.weight"]
        cost = cost + (p * (lambda_[layer] * torch.ones_like(w) + 0.5 * decay * w**2)).sum()
    cost = cost + lambda_["conv"] * (1 - torch.sigmoid(2 / 3 * math.log(0.1 / 1.1) - own["conv.log_alpha"])).sum()
    h = torch.nn.functional.conv2d(
        torch.from_numpy(x).permute(0, 3, 1, 2), own["conv.weight"].permute(3, 2, 0, 1), own["conv.bias"], padding=1
    )
    h = torch.relu(h * z["conv"][:, None, None]).permute(0, 2, 3, 1).reshape(6, 48)
    h = (h * z["fc"].T) @ own["fc.weight"] + own["fc.bias"]
    h = h @ (own["out.weight"] * z["out"]) + own["out.bias"]
    total = torch.nn.functional.cross_entropy(h, torch.from_numpy(labels)) + cost
    total.backward()
    assert float(loss) == pytest.approx(total.item(), rel=1e-12)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, own[name].grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)
        assert abs(grad).max() > 1e-4


@pytest.mark.parametrize("shape", [(), (3,), (2,), (1, 3), (2, 3)])
def test_gates_of_another_shape_than_their_log_alpha_are_refused(shape):
    params = {"fc.weight": np.ones((2, 3)), "fc.log_alpha": np.zeros((2, 1))}
    with pytest.raises(ValueError, match=r"its gate has shape \(.*\), log α of 'fc' has \(2, 1\)"):
        l0.switched(params, {"fc": np.ones(shape)})
