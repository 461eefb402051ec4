"""Judges answers: how many cases hold, what is wrong with the others, and which public implementation errs alike.

A convention or a profile is named only if every case that decides it agrees, and the verdict says how many failures it
explains. The rest is told in facts. README.md beside the vectors states the rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .divergences import PROFILES, divergence
from .facts import by_rank, facts, is_odd
from .plain import difference, narrow, read

VERSION = 1
ONCE = ("call", "raises", "ends", "form", "float32", "changes")  # kinds that are no convention
SAID = 4  # facts in a sentence, at most


@dataclass(frozen=True)
class PlainCase:
    """A call of a function, the reference's answer, and the reason for the case. Values are in their JSON form.

    The fields are those of schema.json: `inputs` and `stages` by name, in order, `expected` the reference's answer,
    `profiles` the answers of public implementations: none if a profile does not decide, several if its answer depends
    on noise or on an unspecified order.
    """

    id: str
    function: str
    reason: str
    inputs: Mapping[str, Any]
    stages: Mapping[str, Any]
    expected: Any
    profiles: Mapping[str, Sequence[Any]]
    source: str
    pin: str
    optional: bool = False
    rtol: float = 1e-9
    atol: float = 1e-12
    may_lack: Sequence[str] = ()  # parameters with a default: other cases of the function leave them out
    superseded_by: str | None = None

    def answers(self, profile: str = "reference") -> Sequence[Any]:
        """The possible answers of `profile`, in JSON form; empty if it does not decide."""
        return [self.expected] if profile == "reference" else self.profiles.get(profile, [])

    def differs(self, profile: str) -> bool:
        """Does `profile` have an answer other than the reference's?"""
        return any(answer != self.expected for answer in self.answers(profile))

    def in_float32(self) -> PlainCase:
        """The case with tolerances for float32: at least rtol 1e-6 and atol 1e-7."""
        return replace(self, rtol=max(self.rtol, 1e-6), atol=max(self.atol, 1e-7))


@dataclass(frozen=True)
class Outcome:
    """The result of one case: `wrong` is None or a sentence, `got` the plain answer, None if there was none.

    faults: (kind, description) of all that is wrong. legal: right, with ties broken otherwise. unsupported: why the
    case was not asked, or None; then it is neither right nor wrong.
    """

    case: Any
    wrong: str | None = None
    got: Any = None
    faults: Sequence[tuple[str, str]] = ()
    legal: bool = False
    unsupported: str | None = None


def failed(case: Any, kind: str, text: str, got: Any = None) -> Outcome:
    return Outcome(case, text, got, [(kind, text)])


def judged(case: Any, got: Any, profile: str = "reference", pinned: bool = False, float32: bool = False) -> Outcome:
    """Is the plain value `got` the answer of `profile`, or, unless `pinned`, a legal choice among equal scores?"""
    wants = [read(answer) for answer in case.answers(profile)]
    if any(difference(got, want, case.rtol, case.atol) is None for want in wants):
        dtype = None if float32 else narrow(got, wants[0])
        if dtype:
            return failed(case, "float32", f"is in {dtype}, wanted float64 (--float32 is for such code)", got)
        return Outcome(case, None, got)
    ranks = by_rank(case, got, float32) if profile == "reference" else None
    if ranks == [] and not pinned:
        return Outcome(case, None, got, legal=True)
    found = ranks or facts(case, got, wants[0])
    if ranks == []:
        found = [("ties", f"{found[0][1]}; it breaks ties otherwise")]
    elif found[0][0] == "form":
        found = facts(case, got, wants[0])
    wrong = "; ".join(text for _, text in found[:SAID])
    if is_odd(got) and "torch." in wrong:
        wrong += " (--arrays torch converts)"
    return Outcome(case, wrong, got, found)


@dataclass(frozen=True)
class Verdict:
    """The summary of outcomes. `missing` are requested functions without answers."""

    outcomes: Sequence[Outcome]
    missing: Sequence[str] = ()
    profile: str = "reference"
    pinned: bool = False

    @property
    def unsupported(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.unsupported]

    @property
    def counted(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if not outcome.case.optional]

    @property
    def asked(self) -> list[Outcome]:
        """The outcomes that the score is of: neither optional nor unsupported."""
        return [outcome for outcome in self.counted if not outcome.unsupported]

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.wrong]

    @property
    def passes(self) -> bool:
        """Do all supported cases hold that are not optional, with at least one case and no missing function?"""
        return bool(self.asked) and not self.missing and not any(outcome.wrong for outcome in self.asked)

    def nearest(self) -> tuple[str, list[Outcome]] | None:
        """The first public implementation that the sentence names, and the failures it explains."""
        named = [(names[0], own) for same in self._explained(self.asked)[0] for names, own, *_ in same if names]
        return named[0] if named else None

    def sentence(self) -> str:
        """ "16 of 21: your drop ranks inactive weights too, as rigl-tf1 does (case …); explains all 5 failures".

        One line for each function that fails if the outcomes are of several.
        """
        functions = dict.fromkeys(outcome.case.function for outcome in self.outcomes)
        if len(functions) < 2:
            return self._sentence(self.asked, self.outcomes)
        lines = [self._score(self.asked) + self._beside(self.outcomes)]
        for name in functions:
            own = [o for o in self.asked if o.case.function == name]
            if any(o.wrong for o in own):
                lines.append(f"{name}: {self._sentence(own, [o for o in self.outcomes if o.case.function == name])}")
        return "\n".join(lines)

    def _score(self, counted: Sequence[Outcome]) -> str:
        return f"{sum(not outcome.wrong for outcome in counted)} of {len(counted)}"

    def _beside(self, outcomes: Sequence[Outcome]) -> str:
        """What is said of cases that do not fail, or do not count."""
        n_legal = sum(outcome.legal for outcome in outcomes)
        n_not = sum(bool(outcome.unsupported) for outcome in outcomes)
        text = f"; in {_n(n_legal, 'case')} yours breaks ties otherwise: legal" if n_legal else ""
        text += f"; {n_not} not supported" if n_not else ""
        for outcome in outcomes:
            if outcome.wrong and outcome.case.optional:
                others = any(o.wrong and not o.case.optional for o in outcomes)
                text += f"; {outcome.case.id} is optional and fails{'' if others else _alike(outcome, outcomes)}"
        return text

    def _sentence(self, counted: Sequence[Outcome], outcomes: Sequence[Outcome]) -> str:
        wrong = [outcome for outcome in counted if outcome.wrong]
        beside = self._beside(outcomes)
        if not wrong:
            return self._score(counted) + beside
        head = f"{self._score(counted)}: "
        once = self._once(counted)
        if once:
            return head + once + self._beside([o for o in outcomes if not o.wrong])
        named, others = self._explained(counted)
        parts = [_explanation(same, len(wrong)) for same in named]
        rest = _told(others)
        if not named and self.profile == "reference":
            parts.append(f"no known implementation errs like this; {rest}")
        elif others:
            alone = rest if not named else f"{'the other' if len(others) == 1 else f'the other {len(others)}'}: {rest}"
            parts.append(alone)
        return head + "; ".join(parts) + beside

    def _once(self, counted: Sequence[Outcome]) -> str | None:
        """What is wrong with every answer as an answer: how it is called, its form, its dtype, its side effects."""
        wrong = [outcome for outcome in counted if outcome.wrong]
        kinds = [outcome.faults[0][0] if outcome.faults else "" for outcome in wrong]
        first = wrong[0]
        text = first.faults[0][1] if first.faults else str(first.wrong)
        asked = ", ".join(first.case.inputs)
        if len(wrong) == len(counted) and set(kinds) == {"call"}:
            return f"it cannot be called: {text}"
        if len(wrong) == len(counted) and set(kinds) == {"raises"}:
            return f"it never answers; it {text} (called by name with {asked}; --arrays converts)"
        if kinds.count("ends") == len(wrong):
            return f"it {text}{_times(wrong, counted)}"
        if kinds.count("changes") == len(wrong):
            return f"it {text}{_times(wrong, counted)}; its answers are right"
        if kinds.count("form") * 2 > len(counted):
            more = len(wrong) - kinds.count("form")
            rest = f"; {more} more fail{'s' if more == 1 else ''}" if more else ""
            return f"the answer {text}{_times([o for o, k in zip(wrong, kinds) if k == 'form'], counted)}{rest}"
        if kinds.count("float32") == len(wrong):
            return f"the answer {text}{_times(wrong, counted)}"
        return None

    def _explained(self, counted: Sequence[Outcome]) -> tuple[list, list[Outcome]]:
        """What is named, and the failures left over.

        Named are lists of (profiles, failures explained, {words: failures}, rank) that explain the same failures.
        """
        left = [o for o in counted if o.wrong]
        if self.profile != "reference" or not left or self._once(counted):
            return [], left
        candidates = self._candidates(counted)
        named = []
        while left and candidates:
            sizes = [(sum(_in(o, own) for o in left), rank) for _, own, _, rank in candidates]
            n, rank = max(sizes)
            kinds = [kind for o in left for kind in dict.fromkeys(kind for kind, _ in o.faults)]
            if not n or (not rank and max(map(kinds.count, kinds)) > n):
                break
            own = candidates[sizes.index((n, rank))][1]
            named.append([c for c in candidates if c[3] == rank and _ids(c[1]) == _ids(own)])
            left = [o for o in left if not _in(o, own)]
        return named, left

    def _candidates(self, counted: Sequence[Outcome]) -> list[tuple[list[str], list[Outcome], dict, int]]:
        """Profiles that every case which decides them agrees with, then conventions without such a profile.

        A profile with several answers to a case, of which one is right, decides it only for those who fail.
        """
        as_it: dict = {}  # {profile: the failures in which it answers the same}
        for p in PROFILES[1:]:
            own = [o for o in counted if o.wrong and _answers_as(o, p)]
            if own:
                as_it[p] = own
        found: list = []
        for p, own in as_it.items():
            if all(_agrees(o, p, self.pinned) for o in counted if o.case.answers(p)):
                words = _by_words(own, p)
                twin = next((c for c in found if _ids(c[1]) == _ids(own) and list(c[2]) == list(words)), None)
                if twin:
                    twin[0].append(p)
                else:
                    found.append(([p], own, words, 1))
        said = {word for _, _, words, _ in found for word in words}
        conventions: dict = {}
        for p, own in as_it.items():
            for word, shown in _by_words(own, p).items():
                if word and word not in said:
                    conventions.setdefault(word, []).extend(o for o in shown if not _in(o, conventions.get(word, [])))
        for word, own in conventions.items():
            if len(own) > 1 and all(_agrees_on(word, o, self.pinned) for o in counted if not _in(o, own)):
                found.append(([], own, {word: own}, 0))
        return found

    def as_json(self) -> dict[str, Any]:
        nearest = self.nearest()
        return {
            "version": VERSION,
            "profile": self.profile,
            "passes": self.passes,
            "verdict": self.sentence(),
            "nearest": nearest and {"profile": nearest[0], "cases": [o.case.id for o in nearest[1]]},
            "missing": list(self.missing),
            "not_supported": len(self.unsupported),
            "legal_ties": sum(outcome.legal for outcome in self.outcomes),
            "cases": [
                {
                    "id": outcome.case.id,
                    "reason": outcome.case.reason,
                    "optional": outcome.case.optional,
                    "passes": None if outcome.unsupported else outcome.wrong is None,
                    "wrong": outcome.wrong,
                    "legal_tie": outcome.legal,
                    "not_supported": outcome.unsupported,
                }
                for outcome in self.outcomes
            ],
        }


def _explanation(named: Sequence[tuple], n_failed: int) -> str:
    """ "your drop ranks inactive weights too, as rigl-tf1 does (case …: …); explains 6 of 7 failures".

    named: (profiles, failures, {words: failures}, rank) of those that explain the same failures. Where they are
    several, or explain the smaller part, no more is said than who answers the same.
    """
    own, shown = named[0][1], []
    share = f"all {n_failed} failures" if len(own) == n_failed else f"{len(own)} of {n_failed} failures"
    share = {1: "the only failure", 2: "both failures"}.get(n_failed, share) if len(own) == n_failed else share
    fewest = [n for n in named if not any(set(other[2]) < set(n[2]) for other in named)]
    named = [([*n[0], *(p for more in named if set(n[2]) < set(more[2]) for p in more[0])], *n[1:]) for n in fewest]
    unsure = len(named) > 1 or 2 * len(own) < n_failed
    choices = []
    for names, _, words, *_ in named:
        first, *too = names or [""]
        does = f"as {first} does" + (f", and {', '.join(too)} too" if too else "")
        said = [word for word in words if word]
        if not names:
            choices.append(f"{'perhaps ' if unsure else ''}{said[0]}")
        elif unsure or not said:
            choices.append(f"{'' if choices else 'you answer '}{does}" + (f": “{'; '.join(said)}”" if said else ""))
        else:
            choices.append("; ".join(f"{word}, {does}" for word in said))
        shown += [cases[0].case for cases in words.values() if cases[0].case not in shown]
    where = f"case {shown[0].id}: {shown[0].reason}" if len(shown) == 1 else f"cases {', '.join(c.id for c in shown)}"
    return f"{f'in {share} ' if unsure else ''}{', or '.join(choices)} ({where}); explains {share}"


def _told(outcomes: Sequence[Outcome]) -> str:
    """The facts of failures, those of most cases first: "dropped 3, 2 were asked (case a, and 2 more)"."""
    groups: dict = {}
    for o in outcomes:
        for kind, text in o.faults or [("", str(o.wrong))]:
            groups.setdefault(kind, {}).setdefault(o.case.id, text)
    order = sorted(groups.values(), key=len, reverse=True)
    said = []
    for own in order[:SAID]:
        case_id, text = next(iter(own.items()))
        more = f", and {len(own) - 1} more" if len(own) > 1 else ""
        said.append(f"{text} (case {case_id}{more})")
    hidden = f"; {_n(len(order) - SAID, 'other fault')}" if len(order) > SAID else ""
    return "; ".join(said) + hidden


def _by_words(own: Sequence[Outcome], profile: str) -> dict:
    """{what `profile` does: the failures that show it}, the cases that pin fewest other things first."""
    words: dict = {}
    for o in sorted(own, key=lambda o: len(o.case.pin.split(","))):
        words.setdefault(divergence(o.case, profile) or "", []).append(o)
    return words


def _agrees(outcome: Outcome, profile: str, pinned: bool) -> bool:
    """Is the answer one of `profile`'s, or right where one of those is?"""
    return _answers_as(outcome, profile) or (not outcome.wrong and _may_be_right(outcome.case, profile, pinned))


def _agrees_on(word: str, outcome: Outcome, pinned: bool) -> bool:
    """Does the case not decide the convention, or the answer agree with a profile that has it?"""
    having = [p for p in PROFILES[1:] if outcome.case.answers(p) and divergence(outcome.case, p) == word]
    return not having or any(_agrees(outcome, p, pinned) for p in having)


def _may_be_right(case: Any, profile: str, pinned: bool) -> bool:
    return any(not judged(case, read(answer), pinned=pinned).wrong for answer in case.answers(profile))


def _answers_as(outcome: Outcome, profile: str) -> bool:
    case = outcome.case
    return any(difference(outcome.got, read(a), case.rtol, case.atol) is None for a in case.answers(profile))


def _alike(outcome: Outcome, outcomes: Sequence[Outcome]) -> str:
    """The profiles that answer an uncounted case in the same way, if they agree with all others too, in words."""
    same = [
        p
        for p in PROFILES[1:]
        if _answers_as(outcome, p)
        and all(_answers_as(o, p) or not o.wrong for o in outcomes if o.case.answers(p) and not o.unsupported)
    ]
    return f", as {' and '.join(same)} does" if same else ""


def _times(own: Sequence[Outcome], counted: Sequence[Outcome]) -> str:
    """ "(case rigl_update/basic; the same in all 21 cases)"."""
    n = "" if len(own) == 1 else f"; the same in {'all ' if len(own) == len(counted) else ''}{len(own)} cases"
    return f" (case {own[0].case.id}{n})"


def _n(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def _in(outcome: Outcome, outcomes: Sequence[Outcome]) -> bool:
    return any(outcome is other for other in outcomes)


def _ids(outcomes: Sequence[Outcome]) -> set[int]:
    return {id(outcome) for outcome in outcomes}
