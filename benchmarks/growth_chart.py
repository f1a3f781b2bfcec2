"""The two charts of ``docs/speed.md`` in one SVG, readable in light and in dark.

An image in a Markdown page gets none of the page's style, so it has its own, with its own
background: the page may be light where the reader's system is dark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.page import svg
from tellapart.page.document import packaged_text
from tellapart.page.markup import Markup, element
from tellapart.page.svg import Scale

HEIGHT = 282
GAP = 24
# The charts' classes are those of the report's page.
STYLE = """
svg { font-family: system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
text { fill: var(--ink); font-size: 12px; }
.tick, .axis-name { fill: var(--quiet); }
.axis-name { font-weight: 600; }
.background { fill: var(--card); stroke: var(--edge); }
.grid { stroke: var(--grid); }
.axis { stroke: var(--axis); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.first { stroke: var(--blue); }
.line.second { stroke: var(--orange); stroke-dasharray: 6 4.5; }
.mark { stroke: var(--card); stroke-width: 1.5; }
.mark.first { fill: var(--blue); }
.mark.second { fill: var(--orange); }
"""


def growth_chart(rows: Sequence[Mapping[str, Any]]) -> str:
    """Training time per picture, and peak memory, by the number of pictures.

    Args:
        rows: of ``growth.json``'s ``training``: numbers of pictures with their spreads.
    """
    rows = sorted(rows, key=lambda row: row["num_images"])
    numbers = [float(row["num_images"]) for row in rows]
    times = [row["microseconds_per_image"]["mean"] for row in rows]
    peaks = [row["peak_mib"]["mean"] for row in rows]
    pictures = [row["image_mib"] for row in rows]
    # From 0: on another axis a nearly flat curve can look steep.
    top = svg.round_domain([0.0, *times])[1]
    ends = (_power_below(min(pictures)), _power_above(max(peaks)))
    chart = svg.figure(
        "growth",
        "Training time per picture and peak memory by the number of pictures",
        f"With {numbers[0]:,.0f} to {numbers[-1]:,.0f} pictures, training takes "
        f"{times[0]:.1f} to {times[-1]:.1f} microseconds per picture, and peak memory grows "
        f"from {peaks[0]:.0f} to {peaks[-1]:.0f} MiB.",
        (2 * svg.WIDTH + GAP, HEIGHT + 8),
        element("style", Markup(packaged_text("tellapart.page", "palette.css") + STYLE)),
        _background(),
        _panel(0, numbers, {"training": times}, Scale(0, top, 236, 40), "µs per picture"),
        _panel(
            svg.WIDTH + GAP,
            numbers,
            {"process": peaks, "pictures alone": pictures},
            Scale(*ends, 236, 40, logarithmic=True),
            "peak memory, MiB",
        ),
    )
    return f"{chart}\n"


def _panel(
    left: float,
    numbers: Sequence[float],
    series: Mapping[str, Sequence[float]],
    up: Scale,
    label: str,
) -> Markup:
    low, high = numbers[0], numbers[-1]
    # One size alone has no width to be drawn over.
    low, high = (low, high) if low < high else (low / 2, high * 2)
    across = Scale(low, high, left + 56, left + svg.WIDTH - 28, logarithmic=True)
    ticks = up.ticks()
    axes = svg.axes(
        across,
        up,
        labels=("training pictures", ""),
        formats=(_short, lambda value: f"{value:,.0f}" if value >= 1 else f"{value:g}"),
        ticks=(numbers, ticks),
    )
    name = svg.text(left + 18, 26, label, class_="axis-name")
    traces = [
        _trace(across, up, numbers, values, class_, title)
        for (title, values), class_ in zip(series.items(), ("first", "second"), strict=False)
    ]
    return element("g", axes, name, *traces, *(_legend(left, series) if len(series) > 1 else []))


def _trace(
    across: Scale,
    up: Scale,
    numbers: Sequence[float],
    values: Sequence[float],
    class_: str,
    title: str,
) -> Markup:
    points = [(across(x), up(y)) for x, y in zip(numbers, values, strict=True)]
    dots = [
        svg.dot(x, y, 3.5, f"mark {class_}", f"{title}, {number:,.0f} pictures: {value:,.1f}")
        for (x, y), number, value in zip(points, numbers, values, strict=True)
    ]
    return element("g", svg.polyline(points, class_), *dots)


def _legend(left: float, series: Mapping[str, Sequence[float]]) -> list[Markup]:
    parts, x = [], left + svg.WIDTH - 28.0
    for title, class_ in reversed(list(zip(series, ("first", "second"), strict=False))):
        parts.append(svg.text(x, 26, title, anchor="end"))
        x -= 8 + 6.6 * len(title)
        parts.append(svg.polyline([(x - 20, 22), (x, 22)], class_))
        x -= 36
    return parts


def _background() -> Markup:
    return element(
        "rect",
        x=0.5,
        y=0.5,
        width=2 * svg.WIDTH + GAP - 1,
        height=HEIGHT + 7,
        rx=12,
        class_="background",
    )


def _short(number: float) -> str:
    """``60k`` for 60,000."""
    return f"{number / 1000:g}k" if number >= 1000 else f"{number:g}"


def _power_below(value: float) -> float:
    return 10.0 ** math.floor(math.log10(value))


def _power_above(value: float) -> float:
    return 10.0 ** math.ceil(math.log10(value))
