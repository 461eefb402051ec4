"""The options that name a run: the fields of plans.Plan at the user's face, with the papers' symbols."""

from pathlib import Path
from typing import Annotated

import typer

from ..data import READERS
from ..runs.names import DISTRIBUTIONS, NETWORKS
from ..runs.methods import METHODS

WHAT, SPARSITY, LEARNING, MOVING, RUN = "What to train", "Sparsity", "Learning", "For some methods", "The run"
NAMES = "; ".join(f"{name} ({entry.about})" for name, entry in METHODS.items())


def users(option: str) -> str:
    """The methods that have a use for an option."""
    return ", ".join(name for name, entry in METHODS.items() if option in entry.options)


Method = Annotated[str, typer.Option(help=f"{NAMES}.", rich_help_panel=WHAT)]
Methods = Annotated[
    list[str] | None, typer.Option("--method", help=f"{NAMES}; repeatable, all unless given.", rich_help_panel=WHAT)
]
Model = Annotated[
    str,
    typer.Option(
        help=f"{', '.join(NETWORKS)}, wrn-D-K such as wrn-22-2, or mlp-A-B-… of hidden widths.", rich_help_panel=WHAT
    ),
]
Data = Annotated[
    str,
    typer.Option(
        help=f"{', '.join(READERS)}, or your own: arrays x and y in a .npz file, or a .csv file.", rich_help_panel=WHAT
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder that holds {data}/; $MINISPARSE_DATA unless given, or a download.", rich_help_panel=WHAT),
]
Label = Annotated[
    str | None,
    typer.Option(help="Column of the labels in a .csv file; label or the first unless given.", rich_help_panel=WHAT),
]
Standardize = Annotated[
    bool,
    typer.Option(
        "--standardize",
        help="Give every input mean 0 and variance 1 over the training examples. Else bytes become 0 to 1, other "
        "numbers stay as they are.",
        rich_help_panel=WHAT,
    ),
]
Sparsity = Annotated[
    float, typer.Option(help="S, of all weights outside the layers that are kept dense.", rich_help_panel=SPARSITY)
]
Distribution = Annotated[
    str,
    typer.Option(
        help=f"{', '.join(DISTRIBUTIONS)}; uniform keeps the first layer dense, rigl-mnist is for lenet-300-100.",
        rich_help_panel=SPARSITY,
    ),
]
Dense = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Keep a layer dense, or all that are conv, depthwise, linear; repeatable.",
        rich_help_panel=SPARSITY,
    ),
]
Epochs = Annotated[int, typer.Option(min=1, help="Rounds over the training examples.", rich_help_panel=LEARNING)]
Batch = Annotated[int, typer.Option(min=1, help="Examples in a batch.", rich_help_panel=LEARNING)]
Optimizer = Annotated[str, typer.Option(help="sgd or adam.", rich_help_panel=LEARNING)]
Rate = Annotated[float, typer.Option(help="η, the learning rate.", rich_help_panel=LEARNING)]
Drops = Annotated[
    str,
    typer.Option(
        metavar="E,E,…", help="Epochs after which η is multiplied by --lr-factor: 25,40.", rich_help_panel=LEARNING
    ),
]
Factor = Annotated[float, typer.Option(help="What η is multiplied by at --lr-drops.", rich_help_panel=LEARNING)]
Momentum = Annotated[float, typer.Option(help="Of sgd.", rich_help_panel=LEARNING)]
Nesterov = Annotated[bool, typer.Option("--nesterov", help="Nesterov's momentum, of sgd.", rich_help_panel=LEARNING)]
Decay = Annotated[
    float, typer.Option(help="λ, of weights; biases and batch norm do not decay.", rich_help_panel=LEARNING)
]
Alpha = Annotated[
    float,
    typer.Option(help=f"α, the share of connections moved at first: {users('alpha')}.", rich_help_panel=MOVING),
]
DeltaT = Annotated[
    int,
    typer.Option(min=1, help=f"ΔT, batches between updates: {users('delta_t')}.", rich_help_panel=MOVING),
]
TEnd = Annotated[
    int | None,
    typer.Option(
        min=1,
        help=f"T_end, from here on masks rest: {users('t_end')}. 75 % of the batches unless given.",
        rich_help_panel=MOVING,
    ),
]
Zeta = Annotated[
    float,
    typer.Option(help=f"ζ, the share of either sign's weights that goes: {users('zeta')}.", rich_help_panel=MOVING),
]
PruneRate = Annotated[
    float,
    typer.Option(
        help=f"p, the share of connections that goes at first: {users('prune_rate')}.", rich_help_panel=MOVING
    ),
]
Rounds = Annotated[
    int,
    typer.Option(min=1, help=f"n, rounds of training before the last: {users('rounds')}.", rich_help_panel=MOVING),
]
Penalty = Annotated[
    float,
    typer.Option(
        help=f"λ₀, the price of a weight, over the number of examples: {users('penalty')}.", rich_help_panel=MOVING
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed is the same run.", rich_help_panel=RUN)]
Storage = Annotated[
    str,
    typer.Option(
        help="masked: dense arrays with zeros; sparse: linear layers hold their connections only.", rich_help_panel=RUN
    ),
]
Device = Annotated[str, typer.Option(help="cpu or cuda.", rich_help_panel=RUN)]
Out = Annotated[Path | None, typer.Option(help="The run's folder; one in runs/ unless given.", rich_help_panel=RUN)]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the run in --out; its options are known there.", rich_help_panel=RUN),
]
Jobs = Annotated[int, typer.Option(min=1, help="Runs at a time, each on one core.", rich_help_panel=RUN)]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Hand the runs to the workers of a dask.distributed cluster, in place of --jobs: tcp://HOST:8786. Start "
        "them with dask worker ADDRESS --nthreads 1; each needs minisparse, and the data in the same place.",
        rich_help_panel=RUN,
    ),
]
