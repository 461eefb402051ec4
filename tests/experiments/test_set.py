"""SET's studies: two protocols, what a run reports, and rows and figures upon made-up results."""

from itertools import pairwise

import numpy as np
import pytest
from effort import some

from minisparse.autograd import value_and_grad
from minisparse.data import as_inputs, load
from minisparse.experiments import set as sets
from minisparse.experiments.studies import Data, verdict
from minisparse.optim import sgd

SMALL = (784, 60, 50, 40, 10)


@pytest.fixture
def digits(monkeypatch):
    train, test = ((as_inputs(x), y) for x, y in (load("digits", split=split) for split in ("train", "test")))
    asked = []

    def small(*args, **settings):
        asked.append(settings)
        return Data(train, (train[0][:0], train[1][:0]), test)

    monkeypatch.setattr(sets, "mnist", small)
    monkeypatch.setattr(sets, "load", lambda name, directory, split: load("digits", split=split))
    monkeypatch.setattr(sets, "WIDTHS", dict.fromkeys(sets.WIDTHS, SMALL))
    return asked


def result_of(method, protocol):
    *shares, result = sets.trained(0, method, **protocol._asdict())
    assert all(0 < share <= 1 for share in shares)
    return result


def made_up(method, seed, error, **more):
    result = {"error_last": error, "error_best": error - 0.1, "error_by_epoch": [50.0, error], **more}
    return {"seed": seed, "config": {"method": method, "seed": seed}, "result": result}


def with_pixels(seed, error):
    counts = np.arange(784)
    return made_up(
        "set", seed, error,
        central_share_by_epoch=[0.52, 0.6], pixels={"0": counts.tolist(), "2": counts[::-1].tolist()},
        weights={"fc1.weight": 10, "fc4.weight": 3}, left_by_removal={"fc1.weight": 7},
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("method", some(sets.METHODS, every=2))
@pytest.mark.parametrize("protocol", [sets.MNIST, sets.TUTORIAL], ids=["mnist", "tutorial"])
def test_every_method_learns_and_keeps_its_number_of_weights(digits, protocol, method):
    result = result_of(method, protocol._replace(epochs=12, batch=20, eps=9))
    assert result["error_best"] < 60
    sizes = {f"fc{i}.weight": a * b for i, (a, b) in enumerate(pairwise(SMALL), 1)}
    assert (result["weights"] == sizes) == (method == "dense")
    assert digits == ([] if protocol.tutorial else [{"standardize": True, "name": "mnist"}])


@pytest.mark.long
def test_set_moves_connections_and_a_static_mask_does_not(digits):
    protocol = sets.MNIST._replace(epochs=6, eps=5)
    moving, staying = (result_of(method, protocol) for method in ("set", "static"))
    assert moving["pixels"]["0"] == staying["pixels"]["0"] == staying["pixels"]["6"] != moving["pixels"]["6"]
    assert moving["weights"] == staying["weights"]
    assert len(moving["central_share_by_epoch"]) == 6
    assert all(sum(counts) == moving["weights"]["fc1.weight"] for counts in moving["pixels"].values())


def test_a_removal_takes_some_30_percent(digits):
    result = result_of("set", sets.TUTORIAL._replace(epochs=1, eps=5))
    for name, left in result["left_by_removal"].items():
        assert 0 <= left - 0.7 * result["weights"][name] < 2


def test_the_output_layer_is_dense_in_the_paper_and_sparse_in_the_tutorial(digits):
    assert result_of("set", sets.MNIST._replace(epochs=1, eps=2))["weights"]["fc4.weight"] == 400
    assert result_of("set", sets.TUTORIAL._replace(epochs=1, eps=2))["weights"]["fc4.weight"] < 400


def test_a_dense_run_has_no_pixels(digits):
    result = result_of("dense", sets.MNIST._replace(epochs=1))
    assert (result["pixels"], result["central_share_by_epoch"], result["left_by_removal"]) == ({}, [], {})


def test_densities_are_what_draws_with_repetition_leave():
    rng = np.random.default_rng(0)
    drawn = [len(set(rng.integers(0, 600, 7 * (20 + 30)))) for _ in range(300)]
    assert sets.drawn_densities({"w": (20, 30)}, 7)["w"] * 600 == pytest.approx(np.mean(drawn), rel=0.01)


def test_the_tutorials_loss_has_the_gradient_of_the_tutorials_code():
    rng = np.random.default_rng(0)
    z, labels = 3 * rng.standard_normal((4, 10)), np.array([3, 0, 9, 3])
    _, grads = value_and_grad(lambda p: sets.tutorial_loss(p["z"], labels), {"z": z})
    for i, label in enumerate(labels):
        for j in range(10):
            a = 1 / (1 + np.exp(-z[i, j]))
            slope = np.exp(-a) / (1 + np.exp(-a)) ** 2
            assert grads["z"][i, j] == pytest.approx((a - (j == label)) * slope / 4)


def test_shrinking_takes_a_share_of_what_each_parameter_was():
    descent = sets.shrinking(sgd(0.1), 0.25)
    params, grads = {"fc.bias": np.array([4.0])}, {"fc.bias": np.array([1.0])}
    moved, _ = descent.update(params, grads, descent.init(params), 0)
    assert moved["fc.bias"] == pytest.approx([4 - 0.1 - 1])


def test_dropout_follows_every_relu_and_only_those():
    model = sets.network(SMALL, 0.5, sets.normal_tenth)
    assert list(model.layers) == [
        "fc1",
        "relu1",
        "dropout1",
        "fc2",
        "relu2",
        "dropout2",
        "fc3",
        "relu3",
        "dropout3",
        "fc4",
    ]
    assert {model.layers[name].rate for name in model.layers if name.startswith("dropout")} == {0.5}


def test_the_tutorial_draws_its_images_as_its_code_does(monkeypatch):
    images = {split: np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1) for split, n in (("train", 60), ("test", 30))}
    monkeypatch.setattr(sets, "load", lambda name, directory, split: (images[split], np.arange(len(images[split]))))
    train, test = sets.examples("fashion_mnist", sets.TUTORIAL._replace(examples=20), 5, None)
    np.random.seed(0)  # noqa: NPY002
    for (found, labels), n in ((train, 60), (test, 30)):
        order = np.arange(n)
        np.random.shuffle(order)  # noqa: NPY002
        assert labels.tolist() == order[: 20 if n == 60 else 10].tolist()
        assert found == pytest.approx(labels[:, None] / 255)


def test_the_tutorials_dropout_is_that_of_its_code():
    rng, drop, rate = np.random.default_rng(0), np.random.default_rng(1), 0.3
    model = sets.network((5, 7, 6, 4, 3), rate, sets.normal_tenth, tutorial=True)
    params = {name: rng.standard_normal(w.shape) for name, w in model.init(rng, np.float64).items()}
    x, labels = rng.standard_normal((8, 5)), rng.integers(0, 3, 8)
    sums = lambda a, i: a @ params[f"fc{i}.weight"] + params[f"fc{i}.bias"]

    def loss(p):
        return sets.tutorial_loss(model(p, x, train=True, rng=np.random.default_rng(1)), labels)

    _, grads = value_and_grad(loss, params)
    z, a = {}, {1: x}
    for i in (1, 2, 3):
        z[i] = sums(a[i], i)
        a[i + 1] = np.maximum(z[i], 0) * (drop.random(z[i].shape) >= rate)
    delta = value_and_grad(lambda p: sets.tutorial_loss(p["z"], labels), {"z": sums(a[4], 4)})[1]["z"]
    for i in (4, 3, 2, 1):
        assert grads[f"fc{i}.weight"] == pytest.approx(a[i].T @ delta)
        assert grads[f"fc{i}.bias"] == pytest.approx(delta.sum(axis=0))
        if i > 1:
            delta = (delta @ params[f"fc{i}.weight"].T) * (z[i - 1] > 0)

    y = x
    for i in (1, 2, 3, 4):
        y = sums(y, i) * (1 if i == 1 else 1 - rate)
        y = np.maximum(y, 0) if i < 4 else y
    assert model(params, x).value * (1 - rate) == pytest.approx(y, rel=1e-9)  # of the output the code scales sums, too


def test_the_protocols_are_the_papers_and_the_tutorials():
    assert sets.TUTORIAL.epochs * 2000 / sets.TUTORIAL.batch == 20_000
    assert [run.name for run in sets.runs(sets.MNIST)(1)] == ["set-seed0", "static-seed0", "dense-seed0"]
    config = sets.runs(sets.TUTORIAL, "fashion_mnist")(2)[5].config
    assert config["data"] == "fashion_mnist"
    assert "data" not in sets.runs(sets.MNIST)(1)[0].config
    assert (config["method"], config["seed"], config["dense_rate"], config["tutorial"]) == ("dense", 1, 0.04, True)


def test_rows_hold_the_order_of_methods_seed_by_seed():
    runs = [with_pixels(0, 1.3), with_pixels(1, 1.2), made_up("static", 1, 2.2), made_up("dense", 0, 1.25)]
    rows = {row.key: row for row in (*sets.ROWS_MNIST, *sets.ROWS_TUTORIAL)}
    assert rows["set/mnist/over-static"].ours(runs) == pytest.approx([1.0])
    assert rows["set/mnist/over-dense"].ours(runs) == pytest.approx([-0.05])
    assert rows["set/mnist/set-best"].ours(runs) == pytest.approx([1.2, 1.1])
    assert rows["set/mnist/weights"].ours(runs) == [10, 10]
    assert rows["set/tutorial/connections"].ours(runs) == [7, 7]
    said = {key: verdict(row, row.ours(runs)) for key, row in rows.items()}
    assert (said["set/tutorial/over-static"], said["set/tutorial/over-dense"]) == ("reached", "missed")
    assert (said["set/mnist/set-last"], said["set/mnist/static-last"]) == ("reached", "reached")


@pytest.mark.long
@pytest.mark.parametrize("study", [study.name for study in sets.STUDIES])
def test_figures_are_drawn_of_what_there_is(tmp_path, study):
    assert sets.figures(study, [], tmp_path, None) == []
    (errors,) = sets.figures(study, [made_up("dense", 0, 2.0)], tmp_path, None)
    drawn = sets.figures(study, [with_pixels(0, 1.3), with_pixels(1, 1.2), made_up("static", 0, 2.2)], tmp_path, None)
    assert drawn[0] == errors
    assert drawn[1].name.startswith("connections_per_pixel_set_")
    assert len(drawn) == 2


def test_cifar_is_cropped_in_training_and_has_no_picture_of_pixels(monkeypatch):
    drawn = np.random.default_rng(0)
    images = {split: drawn.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8) for split in ("train", "test")}
    monkeypatch.setattr(sets, "load", lambda name, directory, split: (images[split], np.arange(60) % 10))
    monkeypatch.setattr(sets, "WIDTHS", {"cifar10": (3072, 30, 20, 30, 10)})
    (train, labels), (test, _) = sets.examples("cifar10", sets.CIFAR, 0, None)
    assert (train.shape, test.shape, len(labels)) == ((60, 3072), (60, 3072), 60)
    first, second = (train.batch(np.arange(60), epoch) for epoch in (0, 1))
    assert not np.array_equal(first, second)
    *_, result = sets.trained(0, "set", "cifar10", **sets.CIFAR._replace(epochs=2, batch=20)._asdict())
    assert result["pixels"] == {}
    assert len(result["error_by_epoch"]) == 2
