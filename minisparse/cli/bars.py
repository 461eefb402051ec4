"""Progress bars; commands import this, and rich's columns, when they draw one."""

from rich.progress import Progress, ProgressColumn, TextColumn

from .tables import console


def progress(*columns: ProgressColumn | str) -> Progress:
    """Progress on the console. A text among the columns is a format of `task`; what it shows is never markup."""
    return Progress(
        *(TextColumn(column, markup=False) if isinstance(column, str) else column for column in columns),
        console=console,
    )
