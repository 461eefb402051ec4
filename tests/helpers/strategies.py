"""Hypothesis strategies. Numbers are small and whole, so ties are common; distinct ones are asked for by name."""

from fractions import Fraction
from itertools import pairwise
from math import inf, prod

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

SMALL = st.sampled_from([0.0, 1.0, 2.0, 3.0, -1.0, -2.0, -3.0, -0.0])
SHAPES = hnp.array_shapes(max_dims=4, max_side=3) | st.tuples(st.integers(1, 16))
SHAPES_OR_EMPTY = SHAPES | hnp.array_shapes(max_dims=4, min_side=0, max_side=3)


def tied(shape):
    """An array of `shape` full of ties, now and then with ±inf."""
    extreme = SMALL | st.sampled_from([inf, -inf])
    return hnp.arrays(float, shape, elements=SMALL) | hnp.arrays(float, shape, elements=extreme)


@st.composite
def distinct(draw, shape):
    """An array of `shape` with every magnitude from 1 to its size once, in any order and with any sign."""
    order = draw(st.permutations(range(1, prod(shape) + 1)))
    sign = draw(hnp.arrays(float, shape, elements=st.sampled_from([1.0, -1.0])))
    return sign * np.array(order, dtype=float).reshape(shape)


@st.composite
def choices(draw):
    """A score, a legal count and candidates or None: what top_k takes."""
    score = draw(SHAPES_OR_EMPTY.flatmap(tied))
    among = draw(st.none() | hnp.arrays(bool, score.shape))
    return score, draw(st.integers(0, score.size if among is None else int(among.sum()))), among


@st.composite
def layers(draw, distinct_scores=False):
    """A weight that is zero where its mask is false, the mask, a dense gradient and a legal count to move."""
    shape = draw(SHAPES if distinct_scores else SHAPES_OR_EMPTY)
    scores = distinct if distinct_scores else tied
    mask = draw(hnp.arrays(bool, shape))
    weight = np.where(mask, draw(scores(shape)), 0.0)
    return weight, mask, draw(scores(shape)), draw(st.integers(0, int(mask.sum())))


@st.composite
def networks(draw):
    """Shapes of a few layers, a density as a fraction, and the names of layers that stay dense."""
    kinds = hnp.array_shapes(min_dims=2, max_dims=4, max_side=6)
    shapes = {f"layer{i}": shape for i, shape in enumerate(draw(st.lists(kinds, min_size=1, max_size=5)))}
    dense = draw(st.sets(st.sampled_from(list(shapes)), max_size=len(shapes) - 1))
    return shapes, draw(densities(low=Fraction(1, 64))), dense


def densities(low=Fraction(0)):
    return st.fractions(min_value=low, max_value=1, max_denominator=64)


@st.composite
def budgets(draw, shares):
    """A total that fits, the `shares` of a few layers and their room: what apportion takes."""
    pairs = draw(st.lists(st.tuples(shares, st.integers(0, 20)), min_size=1, max_size=5))
    share, room = ({f"layer{i}": pair[j] for i, pair in enumerate(pairs)} for j in (0, 1))
    return draw(st.integers(0, sum(room.values()))), share, room


@st.composite
def mask_chains(draw, max_layers=4):
    """Masks of a network, {name: bool array} from input to output: convolutions, then linear layers, mostly sparse."""
    widths = draw(st.lists(st.integers(1, 4), min_size=2, max_size=max_layers + 1))
    n_conv = draw(st.integers(0, len(widths) - 2))
    shapes = {}
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        size = draw(st.integers(1, 2))
        pixels = draw(st.integers(1, 3)) if i and i == n_conv else 1
        shapes[f"layer{i}"] = (size, size, n_in, n_out) if i < n_conv else (n_in * pixels, n_out)
    on = draw(st.sampled_from([st.booleans(), st.sampled_from([True, False, False, False])]))
    return {name: draw(hnp.arrays(bool, shape, elements=on, fill=st.nothing())) for name, shape in shapes.items()}
