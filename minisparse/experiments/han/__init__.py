"""Learning both weights and connections (Han et al. 2015)."""

from .all_ import STUDIES

__all__ = ["STUDIES"]
