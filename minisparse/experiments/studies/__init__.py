"""What studies are made of: rows and runs, running them once, and what they measure on MNIST."""

from .epochs import Moment, by_epoch, loss_of, measured
from .measures import Data, accuracy, error, errors_of, mnist, weights_of
from .running import finished, folder, go
from .study import (
    Finished,
    Row,
    Run,
    Study,
    cause,
    computed,
    each,
    each_seed,
    first_seed,
    gap,
    kind_of,
    orderings,
    rows,
    verdict,
)

__all__ = [
    "Data",
    "Finished",
    "Moment",
    "Row",
    "Run",
    "Study",
    "accuracy",
    "by_epoch",
    "cause",
    "computed",
    "each",
    "each_seed",
    "error",
    "errors_of",
    "finished",
    "first_seed",
    "folder",
    "gap",
    "go",
    "kind_of",
    "loss_of",
    "measured",
    "mnist",
    "orderings",
    "rows",
    "verdict",
    "weights_of",
]
