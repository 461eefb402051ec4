"""What studies are made of: rows and runs, running them once, and what they measure on MNIST."""

from .epochs import Moment, by_epoch, loss_of, measured
from .measures import NAMES, Data, accuracy, correct, error, errors_of, lenets, mnist, weights_of
from .rows import computed, each, gap, orderings, rows
from .running import finished, folder, go
from .study import Finished, Row, Run, Study, cause, each_seed, first_seed, grouped, kind_of, verdict
