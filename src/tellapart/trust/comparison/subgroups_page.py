"""The page of accuracy by subgroup."""

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
from tellapart.trust.comparison.paired_page import p_in_words, points
from tellapart.trust.comparison.subgroups import Subgroup, SubgroupAccuracy

_NUM_SHOWN = 12
_TOP, _ROW_PIXELS = 8.0, 34
_LONGEST_NAME = 24


def render_subgroups(
    result: SubgroupAccuracy,
    *,
    title: str,
    images: Tensor,
    labels: Tensor,
    answers: Tensor,
    class_names: Sequence[str],
    origin: Mapping[str, Any],
) -> str:
    """Return a self-contained page; the same input gives the same bytes.

    Args:
        result: the accuracies.
        title: what was evaluated.
        images: uint8 (images, channels, height, width).
        labels: int64 (images,).
        answers: int64 (images,).
        class_names: one per label.
        origin: where the figures come from, by name.
    """
    return report_page(
        f"{title}, by {result.column}",
        _header(result, title),
        _chart(result),
        *(
            _mistakes(number, group, images, labels, answers, class_names)
            for number, group in enumerate(result.groups)
        ),
        origin_card(origin),
    )


def verdict_in_words(result: SubgroupAccuracy) -> str:
    """Return whether chance explains that one subgroup is harder than another."""
    p_value = p_in_words(result.p_value)
    if not result.is_significant:
        return f"the differences between subgroups may be chance ({p_value}, {result.test})"
    return f"the differences between subgroups are more than chance ({p_value}, {result.test})"


def _header(result: SubgroupAccuracy, title: str) -> Markup:
    lowest, highest = result.groups[0], result.groups[-1]
    verdict = verdict_in_words(result)
    tiles = [
        (f"{kind}: {group.name}", wording.percent(group.accuracy), _interval(group))
        for kind, group in (("Lowest", lowest), ("Highest", highest))
    ]
    tiles += [
        ("Chance", p_in_words(result.p_value), "of differences at least as large"),
        ("Subgroups", wording.number(len(result.groups)), f"values of {result.column}"),
    ]
    return header(
        "accuracy by subgroup",
        title,
        headline(
            wording.unbroken(points(result.largest_gap).removesuffix(" points").lstrip("+")),
            "points between best and worst",
            f"{verdict[0].upper()}{verdict[1:]}. The accuracy is lowest for ",
            element("strong", f"{result.column} = {lowest.name}"),
            " and highest for ",
            element("strong", f"{result.column} = {highest.name}"),
            ". Subgroups may differ in how often each class occurs; balanced accuracy, below, "
            "counts every class the same.",
        ),
        tiles=tiles,
    )


def _interval(group: Subgroup) -> str:
    low, high = group.accuracy_interval
    return f"95 % interval {wording.percent(low)} to {wording.percent(high)}"


def _chart(result: SubgroupAccuracy) -> Markup:
    rows = [
        (
            group.name,
            wording.number(group.num_images),
            wording.number(group.num_images - group.num_correct),
            wording.percent(group.accuracy),
            "{} to {}".format(*map(wording.percent, group.accuracy_interval)),
            wording.percent(group.balanced_accuracy),
            "{} to {}".format(*map(wording.percent, group.balanced_accuracy_interval)),
        )
        for group in result.groups
    ]
    heads = (
        "Subgroup",
        "Images",
        "Wrong",
        "Accuracy",
        "95 % interval",
        "Balanced",
        "95 % interval",
    )
    return card(
        "subgroups",
        f"Accuracy by {result.column}",
        element("div", element("div", _intervals(result), class_="matrix"), class_="wide"),
        data_table(f"Accuracy by {result.column}", heads, rows),
        note="A dot is the accuracy of a subgroup, the line its 95 % interval: the fewer images, "
        "the longer. Intervals that overlap do not show that two subgroups are alike.",
    )


def _intervals(result: SubgroupAccuracy) -> Markup:
    lowest = min(group.accuracy_interval[0] for group in result.groups)
    low, _ = svg.round_domain([lowest, 1.0])
    bottom = _TOP + _ROW_PIXELS * len(result.groups)
    across = Scale(low, 1.0, 190, 2 * svg.WIDTH - 24)
    marks = []
    for place, group in enumerate(result.groups):
        y = _TOP + _ROW_PIXELS * (place + 0.5)
        name = wording.shortened(group.name, _LONGEST_NAME)
        hover = f"{group.name}: {wording.percent(group.accuracy)}, {_interval(group)}"
        start, end = group.accuracy_interval
        marks += [
            svg.text(178, y + 4, name, anchor="end"),
            svg.line(across(start), y, across(end), y, "whisker"),
            svg.dot(across(group.accuracy), y, 4.5, "mark hit", hover),
        ]
    return svg.figure(
        "subgroup-intervals",
        "Accuracy by subgroup",
        f"The accuracy of {len(result.groups)} subgroups with 95 % intervals.",
        (2 * svg.WIDTH, bottom + 44),
        svg.axes(
            across,
            Scale(0, 1, bottom, _TOP),
            labels=("accuracy", ""),
            formats=(lambda value: f"{100 * value:g} %", lambda _: ""),
            ticks=(across.ticks(), ()),
        ),
        *marks,
    )


def _mistakes(
    number: int,
    group: Subgroup,
    images: Tensor,
    labels: Tensor,
    answers: Tensor,
    class_names: Sequence[str],
) -> Markup:
    heading = f"{group.name}: {wording.plural(len(group.wrong), 'mistake')}"
    if not group.wrong:
        return Markup()
    figures = [
        captioned_image(
            images[place],
            f"image {place}: {class_names[int(labels[place])]}",
            element("span", element("b", class_names[int(answers[place])], class_="predicted")),
            element(
                "span", "true: ", element("b", class_names[int(labels[place])]), class_="quiet"
            ),
            title=f"image {place}",
        )
        for place in group.wrong[:_NUM_SHOWN]
    ]
    first = f"The first {_NUM_SHOWN} of them" if len(group.wrong) > _NUM_SHOWN else "All of them"
    note = f"{first}, in the order of the images."
    pictures = element("div", *figures, class_="pictures")
    return card(f"mistakes-{number}", heading, pictures, note=note)
