"""A figure is saved in two forms, the same every time."""

import pytest
from matplotlib.figure import Figure

from minisparse import plot
from minisparse.looks import LOOKS


def figure():
    drawn = Figure()
    drawn.subplots().plot([1, 2], label="line")
    return drawn


def test_a_figure_is_saved_as_png_and_svg_and_the_png_is_named(tmp_path):
    path = plot.save(figure(), tmp_path / "new" / "a.png")
    assert path == tmp_path / "new" / "a.png"
    assert path.read_bytes()[1:4] == b"PNG"
    assert b"<svg" in path.with_suffix(".svg").read_bytes()
    assert len(list(path.parent.iterdir())) == 2


def test_the_same_figure_is_the_same_file(tmp_path):
    one, other = (plot.save(figure(), tmp_path / folder / "a.png") for folder in "xy")
    assert one.read_bytes() == other.read_bytes()
    assert one.with_suffix(".svg").read_bytes() == other.with_suffix(".svg").read_bytes()


@pytest.mark.parametrize("style", [plot.METHOD_STYLE, plot.POINTS])
def test_a_method_has_one_label_and_colour_in_all_figures(style):
    for name, (label, colour, _) in style.items():
        assert (label, colour) == LOOKS[name][:2]
