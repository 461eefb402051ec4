"""The networks: how many parameters they have, what they cost, and that they learn."""

import math
import tracemalloc

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import some

from minisparse import data, models, nn, ops, recipes
from minisparse.autograd import gradcheck, value_and_grad
from minisparse.optim import sgd
from minisparse.train import train


def sizes(model):
    return {name: array.size for name, array in model.init(np.random.default_rng(0)).items()}


@pytest.mark.parametrize(
    ("model", "shape", "weights", "parameters", "multiply_adds"),
    [
        (models.lenet_300_100(), (784,), 266_200, 266_610, {"fc1": 235_200, "fc2": 30_000, "fc3": 1_000}),
        (
            models.lenet_5(),
            (28, 28, 1),
            430_500,
            431_080,
            {"conv1": 288_000, "conv2": 1_600_000, "fc1": 400_000, "fc2": 5_000},
        ),
    ],
    ids=["lenet_300_100", "lenet_5"],
)
def test_counts_and_costs_are_the_published_ones(model, shape, weights, parameters, multiply_adds):
    own = sizes(model)
    assert sum(own.values()) == parameters
    assert sum(size for name, size in own.items() if name.endswith(".weight")) == weights
    costs, out = model.cost(shape)
    assert costs == {f"{layer}.weight": cost for layer, cost in multiply_adds.items()}
    assert out == (10,)


def test_every_multiplication_of_lenet_5_is_counted():
    costs, _ = models.lenet_5().cost((28, 28, 1))
    assert 2 * sum(costs.values()) == 4_586_000


def test_lenet_5_takes_other_images_and_classes(xp):
    model = models.lenet_5((32, 20, 3), classes=7)
    params = give_all(xp, model.init(np.random.default_rng(0), np.float64))
    x = give(xp, np.random.default_rng(1).random((2, 32, 20, 3)))
    labels = give(xp, np.array([0, 6]))
    loss, grads = value_and_grad(lambda p: ops.softmax_cross_entropy(model(p, x, train=True), labels), params)
    assert math.isfinite(float(loss))
    assert all(grads[name].shape == w.shape and bool((grads[name] != 0).any()) for name, w in params.items())


@pytest.mark.long
def test_lenet_5_learns_the_digits():
    images, labels = data.load("digits")
    model, rng = models.lenet_5(), np.random.default_rng(0)
    inputs = (images / 255).astype(np.float32)
    loss_fn = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0]), batch[1])
    batches = data.batches(inputs, labels, 50, seed=0, stop=60)
    *_, last = train(loss_fn, model.init(rng), {}, batches, recipes.static(), rng, sgd(0.05, momentum=0.9))
    test_images, test_labels = data.load("digits", split="test")
    scores = model(last.params, (test_images / 255).astype(np.float32)).value
    assert (scores.argmax(axis=1) == test_labels).mean() > 0.85


NETWORKS = {  # on images as small as they take, or those of CIFAR: (model, the shape of one)
    "lenet_300_100": (models.lenet_300_100(), (784,)),
    "lenet_5": (models.lenet_5(), (28, 28, 1)),
    "l0_lenet_300_100": (models.l0_lenet_300_100(), (784,)),
    "l0_lenet_5": (models.l0_lenet_5(), (28, 28, 1)),
    "alexnet": (models.alexnet((67, 67, 3), classes=10), (67, 67, 3)),
    "vgg_16": (models.vgg_16((32, 32, 3), classes=10, width=0.25), (32, 32, 3)),
    "vgg_c": (models.vgg_c(), (32, 32, 3)),
    "vgg_d": (models.vgg_d(), (32, 32, 3)),
    "vgg_like": (models.vgg_like(), (32, 32, 3)),
    "wide_resnet(10, 1)": (models.wide_resnet(10, 1), (32, 32, 3)),
    "wide_resnet(16, 2)": (models.wide_resnet(16, 2, dropout=0.3), (32, 32, 3)),
    "resnet_50": (models.resnet_50((33, 33, 3), classes=10, width=0.25), (33, 33, 3)),
    "mobilenet_v1": (models.mobilenet_v1((32, 32, 3), classes=10, width=0.25), (32, 32, 3)),
}
PUBLISHED = [  # as the papers have them: (function that describes it, the shape of one image)
    (models.alexnet, (227, 227, 3)),
    (models.vgg_16, (224, 224, 3)),
    (models.vgg_c, (32, 32, 3)),
    (models.vgg_d, (32, 32, 3)),
    (models.vgg_like, (32, 32, 3)),
    (models.wide_resnet, (32, 32, 3)),
    (models.resnet_50, (224, 224, 3)),
    (models.mobilenet_v1, (224, 224, 3)),
]


def test_every_network_is_among_these():
    makers = {name for name, f in vars(models).items() if getattr(f, "__module__", "") == f"{models.__name__}.networks"}
    assert {name.partition("(")[0] for name in NETWORKS} == {name for name in makers if not name.startswith("_")}


@pytest.mark.long
@pytest.mark.parametrize("name", some(NETWORKS, every=2))
def test_every_network_takes_a_step_in_training_and_is_finite_at_inference(xp, name):
    model, shape = NETWORKS[name]
    rng = np.random.default_rng(0)
    params = give_all(xp, model.init(rng))
    assert {key: w.shape for key, w in params.items()} == model.shapes()
    x, labels = give(xp, rng.standard_normal((4, *shape)).astype(np.float32)), give(xp, np.array([0, 9, 3, 3]))
    loss_fn = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0], train=True, rng=rng), batch[1])
    (step,) = train(loss_fn, params, {}, [(x, labels)], recipes.static(), rng, sgd(0.01))
    assert math.isfinite(step.loss)
    # every parameter matters: rounding alone, as of a bias that a batch norm takes away again, stays below this
    assert not [key for key, g in step.grads.items() if not 1e-5 < float(abs(g).max()) < math.inf]
    assert not [key for key, w in step.params.items() if not bool((w != params[key]).any())]

    stats = nn.recalibrate(model, step.params, [x, x[:2]])
    norms = {key.removesuffix("scale") for key in params if key.endswith("scale")}
    assert set(stats) == {f"{norm}{own}" for norm in norms for own in ("mean", "var")}
    out = model(step.params, x, stats=stats)
    assert (out.shape, out.dtype) == ((4, 10), np.float32)
    assert np.isfinite(back(out.value)).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_costs_are_those_of_the_sites_and_every_weight_has_one(name):
    model, shape = NETWORKS[name]
    own, becomes = model.sites(shape)
    assert becomes == (10,)
    assert nn.sites(model, shape) == own
    assert model.cost(shape) == ({site.name: site.multiply_adds for site in own}, (10,))
    weights = [(key, made) for key, made in model.shapes().items() if key.endswith("weight")]
    assert sorted((site.name, site.kernel_shape) for site in own) == sorted(weights)


@pytest.mark.parametrize("name", ["vgg_c", "vgg_d", "vgg_like", "wide_resnet(16, 2)", "resnet_50", "mobilenet_v1"])
def test_a_convolution_before_a_batch_norm_has_no_bias(name):
    model, _ = NETWORKS[name]
    assert all(key.startswith("fc") for key in model.shapes() if key.endswith("bias"))


def test_published_sizes_are_described_and_counted_without_making_a_parameter():
    tracemalloc.start()
    try:
        for describe, shape in PUBLISHED:
            model = describe()
            names, found = list(model.shapes()), nn.sites(model, shape)
            assert {site.name for site in found} <= set(names)
            assert model.cost(shape)[0]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10e6  # VGG-16 alone has 553 MB of weights


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_residual_network_has_the_gradient_of_its_central_difference(xp, seed):
    model, rng = models.wide_resnet(10, 1, shape=(8, 8, 3)), np.random.default_rng(seed)
    params, x = model.init(rng, np.float64), rng.standard_normal((4, 8, 8, 3))
    labels = give(xp, np.array([0, 3, 3, 9]))

    def loss(x, *weights):
        return ops.softmax_cross_entropy(model(dict(zip(params, weights, strict=True)), x, train=True), labels)

    # a short step, for the thousands of ReLUs have their kinks close by
    assert gradcheck(loss, give(xp, x), *give_all(xp, params).values(), eps=1e-7, seed=seed) < 1e-7


@pytest.mark.long
def test_a_wide_residual_network_learns_the_digits_and_knows_them_one_at_a_time():
    (images, labels), (test_images, test_labels) = data.load("digits"), data.load("digits", split="test")
    small = lambda images: (images[:, 2::3, 2::3] / 255).astype(np.float32)
    model, rng = models.wide_resnet(10, 1, shape=(9, 9, 1)), np.random.default_rng(0)
    loss_fn = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0], train=True), batch[1])
    batches = data.batches(small(images), labels, 50, seed=0, stop=60)
    *_, last = train(loss_fn, model.init(rng), {}, batches, recipes.static(), rng, sgd(0.05, momentum=0.9))
    stats = nn.recalibrate(model, last.params, data.batches(small(images), labels, 100, seed=1, stop=10))
    scores = np.concatenate([model(last.params, small(one[None]), stats=stats).value for one in test_images[:100]])
    assert (scores.argmax(axis=1) == test_labels[:100]).mean() > 0.8


@pytest.mark.parametrize(
    ("build", "half"),
    [
        (lambda factor: models.wide_resnet(10, 2, factor=factor), models.wide_resnet(10, 1)),
        (lambda factor: models.vgg_like(width=factor), None),
        (lambda factor: models.vgg_c(width=factor), None),
    ],
    ids=["wide_resnet", "vgg_like", "vgg_c"],
)
def test_a_factor_on_all_channels_leaves_images_and_classes(build, half):
    whole, narrow = build(1).shapes(), build(0.5).shapes()
    assert list(whole) == list(narrow)
    first, last = next(iter(whole)), list(whole)[-1]
    assert (whole[first][2], whole[last]) == (narrow[first][2], narrow[last])
    for name, shape in whole.items():
        inside = [i for i, n in enumerate(shape) if not (i < 2 and len(shape) == 4) and n not in (3, 10)]
        assert all(narrow[name][i] == shape[i] // 2 for i in inside)
    if half is not None:  # k = 1 has all channels of k = 2 but the first halved
        assert {name: narrow[name] for name in narrow if "group2_1.block.conv2" in name} == {
            name: shape for name, shape in half.shapes().items() if "group2_1.block.conv2" in name
        }
    with pytest.raises(ValueError, match="width"):
        build(0)


@pytest.mark.parametrize("depth", [-2, 4, 8, 12, 15, 18])
def test_wide_residual_networks_have_depths_of_6_n_plus_4(depth):
    with pytest.raises(ValueError, match=rf"depth is {depth}; expected 10, 16, 22, 28"):
        models.wide_resnet(depth)


def test_networks_without_width_are_refused():
    with pytest.raises(ValueError, match="width"):
        models.wide_resnet(10, 0)
    with pytest.raises(TypeError, match="width"):
        models.wide_resnet(10, 0.5)
    for build in (models.resnet_50, models.mobilenet_v1):
        with pytest.raises(ValueError, match="width"):
            build(width=0.01)


@pytest.mark.parametrize(("depth", "blocks"), [(10, 1), (16, 2), (22, 3), (28, 4)])
def test_depth_is_the_number_of_convolutions(depth, blocks):
    model = models.wide_resnet(depth, 2)
    assert [name for name in model.layers if name.startswith("group")] == [
        f"group{group}_{i}" for group in (1, 2, 3) for i in range(1, blocks + 1)
    ]
    assert sum(len(shape) == 4 for shape in model.shapes().values()) == depth


def test_dropout_in_a_wide_residual_network_adds_no_parameters_and_stands_between_its_convolutions():
    plain, dropping = models.wide_resnet(16, 2), models.wide_resnet(16, 2, dropout=0.3)
    assert plain.shapes() == dropping.shapes()
    for block in (dropping.layers["group1_2"].body, dropping.layers["group2_1"].layers["block"].body):
        assert list(block.layers)[-3:] == ["relu2", "dropout", "conv2"]
    with pytest.raises(ValueError, match=r"rate is 1\.5"):
        models.wide_resnet(10, 1, dropout=1.5)


@pytest.mark.parametrize("describe", [models.resnet_50, models.mobilenet_v1])
def test_width_is_a_factor_on_all_channels_but_the_images(describe):
    whole, quarter = describe(classes=7).shapes(), describe(classes=7, width=0.25).shapes()
    assert list(whole) == list(quarter)
    for name, shape in whole.items():
        kept = {"conv1.weight": (2,), "fc.weight": (1,), "fc.bias": (0,)}.get(name, ())
        channels = range(max(0, len(shape) - 2), len(shape) - ("depthwise" in name and len(shape) == 4))
        want = [n // 4 if axis in channels and axis not in kept else n for axis, n in enumerate(shape)]
        assert quarter[name] == tuple(want), name


def test_lenets_have_a_width_too():
    half = {name: shape for name, shape in models.lenet_300_100(width=0.5).shapes().items() if "weight" in name}
    assert half == {"fc1.weight": (784, 150), "fc2.weight": (150, 50), "fc3.weight": (50, 10)}
    third = {name: shape for name, shape in models.lenet_5(width=0.33).shapes().items() if "weight" in name}
    assert third == {
        "conv1.weight": (5, 5, 1, 6),
        "conv2.weight": (5, 5, 6, 16),
        "fc1.weight": (4 * 4 * 16, 165),
        "fc2.weight": (165, 10),
    }


@pytest.mark.parametrize(
    ("describe", "shape", "fits"),
    [
        (models.alexnet, (66, 67, 3), (67, 67, 3)),
        (models.vgg_16, (31, 32, 3), (32, 32, 3)),
        (models.vgg_c, (32, 31, 3), (32, 32, 3)),
        (models.lenet_5, (15, 28, 1), (16, 16, 1)),
    ],
)
def test_images_that_the_last_pooling_has_no_window_for_are_refused(describe, shape, fits):
    assert describe(fits).sites(fits)[1]
    with pytest.raises(ValueError, match=r"a window of \d does not fit into \d pixels"):
        describe(shape)
