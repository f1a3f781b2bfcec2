"""The table of a decision threshold: the figures without it and with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tellapart.wording import percent, plural, score

if TYPE_CHECKING:
    from tellapart.evaluation import Evaluation
    from tellapart.evaluation.threshold import ChosenThreshold

# False alarms: images of other classes that are answered as the class of the threshold.
_LABELS = (
    "recall",
    "precision",
    "false alarms",
    "false alarm rate",
    "accuracy",
    "balanced accuracy",
)


def threshold_table(before: Evaluation, after: Evaluation) -> Table:
    """A row per figure: if the most probable class were answered, and with the threshold."""
    [(name, probability)] = after.thresholds.items()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(Text(name))
    for head in ("most probable class", f"threshold {score(probability)}"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in zip(_LABELS, _figures(before, name), _figures(after, name), strict=True):
        table.add_row(*row)
    return table


def print_threshold(
    console: Console, before: Evaluation, after: Evaluation, chosen: ChosenThreshold | None
) -> None:
    """Prints the table, and where the threshold comes from if it was chosen just now."""
    console.print(threshold_table(before, after))
    console.print("in brackets: the 95 % interval; false alarms: other classes answered so")
    if not chosen:
        return
    low, high = (percent(end, 1) for end in chosen.recall_interval)
    lines = (
        f"\nthreshold {score(chosen.probability)} for {chosen.class_name!r}, stored in the run's "
        "classifier; --recall none removes it",
        f"chosen on {plural(chosen.num_images, 'validation image')} of the class, of which it "
        f"finds {percent(chosen.recall, 1)} (95 % interval {low} to {high})",
    )
    console.print(Text("\n".join(lines)), soft_wrap=True)


def _figures(evaluation: Evaluation, name: str) -> tuple[str, ...]:
    label = evaluation.class_names.index(name)
    matrix = evaluation.confusion_matrix
    support, hits = sum(matrix[label]), matrix[label][label]
    predicted = sum(row[label] for row in matrix)
    alarms, others = predicted - hits, evaluation.num_images - support
    return (
        _fraction(hits, support),
        _fraction(hits, predicted),
        f"{alarms:,} of {others:,}",
        _fraction(alarms, others),
        _with_interval(evaluation.accuracy, evaluation.accuracy_interval),
        _with_interval(evaluation.balanced_accuracy, evaluation.balanced_accuracy_interval),
    )


def _fraction(count: int, total: int) -> str:
    from tellapart.evaluation.metrics import wilson_interval

    return _with_interval(count / total, wilson_interval(count, total)) if total else "-"


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{percent(value, 1)} ({100 * low:.1f} to {percent(high, 1)})"
