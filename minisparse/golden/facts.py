"""What is wrong with an answer, in plain words that the answer and the inputs prove: no guess at the cause.

A fact is a pair of a kind, by which failures are counted together, and a description of this case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import relatives, replay, ties
from .plain import Array, Odd, difference, form, in_single, leaves, near, read, scalar

RULES = {**ties.RULES, **relatives.RULES, "trajectory": replay.trajectory}


def by_rank(case: Any, got: Any, float32: bool = False) -> list | None:
    """What is wrong with an answer whichever of equals came first: [] if it is legal, None if nothing is ranked."""
    if case.function not in RULES:
        return None
    given = {name: read(value) for name, value in case.inputs.items()}
    given = in_single(given) if float32 else given
    if case.function == "trajectory":
        return replay.trajectory(got, given, read(case.expected), case.rtol, case.atol)
    return RULES[case.function](got, given, read(case.expected))


def facts(case: Any, got: Any, want: Any) -> list:
    """Pairs of a kind and a description for an answer that is not `want`, whatever the ranks say."""
    wrong = form(got, want)
    if wrong:
        return [("form", _returned_input(case, got) or wrong)]
    text = difference(got, want, case.rtol, case.atol)[1]  # type: ignore[index]
    found = []
    single = difference(got, want, max(case.rtol, 1e-6), max(case.atol, 1e-7)) is None
    if single:
        return [("float32", f"{text}: right to the precision of float32 alone (--float32 widens the tolerances)")]
    for (place, a), (_, b) in zip(leaves(got), leaves(want)):
        pairs = [(x, y) for x, y in zip(_numbers(a), _numbers(b)) if not _near(x, y, case)]
        if pairs:
            kind, words = _numbers_differ(a, b, pairs, case)
            found.append(
                (f"{place if isinstance(got, (tuple, list)) else ''} {kind}".strip(), f"{place} {words}".strip())
            )
    counts = [x for _, x in leaves(want)]
    if isinstance(want, Mapping) and counts and all(isinstance(x, int) for x in counts):
        n, m = sum(x for _, x in leaves(got)), sum(counts)
        if n != m:
            return [(f"total {'higher' if n > m else 'lower'}", f"{text}; the total is {n}, wanted {m}")]
        return [("shared", f"{text}; the total is right")]
    kinds: dict = {}
    for kind, words in found:
        kinds.setdefault(kind, (kind, words))
    return list(kinds.values()) or [("differs", text)]


def _numbers(x: Any) -> list:
    return x.data if isinstance(x, Array) else [scalar(x)]


def _near(x: Any, y: Any, case: Any) -> bool:
    return near(x, y, case.rtol, case.atol) if isinstance(y, float) else bool(x == y)


def _numbers_differ(got: Any, want: Any, pairs: list, case: Any) -> tuple[str, str]:
    """(kind, words) of arrays or numbers of which `pairs` differ."""
    text = difference(got, want, case.rtol, case.atol)[1]  # type: ignore[index]
    if isinstance(want, Array) and want.dtype == "bool":
        more = sum(1 for x, _ in pairs if x)
        fewer = len(pairs) - more
        lost = f"{fewer} that {'stays is' if fewer == 1 else 'stay are'} lost"
        left = f"{more} that {'goes is' if more == 1 else 'go are'} kept"
        if more == len(pairs):
            return "keeps more", f"{text}: {left}"
        return ("keeps others", f"{text}: {lost} and {left}") if more else ("keeps fewer", f"{text}: {lost}")
    if not all(isinstance(x, (int, float)) for pair in pairs for x in pair):
        return "differs", text
    if isinstance(scalar(want), int):
        by = scalar(got) - scalar(want)
        return ("one more" if by == 1 else "one fewer" if by == -1 else "more" if by > 0 else "fewer"), text
    ratios = [x / y for x, y in pairs if y and abs(y) != float("inf")]
    if ratios and ratios[0] and len(ratios) == len(pairs) and all(near(r, ratios[0], 1e-6, 0) for r in ratios):
        if near(ratios[0], -1.0, 1e-6, 0):
            return "sign", f"{text}: the opposite sign"
        if len(ratios) > 1:
            return "times", f"{text}: {ratios[0]:.6g} times what is wanted wherever it differs"
    if all(x > y for x, y in pairs):
        return "higher", f"{text}: too high"
    if all(x < y for x, y in pairs):
        return "lower", f"{text}: too low"
    return "differs", text


def _returned_input(case: Any, got: Any) -> str | None:
    """ "is the weight, wanted a mask": an answer that is an input's numbers, or those where they are not 0."""
    for name, value in case.inputs.items():
        given = read(value)
        if isinstance(given, Array) and isinstance(got, Array) and given.dtype == "float64" and len(given.data) > 1:
            same = [x for x, y in zip(got.data, given.data) if x and x == y]
            if got.shape == given.shape and same and len(same) == sum(1 for x in got.data if x):
                return f"is no mask: it holds values of {name}, and not 0 and 1"
    return None


def is_odd(got: Any) -> bool:
    """Is there a value in the answer that no vector holds, such as an array of another library?"""
    return any(isinstance(leaf, Odd) for _, leaf in leaves(got))
