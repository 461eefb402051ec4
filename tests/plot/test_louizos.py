"""Figures of gates: what they are given is in them."""

import numpy as np
import pytest

from minisparse import plot


@pytest.mark.long
def test_the_distribution_names_the_mass_of_each_end_and_every_gate(tmp_path):
    z, log_alpha = np.linspace(-0.09, 1.09, 50), np.linspace(-3, 3, 20)
    gates = dict.fromkeys(("mean", "test", "open"), log_alpha)
    path = plot.hard_concrete(tmp_path / "a.png", "title", (z, np.ones(50)), {0: 0.232, 1: 0.345}, log_alpha, gates)
    svg = path.with_suffix(".svg").read_text()
    for text in ("0.232", "0.345", "mean", "test", "open"):
        assert text in svg
    assert path.read_bytes()[1:4] == b"PNG"


@pytest.mark.long
def test_training_shows_each_penalty_in_its_own_colour_and_the_papers_errors(tmp_path):
    run = ([5e5, 3e5, 2e5], [3.0, 1.6])
    draw = lambda runs: plot.l0_training(tmp_path / "a.png", "title", runs, 532_400, {"one": 1.4, "many": 1.8})
    svg = draw({"one": [run, run], "many": [run]}).with_suffix(".svg").read_text()
    assert "1.4 %" in svg
    assert "1.8 %" in svg
    assert "#0072b2" in svg
    assert "#d55e00" in svg
    assert "#d55e00" not in draw({"one": [run]}).with_suffix(".svg").read_text()
