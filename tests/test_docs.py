"""The site: every vector is on a page, every module too, and what a page shows is read from where it is decided."""

import ast
import re
from collections import Counter
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest

import minisparse
from docs import answers
from minisparse.golden import cases
from minisparse.golden.divergences import DIVERGENCES

HOME = Path(minisparse.__file__).parent
DOCS = Path(answers.__file__).parent
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
LESSONS = {path.stem for path in answers.COURSE.glob("*.ipynb")}
CASES = [case for own in cases.load().values() for case in own]


def asked(kind):
    """(page, name) of all that pages ask for."""
    return [(page, name) for page, text in PAGES.items() for word, names in answers.ASKED.findall(text)
            if word == kind for name in names.split()]  # fmt: skip


def test_every_case_is_on_one_page():
    shown = Counter(case.id for _, name in asked("pins") for case in answers.asked(name))
    assert shown == Counter(case.id for case in CASES)


def test_every_method_has_a_page_with_its_pins_and_who_differs():
    for path in {*HOME.glob("methods/*.py")} - {HOME / "methods/__init__.py"}:
        page = f"methods/{path.stem}.md"
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_case_shows_its_reason_its_picture_and_who_differs(case):
    fold = answers._fold(case)
    shown = unescape(re.sub("<[^>]+>", "", fold))
    assert case.reason in shown
    assert f"pins {case.pin}" in shown
    assert f'id="{case.id.replace("/", "-")}"' in fold
    differ = re.search(r'<span class="who differ">(.*?) differs?</span>', fold)
    names = differ[1].split(", ") if differ else []
    assert names == [own for own in cases.PROFILES if own != "reference" and case.differs(own)]


def test_who_differs_is_told_in_the_checkers_words():
    told = answers.divergences(["rigl_update"])
    says = next(does for row, does, _ in DIVERGENCES if row == "R2")
    (line,) = [line for line in told.splitlines() if line.startswith(f"- *{says}*: ")]
    assert ": rigl-tf1, rigl-torch (" in line
    assert '<a href="#rigl_update-active-weights-of-zero">rigl_update/active-weights-of-zero</a>' in line
    assert "rigl_update/basic" not in told, "a case on which everybody agrees tells nobody apart"


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
    assert "<!-- " not in answers.filled(PAGES[page])


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
    from docs import pages

    lines = docstring.split("\n")
    pages.as_read(None, "function", "f", None, None, lines)
    assert "\n".join(lines).strip() == shown


def test_a_page_of_the_course_has_a_button_that_opens_it_in_a_browser():
    pages = pytest.importorskip("docs.pages", reason='the site needs pip install -e ".[docs]"')
    from docutils import nodes
    from docutils.utils import new_document

    def button(name):
        page = new_document("")
        page += nodes.section("", nodes.title("", "Title"), nodes.paragraph("", "Text"))
        pages.lead_to_the_browser(SimpleNamespace(env=SimpleNamespace(docname=name)), page)
        return [re.search('href="(.*?)"', raw.astext())[1] for raw in page.findall(nodes.raw)]

    assert button("docs/course") == button("notebooks/README") == ["../lite/open.html"]
    assert button("notebooks/03_choosing_k_of_n") == ["../lite/open.html?path=03_choosing_k_of_n.ipynb"]
    assert button("notebooks/solutions/03_x") == ["../../lite/open.html?path=solutions/03_x.ipynb"]
    assert button("docs/runs") == button("minisparse/golden/README") == []
