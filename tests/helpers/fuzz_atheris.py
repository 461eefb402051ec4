"""The parsers of test_fuzz.py under atheris, which looks for inputs that reach new branches.

    python tests/helpers/fuzz_atheris.py NAME FOLDER -atheris_runs=20000 -seed=1

NAME is one of test_fuzz.PARSERS; FOLDER is for its files, and what it finds is written where it was started. Anything
but ValueError ends the run with that exception, and a status other than 0.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["minisparse", "zipfile", "gzip", "csv", "json"]):
    import test_fuzz

name, folder, *options = sys.argv[1:]
parser, folder = test_fuzz.PARSERS[name], Path(folder)
(folder / "corpus").mkdir(exist_ok=True)
(folder / "corpus" / "good").write_bytes(test_fuzz.good_file(parser, folder))


def one(content: bytes) -> None:
    test_fuzz.read_or_refused(parser, folder, content)


atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], one)
atheris.Fuzz()
