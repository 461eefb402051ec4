"""The cost of a network from shapes and counts: multiply-adds of one example, and bytes.

Papers print FLOPs = 2 × multiply-adds, and their conventions differ: `count` gives FLOPs by a named convention,
everything else is in multiply-adds. Costs are {parameter name: multiply-adds per example, forward, dense}, as
`layer.cost(shape)` gives them; biases, activations and the loss are not counted.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .backend import Array
from .checks import real, whole
from .schedule import cubic

VALUE_BYTES = INDEX_BYTES = 4  # float32 weights, int32 indices

TRAINING = {  # forward is 1; backward is 2, once for the inputs and once for the weights (Evci et al. 2020, app. H)
    "dense": lambda dense, sparse, period: 3 * dense,
    "static": lambda dense, sparse, period: 3 * sparse,
    "snip": lambda dense, sparse, period: 3 * sparse,
    "set": lambda dense, sparse, period: 3 * sparse,
    "snfs": lambda dense, sparse, period: 2 * sparse + dense,
    "rigl": lambda dense, sparse, period: (3 * sparse * period + 2 * sparse + dense) / (period + 1),
}


def forward(costs: Mapping[str, float], masks_or_densities: Mapping[str, Array | float]) -> tuple[float, float]:
    """(dense, sparse) multiply-adds of one example's forward pass.

    masks_or_densities: {name: boolean mask or density}; parameters not in it count in full.
    ValueError for a name without a cost, or a density outside [0, 1].
    """
    if unknown := [name for name in masks_or_densities if name not in costs]:
        raise ValueError(f"masks has {unknown}, which have no cost; expected names in {list(costs)}")
    sparse: float = 0
    for name, cost in costs.items():
        kept: Any = masks_or_densities.get(name, 1)
        if getattr(kept, "ndim", 0):
            sparse += cost * int(kept.sum()) / kept.size
        else:
            real(f"density of {name!r}", kept, "a number from 0 to 1", lambda density: 0 <= density <= 1)
            sparse += cost * float(kept)
    return sum(costs.values()), sparse


def training_cost(method: str, dense: float, sparse: float, period: int | None = None) -> float:
    """Multiply-adds per example and step of training, by the formulas of Evci et al. 2020, app. H.

    dense, sparse: as from `forward`; period: ΔT, needed by "rigl". A RigL update replaces an optimizer step, so
    ΔT steps and one update take ΔT + 1 batches. ValueError for an unknown method or a missing period.
    """
    if method not in TRAINING:
        raise ValueError(f"method is {method!r}; expected {', '.join(TRAINING)}")
    if method == "rigl":
        if period is None:
            raise ValueError("period is None; 'rigl' needs ΔT, the steps between two mask updates")
        whole("period", period, 1)
    return TRAINING[method](dense, sparse, period)


def pruning_cost(dense: float, sparse: float, begin: int, end: int, steps: int, period: int = 1000) -> float:
    """Multiply-adds per example and step of gradual pruning: E_t[3 f_D (1 − s_t)] of Evci et al. 2020, app. H.

    dense, sparse: the forward pass before and after, as from `forward`; sparsity rises on `schedule.cubic` from step
    `begin` to `end` of a run of `steps`. The mean is over steps 0, period, 2 period, … ≤ steps, 1,000 apart in the
    authors' notebook. Unpruned layers keep their full cost. ValueError unless begin < end.
    """
    seen = range(0, whole("steps", steps, 1) + 1, whole("period", period, 1))
    pruned = math.fsum(cubic(step, begin, end, final=1.0) for step in seen) / len(seen)
    return 3 * (dense - (dense - sparse) * pruned)


class Site(NamedTuple):
    """A layer with weights, as counting conventions need it.

    name           of the weight, "conv1.weight"
    kind           "linear", "conv" or "depthwise"
    kernel_shape   of the weight, in our layout
    outputs        outputs per example, each a sum of `fan_in` products
    in_shape       of one example, without padding
    stride, padding   of a convolution; 1 and "valid" for a linear layer
    """

    name: str
    kind: str
    kernel_shape: tuple[int, ...]
    outputs: int
    in_shape: tuple[int, ...]
    stride: int = 1
    padding: str | int = "valid"

    @property
    def fan_in(self) -> int:
        return math.prod(self.kernel_shape[:2] if self.kind == "depthwise" else self.kernel_shape[:-1])

    @property
    def multiply_adds(self) -> int:
        return self.outputs * self.fan_in


class Reading(NamedTuple):
    """A site as a counting convention reads it.

    length    of a dense dot product
    outputs   dot products per example
    extra     FLOPs per output, added to two for each product
    biases    number stored with the weights
    """

    length: int
    outputs: int
    extra: int = 0
    biases: int = 0


def _clean(site: Site) -> Reading:
    """One multiplication and one addition for every weight times input, padding zeros included."""
    return Reading(site.fan_in, site.outputs)


def _rigl(site: Site) -> Reading:
    """As Evci et al. 2020 counted: rigl/sparse_utils.py, get_stats, with micronet_challenge/counting.py."""
    *window, c_in, c_out = site.kernel_shape  # depthwise (k, k, c, 1) too: Keras's DepthwiseConv2D is a Conv2D
    pad = 0 if isinstance(site.padding, str) else site.padding  # a separate layer in Keras: the input is already padded
    seen = [n + 2 * pad for n in site.in_shape[: len(window)]]
    same = [n + 2 * (k // 2) - k + 1 for n, k in zip(seen, window, strict=True)]  # any padding is counted as "same"
    positions = math.prod(math.ceil(n / site.stride) for n in same)
    extra = -1 + 1 + 1  # n − 1 additions sum n products; a bias and a ReLU in every layer, despite batch norm
    return Reading(math.prod(window) * c_in, positions * c_out, extra, biases=c_out)


def _rigl_reproducibility(site: Site) -> Reading:
    """As Sundar & Dwaraknath 2021 counted wide ResNets: the same file, applied to PyTorch's layers."""
    *window, read_out, read_in = site.kernel_shape  # PyTorch's (c_out, c_in, kh, kw) was read as (c_in, c_out, …)
    bias = int(site.kind == "linear")  # a wide ResNet's convolutions have none
    length = math.prod(window) * read_in
    return Reading(length, site.multiply_adds // length, extra=-1 + bias + 1, biases=bias * read_out)


CONVENTIONS: dict[str, Callable[[Site], Reading]] = {
    "clean": _clean,
    "rigl": _rigl,
    "rigl-reproducibility": _rigl_reproducibility,
}


def count(sites: Iterable[Site], densities: Mapping[str, float], convention: str = "clean") -> dict[str, float]:
    """FLOPs of one example's forward pass, {site name: FLOPs}.

    sites: as from nn.sites(model, shape); densities {site name: share of weights kept}, other sites are dense.
    convention "clean": 2 × multiply-adds × density. "rigl", "rigl-reproducibility": as those authors counted, to
    compare with their tables. ValueError for an unknown convention, an unknown site or a density outside [0, 1].
    """
    return {
        site.name: reading.outputs * (2 * reading.length * density + reading.extra)
        for site, reading, density in _readings(sites, densities, convention)
    }


def size(sites: Iterable[Site], densities: Mapping[str, float], convention: str = "clean") -> dict[str, float]:
    """Bytes of the weights in float32, {site name: bytes}: the weights kept and, if any are pruned, a bit mask.

    "clean": weights only; the other conventions add the biases they count. Arguments and errors as in `count`.
    """
    return {
        site.name: VALUE_BYTES * (n * density + reading.biases) + (n / 8 if density < 1 else 0)
        for site, reading, density in _readings(sites, densities, convention)
        for n in [math.prod(site.kernel_shape)]
    }


def _readings(
    sites: Iterable[Site], densities: Mapping[str, float], convention: str
) -> Iterator[tuple[Site, Reading, float]]:
    sites = list(sites)
    if convention not in CONVENTIONS:
        raise ValueError(f"convention is {convention!r}; expected {', '.join(CONVENTIONS)}")
    if unknown := densities.keys() - (names := [site.name for site in sites]):
        raise ValueError(f"densities has {sorted(unknown)}, which are not sites; expected names in {names}")
    for name, density in densities.items():
        real(f"density of {name!r}", density, "a number from 0 to 1", lambda density: 0 <= density <= 1)
    for site in sites:
        yield site, CONVENTIONS[convention](site), float(densities.get(site.name, 1))


def storage(shape: Sequence[int], n_active: int, kind: str = "dense") -> float:
    """Bytes of one weight array in float32: all entries, or the active ones and their positions.

    kind "dense"; "bitmask" (one bit per entry, not rounded to whole bytes); "csr" (an int32 column index each and
    rows + 1 pointers; all axes but the last are rows). ValueError for an unknown kind or n_active out of range.
    """
    size = math.prod(shape)
    whole("n_active", n_active, 0, size)
    kinds = {
        "dense": VALUE_BYTES * size,
        "bitmask": VALUE_BYTES * n_active + size / 8,
        "csr": (VALUE_BYTES + INDEX_BYTES) * n_active + INDEX_BYTES * (math.prod(shape[:-1]) + 1),
    }
    if kind not in kinds:
        raise ValueError(f"kind is {kind!r}; expected {', '.join(kinds)}")
    return kinds[kind]
