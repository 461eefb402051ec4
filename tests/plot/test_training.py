"""Figures of training runs are files that show something."""

import subprocess
import sys
from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from minisparse import plot
from minisparse.looks import LOOKS, Look

CURVES = {"rigl": [(1, 0.2), (2, 0.97)], "static": [(1, 0.3), (2, 0.95)], "dense": [(1, 0.5), (2, 0.98)]}


def draw(path, counts=None):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 12, (28, 28)) if counts is None else counts
    return plot.connections_find_the_digits(
        path, "title", rng.random((28, 28)), [("start", counts), ("end", counts)], CURVES
    )


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def colours_of(path):
    pixels = (matplotlib.image.imread(path)[..., :3] * 255).round().astype(int).reshape(-1, 3)
    return {tuple(colour) for colour in pixels}


@pytest.mark.long
def test_the_picture_has_all_its_colours(tmp_path):
    path = draw(tmp_path / "new folder" / "a.png")
    colours = colours_of(path)
    for method in CURVES:
        assert rgb(LOOKS[method].colour) in colours
    assert {p.name for p in path.parent.iterdir()} == {"a.png", "a.svg"}


@pytest.mark.long
def test_a_layer_without_connections_can_be_drawn(tmp_path):
    assert draw(tmp_path / "a.png", np.zeros((28, 28))).exists()


@pytest.mark.long
def test_the_comparison_draws_every_look_that_it_is_given(tmp_path):
    looks = [*LOOKS.values(), Look("another", "#00FF7F", "p")]
    points = [(look, 0.9 + 0.004 * n, 0.1, 0.1) for n, look in enumerate(looks)]
    path = plot.accuracy_against_cost(tmp_path / "a.png", "title", points, 10_000)
    assert {rgb(look.colour) for look in looks} <= colours_of(path)
    assert all(f"<!-- {look.label} -->" in path.with_suffix(".svg").read_text() for look in looks)


@pytest.mark.long
def test_points_stand_where_they_are_and_those_far_below_in_panels_of_their_own(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, name, **about: drawn.append(figure.axes))
    points = [(LOOKS["rigl"], 0.97, 0.1, 0.1), (LOOKS["set"], 0.97, 0.1, 0.2), (LOOKS["snip"], 0.2, 0.1, 0.3)]
    plot.accuracy_against_cost(tmp_path / "a.png", "title", points, 10_000)
    assert len(drawn[0]) == 4
    for axes, costs in zip(drawn[0], ([0.1] * 2, [0.1, 0.2], [0.1], [0.3]), strict=True):
        assert [float(x) for bar in axes.containers for x in bar.lines[0].get_xdata()] == costs
    assert drawn[0][0].get_ylim()[0] > 20 < drawn[0][0].get_ylim()[1]
    low, high = drawn[0][2].get_ylim()
    assert low < 20 < high
    assert [text.get_text() for text in drawn[0][2].texts] == ["20.0 %"]


@pytest.mark.long
def test_words_beside_points_of_one_place_do_not_overlap_and_stay_inside(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, name, **about: drawn.append(figure))
    far = [(look, 0.1 + 0.002 * n, 0.1, 1.0) for n, look in enumerate([*LOOKS.values()][:5])]
    near = [(look, 0.9, 0.1, 0.1) for look in [*LOOKS.values()][5:]]
    plot.accuracy_against_cost(tmp_path / "a.png", "title", far + near, 10_000)
    drawn[0].draw_without_rendering()
    for axes in drawn[0].axes[2:]:
        boxes = sorted((words.get_window_extent() for words in axes.texts), key=lambda box: box.y0)
        assert len(boxes) == 5
        assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))
        assert all(axes.bbox.x0 < box.x0 and box.x1 < axes.bbox.x1 for box in boxes)


def test_groups_are_headings_of_the_legend_unless_there_is_only_one(tmp_path, monkeypatch):
    legends = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, name, **about: legends.append(figure.legends[0].get_texts()))
    points = [(LOOKS[name], 0.9, 0.1, 0.1) for name in ("dense", "static", "set", "rigl")]
    for groups in (["baselines", "baselines", "during", "during"], ["during"] * 4, []):
        plot.accuracy_against_cost(tmp_path / "a.png", "title", points, 10_000, groups)
    assert [text.get_text() for text in legends[0]] == ["baselines", "dense", "static mask", "during", "SET", "RigL"]
    assert [text.get_text() for text in legends[0] if text.get_weight() == "bold"] == ["baselines", "during"]
    assert [[text.get_text() for text in legend] for legend in legends[2::2]] == [
        ["dense", "static mask", "SET", "RigL"]
    ] * 2


@pytest.mark.long
def test_a_method_far_below_the_others_leaves_them_their_room(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, name, **about: drawn.append(figure.axes[0].get_ylim()))
    results = {"dense": (0.95, 1, 1), "rigl": (0.94, 0.1, 0.1), "static": (0.93, 0.1, 0.1), "snip": (0.1, 0.1, 1)}
    points = [(LOOKS[method], *numbers) for method, numbers in results.items()]
    plot.accuracy_against_cost(tmp_path / "a.png", "title", points, 10_000)
    assert drawn[0][0] > 80


@pytest.mark.long
def test_a_run_without_updates_and_one_of_a_few_batches_can_be_drawn(tmp_path):
    assert plot.loss_and_accuracy(tmp_path / "a.png", "title", [2.0, 1.5, 1.0], [(3, 0.5)], []).exists()
    many = np.linspace(2, 0.1, 500)
    assert plot.loss_and_accuracy(tmp_path / "a.png", "title", many, [(250, 0.5), (500, 0.9)], [100, 200]).exists()


def test_a_failed_drawing_leaves_the_old_picture(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", lambda self, name, **about: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        draw(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.long
def test_drawing_leaves_the_notebooks_backend_alone():
    code = "import matplotlib; matplotlib.use('svg'); import minisparse.plot; print(matplotlib.get_backend())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "svg"
