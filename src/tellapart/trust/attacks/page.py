"""The page of the accuracy under attack: a curve, and images before and after."""

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
from tellapart.trust.attacks.measuring import NUM_STEPS, Attack, AttackedAccuracy

_NUM_SHOWN = 12

WHAT_IT_SHOWS = (
    "An attack that succeeds shows a weakness; one that fails promises nothing, since a better "
    "attack may succeed."
)


def render_attacked(
    result: AttackedAccuracy,
    *,
    title: str,
    images: Tensor,
    labels: Tensor,
    class_names: Sequence[str],
    origin: Mapping[str, Any],
) -> str:
    """Return a self-contained page; the same input gives the same bytes.

    Args:
        result: the accuracies and the attacks.
        title: what was evaluated.
        images: uint8 (images, channels, height, width), those that were attacked.
        labels: int64 (images,).
        class_names: one per label.
        origin: where the figures come from, by name.
    """
    return report_page(
        f"{title}, attacked",
        _header(result, title),
        _curve_card(result),
        _pictures(result, images, labels, class_names),
        origin_card(origin),
    )


def half_in_words(result: AttackedAccuracy) -> str:
    """Return how strong an attack has to be to mislead half of the time."""
    level = result.level_of_half()
    if level is None:
        return f"more than half are still classified correctly at {result.levels[-1]} of 255"
    return f"at {level} of 255 at most half are classified correctly"


def _header(result: AttackedAccuracy, title: str) -> Markup:
    accuracies = [wording.percent(accuracy, 1) for accuracy in result.accuracies()]
    words = half_in_words(result)
    tiles = [
        (f"At {level} of 255", accuracies[place], "accuracy, no pixel changed by more")
        for place, level in enumerate(result.levels)
        if place in (1, 2, 3)
    ]
    return header(
        "attacked images",
        title,
        headline(
            *_leading_figure(result),
            f"{wording.plural(result.num_images, 'image')} were changed so as to mislead the "
            f"classifier, no pixel by more than a given number of 255 levels: {words}. ",
            element("strong", WHAT_IT_SHOWS),
        ),
        tiles=[("As they are", accuracies[0], "accuracy on the same images"), *tiles],
    )


def _leading_figure(result: AttackedAccuracy) -> tuple[str, str]:
    level = result.level_of_half()
    if level is None:
        last = wording.percent(result.accuracies()[-1], 1)
        return wording.unbroken(last), f"accuracy at {result.levels[-1]} of 255"
    return wording.unbroken(f"{level} of 255"), "levels mislead at least half of the time"


def _curve_card(result: AttackedAccuracy) -> Markup:
    rows = [
        (f"{level} of 255", wording.percent(accuracy), *map(wording.percent, interval))
        for level, accuracy, interval in zip(
            result.levels, result.accuracies(), result.intervals(), strict=True
        )
    ]
    heads = ("Strength", "Accuracy", "95 % from", "to")
    return card(
        "curve",
        "Accuracy by the strength of the attack",
        element("div", element("div", _curve(result), class_="matrix"), class_="wide"),
        data_table("Accuracy by strength", heads, rows),
        note="The strength is how far a pixel may move, in levels of 255 (the L-infinity norm). "
        f"Projected gradient descent from a random start, {NUM_STEPS} steps, through the whole "
        "classifier with its normalisation; the changed images are whole numbers again, as a file "
        "holds them. The lines are 95 % intervals.",
    )


def _curve(result: AttackedAccuracy) -> Markup:
    across = Scale(0, result.levels[-1], 52, 2 * svg.WIDTH - 16)
    up = Scale(0, 1, 266, 40)
    places = [across(level) for level in result.levels]
    accuracies = result.accuracies()
    marks = [
        element(
            "g",
            svg.line(x, up(low), x, up(high), "whisker"),
            svg.dot(x, up(accuracy), 4.5, "mark hit", f"{level} of 255: {100 * accuracy:.1f} %"),
        )
        for x, level, accuracy, (low, high) in zip(
            places, result.levels, accuracies, result.intervals(), strict=True
        )
    ]
    return svg.figure(
        "attacked-curve",
        "Accuracy under attack",
        f"Accuracy at {len(places)} strengths from 0 to {result.levels[-1]} of 255.",
        (2 * svg.WIDTH, 310),
        svg.axes(
            across,
            up,
            labels=("strength of the attack, levels of 255", "accuracy"),
            formats=(lambda value: f"{value:g}", lambda value: f"{100 * value:.0f} %"),
            ticks=(result.levels, up.ticks()),
        ),
        svg.polyline([(x, up(a)) for x, a in zip(places, accuracies, strict=True)], "train"),
        *marks,
    )


def _pictures(
    result: AttackedAccuracy, images: Tensor, labels: Tensor, class_names: Sequence[str]
) -> Markup:
    if not result.attacks:
        return card("pictures", "Before and after", element("p", "No attack succeeded."))
    step = max(1, len(result.attacks) // _NUM_SHOWN)
    shown = result.attacks[::step][:_NUM_SHOWN]
    figures = [part for found in shown for part in _pair(found, images, labels, class_names)]
    return card(
        "pictures",
        "Before and after",
        element("div", *figures, class_="pictures"),
        note="Successful attacks, from the weakest to the strongest: the image with its class, and "
        "the changed image with the answer to it and the strength that sufficed.",
    )


def _pair(
    found: Attack, images: Tensor, labels: Tensor, class_names: Sequence[str]
) -> tuple[Markup, Markup]:
    true, answer = class_names[int(labels[found.place])], class_names[found.answer]
    before = captioned_image(
        images[found.place],
        f"{true}, before",
        element("span", element("b", true)),
        element("span", "before", class_="quiet"),
    )
    after = captioned_image(
        found.image,
        f"{true}, attacked, answered {answer}",
        element("span", element("b", answer, class_="predicted")),
        element("span", f"by {found.level} of 255", class_="quiet"),
    )
    return before, after
