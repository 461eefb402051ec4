"""RigL (Evci et al. 2020): its picture on MNIST, table 2, budgets, escapes from local minima, and sweeps."""

from . import budget, escape, picture, sweeps, table
from .recipe import MODEL, PAPER, Recipe

STUDIES = (*picture.STUDIES, *table.STUDIES, *budget.STUDIES, *escape.STUDIES, *sweeps.STUDIES)
