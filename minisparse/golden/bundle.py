"""check_golden.py: the modules that judge, in one file that needs the standard library alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import write_texts
from .cases import VERSION, Case

HERE = Path(__file__).parent
# each imports from those before it
MODULES = "plain ties relatives replay facts divergences verdict asking guest portable".split()
START = '''#!/usr/bin/env python3
"""{doc}"""

import sys
import types

if sys.version_info < (3, 8):
    sys.exit("check_golden: this is Python %d.%d; expected 3.8 or newer" % sys.version_info[:2])

# The modules of minisparse.golden that judge, as written by `minisparse golden export --checker python`.
SOURCES = {{}}
'''
END = '''

def load():
    """The modules, as a package of their own."""
    package = sys.modules["golden_checker"] = types.ModuleType("golden_checker")
    package.__path__ = []
    for name, source in SOURCES.items():
        module = types.ModuleType("golden_checker." + name)
        module.__package__ = "golden_checker"
        sys.modules[module.__name__] = module
        exec(compile(source, "check_golden.py: " + name, "exec"), module.__dict__)
        setattr(package, name, module)
    return package


checker = load()  # in processes that it starts too
if __name__ == "__main__":
    sys.exit(checker.portable.main())
'''


def export(folder: Path, functions: Mapping[str, Sequence[Case]], force: bool = False) -> tuple[Path, Path]:
    """Write `folder`/check_golden.py and profiles.json, what it needs beside cases.json and expected.json.

    ValueError if one of the files exists, unless `force`.
    """
    content = json.dumps({"version": VERSION, "cases": profiles(functions)}, ensure_ascii=False)
    paths = folder / "check_golden.py", folder / "profiles.json"
    write_texts(dict(zip(paths, (checker(), content + "\n"), strict=True)), force)
    return paths


def checker() -> str:
    """The source of check_golden.py, for Python 3.8 or newer."""
    sources = {name: (HERE / f"{name}.py").read_text(encoding="utf-8") for name in MODULES}
    doc = sources["portable"].split('"""')[1]
    parts = [f"\nSOURCES[{name!r}] = r'''\n{source}'''\n" for name, source in sources.items()]
    return START.format(doc=doc) + "".join(parts) + END


def profiles(functions: Mapping[str, Sequence[Case]]) -> dict[str, Any]:
    """{id: what a verdict needs of the case beside question and answer}."""
    return {
        case.id: {
            "pin": case.pin,
            "may_lack": list(case.may_lack),
            "profiles": [[name, answer] for name, answers in case.profiles.items() for answer in answers],
        }
        for cases in functions.values()
        for case in cases
    }
