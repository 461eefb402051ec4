"""The figure of truly sparse storage."""

import pytest

from minisparse import plot

SPARSE = [(1_000, 0.001, 0.1), (10_000, 0.008, 0.12), (100_000, 0.1, 0.4), (1_000_000, 1.1, 2.6)]
DENSE = [(1_000, 0.003, 0.11), (10_000, 0.04, 0.3), (100_000, 0.4, 1.9)]


@pytest.mark.long
@pytest.mark.parametrize("trained", [None, (1_048_576, 3.1)])
def test_the_place_where_dense_no_longer_fits_is_marked(tmp_path, trained):
    points = {"sparse": SPARSE, "dense": DENSE}
    draw = lambda name, needed: plot.sparse_width(tmp_path / name, points, needed, 0.09, 4, trained)
    path = draw("new/a.png", [(1_000_000, 16)])
    assert path.stat().st_size > 10_000
    svg, other = (p.with_suffix(".svg").read_text() for p in (path, draw("b.png", [])))
    for word in ("not fit", "dense, would need"):
        assert word in svg
        assert word not in other
    for word in ("hidden neurons", "a training step (s)", "peak memory of the process (GB)", "4 GB", "∝ connections"):
        assert word in svg
    assert ("trained on MNIST" in svg) == bool(trained)


@pytest.mark.long
def test_it_is_drawn_without_any_dense_network(tmp_path):
    assert plot.sparse_width(tmp_path / "a.png", {"sparse": SPARSE[:2], "dense": []}, [], 0.09, 4).exists()
