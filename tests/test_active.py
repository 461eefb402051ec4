"""active: a step on the weights that exist has the numbers of a step on all of them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisparse.active import updated
from minisparse.masks import FEW, Masks, project
from minisparse.optim import Optimizer, adam, frozen, sgd

OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "sgd": lambda: sgd(0.1),
    "momentum": lambda: sgd(0.1, 0.9, weight_decay=1e-2),
    "nesterov": lambda: sgd(lambda step: 0.1 / (step + 1), 0.9, nesterov=True),
    "adam": lambda: adam(0.01, weight_decay=1e-2),
    "frozen": lambda: frozen(adam(0.01), ["b.weight"]),
}
SHAPES = {"a.weight": (40, 30), "a.bias": (30,), "b.weight": (3, 3, 4, 5), "c.weight": (30, 2), "d.weight": ()}


def slow(optimizer: Optimizer, params: dict, grads: dict, slots: dict, masks: Masks, step: int) -> tuple[dict, dict]:
    """The slow twin."""
    params, slots = optimizer.update(params, grads, slots, step)
    return project(params, masks), {n: project(s, masks) if isinstance(s, dict) else s for n, s in slots.items()}


@pytest.mark.parametrize("name", OPTIMIZERS)
@given(
    densities=st.lists(st.sampled_from([0, 0.02, FEW, 0.5, 1]), min_size=4, max_size=4),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    seed=st.integers(0, 99),
)
def test_the_numbers_are_those_of_the_whole_arrays(name: str, densities: list, dtype: type, seed: int) -> None:
    rng, optimizer = np.random.default_rng(seed), OPTIMIZERS[name]()
    of_shapes = lambda: {n: np.asarray(rng.standard_normal(shape), dtype) for n, shape in SHAPES.items()}
    weights = [n for n in SHAPES if n.endswith("weight")]
    masks = Masks(
        {n: np.asarray(rng.random(SHAPES[n]) < density) for n, density in zip(weights, densities, strict=True)}
    )
    params = project(of_shapes(), masks)
    ours = theirs = params, optimizer.init(params)
    for step in range(3):
        grads, kept = of_shapes(), {n: a.copy() for n, a in ours[0].items()}
        before = ours[0]
        ours = updated(optimizer, ours[0], grads, ours[1], masks, step)
        theirs = slow(optimizer, theirs[0], grads, theirs[1], masks, step)
        for mine, other in zip((ours[0], *ours[1].values()), (theirs[0], *theirs[1].values()), strict=True):
            if isinstance(other, dict):
                for n in other:
                    np.testing.assert_array_equal(mine[n], other[n], strict=True)
            else:
                assert mine == other
        for n in kept:
            np.testing.assert_array_equal(before[n], kept[n])


def test_an_optimizer_that_looks_at_whole_arrays_gets_them() -> None:
    """A rule may divide by the number of entries, or by the norm of the dense gradient."""
    seen = []

    def update(params: dict, grads: dict, slots: dict, step: int) -> tuple[dict, dict]:
        seen.append(grads["a.weight"].shape)
        return {n: w - grads[n] / grads[n].size for n, w in params.items()}, slots

    masks = Masks({"a.weight": np.arange(100).reshape(10, 10) == 5})
    ones = {"a.weight": np.ones((10, 10))}
    after, _ = updated(Optimizer(lambda params: {}, update), project(ones, masks), ones, {}, masks, 0)
    assert seen == [(10, 10)]
    assert after["a.weight"].sum() == 1 - 1 / 100
    updated(sgd(0.1)._replace(update=update), project(ones, masks), ones, {}, masks, 0)
    assert seen[1:] == [(1,)]  # one that says it is elementwise gets the weights that exist
