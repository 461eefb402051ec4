"""Layers: what they initialise, compute, cost and refuse."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import slow_conv
import slow_ops as slow
from arrays import back, give, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import conv, models, nn, ops
from minisparse.autograd import Tensor, gradcheck, value_and_grad
from minisparse.methods import l0
from minisparse.nn import Site
from minisparse.nn.normalize import batch_norm


def rng(seed=0):
    return np.random.default_rng(seed)


def uniform(xp, *shape, seed=1, dtype=float):
    return give(xp, rng(seed).random(shape).astype(dtype))


def test_a_linear_layer_starts_with_he_normal_weights_and_zero_biases():
    made = nn.Linear(200, 100).init(rng())
    assert list(made) == ["weight", "bias"]
    assert (made["weight"].shape, made["bias"].shape) == ((200, 100), (100,))
    assert made["weight"].std() == pytest.approx(math.sqrt(2 / 200), rel=0.03)
    assert made["weight"].mean() == pytest.approx(0, abs=0.003)
    assert not made["bias"].any()


def test_glorot_uniform_fills_its_interval():
    bound = math.sqrt(6 / (200 + 100))
    weight = nn.Linear(200, 100, nn.glorot_uniform).init(rng())["weight"]
    assert 0.99 * bound < weight.max() <= bound
    assert -bound <= weight.min() < -0.99 * bound


def test_fan_in_counts_a_kernels_area():
    assert nn.he_normal(rng(), (3, 3, 20, 50)).std() == pytest.approx(math.sqrt(2 / 180), rel=0.05)
    assert nn.glorot_uniform(rng(), (3, 3, 20, 50)).max() == pytest.approx(math.sqrt(6 / (9 * 70)), rel=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_chain_names_its_parameters_after_its_layers(dtype):
    params = nn.mlp(6, 5, 4, 3).init(rng(), dtype)
    assert {name: array.shape for name, array in params.items()} == {
        "fc1.weight": (6, 5),
        "fc1.bias": (5,),
        "fc2.weight": (5, 4),
        "fc2.bias": (4,),
        "fc3.weight": (4, 3),
        "fc3.bias": (3,),
    }
    assert list(params) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias"]
    assert {array.dtype for array in params.values()} == {np.dtype(dtype)}


def test_parameters_are_float32_unless_told_otherwise():
    assert {array.dtype for array in nn.mlp(4, 3, 2).init(rng()).values()} == {np.dtype(np.float32)}


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    one, same, other = (nn.mlp(6, 5, 4).init(rng(seed)) for seed in (7, 7, 8))
    assert all(one[name].tobytes() == same[name].tobytes() for name in one)
    assert not (one["fc1.weight"] == other["fc1.weight"]).any()


def test_two_layers_of_one_shape_start_differently():
    params = nn.mlp(5, 5, 5).init(rng())
    assert not (params["fc1.weight"] == params["fc2.weight"]).any()


def test_adding_or_reordering_layers_changes_nobody_elses_weights():
    a, b, extra = nn.Linear(6, 5), nn.Linear(5, 4), nn.Linear(9, 9)
    plain = nn.Chain({"a": a, "b": b}).init(rng())
    for layers in ({"b": b, "a": a}, {"extra": extra, "a": a, "b": b}, {"a": a, "relu": nn.Relu(), "b": b}):
        other = nn.Chain(layers).init(rng())
        assert all(other[name].tobytes() == plain[name].tobytes() for name in plain)


def test_init_draws_the_same_amount_from_its_generator_whatever_the_layers():
    after = []
    for model in (nn.mlp(2, 2), nn.mlp(50, 40, 30)):
        generator = rng()
        model.init(generator)
        after.append(generator.random())
    assert after[0] == after[1]


def test_init_refuses_a_seed_in_place_of_a_generator():
    with pytest.raises(TypeError, match="Generator"):
        nn.mlp(3, 2).init(0)


@settings(max_examples=examples(50))
@given(widths=st.lists(st.integers(1, 5), min_size=2, max_size=4), n=st.integers(1, 4), seed=st.integers(0, 99))
def test_an_mlp_computes_what_its_naive_twin_does(xp, widths, n, seed):
    params = {name: rng(seed).standard_normal(a.shape) for name, a in nn.mlp(*widths).init(rng(seed)).items()}
    x = want = rng(seed + 1).standard_normal((n, widths[0]))
    for i in range(1, len(widths)):
        want = slow.linear(want, params[f"fc{i}.weight"], params[f"fc{i}.bias"])
        if i < len(widths) - 1:
            want = slow.clip(want, 0.0, math.inf)
    out = nn.mlp(*widths)(give_all(xp, params), give(xp, x))
    assert isinstance(out, Tensor)
    np.testing.assert_allclose(back(out.value), want, rtol=1e-12, atol=1e-12)


def test_a_model_takes_tensors_too_and_keeps_float32(xp):
    model = nn.mlp(4, 3, 2)
    params, x = give_all(xp, model.init(rng())), uniform(xp, 5, 4, dtype=np.float32)
    plain = model(params, x)
    taped = model({name: Tensor(w) for name, w in params.items()}, Tensor(x))
    assert plain.dtype == taped.dtype == np.float32
    assert back(plain.value).tobytes() == back(taped.value).tobytes()


def test_a_network_and_its_loss_have_the_gradient_of_their_central_difference(xp):
    model = nn.Chain({"flat": nn.Flatten(), "fc": nn.Linear(6, 4), "drop": nn.Dropout(0.5), "out": nn.Linear(4, 3)})
    params = model.init(rng(), np.float64)
    noise = {"drop": uniform(xp, 5, 4)}
    labels = give(xp, np.array([0, 1, 2, 1, 0]))

    def loss(x, *weights):
        named = dict(zip(params, weights, strict=True))
        return ops.softmax_cross_entropy(ops.tanh(model(named, x, train=True, rng=noise)), labels)

    assert gradcheck(loss, uniform(xp, 5, 2, 3), *give_all(xp, params).values()) < 1e-6


def test_flatten_runs_in_c_order(xp):
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    out = nn.Flatten()({}, give(xp, x))
    np.testing.assert_array_equal(back(out.value), slow.reshape(x, (2, 12)))


def test_relu_layer(xp):
    assert nn.Relu()({}, give(xp, np.array([[-1.0, 0.0, 2.0]]))).value.tolist() == [[0, 0, 2]]


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 0.9])
def test_dropout_follows_the_noise_it_is_given(xp, rate):
    x, noise = rng().standard_normal((6, 5)), rng(1).random((6, 5))
    noise[0, 0] = rate
    out = nn.Dropout(rate)({}, give(xp, x), train=True, rng=give(xp, noise))
    np.testing.assert_allclose(back(out.value), slow.dropout(x, noise, rate), rtol=1e-12)


def test_dropout_sends_gradients_where_values_went(xp):
    noise = give(xp, np.array([0.1, 0.6, 0.5, 0.4]))
    loss_fn = lambda p: ops.sum(nn.Dropout(0.5)({}, p["x"], train=True, rng=noise))
    grads = value_and_grad(loss_fn, {"x": give(xp, np.ones(4))})[1]
    assert grads["x"].tolist() == [0, 2, 2, 0]


def test_dropout_draws_the_generators_next_uniform_numbers(xp):
    x = np.ones((20, 5))
    out = nn.Dropout(0.3)({}, give(xp, x), train=True, rng=rng(5))
    np.testing.assert_allclose(back(out.value), slow.dropout(x, rng(5).random((20, 5)), 0.3), rtol=1e-12)


def test_dropout_keeps_the_mean_and_zeroes_its_rate(xp):
    out = back(nn.Dropout(0.3)({}, give(xp, np.ones(40_000)), train=True, rng=rng()).value)
    assert out.mean() == pytest.approx(1, abs=0.015)
    assert (out == 0).mean() == pytest.approx(0.3, abs=0.01)


def test_dropout_is_the_identity_at_inference_and_at_rate_zero(xp):
    x = uniform(xp, 3, 4, dtype=np.float32)
    for out in (
        nn.Dropout(0.5)({}, x),
        nn.Dropout(0.5)({}, x, rng=rng()),
        nn.Dropout(0.0)({}, x, train=True, rng=rng()),
    ):
        assert isinstance(out, Tensor)
        assert back(out.value).tobytes() == back(x).tobytes()


@pytest.mark.parametrize("noise", [np.full((3, 4), 0.7), rng()], ids=["array", "generator"])
@pytest.mark.parametrize("rate", [0.5, np.float64(0.5)], ids=["python", "numpy"])
def test_dropout_keeps_float32(xp, noise, rate):
    noise = give(xp, noise) if isinstance(noise, np.ndarray) else noise
    assert nn.Dropout(rate)({}, uniform(xp, 3, 4, dtype=np.float32), train=True, rng=noise).dtype == np.float32


def test_dropout_in_training_needs_noise_of_the_shape_of_its_input(xp):
    with pytest.raises(ValueError, match="rng is None"):
        nn.Dropout(0.5)({}, uniform(xp, 3, 4), train=True)
    with pytest.raises(ValueError, match=r"rng has shape \(4, 3\), x has \(3, 4\)"):
        nn.Dropout(0.5)({}, uniform(xp, 3, 4), train=True, rng=uniform(xp, 4, 3))


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0, math.nan])
def test_dropout_rates_outside_0_to_1_are_refused(rate):
    with pytest.raises(ValueError, match="rate is"):
        nn.Dropout(rate)


def test_a_chain_hands_each_layer_its_own_noise(xp):
    model = nn.Chain({"one": nn.Dropout(0.5), "two": nn.Dropout(0.5)})
    x = give(xp, np.ones((1, 4)))
    noise = {"one": give(xp, np.array([[0.1, 0.6, 0.1, 0.6]])), "two": give(xp, np.array([[0.1, 0.1, 0.6, 0.6]]))}
    assert model({}, x, train=True, rng=noise).value.tolist() == [[0, 0, 0, 4]]
    generator = rng(3)
    first, second = generator.random((1, 4)), generator.random((1, 4))
    out = model({}, x, train=True, rng=rng(3))
    np.testing.assert_array_equal(back(out.value), 4.0 * ((first >= 0.5) & (second >= 0.5)))


def test_chains_nest(xp):
    block = nn.Chain({"fc": nn.Linear(4, 4), "relu": nn.Relu()})
    model = nn.Chain({"block": block, "out": nn.Linear(4, 2)})
    params = give_all(xp, model.init(rng(), np.float64))
    assert list(params) == ["block.fc.weight", "block.fc.bias", "out.weight", "out.bias"]
    assert model.cost((4,)) == ({"block.fc.weight": 16, "out.weight": 8}, (2,))
    x = uniform(xp, 3, 4)
    hidden = block({"fc.weight": params["block.fc.weight"], "fc.bias": params["block.fc.bias"]}, x)
    want = ops.matmul(hidden, params["out.weight"])
    np.testing.assert_allclose(back(model(params, x).value), back(want.value), rtol=1e-12)


def test_layers_whose_names_begin_alike_keep_apart(xp):
    model = nn.Chain({f"fc{i}": nn.Linear(1, 1) for i in (1, 10)})
    params = {"fc1.weight": [[2.0]], "fc1.bias": [1.0], "fc10.weight": [[3.0]], "fc10.bias": [0.0]}
    out = model({name: give(xp, np.array(v)) for name, v in params.items()}, give(xp, np.ones((1, 1))))
    assert out.value.tolist() == [[9.0]]


def test_costs_are_multiply_adds_per_example():
    assert nn.Linear(784, 300).cost((784,)) == ({"weight": 235_200}, (300,))
    assert nn.Relu().cost((3, 3, 8)) == ({}, (3, 3, 8))
    assert nn.Dropout(0.5).cost((7,)) == ({}, (7,))
    assert nn.Flatten().cost((3, 3, 8)) == ({}, (72,))
    model = nn.Chain({"flat": nn.Flatten(), **nn.mlp(784, 300, 100, 10).layers})
    costs, shape = model.cost((28, 28, 1))
    assert costs == {"fc1.weight": 235_200, "fc2.weight": 30_000, "fc3.weight": 1_000}
    assert shape == (10,)


def test_a_linear_layer_refuses_examples_of_another_shape(xp):
    layer = nn.Linear(4, 2)
    params = give_all(xp, layer.init(rng(), np.float64))
    for shape in [(3, 5), (3, 2, 2), (3,)]:
        with pytest.raises(ValueError, match=r"Linear\(4, 2\)"):
            layer(params, uniform(xp, *shape))
    with pytest.raises(ValueError, match=r"Linear\(4, 2\)"):
        layer.cost((28, 28))


def test_mlp_names_its_layers_and_ends_without_a_relu():
    model = nn.mlp(784, 300, 100, 10)
    assert list(model.layers) == ["fc1", "relu1", "fc2", "relu2", "fc3"]
    assert model.layers["fc2"] == nn.Linear(300, 100)
    assert nn.mlp(3, 2, initial=nn.glorot_uniform).layers["fc1"].initial is nn.glorot_uniform


@pytest.mark.parametrize("widths", [(), (784,)])
def test_mlp_needs_two_widths(widths):
    with pytest.raises(ValueError, match="widths"):
        nn.mlp(*widths)


@pytest.mark.parametrize(
    ("layer", "field"),
    [
        (nn.Linear(2, 3), "n_in"),
        (nn.Dropout(0.5), "rate"),
        (nn.mlp(3, 2), "layers"),
        (nn.Relu(), "slope"),
        (nn.Flatten(), "x"),
        (nn.BatchNorm(3), "eps"),
        (nn.DepthwiseConv2d(3, 3), "bias"),
        (nn.Residual(nn.mlp(3, 3)), "shortcut"),
        (nn.GatedLinear(2, 3), "drop_rate"),
        (nn.GatedConv2d(2, 3, 1), "drop_rate"),
    ],
)
def test_layers_are_frozen(layer, field):
    with pytest.raises(FrozenInstanceError):
        setattr(layer, field, 1)


@pytest.mark.parametrize("name", ["block.1", ""])
def test_a_layer_name_with_a_dot_or_without_a_letter_is_refused(name):
    with pytest.raises(ValueError, match=r"layers are named .*; expected names without a dot"):
        nn.Chain({name: nn.Relu()})


@pytest.mark.parametrize(
    ("layer", "weights", "cost", "out"),
    [
        (nn.Conv2d(4, 6, 3), (3, 3, 4, 6), 5 * 4 * 9 * 4 * 6, (5, 4, 6)),
        (nn.Conv2d(4, 6, 3, stride=2, padding="same"), (3, 3, 4, 6), 4 * 3 * 9 * 4 * 6, (4, 3, 6)),
        (nn.Conv2d(4, 6, 2, padding=1, groups=2), (2, 2, 2, 6), 8 * 7 * 4 * 2 * 6, (8, 7, 6)),
        (nn.Conv2d(4, 6, 1, bias=False), (1, 1, 4, 6), 7 * 6 * 4 * 6, (7, 6, 6)),
        (nn.MaxPool2d(2), None, None, (3, 3, 4)),
        (nn.DepthwiseConv2d(4, 3), (3, 3, 4, 1), 5 * 4 * 9 * 4, (5, 4, 4)),
        (nn.DepthwiseConv2d(4, 3, stride=2, padding=1, bias=False), (3, 3, 4, 1), 4 * 3 * 9 * 4, (4, 3, 4)),
        (nn.MaxPool2d(3, stride=1), None, None, (5, 4, 4)),
        (nn.MaxPool2d(3, stride=2, padding="same"), None, None, (4, 3, 4)),
        (nn.MaxPool2d(2, padding=1), None, None, (4, 4, 4)),
        (nn.AvgPool2d(2), None, None, (3, 3, 4)),
        (nn.GlobalAvgPool(), None, None, (4,)),
    ],
    ids=repr,
)
def test_image_layers_become_what_their_cost_says(xp, layer, weights, cost, out):
    params = layer.init(np.random.default_rng(0), np.float64)
    assert layer.cost((7, 6, 4)) == ({"weight": cost} if cost else {}, out)
    assert params["weight"].shape == weights if weights else params == {}
    y = layer(give_all(xp, params), give(xp, np.ones((2, 7, 6, 4))))
    assert y.shape == (2, *out)


def test_a_convolution_adds_its_bias_to_every_pixel(xp):
    layer = nn.Conv2d(1, 2, 1)
    params = give_all(xp, {"weight": np.zeros((1, 1, 1, 2)), "bias": np.array([1.0, 2.0])})
    assert back(layer(params, give(xp, np.ones((1, 2, 2, 1)))).value).tolist() == [[[[1, 2]] * 2] * 2]


def test_a_convolution_refuses_other_channels(xp):
    with pytest.raises(ValueError, match=r"got examples of shape \(7, 6, 3\); expected \(H, W, 4\)"):
        nn.Conv2d(4, 6, 3)({}, give(xp, np.ones((2, 7, 6, 3))))


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 6, 3), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.GlobalAvgPool()], ids=repr)
def test_image_layers_refuse_what_is_no_image(layer):
    with pytest.raises(ValueError, match=r"got examples of shape \(784,\); expected \(H, W, [4C]\)"):
        layer.cost((784,))


def numbers(xp, *shape, seed=1, dtype=float):
    return give(xp, rng(seed).standard_normal(shape).astype(dtype))


def drawn(model, seed=0, dtype=float):
    """Parameters none of which is the same as another, as after some training."""
    return {name: rng([seed, i]).standard_normal(s).astype(dtype) for i, (name, s) in enumerate(model.shapes().items())}


def normalised(x, scale, shift, eps=1e-5):
    """x by its own statistics, and the statistics."""
    rows = x.reshape(-1, x.shape[-1])
    mean = rows.sum(axis=0) / len(rows)
    var = ((rows - mean) ** 2).sum(axis=0) / len(rows)
    return (x - mean) / np.sqrt(var + eps) * scale + shift, mean, var


def test_batch_norm_starts_as_plain_normalisation_in_names_that_decay_leaves_alone():
    made = nn.BatchNorm(3).init(rng())
    assert {name: array.tolist() for name, array in made.items()} == {"scale": [1, 1, 1], "shift": [0, 0, 0]}
    assert {array.dtype for array in made.values()} == {np.dtype(np.float32)}
    assert not any(name.endswith("weight") for name in made)


@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 5, 4)])
def test_batch_norm_in_training_uses_the_batchs_own_statistics_whatever_stats_it_is_given(xp, shape):
    layer = nn.BatchNorm(4, eps=1e-3)
    params, x = drawn(layer), rng(1).standard_normal(shape)
    want = slow_conv.batch_norm(x, params["scale"], params["shift"], 1e-3)
    others = {"mean": give(xp, np.full(4, 9.0)), "var": give(xp, np.full(4, 9.0))}
    for stats in (None, others):
        out = layer(give_all(xp, params), give(xp, x), train=True, stats=stats)
        np.testing.assert_allclose(back(out.value), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("model", [nn.BatchNorm(3), nn.Chain({"bn": nn.BatchNorm(3)})], ids=["bare", "in a chain"])
def test_batch_norm_at_inference_needs_stats_and_says_where_they_come_from(xp, model):
    params = give_all(xp, model.init(rng(), float))
    with pytest.raises(ValueError, match=r"stats is None; BatchNorm\(channels=3.* nn\.recalibrate\(model, params, bat"):
        model(params, uniform(xp, 5, 3))


def test_stats_without_a_batch_norms_own_are_not_enough(xp):
    model = nn.Chain({"bn1": nn.BatchNorm(2), "bn2": nn.BatchNorm(2)})
    params = give_all(xp, model.init(rng(), float))
    stats = {name: give(xp, np.ones(2)) for name in ("bn1.mean", "bn1.var")}
    with pytest.raises(ValueError, match="stats is None"):
        model(params, uniform(xp, 5, 2), stats=stats)


def test_batch_norm_refuses_other_channels(xp):
    layer = nn.BatchNorm(4)
    params = give_all(xp, layer.init(rng(), float))
    says = r"BatchNorm\(channels=4.*\) got examples of shape .*; expected \(…, 4\)"
    for shape in [(2, 3), (2, 5, 4, 3), (4,)]:
        with pytest.raises(ValueError, match=says):
            layer(params, uniform(xp, *shape), train=True)


def test_batch_norm_at_inference_is_affine_per_channel(xp):
    layer = nn.BatchNorm(3, eps=0.01)
    params, stats = drawn(layer), {"mean": rng(2).standard_normal(3), "var": rng(3).random(3)}
    x = rng(4).standard_normal((2, 4, 5, 3))
    out = back(layer(give_all(xp, params), give(xp, x), stats=give_all(xp, stats)).value)
    for c in range(3):
        slope = params["scale"][c] / math.sqrt(stats["var"][c] + 0.01)
        offset = params["shift"][c] - stats["mean"][c] * slope
        np.testing.assert_allclose(out[..., c], slope * x[..., c] + offset, rtol=1e-12, atol=1e-12)


def test_batch_norm_at_inference_has_the_gradient_of_its_central_difference(xp):
    layer = nn.BatchNorm(3)
    stats = give_all(xp, {"mean": rng(2).standard_normal(3), "var": 0.1 + rng(3).random(3)})
    f = lambda x, scale, shift: layer({"scale": scale, "shift": shift}, x, stats=stats)
    assert gradcheck(f, numbers(xp, 4, 2, 2, 3), numbers(xp, 3, seed=2), numbers(xp, 3, seed=3)) < 1e-6


BLOCK = nn.Residual(
    nn.Chain({"conv1": nn.Conv2d(4, 6, 3, 2, 1, bias=False), "bn1": nn.BatchNorm(6), "relu1": nn.Relu(),
              "drop": nn.Dropout(0.5), "conv2": nn.Conv2d(6, 6, 3, padding="same", bias=False)}),
    nn.Chain({"conv": nn.Conv2d(4, 6, 1, 2, bias=False), "bn": nn.BatchNorm(6)}),
)  # fmt: skip
NORMED = nn.Chain({
    "conv": nn.Conv2d(2, 4, 3), "bn": nn.BatchNorm(4), "relu": nn.Relu(), "drop": nn.Dropout(0.3),
    "stage": nn.Chain({"block": BLOCK}), "plain": nn.Residual(nn.Chain({"bn": nn.BatchNorm(6)}), nn.BatchNorm(6)),
    "pool": nn.GlobalAvgPool(), "out_bn": nn.BatchNorm(6), "fc": nn.Linear(6, 3),
})  # fmt: skip
STATS = ["bn", "stage.block.bn1", "stage.block.shortcut.bn", "plain.bn", "plain.shortcut", "out_bn"]


def normed_batches(xp=np, sizes=(5, 1, 3), dtype=float):
    return [give(xp, 3 + rng([7, i]).standard_normal((n, 9, 7, 2)).astype(dtype)) for i, n in enumerate(sizes)]


def test_recalibration_names_the_statistics_of_nested_chains_and_residuals(xp):
    stats = nn.recalibrate(NORMED, give_all(xp, drawn(NORMED)), normed_batches(xp))
    assert sorted(stats) == sorted(f"{layer}.{own}" for layer in STATS for own in ("mean", "var"))
    assert {name: array.shape for name, array in stats.items() if name.startswith(("bn.", "plain.s"))} == {
        "bn.mean": (4,), "bn.var": (4,), "plain.shortcut.mean": (6,), "plain.shortcut.var": (6,),
    }  # fmt: skip


def test_recalibration_pools_exactly_over_batches_of_uneven_sizes(xp):
    model = nn.Chain({"fc1": nn.Linear(3, 4), "bn1": nn.BatchNorm(4), "relu": nn.Relu(), "drop": nn.Dropout(0.5),
                      "fc2": nn.Linear(4, 2), "bn2": nn.BatchNorm(2)})  # fmt: skip
    params = drawn(model)
    batches = [5 * i + rng(i).standard_normal((n, 3)) for i, n in enumerate((7, 2, 4, 1))]
    seen_1 = [x @ params["fc1.weight"] + params["fc1.bias"] for x in batches]
    hidden = [np.maximum(normalised(h, params["bn1.scale"], params["bn1.shift"])[0], 0) for h in seen_1]
    seen_2 = [h @ params["fc2.weight"] + params["fc2.bias"] for h in hidden]
    got = nn.recalibrate(model, give_all(xp, params), [give(xp, x) for x in batches])
    for name, seen in (("bn1", seen_1), ("bn2", seen_2)):
        _, mean, var = normalised(np.concatenate(seen), 1, 0)
        np.testing.assert_allclose(back(got[f"{name}.mean"]), mean, rtol=1e-12)
        np.testing.assert_allclose(back(got[f"{name}.var"]), var, rtol=1e-12)
    assert (back(got["bn1.var"]) > 2 * normalised(seen_1[0], 1, 0)[2]).all()  # most of it lies between the batches


@settings(max_examples=examples(50))
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5), pixels=st.integers(1, 3), seed=st.integers(0, 99))
def test_however_the_examples_are_split_the_first_layers_statistics_are_those_of_all(xp, sizes, pixels, seed):
    layer = nn.BatchNorm(2)
    x = 10 + rng(seed).standard_normal((sum(sizes), pixels, pixels, 2))
    batches = [give(xp, part) for part in np.split(x, np.cumsum(sizes)[:-1])]
    got = nn.recalibrate(layer, give_all(xp, layer.init(rng(), float)), batches)
    np.testing.assert_allclose(back(got["mean"]), x.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(back(got["var"]), x.var(axis=(0, 1, 2)), rtol=1e-9, atol=1e-12)


def test_a_shortcuts_statistics_are_those_of_what_the_shortcut_sees(xp):
    params, x = drawn(BLOCK), rng(5).standard_normal((3, 7, 5, 4))
    got = nn.recalibrate(BLOCK, give_all(xp, params), [give(xp, x)])
    around = slow_conv.conv2d(x, params["shortcut.conv.weight"], 2)
    inside = slow_conv.conv2d(x, params["conv1.weight"], 2, 1)
    for name, seen in (("shortcut.bn", around), ("bn1", inside)):
        np.testing.assert_allclose(back(got[f"{name}.mean"]), seen.mean(axis=(0, 1, 2)), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(back(got[f"{name}.var"]), seen.var(axis=(0, 1, 2)), rtol=1e-9)


def test_batches_may_be_bare_or_begin_with_inputs_or_come_from_a_generator(xp):
    params, batches = give_all(xp, drawn(NORMED)), normed_batches(xp)
    want = nn.recalibrate(NORMED, params, batches)
    labels = give(xp, np.zeros(1, int))
    for others in ([(x, labels) for x in batches], [[x, labels] for x in batches], (x for x in batches)):
        got = nn.recalibrate(NORMED, params, others)
        assert all(back(got[name]).tobytes() == back(want[name]).tobytes() for name in want)


def test_recalibration_keeps_nothing_and_writes_to_nothing(xp):
    params, batches = drawn(NORMED), normed_batches(xp)
    given_params = give_all(xp, params)
    one, two = (nn.recalibrate(NORMED, given_params, batches) for _ in range(2))
    assert all(back(one[name]).tobytes() == back(two[name]).tobytes() for name in one)
    assert list(given_params) == list(params)
    assert all(back(given_params[name]).tobytes() == params[name].tobytes() for name in params)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics_and_what_they_normalise_keep_the_parameters_dtype(xp, dtype):
    params, batches = give_all(xp, drawn(NORMED, dtype=dtype)), normed_batches(xp, dtype=dtype)
    stats = nn.recalibrate(NORMED, params, batches)
    assert {array.dtype for array in stats.values()} == {np.dtype(dtype)}
    assert NORMED(params, batches[0], stats=stats).dtype == dtype
    assert NORMED(params, batches[0], train=True, rng=rng()).dtype == dtype


def test_single_precision_statistics_are_pooled_in_double(xp):
    layer = nn.BatchNorm(2)
    x = (1000 + rng(1).standard_normal((600, 2))).astype(np.float32)
    got = nn.recalibrate(layer, give_all(xp, layer.init(rng())), [give(xp, part) for part in np.split(x, 60)])
    np.testing.assert_allclose(back(got["mean"]), x.astype(float).mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(back(got["var"]), x.astype(float).var(axis=0), rtol=1e-6)


def test_a_model_without_batch_norm_has_no_statistics(xp):
    model = nn.mlp(4, 3, 2)
    assert nn.recalibrate(model, give_all(xp, model.init(rng(), float)), [uniform(xp, 5, 4)]) == {}


@pytest.mark.parametrize("batches", [[], iter(())], ids=["list", "iterator"])
def test_recalibration_without_batches_is_refused(batches):
    layer = nn.BatchNorm(3)
    with pytest.raises(ValueError, match="batches is empty"):
        nn.recalibrate(layer, layer.init(rng()), batches)


def test_recalibration_refuses_a_batch_without_examples(xp):
    layer = nn.BatchNorm(3)
    batches = [(uniform(xp, n, 3), None) for n in (4, 0)]
    with pytest.raises(ValueError, match=r"a batch has inputs of shape \(0, 3\); expected at least one example"):
        nn.recalibrate(layer, give_all(xp, layer.init(rng())), batches)


def noise_that_drops_nothing(xp, n):
    """For the Dropouts of NORMED, on n examples."""
    kept = lambda *shape: give(xp, np.full((n, *shape), 0.9))
    return {"drop": kept(7, 5, 4), "stage": {"block": {"drop": kept(4, 3, 6)}}}


def test_at_inference_an_example_does_not_see_the_others_of_its_batch(xp):
    params, (x, *_) = give_all(xp, drawn(NORMED)), normed_batches(xp)
    stats = nn.recalibrate(NORMED, params, normed_batches(xp))
    whole = back(NORMED(params, x, stats=stats).value)
    for i in range(len(x)):
        np.testing.assert_allclose(back(NORMED(params, x[i : i + 1], stats=stats).value), whole[i : i + 1], rtol=1e-12)
    alone = back(NORMED(params, x[:1], train=True, rng=noise_that_drops_nothing(xp, 1)).value)
    together = back(NORMED(params, x, train=True, rng=noise_that_drops_nothing(xp, 5)).value)
    assert abs(alone - together[:1]).max() > 0.01


def test_with_one_batch_inference_gives_what_training_gave(xp):
    model = nn.Chain({name: layer for name, layer in NORMED.layers.items() if name not in ("drop", "stage", "plain")}
                     | {"out_bn": nn.BatchNorm(4), "fc": nn.Linear(4, 3)})  # fmt: skip
    params, (x, *_) = give_all(xp, drawn(model)), normed_batches(xp)
    stats = nn.recalibrate(model, params, [x])
    np.testing.assert_allclose(back(model(params, x, stats=stats).value), back(model(params, x, train=True).value),
                               rtol=1e-9)  # fmt: skip


def composed(params, x, noise):
    """BLOCK by hand, in training."""
    y = conv.conv2d(x, params["conv1.weight"], 2, 1)
    y = ops.relu(batch_norm(y, params["bn1.scale"], params["bn1.shift"], 1e-5))
    y = conv.conv2d(ops.mul(y, 2 * (noise >= 0.5).astype(float)), params["conv2.weight"], padding="same")
    around = conv.conv2d(x, params["shortcut.conv.weight"], 2)
    return ops.add(y, batch_norm(around, params["shortcut.bn.scale"], params["shortcut.bn.shift"], 1e-5))


def test_a_residual_and_its_gradients_are_those_of_its_parts_composed_by_hand(xp):
    params, noise = give_all(xp, drawn(BLOCK)), uniform(xp, 3, 4, 3, 6)
    params["x"] = numbers(xp, 3, 7, 5, 4)
    weights = numbers(xp, 3, 4, 3, 6, seed=9)
    own = lambda p: BLOCK(p, p["x"], train=True, rng={"drop": noise})
    np.testing.assert_allclose(back(own(params).value), back(composed(params, params["x"], noise).value), rtol=1e-12)
    _, got = value_and_grad(lambda p: ops.sum(own(p) * weights), params)
    _, want = value_and_grad(lambda p: ops.sum(composed(p, p["x"], noise) * weights), params)
    for name in params:
        np.testing.assert_allclose(back(got[name]), back(want[name]), rtol=1e-12, atol=1e-12)


def test_without_a_shortcut_the_input_itself_is_added_and_gets_both_gradients(xp):
    block = nn.Residual(nn.Chain({"fc": nn.Linear(3, 3)}))
    params, x, weights = drawn(block), rng(5).standard_normal((4, 3)), rng(6).standard_normal((4, 3))
    out = block(give_all(xp, params), give(xp, x))
    np.testing.assert_allclose(back(out.value), x + x @ params["fc.weight"] + params["fc.bias"], rtol=1e-12)
    loss_fn = lambda p: ops.sum(block(p, p["x"]) * give(xp, weights))
    _, grads = value_and_grad(loss_fn, give_all(xp, {**params, "x": x}))
    np.testing.assert_allclose(back(grads["x"]), weights + weights @ params["fc.weight"].T, rtol=1e-12)
    np.testing.assert_allclose(back(grads["fc.weight"]), x.T @ weights, rtol=1e-12)


def test_a_residuals_inference_uses_the_stats_of_body_and_shortcut(xp):
    params, x = drawn(BLOCK), rng(5).standard_normal((3, 7, 5, 4))
    stats = {f"{name}.{own}": 0.5 + rng([i, j]).random(6) for i, name in enumerate(("bn1", "shortcut.bn"))
             for j, own in enumerate(("mean", "var"))}  # fmt: skip

    def affine(y, name):
        slope = params[f"{name}.scale"] / np.sqrt(stats[f"{name}.var"] + 1e-5)
        return (y - stats[f"{name}.mean"]) * slope + params[f"{name}.shift"]

    y = np.maximum(affine(slow_conv.conv2d(x, params["conv1.weight"], 2, 1), "bn1"), 0)
    y = slow_conv.conv2d(y, params["conv2.weight"], 1, "same")
    want = y + affine(slow_conv.conv2d(x, params["shortcut.conv.weight"], 2), "shortcut.bn")
    out = BLOCK(give_all(xp, params), give(xp, x), stats=give_all(xp, stats))
    np.testing.assert_allclose(back(out.value), want, rtol=1e-12, atol=1e-12)


def test_a_residual_names_its_parameters_as_its_body_does_and_the_shortcuts_after_it():
    assert list(BLOCK.init(rng())) == [
        "conv1.weight", "bn1.scale", "bn1.shift", "conv2.weight",
        "shortcut.conv.weight", "shortcut.bn.scale", "shortcut.bn.shift",
    ]  # fmt: skip
    assert list(nn.Residual(nn.mlp(3, 3)).init(rng())) == ["fc1.weight", "fc1.bias"]
    assert "plain.shortcut.scale" in NORMED.shapes()


def test_a_shortcut_changes_nothing_of_the_bodys_first_weights():
    with_it, without = BLOCK.init(rng()), nn.Residual(BLOCK.body).init(rng())
    assert all(without[name].tobytes() == with_it[name].tobytes() for name in without)


def test_a_residual_refuses_ends_that_do_not_meet_when_described_and_when_called(xp):
    for shortcut, around in ((None, (6, 5, 4)), (nn.Conv2d(4, 6, 1, 2), (3, 3, 6)), (nn.GlobalAvgPool(), (4,))):
        block = nn.Residual(nn.Chain({"conv": nn.Conv2d(4, 6, 3, padding="same")}), shortcut)
        says = r"the body of a Residual gives \({}6, 5, 6\), its shortcut \({}{}\); they must be equal"
        ends = ", ".join(map(str, around)) + ("," if len(around) == 1 else "")
        for count in (block.sites, block.cost):
            with pytest.raises(ValueError, match=says.format("", "", ends)):
                count((6, 5, 4))
        with pytest.raises(ValueError, match=says.format("2, ", "2, ", ends.rstrip(","))):
            block(give_all(xp, drawn(block)), uniform(xp, 2, 6, 5, 4))


def test_what_would_only_broadcast_is_refused_too(xp):
    block = nn.Residual(nn.Chain({"fc": nn.Linear(3, 1)}))
    with pytest.raises(ValueError, match=r"gives \(2, 1\), its shortcut \(2, 3\)"):
        block(give_all(xp, drawn(block)), uniform(xp, 2, 3))


def test_a_body_with_a_layer_named_shortcut_is_refused():
    with pytest.raises(ValueError, match="body has a layer named 'shortcut'"):
        nn.Residual(nn.Chain({"shortcut": nn.Relu()}))
    assert nn.Residual(nn.Chain({"block": nn.Residual(nn.mlp(3, 3), nn.Linear(3, 3))})).shapes() == {
        "block.fc1.weight": (3, 3), "block.fc1.bias": (3,),
        "block.shortcut.weight": (3, 3), "block.shortcut.bias": (3,),
    }  # fmt: skip


def test_a_dict_of_noise_reaches_the_dropouts_of_bodies_and_shortcuts(xp):
    inner = nn.Residual(nn.Chain({"a": nn.Dropout(0.5)}), nn.Chain({"b": nn.Dropout(0.5)}))
    model = nn.Chain({"block": nn.Residual(nn.Chain({"inner": inner}), nn.Dropout(0.5))})
    kept = {name: np.array([[float(name in names) for names in ("ab", "bc", "c", "")]]) for name in "abc"}
    noise = {name: give(xp, np.where(on, 0.7, 0.2)) for name, on in kept.items()}
    rng_of = {"block": {"inner": {"a": noise["a"], "shortcut": {"b": noise["b"]}}, "shortcut": noise["c"]}}
    out = model({}, give(xp, np.ones((1, 4))), train=True, rng=rng_of)
    assert out.value.tolist() == [[4, 4, 2, 0]]
    with pytest.raises(ValueError, match="rng is None"):
        model({}, give(xp, np.ones((1, 4))), train=True, rng={"block": {"shortcut": noise["c"]}})


def test_a_generator_reaches_the_body_before_the_shortcut(xp):
    block = nn.Residual(nn.Chain({"a": nn.Dropout(0.5)}), nn.Dropout(0.5))
    draws = rng(3).random((2, 2, 8))
    out = block({}, give(xp, np.ones((2, 8))), train=True, rng=rng(3))
    np.testing.assert_array_equal(back(out.value), 2.0 * (draws >= 0.5).sum(axis=0))


def test_a_depthwise_layer_starts_with_the_variance_of_what_one_output_sees():
    made = nn.DepthwiseConv2d(400, 5).init(rng())
    assert {name: array.shape for name, array in made.items()} == {"weight": (5, 5, 400, 1), "bias": (400,)}
    assert made["weight"].std() == pytest.approx(math.sqrt(2 / 25), rel=0.03)
    assert made["weight"].mean() == pytest.approx(0, abs=0.01)
    assert not made["bias"].any()
    assert list(nn.DepthwiseConv2d(4, 3, bias=False).init(rng())) == ["weight"]


def test_a_depthwise_layer_convolves_each_channel_and_adds_its_bias(xp):
    layer = nn.DepthwiseConv2d(3, 3, 2, "same")
    params, x = drawn(layer), rng(1).standard_normal((2, 6, 5, 3))
    out = layer(give_all(xp, params), give(xp, x))
    want = slow_conv.depthwise_conv2d(x, params["weight"], 2, "same") + params["bias"]
    np.testing.assert_allclose(back(out.value), want, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match=r"got examples of shape \(6, 5, 4\); expected \(H, W, 3\)"):
        layer(give_all(xp, params), uniform(xp, 2, 6, 5, 4))


@pytest.mark.parametrize(
    ("layer", "shape", "site", "fan_in", "multiply_adds"),
    [
        (nn.Linear(6, 4), (6,), Site("weight", "linear", (6, 4), 4, (6,), 1, "valid"), 6, 24),
        (
            nn.Conv2d(6, 4, 3, stride=2, padding=1, groups=2, bias=False),
            (7, 8, 6),
            Site("weight", "conv", (3, 3, 3, 4), 4 * 4 * 4, (7, 8, 6), 2, 1),
            27,
            1728,
        ),
        (
            nn.Conv2d(2, 5, 3, padding="same"),
            (4, 3, 2),
            Site("weight", "conv", (3, 3, 2, 5), 4 * 3 * 5, (4, 3, 2), 1, "same"),
            18,
            1080,
        ),
        (
            nn.DepthwiseConv2d(6, 3, stride=2, padding=1),
            (7, 9, 6),
            Site("weight", "depthwise", (3, 3, 6, 1), 4 * 5 * 6, (7, 9, 6), 2, 1),
            9,
            1080,
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Site) else "",
)
def test_a_site_is_what_a_hand_would_write(layer, shape, site, fan_in, multiply_adds):
    (own,) = nn.sites(layer, shape)
    assert own == site
    assert (own.fan_in, own.multiply_adds) == (fan_in, multiply_adds)
    assert layer.cost(shape)[0] == {"weight": multiply_adds}


def test_sites_come_from_input_to_output_each_with_the_image_that_it_sees():
    found = nn.sites(NORMED, (9, 7, 2))
    assert [(site.name, site.in_shape, site.outputs) for site in found] == [
        ("conv.weight", (9, 7, 2), 7 * 5 * 4),
        ("stage.block.conv1.weight", (7, 5, 4), 4 * 3 * 6),
        ("stage.block.conv2.weight", (4, 3, 6), 4 * 3 * 6),
        ("stage.block.shortcut.conv.weight", (7, 5, 4), 4 * 3 * 6),
        ("fc.weight", (6,), 3),
    ]
    assert NORMED.sites((9, 7, 2))[1] == (3,)


LAYERS = [  # with an example that they take
    (nn.Linear(6, 4), (6,)),
    (nn.Conv2d(4, 6, 3), (7, 6, 4)),
    (nn.Conv2d(4, 6, 2, 2, "same", groups=2, bias=False), (7, 6, 4)),
    (nn.DepthwiseConv2d(4, 3, 2, 1), (7, 6, 4)),
    (nn.DepthwiseConv2d(4, 3, bias=False), (7, 6, 4)),
    (nn.BatchNorm(4), (7, 6, 4)),
    (nn.BatchNorm(4), (4,)),
    (nn.Relu(), (7, 6, 4)),
    (nn.Flatten(), (7, 6, 4)),
    (nn.Dropout(0.5), (7, 6, 4)),
    (nn.MaxPool2d(2), (7, 6, 4)),
    (nn.MaxPool2d(3, 2, "same"), (7, 6, 4)),
    (nn.MaxPool2d(3, 2, 1), (7, 6, 4)),
    (nn.AvgPool2d(2, 1), (7, 6, 4)),
    (nn.GlobalAvgPool(), (7, 6, 4)),
    (nn.mlp(6, 5, 4), (6,)),
    (nn.Residual(nn.mlp(6, 5, 6)), (6,)),
    (BLOCK, (7, 5, 4)),
    (NORMED, (9, 7, 2)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: type(value).__name__)
def test_a_layers_shapes_sites_and_costs_are_those_of_what_it_makes_and_computes(xp, layer, shape):
    params = layer.init(rng(), float)
    assert {name: array.shape for name, array in params.items()} == layer.shapes()
    assert list(params) == list(layer.shapes())
    own, becomes = layer.sites(shape)
    assert layer.cost(shape) == ({site.name: site.multiply_adds for site in own}, becomes)
    assert {site.name: site.kernel_shape for site in own} == {
        name: made for name, made in layer.shapes().items() if name.endswith("weight")
    }
    out = layer(give_all(xp, params), uniform(xp, 2, *shape), train=True, rng=rng())
    assert out.shape == (2, *becomes)


def test_every_kind_of_layer_is_among_these():
    kinds = {type(layer) for layer, _ in LAYERS}
    assert kinds == {kind for kind in nn.Layer.__subclasses__() if kind.__module__.startswith(nn.__name__)}


GATED = {  # (the layer, the same one without gates, the shape of its gates, of one example)
    "inputs": (nn.GatedLinear(5, 3, drop_rate=0.2), nn.Linear(5, 3), (5, 1), (5,)),
    "weights": (nn.GatedLinear(5, 3, drop_rate=0.2, per_weight=True), nn.Linear(5, 3), (5, 3), (5,)),
    "square": (nn.GatedLinear(4, 4), nn.Linear(4, 4), (4, 1), (4,)),
    "maps": (nn.GatedConv2d(2, 4, 3, 2, "same"), nn.Conv2d(2, 4, 3, 2, "same"), (4,), (5, 4, 2)),
    "maps, no bias": (
        nn.GatedConv2d(2, 4, 3, bias=False, drop_rate=0.9),
        nn.Conv2d(2, 4, 3, bias=False),
        (4,),
        (5, 4, 2),
    ),
    "maps in groups": (nn.GatedConv2d(4, 6, 2, groups=2), nn.Conv2d(4, 6, 2, groups=2), (6,), (3, 4, 4)),
}


def noise_of_the_test_gate(log_alpha):
    """u with (log-odds of u + log α) / β = log α: the sample that is the gate at test."""
    return 1 / (1 + np.exp((1 - 2 / 3) * log_alpha))


@pytest.mark.parametrize("name", GATED)
def test_a_gated_layer_starts_sits_and_costs_as_the_one_without_gates(name):
    layer, plain, gates, shape = GATED[name]
    made, without = layer.init(rng(4)), plain.init(rng(4))
    assert list(made) == [*without, "log_alpha"]
    assert all(made[own].tobytes() == array.tobytes() for own, array in without.items())
    assert (made["log_alpha"].shape, made["log_alpha"].dtype) == (gates, np.float32)
    start = math.log((1 - layer.drop_rate) / layer.drop_rate)
    assert 0 < abs(made["log_alpha"] - start).max() < 0.05
    assert layer.shapes() == {own: array.shape for own, array in made.items()}
    assert layer.sites(shape) == plain.sites(shape)
    assert layer.cost(shape) == plain.cost(shape)


@pytest.mark.parametrize("name", GATED)
def test_in_training_weights_and_output_biases_are_multiplied_by_a_sample_of_the_gates(xp, name):
    layer, plain, gates, shape = GATED[name]
    params, x = drawn(layer), rng(1).standard_normal((3, *shape))
    u = rng(2).uniform(0.1, 0.9, gates)
    z = np.clip(1.2 / (1 + np.exp(-1.5 * (np.log(u / (1 - u)) + params["log_alpha"]))) - 0.1, 0, 1)
    behind = {"weight": params["weight"] * z, "bias": params.get("bias", 0) * (z if len(gates) == 1 else 1)}
    want = plain(behind, x).value
    out = layer(give_all(xp, params), give(xp, x), train=True, rng=give(xp, u))
    np.testing.assert_allclose(back(out.value), want, rtol=1e-12, atol=1e-12)
    assert abs(want - plain(params, x).value).max() > 0.01


@pytest.mark.parametrize("name", GATED)
def test_training_with_the_test_gates_gives_what_inference_gives_bias_included(xp, name):
    layer, _, _, shape = GATED[name]
    params, x = drawn(layer), give(xp, rng(1).standard_normal((3, *shape)))
    u = give(xp, noise_of_the_test_gate(params["log_alpha"]))
    own = give_all(xp, params)
    np.testing.assert_allclose(
        back(layer(own, x, train=True, rng=u).value), back(layer(own, x).value), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("name", GATED)
def test_a_closed_gate_takes_away_all_that_it_switches_and_an_open_one_nothing(xp, name):
    layer, plain, gates, shape = GATED[name]
    params, x = drawn(layer), rng(1).standard_normal((3, *shape))
    on = rng(2).random(gates) < 0.5
    params["log_alpha"] = np.where(on, 5.0, -5.0)
    kept = {"weight": params["weight"] * on, "bias": params.get("bias", 0) * (on if len(gates) == 1 else 1)}
    out = layer(give_all(xp, params), give(xp, x))
    np.testing.assert_allclose(back(out.value), plain(kept, x).value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", GATED)
def test_a_gated_layer_has_the_gradient_of_its_central_difference(xp, name):
    layer, _, gates, shape = GATED[name]
    params, u = {**drawn(layer), "log_alpha": rng(3).uniform(-0.5, 0.5, gates)}, rng(2).uniform(0.4, 0.6, gates)
    loss = lambda x, *own: ops.tanh(layer(dict(zip(params, own, strict=True)), x, train=True, rng=give(xp, u)))
    assert gradcheck(loss, numbers(xp, 3, *shape), *give_all(xp, params).values()) < 1e-6


@pytest.mark.parametrize("name", GATED)
@pytest.mark.parametrize("noise", ["array", "generator"])
def test_a_gated_layer_keeps_float32(xp, name, noise):
    layer, _, gates, shape = GATED[name]
    params, x = give_all(xp, drawn(layer, dtype=np.float32)), numbers(xp, 3, *shape, dtype=np.float32)
    u = rng() if noise == "generator" else give(xp, rng().random(gates))
    assert layer(params, x).dtype == layer(params, x, train=True, rng=u).dtype == np.float32


def test_gates_follow_the_generators_next_uniform_numbers(xp):
    layer, _, gates, shape = GATED["inputs"]
    params, x = give_all(xp, drawn(layer)), numbers(xp, 3, *shape)
    one = layer(params, x, train=True, rng=rng(5))
    same = layer(params, x, train=True, rng=give(xp, rng(5).random(gates)))
    assert back(one.value).tobytes() == back(same.value).tobytes()
    assert back(one.value).tobytes() != back(layer(params, x, train=True, rng=rng(6)).value).tobytes()


def test_gates_in_training_need_noise_of_their_shape(xp):
    layer, _, _, shape = GATED["inputs"]
    params, x = give_all(xp, drawn(layer)), numbers(xp, 3, *shape)
    with pytest.raises(ValueError, match=r"rng is None; GatedLinear\(n_in=5, n_out=3, drop_rate=0\.2"):
        layer(params, x, train=True)
    with pytest.raises(ValueError, match=r"rng has shape \(5,\), log_alpha has \(5, 1\)"):
        layer(params, x, train=True, rng=uniform(xp, 5))


@pytest.mark.parametrize("drop_rate", [0.0, 1.0, -0.1, math.nan])
def test_gates_that_start_outside_0_to_1_are_refused_when_described(drop_rate):
    for describe in (
        lambda: nn.GatedLinear(3, 2, drop_rate=drop_rate),
        lambda: nn.GatedConv2d(3, 2, 1, drop_rate=drop_rate),
    ):
        with pytest.raises(ValueError, match=rf"drop_rate is {drop_rate}; expected a rate inside \(0, 1\)"):
            describe()


def test_a_gated_layer_names_itself_when_it_refuses_examples(xp):
    layer = nn.GatedLinear(4, 2)
    params, x = give_all(xp, drawn(layer)), numbers(xp, 3, 5)
    with pytest.raises(ValueError, match=r"GatedLinear\(4, 2\) got examples of shape \(5,\)"):
        layer(params, x)


def test_gates_are_put_on_the_layers_that_are_named_and_on_no_others():
    model = nn.gated(models.lenet_5(), {"conv2": 0.3, "fc1": 0.5})
    plain = models.lenet_5()
    assert model.layers == {
        **plain.layers,
        "conv2": nn.GatedConv2d(20, 50, 5, drop_rate=0.3),
        "fc1": nn.GatedLinear(800, 500, drop_rate=0.5),
    }
    assert list(model.layers) == list(plain.layers)
    without, within = plain.init(rng(3)), model.init(rng(3))
    assert all(within[name].tobytes() == array.tobytes() for name, array in without.items())


def test_gates_reach_layers_inside_others():
    wide = models.wide_resnet(10, 1)
    model = nn.gated(wide, {"group1_1.conv1": 0.3, "group2_1.block.conv1": 0.3, "group2_1.block.shortcut": 0.4})
    new = {name: shape for name, shape in model.shapes().items() if name not in wide.shapes()}
    assert new == {
        "group1_1.conv1.log_alpha": (16,),
        "group2_1.block.conv1.log_alpha": (32,),
        "group2_1.block.shortcut.log_alpha": (32,),
    }
    assert nn.ungated(model, {})[0] == wide
    x, params = rng().standard_normal((2, 8, 8, 3)), model.init(rng(), float)
    assert model(params, x, train=True, rng=rng()).shape == (2, 10)


@pytest.mark.parametrize("name", ["fc4", "relu1", "fc1.weight", "conv1"])
def test_gates_on_what_is_no_layer_with_weights_are_refused(name):
    with pytest.raises(
        ValueError, match=rf"drop_rates names \['{name}'\], which are not Linear or Conv2d layers of the model"
    ):
        nn.gated(models.lenet_300_100(), {"fc1": 0.5, name: 0.5})


@pytest.mark.parametrize("describe", [models.l0_lenet_300_100, models.l0_lenet_5])
def test_the_network_without_gates_computes_what_the_gated_one_does_at_inference(xp, describe):
    model = describe()
    params = model.init(rng(), float)
    for name in filter(l0.is_gate, params):
        params[name] = rng([2, len(name)]).normal(0, 3, params[name].shape)
        params[name.replace("log_alpha", "bias")] = rng(3).standard_normal(
            params[name.replace("log_alpha", "bias")].shape
        )
    params = give_all(xp, params)
    x = uniform(xp, 3, *((784,) if "fc3.weight" in params else (28, 28, 1)))
    plain, own = nn.ungated(model, params)
    assert plain == {models.l0_lenet_300_100: models.lenet_300_100, models.l0_lenet_5: models.lenet_5}[describe]()
    assert {name: array.shape for name, array in own.items()} == plain.shapes()
    np.testing.assert_allclose(back(plain(own, x).value), back(model(params, x).value), rtol=1e-9, atol=1e-9)
    assert any(not bool(mask.all()) for mask in l0.masks(params).values())


def test_the_authors_drop_rates():
    rates = lambda model: {n: layer.drop_rate for n, layer in model.layers.items() if hasattr(layer, "drop_rate")}
    assert rates(models.l0_lenet_300_100()) == {"fc1": 0.2, "fc2": 0.5, "fc3": 0.5}
    assert rates(models.l0_lenet_5()) == {"conv1": 0.5, "conv2": 0.5, "fc1": 0.5, "fc2": 0.5}


BRANCHES = nn.Residual(
    nn.Chain(
        {"a": nn.Conv2d(4, 6, 3, padding=1, bias=False), "bn": nn.BatchNorm(6), "b": nn.DepthwiseConv2d(6, 3, 1, 1)}
    ),
    nn.Chain({"a": nn.Conv2d(4, 6, 1)}),
)
NETWORK = nn.Chain({"conv": nn.GatedConv2d(2, 4, 3), "block": BRANCHES, "flat": nn.Flatten(),
                    "fc1": nn.GatedLinear(6 * 3 * 3, 5), "fc2": nn.Linear(5, 3)})  # fmt: skip
CALLED = [(nn.Linear(4, 3), (2, 4)), (nn.GatedLinear(4, 3), (2, 4)), (nn.GatedConv2d(2, 4, 3), (2, 5, 5, 2)),
          (nn.DepthwiseConv2d(2, 3), (2, 5, 5, 2)), (nn.BatchNorm(4), (2, 4)), (BRANCHES, (2, 5, 5, 4)),
          (NETWORK, (2, 5, 5, 2))]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape"), CALLED, ids=[type(layer).__name__ for layer, _ in CALLED])
def test_a_parameter_that_is_missing_or_of_another_shape_is_refused_by_its_whole_name(layer, shape):
    params = layer.init(rng(), np.float64)
    call = lambda own: layer(own, rng(1).standard_normal(shape), train=True, rng=rng(2))
    call(params)
    for name, array in params.items():
        others = {other: a for other, a in params.items() if other != name}
        with pytest.raises(ValueError) as refused:  # noqa: PT011 - all of what it says
            call(others)
        assert str(refused.value) == f"params has no {name!r}; the parameters are {list(others)}"
        for wrong in {(1,) * array.ndim, array.shape[::-1], (), (2, *array.shape)} - {array.shape}:
            with pytest.raises(ValueError) as refused:  # noqa: PT011
                call(params | {name: np.ones(wrong)})
            assert str(refused.value) == f"{name!r} has shape {wrong}, the model's has {array.shape}"
