"""Command-line options: those that Plan's fields declare, and those that several commands share."""

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from ..data import READERS
from ..runs.methods import GROUPS, METHODS, unused, users
from ..runs.names import DISTRIBUTIONS, NETWORKS, chosen
from ..runs.plan import RUN, WHAT, Plan

FIELDS = {name: get_args(hint) for name, hint in get_type_hints(Plan, include_extras=True).items()}
NAMES = "; ".join(f"{name} ({entry.about})" for name, entry in METHODS.items())
IN_GROUPS = {
    name: [f"{own} ({entry.about})" for own, entry in METHODS.items() if entry.group == name] for name in GROUPS
}
OF_GROUPS = "\n\n".join(f"{name} ({words}): {'; '.join(IN_GROUPS[name])}." for name, words in GROUPS.items())

Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--methods", "--method", metavar="NAME,NAME,…", rich_help_panel=WHAT,
        help=f"Methods and groups of them, with commas; repeatable, default all. {OF_GROUPS}",
    ),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder that holds {data}/. Default: $MINISPARSE_DATA, or a download.", rich_help_panel=WHAT),
]
Out = Annotated[Path | None, typer.Option(help="The run's folder. Default: one in runs/.", rich_help_panel=RUN)]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue the run in --out, with its options.", rich_help_panel=RUN)
]
Jobs = Annotated[int, typer.Option(min=1, help="Runs in parallel, each on one core.", rich_help_panel=RUN)]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Send the runs to the workers of a dask.distributed cluster, in place of --jobs: tcp://HOST:8786. Start "
        "them with dask worker ADDRESS --nthreads 1; each needs minisparse, and the data in the same place.",
        rich_help_panel=RUN,
    ),
]


def dashed(name: str) -> str:
    """The option of a field of Plan or of a parameter."""
    return f"--{name.replace('_', '-')}"


def given(context: typer.Context) -> list[str]:
    """The fields of Plan whose options were given on the command line."""
    sources = {name: context.get_parameter_source(name) for name in Plan._fields}
    return [name for name, source in sources.items() if source and source.name != "DEFAULT"]


def refuse_unused(options: Iterable[str], plan: Plan, methods: Iterable[str]) -> None:
    """ValueError for an option that was given and that no method, or not the optimizer, uses."""
    methods = list(methods)
    for method in methods:
        chosen("--method", method, METHODS)
    for name in options:
        if all(name in unused(method) for method in methods):
            raise ValueError(f"{dashed(name)} is given for {', '.join(methods)}; it is for {', '.join(users(name))}")
        if name in ("momentum", "nesterov") and plan.optimizer == "adam":
            raise ValueError(f"{dashed(name)} is given for adam; it is for --optimizer sgd")


CHOICES: dict[str, Iterable[str]] = {  # that a shell completes
    "method": METHODS,
    "model": NETWORKS,
    "data": READERS,
    "distribution": DISTRIBUTIONS,
    "optimizer": ("sgd", "adam"),
    "storage": ("masked", "sparse"),
    "device": ("cpu", "cuda"),
}


def completed(name: str) -> Callable[[str], list[str]] | None:
    """For a field of Plan with known values: (what is typed of a value) -> those that begin with it."""
    if name not in CHOICES:
        return None
    return lambda incomplete: [choice for choice in CHOICES[name] if choice.startswith(incomplete)]


def option(name: str, panel: bool = True) -> Any:
    """What a field of Plan declares, for typer; without its panel in a command that has none."""
    _, declared = FIELDS[name]
    return typer.Option(
        dashed(name),
        help=declared.help.format(methods=NAMES, users=", ".join(users(name))),
        min=declared.minimum,
        metavar=declared.metavar,
        autocompletion=completed(name),
        rich_help_panel=declared.panel if panel else None,
    )


def takes_plan(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, whose first parameter is a Plan, with an option for every field of it in place of that parameter.

    A parameter of the command's that is named like a field takes the place of that option.
    """
    _, *others = signature(command).parameters.values()
    parameters = {name: _parameter(name) for name in FIELDS} | {other.name: other for other in others}
    fields = FIELDS.keys() - {other.name for other in others}

    @wraps(command)
    def asked(**given: Any) -> None:
        command(Plan(**{name: _value(name, given.pop(name)) for name in fields}), **given)

    keywords = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters.values()]
    asked.__signature__ = Signature(keywords)  # type: ignore[attr-defined]
    return asked


def _parameter(name: str) -> Parameter:
    kind, default = FIELDS[name][0], Plan._field_defaults[name]
    if kind == tuple[str, ...]:
        kind, default = list[str] | None, list(default) or None
    elif kind == tuple[float, ...]:
        kind, default = str, ",".join(map(str, default))
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option(name)])


def _value(name: str, given: Any) -> Any:
    """A field of Plan from what typer gives for its option."""
    kind = FIELDS[name][0]
    if kind == tuple[str, ...]:
        return tuple(given or ())
    if kind != tuple[float, ...]:
        return given
    try:
        return tuple(float(number) for number in given.split(",") if number)
    except ValueError as error:
        raise ValueError(f"{dashed(name)} is {given!r}; expected numbers such as 25,40") from error
