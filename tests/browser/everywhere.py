"""What must be the same in a browser as anywhere: golden vectors, random streams, the bytes of the data.

Printed as JSON: {"failed": the golden cases that our functions fail, with what is wrong; "cases": how many there are;
"same": {what: SHA-256 of what no machine may change}}.
"""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from minisparse import data, models, nn, random_masks, streams
from minisparse.compress import Shared, read, written
from minisparse.data.included import INCLUDED
from minisparse.golden import cases, check
from minisparse.golden.adapt import HOMES

KEY = 0x0123456789ABCDEF0123456789ABCDEF


def wrong():
    """{case id: what is wrong with our answer}, and the number of cases."""
    functions = cases.load()
    ours = {name: getattr(home, name) for name in functions for home in HOMES[::-1] if hasattr(home, name)}
    outcomes = [check.run(case, ours[case.function]) for own in functions.values() for case in own]
    return {outcome.case.id: outcome.wrong for outcome in outcomes if outcome.wrong}, len(outcomes)


def digest(*arrays):
    """SHA-256 of arrays with their dtypes and shapes."""
    hashed = hashlib.sha256()
    for array in arrays:
        hashed.update(f"{array.dtype.str} {array.shape}".encode())
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


def compressed():
    """The bytes of a compressed file, which is read back."""
    mask = random_masks({"a": (50, 40)}, {"a": 0.1}, np.random.default_rng(4))["a"]
    layer = Shared(mask, np.linspace(-1, 1, 7, dtype=np.float32), np.arange(int(mask.sum())) % 7, 5)
    with TemporaryDirectory() as folder:
        path = written(Path(folder) / "a", {"a": layer})
        assert (read(path)["a"].weight() == layer.weight()).all()
        return np.frombuffer(path.read_bytes(), np.uint8)


def same():
    """{what: SHA-256} of what no machine may change."""
    rng = np.random.default_rng
    mlp, shapes = nn.mlp(784, 300, 100, 10), {"a": (784, 300), "b": (300, 100), "c": (3, 3, 16, 32)}
    step = streams.step_streams(KEY)
    found = {
        "stream of a name": digest(streams.stream(KEY, "fc1.weight").integers(0, 2**63, 100)),
        "streams of steps": digest(*(step(number).random(10) for number in (3, 0, 10**6))),
        "key": digest(np.frombuffer(streams.draw_key(rng(5)).to_bytes(16, "little"), np.uint8)),
        "noise": digest(rng(0).random(1000), rng(0).standard_normal(10_000), rng(0).uniform(-1, 1, 1000)),
        "few of many": digest(streams.in_random_order(rng(1), 10**6, 1000)),
        "most of a few": digest(streams.in_random_order(rng(1), 1000, 900)),
        "masks": digest(*random_masks(shapes, dict.fromkeys(shapes, 0.05), rng(2)).values()),
        "compressed file": digest(compressed()),
        "weights": digest(*mlp.init(rng(3)).values(), *models.lenet_5().init(rng(3), np.float64).values()),
    }
    for name in INCLUDED:
        for split in ("train", "test"):
            images, labels = data.load(name, split=split)
            found[f"{name}, {split}"] = digest(images, labels)
            batches = data.batches(images, labels, 50, seed=7, stop=70)
            found[f"batches of {name}, {split}"] = digest(*(part for batch in batches for part in batch))
    return found


def report():
    failed, n = wrong()
    return {"failed": failed, "cases": n, "same": same()}


if __name__ == "__main__":
    print(json.dumps(report()))
