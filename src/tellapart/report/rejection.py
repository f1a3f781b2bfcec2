"""The chart of the reject option: accuracy by the fraction of images that is answered."""

from __future__ import annotations

from tellapart import wording
from tellapart.evaluation.rejection import RejectionCurve
from tellapart.page import svg
from tellapart.page.markup import Markup
from tellapart.page.svg import Scale

_NUM_DOTS = 20
# Accuracies on a handful of the most confident images are left out of the choice of the axis.
_FEWEST_ANSWERED = 0.05


def rejection_chart(curve: RejectionCurve) -> Markup:
    """Draw accuracy against the fraction of images that is answered, the most confident first."""
    answered, accuracy = curve.answered.tolist(), curve.accuracy.tolist()
    seen = [
        value for part, value in zip(answered, accuracy, strict=True) if part >= _FEWEST_ANSWERED
    ]
    low, _ = svg.round_domain([min(seen), 1.0])
    across = Scale(0, 1, 52, svg.WIDTH - 16)
    up = Scale(max(low, 0.0), 1.0, 340, 40)
    tick = svg.tick_format([100 * value for value in up.ticks()])
    points = [(across(part), up(value)) for part, value in zip(answered, accuracy, strict=True)]
    return svg.figure(
        "rejection",
        "Accuracy by the fraction answered",
        f"All images answered, {wording.percent(accuracy[-1])} are correct.",
        (svg.WIDTH, 450),
        svg.axes(
            across,
            up,
            labels=("images answered", "accuracy of the answers"),
            formats=(lambda value: f"{100 * value:.0f} %", lambda value: tick(100 * value) + " %"),
        ),
        svg.polyline(points, "rank-0", "accuracy of the answers"),
        *_dots(curve, across, up),
    )


def _dots(curve: RejectionCurve, across: Scale, up: Scale) -> list[Markup]:
    """Invisible dots that show the figures when the pointer rests on them."""
    stride = max(1, len(curve.answered) // _NUM_DOTS)
    rows = zip(
        curve.answered.tolist()[::-stride],
        curve.accuracy.tolist()[::-stride],
        curve.confidence.tolist()[::-stride],
        strict=True,
    )
    return [
        svg.dot(
            across(part),
            up(accuracy),
            6,
            "mark unseen",
            f"{wording.percent(part, 1)} answered, from a confidence of {confidence:.3f} on: "
            f"{wording.percent(accuracy)} correct",
        )
        for part, accuracy, confidence in rows
    ]
