"""The command line: a file per group of commands, listed in `commands`."""

from .commands import app, main
