"""The numbers of a browser, by Pyodide in Node: every golden vector, the random streams and the data, bit for bit."""

import json
import shutil
import subprocess
from pathlib import Path

import everywhere
import pytest

build = pytest.importorskip("docs.lite.build", reason="a source distribution has no site")
HERE = Path(__file__).parent

ABSENT = "scipy sklearn joblib pooch filelock threadpoolctl typer rich".split()
IMPORTS = f"""
import pkgutil, sys
import minisparse
from minisparse import data, notebook, plot, train
import minisparse.golden.check
print([name for name in {ABSENT} if name in sys.modules])
"""
RUN = """
from tempfile import TemporaryDirectory
from minisparse.runs.plan import Plan
from minisparse.runs.prepare import prepare
from minisparse.runs.run import go, outcome, reopen
with TemporaryDirectory() as folder:
    steps = sum(1 for _ in go(prepare(Plan(model="mlp-20", data="digits", epochs=2)), folder))
    print(steps, outcome(folder)["active"], reopen(folder)[1].number)
"""


@pytest.fixture(scope="module")
def in_node(site, tmp_path_factory):
    """A function from Python source to what it prints in the Pyodide of the site."""
    node = shutil.which("node") or pytest.skip("Node.js is not here")

    def run(source):
        script = tmp_path_factory.mktemp("script") / "script.py"
        script.write_text(source, encoding="utf-8")
        done = subprocess.run([node, HERE / "in_node.mjs", site, script], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


def test_every_vector_holds_and_streams_and_data_are_the_same_bits(in_node):
    there, here = json.loads(in_node((HERE / "everywhere.py").read_text("utf-8"))), everywhere.report()
    assert there["failed"] == here["failed"] == {}
    assert there["cases"] == here["cases"] > 300
    assert there["same"] == here["same"]


def test_the_package_is_imported_without_what_a_browser_has_not(in_node):
    assert in_node(IMPORTS).strip() == "[]"


def test_a_run_is_trained_in_its_folder_and_opened_again(in_node):
    assert in_node(RUN).split() == ["30", "1588", "30"]


@pytest.fixture(scope="module")
def packages(site):
    return json.loads((site / "static" / "pyodide" / "pyodide-lock.json").read_text())["packages"]


def test_a_wheel_of_the_site_is_the_one_that_its_lock_pins(site, packages):
    assert {"minisparse", "numpy", "scipy", "matplotlib", "ipywidgets", *build.AT_START} <= set(packages)
    for package in packages.values():
        assert build.sha256(site / "static" / "pyodide" / package["file_name"]) == package["sha256"]
        assert set(package["depends"]) <= set(packages)


def test_the_published_form_differs_only_in_where_the_wheels_of_pyodide_are(packages, tmp_path):
    build.lock(tmp_path, build.CACHE, self_hosted=False)
    published = json.loads((tmp_path / "pyodide-lock.json").read_text())["packages"]
    for name in build.OFFICIAL:
        assert published[name]["file_name"] == build.CDN + packages[name]["file_name"]
        assert not (tmp_path / packages[name]["file_name"]).exists()
        published[name]["file_name"] = packages[name]["file_name"]
    assert published.keys() == packages.keys()
    assert all(published[name] == packages[name] for name in packages if name != "minisparse")


def test_a_wheel_that_is_not_the_one_of_npms_lock_is_refused(site, packages, tmp_path):
    with pytest.raises(SystemExit, match=r"six-.*whl in open-webui.* is not the wheel of npm's lock"):
        build.carried([packages["six"] | {"sha256": "0" * 64}], tmp_path, build.CACHE)


def test_a_folder_with_something_else_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(SystemExit, match="is not a site of notebooks, and would be replaced; name a new folder"):
        build.build(tmp_path, tmp_path / "cache", self_hosted=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_links_between_notebooks_lead_to_files_of_the_site(site):
    folder = site / "files" / "notebooks"
    links = {
        path: build.LINK.findall("\n".join(cell["source"] for cell in json.loads(path.read_text("utf-8"))["cells"]
                                           if cell["cell_type"] == "markdown"))
        for path in folder.rglob("*.ipynb")
    }  # fmt: skip
    assert sum(map(len, links.values())) > 100
    assert [(path.name, target) for path, own in links.items() for _, target in own
            if not (path.parent / target).is_file()] == []  # fmt: skip
