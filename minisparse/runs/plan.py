"""What `minisparse train` is asked for: a Plan, whose fields are its options, and the Task it describes."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Annotated, Any, NamedTuple

from .. import flops, nn
from ..backend import Array
from ..data import READERS, Dataset
from .names import DISTRIBUTIONS, NETWORKS

WHAT, SPARSITY, LEARNING, SOME, RUN = "What to train", "Sparsity", "Learning", "For some methods", "The run"


class Option(NamedTuple):
    """How the command line shows a field of Plan.

    help      {methods} stands for all methods, each with what it is about; {users} for those that use the option
    panel     the group it is shown in
    minimum   of a whole number
    metavar   what stands for its value, where the type does not say enough
    """

    help: str
    panel: str
    minimum: int | None = None
    metavar: str | None = None


class Plan(NamedTuple):
    """All options of a run, without "--" and with "_" for "-". A new field is a new option of `train` and `compare`.

    On the command line a tuple of strings is an option that may be repeated, a tuple of numbers "25,40", a bool a flag.
    """

    method: Annotated[str, Option("{methods}.", WHAT)] = "rigl"
    model: Annotated[
        str, Option(f"{', '.join(NETWORKS)}, wrn-D-K such as wrn-22-2, or mlp-A-B-… with hidden widths A, B, ….", WHAT)
    ] = "lenet-300-100"
    data: Annotated[str, Option(f"{', '.join(READERS)}, or a file: .npz with x and y, or .csv.", WHAT)] = "digits"
    label: Annotated[str | None, Option("Label column of a .csv file. Default: label, else the first.", WHAT)] = None
    standardize: Annotated[
        bool,
        Option("Scale every input to mean 0 and variance 1 on the training set. Otherwise bytes are scaled to 0 to 1, "
               "and other numbers stay as they are.", WHAT),
    ] = False  # fmt: skip
    augment: Annotated[
        bool,
        Option("For images of bytes: random crops, 4 pixels to each side, and mirror images; every channel is scaled "
               "to mean 0 and variance 1 on the training set, as cifar10's always are.", WHAT),
    ] = False  # fmt: skip
    sparsity: Annotated[float, Option("S, fraction of weights removed, outside layers kept dense.", SPARSITY)] = 0.9
    distribution: Annotated[
        str,
        Option(f"{', '.join(DISTRIBUTIONS)}; uniform keeps the first layer dense, rigl-mnist is for lenet-300-100.",
               SPARSITY),
    ] = "erk"  # fmt: skip
    dense: Annotated[
        tuple[str, ...],
        Option("Keep a layer dense, or all conv, depthwise or linear layers; repeatable.", SPARSITY, metavar="NAME"),
    ] = ()
    epochs: Annotated[int, Option("Passes over the training set.", LEARNING, 1)] = 50
    batch: Annotated[int, Option("Examples per batch.", LEARNING, 1)] = 100
    optimizer: Annotated[str, Option("sgd or adam.", LEARNING)] = "sgd"
    lr: Annotated[float, Option("η, learning rate.", LEARNING)] = 0.1
    lr_drops: Annotated[
        tuple[float, ...],
        Option("Epochs after which η is multiplied by --lr-factor, such as 25,40.", LEARNING, metavar="E,E,…"),
    ] = ()
    lr_factor: Annotated[float, Option("Factor of η at --lr-drops.", LEARNING)] = 0.1
    momentum: Annotated[float, Option("Momentum of sgd.", LEARNING)] = 0.9
    nesterov: Annotated[bool, Option("Nesterov momentum, for sgd.", LEARNING)] = False
    weight_decay: Annotated[float, Option("λ, weight decay; biases and batch norm have none.", LEARNING)] = 1e-4
    alpha: Annotated[float, Option("α, fraction of connections moved at first: {users}.", SOME)] = 0.3
    delta_t: Annotated[
        int | None,
        Option("ΔT, batches between updates: {users}. Default: 100, or a tenth of T_end where that is less.", SOME, 1),
    ] = None
    t_end: Annotated[
        int | None, Option("T_end, after which masks no longer change: {users}. Default: 75 % of the run.", SOME, 1)
    ] = None
    zeta: Annotated[float, Option("ζ, fraction of positive and of negative weights dropped: {users}.", SOME)] = 0.3
    prune_rate: Annotated[float, Option("p, fraction of connections dropped at first: {users}.", SOME)] = 0.5
    rounds: Annotated[int, Option("n, rounds of training before the last: {users}.", SOME, 1)] = 3
    penalty: Annotated[float, Option("λ₀, penalty per weight, divided by the number of examples: {users}.", SOME)] = 0.1
    seed: Annotated[int, Option("Runs with the same seed are identical.", RUN, 0)] = 0
    storage: Annotated[str, Option("masked: dense arrays; sparse: linear layers store connections only.", RUN)] = (
        "masked"
    )
    device: Annotated[str, Option("cpu or cuda.", RUN)] = "cpu"


class Task(NamedTuple):
    """What a Plan describes, in memory.

    plan        with None for the options that its method does not use
    data        {"name", "train", "test", "sha256"}: which data, how many examples, and a hash of all of it
    shape       of an example as the model takes it; image: as it is in the data
    train_set, test_set   float32 inputs, or photographs that become so as they are read, and integer labels, on the
                plan's device
    densities   {name: density} of the weights in the budget
    whole       {name: multiply-adds per example} of the named network, of which small-dense trains a narrower version
    weights     of the named network
    per_epoch, steps      batches
    convention  of `flops.count`, in which `forward` counts
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
    convention: str = "clean"

    @property
    def config(self) -> dict[str, Any]:
        """All that determines the run, ready for JSON."""
        asked = {name: value for name, value in self.plan._asdict().items() if value is not None}
        return {"minisparse": version("minisparse"), **asked, "data": self.data}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """{name: shape} of the weights in the budget."""
        shapes = self.model.shapes()
        return {name: shapes[name] for name in self.densities}

    @property
    def costs(self) -> dict[str, int]:
        """{site name: multiply-adds} of one example's forward pass, dense."""
        return {site.name: site.multiply_adds for site in nn.sites(self.model, self.shape)}

    def forward(self, densities: Mapping[str, float]) -> int:
        """One example's forward pass, other layers dense: multiply-adds, or FLOPs by any other convention.

        Whole numbers, layer by layer.
        """
        found = flops.count(nn.sites(self.model, self.shape), densities, self.convention)
        return sum(round(count / (2 if self.convention == "clean" else 1)) for count in found.values())


Arrays = Mapping[str, Array]
Build = Callable[[float | None], nn.Chain]
