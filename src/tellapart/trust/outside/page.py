"""The page of a classifier's own images beside images of another kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tellapart import wording
from tellapart.page import svg
from tellapart.page.markup import Markup, element
from tellapart.page.svg import Scale
from tellapart.report.parts import (
    captioned_image,
    card,
    data_table,
    header,
    headline,
    origin_card,
    report_page,
)
from tellapart.trust.outside.comparison import OutsideComparison, OutsideSource, default_of
from tellapart.trust.outside.separation import Separation

_NUM_BINS = 48
_WIDTH = 860
# The farthest hundredth of the outside images would press all others into a corner.
_SHOWN_FRACTION = 0.99


def render_outside(
    comparison: OutsideComparison,
    *,
    title: str,
    inside_scores: Tensor,
    outside_scores: Sequence[Tensor],
    images: Sequence[Tensor],
    origin: Mapping[str, Any],
) -> str:
    """Return a self-contained page; the same input gives the same bytes.

    Args:
        comparison: what was found.
        title: what was evaluated.
        inside_scores: the default scores of the inside images, (images,).
        outside_scores: those of each source's images.
        images: for each source the images of its `inside_looking`, uint8 (images, channels, height,
            width), in that order.
        origin: where the figures come from, by name.
    """
    return report_page(
        f"{title}: images of another kind",
        _header(comparison, title),
        _histogram_card(comparison, inside_scores, torch.cat(list(outside_scores))),
        _scores_card(comparison),
        *(
            _images_card(number, source, shown, comparison.threshold)
            for number, (source, shown) in enumerate(zip(comparison.sources, images, strict=True))
        ),
        origin_card(origin),
    )


def interval_in_words(interval: tuple[float, float]) -> str:
    """Return an interval of fractions as text, such as ``99.12 to 99.40 %``."""
    return f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f} %"


def _header(comparison: OutsideComparison, title: str) -> Markup:
    separation = default_of(comparison.separations)
    names = wording.listed(source.name for source in comparison.sources)
    low, high = separation.auroc_interval
    tiles = [
        (
            "Pass as inside",
            wording.unbroken(wording.percent(separation.false_positive_rate)),
            "of the outside images, where 95 % of the inside images pass; 95 % interval "
            + interval_in_words(separation.false_positive_rate_interval),
        ),
        ("Outside images", wording.number(comparison.num_outside), names),
        ("Inside images", wording.number(comparison.num_inside), comparison.inside),
    ]
    if comparison.inside_flagged:
        tiles.append(
            (
                "Inside, flagged",
                wording.unbroken(wording.percent(comparison.inside_flagged.fraction)),
                "false alarms at the stored threshold; 95 % interval "
                + interval_in_words(comparison.inside_flagged.interval),
            )
        )
    return header(
        "does it know this kind of image?",
        title,
        headline(
            wording.unbroken(wording.percent(separation.auroc)),
            "area under the ROC curve (AUROC)",
            f"Of an outside image ({names}) and an inside one ({comparison.inside}), the outside "
            "one looks less like the training images in that many of a hundred pairs; 50 would be "
            "chance. With 95 % confidence the figure lies ",
            element("strong", f"between {100 * low:.2f} and {100 * high:.2f} %"),
            f". {_flags(comparison)}",
        ),
        tiles=tiles,
    )


def _flags(comparison: OutsideComparison) -> str:
    if comparison.threshold is None:
        return (
            "The classifier has no threshold and flags nothing: too few images were held out when "
            "it was trained."
        )
    counted = [source.flagged for source in comparison.sources if source.flagged]
    count, total = sum(f.count for f in counted), sum(f.num_images for f in counted)
    return (
        f"predict flags {wording.number(count)} of the {wording.plural(total, 'outside image')} "
        f"({wording.percent(count / total, 1)})."
    )


def _histogram_card(comparison: OutsideComparison, inside: Tensor, outside: Tensor) -> Markup:
    marked = (
        " The dashed line is the threshold: what lies to its right is flagged."
        if comparison.threshold is not None
        else ""
    )
    return card(
        "scores",
        "How unlike the training images",
        histogram(inside, outside, comparison.threshold),
        note="The score of every image; farther right is less like the training images. Each "
        "side's bars add up to all its images, however many there are. The less the two overlap, "
        f"the better.{marked}",
    )


def histogram(inside: Tensor, outside: Tensor, threshold: float | None) -> Markup:
    """Draw the scores of inside and outside images as two histograms over one axis.

    Args:
        inside: (images,), finite.
        outside: (images,), finite; those beyond the last bin are counted in it.
        threshold: marked by a line; None draws none.
    """
    low, high = _ends(inside, outside, threshold)
    across = Scale(low, high, 52, _WIDTH - 16)
    edges = torch.linspace(low, high, _NUM_BINS + 1, dtype=torch.float64)
    fractions = [_fractions(scores, edges) for scores in (inside, outside)]
    up = Scale(0.0, svg.round_domain([0.0, max(map(max, fractions))])[1], 300, 40)
    ticks = up.ticks()
    percent_of = svg.tick_format([100 * tick for tick in ticks])
    bars = [
        _bars(shown, edges.tolist(), across, up, class_, name)
        for shown, class_, name in zip(
            fractions, ("hit", "miss"), ("inside", "outside"), strict=True
        )
    ]
    return svg.figure(
        "outside-scores",
        "Scores of inside and outside images",
        f"{len(inside):,} inside and {len(outside):,} outside images.",
        (_WIDTH, 345),
        svg.axes(
            across,
            up,
            labels=("score", "of the images"),
            formats=(svg.tick_format(across.ticks()), lambda v: percent_of(100 * v) + " %"),
            ticks=(across.ticks(10), ticks),
        ),
        *bars,
        *_threshold_mark(threshold, across, up),
        _legend(),
    )


def _ends(inside: Tensor, outside: Tensor, threshold: float | None) -> tuple[float, float]:
    far = float(outside.double().quantile(_SHOWN_FRACTION)) if len(outside) else 0.0
    values = [float(inside.min()), float(inside.max()), float(outside.min()), far]
    values += [] if threshold is None else [threshold]
    low, high = min(values), max(values)
    margin = 0.02 * (high - low) or 0.5
    return low - margin if low < 0 else max(0.0, low - margin), high + margin


def _fractions(scores: Tensor, edges: Tensor) -> list[float]:
    places = torch.bucketize(scores.double(), edges[1:-1])
    return (torch.bincount(places, minlength=_NUM_BINS).double() / len(scores)).tolist()


def _bars(
    fractions: Sequence[float],
    edges: Sequence[float],
    across: Scale,
    up: Scale,
    class_: str,
    name: str,
) -> Markup:
    shapes = []
    for place, fraction in enumerate(fractions):
        if fraction:
            left, right = across(edges[place]), across(edges[place + 1])
            hover = (
                f"{100 * fraction:.2f} % of the {name} images score {edges[place]:.3g} to "
                f"{edges[place + 1]:.3g}"
            )
            top = min(up(fraction), up.start - 1)
            shapes.append(svg.rectangle(left, top, right - left - 1, up.start - top, class_, hover))
    # Translucent, so that where the two overlap both can be seen.
    return element("g", *shapes, opacity="0.65")


def _threshold_mark(threshold: float | None, across: Scale, up: Scale) -> list[Markup]:
    if threshold is None or not math.isfinite(threshold):
        return []
    x = across(threshold)
    anchor = "end" if x > _WIDTH / 2 else "start"
    return [
        svg.line(x, up.start, x, up.end, "guide"),
        svg.text(x + (-6 if anchor == "end" else 6), up.end + 10, "threshold", anchor=anchor),
    ]


def _legend() -> Markup:
    parts = []
    for place, (name, class_) in enumerate((("inside", "hit"), ("outside", "miss"))):
        x = _WIDTH - 170 + 85 * place
        parts.append(svg.rectangle(x, 10, 12, 12, class_, name))
        parts.append(svg.text(x + 18, 20, name, class_="legend"))
    return element("g", *parts)


def _scores_card(comparison: OutsideComparison) -> Markup:
    rows = [row for source in comparison.sources for row in _rows(source.name, source.separations)]
    if len(comparison.sources) > 1:
        rows += _rows("all together", comparison.separations)
    heads = ("Score", "Outside images", "AUROC", "95 % interval", "Pass as inside", "95 % interval")
    return card(
        "table",
        "Every score",
        data_table("Every score", heads, rows),
        note="The classifier flags by the score in italics. Pass as inside: the fraction of "
        "outside images below the score that 95 % of the inside images do not exceed; less is "
        "better.",
    )


def _rows(name: str, separations: Mapping[str, Separation]) -> list[tuple[str, ...]]:
    return [
        (
            element("em", score) if place == 0 else score,
            name,
            wording.percent(separation.auroc),
            interval_in_words(separation.auroc_interval),
            wording.percent(separation.false_positive_rate),
            interval_in_words(separation.false_positive_rate_interval),
        )
        for place, (score, separation) in enumerate(separations.items())
    ]


def _images_card(
    number: int, source: OutsideSource, images: Tensor, threshold: float | None
) -> Markup:
    figures = [
        captioned_image(
            image,
            f"image {entry.index}, taken for {entry.label}",
            element("span", element("b", entry.label, class_="predicted"), " ", probability),
            element(
                "span", f"score {entry.score:.3f}", _flag(entry.score, threshold), class_="quiet"
            ),
            title=entry.path or f"image {entry.index}",
        )
        for entry, image, probability in (
            (entry, image, wording.precise_percent(entry.probability, 1000))
            for entry, image in zip(source.inside_looking, images, strict=True)
        )
    ]
    return card(
        f"inside-looking-{number + 1}",
        f"{source.name}: those that look most like the training images",
        element("div", *figures, class_="pictures"),
        note="Outside images with the lowest scores, the lowest first, and what the classifier "
        "takes them for. Images that belong to a class after all are shown here first.",
    )


def _flag(score: float, threshold: float | None) -> str:
    return ", flagged" if threshold is not None and score > threshold else ""
