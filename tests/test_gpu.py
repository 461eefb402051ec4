"""What only a GPU can show: `pytest -m gpu`. The numeric tests run there too, through the `xp` fixture."""

import numpy as np
import pytest

from minisparse import data, nn, ops, recipes, to_device, to_numpy
from minisparse.experiments import rigl
from minisparse.masks import random_masks
from minisparse.optim import adam, sgd
from minisparse.train import train

pytestmark = pytest.mark.gpu
DENSITIES = {"fc1.weight": 0.1, "fc2.weight": 0.3}


@pytest.fixture(autouse=True)
def _device():
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("CuPy is here, a device is not")


def run(device, method, optimizer, dtype, steps):
    rng = np.random.default_rng(0)
    model = nn.mlp(784, 60, 10)
    images, labels = data.load("digits")
    params = model.init(rng, dtype)
    masks = random_masks({name: params[name].shape for name in DENSITIES}, DENSITIES, rng)
    batches = data.batches(*to_device((data.as_inputs(images, dtype), labels), device), 50, 0, stop=steps)
    loss = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0], train=True, rng=rng), batch[1])
    return list(train(loss, *to_device((params, masks), device), batches, method, rng, optimizer))


@pytest.mark.parametrize("optimizer", [sgd(0.05, 0.9, True, 1e-4), adam(1e-3, weight_decay=1e-4)], ids=["sgd", "adam"])
@pytest.mark.parametrize("method", [recipes.static(), recipes.rigl(0.3, 10, 90)], ids=["static", "rigl"])
def test_every_method_runs_on_the_gpu_as_on_the_cpu(method, optimizer):
    there = run("cuda", method, optimizer, np.float64, 100)
    here = run("cpu", method, optimizer, np.float64, 100)
    assert type(there[-1].params["fc1.weight"]).__module__.startswith("cupy")
    for a, b in zip(here, there, strict=True):
        assert all((to_numpy(b.masks[name]) == a.masks[name]).all() for name in DENSITIES)
        assert all(np.abs(to_numpy(b.params[name]) - a.params[name]).max() < 1e-9 for name in a.params)


def test_single_precision_weights_agree_to_1e_5():
    here, there = (run(device, recipes.static(), sgd(0.05, 0.9), np.float32, 50)[-1] for device in ("cpu", "cuda"))
    assert all(np.abs(to_numpy(there.params[name]) - here.params[name]).max() < 1e-5 for name in here.params)


def test_the_98_percent_network_learns_on_the_gpu():
    recipe = rigl.Recipe(300, 0.05, (200,), (200,), 0.3, 25, 150)
    sets = data.load("digits"), data.load("digits", split="test")
    *_, last = rigl.snapshots("rigl", *sets, 0, recipe, every=300, device="cuda")
    assert last.counts == {"fc1.weight": 4704, "fc2.weight": 3540, "fc3.weight": 1000}
    assert last.accuracy > 0.8
    assert rigl.central_share(last.pixels) > 0.6
