"""The chart of ROC curves: how well each class is separated from the others."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tellapart import wording
from tellapart.evaluation.roc import RocCurve
from tellapart.page import svg
from tellapart.page.markup import Markup, element
from tellapart.page.svg import Scale

NUM_CURVES_NAMED = 4
# On linear axes, curves with a larger mean area cannot be distinguished from the corner.
AREA_FOR_LOGARITHMIC_AXIS = 0.99


def roc_chart(
    curves: Sequence[RocCurve | None], class_names: Sequence[str], num_images: int
) -> Markup:
    """Draw the ROC curves of all classes; the four with the smallest area have colour and name.

    Where the areas are near 1, the horizontal axis is logarithmic and the vertical axis does not
    start at 0, so that good curves can be distinguished.
    """
    drawn = [(curve, name) for curve, name in zip(curves, class_names, strict=True) if curve]
    if not drawn:
        return Markup()
    drawn.sort(key=lambda pair: pair[0].area)
    zoomed = uses_logarithmic_axis(curves)
    across = Scale(
        10.0 ** -max(1, math.ceil(math.log10(num_images))) if zoomed else 0.0,
        1.0,
        52,
        svg.WIDTH - 16,
        zoomed,
    )
    up = Scale(_lowest_rate(drawn[0][0], across) if zoomed else 0.0, 1.0, 340, 40)
    tick = svg.tick_format([100 * value for value in up.ticks()])
    traces = [
        _roc_trace(curve, name, across, up, f"rank-{rank}" if rank < NUM_CURVES_NAMED else "rest")
        for rank, (curve, name) in enumerate(drawn)
    ]
    return svg.figure(
        "roc",
        "ROC curves, one class against all others",
        f"{wording.plural(len(drawn), 'curve')}; the smallest area under a curve is "
        f"{wording.score(drawn[0][0].area)}.",
        (svg.WIDTH, 450),
        svg.axes(
            across,
            up,
            labels=("false positive rate", "true positive rate"),
            formats=(lambda value: f"{100 * value:g} %", lambda value: tick(100 * value) + " %"),
        ),
        *([] if zoomed else [svg.line(across(0), up(0), across(1), up(1), "guide")]),
        *reversed(traces),
        _roc_legend(drawn),
    )


def uses_logarithmic_axis(curves: Sequence[RocCurve | None]) -> bool:
    """Return whether the curves are so good that `roc_chart` uses a logarithmic axis."""
    areas = [curve.area for curve in curves if curve]
    return bool(areas) and sum(areas) / len(areas) > AREA_FOR_LOGARITHMIC_AXIS


def _lowest_rate(curve: RocCurve, across: Scale) -> float:
    """Return a round rate below the point where the worst curve enters the chart; at most 0.9."""
    inside = curve.false_positive_rate <= across.low
    entry = float(curve.true_positive_rate[inside].max())
    return min(math.floor(entry * 10) / 10, 0.9)


def _roc_trace(curve: RocCurve, name: str, across: Scale, up: Scale, class_: str) -> Markup:
    rates = zip(curve.false_positive_rate.tolist(), curve.true_positive_rate.tolist(), strict=True)
    points = [(across(false_rate), up(true_rate)) for false_rate, true_rate in rates]
    return svg.polyline(points, class_, f"{name}: area {wording.score(curve.area)}")


def _roc_legend(drawn: Sequence[tuple[RocCurve, str]]) -> Markup:
    """Draw the legend below the chart, where no curve can cross it, two names in a row."""
    parts = []
    for rank, (curve, name) in enumerate(drawn[:NUM_CURVES_NAMED]):
        x, y = 52.0 + 190 * (rank % 2), 402.0 + 20 * (rank // 2)
        label = f"{wording.shortened(name, 12)}  {wording.score(curve.area)}"
        parts.append(svg.polyline([(x, y - 4), (x + 24, y - 4)], f"rank-{rank}"))
        parts.append(svg.text(x + 32, y, label, class_="legend"))
    num_others = len(drawn) - NUM_CURVES_NAMED
    if num_others > 0:
        label = f"{num_others} more, each with at least as large an area"
        parts.append(svg.polyline([(52, 438), (76, 438)], "rest"))
        parts.append(svg.text(84, 442, label, class_="legend"))
    return element("g", *parts)
