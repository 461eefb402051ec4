"""minisparse: the reference implementation of sparse neural-network training. The public names.

`plot`, `data`, `runs` and `exchange` are loaded when first used, since they import larger libraries. The training loop
is in `minisparse.train`.
"""

from importlib import import_module
from typing import Any

from . import flops, models, nn, ops, recipes, schedule, sparse
from .allocate import apportion, counts, erdos_renyi, erdos_renyi_kernel, from_epsilon, uniform
from .autograd import Tensor, backward, gradcheck, primitive, tape, value_and_grad
from .backend import namespace, to_device, to_numpy
from .flops import forward, training_cost
from .masks import Masks, project, random_masks, top_k
from .methods import l0
from .methods.magnitude import (
    global_magnitude_masks,
    magnitude_mask,
    remove_dead_units,
    retrain_dropout,
    threshold_mask,
)
from .methods.rigl import rigl_count, rigl_update
from .methods.set import set_counts, set_update
from .methods.snfs import snfs_update
from .methods.snip import sensitivity, snip_masks
from .models.shrink import architecture, compacted
from .optim import adam, frozen, sgd
from .train import Method, Step

__version__ = "0.1.0"


LAZY = {"data": ".data", "exchange": ".models.pytorch", "plot": ".plot"}


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return import_module(LAZY[name], __name__)
    raise AttributeError(f"minisparse has no {name!r}")
