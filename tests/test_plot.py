"""Figures are files that show something."""

import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest

from minisparse import plot


def draw(path, counts=None):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 12, (28, 28)) if counts is None else counts
    curves = {"rigl": [(1, 0.2), (2, 0.97)], "static": [(1, 0.3), (2, 0.95)], "dense": [(1, 0.5), (2, 0.98)]}
    return plot.connections_find_the_digits(
        path, "title", rng.random((28, 28)), [("start", counts), ("end", counts)], curves
    )


def test_the_picture_has_all_its_colours(tmp_path):
    path = draw(tmp_path / "new folder" / "a.png")
    pixels = (matplotlib.image.imread(path)[..., :3] * 255).round().astype(int).reshape(-1, 3)
    colours = {tuple(colour) for colour in pixels}
    for _, wanted, _ in plot.METHOD_STYLE.values():
        assert tuple(int(wanted[i : i + 2], 16) for i in (1, 3, 5)) in colours
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_a_layer_without_connections_can_be_drawn(tmp_path):
    assert draw(tmp_path / "a.png", np.zeros((28, 28))).exists()


def test_a_failed_drawing_leaves_the_old_picture(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(plot.Figure, "savefig", lambda self, name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        draw(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_drawing_leaves_the_notebooks_backend_alone():
    code = "import matplotlib; matplotlib.use('svg'); import minisparse.plot; print(matplotlib.get_backend())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "svg"
