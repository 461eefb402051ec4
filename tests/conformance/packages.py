"""The packages that are run. All install from the Python package index."""

from typing import NamedTuple

TORCH = "torch==2.13.0"


class Package(NamedTuple):
    """A package, its pinned requirements, and how its adapter is called.

    libraries: those whose versions the page names. alone: installed without its dependencies, which are pinned to
    versions that no longer install.
    """

    name: str
    adapter: str
    requires: tuple[str, ...]
    libraries: tuple[str, ...]
    called: str
    alone: bool = False
    arrays: str = "torch"
    float32: bool = False


PACKAGES = [
    Package("rigl-torch", "rigl_torch", ("rigl-torch==0.5.2",), ("torch",), "RigLScheduler", alone=True),
    Package("sparselab", "sparselab", ("sparselab==0.2.2",), ("torch",), "RigL, SET", arrays="numpy", float32=True),
    Package("sparsimony", "sparsimony", ("sparsimony==0.1.0",), ("torch",), "RigL, SET, distributions, schedulers"),
    Package("fastsparse", "fastsparse", ("fastsparse==0.0.5", "fastai==2.8.12"), ("torch", "fastai"),
            "DynamicSparseTrainingCallback, distributions"),
    Package("torch.nn.utils.prune", "torch_prune", (), ("torch",), "l1_unstructured, global_unstructured"),
    Package("torch.ao.pruning", "torch_ao", (), ("torch",), "WeightNormSparsifier, CubicSL"),
    Package("tensorflow-model-optimization", "tfmot",
            ("tensorflow-model-optimization==0.8.1", "tensorflow-cpu==2.21.0", "tf-keras==2.21.0"),
            ("tensorflow", "tf_keras"), "Pruning, PolynomialDecay", arrays="numpy", float32=True),
    Package("fasterai", "fasterai", ("fasterai==0.4.1",), ("torch", "fastai"), "Sparsifier, agp"),
    Package("lottery-ticket-pruner", "lottery_ticket_pruner",
            ("lottery-ticket-pruner==0.8.1", "tensorflow-cpu==2.21.0"), ("tensorflow",),
            "the strategy smallest_weights", arrays="numpy"),
    Package("l0-python", "l0_python", ("l0-python==0.6.2",), ("torch",), "HardConcrete"),
]  # fmt: skip
