"""What ``explain`` prints: a row per image, and the path of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tellapart.wording import number, percent, plural

if TYPE_CHECKING:
    from tellapart.explanation.checked import MapCheck
    from tellapart.workflow.explain import ExplanationResult


def print_explanation(result: ExplanationResult) -> None:
    """Prints a row per image; pictures that could not be explained go to standard error."""
    console = Console(highlight=False)
    if not console.is_terminal:  # a row that is piped on is never cut or folded
        console.width = 10_000
    lines = []
    if result.num_mistakes is not None:
        images = plural(result.num_images or 0, "test image")
        lines.append(("mistakes", f"{number(result.num_mistakes)} on {images}"))
    if result.explained:
        console.print(_table(result))
        console.print()
    if result.largest_gap is not None:
        gap = percent(result.largest_gap)
        lines.append(("gap", f"completeness gap of integrated gradients: at most {gap}"))
    if result.files:
        lines.append(("maps", f"{plural(len(result.files), 'file')} in {result.files[0].parent}"))
    if result.check:
        console.print(_check_table(result.check))
        console.print()
    if result.page:
        lines.append(("page", str(result.page)))
    if result.check_page:
        lines.append(("check", str(result.check_page)))
    for name, text in lines:
        console.print(Text(f"{name:9} {text}"), soft_wrap=True)
    _print_not_explained(result)


def _table(result: ExplanationResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    other = "truth" if result.num_mistakes is not None else "runner-up"
    for column in ("class", "probability", other, "probability", "kind", "image"):
        table.add_column(
            column, justify="right" if column == "probability" else "left", no_wrap=True
        )
    for entry in result.explained:
        table.add_row(
            Text(entry.answer),
            percent(entry.probability),
            Text(entry.other),
            percent(entry.other_probability),
            Text(entry.kind.name if entry.kind else ""),
            Text(entry.place),
        )
    return table


def _check_table(check: MapCheck) -> Table:
    images = plural(check.num_images, "test image")
    table = Table(
        title=f"maps checked on {images}: score, insertion minus deletion",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for column in ("method", "score", "random maps", "random weights", "edge detector", "verdict"):
        is_text = column in ("method", "verdict")
        table.add_column(column, justify="left" if is_text else "right", no_wrap=True)
    for checked in check.methods:
        score = float(checked.curves.score.mean())
        others = [f"{entry.score.mean:+.3f}" for entry in checked.differences]
        table.add_row(checked.method.name, f"{score:.3f}", *others, checked.verdict)
    for entry in check.not_checked:
        table.add_row(entry.method.name, "", "", "", "", f"not possible: {entry.reason}")
    return table


def _print_not_explained(result: ExplanationResult) -> None:
    stderr = Console(stderr=True, highlight=False)
    for entry in result.not_explained:
        prefix = "tellapart: " if entry.found else ""
        stderr.print(Text(f"{prefix}{entry.reason}"), soft_wrap=True)
    if result.not_explained:
        total = len(result.not_explained) + len(result.explained)
        stderr.print(f"{len(result.not_explained)} of {plural(total, 'picture')} not explained")
