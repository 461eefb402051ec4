"""The smaller network computes what the masked one does."""

import math

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_methods import slow_remove_dead_units

from minisparse import data, models, nn, sparse
from minisparse.masks import project, random_masks
from minisparse.methods import l0
from minisparse.methods.magnitude import remove_dead_units
from minisparse.models.shrink import architecture, compacted

many = settings(max_examples=examples(150))
IMAGE = (10, 10, 2)


@st.composite
def perceptrons(draw):
    return nn.mlp(*draw(st.lists(st.integers(1, 6), min_size=2, max_size=5))), None


@st.composite
def conv_nets(draw, padding=("valid", 0), norm=False):
    """A network on images of 10×10×2: two convolutions, ReLUs and pools in any order, and one linear layer or two."""
    layers, c_in = {}, 2
    for i in (1, 2):
        c_out, pad, size = draw(st.integers(1, 4)), draw(st.sampled_from(padding)), draw(st.sampled_from([1, 2, 3]))
        layers[f"conv{i}"] = nn.Conv2d(c_in, c_out, size, 1, pad, bias=draw(st.booleans()))
        pools = [nn.MaxPool2d(2), nn.AvgPool2d(2), nn.MaxPool2d(2, 1, "same")]
        after = [nn.Relu(), *draw(st.lists(st.sampled_from(pools), max_size=1))]
        after += [nn.BatchNorm(c_out)] if norm and draw(st.booleans()) else []
        layers |= {f"after{i}_{j}": layer for j, layer in enumerate(draw(st.permutations(after)))}
        c_in = c_out
    layers["end"] = draw(st.sampled_from([nn.Flatten(), nn.GlobalAvgPool()]))
    _, shape = nn.Chain(layers).sites(IMAGE)
    widths = math.prod(shape), *draw(st.lists(st.integers(1, 4), min_size=1, max_size=2))
    return nn.Chain(layers | nn.mlp(*widths).layers), IMAGE


@st.composite
def masked(draw, networks):
    """A model, random parameters, a mask for every weight and a batch of inputs."""
    model, image = draw(networks)
    density, rng = draw(st.sampled_from([0.15, 0.3, 0.6, 1.0])), np.random.default_rng(draw(st.integers(0, 2**32)))
    shapes = model.shapes()
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    masks = {name: rng.random(shape) < density for name, shape in shapes.items() if name.endswith(".weight")}
    n_in = next(iter(masks.values())).shape[-2]
    return model, params, masks, rng.normal(size=(5, *(image or (n_in,))))


def outputs(model, params, masks, x):
    return back(model(project(params, masks), x, train=True).value)


def check_same(model, params, masks, x, **options):
    """The smaller network, or None where the masked one is a constant, and therefore refused."""
    want, order = outputs(model, params, masks, x), list(masks)
    if len(order) > 1 and not slow_remove_dead_units(masks, order)[order[-1]].any():
        np.testing.assert_allclose(want, want[:1].repeat(len(want), axis=0), rtol=0, atol=1e-12)
        if not any(getattr(layer, "padding", "valid") in ("same", 1) for layer in model.layers.values()):
            with pytest.raises(ValueError, match="to the outputs, which are constant"):
                compacted(model, params, masks, **options)
        return None
    small = compacted(model, params, masks, **options)
    taken = x.reshape(len(x), -1) if isinstance(next(iter(model.layers.values())), nn.Flatten) else x
    got = outputs(small.model, small.params, small.masks, taken[..., small.inputs])
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    assert {name: a.shape for name, a in small.params.items()} == small.model.shapes()
    return small


def check_nothing_is_dead(model, masks, small, order):
    """Exactly the units that the slow twin leaves connected are there, and nothing more is to be removed."""
    alive = slow_remove_dead_units(masks, order)
    for name in order[:-1]:
        assert small.masks[name].shape[-1] == alive[name].any(axis=tuple(range(alive[name].ndim - 1))).sum()
    assert small.masks[order[-1]].shape[-1] == masks[order[-1]].shape[-1]
    again = remove_dead_units(small.masks, order)
    assert all((again[name] == small.masks[name]).all() for name in order)


def cost(model, shape):
    return sum(model.cost(shape)[0].values())


@given(masked(perceptrons()), st.booleans())
@many
def test_a_smaller_perceptron_computes_the_same(case, drop_inputs):
    model, _, masks, x = case
    if small := check_same(*case, drop_inputs=drop_inputs):
        order = list(masks)
        check_nothing_is_dead(model, masks, small, order)
        before, after = cost(model, x.shape[1:]), cost(small.model, (len(small.inputs),))
        widths = [[m.shape[-1] for m in each.values()] for each in (masks, small.masks)]
        same = widths[0] == widths[1] and len(small.inputs) == x.shape[1]
        assert after == before if same else after < before
        if drop_inputs and len(order) > 1:
            assert small.masks[order[0]].any(axis=1).all()
        else:
            assert drop_inputs or small.inputs.tolist() == list(range(x.shape[1]))


@given(masked(conv_nets()), st.booleans())
@many
def test_a_smaller_convolutional_network_computes_the_same(case, drop_inputs):
    model, _, masks, _ = case
    if small := check_same(*case, drop_inputs=drop_inputs):
        check_nothing_is_dead(model, masks, small, list(masks))
        assert cost(small.model, (*IMAGE[:2], len(small.inputs))) <= cost(model, IMAGE)


@given(masked(conv_nets(padding=("valid", "same", 1))))
@many
def test_zeros_around_an_image_change_nothing(case):
    check_same(*case)


@given(masked(conv_nets(padding=("valid", "same"), norm=True)))
@many
def test_batch_norm_turns_a_constant_into_its_shift(case):
    check_same(*case)


@given(masked(perceptrons() | conv_nets()))
def test_the_smaller_network_is_as_small_as_it_gets(case):
    if small := check_same(*case):
        again = compacted(small.model, small.params, small.masks)
        assert again.model == small.model
        assert all((again.params[name] == small.params[name]).all() for name in small.params)


@given(masked(perceptrons() | conv_nets()))
def test_without_a_dead_unit_nothing_changes(case):
    model, params, _, x = case
    small = compacted(model, params, {})
    assert small.model == model
    assert not small.masks
    assert all((small.params[name] == params[name]).all() for name in params)
    np.testing.assert_allclose(outputs(small.model, small.params, {}, x), outputs(model, params, {}, x), rtol=1e-12)


def two_layers(xp, first, second, biases=((0.5, -2.0, 1.0), (10.0,))):
    """2-3-1 with weights of one, these biases and these masks."""
    model = nn.mlp(2, 3, 1)
    params = {name: np.ones(shape) for name, shape in model.shapes().items()}
    params |= {"fc1.bias": biases[0], "fc2.bias": biases[1]}
    params = {name: give(xp, np.array(a, dtype=float)) for name, a in params.items()}
    return model, params, {"fc1.weight": give(xp, np.array(first) > 0), "fc2.weight": give(xp, np.array(second) > 0)}


def test_a_unit_without_inputs_leaves_what_it_says_to_the_next_layers_biases(xp):
    small = compacted(*two_layers(xp, [[0, 1, 0], [0, 1, 0]], [[1], [1], [0]]))
    assert small.model == nn.mlp(2, 1, 1)
    assert back(small.params["fc1.bias"]).tolist() == [-2.0]
    assert back(small.params["fc2.bias"]).tolist() == [10.5]  # relu(0.5) · 1; what unit 2 says, nobody heard


def test_a_constant_below_zero_stops_at_the_relu(xp):
    small = compacted(*two_layers(xp, [[1, 0, 0], [0, 0, 0]], [[1], [1], [0]]))
    assert back(small.params["fc2.bias"]).tolist() == [10.0]


def test_inputs_are_dropped_only_if_asked(xp):
    network = two_layers(xp, [[0, 0, 0], [1, 1, 0]], [[1], [1], [1]])
    assert back(compacted(*network).inputs).tolist() == [0, 1]
    small = compacted(*network, drop_inputs=True)
    assert back(small.inputs).tolist() == [1]
    assert small.model.layers["fc1"] == nn.Linear(1, 2)


def test_an_input_that_only_a_dead_unit_sees_is_dropped(xp):
    small = compacted(*two_layers(xp, [[0, 0, 1], [1, 1, 0]], [[1], [1], [0]]), drop_inputs=True)
    assert back(small.inputs).tolist() == [1]


def padded(bias):
    """An image through a 1×1 and a padded 3×3 convolution, where channel 1 between them has no input."""
    model = nn.Chain({"a": nn.Conv2d(1, 2, 1), "relu": nn.Relu(), "b": nn.Conv2d(2, 1, 3, padding="same", bias=False)})
    params = {"a.weight": np.ones((1, 1, 1, 2)), "a.bias": np.array([0.0, bias]), "b.weight": np.ones((3, 3, 2, 1))}
    return model, params, {"a.weight": np.array([True, False]).reshape(1, 1, 1, 2)}


def test_a_constant_before_a_padded_convolution_keeps_its_channel():
    model, params, masks = padded(bias=1.0)
    small = compacted(model, params, masks)
    assert small.model == model
    x = np.ones((1, 3, 3, 1))
    assert small.model(small.params, x).value[0, :, :, 0].tolist() == [[8, 12, 8], [12, 18, 12], [8, 12, 8]]


def test_a_zero_before_a_padded_convolution_does_not():
    small = compacted(*padded(bias=-1.0))
    assert small.model.layers["a"] == nn.Conv2d(1, 1, 1)
    assert small.model.layers["b"] == nn.Conv2d(1, 1, 3, padding="same", bias=False)


def test_a_convolution_without_bias_gets_one_where_it_takes_over_a_constant():
    model, params, masks = padded(bias=1.0)
    model = nn.Chain(dict(model.layers) | {"b": nn.Conv2d(2, 1, 3, bias=False)})
    small = compacted(model, params, masks)
    assert small.model.layers["b"] == nn.Conv2d(1, 1, 3, bias=True)
    assert small.params["b.bias"].tolist() == [9.0]


def test_gates_closed_on_whole_units_give_the_network_of_the_open_ones(xp):
    """L0's gates: filters of the convolutions, inputs of the linear layers, closed with their biases."""
    rng, model = np.random.default_rng(0), models.lenet_5((16, 16, 1))
    params = model.init(rng, np.float64)
    masks = {name: np.ones(a.shape, bool) for name, a in params.items() if name.endswith(".weight")}
    masks["conv1.weight"][..., 7:] = False
    masks["conv2.weight"][..., 13:] = False
    masks["fc1.weight"][13:] = False  # the one pixel that is left of fifty channels
    masks["fc2.weight"][25:] = False
    small = compacted(model, give_all(xp, params), give_all(xp, masks))
    assert architecture(small.masks) == architecture(give_all(xp, masks)) == "7-13-13-25"
    x = rng.random((3, 16, 16, 1))
    got = back(small.model(small.params, give(xp, x)).value)
    np.testing.assert_allclose(got, outputs(model, params, masks, x), rtol=1e-12, atol=1e-12)


def test_lenet_300_100_at_98_percent_on_real_digits():
    rng, model = np.random.default_rng(1), models.lenet_300_100()
    params = model.init(rng, np.float64)
    params |= {name: rng.normal(size=a.shape) for name, a in params.items() if name.endswith("bias")}
    densities = {name: 0.02 for name in params if name.endswith("weight")}
    masks = random_masks({name: params[name].shape for name in densities}, densities, rng)
    x = data.as_inputs(data.load("digits")[0][:50], np.float64)
    small = check_same(model, params, masks, x, drop_inputs=True)
    check_nothing_is_dead(model, masks, small, list(masks))
    n_in, hidden = len(small.inputs), [small.model.layers[name].n_out for name in ("fc1", "fc2")]
    assert architecture(masks) == f"{n_in}-{hidden[0]}-{hidden[1]}"
    assert cost(small.model, (n_in,)) < 0.5 * cost(model, (784,))


def test_architecture_names_the_papers_networks_whole():
    for model, name in [(models.lenet_300_100(), "784-300-100"), (models.lenet_5(), "20-50-800-500")]:
        masks = {n: np.ones(shape, bool) for n, shape in model.shapes().items() if n.endswith(".weight")}
        assert architecture(masks) == name
        assert architecture(dict(reversed(masks.items())), list(masks)) == name


def test_architecture_counts_inputs_without_a_way_out_as_unused(xp):
    masks = two_layers(xp, [[0, 0, 1], [1, 1, 0]], [[1], [1], [0]])[2]
    assert architecture(masks) == "1-2"


def test_a_network_that_has_become_a_constant_is_refused(xp):
    with pytest.raises(ValueError, match=r"no path leads from the inputs through \['fc1.weight'\] to the outputs"):
        compacted(*two_layers(xp, [[1, 0, 0], [0, 0, 0]], [[0], [1], [1]]))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.DepthwiseConv2d(2, 1), "layer 'odd' is DepthwiseConv2d"),
        (nn.Conv2d(2, 2, 1, groups=2), "layer 'odd' is Conv2d.*convolutions with one group"),
        (nn.Residual(nn.Chain({})), "layer 'odd' is Residual"),
    ],
)
def test_layers_of_another_kind_are_refused(layer, message):
    model = nn.Chain({"odd": layer})
    with pytest.raises(ValueError, match=message):
        compacted(model, model.init(np.random.default_rng(0)), {})


def test_arrays_that_do_not_fit_the_model_are_refused():
    model, params, masks = two_layers(np, np.ones((2, 3)), np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"'fc1\.bias' is only in model"):
        compacted(model, {name: a for name, a in params.items() if name != "fc1.bias"}, masks)
    with pytest.raises(ValueError, match=r"'fc1.weight' has shape \(3, 2\), the model's has \(2, 3\)"):
        compacted(model, params | {"fc1.weight": np.ones((3, 2))}, {})
    with pytest.raises(ValueError, match=r"mask for 'fc1.weight' has shape \(3, 2\), weight has \(2, 3\)"):
        compacted(model, params, {"fc1.weight": np.ones((3, 2), bool)})
    with pytest.raises(ValueError, match=r"masks has \['fc1.bias'\]; expected masks of the weights"):
        compacted(model, params, {"fc1.bias": np.ones(3, bool)})
    with pytest.raises(ValueError, match="the model has no weights"):
        compacted(nn.Chain({"relu": nn.Relu()}), {}, {})
    odd = nn.Chain({"a": nn.Linear(2, 3), "b": nn.Linear(4, 1)})
    with pytest.raises(ValueError, match="'b' has 4 inputs, the layer before it 3 outputs"):
        compacted(odd, odd.init(np.random.default_rng(0)), {})


def test_truly_sparse_weights_and_masks_are_refused():
    model = nn.mlp(3, 2)
    params, masks = model.init(np.random.default_rng(0)), {"fc1.weight": np.eye(3, 2) > 0}
    own, positions = sparse.compressed(params, masks)
    for stored, at in [(own, positions), (own, masks), (params, positions), (own, {})]:
        with pytest.raises(
            TypeError, match=r"'fc1.weight' is truly sparse; expected an array, such as from sparse.dense"
        ):
            compacted(model, stored, at)


def test_the_arrays_given_are_left_as_they_were():
    network = two_layers(np, [[0, 1, 0], [0, 1, 0]], [[1], [1], [0]])
    before = {name: a.copy() for name, a in network[1].items()}
    small = compacted(*network)
    assert all((before[name] == a).all() for name, a in network[1].items())
    assert not any(np.shares_memory(a, b) for a in small.params.values() for b in network[1].values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_smaller_networks_arrays_keep_their_dtype(xp, dtype):
    model, params, masks = two_layers(xp, [[0, 1, 0], [0, 1, 0]], [[1], [1], [0]])
    small = compacted(model, {name: a.astype(dtype) for name, a in params.items()}, masks)
    assert {a.dtype for a in small.params.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("model", "shape"), [(models.l0_lenet_300_100(), (784,)), (models.l0_lenet_5(), (28, 28, 1))], ids=["mlp", "conv"]
)
def test_a_gated_network_becomes_the_smaller_one_of_its_open_gates(model, shape):
    rng = np.random.default_rng(0)
    params = model.init(rng, np.float64)
    for name, array in params.items():
        if not name.endswith(".weight"):
            params[name] = rng.normal(-1.0 if l0.is_gate(name) else 0.0, 3.0, array.shape)
    x = rng.random((5, *shape))
    expected = model(params, x).value

    masks = l0.masks(params)
    small = compacted(*nn.ungated(model, params), masks, drop_inputs=True)
    own = small.model(small.params, x[..., small.inputs]).value
    np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-9)
    assert sum(a.size for a in small.params.values()) < sum(a.size for a in params.values()) / 2
    if len(shape) == 1:
        assert l0.architecture(params) == architecture(masks) == architecture(small.masks)


def test_a_network_that_sees_only_constants_is_refused_however_they_get_there():
    """Padding hides it: a nonzero constant keeps its channel before a convolution that pads."""
    rng = np.random.default_rng(0)
    wide = {"c1": nn.Conv2d(1, 2, 3, padding=1), "bn": nn.BatchNorm(2), "c2": nn.Conv2d(2, 2, 3, padding="same")}
    tail = {"gap": nn.GlobalAvgPool(), "fc": nn.Linear(2, 3)}
    model = nn.Chain({"c0": nn.Conv2d(3, 1, 1), **wide, **tail})
    params = {name: rng.standard_normal(shape) for name, shape in model.shapes().items()}
    for name in ("c0.weight", "c1.weight", "c2.weight", "fc.weight"):
        for drop_inputs in (False, True):
            masks = {name: np.zeros(params[name].shape, bool)}
            with pytest.raises(ValueError, match="no path leads from the inputs"):
                compacted(model, params, masks, drop_inputs)
    kept = np.zeros((1, 1, 3, 1), bool)
    kept[0, 0, 1] = True
    small = compacted(model, params, {"c0.weight": kept}, drop_inputs=True)
    assert small.inputs.tolist() == [1]
