"""Tables of results in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tasks.classifier_networks import PrintedTable

_WIDTH_OF_FILES = 120


def open_console() -> Console:
    """Where tables are printed; a pipe or file gets lines of up to 120 characters."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH_OF_FILES)


def print_table(table: PrintedTable) -> None:
    """Print a table."""
    console = open_console()
    drawn = Table(*table.headings, title=Text(table.title), title_justify="left")
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console.print(drawn)
    console.print(Text(table.note))
