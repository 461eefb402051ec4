"""Runs of layers in one pass give what the layers give one by one, and only where that is certain."""

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import models, nn, ops, recipes, threads
from minisparse.autograd import Tensor, backward, constant, tape, value_and_grad
from minisparse.masks import project, random_masks
from minisparse.nn.passes import batch_norm_relu
from minisparse.optim import sgd
from minisparse.sparse import random_positions
from minisparse.train import train

BN_RELU, BN_RELU_CONV, CONV_POOL_RELU = "batch_norm_relu", "batch_norm_relu_conv2d", "conv2d_max_pool2d_relu"
LINEAR_RELU = "linear_relu"
FUSED = {BN_RELU, BN_RELU_CONV, CONV_POOL_RELU, LINEAR_RELU}


def made(model, seed=0, dtype=np.float64, usual=False):
    """Parameters of which none keeps the value that makes batch norm or a bias invisible.

    usual: batch norm has scales above 0, as it nearly always has.
    """
    rng = np.random.default_rng(seed)
    params = {name: rng.standard_normal(shape).astype(dtype) for name, shape in model.shapes().items()}
    return {name: abs(array) + 0.3 if usual and name.endswith("scale") else array for name, array in params.items()}


def images(*shape, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def ways_back(model, params, x):
    """(outputs, gradients of all parameters and of x) of a loss that weighs every output differently.

    A pass that writes into what it was given raises here, or, since compiled loops leave read-only arrays alone, fails.
    """
    for array in params.values():
        array.flags.writeable = False
    before = x.tobytes()
    weights = np.random.default_rng(2).standard_normal(model(params, x, train=True).shape)
    kept = []

    def loss(p):
        kept.append(model({name: p[name] for name in params}, p["x"], train=True))
        return ops.sum(ops.mul(kept[0], weights))

    grads = value_and_grad(loss, {**params, "x": x})[1]
    assert x.tobytes() == before
    return kept[0], grads


def lines(model, params, x, **options):
    """The fused lines on the tape."""
    with_grad = {name: Tensor(array) for name, array in params.items()}
    return [line.op for line in tape(model(with_grad, x, **options)) if line.op in FUSED]


def same(model, x, expected, usual=False):
    params = made(model, usual=usual)
    assert lines(model, params, x, train=True) == expected
    assert not lines(nn.unfused(model), params, x, train=True)
    (y, grads), (plain, plain_grads) = (ways_back(m, params, x) for m in (model, nn.unfused(model)))
    np.testing.assert_allclose(y.value, plain.value, rtol=1e-10, atol=1e-10)
    for name, grad in plain_grads.items():
        np.testing.assert_allclose(grads[name], grad, rtol=1e-10, atol=1e-10, err_msg=name)


@settings(max_examples=examples(60))
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 40))
def test_linear_and_relu(n_in, n_hidden, n_out, n):
    same(nn.mlp(n_in, n_hidden, n_out), images(n, n_in), [LINEAR_RELU])


def test_linear_and_relu_on_threads_and_by_column():
    """A batch that is worked on in blocks, and one that a truly sparse layer made, with an example per column."""
    model = nn.mlp(40, 700, 5)
    same(model, images(700, 40), [LINEAR_RELU])
    same(model, np.asfortranarray(images(700, 40)), [LINEAR_RELU])


@settings(max_examples=examples(60))
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(0, 99))
def test_a_truly_sparse_linear_layer_and_relu(n_in, n_hidden, n, seed):
    model = nn.mlp(n_in, n_hidden, 3)
    at = random_positions({"fc1.weight": (n_in, n_hidden)}, {"fc1.weight": 0.5}, np.random.default_rng(seed))
    params = made(model, seed) | model.init(np.random.default_rng(seed), np.float64, masks=at)
    x, results = images(n, n_in), []
    for network, expected in ((model, [LINEAR_RELU]), (nn.unfused(model), [])):
        assert lines(network, params, x, train=True) == expected
        loss = lambda p, network=network: ops.sum(network(p, x, train=True) * images(n, 3))
        value, grads = value_and_grad(loss, params)
        results.append([value, grads.pop("fc1.weight").at(at["fc1.weight"]), *grads.values()])
    for fused, plain in zip(*results, strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-10, atol=1e-10)


def test_two_ways_back_along_a_tape_give_two_gradients():
    params = made(nn.mlp(4, 3, 2))
    leaves = {name: Tensor(array) for name, array in params.items()}
    y = nn.mlp(4, 3, 2)(leaves, images(5, 4), train=True)
    line = leaves["fc1.weight"].line
    first, second = (backward(ops.sum(ops.mul(y, images(5, 2, seed=seed))))[line] for seed in (1, 2))
    plain = nn.unfused(nn.mlp(4, 3, 2))(leaves, images(5, 4), train=True)
    for seed, grad in ((1, first), (2, second)):
        expected = backward(ops.sum(ops.mul(plain, images(5, 2, seed=seed))))[line]
        np.testing.assert_allclose(grad, expected, rtol=1e-10, atol=1e-12)


def batch_norm_relu_and_a_convolution(data):
    size, c, c_out, n = (data.draw(st.integers(1, most)) for most in (4, 9, 7, 5))
    h, w = (data.draw(st.integers(size, 9)) for _ in "hw")
    padding = data.draw(st.sampled_from(["same", "valid", 0, 1, 2, 5]))
    conv = nn.Conv2d(c, c_out, size, padding=padding, bias=False)
    h_out, w_out, _ = conv.sites((h, w, c))[1]
    few = h * w > 1.5 * h_out * w_out
    model = nn.Chain({"bn": nn.BatchNorm(c, 0.1), "relu": nn.Relu(), "conv": conv})
    same(model, images(n, h, w, c), [BN_RELU if few else BN_RELU_CONV], data.draw(st.booleans()))


def test_batch_norm_relu_and_a_convolution(how):
    settings(max_examples=examples(60))(given(data=st.data())(batch_norm_relu_and_a_convolution))()


def test_scales_and_shifts_that_do_not_fit_are_refused(how):
    x, two, one = images(3, 4, 4, 2), np.ones(2), np.ones(1)
    for scale, shift in ((two, one), (np.ones(3), np.ones(3)), (-two, one), (two, np.ones(4))):
        with pytest.raises(ValueError, match="broadcast"):
            batch_norm_relu(x, scale, 20 * shift, 1e-5)


def test_what_is_not_finite_comes_through_batch_norm_and_relu(how):
    layers = {"bn": nn.BatchNorm(2), "relu": nn.Relu(), "conv": nn.Conv2d(2, 3, 1, bias=False)}
    x = images(3, 4, 4, 2)
    x[1, 2, 3, 0] = np.nan
    for names in ("bn relu", "bn relu conv"):
        model = nn.Chain({name: layers[name] for name in names.split()})
        (y, grads), (plain, expected) = (ways_back(m, made(model), x) for m in (model, nn.unfused(model)))
        assert (np.isnan(y.value) == np.isnan(plain.value)).all()
        assert np.isnan(y.value).any()
        for name, grad in expected.items():
            assert (np.isnan(grads[name]) == np.isnan(grad)).all()


@pytest.mark.parametrize("then", ["", "conv"])
@pytest.mark.parametrize(
    ("scale", "shift"),
    [((1, 1), (1000, 0)), ((1e-3, 1), (1, 0)), ((0, 1), (1, -1)), ((0, 1), (0, 0)), ((-1, 1), (0, 0)),
     ((1, 1), (15, -1)), ((1e-30, 1), (0, 0)), ((1e-30, 1), (1e-30, 0)),
     ((1e-42, 1), (0, 0)), ((1e-12, 1), (1e-12, 0)), ((1e-3, 1), (1e-2, -1))],
)  # fmt: skip
def test_a_scale_that_is_small_beside_its_shift_loses_no_digit(scale, shift, then, how):
    """In float32, beside the layers one by one in float64."""
    layers = {"bn": nn.BatchNorm(2), "relu": nn.Relu(), "conv": nn.Conv2d(2, 3, 3, padding="same", bias=False)}
    model = nn.Chain({name: layers[name] for name in ("bn", "relu", *then.split())})
    params = made(model, dtype=np.float32) | {"bn.scale": np.float32(scale), "bn.shift": np.float32(shift)}
    x = images(20, 8, 8, 2, dtype=np.float32) * 3 + 5
    wide = {name: array.astype(float) for name, array in params.items()}
    (y, grads), (plain, expected) = ways_back(model, params, x), ways_back(nn.unfused(model), wide, x.astype(float))
    np.testing.assert_allclose(y.value, plain.value, rtol=1e-5, atol=1e-5)
    for name, grad in expected.items():
        np.testing.assert_allclose(grads[name], grad, rtol=1e-4, atol=1e-5 * abs(grad).max(), err_msg=name)


@settings(max_examples=examples(60))
@given(data=st.data())
def test_a_convolution_max_pooling_and_relu(data):
    size, pool, c_out, n = (data.draw(st.integers(1, most)) for most in (5, 4, 7, 5))
    c = data.draw(st.integers(1, 16 // size))
    padding = data.draw(st.integers(0, 2))
    h, w = (pool * data.draw(st.integers(1, 3)) + size - 1 for _ in "hw")
    h, w = max(h - 2 * padding, 1), max(w - 2 * padding, 1)
    conv = nn.Conv2d(c, c_out, size, padding=padding, bias=data.draw(st.booleans()))
    model = nn.Chain({"conv": conv, "pool": nn.MaxPool2d(pool), "relu": nn.Relu()})
    try:
        h_out, w_out, _ = conv.sites((h, w, c))[1]
    except ValueError:
        return
    if min(h_out, w_out) >= pool:
        same(model, images(n, h, w, c), [CONV_POOL_RELU] if h_out % pool == w_out % pool == 0 else [])


def test_among_equals_the_first_of_a_window_gets_the_gradient():
    model = nn.Chain({"conv": nn.Conv2d(1, 2, 1, bias=False), "pool": nn.MaxPool2d(3), "relu": nn.Relu()})
    x = np.random.default_rng(0).integers(0, 2, (4, 9, 9, 1)).astype(float)
    same(model, x, [CONV_POOL_RELU])


@pytest.mark.parametrize("usual", [True, False])
@pytest.mark.parametrize("n", [1, 3, 130])
def test_many_blocks_of_images_on_several_threads(monkeypatch, n, usual):
    wide = nn.Chain({"bn": nn.BatchNorm(16), "relu": nn.Relu(), "conv": nn.Conv2d(16, 8, 3, padding="same", bias=False),
                     "bn2": nn.BatchNorm(8), "relu2": nn.Relu()})  # fmt: skip
    digits = nn.Chain({"conv": nn.Conv2d(1, 20, 5), "pool": nn.MaxPool2d(2), "relu": nn.Relu()})
    for model, x, names in (
        (wide, images(n, 32, 32, 16), [BN_RELU_CONV, BN_RELU]),
        (digits, images(n, 28, 28, 1), [CONV_POOL_RELU]),
    ):
        same(model, x, names, usual)
        params = made(model, usual=usual)
        alone = ways_back(model, params, x)[1]
        monkeypatch.setattr(threads, "n_threads", lambda: 3)
        together = ways_back(model, params, x)[1]
        monkeypatch.undo()
        assert all((alone[name] == together[name]).all() for name in alone)


NETWORKS = {
    "LeNet-5-Caffe": (models.lenet_5(), (28, 28, 1), [CONV_POOL_RELU, LINEAR_RELU]),
    "WRN-10-1": (models.wide_resnet(10, 1), (32, 32, 3), [BN_RELU_CONV] * 2 + [BN_RELU, BN_RELU_CONV] * 2 + [BN_RELU]),
    "batch norm after convolutions": (
        nn.Chain({"conv": nn.Conv2d(3, 6, 3, padding=1, bias=False), "bn": nn.BatchNorm(6), "relu": nn.Relu(),
                  "pool": nn.GlobalAvgPool(), "fc": nn.Linear(6, 4)}),
        (8, 8, 3),
        [BN_RELU],
    ),
}  # fmt: skip


@pytest.mark.parametrize("usual", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, usual):
    model, shape, expected = NETWORKS[name]
    same(model, images(3, *shape), expected, usual)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_under_masks_is_the_same(name):
    model, shape, _ = NETWORKS[name]
    params, rng = model.init(np.random.default_rng(0), np.float64), np.random.default_rng(1)
    weights = {n: shape for n, shape in model.shapes().items() if n.endswith(".weight")}
    masks = random_masks(weights, dict.fromkeys(weights, 0.3), rng)
    batches = [(images(4, *shape, seed=i), rng.integers(0, 4, 4)) for i in range(6)]

    def trained(network):
        loss = lambda p, batch, rng: ops.softmax_cross_entropy(network(p, batch[0], train=True), batch[1])
        return [
            *train(loss, params, masks, batches, recipes.rigl(0.3, 2, 10**6), np.random.default_rng(2), sgd(0.01, 0.9))
        ]

    for step, plain in zip(trained(model), trained(nn.unfused(model)), strict=True):
        assert step.loss == pytest.approx(plain.loss, rel=1e-10)
        assert all((step.masks[n] == plain.masks[n]).all() for n in masks)
        for n in params:
            np.testing.assert_allclose(step.params[n], plain.params[n], rtol=1e-9, atol=1e-10)


def test_statistics_and_inference_are_those_of_the_layers():
    model, params = NETWORKS["WRN-10-1"][0], made(NETWORKS["WRN-10-1"][0])
    x = images(4, 32, 32, 3)
    stats, plain = (nn.recalibrate(m, params, [x[:2], x[2:]]) for m in (model, nn.unfused(model)))
    for name in plain:
        np.testing.assert_allclose(stats[name], plain[name], rtol=1e-10, atol=1e-10)
    assert not lines(model, params, x, stats=stats)
    assert (model(params, x, stats=stats).value == nn.unfused(model)(params, x, stats=stats).value).all()
    np.testing.assert_allclose(
        model(params, x, train=True).value, nn.unfused(model)(params, x, train=True).value, rtol=1e-9, atol=1e-9
    )


class MyRelu(nn.Relu):
    """A layer that tells what it sees."""

    def __call__(self, params, x, **options):
        SEEN.append(x.shape)
        return super().__call__(params, x, **options)


SEEN = []
CONV = nn.Conv2d(2, 3, 3, padding="same", bias=False)
FEW = nn.Conv2d(2, 3, 3, padding="same")
BN = {"bn": nn.BatchNorm(2), "relu": nn.Relu()}
POOL = {"pool": nn.MaxPool2d(2), "relu": nn.Relu()}
OTHERS = {
    "a stride": ({**BN, "conv": nn.Conv2d(2, 3, 3, 2, "same", bias=False)}, [BN_RELU]),
    "groups": ({**BN, "conv": nn.Conv2d(2, 4, 3, padding="same", groups=2, bias=False)}, [BN_RELU]),
    "a bias": ({**BN, "conv": nn.Conv2d(2, 3, 3, padding="same")}, [BN_RELU]),
    "gates": ({**BN, "conv": nn.GatedConv2d(2, 3, 3, padding="same", bias=False)}, [BN_RELU]),
    "a layer of one's own": ({"bn": nn.BatchNorm(2), "relu": MyRelu(), "conv": CONV}, []),
    "a layer of one's own at the end": ({"conv": FEW, "pool": nn.MaxPool2d(2), "relu": MyRelu()}, []),
    "an activation to look at": ({"bn": nn.BatchNorm(2), "drop": nn.Dropout(0), "relu": nn.Relu(), "conv": CONV}, []),
    "pooling that overlaps": ({"conv": FEW, "pool": nn.MaxPool2d(2, 1), "relu": nn.Relu()}, []),
    "padded pooling": ({"conv": FEW, "pool": nn.MaxPool2d(2, padding=1), "relu": nn.Relu()}, []),
    "pooling with a rest": ({"conv": nn.Conv2d(2, 3, 2), **POOL}, []),
    "many channels": ({"conv": nn.Conv2d(2, 3, 9, padding="same"), **POOL}, []),
    "a depthwise convolution": ({"conv": nn.DepthwiseConv2d(2, 3, padding="same"), **POOL}, []),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_not_certain_goes_layer_by_layer(what):
    layers, expected = OTHERS[what]
    model, x, rng = nn.Chain(layers), images(3, 6, 6, 2), np.random.default_rng(3)
    params = made(model)
    SEEN.clear()
    assert lines(model, params, x, train=True, rng=rng) == expected
    assert len(SEEN) == ("own" in what)
    outputs = [m(params, x, train=True, rng=np.random.default_rng(4)).value for m in (model, nn.unfused(model))]
    np.testing.assert_allclose(*outputs, rtol=1e-10, atol=1e-10)


LAYERS = nn.Chain({**BN, "conv": CONV, "block": nn.Residual(nn.Chain({"bn": nn.BatchNorm(3), "relu": nn.Relu()}))})


@pytest.mark.parametrize(
    ("x", "params"), [(np.float16, np.float16), (np.float32, np.float64), (np.float64, np.float32)]
)
def test_mixed_and_half_precision_go_layer_by_layer(x, params):
    params, x = made(LAYERS, dtype=params), images(3, 6, 6, 2, dtype=x)
    model = nn.Chain({**BN, "conv": CONV})
    assert not lines(model, params, x, train=True)
    assert model(params, x, train=True).dtype == np.result_type(x, *params.values())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_and_gradients_keep_their_dtype(dtype):
    for model, shape in ((LAYERS, (6, 6, 2)), (models.lenet_5(), (28, 28, 1))):
        y, grads = ways_back(model, made(model, dtype=dtype), images(3, *shape, dtype=dtype))
        assert {y.dtype, *(grad.dtype for grad in grads.values())} == {np.dtype(dtype)}


def test_another_library_goes_layer_by_layer_and_to_the_same_numbers(xp):
    params, x = made(LAYERS), images(3, 6, 6, 2)
    given = give_all(xp, params)
    names = lines(LAYERS, given, give(xp, x), train=True)
    assert names == ([BN_RELU_CONV, BN_RELU] if xp is np else [])
    np.testing.assert_allclose(
        back(LAYERS(given, give(xp, x), train=True).value), LAYERS(params, x, train=True).value, rtol=1e-10, atol=1e-12
    )


def test_truly_sparse_layers_beside_them_are_untouched():
    model, rng = models.lenet_5(), np.random.default_rng(0)
    masks = random_positions({"fc1.weight": (800, 500)}, {"fc1.weight": 0.02}, rng)
    params, x = model.init(rng, np.float64, masks=masks), images(3, 28, 28, 1)
    outputs = [m(params, x, train=True).value for m in (model, nn.unfused(model))]
    np.testing.assert_allclose(*outputs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "change", ["no statistics", "missing", "wrong shape", "too small", "wrong channels", "no examples", "features"]
)
def test_errors_are_those_of_the_layers(change):
    params, x = made(LAYERS), images(3, 6, 6, 2)
    if change == "missing":
        del params["conv.weight"]
    if change == "wrong shape":
        params["bn.scale"] = np.ones(3)
    model = LAYERS
    if change == "too small":
        model = nn.Chain({**BN, "conv": nn.Conv2d(2, 3, 7, bias=False)})
        params = made(model)
    x = {"wrong channels": x[..., :1], "no examples": x[:0], "features": x[:, 0, 0]}.get(change, x)
    said = []
    for network in (model, nn.unfused(model)):
        with pytest.raises(ValueError, match=r"\w") as error:
            network(params, x, train=change != "no statistics")
        said.append(str(error.value))
    assert said[0] == said[1]


def test_constants_start_no_tape():
    x = images(3, 6, 6, 2)
    assert LAYERS(made(LAYERS), constant(x), train=True).op == "constant"


def test_a_chain_that_is_not_fused_stays_so_when_its_layers_change():
    model = nn.unfused(nn.Chain({"inner": nn.Chain({"conv": nn.Conv2d(1, 2, 3), **POOL})}))
    changed = nn.ungated(nn.gated(model, {"inner.conv": 0.5}), made(model))[0]
    assert not changed.fused
    assert not changed.layers["inner"].fused
    assert changed == nn.Chain({"inner": nn.Chain({"conv": nn.Conv2d(1, 2, 3), **POOL})})
    assert repr(changed) == repr(model)


def test_projected_weights_are_seen_as_zeros():
    model, rng = NETWORKS["LeNet-5-Caffe"][0], np.random.default_rng(0)
    masks = random_masks({"conv1.weight": (5, 5, 1, 20)}, {"conv1.weight": 0.1}, rng)
    params = project(made(model), masks)
    outputs = [m(params, images(3, 28, 28, 1), train=True).value for m in (model, nn.unfused(model))]
    np.testing.assert_allclose(*outputs, rtol=1e-10, atol=1e-10)
