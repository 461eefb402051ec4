"""Figures of the RigL studies."""

import numpy as np
import pytest
from PIL import Image

from minisparse import plot
from minisparse.plot.rigl import FRAMES_PER_SECOND


@pytest.mark.long
def test_the_animation_has_a_frame_for_every_state_and_stays_on_the_last(tmp_path):
    rng = np.random.default_rng(0)
    states = [(steps, rng.integers(0, 30, (28, 28)), 0.5 + steps / 1000, 0.9) for steps in (0, 100, 200, 400)]
    path = plot.rigl_animation(tmp_path / "new" / "a.gif", "title", states, last=3)
    with Image.open(path) as gif:
        assert gif.n_frames in (4, 7)  # equal frames may be kept as one that stays longer
        durations, frames = [], []
        for n in range(gif.n_frames):
            gif.seek(n)
            durations.append(gif.info["duration"])
            frames.append(np.asarray(gif.convert("RGB")))
    assert sum(durations) == pytest.approx(7000 / FRAMES_PER_SECOND, rel=0.05)  # in whole hundredths of a second
    assert len({frame.tobytes() for frame in frames}) == 4
    assert [p.name for p in path.parent.iterdir()] == ["a.gif"]


@pytest.mark.long
def test_a_method_far_below_has_its_number_at_the_edge(tmp_path):
    points = {
        ("dense", 1): [(1.0, 98.5)],
        ("small-dense", 1): [(0.03, 11.4), (0.03, 11.2)],
        ("rigl", 2): [(0.07, 98.4)],
    }
    svg = plot.rigl_equal_budget(tmp_path / "a.png", "title", points).with_suffix(".svg").read_text()
    assert "11.3 %" in svg
    assert "98.5 %" not in svg


@pytest.mark.long
def test_sweeps_can_be_drawn_with_runs_that_are_not_there(tmp_path):
    periods = {0.1: [(50, []), (100, [1.5, 2.5])], 0.3: [(50, []), (100, [])]}
    others = {"at random": [], "static": [1.0, 3.0]}
    distributions = {"erk": [(0.9, [1.0])], "uniform": [(0.9, [])]}
    path = plot.rigl_sweeps(tmp_path / "a.png", periods, distributions, others)
    assert path.exists()
    svg = path.with_suffix(".svg").read_text()
    assert "static" in svg
    assert "at random" not in svg


def test_sweeps_show_the_mean_and_the_deviation_over_seeds(tmp_path, axes):
    plot.rigl_sweeps(tmp_path / "a.png", {0.1: [(50, [1.0, 3.0]), (100, [4.0])]}, {"erk": [(0.9, [2.0])]}, {})
    line, _, (bars,) = axes[0].containers[0].lines
    assert line.get_ydata() == pytest.approx([2, 4])
    assert [list(ends[:, 1]) for ends in bars.get_segments()] == [pytest.approx([2 - 2**0.5, 2 + 2**0.5]), [4, 4]]


def test_sparsities_rise_from_left_to_right_in_whatever_order_runs_end(tmp_path, axes):
    """And the dense network, a line, has no place among them."""
    curves = {
        "gradual": {0.9: [(0.4, 71.4)]},
        "dense": {0.5: [(1.0, 77.4)]},
        "rigl": {0.95: [(0.1, 60.0)], 0.8: [(0.3, 71.3)]},
    }
    plot.rigl_photographs(tmp_path / "a.png", "title", curves)
    assert [tick.get_text() for tick in axes[0].get_xticklabels()] == ["80%", "90%", "95%"]
    assert sorted(list(bars.lines[0].get_xdata()) for bars in axes[0].containers) == [[0, 2], [1]]
