"""The hand-written NumPy steps compute what minisparse computes."""

import numpy as np
import pytest

from benchmarks import by_hand, sparse, sparse_by_hand, steps


@pytest.mark.parametrize("task", [steps.W1, steps.W2, steps.W3], ids=["W1", "W2", "W3"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_by_hand_are_ours(task, weight_decay):
    start, batches = steps.weights(task, np.float64), list(steps.batches(task, 16, np.float64))[:3]
    step, params = getattr(by_hand, task.by_hand)(start, batches, steps.RATE, steps.MOMENTUM, weight_decay)
    ours = steps.train(
        lambda p, batch, rng: steps.ops.softmax_cross_entropy(task.model(p, batch[0], train=True), batch[1]),
        start,
        {},
        batches,
        steps.recipes.static(),
        np.random.default_rng(0),
        steps.sgd(steps.RATE, steps.MOMENTUM, weight_decay=weight_decay),
    )
    for last in ours:
        assert step() == pytest.approx(last.loss, rel=1e-12)
    assert steps.largest_difference(params, last.params) < 1e-12
    assert steps.largest_difference(params, start) > 1e-3


@pytest.mark.parametrize("density", [0.003, 0.02])
def test_sparse_steps_by_hand_are_ours(density):
    task = sparse.evenly(sparse.W1, density)
    start, batches = sparse.weights(task, np.float64)[0], list(sparse.batches(task, 16, np.float64))
    step, params = sparse_by_hand.perceptron(start, batches, sparse.RATE, sparse.MOMENTUM)
    ours = sparse.loop(task, "sparse", size=16, dtype=np.float64)
    for _ in range(3):
        last = next(ours)
        assert step() == pytest.approx(last.loss, rel=1e-12)
    assert steps.largest_difference(params, sparse_by_hand.values(last.params)) < 1e-12
    assert steps.largest_difference(params, sparse_by_hand.values(start)) > 1e-3
