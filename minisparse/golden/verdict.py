"""Judges answers: how many cases hold, which fail and why, and which public implementation fails alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import ties as legal
from .cases import PROFILES, VERSION, Case
from .divergences import divergence, known_to_differ, rows_alike
from .values import decode, matches


@dataclass(frozen=True)
class Outcome:
    """The result of one case: `wrong` is None or a sentence, `got` the answer, None if there was none."""

    case: Case
    wrong: str | None
    got: Any = None


def judged(case: Case, got: Any, profile: str = "reference", any_ties: bool = False) -> Outcome:
    """Is `got` the answer of `profile`, or, with `any_ties`, another legal choice among equal scores?"""
    wrongs = [matches(got, decode(answer), case.rtol, case.atol) for answer in case.answers(profile)]
    wrong = None if None in wrongs else wrongs[0]
    if wrong and any_ties and profile == "reference" and case.function in legal.RULES:
        wrong = legal.RULES[case.function](got, case.arguments(), decode(case.expected))
    if wrong and "torch." in wrong:
        wrong += " (--arrays torch converts)"
    if wrong and profile == "reference":
        wrong += _by_stages(case, got)
    return Outcome(case, wrong, got)


def _by_stages(case: Case, got: Any) -> str:
    """Which half of an update is wrong, if the case records the kept weights and no profile gives this answer."""
    if "kept" not in case.stages or any(_answers_as(Outcome(case, None, got), p) for p in case.profiles):
        return ""
    kept = decode(case.stages["kept"])
    kept, got = (kept, got) if isinstance(kept, dict) else ({"": kept}, {"": got})
    if not isinstance(got, Mapping) or kept.keys() != got.keys():
        return ""
    if any(not isinstance(got[name], np.ndarray) or got[name].shape != mask.shape for name, mask in kept.items()):
        return ""
    if any((mask & (got[name] == 0)).any() for name, mask in kept.items()):
        return "; your drop is wrong, a weight that stays is gone"
    return "; all that stays is there, which points to your grow"


@dataclass(frozen=True)
class Verdict:
    """The summary of outcomes. `missing` are requested functions without answers."""

    outcomes: Sequence[Outcome]
    missing: Sequence[str] = ()
    profile: str = "reference"

    @property
    def counted(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if not outcome.case.optional]

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.wrong]

    @property
    def passes(self) -> bool:
        """Do all cases hold that are not optional, with at least one case and no missing function?"""
        return bool(self.counted) and not self.missing and not any(outcome.wrong for outcome in self.counted)

    def nearest(self) -> tuple[str, list[Outcome]] | None:
        """The public implementation that answers most of the failed cases in the same way, and those cases.

        Among equals, the implementation with the fewest possible answers (many answers fit if noise decides), then
        with the fewest answers that differ from these.
        """
        return next(iter(self._nearest()), None)

    def _nearest(self) -> list[tuple[str, list[Outcome]]]:
        """The nearest profile and those equally near, in the order of PROFILES."""
        best: list[tuple[str, list[Outcome]]] = []
        top = (0, 0.0, 0)
        for profile in PROFILES[1:] if self.profile == "reference" else ():
            same = [o for o in self.counted if _answers_as(o, profile)]
            explained = [o for o in same if o.wrong]
            against = sum(bool(o.case.answers(profile)) for o in self.counted) - len(same)
            rank = (len(explained), sum(1 / len(o.case.answers(profile)) for o in explained), -against)
            if explained and (not best or rank > top):
                best, top = [], rank
            if explained and rank == top:
                best.append((profile, explained))
        return best

    def sentence(self) -> str:
        """ "8 of 10: your drop ranks inactive weights too, as rigl-tf1 does (case: …)"."""
        counted = self.counted
        failed = [outcome for outcome in counted if outcome.wrong]
        score = f"{len(counted) - len(failed)} of {len(counted)}"
        nearest = self._nearest()
        if not failed:
            return "; ".join([score, *(f"{o.case.id} is optional and fails{_alike(o)}" for o in self.failed)])
        if all(str(outcome.wrong).startswith("raises ") for outcome in counted):
            names = ", ".join(failed[0].case.inputs)
            return f"{score}: it never answers; it {failed[0].wrong} (called by name with {names}; --arrays converts)"
        if not nearest:
            case = failed[0].case
            return f"{score}: {case.reason} (case {case.id}{known_to_differ(case)})"
        (profile, explained), *others = nearest
        case = max((o.case for o in explained), key=lambda case: rows_alike(case, profile))
        does = f"{words}," if (words := divergence(case, profile)) else "you answer"
        too = f", and {', '.join(other for other, _ in others)} too" if others else ""
        return f"{score}: {does} as {profile} does{too} (case {case.id}: {case.reason})"

    def as_json(self) -> dict[str, Any]:
        nearest = self.nearest()
        return {
            "version": VERSION,
            "profile": self.profile,
            "passes": self.passes,
            "verdict": self.sentence(),
            "nearest": nearest and {"profile": nearest[0], "cases": [o.case.id for o in nearest[1]]},
            "missing": list(self.missing),
            "cases": [
                {
                    "id": outcome.case.id,
                    "reason": outcome.case.reason,
                    "optional": outcome.case.optional,
                    "passes": outcome.wrong is None,
                    "wrong": outcome.wrong,
                }
                for outcome in self.outcomes
            ],
        }


def _answers_as(outcome: Outcome, profile: str) -> bool:
    case = outcome.case
    return any(matches(outcome.got, decode(answer), case.rtol, case.atol) is None for answer in case.answers(profile))


def _alike(outcome: Outcome) -> str:
    """The profiles that answer an uncounted case in the same way, in words."""
    same = [profile for profile in PROFILES[1:] if _answers_as(outcome, profile)]
    return f", as {' and '.join(same)} does" if same else ""
