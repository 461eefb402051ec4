"""Counting conventions applied to a network given as plain numbers: one dict per site."""

from collections.abc import Iterable, Mapping
from typing import Any

from .. import flops
from ..nn import Site


def flops_count(
    sites: Iterable[Mapping[str, Any]], densities: Mapping[str, float], convention: str
) -> dict[str, float]:
    """`flops.count` of sites with the fields of nn.Site: name, kind, kernel_shape, outputs, …"""
    return flops.count([Site(**site) for site in sites], densities, convention)


def flops_size(sites: Iterable[Mapping[str, Any]], densities: Mapping[str, float], convention: str) -> dict[str, float]:
    """`flops.size`, of sites as in `flops_count`."""
    return flops.size([Site(**site) for site in sites], densities, convention)
