"""All studies, in the order of the report."""

from . import accounting, family, han, louizos, rigl, set, snfs, snip, sparse_width, surgeon

PAPERS = (rigl, han, snip, louizos, set, snfs, family, surgeon, sparse_width, accounting)
STUDIES = tuple(study for paper in PAPERS for study in paper.STUDIES)
