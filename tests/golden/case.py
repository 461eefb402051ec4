"""A golden case as Python: what goes in, why it is there, and the answer of a slow twin or of a hand."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minisparse.golden.values import encode, matches


class Either(list):
    """Answers of a profile of which noise, or an order that it leaves open, picks one."""


class Case(NamedTuple):
    id: str
    reason: str
    inputs: dict[str, Any]
    stages: dict[str, Any]
    expected: Any
    profiles: dict[str, Any]
    source: str
    pin: str
    optional: bool = False
    rtol: float = 1e-9
    atol: float = 1e-12
    superseded_by: str | None = None

    def encoded(self) -> dict[str, Any]:
        """The case as it stands in the JSON."""
        pairs = {
            field: [[name, encode(value)] for name, value in getattr(self, field).items()]
            for field in ("inputs", "stages")
        }
        pairs["profiles"] = [
            [name, encode(own)]
            for name, answer in self.profiles.items()
            for own in (answer if isinstance(answer, Either) else [answer])
        ]
        whole = self._asdict() | pairs | {"expected": encode(self.expected)}
        return {field: value for field, value in whole.items() if field != "superseded_by" or value}


class Function:
    """The cases of one contract function, each answered by `twin`, and by hand where `expected` is given.

    `stages` takes the inputs and gives {name: intermediate result}.
    """

    def __init__(self, name: str, parameters: str, twin: Callable, stages: Callable | None = None):
        self.name, self.parameters, self.twin, self.stages = name, parameters.split(), twin, stages
        self.cases: list[Case] = []

    def case(self, name, reason, *inputs, pin, expected=None, source="twin", profiles=None, optional=False,
             superseded_by=None):  # fmt: skip
        """Append a case; an answer by hand that is not the twin's is an error of whoever wrote it."""
        answer = self.twin(*inputs)
        if expected is not None:
            wrong = matches(expected, answer, 1e-8, 1e-9)  # tables print nine digits
            assert wrong is None, f"{self.name}/{name}: by hand and by the twin differ: {wrong}"
        self.cases.append(
            Case(
                id=f"{self.name}/{name}",
                reason=reason,
                inputs=dict(zip(self.parameters, inputs, strict=False)),
                stages=self.stages(*inputs) if self.stages else {},
                expected=answer,
                profiles=profiles or {},
                source=source,
                pin=pin,
                optional=optional,
                superseded_by=superseded_by and f"{self.name}/{superseded_by}",
            )
        )


def told(answer: Any, *profiles: str) -> dict[str, Any]:
    """The answer of several codes."""
    return dict.fromkeys(profiles, answer)


def bits(text: str, *shape: int) -> np.ndarray:
    """bits("1100", 2, 2) is a mask; without a shape it has one axis."""
    return np.array([c == "1" for c in text]).reshape(shape or -1)


def row(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


class Numbers:
    """Multiples of 1/64 that every language can make: x ← 16807 x mod (2³¹ − 1)."""

    def __init__(self, seed):
        self.x = seed

    def below(self, n):
        self.x = 16807 * self.x % (2**31 - 1)
        return self.x % n

    def shuffled(self, n):
        order = list(range(n))
        for i in reversed(range(1, n)):
            j = self.below(i + 1)
            order[i], order[j] = order[j], order[i]
        return order

    def signed(self, shape, step=2):
        """Sizes 1 × step, 2 × step, … 64ths in some order, with either sign."""
        sizes = [(i + 1) * step - self.below(step) for i in self.shuffled(int(np.prod(shape)))]
        return np.array([s * (1 - 2 * self.below(2)) / 64 for s in sizes]).reshape(shape)

    def mask(self, shape, n_active):
        return np.array([i < n_active for i in self.shuffled(int(np.prod(shape)))]).reshape(shape)

    def between(self, shape):
        """Noise inside (0, 1), no two equal."""
        n = int(np.prod(shape))
        return np.array([(i * (63 // n) + 1 + self.below(63 // n)) / 64 for i in self.shuffled(n)]).reshape(shape)
