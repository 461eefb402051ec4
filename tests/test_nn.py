"""Layers: what they initialise, compute, cost and refuse."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import slow_ops as slow
from arrays import back, give, give_all
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import nn, ops
from minisparse.autograd import Tensor, gradcheck, value_and_grad


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


@settings(max_examples=50)
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
    ],
)
def test_layers_are_frozen(layer, field):
    with pytest.raises(FrozenInstanceError):
        setattr(layer, field, 1)


@pytest.mark.parametrize("name", ["block.1", ""])
def test_a_layer_name_with_a_dot_or_without_a_letter_is_refused(name):
    with pytest.raises(ValueError, match=r"layers are named .*; accepted are names without a dot"):
        nn.Chain({name: nn.Relu()})


@pytest.mark.parametrize(
    ("layer", "weights", "cost", "out"),
    [
        (nn.Conv2d(4, 6, 3), (3, 3, 4, 6), 5 * 4 * 9 * 4 * 6, (5, 4, 6)),
        (nn.Conv2d(4, 6, 3, stride=2, padding="same"), (3, 3, 4, 6), 4 * 3 * 9 * 4 * 6, (4, 3, 6)),
        (nn.Conv2d(4, 6, 2, padding=1, groups=2), (2, 2, 2, 6), 8 * 7 * 4 * 2 * 6, (8, 7, 6)),
        (nn.Conv2d(4, 6, 1, bias=False), (1, 1, 4, 6), 7 * 6 * 4 * 6, (7, 6, 6)),
        (nn.MaxPool2d(2), None, None, (3, 3, 4)),
        (nn.MaxPool2d(3, stride=1), None, None, (5, 4, 4)),
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
    with pytest.raises(ValueError, match=r"got examples of shape \(7, 6, 3\); accepted are \(H, W, 4\)"):
        nn.Conv2d(4, 6, 3)({}, give(xp, np.ones((2, 7, 6, 3))))


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 6, 3), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.GlobalAvgPool()], ids=repr)
def test_image_layers_refuse_what_is_no_image(layer):
    with pytest.raises(ValueError, match=r"got examples of shape \(784,\); accepted are \(H, W, [4C]\)"):
        layer.cost((784,))
