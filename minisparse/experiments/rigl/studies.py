"""All studies of Evci et al. 2020, in the order of the report."""

from . import budget, escape, picture, sweeps, table

STUDIES = (*picture.STUDIES, *table.STUDIES, *budget.STUDIES, *escape.STUDIES, *sweeps.STUDIES)
