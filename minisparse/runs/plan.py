"""What `minisparse train` is asked for: a Plan, and the Task that it names."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from .. import nn
from ..backend import Array
from ..data import Dataset


class Plan(NamedTuple):
    """The options of a run as the command line has them, without "--" and with "_" for "-".

    data: a name that data.load knows, or a file that data.from_file reads. t_end: three quarters of the steps unless
    given. lr_drops: epochs after each of which the learning rate is multiplied by lr_factor.
    """

    method: str = "rigl"
    model: str = "lenet-300-100"
    data: str = "digits"
    label: str | None = None
    standardize: bool = False
    sparsity: float = 0.9
    distribution: str = "erk"
    dense: tuple[str, ...] = ()
    epochs: int = 50
    batch: int = 100
    optimizer: str = "sgd"
    lr: float = 0.1
    lr_drops: tuple[float, ...] = ()
    lr_factor: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    alpha: float = 0.3
    delta_t: int = 100
    t_end: int | None = None
    zeta: float = 0.3
    prune_rate: float = 0.5
    rounds: int = 3
    penalty: float = 0.1
    seed: int = 0
    storage: str = "masked"
    device: str = "cpu"


class Task(NamedTuple):
    """What a Plan names, in memory.

    plan        with None for the options that its method has no use for
    data        {"name", "train", "test", "sha256"}: which data, how many examples, and the hash of all of it
    shape       of one example as the model takes it; image: as it is in the data
    train_set, test_set   float32 inputs and integer labels, on the plan's device
    densities   {name: density} of the weights in the budget
    whole       {name: multiply-adds of an example} of the network that was named, of which small-dense is a part
    weights     how many it has
    per_epoch, steps      batches
    """

    plan: Plan
    data: dict[str, Any]
    model: nn.Chain
    shape: nn.Shape
    image: nn.Shape
    train_set: Dataset
    test_set: Dataset
    densities: dict[str, float]
    whole: dict[str, int]
    weights: int
    per_epoch: int
    steps: int

    @property
    def config(self) -> dict[str, Any]:
        """All that decides the run, as JSON has it."""
        asked = {name: value for name, value in self.plan._asdict().items() if value is not None}
        return {"minisparse": version("minisparse"), **asked, "data": self.data}

    @property
    def costs(self) -> dict[str, int]:
        """Multiply-adds of one example forward, {site name: dense}."""
        return {site.name: site.multiply_adds for site in nn.sites(self.model, self.shape)}


Arrays = Mapping[str, Array]
Build = Callable[[float | None], nn.Chain]
