"""Every layer on whole numbers, in float16, and on a batch of no examples."""

import numpy as np
import pytest
from arrays import back, give, give_all

from minisparse import models, nn, ops
from minisparse.autograd import value_and_grad
from minisparse.backend import namespace
from minisparse.sparse import compressed, everywhere

FEATURES = nn.Chain(
    {
        "pool": nn.AvgPool2d(3, 1),
        "conv": nn.Conv2d(2, 3, 3, padding=1),
        "block": nn.Residual(nn.Chain({"bn": nn.BatchNorm(3), "relu": nn.Relu()}), nn.DepthwiseConv2d(3, 3, padding=1)),
        "inner": nn.Chain({"max": nn.MaxPool2d(2), "flat": nn.Flatten(), "drop": nn.Dropout(0.5)}),
        "fc": nn.Linear(12, 4),
    }
)
IMAGE, ROW = (6, 6, 2), (8,)
LAYERS = {
    "Linear": (nn.Linear(8, 3), ROW),
    "GatedLinear": (nn.GatedLinear(8, 3), ROW),
    "GatedLinear, per weight": (nn.GatedLinear(8, 3, per_weight=True), ROW),
    "Conv2d": (nn.Conv2d(2, 3, 3), IMAGE),
    "Conv2d, strided": (nn.Conv2d(2, 3, 3, stride=2, padding="same"), IMAGE),
    "Conv2d, groups": (nn.Conv2d(2, 4, 3, groups=2), IMAGE),
    "GatedConv2d": (nn.GatedConv2d(2, 3, 3), IMAGE),
    "DepthwiseConv2d": (nn.DepthwiseConv2d(2, 3), IMAGE),
    "BatchNorm": (nn.BatchNorm(2), IMAGE),
    "BatchNorm of features": (nn.BatchNorm(8), ROW),
    "Relu": (nn.Relu(), IMAGE),
    "Flatten": (nn.Flatten(), IMAGE),
    "MaxPool2d": (nn.MaxPool2d(2), IMAGE),
    "AvgPool2d": (nn.AvgPool2d(3, 1), IMAGE),
    "GlobalAvgPool": (nn.GlobalAvgPool(), IMAGE),
    "Dropout": (nn.Dropout(0.5), IMAGE),
    "Chain": (FEATURES, IMAGE),
    "Residual": (nn.Residual(nn.Chain({"conv": nn.Conv2d(2, 2, 3, padding=1)})), IMAGE),
    "Residual around nothing": (nn.Residual(nn.Chain({})), IMAGE),
    "mlp": (nn.mlp(8, 5, 4, 3), ROW),
    "lenet_5": (models.lenet_5((16, 16, 1), 3), (16, 16, 1)),
}
NORMED = ["BatchNorm", "BatchNorm of features", "Chain"]


def case(name, dtype=np.float32, n=5):
    layer, shape = LAYERS[name]
    rng = np.random.default_rng(0)
    params = {key: (a + 0.1 * rng.standard_normal(a.shape)).astype(dtype) for key, a in layer.init(rng).items()}
    return layer, params, rng.integers(0, 256, (n, *shape)).astype(np.uint8)


def run(layer, params, x, train, stats=None):
    """The outputs, and the gradients of a loss to the parameters."""
    outputs = lambda p: layer(p, x, train=train, rng=np.random.default_rng(1), stats=stats)
    y = outputs(params).value
    weights = namespace(y).asarray(np.random.default_rng(2).random(y.shape).astype(y.dtype))
    loss = lambda p: ops.sum(ops.tanh(outputs(p) * 0.01) * weights)
    return {"outputs": y, **(value_and_grad(loss, params)[1] if params else {})}


def same(got, want):
    assert got.keys() == want.keys()
    for name in want:
        assert got[name].dtype == want[name].dtype
        np.testing.assert_array_equal(back(got[name]), back(want[name]), err_msg=name)


def test_every_layer_is_here():
    kinds = {kind.__name__ for kind in vars(nn).values() if isinstance(kind, type) and issubclass(kind, nn.Layer)}
    assert kinds - {"Layer"} <= {type(layer).__name__ for layer, _ in LAYERS.values()}


@pytest.mark.parametrize("train", [True, False], ids=["train", "inference"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, bool])
@pytest.mark.parametrize("name", LAYERS)
def test_images_of_whole_numbers_give_what_they_give_in_floating_point(xp, name, dtype, train):
    layer, params, images = case(name)
    whole, single = images.astype(dtype), images.astype(dtype).astype(np.float32)
    params = give_all(xp, params)
    stats = nn.recalibrate(layer, params, [give(xp, single)]) if name in NORMED else None
    if not params and dtype in (np.int32, np.int64):
        single = single.astype(float)  # there is no float32 to go by
    same(run(layer, params, give(xp, whole), train, stats), run(layer, params, give(xp, single), train, stats))
    if stats:
        same(nn.recalibrate(layer, params, [give(xp, whole)]), stats)


@pytest.mark.parametrize("name", LAYERS)
def test_images_of_complex_numbers_or_text_are_refused(name):
    layer, params, images = case(name)
    stats = {key.removesuffix("scale") + part: np.ones(len(a), "f4")
             for key, a in params.items() if key.endswith("scale") for part in ("mean", "var")}  # fmt: skip
    for odd in (images + 1j, images.astype("U3")):
        with pytest.raises(TypeError, match="got an array of dtype"):
            layer(params, odd, stats=stats)


@pytest.mark.parametrize("name", LAYERS)
def test_float16_is_close_to_float32(xp, name):
    layer, params, images = case(name, np.float16)
    half, single = (images / 255).astype(np.float16), (images / 255).astype(np.float16).astype(np.float32)
    got = run(layer, give_all(xp, params), give(xp, half), True)
    wide = {key: a.astype(np.float32) for key, a in params.items()}
    want = run(layer, give_all(xp, wide), give(xp, single), True)
    for key in want:
        assert got[key].dtype == np.float16
        np.testing.assert_allclose(back(got[key]), back(want[key]), rtol=0.02, atol=0.02 * abs(back(want[key])).max())


def test_batch_norm_in_float16_sums_in_float32(xp):
    rng = np.random.default_rng(0)
    layer, params = nn.BatchNorm(3), give_all(xp, nn.BatchNorm(3).init(rng, np.float16))
    for shape, mean in (((64, 16, 16, 3), 5), ((16, 65, 65, 3), 0), ((4, 3), 60_000)):
        x = (rng.standard_normal(shape) + mean).astype(np.float16)
        exact = x.astype(float)
        axes = tuple(range(x.ndim - 1))
        want = (exact - exact.mean(axes)) / np.sqrt(exact.var(axes) + 1e-5)
        got = layer(params, give(xp, x), train=True).value
        assert got.dtype == np.float16
        np.testing.assert_allclose(back(got), want, atol=0.01)
        stats = nn.recalibrate(layer, params, [give(xp, x)])
        assert all(a.dtype == np.float32 for a in stats.values())
        np.testing.assert_allclose(back(layer(params, give(xp, x), stats=stats).value), want, atol=0.01)


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in NORMED])
def test_a_batch_of_no_examples_gives_no_outputs_and_gradients_of_zero(xp, name):
    layer, params, images = case(name, n=0)
    out = layer.sites(images.shape[1:])[1]
    for train in (True, False):
        got = run(layer, give_all(xp, params), give(xp, images.astype(np.float32)), train)
        assert got.pop("outputs").shape == (0, *out)
        assert got.keys() == params.keys()
        assert all(got[key].shape == params[key].shape and not back(got[key]).any() for key in params)


@pytest.mark.parametrize("name", NORMED)
def test_a_batch_of_no_examples_has_no_statistics_but_can_be_normalised_by_others(xp, name):
    layer, params, images = case(name, n=4)
    params, x = give_all(xp, params), give(xp, images.astype(np.float32))
    stats = nn.recalibrate(layer, params, [x])
    assert layer(params, x[:0], stats=stats).shape == (0, *layer.sites(images.shape[1:])[1])
    with pytest.raises(ValueError, match="expected at least one example, whose mean and variance are needed"):
        layer(params, x[:0], train=True, rng=np.random.default_rng(0))


@pytest.mark.parametrize("layer", [nn.Conv2d(0, 3, 3, padding=1), nn.Conv2d(2, 0, 3), nn.Conv2d(2, 0, 3, stride=2),
                                   nn.DepthwiseConv2d(0, 3), nn.BatchNorm(0), nn.MaxPool2d(2), nn.GlobalAvgPool()],
                         ids=str)  # fmt: skip
def test_images_of_no_channels_give_biases_or_nothing(xp, layer):
    n_in = getattr(layer, "c_in", 0)
    params = give_all(xp, {key: np.ones(shape) for key, shape in layer.shapes().items()})
    x = give(xp, np.ones((2, 6, 6, n_in)))
    loss = lambda p: ops.sum(layer(p, x, train=True))
    value, grads = value_and_grad(loss, params)
    assert layer(params, x, train=True).shape == (2, *layer.sites((6, 6, n_in))[1])
    assert float(value) == (2 * 36 * 3 if isinstance(layer, nn.Conv2d) and layer.c_out else 0)
    assert all(grads[key].shape == params[key].shape for key in params)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, bool, complex])
@pytest.mark.parametrize("name", [name for name in LAYERS if LAYERS[name][0].shapes()])
def test_a_network_of_whole_numbers_is_not_begun(name, dtype):
    with pytest.raises(TypeError, match=f"dtype is {np.dtype(dtype)}; expected a floating-point type"):
        LAYERS[name][0].init(np.random.default_rng(0), dtype)


@pytest.mark.parametrize("shape", [(40, 30), (100, 12)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool, np.float16, float])
def test_a_truly_sparse_layer_takes_inputs_of_any_dtype(xp, shape, dtype):
    rng = np.random.default_rng(0)
    mask = rng.random(shape) < 0.1
    dense = {"weight": np.where(mask, 0.05, 0).astype(np.float32), "bias": np.zeros(shape[1], np.float32)}
    x = give(xp, rng.integers(0, 200, (16, shape[0])).astype(dtype))
    layer, dense = nn.Linear(*shape), give_all(xp, dense)
    sparse, masks = compressed(dense, {"weight": give(xp, mask)})
    got, want = (run(layer, params, x, True) for params in (sparse, dense))
    assert got["outputs"].dtype == want["outputs"].dtype
    np.testing.assert_allclose(back(got["outputs"]), back(want["outputs"]), rtol=1e-4)
    at = got["weight"].at(masks["weight"])
    assert at.dtype == np.float32
    np.testing.assert_allclose(back(at), back(want["weight"])[mask], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(back(got["weight"].dense()), back(want["weight"]), rtol=1e-4, atol=1e-6)


def test_truly_sparse_weights_in_float16_are_computed_in_float32(xp):
    rng = np.random.default_rng(0)
    mask = rng.random((60, 20)) < 0.2
    dense = give_all(xp, {"weight": (mask * 0.5).astype(np.float16), "bias": np.zeros(20, np.float16)})
    x, layer = give(xp, rng.random((8, 60)).astype(np.float16)), nn.Linear(60, 20)
    sparse, masks = compressed(dense, {"weight": give(xp, mask)})
    got, want = (run(layer, params, x, True) for params in (sparse, dense))
    assert got["outputs"].dtype == np.float16
    np.testing.assert_allclose(back(got["outputs"]), back(want["outputs"]), rtol=0.01)
    np.testing.assert_allclose(back(got["weight"].at(masks["weight"])), back(want["weight"])[mask], rtol=0.02)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16])
def test_weights_that_are_drawn_at_each_use_take_inputs_of_any_dtype(dtype):
    layer, key = nn.Linear(30, 7), {"weight": (30, 7)}
    drawn, dense = (layer.init(np.random.default_rng(0), masks=masks) for masks in (everywhere(key), None))
    x = np.random.default_rng(1).integers(0, 200, (5, 30)).astype(dtype)
    got, want = (run(layer, params, x, True) for params in (drawn, dense))
    assert got["outputs"].dtype == np.float32
    np.testing.assert_allclose(got["outputs"], want["outputs"], rtol=1e-5)
    np.testing.assert_allclose(got["weight"].dense(), want["weight"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["sparse", "drawn"])
def test_a_truly_sparse_layer_of_no_examples_gives_no_outputs(kind):
    layer, rng = nn.Linear(9, 4), np.random.default_rng(0)
    if kind == "sparse":
        params = compressed(layer.init(rng), {"weight": rng.random((9, 4)) < 0.5})[0]
    else:
        params = layer.init(rng, masks=everywhere({"weight": (9, 4)}))
    got = run(layer, params, np.zeros((0, 9), np.float32), True)
    assert got["outputs"].shape == (0, 4)
    assert not got["weight"].dense().any()
