"""What ``predict`` prints: a row per file, and what its sets and its silence are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tellapart.wording import percent, plural, score

if TYPE_CHECKING:
    from tellapart.models.spec import OutsideRule
    from tellapart.trust.certainty.abstention import Abstention
    from tellapart.workflow.predict import Prediction, Predictions

_MOST_CLASSES_NAMED = 6


def print_predictions(predictions: Predictions) -> None:
    """Prints a row per file; files that could not be read go to standard error."""
    optional = _optional_columns(predictions)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("class", "probability", "runner-up", "probability", "file", *optional):
        table.add_column(
            column, justify="right" if column == "probability" else "left", no_wrap=True
        )
    for entry in predictions:
        if entry.error is not None:
            continue
        cells = (_cell(entry, column) for column in optional)
        if entry.found:
            label = f"unsure ({entry.guess}?)" if entry.unsure else entry.label or ""
            table.add_row(
                Text(label),
                percent(entry.probability or 0.0),
                Text(entry.runner_up or ""),
                percent(entry.runner_up_probability or 0.0),
                Text(entry.path),
                *cells,
            )
        else:
            table.add_row("no drawing found", "", "", "", Text(entry.path), *cells)
    console = Console(highlight=False)
    if not console.is_terminal:  # a row that is piped on is never cut or folded
        console.width = 10_000
    if table.row_count:
        console.print(table)
    if predictions.promise:
        console.print(Text(f"sets      {predictions.promise}"), soft_wrap=True)
    if predictions.outside and any(entry.unlike_training for entry in predictions):
        _print_flags(predictions, predictions.outside, console)
    if predictions.abstention:
        _print_abstention(predictions.abstention, console)
    _print_errors(predictions)


def _optional_columns(predictions: Sequence[Prediction]) -> list[str]:
    """The columns that some of the predictions have something for."""
    return [
        *(["set"] if any(entry.classes is not None for entry in predictions) else []),
        *(["changes"] if any(entry.changes for entry in predictions) else []),
        *(["decided by"] if any(entry.threshold is not None for entry in predictions) else []),
        *(["flag"] if any(entry.unlike_training for entry in predictions) else []),
    ]


def _cell(entry: Prediction, column: str) -> Text:
    if column == "set":
        classes = entry.classes or ()
        more = len(classes) - _MOST_CLASSES_NAMED
        named = ", ".join(classes[:_MOST_CLASSES_NAMED])
        return Text(f"{named} and {more:,} more" if more > 0 else named)
    if column == "changes":
        return Text(", ".join(entry.changes))
    if column == "flag":
        return Text("unlike the training images" if entry.unlike_training else "")
    # Why another class than the most probable one is answered.
    return Text("" if entry.threshold is None else f"threshold {score(entry.threshold)}")


def _print_flags(predictions: Predictions, rule: OutsideRule, console: Console) -> None:
    from tellapart.trust.outside.rule import in_words

    count = sum(bool(entry.unlike_training) for entry in predictions)
    console.print(
        Text(
            f"flagged   {plural(count, 'image')} {in_words(rule)}; the class of such an image "
            "means little, however probable"
        ),
        soft_wrap=True,
    )


def _print_abstention(abstention: Abstention, console: Console) -> None:
    content = abstention.to_json()
    low, high = content["answered_interval"]
    lines = [
        f"answered  from a probability of {abstention.below:g} on: {percent(content['answered'])} "
        f"(95 % interval {percent(low)} to {percent(high)}) of {abstention.num_images:,} images "
        f"that were not trained on ({abstention.calibrated_on})",
    ]
    if abstention.accuracy is None:
        lines.append("accuracy  unknown: none of these images would be answered")
    else:
        low, high = content["accuracy_interval"]
        lines.append(
            f"accuracy  {percent(abstention.accuracy)} of the answers are correct there (95 % "
            f"interval {percent(low)} to {percent(high)}), "
            f"{percent(content['accuracy_of_all'])} if all were answered"
        )
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _print_errors(predictions: Sequence[Prediction]) -> None:
    errors = [entry.error for entry in predictions if entry.error is not None]
    stderr = Console(stderr=True, highlight=False)
    for error in errors:
        stderr.print(Text(f"tellapart: {error}"), soft_wrap=True)
    if errors:
        stderr.print(f"{len(errors)} of {len(predictions)} files could not be read")
