"""Write the golden cases to minisparse/golden/v1: python -m tests.golden.build, from the root of the repository.

To add a case, append it to its module; one that has been published stays as it is.
"""

import json
from pathlib import Path

from tests.golden import (
    allocation,
    choosing,
    costs,
    derivatives,
    gates,
    moving,
    pruning,
    schedules,
    trajectories,
)

VERSION = 1
FOLDER = Path(__file__).parents[2] / "minisparse" / "golden" / f"v{VERSION}"
FUNCTIONS = [function for module in (choosing, allocation, schedules, pruning, moving) for function in module.FUNCTIONS]
NUMBERS = [function for module in (gates, derivatives, costs, trajectories) for function in module.FUNCTIONS]


def content(function) -> dict:
    return {
        "version": VERSION,
        "function": function.name,
        "parameters": function.parameters,
        "cases": [case.encoded() for case in function.cases],
    }


def text(content: dict) -> str:
    """JSON with one line for every field of a case, so that a reader and a diff see cases."""
    head = "".join(f" {line(key)}: {line(value)},\n" for key, value in content.items() if key != "cases")
    cases = ",\n".join(
        "  {\n" + ",\n".join(f"   {line(key)}: {line(value)}" for key, value in case.items()) + "\n  }"
        for case in content["cases"]
    )
    return f'{{\n{head} "cases": [\n{cases}\n ]\n}}\n'


def line(value) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for function in FUNCTIONS + NUMBERS:
        (FOLDER / f"{function.name}.json").write_text(text(content(function)), encoding="utf-8")
    print(f"{sum(len(function.cases) for function in FUNCTIONS + NUMBERS)} cases in {FOLDER}")


if __name__ == "__main__":
    main()
