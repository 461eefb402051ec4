"""For notebooks: the library's source, the golden vectors applied to the reader's code, and training in a browser.

show(rigl_update)                  the source as it runs
check("rigl_update", mine)         the verdict, with the reason of the first case that fails
affordable(1500)                   1500; in a browser, where products are 10 to 40 times slower, fewer
followed(steps, 1500)              the same steps, counted on the page of a browser
"""

import inspect
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np

from . import exercises
from .golden import cases
from .golden.check import decided, run
from .golden.verdict import Verdict


class Text:
    """Source code, coloured in a notebook and plain in a terminal."""

    def __init__(self, source: str):
        self.source = source

    def __repr__(self) -> str:
        return self.source

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.source}\n```"


def show(*things: Any) -> Text:
    """The source of functions and classes, and the docstring of modules.

    TypeError for anything without Python source.
    """
    return Text("\n\n".join(_source(thing) for thing in things))


def _source(thing: Any) -> str:
    if inspect.ismodule(thing):
        return f'"""{inspect.getdoc(thing)}\n"""'
    try:
        return inspect.getsource(thing).rstrip()
    except (TypeError, OSError) as error:
        raise TypeError(f"{thing!r} has no source; expected a function, class or module") from error


def wrapped(text: str) -> str:
    """Each line of `text` at most 88 columns wide, its indentation kept; words are never cut."""
    return "\n".join(
        textwrap.fill(
            line,
            88,
            subsequent_indent=" " * (len(line) - len(line.lstrip()) + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )


class Checked:
    """The result of an exercise: it prints as a verdict, and is true if every case holds."""

    def __init__(self, name: str, verdict: Verdict):
        self.name, self.verdict = name, verdict

    def __bool__(self) -> bool:
        return self.verdict.passes and not self.verdict.unsupported

    def __repr__(self) -> str:
        return wrapped(self._text())

    def _text(self) -> str:
        n, failed = len(self.verdict.counted), [o for o in self.verdict.asked if o.wrong]
        waiting = [o for o in self.verdict.unsupported if not o.case.optional]
        if waiting and not failed:
            held = f"{n - len(waiting)} of {n} hold, the rest is " if len(waiting) < n else ""
            cases = f"{len(waiting)} cases are waiting; the first: {waiting[0].case.reason}"
            return f"{self.name}: {held}not written yet. {cases}."
        if not failed:
            optional = (f"\n  not counted, and fails: {o.case.id}: {o.case.reason}" for o in self.verdict.failed)
            return f"{self.name}: right, in all {n} cases." + "".join(optional)
        first = failed[0]
        failure = f"  the first that fails: {first.case.id}\n  your answer {first.wrong}"
        if self.name in exercises.CASES:
            score = f"{n - len(failed)} of {n}: {first.case.reason}"
            return f"{self.name}: {score}\n{failure}"
        return f"{self.name}: {self.verdict.sentence()}\n{failure}\n  minisparse golden show {first.case.id} draws it"


def check(name: str, mine: Callable) -> Checked:
    """The verdict on `mine` as the function `name` of the golden vectors or of `exercises`.

    It is called with the parameter names of the cases.

    ValueError for a name without cases; TypeError if `mine` cannot be called.
    """
    if not callable(mine):
        raise TypeError(f"mine is {type(mine).__name__}; expected a function with the parameters of {name}")
    every = {**cases.load(), **exercises.CASES}
    asked = cases.chosen([name], every)
    return Checked(name, Verdict([run(case, mine) for case in decided(asked[name], "reference")]))


BROWSER = sys.platform == "emscripten"
PRODUCT_SECONDS = 0.005  # a product of 100×784 and 784×300 this fast leaves training as long as it is
SHORTEST = 1 / 8  # of a training: with less, nothing would be left to see


def affordable(n: int) -> int:
    """`n` steps, epochs or repetitions; in a browser as many of them as it can do in the time, and at least one."""
    return max(1, round(n * share())) if BROWSER else n


@cache
def share() -> float:
    """The fraction of a training that a browser can do: 1, 1/2, 1/4 or 1/8, by the time of a product. It says which."""
    a, b = np.ones((100, 784), np.float32), np.ones((784, 300), np.float32)
    seconds = min(_seconds_of(lambda: a @ b) for _ in range(5))
    fraction = 1.0
    while fraction > SHORTEST and fraction * seconds > PRODUCT_SECONDS:
        fraction /= 2
    if fraction < 1:
        print(f"In this browser training is shortened to 1/{round(1 / fraction)}, and the results are worse.")
    return fraction


def _seconds_of(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def followed(steps: Iterable[Any], total: int) -> Iterator[Any]:
    """The same steps; in a browser with a line that counts them, and goes when they end."""
    return _counting(steps, total) if BROWSER else iter(steps)


def _counting(steps: Iterable[Any], total: int) -> Iterator[Any]:
    said, line = time.perf_counter(), ""
    for number, step in enumerate(steps, 1):
        if time.perf_counter() - said > 0.5:
            said, line = time.perf_counter(), f"\r{number:,} of {total:,}"
            print(line, end="", flush=True)
        yield step
    print("\r" + " " * len(line) + "\r" if line else "", end="", flush=True)
