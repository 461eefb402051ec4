"""Runs: a plan, a method, and a folder that survives interruption."""

from .folder import claim, load_state, metrics, recorded, save_state
