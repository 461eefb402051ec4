"""Figures as they are before they become files."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def axes(monkeypatch):
    """The first axes of every file that would be written; none is."""
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **about: drawn.append(figure.axes[0]))
    return drawn
