"""What all figures have in common: separators, and marks where an axis does not reach."""

import pytest

from minisparse.plot import canvas


def words(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(
    ("limits", "said"),
    [((0, 100), []), ((0, 50), ["to 88.5"]), ((1, 100), ["to −3,210"]), ((1, 50), ["to −3,210", "to 88.5"]),
     ((50, 1), ["to −3,210", "to 88.5"])],
)  # fmt: skip
def test_a_curve_beyond_an_axis_gets_a_break_and_says_how_far_it_goes(tmp_path, limits, said):
    with canvas.panels(tmp_path / "a.png", (4, 3)) as axes:
        axes.plot([0, 1, 2], [88.5, 2, 10 if limits[0] == 0 else -3210])
        axes.axhline(500)  # no curve
        axes.set_ylim(limits)
    assert words(axes) == said
    ends = {text.get_text(): text.xy[1] for text in axes.texts}
    if limits == (1, 50):
        assert ends == {"to −3,210": 0, "to 88.5": 1}
    if limits == (50, 1):
        assert ends == {"to −3,210": 1, "to 88.5": 0}
    assert len(axes.lines) == 2 + len(said)


def test_a_curve_without_bound_goes_to_infinity(tmp_path):
    with canvas.panels(tmp_path / "a.png", (4, 3)) as axes:
        axes.plot([0, 1, 2], [float("inf"), 2, 3])
        axes.set_ylim(0, 4)
    assert words(axes) == ["to ∞"]


@pytest.mark.long
def test_a_point_in_a_panel_of_its_own_is_beyond_no_axis(tmp_path):
    with canvas.canvas(tmp_path / "a.png", (4, 3)) as figure:
        column = canvas.broken_axes(figure, [98, 97, 60], reach=3)[:, 0]
        for x, y in enumerate((98, 97, 60)):
            canvas.point(column, x, y, 0.1, label=str(y))
        assert len(column[0].get_legend_handles_labels()[1]) == 3
    assert words(column[0]) == []
    assert words(column[1]) == ["60.0 %"]


@pytest.mark.long
def test_thousands_have_separators_on_linear_axes(tmp_path):
    with canvas.panels(tmp_path / "a.png", (4, 3), columns=3) as axes:
        axes[0].plot([0, 4000], [0, 999])
        axes[1].plot([0, 900], [0.5, 20_000])
        axes[2].set(xscale="log", xlim=(1, 1e5))
        axes[2].set_yticks([0, 5000], ["none", "all"])
    ticks = lambda axis: [label.get_text() for label in axis.get_ticklabels()]
    assert "2,500" in ticks(axes[0].xaxis)
    assert "800" in ticks(axes[0].yaxis)
    assert "20,000" in ticks(axes[1].yaxis)
    assert ticks(axes[2].yaxis) == ["none", "all"]
