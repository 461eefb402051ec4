"""The bytes of the arrays that a tree of states holds on to."""

import numpy as np

from minisparse.masks import Masks
from minisparse.sparse import FactoredGradient, SparseWeight
from minisparse.sparse.positions import Positions


def arrays_in(tree, seen=()):
    """Every array that a tree holds on to, through caches and all: what views are of, by its identity."""
    if isinstance(tree, np.ndarray):
        return {id(tree): tree} if tree.base is None else arrays_in(tree.base)
    if id(tree) in seen:  # masks may refer to themselves
        return {}
    seen = (*seen, id(tree))
    if isinstance(tree, Masks | Positions | SparseWeight | FactoredGradient) or type(tree).__module__.startswith(
        ("scipy", "mini")
    ):
        tree = vars(tree)
    values = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple | list) else ()
    return {key: array for value in values for key, array in arrays_in(value, seen).items()}


def held(tree, but=None):
    taken = arrays_in(but)
    return sum(array.nbytes for key, array in arrays_in(tree).items() if key not in taken)


def missing(matrix):
    """Bytes of starts that a matrix has fewer of, or with a minus more, than one that has multiplied in one piece."""
    if "parts" in vars(matrix):
        return 4 * (1 - len(matrix.pieces))
    return 0 if "whole" in vars(matrix) else 4 * (matrix.shape[0] + 1)


def irregular(mask):
    """Bytes by which positions hold more than if their units had as many connections each."""
    if not isinstance(mask, Positions):
        return 0
    layout = mask.layout
    matrices = layout.back, layout.forward
    pieces = -sum(map(missing, matrices))
    if "products" not in vars(layout):
        return pieces
    own, units = layout.products, layout.back if layout.by_input else layout.forward
    repeated = own.size - mask.sum()
    without = units.shape[0] - sum(len(group) for group, _, _ in own.slices)
    return pieces + 4 * repeated - 8 * without
