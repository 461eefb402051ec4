"""The page of conformance is made from its JSON, tells all of it, and names only what there is."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minisparse.golden import cases
from tests.conformance.packages import PACKAGES
from tests.conformance.page import DATA, DIFFERS, PAGE, REPORTED, page

HERE = Path(__file__).parent
FUNCTIONS = cases.load()
RESULTS = json.loads(DATA.read_text(encoding="utf-8"))


def test_the_page_is_made_from_the_json():
    assert PAGE.read_text(encoding="utf-8") == page(RESULTS), "run python -m tests.conformance --page"


def test_every_package_is_there_at_its_pinned_version():
    assert list(RESULTS["packages"]) == [package.name for package in PACKAGES]
    for package in PACKAGES:
        pinned = dict(requirement.split("==") for requirement in package.requires)
        found = RESULTS["packages"][package.name]
        assert found["version"].startswith(pinned.get(package.name, "2.13.0"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["date"])


def offered(adapter):
    tree = ast.parse((HERE / "adapters" / f"{adapter}.py").read_text(encoding="utf-8"))
    return {own.name for own in tree.body if isinstance(own, ast.FunctionDef)} & FUNCTIONS.keys()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_results_are_of_the_functions_that_the_adapter_has(package):
    functions = RESULTS["packages"][package.name]["functions"]
    assert functions.keys() == offered(package.adapter)
    for result in functions.values():
        assert result["holds"] + len(result["wrong"]) == result["cases"]
        assert result["passes"] == (not result["wrong"])
        assert result["verdict"].startswith(f"{result['holds']} of {result['cases']}")
    differ = {name for name, result in functions.items() if not result["passes"]}
    assert DIFFERS.get(package.name, {}).keys() == differ


def test_every_adapter_is_of_a_package():
    assert {path.stem for path in (HERE / "adapters").glob("*.py")} == {package.adapter for package in PACKAGES}


def test_a_cell_says_holds_differs_or_not_offered():
    own = {"version": "1", "with": {}, "date": "2026-01-02", "called": "f"}
    right = {"passes": True, "holds": 3, "cases": 3, "verdict": "3 of 3"}
    wrong = {"passes": False, "holds": 1, "cases": 3, "verdict": "1 of 3: your count is rounded up (case b)"}
    packages = {"a": own | {"functions": {"top_k": right}}, "b": own | {"functions": {"top_k": wrong, "cubic": right}}}
    made = page({"minisparse": "0", "python": "3", "cases": {"cubic": 3, "top_k": 3, "gate": 1}, "packages": packages})
    assert "| function | a | b |" in made
    assert "| `cubic` | – | ✓ |" in made
    assert "| `top_k` | ✓ | 1 of 3 |" in made
    assert "`gate` |" not in made.partition("## Code on GitHub alone")[0]
    assert "- `top_k`, 1 of 3:  *your count is rounded up (case b)*" in made
    assert "on 2026-01-02 with" in made
    assert "All cases of the functions that it has hold." in made


def test_reports_name_functions_places_and_a_commit_or_a_day():
    for code in REPORTED:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", code["repository"])
        assert re.fullmatch(r"[0-9a-f]{7}", code["commit"]) or (code["commit"] == "main" and code["date"])
        assert code["functions"].keys() <= FUNCTIONS.keys()
        for note in code["functions"].values():
            assert note["how"] in ("run", "read")
            assert note["where"]
            assert note["does"]


def test_an_unknown_package_is_refused():
    command = [sys.executable, "-m", "tests.conformance", "rigltorch"]
    done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True)
    assert done.returncode == 2
    assert "NAME is 'rigltorch'; expected rigl-torch, " in done.stderr
