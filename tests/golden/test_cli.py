"""`minisparse golden` as a person, a program and a build meet it."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from minisparse.cli import app
from minisparse.golden import cases

OWN = "minisparse.methods.rigl:rigl_update"


@pytest.fixture
def golden(vectors, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("minisparse.cli.tables.console.width", 160, raising=False)
    return lambda *arguments: CliRunner().invoke(app, ["golden", *arguments])


def test_list_names_the_functions_their_cases_and_who_differs(golden):
    done = golden("list")
    assert done.exit_code == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["rigl_update", "4", "rigl-tf1"] in rows
    assert ["top_k", "2"] in rows
    assert "8 cases in" in done.stdout
    told = json.loads(golden("list", "--json").stdout)
    assert [case["id"] for case in told["top_k"]] == ["top_k/ties", "top_k/matrix"]


def test_show_draws_a_function_or_one_case(golden):
    every = golden("show", "rigl_update").stdout
    assert every.count("rigl_update/") == 4
    assert "dropped, and back at once" in every
    one = golden("show", "rigl_update/basic").stdout
    assert one.count("rigl_update/") == 1
    assert list("●●−−·++·") in [line.split()[1:] for line in one.splitlines()]
    assert [case["id"] for case in json.loads(golden("show", "top_k", "--json").stdout)] == [
        "top_k/ties",
        "top_k/matrix",
    ]


def test_export_and_check_meet_in_a_folder(golden, tmp_path):
    assert golden("export", "out", "--function", "top_k").exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cases.json", "expected.json"}
    (tmp_path / "out" / "expected.json").rename(tmp_path / "out" / "answers.json")
    done = golden("check", "out")
    assert done.exit_code == 1
    assert "rigl_update: missing" in done.stdout
    done = golden("check", "out", "--function", "top_k")
    assert (done.exit_code, done.stdout.strip()) == (0, "2 of 2")


def test_check_of_a_function_exits_with_0_only_if_it_passes(golden, tmp_path):
    done = golden("check", "rigl_update", OWN)
    assert (done.exit_code, done.stdout.strip()) == (0, "3 of 3")
    (tmp_path / "guest_cli.py").write_text("def update(weight, mask, dense_grad, n_update):\n    return mask\n")
    done = golden("check", "rigl_update", "guest_cli:update")
    assert done.exit_code == 1
    assert "rigl_update/basic" in done.stdout
    assert "the two smallest active weights go, the two largest gradients come" in done.stdout
    assert "your answer position 2 is among those to go and is still there, before 5 " in done.stdout


@pytest.mark.usefixtures("golden")
def test_json_is_all_that_is_printed(tmp_path, capsys):
    (tmp_path / "guest_loud.py").write_text("def top_k(score, k):\n    print('hello')\n    return score\n")
    with pytest.raises(SystemExit) as ended:  # not by CliRunner, which mixes stdout with stderr in older versions
        app(["golden", "check", "top_k", "guest_loud:top_k", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert told["passes"] is False
    assert told["cases"][0]["wrong"].startswith("is no mask")


def test_options_reach_the_checker(golden, tmp_path):
    (tmp_path / "guest_opt.py").write_text(
        "import numpy as np\n"
        "def top_k(score, k):\n"
        "    marked = np.zeros(score.size, bool)\n"
        "    marked[np.argsort(score, axis=None)[::-1][:k]] = True\n"
        "    return marked.reshape(score.shape)\n"
        "def cosine(step, alpha, t_end):\n"
        "    return np.float32(0 if step >= t_end else alpha)\n"
    )
    assert golden("check", "top_k", "guest_opt:top_k", "--ties", "pinned").exit_code == 1
    assert golden("check", "top_k", "guest_opt:top_k", "--ties", "any").exit_code == 0
    done = golden("check", "top_k", "guest_opt:top_k")
    assert (done.exit_code, done.stdout.strip()) == (0, "2 of 2; in 2 cases yours breaks ties otherwise: legal")
    assert golden("check", "cosine", "guest_opt:cosine").exit_code == 1
    assert golden("check", "cosine", "guest_opt:cosine", "--float32").exit_code == 0
    assert golden("check", "rigl_update", OWN, "--profile", "rigl-tf1").exit_code == 1
    assert isinstance(golden("check", "top_k", "guest_opt:top_k", "--ties", "some").exception, ValueError)
    assert isinstance(golden("check", "top_k", "guest_opt:top_k", "--arrays", "mxnet").exception, ValueError)


@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_code_that_ends_the_process_is_named_with_status_1(golden, tmp_path, end):
    (tmp_path / "guest_end.py").write_text(f"import os, sys\ndef top_k(score, k):\n    {end}\n")
    done = golden("check", "top_k", "guest_end:top_k")
    assert done.exit_code == 1
    assert "0 of 2: it ends " in done.stdout
    assert "the same in all 2 cases" in done.stdout
    (tmp_path / "guest_import.py").write_text(f"import os, sys\ndef top_k(score, k):\n    return 1\n{end}\n")
    done = golden("check", "guest_import", "--function", "top_k")
    assert done.exit_code == 1
    assert "guest_import ends" in done.output


def test_a_wrong_parameter_name_is_said_once(golden, tmp_path):
    (tmp_path / "guest_name.py").write_text("def update(weight, mask, grad, n_update):\n    return mask\n")
    done = golden("check", "rigl_update", "guest_name:update")
    assert done.exit_code == 1
    assert done.stdout.count("your answer it has no parameter dense_grad") == 1
    assert "0 of 3: it cannot be called: it has no parameter dense_grad; it takes weight, mask, grad, n_" in done.stdout


def test_a_profile_without_answers_says_so(golden):
    done = golden("check", "cosine", "minisparse.schedule:cosine", "--profile", "rigl-torch")
    assert done.exit_code == 1
    assert "no answers of rigl-torch for cosine" in done.output
    assert "0 of 0" not in done.output


def test_the_list_keeps_its_names_in_80_columns(monkeypatch):
    monkeypatch.setattr("minisparse.cli.golden.console.width", 80, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(app, ["golden", "list"])
    names = {line.split()[0] for line in done.stdout.splitlines() if line.split()}
    assert set(cases.load()) <= names
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80


def test_the_tools_own_vectors_are_where_the_package_is():
    assert cases.V1.parent.name == "golden"
    assert (cases.V1.parent / "schema.json").is_file()
    assert np.all([path.suffix == ".json" for path in cases.V1.iterdir()])
