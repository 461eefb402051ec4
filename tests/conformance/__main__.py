"""python -m tests.conformance [NAME …] [--environments DIR] [--page]

Installs every package in an environment of its own, runs its adapter through the golden vectors, writes
docs/conformance.json and, from it, docs/conformance.md. NAME: only these packages; the others keep their results.
--page: only the page.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import minisparse
from minisparse.golden import cases

from .packages import PACKAGES, TORCH, Package
from .page import DATA, PAGE, page

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__.partition("\n\n")[2])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--environments", type=Path, default=Path(tempfile.gettempdir()) / "minisparse-conformance")
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    known = [package.name for package in PACKAGES]
    if odd := [name for name in given.names if name not in known]:
        parser.error(f"NAME is {odd[0]!r}; expected {', '.join(known)}")
    data = json.loads(DATA.read_text(encoding="utf-8")) if DATA.is_file() else {"packages": {}}
    if not given.page:
        for package in PACKAGES:
            if not given.names or package.name in given.names:
                print(package.name, flush=True)
                data["packages"][package.name] = result(package, installed(package, given.environments))
        data |= {"version": 1, "minisparse": minisparse.__version__, "python": platform.python_version()}
        data["packages"] = {name: data["packages"][name] for name in known if name in data["packages"]}
        data["cases"] = {name: len(own) for name, own in cases.load().items()}
        DATA.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(data), encoding="utf-8")
    print(PAGE)


def installed(package: Package, environments: Path) -> Path:
    """The Python of an environment with the package; made if it is not there."""
    folder = environments / package.adapter
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = folder / "requirements.txt"
    wanted = "\n".join([*(["--no-deps"] if package.alone else []), *package.requires])
    if not done.is_file() or done.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        torch = [TORCH] if "torch" in package.libraries else []
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        together = [] if package.alone else package.requires
        subprocess.run([*pip, "numpy", *torch, *together], check=True)
        if package.alone:
            subprocess.run([*pip, "--no-deps", *package.requires], check=True)
        done.write_text(wanted)
    return python


def result(package: Package, python: Path) -> Mapping[str, Any]:
    """The versions found, and for each function its verdict and the cases that fail."""
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    listed = subprocess.run([python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True).stdout
    versions = {own["name"].replace("-", "_"): own["version"] for own in json.loads(listed)}
    floats = "float32" if package.float32 else "float64"
    command = [python, "-m", "tests.conformance.run", package.adapter, package.arrays, floats]
    done = subprocess.run(
        command, cwd=HERE.parents[1], env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise SystemExit(f"{package.name}: {done.stderr}")
    own = "torch" if package.name.startswith("torch.") else package.name.replace("-", "_")
    return {
        "version": versions[own],
        "with": {name: versions[name] for name in package.libraries if name != own},
        "date": date.today().isoformat(),
        "called": package.called,
        "functions": json.loads(done.stdout.splitlines()[-1]),
    }


if __name__ == "__main__":
    main()
