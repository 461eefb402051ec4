"""What storing weights output by output saves where all outputs have as many inputs: CPU time of truly sparse steps.

    OMP_NUM_THREADS=1 python -m benchmarks.fan_in [--rounds 15]

Both contenders have the same masks, with a constant fan-in, and train by SGD with momentum 0.9 on batches of 128 in
float32; the last layer is dense. They take turns. Medians of the CPU time of a step, and of the ratio with quartiles.
"""

import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from itertools import cycle

import numpy as np

from minisparse import ops, recipes
from minisparse.optim import sgd
from minisparse.sparse import FanInWeight, SparseWeight, random_fan_in
from minisparse.train import Step, train

from .sparse import LENET, W5, WIDE, Task, batches, hidden
from .steps import MOMENTUM, RATE, digits

ENOUGH = 0.1  # seconds of repetitions


def fan_ins(task: Task) -> dict[str, int]:
    return {name: max(1, round(density * task.model.shapes()[name][0])) for name, density in task.densities.items()}


TASKS = {
    **{f"LeNet-300-100, {100 * (1 - d):g} %": Task(LENET, dict.fromkeys(hidden(LENET), d), digits, 32)
       for d in (0.02, 0.05, 0.1)},
    "3072-4000-1000-4000-10, ε = 20": W5,
    "784-100000-10, ten inputs": WIDE,
}  # fmt: skip


def steps(task: Task, by_output: bool) -> Iterator[Step]:
    """The public loop, with the weights of sparse layers by output, or by input as without a constant fan-in."""
    rng, shapes = np.random.default_rng(1), task.model.shapes()
    masks = random_fan_in({name: shapes[name] for name in task.densities}, fan_ins(task), rng)
    params = task.model.init(rng, masks=masks)
    if not by_output:
        params |= {n: SparseWeight(w.values, w.mask) for n, w in params.items() if isinstance(w, FanInWeight)}
    loss = lambda p, batch, rng: ops.softmax_cross_entropy(task.model(p, batch[0], train=True), batch[1])
    data = cycle(list(batches(task)))
    return train(loss, params, masks, data, recipes.static(), np.random.default_rng(2), sgd(RATE, MOMENTUM))


def measured(task: Task, rounds: int) -> np.ndarray:
    """CPU milliseconds of a step, (rounds, 2): by input, by output."""
    both, times = [steps(task, by_output) for by_output in (False, True)], np.empty((rounds, 2))
    for own in both:
        next(own)  # makes the orders of the connections
    for i in range(rounds):
        for place in (i % 2, 1 - i % 2):
            n, start = 0, time.process_time()
            while time.process_time() < start + ENOUGH:
                next(both[place])
                n += 1
            times[i, place] = 1000 * (time.process_time() - start) / n
    return times


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print("| network | inputs of an output | by input, ms | by output, ms | ratio |\n|---|---|---|---|---|", flush=True)
    for name, task in TASKS.items():
        times = measured(task, rounds)
        low, mid, high = np.percentile(times[:, 1] / times[:, 0], (25, 50, 75))
        before, after = np.median(times, axis=0)
        inputs, ratio = ", ".join(map(str, fan_ins(task).values())), f"{mid:.2f} ({low:.2f}–{high:.2f})"
        print(f"| {name} | {inputs} | {before:.3g} | {after:.3g} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
