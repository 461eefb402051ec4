"""Networks of any nesting compute the same here and in PyTorch, with weights taken there and back."""

from collections import OrderedDict

import numpy as np
import pytest
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minisparse import models, nn
from minisparse.models import pytorch as exchange

torch = pytest.importorskip("torch")
tnn = torch.nn


def rng(seed=0):
    return np.random.default_rng(seed)


class Added(tnn.Module):
    """body(x) + shortcut(x), with the body's layers as its own."""

    def __init__(self, layer, shape):
        super().__init__()
        inner = shape
        for name, part in layer.body.layers.items():
            self.add_module(name, twin(part, inner))
            inner = part.sites(inner)[1]
        if layer.shortcut:
            self.add_module("shortcut", twin(layer.shortcut, shape))
        self.body = list(layer.body.layers)

    def forward(self, x):
        y = x
        for name in self.body:
            y = self._modules[name](y)
        return y + (self.shortcut(x) if "shortcut" in self._modules else x)


class Padded(tnn.Module):
    """Zeros (or −∞) around an image, as TensorFlow pads "same": the odd one at the end."""

    def __init__(self, size, stride, value):
        super().__init__()
        self.size, self.stride, self.value = size, stride, value

    def forward(self, x):
        sides = []
        for n in (x.shape[3], x.shape[2]):
            total = max((-(-n // self.stride) - 1) * self.stride + self.size - n, 0)
            sides += [total // 2, total - total // 2]
        return tnn.functional.pad(x, sides, value=self.value)


class Conv(tnn.Conv2d):
    before = None

    def forward(self, x):
        return super().forward(self.before(x) if self.before else x)


class Of(tnn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


def twin(layer, shape):
    """A PyTorch module with the layers of ours."""
    if isinstance(layer, nn.Chain):
        parts = OrderedDict()
        for name, part in layer.layers.items():
            parts[name], shape = twin(part, shape), part.sites(shape)[1]
        return tnn.Sequential(parts)
    if isinstance(layer, nn.Residual):
        return Added(layer, shape)
    stride = getattr(layer, "stride", None) or getattr(layer, "size", None)
    pads = {"valid": 0, "same": 0}.get(getattr(layer, "padding", 0), getattr(layer, "padding", 0))
    same = getattr(layer, "padding", 0) == "same"
    match layer:
        case nn.Linear():
            module = tnn.Linear(layer.n_in, layer.n_out)
        case nn.Conv2d():
            groups = layer.groups
            module = Conv(layer.c_in, layer.c_out, layer.size, stride, pads, groups=groups, bias=layer.bias)
            module.__dict__["before"] = Padded(layer.size, stride, 0.0) if same else None
        case nn.DepthwiseConv2d():
            n = layer.channels
            module = Conv(n, n, layer.size, stride, pads, groups=n, bias=layer.bias)
            module.__dict__["before"] = Padded(layer.size, stride, 0.0) if same else None
        case nn.BatchNorm():
            module = (tnn.BatchNorm2d if len(shape) == 3 else tnn.BatchNorm1d)(layer.channels, eps=layer.eps)
        case nn.MaxPool2d():
            module = tnn.MaxPool2d(layer.size, stride, pads)
            module = tnn.Sequential(Padded(layer.size, stride, -np.inf), module) if same else module
        case nn.AvgPool2d():
            module = tnn.AvgPool2d(layer.size, stride)
        case nn.GlobalAvgPool():
            module = Of(lambda x: x.mean(dim=(2, 3)))
        case nn.Relu():
            module = tnn.ReLU()
        case nn.Flatten():
            module = tnn.Flatten()
        case nn.Dropout():
            module = tnn.Identity()
    return module


def compared(model, shape, flat=False, n=2, seed=0):
    """(our logits, PyTorch's), after the weights went there; and they come back as they were."""
    random = rng(seed)
    params = {key: a + 0.2 * random.standard_normal(a.shape) for key, a in model.init(random, float).items()}
    x = random.standard_normal((n, *shape))
    ours = x.reshape(n, -1) if flat else x
    stats = nn.recalibrate(model, params, [ours])
    state = exchange.to_torch(model, params, shape, stats)
    assert all(a.flags.c_contiguous and a.flags.owndata for a in state.values())
    module = twin(model, ours.shape[1:]).double().eval()
    module.load_state_dict({key: torch.from_numpy(np.array(a)) for key, a in state.items()})
    back, back_stats = exchange.from_torch(model, module.state_dict(), shape)
    for want, got in ((params, back), (stats, back_stats)):
        assert want.keys() == got.keys()
        for key in want:
            np.testing.assert_array_equal(want[key], got[key])
            assert got[key].flags.c_contiguous
            assert got[key].flags.owndata
    there = torch.from_numpy(x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x)
    with torch.no_grad():
        want = module(there.flatten(1) if flat else there).numpy()
    return model(params, ours, stats=stats or None).value, want


@st.composite
def layers(draw, shape, depth, last=None):
    """A Chain for examples of `shape`, whose outputs have the shape `last`, or any."""
    parts = {}

    def add(layer):
        nonlocal shape
        parts[f"l{len(parts)}"] = layer
        shape = tuple(layer.sites(shape)[1])

    for _ in range(draw(st.integers(0, 3))):
        kinds = ["relu", "norm", *(["chain", "residual"] if depth else [])]
        kinds += ["conv", "pool", "depthwise"] if len(shape) == 3 else ["linear", "flatten", "dropout"]
        if len(shape) == 3 and (last is None or len(last) == 1):
            kinds += ["flatten", "mean"]
        match draw(st.sampled_from(kinds)):
            case "relu":
                add(nn.Relu())
            case "norm":
                add(nn.BatchNorm(shape[-1]))
            case "dropout":
                add(nn.Dropout(0.5))
            case "flatten":
                add(nn.Flatten())
            case "mean":
                add(nn.GlobalAvgPool())
            case "linear":
                add(nn.Linear(shape[0], draw(st.integers(1, 6))))
            case "conv":
                add(nn.Conv2d(shape[2], draw(st.integers(1, 3)), 3, padding=1, bias=draw(st.booleans())))
            case "depthwise":
                add(nn.DepthwiseConv2d(shape[2], 3, padding=1))
            case "pool":
                if min(shape[:2]) > 1:
                    add(draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))(2))
            case "chain":
                add(draw(layers(shape, depth - 1, last if last and len(last) == 3 else None)))
            case "residual":
                add(draw(residuals(shape, depth - 1)))
    if last is not None and shape != last:
        if len(last) == 3:
            parts.clear()  # back to the image, whose size may have changed
            shape = last
        else:
            if len(shape) == 3:
                add(nn.Flatten())
            if shape != last:
                add(nn.Linear(shape[0], last[0]))
    return nn.Chain(parts)


@st.composite
def residuals(draw, shape, depth):
    """A block for examples of `shape`: around it the identity, or another chain of layers."""
    if draw(st.booleans()):
        return nn.Residual(draw(layers(shape, depth, shape)))
    n = draw(st.integers(1, 6))
    both = [draw(layers(shape, depth, (n,))) for _ in "ab"]
    both = [nn.Chain({**chain.layers, "last": nn.Linear(n, n)}) for chain in both]
    return nn.Residual(both[0], both[1])


@st.composite
def networks(draw):
    shape = draw(st.sampled_from([(2, 3, 3), (4, 4, 2), (3, 2, 1), (1, 1, 4), (7,)]))
    body = draw(layers(shape, 3))
    n = tuple(body.sites(shape)[1])
    flatten = {"flatten": nn.Flatten()} if len(n) == 3 else {}
    return nn.Chain({"body": body, **flatten, "fc": nn.Linear(int(np.prod(n)), 3)}), shape


@settings(max_examples=examples(150), suppress_health_check=list(HealthCheck))
@given(networks())
def test_any_nesting_gives_pytorchs_logits(network):
    model, shape = network
    ours, theirs = compared(model, shape, n=5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)


BUILT_IN = {
    "lenet_300_100": (models.lenet_300_100(75, 3), (5, 5, 3)),
    "lenet_5": (models.lenet_5((16, 20, 2), 4), (16, 20, 2)),
    "alexnet": (models.alexnet((67, 67, 3), 3), (67, 67, 3)),
    "vgg_16": (models.vgg_16((32, 64, 3), 3), (32, 64, 3)),
    "vgg_c": (models.vgg_c((32, 64, 3)), (32, 64, 3)),
    "vgg_d": (models.vgg_d((32, 64, 3)), (32, 64, 3)),
    "vgg_like": (models.vgg_like((32, 64, 3)), (32, 64, 3)),
    "wide_resnet": (models.wide_resnet(16, 2, (12, 8, 3), dropout=0.3), (12, 8, 3)),
    "resnet_50": (models.resnet_50((45, 40, 3), 3, width=1 / 16), (45, 40, 3)),
    "mobilenet_v1": (models.mobilenet_v1((45, 40, 3), 3, width=1 / 8), (45, 40, 3)),
}
GATED = {
    "l0_lenet_300_100": (models.l0_lenet_300_100(75, 3), (5, 5, 3)),
    "l0_lenet_5": (models.l0_lenet_5((16, 20, 2), 4), (16, 20, 2)),
}


def test_every_built_in_network_is_here():
    makers = {name for name in dir(models.networks) if not name.startswith("_")} & set(dir(models))
    functions = {
        name for name in makers if getattr(getattr(models, name), "__module__", "") == models.networks.__name__
    }
    assert functions == BUILT_IN.keys() | GATED.keys()


LARGE = ("alexnet", "vgg_16", "vgg_c", "vgg_d")  # ten million weights and more; vgg_like is of their kind


@pytest.mark.long
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in LARGE else []) for n in BUILT_IN])
def test_a_built_in_network_gives_pytorchs_logits(name):
    model, shape = BUILT_IN[name]
    ours, theirs = compared(model, shape, flat=name == "lenet_300_100")
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-7 * abs(theirs).max())


@pytest.mark.parametrize("name", GATED)
def test_a_network_with_gates_is_refused_by_the_name_of_its_gates_and_goes_without_them(name):
    model, shape = GATED[name]
    params = model.init(rng(), float)
    with pytest.raises(ValueError, match="log_alpha"):
        exchange.to_torch(model, params, shape)
    plain, folded = nn.ungated(model, params)
    state = exchange.to_torch(plain, folded, shape)
    with pytest.raises(ValueError, match=r"the model has \[.*log_alpha.*\], which PyTorch has no counterpart of"):
        exchange.from_torch(model, state, shape)
    ours, theirs = compared(plain, shape, flat="300" in name)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)


def test_features_of_two_orders_that_are_added_are_refused_by_name():
    tall = nn.Chain(
        {"conv": nn.Conv2d(2, 4, 1), "pool": nn.MaxPool2d(2), "flat": nn.Flatten()}
    )  # 8 pixels of 4 → 2 of 4
    model = nn.Chain(
        {"block": nn.Residual(tall, nn.Chain({"pool": nn.AvgPool2d(2), "c": nn.Conv2d(2, 4, 1), "f": nn.Flatten()}))}
    )
    ends = nn.Chain({**model.layers, "fc": nn.Linear(8, 2)})
    assert exchange.to_torch(ends, ends.init(rng()), (4, 2, 2)).keys()  # the same order twice
    wide = nn.Residual(
        nn.Chain({"c": nn.Conv2d(2, 1, 1), "f": nn.Flatten()}),
        nn.Chain({"p": nn.AvgPool2d(2), "c": nn.Conv2d(2, 4, 1), "f": nn.Flatten()}),
    )
    other = nn.Chain({"block": wide, "fc": nn.Linear(8, 2)})
    with pytest.raises(ValueError, match=r"'block' adds features of shapes \(8,\) and \(8,\), which in PyTorch"):
        exchange.to_torch(other, other.init(rng()), (4, 2, 2))


def test_a_network_that_ends_in_a_flattened_image_is_refused():
    model = nn.Chain({"conv": nn.Conv2d(1, 2, 1), "flat": nn.Flatten(), "relu": nn.Relu()})
    with pytest.raises(ValueError, match="ends in the 8 features of a flattened image"):
        exchange.to_torch(model, model.init(rng()), (2, 2, 1))
    one_channel = nn.Chain({"conv": nn.Conv2d(1, 1, 1), "flat": nn.Flatten()})
    assert exchange.to_torch(one_channel, one_channel.init(rng()), (2, 2, 1)).keys()


class Reversed(nn.Layer):
    """A layer that PyTorch does not have."""

    def __call__(self, params, x, *, train=False, rng=None, stats=None):
        return x


def test_a_layer_of_ones_own_is_refused_where_the_order_matters():
    linear = nn.Linear(8, 2)
    before = nn.Chain({"flat": nn.Flatten(), "mine": Reversed(), "fc": linear})
    with pytest.raises(ValueError, match=r"'mine' is .*; how PyTorch orders what it does is not known"):
        exchange.to_torch(before, before.init(rng()), (2, 2, 2))
    after = nn.Chain({"fc": linear, "mine": Reversed()})
    assert exchange.to_torch(after, after.init(rng()), (8,)).keys() == {"fc.weight", "fc.bias"}


def test_truly_sparse_weights_are_refused():
    from minisparse.sparse import compressed

    model = nn.mlp(4, 3)
    params = model.init(rng())
    stored, _ = compressed(params, {"fc1.weight": params["fc1.weight"] > 0})
    with pytest.raises(TypeError, match=r"'fc1\.weight' is truly sparse"):
        exchange.to_torch(model, stored, (4,))


DTYPES = [torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.int8, torch.uint8, torch.int64, torch.bool]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("ending", [".pt", ".pth", ".safetensors"])
def test_tensors_of_every_real_dtype_are_read_exactly(tmp_path, dtype, ending):
    values = torch.tensor([[0.0, 1.0, 3.140625], [2.0, 100.0, 0.5]]).to(dtype)
    written(tmp_path / f"w{ending}", {"fc.weight": values, "n": torch.tensor(3)})
    read = exchange.load(tmp_path / f"w{ending}")
    assert read["n"].tolist() == 3
    assert read["fc.weight"].tolist() == values.double().tolist()
    assert read["fc.weight"].dtype == (
        np.float32 if dtype is torch.bfloat16 else values.float().to(dtype).numpy().dtype
    )


def test_every_bfloat16_is_read_exactly(tmp_path):
    bits = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    for ending in (".pt", ".safetensors"):
        written(tmp_path / f"w{ending}", {"w": bits})
        np.testing.assert_array_equal(exchange.load(tmp_path / f"w{ending}")["w"], bits.float().numpy())
    params, _ = exchange.from_torch(nn.mlp(2, 3), {"fc1.weight": bits[:6].reshape(3, 2), "fc1.bias": bits[:3]}, (2,))
    assert params["fc1.weight"].dtype == np.float32


def written(path, tensors):
    if path.suffix == ".safetensors":
        pytest.importorskip("safetensors.torch").save_file(tensors, path)
    else:
        torch.save(tensors, path)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64], ids=str)
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_tensors_of_other_dtypes_are_refused_by_name_and_file(tmp_path, dtype, ending):
    written(tmp_path / f"w{ending}", {"a": torch.ones(2), "fc.weight": torch.ones(2, 2).to(dtype)})
    with pytest.raises(ValueError, match=rf"w\{ending}: 'fc.weight' (is|has dtype)"):
        exchange.load(tmp_path / f"w{ending}")


@pytest.mark.parametrize("odd", [torch.eye(2).to_sparse(), torch.empty(2, device="meta"), 3, {"weight": torch.ones(2)}])
def test_what_is_no_plain_tensor_is_refused_by_name_and_file(tmp_path, odd):
    torch.save({"fc.weight": odd}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"w\.pt: 'fc.weight' is"):
        exchange.load(tmp_path / "w.pt")


@pytest.mark.parametrize("odd", [np.array(["a"]), np.array([1j]), np.zeros(2, "V2")])
def test_npz_of_no_numbers_is_refused_by_name_and_file(tmp_path, odd):
    np.savez(tmp_path / "w.npz", **{"fc.weight": odd})
    with pytest.raises(ValueError, match=r"w\.npz: 'fc.weight' is .*; expected an array of real numbers"):
        exchange.load(tmp_path / "w.npz")
