"""How the budget is divided between layers: densities from shapes, and whole counts that add up exactly."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from .checks import real, same_keys, whole

Shapes = Mapping[str, Sequence[int]]


def uniform(shapes: Shapes, density: float, dense: Iterable[str] = ()) -> dict[str, float]:
    """The same density in every layer, except those in `dense`, which keep all weights and are outside the budget.

    shapes {name: shape}; density in (0, 1]. ValueError for a density out of range, an unknown name in
    `dense`, or every layer in `dense` while density < 1.
    """
    free = _free_layers(shapes, density, dense)
    return {name: float(density) if name in free else 1.0 for name in shapes}


def erdos_renyi(shapes: Shapes, density: float, dense: Iterable[str] = ()) -> dict[str, float]:
    """ER (Mocanu et al. 2018): density proportional to (n_in + n_out) / (n_in n_out) of the last two axes.

    The total is `density` of the layers not in `dense`. Arguments and errors as in `uniform`.
    """
    return _scaled(shapes, density, dense, lambda shape: sum(_last_two(shape)) / math.prod(_last_two(shape)))


def erdos_renyi_kernel(shapes: Shapes, density: float, dense: Iterable[str] = ()) -> dict[str, float]:
    """ERK (Evci et al. 2020, sec. 3): as ER, over all axes of a kernel: sum(shape) / prod(shape)."""
    return _scaled(shapes, density, dense, lambda shape: sum(shape) / math.prod(shape))


def from_epsilon(shapes: Shapes, eps: float, dense: Iterable[str] = ()) -> dict[str, float]:
    """SET's densities (Mocanu et al. 2018, eq. 3): min(1, ε (n_in + n_out) / (n_in n_out)); the total follows."""
    real("eps", eps, "a positive finite number", lambda eps: 0 < eps < math.inf)
    free = _free_layers(shapes, 1.0, dense)
    pairs = {name: _last_two(shape) for name, shape in shapes.items()}
    return {name: min(1.0, eps * sum(p) / math.prod(p)) if name in free else 1.0 for name, p in pairs.items()}


def apportion(total: int, shares: Mapping[str, float], room: Mapping[str, int]) -> dict[str, int]:
    """Split `total` into whole counts in proportion to `shares`, none above its `room`, adding up exactly.

    Layers whose quota reaches their room are filled first, and the remainder is divided again. Then every layer gets
    the whole part of its quota, and the units left over go to the largest fractional parts, ties to the earlier key.
    If all remaining shares are zero, they count as equal.

    ValueError if total < 0 or > sum(room), a share is negative or not finite, a room is negative, or keys differ.
    """
    same_keys(shares=shares, room=room)
    for name, share in shares.items():
        real(f"share of {name!r}", share, "a finite number from 0", lambda share: 0 <= share < math.inf)
    room = {name: whole(f"room of {name!r}", places, 0) for name, places in room.items()}
    total = whole("total", total, 0, sum(room.values()))

    counts: dict[str, int] = {}
    while open_ := {name: share for name, share in shares.items() if name not in counts}:
        left = total - sum(counts.values())
        if not any(open_.values()):
            open_ = dict.fromkeys(open_, 1.0)
        exponent = math.frexp(max(open_.values()))[1]  # scaling by a power of two is exact, and nothing overflows
        open_ = {name: math.ldexp(share, -exponent) for name, share in open_.items()}
        all_shares = math.fsum(open_.values())
        quotas = {name: left * share / all_shares for name, share in open_.items()}
        full = {name: room[name] for name, quota in quotas.items() if quota >= room[name]}
        if not full:
            return {name: (counts | _largest_remainder(left, quotas))[name] for name in shares}
        counts |= full
    return {name: counts[name] for name in shares}


def counts(shapes: Shapes, densities: Mapping[str, float]) -> dict[str, int]:
    """How many connections each layer gets: density × size as whole numbers with an exact total.

    The total is the sum of density × size rounded half to even; units are handed out by largest remainder.
    ValueError for keys that differ or a density outside [0, 1].
    """
    same_keys(shapes=shapes, densities=densities)
    for name, density in densities.items():
        real(f"density of {name!r}", density, "a number from 0 to 1", lambda density: 0 <= density <= 1)
    quotas = {name: densities[name] * math.prod(shape) for name, shape in shapes.items()}
    return _largest_remainder(round(round(math.fsum(quotas.values()), 9)), quotas)


def _largest_remainder(total: int, quotas: Mapping[str, float]) -> dict[str, int]:
    units = {name: math.floor(quota + 1e-12) for name, quota in quotas.items()}
    remainder = {name: quota - units[name] for name, quota in quotas.items()}
    for _ in range(total - sum(units.values())):
        largest = max(remainder.values())
        name = next(name for name, part in remainder.items() if part > largest - 1e-9)  # closer than that is a tie
        units[name] += 1
        del remainder[name]
    return units


def _scaled(
    shapes: Shapes, density: float, dense: Iterable[str], raw_density: Callable[[Sequence[int]], float]
) -> dict[str, float]:
    """min(1, scale × raw), with the scale that spends exactly `density` of the free layers."""
    free = _free_layers(shapes, density, dense)
    size = {name: math.prod(shapes[name]) for name in free}
    raw = {name: raw_density(shapes[name]) for name in free}
    budget, scale = density * sum(size.values()), 0.0
    while raw:
        scale = budget / math.fsum(raw[name] * size[name] for name in raw)
        highest = max(raw.values())
        if scale * highest <= 1:
            break
        for name in [name for name, value in raw.items() if value == highest]:
            budget -= size[name]
            del raw[name]
    return {name: scale * raw[name] if name in raw else 1.0 for name in shapes}


def _free_layers(shapes: Shapes, density: float, dense: Iterable[str]) -> list[str]:
    real("density", density, "a number in (0, 1]", lambda density: 0 < density <= 1)
    if isinstance(dense, str):
        raise TypeError(f"dense is the string {dense!r}; expected a collection of layer names, such as [{dense!r}]")
    dense = set(dense)
    if unknown := sorted(dense - shapes.keys()):
        raise ValueError(f"dense names unknown layers {unknown}; the layers are {list(shapes)}")
    for name, shape in shapes.items():
        if any(n < 1 for n in shape):
            raise ValueError(f"shape of {name!r} is {tuple(shape)}; expected axes of length 1 or more")
    free = [name for name in shapes if name not in dense]
    if shapes and not free and density < 1:
        raise ValueError(f"dense names every layer; expected at least one to have density {density}")
    return free


def _last_two(shape: Sequence[int]) -> Sequence[int]:
    if len(shape) < 2:
        raise ValueError(f"shape {tuple(shape)} has fewer than two axes; expected an input and an output axis")
    return shape[-2:]


def density_of(sparsity: float, of: float = 1) -> float:
    """1 − sparsity × of, in exact decimal arithmetic: density_of(0.9) is 0.1, where 1 − 0.9 is 0.09999999999999998."""
    try:
        absent = float(sparsity) * float(of)
    except (TypeError, ValueError) as error:
        raise TypeError(f"sparsity is {sparsity!r}; expected a fraction in [0, 1)") from error
    if not 0 <= absent < 1:
        hint = f". Did you mean {float(sparsity) / 100:g}?" if 1 < float(sparsity) < 100 else ""
        raise ValueError(f"sparsity is {sparsity}; expected a fraction in [0, 1){hint}")
    exact = 1 - Fraction(str(sparsity)) * Fraction(str(of))
    return float(exact)
