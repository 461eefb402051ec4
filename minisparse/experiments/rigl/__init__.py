"""RigL (Evci et al. 2020): its picture on MNIST, table 2, budgets, escapes, sweeps, and CIFAR-10."""

from . import budget, escape, photographs, picture, sweeps, table
from .recipe import MODEL, PAPER, Recipe

STUDIES = (*picture.STUDIES, *table.STUDIES, *budget.STUDIES, *escape.STUDIES, *sweeps.STUDIES, *photographs.STUDIES)
