"""Han et al. on a few hundred digits: what runs record, and what the rows make of it."""

from itertools import pairwise

import numpy as np
import pytest

from minisparse import data, models, nn
from minisparse.experiments.han import STUDIES, outcome, published, qualities, runs, three_steps, training
from minisparse.experiments.packing import packed, unpacked_mask
from minisparse.experiments.studies import Data, each, verdict
from minisparse.masks import project
from minisparse.methods.magnitude import threshold_mask

TINY = {"batch": 50, "epochs": 3, "retrain_epochs": 1, "rate": 0.03, "drop": 2, "weight_decay": 5e-4}
TINY_5 = TINY | {"epochs": 1, "rate": 0.01}
WEIGHTS = ["fc1.weight", "fc2.weight", "fc3.weight"]


def digits(data_dir=None, validation=0, standardize=False, shape=(784,)):
    images, labels = data.load("digits")
    test_images, test_labels = data.load("digits", split="test")
    inputs, test_inputs = (data.as_inputs(x).reshape(-1, *shape) for x in (images, test_images))
    return Data((inputs[:1000], labels[:1000]), (inputs[1000:], labels[1000:]), (test_inputs, test_labels))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for module in (qualities, runs):
        monkeypatch.setattr(module, "mnist", digits)


def last(run):
    *progress, result = run
    assert all(0 <= a <= b <= 1 for a, b in pairwise(progress))
    return result


def study(name):
    return next(one for one in STUDIES if one.name == name)


def row(key):
    return next(one for own in STUDIES for one in own.rows if one.key == key)


def finished(run, result, seed=0, **config):
    return {"run": f"{run}-seed{seed}", "seed": seed, "config": config, "result": result}


STAGES = [
    {"qualities": dict.fromkeys(WEIGHTS, 0.6), "frozen": []},
    {"qualities": {"fc1.weight": 0.7}, "frozen": []},
]


@pytest.fixture(scope="module")
def pruned():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "mnist", digits)
        return last(runs.pruned(None, network="lenet-300-100", seed=0, stages=STAGES, **TINY))


def test_a_pruned_run_records_every_epoch_and_round(pruned):
    assert len(pruned["error_by_epoch"]) == 3 + 2 * 1
    assert len(pruned["error_of_rounds"]) == 3
    assert len(pruned["error_after_pruning"]) == len(pruned["weights_of_rounds"]) == 2
    assert pruned["error_reference"] == pruned["error_by_epoch"][2] == pruned["error_of_rounds"][0]
    assert pruned["error_last"] == pruned["error_by_epoch"][-1]
    assert pruned["error_best"] == pruned["error_by_epoch"][-1]  # of the one epoch of the last round
    assert pruned["error_last"] < 30


def test_rounds_prune_the_layers_that_they_name(pruned):
    first, second = pruned["weights_of_rounds"]
    assert second == pruned["weights"]
    assert second["fc1.weight"] < 0.9 * first["fc1.weight"]
    assert 0.95 * first["fc3.weight"] < second["fc3.weight"] <= first["fc3.weight"]  # dead units' went


def test_the_record_has_the_mask_and_the_survivors_histogram(pruned):
    mask = unpacked_mask(pruned["mask_fc1"], (784, 300))
    assert mask.sum() == pruned["weights"]["fc1.weight"]
    assert 0.99 * 784 * 300 < sum(pruned["histogram_before"]) <= 784 * 300
    assert 0.98 * mask.sum() < sum(pruned["histogram_after"]) <= mask.sum()
    middle = len(pruned["histogram_after"]) // 2
    assert pruned["histogram_before"][middle] > pruned["histogram_before"][middle + 20]
    assert pruned["histogram_before"][middle] < 2 * pruned["histogram_before"][middle + 3]  # no heap of pruned zeros
    assert pruned["histogram_after"][middle] < pruned["histogram_after"][middle + 20]  # of two humps


@pytest.mark.long
def test_frozen_convolutions_stay_as_they_are():
    model, shape = training.NETWORKS["lenet-5"]
    stages = [{"qualities": {"fc1.weight": 1.0}, "frozen": training.CONVOLUTIONS}]
    train_set = digits(shape=shape).train
    rng = np.random.default_rng(0)
    moments = [now for _, now in three_steps(model, model.init(rng), train_set, rng, 0, stages=stages, **TINY_5)]
    trained, pruned, retrained = (now for now in moments if now is not None)
    assert [now.phase for now in (trained, pruned, retrained)] == ["train", "prune", "retrain"]
    for name in training.CONVOLUTIONS:
        assert np.array_equal(pruned.params[name], retrained.params[name])
    assert not np.array_equal(pruned.params["fc1.weight"], retrained.params["fc1.weight"])
    assert {*training.CONVOLUTIONS, *training.LINEAR} == set(model.shapes())


def test_l1_makes_weights_smaller():
    model = training.NETWORKS["lenet-300-100"][0]
    sums = []
    for l1 in (0.0, 1e-3):
        rng = np.random.default_rng(0)
        *_, (_, end) = three_steps(model, model.init(rng), digits().train, rng, 0, stages=[], **TINY | {"l1": l1})
        sums.append(sum(abs(end.params[name]).sum() for name in WEIGHTS))
    assert sums[1] < 0.8 * sums[0]


@pytest.mark.parametrize("share", [0.08, 0.5, 1.0])
def test_a_quality_leaves_the_share_it_was_asked_for(share):
    weight = np.random.default_rng(0).standard_normal((50, 40))
    assert threshold_mask(weight, qualities.quality(weight, share)).sum() == pytest.approx(share * 2000, abs=1)


def test_a_quality_of_a_pruned_layer_is_of_its_survivors():
    weight = np.random.default_rng(0).standard_normal((50, 40))
    mask = abs(weight) > 0.5
    quality = qualities.quality(project({"w": weight}, {"w": mask})["w"], 0.3, mask)
    assert threshold_mask(weight, quality, mask).sum() == pytest.approx(600, abs=1)
    assert quality == pytest.approx(np.sort(abs(weight), axis=None)[-600] / weight[mask].std(), rel=1e-2)


@pytest.mark.long
def test_calibration_finds_qualities_round_by_round(monkeypatch):
    shares = [({"fc1.weight": 0.5, "fc2.weight": 0.5}, []), ({"fc1.weight": 0.2}, ["fc2.weight"])]
    monkeypatch.setitem(qualities.SHARES, "lenet-300-100", shares)
    stages, errors = qualities.calibrated("lenet-300-100", TINY, seed=0)
    assert len(errors) == 3
    assert max(errors) < 40
    assert [list(stage["qualities"]) for stage in stages] == [["fc1.weight", "fc2.weight"], ["fc1.weight"]]
    assert [stage["frozen"] for stage in stages] == [[], ["fc2.weight"]]
    result = last(runs.pruned(None, network="lenet-300-100", seed=0, stages=stages, **TINY))
    left = outcome.weights_left("lenet-300-100", result["weights"])
    assert left["fc1"] == pytest.approx(0.2, rel=0.15)
    assert left["fc2"] == pytest.approx(0.5, rel=0.15)
    assert left["fc3"] > 0.9


@pytest.mark.long
def test_calibration_leaves_what_is_frozen_as_it_is(monkeypatch):
    everything = list(training.NETWORKS["lenet-300-100"][0].shapes())
    shares = [({"fc1.weight": 0.5}, everything), ({"fc1.weight": 0.2}, everything)]
    monkeypatch.setitem(qualities.SHARES, "lenet-300-100", shares)
    once, thrice = (qualities.calibrated("lenet-300-100", TINY | {"retrain_epochs": n}, seed=0) for n in (1, 3))
    assert once == thrice


def test_the_qualities_of_the_studies_are_of_the_layers_and_rounds_they_were_chosen_for():
    for network, stages in qualities.STAGES.items():
        rounds = [(stage["qualities"].keys(), stage["frozen"]) for stage in stages]
        assert rounds == [(own.keys(), still) for own, still in qualities.SHARES[network]]
        final = {name: share for own, _ in qualities.SHARES[network] for name, share in own.items()}
        table = {f"{layer}.weight": kept / 100 for layer, (_, kept, _) in published.TABLES[network].layers.items()}
        assert final == table


@pytest.mark.long
def test_one_training_is_pruned_at_every_quality():
    result = last(runs.one_shot(None, seed=0, qualities=[0.2, 1.5], **TINY))
    (most, after, again), (few, worse, retrained) = result["points"]
    assert 0.7 < most < 1
    assert few < 0.3
    assert after <= worse
    assert retrained < worse
    assert again < 30


@pytest.mark.long
def test_a_layer_scanned_whole_is_the_network_itself_and_an_empty_one_guesses():
    result = last(runs.scanned(None, seed=0, shares=[1.0, 0.0], **{k: v for k, v in TINY_5.items() if "re" not in k}))
    for errors in result["errors"].values():
        assert errors[0] == result["error_reference"]
        assert errors[1] > 60
    assert list(result["errors"]) == ["conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"]


def test_activity_is_the_share_of_outputs_that_are_not_zero():
    model = nn.mlp(2, 2, 1)
    params = {"fc1.weight": np.eye(2), "fc1.bias": np.zeros(2), "fc2.weight": np.ones((2, 1)), "fc2.bias": np.zeros(1)}
    inputs = np.array([[1.0, -1.0], [1.0, 1.0]])
    assert runs.activity(model, params, inputs) == {"fc1": 0.75, "fc2": 1.0}


def test_activity_of_convolutions_is_taken_after_pooling():
    model = models.lenet_5()
    params = model.init(np.random.default_rng(0))
    inputs = digits().test[0][:20].reshape(-1, 28, 28, 1)
    pooled = nn.Chain({name: model.layers[name] for name in ("conv1", "pool1", "relu1")})(params, inputs).value
    assert pooled.shape[1:] == (12, 12, 20)
    own = runs.activity(model, params, inputs)
    assert list(own) == ["conv1", "conv2", "fc1", "fc2"]
    assert own["conv1"] == (pooled > 0).mean()


@pytest.mark.parametrize("network", published.TABLES)
def test_the_papers_own_tables_would_be_reached(network):
    """Weights and activations as it printed them give every other column of its table."""
    table = published.TABLES[network]
    sizes = {name: np.prod(shape) for name, shape in training.NETWORKS[network][0].shapes().items() if "weight" in name}
    rows = zip(sizes.items(), table.layers.values(), strict=True)
    result = {
        "weights": {name: size * kept / 100 for (name, size), (_, kept, _) in rows},
        "activity": {layer: active / 100 for layer, (active, _, _) in table.layers.items()},
        "error_reference": table.reference,
        "error_last": table.pruned,
    }
    rows = [one for one in study(f"han-{network}").rows if "/bands/" not in one.key]
    assert len(rows) == 3 + 3 * (len(table.layers) + 1)
    for one in rows:
        assert verdict(one, one.ours([finished("pruned", result)])) == "reached", one.key


def test_a_network_that_was_not_pruned_misses_its_table():
    sizes = {"fc1.weight": 235_200, "fc2.weight": 30_000, "fc3.weight": 1_000}
    result = {"weights": sizes, "activity": {"fc1": 1.0, "fc2": 1.0, "fc3": 1.0}, "error_last": 2.0}
    missed = [one for one in study("han-lenet-300-100").rows if "weights" in one.key or "flops" in one.key]
    for one in missed:
        assert verdict(one, one.ours([finished("pruned", result)])) == "missed", one.key


def banded(rows):
    mask = np.zeros((28, 28, 300), bool)
    mask[rows, 8:20] = True
    return {"mask_fc1": packed(mask.reshape(784, 300))}


def test_bands_repeat_after_a_row_of_the_image_and_thin_out_at_its_border():
    period, border = row("han/bands/period"), row("han/bands/emptier-border")
    assert period.ours([finished("pruned", banded(slice(4, 24)))]) == [28.0]
    assert border.ours([finished("pruned", banded(slice(7, 21)))]) == [300 * 12 / 28]
    assert border.ours([finished("pruned", banded(slice(0, 7)))])[0] < 0
    other = np.zeros((784, 300), bool)
    other[::20] = True
    assert period.ours([finished("pruned", {"mask_fc1": packed(other)})]) == [20.0]


TRADES = [
    finished("l2", {"error_reference": 1.5, "points": [[1.0, 1.5, 1.5], [0.1, 9.5, 1.7], [0.01, 60.0, 8.5]]}),
    finished("l1", {"error_reference": 1.6, "points": [[1.0, 1.6, 1.6], [0.1, 3.6, 2.6], [0.01, 40.0, 9.0]]}),
    finished(
        "l2-iterative",
        {
            "error_reference": 1.5,
            "error_after_pruning": [2.0, 4.0],
            "error_of_rounds": [1.5, 1.4, 1.6],
            "weights_of_rounds": [{"fc1.weight": 26_600, "fc2.weight": 20, "fc3.weight": 0},
                                  {"fc1.weight": 2_662, "fc2.weight": 0, "fc3.weight": 0}],
        },
    ),
]  # fmt: skip


def test_orderings_of_the_trade_off_are_differences_of_lost_accuracy():
    ours = {one.key: one.ours(TRADES) for one in study("han-trade-off").rows}
    assert ours["han/trade-off/retraining-wins-accuracy-back"] == [pytest.approx(8.0 - 0.2)]
    assert ours["han/trade-off/without-retraining-l1-is-better"] == [pytest.approx(8.0 - 2.0)]
    assert ours["han/trade-off/with-retraining-l2-is-better"] == [pytest.approx(1.0 - 0.2)]
    iterative = 0.1 * np.log(0.1 / 0.03) / np.log(10) - 0.1 * np.log(0.03 / 0.01) / np.log(10)
    once = 0.2 + 6.8 * np.log(0.1 / 0.03) / np.log(10)
    assert ours["han/trade-off/rounds-are-better-than-one-pruning"][0] == pytest.approx(once - iterative, abs=0.05)
    assert ours["han/trade-off/l2-no-retraining"] == [pytest.approx(8.0 * np.log(2) / np.log(10))]


def test_rows_without_runs_are_not_attempted():
    for one in STUDIES:
        for own in one.rows:
            assert verdict(own, own.ours([])) == ("reached" if one.name == "han-energy" else "not attempted")


def test_the_scan_compares_layers_at_a_fifth():
    errors = {"conv1.weight": [1, 30.0], "conv2.weight": [1, 10.0], "fc1.weight": [1, 2.0], "fc2.weight": [1, 4.0]}
    one = finished("scan", {"errors": errors, "error_reference": 1.0}, shares=[1.0, 0.2])
    assert row("han/sensitivity/first-convolution").ours([one]) == [20.0]
    assert row("han/sensitivity/convolutions").ours([one]) == [17.0]


def test_a_billion_connections_at_twenty_hertz_take_what_the_paper_says():
    assert published.watts(1e9, 20) == pytest.approx(12.8)
    assert published.watts(1e9, 20, published.ENERGY["SRAM cache"]) == pytest.approx(0.1)


def test_every_run_names_all_of_its_numbers_and_its_function_takes_them():
    for one in STUDIES:
        made = one.runs(2)
        assert len({run.name for run in made}) == len(made)
        for run in made:
            assert run.config["seed"] == run.seed
            run.function(None, **run.config)  # a generator: nothing runs yet, but names must fit
    keys = [own.key for one in STUDIES for own in one.rows]
    assert len(set(keys)) == len(keys)


@pytest.mark.long
def test_figures_are_drawn_from_what_is_finished_and_from_nothing_none(tmp_path, pruned):
    config = {"epochs": 3, "retrain_epochs": 1}
    errors = {name: [1.0, 9.0] for name in ("conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight")}
    made = {
        "han-lenet-300-100": [finished("pruned", pruned, **config)],
        "han-trade-off": TRADES,
        "han-sensitivity": [finished("scan", {"errors": errors, "error_reference": 1.0}, shares=[1.0, 0.2])],
        "han-energy": [],
    }
    names = []
    for name, results in made.items():
        assert name == "han-energy" or study(name).figures([], tmp_path, None) == []
        paths = study(name).figures(results, tmp_path, None)
        assert all(path.exists() and path.with_suffix(".svg").exists() for path in paths)
        names += [path.name for path in paths]
    assert names == [
        "han_rounds_lenet_300_100.png", "han_layers_lenet_300_100.png", "han_weights_lenet_300_100.png",
        "han_bands.png", "han_trade_off.png", "han_sensitivity.png", "han_energy.png",
    ]  # fmt: skip


def test_seeds_are_told_apart():
    assert each("error_last")([finished("pruned", {"error_last": n}, seed=n) for n in (1, 0)]) == [0.0, 1.0]
