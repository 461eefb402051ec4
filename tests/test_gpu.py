"""What only a GPU can show: `pytest -m gpu`. The numeric tests run there too, through the `xp` fixture."""

import math

import numpy as np
import pytest
from command_line import said

from minisparse import data, nn, ops, recipes, sparse, to_device, to_numpy
from minisparse.backend import namespace
from minisparse.experiments.rigl import picture as rigl
from minisparse.masks import random_masks
from minisparse.optim import adam, sgd
from minisparse.runs.folder import read_json
from minisparse.runs.methods import METHODS as ENTRIES
from minisparse.train import train

pytestmark = pytest.mark.gpu
DENSITIES = {"fc1.weight": 0.1, "fc2.weight": 0.3}


@pytest.fixture(autouse=True)
def _device():
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("CuPy is here, a device is not")


def written(array):
    return to_numpy(sparse.dense(array))


def run(device, method, optimizer, dtype, steps, storage="masked"):
    rng = np.random.default_rng(0)
    model = nn.mlp(784, 60, 10)
    images, labels = data.load("digits")
    params = model.init(rng, dtype)
    masks = random_masks({name: params[name].shape for name in DENSITIES}, DENSITIES, rng)
    batches = data.batches(*to_device((data.as_inputs(images, dtype), labels), device), 50, 0, stop=steps)
    if storage == "sparse":
        params, masks = sparse.compressed(params, masks)
    loss = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0], train=True, rng=rng), batch[1])
    return list(train(loss, *to_device((params, masks), device), batches, method, rng, optimizer))


METHODS = {
    "static": recipes.static(),
    "set": recipes.set(0.3, 10, 10),
    "snfs": recipes.snfs(0.3, 10, 10),
    "rigl": recipes.rigl(0.3, 10, 90),
    "rigl-random": recipes.rigl(0.3, 10, 90, watch=recipes.noise),
    "gradual": recipes.gradual(0.95, 10, 90, 10),
}


@pytest.mark.parametrize("storage", ["masked", "sparse"])
@pytest.mark.parametrize("optimizer", [sgd(0.05, 0.9, True, 1e-4), adam(1e-3, weight_decay=1e-4)], ids=["sgd", "adam"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs_on_the_gpu_as_on_the_cpu(method, optimizer, storage):
    if (method, storage) == ("snfs", "sparse"):
        pytest.skip(recipes.DENSE_BY_DEFINITION)
    here, there = (run(device, METHODS[method], optimizer, np.float64, 100, storage) for device in ("cpu", "cuda"))
    assert namespace(there[-1].params["fc1.weight"]).__name__ == "cupy"
    assert (method != "static") == any(step.rewired for step in there)
    for a, b in zip(here, there, strict=True):
        assert all((written(b.masks[name]) == written(a.masks[name])).all() for name in DENSITIES)
        assert all(np.abs(written(b.params[name]) - written(a.params[name])).max() < 1e-9 for name in a.params)


@pytest.mark.parametrize("storage", ["masked", "sparse"])
@pytest.mark.parametrize("method", ENTRIES)
def test_every_method_trains_by_the_command_line_as_on_the_cpu(tmp_path, method, storage):
    entry = ENTRIES[method]
    if storage == "sparse" and entry.refusal:
        pytest.skip(entry.refusal)
    options = {"sparsity": ("--sparsity", "0.8"), "delta_t": ("--delta-t", "10"), "rounds": ("--rounds", "1")}
    given = [word for name in options if name in entry.options for word in options[name]]
    line = ("train", "--method", method, "--storage", storage, "--model", "mlp-32", "--epochs", "4", *given)
    for device in ("cpu", "cuda"):
        said(*line, "--device", device, "--out", tmp_path / device)
    here, there = (read_json(tmp_path / device / "result.json") for device in ("cpu", "cuda"))
    if method != "l0":  # whose sparsity is an outcome
        assert there["active"] == here["active"]
    error = math.sqrt(0.25 / 297)  # at most, of an accuracy on the digits' test images
    assert there["test_accuracy"] == pytest.approx(here["test_accuracy"], abs=3 * error)


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
