"""How public implementations differ, in words, by the rows that cases pin."""

from __future__ import annotations

import re
from typing import Any

PROFILES = (
    "reference rigl-tf1 rigl-torch jaxpruner rigl-reproducibility sparse-learning set-official snip-official "
    "l0-official torch-prune tfmot sparsimony sparselab granet itop"
).split()

# The rows that cases pin, the words for a user whose code does the same, and the implementations that do.
_TABLE = (
    ("R1, rigl_count", "your count is of what stays, rounded to the nearest even and one at least", "jaxpruner"),
    ("R1", "your count is rounded up", "rigl-reproducibility"),
    ("R1, rigl_count", "your count is truncated in single precision", "rigl-tf1"),
    ("R2", "your drop ranks inactive weights too", "rigl-tf1 rigl-torch"),
    ("R3, A3, A6", "among equal weights you drop the higher index", "jaxpruner"),
    ("R3", "which of equals comes first depends on noise", "rigl-tf1"),
    ("R5", "a connection that returns at once loses its value", "rigl-reproducibility"),
    ("R6", "what you grow does not start at zero", "rigl-torch jaxpruner"),
    ("R7, update", "what you drop keeps its stored value or its momentum", "rigl-tf1 jaxpruner"),
    ("R9", "your step counter stands still at an update", "rigl-tf1"),
    ("R10", "your first or last update comes at another step", "rigl-tf1 rigl-torch jaxpruner rigl-reproducibility"),
    ("R11", "your annealing is not shifted or not clamped", "rigl-tf1 sparse-learning"),
    ("R12", "you rank another gradient than this batch's", "rigl-torch"),
    ("R3", "which of equals comes first is left open", "rigl-torch"),
    ("R13", "a count of zero is no strict no-op in your code", "rigl-tf1 rigl-torch sparse-learning"),
    ("A8, Pin", "at least one connection stays in your code", "jaxpruner"),
    ("A12", "what you add to scores is lost to rounding, and kept weights with it", "jaxpruner"),
    ("A13", "your growth lands on connections that are there", "rigl-reproducibility"),
    ("A17", "Adam's moments are not masked in your code", "rigl-torch jaxpruner"),
    ("B1", "your update takes the place of the optimizer's step", "jaxpruner"),
    ("B6", "the momentum of absent weights lives on", "jaxpruner sparse-learning torch-prune"),
    ("C1", "your cosine ends at .005 and rises again", "sparse-learning"),
    ("D2, D4, D5, design.md 3", "your zeros are truncated in every layer", "rigl-tf1 rigl-torch"),
    ("D4", "you round every layer by itself", "jaxpruner"),
    ("D4, F2", "your shares are rounded up", "sparse-learning"),
    ("E6", "your ranking is one for each layer", "rigl-tf1"),
    ("E6", "your scores are divided by the norm of each layer", "jaxpruner"),
    ("G2, G5", "one connection too many goes of each sign", "set-official"),
    ("G8", "your weight decay stands beside the gradient, and biases decay too", "set-official"),
    ("G9", "your drop looks at magnitudes and not at signs", "rigl-tf1 jaxpruner rigl-reproducibility"),
    ("H6", "the penalty's sign is turned round for the bias of a filter, which training leaves out", "l0-official"),
    ("I5", "your threshold keeps everything that ties", "tfmot"),
    ("I5", "which of equal weights stays is left open", "torch-prune"),
    ("I6", "at least one connection stays in your code", "jaxpruner tfmot"),
    ("P(z = 0)", "your probability is clipped at a millionth", "l0-official"),
    ("verified", "your zeros are truncated before the scale is solved", "rigl-tf1"),
    ("rigl_count", "your count is rounded up", "rigl-reproducibility sparsimony granet itop"),
    ("rigl_update, magnitude_mask", "your threshold is strict: one connection too few stays, and ties all go",
     "granet itop"),
    ("granet_prune", "your threshold is strict: one connection too few stays, and ties all go", "granet"),
    ("rigl_update", "at least one connection goes, and all that tie at the threshold", "sparselab"),
    ("rigl_update", "the number that moves is of the rounded density and not of what is active", "sparsimony"),
    ("n_of_m_mask", "among equal scores you keep the higher input", "jaxpruner"),
    ("erdos_renyi_kernel", "your zeros are truncated before the scale is solved", "sparsimony"),
    ("Zhu-Gupta", "your pruning is a step ahead of its schedule", "jaxpruner"),
    ("C4", "your progress divides by the end, not by the time since begin", "sparsimony"),
    ("A15, R11", "your count is rounded up", "sparsimony granet"),
    ("C1", "your cosine ends at .005", "granet"),
    ("G9", "your drop looks at magnitudes and not at signs", "sparsimony sparselab"),
    ("0.1 finding 7", "your drop keeps only the most negative weights", "sparse-learning"),
    ("A3, R3", "your drop takes all that tie at the threshold", "sparselab granet itop"),
    ("A16", "your drop takes all that tie at the threshold", "granet itop"),
    ("R13", "a count of zero is no strict no-op in your code", "sparselab granet itop"),
    ("G1", "you drop more of each sign than asked", "set-official"),
    ("A4", "a value left behind at an absent position comes to life when it grows", "sparsimony jaxpruner"),
    ("R5, R6", "your momentum stays in the order of storage and not with its connection", "sparselab"),
    ("1.2 raw", "your zeros are truncated before the scale is solved", "rigl-tf1 jaxpruner"),
    ("verified", "your zeros are truncated before the scale is solved", "jaxpruner"),
)  # fmt: skip
DIVERGENCES = tuple((pin, does, profiles) for pins, does, profiles in _TABLE for pin in pins.split(", "))


def rows(case: Any) -> list[tuple[str, str, str]]:
    """The rows of DIVERGENCES that a case pins, in the order of its `pin`; last, those of its function."""
    pin = f"{case.pin}, {case.function}"
    places = [(re.search(rf"(?<!\w){re.escape(row[0])}(?!\w)", pin), row) for row in DIVERGENCES]
    return [row for _, row in sorted(((place.start(), row) for place, row in places if place), key=lambda at: at[0])]


def divergence(case: Any, profile: str) -> str | None:
    """How `profile` differs, by the first row that the case pins and that names it."""
    return next((does for _, does, profiles in rows(case) if profile in profiles.split()), None)
