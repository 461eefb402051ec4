"""Weights to PyTorch's names and axes, and back."""

import sys
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisparse import models, nn
from minisparse.models import pytorch as exchange

SEPARABLE = nn.Chain(
    {
        "depthwise": nn.DepthwiseConv2d(3, 3, padding=1),
        "bn": nn.BatchNorm(3),
        "relu": nn.Relu(),
        "grouped": nn.Conv2d(3, 6, 3, stride=2, groups=3),
        "flatten": nn.Flatten(),
        "flat_bn": nn.BatchNorm(6 * 2 * 3),
        "fc1": nn.Linear(36, 5),
        "relu1": nn.Relu(),
        "fc2": nn.Linear(5, 4),
    }
)
NETWORKS = {
    "an image into linear layers": (nn.mlp(60, 7, 4), (4, 5, 3)),
    "features into linear layers": (nn.mlp(60, 7, 4), (60,)),
    "lenet-5": (models.lenet_5((16, 20, 2), 4), (16, 20, 2)),
    "residual": (models.wide_resnet(10, 1), (8, 12, 3)),
    "depthwise, groups, batch norm": (SEPARABLE, (6, 8, 3)),
}


def network(name, dtype=np.float64):
    model, shape = NETWORKS[name]
    rng = np.random.default_rng(len(name))
    params = {key: (a + 0.3 * rng.standard_normal(a.shape)).astype(dtype) for key, a in model.init(rng, dtype).items()}
    x = rng.standard_normal((5, *shape)).astype(dtype)
    inputs = x.reshape(5, -1) if isinstance(next(iter(model.layers.values())), nn.Linear) else x
    return model, shape, params, nn.recalibrate(model, params, [inputs]), x, inputs


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
        assert a[name].dtype == b[name].dtype


@pytest.mark.parametrize("name", NETWORKS)
def test_what_goes_to_torch_and_comes_back_is_what_it_was(name):
    model, shape, params, stats, _, _ = network(name)
    state = exchange.to_torch(model, params, shape, stats)
    back, back_stats = exchange.from_torch(model, state, shape)
    same(back, params)
    same(back_stats, stats)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_a_flattened_image_is_read_channel_by_channel_there(h, w, c, n):
    weight = np.arange(h * w * c * n).reshape(h * w * c, n)
    state = exchange.to_torch(nn.mlp(h * w * c, n), {"fc1.weight": weight}, (h, w, c))
    for row, column, channel, unit in np.ndindex(h, w, c, n):
        ours, theirs = (row * w + column) * c + channel, (channel * h + row) * w + column
        assert state["fc1.weight"][unit, theirs] == weight[ours, unit]


def test_kernels_are_turned_by_the_names_of_their_axes():
    _, shape, params, stats, _, _ = network("depthwise, groups, batch norm")
    state = exchange.to_torch(SEPARABLE, params, shape, stats)
    assert state["depthwise.weight"].shape == (3, 1, 3, 3)
    assert state["grouped.weight"].shape == (6, 1, 3, 3)
    for h, w, i in np.ndindex(3, 3, 3):
        assert state["depthwise.weight"][i, 0, h, w] == params["depthwise.weight"][h, w, i, 0]
    for h, w, o in np.ndindex(3, 3, 6):
        assert state["grouped.weight"][o, 0, h, w] == params["grouped.weight"][h, w, 0, o]
    assert set(state) >= {"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"}


def test_masks_go_the_same_way():
    model, shape, params, _, _, _ = network("lenet-5")
    masks = {name: a > 0 for name, a in params.items() if name.endswith(".weight")}
    state = exchange.to_torch(model, params, shape)
    for name, mask in exchange.to_torch(model, masks, shape).items():
        np.testing.assert_array_equal(mask, state[name] > 0)


def test_what_is_only_on_one_side_is_named():
    model, shape, params, _, _, _ = network("lenet-5")
    state = exchange.to_torch(model, params, shape)
    with pytest.raises(ValueError, match=r"'conv1.bias' is only in model"):
        exchange.from_torch(model, {name: a for name, a in state.items() if name != "conv1.bias"}, shape)
    with pytest.raises(ValueError, match=r"'head.bias' is only in state"):
        exchange.from_torch(model, state | {"head.bias": np.zeros(3)}, shape)
    with pytest.raises(ValueError, match=r"'fc2.weight' is 'fc2.weight' of shape \(500, 5\); expected \(500, 4\)"):
        exchange.from_torch(model, state | {"fc2.weight": np.zeros((5, 500))}, shape)
    with pytest.raises(ValueError, match=r"params has \['fc9.weight'\], which are not in the model"):
        exchange.to_torch(model, {"fc9.weight": np.zeros(3)}, shape)


def test_gates_are_folded_before_they_go():
    model = nn.gated(nn.mlp(6, 5, 4), {"fc1": 0.5})
    with pytest.raises(ValueError, match=r"params has \['fc1.log_alpha'\]"):
        exchange.to_torch(model, model.init(np.random.default_rng(0)), (6,))


@pytest.mark.parametrize("ending", [".npz", ".safetensors", ".pt"])
def test_files_give_back_what_was_written(tmp_path, ending):
    if ending != ".npz":
        pytest.importorskip({".safetensors": "safetensors", ".pt": "torch"}[ending])
    model, shape, params, stats, _, _ = network("depthwise, groups, batch norm", np.float32)
    state = exchange.to_torch(model, params, shape, stats)
    path = exchange.save(tmp_path / f"weights{ending}", state)
    same(exchange.load(path), state)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_endings_and_missing_libraries_are_said(tmp_path, monkeypatch):
    for act in (lambda path: exchange.save(path, {}), exchange.load):
        with pytest.raises(ValueError, match=r"expected \.npz, \.safetensors"):
            act(tmp_path / "weights.h5")
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ValueError, match=r"safetensors is not installed, .*: pip install safetensors"):
        exchange.save(tmp_path / "a.safetensors", {})
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match="torch is not installed"):
        exchange.load(tmp_path / "a.pt")
    assert not list(tmp_path.iterdir())


class Flipped(dict):
    """Code that runs when it is unpickled."""

    def __reduce__(self):
        return (sys.exit, (3,))


def test_a_torch_file_that_runs_code_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(Flipped(), tmp_path / "evil.pt")
    with pytest.raises(ValueError, match=r"evil\.pt contains something other than tensors"):
        exchange.load(tmp_path / "evil.pt")


def torch_twin(name):
    """A PyTorch module with the layers of NETWORKS, written by hand."""
    torch = pytest.importorskip("torch")
    tnn = torch.nn
    if "linear" in name:
        layers = [("flatten", tnn.Flatten()), ("fc1", tnn.Linear(60, 7)), ("r", tnn.ReLU()), ("fc2", tnn.Linear(7, 4))]
    elif name == "lenet-5":
        layers = [
            ("conv1", tnn.Conv2d(2, 20, 5)), ("p1", tnn.MaxPool2d(2)), ("r1", tnn.ReLU()),
            ("conv2", tnn.Conv2d(20, 50, 5)), ("p2", tnn.MaxPool2d(2)), ("r2", tnn.ReLU()),
            ("flatten", tnn.Flatten()), ("fc1", tnn.Linear(100, 500)), ("r3", tnn.ReLU()),
            ("fc2", tnn.Linear(500, 4)),
        ]  # fmt: skip
    else:
        layers = [
            ("depthwise", tnn.Conv2d(3, 3, 3, padding=1, groups=3)), ("bn", tnn.BatchNorm2d(3)), ("r", tnn.ReLU()),
            ("grouped", tnn.Conv2d(3, 6, 3, stride=2, groups=3)), ("flatten", tnn.Flatten()),
            ("flat_bn", tnn.BatchNorm1d(36)), ("fc1", tnn.Linear(36, 5)), ("r1", tnn.ReLU()), ("fc2", tnn.Linear(5, 4)),
        ]  # fmt: skip
    return tnn.Sequential(OrderedDict(layers))


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "residual"])
def test_the_module_with_our_weights_computes_what_we_do(name):
    torch = pytest.importorskip("torch")
    model, shape, params, stats, x, inputs = network(name)
    module = torch_twin(name).double().eval()
    state = exchange.to_torch(model, params, shape, stats)
    module.load_state_dict({key: torch.from_numpy(a.copy()) for key, a in state.items()})  # strict: no name too many
    with torch.no_grad():
        want = module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x)).numpy()
    np.testing.assert_allclose(model(params, inputs, stats=stats).value, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "residual"])
def test_we_compute_with_the_modules_weights_what_it_does(name):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model, shape, _, _, x, inputs = network(name)
    module = torch_twin(name).double()
    images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x)
    module(images)  # gives batch norms other statistics than 0 and 1
    params, stats = exchange.from_torch(model, module.state_dict(), shape)
    with torch.no_grad():
        want = module.eval()(images).numpy()
    np.testing.assert_allclose(model(params, inputs, stats=stats or None).value, want, rtol=1e-10, atol=1e-10)
