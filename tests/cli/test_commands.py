"""How commands end and what they never do: no markup of a user's text, no file replaced, no traceback."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import said
from typer.testing import CliRunner

from minisparse import plot
from minisparse.cli import app, commands, training
from minisparse.cli.bars import progress
from minisparse.cli.tables import console, plain_table, show
from minisparse.records import read_json

CODE = "from minisparse.cli import main; main()"
TINY = ("--model", "mlp-4", "--epochs", "1", "--batch", "20")
HEAVY = {
    "scipy", "sklearn", "matplotlib", "pooch", "requests", "joblib", "filelock", "hypothesis", "distributed", "torch",
    "cupy", "PIL", "pandas", "safetensors", "minisparse.experiments", "minisparse.plot", "rich.progress",
}  # fmt: skip


def minisparse(*arguments, code=CODE, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, env=os.environ | {"COLUMNS": "300"} | environment,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setattr(console, "width", 300)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    for name in ("loss_and_accuracy", "accuracy_against_cost"):  # drawing takes long
        monkeypatch.setattr(plot, name, lambda path, *rest: path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(path, x=rng.standard_normal((200, 6)).astype(np.float32), y=np.arange(200) % 3)
    return path


@pytest.fixture
def run(tmp_path, data):
    said("train", *TINY, "--data", data, "--method", "static", "--out", tmp_path / "run")
    return tmp_path / "run"


# what is loaded


@pytest.mark.long
@pytest.mark.parametrize(
    ("code", "more"),
    [("import minisparse", {"rich", "typer", "click"}), (f"import sys; sys.argv[1:] = ['--help']; {CODE}", set())],
)
def test_what_a_command_does_not_need_is_not_imported(code, more):
    names = "import atexit, sys; atexit.register(lambda: print('\\n', *sys.modules, file=sys.stderr))"
    done = minisparse(code=f"{names}\n{code}")
    loaded = set(done.stderr.split())
    assert "minisparse" in loaded
    assert not loaded & (HEAVY | more)


@pytest.mark.long
def test_the_version_and_python_m():
    done = subprocess.run([sys.executable, "-m", "minisparse", "--version"], capture_output=True, text=True)
    assert done.stdout.split() == ["minisparse", commands.version_of("minisparse")]
    assert (Path(commands.__file__).parents[1] / "py.typed").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("ev", "evaluate"),
        ("train --spars", "--sparsity"),
        ("train --method sn", "snip snfs"),
        ("compare --model mob", "mobilenet-v1"),
    ],
)
def test_a_shell_completes_commands_options_and_values(typed, known):
    words = f"minisparse {typed}"
    done = minisparse(
        code=f"import sys; sys.argv[0] = 'minisparse'; {CODE}",
        _MINISPARSE_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")),
    )  # fmt: skip
    assert done.stdout.split() == known.split()


def test_completion_is_installed_by_an_option():
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).output


# text is text

NAMES = ("[/b]", "r[/x]", "runs[bold]", "[red]a[/red]", "[dask]", ":smile:", "\\[x]")


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_what_a_user_wrote_is_printed_as_it_is(tmp_path, name, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (["evaluate", name], ["train", "--model", name], ["train", "--data", f"{name}.npz"],
                      ["compare", "--method", name], ["reproduce", name], ["golden", "show", name],
                      ["train", "--resume", "--out", name, "--lr-drops", name]):  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["minisparse", *arguments])
        with pytest.raises(SystemExit) as end:
            commands.main()
        assert end.value.code == 2
        assert name in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_is_that_folder(tmp_path, data, name):
    words = said("train", *TINY, "--data", data, "--method", "static", "--out", tmp_path / f"a {name}")
    assert f"a {name}" in words
    assert said("evaluate", tmp_path / f"a {name}").startswith("After 8 of 8 batches")
    assert f"a {name}.npz" in said("export", tmp_path / f"a {name}", "--out", tmp_path / f"a {name}")


@pytest.mark.parametrize("name", NAMES)
def test_tables_titles_and_bars_show_text_as_it_is(name, capsys):
    table = plain_table(name, name)
    table.title = name
    table.add_row(name, name)
    console.print(table)
    with progress("{task.description}") as bars:
        bars.add_task(name, total=1)
    assert capsys.readouterr().out.count(name) >= 5


@pytest.mark.parametrize("width", [30, 44, 60, 80])
def test_no_number_of_a_table_is_cut_and_columns_without_room_are_named(width, capsys, monkeypatch):
    monkeypatch.setattr(console, "width", width)
    titles = ("test\naccuracy", "weights", "training,\nby formula")
    table = plain_table("method", *titles)
    table.add_row("a-method-of-a-long-name", "12.34%", "266,200", "0.1000")
    show(table)
    table_itself, _, left_out = capsys.readouterr().out.partition("No room here for: ")
    *_, row = table_itself.strip().splitlines()
    assert row.startswith("a-method-of-a")
    shown = row.split()[1:]
    assert shown == ["12.34%", "266,200", "0.1000"][: {30: 1, 44: 2, 60: 3, 80: 3}[width]]
    named = " ".join(left_out.split()).removesuffix(". --json has all")
    assert named == "; ".join(title.replace("\n", " ") for title in titles[len(shown) :])


def test_a_hint_keeps_its_brackets(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setattr(sys, "argv", ["minisparse"])
    monkeypatch.setattr(commands, "app", lambda: next(training.spread("tcp://127.0.0.1:1", len, [()])))
    with pytest.raises(SystemExit):
        commands.main()
    assert "pip install 'minisparse[dask]'" in capsys.readouterr().err


# errors


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), "there is not enough memory; try a smaller network"),
        (MemoryError("Unable to allocate 9 GiB"), "not enough memory: Unable to allocate 9 GiB; try"),
        (OverflowError("int too large to convert to float"), "a number is too large to compute with: int too large"),
        (RecursionError("maximum recursion depth exceeded"), "the input is nested too deeply"),
        (OSError(28, "No space left on device", "a/b"), "No space left on device: 'a/b'"),
        (ZeroDivisionError("division by zero"), "division by zero"),
        (ImportError("No module named 'torch'"), "No module named 'torch'"),
        (ValueError("a [/b] c"), "a [/b] c"),
        (KeyError("x"), "KeyError: 'x'. This is a fault of minisparse: please report it"),
        (OSError(), "OSError: . This is a fault"),
    ],
)
def test_every_error_is_one_sentence_and_status_2(monkeypatch, capsys, error, sentence):
    def fail():
        raise error

    monkeypatch.setattr(commands, "app", fail)
    with pytest.raises(SystemExit) as end:
        commands.main()
    words = capsys.readouterr().err
    assert end.value.code == 2
    assert sentence in words
    assert len(words.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cost", "--model", "lenet-5", "--width", "1e300"], "has 4.3e+605 weights; expected fewer than"),
        (["cost", "--model", "resnet-50", "--width", "1e150"], "weights; expected fewer than"),
        (["cost", "--model", "mlp-9" + "9" * 40], "weights; expected fewer than"),
        (["cost", "--model", "lenet-300-100", "--shape", "9" * 30], "weights; expected fewer than"),
        (["train", "--sparsity", "98"], "expected a fraction in [0, 1). Did you mean 0.98?"),
        (["cost", "--model", "lenet-5", "--sparsity", "90"], "Did you mean 0.9?"),
        (["train", "--alpha", "30"], "Did you mean 0.3?"),
        (["train", "--method", "set", "--zeta", "30"], "Did you mean 0.3?"),
        (["train", "--method", "riggl"], "Did you mean 'rigl'?"),
        (["train", "--optimizer", "sdg"], "Did you mean 'sgd'?"),
        (["train", "--storage", "sparce"], "Did you mean 'sparse'?"),
        (["train", "--distribution", "unifrom"], "Did you mean 'uniform'?"),
        (["train", "--model", "lenet-300-10"], "Did you mean 'lenet-300-100'?"),
        (["train", "--dense", "con"], "Did you mean 'conv'?"),
        (["reproduce", "rigl-mnst-98"], "Did you mean 'rigl-mnist-98'?"),
        (["train", "--optimizer", "adam", "--momentum", "0.5"], "--momentum is given for adam; it is for"),
        (
            ["compare", "--method", "static", "--alpha", "2"],
            "--alpha is given for static; it is for rigl-random, rigl, srigl",
        ),
        (["compare", "--method", "set", "--method", "rigl", "--rounds", "2"], "--rounds is given for set, rigl; it is"),
        (["compare", "--method", "rigl", "--alpha", "2"], "alpha is 2.0; expected"),
        (["compare", "--method", "rigl", "--method", "riggl"], "--method is 'riggl'; expected"),
    ],
)
def test_a_refusal_says_what_would_do(arguments, sentence, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    more = [] if arguments[0] in ("cost", "reproduce") else ["--data", data]
    with pytest.raises(ValueError, match=re.escape(sentence)):
        said(*arguments, *more)
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_a_full_disk_is_one_sentence(data, tmp_path):
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); {CODE}"
    done = minisparse("train", "--model", "mlp-60", "--data", data, "--out", tmp_path, code=limited)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search(r"minisparse: .*File too large", done.stderr)


@pytest.mark.long
def test_a_pipe_that_closes_is_no_error():
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "golden", "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read().decode() == ""
    process.stderr.close()
    assert process.wait() in (0, 1, 120, 141)


@pytest.mark.long
@pytest.mark.parametrize(
    "proxy", [{"HTTPS_PROXY": "http://"}, {"ALL_PROXY": "socks5h://127.0.0.1:9"}, {"HTTPS_PROXY": "nonsense"}]
)
def test_an_odd_proxy_is_one_sentence(proxy, tmp_path):
    lower = {name.lower(): value for name, value in proxy.items()}
    unset = {"MINISPARSE_DATA": "", "XDG_CACHE_HOME": str(tmp_path / "cache"), "NO_PROXY": "", "no_proxy": ""}
    done = minisparse("train", "--data", "mnist", "--out", tmp_path / "a", **unset | proxy | lower)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "of mnist could not be downloaded from any of 3 mirrors (" in done.stderr


@pytest.mark.long
def test_a_cache_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").touch()
    done = minisparse("train", "--data", "mnist", MINISPARSE_DATA="", XDG_CACHE_HOME=str(tmp_path / "file"))
    assert done.returncode == 2
    assert f"{tmp_path / 'file' / 'minisparse' / 'mnist'} cannot be written" in done.stderr


# nothing is replaced


def test_a_dot_in_a_name_is_part_of_it(run, tmp_path):
    for name in ("a-S0.9", "a-S0.95", "a-S0.98.npz"):
        said("export", run, "--out", tmp_path / name)
    assert {path.name for path in tmp_path.glob("a-*")} == {"a-S0.9.npz", "a-S0.95.npz", "a-S0.98.npz"}


@pytest.mark.long
def test_what_exists_is_replaced_with_force_only(run, tmp_path):
    (tmp_path / "mine.npz").write_text("mine")
    for arguments in (["export", run, "--out", tmp_path / "mine"], ["export", run, "--out", tmp_path / "mine.npz"]):
        with pytest.raises(ValueError, match=r"mine\.npz exists; choose another name, or replace it with --force"):
            said(*arguments)
    assert (tmp_path / "mine.npz").read_text() == "mine"
    said("export", run, "--out", tmp_path / "mine", "--force")
    assert np.load(tmp_path / "mine.npz").files

    (tmp_path / "expected.json").write_text("mine")
    with pytest.raises(ValueError, match=r"expected\.json exists"):
        said("golden", "export", tmp_path)
    assert not (tmp_path / "cases.json").exists()
    said("golden", "export", tmp_path, "--force")


def test_a_runs_own_files_are_never_replaced(run, tmp_path):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    (tmp_path / "link.npz").symlink_to(run / "checkpoint.npz")
    os.link(run / "checkpoint.npz", tmp_path / "hard.npz")
    (tmp_path / "way").symlink_to(run, target_is_directory=True)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.json").write_text("{}")
    for out in (run / "checkpoint", run / "checkpoint.npz", run / ".." / "run" / "checkpoint", tmp_path / "link.npz",
                tmp_path / "way" / "checkpoint", tmp_path / "begun" / "checkpoint"):  # fmt: skip
        with pytest.raises(ValueError, match="is a run's own file, which nothing replaces; choose another name"):
            said("export", run, "--out", out, "--force")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    said("export", run, "--out", tmp_path / "hard", "--force")  # another name of the same file, which is set free
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


@pytest.mark.parametrize("out", ["", ".", "..", "a.pt", "a.safetensors"])
def test_a_name_that_is_none_or_of_another_kind_is_refused(run, tmp_path, out, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"--to 'npz'; expected the name of a file that ends in \.npz"):
        said("export", run, "--out", out)


@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoint.npz", "result.json", "loss_and_accuracy.png"])
def test_a_folder_with_files_of_someone_elses_is_no_place_for_a_run(tmp_path, data, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=rf"holds {name} and no config\.json"):
        said("train", *TINY, "--method", "static", "--data", data, "--out", tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: "mine"}


def test_a_comparison_replaces_nobodys_files(tmp_path, data):
    compare = ("compare", *TINY, "--data", data, "--method", "static", "--out", tmp_path)
    for name, sentence in (("accuracy_against_cost.svg", "holds accuracy_against_cost.svg and no"),
                           ("compare.json", "compare.json is no JSON"),
                           ("static/checkpoint.npz", "holds checkpoint.npz and no")):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
        with pytest.raises(ValueError, match=sentence):
            said(*compare)
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    said(*compare)
    said(*compare)


@pytest.mark.parametrize("name", ["README.md", "picture.png"])
def test_a_report_replaces_nobodys_files(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match="with --force"):
        said("report", "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("command", [("train",), ("compare",), ("reproduce", "rigl-mnist-98"), ("report",)])
def test_an_out_that_cannot_be_is_refused_before_anything_is_run(tmp_path, data, command):
    (tmp_path / "file").touch()
    more = () if command[0] in ("reproduce", "report") else ("--data", data)
    for out in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(OSError, match="cannot be written"):
            said(*command, *more, "--out", out)


def test_export_meets_an_out_that_cannot_be_before_it_reads_the_run(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot be written"):
        said("export", tmp_path / "nowhere", "--out", tmp_path / "file" / "a")


def test_a_figure_has_a_name_that_leaves_its_neighbours_alone(tmp_path):
    from matplotlib.figure import Figure

    for name in ("a-S0.9", "a.svg", "a"):
        with pytest.raises(ValueError, match=r"expected a name that ends in \.png"):
            plot.save(Figure(), tmp_path / name)
    assert not list(tmp_path.iterdir())


# --quiet and --json


@pytest.mark.parametrize("command", ["train", "compare", "evaluate", "inspect", "cost"])
def test_quiet_prints_nothing_and_json_is_alone(run, tmp_path, data, command):
    arguments = {
        "train": (*TINY, "--data", data, "--method", "static", "--out", tmp_path / "new"),
        "compare": (*TINY, "--data", data, "--method", "static", "--method", "dense", "--out", tmp_path / "all"),
        "cost": ("--model", "lenet-5"),
    }.get(command, (run,))
    keys = {
        "train": {"run", "config", "result", "picture"},
        "compare": {"folder", "data", "runs", "picture"},
        "evaluate": {"accuracy", "loss", "batches", "examples"},
        "inspect": {"batches", "layers"},
        "cost": {"model", "shape", "layers", "forward", "training", "memory"},
    }
    assert said(command, *arguments, "--quiet") == ""
    for more in (("--json",), ("--json", "--quiet")):
        assert keys[command] <= json.loads(said(command, *arguments, *more)).keys()
    assert said(command, *arguments) != ""
    if command == "train":
        assert json.loads(said(command, *arguments, "--json"))["result"] == read_json(tmp_path / "new/result.json", {})


def test_json_has_no_numbers_that_json_does_not_have(capsys):
    from minisparse.cli.tables import print_json

    print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": ("é", None)})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": None,
        "b": [None, 1.5],
        "c": ["é", None],
    }
