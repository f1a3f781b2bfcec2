"""The reliability diagram: whether confidence and accuracy agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tellapart import wording
from tellapart.evaluation.metrics import ReliabilityBin, wilson_interval
from tellapart.page import svg
from tellapart.page.markup import Markup, element
from tellapart.page.svg import Scale


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> Markup:
    """Draw accuracy against confidence with 95 % intervals, and below it the images per bin."""
    across = Scale(0, 1, 52, svg.WIDTH - 16)
    up = Scale(0, 1, 266, 40)
    filled = [bin_ for bin_ in bins if bin_.count]
    most = max(bin_.count for bin_ in filled)
    counts = Scale(
        0.5,
        10.0 ** math.ceil(math.log10(most) + 1e-9) if most > 1 else 10.0,
        404,
        324,
        logarithmic=True,
    )
    return svg.figure(
        "reliability",
        "Reliability diagram",
        f"Accuracy in {len(filled)} ranges of confidence that hold images.",
        (svg.WIDTH, 450),
        *(svg.line(52, up(tick), svg.WIDTH - 16, up(tick), "grid") for tick in up.ticks()),
        *(
            svg.text(45, up(tick) + 4, f"{100 * tick:.0f} %", anchor="end", class_="tick")
            for tick in up.ticks()
        ),
        svg.text(2, 28, "accuracy", class_="axis-name"),
        svg.line(across(0), up(0), across(1), up(1), "guide"),
        *(_reliability_mark(bin_, across, up) for bin_ in filled),
        svg.axes(
            across,
            counts,
            labels=("confidence", "images"),
            formats=(lambda value: f"{100 * value:.0f} %", lambda value: f"{value:,.0f}"),
            ticks=(across.ticks(), _count_ticks(counts)),
        ),
        *(_histogram_bar(bin_, across, counts) for bin_ in filled),
    )


def _count_ticks(counts: Scale) -> list[float]:
    powers = round(math.log10(counts.high))
    stride = 1 if powers <= 3 else 2
    return [10.0**power for power in range(0, powers + 1, stride)]


def _reliability_mark(bin_: ReliabilityBin, across: Scale, up: Scale) -> Markup:
    assert bin_.accuracy is not None
    assert bin_.confidence is not None
    low, high = wilson_interval(round(bin_.accuracy * bin_.count), bin_.count)
    x = across(bin_.confidence)
    hover = (
        f"{wording.plural(bin_.count, 'image')}: confidence "
        f"{100 * bin_.confidence:.1f} %, accuracy {100 * bin_.accuracy:.1f} %"
    )
    return element(
        "g",
        svg.line(x, up(low), x, up(high), "whisker"),
        svg.dot(x, up(bin_.accuracy), 4.5, "mark hit", hover),
    )


def _histogram_bar(bin_: ReliabilityBin, across: Scale, counts: Scale) -> Markup:
    left, right = across(bin_.low) + 1, across(bin_.high) - 1
    top = counts(bin_.count)
    hover = f"{wording.plural(bin_.count, 'image')} with confidence up to {100 * bin_.high:.0f} %"
    return svg.rectangle(left, top, right - left, counts.start - top, "bar", hover)
