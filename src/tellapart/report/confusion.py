"""The confusion matrix as a heat map, for two classes up to hundreds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tellapart import wording
from tellapart.evaluation import Evaluation
from tellapart.page import svg
from tellapart.page.markup import Markup, element

NUM_CLASSES_BESIDE_TEXT = 12
WIDE_WIDTH = 760
# The number of lines of text that fit along one side.
MOST_LABELS = 42
SMALLEST_COUNT_PIXELS = 6.5


@dataclass(frozen=True)
class _Layout:
    """The positions of cells and labels, in pixels of the chart."""

    labels: tuple[str, ...]
    width: float
    left: float
    top: float
    cell: float
    font: float
    slanted: bool

    @property
    def side(self) -> float:
        return self.cell * len(self.labels)


def confusion_heat_map(evaluation: Evaluation) -> Markup:
    """Draw the confusion matrix: correct predictions in one hue, mistakes in another.

    The opacity of a diagonal cell is its fraction of the class. The opacity of a mistake is the
    square root of its count divided by that of the most frequent mistake: on one linear scale the
    mistakes of a good classifier would be invisible.
    """
    layout = _layout(evaluation.class_names)
    left, top, side = layout.left, layout.top, layout.side
    return svg.figure(
        "confusion",
        "Confusion matrix",
        f"{len(layout.labels)} classes; {wording.number(evaluation.num_correct)} of "
        f"{wording.plural(evaluation.num_images, 'image')} on the diagonal.",
        (layout.width, top + side + 6),
        svg.text(left + side / 2, 14, "predicted", anchor="middle", class_="axis-name"),
        _rotated("true", (14, top + side / 2), -90, anchor="middle", class_="axis-name"),
        svg.rectangle(left, top, side, side, "frame", "0 images"),
        *_cells(evaluation, layout),
        *_labels(layout),
    )


def _layout(class_names: Sequence[str]) -> _Layout:
    num_classes = len(class_names)
    labels = tuple(wording.shortened(name, 16) for name in class_names)
    width = float(svg.WIDTH if num_classes <= NUM_CLASSES_BESIDE_TEXT else WIDE_WIDTH)
    font = 12.0 if num_classes <= 30 else 10.0
    # The mean width of a sans-serif letter is a little more than half of the font size.
    label_width = max(map(len, labels)) * font * 0.58 + 10
    left = 22 + label_width
    slanted = label_width > (width - left) / num_classes + 6
    right = label_width * 0.45 if slanted else 4
    return _Layout(
        labels=labels,
        width=width,
        left=left,
        top=26 + (label_width * 0.78 if slanted else 20),
        cell=(width - left - right) / num_classes,
        font=font,
        slanted=slanted,
    )


def _cells(evaluation: Evaluation, layout: _Layout) -> Iterator[Markup]:
    """Yield a rectangle for each count above 0, with the count as text where there is room."""
    matrix = evaluation.confusion_matrix
    most = max((count for i, j, count in _counts(matrix) if i != j), default=0)
    num_digits = len(str(max(map(max, matrix))))
    font = min(18.0, layout.cell * 0.4, 1.5 * (layout.cell - 3) / num_digits)
    gap = 1.0 if layout.cell > 8 else 0.0
    for true, predicted, count in _counts(matrix):
        support = evaluation.per_class[true].support
        depth = count / support if true == predicted else math.sqrt(count / most)
        opacity = 0.12 + 0.88 * depth
        x, y = layout.left + predicted * layout.cell, layout.top + true * layout.cell
        yield element(
            "rect",
            element("title", _hover(evaluation, true, predicted)),
            x=x + gap / 2,
            y=y + gap / 2,
            width=layout.cell - gap,
            height=layout.cell - gap,
            class_="hit" if true == predicted else "miss",
            fill_opacity=opacity,
        )
        if font >= SMALLEST_COUNT_PIXELS:
            yield element(
                "text",
                str(count),
                x=x + layout.cell / 2,
                y=y + layout.cell / 2 + 0.36 * font,
                style=f"font-size:{font:.1f}px",
                text_anchor="middle",
                class_="count deep" if opacity > 0.8 else "count",
            )


def _counts(matrix: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, int]]:
    for true, row in enumerate(matrix):
        for predicted, count in enumerate(row):
            if count:
                yield true, predicted, count


def _hover(evaluation: Evaluation, true: int, predicted: int) -> str:
    names, row = evaluation.class_names, evaluation.confusion_matrix[true]
    verdict = "classified correctly" if true == predicted else f"taken for {names[predicted]}"
    return f"{names[true]} {verdict}: {row[predicted]:,} of {sum(row):,}"


def _labels(layout: _Layout) -> Iterator[Markup]:
    """Yield the name of every class if all fit; else of every second, fifth, tenth, ..."""
    strides = (factor * 10**power for power in range(9) for factor in (1, 2, 5))
    stride = next(step for step in strides if len(layout.labels) / step <= MOST_LABELS)
    style = f"font-size:{layout.font:g}px"
    for index in range(0, len(layout.labels), stride):
        label, middle = layout.labels[index], (index + 0.5) * layout.cell
        beside = (layout.left - 6, layout.top + middle + 0.36 * layout.font)
        above = (layout.left + middle, layout.top - 7)
        anchor, angle = ("start", -50) if layout.slanted else ("middle", 0)
        yield _rotated(label, beside, 0, anchor="end", class_="tick", style=style)
        yield _rotated(label, above, angle, anchor=anchor, class_="tick", style=style)


def _rotated(
    content: str,
    place: tuple[float, float],
    angle: int,
    *,
    anchor: str,
    class_: str,
    style: str | None = None,
) -> Markup:
    move = f"translate({place[0]:.1f} {place[1]:.1f})"
    rotation = f" rotate({angle})" if angle else ""
    return element(
        "text", content, transform=move + rotation, text_anchor=anchor, class_=class_, style=style
    )
