"""The site: every vector is on a page, every module too, and what a page shows is read from where it is decided."""

import ast
import inspect
import re
from collections import Counter
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest

import minisparse
from docs import answers, front, matrix, results
from minisparse import allocate
from minisparse.backend import Array
from minisparse.golden import cases, divergences
from minisparse.golden.divergences import DIVERGENCES
from minisparse.methods.rigl import rigl_update
from minisparse.nn import Linear

HOME = Path(minisparse.__file__).parent
DOCS = Path(answers.__file__).parent
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
LESSONS = {path.stem for path in answers.COURSE.glob("*.ipynb")}
RESULTS = {name: text for name, text in PAGES.items() if name.startswith("results/")}
REPORT = (results.FIGURES / "README.md").read_text(encoding="utf-8")
FUNCTIONS = cases.load()
CASES = [case for own in FUNCTIONS.values() for case in own]


TOLD_WITH = {"centroids": "share"}  # files of one paper on one page


def asked(kind):
    """(page, name) of all that pages ask for."""
    return [(page, name) for page, text in PAGES.items() for word, names in answers.ASKED.findall(text)
            if word == kind for name in names.split()]  # fmt: skip


@pytest.mark.long
def test_every_case_is_on_one_page():
    shown = Counter(case.id for _, name in asked("pins") for case in answers.asked(name))
    assert shown == Counter(case.id for case in CASES)


def test_every_method_has_a_page_with_its_pins_and_who_differs():
    for path in {*HOME.glob("methods/*.py")} - {HOME / "methods/__init__.py"}:
        page = f"methods/{TOLD_WITH.get(path.stem, path.stem)}.md"
        assert f"minisparse/methods/{path.name}" in PAGES[page]
        pinned = {own.name for own in ast.parse(path.read_text("utf-8")).body if isinstance(own, ast.FunctionDef)}
        pinned &= {case.function for case in CASES}
        for kind in ("pins", "divergences"):
            assert pinned <= {name for where, name in asked(kind) if where == page}


def test_pins_and_divergences_of_a_page_are_of_the_same_functions():
    for page, text in PAGES.items():
        by_kind = dict(answers.ASKED.findall(text))
        if "divergences" in by_kind:
            assert by_kind["divergences"] == by_kind["pins"], page


def test_every_module_is_in_the_library_pages():
    modules = {".".join(path.relative_to(HOME).with_suffix("").parts) for path in HOME.rglob("*.py")}
    modules = {name.removesuffix(".__init__") for name in modules} - {"__init__"}
    public = {name for name in modules if not name.startswith(("cli", "__main__"))}
    assert sorted(name for _, name in asked("api")) == sorted(public)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_case_shows_its_reason_its_picture_and_who_differs(function):
    for case in FUNCTIONS[function]:
        fold = answers._fold(case)
        shown = unescape(re.sub("<[^>]+>", "", fold))
        assert case.reason in shown
        assert f"pins {case.pin}" in shown
        assert f'id="{case.id.replace("/", "-")}"' in fold
        differ = re.search(r'<span class="who differ">(.*?) differs?</span>', fold)
        names = differ[1].split(", ") if differ else []
        assert names == [own for own in cases.PROFILES if own != "reference" and case.differs(own)], case.id


def row_of(told, words):
    """The heads and the cells of a convention's row."""
    (line,) = [line for line in told.splitlines() if f">{words}</th>" in line]
    return re.findall(r"<span>([\w.-]+)</span></th>", told), re.findall("<td>(.*?)</td>", line)


def test_who_differs_is_a_row_in_the_checkers_words_with_a_link_to_the_case():
    told = answers.divergences(["rigl_update"])
    says = next(does for row, does, _ in DIVERGENCES if row == "R2")
    columns, cells = row_of(told, says)
    crossed = [name for name, cell in zip(columns, cells, strict=True) if "✗" in cell]
    assert crossed == ["rigl-tf1", "rigl-torch", "rigl-torch"], "the last is the package, as it was run"
    cells = dict(zip(columns[:8], cells, strict=False))
    assert 'href="#rigl_update-active-weights-of-zero"' in cells["rigl-torch"]
    assert "#rigl_update-basic" not in told, "a case on which everybody agrees tells nobody apart"


def test_a_tick_is_only_for_code_whose_answers_are_known_and_agree():
    told = answers.divergences(["rigl_count"])
    columns, cells = row_of(told, "your count is rounded up")
    profiles = [name for name in columns if name in cases.PROFILES]
    asked_there = [case for case in answers.asked("rigl_count") if "rounded up" in str(divergences.rows(case))]
    for name, cell in zip(profiles[:-1], cells, strict=False):
        if "✓" in cell:
            assert any(case.answers(name) for case in asked_there), name


@pytest.mark.long
def test_packages_are_in_the_matrix_as_they_were_run():
    columns, cells = row_of(answers.divergences(["magnitude_mask"]), "your threshold keeps everything that ties")
    told = dict(zip(columns, cells, strict=True))
    assert "✗" in told["tensorflow-model-optimization"]
    assert 'title="4 of 10: your threshold keeps' in told["tensorflow-model-optimization"]
    assert "✓" in told["torch.nn.utils.prune"]
    assert told["lottery-ticket-pruner"] == "≠"
    for name, package in matrix.packages().items():  # whatever fails has a cross
        for function, run in package["functions"].items():
            told = answers.divergences([function])
            place = re.findall(r"<span>([\w.-]+)</span></th>", told)
            if run["passes"] and name not in place:
                continue
            at = len(place) - 1 - place[::-1].index(name)
            rows = [line for line in told.splitlines() if line.startswith("<tr><th ") and "<td>" in line]
            column = [re.findall("<td>(.*?)</td>", row)[at] for row in rows]
            assert run["passes"] != any("✗" in cell for cell in column), (name, function)


@pytest.mark.long
def test_the_golden_page_has_links_to_the_cases_of_all_methods():
    told = answers.divergences(["all"])
    links = re.findall(r'href="../../docs/(methods/\w+)\.html#([\w-]+)"', told)
    assert len(links) > 60
    for page, anchor in links[::9]:
        assert f'id="{anchor}"' in answers.filled(PAGES[f"{page}.md"])


def test_every_figure_is_on_a_results_page_with_a_caption_without_typed_results():
    shown = Counter(re.findall(r"```{figure} ../../figures/(\S+)\n:alt: \S", "\n".join(RESULTS.values())))
    figures = {path.name for path in results.FIGURES.glob("*.png")}
    assert shown == Counter(figures)
    for name, text in RESULTS.items():
        for caption in re.findall(r":alt: .*\n\n(.*)\n```", text):
            assert answers.NUMBER.search(caption), f"{name}: nothing is read from the runs in {caption}"
            words = answers.NUMBER.sub("", caption)
            assert not re.search(r"\d\.\d|± ", words), f"{name}: {caption}"


@pytest.mark.long
def test_every_row_of_the_report_is_on_a_results_page_with_a_sign():
    filled = "\n".join(map(answers.filled, RESULTS.values()))
    rows = [row for pairs in results.studies().values() for study, _ in pairs for row in study.rows]
    assert filled.count('<th scope="row">') == len(rows) > 250
    signs = (">✓ reached<", ">✓ reached, beyond<", ">✗ missed", ">○ not attempted")
    assert sum(map(filled.count, signs)) == len(rows)
    assert "runs finished" not in filled


def test_numbers_are_those_of_the_runs_and_unknown_ones_are_refused():
    assert answers.filled("{paper rigl/table-2/rigl/error_best}") == "1.44 %"
    found = results.number("ours", "rigl/table-2/rigl/error_best")
    assert f"| RigL, test error of the best epoch | 1.44 % (± 0.2) | {found} (3 seeds)" in REPORT
    with pytest.raises(ValueError, match="no row of the report is 'rigl/none'"):
        answers.filled("{ours rigl/none}")
    with pytest.raises(ValueError, match="no run of rigl-mnist-98 is by 'adam'"):
        answers.filled("{accuracy adam}")


def test_a_claim_that_the_runs_no_longer_bear_out_is_noticed(monkeypatch):
    assert answers.filled("RigL is better{holds rigl/equal-budget/above-static}.") == "RigL is better."
    for claim in ("{misses rigl/equal-budget/above-static}", "{holds rigl/equal-budget/above-lottery}"):
        with pytest.raises(ValueError, match="what a page says of it is stale"):
            answers.filled(claim)
    assert answers.filled("{count snfs/lenet-5}") == "3 of 8"
    with pytest.raises(ValueError, match="no row of the report begins with 'snfs/lenet'"):
        answers.filled("{count snfs/lenet}")
    assert answers.filled("a{when set/mnist/over-static} b{end}.") == "a b."
    monkeypatch.setitem(results._rows(), "set/none", (SimpleNamespace(ours=lambda runs: []), None, []))
    assert answers.filled("a{when set/none} b {ours set/none}{end}.") == "a."
    monkeypatch.undo()
    with pytest.raises(ValueError, match="no finished run is set-mnist/set-seed9"):
        answers.filled("{share set-mnist/set-seed9/central_share_by_epoch/0}")


def test_the_front_page_has_the_numbers_of_its_runs():
    told = " ".join(answers.filled(PAGES["index.md"]).split())
    finished = next(
        runs for pairs in results.studies().values() for study, runs in pairs if study.name == "rigl-mnist-98"
    )
    kept = {sum(run["result"]["connections"].values()) for run in finished if run["config"]["method"] != "dense"}
    assert [f"{number:,} of 266,200 weights" in told for number in kept] == [True]
    (film,) = (
        runs[0]["result"] for pairs in results.studies().values() for s, runs in pairs if s.name == "rigl-animation"
    )
    assert f"at the first update {100 * film['accuracy'][1]:.0f} % of the test images" in told


def test_the_front_page_shows_five_lines_a_failed_verdict_and_every_package(monkeypatch):
    shown = answers.filled(PAGES["index.md"])
    lines = inspect.getsource(rigl_update).splitlines()
    assert ":lines: 1, 14-" in shown
    assert lines[0].startswith("def rigl_update")
    assert len(lines[13:]) == 4
    assert lines[-1] == "    return kept | grow"
    assert re.search(r"✗ \d+ of \d+: your drop ranks inactive weights too, as rigl-tf1 does", shown)
    assert all(name in shown for name in matrix.packages())
    monkeypatch.setattr(front.wrong, "rigl_update", rigl_update)
    with pytest.raises(ValueError, match="holds in every case"):
        front.verdict.__wrapped__()


def test_the_repository_is_that_of_the_ci_or_unknown(monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "a/b")
    monkeypatch.delenv("GITHUB_SERVER_URL", raising=False)
    assert front.repository() == "https://github.com/a/b"
    monkeypatch.delenv("GITHUB_REPOSITORY")
    told = lambda address: lambda *_, **__: SimpleNamespace(stdout=address)
    for address, wanted in (
        ("https://example.org/a/b.git\n", "https://example.org/a/b"),
        ("https://user:secret@example.org/a/b\n", ""),
        ("/srv/b\n", ""),
        ("", ""),
    ):
        monkeypatch.setattr(front.subprocess, "run", told(address))
        assert front.repository() == wanted


def test_signs_have_classes_and_numbers_have_none():
    (case,) = cases.find("rigl_update/dropped-connection-returns", cases.load())
    picture = answers.picture(case)
    assert picture.count('class="back"') == 1
    assert picture.count('class="dropped"') == 1
    assert "rigl_update/dropped-connection-returns" in picture.splitlines()[0]
    assert case.reason not in picture, "it is above the picture already"


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no golden case is of 'rigl_updat'"):
        answers.filled("<!-- pins: rigl_updat -->")
    with pytest.raises(ValueError, match="no golden case is of 'trajectory:rig'"):
        answers.filled("<!-- pins: trajectory:rig -->")


@pytest.mark.parametrize("page", PAGES)
def test_every_comment_of_a_page_is_answered(page):
    assert "<!-- " not in re.sub("<!-- (Made by|slides)", "", answers.filled(PAGES[page]))  # slides: docs/pages.py


def test_a_page_links_to_the_notebooks_that_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "COURSE", tmp_path)
    (tmp_path / "09_rigl.ipynb").touch()
    told = answers.filled("<!-- notebooks: 08_snfs 09_rigl -->")
    assert told == "The course builds it step by step: [](/notebooks/09_rigl.ipynb)."
    assert answers.filled("<!-- notebooks: 08_snfs -->") == ""


@pytest.mark.skipif(len(LESSONS) < 12, reason="the course is not all there")
def test_every_notebook_that_a_page_names_is_there():
    assert {name for _, name in asked("notebooks")} <= LESSONS


def test_other_text_is_left_alone():
    assert answers.filled("# A page\n\n<!-- a note -->\n") == "# A page\n\n<!-- a note -->\n"


@pytest.mark.parametrize(
    ("docstring", "shown"),
    [
        ("a  the first\nb  the second", "::\n\n    a  the first\n    b  the second"),
        ("Code:\n\n    x = 1", "Code\\:\n\n::\n\n        x = 1"),
        (f"{'word ' * 21}and\nmore.", f"{'word ' * 21}and more."),
        ("rate: a number\nbeta: another", "| rate\\: a number\n| beta\\: another"),
        ("Keep |w| of `top_k`, f*g.", "Keep \\|w\\| of `top_k`, f\\*g."),
    ],
)
def test_docstrings_are_prose_where_they_are_prose_and_stand_as_they_are_elsewhere(docstring, shown):
    pytest.importorskip("sphinx")
    from docs import docstrings

    lines = docstring.split("\n")
    docstrings.as_read(None, "function", "f", None, None, lines)
    assert "\n".join(lines).strip() == shown


def sample(score: Array, k: int, among: Array | None = None, *, a: str = "x", b: float = 0.5):
    """Mark the k entries of highest score.

    score real, any shape; among boolean, score's shape: only these are candidates. Returns a mask. A sentence in prose,
    which has an end. ValueError for NaN, k < 0, or shapes that differ; TypeError if k is no whole number.

    a, b  as `sample` uses
          them
    """


def test_parameters_results_and_errors_are_lists_with_annotations_as_written():
    docstrings = pytest.importorskip("docs.docstrings", reason='the site needs pip install -e ".[docs]"')
    lines = inspect.getdoc(sample).split("\n")
    docstrings.as_read(None, "function", "sample", sample, None, lines)
    assert [line for line in lines if line] == [
        "Mark the k entries of highest score.",
        "A sentence in prose, which has an end.",
        ":param score: real, any shape",
        ":type score: Array",
        ":param k: ",
        ":type k: int",
        ":param among: boolean, score's shape\\: only these are candidates; default `None`",
        ":type among: Array \\| None",
        ":param a: as `sample` uses them; default `'x'`",
        ":type a: str",
        ":param b: as `sample` uses them; default `0.5`",
        ":type b: float",
        ":returns: a mask",
        ":raises ValueError: for NaN, k < 0, or shapes that differ",
        ":raises TypeError: if k is no whole number",
    ]
    assert docstrings.signature(None, "function", "f", rigl_update, None, "(weight)", None) == ("(weight)", "Array")
    named = docstrings.signature(None, "class", "f", Linear, None, "(n_in, initial=<function he_normal>)", None)
    assert named == ("(n_in, initial=he_normal)", None)


def test_an_aligned_block_that_names_more_than_parameters_stands_as_it_is():
    docstrings = pytest.importorskip("docs.docstrings", reason='the site needs pip install -e ".[docs]"')
    text = "First.\n\nk      one\nother  two\n\nThe k there is. a share is no parameter here."
    assert docstrings.divided(text, ["k", "a"]) == (text, {})


def test_parameters_are_told_of_where_a_docstring_says_as_in():
    docstrings = pytest.importorskip("docs.docstrings", reason='the site needs pip install -e ".[docs]"')
    lines = inspect.getdoc(allocate.erdos_renyi).split("\n")
    docstrings.as_read(None, "function", "erdos_renyi", allocate.erdos_renyi, None, lines)
    assert ":param shapes: {name\\: shape}" in lines


@pytest.mark.long
def test_every_public_class_has_a_sentence():
    for path in HOME.rglob("*.py"):
        for own in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(own, ast.ClassDef) and not own.name.startswith("_"):
                assert ast.get_docstring(own), (path, own.name)


def test_a_page_of_the_course_has_buttons_that_open_it_in_a_browser_and_download_it():
    pages = pytest.importorskip("docs.pages", reason='the site needs pip install -e ".[docs]"')
    from docutils import nodes
    from docutils.utils import new_document
    from sphinx import addnodes

    def page(name):
        made = new_document("")
        made += nodes.section("", nodes.title("", "Title"), nodes.paragraph("", "Text"))
        pages.lead_to_the_browser(SimpleNamespace(env=SimpleNamespace(docname=name)), made)
        return made

    def button(name):
        return [re.search('href="(.*?)"', raw.astext())[1] for raw in page(name).findall(nodes.raw)]

    def file(name):
        return [link["reftarget"] for link in page(name).findall(addnodes.download_reference)]

    assert button("docs/course") == button("notebooks/README") == ["../lite/open.html"]
    assert button("notebooks/03_choosing_k_of_n") == ["../lite/open.html?path=03_choosing_k_of_n.ipynb"]
    assert button("notebooks/solutions/03_x") == ["../../lite/open.html?path=solutions/03_x.ipynb"]
    assert button("docs/runs") == button("minisparse/golden/README") == []
    assert file("notebooks/solutions/03_x") == ["/notebooks/solutions/03_x.ipynb"]
    assert file("docs/course") == file("notebooks/README") == file("docs/runs") == []
