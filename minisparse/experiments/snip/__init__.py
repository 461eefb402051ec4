"""SNIP (Lee et al. 2019)."""

from .rows import FIGURE_3, TABLE_1
from .runs import NETWORKS, kept, steps
from .studies import STUDIES

__all__ = ["FIGURE_3", "NETWORKS", "STUDIES", "TABLE_1", "kept", "steps"]
