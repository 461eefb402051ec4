"""Every study, in the order of the report; each paper's module has its own."""

from .accounting import STUDIES as ACCOUNTING
from .han import STUDIES as HAN
from .louizos import STUDIES as LOUIZOS
from .rigl.budget import STUDIES as RIGL_BUDGET
from .rigl.escape import STUDIES as RIGL_ESCAPE
from .rigl.picture import STUDIES as RIGL
from .rigl.sweeps import STUDIES as RIGL_SWEEPS
from .rigl.table import STUDIES as RIGL_TABLE
from .set import STUDIES as SET
from .snfs import STUDIES as SNFS
from .snip import STUDIES as SNIP
from .sparse_width import STUDIES as SPARSE_WIDTH

STUDIES = (
    *RIGL,
    *RIGL_TABLE,
    *RIGL_BUDGET,
    *RIGL_ESCAPE,
    *RIGL_SWEEPS,
    *HAN,
    *SNIP,
    *LOUIZOS,
    *SET,
    *SNFS,
    *SPARSE_WIDTH,
    *ACCOUNTING,
)
