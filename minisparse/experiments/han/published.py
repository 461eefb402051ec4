"""What Han et al. 2015 printed."""

from typing import NamedTuple

PAPER = "Han et al. 2015"


class Published(NamedTuple):
    """A network in table 1, and tables 2 and 3: (activations not zero, weights left, FLOPs left) in %, by layer."""

    reference: float  # error, %
    pruned: float
    weights: int  # left
    layers: dict[str, tuple[float, float, float]]
    total: tuple[float, float, float]


TABLES = {
    "lenet-300-100": Published(
        1.64, 1.59, 22_000, {"fc1": (38, 8, 8), "fc2": (65, 9, 4), "fc3": (100, 26, 17)}, (46, 8, 8)
    ),
    "lenet-5": Published(
        0.80, 0.77, 36_000,
        {"conv1": (82, 66, 66), "conv2": (72, 12, 10), "fc1": (55, 8, 6), "fc2": (100, 19, 10)}, (77, 8, 16),
    ),
}  # fmt: skip
ENERGY = {  # figure 1: 45 nm CMOS, picojoules of an operation on 32 bits
    "int ADD": 0.1, "float ADD": 0.9, "register file": 1.0, "int MULT": 3.1, "float MULT": 3.7, "SRAM cache": 5.0,
    "DRAM memory": 640.0,
}  # fmt: skip


def watts(connections: float, hertz: float, picojoules: float = ENERGY["DRAM memory"]) -> float:
    """The power of fetching every connection of a network `hertz` times per second."""
    return connections * hertz * picojoules * 1e-12
