"""The reliability diagram: whether confidence and accuracy agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tellapart import wording
from tellapart.evaluation import Evaluation
from tellapart.evaluation.metrics import ReliabilityBin, wilson_interval
from tellapart.page import svg
from tellapart.page.markup import Markup, element
from tellapart.page.svg import Scale
from tellapart.report.parts import data_table


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> Markup:
    """Draw accuracy against confidence with 95 % intervals, and below it the images per bin.

    Behind each dot lies the band in which the accuracy of a perfectly calibrated classifier would
    lie with 95 % chance, on as many images.
    """
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
        *(_band(bin_, across, up) for bin_ in filled),
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


def calibration_table(evaluation: Evaluation) -> Markup:
    """Return calibration error and loss, before and after, beside what chance alone gives."""
    low, high = evaluation.expected_calibration_error_band
    before, before_loss = evaluation.uncalibrated_calibration_error, evaluation.uncalibrated_loss
    name = "Not calibrated" if before is None else "Calibrated"
    error = evaluation.expected_calibration_error
    rows = [
        *([("Before", _percent(before), f"{before_loss:.4g}")] if before is not None else []),
        (name, _percent(error), f"{evaluation.loss:.4g}"),
        ("Perfectly calibrated", f"{_percent(low)} to {_percent(high)}", "-"),
    ]
    return data_table("Calibration", ("", "calibration error", "loss"), rows)


def calibration_note(evaluation: Evaluation) -> str:
    """Return in words what calibrates the probabilities, and how to read the table."""
    chance = (
        "Even a perfectly calibrated classifier shows an error on so many images: the last row "
        "is what it would show on as many, 95 times of 100."
    )
    if evaluation.temperature is None:
        return (
            f"These probabilities are not calibrated: no temperature divides the logits. {chance}"
        )
    return (
        f"The logits are divided by a temperature of {evaluation.temperature:.3g}, fitted to "
        f"images that were not trained on; no answer changes by it. {chance}"
    )


def _percent(fraction: float) -> str:
    return wording.unbroken(wording.percent(fraction))


def _count_ticks(counts: Scale) -> list[float]:
    powers = round(math.log10(counts.high))
    stride = 1 if powers <= 3 else 2
    return [10.0**power for power in range(0, powers + 1, stride)]


def _band(bin_: ReliabilityBin, across: Scale, up: Scale) -> Markup:
    """The accuracies of a perfectly calibrated classifier, over the width of the bin."""
    low, high = bin_.calibrated_low, bin_.calibrated_high
    if low is None or high is None:
        return Markup()
    left, right = across(bin_.low) + 1, across(bin_.high) - 1
    # At least as thick as a line, where all images are certain.
    top, bottom = up(high) - 1, up(low) + 1
    hover = f"perfectly calibrated: accuracy {100 * low:.1f} to {100 * high:.1f} %"
    return svg.rectangle(left, top, right - left, bottom - top, "band", hover)


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
