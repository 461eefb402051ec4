"""How hard the tests try: in CI as hard as they can, elsewhere so that `pytest` takes minutes."""

import os
from collections.abc import Iterable
from typing import Any

IN_CI = bool(os.environ.get("CI"))


def examples(n: int) -> int:
    """How many examples Hypothesis makes up where CI has n."""
    return n if IN_CI else max(n // 5, 5)


def some(cases: Iterable[Any], every: int = 4) -> list[Any]:
    """All cases in CI, elsewhere every fourth."""
    return list(cases)[:: 1 if IN_CI else every]
