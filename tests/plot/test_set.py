"""Connections of every pixel, and errors by epoch."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from minisparse import plot


@pytest.fixture
def figures(monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **about: drawn.append(figure))
    return drawn


def test_every_frame_is_a_map_with_one_scale_for_all(tmp_path, figures):
    frames = [(0, np.full((28, 28), 5)), (3, np.full((28, 28), 50)), (9, np.zeros((28, 28)))]
    plot.connections_per_pixel(tmp_path / "a.png", "title", frames, [0.51, 0.6, 0.7], 0.51)
    maps = [axis for axis in figures[0].axes if axis.images]
    assert [axis.get_title() for axis in maps] == ["at the start", "epoch 3", "epoch 9"]
    assert {axis.images[0].get_clim() for axis in maps} == {(0, 50)}
    share = next(axis for axis in figures[0].axes if axis.get_xlabel() == "epochs").lines[0]
    assert list(share.get_ydata()) == pytest.approx([51, 60, 70])


def test_errors_are_means_over_seeds_and_the_papers_are_lines(tmp_path, figures):
    plot.error_by_epoch(
        tmp_path / "a.png", "title", {"set": [[4.0, 2.0], [6.0, 1.0]], "dense": [[3.0, 1.2]]}, {"set": 1.3}
    )
    (axis,) = figures[0].axes
    ours, dense, paper = axis.lines
    assert list(ours.get_xdata()) == [1, 2]
    assert list(ours.get_ydata()) == [5.0, 1.5]
    assert (ours.get_color(), dense.get_color()) == (plot.POINTS["set"][1], plot.POINTS["dense"][1])
    assert set(paper.get_ydata()) == {1.3}
    assert axis.get_ylim()[0] < 1.0


def test_published_errors_that_are_near_each_other_have_their_words_apart(tmp_path, figures):
    errors = {method: [[9.0, 2.0]] for method in ("set", "static", "dense")}
    paper = {"set": 1.26, "static": 2.32, "dense": 1.45}
    plot.error_by_epoch(tmp_path / "errors.png", "title", errors, paper)
    (axis,) = figures[0].axes
    lifts = {text.get_text(): text.xyann[1] for text in axis.texts}
    assert lifts["paper, dense: 1.45 %"] > lifts["paper, SET: 1.26 %"] == lifts["paper, static mask: 2.32 %"]
    assert {line.get_ydata()[0] for line in axis.lines[3:]} == {1.26, 1.45, 2.32}
