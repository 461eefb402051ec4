"""Four vectors written by hand, small enough to see through, that stand in for v1."""

import json

import numpy as np
import pytest

from minisparse.golden import cases, guest
from minisparse.golden.values import encode


def case(id, reason, inputs, expected, stages=(), profiles=(), pin="R3", optional=False, rtol=1e-9, atol=1e-12):
    def pairs(given):
        return [[name, encode(value)] for name, value in dict(given).items()]

    return {
        "id": id,
        "reason": reason,
        "inputs": pairs(inputs),
        "stages": pairs(stages),
        "expected": encode(expected),
        "profiles": pairs(profiles),
        "source": "by hand",
        "pin": pin,
        "optional": optional,
        "rtol": rtol,
        "atol": atol,
    }


def bits(text):
    return np.array([c == "1" for c in text])


def row(*values):
    return np.array(values, dtype=float)


RIGL = [
    case(
        "rigl_update/basic",
        "the two smallest active weights go, the two largest gradients come",
        {"weight": row(4, 3, 2, 1, 0, 0, 0, 0), "mask": bits("11110000"),
         "dense_grad": row(0.125, 0.125, 0.125, 0.125, 0.5, 1, 0.75, 0.25), "n_update": 2},
        bits("11000110"), {"kept": bits("11000000")}, {"rigl-tf1": bits("11000110")}, pin="A1",
    ),
    case(
        "rigl_update/active-zero",
        "an active weight is exactly zero: it ranks among the active ones, of which the lower zero goes",
        {"weight": row(0, 0, 0, 5, 0, 0, 0, 0), "mask": bits("00110001"),
         "dense_grad": row(1, 2, 3, 4, 5, 6, 7, 8), "n_update": 1},
        bits("00010011"), {"kept": bits("00010001")}, {"rigl-tf1": bits("10010001"), "jaxpruner": None}, pin="A3, R2",
    ),
    case(
        "rigl_update/returns",
        "a dropped connection with the largest gradient returns at once",
        {"weight": row(4, 3, 2, 1, 0, 0, 0, 0), "mask": bits("11110000"),
         "dense_grad": row(0.125, 0.125, 0.125, 9, 0.5, 1, 0.75, 0.25), "n_update": 2},
        bits("11010100"), {"kept": bits("11000000")}, pin="R4",
    ),
    case(
        "rigl_update/empty",
        "a layer without connections stays empty",
        {"weight": row(1, 2), "mask": bits("00"), "dense_grad": row(1, 1), "n_update": 0},
        bits("00"), pin="A11", optional=True,
    ),
]  # fmt: skip
TOP_K = [
    case("top_k/ties", "among equals the lower index comes first", {"score": row(1, 2, 2, 2), "k": 2}, bits("0110")),
    case("top_k/matrix", "the lower flat index in C order", {"score": np.ones((2, 2)), "k": 1}, np.eye(2) * [1, 0] > 0),
]
COSINE = [
    case("cosine/start", "the first fraction is alpha", {"step": 0, "alpha": 0.3, "t_end": 100}, 0.3, pin="R11"),
    case("cosine/end", "from the end on it is 0", {"step": 120, "alpha": 0.3, "t_end": 100}, 0.0, pin="R11"),
]
NAMES = {
    "rigl_update": "weight mask dense_grad n_update",
    "top_k": "score k among",
    "cosine": "step alpha t_end begin",
}


@pytest.fixture(autouse=True, scope="module")
def forks():
    """Guests are forks, whatever other tests have imported here; those that need PyTorch ask for `starts`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guest, "SPAWNED", ())
        yield


@pytest.fixture
def starts(monkeypatch):
    """Guests are interpreters of their own."""
    monkeypatch.setattr(guest, "SPAWNED", ("sys",))


@pytest.fixture
def vectors(tmp_path, monkeypatch):
    """A folder in the place of v1, with cases of rigl_update, top_k and cosine."""
    folder = tmp_path / "v1"
    folder.mkdir()
    for function, own in (("rigl_update", RIGL), ("top_k", TOP_K), ("cosine", COSINE)):
        content = {"version": 1, "function": function, "parameters": NAMES[function].split(), "cases": own}
        (folder / f"{function}.json").write_text(json.dumps(content))
    monkeypatch.setattr(cases, "V1", folder)
    return folder
