"""All studies, in the order of the report."""

from . import (
    accounting,
    deep_compression,
    family,
    han,
    louizos,
    louizos_cifar,
    rigl,
    set,
    snfs,
    snip,
    sparse_width,
    surgeon,
)

PAPERS = (
    rigl,
    han,
    deep_compression,
    snip,
    louizos,
    louizos_cifar,
    set,
    snfs,
    family,
    surgeon,
    sparse_width,
    accounting,
)
STUDIES = tuple(study for paper in PAPERS for study in paper.STUDIES)
