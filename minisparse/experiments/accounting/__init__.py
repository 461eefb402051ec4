"""The analytic tables: costs that papers print, from shapes and densities alone, without training."""

from .studies import STUDIES
