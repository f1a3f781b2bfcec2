"""Learning curves: loss and accuracy by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tellapart import wording
from tellapart.page import svg
from tellapart.page.markup import Markup, element
from tellapart.page.svg import Scale

HistoryRow = Mapping[str, float | None]


def learning_curve(history: Sequence[HistoryRow], quantity: str) -> Markup:
    """Draw ``loss`` or ``accuracy`` by epoch, for training and, where measured, validation.

    The axis is logarithmic for a loss that falls by more than a factor of ten.
    """
    series = {split: _series(history, f"{split}_{quantity}") for split in ("train", "validation")}
    values = [value for points in series.values() for _, value in points if value is not None]
    if not values:
        return Markup()
    across = Scale(*_epoch_range(history), 52, svg.WIDTH - 16)
    logarithmic = quantity == "loss" and 0 < 10 * min(values) < max(values)
    ends = _logarithmic_ends(values) if logarithmic else svg.round_domain(values)
    if quantity == "accuracy":
        ends = (max(ends[0], 0.0), min(ends[1], 1.0))
    up = Scale(*ends, 236, 40, logarithmic)
    last_points = {split: points for split, points in series.items() if svg.stretches_of(points)}
    up_ticks = up.ticks()
    as_percent = quantity == "accuracy"
    return svg.figure(
        f"learning-{quantity}",
        f"{quantity.capitalize()} by epoch",
        f"{quantity.capitalize()} of {' and '.join(last_points)} after each of "
        f"{wording.plural(len(history), 'epoch')}.",
        (svg.WIDTH, 282),
        svg.axes(
            across,
            up,
            labels=("epoch", quantity),
            formats=(lambda value: f"{value:g}", _up_format(up_ticks, as_percent, logarithmic)),
            ticks=([tick for tick in across.ticks(8) if tick == int(tick)], up_ticks),
        ),
        *(_trace(split, points, across, up, quantity) for split, points in last_points.items()),
        _legend(list(last_points)),
    )


def _series(history: Sequence[HistoryRow], column: str) -> list[tuple[float, float | None]]:
    return [(_finite(row["epoch"]) or 0.0, _finite(row.get(column))) for row in history]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _epoch_range(history: Sequence[HistoryRow]) -> tuple[float, float]:
    epochs = [_finite(row["epoch"]) or 0.0 for row in history]
    low, high = min(epochs), max(epochs)
    return (low, high) if low < high else (low - 1, high + 1)


def _logarithmic_ends(values: Sequence[float]) -> tuple[float, float]:
    """Return the closest numbers of the form 1, 2 or 5 times a power of ten around the values."""
    # The smallest round number above 1 / low is 1 / (the largest round number below low).
    return 1 / svg.round_step(1 / min(values)), svg.round_step(max(values))


def _up_format(ticks: Sequence[float], as_percent: bool, logarithmic: bool) -> svg.TickFormat:
    if logarithmic:
        return lambda value: f"{value:g}"
    if not as_percent:
        return svg.tick_format(ticks)
    write = svg.tick_format([100 * tick for tick in ticks])
    return lambda value: write(100 * value) + " %"


def _trace(
    split: str, points: list[tuple[float, float | None]], across: Scale, up: Scale, quantity: str
) -> Markup:
    stretches = svg.stretches_of(points)
    lines = [
        svg.polyline([(across(x), up(y)) for x, y in stretch], split)
        for stretch in stretches
        if len(stretch) > 1
    ]
    # Many dots would hide the line: then they are invisible and only carry the hover text.
    radius, class_ = (3.0, split) if len(points) <= 40 else (4.0, "unseen")
    dots = [
        svg.dot(
            across(x), up(y), radius, f"mark {class_}", f"epoch {x:g}: {split} {quantity} {y:.4g}"
        )
        for stretch in stretches
        for x, y in stretch
    ]
    return element("g", *lines, *dots)


def _legend(splits: Sequence[str]) -> Markup:
    parts, x = [], svg.WIDTH - 16.0
    for split in reversed(splits):
        parts.append(svg.text(x, 20, split, class_="legend", anchor="end"))
        x -= 8 + 6.6 * len(split)
        parts.append(svg.polyline([(x - 20, 16), (x, 16)], split))
        x -= 38
    return element("g", *parts)
