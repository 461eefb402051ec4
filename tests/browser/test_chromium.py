"""The course in a browser: notebooks run there from top to bottom, and nothing is asked of another origin."""

from pathlib import Path

import chromium
import pytest

playwright_of = pytest.importorskip("playwright.sync_api", reason='a browser needs pip install -e ".[lite]"')

COURSE = Path(__file__).parents[2] / "notebooks"
FIRST = "01_a_tape_you_can_print.ipynb"
SECONDS = 1500  # for one notebook, on a machine that does other things too


@pytest.fixture(scope="module")
def browser(site):
    """(playwright, the address of the site)."""
    if chromium.found() is None:
        pytest.skip("Chromium is not here")
    with chromium.served(site) as origin, playwright_of.sync_playwright() as playwright:
        yield playwright, origin


def notebooks(site):
    folder = site / "files" / "notebooks"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.ipynb"))


def runs(browser, notebook):
    with chromium.tab(*browser) as tab:
        tab.open(notebook, SECONDS)
        tab.run_all(SECONDS)
        assert (notebook, tab.errors(), tab.foreign) == (notebook, [], [])


def test_the_first_notebook_runs_and_asks_nothing_of_another_origin(browser):
    runs(browser, FIRST)


@pytest.mark.slow
def test_every_notebook_and_solution_runs_and_asks_nothing_of_another_origin(browser, site):
    assert len(notebooks(site)) == len([*COURSE.rglob("[0-9]*.ipynb")])
    for notebook in notebooks(site):
        runs(browser, notebook)


def test_an_error_and_a_foreign_request_are_noticed(browser):
    with chromium.tab(*browser) as tab:
        tab.open(FIRST, SECONDS)
        tab.page.evaluate("fetch('http://elsewhere.example/').catch(() => {})")
        tab.write(1, "import sys\nprint('a warning', file=sys.stderr)\n1 / 0")
        tab.run_all(SECONDS)
        first, second, *others = tab.errors()
        assert first == "cell 1 on stderr: a warning\n"
        assert second.startswith("cell 1: ")
        assert "ZeroDivisionError" in second
        assert others == [f"cell {n} did not run" for n, cell in enumerate(tab.notebook()["cells"][2:], 2)
                          if cell["cell_type"] == "code"]  # fmt: skip
        assert set(tab.foreign) == {"http://elsewhere.example/"}


def test_an_answer_is_there_after_a_reload(browser):
    with chromium.tab(*browser) as tab:
        tab.open(FIRST, SECONDS)
        tab.write(1, "answer = 42")
        tab.page.wait_for_function(f"!({chromium.WIDGET}).context.model.dirty", timeout=60_000)
        tab.page.reload()
        tab.page.wait_for_function(chromium.SHOWN, timeout=1000 * SECONDS)
        assert tab.notebook()["cells"][1]["source"] == "answer = 42"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_page_fits_and_leads_to_the_notebook(browser, width, scheme):
    with chromium.tab(*browser, width=width, color_scheme=scheme) as tab:
        tab.page.goto(f"{tab.origin}open.html?path=03_choosing_k_of_n.ipynb")
        assert tab.page.locator("h1").inner_text() == "03 choosing k of n"
        assert tab.page.locator("#small").is_visible() == (width < 600)
        assert not tab.page.locator("#lost").is_visible()
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
        tab.page.locator("#go").click()
        tab.page.wait_for_function(chromium.SHOWN, timeout=1000 * SECONDS)
        assert "Choosing k of n" in tab.notebook()["cells"][0]["source"]


@pytest.mark.parametrize(
    ("without", "said"),
    [("delete window.WebAssembly", "no WebAssembly"), ("WebAssembly.validate = (bytes) => bytes.length < 9", "too old"),
     ("delete window.Worker", "no web workers")],
)  # fmt: skip
def test_a_browser_that_cannot_run_it_is_told_why_and_what_to_do(browser, without, said):
    with chromium.tab(*browser) as tab:
        tab.page.add_init_script(without)
        tab.page.goto(f"{tab.origin}open.html?path={FIRST}")
        assert not tab.page.locator("#can").is_visible()
        assert said in tab.page.locator("#cannot").inner_text()
        assert tab.page.locator("#read").get_attribute("href") == "../notebooks/01_a_tape_you_can_print.html"


def test_where_nothing_is_stored_the_page_says_that_answers_will_be_lost(browser):
    with chromium.tab(*browser, service_workers="block") as tab:
        tab.page.add_init_script("indexedDB.open = () => { throw new Error('no storage'); }")
        tab.page.goto(f"{tab.origin}open.html?path={FIRST}")
        tab.page.locator("#lost").wait_for(timeout=10_000)
        assert not tab.page.locator("#kept").is_visible()
