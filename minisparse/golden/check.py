"""Code of any origin run against the vectors, and a verdict that says which convention it broke.

    checked   a callable, a module or the answers of a folder, which may come from any language
    run       one case asked of a callable
    Door      where arrays become PyTorch's or JAX's, and NumPy's again
    Verdict   how many of the cases hold, which do not and why, and whose code answers as this does

The code under test is a guest: what it raises is an answer that is wrong, what it warns of or prints is its own affair.
"""

import json
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from . import ties as legal
from .cases import PROFILES, VERSION, Case, chosen, load
from .values import decode, kind_of, matches

LIBRARIES = ("numpy", "torch", "jax")
# What public implementations do otherwise: the row that a case pins, words for whoever does the same, and their names.
DIVERGENCES = (
    ("R1", "your count is rounded another way", "rigl-tf1 jaxpruner rigl-reproducibility"),
    ("R2", "your drop ranks inactive weights too", "rigl-tf1 rigl-torch"),
    ("R3", "among equal weights you drop the higher index", "rigl-tf1 jaxpruner"),
    ("R5", "a connection that returns at once loses its value", "rigl-reproducibility"),
    ("R6", "what you grow does not start at zero", "rigl-torch jaxpruner"),
    ("R7", "what you drop keeps its stored value or its momentum", "rigl-tf1 jaxpruner"),
    ("R9", "your step counter stands still at an update", "rigl-tf1"),
    ("R10", "your first or last update comes at another step", "rigl-tf1 rigl-torch jaxpruner rigl-reproducibility"),
    ("R11", "your annealing is not shifted or not clamped", "rigl-tf1 sparse-learning"),
    ("R12", "you rank another gradient than this batch's", "rigl-torch"),
    ("R3", "which of equals comes first is left open", "rigl-torch"),
    ("R13", "a count of zero is no strict no-op in your code", "rigl-tf1 rigl-torch sparse-learning"),
    ("A3", "among equal weights you drop the higher index", "jaxpruner"),
    ("A6", "among equal weights you drop the higher index", "jaxpruner"),
    ("A8", "at least one connection stays in your code", "jaxpruner"),
    ("A12", "what you add to scores is lost to rounding, and kept weights with it", "jaxpruner"),
    ("A13", "your growth lands on connections that are there", "rigl-reproducibility"),
    ("A17", "Adam's moments are not masked in your code", "rigl-torch jaxpruner"),
    ("B1", "your update takes the place of the optimizer's step", "jaxpruner"),
    ("B6", "the momentum of absent weights lives on", "jaxpruner sparse-learning torch-prune"),
    ("C1", "your cosine ends at .005 and rises again", "sparse-learning"),
    ("D2", "your zeros are truncated in every layer", "rigl-tf1 rigl-torch"),
    ("D4", "your zeros are truncated in every layer", "rigl-tf1 rigl-torch"),
    ("D4", "you round every layer by itself", "jaxpruner"),
    ("D4", "your shares are rounded up", "sparse-learning"),
    ("D5", "your zeros are truncated in every layer", "rigl-tf1 rigl-torch"),
    ("E6", "your ranking is one for each layer", "rigl-tf1"),
    ("E6", "your scores are divided by the norm of each layer", "jaxpruner"),
    ("F2", "your shares are rounded up", "sparse-learning"),
    ("G2", "one connection too many goes of each sign", "set-official"),
    ("G5", "one connection too many goes of each sign", "set-official"),
    ("G8", "your weight decay stands beside the gradient, and biases decay too", "set-official"),
    ("G9", "your drop looks at magnitudes and not at signs", "rigl-tf1 jaxpruner rigl-reproducibility"),
    ("H6", "the penalty's sign is turned round for the bias of a filter, which training leaves out", "l0-official"),
    ("I5", "your threshold keeps everything that ties", "tfmot"),
    ("I5", "which of equal weights stays is left open", "torch-prune"),
    ("I6", "at least one connection stays in your code", "jaxpruner tfmot"),
    ("P(z = 0)", "your probability is clipped at a millionth", "l0-official"),
    ("verified", "your zeros are truncated before the scale is solved", "rigl-tf1"),
    ("Pin", "at least one connection stays in your code", "jaxpruner"),
    ("Zhu-Gupta", "your pruning is a step ahead of its schedule", "jaxpruner"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of one case: `wrong` is None, or one sentence; `got` the answer, absent where there was none."""

    case: Case
    wrong: str | None
    got: Any = None


def found(where: str) -> Callable:
    """The callable at "package.module:name". ValueError saying what could not be found."""
    module, colon, name = where.partition(":")
    if not (module and colon and name):
        raise ValueError(f"{where!r} names no callable; expected module:callable, such as my_pkg.rigl:update")
    call: Any = imported(module)
    for part in name.split("."):
        if not hasattr(call, part):
            raise ValueError(f"{module} has no {name}")
        call = getattr(call, part)
    if not callable(call):
        raise ValueError(f"{where} is {kind_of(call)} and cannot be called")
    return call


def imported(module: str) -> Any:
    """The module of that name, from the current folder too. ValueError with what its import raised."""
    if module.endswith(".py"):
        raise ValueError(f"{module} is the name of a file; expected its module's, {module.removesuffix('.py')}")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(module)
    except Exception as error:
        raise ValueError(f"{module} cannot be imported: {type(error).__name__}: {error}") from error


def run(case: Case, call: Callable, door: "Door | None" = None, **how: Any) -> Outcome:
    """Ask `call` the question of `case`, with the contract's parameter names, and judge its answer as `judged` does."""
    door = door or Door()
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr), door.open():
            warnings.simplefilter("ignore")
            got = door.back(call(**door.give(case.arguments())))
    except (Exception, SystemExit) as error:
        return Outcome(case, f"raises {type(error).__name__}: {error}")
    return judged(case, got, **how)


def judged(case: Case, got: Any, profile: str = "reference", any_ties: bool = False) -> Outcome:
    """Is `got` the answer of `profile`, or with `any_ties` another legal choice among equal scores."""
    wrongs = [matches(got, decode(answer), case.rtol, case.atol) for answer in case.answers(profile)]
    wrong = None if None in wrongs else wrongs[0]
    if wrong and any_ties and profile == "reference" and case.function in legal.RULES:
        wrong = legal.RULES[case.function](got, case.arguments(), decode(case.expected))
    if wrong and "torch." in wrong:
        wrong += " (--arrays torch converts)"
    if wrong and profile == "reference":
        wrong += _by_stages(case, got)
    return Outcome(case, wrong, got)


def answered(path: Path, functions: Mapping[str, Sequence[Case]], **how: Any) -> tuple[list[Outcome], list[str]]:
    """The outcomes of an answers.json, and the names of the functions that it answers nothing of.

    ValueError for a file of another form or version, or an answer to a case that is not there.
    """
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(file, dict) or file.get("version") != VERSION or not isinstance(file.get("answers"), dict):
        raise ValueError(f'{path} is not of the form {{"version": {VERSION}, "answers": {{case id: answer}}}}')
    answers = file["answers"]
    known = {case.id for cases in load().values() for case in cases}
    if strange := next((own for own in answers if own not in known), None):
        raise ValueError(f"{path} answers {strange!r}, which is no case")
    outcomes, missing = [], []
    for name, cases in functions.items():
        if not any(case.id in answers for case in cases):
            missing.append(name)
            continue
        for case in cases:
            outcomes.append(_read(case, answers, **how))
    return outcomes, missing


def _read(case: Case, answers: Mapping[str, Any], **how: Any) -> Outcome:
    if case.id not in answers:
        return Outcome(case, "has no answer")
    answer = answers[case.id]
    if isinstance(answer, dict) and answer.keys() == {"error"}:
        return Outcome(case, f"raises {answer['error']}")
    try:
        got = decode(answer)
    except (ValueError, TypeError, RecursionError) as error:
        return Outcome(case, str(error))
    return judged(case, got, **how)


class Door:
    """Where arrays change libraries: NumPy's going in, the guest's coming out.

    arrays: "numpy", "torch" or "jax"; float32: floats go in with half their digits. ValueError for another library or
    one that is not installed.
    """

    def __init__(self, arrays: str = "numpy", float32: bool = False):
        if arrays not in LIBRARIES:
            raise ValueError(f"--arrays is {arrays!r}; expected {', '.join(LIBRARIES)}")
        self.arrays, self.float32 = arrays, float32
        try:
            self.library: Any = import_module(arrays)
        except ImportError as error:
            raise ValueError(f"--arrays {arrays} needs {arrays}, which is not installed") from error

    def open(self) -> Any:
        """What must hold while the guest computes: JAX has float64 only where it is told to."""
        if self.arrays != "jax" or self.float32:
            return nullcontext()
        if hasattr(self.library, "enable_x64"):
            return self.library.enable_x64(True)
        return import_module("jax.experimental").enable_x64()  # its place in older versions

    def give(self, tree: Any) -> Any:
        return _on_arrays(self._in, np.ndarray, tree)

    def back(self, tree: Any) -> Any:
        kind = {"numpy": "ndarray", "torch": "Tensor", "jax": "Array"}[self.arrays]
        return _on_arrays(self._out, getattr(self.library, kind), tree)

    def _in(self, array: np.ndarray) -> Any:
        if self.float32 and array.dtype == float:
            array = array.astype("float32")
        if self.arrays == "torch":
            return self.library.from_numpy(array)
        return self.library.numpy.asarray(array) if self.arrays == "jax" else array

    def _out(self, array: Any) -> np.ndarray:
        return array.detach().cpu().numpy() if self.arrays == "torch" else np.asarray(array)


def _on_arrays(change: Callable, kind: type, tree: Any) -> Any:
    if isinstance(tree, kind):
        return change(tree)
    if isinstance(tree, Mapping):
        return {name: _on_arrays(change, kind, branch) for name, branch in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(_on_arrays(change, kind, branch) for branch in tree)
    return tree


def _by_stages(case: Case, got: Any) -> str:
    """Which half of an update is wrong, where the case has what stays between them and no profile errs alike."""
    if "kept" not in case.stages or any(_answers_as(Outcome(case, None, got), p) for p in case.profiles):
        return ""
    kept = decode(case.stages["kept"])
    kept, got = (kept, got) if isinstance(kept, dict) else ({"": kept}, {"": got})
    if not isinstance(got, Mapping) or kept.keys() != got.keys():
        return ""
    if any(not isinstance(got[name], np.ndarray) or got[name].shape != own.shape for name, own in kept.items()):
        return ""
    if any((own & (got[name] == 0)).any() for name, own in kept.items()):
        return "; your drop is wrong, a weight that stays is gone"
    return "; all that stays is there, which points to your grow"


@dataclass(frozen=True)
class Verdict:
    """What the outcomes of some cases come to. `missing` are functions that were asked for and are not there."""

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
        """Does every case hold that is not optional, with no function missing and at least one case asked."""
        return bool(self.counted) and not self.missing and not any(outcome.wrong for outcome in self.counted)

    def nearest(self) -> tuple[str, list[Outcome]] | None:
        """The public implementation that answers most of the failed cases in the same way, and those cases.

        Between equals, the one that leaves least open, for where noise decides many answers fit; and then the one
        with fewest answers that differ from these.
        """
        return next(iter(self._nearest()), None)

    def _nearest(self) -> list[tuple[str, list[Outcome]]]:
        """The nearest and its equals, in the order of PROFILES."""
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
            return f"{score}: {case.reason} (case {case.id}{_known(case)})"
        (profile, explained), *others = nearest
        case = max((o.case for o in explained), key=lambda case: _rows_alike(case, profile))
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
    return any(matches(outcome.got, decode(own), case.rtol, case.atol) is None for own in case.answers(profile))


def _alike(outcome: Outcome) -> str:
    """Who answers a case in the same way, to be said of one that is not counted."""
    same = [profile for profile in PROFILES[1:] if _answers_as(outcome, profile)]
    return f", as {' and '.join(same)} does" if same else ""


def rows(case: Case) -> list[tuple[str, str, str]]:
    """The rows of DIVERGENCES that a case pins, in the order in which it names them."""
    places = [(re.search(rf"(?<!\w){re.escape(row[0])}(?!\w)", case.pin), row) for row in DIVERGENCES]
    return [row for _, row in sorted(((place.start(), row) for place, row in places if place), key=lambda own: own[0])]


def divergence(case: Case, profile: str) -> str | None:
    """The words for what `profile` does otherwise, in the first row that the case pins and it is named in."""
    return next(iter(_words(case, profile)), None)


def _words(case: Case, profile: str) -> list[str]:
    return [does for _, does, profiles in rows(case) if profile in profiles.split()]


def _rows_alike(case: Case, profile: str) -> int:
    """In how many of its rows the case says the same of `profile` as in the first: what it is there to show."""
    words = _words(case, profile)
    return words.count(words[0]) if words else 0


def _known(case: Case) -> str:
    """Who is known to differ in the rows that the case pins, where no answer of theirs is written down."""
    known = [f"{row} {', '.join(profiles.split())}" for row, _, profiles in rows(case)]
    return f"; known to differ: {'; '.join(known)}" if known else ""


def decided(cases: Iterable[Case], profile: str) -> list[Case]:
    """The cases on which `profile` has an answer. ValueError for a profile that is none, or none of them."""
    if profile not in PROFILES:
        raise ValueError(f"--profile is {profile!r}; expected {', '.join(PROFILES)}")
    return [case for case in cases if case.answers(profile)]


def checked(
    what: str,
    call: str | None = None,
    only: Sequence[str] = (),
    arrays: str = "numpy",
    any_ties: bool = False,
    profile: str = "reference",
    float32: bool = False,
) -> Verdict:
    """The verdict on `call` "module:callable" as the function `what`, on a folder's answers.json, or on a module.

    only: the functions of a folder or module that are asked for, all unless given; those that it has nothing of are
    named in `missing`. The other arguments are those of `judged` and `Door`. ValueError for what cannot be found.
    """
    asked = {
        name: [case.in_float32() if float32 else case for case in decided(cases, profile)]
        for name, cases in chosen([what] if call else only, load()).items()
    }
    if not any(asked.values()):
        raise ValueError(f"{profile} decides no case of {', '.join(asked)}")
    asked = {name: cases for name, cases in asked.items() if cases}
    how = {"any_ties": any_ties, "profile": profile}
    if call is None and Path(what).is_dir():
        return Verdict(*answered(Path(what) / "answers.json", asked, **how), profile)
    door = Door(arrays, float32)
    calls = {what: found(call)} if call else offered(imported(what), asked)
    outcomes = [run(case, own, door, **how) for name, own in calls.items() for case in asked[name]]
    return Verdict(outcomes, [name for name in asked if name not in calls], profile)


def offered(module: Any, names: Iterable[str]) -> dict[str, Callable]:
    """Those of the functions that a module has."""
    return {name: getattr(module, name) for name in names if callable(getattr(module, name, None))}
