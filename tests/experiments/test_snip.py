"""SNIP on a few hundred digits: what runs record, and what the rows make of it."""

from itertools import pairwise

import numpy as np
import pytest

from minisparse import data, recipes
from minisparse.experiments.packing import packed, unpacked_counts
from minisparse.experiments.snip import STUDIES, TABLE_1, runs, studies
from minisparse.experiments.studies import Data, verdict

TINY = {"batch": 50, "rate": 0.1, "weight_decay": 5e-4, "iterations": 60, "drops": [40, 50]}
MLP = {"network": "lenet-300-100", "pruning_batch": 100, "seed": 0, **TINY}


def digits(data_dir=None, validation=0, standardize=False, shape=(784,)):
    assert standardize
    assert validation == runs.HELD_OUT
    images, labels = data.load("digits")
    test_images, test_labels = data.load("digits", split="test")
    inputs, test_inputs = (3 * data.as_inputs(x).reshape(-1, *shape) - 0.5 for x in (images, test_images))
    return Data((inputs, labels), (inputs[:0], labels[:0]), (test_inputs, test_labels))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(runs, "mnist", digits)


def last(run):
    *progress, result = run
    assert all(0 <= a <= b <= 1 for a, b in pairwise(progress))
    return result


def row(key):
    return next(one for own in STUDIES for one in own.rows if one.key == key)


def finished(result, seed=0, **config):
    return {"run": f"seed{seed}", "seed": seed, "config": config, "result": result}


@pytest.mark.parametrize(("sparsity", "kept"), [(0.9, 26_620), (0.95, 13_310), (0.98, 5_324), (0.99, 2_662), (0.0, 0)])
def test_a_run_trains_what_the_papers_kappa_keeps(sparsity, kept):
    result = last(runs.trained(None, sparsity=sparsity, **MLP))
    assert sum(result["weights"].values()) == kept  # no masks at all where all is kept
    assert len(result["error_by_epoch"]) == 2  # of 30 batches
    assert result["error_last"] == result["error_by_epoch"][-1]
    assert result["error_best"] == min(result["error_by_epoch"])
    assert result["error_last"] < 40


def test_training_starts_from_the_weights_that_were_scored_and_the_rate_falls():
    model, _ = runs.NETWORKS["lenet-300-100"]
    params, examples = model.init(np.random.default_rng(0)), digits(validation=6_000, standardize=True).train
    masks = runs.kept(model, params, examples, 0.9, 100, 0)
    steps = list(runs.steps(model, params, masks, examples, 0, **TINY | {"rate": 0.0}))
    assert len(steps) == 60
    assert np.array_equal(steps[-1].params["fc1.weight"], params["fc1.weight"] * masks["fc1.weight"])
    rates = runs.multi_step_rate(0.1, TINY["drops"], 0.1)
    assert [rates(step) for step in (39, 40, 50)] == pytest.approx([0.1, 0.01, 0.001])


def test_connections_are_scored_on_a_batch_of_the_size_asked_for(monkeypatch):
    seen = []
    keep = recipes.snip
    monkeypatch.setattr(
        recipes, "snip", lambda loss, params, batches, *rest: seen.append(batches) or keep(loss, params, batches, *rest)
    )
    for size in (1, 1000):
        last(runs.trained(None, sparsity=0.9, **MLP | {"pruning_batch": size}))
    assert [[len(labels) for _, labels in batches] for batches in seen] == [[1], [1000]]


def test_initial_weights_have_variance_one_over_fan_in():
    rng = np.random.default_rng(0)
    assert runs.variance_scaling(rng, (400, 1000)).var() == pytest.approx(1 / 400, rel=0.02)
    assert runs.variance_scaling(rng, (5, 5, 20, 500)).var() == pytest.approx(1 / 500, rel=0.02)


def test_classes_keep_pixels_of_their_own():
    result = last(runs.of_classes(None, sparsities=[0.5, 0.9], pruning_batch=50, seed=0))
    assert list(result["pixels"]) == ["0.5", "0.9"]
    assert len(result["means"]) == len(result["pixels"]["0.9"]) == 10
    for text in result["pixels"]["0.9"]:
        counts = unpacked_counts(text, (28, 28))
        assert 0 < counts.sum() <= 26_620
    images = [unpacked_counts(text, (28, 28)) for text in result["pixels"]["0.9"]]
    assert any((images[0] != image).any() for image in images[1:])
    shown = unpacked_counts(result["means"][0], (28, 28))
    assert (shown.min(), shown.max()) == (0, 255)


@pytest.mark.long
def test_random_labels_are_true_ones_in_another_order(monkeypatch):
    config = {"examples": 600, "sparsity": 0.0, "pruning_batch": 50, "seed": 0, **TINY, "iterations": 12, "rate": 0.02}
    seen = {}
    batches = runs.batches
    for labels in ("true", "random"):

        def spy(inputs, names, *rest, key=labels, **more):
            seen[key] = names
            return batches(inputs, names, *rest, **more)

        monkeypatch.setattr(runs, "batches", spy)
        result = last(runs.of_labels(None, labels=labels, **config))
        assert len(result["loss_by_epoch"]) == len(result["accuracy_by_epoch"]) == 1
    assert (np.sort(seen["true"]) == np.sort(seen["random"])).all()
    assert (seen["true"] == seen["random"]).mean() < 0.2


@pytest.mark.parametrize("network", TABLE_1)
def test_the_papers_errors_would_be_reached_and_others_missed(network):
    for sparsity, paper in TABLE_1[network].items():
        key = f"snip/{network}/error-{100 * sparsity:.0f}" if sparsity else f"snip/{network}/error-dense"
        own = row(key)
        assert verdict(own, own.ours([finished({"error_last": paper + 0.1}, sparsity=sparsity)])) == "reached"
        assert verdict(own, own.ours([finished({"error_last": 0.2}, sparsity=sparsity)])) == "reached"
        assert verdict(own, own.ours([finished({"error_last": paper + 0.3}, sparsity=sparsity)])) == "missed"
        assert own.ours([finished({"error_last": paper}, sparsity=0.5)]) == []


def test_weights_kept_are_exact():
    own = row("snip/lenet-5/weights-99")
    assert own.paper == 4305
    for kept, said in ((4305, "reached"), (4304, "missed")):
        assert verdict(own, own.ours([finished({"weights": {"a": 5, "b": kept - 5}}, sparsity=0.99)])) == said


def test_larger_pruning_batches_are_compared_seed_by_seed():
    errors = {(1, 0): 2.0, (10_000, 0): 1.5, (1, 1): 3.0, (10_000, 1): 1.0, (1, 2): 9.0}
    results = [finished({"error_last": wrong}, seed, pruning_batch=size) for (size, seed), wrong in errors.items()]
    assert row("snip/batch/more-is-better").ours(results) == [0.5, 2.0]
    assert row("snip/batch/error-1").ours(results) == [2.0, 3.0, 9.0]
    assert row("snip/batch/error-1").paper == 1.94


def classes(order):
    means = np.random.default_rng(0).integers(0, 256, (10, 28, 28))
    return {"pixels": {"0.9": [packed(means[i] // 9) for i in order]}, "means": [packed(mean) for mean in means]}


def test_classes_that_redraw_themselves_are_counted():
    own = row("snip/classes/redrawn")
    assert own.ours([finished(classes(range(10)))]) == [10.0]
    swapped = [1, 0, *range(2, 10)]
    assert own.ours([finished(classes(swapped))]) == [8.0]
    assert verdict(own, [8.0]) == "missed"


LABELS = [
    finished({"loss_by_epoch": [2.0, a / 100], "accuracy_by_epoch": [10.0, b]}, labels=labels, sparsity=sparsity)
    for labels, sparsity, a, b in [
        ("true", 0.0, 1, 100.0), ("true", 0.99, 2, 99.0), ("random", 0.0, 5, 97.0), ("random", 0.99, 220, 18.0),
    ]
]  # fmt: skip


def test_random_labels_are_compared_at_the_end_of_training():
    assert row("snip/random-labels/true-above-random").ours(LABELS) == [81.0]
    assert row("snip/random-labels/dense-above-sparse").ours(LABELS) == [79.0]
    assert row("snip/random-labels/dense-above-sparse").ours(LABELS[:2]) == []


def test_every_run_names_all_of_its_numbers_and_its_function_takes_them():
    for one in STUDIES:
        made = one.runs(2)
        assert len({run.name for run in made}) == len(made)
        for run in made:
            assert run.config["seed"] == run.seed
            run.function(None, **run.config)  # a generator: nothing runs yet, but names must fit
        assert all(verdict(own, own.ours([])) == "not attempted" for own in one.rows)
    keys = [own.key for one in STUDIES for own in one.rows]
    assert len(set(keys)) == len(keys)


def test_the_papers_settings_are_in_every_run_of_its_tables():
    for name in ("snip-lenet-300-100", "snip-lenet-5", "snip-batch"):
        for run in next(one for one in STUDIES if one.name == name).runs(1):
            rate = 0.05 if (run.config["network"], run.config["sparsity"]) == ("lenet-5", 0) else 0.1
            assert (run.config["rate"], run.config["weight_decay"], run.config["batch"]) == (rate, 5e-4, 100)
    assert studies.MLP["drops"][0] == 25_000


@pytest.mark.long
def test_figures_are_drawn_from_what_is_finished_and_from_nothing_none(tmp_path):
    curve = {"error_last": 2.0, "error_by_epoch": [5.0, 3.0, 2.0]}
    made = {
        "snip-lenet-300-100": [finished(curve, seed, sparsity=s) for seed in (0, 1) for s in (0.0, 0.9, 0.95)],
        "snip-lenet-5": [finished(curve, sparsity=s) for s in (0.98, 0.99)],
        "snip-batch": [finished(curve, seed, pruning_batch=size) for seed in (0, 1) for size in (1, 10_000)],
        "snip-classes": [finished(classes(range(10)))],
        "snip-random-labels": LABELS,
    }
    names = []
    for one in STUDIES:
        assert one.figures([], tmp_path, None) == []
        paths = one.figures(made[one.name], tmp_path, None)
        assert all(path.exists() and path.with_suffix(".svg").exists() for path in paths)
        names += [path.name for path in paths]
    assert names == [
        "snip_errors_lenet_300_100.png", "snip_errors_lenet_5.png", "snip_batch.png", "snip_classes.png",
        "snip_random_labels.png",
    ]  # fmt: skip
