"""How hard the tests try: in `.ci/full` with all examples, in `.ci/run` with a quarter, elsewhere with a tenth."""

import os
from collections.abc import Iterable
from typing import Any

IN_CI = bool(os.environ.get("CI"))
WITH_ALL = os.environ.get("CI") == "full"


def examples(n: int) -> int:
    """How many examples Hypothesis makes up where `.ci/full` has n."""
    return n if WITH_ALL else max(n // (4 if IN_CI else 10), 5)


def some(cases: Iterable[Any], every: int = 4, in_ci: int = 1) -> list[Any]:
    """All cases in `.ci/full`; in `.ci/run` every one, or every in_ci-th; elsewhere every fourth, or every-th."""
    return list(cases)[:: 1 if WITH_ALL else in_ci if IN_CI else every]
