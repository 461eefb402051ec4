"""RigL (Evci et al. 2020): its picture on MNIST, table 2, budgets, escapes from local minima, and sweeps."""

from .recipe import MODEL, PAPER, Recipe
from .studies import STUDIES

__all__ = ["MODEL", "PAPER", "STUDIES", "Recipe"]
