"""Adapters to fill in: for each function its signature, what goes in and out, and one case called by hand."""

import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from .. import allocate, flops, masks, methods, schedule
from ..compress import huffman, relative
from . import calls, sites, trajectory, vjp
from .cases import Case

METHODS = [import_module(module.name) for module in iter_modules(methods.__path__, f"{methods.__name__}.")]
METHODS += [relative, huffman]
# first the functions that cases call in another form, such as `step_rate`
HOMES = (calls, allocate, flops, masks, schedule, *METHODS, trajectory, vjp, sites)
HEAD = '''"""An adapter for minisparse's golden vectors, saved as adapter.py. Call your code where it says so, then

    python adapter.py
    minisparse golden check {check}

`--arrays torch` or `jax` passes their arrays in place of NumPy's.
"""

import numpy as np
'''
TAIL = """

def compare(case, expected, call):
    print(f"{case}\\nexpected\\n{expected}")
    try:
        print(f"got\\n{call()}\\n")
    except NotImplementedError as error:
        print(f"got nothing yet: {error}\\n")


if __name__ == "__main__":
"""
PLAIN = {"str": "text", "NoneType": "None"}  # a Python type: how it is called; others by name
WIDTH = 112  # columns of a docstring


def reference(function: str) -> Callable:
    """This package's implementation of a function that has vectors. ValueError for any other name."""
    for home in HOMES:
        if hasattr(home, function):
            return getattr(home, function)
    raise ValueError(f"{function!r} is not a function of the golden vectors")


def adapters(chosen: Sequence[Case], functions: Mapping[str, Sequence[Case]]) -> str:
    """Python source: a stub for the function of each case in `chosen`, and calls of these cases.

    functions: the cases of each function, which show what types its arguments and results have.
    """
    names = [case.function for case in chosen]
    check = f"{names[0]} adapter:{names[0]}" if len(names) == 1 else "adapter"
    stubs = [stub(name, functions[name]) for name in names]
    return HEAD.format(check=check) + "".join(f"\n\n{own}\n" for own in stubs) + TAIL + "\n".join(map(_called, chosen))


def stub(function: str, cases: Sequence[Case]) -> str:
    """The function with the contract's signature; it raises NotImplementedError."""
    known = reference(function)
    said = inspect.getdoc(known) or ""
    parameters = inspect.signature(known).parameters.values()
    width = max(len(own.name) for own in parameters) + 2
    lines = [f'"""{said.partition(chr(10) * 2)[0]}', ""]
    for own in parameters:
        kind = kinds([case.inputs[own.name] for case in cases if own.name in case.inputs])
        words = re.search(rf"^{own.name}  +(?:\(.*?\)|\{{[^}}]*\}}(?=\W))?[; ]*(.+)$", said, re.M)
        line = f"{own.name:<{width}}{kind}{f'; {words[1]}' if words else ''}"
        lines += textwrap.wrap(line, WIDTH, subsequent_indent=" " * width, break_on_hyphens=False)
    answer = f"Returns {kinds([case.expected for case in cases])}."
    lines += ["", *textwrap.wrap(answer, WIDTH, subsequent_indent="  ", break_on_hyphens=False), '"""']
    lines.append(f'raise NotImplementedError("call your {function} here")')
    names = [
        own.name
        if own.default is own.empty
        else f"{own.name}={literal(own.default) if isinstance(own.default, str) else repr(own.default)}"
        for own in parameters
    ]
    body = textwrap.indent("\n".join(lines), "    ")
    return f"def {function}({', '.join(names)}):\n{body}"


def kinds(values: Sequence[Any]) -> str:
    """What values in JSON form are, in words: "float64 array (1 or 2 axes)", "dict of int"."""
    arrays, dicts, tuples = (
        [value for value in values if isinstance(value, dict) and key in value] for key in ("data", "pairs", "items")
    )
    found = []
    for dtype in sorted({value["dtype"] for value in arrays}):
        axes = sorted({len(value["shape"]) for value in arrays if value["dtype"] == dtype})
        number = ", ".join(map(str, axes[:-1])) + " or " * (len(axes) > 1) + str(axes[-1])
        found.append(f"{dtype} array ({number} {'axis' if axes == [1] else 'axes'})")
    if dicts:
        found.append(_dicts([dict(value["pairs"]) for value in dicts]))
    if tuples:
        found.append(_tuples([value["items"] for value in tuples]))
    plain = {type(value).__name__ for value in values if not isinstance(value, dict)}
    if "float" in plain:
        plain.discard("int")
    return " or ".join(found + sorted(PLAIN.get(name, name) for name in plain))


def _dicts(values: Sequence[Mapping[str, Any]]) -> str:
    """Dicts by name, of values alike; or records, of the entries that all of them have."""
    shared = [name for name in values[0] if all(name in own for own in values)]
    if not shared or all(_alike(own.values()) for own in values):
        return f"dict of {kinds([x for own in values for x in own.values()]) or 'nothing'}"
    entries = [f"{name!r}: {kinds([own[name] for own in values])}" for name in shared]
    return f"dict {{{', '.join(entries)}{', …' if any(own.keys() != {*shared} for own in values) else ''}}}"


def _tuples(values: Sequence[Sequence[Any]]) -> str:
    """Tuples of values alike, or with a place for each."""
    if all(map(_alike, values)):
        return f"tuple of {kinds([x for own in values for x in own]) or 'nothing'}"
    return f"tuple ({', '.join(kinds(place) for place in zip(*values, strict=False))})"


def _alike(values: Iterable[Any]) -> bool:
    return len({_form(value) for value in values}) <= 1


def _form(value: Any) -> str:
    """A value's form. A count and a number have the same one, dicts of masks and of numbers do not."""
    if not isinstance(value, dict):
        return "number" if type(value) in (int, float) else type(value).__name__
    inside = [own for _, own in value["pairs"]] if "pairs" in value else value.get("items", [])
    return f"{value.get('dtype', next(iter(value)))} {sorted({_form(own) for own in inside})}"


def _called(case: Case) -> str:
    """The call of one case, as Python."""
    given = "".join(f"            {name}={literal(value)},\n" for name, value in case.inputs.items())
    return (
        f"    # {case.reason}\n    compare(\n        {literal(case.id)},\n        {literal(case.expected)},\n"
        f"        lambda: {case.function}(\n{given}        ),\n    )\n"
    )


def literal(value: Any) -> str:
    """A value in JSON form as Python source."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict):
        return repr(value)
    if "pairs" in value:
        return f"{{{', '.join(f'{literal(name)}: {literal(own)}' for name, own in value['pairs'])}}}"
    if "items" in value:
        return f"({''.join(f'{literal(own)}, ' for own in value['items']).strip()})"
    data = ", ".join(f'float("{x}")' if isinstance(x, str) else repr(x) for x in value["data"])
    array = f"np.array([{data}], {literal(value['dtype'])})"
    return array if len(value["shape"]) == 1 else f"{array}.reshape({tuple(value['shape'])})"
