"""What the README shows is what there is."""

import inspect
import json
import re
from pathlib import Path

from minisparse.methods.rigl import rigl_update

README = (Path(__file__).parent.parent / "README.md").read_text()
RIGL, LOOP, SPARSE, OWN = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_rigls_lines_are_the_source():
    source = inspect.getsource(rigl_update)
    lines = RIGL.splitlines()[1:]
    assert len(lines) == 4
    assert all(line in source for line in lines)


def test_the_loop_runs_as_printed(capsys):
    assert "stop=2000" in LOOP
    exec(LOOP.replace("stop=2000", "stop=120"), {})
    rewired = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in rewired] == ["50", "100"]
    assert all("{'fc1.weight': 4704, 'fc2.weight': 3540, 'fc3.weight': 1000}" in line for line in rewired)


def test_truly_sparse_parameters_are_made_as_printed():
    names: dict = {}
    exec(SPARSE, names)
    assert {name: names["masks"][name].shape for name in names["masks"]} == names["shapes"]
    assert len(names["params"]["fc1.weight"].values) == names["masks"].counts["fc1.weight"] == 5 * (784 + 2000)


def test_ones_own_arrays_and_loss_train_as_printed_and_go_on_after_a_stop(tmp_path, monkeypatch):
    assert OWN.count("stop=2000") == OWN.count("every=100") == 1
    monkeypatch.chdir(tmp_path)
    for stop in (60, 200):
        exec(OWN.replace("stop=2000", f"stop={stop}"), {})
        lines = [json.loads(line) for line in (tmp_path / "my-run" / "metrics.jsonl").read_text().splitlines()]
        assert len(lines) == stop
    assert {line["connections"] for line in lines} == {115}
    losses = [line["loss"] for line in lines]
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])


def test_the_commands_that_are_shown_exist():
    from minisparse.cli import app

    shown = set(re.findall(r"minisparse ([a-z]+)", README))
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert {"train", "compare", "evaluate", "inspect", "export", "cost", "demo", "reproduce", "report"} == known
    assert known <= shown
