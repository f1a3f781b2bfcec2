"""The charts of a check: curves, differences of scores, and what random weights leave."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tellapart.explanation.checked import CheckedMethod, MapCheck
from tellapart.explanation.perturbation import NUM_STEPS, Curves
from tellapart.explanation.verdicts import EDGE_DETECTOR, RANDOM, RANDOM_WEIGHTS
from tellapart.page import svg
from tellapart.page.markup import Markup, element
from tellapart.page.svg import Scale

_NAMES = {
    RANDOM: "random maps",
    RANDOM_WEIGHTS: "random weights",
    EDGE_DETECTOR: "edge detector",
}
_STYLES = {RANDOM: "rank-2", RANDOM_WEIGHTS: "rank-3", EDGE_DETECTOR: "rank-1"}
CURVE_KEY = (
    ("rank-0", "the method"),
    ("rank-3", "the method on random weights"),
    ("rank-1", "edge detector"),
    ("rank-2", "random maps"),
)
_ROW, _GAP = 22, 16


def curve_chart(check: MapCheck, checked: CheckedMethod, which: str) -> Markup:
    """Draw the mean ``insertion`` or ``deletion`` curve of a method, and those beside it."""
    across, up = Scale(0, 1, 52, svg.WIDTH - 16), Scale(0, 1, 220, 40)
    drawn: list[tuple[str, str, Curves]] = [
        (_NAMES[name], _STYLES[name], curves) for name, curves in check.others.items()
    ]
    drawn.append((_NAMES[RANDOM_WEIGHTS], _STYLES[RANDOM_WEIGHTS], checked.random_curves))
    drawn.append((checked.method.title, "rank-0", checked.curves))
    verb = "uncovered" if which == "insertion" else "covered"
    lines = [
        svg.polyline(_points(_mean(curves, which), across, up), style, name)
        for name, style, curves in drawn
    ]
    area = float(getattr(checked.curves, f"{which}_area").mean())
    return svg.figure(
        f"{which}-{checked.method.name}",
        f"{which.capitalize()} by {checked.method.title}",
        f"The area under the curve of {checked.method.title} is {area:.3f}.",
        (svg.WIDTH, 268),
        svg.axes(
            across,
            up,
            labels=(f"cells {verb}, the strongest first", "probability of the class"),
            formats=(lambda value: f"{100 * value:.0f} %", lambda value: f"{100 * value:.0f} %"),
        ),
        *lines,
    )


def key(entries: Sequence[tuple[str, str]]) -> Markup:
    """Return the key of a chart: each entry is the style of a line and its name."""
    items = [
        element(
            "li",
            element(
                "svg",
                svg.line(0, 6, 30, 6, f"line {style}"),
                viewBox="0 0 30 12",
                width=30,
                height=12,
                aria_hidden="true",
                class_="chart key",
            ),
            name,
        )
        for style, name in entries
    ]
    return element("ul", *items, class_="keys")


def difference_chart(check: MapCheck) -> Markup:
    """Draw the score of each method minus each other's, as dots with their 95 % intervals."""
    found = [entry.score for checked in check.methods for entry in checked.against.values()]
    ends = [end for interval in found for end in (interval.low, interval.high)]
    low, high = svg.round_domain([0.0, *ends])
    across = Scale(low, high, 112, svg.WIDTH - 16)
    parts, y = [], 34.0
    for checked in check.methods:
        parts.append(svg.text(2, y, checked.method.title, class_="axis-name"))
        for name in (RANDOM, RANDOM_WEIGHTS, EDGE_DETECTOR):
            y += _ROW
            interval = checked.against[name].score
            hover = (
                f"{checked.method.title} minus {_NAMES[name]}: {interval.mean:+.3f}, 95 % interval "
                f"{interval.low:+.3f} to {interval.high:+.3f}"
            )
            style = "better" if interval.is_above_zero else "worse"
            parts += [
                svg.text(102, y + 4, _NAMES[name], anchor="end", class_="tick"),
                svg.line(across(interval.low), y, across(interval.high), y, f"whisker {style}"),
                svg.dot(across(interval.mean), y, 4.5, f"mark {style}", hover),
            ]
        y += _ROW + _GAP
    bottom = y - _ROW
    ticks = across.ticks()
    write = svg.tick_format(ticks)
    grid = [
        element(
            "g",
            svg.line(across(tick), 20, across(tick), bottom, "guide" if tick == 0 else "grid"),
            svg.text(across(tick), bottom + 17, write(tick), anchor="middle", class_="tick"),
        )
        for tick in ticks
    ]
    name = svg.text(
        across.end, bottom + 36, "score minus the other's", anchor="end", class_="axis-name"
    )
    return svg.figure(
        "score-differences",
        "Differences of scores",
        "The score of each method minus that of random maps, of its maps on random weights, and of "
        "an edge detector, with 95 % intervals.",
        (svg.WIDTH, bottom + 44),
        *grid,
        *parts,
        name,
    )


def similarity_chart(check: MapCheck) -> Markup:
    """Draw the rank correlation with the trained network's maps as layers become random."""
    lowest = min(stage.similarity.low for entry in check.methods for stage in entry.stages)
    low = -1.0 if lowest < -0.5 else -0.5 if lowest < 0 else 0.0
    across, up = Scale(0, 1, 52, svg.WIDTH - 16), Scale(low, 1, 240, 40)
    edge = [(across(0), up(1)), (across(1), up(1))]
    parts = [svg.polyline(edge, "edge-line", "edge detector: always 1")]
    for number, checked in enumerate(check.methods):
        points = [(across(0), up(1))]
        for stage in checked.stages:
            x, found = across(stage.num_layers / check.num_layers), stage.similarity
            points.append((x, up(found.mean)))
            parts.append(svg.line(x, up(found.low), x, up(found.high), f"whisker method-{number}"))
        parts.append(svg.polyline(points, f"method-{number}", checked.method.title))
    return svg.figure(
        "similarity",
        "Similarity to the trained network's maps",
        "The rank correlation falls as more layers have random weights; an edge detector's is 1.",
        (svg.WIDTH, 290),
        svg.axes(
            across,
            up,
            labels=("layers with random weights, from the input on", "rank correlation"),
            formats=(lambda value: f"{100 * value:.0f} %", lambda value: f"{value:.1f}"),
        ),
        *parts,
    )


def _mean(curves: Curves, which: str) -> Tensor:
    values: Tensor = getattr(curves, which)
    return values.mean(0)


def _points(values: Tensor, across: Scale, up: Scale) -> list[tuple[float, float]]:
    return [(across(step / NUM_STEPS), up(value)) for step, value in enumerate(values.tolist())]
