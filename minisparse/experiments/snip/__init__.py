"""SNIP (Lee et al. 2019)."""

from .all_ import STUDIES

__all__ = ["STUDIES"]
