"""`minisparse` with a SIGKILL at a moment that is chosen: `python killed.py MOMENT arguments…`.

MOMENT   never; after:SECONDS of a processor's time, wherever that is; line:N, the Nth line of the code that reads and
         writes the files of a run, which then has a checkpoint after every step

`reproduce` knows one study here, of small runs.
"""

import os
import signal
import sys
import threading
import time
import zipfile

import numpy as np

from minisparse import files
from minisparse.cli import main
from minisparse.masks import Masks
from minisparse.runs import folder as runs
from minisparse.runs import run as running
from minisparse.train import State

WRITERS = {
    function.__code__.co_filename
    for function in (runs.save_state, files.sweep, zipfile.ZipFile.close, np.lib.format.write_array)
}
STEPS = 30


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def after(seconds):
    end = time.process_time() + seconds

    def wait():
        while time.process_time() < end:
            time.sleep(0.001)
        kill()

    threading.Thread(target=wait, daemon=True).start()


def at_line(number):
    left = number

    def line(frame, event, argument):
        nonlocal left
        left -= event == "line"
        if left <= 0:
            kill()
        return line

    sys.settrace(lambda frame, event, argument: line if frame.f_code.co_filename in WRITERS else None)


def steps(start):
    """A weight that goes where chance leads it, as `recorded` takes it."""
    state = start or State(0, {"w": np.zeros(3)}, Masks({}), {}, None, 1)
    while state.number < STEPS:
        noise = np.random.default_rng(state.number).standard_normal(3)
        state = state._replace(number=state.number + 1, params={"w": state.params["w"] + noise})
        yield state, {"step": state.number, "sum": float(state.params["w"].sum())}


def long(data_dir, folder, seed):
    for line in runs.recorded(folder, steps, every=4):
        yield line["step"] / STEPS
    yield {"sums": [line["sum"] for line in runs.metrics(folder)]}


def short(data_dir, seed):
    yield 0.5
    yield {"sum": float(np.random.default_rng(seed).standard_normal(9).sum())}


def small_runs(seeds):
    from minisparse.experiments.studies import Run

    shorts = [Run(f"short-seed{seed}", seed, short, {"seed": seed}) for seed in range(seeds)]
    return [*shorts, Run("long-seed0", 0, long, {"seed": 0}, keeps=True)]


if __name__ == "__main__":
    if "reproduce" in sys.argv:
        from minisparse.experiments import all as experiments
        from minisparse.experiments.studies import Study

        experiments.STUDIES = (Study("small", "A 2020", "It adds.", 1, 3, small_runs, (), lambda *_: []),)
    moment, _, amount = sys.argv.pop(1).partition(":")
    if moment == "after":
        after(float(amount))
    if moment == "line":
        recorded = running.recorded
        running.recorded = lambda directory, run, every, device: recorded(directory, run, 1, device)
        at_line(int(amount))
    main()
