"""Data, starting weights and masks are bytes that no kernel of a BLAS has a part in."""

import os
import subprocess
import sys

import pytest

HASHES = """
import hashlib
import numpy as np
from minisparse import data, models, nn
from minisparse.runs.plan import Plan
from minisparse.runs.prepare import prepare
from minisparse.runs.run import _origin

def say(name, arrays):
    print(name, hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest())

for name in ("digits", "mnist-small"):
    say(name, [array for split in ("train", "test") for array in data.load(name, split=split)])
for name, model in {"lenet-5": models.lenet_5(), "wrn": models.wide_resnet(10, 1)}.items():
    say(name, model.init(np.random.default_rng(0)).values())
for method in ("static", "rigl", "gradual", "l0", "small-dense"):
    task = prepare(Plan(method, model="mlp-30", data=DATA, standardize=True, epochs=4))
    start = _origin(task)
    say(method, [*task.train_set, *task.test_set, *start.params.values(), *start.masks.values()])
"""


def hashes(path, **kernels):
    code = HASHES.replace("DATA", repr(str(path)))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | kernels
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.long
def test_the_oldest_and_the_newest_kernel_of_openblas_give_the_same(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,a,b\n" + "".join(f"{i % 3},{i / 7},{i * i / 3}\n" for i in range(200)))
    here = hashes(path)
    assert len(here.splitlines()) == 9
    assert hashes(path, OPENBLAS_CORETYPE="Nehalem") == here
