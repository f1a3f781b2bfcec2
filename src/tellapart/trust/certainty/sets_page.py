"""The page of prediction sets: how often they hold the true class, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
from tellapart.trust.certainty.set_coverage import ClassCoverage, SetCoverage

_MOST_NAMED = 6
_MOST_BARS = 20


def render_sets(
    result: SetCoverage,
    *,
    title: str,
    images: Tensor,
    labels: Tensor,
    members: Tensor,
    probabilities: Tensor,
    class_names: Sequence[str],
    origin: Mapping[str, Any],
) -> str:
    """Return a self-contained page; the same input gives the same bytes.

    Args:
        result: what was measured.
        title: what the sets were measured on.
        images: uint8 (images, channels, height, width), those that were measured on.
        labels: int64 (images,).
        members: bool (images, classes), which classes are in each set.
        probabilities: floating point (images, classes), for the order of the classes of a set.
        class_names: one per column.
        origin: where the figures come from, by name.
    """
    return report_page(
        f"Sets for {wanted_percent(result)} coverage",
        _header(result, title),
        element("div", _sizes(result), _promise(result), class_="columns"),
        _classes(result),
        _largest(result, images, labels, members, probabilities, class_names),
        origin_card(origin),
    )


def wanted_percent(result: SetCoverage) -> str:
    """Return the wanted coverage as text, ``99 %``."""
    return wording.unbroken(f"{100 * result.wanted:.10g} %")


def percent_of(fraction: float, result: SetCoverage) -> str:
    """Return a fraction of the images as text that shows a single image."""
    return wording.unbroken(wording.precise_percent(fraction, result.num_images))


def _header(result: SetCoverage, title: str) -> Markup:
    low, high = result.coverage_interval
    single = result.sizes[0] / result.num_images
    tiles = [
        ("Classes in a set", f"{result.mean_size:.3f}", "on average"),
        ("Sets of one class", percent_of(single, result), "of all images"),
        ("Method", result.sets.upper(), "for each class" if result.for_each_class else "overall"),
        (
            "Calibrated on",
            wording.number(result.num_calibration),
            f"images, {result.calibrated_on}",
        ),
    ]
    verdict = result.verdict
    return header(
        "prediction sets",
        title,
        headline(
            percent_of(result.coverage, result),
            "of the sets hold the true class",
            f"{wanted_percent(result)} was asked for: {verdict}. With 95 % confidence the fraction "
            "is ",
            element("strong", f"{wording.percent(low)} to {wording.percent(high)}"),
            f", on {wording.plural(result.num_images, 'image')}.",
        ),
        tiles=tiles,
    )


def _promise(result: SetCoverage) -> Markup:
    low, high = result.promised_band
    return card(
        "promise",
        "What is promised",
        element(
            "p",
            f"On {wording.plural(result.num_images, 'image')}, calibrated on "
            f"{result.num_calibration:,}, such sets hold the true class for "
            f"{wording.percent(low)} to {wording.percent(high)} of them, 95 times of 100.",
        ),
        note=result.promise,
    )


def _sizes(result: SetCoverage) -> Markup:
    filled = (
        f" {wording.plural(result.num_filled, 'set')} would be empty and "
        f"{'holds' if result.num_filled == 1 else 'hold'} the most probable class."
        if result.num_filled
        else ""
    )
    return card(
        "sizes",
        "How large the sets are",
        _histogram(result),
        note="A set of one class is an answer; a set of several is a question to a person. The "
        f"height of the bars is logarithmic.{filled}",
    )


def _histogram(result: SetCoverage) -> Markup:
    last = max(size for size, count in enumerate(result.sizes, 1) if count)
    # Beyond the last bar all larger sets are counted together.
    shown = list(result.sizes[: min(last, _MOST_BARS)])
    shown[-1] += sum(result.sizes[len(shown) :])
    most = max(shown)
    up = Scale(0.5, 10.0 ** len(str(most)), 240, 40, logarithmic=True)
    width = (svg.WIDTH - 80) / len(shown)
    bars = []
    for place, count in enumerate(shown):
        size = place + 1
        name = f"{size}+" if place == _MOST_BARS - 1 and last > _MOST_BARS else str(size)
        left, top = 60 + place * width, up(max(count, 0.5))
        classes = "class" if size == 1 else "classes"
        hover = f"{wording.plural(count, 'image')} with {name} {classes}"
        bar = min(width - 4, 60)
        middle = left + width / 2
        bars.append(svg.rectangle(middle - bar / 2, top, bar, 240 - top, "bar", hover))
        bars.append(svg.text(middle, 258, name, anchor="middle", class_="tick"))
        if count and width >= 24:
            label = wording.number(count)
            bars.append(svg.text(middle, top - 6, label, anchor="middle", class_="tick"))
    return svg.figure(
        "set-sizes",
        "Sizes of the sets",
        f"Images by the number of classes in their set, from 1 to {last}.",
        (svg.WIDTH, 290),
        svg.line(52, 240, svg.WIDTH - 16, 240, "axis"),
        *bars,
        svg.text(52, 20, "images", class_="axis-name", anchor="end"),
        svg.text(svg.WIDTH / 2, 282, "classes in the set", class_="axis-name", anchor="middle"),
    )


def _classes(result: SetCoverage) -> Markup:
    rows = [_class_row(entry) for entry in result.per_class]
    note = (
        "Calibrated for each class by itself, the coverage is promised for each."
        if result.for_each_class
        else "The coverage is promised for all classes together: a hard class may have less, and "
        "an easy one more. --per-class promises it for each, with larger sets."
    )
    heads = ("Class", "images", "hold it", "95 % interval", "mean size", "calibrated on")
    return card("classes", "Class by class", data_table("Coverage", heads, rows), note=note)


def _class_row(entry: ClassCoverage) -> tuple[str, ...]:
    if entry.coverage is None or entry.coverage_interval is None or entry.mean_size is None:
        return (entry.name, "0", "-", "-", "-", wording.number(entry.num_calibration))
    low, high = entry.coverage_interval
    return (
        entry.name,
        wording.number(entry.num_images),
        wording.precise_percent(entry.coverage, entry.num_images),
        f"{wording.percent(low, 1)} to {wording.percent(high, 1)}",
        f"{entry.mean_size:.2f}",
        wording.number(entry.num_calibration),
    )


def _largest(
    result: SetCoverage,
    images: Tensor,
    labels: Tensor,
    members: Tensor,
    probabilities: Tensor,
    class_names: Sequence[str],
) -> Markup:
    if not result.largest:
        return card("largest", "The largest sets", element("p", "Every set has one class."))
    figures = []
    for index in result.largest:
        order = probabilities[index].argsort(descending=True).tolist()
        inside = [class_names[label] for label in order if members[index, label]]
        true = class_names[int(labels[index])]
        figures.append(
            captioned_image(
                images[index],
                f"image {index}: {true}",
                element("span", element("b", wording.listed(inside, _MOST_NAMED))),
                element(
                    "span",
                    "true: ",
                    element("b", true, class_=None if true in inside else "predicted"),
                    class_="quiet",
                ),
                title=f"image {index}: {', '.join(inside)}",
            )
        )
    return card(
        "largest",
        "The largest sets",
        element("div", *figures, class_="pictures"),
        note="The images that leave the most classes open, with their sets, the most probable "
        "class first.",
    )
