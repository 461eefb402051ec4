"""How large blocks should be: what a second thread gains for one NumPy call, and steps by the size of their blocks.

    python -m benchmarks.blocks [--rounds N] [--json PATH]

The first table times one call alone, and the same call by two threads at once, each on arrays of its own: a gain of 2
is all that two threads can give. The second takes steps of W2 and W3 with blocks of other sizes in turn, in one
process, and prints the median of the ratios to blocks of the size that is the default here.
"""

import argparse
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np

from minisparse import threads
from minisparse.backend import keep_freed_memory

from . import steps
from .harness import commit, machine

NUMBERS = (5_000, 20_000, 50_000, 100_000, 200_000, 300_000, 500_000, 1_000_000, 2_000_000)
MEGABYTES = (0.5, 1, 2, 4, 8, 16, 32)
AT_LEAST = 0.02  # seconds of calls


def product(n: int) -> Callable[[], Any]:
    """A product of n pairs of numbers in float32, written into an array that is there."""
    a, b, c = (np.ones(n, np.float32) for _ in range(3))
    return lambda: np.multiply(a, b, out=c)


def seconds(call: Callable[[], Any], times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - begin


def gain(n: int, rounds: int) -> dict[str, float]:
    """The time of a call, in microseconds, and how many times as much two threads do."""
    calls = [product(n), product(n)]
    times = max(1, round(AT_LEAST * 10 / seconds(calls[0], 10)))
    alone, together = [], []
    for _ in range(rounds):
        alone.append(seconds(calls[0], times))
        workers = [threading.Thread(target=seconds, args=(call, times)) for call in calls]
        begin = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        together.append(time.perf_counter() - begin)
    ratios = [2 * one / both for one, both in zip(alone, together, strict=True)]
    return {"numbers": n, "us": 1e6 * median(alone) / times, "gain": median(ratios)}


def by_size(task: steps.Task, rounds: int, times: int) -> list[dict[str, float]]:
    """Milliseconds of a step for each size of blocks, and the ratio to the default's in the same round."""
    step, sizes = steps.minisparse_step(task), sorted({*MEGABYTES, threads.BLOCK_BYTES / 2**20})
    taken: dict[float, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            with patch.object(threads, "BLOCK_BYTES", int(size * 2**20)):
                step()
                taken[size].append(seconds(step, times) / times)
    usual = taken[threads.BLOCK_BYTES / 2**20]
    return [
        {
            "megabytes": size,
            "ms": 1e3 * median(taken[size]),
            "ratio": median(a / b for a, b in zip(taken[size], usual, strict=True)),
        }
        for size in sizes
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blocks", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="of every measurement (default 9)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write everything that was measured")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    if args.json and not args.json.parent.is_dir():
        parser.error(f"{args.json.parent} is not a directory")
    keep_freed_memory()
    when = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit(), "machine": machine()}
    report: dict[str, Any] = {**when, "threads": threads.n_threads(), "calls": [], "steps": {}}
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))
    print(f"\n{'numbers in a call':>18} {'µs':>8} {'two threads do':>15}")
    with threads.one_pool_of_threads():
        for n in NUMBERS:
            row = gain(n, args.rounds)
            report["calls"].append(row)
            print(f"{n:>18,} {row['us']:>8.1f} {row['gain']:>12.2f} ×", flush=True)
    for name, times in (("W2", 25), ("W3", 5)):
        print(f"\n{name + ', blocks of':>18} {'ms':>8} {'× the default':>15}")
        report["steps"][name] = by_size(getattr(steps, name), args.rounds, times)
        for row in report["steps"][name]:
            usual = " (default)" if row["megabytes"] * 2**20 == threads.BLOCK_BYTES else ""
            print(f"{row['megabytes']:>15g} MB {row['ms']:>8.1f} {row['ratio']:>13.2f}{usual}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
