"""Runs: what was asked for, by which method, in a folder that an interruption does not harm."""

from .folder import claim, load_state, metrics, recorded, save_state

__all__ = ["claim", "load_state", "metrics", "recorded", "save_state"]
