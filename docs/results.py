"""The papers' figures beside ours as pages, read from the finished runs: what `minisparse report` says, to click.

<!-- papers -->                      a table: how many figures of each paper are reached
<!-- paper: Evci et al. 2020 -->     its studies, with a row for each figure
{ours rigl/mnist-98/above-static}    a row's figure, in words; {paper …} what the paper has
{count snfs/lenet-5}                 how many of the rows that begin so are reached: 3 of 8
{short rigl/equal-budget/above-lottery}    by how much an ordering does not hold
{holds rigl/escape/below-restarted}  no words: what stands before it is true as long as it is reached; {misses …} missed
{when set/tutorial/over-static}…{end}    words that are left out as long as a row is not attempted
{accuracy rigl}                      the mean over seeds of the runs of rigl-mnist-98, in per cent
{share set-mnist/set-seed0/central_share_by_epoch/-1}    a number of a run's result, in per cent
"""

import html
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from minisparse.experiments.all import STUDIES
from minisparse.experiments.report import figures
from minisparse.experiments.studies import Finished, Row, Study, cause, finished, grouped, verdict

FIGURES = Path(__file__).parents[1] / "figures"
PAGES = Path(__file__).parent / "results"
WHEN = re.compile(r"\{when ([\w./-]+)\}(.*?)\{end\}", re.DOTALL)
SIGNS = {"reached": "✓", "missed": "✗", "not attempted": "○"}
HEADS = ("paper", "ours", "difference", "verdict")


@cache
def studies() -> dict[str, list[tuple[Study, list[Finished]]]]:
    """{paper: its studies and their finished runs}, in the order of the report."""
    papers: dict[str, list[tuple[Study, list[Finished]]]] = {}
    for study in STUDIES:
        papers.setdefault(study.paper, []).append((study, finished(study, FIGURES)))
    return papers


@cache
def _rows() -> dict[str, tuple[Row, Study, list[Finished]]]:
    return {row.key: (row, study, runs) for pairs in studies().values() for study, runs in pairs for row in study.rows}


def _row(key: str) -> tuple[Row, Study, list[Finished]]:
    if key not in _rows():
        raise ValueError(f"no row of the report is {key!r}")
    return _rows()[key]


def number(kind: str, name: str) -> str:
    """What a page asks for in braces. ValueError for a row or runs that are not there."""
    if kind == "accuracy":
        own = next(runs for pairs in studies().values() for study, runs in pairs if study.name == "rigl-mnist-98")
        accuracies = grouped(own, "method", "accuracy_last")
        if name not in accuracies:
            raise ValueError(f"no run of rigl-mnist-98 is by {name!r}")
        return f"{100 * sum(accuracies[name]) / len(accuracies[name]):.2f} %"
    if kind == "share":
        study_name, run, key, place = name.split("/")
        shares = [done["result"][key] for pairs in studies().values() for study, own in pairs for done in own
                  if (study.name, done["run"]) == (study_name, run)]  # fmt: skip
        if not shares:
            raise ValueError(f"no finished run is {study_name}/{run}")
        return f"{100 * shares[0][int(place)]:.0f} %"
    if kind == "count":
        words = [verdict(row, row.ours(own)) for key, (row, _, own) in _rows().items() if key.startswith(f"{name}/")]
        if not words:
            raise ValueError(f"no row of the report begins with {name!r}")
        return f"{words.count('reached')} of {len(words)}"
    row, study, runs = _row(name)
    if kind in ("holds", "misses"):
        if (word := verdict(row, row.ours(runs))) != {"holds": "reached", "misses": "missed"}[kind]:
            raise ValueError(f"the row {name!r} is {word}: what a page says of it is stale")
        return ""
    published, ours, *_ = figures(row, study, runs)
    words = re.sub(r" \([^)]*\)$", "", published if kind == "paper" else ours)
    words = re.sub(r" ± 0\.?0*(?![\d.])", "", words)  # all seeds gave the same
    words = re.sub(r"\.0+(?![\d])", "", words) if "±" not in words else words
    return words.removeprefix("-") if kind == "short" else words


def attempted(page: str) -> str:
    """A page without the words between {when …} and {end} whose row is not attempted yet."""
    return WHEN.sub(lambda m: m[2] if len(_row(m[1])[0].ours(_row(m[1])[2])) else "", page)


def papers() -> str:
    """A table of the papers: figures, those reached, missed and not attempted, and a link to each page."""
    lines = ["| | figures | reached | missed | not attempted | |", "|---|---|---|---|---|---|"]
    for paper, page in _pages().items():
        counts = _verdicts(paper)
        shares = "".join(f'<span class="{word}" style="width: {100 * counts[word] / counts.total():.0f}%"></span>'
                         for word in ("reached", "missed"))  # fmt: skip
        told = (f'<span class="{word.replace(" ", "-")}">{sign} {counts[word]}</span>' for word, sign in SIGNS.items())
        cells = " | ".join((*told, f'<span class="bar">{shares}</span>'))
        lines.append(f"| [{paper}](results/{page}) | {counts.total()} | {cells} |")
    return "\n".join(lines)


def _pages() -> dict[str, str]:
    """{paper: the file of its page}, in the order of the report."""
    asked = {
        name: path.name
        for path in sorted(PAGES.glob("*.md"))
        for name in re.findall(r"<!-- paper: (.+?) -->", path.read_text(encoding="utf-8"))
    }
    return {paper: asked[paper] for paper in studies()}


def _verdicts(paper: str) -> Counter[str]:
    return Counter(verdict(row, row.ours(runs)) for study, runs in studies()[paper] for row in study.rows)


def paper(name: str) -> str:
    """A section for each study of a paper. ValueError for a paper without studies."""
    if name not in studies():
        raise ValueError(f"no study is of {name!r}")
    return "\n\n".join(_section(study, runs) for study, runs in studies()[name])


def _section(study: Study, runs: Sequence[Finished]) -> str:
    total = len(study.runs(study.seeds))
    if total:
        more = f"; {total - len(runs)} more would give every choice all {study.seeds} seeds" * (len(runs) < total)
        done = f"{len(runs)} runs, about {study.minutes:g} minutes of one core a seed{more}"
        head = f"{study.about}\n\n`minisparse reproduce {study.name}`: {done}."
    else:
        head = f"{study.about} Nothing to run: computed by `minisparse report`."
    parts = [f"### {study.name}", head]
    if study.rows:
        parts.append(f"```{{raw}} html\n{_table(study, runs)}\n```")
    if table := study.table(runs):
        parts.append("\n".join(["::::{dropdown} More numbers of these runs", *table, "::::"]))
    return "\n\n".join(parts)


def _table(study: Study, runs: Sequence[Finished]) -> str:
    """A row for each figure: on a phone a card, by the labels of its cells."""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("figure", *HEADS))
    body = "\n".join(_line(row, study, runs) for row in study.rows)
    return f'<table class="papers"><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>'


def _line(row: Row, study: Study, runs: Sequence[Finished]) -> str:
    *cells, said = figures(row, study, runs)
    word = verdict(row, row.ours(runs))
    cells.append(f'<span class="{word.replace(" ", "-")}">{SIGNS[word]} {said.replace("*", "")}</span>')
    told = "; ".join(filter(None, (row.source, row.note)))
    if word == "missed" and (why := cause(study, row)):
        told += f". Missed: {why}"
    note = f"<details><summary>source and notes</summary>{_words(told)}</details>"
    data = "".join(f'<td data-label="{label}">{cell}</td>' for label, cell in zip(HEADS, cells, strict=True) if cell)
    empty = '<td class="none"></td>'
    if not cells[2]:  # an ordering has no difference
        data = data.replace('<td data-label="verdict">', f'{empty}<td data-label="verdict">')
    return f'<tr><th scope="row">{_words(row.about)}{note}</th>{data}</tr>'


def _words(text: str) -> str:
    """Text with `code` in HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
