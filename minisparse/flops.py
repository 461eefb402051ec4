"""What a network costs, from shapes and counts: multiply-adds of one example, and bytes.

Papers print FLOPs = 2 × multiply-adds, and count more or less besides: `count` gives FLOPs, by a convention that it is
told; all else here is in multiply-adds. Costs are {parameter name: multiply-adds per example, forward, dense}, as
`layer.cost(shape)` gives them; biases, activations and the loss are not counted.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .backend import Array
from .checks import real, whole
from .schedule import cubic

Site = Any  # nn.Site: layers stand above this module
VALUE_BYTES = INDEX_BYTES = 4  # float32 weights, int32 indices
FLAT_BYTES = 8  # int64 positions in a whole layer
PIECES = 16  # of a truly sparse product: sparse.PIECES
MANY = 16  # one weight in so many is a connection: sparse.MANY

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

    masks_or_densities: {name: boolean mask or density}; a parameter without one counts in full.
    ValueError for a name that has no cost, or a density outside [0, 1].
    """
    if unknown := [name for name in masks_or_densities if name not in costs]:
        raise ValueError(f"masks has {unknown}, which have no cost; the costs are of {list(costs)}")
    sparse: float = 0
    for name, cost in costs.items():
        kept: Any = masks_or_densities.get(name, 1)
        if getattr(kept, "ndim", 0):
            sparse += cost * int(kept.sum()) / kept.size
        else:
            real(f"density of {name!r}", kept, "0 to 1", lambda density: 0 <= density <= 1)
            sparse += cost * float(kept)
    return sum(costs.values()), sparse


def training_cost(method: str, dense: float, sparse: float, period: int | None = None) -> float:
    """Multiply-adds per example and step of training, by the formulas of Evci et al. 2020, app. H.

    dense, sparse: as from `forward`; period: ΔT, needed by "rigl". A RigL update takes the place of an optimizer
    step, so ΔT steps and one update share ΔT + 1 batches. ValueError for an unknown method or a missing period.
    """
    if method not in TRAINING:
        raise ValueError(f"method is {method!r}; accepted are {', '.join(TRAINING)}")
    if method == "rigl":
        if period is None:
            raise ValueError("period is None; 'rigl' needs ΔT, the steps between two mask updates")
        whole("period", period, 1)
    return TRAINING[method](dense, sparse, period)


def pruning_cost(dense: float, sparse: float, begin: int, end: int, steps: int, period: int = 1000) -> float:
    """Multiply-adds per example and step of gradual pruning: E_t[3 f_D (1 − s_t)] of Evci et al. 2020, app. H.

    dense, sparse: the forward pass before and after, as from `forward`; sparsity rises on `schedule.cubic` from step
    `begin` to `end` of a run of `steps`. The mean is over steps 0, period, 2 period, … ≤ steps, 1,000 apart in the
    authors' notebook. Layers that are never pruned keep their full cost. ValueError unless begin < end.
    """
    seen = range(0, whole("steps", steps, 1) + 1, whole("period", period, 1))
    pruned = math.fsum(cubic(step, begin, end, final=1.0) for step in seen) / len(seen)
    return 3 * (dense - (dense - sparse) * pruned)


class Reading(NamedTuple):
    """How a counting convention sees one site.

    length    of a dot product, dense
    outputs   how many dot products there are for one example
    extra     FLOPs of every output besides two for each product
    biases    how many are stored with the weights
    """

    length: int
    outputs: int
    extra: int = 0
    biases: int = 0


def _clean(site: Site) -> Reading:
    """One multiplication and one addition for every weight that meets an input, a padding zero included."""
    return Reading(site.fan_in, site.outputs)


def _rigl(site: Site) -> Reading:
    """As Evci et al. 2020 counted: their rigl/sparse_utils.py, get_stats, upon micronet_challenge/counting.py."""
    *window, c_in, c_out = site.kernel_shape  # depthwise (k, k, c, 1) too: Keras's DepthwiseConv2D is a Conv2D
    pad = 0 if isinstance(site.padding, str) else site.padding  # a layer of its own in Keras: the input seen is padded
    seen = [n + 2 * pad for n in site.in_shape[: len(window)]]
    same = [n + 2 * (k // 2) - k + 1 for n, k in zip(seen, window, strict=True)]  # whatever the padding, counted "same"
    positions = math.prod(math.ceil(n / site.stride) for n in same)
    extra = -1 + 1 + 1  # n − 1 additions sum n products; a bias and a ReLU in every layer, though batch norm is there
    return Reading(math.prod(window) * c_in, positions * c_out, extra, biases=c_out)


def _rigl_reproducibility(site: Site) -> Reading:
    """As Sundar & Dwaraknath 2021 counted wide ResNets: the same file, upon PyTorch's layers."""
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

    sites: as from nn.sites(model, shape); densities {site name: share of weights kept}, a site without one is dense.
    convention "clean": 2 × multiply-adds × density. "rigl", "rigl-reproducibility": as those authors counted, to
    compare with their tables. ValueError for another convention, an unknown site or a density outside [0, 1].
    """
    return {
        site.name: reading.outputs * (2 * reading.length * density + reading.extra)
        for site, reading, density in _readings(sites, densities, convention)
    }


def size(sites: Iterable[Site], densities: Mapping[str, float], convention: str = "clean") -> dict[str, float]:
    """Bytes of the weights in float32, {site name: bytes}: those that are kept and, where some are not, a bit mask.

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
        raise ValueError(f"convention is {convention!r}; accepted are {', '.join(CONVENTIONS)}")
    if unknown := densities.keys() - (names := [site.name for site in sites]):
        raise ValueError(f"densities has {sorted(unknown)}, which are no sites; the sites are {names}")
    for name, density in densities.items():
        real(f"density of {name!r}", density, "0 to 1", lambda density: 0 <= density <= 1)
    for site in sites:
        yield site, CONVENTIONS[convention](site), float(densities.get(site.name, 1))


def storage(shape: Sequence[int], n_active: int, kind: str = "dense") -> float:
    """Bytes of one weight array in float32: all entries, or the active ones and where they are.

    kind "dense"; "bitmask" (one bit an entry, not rounded to whole bytes); "csr" (an int32 column each and one row
    pointer more than rows; axes but the last are rows). ValueError for another kind or n_active out of range.
    """
    size = math.prod(shape)
    whole("n_active", n_active, 0, size)
    kinds = {
        "dense": VALUE_BYTES * size,
        "bitmask": VALUE_BYTES * n_active + size / 8,
        "csr": (VALUE_BYTES + INDEX_BYTES) * n_active + INDEX_BYTES * (math.prod(shape[:-1]) + 1),
    }
    if kind not in kinds:
        raise ValueError(f"kind is {kind!r}; accepted are {', '.join(kinds)}")
    return kinds[kind]


def training_memory(
    shapes: Mapping[str, Sequence[int]],
    n_active: Mapping[str, int],
    method: str = "static",
    storage: str = "masked",
    *,
    batch: int = 100,
    slots: int = 1,
    alpha: float = 0.3,
    block: int = 1 << 19,
) -> dict[str, int]:
    """Bytes of float32 training, between its steps and within them, as the arrays of this package are.

    shapes    {name: shape} of all parameters
    n_active  {name: connections} of those that have a mask; the others, and all of them for "dense", are stored whole
    method    a name in TRAINING; snip as it is once its masks are there
    storage   "masked" or "sparse"
    batch     examples in one, on which the factors of a truly sparse layer's gradient depend
    slots     arrays that the optimizer keeps of each parameter: 1 of sgd, 2 of adam
    alpha     the largest share of a layer's connections that "rigl" moves
    block     entries of a gradient that are made at a time: sparse.BLOCK

    Between steps
    "weights", "slots"
    "masks"      masked: booleans, and the numbers to multiply by. Sparse: of every connection its position and column,
                 its place output by output and the row there, and, up to one in MANY, its place among the products
                 that make its gradient and the column or row there; and where rows and columns begin, for a product
                 whole and in PIECES. Units without a connection take a little less, and groups of connections of
                 unlike length more
    "memory"     the method's own. "snfs": its average, dense in either storage; truly sparse, where recipes.snfs
                 refuses it, this is what it would need. "rigl" remembers the gradients themselves, counted there

    Within a step
    "gradients"  masked: dense. Sparse: factors, batch × (n_in + n_out) numbers, and what they are at the connections
    "update"     what an update of "rigl" makes besides where gradients are factors: a block of rows of one, and the
                 score and position of each of the best entries so far

    Activations are not counted, nor what a step makes and drops again. ValueError for an unknown method, storage or
    name, connections out of range, and a truly sparse layer that is not (n_in, n_out).
    """
    if method not in TRAINING:
        raise ValueError(f"method is {method!r}; accepted are {', '.join(TRAINING)}")
    if storage not in ("masked", "sparse"):
        raise ValueError(f"storage is {storage!r}; accepted are masked, sparse")
    if unknown := [name for name in n_active if name not in shapes]:
        raise ValueError(f"n_active has {unknown}, which are no parameters; the parameters are {list(shapes)}")
    real("alpha", alpha, "shares from 0 to 1", lambda alpha: 0 <= alpha <= 1)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    kept = {name: whole(f"n_active of {name!r}", n, 0, sizes[name]) for name, n in n_active.items()}
    with_mask = {} if method == "dense" else kept
    all_of_them = sum(sizes[name] for name in with_mask)
    memory = VALUE_BYTES * all_of_them if method == "snfs" else 0
    if storage == "masked":
        stored = sum(sizes.values())
        masks, gradients, update = (1 + VALUE_BYTES) * all_of_them, stored, 0
    else:
        if odd := [name for name in with_mask if len(shapes[name]) != 2]:
            raise ValueError(f"{odd[0]!r} has shape {tuple(shapes[odd[0]])}; truly sparse are (n_in, n_out) alone")
        stored = sum(sizes.values()) - all_of_them + sum(with_mask.values())
        sides = {name: sum(shapes[name]) for name in with_mask}
        masks = sum(_layout(shapes[name], n) for name, n in with_mask.items())
        gradients = stored + whole("batch", batch, 1) * sum(sides.values())
        update = max((_rigl_update(shapes[name], n, alpha, block) for name, n in with_mask.items()), default=0)
    return {
        "weights": VALUE_BYTES * stored,
        "slots": VALUE_BYTES * whole("slots", slots, 0) * stored,
        "masks": masks,
        "memory": memory,
        "gradients": VALUE_BYTES * gradients,
        "update": update if method == "rigl" else 0,
    }


def _layout(shape: Sequence[int], n_active: int) -> int:
    """Bytes of positions.Positions and of their sparse._Layout, where all units have as many connections as others."""
    n_in, n_out = shape
    beginnings = 2 * (n_in + 1) + n_in + PIECES + 2 * (n_out + 1) + n_out + PIECES
    positions = (FLAT_BYTES + 3 * INDEX_BYTES) * n_active + INDEX_BYTES * beginnings
    if MANY * n_active > n_in * n_out:
        return positions
    groups = n_in if n_in > 4 * n_out else n_out
    return positions + (FLAT_BYTES + INDEX_BYTES) * n_active + FLAT_BYTES * groups


def _rigl_update(shape: Sequence[int], n_active: int, alpha: float, block: int) -> int:
    """Bytes of a block of a layer's gradient and of the best entries, as masks.top_k takes them."""
    n_in, n_out = shape
    rows = min(n_in, max(16, whole("block", block, 1) // max(1, n_out)))
    return VALUE_BYTES * rows * n_out + (VALUE_BYTES + FLAT_BYTES) * math.floor(alpha * n_active)
