"""The papers' building blocks against the same ones written with PyTorch's modules, in float64."""

import numpy as np
import pytest

from minisparse import models, nn, ops
from minisparse.autograd import value_and_grad

torch = pytest.importorskip("torch")
torch.set_num_threads(1)


class Conv(torch.nn.Conv2d):
    """A convolution without bias; padding None is TensorFlow's "same", with the odd zero after the image."""

    def __init__(self, c_in, c_out, size, stride=1, padding=0, groups=1):
        super().__init__(c_in, c_out, size, stride, 0 if padding is None else padding, groups=groups, bias=False)
        self.same = padding is None

    def forward(self, x):
        if self.same:
            zeros = [max(0, (-(-n // self.stride[0]) - 1) * self.stride[0] + self.kernel_size[0] - n)
                     for n in (x.shape[3], x.shape[2])]  # fmt: skip
            x = torch.nn.functional.pad(x, [part for z in zeros for part in (z // 2, z - z // 2)])
        return super().forward(x)


class Preactivated(torch.nn.Module):
    """A block of a wide residual network; where it changes the shape, the shortcut starts after its first ReLU."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.bn1, self.conv1 = torch.nn.BatchNorm2d(c_in), Conv(c_in, c_out, 3, stride, None)
        self.bn2, self.conv2 = torch.nn.BatchNorm2d(c_out), Conv(c_out, c_out, 3, 1, None)
        self.around = Conv(c_in, c_out, 1, stride) if c_in != c_out else None

    def forward(self, x):
        h = torch.relu(self.bn1(x))
        x = self.around(h) if self.around else x
        return x + self.conv2(torch.relu(self.bn2(self.conv1(h))))

    def named(self, prefix):
        if self.around is None:
            return {prefix + name: getattr(self, name) for name in ("bn1", "conv1", "bn2", "conv2")}
        inside = {f"{prefix}block.{name}": getattr(self, name) for name in ("conv1", "bn2", "conv2")}
        return {f"{prefix}bn1": self.bn1, **inside, f"{prefix}block.shortcut": self.around}


class WideResNet10(torch.nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.conv1 = Conv(3, 16, 3, 1, None)
        c_ins, strides = (16, *widths), (1, 2, 2)
        self.blocks = torch.nn.ModuleList(map(Preactivated, c_ins, widths, strides))
        self.bn, self.fc = torch.nn.BatchNorm2d(widths[-1]), torch.nn.Linear(widths[-1], 10)

    def forward(self, x):
        x = self.conv1(x)
        for block in self.blocks:
            x = block(x)
        return self.fc(torch.relu(self.bn(x)).mean(dim=(2, 3)))

    def named(self):
        blocks = [block.named(f"group{i}_1.") for i, block in enumerate(self.blocks, 1)]
        inner = {name: module for block in blocks for name, module in block.items()}
        return {"conv1": self.conv1, **inner, "bn": self.bn, "fc": self.fc}


class Bottleneck(torch.nn.Module):
    def __init__(self, c_in, middle, c_out, stride=1):
        super().__init__()
        self.conv_a, self.bn_a = Conv(c_in, middle, 1), torch.nn.BatchNorm2d(middle)
        self.conv_b, self.bn_b = Conv(middle, middle, 3, stride, None), torch.nn.BatchNorm2d(middle)
        self.conv_c, self.bn_c = Conv(middle, c_out, 1), torch.nn.BatchNorm2d(c_out)
        if c_in != c_out:
            self.conv_1, self.bn_1 = Conv(c_in, c_out, 1, stride), torch.nn.BatchNorm2d(c_out)

    def forward(self, x):
        h = torch.relu(self.bn_a(self.conv_a(x)))
        h = torch.relu(self.bn_b(self.conv_b(h)))
        h = self.bn_c(self.conv_c(h))
        return h + (self.bn_1(self.conv_1(x)) if hasattr(self, "conv_1") else x)

    def named(self):
        own = {"branch2a": "a", "branch2b": "b", "branch2c": "c"}
        own |= {"shortcut.branch1": "1"} if hasattr(self, "conv_1") else {}
        return {name: getattr(self, f"conv_{part}") for name, part in own.items()} | {
            f"{name}_bn": getattr(self, f"bn_{part}") for name, part in own.items()
        }


class Separable(torch.nn.Sequential):
    """A depthwise 3×3 and a pointwise convolution, each with batch norm and ReLU."""

    def __init__(self, number, c_in, c_out, stride):
        parts = [Conv(c_in, c_in, 3, stride, 1, groups=c_in), torch.nn.BatchNorm2d(c_in), torch.nn.ReLU(),
                 Conv(c_in, c_out, 1), torch.nn.BatchNorm2d(c_out), torch.nn.ReLU()]  # fmt: skip
        super().__init__(*parts)
        self.number = number

    def named(self):
        names = [name + str(self.number) + suffix for name in ("depthwise", "pointwise") for suffix in ("", "_bn")]
        return dict(zip(names, (self[0], self[1], self[3], self[4]), strict=True))


def separable(number, width=0.25):
    """Of MobileNet's layers, the four of one number and their ReLUs."""
    pairs = [f"{name}{number}{end}" for name in ("depthwise", "pointwise") for end in ("", "_bn", "_relu")]
    layers = models.mobilenet_v1(width=width).layers
    return nn.Chain({name: layers[name] for name in pairs})


BLOCKS = {  # name: (our description, PyTorch's module, channels of the image)
    "wide_resnet(10, 1)": (models.wide_resnet(10, 1), lambda: WideResNet10((16, 32, 64)), 3),
    "wide_resnet(10, 2)": (models.wide_resnet(10, 2), lambda: WideResNet10((32, 64, 128)), 3),
    "bottleneck": (models.resnet_50(width=1 / 8).layers["res3b"], lambda: Bottleneck(64, 16, 64), 64),
    "wider bottleneck": (models.resnet_50(width=1 / 8).layers["res2a"], lambda: Bottleneck(8, 8, 32), 8),
    "bottleneck of stride 2": (models.resnet_50(width=1 / 8).layers["res3a"], lambda: Bottleneck(32, 16, 64, 2), 32),
    "separable": (separable(3), lambda: Separable(3, 32, 32, 1), 32),
    "separable of stride 2": (separable(4), lambda: Separable(4, 32, 64, 2), 32),
}
TORCHS = {"scale": "weight", "shift": "bias", "weight": "weight", "bias": "bias"}


def there(name, array, groups=1):
    """A parameter in PyTorch's layout: kernels (out, in, kh, kw), linear weights (out, in)."""
    order = {4: (2, 3, 0, 1) if groups > 1 else (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
    return torch.from_numpy(array.transpose(order).copy())


def home(array, groups=1):
    """A gradient of PyTorch's in our layout."""
    order = {4: (2, 3, 0, 1) if groups > 1 else (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[array.ndim]
    return array.numpy().transpose(order)


def example(name, side):
    """Our model with parameters far from their start, PyTorch's with the same ones, and a batch of images."""
    model, make, channels = BLOCKS[name]
    rng = np.random.default_rng([len(name), side])
    params = {key: array + 0.3 * rng.standard_normal(array.shape) for key, array in model.init(rng, float).items()}
    twin = make().double()
    places = {}
    for key, array in params.items():
        layer, _, own = key.rpartition(".")
        module = twin.named()[layer]
        places[key] = getattr(module, TORCHS[own]), getattr(module, "groups", 1)
        with torch.no_grad():
            places[key][0].copy_(there(key, array, places[key][1]))
    assert len(places) == len(list(twin.parameters()))
    return model, params, twin, places, rng.standard_normal((5, side, side + 1, channels))


def images(t):
    return t.detach().numpy().transpose(0, 2, 3, 1) if t.ndim == 4 else t.detach().numpy()


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("name", BLOCKS)
def test_outputs_and_all_gradients_in_training_agree_with_torch(name, side):
    model, params, twin, places, x = example(name, side)
    y = model(params, x, train=True).value
    weights = np.random.default_rng(0).standard_normal(y.shape)
    loss_fn = lambda p: ops.sum(model(p, p["x"], train=True) * weights)
    _, grads = value_and_grad(loss_fn, {**params, "x": x})

    tx = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    ty = twin.train()(tx)
    np.testing.assert_allclose(y, images(ty), rtol=1e-9, atol=1e-9)
    (ty * torch.from_numpy(weights.transpose(0, 3, 1, 2).copy() if y.ndim == 4 else weights)).sum().backward()
    np.testing.assert_allclose(grads["x"], images(tx.grad), rtol=1e-9, atol=1e-9)
    for key, (parameter, groups) in places.items():
        np.testing.assert_allclose(grads[key], home(parameter.grad, groups), rtol=1e-9, atol=1e-9, err_msg=key)
        assert abs(grads[key]).max() > 1e-3


@pytest.mark.parametrize("name", BLOCKS)
def test_inference_with_recalibrated_statistics_agrees_with_torch_in_eval_mode(name):
    model, params, twin, _, x = example(name, 8)
    stats = nn.recalibrate(model, params, [x[:3], x[3:]])
    norms = {layer: module for layer, module in twin.named().items() if isinstance(module, torch.nn.BatchNorm2d)}
    assert set(stats) == {f"{layer}.{own}" for layer in norms for own in ("mean", "var")}
    for layer, module in norms.items():
        module.running_mean.copy_(torch.from_numpy(stats[f"{layer}.mean"]))
        module.running_var.copy_(torch.from_numpy(stats[f"{layer}.var"]))
    with torch.no_grad():
        want = twin.eval()(torch.tensor(x.transpose(0, 3, 1, 2).copy()))
    np.testing.assert_allclose(model(params, x, stats=stats).value, images(want), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", BLOCKS)
def test_one_batchs_statistics_are_those_that_torch_notes(name):
    model, params, twin, _, x = example(name, 8)
    stats = nn.recalibrate(model, params, [x])
    seen = {}

    def noting(layer):
        return lambda module, inputs, _: seen.update({layer: inputs[0].numel() // inputs[0].shape[1]})

    norms = {layer: module for layer, module in twin.named().items() if isinstance(module, torch.nn.BatchNorm2d)}
    for layer, module in norms.items():
        module.momentum = None
        module.register_forward_hook(noting(layer))
    with torch.no_grad():
        twin.train()(torch.tensor(x.transpose(0, 3, 1, 2).copy()))
    for layer, module in norms.items():
        np.testing.assert_allclose(stats[f"{layer}.mean"], module.running_mean, rtol=1e-9, atol=1e-9)
        biased = module.running_var * (seen[layer] - 1) / seen[layer]  # PyTorch notes the variance divided by n - 1
        np.testing.assert_allclose(stats[f"{layer}.var"], biased, rtol=1e-9)
