"""What studies are made of: rows and runs, running them once, and what they measure on MNIST."""

from ...runs.methods import loss_of
from .epochs import Moment, by_epoch, measured
from .measures import NAMES, Data, accuracy, begun, correct, error, errors_of, lenets, mnist, weights_of
from .planned import by_plan
from .rows import by_seed, computed, each, gap, orderings, paired, rows
from .running import finished, folder, go, naming
from .study import Finished, Ours, Row, Run, Running, Study, cause, each_seed, first_seed, grouped, kind_of, verdict
