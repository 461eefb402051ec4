"""Deep Compression of a finished run: its network as shared values, retrained, and as the layers of a file."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import nn, recipes
from ..backend import Array, to_numpy
from ..compress.file import Plain, Shared
from ..data import batches
from ..optim import sgd
from ..sparse import dense
from ..train import State, Step, train
from .methods import METHODS, loss_of
from .plan import Task


class Sharing(NamedTuple):
    """A network of shared values.

    task    that of the run, with the network as it is at inference, without gates
    params  with shared values in place of the weights in `codes`, which say which weight has which
    """

    task: Task
    params: Mapping[str, Array]
    codes: Mapping[str, recipes.Code]

    @property
    def weights(self) -> dict[str, Array]:
        """The parameters of the network that the shared values stand for."""
        return recipes.shared_weights(self.params, self.codes)


def at_inference(task: Task, state: State) -> tuple[Task, dict[str, Array]]:
    """(task, params) of a run's network as it is evaluated: NumPy arrays, without gates or masks."""
    inference = METHODS[task.plan.method].inference(task, state.params)
    model, params = nn.ungated(task.model, {name: dense(a) for name, a in to_numpy(dict(inference)).items()})
    plan = task.plan._replace(method="dense", device="cpu", storage="masked")
    return task._replace(model=model, plan=plan, train_set=to_numpy(task.train_set),
                         test_set=to_numpy(task.test_set)), params  # fmt: skip


def shared(
    task: Task, params: Mapping[str, Array], bits: Mapping[str, int], centroids: str = "linear", seed: int = 0
) -> Sharing:
    """The network with shared values in every convolution and linear layer.

    bits {"conv", "depthwise", "linear": of a weight}. Weights that are zero are no connections.
    """
    kinds = {site.name: site.kind for site in nn.sites(task.model, task.shape)}
    masks = {name: params[name] != 0 for name in kinds}
    of_layers = {name: bits[kind] for name, kind in kinds.items()}
    return Sharing(task, *recipes.share(params, masks, of_layers, np.random.default_rng(seed), centroids))


def retraining(sharing: Sharing, steps: int, lr: float, momentum: float = 0.9, seed: int = 0) -> Iterator[Step]:
    """The steps in which the shared values are trained, with batches as in the run, in another order."""
    task = sharing.task
    given = batches(*task.train_set, task.plan.batch, seed, 0, steps)
    loss = recipes.shared_loss(loss_of(task.model), sharing.codes)
    rng = np.random.default_rng(seed)
    return train(loss, sharing.params, {}, given, recipes.static(), rng, sgd(lr, momentum))


def layers(sharing: Sharing, index_bits: Mapping[str, int], stats: Mapping[str, Array]) -> dict[str, Shared | Plain]:
    """What `compress.written` takes: shared layers, the other parameters, and batch norm's statistics.

    index_bits {"conv", "depthwise", "linear": of a distance}.
    """
    kinds = {site.name: site.kind for site in nn.sites(sharing.task.model, sharing.task.shape)}
    made: dict[str, Any] = {}
    for name, value in sharing.params.items():
        code = sharing.codes.get(name)
        made[name] = Shared(code.mask, value, code.index, index_bits[kinds[name]]) if code else value
    return made | dict(stats)
