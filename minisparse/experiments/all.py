"""Every study, in the order of the report; each paper's module has its own."""

from .accounting import STUDIES as ACCOUNTING
from .rigl import STUDIES as RIGL
from .rigl_budget import STUDIES as RIGL_BUDGET
from .rigl_escape import STUDIES as RIGL_ESCAPE
from .rigl_sweeps import STUDIES as RIGL_SWEEPS
from .rigl_table import STUDIES as RIGL_TABLE

STUDIES = (
    *RIGL,
    *RIGL_TABLE,
    *RIGL_BUDGET,
    *RIGL_ESCAPE,
    *RIGL_SWEEPS,
    *ACCOUNTING,
)
