"""The report: every row from the start, figures with words, counts at the top."""

import pytest
from single_study import go

from minisparse.experiments import report
from minisparse.experiments.studies import Row, Run, Study, each


def add(data_dir, seed, to):
    yield {"error": to + seed / 10}


def drawn(finished, directory, data_dir):
    if not finished:
        return []
    (directory / "loss_and_accuracy.png").touch()
    return [directory / "loss_and_accuracy.png"]


def study(name="first", paper="A 2020", rows=None, to=1.5):
    rows = rows or (
        Row(f"{name}/error", "its error", 1.6, "%", 0.2, "A 2020, table 1", each("error"), True, "shorter | ours"),
        Row(f"{name}/count", "its count", 22_000, "weights", 2_200, "A 2020", lambda finished: []),
        Row(f"{name}/order", "a above b", None, "points", 0, "A 2020, figure 2", each("error")),
    )
    runs = lambda seeds: [Run(f"s{seed}", seed, add, {"seed": seed, "to": to}) for seed in range(seeds)]
    return Study(name, paper, "It adds.", 12, 3, runs, rows, drawn)


def lines(path, start):
    return [line for line in path.read_text().splitlines() if line.startswith(start)]


def test_every_row_is_there_before_anything_is_run(tmp_path):
    text = report.written([study(), study("second", "B 2021")], tmp_path).read_text()
    assert text.count("not attempted: about 12 min a seed") == 6
    assert (
        "Of 6 rows **0 are reached, 0 are missed and 6 are not attempted**, whose studies take about 1.2 hours" in text
    )
    assert [line for line in text.splitlines() if line.startswith("##")] == ["## A 2020", "## B 2021"]
    assert "| its error | 1.6 % (± 0.2) |  |  | not attempted: about 12 min a seed |" in text
    assert "`minisparse reproduce first`: It adds. 0 of 3 runs finished, about 12 minutes of one core a seed." in text
    assert "![" not in text


def test_finished_runs_are_a_mean_a_deviation_a_difference_and_a_verdict(tmp_path):
    list(go(study(), 2, 1, tmp_path))
    path = report.written([study()], tmp_path)
    assert path == tmp_path / "README.md"
    (error,) = lines(path, "| its error")
    cells = [cell.strip() for cell in error.replace("\\|", "/").split("|")]
    assert cells[2:6] == ["1.6 % (± 0.2)", "1.55 ± 0.07 % (2 seeds)", "-0.05", "**reached**"]
    assert "shorter \\| ours" in error
    assert lines(path, "| a above b")[0].split("|")[2:6] == [
        " ordering ",
        " 1.55 ± 0.07 points (2 seeds) ",
        "  ",
        " **reached** ",
    ]
    assert "**2 are reached, 0 are missed and 1 are not attempted**" in path.read_text()
    (picture,) = lines(path, "![")
    assert picture.endswith("](loss_and_accuracy.png)")
    assert picture.startswith("![The loss of every batch on a logarithmic scale")
    assert "2 of 3 runs finished" in path.read_text()


def test_runs_that_suffice_for_every_row_are_not_told_as_unfinished(tmp_path):
    enough = study()._replace(rows=tuple(row for row in study().rows if not row.key.endswith("count")))
    list(go(enough, 2, 1, tmp_path))
    text = report.written([enough], tmp_path).read_text()
    assert "0 are not attempted" in text
    assert "2 runs finished, enough for every row; all seeds are 3" in text
    assert "2 of 3" not in text


def test_a_report_of_the_same_runs_is_the_same_report(tmp_path):
    list(go(study(), 1, 1, tmp_path))
    first = report.written([study()], tmp_path).read_bytes()
    assert report.written([study()], tmp_path).read_bytes() == first


def test_studies_of_one_paper_share_its_table(tmp_path):
    path = report.written([study(), study("other", "B 2021"), study("second")], tmp_path)
    assert len(lines(path, "## ")) == 2
    assert path.read_text().count("|---|---|---|---|---|---|") == 2


@pytest.mark.parametrize(
    ("paper", "tolerance", "ours", "shown"),
    [
        (1.6, 0.2, 1.5, ("1.6 % (± 0.2)", "1.50 %", "-0.10")),
        (22_000, 2_200, 21_776.4, ("22,000 % (± 2,200)", "21,776 %", "-224")),
        (0.23, 0.005, 0.22544, ("0.23 % (± 0.005)", "0.2254 %", "-0.0046")),
        (31_914, 3_191.4, 31_914, ("31,914 % (± 3,191)", "31,914 %", "+0")),
        (195_100, 0.6, 195_100, ("195,100 % (± 0.6)", "195,100.00 %", "+0.00")),
    ],
)
def test_numbers_are_shown_to_a_tenth_of_the_tolerance(paper, tolerance, ours, shown):
    row = Row("a", "a", paper, "%", tolerance, "A", lambda finished: [ours])
    computed = study()._replace(runs=lambda seeds: [])
    assert report.figures(row, computed, [])[:3] == shown


def test_a_figure_that_no_function_is_named_as_is_told_by_its_study(tmp_path):
    assert report.alt(tmp_path / "unknown.png", study()) == "It adds"


def test_a_missed_row_leads_to_its_likeliest_cause_and_others_do_not(tmp_path):
    keys = ("reached", "near/one", "near/two", "near/two-more", "none")
    rows = tuple(Row(key, key, 9.0, "%", 0.2, "A 2020", each("error"), key == "reached") for key in keys)
    causes = {"near/": "Few epochs.", "near/two": "A | rate.", "reached": "Not to be seen."}
    own = study(rows=rows)._replace(causes=causes)
    assert "as far as a cause" not in report.written([own], tmp_path).read_text()
    list(go(own, 1, 1, tmp_path))
    path = report.written([own], tmp_path)
    said = {line.split("|")[1].strip(): line.split("|")[5].strip() for line in lines(path, "| n")}
    assert said == {
        "near/one": "**missed** (1)",
        "near/two": "**missed** (2)",
        "near/two-more": "**missed** (2)",
        "none": "**missed**",
    }
    assert "| -7.50 | **reached**, beyond |" in lines(path, "| reached")[0]
    text = path.read_text()
    assert "\n\nMissed, as far as a cause was found:\n\n1. Few epochs.\n2. A | rate.\n" in text
    assert "Not to be seen" not in text


def test_a_studys_table_stands_beneath_its_rows_and_above_its_figures(tmp_path):
    own = study()._replace(table=lambda finished: [f"| {len(finished)} runs |"] if finished else [])
    assert "| 2 runs |" not in report.written([own], tmp_path).read_text()
    list(go(own, 2, 1, tmp_path))
    text = report.written([own], tmp_path).read_text()
    assert "\n\n| 2 runs |\n" in text
    assert text.index("| a above b") < text.index("| 2 runs |") < text.index("![")
