"""What users wait for: wall and CPU seconds of commands, of importing, of a notebook, and of every method's training.

    python -m benchmarks.waiting [--times N] [--only NAME ...] [--tree PATH] [--json PATH]

Each command runs in a fresh interpreter and a folder of its own, N times; the medians are printed. CPU seconds are
those of the process and its children, and say more than wall seconds where the machine is busy. --tree times another
checkout of minisparse, such as one of an older commit, on commands that it knows. Training reads MNIST.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from minisparse.runs.methods import METHODS

from .harness import ROOT, commit, machine

MINISPARSE = (sys.executable, "-c", "from minisparse.cli import main; main()")
EXECUTE = (
    "import sys, nbformat; from pathlib import Path; from notebooks import execute; "
    "path = Path(execute.__file__).with_name(sys.argv[1]); "
    "execute.execute(nbformat.read(path, as_version=4), path.parent)"
)


def notebook(name: str) -> tuple[str, ...]:
    return (sys.executable, "-c", EXECUTE, f"{name}.ipynb")


def training(method: str) -> tuple[str, ...]:
    """Ten epochs of LeNet-300-100 on MNIST; l0 as its paper, with Adam."""
    own = ("--optimizer", "adam", "--lr", "0.001") if method == "l0" else ()
    rounds = ("--rounds", "1") if method == "lottery" else ()
    data = ("--data", "mnist", "--epochs", "10", "--out", "run")
    return (*MINISPARSE, "train", "--method", method, *data, *own, *rounds)


COMMANDS: dict[str, tuple[str, ...]] = {
    "import minisparse": (sys.executable, "-c", "import minisparse"),
    "minisparse --help": (*MINISPARSE, "--help"),
    "minisparse golden list": (*MINISPARSE, "golden", "list"),
    "minisparse golden check, one function": (
        *MINISPARSE, "golden", "check", "rigl_update", "minisparse.methods.rigl:rigl_update",
    ),
    "minisparse cost": (*MINISPARSE, "cost", "--model", "resnet-50"),
    "minisparse demo": (*MINISPARSE, "demo", "--out", "picture"),
    **{f"train {method}": training(method) for method in METHODS},
    **{f"notebook {path.stem}": notebook(path.stem) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))},
}  # fmt: skip


def seconds(command: Sequence[str], tree: Path = ROOT) -> dict[str, float]:
    """Wall and CPU seconds of a command with the minisparse of `tree`. RuntimeError with its last words if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        path = os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
        )
        wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        lines = [line.strip("│ ") for line in (done.stderr or done.stdout).splitlines()]
        said = [line for line in lines if any(map(str.isalnum, line))] or ["nothing"]
        raise RuntimeError(f"it ended with {done.returncode}; its last words: {said[-1]}")
    return {"wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting", description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=1, metavar="N", help="how often each runs (default 1)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="commands with NAME in theirs (default: all)")
    parser.add_argument("--tree", type=Path, default=ROOT, metavar="PATH", help="another checkout, to compare with")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write everything that was measured")
    args = parser.parse_args()
    if args.times < 1:
        parser.error("--times must be at least 1")
    if not (args.tree / "minisparse" / "__init__.py").is_file():
        parser.error(f"--tree is {args.tree}; expected a checkout of minisparse")
    if args.json and not args.json.parent.is_dir():
        parser.error(f"{args.json.parent} is not a directory")
    chosen = {name: c for name, c in COMMANDS.items() if not args.only or any(part in name for part in args.only)}
    if not chosen:
        parser.error(f"--only names none of {', '.join(map(repr, COMMANDS))}")
    report: dict[str, Any] = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit(args.tree),
                              "machine": machine(), "commands": []}  # fmt: skip
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))
    print(f"{'':<40} {'wall s':>8} {'CPU s':>8}")
    for name, command in chosen.items():
        if name.startswith("notebook") and not all(map(find_spec, ("nbclient", "nbformat", "ipykernel"))):
            print(f"{name:<40} needs pip install -e '.[docs]'")
            continue
        try:
            runs = [seconds(command, args.tree.resolve()) for _ in range(args.times)]
        except RuntimeError as error:
            print(f"{name:<40} {error}", flush=True)
            continue
        medians = {kind: median(run[kind] for run in runs) for kind in ("wall", "cpu")}
        report["commands"].append({"name": name, **medians, "runs": runs})
        print(f"{name:<40} {medians['wall']:>8.2f} {medians['cpu']:>8.2f}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
