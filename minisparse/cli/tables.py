"""The console that every command writes to, and its tables of numbers."""

from rich import box
from rich.console import Console
from rich.table import Column, Table

console = Console()


def plain_table(first: str, *others: str, gap: int = 2) -> Table:
    """A table of numbers without a frame; where it is too wide, names in its first column are cut."""
    columns = (Column(title, justify="right", no_wrap=True) for title in others)
    return Table(
        Column(first, overflow="ellipsis"),
        *columns,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
    )


def short(number: float) -> str:
    """Three digits: 2,359,296 is 2.36M."""
    for letter, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:#.3g}".rstrip(".") + letter
    return f"{number:.0f}"
