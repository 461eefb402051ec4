"""Execute notebooks in place, and leave in them nothing that changes from run to run.

    python notebooks/execute.py                          # all, and their solutions
    python notebooks/execute.py notebooks/09_rigl.ipynb  # these

Each runs top to bottom in a fresh kernel, 120 seconds a cell at most; the first error
stops with the notebook's name. What is cleared: times of execution, versions, cell ids
(cell-01, cell-02, …), the state of widgets, and the outputs of cells tagged `widget`.
Whatever prints an address in memory or the time of day has no place in a notebook.

A cell with `words` in its metadata, {"caption": …, "alt": …}, has numbers in its texts
that come from the run: they are the inside of f-strings, evaluated right after the
cell. The caption takes the place of the paragraph in italics that opens the next cell
of text; the alternative text becomes the cell's, or that of the image which opens the
next cell.

A cell tagged `exercise` ends in an expression that is false until the exercise is
solved, such as `check("rigl_update", mine)`. The notebook's namesake in solutions/ has
as many such cells, in the same order, that end in the same expression, bare or behind
`assert`.
"""

import argparse
import re
import sys
import textwrap
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

HERE = Path(__file__).parent
CAPTION = r"^\*[^*].*?\*(?=\n\n|\Z)"  # a paragraph in italics


def notebooks() -> list[Path]:
    """Every notebook of the course, then every solution."""
    return sorted(HERE.glob("*.ipynb")) + sorted(HERE.glob("solutions/*.ipynb"))


def execute(notebook: nbformat.NotebookNode, folder: Path, seconds: int = 120) -> None:
    """Fill in the outputs, from a fresh kernel that starts in `folder`.

    seconds: that a cell may take; CellTimeoutError after them.
    """
    NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
    ).execute()


def told(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A cell that prints the texts of `cell`, a line each, with the run's numbers."""
    texts = "\n".join(
        f'print(rf"""{" ".join(text.split())}""")'
        for text in cell.metadata["words"].values()
    )
    return nbformat.v4.new_code_cell(texts, metadata={"tags": ["words"]})


def ask(notebook: nbformat.NotebookNode) -> None:
    """Behind every cell with `words`, a cell that prints them."""
    for cell in [cell for cell in notebook.cells if "words" in cell.metadata]:
        notebook.cells.insert(notebook.cells.index(cell) + 1, told(cell))


def answer(notebook: nbformat.NotebookNode) -> None:
    """What the cells of `ask` printed, put in its place; the cells go."""
    for cell in [
        cell for cell in notebook.cells if "words" in cell.metadata.get("tags", [])
    ]:
        place = notebook.cells.index(cell)
        lines = re.sub(r"(?<=\d)%", " %", cell.outputs[0]["text"]).splitlines()
        figure, below = notebook.cells[place - 1], notebook.cells[place + 1]
        said = dict(zip(figure.metadata["words"], lines, strict=True))
        notebook.cells.remove(cell)
        if caption := said.get("caption"):
            below.source = put(italics(caption), CAPTION, below.source)
        if not (alt := said.get("alt")):
            continue
        if below.source.startswith("!["):
            below.source = put(f"![{alt}]", r"^!\[.*?\]", below.source)
        else:
            figure.metadata["alt"] = alt


def italics(caption: str) -> str:
    """A paragraph in italics; no line begins with %, which is a comment on the site."""
    whole = f"*{caption}*".replace(" %", "\0%")
    return textwrap.fill(whole, 118, break_on_hyphens=False).replace("\0", " ")


def put(text: str, pattern: str, into: str) -> str:
    """`into`, with `text` in place of the first match. ValueError if there is none."""
    done, n = re.subn(pattern, lambda _: text, into, count=1, flags=re.M | re.S)
    if not n:
        raise ValueError(f"no place for {text!r} in {into[:80]!r}")
    return done


def clean(notebook: nbformat.NotebookNode) -> None:
    """Only what the next run makes again: sources, tags, outputs, ids by position."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    for place, cell in enumerate(
        [cell for cell in notebook.cells if cell.cell_type == "code"], 1
    ):
        cell.execution_count = place
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = place
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:02d}"
        kept = {k: v for k, v in cell.metadata.items() if k in ("tags", "alt", "words")}
        folded = (
            {"jupyter": {"source_hidden": True}}
            if "hide-input" in kept.get("tags", [])
            else {}
        )
        cell.metadata = nbformat.from_dict(kept | folded)
        cell.pop("attachments", None)
        if cell.cell_type == "code" and "widget" in cell.metadata.get("tags", []):
            cell.outputs, cell.execution_count = [], None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="NOTEBOOK",
        help="default: all of the course",
    )
    for path in parser.parse_args().paths or notebooks():
        notebook = nbformat.read(path, as_version=4)
        began = time.perf_counter()
        try:
            ask(notebook)
            execute(notebook, path.parent)
            answer(notebook)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            sys.exit(f"{path}: {error}")
        clean(notebook)
        nbformat.write(notebook, path)
        print(f"{time.perf_counter() - began:6.1f} s  {path}", flush=True)


if __name__ == "__main__":
    main()
