"""The page of two classifiers on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from tellapart import wording
from tellapart.evaluation.metrics import wilson_interval
from tellapart.page.markup import Markup, element
from tellapart.report.parts import (
    captioned_image,
    card,
    data_table,
    header,
    headline,
    origin_card,
    report_page,
)
from tellapart.trust.comparison.paired import Disagreement, PairedComparison

_NUM_SHOWN = 24


def render_comparison(
    comparison: PairedComparison,
    *,
    title: str,
    names: tuple[str, str],
    images: Tensor,
    class_names: Sequence[str],
    origin: Mapping[str, Any],
) -> str:
    """Return a self-contained page; the same input gives the same bytes.

    Args:
        comparison: of the two.
        title: what they were evaluated on.
        names: of the first and the second.
        images: uint8 (images, channels, height, width), those that were compared on.
        class_names: one per label.
        origin: where the figures come from, by name.
    """
    shown = (
        ("first", f"Only {names[0]} is right", comparison.only_first, names[1]),
        ("second", f"Only {names[1]} is right", comparison.only_second, names[0]),
    )
    return report_page(
        f"{names[0]} against {names[1]}",
        _header(comparison, title, names),
        _counts(comparison, names),
        *(
            _pictures(f"only-{name}", heading, found, wrong, images, class_names)
            for name, heading, found, wrong in shown
        ),
        origin_card(origin),
    )


def p_in_words(p_value: float) -> str:
    """Return a p value as text, such as ``p = 0.021`` or ``p < 0.0001``."""
    return "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.2g}"


def verdict_in_words(comparison: PairedComparison, names: tuple[str, str]) -> str:
    """Return which of the two is better, if chance does not explain the difference."""
    p_value = p_in_words(comparison.p_value)
    if not comparison.is_significant:
        return f"the difference between {names[0]} and {names[1]} may be chance ({p_value})"
    better, worse = names if comparison.difference > 0 else names[::-1]
    return f"the difference is more than chance ({p_value}): {better} is better than {worse}"


def points(difference: float) -> str:
    """Return a difference of accuracies in percentage points, with its sign.

    >>> points(0.0123)
    '+1.23 points'
    """
    return f"{100 * difference:+.2f} points"


def _header(comparison: PairedComparison, title: str, names: tuple[str, str]) -> Markup:
    total = comparison.num_images
    low, high = comparison.difference_interval
    verdict = verdict_in_words(comparison, names)
    tiles = [
        (
            name,
            wording.unbroken(wording.precise_percent(correct / total, total)),
            "accuracy, 95 % interval {} to {}".format(
                *(wording.percent(end) for end in wilson_interval(correct, total))
            ),
        )
        for name, correct in zip(names, comparison.num_correct, strict=True)
    ]
    same = comparison.num_same_answer / total
    tiles += [
        ("McNemar's test", p_in_words(comparison.p_value), "exact, two-sided; below 0.05 is rare"),
        ("Same answer", wording.percent(same, 1), "of all images, right or wrong"),
    ]
    return header(
        "two runs on the same images",
        title,
        headline(
            wording.unbroken(points(comparison.difference).removesuffix(" points")),
            "percentage points of accuracy",
            f"{verdict[0].upper()}{verdict[1:]}. With 95 % confidence, the accuracy of {names[0]} "
            "minus that of ",
            f"{names[1]} lies ",
            element("strong", f"between {points(low)} and {points(high)}"),
            f", on {wording.plural(total, 'image')}.",
        ),
        tiles=tiles,
    )


def _counts(comparison: PairedComparison, names: tuple[str, str]) -> Markup:
    only_first, only_second = len(comparison.only_first), len(comparison.only_second)
    neither = comparison.num_images - comparison.num_both - only_first - only_second
    rows = [
        (f"{names[0]} right", wording.number(comparison.num_both), wording.number(only_first)),
        (f"{names[0]} wrong", wording.number(only_second), wording.number(neither)),
    ]
    return card(
        "counts",
        "Who gets which images right",
        data_table("Counts", ("Images", f"{names[1]} right", f"{names[1]} wrong"), rows),
        note="Images that both get right, or both get wrong, do not tell which is better. If the "
        f"two were equally good, each of the {only_first + only_second:,} others would favour "
        "either like the toss of a coin; the test asks how rarely coins would be so one-sided.",
    )


def _pictures(
    name: str,
    heading: str,
    found: Sequence[Disagreement],
    wrong: str,
    images: Tensor,
    class_names: Sequence[str],
) -> Markup:
    if not found:
        return card(name, heading, element("p", "None.", class_="empty"))
    figures = [
        captioned_image(
            images[entry.index],
            f"image {entry.index}: {class_names[entry.label]}",
            element("span", element("b", class_names[entry.label])),
            element(
                "span",
                "not ",
                element("b", class_names[entry.answer], class_="predicted"),
                f" {wording.precise_percent(entry.probability, 1000)}",
                class_="quiet",
            ),
            title=f"image {entry.index}",
        )
        for entry in found[:_NUM_SHOWN]
    ]
    more = f", of {len(found):,} the first {_NUM_SHOWN}" if len(found) > _NUM_SHOWN else ""
    return card(
        name,
        f"{heading}: {wording.plural(len(found), 'image')}",
        element("div", *figures, class_="pictures"),
        note=f"With the true class, and the wrong answer of {wrong} with its probability; the most "
        f"confident first{more}.",
    )
