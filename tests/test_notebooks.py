"""The course runs from top to bottom, is committed as it ran, and asks what its solutions answer."""

import ast
import itertools
import os
import re

import pytest

for module in ("nbformat", "nbclient", "ipykernel"):
    pytest.importorskip(module, reason='running the course needs pip install -e ".[test,docs]"')
course = pytest.importorskip("notebooks.execute", reason="a source distribution has no notebooks")
nbformat = course.nbformat

ALL = course.notebooks()
LESSONS = [path for path in ALL if path.parent == course.HERE]
OF_THIS_MACHINE = re.compile(r"/(work|tmp|home|root|Users|usr|opt)/|site-packages|[A-Z]:\\|\b0x[0-9a-f]{6,}")

IDS = {"ids": lambda path: str(path.relative_to(course.HERE).with_suffix(""))}
# the first lesson trains nothing; the others, at full length, take minutes
MARKED = [pytest.param(path, marks=pytest.mark.slow) if path in LESSONS[1:] else path for path in ALL]

every = pytest.mark.parametrize("path", ALL, **IDS)
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook, tag=None):
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and (tag is None or tag in cell.metadata.get("tags", []))
    ]


def asked(cell):
    """What an exercise ends in: an expression, bare or behind `assert`, as source."""
    last = ast.parse(cell.source).body[-1]
    assert isinstance(last, ast.Expr | ast.Assert), f"an exercise ends in an expression, not in {ast.unparse(last)!r}"
    return ast.unparse(last.value if isinstance(last, ast.Expr) else last.test)


def defined(cell):
    """The names that a cell gives a meaning."""
    names = set()
    for statement in ast.parse(cell.source).body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def kinds(cell):
    """What sort of things a cell put out: printed text, a value, a figure."""
    return [(o.output_type, o.get("name", ""), *sorted(o.get("data", {}))) for o in cell.outputs]


def texts(cell):
    for output in cell.outputs:
        yield output.get("text", "")
        for kind, value in output.get("data", {}).items():
            if kind.startswith(("text/", "image/svg")):
                yield str(value)


NUMBER = re.compile(r"\d[\d.,e\u2212-]*\d|\d")


def printed(cell):
    return [o.get("text", "") + o.get("data", {}).get("text/plain", "") for o in cell.outputs]


def described(notebook):
    """The captions and the alternative texts that `words` ask for, by the lines they begin with."""
    for cell, below in itertools.pairwise(notebook.cells):
        words = cell.metadata.get("words", {})
        if "alt" in words:
            opens = below.source.startswith("![")
            yield below.source.splitlines()[0] if opens else cell.metadata.get("alt", "")
        if "caption" in words:
            yield " ".join(re.search(r"^\*[^*].*?\*(?=\n\n|\Z)", below.source, re.MULTILINE | re.DOTALL)[0].split())


@pytest.fixture
def kernel(monkeypatch):
    """A kernel like a reader's: figures go into the notebook, whatever this process draws on."""
    monkeypatch.delenv("MPLBACKEND", raising=False)


@pytest.mark.long
@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("path", MARKED, **IDS)
def test_it_runs_without_widgets_its_exercises_fail_unsolved_and_hold_solved(path):
    notebook, verdict = read(path), "assert not" if path in LESSONS else "assert"
    notebook.cells = [cell for cell in notebook.cells if "widget" not in cell.metadata.get("tags", [])]
    committed = {cell.id: kinds(cell) for cell in code(notebook)}
    before = read(path)
    course.ask(notebook)
    for cell in code(notebook, "exercise"):
        judged = nbformat.v4.new_code_cell(f"{verdict} ({asked(cell)})")
        notebook.cells.insert(notebook.cells.index(cell) + 1, judged)
    course.execute(notebook, path.parent)
    course.answer(notebook)
    assert {cell.id: kinds(cell) for cell in code(notebook) if cell.id in committed} == committed
    same = [printed(cell) for cell in code(notebook) if cell.id in committed] == [
        printed(cell) for cell in code(before) if "widget" not in cell.metadata.get("tags", [])
    ]
    now, then = list(described(notebook)), list(described(before))
    if not same:  # other arithmetic, other numbers: then only the words can be compared
        now, then = ([NUMBER.sub("0", text) for text in texts] for texts in (now, then))
    assert now == then


@every_lesson
def test_the_numbers_of_a_caption_are_filled_in_by_the_run(path):
    """With other numbers in place of those that the run printed, every caption and every alternative text changes."""
    notebook = read(path)
    course.ask(notebook)
    for cell in code(notebook, "words"):
        lines = [line for line in cell.source.splitlines() if line.startswith("print(")]
        filled = [re.sub(r"(?<!\{)\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", "4321", line[10:-4]) for line in lines]
        cell.outputs = [nbformat.v4.new_output("stream", text="\n".join(filled) + "\n")]
    asks = sum("{" in text for cell in notebook.cells for text in cell.metadata.get("words", {}).values())
    course.answer(notebook)
    assert sum("4321" in text for text in described(notebook)) == asks
    assert "4321" not in "".join(described(read(path)))


@every_lesson
def test_a_measured_number_of_a_picture_s_text_is_not_typed(path):
    """Percentages and decimals come from the run, by `words`, or stand in the code as given."""
    cells = read(path).cells
    given = re.sub(r"(?<=\d)_(?=\d)", "", "\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    for cell, below in itertools.pairwise(cells):
        if cell.cell_type == "code" and "figure" in cell.metadata.get("tags", []):
            words = cell.metadata.get("words", {})
            caption = re.match(r"\*[^*].*?\*(?=\n\n|\Z)", below.source, re.DOTALL)
            typed = [] if "alt" in words else [cell.metadata.get("alt", "")]
            typed += [] if "caption" in words or not caption else [caption[0]]
            for number in re.findall(r"\d+\.\d+|\d+(?= ?%| percent)", " ".join(typed)):
                assert number in given, (number, typed)


@every
def test_code_fits_the_column_of_the_site_and_plots_are_folded(path):
    for cell in code(read(path)):
        assert max(map(len, cell.source.splitlines())) <= 88, cell.source
        tags = cell.metadata.get("tags", [])
        if "figure" in tags and len(cell.source.splitlines()) > 5:
            assert "hide-input" in tags, cell.source[:80]


def calls(source, among=None):
    """The names that a cell calls, those in a loop three times; or how often it calls those of `among`."""
    tree = ast.parse(source)
    looped = {id(call) for loop in ast.walk(tree) if isinstance(loop, ast.For) for call in ast.walk(loop)}
    named = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    found = [name for call in named for name in [call.func.id] * (3 if id(call) in looped else 1)]
    return found if among is None else sum(name in among for name in found)


@every_lesson
def test_a_reader_without_a_kernel_sees_three_positions_of_every_slider(path):
    notebook = read(path)
    figures = code(notebook, "figure")
    for widget in code(notebook, "widget"):
        draws = {*calls(widget.source), *re.findall(r"interact\((\w+)", widget.source)}
        before = [cell for cell in figures if notebook.cells.index(cell) < notebook.cells.index(widget)]
        assert sum(calls(cell.source, draws) for cell in before) >= 3, widget.source


@every_lesson
def test_training_is_as_long_as_a_browser_affords_is_counted_there_and_says_so(path):
    imports, *cells = [cell.source for cell in code(read(path))]
    if not re.search(r"^from minisparse.train import train$", imports, re.MULTILINE):
        return
    shortened = [source for source in (imports, *cells) if re.search(r"\baffordable\(|\(affordable,", source)]
    assert any("in a browser fewer" in source for source in shortened)
    assert any(re.search(r"\bfollowed\(|\bperf_counter\(", source) for source in (imports, *cells))


@every
def test_a_picture_s_words_are_one_line_and_no_text_is_lost_on_the_site(path):
    """Sphinx joins the lines of an image's alternative text without a space."""
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert all("\n" not in words for words in re.findall(r"!\[(.*?)\]", cell.source, re.DOTALL))
            assert r"\setminus" not in cell.source  # few fonts have U+2216
            assert not re.search(r"^%", cell.source, re.MULTILINE)  # a comment: the line would be missing on the site


@every_lesson
def test_it_links_to_what_it_needs_to_its_neighbours_and_to_its_solutions(path):
    first = read(path).cells[0].source.split("\n\n")[1]
    linked = re.findall(r"\]\(([^)]+)\)", first)
    place = LESSONS.index(path)
    neighbours = {p.name for p in LESSONS[max(place - 1, 0) : place + 2]} - {path.name}
    row = re.search(
        rf"^\| \[{path.name[:2]} .*$", (course.HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    needed = set(re.findall(r"\b\d\d\b", row[0].split("|")[3]))
    assert neighbours | {"README.md", f"solutions/{path.name}"} <= set(linked)
    assert needed <= set(re.findall(r"\[(\d\d)\]", first.partition("Needs:")[2].partition("·")[0]))
    assert all((path.parent / target).is_file() for target in linked)
    back = read(path.parent / "solutions" / path.name).cells[0].source
    assert f"](../{path.name})" in back


@pytest.mark.slow
@pytest.mark.usefixtures("kernel")
@pytest.mark.skipif("MINISPARSE_DATA" not in os.environ, reason="MNIST is not here")
@every_lesson
def test_it_runs_on_mnist_too(path):
    notebook = read(path)
    switch = [cell for cell in code(notebook) if re.search(r"^MNIST = False\b", cell.source, re.MULTILINE)]
    assert len(switch) == 1
    switch[0].source = switch[0].source.replace("MNIST = False", "MNIST = True")
    course.execute(notebook, path.parent, seconds=600)


@pytest.mark.slow
@pytest.mark.usefixtures("kernel")
@every_lesson
def test_it_runs_as_short_as_on_the_slowest_browser_too(path):
    notebook = read(path)
    shortened = "from minisparse import notebook\nnotebook.BROWSER, notebook.share = True, lambda: notebook.SHORTEST"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(shortened))
    course.execute(notebook, path.parent)


@every
def test_it_is_committed_as_execute_leaves_it(path):
    notebook, text = read(path), path.read_text(encoding="utf-8")
    course.clean(notebook)
    assert nbformat.writes(notebook) + "\n" == text
    for number, cell in enumerate(code(notebook), 1):
        assert cell.execution_count == (None if cell in code(notebook, "widget") else number)
        assert not [kind for kind in kinds(cell) if "error" in kind or "stderr" in kind]


@every
def test_it_names_no_place_of_the_machine_it_ran_on(path):
    for cell in read(path).cells:
        for text in (cell.source, *(texts(cell) if cell.cell_type == "code" else ())):
            assert not (found := OF_THIS_MACHINE.search(text)), f"{found.group()} in {text[:200]}"


@every_lesson
def test_its_solution_answers_its_exercises(path):
    exercises, solutions = (code(read(p), "exercise") for p in (path, path.parent / "solutions" / path.name))
    assert len(exercises) in (2, 3)
    assert any("check(" in asked(cell) for cell in exercises)
    assert [asked(cell) for cell in solutions] == [asked(cell) for cell in exercises]
    for solution, exercise in zip(solutions, exercises, strict=True):
        assert defined(exercise) <= defined(solution)


@every_lesson
def test_it_says_what_it_is_for_asks_a_question_and_refutes_a_belief(path):
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    number = int(path.name[:2])
    assert text.startswith(f"# {number:02d} · ")
    for part in ("At the end you can", "<details>", "## What is not true", "## Where to go on"):
        assert part in text


def test_every_lesson_has_a_solution_and_every_solution_a_lesson():
    assert LESSONS
    assert [path.name for path in LESSONS] == [path.name for path in ALL if path not in LESSONS]
