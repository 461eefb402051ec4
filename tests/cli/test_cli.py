"""The command line as a person meets it."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minisparse import flops, models, nn, sparse
from minisparse.allocate import erdos_renyi
from minisparse.cli import costs, main, papers, tables
from minisparse.experiments.rigl import picture as rigl
from minisparse.runs.methods import METHODS


def process(*arguments, **environment):
    """`minisparse` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from minisparse.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "MINISPARSE_DATA"} | {"COLUMNS": "200"} | environment,
    )


@pytest.fixture
def minisparse(monkeypatch, capsys):
    """`minisparse` in this process, in a window of so many columns: (returncode, stdout, stderr)."""

    def run(*arguments, columns=200):
        with monkeypatch.context() as patch:
            patch.delenv("MINISPARSE_DATA", raising=False)
            patch.setenv("COLUMNS", str(columns))
            patch.setattr(tables.console, "width", columns)
            patch.setattr(sys, "argv", ["minisparse", *arguments])
            with pytest.raises(SystemExit) as end:
                main()
        return subprocess.CompletedProcess(sys.argv, end.value.code or 0, *capsys.readouterr())

    return run


@pytest.mark.long
def test_the_demo_prints_a_table_and_says_where_its_picture_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rigl, "DEMO", rigl.Recipe(120, 0.05, (60,), (60,), 0.3, 10, 100))
    monkeypatch.setattr(tables.console, "width", 200)
    papers.demo(data="mnist-small", data_dir=None, out=tmp_path / "demo", seed=1)
    said = capsys.readouterr().out
    for word in (
        "method",
        "sparsity",
        "weights",
        "multiply-adds",
        "test accuracy",
        "98 % in the first layer, 96.5 % overall",
        "none",
        "9,244",
        "266,200",
    ):
        assert word in said
    assert "mnist-small: 10,000 training and 2,000 test images" in said
    assert re.search(r"points (above|below) the static mask on the same 2,000 test images; a standard error", said)
    assert "6.0 connections per pixel" in said
    assert f"The picture is {(tmp_path / 'demo' / 'connections_find_the_digits.png').resolve()}" in said
    assert (tmp_path / "demo" / "connections_find_the_digits.png").stat().st_size > 20_000


@pytest.mark.long
def test_help_lists_the_commands():
    done = process("--help")
    assert done.returncode == 0
    assert "demo" in done.stdout


@pytest.mark.parametrize(("command", "words"), [("demo", "$MINISPARSE_DATA"), ("cost", "Default: the paper's.")])
def test_help_says_what_an_option_left_out_means(minisparse, command, words):
    assert words in minisparse(command, "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["demo", "--data", "imagenet"], "--data is 'imagenet'; expected digits, mnist"),
        (["demo", "--data", "mnist", "--data-dir", "nowhere"], "train-images-idx3-ubyte.gz does not exist; --data-dir"),
        (["demo", "--seed", "x"], "Invalid value for '--seed'"),
        (["demo", "--seed", "-1"], "Invalid value for '--seed'"),
        (["train-faster"], "No such command"),
        (["cost"], "Missing option '--model'"),
        (["cost", "--model", "resnet-51"], "--model is 'resnet-51'; expected lenet-300-100, lenet-5, alexnet"),
        (["cost", "--model", "wrn-22-0"], "--model is 'wrn-22-0'; expected"),
        (["cost", "--model", "wrn-23-2"], "depth is 23; expected 10, 16, 22"),
        (["cost", "--model", "lenet-5", "--sparsity", "1"], "sparsity is 1.0; expected a fraction in [0, 1)"),
        (["cost", "--model", "lenet-5", "--distribution", "erkk"], "--distribution is 'erkk'; expected uniform"),
        (["cost", "--model", "lenet-5", "--dense", "conv9"], "--dense is 'conv9'; expected conv, depthwise or"),
        (["cost", "--model", "lenet-5", "--dense", "conv", "--dense", "linear"], "dense names every layer"),
        (["cost", "--model", "lenet-5", "--shape", "28x28"], "--shape is '28x28'; expected a shape like 28x28x1"),
        (["cost", "--model", "lenet-5", "--shape", "0x28x1"], "--shape is '0x28x1'; expected a shape like"),
        (["cost", "--model", "lenet-5", "--shape", "4x4x1"], "a window of 5 does not fit into 4 pixels"),
        (["cost", "--model", "alexnet", "--width", "2"], "--width is 2.0 for alexnet; expected a positive number"),
        (["cost", "--model", "mlp-20", "--width", "0"], "--width is 0.0 for mlp-20; expected a positive number"),
        (["cost", "--model", "mlp-20-0"], "--model is 'mlp-20-0'; expected"),
        (["cost", "--model", "lenet-5", "--distribution", "rigl-mnist"], "'rigl-mnist', which is for layers ['fc1"),
        (["cost", "--model", "resnet-50", "--width", "inf"], "--width is inf for resnet-50; expected a positive"),
        (["cost", "--model", "lenet-5", "--classes", "0"], "Invalid value for '--classes'"),
        (["cost", "--model", "lenet-5", "--method", "adam"], "method is 'adam'; expected dense, small-dense"),
        (["cost", "--model", "lenet-5", "--period", "0"], "Invalid value for '--period'"),
        (["cost", "--model", "lenet-5", "--convention", "keras"], "convention is 'keras'; expected clean, rigl"),
    ],
)
def test_a_refusal_is_one_sentence_and_exit_status_2(minisparse, arguments, sentence):
    done = minisparse(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_dead_network_names_the_option_and_the_digits(tmp_path):
    dead = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "XDG_CACHE_HOME": str(tmp_path)}
    done = process("demo", "--data", "mnist", **dead)
    assert done.returncode == 2
    assert "--data-dir" in done.stderr
    assert "--data digits" in done.stderr
    assert "Traceback" not in done.stderr


def account(capsys, **options):
    """What `minisparse cost --json` prints."""
    costs.cost(**options, as_json=True)
    return json.loads(capsys.readouterr().out)


@pytest.mark.long
def test_cost_prints_json_and_nothing_else():
    done = process("cost", "--model", "resnet50", "--sparsity", "0.9", "--convention", "rigl", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    assert (seen["model"], seen["shape"], seen["distribution"]) == ("resnet50", [224, 224, 3], "erk")
    # Evci et al. 2020, figure 2: 8.2e9 FLOPs, 0.24 of them at 90 % by ERK, RigL trains at 0.25
    assert seen["forward"]["dense"] == 8_202_340_776
    assert seen["forward"]["sparse"] / seen["forward"]["dense"] == pytest.approx(0.2431, abs=5.1e-5)
    assert seen["training"]["rigl"] / seen["training"]["dense"] == pytest.approx(0.2456, abs=5.1e-5)
    assert seen["size"] / 1e6 == pytest.approx(13.499, abs=5.1e-4)


@pytest.mark.parametrize("convention", flops.CONVENTIONS)
@pytest.mark.parametrize("model", ["lenet-5", "mobilenet-v1", "wrn-16-4"])
def test_costs_layers_add_up(capsys, model, convention):
    seen = account(capsys, model=model, sparsity=0.95, convention=convention)
    layers, unit = seen["layers"], seen["unit"]
    weights, kept = (sum(layer[key] for layer in layers) for key in ("weights", "kept"))
    assert kept == round(0.05 * weights)
    assert seen["sparsity_overall"] == seen["sparsity_in_budget"] == pytest.approx(0.95, abs=1 / weights)
    assert seen["forward"]["sparse"] == sum(layer[unit] for layer in layers)
    assert seen["parameters"]["dense"] - seen["parameters"]["kept"] == weights - kept
    for layer in layers:
        assert layer["weights"] == math.prod(layer["kernel"])
        assert layer["density"] == layer["kept"] / layer["weights"]
        assert layer["bytes"] == {
            kind: flops.storage(layer["kernel"], layer["kept"], kind) for kind in ("dense", "bitmask", "csr")
        }


def test_cost_is_that_of_the_whole_weights_it_shows(capsys):
    seen = account(capsys, model="lenet-5", sparsity=0.95)
    assert [layer["multiply-adds"] / layer["kept"] for layer in seen["layers"]] == [24 * 24, 8 * 8, 1, 1]
    seen = account(capsys, model="lenet-5", sparsity=0.95, convention="rigl")
    positions = (28 * 28, 12 * 12, 1, 1)  # "same" wherever there is a window
    for layer, n, outputs in zip(seen["layers"], positions, (20, 50, 500, 10), strict=True):
        assert layer["FLOPs"] == n * (2 * layer["kept"] + outputs)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("lenet-300-100", 266_610),
        ("LeNet_5", 431_080),
        ("alexnet", 60_954_656 + 10_568),
        ("vgg16", 138_344_128 + 13_416),
        ("resnet50", 25_557_032),  # as torchvision's
        ("mobilenet-v1", 4_231_976),
        ("wrn-22-2", None),
        ("vgg-c", None),
        ("vgg-d", None),
        ("vgg-like", None),
    ],
)
def test_cost_knows_the_papers_networks_and_makes_none_of_their_weights(capsys, monkeypatch, model, parameters):
    def refuse(*arguments, **options):
        raise AssertionError("weights are made")

    for layer in (nn.Layer, nn.Chain, nn.Residual):
        monkeypatch.setattr(layer, "init", refuse)
    seen = account(capsys, model=model)
    assert parameters is None or seen["parameters"]["dense"] == parameters


@pytest.mark.long
def test_cost_takes_other_shapes_classes_and_widths(capsys):
    seen = account(capsys, model="resnet-50", shape="64x48x1", classes=7, width=0.5)
    model = models.resnet_50((64, 48, 1), 7, 0.5)
    assert seen["parameters"]["dense"] == sum(math.prod(shape) for shape in model.shapes().values())
    assert seen["forward"]["dense"] == sum(model.cost((64, 48, 1))[0].values())
    assert account(capsys, model="lenet-300-100", shape="100", classes=3)["parameters"]["dense"] == 30_000 + 30_703


def kept_of(seen):
    return {layer["name"]: layer["kept"] for layer in seen["layers"]}


def test_costs_uniform_keeps_the_first_layer_dense_and_uniform_all_does_not(capsys):
    seen = account(capsys, model="lenet-5", distribution="uniform")
    assert kept_of(seen) == {"conv1": 500, "conv2": 2_500, "fc1": 40_000, "fc2": 500}
    assert seen["dense_layers"] == ["conv1"]
    assert seen["sparsity_in_budget"] == pytest.approx(0.9)
    assert seen["sparsity_overall"] == pytest.approx(1 - 43_500 / 430_500)
    seen = account(capsys, model="lenet-5", distribution="uniform-all")
    assert kept_of(seen) == {"conv1": 50, "conv2": 2_500, "fc1": 40_000, "fc2": 500}
    assert seen["dense_layers"] == []


def test_costs_er_is_not_erk(capsys):
    shapes = {site.name: site.kernel_shape for site in nn.sites(models.lenet_5(), (28, 28, 1))}
    densities = erdos_renyi(shapes, 0.05)
    for layer, density in zip(
        account(capsys, model="lenet-5", sparsity=0.95, distribution="er")["layers"], densities.values(), strict=True
    ):
        assert layer["kept"] == pytest.approx(density * layer["weights"], abs=1)
    assert kept_of(account(capsys, model="lenet-5", sparsity=0.95))["conv1"] == 363  # 0.72612 of 500


@pytest.mark.long
def test_cost_of_a_perceptron_of_any_widths_and_by_rigls_own_mnist_densities(capsys):
    seen = account(capsys, model="mlp-300-100", shape="784", sparsity=0.98, distribution="rigl-mnist")
    assert kept_of(seen) == {"fc1": 4_704, "fc2": 3_540, "fc3": 1_000}  # as the authors' script has them
    assert seen["dense_layers"] == ["fc3"]
    assert seen["layers"] == account(capsys, model="lenet-300-100", sparsity=0.98, distribution="rigl-mnist")["layers"]
    half = account(capsys, model="MLP_20", shape="7", classes=3, width=0.5, sparsity=0)
    assert kept_of(half) == {"fc1": 70, "fc2": 30}


@pytest.mark.parametrize("names", [["conv"], ["conv1", "conv2.weight"]])
def test_cost_keeps_what_it_is_told_to(capsys, names):
    seen = account(capsys, model="lenet-5", dense=names, sparsity=0.8, distribution="uniform-all")
    assert kept_of(seen) == {"conv1": 500, "conv2": 25_000, "fc1": 80_000, "fc2": 1_000}
    assert seen["dense_layers"] == ["conv1", "conv2"]
    assert seen["sparsity_in_budget"] == pytest.approx(0.8)


def test_cost_of_depthwise_layers_kept_dense_is_the_authors_own(capsys):
    seen = account(
        capsys, model="mobilenet-v1", sparsity=0.9, distribution="uniform", dense=["depthwise"], convention="rigl"
    )
    assert len(seen["dense_layers"]) == 14
    assert seen["sparsity_overall"] == pytest.approx(0.890, abs=5.1e-4)
    # 168.614 MFLOPs in their notebook, which keeps 204.8 of 2,048 weights; a whole number is off by less than one
    sites = nn.sites(models.mobilenet_v1(), (224, 224, 3))
    one_weight_each = sum(
        2 * site.multiply_adds / math.prod(site.kernel_shape) for site in sites if site.kind != "depthwise"
    )
    assert abs(seen["forward"]["sparse"] - 168.614e6) < one_weight_each


def test_cost_of_training_by_one_method_or_all(capsys):
    seen = account(capsys, model="lenet-5", period=50)
    assert seen["training"] == {
        name: flops.training_cost(name, **seen["forward"], period=50) for name in flops.TRAINING
    } | {name: cost for name, cost in seen["training"].items() if name not in flops.TRAINING}
    assert account(capsys, model="lenet-5", method="snfs")["training"] == {"snfs": seen["training"]["snfs"]}


def test_cost_of_training_in_bytes_is_that_of_the_counts_in_either_storage(capsys):
    seen = account(capsys, model="lenet-5", sparsity=0.95, dense=["conv"], batch=32)
    shapes, kept = models.lenet_5().shapes(), {f"{name}.weight": n for name, n in kept_of(seen).items()}
    n_active = {name: kept[name] for name in ("fc1.weight", "fc2.weight")}
    assert (seen["batch"], list(seen["memory"])) == (32, list(METHODS))
    assert seen["memory"].pop("dense") == {"masked": sparse.training_memory(shapes, n_active, "dense")}
    for method, of in ((name, of) for name, of in seen["memory"].items() if name in flops.TRAINING):
        refusal = of["sparse"].pop("refused", "")
        assert refusal == METHODS[method].refusal
        for storage, count in of.items():
            assert count == sparse.training_memory(shapes, n_active, method, storage, batch=32)
    assert "dense array by definition" in METHODS["snfs"].refusal


@pytest.mark.long
def test_cost_shows_the_average_for_which_snfs_is_refused_truly_sparse(minisparse):
    done = minisparse("cost", "--model", "mlp-30", "--sparsity", "0.9", "--shape", "10", columns=80).stdout
    (line,) = (line for line in done.splitlines() if line.startswith("(snfs, sparse)"))
    assert line.split()[5] == f"{4 * (10 * 30 + 30 * 10):,}"
    assert "snfs, sparse: refused: SNFS needs a running average of the gradients of absent weights, a dense" in done
    assert "rigl, sparse" in done
    with_conv = minisparse("cost", "--model", "lenet-5", columns=80).stdout
    assert (
        "gradual, lottery, sparse: refused: conv1 is a convolution: keep all such layers dense with --dense conv"
        in with_conv
    )
    assert "snfs, sparse: refused: SNFS needs" in with_conv
    assert "rigl, sparse  " not in with_conv


@pytest.mark.long
@pytest.mark.parametrize("model", ["lenet-300-100", "mlp-9000-9000-9000", "resnet-50"])
def test_the_table_of_memory_fits(minisparse, model):
    done = minisparse("cost", "--model", model, columns=80).stdout
    table = done[done.index("memory, batch 100") :].partition("\n\n")[0].splitlines()
    assert max(map(len, table)) <= 80
    told = {line.partition("  ")[0].strip("()").removesuffix(", masked").removesuffix(", sparse") for line in table[2:]}
    alike = re.findall(r"^as [^:]*: (.*)$", done, re.M)
    assert told | {name.strip("()") for names in alike for name in names.split(", ")} == {*METHODS}


def test_a_network_may_be_dense_altogether(capsys):
    seen = account(capsys, model="lenet-5", sparsity=0, dense=["conv", "linear"])
    assert seen["forward"]["sparse"] == seen["forward"]["dense"] == 2_293_000
    assert seen["sparsity_in_budget"] == 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("columns", "numbers"), [("120", {"2,359,296", "50,250", "2,462,250"}), ("80", {"2.36M", "50.2k", "2.46M"})]
)
def test_costs_table_has_a_line_for_each_layer_and_fits(minisparse, columns, numbers):
    done = minisparse("cost", "--model", "resnet-50", columns=int(columns))
    table = done.stdout[: done.stdout.index("\n\nBytes")].splitlines()
    assert len([line for line in table if re.search(r"\d×\d", line)]) == 54
    assert max(map(len, table)) <= int(columns)
    (line,) = (line for line in table if line.startswith("res5c.branch2b "))
    assert numbers <= set(line.split())
    assert "2,550,291 of 25,502,912" in done.stdout
    assert "988,899,120 of 4,089,184,256 multiply-adds, 0.2418" in done.stdout


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *[(0, "0"), (999, "999"), (999.4, "999"), (999.6, "1.00k"), (25_000, "25.0k"), (150_000, "150k")],
        *[(999_499, "999k"), (999_500, "1.00M"), (2_359_296, "2.36M"), (15_470_264_320, "15.5G")],
    ],
)
def test_three_digits(number, text):
    assert tables.short(number) == text


def test_the_guide_shows_what_cost_prints(minisparse):
    shown = re.search(
        r"```\n\$ minisparse (cost .*)\n([^`]*)```", (Path(__file__).parents[2] / "docs" / "costs.md").read_text()
    )
    printed = minisparse(*shown[1].split(), columns=80).stdout
    assert [line.rstrip() for line in printed.splitlines()] == shown[2].splitlines()
