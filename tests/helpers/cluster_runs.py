"""Runs that workers in other processes find by name, and that write down where they were begun."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from minisparse.experiments.studies import Run, Study


def slow(data_dir, log, seed, seconds):
    """Some numbers of a seed, after a while."""
    with Path(log).open("a") as file:
        file.write(f"{seed} {os.getpid()}\n")
    for tick in range(20):
        time.sleep(seconds / 20)
        yield tick / 20
    yield {"numbers": np.random.default_rng(seed).standard_normal(5).tolist()}


def going_on(data_dir, folder, seed):
    """How far the run was when it was begun here."""
    yield {"found": (folder / "so-far").read_text() if (folder / "so-far").exists() else "nothing"}


def failing(data_dir, seed):
    yield 0.5
    raise ValueError(f"seed {seed} has no luck")


def deadly(data_dir, seed):
    yield 0.5
    os.kill(os.getpid(), signal.SIGKILL)


def study(function, n, keeps=False, **config):
    """One of n runs."""
    runs = lambda seeds: [Run(f"s{seed}", seed, function, {**config, "seed": seed}, keeps) for seed in range(n)]
    return Study("away", "A 2020", "It is elsewhere.", 1, 1, runs, (), lambda finished, directory, data_dir: [])
