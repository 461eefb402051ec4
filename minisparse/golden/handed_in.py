"""What students handed in: NAME.py, NAME.ipynb or a folder NAME/ each, copied to where their code runs.

found    the hand-ins of a folder
copied   a hand-in as a module `MODULE` in a folder of its own
"""

import ast
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MODULE = "handed_in"
ENDINGS = (".py", ".ipynb")
NOTEBOOK = '''"""The code cells of a notebook."""

CELLS = {cells!r}
REMARKS = []
display, get_ipython = print, lambda: None
for _number, _source, _checks in CELLS:
    try:
        exec(compile(_source, f"cell {{_number}}", "exec"))
        for _name, _function in _checks:
            globals()[_name] = globals()[_function]
    except Exception as _error:
        REMARKS.append(f"cell {{_number}} raises {{type(_error).__name__}}: {{_error}}".rstrip(": "))
'''.replace("{{{{", "{{").replace("}}}}", "}}")


class HandIn(NamedTuple):
    """The files of one student: one, or several if the student handed in twice."""

    student: str
    paths: tuple[Path, ...]


def found(folder: Path, out: Path | None = None) -> list[HandIn]:
    """The hand-ins of a folder, by name; `out`, where grades go, hidden names and those that begin with _ are none.

    ValueError for no folder, or one without any hand-in.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; expected one that holds NAME.py, NAME.ipynb or NAME/ per student")
    students: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")) or (out and path.resolve() == out.resolve()):
            continue
        if path.is_dir():
            students.setdefault(path.name, []).append(path)
        elif path.suffix in ENDINGS:
            students.setdefault(path.stem, []).append(path)
    if not students:
        raise ValueError(f"{folder} has no hand-in; expected NAME.py, NAME.ipynb or a folder NAME/ per student")
    return [HandIn(name, tuple(paths)) for name, paths in sorted(students.items())]


def files(path: Path) -> Iterator[Path]:
    """The files of a hand-in, without hidden folders and caches."""
    if path.is_dir() and not path.is_symlink():
        for inner in sorted(path.iterdir()) if os.access(path, os.R_OK | os.X_OK) else ():
            if not inner.name.startswith(".") and inner.name != "__pycache__":
                yield from files(inner)
    elif path.is_file():
        yield path


def copied(hand_in: HandIn, folder: Path) -> None:
    """Copy a hand-in into `folder`, with its code as the module or package `MODULE`.

    ValueError for several hand-ins, a folder without a clear main file, or a notebook that cannot be read.
    """
    if len(hand_in.paths) > 1:
        raise ValueError(f"handed in more than once: {', '.join(path.name for path in hand_in.paths)}; expected one")
    (path,) = hand_in.paths
    main = path
    if path.is_dir():
        main = _main(path)
        inside = folder / MODULE if main.name == "__init__.py" else folder
        for file in files(path):
            target = inside / file.relative_to(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        if inside != folder:
            return
    if main.suffix == ".ipynb":
        (folder / f"{MODULE}.py").write_text(NOTEBOOK.format(cells=cells(main)), encoding="utf-8")
    else:
        shutil.copyfile(main, folder / f"{MODULE}.py")


def _main(folder: Path) -> Path:
    """The file of a folder that holds the functions: the student's name, __init__.py, or the only one."""
    inside = [path for path in sorted(folder.iterdir()) if path.suffix in ENDINGS and not path.name.startswith(".")]
    for name in (f"{folder.name}.py", f"{folder.name}.ipynb", "__init__.py"):
        if folder / name in inside:
            return folder / name
    if len(inside) != 1:
        names = ", ".join(path.name for path in inside) or "no .py or .ipynb"
        raise ValueError(f"{folder.name} holds {names}; expected {folder.name}.py, __init__.py or one file alone")
    return inside[0]


def cells(path: Path) -> list[tuple[int, str, list[tuple[str, str]]]]:
    """The code cells of a notebook: (number, source, [(name, function)] of its `check("name", function)`).

    Lines that begin with % or !, and cells that begin with %%, are IPython's and are left out.
    ValueError for a file that is no notebook of format 4.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if notebook["nbformat"] != 4:
            raise ValueError(f"it has nbformat {notebook['nbformat']}; expected 4")
        sources = [
            "".join(cell["source"]) if cell["cell_type"] == "code" else "" for cell in notebook["cells"]
        ]  # a source is text, or a list of lines
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path.name} is not a notebook that can be read: {what}") from error
    found = []
    for number, source in enumerate(sources, start=1):
        if not source.lstrip().startswith("%%"):
            lines = ("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
            source = "\n".join(lines)
            if source.strip():
                found.append((number, source, _checks(source)))
    return found


def _checks(source: str) -> list[tuple[str, str]]:
    """The (name, function) of calls `check("name", function)`: how the course's notebooks name an exercise."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    calls = [node for node in nodes if isinstance(node, ast.Call) and len(node.args) == 2]
    return [
        (call.args[0].value, call.args[1].id)
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "check"
        and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
        and isinstance(call.args[1], ast.Name)
    ]  # fmt: skip
