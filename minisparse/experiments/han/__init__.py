"""Learning both weights and connections (Han et al. 2015)."""

from .published import ENERGY, TABLES, watts
from .qualities import STAGES, calibrated, quality
from .studies import STUDIES
from .training import NETWORKS, three_steps
