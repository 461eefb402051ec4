"""Write the golden cases to minisparse/golden/v1: python -m tests.golden.build, from the root of the repository.

To add a case, append it to its module. One that has been published stays as it is: where the modules say something
else of it, or nothing any more, nothing is written. It may gain what answers more implementations give, after those
that are listed, and `superseded_by`, the case that takes its place.
"""

import json
import math
import sys
from pathlib import Path

from tests.golden import (
    allocation,
    ancestors,
    boundaries,
    choosing,
    costs,
    counting,
    derivatives,
    family,
    further,
    gates,
    moving,
    pruning,
    schedules,
    sharing,
    structured,
    trajectories,
    updating,
)

VERSION = 1
FOLDER = Path(__file__).parents[2] / "minisparse" / "golden" / f"v{VERSION}"
UNITS = (
    choosing, allocation, schedules, pruning, moving, updating, further, boundaries, structured, family, ancestors,
    sharing,
)  # fmt: skip
FUNCTIONS = [function for module in UNITS for function in module.FUNCTIONS]
NUMBERS = [function for module in (gates, derivatives, costs, counting, trajectories) for function in module.FUNCTIONS]


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


def differences(frozen, built, at="") -> list[str]:
    """Where two pieces of JSON differ; floats by the default tolerance of a case."""
    if isinstance(frozen, float) and isinstance(built, float):
        return [] if math.isclose(frozen, built, rel_tol=1e-9, abs_tol=1e-12) else [at]
    if type(frozen) is not type(built):
        return [at]
    if isinstance(frozen, dict):
        keys = list(dict.fromkeys([*frozen, *built]))
        return [d for k in keys for d in differences(frozen.get(k, ...), built.get(k, ...), f"{at}/{k}")]
    if isinstance(frozen, list):
        if len(frozen) != len(built):
            return [at]
        return [d for i, pair in enumerate(zip(frozen, built, strict=True)) for d in differences(*pair, f"{at}/{i}")]
    return [] if frozen == built else [at]


def extended(frozen: dict, built: dict) -> dict:
    """`frozen` with what `built` has more: cases, profiles and `superseded_by`. ValueError for what else differs."""
    new = {case["id"]: case for case in built["cases"]}
    old = {case["id"]: gaining(case, new.get(case["id"], case)) for case in frozen["cases"]}
    changed = [key for key in built if key != "cases" and built[key] != frozen.get(key)]
    changed += [id for id in old if id not in new]
    changed += [id + at for id in old if id in new for at in differences(old[id], new[id])]
    if changed:
        raise ValueError(f"published, and now different: {', '.join(changed)}")
    return built | {"cases": [old.get(id, case) for id, case in new.items()]}


def gaining(old: dict, new: dict) -> dict:
    """A published case with what `new` may add to it."""
    listed = {name for name, _ in old["profiles"]}
    more = [pair for pair in new["profiles"][len(old["profiles"]) :] if pair[0] not in listed]
    taken = {"superseded_by": new["superseded_by"]} if "superseded_by" in new and "superseded_by" not in old else {}
    return old | {"profiles": old["profiles"] + more} | taken


def write(folder: Path, functions: list) -> None:
    """A file for each function, all or none. ValueError where a published case would change."""
    texts = {}
    for function in functions:
        path, built = folder / f"{function.name}.json", json.loads(text(content(function)))
        if path.exists():
            built = extended(json.loads(path.read_text(encoding="utf-8")), built)
        texts[path] = text(built)
    folder.mkdir(parents=True, exist_ok=True)
    for path, own in texts.items():
        path.write_text(own, encoding="utf-8")


def main() -> None:
    try:
        write(FOLDER, FUNCTIONS + NUMBERS)
    except ValueError as error:
        sys.exit(str(error))
    print(f"{sum(len(function.cases) for function in FUNCTIONS + NUMBERS)} cases in {FOLDER}")


if __name__ == "__main__":
    main()
