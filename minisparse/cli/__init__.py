"""The command line, a file for each group of commands. `commands` lists them."""

from .commands import app, main

__all__ = ["app", "main"]
