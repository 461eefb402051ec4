"""The tables of growing costs: what is measured, and the fit."""

import pytest

from benchmarks import growth


def test_the_exponent_of_a_power_law_is_found():
    rows = [{"size": n, "ms": 3 * n**1.5, "mb": 2.0} for n in (10, 30, 100, 1000)]
    assert growth.exponent(rows, "ms") == pytest.approx(1.5)
    assert growth.exponent(rows, "mb") == pytest.approx(0)


@pytest.mark.parametrize("table", growth.GROWTHS, ids=lambda table: table.name)
def test_every_table_measures_its_smallest_sizes(table, monkeypatch, capsys):
    monkeypatch.setattr(growth, "ENOUGH", 0)
    result = growth.summary(table, table.sizes[1])
    assert [row["size"] for row in result["rows"]] == list(table.sizes[:2])
    assert all(row["ms"] > 0 and row["mb"] > 0 and row["connections"] > 0 for row in result["rows"])
    growth.print_table(result)
    assert "larger half: time n^" in capsys.readouterr().out


def test_connections_are_those_asked_for():
    assert growth.step((784, 100, 10), (10 / 784, 1))[1] == 1000 + 1000
    assert growth.update((250, 250, 10), (10 / 250, 1))[1] == 2500 + 2500
