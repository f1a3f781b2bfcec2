"""The table of ``tellapart finetune --sources``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tellapart.finetuning.sources import SourceFacts

COLUMNS = (
    "source",
    "trained on",
    "parameters",
    "to fetch",
    "multiply-adds",
    "licence",
    "needs",
)
_NUMBERS = ("parameters", "to fetch", "multiply-adds")
NOTES = (
    "multiply-adds: for one image of the size that the network was trained on, here at its side; "
    "half the side takes a quarter.",
    "ImageNet-1k: 1.3 million photographs of 1,000 kinds of things. LVD-142M: 142 million images "
    "from the web.",
    "licence: of the weights. (1) ImageNet's terms give its images for non-commercial research and "
    "education only.",
    'needs: an extra, pip install "tellapart[EXTRA]", and a connection to download the weights '
    "once.",
)


def cells(facts: SourceFacts) -> tuple[str, ...]:
    """The row of one source, a text per column of `COLUMNS`."""
    licence = facts.licence or "that of your images"
    needs = [facts.extra or "nothing", *(["connection"] if facts.needs_network else [])]
    return (
        facts.source,
        facts.trained_on,
        f"{facts.num_parameters / 1e6:.1f} M" if facts.num_parameters else "as the run",
        f"{facts.megabytes} MB" if facts.megabytes else "nothing",
        f"{facts.multiply_adds / 1e6:,.0f} M at {facts.side}" if facts.multiply_adds else "-",
        f"{licence} (1)" if facts.is_of_imagenet else licence,
        ", ".join(needs),
    )


def print_sources(sources: Sequence[SourceFacts]) -> None:
    """Prints a row per source, then what each is relevant for; piped rows are never folded."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 10_000
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in _NUMBERS else "left", no_wrap=True)
    for facts in sources:
        table.add_row(*map(Text, cells(facts)))
    console.print(table)
    relevance = [f"{facts.source}: {facts.relevance}" for facts in sources]
    lines = ["", "Relevant for", *relevance, "", *NOTES]
    console.print(Text("\n".join(lines)), soft_wrap=True)
