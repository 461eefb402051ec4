"""Runs one adapter in the environment of its package: python -m tests.conformance.run ADAPTER ARRAYS float32|float64

Prints JSON: for each function that the adapter has, how many cases hold, the verdict, and the cases that fail. It needs
NumPy, the package, and this repository on the path.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from minisparse.golden.check import checked
from minisparse.golden.verdict import Verdict


def results(adapter: str, arrays: str, float32: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    outcomes = checked(f"tests.conformance.adapters.{adapter}", arrays=arrays, float32=float32).outcomes
    for function in dict.fromkeys(outcome.case.function for outcome in outcomes):
        verdict = Verdict([outcome for outcome in outcomes if outcome.case.function == function])
        wrong = {outcome.case.id: outcome.wrong for outcome in verdict.asked if outcome.wrong}
        yield (
            function,
            {
                "passes": verdict.passes,
                "holds": len(verdict.asked) - len(wrong),
                "cases": len(verdict.asked),
                "not_supported": len(verdict.unsupported),
                "verdict": verdict.sentence(),
                "wrong": wrong,
            },
        )


if __name__ == "__main__":
    name, arrays, floats = sys.argv[1:]
    print(json.dumps(dict(results(name, arrays, floats == "float32"))))
