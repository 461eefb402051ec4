"""Error against density: means over seeds, beside the published errors."""

import pytest

from minisparse import plot
from minisparse.plot import snfs


def test_lines_go_through_the_means_in_order_of_density_and_bars_to_the_ends(tmp_path, axes):
    errors = {"snfs": {0.05: [1.5, 1.8, 1.6], 0.01: [2.4]}}
    plot.error_against_density(tmp_path / "a.png", "title", errors, {"snfs": {0.01: (2.36, 0.04)}}, [1.2, 1.4])
    ours, papers = axes[0].containers
    assert list(ours.lines[0].get_xdata()) == pytest.approx([1, 5])
    assert list(ours.lines[0].get_ydata()) == pytest.approx([2.4, 4.9 / 3])
    assert ours.lines[2][0].get_segments()[1][:, 1] == pytest.approx([1.5, 1.8])
    assert papers.lines[2][0].get_segments()[0][:, 1] == pytest.approx([2.32, 2.40])
    assert "dense: 1.30 %" in [text.get_text() for text in axes[0].get_legend().get_texts()]


def test_ours_is_filled_and_the_papers_is_hollow(tmp_path, axes):
    plot.error_against_density(tmp_path / "a.png", "title", {"set": {0.1: [2.0]}}, {"set": {0.1: (1.9, 0.0)}})
    ours, papers = (bars.lines[0] for bars in axes[0].containers)
    assert ours.get_markerfacecolor() == papers.get_markeredgecolor() == plot.POINTS["set"][1]
    assert papers.get_markerfacecolor() == "none"


@pytest.mark.parametrize(("worst", "scale"), [(88.65, "log"), (9.1, "linear")])
def test_a_network_at_chance_does_not_flatten_the_others(tmp_path, axes, worst, scale):
    plot.error_against_density(tmp_path / "a.png", "title", {"snfs": {0.01: [worst], 0.1: [1.0]}}, {})
    assert axes[0].get_yscale() == scale


def test_ticks_too_near_the_one_before_have_no_number():
    assert snfs._apart([1, 1.1, 1.8, 2, 4.4, 5, 8, 8.3]) == [1, 1.8, 4.4, 5, 8]
