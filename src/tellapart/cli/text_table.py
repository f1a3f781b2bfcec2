"""The table of an examination: a title, rows, and lines below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tellapart.workflow.examinations.examination import TextTable


def print_text_table(console: Console, content: TextTable) -> None:
    """Prints a table whose first column holds names, and the lines below it."""
    console.print(Text(content.title, style="table.title"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, head in enumerate(content.heads):
        table.add_column(head, justify="right" if place else "left")
    for row in content.rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print()
    for name, text in content.lines:
        console.print(Text(f"{name:9} {text}"), soft_wrap=True)
