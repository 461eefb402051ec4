"""Imports point one way: the table of rows below is the architecture."""

import ast
import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from minisparse import backend

ROWS = [  # a module imports from rows above its own; one of a package, from its package too
    "backend checks files looks",
    "streams schedule records dtypes",
    "loops",
    "threads",
    "storage allocate channels windows",
    "autograd",
    "masks optim flops data",
    "active ops methods",
    "pool methods.l0 methods.share",
    "conv",
    "nn",
    "train",
    "recipes sparse compress",
    "models golden plot",
    "runs exercises",
    "experiments notebook",
    "cli",
    "__main__",
]
ROW = {name: number for number, names in enumerate(ROWS) for name in names.split()}
OPEN_INSIDE = set("data nn recipes sparse compress models golden plot runs experiments cli".split())  # without a circle
CORE = set("autograd active masks optim ops pool conv methods nn train recipes".split())
METHODS_MAY_IMPORT = {"backend", "checks", "schedule", "allocate", "masks", "storage"}

HOME = Path(backend.__file__).parent
MODULES = {".".join(path.relative_to(HOME).with_suffix("").parts): path for path in sorted(HOME.rglob("*.py"))}
PACKAGES = {name.rpartition("__init__")[0].rstrip(".") for name in MODULES if name.endswith("__init__")} | {""}
SOURCES = {name: path.read_text() for name, path in MODULES.items() if not name.endswith("__init__")}


def row(module):
    for name in (module, module.partition(".")[0]):
        if name in ROW:
            return ROW[name]
    raise AssertionError(f"'{module or 'minisparse itself'}' is in no row; add it to ROWS in tests/test_imports.py")


def imports(source, module=""):
    """(module, name) of every import in `source`, wherever it stands, with relative ones made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            here = ["minisparse", *module.split(".")][: -node.level] if node.level else []
            yield from ((".".join([*here, *filter(None, [node.module])]), alias.name) for alias in node.names)


def arrows(source, module=""):
    """The modules of this package that `source` imports."""
    for base, name in imports(source, module):
        if base.partition(".")[0] == "minisparse":
            base = base.removeprefix("minisparse").lstrip(".")
            whole = f"{base}.{name}".lstrip(".")
            yield whole if name and (whole in SOURCES or whole in PACKAGES or whole in ROW) else base


def goes_down(module, target):
    package = module.partition(".")[0]
    inside = package in OPEN_INSIDE and target.partition(".")[0] == package
    return inside or row(target) < row(module)


@pytest.mark.long
def test_a_module_imports_only_from_rows_with_a_smaller_number():
    up = [
        f"{module} is in row {row(module)} and imports {target} of row {row(target)}"
        for module, source in SOURCES.items()
        for target in arrows(source, module)
        if not goes_down(module, target)
    ]
    assert up == []


@pytest.mark.parametrize("module", [name for name in SOURCES if name.partition(".")[0] in CORE])
def test_the_core_knows_nothing_of_sparse_storage(module):
    assert not [target for target in arrows(SOURCES[module], module) if target.partition(".")[0] == "sparse"]
    assert not storage_words(SOURCES[module])


def storage_words(source):
    """The types of sparse storage, and the names of what only these have, that a module's code asks for."""
    words = "Stored Positions Complement Order SparseWeight FactoredGradient ImplicitWeight row_blocks top_k_in_blocks"
    nodes = [*ast.walk(ast.parse(source))]
    names = {own.id for own in nodes if isinstance(own, ast.Name)}
    names |= {own.attr for own in nodes if isinstance(own, ast.Attribute)}
    names |= {own.value for own in nodes if isinstance(own, ast.Constant)}
    return names & {*words.split()}


@pytest.mark.parametrize("source", ["isinstance(x, Positions)", "hasattr(x, 'row_blocks')", "x.row_blocks()"])
def test_the_reader_of_storage_words_sees_every_form(source):
    assert storage_words(source)


@pytest.mark.long
def test_no_imports_go_in_a_circle():
    try:
        TopologicalSorter({module: set(arrows(SOURCES[module], module)) for module in SOURCES}).prepare()
    except CycleError as circle:
        pytest.fail(f"imports go in a circle: {' -> '.join(circle.args[1])}")


@pytest.mark.parametrize("module", [name for name in SOURCES if name.startswith("methods.") and ROW.get(name) is None])
def test_a_method_imports_masks_allocation_and_schedules_only(module):
    assert set(arrows(SOURCES[module], module)) <= METHODS_MAY_IMPORT


@pytest.mark.long
def test_only_backend_imports_cupy():
    who = {
        module
        for module, file in MODULES.items()
        if any("cupy" in f"{base}.{name}" for base, name in imports(file.read_text()))
    }
    assert who <= {"backend"}


def pickled(source, module=""):
    """Where `source` could read or write Python objects, which may be code: the lines as they are."""
    names = {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
    for base, name in imports(source, module):
        if base.partition(".")[0] in names and name != "UnpicklingError":
            yield f"import {base}"
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner, name = ast.unparse(node.func.value), node.func.attr
        says = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if (
            says.get("allow_pickle", "False") != "False"
            or (owner in ("np", "numpy") and name == "load" and "allow_pickle" not in says)
            or (owner in ("np", "numpy") and name in ("save", "savez", "savez_compressed"))  # these pickle objects
            or (owner == "np.lib.format" and name in ("read_array", "write_array") and "allow_pickle" not in says)
            or (owner == "joblib" and name in ("dump", "load"))
            or ("torch" in owner and name == "load" and says.get("weights_only") != "True")
        ):
            yield ast.unparse(node)


@pytest.mark.long
def test_no_file_is_read_or_written_by_pickle():
    found = {module: list(pickled(file.read_text(), module)) for module, file in MODULES.items()}
    assert {module: lines for module, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from pickle import loads", "np.load(path)", "np.load(path, allow_pickle=True)", "np.savez(f)",
     "joblib.dump(a, path)", "_library('torch').load(path)", "torch.load(path, weights_only=False)",
     "np.lib.format.write_array(file, a)"],
)  # fmt: skip
def test_the_reader_of_pickles_sees_every_form(source):
    assert list(pickled(source))


@pytest.mark.parametrize(
    ("module", "source", "targets"),
    [
        ("train", "from .masks import Masks, project", ["masks", "masks"]),
        ("train", "import minisparse.recipes", ["recipes"]),
        ("train", "from minisparse import recipes, ops", ["recipes", "ops"]),
        ("train", "import numpy as np\nfrom math import pi", []),
        ("train", "def f():\n    from . import recipes", ["recipes"]),
        ("methods.rigl", "from ..masks import top_k", ["masks"]),
        ("methods.rigl", "from . import l0\nfrom .set import set_update", ["methods.l0", "methods.set"]),
        (
            "experiments.rigl",
            "from .. import recipes\nfrom ..methods.rigl import rigl_count",
            ["recipes", "methods.rigl"],
        ),
        ("train", "from . import rigl_update", [""]),
    ],
)
def test_the_reader_of_imports_reads_every_form(module, source, targets):
    assert list(arrows(source, module)) == targets


@pytest.mark.parametrize(
    ("module", "target"),
    [("masks", "train"), ("masks", "optim"), ("methods.set", "methods.rigl"), ("methods.rigl", "methods.l0"),
     ("nn", "recipes"), ("golden.cases", "cli"), ("recipes", "golden.cases")],
)  # fmt: skip
def test_an_arrow_up_or_across_is_seen(module, target):
    assert not goes_down(module, target)


def test_a_module_in_no_row_is_refused_with_where_to_add_it():
    with pytest.raises(AssertionError, match=r"'wavelets' is in no row; add it to ROWS in tests/test_imports\.py"):
        row("wavelets")
    with pytest.raises(AssertionError, match=r"'minisparse itself' is in no row"):
        row("")


@pytest.mark.long
def test_importing_the_package_loads_no_figures_data_or_sparse_library():
    code = "import sys, minisparse; print([m for m in ('matplotlib', 'scipy', 'pooch') if m in sys.modules])"
    env = os.environ | {"PYTHONPATH": str(HOME.parent)}
    child = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"


def test_no_name_on_the_menu_hides_a_module():
    import minisparse

    modules = {name for name in SOURCES if "." not in name}
    for name in modules & set(dir(minisparse)):
        assert getattr(minisparse, name).__name__ == f"minisparse.{name}", f"minisparse.{name} is no longer the module"


@pytest.mark.long
def test_the_golden_kit_needs_numpy_and_nothing_else():
    code = """
import importlib, importlib.abc, pkgutil, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "numpy", "minisparse"}:
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Absent())
import minisparse.golden
for module in pkgutil.iter_modules(minisparse.golden.__path__):
    if module.name != "show":  # drawings are rich's
        importlib.import_module(f"minisparse.golden.{module.name}")
from minisparse.golden.check import checked
print(checked("top_k", "minisparse.masks:top_k").passes)
"""
    env = os.environ | {"PYTHONPATH": str(HOME.parent)}
    child = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "True"
