"""How hard the tests try: in CI as hard as they can, elsewhere so that `pytest` takes minutes."""

import os

IN_CI = bool(os.environ.get("CI"))


def examples(n: int) -> int:
    """How many examples Hypothesis makes up where CI has n."""
    return n if IN_CI else max(n // 5, 5)
