"""figures/README.md: every published figure beside ours, with the verdict, whether attempted or not."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import plot
from ..files import replacing, writable
from .studies import Finished, Row, Study, cause, finished, folder, naming, verdict

REPORT, PICTURES = "README.md", (".png", ".svg", ".gif")
HEAD = """# The papers, beside what came out here

Made by `minisparse report` from the runs in these folders; do not edit. {counts}

*Ours* is the mean over seeds ± their standard deviation. A row is *reached* where that mean is within the tolerance of
the paper's figure, which was fixed before running and stands in brackets; an error lower than the paper's is reached
too, and *beyond* where it is lower by more than the tolerance: then our protocol may not be the paper's. Where a paper
gives an ordering only, ours is by how much it holds, and it is reached above 0 or the number in brackets. A number
behind *missed* leads to what was tried and the likeliest cause, below the table. Errors are of the test set after the
last epoch unless a row says *best*, as some papers report; nothing was chosen by the test set unless a row says so.
*Not attempted* comes with the minutes of one core that a seed of the study takes.
"""


def claim(studies: Sequence[Study], directory: Path, force: bool = False) -> None:
    """ValueError if `directory` holds pictures but neither a study nor a report, unless `force`; figures might replace
    them. OSError if it cannot be written. Called before runs, which take hours.
    """
    folders = [folder(study, directory) for study in studies]
    for place in (directory, *folders):
        writable(place)
    ours = any(place.is_dir() for place in folders) or _is_report(directory / REPORT)
    pictures = sorted(path.name for path in directory.glob("[!.]*") if path.suffix in PICTURES)
    if pictures and not (ours or force):
        raise ValueError(f"{directory} holds {pictures[0]} and no study: figures might replace pictures that are not "
                         "minisparse's; choose another --out, or allow it with --force")  # fmt: skip


def _is_report(path: Path) -> bool:
    return path.is_file() and path.read_bytes().startswith(HEAD.partition("\n")[0].encode())


def written(studies: Sequence[Study], directory: Path, data_dir: Path | None = None, force: bool = False) -> Path:
    """Draw all figures that the finished runs in `directory` suffice for, and write and return its README.md.

    ValueError if there is a README.md, or are pictures, that are not minisparse's, unless `force`; and naming the file
    of a damaged run.
    """
    claim(studies, directory, force)
    path = directory / REPORT
    if path.exists() and not force and not _is_report(path):
        raise ValueError(f"{path} exists, and is no report; choose another --out, or replace it with --force")
    papers: dict[str, list[tuple[Study, list[Finished]]]] = {}
    for study in studies:
        papers.setdefault(study.paper, []).append((study, finished(study, directory)))
    all_of_them = [pair for pairs in papers.values() for pair in pairs]
    for study, runs in all_of_them:
        with naming(study, runs, directory):
            [row.ours(runs) for row in study.rows]
    verdicts = Counter(verdict(row, row.ours(runs)) for study, runs in all_of_them for row in study.rows)
    waiting = [study for study, runs in all_of_them if any(not len(row.ours(runs)) for row in study.rows)]
    counts = f"Of {verdicts.total()} rows **{verdicts['reached']} are reached, {verdicts['missed']} are missed and "
    counts += f"{verdicts['not attempted']} are not attempted**"
    hours = sum(s.minutes * s.seeds for s in waiting) / 60
    counts += f", whose studies take about {hours:.1f} hours of one core." if waiting else "."
    sections = [_section(paper, pairs, directory, data_dir) for paper, pairs in papers.items()]
    with replacing(path) as unfinished:
        unfinished.write_text("\n".join([HEAD.format(counts=counts), *sections]), encoding="utf-8")
    return path


def _section(
    paper: str, studies: Sequence[tuple[Study, list[Finished]]], directory: Path, data_dir: Path | None
) -> str:
    """A paper's studies, tables and figures."""
    lines = [f"## {paper}", ""]
    for study, runs in studies:
        if total := len(study.runs(study.seeds)):
            done = f"{len(runs)} of {total} runs finished"
            if len(runs) < total and all(len(row.ours(runs)) for row in study.rows):
                done = f"{len(runs)} runs finished, enough for every row; all seeds are {total}"
            about = f"{done}, about {study.minutes:g} minutes of one core a seed"
            lines.append(f"- `minisparse reproduce {study.name}`: {study.about} {about[0].upper()}{about[1:]}.")
        else:
            lines.append(f"- {study.about} Computed by `minisparse report`.")
    if any(study.rows for study, _ in studies):
        missed = [(s, row) for s, runs in studies for row in s.rows if verdict(row, row.ours(runs)) == "missed"]
        causes = list(dict.fromkeys(filter(None, (cause(s, row) for s, row in missed))))
        lines += ["", "| | paper | ours | difference | verdict | source, notes |", "|---|---|---|---|---|---|"]
        lines += [_line(row, study, runs, causes) for study, runs in studies for row in study.rows]
        lines += ["", "Missed, as far as a cause was found:", ""] if causes else []
        lines += [f"{number}. {why}" for number, why in enumerate(causes, 1)]
    for study, runs in studies:
        with naming(study, runs, directory):
            shown = study.table(runs)
        lines += ["", *shown] if shown else []
    for study, runs in studies:
        with naming(study, runs, directory):
            drawn = study.figures(runs, directory, data_dir)
        for path in drawn:
            lines += ["", f"![{alt(path, study)}]({path.relative_to(directory).as_posix()})"]
    return "\n".join(lines) + "\n"


def alt(path: Path, study: Study) -> str:
    """What a figure shows, in words: the first line of the docstring of the function that has its name."""
    drawn = getattr(plot, path.stem, None)
    about = (drawn.__doc__ or "").partition("\n")[0] if drawn else study.about
    return about.rstrip(".").replace("]", ")").replace("[", "(")


def _line(row: Row, study: Study, runs: Sequence[Finished], causes: Sequence[str]) -> str:
    *cells, said = row.about, *figures(row, study, runs)
    if said == "**missed**" and (why := cause(study, row)):
        said += f" ({causes.index(why) + 1})"
    cells += [said, "; ".join(filter(None, (row.source, row.note)))]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def figures(row: Row, study: Study, runs: Sequence[Finished]) -> tuple[str, str, str, str]:
    """The paper's figure, ours, the difference and the verdict, in words."""
    ours, digits = list(row.ours(runs)), _digits(row)
    unit = f"{' ' if row.unit else ''}{row.unit}"
    number = lambda x: f"{x:,.{digits}f}"
    if row.paper is None:
        published = "ordering" + (f" (above {row.tolerance:g})" if row.tolerance else "")
    else:
        published = f"{_printed(row.paper)}{unit} (± {_printed(float(f'{row.tolerance:.4g}'))})"
    said = verdict(row, ours)
    if not ours:
        return published, "", "", f"{said}: about {study.minutes:g} min a seed"
    mean = float(np.mean(ours))
    spread = f" ± {number(np.std(ours, ddof=1))}" if len(ours) > 1 else ""
    seeds = f" ({len(ours)} seed{'s' * (len(ours) > 1)})" if study.runs(1) else ""
    difference = "" if row.paper is None else f"{mean - row.paper:+z,.{digits}f}"
    beyond = ", beyond" * (said == "reached" and verdict(row._replace(below=False), ours) == "missed")
    return published, f"{number(mean)}{spread}{unit}{seeds}", difference, f"**{said}**{beyond}"


def _digits(row: Row) -> int:
    """Enough decimals for the paper's figure in full, and for a tenth of the tolerance."""
    shown = len(_printed(row.paper).partition(".")[2]) if row.paper is not None else 2
    return max(shown, 1 - math.floor(math.log10(row.tolerance)) if row.tolerance > 0 else 0, 0)


def _printed(figure: float) -> str:
    """A number as papers print it: 1.6, 195,100."""
    return f"{figure:,.10g}" if abs(figure) < 1e10 else f"{figure:.4g}"
