"""Train, prune below a threshold, retrain (Han et al. 2015, sec. 3): the three steps on MNIST.

As in the paper's LeNets, thresholds are a quality times the standard deviation of a layer's weights; retraining is at a
tenth of the learning rate; convolutions are frozen while linear layers are pruned, and the other way round; several
rounds prune further than one.

Not in the paper:
- momentum 0.9, L2 5e-4 and batches of 64 are those of Caffe's LeNet [unverified]; no dropout
- the learning rate (of 0.1, 0.03 and 0.01) and the strength of L1 (of 1e-5, 3e-5 and 1e-4) of LeNet-300-100 had the
  lowest error on 5,000 validation images after training on the other 55,000; LeNet-5 takes over the learning rate
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ... import nn, ops, recipes
from ...backend import Array
from ...data import Dataset, batches
from ...optim import Optimizer, is_weight, sgd
from ...schedule import step_rate
from ..studies import lenets, loss_of

NETWORKS = lenets()
CONVOLUTIONS = ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"]
LINEAR = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


def three_steps(
    model: nn.Chain, params: Mapping[str, Array], examples: Dataset, rng: np.random.Generator, seed: int, *,
    stages: Sequence[Mapping[str, Any]], epochs: int, retrain_epochs: int, batch: int, rate: float, drop: int,
    weight_decay: float = 0.0, l1: float = 0.0,
) -> Iterator[tuple[float, recipes.Progress | None]]:  # fmt: skip
    """(fraction done, Progress) at every batch; Progress only after pruning and after an epoch.

    epochs trains, and each of `stages` {"qualities", "frozen"} is followed by retrain_epochs at a tenth of the rate; no
    epochs leave `params` as they are. drop: epochs of a round after which the rate is a tenth. l1, weight_decay: the
    strength of L1 and of L2 on the weights.
    """
    inputs, labels = examples
    per_epoch = len(labels) // batch
    ends = [0, *accumulate([epochs, *[retrain_epochs] * len(stages)])]
    loss = loss_of(model)
    seen = 0
    for progress in recipes.three_step(
        lambda rates: with_l1(loss, l1) if l1 else loss,
        params,
        lambda number: batches(inputs, labels, batch, seed, ends[number] * per_epoch, ends[number + 1] * per_epoch),
        [recipes.Stage(**stage) for stage in stages],
        rng,
        lambda lr: descent(lr, drop * per_epoch, weight_decay),
        rate,
    ):
        seen += progress.step is not None
        done = seen / max(1, ends[-1] * per_epoch)
        yield done, progress if progress.step is None or seen % per_epoch == 0 else None


def with_l1(loss: Callable, strength: float) -> Callable:
    """`loss`, as `train` takes it, plus `strength` times the sum of all |weights|."""

    def regularised(params: dict, batch: Dataset, rng: np.random.Generator) -> Any:
        total = loss(params, batch, rng)
        for name in filter(is_weight, params):
            total = total + strength * ops.sum(ops.abs(params[name]))
        return total

    return regularised


def descent(rate: float, period: int, weight_decay: float) -> Optimizer:
    """SGD with momentum 0.9, at a tenth of the rate after `period` batches."""
    return sgd(step_rate(rate, period, 0.1), momentum=0.9, weight_decay=weight_decay)
