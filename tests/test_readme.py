"""What the README shows is what there is."""

import inspect
import re
from pathlib import Path

from minisparse.methods.rigl import rigl_update

README = (Path(__file__).parent.parent / "README.md").read_text()
RIGL, LOOP = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


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
