"""How the cost of truly sparse training grows: CPU time and memory of a step, and of RigL's update.

    python -m benchmarks.growth [--json PATH] [--only NAME ...] [--largest N]

Each row is one size; beside it is the exponent between it and the row before: 1 is proportional. The last line of a
table is the exponent of a power law fitted to its larger half, where fixed costs no longer count. One process, BLAS on
the threads it has; CPU time is that of all threads, so a busy machine changes it little.
"""

import argparse
import json
import math
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from minisparse import nn, ops, recipes, sparse
from minisparse.optim import is_weight, sgd
from minisparse.train import train

from .harness import commit, machine

BATCH, PERIOD, ALPHA = 16, 100, 0.3
ENOUGH = 0.2  # seconds of repetitions

Timed = tuple[Callable[[], Any], int]  # what is measured, and its connections


def step(widths: Sequence[int], density: Sequence[float], batch: int = BATCH) -> Timed:
    """A training step of an MLP whose layers have these densities; one of density 1 is an array."""
    steps, n = _training(widths, density, batch, recipes.static())
    return partial(next, steps), n


def update(widths: Sequence[int], density: Sequence[float]) -> Timed:
    """One update of RigL, on weights and gradients of a step: what every hundredth step adds."""
    method = recipes.rigl(ALPHA, PERIOD, 10**9)
    steps, n = _training(widths, density, BATCH, recipes.static())
    last = next(islice(steps, 1, None))
    grads, weights = ({name: arrays[name] for name in last.masks} for arrays in (last.grads, last.params))
    return lambda: method.decide(weights, last.masks, grads, PERIOD), n


def _training(widths: Sequence[int], density: Sequence[float], batch: int, method: Any) -> tuple[Any, int]:
    model, rng = nn.mlp(*widths), np.random.default_rng(0)
    names = [name for name in model.shapes() if is_weight(name)]
    at = {name: d for name, d in zip(names, density, strict=True) if d < 1}
    masks = sparse.random_positions({name: model.shapes()[name] for name in at}, at, rng)
    images = rng.standard_normal((batch, widths[0]), np.float32), rng.integers(0, widths[-1], batch)
    loss = lambda p, batch, rng: ops.softmax_cross_entropy(model(p, batch[0], train=True), batch[1])
    params = model.init(rng, masks=masks)
    n = sum(masks[name].sum() if name in at else math.prod(model.shapes()[name]) for name in names)
    return train(loss, params, masks, repeat(images), method, rng, sgd(0.01, 0.9)), n


@dataclass(frozen=True)
class Growth:
    """One table: a step for each size; for an update, the step that it adds to.

    Then the table has the update's share too: of the time of PERIOD steps and it.
    """

    name: str
    title: str
    sizes: tuple[int, ...]
    made: Callable[[int], Timed]
    step: Callable[[int], Timed] | None = None


GROWTHS = (
    Growth("width", "784-n-10, ten connections a hidden unit, batch 16", (10**2, 10**3, 10**4, 10**5, 10**6),
           lambda n: step((784, n, 10), (10 / 784, 1))),
    Growth("depth", "n layers of 1000 units at 2 %, batch 16", (1, 2, 4, 8, 16, 32, 64),
           lambda n: step((1000,) * (n + 1) + (10,), (0.02,) * n + (1,))),
    Growth("batch", "1000-1000-10 at 2 %, batch n", (8, 16, 32, 64, 128, 256, 512, 1024),
           lambda n: step((1000, 1000, 10), (0.02, 1), n)),
    Growth("connections", "4000-4000-10 with n connections, batch 16", (4000, 16_000, 64_000, 256_000, 1_024_000),
           lambda n: step((4000, 4000, 10), (n / 4000**2, 1))),
    Growth("RigL", "RigL's update of n-n, ten connections a unit", (250, 500, 1000, 2000, 4000, 8000),
           lambda n: update((n, n, 10), (10 / n, 1)), lambda n: step((n, n, 10), (10 / n, 1))),
)  # fmt: skip


def measured(made: Callable[[int], Timed], size: int) -> dict[str, Any]:
    """Milliseconds of CPU time and the most megabytes in use, those of the parameters included."""
    tracemalloc.start()
    once, connections = made(size)
    kept = once()
    tracemalloc.reset_peak()
    kept = once()
    megabytes = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    times: list[float] = []
    while sum(times) < ENOUGH or len(times) < 3:
        begin = time.process_time()
        kept = once()  # noqa: F841
        times.append(time.process_time() - begin)
    return {"size": size, "connections": connections, "ms": sorted(times)[len(times) // 2] * 1e3, "mb": megabytes}


def exponent(rows: Sequence[dict[str, Any]], of: str, by: str = "size") -> float:
    """Of the power law that fits best: the slope of log(of) against log(by)."""
    x, y = (np.log([row[key] for row in rows]) for key in (by, of))
    return float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())


def summary(growth: Growth, largest: int) -> dict[str, Any]:
    """The rows of a table, and the exponents of its larger half."""
    growth.made(growth.sizes[0])[0]()  # what is imported at the first use is no part of a step
    rows = [measured(growth.made, size) for size in growth.sizes if size <= largest]
    if growth.step:
        for row in rows:
            steps = PERIOD * measured(growth.step, row["size"])["ms"]
            row["share"] = row["ms"] / (row["ms"] + steps)
    half = rows[(len(rows) - 1) // 2 :]
    fits = {what: exponent(half, what) for what in ("ms", "mb")} if len(half) > 1 else {}
    return {"name": growth.name, "title": growth.title, "rows": rows, "exponents": fits}


def print_table(result: dict[str, Any]) -> None:
    print(f"\n{result['title']}\n{'n':>9} {'connections':>12} {'ms':>10} {'MB':>9}   exponents")
    before = None
    for row in result["rows"]:
        line = f"{row['size']:>9,} {row['connections']:>12,} {row['ms']:>10.3f} {row['mb']:>9.2f}"
        if "share" in row:
            line += f"   {row['share']:.0%} of {PERIOD} steps and it"
        if before:
            line += f"   {exponent([before, row], 'ms'):.2f} time, {exponent([before, row], 'mb'):.2f} memory"
        print(line, flush=True)
        before = row
    if result["exponents"]:
        fits = result["exponents"]
        print(f"fitted to the larger half: time n^{fits['ms']:.2f}, memory n^{fits['mb']:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.partition("\n")[0])
    names = [growth.name for growth in GROWTHS]
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, default=names, help=", ".join(names))
    parser.add_argument("--largest", type=int, default=10**9, metavar="N", help="leave out larger sizes")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write everything that was measured")
    args = parser.parse_args()
    if args.json and not args.json.parent.is_dir():
        parser.error(f"{args.json.parent} is not a directory")
    report: dict[str, Any] = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit(),
                              "machine": machine(), "tables": []}  # fmt: skip
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))
    for growth in GROWTHS:
        if growth.name in args.only:
            report["tables"].append(summary(growth, args.largest))
            print_table(report["tables"][-1])
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
