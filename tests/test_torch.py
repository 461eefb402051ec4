"""The engine and the optimizers against PyTorch's, in float64."""

import numpy as np
import pytest

from minisparse import nn, ops
from minisparse.autograd import value_and_grad
from minisparse.masks import Masks, random_masks
from minisparse.optim import adam, sgd
from minisparse.recipes import static
from minisparse.train import train

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

MODEL = nn.mlp(20, 16, 12, 5)
STEPS = 20


def example():
    rng = np.random.default_rng(0)
    params = MODEL.init(rng, np.float64)
    shapes = {name: w.shape for name, w in params.items() if name.endswith(".weight")}
    masks = random_masks(shapes, {"fc1.weight": 0.2, "fc2.weight": 0.5, "fc3.weight": 0.8}, rng)
    batches = [(rng.standard_normal((8, 20)), rng.integers(0, 5, 8)) for _ in range(STEPS)]
    return params, masks, batches


def ours(params, masks, batches, optimizer):
    loss_fn = lambda p, batch, rng: ops.softmax_cross_entropy(MODEL(p, batch[0]), batch[1])
    return list(train(loss_fn, params, masks, batches, static(), np.random.default_rng(0), optimizer))


def theirs(params, masks, batches, make):
    own = {
        name: torch.tensor(w * masks[name] if name in masks else w, requires_grad=True) for name, w in params.items()
    }
    optimizer = make(own)
    path = []
    for x, labels in batches:
        h = torch.from_numpy(x)
        for i in (1, 2, 3):
            h = torch.nn.functional.linear(h, own[f"fc{i}.weight"].T, own[f"fc{i}.bias"])
            h = torch.relu(h) if i < 3 else h
        loss = torch.nn.functional.cross_entropy(h, torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for name, mask in masks.items():
                own[name] *= torch.from_numpy(np.array(mask))
        path.append((loss.item(), {name: w.detach().numpy().copy() for name, w in own.items()}))
    return path


def groups(own, weight_decay):
    weights = [w for name, w in own.items() if name.endswith(".weight")]
    biases = [w for name, w in own.items() if not name.endswith(".weight")]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": biases, "weight_decay": 0.0}]


OPTIMIZERS = {
    "sgd": (sgd(0.1, weight_decay=0.01), lambda own: torch.optim.SGD(groups(own, 0.01), lr=0.1)),
    "momentum": (
        sgd(0.1, momentum=0.9, weight_decay=0.01),
        lambda own: torch.optim.SGD(groups(own, 0.01), lr=0.1, momentum=0.9),
    ),
    "nesterov": (
        sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda own: torch.optim.SGD(groups(own, 0.01), lr=0.1, momentum=0.9, nesterov=True),
    ),
    "adam": (adam(0.01, weight_decay=0.01), lambda own: torch.optim.Adam(groups(own, 0.01), lr=0.01)),
    "adam with other betas and eps": (
        adam(0.01, betas=(0.8, 0.95), eps=1e-3),
        lambda own: torch.optim.Adam(groups(own, 0.0), lr=0.01, betas=(0.8, 0.95), eps=1e-3),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("masked", [False, True], ids=["dense", "fixed masks"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps_agree_with_torch(name, masked):
    params, masks, batches = example()
    mine, make = OPTIMIZERS[name]
    chosen = masks if masked else Masks({})
    for step, (loss, want) in zip(
        ours(params, chosen, batches, mine), theirs(params, chosen, batches, make), strict=True
    ):
        assert step.loss == pytest.approx(loss, rel=1e-10)
        for key, w in want.items():
            np.testing.assert_allclose(step.params[key], w, rtol=0, atol=1e-10)
    assert max(abs(w - params[key]).max() for key, w in want.items()) > 0.01


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_softmax_cross_entropy_and_its_gradient_agree_with_torch(scale):
    rng = np.random.default_rng(0)
    logits, labels = scale * rng.standard_normal((16, 7)), rng.integers(0, 7, 16)
    loss, grads = value_and_grad(lambda p: ops.softmax_cross_entropy(p["z"], labels), {"z": logits})
    z = torch.tensor(logits, requires_grad=True)
    want = torch.nn.functional.cross_entropy(z, torch.from_numpy(labels))
    want.backward()
    assert float(loss) == pytest.approx(want.item(), rel=1e-12)
    np.testing.assert_allclose(grads["z"], z.grad.numpy(), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "exp", "abs"])
def test_activations_and_their_gradients_agree_with_torch(name):
    x = np.concatenate([[0.0], np.random.default_rng(0).standard_normal(50)])
    loss, grads = value_and_grad(lambda p: ops.sum(getattr(ops, name)(p["x"])), {"x": x})
    t = torch.tensor(x, requires_grad=True)
    want = getattr(torch, name)(t).sum()
    want.backward()
    assert float(loss) == pytest.approx(want.item(), rel=1e-12)
    np.testing.assert_allclose(grads["x"], t.grad.numpy(), rtol=1e-12, atol=1e-15)
