"""Time contenders side by side: each in a process of its own, woken in turn, compared round by round.

Two libraries in one process would share its allocator, and the threads of one would spin while the other is timed. So
every contender gets a fresh interpreter with the same environment. The driver wakes them one after the other, A B C
A B C, while the others are blocked on reading a pipe; whatever the machine does to one round it does to all of them,
and the ratios of a round are kept although its times may drift.

This file knows nothing about sparse training. A module of benchmarks lists its `Workload`s and calls `main`.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
THREADS = 2
WARM_UP = 0.2  # seconds of steps before the first block
SETTLE = 0.1  # seconds of rest before a block: the threads of the last contender stop spinning

# Large arrays come from memory the process already has, instead of being mapped and page-faulted anew every step.
WARM_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "8000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}


@dataclass(frozen=True)
class Contender:
    """One row of a table.

    setup     builds everything and returns the step to be timed; what a step returns is kept alive until the next one
              has returned, as the variable of a `for` loop would keep it
    imports   the modules it needs; memory is counted from after these are imported
    period    every so many steps one is unlike the others. Blocks are then whole periods, and the mean is reported;
              the median would not see it
    dense     the contender that does the same without sparsity, if there is one
    on_demand is it left out unless asked for by name
    variables what its process finds in its environment beside what all find
    """

    name: str
    setup: Callable[[], Callable[[], Any]]
    imports: tuple[str, ...]
    period: int = 1
    dense: str | None = None
    on_demand: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def statistic(self) -> str:
        return "mean" if self.period > 1 else "median"


@dataclass(frozen=True)
class Workload:
    """One table: contenders that do the same work, and the one they are measured against, if any.

    verify    makes sure that they do, and says how: what `--verify` prints
    second    another one that they are measured against, in a column beside the reference's
    """

    title: str
    contenders: tuple[Contender, ...]
    reference: str | None = None
    verify: Callable[[], str] | None = None
    second: str | None = None

    def __getitem__(self, name: str) -> Contender:
        return next(contender for contender in self.contenders if contender.name == name)


class ContenderDied(RuntimeError):
    """A sentence that names the contender and says what its process said last."""


# The contender's side


def serve(module: str, title: str, name: str) -> None:
    """Be one contender: import, build, warm up, then for every line on stdin run a block and answer with a line."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not end up among the answers
    contender = next(workload for workload in import_module(module).WORKLOADS if workload.title == title)[name]
    os.environ |= contender.variables
    for needed in contender.imports:
        import_module(needed)
    libraries = _libraries(contender.imports)
    before, peak, how = _watch_memory()

    step = contender.setup()
    _block(step, WARM_UP, contender.period)
    print(json.dumps({"libraries": libraries, "memory": how}), file=answers)
    for seconds in sys.stdin:
        times, cpu = _block(step, float(seconds), contender.period)
        figures = {
            "steps": len(times),
            "median": median(times) * 1e3,
            "mean": fmean(times) * 1e3,
            "cpu_seconds": cpu,
            "added_mb": (peak() - before) / 1e6,
        }
        print(json.dumps(figures), file=answers)


def _block(step: Callable[[], Any], seconds: float, period: int) -> tuple[list[float], float]:
    """Step for at least `seconds` and in whole periods: the seconds each step took, and the CPU time of all of them."""
    cpu = time.process_time()
    kept = step()  # not timed: it brings its data back into the caches
    stamps = [time.perf_counter()]
    end = stamps[0] + seconds
    while stamps[-1] < end or len(stamps) == 1 or (len(stamps) - 1) % period:
        kept = step()  # noqa: F841
        stamps.append(time.perf_counter())
    return [after - before for before, after in pairwise(stamps)], time.process_time() - cpu


def _libraries(imports: Sequence[str]) -> dict[str, Any]:
    """Versions of what this process imported, and which thread pools and kernels it runs on."""
    names = dict.fromkeys(["numpy", *(needed.partition(".")[0] for needed in imports)])
    versions = {n: v for n in names if (v := getattr(sys.modules[n], "__version__", None))}
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return {**versions, "pools": [f"{blas['name']} {blas['version']}"]}
    keys = ("internal_api", "version", "architecture", "threading_layer")
    pools = {
        " ".join(str(pool[k]) for k in keys if pool.get(k)) + f", {pool['num_threads']} threads"
        for pool in threadpool_info()
    }
    return {**versions, "pools": sorted(pools)}


def _watch_memory() -> tuple[int, Callable[[], int], str]:
    """Bytes resident now, a function that tells the most there were since, and how that is known."""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return peak(), peak, "ru_maxrss, which includes the imports' own peak"

    def read(field: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(field + ":"))
        return int(line.split()[1]) * 1024

    try:
        Path("/proc/self/clear_refs").write_text("5")
        how = "VmHWM, reset after the imports"
    except OSError:
        how = "VmHWM, which includes the imports' own peak"
    return read("VmRSS"), lambda: read("VmHWM"), how


# The driver's side


def environment(allocator: str) -> dict[str, str]:
    """What every contender's process gets: the driver's environment, two threads, and the allocator asked for."""
    decided_here = {"OPENBLAS_CORETYPE", *WARM_ALLOCATOR}
    env = {name: value for name, value in os.environ.items() if name not in decided_here}
    env |= dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"], str(THREADS))
    return env | (WARM_ALLOCATOR if allocator == "warm" else {})


class Process:
    """A contender's process, seen from the driver."""

    def __init__(self, module: str, title: str, name: str, env: Mapping[str, str]):
        self.name = name
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from benchmarks.harness import serve; serve({module!r}, {title!r}, {name!r})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=ROOT,
            env=env,
            start_new_session=True,  # Ctrl-C reaches the driver alone, which then ends this process and its children
        )

    def answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise self._died()
        return json.loads(line)

    def block(self, seconds: float) -> dict[str, Any]:
        try:
            self.process.stdin.write(f"{seconds}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        return self.answer()

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            with suppress(BrokenPipeError):  # where a line was on its way to a process that had died
                pipe.close()

    def _died(self) -> ContenderDied:
        status = self.process.wait()
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        self.errors.seek(0)
        said = [line.strip() for line in self.errors.read().splitlines() if line.strip()]
        last = said[-1] if said else "none"
        return ContenderDied(f"The process of {self.name!r} died with {how}; its last words: {last}")


@contextmanager
def started(module: str, title: str, names: Sequence[str], env: Mapping[str, str]) -> Iterator[dict[str, Process]]:
    """The contenders' processes; none of them outlives the block."""
    with ExitStack() as stack:
        processes = {}
        for name in names:
            processes[name] = Process(module, title, name, env)
            stack.callback(processes[name].end)
        yield processes


def busy_seconds() -> float | None:
    """CPU time spent on this machine by anybody since it started; None where the system does not say."""
    try:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def settle(patience: float) -> None:
    """Wait until the machine is idle, for `patience` seconds at most."""
    end = time.monotonic() + patience
    while True:
        before = busy_seconds()
        time.sleep(SETTLE)
        if before is None or busy_seconds() - before < 0.15 * SETTLE or time.monotonic() >= end:
            return


class Settings(NamedTuple):
    """What the command line decides."""

    rounds: int
    seconds: float
    patience: float
    allocator: str


def measure(module: str, workload: Workload, names: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Run the contenders in rotation; {"about": {name: …}, "blocks": {name: [one a round]}}."""
    blocks: dict[str, list[dict]] = {name: [] for name in names}
    with started(module, workload.title, names, environment(settings.allocator)) as processes:
        about = {name: process.answer() for name, process in processes.items()}
        for _ in range(settings.rounds):
            for name, process in processes.items():
                settle(settings.patience)
                busy, began = busy_seconds(), time.monotonic()
                block = process.block(settings.seconds)
                if busy is not None:  # how many cores were at work for somebody else
                    others = busy_seconds() - busy - block["cpu_seconds"]
                    block["other_cores"] = max(0.0, others / (time.monotonic() - began))
                blocks[name].append(block)
    return {"about": about, "blocks": blocks}


# What came out


def summary(workload: Workload, measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A dict for each contender. Ratios are of equal statistics and of the same round, and then the median is taken."""
    blocks = measured["blocks"]
    rows = []
    for name in blocks:
        contender, statistic = workload[name], workload[name].statistic

        def ratio(base: str | None, name: str = name, statistic: str = statistic) -> list[float] | None:
            if base not in blocks:
                return None
            return _quartiles([a[statistic] / b[statistic] for a, b in zip(blocks[name], blocks[base], strict=True)])

        added = {n: max(block["added_mb"] for block in blocks[n]) for n in blocks}
        rows.append(
            {
                "contender": name,
                "statistic": f"{statistic} of a block",
                "ms": _quartiles([block[statistic] for block in blocks[name]]),
                "x_reference": ratio(workload.reference),
                "x_second": ratio(workload.second),
                "x_dense": ratio(contender.dense),
                "added_mb": added[name],
                "x_memory": added[name] / added[workload.reference] if workload.reference in blocks else None,
                **measured["about"][name],
                "blocks": blocks[name],
            }
        )
    return rows


def _quartiles(values: Sequence[float]) -> list[float]:
    """[lower quartile, median, upper quartile]."""
    return [float(q) for q in np.quantile(values, [0.25, 0.5, 0.75])]


def print_table(workload: Workload, rows: Sequence[Mapping[str, Any]]) -> None:
    """The summary as a table; quartiles over the rounds in brackets."""
    from rich.console import Console
    from rich.table import Table

    def spread(quartiles: Sequence[float] | None) -> str:
        if quartiles is None:
            return "–"
        low, middle, high = quartiles
        return f"{middle:.2f} [dim]({low:.2f}–{high:.2f})[/]"

    table = Table(title=workload.title, title_justify="left")
    table.add_column("contender", no_wrap=True)
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {"ms": lambda row: spread(row["ms"])}
    if workload.reference:
        columns |= {
            f"× {workload.reference}": lambda row: spread(row["x_reference"]),
            **({f"× {workload.second}": lambda row: spread(row["x_second"])} if workload.second else {}),
            **({"× own dense": lambda row: spread(row["x_dense"])} if any(row["x_dense"] for row in rows) else {}),
            "+MB": lambda row: f"{row['added_mb']:.0f}",
            "its ×": lambda row: "–" if row["x_memory"] is None else f"{row['x_memory']:.2f}",
        }
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row["contender"], *(cell(row) for cell in columns.values()))
    Console(width=max(Console().width, 130)).print(table)  # a file has no width of its own


def machine() -> dict[str, Any]:
    """What the figures depend on and a reader cannot guess."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
    }


def commit(tree: Path = ROOT) -> str | None:
    """The commit that was measured, marked if files were changed since; None outside a checkout."""
    git = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(git, cwd=tree, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def chosen(workload: Workload, only: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """(names to run, sentences about those that cannot run). With a selection, those it is compared with come along."""
    if only is None:
        wanted = {contender.name for contender in workload.contenders if not contender.on_demand}
    else:
        wanted = {contender.name for contender in workload.contenders if _named(contender.name, only)}
        wanted |= {dense for name in wanted if (dense := workload[name].dense)}
        wanted |= {other for other in (workload.reference, workload.second) if wanted and other}
    names, left_out = [], []
    for contender in workload.contenders:
        if contender.name in wanted:
            missing = [top for needed in contender.imports if not find_spec(top := needed.partition(".")[0])]
            if missing:
                left_out.append(f"{contender.name!r} is left out: {missing[0]} is not installed.")
            else:
                names.append(contender.name)
    return names, left_out


def _named(name: str, parts: Sequence[str]) -> bool:
    """Is one of `parts` in the name, whatever the case?"""
    return any(part.lower() in name.lower() for part in parts)


def main(module: str, description: str, workloads: Sequence[Workload]) -> None:
    """The command line of a module of benchmarks."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11, help="how often each contender is woken (default 11)")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a block (default 0.5)")
    parser.add_argument("--workload", nargs="+", metavar="NAME", help="tables with NAME in their titles (default: all)")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="contenders with NAME in theirs, and their references"
    )
    parser.add_argument("--allocator", choices=["warm", "default"], default="warm", help="default: leave malloc alone")
    parser.add_argument(
        "--patience", type=float, default=2, help="seconds a block may wait for an idle machine (default 2)"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write everything that was measured")
    parser.add_argument("--verify", action="store_true", help="time nothing; check that contenders compute the same")
    args = parser.parse_args()
    if args.rounds < 1 or args.seconds <= 0:
        parser.error("--rounds must be at least 1 and --seconds positive")
    if args.json and not args.json.parent.is_dir():
        parser.error(f"{args.json.parent} is not a directory")
    if args.workload:
        titles = [workload.title for workload in workloads]
        workloads = [workload for workload in workloads if _named(workload.title, args.workload)]
        if not workloads:
            parser.error(f"--workload names none of {', '.join(map(repr, titles))}")
    if args.verify:
        for workload in workloads:
            if workload.verify:
                print(f"{workload.title}. {workload.verify()}", flush=True)
        return
    selection = [(workload, *chosen(workload, args.only)) for workload in workloads]
    if not any(names or left_out for _, names, left_out in selection):
        names = dict.fromkeys(contender.name for workload in workloads for contender in workload.contenders)
        parser.error(f"--only names none of {', '.join(map(repr, names))}")
    try:
        report = _run(module, selection, Settings(args.rounds, args.seconds, args.patience, args.allocator))
    except ContenderDied as death:
        sys.exit(str(death))
    except KeyboardInterrupt:
        sys.exit("Interrupted; nothing was written.")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


def _run(module: str, selection: Sequence[tuple[Workload, list[str], list[str]]], settings: Settings) -> dict[str, Any]:
    """Measure, print, and return everything that was measured."""
    report: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "settings": {"threads": THREADS, **settings._asdict()},
        "left_out": [sentence for _, _, left_out in selection for sentence in left_out],
        "workloads": [],
    }
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))
    for sentence in report["left_out"]:
        print(sentence)
    for workload, names, _ in selection:
        if names:
            rows = summary(workload, measure(module, workload, names, settings))
            print_table(workload, rows)
            about = {"title": workload.title, "reference": workload.reference, "second": workload.second}
            report["workloads"].append({**about, "contenders": rows})

    rows = [row for done in report["workloads"] for row in done["contenders"]]
    for line in dict.fromkeys(", ".join(_words(row["libraries"])) for row in rows):
        print(line)
    for how in dict.fromkeys(row["memory"] for row in rows):
        print(f"Memory above the imports: {how}. Allocator: {settings.allocator}. {THREADS} threads each.")
    if others := [block["other_cores"] for row in rows for block in row["blocks"] if "other_cores" in block]:
        report["other_cores"] = _quartiles(others)
        note = ": TOO BUSY, do not quote these figures" if report["other_cores"][1] > 0.1 else ""
        print(f"Other processes kept {report['other_cores'][1]:.2f} cores busy (median over the blocks){note}.")
    return report


def _words(libraries: Mapping[str, Any]) -> list[str]:
    return [f"{name} {version}" for name, version in libraries.items() if name != "pools"] + libraries["pools"]
