"""Execute notebooks in place, and leave in them nothing that changes from run to run.

    python notebooks/execute.py                          # all, and their solutions
    python notebooks/execute.py notebooks/09_rigl.ipynb  # these

Each runs top to bottom in a fresh kernel, 120 seconds a cell at most; the first error stops with the notebook's name.
What is cleared: times of execution, versions, cell ids (cell-01, cell-02, …), the state of widgets, and the outputs of
cells tagged `widget`. Whatever prints an address in memory or the time of day has no place in a notebook.

A cell tagged `exercise` ends in an expression that is false until the exercise is solved, such as
`check("rigl_update", mine)`. The notebook's namesake in solutions/ has as many such cells, in the same order, that end
in the same expression, bare or behind `assert`.
"""

import argparse
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

HERE = Path(__file__).parent


def notebooks() -> list[Path]:
    """Every notebook of the course, then every solution."""
    return sorted(HERE.glob("*.ipynb")) + sorted(HERE.glob("solutions/*.ipynb"))


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Fill in the outputs, from a fresh kernel that starts in `folder`."""
    NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
    ).execute()


def clean(notebook: nbformat.NotebookNode) -> None:
    """Only what the next run makes again: sources, tags, outputs, and ids by position."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in ("tags", "alt")})
        cell.pop("attachments", None)
        if cell.cell_type == "code" and "widget" in cell.metadata.get("tags", []):
            cell.outputs, cell.execution_count = [], None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, metavar="NOTEBOOK", help="default: all of the course")
    for path in parser.parse_args().paths or notebooks():
        notebook = nbformat.read(path, as_version=4)
        began = time.perf_counter()
        try:
            execute(notebook, path.parent)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            sys.exit(f"{path}: {error}")
        clean(notebook)
        nbformat.write(notebook, path)
        print(f"{time.perf_counter() - began:6.1f} s  {path}", flush=True)


if __name__ == "__main__":
    main()
