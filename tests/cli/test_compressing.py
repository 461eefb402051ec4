"""compress and decompress: what a run's network becomes, what is refused, and what is never replaced."""

import json

import numpy as np
import pytest
from command_line import said

from minisparse.compress import read
from minisparse.compress.file import Shared
from minisparse.runs.folder import load_state

RUN = ("--model", "mlp-12", "--epochs", "2", "--seed", "1")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compress") / "run"
    said("train", *RUN, "--method", "static", "--sparsity", "0.8", "--out", folder)
    return folder


@pytest.mark.long
def test_a_file_is_written_told_of_and_read_back(run, tmp_path):
    out = tmp_path / "small"
    seen = json.loads(said("compress", run, "--out", out, "--epochs", "1", "--linear-bits", "4", "--json"))
    assert seen["bytes"] == out.stat().st_size < seen["dense_bytes"] / 5
    assert set(seen["accuracy"]) == {"before", "shared", "retrained"}
    masks, layers = load_state(run / "checkpoint.npz").masks, read(out)
    for layer in seen["layers"]:
        own = layers[f"{layer['name']}.weight"]
        assert isinstance(own, Shared)
        assert len(own.values) <= 15
        assert (own.mask <= masks[f"{layer['name']}.weight"]).all()
        assert layer["weight_huffman"] <= layer["weight_bits"] == 4
    words = said("compress", run, "--out", tmp_path / "again", "--epochs", "0")
    assert "read back bit for bit" in words
    assert "fc1" in words


def test_decompressed_it_is_an_npz_with_masks(run, tmp_path):
    said("compress", run, "--out", tmp_path / "small", "--epochs", "0")
    said("decompress", tmp_path / "small")
    with np.load(tmp_path / "small.npz") as arrays:
        for name, layer in read(tmp_path / "small").items():
            there = layer.weight() if isinstance(layer, Shared) else layer
            assert arrays[name].tobytes() == there.tobytes()
            assert not isinstance(layer, Shared) or (arrays[f"{name}.mask"] == layer.mask).all()
    with pytest.raises(ValueError, match=r"small\.npz exists; choose another name, or replace it with --force"):
        said("decompress", tmp_path / "small")
    said("decompress", tmp_path / "small", "--force")


@pytest.mark.parametrize("centroids", ["density", "random"])
def test_the_same_options_give_the_same_file(run, tmp_path, centroids):
    for name in ("a", "b"):
        said("compress", run, "--out", tmp_path / name, "--centroids", centroids, "--epochs", "1")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_is_replaced_without_force_and_a_run_s_own_files_never(run, tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ValueError, match="mine exists; choose another name, or replace it with --force"):
        said("compress", run, "--out", tmp_path / "mine", "--epochs", "0")
    assert (tmp_path / "mine").read_text() == "mine"
    said("compress", run, "--out", tmp_path / "mine", "--epochs", "0", "--force")
    with pytest.raises(ValueError, match="is a run's own file"):
        said("compress", run, "--out", run / "checkpoint.npz", "--force")
    with pytest.raises(ValueError, match="is a run's own file"):
        said("decompress", tmp_path / "mine", "--out", run / "checkpoint.npz", "--force")


def test_a_damaged_file_is_refused(run, tmp_path):
    said("compress", run, "--out", tmp_path / "small", "--epochs", "0")
    content = bytearray((tmp_path / "small").read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "small").write_bytes(content)
    with pytest.raises(ValueError, match="small is no compressed network, or a damaged one: it does not end in"):
        said("decompress", tmp_path / "small")
    with pytest.raises(FileNotFoundError):
        said("decompress", tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"--centroids is 'liner'; expected linear, .* Did you mean 'linear'\?"):
        said("compress", run, "--out", tmp_path / "b", "--centroids", "liner")


@pytest.mark.long
@pytest.mark.parametrize("method", ["l0", "top-kast", "ste-random"])
def test_of_a_method_with_weights_of_its_own_it_is_the_network_at_inference(tmp_path, method):
    said("train", *RUN, "--method", method, "--out", tmp_path / "run")
    seen = json.loads(said("compress", tmp_path / "run", "--epochs", "0", "--linear-bits", "8", "--json"))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert seen["accuracy"]["before"] == pytest.approx(result["test_accuracy"], abs=0.004)
    assert (tmp_path / "run" / "weights.compressed").exists()
