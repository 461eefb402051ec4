"""Each method with its schedule."""

import warnings

import numpy as np
import pytest
from arrays import back, give

from minisparse import recipes
from minisparse.allocate import counts
from minisparse.masks import Masks

LENET = {"fc1.weight": (784, 300), "fc2.weight": (300, 100), "fc3.weight": (100, 10)}
SMALL_LENET = {"fc1.weight": (408, 100), "fc2.weight": (100, 69), "fc3.weight": (69, 10)}


@pytest.mark.parametrize(
    ("shapes", "sparsity", "n_active"),
    [
        (LENET, 0.98, [4_704, 3_540, 1_000]),
        (LENET, 0.99, [2_352, 3_270, 1_000]),
        (LENET, 0.0, [235_200, 30_000, 1_000]),
        (SMALL_LENET, 0.96, [1_632, 938, 690]),
    ],
)
def test_mnist_densities_give_the_papers_counts(shapes, sparsity, n_active):
    densities = recipes.mnist_densities(sparsity)
    assert counts(shapes, densities) == dict(zip(shapes, n_active, strict=True))


def test_mnist_densities_are_exact_decimals():
    assert recipes.mnist_densities(0.9) == {"fc1.weight": 0.1, "fc2.weight": 0.19, "fc3.weight": 1.0}


@pytest.mark.parametrize("sparsity", [1.0, 1.5, -0.1])
def test_mnist_sparsities_outside_0_to_1_are_refused(sparsity):
    with pytest.raises(ValueError, match="sparsity"):
        recipes.mnist_densities(sparsity)


def test_rigl_warns_when_its_schedule_outlasts_the_run():
    with pytest.warns(UserWarning, match="t_end is 101, beyond the run's 100 steps"):
        recipes.rigl(period=10, t_end=101, steps=100)


@pytest.mark.parametrize("steps", [None, 100, 200])
def test_rigl_does_not_warn_otherwise(steps):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipes.rigl(period=10, t_end=100, steps=steps)


def test_rigls_defaults_are_the_papers():
    method = recipes.rigl()
    assert [step for step in range(25_201) if method.when(step)] == list(range(100, 25_000, 100))
    assert method.pauses
    assert method.fill is None


def test_rigl_moves_floor_of_the_annealed_fraction_in_each_layer(xp):
    rng = np.random.default_rng(0)
    shapes = {"a.weight": (10, 10), "b.weight": (4, 5)}
    masks = Masks(
        {"a.weight": give(xp, np.arange(100).reshape(10, 10) < 50), "b.weight": give(xp, np.ones((4, 5)) > 0)}
    )
    weights = {name: give(xp, (1 + rng.random(s)) * back(masks[name])) for name, s in shapes.items()}
    grads = {name: give(xp, np.where(back(masks[name]), 0.0, 1.0)) for name in shapes}
    method = recipes.rigl(alpha=0.3, period=10, t_end=100)
    for step, moved in [(10, 14), (50, 7), (90, 0), (99, 0)]:
        decided = method.decide(weights, masks, method.observe(None, grads, rng), step)
        assert Masks(decided).counts == {"a.weight": 50, "b.weight": 20}
        assert int((back(decided["a.weight"]) & ~back(masks["a.weight"])).sum()) == moved
        assert back(decided["b.weight"]).all()


def test_rigl_watches_the_latest_gradients_only(xp):
    old, new = ({"a": give(xp, np.full(3, value))} for value in (1.0, 2.0))
    observe = recipes.rigl().observe
    assert observe(observe(None, old, None), new, None)["a"].tolist() == [2, 2, 2]


def test_static_never_decides():
    method = recipes.static()
    assert not any(method.when(step) for step in range(1000))
