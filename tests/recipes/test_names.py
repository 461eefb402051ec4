"""Parameters whose names do not end in ".weight": what acts on names says so, or is told what to act on."""

import numpy as np
import pytest

from minisparse import ops, recipes, sgd, train
from minisparse.methods import l0
from minisparse.recipes import Stage

PARAMS = {"W1": np.ones((4, 4)), "b1": np.ones(4)}


def loss(p, batch, rng):
    return ops.sum(p["W1"] * p["W1"]) + ops.sum(p["b1"])


def rng():
    return np.random.default_rng(0)


def test_a_lottery_without_weights_is_refused_and_takes_other_names():
    draw = lambda **options: list(recipes.lottery(loss, PARAMS, lambda start: [0], 0.5, 2, rng(), sgd(0.1), **options))
    with pytest.raises(ValueError, match=r"no weights to prune among the parameters \['W1', 'b1'\].*include="):
        draw()
    *_, last = draw(include=lambda name: name.startswith("W"))
    assert last.masks.counts == {"W1": 4}
    assert (last.params["W1"] != 0).sum() == 4
    assert (last.params["b1"] != 0).sum() == 4
    *_, last = recipes.lottery(loss, PARAMS, lambda start: [0], 0.5, 0, rng(), sgd(0.1))  # no rounds of pruning
    assert last.round == 0


def test_three_steps_without_weights_are_refused_and_take_an_order():
    prune = lambda stages, **options: list(
        recipes.three_step(lambda rates: loss, PARAMS, lambda n: [0], stages, rng(), sgd, 0.1, **options)
    )
    with pytest.raises(ValueError, match=r"no weights to prune among the parameters \['W1', 'b1'\].*order="):
        prune([Stage({})])
    assert prune([])[-1].phase == "train"
    assert prune([Stage({"W1": 0.0})], order=["W1"])[-1].masks.counts == {"W1": 16}


def test_snip_without_weights_is_refused_and_takes_other_names():
    with pytest.raises(ValueError, match=r"include is true for no parameter; expected at least one of \['W1', 'b1'\]"):
        recipes.snip(loss, PARAMS, [0], 0.5, rng())
    assert recipes.snip(loss, PARAMS, [0], 0.5, rng(), include=lambda name: name == "W1").counts == {"W1": 8}


@pytest.mark.parametrize(
    "method",
    [
        recipes.gradual(0.5, begin=0, end=3, period=1),
        recipes.rigl(period=1, t_end=3),
        recipes.set(period=1, until=3),
        recipes.snfs(period=1, until=3),
    ],
    ids=["gradual", "rigl", "set", "snfs"],
)
def test_a_method_without_masks_says_that_it_acts_on_nothing(method):
    with pytest.warns(UserWarning, match=r"masks is empty: the method acts on none of \['W1', 'b1'\]"):
        list(train.train(loss, PARAMS, {}, [0] * 4, method, rng()))
    *_, last = train.train(loss, PARAMS, {"W1": np.eye(4) == 1}, [0] * 4, method, rng())
    assert list(last.masks) == ["W1"]


def test_weight_decay_without_weights_says_so_in_training():
    with pytest.warns(UserWarning, match=r"weight_decay is 0.1, but acts on none of \['W1', 'b1'\]"):
        list(train.train(loss, PARAMS, {}, [0], recipes.static(), rng(), sgd(0.1, weight_decay=0.1)))


def test_gates_without_a_weight_are_named():
    with pytest.raises(ValueError, match=r"params has 'fc1.log_alpha', but no 'fc1.weight' that it gates"):
        l0.penalty({"fc1.log_alpha": np.zeros((3, 1)), "fc1.W": np.ones((3, 2))}, 0.1)
