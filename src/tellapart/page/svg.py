"""Charts as SVG: scales, ticks, axes and lines. The colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tellapart.page.markup import Markup, element

NAMESPACE = "http://www.w3.org/2000/svg"
WIDTH = 440  # of a chart: near the width of its card, so that text is hardly scaled

TickFormat = Callable[[float], str]


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic map from values ``low..high`` to pixels ``start..end``.

    Values outside the range are moved to its nearest end, so nothing is drawn outside the frame.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Return about ``count`` round values of the range: steps of 1, 2, 5 or powers of ten."""
        if self.logarithmic:
            return _logarithmic_ticks(self.low, self.high, count)
        step = round_step((self.high - self.low) / count)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        # Multiplied, so that errors do not accumulate; then rounded, so that 3 * 0.1 gives 0.3.
        return [round(index * step, 12) for index in range(first, last + 1)]


def round_step(at_least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is not below ``at_least``."""
    power: float = 10.0 ** math.floor(math.log10(at_least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= at_least * 0.999)


def round_domain(values: Sequence[float], *, count: int = 5) -> tuple[float, float]:
    """Return the smallest range with round ends around all values; equal values widen it."""
    low, high = min(values), max(values)
    if high - low < 1e-9 * max(abs(high), 1e-9):
        half = abs(high) / 10 or 0.5
        low, high = low - half, high + half
    step = round_step((high - low) / count)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def _logarithmic_ticks(low: float, high: float, count: int) -> list[float]:
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    # With few decades add 2 and 5 to each power of ten; with many keep every second or third power.
    factors = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first == 3 else (1,)
    stride = max(1, math.ceil((last - first) / (count + 1)))
    values = [
        float(f"{factor}e{power}") for power in range(first, last + 1, stride) for factor in factors
    ]
    return [value for value in values if low * 0.999 <= value <= high * 1.001]


def figure(
    name: str, title: str, description: str, size: tuple[float, float], *children: str
) -> Markup:
    """Return a chart that scales with the page, with a title and text for screen readers.

    Args:
        name: prefix of its identifiers, unique on the page.
        title: what the chart is, in a few words.
        description: what the chart shows, in a sentence.
        size: width and height in the chart's own coordinates.
        children: the elements of the chart.
    """
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-description"),
        *children,
        xmlns=NAMESPACE,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-description",
        class_=f"chart {name}",
    )


def text(x: float, y: float, content: str, *, class_: str = "", anchor: str = "start") -> Markup:
    """Return a line of text with its baseline at ``y``; ``anchor`` is start, middle or end."""
    return element("text", content, x=x, y=y, text_anchor=anchor, class_=class_ or None)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rectangle(x: float, y: float, width: float, height: float, class_: str, hover: str) -> Markup:
    """Return a bar or a cell; ``hover`` is shown when the pointer rests on it."""
    hint = element("title", hover)
    return element("rect", hint, x=x, y=y, width=width, height=height, class_=class_)


def dot(x: float, y: float, radius: float, class_: str, hover: str) -> Markup:
    """Return a round mark; ``hover`` is shown when the pointer rests on it."""
    return element("circle", element("title", hover), cx=x, cy=y, r=radius, class_=class_)


def polyline(points: Sequence[tuple[float, float]], class_: str, hover: str = "") -> Markup:
    """Return a line through several points, in pixels."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    hint = [element("title", hover)] if hover else []
    return element("polyline", *hint, points=path, class_=f"line {class_}")


def axes(
    across: Scale,
    up: Scale,
    *,
    labels: tuple[str, str],
    formats: tuple[TickFormat, TickFormat],
    ticks: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Markup:
    """Return the grid, its numbers and the names of both axes.

    The name of the vertical axis is written above it: vertical text is slow to read.
    """
    ticks = ticks or (across.ticks(), up.ticks())
    left, right, bottom, top = across.start, across.end, up.start, up.end
    parts = [line(left, up(value), right, up(value), "grid") for value in ticks[1]]
    parts += [
        text(left - 7, up(value) + 4, formats[1](value), anchor="end", class_="tick")
        for value in ticks[1]
    ]
    for value in ticks[0]:
        parts.append(line(across(value), bottom, across(value), bottom + 4, "axis"))
        label = formats[0](value)
        parts.append(text(across(value), bottom + 17, label, anchor="middle", class_="tick"))
    parts.append(line(left, bottom, right, bottom, "axis"))
    middle = (left + right) / 2
    parts.append(text(middle, bottom + 35, labels[0], anchor="middle", class_="axis-name"))
    parts.append(text(2, top - 12, labels[1], class_="axis-name"))
    return element("g", *parts)


def stretches_of(
    points: Sequence[tuple[float, float | None]],
) -> list[list[tuple[float, float]]]:
    """Split the points into stretches without gaps; a gap is a point without a value."""
    stretches: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            stretches.append([])
        else:
            stretches[-1].append((x, y))
    return [stretch for stretch in stretches if stretch]


def tick_format(ticks: Sequence[float]) -> TickFormat:
    """Return a function that writes each tick with the digits that distinguish it from the next."""
    gaps = [abs(after - before) for before, after in pairwise(ticks)] or [1.0]
    num_digits = max(0, -math.floor(math.log10(min(gaps)) + 1e-9))
    return lambda value: f"{value:,.{num_digits}f}"
