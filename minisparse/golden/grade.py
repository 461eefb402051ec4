"""Grades a class: each student's code in processes of its own, judged by the golden vectors, legal ties included.

    graded   the grades of a folder, one student after the other
    Grade    what one student's code did

Two processes per student: one runs the code, and one judges it, so that a student who kills either, or never ends,
has no part in what happens to the others.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import tamper
from .arrays import Door
from .asking import outcome
from .cases import Case, chosen, load
from .guest import Guest, started
from .handed_in import MODULE, HandIn, copied, files
from .verdict import Outcome, Verdict

GRACE = 5.0  # seconds beyond a student's own, for judging
LONGEST, WORD = 2000, 100  # characters of a line, and of a word in it, that a student's code had a say in
LIMITS = {"RLIMIT_AS": 8 << 30, "RLIMIT_FSIZE": 256 << 20, "RLIMIT_CORE": 0}  # bytes of memory, of a file, of a core


@dataclass(frozen=True)
class Grade:
    """The result of one student.

    right, asked   cases that hold, of those asked, which are not those of a missing function
    functions      {function: (right, asked)}
    missing        requested functions that the student does not have, or left as a stub
    verdict        the checker's sentences, one line for each function that fails; or why there is no verdict
    failures       (case id, its reason, what is wrong) of all failing cases
    tampers        what the code changed outside itself; such a student does not pass
    remarks        anything else that a teacher should know
    """

    student: str
    passes: bool = False
    right: int = 0
    asked: int = 0
    functions: dict[str, tuple[int, int]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    verdict: str = ""
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    tampers: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """All that is said of the student."""
        return [
            *self.verdict.splitlines(),
            *([f"missing: {', '.join(self.missing)}"] if self.missing else []),
            *(f"tampers: {what}" for what in self.tampers),
            *self.remarks,
        ]


def graded(
    hand_ins: Sequence[HandIn],
    functions: Sequence[str] = (),
    seconds: float = 60.0,
    arrays: str = "numpy",
    every: Mapping[str, Sequence[Case]] | None = None,
) -> Iterator[Grade]:
    """The grade of each hand-in, in order. Files of the class that a student's code changed are put back.

    functions: those to ask; by default what each student's module defines. seconds: for each student. A function that
    does not end may use half of what is left. every: {function: cases} to choose from, by default the golden vectors.
    Optional cases are not asked. ValueError for an unknown function or a time that is not positive.
    """
    if not seconds > 0:
        raise ValueError(f"--seconds is {seconds:g}; expected more than 0")
    of_names = chosen(functions, load() if every is None else every)
    cases = {name: [case for case in own if not case.optional] for name, own in of_names.items()}
    kept = tamper.Kept(file for hand_in in hand_ins for path in hand_in.paths for file in files(path))
    for hand_in in hand_ins:
        with TemporaryDirectory(prefix="minisparse-", ignore_cleanup_errors=True) as folder:
            try:
                copied(hand_in, Path(folder))
                how = hand_in.student, cases, bool(functions), seconds, arrays
                grade = _in_a_process(Path(folder), seconds, *how)
            except (ValueError, OSError) as error:
                grade = Grade(clean(hand_in.student), verdict=clean(f"no verdict: {error}"))
        changed = [clean(what) for what in kept.put_back()]
        yield Grade(**{**vars(grade), "passes": grade.passes and not changed, "tampers": [*grade.tampers, *changed]})


def _in_a_process(folder: Path, seconds: float, *asked: Any) -> Grade:
    """The grade of the code in `folder`, from a process that is killed with all it started when its time is over."""
    process, pipe = started(_serve, folder, *asked)
    ends = time.monotonic() + seconds + GRACE
    try:
        while not pipe.poll(0.05) and process.is_alive() and time.monotonic() < ends:
            pass
        if not pipe.poll():
            late = process.is_alive()
            raise ValueError("it does not end in time" if late else "it ends the process that judges it")
        grade = json.loads(pipe.recv_bytes())
    except (EOFError, OSError) as error:
        raise ValueError("it ends the process that judges it") from error
    finally:
        _kill(process)
        pipe.close()
    shares, failures = grade["functions"].items(), grade["failures"]
    return Grade(
        **grade | {"functions": {k: tuple(v) for k, v in shares}, "failures": [tuple(own) for own in failures]}
    )


def _kill(process: Any) -> None:
    """End a process and all that it started and that is in its session still."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        elif process.is_alive():
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    if process.is_alive():
        process.kill()
    process.join()


def _serve(pipe: Any, other_end: Any, folder: Path, student: str, *asked: Any) -> None:
    """The judging process: the code's prints go nowhere, its relative paths lead into its own folder."""
    if other_end:
        other_end.close()
    _confine(*asked[-2:])
    sys.path[:] = [str(folder), *(str(Path(place).absolute()) for place in sys.path)]
    os.chdir(folder)
    try:
        grade = judged(student, *asked)
    except ValueError as error:
        what = str(error).replace(f"{MODULE}.py, ", "").replace(MODULE, "it")
        grade = Grade(clean(student), verdict=clean(f"no verdict: {what}"))
    pipe.send_bytes(json.dumps(asdict(grade)).encode())


def _confine(seconds: float, arrays: str) -> None:
    """A session of its own, no output, no figures on a screen, and limits where the system has them."""
    os.environ["MPLBACKEND"] = "Agg"
    sys.dont_write_bytecode = True
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    sys.stdout = sys.stderr = os.fdopen(nowhere, "w", errors="replace")
    if not hasattr(os, "setsid"):
        return
    os.setsid()
    import resource

    limits = LIMITS | {"RLIMIT_CPU": int(seconds + GRACE) + 1}
    for name, limit in limits.items():
        if name == "RLIMIT_AS" and arrays != "numpy":
            continue  # PyTorch and JAX reserve more than they use
        with suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (limit, limit))


def judged(student: str, cases: dict[str, list[Case]], named: bool, seconds: float, arrays: str) -> Grade:
    """The grade of the module `MODULE`, which is on the path. ValueError if it cannot be imported."""
    ends = time.monotonic() + seconds
    outcomes: dict[str, list[Outcome]] = {}
    found: tuple[list[str], list[str], list[str]] = ([], [], [])
    with Guest(MODULE, partial(Door, arrays), cases, ends, tamper.watch) as guest:
        offers = [name for name in cases if name in guest.offers]
        told = guest.remarks()
        if not named and set(offers) - set(told[1]):
            offers = [name for name in offers if name not in told[1]]  # what it imports is for its own use
        for i, name in enumerate(offers):
            left = max(ends - time.monotonic(), 0)
            guest.deadline = ends - left / 2 * (i + 1 < len(offers))
            outcomes[name] = [outcome(case, guest.ask(case)) for case in cases[name]]
            found = tuple(map(_joined, found, told))  # type: ignore[assignment]
            guest.deadline = ends
            told = guest.remarks()
    replaced, ours, remarks = map(_joined, found, told)
    done = {name: own for name, own in outcomes.items() if not all(o.unsupported for o in own)}
    missing = [name for name in cases if name not in done] if named else []
    verdict = Verdict([o for own in done.values() for o in own], missing)
    right = {name: Verdict(own).asked for name, own in done.items()}
    counts = {name: (sum(not o.wrong for o in own), len(own)) for name, own in right.items()}
    stubs = f"{', '.join(outcomes)} raise NotImplementedError" if outcomes else "it has none of the functions"
    said = verdict.sentence() if done else f"no verdict: {stubs}"
    return Grade(
        clean(student),
        verdict.passes and not replaced and not set(done) <= set(ours),  # code that is all imported passes nothing
        sum(n for n, _ in counts.values()),
        sum(n for _, n in counts.values()),
        counts,
        missing,
        "\n".join(map(clean, said.splitlines())),
        [(o.case.id, o.case.reason, clean(str(o.wrong))) for o in verdict.failed],
        [clean(f"replaces {name}") for name in replaced],
        [*(f"{name} is minisparse's, imported" for name in ours if name in done), *map(clean, remarks)],
    )


def _joined(before: list[str], after: list[str]) -> list[str]:
    return list(dict.fromkeys([*before, *map(str, after)]))


def clean(text: str) -> str:
    """A line without control characters, and no longer than `LONGEST`."""
    cut = re.sub(rf"(\S{{{WORD}}})\S+", r"\1…", text)
    cut = cut if len(cut) <= LONGEST else f"{cut[:LONGEST]} … ({len(cut):,} characters)"
    return "".join(c if c.isprintable() else "�" for c in cut.replace("\n", " "))
