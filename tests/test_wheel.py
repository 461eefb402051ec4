"""The wheel: what is in it, and that it needs no repository beside it."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

HOME = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", folder, HOME)
    (made,) = folder.iterdir()
    return made


def test_it_holds_the_package_with_its_vectors_and_nothing_else(wheel):
    about = wheel.name.rsplit("-", 3)[0] + ".dist-info"
    expected = {f"{about}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    for path in HOME.joinpath("minisparse").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            expected.add(str(path.relative_to(HOME)))
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert sorted(names) == sorted(expected | {"pytest_minisparse.py"})
    others = {name for name in names if not name.endswith(".py") and not name.startswith(about)}
    vectors = {name for name in others if name.startswith("minisparse/golden/v1/") and name.endswith(".json")}
    images = {f"minisparse/data/images/{name}" for name in ("NOTICE.md", "digits.xz", "mnist-small.xz")}
    assert others - vectors - images == {"minisparse/golden/README.md", "minisparse/golden/schema.json"}
    assert images <= others
    assert len(vectors) > 30


def test_it_works_in_another_folder_without_the_repository(wheel, tmp_path):
    own = tmp_path / "site"
    pip("install", "--no-deps", "--target", own, wheel)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"PYTHONPATH": str(own), "COLUMNS": "200"}
    here = tmp_path / "here"
    here.mkdir()

    def said(code, *arguments):
        command = [sys.executable, "-W", "error", "-c", code, *arguments]
        done = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert (
        said("import minisparse, pytest_minisparse as p; print(minisparse.__file__, p.__file__)").count(str(own)) == 2
    )
    main = "from minisparse.cli import main; main()"
    assert "rigl_update" in said(main, "golden", "list")
    said(main, "golden", "check", "rigl_update", "minisparse:rigl_update")
    said(main, "demo", "--out", "demo")
    assert list((here / "demo").glob("*.gif")) + list((here / "demo").glob("*.png"))
