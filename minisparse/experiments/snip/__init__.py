"""SNIP (Lee et al. 2019)."""

from .rows import FIGURE_3, TABLE_1
from .runs import NETWORKS, kept, steps
from .studies import STUDIES
